//! `audit`: what was deployed out of hours, by whom, why, who agreed, and what broke the rules.
//!
//! Responsible for bringing the mirror up to date, judging it, what of it is asked about, and how the command ends. Not
//! responsible for what is found ([`crate::audit`]) and how it is laid out ([`super::audit_page`], [`crate::report`]).

use std::fs::File;
use std::io;
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use url::Url;

use super::Globals;
use super::audit_page;
use super::audit_progress::ProgressLine;
use super::audit_scope::{Scope, WHEN};
use super::exit::{Exit, Failure};
use super::session::{Session, environment, settings};
use super::ui::{Format, Ui};
use crate::audit::encoded::EncodedInParts;
use crate::audit::mirror::{Mirror, MirrorError, SyncResult};
use crate::audit::past::{self, PastFinding, Today};
use crate::audit::population::AuditError;
use crate::audit::reader::sync;
use crate::audit::unread::Unread;
use crate::audit::{Finding, Severity, findings, replay};
use crate::config::{Accepted, Environment, Settings};
use crate::policy::PolicyDigest;
use crate::report::entry::TaskEntry;
use crate::report::figures::Figures;
use crate::report::spool::Spool;
use crate::report::{Report, csv, html, json, prometheus};
use crate::time::stated;

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
    let day = || text.parse().ok().and_then(midnight);
    // Days are those of UTC, and so are times without a zone.
    let moment = stated(text, &Zoned::new(Timestamp::now(), TimeZone::UTC)).ok();
    moment.or_else(day).ok_or_else(|| WHEN.to_owned())
}

fn until(text: &str) -> Result<Timestamp, String> {
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

/// What an audit holds against what earlier ones found.
struct FindingHistory<'a> {
    past: Vec<PastFinding>,
    digest: PolicyDigest,
    accepted: &'a [Accepted],
    /// Which of them were found.
    used: Vec<bool>,
    /// What this audit found, to be held against by later ones.
    found: Vec<Finding>,
}

impl<'a> FindingHistory<'a> {
    fn of(mirror: &Mirror, settings: &'a Settings) -> Result<Self, MirrorError> {
        let accepted = &settings.accepted[..];
        let used = vec![false; accepted.len()];
        Ok(Self { past: mirror.found()?, digest: settings.policy.digest(), accepted, used, found: Vec::new() })
    }

    /// Adds to what was found on a task what is not found any more, and makes notices of what was looked at.
    fn hold(&mut self, task: EncodedInParts<TaskEntry>) -> Result<EncodedInParts<TaskEntry>, AuditError> {
        let entry = task.value();
        self.found.extend(entry.findings.iter().filter(|finding| past::is_kept(finding)).cloned());
        let today = Today { found: &entry.findings, restricted: entry.restricted, judged: true };
        let vanished = past::vanished(&today, past::on(&self.past, entry.task), &self.digest);
        let looked_at = |finding: &Finding| self.acceptance(finding).is_some();
        if vanished.is_empty() && !(entry.findings.iter().any(looked_at)) {
            return Ok(task);
        }
        let unwritten = |error: serde_json::Error| AuditError::Spool(error.into());
        let mut entry = task.into_value().map_err(unwritten)?;
        entry.findings.extend(vanished);
        for finding in &mut entry.findings {
            self.accept(finding);
        }
        entry.findings.sort_by_key(|finding| (finding.time, finding.transaction));
        EncodedInParts::new(entry).map_err(unwritten)
    }

    /// What is known of a task that could not be judged: what the server denies of it, and what was found on it before.
    fn hold_unread(&mut self, task: &Unread) -> Vec<Finding> {
        self.found.extend(task.findings.iter().filter(|finding| past::is_kept(finding)).cloned());
        let today = Today { found: &task.findings, restricted: task.restricted, judged: false };
        let mut known = past::vanished(&today, past::on(&self.past, task.task), &self.digest);
        known.splice(..0, task.findings.iter().cloned());
        for finding in &mut known {
            self.accept(finding);
        }
        known
    }

    /// The place of the acceptance of a finding in the configuration.
    fn acceptance(&self, finding: &Finding) -> Option<usize> {
        if self.accepted.is_empty() {
            return None;
        }
        let id = finding.id();
        self.accepted.iter().position(|it| it.finding.about == id.about && it.finding.digest == id.digest)
    }

    /// Makes a notice of a finding that was looked at; whether it was.
    fn accept(&mut self, finding: &mut Finding) -> bool {
        let Some(at) = self.acceptance(finding) else { return false };
        self.used[at] = true;
        finding.severity = Severity::Notice;
        finding.message = format!("{}; accepted: {}", finding.message, crate::text::inert(&self.accepted[at].why));
        true
    }

    /// The acceptances that nothing was found for: they are of no use, or have a slip of the pen.
    fn unused(&self) -> Vec<String> {
        let unused = self.accepted.iter().zip(&self.used).filter(|(_, used)| !**used);
        unused.map(|(accepted, _)| accepted.finding.to_string()).collect()
    }
}

