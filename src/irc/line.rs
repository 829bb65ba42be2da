//! One line that is safe to say on IRC: a [`Draft`] is put together from words of our own and of others, a [`Line`] comes out of it.
//!
//! Responsible for what every line keeps, whoever wrote what is in it: no CR, LF, NUL, no colour, no CTCP, no character that is not
//! seen or turns the text around it; no monogram of another task than the one that it is about, since bots that log a channel comment
//! on every task that is named there; no start of somebody else's that another bot would take for a command; no more bytes than the
//! way allows. Not responsible for what is said.

use crate::ids::TaskId;
use crate::text;

/// The most bytes of a line that the bot says. 512 are a message with all that the server puts before it.
pub const BOT_LIMIT: usize = 380;

/// The most bytes of a line that is handed to a tcpircbot, which reads 512 at once.
pub const TCPIRCBOT_LIMIT: usize = 425;

/// The most bytes that one quoted text takes of a line, so that what follows it is still said.
const QUOTE_LIMIT: usize = 200;

/// What stands for text that was cut off.
const ELLIPSIS: &str = "…";

/// A line that is being put together.
#[derive(Debug, Clone)]
pub struct Draft {
    task: Option<TaskId>,
    text: String,
    /// Where in the text words of others stand.
    quoted: Vec<std::ops::Range<usize>>,
}

impl Draft {
    /// A line about one task: its monogram, and no other, may stand in it.
    pub fn about(task: TaskId) -> Self {
        Self { task: Some(task), text: String::new(), quoted: Vec::new() }
    }

    /// A line that is about no task, and names none.
    pub fn about_none() -> Self {
        Self { task: None, text: String::new(), quoted: Vec::new() }
    }

    /// Adds words of our own. They may begin with `!`, as a line for a log does.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        self.text.push_str(&one_line(words));
        self
    }

    /// Adds text of others: a title, a name, a reason. More than 200 bytes of it are cut off.
    #[must_use]
    pub fn quoted(mut self, text: &str) -> Self {
        let from = self.text.len();
        let inert = one_line(text);
        self.text.push_str(&cut(&inert, QUOTE_LIMIT));
        self.quoted.push(from..self.text.len());
        self
    }

    /// Whether all of it is said in at most so many bytes, with nothing cut off at its end.
    pub fn fits(&self, bytes: usize) -> bool {
        self.inert().len() <= bytes
    }

    /// The line.
    ///
    /// ```
    /// use phabgate::irc::Draft;
    /// let task = "T1234".parse()?;
    /// let line = Draft::about(task).words("T1234 is open: ").quoted("as T99\r\nQUIT").finish();
    /// assert_eq!(line.as_str(), "T1234 is open: as T 99 / QUIT");
    /// let line = Draft::about(task).quoted("!log I was here").finish();
    /// assert_eq!(line.as_str(), "> !log I was here");
    /// # Ok::<(), phabgate::ids::TaskIdError>(())
    /// ```
    pub fn finish(self) -> Line {
        Line(cut(&self.inert(), TCPIRCBOT_LIMIT))
    }

    /// All of it, however long it is.
    fn inert(&self) -> String {
        let begin = self.text.len() - self.text.trim_start().len();
        let begins_with_others = self.quoted.iter().any(|range| range.contains(&begin));
        let text = without_other_tasks(self.text.trim(), self.task);
        let is_word = text.chars().next().is_none_or(char::is_alphanumeric);
        if begins_with_others && !is_word { format!("> {text}") } else { text }
    }
}

/// A line that is safe to say: inert, on one line, at most [`TCPIRCBOT_LIMIT`] bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its start, at most so many bytes, with `…` where something was cut off.
    pub fn within(&self, bytes: usize) -> String {
        cut(&self.0, bytes)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text in one line, without what is not seen: ends of lines become ` / `, a tabulator a blank, the rest is written out.
fn one_line(text: &str) -> String {
    let is_end = |c: char| matches!(c, '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    if !text.contains(|c| is_end(c) || c == '\t') {
        return text::inert(text);
    }
    let lines = text.split(is_end).map(|line| text::inert(&line.replace('\t', " ")));
    lines.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" / ")
}

/// The text with a blank in every monogram but that of the task: what was `T99` is `T 99`. Digits are those of any script, as the
/// expressions of other bots take them; a small `t` begins a monogram only where a word begins.
fn without_other_tasks(text: &str, task: Option<TaskId>) -> String {
    let own = task.map(|task| task.number().to_string()).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        out.push(c);
        let rest = &text[at + c.len_utf8()..];
        let digits = &rest[..rest.find(|c: char| !c.is_numeric()).unwrap_or(rest.len())];
        let begins = c == 'T' || (c == 't' && !before.is_alphanumeric());
        if begins && !digits.is_empty() && (digits != own || c == 't') {
            out.push(' ');
        }
        before = c;
    }
    out
}

