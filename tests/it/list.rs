//! `list`: the open emergencies, and what each still needs.

use serde_json::Value;

use crate::server::Server;

/// A server on which three emergencies are open: one that is pending, one that is denied, and one that is allowed.
fn three() -> Server {
    let server = Server::new();
    server.running.change(|world, _| world.tasks.retain(|task| [1, 6, 15, 28].contains(&task.id))).unwrap();
    server
}

fn json(server: &Server, account: &str) -> (Option<i32>, Value) {
    let output = server.phabgate_as(account).args(["list", "--format", "json"]).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn each_open_emergency_is_shown_with_what_it_needs() {
    let server = three();
    let (code, out, err) = server.run(&["list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("list", server.tidy(&out));
    let (code, listed) = json(&server, "phabgate");
    assert_eq!((code, listed["schema"].as_str()), (Some(0), Some("phabgate/list/1")));
    let verdicts: Vec<_> = listed["tasks"].as_array().unwrap().iter().map(|task| task["verdict"].clone()).collect();
    assert_eq!(verdicts, ["denied", "pending", "allowed"]);
    assert_eq!(listed["tasks"][1]["missing"], serde_json::json!(["team:sre"]));
    // What each is, `check` says too.
    for task in listed["tasks"].as_array().unwrap() {
        let (_, out, _) = server.run(&["check", task["task"].as_str().unwrap(), "--format", "json"]);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["verdict"], task["verdict"]);
    }
}

#[test]
fn a_quiet_night_is_said_and_a_tag_that_is_not_shown_is_none() {
    let server = three();
    server.running.change(|world, _| world.tasks.iter_mut().for_each(|task| task.status = "resolved".into())).unwrap();
    assert_eq!(
        server.run(&["list"]),
        (0, "no open emergency is shown to this account; nothing is to be done\n".to_owned(), String::new())
    );
    server
        .running
        .change(|world, _| {
            world.projects.retain(|project| !project.slugs.iter().any(|slug| slug == "emergency-deployment"))
        })
        .unwrap();
    let (code, out, err) = server.run(&["list"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("the server knows no project #emergency-deployment"), "{err}");
}

#[test]
fn texts_of_a_restricted_task_are_shown_only_where_they_are_asked_for() {
    let server = Server::new();
    let shown = |more: &[&str]| {
        let output = server.phabgate_as("admin").args(["list"]).args(more).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let hidden = shown(&[]);
    assert!(hidden.contains("T27 (its texts are not shown)"), "{hidden}");
    assert!(!hidden.to_lowercase().contains("embargo"), "{hidden}");
    assert!(!shown(&["--show-restricted"]).contains("(its texts are not shown)"));
}

#[test]
fn what_cannot_be_judged_is_no_success() {
    let server = Server::broken(&["transaction.search:503"]);
    server.running.change(|world, _| world.tasks.retain(|task| [1, 28].contains(&task.id))).unwrap();
    let (code, listed) = json(&server, "phabgate");
    assert_eq!((code, listed["tasks"][0]["verdict"].as_str()), (Some(3), Some("undecided")));
}
