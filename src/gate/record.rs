//! Recording a deploy that was made by other means, or closing one that was stranded.
//!
//! Responsible for the order of it: what is known is read, somebody agrees, the record is journalled, then delivered. A record stands
//! on the task for good: it is posted where a person saw it and said yes, or where it says how the deploy ended and nothing on the
//! task is like it. Not responsible for what a record says ([`super::recording`], [`super::closing`]) nor for how it gets there.

use jiff::Timestamp;
use tokio::time::Instant;

use super::closing::close;
use super::deliver::{Delivered, deliver};
use super::logged;
use super::recording::{author_may_write, identity, template};
use super::stated_times::{StatedTime, clock_of, times};
use super::{Assessment, Assessor, Context, Progress, Refusal, RefusalKind, marks};
use crate::crash;
use crate::evidence::records::PostedRecord;
use crate::evidence::{Evidence, Question};
use crate::ids::DeployId;
use crate::journal::{self, DeployLog, DeployMode, Phase, Stage, Step};
use crate::publish::Patience;
use crate::record::like::is_like;
use crate::record::{Event, Outcome, Record};
use crate::rules::Intent;
use crate::time::utc;

/// Who records a deploy, as far as they are asked.
pub trait Recorder: Progress {
    /// Shows a record and asks whether to post it; `None` where nobody is there to be asked.
    ///
    /// # Errors
    /// Where it cannot be shown.
    fn confirm(&mut self, record: &Record) -> Result<Option<bool>, Refusal>;
}

/// What a person says of a deploy.
#[derive(Debug, Clone, Default)]
pub struct StatedDeploy {
    /// When it started.
    pub started: Option<StatedTime>,
    /// When it ended.
    pub finished: Option<StatedTime>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What was run.
    pub command: Option<String>,
    /// What the record should say besides.
    pub note: Option<String>,
    /// The deploy that this ends, which was started and has no end.
    pub ends: Option<DeployId>,
}

/// One record.
#[derive(Debug)]
pub struct RecordFlow<'a> {
    /// Who is asked, and by what is judged.
    pub context: Context<'a>,
    /// Which task, and who deployed.
    pub question: Question,
    /// What the deployer says of it.
    pub intent: Intent,
    /// What is stated.
    pub stated: StatedDeploy,
    /// Whether somebody is asked before it is posted.
    pub asks: bool,
}

/// A deploy that was recorded.
#[derive(Debug)]
pub struct RecordEnd {
    /// What the journal holds.
    pub record: Record,
    /// What arrived.
    pub delivered: Vec<Delivered>,
    /// What has become of it, where it is not on the task. Another process may have delivered it meanwhile.
    pub left: Option<Phase>,
    /// The verdict on a deploy that started now; the record has that of its start.
    pub verdict_now: &'static str,
}

