//! `run`: check, and where that allows it, journal the intent, post `started`, run the command, journal the outcome, post
//! `finished`.
//!
//! In the room: the order of these steps, each said on standard error. Not in the room: each step itself. Standard output
//! is the command's.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::announced::Announced;
use super::check::Waiting;
use super::delivery::{Delivered, Spoken, deliver, lock, publisher, say_delivered, say_refused};
use super::exit::Failure;
use super::objections;
use super::record::clock_of;
use super::result_file::{self, Child, ResultFile};
use super::said;
use super::session::Session;
use super::stranded::{is_replaced, take_over};
use super::ui::{NAME, Ui, styled};
use super::verdict::{self, Subject as Shown};
use super::writing::{author_may_write, identity, set_command, template};
use super::{Globals, Subject};
use crate::conduit::Account;
use crate::crash;
use crate::deploy::child::{self, Hooks};
use crate::deploy::identity::Identity;
use crate::deploy::plan::{Plan, Ready};
use crate::deploy::signals::Signals;
use crate::deploy::{GATE_FAILED, exit_code};
use crate::evidence::{Purpose, Question};
use crate::gate::{Assessment, marks};
use crate::ids::{DeployId, TaskId};
use crate::journal::{
    self, Journal, Kept, OutboxLock, Outgoing, Ownership, Phase, ServerMarks, Stage, Step, Undelivered, Way, outcome_of,
};
use crate::publish::record::{RecordLog, known};
use crate::publish::{Cause, NotApplied, Patience, Placed, PublishOutcome};
use crate::record::render::{Rendered, render};
use crate::record::{Event, ExitStatus, Record};
use crate::rules::{Clearance, Decision, Intent, Outcome};
use crate::text::shorten;
use crate::time::{self, ServerClock};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: Subject,
    #[command(flatten)]
    waiting: Waiting,
    /// Show all that would be posted; post and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Write what happened to this file, as JSON
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,
    /// Record the command without its arguments
    #[arg(long)]
    hide_args: bool,
    /// What the record should say besides
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Run the command as root; refused under sudo, where it runs as who called
    #[arg(long)]
    pub(super) as_root: bool,
    /// The command, after --
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Args {
    /// Says in the result file that this command line was refused; returns the exit code.
    pub(super) fn refused(&self, why: &str, ui: &mut Ui) -> u8 {
        result_file::refused(self.result.clone(), why, ui);
        GATE_FAILED
    }
}

/// How long `started` may take to be confirmed: the verdict was allowed, and the site is down.
const CONFIRM: Duration = Duration::from_secs(10);
/// How often `started` is looked for in that time.
const POLL: Duration = Duration::from_millis(500);
/// How many columns of the command are said when it starts.
const SHOWN_COMMAND: usize = 200;
/// How long to go on posting `finished` before it is left to the outbox.
const FINISH: Duration = Duration::from_secs(30);

/// Runs `run`; returns its exit code.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> u8 {
    let run_as = match Identity::of_caller(args.as_root) {
        Ok(run_as) => run_as,
        Err(error) => {
            ui.failure(&Failure::usage(error.to_string(), "see `phabgate run --help`"));
            return args.refused(&error.to_string(), ui);
        }
    };
    let mut result = ResultFile::new(args.result.clone(), &run_as);
    // Before anything is journalled a signal ends the gate as any failure of its own does, and is said.
    let signals = Signals::install();
    let attempted = match signals {
        Ok(signals) => attempt(args, globals, &run_as, &mut result, signals, ui).await,
        Err(error) => Err(Failure::usage(format!("cannot take note of signals: {error}"), "nothing was run").into()),
    };
    let code = match attempted {
        Ok(code) => code,
        Err(Stop::Said(why)) => {
            result.error = Some(why);
            GATE_FAILED
        }
        Err(Stop::Failure(failure)) => {
            ui.failure(&failure);
            result.error = Some(failure.message);
            GATE_FAILED
        }
        Err(Stop::Command(error)) => {
            ui.failure(&Failure::usage(error.to_string(), "nothing was run, and nothing was written on the task"));
            result.error = Some(error.to_string());
            error.exit_code()
        }
    };
    if let Err(why) = result.write(code) {
        ui.warn(&why);
    }
    code
}

