//! One audit, from a mirror that is up to date to what a report says.
//!
//! Responsible for the order of it: every task is judged, held against what earlier audits found and what somebody accepted, narrowed to
//! what is asked about, counted and put aside. Not responsible for filling the mirror or for judging ([`crate::audit`]), nor for the
//! forms of a report.

use std::fs::File;

use jiff::Timestamp;
use url::Url;

use super::Report;
use super::entry::TaskEntry;
use super::figures::Figures;
use super::scope::Scope;
use super::spool::Spool;
use crate::audit::encoded::EncodedInParts;
use crate::audit::error::AuditError;
use crate::audit::findings::{PastFinding, Today};
use crate::audit::mirror::{Mirror, MirrorError, SyncResult};
use crate::audit::past;
use crate::audit::progress::AuditProgress;

use crate::audit::unread::Unread;
use crate::audit::{Finding, Severity, findings, replay};
use crate::config::Accepted;
use crate::policy::{Policy, PolicyDigest};

/// What an audit works on.
#[derive(Clone, Copy)]
pub struct AuditInputs<'a> {
    /// The server.
    pub base: &'a Url,
    /// By what is judged.
    pub policy: &'a Policy,
    /// What somebody looked at and found in order.
    pub accepted: &'a [Accepted],
    /// What was read of the server.
    pub mirror: &'a Mirror,
    /// How far it is up to date.
    pub filled: &'a SyncResult,
    /// What is asked about.
    pub scope: &'a Scope,
    /// The server was asked nothing: what is found is not remembered either.
    pub offline: bool,
    /// The report shows the details of each deploy.
    pub details: bool,
}

/// What an audit came to.
pub struct AuditResult<'a> {
    inputs: AuditInputs<'a>,
    figures: Figures,
    unread: Vec<Unread>,
    general: Vec<Finding>,
    settled: usize,
    newest_deploy: Option<Timestamp>,
    tasks: Spool,
    /// The acceptances that nothing was found for: they are of no use, or have a slip of the pen.
    pub unused: Vec<String>,
}

impl<'a> AuditInputs<'a> {
    /// Judges the state of the mirror as of now; `lock` holds others off from filling it until that is taken.
    ///
    /// # Errors
    /// Where the mirror cannot be read or written, or the disk is full.
    pub fn audit(self, lock: Option<File>, progress: impl FnMut(AuditProgress)) -> Result<AuditResult<'a>, AuditError> {
        let Self { mirror, filled, scope, .. } = self;
        let directory = mirror.path().parent().unwrap_or(mirror.path());
        let spool = Spool::new(directory).map_err(AuditError::Spool)?;
        let (mut figures, mut unread, mut newest_deploy) = (Figures::default(), Vec::<Unread>::new(), None);
        let snapshot = mirror.snapshot()?;
        drop(lock);
        let mut held = FindingHistory::of(&self)?;
        let (mut general, settled) = self.general(&mut held)?;
        let each = |judged: Result<EncodedInParts<TaskEntry>, Unread>| {
            match judged {
                Ok(judged) => {
                    let held = held.hold(judged)?;
                    newest_deploy = newest_deploy.max(scope.newest_deploy(held.value()));
                    if let Some(entry) = scope.narrow(held)? {
                        figures.add(entry.value());
                        spool.push(&entry).map_err(AuditError::Spool)?;
                    }
                }
                Err(task) => {
                    general.extend(held.hold_unread(&task).into_iter().filter(|finding| scope.holds(finding.time)));
                    unread.push(task);
                }
            }
            Ok(())
        };
        replay(mirror, filled, self.policy, self.details, TaskEntry::of, each, progress)?;
        general.iter().for_each(|finding| figures.add_finding(finding));
        drop(snapshot);
        if !self.offline {
            mirror.keep_found(&filled.sync, &held.digest, &held.found)?;
        }
        let unused = held.unused();
        Ok(AuditResult { inputs: self, figures, unread, general, settled, newest_deploy, tasks: spool, unused })
    }

    /// What was found that is about no task that could be judged: the tasks that are not shown any more, whenever that was, and
    /// the hashtags that led elsewhere; and how many of those tasks somebody looked at.
    fn general(&self, held: &mut FindingHistory<'_>) -> Result<(Vec<Finding>, usize), MirrorError> {
        let mut general = findings::moved(self.policy, &self.filled.facts, &self.mirror.memory()?);
        general.retain(|finding| self.scope.holds(finding.time));
        for finding in &mut general {
            held.accept(finding);
        }
        let mut settled = 0;
        for task in self.mirror.unseen(&self.filled.sync)? {
            let past = task.id.map_or(&[][..], |id| past::on(&held.past, id));
            let mut finding = findings::unseen(&task, past, self.filled.sync.now);
            settled += usize::from(held.accept(&mut finding));
            general.push(finding);
        }
        Ok((general, settled))
    }
}

impl AuditResult<'_> {
    /// The report of it.
    pub fn report(&self) -> Report<'_> {
        let AuditInputs { base, policy, filled, scope, offline, .. } = self.inputs;
        Report {
            base,
            policy,
            now: filled.sync.now,
            offline,
            population: &filled.population,
            unread: &self.unread,
            general: &self.general,
            settled: self.settled,
            since: scope.since,
            until: scope.until,
            reason: scope.reason.as_deref(),
            newest_deploy: self.newest_deploy,
            figures: &self.figures,
            tasks: &self.tasks,
        }
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
    fn of(inputs: &AuditInputs<'a>) -> Result<Self, MirrorError> {
        let accepted = inputs.accepted;
        let used = vec![false; accepted.len()];
        Ok(Self { past: inputs.mirror.found()?, digest: inputs.policy.digest(), accepted, used, found: Vec::new() })
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
