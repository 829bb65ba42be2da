//! Who deploys, as far as that can be known from who asks and from what the task states.
//!
//! This is the one place that decides it. A command that only reads judges the deploy of whom `--deployer` names, else
//! of whom the task states, else of whoever will run it; who reads is never taken for the deployer, so that a task has
//! one verdict for all its readers. A command that deploys takes every source that there is. Not decided here: whether
//! the sources agree, and who may approve.

use super::question::{Purpose, Question};
use super::timeline::Timeline;
use super::trailers::{self, Key};
use super::{Candidate, Evidence, TaskState};
use crate::attribution::DeployerSource;
use crate::conduit::{Change, Task};
use crate::policy::Policy;

/// The most names that are looked up because somebody wrote them into the task.
const STATED: usize = 50;

/// Gives the evidence the accounts that could be behind the deploy. The order is that of the sources: the flag, the
/// owner of the token, the mapped calling user, the task.
pub(super) fn name(question: &Question, policy: &Policy, evidence: &mut Evidence) {
    let candidate = |name: &str, source| Candidate {
        name: name.to_owned(),
        account: evidence.account_named(name).cloned(),
        source,
    };
    let flag = question.deployer.as_deref().map(|name| candidate(name, DeployerSource::Flag));
    let owner = &evidence.owner;
    let is_recorder = policy.recorders.iter().any(|recorder| owner.is_named(recorder));
    let token = (!owner.is_bot() && !is_recorder).then(|| candidate(&owner.username, DeployerSource::Token));
    let calling = question.calling_user.as_deref().map(|name| candidate(name, DeployerSource::CallingUser));
    let pipeline = question.pipeline.iter().map(|name| candidate(name, DeployerSource::CallingUser)).collect();
    let asker: Vec<Candidate> = token.into_iter().chain(calling).collect();
    evidence.purpose = question.purpose;
    evidence.pipeline = pipeline;
    evidence.candidates = match (question.purpose, flag) {
        (Purpose::Deploy | Purpose::Audit, flag) => flag.into_iter().chain(asker.clone()).collect(),
        (Purpose::Read, Some(flag)) => vec![flag],
        (Purpose::Read, None) => Vec::new(),
    };
    evidence.asker = asker;
    if evidence.purpose == Purpose::Read && evidence.candidates.is_empty() {
        evidence.candidates = stated(policy, evidence).into_iter().collect();
    }
}

/// Whom the task states to deploy, as the task's author and whoever edits its description state it.
fn stated(policy: &Policy, evidence: &Evidence) -> Option<Candidate> {
    let task_state = TaskState::derive(evidence, policy, None);
    let name = bare(&task_state.deployer?.value).to_owned();
    Some(Candidate { account: evidence.account_named(&name).cloned(), name, source: DeployerSource::Task })
}

/// A username as it was written, without the `@` of a mention.
pub(crate) fn bare(name: &str) -> &str {
    name.trim().trim_start_matches('@')
}

/// The names that the task may state as its deployer. Which of them is in force is not decided here: all of them are
/// looked up in one call.
pub(super) fn stated_names(task: &Task, timeline: &Timeline) -> Vec<String> {
    let named = |text: &str| trailers::last(text, Key::Deployer).map(|name| bare(name).to_owned());
    let described = timeline.transactions().iter().rev().filter_map(|row| match &row.change {
        Change::Description { new, .. } => Some(new.as_str()),
        _ => None,
    });
    let mut comments: Vec<_> = timeline.comments(None).collect();
    // Those of the author first, and of each the newest: nobody can crowd out what is in force.
    comments.reverse();
    comments.sort_by_key(|comment| comment.transaction.author != task.author.as_str());
    let texts = comments.iter().flat_map(|comment| comment.versions().iter().map(|version| version.text()));
    let mut names: Vec<String> = Vec::new();
    for name in [task.description.as_str()].into_iter().chain(described).chain(texts).filter_map(named) {
        if names.len() == STATED {
            break;
        }
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Evidence {
    /// The evidence as if who reads were about to deploy, where that is another question than the one that was asked;
    /// `None` where a deployer was named, where a deploy is judged anyway, and where nobody could be behind it.
    pub fn if_asker_deploys(&self) -> Option<Self> {
        let named = self.candidates.iter().any(|candidate| candidate.source == DeployerSource::Flag);
        if self.purpose != Purpose::Read || named || self.asker.is_empty() {
            return None;
        }
        Some(Self { purpose: Purpose::Deploy, candidates: self.asker.clone(), ..self.clone() })
    }
}
