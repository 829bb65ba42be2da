//! Writing statements into a text, so that they are read back as they were meant.
//!
//! Responsible for the new text of a description, as a pure function. What is stated already is replaced where it
//! stands, the rest becomes a paragraph of trailers; every other byte stays. Not responsible for what is to be stated.

use super::trailers::{self, Key};
use crate::remarkup::own_lines;
use crate::text::{inert, is_hidden};

/// The text with these statements in force in it; `None` where that cannot be done without changing what else it says,
/// or where a value is no line that reads back.
///
/// ```
/// use phabgate::evidence::restate::restate;
/// use phabgate::evidence::trailers::Key;
/// let said = [(Key::Reason, "abuse - a scraper".to_owned())];
/// assert_eq!(restate("Help.", &said).as_deref(), Some("Help.\n\nEmergency-Reason: abuse - a scraper"));
/// assert_eq!(
///     restate("emergency-reason: security\r\nHelp.", &said).as_deref(),
///     Some("emergency-reason: abuse - a scraper\r\nHelp.")
/// );
/// ```
pub fn restate(text: &str, statements: &[(Key, String)]) -> Option<String> {
    let mut replaced = text.to_owned();
    let mut missing = Vec::new();
    for (key, value) in statements {
        match standing(&replaced, *key) {
            Some((_, stands)) if stands == value => {}
            Some((from, stands)) => {
                let colon = &replaced[..from + stands.len()];
                let after = &replaced[from + stands.len()..];
                let before = &colon[..from];
                let space = if before.ends_with(':') { " " } else { "" };
                replaced = format!("{before}{space}{value}{after}");
            }
            None => missing.push(format!("{}: {value}", key.name())),
        }
    }
    let candidates = match missing.as_slice() {
        [] => vec![replaced],
        // Behind a block that is not closed nothing is read: then they come first.
        missing => vec![appended(&replaced, missing), prepended(&replaced, missing)],
    };
    candidates.into_iter().find(|new| states(new, statements) && others(text, statements) == others(new, statements))
}

/// How the line of a description begins that the gate puts there for approvers.
const INSTRUCTIONS: &str = "To approve this emergency deploy, comment \"Emergency-Approve: TEAM\", alone on a line and without the \
                            quotation marks. TEAM is yours of ";

/// What approvers have to write, as a line of a description, where these are the keys of the teams. What is quoted in it is no
/// line of its own: whoever answers by mail with the description below their words approves nothing by that.
pub(crate) fn instructions<'a>(teams: impl Iterator<Item = &'a str>) -> String {
    format!("{INSTRUCTIONS}{}.", teams.map(inert).collect::<Vec<_>>().join(", "))
}

/// Whether a line is what the gate puts there, word for word, with teams that `is_team` knows: what reads as a yes in it is
/// nobody's. With anything else in it the line is somebody's.
pub(crate) fn is_instructions(line: &str, is_team: impl Fn(&str) -> bool) -> bool {
    let teams = line.strip_prefix(INSTRUCTIONS).and_then(|rest| rest.strip_suffix('.'));
    teams.is_some_and(|teams| teams.split(", ").all(is_team))
}

/// The text with the instructions in it, once: they take the place of those for other teams, else they come last, in a paragraph of
/// their own. `None` where that changes nothing, where somebody wrote into that line, or where it would change what the text states.
pub(crate) fn noted(text: &str, line: &str) -> Option<String> {
    let end = line_end(text);
    let looks_like_a_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
    let own: Vec<&str> = own_lines(text).collect();
    let new = match own.iter().find(|own| is_instructions(own, looks_like_a_key)) {
        Some(earlier) => {
            // Both are slices of the same text.
            let from = earlier.as_ptr() as usize - text.as_ptr() as usize;
            format!("{}{line}{}", &text[..from], &text[from + earlier.len()..])
        }
        // Somebody's words stand in it, or it is quoted: nobody's text is written over.
        None if text.contains(INSTRUCTIONS) => return None,
        None if text.trim().is_empty() => line.to_owned(),
        None => format!("{}{end}{end}{line}", text.trim_end_matches(['\r', '\n'])),
    };
    let same = |key: &Key| trailers::stated(text, *key) == trailers::stated(&new, *key);
    (new != text && Key::ALL.iter().all(same)).then_some(new)
}

