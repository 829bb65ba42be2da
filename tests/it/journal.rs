//! The journal between processes: gates that are killed, gates that race, children that outlive their gate.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use phabgate::crash;
use phabgate::ids::{DeployId, Phid, TaskId, TransactionId};
use phabgate::journal::{
    Delivery, DeployMode, DeployState, EndOnTask, Identity, Intent, Journal, LockWait, ServerMarks, Stage, Step,
    TakenOver,
};
use phabgate::record::{self, ExitStatus, Outcome, Record, SCHEMA};

const ROLE: &str = "PHABGATE_TEST_ROLE";
const DIRECTORY: &str = "PHABGATE_TEST_DIRECTORY";
/// How long a record of somebody else may still be on its way.
const SETTLE: Duration = Duration::from_secs(60);
const NUMBER: &str = "PHABGATE_TEST_NUMBER";

fn deploy(number: u32) -> DeployId {
    format!("01939f2a-0000-7000-8000-{number:012}").parse().unwrap()
}

/// The task of a deploy: those that a process runs one after the other are of one task.
fn task(number: u32) -> TaskId {
    TaskId::new(u64::from(1000 + number / 100)).unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T03:00:00Z".parse().unwrap()
}

fn record(number: u32, event: record::Event) -> Record {
    Record {
        schema: SCHEMA.to_owned(),
        deploy: deploy(number),
        event,
        task: task(number),
        deployer: None,
        behind: Vec::new(),
        pipeline: Vec::new(),
        caller: None,
        host: "deploy1001".to_owned(),
        reason: None,
        action: None,
        change: None,
        command: None,
        arguments_hidden: false,
        note: None,
        approvals: Vec::new(),
        informed: Vec::new(),
        verdict: "allowed".to_owned(),
        failed: Vec::new(),
        policy: "sha256:0123".to_owned(),
        started: None,
        finished: None,
        outcome: None,
        exit: None,
        announced: None,
        share: None,
        drill: false,
        clock: None,
        dropped: 0,
        cut: Vec::new(),
        version: "0.0.0".to_owned(),
    }
}

fn intent(number: u32) -> Step {
    Step::Intent(Box::new(Intent {
        mode: DeployMode::Run,
        task: task(number),
        server: server(),
        template: Box::new(record(number, record::Event::Started)),
        identity: Identity {
            user: Some("phabgate".to_owned()),
            phid: Some(Phid::new("PHID-USER-phabgate").unwrap()),
            uid: 1000,
            login: None,
        },
        marks: ServerMarks::default(),
    }))
}

fn server() -> url::Url {
    "https://phab.example/".parse().unwrap()
}

/// Runs a whole deploy in the journal, nine events, with nothing behind it.
fn run(journal: &mut Journal, number: u32) {
    let id = deploy(number);
    let owner = journal.own(id).unwrap();
    let deliver = |journal: &mut Journal, event| {
        let lock = journal.lock_outbox(&server(), LockWait::Wait).unwrap().unwrap();
        let author = Phid::new("PHID-USER-phabgate").unwrap();
        let sending = Delivery::Sending { event, author, server: server(), settle_at: now() };
        journal.delivery(&lock, id, now(), sending).unwrap();
        let phid = Phid::new("PHID-XACT-TASK-abc").unwrap();
        journal.delivery(&lock, id, now(), Delivery::Delivered { event, transaction: TransactionId(7), phid }).unwrap();
    };
    journal.step(&owner, now(), intent(number)).unwrap();
    let started = Box::new(record(number, record::Event::Started));
    journal.step(&owner, now(), Step::Queued { record: started }).unwrap();
    deliver(journal, record::Event::Started);
    journal.step(&owner, now(), Step::Spawning).unwrap();
    let state = journal.step(&owner, now(), Step::Exited { status: ExitStatus::Code(0) }).unwrap();
    journal.step(&owner, now(), Step::Queued { record: Box::new(state.finished_record()) }).unwrap();
    deliver(journal, record::Event::Finished);
    journal.step(&owner, now(), Step::Closed).unwrap();
}

const EVENTS: usize = 10;

