//! What `run` and `record` write on a task: whose, when, how much of it, and after which question.

use phabgate::record::{Clock, Event, Outcome};

use crate::server::{Server, in_one_line, on_a_terminal};

const RECORD: [&str; 4] = ["record", "T1", "--deployer", "deployer1"];

#[test]
fn a_bare_record_is_not_posted_without_a_question() {
    let server = Server::new();
    let (code, _, err) = server.run(&RECORD);
    assert_eq!(code, 2);
    assert!(err.contains("how it ended is not said") && err.contains("--outcome"), "{err}");
    assert!(server.records(1).is_empty());
    let (code, shown) = on_a_terminal(&server, "phabgate", &RECORD, "n\n", || {});
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("Deploy by other means, outcome not stated") && shown.contains("for good?"), "{shown}");
    assert!(server.records(1).is_empty());
    let (code, shown) = on_a_terminal(&server, "phabgate", &RECORD, "y\n", || {});
    assert_eq!(code, 0, "{shown}");
    assert_eq!(server.events(1), [Event::Recorded]);
}

#[test]
fn the_same_record_typed_twice_is_one() {
    for times in [&[][..], &["--started", "2026-01-01 03:14 UTC"], &["--finished"]] {
        let server = Server::new();
        let arguments = [&RECORD[..], &["--outcome", "succeeded"], times].concat();
        let (code, _, err) = server.run(&arguments);
        assert_eq!(code, 0, "{times:?}: {err}");
        let (code, _, err) = server.run(&arguments);
        assert_eq!(code, 2, "{times:?}: {err}");
        assert!(in_one_line(&err).contains("T1 has a record like it: `recorded` of "), "{err}");
        assert_eq!(server.records(1).len(), 1);
        let (code, _, err) = server.run(&[&arguments[..], &["--yes"]].concat());
        assert_eq!((code, server.records(1).len()), (0, 2), "another deploy, where a person says so: {err}");
    }
}

#[test]
fn a_record_that_waits_in_the_outbox_is_known_when_it_is_typed_again() {
    let server = Server::broken(&["*:503"]);
    let arguments = [&RECORD[..], &["--outcome", "succeeded"]].concat();
    assert_eq!(server.run(&arguments).0, 0);
    let (code, _, err) = server.run(&arguments);
    assert_eq!(code, 2, "{err}");
    assert!(in_one_line(&err).contains("not yet on the task"), "{err}");
}

#[test]
fn a_record_says_what_held_when_the_deploy_started() {
    let server = Server::new();
    // Long before the task was made and anybody approved.
    let early =
        [&RECORD[..], &["--started", "2026-01-01T03:14Z", "--outcome", "succeeded", "--format", "json"]].concat();
    let (code, out, err) = server.run(&early);
    assert_eq!(code, 0, "{err}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["record"]["verdict"], &json["verdict_now"]), (&"denied".into(), &"allowed".into()), "{out}");
    let record = &server.records(1)[0];
    assert!(record.verdict == "denied" && record.approvals.is_empty(), "{record:?}");
    // An audit of the record judges the same.
    let (code, report, trouble) = server.run(&["audit", "--format", "json"]);
    assert_eq!(code, 1, "{trouble}");
    assert!(report.contains("approval-") && !report.contains("verdict-differs"), "{report}");
    assert!(
        in_one_line(&err).contains("the verdict at 2026-01-01 03:14:00 UTC was denied; now it is allowed"),
        "{err}"
    );
}

#[test]
fn the_caller_and_the_teams_projects_are_in_every_record() {
    let server = Server::new();
    assert_eq!(server.run(&["run", "T1", "--deployer", "Deployer1", "--", "true"]).0, 0);
    assert_eq!(server.run(&[&RECORD[..], &["--yes"]].concat()).0, 0);
    let records = server.records(1);
    assert_eq!(records.len(), 3);
    for record in records {
        assert!(record.caller.is_some_and(|caller| !caller.is_empty()));
        assert!(record.approvals.iter().all(|approval| approval.project.is_some() && approval.phid.is_some()));
        assert!(record.behind.is_empty(), "one account, however its name is written: {:?}", record.behind);
    }
}

#[test]
fn times_are_the_servers_and_its_end_is_known_from_the_announcement() {
    let server = Server::new();
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
    let records = server.records(1);
    let (started, finished) = (&records[0], &records[1]);
    // The clock of this machine is months away from that of the world.
    let away = |time: jiff::Timestamp| (time.as_second() - server.running.now()).abs();
    assert!(away(finished.started.unwrap()) < 600 && away(finished.finished.unwrap()) < 600, "{finished:?}");
    assert_eq!((started.clock, finished.clock), (Some(Clock::Server), Some(Clock::Server)));
    assert!(started.announced.is_none() && finished.announced.is_some());
}

#[test]
fn a_time_of_the_future_or_of_no_clock_is_refused() {
    let server = Server::new();
    for (time, says) in [
        ("2999-01-01 03:14 UTC", "is in the future: by the server's clock it is"),
        ("2026-03-29 02:30", "never showed"),
        ("2025-10-26 02:30", "twice"),
        ("yesterday", "write a time such as"),
    ] {
        let arguments = [&RECORD[..], &["--outcome", "succeeded", "--started", time]].concat();
        let output = server.phabgate().env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3").args(&arguments).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{time}: {err}");
        assert!(in_one_line(&err).contains(says), "{time}: {err}");
    }
    assert!(server.records(1).is_empty());
}

