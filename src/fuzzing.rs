//! Doors for the fuzz targets to readers that are private otherwise.
//!
//! Responsible for nothing but reaching them: each function calls one reader and hands its result on. What has to hold of a
//! result stands with the targets, in `tests/it/fuzzed`. No part of the interface of this crate.

use url::Url;

use crate::config::{self, ConfigError, Settings};
use crate::evidence::{Miss, NearKind, near_miss};
use crate::host::{self, ArcrcError};
use crate::policy::Policy;

/// A near miss of a text, as it stands before anything is known of who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextNearMiss<'a> {
    /// The line, without the blanks around it.
    pub line: &'a str,
    /// What it reads as.
    pub kind: NearKind,
    /// It is taken for what it reads as.
    pub possible: bool,
    /// Why it is no answer.
    pub miss: Miss,
    /// What is wrong with how it is written, in words that repeat nothing of it.
    pub flaws: String,
}

/// The near misses of a comment, in order.
pub fn near_misses<'a>(comment: &'a str, policy: &Policy) -> Vec<TextNearMiss<'a>> {
    let found = near_miss::read(comment, near_miss::Place::Comment, policy).into_iter();
    found
        .map(|found| TextNearMiss {
            line: found.line,
            kind: found.kind,
            possible: found.possible,
            miss: found.miss,
            flaws: near_miss::flaws(found.line, found.kind),
        })
        .collect()
}

/// The line and the value of the approval that a comment is, where nothing but its form was missed.
pub fn lone_approval(comment: &str) -> Option<(&str, String)> {
    near_miss::lone_approval(comment)
}

/// The settings that a configuration file of this text gives, with no flag and no variable set.
///
/// # Errors
/// Where anything of it is wrong.
pub fn settings(text: &str) -> Result<Settings, ConfigError> {
    config::of_text(text)
}

/// The host as it is written in an `.arcrc` of this text, and its token; `None` where the server has no entry.
///
/// # Errors
/// Where the file is none that arc writes, as far as it concerns the server.
pub fn arcrc_token(text: &str, server: &Url) -> Result<Option<(String, String)>, ArcrcError> {
    host::arcrc_token(text, server)
}
