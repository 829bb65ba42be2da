//! Whether the service is up.
//!
//! Responsible for `/healthz` and `/readyz`. That the server does not answer makes the service unready for nobody: it says
//! since when nothing is known.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderName;
use axum::response::AppendHeaders;
use serde::Deserialize;

use super::Shared;
use super::problem::Problem;
use crate::ids::TaskId;
use crate::serve::store::Store;
use crate::watch_client::{ASKED, ASKS};

/// How long it stays known whether the store can be written: whoever asks more often writes nothing.
const STORE_TRIED: Duration = Duration::from_secs(2);

/// Whether the store could be written when that was last tried.
#[derive(Debug, Default)]
pub struct StoreTrial(Mutex<Option<(Instant, bool)>>);

impl StoreTrial {
    /// What is known of it at that time, and else what trying it gives. Of several that ask at once, one tries.
    fn can_write(&self, now: Instant, attempt: impl FnOnce() -> bool) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, could)) if now.saturating_duration_since(at) < STORE_TRIED => could,
            _ => {
                let can = attempt();
                *last = Some((now, can));
                can
            }
        }
    }
}

/// What may be asked beside whether it is alive.
#[derive(Debug, Deserialize)]
pub(super) struct About {
    /// Whether people were asked for this task. Who reads the channel knows it.
    task: Option<String>,
}

/// `GET /healthz`.
pub(super) async fn healthz<S: Store>(
    State(app): State<Shared<S>>,
    about: Result<Query<About>, QueryRejection>,
) -> (AppendHeaders<Vec<(HeaderName, &'static str)>>, &'static str) {
    let irc = &app.watch.site.irc;
    let asks = match irc.bot.server {
        Some(_) => app.watch.metrics.speaks_on_irc(),
        None => irc.tcpircbot.is_some(),
    };
    let word = |is_so| if is_so { "yes" } else { "no" };
    let mut said = vec![(HeaderName::from_static(ASKS), word(asks))];
    let task: Option<TaskId> = about.ok().and_then(|about| about.0.task?.parse().ok());
    said.extend(task.map(|task| (HeaderName::from_static(ASKED), word(app.watch.has_asked(task)))));
    (AppendHeaders(said), "alive\n")
}

/// `GET /readyz`.
pub(super) async fn readyz<S: Store>(State(app): State<Shared<S>>) -> Result<&'static str, Problem> {
    if *app.stop.borrow() {
        return Err(Problem::unavailable("the service is ending"));
    }
    // A number that is taken is written down: a disk that is full shows.
    let can_write = app.store_trial.can_write(Instant::now(), || {
        app.watch.store.with(|store| store.take_sequence(1)).map_err(|error| tracing::error!("{error}")).is_ok()
    });
    match can_write {
        true => Ok("ready\n"),
        false => Err(Problem::unavailable("the store cannot be written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_tried_once_in_a_while_and_what_it_could_then_is_not_believed_for_longer() {
        let (trial, start) = (StoreTrial::default(), Instant::now());
        let mut tries = 0;
        let mut ask = |after: Duration, can: bool| {
            trial.can_write(start + after, || {
                tries += 1;
                can
            })
        };
        assert!(ask(Duration::ZERO, true));
        assert!(ask(Duration::from_millis(1_999), false), "is not tried yet");
        assert!(!ask(Duration::from_secs(2), false));
        assert!(!ask(Duration::from_secs(3), true), "a failure is remembered as long");
        assert!(ask(Duration::from_secs(4), true));
        assert_eq!(tries, 3);
    }
}
