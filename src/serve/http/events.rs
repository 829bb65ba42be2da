//! Streams of what changes (Server-Sent Events).
//!
//! Responsible for what is sent when: the whole state at first, and then what changed. Each event is made when its reader takes it, so that
//! a slow one is sent the newest state and holds no older one in memory. Not responsible for what is shown to whom.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::emergencies::row_of;
use super::guard::Principal;
use super::problem::Problem;
use super::verdict::{task_of, timeless};
use super::{App, Shared};
use crate::ids::TaskId;
use crate::serve::board::WatchedTask;
use crate::serve::store::Store;
use crate::serve::watch::stopped;

/// After how long a reader that lost the stream asks again.
const RETRY: Duration = Duration::from_secs(3);
/// After how long it is looked whether what is known became too old.
const STILL: Duration = Duration::from_secs(10);
/// How often a stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

fn event(name: &str, id: u64, data: &Value) -> Event {
    Event::default().retry(RETRY).event(name).id(id.to_string()).data(data.to_string())
}

/// Sends events until the service ends.
fn until_stopped<T: Stream<Item = Event> + Send + 'static>(
    stop: watch::Receiver<bool>,
    events: T,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ended = async move { stopped(stop).await };
    Sse::new(events.map(Ok).take_until(Box::pin(ended))).keep_alive(KeepAlive::new().interval(ALIVE).text("alive"))
}

/// `GET /v1/tasks/T1/events`.
pub(super) async fn of_task<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    task: Result<Path<String>, PathRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let task = task_of(task)?;
    app.known(task).await.ok_or_else(Problem::no_emergency)?;
    let mut changes = app.watch.board.changes();
    changes.mark_changed();
    let stop = app.stop.clone();
    let events = stream::unfold((app, changes, None), move |(app, mut changes, last)| {
        let principal = Arc::clone(&principal);
        async move {
            loop {
                something(&mut changes).await?;
                let (event, now) = verdict(&app, &principal, task).await;
                if last != Some(now) {
                    return Some((event, (app, changes, Some(now))));
                }
            }
        }
    });
    Ok(until_stopped(stop, events))
}

/// The event that shows a task as it is now, and what that is known by.
async fn verdict<S: Store>(app: &App<S>, principal: &Principal, task: TaskId) -> (Event, u64) {
    let page = match app.known(task).await {
        Some(known) => known.page(app, principal).ok().map(|page| (page, known.watched.sequence)),
        None => None,
    };
    let Some((page, sequence)) = page else { return (Event::default().retry(RETRY).event("gone").data("{}"), 0) };
    let event = event("verdict", sequence, &page);
    let mut hasher = DefaultHasher::new();
    timeless(page).to_string().hash(&mut hasher);
    (event, hasher.finish().max(1))
}

/// `GET /v1/events`.
pub(super) async fn of_all<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = app.watch.board.changes();
    changes.mark_changed();
    let all = All { changes, sent: BTreeMap::new(), due: VecDeque::new(), is_listed: false };
    let stop = app.stop.clone();
    let events = stream::unfold((app, all), move |(app, mut all)| {
        let principal = Arc::clone(&principal);
        async move {
            let event = all.next(&app, &principal).await?;
            Some((event, (app, all)))
        }
    });
    until_stopped(stop, events)
}

/// What a row is known by: the number of its change, and whether it is too old to be decided.
fn state_of<S: Store>(app: &App<S>, watched: &WatchedTask) -> (u64, bool) {
    (watched.sequence, app.is_old(watched))
}

/// Waits until something changed, or so long that what is known may have become too old, or is not any more; `None` at the end.
async fn something(changes: &mut watch::Receiver<u64>) -> Option<()> {
    if let Ok(changed) = tokio::time::timeout(STILL, changes.changed()).await {
        changed.ok()?;
    }
    changes.mark_unchanged();
    Some(())
}

/// How far a reader of all open emergencies is.
struct All {
    changes: watch::Receiver<u64>,
    /// As what each was sent.
    sent: BTreeMap<TaskId, (u64, bool)>,
    /// What is to be sent.
    due: VecDeque<TaskId>,
    /// All that there were at first were sent, and that was said.
    is_listed: bool,
}

impl All {
    async fn next<S: Store>(&mut self, app: &App<S>, principal: &Principal) -> Option<Event> {
        let board = &app.watch.board;
        loop {
            let now = *self.changes.borrow();
            if let Some(task) = self.due.pop_front() {
                match board.watched(task) {
                    Some(watched) => {
                        self.sent.insert(task, state_of(app, &watched));
                        return Some(event("emergency", now, &row_of(app, principal, &watched)));
                    }
                    None if self.sent.remove(&task).is_some() => {
                        return Some(event("gone", now, &json!({"task": task})));
                    }
                    None => continue,
                }
            }
            if !self.is_listed && !self.changes.has_changed().ok()? {
                self.is_listed = true;
                let listed = json!({"tasks": self.sent.len(), "listed_at": board.freshness().sweep});
                return Some(event("listed", now, &listed));
            }
            something(&mut self.changes).await?;
            let all = board.all();
            let changed = all.iter().filter(|watched| self.sent.get(&watched.task) != Some(&state_of(app, watched)));
            self.due.extend(changed.map(|watched| watched.task));
            let is_gone = |task: &&TaskId| board.watched(**task).is_none();
            self.due.extend(self.sent.keys().filter(is_gone));
        }
    }
}
