//! `run`, `record` and `outbox` end to end: what happens, what is on the task, how it ends.

use std::fs;

use phabgate::record::{Event, ExitStatus, Outcome};
use serde_json::Value;

use crate::server::{Server, in_one_line};

#[test]
fn a_deploy_is_run_and_recorded() {
    let server = Server::new();
    let result = server.machine.home().join("result.json");
    let path = result.to_str().unwrap();
    let (code, out, err) = server.run(&[
        "run",
        "T1",
        "--deployer",
        "deployer1",
        "--result",
        path,
        "--",
        "sh",
        "-c",
        "echo deployed; exit 3",
    ]);
    assert_eq!((code, out.as_str()), (3, "deployed\n"), "{err}");
    let records = server.records(1);
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
    let finished = &records[1];
    assert_eq!((finished.outcome, finished.exit), (Some(Outcome::Failed), Some(ExitStatus::Code(3))));
    assert_eq!(finished.command.as_deref(), Some("sh -c 'echo deployed; exit 3'"));
    let by: Vec<&str> = finished.approvals.iter().map(|approval| approval.user.as_str()).collect();
    assert_eq!(by, ["releng1", "sre1"]);
    assert!(finished.started <= finished.finished);
    let result: Value = serde_json::from_slice(&fs::read(result).unwrap()).unwrap();
    assert_eq!(
        (&result["child_started"], &result["exit_code"], &result["verdict"]),
        (&true.into(), &3.into(), &"allowed".into())
    );
    assert_eq!(result["records"].as_array().unwrap().len(), 2);
}

