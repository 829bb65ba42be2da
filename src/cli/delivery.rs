//! Delivering what is due: the loop around the postman that `run`, `record` and `outbox flush` share.
//!
//! In the room: when the next step is taken, and what is said of it. Not in the room: the step itself, which is in
//! [`crate::record::post`].

use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::exit::Failure;
use super::session::Session;
use super::ui::Ui;
use super::writing::{completed, is_believed};
use crate::conduit::Account;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::journal::{How, Journal, OutboxLock, Phase};
use crate::record::Event;
use crate::record::post::{Posted, Postman};
use crate::text::inert;

/// How often one record is sent in one delivery. Only what surely did not arrive is sent again.
const SENDS: u32 = 3;
/// The pause before it is sent again.
const PAUSE: Duration = Duration::from_millis(300);

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
    limit: Duration,
    ui: &mut Ui,
) -> Result<Vec<Delivered>, Failure> {
    let deadline = Instant::now() + limit;
    let mut delivered = Vec::new();
    for event in journal.state(deploy)?.outbox().into_iter().map(|due| due.event) {
        delivered.extend(deliver_one(session, owner, journal, (deploy, event), deadline, ui).await?);
    }
    Ok(delivered)
}

async fn deliver_one(
    session: &Session,
    owner: &Account,
    journal: &mut Journal,
    (deploy, event): (DeployId, Event),
    deadline: Instant,
    ui: &mut Ui,
) -> Result<Option<Delivered>, Failure> {
    for _ in 0..SENDS {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(lock) = lock(journal, session.base(), left).await? else { return Ok(None) };
        // Read under the lock: another process may have delivered it by now.
        let state = journal.state(deploy)?;
        let Some(mut due) = state.outbox().into_iter().find(|due| due.event == event) else {
            return Ok(None);
        };
        // What was sent already is only looked for, which anybody may; but nothing is sent that nobody would believe.
        let recorders = &session.settings.policy.recorders;
        if due.phase == Phase::Ready && !is_believed(owner, &due.record, recorders) {
            *due.record = completed(&due.record, state.intent(), owner, session.caller.uid);
            if !is_believed(owner, &due.record, recorders) {
                let deployer = due.record.deployer.as_ref().map_or("nobody", |deployer| deployer.user.as_str());
                ui.warn(&format!(
                    "{}: `{}` is not sent: the token is that of {}, who is neither its deployer ({}) nor a recorder: \
                     nobody would believe it",
                    due.record.task,
                    event.word(),
                    owner.username,
                    inert(deployer)
                ));
                return Ok(None);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let postman = postman(session, owner, left);
        let posted = postman.step(journal, &lock, deploy, &due).await?;
        drop(lock);
        let task = due.record.task;
        match posted {
            Posted::There { transaction } => {
                say_delivered(session, task, event, transaction, ui);
                return Ok(Some(Delivered { event, transaction }));
            }
            Posted::Unclear { why, .. } => {
                ui.note(&format!("{task}: it is not clear yet whether `{}` arrived: {why}", event.word()));
                return Ok(None);
            }
            Posted::NotThere { why } => {
                ui.note(&format!("{task}: `{}` did not arrive: {why}", event.word()));
                tokio::time::sleep(PAUSE.min(left)).await;
            }
        }
    }
    Ok(None)
}

/// Who posts, for as long as there is time.
pub(super) fn postman<'a>(session: &'a Session, owner: &'a Account, left: Duration) -> Postman<'a> {
    let settle = session.settings.record.settle;
    Postman { client: session.client.within(left), server: session.base(), author: &owner.phid, settle }
}

/// Says that a record is on its task, and where.
pub(super) fn say_delivered(session: &Session, task: TaskId, event: Event, transaction: TransactionId, ui: &mut Ui) {
    ui.note(&format!("{task}: `{}` is on the task: {}#{transaction}", event.word(), task.url(session.base())));
}

/// The right to send, where it can be had in time. Other senders hold it for a few calls at the most.
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
