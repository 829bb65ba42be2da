//! A notice: what the watch says on a task by itself.
//!
//! Responsible for the notice as data, its comment, and reading it back from one. Rules and audit take notices as evidence of nothing.
//! Not responsible for when one is due ([`crate::serve`]).
//!
//! A notice looks like this:
//!
//! ````text
//! **Not allowed yet: this emergency deploy needs SRE** (`sre1` or `sre2`).
//!
//! ```lang=json, lines=2
//! {"schema": "phabgate/notice/1",
//! "kind": "missing",
//! …}
//! ```
//! ````

mod block;
mod words;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::block::{parse, render};
pub use self::words::{LostApproval, MissingTeam, Words};
use crate::ids::{TaskId, TransactionId};

/// The schema of the block of a notice.
pub const SCHEMA: &str = "phabgate/notice/1";

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeKind {
    /// What is missing, who can give it, and what to write.
    Missing,
    /// An answer that was meant and does not count.
    Unread,
    /// An approval that counted and does not any more.
    Lost,
    /// Everything is there.
    Ready,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Unread, Self::Lost, Self::Ready];

    /// Its word, as configuration and block write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unread => "unread",
            Self::Lost => "lost",
            Self::Ready => "ready",
        }
    }
}

/// Which store a service keeps: it is drawn once, and one site has one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreId(String);

impl StoreId {
    /// A new one.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().simple().to_string())
    }

    /// One that was kept.
    pub fn kept(text: String) -> Self {
        Self(text)
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a notice is known by, on its task and in the store: whoever says it, it is the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeKey {
    /// The task.
    pub task: TaskId,
    /// The transaction with which the episode began.
    pub episode: TransactionId,
    /// What it is about.
    pub kind: NoticeKind,
    /// Which of its kind: the transactions that it is about, the text of one, or the how manieth it is.
    pub which: String,
}

impl fmt::Display for NoticeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.task, self.episode, self.kind.word(), self.which)
    }
}

/// A notice, as its block holds it; fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// [`SCHEMA`].
    pub schema: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// The task.
    pub task: TaskId,
    /// The transaction with which the episode began.
    pub episode: TransactionId,
    /// Which of its kind.
    pub which: String,
    /// The transactions that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<TransactionId>,
    /// When what it says was true, by the server's clock.
    pub at: Timestamp,
    /// Which store its service keeps.
    pub store: StoreId,
}

impl Notice {
    /// What it is known by.
    pub fn key(&self) -> NoticeKey {
        NoticeKey { task: self.task, episode: self.episode, kind: self.kind, which: self.which.clone() }
    }
}
