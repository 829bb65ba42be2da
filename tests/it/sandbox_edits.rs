//! What an edit leaves behind in the sandbox, and who may make it.
//!
//! What each edit is expected to write, and in which order, was measured on a real Phorge.

use std::time::Duration;

use phabgate::sandbox::{Clock, Options, Running, Source, Transaction, World};
use serde_json::{Value, json};

use crate::sandbox::{call, phid, written};
use crate::server::Server;

/// Makes an edit and tells what it wrote, on this task and on others, with people's names for PHIDs.
fn edit(running: &Running, who: &str, task: Option<u64>, changes: Value) -> Vec<String> {
    let before = running.world().unwrap().transactions.len();
    let changes: Vec<Value> =
        changes.as_array().unwrap().iter().map(|change| json!({"type": change[0], "value": change[1]})).collect();
    let mut params = json!({ "transactions": changes });
    if let Some(task) = task {
        params["objectIdentifier"] = json!(format!("T{task}"));
    }
    let reply = call(running, who, "maniphest.edit", params);
    let world = running.world().unwrap();
    if let Some(info) = reply["error_info"].as_str() {
        assert_eq!(world.transactions.len(), before, "an edit that is refused leaves nothing");
        return vec![info.to_owned()];
    }
    let own = reply["result"]["object"]["phid"].as_str().unwrap().to_owned();
    let rows = &world.transactions[before..];
    let told: Vec<&str> =
        reply["result"]["transactions"].as_array().unwrap().iter().map(|row| row["phid"].as_str().unwrap()).collect();
    let mine: Vec<&str> = rows.iter().filter(|row| row.object == own).map(|row| row.phid.as_str()).collect();
    assert_eq!(told, mine);
    assert!(rows.iter().all(|row| row.group == rows[0].group));
    rows.iter().map(|row| describe(&world, row, &own)).collect()
}

fn describe(world: &World, row: &Transaction, own: &str) -> String {
    let mut text = row.kind.clone().unwrap_or_else(|| "null".to_owned());
    if row.object != own {
        text.push_str(" elsewhere");
    }
    for operation in row.fields.get("operations").and_then(Value::as_array).into_iter().flatten() {
        let phid = operation["phid"].as_str().unwrap();
        let name = world.user(phid).map(|user| user.username.clone());
        let name = name.or_else(|| world.project(phid).map(|project| project.slugs[0].clone())).unwrap();
        text.push_str(if operation["operation"] == "add" { " +" } else { " -" });
        text.push_str(&name);
    }
    text
}

#[test]
fn an_edit_is_written_in_the_order_of_the_real_server() {
    let server = Server::new();
    let running = &*server.running;
    let name = |name: &str| phid(running, name);
    let made = edit(running, "outsider", None, json!([["title", "t"], ["description", "hello @sre1"]]));
    assert_eq!(made, ["create", "title", "description", "subscribers +sre1 +outsider"]);
    let t = 29;
    for (who, changes, expected) in [
        (
            "sre1",
            json!([["comment", "hello @sre2 and @both, see T1"]]),
            vec!["subscribers +both +sre2", "null", "comment", "null elsewhere"],
        ),
        ("sre1", json!([["comment", "again @sre2 T1"]]), vec!["comment"]),
        ("phabgate", json!([["comment", "a bot @robot"]]), vec!["comment"]),
        ("outsider", json!([["comment", "  "]]), vec![]),
        (
            "sec1",
            json!([["comment", "c @releng1 T2"], ["status", "resolved"]]),
            vec!["subscribers +releng1 +sec1", "status", "owner", "null", "comment", "null elsewhere"],
        ),
        ("releng2", json!([["status", "open"], ["comment", "d"]]), vec!["subscribers +releng2", "status", "comment"]),
        (
            "releng2",
            json!([["comment", "e"], ["description", "T1 T3 @gone @robot"]]),
            vec!["description", "subscribers +gone", "null", "comment", "null elsewhere"],
        ),
        ("outsider", json!([["projects.set", ["sre", "security-team"]]]), vec!["projects +sre +security-team"]),
        (
            "outsider",
            json!([["projects.add", ["sre", "emergency-deploy"]], ["projects.remove", ["sre"]]]),
            vec!["projects +emergency-deployment -sre"],
        ),
        (
            "outsider",
            json!([["subscribers.set", [name("sre1")]], ["comment", "c"]]),
            vec!["subscribers -sec1 -releng1 -releng2 -gone -sre2 -sre1 -outsider -both"],
        ),
        ("outsider", json!([["owner", null], ["status", "wontfix"]]), vec!["owner", "subscribers +sec1", "status"]),
        ("outsider", json!([["status", "wontfix"], ["title", "t"]]), vec![]),
    ] {
        let got = edit(running, who, Some(t), changes.clone());
        if changes[0][0] == "subscribers.set" {
            // Who goes is told in the order of the list; that who is set stays is what counts here.
            assert!(got[0].starts_with("subscribers -") && !got[0].contains("sre1") && got[1] == "comment", "{got:?}");
            continue;
        }
        assert_eq!(got, expected, "{who} {changes}");
    }
    // Who was taken off is not put on again by commenting, and is by being named.
    assert_eq!(edit(running, "both", Some(t), json!([["comment", "f"]])), ["comment"]);
    assert_eq!(edit(running, "sre1", Some(t), json!([["comment", "g @both"]])), ["subscribers +both", "comment"]);
}

