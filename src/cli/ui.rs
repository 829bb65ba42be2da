//! What is printed goes through here: data to standard output, words about progress and trouble to standard error.
//!
//! Responsible for streams, colour and width, and for taking note of data that could not be written. Not responsible for what
//! is said, nor for how a command ends whose data is missing ([`super::main`]).

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use indicatif::ProgressBar;
use serde::Serialize;

use super::detail::Detail;
use super::exit::Failure;
use crate::gate::{Invocation, Progress, Refusal, RefusalKind};
use crate::layout::{BAD, FAINT, HINT, MIND, hanging, styled};
use crate::text::shorten_inert;

/// What `--format` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    /// Of `audit` alone.
    Csv,
    /// Of `audit` alone.
    Html,
    /// Of `audit` alone.
    Prometheus,
}

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// How often the line that is drawn over moves, so that it is seen to wait.
const TICK: Duration = Duration::from_millis(250);
/// The narrowest that text is laid out for; in a narrower terminal the terminal wraps it.
const NARROWEST: usize = 40;

/// The two streams.
#[derive(Debug)]
pub(super) struct Ui {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    width: usize,
    format: Format,
    invocation: Invocation,
    detail: Detail,
    /// The line that is drawn over, while there is one.
    status: Option<ProgressBar>,
    /// Why data could not be written, where that happened.
    unwritten: Option<String>,
}

/// What says on the terminal what it does.
pub(super) trait OnTerminal {
    fn ui(&mut self) -> &mut Ui;
}

impl OnTerminal for Ui {
    fn ui(&mut self) -> &mut Ui {
        self
    }
}

impl<T: OnTerminal> Progress for T {
    fn note(&mut self, text: &str) {
        Ui::note(self.ui(), text);
    }

    fn warn(&mut self, text: &str) {
        Ui::warn(self.ui(), text);
    }

    fn hint(&mut self, text: &str) {
        Ui::hint(self.ui(), text);
    }

    fn status(&mut self, text: Option<&str>) {
        Ui::status(self.ui(), text);
    }
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
        Self {
            out,
            err,
            width,
            format,
            invocation: Invocation::default(),
            detail: Detail::default(),
            status: None,
            unwritten: None,
        }
    }

    /// The same for a gate that was called so: commands that it names are as the caller has to type them.
    pub(super) fn called(self, invocation: Invocation) -> Self {
        Self { invocation, ..self }
    }

    /// The same where so much of a verdict is shown.
    pub(super) fn detailed(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// How much of a verdict is shown.
    pub(super) fn detail(&self) -> Detail {
        self.detail
    }

    /// How the gate was called.
    pub(super) fn invocation(&self) -> Invocation {
        self.invocation
    }

    /// For how many columns text is laid out.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// In which form data is printed.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether programs read the output.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints data. Where it cannot be written, [`Ui::written`] says so.
    pub(super) fn data(&mut self, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        if let Err(error) = write!(self.out, "{text}{end}").and_then(|()| flushed(&mut self.out)) {
            self.lose(&error);
        }
    }

    /// Takes note of data that could not be written. Nobody reading it any more is no error.
    pub(super) fn lose(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.unwritten.get_or_insert(error.to_string());
        }
    }

    /// Whether all data so far was written; a failure is returned once.
    ///
    /// # Errors
    /// With the first reason why data could not be written.
    pub(super) fn written(&mut self) -> Result<(), Refusal> {
        match self.unwritten.take() {
            None => Ok(()),
            Some(why) => Err(Refusal {
                kind: RefusalKind::Incomplete,
                message: format!("the output could not be written: {why}"),
                hint: None,
            }),
        }
    }

    /// Prints data for programs.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.data(&visible(&text)),
            Err(error) => self.lose(&error.into()),
        }
    }

    /// Writes data that is too much to be held at once. Nobody reading it any more is no error.
    ///
    /// # Errors
    /// Where it cannot be written to its end.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        write_all(&mut self.out, write)
    }

    /// Writes JSON that is too much to be held at once.
    ///
    /// # Errors
    /// Where it cannot be written to its end.
    pub(super) fn write_visible(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        // Nothing is left in it that a terminal would act on: it has not to be looked through for that once more.
        write_all(&mut self.out.as_inner(), |out| {
            let mut out = Visible::of(out);
            let written = write(&mut out);
            written.and(out.flush())
        })
    }

    /// Says what is being done, in a line.
    pub(super) fn note(&mut self, text: &str) {
        self.said(FAINT, "phabgate:", text);
    }

    /// Says that something should be looked at.
    pub(super) fn warn(&mut self, text: &str) {
        self.said(MIND, "warning:", text);
    }

    /// Says what to do next.
    pub(super) fn hint(&mut self, text: &str) {
        self.said(HINT, "hint:", text);
    }

    /// Says why a command cannot go on.
    pub(super) fn failure(&mut self, failure: &Failure) {
        self.said(BAD, "error:", &failure.message);
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    fn said(&mut self, style: Style, label: &str, text: &str) {
        let text = without_error_numbers(&self.invocation.adapt(text));
        let text = &text;
        let label_columns = label.len() + 1;
        let label = format!("{} ", styled(style, label));
        // A report of several lines is laid out already.
        let laid = match text.contains('\n') {
            true => format!("{label}{text}\n"),
            false => hanging(&label, label_columns, text, self.width),
        };
        self.words(&laid);
    }

    /// Prints words about trouble as they are.
    pub(super) fn words(&mut self, text: &str) {
        let err = &mut self.err;
        let mut write = || _ = write!(err, "{text}").and_then(|()| err.flush());
        match &self.status {
            Some(line) => line.suspend(write),
            None => write(),
        }
    }

    /// Rings the bell of the terminal; nothing where standard error is none.
    pub(super) fn ring(&mut self) {
        let mut err = io::stderr();
        if err.is_terminal() {
            let _ = err.write_all(b"\x07").and_then(|()| err.flush());
        }
    }

    /// Shows a line that is drawn over; takes it away again with `None`. Where standard error is no terminal nothing is shown.
    pub(super) fn status(&mut self, text: Option<&str>) {
        match text {
            Some(text) if io::stderr().is_terminal() => {
                let line = self.status.get_or_insert_with(|| {
                    let line = ProgressBar::new_spinner();
                    line.enable_steady_tick(TICK);
                    line
                });
                // One line, with the sign that turns before it.
                line.set_message(shorten_inert(text, self.width.saturating_sub(3)));
            }
            Some(_) => {}
            None => {
                if let Some(line) = self.status.take() {
                    line.finish_and_clear();
                }
            }
        }
    }
}

