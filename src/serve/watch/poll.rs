//! The poll: what happened on any task since it was last asked.
//!
//! Responsible for how often, for the cursor, and for what is done where the feed is refused. Not responsible for looking at the tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{FeedState, Watch};
use crate::conduit::{self, ConduitError, Failure};
use crate::evidence::GatherError;
use crate::ids::{Phid, Task};
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

impl PollError {
    /// Whether the server refuses the token.
    fn is_credentials(&self) -> bool {
        matches!(self, Self::Conduit(error) if error.is_credentials())
    }
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
            let polled = tokio::select! {
                _ = tick.tick() => match tokio::time::timeout(LIMIT, self.poll(&mut feed)).await {
                    Ok(polled) => {
                        let is_refused = polled.as_ref().is_err_and(PollError::is_credentials);
                        self.metrics.token_refused.store(is_refused, Ordering::Relaxed);
                        polled.map(Some).map_err(|error| error.to_string())
                    }
                    Err(_) => Err(format!("the server took longer than {} s", LIMIT.as_secs())),
                },
                () = self.poked.notified() => Ok(None),
            };
            let happened = polled.as_ref().ok().and_then(Option::as_ref).map_or(&[][..], |(_, tasks)| tasks);
            // What was read is as fresh as that only once all that it names waits to be looked at.
            let resolved =
                self.resolve(happened).await.map_err(|error| format!("which tasks these are cannot be read: {error}"));
            match polled.and_then(|begun| resolved.map(|()| begun)) {
                Ok(Some((begun, _))) => {
                    self.metrics.polls.increment();
                    self.heard(begun);
                    say_trouble(&mut trouble, None);
                }
                Ok(None) => {}
                Err(error) => {
                    self.metrics.failed_polls.increment();
                    say_trouble(&mut trouble, Some(error));
                }
            }
        }
    }

    /// Reads the feed; returns when that began, by the server's clock, and the tasks where something happened, the latest first.
    async fn poll(&self, feed: &mut Option<FeedState>) -> Result<(Timestamp, Vec<Phid<Task>>), PollError> {
        let client = self.site.client.within(LIMIT);
        let begun = self.board.now();
        let now = Instant::now();
        let (next, tasks) = match feed.clone() {
            None => match client.feed_newest().await {
                Ok(newest) => match FeedState::beginning(&newest, now) {
                    Some(begins) => begins,
                    // Nothing ever happened on this server.
                    None => return Ok((begun, Vec::new())),
                },
                Err(error) if is_refused(&error) => return Ok((self.poll_modified(begun).await?, Vec::new())),
                Err(error) => return Err(error.into()),
            },
            Some(mut next) => match client.feed_since(next.cursor()).await {
                Ok(entries) => {
                    let tasks = next.take(&entries, now);
                    (next, tasks)
                }
                // A cursor that the account cannot see any more is refused for ever, and so is a feed with very many hidden
                // transactions; the newest of it may be had all the same.
                Err(error) if is_refused(&error) => match client.feed_newest().await {
                    Ok(newest) => {
                        let (tasks, missed) = next.rebase(&newest, now);
                        if missed {
                            self.sweep_now();
                        }
                        (next, tasks)
                    }
                    Err(error) if is_refused(&error) => return Ok((self.poll_modified(begun).await?, Vec::new())),
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            },
        };
        self.feed_is_down.store(false, Ordering::Relaxed);
        let moved = feed.as_ref().is_none_or(|feed| feed.cursor() != next.cursor());
        if moved || !tasks.is_empty() {
            // The cursor moves with the tasks, in one transaction.
            self.store.with(|store| store.advance(next.cursor(), &tasks))?;
        }
        *feed = Some(next);
        Ok((begun, tasks))
    }

    /// What stands in for the feed: the tasks with the tag that were modified lately.
    async fn poll_modified(&self, begun: Timestamp) -> Result<Timestamp, PollError> {
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
        Ok(begun)
    }

    /// The server answered: what could not be read before may be now.
    fn heard(&self, begun: Timestamp) {
        self.board.refreshed(|fresh| fresh.feed = Some(begun));
        for task in self.board.unread_tasks() {
            self.queue.push(task);
        }
    }

    /// Has the tasks looked at that wait in the store: those that are known, and of the others those that carry the tag. Of many, as after a
    /// start, those that `happened` names come in its order, behind those that a webhook named.
    async fn resolve(&self, happened: &[Phid<Task>]) -> Result<(), PollError> {
        let mut waiting = self.store.with(|store| store.waiting())?;
        let place = |task: &Phid<Task>| happened.iter().position(|other| other == task);
        waiting.sort_by_cached_key(place);
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
        let is_tagged = |task: &&conduit::Task| task.projects.iter().any(|project| family.contains(project));
        let mut tagged: Vec<_> = found.iter().filter(is_tagged).collect();
        tagged.sort_by_cached_key(|task| place(&task.phid));
        for task in tagged {
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
