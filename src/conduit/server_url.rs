//! The URL of the server: what is a safe one, and which are loopback.

use url::Url;

use super::loopback::is_loopback;

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
    /// It is the address of a page or of the API of a server.
    #[error("`{given}` is a page of the server: write its base, `{base}`")]
    Page {
        /// The URL as it was given.
        given: String,
        /// What is meant.
        base: String,
    },
    /// It has a query or a fragment.
    #[error("`{0}` has a query or a fragment: write the address of the server alone")]
    Extra(String),
}

/// Reads the URL of a server, and brings it to a form that ends in `/`.
///
/// ```
/// use phabgate::conduit::parse_url;
/// assert_eq!(parse_url("https://phab.example/prefix")?.as_str(), "https://phab.example/prefix/");
/// assert!(parse_url("http://phab.example/").is_err());
/// # Ok::<(), phabgate::conduit::UrlError>(())
/// ```
///
/// # Errors
/// Where a token could not be sent there safely, or the text is no URL.
pub fn parse_url(text: &str) -> Result<Url, UrlError> {
    let url = parse(text)?;
    if let Some(path) = base_of_page(url.path()) {
        let mut base = url;
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        return Err(UrlError::Page { given: text.trim().to_owned(), base: base.into() });
    }
    without_extra(url, text)
}

/// The same for a URL that may end in `/api/`, as arc writes them.
pub(crate) fn parse_url_of_api(text: &str) -> Result<Url, UrlError> {
    without_extra(parse(text)?, text)
}

fn parse(text: &str) -> Result<Url, UrlError> {
    let mut url = Url::parse(text.trim()).map_err(|_| UrlError::Malformed(shown(text)))?;
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(UrlError::Malformed(shown(text)));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials(host.to_owned()));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(UrlError::InClear(shown(text))),
        other => return Err(UrlError::Scheme(shown(text), other.to_owned())),
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn without_extra(url: Url, text: &str) -> Result<Url, UrlError> {
    match url.query().is_some() || url.fragment().is_some() {
        true => Err(UrlError::Extra(shown(text))),
        false => Ok(url),
    }
}

/// A text with an @ may hold a password: what does not parse is not shown then.
fn shown(text: &str) -> String {
    if text.contains('@') { "…".to_owned() } else { text.to_owned() }
}

/// The path of the server's base, where this one is that of a page that people copy out of a browser, or of the API.
fn base_of_page(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_task = |part: &str| {
        let digits = part.strip_prefix(['T', 't']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_page = |at: usize, part: &str| match part {
        "api" | "maniphest" | "conduit" => true,
        // A server may well be below a path of such a name; a page has more behind it.
        "project" | "tag" | "settings" | "auth" | "p" => at + 1 < parts.len(),
        part => is_task(part),
    };
    let at = parts.iter().enumerate().position(|(at, part)| is_page(at, part))?;
    let base = parts.get(..at)?.join("/");
    Some(if base.is_empty() { "/".to_owned() } else { format!("/{base}/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_is_not_asked_in_the_clear() {
        assert!(parse_url("http://phorge.localhost:8480/").is_ok());
        for text in ["http://localhost.example/", "http://128.0.0.1/", "http://0.0.0.0/"] {
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
    fn the_address_of_a_page_or_of_the_api_names_the_base() {
        for page in [
            "api",
            "api/",
            "api/user.whoami",
            "T1",
            "t12#34",
            "T1?a=b",
            "maniphest/",
            "maniphest/task/edit/12/",
            "conduit/method/",
            "project/view/3/",
            "tag/sre/",
            "settings/user/me/page/apitokens/",
            "auth/start/",
            "p/alice/",
        ] {
            let said = parse_url(&format!("https://phab.example/{page}")).unwrap_err().to_string();
            assert_eq!(
                said,
                format!(
                    "`https://phab.example/{page}` is a page of the server: write its base, `https://phab.example/`"
                )
            );
            let below = parse_url(&format!("https://example.org:8443/phab/{page}")).unwrap_err().to_string();
            assert!(below.ends_with("write its base, `https://example.org:8443/phab/`"), "{below}");
        }
        for base in ["https://phab.example/project/", "https://phab.example/apis/", "https://phab.example/Tools/"] {
            assert!(parse_url(base).is_ok(), "{base}");
        }
        assert!(
            parse_url("https://me:secret@phab.example/T1").is_err_and(|error| !error.to_string().contains("secret"))
        );
        assert!(parse_url_of_api("https://phab.example/api/").is_ok());
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