#[test]
fn the_result_of_an_earlier_run_does_not_speak_for_a_command_line_that_is_refused() {
    let server = Server::new();
    let file = server.machine.home().join("result.json");
    for (arguments, why) in [
        ("run T1 --result result.json --frobnicate -- true", "unexpected argument '--frobnicate' found"),
        ("run T1 --wait 30min5 --result=result.json -- true", "unexpected argument '30min5' found"),
        ("run T1 --result result.json --format csv -- true", "csv, html and prometheus are formats of `audit` alone"),
        ("run T1 --result result.json --", "no command"),
        ("run T2 --deployer deployer1 --result result.json -- true", "the verdict is denied"),
    ] {
        fs::write(&file, "an earlier run").unwrap();
        let (code, _, err) = server.run(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(code, 125, "{err}");
        let result: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap_or_else(|_| panic!("{arguments}"));
        let said = (&result["child_started"], &result["exit_code"], &result["status"]);
        assert_eq!(said, (&false.into(), &125.into(), &Value::Null), "{arguments}");
        assert!(result["error"].as_str().unwrap().contains(why), "{arguments}: {result}");
    }
    // Without -- it may be the command's own argument.
    fs::write(&file, "the command's").unwrap();
    let (code, _, err) = server.run(&["run", "T1", "tool", "--result", "result.json"]);
    assert_eq!((code, fs::read_to_string(&file).unwrap().as_str()), (125, "the command's"), "{err}");
}

#[test]
fn what_is_not_allowed_is_not_run() {
    let server = Server::new();
    for task in ["T2", "T6", "T15", "T22", "T27"] {
        let (code, out, err) = server.run(&["run", task, "--deployer", "deployer1", "--", "touch", "ran"]);
        assert_eq!((code, out.as_str()), (125, ""), "{task}");
        assert!(err.contains("PENDING") || err.contains("DENIED"), "{err}");
    }
    assert!(!server.machine.home().join("ran").exists());
    assert!(server.running.served().iter().all(|served| served.method != "maniphest.edit"));
}

#[test]
fn a_dry_run_shows_the_comments_and_posts_nothing() {
    let server = Server::new();
    let (code, out, _) = server.run(&["run", "T1", "--deployer", "deployer1", "--dry-run", "--", "touch", "ran"]);
    assert_eq!(code, 0);
    assert!(out.contains("**Deploy started**") && out.contains("**Deploy succeeded**"), "{out}");
    assert!(!server.machine.home().join("ran").exists());
    assert!(server.running.served().iter().all(|served| served.method != "maniphest.edit"));
}

#[test]
fn the_status_of_run_is_the_commands_or_says_why_there_is_none() {
    let server = Server::new();
    let run = |command: &[&str]| {
        let arguments = [&["run", "T1", "--deployer", "deployer1", "--"], command].concat();
        server.run(&arguments).0
    };
    assert_eq!(run(&["true"]), 0);
    assert_eq!(run(&["sh", "-c", "kill -9 $$"]), 137);
    let before = server.records(1).len();
    assert_eq!(run(&["no-such-command-anywhere"]), 127);
    assert_eq!(run(&["/etc/passwd"]), 126);
    assert_eq!(server.records(1).len(), before, "nothing was posted for what cannot be run");
}

#[test]
fn bad_input_gets_one_clear_line_and_nothing_is_posted() {
    let server = Server::new();
    let other = "https://phab.example/T1";
    for arguments in [
        &["check", "T0"][..],
        &["check", "1234"],
        &["check", other],
        &["check", "T1", "--approved-by", "dba=sre1"],
        &["check", "T1", "--approved-by", "sre"],
        &["check", "T1", "--evidence", "https://x"],
        &["check", "T1", "--deployer", ""],
        &["check", "T1", "--action", "pray"],
        &["check"],
        &["nonsense"],
        &["record", "T1", "--started", "yesterday"],
        &["record", "T1", "--started", "2999-01-01T00:00Z"],
        &["record", "T1", "--deploy", "not-an-id"],
        &["check", "T1", "--config", "no/such/file.toml"],
    ] {
        let (code, out, err) = server.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    for arguments in
        [&["run", "T0", "--", "true"][..], &["run", other, "--", "true"], &["run", "T1"], &["run", "T1", "--nonsense"]]
    {
        let (code, _, err) = server.run(arguments);
        assert_eq!(code, 125, "{arguments:?}: {err}");
        assert!(err.starts_with("error: "), "{arguments:?}: {err}");
    }
    assert!(server.running.served().iter().all(|served| served.method != "maniphest.edit"));
}

#[test]
fn a_record_is_posted_whatever_the_verdict() {
    let server = Server::new();
    let (code, out, err) = server.run(&[
        "record",
        "T15",
        "--deployer",
        "deployer1",
        "--outcome",
        "succeeded",
        "--command",
        "scap --token=s3cret sync",
        "--note",
        "by hand",
    ]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("verdict: denied"), "{out}");
    let record = &server.records(15)[0];
    assert_eq!(
        (record.event, record.outcome, record.verdict.as_str()),
        (Event::Recorded, Some(Outcome::Succeeded), "denied")
    );
    assert_eq!(record.command.as_deref(), Some("scap --token=[masked] sync"));
    assert!(record.failed.contains(&"rejected".to_owned()));
}

#[test]
fn nobody_records_for_others_with_a_token_of_their_own() {
    let server = Server::new();
    for (arguments, code) in [(&["record", "T1", "--outcome", "succeeded"][..], 2), (&["run", "T1"], 125)] {
        let mut command = server.phabgate_as("deployer2");
        let rest = if code == 125 { &["--", "true"][..] } else { &[] };
        let output = command.args(arguments).args(["--deployer", "deployer2"]).args(rest).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "their own deploy");
        let mut command = server.phabgate_as("outsider");
        let output = command.args(arguments).args(["--deployer", "deployer1"]).args(rest).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_server_that_is_down_leaves_the_record_in_the_outbox() {
    let server = Server::broken(&["*:503"]);
    let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--note", "the server was down"];
    let (code, out, err) = server.run(&record);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("queued for T1 (verdict: undecided)"), "{out}");
    let (code, out, _) = server.run(&["outbox", "list"]);
    assert_eq!(code, 3);
    assert!(out.contains("T1 recorded"), "{out}");
    let (code, _, _) = server.run(&["outbox", "flush"]);
    assert_eq!(code, 3);
    server.running.inject(vec![]);
    let (code, out, err) = server.run(&["outbox", "flush"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{err}");
    assert_eq!(server.events(1), [Event::Recorded]);
}

#[test]
fn a_stranded_deploy_is_closed_by_its_id() {
    let server = Server::new();
    let (code, ..) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0);
    let deploy = server.records(1)[0].deploy.to_string();
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--deploy", &deploy, "--finished"]);
    assert_eq!(code, 2);
    assert!(err.contains("has an end already"), "{err}");
}

#[test]
fn the_child_never_sees_the_token() {
    let server = Server::new();
    let (code, out, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "env"]);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains("PHABGATE_TOKEN") && out.contains("PHABGATE_URL"), "{out}");
}

#[test]
fn a_signal_while_waiting_ends_with_125_and_the_result_says_why() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, why) in
        [(Signal::INT, "interrupted"), (Signal::TERM, "terminated"), (Signal::HUP, "the terminal was hung up")]
    {
        let server = Server::new();
        let template = server.phabgate();
        // Whoever runs the tests may ignore signals, and what is ignored stays so.
        let mut command = std::process::Command::new("/usr/bin/env");
        command.arg("--default-signal=INT,TERM,HUP").arg(template.get_program());
        command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(server.machine.home()).stderr(std::process::Stdio::piped());
        let words =
            ["run", "T6", "--deployer", "deployer1", "--wait=2m", "--result", "result.json", "--", "touch", "ran"];
        let gate = command.args(words).spawn().unwrap();
        while !server.running.served().iter().any(|served| served.method == "user.search") {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&gate), signal).unwrap();
        let output = gate.wait_with_output().unwrap();
        let said = in_one_line(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(125), "{why}: {said}");
        let line =
            format!("T6: {why} before the command was started: nothing was run, and nothing was written on the task");
        assert!(said.contains(&line), "{said}");
        let result: Value =
            serde_json::from_slice(&fs::read(server.machine.home().join("result.json")).unwrap()).unwrap();
        assert_eq!((&result["exit_code"], &result["child_started"]), (&125.into(), &false.into()), "{result}");
        assert_eq!(result["error"], format!("{why} before the command was started"), "{result}");
        assert_eq!(server.events(6), [], "{said}");
        assert!(!server.machine.home().join("ran").exists());
    }
}

