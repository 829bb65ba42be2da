//! What is wrong with a line that reads as an answer, in words for whoever wrote it.
//!
//! Responsible for naming it. It says nothing of what the line says, so that it can be shown of restricted tasks too. Not responsible
//! for which lines are near misses: what it finds nothing wrong with is still none by the letter.

use super::fold::within_one;
use super::{Form, NearKind, form, is_bidirectional, is_colon, is_dash};
use crate::text::is_hidden;

/// What is wrong with a line that reads as an answer of this kind.
pub(crate) fn flaws(line: &str, kind: NearKind) -> String {
    let mut found: Vec<&str> = Vec::new();
    if line.chars().any(is_bidirectional) {
        found.push("characters that reorder the text around them stand in it");
    } else if line.chars().any(is_hidden) {
        found.push("a character that is not seen stands in it");
    }
    let seen: String = line.chars().filter(|c| !is_hidden(*c)).collect();
    let seen = seen.trim();
    let start = seen.find(char::is_alphanumeric).unwrap_or(seen.len());
    let words = words(seen);
    let key = words.iter().position(|word| is_emergency(word.text));
    let is_number = |word: &FlawWord<'_>| word.text.bytes().all(|byte| byte.is_ascii_digit());
    match &words[..key.unwrap_or(0)] {
        [number] if is_number(number) => found.push("the number of a list stands before it"),
        [] if start > 0 => found.push(before(&seen[..start])),
        [] => {}
        _ => found.push("words stand before it"),
    }
    let Some(at) = key else { return list(&found) };
    let one = joined(words[at].text);
    let (end, word) = match (one, words.get(at + 1)) {
        (Some(second), _) => {
            found.push("the dash after \"Emergency\" is missing");
            (words[at].end, second)
        }
        (None, Some(second)) => {
            if !words[at].text.eq_ignore_ascii_case("emergency") {
                found.push("\"Emergency\" is not spelled so");
            }
            found.extend(between(&seen[words[at].end..second.start]));
            (second.end, second.text)
        }
        (None, None) => return list(&found),
    };
    let expected = match kind {
        NearKind::No => "reject",
        NearKind::Withdraw => "withdraw",
        NearKind::Yes => "approve",
    };
    if kind == NearKind::No && form(&word.to_lowercase()) == Some(Form::Approve) {
        found.push("it says no where the teams of an approval stand");
        return list(&found);
    }
    if !word.eq_ignore_ascii_case(expected) {
        found.push(match kind {
            NearKind::No => "the word of a no is \"Reject\"",
            NearKind::Withdraw => "the word of a withdrawal is \"Withdraw\"",
            NearKind::Yes => "the word of a yes is \"Approve\"",
        });
    }
    found.extend(after(&seen[end..]));
    list(&found)
}

/// A word of a line and where it stands.
struct FlawWord<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn words(line: &str) -> Vec<FlawWord<'_>> {
    let words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let word = |text: &str| text.as_ptr() as usize - line.as_ptr() as usize;
    words.map(|text| FlawWord { text, start: word(text), end: word(text) + text.len() }).collect()
}

/// Whether a word is *emergency* as readers see it, alone or with the next one directly after it.
fn is_emergency(word: &str) -> bool {
    let folded: String = word.chars().filter_map(super::fold::plain).collect();
    within_one(&folded, "emergency") || joined(word).is_some()
}

/// The second word of two that nothing parts.
fn joined(word: &str) -> Option<&str> {
    let fits = |end: &usize| {
        word.is_char_boundary(*end)
            && within_one(&word[..*end].to_lowercase(), "emergency")
            && form(&word[*end..].to_lowercase()).is_some()
    };
    // As it is spelled right first.
    [9, 8, 10, 11, 12].into_iter().filter(|end| *end < word.len()).find(fits).map(|end| &word[end..])
}

/// What stands before the words of a line.
fn before(marks: &str) -> &'static str {
    let first = marks.trim().chars().next();
    match first {
        None => "a blank stands before it",
        Some('-' | '+') => "a list mark stands before it",
        Some('*') if marks.trim_start().starts_with("* ") => "a list mark stands before it",
        Some('#' | '=') if marks.ends_with(' ') => "the mark of a heading or a list stands before it",
        Some('*' | '_' | '/' | '~' | '!') => "marks of emphasis stand around it",
        Some('`' | '#') => "marks of code stand around it",
        Some('"' | '\'' | '“' | '”' | '„' | '«' | '»' | '‘' | '‚') => "quotation marks stand around it",
        Some('|') => "it stands in a table",
        Some('[') => "a box stands before it",
        Some('>') => "a mark of quotation stands before it",
        Some(_) => "something else stands before it on its line",
    }
}

