//! Why no connection was made: the name, the network, the proxy or the certificate.
//!
//! Responsible for distinguishing these, from the errors of the client, of its TLS and of its resolver, and for their
//! words. Not responsible for which way leads to the server ([`super::route`]) nor for trying again ([`super::retry`]).

use std::error::Error;
use std::fmt;
use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A connection that was not made: the server never saw the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// What stood in the way.
    pub obstacle: Obstacle,
    /// The proxy that the way leads through, with the variable that names it and without its password.
    pub proxy: Option<String>,
}

/// What stood in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A name, the server's or the proxy's, has no address.
    Name {
        /// The name.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// The proxy answered HTTP 407.
    ProxyCredentials,
    /// The proxy answered something else than that the way is open.
    ProxyRefused,
    /// The certificate that was shown is not believed.
    Certificate(BadCertificate),
    /// What answered does not speak TLS, or no version that both know.
    Tls(String),
    /// Nothing answered in the time that a connection is given.
    TimedOut,
    /// No connection for another reason, such as that it was refused.
    Network(String),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadCertificate {
    /// Nobody whom this host believes signed it.
    UnknownAuthority,
    /// It is not valid any more, or not yet.
    Time {
        /// Whether its time is over.
        is_over: bool,
    },
    /// It is for another name than the one that was asked for.
    OtherName,
    /// Something else, in words.
    Other(String),
}

impl Unreached {
    /// Finds out what stood in the way, from an error of a client that was connecting.
    pub(super) fn of(error: &reqwest::Error, proxy: Option<String>) -> Self {
        let obstacle = if error.is_timeout() { Obstacle::TimedOut } else { Obstacle::of(error) };
        Self { obstacle, proxy }
    }

    /// Whether another attempt may succeed: not where the proxy knows no such password, or a certificate is not believed.
    pub fn is_transient(&self) -> bool {
        match self.obstacle {
            Obstacle::Name { .. } | Obstacle::ProxyRefused | Obstacle::TimedOut | Obstacle::Network(_) => true,
            Obstacle::ProxyCredentials | Obstacle::Certificate(_) | Obstacle::Tls(_) => false,
        }
    }

    /// Whether it may be that no server is there: something that answered, and a proxy that did not, say nothing of it.
    pub fn may_be_gone(&self) -> bool {
        matches!(self.obstacle, Obstacle::Name { .. } | Obstacle::TimedOut | Obstacle::Network(_))
            && self.proxy.is_none()
    }

    /// What to do next, in one line for people.
    pub fn hint(&self) -> &'static str {
        match (&self.obstacle, &self.proxy) {
            (Obstacle::ProxyCredentials, _) => {
                "write them into the URL of the proxy, as http://USER:PASSWORD@proxy.example.org:3128"
            }
            (Obstacle::Certificate(BadCertificate::UnknownAuthority), _) => {
                "name the certificate of your own authority (PEM) in SSL_CERT_FILE, or a directory of such in SSL_CERT_DIR"
            }
            (Obstacle::Certificate(BadCertificate::Time { .. }), _) => {
                "look at the clock of this host; if it is right, the certificate has to be renewed"
            }
            (Obstacle::Certificate(_), _) => "check the URL, and the certificate of the server",
            (Obstacle::Tls(_), _) => "check the URL and its port; what answers there does not speak HTTPS as it should",
            (_, Some(_)) => {
                "check the proxy and the variable that names it; hosts in NO_PROXY are reached without it, and with \
                 `http.proxy = \"off\"` all are"
            }
            (Obstacle::Name { .. }, None) => {
                "check the URL and the name resolution of this host; `phabgate config show` prints the URL in use"
            }
            (_, None) => "check the URL and the network; `phabgate config show` prints the URL in use",
        }
    }
}

