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

    /// The transaction with which the task last stopped being an open emergency before this episode; `None` where it was none before.
    pub fn previous_end(&self, evidence: &Evidence) -> Option<TransactionId> {
        let family = evidence.tag.as_ref().map(|tag| &tag.family);
        let is_closed = |status: &str| evidence.statuses.get(status).copied().unwrap_or(true);
        let (mut carried, mut closed, mut end) = (BTreeSet::new(), false, None);
        for transaction in evidence.timeline.transactions().iter().take_while(|row| row.id < self.began) {
            let was_one = !carried.is_empty() && !closed;
            match &transaction.change {
                Change::Projects { added, removed } => {
                    carried
                        .extend(added.iter().filter(|project| family.is_some_and(|family| family.contains(project))));
                    removed.iter().for_each(|project| _ = carried.remove(project));
                }
                Change::Status { new, .. } => closed = is_closed(new),
                Change::Merged => closed = true,
                _ => {}
            }
            if was_one && (carried.is_empty() || closed) {
                end = Some(transaction.id);
            }
        }
        end
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
}
