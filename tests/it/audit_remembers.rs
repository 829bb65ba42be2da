//! What `audit` remembers from one time to the next, end to end: which server it knows, which listings it believes, and
//! that nothing that was found once is gone without a word.

use std::time::Duration;

use phabgate::sandbox::{Like, World};
use serde_json::Value;

use crate::server::{Server, audit, in_one_line};

/// The same world on a server of its own: no account, project or task is one of the other.
fn elsewhere(world: &World) -> World {
    let mut json = world.to_json().unwrap();
    for kind in ["USER", "PROJ", "TASK", "XACT-TASK", "XCMT"] {
        json = json.replace(&format!("PHID-{kind}-"), &format!("PHID-{kind}-0"));
    }
    World::from_json(&json).unwrap()
}

#[test]
fn another_server_behind_the_same_url_is_refused_and_leaves_the_mirror_as_it_is() {
    let server = Server::new();
    let (_, before, _) = audit(&server, "phabgate", &[]);
    let ours = server.running.world().unwrap();
    server.running.change(|world, _| *world = elsewhere(world)).unwrap();
    let (code, report, err) = audit(&server, "phabgate", &[]);
    assert_eq!((code, report), (3, Value::Null), "{err}");
    let said = in_one_line(&err);
    assert!(said.contains("the server is another one") && said.contains(".sqlite3 away"), "{err}");
    // A new person asks for another tag: it is the same server all the same.
    server.running.change(|world, _| *world = ours).unwrap();
    std::fs::write(server.machine.home().join("config.toml"), "[policy]\ntag = \"sre\"\nrecorders = []\n").unwrap();
    let (code, report, err) = audit(&server, "outsider", &[]);
    assert_eq!((code, &report["complete"]), (0, &Value::Bool(true)), "{err}");
    std::fs::write(server.machine.home().join("config.toml"), "").unwrap();
    let (_, after, _) = audit(&server, "phabgate", &[]);
    assert_eq!((&before["findings"], &before["population"]), (&after["findings"], &after["population"]));
}

#[test]
fn what_a_run_listed_that_failed_is_forgotten() {
    let server = Server::new();
    let (_, before, _) = audit(&server, "phabgate", &[]);
    let ours = server.running.world().unwrap();
    // A hundred tasks that there never were, one of them under the PHID of another, and then the listing breaks off.
    let made_up = server.running.change(|world, _| {
        let task = world.tasks.iter().find(|task| task.id == 6).unwrap().clone();
        for id in 9_000..9_100 {
            let phid = format!("PHID-TASK-madeup{id:0>14}");
            world.tasks.push(phabgate::sandbox::Task { id, phid, ..task.clone() });
        }
        world.tasks.iter_mut().find(|task| task.id == 7).unwrap().id = 9_200;
    });
    made_up.unwrap();
    let fails = (2..20).map(|call| format!("project.search:garbage@{call}").parse().unwrap());
    server.running.inject(fails.collect());
    let (code, _, err) = audit(&server, "phabgate", &[]);
    assert_eq!(code, 3, "{err}");
    server.running.change(|world, _| *world = ours).unwrap();
    server.running.inject(Vec::new());
    server.running.advance(Duration::from_secs(60));
    let (_, after, err) = audit(&server, "phabgate", &[]);
    assert_eq!((&after["complete"], &after["population"]), (&Value::Bool(true), &before["population"]), "{err}");
    assert_eq!(after["findings"], before["findings"]);
}

/// The findings of a name on a task.
fn found<'r>(report: &'r Value, task: &str, name: &str) -> Vec<&'r Value> {
    let all = report["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["task"] == task && finding["name"] == name).collect()
}

/// What a finding says, and how bad it is.
fn says(finding: &Value) -> (&str, &str) {
    (finding["severity"].as_str().unwrap(), finding["message"].as_str().unwrap())
}

