//! The evidence of a task of the mirror.
//!
//! Responsible for putting it together from the task, its history and what all tasks share, and whether it fits
//! together. Not responsible for where these come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::mirror::ServerFacts;
use crate::conduit::{Account, Project, Task, Transaction};
use crate::evidence::merge::name_fields;
use crate::evidence::timeline::Timeline;
use crate::evidence::{Evidence, GatherError, Purpose, differences, later};
use crate::ids::{Phid, User};
use crate::policy::Policy;

/// The projects behind the teams, by the keys of the teams.
pub(super) fn teams(facts: &ServerFacts, policy: &Policy) -> BTreeMap<String, Project> {
    let team = |of: &crate::policy::Team| Some((of.key.clone(), facts.projects.get(&of.project)?.clone()));
    policy.teams.iter().filter_map(team).collect()
}

/// The evidence of a task of the mirror, as a policy with this field for the reason reads it.
#[expect(clippy::too_many_arguments, reason = "each is of another source, and all are shared but the first two")]
pub(super) fn evidence(
    task: Task,
    mut history: Vec<Transaction>,
    field: Option<&str>,
    facts: &ServerFacts,
    teams: &Arc<BTreeMap<String, Project>>,
    statuses: &Arc<BTreeMap<String, bool>>,
    accounts: &Arc<BTreeMap<Phid<User>, Account>>,
    now: Timestamp,
) -> Evidence {
    name_fields(&mut history, &task, field);
    Evidence {
        task: Arc::new(task),
        timeline: Arc::new(Timeline::new(history)),
        tag: Some(facts.tag.clone()),
        teams: teams.clone(),
        accounts: accounts.clone(),
        owner: facts.owner.clone(),
        purpose: Purpose::Audit,
        candidates: Vec::new(),
        pipeline: Vec::new(),
        asker: Vec::new(),
        // Which accounts the hosts of then named is not known: whoever could have deployed may have.
        deployers: Arc::default(),
        attestations: Vec::new(),
        local_deploys: Ok(Vec::new()),
        statuses: statuses.clone(),
        now,
        skew: SignedDuration::ZERO,
    }
}

/// Why nothing can be judged by the evidence of a task, in words: the server does not show what may matter, contradicts
/// its own clock, or returns a history that does not lead to the task.
pub(super) fn unfit(evidence: &Evidence, policy: &Policy) -> Option<String> {
    let unexposed = evidence.unexposed(policy);
    if unexposed.any() {
        return Some(format!("this server does not show all that changed on it: perhaps {}", unexposed.what()));
    }
    if let Err(error) = later(evidence) {
        return Some(error.to_string());
    }
    let differ = differences(evidence, policy);
    let error = || GatherError::Torn { task: evidence.task.id, what: differ.join(", ") };
    (!differ.is_empty()).then(|| error().to_string())
}
