//! The ways in which readers may read one line.
//!
//! Responsible for what they see besides the line as written: the names of links instead of their targets, and of a table each
//! cell for itself and the row as one, whose cells answer one another. Not responsible for what a reading says.

use std::borrow::Cow;

use super::fold::{FoldPart, fold};
use crate::remarkup::{Line, LineKind, links_as_shown};

/// The parts of a line as one reader sees it.
pub(super) type Reading = Vec<FoldPart>;

/// Whether what is struck out is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strikes {
    LeftOut,
    Read,
}

/// The ways to read the line of this number.
pub(super) fn readings(lines: &[Line<'_>], number: usize, strikes: Strikes) -> Vec<Reading> {
    let Some(line) = lines.get(number) else { return Vec::new() };
    let written = text(line, strikes);
    let shown = links_as_shown(&written);
    let mut readings = Vec::new();
    for words in std::iter::once(&*written).chain(shown.as_deref()) {
        if line.kind == LineKind::Table {
            readings.extend(words.split(is_edge).filter(|cell| !cell.trim().is_empty()).map(fold));
        } else {
            readings.push(fold(words));
        }
    }
    if line.kind == LineKind::Table {
        let row = row(&lines[number..], strikes);
        let shown = links_as_shown(&row);
        readings.extend(std::iter::once(&*row).chain(shown.as_deref()).map(fold));
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

/// Whether a character may be the edge of a cell.
fn is_edge(c: char) -> bool {
    matches!(c, '|' | '<' | '>')
}

/// A row of a table from its first line on, with a colon for each edge of a cell: what stands in the next cell follows.
fn row(lines: &[Line<'_>], strikes: Strikes) -> String {
    let Some(first) = lines.first() else { return String::new() };
    // A row of `|` is one line; one of `<tr>` goes on to its end.
    let one_line = first.text.trim_start().starts_with('|');
    let mut row = String::new();
    for line in lines.iter().take_while(|line| line.block == first.block) {
        row.push_str(&text(line, strikes).replace('|', ":"));
        row.push(' ');
        if one_line || line.text.to_ascii_lowercase().contains("</tr") {
            break;
        }
    }
    without_tags(&row)
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
            ("| a | b |", 0, ": a : b : "),
            ("| a |\n| b |", 0, ": a : "),
            (
                "<table>\n<tr>\n<td>a</td>\n<td class=\"x\">b</TD>\n</tr>\n<tr><td>c</td></tr>\n</table>",
                2,
                ":a: :b: : ",
            ),
            ("<table><tr><td\n>a < b</td></tr></table>", 1, ">a < b::: "),
        ] {
            assert_eq!(row(&lines(text)[number..], Strikes::Read), expected, "{text:?}");
        }
    }
}
