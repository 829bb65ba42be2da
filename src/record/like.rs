//! Which records may speak of the same deploy: the same deployer, at overlapping times.
//!
//! Responsible for that comparison, so that a deploy that was recorded by hand is not recorded twice. Not responsible for
//! what follows: two deploys can be alike, and who records says whether they are one.

use jiff::Timestamp;

use super::{Event, Outcome, Record};

/// When the deploy of a record ran at the most, as far as it says: where no start is stated it may have been at any time
/// before, where no end is, up to when the record was `written`. What only started may run to this day.
fn span(record: &Record, written: Timestamp) -> (Timestamp, Timestamp) {
    let start = match (record.started, record.event) {
        (Some(started), _) => started,
        (None, Event::Started) => written,
        (None, _) => Timestamp::MIN,
    };
    let latest = if record.event == Event::Started { Timestamp::MAX } else { written };
    (start, record.finished.unwrap_or(latest))
}

/// Whether a record, were it written `now`, could speak of the deploy of another one that was written then. A deploy that
/// never started is like none; a deployer who is not known can be anybody.
pub fn is_like(record: &Record, now: Timestamp, other: &Record, written: Timestamp) -> bool {
    let (start, end) = span(record, now);
    let (other_start, other_end) = span(other, written);
    let same_deployer = match (&record.deployer, &other.deployer) {
        (Some(one), Some(other)) => match (&one.phid, &other.phid) {
            (Some(one), Some(other)) => one == other,
            _ => one.user.to_lowercase() == other.user.to_lowercase(),
        },
        _ => true,
    };
    let ran = other.outcome != Some(Outcome::NotStarted);
    ran && record.task == other.task && same_deployer && start <= other_end && other_start <= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Deployer;
    use crate::record::comment::tests::example;

    fn time(minute: u32) -> Timestamp {
        format!("2026-08-09T03:{minute:02}:00Z").parse().unwrap()
    }

    fn recorded(started: Option<u32>, finished: Option<u32>) -> Record {
        let (started, finished) = (started.map(time), finished.map(time));
        Record { event: Event::Recorded, started, finished, ..example() }
    }

    #[test]
    fn the_same_deploy_is_like_itself_however_little_is_said() {
        for (started, finished) in [(None, None), (Some(10), None), (None, Some(12)), (Some(10), Some(12))] {
            let record = recorded(started, finished);
            assert!(is_like(&record, time(30), &record, time(20)), "{started:?} {finished:?}");
        }
    }

    #[test]
    fn another_time_or_deployer_is_another_deploy() {
        let first = recorded(Some(10), Some(12));
        assert!(!is_like(&recorded(Some(13), None), time(30), &first, time(20)));
        assert!(is_like(&recorded(Some(12), None), time(30), &first, time(20)));
        assert!(!is_like(&recorded(None, Some(9)), time(30), &first, time(20)));
        let named = |user: &str| {
            let deployer = Deployer { user: user.to_owned(), ..example().deployer.unwrap() };
            Record { deployer: Some(deployer), ..recorded(None, None) }
        };
        assert!(is_like(&named("Deployer1"), time(30), &first, time(20)));
        assert!(!is_like(&named("deployer2"), time(30), &first, time(20)));
        assert!(is_like(&Record { deployer: None, ..recorded(None, None) }, time(30), &first, time(20)));
    }

    #[test]
    fn a_run_is_like_what_is_recorded_of_its_time_and_what_never_ran_is_not() {
        let started = Record { event: Event::Started, started: None, finished: None, outcome: None, ..example() };
        assert!(is_like(&recorded(Some(10), None), time(30), &started, time(20)));
        assert!(!is_like(&recorded(Some(10), Some(15)), time(30), &started, time(20)));
        assert!(is_like(&recorded(Some(25), Some(27)), time(30), &started, time(20)), "it has no end");
        let called_off = Record { outcome: Some(Outcome::NotStarted), ..recorded(None, None) };
        assert!(!is_like(&recorded(None, None), time(30), &called_off, time(20)));
    }
}
