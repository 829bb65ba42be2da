//! The poll: what happened on any task since it was last asked.
//!
//! Responsible for how often, for the cursor, and for what is done where the feed is refused. Not responsible for looking at the tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{FeedState, Watch};
use crate::conduit::{ConduitError, Failure, FeedEntry};
use crate::evidence::GatherError;
use crate::serve::store::{Store, StoreError};

/// How often.
const POLL: Duration = Duration::from_secs(3);
/// How long one poll may take.
const LIMIT: Duration = Duration::from_secs(20);
/// By how much readings of servers without a feed overlap, since a change is seen only once it is committed.
const OVERLAP: SignedDuration = SignedDuration::from_secs(90);

/// Why a poll gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    /// The server.
    #[error(transparent)]
    Conduit(#[from] ConduitError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was read.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// The server knows no such project, or does not show it.
    #[error("the server knows no project #{0}, or does not show it to this account")]
    NoTag(String),
}

impl<S: Store> Watch<S> {
    /// Polls for ever.
    pub(super) async fn polls(self: Arc<Self>) {
        let mut tick = interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut feed = match self.store.with(|store| store.cursor()) {
            Ok(cursor) => cursor.map(FeedState::at),
            Err(error) => {
                tracing::error!("{error}");
                None
            }
        };
        let mut trouble = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    let done = tokio::time::timeout(LIMIT, self.poll(&mut feed)).await;
                    let error = match done {
                        Ok(Ok(())) => None,
                        Ok(Err(error)) => Some(error.to_string()),
                        Err(_) => Some(format!("the server took longer than {} s", LIMIT.as_secs())),
                    };
                    match &error {
                        None => self.metrics.polls.increment(),
                        Some(_) => self.metrics.failed_polls.increment(),
                    }
                    say_trouble(&mut trouble, error);
                }
                () = self.poked.notified() => {}
            }
            if let Err(error) = self.resolve().await {
                tracing::debug!("which tasks are to be looked at could not be read: {error}");
            }
        }
    }

    async fn poll(&self, feed: &mut Option<FeedState>) -> Result<(), PollError> {
        let client = self.site.client.within(LIMIT);
        let begun = self.board.clock().now();
        let read = match feed {
            Some(known) => client.feed_since(known.cursor()).await,
            None => client.feed_newest().await,
        };
        let (entries, anew) = match read {
            Ok(entries) => (entries, feed.is_none()),
            // A cursor that the account cannot see any more is refused for ever, and so is a feed with very many hidden
            // transactions; the newest of it may be had all the same.
            Err(error) if is_refused(&error) => match client.feed_newest().await {
                Ok(entries) => (entries, true),
                Err(error) if is_refused(&error) => return self.poll_modified(begun).await,
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        self.feed_is_down.store(false, Ordering::Relaxed);
        self.take(feed, &entries, anew)?;
        self.heard(begun);
        Ok(())
    }

    /// Moves the cursor, and notes the tasks in the same transaction of the store.
    fn take(&self, feed: &mut Option<FeedState>, entries: &[FeedEntry], anew: bool) -> Result<(), StoreError> {
        let start =
            entries.first().map(|oldest| FeedState::at(crate::ids::TransactionId(oldest.id.0.saturating_sub(1))));
        let Some(mut next) = (if anew { start } else { feed.clone() }) else { return Ok(()) };
        let tasks = next.take(entries, Instant::now());
        // Where a cursor is no transaction that can be seen, servers refuse it: the oldest entry is one.
        if anew && let Some(oldest) = entries.first() {
            next = FeedState::at(oldest.id);
            let _ = next.take(entries, Instant::now());
        }
        let moved = feed.as_ref().is_none_or(|feed| feed.cursor() != next.cursor());
        if moved || !tasks.is_empty() {
            self.store.with(|store| store.advance(next.cursor(), &tasks))?;
        }
        *feed = Some(next);
        Ok(())
    }

    /// What stands in for the feed: the tasks with the tag that were modified lately.
    async fn poll_modified(&self, begun: Timestamp) -> Result<(), PollError> {
        if !self.feed_is_down.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the server refuses its feed of transactions: the tasks with the tag are listed in its place"
            );
            self.sweep_now();
        }
        let client = self.site.client.within(LIMIT);
        let tag = self.site.policy.tag.as_str();
        let projects = client.projects_by_slug(&[tag]).await?;
        let project = projects.of(tag).ok_or_else(|| PollError::NoTag(tag.to_owned()))?;
        let since = begun.saturating_sub(OVERLAP).unwrap_or(begun);
        for task in client.tasks_modified(&project.phid, since).await? {
            let is_known = self.board.watched(task.id).is_some_and(|watched| watched.modified == task.modified);
            if !is_known {
                self.queue.push(task.id);
            }
        }
        self.heard(begun);
        Ok(())
    }

    /// The server answered: what could not be read before may be now.
    fn heard(&self, begun: Timestamp) {
        self.board.refreshed(|fresh| fresh.feed = Some(begun));
        for task in self.board.unread_tasks() {
            self.queue.push(task);
        }
    }

    /// Has the tasks looked at that wait in the store: those that are known, and of the others those that carry the tag.
    async fn resolve(&self) -> Result<(), PollError> {
        let waiting = self.store.with(|store| store.waiting())?;
        if waiting.is_empty() {
            return Ok(());
        }
        let (known, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|task| self.board.by_phid(task).is_some());
        for task in known.iter().filter_map(|task| self.board.by_phid(task)) {
            self.queue.push(task);
        }
        self.store.with(|store| store.looked_at(&known))?;
        // Before the tag is known they wait.
        let Some(family) = self.board.family().filter(|_| !others.is_empty()) else { return Ok(()) };
        let found = self.site.client.within(LIMIT).tasks_by_phid(&others).await?.result;
        for task in found.iter().filter(|task| task.projects.iter().any(|project| family.contains(project))) {
            self.queue.push(task.id);
        }
        self.store.with(|store| store.looked_at(&others))?;
        Ok(())
    }
}

/// Whether Conduit itself refused a call, for a reason that does not pass by itself.
fn is_refused(error: &ConduitError) -> bool {
    matches!(error.kind, Failure::Refused { .. }) && !error.is_credentials() && !error.is_transient()
}

/// Says a trouble when it begins, changes or ends.
pub(super) fn say_trouble(before: &mut Option<String>, now: Option<String>) {
    match (&before, &now) {
        (old, Some(new)) if old.as_ref() != Some(new) => tracing::warn!("{new}"),
        (Some(_), None) => tracing::info!("the server answers again"),
        _ => {}
    }
    *before = now;
}