/// What is wrong with what parts the two words of a key.
fn between(gap: &str) -> Option<&'static str> {
    match gap {
        "-" => None,
        gap if gap.chars().all(char::is_whitespace) => Some("a blank stands where \"-\" belongs"),
        gap if gap.contains('_') => Some("\"_\" stands where \"-\" belongs"),
        gap if gap.chars().all(is_dash) => Some("another dash stands where \"-\" belongs"),
        _ => Some("something else stands where \"-\" belongs"),
    }
}

/// What is wrong with what follows a key.
fn after(rest: &str) -> Option<&'static str> {
    let rest = rest.trim_start();
    let mark = rest.trim_start_matches(['*', '_', '`', '~']).trim_start();
    match mark.chars().next() {
        Some(':') if !rest.starts_with(':') => Some("marks stand before its colon"),
        Some(':') => {
            let value = mark[1..].trim();
            (!value.chars().any(char::is_alphanumeric)).then_some("no team stands after its colon")
        }
        Some(c) if is_colon(c) => Some("another colon stands where \":\" belongs"),
        Some('=' | ';' | '-' | ',') => Some("another mark stands where \":\" belongs"),
        _ => Some("the colon after it is missing"),
    }
}

fn list(found: &[&str]) -> String {
    match found {
        [] => "it does not begin at the start of its line".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{}, and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (line, flaw) in [
            ("- Emergency-Approve: sre", "a list mark stands before it"),
            ("1. Emergency-Approve: sre", "the number of a list stands before it"),
            ("= Emergency-Approve: sre", "the mark of a heading or a list stands before it"),
            ("**Emergency-Approve: sre**", "marks of emphasis stand around it"),
            ("`Emergency-Approve: sre`", "marks of code stand around it"),
            ("\"Emergency-Approve: sre\"", "quotation marks stand around it"),
            ("| Emergency-Approve: sre |", "it stands in a table"),
            ("[ ] Emergency-Approve: sre", "a box stands before it"),
            ("✅ Emergency-Approve: sre", "something else stands before it on its line"),
            ("I say Emergency-Approve: sre", "words stand before it"),
            ("Emergency-Approve: sre", "it does not begin at the start of its line"),
            ("Emergancy-Approve: sre", "\"Emergency\" is not spelled so"),
            ("Еmеrgеncy-Approve: sre", "\"Emergency\" is not spelled so"),
            ("Emergency\u{200b}-Approve: sre", "a character that is not seen stands in it"),
            ("\u{202e}Emergency-Approve: sre", "characters that reorder the text around them stand in it"),
            ("Emergency Approve: sre", "a blank stands where \"-\" belongs"),
            ("Emergency_Approve: sre", "\"_\" stands where \"-\" belongs"),
            ("Emergency–Approve: sre", "another dash stands where \"-\" belongs"),
            ("emergencyapprove: sre", "the dash after \"Emergency\" is missing"),
            ("Emergency-Approved: sre", "the word of a yes is \"Approve\""),
            ("Emergency-Approve sre", "the colon after it is missing"),
            ("Emergency-Approve= sre", "another mark stands where \":\" belongs"),
            ("Emergency-Approve： sre", "another colon stands where \":\" belongs"),
            ("**Emergency-Approve**: sre", "marks of emphasis stand around it, and marks stand before its colon"),
            ("- Emergency-Approve:", "a list mark stands before it, and no team stands after its colon"),
            ("emergency approve", "a blank stands where \"-\" belongs, and the colon after it is missing"),
        ] {
            assert_eq!(flaws(line, NearKind::Yes), flaw, "{line}");
        }
        for (line, flaw) in [
            ("Emergency-Deny: sre", "the word of a no is \"Reject\""),
            ("Emergency-Eject: sre", "the word of a no is \"Reject\""),
            ("Emergency-Approve: no", "it says no where the teams of an approval stand"),
        ] {
            assert_eq!(flaws(line, NearKind::No), flaw, "{line}");
        }
        assert_eq!(flaws("Emergency-Withdrawn: sre", NearKind::Withdraw), "the word of a withdrawal is \"Withdraw\"");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_line_says_is_repeated(
            line in ".{0,20}(Emerg[eé]ncy)?[-–_ ]{0,2}(approve|Reject|withdrawn)?[éя語]{0,20}",
        ) {
            for kind in [NearKind::No, NearKind::Withdraw, NearKind::Yes] {
                proptest::prop_assert!(flaws(&line, kind).is_ascii());
            }
        }
    }
}
