//! The command line: one file a command, its arguments and its `run`.
//!
//! Responsible for the arguments that commands share, and the dispatch. Not responsible for what the commands do.

mod announce;
mod answer;
mod answer_page;
mod audit;
mod audit_progress;
mod browse;
mod call;
mod candidates;
mod check;
mod completions;
pub mod config;
mod confirm;
mod deferred;
mod detail;
mod doctor;
mod doctor_irc;
mod doctor_paging;
#[cfg(feature = "serve")]
mod doctor_watch;
mod exit;
mod explain;
mod help;
mod help_around;
mod help_sudo;
mod history;
mod list;
mod log;
mod man;
mod may_run;
mod next;
mod outbox;
mod page;
#[cfg(test)]
mod pasted;
#[cfg(feature = "serve")]
mod play;
mod record;
mod refusals_file;
mod request;
mod requested;
mod result_file;
mod run;
mod run_screen;
mod said;
mod sandbox;
mod send;
#[cfg(feature = "serve")]
mod serve;
mod session;
mod shared;
mod task_header;
#[cfg(feature = "serve")]
mod token;
mod typed;
mod ui;
mod under_sudo;
mod verdict_screen;
mod version;
mod watched;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::builder::PossibleValue;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};

use deferred::Deferred;
use detail::Detail;
pub use exit::{Exit, Failure};
use typed::{names_run, suggest_fix};
use ui::{Color, Format, Ui};

use crate::evidence::AnswerKind;
use crate::gate::Invocation;
use crate::policy::Action;
use crate::record::mask::quote;
use crate::rules::Intent;
use crate::text::inert;

/// The gate in front of an emergency deploy
#[derive(Debug, Parser)]
#[command(name = "phabgate", version, long_version = version::LONG, max_term_width = 100, infer_subcommands = false)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
struct Globals {
    /// Read the configuration from this file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Ask the server at this base URL
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    url: Option<String>,
    /// Use the embedded sandbox in place of a server, and no configuration but that of --config
    #[arg(long, global = true, help_heading = "Global options")]
    sandbox: bool,
    /// Print text for people, or json for programs; of the audit csv, html or prometheus too
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Global options")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    format: Format,
    /// Colour always, never, or auto: in a terminal without NO_COLOR
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Global options")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    color: Color,
    /// Show every rule; twice, log each API call too
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    verbose: u8,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print whether the task may be deployed, rule by rule
    Check(Deferred<check::Args>),
    /// Check, and if allowed run the command and record it on the task
    Run(Deferred<run::Args>),
    /// Record a deploy that was made by other means
    Record(Deferred<record::Args>),
    /// Open an emergency: tag the task and state the reason
    Request(Deferred<request::Args>),
    /// Print the message that asks for help on IRC
    Announce(Deferred<announce::Args>),
    /// Page those whose approval is missing
    Page(Deferred<page::Args>),
    /// Approve the deploy of a task for your team
    Approve(Deferred<answer::Args>),
    /// Take back your approval or your no
    Withdraw(Deferred<answer::Args>),
    /// Say no to the deploy of a task, which stops it
    Reject(Deferred<answer::Args>),
    /// List or deliver the records that are not yet on their task
    Outbox(outbox::Args),
    /// Tell the emergency story of a task in order
    History(Deferred<history::Args>),
    /// Open a task in a browser
    Browse(Deferred<browse::Args>),
    /// List the open emergencies and where each stands
    List(Deferred<list::Args>),
    /// Audit all deploys: who deployed what, why, who agreed, and what broke the rules
    Audit(Deferred<audit::Args>),
    /// Check before the emergency that all is there for it
    Doctor(Deferred<doctor::Args>),
    /// Explain a rule: what it means, why it is there, how to mend it
    Explain(Deferred<explain::Args>),
    /// Show or check the configuration
    Config(config::Args),
    /// Watch over the open emergencies: say on tasks and IRC what they lack, page, answer programs
    #[cfg(feature = "serve")]
    Serve(Deferred<serve::Args>),
    /// Make a token for a program that asks the watch
    #[cfg(feature = "serve")]
    Token(token::Args),
    /// Serve the embedded sandbox, or make it new
    Sandbox(Deferred<sandbox::Args>),
    /// Print the completions for a shell
    Completions(Deferred<completions::Args>),
    /// Print the manual page of a command, or write all of them
    Man(Deferred<man::Args>),
}