impl Obstacle {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut last = String::new();
        for cause in causes(error) {
            if let Some(NoAddress { host, why }) = cause.downcast_ref() {
                return Self::Name { host: host.clone(), why: why.clone() };
            }
            if let Some(tls) = cause.downcast_ref() {
                return Self::of_tls(tls);
            }
            last = cause.to_string();
            // The type of this error is not public; a test holds its words.
            match last.strip_prefix("tunnel error: ") {
                Some("proxy authorization required") => return Self::ProxyCredentials,
                Some("unsuccessful" | "unexpected end of file" | "proxy response headers too long") => {
                    return Self::ProxyRefused;
                }
                _ => {}
            }
        }
        // The number at the end of a system's error means nothing to people.
        Self::Network(last.split_once(" (os error ").map_or(last.clone(), |(words, _)| words.to_lowercase()))
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::CertificateError::*;
        let rustls::Error::InvalidCertificate(wrong) = error else { return Self::Tls(root_cause(error)) };
        Self::Certificate(match wrong {
            UnknownIssuer => BadCertificate::UnknownAuthority,
            Expired | ExpiredContext { .. } => BadCertificate::Time { is_over: true },
            NotValidYet | NotValidYetContext { .. } => BadCertificate::Time { is_over: false },
            NotValidForName | NotValidForNameContext { .. } => BadCertificate::OtherName,
            other => BadCertificate::Other(other.to_string()),
        })
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let through = self.proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
        let proxy = self.proxy.as_deref().unwrap_or("on the way");
        match &self.obstacle {
            Obstacle::Name { host, why } => {
                write!(f, "no connection to the server{through}: the name {host} has no address ({why})")
            }
            Obstacle::ProxyCredentials => {
                write!(f, "the proxy {proxy} wants a user and a password that it knows (HTTP 407)")
            }
            Obstacle::ProxyRefused => write!(f, "the proxy {proxy} does not connect to the server"),
            Obstacle::Certificate(wrong) => {
                write!(f, "the certificate of the server{through} is not believed: {wrong}")
            }
            Obstacle::Tls(why) => write!(f, "no secure connection to the server{through}: {why}"),
            Obstacle::TimedOut => {
                write!(f, "no connection to the server{through} in the time for one (`http.connect`)")
            }
            Obstacle::Network(why) => write!(f, "no connection to the server{through}: {why}"),
        }
    }
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownAuthority => "it is of an authority that this host does not know",
            Self::Time { is_over: true } => "it has expired",
            Self::Time { is_over: false } => "it is not valid yet",
            Self::OtherName => "it is for another name",
            Self::Other(why) => why,
        })
    }
}

/// The causes of an error, from the outermost inwards. An error of input and output hides what it was made of.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => cause.source(),
    })
}

/// What is at the bottom of an error, without the URL, which the caller knows: the last cause is what happened, those
/// before it say in which layer of the client it was noticed.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let last = causes(error).last().unwrap_or(error);
    if let Some(words) = other_protocol(last) {
        return words.to_owned();
    }
    let words = last.to_string();
    words.split_once(" (os error ").map_or(words.clone(), |(words, _)| words.to_lowercase())
}

/// What answers without TLS where TLS was spoken to it.
const SPEAKS_NO_TLS: &str = "what answers there speaks no TLS: the port is one for http://, not for https://";
/// What breaks off where TLS was spoken to it.
const BREAKS_OFF: &str =
    "what answers there breaks off before TLS begins: perhaps the port is one for http://, not for https://";
/// What answers with TLS where none was spoken to it.
const SPEAKS_TLS: &str =
    "what answers there is no HTTP: if the port is one with TLS, write https:// in place of http://";

/// What is to be said where another protocol answers than that of the URL.
fn other_protocol(error: &(dyn Error + 'static)) -> Option<&'static str> {
    use rustls::InvalidMessage::InvalidContentType;
    if let Some(rustls::Error::InvalidMessage(InvalidContentType)) = error.downcast_ref() {
        return Some(SPEAKS_NO_TLS);
    }
    // The kinds of these errors are not public; tests hold their words.
    match error.to_string().as_str() {
        "invalid HTTP version parsed" => Some(SPEAKS_TLS),
        "tls handshake eof" => Some(BREAKS_OFF),
        _ => None,
    }
}

/// What it means that a server which was asked without TLS answers so, where it is one that wants TLS: those of Go and nginx say that in HTTP.
pub fn wants_tls(status: u16, body: &[u8]) -> Option<&'static str> {
    let says = |words: &[u8]| body.windows(words.len()).any(|part| part.eq_ignore_ascii_case(words));
    let is_one = status == 400 && [&b"an HTTPS server"[..], b"to HTTPS port"].into_iter().any(says);
    is_one.then_some(SPEAKS_TLS)
}

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} has no address ({why})")]
struct NoAddress {
    host: String,
    why: String,
}

