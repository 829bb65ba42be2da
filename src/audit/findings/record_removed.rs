//! `record-removed`: a comment was removed that may have been a record.

use super::{FindingRule, Severity};
use crate::evidence::timeline::Moment;
use crate::record::parse::claims;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-removed",
    severity: Severity::Error,
    summary: "A comment was removed that may have been a record",
    page: "A comment of a recorder, or of somebody who deployed by the records of the task, was removed. The \
           server blanks the text of a removed comment, so whether it was a record cannot be told; of a \
           recorder it most likely was. Of a deployer, and of an account that cannot be read, it is less likely \
           and less bad. What the mirror of an earlier audit holds is not guessed: a record counts though it was removed, and \
           a comment that was none is no finding.\n\n\
           A deploy whose records are gone cannot be audited.\n\n\
           Ask who removed it why. What is still in the journal of the host, or in an older mirror, shows what \
           it said.",
    find: |rule, case| {
        let deployers: Vec<&str> = case
            .assessments
            .iter()
            .flat_map(|assessment| assessment.deploy.records.iter())
            .flat_map(|standing| standing.record.deployer.iter().chain(&standing.record.behind))
            .filter_map(|deployer| deployer.phid.as_ref())
            .map(|phid| phid.as_str())
            .collect();
        let removals = &case.task_state.removals;
        let gone = removals.iter().filter_map(|gone| {
            let moment = Moment { transaction: gone.spoken.transaction, ..gone.removed };
            let (author, by) = (case.evidence.name_of(&gone.author), case.evidence.name_of(&gone.by));
            // What an earlier audit saw of it needs no guess.
            if let Some(text) = case.text_of(gone) {
                let message = format!("a record of {author} was removed by {by}; an earlier audit had seen it");
                return claims(text).then(|| rule.of_task(case, moment, message));
            }
            let recorder = case.evidence.is_recorder(&gone.author, case.policy);
            let (whose, severity) = match (recorder, deployers.contains(&gone.author.as_str())) {
                (Some(true), _) => ("a recorder", Severity::Error),
                (_, true) => ("a deployer", Severity::Warning),
                (None, false) => ("an account that cannot be read", Severity::Notice),
                (Some(false), false) => return None,
            };
            let message = format!("a comment of {author}, {whose}, was removed by {by}; it may have been a record");
            Some(rule.of_task(case, moment, message).but(severity))
        });
        gone.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;

    #[test]
    fn a_removed_comment_of_a_recorder_may_have_been_a_record() {
        let mut history = task_state(&["releng1", "sre1"]);
        let first = deploy(&mut history);
        history.remove(first, "admin", 300);
        let found = found(&history, "record-removed");
        assert_eq!((found[0].transaction, found[0].severity), (Some(first), Severity::Error));
    }

    #[test]
    fn one_of_a_deployer_may_have_been_one_too() {
        let mut history = clean();
        let comment = history.comment("deployer1", 300, "It is over.");
        let other = history.comment("outsider", 301, "Thanks.");
        history.remove(comment, "deployer1", 310);
        history.remove(other, "outsider", 311);
        let found = found(&history, "record-removed");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].transaction, found[0].severity), (Some(comment), Severity::Warning));
    }
}
