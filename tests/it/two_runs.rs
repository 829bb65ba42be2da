//! Two runs of one task on one machine: the second is refused before its command, whatever the server does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use phabgate::record::{Event, Outcome};

use crate::server::{Server, in_one_line};

/// A run whose command is up, and goes on when it gets a line.
struct UnderWay {
    gate: Child,
    input: ChildStdin,
    _output: BufReader<ChildStdout>,
}

/// Starts a run of T1 and waits until its command is up.
fn under_way(server: &Server) -> UnderWay {
    let template = server.phabgate();
    let mut command = Command::new(template.get_program());
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(server.machine.home());
    command.args(["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "echo up; read line; echo over"]);
    let mut gate = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (input, mut output) = (gate.stdin.take().unwrap(), BufReader::new(gate.stdout.take().unwrap()));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    UnderWay { gate, input, _output: output }
}

impl UnderWay {
    fn end(mut self) -> Option<i32> {
        self.input.write_all(b"\n").unwrap();
        self.gate.wait().unwrap().code()
    }
}

#[test]
fn the_second_is_refused_while_the_server_is_overloaded() {
    the_second_is_refused_under("503");
}

#[test]
fn the_second_is_refused_while_the_server_takes_no_connection() {
    the_second_is_refused_under("refuse");
}

#[test]
fn the_second_is_refused_while_the_server_shows_a_page() {
    the_second_is_refused_under("html");
}

fn the_second_is_refused_under(fault: &str) {
    let server = Server::broken(&[&format!("maniphest.edit:{fault}")]);
    let first = under_way(&server);
    let second = ["run", "T1", "--deployer", "deployer2", "--", "touch", "ran"];
    let (code, _, err) = server.run(&second);
    let said = in_one_line(&err);
    assert_eq!(code, 125, "{fault}: {err}");
    assert!(said.contains("deployer1 started a deploy on this host at"), "{said}");
    assert!(said.contains("still running") && said.contains("wait until it has ended"), "{said}");
    let (code, out, _) = server.run(&["check", "T1", "--deployer", "deployer2"]);
    assert_eq!(code, 1, "{out}");
    assert!(!server.machine.home().join("ran").exists());
    assert_eq!(first.end(), Some(0));
    // Its end is in the journal: that counts, though the task does not say so yet.
    let (code, out, _) = server.run(&["check", "T1", "--deployer", "deployer2"]);
    assert_eq!(code, 0, "{fault}: {out}");
    server.running.inject(vec![]);
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!(code, 0, "{fault}: {err}");
    let ends = server.records(1).into_iter().filter(|record| record.event == Event::Finished);
    assert_eq!(ends.map(|record| record.outcome).collect::<Vec<_>>(), [Some(Outcome::Succeeded)], "{fault}");
}

/// Who wrote the records on T1, oldest first.
fn authors(server: &Server) -> Vec<String> {
    let world = server.running.world().unwrap();
    let task = world.task_numbered(1).unwrap().phid.clone();
    let mut rows = world.history(&task);
    rows.sort_by_key(|row| row.id);
    let records = rows.iter().filter(|row| row.versions.iter().any(|version| version.text.contains("phabgate/record")));
    let name = |phid: &str| world.users.iter().find(|user| user.phid == phid).unwrap().username.clone();
    records.map(|row| name(&row.author)).collect()
}

#[test]
fn the_records_of_a_run_under_way_are_left_to_its_gate_by_another_token() {
    let server = Server::broken(&["maniphest.edit:1213"]);
    let first = under_way(&server);
    server.running.inject(vec![]);
    // Nobody is warned of what is on its way.
    let (_, _, err) = server.run(&["check", "T1"]);
    assert!(!err.contains("not yet on their task"), "{err}");
    let flush = server.phabgate_as("deployer1").args(["outbox", "flush"]).output().unwrap();
    let said = in_one_line(&String::from_utf8_lossy(&flush.stderr));
    assert!(said.contains("`started` is not sent: its gate is at work, and sends it itself"), "{said}");
    assert_eq!((flush.status.code(), authors(&server)), (Some(3), vec![]), "{said}");
    let wait = |server: &Server| {
        let mut command = server.phabgate_as("deployer1");
        command.args(["outbox", "flush", "--wait"]).output().unwrap()
    };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&server));
        assert_eq!(first.end(), Some(0));
        let waited = waiting.join().unwrap();
        assert_eq!(waited.status.code(), Some(0), "{}", String::from_utf8_lossy(&waited.stderr));
    });
    // Behind the end nobody needs the start any more.
    assert_eq!((authors(&server), server.events(1)), (vec!["phabgate".to_owned()], vec![Event::Finished]));
}

#[test]
fn the_end_of_a_killed_run_is_sent_by_who_sent_its_start() {
    let server = Server::new();
    let run = ["run", "T1", "--deployer", "deployer1", "--", "true"];
    let killed = server.phabgate().env("PHABGATE_CRASH_AT", "after-queued-finished").args(run).output().unwrap();
    assert_eq!(killed.status.code(), None);
    // From the deployer it would be no end of what the recorder said had started.
    let flush = server.phabgate_as("deployer1").args(["outbox", "flush", "--wait"]).output().unwrap();
    let said = in_one_line(&String::from_utf8_lossy(&flush.stderr));
    assert!(said.contains("another account has sent that the deploy started"), "{said}");
    assert_eq!((flush.status.code(), authors(&server)), (Some(3), vec!["phabgate".to_owned()]), "{said}");
    assert_eq!(server.run(&["outbox", "flush"]).0, 0);
    assert_eq!(authors(&server), ["phabgate", "phabgate"]);
}

#[test]
fn a_run_of_another_task_goes_on_beside_it() {
    let server = Server::new();
    let first = under_way(&server);
    let (_, out, err) = server.run(&["check", "T3", "--deployer", "deployer1"]);
    assert!(!in_one_line(&out).contains("on this host"), "{out}{err}");
    assert_eq!(first.end(), Some(0));
}

#[test]
fn a_journal_that_cannot_be_read_lets_nothing_pass() {
    let server = Server::new();
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
    let database = server.machine.home().join("state/journal.sqlite3");
    std::fs::write(&database, "not a database at all, but quite long enough to look at".repeat(200)).unwrap();
    let (code, out, err) = server.run(&["check", "T1", "--deployer", "deployer1"]);
    assert_eq!(code, 3, "{out}{err}");
    assert!(in_one_line(&out).contains("journal cannot be read"), "{out}");
}