/// A deploy of T1, which had been approved, against the no of sre2; audited once.
fn deployed_against_a_no(server: &Server) {
    let said =
        server.phabgate_as("sre2").args(["reject", "T1", "--team", "sre", "--note", "not now", "--yes"]).output();
    assert!(said.unwrap().status.success());
    server.running.advance(Duration::from_secs(60));
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--yes"]);
    assert_eq!(code, 0, "{err}");
    server.running.advance(Duration::from_secs(60));
    let (code, report, err) = audit(server, "phabgate", &[]);
    assert_eq!((code, found(&report, "T1", "rule-failed").len()), (1, 1), "{err}{report:#}");
    server.running.advance(Duration::from_secs(60));
}

#[test]
fn a_no_stays_a_no_when_who_said_it_leaves_the_team_or_is_disabled() {
    for disabled in [false, true] {
        let server = Server::new();
        deployed_against_a_no(&server);
        let gone = server.running.change(|world, _| {
            let user = world.users.iter_mut().find(|user| user.username == "sre2").unwrap();
            if disabled {
                user.roles.push("disabled".to_owned());
            }
            let phid = user.phid.clone();
            world
                .projects
                .iter_mut()
                .for_each(|project| project.members.retain(|member| disabled || member.phid != phid));
        });
        gone.unwrap();
        for _ in 0..2 {
            let (code, report, _) = audit(&server, "phabgate", &[]);
            let found = found(&report, "T1", "rule-failed");
            assert_eq!((code, found.len()), (1, 1), "{report:#}");
            assert!(says(found[0]).1.contains("rejected"), "{report:#}");
            assert!(!report["findings"].to_string().contains("finding-vanished"), "{report:#}");
        }
    }
}

#[test]
fn who_is_let_into_a_team_after_an_audit_has_approved_nothing() {
    let server = Server::new();
    let taken = server.running.change(|world, _| {
        let sre1 = world.user_named("sre1").unwrap().phid.clone();
        let team = world.projects.iter_mut().find(|project| project.slugs.iter().any(|slug| slug == "sre")).unwrap();
        let at = team.members.iter().position(|member| member.phid == sre1).unwrap();
        team.members.remove(at)
    });
    let sre1 = taken.unwrap();
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--yes"]);
    assert_eq!(code, 0, "{err}");
    server.running.advance(Duration::from_secs(60));
    assert_eq!(found(&audit(&server, "phabgate", &[]).1, "T1", "approval-missing").len(), 1);
    server.running.advance(Duration::from_secs(60));
    let added = server.running.change(|world, _| {
        let team = world.projects.iter_mut().find(|project| project.slugs.iter().any(|slug| slug == "sre")).unwrap();
        team.members.push(sre1);
    });
    added.unwrap();
    let (code, report, _) = audit(&server, "phabgate", &[]);
    assert_eq!((code, found(&report, "T1", "approval-missing").len()), (1, 1), "{report:#}");
}

