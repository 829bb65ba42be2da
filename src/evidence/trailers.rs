//! Trailers, the lines by which people say things to the gate, as in git: `Emergency-Approve: sre`.
//!
//! Responsible for finding them in a text and splitting them into a key and a value, and the value of an answer into
//! teams. Not responsible for whose words count, and for how long.

pub use super::keys::Key;

use super::keys::FAMILY;
use super::mail;
use crate::policy::Policy;
use crate::remarkup::lines;

/// The value of the last trailer of this key in a comment, trimmed; `None` where it has none. What stands below the head
/// of a mail is not its author's word.
///
/// ```
/// use phabgate::evidence::trailers::{Key, last};
/// let text = "> Emergency-Approve: sre\n\nNo, not yet.";
/// assert_eq!(last(text, Key::Approve), None);
/// assert_eq!(last("Fine.\n\nemergency-approve: sre", Key::Approve), Some("sre"));
/// let mail = "No!\n\n-----Original Message-----\nEmergency-Approve: sre";
/// assert_eq!(last(mail, Key::Approve), None);
/// ```
pub fn last(text: &str, key: Key) -> Option<&str> {
    // Most texts hold none, and to find out what Remarkup shows takes its time.
    if !holds(text, key.name()) {
        return None;
    }
    let mut values = values(text, key);
    let value = values.pop()?;
    match mail::quoted_from(text) {
        None => Some(value.1),
        Some(end) => values.into_iter().chain([value]).rev().find(|(at, _)| *at < end).map(|(_, value)| value),
    }
}

/// The value of the last trailer of this key in a description, where a mail may have been pasted above it.
pub fn stated(description: &str, key: Key) -> Option<&str> {
    if !holds(description, key.name()) {
        return None;
    }
    values(description, key).pop().map(|(_, value)| value)
}

/// The trailers of a key in a text: the number of the line, and the value.
fn values(text: &str, key: Key) -> Vec<(usize, &str)> {
    let lines = lines(text).into_iter().enumerate().filter(|(_, line)| line.is_own());
    lines.filter_map(|(at, line)| Some((at, split(line.text, key.name())?))).collect()
}

/// The key and the value of a line that stands where a trailer can stand.
pub(super) fn read(line: &str) -> Option<(Key, &str)> {
    Key::ALL.into_iter().find_map(|key| Some((key, split(line, key.name())?)))
}

/// Whether a text holds the name of a key, in any case. Looked for by its hyphen, which is rare.
fn holds(text: &str, name: &str) -> bool {
    let before = FAMILY.len() - 1;
    let starts = text.match_indices('-').filter_map(|(at, _)| at.checked_sub(before));
    let part = |start: usize| text.as_bytes().get(start..start + name.len());
    starts.filter_map(part).any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
}

fn split<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.split_once(':')?;
    key.trim_end().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// The teams that an answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Teams {
    /// The keys of these teams.
    Named(Vec<String>),
    /// Some part of it names no team of the policy; the text as written.
    NotUnderstood(String),
}

/// Reads `sre, releng`. All of it must be understood: a condition after the team must not pass for a plain yes.
pub fn teams_of_approval(value: &str, policy: &Policy) -> Teams {
    named_teams(value, policy).map_or_else(|| Teams::NotUnderstood(value.to_owned()), Teams::Named)
}

/// Reads `sre, releng - why`; returns the teams and why.
pub fn teams_of_refusal<'a>(value: &'a str, policy: &Policy) -> (Teams, &'a str) {
    let separators = value.char_indices().filter(|(_, c)| matches!(c, '-' | '–' | '—' | ':'));
    let ends = std::iter::once((value.len(), 0)).chain(separators.map(|(at, c)| (at, c.len_utf8())));
    let mut fits = ends.filter_map(|(at, width)| {
        let why = value.get(at + width..).unwrap_or_default();
        named_teams(&value[..at], policy).map(|teams| (at, Teams::Named(teams), why.trim()))
    });
    // The longest list that is understood: a hyphen may be part of a team's name.
    let first = fits.next();
    match first.into_iter().chain(fits).max_by_key(|(at, ..)| *at) {
        Some((_, teams, why)) => (teams, bare(why)),
        None => (Teams::NotUnderstood(value.to_owned()), ""),
    }
}

