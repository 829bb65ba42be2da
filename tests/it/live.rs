//! A real Phorge: the scenarios, records through a proxy that breaks calls, hostile text.
//!
//! Run where `PHABGATE_LIVE` names the state directory of a Phorge filled with the scenarios: in it `env` with
//! `PHORGE_URL=…`, `tokens.json` ({account: {phid, token}}) and `seeded.json` ({scenario: {task, expect, deployer}}).
//! The proxy's tests need `PHABGATE_FAULTPROXY` as well, its program. Else they are passed over with a word.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::live_server::{Live, Proxy, live, pass_over};

#[test]
fn every_scenario_gets_its_verdict() {
    let Some(live) = live("every_scenario_gets_its_verdict") else { return };
    for (scenario, seeded) in &live.seeded() {
        let Some(expected) = seeded["expect"].as_str() else { continue };
        let deployer = seeded["deployer"].as_str().unwrap_or("deployer1");
        let task = seeded["task"].as_str().unwrap();
        let output = live.gate(&["check", task, "--deployer", deployer, "--format", "json"]);
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = match expected {
            "allowed" => 0,
            "denied" => 1,
            _ => 8,
        };
        assert_eq!((verdict["verdict"].as_str(), output.status.code()), (Some(expected), Some(code)), "{scenario}");
    }
}

#[test]
fn hostile_text_does_nothing_on_the_task_and_nothing_in_the_terminal() {
    let Some(live) = live("hostile_text_does_nothing_on_the_task_and_nothing_in_the_terminal") else { return };
    let victim = live.ready("A task that nothing may touch", "availability - untouched");
    let hostile = format!(
        "@outsider T{victim} {{F1}} {{T{victim}}} {}T{victim} `x` ``` %%% | y\u{202e}\u{1b}[31m\u{7} [[ x | y ]] #sre !assign outsider",
        live.url
    );
    let task = live.ready(&hostile, &format!("availability - {hostile}"));
    let before = (live.subscribers(task), live.transactions(victim).len(), live.subscribers(victim));
    let id = format!("T{task}");
    let quiet =
        ["run", &id, "--deployer", "deployer1", "--change", &hostile, "--note", &hostile, "--", "true", &hostile];
    let output = live.gate(&quiet);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let record = ["record", &id, "--deployer", "deployer1", "--yes", "--command", &hostile, "--note", &hostile];
    let recorded = live.gate(&record);
    let checked = live.gate(&["check", &id, "--deployer", "deployer1"]);
    let told = live.gate(&["history", &id]);
    for output in [&output, &recorded, &checked, &told] {
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.chars().any(|c| c != '\n' && phabgate::text::is_hidden(c)), "{text:?}");
        }
    }
    assert_eq!(live.records(task).values().copied().collect::<Vec<_>>(), [1, 1, 1]);
    let mut expected = before.0;
    expected.push(live.phid("phabgate"));
    let now = live.subscribers(task);
    let new: Vec<_> = now.iter().filter(|phid| !expected.contains(phid)).collect();
    assert!(new.is_empty(), "a record subscribes nobody but the account that writes it: {new:?}");
    assert_eq!((live.transactions(victim).len(), live.subscribers(victim)), (before.1, before.2));
}

fn proxy(live: &Live, faults: &[&str]) -> Option<Proxy> {
    let Some(program) = std::env::var_os("PHABGATE_FAULTPROXY") else {
        pass_over("a test of records through a proxy", "PHABGATE_FAULTPROXY names no proxy");
        return None;
    };
    Some(Proxy::start(live, Path::new(&program), &faults.iter().map(ToString::to_string).collect::<Vec<_>>()))
}

