//! What may be shown of a task beside the verdict.
//!
//! Responsible for that as data, as a pure function of what was read. Not responsible for the decision itself, nor for the form in
//! which it is shown.

use jiff::Timestamp;

use super::audience::Audience;
use crate::gate::heard::{Heard, heard};
use crate::gate::{Assessment, Invocation, Task};
use crate::policy::Policy;
use crate::record::Deployer;
use crate::rules::{self, Texts};
use crate::witness::Code;
use url::Url;

/// Whoever is shown it.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// By what was judged.
    pub policy: &'a Policy,
    /// The server as it is named to people.
    pub server: &'a Url,
    /// Whether they are shown texts of a restricted task.
    pub texts: Texts,
    /// Their own account, where it is known.
    pub account: Option<&'a str>,
    /// How they call the gate.
    pub invocation: Invocation,
}

/// What is shown beside the verdict.
#[derive(Debug, Clone, Default)]
pub struct VerdictSubject {
    /// The task's page.
    pub url: String,
    /// Its title; `None` where it is restricted or not visible.
    pub title: Option<String>,
    /// It is shown to fewer people than everyone with an account; `None` where that is not known.
    pub restricted: Option<bool>,
    /// Who may see it on the server; `None` where that is not known.
    pub audience: Option<Audience>,
    /// What to write in the configuration if everybody may see the Space that alone makes it restricted.
    pub space: Option<String>,
    /// The category of its reason; `None` where there is none or it may not be shown.
    pub category: Option<String>,
    /// The explanation; `None` where there is none or it may not be shown.
    pub explanation: Option<String>,
    /// It is a drill.
    pub drill: bool,
    /// Who deploys, first, and every other account that could be behind it.
    pub behind: Vec<Deployer>,
    /// What is about to be deployed, as the task states it; `None` where it may not be shown.
    pub change: Option<String>,
    /// What is done with it, as the task states it; `None` where it may not be shown.
    pub action: Option<String>,
    /// What somebody repeats who approves on IRC; `None` where no such approval counts.
    pub code: Option<Code>,
    /// Who deploys, where that is surely not who asks.
    pub somebody_else: Option<String>,
    /// The titles of the teams that are informed and asked nothing.
    pub informed: Vec<String>,
    /// When it was judged, by the server's clock.
    pub now: Option<Timestamp>,
    /// What members of the teams said on it, newest first.
    pub said: Vec<Heard>,
    /// Its last deploy failed, and was not rolled back since.
    pub last_failed: bool,
    /// How the gate was called.
    pub invocation: Invocation,
}

impl VerdictSubject {
    /// What is known of a task that was read, or was not; texts of a restricted task only where they may be shown.
    pub fn of(assessment: &Assessment, viewer: Viewer<'_>) -> Self {
        let url = assessment.number.url(viewer.server);
        match assessment.task() {
            Some(task) => {
                let subject = Self::of_task(task, viewer.policy, url, viewer.texts);
                let somebody_else = subject
                    .somebody_else
                    .filter(|name| viewer.account.is_none_or(|account| !account.eq_ignore_ascii_case(name)));
                Self { somebody_else, invocation: viewer.invocation, ..subject }
            }
            None => Self { url, now: assessment.now(), invocation: viewer.invocation, ..Self::default() },
        }
    }

    /// The same of a task that was read.
    pub fn of_task(task: &Task, policy: &Policy, url: String, texts: Texts) -> Self {
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
            audience: Some(Audience::of(evidence, policy)),
            space: evidence
                .task
                .restricting_space(&policy.open_spaces)
                .map(|space| policy.with_open_space(space.as_str())),
            category,
            explanation: explanation.filter(|words| !words.is_empty()),
            drill: state.is_drill(),
            change: state.change.as_ref().filter(|_| show).map(|change| change.value.clone()),
            action: state.action.as_ref().filter(|_| show).map(|action| action.value.clone()),
            code: state.code.filter(|_| policy.accept_witnessed && !restricted),
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
