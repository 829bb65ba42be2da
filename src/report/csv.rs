//! The report for spreadsheets: CSV as RFC 4180 has it, its lines ended by CR and LF.
//!
//! Responsible for one row a deploy, or a task that has findings and no deploy, or that could not be read, or a
//! hashtag. Every row says of how many tasks the report is, how many of them could not be read and whether it is
//! complete, so that a part that is cut out does not pass for all; where there is none else, one row says just that.

use std::io::{self, Write};

use super::Report;
use super::entry::{DeployEntry, TaskEntry};

/// The columns.
const COLUMNS: [&str; 19] = [
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
    "seconds_to_approve",
    "seconds_to_deploy",
    "seconds_it_ran",
    "title",
];

/// The cells of a row, without those that say of what the report is.
type Cells = [String; 16];

/// Writes the report as CSV.
///
/// # Errors
/// Where it cannot be written.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS)?;
    let population = report.population;
    let of = [
        (population.shown() + population.unseen).to_string(),
        (report.unread.len() + report.unseen()).to_string(),
        if report.is_complete() { "yes" } else { "no" }.to_owned(),
    ];
    let mut none = true;
    report.tasks.visit(&mut |task| {
        none = false;
        for deploy in &task.deploys {
            write_row(&mut writer, deploy_row(report, task, deploy), &of)?;
        }
        let alone: Vec<&str> = task.alone().map(|finding| finding.name).collect();
        if !alone.is_empty() {
            let mut row = Cells::default();
            row[15] = task.title.clone().unwrap_or_default();
            (row[0], row[1], row[11]) = (task.task.to_string(), report.url(task.task, None), alone.join(" "));
            write_row(&mut writer, row, &of)?;
        }
        Ok(())
    })?;
    for finding in report.general {
        none = false;
        let mut row: [String; 16] = Default::default();
        let about = finding.id().about;
        (row[0], row[1], row[11]) = (about, report.url_of(finding), finding.name.to_owned());
        write_row(&mut writer, row, &of)?;
    }
    for unread in report.unread {
        let mut row = Cells::default();
        (row[0], row[1]) = (unread.task.to_string(), report.url(unread.task, None));
        "unread".clone_into(&mut row[9]);
        write_row(&mut writer, row, &of)?;
    }
    if none && report.unread.is_empty() {
        write_row(&mut writer, Default::default(), &of)?;
    }
    writer.flush()
}

/// The cells of a deploy, without those that say of what the report is.
fn deploy_row(report: &Report<'_>, task: &TaskEntry, deploy: &DeployEntry) -> Cells {
    let people: Vec<String> = deploy.counted().map(|approval| format!("{}={}", approval.team, approval.user)).collect();
    let names: Vec<&str> = task.against(deploy).map(|finding| finding.name).collect();
    let seconds = |took: Option<jiff::SignedDuration>| took.map(|took| took.as_secs().to_string()).unwrap_or_default();
    [
        task.task.to_string(),
        report.url(task.task, Some(deploy.transaction)),
        deploy.deploy.to_string(),
        deploy.time().to_string(),
        deploy.reason.clone().unwrap_or_default(),
        deploy.deployer.clone().unwrap_or_default(),
        deploy.action.clone().unwrap_or_default(),
        deploy.outcome_word().to_owned(),
        if deploy.drill { "yes" } else { "no" }.to_owned(),
        deploy.verdict_as_recorded.clone(),
        people.join(" "),
        names.join(" "),
        seconds(deploy.to_approve()),
        seconds(deploy.to_deploy()),
        seconds(deploy.duration()),
        task.title.clone().unwrap_or_default(),
    ]
}

fn write_row(writer: &mut csv::Writer<&mut dyn Write>, row: Cells, of: &[String; 3]) -> io::Result<()> {
    let (first, times) = row.split_at(12);
    let cells = first.iter().chain(of).chain(times);
    Ok(writer.write_record(cells.map(|cell| guarded(cell)))?)
}

/// A cell that no spreadsheet takes for a formula, with nothing in it that is not seen.
fn guarded(cell: &str) -> String {
    let cell = crate::text::inert(cell);
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
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
}
