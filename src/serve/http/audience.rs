//! What of an open emergency somebody is shown.
//!
//! Responsible for that, by who asks and by who may see the task: one place, for verdicts, lists, streams and pages. Not responsible for the
//! form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::guard::Principal;
use crate::ids::{TaskId, TransactionId};
use crate::policy::Policy;
use crate::rules::{Approval, JudgedNearMiss, RuleOutcome, StandingNo, TeamCount, Verdict, WhyNot};
use crate::serve::audience::Audience;
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::deploys::Deploy;
use crate::serve::paging::TeamPaging;
use crate::serve::reported::{Said, SaidPhase, SaidWaiting};
use crate::serve::witnessing::{Unwritten, UnwrittenWord};
use crate::view::{self, VerdictSubject};
use crate::witness::{Code, WitnessedWord};

/// What somebody is shown of a task, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::serve) enum Shown {
    /// All that the service's own account is shown, but for the texts of restricted tasks.
    Whole,
    /// Its number, its teams and names.
    Names,
    /// Its number alone.
    Number,
}

impl Shown {
    /// What `principal` is shown of a task that `audience` may see.
    pub(in crate::serve) fn to(principal: &Principal, audience: Audience) -> Self {
        match (principal, audience) {
            // The texts of a restricted task are in nothing that the watch keeps.
            (Principal::Token(_) | Principal::Account(_), _) | (_, Audience::Public) => Self::Whole,
            (Principal::Loopback | Principal::Nobody, Audience::Users) => Self::Names,
            (Principal::Loopback | Principal::Nobody, Audience::Restricted) => Self::Number,
        }
    }
}

/// A verdict of which its readers are shown less than everything; fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Less<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    verdict: &'static str,
    /// `None` of a restricted task.
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<&'a [TeamCount]>,
    policy: String,
}

/// The verdict of a task as JSON, as far as it is shown.
///
/// # Errors
/// Where it cannot be written as JSON.
pub(super) fn verdict(watched: &WatchedTask, shown: Shown, policy: &Policy) -> serde_json::Result<serde_json::Value> {
    let less = |teams| Less {
        schema: view::VERDICT_SCHEMA,
        task: watched.task,
        url: &watched.subject.url,
        verdict: watched.verdict.decision.word(),
        teams,
        policy: policy.digest().to_string(),
    };
    match shown {
        Shown::Whole => {
            serde_json::to_value(view::verdict(watched.task, &watched.subject, &watched.verdict, policy, None))
        }
        Shown::Names => serde_json::to_value(less(Some(&watched.verdict.teams))),
        Shown::Number => serde_json::to_value(less(None)),
    }
}

/// An open emergency as a page for people shows it. What somebody is not shown is not in it, so that no page can show it.
#[derive(Debug)]
pub(in crate::serve) struct Seen<'a> {
    /// The task.
    pub task: TaskId,
    /// Its address on the server.
    pub url: &'a str,
    /// What is decided.
    pub decision: &'static str,
    /// Since when it is an open emergency.
    pub since: Timestamp,
    /// Its teams and names; `None` where the number alone is shown.
    pub names: Option<SeenNames<'a>>,
    /// The rest; `None` where names alone are shown.
    pub whole: Option<SeenWhole<'a>>,
}

/// What those are shown who see names.
#[derive(Debug)]
pub(in crate::serve) struct SeenNames<'a> {
    /// How many approvals each team has, and who could give more.
    pub teams: &'a [TeamCount],
    /// Each no that stands and stops the deploy.
    pub rejections: &'a [StandingNo],
    /// The code by which what is said on IRC names what is approved.
    pub code: Option<Code>,
    /// It is a drill.
    pub drill: bool,
    /// Its deploys; commands only where the rest is shown too.
    pub deploys: Vec<Deploy>,
    /// How they go on, as their deployers say, each by the transaction of its `started`.
    pub phases: BTreeMap<TransactionId, SaidPhase>,
    /// Whether notices are said on it.
    pub speaks: &'a Speaks,
    /// Who is asked of the teams that are missing, and who was paged.
    pub paging: Vec<TeamPaging>,
    /// What was said on IRC and is not on the task; the reasons that people gave only where the rest is shown too.
    pub spoken: Unwritten,
}

