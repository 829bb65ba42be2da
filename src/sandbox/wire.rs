//! The connections of the sandbox, which can be made to break.
//!
//! Responsible for a listener and a stream that the handler of a request can make reset or drip. Not responsible
//! for when that is wanted.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// How a connection behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Plain,
    /// Ends with a reset as soon as anything is to be written.
    Reset,
    /// Writes one byte and waits.
    Drip(Duration),
}

/// The handle on a connection that the handler of its requests gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Mode>>);

impl Wire {
    fn mode(&self) -> Mode {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, mode: Mode) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Ends the connection with a reset in place of the reply.
    pub(crate) fn reset(&self) {
        self.set(Mode::Reset);
    }

    /// Writes the reply, and all after it, byte by byte.
    pub(crate) fn drip(&self, pause: Duration) {
        self.set(Mode::Drip(pause));
    }
}

impl Connected<IncomingStream<'_, Gate>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.io().wire.clone()
    }
}

/// Accepts connections.
pub(crate) struct Gate(pub(crate) TcpListener);

impl Listener for Gate {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // a server that drips must not be saved up by the system
        let _ = stream.set_nodelay(true);
        (Io { stream, wire: Wire::default(), pause: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection.
pub(crate) struct Io {
    stream: TcpStream,
    wire: Wire,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.wire.mode() {
            Mode::Plain => Pin::new(&mut self.stream).poll_write(cx, data),
            Mode::Reset => {
                // closing a socket that lingers for no time sends a reset
                self.stream.set_zero_linger()?;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Mode::Drip(pause) => {
                if let Some(sleep) = &mut self.pause {
                    ready!(sleep.as_mut().poll(cx));
                    self.pause = None;
                }
                let byte = data.get(..1).unwrap_or_default();
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, byte))?;
                self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.wire.mode() {
            // an orderly end would reach the client before the reset
            Mode::Reset => Poll::Ready(Ok(())),
            Mode::Plain | Mode::Drip(_) => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
