//! The addresses of the service for programs: each once, with how it is asked, what it answers, and who answers.
//!
//! Responsible for this list, of which the router and the OpenAPI page are made, so that neither has an address that the other lacks. Not
//! responsible for what is answered.

use axum::Json;
use axum::routing::{MethodRouter, delete, get, post};
use serde_json::{Map, Value, json};

use super::{Shared, deploys, emergencies, events, health, hooks, metrics, share, verdict};
use crate::serve::store::Store;

/// An address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Verdict,
    TaskEvents,
    Emergencies,
    Events,
    StartDeploy,
    DeployAlive,
    FinishDeploy,
    DeployPhase,
    Waiting,
    WaitingOver,
    Hook,
    Metrics,
    Healthz,
    Readyz,
    OpenApi,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anybody.
    Anybody,
    /// A token, or whoever is on this machine.
    Read,
    /// A token.
    Token,
    /// A token of a pipeline.
    Deploy,
    /// The server, with the signature of its webhook.
    Signed,
}

/// What is said of an address.
struct Described {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    access: Access,
    /// What it answers: the status and what that means.
    answers: &'static [(u16, &'static str)],
}

const REFUSED: [(u16, &str); 3] = [
    (401, "no token, or none of the configuration"),
    (421, "the Host is not that of the service"),
    (429, "asked too often"),
];

impl Route {
    pub(super) const ALL: [Self; 15] = [
        Self::Verdict,
        Self::TaskEvents,
        Self::Emergencies,
        Self::Events,
        Self::StartDeploy,
        Self::DeployAlive,
        Self::FinishDeploy,
        Self::DeployPhase,
        Self::Waiting,
        Self::WaitingOver,
        Self::Hook,
        Self::Metrics,
        Self::Healthz,
        Self::Readyz,
        Self::OpenApi,
    ];

    fn described(self) -> Described {
        let described = |method, path, access, summary, answers| Described { path, method, summary, access, answers };
        match self {
            Self::Verdict => described(
                "get",
                "/v1/tasks/{task}/verdict",
                Access::Read,
                "The verdict of an open emergency, as `check --format json` prints it, with `evidence_at`, when the oldest part of the \
                 evidence was read. `?wait=55s` with If-None-Match answers at a change. No served verdict starts anything.",
                &[
                    (200, "the verdict; `undecided` with `last_known` where the task could not be read anew"),
                    (304, "nothing changed"),
                    (400, "the task or the parameter makes no sense"),
                    (404, "no open emergency of this number is shown"),
                ],
            ),
            Self::TaskEvents => described(
                "get",
                "/v1/tasks/{task}/events",
                Access::Read,
                "A stream of events `verdict` with the whole verdict at each change, and `gone`.",
                &[
                    (200, "the stream"),
                    (400, "the task makes no sense"),
                    (404, "no open emergency of this number is shown"),
                ],
            ),
            Self::Emergencies => described(
                "get",
                "/v1/emergencies",
                Access::Read,
                "The open emergencies, the newest first; `listed_at` is null before they could be listed.",
                &[(200, "the list")],
            ),
            Self::Events => described(
                "get",
                "/v1/events",
                Access::Read,
                "A stream: an event `emergency` for each that is open, then `listed`; from then on `emergency` where one changed, and `gone`.",
                &[(200, "the stream")],
            ),
            Self::StartDeploy => described(
                "post",
                "/v1/deploys",
                Access::Deploy,
                "Reads the task afresh, and announces a deploy on it where that is allowed. Takes `task`, `deployer`, `command` (a list), \
                 and may take `action`, `change`, `why_not_rollback`, `expires` (\"1h\"). Needs the header Idempotency-Key: with the same \
                 key and body the same deploy is looked at again.",
                &[
                    (201, "started, and read back on the task"),
                    (202, "it may be carried out; the record is not confirmed yet"),
                    (400, "the body or the key makes no sense"),
                    (403, "not allowed, or not a deployer of this token"),
                    (409, "another deploy is under way, or this one is over"),
                    (413, "too long"),
                    (422, "the key was used for another body"),
                    (425, "approvals are missing"),
                    (503, "the task could not be judged"),
                ],
            ),
            Self::DeployAlive => described(
                "post",
                "/v1/deploys/{deploy}/alive",
                Access::Deploy,
                "Says that a deploy goes on, so that it may stay silent anew; answers the verdict now.",
                &[
                    (200, "it is open"),
                    (400, "the path names no deploy"),
                    (403, "not a token of a pipeline"),
                    (404, "no such deploy of this token"),
                    (409, "it is over"),
                ],
            ),
            Self::FinishDeploy => described(
                "post",
                "/v1/deploys/{deploy}/finish",
                Access::Deploy,
                "Ends a deploy: takes `exit`, or `signal`, or neither where nobody knows how it ended. The first end stands.",
                &[
                    (200, "this is how it ended"),
                    (400, "the body makes no sense"),
                    (403, "not a token of a pipeline"),
                    (404, "no such deploy of this token"),
                    (409, "it ended otherwise before"),
                    (413, "too long"),
                ],
            ),
            Self::DeployPhase => described(
                "post",
                "/v1/deploys/{deploy}/phase",
                Access::Token,
                "Says how a deploy of `run --share` goes on, for the page. Takes `task`, `secret`, that whose SHA-256 its `started` on the \
                 task states, and `phase`: announced, running, ended (with `exit` or `signal`), lost or stopped. Kept in memory alone, for \
                 90 s after it was last said. Decides nothing.",
                &[
                    (204, "noted"),
                    (400, "the path or the body makes no sense"),
                    (404, "no deploy under way was announced so"),
                    (413, "too long"),
                ],
            ),
            Self::Waiting => described(
                "post",
                "/v1/tasks/{task}/waiting",
                Access::Token,
                "Says what a run waits to carry out, for the page. Takes `deploy`, the id that it will have, `deployer`, `command`, and may \
                 take `action` and `change`. Proves nothing. Kept in memory alone, for 90 s after it was last said.",
                &[
                    (204, "noted"),
                    (400, "the task or the body makes no sense"),
                    (404, "no open emergency of this number is shown"),
                    (409, "too many runs wait"),
                    (413, "too long"),
                ],
            ),
            Self::WaitingOver => described(
                "delete",
                "/v1/tasks/{task}/waiting/{deploy}",
                Access::Token,
                "Says that a run does not wait any more.",
                &[(204, "it does not"), (400, "the path names no task or no deploy")],
            ),
            Self::Hook => described(
                "post",
                "/hooks/phorge",
                Access::Signed,
                "The webhook of the server: has a task looked at, whatever the call says of it.",
                &[
                    (200, "noted"),
                    (400, "not what a webhook sends"),
                    (403, "not signed with a key of the configuration"),
                    (413, "too long"),
                    (503, "it cannot be noted"),
                ],
            ),
            Self::Metrics => described(
                "get",
                "/metrics",
                Access::Read,
                "What the watch counts, for Prometheus.",
                &[(200, "the metrics")],
            ),
            Self::Healthz => {
                described("get", "/healthz", Access::Anybody, "Whether the process is alive.", &[(200, "it is")])
            }
            Self::Readyz => described(
                "get",
                "/readyz",
                Access::Anybody,
                "Whether it answers; with the server of the tasks away it does.",
                &[(200, "it does"), (503, "it is ending, or its store cannot be used")],
            ),
            Self::OpenApi => described("get", "/v1/openapi.json", Access::Read, "This page.", &[(200, "the page")]),
        }
    }

