//! What a server refuses: it is settled by one look, said with what to do, and not sent again for ever.

use phabgate::record::{Event, Outcome};
use phabgate::sandbox::{FaultKind, Options};

use crate::server::{Server, in_one_line};

/// Refused for good: the same would be refused again.
const FOR_GOOD: [FaultKind; 5] =
    [FaultKind::Forbidden, FaultKind::TooLarge, FaultKind::NoDatabase, FaultKind::ReadOnly, FaultKind::Mfa];
/// Rolled back for want of a lock.
const ROLLED_BACK: [FaultKind; 3] = [FaultKind::LockWait, FaultKind::Deadlock, FaultKind::Savepoint];

fn refusing(kind: FaultKind) -> Server {
    let faults = vec![format!("maniphest.edit:{}", kind.name()).parse().unwrap()];
    Server::with(Options { faults, ..Options::default() })
}

/// How often the server was asked to change something.
fn edits(server: &Server) -> usize {
    server.running.served().iter().filter(|served| served.method == "maniphest.edit").count()
}

/// What the outbox holds: event and state of each record.
fn outbox(server: &Server) -> Vec<(String, String)> {
    let (_, out, err) = server.run(&["outbox", "list", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let word = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = listed["undelivered"].as_array().unwrap();
    entries.iter().map(|entry| (word(entry, "event"), word(entry, "state"))).collect()
}

/// Changes the task, as an edit by somebody else would.
fn touch(server: &Server, task: u64) {
    let changed = server.running.change(|world, now| {
        world.tasks.iter_mut().find(|known| known.id == task).unwrap().modified = now + 1;
    });
    changed.unwrap();
}

#[test]
fn a_refused_record_is_kept_apart_until_the_task_changes_or_somebody_asks() {
    for kind in FOR_GOOD {
        for asked in [false, true] {
            let server = refusing(kind);
            let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
            assert_eq!(code, 0, "{kind}: {err}");
            // What a filter refused is settled in time, all else at once.
            let (code, _, flushed) = server.run(&["outbox", "flush", "--wait"]);
            let said = in_one_line(&format!("{err}{flushed}"));
            assert_eq!(code, 3, "{kind}: {said}");
            assert!(said.contains("was refused and is not on the task") && said.contains("flush --retry"), "{said}");
            assert_eq!(outbox(&server), [("recorded".to_owned(), "refused".to_owned())], "{kind}");
            assert_eq!(edits(&server), 1, "{kind}: {said}");
            server.running.inject(vec![]);
            let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
            assert_eq!((code, edits(&server)), (3, 1), "{kind}: nothing changed: {err}");
            let flush: &[&str] = if asked { &["outbox", "flush", "--retry"] } else { &["outbox", "flush"] };
            if !asked {
                touch(&server, 1);
            }
            let (code, out, err) = server.run(flush);
            assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{kind}: {err}");
            assert_eq!(server.events(1), [Event::Recorded], "{kind}");
        }
    }
}

#[test]
fn a_program_reads_that_a_record_was_refused() {
    let server = refusing(FaultKind::Mfa);
    let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--format", "json"];
    let (code, out, err) = server.run(&record);
    let recorded: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!((code, &recorded["state"]), (0, &"refused".into()), "{out}");
}

#[test]
fn what_was_rolled_back_is_sent_again_at_once_and_three_times_at_most() {
    for kind in ROLLED_BACK {
        let server = Server::broken(&[&format!("maniphest.edit:{}@1", kind.name())]);
        let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
        assert_eq!((code, edits(&server)), (0, 3), "{kind}: {err}");
        assert_eq!(server.events(1), [Event::Started, Event::Finished], "{kind}: {err}");
        let server = refusing(kind);
        let (_, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
        assert_eq!(edits(&server), 3, "{kind}: {err}");
        assert_eq!(outbox(&server), [("recorded".to_owned(), "ready".to_owned())], "{kind}");
        server.running.inject(vec![]);
        assert_eq!(server.run(&["outbox", "flush"]).0, 0);
        assert_eq!(server.events(1), [Event::Recorded], "{kind}");
    }
}

#[test]
fn an_error_that_came_after_the_write_is_found_by_one_look() {
    let server = Server::broken(&["maniphest.edit:late-error"]);
    let (code, out, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "echo", "deployed"]);
    assert_eq!((code, out.as_str(), edits(&server)), (0, "deployed\n", 2), "{err}");
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
    assert!(outbox(&server).is_empty());
}

#[test]
fn a_certain_refusal_does_not_hold_up_a_run() {
    for kind in [FaultKind::ReadOnly, FaultKind::Mfa] {
        let server = refusing(kind);
        let run = ["run", "T1", "--deployer", "deployer1", "--result", "result.json", "--", "echo", "deployed"];
        let (code, out, err) = server.run(&run);
        assert_eq!((code, out.as_str()), (0, "deployed\n"), "{kind}: {err}");
        let said = in_one_line(&err);
        let result = std::fs::read(server.machine.home().join("result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
        assert_eq!(result["records"][0]["state"], "refused", "{result}");
        let refused = said.find("`started` was refused and is not on the task").unwrap_or_else(|| panic!("{said}"));
        assert!(refused < said.find("running: echo").unwrap(), "said before the command: {said}");
        assert_eq!(edits(&server), 2, "each record is sent once: {said}");
        assert!(!said.contains("flush --wait` delivers it"), "a flush alone does not: {said}");
        // The whole task is read before, at the refusal, and after the command; `finished` is looked for once.
        let reads = server.running.served().iter().filter(|served| served.method == "transaction.search").count();
        assert!(reads <= 4, "{kind}: nobody waits for what is refused: {reads} reads: {said}");
        server.running.inject(vec![]);
        assert_eq!(server.run(&["outbox", "flush"]).0, 3, "{kind}: the task is as it was");
        let (code, _, err) = server.run(&["outbox", "flush", "--retry"]);
        assert_eq!(code, 0, "{kind}: {err}");
        // What said that it starts is not posted once it is over.
        assert_eq!(server.events(1), [Event::Finished], "{kind}");
        assert_eq!(server.records(1)[0].outcome, Some(Outcome::Succeeded));
    }
}

#[test]
fn a_refused_request_says_so_and_is_sent_once() {
    for kind in FOR_GOOD.into_iter().chain(ROLLED_BACK).chain([FaultKind::LateError]) {
        let server = Server::broken(&[&format!("maniphest.edit:{}@1", kind.name())]);
        let ask = ["request", "T2", "--reason", "abuse", "a scraper", "--deployer", "deployer1", "--yes"];
        let (code, out, err) = server.run(&ask);
        let said = in_one_line(&err);
        if FOR_GOOD.contains(&kind) {
            assert_eq!((code, out.as_str(), edits(&server)), (1, "", 1), "{kind}: {said}");
            assert!(said.contains("T2 was not changed: "), "{said}");
        } else {
            let sent = if kind == FaultKind::LateError { 1 } else { 2 };
            assert_eq!((code, edits(&server)), (0, sent), "{kind}: {said}");
        }
    }
}