/// Why `run` ends before the command.
enum Stop {
    /// An error that is still to be said.
    Failure(Failure),
    /// The command cannot be run.
    Command(crate::deploy::plan::PlanError),
    /// A refusal that was said already.
    Said(String),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

async fn attempt(
    args: &Args,
    globals: &Globals,
    run_as: &Identity,
    result: &mut ResultFile,
    mut signals: Signals,
    ui: &mut Ui,
) -> Result<u8, Stop> {
    let plan = Plan::new(args.command.iter().cloned(), std::env::vars_os(), run_as).and_then(Plan::preflight);
    let ready = plan.map_err(Stop::Command)?;
    result.probe().map_err(|why| {
        result.path = None;
        Failure::usage(why, "give --result a file that can be written")
    })?;
    let session = Session::open(globals).await?;
    session.caller_may_deploy(args.subject.deployer.as_deref())?;
    let task = session.task(&args.subject.task, ui)?;
    result.task = Some(task);
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    // What cannot be journalled is not deployed, and that is better known before anybody is asked to wait.
    let mut journal = session.journal()?;
    journal.probe()?;
    take_over(&session, &mut journal, ui)?;
    session.tell_undelivered(ui);
    let mut intent = args.subject.intent();
    let assessor = session.assessor();
    let read = tokio::select! {
        read = assessor.wait_for_decision(&question, &intent, args.waiting.wait, ui) => Ok(read),
        signal = signals.next() => Err(interrupted(signal)),
    };
    let read = match read {
        Ok(read) => read,
        Err(why) => {
            ui.note(&format!("{task}: {why}: nothing was run, and nothing was written on the task"));
            return Err(Stop::Said(why));
        }
    };
    let shown = Shown::of(&read, task, &session, intent.show_restricted);
    result.verdict = Some(read.verdict.decision.word());
    let Decision::Allowed(clearance) = &read.verdict.decision else {
        let word = read.verdict.decision.word();
        ui.words(&verdict::text(task, &shown, &read.verdict, ui.width()));
        if let Some(call) = super::check::call(&read, task, &shown, &session).await {
            ui.words(&format!("\n{}", call.text(ui.width())));
        }
        ui.words("\n");
        ui.note(&format!("{task}: {word}: nothing was run, and nothing was written on the task"));
        if read.verdict.decision == Decision::Pending && args.waiting.wait.is_none() {
            ui.hint("add --wait to run it as soon as the approvals are there");
        }
        return Err(Stop::Said(format!("the verdict is {word}")));
    };
    let Some(evidence) = read.evidence() else { return Err(Stop::Said("no evidence".into())) };
    let (owner, marks) = (evidence.owner.clone(), marks(Some(evidence)));
    let mut record = template(&read, &question, &args.subject, &session);
    record.dropped = journal.dropped()?.into();
    let argv: Vec<String> = args.command.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    set_command(&mut record, &argv, args.hide_args, &session);
    record.note = args.note.as_deref().map(|note| session.settings.record.mask.text(note));
    let clock = read.clock();
    record.clock = Some(clock_of(clock));
    // What cannot be recorded is not run.
    let record = record.bounded();
    record
        .check_fits()
        .map_err(|error| Failure::usage(error.to_string(), "nothing was run, and nothing was written on the task"))?;
    author_may_write(evidence, &record, &session)?;
    if session.is_sandbox() {
        // Whoever tries the sandbox wants to see what the gate saw.
        ui.words(&verdict::text(task, &shown, &read.verdict, ui.width()));
    } else {
        ui.words(&said::text(&shown.said, task, ui.width()));
    }
    say_allowed(&read, task, ui);
    if args.dry_run {
        dry_run(&record, clock, ui)?;
        return Ok(0);
    }
    intent.deploy = Some(record.deploy);
    result.deploy = Some(record.deploy);
    let is_open = shown.restricted == Some(false);
    let mut deploy = Deploy { session: &session, journal, owner, marks, question, intent, record, clock, is_open, ui };
    let outcome = deploy.carry_out(&ready, &mut signals, result, clearance).await;
    if session.is_sandbox() {
        // The command's status stands, whatever becomes of what is only shown.
        if let Err(failure) = show_comments(&deploy.journal, deploy.record.deploy, deploy.ui) {
            deploy.ui.failure(&failure);
        }
    }
    outcome.map_err(Stop::Failure)
}

/// Why a run ends that a signal stopped before it had a command.
fn interrupted(signal: rustix::process::Signal) -> String {
    let name = match signal {
        rustix::process::Signal::INT => "interrupted",
        rustix::process::Signal::QUIT => "stopped by SIGQUIT",
        rustix::process::Signal::HUP => "the terminal was hung up",
        _ => "terminated",
    };
    format!("{name} before the command was started")
}

/// Shows the comments that a deploy made, as people read them: without their machine-readable block.
fn show_comments(journal: &Journal, deploy: DeployId, ui: &mut Ui) -> Result<(), Failure> {
    let state = journal.state(deploy)?;
    for event in [Event::Started, Event::Finished] {
        let Some(outgoing) = state.record(event) else { continue };
        let comment = rendered(&outgoing.record)?;
        ui.words(&format!("\n{} {}\n\n{}\n", styled(NAME, "The comment"), event.word(), comment.words()));
    }
    Ok(())
}

fn say_allowed(read: &Assessment, task: TaskId, ui: &mut Ui) {
    let by = read.verdict.teams.iter().flat_map(|team| team.by.iter().map(|user| format!("{user} ({})", team.team)));
    ui.note(&format!("{task}: allowed, approved by {}", by.collect::<Vec<_>>().join(", ")));
    for rule in read.verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Warn) {
        ui.warn(&format!("{}: {}", rule.name, rule.message));
    }
}

