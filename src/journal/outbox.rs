//! The outbox: the records that are due on a task and not known to be there.
//!
//! Responsible for the way of one record to its task. Not responsible for who sends a record and how it is read back, nor for
//! the lines of `outbox list` ([`super::outbox_entry`]).

use std::collections::BTreeSet;

use jiff::Timestamp;
use url::Url;

use super::event::{ServerAnswer, TaskSeen};
use crate::ids::{Phid, TransactionId, User, Xact};
use crate::record::{self, Record};

/// Where a record that was queued is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// Surely not on the task.
    Ready,
    /// Nobody knows.
    Unclear {
        /// When it was sent.
        since: Timestamp,
        /// From when a read that does not find it settles the matter.
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
    },
    /// Surely not on the task, and refused there.
    Refused {
        /// When that was known.
        since: Timestamp,
        /// How the task looked then.
        seen: TaskSeen,
    },
    /// Given up.
    Dropped {
        /// When.
        at: Timestamp,
    },
    /// On the task.
    Delivered {
        /// The comment's transaction.
        transaction: TransactionId,
        /// Its PHID.
        phid: Phid<Xact>,
        /// When it was read there.
        at: Timestamp,
    },
}

/// A queued record and its way to the task so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The record.
    pub record: Box<Record>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Where it is.
    pub delivery: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// The accounts that sent it: whose comments a read-back must look through.
    pub authors: BTreeSet<Phid<User>>,
    /// Where it was sent last.
    pub server: Option<Url>,
    /// The error of the last attempt that had one.
    pub last_error: Option<String>,
}

/// What can be done about a record that is not known to be on its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It is surely not there and may be sent at once.
    Ready,
    /// It may be there. It must be looked for, and must not be sent.
    Unclear {
        /// When it was sent.
        since: Timestamp,
        /// From when a read that does not find it makes it [`Phase::Ready`] again, or [`Phase::Refused`].
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
    },
    /// It is surely not there, since the server refused it. It may be sent where the task looks otherwise by now, or
    /// where somebody asks for it.
    Refused {
        /// How the task looked when that was known.
        seen: TaskSeen,
    },
}

impl Phase {
    /// The word for it in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ready => "queued",
            Self::Unclear { .. } => "unclear",
            // No flush alone delivers it.
            Self::Refused { .. } => "refused",
        }
    }
}

/// A record that is not known to be on its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Which one.
    pub event: record::Event,
    /// The record.
    pub record: Box<Record>,
    /// What can be done about it.
    pub phase: Phase,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// The accounts that sent it: whose comments a read-back must look through, besides the recorder's own.
    pub authors: BTreeSet<Phid<User>>,
    /// The error of the last attempt that had one.
    pub last_error: Option<String>,
}

impl Outgoing {
    pub(super) fn new(record: Box<Record>, at: Timestamp) -> Self {
        Self {
            record,
            queued_at: at,
            delivery: DeliveryState::Ready,
            attempts: 0,
            authors: BTreeSet::new(),
            server: None,
            last_error: None,
        }
    }

    pub(super) fn sending(&mut self, at: Timestamp, author: &Phid<User>, server: &Url, settle_at: Timestamp) {
        self.delivery = DeliveryState::Unclear { since: at, settle_at, answer: ServerAnswer::Unclear };
        self.attempts = self.attempts.saturating_add(1);
        self.authors.insert(author.clone());
        self.server = Some(server.clone());
    }

    /// Whether people may see it on the task.
    pub fn may_be_on_task(&self) -> bool {
        matches!(self.delivery, DeliveryState::Unclear { .. } | DeliveryState::Delivered { .. })
    }

    /// What is left to do, where `due` says whether it should still be sent if it is surely not there.
    pub(super) fn undelivered(&self, due: bool) -> Option<Undelivered> {
        let phase = match &self.delivery {
            DeliveryState::Ready if due => Phase::Ready,
            DeliveryState::Refused { seen, .. } if due => Phase::Refused { seen: seen.clone() },
            DeliveryState::Unclear { since, settle_at, answer } => {
                Phase::Unclear { since: *since, settle_at: *settle_at, answer: *answer }
            }
            DeliveryState::Ready
            | DeliveryState::Refused { .. }
            | DeliveryState::Dropped { .. }
            | DeliveryState::Delivered { .. } => return None,
        };
        Some(Undelivered {
            event: self.record.event,
            record: self.record.clone(),
            phase,
            queued_at: self.queued_at,
            attempts: self.attempts,
            authors: self.authors.clone(),
            last_error: self.last_error.clone(),
        })
    }
}
