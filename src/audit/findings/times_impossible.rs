//! `times-impossible`: a record states times at which nothing can have happened.

use super::{FindingRule, Severity, what};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "times-impossible",
    severity: Severity::Error,
    summary: "A record states times that cannot be true",
    page: "The deploy ended before it started by its records, or a record states a start or an end more than a minute after \
           the comment that holds it was written. Such times are not believed: they are in no figure, and the deploy is \
           judged as of its first record. The first record of a `run` is written before its command starts, so that it is \
           earlier than the start that the second one states.\n\n\
           When a deploy ran decides which approvals were there, and how long emergencies take.\n\n\
           The clock of a host is wrong, or somebody typed another day: ask who recorded it. A record cannot be changed; \
           write on the task what is true.",
    find: |rule, case| {
        let impossible = case.assessments.iter().flat_map(|assessment| {
            let records = &assessment.deploy.records;
            let stated = records.iter().flat_map(|standing| {
                let record = &standing.record;
                [("start", record.started), ("end", record.finished)].map(|(which, time)| (standing, which, time))
            });
            let later = stated.filter_map(|(standing, which, time)| {
                let time = time.filter(|time| standing.is_later(*time))?;
                let (event, written) = (what(standing), utc(standing.moment.time));
                let message = format!(
                    "the record ({event}) of {written} states {} {which} at {}, which was not yet",
                    if which == "end" { "an" } else { "a" },
                    utc(time)
                );
                Some(rule.of_deploy(case, assessment, standing.moment, message))
            });
            let start = records.start().map(|(_, time)| time);
            let end = records.end().and_then(|end| Some((end, end.record.finished?)));
            let order = start.zip(end).filter(|(start, (_, end))| end < start).map(|(start, (standing, end))| {
                let message = format!("it ended at {}, before it started at {}", utc(end), utc(start));
                rule.of_deploy(case, assessment, standing.moment, message)
            });
            later.chain(order).collect::<Vec<_>>()
        });
        impossible.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::evidence::testing::{History, at};
    use crate::ids::{DeployId, TransactionId};
    use crate::record::{Event, Outcome};

    fn recorded(started: i64, finished: i64) -> (History, TransactionId) {
        let mut history = task_state(&["releng1", "sre1"]);
        let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        (record.started, record.finished) = (Some(at(started)), Some(at(finished)));
        record.outcome = Some(Outcome::Succeeded);
        let id = history.record("phabgate", 200, &record);
        (history, id)
    }

    #[test]
    fn a_start_in_the_future_and_an_end_before_the_start_are_found_and_believed_by_no_figure() {
        for (started, finished) in [(261, 270), (150, 140), (100, 261)] {
            let (history, id) = recorded(started, finished);
            let found = found(&history, "times-impossible");
            assert!(!found.is_empty() && found.iter().all(|it| it.transaction == Some(id)), "{started} {finished}");
            let audit = audit(&history);
            let deploy = &audit.deploys[0];
            assert!(deploy.started.is_none() || deploy.finished.is_none(), "{started} {finished}");
            assert_eq!(deploy.verdict.decision.word(), "allowed", "{started} {finished}");
        }
    }

    #[test]
    fn a_clock_that_is_a_little_ahead_is_none() {
        let (history, _) = recorded(250, 260);
        assert!(names(&history).is_empty(), "{:?}", names(&history));
    }

    #[test]
    fn the_first_record_of_a_run_comes_before_its_start() {
        let mut history = task_state(&["releng1", "sre1"]);
        let id = DeployId::fresh();
        let mut started = sample(&history, id, Event::Started, "deployer1");
        started.started = None;
        history.record("phabgate", 101, &started);
        let mut finished = sample(&history, id, Event::Finished, "deployer1");
        (finished.started, finished.finished) = (Some(at(300)), Some(at(400)));
        history.record("phabgate", 401, &finished);
        assert!(names(&history).is_empty(), "{:?}", names(&history));
        assert_eq!(audit(&history).deploys[0].started, Some(at(300)));
    }
}
