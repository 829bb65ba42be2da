//! The connection to a network: TCP, and TLS over it but on this machine.
//!
//! Responsible for whose certificates are believed, and for showing our own. Not responsible for what is said over it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::settings::{Authorities, BotSettings};
use crate::irc::host_port::{self, HostPort};
use crate::safe_path::{self, PathError, ReadError, Trust};

/// The largest file of authorities that is read.
const LIMIT: u64 = 1 << 20;

/// What is read from and written to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// Nobody answers there.
    #[error("no connection to {server}: {error}")]
    Network { server: String, error: io::Error },
    /// What answers shows no certificate that is believed, or breaks off.
    #[error("no TLS with {server}: {}", in_words(error))]
    Tls { server: String, error: io::Error },
    /// What answers there does not speak TLS.
    #[error("what answers at {0} speaks no TLS: name its port with TLS in `irc.server`, which often is 6697")]
    Plain(HostPort),
    /// What answers there waits for something else than TLS, or hangs.
    #[error(
        "{0} takes a connection and does not answer in TLS: name its port with TLS in `irc.server`, which often is 6697"
    )]
    Mute(HostPort),
    /// The file of authorities cannot be believed.
    #[error("cannot use the certificate authorities: {}", why.of(path))]
    Unsafe { path: PathBuf, why: PathError },
    /// Its text cannot be had.
    #[error("cannot read the certificate authorities from {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: ReadError },
    /// There is no authority in it.
    #[error("{} holds no certificate authority in PEM", .0.display())]
    NoAuthority(PathBuf),
    /// The system has none.
    #[error("no certificate authority is installed: install ca-certificates, or name a file in `irc.ca`")]
    NoSystemAuthority,
    /// Our own certificate cannot be shown. Nothing of it is in the words.
    #[error(
        "the bot's own certificate cannot be used: its file holds no certificate with its key in PEM, or they do not belong together"
    )]
    OwnCertificate,
    /// No certificate can be for such a name.
    #[error("{0} is no name that a certificate can be for")]
    Name(String),
}

/// What broke a connection, in plain words: those of a library may name its manual.
pub(super) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    if text.contains("close_notify") {
        return "the server closed it, and did not end TLS before".to_owned();
    }
    let end = text.find("http://").or_else(|| text.find("https://")).unwrap_or(text.len());
    text[..end].trim_end_matches([':', ' ']).to_owned()
}

/// What to do where nobody answers.
pub(super) const UNANSWERED: &str =
    "look at `irc.server`, whether the server runs, and at what stands between this machine and it";

impl ConnectionError {
    /// What to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Network { .. } | Self::Name(_) => UNANSWERED,
            Self::Plain(_) | Self::Mute(_) => {
                "write the port with TLS into `irc.server`; without TLS (`irc.tls = false`) a server of this machine alone is spoken to"
            }
            Self::Tls { .. } => {
                "name the authority that signed the certificate of the server in `irc.ca` (PEM), and the server in `irc.server` as the certificate does"
            }
            Self::Unsafe { .. } => {
                "let the file and the directories above it belong to root or to the user of the service, and be written by nobody else; or name another in `irc.ca`"
            }
            Self::Unreadable { .. } | Self::NoAuthority(_) | Self::NoSystemAuthority => {
                "name a file of authorities (PEM) in `irc.ca` that the user of the service can read"
            }
            Self::OwnCertificate => {
                "put the certificate and its key, both in PEM, into the file of `irc.certificate_file`"
            }
        }
    }
}

/// Connects, once.
pub(super) async fn open(settings: &BotSettings) -> Result<Box<dyn Stream>, ConnectionError> {
    let server = &settings.server;
    let tls = match &settings.authorities {
        Authorities::Plain => None,
        authorities => Some(tls(authorities, settings.login.certificate.as_ref())?),
    };
    let tcp = host_port::connect(server).await;
    let tcp = tcp.map_err(|error| ConnectionError::Network { server: server.to_string(), error })?;
    // Lines are short, and each is waited for.
    let _ = tcp.set_nodelay(true);
    let Some(tls) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(server.name()).map_err(|_| ConnectionError::Name(server.name()))?;
    // Before the time for all of it is over, so that it is known what was waited for.
    let shaken = timeout(settings.timings.register / 2, TlsConnector::from(Arc::new(tls)).connect(name, tcp)).await;
    match shaken {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) if is_plain(&error) => Err(ConnectionError::Plain(server.clone())),
        Ok(Err(error)) => Err(ConnectionError::Tls { server: server.to_string(), error }),
        Err(_) => Err(ConnectionError::Mute(server.clone())),
    }
}

