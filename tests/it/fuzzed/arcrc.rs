//! `.arcrc`: a token is the one that the file holds for the server, never another's, and no error repeats one.

use phabgate::conduit::parse_url;
use phabgate::fuzzing::arcrc_token;
use serde_json::Value;

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    // The input is a file, and the entries of one.
    file(text);
    file(&format!("{{\"hosts\": {{{text}}}}}"));
}

fn file(text: &str) {
    for server in ["https://phab.example/", "https://phab.example/closer/", "http://127.0.0.1:8080/"] {
        let Ok(url) = parse_url(server) else { panic!("{server}") };
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        match arcrc_token(text, &url) {
            Ok(Some((host, token))) => {
                assert_eq!(json["hosts"][&host]["token"], Value::String(token), "not what stands there");
                let origin = url::Url::parse(host.trim()).map(|host| host.origin()).ok();
                assert_eq!(origin, Some(url.origin()), "the token of {host} goes to {server}");
                let other = parse_url("https://other.example/").ok();
                let of_other = other.map(|other| arcrc_token(text, &other));
                assert!(
                    !matches!(of_other, Some(Ok(Some((ref same, _)))) if *same == host),
                    "one entry for two servers"
                );
            }
            Ok(None) => {}
            Err(error) => {
                let said = error.to_string();
                for entry in json["hosts"].as_object().into_iter().flat_map(|hosts| hosts.values()) {
                    let token = entry["token"].as_str().filter(|token| token.len() >= 16);
                    let host_says = token.is_some_and(|token| {
                        json["hosts"].as_object().is_some_and(|hosts| hosts.keys().any(|host| host.contains(token)))
                    });
                    assert!(host_says || !token.is_some_and(|token| said.contains(token)), "a token is shown: {said}");
                }
            }
        }
    }
}
