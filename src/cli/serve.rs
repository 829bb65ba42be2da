//! `serve`: the watch over the open emergencies.
//!
//! Responsible for starting it, for what is printed when it is up, and for the signals that end it. Not responsible for what it does
//! ([`crate::serve`]).

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use crate::serve::http::{self, App, Guard, HttpError};
use crate::serve::store::{SqliteStore, StoreError};
use crate::serve::watch::Watch;

/// The schema of `serve --format json`.
const SCHEMA: &str = "phabgate/serve/1";

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Listen on this address instead of `serve.listen`; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Where the service answers, for programs.
#[derive(Debug, Serialize)]
struct Json {
    schema: &'static str,
    url: String,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: None }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string(), hint: None }
    }
}

/// Runs `serve`, until it is told to end.
///
/// # Errors
/// Where the configuration or the credentials are wrong, the address cannot be listened on, or the store cannot be used.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let (site, _sandbox) = Session::open(globals).await?.into_site();
    crate::host::ensure_state_dir(&site.state)?;
    let store = SqliteStore::open(&site.state)?;
    let listener = http::listen(args.listen.unwrap_or(site.serve.listen)).await?;
    let address = listener.local_addr().map_err(HttpError::Serve)?;
    let guard = Guard::new(site.serve.url.as_ref(), address);
    let url = site.serve.url.as_ref().map_or_else(|| format!("http://{address}/"), ToString::to_string);
    let watch = Arc::new(Watch::new(site, store)?);
    let (end, stop) = watch::channel(false);
    tokio::spawn(async move {
        let asked = asked_to_end().await;
        tracing::info!("{asked}: ending");
        let _ = end.send(true);
        // The sender lives as long as the process: a receiver whose sender is gone is told to stop.
        std::future::pending::<()>().await;
    });
    match ui.is_json() {
        true => ui.json(&Json { schema: SCHEMA, url }),
        false => ui.data(&format!("The watch answers at {url} until you press Ctrl-C.")),
    }
    let app = Arc::new(App { watch: Arc::clone(&watch), guard, stop: stop.clone() });
    let watching = tokio::spawn(watch.run(stop.clone()));
    let served = http::serve(listener, http::router(app), stop).await;
    let _ = watching.await;
    served?;
    Ok(Exit::Done)
}

/// Waits for a signal that ends the service, and names it.
async fn asked_to_end() -> &'static str {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => _ = terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "SIGINT",
    }
}
