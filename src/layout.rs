//! Text laid out for people: the styles of its parts, and lines that fit into a width.
//!
//! Responsible for both, as pure functions; without colour the stream takes a style away again. Not responsible for streams, nor for
//! whether there is colour.

use anstyle::{Ansi256Color, Style};

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
/// that addresses and what is to be typed stay whole. In a narrow terminal the text stands below its label.
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
    let options = textwrap::Options::new(width.saturating_sub(head_columns).max(1))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    let mut lines = textwrap::wrap(text, options).into_iter();
    let mut laid = format!("{head}{}", lines.next().unwrap_or_default()).trim_end().to_owned();
    laid.push('\n');
    for line in lines {
        laid.push_str(&format!("{}{line}\n", " ".repeat(head_columns)));
    }
    laid
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
    fn a_label_without_text_has_no_space_behind_it() {
        assert_eq!(hanging("T1 ", 3, "", 80), "T1\n");
    }
}
