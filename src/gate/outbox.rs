//! The outbox as a whole: delivering all of it, and giving up a record that can never reach its task.
//!
//! Responsible for how often and for how long all of it is tried, and for what may be given up: what the server refused, and what has
//! no server or task any more; never what is merely unsent or unclear. Not responsible for delivering one deploy
//! ([`super::deliver`]), nor for keeping what was given up, which the journal does and each later record of this machine counts.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use super::deliver::{deliver, lock, not_ours};
use super::logged;
use super::stranded::{is_same_server, settle, take_over};
use super::{Context, Progress, Refusal, RefusalKind};
use crate::conduit::{self, Account, Client, ConduitError};
use crate::ids::{DeployId, TaskId};
use crate::journal::{Delivery, DeployLog, DeployState, EndOnTask, GivenUp, Phase};
use crate::publish::Patience;
use crate::record::Event;
use crate::time::utc;

/// How long one record may take in one pass.
const EACH: Duration = Duration::from_secs(30);
/// How many passes wait for attempts to settle; a server that takes a record and never shows it ends it.
const PASSES: u32 = 30;
/// How often it is looked whether another process has done its part.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How to deliver.
#[derive(Debug, Clone, Copy)]
pub struct Flush {
    /// Wait until all is settled.
    pub wait: bool,
    /// Send again what was refused.
    pub retry: bool,
}

/// What a flush looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flushed {
    /// What was undelivered when it began.
    pub due: Vec<(DeployId, Event)>,
    /// How many of them belong to another server.
    pub elsewhere: usize,
}

/// Delivers all that can be delivered to this server. What gates that are at work have queued since is theirs to send.
///
/// # Errors
/// Where the journal cannot be used, or the server does not say whose token it is.
pub async fn flush(
    context: &Context<'_>,
    journal: &mut impl DeployLog,
    how: Flush,
    progress: &mut impl Progress,
) -> Result<Flushed, Refusal> {
    take_over(context, journal, progress)?;
    let (mut here, mut elsewhere) = (Vec::new(), 0);
    let mut due = journal.undelivered()?;
    due.extend(journal.stranded()?.into_iter().filter(|deploy| !due.contains(deploy)).collect::<Vec<_>>());
    let mut looked_at = Vec::new();
    for deploy in due {
        let state = journal.state(deploy)?;
        looked_at.extend(state.outbox().into_iter().map(|due| (deploy, due.event)));
        match state.intent().server == *context.server {
            true => here.push(deploy),
            false => elsewhere += 1,
        }
    }
    if here.is_empty() {
        return Ok(Flushed { due: looked_at, elsewhere });
    }
    let owner = context.timed_client().whoami().await?.result;
    for pass in 0..PASSES {
        // A pass goes on as long as something arrives: a server that hangs does not hang the flush once for each record.
        let total = context.limit;
        let mut deadline = Instant::now() + total;
        for deploy in &here {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                progress.note("the server is slow to answer; the rest stays in the outbox");
                break;
            }
            settle(context, journal, *deploy, progress).await?;
            if !is_same_server(context, &owner, &journal.state(*deploy)?, progress).await? {
                continue;
            }
            // What is asked for once is sent once, and not again at each look.
            let retry = how.retry && pass == 0;
            let patience =
                Patience { retry, look_first: pass == 0, ..Patience::until(Instant::now() + EACH.min(left)) };
            if !deliver(context, &owner, journal, *deploy, patience, progress).await?.is_empty() {
                deadline = Instant::now() + total;
            }
        }
        if how.wait && pass == 0 {
            let all = here.clone();
            here = waited_for(context, journal, &owner, here, progress)?;
            let_others_send(context, journal, &owner, &all, progress).await?;
        }
        let Some(settles) = next_settled(journal, &here)?.filter(|_| how.wait) else { break };
        progress.note(&format!("waiting until {} to look again", utc(settles)));
        let pause = Duration::try_from(settles.duration_since(Timestamp::now())).unwrap_or_default();
        // Where another process settles it just now there is nothing to wait for but that process.
        tokio::time::sleep(pause.max(LOOK_AGAIN)).await;
    }
    Ok(Flushed { due: looked_at, elsewhere })
}

