//! `record-forged`: a comment claims to be a record and is not believed.

use super::{Case, Rule, Severity};
use crate::audit::deploys::sorted;
use crate::evidence::records::Authority;
use crate::evidence::timeline::Comment;
use crate::record::parse::{Parsed, parse};

pub(super) const RULE: Rule = Rule {
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
        let meddling: Vec<_> =
            sorted(case.evidence, case.policy).meddling.iter().map(|standing| standing.moment.transaction).collect();
        let claims = case.evidence.timeline.comments(None).filter_map(|comment| {
            let (why, severity) = match meddling.contains(&comment.transaction.id) {
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
        Parsed::Record(_) => Some(("its author is neither a recorder nor the deployer that it names", Severity::Error)),
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
    use crate::record::render::render;

    #[test]
    fn a_record_by_neither_recorder_nor_deployer_is_found() {
        let mut history = clean();
        let forged = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        let forged = history.record("outsider", 300, &forged);
        assert_eq!(found(&history, "record-forged")[0].transaction, Some(forged));
        assert_eq!(names(&history), ["record-forged"]);
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
