//! `record`: post the record of a deploy that was made by other means, or close one that was stranded.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::check::Reading;
use super::delivery::{Delivered, deliver};
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use super::writing::{author_may_write, identity, marks, template};
use super::{Globals, Subject};
use crate::crash;
use crate::evidence::records::{Standing, in_flight};
use crate::evidence::{Evidence, Purpose};
use crate::ids::{DeployId, TransactionId};
use crate::journal::{self, Journal, Step, Way};
use crate::record::{Event, Outcome, Record};

/// The schema of `record --format json`.
pub(super) const SCHEMA: &str = "phabgate/record-posted/1";

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: Subject,
    /// When it started, such as 2026-11-23T03:14Z or '2026-11-23 03:14' of this host
    #[arg(long, value_name = "TIME", value_parser = time)]
    started: Option<Timestamp>,
    /// When it ended; without a time, now
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "now", value_parser = time)]
    finished: Option<Timestamp>,
    /// How it ended: succeeded, failed, rolled-back, or unknown where nobody saw
    #[arg(long, value_enum, value_name = "OUTCOME", hide_possible_values = true)]
    outcome: Option<Ended>,
    /// What was run
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// What the record should say besides
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Close this deploy, which was started and has no end
    #[arg(long, value_name = "ID")]
    deploy: Option<DeployId>,
}

/// How a deploy can have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ended {
    Succeeded,
    Failed,
    RolledBack,
    Unknown,
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Succeeded => Self::Succeeded,
            Ended::Failed => Self::Failed,
            Ended::RolledBack => Self::RolledBack,
            Ended::Unknown => Self::Unknown,
        }
    }
}

/// A time as people write it: with an offset, or of this host.
fn time(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp());
    let parsed = text.parse::<Timestamp>().ok().or_else(local);
    parsed.ok_or_else(|| "write a time such as 2026-11-23T03:14Z or '2026-11-23 03:14'".to_owned())
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    deploy: DeployId,
    event: Event,
    state: &'static str,
    transaction: Option<TransactionId>,
    record: &'a Record,
}

/// Runs `record`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the task cannot be seen, or the journal cannot
/// be written.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    let task = session.task(&args.subject.task)?;
    check_times(args)?;
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    let mut journal = session.journal()?;
    for deploy in journal.recover_stranded(Timestamp::now())? {
        ui.warn(&format!("the gate of deploy {deploy} was killed; what it left unsaid is recorded"));
    }
    session.tell_undelivered(ui);
    let read = Reading::new(&session).once(&question, &args.subject.intent()).await;
    if read.evidence.is_none() && read.exit() != Exit::Incomplete {
        return Err(read.refused());
    }
    let mut record = template(&read, &question, &args.subject, &session);
    record.event = Event::Recorded;
    record.started = args.started;
    record.finished = args.finished;
    record.outcome = args.outcome.map(Outcome::from);
    record.note.clone_from(&args.note);
    // One text, as a person wrote it: shown as it is, with its secrets masked.
    let masked = |command: &String| session.settings.record.mask.arguments(std::slice::from_ref(command)).concat();
    record.command = args.command.as_ref().map(masked);
    if let Some(deploy) = args.deploy {
        close(&mut record, deploy, read.evidence.as_deref().ok_or_else(|| read.refused())?, &session)?;
    }
    if let Some(evidence) = &read.evidence {
        author_may_write(evidence, &record, &session)?;
    }
    let owner = read.evidence.as_ref().map(|evidence| evidence.owner.clone());
    let queued = queue(&mut journal, &session, read.evidence.as_deref(), &record)?;
    let delivered = match &owner {
        Some(owner) => deliver(&session, owner, &mut journal, queued.deploy, session.settings.http.total, ui).await?,
        None => {
            // What was done is recorded whether or not the tracker is there; with what little can be known without it.
            ui.warn(&read.refused().message);
            Vec::new()
        }
    };
    show(&queued, &delivered, ui);
    Ok(Exit::Done)
}

