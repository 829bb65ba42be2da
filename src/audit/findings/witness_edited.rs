//! `witness-edited`: what a witness wrote down was edited.

use super::{FindingRule, Severity};
use crate::evidence::timeline::Moment;
use crate::witness::claims;

pub(super) const RULE: FindingRule = FindingRule {
    name: "witness-edited",
    severity: Severity::Error,
    summary: "What a witness wrote down was edited",
    page: "The comment in which a witness wrote down what somebody said on IRC was edited after it had been posted. A yes of it \
           counts for nobody; a no that stood in any version of it stands.\n\n\
           What can be changed afterwards proves nothing. Whoever may edit comments of the witness can do it.\n\n\
           Open the history of the comment on the task and ask who edited it why. Whoever is named in it says on the task what they said.",
    find: |rule, case| {
        let edited = case.as_returned.timeline.comments(None).filter_map(|comment| {
            let is_witness = case.evidence.is_witness(&comment.transaction.author, case.policy) == Some(true);
            let newest = comment.newest();
            if !is_witness || !comment.is_changed() || newest.removed || !claims(comment.first_text()) {
                return None;
            }
            let moment = case.evidence.timeline.moment_of(comment.transaction);
            let message = format!("what a witness wrote down was edited by {}", case.evidence.name_of(&newest.author));
            Some(rule.of_task(case, Moment { time: newest.created, ..moment }, message))
        });
        edited.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::witness::WitnessedWord::Approve;

    #[test]
    fn a_witness_that_was_edited_is_found_and_its_yes_is_missing() {
        let mut history = task_state(&["releng1"]);
        history.policy.witnesses = vec!["heard".into()];
        history.policy.accept_witnessed = true;
        let witness = history.witness(20, Approve, "sre1", "sre");
        history.edit(witness, "admin", 30, "Never mind.");
        deploy(&mut history);
        assert_eq!(found(&history, "witness-edited")[0].transaction, Some(witness));
        assert!(names(&history).contains(&"approval-missing"));
    }
}