/// This test binary again, in one of the roles below.
fn process(role: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "journal::in_a_role"]);
    dress(&mut command, role, directory);
    command
}

fn dress(command: &mut Command, role: &str, directory: &Path) {
    command.env(ROLE, role).env(DIRECTORY, directory).env_remove(crash::VARIABLE);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

#[test]
#[ignore = "what the child processes of the other tests run"]
fn in_a_role() {
    let Some(role) = std::env::var_os(ROLE) else { return };
    let directory = std::env::var_os(DIRECTORY).unwrap();
    let mut journal = Journal::open(Path::new(&directory)).unwrap();
    match role.to_str().unwrap() {
        "run" => run(&mut journal, 1),
        "recover" => {
            journal.recover_stranded(now(), SETTLE).unwrap();
        }
        "append" => {
            let number: u32 = std::env::var(NUMBER).unwrap().parse().unwrap();
            for turn in 0..5 {
                run(&mut journal, number * 100 + turn);
                Journal::open(Path::new(&directory)).unwrap().recover_stranded(now(), SETTLE).unwrap();
            }
        }
        "hold" => {
            let _owner = journal.own(deploy(1)).unwrap();
            let _outbox = journal.lock_outbox(&server(), LockWait::Wait).unwrap();
            let mut child = Command::new("cat").spawn().unwrap();
            std::io::stdout().write_all(b"\nready\n").unwrap();
            child.wait().unwrap();
        }
        other => panic!("no role {other:?}"),
    }
}

fn killed_at(point: &str, role: &str, directory: &Path) -> bool {
    let output = process(role, directory).env(crash::VARIABLE, point).output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert!(killed || output.status.success(), "{point}: {}", String::from_utf8_lossy(&output.stderr));
    killed
}

/// What must be posted in the end for a deploy that was cut after so many events.
fn truth(events: usize) -> Option<Outcome> {
    match events {
        0..=2 => None,
        3 | 4 => Some(Outcome::NotStarted),
        5 => Some(Outcome::Unknown),
        _ => Some(Outcome::Succeeded),
    }
}

/// Takes over what dead gates left, and settles it as after a read of the task that finds no end.
fn recovered(journal: &mut Journal) {
    for taken in journal.recover_stranded(now(), SETTLE).unwrap() {
        if let TakenOver::EndUnknown { deploy, settle_at } = taken {
            let owner = journal.own(deploy).unwrap();
            journal.conclude(&owner, settle_at, &EndOnTask::NotFound { read_at: settle_at }).unwrap();
        }
    }
}

fn outcome(state: &DeployState) -> Option<Outcome> {
    state.record(record::Event::Finished).and_then(|outgoing| outgoing.record.outcome)
}

#[test]
fn a_gate_killed_around_any_write_leaves_the_truth_behind() {
    for (point, lasting) in [("journal-uncommitted", 0), ("journal-committed", 1)] {
        for passage in 1..=EVENTS {
            let above = tempfile::tempdir().unwrap();
            let directory = above.path().join("state");
            assert!(killed_at(&format!("{point}:{passage}"), "run", &directory), "{point}:{passage} is never passed");
            let written = passage - 1 + lasting;
            let mut journal = Journal::open(&directory).unwrap();
            assert_eq!(journal.events(deploy(1)).unwrap().len(), written, "{point}:{passage}");
            assert!(!journal.is_alive(deploy(1)).unwrap());
            assert!(journal.lock_outbox(&server(), LockWait::TryNow).unwrap().is_some(), "the dead hold no lock");
            recovered(&mut journal);
            if written > 0 {
                let state = journal.state(deploy(1)).unwrap();
                assert!(state.is_closed());
                assert_eq!(outcome(&state), truth(written), "{point}:{passage}");
                assert_eq!(matches!(state.stage(), Stage::MayHaveRun { .. }), written == 5);
            }
        }
        let above = tempfile::tempdir().unwrap();
        let beyond = format!("{point}:{}", EVENTS + 1);
        assert!(!killed_at(&beyond, "run", &above.path().join("state")), "the deploy has {EVENTS} events");
    }
}

#[test]
fn a_recovery_that_is_killed_is_taken_up_by_the_next() {
    for point in ["journal-uncommitted", "journal-committed", "after-recovered"] {
        let above = tempfile::tempdir().unwrap();
        let directory = above.path().join("state");
        assert!(killed_at("journal-committed:5", "run", &directory));
        assert!(killed_at(point, "recover", &directory), "{point}");
        let mut journal = Journal::open(&directory).unwrap();
        recovered(&mut journal);
        let kinds: Vec<_> = journal.events(deploy(1)).unwrap().iter().skip(5).map(|event| event.kind()).collect();
        assert_eq!(kinds, ["owner-gone", "queued", "closed"], "{point}");
    }
}

#[test]
fn an_unknown_crash_point_fails_instead_of_proving_nothing() {
    let above = tempfile::tempdir().unwrap();
    let output = process("run", &above.path().join("state")).env(crash::VARIABLE, "after-nothing").output().unwrap();
    assert!(!output.status.success() && output.status.signal().is_none());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("\"after-nothing\", which is no crash point"), "{words}");
}