/// The actions as the command line knows them.
impl ValueEnum for Action {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Fix => "New code that mends it",
            Self::Rollback => "Back to what ran before",
            Self::Config => "A change of configuration",
            Self::OnWikiEdit => "An edit on a wiki itself",
        };
        Some(PossibleValue::new(self.word()).help(help))
    }
}

/// The task, and what the deployer says about what is going to happen.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TaskSubject {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = candidates::tasks())]
    task: String,
    /// Who deploys: their username on the server
    #[arg(long, value_name = "USER")]
    deployer: Option<String>,
    /// Attest that a person approved elsewhere, for a team (repeatable)
    #[arg(long, value_name = "TEAM=USER")]
    approved_by: Vec<String>,
    /// Where the attested approvals can be looked up
    #[arg(long, value_name = "URL")]
    evidence: Option<String>,
    /// What will be done: fix, rollback, config or on-wiki-edit
    #[arg(long, value_enum, value_name = "ACTION", hide_possible_values = true)]
    action: Option<Action>,
    /// What will be deployed: a Gerrit change, a commit
    #[arg(long, value_name = "REF")]
    change: Option<String>,
    /// Why it is a fix and not a rollback
    #[arg(long, value_name = "TEXT")]
    why_not_rollback: Option<String>,
    /// Show the texts of a restricted task
    #[arg(long)]
    show_restricted: bool,
}

impl TaskSubject {
    fn intent(&self) -> Intent {
        Intent {
            action: self.action,
            change: self.change.clone(),
            why_not_rollback: self.why_not_rollback.clone(),
            deploy: None,
        }
    }
}

/// How this command line calls the gate.
fn invocation(globals: &Globals, ids: &crate::host::Ids) -> Invocation {
    let config = globals.config.as_ref().map(|path| format!("--config {}", quote(&path.to_string_lossy())));
    // The sandbox asks no other server.
    let url = globals.url.as_ref().filter(|_| !globals.sandbox).map(|url| format!("--url {}", quote(url)));
    let options: Vec<String> = config.into_iter().chain(url).collect();
    // As long as the process.
    let leaked = || -> &'static str { Box::leak(inert(&options.join(" ")).into_boxed_str()) };
    match (globals.sandbox, ids.runs_under_sudo()) {
        (true, _) => Invocation::Sandbox(leaked()),
        (false, true) => Invocation::Sudo,
        (false, false) if options.is_empty() => Invocation::Plain,
        (false, false) => Invocation::Given(leaked()),
    }
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if completions::answered(&arguments) {
        return ExitCode::SUCCESS;
    }
    let arguments = typed::joined(arguments);
    if let Some(written) = result_file::write_as_caller(&arguments) {
        return match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                Ui::new(Format::Text, Color::Never, None).words(&why);
                ExitCode::FAILURE
            }
        };
    }
    let cli = match parsed(&arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error, &arguments),
    };
    if let Some(level) = logged(&cli) {
        log::install(level, is_service(&cli.command));
    }
    let ids = crate::host::Ids::of_process();
    let mut ui = Ui::new(cli.globals.format, cli.globals.color, columns()).called(invocation(&cli.globals, &ids));
    if cli.globals.verbose > 0 {
        ui = ui.detailed(Detail::Whole);
    }
    let runtime = match runtime(&cli.command) {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.failure(&Failure { exit: Exit::Incomplete, message: format!("cannot start: {error}"), hint: None });
            let own = match &cli.command {
                Command::Run(args) => args.refused(&format!("cannot start: {error}"), &mut ui),
                _ => Exit::Incomplete.code(),
            };
            return ExitCode::from(own);
        }
    };
    let ended = runtime.block_on(async {
        // Where it cannot be had, the process dies of the limit as any other.
        let _ = crate::deploy::signals::survive_file_limit();
        dispatch(&cli, &ids, &mut ui).await
    });
    // What had to be done was waited for. What is left is the system's resolver, which was given up and cannot be stopped.
    runtime.shutdown_background();
    ExitCode::from(with_output(&cli.command, ended, &mut ui))
}

/// What is logged on standard error: API calls where that was asked for, and of a service what it does.
fn logged(cli: &Cli) -> Option<tracing::Level> {
    if is_service(&cli.command) && cli.globals.verbose < 2 {
        return Some(tracing::Level::INFO);
    }
    (cli.globals.verbose > 1).then_some(tracing::Level::DEBUG)
}

