//! The verdict of one task, and waiting until it changes.
//!
//! Responsible for how old what is served may be: what is older than [`FRESH`] is read anew first, and where that gives nothing it is
//! served as undecided. No served verdict starts anything. Not responsible for what is shown to whom ([`super::audience`]).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::audience::{Shown, verdict as shown_verdict};
use super::guard::Principal;
use super::problem::Problem;
use super::{App, Shared, TagSecret};
use crate::ids::TaskId;
use crate::rules::Decision;
use crate::serve::board::WatchedTask;
use crate::serve::store::Store;
use crate::serve::watch::{Looked, stopped};
use crate::text::hex;

/// How old the oldest part of the evidence may be without being read anew.
pub(super) const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How long a reading may take for somebody who waits for it.
pub(super) const READING: Duration = Duration::from_secs(5);
/// The longest wait for a change.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// When the oldest part of the evidence was read.
const EVIDENCE_AT: HeaderName = HeaderName::from_static("phabgate-evidence-at");

/// How a verdict is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Wait so long for a change from what `If-None-Match` names.
    wait: Option<String>,
}

/// The number of a task in a path.
pub(super) fn task_of(path: Result<Path<String>, PathRejection>) -> Result<TaskId, Problem> {
    let text = path.map_err(|_| Problem::bad_request("the path names no task"))?.0;
    text.parse().map_err(|_| Problem::bad_request("write the task as T1234"))
}

fn wait_of(query: Result<Query<Asked>, QueryRejection>) -> Result<Option<Duration>, Problem> {
    let problem = || Problem::bad_request("the one parameter is wait, such as ?wait=55s");
    let Some(text) = query.map_err(|_| problem())?.0.wait else { return Ok(None) };
    let span: SignedDuration = text.parse().map_err(|_| problem())?;
    Ok(Some(Duration::try_from(span).map_err(|_| problem())?.min(LONGEST_WAIT)))
}

/// What is known of a task, when somebody asks.
pub(super) struct Known {
    pub(super) watched: Arc<WatchedTask>,
    /// When the oldest part of the evidence was read, by the server's clock.
    pub(super) evidence_at: Timestamp,
    /// It could not be read anew, and what is known is too old to be served as it is.
    pub(super) is_old: bool,
}

impl<S: Store> App<S> {
    /// Whether what is known of a task is too old to be served as decided.
    pub(super) fn is_old(&self, watched: &WatchedTask) -> bool {
        self.watch.board.now().duration_since(self.watch.evidence_at(watched)) > FRESH
    }

    /// What is known of a task, read anew where it is too old; `None` where it is no open emergency.
    pub(super) async fn known(&self, task: TaskId) -> Option<Known> {
        let now = || self.watch.board.now();
        let is_fresh = |at: Timestamp| now().duration_since(at) <= FRESH;
        if let Some(watched) = self.watch.board.watched(task) {
            let evidence_at = self.watch.evidence_at(&watched);
            if is_fresh(evidence_at) {
                return Some(Known { watched, evidence_at, is_old: false });
            }
        } else if self.watch.board.has_just_ended(task) {
            return None;
        }
        match self.watch.look_now(task, READING).await {
            Some(Looked::Open(watched)) => {
                Some(Known { evidence_at: self.watch.evidence_at(&watched), watched, is_old: false })
            }
            Some(Looked::Closed | Looked::Hidden) => None,
            Some(Looked::Unread) | None => {
                let watched = self.watch.board.watched(task)?;
                let evidence_at = self.watch.evidence_at(&watched);
                Some(Known { is_old: !is_fresh(evidence_at), watched, evidence_at })
            }
        }
    }
}

/// `GET /v1/tasks/T1/verdict`.
pub(super) async fn verdict<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    headers: HeaderMap,
    task: Result<Path<String>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let (task, wait) = (task_of(task)?, wait_of(query)?);
    let deadline = Instant::now() + wait.unwrap_or_default();
    let mut changes = app.watch.board.changes();
    // What was looked at last, and its tag: of the very many changes most are those of other tasks.
    let mut tagged: Option<((u64, bool), String)> = None;
    loop {
        changes.mark_unchanged();
        let known = app.known(task).await.ok_or_else(Problem::no_emergency)?;
        let state = (known.watched.sequence, known.is_old);
        let (tag, page) = match tagged.take().filter(|(of, _)| *of == state) {
            Some((_, tag)) => (tag, None),
            None => {
                let page = known.page(&app, &principal)?;
                (tag(&app.secret, page.clone()), Some(page))
            }
        };
        let is_same = Known::matches(&tag, &headers);
        let is_undecided = known.is_old || known.watched.verdict.decision == Decision::Undecided;
        if wait.is_none() || !is_same || is_undecided || Instant::now() >= deadline {
            // Where nothing changed there is none to be sent.
            let page = match page {
                None if !is_same => Some(known.page(&app, &principal)?),
                page => page.filter(|_| !is_same),
            };
            return Ok(known.response(page, &tag));
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
            // What it waits for a change of is the same until then.
            () = stopped(app.stop.clone()) => return Ok(known.response(None, &tag)),
        }
        tagged = Some((state, tag));
    }
}

/// What is served, without times that only pass.
pub(super) fn timeless(mut page: Value) -> Value {
    if let Some(fields) = page.as_object_mut() {
        fields.remove("evidence_at");
        fields.remove("time");
        if let Some(known) = fields.remove("last_known") {
            fields.insert("last_known".to_owned(), timeless(known));
        }
    }
    page
}

/// What a page is known by to whoever is shown it: it changes where anything there does but times that only pass. It is made with a secret
/// of this process, so that nobody finds what they are not shown by guessing.
fn tag(secret: &TagSecret, page: Value) -> String {
    let digest = Sha256::new().chain_update(secret.0).chain_update(timeless(page).to_string()).finalize();
    format!("\"{}\"", hex(&digest[..16]))
}

impl Known {
    fn matches(tag: &str, headers: &HeaderMap) -> bool {
        let asked = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        asked.flat_map(|value| value.split(',')).any(|one| one.trim().trim_start_matches("W/") == tag)
    }

    /// The page for programs.
    pub(super) fn page<S: Store>(&self, app: &App<S>, principal: &Principal) -> Result<Value, Problem> {
        let shown = Shown::to(principal, self.watched.audience);
        let unwritten =
            |error: serde_json::Error| Problem::unavailable(format!("the verdict cannot be written: {error}"));
        let mut page = shown_verdict(&self.watched, shown, &app.watch.site.policy).map_err(unwritten)?;
        if self.is_old {
            let known = page.clone();
            page["verdict"] = json!("undecided");
            page["rules"] = json!([{
                "name": "evidence",
                "outcome": "unknown",
                "message": "the task could not be read anew, and what is known of it is too old",
                "hint": "try again in a moment; if it stays so, the server is down",
            }]);
            page["last_known"] = known;
        }
        page["evidence_at"] = json!(self.evidence_at);
        Ok(page)
    }

    /// The answer with this page; without one, that nothing changed.
    fn response(&self, page: Option<Value>, tag: &str) -> Response {
        let mut response = match page {
            None => StatusCode::NOT_MODIFIED.into_response(),
            Some(page) => axum::Json(page).into_response(),
        };
        let headers = response.headers_mut();
        let header = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        headers.insert(header::ETAG, header(tag));
        headers.insert(EVIDENCE_AT, header(&self.evidence_at.to_string()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
