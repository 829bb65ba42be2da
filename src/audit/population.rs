//! What is audited, and how much of it was seen.
//!
//! Responsible for that as data. Not responsible for reading and judging.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Phid, Task as TaskKind, TaskId};

/// How large the population is, and how much of it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// Tasks that carry the tag.
    pub tagged: usize,
    /// Tasks without the tag that a recorder left a record on.
    pub recorded: usize,
    /// Tasks of which only the mirror knows that they carried the tag or had a record.
    pub mirrored: usize,
    /// Tasks that carried the tag or have a record, and that this account is not shown.
    pub unseen: usize,
}

impl Population {
    /// The tasks that could be looked at.
    pub fn shown(&self) -> usize {
        self.tagged + self.recorded + self.mirrored
    }
}

/// A task of the population that the server does not show any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Its PHID.
    pub phid: Phid<TaskKind>,
    /// Its number, where the task was ever shown.
    pub id: Option<TaskId>,
    /// It was restricted when it was last shown.
    pub restricted: bool,
    /// When it was last shown.
    pub seen: Option<Timestamp>,
}
