//! What a command works with: settings, a client, and who is asking.
//!
//! Responsible for bringing these together, from the real server or the sandbox. Not responsible for what a command
//! does with them.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use super::exit::Failure;
use super::refusals_file;
use super::ui::Ui;
use super::{Globals, TaskSubject};
use crate::answer::{self, AnswerRequest};
use crate::conduit::{Account, Client, ClientError, Timeouts, is_loopback};
use crate::config::{self, Flags, LogSetting, Settings};
use crate::evidence::{Evidence, Purpose, Question, bare};
use crate::gate::system_log::{NoLog, SystemLog};
use crate::gate::{Assessor, Clock, Context, Invocation, logged};
use crate::host::{self, Caller, Environment, Getent, Ids};
use crate::ids::{DeployId, TaskId};
use crate::journal::{Journal, JournalError, JournalReader};
use crate::paging::{Issuer, Pagers, site_of};
use crate::rules::{Intent, Texts};
use crate::system_log::LocalLog;
use crate::task_argument;
use crate::text::shorten;
use crate::view::Viewer;

/// What a command works with.
pub(super) struct Session {
    pub(super) settings: Settings,
    pub(super) client: Client,
    /// The server as it is named to people and in the journal; the sandbox is reached on another port each time.
    server: Url,
    pub(super) caller: Caller,
    /// The accounts that this host's users may deploy as.
    pub(super) deployers: Vec<String>,
    /// How the gate was called.
    invocation: Invocation,
    /// Whether texts of a restricted task are shown.
    pub(super) texts: Texts,
    /// The account that the configuration maps the calling user to.
    pub(super) calling_account: Option<String>,
    /// The log of this machine; none in the sandbox.
    log: Box<dyn SystemLog>,
    /// The sandbox, while it is used in this process.
    sandbox: Option<super::sandbox::InProcess>,
}

/// How many columns of an argument are shown.
const SHOWN_ARGUMENT: usize = 80;

/// A directory that is not there, in which the sandbox looks for the configuration of the machine: it has none.
const NOWHERE: &str = "/nonexistent";

/// The environment of the process; for the sandbox without the configuration of a real server.
///
/// # Errors
/// Where the process is root, and root's environment file cannot be used.
pub(super) fn environment(globals: &Globals) -> Result<Environment, Failure> {
    if !globals.sandbox || globals.config.is_some() {
        return Ok(Environment::of_process()?);
    }
    let kept = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name == "PHABGATE_STATE"
            || name == super::sandbox::LIKE
            || name == super::sandbox::WORLD
            || !(name.starts_with("PHABGATE_") || name == "XDG_CONFIG_HOME")
    });
    let variables = kept.chain([("XDG_CONFIG_HOME".into(), NOWHERE.into())]);
    Ok(Environment::new(variables, etcetera::home_dir().ok(), PathBuf::from(NOWHERE), Ids::of_process()))
}

/// The file that `PHABGATE_CONFIG` names and [`environment`] passes over: it is of a real server, and who means it for the sandbox names it by
/// `--config`.
pub(super) fn passed_over(globals: &Globals) -> Option<PathBuf> {
    let is_passed_over = globals.sandbox && globals.config.is_none();
    std::env::var_os("PHABGATE_CONFIG").filter(|file| is_passed_over && !file.is_empty()).map(PathBuf::from)
}

/// The settings of this command line.
pub(super) fn settings(globals: &Globals, environment: &Environment) -> Result<Settings, Failure> {
    let url = globals.url.clone().filter(|_| !globals.sandbox);
    let mut settings = config::load(&Flags { config: globals.config.clone(), url }, environment)?;
    if globals.sandbox {
        settings.state = super::sandbox::directory(&settings.state, super::sandbox::world(environment)?);
    }
    Ok(settings)
}

/// The failure to find a token. On a host where the gate has one of its own, what is missing is sudo, but for answers.
fn without_sudo(error: host::CredentialsError, environment: &Environment, invocation: Invocation) -> Failure {
    let is_missing = matches!(error, host::CredentialsError::Missing { .. });
    let is_bots = environment.file().symlink_metadata().is_ok() && environment.ids().euid != 0;
    let failure = Failure::from(error);
    let Some(hint) = failure.hint.as_ref().filter(|_| is_missing && is_bots && invocation == Invocation::Plain) else {
        return failure;
    };
    let hint = format!(
        "on this host the gate has a token of its own: type the same with sudo in front; an answer needs yours: {hint}"
    );
    Failure { hint: Some(hint), ..failure }
}

