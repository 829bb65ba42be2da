//! The route to the server: through which proxy, and which certificate authorities are believed.
//!
//! Responsible for both as values, for whether the proxy is used for a server, and for giving them to the HTTP client, which then asks the process's own environment for
//! nothing. Not responsible for where they come from (the configuration decides that).

use std::fmt;
use std::path::{Path, PathBuf};

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::loopback::is_loopback;

/// The bundles of certificate authorities of the systems in use, and the directories beside them, as OpenSSL's builds have
/// them.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const DIRECTORIES: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// The route to the server. The default goes through no proxy and believes whom the system believes.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// The proxy; none to loopback, whatever this says.
    pub proxy: Option<Proxy>,
    /// Whose certificates are believed.
    pub authorities: Authorities,
}

/// A proxy and where it is not used. Its URL may hold a password, which is shown nowhere.
#[derive(Clone)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Where it is.
    pub url: Url,
    /// The value of `NO_PROXY`: hosts, domains and networks with commas between them.
    pub except: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.host(), self.variable)
    }
}

impl Proxy {
    /// Its host and port, without user and password.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is given a user and a password.
    pub(super) fn has_credentials(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// Whether it is used for the server at `base`: not where `NO_PROXY` names that.
    fn is_used_for(&self, base: &Url) -> bool {
        let matcher = Matcher::builder().all(self.url.as_str()).no(self.except.clone().unwrap_or_default()).build();
        base.as_str().parse().is_ok_and(|server| matcher.intercept(&server).is_some())
    }
}

/// Whose certificates are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authorities {
    /// Those of the system, as the process's environment may say.
    #[default]
    System,
    /// Those of the system, whatever the process's environment says.
    SystemAlone,
    /// Those that variables name, and no others.
    Named {
        /// `SSL_CERT_FILE`: a bundle.
        file: Option<PathBuf>,
        /// `SSL_CERT_DIR`: directories.
        directories: Vec<PathBuf>,
    },
}

impl fmt::Display for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Named { file, directories } = self else { return f.write_str("those of the system") };
        let file = file.iter().map(|file| format!("{} (SSL_CERT_FILE)", file.display()));
        let directories = directories.iter().map(|directory| format!("{} (SSL_CERT_DIR)", directory.display()));
        f.write_str(&file.chain(directories).collect::<Vec<_>>().join(", "))
    }
}

impl Route {
    /// The proxy that is used for the server at `base`; none is to loopback.
    pub fn proxy_to(&self, base: &Url) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| !is_loopback(base) && proxy.is_used_for(base))
    }

    /// Gives the route to a client that is being made, for a server that is reached through this proxy.
    ///
    /// # Errors
    /// Where a certificate authority or the proxy cannot be used, with its name.
    pub(super) fn apply(
        &self,
        mut http: reqwest::ClientBuilder,
        proxy: Option<&Proxy>,
    ) -> Result<reqwest::ClientBuilder, String> {
        http = http.no_proxy();
        if let Some(proxy) = proxy {
            let through = reqwest::Proxy::all(proxy.url.as_str())
                .map_err(|_| format!("{} names no proxy that can be used", proxy.variable))?;
            http = http.proxy(through);
        }
        let (file, directories) = match &self.authorities {
            Authorities::System => return Ok(http),
            Authorities::Named { file, directories } => (file.clone(), directories.clone()),
            Authorities::SystemAlone => {
                let there = |paths: &[&str]| paths.iter().map(PathBuf::from).find(|path| path.exists());
                (there(BUNDLES), there(DIRECTORIES).into_iter().collect())
            }
        };
        Ok(http.tls_certs_only(load(file.as_deref(), &directories, &self.authorities)?))
    }
}

