//! Output that cannot be written: what only prints has failed then, and what was done stands.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::harness::Machine;
use super::server::{Server, in_one_line};

/// A command of the same program and environment that can be given any file as its output.
fn plain(template: &assert_cmd::Command, machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = Command::new(template.get_program());
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(machine.home()).args(arguments).stdin(Stdio::null());
    command
}

/// A device on which there is never room.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// How a command ends whose output is `out`: its code and what it says.
fn ends(mut command: Command, out: impl Into<Stdio>) -> (Option<i32>, String) {
    let output = command.stdout(out).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), in_one_line(&String::from_utf8_lossy(&output.stderr)))
}

const NO_ROOM: &str = "the output could not be written: No space left on device";

#[test]
fn what_only_prints_ends_with_3_where_that_cannot_be_written() {
    let server = Server::new();
    for arguments in [
        &["check", "T1"][..],
        &["check", "T1", "--format", "json"],
        &["check", "T6", "--deployer", "deployer1"],
        &["check", "T15"],
        &["history", "T1"],
        &["history", "T1", "--format", "json"],
        &["announce", "T6"],
        &["announce", "T6", "--format", "json"],
        &["list"],
        &["list", "--format", "json"],
        &["outbox", "list"],
        &["outbox", "list", "--format", "json"],
        &["doctor"],
        &["doctor", "--format", "json"],
        &["explain"],
        &["explain", "rejected"],
        &["explain", "--format", "json"],
        &["config", "show"],
        &["config", "check", "--format", "json"],
        &["completions", "bash"],
        &["man"],
        &["man", "check"],
        &["--help"],
        &["help"],
        &["check", "--help"],
        &["--version"],
    ] {
        let (code, said) = ends(plain(&server.phabgate(), &server.machine, arguments), full());
        assert_eq!(code, Some(3), "{arguments:?}: {said}");
        assert!(said.contains(&format!("error: {NO_ROOM}")), "{arguments:?}: {said}");
    }
    for format in ["text", "json", "csv", "html", "prometheus"] {
        let audit = plain(&server.phabgate(), &server.machine, &["audit", "--format", format]);
        let (code, said) = ends(audit, full());
        assert_eq!(code, Some(3), "{format}: {said}");
        assert!(said.contains("error: cannot write the report: No space left on device"), "{format}: {said}");
    }
}

#[test]
fn an_output_that_is_not_open_for_writing_is_none() {
    let machine = Machine::new();
    let read_only = File::open("/dev/null").unwrap();
    let (code, said) = ends(plain(&machine.phabgate(), &machine, &["explain", "rejected"]), read_only);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("error: the output could not be written: Bad file descriptor"), "{said}");
}

#[test]
fn nobody_reading_any_more_is_no_error() {
    let server = Server::new();
    for arguments in [
        &["check", "T1"][..],
        &["history", "T1", "--format", "json"],
        &["explain"],
        &["completions", "zsh"],
        &["--help"],
        &["audit", "--format", "json", "--fail-on", "error"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = ends(plain(&server.phabgate(), &server.machine, arguments), writer);
        let read = ends(plain(&server.phabgate(), &server.machine, arguments), Stdio::null());
        assert_eq!(closed, read, "{arguments:?}");
    }
}

#[test]
fn what_was_done_stands_where_it_cannot_be_said() {
    let server = Server::new();
    let sent = |account: &str, arguments: &[&str]| {
        let command = plain(&server.phabgate_as(account), &server.machine, arguments);
        ends(command, full())
    };
    let (code, said) = sent("phabgate", &["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("warning: {NO_ROOM}; what was done stands")), "{said}");
    assert_eq!(server.records(1).len(), 1);
    let (code, said) = sent("sre1", &["reject", "T1", "--yes", "--note", "wait"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.run(&["check", "T1"]).0, 1);
    let (code, said) = sent("phabgate", &["outbox", "flush"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_run_keeps_the_status_of_its_command() {
    let server = Server::new();
    let run = |rest: &[&str]| {
        let mut arguments = vec!["run", "T1", "--deployer", "deployer1", "--result", "result.json"];
        arguments.extend(rest);
        plain(&server.phabgate(), &server.machine, &arguments)
    };
    let (code, said) = ends(run(&["--dry-run", "--", "true"]), full());
    assert_eq!(code, Some(125), "{said}");
    assert!(said.contains(NO_ROOM), "{said}");
    let result = std::fs::read_to_string(server.machine.home().join("result.json")).unwrap();
    assert!(result.contains("\"exit_code\": 125") && result.contains(NO_ROOM), "{result}");
    let (code, said) = ends(run(&["--", "sh", "-c", "echo out; exit 7"]), full());
    assert_eq!(code, Some(7), "{said}");
    assert_eq!(server.records(1).len(), 2);
    assert_eq!(ends(plain(&server.phabgate(), &server.machine, &["run", "--help"]), full()).0, Some(125));
}

#[test]
fn what_cannot_be_said_on_standard_error_changes_nothing() {
    let server = Server::new();
    for arguments in [&["check", "T1"][..], &["-v", "check", "T1"], &["check", "T15"], &["check", "nonsense"]] {
        let mut command = plain(&server.phabgate(), &server.machine, arguments);
        let expected = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().code();
        let mut command = plain(&server.phabgate(), &server.machine, arguments);
        let lost = command.stdout(Stdio::null()).stderr(full()).status().unwrap().code();
        assert_eq!(lost, expected, "{arguments:?}");
    }
    let arguments = ["-v", "run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "exit 7"];
    let mut run = plain(&server.phabgate(), &server.machine, &arguments);
    assert_eq!(run.stdout(Stdio::null()).stderr(full()).status().unwrap().code(), Some(7));
}

/// What `approve` prints before it asks goes to a full disk, and it asks on a terminal.
#[test]
fn nobody_is_asked_to_approve_what_could_not_be_shown() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let server = Server::new();
    let mut controller = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    controller.write_all(b"y\n").unwrap();
    let mut approve = plain(&server.phabgate_as("sre1"), &server.machine, &["approve", "T6", "--team", "sre"]);
    approve.stdin(terminal.try_clone().unwrap()).stdout(full()).stderr(terminal);
    let mut child = approve.spawn().unwrap();
    drop(approve);
    let mut said = Vec::new();
    // A terminal whose other end is closed is an error to read.
    let _ = controller.read_to_end(&mut said);
    assert_eq!(child.wait().unwrap().code(), Some(3), "{}", String::from_utf8_lossy(&said));
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("nothing was approved: what is approved could not be shown"), "{said}");
    assert!(!said.contains("[y/N]"), "{said}");
}
