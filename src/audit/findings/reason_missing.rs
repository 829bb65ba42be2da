//! `reason-missing`: the task stated no reason that counts when the deploy started.

use super::{FindingRule, Severity, kept};

pub(super) const RULE: FindingRule = FindingRule {
    name: "reason-missing",
    severity: Severity::Error,
    summary: "The task stated no reason that counts when the deploy started",
    page: "When the deploy started the task stated no reason, or none of those that the policy lists.\n\n\
           Only some reasons justify a deploy while nobody is deploying. A deploy without one should have \
           waited, and nobody can tell how often it happens for what.\n\n\
           Write the reason into the description now, so that a reader learns it; the finding stays. The next \
           time `phabgate request` states it.",
    find: |rule, case| {
        let missing = case.ran().filter_map(|assessment| {
            let outcome = assessment.deploy.verdict_as_recorded.rule("reason").filter(|outcome| kept(outcome))?;
            Some(rule.at_record(case, assessment, format!("when the deploy started, {}", outcome.message)))
        });
        missing.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::evidence::testing::History;

    #[test]
    fn a_deploy_without_a_reason_is_found() {
        let mut history = History::new("deployer1");
        history.tag("deployer1", 2, "emergency");
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        let first = deploy(&mut history);
        let found = found(&history, "reason-missing");
        assert_eq!(found[0].transaction, Some(first));
        assert_eq!(names(&history), ["reason-missing"]);
    }
}