fn load(
    file: Option<&Path>,
    directories: &[PathBuf],
    authorities: &Authorities,
) -> Result<Vec<reqwest::Certificate>, String> {
    let named = matches!(authorities, Authorities::Named { .. });
    let mut found = Vec::new();
    let paths = file.map(|file| (Some(file), None)).into_iter();
    for (file, directory) in paths.chain(directories.iter().map(|directory| (None, Some(directory.as_path())))) {
        let loaded = rustls_native_certs::load_certs_from_paths(file, directory);
        let variable = if file.is_some() { "SSL_CERT_FILE" } else { "SSL_CERT_DIR" };
        let shown = file.or(directory).unwrap_or(Path::new("")).display();
        if named && let Some(error) = loaded.errors.first() {
            return Err(format!("cannot read the certificate authorities of {variable}: {error}"));
        }
        let mut store = rustls::RootCertStore::empty();
        let (usable, _) = store.add_parsable_certificates(loaded.certs.iter().cloned());
        if named && usable == 0 {
            return Err(format!("{shown}, which {variable} names, holds no certificate authority in PEM"));
        }
        // What cannot be read as a certificate is in every system's store; it is not believed, and no reason to stop.
        found.extend(loaded.certs.into_iter().filter(|one| rustls::RootCertStore::empty().add(one.clone()).is_ok()));
    }
    if found.is_empty() {
        return Err(
            "no certificate authority is installed: install ca-certificates, or name a bundle in SSL_CERT_FILE".into(),
        );
    }
    found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    Ok(found.iter().filter_map(|certificate| reqwest::Certificate::from_der(certificate).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(authorities: Authorities) -> Result<(), String> {
        Route { proxy: None, authorities }.apply(reqwest::Client::builder(), None).map(drop)
    }

    #[test]
    fn authorities_that_cannot_be_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "no certificate\n").unwrap();
        let named = |file: PathBuf| Authorities::Named { file: Some(file), directories: Vec::new() };
        let said = apply(named(dir.path().join("none.pem"))).unwrap_err();
        assert!(said.contains("SSL_CERT_FILE") && said.contains("none.pem"), "{said}");
        let said = apply(named(empty)).unwrap_err();
        assert!(said.contains("empty.pem, which SSL_CERT_FILE names, holds no certificate authority"), "{said}");
        let junk = dir.path().join("junk.pem");
        std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        let said = apply(named(junk)).unwrap_err();
        assert!(said.contains("junk.pem, which SSL_CERT_FILE names, holds no certificate authority"), "{said}");
        let none = Authorities::Named { file: None, directories: vec![dir.path().join("none")] };
        assert!(apply(none).unwrap_err().contains("SSL_CERT_DIR"));
    }

    #[test]
    fn a_proxy_is_used_for_what_no_proxy_does_not_name() {
        let used = |except: Option<&str>, base: &str| {
            let url = Url::parse("http://me:secret@proxy.example:3128/").unwrap();
            let proxy = Proxy { variable: "HTTPS_PROXY", url, except: except.map(str::to_owned) };
            let route = Route { proxy: Some(proxy), authorities: Authorities::System };
            route.proxy_to(&Url::parse(base).unwrap()).is_some()
        };
        assert!(used(None, "https://phab.example/"));
        assert!(used(Some("other.example, 10.0.0.0/8"), "https://phab.example/"));
        assert!(!used(Some("other.example,.phab.example"), "https://phab.example/"));
        assert!(!used(Some("example"), "https://phab.example:8443/prefix/"));
        assert!(!used(Some("10.0.0.0/8"), "https://10.1.2.3/"));
        assert!(!used(Some("*"), "https://phab.example/"));
        assert!(!used(None, "https://localhost/") && !used(None, "http://127.0.0.1:8480/"));
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let url = Url::parse("http://me:secret@proxy.example:3128/").unwrap();
        let proxy = Proxy { variable: "HTTPS_PROXY", url, except: None };
        assert_eq!(format!("{proxy:?}"), "proxy.example:3128 (HTTPS_PROXY)");
    }
}
