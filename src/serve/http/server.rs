//! Listening, and serving until it is stopped.
//!
//! Responsible for the socket, and for ending well: open calls get a while, streams are closed. Not responsible for the routes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::serve::watch::stopped;

/// How long open calls get once the service ends.
const GRACE: Duration = Duration::from_secs(10);

/// Why the service cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; set `serve.listen` to an address that is free")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The socket broke.
    #[error("cannot go on answering: {0}")]
    Serve(std::io::Error),
}

/// Listens on an address.
///
/// # Errors
/// Where that is not possible.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, HttpError> {
    TcpListener::bind(address).await.map_err(|source| HttpError::Listen { address, source })
}

/// Serves until it is stopped.
///
/// # Errors
/// Where the socket breaks.
pub async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) -> Result<(), HttpError> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stopped(stop.clone()));
    tokio::select! {
        ended = serving.into_future() => ended.map_err(HttpError::Serve),
        () = async { stopped(stop).await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}