/// Posts records through a proxy and asserts that each is on its task once.
fn once_through(test: &str, faults: &[&str]) {
    let Some(live) = live(test) else { return };
    let Some(proxy) = proxy(&live, faults) else { return };
    let config = live.state.path().join("config.toml");
    std::fs::write(&config, "[record]\nsettle = \"8s\"\n").unwrap();
    let task = live.ready("Each record once", "availability - once");
    let id = format!("T{task}");
    let gate = |args: &[&str]| live.gate_at(&proxy.url).env("PHABGATE_CONFIG", &config).args(args).output().unwrap();
    let mut posted = Vec::new();
    for number in 0..20 {
        let note = format!("record {number}");
        let output = gate(&["record", &id, "--deployer", "deployer1", "--yes", "--note", &note, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        posted.push((record["deploy"].as_str().unwrap().to_owned(), "recorded".to_owned()));
    }
    let flushed = gate(&["outbox", "flush", "--wait"]);
    assert_eq!(flushed.status.code(), Some(0), "{}", String::from_utf8_lossy(&flushed.stderr));
    let records = live.records(task);
    assert!(records.values().all(|count| *count == 1), "{records:?}");
    posted.sort();
    assert_eq!(records.into_keys().collect::<Vec<_>>(), posted);
}

#[test]
fn each_record_once_where_replies_are_lost() {
    once_through("each_record_once_where_replies_are_lost", &["maniphest.edit:lost-reply:0.5", "*:503:0.1"]);
}

#[test]
fn each_record_once_where_calls_are_carried_out_late() {
    once_through("each_record_once_where_calls_are_carried_out_late", &["maniphest.edit:late-commit:0.5"]);
}

#[test]
fn each_record_once_where_replies_are_cut() {
    once_through(
        "each_record_once_where_replies_are_cut",
        &["maniphest.edit:truncate:0.3", "maniphest.edit:late-502:0.3", "*:reset:0.1"],
    );
}

#[test]
fn an_emergency_is_opened_once_where_replies_are_lost() {
    let test = "an_emergency_is_opened_once_where_replies_are_lost";
    let Some(live) = live(test) else { return };
    let Some(proxy) = proxy(&live, &["maniphest.edit:lost-reply:0.4", "maniphest.edit:503:0.4"]) else { return };
    let text = "It is down.\r\n\r\n```\r\nEmergency-Reason: security\r\n```";
    let about = json!([{"type": "title", "value": "Opened once"}, {"type": "description", "value": text}]);
    let task = live.edit("deployer1", None, &about);
    let count = |kind: &str| live.transactions(task).iter().filter(|row| row["type"] == kind).count();
    let before = count("description");
    let (id, ask) = (format!("T{task}"), ["--reason", "abuse", "a scraper", "--deployer", "deployer1"]);
    for _ in 0..8 {
        let output = live.gate_at(&proxy.url).args(["request", &id]).args(ask).output().unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(live.gate(&[&["request", &id][..], &ask].concat()).status.code(), Some(0));
    assert_eq!((count("description"), count("projects")), (before + 1, 1));
    let check = live.gate(&["check", &id, "--deployer", "deployer1", "--format", "json"]);
    let verdict: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["reason"]["category"]), (&"pending".into(), &"abuse".into()));
    assert!(verdict["announcement"].as_str().unwrap().contains(": help! "));
}

/// A configuration under which an answer has to end soon.
fn hurried(live: &Live) -> PathBuf {
    let config = live.state.path().join("hurried.toml");
    std::fs::write(&config, "[record]\nsettle = \"60s\"\n[http]\nconnect = \"2s\"\ncall = \"3s\"\ntotal = \"10s\"\n")
        .unwrap();
    config
}

#[test]
fn an_answer_that_cannot_be_given_ends_in_time_and_is_told() {
    let Some(live) = live("an_answer_that_cannot_be_given_ends_in_time_and_is_told") else { return };
    for fault in ["502", "stall", "reset", "html"] {
        let Some(proxy) = proxy(&live, &[&format!("maniphest.edit:{fault}:1.0")]) else { return };
        let task = live.ready("An answer in time", "availability - in time");
        let id = format!("T{task}");
        let reject = ["reject", &id, "--team", "sre", "--yes"];
        let as_approver = |url: &str| {
            let mut command = live.gate_at(url);
            command.env("PHABGATE_TOKEN", live.token("sre2")).env("PHABGATE_CONFIG", hurried(&live)).args(reject);
            command.output().unwrap()
        };
        let output = as_approver(&proxy.url);
        let said = crate::server::in_one_line(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{fault}: {said}");
        assert!(said.contains("write, alone on a line, \"Emergency-Reject: sre\" (as a comment)"), "{fault}: {said}");
        let output = as_approver(&live.url);
        assert_eq!(output.status.code(), Some(0), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
        let check = live.gate(&["check", &id, "--deployer", "deployer1"]);
        assert_eq!(check.status.code(), Some(1), "{fault}: the no is on the task");
    }
}

#[test]
fn an_approval_of_something_else_than_was_shown_is_withdrawn() {
    let Some(live) = live("an_approval_of_something_else_than_was_shown_is_withdrawn") else { return };
    let Some(proxy) = proxy(&live, &["maniphest.edit:late-commit:1.0"]) else { return };
    let task = live.ready("Approved as shown", "availability - as shown");
    let id = format!("T{task}");
    live.comment("sre1", task, "Emergency-Withdraw: sre");
    let mut approve = live.gate_at(&proxy.url);
    approve.env("PHABGATE_TOKEN", live.token("sre2")).args(["approve", &id, "--team", "sre", "--yes"]);
    let child = approve.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = child;
    let mut heard = std::io::BufReader::new(child.stderr.take().unwrap());
    // It says at once that the answer is not there yet; the proxy carries it out after that.
    let (mut said, mut line) = (String::new(), String::new());
    while std::io::BufRead::read_line(&mut heard, &mut line).unwrap() > 0 {
        if line.contains("is not on the task yet") && !said.contains("is not on the task yet") {
            live.comment("deployer1", task, "Emergency-Change: I999");
        }
        said.push_str(&line);
        line.clear();
    }
    let said = crate::server::in_one_line(&said);
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("Emergency-Change was not there and is `I999`"), "{said}");
    assert!(said.contains("the approval was withdrawn at once"), "{said}");
    let check = live.gate(&["check", &id, "--deployer", "deployer1"]);
    assert_ne!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Parallel edits of one task are refused by the database now and then: a deadlock, a savepoint that one took away.
#[test]
fn records_that_are_written_at_once_are_each_there_once() {
    let Some(live) = live("records_that_are_written_at_once_are_each_there_once") else { return };
    let task = live.ready("Written at once", "availability - at once");
    let id = format!("T{task}");
    let gates: Vec<Child> = (0..8)
        .map(|number| {
            let state = live.state.path().join(format!("state-{number}"));
            let note = format!("record {number}");
            let mut command = live.gate_at(&live.url);
            command.env("PHABGATE_STATE", state).stdout(Stdio::null()).stderr(Stdio::piped());
            // Of different times, so that none is like another.
            let minutes = |ago: i64| jiff::Timestamp::now() - jiff::SignedDuration::from_mins(ago);
            let (started, finished) = (minutes(600 - number * 10), minutes(595 - number * 10));
            let times = [format!("--started={started}"), format!("--finished={finished}")];
            command.args(["record", &id, "--deployer", "deployer1", "--outcome", "succeeded", "--note", &note]);
            command.args(times).spawn().unwrap()
        })
        .collect();
    for gate in gates {
        let output = gate.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for number in 0..8 {
        let state = live.state.path().join(format!("state-{number}"));
        let mut flush = live.gate_at(&live.url);
        let flushed = flush.env("PHABGATE_STATE", state).args(["outbox", "flush", "--wait"]).output().unwrap();
        assert_eq!(flushed.status.code(), Some(0), "{}", String::from_utf8_lossy(&flushed.stderr));
    }
    let records = live.records(task);
    assert_eq!((records.len(), records.values().all(|count| *count == 1)), (8, true), "{records:?}");
}
/// The catalogue of what people write, each as a comment by sre2 on a task of its own.
#[test]
fn what_people_write_does_on_a_real_server_what_the_catalogue_says() {
    let Some(live) = live("what_people_write") else { return };
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/answers.toml")).unwrap();
    let catalogue: toml::Table = text.parse().unwrap();
    let texts = |part: &str, key: &str| -> Vec<String> {
        let found = catalogue[part][key].as_array().unwrap();
        found.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let judged = |text: &str, approved: bool| -> Value {
        let task = live.ready("What people write", "availability - 5xx");
        if !approved {
            live.comment("sre1", task, "Emergency-Withdraw: sre");
        }
        // A server writes no comment that is empty.
        if !text.trim().is_empty() {
            live.comment("sre2", task, text);
        }
        let output = live.gate(&["check", &format!("T{task}"), "--deployer", "deployer1", "--format", "json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let by_sre2 = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().filter(|one| one["user"] == "sre2").cloned().collect()
    };
    for text in texts("no", "denies") {
        assert_eq!(judged(&text, true)["verdict"], "denied", "{text:?}");
    }
    for text in texts("no", "listed") {
        assert_eq!(by_sre2(&judged(&text, true)["near_misses"])[0]["effect"], "listed", "{text:?}");
    }
    for text in texts("no", "said") {
        assert!(!by_sre2(&judged(&text, true)["said"]).is_empty(), "{text:?}");
    }
    for text in texts("harmless", "texts") {
        assert_eq!(judged(&text, true)["verdict"], "allowed", "{text:?}");
    }
    for text in texts("yes", "counts") {
        assert_eq!(judged(&text, false)["verdict"], "allowed", "{text:?}");
    }
    for text in texts("yes", "named") {
        let verdict = judged(&text, false);
        assert_eq!(verdict["verdict"], "pending", "{text:?}");
        let why_not = by_sre2(&verdict["approvals"]).iter().any(|approval| !approval["why_not"].is_null());
        let named = by_sre2(&verdict["near_misses"]).iter().any(|near| !near["write"].is_null());
        assert!(why_not || named, "{text:?}");
    }
}