fn is_service(command: &Command) -> bool {
    match command {
        #[cfg(feature = "serve")]
        Command::Serve(_) => true,
        _ => false,
    }
}

/// The exit code of a command that ended with `code`, its output looked at: what only prints has not done its work where
/// that could not be written; what was done on a task or to a journal stands.
fn with_output(command: &Command, code: u8, ui: &mut Ui) -> u8 {
    let Err(failure) = ui.written().map_err(Failure::from) else { return code };
    if command.only_prints() {
        ui.failure(&failure);
        return failure.exit.code();
    }
    ui.warn(&format!("{}; what was done stands", failure.message));
    code
}

/// One thread is enough for a few calls, and starts sooner; an audit reads thousands of replies, and a service answers while it reads.
fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Audit(_) => {
            let mut many = tokio::runtime::Builder::new_multi_thread();
            // Said, since the runtime would take the number from the environment, and panic where that is none.
            many.worker_threads(crate::audit::threads());
            many
        }
        #[cfg(feature = "serve")]
        Command::Serve(_) => {
            let mut many = tokio::runtime::Builder::new_multi_thread();
            many.worker_threads(crate::audit::threads());
            many
        }
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

/// `$COLUMNS`, where it is a width.
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0)
}

/// clap's own end: help and version are no errors; for `run` a wrong command line is one of the gate's own failures.
fn print_usage_error(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let printed = match error.use_stderr() {
        true => {
            let said = typed::with_own_label(&error.render().ansi().to_string());
            Ui::new(Format::Text, Color::Auto, columns()).words(&said);
            Ok(())
        }
        false => error.print().and_then(|()| io::stdout().flush()),
    };
    if let Err(lost) = printed
        && !error.use_stderr()
    {
        let mut ui = Ui::new(Format::Text, Color::Auto, columns());
        ui.lose(&lost);
        if let Err(failure) = ui.written().map_err(Failure::from) {
            ui.failure(&failure);
            let own = if names_run(arguments) { crate::deploy::GATE_FAILED } else { failure.exit.code() };
            return ExitCode::from(own);
        }
    }
    if let Some(tip) = suggest_fix(error, arguments) {
        let globals = typed::globals(arguments);
        let invocation = invocation(&globals, &crate::host::Ids::of_process());
        Ui::new(Format::Text, Color::Auto, columns()).called(invocation).hint(&tip);
    }
    match error.use_stderr() {
        false => ExitCode::SUCCESS,
        true if names_run(arguments) => {
            let said = error.to_string();
            let why = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let mut ui = Ui::new(Format::Text, Color::Auto, columns());
            result_file::refused(result_file::named(arguments), why, &mut ui);
            ExitCode::from(crate::deploy::GATE_FAILED)
        }
        true => ExitCode::from(Exit::Usage.code()),
    }
}

impl Command {
    /// Whether what it prints is all that it does.
    fn only_prints(&self) -> bool {
        match self {
            Self::Check(_)
            | Self::Announce(_)
            | Self::History(_)
            | Self::List(_)
            | Self::Audit(_)
            | Self::Browse(_)
            | Self::Doctor(_)
            | Self::Explain(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_) => true,
            Self::Outbox(args) => args.lists(),
            Self::Sandbox(args) => !args.resets(),
            // The status of `run` is its command's; a dry run says itself that it could not be shown.
            Self::Run(_)
            | Self::Record(_)
            | Self::Request(_)
            | Self::Approve(_)
            | Self::Withdraw(_)
            | Self::Reject(_)
            | Self::Page(_) => false,
            #[cfg(feature = "serve")]
            Self::Serve(_) => false,
            // A token that nobody was shown is none.
            #[cfg(feature = "serve")]
            Self::Token(_) => true,
        }
    }

