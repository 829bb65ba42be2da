//! How a record reads on the task: first for people, then for programs.
//!
//! In the room: [`render`], the whole text of the comment. Not in the room: reading it back ([`super::parse`]) and
//! what makes a text inert in Remarkup ([`crate::remarkup`]).
//!
//! A record looks like this:
//!
//! ````text
//! (NOTE) **Emergency deploy started** by `deployer1` for `security`, approved by `releng1` and `sre1`.
//!
//! - **Command:** `scap sync-world`
//! - …
//!
//! ```lang=json, name=phabgate/record/1, lines=6
//! {
//! "schema": "phabgate/record/1",
//! …
//! }
//! ```
//! ````
//!
//! The colour of the first line tells the kinds apart at a glance: blue where all is well, yellow where somebody should look,
//! red where a deploy failed or went ahead without being allowed. What is long is cut in the part for people and whole in
//! the block. The block has one field a line, and in its strings every character beyond ASCII and every one that means
//! something to Remarkup or a terminal is written as `\uXXXX`: it is inert twice.

use std::fmt::Write as _;
use std::io;

use jiff::SignedDuration;
use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use serde::Serialize as _;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::{ApprovalKind, Deployer, DeployerSource, Event, ExitStatus, Outcome, Record, RecordedApproval, SCHEMA};
use crate::remarkup::{code, code_short};
use crate::time::utc;

/// How the block names itself in its first line, before the schema.
pub(super) const MARKER: &str = "name=";

/// How many columns of one text are shown to people.
const TEXT_COLUMNS: usize = 600;
/// How many columns of a name are shown to people.
const NAME_COLUMNS: usize = 80;
/// How many digits of a digest are shown to people.
const DIGEST_DIGITS: usize = 12;
/// How many entries of one list are shown to people.
const LIST_ENTRIES: usize = 20;

/// The comment that a record is.
///
/// [`super::parse::parse`] reads it back.
pub fn render(record: &Record) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "{}\n", headline(record));
    for (label, text) in details(record) {
        let _ = writeln!(out, "- **{label}:** {text}");
    }
    let _ = write!(out, "\n```lang=json, {MARKER}{SCHEMA}, lines=6\n{}\n```\n", block(record));
    out
}

/// How much the first line should alarm.
enum Tone {
    Note,
    Warning,
    Important,
}

/// What the first line of a record begins with, after its tone: of a deploy, and of a drill.
const WHAT: [&str; 2] = ["Emergency deploy", "DRILL, not an emergency: deploy"];

/// Whether a line reads as the first line of a record, also where a mail client took its marks away.
pub(crate) fn is_headline(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let line = ["NOTE", "WARNING", "IMPORTANT"].iter().find_map(|tone| line.strip_prefix(tone)).unwrap_or(line);
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let event = WHAT.iter().find_map(|what| line.strip_prefix(what));
    let events = [" started", " finished: ", " called off ", " by other means"];
    event.is_some_and(|rest| events.iter().any(|event| rest.starts_with(event)))
}

fn headline(record: &Record) -> String {
    let allowed = record.verdict == "allowed";
    let what = WHAT[usize::from(record.drill)];
    let ended = record.outcome.map(|outcome| outcome_words(outcome, record.exit));
    let (mut tone, mut bold) = match record.event {
        Event::Started => (Tone::Note, format!("{what} started")),
        Event::Finished => {
            let (tone, words) = ended.unwrap_or((Tone::Warning, "outcome unknown".to_owned()));
            match record.outcome {
                Some(Outcome::NotStarted) => (tone, format!("{what} called off before the command started")),
                _ => (tone, format!("{what} finished: {words}")),
            }
        }
        Event::Recorded => {
            let (tone, words) = ended.unwrap_or((Tone::Note, "outcome not stated".to_owned()));
            (tone, format!("{what} by other means, recorded afterwards: {words}"))
        }
    };
    if !allowed && record.outcome != Some(Outcome::NotStarted) {
        tone = Tone::Important;
        let _ = write!(bold, ", WITHOUT being allowed");
    }
    let tone = match tone {
        Tone::Note => "(NOTE)",
        Tone::Warning => "(WARNING)",
        Tone::Important => "(IMPORTANT)",
    };
    let mut line = format!("{tone} **{bold}**");
    let by = if record.outcome == Some(Outcome::NotStarted) { ", deployer" } else { " by" };
    let deployer = record.deployer.as_ref().map(|deployer| name(&deployer.user));
    let _ = write!(line, "{by} {}", deployer.as_deref().unwrap_or("unknown"));
    if let Some(reason) = &record.reason {
        let _ = write!(line, " for {}", name(&reason.category));
    }
    let approvers = approvers(&record.approvals);
    match (approvers, allowed) {
        (Some(names), true) => {
            let _ = write!(line, ", approved by {names}");
        }
        (Some(names), false) => {
            let _ = write!(line, "; the verdict was {}, with approval only by {names}", name(&record.verdict));
        }
        (None, true) => line.push_str(", with no approval needed"),
        (None, false) => {
            let _ = write!(line, "; the verdict was {}, approved by nobody", name(&record.verdict));
        }
    }
    line.push('.');
    line
}

