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
use super::guard::Principal;
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
struct Open<S: Store> {
    app: Shared<S>,
    principal: Arc<Principal>,
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
    Extension(principal): Extension<Arc<Principal>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    events(app, principal, Subject::All)
}

/// `GET /T1/events`.
pub(super) async fn of_task<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    Path(name): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Ok(task) = name.parse() else { return Err(problem::not_found().await) };
    events(app, principal, Subject::Task(task))
}

fn events<S: Store>(
    app: Shared<S>,
    principal: Arc<Principal>,
    subject: Subject,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    app.viewer(&principal).map_err(|why| match why {
        NoView::NotSignedIn => {
            Problem::new(StatusCode::UNAUTHORIZED, "not signed in", "look at the page itself, which says how")
        }
        NoView::NoViewer(_) => Problem::new(StatusCode::FORBIDDEN, "not for this account", "look at the page itself"),
        NoView::NotKnownYet => Problem::unavailable("the members of the teams could not be read yet"),
    })?;
    let (mut changes, stop) = (app.watch.board.changes(), app.stop.clone());
    changes.mark_changed();
    let open = Open { app, principal, subject, changes, seen: None, due: VecDeque::new(), is_over: false };
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
        let Some(now) = self.app.view(&self.principal, self.subject) else {
            // Whoever looked may not any more.
            self.due.push_back(Due::Gone(None).event());
            self.is_over = true;
            return;
        };
        self.due.extend(due(self.seen.as_ref(), &now, self.subject).iter().map(Due::event));
        self.seen = Some(now);
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    /// Of this task less is shown than before, or nothing any more; of all tasks nothing, where it names none.
    Gone(Option<TaskId>),
    /// Something changed, and the page is known by this now.
    Changed(u64),
}

impl Due {
    fn event(&self) -> Event {
        match self {
            Self::Gone(task) => {
                Event::default().event("gone").data(task.map_or_else(String::new, |task| task.to_string()))
            }
            Self::Changed(key) => {
                let key = key.to_string();
                Event::default().event("changed").retry(RETRY).id(key.clone()).data(key)
            }
        }
    }
}

/// What is sent where the page was last shown this, and would be shown that now.
fn due(seen: Option<&View>, now: &View, subject: Subject) -> Vec<Due> {
    let before = seen.into_iter().flat_map(|seen| &seen.tasks);
    let less = before.filter(|(task, shown)| now.tasks.get(*task).is_none_or(|now| now > *shown));
    let mut due: Vec<Due> = less.map(|(task, _)| Due::Gone(Some(*task))).collect();
    if let (Subject::Task(task), true, None) = (subject, now.tasks.is_empty(), seen) {
        due.push(Due::Gone(Some(task)));
    }
    if seen != Some(now) {
        due.push(Due::Changed(now.key));
    }
    due
}

impl<S: Store> App<S> {
    /// What a page shows now; `None` where who looks may not any more.
    fn view(&self, principal: &Principal, subject: Subject) -> Option<View> {
        self.viewer(principal).ok()?;
        let board = &self.watch.board;
        let last = *board.changes().borrow();
        Some(match subject {
            Subject::All => View {
                key: last,
                tasks: board
                    .all()
                    .iter()
                    .map(|watched| (watched.task, Shown::to(principal, watched.audience)))
                    .collect(),
            },
            Subject::Task(task) => match board.watched(task) {
                Some(watched) => {
                    View { key: watched.sequence, tasks: [(task, Shown::to(principal, watched.audience))].into() }
                }
                None => View::default(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(key: u64, tasks: &[(u64, Shown)]) -> View {
        let tasks = tasks.iter().map(|(number, shown)| (task(*number), *shown));
        View { key, tasks: tasks.collect() }
    }

    fn task(number: u64) -> TaskId {
        TaskId::new(number).unwrap()
    }

    #[test]
    fn what_is_shown_less_is_gone_before_the_page_hears_of_a_change() {
        let seen = view(7, &[(1, Shown::Whole), (2, Shown::Names), (3, Shown::Number)]);
        assert_eq!(due(None, &seen, Subject::All), [Due::Changed(7)]);
        assert_eq!(due(Some(&seen), &seen, Subject::All), []);
        let now = view(9, &[(1, Shown::Names), (3, Shown::Whole), (4, Shown::Whole)]);
        let gone = |number| Due::Gone(Some(task(number)));
        assert_eq!(due(Some(&seen), &now, Subject::All), [gone(1), gone(2), Due::Changed(9)]);
        let of_one = Subject::Task(task(1));
        assert_eq!(due(Some(&view(7, &[(1, Shown::Whole)])), &View::default(), of_one), [gone(1), Due::Changed(0)]);
        assert_eq!(due(None, &View::default(), of_one), [gone(1), Due::Changed(0)]);
    }
}
