//! `record-edited`: a record was edited.

use super::{FindingRule, Severity, what};
use crate::evidence::timeline::Moment;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-edited",
    severity: Severity::Error,
    summary: "A record was edited",
    page: "The comment that holds a record was edited after it had been posted. What it said first counts, as \
           far as the server still shows it.\n\n\
           A record that can be changed afterwards proves nothing. Whoever may edit comments of the recorder \
           can do it.\n\n\
           Open the history of the comment on the task and ask who edited it why. What has to be added belongs \
           into a comment of its own.",
    find: |rule, case| {
        let edited = case.assessments.iter().flat_map(|assessment| {
            assessment.deploy.records.iter().filter(|standing| standing.changed).filter_map(move |standing| {
                let transactions = case.as_returned.timeline.transactions();
                let comment = transactions.iter().find(|it| it.id == standing.moment.transaction);
                let newest = comment.and_then(|transaction| transaction.comments.first());
                // That it was removed is a finding of its own.
                if newest.is_some_and(|newest| newest.removed) {
                    return None;
                }
                let by = newest.map_or_else(|| "somebody".to_owned(), |version| case.evidence.name_of(&version.author));
                let time = newest.map_or(standing.moment.time, |version| version.created);
                let message = format!("the record ({}) was edited by {by}", what(standing));
                Some(rule.of_deploy(case, assessment, Moment { time, ..standing.moment }, message))
            })
        });
        edited.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_record_that_was_edited_is_found_and_still_counts() {
        let mut history = task_state(&["releng1", "sre1"]);
        let first = deploy(&mut history);
        history.edit(first, "admin", 300, "Nothing happened.");
        let found = found(&history, "record-edited");
        assert_eq!(found[0].transaction, Some(first));
        assert!(found[0].message.contains("admin"));
        assert_eq!(names(&history), ["record-edited"]);
    }
}
