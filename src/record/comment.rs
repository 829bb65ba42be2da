//! How a record reads on the task: first for people, then for programs.
//!
//! Responsible for the whole text of the comment, which [`render`] makes within the bounds of a record or not at all. Not
//! responsible for reading it back ([`super::parse`]) nor for what makes a text inert in Remarkup ([`crate::remarkup`]).
//!
//! A record looks like this:
//!
//! ````text
//! **Deploy started** by `deployer1`, approved by `releng1` and `sre1`: `scap sync-world`
//!
//! ```lang=json, lines=6
//! {"schema": "phabgate/record/1",
//! "event": "started",
//! "command": "scap sync-world",
//! …}
//! ```
//! ````
//!
//! People read on phones: one sentence says who approved, when, what ran and how it ended, and further lines come only where
//! there is more to say. Only where somebody should look is it in a coloured box: yellow, or red where a deploy failed or went
//! ahead without being allowed. `finished` does not say again what `started` says on the same task. What is long is cut
//! for people; in the block, of which the server shows the first lines and lets the rest be scrolled, more of it stands, and
//! what people look for first comes first. The block has one field a line, and in its strings every character beyond ASCII and
//! every one that means something to Remarkup or a terminal is written as `\uXXXX`: it is inert twice.

use std::fmt::{self, Write as _};
use std::ops::Deref;

use super::bounds::{BLOCK, TooLarge};
use super::{ApprovalKind, Clock, Deployer, DeployerSource, Event, ExitStatus, Outcome, Record, RecordedApproval};
use crate::remarkup::{code, code_short, inert_json};
use crate::time::{rough, utc_minute};

/// How the block of older records names itself in its first line, before the schema.
pub(super) const MARKER: &str = "name=";

/// How many columns of a command are shown to people: a sentence with it is three lines of a phone, and the block right
/// below has more.
const COMMAND_COLUMNS: usize = 48;
/// How many columns of another text are shown to people.
const TEXT_COLUMNS: usize = 200;
/// How many columns of a name are shown to people.
const NAME_COLUMNS: usize = 80;
/// How many entries of one list are shown to people.
const LIST_ENTRIES: usize = 6;

/// The comment that a record is: made by [`render`] alone, so that none is longer than a record may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered(String);

impl Rendered {
    /// The part for people, without the block.
    pub fn words(&self) -> &str {
        self.0.split("\n\n```").next().unwrap_or_default()
    }
}

