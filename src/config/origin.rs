//! Where a value came from: a flag, the environment, a line of the file, or what is built in.
//!
//! Responsible for [`Origin`] and the table of them. Not responsible for the values, and which of two origins wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// A flag of the command line.
    Flag {
        /// As it is typed: `--url`.
        name: &'static str,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        name: &'static str,
    },
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line of the value, from 1.
        line: usize,
    },
    /// Nothing said otherwise.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } => f.write_str(name),
            Self::Environment { name } => write!(f, "${name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}

/// The origin of each value, by its key as the file writes it: `policy.teams.sre.need`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value of `key` came from. What nobody set is built in.
    pub fn of(&self, key: &str) -> &Origin {
        self.0.get(key).unwrap_or(&Origin::BuiltIn)
    }

    pub(super) fn set(&mut self, key: &str, origin: Origin) {
        self.0.insert(key.to_owned(), origin);
    }
}

/// The line, from 1, in which the byte `offset` of `text` stands.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// A file that was read, as far as origins need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConfigSource<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl ConfigSource<'_> {
    pub(super) fn origin(&self, offset: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: line_of(self.text, offset) }
    }
}
