//! What became of a deploy: of its command, and of each of its records.
//!
//! Responsible for it as data. Not responsible for the steps that fill it ([`super::run`]), nor for the file that shows it.

use super::deliver::Delivered;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::journal::{Kept, Undelivered};
use crate::record::{Event, ExitStatus, Outcome};

/// What became of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Child {
    /// It was not started.
    #[default]
    NotStarted,
    /// It ended.
    Ended(ExitStatus),
    /// Started, and its end was not seen.
    Lost,
}

/// What happened so far.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The task, once it is known.
    pub task: Option<TaskId>,
    /// The deploy, once it has an id.
    pub deploy: Option<DeployId>,
    /// The word of the last verdict.
    pub verdict: Option<&'static str>,
    /// What became of the command.
    pub child: Child,
    /// How the deploy ended.
    pub outcome: Option<Outcome>,
    /// The first thing that went wrong.
    pub error: Option<String>,
    /// Where the outcome is, where the journal could not be written.
    pub kept: Kept,
    /// The records, and what became of each.
    pub records: Vec<Left>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Which record.
    pub event: Event,
    /// The word for it: `delivered`, `ready`, `unclear`, `refused` or `not-kept`.
    pub state: &'static str,
    /// The comment that holds it, where it is known to be on its task.
    pub transaction: Option<TransactionId>,
}

impl Default for Ran {
    fn default() -> Self {
        Self {
            task: None,
            deploy: None,
            verdict: None,
            child: Child::NotStarted,
            outcome: None,
            error: None,
            kept: Kept::InJournal,
            records: Vec::new(),
        }
    }
}

impl Ran {
    /// Takes note of a record that is on its task.
    pub(super) fn delivered(&mut self, delivered: Delivered) {
        let Delivered { event, transaction } = delivered;
        self.records.push(Left { event, state: "delivered", transaction: Some(transaction) });
    }

    /// Whether a record is known to be on its task.
    pub(super) fn is_delivered(&self, event: Event) -> bool {
        self.records.iter().any(|record| record.event == event && record.transaction.is_some())
    }

    /// Takes note of a record that is not known to be on its task; `is_kept` says whether the journal has it.
    pub(super) fn left(&mut self, due: &Undelivered, is_kept: bool) {
        let state = if is_kept { due.phase.word() } else { "not-kept" };
        self.records.push(Left { event: due.event, state, transaction: None });
    }
}
