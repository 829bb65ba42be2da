//! A verdict for programs: the JSON of `check`.
//!
//! Responsible for its fields, as pure functions. Not responsible for what may be in them ([`super::subject`]).

use jiff::Timestamp;
use serde::Serialize;

use super::subject::VerdictSubject;
use crate::attribution::ApprovalKind;
use crate::evidence::NearKind;
use crate::gate::AskersVerdict;
use crate::gate::heard::Heard;
use crate::ids::{TaskId, TransactionId};
use crate::policy::Policy;
use crate::record::Deployer;
use crate::rules::{Decision, Effect, JudgedNearMiss, RuleOutcome, TeamCount, Verdict};
use crate::witness::Code;

/// The schema of `check --format json`.
pub const VERDICT_SCHEMA: &str = "phabgate/check/1";

/// How many of what was said programs get.
const MOST: usize = 50;
/// How long each may be for programs, in characters.
const LONGEST: usize = 500;

/// A verdict for programs; fields are only ever added.
#[derive(Debug, Serialize)]
pub struct JsonVerdict<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    verdict: &'static str,
    title: Option<&'a str>,
    restricted: Option<bool>,
    drill: bool,
    reason: Option<JsonReason<'a>>,
    deployer: Option<&'a Deployer>,
    behind: &'a [Deployer],
    code: Option<Code>,
    rules: &'a [RuleOutcome],
    approvals: Vec<JsonApproval<'a>>,
    teams: &'a [TeamCount],
    near_misses: Vec<JsonNearMiss<'a>>,
    said: Vec<Heard>,
    policy: String,
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<&'a str>,
    /// What would differ if who reads deployed; left out where nothing would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_you_deploy: Option<JsonIfYouDeploy<'a>>,
}

/// What would differ if who reads deployed, for programs.
#[derive(Debug, Serialize)]
pub struct JsonIfYouDeploy<'a> {
    user: &'a str,
    verdict: &'static str,
    rules: &'a [RuleOutcome],
}

/// What would differ from the verdict if who reads deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfYouDeploy {
    /// Their username.
    pub user: String,
    /// What would be decided.
    pub decision: Decision,
    /// The rules that would find something else.
    pub rules: Vec<RuleOutcome>,
}

impl IfYouDeploy {
    /// Compares the verdict with that of who reads; `None` where no rule would find anything else.
    pub fn new(verdict: &Verdict, asker: &AskersVerdict) -> Option<Self> {
        let AskersVerdict { user, verdict: theirs } = asker.clone();
        let found =
            |name: String, outcome| verdict.rules.iter().any(|rule| rule.name == name && rule.outcome == outcome);
        let differs = |rule: &RuleOutcome| !found(rule.name.clone(), rule.outcome);
        let rules: Vec<RuleOutcome> = theirs.rules.into_iter().filter(differs).collect();
        (!rules.is_empty()).then_some(Self { user, decision: theirs.decision, rules })
    }

    /// For programs.
    pub fn json(&self) -> JsonIfYouDeploy<'_> {
        JsonIfYouDeploy { user: &self.user, verdict: self.decision.word(), rules: &self.rules }
    }
}

#[derive(Debug, Serialize)]
struct JsonReason<'a> {
    category: &'a str,
    explanation: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonApproval<'a> {
    team: &'a str,
    user: &'a str,
    kind: ApprovalKind,
    counts: bool,
    why_not: Option<String>,
    transaction: Option<TransactionId>,
    time: Timestamp,
    evidence: Option<&'a str>,
}

/// The verdict for programs.
pub fn verdict<'a>(
    task: TaskId,
    subject: &'a VerdictSubject,
    verdict: &'a Verdict,
    policy: &Policy,
    announcement: Option<&'a str>,
) -> JsonVerdict<'a> {
    let approvals = verdict.approvals.iter().map(|approval| JsonApproval {
        team: &approval.team,
        user: &approval.user,
        kind: approval.kind,
        counts: approval.counts(),
        why_not: approval.why_not.as_ref().map(ToString::to_string),
        transaction: approval.transaction,
        time: approval.time,
        evidence: approval.evidence.as_deref(),
    });
    let category = subject.category.as_deref();
    JsonVerdict {
        schema: VERDICT_SCHEMA,
        task,
        url: &subject.url,
        verdict: verdict.decision.word(),
        title: subject.title.as_deref(),
        restricted: subject.restricted,
        drill: subject.drill,
        reason: category.map(|category| JsonReason { category, explanation: subject.explanation.as_deref() }),
        deployer: subject.behind.first(),
        behind: subject.behind.get(1..).unwrap_or_default(),
        code: subject.code,
        rules: &verdict.rules,
        approvals: approvals.collect(),
        teams: &verdict.teams,
        near_misses: near_misses(&verdict.near_misses, subject.title.is_some()),
        said: heard_by_programs(&subject.said),
        policy: policy.digest().to_string(),
        time: subject.now,
        announcement,
        if_you_deploy: None,
    }
}

/// What was said, for programs.
fn heard_by_programs(heard: &[Heard]) -> Vec<Heard> {
    let cut = |text: &String| text.chars().take(LONGEST).collect::<String>();
    let shown = heard.iter().take(MOST).cloned();
    shown.map(|one| Heard { text: one.text.as_ref().map(cut), ..one }).collect()
}

/// A near miss for programs.
#[derive(Debug, Serialize)]
struct JsonNearMiss<'a> {
    kind: NearKind,
    user: &'a str,
    time: Timestamp,
    transaction: TransactionId,
    /// `None` where the task is restricted.
    line: Option<&'a str>,
    effect: Effect,
    why: &'a str,
    write: Option<&'a str>,
}

/// The near misses of a verdict for programs.
fn near_misses(judged: &[JudgedNearMiss], show: bool) -> Vec<JsonNearMiss<'_>> {
    let near = judged.iter().map(|near| JsonNearMiss {
        kind: near.kind,
        user: &near.user,
        time: near.moment.time,
        transaction: near.moment.transaction,
        line: show.then_some(near.line.as_str()),
        effect: near.effect,
        why: &near.why,
        write: near.write.as_deref(),
    });
    near.collect()
}
