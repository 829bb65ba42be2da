//! The mirror of `audit` end to end: what a later audit asks for, what it still knows, and what kills and company do to it.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use phabgate::crash;
use serde_json::Value;

use crate::server::{Server, audit, in_one_line};

/// The methods of the calls that the server answers while something is done.
struct Calls(Vec<String>);

impl Calls {
    fn all(&self) -> usize {
        self.0.len()
    }

    fn of(&self, method: &str) -> usize {
        self.0.iter().filter(|call| *call == method).count()
    }
}

fn calls(server: &Server, act: impl FnOnce()) -> Calls {
    let before = server.running.served().len();
    act();
    let served = server.running.served().split_off(before);
    Calls(served.into_iter().map(|call| call.method).collect())
}

fn deploy(server: &Server, task: &str) {
    let (code, _, err) = server.run(&["run", task, "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
    // What happens in the second of a look may have happened after it.
    server.running.advance(Duration::from_secs(60));
}

/// The findings of a name on a task.
fn found<'r>(report: &'r Value, task: &str, name: &str) -> Vec<&'r Value> {
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["task"] == task && finding["name"] == name).collect()
}

/// A report without what differs from audit to audit.
fn lasting(mut report: Value) -> Value {
    report["time"] = Value::Null;
    report["offline"] = Value::Null;
    report
}

#[test]
fn a_later_audit_asks_for_little_and_says_the_same() {
    let server = Server::new();
    deploy(&server, "T1");
    let mut reports = Vec::new();
    let first = calls(&server, || reports.push(audit(&server, "phabgate", &[]).1));
    let tasks = reports[0]["population"]["tagged"].as_u64().unwrap() as usize;
    assert!(tasks >= 20 && first.all() <= tasks + 12, "{} calls for {tasks} tasks", first.all());
    let second = calls(&server, || reports.push(audit(&server, "phabgate", &[]).1));
    // One for what the recorder wrote, one for the other comments.
    assert_eq!((second.of("transaction.search"), second.of("maniphest.search")), (2, 1));
    assert!(second.all() <= 10, "{}", second.all());
    assert_eq!(lasting(reports.remove(0)), lasting(reports.remove(0)));
    // What changed is read again, and nothing else.
    let said = server.run(&["approve", "T6", "--team", "sre", "--yes"]);
    assert_ne!(said.0, 0, "a recorder cannot approve");
    deploy(&server, "T8");
    let third = calls(&server, || reports.push(audit(&server, "phabgate", &[]).1));
    assert_eq!(third.of("transaction.search"), 3);
    assert!(reports[0]["deploys"].as_array().unwrap().iter().any(|deploy| deploy["task"] == "T8"));
}

#[test]
fn what_the_server_denies_later_is_shown_as_it_was() {
    let server = Server::new();
    for task in ["T1", "T8", "T13"] {
        deploy(&server, task);
    }
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert!(!report["findings"].to_string().contains("history-rewritten"));
    server.running.advance(Duration::from_secs(60));
    let world = server.running.world().unwrap();
    let holding = |task: u64, text: &str| {
        let rows = world.history(&world.task_numbered(task).unwrap().phid);
        let holds = |row: &&&phabgate::sandbox::Transaction| row.versions.iter().any(|it| it.text.contains(text));
        rows.iter().find(holds).unwrap().phid.clone()
    };
    // Removed on the page of the task; rewritten, and taken away, in the database.
    server.running.remove_comment(&holding(1, "Emergency-Approve: sre"), "admin").unwrap();
    let (rewritten, gone) = (holding(8, "Emergency-Approve: sre"), holding(13, "Emergency-Approve: sre"));
    let tampered = server.running.change(|world, _| {
        let row = world.transactions.iter_mut().find(|row| row.phid == rewritten).unwrap();
        row.versions[0].text = "Emergency-Reject: sre - never".to_owned();
        world.transactions.retain(|row| row.phid != gone);
    });
    tampered.unwrap();
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(code, 1);
    for (task, words) in [("T1", "was removed by admin; it said"), ("T8", "shows it otherwise"), ("T13", "is gone")] {
        let found = found(&report, task, "history-rewritten");
        assert_eq!(found.len(), 1, "{task}: {report:#}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains("Emergency-Approve: sre"), "{message}");
        assert_eq!(found[0]["severity"], "error");
    }
    // An audit on another machine saw nothing of it before.
    let elsewhere = Server::new();
    let mut command = elsewhere.phabgate();
    command.env("PHABGATE_URL", server.running.url.as_str());
    let output = command.args(["audit", "--format", "json"]).output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("history-rewritten"));
}

