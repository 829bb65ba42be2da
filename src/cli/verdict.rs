//! What is shown of a task beside the verdict, and both for programs.
//!
//! Responsible for what may be shown, and for the JSON of `check`, as pure functions. Not responsible for the decision itself, nor for
//! the screen of people ([`super::verdict_screen`]).

use jiff::Timestamp;
use serde::Serialize;

use super::said::{self, JsonNearMiss};
use super::session::Session;
use crate::attribution::ApprovalKind;
use crate::gate::heard::{Heard, heard};
use crate::gate::{AskersVerdict, Assessment, Invocation, Task};
use crate::ids::{TaskId, TransactionId};
use crate::layout::{MIND, hanging, styled};
use crate::policy::Policy;
use crate::record::Deployer;
use crate::rules::{self, Decision, RuleOutcome, TeamCount, Texts, Verdict};
use crate::text::inert;

/// The schema of `check --format json`.
pub(super) const SCHEMA: &str = "phabgate/check/1";

/// What is shown beside the verdict.
#[derive(Debug, Clone, Default)]
pub(super) struct VerdictSubject {
    /// The task's page.
    pub(super) url: String,
    /// Its title; `None` where it is restricted or not visible.
    pub(super) title: Option<String>,
    /// It is shown to fewer people than everyone with an account; `None` where that is not known.
    pub(super) restricted: Option<bool>,
    /// What to write in the configuration if everybody may see the Space that alone makes it restricted.
    pub(super) space: Option<String>,
    /// The category of its reason; `None` where there is none or it may not be shown.
    pub(super) category: Option<String>,
    /// The explanation; `None` where there is none or it may not be shown.
    pub(super) explanation: Option<String>,
    /// It is a drill.
    pub(super) drill: bool,
    /// Who deploys, first, and every other account that could be behind it.
    pub(super) behind: Vec<Deployer>,
    /// What is about to be deployed, as the task states it; `None` where it may not be shown.
    pub(super) change: Option<String>,
    /// Who deploys, where that is surely not who asks.
    pub(super) somebody_else: Option<String>,
    /// The titles of the teams that are informed and asked nothing.
    pub(super) informed: Vec<String>,
    /// When it was judged, by the server's clock.
    pub(super) now: Option<Timestamp>,
    /// What members of the teams said on it, newest first.
    pub(super) said: Vec<Heard>,
    /// Its last deploy failed, and was not rolled back since.
    pub(super) last_failed: bool,
    /// How the gate was called.
    pub(super) invocation: Invocation,
}

impl VerdictSubject {
    /// What is known of a task that was read, or was not; texts of a restricted task only where they may be shown.
    pub(super) fn of(assessment: &Assessment, session: &Session) -> Self {
        let url = assessment.number.url(session.base());
        let invocation = session.context().invocation;
        match assessment.task() {
            Some(task) => {
                let subject = Self::of_task(task, &session.settings.policy, url, session.texts);
                let somebody_else = subject.somebody_else.filter(|name| {
                    session.calling_account.as_ref().is_none_or(|account| !account.eq_ignore_ascii_case(name))
                });
                Self { somebody_else, invocation, ..subject }
            }
            None => Self { url, now: assessment.now(), invocation, ..Self::default() },
        }
    }

    /// The same of a task that was read.
    pub(super) fn of_task(task: &Task, policy: &Policy, url: String, texts: Texts) -> Self {
        let Task { evidence, state, .. } = task;
        let restricted = evidence.is_restricted(&policy.open_spaces);
        let show = texts.are_shown(evidence, policy);
        let behind = task.behind(show);
        let owner = &evidence.owner.username;
        let somebody_else = behind.first().filter(|deployer| !deployer.user.eq_ignore_ascii_case(owner));
        let category = state.written.as_ref().filter(|_| show).and_then(|written| written.category.clone());
        let explanation = state.written.as_ref().filter(|_| show).map(|written| written.explanation.clone());
        Self {
            url,
            title: show.then(|| evidence.task.title.clone()),
            restricted: Some(restricted),
            space: evidence
                .task
                .restricting_space(&policy.open_spaces)
                .map(|space| policy.with_open_space(space.as_str())),
            category,
            explanation: explanation.filter(|words| !words.is_empty()),
            drill: state.is_drill(),
            change: state.change.as_ref().filter(|_| show).map(|change| change.value.clone()),
            somebody_else: somebody_else.map(|deployer| deployer.user.clone()),
            behind,
            informed: policy.informed().map(|team| team.title.clone()).collect(),
            now: Some(evidence.now),
            said: heard(evidence, policy, show),
            last_failed: rules::last_deploy_failed(evidence, policy),
            invocation: Invocation::default(),
        }
    }
}

/// A verdict for programs; fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
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
    pub(super) if_you_deploy: Option<JsonIfYouDeploy<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct JsonIfYouDeploy<'a> {
    user: &'a str,
    verdict: &'static str,
    rules: &'a [RuleOutcome],
}

/// What would differ from the verdict if who reads deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IfYouDeploy {
    /// Their username.
    user: String,
    /// What would be decided.
    decision: Decision,
    /// The rules that would find something else.
    rules: Vec<RuleOutcome>,
}

impl IfYouDeploy {
    /// Compares the verdict with that of who reads; `None` where no rule would find anything else.
    pub(super) fn new(verdict: &Verdict, asker: &AskersVerdict) -> Option<Self> {
        let AskersVerdict { user, verdict: theirs } = asker.clone();
        let found =
            |name: String, outcome| verdict.rules.iter().any(|rule| rule.name == name && rule.outcome == outcome);
        let differs = |rule: &RuleOutcome| !found(rule.name.clone(), rule.outcome);
        let rules: Vec<RuleOutcome> = theirs.rules.into_iter().filter(differs).collect();
        (!rules.is_empty()).then_some(Self { user, decision: theirs.decision, rules })
    }

    /// In one line for people, wrapped.
    pub(super) fn text(&self, width: usize) -> String {
        let why: Vec<String> = self.rules.iter().map(|rule| format!("{}: {}", rule.name, rule.message)).collect();
        let line = format!("as {}, it is {}; {}", inert(&self.user), self.decision.word(), why.join("; "));
        format!("\n{}", hanging(&format!("{} ", styled(MIND, "If you deploy")), 14, &line, width))
    }

    /// For programs.
    pub(super) fn json(&self) -> JsonIfYouDeploy<'_> {
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
pub(super) fn json<'a>(
    task: TaskId,
    subject: &'a VerdictSubject,
    verdict: &'a Verdict,
    policy: &Policy,
    announcement: Option<&'a str>,
) -> Json<'a> {
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
    Json {
        schema: SCHEMA,
        task,
        url: &subject.url,
        verdict: verdict.decision.word(),
        title: subject.title.as_deref(),
        restricted: subject.restricted,
        drill: subject.drill,
        reason: category.map(|category| JsonReason { category, explanation: subject.explanation.as_deref() }),
        deployer: subject.behind.first(),
        behind: subject.behind.get(1..).unwrap_or_default(),
        rules: &verdict.rules,
        approvals: approvals.collect(),
        teams: &verdict.teams,
        near_misses: said::near_misses(&verdict.near_misses, subject.title.is_some()),
        said: said::json(&subject.said),
        policy: policy.digest().to_string(),
        time: subject.now,
        announcement,
        if_you_deploy: None,
    }
}
