//! A text split into the blocks of Remarkup, as far as that decides what its lines are shown as.
//!
//! The order in which the kinds of block are tried and where each ends are those of Phorge's own parser, so that both read
//! the same: a line that is shown as code must not approve, and a line that is shown as text must not be lost, since it may
//! be a no. Marks inside a paragraph are found beside it.

use std::ops::Range;

use super::fences::{FENCE, Fence, fence_of, is_closed_at_once};
use super::lists::{horizontal_rule, list};
use super::marks::{self, Mark};
use super::spaces::{blanks, indent, is_blank, space, without_end};

/// What a line of a text is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Part of a paragraph; a blank line too.
    Paragraph,
    /// A line across the page, or blank after one.
    Rule,
    /// Part of a list: an item, or what is indented below it.
    List,
    /// A heading, the line under it, or blank after it.
    Heading,
    /// Part of a note, a warning or the like.
    Note,
    /// Part of a table.
    Table,
    /// Quoted.
    Quote,
    /// Part of a fence, its first and last line among it.
    Fence,
    /// Code by its indentation.
    Indented,
    /// Literal text.
    Literal,
    /// Given to a program that draws it.
    Interpreter,
    /// Part of a fence, of literal text or of what a program draws, that nothing closes: its author may have forgotten to. Also
    /// all that follows on a block that only some servers know.
    Unclosed,
}

impl LineKind {
    /// Whether a line of this kind is shown as words of who wrote the text, or may have been meant as such.
    pub fn is_words(self) -> bool {
        match self {
            Self::Paragraph | Self::Rule | Self::List | Self::Heading | Self::Note | Self::Table | Self::Unclosed => {
                true
            }
            Self::Quote | Self::Fence | Self::Indented | Self::Literal | Self::Interpreter => false,
        }
    }

    /// Whether everybody sees each line of this kind as a line. Of a table the server drops what stands outside of cells, and
    /// what stands in the attributes of its marks: readers see none of it.
    pub fn is_seen(self) -> bool {
        self.is_words() && !matches!(self, Self::Table | Self::Unclosed)
    }
}

/// A line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line without its end, a carriage return included.
    pub text: &'a str,
    /// What it is shown as.
    pub kind: LineKind,
    /// The number of its block, from 0; the lines of one paragraph share it.
    pub block: usize,
    /// The mark that opens in the same paragraph before the line, and closes in it or after it.
    pub within: Option<Mark>,
    /// The parts of the text that readers see struck out.
    pub struck: Vec<Range<usize>>,
}

impl Line<'_> {
    /// Whether it is a line of its author's own that starts at column 0, where alone a trailer can stand.
    pub fn is_own(&self) -> bool {
        self.kind.is_seen() && self.within.is_none() && !self.text.starts_with([' ', '\t', '>'])
    }
}

/// The lines of a text in order, each with what it is shown as.
///
/// ```
/// use phabgate::remarkup::{LineKind, lines};
/// let kinds: Vec<LineKind> = lines("No.\n> Yes.").iter().map(|line| line.kind).collect();
/// assert_eq!(kinds, [LineKind::Paragraph, LineKind::Quote]);
/// ```
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let raw: Vec<&str> = text.split_inclusive('\n').collect();
    let mut lines = Vec::with_capacity(raw.len());
    for (block, (kind, within)) in blocks(&raw).into_iter().enumerate() {
        let kind = if is_closed(kind, within) { kind } else { LineKind::Unclosed };
        let first = lines.len();
        let texts = within.iter().map(|line| without_end(line));
        lines.extend(texts.map(|text| Line { text, kind, block, within: None, struck: Vec::new() }));
        if !kind.is_words() || !within.iter().any(|line| marks::may_hold(line)) {
            continue;
        }
        // What stands in a list, a table or a heading is read item by item.
        let whole = matches!(kind, LineKind::Paragraph | LineKind::Note);
        // Where one ends, or nothing closes the block, is not sure enough for a no to weigh less.
        let is_sure = match kind {
            LineKind::Table | LineKind::Unclosed => false,
            LineKind::List => within.iter().all(|line| marks::is_plain(line)),
            _ => true,
        };
        for at in first..if whole { first + 1 } else { lines.len() } {
            let end = if whole { lines.len() } else { at + 1 };
            mark(&mut lines[at..end], is_sure);
        }
    }
    lines
}