/// The comment that a record is. One that was checked before always is one.
fn rendered(record: &Record) -> Result<Rendered, Failure> {
    render(record)
        .map_err(|error| Failure::usage(error.to_string(), "nothing was run, and nothing was written on the task"))
}

fn dry_run(record: &Record, clock: ServerClock, ui: &mut Ui) -> Result<(), Failure> {
    let now = clock.now();
    let finished = Record {
        event: Event::Finished,
        started: Some(now),
        finished: Some(now),
        outcome: Some(crate::record::Outcome::Succeeded),
        exit: Some(ExitStatus::Code(0)),
        ..record.clone()
    };
    ui.note("a dry run: nothing is posted and nothing is run. Before the command this would be posted:");
    ui.data(&rendered(record)?);
    ui.note("and after it, if it succeeds:");
    ui.data(&rendered(&finished)?);
    // To show it was all there was to do.
    ui.written()
}

/// A deploy that was cleared, from the intent to the last record.
struct Deploy<'a> {
    session: &'a Session,
    journal: Journal,
    owner: Account,
    marks: ServerMarks,
    question: Question,
    intent: Intent,
    record: Record,
    /// The server's clock, as the last reading told it.
    clock: ServerClock,
    /// The task is surely not restricted: the server's own words about it may be shown.
    is_open: bool,
    ui: &'a mut Ui,
}

/// Whether the command may start, after `started` was posted.
enum Confirmed {
    Go,
    /// The verdict got worse in the meantime.
    Stop(Box<Assessment>),
}

