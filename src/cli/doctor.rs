//! `doctor`: before the emergency, is all there that a deploy will need.
//!
//! Responsible for reading it, and the list of checks for people and for programs. Not responsible for the checks (see
//! [`crate::doctor`]).

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Globals;
use super::detail::Detail;
use super::doctor_irc;
use super::doctor_paging;
#[cfg(feature = "serve")]
use super::doctor_watch;
use super::exit::{Exit, Failure};
use super::next::{MENDED, NOTHING, Next};
use super::session::{self, Session};
use super::ui::{Ui, without_error_numbers};
use super::verdict_screen;
#[cfg(feature = "serve")]
use crate::conduit::Account;
use crate::conduit::{Client, ConduitError, Project, Projects, Reply, Task, Whoami};
use crate::config::Settings;
use crate::doctor::{self, HistoryCoverage, Local, Remote};
use crate::evidence::contradiction;
use crate::evidence::merge::{merge, name_fields};
use crate::evidence::timeline::unexposed;
use crate::gate::Invocation;
use crate::host::{self, Environment};
use crate::ids::{Phid, TaskId, User};
use crate::journal::Journal;
use crate::layout::{BAD, GOOD, MIND, hanging, styled};
use crate::policy::{Policy, Role};
use crate::record::mask::quote;
use crate::rules::{self, Outcome, RuleOutcome};
use crate::text::inert;

/// The schema of `doctor --format json`.
const SCHEMA: &str = "phabgate/doctor/1";

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task on which it is tried what the account may do; the newest with the tag where none is named
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
}

/// Runs `doctor`.
///
/// # Errors
/// Where the command line or the configuration is wrong.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let read = session::environment(globals).and_then(|environment| {
        let settings = session::settings(globals, &environment)?;
        Ok((environment, settings))
    });
    let (environment, settings) = match read {
        Ok(read) => read,
        Err(failure) => return Ok(unreadable(&failure, ui)),
    };
    let policy = &settings.policy;
    let opened = Session::open(globals).await;
    let task = match (&args.task, &opened) {
        (Some(text), Ok(session)) => Some(session.task(text, ui)?),
        _ => None,
    };
    let local = read_local(globals, &settings, opened.as_ref().ok(), ui.invocation());
    let mut checks = doctor::local(&local, policy);
    let mut user = None;
    let ended = match &opened {
        Err(failure) => {
            let name = if failure.exit == Exit::Credentials { "token" } else { "server" };
            checks.push(failed(name, &failure.message, failure.hint.as_deref()));
            Some(failure.exit)
        }
        Ok(session) => {
            let token = token_source(globals, &environment, session);
            match read_remote(session, token, task).await {
                Ok(remote) => {
                    user = Some(crate::text::inert(&remote.owner.username));
                    checks.extend(doctor::remote(&remote, &local, policy));
                    #[cfg(feature = "serve")]
                    if let Some(watch) = doctor_watch::read(session).await {
                        let Remote { projects, members, .. } = &remote;
                        checks.extend(doctor::watch::watch(&watch, projects, members, policy));
                    }
                    let irc = doctor_irc::read(session, ui).await;
                    let Remote { projects, members, .. } = &remote;
                    checks.extend(doctor::irc::irc(&irc, projects, members, policy));
                    let paging = doctor_paging::read(session, projects, members).await;
                    checks.extend(doctor::paging::paging(&paging, irc.heard().as_deref()));
                    // One that was named is there, or what it was named for cannot be said.
                    if let (Some(named), Ok(None)) = (task, &remote.task) {
                        checks.extend(rules::not_visible(named, &remote.owner.username).rules);
                    }
                    None
                }
                Err(error) => {
                    let refused = error.is_credentials();
                    let name = if refused { "token" } else { "server" };
                    let outcome = if refused { Outcome::Fail } else { Outcome::Unknown };
                    checks.push(RuleOutcome { outcome, ..failed(name, &error.to_string(), Some(error.hint())) });
                    Some(if refused { Exit::Credentials } else { Exit::Incomplete })
                }
            }
        }
    };
    let exit = ended.unwrap_or_else(|| judged(&checks));
    let again = args.task.as_ref().map_or("doctor".to_owned(), |task| format!("doctor --task {}", inert(&quote(task))));
    for check in &mut checks {
        check.message = without_error_numbers(&check.message);
        check.hint = check.hint.as_ref().map(|hint| ui.invocation().adapt(hint).into_owned());
    }
    match ui.is_json() {
        true => ui.json(&Json {
            schema: SCHEMA,
            ok: exit == Exit::Done,
            server: opened.as_ref().ok().map(|session| session.base().as_str()),
            user: user.as_deref(),
            policy: Some(policy.digest().to_string()),
            checks: &checks,
            time: Timestamp::now(),
        }),
        false => ui.data(&text(&checks, exit, &again, ui.invocation(), ui.width())),
    }
    Ok(exit)
}

