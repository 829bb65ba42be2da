//! What is audited, how much of it was seen, and how far an audit has come.
//!
//! Responsible for that as data, and why an audit cannot go on. Not responsible for reading and judging.

use serde::{Deserialize, Serialize};

use super::mirror::MirrorError;
use crate::conduit::ConduitError;

/// Why the audit cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A call that all else hangs on gave no usable answer.
    #[error(transparent)]
    Conduit(#[from] ConduitError),
    /// The mirror cannot be used.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// What was found cannot be put aside until it is reported.
    #[error("cannot put aside what was found: {0}")]
    Spool(std::io::Error),
    /// The tag does not exist: an audit of it would find nothing and look clean.
    #[error("the server knows no project #{0}, or does not show it to this account: there would be nothing to audit")]
    NoTag(String),
    /// A recorder does not exist: its records would not be found.
    #[error("the server knows no account {0}, which the policy names as a recorder: its records would not be found")]
    NoRecorder(String),
    /// A thread that read or judged came to no end.
    #[error(
        "a part of the audit stopped in the middle: this is an error of the program, and nothing is known of the rest"
    )]
    Stopped,
    /// The server returns what somebody did for one task alone.
    #[error(
        "this server is too old for an audit: it does not tell what an account did on all tasks (`transaction.search` \
         with `objectType`, since March 2021)"
    )]
    TooOld,
    /// The server's replies carry no time.
    #[error("the server's replies carry no Date: what is overdue cannot be known")]
    NoClock,
}

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

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditStep {
    /// The tasks are listed, and what the recorders wrote is read.
    List,
    /// The histories of changed tasks are read.
    Histories,
    /// The comments of unchanged tasks are read again.
    Comments,
    /// The deploys are judged.
    Judge,
}

/// How far a step has come: what was done, and of how much where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditProgress {
    /// The step.
    pub step: AuditStep,
    /// How many tasks or comments.
    pub done: usize,
    /// Of how many.
    pub of: Option<usize>,
}
