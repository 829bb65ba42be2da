//! Text that people or servers supplied, made fit to be shown on a terminal, in a log or in a table.
//!
//! Responsible for [`inert`] and [`Inert`], which write out what could steer a terminal or hide from a reader, and
//! [`shorten`], which fits such text into columns; besides for bytes as digits, [`hex`]. They take the text as it came; what they return is inert and must not go
//! through them again: [`shorten_inert`] cuts it. Not responsible for Remarkup, which has dangers of its own ([`crate::remarkup`]).
//!
//! Each dangerous character is written as `\u{202e}`: its code point, in the notation of Rust and JavaScript. So an auditor
//! sees what was there, and two texts that differ stay different: a backslash that would begin such an escape by itself
//! is written as `\u{5c}`. Any other backslash stays, for the sake of paths and shell commands.

use std::fmt::{self, Write as _};

use unicode_width::UnicodeWidthChar;

/// Bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What stands for text that was cut off.
const ELLIPSIS: char = '…';

/// Characters beyond ASCII that are no glyph of their own: C1 controls, bidirectional controls, format characters,
/// the default-ignorable ones, line and paragraph separators, tags and noncharacters. Sorted, both ends included.
const HIDDEN: &[(u32, u32)] = &[
    (0x0080, 0x009f),
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfdd0, 0xfdef),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0xfffe, 0xffff),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Whether the character could steer a terminal, reorder the text around it, or be there without being seen.
///
/// ```
/// use phabgate::text::is_hidden;
/// assert!(is_hidden('\u{1b}') && is_hidden('\u{202e}') && is_hidden('\u{200b}') && is_hidden('\n'));
/// assert!(!is_hidden('a') && !is_hidden(' ') && !is_hidden('ß') && !is_hidden('語'));
/// ```
pub fn is_hidden(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    let code = u32::from(character);
    // The last two code points of every plane are noncharacters.
    code & 0xfffe == 0xfffe
        || HIDDEN
            .binary_search_by(|&(first, last)| {
                if last < code {
                    std::cmp::Ordering::Less
                } else if first > code {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
}

/// One unit of inert text: a character that stays, or the escape of one that must not.
pub(crate) enum Piece {
    /// The character as it is.
    Plain(char),
    /// The character to be written as its code point.
    Escaped(char),
}

impl Piece {
    /// Adds it to `out`.
    pub(crate) fn push_to(&self, out: &mut String) {
        match *self {
            Piece::Plain(character) => out.push(character),
            Piece::Escaped(character) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }

    fn columns(&self) -> usize {
        match *self {
            Piece::Plain(character) => character.width().unwrap_or(0),
            Piece::Escaped(character) => {
                let digits = (u32::BITS - u32::from(character).leading_zeros()).div_ceil(4).max(1);
                4 + digits as usize
            }
        }
    }
}

/// The text piece by piece; `also` names what must not stay beyond what is hidden, seeing the text from there on.
pub(crate) fn pieces(text: &str, also: impl Fn(char, &str) -> bool) -> impl Iterator<Item = Piece> {
    text.char_indices().map(move |(at, character)| {
        let rest = &text[at..];
        if is_hidden(character) || rest.starts_with("\\u{") || also(character, rest) {
            Piece::Escaped(character)
        } else {
            Piece::Plain(character)
        }
    })
}

/// The text on one line, with every character that could steer a terminal or hide written out as `\u{…}`.
///
/// ```
/// use phabgate::text::inert;
/// assert_eq!(inert("C:\\bin \u{1b}[31m"), "C:\\bin \\u{1b}[31m");
/// assert_eq!(inert("a\nb"), "a\\u{a}b");
/// assert_eq!(inert("\\u{a}"), "\\u{5c}u{a}");
/// ```
pub fn inert(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { Inert(text).to_string() }
}

/// Whether a text is inert as it is, which nearly every one is: nothing in it needs a second look.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\')
}

/// Shows a text as [`inert`] does, without a copy.
#[derive(Debug, Clone, Copy)]
pub struct Inert<'a>(pub &'a str);

impl fmt::Display for Inert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.pad(self.0);
        }
        let mut out = String::with_capacity(self.0.len());
        pieces(self.0, |_, _| false).for_each(|piece| piece.push_to(&mut out));
        f.pad(&out)
    }
}