/// Says why the configuration cannot be used, which keeps everything else from being looked at.
fn unreadable(failure: &Failure, ui: &mut Ui) -> Exit {
    let checks = [failed("configuration", &failure.message, failure.hint.as_deref())];
    let exit = failure.exit;
    match ui.is_json() {
        true => ui.json(&Json {
            schema: SCHEMA,
            ok: false,
            server: None,
            user: None,
            policy: None,
            checks: &checks,
            time: Timestamp::now(),
        }),
        false => ui.data(&text(&checks, exit, "doctor", ui.invocation(), ui.width())),
    }
    exit
}

fn failed(name: &str, message: &str, hint: Option<&str>) -> RuleOutcome {
    RuleOutcome {
        name: name.to_owned(),
        outcome: Outcome::Fail,
        message: without_error_numbers(message),
        hint: hint.map(str::to_owned),
    }
}

/// How it ends where all that was asked was answered by somebody.
fn judged(checks: &[RuleOutcome]) -> Exit {
    let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
    match (any(Outcome::Unknown), any(Outcome::Fail)) {
        (true, _) => Exit::Incomplete,
        (false, true) => Exit::Denied,
        (false, false) => Exit::Done,
    }
}

fn read_local(globals: &Globals, settings: &Settings, session: Option<&Session>, invocation: Invocation) -> Local {
    let journal = host::ensure_state_dir(&settings.state)
        .map_err(|error| error.to_string())
        .and_then(|()| Journal::open(&settings.state).map_err(|error| error.to_string()))
        .and_then(|mut journal| {
            // A full disk lets it be opened.
            journal.probe().and_then(|()| journal.undelivered()).map_err(|error| error.to_string())
        });
    Local {
        file: settings.file.as_ref().map(|file| file.display().to_string()),
        passed_over: session::passed_over(globals).map(|file| file.display().to_string()),
        state: (settings.state.display().to_string(), settings.origins.of("state").to_string()),
        journal: journal.map(|deploys| deploys.len()),
        calling_account: session.and_then(|session| session.calling_account.clone()),
        by_sudo: session.filter(|_| invocation == Invocation::Sudo).map(|session| session.caller.to_string()),
    }
}

fn token_source(globals: &Globals, environment: &Environment, session: &Session) -> String {
    match globals.sandbox {
        true => "the sandbox".to_owned(),
        false => host::find_token(environment, session.settings.configured_url.as_ref(), session.base())
            .map_or_else(|error| error.to_string(), |(_, source)| source.to_string()),
    }
}

