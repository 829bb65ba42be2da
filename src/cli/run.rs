//! `run`: check, and where that allows it, carry out the deploy.
//!
//! Responsible for what is checked and said before the deploy begins, on standard error; standard output is the command's. Not
//! responsible for the deploy itself ([`crate::gate::run`]).

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::check::Waiting;
use super::exit::Failure;
use super::may_run::MayRun;
use super::next::{NOTHING, NOW, Next};
use super::result_file::{self, ResultFile};
use super::run_screen::Screen;
use super::said;
use super::session::Session;
use super::shared::{Sharing, taken_back};
use super::ui::Ui;
use super::watched::{self, Changes};
use super::{Globals, TaskSubject, verdict_screen};
use crate::deploy::GATE_FAILED;
use crate::deploy::identity::Identity;
use crate::deploy::plan::Plan;
use crate::deploy::signals::Signals;
use crate::evidence::Purpose;
use crate::gate::recording::{author_may_write, rendered, set_command, template};
use crate::gate::run::RunDeploy;
use crate::gate::share::{Company, WaitingCompany};
use crate::gate::stated_times::clock_of;
use crate::gate::stranded::take_over;
use crate::gate::{Assessment, Invocation, marks};
use crate::ids::{DeployId, TaskId};
use crate::journal::Journal;
use crate::layout::{NAME, styled};
use crate::record::mask::{Mask, quote};
use crate::record::{Event, ExitStatus, Record};
use crate::rules::{Decision, Outcome};
use crate::text::inert;
use crate::time::ServerClock;
use crate::view::VerdictSubject;
use crate::watch_client::Watch;

/// Arguments of `run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: TaskSubject,
    #[command(flatten)]
    waiting: Waiting,
    /// Carry it out with those who look at the watch: they see what waits and how it goes on, and you hear their no
    #[arg(long)]
    share: bool,
    /// The watch, where it is not that of the configuration
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
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

    /// What comes next where this reading does not allow the deploy.
    pub(super) fn after(&self, read: &Assessment, mask: &Mask, invocation: Invocation) -> Next {
        let may_run = MayRun::of(read, self.subject.deployer.is_some(), invocation);
        Next::after_run(read.number, &read.verdict, &self.subject, &may_run, &self.typed(mask), invocation)
    }

    /// What is typed behind the task and its options. A command with something in it that is kept out of records is not repeated.
    fn typed(&self, mask: &Mask) -> String {
        let mut words = String::new();
        let flags = [
            ("share", self.share),
            ("dry-run", self.dry_run),
            ("hide-args", self.hide_args),
            ("as-root", self.as_root),
        ];
        for (flag, is_given) in flags {
            words.push_str(&if is_given { format!("--{flag} ") } else { String::new() });
        }
        if let Some(url) = &self.server {
            words.push_str(&format!("--server {} ", typed_again(url, "URL")));
        }
        if let Some(path) = &self.result {
            words.push_str(&format!("--result {} ", typed_again(&path.to_string_lossy(), "FILE")));
        }
        if let Some(note) = &self.note {
            words.push_str(&format!("--note {} ", typed_again(note, "TEXT")));
        }
        let argv = self.argv();
        let plain = argv.iter().map(|argument| quote(argument)).collect::<Vec<_>>().join(" ");
        let is_plain = !self.hide_args && mask.arguments(&argv) == argv && inert(&plain) == plain;
        words + "-- " + if is_plain { &plain } else { "COMMAND" }
    }

    /// The command as text, argument by argument.
    fn argv(&self) -> Vec<String> {
        self.command.iter().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    /// Whether this deploy is carried out with others.
    fn is_shared(&self) -> bool {
        self.share && !self.dry_run
    }

    /// The watch that is needed; `None` where none is. One that can be done without, and cannot be used, is.
    fn watch(&self, globals: &Globals, session: &Session, ui: &mut Ui) -> Result<Option<Watch>, Failure> {
        if !self.is_shared() && self.waiting.wait.is_none() {
            return Ok(None);
        }
        match watched::find(self.server.as_deref(), globals, session) {
            Err(failure) if !self.is_shared() && self.server.is_none() => {
                ui.note(&format!("waiting without the watch: {}", failure.message));
                Ok(None)
            }
            found => found,
        }
    }
}