impl Session {
    /// Brings together what a command needs; asks nothing of the server yet.
    ///
    /// # Errors
    /// Where the configuration or the credentials are wrong, or the sandbox cannot be served.
    pub(super) async fn open(globals: &Globals) -> Result<Self, Failure> {
        let environment = environment(globals)?;
        let settings = settings(globals, &environment)?;
        Self::with(globals, &environment, settings).await
    }

    /// The same with settings that were read already.
    ///
    /// # Errors
    /// Where the credentials are wrong, or the sandbox cannot be served.
    pub(super) async fn with(
        globals: &Globals,
        environment: &Environment,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let caller = Caller::find(environment, &Getent, !settings.deployers.is_empty())?;
        let deployers: Vec<String> = settings.deployers.values().cloned().collect();
        let invocation = super::invocation(globals, environment.ids());
        let timeouts = Timeouts { connect: settings.http.connect, call: settings.http.call };
        if globals.sandbox {
            host::ensure_state_dir(&settings.state)?;
            let sandbox = super::sandbox::InProcess::start(&settings.state, environment).await?;
            let token = SecretString::from(sandbox.token().to_owned());
            let client = Client::new(sandbox.url(), Some(token), timeouts, &settings.route)?;
            let server = sandbox.name().clone();
            let calling_account = Some(sandbox.you()?);
            return Ok(Self {
                settings,
                client,
                server,
                caller,
                deployers,
                invocation,
                texts: Texts::Hidden,
                calling_account,
                log: Box::new(NoLog),
                sandbox: Some(sandbox),
            });
        }
        let server = settings.server()?.clone();
        let found = host::find_token(environment, settings.configured_url.as_ref(), &server);
        let (token, _) = found.map_err(|error| without_sudo(error, environment, invocation))?;
        let calling_account = config::map_deployer(&settings, &caller).map(str::to_owned);
        let client =
            Client::new(&server, Some(SecretString::from(token.expose().to_owned())), timeouts, &settings.route)?;
        // What others could have put there is not remembered, and nothing is put beside it.
        let trust = crate::safe_path::Trust::of_process();
        let client = match crate::safe_path::existing_private_directory(&settings.state, trust) {
            Ok(true) => client.remembering(refusals_file::recall(&settings.state, &server)),
            _ => client,
        };
        let texts = Texts::Hidden;
        let log: Box<dyn SystemLog> = match settings.log.system {
            LogSetting::Auto => Box::new(LocalLog::below(&settings.log.root)),
            LogSetting::Off => Box::new(NoLog),
        };
        Ok(Self { settings, client, server, caller, deployers, invocation, texts, calling_account, log, sandbox: None })
    }

    /// The same, where the texts of a restricted task are shown if that was asked for.
    pub(super) fn showing(self, show_restricted: bool) -> Self {
        Self { texts: if show_restricted { Texts::Shown } else { Texts::Hidden }, ..self }
    }

    /// In the sandbox, makes a person the one who asks whose answer would count, else one of the team, and names them.
    ///
    /// # Errors
    /// Where the sandbox's world cannot be read.
    pub(super) async fn answer_for(
        &mut self,
        task: TaskId,
        wish: &AnswerRequest<'_>,
    ) -> Result<Option<String>, Failure> {
        let policy = &self.settings.policy;
        let Some(sandbox) = &self.sandbox else { return Ok(None) };
        let read = self.assessor().assess(&self.reading(task), &Intent::default()).await;
        let (key, users) = read.judged().map(|read| answer::who_would_count(read, policy, wish)).unwrap_or_default();
        let team = wish.team.or(key.as_deref()).or_else(|| policy.required.first().map(String::as_str));
        let Some(team) = team.and_then(|key| policy.team(key)) else { return Ok(None) };
        let Some((name, token)) = sandbox.approver(&team.project, &users)? else { return Ok(None) };
        self.client = self.client.with_token(SecretString::from(token));
        Ok(Some(name))
    }

