//! The first stage: a TOML document, read key by key into values with their places.
//!
//! In the room: every key that there is and the type of its value. Not in the room: what is built in, what beats
//! what, and whether the values go together (see `validate`).

use std::path::PathBuf;

use jiff::SignedDuration;
use toml::de::DeTable;
use url::Url;

use super::diagnostic::{Diagnostic, Place};
use super::reader::{Found, List, Names, Problems, Section, Wrong, listed};
use super::server::parse_url;
use super::settings::Proxy;
use super::values;
use crate::ids::FindingId;
use crate::policy::{Action, BelievedRecords, Role};
use crate::record::mask::Pattern;

/// The teams of each action that has its own.
pub(super) type Actions = Found<Vec<(Action, List<String>)>>;

/// A document as it was written.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) url: Option<Found<Url>>,
    pub(super) state: Option<Found<PathBuf>>,
    pub(super) tag: Option<Found<String>>,
    pub(super) field: Option<Found<Option<String>>>,
    pub(super) train: Option<Found<Option<String>>>,
    pub(super) required: Option<List<String>>,
    pub(super) accept: Option<List<Accept>>,
    pub(super) max_age: Option<Found<SignedDuration>>,
    pub(super) self_approval: Option<Found<bool>>,
    pub(super) require_open: Option<Found<bool>>,
    pub(super) recorders: Option<List<String>>,
    pub(super) records: Option<Found<BelievedRecords>>,
    pub(super) open_spaces: Option<List<String>>,
    pub(super) follow_up: Option<Found<Option<SignedDuration>>>,
    pub(super) teams: Option<Found<Vec<FileTeam>>>,
    pub(super) reasons: Option<Found<Vec<FileReason>>>,
    pub(super) actions: Option<Actions>,
    pub(super) deployers: Option<Names<String>>,
    pub(super) mask: Option<List<Pattern>>,
    pub(super) hide_args: Option<Found<bool>>,
    pub(super) settle: Option<Found<SignedDuration>>,
    pub(super) channel: Option<Found<String>>,
    pub(super) escalation: Option<Found<String>>,
    pub(super) conductor: Option<Found<String>>,
    pub(super) connect: Option<Found<SignedDuration>>,
    pub(super) call: Option<Found<SignedDuration>>,
    pub(super) total: Option<Found<SignedDuration>>,
    pub(super) proxy: Option<Found<Proxy>>,
    pub(super) accepted: Option<Found<Vec<FileAccepted>>>,
}

/// One entry of `audit.accepted`.
#[derive(Debug)]
pub(super) struct FileAccepted {
    pub(super) place: Place,
    pub(super) finding: Option<Found<FindingId>>,
    pub(super) why: Option<Found<String>>,
}

/// A kind of approval that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    Verified,
    Attested,
}

/// One table below `[policy.teams]`.
#[derive(Debug)]
pub(super) struct FileTeam {
    pub(super) key: Found<String>,
    pub(super) project: Option<Found<String>>,
    pub(super) title: Option<Found<String>>,
    pub(super) aliases: Option<List<String>>,
    pub(super) need: Option<Found<u32>>,
    pub(super) role: Option<Found<Role>>,
}

/// One table below `[policy.reasons]`.
#[derive(Debug)]
pub(super) struct FileReason {
    pub(super) key: Found<String>,
    pub(super) title: Option<Found<String>>,
    pub(super) aliases: Option<List<String>>,
    pub(super) teams: Option<List<String>>,
}

/// All actions.
const ACTIONS: [Action; 4] = [Action::Fix, Action::Rollback, Action::Config, Action::OnWikiEdit];

/// The word of an action in the file.
pub(super) fn action_word(action: Action) -> &'static str {
    match action {
        Action::Fix => "fix",
        Action::Rollback => "rollback",
        Action::Config => "config",
        Action::OnWikiEdit => "on-wiki-edit",
    }
}

/// Reads a document, or tells all that is wrong with it.
pub(super) fn read(text: &str, built_in: bool) -> Result<File, Vec<Diagnostic>> {
    let problems = Problems::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let place = Place { key: String::new(), span, built_in };
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
    let (_, mut audit) = root.section("audit");
    let accepted = audit.items("accepted").map(|items| Found {
        value: items.value.into_iter().map(|(place, table)| accepted(place, table)).collect(),
        place: items.place,
    });
    let file = File {
        url: root.parsed("url", |text| {
            parse_url(text)
                .map_err(|wrong| Wrong::new(wrong.to_string(), "write it as \"https://phabricator.example.org/\""))
        }),
        state: root.parsed("state", folder),
        tag: policy.parsed("tag", values::hashtag),
        field: policy.parsed("field", values::or_off(values::custom_field)),
        train: policy.parsed("train", values::or_off(values::hashtag)),
        required: policy.list("required", values::key),
        accept: policy.list("accept", accept),
        max_age: policy.parsed("max_age", values::duration),
        self_approval: policy.boolean("self_approval"),
        require_open: policy.boolean("require_open"),
        recorders: policy.list("recorders", values::username),
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
        connect: http.parsed("connect", values::duration),
        call: http.parsed("call", values::duration),
        total: http.parsed("total", values::duration),
        proxy: http.parsed("proxy", proxy),
        accepted,
    };
    for section in [root, policy, record, contact, http, audit] {
        section.finish();
    }
    file
}

fn accepted(place: Place, mut table: Section<'_, '_>) -> FileAccepted {
    let finding = table.parsed("finding", values::finding);
    let accepted = FileAccepted { place, finding, why: table.parsed("why", values::filled) };
    table.finish();
    accepted
}

type Tables<'a, 'i> = Found<Vec<(Place, String, Section<'a, 'i>)>>;

fn map<T>(tables: Tables<'_, '_>, read: impl Fn(Found<String>, Section<'_, '_>) -> T) -> Found<Vec<T>> {
    let rows = tables.value.into_iter().map(|(place, name, section)| {
        if let Err(wrong) = values::key(&name) {
            section.problem(Diagnostic::new(&place, wrong.message).help(wrong.help));
        }
        read(Found { value: name, place }, section)
    });
    Found { value: rows.collect(), place: tables.place }
}

fn team(key: Found<String>, mut table: Section<'_, '_>) -> FileTeam {
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

fn reason(key: Found<String>, mut table: Section<'_, '_>) -> FileReason {
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
        if let Some(teams) = table.list(action_word(action), values::key) {
            found.push((action, teams));
        }
    }
    table.finish();
    place.map(|place| Found { value: found, place })
}

/// One of a few words.
fn choice<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, Wrong> {
    let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let help = match super::diagnostic::near(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here are {}", listed(&words)),
        };
        Wrong::new(format!("`{text}` is not known"), help)
    })
}

fn records(text: &str) -> Result<BelievedRecords, Wrong> {
    choice(text, &[("deployers", BelievedRecords::Deployers), ("recorders", BelievedRecords::Recorders)])
}

fn role(text: &str) -> Result<Role, Wrong> {
    choice(text, &[("approve", Role::Approve), ("inform", Role::Inform)])
}

fn accept(text: &str) -> Result<Accept, Wrong> {
    choice(text, &[("verified", Accept::Verified), ("attested", Accept::Attested)])
}

fn proxy(text: &str) -> Result<Proxy, Wrong> {
    choice(text, &[("system", Proxy::System), ("off", Proxy::Off)])
}

fn folder(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Wrong::new(
            format!("`{text}` is not an absolute path"),
            "write the whole path from /, without ~ and variables: the gate is called from anywhere",
        ))
    }
}
