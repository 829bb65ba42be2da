//! The list of rows and what of it is shown.
//!
//! Responsible for which reasons, months and findings there are to choose from, the controls, and what stands before
//! and after the rows. The controls are hidden until the script shows them, since nothing answers to them without it.
//! Not responsible for the rows, and how the choice is carried out (`page.js`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use maud::{Markup, html};

use super::super::Report;
use super::deploy::{month, reason};
use super::words::number;
use crate::audit::Severity;
use crate::text::Inert;

/// What there is to choose from. It grows with the months and reasons, not with the deploys.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) reasons: BTreeSet<String>,
    pub(super) months: BTreeSet<String>,
    pub(super) findings: BTreeMap<&'static str, Severity>,
    pub(super) rows: usize,
}

impl Choices {
    /// Reads all tasks once. The figures do not do, since they leave out drills.
    pub(super) fn of(report: &Report<'_>) -> io::Result<Self> {
        let mut choices = Self::default();
        report.tasks.visit(&mut |task| {
            for deploy in &task.deploys {
                choices.rows += 1;
                if !choices.reasons.contains(reason(deploy)) {
                    choices.reasons.insert(reason(deploy).to_owned());
                }
                choices.months.insert(month(deploy.time()));
            }
            if let Some(first) = task.alone().next() {
                choices.rows += 1;
                choices.months.insert(month(first.time));
            }
            for finding in &task.findings {
                let worst = choices.findings.entry(finding.name).or_insert(finding.severity);
                *worst = finding.severity.max(*worst);
            }
            Ok(())
        })?;
        Ok(choices)
    }
}

/// The controls and the start of the list; it is closed by [`after_rows`].
pub(super) fn before_rows(report: &Report<'_>, choices: &Choices) -> Markup {
    html! {
        h2 #deploys tabindex="-1" { "Deploys" }
        @if choices.rows > 0 {
            form #filter hidden {
                label { "Reason" select name="reason" {
                    option value="" { "All" }
                    @for reason in &choices.reasons { option value=(Inert(reason)) { (Inert(reason)) } }
                } }
                label { "Month" select name="month" {
                    option value="" { "All" }
                    @for month in choices.months.iter().rev() { option { (month) } }
                } }
                label { "Severity" select name="severity" {
                    option value="" { "All" }
                    @for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
                        @if report.figures.of(severity) > 0 { option value=(severity.word()) { "With " (severity.word()) "s" } }
                    }
                } }
                label { "Findings" select name="finding" {
                    option value="" { "All" }
                    option value="*" { "With findings" }
                    option value="-" { "Without findings" }
                    @for name in choices.findings.keys() { option { (name) } }
                } }
                label { "Order" select name="order" {
                    option value="" { "Worst first" }
                    option value="new" { "Newest first" }
                    option value="task" { "By task" }
                } }
                button type="button" { "Show all" }
                output #count role="status" aria-live="polite" {}
            }
            div.cols aria-hidden="true" {
                span { "Time, UTC" } span { "Task" } span { "Reason" } span { "Deployer" } span { "Approved by" }
                span { "Outcome" } span { "Verdict" } span { "Findings" }
            }
        } @else {
            p.none { "There was no deploy, and nothing was found." }
        }
        // Of many rows only those in sight are laid out.
        (maud::PreEscaped(if choices.rows > 500 { "<div id=\"rows\" class=\"many\">" } else { "<div id=\"rows\">" }))
    }
}

/// The end of the list.
pub(super) fn after_rows(choices: &Choices) -> Markup {
    html! {
        (maud::PreEscaped("</div>"))
        @if choices.rows > 0 { p #nothing .none hidden { "None of the " (number(choices.rows)) " rows is like that." } }
    }
}