/// What those are shown who see all.
#[derive(Debug)]
pub(in crate::serve) struct SeenWhole<'a> {
    /// What is shown beside the verdict; without texts where the task is restricted.
    pub subject: &'a VerdictSubject,
    /// The rules and what they found.
    pub rules: &'a [RuleOutcome],
    /// What was answered.
    pub approvals: Vec<SeenApproval<'a>>,
    /// What reads as an answer and is none.
    pub near_misses: Vec<SeenNearMiss<'a>>,
    /// The runs that are said to wait; none where the task is restricted.
    pub waiting: Vec<SaidWaiting>,
}

/// An answer.
#[derive(Debug)]
pub(in crate::serve) struct SeenApproval<'a> {
    /// It as it was judged.
    pub approval: &'a Approval,
    /// The team that it names; `None` where that is a text of a restricted task.
    pub team: Option<&'a str>,
    /// Where an attested one can be looked up.
    pub evidence: Option<&'a str>,
}

/// A near miss.
#[derive(Debug)]
pub(in crate::serve) struct SeenNearMiss<'a> {
    /// It as it was judged.
    pub near: &'a JudgedNearMiss,
    /// The line; `None` where the task is restricted.
    pub line: Option<&'a str>,
}

/// Whether a yes that does not count is replaced by what the same person said since, and what the task shows: a no that stands, or an
/// approval.
fn is_outdated(unwritten: &UnwrittenWord, verdict: &Verdict) -> bool {
    let UnwrittenWord { word, is_open, .. } = unwritten;
    let Some(speaker) = word.speaker.as_ref().filter(|_| word.word == WitnessedWord::Approve && !is_open) else {
        return false;
    };
    let is_later = |user: &str, time: Timestamp| user.eq_ignore_ascii_case(&speaker.user) && time > word.heard;
    let is_of_team = |approval: &Approval| word.team.as_ref().is_none_or(|team| *team == approval.team);
    let approvals = verdict.approvals.iter().filter(|approval| approval.kind.is_on_task() && is_of_team(approval));
    verdict.rejections.iter().any(|no| is_later(&no.user, no.time))
        || approvals.into_iter().any(|approval| is_later(&approval.user, approval.time))
}

impl<'a> Seen<'a> {
    /// What of an open emergency is in a page.
    pub(in crate::serve) fn of(
        watched: &'a WatchedTask,
        said: Said,
        paging: Vec<TeamPaging>,
        mut spoken: Unwritten,
        shown: Shown,
    ) -> Self {
        spoken.words.retain(|unwritten| !is_outdated(unwritten, &watched.verdict));
        if shown != Shown::Whole {
            spoken.words.iter_mut().for_each(|unwritten| unwritten.word.why = None);
        }
        let names = (shown <= Shown::Names).then(|| SeenNames {
            teams: &watched.verdict.teams,
            rejections: &watched.verdict.rejections,
            code: watched.subject.code,
            drill: watched.subject.drill,
            deploys: match shown {
                Shown::Whole => watched.deploys.clone(),
                Shown::Names | Shown::Number => {
                    watched.deploys.iter().cloned().map(|deploy| Deploy { command: None, ..deploy }).collect()
                }
            },
            phases: said.phases,
            speaks: &watched.speaks,
            paging,
            spoken,
        });
        Self {
            task: watched.task,
            url: &watched.subject.url,
            decision: watched.verdict.decision.word(),
            since: watched.episode.since,
            names,
            whole: (shown == Shown::Whole).then(|| SeenWhole::of(watched, said.waiting)),
        }
    }
}

impl<'a> SeenWhole<'a> {
    fn of(watched: &'a WatchedTask, waiting: Vec<SaidWaiting>) -> Self {
        let WatchedTask { subject, verdict, .. } = watched;
        let has_texts = subject.title.is_some();
        let is_a_text = |approval: &Approval| matches!(approval.why_not, Some(WhyNot::NotUnderstood { .. }));
        let approvals = verdict.approvals.iter().map(|approval| SeenApproval {
            approval,
            team: Some(approval.team.as_str()).filter(|_| has_texts || !is_a_text(approval)),
            evidence: approval.evidence.as_deref().filter(|_| has_texts),
        });
        let near_misses = verdict
            .near_misses
            .iter()
            .map(|near| SeenNearMiss { near, line: Some(near.line.as_str()).filter(|_| has_texts) });
        Self {
            subject,
            rules: &verdict.rules,
            approvals: approvals.collect(),
            near_misses: near_misses.collect(),
            waiting: if has_texts { waiting } else { Vec::new() },
        }
    }
}
