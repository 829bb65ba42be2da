//! The report for programs: JSON of the schema `phabgate/audit/1`, to which fields are only ever added.
//!
//! Responsible for what of the report it holds. Deploys and findings are written one after the other, not collected
//! first. Not responsible for escaping what a terminal would act on, which whoever prints it does.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use jiff::{SignedDuration, Timestamp};
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use super::Report;
use super::entry::{DeployEntry, TaskEntry};
use super::figures::{Figures, Quantiles};
use crate::attribution::ApprovalKind;
use crate::audit::population::Population;
use crate::audit::{Finding, Severity};
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::record::{ExitStatus, Outcome};

/// The schema.
const SCHEMA: &str = "phabgate/audit/1";

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    server: &'a str,
    time: Timestamp,
    offline: bool,
    policy: String,
    complete: bool,
    /// `incomplete`, `findings`, `no-deploys` or `compliant`.
    outcome: &'static str,
    population: &'a Population,
    unread: Vec<JsonUnread<'a>>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
    newest_deploy: Option<Timestamp>,
    figures: JsonFigures<'a>,
    deploys: Deploys<'a>,
    findings: Findings<'a>,
}

#[derive(Serialize)]
struct JsonUnread<'a> {
    task: TaskId,
    error: &'a str,
}

#[derive(Serialize)]
struct JsonFigures<'a> {
    deploys: usize,
    drills: usize,
    not_started: usize,
    clean: usize,
    reasons: &'a BTreeMap<String, usize>,
    outcomes: &'a BTreeMap<&'static str, usize>,
    months: &'a BTreeMap<String, BTreeMap<String, usize>>,
    seconds_to_approve: Option<Quantiles>,
    seconds_to_deploy: Option<Quantiles>,
    seconds_it_ran: Option<Quantiles>,
    findings: Vec<Count>,
}

#[derive(Serialize)]
struct Count {
    name: &'static str,
    severity: Severity,
    count: usize,
}

impl<'a> JsonFigures<'a> {
    fn of(figures: &'a Figures) -> Self {
        let count = |((severity, name), count): (&(Severity, &'static str), &usize)| Count {
            name,
            severity: *severity,
            count: *count,
        };
        Self {
            deploys: figures.deploys,
            drills: figures.drills,
            not_started: figures.not_started,
            clean: figures.clean,
            reasons: &figures.reasons,
            outcomes: &figures.outcomes,
            months: &figures.months,
            seconds_to_approve: figures.to_approve.quantiles(),
            seconds_to_deploy: figures.to_deploy.quantiles(),
            seconds_it_ran: figures.duration.quantiles(),
            findings: figures.findings.iter().map(count).collect(),
        }
    }
}

/// The deploys, written as they are handed out.
struct Deploys<'a>(&'a Report<'a>);
/// The findings, written as they are handed out.
struct Findings<'a>(&'a Report<'a>);

impl Serialize for Deploys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let visit = |each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>| report.tasks.visit(each);
        each(visit, serializer, &[], |task, seq| {
            task.deploys.iter().try_for_each(|deploy| seq.serialize_element(&JsonDeploy::of(report, task, deploy)))
        })
    }
}

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let visit = |each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>| report.tasks.visit_found(each);
        let general: Vec<_> = report.general.iter().map(|finding| JsonFinding::of(report, finding)).collect();
        each(visit, serializer, &general, |task, seq| {
            task.findings.iter().try_for_each(|finding| seq.serialize_element(&JsonFinding::of(report, finding)))
        })
    }
}

