//! Why an audit cannot begin or go on.
//!
//! Responsible for its errors and their words. Not responsible for what of a single task cannot be read or judged
//! ([`super::unread`]).

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
        "this server is too old for an audit: it does not show what an account did on all tasks (`transaction.search` \
         with `objectType`, since March 2021)"
    )]
    TooOld,
    /// The server's replies carry no time.
    #[error("the server's replies carry no Date: what is overdue cannot be known")]
    NoClock,
}
