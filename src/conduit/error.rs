//! What can go wrong with one call, distinguished by what it means for the caller.
//!
//! Responsible for the kinds of failure, which of them may be tried again, and which prove that the server did not act.
//! Not responsible for what to do about them.

use std::fmt;
use std::time::Duration;

use super::unreached::Unreached;
use crate::text::inert;
use crate::time::brief;

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
    NoConnection(Unreached),
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
    /// What was read together is more than can be held or judged.
    TooMuch {
        /// What was read, for people.
        what: &'static str,
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

/// What a failed call says of what it should have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteEffect {
    /// Surely nothing was written: it may be sent again.
    None,
    /// It may have been written, or may yet be.
    Unknown,
}

/// MySQL's errors of a lock wait, a deadlock and a savepoint that a deadlock took away: the transaction was rolled back.
const ROLLED_BACK: [u16; 3] = [1205, 1213, 1305];

impl ConduitError {
    /// Makes the error of a call.
    pub(crate) fn new(method: &str, kind: Failure) -> Self {
        Self { method: method.to_owned(), kind }
    }

    /// Whether a read may be tried again with hope.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            Failure::NoConnection(unreached) => unreached.is_transient(),
            Failure::TimedOut(_)
            | Failure::Broken(_)
            | Failure::RateLimited { .. }
            | Failure::Unavailable { .. }
            | Failure::NotConduit { status: 200, .. } => true,
            Failure::Refused { .. } => {
                let transient = [&ROLLED_BACK[..], &UNREACHED, &LOST];
                self.database_error().is_some_and(|number| transient.iter().any(|some| some.contains(&number)))
            }
            Failure::Redirected { .. }
            | Failure::NotConduit { .. }
            | Failure::TooLarge { .. }
            | Failure::TooMuch { .. }
            | Failure::Unexpected(_)
            | Failure::OutOfTime => false,
        }
    }

    /// The same, for calls that only read: also where Conduit passes on that it reaches no database, which it names as
    /// `"phabricator_…"` in every language. To a write it names one also where it is read-only, and means to stay so.
    pub(super) fn may_read_again(&self) -> bool {
        let names_database = |info: &str| info.to_lowercase().contains("\"phabricator_");
        let no_database =
            matches!(&self.kind, Failure::Refused { code, info } if code == UNSORTED && names_database(info));
        no_database || self.is_transient()
    }

    /// Whether the server reached no database: it refuses nothing by that, and nothing of the call is under way any more.
    pub fn lacks_database(&self) -> bool {
        self.database_error().is_some_and(|number| UNREACHED.contains(&number))
    }

    /// Whether the server lost its database in the middle of the call: what the database was doing it may have done.
    pub fn lost_database(&self) -> bool {
        self.database_error().is_some_and(|number| LOST.contains(&number))
    }

    /// What the failure says of a write. Only what proves that nothing was written counts as such: a call that was
    /// never connected, or one that Conduit or its rate limiter turned away before it looked at the method.
    pub fn write_effect(&self) -> WriteEffect {
        match &self.kind {
            Failure::NoConnection(_) | Failure::RateLimited { .. } | Failure::OutOfTime => WriteEffect::None,
            Failure::Refused { code, .. } if self.is_credentials() || code == "ERR-CONDUIT-CALL" => WriteEffect::None,
            _ => WriteEffect::Unknown,
        }
    }

    /// Whether the server's database rolled the call back for want of a lock, which another attempt may get.
    pub fn is_rolled_back(&self) -> bool {
        self.database_error().is_some_and(|number| ROLLED_BACK.contains(&number))
    }

    /// Whether the server refused the token.
    pub fn is_credentials(&self) -> bool {
        matches!(&self.kind, Failure::Refused { code, .. } if code == "ERR-INVALID-AUTH" || code == "ERR-INVALID-SESSION")
    }

    /// The number of the database's error that Conduit passes on in its text, such as 1205 in `#1205: …`: it is the same
    /// in every language.
    pub fn database_error(&self) -> Option<u16> {
        let Failure::Refused { code, info } = &self.kind else { return None };
        // Only its catch-all code passes on what was thrown below it.
        let (_, from) = info.split_once('#').filter(|_| code == UNSORTED)?;
        let (number, _) = from.split_once(':')?;
        number.parse().ok()
    }

    /// The error with the server's own words, where it has some that are not shown otherwise. They can name the policy
    /// of what was asked for: only for a task that is no secret.
    pub fn in_full(&self) -> String {
        match &self.kind {
            Failure::Refused { code, info } if code == UNSORTED && !info.trim().is_empty() => {
                let words = inert(info.trim_end().trim_end_matches('.'));
                format!("the server refuses the call: {words} ({}, {code})", self.method)
            }
            _ => self.to_string(),
        }
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
            _ if self.is_credentials() => {
                "make a new token under Settings, Conduit API Tokens, and put it where the old one was (`phabgate config show` \
                 says where that is); of an account that is disabled or not yet approved none works"
            }
            Failure::NoConnection(unreached) => unreached.hint(),
            Failure::TimedOut(_) | Failure::Broken(_) | Failure::Unavailable { .. } | Failure::OutOfTime => {
                "try again in a moment; if it stays so, the server is down"
            }
            Failure::RateLimited { .. } => "wait a minute and try again",
            Failure::Redirected { .. } => "set the URL to where the server really is; tokens do not follow redirects",
            Failure::NotConduit { .. } => {
                "check that the URL is the base of a Phabricator or Phorge, and that it is up"
            }
            Failure::TooMuch { .. } => {
                "open a new task for the emergency where this one is too long; no right reply is so large otherwise"
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

/// Conduit's code for whatever was thrown below it: a denial, a bad parameter, a database in trouble. Its texts can name
/// what this account must not see, and are in the language of the account.
const UNSORTED: &str = "ERR-CONDUIT-CORE";

/// Errors of MySQL and of its client where no connection was made: too many of them, nobody who answers.
const UNREACHED: [u16; 3] = [1040, 2002, 2003];

/// Errors of MySQL and of its client where a connection went away: a server that shuts down, a lost connection.
const LOST: [u16; 3] = [1053, 2006, 2013];

impl fmt::Display for ConduitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = |text: &str| inert(text.trim_end().trim_end_matches('.'));
        match &self.kind {
            Failure::NoConnection(unreached) => f.write_str(&ended(&unreached.to_string()))?,
            Failure::TimedOut(after) => write!(f, "the server did not answer within {}", brief(*after))?,
            Failure::Broken(why) => write!(f, "the connection to the server broke: {}", ended(why))?,
            Failure::RateLimited { .. } => f.write_str("the server asks to be called less often (HTTP 429)")?,
            Failure::Unavailable { status, what, .. } => {
                write!(f, "the server answered HTTP {status}, {}", inert(what))?;
            }
            Failure::Redirected { to } => write!(f, "the server redirects to {}", inert(to))?,
            Failure::NotConduit { status: 200, what } => write!(f, "the server answered {}", inert(what))?,
            Failure::NotConduit { status, what } => write!(f, "the server answered HTTP {status}, {}", inert(what))?,
            Failure::TooLarge { limit } => write!(f, "the server's reply is larger than {} MiB", limit >> 20)?,
            Failure::TooMuch { what, limit } => {
                write!(f, "{what} is larger than {} MiB: too much to judge", limit >> 20)?;
            }
            Failure::Refused { info, .. } if self.is_credentials() => {
                write!(f, "the server refuses the token: {}", ended(info))?;
            }
            Failure::Refused { code, .. } if code == UNSORTED => f.write_str("the server refuses the call")?,
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
    use super::super::unreached::Obstacle;
    use super::*;

    fn refused(code: &str, info: &str) -> ConduitError {
        ConduitError::new("maniphest.edit", Failure::Refused { code: code.into(), info: info.into() })
    }

    #[test]
    fn only_proof_that_the_server_did_not_act_allows_a_second_write() {
        let never = [
            ConduitError::new("m", Failure::NoConnection(Unreached { obstacle: Obstacle::TimedOut, proxy: None })),
            ConduitError::new("m", Failure::RateLimited { retry_after: None }),
            refused("ERR-INVALID-AUTH", ""),
            refused("ERR-INVALID-SESSION", ""),
            refused("ERR-CONDUIT-CALL", ""),
        ];
        assert!(never.iter().all(|error| error.write_effect() == WriteEffect::None));
        let unclear = [
            ConduitError::new("m", Failure::TimedOut(Duration::from_secs(1))),
            ConduitError::new("m", Failure::Broken("reset".into())),
            ConduitError::new("m", Failure::Unavailable { status: 503, retry_after: None, what: "a page".into() }),
            ConduitError::new("m", Failure::NotConduit { status: 200, what: "a page".into() }),
            refused("ERR-CONDUIT-CORE", "lost connection to the database"),
        ];
        assert!(unclear.iter().all(|error| error.write_effect() == WriteEffect::Unknown));
    }

    #[test]
    fn what_the_database_rolled_back_is_recognised_by_its_number_alone() {
        for info in ["#1213: Deadlock found when trying to get lock", "#1205: zu lange gewartet", "#1305: SAVEPOINT"] {
            assert!(refused("ERR-CONDUIT-CORE", info).is_rolled_back(), "{info}");
        }
        for info in ["#12130: no", "1213", "#2006: gone away", "Deadlock found", "#", "# 1213", "#é1213:"] {
            assert!(!refused("ERR-CONDUIT-CORE", info).is_rolled_back(), "{info}");
        }
    }

    #[test]
    fn a_reply_of_the_wrong_shape_is_described_without_its_texts() {
        let error = serde_json::from_str::<u64>(r#""the \"Embargoed\" thing""#).unwrap_err();
        assert_eq!(misshapen(&error), "invalid type: string …, expected u64 at line 1 column 25");
        let error = serde_json::from_str::<crate::ids::TaskId>(r#""Embargoed""#).unwrap_err();
        assert!(!misshapen(&error).contains("Embargoed"), "{error}");
    }

    #[test]
    fn the_words_of_a_denial_are_not_shown_in_any_language() {
        for words in [
            "[You Shall Not Pass: Embargoed thing] (Can View) only admin",
            "[YOU SHALL NOT PASS: Embargoed thing]",
            "[Access Denied: Embargoed thing] Members of Secret can",
            "Embargoed thing: Zugriff verweigert",
        ] {
            let error = refused("ERR-CONDUIT-CORE", words);
            assert_eq!(error.to_string(), "the server refuses the call (maniphest.edit, ERR-CONDUIT-CORE)");
            assert!(!error.hint().contains("Embargoed"));
        }
    }

    #[test]
    fn the_servers_words_are_there_for_who_may_see_the_task() {
        let error = refused("ERR-CONDUIT-CORE", "You must provide multi-factor credentials.");
        assert_eq!(
            error.in_full(),
            "the server refuses the call: You must provide multi-factor credentials (maniphest.edit, ERR-CONDUIT-CORE)"
        );
        let token = refused("ERR-INVALID-AUTH", "no");
        assert_eq!(token.in_full(), token.to_string());
    }

    #[test]
    fn a_database_in_trouble_is_known_by_its_number_alone() {
        for info in ["#1205: Lock wait timeout exceeded", "#1213: VERKLEMMT", "Error #2002: CONNECTION REFUSED"] {
            assert!(refused("ERR-CONDUIT-CORE", info).is_transient(), "{info}");
        }
        for info in ["#1146: no such table", "lock wait timeout exceeded", "see T#1205", "#: x", ""] {
            assert!(!refused("ERR-CONDUIT-CORE", info).is_transient(), "{info}");
        }
        assert!(!refused("ERR-INVALID-AUTH", "#1205: x").is_transient());
        let none = refused("ERR-CONDUIT-CORE", "UNABLE TO CONNECT (WHILE TRYING \"PHABRICATOR_MANIPHEST\").");
        assert!(none.may_read_again() && !none.is_transient(), "a write says by itself what it is worth");
        assert!(!refused("ERR-CONDUIT-CORE", "You can not edit phabricator_x").may_read_again());
    }

    #[test]
    fn a_database_that_is_away_refuses_nothing() {
        for info in ["#2002: Connection refused", "#1040: Too many connections"] {
            assert!(refused("ERR-CONDUIT-CORE", info).lacks_database(), "{info}");
        }
        for info in
            ["#1213: Deadlock", "#1406: Data too long", "Connection refused", "x \"phabricator_maniphest\" y", ""]
        {
            let error = refused("ERR-CONDUIT-CORE", info);
            assert!(!error.lacks_database() && !error.lost_database(), "{info}");
        }
        let lost = refused("ERR-CONDUIT-CORE", "#2006: MySQL server has gone away");
        assert!(lost.lost_database() && !lost.lacks_database());
        assert!(!refused("ERR-INVALID-AUTH", "#2006: gone").lost_database());
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
