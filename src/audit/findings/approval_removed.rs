//! `approval-removed`: a comment that held an approval, or may have, was removed.

use super::{Case, FindingRule, Severity};
use crate::audit::deploys::DeployAssessment;
use crate::evidence::Removal;
use crate::evidence::timeline::Moment;
use crate::evidence::trailers::{Key, last};

pub(super) const RULE: FindingRule = FindingRule {
    name: "approval-removed",
    severity: Severity::Error,
    summary: "A comment that held an approval was removed, or one that may have",
    page: "A comment of an approver, written before the deploy started, was removed after it. The server blanks \
           the text of a removed comment in all its versions. Where the mirror of an earlier audit holds it, or a recorder's \
           record read it as a yes, the deploy is judged by that, and a comment that had nothing to do with the emergency is \
           no finding. Of any other nobody can say what it was: where the record says that the deploy was allowed it is \
           taken to have been no no, which is a notice where a recorder wrote that and a warning where the deployer did; else \
           it counts as what it may have been.\n\n\
           What the deploy rested on cannot be shown any more.\n\n\
           Ask who removed it why, and let the approver write on the task what they had said.",
    find: |rule, case| {
        let removed = case.ran().flat_map(|assessment| {
            assessment.now.removals.iter().filter_map(move |gone| {
                let (held, severity) = held(case, assessment, gone)?;
                let (author, by) = (case.evidence.name_of(&gone.author), case.evidence.name_of(&gone.by));
                let message = format!("a comment of {author} was removed by {by}; it {held}");
                let moment = Moment { transaction: gone.spoken.transaction, ..gone.removed };
                Some(rule.of_deploy(case, assessment, moment, message).but(severity))
            })
        });
        removed.collect()
    },
};

/// What a comment held that is gone, as far as that is known; `None` where it is no matter for the deploy.
fn held(case: &Case<'_>, assessment: &DeployAssessment, gone: &Removal) -> Option<(&'static str, Severity)> {
    let records = &assessment.deploy.records;
    let transaction = gone.spoken.transaction;
    if records.iter().flat_map(|it| &it.record.approvals).any(|it| it.transaction == Some(transaction)) {
        return Some(("held an approval by the record", Severity::Error));
    }
    // What was removed before the deploy started was known to be gone when it was allowed.
    let later = transaction <= assessment.deploy.as_of.through && gone.removed.time >= assessment.deploy.as_of.time;
    if !later || !case.evidence.is_in_a_team(&gone.author) {
        return None;
    }
    if let Some(text) = case.text_of(gone) {
        let held = match last(text, Key::Approve) {
            Some(_) => "held an approval",
            None => "spoke about the emergency",
        };
        return Some((held, Severity::Error));
    }
    let first = records.first();
    Some(match (first.says_allowed(), first.by_recorder) {
        (true, true) => (
            "was no answer that stood against the deploy by the record, and nobody can tell what it said",
            Severity::Notice,
        ),
        _ => ("may have held an approval or a no, and nobody can tell what it said", Severity::Warning),
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;
    use crate::record::{Event, Record};

    #[test]
    fn an_approval_that_the_record_names_and_that_is_gone_is_found() {
        // What a recorder read as a yes was one; what the deployer says of it proves nothing.
        for (author, missing) in [("phabgate", false), ("deployer1", true)] {
            let mut history = task_state(&["releng1"]);
            let yes = history.comment("sre1", 12, "Emergency-Approve: sre");
            deploy_approved(&mut history, author, "sre1", yes);
            history.remove(yes, "sre1", 300);
            let found = found(&history, "approval-removed");
            assert_eq!((found[0].transaction, found[0].severity), (Some(yes), Severity::Error), "{author}");
            assert_eq!(names(&history).contains(&"approval-missing"), missing, "{author}: {:?}", names(&history));
        }
    }

    #[test]
    fn an_unrelated_comment_that_is_gone_makes_no_error_of_a_clean_deploy() {
        for who in ["sre1", "sre2", "releng1", "deployer1", "outsider"] {
            for by in ["phabgate", "deployer1"] {
                let mut history = task_state(&["releng1", "sre1"]);
                let word = history.comment(who, 12, "Looking.");
                let id = crate::ids::DeployId::fresh();
                deploy_of(&mut history, id, by, "deployer1", 101);
                history.remove(word, "admin", 300);
                let audit = audit(&history);
                assert!(
                    audit.findings.iter().all(|it| it.severity != Severity::Error),
                    "{who} {by}: {:?}",
                    audit.findings
                );
                let found = found(&history, "approval-removed");
                let expected = match (who, by) {
                    ("deployer1" | "outsider", _) => None,
                    (_, "phabgate") => Some(Severity::Notice),
                    _ => Some(Severity::Warning),
                };
                assert_eq!(found.first().map(|it| it.severity), expected, "{who} {by}");
            }
        }
    }

    #[test]
    fn where_the_record_itself_says_that_it_was_not_allowed_what_is_gone_may_have_been_a_no() {
        let mut history = task_state(&["releng1", "sre1"]);
        let word = history.comment("sre2", 12, "Emergency-Reject: sre");
        let sample = sample(&history, crate::ids::DeployId::fresh(), Event::Recorded, "deployer1");
        history.record("phabgate", 101, &Record { verdict: "denied".into(), ..sample });
        history.remove(word, "sre2", 300);
        let found = found(&history, "approval-removed");
        assert_eq!((found[0].transaction, found[0].severity), (Some(word), Severity::Warning));
        assert!(names(&history).contains(&"rule-failed"));
    }
}
