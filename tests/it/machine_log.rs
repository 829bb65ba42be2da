//! What the log of the machine gets: on sockets that a test makes, as journald and as syslog, and where neither takes anything.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use crate::harness::Machine;
use crate::server::Server;

/// A log that keeps what it gets.
pub(crate) struct Log {
    socket: UnixDatagram,
}

/// Where the sockets of a machine are looked for.
fn sockets(machine: &Machine) -> [PathBuf; 2] {
    ["run/systemd/journal/socket", "dev/log"].map(|path| machine.home().join("log").join(path))
}

impl Log {
    /// systemd's journal.
    pub(crate) fn journald(server: &Server) -> Self {
        Self::at(&sockets(&server.machine)[0])
    }

    /// syslog.
    fn syslog(server: &Server) -> Self {
        Self::at(&sockets(&server.machine)[1])
    }

    pub(crate) fn at(path: &std::path::Path) -> Self {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket }
    }

    /// What came since this was asked last.
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let mut bytes = vec![0; 65_536];
        std::iter::from_fn(|| self.socket.recv(&mut bytes).ok().map(|length| bytes[..length].to_vec())).collect()
    }

    /// The entries of the journal that came. None of them has a field twice.
    pub(crate) fn entries(&self) -> Vec<BTreeMap<String, String>> {
        let entry = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let fields: Vec<_> =
                text.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}"))).collect();
            let entry: BTreeMap<_, _> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(entry.len(), fields.len(), "{text}");
            entry
        };
        self.datagrams().into_iter().map(entry).collect()
    }

    /// Of each entry that came its event, and the values of some fields.
    pub(crate) fn events(&self, names: &[&str]) -> Vec<String> {
        let value = |entry: &BTreeMap<String, String>, name: &str| {
            entry.get(&format!("PHABGATE_{name}")).cloned().unwrap_or_else(|| "-".to_owned())
        };
        let line = |entry: BTreeMap<String, String>| {
            ["EVENT"].iter().chain(names).map(|name| value(&entry, name)).collect::<Vec<_>>().join(" ")
        };
        self.entries().into_iter().map(line).collect()
    }
}

#[test]
fn every_verdict_and_both_ends_of_a_deploy_are_in_the_journal() {
    let server = Server::new();
    let log = Log::journald(&server);
    server.run(&["check", "T1"]);
    server.run(&["check", "T6"]);
    server.run(&["run", "T6", "--deployer", "deployer1", "--", "true"]);
    let entries = log.entries();
    let words: Vec<&str> = entries.iter().map(|entry| entry["MESSAGE"].as_str()).collect();
    let caller = entries[0]["PHABGATE_CALLER"].clone();
    assert_eq!(words.len(), 3);
    assert_eq!(words[0], format!("T1: check by {caller}: allowed"));
    assert_eq!(words[1], format!("T6: check by {caller}: pending (team:sre)"));
    assert_eq!(words[2], format!("T6: run by {caller}: pending (team:sre)"));
    let field = |name: &str| entries.iter().map(|entry| entry[name].as_str()).collect::<Vec<_>>();
    assert_eq!(field("PRIORITY"), ["5", "6", "6"]);
    assert_eq!(field("SYSLOG_IDENTIFIER"), ["phabgate"; 3]);
    assert_eq!(field("PHABGATE_TASK"), ["T1", "T6", "T6"]);
    assert_eq!(field("PHABGATE_VERDICT"), ["allowed", "pending", "pending"]);
    assert_eq!(field("PHABGATE_COMMAND"), ["check", "check", "run"]);
    assert_eq!(entries[1]["PHABGATE_RULES"], "team:sre");
    assert_eq!(entries[1]["PHABGATE_SERVER"], server.running.url.as_str());

    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "exit 3"]);
    assert_eq!(code, 3, "{err}");
    let entries = log.entries();
    let deploy = server.records(1)[0].deploy.to_string();
    assert_eq!(entries.len(), 3);
    for entry in &entries[1..] {
        assert_eq!((&entry["PHABGATE_DEPLOY"], entry["PHABGATE_DEPLOYER"].as_str()), (&deploy, "deployer1"));
    }
    let events: Vec<_> = entries.iter().map(|entry| entry["PHABGATE_EVENT"].as_str()).collect();
    assert_eq!(events, ["verdict", "started", "finished"]);
    assert_eq!(entries[1]["PHABGATE_CMDLINE"], "sh -c 'exit 3'");
    assert_eq!((entries[2]["PHABGATE_OUTCOME"].as_str(), entries[2]["PHABGATE_STATUS"].as_str()), ("failed", "3"));
    assert_eq!(entries[2]["PRIORITY"], "4");
}

