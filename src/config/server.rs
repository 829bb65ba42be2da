//! The URL of the server: what is a safe one, and which are loopback.

use std::net::IpAddr;

use url::{Host, Url};

/// Why a text is no URL that a token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is empty or does not parse.
    #[error("`{0}` is not a URL")]
    Malformed(String),
    /// It is neither `https` nor loopback.
    #[error("`{0}` would send the token in clear: only https is accepted, and http for loopback alone")]
    InClear(String),
    /// It has another scheme.
    #[error("`{0}` has the scheme `{1}`: only https is accepted, and http for loopback")]
    Scheme(String, String),
    /// It holds a username or a password; they are not shown.
    #[error("the URL of `{0}` holds a username or password: a token is the only credential that is used")]
    Credentials(String),
    /// It has a query or a fragment.
    #[error("`{0}` has a query or a fragment: write the address of the server alone")]
    Extra(String),
}

/// Reads the URL of a server, and brings it to a form that ends in `/`.
///
/// ```
/// use phabgate::config::parse_url;
/// assert_eq!(parse_url("https://phab.example/prefix")?.as_str(), "https://phab.example/prefix/");
/// assert!(parse_url("http://phab.example/").is_err());
/// # Ok::<(), phabgate::config::UrlError>(())
/// ```
///
/// # Errors
/// Where a token could not be sent there safely, or the text is no URL.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    // A text with an @ may hold a password: what does not parse is not shown then.
    let shown = || if text.contains('@') { "…".to_owned() } else { text.to_owned() };
    let mut url = Url::parse(text.trim()).map_err(|_| UrlError::Malformed(shown()))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(UrlError::Malformed(shown()));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials(host.to_owned()));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(UrlError::InClear(shown())),
        other => return Err(UrlError::Scheme(shown(), other.to_owned())),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Extra(shown()));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Whether the URL is on this machine by its very name: `localhost`, `*.localhost`, 127/8 or `::1`.
///
/// Nothing is resolved: a name that happens to resolve to loopback is none.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_name() {
        for text in [
            "http://localhost/",
            "http://LOCALHOST:8480",
            "http://phorge.localhost:8480/",
            "http://localhost./",
            "http://127.0.0.1:1/",
            "http://127.255.0.3/",
            "http://[::1]:80/",
            "http://0x7f.1/",
        ] {
            assert!(parse_url(text).is_ok_and(|url| is_loopback(&url)), "{text}");
        }
        for text in [
            "http://localhost.example/",
            "http://notlocalhost/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://127.0.0.1.example/",
        ] {
            assert!(matches!(parse_url(text), Err(UrlError::InClear(_))), "{text}");
        }
    }

    #[test]
    fn the_form_ends_in_a_slash() {
        for (text, url) in [
            ("https://phab.example", "https://phab.example/"),
            ("https://PHAB.example:443//", "https://phab.example/"),
            ("https://phab.example:8443/a/b//", "https://phab.example:8443/a/b/"),
        ] {
            assert_eq!(parse_url(text).map(String::from).as_deref(), Ok(url));
        }
    }

    #[test]
    fn what_is_refused_says_why_and_shows_no_password() {
        for (text, error) in [
            ("", "`` is not a URL"),
            ("phab.example", "`phab.example` is not a URL"),
            (
                "ftp://phab.example/",
                "`ftp://phab.example/` has the scheme `ftp`: only https is accepted, and http for loopback",
            ),
            (
                "https://a:secret@phab.example/",
                "the URL of `phab.example` holds a username or password: a token is the only credential that is used",
            ),
            ("https://a:secret@", "`…` is not a URL"),
            (
                "https://phab.example/?a=b",
                "`https://phab.example/?a=b` has a query or a fragment: write the address of the server alone",
            ),
            (
                "https://phab.example/#a",
                "`https://phab.example/#a` has a query or a fragment: write the address of the server alone",
            ),
        ] {
            assert_eq!(parse_url(text).map_err(|error| error.to_string()), Err(error.to_owned()));
        }
    }
}
