//! `record`: post the record of a deploy that was made by other means, or close one that was stranded.
//!
//! Responsible for what is asked and said before the record is journalled. A record stands on the task for good: it is
//! posted where a person saw it and said yes, or where it says how the deploy ended and nothing on the task is like it. Not
//! responsible for what a record says ([`crate::gate::recording`], [`crate::gate::closing`]) nor for how it gets there.

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::record_times::{StatedTime, clock_of, stated, times};
use super::session::Session;
use super::ui::Ui;
use super::{Globals, TaskSubject};
use crate::crash;
use crate::evidence::records::PostedRecord;
use crate::evidence::{Evidence, Purpose};
use crate::gate::closing::close;
use crate::gate::deliver::{Delivered, deliver};
use crate::gate::recording::{author_may_write, identity, template};
use crate::gate::stranded::take_over;
use crate::gate::{Assessment, RefusalKind, marks};
use crate::ids::{DeployId, TransactionId};
use crate::journal::{self, DeployMode, Journal, Phase, Stage, Step};
use crate::publish::Patience;
use crate::record::like::is_like;
use crate::record::render::render;
use crate::record::{Event, Outcome, Record};
use crate::time::utc;

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
    #[arg(long, value_name = "ID")]
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
    let session = Session::open(globals).await?;
    session.caller_may_deploy(args.subject.deployer.as_deref())?;
    let task = session.task(&args.subject.task, ui)?;
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    let mut journal = session.journal()?;
    take_over(&session.context(), &mut journal, ui)?;
    session.tell_undelivered(ui);
    let intent = args.subject.intent();
    let read = session.assessor().assess(&question, &intent).await;
    if read.task().is_none() && read.refusal().kind != RefusalKind::Incomplete {
        return Err(read.refusal().into());
    }
    let clock = read.clock();
    let (started, finished) = times(args.started, args.finished, clock)?;
    // The truth about a deploy is what held when it started.
    let then = started.and_then(|started| read.as_of(started, &session.context(), &intent));
    let judged = then.as_ref().unwrap_or(&read);
    let mask = &session.settings.record.mask;
    let mut record = template(judged, &question, &intent, &session.context());
    record.dropped = journal.dropped()?.into();
    record.event = Event::Recorded;
    (record.started, record.finished) = (started, finished);
    record.clock = [args.started, args.finished].contains(&Some(StatedTime::Now)).then(|| clock_of(clock));
    record.outcome = args.outcome.map(Outcome::from);
    record.note = args.note.as_deref().map(|note| mask.text(note));
    record.command = args.command.as_deref().map(|command| mask.text(command));
    if let Some(deploy) = args.deploy {
        let evidence = read.evidence().ok_or_else(|| read.refusal())?;
        close(&mut record, deploy, evidence, &session.settings.policy, |at| {
            let then = read.as_of(at, &session.context(), &intent)?;
            Some(template(&then, &question, &intent, &session.context()))
        })?;
    }
    if let Some(evidence) = read.evidence() {
        author_may_write(evidence, &record, &session.context())?;
    }
    let record = record.bounded();
    record.check_fits().map_err(|error| Failure::usage(error.to_string(), "nothing was recorded"))?;
    agree(args, &record, &read, &journal, &session, ui)?;
    let owner = read.evidence().map(|evidence| evidence.owner.clone());
    let queued = queue(&mut journal, &session, read.evidence(), &record)?;
    let patience = Patience::until(Instant::now() + session.settings.http.total);
    let delivered = match &owner {
        Some(owner) => deliver(&session.context(), owner, &mut journal, queued.deploy, patience, ui).await?,
        None => {
            // What was done is recorded whether or not the server is there; with what little can be known without it.
            ui.warn(&read.refusal().message);
            Vec::new()
        }
    };
    let left = journal.state(queued.deploy)?.outbox();
    let left = left.iter().find(|due| due.event == queued.event).map(|due| &due.phase);
    show(&queued, &delivered, left, read.verdict.decision.word(), ui);
    Ok(Exit::Done)
}

/// Shows what would be posted and asks for a yes. Where nobody can be asked, it is as good as said where the record says
/// how the deploy ended and nothing is like it.
fn agree(
    args: &Args,
    record: &Record,
    read: &Assessment,
    journal: &Journal,
    session: &Session,
    ui: &mut Ui,
) -> Result<(), Failure> {
    let alike = match args.deploy {
        // It ends what is there already.
        Some(_) => Vec::new(),
        None => alike(record, read, journal, session)?,
    };
    if let Some(started) = record.started.filter(|_| args.deploy.is_none()) {
        let now = read.verdict.decision.word();
        ui.note(&format!("{}: at {} the verdict was {}; now it is {now}", record.task, utc(started), record.verdict));
    }
    for one in &alike {
        ui.warn(&format!("{} has a record like it: {one}", record.task));
    }
    if args.yes {
        return Ok(());
    }
    if can_ask() {
        let comment = render(record).map_err(|error| Failure::usage(error.to_string(), "nothing was recorded"))?;
        ui.words(&format!("\n{}\n\n", comment.words()));
        return match confirm(&format!("Post this on {}, for good?", record.task), ui)? {
            true => Ok(()),
            false => Err(Failure {
                exit: Exit::Denied,
                message: format!("not confirmed: nothing was posted on {}", record.task),
                hint: None,
            }),
        };
    }
    let refused = |message: String, hint: &str| Err(Failure::usage(message, hint.to_owned()));
    if !alike.is_empty() {
        let (missing, add) = match record.outcome {
            Some(_) => ("", ""),
            None => (", how it ended is not said", " and --outcome"),
        };
        return refused(
            format!(
                "a record of the same deployer and an overlapping time is there{missing}, and there is no terminal to ask on"
            ),
            &format!("add --yes{add} where this is another deploy; --started and --finished set them apart"),
        );
    }
    if record.outcome.is_none() {
        return refused(
            "how it ended is not said, and there is no terminal to ask on".to_owned(),
            "add --outcome succeeded, failed, rolled-back or unknown; or --yes to post it without",
        );
    }
    Ok(())
}

