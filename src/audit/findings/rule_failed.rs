//! `rule-failed`: another rule than those of reason, tag and teams kept the deploy from being allowed.

use super::{Rule, Severity, is_team, kept};

pub(super) const RULE: Rule = Rule {
    name: "rule-failed",
    severity: Severity::Error,
    summary: "Another rule of the policy did not hold when the deploy started",
    page: "When the deploy started the policy would not have allowed it, for a reason that has no finding of \
           its own: somebody had said no, the task was closed, another deploy was under way, or it is not known \
           who deployed. The message names the rule.\n\n\
           `phabgate run` would have refused it. It was deployed by other means, or what is on the task was \
           changed since.\n\n\
           `phabgate explain RULE` says what the rule demands and how it is kept.",
    find: |rule, case| {
        let own = |name: &str| matches!(name, "tag" | "reason");
        let failed = case.ran().flat_map(|trial| {
            let rules = trial.deploy.verdict_as_recorded.rules.iter();
            let rules = rules.filter(|it| kept(it) && !is_team(it) && !own(&it.name));
            rules.map(|outcome| {
                // Before a deploy a rule may show what its caller typed; here that comes from a record on the task.
                let told = if case.hide { "did not hold" } else { &outcome.message };
                let message = format!("when the deploy started, {}: {told}", outcome.name);
                rule.at_record(case, trial, message)
            })
        });
        failed.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_deploy_against_a_no_is_found() {
        let mut history = story(&["releng1", "sre1"]);
        history.comment("sre2", 20, "Emergency-Reject: sre - not now");
        let first = deploy(&mut history);
        let found = found(&history, "rule-failed");
        assert_eq!(found[0].transaction, Some(first));
        assert!(found[0].message.contains("rejected"));
        assert_eq!(names(&history), ["rule-failed"]);
    }

    #[test]
    fn texts_of_a_restricted_task_are_not_told() {
        let mut history = story(&["releng1", "sre1"]);
        history.task.view = "PHID-PLCY-1".into();
        history.comment("sre2", 20, "Emergency-Reject: sre - the secret");
        deploy(&mut history);
        assert!(found(&history, "rule-failed").iter().all(|it| !it.message.contains("secret")));
    }
}