#[test]
fn offline_the_mirror_is_judged_alone_and_says_how_old_it_is() {
    let server = Server::new();
    deploy(&server, "T1");
    let offline = |more: &[&str]| {
        let mut command = server.phabgate();
        // It asks nobody: it needs no token.
        command.env_remove("PHABGATE_TOKEN");
        let output = command.args(["audit", "--offline", "--format", "json"]).args(more).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = offline(&[]);
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(in_one_line(&err).contains("never filled to the end") && err.contains("without --offline"), "{err}");
    let (_, report, _) = audit(&server, "phabgate", &[]);
    let asked = calls(&server, || {
        let (code, out, err) = offline(&[]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(" old; the server was asked nothing"), "{err}");
        let told: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&told["offline"], &told["time"]), (&Value::Bool(true), &report["time"]));
        assert_eq!(lasting(told), lasting(report.clone()));
    });
    assert_eq!(asked.all(), 0);
    // A mirror of another tag is none of this one.
    std::fs::write(server.machine.home().join("config.toml"), "[policy]\ntag = \"another\"\n").unwrap();
    assert_eq!(offline(&[]).0, Some(3));
}

#[test]
fn what_once_belonged_is_still_known() {
    let server = Server::new();
    audit(&server, "phabgate", &[]);
    server.running.advance(Duration::from_secs(60));
    let now = server.running.now();
    let changed = server.running.change(|world, _| {
        let tag = world.project_tagged("emergency-deployment").unwrap().phid.clone();
        let task = world.tasks.iter_mut().find(|task| task.id == 6).unwrap();
        task.projects.retain(|edge| edge.phid != tag);
        task.modified = now;
        let phid = task.phid.clone();
        let mut row = world.transactions.iter().find(|row| row.object == phid).unwrap().clone();
        let id = world.transactions.iter().map(|row| row.id).max().unwrap() + 1;
        (row.id, row.phid) = (id, format!("PHID-XACT-TASK-untag{id}"));
        (row.kind, row.created, row.modified) = (Some("projects".to_owned()), now, now);
        let operations = serde_json::json!([{"operation": "remove", "phid": tag}]);
        row.fields = [("operations".to_owned(), operations)].into_iter().collect();
        row.versions.clear();
        world.transactions.push(row);
    });
    changed.unwrap();
    let (_, report, err) = audit(&server, "phabgate", &[]);
    assert_eq!(
        (&report["population"]["mirrored"], &report["complete"]),
        (&Value::from(1), &Value::Bool(true)),
        "{err}"
    );
    // One that is hidden now is not passed over.
    let hidden = server.running.change(|world, _| {
        world.tasks.iter_mut().find(|task| task.id == 7).unwrap().view = "admin".to_owned();
    });
    hidden.unwrap();
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!((code, &report["population"]["unseen"]), (3, &Value::from(1)));
    let (_, text, _) = server.run(&["audit"]);
    assert!(text.contains("Not audited") && text.contains("1 task with the tag or a record"), "{text}");
}

#[test]
fn what_all_tasks_share_is_never_that_of_an_earlier_audit() {
    let server = Server::new();
    deploy(&server, "T1");
    let verdict = |report: &Value| {
        let deploys = report["deploys"].as_array().unwrap();
        deploys.iter().find(|deploy| deploy["task"] == "T1").unwrap()["verdict"].clone()
    };
    assert_eq!(verdict(&audit(&server, "phabgate", &[]).1), "allowed");
    // The account of an approver is closed, which changes no task.
    let disabled = server.running.change(|world, _| {
        world.users.iter_mut().find(|user| user.username == "sre1").unwrap().roles.push("disabled".to_owned());
    });
    disabled.unwrap();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(verdict(&report), "allowed", "it was open when the first audit looked");
    // Where no audit looked before, it is judged as it is now.
    std::fs::remove_dir_all(server.machine.home().join(".cache/phabgate")).unwrap();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_ne!(verdict(&report), "allowed");
    assert!(found(&report, "T1", "policy-differs").is_empty());
    // Another policy judges otherwise.
    std::fs::write(server.machine.home().join("config.toml"), "[policy]\nmax_age = \"11h\"\n").unwrap();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(found(&report, "T1", "policy-differs").len(), 1);
}

