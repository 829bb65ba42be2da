//! The head of the page: what could not be audited, the verdict, and what the report is about.
//!
//! Responsible for the words about the whole, and about what an audit cannot know. Not responsible for the figures and
//! deploys.

use maud::{Markup, html};

use super::super::{AuditOutcome, LIMITS, Report};
use super::words::{Made, number, percent, plural};
use crate::audit::Severity;
use crate::text::Inert;
use crate::time::utc;

/// The verdict in a word, in words, and the class of its colour.
pub(super) fn verdict(report: &Report<'_>) -> (&'static str, String, &'static str) {
    let of = |severity: Severity| plural(report.figures.of(severity), severity.word());
    let found = [Severity::Error, Severity::Warning, Severity::Notice].map(of).join(", ");
    match report.outcome() {
        AuditOutcome::Incomplete => ("INCOMPLETE", format!("not all could be read; of the rest {found}"), "error"),
        AuditOutcome::Findings(severity) => ("FINDINGS", found, severity.word()),
        AuditOutcome::NoDeploys => ("NO DEPLOYS", report.no_deploys(), "notice"),
        AuditOutcome::Compliant => ("COMPLIANT", "nothing to find fault with".to_owned(), "good"),
    }
}

/// All of the head.
pub(super) fn head(report: &Report<'_>) -> Markup {
    let (word, words, class) = verdict(report);
    html! {
        a.skip href="#deploys" { "Skip to the deploys" }
        header {
            @if !report.is_complete() { (missing(report)) }
            p.over { "Audit of emergency deploys" }
            h1 class={ "verdict " (class) } { span { (word) } " " small { (words) } }
            @if !report.general.is_empty() {
                section.general aria-labelledby="general" {
                    h2 #general { "Hashtags that moved, and tasks that could not be judged" }
                    (super::deploy::findings_list(report, &report.general.iter().collect::<Vec<_>>()))
                }
            }
            (tiles(report))
            (facts(report))
            p.limits { (LIMITS) }
        }
    }
}

/// What could not be read or judged.
fn missing(report: &Report<'_>) -> Markup {
    let unseen = report.unseen();
    html! {
        section.missing aria-labelledby="missing" {
            h2 #missing { "Not audited" }
            p { "No deploy of what is listed here was judged. It may hide anything." }
            ul {
                @for unread in report.unread {
                    li {
                        (super::words::link(&unread.task.url(report.base), maud::display(unread.task))) " "
                        (Made(&unread.why))
                    }
                }
                @if unseen > 0 { li { (plural(unseen, "task")) " with the tag or a record that this account is not shown" } }
            }
        }
    }
}

fn tiles(report: &Report<'_>) -> Markup {
    let figures = report.figures;
    let tile = |count: usize, words: Markup, more: String| {
        html! { div { dd { (number(count)) } dt { (words) } @if !more.is_empty() { dd.more { (more) } } } }
    };
    let drills = match (figures.drills, figures.not_started) {
        (0, 0) => String::new(),
        (drills, 0) => format!("and {}, in no figure", plural(drills, "drill")),
        (0, never) => format!("and {never} that never started, in no figure"),
        (drills, never) => format!("and {} and {never} that never started, in no figure", plural(drills, "drill")),
    };
    let tag =
        html! { (if report.population.tagged == 1 { "task" } else { "tasks" }) " with #" (Inert(&report.policy.tag)) };
    let mirrored = match report.population.mirrored {
        0 => String::new(),
        once => format!("and {}, which once had the tag or a record", plural(once, "task")),
    };
    let clean = match figures.deploys {
        0 => String::new(),
        all => format!("{} of the deploys", percent(figures.clean, all)),
    };
    html! {
        dl.tiles {
            (tile(figures.deploys, html! { (if figures.deploys == 1 { "deploy" } else { "deploys" }) }, drills))
            (tile(figures.clean, html! { "without findings" }, clean))
            (tile(report.population.tagged, tag, String::new()))
            (tile(report.population.recorded, html! { "more with a record" }, mirrored))
        }
    }
}

fn facts(report: &Report<'_>) -> Markup {
    let digest = report.policy.digest();
    let digest = digest.as_str();
    // Enough of it to distinguish policies; the whole is in the title.
    let short: String = digest.chars().take("sha256:".len() + 12).collect();
    let period = match (report.since, report.until) {
        (None, None) => "the whole history".to_owned(),
        (Some(since), None) => format!("from {}", utc(since)),
        (None, Some(until)) => format!("before {}", utc(until)),
        (Some(since), Some(until)) => format!("from {}, before {}", utc(since), utc(until)),
    };
    html! {
        dl.facts {
            div { dt { "Server" } dd { (super::words::link(report.base.as_str(), maud::display(Inert(report.base.as_str())))) } }
            div { dt { "Evidence as of" } dd { (utc(report.now)) } }
            div {
                dt { "Read from" }
                dd { (if report.offline { "the mirror alone (offline)" } else { "the server" }) }
            }
            div { dt { "Period" } dd { (period) } }
            div { dt { "Reason" } dd { @match report.reason { Some(reason) => (Inert(reason)), None => "every reason" } } }
            div { dt { "Policy" } dd { code title=(digest) { (short) "…" } } }
        }
    }
}
