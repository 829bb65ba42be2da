//! What a mail client leaves in a comment that was written as an answer to a mail: the mail itself, below a head of the
//! client's, often without a mark of quotation.
//!
//! Phorge strips what it knows of such quotations (`On … wrote:`, `-----Original Message-----`, forty underscores before
//! `From:`); what other clients write, and in other languages, stays. Responsible for finding where a quotation begins, and
//! whether that is surely one. Not responsible for what is made of it: below it nothing is a yes.

mod words;

use super::keys::{FAMILY, is_key};
use super::look_alikes::is_colon;
use crate::record::comment::is_headline;
use crate::remarkup::{Line, LineKind, lines};
use crate::text::is_hidden;
use words::Field;

/// The address in the foot of each mail that a server sends, in every language.
const FOOT: &str = "/settings/panel/emailpreferences/";

/// The head of a mail in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MailHead {
    /// The number of its first line, from which on the text repeats a mail.
    pub(super) at: usize,
    /// It can be nothing else. What only looks like one makes no yes count, and shields no no.
    pub(super) sure: bool,
}

/// The number of the line of a text from which on it repeats a mail; `None` where it repeats none.
pub(super) fn quoted_from(text: &str) -> Option<usize> {
    may_hold(text).then(|| head(&lines(text))).flatten().map(|head| head.at)
}

/// The head of a mail in a text that was split into its lines already.
pub(super) fn head_of(text: &str, lines: &[Line<'_>]) -> Option<MailHead> {
    may_hold(text).then(|| head(lines)).flatten()
}

/// Whether a text can hold a head at all, judged by what its lines begin and end with.
fn may_hold(text: &str) -> bool {
    let may_be = |line: &str| {
        let line = bare(line);
        line.ends_with(is_end)
            || has_address(line)
            || (line.starts_with(is_mark) && line.len() > 2)
            || (line.starts_with('"') && line.ends_with('-'))
            || field(line).is_some()
            || is_headline(line)
    };
    text.contains(FOOT) || text.lines().any(may_be)
}

/// The first head among some lines.
fn head(lines: &[Line<'_>]) -> Option<MailHead> {
    let texts: Vec<&str> = lines.iter().map(|line| if line.kind.is_words() { bare(line.text) } else { "" }).collect();
    let begins = |at: usize| {
        let line = texts[at];
        if line.is_empty() {
            return None;
        }
        if is_ruler(line) || is_divider(line) || is_headline(line) {
            return Some(MailHead { at, sure: true });
        }
        header_block(&texts[at..]).map(|sure| MailHead { at, sure }).or_else(|| introduction(lines, &texts, at))
    };
    (0..texts.len()).find_map(begins).or_else(|| {
        // A mail of the server below no head that is known: what was typed is the first paragraph at most.
        let foot = lines.iter().any(|line| line.text.contains(FOOT));
        let first = texts.iter().position(|line| !line.is_empty())?;
        let end = texts[first..].iter().position(|line| line.is_empty()).map(|length| first + length);
        foot.then(|| MailHead { at: end.unwrap_or(first), sure: true })
    })
}

/// A line without blanks, emphasis and characters that are not seen around it.
fn bare(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || is_hidden(c) || c == '*')
}

/// What a line that introduces a mail ends with: a colon of any kind, or what stands for it in Armenian and Khmer.
fn is_end(c: char) -> bool {
    is_colon(c) || matches!(c, '\u{589}' | '\u{17d6}')
}

/// `________________________________`, as Outlook on the web draws it.
fn is_ruler(line: &str) -> bool {
    line.len() >= 10 && line.bytes().all(|byte| byte == b'_')
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '─' | '━' | '\u{ff0d}')
}

/// What clients draw lines with around the words of a divider.
fn is_mark(c: char) -> bool {
    is_dash(c) || matches!(c, '_' | '=' | '~' | '#' | '+' | '|')
}

