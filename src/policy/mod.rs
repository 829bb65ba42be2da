//! The policy: what an emergency deploy needs, all of it data.
//!
//! Responsible for the policy and for how people's words for its reasons and teams are matched. Not responsible for where it
//! was read from ([`crate::config`]), nor for judging by it ([`crate::rules`]).

mod digest;
#[cfg(test)]
pub(crate) mod testing;
mod words;

pub use digest::PolicyDigest;
pub use words::{WrittenReason, normalized};

use jiff::SignedDuration;
use serde::Serialize;

/// What an emergency deploy needs. Made from the configuration, validated there: every team that is named exists,
/// and some set of people could satisfy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The hashtag of the project that marks an emergency, without `#`.
    pub tag: String,
    /// The custom field that may hold the reason, as `maniphest.search` names it: `custom.emergency.reason`.
    pub field: Option<String>,
    /// The hashtag of the project that holds the train's tasks, without `#`.
    pub train: Option<String>,
    /// The keys of the teams that every deploy needs.
    pub required: Vec<String>,
    /// All teams, in the order in which they are shown.
    pub teams: Vec<Team>,
    /// The categories of reason that count, in the order in which they are shown.
    pub reasons: Vec<Reason>,
    /// For an action, the teams that it needs in place of [`Policy::required`].
    pub actions: Vec<ActionPolicy>,
    /// Whether approvals on the task count.
    pub accept_verified: bool,
    /// Whether approvals that a witness wrote down count.
    pub accept_witnessed: bool,
    /// Whether approvals that the deployer names count.
    pub accept_attested: bool,
    /// How old an approval may be.
    #[serde(serialize_with = "seconds")]
    pub max_age: SignedDuration,
    /// Whether who is behind the deploy may approve it.
    pub self_approval: bool,
    /// Whether the task must be open.
    pub require_open: bool,
    /// Usernames of the accounts whose comments are records.
    pub recorders: Vec<String>,
    /// Usernames of the accounts whose comments are witnesses; none of them is a recorder.
    pub witnesses: Vec<String>,
    /// Whose records are believed besides those of recorders.
    pub records: BelievedRecords,
    /// PHIDs of the Spaces whose tasks are not restricted.
    pub open_spaces: Vec<String>,
    /// Time in which a follow-up is due after a deploy; `None` where none is.
    #[serde(serialize_with = "optional_seconds")]
    pub follow_up: Option<SignedDuration>,
}

impl Policy {
    /// The line of the configuration that opens this Space as well, a PHID.
    pub fn with_open_space(&self, space: &str) -> String {
        let spaces = self.open_spaces.iter().map(String::as_str).chain([space]);
        let quoted: Vec<String> = spaces.map(|space| format!("\"{}\"", crate::text::inert(space))).collect();
        format!("open_spaces = [{}]", quoted.join(", "))
    }

    /// The reasons that count, for who has to name one: `CATEGORY is security (address a security issue), …`.
    pub fn categories(&self) -> String {
        let known: Vec<String> =
            self.reasons.iter().map(|reason| format!("{} ({})", reason.key, reason.title)).collect();
        format!("CATEGORY is one of {}; what is none of these waits for the next window", known.join(", "))
    }

    /// The teams that are informed and asked nothing.
    pub fn informed(&self) -> impl Iterator<Item = &Team> {
        self.teams.iter().filter(|team| team.role == Role::Inform)
    }
}

/// Whose comments are believed to be records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BelievedRecords {
    /// Those of recorders, and each account's of its own deploys.
    Deployers,
    /// Those of recorders alone.
    Recorders,
}

/// A team of the policy, backed by a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Team {
    /// The name that is used in the policy and in trailers.
    pub key: String,
    /// The hashtag of its project, without `#`.
    pub project: String,
    /// The name for people.
    pub title: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// How many people of it must approve; at least 1 where the role is [`Role::Approve`].
    pub need: u32,
    /// What is asked of it.
    pub role: Role,
}

/// What the policy asks of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It must approve.
    Approve,
    /// It is named in the request and the record; nothing is checked.
    Inform,
}

/// A category of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The name that is used in the policy and in trailers.
    pub key: String,
    /// The name for people.
    pub title: String,
    /// Other words for it.
    pub aliases: Vec<String>,
    /// The keys of the further teams that it needs.
    pub teams: Vec<String>,
}

/// What a deploy of one kind needs in place of what every deploy needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActionPolicy {
    /// The action.
    pub action: Action,
    /// The keys of the teams.
    pub teams: Vec<String>,
}

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// New code that mends it.
    Fix,
    /// Back to what ran before.
    Rollback,
    /// A change of configuration.
    Config,
    /// An edit on a wiki itself.
    OnWikiEdit,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 4] = [Self::Fix, Self::Rollback, Self::Config, Self::OnWikiEdit];

    /// The word for it, as it is written in trailers and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fix => "fix",
            Self::Rollback => "rollback",
            Self::Config => "config",
            Self::OnWikiEdit => "on-wiki-edit",
        }
    }

    /// The action that a word names, in any case, space and hyphen alike.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == normalized(word))
    }
}

fn seconds<S: serde::Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(duration.as_secs())
}

fn optional_seconds<S: serde::Serializer>(duration: &Option<SignedDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs()).serialize(serializer)
}
