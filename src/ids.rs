//! The identities that Phabricator hands out, each a type of its own so that one can never stand for another.
//!
//! In the room: [`TaskId`], [`Phid`], [`TransactionId`] and our own [`DeployId`]. Not in the room: what they name.

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

/// Why a text is not a task of the configured host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskIdError {
    /// The text has none of the accepted shapes.
    #[error("{0:?} is not a task: write it as T1234, #T1234 or its URL")]
    Malformed(String),
    /// A URL whose scheme, host or port is not the configured one.
    #[error("{url:?} is not on {host}, the configured server")]
    OtherHost {
        /// The URL as given.
        url: String,
        /// Where tasks are looked up.
        host: String,
    },
}

impl TaskIdError {
    /// What to type instead, in one line for people.
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed(text) => {
                let digits = text.trim().trim_start_matches(['#', 't', 'T', '0']);
                match digits.parse::<TaskId>().or_else(|_| format!("T{digits}").parse()) {
                    Ok(task) => format!("did you mean {task}?"),
                    Err(_) => "name one task, such as T1234".to_owned(),
                }
            }
            Self::OtherHost { .. } => {
                "check the address; another server is asked with --url, PHABGATE_URL or the configuration".to_owned()
            }
        }
    }
}

impl TaskId {
    /// The task of this number, as `maniphest.search` returns it; `None` for zero.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number alone, as Conduit's `constraints.ids` takes it.
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// Reads `T1234`, `#T1234`, or a URL of the task below `base`.
    ///
    /// # Errors
    /// Where the text is none of these, or a URL of another host.
    pub fn parse_on(text: &str, base: &Url) -> Result<Self, TaskIdError> {
        if !text.contains("://") {
            return text.parse();
        }
        let malformed = || TaskIdError::Malformed(text.to_owned());
        let url = Url::parse(text).map_err(|_| malformed())?;
        if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(TaskIdError::OtherHost { url: text.to_owned(), host: base.origin().ascii_serialization() });
        }
        let root = base.path().trim_end_matches('/');
        let path = url.path().strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        let monogram = path.map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        match monogram {
            Some(monogram) if monogram.starts_with('T') => monogram.parse().map_err(|_| malformed()),
            _ => Err(malformed()),
        }
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
            .ok_or_else(|| TaskIdError::Malformed(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_nearly_a_task_is_named() {
        let hint = |text: &str| text.parse::<TaskId>().unwrap_err().hint();
        for text in ["1234", "t1234", "#1234", "T01234", " T1234"] {
            assert_eq!(hint(text), "did you mean T1234?", "{text}");
        }
        for text in ["", "T0", "T1,T2", "X1", "T99999999999999999999"] {
            assert_eq!(hint(text), "name one task, such as T1234", "{text}");
        }
    }

    #[test]
    fn reads_the_three_shapes_of_a_task() {
        let base = Url::parse("https://phab.example/").unwrap();
        for text in
            ["T12", "#T12", "https://phab.example/T12", "https://phab.example/T12/", "https://phab.example/T12#34"]
        {
            assert_eq!(TaskId::parse_on(text, &base).map(TaskId::number), Ok(12), "{text}");
        }
    }

    #[test]
    fn refuses_every_other_shape_and_names_it() {
        let base = Url::parse("https://phab.example/").unwrap();
        for text in
            ["", "T", "12", "t12", "T0", "T012", "T12x", " T12", "T-1", "##T12", "T99999999999999999999", "D12", "T١"]
        {
            assert_eq!(TaskId::parse_on(text, &base), Err(TaskIdError::Malformed(text.to_owned())));
        }
        for text in [
            "https://phab.example/D12",
            "https://phab.example/",
            "https://phab.example/x/T12",
            "https://phab.example/#T12",
        ] {
            assert!(matches!(TaskId::parse_on(text, &base), Err(TaskIdError::Malformed(_))), "{text}");
        }
        for text in [
            "https://other.example/T12",
            "http://phab.example/T12",
            "https://phab.example:8443/T12",
            "https://phab.example@evil.example/T12",
        ] {
            assert!(matches!(TaskId::parse_on(text, &base), Err(TaskIdError::OtherHost { .. })), "{text}");
        }
    }

    #[test]
    fn a_phid_is_of_one_kind() {
        assert!(Phid::<User>::new("PHID-USER-abc").is_ok());
        assert!(Phid::<User>::new("PHID-PROJ-abc").is_err());
        assert!(Phid::<User>::new("PHID-USER-").is_err());
        assert!(Phid::<Xact>::new("PHID-XACT-TASK-abc").is_ok());
    }
}
