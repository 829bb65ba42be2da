//! The open emergencies, as `list` shows them.
//!
//! Responsible for the list. Not responsible for its form for those who see everything, which is that of `list`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use serde_json::{Value, json};

use super::audience::Shown;
use super::guard::Principal;
use super::{App, Shared};
use crate::serve::board::WatchedTask;
use crate::serve::store::Store;
use crate::view;

/// `GET /v1/emergencies`.
pub(super) async fn emergencies<S: Store>(
    State(app): State<Shared<S>>,
    Extension(principal): Extension<Arc<Principal>>,
) -> Json<Value> {
    Json(page_of_all(&app, &principal))
}

/// One of them, as far as it is shown.
pub(super) fn row_of<S: Store>(app: &App<S>, principal: &Principal, watched: &WatchedTask) -> Value {
    let decision = watched.verdict.decision.word();
    let is_old = app.is_old(watched);
    let mut row = json!({
        "task": watched.task,
        "url": watched.subject.url,
        "verdict": if is_old { "undecided" } else { decision },
        "since": watched.episode.since,
        "evidence_at": app.watch.evidence_at(watched),
    });
    if is_old {
        row["last_known"] = json!(decision);
    }
    let shown = Shown::to(principal, watched.audience);
    if shown != Shown::Number {
        row["teams"] = json!(watched.verdict.teams);
        row["drill"] = json!(watched.subject.drill);
    }
    if shown == Shown::Whole {
        row["title"] = json!(watched.subject.title);
        row["restricted"] = json!(watched.subject.restricted);
        row["missing"] = json!(watched.verdict.failed());
    }
    row
}

/// All of them, the newest first.
fn page_of_all<S: Store>(app: &App<S>, principal: &Principal) -> Value {
    let board = &app.watch.board;
    let all = board.all();
    json!({
        "schema": view::LIST_SCHEMA,
        "tasks": all.iter().map(|watched| row_of(app, principal, watched)).collect::<Vec<_>>(),
        "left_out": 0,
        "listed_at": board.freshness().sweep,
    })
}
