//! `policy-differs`: the deploy was recorded under another policy.

use super::{FindingRule, Severity};
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "policy-differs",
    severity: Severity::Notice,
    summary: "The deploy was recorded under another policy",
    page: "The record names the digest of another policy than the one by which the audit judges.\n\n\
           The policy may have been changed since, or the host that deployed has another configuration. What \
           was allowed there may be found fault with here, and the other way round.\n\n\
           Compare `phabgate config show` on the host with that of the audit. For deploys from before a change \
           of the policy, audit them with the policy of then.",
    find: |rule, case| {
        let ours = case.digest;
        let differs = case.ran().filter_map(|assessment| {
            let other = assessment.deploy.records.iter().find(|standing| standing.record.policy != ours.as_str())?;
            // Whoever writes a record can put any text there.
            let theirs = match case.hide {
                true => "another policy".to_owned(),
                false => format!("the policy {}", shorten(&other.record.policy, 80)),
            };
            let message = format!("recorded under {theirs}, judged by {ours}");
            Some(rule.of_deploy(case, assessment, other.moment, message))
        });
        differs.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn what_a_record_writes_there_is_not_shown_of_a_restricted_task() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.task.view = "PHID-PLCY-1".into();
        let policy = "the login is open".into();
        let sample = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        history.record("deployer1", 101, &crate::record::Record { policy, ..sample });
        let found = found(&history, "policy-differs");
        assert!(found.len() == 1 && !found[0].message.contains("login"), "{found:?}");
    }

    #[test]
    fn a_record_of_another_policy_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        let other = crate::record::Record {
            policy: "sha256:1".into(),
            ..sample(&history, DeployId::fresh(), Event::Recorded, "deployer1")
        };
        let first = history.record("phabgate", 101, &other);
        assert_eq!(found(&history, "policy-differs")[0].transaction, Some(first));
        assert_eq!(names(&history), ["policy-differs"]);
    }
}
