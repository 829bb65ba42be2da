//! `sandbox`: serve the embedded look-alike of Phorge, or list what there is to try in it; and the same inside of a command
//! with `--sandbox`.
//!
//! Responsible for which world is opened, where it is kept, and who one is in it. Not responsible for the server itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::{environment, settings};
use super::ui::Ui;
use crate::gate::Invocation;
use crate::host::Environment;
use crate::layout::{HINT, NAME, hanging, styled};
use crate::sandbox::{self, BuiltIn, Fault, Guide, Like, Options, Running, SandboxError, Scenario, Source, StoreError};

/// The schema of `sandbox --format json`.
pub(super) const SCHEMA: &str = "phabgate/sandbox/1";
/// The schema of `sandbox --list --format json`.
const LIST_SCHEMA: &str = "phabgate/sandbox-list/1";

/// The port on which it is served where none is named: that of the addresses which commands print in the newcomers' world, so
/// that they can be opened.
const PORT: u16 = 8470;

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// List what there is to try, and serve nothing
    #[arg(long, conflicts_with = "reset")]
    list: bool,
    /// Serve on this port of 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = PORT, value_name = "PORT")]
    port: u16,
    /// The world: demo, made for newcomers, or recorded, the scenarios of the tests [default: demo]
    #[arg(long, value_name = "WORLD")]
    world: Option<BuiltIn>,
    /// Answer as this version of the server: master, 2026.27, 2019.25 or 2018.25 [default: master]
    #[arg(long, value_name = "VERSION")]
    like: Option<Like>,
    /// Break calls: METHOD:KIND:PROBABILITY, METHOD:KIND@NUMBER or METHOD:KIND, * for every method (repeatable)
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// The seed of the dice for faults
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// How many seconds the fault `stall` says nothing
    #[arg(long, default_value_t = 120, value_name = "SECONDS")]
    stall: u64,
    /// How many seconds later the fault `late-commit` carries a call out
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    late: u64,
    /// How large a request may be; a larger one is answered with HTTP 413, as by a limit in front of a server
    #[arg(long, value_name = "BYTES")]
    largest_request: Option<usize>,
    /// Make the sandbox's world new, with its journal, and serve nothing
    #[arg(long)]
    reset: bool,
}

impl Args {
    /// Whether it makes the world new and serves nothing.
    pub(super) fn resets(&self) -> bool {
        self.reset
    }
}

/// The sandbox as it is served, for programs.
#[derive(Debug, Serialize)]
struct Json {
    schema: &'static str,
    url: Url,
    tokens: Vec<(String, String)>,
}

/// The list of what there is to try, for programs.
#[derive(Debug, Serialize)]
struct JsonList<'a> {
    schema: &'static str,
    scenarios: &'a [Scenario],
}

/// The file of the world, in the sandbox's state directory.
const FILE: &str = "world.json";

/// The directory of the mirror of its audits, in the sandbox's state directory.
pub(super) const MIRROR: &str = "mirror";

/// The account whose token the gate uses in the sandbox: its recorder.
const ACCOUNT: &str = "phabgate";

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        Self {
            exit: Exit::Incomplete,
            message: error.to_string(),
            hint: Some("`phabgate sandbox --reset` makes the sandbox new".into()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        SandboxError::from(error).into()
    }
}

/// The sandbox, served in this process.
pub(super) struct InProcess {
    running: Running,
    token: String,
    name: Url,
}

/// The directory of a world with its journal and its mirror, below the gate's own.
pub(super) fn directory(state: &Path, which: BuiltIn) -> PathBuf {
    state.join("sandbox").join(which.name())
}

impl InProcess {
    /// Serves the world that is kept in this directory.
    pub(super) async fn start(state: &Path, environment: &Environment) -> Result<Self, Failure> {
        let (like, which) = (like(environment)?, world(environment)?);
        let options = Options { source: Source::File(state.join(FILE), which), like, ..Options::default() };
        let running = sandbox::serve(options).await?;
        let token = running.token_of(ACCOUNT)?.ok_or_else(|| no_account(ACCOUNT))?;
        Ok(Self { running, token, name: name(which)? })
    }

    /// The account that stands for whoever calls.
    pub(super) fn you(&self) -> Result<String, Failure> {
        Ok(self.running.world()?.guide.you)
    }

