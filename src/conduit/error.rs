//! What can go wrong with one call, told apart by what it means for the caller.
//!
//! In the room: the kinds of failure, which of them may be tried again, and which prove that the server did not act.
//! Not in the room: what to do about them.

use std::fmt;
use std::time::Duration;

use crate::text::inert;

/// A call that gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConduitError {
    /// The Conduit method that was called.
    pub method: String,
    /// What happened.
    pub kind: Failure,
}

/// What happened to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: the server never saw the call.
    NoConnection(String),
    /// Nothing came back in the time that one call is given.
    TimedOut(Duration),
    /// The connection broke before the whole reply was there.
    Broken(String),
    /// HTTP 429.
    RateLimited {
        /// What the server asked for, where it did.
        retry_after: Option<Duration>,
    },
    /// HTTP 5xx: the server or something before it is in trouble.
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What the server asked for, where it did.
        retry_after: Option<Duration>,
        /// What came instead of Conduit's JSON.
        what: String,
    },
    /// A redirect, which a token must not follow.
    Redirected {
        /// Where to, without path or query.
        to: String,
    },
    /// The reply is not Conduit's JSON.
    NotConduit {
        /// The HTTP status.
        status: u16,
        /// What it is instead.
        what: String,
    },
    /// The reply is larger than any that could be right.
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// Conduit answered with an error.
    Refused {
        /// `ERR-…`.
        code: String,
        /// The server's words, without tokens.
        info: String,
    },
    /// The reply is Conduit's JSON, but not of the shape that this method has, or not of what was asked for.
    Unexpected(String),
    /// The time for the whole command ran out before the call could be made.
    OutOfTime,
}

/// What is known about a write after it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The server surely did not act on it: it may be sent again.
    DidNotAct,
    /// It may have been carried out, or may yet be.
    Unclear,
}

impl ConduitError {
    /// Makes the error of a call.
    pub(crate) fn new(method: &str, kind: Failure) -> Self {
        Self { method: method.to_owned(), kind }
    }

    /// Whether a read may be tried again with hope.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            Failure::NoConnection(_)
            | Failure::TimedOut(_)
            | Failure::Broken(_)
            | Failure::RateLimited { .. }
            | Failure::Unavailable { .. }
            | Failure::NotConduit { status: 200, .. } => true,
            Failure::Redirected { .. }
            | Failure::NotConduit { .. }
            | Failure::TooLarge { .. }
            | Failure::Refused { .. }
            | Failure::Unexpected(_)
            | Failure::OutOfTime => false,
        }
    }

    /// What the failure says of a write. Only what proves that the server did not act counts as such: a call that
    /// was never connected, or one that Conduit or its rate limiter turned away before it looked at the method.
    pub fn reach(&self) -> Reach {
        match &self.kind {
            Failure::NoConnection(_) | Failure::RateLimited { .. } | Failure::OutOfTime => Reach::DidNotAct,
            Failure::Refused { code, .. } if self.is_credentials() || code == "ERR-CONDUIT-CALL" => Reach::DidNotAct,
            _ => Reach::Unclear,
        }
    }

    /// Whether the server refused the token.
    pub fn is_credentials(&self) -> bool {
        matches!(&self.kind, Failure::Refused { code, .. } if code == "ERR-INVALID-AUTH" || code == "ERR-INVALID-SESSION")
    }

    /// How long the server asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            Failure::RateLimited { retry_after } | Failure::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What to do next, in one line for people.
    pub fn hint(&self) -> &'static str {
        match &self.kind {
            Failure::Refused { info, .. } if self.is_credentials() && info.contains(DISABLED) => {
                "the account is disabled, or not yet approved: an administrator of the tracker can change that"
            }
            _ if self.is_credentials() => {
                "make a new token under Settings, Conduit API Tokens, and put it where the old one was; `phabgate config show` \
                 says where that is"
            }
            Failure::NoConnection(_) => "check the URL and the network; `phabgate config show` prints the URL in use",
            Failure::TimedOut(_) | Failure::Broken(_) | Failure::Unavailable { .. } | Failure::OutOfTime => {
                "try again in a moment; if it stays so, the tracker is down"
            }
            Failure::RateLimited { .. } => "wait a minute and try again",
            Failure::Redirected { .. } => "set the URL to where the server really is; tokens do not follow redirects",
            Failure::NotConduit { .. } => {
                "check that the URL is the base of a Phabricator or Phorge, and that it is up"
            }
            Failure::TooLarge { .. } | Failure::Unexpected(_) => {
                "check that the URL is that of a Phabricator or Phorge; if it is, this is a fault to report"
            }
            Failure::Refused { .. } => "check that the token's account may do this",
        }
    }
}

