//! The child process as its user meets it: statuses, signals, the terminal, the environment, dropped privileges.
//!
//! Each test starts [`gate`] with a command to run and looks at nothing but the process that it gets. No test waits for a
//! time: a child says on its output when it is ready, and goes on when it is told to on its input.

#![allow(clippy::unwrap_used, reason = "what fails in a test fails the test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use phabgate::deploy::{child, exit_code, identity::Identity, plan::Plan, signals::Signals};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::signal::unix::{self, SignalKind};

/// Set for [`helper`]: the command to run, its arguments separated by [`SEPARATOR`].
const ARGV: &str = "TEST_GATE_ARGV";
/// Set for [`helper`]: between taking note of signals and running, say `holding` and wait for the signal of this number.
const HOLD: &str = "TEST_GATE_HOLD";
const SEPARATOR: char = '\u{1f}';

/// A gate that will run this command. Its signals have their default dispositions, whatever those of the tests are: they
/// may have been started in the background by a shell without job control, which has them ignore INT and QUIT.
fn gate(argv: &[&str]) -> Command {
    let bare = bare_gate(argv);
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT,TERM,TSTP").arg(bare.get_program()).args(bare.get_args());
    same_environment(&mut command, &bare);
    command.stdin(Stdio::null());
    command
}

/// The same, with the dispositions that it is started with.
fn bare_gate(argv: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child::helper", "--ignored", "--nocapture", "--quiet", "--test-threads=1"]);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env(ARGV, argv.join(&SEPARATOR.to_string())).stdin(Stdio::null());
    command
}

/// As [`gate`], for a script of sh(1).
fn gate_sh(script: &str) -> Command {
    gate(&["sh", "-c", script])
}

#[test]
#[ignore = "not a test: the process that the tests of this file start"]
#[expect(clippy::exit, reason = "its status is what the tests look at")]
fn helper() {
    let Ok(argv) = std::env::var(ARGV) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(async {
        let identity = Identity::of_caller(false).unwrap();
        let argv = argv.split(SEPARATOR).map(Into::into);
        let ready = match Plan::new(argv, std::env::vars_os(), &identity).and_then(Plan::preflight) {
            Ok(ready) => ready,
            Err(error) => return error.exit_code(),
        };
        let mut signals = Signals::install().unwrap();
        if let Ok(number) = std::env::var(HOLD) {
            // Whoever listens beside it hears of a signal when it does, so it has been noted when this goes on.
            let mut beside = unix::signal(SignalKind::from_raw(number.parse().unwrap())).unwrap();
            println!("holding");
            beside.recv().await.unwrap();
        }
        match child::run(&ready, &mut signals, &mut ()).await {
            Ok(status) => exit_code(status),
            Err(error) => error.exit_code(),
        }
    });
    std::process::exit(code.into());
}

/// Gives a command that starts a gate the environment of the gate.
fn same_environment(outer: &mut Command, inner: &Command) {
    outer.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
}

