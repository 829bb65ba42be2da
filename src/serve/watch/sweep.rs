//! The sweep: every open emergency, listed anew.
//!
//! Responsible for finding what any feed missed, what became visible, and what is not in a feed: the tag and what is below it. Not
//! responsible for looking at the tasks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Watch;
use super::poll::{PollError, say_trouble};
use crate::evidence::Tag;
use crate::ids::TaskId;
use crate::serve::store::Store;

/// How often.
const SWEEP: Duration = Duration::from_secs(60);
/// How often while the feed gives nothing.
const IN_PLACE_OF_FEED: Duration = Duration::from_secs(3);
/// How long one sweep may take.
const LIMIT: Duration = Duration::from_secs(50);

/// For how long a change may be on its way through the feed.
const FEED_HAD_TIME: SignedDuration = SignedDuration::from_secs(15);

impl<S: Store> Watch<S> {
    /// Sweeps for ever, first at once.
    pub(super) async fn sweeps(self: Arc<Self>) {
        let mut trouble = None;
        loop {
            let done = tokio::time::timeout(LIMIT, self.sweep()).await;
            let error = match done {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("the open emergencies cannot be listed: {error}")),
                Err(_) => Some(format!("listing the open emergencies took longer than {} s", LIMIT.as_secs())),
            };
            let is_urgent = self.feed_is_down() || error.is_some();
            say_trouble(&mut trouble, error);
            let pause = if is_urgent { IN_PLACE_OF_FEED } else { SWEEP };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.sweep_now.notified() => {}
            }
        }
    }

    async fn sweep(&self) -> Result<(), PollError> {
        let client = self.site.client.within(LIMIT);
        let begun = self.board.now();
        let slug = self.site.policy.tag.as_str();
        let slugs = [slug];
        let (projects, statuses) = tokio::join!(client.projects_by_slug(&slugs), client.statuses());
        let projects = projects?;
        // An empty list of the tasks of no project would look like a quiet night.
        let project = projects.of(slug).ok_or_else(|| PollError::NoTag(slug.to_owned()))?;
        let below = client.descendants(std::slice::from_ref(&project.phid)).await?;
        let family: BTreeSet<_> = below.into_iter().map(|below| below.phid).chain([project.phid.clone()]).collect();
        if self.board.set_family(&Tag { phid: project.phid.clone(), family }) {
            self.board.all().iter().for_each(|watched| _ = self.queue.push_listed(watched.task));
        }
        let open: Vec<String> =
            statuses?.into_iter().filter(|status| !status.closed).map(|status| status.value).collect();
        let tasks = client.tasks_of(&project.phid, &open).await?;
        let listed: BTreeSet<TaskId> = tasks.iter().map(|task| task.id).collect();
        // What the feed had time to say since the list before this one.
        let freshness = self.board.freshness();
        let passed = freshness.sweep.and(freshness.feed).and_then(|feed| feed.checked_sub(FEED_HAD_TIME).ok());
        for task in &tasks {
            let known = self.board.watched(task.id);
            if known.as_ref().is_none_or(|watched| watched.modified != task.modified)
                && self.queue.push_listed(task.id)
                && passed.is_some_and(|passed| task.modified < passed)
            {
                self.metrics.swept.increment();
            }
        }
        for watched in self.board.all().iter().filter(|watched| !listed.contains(&watched.task)) {
            self.queue.push_listed(watched.task);
        }
        self.board.refreshed(|fresh| fresh.sweep = Some(begun));
        Ok(())
    }
}
