//! Delivering what is due: the records of the outbox that `run`, `record` and `outbox flush` publish.
//!
//! Responsible for which record is published when, and for what is said of it. Not for how one is published, which
//! [`crate::publish`] knows.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::recording::completed;
use super::{Context, Progress as Saying, Refusal};
use crate::conduit::Account;
use crate::evidence::records::is_believable;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::journal::{DeployLog, DeployState, JournalError, LockWait, OutboxLock, Phase, Undelivered};
use crate::publish::record::{RecordLog, comment, known};
use crate::publish::{Cause, Patience, Placed, PublishLog, PublishOutcome, PublishProgress, Publisher};
use crate::record::{Event, Record};
use crate::text::inert;

/// A record that was delivered.
#[derive(Debug, Clone, Copy)]
pub struct Delivered {
    /// Which record.
    pub event: Event,
    /// The comment that holds it.
    pub transaction: TransactionId,
}

/// Delivers what is due of one deploy, as far as that can be done without waiting for an attempt to settle. What is
/// not delivered stays in the outbox.
///
/// # Errors
/// Where the journal cannot be read or written.
pub async fn deliver(
    context: &Context<'_>,
    owner: &Account,
    journal: &mut impl DeployLog,
    deploy: DeployId,
    patience: Patience,
    progress: &mut impl Saying,
) -> Result<Vec<Delivered>, Refusal> {
    let mut delivered = Vec::new();
    for event in journal.state(deploy)?.outbox().into_iter().map(|due| due.event) {
        delivered.extend(deliver_one(context, owner, journal, (deploy, event), patience, progress).await?);
    }
    Ok(delivered)
}

/// Why nobody would believe a record that is sent with this token.
fn not_believed(owner: &Account, record: &Record) -> String {
    let deployer = record.deployer.as_ref().map_or("nobody", |deployer| deployer.user.as_str());
    format!(
        "the token is that of {}, who is neither its deployer ({}) nor a recorder: nobody would believe it",
        owner.username,
        inert(deployer)
    )
}

/// Why a record cannot be sent with this token, or not by this process; `None` where it can.
pub(super) fn not_ours(
    context: &Context<'_>,
    owner: &Account,
    journal: &impl DeployLog,
    state: &DeployState,
    due: &Undelivered,
) -> Result<Option<String>, JournalError> {
    let record = completed(&due.record, state.intent(), owner, context.caller.uid);
    if !is_believable(owner, &record, context.policy) {
        return Ok(Some(not_believed(owner, &record)));
    }
    if !would_end(context, owner, state, due.event) {
        return Ok(Some(format!(
            "the token is that of {}, and another account has sent that the deploy started: from this one it would be no end of it",
            owner.username
        )));
    }
    // Sent with the token that the deploy was run with it counts for what that token counts for.
    let is_others = state.intent().identity.phid.as_ref().is_some_and(|phid| *phid != owner.phid);
    Ok((is_others && journal.is_alive(state.deploy())?).then(|| "its gate is at work, and sends it itself".to_owned()))
}

/// Whether a record by this account would be an end of what was sent already: a recorder's is, and that of who sent the start.
fn would_end(context: &Context<'_>, owner: &Account, state: &DeployState, event: Event) -> bool {
    let started = state.record(Event::Started).filter(|started| event != Event::Started && started.may_be_on_task());
    let is_recorder = context.policy.recorders.iter().any(|recorder| owner.is_named(recorder));
    is_recorder || started.is_none_or(|started| started.authors.contains(&owner.phid))
}

