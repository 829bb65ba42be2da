//! The streams of the live page: that something changed, never what.
//!
//! Responsible for who hears them, which is asked again and again while they are open, and for `gone`, which comes before all else where
//! less is shown than before. The page then asks for its own part anew. Not responsible for what is shown.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use tokio::sync::watch;

use super::audience::Shown;
use super::guard::Asker;
use super::page::NoView;
use super::problem::{self, Problem};
use super::{App, Shared};
use crate::ids::TaskId;
use crate::serve::store::Store;
use crate::serve::watch::stopped;

/// After how long a page that lost the stream asks again.
const RETRY: Duration = Duration::from_secs(3);
/// How often a stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// How often it is asked anew whether somebody may still look.
const STILL: Duration = Duration::from_secs(15);

/// What a page is about.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Task(TaskId),
    All,
}

/// What a page was last shown: its key, and how much of each task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct View {
    key: u64,
    tasks: BTreeMap<TaskId, Shown>,
}

/// One open stream.
struct Open<S> {
    app: Shared<S>,
    asker: Arc<Asker>,
    subject: Subject,
    changes: watch::Receiver<u64>,
    seen: Option<View>,
    /// What is sent next.
    due: VecDeque<Event>,
    is_over: bool,
}

/// `GET /events`.
pub(super) async fn of_all<S: Store>(
    State(app): State<Shared<S>>,
    Extension(asker): Extension<Arc<Asker>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    events(app, asker, Subject::All)
}

/// `GET /T1/events`.
pub(super) async fn of_task<S: Store>(
    State(app): State<Shared<S>>,
    Extension(asker): Extension<Arc<Asker>>,
    Path(name): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Ok(task) = name.parse() else { return Err(problem::not_found().await) };
    events(app, asker, Subject::Task(task))
}

fn events<S: Store>(
    app: Shared<S>,
    asker: Arc<Asker>,
    subject: Subject,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    app.viewer(&asker).map_err(|why| match why {
        NoView::NotSignedIn => {
            Problem::new(StatusCode::UNAUTHORIZED, "not signed in", "look at the page itself, which says how")
        }
        NoView::NoViewer(_) => Problem::new(StatusCode::FORBIDDEN, "not for this account", "look at the page itself"),
        NoView::NotKnownYet => Problem::unavailable("the members of the teams could not be read yet"),
    })?;
    let (mut changes, stop) = (app.watch.board.changes(), app.stop.clone());
    changes.mark_changed();
    let open = Open { app, asker, subject, changes, seen: None, due: VecDeque::new(), is_over: false };
    let all = stream::unfold(open, |mut open| async move { Some((Ok(open.next().await?), open)) });
    let until_the_end = futures_util::StreamExt::take_until(all, Box::pin(stopped(stop)));
    Ok(Sse::new(until_the_end).keep_alive(KeepAlive::new().interval(ALIVE).text("alive")))
}

impl<S: Store> Open<S> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.due.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                changed = self.changes.changed() => changed.ok()?,
                () = tokio::time::sleep(STILL) => {}
            }
            self.changes.mark_unchanged();
            self.compare();
        }
    }

    /// What is due for what changed since the page was last shown something.
    fn compare(&mut self) {
        let Some(now) = self.app.view(&self.asker, self.subject) else {
            // Whoever looked may not any more.
            self.due.push_back(gone(""));
            self.is_over = true;
            return;
        };
        let seen = self.seen.take();
        let before = seen.iter().flat_map(|seen| &seen.tasks);
        let less = before.filter(|(task, shown)| now.tasks.get(*task).is_none_or(|now| now > *shown));
        self.due.extend(less.map(|(task, _)| gone(&task.to_string())));
        if let (Subject::Task(task), true, None) = (self.subject, now.tasks.is_empty(), &seen) {
            self.due.push_back(gone(&task.to_string()));
        }
        if seen.as_ref() != Some(&now) {
            let key = now.key.to_string();
            self.due.push_back(Event::default().event("changed").retry(RETRY).id(key.clone()).data(key));
        }
        self.seen = Some(now);
    }
}

fn gone(task: &str) -> Event {
    Event::default().event("gone").data(task)
}

impl<S: Store> App<S> {
    /// What a page shows now; `None` where who looks may not any more.
    fn view(&self, asker: &Asker, subject: Subject) -> Option<View> {
        self.viewer(asker).ok()?;
        let board = &self.watch.board;
        let last = *board.changes().borrow();
        Some(match subject {
            Subject::All => View {
                key: last,
                tasks: board
                    .all()
                    .iter()
                    .map(|standing| (standing.task, Shown::to(asker, standing.audience)))
                    .collect(),
            },
            Subject::Task(task) => match board.standing(task) {
                Some(standing) => {
                    View { key: standing.sequence, tasks: [(task, Shown::to(asker, standing.audience))].into() }
                }
                None => View::default(),
            },
        })
    }
}
