//! `serve`: the watch over the open emergencies.
//!
//! Responsible for starting it, for what is printed when it is up, and for the signals that end it. Not responsible for what it does
//! ([`crate::serve`]).

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{Exit, Failure};
use super::sandbox::InProcess;
use super::session::Session;
use super::ui::Ui;
use super::{Globals, doctor, doctor_watch, play};
use crate::config::{IrcBotError, ServeSettings};
use crate::host::{SecretFileError, secret_lines, secret_text};
use crate::rules::Outcome;
use crate::serve::channel::Channel;
use crate::serve::http::{self, App, Guard, Limits, ListenError, StoreTrial, TagSecret};
use crate::serve::notify_systemd::Systemd;
use crate::serve::pipelines::{DeployError, Deploys, apart};
use crate::serve::site::{Secrets, Site};
use crate::serve::store::{SqliteStore, StoreError};
use crate::serve::watch::{Watch, stopped};
use crate::serve::witnessing::WitnessAccountError;

/// The schema of `serve --format json`.
const SCHEMA: &str = "phabgate/serve/1";

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Listen on this address instead of `serve.listen`; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// With --sandbox: play an emergency while the watch looks on
    #[arg(long)]
    play: bool,
}

/// Where the service answers, for programs.
#[derive(Debug, Serialize)]
struct Json {
    schema: &'static str,
    url: String,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: None }
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: None }
    }
}

impl From<IrcBotError<SecretFileError>> for Failure {
    fn from(error: IrcBotError<SecretFileError>) -> Self {
        match error {
            IrcBotError::Secret(error) => error.into(),
            IrcBotError::Settings(_) => Self { exit: Exit::Usage, message: error.to_string(), hint: None },
        }
    }
}

impl From<WitnessAccountError> for Failure {
    fn from(error: WitnessAccountError) -> Self {
        let hint = "make an account of its own for it, name it in `policy.witnesses`, and put its token into the file";
        Self { exit: Exit::Usage, message: error.to_string(), hint: Some(hint.to_owned()) }
    }
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: None }
    }
}

/// Runs `serve`, until a signal ends it.
///
/// # Errors
/// Where the configuration or the credentials are wrong, the address cannot be listened on, or the store cannot be used.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.play && !globals.sandbox {
        let message = "--play writes on tasks, and only on those of the sandbox";
        return Err(Failure::usage(message, "type `phabgate --sandbox serve --play`"));
    }
    let (mut site, sandbox) = Session::open(globals).await?.into_site()?;
    site.secrets = secrets(&site.serve)?;
    // Of the sandbox nobody anywhere is to hear.
    let channel = match &sandbox {
        Some(_) => Channel::default(),
        None => Channel::of(&site, secret_text)?,
    };
    channel.witness_is_one(&site).await?;
    let you = sandbox.as_ref().map(InProcess::you).transpose()?;
    site.serve.viewers.extend(you.clone());
    tokens_leave_approvers(&site).await?;
    crate::host::ensure_state_dir(&site.state)?;
    let store = SqliteStore::open(&site.state)?;
    let (listener, address) =
        http::listen(args.listen.unwrap_or(site.serve.listen), site.serve.socket.as_ref()).await?;
    let systemd = systemd()?;
    let guard = Guard::new(&site.serve, &site.secrets, address);
    let guard = match &you {
        Some(you) => guard.whoever_is_here_is(you),
        None => guard,
    };
    tracing::info!(
        "listening on {address}, watching {}, keeping what is known in {}",
        site.server,
        site.state.display()
    );
    if let Some(speaks) = channel.speaks() {
        tracing::info!("speaking on IRC {speaks}");
    }
    let url = site.serve.url.as_ref().map_or_else(|| format!("http://{address}/"), ToString::to_string);
    let watch = Arc::new(Watch::new(site, store)?);
    let (end, stop) = watch::channel(false);
    let ending = Arc::clone(&systemd);
    tokio::spawn(async move {
        let asked = asked_to_end().await;
        tracing::info!("{asked}: ending");
        ending.stopping();
        let _ = end.send(true);
        // The sender lives as long as the process: a receiver whose sender is gone stops.
        std::future::pending::<()>().await;
    });
    let shown = url.clone();
    match ui.is_json() {
        true => ui.json(&Json { schema: SCHEMA, url }),
        false => ui.data(&started(&url, address, &watch.site)),
    }
    let deploys = Deploys::default();
    deploys.resume(&watch).await?;
    let secret = TagSecret::fresh().ok_or_else(|| Failure::no_random_bytes(None))?;
    let (watched, limits) = (Arc::clone(&watch), Limits::default());
    let store_trial = StoreTrial::default();
    let app = Arc::new(App { watch: watched, deploys, guard, limits, secret, store_trial, stop: stop.clone() });
    let (expiring, until) = (Arc::clone(&app), stop.clone());
    let expiring = tokio::spawn(apart(move || async move { expiring.deploys.expire(&expiring.watch, until).await }));
    let (delivering, until) = (Arc::clone(&app), stop.clone());
    let delivering =
        tokio::spawn(apart(move || async move { delivering.deploys.deliver(&delivering.watch, until).await }));
    let (dog, turned, until) = (Arc::clone(&systemd), Arc::clone(&watch), stop.clone());
    tokio::spawn(async move { dog.watchdog(|| turned.turned(), until).await });
    let (deploys, router) = (Arc::clone(&app), http::router(app));
    let watching = tokio::spawn(Arc::clone(&watch).run(stop.clone()));
    let talking = tokio::spawn(channel.run(Arc::clone(&watch), stop.clone()));
    // The socket listens: whoever connects from here on is answered.
    systemd.ready();
    match &sandbox {
        Some(sandbox) if args.play => {
            tokio::join!(http::serve(listener, router, stop.clone()), played(sandbox, &watch.site, &shown, stop));
        }
        // The sandbox is served as long as the watch is.
        _ => http::serve(listener, router, stop).await,
    }
    // Whoever ends a service waits for what it was doing: nothing of it is lost, and nothing more begins.
    let _ = tokio::join!(watching, talking);
    let _ = tokio::join!(expiring, delivering, deploys.deploys.at_rest());
    Ok(Exit::Done)
}

