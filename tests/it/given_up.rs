//! What never reaches its task: giving it up with a reason, and another server behind the same URL.

use phabgate::record::{Event, Outcome};
use phabgate::sandbox::{Options, Source, World};
use serde_json::Value;

use crate::server::{Server, in_one_line};

/// The only entry of the outbox: the deploy, and the state of its record.
fn waiting(server: &Server) -> (String, String) {
    let (code, out, err) = server.run(&["outbox", "list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let [entry] = listed["undelivered"].as_array().unwrap().as_slice() else { panic!("{out}") };
    let word = |name: &str| entry[name].as_str().unwrap().to_owned();
    assert_eq!(code, 3, "{err}");
    (word("deploy"), word("state"))
}

/// Records a deploy of T1 on a server with this fault of each edit; the deploy, and the state of its record.
fn recorded(server: &Server, fault: &str) -> (String, String) {
    server.running.inject(vec![format!("maniphest.edit:{fault}").parse().unwrap()]);
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"]);
    assert_eq!(code, 0, "{err}");
    server.running.inject(vec![]);
    waiting(server)
}

fn edits(server: &Server) -> usize {
    server.running.served().iter().filter(|served| served.method == "maniphest.edit").count()
}

const WHY: [&str; 2] = ["--why", "the form wants a second factor"];

#[test]
fn what_is_merely_unsent_or_unclear_is_not_given_up() {
    for (fault, state) in [("1213", "ready"), ("refuse", "unclear")] {
        let server = Server::new();
        let (deploy, found) = recorded(&server, fault);
        assert_eq!(found, state, "{fault}");
        let (code, out, err) = server.run(&["outbox", "drop", &deploy, WHY[0], WHY[1]]);
        let said = in_one_line(&err);
        assert_eq!((code, out.as_str()), (1, ""), "{fault}: {said}");
        assert!(
            said.contains("is not given up") && said.contains("`phabgate outbox flush --wait` delivers it"),
            "{said}"
        );
        assert_eq!(waiting(&server), (deploy, state.to_owned()), "it still waits");
        let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
        assert_eq!(code, 0, "{fault}: {err}");
        assert_eq!(server.events(1), [Event::Recorded], "{fault}");
        assert_eq!(server.records(1)[0].dropped, 0, "{fault}");
    }
}

#[test]
fn what_was_refused_is_given_up_with_a_reason_and_later_records_count_it() {
    let server = Server::new();
    let (deploy, state) = recorded(&server, "mfa");
    assert_eq!(state, "refused");
    let (code, _, err) = server.run(&["outbox", "drop", &deploy]);
    assert_eq!(code, 2, "without a reason: {err}");
    let (code, _, err) = server.run(&["outbox", "drop", &deploy, "--why", " "]);
    assert_eq!((code, err.contains("--why is empty")), (2, true), "{err}");
    assert_eq!(waiting(&server).1, "refused");
    let sent = edits(&server);
    let (code, out, err) = server.run(&["outbox", "drop", &deploy, WHY[0], WHY[1]]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out,
        "gave up `recorded` of T1 on http://sandbox/: it stays in the journal, and later records of this machine count it\n"
    );
    let (code, out, err) = server.run(&["outbox", "flush", "--retry", "--wait"]);
    assert_eq!((code, out.as_str()), (0, "nothing is undelivered; nothing is to be done\n"), "{err}");
    assert_eq!((server.events(1), edits(&server)), (vec![], sent), "what was given up is not sent");
    let (code, _, err) = server.run(&["outbox", "drop", &deploy, WHY[0], WHY[1]]);
    assert_eq!((code, err.contains("nothing of deploy")), (2, true), "twice: {err}");
    // The next deploys of this machine say so, to people too.
    let (code, _, err) = server.run(&["record", "T1", "--deployer", "deployer1", "--outcome", "failed"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = server.run(&["run", "T8", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
    let said = [server.records(1), server.records(8)].concat();
    let said: Vec<_> = said.iter().map(|record| (record.event, record.dropped)).collect();
    assert_eq!(said, [(Event::Recorded, 1), (Event::Started, 1), (Event::Finished, 1)]);
    let world = server.running.world().unwrap();
    let texts: Vec<_> = world.transactions.iter().flat_map(|row| &row.versions).map(|version| &version.text).collect();
    let counted = texts.iter().filter(|text| text.contains("given up and never posted")).count();
    // `finished` leaves out what `started` said.
    assert_eq!(counted, 2);
}

/// The same journal, and a server of the same URL that made all its PHIDs by itself.
fn another_behind_the_same_url(before: Server, taken_down: impl FnOnce(&mut World)) -> Server {
    let port = before.running.url.port().unwrap();
    let mut world = before.running.world().unwrap().with_other_phids(7).unwrap();
    taken_down(&mut world);
    let machine = before.into_machine();
    Server::on(machine, Options { port, source: Source::World(Box::new(world)), ..Options::default() })
}

#[test]
fn another_server_behind_the_same_url_gets_nothing_and_proves_nothing() {
    // Never sent, sent with an unknown result, and refused.
    for (fault, state) in [("1213", "ready"), ("late-commit", "unclear"), ("mfa", "refused")] {
        let server = Server::with(Options { late: std::time::Duration::from_secs(600), ..Options::default() });
        let (deploy, found) = recorded(&server, fault);
        assert_eq!(found, state, "{fault}");
        // What is carried out late is on the task of that number there as well, which proves nothing.
        server.running.commit_late();
        let server = another_behind_the_same_url(server, |_| {});
        let before = server.events(1);
        for flush in [&["outbox", "flush", "--wait"][..], &["outbox", "flush", "--retry"]] {
            let (code, _, err) = server.run(flush);
            let said = in_one_line(&err);
            assert_eq!(code, 3, "{fault}: {said}");
            assert!(said.contains("which is not the server of the deploy"), "{fault}: {said}");
            assert!(said.contains("its T1 is another task than the one that the record is for"), "{fault}: {said}");
            assert!(said.contains("`phabgate outbox drop ID --why TEXT` gives its records up"), "{fault}: {said}");
            assert_eq!(waiting(&server), (deploy.clone(), state.to_owned()), "{fault}");
        }
        assert_eq!((edits(&server), server.events(1)), (0, before), "{fault}: nothing is sent");
        // Its server is gone, so it may be given up, whatever became of it there.
        let (code, _, err) = server.run(&["outbox", "drop", &deploy, "--why", "the server was set up anew"]);
        assert_eq!(code, 0, "{fault}: {err}");
        assert_eq!(server.run(&["outbox", "list"]).0, 0, "{fault}");
    }
}

#[test]
fn a_deploy_under_way_whose_server_is_replaced_keeps_its_end() {
    let server = Server::new();
    let (code, _, err) = {
        server.running.inject(vec!["maniphest.edit:1213".parse().unwrap()]);
        server.run(&["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "exit 3"])
    };
    assert_eq!(code, 3, "{err}");
    server.running.inject(vec![]);
    let server = another_behind_the_same_url(server, |world| world.transactions.retain(|row| row.versions.is_empty()));
    let (code, _, err) = server.run(&["outbox", "flush", "--wait"]);
    assert_eq!((code, edits(&server)), (3, 0), "{err}");
    assert!(server.records(1).iter().all(|record| record.outcome != Some(Outcome::Failed)));
    assert_eq!(waiting(&server).1, "ready");
}
