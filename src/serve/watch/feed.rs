//! How far the feed of transactions was read.
//!
//! Responsible for the cursor, as a pure function of what came and when. Transactions become visible out of order: their ids are given
//! before they are committed. So everything above the cursor is read again each time, and the cursor follows only what was first seen a
//! while ago by our own clock, or made long before the newest by the server's: what a start or an outage left to be read is not read again
//! and again. Not responsible for reading ([`crate::conduit`]) nor for keeping the cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use crate::conduit::FeedEntry;
use crate::ids::{Phid, Task, TransactionId};

/// How long after a transaction was first seen an older one may still become visible.
pub(super) const SETTLED: Duration = Duration::from_secs(90);
/// The same by the server's clock, since the older one was made: its hosts may differ by a minute.
const SETTLED_SINCE_MADE: SignedDuration = SignedDuration::from_secs(150);

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

    /// Takes what is above the cursor; returns the tasks of what was not seen before, each once, that where something happened last first.
    pub fn take(&mut self, entries: &[FeedEntry], now: Instant) -> Vec<Phid<Task>> {
        let (mut tasks, mut named) = (Vec::new(), BTreeSet::new());
        for FeedEntry { id, task, .. } in entries.iter().rev() {
            let is_new = *id > self.cursor && !self.seen.contains_key(id);
            if is_new {
                self.seen.insert(*id, now);
                if named.insert(task) {
                    tasks.push(task.clone());
                }
            }
        }
        let settled = self.seen.iter().filter(|(_, seen)| now.duration_since(**seen) > SETTLED).map(|(id, _)| *id);
        if let Some(cursor) = settled.max().max(made_long_ago(entries)).filter(|cursor| *cursor > self.cursor) {
            self.follow(cursor);
        }
        tasks
    }

    fn follow(&mut self, cursor: TransactionId) {
        self.cursor = cursor;
        self.seen = self.seen.split_off(&TransactionId(cursor.0.saturating_add(1)));
    }

    /// The state where the newest entries are all that was ever read, and their tasks.
    pub fn beginning(newest: &[FeedEntry], now: Instant) -> Option<(Self, Vec<Phid<Task>>)> {
        let oldest = newest.first()?.id;
        let mut state = Self::at(TransactionId(oldest.0.saturating_sub(1)));
        let tasks = state.take(newest, now);
        // A cursor has to be a transaction that can be seen.
        state.follow(state.cursor.max(oldest));
        Some((state, tasks))
    }

    /// Goes on from the newest entries where the cursor is refused: it is not seen any more. Returns the tasks of what was not seen
    /// before, and whether something between the cursor and the oldest entry may have been missed.
    pub fn rebase(&mut self, newest: &[FeedEntry], now: Instant) -> (Vec<Phid<Task>>, bool) {
        let Some(oldest) = newest.first().map(|entry| entry.id) else { return (Vec::new(), true) };
        let missed = oldest > self.cursor;
        let tasks = self.take(newest, now);
        // What is below it was handled.
        let below = newest.iter().map(|entry| entry.id).filter(|id| *id <= self.cursor).max();
        self.follow(below.unwrap_or(oldest));
        (tasks, missed)
    }
}

/// The newest of them that no other can come before any more.
fn made_long_ago(entries: &[FeedEntry]) -> Option<TransactionId> {
    let newest = entries.iter().map(|entry| entry.created).max()?;
    let is_long_ago = |entry: &&FeedEntry| newest.duration_since(entry.created) > SETTLED_SINCE_MADE;
    entries.iter().filter(is_long_ago).map(|entry| entry.id).max()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Made as many seconds after 1970.
    fn made(id: u64, task: &str, created: i64) -> FeedEntry {
        let created = Timestamp::from_second(created).unwrap();
        FeedEntry { id: TransactionId(id), task: Phid::new(format!("PHID-TASK-{task}")).unwrap(), created }
    }

    fn entry(id: u64, task: &str) -> FeedEntry {
        made(id, task, 0)
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
        assert_eq!((feed.cursor(), names(&tasks)), (TransactionId(5), vec!["b", "a"]));
        // 5 is hidden by now, and 6 was before.
        let (tasks, missed) = feed.rebase(&[entry(6, "c"), entry(7, "b"), entry(8, "d")], now);
        assert_eq!((feed.cursor(), names(&tasks), missed), (TransactionId(6), vec!["d", "c"], true));
        let (tasks, missed) = feed.rebase(&[entry(4, "e"), entry(7, "b"), entry(8, "d")], now);
        assert_eq!((names(&tasks), missed), (vec![], false));
        assert!(FeedState::beginning(&[], now).is_none());
    }

    #[test]
    fn what_was_made_long_before_the_newest_is_read_once() {
        let now = Instant::now();
        let backlog = [made(11, "a", 0), made(12, "b", 49), made(13, "c", 50), made(14, "d", 200)];
        let mut feed = FeedState::at(TransactionId(10));
        assert_eq!(names(&feed.take(&backlog, now)), ["d", "c", "b", "a"]);
        assert_eq!(feed.cursor(), TransactionId(12));
        assert_eq!(feed.take(&backlog[2..], now), []);
        let (begins, tasks) = FeedState::beginning(&backlog, now).unwrap();
        assert_eq!((begins.cursor(), names(&tasks)), (TransactionId(12), vec!["d", "c", "b", "a"]));
    }

    #[test]
    fn what_was_handled_is_not_taken_again_where_the_cursor_is_not_seen_any_more() {
        let now = Instant::now();
        let mut feed = FeedState::at(TransactionId(10));
        let newest = [entry(8, "a"), entry(9, "b"), entry(11, "c")];
        let (tasks, missed) = feed.rebase(&newest, now);
        assert_eq!((feed.cursor(), names(&tasks), missed), (TransactionId(9), vec!["c"], false));
        assert_eq!(feed.take(&newest, now), []);
    }
}
