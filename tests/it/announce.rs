//! `announce`, and the call that a pending `check` prints: whom they call, whatever the train's tasks look like.

use phabgate::sandbox::World;
use serde_json::{Value, json};

use crate::server::{Server, in_one_line};

/// The train of the built-in world.
const TRAIN: u64 = 28;

fn train(world: &mut World) -> &mut phabgate::sandbox::Task {
    world.tasks.iter_mut().find(|task| task.id == TRAIN).unwrap()
}

/// Another open train.
fn another(world: &mut World, id: u64, version: &str, owner: &str) {
    let owner = world.user_named(owner).unwrap().phid.clone();
    let mut task = train(world).clone();
    (task.id, task.phid, task.owner) = (id, format!("PHID-TASK-train{id}"), Some(owner));
    task.custom.insert("release.version".into(), json!(version));
    world.tasks.push(task);
}

fn announce(server: &Server, more: &[&str]) -> (Value, String) {
    let (code, out, err) = server.run(&[&["announce", "T6", "--format", "json"], more].concat());
    assert_eq!(code, 0, "{err}");
    (serde_json::from_str(&out).unwrap(), err)
}

fn called(server: &Server, more: &[&str]) -> (Option<String>, Option<String>, String) {
    let (call, err) = announce(server, more);
    assert_eq!(call["schema"], "phabgate/announce/1");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nick = text(&call["conductor"]["nick"]);
    let message = call["message"].as_str().unwrap();
    let source = text(&call["conductor"]["source"]);
    // Of T6 the approval of SRE is missing: a conductor who is in Release Engineering is called only where somebody named them.
    let named = nick.as_ref().filter(|_| matches!(source.as_deref(), Some("flag" | "configuration")));
    let named = named.map_or(String::new(), |nick| format!("{nick}, "));
    let expected = format!(
        "{named}both, sre1, sre2: help! I'd like to do an emergency deploy for data-loss -- context is {} -- to approve, \
         write there alone on a line \"Emergency-Approve: sre\" (as a comment)",
        call["url"].as_str().unwrap()
    );
    assert_eq!(message, expected);
    (nick, source, err)
}

fn some(nick: &str, source: &str) -> (Option<String>, Option<String>, String) {
    (Some(nick.to_owned()), Some(source.to_owned()), String::new())
}

