//! The tables `[paging]` and `[oncall]`: as the file has them, and as they are validated and listed.
//!
//! Responsible for what is particular to them. Not responsible for what their settings mean ([`super::paging`]), nor for how files are
//! read.

use std::path::PathBuf;

use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use super::diagnostic::{Diagnostic, FilePosition, near};
use super::error::ConfigError;
use super::file::{directory, map};
use super::paging::{self, OnCallSource, PagingSettings, WebhookSettings};
use super::reader::{List, Located, Section, listed};
use super::settings::{List as Entries, friendly};
use super::validate::{PolicyMerge, values};
use super::values as value;
use crate::policy::Policy;

/// The most arguments of a command.
const ARGUMENTS: usize = 32;

/// The tables `[paging]` and `[oncall]`.
#[derive(Debug, Default)]
pub(super) struct FilePaging {
    alertmanager: Option<Located<Url>>,
    webhook: Option<FilePosition>,
    webhook_url: Option<Located<Url>>,
    webhook_secret: Option<Located<PathBuf>>,
    trusted: Option<List<String>>,
    page_after: Option<Located<SignedDuration>>,
    escalate_after: Option<Located<SignedDuration>>,
    ack_for: Option<Located<SignedDuration>>,
    drills: Option<Located<bool>>,
    on_call: Option<Located<Vec<FileOnCall>>>,
}

/// One table below `[oncall]`.
#[derive(Debug)]
struct FileOnCall {
    team: Located<String>,
    command: Option<List<String>>,
    file: Option<Located<PathBuf>>,
}

/// Reads them.
pub(super) fn read(root: &mut Section<'_, '_>) -> FilePaging {
    let (_, mut table) = root.section("paging");
    let (place, mut webhook) = table.section("webhook");
    let file = FilePaging {
        alertmanager: table.parsed("alertmanager", paging::alertmanager),
        webhook: place,
        webhook_url: webhook.parsed("url", paging::webhook),
        webhook_secret: webhook.parsed("secret", directory),
        trusted: table.list("for", value::username),
        page_after: table.parsed("page_after", value::duration),
        escalate_after: table.parsed("escalate_after", value::duration),
        ack_for: table.parsed("ack_for", value::duration),
        drills: table.boolean("drills"),
        on_call: root.sections("oncall").map(|tables| map(tables, on_call)),
    };
    webhook.finish();
    table.finish();
    file
}

fn on_call(team: Located<String>, mut table: Section<'_, '_>) -> FileOnCall {
    let found = FileOnCall {
        team,
        command: table.words("command", |text| Ok(text.to_owned())),
        file: table.parsed("file", directory),
    };
    table.finish();
    found
}

