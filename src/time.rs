//! How times and durations are shown to people. Programs get RFC 3339.

use jiff::{SignedDuration, Timestamp};

/// A time in UTC, to the second: `2026-11-23 03:14:07 UTC`.
pub fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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
