//! What can go wrong with the journal, always with the path and what to do about it.
//!
//! Responsible for the error type and how SQLite's codes become it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::illegal::IllegalTransition;
use crate::ids::{DeployId, TaskId};
use crate::local_deploy::LocalDeploy;
use crate::safe_path::PathError;

/// Why the journal cannot be used. No deploy may start where one of these comes up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The directory cannot be made or looked at.
    #[error(
        "cannot use {path} as the state directory: {source}; name a directory that you can write to as the state directory"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state directory, or a directory above it, is not what only this user can change and read.
    #[error("cannot use the state directory: {0}")]
    Unsafe(#[from] PathError),
    /// A file in the directory belongs to somebody else.
    #[error("{path} belongs to uid {owner}, and the gate runs as uid {own}; run it as its owner, or chown it")]
    WrongOwner {
        /// The directory or file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// A lock file cannot be opened, locked or removed.
    #[error("cannot lock {path}: {source}; see that its directory can be written to")]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The journal cannot be written.
    #[error("the journal {path} cannot be written: {reason}; see that its directory can be written to")]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// No space is left.
    #[error("the disk of the journal {path} is full; free some space and try again")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The room for the last words of a deploy cannot be kept.
    #[error("cannot keep room for how the command ends in {path}: {source}; free some space and try again")]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged or is no journal.
    #[error(
        "the journal {path} is damaged: {reason}; move it aside with its -journal file and keep both: \
         they may hold records that are not on their tasks yet"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said, or what in it cannot be read.
        reason: String,
    },
    /// Another process did not let go of it.
    #[error("the journal {path} was in use by another process for too long; see what else runs, and try again")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A newer gate wrote it.
    #[error("the journal {path} has version {found}, newer than the {known} that this gate knows; update phabgate")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite failed in another way.
    #[error("cannot {doing} the journal {path}: {source}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// An event could not be written as JSON.
    #[error("cannot write an event as JSON: {0}")]
    Encode(#[source] serde_json::Error),
    /// The event does not fit the state of the deploy; nothing was written.
    #[error("the journal refuses a step of deploy {deploy}: {source}")]
    Refused {
        /// The deploy.
        deploy: DeployId,
        /// Why.
        source: IllegalTransition,
    },
    /// What is in the journal for a deploy makes no sense.
    #[error(
        "the journal {path} holds a history of deploy {deploy} that cannot be: {source}; \
         compare it with the task by hand, and keep the file"
    )]
    BadHistory {
        /// The file.
        path: PathBuf,
        /// The deploy.
        deploy: DeployId,
        /// What is wrong.
        source: IllegalTransition,
    },
    /// The journal has no such deploy.
    #[error("the journal {path} knows no deploy {deploy}; `phabgate outbox list` shows those that wait")]
    NoSuchDeploy {
        /// The file.
        path: PathBuf,
        /// The deploy.
        deploy: DeployId,
    },
    /// The lock that was taken is that of another server than the deploy's.
    #[error("deploy {deploy} is on {server}, and the right to send was taken for {locked}; this is a fault to report")]
    OtherServer {
        /// The deploy.
        deploy: DeployId,
        /// The URL of its server.
        server: String,
        /// The URL of the server that the lock is for.
        locked: String,
    },
    /// Another deploy of the task may still be under way, by this journal.
    #[error("{task}: {}; {}", other.message(), other.hint())]
    InFlight {
        /// The task.
        task: TaskId,
        /// The other deploy.
        other: Box<LocalDeploy>,
    },
    /// A live process owns the deploy.
    #[error("deploy {deploy} is in the hands of another running gate; wait until it has ended")]
    Owned {
        /// The deploy.
        deploy: DeployId,
    },
}

impl JournalError {
    /// Whether the database itself cannot be used now, whatever is to be written into it.
    pub(super) fn is_of_the_database(&self) -> bool {
        matches!(
            self,
            Self::NotWritable { .. }
                | Self::Full { .. }
                | Self::Corrupt { .. }
                | Self::Busy { .. }
                | Self::Sqlite { .. }
                // An older copy was put in its place.
                | Self::BadHistory { .. }
        )
    }

    /// Makes sense of an error of SQLite.
    pub(super) fn sqlite(doing: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = source.to_string();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, reason },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure,
            ) => Self::NotWritable { path, reason },
            _ => Self::Sqlite { doing, path, source },
        }
    }
}
