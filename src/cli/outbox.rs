//! `outbox`: what is undelivered, and delivering it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::{Session, environment, settings};
use super::ui::{FAINT, MIND, NAME, Ui, hanging, styled};
use crate::gate::deliver::deliver;
use crate::gate::stranded::{is_same_server, settle, take_over};
use crate::ids::DeployId;
use crate::journal::{EntryState, Journal, OutboxEntry, Phase};
use crate::publish::Patience;
use crate::text::inert;
use crate::time::utc;

/// The schema of `outbox list --format json` and of `outbox flush --format json`.
pub(super) const SCHEMA: &str = "phabgate/outbox/1";

/// Arguments of `outbox`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Debug, clap::Subcommand)]
enum OutboxCommand {
    /// List the records that are not known to be on their task
    List,
    /// Deliver them; safe to run from cron, by several processes
    Flush {
        /// Wait until it is settled for each of them whether it arrived
        #[arg(long)]
        wait: bool,
        /// Send again what the server refused, though its task looks as it did
        #[arg(long)]
        retry: bool,
    },
    /// Give up what the server refused, or what has no server or task any more
    Drop {
        /// The deploy, as `outbox list` names it
        #[arg(value_name = "ID")]
        deploy: DeployId,
        /// Why; it stays in the journal
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
}

impl Args {
    /// Whether it only lists.
    pub(super) fn lists(&self) -> bool {
        matches!(self.command, OutboxCommand::List)
    }

    /// Whether a record is given up.
    pub(super) fn drops(&self) -> bool {
        matches!(self.command, OutboxCommand::Drop { .. })
    }
}

/// What is undelivered, for programs.
#[derive(Debug, Serialize)]
struct Json {
    schema: &'static str,
    undelivered: Vec<OutboxEntry>,
}

/// Runs `outbox`.
///
/// # Errors
/// Where the configuration, the credentials or the journal cannot be used.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    match &args.command {
        OutboxCommand::List => list(globals, ui),
        OutboxCommand::Flush { wait, retry } => flush(Flush { wait: *wait, retry: *retry }, globals, ui).await,
        OutboxCommand::Drop { deploy, why } => super::outbox_drop::drop(*deploy, why, globals, ui).await,
    }
}

fn list(globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let state = settings(globals, &environment(globals)?)?.state;
    let entries = match Journal::open_read_only(&state)? {
        Some(journal) => journal.outbox()?,
        None => Vec::new(),
    };
    let exit = if entries.is_empty() { Exit::Done } else { Exit::Incomplete };
    show(entries, ui);
    Ok(exit)
}

fn show(undelivered: Vec<OutboxEntry>, ui: &mut Ui) {
    if ui.is_json() {
        return ui.json(&Json { schema: SCHEMA, undelivered });
    }
    if undelivered.is_empty() {
        return ui.data("nothing is undelivered");
    }
    let page: String = undelivered.iter().map(|entry| text(entry, ui.width())).collect();
    ui.data(&page);
}

fn text(entry: &OutboxEntry, width: usize) -> String {
    let state = match entry.state {
        EntryState::Ready => styled(MIND, "not on the task"),
        EntryState::Unclear => styled(MIND, "not clear whether it is on the task"),
        EntryState::Stranded => {
            styled(MIND, "not written yet: the gate was killed, and nobody has settled how it ended")
        }
        EntryState::Refused => styled(MIND, "not on the task, the server refused it"),
    };
    let mut lines = format!("{} {} {state}\n", styled(NAME, &entry.task.to_string()), entry.event.word());
    let attempts = match entry.attempts {
        0 => "never sent".to_owned(),
        1 => "sent once".to_owned(),
        more => format!("sent {more} times"),
    };
    let mut about = format!("queued {}, {attempts}", utc(entry.since));
    if let Some(next) = entry.next_try_at {
        about.push_str(&format!(", settled from {}", utc(next)));
    }
    lines.push_str(&hanging("  ", 2, &about, width));
    if let Some(error) = &entry.last_error {
        lines.push_str(&hanging("  ", 2, &inert(error), width));
    }
    lines.push_str(&hanging("  ", 2, &format!("for {}", inert(entry.server.as_str())), width));
    lines.push_str(&format!("  {}\n", styled(FAINT, &format!("deploy {}", entry.deploy))));
    lines
}

/// How long one record may take in one pass.
const EACH: Duration = Duration::from_secs(30);
/// How many passes wait for attempts to settle; a server that takes a record and never shows it ends it.
const PASSES: u32 = 30;

/// How to deliver.
#[derive(Debug, Clone, Copy)]
struct Flush {
    /// Wait until all is settled.
    wait: bool,
    /// Send again what was refused.
    retry: bool,
}

async fn flush(how: Flush, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    let mut journal = session.journal()?;
    take_over(&session.context(), &mut journal, ui)?;
    let elsewhere = deliver_all(&session, &mut journal, how, ui).await?;
    if elsewhere > 0 {
        ui.warn(&format!("{elsewhere} deploy(s) are on another server than {}", session.base()));
    }
    let entries = journal.outbox()?;
    let exit = if entries.is_empty() { Exit::Done } else { Exit::Incomplete };
    show(entries, ui);
    Ok(exit)
}

/// Delivers all that can be delivered to this server; returns how many deploys belong to another.
async fn deliver_all(session: &Session, journal: &mut Journal, how: Flush, ui: &mut Ui) -> Result<usize, Failure> {
    let (mut here, mut elsewhere) = (Vec::new(), 0);
    let mut due = journal.undelivered()?;
    due.extend(journal.stranded()?.into_iter().filter(|deploy| !due.contains(deploy)).collect::<Vec<_>>());
    for deploy in due {
        match journal.state(deploy)?.intent().server == *session.base() {
            true => here.push(deploy),
            false => elsewhere += 1,
        }
    }
    if here.is_empty() {
        return Ok(elsewhere);
    }
    let owner = session.timed_client().whoami().await?.result;
    for pass in 0..PASSES {
        // A pass goes on as long as something arrives: a server that hangs does not hang the flush once for each record.
        let total = session.settings.http.total;
        let mut deadline = Instant::now() + total;
        for deploy in &here {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                ui.note("the server is slow to answer; the rest stays in the outbox");
                break;
            }
            settle(&session.context(), journal, *deploy, ui).await?;
            if !is_same_server(&session.context(), &owner, &journal.state(*deploy)?, ui).await? {
                continue;
            }
            // What is asked for once is sent once, and not again at each look.
            let retry = how.retry && pass == 0;
            let patience =
                Patience { retry, look_first: pass == 0, ..Patience::until(Instant::now() + EACH.min(left)) };
            if !deliver(&session.context(), &owner, journal, *deploy, patience, ui).await?.is_empty() {
                deadline = Instant::now() + total;
            }
        }
        let Some(settles) = next_settled(journal, &here)?.filter(|_| how.wait) else { break };
        ui.note(&format!("waiting until {} to look again", utc(settles)));
        let pause = Duration::try_from(settles.duration_since(Timestamp::now())).unwrap_or_default();
        tokio::time::sleep(pause).await;
    }
    Ok(elsewhere)
}

/// When the last of the unclear attempts and the last of the unknown ends is settled; `None` where all is clear.
fn next_settled(journal: &Journal, deploys: &[DeployId]) -> Result<Option<Timestamp>, Failure> {
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
