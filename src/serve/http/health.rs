//! Whether the service is up.
//!
//! Responsible for `/healthz` and `/readyz`. That the server does not answer makes the service unready for nobody: it says
//! since when nothing is known.

use axum::extract::State;

use super::Shared;
use super::problem::Problem;
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
    // A number that is taken is written down: a disk that is full shows.
    match app.watch.store.with(|store| store.take_sequence(1)) {
        Ok(_) => Ok("ready\n"),
        Err(error) => {
            tracing::error!("{error}");
            Err(Problem::unavailable("the store cannot be written"))
        }
    }
}
