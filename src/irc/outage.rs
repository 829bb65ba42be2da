//! What is tried again and again while it is down: how long it is waited before each try, and what of it is logged.
//!
//! Responsible for waits that grow to a limit, each at random within its half, and for a report when it begins, one at once of each other cause,
//! one every ten minutes while it lasts, and one when it is over. Not responsible for trying, nor for the words.

use std::fmt;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// How often it is reported that it lasts.
const REPORTED_EVERY: Duration = Duration::from_secs(600);
/// How many causes are reported within that time: what is worded otherwise each time fills no log.
const MOST_CAUSES: usize = 8;

/// Whether something is down, and since when. Times are passed in.
#[derive(Debug)]
pub struct Outage {
    first: Duration,
    most: Duration,
    waits: ExponentialBackoff,
    down: Option<Down>,
}

#[derive(Debug, Clone)]
struct Down {
    since: Instant,
    reported: Instant,
    tries: u32,
    /// Why, as far as that was reported lately.
    causes: Vec<String>,
}

/// What follows from a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// How long it is waited before the next.
    pub wait: Duration,
    /// What is to be logged of it; `None`: nothing.
    pub report: Option<Report>,
}

/// What is to be logged. Shown, it is a clause that follows the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It was up before.
    Begins,
    /// It is for another reason than those that were reported.
    Changes,
    /// It is down for so long already, after so many tries.
    Lasts {
        /// How long.
        since: Duration,
        /// How many tries failed.
        tries: u32,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins => f.write_str("it is tried again, later each time"),
            Self::Changes => f.write_str("that is another reason than before; it is tried again"),
            Self::Lasts { since, tries } => {
                write!(f, "{tries} tries in {} min failed; it is tried again", since.as_secs() / 60)
            }
        }
    }
}

impl Outage {
    /// Of something that is up. The wait after the first failure is `first` to twice as long, later it grows to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, waits: waits(first, most), down: None }
    }

    /// A try failed, for this cause. One that was not reported in this outage, or not for ten minutes, is reported at once.
    pub fn failed(&mut self, now: Instant, cause: &str) -> Failed {
        let wait = self.waits.next().unwrap_or(self.most).min(self.most);
        let Some(down) = &mut self.down else {
            self.down = Some(Down { since: now, reported: now, tries: 1, causes: vec![cause.to_owned()] });
            return Failed { wait, report: Some(Report::Begins) };
        };
        down.tries = down.tries.saturating_add(1);
        if now.saturating_duration_since(down.reported) < REPORTED_EVERY {
            let is_new = down.causes.len() < MOST_CAUSES && !down.causes.iter().any(|known| known == cause);
            if is_new {
                down.causes.push(cause.to_owned());
            }
            return Failed { wait, report: is_new.then_some(Report::Changes) };
        }
        down.reported = now;
        down.causes = vec![cause.to_owned()];
        let since = now.saturating_duration_since(down.since);
        Failed { wait, report: Some(Report::Lasts { since, tries: down.tries }) }
    }

    /// It works; returns for how long it did not, where it was down.
    pub fn over(&mut self, now: Instant) -> Option<Duration> {
        self.down.take().map(|down| now.saturating_duration_since(down.since))
    }

    /// It has worked for long enough: the next failure is waited after as the first one. Without this what only seems to work is tried
    /// ever later.
    pub fn rested(&mut self) {
        self.waits = waits(self.first, self.most);
    }
}

/// A wait is between its least and twice that.
fn waits(first: Duration, most: Duration) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(first.min(most / 2))
        .with_max_delay(most / 2)
        .without_max_times()
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const CAUSE: &str = "it is refused";
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn waits_grow_to_the_limit_at_random_and_begin_anew_after_a_rest() {
        let mut outage = Outage::new(SECOND, MINUTE);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..12).map(|_| outage.failed(now, CAUSE).wait).collect();
        for (at, wait) in waits.iter().enumerate() {
            let least = SECOND.saturating_mul(1 << at.min(10)).min(MINUTE / 2);
            assert!((least..=least * 2).contains(wait), "the wait {at} is {wait:?}");
        }
        // Seven at the limit are not all alike.
        assert!(waits[5..].windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
        outage.over(now);
        assert!(outage.failed(now, CAUSE).wait >= MINUTE / 2, "it was over for a moment alone");
        outage.rested();
        assert!(outage.failed(now, CAUSE).wait <= 2 * SECOND);
    }

    #[test]
    fn an_hour_of_failures_is_reported_a_few_times() {
        let mut outage = Outage::new(SECOND, MINUTE);
        let begun = Instant::now();
        assert_eq!(outage.over(begun), None, "it was never down");
        let (mut now, mut reports) = (begun, Vec::new());
        while now < begun + 60 * MINUTE {
            let failed = outage.failed(now, CAUSE);
            reports.extend(failed.report);
            now += failed.wait;
        }
        assert_eq!(reports[0], Report::Begins);
        assert!((5..=6).contains(&reports.len()), "{reports:?}");
        assert!(matches!(reports[1], Report::Lasts { tries: 10.., .. }), "{reports:?}");
        assert_eq!(outage.over(now), Some(now - begun));
        assert_eq!((outage.over(now), outage.failed(now, CAUSE).report), (None, Some(Report::Begins)));
    }

    #[test]
    fn another_cause_is_reported_once_and_at_once() {
        let (mut outage, now) = (Outage::new(SECOND, MINUTE), Instant::now());
        let mut failed = |after: Duration, cause: &str| outage.failed(now + after, cause).report;
        assert_eq!(failed(Duration::ZERO, CAUSE), Some(Report::Begins));
        assert_eq!(failed(SECOND, "the certificate is for another name"), Some(Report::Changes));
        assert_eq!(failed(SECOND * 2, "the certificate is for another name"), None);
        assert_eq!(failed(SECOND * 3, CAUSE), None, "it was reported");
        assert!(matches!(failed(MINUTE * 11, CAUSE), Some(Report::Lasts { tries: 5, .. })));
        assert_eq!(failed(MINUTE * 12, "the certificate is for another name"), Some(Report::Changes));
        let many = (0..100).filter_map(|number| failed(MINUTE * 13, &format!("cause {number}")));
        assert_eq!(many.count(), MOST_CAUSES - 2);
    }
}