#[test]
fn what_is_written_on_a_task_is_in_the_journal() {
    let server = Server::new();
    let log = Log::journald(&server);
    let as_sre = |arguments: &[&str]| {
        let output = server.phabgate_as("sre1").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    as_sre(&["approve", "T6", "--yes"]);
    as_sre(&["withdraw", "T6", "--yes"]);
    as_sre(&["reject", "T6", "--yes"]);
    assert_eq!(
        log.events(&["TASK", "TEAM", "USER"]),
        ["approve T6 sre sre1", "withdraw T6 sre sre1", "reject T6 sre sre1"]
    );
    assert_eq!(server.run(&["request", "T2", "--reason", "availability", "--yes"]).0, 0);
    assert_eq!(log.events(&["TASK"]), ["request T2"]);
    server.run(&["request", "T2", "--reason", "availability", "--yes"]);
    assert_eq!(log.events(&[]), [""; 0], "nothing was written");
    let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "rolled-back"];
    assert_eq!(server.run(&record).0, 0);
    assert_eq!(log.events(&["TASK", "STATE", "OUTCOME", "DEPLOYER"]), ["recorded T1 delivered rolled-back deployer1"]);
    server.running.inject(vec!["maniphest.edit:mfa".parse().unwrap()]);
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer2", "--outcome", "failed"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(log.events(&["STATE", "OUTCOME"]), ["recorded refused failed"]);
    let listed: serde_json::Value =
        serde_json::from_str(&server.run(&["outbox", "list", "--format", "json"]).1).unwrap();
    let deploy = listed["undelivered"][0]["deploy"].as_str().unwrap();
    assert_eq!(server.run(&["outbox", "drop", deploy, "--why", "a second factor"]).0, 0);
    assert_eq!(log.events(&["TASK", "RECORD", "DEPLOY"]), [format!("drop T1 recorded {deploy}")]);
}

