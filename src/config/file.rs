//! The first stage: a TOML document, read key by key into values with their places.
//!
//! Responsible for every key that there is and the type of its value. Not responsible for what is built in, what beats
//! what, and whether the values go together (see `validate`).

use std::path::PathBuf;

use jiff::SignedDuration;
use toml::de::DeTable;
use url::Url;

use super::announce::{self, FileAnnounce};
use super::diagnostic::{Diagnostic, FilePosition};
use super::irc_table::{self, FileIrc};
use super::paging_table::{self, FilePaging};
use super::preset::Preset;
use super::reader::{List, Located, Names, Problems, Section, ValueError, listed};
#[cfg(feature = "serve")]
use super::serve_table::{self, FileServe};
use super::settings::{LogSetting, ProxySetting};
use super::values;
use crate::conduit::parse_url;
use crate::ids::FindingId;
use crate::policy::{Action, BelievedRecords, Role};
use crate::record::mask::Pattern;

/// The teams of each action that has its own.
pub(super) type Actions = Located<Vec<(Action, List<String>)>>;

/// A document as it was written.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) url: Option<Located<Url>>,
    pub(super) state: Option<Located<PathBuf>>,
    pub(super) preset: Option<Located<Preset>>,
    pub(super) tag: Option<Located<String>>,
    pub(super) field: Option<Located<Option<String>>>,
    pub(super) train: Option<Located<Option<String>>>,
    pub(super) required: Option<List<String>>,
    pub(super) accept: Option<List<Accept>>,
    pub(super) max_age: Option<Located<SignedDuration>>,
    pub(super) self_approval: Option<Located<bool>>,
    pub(super) require_open: Option<Located<bool>>,
    pub(super) recorders: Option<List<String>>,
    pub(super) witnesses: Option<List<String>>,
    pub(super) records: Option<Located<BelievedRecords>>,
    pub(super) open_spaces: Option<List<String>>,
    pub(super) follow_up: Option<Located<Option<SignedDuration>>>,
    pub(super) teams: Option<Located<Vec<FileTeam>>>,
    pub(super) reasons: Option<Located<Vec<FileReason>>>,
    pub(super) actions: Option<Actions>,
    pub(super) deployers: Option<Names<String>>,
    pub(super) mask: Option<List<Pattern>>,
    pub(super) hide_args: Option<Located<bool>>,
    pub(super) settle: Option<Located<SignedDuration>>,
    pub(super) channel: Option<Located<String>>,
    pub(super) escalation: Option<Located<String>>,
    pub(super) conductor: Option<Located<String>>,
    pub(super) instructions: Option<Located<bool>>,
    pub(super) connect: Option<Located<SignedDuration>>,
    pub(super) call: Option<Located<SignedDuration>>,
    pub(super) total: Option<Located<SignedDuration>>,
    pub(super) proxy: Option<Located<ProxySetting>>,
    pub(super) log: Option<Located<LogSetting>>,
    pub(super) announce: FileAnnounce,
    pub(super) irc: FileIrc,
    #[cfg(feature = "serve")]
    pub(super) serve: FileServe,
    /// Where the watch is reached: all that a gate without it has to know of the table.
    #[cfg(not(feature = "serve"))]
    pub(super) served: Option<Located<String>>,
    pub(super) paging: FilePaging,
    pub(super) watch: Option<Located<Url>>,
    pub(super) accepted: Option<Located<Vec<FileAccepted>>>,
}

/// One entry of `audit.accepted`.
#[derive(Debug)]
pub(super) struct FileAccepted {
    pub(super) place: FilePosition,
    pub(super) finding: Option<Located<FindingId>>,
    pub(super) why: Option<Located<String>>,
}

/// A kind of approval that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    Verified,
    Witnessed,
    Attested,
}

/// One table below `[policy.teams]`.
#[derive(Debug)]
pub(super) struct FileTeam {
    pub(super) key: Located<String>,
    pub(super) project: Option<Located<String>>,
    pub(super) title: Option<Located<String>>,
    pub(super) aliases: Option<List<String>>,
    pub(super) need: Option<Located<u32>>,
    pub(super) role: Option<Located<Role>>,
}

