//! `approval-missing`: a team had not approved when the deploy started.

use super::{Rule, Severity, is_team, kept};

pub(super) const RULE: Rule = Rule {
    name: "approval-missing",
    severity: Severity::Error,
    summary: "A team had not approved when the deploy started",
    page: "When the deploy started, fewer people of a team that the policy names had approved than it needs, \
           and nobody made up for it later. It is judged by the same rules as before a deploy: an approval \
           counts when it came after the tag and after the last change of what was approved, from a member with \
           an enabled account who is not behind the deploy.\n\n\
           Nobody else looked at what was deployed, or it cannot be shown any more that somebody did.\n\n\
           Ask the team to look at it now, and write down on the task what they say. It cannot be mended after \
           the fact.",
    find: |rule, case| {
        let missing = case.ran().flat_map(|trial| {
            let rules = trial.deploy.verdict_as_recorded.rules.iter();
            let teams = rules.filter(|outcome| is_team(outcome) && kept(outcome));
            // Of a team that approved later, it is said that it was late.
            let teams = teams.filter(|outcome| !super::approval_late::made_up(trial, &outcome.name));
            teams.map(|outcome| {
                let message = format!("when the deploy started, {}: {}", outcome.name, outcome.message);
                rule.at_record(case, trial, message)
            })
        });
        missing.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_deploy_without_a_team_is_found() {
        let mut history = story(&["releng1"]);
        let first = deploy(&mut history);
        let found = found(&history, "approval-missing");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(first));
        assert!(found[0].message.contains("team:sre"), "{}", found[0].message);
        assert_eq!(names(&history), ["approval-missing"]);
    }

    #[test]
    fn the_deploy_of_another_by_an_approver_does_not_stain_this_one() {
        let mut history = clean();
        deploy_by(&mut history, "sre1", 300);
        let found = found(&history, "approval-missing");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].time > crate::evidence::testing::at(299));
    }

    #[test]
    fn what_never_started_needs_no_approval() {
        let mut history = story(&[]);
        never_started(&mut history);
        assert!(names(&history).is_empty(), "{:?}", names(&history));
    }
}