impl PolicyMerge<'_> {
    /// Their settings; the teams that are on call are those of the policy.
    pub(super) fn paging(
        &mut self,
        file: FilePaging,
        base: FilePaging,
        policy: &Policy,
    ) -> Result<PagingSettings, ConfigError> {
        let page_after = self.one(file.page_after, base.page_after, "paging.page_after")?;
        let escalate_after = self.one(file.escalate_after, base.escalate_after, "paging.escalate_after")?;
        if escalate_after.value <= page_after.value {
            let place = if escalate_after.place.built_in { &page_after.place } else { &escalate_after.place };
            let message = "the next stage has to come after the first page";
            let help = format!(
                "`page_after` is {:#} and `escalate_after` {:#}: set both, the second later",
                page_after.value, escalate_after.value
            );
            self.problems.add(Diagnostic::new(place, message).help(help));
        }
        let on_call = self.either(file.on_call, None).map(|found| found.value).unwrap_or_default();
        Ok(PagingSettings {
            alertmanager: self.either(file.alertmanager, None).map(|found| found.value),
            webhook: self.webhook(file.webhook, file.webhook_url, file.webhook_secret),
            trusted: self.either(file.trusted, base.trusted).map(values).unwrap_or_default(),
            page_after: page_after.value,
            escalate_after: escalate_after.value,
            ack_for: self.one(file.ack_for, base.ack_for, "paging.ack_for")?.value,
            drills: self.one(file.drills, base.drills, "paging.drills")?.value,
            on_call: on_call.into_iter().filter_map(|found| self.on_call(found, policy)).collect(),
        })
    }

    /// A webhook is called with a signature or not at all.
    fn webhook(
        &mut self,
        place: Option<FilePosition>,
        url: Option<Located<Url>>,
        secret: Option<Located<PathBuf>>,
    ) -> Option<WebhookSettings> {
        let place = place?;
        let (url, secret) = (self.either(url, None), self.either(secret, None));
        let lacks = |what: &str, help: &str| Diagnostic::new(&place, format!("has no `{what}`")).help(help);
        if url.is_none() {
            self.problems.add(lacks("url", "add where it is called, as in \"https://pager.example.org/phabgate\""));
        }
        if secret.is_none() {
            let help = "name the file, of mode 600, with the secret that signs each call";
            self.problems.add(lacks("secret", help));
        }
        Some(WebhookSettings { url: url?.value, secret: secret?.value })
    }

    fn on_call(&mut self, found: FileOnCall, policy: &Policy) -> Option<(String, OnCallSource)> {
        let FileOnCall { team, command, file } = found;
        if policy.team(&team.value).is_none() {
            let keys: Vec<&str> = policy.teams.iter().map(|team| team.key.as_str()).collect();
            let help = match near(&team.value, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the teams are {}", listed(&keys)),
            };
            self.problems.add(Diagnostic::new(&team.place, format!("there is no team `{}`", team.value)).help(help));
        }
        let (command, file) = (self.either(command, None), self.either(file, None));
        let wrong = |message: &str, help: &str| Diagnostic::new(&team.place, message).help(help);
        let source = match (command, file) {
            (Some(command), None) => self.command(command)?,
            (None, Some(file)) => OnCallSource::File(file.value),
            (Some(_), Some(_)) => {
                self.problems.add(wrong("has both `command` and `file`", "keep the one that is right"));
                return None;
            }
            (None, None) => {
                let help = "add `command = [\"/usr/local/bin/on-call\"]`, a program that prints names, or `file`";
                self.problems.add(wrong("says nowhere who is on call", help));
                return None;
            }
        };
        Some((team.value, source))
    }

    fn command(&mut self, command: List<String>) -> Option<OnCallSource> {
        let mut words = command.value.into_iter();
        let Some(program) = words.next() else {
            let diagnostic = Diagnostic::new(&command.place, "names no program");
            self.problems.add(diagnostic.help("write it as [\"/usr/local/bin/on-call\", \"sre\"]"));
            return None;
        };
        let arguments: Vec<String> = words.map(|word| word.value).collect();
        if arguments.len() > ARGUMENTS {
            let diagnostic = Diagnostic::new(&command.place, format!("has more than {ARGUMENTS} arguments"));
            self.problems.add(diagnostic.help("put them into a program of your own"));
            return None;
        }
        match directory(&program.value) {
            Ok(program) => Some(OnCallSource::Command { program, arguments }),
            Err(wrong) => {
                self.problems.add(Diagnostic::new(&program.place, wrong.message).help(wrong.help));
                None
            }
        }
    }
}

/// Where a webhook is, without what may be secret of its address.
fn shown(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    if url.path() == "/" && url.query().is_none() { format!("{origin}/") } else { format!("{origin}/…") }
}

/// What is listed of them.
pub(super) fn entries(paging: &PagingSettings, list: &mut Entries<'_>) {
    list.add("paging.alertmanager", json!(paging.alertmanager));
    list.add("paging.webhook.url", json!(paging.webhook.as_ref().map(|webhook| shown(&webhook.url))));
    list.add("paging.webhook.secret", json!(paging.webhook.as_ref().map(|webhook| &webhook.secret)));
    list.add("paging.for", json!(paging.trusted));
    list.add("paging.page_after", friendly(paging.page_after));
    list.add("paging.escalate_after", friendly(paging.escalate_after));
    list.add("paging.ack_for", friendly(paging.ack_for));
    list.add("paging.drills", json!(paging.drills));
    for (team, source) in &paging.on_call {
        match source {
            OnCallSource::Command { program, arguments } => {
                let words: Vec<_> =
                    [json!(program)].into_iter().chain(arguments.iter().map(|word| json!(word))).collect();
                list.add(&format!("oncall.{team}.command"), json!(words));
            }
            OnCallSource::File(path) => list.add(&format!("oncall.{team}.file"), json!(path)),
        }
    }
}