#[test]
fn what_is_done_to_an_old_deploy_is_in_the_report_of_the_time_in_which_it_is_done() {
    let server = Server::new();
    // The start is stated: that of `run` would be by the clock of this machine, which is not that of the world.
    let started = ["--started", "2026-01-01T00:00:00Z", "--outcome", "succeeded", "--deployer", "deployer1"];
    let (code, _, err) = server.run(&[&["record", "T1"][..], &started].concat());
    assert_eq!(code, 0, "{err}");
    server.running.advance(Duration::from_secs(60));
    let since = jiff::Timestamp::from_second(server.running.now()).unwrap().to_string();
    let (_, report, err) = audit(&server, "phabgate", &["--since", &since]);
    assert_eq!(report["deploys"].as_array().map(Vec::len), Some(0), "{err}");
    let world = server.running.world().unwrap();
    let rows = world.history(&world.task_numbered(1).unwrap().phid);
    let holds =
        |row: &phabgate::sandbox::Transaction| row.versions.iter().any(|it| it.text.contains("phabgate/record"));
    let record = rows.iter().find(|row| holds(row)).unwrap().phid.clone();
    server.running.advance(Duration::from_secs(60));
    server.running.edit_comment(&record, "phabgate", "Nothing happened.").unwrap();
    let (_, report, _) = audit(&server, "phabgate", &["--since", &since]);
    assert_eq!(found(&report, "T1", "record-edited").len(), 1, "{report:#}");
    assert_eq!(report["deploys"][0]["task"], "T1");
}

#[test]
fn a_comment_that_was_gone_and_is_back_is_judged() {
    let server = Server::new();
    deploy(&server, "T1");
    let phid = server.running.world().unwrap().task_numbered(1).unwrap().phid.clone();
    let approves = |row: &phabgate::sandbox::Transaction| {
        row.object == phid && row.versions.iter().any(|it| it.text.contains("-Approve: sre"))
    };
    let taken = server.running.change(|world, _| {
        let row = world.transactions.iter().find(|row| approves(row)).unwrap().clone();
        world.transactions.retain(|row| !approves(row));
        row
    });
    let verdict = |report: &Value| report["deploys"].as_array().unwrap()[0]["verdict"].clone();
    assert_ne!(verdict(&audit(&server, "phabgate", &[]).1), "allowed");
    let row = taken.unwrap();
    server.running.change(|world, _| world.transactions.push(row)).unwrap();
    // Nothing of it shows in the task, and nobody knows to ask for it: but a recorder's is seen.
    let recorded = server.running.change(|world, _| {
        let records = |row: &&phabgate::sandbox::Transaction| {
            row.object == phid && row.versions.iter().any(|it| it.text.contains("\"finished\""))
        };
        let row = world.transactions.iter().find(records).unwrap().clone();
        world.transactions.retain(|other| other.phid != row.phid);
        row
    });
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(found(&report, "T1", "record-unfinished").len(), 1);
    server.running.change(|world, _| world.transactions.push(recorded.unwrap())).unwrap();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(
        (found(&report, "T1", "record-unfinished").len(), verdict(&report)),
        (0, "allowed".into()),
        "{report:#}"
    );
}

#[test]
fn two_audits_at_once_say_the_same() {
    let server = Server::new();
    deploy(&server, "T1");
    let reports: Vec<_> = std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| audit(&server, "phabgate", &[]))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let [(one, first, _), (two, second, _)] = reports.try_into().unwrap();
    assert_eq!((one, two), (1, 1));
    assert_eq!(lasting(first), lasting(second));
}

