//! What an audit found, for spreadsheets (CSV, RFC 4180) and for monitoring (Prometheus' text format, as the textfile
//! collector of node_exporter reads it).
//!
//! In the room: both forms, as pure functions. Not in the room: the report for people and JSON (see
//! [`super::audit_page`]).

use std::collections::BTreeMap;

use super::audit_page::{Report, approvals, found};
use crate::audit::findings;
use crate::record::Outcome;

/// The columns of the CSV, one row a deploy, or a task that has findings and no deploy.
const COLUMNS: [&str; 15] = [
    "task",
    "url",
    "deploy",
    "time",
    "reason",
    "deployer",
    "action",
    "outcome",
    "drill",
    "verdict",
    "approvals",
    "findings",
    "of_tasks",
    "unread_tasks",
    "complete",
];

/// The report as CSV. Every row says of how many tasks the report is, how many of them could not be read and whether it is
/// complete, so that a part that is cut out does not pass for all. Without a row there is nothing but the header.
///
/// # Errors
/// Where the text cannot be made.
pub(super) fn csv(report: &Report<'_>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    let population = report.population;
    let of = (population.tagged + population.recorded).to_string();
    let unread = (report.unread.len() + population.unseen).to_string();
    let complete = if report.is_complete() { "yes" } else { "no" };
    for task in report.tasks {
        for deploy in &task.deploys {
            let people: Vec<String> =
                approvals(deploy).map(|approval| format!("{}={}", approval.team, approval.user)).collect();
            let names = task.findings.iter().filter(|finding| finding.deploy == Some(deploy.id));
            let names: Vec<&str> = names.map(|finding| finding.name).collect();
            let cells = [
                task.task.to_string(),
                report.url(task.task, Some(deploy.first())),
                deploy.id.to_string(),
                deploy.started.unwrap_or(deploy.recorded).to_string(),
                deploy.reason.clone().unwrap_or_default(),
                deploy.deployer.clone().unwrap_or_default(),
                deploy.action.clone().filter(|_| !task.restricted).unwrap_or_default(),
                deploy.outcome.map_or("unknown", Outcome::word).to_owned(),
                if deploy.drill || task.drill { "yes" } else { "no" }.to_owned(),
                deploy.verdict_as_recorded.decision.word().to_owned(),
                people.join(" "),
                names.join(" "),
                of.clone(),
                unread.clone(),
                complete.to_owned(),
            ];
            writer.write_record(cells.iter().map(|cell| guarded(cell)))?;
        }
        let alone: Vec<&str> =
            task.findings.iter().filter(|finding| finding.deploy.is_none()).map(|finding| finding.name).collect();
        if !alone.is_empty() {
            let mut cells = vec![String::new(); COLUMNS.len()];
            (cells[0], cells[1], cells[11]) = (task.task.to_string(), report.url(task.task, None), alone.join(" "));
            (cells[12], cells[13], cells[14]) = (of.clone(), unread.clone(), complete.to_owned());
            writer.write_record(cells.iter().map(|cell| guarded(cell)))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A cell that no spreadsheet takes for a formula, with nothing in it that is not seen.
fn guarded(cell: &str) -> String {
    let cell = crate::text::inert(cell);
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

/// The report as metrics. Every finding has one, if only of 0, so that an alert has something to watch. Drills are not among
/// the deploys.
pub(super) fn prometheus(report: &Report<'_>) -> String {
    let mut page = String::new();
    let mut metric = |name: &str, help: &str, values: &[(String, String)]| {
        page.push_str(&format!("# HELP phabgate_audit_{name} {help}\n# TYPE phabgate_audit_{name} gauge\n"));
        for (labels, value) in values {
            page.push_str(&format!("phabgate_audit_{name}{labels} {value}\n"));
        }
    };
    let plain = |value: String| vec![(String::new(), value)];
    metric("time_seconds", "When the audit began, by the server's clock.", &plain(report.now.as_second().to_string()));
    let complete = u8::from(report.is_complete());
    metric("complete", "Whether every task could be read and judged.", &plain(complete.to_string()));
    let population = report.population;
    let tasks = [("tagged", population.tagged), ("recorded", population.recorded), ("unseen", population.unseen)];
    let tasks = tasks.map(|(kind, count)| (labels(&[("kind", kind)]), count.to_string()));
    metric("tasks", "The tasks that were audited: with the tag, with a record alone, and not shown.", &tasks);
    metric("unread_tasks", "Tasks that could not be read.", &plain(report.unread.len().to_string()));
    let mut deploys: BTreeMap<String, usize> = BTreeMap::new();
    let real = |task: &&crate::audit::TaskAudit| !task.drill;
    for task in report.tasks.iter().filter(real) {
        for deploy in task.deploys.iter().filter(|deploy| !deploy.drill) {
            let reason = deploy.reason.as_deref().unwrap_or("none");
            let outcome = deploy.outcome.map_or("unknown", Outcome::word);
            let clean = if found(task, deploy) == 0 { "yes" } else { "no" };
            *deploys.entry(labels(&[("reason", reason), ("outcome", outcome), ("clean", clean)])).or_default() += 1;
        }
    }
    let deploys: Vec<_> = deploys.into_iter().map(|(labels, count)| (labels, count.to_string())).collect();
    metric("deploys", "The deploys on record, drills left out, and whether there is no finding about them.", &deploys);
    let mut counts: BTreeMap<(&str, &str), usize> =
        findings::ALL.iter().map(|rule| ((rule.name, rule.severity.word()), 0)).collect();
    for finding in report.findings() {
        *counts.entry((finding.name, finding.severity.word())).or_default() += 1;
    }
    let counts: Vec<_> = counts
        .into_iter()
        .map(|((name, severity), count)| (labels(&[("name", name), ("severity", severity)]), count.to_string()))
        .collect();
    metric("findings", "What was found, by name and severity.", &counts);
    page
}

/// Labels as the format writes them; values are people's words at times.
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| crate::text::inert(value).replace('\\', "\\\\").replace('"', "\\\"");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, expected) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@SUM(1)", "'@SUM(1)"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("releng1", "releng1"),
        ] {
            assert_eq!(guarded(cell), expected);
        }
        assert!(!guarded("\t=1").starts_with(['\t', '=']));
    }

    #[test]
    fn a_value_cannot_end_its_label() {
        assert_eq!(labels(&[("reason", "a\"} 1\n\\")]).matches('\n').count(), 0);
        assert!(labels(&[("reason", "a\"b\\")]).contains("a\\\"b\\\\"));
    }
}
