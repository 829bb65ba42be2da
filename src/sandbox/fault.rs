//! The ways in which a call can go wrong, and which call does.
//!
//! Responsible for the names of the faults, the texts that ask for them and the dice. Not for what a fault does to a
//! call or a connection ([`super::server`], [`super::reply`], [`super::wire`]).

use std::fmt;
use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection is reset before the request's body is read.
    Refuse,
    /// The request is read, the connection is reset, nothing is carried out.
    Reset,
    /// The call is carried out, the reply is lost and the connection reset.
    LostReply,
    /// The call is carried out, half of the reply's body arrives, the connection closes.
    Truncate,
    /// The request is read and nothing is said for a long time.
    Stall,
    /// The real reply, byte by byte.
    Drip,
    /// HTTP 429 with `Retry-After: 1`, nothing is carried out.
    TooManyRequests,
    /// HTTP 502 in HTML, nothing is carried out.
    BadGateway,
    /// HTTP 503 in HTML, nothing is carried out.
    Unavailable,
    /// HTTP 504 in HTML, nothing is carried out.
    GatewayTimeout,
    /// The connection is reset at once, and the call is carried out later.
    LateCommit,
    /// The call is carried out, and the client gets HTTP 502 in HTML.
    Late502,
    /// HTTP 200 with an HTML page, nothing is carried out.
    Html,
    /// HTTP 302 to another host, nothing is carried out.
    Redirect,
    /// HTTP 200 and bytes that are not UTF-8, nothing is carried out.
    Garbage,
    /// HTTP 200 and 64 MiB of `[`, nothing is carried out.
    Huge,
    /// HTTP 403 in HTML, as a filter in front of the server answers; nothing is carried out.
    Forbidden,
    /// HTTP 413 in HTML, as a limit on the request's body answers; nothing is carried out.
    TooLarge,
    /// A Conduit error: the lock wait timed out (MySQL's 1205), and the edit was rolled back.
    LockWait,
    /// A Conduit error: a deadlock (MySQL's 1213), and the edit was rolled back.
    Deadlock,
    /// A Conduit error: a savepoint is gone (MySQL's 1305), as parallel edits cause it; the edit was rolled back.
    Savepoint,
    /// A Conduit error: the database does not answer, nothing is carried out.
    NoDatabase,
    /// A Conduit error: the server is in read-only mode. Reads are answered as ever.
    ReadOnly,
    /// A Conduit error: the edit demands multi-factor authentication. Reads are answered as ever.
    Mfa,
    /// The call is carried out, and the client gets a Conduit error: the database was lost after the commit.
    LateError,
}

impl FaultKind {
    /// What a connection, a proxy or a broken server does: the client cannot know from it whether the call was carried
    /// out.
    pub const UNCLEAR: [Self; 16] = [
        Self::Refuse,
        Self::Reset,
        Self::LostReply,
        Self::Truncate,
        Self::Stall,
        Self::Drip,
        Self::TooManyRequests,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::LateCommit,
        Self::Late502,
        Self::Html,
        Self::Redirect,
        Self::Garbage,
        Self::Huge,
    ];

    /// What refuses a call: nothing of it is carried out. All but the first two are errors of Conduit.
    pub const REFUSALS: [Self; 8] = [
        Self::Forbidden,
        Self::TooLarge,
        Self::LockWait,
        Self::Deadlock,
        Self::Savepoint,
        Self::NoDatabase,
        Self::ReadOnly,
        Self::Mfa,
    ];

