//! What of the history an audit is asked about: a period, a reason.
//!
//! Responsible for what of a task belongs to it. Not responsible for how the command line states it ([`super::audit`]).

use jiff::Timestamp;

use super::exit::Failure;
use crate::audit::encoded::EncodedInParts;
use crate::audit::population::AuditError;
use crate::report::entry::{DeployEntry, TaskEntry};

/// How a time is written, for whoever wrote it otherwise.
pub(super) const WHEN: &str =
    "write a day such as 2026-11-01, or a moment such as 2026-11-01T03:00:00Z or '2026-11-01 03:00 UTC'";

/// What is asked about.
pub(super) struct Scope {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) reason: Option<String>,
}

impl Scope {
    /// Refuses a period in which nothing can have happened: it would look clean. `now` is the time of the evidence.
    pub(super) fn check(&self, now: Option<Timestamp>) -> Result<(), Failure> {
        let nothing = |why: &str| Err(Failure::usage(format!("{why}: nothing can have happened"), WHEN));
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => nothing("--since is not before --until"),
            (Some(since), _) if now.is_some_and(|now| since > now) => nothing("--since is later than the evidence"),
            _ => Ok(()),
        }
    }

    pub(super) fn holds(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// What of a task is asked about; `None` where nothing is.
    pub(super) fn narrow(
        &self,
        told: EncodedInParts<TaskEntry>,
    ) -> Result<Option<EncodedInParts<TaskEntry>>, AuditError> {
        if self.since.is_none() && self.until.is_none() && self.reason.is_none() {
            return Ok((!told.value().is_empty()).then_some(told));
        }
        let unwritten = |error: serde_json::Error| AuditError::Spool(error.into());
        let narrowed = self.narrow_entry(told.into_value().map_err(unwritten)?);
        narrowed.map(EncodedInParts::new).transpose().map_err(unwritten)
    }

    /// The same of an entry. A deploy whose reason nobody knows may be for any.
    fn narrow_entry(&self, mut task: TaskEntry) -> Option<TaskEntry> {
        let is_for =
            |reason: Option<&String>| self.reason.is_none() || reason.is_none() || self.reason.as_ref() == reason;
        let had_deploys = !task.deploys.is_empty();
        let all: Vec<_> = task.deploys.iter().map(|deploy| deploy.deploy).collect();
        task.deploys.retain(|deploy| is_for(deploy.reason.as_ref()));
        // What is not about a deploy belongs to the task: it goes with the task's deploys, or stands alone.
        let asked = self.reason.is_none() || !had_deploys || !task.deploys.is_empty();
        // A deploy is in the period by the start that it states as well as by its record, since who deploys may state
        // any start; and it stays with what was done about it in the period, however old it is.
        let findings = &task.findings;
        let touched = |deploy: &DeployEntry| {
            let mut about = findings.iter().filter(|finding| finding.deploy == Some(deploy.deploy));
            about.any(|finding| self.holds(finding.time))
        };
        task.deploys.retain(|deploy| self.holds(deploy.time()) || self.holds(deploy.recorded) || touched(deploy));
        let ids: Vec<_> = task.deploys.iter().map(|deploy| deploy.deploy).collect();
        task.findings.retain(|finding| match finding.deploy {
            Some(deploy) if all.contains(&deploy) => ids.contains(&deploy),
            // Of a deploy whose records are gone it is not known for which reason it was.
            _ => (asked || finding.deploy.is_some()) && self.holds(finding.time),
        });
        (!task.is_empty()).then_some(task)
    }
}
