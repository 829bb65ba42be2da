//! What of an open emergency somebody is shown.
//!
//! Responsible for that, by who asks and by who may see the task: one place, for verdicts, lists and streams. Not responsible for the
//! form.

use serde::Serialize;

use super::guard::Principal;
use crate::ids::TaskId;
use crate::policy::Policy;
use crate::rules::TeamCount;
use crate::serve::audience::Audience;
use crate::serve::board::WatchedTask;
use crate::view;

/// What somebody is shown of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All that the service's own account is shown, but for the texts of restricted tasks.
    Whole,
    /// Its number, its teams and names.
    Names,
    /// Its number alone.
    Number,
}

impl Shown {
    /// What `principal` is shown of a task that `audience` may see.
    pub(super) fn to(principal: &Principal, audience: Audience) -> Self {
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
