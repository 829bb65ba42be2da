//! What there is to say in the channel of an open emergency by itself.
//!
//! Responsible for what is due, a pure function of what is known and of what was said: each line has a key, and what was said is kept by it.
//! Not responsible for asking teams ([`crate::serve::paging`]), nor for the words ([`super::lines`]).

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::ids::DeployId;
use crate::rules::Decision;
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::deploys::{Deploy, DeployState};

/// Something that is said once in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// The deploy may start; again after each time that it could not any more.
    Ready(usize),
    /// It may not any more, since an approval is missing again.
    Lost(usize),
    /// A deploy started.
    Started(DeployId),
    /// It ended.
    Ended(DeployId),
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(times) => write!(f, "ready {times}"),
            Self::Lost(times) => write!(f, "lost {times}"),
            Self::Started(deploy) => write!(f, "started {deploy}"),
            Self::Ended(deploy) => write!(f, "ended {deploy}"),
        }
    }
}

/// What is due of a task, where `said` are the keys of what was said in its episode.
pub(super) fn news(
    watched: &WatchedTask,
    said: &BTreeSet<String>,
    now: Timestamp,
    window: SignedDuration,
) -> Vec<News> {
    if watched.speaks != Speaks::Yes {
        return Vec::new();
    }
    let is_new = |news: &News| !said.contains(&news.to_string());
    let is_recent = |at: Timestamp| now.duration_since(at) <= window;
    let of_episode = |deploy: &&Deploy| deploy.transaction > watched.episode.began;
    let mut due = Vec::new();
    for deploy in watched.deploys.iter().filter(of_episode) {
        match deploy.state {
            DeployState::Underway if is_recent(deploy.started) => due.push(News::Started(deploy.deploy)),
            DeployState::Ended { at, .. } if is_recent(at) => due.push(News::Ended(deploy.deploy)),
            DeployState::Underway | DeployState::Ended { .. } | DeployState::Silent | DeployState::NotBelieved => {}
        }
    }
    let is_deployed = watched.underway || watched.deploys.iter().any(|deploy| of_episode(&deploy));
    let times = (0..).find(|times| is_new(&News::Lost(*times))).unwrap_or(usize::MAX);
    match &watched.verdict.decision {
        Decision::Allowed(_) if !is_deployed => due.push(News::Ready(times)),
        // A yes that was counted on is gone; what is in the way besides is no news of this kind.
        Decision::Pending | Decision::Denied
            if !is_deployed && !is_new(&News::Ready(times)) && watched.verdict.missing_teams().next().is_some() =>
        {
            due.push(News::Lost(times));
        }
        _ => {}
    }
    due.retain(is_new);
    due
}
