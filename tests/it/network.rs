//! The way to the server: what fails on it is named, without the password of a proxy, and is not tried again where that is
//! of no use. All of it on loopback: TLS in front of the sandbox, and a proxy that leads there.
//!
//! The certificates in `tls/` are of an authority made for these tests, valid until 2120; the expired one until 2021.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::{Server, in_one_line};

const AUTHORITY: &str = include_str!("tls/authority.pem");
const GOOD: &str = include_str!("tls/server.pem");
const EXPIRED: &str = include_str!("tls/expired.pem");
const OTHER_NAME: &str = include_str!("tls/other-name.pem");
const KEY: &str = include_str!("tls/server.key");

/// What accepts connections and counts them.
pub(crate) struct Listener {
    pub(crate) port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Listener {
    /// Serves each connection in a thread of its own, for as long as the test's process lives.
    pub(crate) fn new(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, accepted) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let (count, serve) = (accepted.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { port, accepted }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A head of HTTP, and what was read of the body behind it.
fn read_head(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Some((String::from_utf8(read).ok()?, body));
        }
    }
}

/// The sandbox behind something else.
pub(crate) struct Behind {
    address: SocketAddr,
    name: String,
}

impl Behind {
    pub(crate) fn of(server: &Server) -> Self {
        let url = &server.running.url;
        Self { address: url.socket_addrs(|| None).unwrap()[0], name: url.authority().to_owned() }
    }

    /// The request that comes on this connection, its head, and what the sandbox answers, with which the connection has to
    /// end.
    pub(crate) fn answer(&self, outside: &mut impl Read) -> Option<(String, Vec<u8>)> {
        let (head, mut body) = read_head(outside)?;
        let length: Option<usize> =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let read = body.len();
        body.resize(length.unwrap_or_default(), 0);
        outside.read_exact(&mut body[read..]).ok()?;
        // The sandbox knows itself by its own name alone.
        let kept = head.trim_end().lines().filter(|line| !line.to_lowercase().starts_with("host:"));
        let head = kept.collect::<Vec<_>>().join("\r\n");
        let mut inside = TcpStream::connect(self.address).ok()?;
        write!(inside, "{head}\r\nHost: {}\r\nConnection: close\r\n\r\n", self.name).ok()?;
        inside.write_all(&body).ok()?;
        let mut answer = Vec::new();
        inside.read_to_end(&mut answer).ok()?;
        Some((head, answer))
    }
}

/// TLS in front of the sandbox, with this certificate: a connection carries one request.
fn tls(server: &Server, certificate: &str) -> Listener {
    let certificates = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).unwrap());
    let behind = Behind::of(server);
    Listener::new(move |stream| {
        let mut outside = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let Some((_, answer)) = behind.answer(&mut outside) else { return };
        outside.write_all(&answer).unwrap();
        outside.conn.send_close_notify();
        let _ = outside.flush();
    })
}

/// A proxy that leads every CONNECT to this port, where the credentials are these.
fn proxy(to: u16, credentials: Option<&'static str>) -> Listener {
    Listener::new(move |mut client| {
        let Some((head, _)) = read_head(&mut client) else { return };
        assert!(head.starts_with("CONNECT phab.example:443 HTTP/1.1\r\n"), "{head}");
        let given = head.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization"));
        if credentials.is_some_and(|known| given.is_none_or(|given| !given.ends_with(known))) {
            client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").unwrap();
            return;
        }
        let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (mut down_from, mut down_to) = (server, client);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut up_from, &mut up_to);
            let _ = up_to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut down_from, &mut down_to);
        let _ = down_to.shutdown(Shutdown::Write);
    })
}

/// A proxy that answers every request with this.
fn answering(answer: &'static [u8]) -> Listener {
    Listener::new(move |mut client| {
        if read_head(&mut client).is_some() {
            let _ = client.write_all(answer);
        }
    })
}

/// A port on which nothing listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a command says: its code, and standard output and error in one line.
fn ask(server: &Server, arguments: &[&str], url: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    // A real server is not settled with in a second, as the sandbox is.
    let config = server.machine.home().join("network.toml");
    fs::write(&config, "[http]\nconnect = \"2s\"\ncall = \"1s\"\ntotal = \"6s\"\n").unwrap();
    let mut command = server.phabgate();
    command.env("PHABGATE_CONFIG", config);
    command.args(arguments).env("PHABGATE_URL", url).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| in_one_line(&String::from_utf8_lossy(bytes));
    let said = format!("{} {}", text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("hunter2"), "{said}");
    (output.status.code(), said)
}

