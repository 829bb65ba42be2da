//! What to look at first: the deploys and tasks with the worst findings, the newest before the others, each with what was
//! found, its row and what shows it.
//!
//! Responsible for choosing them, with as much memory as the page has room for. Not responsible for the rows, which hold all
//! findings.

use std::cmp::Reverse;
use std::io;

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::Report;
use super::super::entry::{DeployEntry, TaskEntry};
use super::deploy::{anchor, reason};
use super::meaning;
use super::words::{Made, link, mark, minute, number, plural, shown_by};
use crate::audit::{Finding, Severity};
use crate::ids::TaskId;
use crate::text::Inert;

/// How many rows are shown, and how many findings of each.
const ROWS: usize = 6;
const FINDINGS: usize = 4;

/// The newest of the rows that hold findings as bad as the worst.
pub(super) struct Urgent {
    severity: Severity,
    /// How many rows there are.
    count: usize,
    newest: Vec<Row>,
}

/// A deploy, or a task, and the worst that was found about it.
struct Row {
    task: TaskId,
    anchor: String,
    title: Option<String>,
    /// The reason and the deployer, where it is a deploy.
    about: Option<(String, Option<String>)>,
    time: Timestamp,
    found: Vec<Finding>,
    more: usize,
}

impl Row {
    /// The rows of a task that hold findings as bad as this.
    fn of(task: &TaskEntry, severity: Severity) -> Vec<Self> {
        let is_bad = |finding: &&Finding| finding.severity == severity;
        let row = |deploy: Option<&DeployEntry>, found: Vec<&Finding>| {
            let first = found.first()?;
            Some(Self {
                task: task.task,
                anchor: anchor(task.task, deploy),
                title: task.title.clone(),
                about: deploy.map(|deploy| (reason(deploy).to_owned(), deploy.deployer.clone())),
                time: deploy.map_or(first.time, DeployEntry::time),
                more: found.len().saturating_sub(FINDINGS),
                found: found.into_iter().take(FINDINGS).cloned().collect(),
            })
        };
        let deploys = task.deploys.iter();
        let deploys = deploys.filter_map(|deploy| row(Some(deploy), task.found(deploy).filter(is_bad).collect()));
        deploys.chain(row(None, task.alone().filter(is_bad).collect())).collect()
    }
}

impl Urgent {
    /// Chooses them; `None` where nothing was found that is worse than a notice.
    pub(super) fn of(report: &Report<'_>) -> io::Result<Option<Self>> {
        let Some(severity) = report.worst().filter(|worst| *worst > Severity::Notice) else { return Ok(None) };
        let mut urgent = Self { severity, count: 0, newest: Vec::new() };
        report.tasks.visit_found(&mut |task| {
            let rows = Row::of(task, severity);
            urgent.count += rows.len();
            urgent.newest.extend(rows);
            if urgent.newest.len() > 4 * ROWS {
                urgent.cut();
            }
            Ok(())
        })?;
        urgent.cut();
        Ok(Some(urgent))
    }

    fn cut(&mut self) {
        self.newest.sort_by_key(|row| Reverse((row.time, row.task)));
        self.newest.truncate(ROWS);
    }

    /// The list.
    pub(super) fn list(&self, report: &Report<'_>) -> Markup {
        let severity = self.severity.word();
        let more = self.count.saturating_sub(self.newest.len());
        html! {
            section.urgent aria-labelledby="urgent" {
                h2 #urgent { "Look at these first" }
                ul.f { @for row in &self.newest { (entry(report, row)) } }
                @if more > 0 {
                    p.note {
                        "The newest " (number(self.newest.len())) " of "
                        a href={ "#severity=" (severity) } { (plural(self.count, "row")) " with " (severity) "s" } "."
                    }
                }
            }
        }
    }
}

fn entry(report: &Report<'_>, row: &Row) -> Markup {
    let severity = row.found.first().map_or(Severity::Error, |finding| finding.severity);
    html! {
        li class=(severity.word()) {
            (link(&row.task.url(report.base), maud::display(row.task))) " "
            @match &row.title {
                Some(title) => b { (Inert(title)) },
                None => b { "(restricted)" },
            }
            p.note {
                (minute(row.time))
                @if let Some((reason, deployer)) = &row.about {
                    ", " (Inert(reason)) ", by " (Inert(deployer.as_deref().unwrap_or("nobody known")))
                }
                " · " a.row href={ "#" (row.anchor) } { "all about it" }
            }
            @for finding in &row.found {
                p {
                    (mark(finding.severity)) " " (meaning::link_to(finding.name)) " " (Made(&finding.message))
                    @if let Some(transaction) = finding.transaction {
                        " " (shown_by(report, row.task, transaction))
                    }
                }
            }
            @if row.more > 0 { p.note { "and " (number(row.more)) " more" } }
        }
    }
}