/// `-----Ursprüngliche Nachricht-----`, `---------- Forwarded message ---------`, `--- Original message ---`,
/// `---- On Fri, 27 Nov 2026 releng1 wrote ----`, `"releng1" ---2026/11/27 03:14---`.
fn is_divider(line: &str) -> bool {
    let around = |is: fn(char) -> bool| {
        let before = line.chars().take_while(|c| is(*c)).count();
        let after = line.chars().rev().take_while(|c| is(*c)).count();
        (before, after, line.trim_matches(is))
    };
    let (before, after, words) = around(is_dash);
    if before >= 5 && after >= 3 && words.chars().any(char::is_alphabetic) {
        return true;
    }
    if before >= 3 && after >= 3 && words::say_written(words) && has_date(words) {
        return true;
    }
    let dated = |line: &str| {
        line.strip_suffix("---").and_then(|line| line.rsplit_once("---")).is_some_and(|(_, date)| has_date(date))
    };
    if before == 0 && dated(line) {
        return true;
    }
    let (before, after, words) = around(is_mark);
    before >= 2 && (after >= 2 || before >= 3) && words::name_a_message(words)
}

/// A line, or two or three without a blank one between, by which a client says who wrote what follows; and whether that is sure. It begins
/// as late as it can, so that nothing that was typed above it is lost.
fn introduction(lines: &[Line<'_>], texts: &[&str], at: usize) -> Option<MailHead> {
    const LINES: usize = 3;
    let last = (at..texts.len().min(at + LINES)).find(|last| texts[*last].ends_with(is_end))?;
    let parts = &texts[at..=last];
    if parts.iter().any(|part| part.is_empty() || is_trailer(part)) {
        return None;
    }
    let joined = parts.join(" ");
    let sure = introduces(&joined)?;
    // Prose may end so as well, and what is quoted below it is marked as such.
    let marked = || {
        let below = lines[last + 1..].iter().find(|line| !line.text.trim().is_empty());
        below.is_some_and(|line| line.kind == LineKind::Quote)
    };
    let prose = !sure && (lines[at].kind != LineKind::Paragraph || marked());
    let later = || (at + 1..=last).any(|later| introduces(&texts[later..=last].join(" ")) >= Some(sure));
    (!prose && !later()).then_some(MailHead { at, sure })
}

/// Whether a line that ends with a colon introduces a mail, and whether that is sure: it holds an address, a word of writing and
/// a date or a time, or says that a message is passed on. With a word of writing alone, or a date and a time alone, it is not.
fn introduces(line: &str) -> Option<bool> {
    /// No introduction without an address is longer, in characters.
    const LONGEST: usize = 240;
    if !line.ends_with(is_end) {
        return None;
    }
    if has_address(line) {
        return Some(true);
    }
    if line.chars().nth(LONGEST).is_some() {
        return None;
    }
    let words = line.split_whitespace().count();
    if words <= 6 && words::pass_on(line) {
        return Some(true);
    }
    let (date, time) = (has_date(line), has_time(line));
    if words::say_written(line) {
        return (date || time || words <= 12).then_some(date || time);
    }
    (date && time && !line.contains("://") && names_somebody(line)).then_some(false)
}

/// Whether a text holds a word that may be somebody's name, and not dates and times alone.
fn names_somebody(text: &str) -> bool {
    const ZONES: [&str; 8] = ["utc", "gmt", "cet", "cest", "est", "edt", "pst", "pdt"];
    let is_zone = |word: &str| ZONES.iter().any(|zone| zone.eq_ignore_ascii_case(word));
    text.split(|c: char| !c.is_alphabetic()).any(|word| word.len() >= 3 && !is_zone(word))
}

/// `27.11.2026`, `11/27/26`, `27 nov 2026`, `2026年11月27日`.
fn has_date(line: &str) -> bool {
    let runs = numbers(line);
    let is_short = |run: &&str| run.chars().count() <= 2;
    let year = runs.iter().any(|run| run.chars().count() == 4 && !matches!(run.as_bytes()[0], b'0' | b'3'..=b'9'));
    if year && runs.iter().any(is_short) {
        return true;
    }
    runs.windows(3).any(|three| {
        three.iter().all(is_short)
            && joins(line, three[0], three[1], &['.', '/', '-'])
            && joins(line, three[1], three[2], &['.', '/', '-'])
    })
}

/// `03:14`, `3h14`, `3：14`.
fn has_time(line: &str) -> bool {
    let runs = numbers(line);
    let length = |run: &str| run.chars().count();
    runs.windows(2).any(|two| {
        length(two[0]) <= 2 && length(two[1]) == 2 && joins(line, two[0], two[1], &[':', '\u{ff1a}', 'h', 'H'])
    })
}

/// The runs of digits of a line.
fn numbers(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_numeric()).filter(|run| !run.is_empty()).collect()
}

