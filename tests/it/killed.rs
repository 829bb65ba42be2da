//! A gate that is killed with SIGKILL at every step of `run` and `record`: the next flush posts what is true.

use phabgate::crash::POINTS;
use phabgate::record::{Event, Outcome};

use crate::server::Server;

/// What must hold once everything is delivered, whether or not the command ran.
fn tells_the_truth(point: &str, server: &Server) {
    let ran = server.machine.home().join("ran").exists();
    let events = server.events(1);
    let records = server.records(1);
    let finished = records.iter().find(|record| record.event == Event::Finished);
    if events.contains(&Event::Started) || ran {
        assert!(finished.is_some(), "{point}: no word on how it ended: {events:?}");
    }
    match finished.and_then(|finished| finished.outcome) {
        Some(Outcome::Succeeded) => assert!(ran, "{point}: said to have succeeded, and never ran"),
        Some(Outcome::NotStarted) => assert!(!ran, "{point}: said not to have started, and ran"),
        Some(Outcome::Unknown) | None => {}
        Some(other) => panic!("{point}: {other:?}"),
    }
}

fn flush(point: &str, server: &Server) {
    let (code, out, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{point}: {err}");
}

#[test]
fn run_killed_at_every_step() {
    let mut passed = 0;
    for point in POINTS.iter().filter(|point| !point.ends_with("-recorded") && **point != "after-recovered") {
        // The journal's own points are passed at every event: each passage is a step of its own.
        let passages = if point.starts_with("journal-") { 1..=12 } else { 1..=1 };
        for passage in passages {
            let server = Server::new();
            let mut command = server.phabgate();
            command.env("PHABGATE_CRASH_AT", format!("{point}:{passage}"));
            let output = command.args(["run", "T1", "--deployer", "deployer1", "--", "touch", "ran"]).output().unwrap();
            let killed = output.status.code().is_none();
            let name = format!("{point}:{passage}");
            assert!(killed || passage > 1, "{name} is never passed: {}", String::from_utf8_lossy(&output.stderr));
            passed += usize::from(killed);
            flush(&name, &server);
            tells_the_truth(&name, &server);
            // Nothing is left that would keep the next one from deploying.
            let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
            assert_eq!(code, 0, "{name}: {err}");
        }
    }
    assert!(passed > 25, "{passed} kills");
}

#[test]
fn record_killed_at_every_step() {
    let points = [
        "after-own",
        "after-intent",
        "after-queued-recorded",
        "after-sending-recorded",
        "after-post-recorded",
        "after-delivered-recorded",
        "after-closed",
    ];
    for point in points {
        let server = Server::new();
        let mut command = server.phabgate();
        let output =
            command.env("PHABGATE_CRASH_AT", point).args(["record", "T1", "--deployer", "deployer1", "--yes"]).output();
        assert_eq!(output.unwrap().status.code(), None, "{point} is passed");
        flush(point, &server);
        let queued = !matches!(point, "after-own" | "after-intent");
        assert_eq!(server.events(1).len(), usize::from(queued), "{point}");
    }
}

#[test]
fn flush_killed_while_it_recovers() {
    let server = Server::new();
    let run = ["run", "T1", "--deployer", "deployer1", "--", "touch", "ran"];
    let killed = server.phabgate().env("PHABGATE_CRASH_AT", "after-wait").args(run).output().unwrap();
    assert_eq!(killed.status.code(), None);
    let flushed =
        server.phabgate().env("PHABGATE_CRASH_AT", "after-recovered").args(["outbox", "flush"]).output().unwrap();
    assert_eq!(flushed.status.code(), None);
    flush("after-recovered", &server);
    tells_the_truth("after-recovered", &server);
    assert_eq!(server.records(1).last().unwrap().outcome, Some(Outcome::Unknown));
}

/// A run of T1 on this machine whose gate was killed while its command ran, and its id.
fn killed_run(server: &Server) -> String {
    let run = ["run", "T1", "--deployer", "deployer1", "--", "touch", "ran"];
    let killed = server.phabgate().env("PHABGATE_CRASH_AT", "after-wait").args(run).output().unwrap();
    assert_eq!(killed.status.code(), None);
    server.records(1)[0].deploy.to_string()
}

/// What a command of another machine prints, which has a journal of its own.
fn elsewhere(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let state = server.machine.home().join("elsewhere");
    let output = server.phabgate().env("PHABGATE_STATE", state).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn ends(server: &Server) -> Vec<Option<Outcome>> {
    let ends = server.records(1).into_iter().filter(|record| record.event != Event::Started);
    ends.map(|record| record.outcome).collect()
}

#[test]
fn an_end_that_was_told_elsewhere_is_the_one_end_of_a_killed_run() {
    let server = Server::new();
    let deploy = killed_run(&server);
    let close = ["record", "T1", "--deployer", "deployer1", "--deploy", &deploy, "--outcome", "failed"];
    let (code, err) = elsewhere(&server, &close);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!(code, 0, "{err}");
    let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("is on the task already (failed): http://sandbox/T1#"), "{said}");
    assert_eq!(ends(&server), [Some(Outcome::Failed)]);
    assert_eq!(server.run(&["outbox", "flush"]).1, "nothing is undelivered; nothing is to be done\n");
}

#[test]
fn an_end_that_was_told_elsewhere_while_the_unknown_one_waited_is_the_one_end() {
    let server = Server::new();
    let deploy = killed_run(&server);
    // Settled as unknown, and the server takes no writes.
    server.running.inject(vec!["maniphest.edit:503".parse().unwrap()]);
    assert_eq!(server.run(&["outbox", "flush", "--wait"]).0, 3);
    assert_eq!(ends(&server), []);
    server.running.inject(vec![]);
    let close = ["record", "T1", "--deployer", "deployer1", "--deploy", &deploy, "--outcome", "rolled-back"];
    let (code, err) = elsewhere(&server, &close);
    assert_eq!(code, Some(0), "{err}");
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(ends(&server), [Some(Outcome::RolledBack)]);
}

#[test]
fn a_killed_run_is_listed_and_stands_in_the_way_until_it_is_settled() {
    let server = Server::new();
    killed_run(&server);
    let (code, out, _) = server.run(&["outbox", "list"]);
    assert_eq!(code, 3);
    let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("T1 finished not written yet: the gate was killed"), "{said}");
    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    let said = err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, 125, "{err}");
    assert!(said.contains("its gate was killed") && said.contains("outbox flush --wait"), "{said}");
    assert_eq!(server.run(&["outbox", "flush", "--wait"]).0, 0);
    assert_eq!(ends(&server), [Some(Outcome::Unknown)]);
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
}
