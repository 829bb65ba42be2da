//! Where the service listens, and where a connection comes from.
//!
//! Responsible for the address of everybody and for the socket of trusted proxies, which is there with its mode from the first moment and
//! gone with the service. Not responsible for what is read from a connection, nor for who is believed.

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::ProxySocket;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// Whoever has this address.
    Address(IpAddr),
    /// A proxy that may open the socket `serve.socket`.
    Socket,
}

impl Peer {
    /// Whose requests are counted together, where no proxy says whose they are.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::Address(address) => address,
            Self::Socket => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Socket => f.write_str("at `serve.socket`"),
        }
    }
}

/// A connection.
pub(super) enum Connection {
    /// Of an address.
    Tcp(TcpStream),
    /// Of the socket.
    Unix(UnixStream),
}

/// Where it is listened.
#[derive(Debug)]
pub struct Listeners {
    tcp: TcpListener,
    socket: Option<OwnSocket>,
}

/// Why the service cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; set `serve.listen` to an address that is free")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen on the socket {}: {source}; set `serve.socket` to a path in a directory that this service may write in", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody listens on the socket.
    #[error("another process listens on the socket {}; end it, or set `serve.socket` to another path", .0.display())]
    InUse(PathBuf),
    /// What is there is no socket.
    #[error("{} is there and no socket; set `serve.socket` to another path", .0.display())]
    NoSocket(PathBuf),
}

/// Listens on an address, and on the socket of trusted proxies where there is to be one.
///
/// # Errors
/// Where that is not possible, or somebody listens there.
pub async fn listen(address: SocketAddr, socket: Option<&ProxySocket>) -> Result<(Listeners, SocketAddr), ListenError> {
    let failed = |source| ListenError::Address { address, source };
    let tcp = TcpListener::bind(address).await.map_err(failed)?;
    let bound = tcp.local_addr().map_err(failed)?;
    let socket = match socket {
        Some(socket) => Some(OwnSocket::bind(socket).await?),
        None => None,
    };
    Ok((Listeners { tcp, socket }, bound))
}

impl Listeners {
    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Connection, Peer)> {
        let by_socket = async {
            match &self.socket {
                Some(socket) => socket.listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.tcp.accept() => {
                let (stream, peer) = accepted?;
                Ok((Connection::Tcp(stream), Peer::Address(peer.ip())))
            }
            accepted = by_socket => Ok((Connection::Unix(accepted?.0), Peer::Socket)),
        }
    }
}

/// A socket of ours.
#[derive(Debug)]
struct OwnSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OwnSocket {
    /// The socket appears at its path with its mode, in the place of one on which nobody listens any more.
    async fn bind(ProxySocket { path, mode }: &ProxySocket) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Socket { path: path.clone(), source };
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => return Err(ListenError::NoSocket(path.clone())),
            Ok(_) if UnixStream::connect(path).await.is_ok() => return Err(ListenError::InUse(path.clone())),
            _ => {}
        }
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        let new = Path::new(&new);
        // Left by a process with this number that was killed here.
        let _ = std::fs::remove_file(new);
        let listener = UnixListener::bind(new).map_err(failed)?;
        let placed =
            std::fs::set_permissions(new, Permissions::from_mode(*mode)).and_then(|()| std::fs::rename(new, path));
        if let Err(source) = placed {
            let _ = std::fs::remove_file(new);
            return Err(failed(source));
        }
        Ok(Self { listener, path: path.clone() })
    }
}

impl Drop for OwnSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(path: &Path) -> ProxySocket {
        ProxySocket { path: path.to_owned(), mode: 0o660 }
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_takes_the_place_of_a_dead_one_and_goes_with_the_service() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("proxy.sock");
        // Bound, and left by a process that was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let own = OwnSocket::bind(&socket(&path)).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(OwnSocket::bind(&socket(&path)).await, Err(ListenError::InUse(_))));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
        drop(own);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_let_be() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notes");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(OwnSocket::bind(&socket(&path)).await, Err(ListenError::NoSocket(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let nowhere = home.path().join("nowhere/proxy.sock");
        assert!(matches!(OwnSocket::bind(&socket(&nowhere)).await, Err(ListenError::Socket { .. })));
    }
}