    /// Whether the texts of a restricted task are asked for.
    fn shows_restricted(&self) -> bool {
        match self {
            Self::Check(args) => args.subject.show_restricted,
            Self::Run(args) => args.subject.show_restricted,
            Self::Record(args) => args.subject.show_restricted,
            Self::Request(args) => args.show_restricted,
            Self::Approve(args) | Self::Withdraw(args) | Self::Reject(args) => args.show_restricted,
            Self::History(args) => args.show_restricted,
            Self::List(args) => args.show_restricted,
            Self::Announce(_)
            | Self::Page(_)
            | Self::Audit(_)
            | Self::Browse(_)
            | Self::Outbox(_)
            | Self::Doctor(_)
            | Self::Explain(_)
            | Self::Config(_)
            | Self::Sandbox(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
            #[cfg(feature = "serve")]
            Self::Serve(_) | Self::Token(_) => false,
        }
    }
}

/// Refuses a form of output that only the audit has.
fn reject_unsupported_format(cli: &Cli) -> Result<(), Failure> {
    let of_audit = matches!(cli.globals.format, Format::Csv | Format::Html | Format::Prometheus);
    match of_audit && !matches!(cli.command, Command::Audit(_)) {
        true => {
            Err(Failure::usage("csv, html and prometheus are formats of `audit` alone", "write --format text or json"))
        }
        false => Ok(()),
    }
}

/// Makes what a command does in a place of its own: one that is not run takes no room on the stack of another.
#[inline(never)]
fn boxed<'a, T, F: Future<Output = T> + 'a>(make: impl FnOnce() -> F) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(make())
}

async fn dispatch(cli: &Cli, ids: &crate::host::Ids, ui: &mut Ui) -> u8 {
    let refusal = if ids.runs_under_sudo() { under_sudo::refusal(cli) } else { None };
    if let Some(failure) = refusal.or_else(|| reject_unsupported_format(cli).err()) {
        ui.failure(&failure);
        return match &cli.command {
            Command::Run(args) => args.refused(&failure.message, ui),
            _ => failure.exit.code(),
        };
    }
    let done = match &cli.command {
        Command::Check(args) => boxed(|| check::run(args, &cli.globals, ui)).await,
        Command::Run(args) => return boxed(|| run::run(args, &cli.globals, ui)).await,
        Command::Record(args) => boxed(|| record::run(args, &cli.globals, ui)).await,
        Command::Request(args) => boxed(|| request::run(args, &cli.globals, ui)).await,
        Command::Announce(args) => boxed(|| announce::run(args, &cli.globals, ui)).await,
        Command::Page(args) => boxed(|| page::run(args, &cli.globals, ui)).await,
        Command::Approve(args) => boxed(|| answer::run(AnswerKind::Approve, args, &cli.globals, ui)).await,
        Command::Withdraw(args) => boxed(|| answer::run(AnswerKind::Withdraw, args, &cli.globals, ui)).await,
        Command::Reject(args) => boxed(|| answer::run(AnswerKind::Reject, args, &cli.globals, ui)).await,
        Command::Outbox(args) => boxed(|| outbox::run(args, &cli.globals, ui)).await,
        Command::History(args) => boxed(|| history::run(args, &cli.globals, ui)).await,
        Command::Browse(args) => browse::run(args, &cli.globals, ui),
        Command::List(args) => boxed(|| list::run(args, &cli.globals, ui)).await,
        Command::Audit(args) => boxed(|| audit::run(args, &cli.globals, ui)).await,
        Command::Doctor(args) => boxed(|| doctor::run(args, &cli.globals, ui)).await,
        Command::Explain(args) => explain::run(args, ui),
        Command::Config(args) => config::run(args, &cli.globals, ui),
        #[cfg(feature = "serve")]
        Command::Serve(args) => boxed(|| serve::run(args, &cli.globals, ui)).await,
        #[cfg(feature = "serve")]
        Command::Token(args) => token::run(args, ui),
        Command::Sandbox(args) => boxed(|| sandbox::run(args, &cli.globals, ui)).await,
        Command::Completions(args) => completions::run(args, ui),
        Command::Man(args) => man::run(args, ui),
    };
    match done {
        Ok(exit) => exit.code(),
        Err(failure) => {
            ui.failure(&failure);
            failure.exit.code()
        }
    }
}

/// The whole command line with all that its help says, for showing that and for manual pages.
fn definition() -> clap::Command {
    help::dress(Cli::command())
}

/// What the command line gives. What stands below the options in a help is made where a help is shown: made at each start,
/// it would take as long as the parsing.
fn parsed(arguments: &[OsString]) -> clap::error::Result<clap::ArgMatches> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    match Cli::command().try_get_matches_from(arguments) {
        Err(error) if matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand) => {
            definition().try_get_matches_from(arguments)
        }
        parsed => parsed,
    }
}