/// Waits for the gates at work whose records this token could not send: they send them in a moment, but for a command that
/// takes long, and for that nobody waits.
async fn let_others_send(
    context: &Context<'_>,
    journal: &impl DeployLog,
    owner: &Account,
    deploys: &[DeployId],
    progress: &mut impl Progress,
) -> Result<(), Refusal> {
    let is_theirs = |deploy: &DeployId| -> Result<bool, Refusal> {
        let state = journal.state(*deploy)?;
        let mut theirs = false;
        for due in state.outbox() {
            theirs |= not_ours(context, owner, journal, &state, &due)?.is_some();
        }
        Ok(theirs && journal.is_alive(*deploy)?)
    };
    let deadline = Instant::now() + EACH;
    for deploy in deploys {
        if is_theirs(deploy)? {
            progress
                .note(&format!("{}: waiting for the gate at work to send it", journal.state(*deploy)?.intent().task));
        }
        while is_theirs(deploy)? && Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

/// The deploys that are worth waiting for: a record that may have arrived, and that this token could not send again, is not.
fn waited_for(
    context: &Context<'_>,
    journal: &impl DeployLog,
    owner: &Account,
    deploys: Vec<DeployId>,
    progress: &mut impl Progress,
) -> Result<Vec<DeployId>, Refusal> {
    let mut ours = Vec::new();
    for deploy in deploys {
        let state = journal.state(deploy)?;
        let unclear = state.outbox().into_iter().filter(|due| matches!(due.phase, Phase::Unclear { .. }));
        let mut why = None;
        for due in unclear {
            why = why.or(not_ours(context, owner, journal, &state, &due)?.map(|why| (due.event, why)));
        }
        match why {
            Some((event, why)) => progress.warn(&format!(
                "{}: it is not clear whether `{}` arrived, and it is not waited for: {why}",
                state.intent().task,
                event.word()
            )),
            None => ours.push(deploy),
        }
    }
    Ok(ours)
}

/// When the last of the unclear attempts and the last of the unknown ends is settled; `None` where all is clear.
fn next_settled(journal: &impl DeployLog, deploys: &[DeployId]) -> Result<Option<Timestamp>, Refusal> {
    let mut last = None;
    for deploy in deploys {
        let state = journal.state(*deploy)?;
        let open = state.gone().filter(|_| !state.is_closed());
        let settled = state.outbox().into_iter().filter_map(|due| match due.phase {
            Phase::Unclear { settle_at, .. } => Some(settle_at),
            Phase::Ready | Phase::Refused { .. } => None,
        });
        last = last.max(settled.chain(open).max());
    }
    Ok(last)
}

/// A record that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUpRecord {
    /// Which record.
    pub event: Event,
    /// The task that it was for.
    pub task: TaskId,
    /// The server that it was for.
    pub server: Url,
}

/// Gives up what is undelivered of a deploy, and notes why. A server that is not the configured one is asked by a client without a token.
///
/// # Errors
/// Where any of it may still be delivered, nothing of it is undelivered, or the journal or the server cannot be used.
pub async fn give_up<E: Into<Refusal>>(
    context: &Context<'_>,
    journal: &mut impl DeployLog,
    (deploy, why): (DeployId, &str),
    without_token: impl FnOnce(&Url) -> Result<Client, E>,
    progress: &mut impl Progress,
) -> Result<Vec<GivenUpRecord>, Refusal> {
    take_over(context, journal, progress)?;
    let gone = place_gone(context, &journal.state(deploy)?, without_token).await?;
    let state = journal.state(deploy)?;
    let now = Timestamp::now();
    if gone.is_some() && state.gone().is_some_and(|settle_at| settle_at <= now) && state.owes_finished() {
        // Nobody can have put an end on a task that is not there.
        let owner = journal.own(deploy)?;
        journal.conclude(&owner, now, &EndOnTask::NotFound { read_at: now })?;
    }
    let state = journal.state(deploy)?;
    let due = state.outbox();
    if due.is_empty() {
        return Err(Refusal::usage(
            format!("nothing of deploy {deploy} waits in the outbox"),
            "`phabgate outbox list` shows what does",
        ));
    }
    let mut given_up = Vec::new();
    for record in &due {
        let because = match (gone, &record.phase) {
            (Some(gone), _) => gone,
            (None, Phase::Refused { .. }) => GivenUp::Refused,
            (None, Phase::Ready | Phase::Unclear { .. }) => {
                return Err(Refusal {
                    kind: RefusalKind::Denied,
                    message: format!(
                        "`{}` of deploy {deploy} is not given up: its server and its task are there, and did not refuse it",
                        record.event.word()
                    ),
                    hint: Some("`phabgate outbox flush --wait` delivers it".into()),
                });
            }
        };
        given_up.push((record.event, because));
    }
    let server = state.intent().server.clone();
    let Some(held) = lock(journal, &server, context.limit).await? else {
        return Err(Refusal {
            kind: RefusalKind::Incomplete,
            message: "another process holds the outbox".into(),
            hint: Some("try again once it has ended".into()),
        });
    };
    let mut done = Vec::new();
    for (event, because) in given_up {
        let (why, login) = (why.to_owned(), context.caller.login.clone());
        journal.delivery(&held, deploy, Timestamp::now(), Delivery::Dropped { event, because, why, login })?;
        context.log.write(&logged::dropped(context, state.intent().task, deploy, event));
        done.push(GivenUpRecord { event, task: state.intent().task, server: server.clone() });
    }
    Ok(done)
}

/// Whether the place of a record is gone: its server, or its task there. A hidden task looks as one that is gone.
async fn place_gone<E: Into<Refusal>>(
    context: &Context<'_>,
    state: &DeployState,
    without_token: impl FnOnce(&Url) -> Result<Client, E>,
) -> Result<Option<GivenUp>, Refusal> {
    let intent = state.intent();
    if intent.server != *context.server {
        // A URL that the configuration does not name any more, where no server answers. Asked without a token.
        let client = without_token(&intent.server).map_err(Into::into)?.within(context.limit);
        return match client.call_once::<Value>("conduit.ping", &Map::new()).await {
            Err(ConduitError { kind: conduit::Failure::NoConnection(unreached), .. }) if unreached.may_be_gone() => {
                Ok(Some(GivenUp::ServerGone))
            }
            _ => Ok(None),
        };
    }
    let found = context.timed_client().task(intent.task).await?.result;
    Ok(match (found, &intent.marks.task) {
        (None, _) => Some(GivenUp::TaskGone),
        (Some(found), Some(known)) if found.phid != *known => Some(GivenUp::ServerGone),
        (Some(_), _) => None,
    })
}