/// Whether a block has the end that its kind needs.
fn is_closed(kind: LineKind, lines: &[&str]) -> bool {
    match kind {
        LineKind::Fence => fence_of(lines).is_none_or(|fence| fence.body.is_some()),
        LineKind::Interpreter => lines.iter().any(|line| ends(line, "}}}")),
        LineKind::Literal => literals(lines).1,
        _ => true,
    }
}

/// Says of the lines of one paragraph what stands in which mark; and what is struck out, where that is sure.
fn mark(lines: &mut [Line<'_>], is_sure: bool) {
    let paragraph = lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
    let found = marks::marks(&paragraph);
    let mut struck = if is_sure { &found.struck[..] } else { &[] };
    let mut start = 0;
    for line in lines {
        let end = start + line.text.len();
        line.within = found.around(start);
        while let Some((first, rest)) = struck.split_first() {
            let cut = first.start.max(start)..first.end.min(end);
            if first.start >= end {
                break;
            }
            if !cut.is_empty() {
                line.struck.push(cut.start - start..cut.end - start);
            }
            if first.end > end {
                break;
            }
            struck = rest;
        }
        start = end + 1;
    }
}

/// The lines of a text that are its author's own and start at column 0, in order.
pub fn own_lines(text: &str) -> impl Iterator<Item = &str> {
    lines(text).into_iter().filter(Line::is_own).map(|line| line.text)
}

/// The fences of a text in order.
///
/// ```
/// use phabgate::remarkup::fences;
/// let found = fences("Look:\n\n```lang=json\n{}\n```\n");
/// assert_eq!((found[0].info, found[0].body.as_ref().unwrap().text().as_str()), ("lang=json", "{}\n"));
/// assert!(fences("NOTE: this is none\n```\n{}\n```").is_empty());
/// ```
pub fn fences(text: &str) -> Vec<Fence<'_>> {
    let raw: Vec<&str> = text.split_inclusive('\n').collect();
    let found = blocks(&raw).into_iter().filter(|(kind, _)| *kind == LineKind::Fence);
    found.filter_map(|(_, within)| fence_of(within)).collect()
}

/// The blocks of some lines, in order. What begins no block is a paragraph, up to a blank line or the next block.
fn blocks<'l, 't>(lines: &'l [&'t str]) -> Vec<(LineKind, &'l [&'t str])> {
    let mut found = Vec::new();
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let (kind, mut count) = next(rest);
        if kind == LineKind::Paragraph && !is_blank(first) {
            let goes_on = |at: usize| !is_blank(rest[at]) && next(&rest[at..]).0 == LineKind::Paragraph;
            while count < rest.len() && goes_on(count) {
                count += 1;
            }
        }
        let (block, after) = rest.split_at(count.clamp(1, rest.len()));
        found.push((kind, block));
        rest = after;
    }
    found
}

/// How many of some lines a kind of block takes from the first on; 0 where they begin none of that kind.
type BlockReader = fn(&[&str]) -> usize;

/// Finds the block that the first of some lines begins, and how many lines it takes.
fn next(lines: &[&str]) -> (LineKind, usize) {
    const KINDS: [(BlockReader, LineKind); 13] = [
        (horizontal_rule, LineKind::Rule),
        (list, LineKind::List),
        (reply, LineKind::Quote),
        (literal, LineKind::Literal),
        (indented, LineKind::Indented),
        (fence, LineKind::Fence),
        (header, LineKind::Heading),
        (interpreter, LineKind::Interpreter),
        (perhaps_interpreter, LineKind::Unclosed),
        (note, LineKind::Note),
        (quote, LineKind::Quote),
        (simple_table, LineKind::Table),
        (table, LineKind::Table),
    ];
    let found = KINDS.into_iter().find_map(|(of, kind)| match of(lines) {
        0 => None,
        count => Some((kind, count)),
    });
    found.unwrap_or((LineKind::Paragraph, 1))
}

fn ends(line: &str, mark: &str) -> bool {
    line.trim_end_matches(space).ends_with(mark)
}

/// Lines up to the first that `ends` holds for, it included; all of them where it holds for none.
fn through(lines: &[&str], ends: impl Fn(&str) -> bool) -> usize {
    lines.iter().position(|line| ends(line)).map_or(lines.len(), |last| last + 1)
}

/// `>>! In T1, somebody wrote:` and the quote after it.
fn reply(lines: &[&str]) -> usize {
    if lines[0].starts_with(">>!") { quote(lines) } else { 0 }
}

fn quote(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| line.starts_with('>')).count()
}

/// `%%%` to `%%%`, and all such blocks that follow it at once.
fn literal(lines: &[&str]) -> usize {
    let (count, _) = literals(lines);
    // One blank line after it belongs to it, and no second one.
    if count == 0 { 0 } else { count + blanks(&lines[count..]).min(1) }
}

