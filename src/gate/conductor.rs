//! Who conducts the train, and so is called where an emergency needs help.
//!
//! Responsible for finding them. Not responsible for which train runs ([`crate::train`]), nor for the words of the call.

use serde::Serialize;

use super::Context;
use crate::conduit::{Account, Client, ConduitError};
use crate::ids::{Phid, TaskId, User};
use crate::policy::Policy;
use crate::text::inert;
use crate::train::{self, Train};

/// Who is called, where somebody named them.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamedConductor<'a> {
    /// On the command line.
    pub given: Option<&'a str>,
    /// In the configuration.
    pub configured: Option<&'a str>,
}

/// How a name came to be the one that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContactSource {
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
pub struct Conductor {
    /// Their nick on IRC.
    pub nick: String,
    /// Where it is from.
    pub source: ContactSource,
}

/// The train that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainShown {
    /// Its task.
    pub task: TaskId,
    /// What it brings.
    pub version: String,
    /// Its conductor, by its task.
    pub conductor: Option<String>,
    /// Those who stand in, by its task.
    pub backup: Vec<String>,
}

/// What is known of whom to call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConductorContact {
    /// Their name, where one was found.
    pub conductor: Option<Conductor>,
    /// The train, where it was looked for and found.
    pub train: Option<TrainShown>,
    /// What should be looked at.
    pub warnings: Vec<String>,
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
    pub async fn find(context: &Context<'_>, named: NamedConductor<'_>) -> Self {
        if let Some(nick) = named.given {
            return Self::named(nick, ContactSource::Flag);
        }
        if let Some(nick) = named.configured {
            return Self::named(nick, ContactSource::Configuration);
        }
        match Self::of_train(&context.timed_client(), context.policy).await {
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
