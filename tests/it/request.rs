//! `request`: an emergency is opened with one edit, which is made once, asked for where it takes something away, and
//! told truthfully.

use phabgate::evidence::trailers::{Key, last};
use phabgate::sandbox::Options;
use serde_json::Value;

use crate::server::{Server, in_one_line, on_a_terminal};

/// What a command of this account prints.
fn run_as(server: &Server, account: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = server.phabgate_as(account).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| server.tidy(std::str::from_utf8(bytes).unwrap());
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn description(server: &Server, task: u64) -> String {
    server.running.world().unwrap().task_numbered(task).unwrap().description.clone()
}

/// How many transactions of this type a task has.
fn count(server: &Server, task: u64, kind: &str) -> usize {
    let world = server.running.world().unwrap();
    let phid = &world.task_numbered(task).unwrap().phid;
    world.history(phid).iter().filter(|row| row.kind.as_deref() == Some(kind)).count()
}

fn edits(server: &Server) -> usize {
    server.running.served().iter().filter(|call| call.method == "maniphest.edit").count()
}

/// Somebody comments.
fn comment(server: &Server, task: u64, author: &str, text: &str) {
    server
        .running
        .change(|world, now| {
            let task = world.task_numbered(task).unwrap().phid.clone();
            let mut row = world.transactions.iter().rfind(|row| !row.versions.is_empty()).unwrap().clone();
            let author = world.user_named(author).unwrap().phid.clone();
            let id = world.transactions.iter().map(|row| row.id).max().unwrap() + 1;
            (row.id, row.phid, row.object, row.author) = (id, format!("PHID-XACT-TASK-{id}"), task, author.clone());
            (row.created, row.modified) = (now, now);
            row.versions.truncate(1);
            (row.versions[0].author, row.versions[0].created) = (author, now);
            row.versions[0].text = text.to_owned();
            world.transactions.push(row);
        })
        .unwrap();
}

#[test]
fn from_nothing_to_a_deploy() {
    let server = Server::new();
    let open = [
        "request", "T3", "--reason", "outage", "5xx", "on", "every", "page", "--action", "rollback", "--change",
        "I0123",
    ];
    server
        .running
        .change(|world, _| {
            // A task that says nothing and carries nothing.
            let task = world.tasks.iter_mut().find(|task| task.id == 3).unwrap();
            task.description = "It is down.\r\nSince noon.".into();
            task.projects.clear();
            let phid = task.phid.clone();
            world.transactions.retain(|row| row.object != phid || row.kind.as_deref() != Some("projects"));
            for row in world
                .transactions
                .iter_mut()
                .filter(|row| row.object == phid && row.kind.as_deref() == Some("description"))
            {
                row.fields.insert("new".into(), "It is down.\r\nSince noon.".into());
            }
        })
        .unwrap();
    let (code, out, err) = run_as(&server, "deployer1", &open);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    insta::assert_snapshot!("request_opens", out);
    assert_eq!(
        description(&server, 3),
        "It is down.\r\nSince noon.\r\n\r\nEmergency-Reason: availability - 5xx on every page\r\n\
         Emergency-Deployer: deployer1\r\nEmergency-Action: rollback\r\nEmergency-Change: I0123\r\n\r\n\
         To approve this emergency deploy, comment \"Emergency-Approve: TEAM\", alone on a line and without the quotation \
         marks. TEAM is yours of releng, sre, security."
    );
    assert_eq!(edits(&server), 1);
    // Run twice it changes nothing.
    let (code, out, _) = run_as(&server, "deployer1", &open);
    assert_eq!((code, edits(&server)), (0, 1));
    assert!(out.contains("T3 states all of it already; nothing was changed."), "{out}");
    comment(&server, 3, "releng1", "Emergency-Approve: releng");
    comment(&server, 3, "sre1", "Emergency-Approve: sre");
    let (code, out, err) = run_as(&server, "deployer1", &["run", "T3", "--", "echo", "deployed"]);
    assert_eq!((code, out.as_str()), (0, "deployed\n"), "{err}");
}

#[test]
fn what_takes_approvals_away_needs_a_yes() {
    let server = Server::new();
    let change = ["request", "T1", "--reason", "security", "private", "pages", "--deployer", "DEPLOYER1"];
    let (code, out, err) = server.run(&change);
    assert_eq!((code, out.as_str(), edits(&server)), (2, "", 0));
    insta::assert_snapshot!("request_asks", err);
    let (code, out, err) = server.run(&[&change[..], &["--yes"]].concat());
    assert_eq!((code, edits(&server)), (0, 1), "{err}");
    insta::assert_snapshot!("request_changes", out);
    assert_eq!(last(&description(&server, 1), Key::Deployer), Some("deployer1"), "as the server writes it");
    assert!(
        description(&server, 1).starts_with("Logged-out readers get errors since 14:02.\n\nEmergency-Reason: security")
    );
    // Words alone take nothing away.
    let (code, _, err) = server.run(&["request", "T5", "--reason", "data-loss", "all saves are lost"]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn who_is_asked_decides_whether_it_is_changed() {
    let server = Server::new();
    let change = ["request", "T1", "--reason", "security", "private", "pages"];
    for (typed, expected, made) in [("n\n", 1, 0), ("\n", 1, 0), ("y\n", 0, 1)] {
        let (code, shown) = on_a_terminal(&server, "deployer1", &change, typed, || {});
        assert_eq!((code, edits(&server)), (expected, made), "{typed:?}: {shown}");
        assert!(shown.contains("Earlier approvals will have to be given again"), "{shown}");
        assert_eq!(shown.contains("not confirmed: T1 was not changed"), made == 0, "{shown}");
    }
}

#[test]
fn what_changes_while_somebody_reads_is_asked_again() {
    let server = Server::new();
    let first = std::cell::Cell::new(true);
    let again = || {
        if first.replace(false) {
            comment(&server, 1, "sre2", "Emergency-Approve: sre");
        }
    };
    let change = ["request", "T1", "--reason", "security", "private", "pages"];
    let (code, shown) = on_a_terminal(&server, "deployer1", &change, "y\n", again);
    assert_eq!((code, shown.matches("[y/N] ").count()), (0, 2), "{shown}");
    assert!(shown.contains("sre2 for sre"), "{shown}");
}

#[test]
fn every_change_is_on_the_task_once_whatever_breaks() {
    for fault in
        ["lost-reply", "truncate", "late-502", "503", "502", "429", "reset", "refuse", "garbage", "late-commit"]
    {
        let server = Server::broken(&[&format!("maniphest.edit:{fault}@1")]);
        let before = (count(&server, 2, "description"), count(&server, 2, "projects"));
        let ask = ["request", "T2", "--reason", "abuse", "a scraper", "--deployer", "deployer1", "--yes"];
        let (code, out, err) = server.run(&ask);
        // What is unclear is sent again once it is settled, within the time that the command has.
        assert_eq!(code, 0, "{fault}: {err}");
        assert!(out.contains("abuse - a scraper"), "{fault}: {out}");
        let (code, out, err) = server.run(&ask);
        assert_eq!(code, 0, "{fault}: {err}");
        assert!(out.contains("nothing was changed"), "{fault}: {out}");
        server.running.commit_late();
        let after = (count(&server, 2, "description"), count(&server, 2, "projects"));
        assert_eq!(after, (before.0 + 1, before.1 + 1), "{fault}");
        assert_eq!(last(&description(&server, 2), Key::Reason), Some("abuse - a scraper"));
    }
}

#[test]
fn a_request_ends_in_time_whatever_the_server_does() {
    for fault in ["502", "503", "stall", "drip", "late-commit", "html", "redirect", "garbage", "huge", "reset"] {
        let faults = vec![format!("maniphest.edit:{fault}").parse().unwrap()];
        let minutes = std::time::Duration::from_secs(600);
        let server = Server::with(Options { faults, stall: minutes, late: minutes, ..Options::default() });
        let config = "[record]\nsettle = \"60s\"\n[http]\nconnect = \"2s\"\ncall = \"500ms\"\ntotal = \"2s\"\n";
        std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
        let ask = ["request", "T2", "--reason", "abuse", "a scraper", "--deployer", "deployer1", "--yes"];
        let (code, out, err) = server.run(&ask);
        // Bytes that drip in time are a reply; and what was carried out behind a reply that is none is seen.
        assert!(matches!((code, fault), (3, _) | (0, "drip")), "{fault}: {code} {out}{err}");
        if code == 3 {
            let said = crate::server::in_one_line(&err);
            assert!(said.contains("it is not clear whether T2 was changed") && said.contains("run it again"), "{said}");
            assert_eq!(edits(&server), 1, "{fault}: {err}");
        }
    }
}

#[test]
fn an_edit_that_is_acknowledged_and_cannot_be_read_back_is_told() {
    // The first reads of the task succeed, the one after the edit does not.
    let faults: Vec<String> = (2..9).map(|call| format!("transaction.search:503@{call}")).collect();
    let server = Server::broken(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    let (code, out, err) = server.run(&["request", "T2", "--reason", "availability", "x", "--deployer", "deployer1"]);
    assert_eq!((code, edits(&server)), (3, 1), "{err}");
    assert!(out.contains("was added") && err.contains("HTTP 503"), "{out}{err}");
}

#[test]
fn what_cannot_be_opened_is_refused_and_nothing_is_written() {
    let server = Server::new();
    for (arguments, code, said) in [
        (
            &["T1", "--reason", "marketing"][..],
            2,
            "hint: CATEGORY is one of security (address a security issue), data-loss",
        ),
        (&["T1"], 2, "say what the task should state hint: give --reason CATEGORY"),
        (&["T3", "--change", "I1"], 2, "the task states no reason that counts, and none is given"),
        (&["T1", "5xx"], 2, "no reason is given hint: add --reason CATEGORY; CATEGORY is one of security"),
        (&["T0", "--reason", "abuse"], 2, "is not a task"),
        (&["T1", "--reason", "abuse", "--deployer", ""], 2, "--deployer is empty"),
        (&["T1", "--reason", "abuse", "--change", " "], 2, "--change is empty"),
        (&["T1", "--reason", "abuse", "--deployer", "nosuchone"], 2, "the server knows no account nosuchone"),
        (&["T1", "--reason", "abuse", "--deployer", "robot"], 2, "that is no person with an enabled account"),
        (&["T1", "--reason", "abuse", "--action", "pray"], 2, "--action"),
        (&["T22", "--reason", "abuse"], 1, "T22 is closed (resolved)"),
        (&["T27", "--reason", "abuse"], 1, "T27 does not exist, or phabgate may not see it"),
        (&["T9999", "--reason", "abuse"], 1, "T9999 does not exist, or phabgate may not see it"),
    ] {
        let (got, out, err) = server.run(&[&["request"], arguments].concat());
        assert_eq!((got, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert!(in_one_line(&err).contains(said), "{arguments:?}: {err}");
    }
    assert_eq!(edits(&server), 0);
}

#[test]
fn a_restricted_task_shows_nothing() {
    let server = Server::new();
    for format in ["text", "json"] {
        let reason =
            ["request", "T27", "--reason", "abuse", "secretword", "--deployer", "deployer1", "--format", format];
        let (code, out, err) = run_as(&server, "admin", &reason);
        assert!(code == 2 || format == "json", "{out}{err}");
        assert!(
            !format!("{out}{err}").contains("secretword") && !format!("{out}{err}").contains("mbargo"),
            "{out}{err}"
        );
        let (code, out, err) = run_as(&server, "admin", &[&reason[..], &["--yes"]].concat());
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("deploy -- context is T27"), "{out}");
        assert!(
            !format!("{out}{err}").contains("secretword") && !format!("{out}{err}").contains("mbargo"),
            "{out}{err}"
        );
    }
    assert!(description(&server, 27).starts_with("Emergency-Reason: abuse - secretword\n"));
    let shown = ["request", "T27", "--reason", "abuse", "otherword", "--show-restricted"];
    let (_, out, _) = run_as(&server, "admin", &shown);
    assert!(out.contains("otherword (it was: abuse - secretword)") && out.contains("Embargoed"), "{out}");
}

#[test]
fn a_subproject_of_the_tag_is_enough() {
    let server = Server::new();
    let (code, out, _) =
        server.run(&["request", "T23", "--reason", "availability", "--drill", "--format", "json", "-y"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["tag_added"], &told["drill"]), (0, &false.into(), &true.into()));
    assert_eq!((&told["schema"], &told["changes"][0]["what"]), (&"phabgate/request/1".into(), &"drill".into()));
    assert!(told["message"].as_str().unwrap().contains("(this is a drill) help!"));
    // What follows is told that it is one still.
    let (_, _, err) = server.run(&["request", "T23", "--reason", "availability"]);
    assert!(err.contains("T23 is stated to be a drill"), "{err}");
}

#[test]
fn a_reason_elsewhere_is_overruled_by_the_description() {
    for task in ["T14", "T13"] {
        let server = Server::new();
        let ask = ["request", task, "--reason", "abuse", "a scraper", "--deployer", "deployer1", "--yes"];
        let (code, _, err) = server.run(&ask);
        assert_eq!(code, 0, "{task}: {err}");
        comment(&server, task[1..].parse().unwrap(), "deployer1", "Emergency-Reason: security");
        let (code, out, err) = server.run(&ask);
        assert_eq!(code, 0, "{task}: {err}");
        assert!(out.contains("abuse: a scraper (it was: security)"), "{out}");
    }
}
