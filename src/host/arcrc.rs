//! `~/.arcrc`, arc's own file: JSON with an entry for each host.
//!
//! Responsible for the entry of one server. Whatever else stands in the file is arc's, and no reason not to use that one.

use serde_json::Value;
use url::Url;

use crate::conduit::parse_url_of_api;

/// Why `~/.arcrc` gives no token. No value of the file is in it.
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
    /// It is JSON of another shape where the entry of the server is looked for.
    #[error("not what arc writes: {place} is {found}, and has to be {expected}")]
    Shape {
        /// Where, as the keys that lead there.
        place: String,
        /// The kind of value that stands there.
        found: &'static str,
        /// The kind that arc writes.
        expected: &'static str,
    },
    /// An entry from before there were tokens.
    #[error("the entry of {0} has no token: type `arc install-certificate {0}`")]
    NoToken(String),
    /// Two entries that name the same server.
    #[error("{0} and {1} are the same server and have different tokens: take one away")]
    Ambiguous(String, String),
}

impl ArcrcError {
    fn shape(place: impl Into<String>, value: &Value, expected: &'static str) -> Self {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self::Shape { place: place.into(), found, expected }
    }
}

/// The host as it is written and its token; `None` where there is no entry for the server at `url`.
///
/// arc knows a server by its origin and always calls `/api/` there; an entry of ours may also name a path.
pub(crate) fn token(text: &str, url: &Url) -> Result<Option<(String, String)>, ArcrcError> {
    let not_json = |error: serde_json::Error| ArcrcError::NotJson { line: error.line(), column: error.column() };
    let file: Value = serde_json::from_str(text).map_err(not_json)?;
    // PHP writes an empty map as an empty list.
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    if is_empty(&file) {
        return Ok(None);
    }
    let file = file.as_object().ok_or_else(|| ArcrcError::shape("the whole file", &file, "an object"))?;
    let Some(hosts) = file.get("hosts").filter(|hosts| !is_empty(hosts)) else { return Ok(None) };
    let hosts = hosts.as_object().ok_or_else(|| ArcrcError::shape("`hosts`", hosts, "an object"))?;
    // An entry with the path of the server is closer than one of the host alone.
    let exact = hosts.keys().any(|host| path_on(host, url).is_some_and(|path| path == url.path()));
    let named = |host: &str| path_on(host, url).is_some_and(|path| path == if exact { url.path() } else { "/" });
    let mut found: Option<(String, String)> = None;
    for (host, entry) in hosts.iter().filter(|(host, _)| named(host)) {
        let place = format!("`hosts`, `{host}`");
        let token = match entry {
            // Old entries hold `user` and `cert` in place of a token.
            Value::Object(entry) => entry.get("token").unwrap_or(&Value::Null),
            entry if is_empty(entry) => &Value::Null,
            entry => return Err(ArcrcError::shape(place, entry, "an object")),
        };
        let token = match token {
            Value::Null => return Err(ArcrcError::NoToken(host.clone())),
            Value::String(token) => token,
            other => return Err(ArcrcError::shape(format!("{place}, `token`"), other, "a text")),
        };
        match &found {
            Some((other, known)) if known != token => return Err(ArcrcError::Ambiguous(other.clone(), host.clone())),
            _ => found = Some((host.clone(), token.clone())),
        }
    }
    Ok(found)
}

/// The path of a host as it is written, without arc's own `api/`; `None` where it is another server.
fn path_on(host: &str, url: &Url) -> Option<String> {
    let host = parse_url_of_api(host).ok().filter(|host| host.origin() == url.origin())?;
    Some(host.path().strip_suffix("api/").unwrap_or(host.path()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduit::parse_url;

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
    fn an_odd_entry_of_another_host_is_passed_over() {
        for odd in ["[]", "1", "null", "\"x\"", "{\"token\": {}}", "{\"user\": \"me\", \"cert\": 1}", "[{}]"] {
            let text = format!(
                r#"{{"config": [1], "hosts": {{"https://other.example/api/": {odd}, "odd": {odd},
                    "https://phab.example/api/": {{"token": "one"}}}}}}"#
            );
            assert_eq!(found(&text, "https://phab.example/").unwrap().as_deref(), Some("one"), "{odd}");
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let url = "https://phab.example/";
        for (text, error) in [
            ("", "not the JSON that arc writes (line 1, column 0)"),
            ("{\n  // words\n}", "not the JSON that arc writes (line 2, column 3)"),
            (r#"{"hosts": 1}"#, "not what arc writes: `hosts` is a number, and has to be an object"),
            ("[1]", "not what arc writes: the whole file is a list, and has to be an object"),
            (
                r#"{"hosts": {"https://phab.example/api/": "api-x"}}"#,
                "not what arc writes: `hosts`, `https://phab.example/api/` is a text, and has to be an object",
            ),
            (
                r#"{"hosts": {"https://phab.example/api/": {"token": 7}}}"#,
                "not what arc writes: `hosts`, `https://phab.example/api/`, `token` is a number, and has to be a text",
            ),
            (
                r#"{"hosts": {"https://phab.example/api/": []}}"#,
                "the entry of https://phab.example/api/ has no token: type `arc install-certificate https://phab.example/api/`",
            ),
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
