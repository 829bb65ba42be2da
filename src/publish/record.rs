//! Records on their way to the task: what is published, and the journal that hears of each step.
//!
//! Responsible for how a record is recognised on a task and for what the journal is given. Not for what a record says,
//! nor for when the next step is taken.

use jiff::Timestamp;

use super::publication::{Comment, Placed};
use super::{Known, PublishLog, PublishProgress};
use crate::conduit::Transaction;
use crate::crash;
use crate::ids::{DeployId, Phid, Task, TaskId, User};
use crate::journal::{Delivery, DeployLog, JournalError, OutboxLock, Phase, Undelivered};
use crate::record::Event;
use crate::record::bounds::TooLarge;
use crate::record::comment::render;
use crate::record::parse::{Parsed, parse};

/// The comment that holds a record, among what happened on a task.
///
/// Every version of a comment is looked at: an edit does not make a record another one.
pub fn find(deploy: DeployId, event: Event, task: TaskId, history: &[Transaction]) -> Option<Placed> {
    history.iter().find(|row| holds(row, deploy, event, task)).map(Placed::from)
}

fn holds(row: &Transaction, deploy: DeployId, event: Event, task: TaskId) -> bool {
    row.comments.iter().any(|version| match parse(version.text()) {
        Parsed::Record(record) => record.deploy == deploy && record.event == event && record.task == task,
        _ => false,
    })
}

/// A record as a comment on the task with this PHID, sent by `author`.
///
/// # Errors
/// Where it does not fit into a comment: of a record that was checked before the deploy it never comes to this.
pub fn comment(
    due: &Undelivered,
    phid: Option<&Phid<Task>>,
    author: &Phid<User>,
) -> Result<Comment<'static>, TooLarge> {
    let mut authors: Vec<Phid<User>> = due.authors.iter().cloned().collect();
    if !authors.contains(author) {
        authors.push(author.clone());
    }
    let (deploy, event, task) = (due.record.deploy, due.event, due.record.task);
    let is_it = Box::new(move |row: &Transaction| holds(row, deploy, event, task));
    Ok(Comment { task, phid: phid.cloned(), text: render(&due.record)?.into(), authors, is_it })
}

/// What the journal knows of a record that is due.
pub fn known(due: &Undelivered) -> Known {
    let why = due.last_error.clone();
    match &due.phase {
        Phase::Ready => Known::Absent,
        Phase::Unclear { settle_at, answer, .. } => Known::Unknown {
            why: why.unwrap_or_else(|| "the gate was stopped while it was being sent".to_owned()),
            settle_at: *settle_at,
            answer: *answer,
        },
        Phase::Refused { seen } => {
            Known::Refused { why: why.unwrap_or_else(|| "the server refused it".to_owned()), seen: seen.clone() }
        }
    }
}

/// Journals each step of one record.
#[derive(Debug)]
pub struct RecordLog<'a, L> {
    /// Where it is journalled.
    pub journal: &'a mut L,
    /// The right to send.
    pub lock: &'a OutboxLock,
    /// The deploy.
    pub deploy: DeployId,
    /// Which record of it.
    pub event: Event,
    /// Whose token sends it.
    pub author: &'a Phid<User>,
}

impl<L: DeployLog> PublishLog<Placed> for RecordLog<'_, L> {
    type Error = JournalError;

    fn is_due(&mut self) -> Result<bool, JournalError> {
        let state = self.journal.state(self.deploy)?;
        Ok(state.outbox().iter().any(|due| due.event == self.event))
    }

    fn note(&mut self, at: Timestamp, progress: PublishProgress<'_, Placed>) -> Result<(), JournalError> {
        let event = self.event;
        let (sending, post, delivered) = points(event);
        if matches!(progress, PublishProgress::NotSent { .. } | PublishProgress::Answered { .. }) {
            crash::point(post);
        }
        let (delivery, point) = match progress {
            PublishProgress::Sending { settle_at } => {
                let (author, server) = (self.author.clone(), self.lock.server().clone());
                (Delivery::Sending { event, author, server, settle_at }, Some(sending))
            }
            PublishProgress::NotSent { why } => (Delivery::NotSent { event, why: why.to_owned() }, None),
            PublishProgress::Answered { why, settle_at, answer } => {
                (Delivery::Unclear { event, why: why.to_owned(), settle_at: Some(settle_at), answer }, None)
            }
            PublishProgress::Waiting { .. } => return Ok(()),
            PublishProgress::Missing { read_at } => (Delivery::Missing { event, read_at }, None),
            PublishProgress::Refused { read_at, seen } => {
                (Delivery::Refused { event, read_at, seen: seen.clone() }, None)
            }
            PublishProgress::Confirmed(Placed { transaction, phid }) => {
                (Delivery::Delivered { event, transaction: *transaction, phid: phid.clone() }, Some(delivered))
            }
        };
        self.journal.delivery(self.lock, self.deploy, at, delivery)?;
        if let Some(point) = point {
            crash::point(point);
        }
        Ok(())
    }
}

/// The crash points of a record's way: before it is sent, after, and when it is known to be there.
fn points(event: Event) -> (&'static str, &'static str, &'static str) {
    match event {
        Event::Started => ("after-sending-started", "after-post-started", "after-delivered-started"),
        Event::Finished => ("after-sending-finished", "after-post-finished", "after-delivered-finished"),
        Event::Recorded => ("after-sending-recorded", "after-post-recorded", "after-delivered-recorded"),
    }
}
