//! Inert text: on a terminal and in Remarkup nothing of it is live, nothing of it is lost, and it fits.

use phabgate::remarkup::{code, code_short};
use phabgate::text::{columns, inert, shorten};

pub(super) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let shown = inert(&text);
    assert!(!super::is_live(&shown), "{shown:?}");
    assert_eq!(undone(&shown), text, "nothing is lost");
    let limit = input.first().map_or(0, |byte| usize::from(*byte) % 60);
    let short = shorten(&text, limit);
    assert!(columns(&short) <= limit && !super::is_live(&short), "{short:?} in {limit}");
    assert!(short == shown || short.is_empty() || short.ends_with('…'), "{short:?}");
    for span in [code(&text), code_short(&text, limit)] {
        if text.is_empty() {
            assert_eq!(span, "(empty)");
            continue;
        }
        let inner =
            span.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or_else(|| panic!("{span:?}"));
        assert!(!inner.is_empty() && !super::is_live(inner), "{span:?}");
        assert!(!inner.contains('`') && !inner.contains("${{{"), "{span:?}");
    }
    assert!(text.is_empty() || undone(code(&text).trim_matches('`')) == text, "nothing is lost");
}

/// The text of what was made inert.
fn undone(shown: &str) -> String {
    let mut out = String::new();
    let mut rest = shown;
    while let Some((before, escape)) = rest.split_once("\\u{") {
        out.push_str(before);
        let (digits, after) = escape.split_once('}').unwrap_or_else(|| panic!("half an escape: {shown:?}"));
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        out.push(character.unwrap_or_else(|| panic!("an escape of nothing: {shown:?}")));
        rest = after;
    }
    out + rest
}