/// Writes what is too much to be held at once. Nobody reading it any more is no error.
fn write_all(mut stream: &mut impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, &mut stream);
    let written = write(&mut out).and_then(|()| out.flush());
    // What is left must not be tried again when the buffer is dropped.
    drop(out.into_parts());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.and_then(|()| flushed(stream)),
    }
}

/// Flushes standard output. The standard library passes over one that is not open for writing, so that is looked at here.
fn flushed(out: &mut impl Write) -> io::Result<()> {
    out.flush()?;
    let flags = rustix::fs::fcntl_getfl(io::stdout())?;
    match flags & rustix::fs::OFlags::RWMODE == rustix::fs::OFlags::RDONLY {
        true => Err(rustix::io::Errno::BADF.into()),
        false => Ok(()),
    }
}

/// The text without the numbers that stand behind the words of a system's error: they mean nothing to people.
pub(super) fn without_error_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => clean.push_str(rest),
            _ => clean.push_str(&format!(" (os error {part}")),
        }
    }
    clean
}

/// How much is written at once.
const BUFFER: usize = 64 << 10;

/// Escapes what is written, as [`visible`] does. Whoever writes JSON writes whole characters, a few at a time: they are
/// looked at together.
struct Visible<'a> {
    out: &'a mut dyn Write,
    waiting: Vec<u8>,
}

impl<'a> Visible<'a> {
    fn of(out: &'a mut dyn Write) -> Self {
        Self { out, waiting: Vec::with_capacity(BUFFER) }
    }

    fn pass(&mut self) -> io::Result<()> {
        // Nearly all of it is plain, which the bytes show.
        let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
        // Without a way out of the middle many bytes are looked at at once.
        let plain = |some: &[u8]| some.iter().fold(true, |plain, byte| plain & is_plain(byte));
        let waiting = std::mem::take(&mut self.waiting);
        for some in parts(&waiting) {
            if plain(some) {
                self.out.write_all(some)?;
            } else {
                let text = std::str::from_utf8(some);
                let text = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                self.out.write_all(visible(text).as_bytes())?;
            }
        }
        self.waiting = waiting;
        self.waiting.clear();
        Ok(())
    }
}

/// How many bytes are looked at together, and what it takes to come to the end of their line.
const LOOK: usize = 1 << 10;

/// Cuts bytes into parts of whole lines.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let from = LOOK.min(rest.len());
        let end = rest[from..].iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| from + at + 1);
        let (part, left) = rest.split_at(end);
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

impl Write for Visible<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= BUFFER {
            self.pass()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass()?;
        self.out.flush()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped_wherever_it_stands_in_what_is_written() {
        let mut text = String::new();
        for number in 0..40_000 {
            text.push_str(match number % 1_000 {
                7 => "\"\u{9b}2J\u{202e}\",\n",
                8 => "\"h\u{e9}\u{1f600}\",\n",
                _ => "\"plain\",\n",
            });
        }
        let mut written = Vec::new();
        let mut out = Visible::of(&mut written);
        text.split_inclusive('"').for_each(|some| out.write_all(some.as_bytes()).unwrap());
        out.flush().unwrap();
        drop(out);
        assert!(written == visible(&text).as_bytes());
        assert!(text.len() > 2 * BUFFER && !String::from_utf8(written).unwrap().contains('\u{9b}'));
    }

    #[test]
    fn numbers_of_errors_are_left_out() {
        assert_eq!(without_error_numbers("no (os error 2), no (os error x)"), "no, no (os error x)");
    }
}
