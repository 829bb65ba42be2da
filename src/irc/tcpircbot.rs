//! Handing one line to a tcpircbot, which says it in its channel: a connection a line over plain TCP.
//!
//! Responsible for one line, at most once. A tcpircbot answers nothing: it reads what came and closes its side once ours is closed. So
//! a connection that was refused may be tried again, and one that was accepted never: the line may be in the channel. Not responsible
//! for what is said.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::host_port::HostPort;
use super::line::{Line, TCPIRCBOT_LIMIT};

/// How long a line is tried to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// To be connected, with all attempts.
    pub connect: Duration,
    /// Between two attempts.
    pub pause: Duration,
    /// For the line to be written and read, once connected.
    pub hand: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), pause: Duration::from_millis(500), hand: Duration::from_secs(5) }
    }
}

/// What became of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handed {
    /// It was read: the other side closed the connection after it.
    Taken,
    /// It was not: no connection was made. It may be handed again.
    NotTaken {
        /// Why.
        why: String,
    },
    /// Nothing was to be said when the connection was there.
    NothingToSay,
    /// It may be in the channel: the connection was accepted, and how it ended proves nothing. It must not be handed again.
    Unclear {
        /// Why.
        why: String,
    },
}

/// Hands one line over.
pub async fn hand(to: &HostPort, line: &Line, patience: &Patience) -> Handed {
    if line.is_empty() {
        return Handed::NotTaken { why: "there is nothing to say".to_owned() };
    }
    hand_made(to, || Some(line.clone()), patience).await
}

/// Hands one line over that `make` makes once the connection is there; where it makes none, nothing is handed over.
pub async fn hand_made(to: &HostPort, make: impl FnOnce() -> Option<Line>, patience: &Patience) -> Handed {
    let mut stream = match connect(to, patience).await {
        Ok(stream) => stream,
        Err(error) => return Handed::NotTaken { why: format!("no connection to {to}: {error}") },
    };
    let Some(line) = make().filter(|line| !line.is_empty()) else { return Handed::NothingToSay };
    let text = format!("{}\n", line.within(TCPIRCBOT_LIMIT));
    let until = Instant::now() + patience.hand;
    let unclear = |why: String| Handed::Unclear { why: format!("{to} accepted the connection, but {why}") };
    match timeout_at(until, give(&mut stream, text.as_bytes())).await {
        Ok(Ok(())) => Handed::Taken,
        Ok(Err(error)) => unclear(format!("it broke: {error}")),
        Err(_) => unclear(format!("did not close it within {:?}", patience.hand)),
    }
}

/// Whether it can be reached: one connection, over which nothing is handed, so that nothing is said.
///
/// # Errors
/// Why it cannot be, in words for people.
pub async fn reach(to: &HostPort, within: Duration) -> Result<(), String> {
    match timeout_at(Instant::now() + within, super::host_port::connect(to)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("nothing answered within {within:?}")),
    }
}

/// Connects, as often as there is time for: while it is not accepted nothing was handed over.
async fn connect(to: &HostPort, patience: &Patience) -> io::Result<TcpStream> {
    let until = Instant::now() + patience.connect;
    let mut last = io::Error::new(io::ErrorKind::TimedOut, "nothing answered in time");
    loop {
        match timeout_at(until, super::host_port::connect(to)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => return Err(last),
        }
        if Instant::now() + patience.pause >= until {
            return Err(last);
        }
        sleep(patience.pause).await;
    }
}

/// Writes the line, closes our side and waits for the other to close theirs. A reset says that not all was read.
async fn give(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 256];
    // Whatever it answers is not for us; how much of it there may be is bounded by the time.
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
