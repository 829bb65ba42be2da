//! An approval that is no trailer by the letter and counts all the same: nothing but its form was missed.
//!
//! Responsible for which texts are one. Not responsible for whose approvals count.

use super::fold::may_hold;
use crate::evidence::keys::Key;
use crate::evidence::look_alikes::{is_bidirectional, is_colon, is_dash};
use crate::remarkup::{LineKind, lines};
use crate::text::is_hidden;

/// The value of an approval that is missed by nothing but a leading blank, characters that are not seen, bold around the line,
/// another dash or colon, or one mark of joy or of the end of a sentence, where it is all that the comment says.
pub(crate) fn lone_approval(text: &str) -> Option<(&str, String)> {
    if text.lines().filter(|line| !line.trim().is_empty()).nth(1).is_some() || !may_hold(text) {
        return None;
    }
    let lines = lines(text);
    let mut filled = lines.iter().filter(|line| !line.text.trim().is_empty());
    let (line, None) = (filled.next()?, filled.next()) else { return None };
    if line.kind != LineKind::Paragraph || line.text.chars().any(is_bidirectional) {
        return None;
    }
    let seen: String = line.text.chars().filter(|c| c.is_whitespace() || !is_hidden(*c)).collect();
    let mut rest = seen.strip_prefix(char::is_whitespace).unwrap_or(&seen).trim_end();
    if rest.starts_with(char::is_whitespace) {
        return None;
    }
    let without_end =
        |text: &'_ str| -> Option<usize> { Some(text.strip_suffix(['.', '!', '👍', '✅'])?.trim_end().len()) };
    let end = without_end(rest);
    rest = &rest[..end.unwrap_or(rest.len())];
    if let Some(bare) = rest.strip_prefix("**").and_then(|rest| rest.strip_suffix("**")) {
        rest = bare.trim();
        // One mark, inside of the bold or outside of it.
        let within = without_end(rest).filter(|_| end.is_none());
        rest = &rest[..within.unwrap_or(rest.len())];
    }
    let colon = rest.char_indices().find(|(_, c)| is_colon(*c))?;
    let key: String = rest[..colon.0].trim_end().chars().map(|c| if is_dash(c) { '-' } else { c }).collect();
    let value = rest[colon.0 + colon.1.len_utf8()..].trim();
    let right = key.eq_ignore_ascii_case(Key::Approve.name()) && !value.is_empty();
    right.then(|| (line.text.trim(), value.to_owned()))
}