#[test]
fn a_time_zone_that_the_machine_does_not_know_is_refused_where_a_time_is_stated() {
    let server = Server::new();
    let record = |zone: &str, started: &str| {
        let mut command = std::process::Command::new("sh");
        // What reads a device without an end is stopped by the limit, not by the machine.
        command.args(["-c", "ulimit -v 2000000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_phabgate")]);
        command.args(RECORD).args(["--outcome", "succeeded", "--started", started]).env_clear();
        command.envs(server.phabgate().get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TZ", zone);
        let output = command.current_dir(server.machine.home()).output().unwrap();
        (output.status.code(), in_one_line(&String::from_utf8_lossy(&output.stderr)))
    };
    for zone in [":/dev/zero", "/dev/zero", "../../../../../../dev/zero", "Mars/Olympus", "CEST", ""] {
        let (code, err) = record(zone, "2026-01-01 06:00");
        assert_eq!(code, Some(2), "{zone}: {err}");
        assert!(err.contains("TZ") && err.contains("unset it"), "{zone}: {err}");
    }
    assert!(server.records(1).is_empty());
    let (code, err) = record(":CET-1CEST,M3.5.0,M10.5.0/3", "2026-01-01 06:00");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(server.records(1)[0].started, Some("2026-01-01T05:00:00Z".parse().unwrap()));
}

#[test]
fn beside_a_start_without_an_end_nothing_is_recorded_without_a_question() {
    let server = Server::new();
    let run = ["run", "T1", "--deployer", "deployer1", "--", "true"];
    let output = server.phabgate().env("PHABGATE_CRASH_AT", "after-spawned").args(run).output().unwrap();
    assert_eq!(output.status.code(), None);
    let start = server.records(1).swap_remove(0);
    assert_eq!(start.event, Event::Started);
    let elsewhere = server.machine.home().join("other");
    let record = |state: Option<&std::path::Path>, more: &[&str]| {
        let mut command = server.phabgate();
        command.args(RECORD).args(["--outcome", "succeeded"]).args(more);
        state.map(|state| command.env("PHABGATE_STATE", state));
        let output = command.output().unwrap();
        (output.status.code(), in_one_line(&String::from_utf8_lossy(&output.stderr)))
    };
    let close = format!("`phabgate record T1 --deploy {} --outcome", start.deploy);
    for (state, more) in [(None, &[][..]), (Some(elsewhere.as_path()), &[]), (Some(&elsewhere), &["--finished"])] {
        let (code, err) = record(state, more);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("T1 has a record like it: `started` of") && err.contains(&close), "{err}");
        assert_eq!(err.matches("a record like it").count(), 1, "{err}");
    }
    assert_eq!(server.records(1).len(), 1);
    // What had ended before it started is another deploy.
    let (code, err) = record(Some(&elsewhere), &["--finished=2026-01-01T03:14Z"]);
    assert_eq!((code, server.records(1).len()), (Some(0), 2), "{err}");
    let (code, err) = record(Some(&elsewhere), &["--deploy", &start.deploy.to_string()]);
    assert_eq!(code, Some(0), "{err}");
    let (code, err) = record(Some(&elsewhere), &[]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("`finished` of") && !err.contains("`started` of"), "the end speaks for the start: {err}");
}

