//! Streams of what changes (Server-Sent Events).
//!
//! Responsible for what is sent when: the whole state at first, and again where something changed. Not responsible for what is shown to
//! whom.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};

use super::emergencies::page_of_all;
use super::guard::Principal;
use super::problem::Problem;
use super::verdict::task_of;
use super::{App, Shared};
use crate::ids::TaskId;
use crate::serve::store::Store;
use crate::serve::watch::stopped;

/// After how long a reader that lost the stream asks again.
const RETRY: Duration = Duration::from_secs(3);
/// How often a stream says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// What a stream shows.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Task(TaskId),
    All,
}

/// `GET /v1/tasks/T1/events`.
pub(super) async fn of_task<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    task: Result<Path<String>, PathRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let task = task_of(task)?;
    app.known(task).await.ok_or_else(Problem::no_emergency)?;
    Ok(events(app, principal, Subject::Task(task)))
}

/// `GET /v1/events`.
pub(super) async fn of_all<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    events(app, principal, Subject::All)
}

fn events<S: Store>(
    app: Shared<S>,
    principal: Arc<Principal>,
    subject: Subject,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = app.watch.board.changes();
    changes.mark_changed();
    let stop = app.stop.clone();
    let states =
        stream::unfold((app, principal, changes, None), move |(app, principal, mut changes, last)| async move {
            loop {
                changes.changed().await.ok()?;
                changes.mark_unchanged();
                let (event, now) = event(&app, &principal, subject).await;
                if last.as_ref() == Some(&now) {
                    continue;
                }
                return Some((Ok(event), (app, principal, changes, Some(now))));
            }
        });
    let ended = async move { stopped(stop).await };
    Sse::new(states.take_until(Box::pin(ended))).keep_alive(KeepAlive::new().interval(ALIVE).text("alive"))
}

/// The event that shows the subject as it is now, and what it is known by.
async fn event<S: Store>(app: &App<S>, principal: &Principal, subject: Subject) -> (Event, String) {
    let event = Event::default().retry(RETRY);
    let page = match subject {
        Subject::All => Some((page_of_all(app, principal), app.watch.board.all().iter().map(|one| one.sequence).max())),
        Subject::Task(task) => match app.known(task).await {
            Some(known) => known.page(app, principal).ok().map(|page| (page, Some(known.watched.sequence))),
            None => None,
        },
    };
    match page {
        None => (event.event("gone").data("{}"), "gone".to_owned()),
        Some((page, sequence)) => {
            let id = sequence.unwrap_or_default().to_string();
            let mut timeless = page.clone();
            if let Some(fields) = timeless.as_object_mut() {
                fields.remove("evidence_at");
                fields.remove("time");
            }
            let name = if matches!(subject, Subject::All) { "emergencies" } else { "verdict" };
            (event.event(name).id(id).data(page.to_string()), timeless.to_string())
        }
    }
}