impl Deploy<'_> {
    /// Takes all steps. Needs a clearance, so that nothing gets here without one.
    async fn carry_out(
        &mut self,
        ready: &Ready,
        signals: &mut Signals,
        result: &mut ResultFile,
        _: &Clearance,
    ) -> Result<u8, Failure> {
        let deploy = self.record.deploy;
        let owner = self.journal.own(deploy)?;
        crash::point("after-own");
        self.begin(&owner)?;
        let code = match self.announce_and_run(&owner, ready, signals, result).await {
            Ok(code) => code,
            // `started` may be on the task: that nothing was run is said there all the same.
            Err(failure) if result.child == Child::NotStarted => {
                self.journal.go_on(deploy);
                self.ui.failure(&failure);
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
        let ran = matches!(result.child, Child::Ended(_) | Child::Lost);
        let (session, question, intent) = (self.session, self.question.clone(), self.intent.clone());
        let record = self.record.clone();
        let look =
            async { if ran { Some(objections::look(session, &question, &intent, &record).await) } else { None } };
        let (finished, objections) = tokio::join!(self.finish(&owner, result), look);
        // The command's status is the caller's answer, whatever becomes of the record; what was journalled is not lost.
        if let Err(failure) = finished {
            self.ui.failure(&failure);
            result.error.get_or_insert(failure.message);
        }
        self.say_kept(result);
        self.say_afterwards(objections, ran && code != 0);
        Ok(code)
    }

    /// Posts `started`, and runs the command where it still may.
    async fn announce_and_run(
        &mut self,
        owner: &Ownership,
        ready: &Ready,
        signals: &mut Signals,
        result: &mut ResultFile,
    ) -> Result<u8, Failure> {
        let read = match self.confirm_started(result).await? {
            Confirmed::Go => return self.child(owner, ready, signals, result).await,
            Confirmed::Stop(read) => read,
        };
        let why = format!("the verdict became {} while the deploy was announced", read.verdict.decision.word());
        let task = self.question.task;
        let shown = Shown::of(&read, task, self.session, self.intent.show_restricted);
        self.ui.words(&verdict::text(task, &shown, &read.verdict, self.ui.width()));
        result.verdict = Some(read.verdict.decision.word());
        result.error = Some(why.clone());
        self.journal.step(owner, Timestamp::now(), Step::NotSpawned { why })?;
        Ok(GATE_FAILED)
    }

    /// Says what came while the command ran, and what to do where it failed.
    fn say_afterwards(&mut self, objections: Option<Result<Vec<String>, String>>, failed: bool) {
        let task = self.record.task;
        match objections {
            Some(Ok(objections)) => {
                for objection in &objections {
                    self.ui.warn(&format!("{task}: while the command ran: {objection}"));
                }
                if !objections.is_empty() {
                    self.ui.hint(&format!(
                        "the command has run all the same; talk to them, and see `phabgate history {task}`"
                    ));
                }
            }
            Some(Err(why)) => self.ui.note(&format!("{task}: whether somebody said no meanwhile is not known: {why}")),
            None => {}
        }
        if failed {
            self.ui
                .hint(&format!("the command failed; to roll back: `phabgate run {task} --action rollback -- COMMAND`"));
        }
    }

    fn begin(&mut self, owner: &Ownership) -> Result<(), Failure> {
        let intent = journal::Intent {
            way: Way::Run,
            task: self.record.task,
            server: self.session.base().clone(),
            template: Box::new(self.record.clone()),
            identity: identity(Some(&self.owner), self.session),
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
    async fn confirm_started(&mut self, result: &mut ResultFile) -> Result<Confirmed, Failure> {
        let deadline = Instant::now() + CONFIRM;
        let (deploy, task) = (self.record.deploy, self.record.task);
        let text = rendered(&self.record)?.to_string();
        let (question, intent) = (self.question.clone(), self.intent.clone());
        let known = self.marks.task.clone();
        let mut announced = Announced::new(self.session, &question, &intent, known, (deploy, text), self.clock);
        let mut unconfirmed = Some("another process holds the outbox".to_owned());
        if let Some(held) = lock(&self.journal, self.session.base(), CONFIRM).await? {
            let due = self.journal.state(deploy)?.outbox().into_iter().find(|due| due.event == Event::Started);
            unconfirmed = match due {
                // Another process delivered it.
                None => None,
                Some(due) => self.publish_started(&held, &due, &mut announced, deadline, result).await?,
            };
        }
        if let Some(why) = unconfirmed {
            self.ui.warn(&format!("{task}: `started` is not confirmed ({why}); the outbox keeps it"));
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
        result: &mut ResultFile,
    ) -> Result<Option<String>, Failure> {
        let (deploy, task, event) = (self.record.deploy, self.record.task, Event::Started);
        let record = RecordLog { journal: &mut self.journal, lock: held, deploy, event, author: &self.owner.phid };
        let mut log = Spoken { record, task, ui: self.ui };
        let patience = Patience::until(deadline).polling(POLL);
        match publisher(self.session).publish(&mut log, announced, known(due), patience).await? {
            PublishOutcome::Confirmed(Placed { transaction, .. }) => {
                say_delivered(self.session, task, event, transaction, self.ui);
                result.delivered(Delivered { event, transaction });
                Ok(None)
            }
            PublishOutcome::NotApplied(not) if not.cause == Cause::Refused => {
                let words = not.error.filter(|_| self.is_open).map(|error| error.in_full());
                say_refused(task, event, &words.unwrap_or(not.why), self.ui);
                Ok(None)
            }
            PublishOutcome::NotApplied(NotApplied { why, .. }) | PublishOutcome::Unknown { why, .. } => Ok(Some(why)),
        }
    }

    async fn child(
        &mut self,
        owner: &Ownership,
        ready: &Ready,
        signals: &mut Signals,
        result: &mut ResultFile,
    ) -> Result<u8, Failure> {
        // Times of the record are the server's: its clock at the start, and how long the command took, whatever is done to
        // the clock of this host meanwhile.
        let (started, begun) = (self.clock.now(), std::time::Instant::now());
        self.journal.step(owner, started, Step::Spawning)?;
        crash::point("after-spawning");
        self.ui.note(&format!(
            "{}: running: {}",
            self.record.task,
            shorten(self.record.command.as_deref().unwrap_or_default(), SHOWN_COMMAND)
        ));
        let mut watch = Watch { journal: &mut self.journal, owner, pid: None };
        let ended = child::run(ready, signals, &mut watch).await;
        crash::point("after-wait");
        let took = jiff::SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        match ended {
            Ok(status) => {
                let finished = started.checked_add(took).unwrap_or(started);
                if let Err(error) = self.journal.step(owner, finished, Step::Exited { status }) {
                    self.ui.failure(&error.into());
                }
                crash::point("after-exited");
                let how = match status {
                    ExitStatus::Code(code) => format!("ended with status {code}"),
                    ExitStatus::Signal(signal) => format!("was killed by signal {signal}"),
                };
                self.ui.note(&format!("{}: the command {how} after {}", self.record.task, time::rough(took)));
                result.child = Child::Ended(status);
                result.outcome.get_or_insert(outcome_of(status));
                Ok(exit_code(status))
            }
            Err(error) => {
                let message = error.to_string();
                if error.was_started() {
                    result.child = Child::Lost;
                } else {
                    self.journal.step(owner, Timestamp::now(), Step::NotSpawned { why: message.clone() })?;
                }
                self.ui.failure(&Failure::usage(message.clone(), "the task says so too"));
                result.error = Some(message);
                Ok(error.exit_code())
            }
        }
    }

    /// Says where the outcome is, where the journal could not be written since the command was started.
    fn say_kept(&mut self, result: &mut ResultFile) {
        result.kept = self.journal.kept();
        let task = self.record.task;
        let on_task = result.is_delivered(Event::Finished);
        let said = match &result.kept {
            Kept::InJournal => return,
            Kept::Beside { path, why } => {
                format!("{task}: how it ended is kept in {}, and the next command takes it in: {why}", path.display())
            }
            Kept::Nowhere { why } if on_task => {
                format!("{task}: how it ended is on the task, and neither in the journal nor beside it: {why}")
            }
            Kept::Nowhere { why } => format!(
                "{task}: how it ended is kept neither in the journal nor beside it, and is not known to be on the task: {why}"
            ),
        };
        self.ui.warn(&said);
        if matches!(result.kept, Kept::Nowhere { .. }) && !on_task {
            self.say_by_hand();
        }
        result.error.get_or_insert(said);
    }

    /// Says what to write on the task by hand, where nothing else will.
    fn say_by_hand(&mut self) {
        let Ok(state) = self.journal.state(self.record.deploy) else { return };
        let (deploy, task, end) = (self.record.deploy, self.record.task, state.finished_record());
        let started = state.record(Event::Started).is_some_and(Outgoing::may_be_on_task);
        let mut command = format!("phabgate record {task}");
        if started {
            command.push_str(&format!(" --deploy {deploy}"));
        }
        for (flag, time) in [("started", end.started), ("finished", end.finished)] {
            command.extend(time.map(|time| format!(" --{flag}={time}")));
        }
        let outcome = match end.outcome {
            Some(crate::record::Outcome::NotStarted) | None => "unknown --note 'the command was not started'",
            Some(outcome) => outcome.word(),
        };
        command.push_str(&format!(" --outcome {outcome}"));
        self.ui.hint(&format!(
            "once the server takes writes, see whether `phabgate history {task}` shows the end; else type `{command}`, or write \
             this on the task by hand:"
        ));
        if let Ok(comment) = rendered(&end) {
            self.ui.words(&format!("\n{}\n\n", comment.words()));
        }
    }

    /// Queues and posts `finished`. From here on nothing changes the exit code: what cannot be posted is in the outbox.
    async fn finish(&mut self, owner: &Ownership, result: &mut ResultFile) -> Result<(), Failure> {
        let deploy = self.record.deploy;
        let state = self.journal.state(deploy)?;
        if state.owes_finished() {
            let record = Box::new(state.finished_record());
            result.outcome = record.outcome;
            self.journal.step(owner, Timestamp::now(), Step::Queued { record })?;
            crash::point("after-queued-finished");
        }
        if is_replaced(self.session, &self.owner, &self.journal.state(deploy)?, self.ui).await {
            self.journal.step(owner, Timestamp::now(), Step::Closed)?;
            return self.say_left(result);
        }
        let patience = Patience::until(Instant::now() + FINISH);
        let done = deliver(self.session, &self.owner, &mut self.journal, deploy, patience, self.ui).await?;
        for delivered in done {
            result.delivered(delivered);
        }
        self.journal.step(owner, Timestamp::now(), Step::Closed)?;
        crash::point("after-closed");
        self.say_left(result)
    }

    /// Says what stays in the outbox.
    fn say_left(&mut self, result: &mut ResultFile) -> Result<(), Failure> {
        let left = self.journal.state(self.record.deploy)?.outbox();
        let is_kept = !matches!(self.journal.kept(), Kept::Nowhere { .. });
        for due in &left {
            result.left(due, is_kept);
        }
        if !is_kept {
            // No flush knows of it.
            return Ok(());
        }
        // Of what was refused it was said what delivers it, which is no flush alone.
        let waiting = left.iter().filter(|due| !matches!(due.phase, Phase::Refused { .. }));
        let what: Vec<&str> = waiting.map(|due| due.event.word()).collect();
        let said = match what.as_slice() {
            [] => return Ok(()),
            [one] => format!("{one} stays in the outbox: `phabgate outbox flush --wait` delivers it"),
            more => {
                format!("{} stay in the outbox: `phabgate outbox flush --wait` delivers them", more.join(" and "))
            }
        };
        self.ui.warn(&said);
        Ok(())
    }
}

/// Journals the child's process id.
struct Watch<'a> {
    journal: &'a mut Journal,
    owner: &'a Ownership,
    pid: Option<u32>,
}

impl Hooks for Watch<'_> {
    fn started(&mut self, pid: u32) {
        crash::point("after-spawn");
        self.pid = Some(pid);
        // The child runs already: that its number could not be noted must not end it.
        let _ = self.journal.step(self.owner, Timestamp::now(), Step::Spawned { pid });
        crash::point("after-spawned");
    }
}
