//! The report as one page of HTML, for people: it asks nothing of any server, not even that of the tasks until a link is
//! followed, and is read on a screen, a phone or paper.
//!
//! Responsible for the frame of the page, what it may do (its Content-Security-Policy), and the order in which it is
//! written, row by row. Beside it: the head with the verdict, what to look at first, the figures as cards, charts and
//! months, the filter, one row a deploy, what the findings mean, and the words they share. Without its script the page
//! lacks the filter and nothing else. Not responsible for what is shown (the entries and the figures know).
//!
//! The policy allows this page's own style and script by their hashes and nothing else. So there is no `style` attribute
//! anywhere: charts are drawn with presentation attributes and classes.

mod cards;
mod charts;
mod deploy;
mod filter;
mod head;
mod meaning;
mod months;
#[cfg(test)]
pub(super) mod tests;
mod urgent;
mod words;

use std::io::{self, Write};

use base64::Engine;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::Report;
use super::entry::TaskEntry;
use crate::audit::Severity;
use filter::Choices;
use urgent::Urgent;

/// The style of the page.
const STYLE: &str = include_str!("page.css");
/// The script of the page: the filter, and details that open for the printer where the style cannot do it.
const SCRIPT: &str = include_str!("page.js");

/// Writes the page. The tasks are visited a few times, so that the worst come first, and none is kept.
///
/// # Errors
/// Where the tasks cannot be read or `out` cannot be written to.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let choices = Choices::of(report)?;
    out.write_all(start(report).as_bytes())?;
    put(out, html! { (head::head(report)) })?;
    out.write_all(b"<main>")?;
    if let Some(urgent) = Urgent::of(report)? {
        put(out, urgent.list(report))?;
    }
    put(out, cards::figures(report))?;
    put(out, filter::before_rows(report, &choices))?;
    let mut rows = String::new();
    for worst in [Some(Severity::Error), Some(Severity::Warning), Some(Severity::Notice), None] {
        let mut write = |task: &TaskEntry| {
            rows.clear();
            deploy::rows(report, task, worst, &mut rows)?;
            out.write_all(rows.as_bytes())
        };
        match worst {
            Some(_) => report.tasks.visit_found(&mut write)?,
            None => report.tasks.visit(&mut write)?,
        }
    }
    put(out, filter::after_rows(&choices))?;
    put(out, meaning::meanings(report))?;
    out.write_all(b"</main>")?;
    put(out, end(report))
}

fn put(out: &mut dyn Write, markup: Markup) -> io::Result<()> {
    out.write_all(markup.into_string().as_bytes())
}

/// The start of the page, up to where its body begins.
fn start(report: &Report<'_>) -> String {
    let head = html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(content_policy());
            meta name="referrer" content="no-referrer";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            meta name="generator" content={ "phabgate " (env!("CARGO_PKG_VERSION")) };
            title { (head::verdict(report).0) ": audit of emergency deploys, " (report.now.strftime("%Y-%m-%d")) }
            style { (PreEscaped(STYLE)) }
        }
    };
    // Elements that stay open: what is between them is written as it comes.
    format!("{}<html lang=\"en\">{}<body>", DOCTYPE.into_string(), head.into_string())
}

fn end(report: &Report<'_>) -> Markup {
    html! {
        footer {
            p {
                "Written by phabgate " (env!("CARGO_PKG_VERSION")) " from the evidence as of "
                (crate::time::utc(report.now)) ". All times are in UTC."
            }
        }
        script { (PreEscaped(SCRIPT)) }
        (PreEscaped("</body></html>\n"))
    }
}

/// What the page may do: apply its style, run its script.
fn content_policy() -> String {
    let hash = |text: &str| {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!("'sha256-{hash}'")
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src 'none'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