#[test]
fn a_killed_audit_is_resumed_and_the_report_is_the_same() {
    let fresh = Server::new();
    deploy(&fresh, "T1");
    let mut whole = Value::Null;
    let begun_anew = calls(&fresh, || whole = audit(&fresh, "phabgate", &[]).1).of("transaction.search");
    for point in crash::MIRROR_POINTS {
        let server = Server::new();
        deploy(&server, "T1");
        if *point == "mirror-compared" {
            // It is passed where there is something to compare with.
            audit(&server, "phabgate", &[]);
        }
        let killed = server.phabgate().env(crash::VARIABLE, point).args(["audit"]).output().unwrap();
        assert_eq!((killed.status.code(), killed.stdout.len()), (None, 0), "{point}");
        let resumed = calls(&server, || {
            let (code, report, err) = audit(&server, "phabgate", &[]);
            assert_eq!(code, 1, "{point}: {err}");
            let figures = |report: &Value| (report["findings"].as_array().unwrap().len(), report["population"].clone());
            assert_eq!(figures(&report), figures(&whole), "{point}");
            assert_eq!(report["figures"]["deploys"], whole["figures"]["deploys"], "{point}");
        });
        let histories = resumed.of("transaction.search");
        // Parts of 20 histories are read at once: which of them is kept first is open.
        let again = format!("{point}: {histories} histories and pages, {begun_anew} where it begins anew");
        assert!(*point == "mirror-listed" || histories < begun_anew, "{again}");
    }
}

#[test]
fn the_mirror_is_closed_to_others_and_tells_nothing_of_a_restricted_task() {
    let server = Server::new();
    let hidden = server.running.change(|world, _| {
        world.tasks.iter_mut().find(|task| task.id == 1).unwrap().view = "admin".to_owned();
    });
    hidden.unwrap();
    let (_, report, _) = audit(&server, "admin", &[]);
    assert!(report["population"]["tagged"].as_u64().unwrap() > 0);
    let directory = server.machine.home().join(".cache/phabgate");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in std::fs::read_dir(&directory).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    // Whoever is not shown it is told its number alone, though the mirror knows it. Another one was hidden from the start.
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!((code, &report["population"]["unseen"]), (3, &Value::from(2)));
    let told = found(&report, "T1", "task-unseen");
    let words = "the task carried the tag or had a record, and is not shown to this account: hidden, or destroyed";
    assert_eq!((told.len(), told[0]["message"].as_str()), (1, Some(words)), "{report:#}");
    assert!(report["findings"].as_array().unwrap().iter().all(|it| it["task"] != "T1" || it["name"] == "task-unseen"));
    // A directory that others can look into is refused.
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (code, _, err) = audit(&server, "phabgate", &[]);
    assert_eq!(code, 3);
    assert!(in_one_line(&err).contains("chmod 700"), "{err}");
}

#[test]
fn a_server_that_has_too_much_to_do_is_asked_slower_and_all_is_read() {
    for fault in ["transaction.search:429@2", "maniphest.search:503@1", "*:503:0.2"] {
        let server = Server::broken(&[fault]);
        let (code, report, err) = audit(&server, "phabgate", &[]);
        assert_eq!((code, &report["complete"]), (1, &Value::Bool(true)), "{fault}: {err}");
    }
}

#[test]
fn pages_that_are_too_large_are_read_in_smaller_parts() {
    let server = Server::new();
    deploy(&server, "T1");
    let first = audit(&server, "phabgate", &[]).1;
    // A later audit reads what the recorder wrote, then the other comments.
    for (page, expected) in [(1, 3), (2, 4)] {
        server.running.inject(vec![format!("transaction.search:huge@{page}").parse().unwrap()]);
        let mut report = Value::Null;
        let read = calls(&server, || report = audit(&server, "phabgate", &[]).1);
        assert_eq!(read.of("transaction.search"), expected, "page {page}");
        assert_eq!(lasting(report), lasting(first.clone()), "page {page}");
    }
}