/// The file that holds the authority of the tests.
fn authority(server: &Server) -> String {
    let path = server.machine.home().join("authority.pem");
    fs::write(&path, AUTHORITY).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_private_authority_is_believed_where_it_is_named() {
    let server = Server::new();
    let gateway = tls(&server, GOOD);
    let url = format!("https://localhost:{}/", gateway.port);
    let file = authority(&server);
    let (code, said) = ask(&server, &["check", "T1"], &url, &[("SSL_CERT_FILE", &file)]);
    assert_eq!(code, Some(0), "{said}");
    let directory = server.machine.home().join("authorities");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("ours.pem"), AUTHORITY).unwrap();
    let (code, said) = ask(&server, &["check", "T1"], &url, &[("SSL_CERT_DIR", directory.to_str().unwrap())]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_certificate_that_is_not_believed_is_named_and_tried_once() {
    let server = Server::new();
    let file = authority(&server);
    let unknown = server.machine.home().join("unknown.pem");
    fs::write(&unknown, GOOD).unwrap();
    for (certificate, authority, why, hint) in [
        (GOOD, unknown.to_str().unwrap(), "it is of an authority that this host does not know", "SSL_CERT_FILE"),
        (EXPIRED, &file, "it has expired", "look at the clock of this host"),
        (OTHER_NAME, &file, "it is for another name", "check the URL"),
    ] {
        let gateway = tls(&server, certificate);
        let url = format!("https://localhost:{}/", gateway.port);
        let (code, said) = ask(&server, &["doctor"], &url, &[("SSL_CERT_FILE", authority)]);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains(&format!("the certificate of the server is not believed: {why} (user.whoami)")),
            "{said}"
        );
        assert!(said.contains(hint), "{said}");
        assert_eq!(gateway.accepted(), 1, "{why}");
    }
}

#[test]
fn what_does_not_speak_tls_is_named() {
    let server = Server::new();
    let url = server.running.url.as_str().replace("http://", "https://");
    let (code, said) = ask(&server, &["doctor"], &url, &[("SSL_CERT_FILE", &authority(&server))]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains(
            "no secure connection to the server: what answers there speaks no TLS: the port is one for http://"
        ),
        "{said}"
    );
    assert!(said.contains("does not speak HTTPS as it should"), "{said}");
}

#[test]
fn authorities_that_cannot_be_used_are_named_before_anything_is_asked() {
    let server = Server::new();
    let gateway = tls(&server, GOOD);
    let url = format!("https://localhost:{}/", gateway.port);
    let home = server.machine.home();
    fs::write(home.join("key.pem"), KEY).unwrap();
    fs::write(home.join("empty.pem"), "").unwrap();
    for (name, file, why) in [
        ("SSL_CERT_FILE", "none.pem", "none.pem"),
        ("SSL_CERT_FILE", "empty.pem", "empty.pem, which SSL_CERT_FILE names, holds no certificate authority"),
        ("SSL_CERT_FILE", "key.pem", "key.pem, which SSL_CERT_FILE names, holds no certificate authority"),
        ("SSL_CERT_DIR", "none", "none"),
    ] {
        for command in [&["check", "T1"][..], &["doctor"]] {
            let (code, said) = ask(&server, command, &url, &[(name, home.join(file).to_str().unwrap())]);
            assert_eq!(code, Some(2), "{file}: {said}");
            assert!(said.contains(name) && said.contains(why), "{file}: {said}");
        }
    }
    assert_eq!(gateway.accepted(), 0);
}

const BASE: &str = "https://phab.example/";

#[test]
fn a_proxy_leads_to_the_server() {
    let server = Server::new();
    let gateway = tls(&server, GOOD);
    let file = authority(&server);
    let open = proxy(gateway.port, None);
    let address = format!("http://127.0.0.1:{}", open.port);
    let (code, said) = ask(&server, &["check", "T1"], BASE, &[("SSL_CERT_FILE", &file), ("HTTPS_PROXY", &address)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(open.accepted() > 0);
    // me:hunter2
    let closed = proxy(gateway.port, Some("Basic bWU6aHVudGVyMg=="));
    let address = format!("http://me:hunter2@127.0.0.1:{}", closed.port);
    let variables = [("SSL_CERT_FILE", file.as_str()), ("ALL_PROXY", &address)];
    assert_eq!(ask(&server, &["check", "T1"], BASE, &variables).0, Some(0));
    let (code, said) = ask(&server, &["doctor"], BASE, &variables);
    assert!(
        said.contains(&format!("{BASE} through the proxy 127.0.0.1:{} (ALL_PROXY)", closed.port)),
        "{code:?} {said}"
    );
}

#[test]
fn a_proxy_that_fails_is_named_without_its_password() {
    let server = Server::new();
    let file = authority(&server);
    let gateway = tls(&server, GOOD);
    let wrong = proxy(gateway.port, Some("Basic other"));
    let dead = dead_port();
    let refusing = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let nonsense = answering(b"nonsense\r\n\r\n");
    let closing = answering(b"");
    for (port, why, hint) in [
        (wrong.port, "the proxy PROXY wants a user and a password that it knows (HTTP 407)", "http://USER:PASSWORD@"),
        (dead, "no connection to the server through the proxy PROXY: connection refused", "NO_PROXY"),
        (refusing.port, "the proxy PROXY does not connect to the server", "check the proxy"),
        (nonsense.port, "the proxy PROXY does not connect to the server", "check the proxy"),
        (closing.port, "the proxy PROXY does not connect to the server", "check the proxy"),
    ] {
        let address = format!("http://me:hunter2@127.0.0.1:{port}");
        // It asks for several things at once.
        let (code, said) =
            ask(&server, &["history", "T1"], BASE, &[("SSL_CERT_FILE", &file), ("HTTPS_PROXY", &address)]);
        assert_eq!(code, Some(3), "{said}");
        let why = why.replace("PROXY", &format!("127.0.0.1:{port} (HTTPS_PROXY)"));
        assert!(said.contains(&why), "{why}\n{said}");
        assert!(said.contains(hint), "{why}\n{said}");
    }
    assert_eq!(wrong.accepted(), 1, "a wrong password is tried once");
    assert_eq!(gateway.accepted(), 0);
}

#[test]
fn the_certificate_behind_a_proxy_is_named_with_it() {
    let server = Server::new();
    let gateway = tls(&server, EXPIRED);
    let open = proxy(gateway.port, None);
    let address = format!("http://127.0.0.1:{}", open.port);
    let variables = [("SSL_CERT_FILE", authority(&server)), ("HTTPS_PROXY", address)];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (code, said) = ask(&server, &["check", "T1"], BASE, &variables);
    assert_eq!(code, Some(3), "{said}");
    let why =
        format!("the server through the proxy 127.0.0.1:{} (HTTPS_PROXY) is not believed: it has expired", open.port);
    assert!(said.contains(&why), "{said}");
}

#[test]
fn a_proxy_that_makes_no_sense_is_an_error_and_never_passed_by() {
    let server = Server::new();
    let gateway = tls(&server, GOOD);
    let url = format!("https://localhost:{}/", gateway.port);
    for value in [
        "http://me:hunter2@",
        "http://me:hunter2@[::1",
        "http://me:hunter2@host:99999",
        "socks5://me:hunter2@host:1080",
        "http://me:hunter2@ho st:1",
        " ",
        "://",
        "http://me:hunter2@host:port",
        "ftp://host/hunter2",
    ] {
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            for url in [BASE, &url] {
                let (code, said) = ask(&server, &["check", "T1"], url, &[(name, value)]);
                assert_eq!(code, Some(2), "{name}={value}: {said}");
                let shown = name.to_uppercase();
                assert!(said.contains(&format!("{shown} names no proxy that can be used")), "{name}={value}: {said}");
            }
        }
    }
    assert_eq!(gateway.accepted(), 0);
}

#[test]
fn the_route_is_shown_with_the_configuration() {
    let server = Server::new();
    let file = authority(&server);
    let variables = [("SSL_CERT_FILE", file.as_str()), ("HTTPS_PROXY", "http://me:hunter2@proxy.example:3128")];
    let (code, said) = ask(&server, &["config", "show"], BASE, &variables);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("proxy.example:3128") && said.contains("HTTPS_PROXY"), "{said}");
    assert!(said.contains("authority.pem") && said.contains("SSL_CERT_FILE"), "{said}");
    let (_, said) = ask(&server, &["config", "show", "--format", "json"], BASE, &variables);
    assert!(said.contains(r#""proxy": "proxy.example:3128 (HTTPS_PROXY)""#), "{said}");
}
