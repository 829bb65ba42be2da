//! What `audit` remembers from one time to the next, end to end: which server it knows, which listings it believes, and
//! that nothing that was found once is gone without a word.

use std::time::Duration;

use phabgate::sandbox::World;
use serde_json::Value;

use crate::server::{Server, in_one_line};

/// The audit for programs: its exit code, the report, and what it said.
fn audit(server: &Server, account: &str, more: &[&str]) -> (i32, Value, String) {
    let output = server.phabgate_as(account).args(["audit", "--format", "json"]).args(more).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap_or(-1),
        serde_json::from_slice(&output.stdout).unwrap_or_default(),
        text(&output.stderr),
    )
}

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