/// A text without the backticks around all of it: so `reject` writes it, to make it inert.
fn bare(text: &str) -> &str {
    let inside = text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inside.filter(|inside| !inside.is_empty() && !inside.contains('`')).unwrap_or(text)
}

fn named_teams(list: &str, policy: &Policy) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    for word in list.split(',') {
        let key = &policy.team_named(word)?.key;
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::built_in;

    #[test]
    fn the_last_of_its_kind_wins() {
        let text = "Emergency-Reason: abuse\nEmergency-Approve: sre\nEmergency-Reason: security - x\n";
        assert_eq!(last(text, Key::Reason), Some("security - x"));
        assert_eq!(last(text, Key::Reject), None);
    }

    #[test]
    fn keys_are_of_any_case_and_start_at_column_0() {
        assert_eq!(last("EMERGENCY-APPROVE:sre\r\n", Key::Approve), Some("sre"));
        assert_eq!(last("Emergency-Approve : sre", Key::Approve), Some("sre"));
        assert_eq!(last(" Emergency-Approve: sre", Key::Approve), None);
        assert_eq!(last("I say Emergency-Approve: sre", Key::Approve), None);
        assert_eq!(last("Emergency-Approve sre", Key::Approve), None);
    }

    #[test]
    fn an_approval_with_any_part_that_is_not_understood_names_no_team() {
        let policy = built_in();
        assert_eq!(teams_of_approval("sre, RelEng", &policy), Teams::Named(vec!["sre".into(), "releng".into()]));
        for value in ["", "sre,", "sre and releng", "sre - but only after the backup", "sre, dba", "*"] {
            assert_eq!(teams_of_approval(value, &policy), Teams::NotUnderstood(value.into()));
        }
    }

    #[test]
    fn a_refusal_may_say_why() {
        let policy = built_in();
        let named = |keys: &[&str]| Teams::Named(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(
            teams_of_refusal("sre - takes the databases down", &policy),
            (named(&["sre"]), "takes the databases down")
        );
        assert_eq!(teams_of_refusal("sre, releng", &policy), (named(&["sre", "releng"]), ""));
        assert_eq!(teams_of_refusal("release-engineering: no", &policy), (named(&["releng"]), "no"));
        assert_eq!(teams_of_refusal("sre: too risky - wait", &policy), (named(&["sre"]), "too risky - wait"));
        assert_eq!(teams_of_refusal("sre - `too risky`", &policy), (named(&["sre"]), "too risky"));
        assert_eq!(teams_of_refusal("sre - `a` or `b`", &policy), (named(&["sre"]), "`a` or `b`"));
        assert_eq!(teams_of_refusal("no way", &policy), (Teams::NotUnderstood("no way".into()), ""));
        assert_eq!(teams_of_refusal("", &policy), (Teams::NotUnderstood(String::new()), ""));
    }

    #[test]
    fn what_stands_in_a_mark_or_below_a_mail_is_no_trailer() {
        for (before, after) in [("~~a", "b~~"), ("a ##", "b ##"), ("{icon x", "}"), ("[[ /x |", "]]"), ("[a", "](/b)")]
        {
            for key in Key::ALL {
                let text = format!("{before}\n{}: sre\n{after}", key.name());
                assert_eq!((last(&text, key), stated(&text, key)), (None, None), "{text}");
            }
        }
        for key in Key::ALL {
            let text = format!("{}: a\n\nVon: x <x@y>\nAn: z\n\n{0}: b", key.name());
            assert_eq!((last(&text, key), stated(&text, key)), (Some("a"), Some("b")));
        }
    }

    #[test]
    fn a_blank_before_the_colon_may_be_any() {
        assert_eq!(last("Emergency-Approve\u{a0}:\u{2003}sre", Key::Approve), Some("sre"));
    }
}
