//! The open emergencies for programs: the JSON of `list`.
//!
//! Responsible for its fields, as pure functions. Not responsible for which emergencies these are ([`crate::gate::emergencies`]).

use serde::Serialize;

use super::subject::VerdictSubject;
use crate::gate::Assessment;
use crate::ids::TaskId;
use crate::rules::TeamCount;

/// The schema of `list --format json`.
pub const LIST_SCHEMA: &str = "phabgate/list/1";

/// The open emergencies, for programs; fields are only ever added.
#[derive(Debug, Serialize)]
pub struct JsonEmergencies<'a> {
    schema: &'static str,
    tasks: Vec<JsonEmergency<'a>>,
    /// How many more there are.
    left_out: usize,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct JsonEmergency<'a> {
    task: TaskId,
    url: &'a str,
    /// `null` where the texts of the task are not shown.
    title: Option<&'a str>,
    restricted: Option<bool>,
    drill: bool,
    verdict: &'static str,
    /// The rules that keep it from being allowed.
    missing: Vec<String>,
    teams: &'a [TeamCount],
}

/// The open emergencies for programs, of which so many more were not read.
pub fn emergencies<'a>(
    tasks: impl Iterator<Item = (&'a VerdictSubject, &'a Assessment)>,
    left_out: usize,
) -> JsonEmergencies<'a> {
    JsonEmergencies {
        schema: LIST_SCHEMA,
        tasks: tasks.map(|(subject, read)| emergency(subject, read)).collect(),
        left_out,
    }
}

fn emergency<'a>(subject: &'a VerdictSubject, read: &'a Assessment) -> JsonEmergency<'a> {
    JsonEmergency {
        task: read.number,
        url: &subject.url,
        title: subject.title.as_deref(),
        restricted: subject.restricted,
        drill: subject.drill,
        verdict: read.verdict.decision.word(),
        missing: read.verdict.failed(),
        teams: &read.verdict.teams,
    }
}
