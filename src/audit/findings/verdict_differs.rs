//! `verdict-differs`: the record says that the deploy was not allowed, and the audit finds that it was.

use super::{FindingRule, Severity};
use crate::rules::Decision;
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "verdict-differs",
    severity: Severity::Warning,
    summary: "The record says that the deploy was not allowed, the audit that it was",
    page: "The record names a verdict other than `allowed`, while the audit, which reads the task as it was \
           when the deploy started, finds nothing that stood against it. Two things explain it: the record was \
           written later, when the task was closed already or the approvals had grown old; or somebody was made \
           a member of a team afterwards, and the server tells only who is a member now.\n\n\
           The second makes an approval look better than it was.\n\n\
           Look at which rules the record names, and at the history of the team's project for who joined after \
           the deploy.",
    find: |rule, case| {
        let differs = case.ran().filter_map(|assessment| {
            let allowed = matches!(assessment.deploy.verdict_as_recorded.decision, Decision::Allowed(_));
            let other = assessment.deploy.records.iter().find(|standing| standing.record.verdict != "allowed")?;
            allowed.then(|| {
                let verdict = match case.hide {
                    true => "that it was not allowed".to_owned(),
                    false => shorten(&other.record.verdict, 20),
                };
                let because = match &other.record.failed[..] {
                    _ if case.hide => String::new(),
                    [] => String::new(),
                    failed => format!(" because of {}", shorten(&failed.join(", "), 120)),
                };
                let message = format!("the record says {verdict}{because}; as of the start it was allowed");
                rule.of_deploy(case, assessment, other.moment, message)
            })
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
    fn a_record_that_says_that_it_was_not_allowed_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        let record = crate::record::Record {
            verdict: "pending".into(),
            failed: vec!["team:sre".into()],
            ..sample(&history, DeployId::fresh(), Event::Recorded, "deployer1")
        };
        let first = history.record("phabgate", 101, &record);
        let found = found(&history, "verdict-differs");
        assert_eq!(found[0].transaction, Some(first));
        assert!(found[0].message.contains("team:sre"));
        assert_eq!(names(&history), ["verdict-differs"]);
    }
}
