//! Serving until it is stopped.
//!
//! Responsible for the connections: how many are open at most, so that idle ones take nothing from the watch, how long one may take for its
//! headers, and ending well: open calls get a while, streams are closed. Not responsible for the routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::listen::{Connection, Listeners};
use crate::serve::watch::stopped;

/// How long open calls get once the service ends.
const GRACE: Duration = Duration::from_secs(10);
/// How long somebody may take to send the headers of a request.
const HEADERS: Duration = Duration::from_secs(10);
/// How many bytes wait for a reader at most, before what follows waits too.
const BUFFER: usize = 64 * 1024;
/// How many connections are open at most.
const CONNECTIONS: u64 = 4_096;
/// How many files are kept for everything else.
const OTHER_FILES: u64 = 256;
/// The pause after a connection could not be accepted, which is mostly for want of files.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves until it is stopped.
pub async fn serve(listeners: Listeners, router: Router, stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(room_for_connections()));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(stop.clone()) => break,
            accepted = listeners.accept() => accepted,
        };
        let (connection, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Who comes when there is no room finds the connection closed.
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        match connection {
            Connection::Tcp(stream) => {
                let _ = stream.set_nodelay(true);
                answer(stream, router, &graceful, permit);
            }
            Connection::Unix(stream) => answer(stream, router, &graceful, permit),
        }
    }
    drop(listeners);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Answers what one connection asks, until it ends.
fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    graceful: &GracefulShutdown,
    permit: OwnedSemaphorePermit,
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(BUFFER);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // What goes wrong with one connection is its peer's matter.
        let _ = connection.await;
        drop(permit);
    });
}

/// How many connections there is room for, once the process may have as many files as the system lets it.
fn room_for_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS + OTHER_FILES;
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(current.unwrap_or(wanted));
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(wanted),
    };
    usize::try_from(limit.saturating_sub(OTHER_FILES).clamp(16, CONNECTIONS)).unwrap_or(16)
}