/// What an audit works on.
struct AuditInputs {
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
) -> Result<AuditInputs, Failure> {
    let directory = directory(globals, environment, &settings)?;
    if args.offline {
        let base = match globals.sandbox {
            true => super::sandbox::name()?,
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
        return Ok(AuditInputs { settings, base, mirror, filled, lock: None });
    }
    let session = Session::with(globals, environment, settings).await?;
    session.tell_undelivered(ui);
    let policy = &session.settings.policy;
    let mirror = Mirror::open(&directory, session.base())?;
    let waits = || bar.aside(|| ui.note("another audit is reading; waiting until it is done"));
    let lock = mirror.lock(waits)?;
    let filled =
        sync(&session.client, policy, &mirror, args.jobs.into(), args.thorough, |progress| bar.show(progress)).await?;
    let base = session.base().clone();
    Ok(AuditInputs { settings: session.settings, base, mirror, filled, lock: Some(lock) })
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
    scope.check(None)?;
    let mut bar = ProgressLine::new(ui.width());
    let AuditInputs { settings, base, mirror, filled, lock } =
        prepare(args, globals, &environment, settings, ui, &mut bar).await?;
    scope.check(Some(filled.sync.now)).inspect_err(|_| bar.clear())?;
    let directory = mirror.path().parent().unwrap_or(mirror.path());
    let spool = Spool::new(directory).map_err(AuditError::Spool)?;
    let (mut figures, mut unread) = (Figures::default(), Vec::<Unread>::new());
    let snapshot = mirror.snapshot()?;
    drop(lock);
    let mut held = FindingHistory::of(&mirror, &settings)?;
    let (mut general, settled) = general(&mirror, &filled, &settings, &scope, &mut held)?;
    let each = |judged: Result<EncodedInParts<TaskEntry>, Unread>| {
        match judged {
            Ok(told) => {
                if let Some(told) = scope.narrow(held.hold(told)?)? {
                    figures.add(told.value());
                    spool.push(&told).map_err(AuditError::Spool)?;
                }
            }
            Err(task) => {
                general.extend(held.hold_unread(&task).into_iter().filter(|finding| scope.holds(finding.time)));
                unread.push(task);
            }
        }
        Ok(())
    };
    let details = ui.format() == Format::Html;
    replay(&mirror, &filled, &settings.policy, details, TaskEntry::of, each, |progress| bar.show(progress))?;
    general.iter().for_each(|finding| figures.add_finding(finding));
    drop(snapshot);
    if !args.offline {
        mirror.keep_found(&filled.sync, &held.digest, &held.found)?;
    }
    bar.clear();
    for unused in held.unused() {
        ui.note(&format!("`audit.accepted` names {unused}, and nothing was found that this is the id of"));
    }
    let report = Report {
        base: &base,
        policy: &settings.policy,
        now: filled.sync.now,
        offline: args.offline,
        population: &filled.population,
        unread: &unread,
        general: &general,
        settled,
        since: args.since,
        until: args.until,
        reason: scope.reason.as_deref(),
        figures: &figures,
        tasks: &spool,
    };
    print(&report, ui).map_err(|error| Failure {
        exit: Exit::Incomplete,
        message: format!("cannot write the report: {error}"),
        hint: Some("what is there of it is not all; look whether the disk is full".to_owned()),
    })?;
    Ok(match (report.is_complete(), report.worst()) {
        (false, _) => Exit::Incomplete,
        (true, Some(worst)) if worst >= Severity::from(args.fail_on) => Exit::Denied,
        (true, _) => Exit::Done,
    })
}

/// What was found that is about no task that could be judged: the tasks that are not shown any more, whenever that was, and
/// the hashtags that led elsewhere; and how many of those tasks somebody looked at.
fn general(
    mirror: &Mirror,
    filled: &SyncResult,
    settings: &Settings,
    scope: &Scope,
    held: &mut FindingHistory<'_>,
) -> Result<(Vec<Finding>, usize), Failure> {
    let mut general = findings::moved(&settings.policy, &filled.facts, &mirror.memory()?);
    general.retain(|finding| scope.holds(finding.time));
    for finding in &mut general {
        held.accept(finding);
    }
    let mut settled = 0;
    for task in mirror.unseen(&filled.sync)? {
        let past = task.id.map_or(&[][..], |id| past::on(&held.past, id));
        let mut finding = findings::unseen(&task, past, filled.sync.now);
        settled += usize::from(held.accept(&mut finding));
        general.push(finding);
    }
    Ok((general, settled))
}

fn print(report: &Report<'_>, ui: &mut Ui) -> io::Result<()> {
    let width = ui.width();
    match ui.format() {
        Format::Text => ui.write(|out| audit_page::write(report, width, out)),
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
        assert!(since("yesterday").is_err() && until("").is_err());
    }
}
