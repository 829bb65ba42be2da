//! `witness-forged`: a comment claims to be a witness and is not believed.

use super::{Case, FindingRule, Severity};
use crate::evidence::timeline::Comment;
use crate::remarkup::JsonBlock;
use crate::witness::{claims, parse};

pub(super) const RULE: FindingRule = FindingRule {
    name: "witness-forged",
    severity: Severity::Error,
    summary: "A comment claims that somebody said something on IRC",
    page: "A comment holds what reads as a witness, and was not written by an account of `policy.witnesses`; or speaks of another \
           task, of what was not there yet, or of times that cannot be; or cannot be read; or became one by an edit.\n\n\
           Somebody wants it to look as if an approver had spoken on IRC, or the account of the watch is missing in the \
           configuration. A no of a witness that speaks of what cannot be stands all the same, and a withdrawal of it lifts no no.\n\n\
           Ask the author, and the approver whom it names. If the account is the one that the watch writes witnesses with, add it to \
           `policy.witnesses`.",
    find: |rule, case| {
        let forged = case.evidence.timeline.comments(None).filter_map(|comment| {
            let why = fault(case, &comment)?;
            let author = case.evidence.name_of(&comment.transaction.author);
            let message = format!("a comment of {author} claims to be a witness and is not believed: {why}");
            let written = case.evidence.timeline.moment_of(comment.transaction);
            Some(rule.of_witness(case, written, written, &message))
        });
        forged.flatten().collect()
    },
};

/// Why a comment that claims to be a witness is not believed; `None` where it claims nothing, or is.
fn fault(case: &Case<'_>, comment: &Comment<'_>) -> Option<&'static str> {
    if comment.newest().removed {
        return None;
    }
    let first = parse(comment.first_text());
    if first == JsonBlock::Absent {
        let became = comment.versions().iter().any(|version| claims(version.text()));
        return became.then_some("it became one by an edit");
    }
    match case.evidence.is_witness(&comment.transaction.author, case.policy) {
        Some(true) => {}
        Some(false) => return Some("its author is no witness"),
        None => return Some("its author cannot be read"),
    }
    let JsonBlock::One(witness) = first else { return Some("it cannot be read") };
    (!case.evidence.is_possible(comment, &witness)).then_some("it speaks of what cannot be")
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::evidence::testing::{History, at};
    use crate::ids::TransactionId;
    use crate::witness::WitnessedWord::{Approve, Reject, Withdraw};
    use crate::witness::{Witness, render};

    fn heard() -> History {
        let mut history = task_state(&["releng1"]);
        history.policy.witnesses = vec!["heard".into()];
        history.policy.accept_witnessed = true;
        history
    }

    #[test]
    fn a_deploy_that_rests_on_a_witness_is_clean() {
        let mut history = heard();
        history.witness(20, Approve, "sre1", "sre");
        deploy(&mut history);
        assert_eq!(names(&history), [] as [&str; 0]);
        // Not where the policy does not take it.
        history.policy.accept_witnessed = false;
        assert_eq!(names(&history)[0], "approval-missing");
    }

    #[test]
    fn a_deploy_that_rests_on_a_witness_stays_clean_where_the_task_is_restricted_afterwards() {
        let mut history = heard();
        history.witness(20, Approve, "sre1", "sre");
        deploy(&mut history);
        history.view("admin", 300, "PHID-PROJ-secret");
        assert_eq!(names(&history), [] as [&str; 0]);
        history.view("admin", 400, "users");
        assert_eq!(names(&history), [] as [&str; 0]);
        // Not where it was restricted when it started.
        let mut history = heard();
        history.witness(20, Approve, "sre1", "sre");
        history.view("admin", 50, "PHID-PROJ-secret");
        deploy(&mut history);
        history.view("admin", 300, "users");
        assert!(names(&history).contains(&"approval-missing"));
    }

    #[test]
    fn a_witness_by_anybody_else_or_of_what_cannot_be_is_found() {
        let mut history = heard();
        let text = render(&history.heard(20, Approve, "sre1", "sre"));
        let mut of_later = history.heard(22, Approve, "sre1", "sre");
        of_later.seen = TransactionId(900);
        let mut of_another = history.heard(22, Reject, "sre1", "sre");
        of_another.task = "T2".parse().unwrap();
        let forged = [
            history.comment("sre1", 20, &text),
            history.comment("phabgate", 21, &text),
            history.comment("heard", 22, &render(&of_later)),
            history.comment("heard", 23, &render(&of_another)),
            history.comment("heard", 24, &text.replace("\"word\"", "\"wrd\"")),
        ];
        let became = history.comment("outsider", 25, "Nothing.");
        history.edit(became, "outsider", 26, &text);
        history.comment("sre2", 30, "Emergency-Approve: sre");
        deploy(&mut history);
        let found = found(&history, "witness-forged");
        let of: Vec<_> = found.iter().filter_map(|finding| finding.transaction).collect();
        assert_eq!(of, forged.into_iter().chain([became]).collect::<Vec<_>>());
        let deploy = audit(&history).deploys[0].id;
        assert!(found.iter().all(|finding| finding.deploy == Some(deploy)), "{found:#?}");
        assert_eq!(names(&history).iter().filter(|name| **name != "witness-forged").count(), 0);
    }

    #[test]
    fn whatever_word_speaks_of_what_cannot_be_is_found() {
        type Change = fn(&mut Witness);
        // When something was said the clock of the network says: of a yes alone it has to be near to when it was heard.
        let of_a_yes: Change = |witness| witness.said = at(9_000);
        let changes: [Change; 4] = [
            |witness| witness.seen = TransactionId(900),
            |witness| witness.seen = TransactionId(9_999_999),
            |witness| witness.heard = at(9_000),
            of_a_yes,
        ];
        for (word, count) in [(Approve, 4), (Withdraw, 3), (Reject, 3)] {
            for change in &changes[..count] {
                let mut history = heard();
                history.comment("sre1", 12, "Emergency-Approve: sre");
                let mut witness = history.heard(22, word, "sre2", "sre");
                change(&mut witness);
                let forged = history.comment("heard", 22, &render(&witness));
                let found = found(&history, "witness-forged");
                let of: Vec<_> = found.iter().filter_map(|finding| finding.transaction).collect();
                assert_eq!(of, [forged], "{witness:?}");
            }
            let mut history = heard();
            let mut witness = history.heard(22, word, "sre2", "sre");
            of_a_yes(&mut witness);
            history.comment("heard", 22, &render(&witness));
            assert_eq!(found(&history, "witness-forged").len(), count - 3, "{word:?}");
        }
    }
}