/// Makes many tasks of T1, each with its transactions under numbers of their own.
fn multiply(server: &Server, count: u64) {
    let multiplied = server.running.change(|world, _| {
        let task = world.tasks.iter().find(|task| task.id == 1).unwrap().clone();
        let rows: Vec<_> = world.transactions.iter().filter(|row| row.object == task.phid).cloned().collect();
        for number in 1_000..1_000 + count {
            let phid = format!("PHID-TASK-many{number:0>16}");
            for (at, row) in rows.iter().enumerate() {
                let id = number * 100 + at as u64;
                let mut row = row.clone();
                (row.id, row.object) = (id, phid.clone());
                row.phid = format!("PHID-XACT-TASK-many{id:0>11}");
                for version in &mut row.versions {
                    // Its record speaks of this task and of a deploy of its own.
                    version.text = version.text.replace("\"T1\"", &format!("\"T{number}\""));
                    let deploy = version.text.find("\"deploy\": \"").map(|at| at + "\"deploy\": \"".len());
                    if let Some(from) = deploy {
                        version.text.replace_range(from + 24..from + 36, &format!("{number:0>12}"));
                    }
                }
                world.transactions.push(row);
            }
            world.tasks.push(phabgate::sandbox::Task { id: number, phid, ..task.clone() });
        }
    });
    multiplied.unwrap();
}

#[test]
fn a_history_of_many_pages_is_told_whole_and_in_order() {
    const COUNT: u64 = 510;
    let server = Server::new();
    deploy(&server, "T1");
    multiply(&server, COUNT);
    let mut reports = Vec::new();
    let cold = calls(&server, || reports.push(audit(&server, "phabgate", &[]).1));
    assert!(cold.of("maniphest.search") > 5, "pages of tasks");
    let warm = calls(&server, || reports.push(audit(&server, "phabgate", &[]).1));
    assert!(warm.of("transaction.search") >= 4, "two pages of records and two of other comments");
    reports.push(audit(&server, "phabgate", &["--offline"]).1);
    let tasks: Vec<u64> = reports[0]["deploys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deploy| deploy["task"].as_str().unwrap()[1..].parse().unwrap())
        .collect();
    let expected: Vec<u64> = [1].into_iter().chain(1_000..1_000 + COUNT).collect();
    assert_eq!(tasks, expected);
    let reports: Vec<Value> = reports.into_iter().map(lasting).collect();
    assert!(reports[0] == reports[1] && reports[0] == reports[2], "a later audit and one of the mirror say the same");
}

#[test]
fn what_was_taken_away_before_a_task_was_opened_is_told_to_nobody() {
    let server = Server::new();
    deploy(&server, "T1");
    let recorder = server.running.world().unwrap().user_named("phabgate").unwrap().phid.clone();
    let see = |view: &str| {
        let changed = server.running.change(|world, now| {
            let task = world.tasks.iter_mut().find(|task| task.id == 1).unwrap();
            (task.view, task.modified) = (view.to_owned(), now);
        });
        changed.unwrap();
        server.running.advance(Duration::from_secs(60));
    };
    see(&recorder);
    let approval = server.running.world().unwrap();
    let approval = approval.transactions.iter().rev().find(|row| {
        row.object == approval.tasks[0].phid && row.versions.iter().any(|version| version.text.contains("Approve: sre"))
    });
    let approval = approval.unwrap().phid.clone();
    server.running.edit_comment(&approval, "sre1", "Emergency-Approve: sre\n\nThe hole is in the login.").unwrap();
    audit(&server, "phabgate", &[]);
    server.running.remove_comment(&approval, "sre1").unwrap();
    see("users");
    let (code, report, _) = audit(&server, "phabgate", &[]);
    let found = found(&report, "T1", "history-rewritten");
    assert_eq!((code, found.len()), (1, 1), "{report:#}");
    assert!(found[0]["message"].as_str().unwrap().ends_with("it said (hidden)"), "{report:#}");
    assert!(!report.to_string().contains("login"));
}

#[test]
fn what_is_below_the_tag_is_looked_up_after_the_tasks_are_listed() {
    let server = Server::new();
    let asked = calls(&server, || drop(audit(&server, "phabgate", &[])));
    let last = |method: &str| asked.0.iter().rposition(|call| call == method).unwrap();
    // Otherwise a milestone that is made in between makes its tasks look as if nobody had tagged them.
    let listed = asked.0.iter().position(|call| call == "maniphest.search").unwrap();
    assert!(last("project.search") > listed, "{:?}", asked.0);
}
