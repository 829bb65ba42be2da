//! A task that could not be read or judged, and what is known of it all the same.
//!
//! Responsible for it as data. Not responsible for judging ([`super::replay`]).

use super::findings::Finding;
use crate::ids::TaskId;

/// A task of the population that could not be read or judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The task.
    pub task: TaskId,
    /// Why not, in words.
    pub why: String,
    /// Its texts may not be shown, as far as is known: they may not where nothing is.
    pub restricted: bool,
    /// What the server denies of what earlier audits saw of it: that needs no verdict. Nothing else was found, since
    /// nothing else was looked for.
    pub findings: Vec<Finding>,
}
