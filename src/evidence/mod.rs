//! The evidence: all that was read for one decision, and what it says.
//!
//! Responsible for the evidence as data; beside it how it is gathered, the timeline of a task, its trailers, and the
//! state that they show. Not responsible for what the policy makes of it.

mod answers;
mod deployer;
pub mod episode;
mod gather;
mod keys;
mod look_alikes;
mod mail;
pub(crate) mod merge;
pub(crate) mod near_miss;
mod own_word;
mod question;
pub mod records;
mod removals;
pub mod restate;
mod restricted;
mod said;
mod spoken;
mod statements;
mod task_state;
#[cfg(test)]
pub(crate) mod testing;
pub mod timeline;
pub mod trailers;
mod witnesses;

pub use answers::{Answer, AnswerKind, Seen};
pub(crate) use deployer::bare;
pub use episode::{EndedEpisode, Ending, Episode};
pub use gather::{GatherError, Visibility, gather};
pub(crate) use gather::{contradiction, differences, later, phids_below};
pub use near_miss::{Miss, NearKind, NearMiss};
pub(crate) use own_word::own_word;
pub use own_word::{OwnWord, OwnWordKind};
pub use question::{Purpose, Question};
pub use removals::Removal;
pub use said::{Said, said};
pub use statements::{Changed, MaterialChange, Source, Statement};
pub(crate) use statements::{STATED, happenings};
pub use task_state::{Tagged, TaskState};
pub(crate) use witnesses::UnbelievedNo;
pub use witnesses::{WitnessFault, WitnessedApproval};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::attribution::DeployerSource;
use crate::conduit::{Account, Project, Task};
use crate::ids::{Phid, Project as ProjectKind, User};
use crate::local_deploy::LocalDeploy;
use timeline::Timeline;

/// All that was read for one decision about one task, whole. What is large or common to many tasks is shared: the audit
/// judges the same evidence in several lights.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The task as it is now.
    pub task: Arc<Task>,
    /// Its history, which ends at the task as it is now.
    pub timeline: Arc<Timeline>,
    /// The project that marks an emergency; `None` where the server knows no such project.
    pub tag: Option<Tag>,
    /// For each team of the policy, by its key, the project behind it; without those that the server does not know.
    pub teams: Arc<BTreeMap<String, Project>>,
    /// The accounts that matter: who answered, who is behind the deploy, and members of the teams.
    pub accounts: Arc<BTreeMap<Phid<User>, Account>>,
    /// Whose token this was read with.
    pub owner: Account,
    /// What it was read for.
    pub purpose: Purpose,
    /// Every account that could be behind the deploy.
    pub candidates: Vec<Candidate>,
    /// The accounts that can make the pipeline run which deploys: they are behind the deploy, whoever deploys.
    pub pipeline: Vec<Candidate>,
    /// The accounts that would be behind it if who asks deployed: the owner of the token unless that is a bot or a
    /// recorder, and the account that the calling user is mapped to.
    pub asker: Vec<Candidate>,
    /// The accounts that the configuration of this host names as deployers, under `[deployers]`.
    pub deployers: Arc<[String]>,
    /// Approvals that the deployer names.
    pub attestations: Vec<Attestation>,
    /// The deploys of this task in the journal of this state directory, oldest first; in words why it could not be read.
    /// Empty where a task is judged as it was then.
    pub local_deploys: Result<Vec<LocalDeploy>, String>,
    /// The statuses that tasks can have, and whether a task with it is closed.
    pub statuses: Arc<BTreeMap<String, bool>>,
    /// When it was read, by the server's clock.
    pub now: Timestamp,
    /// How far this machine's clock is ahead of the server's.
    pub skew: SignedDuration,
}

/// The project that marks an emergency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tag {
    /// The project.
    pub phid: Phid<ProjectKind>,
    /// The project, its subprojects and milestones, at any depth.
    pub family: BTreeSet<Phid<ProjectKind>>,
}

/// An account that could be behind the deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The username as it was given.
    pub name: String,
    /// The account; `None` where the server knows none of that name.
    pub account: Option<Account>,
    /// Where the name came from.
    pub source: DeployerSource,
}

/// An approval that the deployer names: they said yes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The key of the team.
    pub team: String,
    /// The username as it was given.
    pub name: String,
    /// The account; `None` where the server knows none of that name.
    pub account: Option<Account>,
    /// Where it can be looked up.
    pub evidence: Option<String>,
}

/// Whether a text of a comment has nothing to do with the emergency: it holds no trailer and nothing that reads as an answer,
/// and makes no claim to be a record or a witness.
pub(crate) fn is_unrelated(text: &str, policy: &crate::policy::Policy) -> bool {
    let trailer = trailers::Key::ALL.iter().any(|key| trailers::last(text, *key).is_some());
    !trailer
        && near_miss::is_silent(text, policy)
        && !crate::record::parse::claims(text)
        && !crate::witness::claims(text)
}

impl Evidence {
    /// Whether the task is shown to fewer people than everyone with an account.
    pub fn is_restricted(&self, open_spaces: &[String]) -> bool {
        self.task.is_restricted(open_spaces)
    }

    /// The account behind a PHID, where it was read.
    pub fn account(&self, phid: &str) -> Option<&Account> {
        self.accounts.get(&Phid::new(phid).ok()?)
    }

    /// The account of this username, in any case, where it was read.
    pub fn account_named(&self, name: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.is_named(name))
    }

    /// The username behind a PHID, fit to be shown; of an account that was not read, that it is one.
    pub fn name_of(&self, phid: &str) -> String {
        match self.account(phid) {
            Some(account) => crate::text::inert(&account.username),
            // Herald and its like have no account: PHID-APPS-PhabricatorHeraldApplication.
            None => match phid.strip_prefix("PHID-APPS-") {
                Some(name) => {
                    let name = name.strip_prefix("Phabricator").unwrap_or(name);
                    crate::text::inert(name.strip_suffix("Application").unwrap_or(name))
                }
                None => "an account that cannot be read".to_owned(),
            },
        }
    }

    /// What the changes of the history whose type is null may have been, as far as the policy looks at it.
    pub fn unexposed(&self, policy: &crate::policy::Policy) -> timeline::UnexposedChanges {
        self.timeline.unexposed(&self.task, policy.field.as_deref())
    }

    /// Whose comments may state the reason and what is about to happen: the task's author, and who may be the deployer.
    pub fn speakers(&self) -> BTreeSet<Phid<User>> {
        let candidates = self.candidates.iter().filter_map(|candidate| candidate.account.as_ref());
        candidates.map(|account| account.phid.clone()).chain([self.task.author.clone()]).collect()
    }
}