#[test]
fn waiting_ends_when_the_missing_approval_comes() {
    let server = Server::new();
    let mut command = server.phabgate();
    command.args(["run", "T6", "--deployer", "deployer1", "--wait=2m", "--", "echo", "deployed"]);
    let running = server.running.clone();
    let approver = std::thread::spawn(move || {
        // Once the gate has read the task, it waits; what comes now it must see.
        while !running.served().iter().any(|served| served.method == "user.search") {
            std::thread::yield_now();
        }
        running.change(|world, now| {
            let task = world.task_numbered(6).unwrap().phid.clone();
            let template = world.history(&task).into_iter().rfind(|row| !row.versions.is_empty()).unwrap().clone();
            let author = world.user_named("sre1").unwrap().phid.clone();
            let id = world.transactions.iter().map(|row| row.id).max().unwrap() + 1;
            let mut row = template;
            (row.id, row.phid, row.author) = (id, format!("PHID-XACT-TASK-{id}"), author.clone());
            (row.created, row.modified) = (now, now);
            row.versions.truncate(1);
            row.versions[0].author = author;
            row.versions[0].created = now;
            row.versions[0].text = "Emergency-Approve: sre".to_owned();
            world.transactions.push(row);
        })
    });
    let output = command.output().unwrap();
    approver.join().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"deployed\n"[..]), "{said}");
    let said = in_one_line(&said);
    let waits =
        "waiting up to 2 min for sre (both, sre1, sre2): they write on T6, alone on a line, \"Emergency-Approve: sre\"";
    assert!(said.contains(waits) && said.contains("phabgate: sre1 approved for sre phabgate: T6: allowed"), "{said}");
}