/// Calls, and how long each took.
#[derive(Default)]
struct Stopwatch(Vec<(&'static str, Duration)>);

impl Stopwatch {
    async fn time<T>(&mut self, method: &'static str, call: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let answer = call.await;
        self.0.push((method, begun.elapsed()));
        answer
    }
}

/// Reads what the server shows, one call after the other, so that each shows how long it takes.
///
/// # Errors
/// Where it does not even say whose token it is.
async fn read_remote(session: &Session, token: String, named: Option<TaskId>) -> Result<Remote, ConduitError> {
    let policy = &session.settings.policy;
    let client = session.timed_client();
    let mut watch = Stopwatch::default();
    let Reply { result: owner, date }: Reply<Whoami> = watch.time("user.whoami", client.whoami()).await?;
    let skew = date.map(|date| Timestamp::now().duration_since(date));
    let statuses = watch.time("maniphest.status.search", client.statuses()).await;
    let slugs = slugs(policy);
    let mut projects = watch.time("project.search", client.projects_by_slug(&slugs)).await;
    if let Ok(found) = &mut projects {
        let above: Vec<_> = found.all().map(|project| project.phid.clone()).collect();
        match watch.time("project.search", client.descendants(&above)).await {
            Ok(below) => found.place(&below),
            Err(error) => projects = Err(error),
        }
    }
    let recorders = watch.time("user.search", client.users_named(&policy.recorders)).await;
    let members = match &projects {
        Ok(projects) => watch.time("user.search", client.users(&members(projects, policy))).await,
        Err(error) => Err(error.clone()),
    };
    let task = match (named, &projects) {
        (Some(id), _) => watch.time("maniphest.search", client.task(id)).await.map(|reply| reply.result),
        (None, Ok(projects)) => match projects.of(&policy.tag) {
            Some(tag) => watch.time("maniphest.search", client.newest_task(&tag.phid)).await,
            None => Ok(None),
        },
        (None, Err(error)) => Err(error.clone()),
    };
    let types = match &task {
        Ok(Some(task)) => Some(watch.time("maniphest.edit", client.edit_types(task.id)).await),
        _ => None,
    };
    let history = match &task {
        Ok(Some(task)) => Some(history(client.clone(), task, policy, &mut watch).await),
        _ => None,
    };
    let audit = watch.time("transaction.search", client.newest_of_all_tasks()).await;
    Ok(Remote {
        server: session.base().to_string(),
        proxy: session.settings.route.proxy_to(session.base()).map(ToString::to_string),
        token,
        owner,
        // The sandbox's clock is not that of the world outside.
        skew: if session.is_sandbox() { skew.map(|_| SignedDuration::ZERO) } else { skew },
        statuses,
        recorders,
        members,
        task,
        types,
        history,
        audit,
        calls: watch.0,
        projects: projects.map(|projects| by_slug(&projects, &slugs)),
    })
}

/// The teams' projects by hashtag, and their members' accounts: what a check of the tokens of a service needs.
///
/// # Errors
/// Where the server does not answer.
#[cfg(feature = "serve")]
pub(super) async fn read_teams(
    client: &Client,
    policy: &Policy,
) -> Result<(BTreeMap<String, Project>, Vec<Account>), ConduitError> {
    let slugs = slugs(policy);
    let projects = client.projects_by_slug(&slugs).await?;
    let accounts = client.users(&members(&projects, policy)).await?;
    Ok((by_slug(&projects, &slugs), accounts))
}

fn by_slug(projects: &Projects, slugs: &[&str]) -> BTreeMap<String, Project> {
    slugs.iter().filter_map(|slug| Some(((*slug).to_owned(), projects.of(slug)?.clone()))).collect()
}

/// How much the server shows of the history of a task.
async fn history(
    client: Client,
    task: &Task,
    policy: &Policy,
    watch: &mut Stopwatch,
) -> Result<HistoryCoverage, ConduitError> {
    let field = policy.field.as_deref();
    let mut rows = watch.time("transaction.search", client.history(task.id)).await?.result;
    let null = unexposed(&rows, task, field);
    let older = watch.time("maniphest.gettasktransactions", client.older_changes(&[task.id])).await;
    if let Some(changes) = older.as_ref().ok().and_then(|by_task| by_task.get(&task.id)) {
        merge(&mut rows, changes).map_err(|error| contradiction(&error))?;
    }
    name_fields(&mut rows, task, field);
    Ok(HistoryCoverage { null, unexposed: unexposed(&rows, task, field), older: older.map(drop) })
}

fn slugs(policy: &Policy) -> Vec<&str> {
    let teams = policy.teams.iter().map(|team| team.project.as_str());
    let mut slugs: Vec<&str> = teams.chain([policy.tag.as_str()]).chain(policy.train.as_deref()).collect();
    slugs.sort_unstable();
    slugs.dedup();
    slugs
}

/// The members of the teams that approve.
fn members(projects: &Projects, policy: &Policy) -> Vec<Phid<User>> {
    let approving = policy.teams.iter().filter(|team| team.role == Role::Approve);
    let mut members: Vec<_> = approving
        .filter_map(|team| projects.of(&team.project))
        .flat_map(|project| project.members.iter().cloned())
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

/// What was found, for programs; fields are only ever added.
#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    ok: bool,
    server: Option<&'a str>,
    user: Option<&'a str>,
    /// `None` where the configuration cannot be used.
    policy: Option<String>,
    checks: &'a [RuleOutcome],
    time: Timestamp,
}

/// What was found, for people.
fn text(checks: &[RuleOutcome], exit: Exit, again: &str, invocation: Invocation, width: usize) -> String {
    let of = |outcome| {
        let mut names: Vec<&str> =
            checks.iter().filter(|check| check.outcome == outcome).map(|check| check.name.as_str()).collect();
        names.dedup();
        names.join(", ")
    };
    let warned = of(Outcome::Warn);
    let (style, word, rest) = match exit {
        Exit::Done if warned.is_empty() => (GOOD, "READY", "all that an emergency deploy needs is there".to_owned()),
        Exit::Done => (MIND, "READY", format!("look at {warned}")),
        Exit::Incomplete => (BAD, "UNDECIDED", format!("the server did not answer: {}", of(Outcome::Unknown))),
        _ => (BAD, "NOT READY", format!("look at {}", of(Outcome::Fail))),
    };
    let headline = hanging(&format!("{}: ", styled(style, word)), word.len() + 2, &rest, width);
    let next = match exit {
        Exit::Done if warned.is_empty() => NOTHING.to_owned(),
        Exit::Done => {
            let words = "Nothing is to be done at once; look at the warnings when there is time.";
            hanging("", 0, words, width)
        }
        _ => Next::new(MENDED, again, invocation).text(),
    };
    format!("{headline}\n{}\n{next}", verdict_screen::rules(checks, Detail::Whole, width))
}
