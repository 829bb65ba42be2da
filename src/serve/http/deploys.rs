//! Deploys from pipelines.
//!
//! Responsible for what a pipeline may ask and how it is answered. A deploy is never started from a verdict that was served: its task is
//! read afresh, and what is answered by a key that was used before is the state and the verdict of now. Not responsible for the steps
//! ([`crate::serve::deploys`]).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::guard::Principal;
use super::problem::Problem;
use super::{App, Shared};
use crate::config::{ServeToken, TokenScope};
use crate::gate::Assessment;
use crate::ids::{DeployId, TaskId};
use crate::policy::Action;
use crate::record::ExitStatus;
use crate::rules::{Decision, Intent, Outcome, Texts};
use crate::serve::pipelines::{Asked, DeployError, RemoteState, apart, later, question};
use crate::serve::store::{RemoteDeploy, Store};
use crate::text::{hex, inert};
use crate::view::{self, VerdictSubject, Viewer};

/// The schema of a deploy of a pipeline.
pub const DEPLOY_SCHEMA: &str = "phabgate/deploy/1";

/// For how long a pipeline may stay silent where it says nothing else.
const SILENCE: SignedDuration = SignedDuration::from_hours(1);
/// For how long at least: it has to be possible to say that it goes on.
const SHORTEST_SILENCE: SignedDuration = SignedDuration::from_secs(10);
/// For how long at most.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(12);
/// The header that makes a request the same when it is made again.
const KEY: &str = "idempotency-key";
/// The longest such key.
const LONGEST_KEY: usize = 128;
/// The most arguments of a command.
const ARGUMENTS: usize = 1_000;

/// What a pipeline sends to start a deploy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    task: String,
    deployer: String,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    change: Option<String>,
    #[serde(default)]
    why_not_rollback: Option<String>,
    command: Vec<String>,
    #[serde(default)]
    expires: Option<String>,
}

/// What it sends to end one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    exit: Option<i32>,
    #[serde(default)]
    signal: Option<i32>,
}

/// Who asks, where they may start deploys.
fn pipeline(principal: &Principal) -> Result<Arc<ServeToken>, Problem> {
    match principal {
        Principal::Token(token) if principal.may(TokenScope::Deploy) => Ok(Arc::clone(token)),
        _ => {
            let detail = "this token may read alone: its `scopes` lack \"deploy\"";
            Err(Problem::new(StatusCode::FORBIDDEN, "not a token of a pipeline", detail))
        }
    }
}

pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Problem> {
    // serde takes a list for a struct, its fields in order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Problem::bad_request("the body is a JSON object"));
    }
    // What serde says of a wrong body can quote it.
    let wrong = |error: serde_json::Error| {
        Problem::bad_request(format!("the body: {}", crate::text::shorten(&error.to_string(), 200)))
    };
    serde_json::from_slice(bytes).map_err(wrong)
}

/// How a command ended, by a status or a signal or neither; `None` where these are none, or both.
pub(super) fn status(exit: Option<i32>, signal: Option<i32>) -> Option<Option<ExitStatus>> {
    match (exit, signal) {
        (None, None) => Some(None),
        (Some(code), None) if (0..=255).contains(&code) => Some(Some(ExitStatus::Code(code))),
        (None, Some(signal)) if (1..=64).contains(&signal) => Some(Some(ExitStatus::Signal(signal))),
        _ => None,
    }
}

