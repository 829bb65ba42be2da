//! `witness-removed`: what a witness wrote down was removed.

use super::{FindingRule, Severity};
use crate::evidence::timeline::Moment;
use crate::witness::claims;

pub(super) const RULE: FindingRule = FindingRule {
    name: "witness-removed",
    severity: Severity::Error,
    summary: "A comment of a witness was removed",
    page: "A comment of an account that writes on tasks what it heard on IRC was removed. The server blanks the text of a removed \
           comment, so it may have been a yes or a no of anybody: no older yes that a witness wrote down counts any more, and a \
           deploy waits until somebody of every team has answered on the task. What the mirror of an earlier audit holds is not \
           guessed: a comment that was no witness is no finding.\n\n\
           What people said cannot be shown any more.\n\n\
           Ask who removed it why, and let those who were on IRC write on the task what they said.",
    find: |rule, case| {
        let gone = case.task_state.lost_witnesses.iter().filter_map(|gone| {
            let moment = Moment { transaction: gone.spoken.transaction, ..gone.removed };
            let (author, by) = (case.evidence.name_of(&gone.author), case.evidence.name_of(&gone.by));
            let what = match case.text_of(gone).map(claims) {
                Some(false) => return None,
                Some(true) => "an earlier audit had seen it",
                None => "it may have been anybody's yes or no",
            };
            let message = format!("a comment of the witness {author} was removed by {by}; {what}");
            Some(rule.of_witness(case, gone.spoken, moment, &message))
        });
        gone.flatten().collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::witness::WitnessedWord::Reject;

    #[test]
    fn a_witness_that_is_gone_is_found_and_stops_what_started_after_it() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.policy.witnesses = vec!["heard".into()];
        let witness = history.witness(20, Reject, "sre2", "sre");
        history.remove(witness, "admin", 30);
        deploy(&mut history);
        let removed = &found(&history, "witness-removed")[0];
        assert_eq!((removed.transaction, removed.deploy), (Some(witness), Some(audit(&history).deploys[0].id)));
        assert!(names(&history).contains(&"rule-failed"), "{:?}", names(&history));
        history.policy.witnesses.clear();
        assert!(found(&history, "witness-removed").is_empty(), "it is nobody's comment in particular then");
    }
}
