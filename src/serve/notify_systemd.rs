//! What systemd is said of the service: that it is ready, that it is alive, that it is ending.
//!
//! Responsible for the datagrams, and for the watchdog's turn: it is alive as long as its loops come round, whatever the server of the
//! tasks does. Not responsible for starting and ending. Where nobody listens nothing is said.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// How long ago a loop may have come round, of one that does so every second.
const STUCK: SignedDuration = SignedDuration::from_secs(10);
/// The watchdog's time where systemd names none that can be read.
const WATCHDOG: Duration = Duration::from_secs(30);

/// Where systemd listens, or nobody does.
#[derive(Debug)]
pub struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the service is alive.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Where the variables `NOTIFY_SOCKET` and `WATCHDOG_USEC` say so.
    ///
    /// # Errors
    /// Where the socket that is named cannot be used.
    pub fn new(socket: Option<&OsStr>, watchdog: Option<&OsStr>) -> std::io::Result<Self> {
        let Some(name) = socket.filter(|name| !name.is_empty()) else {
            return Ok(Self { socket: None, watchdog: None });
        };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // Who does not listen must not hold up the service.
        socket.set_nonblocking(true)?;
        let every = |text: &OsStr| text.to_str().and_then(|text| text.parse().ok()).map(Duration::from_micros);
        Ok(Self { socket: Some((socket, address)), watchdog: watchdog.map(|text| every(text).unwrap_or(WATCHDOG)) })
    }

    fn say(&self, state: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!("cannot notify systemd: {error}");
        }
    }

    /// The service answers.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// The service is ending.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    /// Says that the service is alive, as often as systemd wants, while `turned` is of late; until it stops.
    pub async fn watchdog(&self, turned: impl Fn() -> Option<Timestamp>, stop: watch::Receiver<bool>) {
        let Some(watchdog) = self.watchdog else { return };
        // Three chances within its time, and no busy loop where that is short.
        let every = (watchdog / 3).max(Duration::from_millis(10));
        // Before their first turn the loops have not come round.
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        let stopped = super::watch::stopped(stop);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = tick.tick() => {}
            }
            let now = Timestamp::now();
            match turned().is_some_and(|turned| now.duration_since(turned).abs() <= STUCK) {
                true => self.say("WATCHDOG=1"),
                false => tracing::error!("the loops of the watch do not come round"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_socket_with_a_path_and_one_without_are_notified() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let unnamed = format!("phabgate-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&unnamed).unwrap();
        for (socket, name) in [
            (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()),
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{unnamed}").into()),
        ] {
            let systemd = Systemd::new(Some(&name), None).unwrap();
            systemd.ready();
            systemd.stopping();
            assert_eq!([heard(&socket), heard(&socket)], ["READY=1", "STOPPING=1"]);
        }
        // Nobody listens any more, or never did: no harm.
        Systemd::new(Some(path.as_os_str()), None).unwrap().ready();
        Systemd::new(None, None).unwrap().ready();
    }

    #[tokio::test]
    async fn the_watchdog_hears_of_loops_that_come_round_and_of_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let systemd = Systemd::new(Some(path.as_os_str()), Some(OsStr::new("30000"))).unwrap();
        let asked = std::cell::Cell::new(0);
        let (end, stop) = watch::channel(false);
        // The first three times the loops come round.
        let turned = || {
            asked.set(asked.get() + 1);
            if asked.get() == 6 {
                end.send(true).unwrap();
            }
            (asked.get() <= 3).then(Timestamp::now)
        };
        systemd.watchdog(turned, stop).await;
        let mut said = Vec::new();
        let mut bytes = [0; 64];
        while let Ok(count) = socket.recv(&mut bytes) {
            said.push(String::from_utf8(bytes[..count].to_vec()).unwrap());
        }
        assert_eq!(said, ["WATCHDOG=1"; 3]);
        assert_eq!(asked.get(), 6);
    }
}
