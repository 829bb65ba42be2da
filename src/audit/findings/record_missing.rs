//! `record-missing`: an emergency was resolved and no deploy is recorded.

use super::{FindingRule, Severity};
use crate::conduit::Change;
use crate::evidence::Tagged;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-missing",
    severity: Severity::Error,
    summary: "An emergency was resolved and no deploy is recorded",
    page: "The task carries the tag and was closed as resolved, and no record on it says that anything was \
           deployed.\n\n\
           Either something was deployed and nobody can tell who approved it and what it was, or nothing was \
           and the task is no emergency deploy.\n\n\
           Record the deploy with `phabgate record TASK`, which takes who deployed and when. If nothing was \
           deployed, close the task with another status or remove the tag.",
    find: |rule, case| {
        let tagged = matches!(case.task_state.tagged, Tagged::Since(_));
        if !tagged || case.evidence.task.status != RESOLVED || case.ran().next().is_some() {
            return Vec::new();
        }
        let transactions = case.evidence.timeline.transactions();
        let closed = transactions
            .iter()
            .rev()
            .find(|transaction| matches!(&transaction.change, Change::Status { new, .. } if new == RESOLVED));
        // A task can have been made with this status.
        let shown = closed.or(transactions.first()).map(|transaction| case.evidence.timeline.moment_of(transaction));
        let message = "resolved, and no record says that anything was deployed";
        shown.map(|moment| rule.of_task(case, moment, message)).into_iter().collect()
    },
};

/// The status of a task whose work was done; the other closed ones say that it was not.
const RESOLVED: &str = "resolved";

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::evidence::testing::History;

    #[test]
    fn a_resolved_emergency_without_a_record_is_found() {
        let mut history = History::ready();
        let closed = history.status("deployer1", 300, "resolved");
        assert_eq!(found(&history, "record-missing")[0].transaction, Some(closed));
        assert_eq!(names(&history), ["record-missing"]);
    }

    #[test]
    fn one_that_was_declined_or_recorded_is_none() {
        let mut history = History::ready();
        history.status("deployer1", 300, "invalid");
        assert!(names(&history).is_empty());
        let mut history = clean();
        history.status("deployer1", 300, "resolved");
        assert!(names(&history).is_empty());
    }
}
