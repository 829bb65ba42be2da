//! The live page over HTTP: who may look at it, and its routes.
//!
//! Responsible for who looks: a reader on this machine, or an account that a trusted proxy names and that is one of the viewers. Anybody else
//! gets no content. Not responsible for what of a task somebody is shown ([`super::audience`]), nor for the page itself
//! ([`crate::serve::page`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::audience::{Seen, Shown};
use super::guard::Principal;
use super::problem::{self, Problem};
use super::{App, Shared};
use crate::ids::TaskId;
use crate::serve::board::WatchedTask;
use crate::serve::page::{self, Emergency, Page, Sight, SignIn};
use crate::serve::store::Store;
use crate::serve::witnessing::Unwritten;

/// Somebody who may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Viewer<'a> {
    /// A reader without an account, on this machine.
    Reader,
    /// One of the viewers.
    Account(&'a str),
}

/// Why somebody may not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoView<'a> {
    /// They are nobody in particular.
    NotSignedIn,
    /// They are not one of the viewers.
    NoViewer(&'a str),
    /// Who may look could not be read yet.
    NotKnownYet,
}

impl<S: Store> App<S> {
    /// What of an open emergency somebody is shown.
    fn seen<'a>(&self, watched: &'a WatchedTask, principal: &Principal) -> Seen<'a> {
        let (said, paging) = (self.watch.reported.of(watched.task), self.watch.team_paging(watched));
        let mut spoken = self.watch.store.with(|store| store.unwritten(watched.task)).unwrap_or_else(|error| {
            tracing::error!("{}: {error}", watched.task);
            Unwritten { is_incomplete: true, ..Unwritten::default() }
        });
        spoken.words.retain(|unwritten| unwritten.word.heard >= watched.episode.since);
        Seen::of(watched, said, paging, spoken, Shown::to(principal, watched.audience))
    }

    /// Who looks at the page, where they may.
    pub(super) fn viewer<'a>(&self, principal: &'a Principal) -> Result<Viewer<'a>, NoView<'a>> {
        let account = match principal {
            Principal::Loopback => return Ok(Viewer::Reader),
            Principal::Account(account) => account,
            // What a token is good for is listed, and the page is not.
            Principal::Token(_) | Principal::Nobody => return Err(NoView::NotSignedIn),
        };
        match self.watch.board.is_viewer(account) {
            Some(true) => Ok(Viewer::Account(account)),
            Some(false) => Err(NoView::NoViewer(account)),
            None => Err(NoView::NotKnownYet),
        }
    }

    /// What the number of the last change is.
    fn last_change(&self) -> u64 {
        *self.watch.board.changes().borrow()
    }

    fn sight<'a>(&'a self, viewer: Viewer<'a>, key: u64) -> Sight<'a> {
        let board = &self.watch.board;
        let fresh = board.freshness();
        let site = &self.watch.site;
        Sight {
            now: board.now(),
            viewer: match viewer {
                Viewer::Account(account) => Some(account),
                Viewer::Reader => None,
            },
            listed: fresh.sweep,
            heard: [fresh.feed, fresh.members, fresh.sweep].into_iter().flatten().max().or(Some(self.watch.began())),
            invocation: self.watch.site.invocation,
            is_refused: self.watch.metrics.token_refused.load(Ordering::Relaxed),
            called: self.watch.metrics.hooks.get() > 0,
            channel: site.takes_words_in(),
            is_in_channel: self.watch.metrics.irc_hears.load(Ordering::Relaxed),
            by_hand: (!site.paging.has_pager()).then_some(site.contact.escalation.as_str()),
            key,
        }
    }
}

/// `GET /`.
pub(super) async fn index<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    RawQuery(query): RawQuery,
) -> Response {
    let form = Form::of(query.as_deref());
    let viewer = match app.viewer(&principal) {
        Ok(viewer) => viewer,
        Err(why) => return refuse(&app, why, form),
    };
    // Before the tasks: what changes meanwhile is heard of.
    let sight = app.sight(viewer, app.last_change());
    let board = &app.watch.board;
    let all = board.all();
    let emergencies = all.iter().map(|watched| Emergency {
        seen: app.seen(watched, &principal),
        evidence_at: app.watch.evidence_at(watched),
        unread_since: board.unread_since(watched.task),
        is_old: app.is_old(watched),
    });
    answer(StatusCode::OK, page::index(&sight, emergencies.collect()), form)
}

/// `GET /T1`.
pub(super) async fn task<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Ok(task) = name.parse::<TaskId>() else { return Err(problem::not_found().await) };
    let form = Form::of(query.as_deref());
    let viewer = match app.viewer(&principal) {
        Ok(viewer) => viewer,
        Err(why) => return Ok(refuse(&app, why, form)),
    };
    let Some(known) = app.known(task).await else {
        let sight = app.sight(viewer, app.last_change());
        let url = task.url(&app.watch.site.server);
        return Ok(answer(StatusCode::NOT_FOUND, page::no_emergency(&sight, task, &url), form));
    };
    let sight = app.sight(viewer, known.watched.sequence);
    let emergency = Emergency {
        seen: app.seen(&known.watched, &principal),
        evidence_at: known.evidence_at,
        unread_since: app.watch.board.unread_since(task),
        is_old: known.is_old,
    };
    Ok(answer(StatusCode::OK, page::task(&sight, &emergency), form))
}

/// How much of a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Fragment,
}

impl Form {
    fn of(query: Option<&str>) -> Self {
        if query == Some("fragment") { Self::Fragment } else { Self::Whole }
    }
}

/// The page of who may not look.
fn refuse<S: Store>(app: &App<S>, why: NoView<'_>, form: Form) -> Response {
    let way = if app.watch.site.serve.identity_header.is_some() { SignIn::Proxy } else { SignIn::None };
    match why {
        NoView::NotSignedIn => answer(StatusCode::UNAUTHORIZED, page::not_signed_in(way), form),
        NoView::NoViewer(account) => answer(StatusCode::FORBIDDEN, page::no_viewer(account), form),
        NoView::NotKnownYet => answer(StatusCode::SERVICE_UNAVAILABLE, page::not_known_yet(), form),
    }
}

fn answer(status: StatusCode, page: Page, form: Form) -> Response {
    let text = match form {
        Form::Whole => page.whole(),
        Form::Fragment => page.fragment(),
    };
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(header::CONTENT_SECURITY_POLICY, page::content_policy());
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    match status {
        // HTTP asks for a challenge; browsers do not know this one, and show the page.
        StatusCode::UNAUTHORIZED => _ = set(header::WWW_AUTHENTICATE, "Phabgate-Page"),
        StatusCode::SERVICE_UNAVAILABLE => _ = set(header::RETRY_AFTER, "3"),
        _ => {}
    }
    response
}
