//! `record-contradicted`: two records of a deploy say that it ended in two ways.

use super::{Case, FindingRule, Severity};
use crate::evidence::records::PostedRecord;
use crate::record::Outcome;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-contradicted",
    severity: Severity::Error,
    summary: "Two records of a deploy contradict each other about how it ended",
    page: "Two records by who may speak of the deploy name two outcomes, or its deployer says that it never started while a \
           recorder wrote that it did. What a recorder wrote stands before what the deployer wrote, and of two that are \
           trusted alike the first one. That nobody knows how it ended is no contradiction: who knows completes it later. What \
           anybody else writes of the deploy is a finding `record-forged`, and changes nothing.\n\n\
           One of the two is not true.\n\n\
           Ask both who wrote them, and write on the task what happened.",
    find: |rule, case| {
        let contradicted = case.assessments.iter().flat_map(|assessment| {
            assessment.deploy.records.contradictions().into_iter().map(|(stands, other)| {
                let message = format!(
                    "{} says that it {}; {}, which stands, that it {}",
                    of(case, other),
                    outcome(other),
                    of(case, stands),
                    outcome(stands)
                );
                rule.of_deploy(case, assessment, other.moment, message)
            })
        });
        contradicted.collect()
    },
};

fn of(case: &Case<'_>, standing: &PostedRecord) -> String {
    let (author, transaction) = (case.evidence.name_of(&standing.author), standing.moment.transaction);
    format!("the record of {author} (transaction {transaction})")
}

fn outcome(standing: &PostedRecord) -> &'static str {
    match standing.record.outcome {
        Some(Outcome::Succeeded) => "succeeded",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::RolledBack) => "was rolled back",
        Some(Outcome::NotStarted) => "never started",
        Some(Outcome::Unknown) | None => "started",
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::evidence::testing::{History, at};
    use crate::ids::{DeployId, TransactionId};
    use crate::record::{Event, Outcome};

    /// A deploy that this account started, and ends of it, each with its author and outcome.
    fn ended(starter: &str, ends: &[(&str, Outcome)]) -> (History, Vec<TransactionId>) {
        let mut history = task_state(&["releng1", "sre1"]);
        let id = DeployId::fresh();
        let started = sample(&history, id, Event::Started, "deployer1");
        history.record(starter, 101, &started);
        let ends = (200..).zip(ends).map(|(second, (author, outcome))| {
            let mut end = sample(&history, id, Event::Finished, "deployer1");
            (end.outcome, end.finished) = (Some(*outcome), Some(at(second)));
            history.record(author, second, &end)
        });
        let ends = ends.collect();
        (history, ends)
    }

    #[test]
    fn of_two_ends_the_more_trusted_stands_else_the_first_and_both_are_named() {
        use Outcome::{Failed, Succeeded};
        for (starter, ends, stands) in [
            ("deployer1", [("deployer1", Failed), ("phabgate", Succeeded)], Succeeded),
            ("deployer1", [("phabgate", Succeeded), ("deployer1", Failed)], Succeeded),
            ("deployer1", [("deployer1", Failed), ("deployer1", Succeeded)], Failed),
            ("phabgate", [("phabgate", Succeeded), ("phabgate", Failed)], Succeeded),
            ("phabgate", [("deployer1", Failed), ("phabgate", Succeeded)], Succeeded),
        ] {
            let (history, written) = ended(starter, &ends);
            let found = found(&history, "record-contradicted");
            assert_eq!(found.len(), 1, "{starter} {ends:?}");
            for id in written {
                assert!(found[0].message.contains(&format!("transaction {id}")), "{}", found[0].message);
            }
            assert_eq!(audit(&history).deploys[0].outcome, Some(stands), "{starter} {ends:?}");
            assert_eq!(names(&history), ["record-contradicted"], "{starter} {ends:?}");
        }
    }

    #[test]
    fn an_unknown_end_is_completed_and_contradicts_nothing() {
        use Outcome::{Failed, Unknown};
        for ends in [[("phabgate", Unknown), ("deployer1", Failed)], [("deployer1", Failed), ("phabgate", Unknown)]] {
            let (history, _) = ended("deployer1", &ends);
            assert_eq!(audit(&history).deploys[0].outcome, Some(Failed), "{ends:?}");
            assert!(names(&history).is_empty(), "{ends:?}: {:?}", names(&history));
        }
    }

    #[test]
    fn who_deploys_cannot_say_that_what_a_recorder_saw_start_never_did() {
        let (mut history, _) = ended("phabgate", &[]);
        // Nobody of sre had approved what the second one did.
        history.comment("sre1", 102, "Emergency-Withdraw: sre");
        let id = DeployId::fresh();
        let started = sample(&history, id, Event::Started, "deployer1");
        history.record("phabgate", 300, &crate::record::Record { started: Some(at(299)), ..started });
        let mut never = sample(&history, id, Event::Finished, "deployer1");
        never.outcome = Some(Outcome::NotStarted);
        history.record("deployer1", 310, &never);
        let found = names(&history);
        assert!(found.contains(&"record-contradicted") && found.contains(&"approval-missing"), "{found:?}");
        assert!(found.contains(&"record-unfinished"), "{found:?}");
        assert!(audit(&history).deploys.iter().all(|deploy| deploy.ran()));
    }
}
