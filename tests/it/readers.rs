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

/// The exit code of a command of this account, and its last line.
fn last_line(server: &Server, account: &str, arguments: &[&str]) -> (i32, String) {
    let output = server.phabgate_as(account).args(arguments).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text.trim_end().lines().last().unwrap_or_default().to_owned())
}

#[test]
fn the_next_command_is_one_that_its_reader_can_type() {
    let server = Server::new();
    let is = |account: &str, arguments: &[&str], expected: (i32, &str)| {
        let (code, line) = last_line(&server, account, arguments);
        assert_eq!((code, line.as_str()), expected, "{account}: {arguments:?}");
    };
    let run = "Next: phabgate run T1 -- COMMAND";
    // The task states nobody: anybody may deploy, but who approved.
    is("deployer2", &["check", "T1"], (0, run));
    is("sre1", &["check", "T1"], (0, "Who deploys can type: phabgate run T1 -- COMMAND"));
    is("phabgate", &["check", "T1"], (0, "Next: phabgate run T1 --deployer NAME -- COMMAND"));
    let named = ["check", "T1", "--deployer", "deployer1"];
    is("phabgate", &named, (0, "Next: phabgate run T1 --deployer deployer1 -- COMMAND"));
    is("deployer1", &named, (0, "Next: phabgate run T1 --deployer deployer1 -- COMMAND"));
    is("outsider", &named, (0, "deployer1 can type: phabgate run T1 -- COMMAND"));
    let (_, _, err) = server.run(&["request", "T1", "--deployer", "deployer1", "--yes"]);
    for (account, team) in [("releng1", "releng"), ("sre1", "sre")] {
        assert_eq!(last_line(&server, account, &["approve", "T1", "--team", team, "--yes"]).0, 0, "{err}");
    }
    is("deployer1", &["check", "T1"], (0, run));
    is("outsider", &["check", "T1"], (0, "deployer1 can type: phabgate run T1 -- COMMAND"));
    is("phabgate", &["check", "T1"], (0, "Next: phabgate run T1 --deployer deployer1 -- COMMAND"));
    is("phabgate", &["run", "T1", "--", "false"], (125, "Next: phabgate run T1 --deployer deployer1 -- false"));
    is(
        "phabgate",
        &["request", "T1", "--deployer", "deployer1"],
        (0, "Next: phabgate run T1 --deployer deployer1 -- COMMAND"),
    );
    let failed = "To roll back: phabgate run T1 --deployer deployer1 --action rollback -- COMMAND";
    is("phabgate", &["run", "T1", "--deployer", "deployer1", "--", "false"], (1, failed));
    is("deployer1", &["run", "T1", "--", "false"], (1, "To roll back: phabgate run T1 --action rollback -- COMMAND"));
}

#[test]
fn who_can_end_a_start_is_said_to_each_reader() {
    for (runner, reader, expected) in [
        ("phabgate", "deployer1", "talk to deployer1; if it is over, have a member of"),
        ("phabgate", "deployer1", "or type it where the gate has the token of phabgate"),
        ("phabgate", "sre2", "talk to deployer1; if it is over, end it: `phabgate record T1 --deploy"),
        ("deployer1", "deployer2", "talk to deployer1; if it is over, have them or a member of"),
        ("deployer1", "deployer1", "see whether it still runs on"),
    ] {
        let server = Server::new();
        let mut command = server.phabgate_as(runner);
        command.env("PHABGATE_CRASH_AT", "after-wait").env("PHABGATE_STATE", server.machine.home().join("elsewhere"));
        let killed = command.args(["run", "T1", "--deployer", "deployer1", "--", "true"]).output().unwrap();
        assert_eq!(killed.status.code(), None, "{runner}");
        let output = server.phabgate_as(reader).args(["check", "T1"]).output().unwrap();
        let said = in_one_line(&String::from_utf8_lossy(&output.stdout));
        assert!(said.contains(expected), "{runner}, {reader}: {said}");
        // What it says is so.
        let deploy = server.records(1)[0].deploy.to_string();
        let close = ["record", "T1", "--deploy", &deploy, "--finished", "--outcome", "unknown"];
        let ends = server.phabgate_as(reader).args(close).output().unwrap().status.success();
        assert_eq!(ends, !said.contains("have a member") && !said.contains("have them"), "{runner}, {reader}");
    }
}
