//! How far the feed of transactions was read.
//!
//! Responsible for the cursor, as a pure function of what came and when. Transactions become visible out of order: their ids are given
//! before they are committed. So everything above the cursor is read again each time, and the cursor follows only what was first seen a
//! while ago by our own clock. Not responsible for reading ([`crate::conduit`]) nor for keeping the cursor.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::conduit::FeedEntry;
use crate::ids::{Phid, Task, TransactionId};

/// How long after a transaction was first seen an older one may still become visible.
pub(super) const SETTLED: Duration = Duration::from_secs(90);

/// How far the feed was read.
#[derive(Debug, Clone)]
pub struct FeedState {
    cursor: TransactionId,
    /// When each of those above the cursor was first seen.
    seen: BTreeMap<TransactionId, Instant>,
}

impl FeedState {
    /// The state where all up to this transaction was handled.
    pub fn at(cursor: TransactionId) -> Self {
        Self { cursor, seen: BTreeMap::new() }
    }

    /// Above which transaction is read.
    pub fn cursor(&self) -> TransactionId {
        self.cursor
    }

    /// Takes what is above the cursor; returns the tasks of what was not seen before, each once.
    pub fn take(&mut self, entries: &[FeedEntry], now: Instant) -> Vec<Phid<Task>> {
        let mut tasks: Vec<Phid<Task>> = Vec::new();
        for FeedEntry { id, task } in entries {
            let is_new = *id > self.cursor && !self.seen.contains_key(id);
            if is_new {
                self.seen.insert(*id, now);
                if !tasks.contains(task) {
                    tasks.push(task.clone());
                }
            }
        }
        let settled = self.seen.iter().filter(|(_, seen)| now.duration_since(**seen) > SETTLED);
        if let Some(cursor) = settled.map(|(id, _)| *id).max() {
            self.cursor = cursor;
            self.seen = self.seen.split_off(&TransactionId(cursor.0.saturating_add(1)));
        }
        tasks
    }
}

impl FeedState {
    /// The state where the newest entries are all that was ever read, and their tasks.
    pub fn beginning(newest: &[FeedEntry], now: Instant) -> Option<(Self, Vec<Phid<Task>>)> {
        let oldest = newest.first()?.id;
        let mut state = Self::at(TransactionId(oldest.0.saturating_sub(1)));
        let tasks = state.take(newest, now);
        // A cursor has to be a transaction that can be seen.
        state.cursor = oldest;
        Some((state, tasks))
    }

    /// Goes on from the newest entries where the cursor is refused: it is not seen any more. Returns the tasks of what was not seen
    /// before, and whether something between the cursor and the oldest entry may have been missed.
    pub fn rebase(&mut self, newest: &[FeedEntry], now: Instant) -> (Vec<Phid<Task>>, bool) {
        let Some(oldest) = newest.first().map(|entry| entry.id) else { return (Vec::new(), true) };
        let missed = oldest > self.cursor;
        let tasks = self.take(newest, now);
        if !newest.iter().any(|entry| entry.id == self.cursor) {
            self.cursor = oldest;
            self.seen = self.seen.split_off(&TransactionId(oldest.0.saturating_add(1)));
        }
        (tasks, missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, task: &str) -> FeedEntry {
        FeedEntry { id: TransactionId(id), task: Phid::new(format!("PHID-TASK-{task}")).unwrap() }
    }

    fn names(tasks: &[Phid<Task>]) -> Vec<&str> {
        tasks.iter().map(|task| task.as_str().trim_start_matches("PHID-TASK-")).collect()
    }

    #[test]
    fn what_becomes_visible_late_is_seen_all_the_same() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut feed = FeedState::at(TransactionId(10));
        assert_eq!(names(&feed.take(&[entry(12, "a")], start)), ["a"]);
        assert_eq!(feed.cursor(), TransactionId(10));
        // 11 was given before 12, and committed after it.
        let late = [entry(11, "b"), entry(12, "a")];
        assert_eq!(names(&feed.take(&late, after(60))), ["b"]);
        assert_eq!(feed.take(&late, after(63)), []);
        // 12 was seen long ago: nothing below it is waited for any more.
        assert_eq!(feed.take(&late, after(91)), []);
        assert_eq!(feed.cursor(), TransactionId(12));
        assert_eq!(names(&feed.take(&[entry(13, "a"), entry(14, "a")], after(92))), ["a"]);
    }

    #[test]
    fn nothing_below_the_cursor_is_new() {
        let mut feed = FeedState::at(TransactionId(10));
        assert_eq!(feed.take(&[entry(9, "a"), entry(10, "a")], Instant::now()), []);
    }

    #[test]
    fn a_cursor_that_is_refused_gives_way_to_one_that_is_seen() {
        let now = Instant::now();
        let (mut feed, tasks) = FeedState::beginning(&[entry(5, "a"), entry(7, "b")], now).unwrap();
        assert_eq!((feed.cursor(), names(&tasks)), (TransactionId(5), vec!["a", "b"]));
        // 5 is hidden by now, and 6 was before.
        let (tasks, missed) = feed.rebase(&[entry(6, "c"), entry(7, "b"), entry(8, "d")], now);
        assert_eq!((feed.cursor(), names(&tasks), missed), (TransactionId(6), vec!["c", "d"], true));
        let (tasks, missed) = feed.rebase(&[entry(4, "e"), entry(7, "b"), entry(8, "d")], now);
        assert_eq!((names(&tasks), missed), (vec![], false));
        assert!(FeedState::beginning(&[], now).is_none());
    }
}