#[test]
fn what_an_audit_found_and_the_evidence_hides_is_found_in_every_later_one() {
    let server = Server::new();
    deployed_against_a_no(&server);
    let (_, before, _) = audit(&server, "phabgate", &[]);
    let was = found(&before, "T1", "rule-failed")[0].clone();
    // The no is edited to have come after the deploy, and the record to have come from a time without it.
    let no = server.running.change(|world, _| {
        let task = world.task_numbered(1).unwrap().phid.clone();
        world.transactions.retain(|row| {
            row.object != task || !row.versions.iter().any(|version| version.text.contains("Emergency-Reject"))
        });
    });
    no.unwrap();
    server.running.advance(Duration::from_secs(60));
    let (code, report, err) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "finding-vanished");
    assert_eq!((code, gone.len(), found(&report, "T1", "rule-failed").len()), (1, 1, 0), "{err}{report:#}");
    let (severity, message) = says(gone[0]);
    assert_eq!(severity, "error");
    assert!(message.contains("rule-failed") && message.contains(says(&was).1), "{message}");
    assert_eq!(found(&report, "T1", "history-rewritten").len(), 1);
    let made = report["deploys"].as_array().unwrap().iter().find(|deploy| deploy["task"] == "T1").unwrap();
    assert_ne!(made["findings"], 0);
    for more in [&["--offline"][..], &["--reason", "availability"], &[]] {
        let (_, report, _) = audit(&server, "phabgate", more);
        assert_eq!(found(&report, "T1", "finding-vanished").len(), 1, "{more:?}: {report:#}");
    }
    // Another policy judged then: it is told, and accuses nobody.
    let config = |text: &str| std::fs::write(server.machine.home().join("config.toml"), text).unwrap();
    config("[policy]\nmax_age = \"11h\"\n");
    let (_, report, _) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "finding-vanished");
    assert_eq!((gone.len(), says(gone[0]).0), (1, "notice"), "{report:#}");
    // Somebody looked at it. The id of what was found then is as good as that of what is missing now.
    let id = was["id"].as_str().unwrap();
    config(&format!("[audit]\naccepted = [{{ finding = \"{id}\", why = \"the no was taken back on IRC\" }}]\n"));
    let (_, report, err) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "finding-vanished");
    assert_eq!((gone.len(), says(gone[0]).0), (1, "notice"), "{err}{report:#}");
    assert!(says(gone[0]).1.ends_with("accepted: the no was taken back on IRC"), "{report:#}");
    let text = server.run(&["audit"]).1;
    assert!(in_one_line(&text).contains("accepted = [{ finding = \"history-rewritten T1 "), "{text}");
    // What nothing was found for is said.
    config("[audit]\naccepted = [{ finding = \"rule-failed T1 00000000\", why = \"a slip\" }]\n");
    let (_, _, err) = audit(&server, "phabgate", &[]);
    assert!(in_one_line(&err).contains("`audit.accepted` names rule-failed T1 00000000"), "{err}");
    // When the task is restricted, nothing is told of what it said.
    config("");
    server
        .running
        .change(|world, _| world.tasks.iter_mut().find(|task| task.id == 1).unwrap().view = "admin".into())
        .unwrap();
    let (_, report, _) = audit(&server, "admin", &[]);
    let gone = found(&report, "T1", "finding-vanished");
    assert_eq!(
        (gone.len(), says(gone[0]).1.contains("(hidden)"), says(gone[0]).1.contains("rejected")),
        (1, true, false)
    );
}

#[test]
fn a_task_that_is_hidden_or_gone_is_named_until_somebody_looked_at_it() {
    let server = Server::new();
    deployed_against_a_no(&server);
    let other = server.running.change(|world, _| {
        let phid = world.task_numbered(1).unwrap().phid.clone();
        world.transactions.retain(|row| row.object != phid);
        world.tasks.retain(|task| task.id != 1);
    });
    other.unwrap();
    let (code, report, err) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "task-unseen");
    assert_eq!((code, gone.len(), &report["complete"]), (3, 1, &Value::Bool(false)), "{err}{report:#}");
    let (severity, message) = says(gone[0]);
    assert!(severity == "error" && message.contains("and found rule-failed"), "{message}");
    assert!(gone[0]["url"].as_str().unwrap().ends_with("/T1"));
    let (_, text, _) = server.run(&["audit", "--since", "2026-01-01"]);
    assert!(text.contains("task-unseen") && text.contains("http://sandbox/T1"), "{text}");
    let (_, page, _) = server.run(&["audit", "--format", "html"]);
    assert!(page.contains("task-unseen") && page.contains("http://sandbox/T1\""));
    let (_, csv, _) = server.run(&["audit", "--format", "csv"]);
    assert!(csv.lines().any(|row| row.starts_with("T1,") && row.contains("task-unseen")), "{csv}");
    let id = gone[0]["id"].as_str().unwrap();
    let config = format!("[audit]\naccepted = [{{ finding = \"{id}\", why = \"a test that was destroyed\" }}]\n");
    std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
    let (_, report, _) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "task-unseen");
    assert_eq!((says(gone[0]).0, &report["complete"]), ("notice", &Value::Bool(true)), "{report:#}");
}