#[test]
fn an_edit_is_applied_whole_or_not_at_all() {
    let server = Server::new();
    let running = &*server.running;
    let before = running.world().unwrap();
    let admin = phid(running, "admin");
    for changes in [
        json!([["comment", "x"], ["title", ""]]),
        json!([["comment", "x"], ["bogus", 1]]),
        json!([["comment", "x"], ["projects.add", ["no-such"]]]),
        json!([["status", "resolved"], ["view", "admin"]]),
        json!([["comment", "x"], ["edit", admin]]),
    ] {
        let got = edit(running, "sre1", Some(5), changes.clone());
        assert_eq!(got.len(), 1, "{changes}");
        assert_eq!(running.world().unwrap(), before, "{changes}");
    }
}

#[test]
fn who_may_not_edit_may_comment_and_subscribe() {
    let server = Server::new();
    let running = &*server.running;
    let outsider = phid(running, "outsider");
    edit(running, "outsider", None, json!([["title", "t"], ["edit", outsider]]));
    let refused = "[You Shall Not Pass: T29] (Can Edit) You do not have permission to edit this object. // outsider \
         (Outsider) can take this action. The assignee of a task can always view and edit it.";
    assert_eq!(edit(running, "sre1", Some(29), json!([["status", "resolved"]])), [refused]);
    assert_eq!(edit(running, "sre1", Some(29), json!([["comment", "x"], ["title", "no"]])), [refused]);
    assert_eq!(edit(running, "sre1", Some(29), json!([["comment", "x"]])), ["subscribers +sre1", "comment"]);
    assert_eq!(edit(running, "sre1", Some(29), json!([["subscribers.add", ["both"]]])), ["subscribers +both"]);
}

#[test]
fn on_a_locked_task_nobody_but_its_assignee_comments() {
    let server = Server::new();
    let running = &*server.running;
    let lock = |world: &mut World, _| {
        let open = world.statuses.iter_mut().find(|status| status.value == "open").unwrap();
        open.locked = true;
        world.tasks[4].owner = world.user_named("releng1").map(|user| user.phid.clone());
    };
    running.change(lock).unwrap();
    let params = json!({"constraints": {"ids": [5]}});
    let reply = call(running, "phabgate", "maniphest.search", params);
    assert_eq!(reply["result"]["data"][0]["fields"]["policy"]["interact"], "no-one");
    let statuses = call(running, "phabgate", "maniphest.status.search", json!({}));
    assert!(!statuses.to_string().contains("locked"), "the server does not tell it: {statuses}");
    let refused = "[You Shall Not Pass: T5] (Can Interact) You do not have permission to interact with this object. // \
         By default, no one can take this action. The assignee of a task can always view and edit it.";
    assert_eq!(edit(running, "sre1", Some(5), json!([["comment", "x"]])), [refused]);
    assert_eq!(edit(running, "sre1", Some(5), json!([["priority", "high"]])), ["priority"]);
    assert_eq!(edit(running, "releng1", Some(5), json!([["comment", "x"]])), ["comment"]);
}

#[test]
fn closing_an_open_task_that_nobody_has_assigns_it() {
    let server = Server::new();
    let running = &*server.running;
    for (task, first, then, expected) in [
        (1, "resolved", "open", vec!["status", "owner"]),
        (2, "wontfix", "open", vec!["status", "owner"]),
        (3, "bogus", "open", vec!["status", "owner"]),
        (4, "invalid", "resolved", vec!["status"]),
        (5, "duplicate", "resolved", vec!["status"]),
    ] {
        assert_eq!(edit(running, "sre1", Some(task), json!([["status", first]])), expected, "{first}");
        assert_eq!(edit(running, "sre1", Some(task), json!([["status", then]])), ["status"], "{first}, {then}");
    }
    let both = edit(running, "sre1", Some(6), json!([["status", "resolved"], ["priority", "high"]]));
    assert_eq!(both, ["status", "priority", "owner"]);
}

#[test]
fn closing_and_opening_keep_who_closed_it_and_when() {
    let server = Server::with(Options { clock: Clock::Fixed(1_800_000_000), ..Options::default() });
    let running = &*server.running;
    let state = || {
        let world = running.world().unwrap();
        let task = world.task_numbered(5).unwrap();
        (task.status.clone(), task.closer.clone(), task.closed, task.owner.clone(), task.modified)
    };
    let me = Some(phid(running, "sre1"));
    edit(running, "sre1", Some(5), json!([["status", "resolved"]]));
    assert_eq!(state(), ("resolved".into(), me.clone(), Some(1_800_000_000), me.clone(), 1_800_000_000));
    running.advance(Duration::from_secs(60));
    edit(running, "sre1", Some(5), json!([["status", "open"]]));
    assert_eq!(state(), ("open".into(), None, None, me, 1_800_000_060));
}

#[test]
fn servers_of_one_file_share_its_world_and_it_lasts() {
    let directory = tempfile::tempdir().unwrap();
    let source = Source::File(directory.path().join("world.json"), phabgate::sandbox::BuiltIn::Recorded);
    let serve = || Server::with(Options { source: source.clone(), ..Options::default() });
    let (one, two) = (serve(), serve());
    let ask = |server: &Server| {
        let params = json!({"constraints": {"ids": [5]}});
        call(&server.running, "phabgate", "maniphest.search", params)["result"]["data"][0]["fields"]["name"].clone()
    };
    edit(&one.running, "sre1", Some(5), json!([["title", "from one"]]));
    assert_eq!(ask(&two), "from one");
    edit(&two.running, "sre1", Some(5), json!([["comment", "written"]]));
    assert_eq!(written(&one.running), 1);
    drop((one, two));
    let again = serve();
    assert_eq!((ask(&again), written(&again.running)), (json!("from one"), 1));
}