#[test]
fn what_people_read() {
    let server = Server::new();
    let (code, out, err) = server.run(&["announce", "T6"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out);
}

#[test]
fn a_drill_pages_nobody_and_an_emergency_has_the_words_to_paste() {
    let server = Server::new();
    let out = |arguments: &[&str]| in_one_line(&server.run(arguments).1);
    let url = server.tidy(server.running.url.as_str());
    let announced = out(&["announce", "T6"]);
    let words = format!(
        "Nobody answers? Klaxon pages the people on call. Words to paste: emergency deploy T6 needs sre: {url}T6 "
    );
    assert!(announced.contains(&words), "{announced}");
    let command = server.phabgate_as("admin").args(["announce", "T27"]).output().unwrap();
    let hidden = in_one_line(&server.tidy(&String::from_utf8(command.stdout).unwrap()));
    assert!(hidden.contains(&format!("Words to paste: emergency deploy T27: {url}T27 ")), "{hidden}");
    let opened = out(&["request", "T3", "--reason", "outage", "5xx", "--drill", "--deployer", "deployer1", "--yes"]);
    let drills = [opened, out(&["announce", "T3"])];
    for drill in drills {
        assert!(drill.contains("Nobody answers? this is a drill: page nobody"), "{drill}");
        assert!(!drill.contains("Klaxon") && !drill.contains("to paste"), "{drill}");
    }
    let checked = out(&["check", "T3"]);
    assert!(checked.contains("(this is a drill: page nobody):") && !checked.contains("Klaxon"), "{checked}");
}

#[test]
fn what_was_deployed_already_is_said_where_nobody_is_needed() {
    let server = Server::new();
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
    let (code, out, err) = server.run(&["announce", "T1"]);
    assert_eq!(code, 0, "{err}");
    let out = in_one_line(&out);
    assert!(out.contains("Deployed already: these approvals already served the deploy of deployer1 at "), "{out}");
}

#[test]
fn the_conductor_is_called_where_their_team_is_missing() {
    let server = Server::new();
    let (code, out, err) = server.run(&["announce", "T5"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("\n  releng2, both, releng1, sre1, sre2: help! "), "{out}");
    assert!(out.contains("\"Emergency-Approve: releng\" or \"Emergency-Approve: sre\" (as a comment)"), "{out}");
}

#[test]
fn the_conductor_of_the_newest_train_is_called() {
    let server = Server::new();
    assert_eq!(called(&server, &[]), some("releng2", "train"));
    server.running.change(|world, _| another(world, 29, "1.46.0-wmf.10", "both")).unwrap();
    server.running.change(|world, _| another(world, 30, "1.45.0-wmf.27", "sre1")).unwrap();
    let (nick, source, err) = called(&server, &[]);
    assert_eq!((nick.as_deref(), source.as_deref()), (Some("both"), Some("train")));
    let others =
        "warning: 1.46.0-wmf.10 (T29) is the newest train, and open beside it: 1.46.0-wmf.3 (T28), 1.45.0-wmf.27 (T30)";
    assert_eq!(in_one_line(&err), others);
}

#[test]
fn a_name_that_is_given_wins_and_nothing_is_looked_up() {
    let server = Server::new();
    assert_eq!(called(&server, &["--conductor", "@thcipriani:"]), some("thcipriani", "flag"));
    let config = server.machine.home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[contact]\nconductor = \"brennen\"\n")).unwrap();
    assert_eq!(called(&server, &[]), some("brennen", "configuration"));
    assert!(server.running.served().iter().filter(|call| call.method == "maniphest.search").count() == 2);
    let (code, _, err) = server.run(&["announce", "T6", "--conductor", " "]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn where_nobody_conducts_the_backup_is_called_and_that_is_said() {
    let server = Server::new();
    server.running.change(|world, _| train(world).owner = None).unwrap();
    let (nick, source, err) = called(&server, &[]);
    assert_eq!((nick.as_deref(), source.as_deref()), (Some("releng1"), Some("backup")));
    let err = in_one_line(&err);
    assert!(err.contains("has no conductor who can be called: releng1 stands in"), "{err}");
    server.running.change(|world, _| train(world).custom.remove("train.backup")).unwrap();
    let (nick, _, err) = called(&server, &[]);
    assert_eq!(nick, None);
    let err = in_one_line(&err);
    assert!(
        err.contains("has neither a conductor nor a backup: nobody is called by name; `--conductor NICK`"),
        "{err}"
    );
}

#[test]
fn the_message_comes_out_where_there_is_no_train() {
    type Spoil = fn(&mut World);
    let cases: [(Spoil, &str); 5] = [
        (|world| train(world).status = "wontfix".into(), "no open task of #train-deployments is a train that runs"),
        (|world| drop(train(world).custom.insert("train.status".into(), json!("declined"))), "is a train that runs"),
        (|world| drop(train(world).custom.remove("release.version")), "is a train that runs"),
        (|world| train(world).view = world_admin(world), "is a train that runs"),
        (
            |world| world.projects.retain(|project| project.name != "Train-Deployments"),
            "knows no project #train-deployments",
        ),
    ];
    for (spoil, said) in cases {
        let server = Server::new();
        server.running.change(|world, _| spoil(world)).unwrap();
        let (nick, _, err) = called(&server, &[]);
        assert_eq!(nick, None);
        let err = in_one_line(&err);
        assert!(err.contains(said) && err.contains("nobody is called by name"), "{said}: {err}");
    }
}

fn world_admin(world: &World) -> String {
    world.user_named("admin").unwrap().phid.clone()
}

#[test]
fn help_is_asked_for_where_the_server_does_not_answer() {
    let server = Server::broken(&["*:503"]);
    let (code, out, err) = server.run(&["announce", "T6", "--conductor", "releng2"]);
    assert_eq!(code, 3, "{err}");
    assert!(out.contains("releng2: help! I'd like to do an emergency deploy -- context is T6\n"), "{out}");
    assert!(err.contains("HTTP 503"), "{err}");
    let server = Server::broken(&["project.search:503"]);
    let (code, out, _) = server.run(&["announce", "T6"]);
    assert_eq!(code, 3);
    assert!(out.contains("  help! I'd like to do an emergency deploy -- context is T6\n"), "{out}");
}

#[test]
fn of_a_restricted_task_nothing_but_its_number_goes_out() {
    let server = Server::new();
    let (code, out, err) = server.run(&["announce", "T27"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("T27 does not exist, or phabgate may not see it"), "{err}");
    for format in ["text", "json"] {
        let command = server.phabgate_as("admin").args(["announce", "T27", "--format", format]).output().unwrap();
        let out = String::from_utf8(command.stdout).unwrap();
        assert_eq!(command.status.code(), Some(0));
        assert!(out.contains("releng2: help! I'd like to do an emergency deploy -- context is T27"), "{out}");
        assert!(!out.to_lowercase().contains("embargo") && !out.contains("security"), "{out}");
    }
}

#[test]
fn a_pending_check_calls_who_is_missing_and_is_silent_of_a_train_that_it_cannot_read() {
    let check = |server: &Server, more: &[&str]| {
        let (code, out, err) = server.run(&[&["check", "T6", "--deployer", "deployer1"], more].concat());
        assert_eq!((code, err.as_str()), (8, ""));
        out
    };
    let server = Server::new();
    assert!(check(&server, &["--change", "I1"]).contains("\n  both, sre1, sre2: help! "));
    assert!(
        check(&server, &["--change", "I 1"])
            .ends_with("\n\nNext: phabgate check T6 --deployer deployer1 --change 'I 1' --wait\n")
    );
    let verdict: Value = serde_json::from_str(&check(&server, &["--format", "json"])).unwrap();
    assert!(verdict["announcement"].as_str().unwrap().starts_with("both, sre1, sre2: help! "));
    server.running.change(|world, _| world.projects.retain(|project| project.name != "Train-Deployments")).unwrap();
    assert!(check(&server, &[]).contains("\n  both, sre1, sre2: help! "));
    // An allowed check looks up nothing of the train.
    let before = server.running.served().len();
    assert_eq!(server.run(&["check", "T1", "--deployer", "deployer1"]).0, 0);
    assert!(server.running.served().len() - before <= 9);
}