    /// Who answers, and their token: of `users`, whose answer would count, else of the team behind a project the person who is
    /// in as few others as can be, so that whoever tries the sandbox needs no token of their own.
    pub(super) fn approver(&self, slug: &str, users: &[String]) -> Result<Option<(String, String)>, Failure> {
        let world = self.running.world()?;
        let Some(team) = world.project_tagged(slug) else { return Ok(None) };
        let members = |phid: &str| world.members(phid).into_iter().map(|edge| edge.phid).collect::<Vec<_>>();
        let would_count = |user: &sandbox::User| users.contains(&user.username);
        let people = world.users.iter().filter(|user| {
            (would_count(user) || members(&team.phid).contains(&user.phid))
                && user.is("activated")
                && !user.is("bot")
                && !user.is("disabled")
        });
        let teams = |user: &sandbox::User| {
            world.projects.iter().filter(|project| members(&project.phid).contains(&user.phid)).count()
        };
        let approver = people.min_by_key(|user| (!would_count(user), teams(user), user.username.clone()));
        Ok(approver.and_then(|user| Some((user.username.clone(), world.token_of(&user.username)?.to_owned()))))
    }

    /// The token of an account, where the world has it.
    #[cfg(feature = "serve")]
    pub(super) fn token_of(&self, name: &str) -> Option<String> {
        self.running.token_of(name).ok().flatten()
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Where it is reached.
    pub(super) fn url(&self) -> &Url {
        &self.running.url
    }

    /// What it is called.
    pub(super) fn name(&self) -> &Url {
        &self.name
    }
}

/// The variable that names the version as which the sandbox answers, inside of a command too.
pub(super) const LIKE: &str = "PHABGATE_SANDBOX_LIKE";

/// The variable that names the world, inside of a command too.
pub(super) const WORLD: &str = "PHABGATE_SANDBOX_WORLD";

fn like(environment: &Environment) -> Result<Like, Failure> {
    chosen(environment, LIKE)
}

/// Which world it is.
///
/// # Errors
/// Where the variable names none.
pub(super) fn world(environment: &Environment) -> Result<BuiltIn, Failure> {
    chosen(environment, WORLD)
}

/// What a variable chooses, or the default.
fn chosen<T>(environment: &Environment, variable: &'static str) -> Result<T, Failure>
where
    T: std::str::FromStr<Err: std::fmt::Display> + Default,
{
    let usage = |message: String| Failure { exit: Exit::Usage, message, hint: None };
    match environment.text(variable).map_err(|error| usage(error.to_string()))? {
        Some(text) => text.parse().map_err(|error| usage(format!("{variable}: {error}"))),
        None => Ok(T::default()),
    }
}

/// What the sandbox is called in each world, wherever it is served: in the newcomers' one by an address at which a browser finds
/// it while it is served.
pub(super) fn name(which: BuiltIn) -> Result<Url, Failure> {
    let name = match which {
        BuiltIn::Demo => format!("http://sandbox.localhost:{PORT}/"),
        BuiltIn::Recorded => "http://sandbox.localhost/".to_owned(),
    };
    Ok(Url::parse(&name).map_err(SandboxError::from)?)
}

fn no_account(name: &str) -> Failure {
    Failure {
        exit: Exit::Incomplete,
        message: format!("the sandbox's world has no account {name} with a token"),
        hint: Some("`phabgate sandbox --reset` makes the sandbox new".into()),
    }
}

/// Runs `sandbox`.
///
/// # Errors
/// Where the world cannot be kept or the port not be listened on.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let environment = environment(&Globals { sandbox: true, ..globals.clone() })?;
    let which = args.world.map_or_else(|| world(&environment), Ok)?;
    let plain = Globals { sandbox: false, url: None, ..globals.clone() };
    let state = directory(&settings(&plain, &environment)?.state, which);
    crate::host::ensure_state_dir(&state)?;
    if args.reset {
        return reset(&state, which, ui);
    }
    let file = Source::File(state.join(FILE), which);
    if args.list {
        let running = sandbox::serve(Options { source: file, ..Options::default() }).await?;
        list(&running.world()?.guide, which, ui);
        return Ok(Exit::Done);
    }
    let defaults = Options::default();
    let options = Options {
        port: args.port,
        source: file,
        like: match args.like {
            Some(like) => like,
            None => like(&environment)?,
        },
        faults: args.fault.clone(),
        seed: args.seed,
        stall: Duration::from_secs(args.stall),
        late: Duration::from_secs(args.late),
        largest_request: args.largest_request.unwrap_or(defaults.largest_request),
        ..defaults
    };
    let running = sandbox::serve(options).await?;
    let world = running.world()?;
    let tokens = world
        .users
        .iter()
        .filter_map(|user| world.token_of(&user.username).map(|token| (user.username.clone(), token.to_owned())));
    show(&Json { schema: SCHEMA, url: running.url.clone(), tokens: tokens.collect() }, ui);
    let _ = tokio::signal::ctrl_c().await;
    running.shutdown().await;
    Ok(Exit::Done)
}

/// Removes the world, the journal of what was recorded in it and the mirror of its audits.
fn reset(state: &Path, which: BuiltIn, ui: &mut Ui) -> Result<Exit, Failure> {
    sandbox::reset(&state.join(FILE), which)?;
    for name in ["journal.sqlite3", "journal.sqlite3-journal", "journal.sqlite3-wal", "journal.sqlite3-shm"] {
        let path = state.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}: {error}", path.display());
                return Err(Failure { exit: Exit::Incomplete, message, hint: None });
            }
            _ => {}
        }
    }
    let mirror = state.join(MIRROR);
    match fs::remove_dir_all(&mirror) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let message = format!("cannot remove {}: {error}", mirror.display());
            return Err(Failure { exit: Exit::Incomplete, message, hint: None });
        }
        _ => {}
    }
    ui.data("the sandbox is new");
    Ok(Exit::Done)
}

