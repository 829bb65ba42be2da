//! What all parts of the page share: how texts of others, times, decisions and what is to be written are shown.
//!
//! Responsible for the one place where text of others becomes part of the page. maud escapes what HTML would act on; what steers or hides is
//! written out. Not responsible for where which text stands.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, Render, html};

use crate::ids::TransactionId;
use crate::text::{Inert, shorten};
use crate::time;

/// How many lines and characters of a text of others are shown.
const LINES: usize = 12;
const LONGEST: usize = 240;
/// How many people are named.
const NAMED: usize = 12;

/// A text of others, line by line, as far as there is room.
pub(super) fn lines(text: &str) -> Markup {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    html! {
        @for line in all.iter().take(LINES) { p { (shorten(line, LONGEST)) } }
        @if all.len() > LINES { p.quiet { "and " (all.len() - LINES) " more lines" } }
    }
}

/// A text of others in one line.
pub(super) fn line(text: &str) -> String {
    shorten(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST)
}

/// How long ago something was; the script keeps it true.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> Markup {
    html! { time data-ago datetime=(then) title=(time::utc(then)) { (time::rough(since(now, then))) } }
}

/// How long something lasts already, to the second.
pub(super) fn clock(now: Timestamp, then: Timestamp) -> Markup {
    html! { time data-clock datetime=(then) title=(time::utc(then)) { (lasted(since(now, then))) } }
}

/// A duration to the second.
pub(super) fn lasted(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

fn since(now: Timestamp, then: Timestamp) -> SignedDuration {
    now.duration_since(then).max(SignedDuration::ZERO)
}

/// A time: of today without the date.
pub(super) fn at(now: Timestamp, then: Timestamp) -> Markup {
    let is_today = now.strftime("%F").to_string() == then.strftime("%F").to_string();
    let shown = if is_today { then.strftime("%H:%M:%S UTC").to_string() } else { time::utc(then) };
    html! { time datetime=(then) { (shown) } }
}

/// A link that discloses nothing of this page to its target.
pub(super) fn link(url: &str, words: impl Render) -> Markup {
    html! { a href=(url) rel="noreferrer noopener" { (words) } }
}

/// A time that links to what happened then.
pub(super) fn happened(now: Timestamp, then: Timestamp, url: &str, transaction: TransactionId) -> Markup {
    link(&format!("{url}#{transaction}"), at(now, then))
}

/// What is decided, as a word with a mark of its own shape.
pub(super) fn badge(decision: &str) -> Markup {
    html! { b class={ "badge " (decision) } { (decision.to_uppercase()) } }
}

/// Something to write or to type, with a button that copies it where there is a script.
pub(super) fn to_copy(text: &str) -> Markup {
    html! { span.copy { code { (Inert(text)) } button type="button" data-copy hidden { "Copy" } } }
}

/// People by their usernames; who looks is marked.
pub(super) fn people(names: &[String], viewer: Option<&str>) -> Markup {
    html! {
        ul.people {
            @for name in names.iter().take(NAMED) {
                @if is_viewer(name, viewer) { li.you { b { (Inert(name)) } " (you)" } } @else { li { (Inert(name)) } }
            }
            @if names.len() > NAMED { li.quiet { "and " (names.len() - NAMED) " more" } }
        }
    }
}

/// Whether a name is that of who looks.
pub(super) fn is_viewer(name: &str, viewer: Option<&str>) -> bool {
    viewer.is_some_and(|viewer| viewer.eq_ignore_ascii_case(name))
}

/// Words in a row: `a, b and c`.
pub(super) fn row(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_exact_and_a_row_reads_as_people_write_it() {
        let said = [0, 59, 60, 192, 3600, 7_384].map(|seconds| lasted(SignedDuration::from_secs(seconds)));
        assert_eq!(said, ["0 s", "59 s", "1 min 00 s", "3 min 12 s", "1 h 00 min", "2 h 03 min"]);
        let words: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!((row(&words[..1]), row(&words)), ("a".to_owned(), "a, b and c".to_owned()));
    }
}