/// A gate that has started, with its ends of the pipes.
struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts the gate in a process group of its own and waits for a line of output.
    fn until(mut command: Command, line: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut running = Self { child, stdin, stdout };
        running.wait_for(line);
        running
    }

    fn wait_for(&mut self, expected: &str) {
        let mut line = String::new();
        while line.trim_end() != expected {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "the gate ended without saying {expected:?}");
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// To the gate alone.
    fn send(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// To the gate and all that it started, as a terminal does.
    fn send_to_all(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn code(mut command: Command) -> Option<i32> {
    command.stdout(Stdio::null()).status().unwrap().code()
}

#[test]
fn the_status_of_the_child_is_that_of_the_gate() {
    for status in [0, 1, 3, 125, 255] {
        assert_eq!(code(gate_sh(&format!("exit {status}"))), Some(status));
    }
}

#[test]
fn death_by_a_signal_is_128_and_its_number() {
    for signal in [1, 2, 3, 9, 13, 15] {
        assert_eq!(code(gate_sh(&format!("kill -{signal} $$"))), Some(128 + signal));
    }
}

#[test]
fn what_cannot_be_found_is_127_and_what_cannot_run_is_126() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "#!/bin/sh\n", 0o644);
    // These two pass the preflight: only the kernel knows.
    let lost = file("lost", "#!/no/such/interpreter\n", 0o755);
    let garbage = file("garbage", "\u{7f}ELF", 0o755);
    let none = directory.path().join("none");
    for (program, expected) in [
        ("no-such-command-anywhere", 127),
        (none.to_str().unwrap(), 127),
        (&lost, 127),
        (&plain, 126),
        (&garbage, 126),
        (directory.path().to_str().unwrap(), 126),
    ] {
        assert_eq!(code(gate(&[program])), Some(expected), "{program}");
    }
}

#[test]
fn a_script_without_an_interpreter_line_is_run_as_execvp_runs_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deploy");
    fs::write(&path, "printf '<%s>' \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let output = gate(&[path.to_str().unwrap(), "a b", ""]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("<a b><>"), "{output:?}");
    // Found by its name, too.
    let mut named = gate(&["deploy"]);
    named.env("PATH", format!("{}:/usr/bin:/bin", directory.path().display()));
    assert_eq!(code(named), Some(7));
    // An empty file is an empty script; bytes that are no text are none.
    fs::write(&path, "").unwrap();
    assert_eq!(code(gate(&[path.to_str().unwrap()])), Some(0));
    fs::write(&path, b"\x00\x01\x02 exit 7\n").unwrap();
    assert_eq!(code(gate(&[path.to_str().unwrap()])), Some(126));
}

#[test]
fn arguments_arrive_as_they_are() {
    let argv = ["sh", "-c", r#"printf '<%s>' "$@""#, "sh", "", "a b", "$HOME", "--", "-x", "'", "é\n"];
    assert!(output(gate(&argv)).contains("<><a b><$HOME><--><-x><'><é\n>"));
}

#[test]
fn the_child_sees_no_credentials_of_the_gate() {
    let mut command = gate(&["env"]);
    command
        .env("PHABGATE_TOKEN", "hunter2")
        .env("PHABGATE_TOKEN_FILE", "hunter2")
        .env("CREDENTIALS_DIRECTORY", "hunter2")
        .env("PHABGATE_URL", "https://phab.example");
    let seen = output(command);
    assert!(!seen.contains("hunter2") && seen.contains("PHABGATE_URL=https://phab.example\n"), "{seen}");
}

#[test]
fn the_child_reads_the_input_and_writes_the_outputs_of_the_gate() {
    let mut command = gate_sh("read line; echo \"out $line\"; echo \"err $line\" >&2");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("out hello\n"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("err hello\n"));
}

#[test]
fn term_is_passed_on() {
    // The shell runs a trap after the command that it waits for, so it waits with a builtin.
    let running = Running::until(gate_sh("trap 'exit 7' TERM; echo ready; read line; exit 1"), "ready");
    running.send(Signal::TERM);
    assert_eq!(running.end().code(), Some(7));
    let running = Running::until(gate_sh("echo ready; exec cat"), "ready");
    running.send(Signal::TERM);
    assert_eq!(running.end().code(), Some(128 + 15));
}

#[test]
fn a_hang_up_is_survived_to_see_the_end() {
    let mut running = Running::until(gate_sh("echo ready; read line; exit 5"), "ready");
    running.send(Signal::HUP);
    running.say("go on");
    assert_eq!(running.end().code(), Some(5));
}

#[test]
fn what_the_terminal_sends_is_for_the_child_to_decide() {
    for signal in [Signal::INT, Signal::QUIT] {
        let script = "trap 'exit 9' INT QUIT; echo ready; read line; exit 1";
        let running = Running::until(gate_sh(script), "ready");
        running.send_to_all(signal);
        let status = running.end();
        assert_eq!((status.code(), status.signal()), (Some(9), None));

        let running = Running::until(gate_sh("ulimit -c 0; echo ready; exec cat"), "ready");
        running.send_to_all(signal);
        assert_eq!(running.end().code(), Some(128 + signal.as_raw()));

        // To the gate alone it is nothing, once the child runs: and it does so for the gate as well when TERM got through.
        let script = "trap 'echo passed' TERM; echo ready; until read line && test \"$line\" = end; do :; done; exit 5";
        let mut running = Running::until(gate_sh(script), "ready");
        running.send(Signal::TERM);
        running.wait_for("passed");
        running.send(signal);
        running.say("end");
        assert_eq!(running.end().code(), Some(5));
    }
}

#[test]
fn what_the_parent_ignores_the_child_ignores() {
    let ignoring = |script: &str| {
        let inner = bare_gate(&["sh", "-c", script]);
        let mut outer = Command::new("sh");
        outer
            .args(["-c", "trap '' HUP INT QUIT TERM; exec \"$@\"", "sh"])
            .arg(inner.get_program())
            .args(inner.get_args());
        same_environment(&mut outer, &inner);
        outer
    };
    let script = "kill -HUP $$; kill -INT $$; kill -QUIT $$; kill -TERM $$; exit 6";
    assert_eq!(code(ignoring(script)), Some(6));
    assert_eq!(code(gate_sh(script)), Some(128 + 1));
}

#[test]
fn a_signal_before_the_start_means_not_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("started");
    let held_until = |signal: Signal| {
        let mut command = gate(&["touch", mark.to_str().unwrap()]);
        command.env(HOLD, signal.as_raw().to_string());
        let running = Running::until(command, "holding");
        running.send(signal);
        running.end().code()
    };
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        assert_eq!(held_until(signal), Some(125));
        assert!(!mark.exists());
    }
    assert_eq!(held_until(Signal::USR1), Some(0));
    assert!(mark.exists());
}