#[test]
fn of_a_restricted_task_that_is_not_shown_the_number_is_said_and_what_was_found() {
    let server = Server::new();
    deployed_against_a_no(&server);
    server
        .running
        .change(|world, _| world.tasks.iter_mut().find(|task| task.id == 1).unwrap().view = "admin".into())
        .unwrap();
    // Whoever sees it makes an audit, too.
    assert_ne!(audit(&server, "admin", &[]).0, 2);
    let (code, report, _) = audit(&server, "phabgate", &[]);
    let gone = found(&report, "T1", "task-unseen");
    assert_eq!((code, gone.len()), (3, 1));
    let (_, said) = says(gone[0]);
    assert!(said.contains("found rule-failed") && !said.contains("not now") && !said.contains("2026"), "{report:#}");
}

#[test]
fn a_hashtag_that_leads_elsewhere_is_found_and_both_projects_are_looked_at() {
    let server = Server::new();
    let (_, before, _) = audit(&server, "phabgate", &[]);
    server.running.advance(Duration::from_secs(60));
    let moved = server.running.change(|world, _| {
        for (slug, to) in
            [("emergency-deployment", "PHID-PROJ-empty00000000000000"), ("sre", "PHID-PROJ-others0000000000000")]
        {
            let old = world.project_tagged(slug).unwrap().clone();
            let project = world.projects.iter_mut().find(|project| project.phid == old.phid).unwrap();
            project.slugs.retain(|known| known != slug);
            let id = 900 + world.projects.len() as u64;
            let members = Vec::new();
            let new = phabgate::sandbox::Project { id, phid: to.into(), slugs: vec![slug.into()], members, ..old };
            world.projects.push(phabgate::sandbox::Project { name: format!("New {slug}"), ..new });
        }
    });
    moved.unwrap();
    let (code, report, err) = audit(&server, "phabgate", &[]);
    let moved: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|it| it["name"] == "hashtag-moved").collect();
    assert_eq!((code, moved.len()), (1, 2), "{err}{report:#}");
    assert!(moved.iter().all(|it| it["severity"] == "error" && it["task"].is_null()), "{moved:#?}");
    assert!(moved[0]["id"].as_str().unwrap().starts_with("hashtag-moved #emergency-deployment "), "{moved:#?}");
    assert_eq!(report["population"], before["population"]);
    // Old deploys are judged by the tag and the team of then.
    let others = |report: &Value| {
        let all = report["findings"].as_array().unwrap().iter();
        all.filter(|it| it["name"] != "hashtag-moved").map(|it| it["id"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(others(&report), others(&before));
}

#[test]
fn a_team_that_the_auditor_is_not_shown_is_no_verdict_on_its_members() {
    let server = Server::new();
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--yes"]);
    assert_eq!(code, 0, "{err}");
    let hidden = server.running.change(|world, _| {
        let team = world.projects.iter_mut().find(|project| project.slugs.iter().any(|slug| slug == "sre")).unwrap();
        team.view = "admin".to_owned();
    });
    hidden.unwrap();
    let (code, report, err) = audit(&server, "phabgate", &[]);
    assert_eq!((code, &report["unread"][0]["task"]), (3, &Value::from("T1")), "{err}{report:#}");
    assert!(report["unread"][0]["error"].as_str().unwrap().contains("#sre"), "{report:#}");
    assert!(found(&report, "T1", "approver-not-member").is_empty());
    assert_eq!(audit(&server, "phabgate", &["--offline"]).0, 3);
}

#[test]
fn a_thorough_audit_finds_what_was_changed_in_the_database_itself() {
    let server = Server::new();
    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
    server.running.advance(Duration::from_secs(60));
    audit(&server, "phabgate", &[]);
    server.running.advance(Duration::from_secs(60));
    let tampered = server.running.change(|world, _| {
        let task = world.task_numbered(1).unwrap().phid.clone();
        let of = |kind: &str| {
            let row = |row: &&phabgate::sandbox::Transaction| row.object == task && row.kind.as_deref() == Some(kind);
            world.transactions.iter().find(row).unwrap().phid.clone()
        };
        let tag = of("projects");
        world.transactions.iter_mut().find(|row| row.phid == tag).unwrap().created -= 3_600;
    });
    tampered.unwrap();
    // Nothing of it shows in the task, nor in its comments.
    let (_, report, _) = audit(&server, "phabgate", &[]);
    assert!(found(&report, "T1", "history-rewritten").is_empty(), "{report:#}");
    let (code, report, err) = audit(&server, "phabgate", &["--thorough"]);
    let rewritten = found(&report, "T1", "history-rewritten");
    assert_eq!((code, rewritten.len()), (1, 1), "{err}{report:#}");
    let (severity, message) = says(rewritten[0]);
    assert_eq!(severity, "error");
    assert!(message.contains("a change of the tags by") && message.contains("its time was"), "{message}");
    // A deploy on such a task is clean nowhere, and so it stays.
    assert_eq!((&report["figures"]["clean"], &report["deploys"][0]["findings"]), (&0.into(), &1.into()));
    let (_, csv, _) = server.run(&["audit", "--format", "csv"]);
    assert!(csv.lines().any(|row| row.starts_with("T1,") && row.contains("history-rewritten")), "{csv}");
    let (_, metrics, _) = server.run(&["audit", "--format", "prometheus"]);
    assert!(metrics.contains("clean=\"no\"} 1") && !metrics.contains("clean=\"yes\"} 1"), "{metrics}");
    let (code, _, err) = server.run(&["audit", "--thorough", "--offline"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_history_that_leads_to_another_task_says_what_is_gone_and_what_was_found() {
    let server = Server::new();
    deployed_against_a_no(&server);
    let tampered = server.running.change(|world, _| {
        let task = world.task_numbered(1).unwrap().phid.clone();
        let tag = |row: &phabgate::sandbox::Transaction| row.object == task && row.kind.as_deref() == Some("projects");
        world.transactions.retain(|row| !tag(row));
    });
    tampered.unwrap();
    for args in [&["--thorough"][..], &[], &["--offline"]] {
        let (code, report, err) = audit(&server, "phabgate", args);
        assert_eq!((code, report["unread"].as_array().unwrap().len()), (3, 1), "{err}{report:#}");
        let (gone, vanished) = (found(&report, "T1", "history-rewritten"), found(&report, "T1", "finding-vanished"));
        assert_eq!((gone.len(), vanished.len()), (1, 1), "{report:#}");
        assert!(matches!(says(gone[0]), ("error", said) if said.contains("the adding of #emergency")), "{report:#}");
        let (severity, said) = says(vanished[0]);
        assert!(severity == "error" && said.contains("rule-failed"), "{said}");
        assert!(said.ends_with("the task cannot be judged now"), "{said}");
    }
    // What was looked at is a notice; the deploys are not judged all the same.
    let (_, report, _) = audit(&server, "phabgate", &[]);
    let ids = ["history-rewritten", "finding-vanished"].map(|name| found(&report, "T1", name)[0]["id"].clone());
    let accept = |id: &Value| format!("{{ finding = {id}, why = \"a repaired database\" }}");
    let config = format!("[audit]\naccepted = [{}]\n", ids.each_ref().map(accept).join(", "));
    std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
    let (code, report, err) = audit(&server, "phabgate", &[]);
    assert_eq!(code, 3, "{err}");
    for name in ["history-rewritten", "finding-vanished"] {
        assert_eq!(says(found(&report, "T1", name)[0]).0, "notice", "{report:#}");
    }
}

#[test]
fn a_server_that_is_too_old_for_an_audit_says_so_and_is_not_ready() {
    for like in [Like::Release2018_25, Like::Release2019_25] {
        let server = Server::like(like);
        let (code, out, err) = server.run(&["audit"]);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(in_one_line(&err).contains("this server is too old for an audit"), "{err}");
        let (code, out, err) = server.run(&["doctor"]);
        let said = in_one_line(&out);
        assert_eq!(code, 1, "{out}{err}");
        assert!(said.contains("NOT READY: look at audit") && said.contains("`history` and answers work"), "{out}");
    }
}
