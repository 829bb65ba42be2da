//! Since when a task is the open emergency that it is now.
//!
//! Responsible for the episode, a pure function of what was read: replicas and restarts find the same one without talking. Not
//! responsible for what is said in it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Evidence, Tagged, TaskState};
use crate::conduit::Change;
use crate::ids::TransactionId;

/// One time of being an open emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// The transaction with which it began: the task got the tag, or was opened again with it. It is part of every key.
    pub began: TransactionId,
    /// When that was, by the server's clock.
    pub since: Timestamp,
}

impl Episode {
    /// The episode of a task as it is now; `None` where it does not carry the tag, or is closed.
    pub fn current(evidence: &Evidence, state: &TaskState) -> Option<Self> {
        let Tagged::Since(tagged) = state.tagged else { return None };
        // A status that the server does not list is no open one.
        let is_closed = |status: &str| evidence.statuses.get(status).copied().unwrap_or(true);
        if is_closed(&evidence.task.status) {
            return None;
        }
        let mut episode = Self { began: tagged.transaction, since: tagged.time };
        for transaction in evidence.timeline.transactions() {
            if transaction.id <= tagged.transaction {
                continue;
            }
            if let Change::Status { old: Some(old), new } = &transaction.change
                && is_closed(old)
                && !is_closed(new)
            {
                episode = Self { began: transaction.id, since: transaction.created };
            }
        }
        Some(episode)
    }

    /// The episode of a task as it is now, else the last that it was in; `None` where it never was an open emergency.
    pub fn last(evidence: &Evidence, state: &TaskState) -> Option<Self> {
        Self::current(evidence, state).or_else(|| {
            let began = EndedEpisode::last(evidence)?.began;
            let row = evidence.timeline.transactions().iter().find(|row| row.id == began)?;
            Some(Self { began, since: row.created })
        })
    }

    /// The transaction with which the task last stopped being an open emergency before this episode; `None` where it was none before.
    pub fn previous_end(&self, evidence: &Evidence) -> Option<TransactionId> {
        EndedEpisode::last_before(evidence, Some(self.began)).map(|ended| ended.end)
    }
}

/// One time of having been an open emergency, which is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedEpisode {
    /// The transaction with which it began.
    pub began: TransactionId,
    /// The transaction that ended it.
    pub end: TransactionId,
    /// When that was, by the server's clock.
    pub at: Timestamp,
    /// Who ended it, a PHID.
    pub by: String,
    /// How.
    pub how: Ending,
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The tag was taken away.
    Untagged,
    /// The task was closed, or merged into another.
    Closed,
}

impl EndedEpisode {
    /// The last one of a task that is over, also where the task is an open emergency again; `None` where none is.
    pub fn last(evidence: &Evidence) -> Option<Self> {
        Self::last_before(evidence, None)
    }

