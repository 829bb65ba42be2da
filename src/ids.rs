//! The identities that Phabricator hands out, each a type of its own so that one can never stand for another.
//!
//! Responsible for [`TaskId`], [`Phid`], [`TransactionId`] and our own [`DeployId`]. Not responsible for what they
//! name.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// The number of a Maniphest task; shown as its monogram.
///
/// ```
/// use phabgate::ids::TaskId;
/// let task: TaskId = "#T1234".parse()?;
/// assert_eq!(task.to_string(), "T1234");
/// # Ok::<(), phabgate::ids::TaskIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

/// A text that is not the monogram of a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a task such as T1234")]
pub struct TaskIdError(String);

impl TaskId {
    /// The task of this number, as `maniphest.search` returns it; `None` for zero.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number alone, as Conduit's `constraints.ids` takes it.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// The page of the task below `base`.
    pub fn url(self, base: &Url) -> String {
        format!("{}/{self}", base.as_str().trim_end_matches('/'))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", self.0)
    }
}

impl FromStr for TaskId {
    type Err = TaskIdError;

    fn from_str(text: &str) -> Result<Self, TaskIdError> {
        let digits = text.strip_prefix('#').unwrap_or(text).strip_prefix('T');
        digits
            .filter(|digits| !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .and_then(Self::new)
            .ok_or_else(|| TaskIdError(text.to_owned()))
    }
}

/// Kinds of object that a [`Phid`] can name.
pub trait Kind {
    /// The type part of the PHID, as in `PHID-USER-…`.
    const TYPE: &'static str;
    /// The word for people.
    const NAME: &'static str;
}

macro_rules! kinds {
    ($($name:ident $code:literal $word:literal $doc:literal;)*) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {}
        impl Kind for $name {
            const TYPE: &'static str = $code;
            const NAME: &'static str = $word;
        }
    )* };
}

kinds! {
    User "USER" "user" "A person's or a bot's account.";
    Project "PROJ" "project" "A project: a tag or a team.";
    Task "TASK" "task" "A Maniphest task.";
    Space "SPCE" "space" "A Space, which restricts who sees what is in it.";
    Xact "XACT" "transaction" "A transaction; the type part is followed by that of its object.";
}

/// A PHID of one kind of object.
pub struct Phid<K> {
    text: String,
    kind: PhantomData<fn() -> K>,
}

/// A text that is no PHID of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the PHID of a {expected}")]
pub struct PhidError {
    text: String,
    expected: &'static str,
}

impl<K: Kind> Phid<K> {
    /// Checks that the text is a PHID of this kind.
    ///
    /// # Errors
    /// Where it is not.
    pub fn new(text: impl Into<String>) -> Result<Self, PhidError> {
        let text = text.into();
        let rest = text.strip_prefix("PHID-").and_then(|rest| rest.strip_prefix(K::TYPE));
        let tail = rest.and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        if tail.is_empty() || !tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(PhidError { text, expected: K::NAME });
        }
        Ok(Self { text, kind: PhantomData })
    }
}

impl<K> Phid<K> {
    /// The PHID as Conduit writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> Clone for Phid<K> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}
impl<K> PartialEq for Phid<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<K> Eq for Phid<K> {}
impl<K> PartialOrd for Phid<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Phid<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
impl<K> Hash for Phid<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<K> fmt::Debug for Phid<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> fmt::Display for Phid<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> Serialize for Phid<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Phid<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The number of a transaction: the order of what happened on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One deploy, named by the gate: a UUIDv7, so that ids sort by the time they were made (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeployId(uuid::Uuid);

impl DeployId {
    /// A fresh id for a deploy that begins now.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for DeployId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::Uuid::try_parse(text).map(Self)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )* };
}

as_text!(TaskId);

/// What identifies a finding of the audit, whatever its words are: `rule-failed T1234 3f2a9c01`. It stays the same from
/// audit to audit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingId {
    /// The name of the finding.
    pub name: String,
    /// What it is about: a task, a hashtag, or the PHID of a task of which no number is known.
    pub about: String,
    /// What distinguishes it from others of that name there: eight hexadecimal digits.
    pub digest: String,
}

impl FindingId {
    /// The digits of a digest that an id has.
    pub const DIGITS: usize = 8;
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.about, self.digest)
    }
}

/// A text that identifies no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a finding is identified by its name, its task and eight digits")]
pub struct FindingIdError;

impl FromStr for FindingId {
    type Err = FindingIdError;

    fn from_str(text: &str) -> Result<Self, FindingIdError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, about, digest] = words[..] else { return Err(FindingIdError) };
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let digest = digest.to_ascii_lowercase();
        let is_digest = digest.len() == Self::DIGITS && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name || !is_digest {
            return Err(FindingIdError);
        }
        Ok(Self { name: name.to_owned(), about: about.to_owned(), digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_monogram_and_nothing_else() {
        for text in ["T12", "#T12"] {
            assert_eq!(text.parse().map(TaskId::number), Ok(12), "{text}");
        }
        for text in ["", "T", "12", "t12", "T0", "T012", "T12x", " T12", "T12.", "T-1", "##T12", "D12", "T١"] {
            assert_eq!(text.parse::<TaskId>(), Err(TaskIdError(text.to_owned())));
        }
        assert!("T99999999999999999999".parse::<TaskId>().is_err());
    }

    #[test]
    fn a_phid_is_of_one_kind() {
        assert!(Phid::<User>::new("PHID-USER-abc").is_ok());
        assert!(Phid::<User>::new("PHID-PROJ-abc").is_err());
        assert!(Phid::<User>::new("PHID-USER-").is_err());
        assert!(Phid::<Xact>::new("PHID-XACT-TASK-abc").is_ok());
    }

    #[test]
    fn a_finding_is_identified_by_what_is_printed() {
        let id: FindingId = "rule-failed  T12 3F2A9C01".parse().unwrap();
        assert_eq!(id.to_string(), "rule-failed T12 3f2a9c01");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in
            ["", "rule-failed", "rule-failed T12", "rule-failed T12 3f2a9c0", "Rule T12 3f2a9c01", "a b 3f2a9c01 c"]
        {
            assert_eq!(wrong.parse::<FindingId>(), Err(FindingIdError), "{wrong}");
        }
    }
}
