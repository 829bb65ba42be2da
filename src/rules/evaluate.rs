//! The evaluator: evidence, policy and what the deployer says in, a verdict out. One for `check`, `run` and `audit`.
//!
//! Responsible for the order of the rules and what they share. Each rule has a file of its own.

use jiff::Timestamp;

use super::approvals::{ApprovalEvaluator, JudgedApproval};
use super::task_visible;
use super::verdict::{Decision, JudgedNearMiss, RuleOutcome, StandingNo, TeamCount, Verdict};
use crate::evidence::records::PostedRecord;
use crate::evidence::timeline::AsOf;
use crate::evidence::{Evidence, TaskState};
use crate::ids::{DeployId, TaskId};
use crate::policy::{Action, Policy};

/// What the deployer says about what is going to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// What will be done.
    pub action: Option<Action>,
    /// What will be deployed.
    pub change: Option<String>,
    /// Why a fix and not a rollback.
    pub why_not_rollback: Option<String>,
    /// The deploy that is being decided, where it has an id: its own records do not count against it.
    pub deploy: Option<DeployId>,
}

/// Whether texts of a restricted task stand in what is said of it. They decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Texts {
    /// They are left out.
    #[default]
    Hidden,
    /// Who asks asked to see them.
    Shown,
}

impl Texts {
    /// Whether they stand in what is said of this task.
    pub fn are_shown(self, evidence: &Evidence, policy: &Policy) -> bool {
        self == Self::Shown || !evidence.is_restricted(&policy.open_spaces)
    }
}

/// What rules judge by.
pub(super) struct EvaluationContext<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) policy: &'a Policy,
    pub(super) intent: &'a Intent,
    pub(super) task_state: &'a TaskState,
    /// The moment that is judged; none is now.
    pub(super) as_of: Option<AsOf>,
    /// The time then, by the server's clock.
    pub(super) now: Timestamp,
    pub(super) judged: &'a JudgedApproval,
    pub(super) teams: &'a [TeamCount],
    pub(super) records: &'a [PostedRecord],
    pub(super) near_misses: &'a [JudgedNearMiss],
    /// The status that the task had at the moment that is judged.
    pub(super) status: &'a str,
    /// Texts of the task are not to be shown.
    pub(super) hide: bool,
}

impl EvaluationContext<'_> {
    /// A text of the task in quotes, or that it is hidden.
    pub(super) fn quote(&self, text: &str) -> String {
        match self.hide {
            true => "(hidden: the task is restricted)".to_owned(),
            false => format!("'{}'", crate::text::shorten(text, 120)),
        }
    }

    /// The username behind a PHID, fit to be shown.
    pub(super) fn name_of(&self, phid: &str) -> String {
        self.evidence.name_of(phid)
    }

    /// The monogram of the task.
    pub(super) fn task(&self) -> TaskId {
        self.evidence.task.id
    }

    /// What is about to be done: what the deployer says, else what the task states.
    pub(super) fn action(&self) -> Option<Action> {
        self.intent.action.or_else(|| Action::named(&self.task_state.action.as_ref()?.value))
    }

    /// The command that makes the task state something else, which voids the approvals so far.
    pub(super) fn restate(&self, option: &str) -> String {
        let category = self.task_state.written.as_ref().and_then(|written| written.category.as_deref());
        let reason = if category.is_some() { "" } else { "--reason CATEGORY " };
        format!("state it: `phabgate request {} {reason}{option}`", self.task())
    }
}

/// A task that was read, what it states, and the verdict on it: made once, and passed on.
#[derive(Debug, Clone, Copy)]
pub struct JudgedTask<'a> {
    /// What was read.
    pub evidence: &'a Evidence,
    /// What the task states.
    pub state: &'a TaskState,
    /// What is decided.
    pub verdict: &'a Verdict,
}

/// What a task states at a moment, or now, for whoever needs no verdict. An audit asks for many moments, and for one by several
/// evidences.
pub fn stated(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>) -> TaskState {
    TaskState::derive(evidence, policy, as_of)
}

/// What a task states at a moment, or now, and the verdict on a deploy of it then.
pub fn judge(
    evidence: &Evidence,
    policy: &Policy,
    intent: &Intent,
    as_of: Option<AsOf>,
    texts: Texts,
) -> (TaskState, Verdict) {
    let state = stated(evidence, policy, as_of);
    let verdict = judge_by(evidence, policy, intent, as_of, &state, texts, super::judge_all);
    (state, verdict)
}

/// The verdict alone, without texts of a restricted task.
pub fn evaluate(evidence: &Evidence, policy: &Policy, intent: &Intent, as_of: Option<AsOf>) -> Verdict {
    judge(evidence, policy, intent, as_of, Texts::Hidden).1
}

/// The same, by the state of that moment, for whoever has read it already.
pub fn evaluate_with_state(
    evidence: &Evidence,
    policy: &Policy,
    intent: &Intent,
    as_of: Option<AsOf>,
    task_state: &TaskState,
) -> Verdict {
    judge_by(evidence, policy, intent, as_of, task_state, Texts::Hidden, super::judge_all)
}

/// Judges a deploy as it was at a moment, whatever other deploys of the task were under way then.
pub(super) fn evaluate_alone(
    evidence: &Evidence,
    policy: &Policy,
    intent: &Intent,
    as_of: AsOf,
    task_state: &TaskState,
) -> Verdict {
    judge_by(evidence, policy, intent, Some(as_of), task_state, Texts::Hidden, super::judge_alone)
}

fn judge_by(
    evidence: &Evidence,
    policy: &Policy,
    intent: &Intent,
    as_of: Option<AsOf>,
    task_state: &TaskState,
    texts: Texts,
    rules: fn(&EvaluationContext<'_>) -> Vec<RuleOutcome>,
) -> Verdict {
    let hide = !texts.are_shown(evidence, policy);
    // Then was then: what was fresh at that moment has not grown old since.
    let now = as_of.map_or(evidence.now, |as_of| as_of.time);
    let bench = ApprovalEvaluator { evidence, policy, task_state, as_of, now, hide };
    let judged = bench.judge();
    let teams = bench.count(intent.action, &judged.approvals);
    let near_misses = bench.near_misses(&judged.approvals);
    let records = evidence.records(policy, as_of);
    let state = evidence.timeline.state(&evidence.task, policy.field.as_deref(), as_of);
    let context = EvaluationContext {
        evidence,
        policy,
        intent,
        task_state,
        as_of,
        now,
        judged: &judged,
        teams: &teams,
        records: &records,
        near_misses: &near_misses,
        status: &state.status,
        hide,
    };
    let outcomes = rules(&context);
    let standing = judged.rejections.iter().filter(|rejection| rejection.counts && rejection.removed_by.is_none());
    let mut rejections: Vec<StandingNo> = standing
        .map(|rejection| StandingNo { user: evidence.name_of(rejection.author.as_str()), time: rejection.time })
        .collect();
    rejections.sort_by_key(|no| no.time);
    Verdict {
        decision: Decision::from_outcomes(&outcomes),
        rules: outcomes,
        approvals: judged.approvals,
        teams,
        near_misses,
        rejections,
    }
}

/// The verdict on a task that this account is not shown.
pub fn not_visible(task: TaskId, account: &str) -> Verdict {
    let rules = vec![task_visible::not_visible(task, account)];
    Verdict {
        decision: Decision::from_outcomes(&rules),
        rules,
        approvals: Vec::new(),
        teams: Vec::new(),
        near_misses: Vec::new(),
        rejections: Vec::new(),
    }
}
