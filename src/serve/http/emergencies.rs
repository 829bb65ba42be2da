//! The open emergencies, as `list` shows them.
//!
//! Responsible for the list. Not responsible for its form for those who see everything, which is that of `list`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use serde_json::{Value, json};

use super::audience::Shown;
use super::guard::Asker;
use super::{App, Shared};
use crate::serve::store::Store;
use crate::view;

/// `GET /v1/emergencies`.
pub(super) async fn emergencies<S: Store>(
    State(app): State<Shared<S>>,
    Extension(asker): Extension<Arc<Asker>>,
) -> Json<Value> {
    Json(page_of_all(&app, &asker))
}

/// All of them, the newest first, as far as each is shown.
pub(super) fn page_of_all<S: Store>(app: &App<S>, asker: &Asker) -> Value {
    let board = &app.watch.board;
    let now = board.clock().now();
    let one = |standing: &crate::serve::board::Standing| {
        let mut row = json!({
            "task": standing.task,
            "url": standing.subject.url,
            "verdict": standing.verdict.decision.word(),
            "since": standing.episode.since,
            "evidence_at": board.evidence_at(standing, now),
        });
        let shown = Shown::to(asker, standing.audience);
        if shown != Shown::Number {
            row["teams"] = json!(standing.verdict.teams);
            row["drill"] = json!(standing.subject.drill);
        }
        if shown == Shown::Whole {
            row["title"] = json!(standing.subject.title);
            row["restricted"] = json!(standing.subject.restricted);
            row["missing"] = json!(standing.verdict.failed());
        }
        row
    };
    let all = board.all();
    json!({
        "schema": view::LIST_SCHEMA,
        "tasks": all.iter().map(|standing| one(standing)).collect::<Vec<_>>(),
        "left_out": 0,
        "listed_at": board.freshness().sweep,
    })
}
