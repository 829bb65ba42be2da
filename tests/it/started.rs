//! Records that claim that a deploy started: whom they stop, and who ends them.

use phabgate::ids::{DeployId, Phid};
use phabgate::record::comment::render;
use phabgate::record::{Event, Outcome, Record};

use crate::answers::say;
use crate::server::{Server, in_one_line};

/// A start of T1 that this account writes in its own name, with the approvals that stand there.
fn forge(server: &Server, author: &str) -> DeployId {
    let elsewhere = Server::new();
    let (code, _, err) = elsewhere.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
    let mut record: Record = elsewhere.records(1).remove(0);
    let world = server.running.world().unwrap();
    let account = world.users.iter().find(|user| user.username == author).unwrap();
    let deployer = record.deployer.as_mut().unwrap();
    deployer.user = author.to_owned();
    deployer.phid = Some(Phid::new(account.phid.clone()).unwrap());
    let mut made_up = record.approvals[0].clone();
    (made_up.team, made_up.user) = ("security".to_owned(), "sec1".to_owned());
    record.approvals.push(made_up);
    record.behind.clear();
    record.deploy = DeployId::fresh();
    record.host = "nowhere".to_owned();
    say(server, author, "T1", &render(&record).unwrap());
    record.deploy
}

fn check(server: &Server, account: &str) -> (i32, String) {
    let output = server.phabgate_as(account).args(["check", "T1"]).output().unwrap();
    (output.status.code().unwrap(), in_one_line(&String::from_utf8(output.stdout).unwrap()))
}

fn end(server: &Server, account: &str, deploy: DeployId, more: &[&str]) -> (i32, String) {
    let id = deploy.to_string();
    let mut command = server.phabgate_as(account);
    command.args(["record", "T1", "--deploy", &id, "--finished"]).args(more);
    let output = command.env("PHABGATE_STATE", server.machine.home().join(account)).output().unwrap();
    (output.status.code().unwrap(), in_one_line(&String::from_utf8(output.stderr).unwrap()))
}

#[test]
fn a_member_ends_a_start_that_holds_up_the_task() {
    let server = Server::new();
    let deploy = forge(&server, "outsider");
    let (code, page) = check(&server, "sre2");
    assert_eq!(code, 1);
    let command = format!("phabgate record T1 --deploy {deploy} --finished --outcome unknown");
    assert!(page.contains(&format!("end it: `{command}`")), "{page}");
    let (_, page) = check(&server, "deployer2");
    assert!(page.contains("have them or a member of"), "{page}");
    let (code, err) = end(&server, "deployer2", deploy, &["--outcome", "unknown"]);
    assert_eq!(code, 2);
    assert!(err.contains("neither started the deploy"), "{err}");
    let (code, err) = end(&server, "sre2", deploy, &["--outcome", "succeeded"]);
    assert_eq!(code, 2);
    assert!(err.contains("its end is not known, and nothing besides"), "{err}");
    let (code, err) = end(&server, "sre2", deploy, &["--outcome", "unknown"]);
    assert_eq!(code, 0, "{err}");
    let last = server.records(1).pop().unwrap();
    assert_eq!(
        (last.event, last.outcome, last.deployer, last.approvals),
        (Event::Finished, Some(Outcome::Unknown), None, vec![])
    );
    assert_eq!((last.verdict.as_str(), last.failed.len()), ("allowed", 0), "as it was when it started");
    assert!(last.note.unwrap().starts_with("sre2, who did not start it, says so"));
    assert_eq!(check(&server, "outsider").0, 0);
    assert_eq!(end(&server, "sre2", deploy, &["--outcome", "unknown"]).0, 2, "it has an end already");
    let history = server.run(&["history", "T1"]).1;
    assert!(
        in_one_line(&history).contains("said, as a member of a team, that nobody knows how the deploy ended"),
        "{history}"
    );
}

#[test]
fn a_recorder_that_ends_a_forged_start_signs_nothing_of_it() {
    let server = Server::new();
    let deploy = forge(&server, "outsider");
    let (code, err) = end(&server, "phabgate", deploy, &[]);
    assert_eq!(code, 0, "{err}");
    let last = server.records(1).pop().unwrap();
    let approved: Vec<_> = last.approvals.iter().map(|approval| approval.user.as_str()).collect();
    assert_eq!(approved, ["releng1", "sre1"], "who approved on the task, and nobody whom the start makes up");
    assert!(last.host != "nowhere" && last.command.is_none(), "{last:?}");
    assert_eq!(last.deployer.unwrap().user, "outsider");
    // Where the configuration says who deploys, nobody else could have run it: it is nobody's deploy.
    let server = Server::new();
    let config = server.machine.home().join("config.toml");
    let known = std::fs::read_to_string(&config).unwrap() + "[deployers]\nalice = \"deployer1\"\n";
    std::fs::write(&config, known).unwrap();
    let deploy = forge(&server, "outsider");
    let (code, page) = check(&server, "deployer2");
    assert_eq!(code, 0, "{page}");
    assert!(page.contains("a record of outsider says that a deploy started, and is not believed"), "{page}");
    let (code, err) = end(&server, "phabgate", deploy, &[]);
    assert_eq!(code, 0, "{err}");
    let last = server.records(1).pop().unwrap();
    assert_eq!((last.deployer, last.approvals, last.verdict.as_str()), (None, vec![], "denied"));
}

#[test]
fn what_failed_is_rolled_back_within_what_was_approved_for_it() {
    let server = Server::new();
    say(&server, "deployer1", "T1", "Emergency-Action: fix");
    for (approver, team) in [("releng1", "releng"), ("sre1", "sre")] {
        say(&server, approver, "T1", &format!("Emergency-Approve: {team}"));
    }
    let deploy = |action: &str, command: &str| {
        server.run(&["run", "T1", "--deployer", "deployer1", "--action", action, "--", "sh", "-c", command])
    };
    assert_eq!(deploy("rollback", "true").0, 125, "nobody approved one");
    assert_eq!(deploy("fix", "exit 3").0, 3);
    let (code, _, err) = deploy("rollback", "true");
    assert_eq!(code, 0, "{err}");
    assert!(
        in_one_line(&err).contains("action: a rollback, where the task states 'fix': deployer1 deployed it"),
        "{err}"
    );
}
