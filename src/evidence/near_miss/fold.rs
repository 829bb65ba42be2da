//! A line as a person reads it: its words, and what stands between them.
//!
//! Responsible for taking off what readers look past (marks of lists and headings, emphasis, backticks, quotation marks,
//! emoji, characters that are not seen) and for writing alike what looks alike (dashes, blanks, colons, letters of
//! other alphabets). What is taken off inside of a word joins it for one reader and parts it for another
//! (`Emergency-Re**ject**`, `No**Emergency-Reject**`): the word keeps where it was. Not responsible for what the words say.

use crate::text::is_hidden;

/// A part of a folded line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FoldPart {
    /// Letters and digits, in lower case.
    Word(FoldedWord),
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

/// A word of a folded line.
#[derive(Debug, Clone, Default)]
pub(super) struct FoldedWord {
    /// Its letters.
    pub(super) text: String,
    /// The bytes before which something was taken off.
    seams: Vec<usize>,
}

/// Two words are the same that read the same.
impl PartialEq for FoldedWord {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for FoldedWord {}

impl FoldedWord {
    /// The length in bytes beyond which no word is a form.
    pub(super) const LONGEST: usize = 32;

    /// Where a reader may see a word begin: at its first letter, and after what was taken off.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        std::iter::once(0).chain(self.seams.iter().copied())
    }

    /// What a reader may see as a word from `start` on: all of it, and up to what was taken off. What is longer than any form is
    /// left out.
    pub(super) fn pieces(&self, start: usize) -> impl Iterator<Item = &str> {
        let after = self.seams.partition_point(|seam| *seam <= start);
        let ends = self.seams[after..].iter().copied().chain([self.text.len()]);
        ends.take_while(move |end| end - start <= Self::LONGEST).filter_map(move |end| self.text.get(start..end))
    }
}

/// The parts of a line, without the marks at its start.
pub(super) fn fold(line: &str) -> Vec<FoldPart> {
    let mut folded = Folded::default();
    let mut before = None;
    // Of a run of one character that marks emphasis where it is doubled.
    let mut emphasizes = false;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        // Between letters it is part of a path or a name: `emergency__rejects__total`.
        if marks_doubled(c) && before != Some(c) {
            let run = rest.clone().take_while(|next| *next == c).count();
            let inside =
                before.is_some_and(char::is_alphanumeric) && rest.clone().nth(run).is_some_and(char::is_alphanumeric);
            emphasizes = run > 0 && !inside;
        }
        let doubled = marks_doubled(c) && emphasizes;
        before = Some(c);
        let part = match plain(c) {
            // On a key, which is an emoji.
            Some(_) if rest.clone().find(|next| *next != '\u{fe0f}') == Some('\u{20e3}') => {
                folded.taken_off = true;
                continue;
            }
            Some(letter) => {
                folded.letters(std::iter::once(letter));
                continue;
            }
            None if c.is_whitespace() => FoldPart::Blank,
            None if is_hidden(c) || doubled => {
                folded.taken_off = true;
                continue;
            }
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
                c if c.is_ascii() && !marks_alone(c) => FoldPart::Other(c),
                // Letters that are signs: of information, of a car park, in a circle.
                '\u{2100}'..='\u{214f}' | '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}' => {
                    folded.taken_off = true;
                    continue;
                }
                // A letter of another alphabet, which is part of a word and of none that is looked for.
                c if c.is_alphanumeric() => {
                    folded.letters(c.to_lowercase());
                    continue;
                }
                // Accents stand on the letter before them; emoji and quotation marks are looked past.
                _ => {
                    folded.taken_off = true;
                    continue;
                }
            },
        };
        if part != FoldPart::Blank || folded.parts.last() != Some(&FoldPart::Blank) {
            folded.parts.push(part);
        }
    }
    let start = start(&folded.parts);
    folded.parts.drain(..start);
    folded.parts
}

/// Whether a character of ASCII is looked past wherever it stands: emphasis, code, quotation marks.
fn marks_alone(c: char) -> bool {
    matches!(c, '*' | '~' | '`' | '"' | '\'')
}

