//! `audit`: what was deployed out of hours, by whom, why, who agreed, and what broke the rules.
//!
//! Responsible for the arguments, for bringing the mirror up to date, and for how the command ends. Not responsible for what is found
//! ([`crate::audit`]) and how it is laid out ([`crate::report`]).

use std::fs::File;
use std::io;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use url::Url;

use super::Globals;
use super::audit_progress::ProgressLine;
use super::exit::{Exit, Failure};
use super::next::{MENDED, NOTHING, NOW, Next};
use super::session::{Session, environment, settings};
use super::ui::{Format, Ui};
use crate::audit::Severity;
use crate::audit::error::AuditError;
use crate::audit::mirror::{Mirror, MirrorError, SyncResult};
use crate::audit::reader::sync;
use crate::config::Settings;
use crate::host::Environment;
use crate::report::run::AuditInputs;
use crate::report::scope::Scope;
use crate::report::{Report, csv, html, json, prometheus, text};
use crate::time::stated;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only deploys and findings from this day, month or moment on, such as 2026-11-01 or 2026-11
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// Only deploys and findings up to this day or month, it included, or moment
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Option<Timestamp>,
    /// Only deploys for this category of reason, and what was found on their tasks
    #[arg(long, value_name = "CATEGORY", add = super::candidates::reasons())]
    reason: Option<String>,
    /// From which severity on findings fail the command: error, warning or notice
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::Error, hide_possible_values = true)]
    fail_on: FailOn,
    /// Judge what earlier audits read, and ask the server nothing
    #[arg(long)]
    offline: bool,
    /// Read every history again and compare it with what earlier audits read: a call for each task
    #[arg(long, conflicts_with = "offline")]
    thorough: bool,
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

fn since(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let day = || month(text).or_else(|| text.parse().ok()).and_then(midnight);
    // Days are those of UTC, and so are times without a zone.
    let moment = stated(text, &Zoned::new(Timestamp::now(), TimeZone::UTC)).ok();
    moment.or_else(day).ok_or_else(|| WHEN.to_owned())
}

/// The first day of a month that is written as 2026-11.
fn month(text: &str) -> Option<Date> {
    let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()
}

fn until(text: &str) -> Result<Timestamp, String> {
    // A month counts whole, as a day does.
    if let Some(first) = month(text) {
        return first
            .checked_add(1.month())
            .ok()
            .and_then(|next| since(&next.to_string()).ok())
            .ok_or_else(|| WHEN.to_owned());
    }
    match text.parse::<Date>().ok().filter(|_| !text.contains(':')) {
        // A day counts whole.
        Some(day) => {
            day.checked_add(1.day()).ok().and_then(|next| since(&next.to_string()).ok()).ok_or_else(|| WHEN.to_owned())
        }
        None => since(text),
    }
}

impl From<MirrorError> for Failure {
    fn from(error: MirrorError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: Some(error.hint()) }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        let hint = match error {
            AuditError::Conduit(error) => return error.into(),
            AuditError::Mirror(error) => return error.into(),
            AuditError::Spool(_) => "look whether the disk with the mirror is full",
            AuditError::Stopped => "run the audit again; should it happen again, report it with what stands above",
            AuditError::NoTag(_) => "check `policy.tag` in the configuration, and that the project is visible",
            AuditError::NoRecorder(_) => "check `policy.recorders` in the configuration",
            AuditError::TooOld => "update the server; `check`, `run` and `history` need less of it",
            AuditError::NoClock => "check what stands between this host and the server: it drops the header Date",
        };
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: Some(hint.to_owned()) }
    }
}

/// How a time is written, for whoever wrote it otherwise.
const WHEN: &str = "write a day such as 2026-11-01, a month such as 2026-11, or a moment such as 2026-11-01T03:00:00Z or '2026-11-01 03:00 UTC'";

/// A mirror that is as far up to date as was asked for.
struct Prepared {
    settings: Settings,
    base: Url,
    mirror: Mirror,
    filled: SyncResult,
    /// Nobody else fills the mirror until the state that is judged is taken.
    lock: Option<File>,
}

/// The directory of the mirror. That of the sandbox is with its world, so that both are made new together.
fn directory(globals: &Globals, environment: &Environment, settings: &Settings) -> Result<PathBuf, Failure> {
    if globals.sandbox {
        return Ok(settings.state.join(super::sandbox::MIRROR));
    }
    environment.cache().map(|cache| cache.join("phabgate")).ok_or_else(|| {
        Failure::usage("there is no directory for the mirror", "set HOME, or XDG_CACHE_HOME to an absolute path")
    })
}

