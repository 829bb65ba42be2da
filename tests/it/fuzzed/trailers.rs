//! Trailers: each is a line of its author's own, on one line, and what is quoted or code holds none.

use phabgate::evidence::trailers::{Key, Teams, last, stated, teams_of_approval, teams_of_refusal};
use phabgate::remarkup::own_lines;

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let shown = [super::each_line("> ", text), super::each_line("  ", text)];
    for key in Key::ALL {
        let (comment, description) = (last(text, key), stated(text, key));
        for value in [comment, description].into_iter().flatten() {
            assert!(value.trim() == value && !value.contains('\n'), "{value:?}");
            let says = |line: &str| {
                let (name, rest) = line.split_once(':').unwrap_or_default();
                name.trim_end().eq_ignore_ascii_case(key.name()) && rest.trim() == value
            };
            assert!(own_lines(text).any(says), "{value:?} of {} stands in no line of its author's", key.name());
        }
        assert!(comment.is_none() || description.is_some(), "a mail takes words away and adds none");
        assert!(shown.iter().all(|text| last(text, key).is_none() && stated(text, key).is_none()), "{}", key.name());
    }
    let understood = |teams: &Teams| match teams {
        Teams::Named(keys) => {
            assert!(!keys.is_empty() && keys.iter().all(|key| super::policy().teams.iter().any(|t| t.key == *key)));
            true
        }
        Teams::NotUnderstood(_) => false,
    };
    // A whole input is a value too.
    let values = Key::ALL.iter().filter_map(|key| last(text, *key)).chain([text]);
    for value in values {
        let approval = teams_of_approval(value, super::policy());
        let (refusal, why) = teams_of_refusal(value, super::policy());
        assert!(value.contains(why), "{why:?} of {value:?}");
        // Whatever names teams for a yes names the same for a no.
        if understood(&approval) {
            assert_eq!((refusal, why), (approval, ""), "{value:?}");
        } else {
            assert_eq!(approval, Teams::NotUnderstood(value.to_owned()));
            understood(&refusal);
        }
    }
}
