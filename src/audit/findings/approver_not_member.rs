//! `approver-not-member`: an approver is not in the team.

use super::{FindingRule, Severity, approvals_that_matter, lacks};
use crate::rules::WhyNot;
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "approver-not-member",
    severity: Severity::Error,
    summary: "An approver is not a member of the team",
    page: "Somebody approved for a team and is not among the members of its project, or their account is \
           disabled. The server tells only who is a member now. Where a recorder wrote down that the approval \
           counted, for the project that backs the team here, the person was in the team then and has left since: that is a \
           warning, and the approval still counts for the audit. Otherwise it is judged by the membership of now; it is an error where the \
           team had not approved without it.\n\n\
           An approval of somebody outside of the team is no approval of the team.\n\n\
           Look at the history of the project for when the person joined and left. If they should be in the \
           team, add them.",
    find: |rule, case| {
        let outside = |why: &Option<WhyNot>| matches!(why, Some(WhyNot::NotMember { .. } | WhyNot::NotEnabled));
        let strangers = case.ran().flat_map(|assessment| {
            let deploy = &assessment.deploy;
            approvals_that_matter(assessment, &deploy.verdict).filter(move |approval| outside(&approval.why_not)).map(move |approval| {
                let recorded = deploy
                    .verdict_as_recorded
                    .approvals
                    .iter()
                    .any(|then| then.counts() && then.team == approval.team && then.phid == approval.phid);
                let (basis, severity) = match recorded {
                    true => (
                        "as of now, or of the first audit after it; the record says that their approval counted then",
                        Severity::Warning,
                    ),
                    false if lacks(assessment, &approval.team) => (UNRECORDED, Severity::Error),
                    // Enough others approved.
                    false => (UNRECORDED, Severity::Warning),
                };
                let team = shorten(&approval.team, 40);
                let what = match approval.why_not {
                    Some(WhyNot::NotEnabled) => "has no account in use",
                    _ => "is not a member of it",
                };
                let message = format!("{} approved for {team} and {what} ({basis})", approval.user);
                rule.at_record(case, assessment, message).but(severity).shown_by(approval).about(&team)
            })
        });
        strangers.collect()
    },
};

const UNRECORDED: &str = "as of now, or of the first audit after it; no recorder wrote that it was otherwise then";

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;

    #[test]
    fn an_outsider_is_found_by_the_membership_of_now() {
        let mut history = task_state(&["releng1"]);
        let stranger = history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        let found = found(&history, "approver-not-member");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].transaction, found[0].severity), (Some(stranger), Severity::Error));
        assert!(found[0].message.contains("as of now"));
        assert_eq!(names(&history), ["approver-not-member", "approval-missing"]);
    }

    #[test]
    fn an_outsider_among_enough_members_is_a_warning_and_none_afterwards() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        history.comment("outsider", 300, "Emergency-Approve: releng");
        let found = found(&history, "approver-not-member");
        assert_eq!(found.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Warning]);
    }

    #[test]
    fn who_left_since_is_a_warning_where_a_recorder_says_that_they_counted() {
        let mut history = task_state(&["releng1"]);
        let left = history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy_approved(&mut history, "phabgate", "outsider", left);
        let found = found(&history, "approver-not-member");
        assert_eq!((found[0].transaction, found[0].severity), (Some(left), Severity::Warning));
        assert_eq!(names(&history), ["approver-not-member"]);
    }

    #[test]
    fn what_a_record_of_another_project_says_of_its_members_is_not_taken() {
        use crate::audit::{AuditPolicy, KnownPolicies, audit_task};
        use crate::evidence::testing::project;
        let ours = || Some(project("sre"));
        for (named, policy, known, believed) in [
            (ours(), "sha256:other", None, true),
            (Some(project("friends")), "sha256:other", ours(), false),
            (Some(project("friends")), "ours", None, false),
            (None, "ours", None, true),
            (None, "sha256:other", None, false),
            (None, "sha256:other", ours(), true),
            (None, "sha256:other", Some(project("friends")), false),
            (None, "sha256:third", ours(), false),
        ] {
            let mut history = task_state(&["releng1"]);
            let yes = history.comment("outsider", 12, "Emergency-Approve: sre");
            let mut record =
                sample(&history, crate::ids::DeployId::fresh(), crate::record::Event::Recorded, "deployer1");
            record.approvals = vec![approval("outsider", yes)];
            record.approvals[0].project = named.clone();
            if policy != "ours" {
                record.policy = policy.into();
            }
            history.record("phabgate", 101, &record);
            let mut evidence = history.evidence();
            evidence.candidates.clear();
            let earlier =
                known.clone().map(|project| ("sha256:other".to_owned(), [("sre".to_owned(), project)].into()));
            let audit_policy =
                AuditPolicy::new(&history.policy).knowing(earlier.into_iter().collect::<KnownPolicies>());
            let findings = audit_task(&evidence, &audit_policy, &[]).findings;
            let missing = findings.iter().any(|finding| finding.name == "approval-missing");
            assert_eq!(missing, !believed, "{named:?} {policy} {known:?}");
        }
    }

    #[test]
    fn what_the_deployer_alone_says_of_an_approver_is_not_taken() {
        let mut history = task_state(&["releng1"]);
        let left = history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy_approved(&mut history, "deployer1", "outsider", left);
        assert_eq!(found(&history, "approver-not-member")[0].severity, Severity::Error);
        assert_eq!(names(&history), ["approver-not-member", "approval-missing"]);
    }
}
