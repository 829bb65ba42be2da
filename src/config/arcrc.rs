//! `~/.arcrc`, arc's own file: JSON with an entry for each host.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::server::parse_url;

/// Why `~/.arcrc` gives no token. No text of the file is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArcrcError {
    /// arc would not read it either.
    #[error("not the JSON that arc writes (line {line}, column {column})")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// An entry from before there were tokens.
    #[error("the entry of {0} has no token: type `arc install-certificate {0}`")]
    NoToken(String),
    /// Two entries that name the same server.
    #[error("{0} and {1} are the same server and have different tokens: take one away")]
    Ambiguous(String, String),
}

#[derive(Deserialize)]
struct Arcrc {
    #[serde(default)]
    hosts: Hosts,
}

/// PHP writes an empty map as an empty list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Hosts {
    Map(BTreeMap<String, Entry>),
    Empty([(); 0]),
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Empty([])
    }
}

/// Old entries hold `user` and `cert` in place of a token.
#[derive(Deserialize)]
struct Entry {
    token: Option<String>,
}

/// The host as it is written and its token; `None` where there is no entry for the server at `url`.
///
/// arc knows a server by its origin and always calls `/api/` there; an entry of ours may also name a path.
pub(super) fn token(text: &str, url: &Url) -> Result<Option<(String, String)>, ArcrcError> {
    let not_json = |error: serde_json::Error| ArcrcError::NotJson { line: error.line(), column: error.column() };
    let value: serde_json::Value = serde_json::from_str(text).map_err(not_json)?;
    if value.as_array().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    // Errors of a shape have no place in the text any more; line 0 would be a lie.
    let file: Arcrc = serde_json::from_value(value).map_err(|_| ArcrcError::NotJson { line: 1, column: 1 })?;
    let Hosts::Map(hosts) = file.hosts else {
        return Ok(None);
    };
    // An entry with the path of the server is closer than one of the host alone.
    let exact = hosts.keys().any(|host| path_on(host, url).is_some_and(|path| path == url.path()));
    let named = |host: &str| path_on(host, url).is_some_and(|path| path == if exact { url.path() } else { "/" });
    let mut found: Option<(String, String)> = None;
    for (host, entry) in hosts.into_iter().filter(|(host, _)| named(host)) {
        let Some(token) = entry.token else {
            return Err(ArcrcError::NoToken(host));
        };
        match found {
            Some((other, known)) if known != token => return Err(ArcrcError::Ambiguous(other, host)),
            _ => found = Some((host, token)),
        }
    }
    Ok(found)
}

/// The path of a host as it is written, without arc's own `api/`; `None` where it is another server.
fn path_on(host: &str, url: &Url) -> Option<String> {
    let host = parse_url(host).ok().filter(|host| host.origin() == url.origin())?;
    Some(host.path().strip_suffix("api/").unwrap_or(host.path()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, url: &str) -> Result<Option<String>, ArcrcError> {
        token(text, &parse_url(url).unwrap()).map(|found| found.map(|(_, token)| token))
    }

    #[test]
    fn an_entry_is_found_by_its_server() {
        let text = r#"{"config": {"default": "x"}, "hosts": {
            "https://phab.example/api/": {"token": "one"},
            "https://phab.example:8443/api/": {"token": "two"},
            "http://127.0.0.1:80/api/": {"token": "three"},
            "https://phab.example/closer/api/": {"token": "four"},
            "not a url": {}
        }}"#;
        for (url, token) in [
            ("https://phab.example", Some("one")),
            ("https://PHAB.example:443/", Some("one")),
            ("https://phab.example/prefix/", Some("one")),
            ("https://phab.example/closer/", Some("four")),
            ("https://phab.example:8443/", Some("two")),
            ("http://127.0.0.1/", Some("three")),
            ("http://localhost/", None),
            ("https://other.example/", None),
        ] {
            assert_eq!(found(text, url).unwrap().as_deref(), token, "{url}");
        }
    }

    #[test]
    fn files_without_entries_have_no_token() {
        for text in ["{}", "[]", r#"{"hosts": []}"#, r#"{"hosts": {}}"#] {
            assert_eq!(found(text, "https://phab.example/"), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let url = "https://phab.example/";
        for (text, error) in [
            ("", "not the JSON that arc writes (line 1, column 0)"),
            ("{\n  // words\n}", "not the JSON that arc writes (line 2, column 3)"),
            (r#"{"hosts": 1}"#, "not the JSON that arc writes (line 1, column 1)"),
            (
                r#"{"hosts": {"https://phab.example/api/": {"user": "me", "cert": "x"}}}"#,
                "the entry of https://phab.example/api/ has no token: type `arc install-certificate https://phab.example/api/`",
            ),
            (
                r#"{"hosts": {"https://phab.example/api/": {"token": "a"}, "https://phab.example:443/api/": {"token": "b"}}}"#,
                "https://phab.example/api/ and https://phab.example:443/api/ are the same server and have different tokens: take one away",
            ),
        ] {
            assert_eq!(found(text, url).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
        }
    }
}
