//! The audit of one task: each deploy that its records speak of, judged as the task was then, and what is to be found
//! fault with.
//!
//! Responsible for [`audit_task`], a pure function of evidence and policy. Beside it: how deploys are judged, the findings,
//! one a file, and around it the shell: the [`mirror`] that keeps what was read, the [`reader`] that fills it, and
//! [`replay`] that judges what it holds; how much of the [`population`] was seen, and how far an audit has come ([`progress`]). Not responsible for how findings are
//! shown ([`crate::report`]).

mod against;
mod as_recorded;
mod cuts;
mod deploys;
pub mod encoded;
pub mod error;
mod fetcher;
pub mod findings;
pub mod memory;
pub mod mirror;
mod mirrored;
pub mod past;
pub mod population;
pub mod progress;
pub mod reader;
mod removed;
mod replay;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod unread;

pub use as_recorded::KnownPolicies;
pub use deploys::Deploy;
pub use findings::{Finding, Severity};
pub use replay::replay;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crate::evidence::{Evidence, Tagged};
use crate::ids::TaskId;
use crate::policy::{Policy, PolicyDigest};
use crate::rules::stated;
use deploys::DeployAssessments;
use findings::Case;
use memory::Memory;
use mirror::lost::Lost;

/// More threads than this only wait for the one that writes.
const MOST_THREADS: usize = 8;

/// How many threads read and judge: one for each processor, up to a few.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS)
}

/// By what is judged.
#[derive(Debug, Clone)]
pub struct AuditPolicy<'a> {
    policy: &'a Policy,
    /// Its digest, which takes its time to be computed.
    digest: PolicyDigest,
    /// Earlier policies of ours.
    known: KnownPolicies,
    /// What earlier audits saw.
    memory: Arc<Memory>,
}

impl<'a> AuditPolicy<'a> {
    /// Judging by this policy.
    pub fn new(policy: &'a Policy) -> Self {
        Self { policy, digest: policy.digest(), known: KnownPolicies::new(), memory: Arc::default() }
    }

    /// The same, knowing earlier policies of ours: what a record under one of them says of who was in a team is believed.
    #[must_use]
    pub fn knowing(self, known: KnownPolicies) -> Self {
        Self { known, ..self }
    }

    /// The same, knowing what earlier audits saw.
    #[must_use]
    pub fn remembering(self, memory: Arc<Memory>) -> Self {
        Self { memory, ..self }
    }
}

/// What the audit of one task comes to.
#[derive(Debug, Clone)]
pub struct TaskAudit {
    /// The task.
    pub task: TaskId,
    /// Its texts may not be shown, nor may those of its deploys. The messages of the findings hold none of them.
    pub restricted: bool,
    /// Its title now; `None` where its texts may not be shown.
    pub title: Option<String>,
    /// It carries the tag now.
    pub tagged_now: bool,
    /// It is stated to be a fire drill now. Whether one of its deploys was one is of that deploy.
    pub drill: bool,
    /// The keys of the policy's teams.
    pub teams: Vec<String>,
    /// Its deploys, the one recorded first before the others.
    pub deploys: Vec<Deploy>,
    /// What was found, oldest first.
    pub findings: Vec<Finding>,
    /// A later audit of the same evidence finds the same: nothing of it depends on when it is made.
    pub lasts: bool,
}

/// What the server denies of what the mirror saw of a task that cannot be judged. The texts are hidden where the task is
/// restricted.
fn denied_of(evidence: &Evidence, audit_policy: &AuditPolicy<'_>, lost: &[Lost]) -> Vec<Finding> {
    let policy = audit_policy.policy;
    let case = Case {
        evidence,
        as_returned: evidence,
        policy,
        digest: &audit_policy.digest,
        task_state: &stated(evidence, policy, None),
        assessments: &[],
        foreign: &[],
        lost,
        hide: evidence.is_restricted(&policy.open_spaces),
    };
    let mut findings = findings::denied(&case);
    findings.sort_by_key(|finding| (finding.time, finding.transaction));
    findings::distinguish(&mut findings);
    findings
}

/// Audits one task. The evidence is that of the task, whole and as it is now, gathered by somebody who deploys nothing.
/// Who deployed is taken from each deploy's own records, so that one deployer does not stain another's deploy.
/// `lost` is what the mirror saw of the task and the server now denies.
pub fn audit_task(evidence: &Evidence, audit_policy: &AuditPolicy<'_>, lost: &[Lost]) -> TaskAudit {
    let policy = audit_policy.policy;
    let as_returned = evidence;
    let evidence = &*removed::with_known_texts(as_returned, policy, lost);
    let task_state = Arc::new(stated(evidence, policy, None));
    let DeployAssessments { assessments, foreign } = deploys::assessments(evidence, audit_policy, &task_state);
    let restricted = evidence.is_restricted(&policy.open_spaces);
    let case = Case {
        evidence,
        as_returned,
        policy,
        digest: &audit_policy.digest,
        task_state: &task_state,
        assessments: &assessments,
        foreign: &foreign,
        lost,
        hide: restricted,
    };
    let mut findings: Vec<Finding> = findings::ALL.iter().flat_map(|rule| (rule.find)(rule, &case)).collect();
    findings.sort_by_key(|finding| (finding.time, finding.transaction));
    findings::distinguish(&mut findings);
    // Whether a follow-up is overdue, and a deploy without an end stranded, is a matter of time.
    let lasts = policy.follow_up.is_none()
        && assessments.iter().all(|assessment| assessment.deploy.records.unfinished().is_none());
    TaskAudit {
        task: evidence.task.id,
        lasts,
        restricted,
        title: (!restricted).then(|| evidence.task.title.clone()),
        tagged_now: matches!(task_state.tagged, Tagged::Since(_)),
        drill: task_state.is_drill(),
        teams: policy.teams.iter().map(|team| team.key.clone()).collect(),
        deploys: assessments.into_iter().map(|assessment| assessment.deploy).collect(),
        findings,
    }
}
