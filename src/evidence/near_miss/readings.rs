//! The ways in which readers may read one line.
//!
//! Responsible for what they see besides the line as written: the names of links instead of their targets, no icons, a note without its
//! head, a word that goes on in the next line, and of a table each cell for itself and the row as one, whose cells answer one
//! another. Not responsible for what a reading says.

use std::borrow::Cow;

use super::fold::{FoldPart, FoldedWord, fold, may_hold, within_one};
use crate::remarkup::{Addresses, Line, LineKind, as_shown};

/// A line as one reader sees it.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) parts: Vec<FoldPart>,
    /// It is a row of a table, with a colon for each edge of a cell: what stands in the next cell may answer.
    pub(super) is_row: bool,
}

/// Whether what is struck out is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strikes {
    LeftOut,
    Read,
}

/// The ways to read the line of this number.
pub(super) fn readings(lines: &[Line<'_>], number: usize, strikes: Strikes) -> Vec<Reading> {
    let Some((line, after)) = lines.get(number..).and_then(<[Line<'_>]>::split_first) else { return Vec::new() };
    let mut readings = Vec::new();
    let mut read = |words: &str| readings.push(Reading { parts: fold(words), is_row: false });
    let written = text(line, strikes);
    for words in shown(&written) {
        match line.kind {
            LineKind::Table => words.split(is_edge).filter(|cell| !cell.trim().is_empty()).for_each(&mut read),
            LineKind::Note => {
                read(&words);
                read(without_head(&words));
            }
            _ => read(&words),
        }
        if words.contains(is_break) {
            words.split(is_break).for_each(&mut read);
        }
    }
    if let Some((next, between)) =
        after.first().filter(|next| next.block == line.block).zip(goes_on(&written, line.kind))
    {
        read(&format!("{}{between}{}", written.trim_end(), text(next, strikes).trim_start()));
    }
    if line.kind == LineKind::Table {
        let rows = rows(&lines[number..], strikes);
        readings.extend(rows.iter().map(|row| Reading { parts: fold(row), is_row: true }));
    }
    readings
}

/// A line, perhaps without what is struck out.
fn text<'a>(line: &Line<'a>, strikes: Strikes) -> Cow<'a, str> {
    if strikes == Strikes::Read || line.struck.is_empty() {
        return Cow::Borrowed(line.text);
    }
    let mut left = String::new();
    let mut from = 0;
    for range in &line.struck {
        left.push_str(line.text.get(from..range.start).unwrap_or_default());
        from = range.end;
    }
    left.push_str(line.text.get(from..).unwrap_or_default());
    Cow::Owned(left)
}

/// A line with its links and icons as they are shown: with its addresses, without, and without the emphasis inside of its words.
fn shown(written: &str) -> Vec<Cow<'_, str>> {
    let kept = as_shown(written, Addresses::Kept).map_or(Cow::Borrowed(written), Cow::Owned);
    let bare = as_shown(written, Addresses::LeftOut).filter(|bare| **bare != *kept);
    let glued = glued(&kept);
    std::iter::once(kept).chain(bare.into_iter().chain(glued).map(Cow::Owned)).collect()
}

/// A note without the word that makes it one, which readers may not see.
fn without_head(line: &str) -> &str {
    const HEADS: [&str; 6] = ["NOTE:", "IMPORTANT:", "WARNING:", "(NOTE)", "(IMPORTANT)", "(WARNING)"];
    HEADS.iter().find_map(|head| line.strip_prefix(head)).unwrap_or(line)
}

/// Whether readers see a new line after a character that is none to the server's own rules.
fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What readers see between a line that ends in the middle of the key of a trailer and the next one; `None` where it does not end so.
fn goes_on(written: &str, kind: LineKind) -> Option<&'static str> {
    let parts = fold(written);
    let is_key = |word: &FoldedWord| within_one(&word.text, "emergency");
    match parts.strip_suffix(&[FoldPart::Blank]).unwrap_or(&parts) {
        [.., FoldPart::Word(word), FoldPart::Dash] if is_key(word) => Some(""),
        // There the server joins the lines.
        [.., FoldPart::Word(word)] if is_key(word) && matches!(kind, LineKind::List | LineKind::Note) => Some(" "),
        _ => None,
    }
}