    /// What the use cases of the gate work with.
    pub(super) fn context(&self) -> Context<'_> {
        let Settings { policy, state, http, record, .. } = &self.settings;
        Context {
            client: &self.client,
            policy,
            server: &self.server,
            state,
            limit: http.total,
            settle: record.settle,
            record,
            caller: &self.caller,
            deployers: &self.deployers,
            clock: if self.is_sandbox() { Clock::Sandbox } else { Clock::Compared },
            invocation: self.invocation,
            texts: self.texts,
            log: self.log.as_ref(),
        }
    }

    /// The pagers of the settings, with the secret that signs; nothing is called yet.
    ///
    /// # Errors
    /// Where the secret cannot be read, or a connection cannot be prepared.
    pub(super) fn pagers(&self) -> Result<Pagers, Failure> {
        let Settings { policy, paging, http, route, .. } = &self.settings;
        let hook = paging.webhook.as_ref().map(|webhook| &webhook.url);
        if self.is_sandbox() && paging.alertmanager.iter().chain(hook).any(|url| !is_loopback(url)) {
            let hint = "leave `--config` out, or name a pager on loopback";
            return Err(Failure::usage("the sandbox wakes nobody: its pages go to pagers of this machine alone", hint));
        }
        let secret = match &paging.webhook {
            Some(webhook) => host::secret_lines("paging.webhook.secret", &webhook.secret)?.into_iter().next(),
            None => None,
        };
        let issuer = Issuer { site: site_of(&self.server), policy: policy.digest().to_string() };
        Ok(Pagers::new(paging, issuer, secret, http.connect, route)?)
    }

    /// What a service works with from here on, and the sandbox that has to live as long.
    #[cfg(feature = "serve")]
    pub(super) fn into_site(self) -> Result<(crate::serve::site::Site, Option<super::sandbox::InProcess>), Failure> {
        let pagers = self.pagers()?;
        // How this process was called is nobody else's matter, but that it is the sandbox is.
        let (clock, invocation) = match self.is_sandbox() {
            true => (Clock::Sandbox, Invocation::Sandbox("")),
            false => (Clock::Compared, Invocation::Plain),
        };
        let Settings { policy, state, http, record, serve, paging, mut irc, contact, configured_url, .. } =
            self.settings;
        // A token of a file goes to the server of the configuration alone.
        let is_another = configured_url.is_some_and(|url| url.origin() != self.server.origin());
        if is_another && irc.bot.witness_token_file.take().is_some() {
            tracing::warn!("irc.witness_token_file is of another server: what is said on IRC is not written on tasks");
        }
        let site = crate::serve::site::Site {
            client: self.client,
            policy,
            server: self.server,
            state,
            limit: http.total,
            record,
            caller: self.caller,
            clock,
            invocation,
            log: self.log,
            deployers: self.deployers,
            serve,
            paging,
            pagers,
            contact,
            irc,
            secrets: crate::serve::site::Secrets::default(),
        };
        Ok((site, self.sandbox))
    }

    /// Who is shown what was read.
    pub(super) fn viewer(&self) -> Viewer<'_> {
        Viewer {
            policy: &self.settings.policy,
            server: &self.server,
            texts: self.texts,
            account: self.calling_account.as_deref(),
            invocation: self.invocation,
        }
    }

    /// The account of who asks, where it is known: the one that the caller is mapped to, else that of a token of their own. `read` is what was
    /// read of a task, which names the owner of the token.
    pub(super) fn asker<'a>(&'a self, read: Option<&'a Evidence>) -> Option<&'a str> {
        let shared = |account: &Account| account.is_bot() || account.is_named_in(&self.settings.policy.recorders);
        let owner = || read.map(|read| &read.owner).filter(|owner| !shared(owner));
        self.calling_account.as_deref().or_else(|| owner().map(|owner| owner.username.as_str()))
    }

    /// Who reads tasks and judges them.
    pub(super) fn assessor(&self) -> Assessor<'_> {
        Assessor::new(self.context())
    }

    /// Refuses where root's rights are used for somebody who may not deploy, or may not deploy as this account: under sudo
    /// whatever runs or writes is done by the account that `[deployers]` maps the caller to, and by no other.
    ///
    /// # Errors
    /// Where the caller is mapped to no account, or `deployer` is another.
    pub(super) fn caller_may_deploy(&self, deployer: Option<&str>) -> Result<(), Failure> {
        let may = self.is_their_account(deployer);
        if may.is_err() {
            self.log.write(&logged::refused(&self.context()));
        }
        may
    }

    /// Whether who calls may do what a deployer may; one that is refused nothing is not logged.
    pub(super) fn is_deployer(&self) -> bool {
        self.is_their_account(None).is_ok()
    }

    fn is_their_account(&self, deployer: Option<&str>) -> Result<(), Failure> {
        if self.invocation != Invocation::Sudo {
            return Ok(());
        }
        let caller = crate::text::inert(&self.caller.to_string());
        let Some(account) = &self.calling_account else {
            return Err(Failure::usage(
                format!("{caller} is no deployer on this machine: `[deployers]` maps this login to no account"),
                "whoever administers this machine adds it to /etc/phabgate/config.toml; reading needs no entry",
            ));
        };
        match deployer.map(|name| name.trim().trim_start_matches('@')) {
            Some(named) if !named.eq_ignore_ascii_case(account) => Err(Failure::usage(
                format!("--deployer {}: {caller} deploys as {account} and as nobody else", crate::text::inert(named)),
                "leave --deployer out, or let who deploys call the gate",
            )),
            _ => Ok(()),
        }
    }

    /// The base URL of the server.
    pub(super) fn base(&self) -> &Url {
        &self.server
    }

    /// Whether the server is the sandbox in this process.
    pub(super) fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// A client for another server, which gets no token.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn without_token(&self, server: &Url) -> Result<Client, ClientError> {
        let http = &self.settings.http;
        Client::new(server, None, Timeouts { connect: http.connect, call: http.call }, &self.settings.route)
    }

    /// The client, for as long as one command may take.
    pub(super) fn timed_client(&self) -> Client {
        self.client.within(self.settings.http.total)
    }

    /// The task that an argument names; says which, where it stands among something else.
    pub(super) fn task(&self, text: &str, ui: &mut Ui) -> Result<TaskId, Failure> {
        let task =
            task_argument::parse(text, self.base()).map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
        let plain = text.strip_prefix('#').unwrap_or(text);
        if !plain.eq_ignore_ascii_case(&task.to_string()) && text != task.url(self.base()) {
            ui.note(&format!("{:?} is taken as {task}", shorten(text, SHOWN_ARGUMENT)));
        }
        Ok(task)
    }

    /// What is asked about a task, and whether who asks is about to deploy.
    pub(super) fn question(&self, task: TaskId, subject: &TaskSubject, purpose: Purpose) -> Result<Question, Failure> {
        let mut attestations = Vec::new();
        for text in &subject.approved_by {
            let malformed =
                |why: String| Failure::usage(why, "write --approved-by TEAM=USER, such as --approved-by sre=alice");
            let (team, user) = text
                .split_once('=')
                .filter(|(_, user)| !user.trim().is_empty())
                .ok_or_else(|| malformed(format!("--approved-by {text:?} is not TEAM=USER")))?;
            let team = self.settings.policy.team_named(team).ok_or_else(|| {
                let known: Vec<&str> = self.settings.policy.teams.iter().map(|team| team.key.as_str()).collect();
                malformed(format!(
                    "--approved-by {text:?}: the policy has no team {team:?}; it has {}",
                    known.join(", ")
                ))
            })?;
            let user = user.trim().trim_start_matches('@').to_owned();
            attestations.push((team.key.clone(), user, subject.evidence.clone()));
        }
        if subject.evidence.is_some() && attestations.is_empty() {
            return Err(Failure::usage(
                "--evidence goes with --approved-by",
                "name who approved with --approved-by TEAM=USER",
            ));
        }
        let question = self.plain_question(task, subject.deployer.as_deref(), purpose)?;
        Ok(Question { attestations, ..question })
    }

    /// The same, where the task and a deployer are all that is said.
    pub(super) fn plain_question(
        &self,
        task: TaskId,
        deployer: Option<&str>,
        purpose: Purpose,
    ) -> Result<Question, Failure> {
        let deployer = deployer.map(|name| bare(name).to_owned());
        if deployer.as_deref() == Some("") {
            return Err(Failure::usage("--deployer is empty", "give the deployer's username on the server"));
        }
        // In the sandbox nobody calls but whom one pretends to be.
        let calling_user = self.calling_account.clone().filter(|_| !self.is_sandbox() || deployer.is_none());
        Ok(Question { deployer, calling_user, purpose, ..self.reading(task) })
    }

    /// What is asked about a task by who only reads it.
    pub(super) fn reading(&self, task: TaskId) -> Question {
        Question {
            task,
            deployer: None,
            calling_user: self.calling_account.clone(),
            pipeline: [].into(),
            attestations: Vec::new(),
            purpose: Purpose::Read,
            deployers: self.deployers.as_slice().into(),
        }
    }

    /// The journal, writable.
    pub(super) fn journal(&self) -> Result<Journal, Failure> {
        host::ensure_state_dir(&self.settings.state)?;
        Ok(Journal::open(&self.settings.state)?)
    }

    /// Warns of what an earlier command could not deliver, where there is any.
    pub(super) fn warn_of_undelivered(&self, ui: &mut Ui) {
        // What a gate at work is about to send is not late.
        let late = |journal: JournalReader| -> Result<Vec<DeployId>, JournalError> {
            let undelivered = journal.undelivered()?.into_iter();
            Ok(undelivered.filter(|deploy| !journal.is_alive(*deploy).unwrap_or(false)).collect())
        };
        let count = Journal::open_read_only(&self.settings.state).map(|journal| journal.map(late));
        match count {
            Ok(Some(Ok(deploys))) if !deploys.is_empty() => {
                ui.warn(&format!(
                    "earlier deploys with records that are not on their task yet: {} (`phabgate outbox list`)",
                    deploys.len()
                ));
            }
            Ok(Some(Err(error))) => ui.warn(&format!("cannot read the journal: {error}")),
            Err(error) => ui.warn(&format!("cannot read the journal: {error}")),
            Ok(_) => {}
        }
    }
}