pub(super) fn deploy_of(path: Result<Path<String>, PathRejection>) -> Result<DeployId, Problem> {
    let text = path.map_err(|_| Problem::bad_request("the path names no deploy"))?.0;
    text.parse().map_err(|_| Problem::bad_request("the path names no deploy"))
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get(KEY).and_then(|key| key.to_str().ok()).map(str::trim).unwrap_or_default();
    let is_key = !key.is_empty() && key.len() <= LONGEST_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
    match is_key {
        true => Ok(key.to_owned()),
        false => Err(Problem::bad_request(format!(
            "send the header Idempotency-Key, the same when the same is asked again, another for another job: 1 to \
             {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}

impl Start {
    fn asked(&self, token: &ServeToken) -> Result<(Asked, TaskId, SignedDuration), Problem> {
        let task: TaskId = self.task.parse().map_err(|_| Problem::bad_request("write `task` as \"T1234\""))?;
        let deployer = self.deployer.trim();
        let named = token.deployers.iter().find(|name| name.eq_ignore_ascii_case(deployer));
        let deployer = named.ok_or_else(|| {
            let detail = "the configuration names other `deployers` for this token";
            Problem::new(StatusCode::FORBIDDEN, "not a deployer of this token", detail)
        })?;
        let action = match self.action.as_deref() {
            None => None,
            Some(word) => Some(
                Action::named(word)
                    .ok_or_else(|| Problem::bad_request("`action` is fix, rollback, config or on-wiki-edit"))?,
            ),
        };
        if self.command.first().is_none_or(|program| program.trim().is_empty()) || self.command.len() > ARGUMENTS {
            return Err(Problem::bad_request("`command` is a list: the program and its arguments"));
        }
        let silence = match self.expires.as_deref().map(str::parse::<SignedDuration>) {
            None => SILENCE,
            Some(Ok(span)) if (SHORTEST_SILENCE..=LONGEST_SILENCE).contains(&span) => span,
            Some(_) => return Err(Problem::bad_request("`expires` is a duration such as \"1h\", from 10s to 12h")),
        };
        let intent = Intent {
            action,
            change: self.change.clone(),
            why_not_rollback: self.why_not_rollback.clone(),
            deploy: None,
        };
        let question = question(task, deployer.clone(), token.behind());
        Ok((Asked { question, intent, command: self.command.clone() }, task, silence))
    }
}

/// `POST /v1/deploys`.
pub(super) async fn start<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    headers: HeaderMap,
    sent: Bytes,
) -> Result<Response, Problem> {
    let token = pipeline(&principal)?;
    let key = key_of(&headers)?;
    let start: Start = body(&sent)?;
    let (asked, task, silence) = start.asked(&token)?;
    if *app.stop.borrow() {
        return Err(Problem::unavailable("the service is ending"));
    }
    let silence = silence.as_secs().unsigned_abs();
    let digest = hex(&Sha256::digest(&sent));
    let remote = RemoteDeploy {
        deploy: DeployId::fresh(),
        task,
        token: token.name.clone(),
        key,
        asked: digest,
        silence,
        expires: later(Timestamp::now(), silence),
        ended: None,
    };
    let begun = Arc::clone(&app);
    let carried = apart(move || async move { begun.deploys.start(&begun.watch, remote, &asked).await });
    let (remote, state, read) = carried.await.map_err(|_| lost())?.map_err(|error| problem(&error))?;
    match state {
        RemoteState::Started => Ok((StatusCode::CREATED, Json(app.deploy(&remote, "started", &read))).into_response()),
        RemoteState::Unconfirmed => {
            Ok((StatusCode::ACCEPTED, Json(app.deploy(&remote, "unconfirmed", &read))).into_response())
        }
        RemoteState::Refused => {
            let problem = app.refused(&read);
            tracing::info!("{task}: the deploy of the token {} was refused: {problem}", remote.token);
            Err(problem)
        }
        RemoteState::Ended(how) => {
            let detail = format!("it ended before ({how}); a job that is run again sends another Idempotency-Key");
            let problem = Problem::new(StatusCode::CONFLICT, "the deploy is over", detail);
            Err(problem.with_verdict(app.verdict_of(&read)))
        }
    }
}

/// `POST /v1/deploys/ID/alive`.
pub(super) async fn alive<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let (token, deploy) = (pipeline(&principal)?, deploy_of(path)?);
    let remote = app.deploys.alive(&app.watch, deploy, &token.name).map_err(|error| problem(&error))?;
    let asking = Arc::clone(&app);
    let behind = apart(move || async move { asking.deploys.verdict(&asking.watch, deploy, token.behind()).await });
    let read = behind.await.map_err(|_| lost())?.map_err(|error| problem(&error))?;
    Ok(Json(json!({
        "schema": DEPLOY_SCHEMA,
        "deploy": remote.deploy,
        "task": remote.task,
        "expires": remote.expires,
        "verdict": app.verdict_of(&read),
    })))
}

/// `POST /v1/deploys/ID/finish`.
pub(super) async fn finish<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
    path: Result<Path<String>, PathRejection>,
    sent: Bytes,
) -> Result<Json<Value>, Problem> {
    let (token, deploy) = (pipeline(&principal)?, deploy_of(path)?);
    let finish: Finish = body(&sent)?;
    let how = status(finish.exit, finish.signal).ok_or_else(|| {
        Problem::bad_request(
            "send `exit` (0 to 255), or `signal` (1 to 64), or neither where nobody knows how it ended",
        )
    })?;
    let ending = Arc::clone(&app);
    let ended = apart(move || async move { ending.deploys.finish(&ending.watch, deploy, &token.name, how).await });
    let remote = ended.await.map_err(|_| lost())?.map_err(|error| problem(&error))?;
    let word = how.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
    Ok(Json(
        json!({"schema": DEPLOY_SCHEMA, "deploy": remote.deploy, "task": remote.task, "state": "ended", "ended": word}),
    ))
}

/// The task that carried it out is gone, which no request of anybody's can do.
fn lost() -> Problem {
    Problem::unavailable("it was interrupted; ask again with the same Idempotency-Key")
}

fn problem(error: &DeployError) -> Problem {
    let detail = error.to_string();
    match error {
        DeployError::OtherRequest => {
            let detail = format!("{detail}; another deploy sends another key");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "another request", detail)
        }
        DeployError::Unknown => Problem::new(StatusCode::NOT_FOUND, "no such deploy", detail),
        DeployError::EndedOtherwise(_) => Problem::new(StatusCode::CONFLICT, "the deploy is over", detail),
        DeployError::Store(_) => Problem::unavailable(detail),
        DeployError::Refusal(refusal) => {
            let hint = refusal.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            Problem::unavailable(format!("{detail}{hint}"))
        }
    }
}

impl<S: Store> App<S> {
    fn verdict_of(&self, read: &Assessment) -> Value {
        let site = &self.watch.site;
        let viewer = Viewer {
            policy: &site.policy,
            server: &site.server,
            texts: Texts::Hidden,
            account: None,
            invocation: site.invocation,
        };
        let subject = VerdictSubject::of(read, viewer);
        serde_json::to_value(view::verdict(read.number, &subject, &read.verdict, &site.policy, None))
            .unwrap_or_default()
    }

    fn deploy(&self, remote: &RemoteDeploy, state: &str, read: &Assessment) -> Value {
        json!({
            "schema": DEPLOY_SCHEMA,
            "deploy": remote.deploy,
            "task": remote.task,
            "state": state,
            "expires": remote.expires,
            "verdict": self.verdict_of(read),
        })
    }

    /// Why a deploy may not start, or is over.
    fn refused(&self, read: &Assessment) -> Problem {
        let verdict = &read.verdict;
        let (status, title) = match verdict.decision {
            Decision::Pending => (StatusCode::TOO_EARLY, "approvals are missing"),
            Decision::Undecided => (StatusCode::SERVICE_UNAVAILABLE, "the task could not be judged"),
            // What is refused was not allowed by the reading that is shown.
            Decision::Allowed(_) => (StatusCode::FORBIDDEN, "not allowed"),
            Decision::Denied => {
                let mut failed = verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Fail);
                match failed.all(|rule| rule.name == "in-flight") {
                    true => (StatusCode::CONFLICT, "another deploy is under way"),
                    false => (StatusCode::FORBIDDEN, "not allowed"),
                }
            }
        };
        let unmet = verdict.rules.iter().filter(|rule| !matches!(rule.outcome, Outcome::Pass | Outcome::Warn));
        self.watch.metrics.refused.increment(unmet.clone().map(|rule| rule.name.as_str()));
        let unmet = unmet.map(|rule| format!("{}: {}", rule.name, rule.message));
        // Who approved and stands behind the pipeline reads elsewhere that it counts: there nobody knows which pipeline deploys.
        let vain = verdict.approvals.iter().filter_map(|approval| {
            let (user, team) = (inert(&approval.user), inert(&approval.team));
            Some(format!("what {user} wrote for {team} does not count: {}", approval.why_not.as_ref()?))
        });
        let detail = unmet.chain(vain).collect::<Vec<_>>().join("; ");
        let problem = Problem::new(status, title, detail).with_verdict(self.verdict_of(read));
        if status == StatusCode::SERVICE_UNAVAILABLE { problem.retry_after(5) } else { problem }
    }
}