/// One table below `[policy.reasons]`.
#[derive(Debug)]
pub(super) struct FileReason {
    pub(super) key: Located<String>,
    pub(super) title: Option<Located<String>>,
    pub(super) aliases: Option<List<String>>,
    pub(super) teams: Option<List<String>>,
}

/// All actions.
const ACTIONS: [Action; 4] = [Action::Fix, Action::Rollback, Action::Config, Action::OnWikiEdit];

/// Reads a document, or lists all that is wrong with it.
pub(super) fn read(text: &str, built_in: bool) -> Result<File, Vec<Diagnostic>> {
    let problems = Problems::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let place = FilePosition { key: String::new(), span, built_in };
        problems.add(Diagnostic::new(&place, format!("not TOML: {}", error.message())));
    }
    if !errors.is_empty() {
        return Err(problems.into_sorted());
    }
    let file = root(Section::root(table.get_ref(), built_in, &problems));
    let problems = problems.into_sorted();
    if problems.is_empty() { Ok(file) } else { Err(problems) }
}

fn root(mut root: Section<'_, '_>) -> File {
    let (_, mut policy) = root.section("policy");
    let teams = policy.sections("teams").map(|tables| map(tables, team));
    let reasons = policy.sections("reasons").map(|tables| map(tables, reason));
    let actions = actions(&mut policy);
    let (_, mut record) = root.section("record");
    let (_, mut contact) = root.section("contact");
    let (_, mut http) = root.section("http");
    let (_, mut log) = root.section("log");
    let (_, mut announce) = root.section("announce");
    let (_, mut irc) = root.section("irc");
    let (_, mut audit) = root.section("audit");
    #[cfg(feature = "serve")]
    let (_, mut served) = root.section("serve");
    // The bare gate serves nothing, and lets the rest of the table be.
    #[cfg(not(feature = "serve"))]
    let (_, mut served) = root.section("serve");
    let (_, mut watch) = root.section("watch");
    let accepted = audit.items("accepted").map(|items| Located {
        value: items.value.into_iter().map(|(place, table)| accepted(place, table)).collect(),
        place: items.place,
    });
    let file = File {
        url: root.parsed("url", |text| server(text, "https://phabricator.example.org/")),
        state: root.parsed("state", directory),
        preset: policy.parsed("preset", preset),
        tag: policy.parsed("tag", values::hashtag),
        field: policy.parsed("field", values::or_off(values::custom_field)),
        train: policy.parsed("train", values::or_off(values::hashtag)),
        required: policy.list("required", values::key),
        accept: policy.list("accept", accept),
        max_age: policy.parsed("max_age", values::duration),
        self_approval: policy.boolean("self_approval"),
        require_open: policy.boolean("require_open"),
        recorders: policy.list("recorders", values::username),
        witnesses: policy.list("witnesses", values::username),
        records: policy.parsed("records", records),
        open_spaces: policy.list("open_spaces", values::space),
        follow_up: policy.parsed("follow_up", values::or_off(values::duration)),
        teams,
        reasons,
        actions,
        deployers: root.names("deployers", values::username),
        mask: record.list("mask", values::pattern),
        hide_args: record.boolean("hide_args"),
        settle: record.parsed("settle", values::duration),
        channel: contact.parsed("channel", values::filled),
        escalation: contact.parsed("escalation", values::filled),
        conductor: contact.parsed("conductor", values::filled),
        instructions: contact.boolean("instructions"),
        connect: http.parsed("connect", values::duration),
        call: http.parsed("call", values::duration),
        total: http.parsed("total", values::duration),
        proxy: http.parsed("proxy", proxy),
        log: log.parsed("system", log_setting),
        announce: announce::read(&mut announce),
        irc: irc_table::read(&mut irc),
        #[cfg(feature = "serve")]
        serve: serve_table::read(&mut served),
        #[cfg(not(feature = "serve"))]
        served: served.parsed("url", values::filled),
        paging: paging_table::read(&mut root),
        watch: watch.parsed("url", |text| server(text, "https://watch.example.org/")),
        accepted,
    };
    for section in [root, policy, record, contact, http, log, announce, irc, audit, watch] {
        section.finish();
    }
    #[cfg(feature = "serve")]
    served.finish();
    file
}

