//! A page: what it is known by, and what it says.
//!
//! Responsible for both as data. What a page says is made anew from the task each time, so that nothing of a task that was hidden since goes
//! out. Not responsible for the forms that pagers take ([`super::alertmanager`], [`super::webhook`]).

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::evidence::{Evidence, TaskState};
use crate::ids::{TaskId, TransactionId};
use crate::policy::Policy;

/// A step of the ladder of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The team is asked, where it listens.
    Asked,
    /// It is paged.
    Page,
    /// It is asked again, with what people do where nobody answers.
    AskedAgain,
    /// It is paged again, as what nobody answered.
    Escalation,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Asked, Self::Page, Self::AskedAgain, Self::Escalation];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Page => "page",
            Self::AskedAgain => "asked-again",
            Self::Escalation => "escalation",
        }
    }

    /// Whether it is said where people listen, and wakes nobody.
    pub fn is_said(self) -> bool {
        matches!(self, Self::Asked | Self::AskedAgain)
    }

    /// How urgent a page of it is, for those who route pages.
    pub fn severity(self) -> &'static str {
        match self {
            Self::Asked | Self::AskedAgain | Self::Page => "page",
            Self::Escalation => "critical",
        }
    }
}

/// What a page is known by. Nobody is paged twice for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// The task.
    pub task: TaskId,
    /// The transaction with which the episode began.
    pub episode: TransactionId,
    /// The key of the team.
    pub team: String,
    /// Which time in the episode the team is asked, from 1.
    pub round: u32,
    /// The step of the ladder.
    pub stage: Stage,
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, episode, team, round, stage } = self;
        write!(f, "{task}/{episode}/{team}/{round}/{}", stage.word())
    }
}

impl PageKey {
    /// The same in words, for a log: `T12, the page of sre`.
    pub fn words(&self) -> String {
        format!("{}, {}", self.task, self.of_team())
    }

    /// The same where the task is known: `the page of sre`, with the round where it is not the first.
    pub fn of_team(&self) -> String {
        let Self { team, round, stage, .. } = self;
        let what = match stage {
            Stage::Asked => "asking",
            Stage::Page => "page",
            Stage::AskedAgain => "second asking",
            Stage::Escalation => "second page",
        };
        let round = if *round > 1 { format!(" in round {round}") } else { String::new() };
        format!("the {what} of {team}{round}")
    }
}

/// A page as it was decided on, which never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it is known by.
    pub key: PageKey,
    /// When its stage was due: the time by which receivers know it as the same.
    pub due: Timestamp,
    /// It is about a drill.
    pub drill: bool,
}

impl Page {
    /// Whether who receives both takes them for one: that it is about a drill is among the labels of an alert, and in the key of a
    /// webhook's call.
    pub fn is_one_alert_with(&self, other: &Self) -> bool {
        (&self.key, self.drill) == (&other.key, other.drill)
    }
}

/// A page that fires at an Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiringPage {
    /// It.
    pub page: Page,
    /// A service keeps it firing: whatever is said by hand, it would fire again within the minute.
    pub is_kept: bool,
}

/// Whose pages they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The server of the tasks ([`site_of`]).
    pub site: String,
    /// The digest of the policy by which they are needed.
    pub policy: String,
}

/// What a page says of its task beside the number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageWords {
    /// The key of the category; of a public task alone.
    pub category: Option<String>,
    /// The address of the task; not of a restricted one.
    pub url: Option<String>,
    /// The usernames of those whom it is for, where they are known; not of a restricted task.
    pub people: Vec<String>,
}

impl PageWords {
    /// What a page may say of a task, the people apart.
    pub fn of(evidence: &Evidence, state: &TaskState, policy: &Policy, server: &Url) -> Self {
        if evidence.is_restricted(&policy.open_spaces) {
            return Self::default();
        }
        let is_public = evidence.task.view == "public";
        let category = state.written.as_ref().and_then(|written| written.category.clone());
        Self { category: category.filter(|_| is_public), url: Some(evidence.task.id.url(server)), people: Vec::new() }
    }

    /// The same for these people, where more than the number may be said.
    #[must_use]
    pub fn naming(self, people: &[String]) -> Self {
        let people = if self.url.is_some() { people.to_vec() } else { Vec::new() };
        Self { people, ..self }
    }
}

/// What distinguishes the pages of one server from those of another.
pub fn site_of(server: &Url) -> String {
    let host = server.host_str().unwrap_or_default();
    server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;

    #[test]
    fn a_log_names_a_page_in_words() {
        let named = |round, stage| {
            let (task, episode, team) = ("T12".parse().unwrap(), TransactionId(3), "sre".to_owned());
            PageKey { task, episode, team, round, stage }.words()
        };
        assert_eq!(named(1, Stage::Page), "T12, the page of sre");
        assert_eq!(named(2, Stage::Escalation), "T12, the second page of sre in round 2");
        assert_eq!(named(1, Stage::Asked), "T12, the asking of sre");
    }

    fn words(history: &History) -> PageWords {
        let evidence = history.evidence();
        let state = TaskState::derive(&evidence, &history.policy, None);
        let server: Url = "https://phab.example/".parse().unwrap();
        PageWords::of(&evidence, &state, &history.policy, &server).naming(&["sre1".to_owned()])
    }

    #[test]
    fn a_page_says_the_category_of_a_public_task_alone_and_of_a_restricted_one_the_number() {
        let mut history = History::emergency();
        let link = Some("https://phab.example/T1".to_owned());
        let people = vec!["sre1".to_owned()];
        assert_eq!(words(&history), PageWords { category: None, url: link.clone(), people: people.clone() });
        history.task.view = "public".into();
        assert_eq!(words(&history), PageWords { category: Some("availability".into()), url: link, people });
        history.task.view = "PHID-PLCY-1".into();
        assert_eq!(words(&history), PageWords::default());
    }

    #[test]
    fn a_reason_that_is_no_category_is_said_to_nobody() {
        let mut history = History::new("deployer1");
        history.task.view = "public".into();
        history.describe("deployer1", 1, "Emergency-Reason: call +1 555 0100 now");
        history.tag("deployer1", 2, "emergency");
        assert_eq!(words(&history).category, None);
    }

    #[test]
    fn sites_are_distinguished_by_host_and_port() {
        assert_eq!(site_of(&"https://phab.example/x/".parse().unwrap()), "phab.example");
        assert_eq!(site_of(&"http://127.0.0.1:8080/".parse().unwrap()), "127.0.0.1:8080");
    }
}
