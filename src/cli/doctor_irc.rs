//! What `doctor` reads of IRC.
//!
//! Responsible for the reading, by which nothing is said in a channel and the bot that runs is not disturbed. Not responsible for the checks
//! ([`crate::doctor::irc`]).

#[cfg(feature = "serve")]
use std::path::PathBuf;
use std::time::Duration;

use super::session::Session;
use super::ui::Ui;
use super::watched::whether_it_asks;
use crate::config::WhoAsks;
#[cfg(feature = "serve")]
use crate::doctor::heard::WitnessRead;
use crate::doctor::heard::Witnessing;
#[cfg(feature = "serve")]
use crate::doctor::irc::{BotRead, ListedAccount, LoginRead, NetworkRead, Proof, Registered, Unreached};
use crate::doctor::irc::{Irc, TcpircbotRead};
use crate::doctor::presence::WatchRead;
use crate::doctor::untried::Untried;
use crate::irc::HostPort;
use crate::irc::tcpircbot::reach;

#[cfg(feature = "serve")]
use crate::config::{IrcAccount, IrcBotError};
#[cfg(feature = "serve")]
use crate::host::{SecretFileError, SecretFileFault, secret_text};
#[cfg(feature = "serve")]
use crate::irc::bot::{BotSettings, CAPABILITIES, Info, Probe, probe};
#[cfg(feature = "serve")]
use crate::irc::wire::CaseMapping;
#[cfg(feature = "serve")]
use crate::irc::{Barrier, ChannelView, Shown};
#[cfg(feature = "serve")]
use crate::safe_path::PathError;

/// How long a tcpircbot may take to take a connection.
const REACH: Duration = Duration::from_secs(5);

/// How IRC looks; nothing where none of it is configured. The sandbox looks at this machine alone.
pub(super) async fn read(session: &Session, ui: &mut Ui) -> Irc {
    let settings = &session.settings.irc;
    let may = |host: &HostPort| !session.is_sandbox() || host.is_this_machine();
    let tcpircbot = match &settings.tcpircbot {
        Some(host) if may(host) => {
            let reached = reach(host, REACH).await;
            Some((host.to_string(), reached.map_or_else(TcpircbotRead::Unreached, |()| TcpircbotRead::Reached)))
        }
        Some(host) => Some((host.to_string(), TcpircbotRead::Untried(Untried::ELSEWHERE))),
        None => None,
    };
    #[cfg(feature = "serve")]
    let bot = match &settings.bot.server {
        Some(host) if may(host) => bot(session, ui).await,
        Some(_) => Some(BotRead::Untried(Untried::ELSEWHERE)),
        None => None,
    };
    #[cfg(feature = "serve")]
    let witness = witness(session).await;
    #[cfg(feature = "serve")]
    let (witnessing, answering) = configured(session);
    #[cfg(not(feature = "serve"))]
    let (bot, witness, witnessing, answering, _) =
        (None, None, Witnessing { is_elsewhere: true, ..Witnessing::default() }, None, ui);
    let names = &session.settings.policy.witnesses;
    let witnesses = match names.is_empty() {
        true => None,
        false => Some(session.timed_client().users_named(names).await),
    };
    let (watch, is_sandbox) = (watch(session).await, session.is_sandbox());
    Irc { tcpircbot, bot, witness, witnesses, witnessing, answering, watch, is_sandbox }
}

/// Whether the watch that is configured to ask people does; `None` where none is named. That of the sandbox is on no network.
async fn watch(session: &Session) -> Option<Result<WatchRead, Untried>> {
    let Some(WhoAsks::Named(url)) = &session.settings.announce.asks else { return None };
    if session.is_sandbox() {
        return Some(Err(Untried::ELSEWHERE));
    }
    let is_client = session.settings.watch.as_ref().is_some_and(|watch| watch.as_str() == url);
    let key = if is_client { "watch.url" } else { "serve.url" };
    let asks = whether_it_asks(url, None, session).await.map(|answer| (answer.status, answer.asks));
    Some(Ok(WatchRead { url: url.clone(), key, asks }))
}

/// What is configured of the bot, apart from how it is on the network.
#[cfg(feature = "serve")]
fn configured(session: &Session) -> (Witnessing, Option<Vec<String>>) {
    let (settings, bot) = (&session.settings, &session.settings.irc.bot);
    let witnessing = Witnessing {
        has_bot: bot.server.is_some(),
        has_token: bot.witness_token_file.is_some(),
        is_elsewhere: settings.watch.is_some(),
    };
    let answering = bot.server.is_some().then(|| bot.accounts.iter().map(|listed| listed.account.clone()).collect());
    (witnessing, answering)
}

/// With whose token it is written on tasks what is said; `None` where nothing is.
#[cfg(feature = "serve")]
async fn witness(session: &Session) -> Option<WitnessRead> {
    let file = session.settings.irc.bot.witness_token_file.as_ref()?;
    // A token of a file goes to the server of the configuration alone.
    let configured = session.settings.configured_url.as_ref();
    if session.is_sandbox() {
        return Some(WitnessRead::Untried(Untried::InSandbox("its token is of a real server")));
    }
    if configured.is_some_and(|url| url.origin() != session.base().origin()) {
        return Some(WitnessRead::Untried(Untried::OtherServer));
    }
    let token = match secret_text("irc.witness_token_file", file) {
        Ok(token) => token,
        Err(error) => return Some(WitnessRead::Untried(secret(error, &[file]))),
    };
    Some(match session.timed_client().with_token(token).whoami().await {
        Ok(reply) => {
            let named = reply.result.is_named_in(&session.settings.policy.witnesses);
            WitnessRead::Of(reply.result.username, named)
        }
        Err(error) => WitnessRead::Unknown(error),
    })
}

