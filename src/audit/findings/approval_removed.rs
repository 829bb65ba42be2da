//! `approval-removed`: a comment that held an approval, or may have, was removed.

use super::{Rule, Severity};
use crate::evidence::timeline::Moment;

pub(super) const RULE: Rule = Rule {
    name: "approval-removed",
    severity: Severity::Error,
    summary: "A comment that held an approval was removed, or one that may have",
    page: "A comment of an approver, written before the deploy started, was removed after it. The server blanks \
           the text of a removed comment in all its versions, so what it said cannot be read any more. Where \
           the record names the comment, it held an approval; otherwise it may have held an approval as well as \
           a no.\n\n\
           What the deploy rested on cannot be shown any more.\n\n\
           Ask who removed it why, and let the approver write on the task what they had said.",
    find: |rule, case| {
        let removed = case.ran().flat_map(|trial| {
            let records = &trial.deploy.records;
            let named = records.iter().flat_map(|it| &it.record.approvals).filter_map(|it| it.transaction);
            let named: Vec<_> = named.collect();
            trial.now.removals.iter().filter_map(move |gone| {
                let transaction = gone.spoken.transaction;
                let held = named.contains(&transaction);
                // What was removed before the deploy started was known to be gone when it was allowed.
                let later = transaction <= trial.deploy.cut.through && gone.removed.time >= trial.deploy.cut.time;
                let member = case.evidence.teams.values();
                let member = member.into_iter().any(|team| team.members.iter().any(|it| it.as_str() == gone.author));
                let (held, severity) = match (held, later && member) {
                    (true, _) => ("held an approval by the record", Severity::Error),
                    (false, true) => ("may have held an approval or a no", Severity::Warning),
                    (false, false) => return None,
                };
                let (author, by) = (case.evidence.name_of(&gone.author), case.evidence.name_of(&gone.by));
                let message = format!("a comment of {author} was removed by {by}; it {held}");
                let moment = Moment { transaction, ..gone.removed };
                Some(rule.of_deploy(case, trial, moment, message).but(severity))
            })
        });
        removed.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;

    #[test]
    fn an_approval_that_the_record_names_and_that_is_gone_is_found() {
        let mut history = story(&["releng1"]);
        let yes = history.comment("sre1", 12, "Emergency-Approve: sre");
        deploy_approved(&mut history, "phabgate", "sre1", yes);
        history.remove(yes, "sre1", 300);
        let found = found(&history, "approval-removed");
        assert_eq!((found[0].transaction, found[0].severity), (Some(yes), Severity::Error));
        assert!(names(&history).contains(&"approval-missing"));
    }

    #[test]
    fn a_comment_of_a_member_that_is_gone_may_have_been_one() {
        let mut history = story(&["releng1", "sre1"]);
        let word = history.comment("sre2", 12, "Looking.");
        deploy(&mut history);
        history.remove(word, "sre2", 300);
        let found = found(&history, "approval-removed");
        assert_eq!((found[0].transaction, found[0].severity), (Some(word), Severity::Warning));
        // It may have been a no.
        assert!(names(&history).contains(&"rule-failed"));
    }
}
