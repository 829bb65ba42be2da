//! What a service works with, for as long as it runs.
//!
//! Responsible for owning it, and for lending it to use cases. Not responsible for where it comes from: whoever starts the service
//! brings it.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::conduit::Client;
use crate::config::{Contact, IrcAccount, IrcSettings, PagingSettings, RecordSettings, ServeSettings};
use crate::evidence::{Purpose, Question};
use crate::gate::{Clock, Context, Invocation, SystemLog};
use crate::host::Caller;
use crate::ids::TaskId;
use crate::paging::Pagers;
use crate::policy::Policy;
use crate::rules::Texts;

/// What a service works with.
#[derive(Debug)]
pub struct Site {
    /// Who is asked, with the token of the service's account.
    pub client: Client,
    /// By what is judged.
    pub policy: Policy,
    /// The server as it is named to people.
    pub server: Url,
    /// The state directory.
    pub state: PathBuf,
    /// How long one reading of a task may take.
    pub limit: Duration,
    /// How deploys are recorded, and how long an unclear attempt to write may still be carried out.
    pub record: RecordSettings,
    /// Who started the service.
    pub caller: Caller,
    /// Whose clock the evidence is judged by.
    pub clock: Clock,
    /// How its readers type commands of the gate.
    pub invocation: Invocation,
    /// The log of this machine.
    pub log: Box<dyn SystemLog>,
    /// The accounts that deploy from this machine.
    pub deployers: Vec<String>,
    /// The settings of the service itself.
    pub serve: ServeSettings,
    /// Who is on call, and after how long who is paged.
    pub paging: PagingSettings,
    /// The pagers.
    pub pagers: Pagers,
    /// The channel where people are asked, and what they do where nobody answers.
    pub contact: Contact,
    /// How IRC is reached.
    pub irc: IrcSettings,
    /// What it was given in confidence.
    pub secrets: Secrets,
}

/// What a service knows and shows nobody.
#[derive(Default)]
pub struct Secrets {
    /// The keys of the server's webhooks.
    pub webhook_keys: Vec<SecretString>,
    /// What a trusted proxy sends beside who looks at the page.
    pub proxy: Option<SecretString>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Site {
    /// What the use cases of the gate work with. Texts of restricted tasks are shown to nobody.
    pub fn context(&self) -> Context<'_> {
        Context {
            client: &self.client,
            policy: &self.policy,
            server: &self.server,
            state: &self.state,
            limit: self.limit,
            settle: self.record.settle,
            record: &self.record,
            caller: &self.caller,
            deployers: &[],
            clock: self.clock,
            invocation: self.invocation,
            texts: Texts::Hidden,
            log: self.log.as_ref(),
        }
    }

    /// The channel in which its bot asks.
    pub fn bot_channel(&self) -> &str {
        self.irc.bot.channels.first().unwrap_or(&self.contact.channel)
    }

    /// The same where what people say there counts, since a witness writes it on tasks, and who they can be.
    pub fn takes_words_in(&self) -> Option<(&str, &[IrcAccount])> {
        self.irc.bot.witness_token_file.as_ref().map(|_| (self.bot_channel(), self.irc.bot.accounts.as_slice()))
    }

    /// What is asked about a task by the watch, which deploys nothing.
    pub fn question(&self, task: TaskId) -> Question {
        Question {
            task,
            deployer: None,
            calling_user: None,
            pipeline: [].into(),
            attestations: Vec::new(),
            purpose: Purpose::Read,
            deployers: [].into(),
        }
    }
}
