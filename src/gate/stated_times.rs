//! The times that a person states of a deploy that they record.
//!
//! Responsible for refusing what cannot be. Not responsible for how they are written, nor for what a record makes of them
//! ([`super::record`]).

use jiff::{SignedDuration, Timestamp};

use super::Refusal;
use crate::record::Clock;
use crate::time::{ServerClock, utc};

/// A time that a person stated, or now, which only the server's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedTime {
    /// This time.
    At(Timestamp),
    /// Now.
    Now,
}

impl StatedTime {
    fn when(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Now => now,
        }
    }
}

/// How precisely the server's clock is known, whose replies name whole seconds, and a call takes its time.
const PRECISION: SignedDuration = SignedDuration::from_secs(5);

/// Whose clock `clock` is.
pub fn clock_of(clock: ServerClock) -> Clock {
    if clock.is_measured() { Clock::Server } else { Clock::Host }
}

/// The times that were stated, which were not in the future and came in their order.
pub(super) fn times(
    started: Option<StatedTime>,
    finished: Option<StatedTime>,
    clock: ServerClock,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
    let now = clock.now();
    let when = |stated: Option<StatedTime>| stated.map(|stated| stated.when(now));
    let (started, finished) = (when(started), when(finished));
    for (flag, time) in [("--started", started), ("--finished", finished)] {
        if let Some(time) = time.filter(|time| time.duration_since(now) > PRECISION) {
            let whose = if clock.is_measured() {
                "the server's clock"
            } else {
                "this host's clock, which could not be compared with the server's"
            };
            return Err(Refusal::usage(
                format!("{flag} {} is in the future: by {whose} it is {}", utc(time), utc(now)),
                "give the time at which it happened, with the day where it was not today",
            ));
        }
    }
    match (started, finished) {
        (Some(started), Some(finished)) if finished < started => {
            Err(Refusal::usage("--finished is before --started", "give the times in their order"))
        }
        times => Ok(times),
    }
}
