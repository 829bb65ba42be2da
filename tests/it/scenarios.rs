//! The scenarios on the sandbox: each gets its verdict, and each refusal says what is missing and what to type.

use std::collections::{BTreeMap, BTreeSet};

use phabgate::sandbox::Like;
use serde_json::Value;

use crate::harness::Machine;
use crate::server::Server;

/// All scenarios: those of the built-in world, and those of `world-more.json`, which say so.
fn all_scenarios() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("../../fixtures/scenarios.json")).unwrap()
}

/// The scenarios of the built-in world.
pub(crate) fn scenarios() -> BTreeMap<String, Value> {
    all_scenarios().into_iter().filter(|(_, about)| about["world"].is_null()).collect()
}

/// What `check` says of a scenario in JSON; it is checked that the exit code says the same.
fn verdict(server: &Server, about: &Value) -> Value {
    let deployer = about["deployer"].as_str().unwrap_or("deployer1");
    let task = about["task"].as_str().unwrap();
    let (code, out, err) = server.run(&["check", task, "--deployer", deployer, "--format", "json"]);
    let verdict: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{task}: {out}{err}"));
    let codes = BTreeMap::from([("allowed", 0), ("denied", 1), ("undecided", 3), ("pending", 8)]);
    assert_eq!(codes[verdict["verdict"].as_str().unwrap()], code, "{task}: {err}");
    verdict
}

#[test]
fn every_version_gets_the_verdicts_of_master() {
    let mut wrong = BTreeSet::new();
    let mut judged = 0;
    for like in Like::ALL {
        let server = Server::like(like);
        for (scenario, about) in all_scenarios() {
            let Some(expected) = about["expect"].as_str() else { continue };
            let verdict = verdict(&server, &about);
            let got = verdict["verdict"].as_str().unwrap();
            if got != expected {
                wrong.insert((like.name(), scenario));
            }
            judged += 1;
        }
    }
    assert!(wrong.is_empty(), "wrong verdicts: {wrong:?}");
    assert_eq!(judged, 4 * 45);
}

#[test]
fn who_said_something_themselves_is_not_attested_for() {
    let server = Server::new();
    std::fs::write(server.machine.home().join("config.toml"), "[policy]\naccept = [\"verified\", \"attested\"]\n")
        .unwrap();
    let check = ["check", "-v", "T6", "--deployer", "deployer1", "--approved-by", "sre=sre2"];
    let (_, out, err) = server.run(&check);
    let team = |out: &str| out.lines().find(|line| line.contains("team:sre")).unwrap_or_default().to_owned();
    assert!(team(&out).trim_start().starts_with("ok"), "{out}{err}");
    let said =
        server.phabgate_as("sre2").args(["reject", "T6", "--team", "sre", "--note", "not now", "--yes"]).output();
    assert!(said.unwrap().status.success());
    let (code, out, err) = server.run(&check);
    assert_eq!(code, 1, "{out}{err}");
    assert!(!team(&out).trim_start().starts_with("ok"), "{out}{err}");
}

#[test]
fn every_scenario_gets_its_verdict() {
    let server = Server::new();
    let mut judged = 0;
    for (scenario, about) in scenarios() {
        let Some(expected) = about["expect"].as_str() else { continue };
        let verdict = verdict(&server, &about);
        assert_eq!(verdict["verdict"], expected, "{scenario}");
        assert_eq!(verdict["schema"], "phabgate/check/1");
        judged += 1;
    }
    assert_eq!(judged, 27);
}

#[test]
fn what_people_read_of_each_scenario() {
    // In the gate's own process: there the clock outside, which runs on, is not held against the world's.
    let machine = Machine::new();
    for (scenario, about) in scenarios() {
        let deployer = about["deployer"].as_str().unwrap_or("deployer1");
        let task = about["task"].as_str().unwrap();
        let (_, out, err) = machine.run(&["--sandbox", "check", task, "--deployer", deployer]);
        // The message for IRC is one line, so that it can be copied.
        let fits = |line: &str| line.chars().count() <= 80 || line.contains("help! I'd like to do an emergency deploy");
        assert!(out.lines().all(fits), "{scenario} is wider than the terminal:\n{out}");
        insta::assert_snapshot!(format!("check-{scenario}"), format!("{out}{err}"));
    }
}

#[test]
fn two_rounds_and_eight_calls_are_enough() {
    for (task, deployer) in [("T1", "deployer1"), ("T1", "deployer2"), ("T23", "deployer1"), ("T25", "deployer1")] {
        let server = Server::new();
        let (code, _, err) = server.run(&["check", task, "--deployer", deployer]);
        let calls: Vec<String> = server.running.served().into_iter().map(|served| served.method).collect();
        assert_eq!(code, 0, "{err}");
        // A ninth only where something is null that may matter.
        let null = calls.iter().any(|method| method == "maniphest.gettasktransactions");
        assert!(calls.len() <= 8 + usize::from(null), "{task} by {deployer}: {calls:?}");
        assert_eq!(null, task == "T1", "T1 alone is mentioned by another task, which is null: {task} {calls:?}");
    }
}

#[test]
fn a_restricted_task_shows_nothing_of_its_text() {
    let server = Server::new();
    let (code, out, err) = server.run(&["check", "T27", "--deployer", "deployer1"]);
    assert_eq!(code, 1);
    assert!(!format!("{out}{err}").to_lowercase().contains("embargo"), "{out}{err}");
    // Shown to the gate, it is restricted all the same.
    let admin = server.phabgate_as("admin").args(["check", "T27", "--deployer", "deployer1"]).output().unwrap();
    let text = String::from_utf8(admin.stdout).unwrap();
    assert!(text.contains("restricted") && !text.to_lowercase().contains("embargo"), "{text}");
    let shown = server.phabgate_as("admin").args(["check", "T27", "--deployer", "admin", "--show-restricted"]).output();
    assert!(String::from_utf8(shown.unwrap().stdout).unwrap().contains("Embargoed vulnerability"));
}

#[test]
fn a_history_that_does_not_lead_to_the_task_is_read_once_more_and_then_undecided() {
    for (part, task, change) in [("descriptions", "T1", 0), ("statuses", "T22", 1), ("tags", "T1", 2)] {
        let server = Server::new();
        let changed = server.running.change(|world, _| {
            let task = world.tasks.iter_mut().find(|other| format!("T{}", other.id) == task).unwrap();
            match change {
                0 => task.description.push_str(" and more"),
                1 => task.status = "open".to_owned(),
                _ => task.projects.clear(),
            }
        });
        changed.unwrap();
        let (code, out, err) = server.run(&["check", task, "--deployer", "deployer1"]);
        assert_eq!(code, 3, "{part}: {out}{err}");
        let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(&format!("{task} does not lead to the task as it is: {part} differ")), "{out}");
        let reads = server.running.served().iter().filter(|served| served.method == "transaction.search").count();
        assert_eq!(reads, 2, "{part}");
    }
}