#[test]
fn a_record_that_waited_is_sent_by_nobody_whom_no_reader_would_believe() {
    for deployer in [&["--deployer", "deployer1"][..], &[]] {
        let server = Server::broken(&["*:503"]);
        let flush = |account: &str| server.phabgate_as(account).args(["outbox", "flush"]).output().unwrap();
        let arguments = [&["record", "T1", "--outcome", "succeeded"][..], deployer].concat();
        let queued = server.phabgate_as("deployer1").args(arguments).output().unwrap();
        assert_eq!(queued.status.code(), Some(0));
        server.running.inject(vec![]);
        if !deployer.is_empty() {
            let refused = flush("outsider");
            assert_eq!(refused.status.code(), Some(3), "{}", String::from_utf8_lossy(&refused.stderr));
            assert!(in_one_line(&String::from_utf8_lossy(&refused.stderr)).contains("nobody would believe it"));
            assert!(server.records(1).is_empty());
        }
        // Of the deployer's own token it is believed, by the account that was not known before.
        assert_eq!(flush("deployer1").status.code(), Some(0));
        let record = &server.records(1)[0];
        let named = record.deployer.as_ref().unwrap();
        assert_eq!(named.user, "deployer1");
        let world = server.running.world().unwrap();
        let account = world.users.iter().find(|user| user.username == "deployer1").unwrap();
        assert_eq!(named.phid.as_ref().map(|phid| phid.as_str()), Some(account.phid.as_str()));
    }
}

#[test]
fn what_may_have_arrived_and_is_somebody_elses_is_not_waited_for() {
    let server = Server::broken(&["maniphest.edit:redirect"]);
    let record = ["record", "T1", "--outcome", "succeeded", "--yes", "--format", "json"];
    let queued = server.phabgate_as("deployer1").args(record).output().unwrap();
    assert!(String::from_utf8_lossy(&queued.stdout).contains("\"state\": \"unclear\""), "{queued:?}");
    let flush = server.phabgate_as("outsider").args(["outbox", "flush", "--wait"]).output().unwrap();
    assert_eq!(flush.status.code(), Some(3));
    let said = in_one_line(&String::from_utf8_lossy(&flush.stderr));
    assert!(
        said.contains("it is not waited for: the token is that of outsider, who is neither its deployer"),
        "{said}"
    );
    assert!(!said.contains("waiting until"), "{said}");
}

#[test]
fn a_wait_beyond_all_clocks_is_a_long_wait_and_no_crash() {
    let server = Server::new();
    let mut run = server.phabgate();
    run.args(["run", "T6", "--deployer", "deployer1", "--wait=2000000000000000h", "--", "true"]);
    // It waits until it is killed: what is looked at is that it did not die before.
    let output = run.timeout(std::time::Duration::from_secs(3)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("waiting up to") && !said.contains("panicked"), "{said}");
}

#[test]
fn a_deploy_of_this_host_that_its_gate_left_open_is_closed_by_hand() {
    let server = Server::new();
    let run = ["run", "T1", "--deployer", "deployer1", "--", "touch", "ran"];
    let killed = server.phabgate().env("PHABGATE_CRASH_AT", "after-wait").args(run).output().unwrap();
    assert_eq!(killed.status.code(), None);
    let deploy = server.records(1)[0].deploy.to_string();
    let (code, _, err) = server.run(&["check", "T1", "--deployer", "deployer1"]);
    assert_eq!(code, 1, "{err}");
    let close = ["record", "T1", "--deployer", "deployer1", "--deploy", &deploy, "--outcome", "succeeded"];
    let (code, _, err) = server.run(&close);
    assert_eq!(code, 0, "{err}");
    // What was told by hand is its one end: the gate, which saw none, says nothing beside it.
    assert_eq!(server.run(&["outbox", "flush", "--wait"]).0, 0);
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
    assert_eq!(server.records(1)[1].outcome, Some(Outcome::Succeeded));
    assert_eq!(server.run(&["check", "T1", "--deployer", "deployer1"]).0, 0);
    // From another host, which does not know it, it is over as well.
    let state = server.machine.home().join("other");
    let other = server.phabgate().env("PHABGATE_STATE", state).args(close).output().unwrap();
    assert_eq!(other.status.code(), Some(2));
}