    pub(super) fn path(self) -> &'static str {
        self.described().path
    }

    pub(super) fn handler<S: Store>(self) -> MethodRouter<Shared<S>> {
        match self {
            Self::Verdict => get(verdict::verdict),
            Self::TaskEvents => get(events::of_task),
            Self::Emergencies => get(emergencies::emergencies),
            Self::Events => get(events::of_all),
            Self::StartDeploy => post(deploys::start),
            Self::DeployAlive => post(deploys::alive),
            Self::FinishDeploy => post(deploys::finish),
            Self::DeployPhase => post(share::phase),
            Self::Waiting => post(share::waiting),
            Self::WaitingOver => delete(share::over),
            Self::Hook => post(hooks::phorge),
            Self::Metrics => get(metrics::metrics),
            Self::Healthz => get(health::healthz::<S>),
            Self::Readyz => get(health::readyz),
            Self::OpenApi => get(|| async { Json(openapi()) }),
        }
    }

    fn operation(self) -> Value {
        let Described { path, summary, access, answers, .. } = self.described();
        let refused = REFUSED.iter().filter(|(status, _)| match access {
            Access::Anybody => *status == 421,
            Access::Signed => *status != 401,
            Access::Read | Access::Token | Access::Deploy => true,
        });
        let responses: Map<String, Value> = answers
            .iter()
            .chain(refused)
            .map(|(status, words)| (status.to_string(), json!({"description": words})))
            .collect();
        let parameters: Vec<Value> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let security = match access {
            Access::Read | Access::Token | Access::Deploy => json!([{"token": []}]),
            Access::Anybody | Access::Signed => json!([]),
        };
        json!({"summary": summary, "parameters": parameters, "responses": responses, "security": security})
    }
}

/// The addresses as an OpenAPI document.
pub(super) fn openapi() -> Value {
    let mut paths = Map::new();
    for route in Route::ALL {
        let Described { path, method, .. } = route.described();
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[method] = route.operation();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "phabgate serve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The watch over open emergencies. A problem is a document of RFC 9457.",
        },
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    })
}