#[test]
fn a_child_that_is_stopped_without_a_terminal_is_waited_for() {
    // A session of its own has no terminal, whatever the tests run on.
    let inner = gate_sh("echo ready $$; kill -STOP $$; echo resumed; exit 4");
    let mut outer = Command::new("setsid");
    outer.arg("--wait").arg(inner.get_program()).args(inner.get_args());
    same_environment(&mut outer, &inner);
    outer.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = outer.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let pid = loop {
        let mut line = String::new();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0);
        if let Some(pid) = line.strip_prefix("ready ") {
            break Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        }
    };
    wait_until_stopped(pid);
    kill_process(pid, Signal::CONT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("resumed"));
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

/// Looks until the kernel says that the process is stopped.
fn wait_until_stopped(pid: Pid) {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    while !fs::read_to_string(&stat).unwrap().contains(") T ") {
        std::thread::yield_now();
    }
}

/// Runs a script of sh(1) with a terminal and job control, in which `"$@"` is the gate, and returns what it showed.
fn on_a_terminal(script: &str, inner: &Command) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session");
    let quote = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<_> = std::iter::once(inner.get_program()).chain(inner.get_args()).map(quote).collect();
    fs::write(&file, format!("set -m; set -- {}\n{script}\n", words.join(" "))).unwrap();
    let mut outer = Command::new("script");
    outer.args(["-q", "-c"]).arg(format!("sh {}", quote(file.as_os_str()))).arg("/dev/null").stdin(Stdio::null());
    same_environment(&mut outer, inner);
    let output = outer.output().unwrap();
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn a_stopped_child_gives_the_shell_back_and_resumes_with_the_gate() {
    // As Ctrl-Z does: to the whole group, which the gate shares with its child.
    let inner = gate_sh("echo started; kill -TSTP 0; echo resumed; exit 4");
    let shown = on_a_terminal("\"$@\"; echo \"shell $?\"; fg >/dev/null; echo \"end $?\"", &inner);
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text:?} in {shown}"));
    let stopped = format!("shell {}", 128 + Signal::STOP.as_raw());
    assert!(at("started") < at(&stopped) && at(&stopped) < at("resumed") && at("resumed") < at("end 4"), "{shown}");
}

#[test]
fn whoever_resumes_the_gate_alone_resumes_the_child() {
    // A pipe tells the end: what a shell says of a job that others resumed differs from shell to shell.
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (gate, pipe) = (path("gate"), path("pipe"));
    let inner = gate_sh(&format!("echo $PPID >'{gate}'; kill -TSTP 0; echo resumed >'{pipe}'; exit 4"));
    let shown = on_a_terminal(&format!("mkfifo '{pipe}'; \"$@\"; kill -CONT $(cat '{gate}'); cat '{pipe}'"), &inner);
    assert!(shown.contains("resumed\n"), "{shown}");
}

#[test]
fn the_child_may_read_the_terminal() {
    // A child in a group of its own would be stopped for it.
    let inner = gate_sh("stty -a </dev/tty >/dev/null && stty sane </dev/tty && echo mine");
    let shown = on_a_terminal("\"$@\" </dev/tty; echo \"end $?\"", &inner);
    assert!(shown.contains("mine") && shown.contains("end 0"), "{shown}");
}

/// These need root; elsewhere there is nothing to drop.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The gate as sudo would start it for this user.
fn sudo(user: &str, uid: &str, argv: &[&str]) -> Command {
    let mut command = gate(argv);
    command.env("SUDO_UID", uid).env("SUDO_GID", uid).env("SUDO_USER", user).env("MAIL", "/var/mail/root");
    command.env("PHABGATE_TOKEN", "hunter2").current_dir(Path::new("/"));
    command
}

#[test]
fn a_gate_that_is_root_for_somebody_runs_the_command_as_them() {
    if !is_root() {
        return;
    }
    let seen = output(sudo("nobody", "65534", &["sh", "-c", "id -u; id -ru; id -G; grep Cap /proc/self/status; env"]));
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines.iter().filter(|line| **line == "65534").count(), 3, "{seen}");
    for expected in ["USER=nobody", "LOGNAME=nobody", "CapEff:\t0000000000000000", "CapInh:\t0000000000000000"] {
        assert!(lines.contains(&expected), "{expected} in {seen}");
    }
    for hidden in ["SUDO_", "MAIL=", "hunter2", "HOME=/root"] {
        assert!(!seen.contains(hidden), "{hidden} in {seen}");
    }
}

#[test]
fn dropped_privileges_change_nothing_else() {
    if !is_root() {
        return;
    }
    assert_eq!(code(sudo("nobody", "65534", &["sh", "-c", "exit 3"])), Some(3));
    assert_eq!(code(sudo("nobody", "65534", &["sh", "-c", "kill -9 $$"])), Some(137));
    assert_eq!(code(sudo("nobody", "65534", &["no-such-command-anywhere"])), Some(127));
    let command = sudo("nobody", "65534", &["sh", "-c", "trap 'exit 7' TERM; echo ready; read line; exit 1"]);
    let running = Running::until(command, "ready");
    running.send(Signal::TERM);
    assert_eq!(running.end().code(), Some(7));
}
