//! What of the history an audit is asked about: a period, a reason.
//!
//! Responsible for what of a task belongs to it. Not responsible for how it is written.

use jiff::Timestamp;

use super::entry::{DeployEntry, TaskEntry};
use crate::audit::encoded::EncodedInParts;
use crate::audit::error::AuditError;

/// Why nothing can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmptyPeriod {
    /// The period ends before it begins.
    #[error("--since is not before --until: nothing can have happened")]
    Reversed,
    /// It begins after what is known.
    #[error("--since is later than the evidence: nothing can have happened")]
    Ahead,
}

/// What is asked about.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only what happened from then on.
    pub since: Option<Timestamp>,
    /// Only what happened before then.
    pub until: Option<Timestamp>,
    /// Only deploys for this category of reason.
    pub reason: Option<String>,
}

impl Scope {
    /// Refuses a period in which nothing can have happened: it would look clean. `now` is the time of the evidence.
    ///
    /// # Errors
    /// Where it is one.
    pub fn check(&self, now: Option<Timestamp>) -> Result<(), EmptyPeriod> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if since >= until => Err(EmptyPeriod::Reversed),
            (Some(since), _) if now.is_some_and(|now| since > now) => Err(EmptyPeriod::Ahead),
            _ => Ok(()),
        }
    }

    /// Whether a moment is in the period.
    pub fn holds(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// Whether a deploy is for the category that is asked about, or may be.
    fn is_for(&self, deploy: &DeployEntry) -> bool {
        self.reason.is_none() || deploy.reason.is_none() || self.reason == deploy.reason
    }

    /// When the newest deploy of a task was that is for the category that is asked about, whenever that was.
    pub(super) fn newest_deploy(&self, task: &TaskEntry) -> Option<Timestamp> {
        task.deploys.iter().filter(|deploy| self.is_for(deploy)).map(DeployEntry::time).max()
    }

    /// What of a task is asked about; `None` where nothing is.
    pub(super) fn narrow(
        &self,
        entry: EncodedInParts<TaskEntry>,
    ) -> Result<Option<EncodedInParts<TaskEntry>>, AuditError> {
        if self.since.is_none() && self.until.is_none() && self.reason.is_none() {
            return Ok((!entry.value().is_empty()).then_some(entry));
        }
        let unwritten = |error: serde_json::Error| AuditError::Spool(error.into());
        let narrowed = self.narrow_entry(entry.into_value().map_err(unwritten)?);
        narrowed.map(EncodedInParts::new).transpose().map_err(unwritten)
    }

    /// The same of an entry. A deploy whose reason nobody knows may be for any.
    fn narrow_entry(&self, mut task: TaskEntry) -> Option<TaskEntry> {
        let had_deploys = !task.deploys.is_empty();
        let all: Vec<_> = task.deploys.iter().map(|deploy| deploy.deploy).collect();
        task.deploys.retain(|deploy| self.is_for(deploy));
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
