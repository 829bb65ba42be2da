//! A line as a person reads it: its words, and what stands between them.
//!
//! Responsible for taking off what readers look past (marks of lists and headings, emphasis, backticks, quotation marks,
//! emoji, characters that are not seen) and for writing alike what looks alike (dashes, blanks, colons, letters of
//! other alphabets). Not responsible for what the words say.

use crate::text::is_hidden;

/// A part of a folded line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FoldPart {
    /// Letters and digits, in lower case.
    Word(String),
    /// One or several blanks.
    Blank,
    /// A dash of any kind.
    Dash,
    /// A colon of any kind, or `=`.
    Colon,
    /// A semicolon.
    Semicolon,
    /// `_`.
    Underscore,
    /// Anything else of ASCII.
    Other(char),
}

/// The parts of a line, without the marks at its start.
pub(super) fn fold(line: &str) -> Vec<FoldPart> {
    let mut parts: Vec<FoldPart> = Vec::new();
    for c in line.chars() {
        let part = match plain(c) {
            Some(letter) => {
                match parts.last_mut() {
                    Some(FoldPart::Word(word)) => word.push(letter),
                    _ => parts.push(FoldPart::Word(letter.into())),
                }
                continue;
            }
            None if c.is_whitespace() => FoldPart::Blank,
            None if is_hidden(c) => continue,
            None => match c {
                '-'
                | '\u{2010}'..='\u{2015}'
                | '\u{2212}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}' => FoldPart::Dash,
                ':' | '=' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' | '\u{ff1a}' | '\u{ff1d}' => {
                    FoldPart::Colon
                }
                ';' | '\u{37e}' | '\u{ff1b}' => FoldPart::Semicolon,
                '_' | '\u{ff3f}' => FoldPart::Underscore,
                '\u{ff1f}' | '\u{61f}' => FoldPart::Other('?'),
                '*' | '~' | '`' | '"' | '\'' => continue,
                c if c.is_ascii() => FoldPart::Other(c),
                c if c.is_alphanumeric() => {
                    // A letter of another alphabet, which is part of a word and of none that is looked for.
                    match parts.last_mut() {
                        Some(FoldPart::Word(word)) => word.extend(c.to_lowercase()),
                        _ => parts.push(FoldPart::Word(c.to_lowercase().collect())),
                    }
                    continue;
                }
                // Accents stand on the letter before them; emoji and quotation marks are looked past.
                _ => continue,
            },
        };
        if part != FoldPart::Blank || parts.last() != Some(&FoldPart::Blank) {
            parts.push(part);
        }
    }
    let start = start(&parts);
    parts.drain(..start);
    parts
}

/// The letter that readers see, where it is one of the Latin alphabet or a digit, in lower case.
pub(super) fn plain(c: char) -> Option<char> {
    let c = match c {
        // Full width.
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c)
        }
        'а' | 'А' => 'a',
        'е' | 'Е' | 'ё' | 'é' | 'è' | 'ê' | 'É' | 'ε' => 'e',
        'о' | 'О' | 'ο' | 'Ο' => 'o',
        'р' | 'Р' | 'ρ' => 'p',
        'с' | 'С' | 'ç' => 'c',
        'у' | 'У' => 'y',
        'м' | 'М' => 'm',
        'т' | 'Т' => 't',
        'г' => 'r',
        'ј' => 'j',
        'ѵ' | 'ν' => 'v',
        'ѡ' => 'w',
        'ı' | 'і' | 'І' | 'ɩ' => 'i',
        _ => c,
    };
    c.is_ascii_alphanumeric().then(|| c.to_ascii_lowercase())
}

/// Where the words begin, after the marks of quotes, lists, headings, tables and boxes.
fn start(parts: &[FoldPart]) -> usize {
    let mut at = 0;
    loop {
        at += match &parts[at..] {
            [FoldPart::Word(number), FoldPart::Other('.' | ')'), FoldPart::Blank, ..]
                if number.bytes().all(|b| b.is_ascii_digit()) =>
            {
                3
            }
            [FoldPart::Other('['), FoldPart::Word(mark), FoldPart::Other(']'), FoldPart::Blank, ..]
                if mark.chars().count() == 1 =>
            {
                4
            }
            [FoldPart::Word(_), ..] | [] => return at,
            [_, ..] => 1,
        }
    }
}

