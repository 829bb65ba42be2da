//! Posting a record exactly once.
//!
//! In the room: one step of a record on its way to the task, journalled before it is taken: send it where it is surely
//! not there, look for it where that is unclear. Not in the room: when to take the next step, and what a record says.
//!
//! The rule: what proves that the server did not act allows another attempt at once. After every other answer nothing
//! is sent until the attempt is settled, that is too old to arrive still, *and* a read of the task that was begun
//! after that does not find it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::Event;
use super::parse::{Parsed, parse};
use super::render::render;
use crate::conduit::{Client, ConduitError, Reach, Transaction};
use crate::crash;
use crate::ids::{DeployId, Phid, TaskId, TransactionId, User, Xact};
use crate::journal::{Delivery, Journal, JournalError, OutboxLock, Phase, Undelivered};

/// Who posts, where, and by which rule.
#[derive(Debug)]
pub struct Postman<'a> {
    /// The way to the server.
    pub client: Client,
    /// The server as the journal names it.
    pub server: &'a Url,
    /// Whose token it is.
    pub author: &'a Phid<User>,
    /// How long after an unclear answer an attempt may still arrive.
    pub settle: Duration,
}

/// Where a record is after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// On the task.
    There {
        /// The transaction that made the comment.
        transaction: TransactionId,
    },
    /// Surely not there; it may be sent again.
    NotThere {
        /// Why not.
        why: String,
    },
    /// Nobody knows yet.
    Unclear {
        /// Why not.
        why: String,
        /// From when a look at the task settles it.
        settle_at: Timestamp,
    },
}

/// The comment that holds a record, among what happened on a task.
///
/// Every version of a comment is looked at: an edit does not make a record another one.
pub fn find(
    deploy: DeployId,
    event: Event,
    task: TaskId,
    history: &[Transaction],
) -> Option<(TransactionId, Phid<Xact>)> {
    let holds = |row: &&Transaction| {
        row.comments.iter().any(|version| match parse(version.text()) {
            Parsed::Record(record) => record.deploy == deploy && record.event == event && record.task == task,
            _ => false,
        })
    };
    history.iter().find(holds).map(|row| (row.id, row.phid.clone()))
}

/// What one attempt to send a record came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It surely did not arrive; it may be sent again.
    NotThere {
        /// Why not.
        why: String,
    },
    /// It is to be looked for.
    Unclear {
        /// What was answered.
        why: String,
        /// From when a look at the task settles it.
        settle_at: Timestamp,
    },
}

