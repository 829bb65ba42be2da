//! The log of the machine: systemd's journal where it runs, else syslog.
//!
//! Responsible for the two sockets and for writing to them without ever waiting. Both are local; nothing is sent to another
//! machine. Not responsible for what a line says ([`crate::gate::system_log`]), nor for whether there is a log at all, which is the
//! setting `log.system`.

mod form;

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::gate::system_log::{LogEntry, SystemLog};

/// The socket of systemd's journal, below the root of the file system.
const JOURNALD: &str = "run/systemd/journal/socket";
/// The socket of syslog.
const SYSLOG: &str = "dev/log";

/// The log of this machine.
#[derive(Debug, Clone)]
pub struct LocalLog {
    /// Below which directory the sockets are: `/`, but for tests.
    root: PathBuf,
}

impl LocalLog {
    /// The log whose sockets are below `root`.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn send(&self, entry: &LogEntry) -> io::Result<()> {
        let process = std::process::id();
        match datagram(&self.root.join(JOURNALD), &form::journald(entry, process)) {
            Err(_) => {
                // The local time, as syslog(3) writes it; where there is no zone that is UTC.
                let zone = crate::host::time_zone().unwrap_or(TimeZone::UTC);
                let now = Timestamp::now().to_zoned(zone);
                datagram(&self.root.join(SYSLOG), &form::syslog(entry, process, &now))
            }
            sent => sent,
        }
    }
}

impl SystemLog for LocalLog {
    fn write(&self, entry: &LogEntry) {
        if let Err(error) = self.send(entry) {
            tracing::debug!("the log of this machine took no line ({error}): {}", entry.message);
        }
    }
}

/// Sends one datagram, at once or not at all: a log that is full or stopped holds up no deploy.
fn datagram(socket: &Path, bytes: &[u8]) -> io::Result<()> {
    let from = UnixDatagram::unbound()?;
    from.set_nonblocking(true)?;
    from.connect(socket)?;
    let sent = from.send(bytes)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}
