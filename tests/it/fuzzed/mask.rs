//! The mask: no token is left, whatever stands around it, and what is masked once is masked the same again.

use phabgate::record::mask::{MASKED, Mask, quote};
use phabgate::secrets::{CONDUIT_DIGITS, conduit_tokens};

/// A token of Conduit, of the length that the server gives them.
const TOKEN: &str = "api-abcdefghijklmnopqrstuvwxyz23";

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let mask = Mask::default();
    let masked = mask.text(text);
    assert_eq!(mask.text(&masked), masked, "masking is done when it is done");
    holds_no_token(text, &masked);

    let arguments: Vec<String> = text.split(['\0', '\n']).map(str::to_owned).collect();
    let masked = mask.arguments(&arguments);
    assert_eq!(masked.len(), arguments.len(), "an argument stays one");
    assert_eq!(mask.arguments(&masked), masked, "masking is done when it is done: {masked:?}");
    for argument in &masked {
        holds_no_token(text, argument);
        assert_eq!(unquoted(&quote(argument)), *argument, "a shell reads it back");
    }

    // A token between any two halves of the input, where nothing before it makes it the middle of a longer word.
    let half = text.floor_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(half);
    let planted = format!("{before} {TOKEN} {after}");
    assert!(!mask.text(&planted).contains(TOKEN), "a token is left of {planted:?}");
    // The value after an option for one is its own, to its end.
    let value = format!("x1{}", after.replace(['\0', '\n'], " "));
    let line = ["deploy".to_owned(), before.replace(['\0', '\n'], " "), "--password".to_owned(), value.clone()];
    let masked = mask.arguments(&line);
    assert_eq!(masked[3], MASKED, "the value of an option is left of {line:?}");
}

fn holds_no_token(text: &str, masked: &str) {
    assert!(conduit_tokens(masked, CONDUIT_DIGITS).is_empty(), "a token of Conduit is left in {masked:?}");
    for range in conduit_tokens(text, CONDUIT_DIGITS) {
        assert!(!masked.contains(&text[range]), "a token of the input is left in {masked:?}");
    }
}

/// What a POSIX shell makes of one quoted word.
fn unquoted(word: &str) -> String {
    let Some(inner) = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else { return word.to_owned() };
    inner.replace(r"'\''", "'")
}
