//! The call for help: the message for IRC, whom it calls, and what to do where nobody answers.
//!
//! Responsible for finding out who conducts the train, and the call for people and for programs. Not responsible for
//! which train runs (see [`crate::train`]) and the words of the message (see [`crate::announce`]).

use std::time::Duration;

use serde::Serialize;

use super::session::Session;
use super::ui::{FAINT, NAME, Ui, hanging, styled};
use super::verdict::VerdictSubject;
use crate::announce::Announcement;
use crate::conduit::{Account, Client, ConduitError};
use crate::config::Contact;
use crate::ids::{Phid, TaskId, User};
use crate::policy::Policy;
use crate::text::inert;
use crate::train::{self, Train};

/// How a name came to be the one that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ContactSource {
    /// `--conductor`.
    Flag,
    /// `contact.conductor` of the configuration.
    Configuration,
    /// The train's task is assigned to them.
    Train,
    /// The train's task names them as backup, and has no conductor who could be called.
    Backup,
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Conductor {
    nick: String,
    source: ContactSource,
}

/// The train, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TrainShown {
    task: TaskId,
    version: String,
    conductor: Option<String>,
    backup: Vec<String>,
}

/// What is known of whom to call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ConductorContact {
    conductor: Option<Conductor>,
    train: Option<TrainShown>,
    /// What should be looked at.
    warnings: Vec<String>,
}

impl ConductorContact {
    fn named(nick: &str, source: ContactSource) -> Self {
        Self { conductor: Some(Conductor { nick: nick.to_owned(), source }), ..Self::default() }
    }

    fn unknown(why: String) -> Self {
        let warnings =
            vec![format!("{why}: nobody is called by name; `--conductor NICK` or `contact.conductor` names one")];
        Self { warnings, ..Self::default() }
    }

    /// Finds out: what is given, else what the configuration says, else the train's task. It never fails: the call goes
    /// out without a name where none can be found.
    pub(super) async fn find(session: &Session, given: Option<&str>, limit: Duration) -> Self {
        let settings = &session.settings;
        if let Some(nick) = given {
            return Self::named(nick, ContactSource::Flag);
        }
        if let Some(nick) = &settings.contact.conductor {
            return Self::named(nick, ContactSource::Configuration);
        }
        let client = session.client.within(limit.min(settings.http.total));
        match Self::of_train(&client, &settings.policy).await {
            Ok(whom) => whom,
            Err(error) => Self::unknown(format!("who conducts the train cannot be read: {error}")),
        }
    }

    async fn of_train(client: &Client, policy: &Policy) -> Result<Self, ConduitError> {
        let Some(slug) = &policy.train else {
            return Ok(Self::unknown("the policy names no train".to_owned()));
        };
        let slugs = [slug.as_str()];
        let (projects, statuses) = tokio::join!(client.projects_by_slug(&slugs), client.statuses());
        // A search for a project that there is none of is empty, and looks like a week without a train.
        let projects = projects?;
        let Some(project) = projects.of(slug) else {
            let why = format!("the server knows no project #{slug}, or does not show it to this account");
            return Ok(Self::unknown(why));
        };
        let open: Vec<String> =
            statuses?.into_iter().filter(|status| !status.closed).map(|status| status.value).collect();
        let choice = train::choose(&client.tasks_of(&project.phid, &open).await?, &policy.open_spaces);
        let Some(train) = choice.train else {
            return Ok(Self::unknown(format!("no open task of #{slug} is a train that runs")));
        };
        let accounts = client.users(&train.people()).await?;
        Ok(Self::on(&train, &choice.others, &accounts))
    }

    fn on(train: &Train, others: &[Train], accounts: &[Account]) -> Self {
        let name = |phid: &Phid<User>| {
            accounts.iter().find(|account| account.phid == *phid).map(|account| account.username.clone())
        };
        let label = |train: &Train| format!("{} ({})", inert(&train.version), train.task);
        let called = train::called(train, accounts);
        let mut warnings = Vec::new();
        match &called {
            Some(called) if called.stands_in => warnings.push(format!(
                "the train {} has no conductor who can be called: {} stands in",
                label(train),
                inert(&called.user)
            )),
            Some(_) => {}
            None => warnings.extend(
                Self::unknown(format!("the train {} has neither a conductor nor a backup", label(train))).warnings,
            ),
        }
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(label).collect();
            warnings.push(format!("{} is the newest train, and open beside it: {}", label(train), others.join(", ")));
        }
        Self {
            conductor: called.map(|called| Conductor {
                nick: called.user,
                source: if called.stands_in { ContactSource::Backup } else { ContactSource::Train },
            }),
            train: Some(TrainShown {
                task: train.task,
                version: train.version.clone(),
                conductor: train.conductor.as_ref().and_then(name),
                backup: train.backup.iter().filter_map(name).collect(),
            }),
            warnings,
        }
    }
}

/// The call.
pub(super) struct Call<'a> {
    message: String,
    whom: ConductorContact,
    contact: &'a Contact,
    /// The category that it names.
    category: Option<String>,
    drill: bool,
}

/// The call for programs.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    message: &'a str,
    channel: &'a str,
    escalation: &'a str,
    conductor: Option<&'a Conductor>,
    train: Option<&'a TrainShown>,
    category: Option<&'a str>,
    drill: bool,
}

impl<'a> Call<'a> {
    /// The call for a task; of a restricted one it tells nothing but the number.
    pub(super) fn new(task: TaskId, subject: &VerdictSubject, whom: ConductorContact, contact: &'a Contact) -> Self {
        let category = subject.category.clone().filter(|_| subject.restricted == Some(false));
        let conductor = whom.conductor.as_ref().map(|conductor| conductor.nick.as_str());
        let message = Announcement { conductor, category: category.as_deref(), drill: subject.drill }.message(task);
        Self { message, whom, contact, category, drill: subject.drill }
    }

    /// The message alone.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Says what should be looked at about whom it calls.
    pub(super) fn warn(&self, ui: &mut Ui) {
        for warning in &self.whom.warnings {
            ui.warn(warning);
        }
    }

    /// The call for people. The message is one line however narrow the terminal is, so that it can be copied.
    pub(super) fn text(&self, width: usize) -> String {
        let mut page = format!("Ask in {}:\n\n  {}\n\n", styled(NAME, &self.contact.channel), self.message);
        if let Some(train) = &self.whom.train {
            let names = |names: &[String]| match names {
                [] => "nobody".to_owned(),
                names => names.iter().map(|name| inert(name)).collect::<Vec<_>>().join(", "),
            };
            let line = format!(
                "Train {} ({}): conductor {}, backup {}",
                inert(&train.version),
                train.task,
                names(train.conductor.as_slice()),
                names(&train.backup)
            );
            for line in hanging("", 0, &line, width).lines() {
                page.push_str(&format!("{}\n", styled(FAINT, line)));
            }
        }
        page.push_str(&hanging("Nobody answers? ", 16, &self.contact.escalation, width));
        page
    }

    /// The call for programs.
    pub(super) fn json(&self) -> Json<'_> {
        Json {
            message: &self.message,
            channel: &self.contact.channel,
            escalation: &self.contact.escalation,
            conductor: self.whom.conductor.as_ref(),
            train: self.whom.train.as_ref(),
            category: self.category.as_deref(),
            drill: self.drill,
        }
    }
}