#[test]
fn a_deploy_that_runs_on_this_host_is_not_recorded_a_second_time() {
    let server = Server::new();
    let gate = server.machine.home().join("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status().unwrap();
    assert!(made.success());
    let mut run = server.phabgate();
    run.args(["run", "T1", "--deployer", "deployer1", "--", "cat", gate.to_str().unwrap()]);
    let deploy = std::thread::spawn(move || run.output().unwrap());
    // Opened when the command reads it, which is after its start was announced.
    let end = std::fs::OpenOptions::new().write(true).open(&gate).unwrap();
    assert_eq!(server.events(1), [Event::Started]);
    let arguments = [&RECORD[..], &["--outcome", "succeeded"]].concat();
    let (code, _, err) = server.run(&arguments);
    assert_eq!(code, 2, "{err}");
    let err = in_one_line(&err);
    assert!(err.contains("`started` of") && err.contains("it runs on this host still"), "{err}");
    // The journal knows it where the task cannot be read.
    server.running.inject(vec!["*:503".parse().unwrap()]);
    let (code, _, err) = server.run(&arguments);
    assert_eq!(code, 2, "{err}");
    assert!(in_one_line(&err).contains("on this host, which has no end; it runs on this host still"), "{err}");
    server.running.inject(vec![]);
    drop(end);
    assert_eq!(deploy.join().unwrap().status.code(), Some(0));
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
}

#[test]
fn secrets_are_in_no_part_of_a_record() {
    let server = Server::new();
    let secret = "hunter2SECRET";
    let arguments = [
        "run",
        "T1",
        "--deployer",
        "deployer1",
        "--note",
        &format!("password: {secret}"),
        "--change",
        &format!("https://me:{secret}@host/x"),
        "--",
        "true",
        "-u",
        &format!("me:{secret}"),
        &format!("{{\"password\":\"{secret}\"}}"),
        &format!("-p{secret}"),
        &format!("Cookie: a={secret}"),
        "redis-cli",
        "-a",
        secret,
        &format!("ALTER USER r IDENTIFIED BY '{secret}'"),
        &format!("https://host/x?sp=r&sig={secret}"),
    ];
    let (code, _, err) = server.run(&arguments);
    assert_eq!(code, 0, "{err}");
    let world = server.running.world().unwrap();
    let texts = world.transactions.iter().flat_map(|row| &row.versions).map(|version| version.text.as_str());
    assert!(texts.chain([err.as_str()]).all(|text| !text.contains(secret)), "{err}");
    let record = &server.records(1)[0];
    assert_eq!(record.note.as_deref(), Some("password: [masked]"));
    assert_eq!(record.change.as_deref(), Some("https://[masked]@host/x"));
}

#[test]
fn a_command_of_many_arguments_is_run_and_recorded_short() {
    let server = Server::new();
    let many: Vec<String> = (0..20_000).map(|number| format!("file{number}.php")).collect();
    let mut command = server.phabgate();
    let output = command.args(["run", "T1", "--deployer", "deployer1", "--", "true"]).args(&many).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.len() < 4000, "{err}");
    let records = server.records(1);
    assert_eq!(records.len(), 2);
    for record in records {
        assert!(record.command.unwrap().len() <= 4096);
        let whole = format!("true {}", many.join(" "));
        assert_eq!((record.cut[0].field.as_str(), record.cut[0].bytes), ("command", whole.len() as u64));
    }
    let world = server.running.world().unwrap();
    assert!(world.transactions.iter().flat_map(|row| &row.versions).all(|version| version.text.len() < 20_000));
}

#[test]
fn a_forged_start_is_judged_again_before_a_recorder_ends_it() {
    let server = Server::new();
    // sre2 writes with their own token that they started, with whatever approvals.
    let run = ["run", "T1", "--deployer", "sre2", "--", "true"];
    let output = server.phabgate_as("sre2").env("PHABGATE_CRASH_AT", "after-spawned").args(run).output().unwrap();
    assert_eq!(output.status.code(), None);
    let begun = server.records(1).swap_remove(0);
    let state = server.machine.home().join("other");
    let close = ["record", "T1", "--deployer", "sre2", "--deploy", &begun.deploy.to_string(), "--outcome", "unknown"];
    let output = server.phabgate().env("PHABGATE_STATE", state).args(close).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let records = server.records(1);
    let end = &records[1];
    assert_eq!((end.event, end.outcome, end.deploy), (Event::Finished, Some(Outcome::Unknown), begun.deploy));
    assert_eq!(end.deployer.as_ref().map(|deployer| deployer.user.as_str()), Some("sre2"));
}