    /// The last one that was over before a transaction.
    fn last_before(evidence: &Evidence, before: Option<TransactionId>) -> Option<Self> {
        let family = evidence.tag.as_ref().map(|tag| &tag.family);
        let is_closed = |status: &str| evidence.statuses.get(status).copied().unwrap_or(true);
        let (mut carried, mut closed, mut began, mut last) = (BTreeSet::new(), false, None, None);
        let rows = evidence.timeline.transactions().iter();
        for transaction in rows.take_while(|row| before.is_none_or(|before| row.id < before)) {
            let (was_tagged, was_closed) = (!carried.is_empty(), closed);
            match &transaction.change {
                Change::Projects { added, removed } => {
                    // What is added though it is there was taken away by a change that is not shown: it begins anew.
                    added.iter().for_each(|project| _ = carried.remove(project));
                    let begins = carried.is_empty();
                    carried
                        .extend(added.iter().filter(|project| family.is_some_and(|family| family.contains(project))));
                    removed.iter().for_each(|project| _ = carried.remove(project));
                    if begins && !carried.is_empty() {
                        began = Some(transaction.id);
                    }
                }
                Change::Status { old, new } => {
                    closed = is_closed(new);
                    if was_tagged && !closed && old.as_deref().is_some_and(is_closed) {
                        began = Some(transaction.id);
                    }
                }
                Change::Merged => closed = true,
                _ => {}
            }
            if was_tagged && !was_closed && (carried.is_empty() || closed) {
                last = began.map(|began| Self {
                    began,
                    end: transaction.id,
                    at: transaction.created,
                    by: transaction.author.clone(),
                    how: if carried.is_empty() { Ending::Untagged } else { Ending::Closed },
                });
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;

    fn episode(history: &History) -> Option<Episode> {
        let evidence = history.evidence();
        let state = TaskState::derive(&evidence, &history.policy, None);
        Episode::current(&evidence, &state)
    }

    #[test]
    fn it_begins_with_the_tag_and_anew_where_the_task_is_opened_again() {
        let mut history = History::emergency();
        let first = episode(&history).unwrap();
        history.comment("sre1", 20, "Looking.");
        assert_eq!(episode(&history), Some(first));
        history.status("deployer1", 30, "resolved");
        assert_eq!(episode(&history), None, "a closed task is no open emergency");
        let opened = history.status("deployer1", 40, "open");
        assert_eq!(episode(&history).unwrap().began, opened);
    }

    #[test]
    fn of_what_is_over_the_last_one_is_known() {
        let mut history = History::emergency();
        let last = |history: &History| {
            let evidence = history.evidence();
            Episode::last(&evidence, &TaskState::derive(&evidence, &history.policy, None)).map(|last| last.began)
        };
        let first = episode(&history).unwrap().began;
        assert_eq!(last(&history), Some(first));
        history.status("deployer1", 30, "resolved");
        assert_eq!(last(&history), Some(first), "it was closed");
        let opened = history.status("deployer1", 40, "open");
        history.untag("outsider", 50, "emergency");
        assert_eq!(last(&history), Some(opened), "the tag went");
        assert_eq!(last(&History::new("deployer1")), None);
    }

    #[test]
    fn what_was_before_it_ended_with_the_tag_or_with_the_task() {
        let mut history = History::emergency();
        let end = |history: &History| episode(history).unwrap().previous_end(&history.evidence());
        assert_eq!(end(&history), None);
        let untagged = history.untag("outsider", 20, "emergency");
        history.tag("outsider", 30, "emergency");
        assert_eq!(end(&history), Some(untagged));
        let closed = history.status("deployer1", 40, "resolved");
        history.status("outsider", 50, "open");
        assert_eq!(end(&history), Some(closed));
    }

    #[test]
    fn what_is_over_names_who_ended_it_and_the_episode_that_it_was() {
        let mut history = History::emergency();
        let last = |history: &History| EndedEpisode::last(&history.evidence());
        assert_eq!(last(&history), None, "it is open");
        let first = episode(&history).unwrap();
        let untagged = history.untag("outsider", 20, "emergency");
        let outsider = crate::evidence::testing::person("outsider").as_str().to_owned();
        let ended = EndedEpisode {
            began: first.began,
            end: untagged,
            at: crate::evidence::testing::at(20),
            by: outsider,
            how: Ending::Untagged,
        };
        assert_eq!(last(&history).as_ref(), Some(&ended));
        history.comment("sre1", 25, "Oh.");
        history.tag("sre1", 30, "emergency");
        assert_eq!(last(&history), Some(ended), "also where the next one began");
        let second = episode(&history).unwrap();
        let merged = history.merge("sre2", 40);
        let over = last(&history).unwrap();
        assert_eq!((over.began, over.end, over.how), (second.began, merged, Ending::Closed));
        history.status("sre1", 50, "open");
        let third = history.status("sre1", 60, "resolved");
        assert_eq!(last(&history).unwrap().end, third);
    }
}