/// What is printed once it answers: where, and what it writes by itself.
fn started(url: &str, address: SocketAddr, site: &Site) -> String {
    let settings = &site.serve;
    let kinds: Vec<&str> = settings.notices.iter().map(|kind| kind.word()).collect();
    let says = match kinds.as_slice() {
        [] => "It writes nothing on tasks by itself (`serve.notices`).".to_owned(),
        kinds => format!("It writes these notices on tasks by itself: {} (`serve.notices`).", kinds.join(", ")),
    };
    let open = match address.ip().is_loopback() {
        true => String::new(),
        false => "\nIt listens without TLS where others can reach it: only a proxy may stand between.".to_owned(),
    };
    let pagers: Vec<String> = site
        .pagers
        .kinds()
        .into_iter()
        .map(|kind| format!("{kind} at {}", site.pagers.address(kind).unwrap_or_default()))
        .collect();
    let pages = match pagers.as_slice() {
        [] => String::new(),
        pagers => format!(" It pages through {} (`paging`).", pagers.join(" and ")),
    };
    format!(
        "The watch answers at {url}, listens on {address}, and ends at Ctrl-C or SIGTERM.{open}\n{says}{pages}\nFor people: {url}  For programs: \
         {url}v1/openapi.json"
    )
}

/// Refuses a token with which nothing could be approved, or whose people the server does not know. While the server does not answer the
/// service starts all the same: each deploy is judged with the people behind it.
///
/// # Errors
/// Where there is such a token.
async fn tokens_leave_approvers(site: &Site) -> Result<(), Failure> {
    let tokens = doctor_watch::deploy_tokens(&site.serve);
    if tokens.is_empty() {
        return Ok(());
    }
    let client = site.client.within(site.limit);
    let named = crate::doctor::watch::named(&tokens, &[]);
    let (teams, known) = tokio::join!(doctor::read_teams(&client, &site.policy), client.users_named(&named));
    let ((projects, members), known) = match teams.and_then(|teams| Ok((teams, known?))) {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!("whether the tokens leave the teams enough people is not checked: {error}");
            return Ok(());
        }
    };
    let mut checks = crate::doctor::watch::tokens(&tokens, &projects, &members, &site.policy);
    checks.extend(crate::doctor::watch::accounts(&tokens, &[], &known));
    match checks.into_iter().find(|check| check.outcome == Outcome::Fail) {
        Some(check) => Err(Failure {
            exit: Exit::Usage,
            message: format!("{}: {}", check.name.trim_start_matches("watch:"), check.message),
            hint: check.hint,
        }),
        None => Ok(()),
    }
}

/// Where systemd listens, if it started the service.
///
/// # Errors
/// Where it names a socket that is none.
fn systemd() -> Result<Arc<Systemd>, Failure> {
    let variable = |name| std::env::var_os(name);
    let systemd = Systemd::new(variable("NOTIFY_SOCKET").as_deref(), variable("WATCHDOG_USEC").as_deref());
    systemd.map(Arc::new).map_err(|error| Failure {
        exit: Exit::Incomplete,
        message: format!("cannot use the socket of NOTIFY_SOCKET: {error}"),
        hint: Some("let systemd set it, and nobody else".to_owned()),
    })
}

/// The secrets in the files that the settings name.
///
/// # Errors
/// Where one cannot be read, or others than this user and root can.
fn secrets(settings: &ServeSettings) -> Result<Secrets, SecretFileError> {
    let webhook_keys = match &settings.webhook_keys {
        Some(path) => secret_lines("serve.webhook_keys", path)?,
        None => Vec::new(),
    };
    let proxy = match &settings.identity_secret {
        Some(path) => secret_lines("serve.identity_secret", path)?.into_iter().next(),
        None => None,
    };
    Ok(Secrets { webhook_keys, proxy })
}

/// Plays an emergency in the sandbox, and leaves it at that until the service ends.
async fn played(sandbox: &InProcess, site: &Site, url: &str, stop: watch::Receiver<bool>) {
    tracing::info!("playing an emergency: look at {url}{}", play::TASK);
    match play::play(sandbox, &site.client, &site.policy, |step| tracing::info!("played: {step}")).await {
        Ok(()) => tracing::info!("played to its end; `phabgate sandbox --reset` makes the sandbox as it was"),
        Err(error) => tracing::warn!("the emergency cannot be played: {error}"),
    }
    stopped(stop).await;
}

/// Waits for a signal that ends the service, and names it.
async fn asked_to_end() -> &'static str {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => _ = terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "SIGINT",
    }
}