/// The start of an inert text in at most so many bytes, with `…` where something was cut off: at a character, in no escape, and
/// never within a number, whose start would be the monogram of another task.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let Some(room) = bytes.checked_sub(ELLIPSIS.len()) else { return String::new() };
    let mut end = text.floor_char_boundary(room);
    let kept = &text[..end];
    if let Some(escape) = kept.rfind("\\u{")
        && !kept[escape..].contains('}')
    {
        end = escape;
    }
    let kept = &text[..end];
    if text[end..].starts_with(char::is_numeric) {
        let without = kept.trim_end_matches(char::is_numeric);
        if without.ends_with(['T', 't']) {
            end = without.len() - 1;
        }
    }
    format!("{}{ELLIPSIS}", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::is_hidden;

    fn task() -> TaskId {
        "T1234".parse().unwrap()
    }

    /// The monograms that a bot would find in a text: any `T` before digits of any script.
    fn monograms(text: &str) -> Vec<String> {
        let starts = text.match_indices('T').map(|(at, _)| &text[at + 1..]);
        let digits = starts.map(|rest| rest.chars().take_while(|c| c.is_numeric()).collect::<String>());
        digits.filter(|digits| !digits.is_empty()).collect()
    }

    #[test]
    fn text_of_others_can_do_nothing() {
        let said = |text: &str| Draft::about(task()).words("T1234: ").quoted(text).finish().0;
        assert_eq!(said("a\r\nQUIT :b"), "T1234: a / QUIT :b");
        assert_eq!(said("\u{1}ACTION dances\u{1}"), "T1234: \\u{1}ACTION dances\\u{1}");
        assert_eq!(said("\u{3}4,4red\u{2}bold\u{f}"), "T1234: \\u{3}4,4red\\u{2}bold\\u{f}");
        assert_eq!(said("a\u{202e}b\u{200b}c\0"), "T1234: a\\u{202e}b\\u{200b}c\\u{0}");
        assert_eq!(
            said("see T99, XT99 and t99, not T1234 or T12345 or T٣"),
            "T1234: see T 99, XT 99 and t 99, not T1234 or T 12345 or T ٣"
        );
        assert_eq!(said("host1 at10"), "T1234: host1 at10");
    }

    #[test]
    fn only_words_of_our_own_begin_as_a_command() {
        let quoted = |text: &str| Draft::about(task()).quoted(text).finish().0;
        for text in ["!approve T1234 sre", "/quit", " !x", "\n!x", ".x", "#other line", "@x", ":x", "語!"] {
            assert!(!quoted(text).starts_with(['!', '/', '.', '#', '@', ':']), "{text}: {}", quoted(text));
        }
        assert_eq!(Draft::about(task()).words(" ").quoted("!x").finish().0, "> !x");
        assert_eq!(Draft::about(task()).words("").quoted("!x").finish().0, "> !x");
        assert_eq!(Draft::about(task()).words("!log ").quoted("x").finish().0, "!log x");
        // What our own words and those of others make together is no monogram.
        assert_eq!(Draft::about(task()).words("T").quoted("99").finish().0, "T 99");
    }

    #[test]
    fn a_cut_makes_no_other_task() {
        for length in 0..12 {
            let line = Draft::about(task()).words(&format!("{}T1234", "x".repeat(TCPIRCBOT_LIMIT - length))).finish();
            assert!(monograms(line.as_str()).iter().all(|found| found == "1234"), "{line:?}");
        }
        let line = Draft::about(task()).words("https://phab.example/T1234").finish();
        assert_eq!(line.within(25), "https://phab.example/…");
        assert_eq!(line.within(2), "");
        assert_eq!(Draft::about_none().words("T1234").finish().0, "T 1234");
    }

    #[test]
    fn what_is_quoted_leaves_room_for_what_follows() {
        let line = Draft::about(task()).quoted(&"long ".repeat(200)).words(" -- T1234").finish();
        assert!(line.as_str().ends_with("… -- T1234"), "{line:?}");
    }

    proptest! {
        #[test]
        fn every_line_is_inert_and_fits(
            pieces in proptest::collection::vec((any::<bool>(), "(\\PC|\\pC|[Tt!/]|[0-9]|T1234|\\\\u\\{){0,80}"), 0..6),
            limit in 0usize..430,
        ) {
            let mut draft = Draft::about(task());
            let mut own_start = None;
            for (is_own, text) in &pieces {
                if own_start.is_none() && !one_line(text).trim().is_empty() {
                    own_start = Some(*is_own);
                }
                draft = if *is_own { draft.words(text) } else { draft.quoted(text) };
            }
            let line = draft.finish();
            let within = line.within(limit);
            prop_assert!(line.as_str().len() <= TCPIRCBOT_LIMIT && within.len() <= limit);
            for said in [line.as_str(), within.as_str()] {
                prop_assert!(!said.chars().any(is_hidden), "{said:?}");
                prop_assert!(monograms(said).iter().all(|found| found == "1234"), "{said:?}");
                prop_assert!(own_start == Some(true) || !said.starts_with(['!', '/']), "{said:?}");
            }
        }
    }
}
