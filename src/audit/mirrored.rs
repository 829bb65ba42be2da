//! The evidence of a task of the mirror.
//!
//! In the room: putting it together from the task, its history and what all tasks share, and whether it fits together.
//! Not in the room: where these come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::mirror::Facts;
use crate::conduit::{Account, Project, Task, Transaction};
use crate::evidence::timeline::Timeline;
use crate::evidence::{Evidence, Purpose, differences};
use crate::ids::{Phid, User};
use crate::policy::Policy;

/// The projects behind the teams, by the keys of the teams.
pub(super) fn teams(facts: &Facts, policy: &Policy) -> BTreeMap<String, Project> {
    let team = |of: &crate::policy::Team| Some((of.key.clone(), facts.projects.get(&of.project)?.clone()));
    policy.teams.iter().filter_map(team).collect()
}

/// The evidence of a task of the mirror.
pub(super) fn evidence(
    task: Task,
    history: Vec<Transaction>,
    facts: &Facts,
    teams: &Arc<BTreeMap<String, Project>>,
    statuses: &Arc<BTreeMap<String, bool>>,
    accounts: &Arc<BTreeMap<Phid<User>, Account>>,
    now: Timestamp,
) -> Evidence {
    Evidence {
        task: Arc::new(task),
        timeline: Arc::new(Timeline::new(history)),
        tag: Some(facts.tag.clone()),
        teams: teams.clone(),
        accounts: accounts.clone(),
        owner: facts.owner.clone(),
        purpose: Purpose::Deploy,
        candidates: Vec::new(),
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

/// In what the evidence of a task does not fit together, in words.
pub(super) fn torn(evidence: &Evidence, policy: &Policy) -> Option<String> {
    let differ = differences(evidence, policy);
    let error = || crate::evidence::GatherError::Torn { task: evidence.task.id, what: differ.join(", ") };
    (!differ.is_empty()).then(|| error().to_string())
}
