//! Every fault that a server or a network can have: a record is on its task once, or known not to be there yet.

use phabgate::record::{Event, Outcome};
use phabgate::sandbox::{FaultKind, Options};

use crate::server::Server;

/// `record`, then `outbox flush --wait`; the record must stand on the task once.
fn recorded_once(server: &Server) {
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
    assert_eq!(code, 0, "{err}");
    // What was put off is carried out before the record is looked for again.
    server.running.commit_late();
    let (code, out, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{err}");
    assert_eq!(server.events(1), [Event::Recorded]);
}

#[test]
fn each_fault_of_the_post_is_survived() {
    // A redirect is a refusal once it is settled.
    for kind in FaultKind::UNCLEAR.into_iter().filter(|kind| *kind != FaultKind::Redirect) {
        let server = Server::with(Options {
            faults: vec![format!("maniphest.edit:{}@1", kind.name()).parse().unwrap()],
            stall: std::time::Duration::from_secs(600),
            late: std::time::Duration::from_secs(600),
            ..Options::default()
        });
        recorded_once(&server);
        assert!(server.running.served().iter().any(|served| served.fault == Some(kind)), "{} struck", kind.name());
    }
}

#[test]
fn a_post_that_is_redirected_is_settled_and_then_sent_only_when_asked_for() {
    let server = Server::broken(&["maniphest.edit:redirect"]);
    let sent = || server.running.served().iter().filter(|served| served.method == "maniphest.edit").count();
    let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded", "--format", "json"];
    let (code, out, err) = server.run(&record);
    assert_eq!((code, sent()), (0, 1), "{err}");
    assert!(out.contains("\"state\": \"unclear\""), "{out}");
    for _ in 0..2 {
        let (code, out, err) = server.run(&["outbox", "flush", "--wait"]);
        assert_eq!((code, sent()), (3, 1), "{out}{err}");
        assert!(out.contains("the server refused it") && out.contains("redirects to"), "{out}");
    }
    // Once the way is free, whoever looks after it asks for it.
    server.running.inject(vec![]);
    let (code, _, err) = server.run(&["outbox", "flush", "--wait", "--retry"]);
    assert_eq!((code, sent()), (0, 2), "{err}");
    assert_eq!(server.events(1), [Event::Recorded]);
}

#[test]
fn each_fault_of_a_read_ends_in_success_or_in_a_clear_error() {
    for kind in FaultKind::UNCLEAR {
        let always = format!("transaction.search:{}", kind.name());
        let server = Server::with(Options {
            faults: vec![always.parse().unwrap()],
            stall: std::time::Duration::from_secs(600),
            ..Options::default()
        });
        let (code, out, err) = server.run(&["check", "T1", "--deployer", "deployer1"]);
        let said = format!("{out}{err}");
        match code {
            // A reply that drips in time is a reply.
            0 => assert!(matches!(kind.name(), "drip"), "{}: {said}", kind.name()),
            3 => assert!(said.contains("UNDECIDED") && said.contains("transaction.search"), "{}: {said}", kind.name()),
            other => panic!("{}: exit code {other}: {said}", kind.name()),
        }
        assert!(!said.contains("api-"), "a token leaks: {said}");
    }
}

#[test]
fn a_fault_of_every_call_once_does_not_keep_from_deploying() {
    for kind in ["reset", "503", "502", "504", "429", "truncate", "lost-reply", "html", "refuse"] {
        let methods = [
            "maniphest.search",
            "transaction.search",
            "project.search",
            "user.whoami",
            "maniphest.status.search",
            "user.search",
        ];
        let faults: Vec<String> = methods.iter().map(|method| format!("{method}:{kind}@1")).collect();
        let server = Server::broken(&faults.iter().map(String::as_str).collect::<Vec<_>>());
        let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
        assert_eq!(code, 0, "{kind}: {err}");
        assert_eq!(server.events(1), [Event::Started, Event::Finished]);
    }
}

#[test]
fn a_server_that_goes_down_during_the_deploy_does_not_stop_it() {
    let server = Server::new();
    // From the first write on nothing is answered: `started` cannot be confirmed, and the deploy goes on.
    server.running.inject(vec!["maniphest.edit:503".parse().unwrap()]);
    let (code, out, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "echo", "deployed"]);
    assert_eq!((code, out.as_str()), (0, "deployed\n"), "{err}");
    assert!(err.contains("in the outbox"), "{err}");
    server.running.inject(vec![]);
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!(code, 0, "{err}");
    let events = server.events(1);
    assert!(events.contains(&Event::Finished), "{events:?}");
    assert_eq!(server.records(1).last().unwrap().outcome, Some(Outcome::Succeeded));
}

#[test]
fn an_approval_that_is_withdrawn_while_the_deploy_is_announced_stops_it() {
    let server = Server::new();
    let world = server.running.world().unwrap();
    let task = world.task_numbered(1).unwrap().phid.clone();
    let approval = world
        .history(&task)
        .into_iter()
        .find(|row| row.versions.last().is_some_and(|comment| comment.text.contains("Approve: sre")));
    let approval = approval.unwrap().phid.clone();
    // The reply to the first post is lost; by the time the task is read again the approval is gone.
    server.running.inject(vec!["maniphest.edit:late-commit@1".parse().unwrap()]);
    let running = server.running.clone();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = over.clone();
    let remover = std::thread::spawn(move || {
        while !running.served().iter().any(|served| served.method == "maniphest.edit") {
            if stop.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            std::thread::yield_now();
        }
        running.remove_comment(&approval, "sre1").unwrap();
        running.commit_late();
    });
    let (code, out, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "echo", "deployed"]);
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    remover.join().unwrap();
    assert_eq!((code, out.as_str()), (125, ""), "{err}");
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(server.records(1).last().unwrap().outcome, Some(Outcome::NotStarted));
}

#[test]
fn evidence_that_no_longer_decides_stops_the_deploy() {
    let server = Server::new();
    server.running.inject(vec!["maniphest.edit:late-commit@1".parse().unwrap()]);
    let running = server.running.clone();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = over.clone();
    let renamer = std::thread::spawn(move || {
        while !running.served().iter().any(|served| served.method == "maniphest.edit") {
            if stop.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            std::thread::yield_now();
        }
        // The tag is gone: all is read, and nobody can say any more that the task is an emergency.
        let rename = |world: &mut phabgate::sandbox::World, _| {
            for project in &mut world.projects {
                if project.slugs.iter().any(|slug| slug == "emergency-deployment") {
                    project.slugs = vec!["something-else".to_owned()];
                }
            }
        };
        running.change(rename).unwrap();
        running.commit_late();
    });
    let (code, out, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "echo", "deployed"]);
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    renamer.join().unwrap();
    assert_eq!((code, out.as_str()), (125, ""), "{err}");
    assert!(err.contains("the verdict became undecided") || err.contains("UNDECIDED"), "{err}");
}

#[test]
fn the_time_to_settle_runs_from_the_answer_and_not_from_the_send() {
    let server = Server::with(Options {
        faults: vec!["maniphest.edit:stall@1".parse().unwrap()],
        stall: std::time::Duration::from_secs(600),
        ..Options::default()
    });
    // Shorter than a call may take: when the call is given up, that much has passed since it was sent.
    let config = "[record]\nsettle = \"500ms\"\n[http]\nconnect = \"2s\"\ncall = \"1s\"\ntotal = \"6s\"\n";
    std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
    let (code, out, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("queued for T1"), "{out}{err}");
    let sent = server.running.served().iter().filter(|served| served.method == "maniphest.edit").count();
    assert_eq!(sent, 1, "{err}");
}
