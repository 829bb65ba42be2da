//! A policy to test with.

use jiff::SignedDuration;

use super::{BelievedRecords, Policy, Reason, Role, Team};

/// A policy like the built-in one, for tests of what is done with a policy.
pub(crate) fn built_in() -> Policy {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let team = |key: &str, project: &str, title: &str, aliases: &[&str]| Team {
        key: key.into(),
        project: project.into(),
        title: title.into(),
        aliases: strings(aliases),
        need: 1,
        role: Role::Approve,
    };
    let reason = |key: &str, title: &str, aliases: &[&str], teams: &[&str]| Reason {
        key: key.into(),
        title: title.into(),
        aliases: strings(aliases),
        teams: strings(teams),
    };
    Policy {
        tag: "emergency-deployment".into(),
        field: Some("custom.emergency.reason".into()),
        train: Some("train-deployments".into()),
        required: strings(&["releng", "sre"]),
        teams: vec![
            team("releng", "release-engineering-team", "Release Engineering", &["rel-eng"]),
            team("sre", "sre", "SRE", &[]),
            team("security", "security-team", "Security", &[]),
        ],
        reasons: vec![
            reason("security", "Address a security issue", &["security issue", "leak", "vulnerability"], &["security"]),
            reason("data-loss", "Avoid data loss or corruption", &["data corruption", "corruption"], &[]),
            reason("availability", "Maintain availability", &["outage", "down", "overload"], &[]),
            reason("abuse", "Prevent abuse", &["vandalism", "spam", "scraping"], &[]),
            reason(
                "functionality",
                "Major loss of functionality or appearance",
                &["appearance", "loss of functionality", "broken"],
                &[],
            ),
        ],
        actions: Vec::new(),
        accept_verified: true,
        accept_witnessed: false,
        witnesses: vec![],
        accept_attested: false,
        max_age: SignedDuration::from_hours(12),
        self_approval: false,
        require_open: true,
        recorders: strings(&["phabgate"]),
        open_spaces: Vec::new(),
        records: BelievedRecords::Deployers,
        follow_up: None,
    }
}
