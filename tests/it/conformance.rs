//! The sandbox answers every recorded request as the real server did: as master field for field, as each older version in
//! shape, that is with the same keys, types, nulls, kinds of transactions and error codes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use phabgate::sandbox::{Like, Options, Source, World};

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
        let client = crate::harness::http();
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
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    let mut replayed = 0;
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let recording: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        // A world of its own for each: the one recorded write must not change what the others read.
        // It is the only one that has the tokens of the fixture.
        let source = Source::World(Box::new(World::built_in().unwrap()));
        let server = Server::with(Options { source, ..Options::default() });
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

/// What is compared of a reply: in place of each value its type, but for those that name a kind or an error. A list of
/// plain values is its types; what is keyed by an id is a list.
fn shape(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() && map.keys().all(|key| key.parse::<u64>().is_ok()) => {
            map.values().map(|value| shape("", value)).collect()
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(key, value))).collect(),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().map(|item| shape("", item)).collect()
        }
        Value::Array(items) => {
            let kinds: BTreeMap<String, ()> = items.iter().map(|item| (shape("", item).to_string(), ())).collect();
            json!(format!("list of {}", kinds.into_keys().collect::<Vec<_>>().join(" and ")))
        }
        Value::String(_) | Value::Number(_)
            if matches!(key, "type" | "transactionType" | "error_code" | "edge:type" | "status") =>
        {
            value.clone()
        }
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("flag"),
        Value::Null => Value::Null,
    }
}

fn scenarios() -> Value {
    serde_json::from_str(include_str!("../../fixtures/scenarios.json")).unwrap()
}

/// The recorded request, asked of the sandbox's world: its own ids and PHIDs in place of the recorded server's.
fn translated(name: &str, recorded: &Value, world: &World) -> Value {
    let mut params = recorded.clone();
    let person = |name: &str| world.user_named(name).unwrap().phid.clone();
    let scenarios = scenarios();
    let (scenario, part) = name.split_once('.').unwrap_or((name, ""));
    if let Some(task) = scenarios[scenario]["task"].as_str() {
        let id: u64 = task[1..].parse().unwrap();
        match part {
            "task" => params["constraints"]["ids"] = json!([id]),
            "gettasktransactions" => params["ids"] = json!([id]),
            _ => params["objectIdentifier"] = json!(world.task_numbered(id).unwrap().phid),
        }
    }
    if params["constraints"].get("ancestors").is_some() {
        params["constraints"]["ancestors"] = json!([world.project_tagged("emergency-deployment").unwrap().phid]);
    }
    if params["constraints"].get("authorPHIDs").is_some() {
        params["constraints"]["authorPHIDs"] = json!([person("sre1")]);
    }
    let newest = world.transactions.iter().map(|row| row.id).max().unwrap();
    let first = world.task_numbered(1).unwrap().phid.clone();
    match name {
        "users" => {
            params["constraints"]["phids"] = world.users.iter().map(|user| json!(user.phid)).collect();
        }
        "transactions.of-task-by-author" => params["objectIdentifier"] = json!(first),
        "transactions.by-phid" => {
            let mut rows = world.history(&first);
            rows.retain(|row| row.author == person("sre1") && row.kind.is_some());
            params["constraints"]["phids"] = rows.iter().map(|row| json!(row.phid)).collect();
        }
        "more.feed.newer" => params["before"] = json!(newest - 9),
        "more.feed.nothing-newer" => params["before"] = json!(newest),
        "more.keys" => params["objectPHIDs"] = json!([person("sre1"), person("releng1")]),
        _ => {}
    }
    params
}

/// The kinds of rows in a list of projects: the recorded servers had more milestones, and those of before 2020 archived
/// none.
fn kinds_of_rows(reply: &mut Value, like: Like) {
    let Some(rows) = reply.pointer_mut("/result/data").and_then(Value::as_array_mut) else { return };
    if like < Like::Release2026_27 {
        rows.retain(|row| !row["fields"]["color"]["name"].is_null());
    }
    rows.sort_by_key(Value::to_string);
    rows.dedup();
}

#[test]
fn each_version_is_answered_in_its_shape() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/versions");
    let mut found = Vec::new();
    let mut replayed = BTreeMap::new();
    let scenarios = scenarios();
    for like in Like::ALL {
        let text = fs::read(directory.join(format!("{like}.json"))).unwrap();
        let recordings: Vec<Value> = serde_json::from_slice(&text).unwrap();
        let more = Server::like(like);
        let first = Server::with(Options { like, ..Options::default() });
        for recording in &recordings {
            let name = recording["name"].as_str().unwrap();
            let scenario = &scenarios[name.split('.').next().unwrap()];
            let server = if name.starts_with("more.") || scenario["world"] == "more" { &more } else { &first };
            let world = server.running.world().unwrap();
            let mut fields = vec![("api.token".to_owned(), token(server, recording["as"].as_str().unwrap()))];
            flatten(&translated(name, &recording["params"], &world), "", &mut fields);
            let (status, reply) = call(server, recording["method"].as_str().unwrap(), &fields);
            let (mut expected, mut got) = (shape("", &recording["reply"]), shape("", &reply));
            if name.starts_with("more.projects.descendants") {
                kinds_of_rows(&mut expected, like);
                kinds_of_rows(&mut got, like);
            }
            let mut here = Vec::new();
            differences("status", &recording["status"], &json!(status), &mut here);
            differences("reply", &expected, &got, &mut here);
            found.extend(here.into_iter().map(|difference| format!("{like} {name}: {difference}")));
        }
        replayed.insert(like, recordings.len());
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    let replayed: Vec<usize> = replayed.into_values().collect();
    assert_eq!(replayed, [51, 61, 63, 26]);
}
