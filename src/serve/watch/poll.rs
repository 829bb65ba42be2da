//! The poll: what happened on any task since it was last asked.
//!
//! Responsible for how often, for the cursor, and for what is done where the feed is refused. Not responsible for looking at the tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{FeedState, Watch};
use crate::conduit::{self, ConduitError, Failure, FeedEntry};
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

    /// Reads the feed; returns when that began, by the server's clock, and the tasks where something happened, the latest first. What was read
    /// of it stays read, also where the rest cannot be.
    async fn poll(&self, feed: &mut Option<FeedState>) -> Result<(Timestamp, Vec<Phid<Task>>), PollError> {
        let begun = self.board.now();
        let Some(state) = feed.as_ref() else {
            let Some(newest) = self.newest(begun).await? else { return Ok((begun, Vec::new())) };
            // Else nothing ever happened on this server.
            let Some((begins, tasks)) = FeedState::beginning(&newest, Instant::now()) else {
                return Ok((begun, Vec::new()));
            };
            self.advance(feed, begins, &tasks)?;
            return Ok((begun, tasks));
        };
        let (mut from, mut happened) = (Some(state.cursor()), Vec::new());
        while let Some(after) = from {
            let Some(mut next) = feed.clone() else { break };
            let tasks = match self.site.client.within(LIMIT).feed_since(after).await {
                Ok(part) => {
                    from = part.next;
                    next.take(&part.entries, Instant::now())
                }
                // A cursor that the account cannot see any more is refused for ever, and so is a feed with very many hidden
                // transactions; the newest of it may be had all the same.
                Err(error) if is_refused(&error) => {
                    let Some(newest) = self.newest(begun).await? else { return Ok((begun, happened)) };
                    let (tasks, missed) = next.rebase(&newest, Instant::now());
                    if missed {
                        self.sweep_now();
                    }
                    from = None;
                    tasks
                }
                Err(error) => return Err(error.into()),
            };
            self.advance(feed, next, &tasks)?;
            happened.splice(0..0, tasks);
        }
        self.feed_is_down.store(false, Ordering::Relaxed);
        Ok((begun, happened))
    }

    /// The newest of the feed; `None` where it is refused, and what stands in for it was read.
    async fn newest(&self, begun: Timestamp) -> Result<Option<Vec<FeedEntry>>, PollError> {
        match self.site.client.within(LIMIT).feed_newest().await {
            Ok(newest) => {
                self.feed_is_down.store(false, Ordering::Relaxed);
                Ok(Some(newest))
            }
            Err(error) if is_refused(&error) => self.poll_modified(begun).await.map(|()| None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps how far the feed was read, with the tasks that are to be looked at for it, in one transaction.
    fn advance(&self, feed: &mut Option<FeedState>, next: FeedState, tasks: &[Phid<Task>]) -> Result<(), StoreError> {
        let moved = feed.as_ref().is_none_or(|feed| feed.cursor() != next.cursor());
        if moved || !tasks.is_empty() {
            self.store.with(|store| store.advance(next.cursor(), tasks))?;
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
        Ok(())
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
        let places: BTreeMap<_, usize> = happened.iter().zip(0..).collect();
        let place = |task: &Phid<Task>| places.get(task).copied();
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use serde_json::json;

    use super::*;
    use crate::conduit::{Client, Route, Timeouts};
    use crate::evidence::testing::History;
    use crate::ids::TransactionId;
    use crate::serve::store::SqliteStore;
    use crate::serve::testing::site;

    /// A server that answers with each of these, one a connection, and then not any more; its URL.
    fn answering(answers: Vec<serde_json::Value>) -> url::Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
                let mut reader = BufReader::new(stream.unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap() > 2 {
                    let said = line.to_ascii_lowercase();
                    length = said.strip_prefix("content-length: ").map_or(length, |said| said.trim().parse().unwrap());
                    line.clear();
                }
                reader.read_exact(&mut vec![0; length]).unwrap();
                let body = answer.to_string();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
                write!(reader.get_mut(), "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        url
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_read_of_a_backlog_stays_read_where_the_rest_cannot_be() {
        let row = |id: u64, task: &str, created: i64| {
            let (phid, task) = (format!("PHID-XACT-TASK-{id}"), format!("PHID-TASK-{task}"));
            json!({"id": id, "phid": phid, "objectPHID": task, "dateCreated": created})
        };
        let cursor = json!({"before": "12", "after": null, "limit": 2, "order": null});
        let data = [row(12, "b", 1_000), row(11, "a", 1)];
        let page = json!({"result": {"data": data, "cursor": cursor}, "error_code": null, "error_info": null});
        let refused = json!({"result": null, "error_code": "ERR-INVALID-AUTH", "error_info": "no such token"});
        let url = answering(vec![page, refused]);
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut site = site(&History::emergency(), state.clone());
        let second = Duration::from_secs(10);
        site.client = Client::new(&url, None, Timeouts { connect: second, call: second }, &Route::default()).unwrap();
        let watch = Watch::new(site, SqliteStore::open(&state).unwrap()).unwrap();
        let mut feed = Some(FeedState::at(TransactionId(10)));
        assert!(watch.poll(&mut feed).await.is_err_and(|error| error.is_credentials()));
        assert_eq!(feed.unwrap().cursor(), TransactionId(11));
        assert_eq!(watch.store.with(|store| store.cursor()).unwrap(), Some(TransactionId(11)));
        assert_eq!(watch.store.with(|store| store.waiting()).unwrap().len(), 2);
    }
}
