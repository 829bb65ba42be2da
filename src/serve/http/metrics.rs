//! What the service counts, for Prometheus.
//!
//! Responsible for `/metrics`, in its text format. No text of a task stands there, and no team of a task that not everybody may see. Not
//! responsible for counting ([`crate::serve::metrics`]).

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::Shared;
use crate::journal::{DeployLog, JournalError};
use crate::serve::audience::Audience;
use crate::serve::metrics::Histogram;
use crate::serve::store::Store;

/// The page, as it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// A metric: each row has its labels, in braces, and its value.
    fn add(&mut self, name: &str, kind: &str, help: &str, rows: &[(String, f64)]) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP phabgate_serve_{name} {help}\n# TYPE phabgate_serve_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(self.0, "phabgate_serve_{name}{labels} {value}");
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let (within, count, seconds) = histogram.get();
        let mut rows = labelled("le", within.into_iter().map(|(bound, count)| (bound.to_string(), count as f64)));
        rows.extend(labelled("le", [("+Inf", count as f64)]));
        let mut rows: Vec<_> = rows.into_iter().map(|(labels, count)| (format!("_bucket{labels}"), count)).collect();
        rows.extend([("_sum".to_owned(), seconds as f64), ("_count".to_owned(), count as f64)]);
        self.add(name, "histogram", help, &rows);
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.add(name, kind, help, &[(String::new(), value)]);
    }
}

/// Rows with one label.
fn labelled<W: Display>(label: &str, rows: impl IntoIterator<Item = (W, f64)>) -> Vec<(String, f64)> {
    rows.into_iter().map(|(word, value)| (format!("{{{label}=\"{word}\"}}"), value)).collect()
}