/// Whether a text may hold the word *emergency*, perhaps misspelt by one letter. Told by half of it, which most texts do not hold.
pub(super) fn may_hold(text: &str) -> bool {
    if !text.is_ascii() {
        // What is not seen, and what only looks like a letter, may stand within the word.
        let seen: String = text.chars().filter_map(|c| plain(c).or_else(|| c.is_whitespace().then_some(' '))).collect();
        return holds(seen.as_bytes());
    }
    holds(text.as_bytes())
        || (text.contains(['*', '~', '`', '"', '\'']) && {
            let bare: String = text.chars().filter(|c| !matches!(c, '*' | '~' | '`' | '"' | '\'')).collect();
            holds(bare.as_bytes())
        })
        || (text.bytes().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) && {
            let seen: String = text.chars().filter(|c| !c.is_ascii_control() || c.is_whitespace()).collect();
            holds(seen.as_bytes())
        })
}

/// Looked for by its rarest letter: each half has a `g`, or an `m` before an `e`.
fn holds(text: &[u8]) -> bool {
    text.windows(4).any(|window| {
        // `emer`, `gency`, and `emegrency`, where both halves are touched.
        match window[0] | 0x20 {
            b'e' => window.eq_ignore_ascii_case(b"emer") || window.eq_ignore_ascii_case(b"emeg"),
            b'g' => window.eq_ignore_ascii_case(b"genc"),
            _ => false,
        }
    })
}

/// Whether two words are the same but for one letter: wrong, missing, too many, or changed with its neighbour.
pub(super) fn within_one(word: &str, base: &str) -> bool {
    if word.is_ascii() && base.is_ascii() {
        return are_within_one(word.as_bytes(), base.as_bytes());
    }
    let (word, base): (Vec<char>, Vec<char>) = (word.chars().collect(), base.chars().collect());
    are_within_one(&word, &base)
}

fn are_within_one<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[before..], &b[before..]);
    match (a, b) {
        ([], []) => true,
        ([_, rest @ ..], [_, other @ ..]) if rest == other => true,
        ([_, rest @ ..], _) if rest == b => true,
        (_, [_, other @ ..]) if a == other => true,
        ([a1, a2, rest @ ..], [b1, b2, other @ ..]) => a1 == b2 && a2 == b1 && rest == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> String {
        let word = |part: &FoldPart| match part {
            FoldPart::Word(word) => word.clone(),
            FoldPart::Blank => " ".into(),
            FoldPart::Dash => "-".into(),
            FoldPart::Colon => ":".into(),
            FoldPart::Semicolon => ";".into(),
            FoldPart::Underscore => "_".into(),
            FoldPart::Other(c) => c.to_string(),
        };
        fold(line).iter().map(word).collect()
    }

    #[test]
    fn what_readers_look_past_is_taken_off() {
        for line in [
            "**Emergency-Reject: sre**",
            " Emergency-Reject: sre",
            "- Emergency-Reject: sre",
            "1. Emergency-Reject: sre",
            "[x] Emergency-Reject: sre",
            "== Emergency-Reject: sre",
            "| Emergency-Reject: sre",
            "`Emergency-Reject: sre`",
            "“Emergency-Reject: sre”",
            "🚫 Emergency-Reject: sre",
            "Emer\u{200b}gency-Reject: sre",
            "Emergency–Reject：\u{a0}sre",
            "Ｅmergency-Reject= sre",
            "Еmеrgеncy-Reject: sre",
            "E**mergency**-Re~~ject: sre",
        ] {
            assert_eq!(words(line), "emergency-reject: sre", "{line}");
            assert!(may_hold(line), "{line}");
        }
    }

    #[test]
    fn one_letter_may_be_wrong() {
        for word in ["emergency", "emergancy", "emergncy", "emmergency", "emregency", "xmergency", "emergencyx"] {
            assert!(within_one(word, "emergency"), "{word}");
        }
        for word in ["emergenc", "emegrency", "mergency", "emerency", "emergencz"] {
            assert!(may_hold(&format!("{word}-reject")), "{word}");
        }
        for word in ["emergent", "merge", "emergencies", ""] {
            assert!(!within_one(word, "emergency"), "{word}");
        }
        assert!(!may_hold("We merge the change and remember the agents' page."));
    }
}
