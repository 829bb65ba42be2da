//! Saying a notice once.
//!
//! Responsible for what the store is given before and after each step, and for giving up: a notice of which nobody knows whether it was
//! written is looked for, and never sent again, since a missing notice is better than two. Not responsible for the order of sending and
//! looking, which [`crate::publish`] knows for all that is written on tasks.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Due, PostedNotice};
use crate::conduit::Transaction;
use crate::evidence::Evidence;
use crate::ids::TransactionId;
use crate::journal::ServerAnswer;
use crate::notice::{NoticeKey, parse, render};
use crate::publish::{Cause, Comment, Known, Patience, Placed, PublishLog, PublishOutcome, PublishProgress, Publisher};
use crate::serve::shared::SharedStore;
use crate::serve::store::{NoticeState, Store, StoreError};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How many readings that begin after the settle time have to miss an unclear notice before it is given up.
const READS: u32 = 2;

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SayOutcome {
    /// It is on the task.
    Said(TransactionId),
    /// It is not clear whether it is; from then on a reading settles it, by the host's clock.
    Unclear(Timestamp),
    /// It surely is not there, and can be sent again; why.
    NotSaid(String),
    /// It is not sent again; why.
    GivenUp(String),
}

/// Says a notice that neither the task nor the store knows.
///
/// # Errors
/// Where the store cannot be written; nothing is sent then.
pub async fn say<S: Store>(
    publisher: &Publisher,
    store: &SharedStore<S>,
    evidence: &Evidence,
    due: &Due,
) -> Result<SayOutcome, StoreError> {
    let Due { notice, words } = due;
    let key = notice.key();
    let mut log = NoticeLog { store, key: key.clone(), sent: None, is_unclear: false };
    let is_it = Box::new(move |row: &Transaction| {
        row.comments.iter().any(|version| parse(version.text()).is_some_and(|found| found.key() == key))
    });
    let phid = Some(evidence.task.phid.clone());
    let authors = vec![evidence.owner.phid.clone()];
    let mut comment = Comment { task: notice.task, phid, text: render(notice, words), authors, is_it };
    let patience = Patience::until(Instant::now() + ATTEMPT);
    Ok(match publisher.publish(&mut log, &mut comment, Known::Absent, patience).await? {
        PublishOutcome::Confirmed(placed) => SayOutcome::Said(placed.transaction),
        PublishOutcome::Unknown { settle_at, .. } => SayOutcome::Unclear(settle_at),
        PublishOutcome::NotApplied(not) if log.is_unclear || not.cause == Cause::Refused => {
            log.set(&NoticeState::GivenUp { at: Timestamp::now() })?;
            SayOutcome::GivenUp(not.why)
        }
        PublishOutcome::NotApplied(not) => SayOutcome::NotSaid(not.why),
    })
}

/// Settles the notices that may be on a task by what was read of it: those that are there were said, and those that two readings after
/// the settle time do not find are given up. `begun` is when the reading began, by the host's clock. Returns what is known of all
/// notices of the task then, and how many were given up.
///
/// # Errors
/// Where the store cannot be read or written.
pub fn settle<S: Store>(
    store: &mut S,
    task: crate::ids::TaskId,
    posted: &[PostedNotice],
    begun: Timestamp,
) -> Result<(Vec<(NoticeKey, NoticeState)>, usize), StoreError> {
    let (mut known, mut given_up) = (store.notices(task)?, 0);
    for (key, state) in &mut known {
        let NoticeState::Unclear { sent, settle_at, answer, reads } = *state else { continue };
        let found = posted.iter().find(|posted| posted.notice.key() == *key);
        let next = match found {
            Some(posted) => NoticeState::Said { transaction: posted.transaction, at: sent },
            None if begun < settle_at => continue,
            None if reads + 1 < READS => NoticeState::Unclear { sent, settle_at, answer, reads: reads + 1 },
            None => {
                given_up += 1;
                NoticeState::GivenUp { at: begun }
            }
        };
        store.set_notice(key, &next)?;
        *state = next;
    }
    Ok((known, given_up))
}

/// Keeps each step of one notice.
struct NoticeLog<'a, S: Store> {
    store: &'a SharedStore<S>,
    key: NoticeKey,
    /// When it was sent.
    sent: Option<Timestamp>,
    /// It may be on the task: it is never sent again.
    is_unclear: bool,
}

impl<S: Store> NoticeLog<'_, S> {
    fn set(&self, state: &NoticeState) -> Result<(), StoreError> {
        self.store.with(|store| store.set_notice(&self.key, state))
    }
}

impl<S: Store> PublishLog<Placed> for NoticeLog<'_, S> {
    type Error = StoreError;

    fn is_due(&mut self) -> Result<bool, StoreError> {
        Ok(!self.is_unclear)
    }

    fn note(&mut self, at: Timestamp, progress: PublishProgress<'_, Placed>) -> Result<(), StoreError> {
        let unclear = |sent, settle_at, answer| NoticeState::Unclear { sent, settle_at, answer, reads: 0 };
        match progress {
            PublishProgress::Sending { settle_at } => {
                self.sent = Some(at);
                self.set(&unclear(at, settle_at, ServerAnswer::Unclear))
            }
            PublishProgress::NotSent { .. } => self.set(&NoticeState::Absent),
            PublishProgress::Answered { settle_at, answer, .. } => {
                // What the database rolled back is surely not there.
                self.is_unclear = answer != ServerAnswer::RolledBack;
                self.set(&unclear(self.sent.unwrap_or(at), settle_at, answer))
            }
            PublishProgress::Missing { .. } if !self.is_unclear => self.set(&NoticeState::Absent),
            PublishProgress::Waiting { .. } | PublishProgress::Missing { .. } | PublishProgress::Refused { .. } => {
                Ok(())
            }
            PublishProgress::Confirmed(placed) => self.set(&NoticeState::Said { transaction: placed.transaction, at }),
        }
    }
}
