//! Whether the service is up, and what it counts.
//!
//! Responsible for `/healthz`, `/readyz` and `/metrics`. That the server does not answer makes the service unready for nobody: it says
//! since when nothing is known.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::problem::Problem;
use crate::serve::audience::Audience;
use crate::serve::store::Store;

/// `GET /healthz`.
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// `GET /readyz`.
pub(super) async fn readyz<S: Store>(State(app): State<Shared<S>>) -> Result<&'static str, Problem> {
    if *app.stop.borrow() {
        return Err(Problem::unavailable("the service is ending"));
    }
    match app.watch.store.with(|store| store.cursor()) {
        Ok(_) => Ok("ready\n"),
        Err(error) => {
            tracing::error!("{error}");
            Err(Problem::unavailable("the store cannot be read"))
        }
    }
}

/// `GET /metrics`, in the text format of Prometheus.
pub(super) async fn metrics<S: Store>(State(app): State<Shared<S>>) -> Response {
    let watch = &app.watch;
    let mut page = String::new();
    let mut add = |name: &str, kind: &str, help: &str, rows: &[(String, f64)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "# HELP phabgate_serve_{name} {help}\n# TYPE phabgate_serve_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(page, "phabgate_serve_{name}{labels} {value}");
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    let metrics = &watch.metrics;
    for (name, counter, help) in [
        ("polls_total", &metrics.polls, "Readings of the feed that gave something usable."),
        ("failed_polls_total", &metrics.failed_polls, "Readings of the feed that gave nothing."),
        ("looks_total", &metrics.looks, "Tasks that were looked at."),
        ("failed_looks_total", &metrics.failed_looks, "Tasks that could not be read."),
        ("changes_total", &metrics.changes, "Changes of where a task stands."),
        ("swept_total", &metrics.swept, "Tasks that only the listing found."),
        ("reread_total", &metrics.reread, "Edits and removals of comments that reading again found."),
        ("hooks_total", &metrics.hooks, "Calls of the webhook with a good signature."),
        ("bad_hooks_total", &metrics.bad_hooks, "Calls of the webhook without one."),
        ("notices_total", &metrics.said, "Notices that are on their task."),
        ("notices_given_up_total", &metrics.given_up, "Notices that were given up."),
    ] {
        add(name, "counter", help, &one(counter.get() as f64));
    }
    let now = watch.board.clock().now();
    let age = |at: Option<jiff::Timestamp>| at.map_or(f64::NAN, |at| now.duration_since(at).as_secs_f64());
    let freshness = watch.board.freshness();
    let ages = [("feed", freshness.feed), ("members", freshness.members), ("list", freshness.sweep)];
    let ages: Vec<_> = ages.into_iter().map(|(part, at)| (format!("{{part=\"{part}\"}}"), age(at))).collect();
    add("evidence_age_seconds", "gauge", "How long ago each part was read that no single task has.", &ages);
    add("queue_depth", "gauge", "Tasks that wait to be looked at.", &one(watch.queue.depth() as f64));
    add("feed_down", "gauge", "1 while the server refuses its feed.", &one(f64::from(u8::from(watch.feed_is_down()))));
    let all = watch.board.all();
    let mut open = std::collections::BTreeMap::new();
    for watched in &all {
        *open.entry(watched.verdict.decision.word()).or_insert(0_u32) += 1;
    }
    let open: Vec<_> =
        open.into_iter().map(|(word, count)| (format!("{{verdict=\"{word}\"}}"), f64::from(count))).collect();
    add("emergencies", "gauge", "Open emergencies by verdict.", &open);
    // Of a task that not everybody may see no team is said.
    let mut pending = std::collections::BTreeMap::new();
    for watched in &all {
        let waited = now.duration_since(watched.episode.since).as_secs_f64();
        for team in watched.verdict.missing_teams() {
            let team = if watched.audience == Audience::Public { team.team.as_str() } else { "any" };
            let longest = pending.entry(team.to_owned()).or_insert(0.0_f64);
            *longest = longest.max(waited);
        }
    }
    let pending: Vec<_> = pending.into_iter().map(|(team, waited)| (format!("{{team={team:?}}}"), waited)).collect();
    add("pending_age_seconds", "gauge", "The longest that an open emergency waits for a team.", &pending);
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}