/// Brings the mirror up to date, or takes it as it is.
async fn prepare(
    args: &Args,
    globals: &Globals,
    environment: &Environment,
    settings: Settings,
    ui: &mut Ui,
    bar: &mut ProgressLine,
) -> Result<Prepared, Failure> {
    let directory = directory(globals, environment, &settings)?;
    if args.offline {
        let base = match globals.sandbox {
            true => super::sandbox::name(super::sandbox::world(environment)?)?,
            false => settings.server()?.clone(),
        };
        let mirror = Mirror::open(&directory, &base)?;
        let filled = mirror.last(&settings.policy)?;
        let age = Timestamp::now().duration_since(filled.sync.now);
        bar.aside(|| match globals.sandbox {
            // Its clock is not that of the world outside.
            true => ui.note("the server was asked nothing"),
            false => {
                ui.note(&format!("the mirror is {} old; the server was asked nothing", crate::time::rough(age)));
            }
        });
        return Ok(Prepared { settings, base, mirror, filled, lock: None });
    }
    let session = Session::with(globals, environment, settings).await?;
    session.warn_of_undelivered(ui);
    let policy = &session.settings.policy;
    let mirror = Mirror::open(&directory, session.base())?;
    let waits = || bar.aside(|| ui.note("another audit is reading; waiting until it is done"));
    let lock = mirror.lock(waits)?;
    let filled =
        sync(&session.client, policy, &mirror, args.jobs.into(), args.thorough, |progress| bar.show(progress)).await?;
    let base = session.base().clone();
    Ok(Prepared { settings: session.settings, base, mirror, filled, lock: Some(lock) })
}

/// Runs `audit`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the population cannot be read, or the report
/// cannot be written.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let environment = environment(globals)?;
    let settings = settings(globals, &environment)?;
    let scope = Scope { since: args.since, until: args.until, reason: category(args, &settings.policy)? };
    let check = |now| scope.check(now).map_err(|empty| Failure::usage(empty.to_string(), WHEN));
    check(None)?;
    let mut bar = ProgressLine::new(ui.width());
    let Prepared { settings, base, mirror, filled, lock } =
        prepare(args, globals, &environment, settings, ui, &mut bar).await?;
    check(Some(filled.sync.now)).inspect_err(|_| bar.clear())?;
    let inputs = AuditInputs {
        base: &base,
        policy: &settings.policy,
        accepted: &settings.accepted,
        mirror: &mirror,
        filled: &filled,
        scope: &scope,
        offline: args.offline,
        details: ui.format() == Format::Html,
    };
    let audited = inputs.audit(lock, |progress| bar.show(progress))?;
    bar.clear();
    for unused in &audited.unused {
        ui.note(&format!("`audit.accepted` names {unused}, which is the id of nothing that was found"));
    }
    let report = audited.report();
    print(&report, ui).map_err(unwritten)?;
    if ui.format() == Format::Text {
        let next = next(&report, ui).map_err(unwritten)?;
        ui.data(&format!("\n{next}"));
    }
    Ok(match (report.is_complete(), report.worst()) {
        (false, _) => Exit::Incomplete,
        (true, Some(worst)) if worst >= Severity::from(args.fail_on) => Exit::Denied,
        (true, _) => Exit::Done,
    })
}

fn unwritten(error: io::Error) -> Failure {
    Failure {
        exit: Exit::Incomplete,
        message: format!("cannot write the report: {error}"),
        hint: Some("the report is incomplete; check free disk space".to_owned()),
    }
}

/// The command that comes next: what the worst finding means; or that nothing is to be done.
fn next(report: &Report<'_>, ui: &Ui) -> io::Result<String> {
    if !report.is_complete() {
        return Ok(Next::new(MENDED, "audit", ui.invocation()).text());
    }
    let Some(worst) = report.worst() else { return Ok(NOTHING.to_owned()) };
    let mut first = report.general.iter().find(|finding| finding.severity == worst).map(|finding| finding.name);
    report.tasks.visit_found(&mut |task| {
        let of_task = task.findings.iter().find(|finding| finding.severity == worst);
        first = first.or(of_task.map(|finding| finding.name));
        Ok(())
    })?;
    Ok(first.map_or_else(String::new, |name| Next::new(NOW, &format!("explain {name}"), ui.invocation()).text()))
}

fn print(report: &Report<'_>, ui: &mut Ui) -> io::Result<()> {
    let width = ui.width();
    match ui.format() {
        Format::Text => ui.write(|out| text::write(report, width, out)),
        Format::Json => ui.write_visible(|out| json::write(report, out)),
        Format::Csv => ui.write(|out| csv::write(report, out)),
        Format::Html => ui.write(|out| html::write(report, out)),
        Format::Prometheus => ui.write(|out| prometheus::write(report, out)),
    }
}

/// The category that `--reason` names.
fn category(args: &Args, policy: &crate::policy::Policy) -> Result<Option<String>, Failure> {
    let Some(reason) = &args.reason else { return Ok(None) };
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
        assert_eq!(since("2026-11").unwrap().to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(until("2026-11").unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert!(since("2026-13").is_err() && since("2026-1").is_err());
        assert!(since("yesterday").is_err() && until("").is_err());
    }
}
