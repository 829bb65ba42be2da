//! `sandbox`: serve the embedded look-alike of Phorge; and the same inside of a command with `--sandbox`.
//!
//! Responsible for where its world is kept, and who one is in it. Not responsible for the server itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::{environment, settings};
use super::ui::Ui;
use crate::host::Environment;
use crate::layout::{NAME, styled};
use crate::sandbox::{self, Fault, Like, Options, Running, SandboxError, Source, StoreError};

/// The schema of `sandbox --format json`.
pub(super) const SCHEMA: &str = "phabgate/sandbox/1";

/// Arguments of `sandbox`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Serve on this port of 127.0.0.1; 0 takes any that is free
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
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

/// The file of the world, in the sandbox's state directory.
const WORLD: &str = "world.json";

/// The directory of the mirror of its audits, in the sandbox's state directory.
pub(super) const MIRROR: &str = "mirror";

/// What the sandbox is called, wherever it is served.
const SERVER: &str = "http://sandbox.localhost/";

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

impl InProcess {
    /// Serves the world that is kept in this directory.
    pub(super) async fn start(state: &Path, environment: &Environment) -> Result<Self, Failure> {
        let like = like(environment)?;
        let options = Options { source: Source::File(state.join(WORLD)), like, ..Options::default() };
        let running = sandbox::serve(options).await?;
        let token = running.token_of(ACCOUNT)?.ok_or_else(|| no_account(ACCOUNT))?;
        Ok(Self { running, token, name: name()? })
    }

    /// Who answers for the team behind a project, and their token: a person of the team who is in as few others as can
    /// be, so that whoever tries the sandbox needs no token of their own.
    pub(super) fn approver(&self, slug: &str) -> Result<Option<(String, String)>, Failure> {
        let world = self.running.world()?;
        let Some(team) = world.project_tagged(slug) else { return Ok(None) };
        let members = |phid: &str| world.members(phid).into_iter().map(|edge| edge.phid).collect::<Vec<_>>();
        let people = world.users.iter().filter(|user| {
            members(&team.phid).contains(&user.phid) && user.is("activated") && !user.is("bot") && !user.is("disabled")
        });
        let teams = |user: &sandbox::User| {
            world.projects.iter().filter(|project| members(&project.phid).contains(&user.phid)).count()
        };
        let approver = people.min_by_key(|user| (teams(user), user.username.clone()));
        Ok(approver.and_then(|user| Some((user.username.clone(), world.token_of(&user.username)?.to_owned()))))
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

fn like(environment: &Environment) -> Result<Like, Failure> {
    let usage =
        |error: &dyn std::fmt::Display| Failure { exit: Exit::Usage, message: format!("{LIKE}: {error}"), hint: None };
    match environment.text(LIKE).map_err(|error| Failure {
        exit: Exit::Usage,
        message: error.to_string(),
        hint: None,
    })? {
        Some(text) => text.parse().map_err(|error| usage(&error)),
        None => Ok(Like::default()),
    }
}

/// What the sandbox is called.
pub(super) fn name() -> Result<Url, Failure> {
    Ok(Url::parse(SERVER).map_err(SandboxError::from)?)
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
    let globals = Globals { sandbox: true, ..globals.clone() };
    let environment = environment(&globals)?;
    let state = settings(&globals, &environment)?.state;
    crate::host::ensure_state_dir(&state)?;
    if args.reset {
        return reset(&state, ui);
    }
    let defaults = Options::default();
    let options = Options {
        port: args.port,
        source: Source::File(state.join(WORLD)),
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
fn reset(state: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    sandbox::reset(&state.join(WORLD))?;
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
    page.push_str(&format!("\nIn another terminal:\n\n  export PHABGATE_URL={}\n  export PHABGATE_TOKEN=", served.url));
    let token = served.tokens.iter().find(|(name, _)| name == ACCOUNT).map_or("", |(_, token)| token);
    page.push_str(&format!("{token}\n  phabgate check T6 --deployer deployer1\n"));
    ui.data(&page);
}