/// What is on the task, on its way there from this host, or under way on it, and could be the same deploy.
fn alike(record: &Record, read: &Assessment, journal: &Journal, session: &Session) -> Result<Vec<String>, Failure> {
    let (now, task) = (read.clock().now(), record.task);
    let mut states = Vec::new();
    for deploy in journal.undelivered()? {
        let state = journal.state(deploy)?;
        if state.intent().server == *session.base() {
            states.push(state);
        }
    }
    let queued: Vec<_> =
        states.iter().flat_map(|state| state.outbox()).filter(|due| due.event != Event::Started).collect();
    let mut alike = Vec::new();
    let mut open = Vec::new();
    if let Some(evidence) = read.evidence() {
        let records = evidence.records(&session.settings.policy, None);
        // What has an end is as long as that says.
        let has_end = |start: &PostedRecord| {
            let deploy = start.record.deploy;
            records.iter().any(|other| other.ends(start)) || queued.iter().any(|due| due.record.deploy == deploy)
        };
        for standing in &records {
            let PostedRecord { record: other, moment, .. } = standing;
            let is_start = other.event == Event::Started;
            if !is_like(record, now, other, moment.time) || is_start && has_end(standing) {
                continue;
            }
            let (word, time, url) = (other.event.word(), utc(moment.time), other.task.url(session.base()));
            let mut words = format!("`{word}` of {time} ({url}#{})", moment.transaction);
            if is_start {
                open.push(other.deploy);
                words += &format!(", which has no end; {}", to_close(other, journal)?);
            }
            alike.push(words);
        }
    }
    let due = queued.iter().filter(|due| is_like(record, now, &due.record, now));
    alike.extend(due.map(|due| format!("`{}` of deploy {}, not yet on the task", due.event.word(), due.record.deploy)));
    for deploy in journal.unfinished()? {
        let state = journal.state(deploy)?;
        let intent = state.intent();
        let is_here = intent.way == DeployMode::Run && intent.task == task && intent.server == *session.base();
        let is_other = intent.marks.is_other(&marks(read.evidence()));
        if !is_here || is_other || open.contains(&deploy) {
            continue;
        }
        let start =
            Record { event: Event::Started, started: None, finished: None, outcome: None, ..*intent.template.clone() };
        let begun = read.clock().at(state.begun());
        if is_like(record, now, &start, begun) {
            let begun = utc(begun);
            alike.push(format!(
                "deploy {deploy} of {begun} on this host, which has no end; {}",
                to_close(&start, journal)?
            ));
        }
    }
    Ok(alike)
}

/// What gives a deploy that has started its end.
fn to_close(start: &Record, journal: &Journal) -> Result<String, Failure> {
    let Record { task, deploy, .. } = start;
    Ok(match journal.is_alive(*deploy)? {
        true => "it runs on this host still, and its gate records how it ends".to_owned(),
        false => format!("`phabgate record {task} --deploy {deploy} --outcome …` records how it ended"),
    })
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
        let state = journal.state(record.deploy)?;
        if *state.stage() == (Stage::NotStarted { why: None }) && !state.is_closed() {
            return Err(Failure::usage(
                format!("by this machine's journal the command of deploy {} was never started", record.deploy),
                "`phabgate outbox flush --wait` records that",
            ));
        }
        // The one end of a deploy whose gate was killed; beside an end that the journal holds already, what people know.
        record.event = if state.owes_finished() { Event::Finished } else { Event::Recorded };
    } else {
        let intent = journal::Intent {
            way: DeployMode::Record,
            task: record.task,
            server: session.base().clone(),
            template: Box::new(record.clone()),
            identity: identity(evidence.map(|evidence| &evidence.owner), &session.context()),
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

fn show(record: &Record, delivered: &[Delivered], left: Option<&Phase>, now: &'static str, ui: &mut Ui) {
    let transaction =
        delivered.iter().find(|delivered| delivered.event == record.event).map(|delivered| delivered.transaction);
    if ui.is_json() {
        // Another process may have delivered it meanwhile.
        let state = left.map_or("delivered", Phase::word);
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
        None => ui.data(&format!("recorded on {task} ({verdict})")),
        // What to do about it was said when it was refused.
        Some(Phase::Refused { .. }) => ui.data(&format!("kept for {task}, which refused it ({verdict})")),
        Some(Phase::Ready | Phase::Unclear { .. }) => {
            ui.data(&format!("queued for {task} ({verdict}): `phabgate outbox flush --wait` delivers it"))
        }
    }
}