/// How many columns a terminal gives to a text that is inert already.
///
/// Never too few: a sequence of emoji that a terminal may draw as one counts as each of them.
pub fn columns(inert: &str) -> usize {
    inert.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// The text made inert and at most `limit` columns wide, with `…` where something was cut off.
///
/// An escape is never cut in two.
///
/// ```
/// use phabgate::text::shorten;
/// assert_eq!(shorten("emergency", 20), "emergency");
/// assert_eq!(shorten("emergency", 5), "emer…");
/// assert_eq!(shorten("ab\u{202e}cd", 8), "ab…");
/// ```
pub fn shorten(text: &str, limit: usize) -> String {
    shorten_pieces(pieces(text, |_, _| false), limit)
}

/// A text that is inert already, at most `limit` columns wide, with `…` where something was cut off.
///
/// An escape is never cut in two.
///
/// ```
/// use phabgate::text::{inert, shorten_inert};
/// assert_eq!(shorten_inert(&inert("ab\u{202e}cd"), 12), "ab\\u{202e}cd");
/// assert_eq!(shorten_inert(&inert("ab\u{202e}cd"), 8), "ab…");
/// ```
pub fn shorten_inert(inert: &str, limit: usize) -> String {
    if columns(inert) <= limit {
        return inert.to_owned();
    }
    // The longest start that leaves a column for the ellipsis.
    let (mut cut, mut used, mut rest) = (0, 0, inert);
    while let Some(character) = rest.chars().next() {
        let escape = rest.strip_prefix("\\u{").and_then(|digits| digits.find('}')).map(|end| end + 4);
        let (unit, left) = rest.split_at(escape.unwrap_or(character.len_utf8()));
        used += columns(unit);
        if used >= limit {
            break;
        }
        (cut, rest) = (cut + unit.len(), left);
    }
    if limit > 0 { format!("{}{ELLIPSIS}", &inert[..cut]) } else { String::new() }
}

/// [`shorten`] for pieces, so that other rules of what must not stay can be cut by the same one.
pub(crate) fn shorten_pieces(pieces: impl Iterator<Item = Piece>, limit: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    // Where to cut, should the text turn out too wide: the longest start that leaves a column for the ellipsis.
    let mut cut = 0;
    for piece in pieces {
        used += piece.columns();
        if used > limit {
            out.truncate(cut);
            if limit > 0 {
                out.push(ELLIPSIS);
            }
            return out;
        }
        piece.push_to(&mut out);
        if used < limit {
            cut = out.len();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_taken_as_it_is_would_not_be_written_otherwise(text in "[ -~]{0,12}|\\PC{0,6}|\\\\u\\{a\\}") {
            let mut slowly = String::new();
            pieces(&text, |_, _| false).for_each(|piece| piece.push_to(&mut slowly));
            prop_assert_eq!(inert(&text), slowly.clone());
            prop_assert_eq!(Inert(&text).to_string(), slowly);
        }
    }

    #[test]
    fn every_kind_of_hidden_character_is_written_out() {
        for (character, shown) in [
            ('\0', "\\u{0}"),
            ('\t', "\\u{9}"),
            ('\r', "\\u{d}"),
            ('\u{1b}', "\\u{1b}"),
            ('\u{7f}', "\\u{7f}"),
            ('\u{9b}', "\\u{9b}"),
            ('\u{85}', "\\u{85}"),
            ('\u{ad}', "\\u{ad}"),
            ('\u{61c}', "\\u{61c}"),
            ('\u{200b}', "\\u{200b}"),
            ('\u{200d}', "\\u{200d}"),
            ('\u{200e}', "\\u{200e}"),
            ('\u{2028}', "\\u{2028}"),
            ('\u{2029}', "\\u{2029}"),
            ('\u{202e}', "\\u{202e}"),
            ('\u{2066}', "\\u{2066}"),
            ('\u{2069}', "\\u{2069}"),
            ('\u{3164}', "\\u{3164}"),
            ('\u{fe0f}', "\\u{fe0f}"),
            ('\u{feff}', "\\u{feff}"),
            ('\u{1ffff}', "\\u{1ffff}"),
            ('\u{e0041}', "\\u{e0041}"),
            ('\u{10ffff}', "\\u{10ffff}"),
        ] {
            assert_eq!(inert(&character.to_string()), shown);
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["deploy -m 'naïve ß 語 🙂' C:\\users\\n", "{}|`@T1", "a\u{a0}b"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(HIDDEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn shortens_by_columns_not_characters() {
        assert_eq!(shorten("語語語", 6), "語語語");
        assert_eq!(shorten("語語語", 5), "語語…");
        assert_eq!(shorten("語語語", 4), "語…");
        assert_eq!(shorten("語", 1), "…");
        assert_eq!(shorten("a", 0), "");
        assert_eq!(shorten("", 0), "");
    }

    fn undo(shown: &str) -> String {
        let mut out = String::new();
        let mut rest = shown;
        while let Some(at) = rest.find("\\u{") {
            out.push_str(&rest[..at]);
            let end = at + rest[at..].find('}').unwrap();
            out.push(char::from_u32(u32::from_str_radix(&rest[at + 3..end], 16).unwrap()).unwrap());
            rest = &rest[end + 1..];
        }
        out + rest
    }

    proptest! {
        #[test]
        fn inert_text_hides_nothing_and_loses_nothing(text in "(\\PC|\\pC|\\\\u\\{|\\\\){0,40}") {
            let shown = inert(&text);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(undo(&shown), text);
        }

        #[test]
        fn short_text_fits(text in any::<String>(), limit in 0usize..40) {
            let short = shorten(&text, limit);
            prop_assert!(columns(&short) <= limit);
            prop_assert!(short == inert(&text) || short.is_empty() || short.ends_with('…'));
            prop_assert_eq!(shorten_inert(&inert(&text), limit), short);
        }
    }
}