fn details(record: &Record) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    rows.push(("Command", record.command.as_deref().map_or_else(|| "not recorded".to_owned(), text)));
    let change = record.change.as_deref().map(text);
    let action = record.action.as_deref().map(name);
    match (change, action) {
        (Some(change), Some(action)) => rows.push(("Change", format!("{change}, action {action}"))),
        (Some(change), None) => rows.push(("Change", change)),
        (None, Some(action)) => rows.push(("Action", action)),
        (None, None) => {}
    }
    if let Some(reason) = &record.reason {
        let explanation = reason.explanation.as_deref().map(|words| format!(": {}", text(words)));
        rows.push(("Reason", format!("{}{}", name(&reason.category), explanation.unwrap_or_default())));
    }
    if record.approvals.is_empty() {
        rows.push(("Approved by", "nobody".to_owned()));
    }
    let more = record.approvals.len().saturating_sub(LIST_ENTRIES);
    for approval in record.approvals.iter().take(LIST_ENTRIES) {
        rows.push(("Approved by", approval_row(approval)));
    }
    if more > 0 {
        rows.push(("Approved by", format!("{more} more, in the block below")));
    }
    if !record.informed.is_empty() {
        rows.push(("Informed", names(&record.informed)));
    }
    if let Some(started) = record.started {
        rows.push(("Started", utc(started)));
    }
    if let Some(finished) = record.finished {
        let took = record.started.map(|started| finished.duration_since(started)).filter(|took| !took.is_negative());
        let took = took.map(|took| format!(", after {}", duration(took)));
        rows.push(("Finished", format!("{}{}", utc(finished), took.unwrap_or_default())));
    }
    if let Some(note) = &record.note {
        // Each line of a note is a span, so that it reads as it was written; the server joins them with spaces.
        let lines = note.lines().filter(|line| !line.trim().is_empty());
        let spans: Vec<String> = lines.take(LIST_ENTRIES).map(text).collect();
        rows.push(("Note", if spans.is_empty() { code(note) } else { spans.join(" ") }));
    }
    let deployer = record.deployer.as_ref().map_or_else(|| "unknown".to_owned(), deployer_words);
    rows.push(("Deployer", format!("{deployer}, on {}", name(&record.host))));
    if !record.behind.is_empty() {
        let people: Vec<String> = record.behind.iter().take(LIST_ENTRIES).map(deployer_words).collect();
        rows.push(("Also behind it", people.join("; ")));
    }
    let failed = match record.failed.as_slice() {
        [] => String::new(),
        failed => format!(", because of {}", names(failed)),
    };
    rows.push(("Verdict", format!("{}{failed}, by policy {}", name(&record.verdict), name(&short(&record.policy)))));
    rows.push(("Deploy", format!("`{}`, recorded by phabgate {}", record.deploy, name(&record.version))));
    rows
}

/// As much of a digest as people compare; the block has the whole.
fn short(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) if hex.chars().count() > DIGEST_DIGITS => {
            format!("{algorithm}:{}…", hex.chars().take(DIGEST_DIGITS).collect::<String>())
        }
        _ => digest.to_owned(),
    }
}