#[test]
fn no_text_makes_a_field_or_shows_a_secret() {
    let server = Server::new();
    let log = Log::journald(&server);
    let hostile = "x\nPRIORITY=0\nPHABGATE_VERDICT=denied\u{1b}[2J\u{202e}";
    let (code, _, err) =
        server.run(&["run", "T1", "--deployer", "deployer1", "--", "true", "--password", "hunter2", hostile]);
    assert_eq!(code, 0, "{err}");
    let entries = log.entries();
    let [_, started, finished] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((started["PRIORITY"].as_str(), started["PHABGATE_VERDICT"].as_str()), ("5", "allowed"));
    assert_eq!(finished["PHABGATE_OUTCOME"], "succeeded");
    let all: String = entries.iter().flat_map(|entry| entry.values()).map(String::as_str).collect();
    for hidden in ["hunter2", "\u{1b}", "\u{202e}", "\n", &server.running.token_of("phabgate").unwrap().unwrap()] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }
    let (code, _, err) =
        server.run(&["run", "T1", "--deployer", "deployer1", "--hide-args", "--", "sh", "-c", ": unseen"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(log.entries()[1]["PHABGATE_CMDLINE"], "sh");
    let long = "y".repeat(200_000 / 2);
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true", &long]).0, 0);
    assert!(log.entries()[1]["PHABGATE_CMDLINE"].len() < 2_000, "it is cut");
}

#[test]
fn of_a_restricted_task_nothing_but_its_number_is_in_the_journal() {
    let server = Server::new();
    let changed = server.running.change(|world, _| {
        let gate = world.users.iter().find(|user| user.username == "phabgate").unwrap().phid.clone();
        let task = world.tasks.iter_mut().find(|task| task.id == 1).unwrap();
        (task.view, task.title) = (gate, "Embargoed thing".to_owned());
    });
    changed.unwrap();
    let log = Log::journald(&server);
    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true", "fix-embargoed-thing"]);
    assert_eq!(code, 0, "{err}");
    server.run(&["run", "T1", "--show-restricted", "--deployer", "deployer1", "--", "true", "fix-embargoed-thing"]);
    server.run(&["check", "T1", "--show-restricted"]);
    let entries = log.entries();
    assert_eq!(entries.len(), 7);
    let all = format!("{entries:?}").to_lowercase();
    assert!(!all.contains("embargo") && !all.contains("5xx"), "{all}");
    assert_eq!(entries[1].get("PHABGATE_CMDLINE"), None);
}

#[test]
fn where_there_is_no_journal_it_is_syslog() {
    let server = Server::new();
    let log = Log::syslog(&server);
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true", "a \"b\""]).0, 0);
    let lines: Vec<String> = log.datagrams().into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
    let [verdict, started, finished] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(verdict.starts_with("<85>") && verdict.contains(" phabgate["), "{verdict}");
    assert!(verdict.contains("]: event=verdict task=T1 caller="), "{verdict}");
    assert!(verdict.ends_with(" command=run verdict=allowed"), "{verdict}");
    assert!(started.contains(" cmdline=\"true 'a \\\"b\\\"'\""), "{started}");
    assert!(finished.ends_with(" outcome=succeeded status=0"), "{finished}");
}

#[test]
fn a_log_that_takes_nothing_changes_nothing() {
    let outcome = |prepare: fn(&Server) -> Option<UnixDatagram>| {
        let server = Server::new();
        let held = prepare(&server);
        let check = server.run(&["check", "T1"]);
        let (code, out, _) =
            server.run(&["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "echo did; exit 7"]);
        let (_, _, verbose) = server.run(&["-vv", "check", "T1"]);
        drop(held);
        (check, code, out, server.events(1).len(), verbose.contains("the log of this machine took no line"))
    };
    let taken = outcome(|server| {
        let path = &sockets(&server.machine)[0];
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        Some(UnixDatagram::bind(path).unwrap())
    });
    let absent = outcome(|_| None);
    let full = outcome(|server| {
        let path = &sockets(&server.machine)[0];
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let socket = UnixDatagram::bind(path).unwrap();
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to(&[0; 1024], path).is_ok() {}
        Some(socket)
    });
    let no_socket = outcome(|server| {
        for path in sockets(&server.machine) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        None
    });
    let (check, code, out, records, _) = taken.clone();
    assert_eq!((check.0, code, out.as_str(), records), (0, 7, "did\n", 2));
    assert!(!taken.4);
    for (what, other) in [("absent", absent), ("full", full), ("no socket", no_socket)] {
        assert_eq!((&other.0, other.1, &other.2, other.3), (&taken.0, taken.1, &taken.2, taken.3), "{what}");
        assert!(other.4, "{what}: -vv says so");
    }
}

#[test]
fn the_sandbox_and_who_wants_none_write_nothing() {
    let server = Server::new();
    let log = Log::journald(&server);
    let machine = &server.machine;
    assert_eq!(machine.run(&["--sandbox", "run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
    let config = machine.home().join("config.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str("[log]\nsystem = \"off\"\n");
    std::fs::write(config, text).unwrap();
    assert_eq!(server.run(&["check", "T1"]).0, 0);
    assert_eq!(log.events(&[]), [""; 0]);
}
