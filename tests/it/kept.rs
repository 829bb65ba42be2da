//! What is seen while the journal cannot be written is on the task in the end, true and once.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use phabgate::record::{Event, ExitStatus, Outcome};
use rusqlite::Connection;
use serde_json::Value;

use crate::server::{Server, in_one_line};

/// A run whose command is up, and ends with 3 once it gets a line.
struct UnderWay {
    gate: Child,
    input: ChildStdin,
    _output: BufReader<ChildStdout>,
}

/// Starts a run of T1 and waits until its command is up. Before that the command runs `first`.
fn under_way(server: &Server, first: &str, crash: Option<&str>) -> UnderWay {
    let template = server.phabgate();
    let mut command = Command::new(template.get_program());
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.envs(crash.map(|point| ("PHABGATE_CRASH_AT", point)));
    command.current_dir(server.machine.home());
    let script = format!("{first}echo up; read line; exit 3");
    command.args(["run", "T1", "--deployer", "deployer1", "--result", "result.json", "--", "sh", "-c", &script]);
    let mut gate = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (input, mut output) = (gate.stdin.take().unwrap(), BufReader::new(gate.stdout.take().unwrap()));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    UnderWay { gate, input, _output: output }
}

impl UnderWay {
    /// Lets the command end, and waits for its gate: its exit code, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        self.input.write_all(b"\n").unwrap();
        let mut said = String::new();
        self.gate.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.gate.wait().unwrap().code(), in_one_line(&said))
    }
}

fn locked(server: &Server) -> Connection {
    let database = Connection::open(server.machine.home().join("state/journal.sqlite3")).unwrap();
    // The command is up an instant before its gate has written that it is.
    let spawned = "SELECT count(*) FROM event WHERE kind = 'spawned'";
    while database.query_row(spawned, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        std::thread::yield_now();
    }
    database.execute_batch("BEGIN EXCLUSIVE").unwrap();
    database
}

fn result(server: &Server) -> Value {
    serde_json::from_slice(&std::fs::read(server.machine.home().join("result.json")).unwrap()).unwrap()
}

/// The one true end of the deploy.
fn is_recorded_once(server: &Server, name: &str) {
    let (code, out, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered\n"), "{name}: {err}");
    server.events(1);
    let ends: Vec<_> = server.records(1).into_iter().filter(|record| record.event == Event::Finished).collect();
    let [end] = ends.as_slice() else { panic!("{name}: {} ends", ends.len()) };
    assert_eq!((end.outcome, end.exit), (Some(Outcome::Failed), Some(ExitStatus::Code(3))), "{name}");
    assert_eq!(std::fs::read_dir(server.machine.home().join("state/deploys")).unwrap().count(), 0, "{name}");
    assert_eq!(server.run(&["outbox", "list"]).0, 0, "{name}");
}

#[test]
fn a_journal_that_a_backup_locks_loses_no_outcome() {
    let server = Server::new();
    let run = under_way(&server, "", None);
    let backup = locked(&server);
    let (code, said) = run.end();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("how it ended is kept in") && said.contains("in use by another process"), "{said}");
    // It was posted all the same.
    assert_eq!(server.events(1), [Event::Started, Event::Finished], "{said}");
    let result = result(&server);
    assert_eq!((&result["child_started"], &result["status"]["code"]), (&true.into(), &3.into()), "{result}");
    assert_eq!((&result["outcome"], &result["kept"]), (&"failed".into(), &"beside-the-journal".into()), "{result}");
    assert_eq!(result["records"].as_array().unwrap().len(), 2, "{result}");
    assert!(result["error"].as_str().unwrap().contains("in use by another process"), "{result}");
    backup.execute_batch("ROLLBACK").unwrap();
    is_recorded_once(&server, "locked");
}

#[test]
fn a_gate_that_is_killed_beside_a_locked_journal_loses_no_outcome() {
    for point in [
        "after-exited",
        "after-queued-finished",
        "after-sending-finished",
        "after-post-finished",
        "after-delivered-finished",
        "journal-beside:1",
        "journal-beside:2",
        "journal-beside:3",
        "journal-beside:4",
    ] {
        let server = Server::new();
        let run = under_way(&server, "", Some(point));
        let backup = locked(&server);
        let (code, said) = run.end();
        assert_eq!(code, None, "{point} is passed: {said}");
        // Who only looks is told the truth while the journal is locked.
        let (code, out, _) = server.run(&["outbox", "list"]);
        assert!(code == 3 || point == "after-delivered-finished", "{point}: {out}");
        backup.execute_batch("ROLLBACK").unwrap();
        is_recorded_once(&server, point);
    }
}

#[test]
fn a_limit_on_the_size_of_files_neither_kills_the_gate_nor_loses_the_outcome() {
    // Room for the file beside the journal; then for nothing at all.
    for (limit, kept) in [("16384", "beside-the-journal"), ("0", "nowhere")] {
        let server = Server::new();
        let first = format!("prlimit --pid $PPID --fsize={limit}; ");
        let (code, said) = under_way(&server, &first, None).end();
        assert_eq!(code, Some(3), "{limit}: {said}");
        assert_eq!(server.events(1), [Event::Started, Event::Finished], "{limit}: {said}");
        if limit == "16384" {
            assert_eq!(result(&server)["kept"], kept, "{said}");
        } else {
            assert!(said.contains("neither"), "{said}");
        }
        is_recorded_once(&server, limit);
    }
}

#[test]
fn the_command_gets_the_limit_and_the_default_of_its_signal() {
    let server = Server::new();
    let template = server.phabgate();
    let mut command = Command::new("sh");
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(server.machine.home());
    // 40 MiB in the units of dash and of bash alike is enough for the journal.
    let script = "ulimit -f 81920; exec \"$0\" run T1 --deployer deployer1 -- sh -c \
                  'ulimit -f; ulimit -f 1; exec dd if=/dev/zero of=big bs=4096 count=2 2>/dev/null'";
    let output = command.args(["-c", script]).arg(template.get_program()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.stdout, b"81920\n", "{said}");
    // SIGXFSZ, 25 on Linux, kills the command and not its gate.
    assert_eq!(output.status.code(), Some(128 + 25), "{said}");
    let records = server.records(1);
    assert_eq!(records.last().unwrap().exit, Some(ExitStatus::Signal(25)));
}
