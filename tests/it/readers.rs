//! One task, many readers: `check`, `history` and `approve` say the same to everybody.

use serde_json::Value;

use crate::answers::say;
use crate::server::{Server, in_one_line};

const READERS: [&str; 9] =
    ["admin", "phabgate", "deployer1", "deployer2", "releng1", "sre1", "both", "outsider", "robot"];

fn json(server: &Server, account: &str, arguments: &[&str]) -> (i32, Value) {
    let output = server.phabgate_as(account).args(arguments).args(["--format", "json"]).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Whose approvals count.
type Counting = Vec<(String, bool)>;

/// The decision, the outcome of each rule, and which approvals count.
fn verdict(page: &Value) -> (String, Vec<(String, String)>, Counting) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = page["rules"].as_array().unwrap().iter();
    let approvals = page["approvals"].as_array().unwrap().iter();
    (
        text(&page["verdict"]),
        rules.map(|rule| (text(&rule["name"]), text(&rule["outcome"]))).collect(),
        approvals.map(|approval| (text(&approval["user"]), approval["counts"] == true)).collect(),
    )
}

#[test]
fn an_approved_task_has_one_verdict_for_everybody() {
    let server = Server::new();
    for task in ["T1", "T5", "T8", "T10", "T12", "T25"] {
        let (code, first) = json(&server, READERS[0], &["check", task]);
        for reader in READERS {
            let (other, page) = json(&server, reader, &["check", task]);
            assert_eq!((other, verdict(&page)), (code, verdict(&first)), "{task} read by {reader}");
            // Nor does it depend on who reads where a deployer is named.
            let (_, named) = json(&server, reader, &["check", task, "--deployer", "deployer2"]);
            let (_, by_first) = json(&server, READERS[0], &["check", task, "--deployer", "deployer2"]);
            assert_eq!(verdict(&named), verdict(&by_first), "{task} by deployer2, read by {reader}");
        }
    }
    let (code, page) = json(&server, "sre1", &["check", "T1"]);
    assert_eq!((code, &page["deployer"]), (0, &Value::Null));
}

#[test]
fn history_and_approve_say_what_check_says() {
    let server = Server::new();
    for reader in ["sre1", "releng1"] {
        let (_, page) = json(&server, reader, &["check", "T1"]);
        assert!(verdict(&page).2.iter().all(|(_, counts)| *counts), "{page:#}");
        let (_, history) = json(&server, reader, &["history", "T1"]);
        let entries = history["entries"].as_array().unwrap().iter();
        let answers: Vec<_> =
            entries.filter(|entry| entry["kind"] == "approve").map(|entry| &entry["counts"]).collect();
        assert_eq!(answers, [&Value::Bool(true), &Value::Bool(true)], "{reader}");
        let (code, answer) = json(&server, reader, &["approve", "T1", "--yes"]);
        assert_eq!((code, &answer["complete"]), (0, &Value::Bool(true)), "{reader}: {answer:#}");
    }
}

#[test]
fn who_reads_is_told_what_would_differ_if_they_deploy() {
    let server = Server::new();
    let (code, page) = json(&server, "sre1", &["check", "T1"]);
    assert_eq!((code, page["if_you_deploy"]["verdict"].as_str()), (0, Some("pending")), "{page:#}");
    assert_eq!(page["if_you_deploy"]["rules"][0]["name"], "team:sre");
    let output = server.phabgate_as("sre1").args(["check", "T1", "-v"]).output().unwrap();
    let text = in_one_line(&String::from_utf8(output.stdout).unwrap());
    assert!(text.contains("but none of those who approved (releng1, sre1)"), "{text}");
    assert!(text.contains("If you deploy as sre1, it is pending; team:sre: 1 more approval needed"), "{text}");
    let run = server.phabgate_as("sre1").args(["run", "T1", "--", "true"]).output().unwrap();
    assert_eq!(run.status.code(), Some(125), "and so it is");
    for reader in ["deployer1", "phabgate", "outsider"] {
        let (_, page) = json(&server, reader, &["check", "T1"]);
        assert_eq!(page.get("if_you_deploy"), None, "{reader} would be given the same");
    }
}

#[test]
fn the_stated_deployer_is_judged_whoever_reads() {
    let server = Server::new();
    // T1 is the task of deployer1, who hands it over to somebody who approved it, and who then approve again.
    say(&server, "deployer1", "T1", "Emergency-Deployer: sre1");
    for approver in ["releng1", "sre1"] {
        say(&server, approver, "T1", "Emergency-Approve: releng, sre");
    }
    for reader in READERS {
        let (code, page) = json(&server, reader, &["check", "T1"]);
        assert_eq!((code, page["deployer"]["user"].as_str()), (8, Some("sre1")), "{reader}: {page:#}");
        let sre = verdict(&page).1.into_iter().find(|(name, _)| name == "team:sre");
        assert_eq!(sre, Some(("team:sre".into(), "pending".into())), "nobody approves their own: {reader}");
    }
    say(&server, "sre2", "T1", "Emergency-Approve: sre");
    assert_eq!(json(&server, "outsider", &["check", "T1"]).0, 0);
    let (code, page) = json(&server, "outsider", &["check", "T1", "--deployer", "deployer1"]);
    assert_eq!(code, 1);
    assert!(
        page["rules"].as_array().unwrap().iter().any(|rule| rule["name"] == "deployer" && rule["outcome"] == "fail")
    );
    // One that no account bears is denied to everybody, before somebody tries to run it.
    say(&server, "deployer1", "T1", "Emergency-Deployer: nobody-of-that-name");
    assert_eq!(json(&server, "outsider", &["check", "T1"]).0, 1);
}