fn show(served: &Json, ui: &mut Ui) {
    if ui.is_json() {
        return ui.json(served);
    }
    let width = served.tokens.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut page = format!("The sandbox answers at {} until you press Ctrl-C.\n\n", styled(NAME, served.url.as_str()));
    for (name, token) in &served.tokens {
        page.push_str(&format!("  {name:width$}  {token}\n"));
    }
    page.push_str(&format!("\nIn a browser: {}T6\n", served.url));
    page.push_str(&format!("\nIn another terminal:\n\n  export PHABGATE_URL={}\n  export PHABGATE_TOKEN=", served.url));
    let token = served.tokens.iter().find(|(name, _)| name == ACCOUNT).map_or("", |(_, token)| token);
    page.push_str(&format!("{token}\n  phabgate check T6\n"));
    ui.data(&page);
}

/// How many columns what a scenario shows has at least, where what to type stands beside it.
const SHOWN: usize = 24;

/// Lists what there is to try: a table, or, where that is too wide, what to type below what it shows.
fn list(guide: &Guide, which: BuiltIn, ui: &mut Ui) {
    if ui.is_json() {
        return ui.json(&JsonList { schema: LIST_SCHEMA, scenarios: &guide.scenarios });
    }
    if guide.scenarios.is_empty() {
        return ui
            .data(&format!("the {which} world is for tests and has no list: `phabgate sandbox --world demo --list`"));
    }
    let rows: Vec<(String, &str, String)> = guide
        .scenarios
        .iter()
        .map(|one| (format!("T{}", one.task), one.shows.as_str(), Invocation::Sandbox("").command(&one.command)))
        .collect();
    let widest = |of: fn(&(String, &str, String)) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (task, command) = (widest(|row| row.0.len()).max(4), widest(|row| row.2.len()));
    let room = ui.width().saturating_sub(task + command + 4).min(widest(|row| row.1.len()));
    let mut page = match room >= SHOWN {
        true => format!("{:task$}  {:room$}  try\n", "task", "what it shows"),
        false => format!("{:task$}  what it shows, and what to try\n", "task"),
    };
    for (number, shown, typed) in &rows {
        let head = format!("{}  ", styled(NAME, &format!("{number:task$}")));
        let typed = styled(HINT, typed);
        if room < SHOWN {
            page.push_str(&hanging(&head, task + 2, shown, ui.width()));
            page.push_str(&format!("{:task$}  {typed}\n", ""));
            continue;
        }
        let wrapped = hanging("", 0, shown, room);
        let mut lines = wrapped.lines();
        page.push_str(&format!("{head}{:room$}  {typed}\n", lines.next().unwrap_or_default()));
        for line in lines {
            page.push_str(&format!("{:task$}  {line}\n", ""));
        }
    }
    let last = "In a browser each task is a page while `phabgate sandbox` runs.";
    page.push_str(&format!("\n{}", hanging("", 0, last, ui.width())));
    ui.data(&page);
}
