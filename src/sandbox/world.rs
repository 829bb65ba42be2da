//! The world that the sandbox serves: people, projects, tasks and everything that was done to them.
//!
//! Responsible for the data, as it is kept in one JSON file, and how things in it are found. Not responsible for who
//! may see what ([`super::access`]), what a request answers ([`super::methods`]), where the file lives
//! ([`super::store`]).

mod look;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The recorded world, made from the scenarios that were recorded of a real server.
const BUILT_IN: &str = include_str!("../../fixtures/world.json");

/// Everything that the server knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The address that the world's own links carry, with a slash at its end.
    pub base_uri: String,
    /// What there is to see in it, for who tries it.
    #[serde(default)]
    pub guide: Guide,
    /// How many PHIDs and groups were made so far; the next one is derived from it.
    pub serial: u64,
    /// The statuses that a task can have, as `maniphest.status.search` lists them.
    pub statuses: Vec<Status>,
    /// The priorities that a task can have.
    pub priorities: Vec<Priority>,
    /// The custom fields of tasks, in the order in which replies carry them.
    pub custom_fields: Vec<CustomField>,
    /// The Spaces. None in the built-in world.
    pub spaces: Vec<Space>,
    /// The accounts, oldest first.
    pub users: Vec<User>,
    /// The projects, oldest first.
    pub projects: Vec<Project>,
    /// The tasks, oldest first.
    pub tasks: Vec<Task>,
    /// The transactions of all tasks, oldest first.
    pub transactions: Vec<Transaction>,
}

/// What there is to see in a world, and who one is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guide {
    /// The account that stands for whoever tries the world.
    pub you: String,
    /// What there is to try, in the order in which it is shown. None in the recorded world.
    pub scenarios: Vec<Scenario>,
}

impl Default for Guide {
    fn default() -> Self {
        Self { you: "deployer1".to_owned(), scenarios: Vec::new() }
    }
}

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The number of the task.
    pub task: u64,
    /// What the task shows.
    pub shows: String,
    /// What to type behind `phabgate --sandbox`.
    #[serde(rename = "try")]
    pub command: String,
    /// The exit code that it ends with in a new world.
    pub exit: u8,
}

/// A status of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The name for people.
    pub name: String,
    /// The name in the API.
    pub value: String,
    /// Whether a task in it is closed.
    pub closed: bool,
    /// What the server uses it for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub special: Option<String>,
    /// Whether nobody may comment on a task in it, which `maniphest.status.search` does not show.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub locked: bool,
}

/// A priority of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// The number in replies.
    pub value: i64,
    /// The name for people.
    pub name: String,
    /// The name in requests.
    pub keyword: String,
    /// The colour in replies.
    pub color: String,
}

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// A text, or a key of a list.
    Text,
    /// A time in seconds.
    Date,
    /// A list of people.
    Users,
}

/// A custom field of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// The key, without `custom.`.
    pub key: String,
    /// What it holds.
    pub kind: FieldKind,
}

/// A Space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Its PHID.
    pub phid: String,
    /// Its name.
    pub name: String,
    /// Who sees what is in it.
    pub view: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its number.
    pub id: u64,
    /// Its PHID.
    pub phid: String,
    /// Its name.
    pub username: String,
    /// The name for people.
    pub real_name: String,
    /// Its roles, as `user.search` lists them.
    pub roles: Vec<String>,
    /// When it was made.
    pub created: i64,
    /// When it was last changed.
    pub modified: i64,
    /// Who may edit it.
    pub edit: String,
    /// The picture, as `user.whoami` shows it.
    pub image: String,
    /// Its API token.
    pub token: String,
}

