//! Tests of the policy on histories: a module a subject.

mod answers;
mod approvals;
mod catalogue;
mod cut;
mod edits;
mod near_misses;
mod others;
mod properties;
mod restricted;
mod rules;
mod untold;

use super::*;
use crate::evidence::testing::History;
use crate::policy::{Action, ActionPolicy, Policy, Reason, Role, Team};
use jiff::SignedDuration;

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
        accept_attested: false,
        max_age: SignedDuration::from_hours(12),
        self_approval: false,
        require_open: true,
        recorders: strings(&["phabgate"]),
        open_spaces: Vec::new(),
        records: crate::policy::BelievedRecords::Deployers,
        follow_up: None,
    }
}

/// The verdict on a history as it is now.
fn verdict(history: &History) -> Verdict {
    evaluate(&history.evidence(), &history.policy, &Intent::default(), None)
}

/// The word for the decision on a history as it is now.
fn decision(history: &History) -> &'static str {
    verdict(history).decision.word()
}

/// What a rule finds in a history as it is now.
fn outcome(history: &History, rule: &str) -> Outcome {
    verdict(history).rule(rule).unwrap().outcome
}

/// Why each approval of a person does not count, oldest first; `None` for those that do.
fn why_not(history: &History, user: &str) -> Vec<Option<WhyNot>> {
    verdict(history).approvals.into_iter().filter(|approval| approval.user == user).map(|a| a.why_not).collect()
}
