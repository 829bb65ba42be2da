//! A deploy that was cleared: the intent is journalled, `started` posted, the command run, its outcome journalled, `finished` posted.
//!
//! Responsible for the order of these steps. Not responsible for each step itself, nor for how the deploy came to be cleared.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::announced::Announced;
use super::changes::ChangeSource;
use super::deliver::{Delivered, DeliveryLog, deliver, lock, publisher, say_delivered, say_refused};
use super::logged;
use super::objections::Objection;
use super::ran::{Child, Ran};
use super::recording::{identity, rendered};
use super::share::{Company, Listening, Phase};
use super::stranded::is_replaced;
use super::watch::Watch;
use super::{AfterFailure, Assessment, Context, Refusal, RunProgress, objections};
use crate::conduit::Account;
use crate::crash;
use crate::deploy::child;
use crate::deploy::plan::Ready;
use crate::deploy::signals::Signals;
use crate::deploy::{GATE_FAILED, exit_code};
use crate::evidence::Question;
use crate::journal::{
    self, DeployLog, DeployMode, OutboxLock, Ownership, ServerMarks, Stage, Step, Undelivered, outcome_of,
};
use crate::policy::Action;
use crate::publish::record::{RecordLog, known};
use crate::publish::{Cause, NotApplied, Patience, Placed, PublishOutcome};
use crate::record::{Event, ExitStatus, Outcome, Record};
use crate::rules::{Clearance, Intent};
use crate::text::shorten;
use crate::time::{self, ServerClock};

/// How long `started` may take to be confirmed: the verdict was allowed, and the site is down.
const CONFIRM: Duration = Duration::from_secs(10);
/// How often `started` is looked for in that time.
const POLL: Duration = Duration::from_millis(500);
/// How many columns of the command are said when it starts.
const SHOWN_COMMAND: usize = 200;
/// How long to go on posting `finished` before it is left to the outbox.
pub(super) const FINISH: Duration = Duration::from_secs(30);

/// A deploy that was cleared, from the intent to the last record.
pub struct RunDeploy<'a, P, L> {
    /// What it works with.
    pub context: Context<'a>,
    /// The journal of this host.
    pub journal: L,
    /// Whose token it is.
    pub owner: Account,
    /// What the server is known by.
    pub marks: ServerMarks,
    /// What was asked about the task.
    pub question: Question,
    /// What is going to happen; with the id of this deploy.
    pub intent: Intent,
    /// The record as far as it is known before anything happened.
    pub record: Record,
    /// The server's clock, as the last reading showed it.
    pub clock: ServerClock,
    /// The task is surely not restricted: the server's own words about it may be shown.
    pub is_open: bool,
    /// Where it is said what is done.
    pub progress: &'a mut P,
}

/// Whether the command may start, after `started` was posted.
pub(super) enum Confirmed {
    Go,
    /// The verdict got worse in the meantime.
    Stop(Box<Assessment>),
}

