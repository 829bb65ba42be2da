//! What is printed goes through here: data to standard output, words about progress and trouble to standard error.
//!
//! In the room: streams, colour and width. Not in the room: what is said.

use std::io::{self, BufRead, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::exit::Failure;

/// What `--format` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Color {
    /// Where a terminal is there and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Names of things.
pub(super) const NAME: Style = Style::new().bold();
/// What is well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What wants attention or time.
pub(super) const MIND: Style = AnsiColor::Yellow.on_default().bold();
/// What is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What may be passed over.
pub(super) const FAINT: Style = Style::new().dimmed();
/// What to type.
pub(super) const HINT: Style = AnsiColor::Cyan.on_default();

/// Text in a style. Without colour the stream takes the style away again.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The narrowest that text is laid out for; in a narrower terminal the terminal wraps it.
const NARROWEST: usize = 40;

/// The two streams.
#[derive(Debug)]
pub(super) struct Ui {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    width: usize,
    format: Format,
}

impl Ui {
    /// The streams of this process. `columns` is `$COLUMNS`, for where there is no terminal to ask.
    pub(super) fn new(format: Format, color: Color, columns: Option<usize>) -> Self {
        let choice = |auto| match color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let out = AutoStream::new(io::stdout(), choice(AutoStream::choice(&io::stdout())));
        let err = AutoStream::new(io::stderr(), choice(AutoStream::choice(&io::stderr())));
        let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        // What is piped is not broken into lines, so that it can be searched.
        let width = columns.or(terminal).unwrap_or(usize::MAX).max(NARROWEST);
        Self { out, err, width, format }
    }

    /// For how many columns text is laid out.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Whether programs read the output.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints data. Nobody reading it any more is no error.
    pub(super) fn data(&mut self, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let _ = write!(self.out, "{text}{end}").and_then(|()| self.out.flush());
    }

    /// Prints data for programs.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.data(&visible(&text)),
            Err(error) => self.note(&format!("cannot write JSON: {error}")),
        }
    }

    /// Says what is being done, in a line.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "{} {text}", styled(FAINT, "phabgate:"));
    }

    /// Says that something should be looked at.
    pub(super) fn warn(&mut self, text: &str) {
        let _ = writeln!(self.err, "{} {text}", styled(MIND, "warning:"));
    }

    /// Says what to do next.
    pub(super) fn hint(&mut self, text: &str) {
        let _ = writeln!(self.err, "{} {text}", styled(HINT, "hint:"));
    }

    /// Says why a command cannot go on.
    pub(super) fn failure(&mut self, failure: &Failure) {
        let _ = writeln!(self.err, "{} {}", styled(BAD, "error:"), failure.message);
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Whether somebody is there to be asked.
    pub(super) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks for a yes. Anything else is a no, the end of the input too.
    pub(super) fn ask(&mut self, question: &str) -> bool {
        let _ = write!(self.err, "{} [y/N] ", styled(NAME, question)).and_then(|()| self.err.flush());
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Prints words about trouble as they are.
    pub(super) fn words(&mut self, text: &str) {
        let _ = write!(self.err, "{text}").and_then(|()| self.err.flush());
    }
}

/// JSON with every character escaped that a terminal would act on or not show. They stand in strings alone.
fn visible(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && crate::text::is_hidden(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Lays out a text behind a label: the first line after `head`, further ones below it.
pub(super) fn hanging(head: &str, head_columns: usize, text: &str, width: usize) -> String {
    let room = width.saturating_sub(head_columns).max(20);
    let mut lines =
        textwrap::wrap(text, textwrap::Options::new(room).word_splitter(textwrap::WordSplitter::NoHyphenation))
            .into_iter();
    let mut laid = format!("{head}{}\n", lines.next().unwrap_or_default());
    for line in lines {
        laid.push_str(&format!("{}{line}\n", " ".repeat(head_columns)));
    }
    laid
}
