//! A TOML table, read key by key: what is asked for is taken, and what nobody asked for is an unknown key.
//!
//! Responsible for types of values and the keys of a table, each with its place. Not responsible for which keys there
//! are (see `file`) and how they go together (see `validate`). serde's derive is not used here: its errors know neither
//! the path of a key nor more than the first mistake.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, FilePosition, near};
use crate::text::is_hidden;

/// A value and the place where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: FilePosition,
}

/// A list, and where it and its items stand.
pub(super) type List<T> = Located<Vec<Located<T>>>;

/// A table whose keys are the user's own, in the order of the file.
pub(super) type Names<T> = Located<Vec<(Located<String>, Located<T>)>>;

/// A value that cannot be, and what would be right.
#[derive(Debug)]
pub(super) struct ValueError {
    pub(super) message: String,
    pub(super) help: String,
}

impl ValueError {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// Where mistakes are gathered, so that all of a file are reported at once.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Diagnostic>>);

impl Problems {
    pub(super) fn add(&self, diagnostic: Diagnostic) {
        self.0.borrow_mut().push(diagnostic);
    }

    /// All of them, in the order of the file.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|diagnostic| diagnostic.place.span.start);
        all
    }
}

/// One table of the document, or an absent one, in which nothing is found.
pub(super) struct Section<'a, 'i> {
    path: String,
    table: Option<&'a DeTable<'i>>,
    built_in: bool,
    known: Vec<&'static str>,
    problems: &'a Problems,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn root(table: &'a DeTable<'i>, built_in: bool, problems: &'a Problems) -> Self {
        Self { path: String::new(), table: Some(table), built_in, known: Vec::new(), problems }
    }

    fn place(&self, key: &str, span: std::ops::Range<usize>) -> FilePosition {
        let key = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        FilePosition { key, span, built_in: self.built_in }
    }

    fn take(&mut self, key: &'static str) -> Option<(FilePosition, &'a Spanned<DeValue<'i>>)> {
        self.known.push(key);
        let value = self.table?.get(key)?;
        Some((self.place(key, value.span()), value))
    }

    fn mistyped<T>(&self, place: &FilePosition, value: &DeValue<'_>, wanted: &str) -> Option<T> {
        let message = format!("expected {wanted}, found {}", article(value.type_str()));
        let diagnostic = Diagnostic::new(place, message);
        self.problems.add(match remedy(wanted, value) {
            Some(remedy) => diagnostic.help(remedy),
            None => diagnostic,
        });
        None
    }

    /// Lets keys be that another build reads.
    #[cfg(not(feature = "serve"))]
    pub(super) fn pass_over(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    pub(super) fn problem(&self, diagnostic: Diagnostic) {
        self.problems.add(diagnostic);
    }

    /// A string that `parse` understands, without invisible characters: all of them are shown somewhere.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Option<Located<T>> {
        let (place, value) = self.take(key)?;
        self.read_text(place, value.get_ref(), parse)
    }

    fn read_text<T>(
        &self,
        place: FilePosition,
        value: &DeValue<'_>,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Option<Located<T>> {
        let DeValue::String(text) = value else {
            return self.mistyped(&place, value, "a string");
        };
        match visible(text).and_then(parse) {
            Ok(value) => Some(Located { value, place }),
            Err(wrong) => {
                self.problems.add(Diagnostic::new(&place, wrong.message).help(wrong.help));
                None
            }
        }
    }

    /// A list of strings that `parse` understands, none of them twice.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Option<List<T>> {
        let (place, value) = self.take(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            return self.mistyped(&place, value.get_ref(), "a list of strings");
        };
        let mut items: Vec<Located<T>> = Vec::new();
        let mut whole = true;
        for item in array {
            let at = FilePosition { span: item.span(), ..place.clone() };
            match self.read_text(at, item.get_ref(), &parse) {
                Some(found) if items.iter().any(|other| other.value == found.value) => {
                    self.problems.add(Diagnostic::new(&found.place, "stands twice in the list").help("take one away"));
                    whole = false;
                }
                Some(found) => items.push(found),
                None => whole = false,
            }
        }
        whole.then_some(Located { value: items, place })
    }

    /// A list of strings that may stand in it more than once, as the words of a command do.
    pub(super) fn words<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Option<List<T>> {
        let (place, value) = self.take(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            return self.mistyped(&place, value.get_ref(), "a list of strings");
        };
        let item = |item: &Spanned<DeValue<'_>>| {
            let at = FilePosition { span: item.span(), ..place.clone() };
            self.read_text(at, item.get_ref(), &parse)
        };
        // All of them, so that each mistake is found.
        let items: Vec<_> = array.iter().map(item).collect();
        let items: Option<Vec<_>> = items.into_iter().collect();
        items.map(|value| Located { value, place })
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Located<bool>> {
        let (place, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(value) => Some(Located { value: *value, place }),
            other => self.mistyped(&place, other, "true or false"),
        }
    }

    pub(super) fn count(&mut self, key: &'static str) -> Option<Located<u32>> {
        let (place, value) = self.take(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            return self.mistyped(&place, value.get_ref(), "a whole number");
        };
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Some(Located { value, place }),
            Err(_) => {
                let message = format!("`{}` is not a count", number.as_str());
                self.problems.add(Diagnostic::new(&place, message).help("write a whole number, 1 or more"));
                None
            }
        }
    }

    /// The table of this key; an empty one that is not there where it is missing or no table.
    pub(super) fn section(&mut self, key: &'static str) -> (Option<FilePosition>, Section<'a, 'i>) {
        let taken = self.take(key);
        let table = taken.as_ref().and_then(|(place, value)| self.as_table(place, value.get_ref()));
        let place = taken.filter(|_| table.is_some()).map(|(place, _)| place);
        (place, self.child(key, table))
    }

    /// The tables of a table whose keys are the user's own, in the order of the file.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
    ) -> Option<Located<Vec<(FilePosition, String, Section<'a, 'i>)>>> {
        let (place, entries) = self.entries(key)?;
        let mut found = Vec::new();
        for (at, name, value) in entries {
            let table = self.as_table(&at, value.get_ref());
            let child = self.child(&format!("{key}.{name}"), table);
            found.push((at, name, child));
        }
        Some(Located { value: found, place })
    }

    /// The tables of a list, in its order.
    pub(super) fn items(&mut self, key: &'static str) -> Option<Located<Vec<(FilePosition, Section<'a, 'i>)>>> {
        let (place, value) = self.take(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            return self.mistyped(&place, value.get_ref(), "a list of tables");
        };
        let item = |item: &'a Spanned<DeValue<'i>>| {
            let at = FilePosition { span: item.span(), ..place.clone() };
            let table = self.as_table(&at, item.get_ref());
            (at, self.child(key, table))
        };
        let items = array.iter().map(item).collect();
        Some(Located { value: items, place })
    }

    /// The strings of a table whose keys are the user's own, in the order of the file.
    pub(super) fn names<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Option<Names<T>> {
        let (place, entries) = self.entries(key)?;
        let mut found = Vec::new();
        for (at, name, value) in entries {
            let there = FilePosition { span: value.span(), ..at.clone() };
            if let Some(value) = self.read_text(there, value.get_ref(), &parse) {
                found.push((Located { value: name, place: at }, value));
            }
        }
        Some(Located { value: found, place })
    }

    #[allow(clippy::type_complexity, reason = "a row of a table, used above alone")]
    fn entries(
        &mut self,
        key: &'static str,
    ) -> Option<(FilePosition, Vec<(FilePosition, String, &'a Spanned<DeValue<'i>>)>)> {
        let (place, value) = self.take(key)?;
        let table = self.as_table(&place, value.get_ref())?;
        let mut entries: Vec<_> = table
            .iter()
            .map(|(name, value)| {
                let at = self.place(&format!("{key}.{}", name.get_ref()), name.span());
                (at, name.get_ref().clone().into_owned(), value)
            })
            .collect();
        entries.sort_by_key(|(at, _, _)| at.span.start);
        Some((place, entries))
    }

    fn as_table(&self, place: &FilePosition, value: &'a DeValue<'i>) -> Option<&'a DeTable<'i>> {
        match value {
            DeValue::Table(table) => Some(table),
            other => self.mistyped(place, other, "a table"),
        }
    }

    fn child(&self, key: &str, table: Option<&'a DeTable<'i>>) -> Section<'a, 'i> {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Section { path, table, built_in: self.built_in, known: Vec::new(), problems: self.problems }
    }

    /// Every key that nobody asked for is a mistake: a misspelt one would silently leave the built-in value.
    pub(super) fn finish(self) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter().filter(|(key, _)| !self.known.contains(&key.get_ref().as_ref())) {
            let place = self.place(key.get_ref(), key.span());
            let help = match near(key.get_ref(), self.known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if key.get_ref().contains("password") => {
                    "a password never stands in the configuration: put it into a file of mode 600 and name that in \
                     `password_file`"
                        .to_owned()
                }
                None if key.get_ref().contains("token") => {
                    "a token never stands in the configuration: put it into a file of mode 600 and name that in \
                     PHABGATE_TOKEN_FILE"
                        .to_owned()
                }
                None => format!("known here are {}", listed(&self.known)),
            };
            self.problems.add(Diagnostic::new(&place, "unknown key").help(help));
        }
    }
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// What to write instead, where what stands there is probably the right value in the wrong form.
fn remedy(wanted: &str, value: &DeValue<'_>) -> Option<&'static str> {
    match (wanted, value) {
        ("a string", DeValue::Array(_) | DeValue::Table(_)) => None,
        ("a string", _) => Some("put it in quotes"),
        ("a list of strings", DeValue::String(_)) => Some("put it in brackets: a list may have one item"),
        ("true or false" | "a whole number", DeValue::String(_)) => Some("write it without quotes"),
        _ => None,
    }
}

fn article(kind: &str) -> String {
    match kind {
        "boolean" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        kind if kind.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}

fn visible(text: &str) -> Result<&str, ValueError> {
    match text.chars().find(|c| is_hidden(*c)) {
        Some(c) => Err(ValueError::new(
            format!("holds the invisible character U+{:04X}", u32::from(c)),
            "write it on one line, in characters that can be seen",
        )),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_hide_passes_no_configuration() {
        for hidden in ['\u{ad}', '\u{61c}', '\u{202e}', '\u{200b}', '\u{1b}', '\n', '\u{e0041}'] {
            assert!(visible(&format!("a{hidden}b")).is_err(), "{hidden:?}");
        }
        assert_eq!(visible("Ü 語 a-b").ok(), Some("Ü 語 a-b"));
    }
}
