//! The settings: everything a command needs to know that the server does not say, validated, each value with its
//! origin.
//!
//! Responsible for the settings as data and the list of them by key. Not responsible for how they are read and merged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use super::announce::{self, AnnounceSettings};
use super::irc::IrcSettings;
use super::irc_table;
use super::origin::{Origin, Origins};
use super::paging::PagingSettings;
use super::paging_table;
use super::preset::Preset;
#[cfg(feature = "serve")]
use super::serve::ServeSettings;
#[cfg(feature = "serve")]
use super::serve_table;
use crate::conduit::Route;
use crate::host::Caller;
use crate::ids::FindingId;
use crate::policy::{Policy, Role};
use crate::record::mask::{Mask, Pattern};

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file that was read, where there was one.
    pub file: Option<PathBuf>,
    /// Where the server answers, ending in `/`; `None` where nothing said so. See [`Settings::server`].
    pub url: Option<Url>,
    /// The URL of the configuration, whatever flags and variables say: the server that tokens of files belong to.
    pub configured_url: Option<Url>,
    /// Through which proxy the server is reached, and whose certificates are believed.
    pub route: Route,
    /// The directory of the journal. Nothing has been created yet.
    pub state: PathBuf,
    /// What the policy starts from.
    pub preset: Preset,
    /// What an emergency deploy needs.
    pub policy: Policy,
    /// The username of the account of each user of this machine.
    pub deployers: BTreeMap<String, String>,
    /// How deploys are recorded.
    pub record: RecordSettings,
    /// Whom to ask where.
    pub contact: Contact,
    /// How the server is talked to.
    pub http: Http,
    /// What the log of this machine gets.
    pub log: LogSettings,
    /// How what asks for an emergency deploy reaches people.
    pub announce: AnnounceSettings,
    /// How IRC is reached.
    pub irc: IrcSettings,
    /// How the watch is served.
    #[cfg(feature = "serve")]
    pub serve: ServeSettings,
    /// Who is on call, and who is paged through what.
    pub paging: PagingSettings,
    /// The watch from which a command that waits learns that a task changed.
    pub watch: Option<Url>,
    /// Findings of the audit that somebody looked at.
    pub accepted: Vec<Accepted>,
    /// Where each value came from.
    pub origins: Origins,
}

/// A finding of the audit that somebody looked at, and why it is let be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which finding.
    pub finding: FindingId,
    /// Why.
    pub why: String,
}

/// How deploys are recorded.
#[derive(Debug, Clone)]
pub struct RecordSettings {
    /// What is kept out of a recorded command line.
    pub mask: Mask,
    /// Whether the command line is left out altogether.
    pub hide_args: bool,
    /// How long after an unclear answer a record is looked for before it is sent again.
    pub settle: Duration,
}

/// Whom to ask where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The IRC channel.
    pub channel: String,
    /// What to do where nobody answers.
    pub escalation: String,
    /// The nick of the train conductor, where it is set by hand.
    pub conductor: Option<String>,
    /// Whether `request` puts on the task what approvers have to write.
    pub instructions: bool,
}

/// How the server is talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Time for a connection.
    pub connect: Duration,
    /// Time for one call.
    pub call: Duration,
    /// Time for all that one command asks.
    pub total: Duration,
    /// Which proxy to go through; none on loopback, whatever this says.
    pub proxy: ProxySetting,
}

/// Which proxy to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxySetting {
    /// What the environment names.
    System,
    /// None.
    Off,
}

/// What the log of this machine gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Whether it gets anything.
    pub system: LogSetting,
    /// Below which directory its sockets are.
    pub root: PathBuf,
}

/// Whether the log of this machine gets a line for each decision and each deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSetting {
    /// It does, where there is one.
    Auto,
    /// It does not.
    Off,
}

/// Nothing says where the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no server is configured: set `url` in the configuration file, PHABGATE_URL, or --url")]
pub struct NoServer;