/// What is wrong with the shape of a reply, without the texts that it holds: they can be those of a restricted task.
pub(super) fn misshapen(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match (said.find('"'), said.rfind('"')) {
        (Some(from), Some(to)) if from < to => format!("{}…{}", &said[..from], &said[to + 1..]),
        _ => said,
    }
}

/// The words that a server uses where it denies access; they tell the policy of what is hidden, so they are not shown.
const DENIAL: &str = "You Shall Not Pass";
/// The words that a server uses where the token is right and its account may not act; the code is that of a wrong token.
const DISABLED: &str = "not permitted to use the API";

impl fmt::Display for ConduitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = |text: &str| inert(text.trim_end().trim_end_matches('.'));
        match &self.kind {
            Failure::NoConnection(why) => write!(f, "no connection to the server: {}", ended(why))?,
            Failure::TimedOut(after) => write!(f, "the server did not answer within {} s", after.as_secs_f32())?,
            Failure::Broken(why) => write!(f, "the connection to the server broke: {}", ended(why))?,
            Failure::RateLimited { .. } => f.write_str("the server asks to be called less often (HTTP 429)")?,
            Failure::Unavailable { status, what, .. } => {
                write!(f, "the server answered HTTP {status}, {}", inert(what))?;
            }
            Failure::Redirected { to } => write!(f, "the server redirects to {}", inert(to))?,
            Failure::NotConduit { status: 200, what } => write!(f, "the server answered {}", inert(what))?,
            Failure::NotConduit { status, what } => write!(f, "the server answered HTTP {status}, {}", inert(what))?,
            Failure::TooLarge { limit } => write!(f, "the server's reply is larger than {} MiB", limit >> 20)?,
            Failure::Refused { info, .. } if info.contains(DENIAL) => {
                f.write_str("the server does not let this account do that")?
            }
            Failure::Refused { info, .. } if self.is_credentials() => {
                write!(f, "the server refuses the token: {}", ended(info))?;
            }
            Failure::Refused { info, .. } => write!(f, "the server refuses the call: {}", ended(info))?,
            Failure::Unexpected(why) => write!(f, "the server's reply is not what was asked for: {}", ended(why))?,
            Failure::OutOfTime => f.write_str("the time for this command ran out")?,
        }
        // For whoever looks into it: what was called, and the server's own word for the error.
        match &self.kind {
            Failure::Refused { code, .. } => write!(f, " ({}, {})", self.method, inert(code)),
            _ => write!(f, " ({})", self.method),
        }
    }
}

impl std::error::Error for ConduitError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str, info: &str) -> ConduitError {
        ConduitError::new("maniphest.edit", Failure::Refused { code: code.into(), info: info.into() })
    }

    #[test]
    fn only_proof_that_the_server_did_not_act_allows_a_second_write() {
        let never = [
            ConduitError::new("m", Failure::NoConnection("refused".into())),
            ConduitError::new("m", Failure::RateLimited { retry_after: None }),
            refused("ERR-INVALID-AUTH", ""),
            refused("ERR-INVALID-SESSION", ""),
            refused("ERR-CONDUIT-CALL", ""),
        ];
        assert!(never.iter().all(|error| error.reach() == Reach::DidNotAct));
        let unclear = [
            ConduitError::new("m", Failure::TimedOut(Duration::from_secs(1))),
            ConduitError::new("m", Failure::Broken("reset".into())),
            ConduitError::new("m", Failure::Unavailable { status: 503, retry_after: None, what: "a page".into() }),
            ConduitError::new("m", Failure::NotConduit { status: 200, what: "a page".into() }),
            refused("ERR-CONDUIT-CORE", "lost connection to the database"),
        ];
        assert!(unclear.iter().all(|error| error.reach() == Reach::Unclear));
    }

    #[test]
    fn a_reply_of_the_wrong_shape_is_described_without_its_texts() {
        let error = serde_json::from_str::<u64>(r#""the \"Embargoed\" thing""#).unwrap_err();
        assert_eq!(misshapen(&error), "invalid type: string …, expected u64 at line 1 column 25");
        let error = serde_json::from_str::<crate::ids::TaskId>(r#""Embargoed""#).unwrap_err();
        assert!(!misshapen(&error).contains("Embargoed"), "{error}");
    }

    #[test]
    fn the_words_of_a_denial_are_not_shown() {
        let text =
            refused("ERR-CONDUIT-CORE", "[You Shall Not Pass: Embargoed thing] (Can View) only admin").to_string();
        assert_eq!(text, "the server does not let this account do that (maniphest.edit, ERR-CONDUIT-CORE)");
    }

    #[test]
    fn an_error_is_one_sentence_and_names_the_call_at_its_end() {
        let text = refused("ERR-INVALID-AUTH", "API token \"***\" is not valid.").to_string();
        assert_eq!(
            text,
            "the server refuses the token: API token \"***\" is not valid (maniphest.edit, ERR-INVALID-AUTH)"
        );
    }
}
