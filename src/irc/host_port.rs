//! A host and a port, as the configuration names them: `irc.example:6697`.
//!
//! Responsible for reading and writing the two, for whether they are of this machine, and for a connection to them. Not responsible for
//! what is said over it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpStream;
use url::Host;

use crate::conduit::host_is_loopback;

/// Where something answers: a name or an address, and a port.
///
/// ```
/// use phabgate::irc::HostPort;
/// let server: HostPort = "irc.example:6697".parse()?;
/// assert_eq!((server.to_string().as_str(), server.port()), ("irc.example:6697", 6697));
/// assert!("[::1]:6667".parse::<HostPort>()?.is_this_machine());
/// # Ok::<(), phabgate::irc::HostPortError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    host: Host<String>,
    port: u16,
}

/// A text that names no host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    /// No port stands at its end.
    #[error("it names no port")]
    NoPort,
    /// What stands behind the last colon is no port.
    #[error("it ends in no port from 1 to 65535")]
    Port,
    /// What stands before the port is neither a name nor an address.
    #[error("it names no host")]
    Host,
}

impl HostPort {
    /// The name, or the address without brackets: what a certificate has to be for.
    pub fn name(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine by its very name: `localhost`, `*.localhost`, 127/8 or `::1`. Nothing is resolved.
    pub fn is_this_machine(&self) -> bool {
        host_is_loopback(&self.host)
    }
}

/// Opens a connection to it. A name of loopback is never resolved: it is this machine, whatever a resolver says.
pub(super) async fn connect(to: &HostPort) -> io::Result<TcpStream> {
    match &to.host {
        Host::Domain(_) if to.is_this_machine() => {
            let addresses = [(Ipv4Addr::LOCALHOST, to.port).into(), (Ipv6Addr::LOCALHOST, to.port).into()];
            TcpStream::connect(addresses.as_slice() as &[SocketAddr]).await
        }
        Host::Domain(name) => TcpStream::connect((name.as_str(), to.port)).await,
        Host::Ipv4(address) => TcpStream::connect((*address, to.port)).await,
        Host::Ipv6(address) => TcpStream::connect((*address, to.port)).await,
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let (host, port) = text.rsplit_once(':').ok_or(HostPortError::NoPort)?;
        // An address of IPv6 without brackets would lose its last group.
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(HostPortError::Host);
        }
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HostPortError::Port);
        }
        let port: u16 = port.parse().map_err(|_| HostPortError::Port)?;
        if port == 0 {
            return Err(HostPortError::Port);
        }
        let host = Host::parse(host).map_err(|_| HostPortError::Host)?;
        Ok(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_read_and_written() {
        for text in ["irc.example:6697", "127.0.0.1:9200", "[::1]:1", "localhost:65535"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[2001:db8::1]:1".parse::<HostPort>().unwrap().name(), "2001:db8::1");
        assert_eq!("IRC.Example:1".parse::<HostPort>().unwrap().name(), "irc.example");
    }

    #[test]
    fn what_names_no_host_or_no_port_is_refused() {
        use HostPortError::{Host, NoPort, Port};
        for (text, error) in [
            ("irc.example", NoPort),
            ("", NoPort),
            ("irc.example:", Port),
            ("irc.example:0", Port),
            ("irc.example:65536", Port),
            ("irc.example:+1", Port),
            ("::1", Host),
            ("::1:6667", Host),
            (":6667", Host),
            ("a b:6667", Host),
            ("ircs://irc.example:6697", Host),
            ("me@irc.example:6697", Host),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(error), "{text}");
        }
    }

    #[test]
    fn loopback_is_known_by_its_name() {
        for (text, is_this_machine) in [
            ("localhost:1", true),
            ("irc.localhost:1", true),
            ("127.9.9.9:1", true),
            ("irc.example:1", false),
            ("localhost.example:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().is_this_machine(), is_this_machine, "{text}");
        }
    }
}
