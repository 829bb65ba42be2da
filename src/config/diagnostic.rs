//! What is wrong with a configuration file, shown at the place where it stands.
//!
//! Responsible for one diagnostic, the report of all that one file has, and how they are drawn. Not responsible for
//! what makes a value wrong.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use strsim::osa_distance;

use crate::secrets;
use crate::text::is_hidden;

/// The place of a key in a file: the key as a path, and the bytes that it or its value takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePosition {
    /// The key with all its tables: `policy.teams.sre.need`. Empty for the file as a whole.
    pub key: String,
    /// The bytes of the file.
    pub span: Range<usize>,
    /// Whether the place is in the built-in template and not in the user's file.
    pub built_in: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub place: FilePosition,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Another place that has to do with it, and how.
    pub context: Option<(FilePosition, String)>,
}

impl Diagnostic {
    pub(super) fn new(place: &FilePosition, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into(), help: None, context: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn context(mut self, place: &FilePosition, label: impl Into<String>) -> Self {
        self.context = Some((place.clone(), label.into()));
        self
    }
}

/// All that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsReport {
    path: PathBuf,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

impl SettingsReport {
    pub(super) fn new(path: &Path, text: &str, diagnostics: Vec<Diagnostic>) -> Self {
        Self { path: path.to_owned(), text: seen(&without_tokens(text)), diagnostics }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong, in the order of the file. Never empty where it came with an error.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// In which lines something is wrong, and nothing of what stands there: ` in line 3`, to follow a name.
    pub fn lines(&self) -> String {
        let places = self.diagnostics.iter().map(|diagnostic| &diagnostic.place).filter(|place| !place.built_in);
        let mut lines: Vec<usize> = places.map(|place| super::origin::line_of(&self.text, place.span.start)).collect();
        lines.dedup();
        let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
        match lines.as_slice() {
            [] => String::new(),
            [line] => format!(" in line {line}"),
            lines => format!(" in lines {}", lines.join(", ")),
        }
    }

    /// The report for a terminal: with colour where `colour`, and no wider than `width`.
    pub fn render(&self, colour: bool, width: Option<usize>) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = width.map_or(renderer.clone(), |width| renderer.term_width(width));
        let drawn: Vec<String> =
            self.diagnostics.iter().map(|diagnostic| renderer.render(&[self.group(diagnostic)])).collect();
        drawn.join("\n\n")
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let title = match diagnostic.place.key.as_str() {
            "" => diagnostic.message.clone(),
            key => format!("{key}: {}", diagnostic.message),
        };
        let group = Level::ERROR.primary_title(title);
        let mut snippet = Snippet::source(self.text.as_str()).path(self.path.display().to_string());
        let mut drawn = false;
        if !diagnostic.place.built_in {
            snippet = snippet.annotation(AnnotationKind::Primary.span(self.clamp(&diagnostic.place.span)));
            drawn = true;
        }
        if let Some((place, label)) = diagnostic.context.as_ref().filter(|(place, _)| !place.built_in) {
            let kind = if drawn { AnnotationKind::Context } else { AnnotationKind::Primary };
            snippet = snippet.annotation(kind.span(self.clamp(&place.span)).label(label.as_str()));
        }
        let group = group.element(snippet);
        match &diagnostic.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    /// Errors of the parser can point behind the end of the text, and into a character.
    fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let end = self.text.ceil_char_boundary(span.end);
        self.text.floor_char_boundary(span.start).min(end)..end
    }
}

impl fmt::Display for SettingsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, None))
    }
}

/// Stars in place of what looks like a secret or the start of a token, byte for byte, so that no snippet shows one.
fn without_tokens(text: &str) -> String {
    let mut found = secrets::find(text);
    found.extend(secrets::conduit_tokens(text, secrets::CONDUIT_START));
    found.extend(passwords(text));
    found.sort_by_key(|range| range.start);
    let mut stars = text.to_owned();
    for range in found {
        let same =
            text[range.clone()].chars().map(|c| if c == '\n' { "\n".to_owned() } else { "*".repeat(c.len_utf8()) });
        stars.replace_range(range, &same.collect::<String>());
    }
    stars
}

/// The values of keys that have to do with a password and are no path: where a file is to be named, the password itself may stand.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut begin = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let from = begin;
        begin += line.len();
        let (key, value) = line.split_once('=')?;
        let bare = value.trim_start_matches([' ', '\t', '"', '\'']);
        let is_password = key.to_ascii_lowercase().contains("password") && !bare.starts_with('/');
        is_password.then(|| from + key.len() + 1..from + line.trim_end().len())
    })
}

/// Question marks in place of each character that could steer a terminal or is not seen, byte for byte, so that a snippet
/// shows that something stands there and does nothing else.
fn seen(text: &str) -> String {
    let kept = |c: char| matches!(c, '\n' | '\t' | '\r') || !is_hidden(c);
    text.chars().map(|c| if kept(c) { c.to_string() } else { "?".repeat(c.len_utf8()) }).collect()
}

/// The word of `known` that `word` is probably meant to be.
pub(super) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let close = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (osa_distance(&word, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, _)| *distance <= close)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["required", "recorders", "max_age", "tag"];
        assert_eq!(near("requierd", known), Some("required"));
        assert_eq!(near("max-age", known), Some("max_age"));
        assert_eq!(near("Tag", known), Some("tag"));
        assert_eq!(near("colour", known), None);
        assert_eq!(near("", known), None);
    }

    #[test]
    fn what_is_not_seen_is_shown_as_a_question_mark_in_its_length() {
        for text in ["a = \"\u{ad}x\u{200b}\u{61c}\" # é\r\n\t\u{1b}[31m", "\u{e0041}\0"] {
            let seen = seen(text);
            assert_eq!(seen.len(), text.len());
            assert!(!seen.chars().any(|c| is_hidden(c) && !"\n\r\t".contains(c)), "{seen:?}");
        }
        assert_eq!(seen("a\u{ad}b\u{200b}c"), "a??b???c");
    }

    #[test]
    fn a_token_is_starred_out_in_its_length() {
        let starred =
            without_tokens("[irc]\nPassword = \"correct-horse\" # é\npassword_file = '/etc/password'\npassword =\n");
        assert_eq!(starred.lines().nth(1).unwrap(), format!("Password ={}", "*".repeat(21)));
        assert!(starred.contains("'/etc/password'") && starred.ends_with("password =\n"), "{starred}");
        for text in ["a = \"api-abcdefghijklmnopqrstuvwxyz23\" # é", "a = \"https://me:secret@host/\" # é"] {
            let starred = without_tokens(text);
            assert_eq!(starred.len(), text.len());
            assert!(!starred.contains("api-") && !starred.contains("secret") && starred.contains("# é"), "{starred}");
        }
    }
}
