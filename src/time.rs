//! Times: how they are shown to people, how people write them, and by whose clock the gate measures them.
//!
//! Responsible for these three. Programs get RFC 3339. Not responsible for what a time means for a deploy.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

/// A time in UTC, to the second: `2026-11-23 03:14:07 UTC`.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time in UTC, to the minute: `2026-11-23 03:14 UTC`.
pub fn utc_minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A duration in its two largest units: `3 h 20 min`; what is shorter than a second is `less than 1 s`.
pub fn rough(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    match (minutes / 60, minutes % 60) {
        (0, 0) if duration.as_secs() == 0 => "less than 1 s".to_owned(),
        (0, 0) => format!("{} s", duration.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) if hours < 48 => format!("{hours} h {minutes} min"),
        (hours, _) => format!("{} days", hours / 24),
    }
}

/// How long something took or may take, as briefly as people read it: `46 ms`, and from a second on whole seconds, `10 s`.
pub fn brief(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis < 1000 => format!("{millis} ms"),
        millis => format!("{} s", (millis + 500) / 1000),
    }
}

/// The server's clock as this host knows it: its own, corrected by how far it was ahead when the server last replied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerClock {
    ahead: Option<SignedDuration>,
}

impl ServerClock {
    /// The clock, where the host was so far ahead of the server; `None` where no reply showed it.
    pub fn new(ahead: Option<SignedDuration>) -> Self {
        Self { ahead }
    }

    /// Whether a reply of the server showed what the host's clock is off by.
    pub fn is_measured(self) -> bool {
        self.ahead.is_some()
    }

    /// What the clock shows when the host's shows `local`.
    pub fn at(self, local: Timestamp) -> Timestamp {
        local.checked_sub(self.ahead.unwrap_or_default()).unwrap_or(local)
    }

    /// What the clock shows.
    pub fn now(self) -> Timestamp {
        self.at(Timestamp::now())
    }
}

/// A text that names no time, or more than one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// It is not written as a time.
    #[error("write a time such as 2026-11-23T03:14Z, '2026-11-23 03:14' or 03:14")]
    Malformed,
    /// The clocks of the zone were put back, and showed it twice.
    #[error("the clocks of {zone} showed {time} twice: write {first}Z or {second}Z")]
    Twice {
        /// The time as it was written.
        time: DateTime,
        /// The zone.
        zone: String,
        /// The earlier instant, in UTC.
        first: DateTime,
        /// The later instant, in UTC.
        second: DateTime,
    },
    /// The clocks of the zone were put forward, and never showed it.
    #[error(
        "the clocks of {zone} never showed {time}: by the time before they were changed it is {before}Z, by the one after {after}Z"
    )]
    Never {
        /// The time as it was written.
        time: DateTime,
        /// The zone.
        zone: String,
        /// The instant by the offset before the change, in UTC.
        before: DateTime,
        /// The instant by the offset after the change, in UTC.
        after: DateTime,
    },
}

/// A time as a person writes it: RFC 3339 with an offset; a date and a time in the zone of `now`, or followed by `UTC` as
/// the gate prints it; a time alone, of today in that zone.
///
/// # Errors
/// Where it is none of these, or the clocks of the zone showed it never or twice.
///
/// ```
/// use phabgate::time::stated;
/// let now = "2026-11-27T05:00[UTC]".parse().unwrap();
/// let time = "2026-11-27T03:14Z".parse().unwrap();
/// for text in ["2026-11-27T03:14Z", "2026-11-27 04:14+01:00", "2026-11-27 03:14:00 UTC", "2026-11-27 03:14", "03:14"] {
///     assert_eq!(stated(text, &now), Ok(time));
/// }
/// ```
pub fn stated(text: &str, now: &Zoned) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let (text, zone) = match text.strip_suffix("UTC").or_else(|| text.strip_suffix(['Z', 'z'])) {
        Some(text) => (text.trim_end(), TimeZone::UTC),
        None => (text, now.time_zone().clone()),
    };
    // A date alone would be midnight, which nobody means.
    let time = match text.parse::<Time>() {
        Ok(time) if text.contains(':') && text.parse::<Date>().is_err() => {
            now.with_time_zone(zone.clone()).date().to_datetime(time)
        }
        _ => text.parse::<DateTime>().ok().filter(|_| text.contains(':')).ok_or(TimeError::Malformed)?,
    };
    instant(time, &zone)
}