    /// All kinds, in the order in which they are documented.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::UNCLEAR.into_iter().chain(Self::REFUSALS).chain([Self::LateError])
    }

    /// The text of the Conduit error that the server answers in place of its reply; `None` where the fault is none.
    pub(crate) fn conduit_error(self) -> Option<&'static str> {
        Some(match self {
            Self::LockWait => "#1205: Lock wait timeout exceeded; try restarting transaction",
            Self::Deadlock => "#1213: Deadlock found when trying to get lock; try restarting transaction",
            Self::Savepoint => "#1305: SAVEPOINT Aphront_Savepoint_1 does not exist",
            Self::NoDatabase => {
                "Unable to establish a connection to any database host (while trying \"phabricator_maniphest\"). All \
                 masters and replicas are completely unreachable."
            }
            Self::ReadOnly => {
                "Unable to establish a write-mode connection (to application database \"phabricator_maniphest\") \
                 because this server is in read-only mode. Whatever you are trying to do does not function correctly \
                 in read-only mode."
            }
            Self::Mfa => {
                "This transaction group requires MFA to apply, but you can not provide an MFA response via Conduit. \
                 Edit this object via the web UI."
            }
            Self::LateError => "#2006: MySQL server has gone away",
            _ => return None,
        })
    }

    /// Whether it strikes only calls that would change something.
    pub(crate) fn spares_reads(self) -> bool {
        matches!(self, Self::ReadOnly | Self::Mfa)
    }

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::LostReply => "lost-reply",
            Self::Truncate => "truncate",
            Self::Stall => "stall",
            Self::Drip => "drip",
            Self::TooManyRequests => "429",
            Self::BadGateway => "502",
            Self::Unavailable => "503",
            Self::GatewayTimeout => "504",
            Self::LateCommit => "late-commit",
            Self::Late502 => "late-502",
            Self::Html => "html",
            Self::Redirect => "redirect",
            Self::Garbage => "garbage",
            Self::Huge => "huge",
            Self::Forbidden => "403",
            Self::TooLarge => "413",
            Self::LockWait => "1205",
            Self::Deadlock => "1213",
            Self::Savepoint => "1305",
            Self::NoDatabase => "no-database",
            Self::ReadOnly => "read-only",
            Self::Mfa => "mfa",
            Self::LateError => "late-error",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// At every call.
    Always,
    /// At this call alone, counted from 1.
    Nth(u64),
    /// At each call with this probability.
    Sometimes(f64),
}

/// A fault that is to be injected.
///
/// ```
/// use phabgate::sandbox::{Fault, FaultKind, When};
/// let fault: Fault = "maniphest.edit:lost-reply@2".parse()?;
/// assert_eq!((fault.kind, fault.when), (FaultKind::LostReply, When::Nth(2)));
/// # Ok::<(), phabgate::sandbox::FaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The method that it strikes; `None` for every one.
    pub method: Option<String>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// When.
    pub when: When,
}

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The text has not the shape of a fault.
    #[error("{0:?} is not a fault: write METHOD:KIND, METHOD:KIND@NUMBER or METHOD:KIND:PROBABILITY, METHOD may be *")]
    Malformed(String),
    /// There is no such kind.
    #[error("there is no fault {kind:?}: the kinds are {}", kinds())]
    Kind {
        /// The word that was given.
        kind: String,
    },
    /// The probability is no number from 0 to 1.
    #[error("{0:?} is not a probability: give a number from 0 to 1")]
    Probability(String),
    /// The number of the call is none from 1.
    #[error("{0:?} is not the number of a call: the first is 1")]
    Number(String),
}

fn kinds() -> String {
    FaultKind::all().map(FaultKind::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let malformed = || FaultError::Malformed(text.to_owned());
        let (method, rest) = text.split_once(':').ok_or_else(malformed)?;
        if method.is_empty() || rest.is_empty() {
            return Err(malformed());
        }
        let (kind, when) = if let Some((kind, number)) = rest.split_once('@') {
            let nth = number.parse().ok().filter(|nth| *nth > 0);
            (kind, When::Nth(nth.ok_or_else(|| FaultError::Number(number.to_owned()))?))
        } else if let Some((kind, probability)) = rest.split_once(':') {
            let chance = probability.parse().ok().filter(|chance| (0.0..=1.0).contains(chance));
            (kind, When::Sometimes(chance.ok_or_else(|| FaultError::Probability(probability.to_owned()))?))
        } else {
            (rest, When::Always)
        };
        let found = FaultKind::all().find(|known| known.name() == kind);
        let kind = found.ok_or_else(|| FaultError::Kind { kind: kind.to_owned() })?;
        Ok(Self { method: Some(method.to_owned()).filter(|method| method != "*"), kind, when })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.method.as_deref().unwrap_or("*"), self.kind)?;
        match self.when {
            When::Always => Ok(()),
            When::Nth(nth) => write!(f, "@{nth}"),
            When::Sometimes(chance) => write!(f, ":{chance}"),
        }
    }
}

