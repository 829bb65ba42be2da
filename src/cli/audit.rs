//! `audit`: what was deployed out of hours, by whom, why, who agreed, and what broke the rules.
//!
//! In the room: reading the whole history, what of it is asked about, and how the command ends. Not in the room: what is
//! found ([`crate::audit`]) and how it is laid out ([`super::audit_page`]).

use std::io::IsTerminal;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Globals;
use super::audit_page::Report;
use super::audit_table::{csv, prometheus};
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::{Format, Ui};
use crate::audit::reader::{AuditError, Reader};
use crate::audit::{Finding, Severity, TaskAudit, audit_task};

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only deploys and findings from this day or moment on, such as 2026-11-01
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Only deploys and findings up to this day, it included, or moment
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Option<Timestamp>,
    /// Only deploys for this category of reason, and what was found on their tasks
    #[arg(long, value_name = "CATEGORY")]
    reason: Option<String>,
    /// From which severity on findings fail the command: error, warning or notice
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Error, hide_possible_values = true)]
    fail_on: FailOn,
    /// How many calls are made at once at most
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
}

/// What `--fail-on` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Notice,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Notice => Self::Notice,
        }
    }
}

const WHEN: &str = "write a day such as 2026-11-01, or a moment such as 2026-11-01T03:00:00Z";

fn since(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let day = || text.parse().ok().and_then(midnight);
    text.parse().ok().or_else(day).ok_or_else(|| WHEN.to_owned())
}

fn until(text: &str) -> Result<Timestamp, String> {
    match text.parse::<Date>().ok().filter(|_| text.parse::<Timestamp>().is_err()) {
        // A day counts whole.
        Some(day) => {
            day.checked_add(1.day()).ok().and_then(|next| since(&next.to_string()).ok()).ok_or_else(|| WHEN.to_owned())
        }
        None => since(text),
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        let hint = match &error {
            AuditError::Conduit(error) => return error.clone().into(),
            AuditError::NoTag(_) => "check `policy.tag` in the configuration, and that the project is visible",
            AuditError::NoRecorder(_) => "check `policy.recorders` in the configuration",
            AuditError::NoClock => "check what stands between this host and the tracker: it drops the header Date",
        };
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: Some(hint.to_owned()) }
    }
}

/// What is asked about.
struct Scope {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<String>,
}

impl Scope {
    fn holds(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// What of a task is asked about; `None` where nothing is.
    fn narrow(&self, mut task: TaskAudit) -> Option<TaskAudit> {
        let is_for = |reason: Option<&String>| self.reason.is_none() || self.reason.as_ref() == reason;
        let had_deploys = !task.deploys.is_empty();
        task.deploys
            .retain(|deploy| is_for(deploy.reason.as_ref()) && self.holds(deploy.started.unwrap_or(deploy.recorded)));
        let ids: Vec<_> = task.deploys.iter().map(|deploy| deploy.id).collect();
        // What is not about a deploy belongs to the task: it goes with the task's deploys, or stands alone.
        let of_task =
            |finding: &Finding| self.holds(finding.time) && (self.reason.is_none() || !had_deploys || !ids.is_empty());
        task.findings.retain(|finding| match finding.deploy {
            Some(deploy) => ids.contains(&deploy),
            None => of_task(finding),
        });
        (!task.deploys.is_empty() || !task.findings.is_empty()).then_some(task)
    }
}

/// Runs `audit`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, or the population cannot be read.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    let policy = &session.settings.policy;
    let scope = Scope { since: args.since, until: args.until, reason: category(args, &session)? };
    session.tell_undelivered(ui);
    let mut reader = Reader::begin(&session.client, policy, args.jobs.into()).await?;
    let (mut tasks, mut unread) = (Vec::new(), Vec::new());
    let watched = std::io::stderr().is_terminal();
    let each = |read: Result<_, _>| match read {
        Ok(evidence) => tasks.extend(scope.narrow(audit_task(&evidence, policy))),
        Err(error) => unread.push(error),
    };
    let progress = |count| {
        if watched {
            ui.note(&format!("{count} tasks read"));
        }
    };
    let population = reader.read(each, progress).await?;
    let report = Report {
        base: session.base(),
        policy,
        now: reader.now(),
        population: &population,
        unread: &unread,
        since: args.since,
        until: args.until,
        reason: scope.reason.as_deref(),
        tasks: &tasks,
    };
    match ui.format() {
        Format::Text => ui.data(&report.text(ui.width())),
        Format::Json => ui.json(&report.json()),
        Format::Csv => ui.data(&csv(&report).map_err(|error| Failure {
            exit: Exit::Incomplete,
            message: format!("cannot write the report: {error}"),
            hint: None,
        })?),
        Format::Prometheus => ui.data(&prometheus(&report)),
    }
    Ok(match (report.is_complete(), report.worst()) {
        (false, _) => Exit::Incomplete,
        (true, Some(worst)) if worst >= Severity::from(args.fail_on) => Exit::Denied,
        (true, _) => Exit::Done,
    })
}

/// The category that `--reason` names.
fn category(args: &Args, session: &Session) -> Result<Option<String>, Failure> {
    let Some(reason) = &args.reason else { return Ok(None) };
    let policy = &session.settings.policy;
    let known: Vec<&str> = policy.reasons.iter().map(|reason| reason.key.as_str()).collect();
    match policy.read_reason(reason).category {
        Some(category) => Ok(Some(category)),
        None => Err(Failure::usage(
            format!("the policy has no reason {:?}", crate::text::inert(reason)),
            format!("give one of {}", known.join(", ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_whole() {
        assert_eq!(since("2026-11-01").unwrap().to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(until("2026-11-30").unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(until("2026-11-30T03:00:00Z").unwrap().to_string(), "2026-11-30T03:00:00Z");
        assert!(since("yesterday").is_err() && until("").is_err());
    }
}
