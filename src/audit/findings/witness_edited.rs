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
            Some(rule.of_witness(case, moment, Moment { time: newest.created, ..moment }, &message))
        });
        edited.flatten().collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::witness::WitnessedWord::{Approve, Reject};

    #[test]
    fn a_witness_that_was_edited_is_found_and_its_yes_is_missing() {
        let mut history = task_state(&["releng1"]);
        history.policy.witnesses = vec!["heard".into()];
        history.policy.accept_witnessed = true;
        let witness = history.witness(20, Approve, "sre1", "sre");
        history.edit(witness, "admin", 30, "Never mind.");
        deploy(&mut history);
        let edited = &found(&history, "witness-edited")[0];
        assert_eq!((edited.transaction, edited.deploy), (Some(witness), Some(audit(&history).deploys[0].id)));
        assert!(names(&history).contains(&"approval-missing"));
    }

    #[test]
    fn a_witness_is_found_with_each_deploy_that_rests_on_it_and_with_the_next_one() {
        let mut history = task_state(&["releng1"]);
        history.policy.witnesses = vec!["heard".into()];
        history.policy.accept_witnessed = true;
        let early = history.witness(20, Approve, "sre1", "sre");
        deploy(&mut history);
        let late = history.witness(300, Reject, "sre2", "sre");
        history.edit(early, "admin", 310, "Never mind.");
        history.edit(late, "admin", 311, "Never mind.");
        let deploy = |history: &_, at: usize| audit(history).deploys.get(at).map(|deploy| deploy.id);
        let of = |history: &_| {
            found(history, "witness-edited").iter().map(|found| (found.transaction, found.deploy)).collect::<Vec<_>>()
        };
        assert_eq!(of(&history), [(Some(early), deploy(&history, 0)), (Some(late), None)]);
        deploy_at(&mut history, 401);
        let [one, two] = [0, 1].map(|at| deploy(&history, at));
        assert_eq!(of(&history), [(Some(early), one), (Some(early), two), (Some(late), two)]);
    }
}
