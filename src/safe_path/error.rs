//! Why a path is not believed, or cannot be used.
//!
//! Responsible for the reasons and their words. Not responsible for finding them ([`super`]).

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Stranger;

/// Why a path is not believed, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// The system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The part of the path.
        path: PathBuf,
        /// The answer of the system.
        error: io::Error,
    },
    /// It belongs to somebody who may not choose what is in it.
    #[error("{} belongs to {stranger}", path.display())]
    Owner {
        /// The file, or the directory on the way to it.
        path: PathBuf,
        /// Whose it is.
        stranger: Stranger,
    },
    /// Others than its owner can write it.
    #[error("{} can be written by {by}: type `chmod go-w {}`", path.display(), path.display())]
    Writable {
        /// The file, or the directory on the way to it.
        path: PathBuf,
        /// Who.
        by: &'static str,
    },
    /// A link that somebody else made could lead anywhere.
    #[error("{} is a link that belongs to {stranger}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Who made it.
        stranger: Stranger,
    },
    /// Others can read or enter what is this user's alone.
    #[error("{} is open to others (its mode is {mode:03o}): type `chmod {} {}`", path.display(), if *directory { "700" } else { "600" }, path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Whether it is a directory.
        directory: bool,
    },
    /// Links lead in a circle.
    #[error("{}: too many links lead on from one another", .0.display())]
    Circle(PathBuf),
    /// It is something else than what was asked for.
    #[error("{} is {what}, not {wanted}", path.display())]
    Kind {
        /// What was looked at.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl PathError {
    /// Whether the file or a directory on the way to it does not exist.
    pub fn is_missing(&self) -> bool {
        let Self::Io { error, .. } = self else { return false };
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }

    /// Whether the system did not let this user look.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The error of a file that was asked for as `path`, which is named beside the part of it that is at fault.
    pub(crate) fn of(&self, path: &Path) -> String {
        let at_fault = match self {
            Self::Io { path, .. }
            | Self::Owner { path, .. }
            | Self::Writable { path, .. }
            | Self::Link { path, .. }
            | Self::Open { path, .. }
            | Self::Circle(path)
            | Self::Kind { path, .. } => path,
        };
        if at_fault == path { self.to_string() } else { format!("{}: {self}", path.display()) }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(Errno) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error: error.into() }
    }
}