/// The one instant at which the clocks of a zone show a time.
///
/// # Errors
/// Where they never show it, or show it twice.
pub fn instant(time: DateTime, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let at = |offset: jiff::tz::Offset| offset.to_timestamp(time).map_err(|_| TimeError::Malformed);
    let utc = |offset| Ok(TimeZone::UTC.to_datetime(at(offset)?));
    let name = || zone.iana_name().map_or_else(|| "this host's zone".to_owned(), str::to_owned);
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => at(offset),
        AmbiguousOffset::Fold { before, after } => {
            Err(TimeError::Twice { time, zone: name(), first: utc(before)?, second: utc(after)? })
        }
        AmbiguousOffset::Gap { before, after } => {
            Err(TimeError::Never { time, zone: name(), before: utc(before)?, after: utc(after)? })
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_brief_is_said_in_milliseconds_and_then_in_whole_seconds() {
        for (millis, said) in
            [(0, "0 ms"), (46, "46 ms"), (999, "999 ms"), (1000, "1 s"), (1499, "1 s"), (10_500, "11 s")]
        {
            assert_eq!(super::brief(std::time::Duration::from_millis(millis)), said);
        }
    }

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        // The zone of Berlin, in its own words: not every machine knows it by name.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = "2026-11-27T04:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        stated(text, &now).map(|time| time.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_read_as_people_and_the_gate_write_them() {
        for (text, time) in [
            ("2026-11-27T03:14:07.5Z", "2026-11-27T03:14:07.5Z"),
            ("2026-11-27T03:14+05:30", "2026-11-26T21:44:00Z"),
            (" 2026-11-27 03:14 ", "2026-11-27T02:14:00Z"),
            ("2026-11-27T03:14", "2026-11-27T02:14:00Z"),
            ("2026-07-01 03:14:15", "2026-07-01T01:14:15Z"),
            ("03:14", "2026-11-27T02:14:00Z"),
            ("03:14:09", "2026-11-27T02:14:09Z"),
            ("03:14 UTC", "2026-11-27T03:14:00Z"),
            ("03:14Z", "2026-11-27T03:14:00Z"),
            ("2026-11-27T03:14Z", "2026-11-27T03:14:00Z"),
        ] {
            assert_eq!(read(text), Ok(time.to_owned()), "{text}");
        }
        let time: Timestamp = "2026-11-27T03:14:00Z".parse().unwrap();
        assert_eq!(read(&utc(time)), Ok(time.to_string()));
        assert_eq!(read(&utc_minute(time)), Ok(time.to_string()));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "yesterday", "3", "2026-11-27", "2026-11-27 UTC", "25:00", "03:14 CET", "2026-02-30 03:14", "now"]
        {
            assert_eq!(read(text), Err(TimeError::Malformed.to_string()), "{text}");
        }
    }

    #[test]
    fn times_that_a_zone_never_or_twice_had_are_refused_with_both_readings() {
        assert_eq!(
            read("2026-10-25 02:30").unwrap_err(),
            "the clocks of this host's zone showed 2026-10-25T02:30:00 twice: write 2026-10-25T00:30:00Z or \
             2026-10-25T01:30:00Z"
        );
        assert_eq!(
            read("2026-03-29 02:30").unwrap_err(),
            "the clocks of this host's zone never showed 2026-03-29T02:30:00: by the time before they were changed it is \
             2026-03-29T01:30:00Z, by the one after 2026-03-29T00:30:00Z"
        );
        assert_eq!(read("2026-10-25 02:30+01:00"), Ok("2026-10-25T01:30:00Z".to_owned()));
    }

    #[test]
    fn the_servers_clock_is_the_hosts_without_its_skew() {
        let local: Timestamp = "2026-11-27T03:14:00Z".parse().unwrap();
        let ahead = ServerClock::new(Some(SignedDuration::from_mins(7)));
        assert_eq!(ahead.at(local), "2026-11-27T03:07:00Z".parse().unwrap());
        assert_eq!(ServerClock::default().at(local), local);
        assert!(ahead.is_measured() && !ServerClock::default().is_measured());
    }
}