/// A line without the marks of emphasis inside of its words, which join there and part nothing: `Emergency-Re__j__ect`. `None` where there
/// are none.
fn glued(written: &str) -> Option<String> {
    let mut glued = String::new();
    let mut rest = written;
    while let Some(at) = ["//", "!!", "##", "__"].iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, marks) = rest.split_at(at);
        glued.push_str(before);
        rest = marks.trim_start_matches(['/', '!', '#', '_']);
    }
    (rest.len() < written.len()).then(|| glued + rest)
}

/// Whether a character may be the edge of a cell.
fn is_edge(c: char) -> bool {
    matches!(c, '|' | '<' | '>')
}

/// How many lines, and how many bytes of them, a row is followed for.
const FOLLOWED: (usize, usize) = (8, 512);

/// The rows of a table on its first line, the last of them up to its end, with a colon for each edge of a cell.
fn rows(lines: &[Line<'_>], strikes: Strikes) -> Vec<String> {
    let Some((first, after)) = lines.split_first() else { return Vec::new() };
    let written = text(first, strikes);
    let mut rows: Vec<String> = vec![written.clone().into_owned()];
    // A row of `|` is one line; one of `<tr>` goes on to its end.
    if !first.text.trim_start().starts_with('|') {
        rows = split_rows(&written).into_iter().map(str::to_owned).collect();
        let (count, mut room) = FOLLOWED;
        for line in after.iter().take(count).take_while(|line| line.block == first.block) {
            let text = text(line, strikes);
            let (Some(last), Some(row)) = (rows.last_mut(), split_rows(&text).first().copied()) else { break };
            if row.len() > room {
                break;
            }
            room -= row.len();
            last.push(' ');
            last.push_str(row);
            if row.len() < text.len() {
                break;
            }
        }
    }
    let edges = |row: &String| {
        let row = as_shown(row, Addresses::LeftOut).unwrap_or_else(|| row.clone());
        without_tags(&row.replace('|', ":"))
    };
    rows.iter().filter(|row| may_hold(row)).map(edges).collect()
}

/// What stands between the marks of rows on a line; all of it where there are none.
fn split_rows(line: &str) -> Vec<&str> {
    let lower = line.to_ascii_lowercase();
    let mut rows = Vec::new();
    let mut from = 0;
    for (at, _) in
        lower.match_indices("<tr").chain(lower.match_indices("</tr")).collect::<std::collections::BTreeMap<_, _>>()
    {
        rows.push(&line[from..at]);
        from = at;
    }
    rows.push(&line[from..]);
    rows
}

/// A row with a colon for each tag of a table, its attributes included.
fn without_tags(row: &str) -> String {
    const NAMES: [&str; 4] = ["table", "tr", "td", "th"];
    let mut pieces = row.split('<');
    let mut left = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let name: String = piece.trim_start_matches('/').chars().take_while(char::is_ascii_alphabetic).collect();
        if NAMES.contains(&name.to_ascii_lowercase().as_str()) {
            left.push(':');
            left.push_str(piece.split_once('>').map_or("", |(_, after)| after));
        } else {
            left.push('<');
            left.push_str(piece);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remarkup::lines;

    #[test]
    fn a_row_is_read_over_its_cells_and_lines() {
        for (text, number, expected) in [
            ("| emergency | b |", 0, vec![": emergency : b :"]),
            ("| emergency |\n| b |", 0, vec![": emergency :"]),
            ("| emergency | [[ /x | no ]] |", 0, vec![": emergency : no :"]),
            (
                "<table>\n<tr>\n<td>emergency</td>\n<td class=\"x\">b</TD>\n</tr>\n<tr><td>c</td></tr>\n</table>",
                2,
                vec![":emergency: :b: "],
            ),
            (
                "<table>\n<tr><th>a</th></tr><tr><td>emergency</td>\n<td>no</td>\n</tr>\n</table>",
                1,
                vec!["::emergency: :no: "],
            ),
            ("<table><tr><td\n>emergency < b</td></tr></table>", 1, vec![">emergency < b:"]),
        ] {
            assert_eq!(rows(&lines(text)[number..], Strikes::Read), expected, "{text:?}");
        }
    }

    #[test]
    fn a_table_of_many_lines_takes_no_more_than_its_size() {
        let text = format!("<table><tr>\n{}</tr></table>", "<td>emergency-approve\n".repeat(2_000));
        let lines = lines(&text);
        let parts: usize = (0..lines.len())
            .flat_map(|number| readings(&lines, number, Strikes::Read))
            .map(|reading| reading.parts.len())
            .sum();
        assert!(parts < 200 * lines.len(), "{parts}");
    }
}
