//! Delivering what is due: the records of the outbox that `run`, `record` and `outbox flush` publish.
//!
//! Responsible for which record is published when, and for what is said of it. Not for how one is published, which
//! [`crate::publish`] knows.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::exit::Failure;
use super::session::Session;
use super::ui::Ui;
use super::writing::completed;
use crate::conduit::Account;
use crate::evidence::records::is_believable;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::journal::{How, Journal, JournalError, OutboxLock, Phase};
use crate::publish::record::{RecordLog, comment, known};
use crate::publish::{Cause, Patience, Placed, Progress, PublishLog, PublishOutcome, Publisher};
use crate::record::Event;
use crate::text::inert;

/// A record that was delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered {
    pub(super) event: Event,
    pub(super) transaction: TransactionId,
}

/// Delivers what is due of one deploy, as far as that can be done without waiting for an attempt to settle. What is
/// not delivered stays in the outbox.
///
/// # Errors
/// Where the journal cannot be read or written.
pub(super) async fn deliver(
    session: &Session,
    owner: &Account,
    journal: &mut Journal,
    deploy: DeployId,
    patience: Patience,
    ui: &mut Ui,
) -> Result<Vec<Delivered>, Failure> {
    let mut delivered = Vec::new();
    for event in journal.state(deploy)?.outbox().into_iter().map(|due| due.event) {
        delivered.extend(deliver_one(session, owner, journal, (deploy, event), patience, ui).await?);
    }
    Ok(delivered)
}

async fn deliver_one(
    session: &Session,
    owner: &Account,
    journal: &mut Journal,
    (deploy, event): (DeployId, Event),
    patience: Patience,
    ui: &mut Ui,
) -> Result<Option<Delivered>, Failure> {
    let left = patience.deadline.saturating_duration_since(Instant::now());
    let Some(lock) = lock(journal, session.base(), left).await? else {
        let task = journal.state(deploy)?.intent().task;
        ui.warn(&format!("{task}: `{}` is not sent now: another process holds the outbox", event.word()));
        return Ok(None);
    };
    // Read under the lock: another process may have delivered it by now.
    let state = journal.state(deploy)?;
    let Some(mut due) = state.outbox().into_iter().find(|due| due.event == event) else {
        return Ok(None);
    };
    let task = due.record.task;
    // What was sent already is only looked for, which anybody may; but nothing is sent that nobody would believe.
    let policy = &session.settings.policy;
    if !matches!(due.phase, Phase::Unclear { .. }) && !is_believable(owner, &due.record, policy) {
        *due.record = completed(&due.record, state.intent(), owner, session.caller.uid);
        if !is_believable(owner, &due.record, policy) {
            let deployer = due.record.deployer.as_ref().map_or("nobody", |deployer| deployer.user.as_str());
            ui.warn(&format!(
                "{task}: `{}` is not sent: the token is that of {}, who is neither its deployer ({}) nor a recorder: \
                 nobody would believe it",
                event.word(),
                owner.username,
                inert(deployer)
            ));
            return Ok(None);
        }
    }
    let mut comment = match comment(&due, state.intent().marks.task.as_ref(), &owner.phid) {
        Ok(comment) => comment,
        Err(error) => {
            ui.warn(&format!("{task}: `{}` is not sent: {error}", event.word()));
            return Ok(None);
        }
    };
    let record = RecordLog { journal, lock: &lock, deploy, event, author: &owner.phid };
    let mut log = Spoken { record, task, ui };
    let outcome = publisher(session).publish(&mut log, &mut comment, known(&due), patience).await?;
    drop(lock);
    Ok(match outcome {
        PublishOutcome::Confirmed(Placed { transaction, .. }) => {
            say_delivered(session, task, event, transaction, ui);
            Some(Delivered { event, transaction })
        }
        PublishOutcome::Unknown { why, .. } => {
            ui.note(&format!("{task}: it is not clear yet whether `{}` arrived: {why}", event.word()));
            None
        }
        PublishOutcome::NotApplied(not) => {
            // Whether the task is restricted is not known here, so that the server's own words are not shown.
            if not.cause == Cause::Refused {
                say_refused(task, event, &not.why, ui);
            }
            None
        }
    })
}

/// Who publishes.
pub(super) fn publisher(session: &Session) -> Publisher {
    Publisher { client: session.client.clone(), settle: session.settings.record.settle }
}

/// Journals each step of a record, and says where it has to be sent again.
pub(super) struct Spoken<'a> {
    pub(super) record: RecordLog<'a>,
    pub(super) task: TaskId,
    pub(super) ui: &'a mut Ui,
}

impl PublishLog<Placed> for Spoken<'_> {
    type Error = JournalError;

    fn is_due(&mut self) -> Result<bool, JournalError> {
        self.record.is_due()
    }

    fn note(&mut self, at: Timestamp, progress: Progress<'_, Placed>) -> Result<(), JournalError> {
        let (task, word) = (self.task, self.record.event.word());
        match progress {
            Progress::NotSent { why } => self.ui.note(&format!("{task}: `{word}` did not arrive: {why}")),
            Progress::Missing { .. } => self.ui.note(&format!("{task}: `{word}` is surely not on the task")),
            _ => {}
        }
        self.record.note(at, progress)
    }
}

/// Says that a record is on its task, and where.
pub(super) fn say_delivered(session: &Session, task: TaskId, event: Event, transaction: TransactionId, ui: &mut Ui) {
    ui.note(&format!("{task}: `{}` is on the task: {}#{transaction}", event.word(), task.url(session.base())));
}

/// Says that the server refused a record, and what to do.
pub(super) fn say_refused(task: TaskId, event: Event, why: &str, ui: &mut Ui) {
    ui.warn(&format!("{task}: `{}` was refused and is not on the task: {why}", event.word()));
    ui.hint(&format!(
        "let the token's account comment on {task}: its status may lock it or demand multi-factor authentication, the \
         server may be read-only, or a filter or a redirect may be in the way; it is sent again once {task} or its status changes, or \
         by `phabgate outbox flush --retry`"
    ));
}

/// The right to send to a server, where it can be had in time. Other senders hold it for a few calls at the most.
pub(super) async fn lock(journal: &Journal, server: &Url, limit: Duration) -> Result<Option<OutboxLock>, Failure> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(lock) = journal.lock_outbox(server, How::TryNow)? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