async fn deliver_one(
    context: &Context<'_>,
    owner: &Account,
    journal: &mut impl DeployLog,
    (deploy, event): (DeployId, Event),
    patience: Patience,
    progress: &mut impl Saying,
) -> Result<Option<Delivered>, Refusal> {
    let left = patience.deadline.saturating_duration_since(Instant::now());
    let Some(lock) = lock(journal, context.server, left).await? else {
        let task = journal.state(deploy)?.intent().task;
        progress.warn(&format!("{task}: `{}` is not sent now: another process holds the outbox", event.word()));
        return Ok(None);
    };
    // Read under the lock: another process may have delivered it by now.
    let state = journal.state(deploy)?;
    let Some(mut due) = state.outbox().into_iter().find(|due| due.event == event) else {
        return Ok(None);
    };
    let task = due.record.task;
    // What was sent already is only looked for, which anybody may; but nothing is sent that nobody would believe.
    if !matches!(due.phase, Phase::Unclear { .. }) {
        if let Some(why) = not_ours(context, owner, journal, &state, &due)? {
            progress.warn(&format!("{task}: `{}` is not sent: {why}", event.word()));
            return Ok(None);
        }
        if !is_believable(owner, &due.record, context.policy) {
            *due.record = completed(&due.record, state.intent(), owner, context.caller.uid);
        }
    }
    let mut comment = match comment(&due, state.intent().marks.task.as_ref(), &owner.phid) {
        Ok(comment) => comment,
        Err(error) => {
            progress.warn(&format!("{task}: `{}` is not sent: {error}", event.word()));
            return Ok(None);
        }
    };
    let record = RecordLog { journal, lock: &lock, deploy, event, author: &owner.phid };
    let mut log = DeliveryLog { record, task, saying: progress };
    let outcome = publisher(context).publish(&mut log, &mut comment, known(&due), patience).await?;
    drop(lock);
    Ok(match outcome {
        PublishOutcome::Confirmed(Placed { transaction, .. }) => {
            say_delivered(context, task, event, transaction, progress);
            Some(Delivered { event, transaction })
        }
        PublishOutcome::Unknown { why, .. } => {
            progress.note(&format!("{task}: it is not clear yet whether `{}` arrived: {why}", event.word()));
            None
        }
        PublishOutcome::NotApplied(not) => {
            // Whether the task is restricted is not known here, so that the server's own words are not shown.
            if not.cause == Cause::Refused {
                say_refused(task, event, &not.why, progress);
            }
            None
        }
    })
}

/// Who publishes.
pub fn publisher(context: &Context<'_>) -> Publisher {
    Publisher { client: context.client.clone(), settle: context.settle }
}

/// Journals each step of a record, and says where it has to be sent again.
pub struct DeliveryLog<'a, P, L> {
    pub(super) record: RecordLog<'a, L>,
    pub(super) task: TaskId,
    pub(super) saying: &'a mut P,
}

impl<P: Saying, L: DeployLog> PublishLog<Placed> for DeliveryLog<'_, P, L> {
    type Error = JournalError;

    fn is_due(&mut self) -> Result<bool, JournalError> {
        self.record.is_due()
    }

    fn note(&mut self, at: Timestamp, step: PublishProgress<'_, Placed>) -> Result<(), JournalError> {
        let (task, word) = (self.task, self.record.event.word());
        match step {
            PublishProgress::NotSent { why } => self.saying.note(&format!("{task}: `{word}` did not arrive: {why}")),
            PublishProgress::Missing { .. } => self.saying.note(&format!("{task}: `{word}` is surely not on the task")),
            _ => {}
        }
        self.record.note(at, step)
    }
}

/// Says that a record is on its task, and where.
pub fn say_delivered(
    context: &Context<'_>,
    task: TaskId,
    event: Event,
    transaction: TransactionId,
    progress: &mut impl Saying,
) {
    progress.note(&format!("{task}: `{}` is on the task: {}#{transaction}", event.word(), task.url(context.server)));
}

/// Says that the server refused a record, and what to do.
pub fn say_refused(task: TaskId, event: Event, why: &str, progress: &mut impl Saying) {
    progress.warn(&format!("{task}: `{}` was refused and is not on the task: {why}", event.word()));
    progress.hint(&format!(
        "let the token's account comment on {task}: its status may lock it or demand multi-factor authentication, the \
         server may be read-only, or a filter or a redirect may be in the way; it is sent again once {task} or its status changes, or \
         by `phabgate outbox flush --retry`"
    ));
}

/// The right to send to a server, where it can be had in time. Other senders hold it for a few calls at the most.
pub async fn lock(journal: &impl DeployLog, server: &Url, limit: Duration) -> Result<Option<OutboxLock>, Refusal> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(lock) = journal.lock_outbox(server, LockWait::TryNow)? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