/// Whether what came is no TLS at all: its first byte is of no kind that a record of TLS has.
fn is_plain(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
}

fn tls(authorities: &Authorities, certificate: Option<&SecretString>) -> Result<ClientConfig, ConnectionError> {
    let roots = match authorities {
        Authorities::File(path) => of_file(path)?,
        Authorities::System | Authorities::Plain => of_system()?,
    };
    let own = || ConnectionError::OwnCertificate;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| own())?.with_root_certificates(roots);
    // A session that is resumed shows no certificate of its own, by which the services know the account.
    let whole = |mut config: ClientConfig| {
        config.resumption = Resumption::disabled();
        config
    };
    let Some(pem) = certificate else { return Ok(whole(builder.with_no_client_auth())) };
    let pem = pem.expose_secret().as_bytes();
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| own())?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| own())?;
    if chain.is_empty() {
        return Err(own());
    }
    builder.with_client_auth_cert(chain, key).map(whole).map_err(|_| own())
}

fn of_file(path: &Path) -> Result<RootCertStore, ConnectionError> {
    let file = safe_path::open(path, Trust::of_process());
    let file = file.map_err(|why| ConnectionError::Unsafe { path: path.to_owned(), why })?;
    let text = file.text(LIMIT).map_err(|why| ConnectionError::Unreadable { path: path.to_owned(), why })?;
    let mut roots = RootCertStore::empty();
    // What is no certificate is not believed; where nothing is left, that is an error.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(text.as_bytes()).filter_map(Result::ok));
    match roots.is_empty() {
        true => Err(ConnectionError::NoAuthority(path.to_owned())),
        false => Ok(roots),
    }
}

fn of_system() -> Result<RootCertStore, ConnectionError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(ConnectionError::NoSystemAuthority),
        false => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::irc::bot::settings::Timings;

    /// How a connection with TLS ends where this is said, and nothing else.
    async fn ended(said: &'static [u8], register: Duration) -> ConnectionError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string().parse().unwrap();
        let settings = BotSettings::new(server, "phabgate", &["#ops".to_owned()]).unwrap();
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/authority.pem");
        let settings = settings.trusting(Authorities::File(authority.into())).unwrap();
        let settings = settings.timed(Timings { register, ..Timings::default() });
        let (opened, _stream) = tokio::join!(open(&settings), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said).await.unwrap();
            stream
        });
        opened.err().unwrap()
    }

    #[tokio::test]
    async fn a_port_without_tls_is_named_as_one_whether_it_speaks_or_waits() {
        let greets = ended(b"NOTICE * :*** Looking up your hostname\r\n", Duration::from_secs(60)).await;
        assert!(matches!(greets, ConnectionError::Plain(_)), "{greets}");
        let waits = ended(b"", Duration::from_millis(200)).await;
        assert!(matches!(waits, ConnectionError::Mute(_)), "{waits}");
        for error in [greets, waits] {
            assert!(
                error.to_string().ends_with("name its port with TLS in `irc.server`, which often is 6697"),
                "{error}"
            );
        }
    }

    /// What rustls says of an end of the connection that is none of TLS, as it is: it names its manual.
    #[test]
    fn what_is_said_of_a_connection_that_broke_names_no_manual() {
        let unended = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/rustls/manual/_03_howto/index.html#unexpected-eof";
        let said = |text: &str| in_words(&io::Error::new(io::ErrorKind::UnexpectedEof, text));
        assert_eq!(said(unended), "the server closed it, and did not end TLS before");
        assert_eq!(said("it is so: see https://docs.example"), "it is so: see");
        assert_eq!(said("Connection reset by peer (os error 104)"), "Connection reset by peer (os error 104)");
    }

    #[test]
    fn authorities_and_certificates_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let none = dir.path().join("none.pem");
        let said = of_file(&none).unwrap_err().to_string();
        assert!(said.starts_with("cannot use the certificate authorities: ") && said.contains("none.pem"), "{said}");
        let junk = dir.path().join("junk.pem");
        std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let said = of_file(&junk).unwrap_err().to_string();
        assert!(said.ends_with("junk.pem holds no certificate authority in PEM"), "{said}");
        let own = SecretString::from("secret key");
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            return;
        }
        let said = tls(&Authorities::System, Some(&own)).unwrap_err().to_string();
        assert!(said.starts_with("the bot's own certificate cannot be used") && !said.contains("secret"), "{said}");
    }
}