/// How many lines such blocks take, and whether the last of them is closed.
fn literals(lines: &[&str]) -> (usize, bool) {
    const MARK: &str = "%%%";
    let starts = |line: &str| line.trim_start_matches(space).starts_with(MARK);
    let (mut count, mut closed) = (0, true);
    while let Some(line) = lines.get(count).filter(|line| starts(line)) {
        // A mark alone begins a block and does not end it; `%%%%` does both.
        let alone = line.trim_matches(space) == MARK;
        if alone || !ends(line, MARK) {
            count += 1;
            closed = lines[count..].iter().any(|line| ends(line, MARK));
            count += through(&lines[count..], |line| ends(line, MARK));
        } else {
            count += 1;
        }
    }
    (count, closed)
}

/// Lines indented by two spaces.
fn indented(lines: &[&str]) -> usize {
    let line = lines[0].strip_suffix('\n').unwrap_or(lines[0]);
    match indent(line) >= 2 && line.len() >= 3 {
        true => 1 + lines[1..].iter().take_while(|line| is_blank(line) || indent(line) >= 2).count(),
        false => 0,
    }
}

/// Three backticks to three backticks.
fn fence(lines: &[&str]) -> usize {
    let line = lines[0];
    match line.trim_start_matches(space).starts_with(FENCE) {
        true if is_closed_at_once(line) => 1,
        true => 1 + through(&lines[1..], |line| ends(line, FENCE)),
        false => 0,
    }
}

/// `= Title`, `## Title`, or a line that is underlined, and the blank lines after it.
fn header(lines: &[&str]) -> usize {
    let line = lines[0];
    let underlined = || {
        let under = lines.get(1).map_or("", |under| under.trim_end_matches(space));
        line.len() > 1 && under.len() >= 2 && under.bytes().all(|byte| matches!(byte, b'-' | b'='))
    };
    let count = match () {
        () if ["=", "##", "# "].iter().any(|mark| line.starts_with(mark)) => 1,
        () if underlined() => 2,
        () => return 0,
    };
    count + blanks(&lines[count..])
}

/// `name {{{` or `name (options) {{{` to `}}}`, for the names that every server knows.
fn interpreter(lines: &[&str]) -> usize {
    const NAMES: [&str; 3] = ["cowsay", "figlet", "phutil_test_block_interpreter"];
    if NAMES.iter().any(|name| interprets(name, lines[0])) { through(lines, |line| ends(line, "}}}")) } else { 0 }
}

/// The same for a name that only some servers know: where the block ends, and what the text after it is, is not known, up to
/// the end of the text.
fn perhaps_interpreter(lines: &[&str]) -> usize {
    if interprets("dot", lines[0]) { lines.len() } else { 0 }
}

/// Whether a line opens a block for the interpreter of this name.
fn interprets(name: &str, line: &str) -> bool {
    let Some(rest) = line.strip_prefix(name) else { return false };
    let rest = rest.trim_start_matches(space);
    let options = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let rest = match options {
        Some((options, rest)) if !options.is_empty() => rest.trim_start_matches(space),
        _ => rest,
    };
    rest.starts_with("{{{")
}

/// `NOTE: text` or `(NOTE) text`, to the next blank line; a fence in it is none.
fn note(lines: &[&str]) -> usize {
    const WORDS: [&str; 3] = ["NOTE", "IMPORTANT", "WARNING"];
    let line = lines[0];
    let shown = |word: &&str| line.strip_prefix(*word).is_some_and(|rest| rest.starts_with(':'));
    let hidden = |word: &&str| {
        line.strip_prefix('(').and_then(|rest| rest.strip_prefix(*word)).is_some_and(|rest| rest.starts_with(')'))
    };
    if !WORDS.iter().any(|word| shown(word) || hidden(word)) {
        return 0;
    }
    // The parser takes a line that is `0` for a blank one.
    let goes_on = |line: &&&str| !is_blank(line) && line.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}']) != "0";
    1 + lines[1..].iter().take_while(goes_on).count()
}

fn simple_table(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| line.trim_start_matches(space).starts_with('|')).count()
}

/// `<table>` to `</table>`; a fence in it is none.
fn table(lines: &[&str]) -> usize {
    let starts = lines[0].trim_start_matches(space).to_ascii_lowercase().starts_with("<table>");
    if starts { 1 + through(&lines[1..], |line| ends(&line.to_ascii_lowercase(), "</table>")) } else { 0 }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
