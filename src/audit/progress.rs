//! How far an audit has come.
//!
//! Responsible for that as data. Not responsible for how it is shown.

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