fn approval_row(approval: &RecordedApproval) -> String {
    let mut row = format!("{} for {}", name(&approval.user), name(&approval.team));
    match (approval.kind, approval.transaction) {
        (ApprovalKind::Verified, Some(transaction)) => {
            let _ = write!(row, ", on this task (transaction {transaction})");
        }
        (ApprovalKind::Verified, None) => row.push_str(", on this task"),
        (ApprovalKind::Attested, _) => row.push_str(", **attested** by the deployer"),
    }
    let _ = write!(row, ", {}", utc(approval.time));
    if let Some(evidence) = &approval.evidence {
        let _ = write!(row, ", see {}", text(evidence));
    }
    row
}

/// Each approver once, with a word where nothing of theirs stands on the task.
fn approvers(approvals: &[RecordedApproval]) -> Option<String> {
    let mut users: Vec<(&str, bool)> = Vec::new();
    for approval in approvals {
        let verified = approval.kind == ApprovalKind::Verified;
        match users.iter_mut().find(|(user, _)| *user == approval.user) {
            Some((_, any_verified)) => *any_verified |= verified,
            None => users.push((&approval.user, verified)),
        }
    }
    let shown = users.iter().map(|(user, verified)| {
        let attested = if *verified { "" } else { " (attested)" };
        format!("{}{attested}", name(user))
    });
    (!users.is_empty()).then(|| list(shown))
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

fn outcome_words(outcome: Outcome, exit: Option<ExitStatus>) -> (Tone, String) {
    let (tone, mut words) = match outcome {
        Outcome::Succeeded => (Tone::Note, "succeeded".to_owned()),
        Outcome::Failed => (Tone::Important, "FAILED".to_owned()),
        Outcome::RolledBack => (Tone::Warning, "rolled back".to_owned()),
        Outcome::Unknown => (Tone::Warning, "outcome unknown".to_owned()),
        Outcome::NotStarted => (Tone::Warning, "not started".to_owned()),
    };
    match exit {
        // Zero is what success is.
        Some(ExitStatus::Code(0)) if matches!(outcome, Outcome::Succeeded) => {}
        Some(ExitStatus::Code(code)) => {
            let _ = write!(words, ", exit status {code}");
        }
        Some(ExitStatus::Signal(signal)) => {
            let _ = write!(words, ", killed by signal {signal}");
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
    list(all.iter().map(|one| name(one)))
}

/// `a, b and c`, without what is too many.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(LIST_ENTRIES);
    let mut shown: Vec<String> = all.take(LIST_ENTRIES).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.as_slice() {
        [start @ .., last] if !start.is_empty() => format!("{} and {last}", start.join(", ")),
        _ => shown.concat(),
    }
}

fn duration(took: SignedDuration) -> String {
    let whole = SignedDuration::from_secs(took.as_secs());
    if whole.is_zero() {
        return "less than a second".to_owned();
    }
    SpanPrinter::new()
        .designator(Designator::Short)
        .spacing(Spacing::BetweenUnitsAndDesignators)
        .duration_to_string(&whole)
}

/// The machine-readable block, without its fences.
fn block(record: &Record) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Inert { depth: 0 });
    #[expect(
        clippy::expect_used,
        reason = "a record has text for keys and no map or float, and a Vec takes every write"
    )]
    record.serialize(&mut serializer).expect("every record can be written as JSON");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// JSON with one field of the record a line, and strings that mean nothing to Remarkup or a terminal.
struct Inert {
    depth: usize,
}

/// What may stand in a string as it is: nothing that begins or ends anything in Remarkup.
fn is_plain(character: char, before: Option<char>) -> bool {
    match character {
        ' ' | '-' | '.' | ',' | ':' | ';' | '+' | '=' | '?' => true,
        // Twice in a row they are italics, underlining or the address of something.
        '/' | '_' => before != Some(character),
        _ => character.is_ascii_alphanumeric(),
    }
}

impl Formatter for Inert {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth == 0 {
            writer.write_all(b"\n")?;
        }
        CompactFormatter.end_object(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        match (first, self.depth) {
            (true, 1) => writer.write_all(b"\n"),
            (false, 1) => writer.write_all(b",\n"),
            (true, _) => Ok(()),
            (false, _) => writer.write_all(b", "),
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut before = None;
        for character in fragment.chars() {
            if is_plain(character, before) {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            before = Some(character);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
pub(crate) mod tests;
