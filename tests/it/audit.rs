//! `audit` end to end: what is found in the sandbox's history, before and after somebody tampers with it, and that what
//! cannot be read never looks clean.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::report::Sample;
use crate::server::{Server, audit, in_one_line};

/// The findings about deploys and tasks other than those that the world begins with.
fn found(report: &Value, task: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["task"] == task);
    findings.map(|finding| finding["name"].as_str().unwrap().to_owned()).collect()
}

fn deploy(server: &Server, task: &str) {
    let (code, _, err) = server.run(&["run", task, "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
}

/// The PHID of the newest comment on a task that holds this text.
fn comment(server: &Server, task: u64, holding: &str) -> String {
    let world = server.running.world().unwrap();
    let rows = world.history(&world.task_numbered(task).unwrap().phid);
    let holds = |text: &str| text.contains(holding);
    let mut found: Vec<_> =
        rows.iter().filter(|row| row.versions.last().is_some_and(|newest| holds(&newest.text))).collect();
    found.sort_by_key(|row| row.id);
    found.last().unwrap().phid.clone()
}

fn tasks(report: &Value) -> usize {
    let population = &report["population"];
    ["tagged", "recorded"].iter().map(|part| population[part].as_u64().unwrap() as usize).sum()
}

#[test]
fn what_people_read_of_the_sandbox() {
    let machine = crate::harness::Machine::new();
    let (code, out, err) = machine.run(&["--sandbox", "audit"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    insta::assert_snapshot!("audit", out);
}

#[test]
fn a_deploy_by_the_rules_has_no_findings() {
    let server = Server::new();
    deploy(&server, "T1");
    let (code, report, err) = audit(&server, "phabgate", &["--reason", "outage"]);
    assert_eq!(report["schema"], "phabgate/audit/1", "{err}");
    let deploys = report["deploys"].as_array().unwrap();
    assert_eq!(deploys.len(), 1);
    let made = &deploys[0];
    assert_eq!((made["task"].as_str(), made["deployer"].as_str()), (Some("T1"), Some("deployer1")));
    assert_eq!((made["verdict"].as_str(), made["outcome"].as_str()), (Some("allowed"), Some("succeeded")));
    assert_eq!(made["approvals"].as_array().unwrap().len(), 2);
    assert_eq!((found(&report, "T1"), made["findings"].as_u64()), (vec![], Some(0)));
    assert_eq!(code, i32::from(!report["findings"].as_array().unwrap().is_empty()));
}

#[test]
fn who_tampers_afterwards_is_found() {
    let server = Server::new();
    for task in ["T1", "T8", "T13"] {
        deploy(&server, task);
    }
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(["T1", "T8", "T13"].map(|task| found(&report, task)), [const { Vec::<String>::new() }; 3]);
    server.running.advance(std::time::Duration::from_secs(60));
    let approval = comment(&server, 1, "Emergency-Approve: sre");
    server.running.edit_comment(&approval, "sre1", "I never said so.").unwrap();
    let record = comment(&server, 8, "\"finished\"");
    server.running.edit_comment(&record, "phabgate", "Nothing happened.").unwrap();
    let record = comment(&server, 13, "\"started\"");
    server.running.remove_comment(&record, "admin").unwrap();
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!(code, 1);
    let says = |task: &str, name: &str| assert!(found(&report, task).iter().any(|it| it == name), "{name}: {report:#}");
    says("T1", "approval-edited");
    says("T8", "record-edited");
    says("T13", "record-removed");
}

#[test]
fn a_deploy_without_approvals_is_found_and_fails_the_command() {
    let server = Server::new();
    let recorded = server.run(&["record", "T6", "--deployer", "deployer1", "--outcome", "succeeded"]);
    assert_eq!(recorded.0, 0, "{}", recorded.2);
    let (code, report, _) = audit(&server, "phabgate", &["--reason", "data-loss"]);
    assert_eq!(code, 1);
    assert!(found(&report, "T6").contains(&"approval-missing".to_owned()), "{report:#}");
    let url = report["findings"][0]["url"].as_str().unwrap();
    assert!(url.starts_with(server.running.url.as_str()) && url.contains('#'), "{url}");
}

#[test]
fn a_record_on_a_task_without_the_tag_is_audited() {
    let server = Server::new();
    let recorded = server.run(&["record", "T2", "--deployer", "deployer1", "--outcome", "unknown"]);
    assert_eq!(recorded.0, 0, "{}", recorded.2);
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!((code, report["population"]["recorded"].as_u64()), (1, Some(1)));
    assert!(!found(&report, "T2").is_empty(), "{report:#}");
}

#[test]
fn what_cannot_be_read_never_looks_clean() {
    // A tag or a recorder that there is none of would find nothing.
    for (setting, words) in
        [("tag = \"emergency-deploymint\"", "#emergency-deploymint"), ("recorders = [\"phabgait\"]", "phabgait")]
    {
        let server = Server::new();
        std::fs::write(server.machine.home().join("config.toml"), format!("[policy]\n{setting}\n")).unwrap();
        let (code, out, err) = server.run(&["audit"]);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(in_one_line(&err).contains(words), "{err}");
    }
    // One task that cannot be read is named; the rest is audited.
    let server = Server::new();
    let changed = server.running.change(|world, _| {
        world.tasks.iter_mut().find(|task| task.id == 5).unwrap().description.push_str(" and more");
    });
    changed.unwrap();
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!((code, report["complete"].as_bool()), (3, Some(false)));
    assert_eq!(report["unread"][0]["task"], "T5");
    let (_, out, _) = server.run(&["audit"]);
    assert!(out.contains("Not audited") && out.contains("INCOMPLETE"), "{out}");
    // So is a server that fails for good, and a refused token ends with its own code.
    for (faults, expected) in [(&["transaction.search:garbage"][..], 3), (&["maniphest.search:garbage"], 3)] {
        let server = Server::broken(faults);
        let (code, out, err) = server.run(&["audit"]);
        assert_eq!(code, expected, "{faults:?}: {out}{err}");
        assert!(!out.contains("COMPLIANT"), "{out}");
    }
    let server = Server::new();
    let refused = server.phabgate().env("PHABGATE_TOKEN", format!("api-{}", "x".repeat(28))).arg("audit").output();
    assert_eq!(refused.unwrap().status.code(), Some(4));
}

#[test]
fn a_task_that_was_hidden_after_its_deploy_is_told_to_who_sees_it() {
    let server = Server::new();
    deploy(&server, "T1");
    let changed = server.running.change(|world, _| {
        world.tasks.iter_mut().find(|task| task.id == 1).unwrap().view = "admin".to_owned();
    });
    changed.unwrap();
    // Who cannot see the task cannot see its transactions either: its records are as hidden as the rest.
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert!(report["deploys"].as_array().unwrap().iter().all(|deploy| deploy["task"] != "T1"), "{report:#}");
    let (_, report, _) = audit(&server, "admin", &[]);
    let made = report["deploys"].as_array().unwrap().iter().find(|deploy| deploy["task"] == "T1").unwrap();
    assert_eq!((made["restricted"].as_bool(), &made["command"]), (Some(true), &Value::Null));
}

#[test]
fn nothing_of_a_restricted_task_is_told() {
    let server = Server::new();
    for format in ["text", "json"] {
        let output = server.phabgate_as("admin").args(["audit", "--format", format]).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap().to_lowercase();
        assert!(!out.contains("embargo") && !out.contains("vulnerab"), "{out}");
    }
}

#[test]
fn a_call_a_task_and_few_more() {
    let server = Server::new();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    let calls = server.running.served().len();
    assert!(calls <= tasks(&report) + 10, "{calls} calls for {} tasks", tasks(&report));
}

#[test]
fn what_is_asked_about_is_named_right() {
    let server = Server::new();
    for (arguments, words) in [
        (&["audit", "--since", "yesterday"][..], "2026-11-01"),
        (&["audit", "--reason", "marketing"], "the policy has no reason"),
        (&["audit", "--jobs", "0"], "--jobs"),
        (&["audit", "--since", "2999-01-01"], "nothing can have happened"),
        (&["audit", "--since", "2026-11-02", "--until", "2026-11-01"], "nothing can have happened"),
    ] {
        let (code, _, err) = server.run(arguments);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(words), "{err}");
    }
    let (code, report, _) = audit(&server, "phabgate", &["--until", "2001-01-01"]);
    assert_eq!((code, report["findings"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_page_is_written_that_stands_alone() {
    let server = Server::new();
    deploy(&server, "T1");
    let (code, out, err) = server.run(&["audit", "--format", "html"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.starts_with("<!DOCTYPE html>") && out.ends_with("</html>\n"), "{out}");
    for words in
        ["Content-Security-Policy", "FINDINGS", "record-missing", "http://sandbox/T1\"", "deployer1", "releng1"]
    {
        assert!(out.contains(words), "{words}");
    }
}

#[test]
fn spreadsheets_and_monitors_are_told() {
    let server = Server::new();
    deploy(&server, "T1");
    let (code, out, _) = server.run(&["audit", "--format", "csv"]);
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!((code, rows[0].split(',').count()), (1, 19));
    assert!(out.split_inclusive('\n').all(|line| line.ends_with("\r\n")), "{out:?}");
    let of_t1: Vec<&&str> = rows.iter().filter(|row| row.starts_with("T1,")).collect();
    assert_eq!(of_t1.len(), 1, "{out}");
    assert!(of_t1[0].contains(",allowed,releng=releng1 sre=sre1,,24,0,yes"), "{out}");
    assert!(rows.iter().any(|row| row.starts_with("T22,") && row.contains("record-missing")), "{out}");
    let (code, out, _) = server.run(&["audit", "--format", "prometheus"]);
    assert_eq!(code, 1);
    for line in [
        "phabgate_audit_complete 1",
        "phabgate_audit_tasks{kind=\"tagged\"} 24",
        "phabgate_audit_deploys{reason=\"availability\",outcome=\"succeeded\",clean=\"yes\"} 1",
        "phabgate_audit_findings{name=\"approval-missing\",severity=\"error\"} 0",
        "phabgate_audit_findings{name=\"record-missing\",severity=\"error\"} 1",
        "phabgate_audit_duration_seconds_count 1",
    ] {
        assert!(out.lines().any(|known| known == line), "{line}\n{out}");
    }
    // Where there is nothing to tell of, that all was read is told nonetheless.
    let (code, out, _) = server.run(&["audit", "--format", "csv", "--until", "2001-01-01"]);
    assert_eq!((code, out.lines().count()), (0, 2));
    assert!(out.lines().last().unwrap().ends_with(",24,0,yes,,,,"), "{out}");
    for (arguments, expected) in
        [(&["check", "T1", "--format", "csv"][..], 2), (&["run", "T1", "--format", "csv", "--", "true"], 125)]
    {
        let (code, out, err) = server.run(arguments);
        assert_eq!((code, out.as_str()), (expected, ""), "{err}");
        assert!(err.contains("formats of `audit` alone"), "{err}");
    }
}

#[test]
fn a_monitor_gets_no_series_for_each_word_of_a_record() {
    let sample = Sample::usual();
    let mut out = Vec::new();
    phabgate::report::prometheus::write(&sample.report(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let deploys = out.lines().filter(|line| line.starts_with("phabgate_audit_deploys{"));
    let reasons: BTreeSet<&str> =
        deploys.filter_map(|line| line.split_once("reason=\"")?.1.split_once('"')).map(|(reason, _)| reason).collect();
    // Its policy knows two categories; its records name five, and one that is hostile.
    assert_eq!(reasons, ["availability", "data-loss", "other"].into());
}

#[test]
fn how_many_threads_there_are_is_nothing_that_the_environment_says() {
    let server = Server::new();
    let mut audit = server.phabgate_as("phabgate");
    let output = audit.args(["audit"]).env("TOKIO_WORKER_THREADS", "none").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}
