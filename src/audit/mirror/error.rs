//! What can go wrong with the mirror.

use std::io;
use std::path::{Path, PathBuf};

use crate::safe_path::PathError;

/// Why the mirror cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A file or directory could not be made or read.
    #[error("cannot use {path} for the mirror: {source}", path = path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others could read texts of restricted tasks, or change what the audit believes to have seen.
    #[error("cannot keep the mirror: {0}")]
    Unsafe(#[from] PathError),
    /// SQLite refused.
    #[error("cannot {doing} the mirror {path}: {why}", path = path.display())]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// It holds something that this version did not write.
    #[error("the mirror {path} holds {what} that cannot be read: {why}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// A newer version wrote it.
    #[error("the mirror {path} is of a newer phabgate (its schema is {found}, this one knows {known})", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The newest that is known.
        known: usize,
    },
    /// There is nothing to judge.
    #[error("the mirror {path} was never filled to the end for #{tag}", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The tag.
        tag: String,
    },
    /// Nobody is there whom earlier audits saw.
    #[error(
        "the server is another one than that of the mirror {path}: it knows neither the tag nor any account that earlier \
         audits saw there", path = path.display()
    )]
    OtherServer {
        /// The file.
        path: PathBuf,
    },
    /// The policy names a project that nobody asked the server for.
    #[error("the mirror {path} knows no #{project}, which the policy names", path = path.display())]
    NoProject {
        /// The file.
        path: PathBuf,
        /// The hashtag.
        project: String,
    },
}

impl MirrorError {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> String {
        match self {
            Self::File { .. } | Self::Unsafe(PathError::Io { .. }) => {
                "set XDG_CACHE_HOME to a directory that can be written".to_owned()
            }
            Self::Unsafe(_) => "nobody else may look into it: it holds what restricted tasks say".to_owned(),
            Self::Sqlite { path, .. } | Self::Damaged { path, .. } => format!(
                "look whether the disk is full; else move {} away, and keep it: it is evidence of earlier audits",
                path.display()
            ),
            Self::Newer { .. } => "update phabgate".to_owned(),
            Self::OtherServer { path } => format!(
                "look what answers at this URL; if this server took the other's place for good, move {} away, and keep it: \
                 it is evidence of earlier audits",
                path.display()
            ),
            Self::Empty { .. } | Self::NoProject { .. } => "run the audit once without --offline".to_owned(),
        }
    }
}

/// Says that SQLite refused.
pub(super) fn sqlite(doing: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> MirrorError + use<> {
    let path = path.to_owned();
    move |error| MirrorError::Sqlite { doing, path: path.clone(), why: error.to_string() }
}

/// Says that a file cannot be used.
pub(super) fn file(path: &Path) -> impl Fn(io::Error) -> MirrorError {
    move |source| MirrorError::File { path: path.to_owned(), source }
}

/// Says that something in the mirror cannot be read.
pub(super) fn damaged(path: &Path, what: String) -> impl Fn(serde_json::Error) -> MirrorError {
    move |error| MirrorError::Damaged { path: path.to_owned(), what: what.clone(), why: error.to_string() }
}
