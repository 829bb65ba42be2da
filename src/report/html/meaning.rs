//! What the findings of the report mean, on the page itself, so that it can be read where there is no `phabgate explain`.
//!
//! Responsible for the list, and for the links that lead to it. Not responsible for the texts, which the findings have.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::Report;
use super::words::mark;
use crate::audit::{Severity, findings};

/// What a finding means, in a line.
pub(super) fn summary(name: &str) -> &'static str {
    findings::ALL.iter().find(|rule| rule.name == name).map_or("", |rule| rule.summary)
}

/// The name of a finding, with a link to what it means.
pub(super) fn link_to(name: &str) -> Markup {
    html! { a href={ "#meaning-" (name) } { code { (name) } } }
}

/// The findings that there are, the worst first, each with what it means and how to mend it.
pub(super) fn meanings(report: &Report<'_>) -> Markup {
    let mut worst: BTreeMap<&str, Severity> = BTreeMap::new();
    for (severity, name) in report.figures.findings.keys() {
        let known = worst.entry(name).or_insert(*severity);
        *known = (*known).max(*severity);
    }
    let mut names: Vec<(Severity, &str)> = worst.into_iter().map(|(name, severity)| (severity, name)).collect();
    names.sort_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(two.1)));
    html! {
        @if !names.is_empty() {
            h2 { "What the findings mean" }
            div.meanings { @for (severity, name) in names {
                section id={ "meaning-" (name) } tabindex="-1" {
                    h3 { code { (name) } " " (mark(severity)) }
                    p { (summary(name)) "." }
                    @for paragraph in page(name).split("\n\n") { p { (paragraph) } }
                }
            } }
        }
    }
}

fn page(name: &str) -> &'static str {
    findings::ALL.iter().find(|rule| rule.name == name).map_or("", |rule| rule.page)
}
