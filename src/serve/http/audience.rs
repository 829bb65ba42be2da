//! What of an open emergency somebody is shown.
//!
//! Responsible for that, by who asks and by who may see the task: one place, for verdicts, lists and streams. Not responsible for the
//! form.

use serde::Serialize;

use super::guard::Asker;
use crate::ids::TaskId;
use crate::policy::Policy;
use crate::rules::TeamCount;
use crate::serve::audience::Audience;
use crate::serve::board::Standing;
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
    /// What `asker` is shown of a task that `audience` may see.
    pub(super) fn to(asker: &Asker, audience: Audience) -> Self {
        match (asker, audience) {
            // The texts of a restricted task are in nothing that the watch keeps.
            (Asker::Token(_) | Asker::Account(_), _) | (_, Audience::Public) => Self::Whole,
            (Asker::Loopback | Asker::Nobody, Audience::Users) => Self::Names,
            (Asker::Loopback | Asker::Nobody, Audience::Restricted) => Self::Number,
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
pub(super) fn verdict(standing: &Standing, shown: Shown, policy: &Policy) -> serde_json::Result<serde_json::Value> {
    let less = |teams| Less {
        schema: view::VERDICT_SCHEMA,
        task: standing.task,
        url: &standing.subject.url,
        verdict: standing.verdict.decision.word(),
        teams,
        policy: policy.digest().to_string(),
    };
    match shown {
        Shown::Whole => {
            serde_json::to_value(view::verdict(standing.task, &standing.subject, &standing.verdict, policy, None))
        }
        Shown::Names => serde_json::to_value(less(Some(&standing.verdict.teams))),
        Shown::Number => serde_json::to_value(less(None)),
    }
}