/// Whether two parts of a line are joined by one of some characters, with a blank after it at most.
fn joins(line: &str, before: &str, after: &str, by: &[char]) -> bool {
    let offset = |part: &str| part.as_ptr() as usize - line.as_ptr() as usize;
    line[offset(before) + before.len()..offset(after)].trim_end().strip_prefix(by) == Some("")
}

/// `<…@…>`.
fn has_address(line: &str) -> bool {
    let parts = line.split('<').skip(1);
    parts.filter_map(|part| part.split_once('>')).any(|(within, _)| within.contains('@'))
}

/// Whether a block of `From: …`, `Sent: …` begins here, and whether that is sure: with an address in one of them, or by the words
/// of mail programs for at least two fields, also where blank lines or the values stand between them.
fn header_block(lines: &[&str]) -> Option<bool> {
    /// Among how many lines.
    const LINES: usize = 16;
    let first = field(lines[0]);
    let run = || lines.iter().take_while(|line| is_header(line)).take(12);
    if run().count() >= 2 && run().any(|line| has_address(line)) {
        return Some(true);
    }
    let first = first?;
    let mut found = in_one_line(lines[0]);
    let mut between = 0;
    for line in lines.iter().take(LINES) {
        match field(line) {
            Some(field) => {
                between = 0;
                if !found.contains(&field) {
                    found.push(field);
                }
            }
            None if is_trailer(line) => break,
            None if is_header(line) => {}
            None => between += 1,
        }
        if between > 1 {
            break;
        }
    }
    let has = |field: Field| found.contains(&field);
    let is_clear = has(Field::Sent) || has(Field::Subject);
    // `From: 03:14` and `To: 03:50` are times.
    let named = || names_somebody(lines[0].split_once(is_colon).map_or("", |(_, value)| value));
    match found.len() {
        3.. => Some(true),
        2 if is_clear => Some(has(Field::From)),
        2 => named().then_some(false),
        _ => (first == Field::From && run().count() >= 3).then_some(false),
    }
}

/// The fields of a head that was made one line: `From: releng1 Sent: Friday To: sre1 Subject: T1`.
fn in_one_line(line: &str) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    for part in line.split(is_colon) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let last = |count: usize| words.len().checked_sub(count).map(|from| words[from..].join(" "));
        let named = [1, 2].into_iter().find_map(|count| words::field(&last(count)?));
        found.extend(named.filter(|field| !found.contains(field)));
    }
    // One is the field at its beginning, and two may be chance.
    if found.len() >= 3 { found } else { Vec::new() }
}

/// The field of a mail's head that a line begins with.
fn field(line: &str) -> Option<Field> {
    let key = key(line)?;
    // Most lines with a colon are the gate's own.
    let own = key.get(..FAMILY.len()).is_some_and(|start| start.eq_ignore_ascii_case(FAMILY));
    if own { None } else { words::field(key) }
}

/// What stands before the first colon of a line, or between the first two strokes of a table.
fn key(line: &str) -> Option<&str> {
    /// No word is longer, in bytes.
    const LONGEST: usize = 64;
    let body = line.strip_prefix('|');
    let line = body.unwrap_or(line).trim_start();
    let (at, _) = line
        .char_indices()
        .take_while(|(at, _)| *at < LONGEST)
        .find(|(_, c)| is_colon(*c) || (body.is_some() && *c == '|'))?;
    let word = bare(&line[..at]);
    (!word.is_empty()).then_some(word)
}

/// `word: …`, which is no trailer of the gate's or of git's.
fn is_header(line: &str) -> bool {
    let Some(word) = key(line) else { return false };
    word.chars().count() <= 24
        && word.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-'))
        && !word.to_ascii_lowercase().ends_with("-by")
        && !is_trailer(line)
}

fn is_trailer(line: &str) -> bool {
    key(line).is_some_and(is_key)
}

#[cfg(test)]
mod tests;