#[test]
fn processes_that_write_at_once_all_get_their_turn() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("state");
    let spawn = |number: u32| process("append", &directory).env(NUMBER, number.to_string()).spawn().unwrap();
    let children: Vec<Child> = (1..=4).map(spawn).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let journal = Journal::open(&directory).unwrap();
    assert_eq!(journal.unfinished().unwrap(), []);
    for number in 1..=4 {
        for turn in 0..5 {
            let events = journal.events(deploy(number * 100 + turn)).unwrap();
            assert_eq!(events.len(), EVENTS, "nobody recovered a deploy that was alive");
        }
    }
}

#[test]
fn a_child_that_outlives_its_gate_does_not_keep_it_alive() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("state");
    let mut gate = process("hold", &directory).spawn().unwrap();
    let mut words = BufReader::new(gate.stdout.take().unwrap());
    while words.by_ref().lines().next().unwrap().unwrap() != "ready" {}
    let journal = Journal::open(&directory).unwrap();
    assert!(journal.is_alive(deploy(1)).unwrap());
    assert!(journal.lock_outbox(&server(), LockWait::TryNow).unwrap().is_none());

    let mut input = gate.stdin.take().unwrap();
    // Spawning returns an instant before the kernel has closed what the child does not inherit: once it speaks, it has.
    input.write_all(b"there\n").unwrap();
    let mut answer = String::new();
    words.read_line(&mut answer).unwrap();
    assert_eq!(answer, "there\n");
    gate.kill().unwrap();
    gate.wait().unwrap();
    assert!(!journal.is_alive(deploy(1)).unwrap());
    assert!(journal.lock_outbox(&server(), LockWait::TryNow).unwrap().is_some());
    input.write_all(b"still here\n").unwrap();
    answer.clear();
    words.read_line(&mut answer).unwrap();
    assert_eq!(answer, "still here\n", "the child was alive all the while");
}

#[test]
fn no_umask_opens_or_breaks_the_journal() {
    for umask in ["000", "022", "777"] {
        let above = tempfile::tempdir().unwrap();
        let directory = above.path().join("state");
        let mut command = Command::new("sh");
        command.args(["-c", "umask \"$1\"; shift; exec \"$@\"", "sh", umask]);
        command.arg(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "journal::in_a_role"]);
        dress(&mut command, "run", &directory);
        // Killed in the middle, so that all the files are still there.
        let output = command.env(crash::VARIABLE, "journal-committed:3").output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{}", String::from_utf8_lossy(&output.stderr));
        let mut seen = Vec::new();
        for directory in [directory.clone(), directory.join("deploys")] {
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700, "umask {umask}");
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let metadata = entry.metadata().unwrap();
                if metadata.is_file() {
                    let name = entry.file_name().into_string().unwrap();
                    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600, "umask {umask}: {name}");
                    seen.push(name);
                }
            }
        }
        for name in ["journal.sqlite3", "journal.sqlite3-journal", "outbox-", "setup.lock"] {
            assert!(seen.iter().any(|file| file.starts_with(name)), "{name} is missing in {seen:?}");
        }
    }
}