/// The resolver of the system. Its errors name the host, which can be the server's or the proxy's.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await;
            let none = |why: String| NoAddress { host: host.to_owned(), why };
            let addresses: Vec<_> = found.map_err(|error| none(resolver_words(&error)))?.collect();
            match addresses.is_empty() {
                true => Err(none("the resolver knows none".to_owned()).into()),
                false => Ok(Box::new(addresses.into_iter()) as Addrs),
            }
        })
    }
}

/// What the resolver says, without the words that stand before each of its errors.
fn resolver_words(error: &io::Error) -> String {
    let said = error.to_string();
    said.strip_prefix("failed to lookup address information: ").unwrap_or(&said).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(error: rustls::Error) -> Obstacle {
        // As the client passes it on: within an error of input and output.
        Obstacle::of(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn a_certificate_is_classified_by_what_is_wrong_with_it() {
        use rustls::CertificateError;
        for (error, wrong) in [
            (CertificateError::UnknownIssuer, BadCertificate::UnknownAuthority),
            (CertificateError::Expired, BadCertificate::Time { is_over: true }),
            (CertificateError::NotValidYet, BadCertificate::Time { is_over: false }),
            (CertificateError::NotValidForName, BadCertificate::OtherName),
        ] {
            assert_eq!(tls(rustls::Error::InvalidCertificate(error)), Obstacle::Certificate(wrong));
        }
        let revoked = tls(rustls::Error::InvalidCertificate(CertificateError::Revoked));
        assert!(matches!(revoked, Obstacle::Certificate(BadCertificate::Other(_))), "{revoked:?}");
        let other = Unreached { obstacle: tls(rustls::Error::DecryptError), proxy: None };
        assert!(matches!(other.obstacle, Obstacle::Tls(_)) && !other.is_transient());
    }

    #[test]
    fn what_will_be_the_same_again_is_not_tried_again() {
        let of = |obstacle| Unreached { obstacle, proxy: Some("p:3128 (HTTPS_PROXY)".to_owned()) };
        assert!(!of(Obstacle::ProxyCredentials).is_transient());
        assert!(!of(Obstacle::Certificate(BadCertificate::OtherName)).is_transient());
        assert!(of(Obstacle::Network("connection refused".into())).is_transient());
        assert!(!of(Obstacle::Network("connection refused".into())).may_be_gone(), "that is the proxy");
    }

    #[test]
    fn errors_name_the_proxy_and_what_happened() {
        let said = |obstacle| Unreached { obstacle, proxy: Some("p:3128 (HTTPS_PROXY)".to_owned()) }.to_string();
        assert_eq!(
            said(Obstacle::ProxyCredentials),
            "the proxy p:3128 (HTTPS_PROXY) wants a user and a password that it knows (HTTP 407)"
        );
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(
            said(Obstacle::of(&refused)),
            "no connection to the server through the proxy p:3128 (HTTPS_PROXY): connection refused"
        );
    }

    #[test]
    fn a_port_of_another_protocol_is_named_as_one() {
        let plain = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(tls(plain.clone()), Obstacle::Tls(SPEAKS_NO_TLS.to_owned()));
        assert_eq!(root_cause(&io::Error::new(io::ErrorKind::InvalidData, plain)), SPEAKS_NO_TLS);
        let go = b"Client sent an HTTP request to an HTTPS server.\n";
        assert_eq!(wants_tls(400, go), Some(SPEAKS_TLS));
        let nginx = b"<center>The plain HTTP request was sent to HTTPS port</center>";
        assert_eq!((wants_tls(400, nginx), wants_tls(403, nginx)), (Some(SPEAKS_TLS), None));
        assert_eq!((wants_tls(400, b"Bad Request"), wants_tls(400, b"")), (None, None));
    }

    #[tokio::test]
    async fn a_port_with_tls_that_is_asked_without_is_named_as_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        super::super::connection::choose_cryptography();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let (answer, ()) = tokio::join!(client.get(url).send(), async {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            // The alert `unexpected_message` of TLS 1.2.
            stream.write_all(&[0x15, 3, 3, 0, 2, 2, 10]).await.unwrap();
        });
        assert_eq!(root_cause(&answer.unwrap_err()), SPEAKS_TLS);
    }

    #[test]
    fn a_name_without_an_address_is_named_wherever_the_error_stands() {
        let name = NoAddress { host: "p.invalid".into(), why: "name or service not known".into() };
        let obstacle = Obstacle::of(&io::Error::other(name));
        assert_eq!(
            Unreached { obstacle, proxy: None }.to_string(),
            "no connection to the server: the name p.invalid has no address (name or service not known)"
        );
    }
}
