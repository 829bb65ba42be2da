//! What those who deploy say themselves: how a deploy goes on, and what a run waits to carry out.
//!
//! Responsible for who may say it. How a deploy goes on is taken of whoever wrote its `started`, which a secret shows, and only in words of
//! our own; that a run waits is taken of whoever holds a token, and proves nothing. Not responsible for how long it counts
//! ([`crate::serve::reported`]).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Shared;
use super::deploys::{body, deploy_of, status};
use super::guard::Principal;
use super::problem::Problem;
use super::verdict::task_of;
use crate::config::ServeToken;
use crate::gate::share::{Phase, WaitingRun};
use crate::policy::Action;
use crate::record::share::ShareSecret;
use crate::serve::deploys::Deploy;
use crate::serve::reported::TooMany;
use crate::serve::store::{Store, StoreError};

/// The longest command of a run that waits, in bytes, and the longest other text.
const COMMAND: usize = 4 * 1024;
const TEXT: usize = 1024;

/// What a gate sends of its deploy. Not to be printed: it has the secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentPhase {
    task: String,
    secret: String,
    phase: String,
    #[serde(default)]
    exit: Option<i32>,
    #[serde(default)]
    signal: Option<i32>,
}

impl SentPhase {
    fn phase(&self) -> Option<Phase> {
        Phase::of(&self.phase, status(self.exit, self.signal)?)
    }
}

/// Whose token was shown; the guard lets nobody else do this.
fn token(principal: &Principal) -> Result<&ServeToken, Problem> {
    match principal {
        Principal::Token(token) => Ok(token),
        _ => Err(Problem::new(StatusCode::UNAUTHORIZED, "not signed in", "send `Authorization: Bearer TOKEN`")),
    }
}

fn lost(error: &StoreError) -> Problem {
    Problem::unavailable(error.to_string())
}

/// `POST /v1/deploys/ID/phase`.
pub(super) async fn phase<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    path: Result<Path<String>, PathRejection>,
    sent: Bytes,
) -> Result<StatusCode, Problem> {
    token(&principal)?;
    let deploy = deploy_of(path)?;
    let sent: SentPhase = body(&sent)?;
    let task = sent.task.parse().map_err(|_| Problem::bad_request("write `task` as \"T1234\""))?;
    let phase = sent.phase().ok_or_else(|| {
        Problem::bad_request("`phase` is announced, running, lost or stopped, or ended with `exit` or `signal`")
    })?;
    let secret = ShareSecret::parse(&sent.secret)
        .ok_or_else(|| Problem::bad_request("`secret` is 64 lower-case hexadecimal digits"))?;
    let watched = app.watch.board.watched(task).ok_or_else(Problem::no_such_share)?;
    let announced = Deploy::announced_with(&watched.deploys, deploy, &secret).ok_or_else(Problem::no_such_share)?;
    let watch = &app.watch;
    if watch.reported.phase(task, announced.transaction, phase, watch.board.now()) {
        watch.touch(task).map_err(|error| lost(&error))?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/tasks/T1/waiting`.
pub(super) async fn waiting<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    path: Result<Path<String>, PathRejection>,
    sent: Bytes,
) -> Result<StatusCode, Problem> {
    let (token, task) = (token(&principal)?, task_of(path)?);
    let run: WaitingRun = body(&sent)?;
    let is_short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= TEXT);
    let is_named = |text: &str| !text.trim().is_empty();
    if !is_named(&run.deployer) || run.deployer.len() > TEXT || !is_short(&run.change) {
        return Err(Problem::bad_request(format!("`deployer` and `change` are texts of {TEXT} bytes at most")));
    }
    if !is_named(&run.command) || run.command.len() > COMMAND {
        return Err(Problem::bad_request(format!("`command` is a text of {COMMAND} bytes at most")));
    }
    if run.action.as_deref().is_some_and(|word| Action::named(word).is_none()) {
        return Err(Problem::bad_request("`action` is fix, rollback, config or on-wiki-edit"));
    }
    let known = app.known(task).await.ok_or_else(Problem::no_emergency)?;
    // Of a restricted task the watch keeps no text, and this is shown to nobody.
    if known.watched.subject.title.is_none() {
        return Ok(StatusCode::NO_CONTENT);
    }
    let watch = &app.watch;
    let is_news = watch.reported.waits(task, &token.name, run, watch.board.now()).map_err(|TooMany| {
        Problem::new(StatusCode::CONFLICT, "too many runs wait", "one that is not heard of for 90 s makes room")
    })?;
    if is_news {
        watch.touch(task).map_err(|error| lost(&error))?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/tasks/T1/waiting/ID`.
pub(super) async fn over<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let token = token(&principal)?;
    let unnamed = || Problem::bad_request("the path names no task or no deploy");
    let Path((task, deploy)) = path.map_err(|_| unnamed())?;
    let (task, deploy) = (task.parse().map_err(|_| unnamed())?, deploy.parse().map_err(|_| unnamed())?);
    if app.watch.reported.over(task, &token.name, deploy) {
        app.watch.touch(task).map_err(|error| lost(&error))?;
    }
    Ok(StatusCode::NO_CONTENT)
}
