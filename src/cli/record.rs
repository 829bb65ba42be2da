//! `record`: post the record of a deploy that was made by other means, or close one that was stranded.
//!
//! Responsible for the arguments, for asking, and for what is said in the end. Not responsible for the order of it
//! ([`crate::gate::record`]).

use jiff::Timestamp;
use serde::Serialize;

use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::next::{MENDED, Next};
use super::session::Session;
use super::ui::Ui;
use super::{Globals, TaskSubject};
use crate::evidence::Purpose;
use crate::gate::Refusal;
use crate::gate::record::{RecordEnd, RecordFlow, Recorder, StatedDeploy};
use crate::gate::stated_times::StatedTime;
use crate::gate::stranded::take_over;
use crate::ids::{DeployId, TransactionId};
use crate::journal::Phase;
use crate::record::comment::render;
use crate::record::{Event, Outcome, Record};
use crate::rules::Intent;
use crate::time;

/// The schema of `record --format json`.
pub(super) const SCHEMA: &str = "phabgate/record-posted/1";

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: TaskSubject,
    /// When it started, such as 2026-11-23T03:14Z, or '2026-11-23 03:14' or 03:14 of this host
    #[arg(long, value_name = "TIME", value_parser = stated)]
    started: Option<StatedTime>,
    /// When it ended; without a time, now
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "now", value_parser = stated)]
    finished: Option<StatedTime>,
    /// How it ended: succeeded, failed, rolled-back, or unknown where nobody saw
    #[arg(long, value_enum, value_name = "OUTCOME", hide_possible_values = true)]
    outcome: Option<RecordedEnd>,
    /// What was run
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// What the record should say besides
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Close this deploy, which was started and has no end
    #[arg(long, value_name = "ID", add = super::candidates::deploys())]
    deploy: Option<DeployId>,
    /// Post it without asking
    #[arg(long)]
    yes: bool,
}

/// How a deploy can have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RecordedEnd {
    Succeeded,
    Failed,
    RolledBack,
    Unknown,
}

impl From<RecordedEnd> for Outcome {
    fn from(ended: RecordedEnd) -> Self {
        match ended {
            RecordedEnd::Succeeded => Self::Succeeded,
            RecordedEnd::Failed => Self::Failed,
            RecordedEnd::RolledBack => Self::RolledBack,
            RecordedEnd::Unknown => Self::Unknown,
        }
    }
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    deploy: DeployId,
    event: Event,
    state: &'static str,
    transaction: Option<TransactionId>,
    /// The verdict on a deploy that started now; the record has that of its start.
    verdict_now: &'static str,
    record: &'a Record,
}

/// Runs `record`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the task cannot be seen, nobody said that it may
/// be posted, or the journal cannot be written.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?.showing(args.subject.show_restricted);
    session.caller_may_deploy(args.subject.deployer.as_deref())?;
    let task = session.task(&args.subject.task, ui)?;
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    let mut journal = session.journal()?;
    take_over(&session.context(), &mut journal, ui)?;
    session.warn_of_undelivered(ui);
    let stated = StatedDeploy {
        started: args.started,
        finished: args.finished,
        outcome: args.outcome.map(Outcome::from),
        command: args.command.clone(),
        note: args.note.clone(),
        ends: args.deploy,
    };
    // What is closed does not stand in its own way.
    let (context, intent) = (session.context(), Intent { deploy: args.deploy, ..args.subject.intent() });
    let flow = RecordFlow { context, question, intent, stated, asks: !args.yes };
    show(&flow.run(&mut journal, ui).await?, ui);
    Ok(Exit::Done)
}

impl Recorder for Ui {
    fn confirm(&mut self, record: &Record) -> Result<Option<bool>, Refusal> {
        if !can_ask() {
            return Ok(None);
        }
        let comment = render(record).map_err(|error| Refusal::usage(error.to_string(), "nothing was recorded"))?;
        self.words(&format!("\n{}\n\n", comment.words()));
        confirm(&format!("Post this on {}, for good?", record.task), self).map(Some)
    }
}

/// Reads a time as a person states it.
pub(super) fn stated(text: &str) -> Result<StatedTime, String> {
    if text == "now" {
        return Ok(StatedTime::Now);
    }
    time::stated(text, &Timestamp::now().to_zoned(crate::host::time_zone()?))
        .map(StatedTime::At)
        .map_err(|error| error.to_string())
}

fn show(end: &RecordEnd, ui: &mut Ui) {
    let RecordEnd { record, delivered, left, verdict_now: now } = end;
    let now = *now;
    let transaction =
        delivered.iter().find(|delivered| delivered.event == record.event).map(|delivered| delivered.transaction);
    if ui.is_json() {
        // Another process may have delivered it meanwhile.
        let state = left.as_ref().map_or("delivered", Phase::word);
        let Record { deploy, event, .. } = *record;
        ui.json(&Json { schema: SCHEMA, deploy, event, state, transaction, verdict_now: now, record });
        return;
    }
    let Record { task, verdict, .. } = record;
    let verdict = match record.started {
        Some(_) if verdict != now => format!("verdict when it started: {verdict}, now: {now}"),
        _ => format!("verdict: {verdict}"),
    };
    match left {
        // Where it stands was said when it was delivered.
        None => ui.data(&format!("recorded on {task} ({verdict}); nothing is left to do")),
        // What to do about it was said when it was refused.
        Some(Phase::Refused { .. }) => {
            let next = Next::new(MENDED, "outbox flush --retry", ui.invocation());
            ui.data(&format!("kept in the outbox: the server refused it on {task} ({verdict})\n{}", next.text()))
        }
        Some(Phase::Ready | Phase::Unclear { .. }) => {
            let next = Next::new("To deliver it", "outbox flush --wait", ui.invocation());
            ui.data(&format!("queued for {task} ({verdict}), and not known to be there\n{}", next.text()))
        }
    }
}