impl Postman<'_> {
    /// Takes the next step for one record: sends it where it is surely not on the task, and looks for it there.
    ///
    /// # Errors
    /// Where the journal cannot be written. What goes wrong with the server is in the result.
    pub async fn step(
        &self,
        journal: &mut Journal,
        lock: &OutboxLock,
        deploy: DeployId,
        due: &Undelivered,
    ) -> Result<Posted, JournalError> {
        let sent_now = due.phase == Phase::Ready;
        let (why, settle_at) = match &due.phase {
            Phase::Refused { .. } => return Ok(Posted::NotThere { why: due.last_error.clone().unwrap_or_default() }),
            Phase::Ready => match self.send(journal, lock, deploy, due).await? {
                Attempt::NotThere { why } => return Ok(Posted::NotThere { why }),
                Attempt::Unclear { why, settle_at } => (why, settle_at),
            },
            Phase::Unclear { settle_at, .. } => {
                let why = due.last_error.clone();
                (why.unwrap_or_else(|| "the gate was stopped while it was being sent".to_owned()), *settle_at)
            }
        };
        let read_at = Timestamp::now();
        match self.read_back(deploy, due).await {
            Ok(Some((transaction, phid))) => {
                found(journal, lock, deploy, due.event, transaction, phid)?;
                Ok(Posted::There { transaction })
            }
            // Never in the step that sent it: however the clock of this host jumps, that was a moment ago.
            Ok(None) if !sent_now && read_at >= settle_at => {
                journal.delivery(lock, deploy, Timestamp::now(), Delivery::Missing { event: due.event, read_at })?;
                Ok(Posted::NotThere { why })
            }
            Ok(None) => Ok(Posted::Unclear { why, settle_at }),
            Err(error) => Ok(Posted::Unclear { why: error.to_string(), settle_at }),
        }
    }

    /// Sends a record that is surely not on the task, once. It has to be read back, whatever was answered.
    ///
    /// # Errors
    /// Where the journal cannot be written, or the record may be on the task.
    pub async fn send(
        &self,
        journal: &mut Journal,
        lock: &OutboxLock,
        deploy: DeployId,
        due: &Undelivered,
    ) -> Result<Attempt, JournalError> {
        let comment = match render(&due.record) {
            Ok(comment) => comment,
            // Of a record that was checked before the deploy it never comes to this.
            Err(error) => return Ok(Attempt::NotThere { why: error.to_string() }),
        };
        let at = Timestamp::now();
        let settle_at = self.settled_from(at);
        let event = due.event;
        let sending = Delivery::Sending { event, author: self.author.clone(), server: self.server.clone(), settle_at };
        journal.delivery(lock, deploy, at, sending)?;
        crash::point(points(event).0);
        if Timestamp::now() >= self.halfway(at) {
            // The disk or the process stood still: sent now, it could arrive after others take it for settled.
            let why = "it took too long to journal that it is sent".to_owned();
            journal.delivery(lock, deploy, Timestamp::now(), Delivery::NotSent { event, why: why.clone() })?;
            return Ok(Attempt::NotThere { why });
        }
        let sent = self.client.comment_once(due.record.task, &comment).await;
        crash::point(points(event).1);
        let why = match sent {
            Ok(edited) if !edited.transactions.is_empty() => "it was sent and could not be read back yet".to_owned(),
            Ok(_) => "the server took the comment and made nothing of it".to_owned(),
            Err(error) if error.reach() == Reach::DidNotAct => {
                let why = error.to_string();
                journal.delivery(lock, deploy, Timestamp::now(), Delivery::NotSent { event, why: why.clone() })?;
                return Ok(Attempt::NotThere { why });
            }
            Err(error) => error.to_string(),
        };
        let answered = Timestamp::now();
        let settle_at = settle_at.max(self.settled_from(answered));
        let unclear =
            Delivery::Unclear { event, why: why.clone(), settle_at: Some(settle_at), answer: Default::default() };
        journal.delivery(lock, deploy, answered, unclear)?;
        Ok(Attempt::Unclear { why, settle_at })
    }

    /// From when an attempt that was being made at this instant is settled.
    fn settled_from(&self, at: Timestamp) -> Timestamp {
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        at.checked_add(settle).unwrap_or(Timestamp::MAX)
    }

    /// Until when an attempt that was journalled at this instant may still be made.
    fn halfway(&self, at: Timestamp) -> Timestamp {
        let half = SignedDuration::try_from(self.settle / 2).unwrap_or(SignedDuration::MAX);
        at.checked_add(half).unwrap_or(Timestamp::MAX)
    }

    async fn read_back(
        &self,
        deploy: DeployId,
        due: &Undelivered,
    ) -> Result<Option<(TransactionId, Phid<Xact>)>, ConduitError> {
        let mut authors: Vec<Phid<User>> = due.authors.iter().cloned().collect();
        if !authors.contains(self.author) {
            authors.push(self.author.clone());
        }
        let task = due.record.task;
        let history = self.client.history_by(task, &authors).await?;
        let found = find(deploy, due.event, task, &history);
        if let (None, Some(row)) = (&found, history.first()) {
            // That it is not there is believed only of this very task.
            let asked = self.client.task(task).await?.result;
            if asked.is_none_or(|asked| asked.phid != row.task) {
                let why = format!("asked for {task} and got {}", row.task);
                return Err(Client::unexpected("transaction.search", why));
            }
        }
        Ok(found)
    }
}

/// Journals that a record was read on its task.
///
/// # Errors
/// Where the journal cannot be written.
pub fn found(
    journal: &mut Journal,
    lock: &OutboxLock,
    deploy: DeployId,
    event: Event,
    transaction: TransactionId,
    phid: Phid<Xact>,
) -> Result<(), JournalError> {
    journal.delivery(lock, deploy, Timestamp::now(), Delivery::Delivered { event, transaction, phid })?;
    crash::point(points(event).2);
    Ok(())
}

/// The crash points of a record's way: before it is sent, after, and when it is known to be there.
fn points(event: Event) -> (&'static str, &'static str, &'static str) {
    match event {
        Event::Started => ("after-sending-started", "after-post-started", "after-delivered-started"),
        Event::Finished => ("after-sending-finished", "after-post-finished", "after-delivered-finished"),
        Event::Recorded => ("after-sending-recorded", "after-post-recorded", "after-delivered-recorded"),
    }
}
