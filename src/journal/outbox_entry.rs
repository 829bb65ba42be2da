//! The outbox as `outbox list` shows it, a line a record.
//!
//! Responsible for these lines as data, made from where each deploy stands. Not responsible for the way of a record to its task
//! ([`super::outbox`]).

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::outbox::{Phase, Undelivered};
use super::state::DeployState;
use crate::ids::{DeployId, TaskId};
use crate::record;

/// One line of `outbox list`. It holds nothing of the task's texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// The deploy.
    pub deploy: DeployId,
    /// Which record of it.
    pub event: record::Event,
    /// The task that it is due on.
    pub task: TaskId,
    /// The server of that task.
    pub server: Url,
    /// When it was queued.
    pub since: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// Ready, unclear or refused.
    pub state: EntryState,
    /// Before when nothing can be sent; `None` where it can be at once.
    pub next_try_at: Option<Timestamp>,
    /// The error of the last attempt that had one.
    pub last_error: Option<String>,
}

/// The state of an [`OutboxEntry`], as JSON names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    /// Surely not on the task.
    Ready,
    /// It may be on the task.
    Unclear,
    /// Surely not on the task: the server refused it.
    Refused,
    /// Not written yet: the gate was killed, and how the deploy ended is not settled.
    Stranded,
}

impl OutboxEntry {
    /// The lines of one deploy.
    pub fn of(state: &DeployState) -> Vec<Self> {
        let entry = |undelivered: Undelivered| {
            let (state_name, next_try_at) = match undelivered.phase {
                Phase::Ready => (EntryState::Ready, None),
                Phase::Refused { .. } => (EntryState::Refused, None),
                Phase::Unclear { settle_at, .. } => (EntryState::Unclear, Some(settle_at)),
            };
            Self {
                deploy: state.deploy(),
                event: undelivered.event,
                task: state.intent().task,
                server: state.intent().server.clone(),
                since: undelivered.queued_at,
                attempts: undelivered.attempts,
                state: state_name,
                next_try_at,
                last_error: undelivered.last_error,
            }
        };
        state.outbox().into_iter().map(entry).collect()
    }

    /// The line of a deploy whose gate is gone and whose end is still to be settled.
    pub(super) fn stranded(state: &DeployState) -> Self {
        Self {
            deploy: state.deploy(),
            event: record::Event::Finished,
            task: state.intent().task,
            server: state.intent().server.clone(),
            since: state.begun(),
            attempts: 0,
            state: EntryState::Stranded,
            next_try_at: state.gone(),
            last_error: None,
        }
    }
}
