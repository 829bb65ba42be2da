//! The policy: what an emergency deploy needs, all of it data, and the rules that judge evidence by it.
//!
//! In the room: the policy and how people's words for its reasons and teams are matched. Beside it: the rules and the
//! evaluator. Not in the room: where the policy was read from (the configuration knows) and what the task says.

mod digest;
mod evaluate;
mod judge;
pub mod rules;
mod slots;
mod verdict;
mod words;

pub use digest::PolicyDigest;
pub use evaluate::{Intent, evaluate, not_visible};
pub use judge::{StandingWord, standing_words};
pub use verdict::{Approval, Clearance, Decision, Outcome, RuleOutcome, TeamCount, Verdict, WhyNot};
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
    /// PHIDs of the Spaces whose tasks are not restricted.
    pub open_spaces: Vec<String>,
    /// Time in which a follow-up is due after a deploy; `None` where none is.
    #[serde(serialize_with = "optional_seconds")]
    pub follow_up: Option<SignedDuration>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A policy like the built-in one, for tests of what is done with a policy.
    pub(crate) fn built_in() -> Policy {
        let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let team = |key: &str, project: &str, title: &str, aliases: &[&str]| Team {
            key: key.into(),
            project: project.into(),
            title: title.into(),
            aliases: strings(aliases),
            need: 1,
            role: Role::Approve,
        };
        let reason = |key: &str, title: &str, aliases: &[&str], teams: &[&str]| Reason {
            key: key.into(),
            title: title.into(),
            aliases: strings(aliases),
            teams: strings(teams),
        };
        Policy {
            tag: "emergency-deployment".into(),
            field: Some("custom.emergency.reason".into()),
            train: Some("train-deployments".into()),
            required: strings(&["releng", "sre"]),
            teams: vec![
                team("releng", "release-engineering-team", "Release Engineering", &["rel-eng"]),
                team("sre", "sre", "SRE", &[]),
                team("security", "security-team", "Security", &[]),
            ],
            reasons: vec![
                reason(
                    "security",
                    "Address a security issue",
                    &["security issue", "leak", "vulnerability"],
                    &["security"],
                ),
                reason("data-loss", "Avoid data loss or corruption", &["data corruption", "corruption"], &[]),
                reason("availability", "Maintain availability", &["outage", "down", "overload"], &[]),
                reason("abuse", "Prevent abuse", &["vandalism", "spam", "scraping"], &[]),
                reason(
                    "functionality",
                    "Major loss of functionality or appearance",
                    &["appearance", "loss of functionality", "broken"],
                    &[],
                ),
            ],
            actions: Vec::new(),
            accept_verified: true,
            accept_attested: false,
            max_age: SignedDuration::from_hours(12),
            self_approval: false,
            require_open: true,
            recorders: strings(&["phabgate"]),
            open_spaces: Vec::new(),
            follow_up: None,
        }
    }
}
