//! The route to the server: through which proxy, and which certificate authorities are believed.
//!
//! Responsible for both as values, and for giving them to the HTTP client, which then asks the process's own environment for
//! nothing. Not responsible for where they come from (the configuration decides that).

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

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
        write!(f, "{} ({})", self.host(), self.variable)
    }
}

impl Proxy {
    /// Its host and port, without user and password.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
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

impl Route {
    /// Gives the route to a client that is being made.
    ///
    /// # Errors
    /// Where a certificate authority or the proxy cannot be used, with its name.
    pub(super) fn apply(
        &self,
        mut http: reqwest::ClientBuilder,
        loopback: bool,
    ) -> Result<reqwest::ClientBuilder, String> {
        http = http.no_proxy();
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !loopback) {
            let through = reqwest::Proxy::https(proxy.url.as_str())
                .map_err(|_| format!("{} names no proxy that can be used", proxy.variable))?;
            http = http.proxy(through.no_proxy(proxy.except.as_deref().and_then(reqwest::NoProxy::from_string)));
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
        if named && loaded.certs.is_empty() {
            return Err(format!("{shown}, which {variable} names, holds no certificate authority in PEM"));
        }
        found.extend(loaded.certs);
    }
    if found.is_empty() {
        return Err(
            "no certificate authority is installed: install ca-certificates, or name a bundle in SSL_CERT_FILE".into(),
        );
    }
    found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    // What cannot be read as a certificate is in every system's store; it is not believed, and no reason to stop.
    Ok(found.iter().filter_map(|certificate| reqwest::Certificate::from_der(certificate).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(authorities: Authorities) -> Result<(), String> {
        Route { proxy: None, authorities }.apply(reqwest::Client::builder(), false).map(drop)
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
        let none = Authorities::Named { file: None, directories: vec![dir.path().join("none")] };
        assert!(apply(none).unwrap_err().contains("SSL_CERT_DIR"));
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let url = Url::parse("http://me:secret@proxy.example:3128/").unwrap();
        let proxy = Proxy { variable: "HTTPS_PROXY", url, except: None };
        assert_eq!(format!("{proxy:?}"), "proxy.example:3128 (HTTPS_PROXY)");
    }
}