/// One setting, as `config show` prints it.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingEntry {
    /// The key as the file writes it.
    pub key: String,
    /// The value as the file writes it; `null` where it is not set.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl Settings {
    /// Where the server answers.
    ///
    /// # Errors
    /// Where nothing says so.
    pub fn server(&self) -> Result<&Url, NoServer> {
        self.url.as_ref().ok_or(NoServer)
    }

    /// All settings, in the order of the template.
    pub fn entries(&self) -> Vec<SettingEntry> {
        let mut list = List { origins: &self.origins, entries: Vec::new() };
        list.add("url", json!(self.url));
        list.add("state", json!(self.state.display().to_string()));
        self.policy_entries(&mut list);
        for (user, account) in &self.deployers {
            list.add(&format!("deployers.{user}"), json!(account));
        }
        let mask: Vec<&str> = self.record.mask.patterns().map(Pattern::as_str).collect();
        list.add("record.mask", json!(mask));
        list.add("record.hide_args", json!(self.record.hide_args));
        list.add("record.settle", span(self.record.settle));
        list.add("contact.channel", json!(self.contact.channel));
        list.add("contact.escalation", json!(self.contact.escalation));
        list.add("contact.conductor", json!(self.contact.conductor));
        list.add("contact.instructions", json!(self.contact.instructions));
        list.add("http.connect", span(self.http.connect));
        list.add("http.call", span(self.http.call));
        list.add("http.total", span(self.http.total));
        list.add("http.proxy", json!(if self.http.proxy == ProxySetting::System { "system" } else { "off" }));
        list.add("log.system", json!(if self.log.system == LogSetting::Auto { "auto" } else { "off" }));
        announce::entries(&self.announce, &mut list);
        irc_table::entries(&self.irc, &mut list);
        #[cfg(feature = "serve")]
        serve_table::entries(&self.serve, &mut list);
        paging_table::entries(&self.paging, &mut list);
        list.add("watch.url", json!(self.watch));
        let accepted =
            self.accepted.iter().map(|it| json!({"finding": it.finding.to_string(), "why": it.why})).collect();
        list.add("audit.accepted", Value::Array(accepted));
        list.entries
    }

    fn policy_entries(&self, list: &mut List<'_>) {
        let policy = &self.policy;
        let or_off = |value: &Option<String>| json!(value.as_deref().unwrap_or("off"));
        let kinds = [
            ("verified", policy.accept_verified),
            ("witnessed", policy.accept_witnessed),
            ("attested", policy.accept_attested),
        ];
        let accept: Vec<&str> = kinds.into_iter().filter_map(|(word, counts)| counts.then_some(word)).collect();
        list.add("policy.preset", json!(self.preset.word()));
        list.add("policy.tag", json!(policy.tag));
        list.add("policy.field", or_off(&policy.field));
        list.add("policy.train", or_off(&policy.train));
        list.add("policy.required", json!(policy.required));
        list.add("policy.accept", json!(accept));
        list.add("policy.max_age", friendly(policy.max_age));
        list.add("policy.self_approval", json!(policy.self_approval));
        list.add("policy.require_open", json!(policy.require_open));
        list.add("policy.recorders", json!(policy.recorders));
        list.add("policy.witnesses", json!(policy.witnesses));
        list.add("policy.records", json!(policy.records));
        list.add("policy.open_spaces", json!(policy.open_spaces));
        list.add("policy.follow_up", policy.follow_up.map_or(json!("off"), friendly));
        for team in &policy.teams {
            let key = |name: &str| format!("policy.teams.{}.{name}", team.key);
            list.add(&key("project"), json!(team.project));
            list.add(&key("title"), json!(team.title));
            list.add(&key("aliases"), json!(team.aliases));
            if team.role == Role::Approve {
                list.add(&key("need"), json!(team.need));
            }
            list.add(&key("role"), json!(team.role));
        }
        for reason in &policy.reasons {
            let key = |name: &str| format!("policy.reasons.{}.{name}", reason.key);
            list.add(&key("title"), json!(reason.title));
            list.add(&key("aliases"), json!(reason.aliases));
            list.add(&key("teams"), json!(reason.teams));
        }
        for action in &policy.actions {
            list.add(&format!("policy.actions.{}", super::values::action_word(action.action)), json!(action.teams));
        }
    }
}

/// The username of the account that the configuration maps the caller to.
pub fn map_deployer<'a>(settings: &'a Settings, caller: &Caller) -> Option<&'a str> {
    let login = caller.login.as_deref()?;
    settings.deployers.get(login).map(String::as_str)
}

pub(super) struct List<'a> {
    origins: &'a Origins,
    entries: Vec<SettingEntry>,
}

impl List<'_> {
    pub(super) fn add(&mut self, key: &str, value: Value) {
        self.entries.push(SettingEntry { key: key.to_owned(), value, origin: self.origins.of(key).clone() });
    }
}

pub(super) fn friendly(duration: SignedDuration) -> Value {
    Value::String(format!("{duration:#}"))
}

fn span(duration: Duration) -> Value {
    SignedDuration::try_from(duration).map_or(Value::Null, friendly)
}