/// Decides which call goes wrong, the same way for the same seed and the same calls.
#[derive(Debug)]
pub(crate) struct Injector {
    faults: Vec<(Fault, u64)>,
    state: u64,
}

impl Injector {
    pub(crate) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        Self { faults: faults.into_iter().map(|fault| (fault, 0)).collect(), state: seed }
    }

    /// The fault of this call, if any: the first that strikes.
    pub(crate) fn pick(&mut self, method: &str) -> Option<FaultKind> {
        let mut picked = None;
        for index in 0..self.faults.len() {
            let Some((fault, calls)) = self.faults.get_mut(index) else { continue };
            if fault.method.as_deref().is_some_and(|own| own != method) {
                continue;
            }
            *calls += 1;
            let (kind, when, calls) = (fault.kind, fault.when, *calls);
            let strikes = picked.is_none()
                && match when {
                    When::Always => true,
                    When::Nth(nth) => calls == nth,
                    When::Sometimes(chance) => self.roll() < chance,
                };
            if strikes {
                picked = Some(kind);
            }
        }
        picked
    }

    /// A number from 0 to below 1: SplitMix64.
    fn roll(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = (mixed ^ (mixed >> 31)) >> 32;
        f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_in_every_form() {
        for kind in FaultKind::all() {
            for method in [None, Some("maniphest.edit".to_owned())] {
                for when in [When::Always, When::Nth(3), When::Sometimes(0.25)] {
                    let fault = Fault { method: method.clone(), kind, when };
                    assert_eq!(fault.to_string().parse(), Ok(fault));
                }
            }
        }
    }

    #[test]
    fn no_two_kinds_have_one_name() {
        let names: std::collections::BTreeSet<_> = FaultKind::all().map(FaultKind::name).collect();
        assert_eq!(names.len(), FaultKind::all().count());
    }

    #[test]
    fn what_is_no_fault_is_refused_and_says_why() {
        for text in ["", "stall", ":stall", "m:"] {
            assert_eq!(text.parse::<Fault>(), Err(FaultError::Malformed(text.to_owned())));
        }
        assert!("m:bang".parse::<Fault>().unwrap_err().to_string().contains("late-commit"));
        for number in ["0", "-1", "x", ""] {
            assert_eq!(format!("m:stall@{number}").parse::<Fault>(), Err(FaultError::Number(number.to_owned())));
        }
        for chance in ["1.5", "-0.1", "x", "NaN", ""] {
            assert_eq!(format!("m:stall:{chance}").parse::<Fault>(), Err(FaultError::Probability(chance.to_owned())));
        }
    }

    #[test]
    fn the_nth_call_of_a_method_is_struck_alone() {
        let mut injector = Injector::new(vec!["a:502@2".parse().unwrap(), "*:stall@4".parse().unwrap()], 1);
        let picked: Vec<_> = ["b", "a", "a", "a", "a"].into_iter().map(|method| injector.pick(method)).collect();
        assert_eq!(picked, [None, None, Some(FaultKind::BadGateway), Some(FaultKind::Stall), None]);
    }

    #[test]
    fn chance_follows_the_seed_and_the_probability() {
        let picks = |seed| {
            let mut injector = Injector::new(vec!["*:502:0.3".parse().unwrap()], seed);
            (0..1000).map(|_| injector.pick("m").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(picks(1), picks(1));
        assert_ne!(picks(1), picks(2));
        let struck = picks(1).into_iter().filter(|struck| *struck).count();
        assert!((200..400).contains(&struck), "{struck}");
    }
}
