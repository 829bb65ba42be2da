//! A sandbox for one test, served in a thread of the test's process, and the gate that asks it.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use assert_cmd::Command;
use phabgate::record::parse::{Parsed, parse};
use phabgate::record::{Event, Record};
use phabgate::sandbox::{Like, Options, Running, Source, World, serve};

use crate::harness::Machine;

/// A text as it was before it was laid out in lines.
pub(crate) fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The built-in world with the scenarios of `world-more.json`, and tokens of its own.
pub(crate) fn world_with_more() -> World {
    let more: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/world-more.json")).unwrap();
    let part = |name: &str| more[name].clone();
    let mut world = World::built_in().unwrap();
    world.serial = more["serial"].as_u64().unwrap();
    world.projects.extend(serde_json::from_value::<Vec<phabgate::sandbox::Project>>(part("projects")).unwrap());
    for task in serde_json::from_value::<Vec<phabgate::sandbox::Task>>(part("tasks")).unwrap() {
        world.tasks.retain(|known| known.phid != task.phid);
        world.tasks.push(task);
    }
    world.tasks.sort_by_key(|task| task.id);
    world
        .transactions
        .extend(serde_json::from_value::<Vec<phabgate::sandbox::Transaction>>(part("transactions")).unwrap());
    world.renew_tokens();
    world
}

/// The sandbox, and a machine on which the gate is set up for it.
pub(crate) struct Server {
    pub(crate) running: Arc<Running>,
    pub(crate) machine: Machine,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// The built-in world, in memory.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// The built-in world and what `world-more.json` adds, on a server that answers as this version does.
    pub(crate) fn like(like: Like) -> Self {
        Self::with(Options { source: Source::World(Box::new(world_with_more())), like, ..Options::default() })
    }

    /// The built-in world, with these faults.
    pub(crate) fn broken(faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Self::with(Options { faults, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::on(Machine::new(), options)
    }

    /// A server with which the gate is set up on a machine that may have known another.
    pub(crate) fn on(machine: Machine, options: Options) -> Self {
        let (made, served) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                made.send(Arc::new(serve(options).await.unwrap())).unwrap();
                let _ = stopped.await;
            });
        });
        let running = served.recv().unwrap();
        // On loopback the time after which an attempt is settled may be short.
        let config = "[record]\nsettle = \"1s\"\n[http]\nconnect = \"2s\"\ncall = \"1s\"\ntotal = \"6s\"\n";
        std::fs::write(machine.home().join("config.toml"), config).unwrap();
        Self { running, machine, stop: Some(stop), thread: Some(thread) }
    }

    /// Stops the server; leaves the machine, with the journal on it.
    pub(crate) fn into_machine(mut self) -> Machine {
        std::mem::replace(&mut self.machine, Machine::new())
    }

    /// `phabgate` with the token of an account.
    pub(crate) fn phabgate_as(&self, account: &str) -> Command {
        let mut command = self.machine.phabgate();
        command.env("PHABGATE_URL", self.running.url.as_str());
        command.env("PHABGATE_TOKEN", self.running.token_of(account).unwrap().unwrap());
        command.env("PHABGATE_CONFIG", self.machine.home().join("config.toml"));
        command
    }

    /// `phabgate` with the token of the recorder, for `deployer1`.
    pub(crate) fn phabgate(&self) -> Command {
        self.phabgate_as("phabgate")
    }

    /// What a command of the recorder prints: exit code, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.phabgate().args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap_or(-1), self.tidy(&text(&output.stdout)), self.tidy(&text(&output.stderr)))
    }

    /// Output without what differs from run to run.
    pub(crate) fn tidy(&self, text: &str) -> String {
        text.replace(self.running.url.as_str(), "http://sandbox/")
            .replace(self.machine.home().to_str().unwrap(), "[HOME]")
    }

    /// The records on a task, oldest first.
    pub(crate) fn records(&self, task: u64) -> Vec<Record> {
        let world = self.running.world().unwrap();
        let phid = world.task_numbered(task).unwrap().phid.clone();
        let mut rows = world.history(&phid);
        rows.sort_by_key(|row| row.id);
        let texts = rows.iter().flat_map(|row| row.versions.last()).map(|comment| comment.text.clone());
        let parsed = texts.map(|text| parse(&text)).filter_map(|parsed| match parsed {
            Parsed::Record(record) => Some(*record),
            _ => None,
        });
        parsed.collect()
    }

    /// The events of the records on a task, and that each stands there once.
    pub(crate) fn events(&self, task: u64) -> Vec<Event> {
        let records = self.records(task);
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for record in &records {
            *counts.entry((record.deploy, record.event)).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "a record stands twice: {counts:?}");
        records.iter().map(|record| record.event).collect()
    }
}

/// Runs a command on a terminal of its own, types `typed` at each question, after `before` was done; returns its exit
/// code and all that the terminal showed.
pub(crate) fn on_a_terminal(
    server: &Server,
    account: &str,
    arguments: &[&str],
    typed: &str,
    before: impl Fn(),
) -> (i32, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::{Read, Write};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = std::fs::File::options().read(true).write(true).open(name).unwrap();
    let handle = || std::process::Stdio::from(theirs.try_clone().unwrap());
    let home = server.machine.home();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_phabgate"));
    command.env_clear().env("HOME", home).env("PHABGATE_STATE", home.join("state")).env("COLUMNS", "80");
    command.env("PHABGATE_URL", server.running.url.as_str()).env("NO_COLOR", "1");
    command.env("PHABGATE_TOKEN", server.running.token_of(account).unwrap().unwrap());
    command.env("PHABGATE_CONFIG", home.join("config.toml")).env("PHABGATE_LOG_ROOT", home.join("log"));
    let mut child = command.args(arguments).stdin(handle()).stdout(handle()).stderr(handle()).spawn().unwrap();
    // The command holds its own handles by now; with ours closed the terminal ends with it.
    drop((theirs, command));
    let mut terminal = std::fs::File::from(ours);
    let (mut shown, mut asked, mut bytes) = (String::new(), 0, [0; 4096]);
    while let Ok(count) = terminal.read(&mut bytes) {
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if count == 0 {
            break;
        }
        if shown.matches("[y/N] ").count() > asked {
            asked += 1;
            before();
            terminal.write_all(typed.as_bytes()).unwrap();
        }
    }
    (child.wait().unwrap().code().unwrap(), server.tidy(&shown.replace('\r', "")))
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The audit for programs by this account: its exit code, the report, and what it said.
pub(crate) fn audit(server: &Server, account: &str, more: &[&str]) -> (i32, serde_json::Value, String) {
    let output = server.phabgate_as(account).args(["audit", "--format", "json"]).args(more).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap_or(-1), report, String::from_utf8(output.stderr).unwrap())
}
