//! The head of a response: its status, and the headers that the client looks at.
//!
//! Responsible for reading `Date`, `Retry-After`, `Location` and `Content-Type`; one that cannot be read is none. Not
//! responsible for what follows ([`super::transport`], [`super::retry`]).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use url::Url;

/// What matters of a response's status line and headers.
pub(super) struct ResponseHead {
    /// The status.
    pub(super) status: u16,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The origin of where it sends to.
    pub(super) location: Option<String>,
    /// What the body is said to be.
    pub(super) content_type: Option<String>,
}

impl ResponseHead {
    pub(super) fn of(status: u16, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE).and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
        Self {
            status,
            date,
            retry_after: text(RETRY_AFTER).and_then(|value| retry_after(value.trim(), date)),
            location: text(LOCATION).map(|to| {
                Url::parse(to).map_or_else(|_| "another page".into(), |url| url.origin().ascii_serialization())
            }),
            content_type: text(CONTENT_TYPE).map(str::to_owned),
        }
    }
}

/// Reads `Retry-After` in both its forms: seconds, or a time, which is held against the server's own clock
/// (RFC 9110, 10.2.3).
fn retry_after(value: &str, date: Option<Timestamp>) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let wait = until.duration_since(date.unwrap_or_else(Timestamp::now));
    // A time that has passed asks for no pause at all.
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_its_forms() {
        let date = jiff::fmt::rfc2822::parse("Fri, 27 Nov 2026 03:14:00 GMT").unwrap().timestamp();
        let asked = |value| retry_after(value, Some(date));
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Fri, 27 Nov 2026 03:14:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(asked("Fri, 27 Nov 2026 03:13:00 GMT"), Some(Duration::ZERO));
        assert_eq!((asked("soon"), asked("-1"), asked("")), (None, None, None));
    }
}