/// Whether a character marks emphasis or code where it is doubled: `//`, `!!`, `##`, `__`.
fn marks_doubled(c: char) -> bool {
    matches!(c, '/' | '!' | '#' | '_')
}

/// A line as far as it is folded.
#[derive(Default)]
struct Folded {
    parts: Vec<FoldPart>,
    /// Something was taken off since the last letter.
    taken_off: bool,
}

impl Folded {
    fn letters(&mut self, letters: impl Iterator<Item = char>) {
        match self.parts.last_mut() {
            Some(FoldPart::Word(word)) => {
                if self.taken_off {
                    word.seams.push(word.text.len());
                }
                word.text.extend(letters);
            }
            _ => self.parts.push(FoldPart::Word(FoldedWord { text: letters.collect(), seams: Vec::new() })),
        }
        self.taken_off = false;
    }
}

/// The letter that readers see, where it is one of the Latin alphabet or a digit, in lower case.
pub(super) fn plain(c: char) -> Option<char> {
    let c = match c {
        // Bold, italic and the like of mathematics, 26 letters of either case after the other.
        '\u{1d400}'..='\u{1d6a3}' => {
            let (first, nth) = (b"Aa", (u32::from(c) - 0x1d400) % 52);
            char::from(first[(nth / 26) as usize] + (nth % 26) as u8)
        }
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
                if number.text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                3
            }
            [FoldPart::Other('['), FoldPart::Word(mark), FoldPart::Other(']'), FoldPart::Blank, ..]
                if mark.text.chars().count() == 1 =>
            {
                4
            }
            [FoldPart::Word(_), ..] | [] => return at,
            [_, ..] => 1,
        }
    }
}

/// Whether a text may hold the word *emergency*, perhaps misspelt by one letter. Found by half of it, which most texts
/// do not hold.
pub(super) fn may_hold(text: &str) -> bool {
    if text.is_ascii() {
        // Marks of emphasis, quotation marks and what is not seen may stand within the word.
        let looked_past = |byte: &u8| {
            let mark = char::from(*byte);
            marks_alone(mark) || marks_doubled(mark) || (mark.is_ascii_control() && !mark.is_ascii_whitespace())
        };
        return holds(text.bytes().filter(|byte| !looked_past(byte)));
    }
    // So may what only looks like a letter.
    let seen = text.chars().filter_map(|c| plain(c).or_else(|| c.is_whitespace().then_some(' ')));
    holds(seen.filter_map(|c| u8::try_from(c).ok()))
}

/// Looked for by its rarest letter: each half has a `g`, or an `m` before an `e`.
fn holds(text: impl Iterator<Item = u8>) -> bool {
    const fn half(half: [u8; 4]) -> u32 {
        u32::from_be_bytes(half)
    }
    // `emer`, `gency`, and `emegrency`, where both halves are touched.
    const HALVES: [u32; 3] = [half(*b"emer"), half(*b"emeg"), half(*b"genc")];
    let mut last_four = 0_u32;
    text.into_iter().any(|byte| {
        last_four = (last_four << 8) | u32::from(byte.to_ascii_lowercase());
        HALVES.contains(&last_four)
    })
}

/// Whether two words are the same but for one letter: wrong, missing, too many, or changed with its neighbour.
pub(super) fn within_one(word: &str, base: &str) -> bool {
    // No character is longer than four bytes.
    if word.len() > 4 * (base.len() + 1) {
        return false;
    }
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
            FoldPart::Word(word) => word.text.clone(),
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
            "Emergency-//Reject//: sre",
            "!!Emergency!!-##Reject##: sre",
            "__Emergency-Reject__: sre",
            "//!!Emergency!!-//##Reject##: sre",
            "ℹ️ Emergency-Reject: sre",
            "1️⃣ Emergency-Reject: sre",
            "🅱️ Emergency-Reject: sre",
            "𝐄𝐦𝐞𝐫𝐠𝐞𝐧𝐜𝐲-𝑅𝑒𝑗𝑒𝑐𝑡: 𝘀𝗿𝗲",
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