fn check_times(args: &Args) -> Result<(), Failure> {
    let now = Timestamp::now();
    for (flag, time) in [("--started", args.started), ("--finished", args.finished)] {
        if let Some(time) = time.filter(|time| *time > now) {
            return Err(Failure::usage(
                format!("{flag} {time} is in the future"),
                "give the time at which it happened",
            ));
        }
    }
    match (args.started, args.finished) {
        (Some(started), Some(finished)) if finished < started => {
            Err(Failure::usage("--finished is before --started", "give the times in their order"))
        }
        _ => Ok(()),
    }
}

/// Makes the record the end of a deploy that the task shows as started.
fn close(record: &mut Record, deploy: DeployId, evidence: &Evidence, session: &Session) -> Result<(), Failure> {
    let records = evidence.records(&session.settings.policy, None);
    let begins = |standing: &&Standing| standing.record.deploy == deploy && standing.record.event == Event::Started;
    let Some(started) = records.iter().find(begins) else {
        return Err(Failure::usage(
            format!("no record on {} says that the deploy {deploy} started", record.task),
            format!("`phabgate history {}` shows the deploys", record.task),
        ));
    };
    // What the rule `in-flight` does not believe is no end here either.
    if !in_flight(&records).iter().any(|standing| standing.record.deploy == deploy) {
        return Err(Failure::usage(
            format!("the deploy {deploy} has an end already"),
            format!("`phabgate history {}` shows it; leave --deploy out to record another deploy", record.task),
        ));
    }
    let begun = &started.record;
    *record = Record {
        event: Event::Finished,
        deploy,
        deployer: begun.deployer.clone(),
        behind: begun.behind.clone(),
        reason: begun.reason.clone(),
        action: begun.action.clone(),
        change: begun.change.clone(),
        command: record.command.take().or_else(|| begun.command.clone()),
        approvals: begun.approvals.clone(),
        verdict: begun.verdict.clone(),
        failed: begun.failed.clone(),
        policy: begun.policy.clone(),
        started: record.started.or(Some(started.moment.time)),
        outcome: record.outcome.or(Some(Outcome::Unknown)),
        drill: begun.drill,
        ..record.clone()
    };
    Ok(())
}

/// Journals the record. A deploy of this host that was closed by the journal itself gets a record of its own beside it.
fn queue(
    journal: &mut Journal,
    session: &Session,
    evidence: Option<&Evidence>,
    record: &Record,
) -> Result<Record, Failure> {
    let mut record = record.clone();
    let owner = journal.own(record.deploy)?;
    crash::point("after-own");
    if journal.knows(record.deploy)? {
        record.event = Event::Recorded;
    } else {
        let intent = journal::Intent {
            way: Way::Record,
            task: record.task,
            server: session.base().clone(),
            template: Box::new(record.clone()),
            identity: identity(evidence.map(|evidence| &evidence.owner), session),
            marks: marks(evidence),
        };
        journal.step(&owner, Timestamp::now(), Step::Intent(Box::new(intent)))?;
        crash::point("after-intent");
    }
    journal.step(&owner, Timestamp::now(), Step::Queued { record: Box::new(record.clone()) })?;
    crash::point("after-queued-recorded");
    if !journal.state(record.deploy)?.is_closed() {
        journal.step(&owner, Timestamp::now(), Step::Closed)?;
    }
    crash::point("after-closed");
    Ok(record)
}

fn show(record: &Record, delivered: &[Delivered], ui: &mut Ui) {
    let transaction =
        delivered.iter().find(|delivered| delivered.event == record.event).map(|delivered| delivered.transaction);
    if ui.is_json() {
        let state = if transaction.is_some() { "delivered" } else { "queued" };
        ui.json(&Json { schema: SCHEMA, deploy: record.deploy, event: record.event, state, transaction, record });
        return;
    }
    let Record { task, verdict, .. } = record;
    match transaction {
        // Where it stands was said when it was delivered.
        Some(_) => ui.data(&format!("recorded on {task} (verdict: {verdict})")),
        None => ui.data(&format!("queued for {task} (verdict: {verdict}): `phabgate outbox flush --wait` delivers it")),
    }
}
