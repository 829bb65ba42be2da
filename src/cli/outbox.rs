//! `outbox`: what is undelivered, and delivering it.

use serde::Serialize;

use super::Globals;
use super::exit::{Exit, Failure};
use super::next::{MENDED, NOW, Next};
use super::session::{Session, environment, settings};
use super::ui::Ui;
use crate::gate::outbox::{self, Flush, Flushed};
use crate::ids::DeployId;
use crate::journal::{EntryState, Journal, OutboxEntry};
use crate::layout::{FAINT, MIND, NAME, hanging, styled};
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
        #[arg(value_name = "ID", add = super::candidates::deploys())]
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
        OutboxCommand::Drop { deploy, why } => give_up(*deploy, why, globals, ui).await,
    }
}

async fn flush(how: Flush, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    let mut journal = session.journal()?;
    let Flushed { due, elsewhere } = outbox::flush(&session.context(), &mut journal, how, ui).await?;
    if elsewhere > 0 {
        ui.warn(&format!("the outbox holds deploys on another server than {}: {elsewhere}", session.base()));
    }
    let mut entries = journal.outbox()?;
    // What was queued since by a gate at work is on its way.
    entries
        .retain(|entry| due.contains(&(entry.deploy, entry.event)) || !journal.is_alive(entry.deploy).unwrap_or(false));
    let exit = if entries.is_empty() { Exit::Done } else { Exit::Incomplete };
    show(entries, ui);
    Ok(exit)
}

async fn give_up(deploy: DeployId, why: &str, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let why = inert(why.trim());
    if why.is_empty() {
        return Err(Failure::usage("--why is empty", "say why the record is given up: it stays in the journal"));
    }
    let session = Session::open(globals).await?;
    let mut journal = session.journal()?;
    let without_token = |server: &url::Url| session.without_token(server);
    for given_up in outbox::give_up(&session.context(), &mut journal, (deploy, &why), without_token, ui).await? {
        ui.data(&format!(
            "gave up `{}` of {} on {}: it stays in the journal, and later records of this machine count it",
            given_up.event.word(),
            given_up.task,
            given_up.server
        ));
    }
    Ok(Exit::Done)
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
        return ui.data("nothing is undelivered; nothing is to be done");
    }
    let page: String = undelivered.iter().map(|entry| text(entry, ui.width())).collect();
    // What the server refused is not sent again by itself.
    let is_refused = undelivered.iter().all(|entry| matches!(entry.state, EntryState::Refused));
    let (when, words) = match is_refused {
        true => (MENDED, "outbox flush --retry"),
        false => (NOW, "outbox flush --wait"),
    };
    ui.data(&format!("{page}\n{}", Next::new(when, words, ui.invocation()).text()));
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