impl RecordFlow<'_> {
    /// Reads, asks, journals and delivers.
    ///
    /// # Errors
    /// Where the task cannot be seen, nobody said that it may be posted, or the journal cannot be written.
    pub async fn run(&self, journal: &mut impl DeployLog, recorder: &mut impl Recorder) -> Result<RecordEnd, Refusal> {
        let context = &self.context;
        let read = Assessor::new(*context).assess(&self.question, &self.intent).await;
        if read.task().is_none() && read.refusal().kind != RefusalKind::Incomplete {
            return Err(read.refusal());
        }
        let record = self.record(&read, journal)?;
        if let Some(evidence) = read.evidence() {
            author_may_write(evidence, &record, context)?;
        }
        let record = record.bounded();
        record.check_fits().map_err(|error| Refusal::usage(error.to_string(), "nothing was recorded"))?;
        self.agree(&record, &read, journal, recorder)?;
        let owner = read.evidence().map(|evidence| evidence.owner.clone());
        let record = queue(journal, context, read.evidence(), &record)?;
        let patience = Patience::until(Instant::now() + context.limit);
        let delivered = match &owner {
            Some(owner) => deliver(context, owner, journal, record.deploy, patience, recorder).await?,
            None => {
                // What was done is recorded whether or not the server is there; with what little can be known without it.
                recorder.warn(&read.refusal().message);
                Vec::new()
            }
        };
        let left = journal.state(record.deploy)?.outbox().into_iter().find(|due| due.event == record.event);
        let (left, now) = (left.map(|due| due.phase), read.verdict.decision.word());
        let state = left.as_ref().map_or("delivered", Phase::word);
        context.log.write(&logged::recorded(context, &record, state, now));
        Ok(RecordEnd { left, verdict_now: now, record, delivered })
    }

    /// What the record says.
    fn record(&self, read: &Assessment, journal: &impl DeployLog) -> Result<Record, Refusal> {
        let Self { context, question, intent, stated, .. } = self;
        let clock = read.clock();
        let (started, finished) = times(stated.started, stated.finished, clock)?;
        // The truth about a deploy is what held when it started.
        let then = started.and_then(|started| read.as_of(started, context, intent));
        let mask = &context.record.mask;
        let mut record = template(then.as_ref().unwrap_or(read), question, intent, context);
        record.dropped = journal.dropped()?.into();
        record.event = Event::Recorded;
        (record.started, record.finished) = (started, finished);
        record.clock = [stated.started, stated.finished].contains(&Some(StatedTime::Now)).then(|| clock_of(clock));
        record.outcome = stated.outcome;
        record.note = stated.note.as_deref().map(|note| mask.text(note));
        record.command = stated.command.as_deref().map(|command| mask.text(command));
        if let Some(deploy) = stated.ends {
            let evidence = read.evidence().ok_or_else(|| read.refusal())?;
            close(&mut record, deploy, evidence, context.policy, |at| {
                Some(template(&read.as_of(at, context, intent)?, question, intent, context))
            })?;
        }
        Ok(record)
    }

    /// Asks for a yes. Where nobody can be asked, it is as good as said where the record says how the deploy ended and nothing is
    /// like it.
    fn agree(
        &self,
        record: &Record,
        read: &Assessment,
        journal: &impl DeployLog,
        recorder: &mut impl Recorder,
    ) -> Result<(), Refusal> {
        let alike = match self.stated.ends {
            // It ends what is there already.
            Some(_) => Vec::new(),
            None => alike(&self.context, record, read, journal)?,
        };
        if let Some(started) = record.started.filter(|_| self.stated.ends.is_none()) {
            let now = read.verdict.decision.word();
            let then = &record.verdict;
            let now = if now == *then { ", and still is".to_owned() } else { format!("; now it is {now}") };
            recorder.note(&format!("{}: the verdict at {} was {then}{now}", record.task, utc(started)));
        }
        for one in &alike {
            recorder.warn(&format!("{} has a record like it: {one}", record.task));
        }
        if !self.asks {
            return Ok(());
        }
        match recorder.confirm(record)? {
            Some(true) => return Ok(()),
            Some(false) => {
                let message = format!("not confirmed: nothing was posted on {}", record.task);
                return Err(Refusal { kind: RefusalKind::Denied, message, hint: None });
            }
            None => {}
        }
        if !alike.is_empty() {
            let (missing, add) = match record.outcome {
                Some(_) => ("", ""),
                None => (", how it ended is not said", " and --outcome"),
            };
            return Err(Refusal::usage(
                format!(
                    "there is a record of the same deployer and an overlapping time already{missing}, and no terminal to ask on"
                ),
                format!("add --yes{add} where this is another deploy; --started and --finished set them apart"),
            ));
        }
        if record.outcome.is_none() {
            return Err(Refusal::usage(
                "how it ended is not said, and there is no terminal to ask on",
                "add --outcome succeeded, failed, rolled-back or unknown; or --yes to post it without",
            ));
        }
        Ok(())
    }
}

/// What is on the task, on its way there from this host, or under way on it, and could be the same deploy.
fn alike(
    context: &Context<'_>,
    record: &Record,
    read: &Assessment,
    journal: &impl DeployLog,
) -> Result<Vec<String>, Refusal> {
    let (now, task) = (read.clock().now(), record.task);
    let mut states = Vec::new();
    for deploy in journal.undelivered()? {
        let state = journal.state(deploy)?;
        if state.intent().server == *context.server {
            states.push(state);
        }
    }
    let queued: Vec<_> =
        states.iter().flat_map(|state| state.outbox()).filter(|due| due.event != Event::Started).collect();
    let mut alike = Vec::new();
    let mut open = Vec::new();
    if let Some(evidence) = read.evidence() {
        let records = evidence.records(context.policy, None);
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
            let (word, time, url) = (other.event.word(), utc(moment.time), other.task.url(context.server));
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
        let is_here = intent.mode == DeployMode::Run && intent.task == task && intent.server == *context.server;
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
fn to_close(start: &Record, journal: &impl DeployLog) -> Result<String, Refusal> {
    let Record { task, deploy, .. } = start;
    Ok(match journal.is_alive(*deploy)? {
        true => "it runs on this host still, and its gate records how it ends".to_owned(),
        false => format!("`phabgate record {task} --deploy {deploy} --outcome …` records how it ended"),
    })
}

/// Journals the record. A deploy of this host that was closed by the journal itself gets a record of its own beside it.
fn queue(
    journal: &mut impl DeployLog,
    context: &Context<'_>,
    evidence: Option<&Evidence>,
    record: &Record,
) -> Result<Record, Refusal> {
    let mut record = record.clone();
    let owner = journal.own(record.deploy)?;
    crash::point("after-own");
    if journal.knows(record.deploy)? {
        let state = journal.state(record.deploy)?;
        if *state.stage() == (Stage::NotStarted { why: None }) && !state.is_closed() {
            return Err(Refusal::usage(
                format!("by this machine's journal the command of deploy {} was never started", record.deploy),
                "`phabgate outbox flush --wait` records that",
            ));
        }
        // The one end of a deploy whose gate was killed; beside an end that the journal holds already, what people know.
        record.event = if state.owes_finished() { Event::Finished } else { Event::Recorded };
    } else {
        let intent = journal::Intent {
            mode: DeployMode::Record,
            task: record.task,
            server: context.server.clone(),
            template: Box::new(record.clone()),
            identity: identity(evidence.map(|evidence| &evidence.owner), context),
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
