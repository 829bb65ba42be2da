//! What the service answers over HTTP.
//!
//! Responsible for the routes, each of which stands in one table, for what holds of every request, and for serving until it is stopped.
//! Not responsible for what is decided, nor for the page of people.

mod audience;
mod deploys;
mod emergencies;
mod events;
mod guard;
mod health;
mod hooks;
mod limits;
mod listen;
mod metrics;
mod page;
mod page_events;
mod problem;
mod routes;
mod server;
mod share;
mod verdict;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tokio::sync::watch;

#[cfg(test)]
pub(in crate::serve) use self::audience::Shown;
pub(in crate::serve) use self::audience::{Seen, SeenApproval, SeenNames, SeenNearMiss, SeenWhole};
pub use self::deploys::DEPLOY_SCHEMA;
pub use self::guard::{Guard, Principal};
pub use self::health::StoreTrial;
pub use self::limits::Limits;
pub use self::listen::{ListenError, Listeners, listen};
pub use self::problem::Problem;
use self::routes::Route;
pub use self::server::serve;
use super::pipelines::Deploys;
use super::store::Store;
use super::watch::Watch;

/// What the handlers share.
#[derive(Debug)]
pub struct App<S: Store> {
    /// What is known.
    pub watch: Arc<Watch<S>>,
    /// The deploys of pipelines.
    pub deploys: Deploys<S>,
    /// Who may ask what.
    pub guard: Guard,
    /// How often somebody may ask.
    pub limits: Limits,
    /// What the tags of answers are made with, which nobody else knows.
    pub secret: TagSecret,
    /// Whether the store could be written.
    pub store_trial: StoreTrial,
    /// Whether the service is ending.
    pub stop: watch::Receiver<bool>,
}

/// A secret of this process.
pub struct TagSecret([u8; 32]);

impl std::fmt::Debug for TagSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TagSecret")
    }
}

impl TagSecret {
    /// Another at each start; `None` where the machine gives no random bytes.
    pub fn fresh() -> Option<Self> {
        crate::random::bytes().map(Self)
    }
}

/// What the handlers are given.
pub(super) type Shared<S> = Arc<App<S>>;

/// The routes of the service.
pub fn router<S: Store>(app: Shared<S>) -> Router {
    // The page of people, and then what programs ask.
    let page = Router::new()
        .route("/", get(page::index))
        .route("/events", get(page_events::of_all))
        .route("/{task}", get(page::task))
        .route("/{task}/events", get(page_events::of_task));
    Route::ALL
        .into_iter()
        .fold(page, |router, route| router.route(route.path(), route.handler()))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard::every_request))
        .with_state(app)
}