impl Deref for Rendered {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Rendered> for String {
    fn from(rendered: Rendered) -> Self {
        rendered.0
    }
}

/// The comment that a record is, each of its texts within [its bounds](super::bounds).
///
/// [`super::parse::parse`] reads it back.
///
/// # Errors
/// Where it has more approvals than fit, which are never cut.
pub fn render(record: &Record) -> Result<Rendered, TooLarge> {
    let record = record.clone().bounded();
    record.fits_within(BLOCK)?;
    let mut out = headline(&record);
    for line in further(&record) {
        out.push('\n');
        out.push_str(&line);
    }
    // Writing to a String cannot fail, here and below.
    let _ = write!(out, "\n\n```lang=json, lines=6\n{}\n```\n", block(&record));
    Ok(Rendered(out))
}

/// The machine-readable block, without its fences.
pub(super) fn block(record: &Record) -> String {
    #[expect(clippy::expect_used, reason = "a record has text for keys")]
    inert_json(record).expect("every record can be written as JSON")
}

/// Whether people have read on the task already who deployed, what was run and who approved.
fn is_announced(record: &Record) -> bool {
    record.event == Event::Finished && record.announced.is_some()
}

/// How much the first line should alarm.
#[derive(Clone, Copy)]
enum RecordTone {
    Plain,
    Warning,
    Important,
}

/// What the first line of a record begins with, after its tone: of a deploy, and of a drill.
const WHAT: [&str; 2] = ["Deploy", "DRILL, not an emergency: deploy"];

/// What that of older records begins with.
const WHAT_BEFORE: &str = "Emergency deploy";

/// Whether a line reads as the first line of a record, also where a mail client took its marks away. People write of deploys
/// too: what the gate says next, who or when, has to stand there.
pub(crate) fn is_headline(line: &str) -> bool {
    let plain: String = line.chars().filter(|character| !"*`".contains(*character)).collect();
    let line = plain.trim_start_matches(|c: char| !c.is_alphanumeric());
    let line = ["NOTE", "WARNING", "IMPORTANT"].iter().find_map(|tone| line.strip_prefix(tone)).unwrap_or(line);
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let Some(rest) = WHAT.iter().chain([&WHAT_BEFORE]).find_map(|what| line.strip_prefix(what)) else { return false };
    let certain = [" called off before the command started", " by other means ", " by other means, "];
    let events = [" started", " succeeded", " FAILED", " was rolled back", " ended, outcome unknown", " finished: "];
    let goes_on =
        |event: &str| rest.strip_prefix(event).is_some_and(|rest| rest.contains(" by ") || rest.contains(" UTC"));
    certain.iter().any(|event| rest.starts_with(event)) || events.into_iter().any(goes_on)
}

fn headline(record: &Record) -> String {
    let allowed = record.verdict == "allowed";
    let what = WHAT[usize::from(record.drill)];
    let ended = record.outcome.map(|outcome| outcome_words(outcome, record.exit));
    let (mut tone, mut bold) = match (record.event, ended) {
        (Event::Started, _) => (RecordTone::Plain, format!("{what} started")),
        (Event::Finished, Some((tone, words))) => (tone, format!("{what} {words}")),
        (Event::Finished, None) => (RecordTone::Warning, format!("{what} ended, outcome unknown")),
        (Event::Recorded, Some((tone, words))) => (tone, format!("{what} by other means {words}")),
        (Event::Recorded, None) => (RecordTone::Plain, format!("{what} by other means, outcome not stated")),
    };
    let called_off = record.outcome == Some(Outcome::NotStarted);
    if !allowed && !called_off {
        tone = RecordTone::Important;
        bold.push_str(", WITHOUT being allowed");
    }
    let mut line = match tone {
        RecordTone::Plain => String::new(),
        RecordTone::Warning => "(WARNING) ".to_owned(),
        RecordTone::Important => "(IMPORTANT) ".to_owned(),
    };
    let _ = write!(line, "**{bold}**");
    // That it succeeded says of a rollback that the old state is back, and of any other deploy that the new one is there.
    let back = if record.is_rollback() { ", a rollback" } else { "" };
    line.push_str(back);
    let when = when(record);
    if is_announced(record) && (called_off || !when.is_empty()) {
        let comma = if back.is_empty() || when.is_empty() { "" } else { "," };
        let _ = write!(line, "{comma}{when}.");
        return line;
    }
    let by = if record.event == Event::Started && back.is_empty() { " by" } else { ", by" };
    let deployer = record.deployer.as_ref().map_or_else(|| "unknown".to_owned(), |deployer| name(&deployer.user));
    let _ = write!(line, "{by} {deployer}{}", caller(record));
    if !when.is_empty() && record.event != Event::Started {
        let _ = write!(line, ",{when}");
    }
    if !allowed {
        let because = match record.failed.as_slice() {
            [] => String::new(),
            failed => format!(" because of {}", names(failed)),
        };
        let _ = write!(line, "; the verdict was {}{because}", name(&record.verdict));
    }
    match (approvers(&record.approvals), allowed) {
        (Some(names), true) => {
            let _ = write!(line, ", approved by {names}");
        }
        (Some(names), false) => {
            let _ = write!(line, ", with approval only by {names}");
        }
        (None, true) => line.push_str(", with no approval needed"),
        (None, false) => line.push_str(", approved by nobody"),
    }
    match &record.command {
        Some(command) => {
            let hidden = if record.arguments_hidden { " (its arguments are not recorded)" } else { "" };
            let _ = write!(line, ": {}{hidden}", code_short(command, COMMAND_COLUMNS));
        }
        None => line.push('.'),
    }
    line
}

/// What there is to say beyond the first line: at most eight lines.
fn further(record: &Record) -> Vec<String> {
    let mut lines = Vec::new();
    if record.clock == Some(Clock::Host) {
        lines.push(format!(
            "The times are by the clock of {}, which could not be compared with the server's.",
            name(&record.host)
        ));
    }
    if is_announced(record) {
        return lines;
    }
    let attested: Vec<String> = record
        .approvals
        .iter()
        .filter(|approval| approval.kind == ApprovalKind::Attested)
        .map(|RecordedApproval { user, team, evidence, .. }| {
            let see = evidence.as_deref().map(|evidence| format!(", see {}", text(evidence)));
            format!("{} for {}{}", name(user), name(team), see.unwrap_or_default())
        })
        .collect();
    if !attested.is_empty() {
        lines.push(format!("Attested by the deployer: {}.", list(attested.into_iter(), "; ")));
    }
    let change = record.change.as_deref().map(|change| format!("change {}", text(change)));
    let action = record.action.as_deref().map(|action| format!("action {}", name(action)));
    let stated: Vec<String> = action.into_iter().chain(change).collect();
    if !stated.is_empty() {
        lines.push(format!("Stated: {}.", stated.join(", ")));
    }
    if let Some(note) = &record.note {
        // Each line of a note is a span, so that it reads as it was written.
        let all: Vec<&str> = note.lines().filter(|line| !line.trim().is_empty()).collect();
        let spans = if all.is_empty() { code(note) } else { list(all.into_iter().map(text), " ") };
        lines.push(format!("Said besides: {spans}"));
    }
    if !record.informed.is_empty() {
        lines.push(format!("Informed: {}.", names(&record.informed)));
    }
    if !record.pipeline.is_empty() {
        let people: Vec<String> = record.pipeline.iter().map(|deployer| name(&deployer.user)).collect();
        lines.push(format!("Could make the pipeline run: {}.", list(people.into_iter(), ", ")));
    }
    if !record.behind.is_empty() {
        lines.push(format!("Also behind it: {}.", list(record.behind.iter().map(deployer_words), "; ")));
    }
    if record.dropped > 0 {
        let given_up = match record.dropped {
            1 => "1 earlier record was".to_owned(),
            more => format!("{more} earlier records were"),
        };
        lines.push(format!("Of {}, {given_up} given up and never posted.", name(&record.host)));
    }
    lines
}

/// When it ran, as far as that is known; begins with a blank.
fn when(record: &Record) -> String {
    match (record.started, record.finished) {
        (Some(started), Some(finished)) => {
            let took = finished.duration_since(started);
            // A clock that went back gives none, and less than a second is not worth a line.
            let after = if took.as_secs() < 1 { String::new() } else { format!(", after {}", rough(took)) };
            format!(" {}{after}", utc_minute(finished))
        }
        (None, Some(finished)) => format!(" {}", utc_minute(finished)),
        (Some(started), None) => format!(" started {}", utc_minute(started)),
        (None, None) => String::new(),
    }
}

/// Who typed the command, where the deployer's name does not say it.
fn caller(record: &Record) -> String {
    let deployer = record.deployer.as_ref().map(|deployer| deployer.user.to_lowercase());
    match &record.caller {
        Some(caller) if deployer != Some(caller.to_lowercase()) => {
            format!(" (login {})", name(caller))
        }
        _ => String::new(),
    }
}

/// Each approver once, with a word where they wrote nothing of it on the task themselves.
fn approvers(approvals: &[RecordedApproval]) -> Option<String> {
    let mut users: Vec<(&str, ApprovalKind)> = Vec::new();
    for approval in approvals {
        match users.iter_mut().find(|(user, _)| *user == approval.user) {
            // The best of them is said.
            Some((_, best)) => *best = approval.kind.min(*best),
            None => users.push((&approval.user, approval.kind)),
        }
    }
    let shown = users.iter().map(|(user, best)| {
        let how = match best {
            ApprovalKind::Verified => "",
            ApprovalKind::Witnessed => " (heard on IRC)",
            ApprovalKind::Attested => " (attested)",
        };
        format!("{}{how}", name(user))
    });
    (!users.is_empty()).then(|| list(shown, ", "))
}

fn deployer_words(deployer: &Deployer) -> String {
    let source = match deployer.source {
        DeployerSource::Flag => "named on the command line",
        DeployerSource::Token => "owner of the token",
        DeployerSource::CallingUser => "the calling user",
        DeployerSource::Task => "named on the task",
    };
    format!("{} ({source})", name(&deployer.user))
}

fn outcome_words(outcome: Outcome, exit: Option<ExitStatus>) -> (RecordTone, String) {
    let (tone, mut words) = match outcome {
        Outcome::Succeeded => (RecordTone::Plain, "succeeded".to_owned()),
        Outcome::Failed => (RecordTone::Important, "FAILED".to_owned()),
        Outcome::RolledBack => (RecordTone::Warning, "was rolled back".to_owned()),
        Outcome::Unknown => (RecordTone::Warning, "ended, outcome unknown".to_owned()),
        Outcome::NotStarted => (RecordTone::Warning, "called off before the command started".to_owned()),
    };
    match exit {
        // Zero is what success is.
        Some(ExitStatus::Code(0)) if matches!(outcome, Outcome::Succeeded) => {}
        Some(exit) => {
            let _ = write!(words, ", {exit}");
        }
        None => {}
    }
    (tone, words)
}

fn text(text: &str) -> String {
    code_short(text, TEXT_COLUMNS)
}

fn name(name: &str) -> String {
    code_short(name, NAME_COLUMNS)
}

fn names(all: &[String]) -> String {
    list(all.iter().map(|one| name(one)), ", ")
}

/// `a, b and c`, without what is too many; with another separator, that alone between them.
fn list(all: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    let more = all.len().saturating_sub(LIST_ENTRIES);
    let mut shown: Vec<String> = all.take(LIST_ENTRIES).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.as_slice() {
        [start @ .., last] if !start.is_empty() && separator == ", " => format!("{} and {last}", start.join(separator)),
        _ => shown.join(separator),
    }
}

#[cfg(test)]
#[path = "comment_tests.rs"]
pub(crate) mod tests;