/// A text as the value of a trailer: one line, no character that is not seen, nobody mentioned and no file attached.
///
/// ```
/// use phabgate::evidence::restate::one_line;
/// assert_eq!(one_line(" 5xx on\r\n every page, @alice {F1} "), "5xx on every page, alice { F1}");
/// ```
pub fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let mut line = String::with_capacity(visible.len());
    let mut rest = words.join(" ");
    // A mention grants access where the task's visibility follows its subscribers.
    while let Some(at) = rest.find(['@', '{']) {
        let tail = rest.split_off(at);
        line.push_str(&rest);
        let mut characters = tail.chars();
        let mark = characters.next();
        rest = characters.as_str().to_owned();
        let names = rest.starts_with(|c: char| c.is_alphanumeric());
        let inside = line.ends_with(|c: char| c.is_alphanumeric());
        match mark {
            Some('@') if names && !inside => {}
            Some('{') if names => line.push_str("{ "),
            other => line.extend(other),
        }
    }
    // What was taken away may have stood between two spaces, or joined two marks.
    let line = line + &rest;
    let again = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if again == text { again } else { one_line(&again) }
}

/// The value of the last trailer of a key, trimmed, and where in the text it begins.
fn standing(text: &str, key: Key) -> Option<(usize, &str)> {
    let value = trailers::stated(text, key)?;
    // Both are slices of the same text.
    Some((value.as_ptr() as usize - text.as_ptr() as usize, value))
}

fn states(text: &str, statements: &[(Key, String)]) -> bool {
    statements.iter().all(|(key, value)| trailers::stated(text, *key) == Some(value.as_str()))
}

/// What else the author says in a text.
fn others<'a>(text: &'a str, statements: &[(Key, String)]) -> Vec<&'a str> {
    let stated = |line: &str| statements.iter().any(|(key, _)| trailers::stated(line, *key).is_some());
    own_lines(text).filter(|line| !line.trim().is_empty() && !stated(line)).collect()
}

fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn appended(text: &str, missing: &[String]) -> String {
    let end = line_end(text);
    let mut new = text.to_owned();
    if !new.is_empty() && !new.ends_with('\n') {
        new.push_str(end);
    }
    let last = new.lines().last().unwrap_or_default();
    let is_trailer = Key::ALL.iter().any(|key| trailers::stated(last, *key).is_some());
    if !last.trim().is_empty() && !is_trailer {
        new.push_str(end);
    }
    new + &missing.join(end)
}

