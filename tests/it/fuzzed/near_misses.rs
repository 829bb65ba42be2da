//! Near misses: each is a line of the text, what is wrong with it is said without repeating it, and no words around a no
//! take it away.

use phabgate::evidence::trailers::{Key, last};
use phabgate::evidence::{Miss, NearKind};
use phabgate::fuzzing::{lone_approval, near_misses};
use phabgate::remarkup::{LineKind, lines};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let found = near_misses(text, super::policy());
    for near in &found {
        assert!(text.lines().any(|line| line.trim() == near.line), "{near:?} is no line of the text");
        assert!(near.flaws.is_ascii() && !super::is_live(&near.flaws), "{near:?}");
        assert!(near.kind != NearKind::Yes || !near.possible, "a yes is never taken for one here: {near:?}");
        let listed = matches!(near.miss, Miss::Struck | Miss::Sentence | Miss::BesideApproval | Miss::NotLast);
        assert!(!(listed && near.possible), "{near:?}");
    }
    let quoted = super::each_line("> ", text);
    assert!(near_misses(&quoted, super::policy()).is_empty() && lone_approval(&quoted).is_none(), "{quoted}");
    if let Some((line, value)) = lone_approval(text) {
        assert_eq!(text.trim(), line, "an approval that is none by the letter is all that its comment says");
        assert!(!value.is_empty() && value.trim() == value && !value.contains('\n'), "{value:?}");
        assert!(!found.iter().any(|near| near.kind == NearKind::No && near.possible && !reads_as_no(&value)), "{line}");
    }
    // By the letter or not: other words before it and after it leave a no what it is.
    let says_no = |text: &str| {
        let possible = near_misses(text, super::policy()).iter().any(|near| near.possible && near.kind == NearKind::No);
        possible || last(text, Key::Reject).is_some()
    };
    if says_no(text) {
        for (around, before, what) in [
            (format!("I looked at it.\n\n{text}"), 2, "words before a no take it away"),
            (format!("{text}\n\nI looked at it.\n"), 0, "words after a no take it away"),
            (text.replace('\n', "\r\n"), 0, "another end of its lines takes a no away"),
        ] {
            // The server itself shows some lines otherwise with words after them: `#` with nothing but an item below it.
            assert!(says_no(&around) || kinds(&around)[before..kinds(text).len() + before] != kinds(text), "{what}");
        }
    }
}

fn kinds(text: &str) -> Vec<LineKind> {
    lines(text).iter().map(|line| line.kind).collect()
}

/// Whether the value of an approval is itself a no, which makes its line both.
fn reads_as_no(value: &str) -> bool {
    !matches!(
        phabgate::evidence::trailers::teams_of_approval(value, super::policy()),
        phabgate::evidence::trailers::Teams::Named(_)
    )
}
