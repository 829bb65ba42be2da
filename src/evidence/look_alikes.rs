//! Characters that look like those of a trailer, and characters that make a line look like another one.
//!
//! Responsible for which those are. Not responsible for what a line that holds one is taken for.

/// Whether a character is a dash, that of ASCII or another one.
pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

/// Whether a character is a colon, that of ASCII or another one.
pub(super) fn is_colon(c: char) -> bool {
    matches!(c, ':' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' | '\u{ff1a}')
}

/// Characters that reorder the text around them, so that readers see another line than is there.
pub(super) fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