/// `GET /metrics`.
pub(super) async fn metrics<S: Store>(State(app): State<Shared<S>>) -> Response {
    let watch = &app.watch;
    let mut page = Page::default();
    let metrics = &watch.metrics;
    for (name, counter, help) in [
        ("polls_total", &metrics.polls, "Readings of the feed that gave something usable."),
        ("failed_polls_total", &metrics.failed_polls, "Readings of the feed that gave nothing."),
        ("looks_total", &metrics.looks, "Tasks that were looked at."),
        ("failed_looks_total", &metrics.failed_looks, "Tasks that could not be read."),
        ("changes_total", &metrics.changes, "Changes of where a task stands."),
        ("swept_total", &metrics.swept, "Changes that the feed had passed over, found by listing the tasks."),
        ("reread_total", &metrics.reread, "Edits and removals of comments that reading again found."),
        ("hooks_total", &metrics.hooks, "Calls of the webhook with a good signature."),
        ("bad_hooks_total", &metrics.bad_hooks, "Calls of the webhook without one."),
        ("notices_total", &metrics.said, "Notices that are on their task."),
        ("notices_given_up_total", &metrics.given_up, "Notices that were given up."),
        ("pages_fired_total", &metrics.pages_fired, "Pages that a pager accepted."),
        ("pages_resolved_total", &metrics.pages_resolved, "Pages of which a pager accepted that they are over."),
        ("pages_unclear_total", &metrics.pages_unclear, "Calls to pagers of which no clear answer came."),
        ("pages_given_up_total", &metrics.pages_given_up, "Pages that were given up: nobody could be called."),
    ] {
        page.one(name, "counter", help, counter.get() as f64);
    }
    let refused = metrics.refused.get().into_iter().map(|(rule, count)| (rule, count as f64));
    let help = "Deploys of pipelines that were refused, by each rule that was not met.";
    page.add("refusals_total", "counter", help, &labelled("rule", refused));
    let spoken = metrics.spoken.get().into_iter().map(|(outcome, count)| (outcome, count as f64));
    let help = "What was said on IRC about deploys, by what became of it.";
    page.add("irc_words_total", "counter", help, &labelled("outcome", spoken));
    let now = watch.board.now();
    // What was never read is as old as the service.
    let age = |at: Option<Timestamp>| now.duration_since(at.unwrap_or_else(|| watch.began())).as_secs_f64().max(0.0);
    let freshness = watch.board.freshness();
    let ages = [("feed", freshness.feed), ("members", freshness.members), ("list", freshness.sweep)];
    let help = "How long ago each part was read that no single task has; before the first time, since the start.";
    page.add("evidence_age_seconds", "gauge", help, &labelled("part", ages.map(|(part, at)| (part, age(at)))));
    page.one("queue_depth", "gauge", "Tasks that wait to be looked at.", watch.queue.depth() as f64);
    let is = |what: bool| f64::from(u8::from(what));
    page.one("feed_down", "gauge", "1 while the server refuses its feed.", is(watch.feed_is_down()));
    let refuses = metrics.token_refused.load(Ordering::Relaxed);
    page.one("token_refused", "gauge", "1 while the server refuses the token of the service.", is(refuses));
    if let Some(is_there) = metrics.irc() {
        page.one("irc_in_channels", "gauge", "1 while the bot is in all its channels on IRC.", is(is_there));
        let lacks = metrics.irc_lacks_account.load(Ordering::Relaxed);
        page.one("irc_lacks_account", "gauge", "1 while the bot is not logged in with its account on IRC.", is(lacks));
        let lacks = metrics.irc_lacks_nick.load(Ordering::Relaxed);
        page.one("irc_lacks_nick", "gauge", "1 while the bot is on IRC under another nick than its own.", is(lacks));
        let is_mute = metrics.irc_is_mute.load(Ordering::Relaxed);
        page.one("irc_mute", "gauge", "1 while the channel on IRC takes no line of the bot.", is(is_mute));
    }
    if metrics.hooks.get() > 0 {
        let lag = metrics.hook_lag.load(Ordering::Relaxed) as f64;
        page.one("hook_lag_seconds", "gauge", "How long after the change the last call of the webhook came.", lag);
    }
    match watch.store.with(|store| waiting(store)) {
        Ok((depth, oldest)) => {
            page.one("outbox_records", "gauge", "Records that are not on their task yet.", f64::from(depth));
            let oldest = oldest.map_or(0.0, |at| Timestamp::now().duration_since(at).as_secs_f64());
            page.one("outbox_age_seconds", "gauge", "For how long the oldest of them waits.", oldest);
        }
        // A number would say that it is known.
        Err(error) => tracing::error!("the outbox cannot be read: {error}"),
    }
    let help = "How long it took from the beginning of an emergency to its last approval.";
    page.histogram("approved_seconds", help, &metrics.approved);
    let help = "How long it took from a page until somebody of the team answered.";
    page.histogram("acknowledged_seconds", help, &metrics.acknowledged);
    let all = watch.board.all();
    let mut open = BTreeMap::new();
    for watched in &all {
        let word = if app.is_old(watched) { "undecided" } else { watched.verdict.decision.word() };
        *open.entry(word).or_insert(0_u32) += 1;
    }
    let open = open.into_iter().map(|(word, count)| (word, f64::from(count)));
    page.add("emergencies", "gauge", "Open emergencies by verdict.", &labelled("verdict", open));
    // Of a task that not everybody may see no team is said.
    let mut pending = BTreeMap::new();
    for watched in &all {
        let waited = now.duration_since(watched.episode.since).as_secs_f64();
        for team in watched.verdict.missing_teams() {
            let team = if watched.audience == Audience::Public { team.team.as_str() } else { "any" };
            let longest = pending.entry(team.to_owned()).or_insert(0.0_f64);
            *longest = longest.max(waited);
        }
    }
    let help = "The longest that an open emergency waits for a team.";
    page.add("pending_age_seconds", "gauge", help, &labelled("team", pending));
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page.0).into_response()
}

/// How many records wait to be posted, and since when the oldest does.
fn waiting(log: &impl DeployLog) -> Result<(u32, Option<Timestamp>), JournalError> {
    let (mut depth, mut oldest) = (0, None);
    for deploy in log.undelivered()? {
        for due in log.state(deploy)?.outbox() {
            depth += 1;
            oldest = Some(oldest.map_or(due.queued_at, |oldest: Timestamp| oldest.min(due.queued_at)));
        }
    }
    Ok((depth, oldest))
}
