//! The sandbox answers every recorded request as the real server did, field for field.

use std::fs;
use std::path::Path;

use serde_json::Value;

use phabgate::sandbox::Options;

use crate::server::Server;

/// Form fields as PHP reads them: `constraints[ids][0]=1`, the way in which the recordings were made.
fn flatten(value: &Value, prefix: &str, fields: &mut Vec<(String, String)>) {
    let inner = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}[{key}]") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(value, &inner(key), fields)),
        Value::Array(rows) => {
            rows.iter().enumerate().for_each(|(at, value)| flatten(value, &inner(&at.to_string()), fields))
        }
        Value::String(text) => fields.push((prefix.to_owned(), text.clone())),
        other => fields.push((prefix.to_owned(), other.to_string())),
    }
}

/// The token of whoever made a recording.
fn token(server: &Server, account: &str) -> String {
    match account {
        "nobody, with a token of the right length" => format!("api-{}", "x".repeat(28)),
        "nobody, with a short token" => "api-short".to_owned(),
        account => server.running.token_of(account).unwrap().unwrap(),
    }
}

fn call(server: &Server, method: &str, fields: &[(String, String)]) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}api/{method}", server.running.url);
        let reply = client.post(url).form(fields).send().await.unwrap();
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    })
}

/// Every path at which two values differ.
fn differences(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                let path = format!("{path}.{key}");
                match (one.get(key), other.get(key)) {
                    (Some(expected), Some(got)) => differences(&path, expected, got, found),
                    (expected, got) => found.push(format!("{path}: expected {expected:?}, got {got:?}")),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter()
                .zip(other)
                .enumerate()
                .for_each(|(at, (one, other))| differences(&format!("{path}[{at}]"), one, other, found));
        }
        _ if expected == got => {}
        _ => found.push(format!("{path}: expected {expected}, got {got}")),
    }
}

#[test]
fn every_recording_is_answered_field_for_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    let mut replayed = 0;
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        // A world of its own for each: the one recorded write must not change what the others read.
        let server = Server::with(Options::default());
        let mut fields = vec![("api.token".to_owned(), token(&server, recording["as"].as_str().unwrap()))];
        flatten(&recording["params"], "", &mut fields);
        let (status, reply) = call(&server, recording["method"].as_str().unwrap(), &fields);
        let mut here = Vec::new();
        if recording["status"] != status {
            here.push(format!("status {status}"));
        }
        differences("reply", &recording["reply"], &reply, &mut here);
        found.extend(here.into_iter().map(|difference| format!("{name}: {difference}")));
        replayed += 1;
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    assert_eq!(replayed, 80);
}
