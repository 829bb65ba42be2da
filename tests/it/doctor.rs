//! `doctor` end to end: what it finds, how it ends, and that it writes nothing.

use serde_json::Value;

use crate::harness::Machine;
use crate::server::Server;

/// What `doctor` of this account says, as JSON, and how it ends.
fn doctor(server: &Server, account: &str, arguments: &[&str]) -> (i32, Value) {
    let mut command = server.phabgate_as(account);
    let output = command.args(["doctor", "--format", "json"]).args(arguments).output().unwrap();
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), told)
}

/// The names of the checks with an outcome.
fn named(told: &Value, outcome: &str) -> Vec<String> {
    let checks = told["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == outcome);
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

/// Text without how long the slowest call took.
fn timeless(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("calls, the slowest") {
        Some((before, _)) => format!("{before}calls, the slowest [...]"),
        None => line.to_owned(),
    });
    // How a path or a duration wraps hangs on their length.
    lines.filter(|line| !line.trim_end().ends_with(" ms")).map(|line| line + "\n").collect()
}

#[test]
fn the_sandbox_is_examined() {
    let machine = Machine::new();
    let mut command = machine.phabgate();
    // Wide enough that no line breaks at a path of this run.
    let output = command.env("COLUMNS", "400").args(["--sandbox", "doctor"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap().replace(machine.home().to_str().unwrap(), "[HOME]");
    assert_eq!(output.status.code(), Some(0), "{out}");
    insta::assert_snapshot!("doctor", timeless(&out));
}

/// What `doctor` in the sandbox says, each check with its outcome and its message.
fn in_sandbox(
    machine: &Machine,
    arguments: &[&str],
    variable: Option<&std::path::Path>,
) -> Vec<(String, String, String)> {
    let mut command = machine.phabgate();
    command.arg("--sandbox").args(arguments).args(["doctor", "--format", "json"]);
    command.envs(variable.map(|file| ("PHABGATE_CONFIG", file)));
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = said["checks"].as_array().unwrap().iter();
    checks.map(|check| (text(check, "name"), text(check, "outcome"), text(check, "message"))).collect()
}

#[test]
fn what_the_sandbox_leaves_out_is_listed_with_the_reason() {
    let machine = Machine::new();
    let file = machine.home().join("real.toml");
    let settings = "[policy]\nwitnesses = [\"irc-witness\"]\n\
                    [irc]\ntcpircbot = \"tcpircbot.example:9200\"\nserver = \"irc.example:6697\"\n\
                    witness_token_file = \"/etc/phabgate/irc-witness-token\"\n\
                    [irc.accounts.alice]\naccount = \"Alice\"\nsince = \"2026-11-28\"\n\
                    [serve]\nurl = \"https://watch.example/\"\n";
    std::fs::write(&file, settings).unwrap();
    let checks = in_sandbox(&machine, &["--config", file.to_str().unwrap()], None);
    let not_made: Vec<&str> = checks
        .iter()
        .filter(|(_, outcome, message)| outcome == "warn" && message.starts_with("not checked: "))
        .map(|(name, ..)| name.as_str())
        .collect();
    let elsewhere = ["watch:page", "watch:way", "irc:tcpircbot", "irc:watch", "irc:network"];
    assert_eq!(not_made, [&elsewhere[..], &["irc:witness", "irc:members", "irc:witnessed"]].concat(), "{checks:?}");

    // A file of the environment is of a real server, and is not read.
    let checks = in_sandbox(&machine, &[], Some(&file));
    let (name, outcome, message) = &checks[0];
    assert_eq!((name.as_str(), outcome.as_str()), ("configuration", "warn"));
    let named = format!("with --sandbox the file {} of PHABGATE_CONFIG is not read", file.display());
    assert!(message.starts_with("no file, all is built in") && message.ends_with(&named), "{message}");
    assert!(!checks.iter().any(|(name, ..)| name.starts_with("irc:")), "{checks:?}");
}

#[test]
fn the_command_that_comes_next_names_the_configuration_in_the_sandbox_too() {
    let machine = Machine::new();
    let file = machine.home().join("mine.toml");
    std::fs::write(&file, "[policy]\ntag = \"nowhere\"\n").unwrap();
    let mut command = machine.phabgate();
    command.env("COLUMNS", "400").args(["--sandbox", "--config", file.to_str().unwrap(), "doctor"]);
    let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let next = format!("Once that is mended: phabgate --sandbox --config {} doctor\n", file.display());
    assert!(out.contains("NOT READY") && out.ends_with(&next), "{out}");
    let output = machine.phabgate().args(["--config", "mine.toml", "T1"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`phabgate --config mine.toml check T1`"), "{said}");
}

#[test]
fn nothing_is_written() {
    let server = Server::new();
    let before = server.running.world().unwrap();
    for account in ["phabgate", "sre1", "deployer1"] {
        let (code, told) = doctor(&server, account, &[]);
        assert_eq!(code, 0, "{told}");
        assert_eq!(
            (&told["schema"], &told["ok"], &told["user"]),
            (&"phabgate/doctor/1".into(), &true.into(), &account.into())
        );
    }
    let after = server.running.world().unwrap();
    assert!(after.transactions == before.transactions && after.tasks == before.tasks);
    // It was tried all the same.
    assert!(server.running.served().iter().any(|served| served.method == "maniphest.edit"));
}

#[test]
fn a_failed_check_fails_the_command() {
    let server = Server::new();
    let (code, told) = doctor(&server, "robot", &[]);
    assert_eq!((code, named(&told, "fail")), (1, vec!["token".to_owned()]));
    server
        .running
        .change(|world, _| world.projects.retain(|project| project.slugs.iter().all(|slug| slug != "sre")))
        .unwrap();
    let (code, told) = doctor(&server, "phabgate", &[]);
    assert_eq!((code, named(&told, "fail")), (1, vec!["team:sre".to_owned()]));
    // A task that this account is not shown is none to try on.
    let (_, told) = doctor(&server, "sre1", &["--task", "T27"]);
    assert!(named(&told, "warn").contains(&"comment".to_owned()), "{told}");
}

#[test]
fn refused_credentials_are_told_beside_the_rest() {
    let server = Server::new();
    let (code, told) = doctor(&server, "gone", &[]);
    assert_eq!((code, named(&told, "fail")), (4, vec!["token".to_owned()]));
    assert_eq!(named(&told, "pass"), ["configuration", "journal", "outbox"]);
    let mut command = server.machine.phabgate();
    let output = command.env("PHABGATE_URL", "https://phab.example").args(["doctor"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{out}");
    assert!(out.contains("NOT READY: look at token") && out.contains("there is no token"), "{out}");
}

#[test]
fn a_journal_that_cannot_be_written_is_told_beside_the_rest() {
    let server = Server::new();
    std::fs::write(server.machine.home().join("state"), "no directory").unwrap();
    let (code, told) = doctor(&server, "phabgate", &[]);
    assert_eq!((code, named(&told, "fail")), (1, vec!["journal".to_owned()]));
    assert!(named(&told, "pass").contains(&"team:sre".to_owned()));
    // There is a journal, and no room for how a command ends: `run` would refuse.
    let server = Server::new();
    std::fs::create_dir_all(server.machine.home().join("state/deploys/trial.reserve")).unwrap();
    for directory in ["state", "state/deploys"] {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(server.machine.home().join(directory), private).unwrap();
    }
    let (code, told) = doctor(&server, "phabgate", &[]);
    assert_eq!((code, named(&told, "fail")), (1, vec!["journal".to_owned()]), "{told}");
    assert!(told.to_string().contains("cannot keep room for how the command ends"), "{told}");
}

#[test]
fn what_does_not_answer_leaves_it_undecided() {
    // What is garbage now is garbage the next time; a server that is down is asked again for as long as there is time.
    for fault in [
        "user.whoami:503",
        "user.whoami:garbage",
        "maniphest.status.search:garbage",
        "project.search:garbage",
        "user.search:garbage",
        "maniphest.search:garbage",
        "maniphest.edit:garbage",
    ] {
        let server = Server::broken(&[fault]);
        let (code, told) = doctor(&server, "phabgate", &[]);
        assert_eq!(code, 3, "{fault}: {told}");
        assert!(!named(&told, "unknown").is_empty() && named(&told, "fail").is_empty(), "{fault}: {told}");
        assert!(named(&told, "pass").contains(&"journal".to_owned()), "{fault}: {told}");
    }
}

/// `doctor` with these settings besides those of the tests: its checks of the watch, by name.
fn of_watch(server: &Server, settings: &str) -> (i32, std::collections::BTreeMap<String, (String, String)>) {
    let home = server.machine.home();
    let base = std::fs::read_to_string(home.join("config.toml")).unwrap();
    std::fs::write(home.join("watched.toml"), format!("{base}{settings}")).unwrap();
    let mut command = server.phabgate();
    command.env("PHABGATE_CONFIG", home.join("watched.toml")).args(["doctor", "--format", "json"]);
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = said["checks"].as_array().unwrap().iter().filter_map(|check| {
        let name = check["name"].as_str().unwrap().strip_prefix("watch:")?.to_owned();
        let part = |key: &str| check[key].as_str().unwrap_or_default().to_owned();
        Some((name, (part("outcome"), part("message"))))
    });
    (output.status.code().unwrap(), checks.collect())
}

const TOKEN: &str = "[serve.tokens.ci]\nscopes = [\"deploy\"]\n\
                     sha256 = \"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\"\n";

#[test]
fn a_token_that_leaves_a_team_too_few_people_fails_and_no_watch_starts_with_it() {
    let server = Server::new();
    let (code, checks) = of_watch(&server, &format!("{TOKEN}deployers = [\"deployer1\"]\npeople = [\"sre1\"]\n"));
    assert_eq!((code, checks["token:ci"].0.as_str()), (0, "pass"), "{checks:?}");
    let all = format!("{TOKEN}deployers = [\"deployer1\", \"sre1\"]\npeople = [\"both\", \"SRE2\"]\n");
    let (code, checks) = of_watch(&server, &all);
    let (outcome, why) = &checks["token:ci"];
    assert_eq!((code, outcome.as_str()), (1, "fail"), "{checks:?}");
    assert!(why.contains("it leaves #sre 0 people of the 1 that it needs"), "{why}");
    let mut serve = server.phabgate();
    serve.env("PHABGATE_CONFIG", server.machine.home().join("watched.toml"));
    let ended = serve.args(["serve", "--listen", "127.0.0.1:0"]).timeout(std::time::Duration::from_secs(60)).output();
    let ended = ended.unwrap();
    let error = crate::server::in_one_line(&String::from_utf8(ended.stderr).unwrap());
    assert_eq!((ended.status.code(), ended.stdout.is_empty()), (Some(2), true), "{error}");
    assert!(error.contains(&format!("token:ci: {why}")), "{error}");
}

#[test]
fn a_watch_that_runs_is_seen_and_one_that_does_not_is_warned_of() {
    let server = Server::new();
    assert_eq!(of_watch(&server, "").1.len(), 0, "nothing of a watch is set");
    let watch = crate::watch_client::Watch::of(&server);
    let listen = watch.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let settings = format!("[serve]\nlisten = \"{listen}\"\nviewers = [\"alice\"]\n");
    let (code, checks) = of_watch(&server, &settings);
    let (outcome, said) = &checks["running"];
    assert_eq!((code, outcome.as_str()), (0, "pass"), "{said}");
    assert!(said.starts_with(&format!("at {listen}; changes ")) && said.ends_with("no webhook is set up"), "{said}");
    drop(watch);
    let (code, checks) = of_watch(&server, &settings);
    let (outcome, said) = &checks["running"];
    assert_eq!((code, outcome.as_str()), (0, "warn"), "{said}");
    assert!(said.starts_with(&format!("no watch answers at {listen} (")), "{said}");
}
