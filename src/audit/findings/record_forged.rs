//! `record-forged`: a comment claims to be a record and is not believed.

use super::{Case, FindingRule, Severity};
use crate::evidence::records::Authority;
use crate::evidence::timeline::Comment;
use crate::policy::BelievedRecords;
use crate::record::parse::{Parsed, parse};

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-forged",
    severity: Severity::Error,
    summary: "A comment claims to be a record and is not believed",
    page: "A comment holds what reads as a record, and was written neither by a recorder nor by the deployer \
           whom it names; or speaks of another task, or of the deploy of somebody else; or claims to be a \
           record and cannot be read; or became one by an edit. A record of a newer version of the gate is a \
           warning: this version does not know how to judge it.\n\n\
           Somebody wants a deploy to look as if it had been recorded, or a recorder is missing in the \
           configuration.\n\n\
           Ask the author. If the account is one of yours that posts records, add it to `policy.recorders`.",
    find: |rule, case| {
        let foreign: Vec<_> = case.foreign.iter().map(|standing| standing.moment.transaction).collect();
        let claims = case.evidence.timeline.comments(None).filter_map(|comment| {
            let (why, severity) = match foreign.contains(&comment.transaction.id) {
                true => ("it speaks of the deploy of somebody else", Severity::Error),
                false => fault(case, &comment)?,
            };
            let transaction = comment.transaction;
            let author = case.evidence.name_of(&transaction.author);
            let message = format!("a comment of {author} claims to be a record and is not believed: {why}");
            let moment = case.evidence.timeline.moment_of(transaction);
            Some(rule.of_task(case, moment, message).but(severity))
        });
        claims.collect()
    },
};

/// Why a comment that claims to be a record is not believed; `None` where it claims nothing, or is.
fn fault(case: &Case<'_>, comment: &Comment<'_>) -> Option<(&'static str, Severity)> {
    let author = &comment.transaction.author;
    match comment.claim() {
        Parsed::Record(record) if case.evidence.authority(record, author, case.policy) != Authority::Nobody => None,
        Parsed::Record(record) if record.task != case.evidence.task.id => {
            Some(("it speaks of another task", Severity::Error))
        }
        Parsed::Record(record) => {
            let unnamed = record.deployer.as_ref().is_some_and(|deployer| deployer.phid.is_none());
            Some(match (case.policy.records, unnamed) {
                (BelievedRecords::Recorders, _) => ("the policy believes records of recorders alone", Severity::Error),
                // Accounts are renamed: whether the name was its author's then is not known.
                (BelievedRecords::Deployers, true) => (
                    "its author is no recorder, and it names a deployer without the account, who is not called so now",
                    Severity::Warning,
                ),
                (BelievedRecords::Deployers, false) => {
                    ("its author is neither a recorder nor the deployer that it names", Severity::Error)
                }
            })
        }
        Parsed::Unreadable { .. } => Some(("it cannot be read", Severity::Error)),
        Parsed::Newer { .. } => Some(("it is of a newer schema, which this version does not know", Severity::Warning)),
        Parsed::Absent => {
            let mut later = comment.versions().iter().map(|version| parse(version.text()));
            let became = later.any(|parsed| !matches!(parsed, Parsed::Absent));
            became.then_some(("it became one by an edit", Severity::Error))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::ids::DeployId;
    use crate::record::Event;
    use crate::record::comment::render;

    #[test]
    fn a_record_by_neither_recorder_nor_deployer_is_found() {
        let mut history = clean();
        let forged = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        let forged = history.record("outsider", 300, &forged);
        assert_eq!(found(&history, "record-forged")[0].transaction, Some(forged));
        assert_eq!(names(&history), ["record-forged"]);
    }

    #[test]
    fn what_somebody_writes_of_the_deploy_of_another_is_found_and_changes_nothing_of_it() {
        use crate::record::Outcome::{Failed, NotStarted, Unknown};
        for starter in ["phabgate", "deployer1"] {
            for (author, outcome) in [("outsider", NotStarted), ("sre1", Failed), ("deployer2", Unknown)] {
                let mut history = task_state(&["releng1", "sre1"]);
                let id = DeployId::fresh();
                deploy_of(&mut history, id, starter, "deployer1", 101);
                let before = audit(&history);
                let mut forged = sample(&history, id, Event::Finished, author);
                forged.outcome = Some(outcome);
                forged.started = Some(crate::evidence::testing::at(-9_000_000));
                let forged = history.record(author, 300, &forged);
                assert_eq!(names(&history), ["record-forged"], "{starter} {author}");
                let found = found(&history, "record-forged");
                assert_eq!((found[0].transaction, found[0].deploy), (Some(forged), None));
                let after = audit(&history);
                let (before, after) = (&before.deploys[0], &after.deploys[0]);
                assert_eq!(
                    (after.outcome, after.started, &after.deployer),
                    (before.outcome, before.started, &before.deployer)
                );
                assert_eq!(after.verdict, before.verdict, "{starter} {author}");
            }
        }
    }

    #[test]
    fn where_recorders_alone_are_believed_no_record_of_a_deployer_is() {
        let mut history = clean();
        history.policy.records = crate::policy::BelievedRecords::Recorders;
        let mut own = history.clone();
        let own_record = deploy_by(&mut own, "deployer1", 300);
        let found = found(&own, "record-forged");
        assert_eq!((found.len(), found[0].transaction), (2, Some(own_record)));
        assert_eq!(audit(&own).deploys.len(), 1);
    }

    #[test]
    fn a_record_without_an_account_is_of_who_is_called_so_and_of_nobody_else_for_certain() {
        for (author, found_as) in [("deployer1", None), ("sre2", Some(crate::audit::Severity::Warning))] {
            let mut history = task_state(&["releng1", "sre1"]);
            let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
            record.deployer.as_mut().unwrap().phid = None;
            history.record(author, 101, &record);
            let found = found(&history, "record-forged");
            assert_eq!(found.first().map(|it| it.severity), found_as, "{author}");
        }
    }

    #[test]
    fn what_cannot_be_read_and_what_became_a_record_is_found() {
        let mut history = clean();
        let record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        let whole = render(&record).unwrap();
        let broken = history.comment("phabgate", 300, &whole.replace("\"event\"", "\"evnt\""));
        let later = history.comment("phabgate", 301, "Nothing.");
        history.edit(later, "admin", 302, &whole);
        let found = found(&history, "record-forged");
        assert_eq!(found.iter().map(|it| it.transaction).collect::<Vec<_>>(), [Some(broken), Some(later)]);
    }
}
