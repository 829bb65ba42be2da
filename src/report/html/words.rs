//! What all parts of the page share: how text is shown, links, and numbers in words.
//!
//! Responsible for the one place where text of others becomes part of the page. maud escapes what HTML would act on;
//! what steers or hides is written out. Not responsible for where which text stands.

use std::fmt::Write as _;

use jiff::Timestamp;
use maud::{Escaper, Markup, Render, html};
use url::Url;

use super::super::Report;
use crate::audit::Severity;
use crate::ids::{TaskId, TransactionId};
use crate::text::{Inert, is_hidden};

/// Text that was made inert when the audit was made, such as the message of a finding. It may have been put aside since;
/// what hides is written out again should it be there, and what is written out already stays as it is.
pub(super) struct Made<'a>(pub(super) &'a str);

impl Render for Made<'_> {
    fn render_to(&self, buffer: &mut String) {
        let mut escaper = Escaper::new(buffer);
        for character in self.0.chars() {
            // Writing to a String cannot fail.
            let _ = match is_hidden(character) {
                true => write!(escaper, "\\u{{{:x}}}", u32::from(character)),
                false => escaper.write_char(character),
            };
        }
    }
}

/// A number and what is counted, in its plural where it is not one.
pub(super) fn plural(count: usize, word: &str) -> String {
    format!("{} {word}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A number with its thousands apart: `50 000`, with a space that does not break.
pub(super) fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

/// A share in whole percent; what is not nothing is not shown as nothing, nor what is not all as all.
pub(super) fn percent(part: usize, whole: usize) -> String {
    match (part, whole) {
        (_, 0) | (0, _) => "0 %".to_owned(),
        (part, whole) if part >= whole => "100 %".to_owned(),
        (part, whole) => match (part as f64 * 100.0 / whole as f64).round() as u8 {
            0 => "< 1 %".to_owned(),
            100 => "> 99 %".to_owned(),
            share => format!("{share} %"),
        },
    }
}

/// A time in a row: to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time in the evidence: to the second, since the order of things hangs on it.
pub(super) fn second(time: Timestamp) -> Markup {
    html! { time { (time.strftime("%Y-%m-%d %H:%M:%S")) } }
}

/// A link that discloses nothing of this page to its target.
pub(super) fn link(url: &str, words: impl Render) -> Markup {
    html! { a href=(url) rel="noreferrer noopener" { (words) } }
}

/// What somebody gave as a place to look something up: a link where it is one to a web page, else text.
pub(super) fn place(given: &str) -> Markup {
    let web = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match web {
        Some(url) => link(url.as_str(), maud::display(Inert(given))),
        None => html! { (Inert(given)) },
    }
}

/// A link to a transaction.
pub(super) fn shown_by(report: &Report<'_>, task: TaskId, transaction: TransactionId) -> Markup {
    link(&report.url(task, Some(transaction)), maud::display(format_args!("#{transaction}")))
}

/// How bad a finding is, as a word with a mark of its own shape.
pub(super) fn mark(severity: Severity) -> Markup {
    html! { b class={ "mark " (severity.word()) } { (severity.word()) } }
}