fn prepended(text: &str, missing: &[String]) -> String {
    let end = line_end(text);
    format!("{}{end}{end}{text}", missing.join(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(key: Key, value: &str) -> Vec<(Key, String)> {
        vec![(key, value.to_owned())]
    }

    fn reason(text: &str) -> String {
        restate(text, &said(Key::Reason, "abuse - x")).unwrap()
    }

    #[test]
    fn what_is_not_there_becomes_the_last_paragraph() {
        assert_eq!(reason(""), "Emergency-Reason: abuse - x");
        assert_eq!(reason("Help."), "Help.\n\nEmergency-Reason: abuse - x");
        assert_eq!(reason("Help.\n"), "Help.\n\nEmergency-Reason: abuse - x");
        assert_eq!(reason("Help.\n\n"), "Help.\n\nEmergency-Reason: abuse - x");
        assert_eq!(reason("One.\r\nTwo."), "One.\r\nTwo.\r\n\r\nEmergency-Reason: abuse - x");
        assert_eq!(
            reason("Help.\n\nEmergency-Action: fix"),
            "Help.\n\nEmergency-Action: fix\nEmergency-Reason: abuse - x"
        );
        let both = [(Key::Reason, "abuse".to_owned()), (Key::Deployer, "alice".to_owned())];
        assert_eq!(
            restate("Help.", &both).as_deref(),
            Some("Help.\n\nEmergency-Reason: abuse\nEmergency-Deployer: alice")
        );
    }

    #[test]
    fn what_is_there_is_replaced_where_it_stands() {
        assert_eq!(reason("EMERGENCY-REASON:security\nMore."), "EMERGENCY-REASON: abuse - x\nMore.");
        assert_eq!(reason("a\r\nEmergency-Reason :  b  \r\nc"), "a\r\nEmergency-Reason :  abuse - x  \r\nc");
        assert_eq!(reason("Emergency-Reason:\nMore."), "Emergency-Reason: abuse - x\nMore.");
        // The last one is in force.
        assert_eq!(
            reason("Emergency-Reason: a\nEmergency-Reason: b"),
            "Emergency-Reason: a\nEmergency-Reason: abuse - x"
        );
    }

    #[test]
    fn what_is_quoted_or_code_is_left_alone() {
        for quoted in ["> Emergency-Reason: b", "```\nEmergency-Reason: b\n```", "  Emergency-Reason: b"] {
            assert_eq!(reason(quoted), format!("{quoted}\n\nEmergency-Reason: abuse - x"));
        }
    }

    #[test]
    fn behind_a_block_that_is_not_closed_they_come_first() {
        assert_eq!(
            reason("Look:\n```\nEmergency-Reason: b"),
            "Emergency-Reason: abuse - x\n\nLook:\n```\nEmergency-Reason: b"
        );
    }

    #[test]
    fn what_cannot_be_stated_in_a_line_is_refused() {
        assert_eq!(restate("", &said(Key::Reason, "two\nlines")), None);
        assert_eq!(restate("", &said(Key::Reason, " spaces ")), None);
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~äß語]{0,20}",
            Just(String::new()),
            prop::sample::select(vec![
                "```",
                "%%%",
                "> quoted",
                "  code",
                "- item",
                "# head",
                "---",
                "NOTE: x",
                "| a |",
                "<table>",
                "</table>",
                "cowsay {{{",
                "}}}",
                "Emergency-Reason: security - old",
                "emergency-action:fix",
                "Emergency-Change: 1 ",
                "> Emergency-Reason: quoted",
                "Emergency-Approve: sre",
                "Emergency-Reason:",
            ])
            .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_all_else_stays(
            lines in prop::collection::vec(line(), 0..8),
            crlf: bool,
            value in "[a-z][ -~]{0,20}[a-z]",
            other in "[a-z0-9]{1,8}",
        ) {
            let text = lines.join(if crlf { "\r\n" } else { "\n" });
            let said = [(Key::Reason, one_line(&value)), (Key::Change, other)];
            // It is refused only where a value, or its loss, ends a block or a mark.
            let Some(new) = restate(&text, &said) else {
                let marks = ['{', '}', '[', ']', '(', ')', '#', '~', '`'];
                prop_assert!(text.contains(marks) || value.contains(marks) || text.contains("</table>") || value.contains("</table>") || text.contains("}}}"), "{text:?}");
                return Ok(());
            };
            prop_assert!(states(&new, &said));
            prop_assert_eq!(others(&text, &said), others(&new, &said));
            let again = restate(&new, &said);
            prop_assert_eq!(again.as_deref(), Some(new.as_str()));
            // Every line that is no trailer of what is stated is there, in order, byte for byte.
            let is_stated = |line: &&str| ["emergency-reason", "emergency-change"].iter().any(|key| line.to_lowercase().starts_with(key));
            let kept = |text: &str| -> Vec<String> {
                let lines = text.split('\n').filter(|line| !is_stated(line) && !line.trim().is_empty());
                lines.map(|line| line.trim_end_matches('\r').to_owned()).collect()
            };
            prop_assert_eq!(kept(&text), kept(&new));
        }

        #[test]
        fn a_value_is_one_line_and_stays_as_it_is(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(!line.chars().any(is_hidden));
            prop_assert_eq!(line.trim(), line.as_str());
            prop_assert_eq!(one_line(&line), line);
        }
    }
}