/// Writes a list: what comes `first`, then what `write` writes of each task.
fn each<S: Serializer>(
    visit: impl FnOnce(&mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()>,
    serializer: S,
    first: &[JsonFinding<'_>],
    write: impl Fn(&TaskEntry, &mut S::SerializeSeq) -> Result<(), S::Error>,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(None)?;
    first.iter().try_for_each(|finding| seq.serialize_element(finding))?;
    let mut failed = None;
    let visited = visit(&mut |task| {
        write(task, &mut seq).map_err(|error| {
            let words = error.to_string();
            failed = Some(error);
            io::Error::other(words)
        })
    });
    match (failed, visited) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(S::Error::custom(error)),
        (None, Ok(())) => seq.end(),
    }
}

#[derive(Serialize)]
struct JsonDeploy<'a> {
    deploy: DeployId,
    task: TaskId,
    url: String,
    restricted: bool,
    title: Option<&'a str>,
    drill: bool,
    deployer: Option<&'a str>,
    reason: Option<&'a str>,
    action: Option<&'a str>,
    change: Option<&'a str>,
    command: Option<&'a str>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    recorded: Timestamp,
    outcome: Option<Outcome>,
    exit: Option<ExitStatus>,
    verdict: &'a str,
    verdict_as_recorded: &'a str,
    approvals: Vec<JsonApproval<'a>>,
    findings: usize,
    tagged: Option<Timestamp>,
    approved: Option<Timestamp>,
    seconds_to_approve: Option<i64>,
    seconds_to_deploy: Option<i64>,
    seconds_it_ran: Option<i64>,
}

#[derive(Serialize)]
struct JsonApproval<'a> {
    team: &'a str,
    user: &'a str,
    kind: ApprovalKind,
    transaction: Option<TransactionId>,
    time: Timestamp,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    url: String,
    /// By which it is accepted.
    id: String,
}

impl<'a> JsonFinding<'a> {
    fn of(report: &Report<'_>, finding: &'a Finding) -> Self {
        Self { finding, url: report.url_of(finding), id: finding.id().to_string() }
    }
}

impl<'a> JsonDeploy<'a> {
    fn of(report: &Report<'_>, task: &'a TaskEntry, deploy: &'a DeployEntry) -> Self {
        let approvals = deploy.counted().map(|approval| JsonApproval {
            team: &approval.team,
            user: &approval.user,
            kind: approval.kind,
            transaction: approval.transaction,
            time: approval.time,
        });
        let seconds = |took: Option<SignedDuration>| took.map(|took| took.as_secs());
        Self {
            deploy: deploy.deploy,
            task: task.task,
            url: report.url(task.task, Some(deploy.transaction)),
            restricted: task.restricted,
            title: task.title.as_deref(),
            drill: deploy.drill,
            deployer: deploy.deployer.as_deref(),
            reason: deploy.reason.as_deref(),
            action: deploy.action.as_deref(),
            change: deploy.change.as_deref(),
            command: deploy.command.as_deref(),
            started: deploy.started,
            finished: deploy.finished,
            recorded: deploy.recorded,
            outcome: deploy.outcome,
            exit: deploy.exit,
            verdict: &deploy.verdict,
            verdict_as_recorded: &deploy.verdict_as_recorded,
            approvals: approvals.collect(),
            findings: task.against(deploy).count(),
            tagged: deploy.tagged,
            approved: deploy.approved,
            seconds_to_approve: seconds(deploy.to_approve()),
            seconds_to_deploy: seconds(deploy.to_deploy()),
            seconds_it_ran: seconds(deploy.duration()),
        }
    }
}

/// Writes the report as JSON.
///
/// # Errors
/// Where it cannot be written.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let json = Json {
        schema: SCHEMA,
        server: report.base.as_str(),
        time: report.now,
        offline: report.offline,
        policy: report.policy.digest().to_string(),
        complete: report.is_complete(),
        outcome: report.outcome().word(),
        population: report.population,
        unread: report.unread.iter().map(|unread| JsonUnread { task: unread.task, error: &unread.why }).collect(),
        since: report.since,
        until: report.until,
        reason: report.reason,
        newest_deploy: report.newest_deploy,
        figures: JsonFigures::of(report.figures),
        deploys: Deploys(report),
        findings: Findings(report),
    };
    // It comes in very small pieces.
    let mut out = BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, &json)?;
    out.write_all(b"\n")?;
    out.flush()
}