/// How the bot of the watch would be on the network; `None` where there is none.
#[cfg(feature = "serve")]
async fn bot(session: &Session, ui: &mut Ui) -> Option<BotRead> {
    let (irc, contact) = (&session.settings.irc.bot, &session.settings.contact);
    let settings = match irc.bot(&contact.channel, secret_text) {
        Ok(settings) => settings?,
        Err(IrcBotError::Secret(error)) => {
            let files: Vec<&PathBuf> = [&irc.password_file, &irc.certificate_file].into_iter().flatten().collect();
            return Some(BotRead::Untried(secret(error, &files)));
        }
        Err(error @ IrcBotError::Settings(_)) => {
            return Some(BotRead::Untried(Untried::Unusable(error.to_string(), None)));
        }
    };
    let server = settings.server().to_string();
    ui.status(Some(&format!("trying {server} out, and asking NickServ about {} accounts", irc.accounts.len())));
    let network = network(session, settings, &irc.accounts).await;
    ui.status(None);
    Some(BotRead::Tried { server, network })
}

/// Why a secret, which is in one of these files, cannot be used. It is of the user of the service, or is handed to the service alone while
/// that runs.
#[cfg(feature = "serve")]
fn secret(error: SecretFileError, files: &[&PathBuf]) -> Untried {
    let is_of_systemd = |path: &&PathBuf| path.starts_with("/run/credentials");
    match &error.why {
        SecretFileFault::Unsafe(why)
            if why.is_denied()
                || matches!(why, PathError::Owner { .. })
                || (why.is_missing() && files.iter().any(is_of_systemd)) =>
        {
            Untried::NotTheirs(error.to_string())
        }
        _ => Untried::Unusable(error.to_string(), Some(error.hint().to_owned())),
    }
}

#[cfg(feature = "serve")]
async fn network(session: &Session, settings: BotSettings, listed: &[IrcAccount]) -> Result<NetworkRead, Unreached> {
    let bot = &session.settings.irc.bot;
    let account = bot.account.clone();
    let proof = match (&bot.certificate_file, &bot.password_file) {
        (Some(_), Some(_)) => Proof::Both,
        (Some(_), None) => Proof::Certificate,
        (None, _) => Proof::Password,
    };
    let services: Vec<&str> = listed.iter().map(|account| account.services.as_str()).collect();
    let Probe { state, channels, accounts } =
        probe(settings, &services).await.map_err(|unreached| Unreached(unreached.why, unreached.advice))?;
    let login = account.map(|account| {
        let refused = || state.login_refused.clone().unwrap_or_else(|| "the network does not say why".to_owned());
        let login = match (&state.account, &state.certificate_refused) {
            (None, _) if state.is_proof_refused => LoginRead::ProofRefused(proof, refused()),
            (None, _) => LoginRead::Refused(refused()),
            (Some(_), Some(why)) => LoginRead::ByPassword(why.clone()),
            (Some(_), None) => LoginRead::Done,
        };
        (account, login)
    });
    let offered = CAPABILITIES.into_iter().filter(|name| !state.lacking.contains(name));
    let names: Vec<String> = listed.iter().map(|listed| listed.account.clone()).collect();
    let known = match names.as_slice() {
        [] => None,
        names => session.timed_client().users_named(names).await.ok(),
    };
    let is_known = |name: &str| {
        let mut known = known.as_ref()?.iter();
        Some(known.any(|account| account.is_named(name) && account.is_enabled_person()))
    };
    let read = listed.iter().zip(accounts).map(|(listed, info)| ListedAccount {
        services: listed.services.clone(),
        since: listed.since,
        account: (listed.account.clone(), is_known(&listed.account)),
        registered: registered(listed, info, state.casemapping),
    });
    let is_logged_in = state.account.is_some();
    Ok(NetworkRead {
        offered: offered.collect(),
        lacking: state.lacking.clone(),
        login,
        channels: channels.into_iter().map(|view| seen(view, is_logged_in)).collect(),
        accounts: read.collect(),
    })
}

/// What of a channel may keep the bot out.
#[cfg(feature = "serve")]
fn seen(mut view: ChannelView, is_logged_in: bool) -> ChannelView {
    if let Shown::Modes { barriers, .. } = &mut view.shown {
        barriers.retain(|barrier| *barrier != Barrier::AccountsOnly || !is_logged_in);
    }
    view
}

/// What the services say of an account that is listed, as the watch takes it too.
#[cfg(feature = "serve")]
fn registered(listed: &IrcAccount, info: Info, mapping: CaseMapping) -> Registered {
    match info {
        Info::Registered { account, .. } if !mapping.same(&account, &listed.services) => Registered::NickOf(account),
        Info::Registered { since, .. } if listed.can_be_of(since) => Registered::Then,
        Info::Registered { since, .. } => Registered::Later(since),
        Info::NotRegistered => Registered::Not,
        Info::NickOf { account } => Registered::NickOf(account),
        Info::Silent => Registered::Silent,
        Info::NoService { server } => Registered::NoService(server),
        Info::Unclear { words } => Registered::Unclear(words),
    }
}
