//! What earlier audits found, as data, and what today's audit says of the same task.
//!
//! Not responsible for comparing the two ([`crate::audit::past`]), nor for keeping what was found ([`crate::audit::mirror`]).

use jiff::Timestamp;

use super::Finding;

/// A finding of an earlier audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFinding {
    /// As it was found last, at its worst.
    pub finding: Finding,
    /// The digest of the policy by which was judged.
    pub policy: String,
    /// The version of phabgate that judged.
    pub version: String,
    /// The last audit that found it.
    pub last: Timestamp,
}

/// The version of this program, as it stands beside what it finds.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What today's audit says of a task.
#[derive(Debug, Clone, Copy)]
pub struct Today<'a> {
    /// All that is found on it now, whatever of it is asked about.
    pub found: &'a [Finding],
    /// Its texts may not be shown.
    pub restricted: bool,
    /// It could be judged: what is not found is not there.
    pub judged: bool,
}
