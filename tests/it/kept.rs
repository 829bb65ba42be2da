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
    run_of(server, &format!("{first}echo up; read line; exit 3"), crash)
}

fn run_of(server: &Server, script: &str, crash: Option<&str>) -> UnderWay {
    let template = server.phabgate();
    let mut command = Command::new(template.get_program());
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.envs(crash.map(|point| ("PHABGATE_CRASH_AT", point)));
    command.current_dir(server.machine.home());
    command.args(["run", "T1", "--deployer", "deployer1", "--result", "result.json", "--", "sh", "-c", script]);
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

/// The journal as a backup holds it that reads it in one go: others may read it and not write.
fn locked(server: &Server) -> Connection {
    let database = settled(server);
    database.execute_batch("BEGIN").unwrap();
    database.query_row("SELECT count(*) FROM event", [], |_| Ok(())).unwrap();
    database
}

/// The journal, once it says that the command is up.
fn settled(server: &Server) -> Connection {
    let database = Connection::open(server.machine.home().join("state/journal.sqlite3")).unwrap();
    // The command is up an instant before its gate has written that it is.
    let spawned = "SELECT count(*) FROM event WHERE kind = 'spawned'";
    while database.query_row(spawned, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        std::thread::yield_now();
    }
    database
}

fn result(server: &Server) -> Value {
    serde_json::from_slice(&std::fs::read(server.machine.home().join("result.json")).unwrap()).unwrap()
}

/// The one true end of the deploy.
fn is_recorded_once(server: &Server, name: &str) {
    let (code, out, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{name}: {err}");
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

/// What a command did to the state directory of its gate, which a shell in the directory above can do; where the end is kept
/// then; and how a person makes it usable again.
const TAKEN_AWAY: &[(&str, &str, &str)] = &[
    ("rm -rf state", "nowhere", ""),
    ("rm -rf state; mkdir -m 700 state", "nowhere", ""),
    ("rm -rf state; : > state", "nowhere", "rm state"),
    ("mv state away", "nowhere", "mv away state"),
    ("mv state away", "nowhere", ""),
    ("mv state away; ln -s away state", "in-journal", "rm state; mv away state"),
    ("rm state/journal.sqlite3*", "beside-the-journal", ""),
    ("for file in state/journal*; do : > $file; done", "beside-the-journal", ""),
    ("for file in state/journal*; do echo no journal > $file; done", "beside-the-journal", "rm state/journal*"),
    ("truncate -s 8192 state/journal.sqlite3", "beside-the-journal", "rm state/journal*"),
    ("rm -f state/*.lock state/deploys/*.lock", "in-journal", ""),
    ("rm -rf state/deploys", "in-journal", ""),
    ("rm -rf state/deploys state/journal*", "nowhere", ""),
];

#[test]
fn whatever_the_command_does_to_the_journal_its_outcome_is_on_the_task_once() {
    for (does, kept, mended) in TAKEN_AWAY {
        let server = Server::new();
        let run = run_of(&server, &format!("echo up; read line; {does}; exit 3"), None);
        drop(settled(&server));
        let (code, said) = run.end();
        assert_eq!(code, Some(3), "{does}: {said}");
        assert_eq!(server.events(1), [Event::Started, Event::Finished], "{does}: {said}");
        let result = result(&server);
        assert_eq!((&result["status"]["code"], &result["kept"]), (&3.into(), &(*kept).into()), "{does}: {said}");
        let states: Vec<_> = result["records"].as_array().unwrap().iter().map(|record| &record["state"]).collect();
        assert_eq!(states, ["delivered", "delivered"], "{does}: {result}");
        let words = match *kept {
            "nowhere" => Some("how it ended is on the task, and neither in the journal nor beside it"),
            "beside-the-journal" => Some("the next command takes it in"),
            _ => None,
        };
        assert_eq!(said.contains("how it ended is"), words.is_some(), "{does}: {said}");
        assert!(words.is_none_or(|words| said.contains(words)), "{does}: {said}");
        let home = server.machine.home();
        assert!(Command::new("sh").args(["-c", mended]).current_dir(home).status().unwrap().success());
        is_recorded_once(&server, does);
    }
}

#[test]
fn where_neither_the_journal_nor_the_task_has_the_end_it_is_said_what_to_write_by_hand() {
    let server = Server::new();
    let run = under_way(&server, "", None);
    drop(settled(&server));
    std::fs::remove_dir_all(server.machine.home().join("state")).unwrap();
    server.running.inject(vec!["maniphest.edit:503".parse().unwrap()]);
    let (code, said) = run.end();
    assert_eq!(code, Some(3), "{said}");
    let deploy = server.records(1)[0].deploy;
    assert!(said.contains("is not known to be on the task"), "{said}");
    assert!(said.contains(&format!("phabgate record T1 --deploy {deploy} --started=")), "{said}");
    assert!(said.contains("--outcome failed") && said.contains("exit status 3"), "{said}");
    assert!(!said.contains("outbox flush"), "nothing is in the outbox: {said}");
    let result = result(&server);
    assert_eq!((&result["kept"], &result["records"][1]["state"]), (&"nowhere".into(), &"not-kept".into()), "{result}");
    // What was said does it.
    server.running.inject(vec![]);
    let command = said.split("else type `").nth(1).unwrap().split('`').next().unwrap();
    let arguments: Vec<&str> = command.split(' ').skip(1).chain(["--deployer", "deployer1"]).collect();
    let (code, _, err) = server.run(&arguments);
    assert_eq!(code, 0, "{err}");
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
    assert_eq!(server.records(1)[1].outcome, Some(Outcome::Failed));
}

#[test]
fn a_journal_that_is_lost_before_the_command_is_started_leaves_no_start_without_an_end() {
    let server = Server::new();
    let state = server.machine.home().join("state");
    // The reply to `started` is late, and meanwhile the state directory goes.
    server.running.inject(vec!["maniphest.edit:drip".parse().unwrap()]);
    let template = server.phabgate();
    let mut command = Command::new(template.get_program());
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(server.machine.home()).args(["run", "T1", "--deployer", "deployer1", "--", "touch", "ran"]);
    let gate = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let database = state.join("journal.sqlite3");
    let sent = || {
        let database = Connection::open_with_flags(&database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        let count = "SELECT count(*) FROM event WHERE kind = 'sending'";
        database.query_row(count, [], |row| row.get::<_, i64>(0)).ok()
    };
    while sent().unwrap_or(0) == 0 {
        std::thread::yield_now();
    }
    std::fs::remove_dir_all(&state).unwrap();
    let output = gate.wait_with_output().unwrap();
    let said = in_one_line(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(!server.machine.home().join("ran").exists(), "{said}");
    assert_eq!(server.events(1), [Event::Started, Event::Finished], "{said}");
    assert_eq!(server.records(1)[1].outcome, Some(Outcome::NotStarted), "{said}");
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