/// A value as it is typed; a word for it where a terminal would act on what is in it.
fn typed_again(value: &str, word: &str) -> String {
    if inert(value) == value { quote(value) } else { word.to_owned() }
}

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
            result.ran.error = Some(why);
            GATE_FAILED
        }
        Err(Stop::Failure(failure)) => {
            ui.failure(&failure);
            result.ran.error = Some(failure.message);
            GATE_FAILED
        }
        Err(Stop::Command(error)) => {
            ui.failure(&Failure::usage(error.to_string(), "nothing was run, and nothing was written on the task"));
            result.ran.error = Some(error.to_string());
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
    let session = Session::open(globals).await?.showing(args.subject.show_restricted);
    session.caller_may_deploy(args.subject.deployer.as_deref())?;
    let task = session.task(&args.subject.task, ui)?;
    result.ran.task = Some(task);
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    let watch = args.watch(globals, &session, ui)?;
    let sharing = if args.is_shared() { Some(Sharing::at(watch.as_ref(), task)?) } else { None };
    // What cannot be journalled is not deployed, and that is better known before anybody is asked to wait.
    let mut journal = session.journal()?;
    journal.probe()?;
    take_over(&session.context(), &mut journal, ui)?;
    session.warn_of_undelivered(ui);
    let mut intent = args.subject.intent();
    let assessor = session.assessor();
    let argv = args.argv();
    let heard = sharing.as_ref().map(|sharing| {
        let run = sharing.waiting_run(&argv, args.hide_args, &intent, &question, &session);
        (Arc::clone(&sharing.onlookers), run)
    });
    let mut waiting = WaitingCompany::new(Changes::of(watch, task, &session), heard);
    let read = tokio::select! {
        read = assessor.wait_for_decision(&question, &intent, args.waiting.wait, &mut waiting, ui) => Ok(read),
        signal = signals.next() => Err(interrupted(signal)),
    };
    let (changes, taking_back) = waiting.over();
    let read = match read {
        Ok(read) => read,
        Err(why) => {
            ui.status(None);
            ui.note(&format!("{task}: {why}: nothing was run, and nothing was written on the task"));
            taken_back(taking_back).await;
            return Err(Stop::Said(why));
        }
    };
    let shown = VerdictSubject::of(&read, session.viewer());
    result.ran.verdict = Some(read.verdict.decision.word());
    let Decision::Allowed(clearance) = &read.verdict.decision else {
        let word = read.verdict.decision.word();
        ui.words(&verdict_screen::text(task, &shown, &read.verdict, ui.detail(), ui.width()));
        if let Some(call) = super::check::call(&read, task, &shown, true, &session).await {
            call.warn_of_on_call(ui);
            ui.words(&format!("\n{}", call.brief(ui.width())));
        }
        ui.words("\n");
        ui.note(&format!("{task}: {word}: nothing was run, and nothing was written on the task"));
        if read.verdict.decision == Decision::Undecided {
            let named = TaskSubject { deployer: args.subject.deployer.clone(), ..TaskSubject::default() };
            let deployer = named.typed();
            // What must not wait for a server is a matter of people, and is recorded afterwards.
            ui.hint(&format!(
                "if it cannot wait until the server answers: get the confirmations on IRC, deploy without the gate, and record it \
                 as soon as you can: `phabgate record {task}{deployer} --started HH:MM --finished HH:MM --outcome succeeded --command '…'`"
            ));
        }
        let next = match super::check::duplicate(&read, &session).await {
            Some(other) => Next::of_duplicate(other, ui.invocation()),
            None => args.after(&read, &session.settings.record.mask, ui.invocation()),
        };
        ui.words(&format!("\n{}", next.text()));
        taken_back(taking_back).await;
        return Err(Stop::Said(format!("the verdict is {word}")));
    };
    let Some(evidence) = read.evidence() else { return Err(Stop::Said("no evidence".into())) };
    let (owner, marks) = (evidence.owner.clone(), marks(Some(evidence)));
    let mut record = template(&read, &question, &intent, &session.context());
    record.dropped = journal.dropped()?.into();
    if let Some(Sharing { shared, .. }) = &sharing {
        (record.deploy, record.share) = (shared.deploy, Some(shared.secret.commitment().to_string()));
    }
    set_command(&mut record, &argv, args.hide_args, &session.context());
    record.note = args.note.as_deref().map(|note| session.settings.record.mask.text(note));
    let clock = read.clock();
    record.clock = Some(clock_of(clock));
    // What cannot be recorded is not run.
    let record = record.bounded();
    record
        .check_fits()
        .map_err(|error| Failure::usage(error.to_string(), "nothing was run, and nothing was written on the task"))?;
    author_may_write(evidence, &record, &session.context())?;
    if session.is_sandbox() {
        // Whoever tries the sandbox wants to see what the gate saw.
        ui.words(&verdict_screen::text(task, &shown, &read.verdict, ui.detail(), ui.width()));
        ui.words("\n");
    } else {
        ui.words(&said::text(&shown.said, task, ui.invocation(), ui.width()));
        say_allowed(&read, task, &record.informed, ui);
    }
    if args.dry_run {
        dry_run(&record, clock, ui)?;
        let again = Args { dry_run: false, ..args.clone() };
        let words = format!("run {task}{} {}", args.subject.typed(), again.typed(&session.settings.record.mask));
        ui.words(&format!("\n{}", Next::new(NOW, &words, ui.invocation()).text()));
        return Ok(0);
    }
    intent.deploy = Some(record.deploy);
    result.ran.deploy = Some(record.deploy);
    let is_open = shown.restricted == Some(false);
    let mut screen = Screen { session: &session, args, ui, task, next: None };
    let context = session.context();
    let progress = &mut screen;
    let mut company = sharing.map(|Sharing { onlookers, shared }| Company::new(onlookers, shared, changes));
    let mut deploy = RunDeploy { context, journal, owner, marks, question, intent, record, clock, is_open, progress };
    let outcome = deploy.carry_out(&ready, &mut signals, &mut result.ran, &mut company, clearance).await;
    if session.is_sandbox() {
        // The command's status stands, whatever becomes of what is only shown.
        if let Err(failure) = show_comments(&deploy.journal, deploy.record.deploy, deploy.progress.ui) {
            deploy.progress.ui.failure(&failure);
        }
    }
    if let Some(next) = &screen.next {
        screen.ui.words(&format!("\n{}", next.text()));
    } else if session.is_sandbox() && matches!(outcome, Ok(0)) {
        // What was said of it stands above the comments.
        screen.ui.words(&format!("\n{NOTHING}"));
    }
    outcome.map_err(Stop::from)
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

fn say_allowed(read: &Assessment, task: TaskId, informed: &[String], ui: &mut Ui) {
    let by = read.verdict.teams.iter().flat_map(|team| team.by.iter().map(|user| format!("{user} ({})", team.team)));
    ui.note(&format!("{task}: allowed, approved by {}", by.collect::<Vec<_>>().join(", ")));
    if !informed.is_empty() {
        ui.note(&format!("{task}: inform too: {}", inert(&informed.join(", "))));
    }
    for rule in read.verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Warn) {
        ui.warn(&format!("{}: {}", rule.name, rule.message));
    }
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
    Ok(ui.written()?)
}