impl User {
    /// Whether it has this role.
    pub fn is(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// One end of a relation, with what decides its place in a list: the server lists the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// What is related.
    pub phid: String,
    /// Since when.
    pub time: i64,
    /// Its place among those that were added together.
    pub seq: u32,
}

/// The PHIDs of these edges in the server's order.
pub(crate) fn ordered(edges: &[Edge]) -> Vec<&str> {
    let mut sorted: Vec<&Edge> = edges.iter().collect();
    sorted.sort_by(|a, b| (b.time, b.seq, &b.phid).cmp(&(a.time, a.seq, &a.phid)));
    sorted.into_iter().map(|edge| edge.phid.as_str()).collect()
}

/// Whether one of these edges leads to `phid`.
pub(crate) fn leads_to(edges: &[Edge], phid: &str) -> bool {
    edges.iter().any(|edge| edge.phid == phid)
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its number.
    pub id: u64,
    /// Its PHID.
    pub phid: String,
    /// Its name.
    pub name: String,
    /// All its hashtags, the main one first; none for a milestone.
    pub slugs: Vec<String>,
    /// The PHID of the project that it is below.
    pub parent: Option<String>,
    /// Its number among its parent's milestones, where it is one.
    pub milestone: Option<u64>,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created: i64,
    /// When it was last changed.
    pub modified: i64,
    /// Who may see it.
    pub view: String,
    /// Who may edit it.
    pub edit: String,
    /// Who may join it.
    pub join: String,
    /// Whether it was archived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Its own members.
    pub members: Vec<Edge>,
}

/// A task, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// Its PHID.
    pub phid: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Who made it.
    pub author: String,
    /// Who it is assigned to.
    pub owner: Option<String>,
    /// Its status.
    pub status: String,
    /// Its priority.
    pub priority: i64,
    /// Who closed it.
    pub closer: Option<String>,
    /// When it was closed.
    pub closed: Option<i64>,
    /// The Space that it is in.
    pub space: Option<String>,
    /// When it was made.
    pub created: i64,
    /// When it was last changed.
    pub modified: i64,
    /// Who may see it.
    pub view: String,
    /// Who may edit it.
    pub edit: String,
    /// The custom fields that are set, by key without `custom.`.
    pub custom: Map<String, Value>,
    /// The projects that it is tagged with.
    pub projects: Vec<Edge>,
    /// Who is subscribed to it.
    pub subscribers: Vec<Edge>,
    /// Who was taken off and is not subscribed again by merely commenting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsubscribed: Vec<String>,
    /// The tasks that its texts mention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
}

/// One thing that was done to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number.
    pub id: u64,
    /// Its PHID.
    pub phid: String,
    /// The PHID of the task.
    pub object: String,
    /// Its type in the API; `None` where the API does not show it.
    pub kind: Option<String>,
    /// Who did it.
    pub author: String,
    /// When.
    pub created: i64,
    /// When its comment was last edited or removed.
    pub modified: i64,
    /// What was submitted together carries the same group.
    pub group: String,
    /// What it relates the task to, where `transaction.search` does not show that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<HiddenEdge>,
    /// What changed, as `fields` of the reply.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// Every version of its comment, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<WorldCommentVersion>,
}

/// A relation that a transaction added: a mention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenEdge {
    /// The number of the kind of relation: 51 for being mentioned by, 52 for mentioning.
    pub kind: u32,
    /// What the task was related to.
    pub phids: Vec<String>,
}

/// A version of a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldCommentVersion {
    /// The number of the version among all comments of the server.
    pub id: u64,
    /// Its PHID.
    pub phid: String,
    /// Who wrote this version.
    pub author: String,
    /// When.
    pub created: i64,
    /// Whether this version removed the comment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The text. Empty in all versions of a comment that was removed.
    pub text: String,
}

/// Why a text is not a world.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's world cannot be read: {0}")]
pub struct WorldError(#[from] serde_json::Error);

impl World {
    /// The recorded world: the 28 scenarios.
    ///
    /// # Errors
    /// Where the file that was built in is damaged, which a test rules out.
    pub fn built_in() -> Result<Self, WorldError> {
        Self::from_json(BUILT_IN)
    }

    /// Reads a world from JSON.
    ///
    /// # Errors
    /// Where the text is not one.
    pub fn from_json(text: &str) -> Result<Self, WorldError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The world as JSON.
    ///
    /// # Errors
    /// Where serialising fails, which it has no reason to.
    pub fn to_json(&self) -> Result<String, WorldError> {
        Ok(serde_json::to_string(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_world_is_whole() {
        let world = World::built_in().unwrap();
        assert_eq!(world.tasks.len(), 28);
        assert_eq!(world.users.len(), 13);
        assert_eq!(world.projects.len(), 7);
        let ids: Vec<u64> = world.transactions.iter().map(|transaction| transaction.id).collect();
        assert_eq!(ids, (1..=385).collect::<Vec<_>>());
        for transaction in &world.transactions {
            assert!(world.task(&transaction.object).is_some(), "{}", transaction.id);
            assert!(world.user(&transaction.author).is_some(), "{}", transaction.id);
        }
        assert_eq!(World::from_json(&world.to_json().unwrap()).unwrap(), world);
    }

    #[test]
    fn tokens_have_the_form_of_real_ones_and_are_distinct() {
        let world = World::built_in().unwrap();
        for user in &world.users {
            assert!(user.token.len() == 32 && user.token.starts_with("api-"), "{}", user.token);
            assert_eq!(world.users.iter().filter(|other| other.token == user.token).count(), 1);
        }
        assert_eq!(world.token_of("nobody"), None);
    }
}
