//! The route to the server as the environment names it: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`,
//! `SSL_CERT_DIR`.
//!
//! Responsible for which variable counts and whether it makes sense. Not responsible for the connection itself (see
//! [`crate::conduit::Route`]).

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use url::Url;

use super::error::ConfigError;
use super::settings;
use crate::conduit::{Authorities, Proxy, Route};
use crate::host::Environment;
use crate::safe_path;

/// The route that the environment names. As root the files of certificate authorities are judged as the configuration is.
pub(super) fn read(environment: &Environment, proxy: settings::ProxySetting) -> Result<Route, ConfigError> {
    let proxy = match proxy {
        settings::ProxySetting::System => named_proxy(environment)?,
        settings::ProxySetting::Off => None,
    };
    let file = environment.filled("SSL_CERT_FILE").map(PathBuf::from);
    let directories: Vec<PathBuf> =
        environment.filled("SSL_CERT_DIR").map(|list| std::env::split_paths(list).collect()).unwrap_or_default();
    if environment.ids().euid == 0 {
        for path in file.iter().chain(&directories) {
            let judged = match path.is_dir() {
                true => safe_path::judge_existing_directory(path, environment.trust()),
                false => safe_path::open(path, environment.trust()).map(drop),
            };
            judged.map_err(|why| ConfigError::Authorities { why })?;
        }
    }
    let authorities = match (file, directories) {
        (None, directories) if directories.is_empty() => match environment.runs_under_sudo() {
            true => Authorities::SystemAlone,
            false => Authorities::System,
        },
        (file, directories) => Authorities::Named { file, directories },
    };
    Ok(Route { proxy, authorities })
}

/// The proxy of requests over HTTPS; over plain HTTP nothing but loopback is asked. curl and others know the names in lower
/// case as well, which root's file does not.
fn named_proxy(environment: &Environment) -> Result<Option<Proxy>, ConfigError> {
    let names = [("HTTPS_PROXY", "https_proxy"), ("ALL_PROXY", "all_proxy")];
    let either = |upper, lower| environment.filled(upper).or_else(|| environment.filled(lower));
    let Some((variable, value)) = names.iter().find_map(|(upper, lower)| Some((*upper, either(upper, lower)?))) else {
        return Ok(None);
    };
    let wrong = || ConfigError::Proxy { variable };
    let text = value.to_str().ok_or_else(wrong)?;
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    let except = either("NO_PROXY", "no_proxy").map(|list| String::from_utf8_lossy(list.as_bytes()).into_owned());
    Ok(Some(Proxy { variable, url, except }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Ids;

    fn route(variables: &[(&str, &str)]) -> Result<Route, ConfigError> {
        let ids = Ids { uid: 1000, euid: 1000, ..Ids::default() };
        let environment = Environment::new(variables.iter().copied(), None, PathBuf::from("/nonexistent"), ids);
        read(&environment, settings::ProxySetting::System)
    }

    fn proxy(variables: &[(&str, &str)]) -> Option<String> {
        route(variables).unwrap().proxy.map(|proxy| format!("{proxy:?}"))
    }

    #[test]
    fn the_proxy_of_https_is_the_first_that_is_named() {
        assert_eq!(proxy(&[("HTTP_PROXY", "http://a:1")]), None);
        assert_eq!(proxy(&[("HTTPS_PROXY", ""), ("all_proxy", "b:2")]).unwrap(), "b:2 (ALL_PROXY)");
        assert_eq!(proxy(&[("HTTPS_PROXY", "http://c:3"), ("ALL_PROXY", "b:2")]).unwrap(), "c:3 (HTTPS_PROXY)");
        let except =
            route(&[("HTTPS_PROXY", "c:3"), ("NO_PROXY", "example.org,10.0.0.0/8")]).unwrap().proxy.unwrap().except;
        assert_eq!(except.as_deref(), Some("example.org,10.0.0.0/8"));
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_passed_over() {
        for value in ["http://", "socks5://me:secret@host:1", "http://me:secret@:x", "ftp://host"] {
            let said = route(&[("HTTPS_PROXY", value)]).map(drop).unwrap_err().to_string();
            assert!(said.contains("HTTPS_PROXY") && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn authorities_are_those_that_are_named() {
        assert_eq!(route(&[]).unwrap().authorities, Authorities::System);
        let named = route(&[("SSL_CERT_FILE", "/a.pem"), ("SSL_CERT_DIR", "/b:/c")]).unwrap().authorities;
        let directories = vec![PathBuf::from("/b"), PathBuf::from("/c")];
        assert_eq!(named, Authorities::Named { file: Some(PathBuf::from("/a.pem")), directories });
    }
}
