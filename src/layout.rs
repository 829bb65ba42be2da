//! Text laid out for people: the styles of its parts, and lines that fit into a width.
//!
//! Responsible for both, as pure functions; without colour the stream takes a style away again. Not responsible for streams, nor for
//! whether there is colour.

use anstyle::{Ansi256Color, Style};

use crate::text::columns;

/// Names of things.
pub const NAME: Style = Style::new().bold();
// Of the 256 colours, which are the same in every theme: the named sixteen are made for dark grounds or for light ones, and yellow can be
// read on few of the light.
/// What is well.
pub const GOOD: Style = Ansi256Color(28).on_default().bold();
/// What wants attention or time.
pub const MIND: Style = Ansi256Color(130).on_default().bold();
/// What is wrong.
pub const BAD: Style = Ansi256Color(196).on_default().bold();
/// What may be passed over.
pub const FAINT: Style = Ansi256Color(243).on_default();
/// What to type.
pub const HINT: Style = Ansi256Color(30).on_default();

/// Text in a style. Without colour the stream takes the style away again.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// How much room a text needs behind its label, for it to be read with ease.
const ROOM: usize = 24;
/// How far a text stands in below a label that leaves it too little room.
const BELOW: usize = 4;

/// Lays out a text behind a label: the first line after `head`, further ones below it. Lines break at spaces alone, so
/// that addresses stay whole; a trailer in quotes and a command in backticks stay whole where a line can hold them. In a narrow
/// terminal the text stands below its label.
pub fn hanging(head: &str, head_columns: usize, text: &str, width: usize) -> String {
    if head_columns > BELOW * 2 && width < head_columns + ROOM {
        let label = head.trim_start();
        let indent = head.len() - label.len();
        if indent > BELOW {
            let head = format!("{}{label}", " ".repeat(BELOW));
            return hanging(&head, head_columns - indent + BELOW, text, width);
        }
        return format!("{}\n{}", head.trim_end(), hanging(&" ".repeat(BELOW), BELOW, text, width));
    }
    let room = width.saturating_sub(head_columns).max(1);
    let text = &held_together(text, room);
    let options = textwrap::Options::new(room)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    let mut lines = textwrap::wrap(text, options).into_iter();
    let mut laid = format!("{head}{}", lines.next().unwrap_or_default()).trim_end().to_owned();
    laid.push('\n');
    for line in lines {
        laid.push_str(&format!("{}{line}\n", " ".repeat(head_columns)));
    }
    laid.replace(HELD, " ")
}

/// Stands for a blank at which no line breaks. Inert text never holds it.
const HELD: char = '\u{fffe}';
/// How what people copy begins, and how it ends.
const COPIED: [(&str, char); 2] = [("\"Emergency-", '"'), ("`phabgate ", '`')];

/// The text with no break in what people copy, where a line of this many columns holds it.
fn held_together(text: &str, room: usize) -> String {
    let mut held = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, end)) = COPIED.iter().filter_map(|(begin, end)| Some((rest.find(begin)?, *end))).min() {
        held.push_str(&rest[..at]);
        let length = rest[at + 1..].find(end).map_or(rest.len() - at, |inside| inside + 2);
        let (copied, left) = rest[at..].split_at(length);
        // What clings to it stays with it.
        let clinging = left.find(' ').unwrap_or(left.len());
        match columns(copied) + clinging <= room {
            true => held.push_str(&copied.replace(' ', HELD.encode_utf8(&mut [0; 4]))),
            false => held.push_str(copied),
        }
        rest = left;
    }
    held + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_behind_its_label_or_below_it() {
        let rule = |width| hanging("  ok    team:sre      ", 22, "approved by sre1 and by sre2", width);
        assert_eq!(rule(60), "  ok    team:sre      approved by sre1 and by sre2\n");
        assert_eq!(rule(46), "  ok    team:sre      approved by sre1 and\n                      by sre2\n");
        assert_eq!(rule(40), "  ok    team:sre\n    approved by sre1 and by sre2\n");
        let hint = hanging("                      hint: ", 28, "ask sre1 to comment on T6, or page them", 40);
        assert_eq!(hint, "    hint: ask sre1 to comment on T6, or\n          page them\n");
    }

    /// The relative luminance of a colour (WCAG 2.2).
    fn luminance(colour: [u8; 3]) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2])
    }

    /// One of the 256 colours of xterm, of the cube and the greys.
    fn colour(index: u8) -> [u8; 3] {
        if index >= 232 {
            return [8 + 10 * (index - 232); 3];
        }
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        let index = index - 16;
        [level(index / 36), level(index / 6 % 6), level(index % 6)]
    }

    #[test]
    fn every_colour_can_be_read_on_dark_and_on_light() {
        let grounds = [[0, 0, 0], [30, 30, 30], [0x28, 0x2a, 0x36], [0xfd, 0xf6, 0xe3], [255, 255, 255]];
        for style in [GOOD, MIND, BAD, FAINT, HINT] {
            let Some(anstyle::Color::Ansi256(Ansi256Color(index))) = style.get_fg_color() else { panic!("{style:?}") };
            for ground in grounds {
                let (one, other) = (luminance(colour(index)), luminance(ground));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= 3.0, "{index} on {ground:?}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn what_is_to_be_typed_is_not_broken_at_hyphens() {
        assert_eq!(hanging("", 0, "type sync-world-now", 15), "type\nsync-world-now\n");
    }

    #[test]
    fn what_people_copy_is_whole_where_a_line_can_hold_it() {
        let text = "write, alone on a line, \"Emergency-Approve: sre\", or type `phabgate check T1 --wait`.";
        assert_eq!(
            hanging("", 0, text, 38),
            "write, alone on a line,\n\"Emergency-Approve: sre\", or type\n`phabgate check T1 --wait`.\n"
        );
        assert_eq!(hanging("", 0, "type `phabgate check T1`", 16), "type `phabgate\ncheck T1`\n");
        assert_eq!(hanging("", 0, "an open \"Emergency-X: y", 16), "an open\n\"Emergency-X: y\n");
    }

    #[test]
    fn a_label_without_text_has_no_space_behind_it() {
        assert_eq!(hanging("T1 ", 3, "", 80), "T1\n");
    }
}