/// The URL of a server to which a token is sent.
fn server(text: &str, such_as: &str) -> Result<Url, ValueError> {
    parse_url(text).map_err(|wrong| ValueError::new(wrong.to_string(), format!("write it as \"{such_as}\"")))
}

fn accepted(place: FilePosition, mut table: Section<'_, '_>) -> FileAccepted {
    let finding = table.parsed("finding", values::finding);
    let accepted = FileAccepted { place, finding, why: table.parsed("why", values::filled) };
    table.finish();
    accepted
}

type Tables<'a, 'i> = Located<Vec<(FilePosition, String, Section<'a, 'i>)>>;

pub(super) fn map<T>(tables: Tables<'_, '_>, read: impl Fn(Located<String>, Section<'_, '_>) -> T) -> Located<Vec<T>> {
    let rows = tables.value.into_iter().map(|(place, name, section)| {
        if let Err(wrong) = values::key(&name) {
            section.problem(Diagnostic::new(&place, wrong.message).help(wrong.help));
        }
        read(Located { value: name, place }, section)
    });
    Located { value: rows.collect(), place: tables.place }
}

fn team(key: Located<String>, mut table: Section<'_, '_>) -> FileTeam {
    let team = FileTeam {
        key,
        project: table.parsed("project", values::hashtag),
        title: table.parsed("title", values::filled),
        aliases: table.list("aliases", values::alias),
        need: table.count("need"),
        role: table.parsed("role", role),
    };
    table.finish();
    team
}

fn reason(key: Located<String>, mut table: Section<'_, '_>) -> FileReason {
    let reason = FileReason {
        key,
        title: table.parsed("title", values::filled),
        aliases: table.list("aliases", values::alias),
        teams: table.list("teams", values::key),
    };
    table.finish();
    reason
}

fn actions(policy: &mut Section<'_, '_>) -> Option<Actions> {
    let (place, mut table) = policy.section("actions");
    let mut found = Vec::new();
    for action in ACTIONS {
        if let Some(teams) = table.list(values::action_word(action), values::key) {
            found.push((action, teams));
        }
    }
    table.finish();
    place.map(|place| Located { value: found, place })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, ValueError> {
    let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let help = match super::diagnostic::near(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here are {}", listed(&words)),
        };
        ValueError::new(format!("`{text}` is not known"), help)
    })
}

fn preset(text: &str) -> Result<Preset, ValueError> {
    choice(text, &Preset::ALL.map(|preset| (preset.word(), preset)))
}

fn records(text: &str) -> Result<BelievedRecords, ValueError> {
    choice(text, &[("deployers", BelievedRecords::Deployers), ("recorders", BelievedRecords::Recorders)])
}

fn role(text: &str) -> Result<Role, ValueError> {
    choice(text, &[("approve", Role::Approve), ("inform", Role::Inform)])
}

fn accept(text: &str) -> Result<Accept, ValueError> {
    choice(text, &[("verified", Accept::Verified), ("witnessed", Accept::Witnessed), ("attested", Accept::Attested)])
}

fn proxy(text: &str) -> Result<ProxySetting, ValueError> {
    choice(text, &[("system", ProxySetting::System), ("off", ProxySetting::Off)])
}

fn log_setting(text: &str) -> Result<LogSetting, ValueError> {
    choice(text, &[("auto", LogSetting::Auto), ("off", LogSetting::Off)])
}

pub(super) fn directory(text: &str) -> Result<PathBuf, ValueError> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(ValueError::new(
            format!("`{text}` is not an absolute path"),
            "write the whole path from /, without ~ and variables: the gate is called from anywhere",
        ))
    }
}
