//! A text as the words that a shell would make of it, with where each stands.
//!
//! Responsible for quotes, backslashes and for where a command ends. Not responsible for what a word means. Nothing is
//! expanded: a word is what a person sees, without its quotes.

use std::borrow::Cow;
use std::ops::Range;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word<'t> {
    /// The word as its program gets it.
    pub(super) text: Cow<'t, str>,
    /// Where it stands, with its quotes.
    pub(super) range: Range<usize>,
    /// Where each byte of its text stands, where that is not one behind the other. The byte behind an opening quote stands
    /// at the quote.
    places: Option<Vec<usize>>,
    /// Whether a command ends behind it.
    pub(super) ends_command: bool,
}

impl<'t> Word<'t> {
    /// An argument of a command: it is a word whatever is in it.
    pub(super) fn of_argument(text: &'t str, start: usize) -> Self {
        Self { text: Cow::Borrowed(text), range: start..start + text.len(), places: None, ends_command: false }
    }

    /// Where what begins at this byte of its text stands, up to the end of the word; `None` where nothing does.
    pub(super) fn rest(&self, from: usize) -> Option<Range<usize>> {
        (from < self.text.len()).then(|| self.place(&(from..self.text.len())))
    }

    /// Where a part of its text stands.
    pub(super) fn place(&self, part: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| match &self.places {
            Some(places) => places.get(byte).copied().unwrap_or(self.range.end),
            None => (self.range.start + byte).min(self.range.end),
        };
        at(part.start)..at(part.end)
    }
}

/// Splits a text into words.
pub(super) fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut building = Building::default();
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => {
                escaped = false;
                building.push(at, letter);
            }
            (None | Some('"'), '\\') => {
                building.mark(at);
                escaped = true;
            }
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), letter) => building.push(at, letter),
            (None, '\'' | '"') => {
                building.mark(at);
                quote = Some(letter);
            }
            (None, letter) if letter.is_whitespace() || ";|&()`".contains(letter) => {
                words.extend(building.end(text, at));
                let ends = !letter.is_whitespace() || letter == '\n';
                if let Some(last) = words.last_mut().filter(|_| ends) {
                    last.ends_command = true;
                }
            }
            (None, letter) => building.push(at, letter),
        }
    }
    words.extend(building.end(text, text.len()));
    words
}

/// A word that is being read.
#[derive(Default)]
struct Building {
    start: Option<usize>,
    text: String,
    places: Vec<usize>,
    /// Where the quote or backslash stands that the next letter belongs to.
    mark: Option<usize>,
    marked: bool,
}

impl Building {
    fn mark(&mut self, at: usize) {
        self.start.get_or_insert(at);
        self.mark.get_or_insert(at);
        self.marked = true;
    }

    fn push(&mut self, at: usize, letter: char) {
        self.start.get_or_insert(at);
        let place = self.mark.take().unwrap_or(at);
        self.text.push(letter);
        self.places.extend(std::iter::repeat_n(place, letter.len_utf8()));
    }

    fn end<'t>(&mut self, all: &'t str, end: usize) -> Option<Word<'t>> {
        let Self { start, text, places, marked, .. } = std::mem::take(self);
        let range = start?..end;
        let (text, places) = match marked {
            true => (Cow::Owned(text), Some(places)),
            false => (Cow::Borrowed(all.get(range.clone()).unwrap_or_default()), None),
        };
        Some(Word { text, range, places, ends_command: false })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let text = r#"sh -c 'a "b c"' d\ e -p'x y'; "f\"g" h"#;
        let words = split(text);
        let seen: Vec<(&str, bool)> = words.iter().map(|word| (word.text.as_ref(), word.ends_command)).collect();
        let expected = [
            ("sh", false),
            ("-c", false),
            ("a \"b c\"", false),
            ("d e", false),
            ("-px y", true),
            ("f\"g", false),
            ("h", false),
        ];
        assert_eq!(seen, expected);
        let glued = &words[4];
        assert_eq!(&text[glued.rest(2).unwrap()], "'x y'");
    }

    proptest! {
        #[test]
        fn a_word_stands_where_it_says(text in r#"[a-c'" \\;ü]{0,24}"#) {
            for word in split(&text) {
                prop_assert!(text.get(word.range.clone()).is_some());
                for (from, _) in word.text.char_indices() {
                    prop_assert!(text.get(word.rest(from).unwrap()).is_some());
                }
            }
        }
    }
}