impl<P: RunProgress, L: DeployLog> RunDeploy<'_, P, L> {
    /// Takes all steps, beside those with whom it is carried out, where there are any. Needs a clearance, so that nothing gets here
    /// without one.
    ///
    /// # Errors
    /// Where the journal cannot be read or written before anything was announced.
    pub async fn carry_out<C: ChangeSource>(
        &mut self,
        ready: &Ready,
        signals: &mut Signals,
        result: &mut Ran,
        company: &mut Option<Company<C>>,
        _: &Clearance,
    ) -> Result<u8, Refusal> {
        let deploy = self.record.deploy;
        let owner = self.journal.own(deploy)?;
        crash::point("after-own");
        self.begin(&owner)?;
        let ended = match self.confirm_started(result).await {
            Ok(Confirmed::Go) => self.child(&owner, ready, signals, result, company.as_mut()).await,
            Ok(Confirmed::Stop(read)) => self.stop(&owner, &read, result),
            Err(failure) => Err(failure),
        };
        let code = match ended {
            Ok(code) => code,
            // `started` may be on the task: that nothing was run is said there all the same.
            Err(failure) if result.child == Child::NotStarted => {
                self.journal.go_on(deploy);
                self.progress.error(&failure);
                let why = failure.message.clone();
                result.error = Some(failure.message);
                let stage = self.journal.state(deploy)?.stage().clone();
                if matches!(stage, Stage::NotStarted { why: None } | Stage::MayHaveRun { pid: None, .. }) {
                    self.journal.step(&owner, Timestamp::now(), Step::NotSpawned { why })?;
                }
                GATE_FAILED
            }
            Err(failure) => return Err(failure),
        };
        if result.child == Child::NotStarted {
            if let Some(company) = &company {
                company.phase(Phase::Stopped);
            }
            let worse = result.verdict.filter(|word| *word != self.record.verdict);
            self.context.log.write(&logged::not_started(&self.context, &self.record, worse));
        }
        let ran = matches!(result.child, Child::Ended(_) | Child::Lost);
        let (context, question, intent) = (self.context, self.question.clone(), self.intent.clone());
        let record = self.record.clone();
        let look =
            async { if ran { Some(objections::look(&context, &question, &intent, &record).await) } else { None } };
        let (finished, objections) = tokio::join!(self.finish(&owner, result), look);
        // The command's status is the caller's answer, whatever becomes of the record; what was journalled is not lost.
        if let Err(failure) = finished {
            self.progress.error(&failure);
            result.error.get_or_insert(failure.message);
        }
        self.say_kept(result);
        let is_quiet = matches!(&objections, Some(Ok(objections)) if objections.is_empty());
        if let Some(company) = company.as_mut() {
            company.say_trouble(self.progress);
        }
        let was_said = |text: &str| company.as_ref().is_some_and(|company| company.was_said(text));
        self.say_afterwards(objections, was_said, ran && code != 0);
        let is_recorded = [Event::Started, Event::Finished].into_iter().all(|event| result.is_delivered(event));
        if ran && code == 0 && is_recorded && is_quiet {
            self.progress.note(&format!("{}: deployed and recorded; nothing is left to do", self.record.task));
        }
        Ok(code)
    }

    /// Takes note that the command is not started: the task was read, and does not allow it any more.
    pub(super) fn stop(&mut self, owner: &Ownership, read: &Assessment, result: &mut Ran) -> Result<u8, Refusal> {
        let why = format!("the verdict became {} while the deploy was announced", read.verdict.decision.word());
        self.progress.stopped(read);
        result.verdict = Some(read.verdict.decision.word());
        result.error = Some(why.clone());
        self.journal.step(owner, Timestamp::now(), Step::NotSpawned { why })?;
        Ok(GATE_FAILED)
    }

    /// Says what came while the command ran, but for what was said then, and what to do where it failed.
    fn say_afterwards(
        &mut self,
        objections: Option<Result<Vec<Objection>, String>>,
        was_said: impl Fn(&str) -> bool,
        failed: bool,
    ) {
        let task = self.record.task;
        let is_objected = matches!(&objections, Some(Ok(objections)) if !objections.is_empty());
        match objections {
            Some(Ok(objections)) => {
                for Objection { text, .. } in objections.iter().filter(|objection| !was_said(&objection.text)) {
                    self.progress.warn(&format!("{task}: while the command ran: {text}"));
                }
                if is_objected {
                    self.progress.hint(&format!(
                        "the command has run all the same; talk to them, and see `phabgate history {task}`"
                    ));
                }
            }
            Some(Err(why)) => {
                self.progress.note(&format!("{task}: whether somebody said no meanwhile is not known: {why}"))
            }
            None => {}
        }
        if failed {
            self.progress.next(match (self.record.action.as_deref(), is_objected) {
                (Some(action), _) if action == Action::Rollback.word() => AfterFailure::Report,
                (_, true) => AfterFailure::RollBackOnceNobodyObjects,
                (_, false) => AfterFailure::RollBack,
            });
        }
    }

    pub(super) fn begin(&mut self, owner: &Ownership) -> Result<(), Refusal> {
        let intent = journal::Intent {
            mode: DeployMode::Run,
            task: self.record.task,
            server: self.context.server.clone(),
            template: Box::new(self.record.clone()),
            identity: identity(Some(&self.owner), &self.context),
            marks: self.marks.clone(),
        };
        self.journal.step(owner, Timestamp::now(), Step::Intent(Box::new(intent)))?;
        crash::point("after-intent");
        self.journal.step(owner, Timestamp::now(), Step::Queued { record: Box::new(self.record.clone()) })?;
        crash::point("after-queued-started");
        Ok(())
    }

    /// Publishes `started`, and looks whether the command may start still. Where `started` cannot be confirmed in time
    /// the deploy goes on; where the task was read and does not allow it any more, it does not.
    pub(super) async fn confirm_started(&mut self, result: &mut Ran) -> Result<Confirmed, Refusal> {
        let deadline = Instant::now() + CONFIRM;
        let (deploy, task) = (self.record.deploy, self.record.task);
        let text = rendered(&self.record)?.to_string();
        let (question, intent) = (self.question.clone(), self.intent.clone());
        let known = self.marks.task.clone();
        let mut announced = Announced::new(self.context, &question, &intent, known, (deploy, text), self.clock);
        let mut unconfirmed = Some("another process holds the outbox".to_owned());
        if let Some(held) = lock(&self.journal, self.context.server, CONFIRM).await? {
            let due = self.journal.state(deploy)?.outbox().into_iter().find(|due| due.event == Event::Started);
            unconfirmed = match due {
                // Another process delivered it.
                None => None,
                Some(due) => self.publish_started(&held, &due, &mut announced, deadline, result).await?,
            };
        }
        if let Some(why) = unconfirmed {
            self.progress.warn(&format!("{task}: `started` is not confirmed ({why}); the outbox keeps it"));
        }
        let worse = announced.worse().await;
        self.clock = announced.clock();
        Ok(worse.map_or(Confirmed::Go, |read| Confirmed::Stop(Box::new(read))))
    }

    /// Publishes `started`; returns why it is not known to be on the task, where there is hope that it will be.
    async fn publish_started(
        &mut self,
        held: &OutboxLock,
        due: &Undelivered,
        announced: &mut Announced<'_>,
        deadline: Instant,
        result: &mut Ran,
    ) -> Result<Option<String>, Refusal> {
        let (deploy, task, event) = (self.record.deploy, self.record.task, Event::Started);
        let record = RecordLog { journal: &mut self.journal, lock: held, deploy, event, author: &self.owner.phid };
        let mut log = DeliveryLog { record, task, saying: self.progress };
        let patience = Patience::until(deadline).polling(POLL);
        match publisher(&self.context).publish(&mut log, announced, known(due), patience).await? {
            PublishOutcome::Confirmed(Placed { transaction, .. }) => {
                say_delivered(&self.context, task, event, transaction, self.progress);
                result.delivered(Delivered { event, transaction });
                Ok(None)
            }
            PublishOutcome::NotApplied(not) if not.cause == Cause::Refused => {
                let words = not.error.filter(|_| self.is_open).map(|error| error.in_full());
                say_refused(task, event, &words.unwrap_or(not.why), self.progress);
                Ok(None)
            }
            PublishOutcome::NotApplied(NotApplied { why, .. }) | PublishOutcome::Unknown { why, .. } => Ok(Some(why)),
        }
    }

    async fn child<C: ChangeSource>(
        &mut self,
        owner: &Ownership,
        ready: &Ready,
        signals: &mut Signals,
        result: &mut Ran,
        mut company: Option<&mut Company<C>>,
    ) -> Result<u8, Refusal> {
        // Times of the record are the server's: its clock at the start, and how long the command took, whatever is done to
        // the clock of this host meanwhile.
        let (started, begun) = (self.clock.now(), std::time::Instant::now());
        self.journal.step(owner, started, Step::Spawning)?;
        crash::point("after-spawning");
        self.progress.note(&format!(
            "{}: running: {}",
            self.record.task,
            shorten(self.record.command.as_deref().unwrap_or_default(), SHOWN_COMMAND)
        ));
        self.context.log.write(&logged::started(&self.context, &self.record, self.is_open));
        let phases = company.as_ref().map(|company| company.phases());
        let mut watch = Watch { journal: &mut self.journal, owner, pid: None, phases };
        let ended = match &mut company {
            None => child::run(ready, signals, &mut watch).await,
            Some(company) => {
                let (context, question, intent, record) = (&self.context, &self.question, &self.intent, &self.record);
                let of = Listening { context, question, intent, record };
                tokio::select! {
                    biased;
                    ended = child::run(ready, signals, &mut watch) => ended,
                    never = company.listen(&of, self.progress) => match never {},
                }
            }
        };
        if let Some(company) = company {
            match &ended {
                Ok(status) => company.phase(Phase::Ended(*status)),
                Err(error) if error.was_started() => company.phase(Phase::Lost),
                Err(_) => company.phase(Phase::Stopped),
            }
        }
        crash::point("after-wait");
        let took = jiff::SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        match ended {
            Ok(status) => {
                let finished = started.checked_add(took).unwrap_or(started);
                if let Err(error) = self.journal.step(owner, finished, Step::Exited { status }) {
                    self.progress.error(&error.into());
                }
                crash::point("after-exited");
                let how = match status {
                    ExitStatus::Code(code) => format!("ended with status {code}"),
                    killed @ ExitStatus::Signal(_) => format!("was {killed}"),
                };
                let (task, how) = (self.record.task, format!("the command {how} after {}", time::rough(took)));
                match status {
                    ExitStatus::Code(0) => self.progress.note(&format!("{task}: {how}")),
                    _ => self.progress.failed(task, &how),
                }
                result.child = Child::Ended(status);
                let outcome = *result.outcome.get_or_insert(outcome_of(status));
                self.context.log.write(&logged::ended(&self.context, &self.record, Some(status), outcome));
                Ok(exit_code(status))
            }
            Err(error) => {
                let message = error.to_string();
                if error.was_started() {
                    result.child = Child::Lost;
                    let unknown = crate::record::Outcome::Unknown;
                    self.context.log.write(&logged::ended(&self.context, &self.record, None, unknown));
                } else {
                    self.journal.step(owner, Timestamp::now(), Step::NotSpawned { why: message.clone() })?;
                }
                self.progress.error(&Refusal::usage(message.clone(), "the task says so too"));
                result.error = Some(message);
                Ok(error.exit_code())
            }
        }
    }

    /// Queues and posts `finished`. From here on nothing changes the exit code: what cannot be posted is in the outbox.
    pub(super) async fn finish(&mut self, owner: &Ownership, result: &mut Ran) -> Result<(), Refusal> {
        let deploy = self.record.deploy;
        if let Some(outcome) = queue_finished(&mut self.journal, owner)? {
            result.outcome = Some(outcome);
        }
        if is_replaced(&self.context, &self.owner, &self.journal.state(deploy)?, self.progress).await {
            self.journal.step(owner, Timestamp::now(), Step::Closed)?;
            return self.say_left(result);
        }
        let patience = Patience::until(Instant::now() + FINISH);
        let done = deliver(&self.context, &self.owner, &mut self.journal, deploy, patience, self.progress).await?;
        for delivered in done {
            result.delivered(delivered);
        }
        self.journal.step(owner, Timestamp::now(), Step::Closed)?;
        crash::point("after-closed");
        self.say_left(result)
    }
}

/// Queues `finished` where it is owed; returns the outcome that it states.
///
/// # Errors
/// Where the journal cannot be read or written.
pub(super) fn queue_finished(journal: &mut impl DeployLog, owner: &Ownership) -> Result<Option<Outcome>, Refusal> {
    let state = journal.state(owner.deploy())?;
    if !state.owes_finished() {
        return Ok(None);
    }
    let record = Box::new(state.finished_record());
    let outcome = record.outcome;
    journal.step(owner, Timestamp::now(), Step::Queued { record })?;
    crash::point("after-queued-finished");
    Ok(outcome)
}
