//! What happens on a task while the gate acts on it: between what was shown and what was written, before the command and
//! while it runs.

use phabgate::journal::{Journal, LockWait};
use phabgate::record::{Event, Outcome};
use phabgate::sandbox::Options;

use crate::machine_log::Log;
use crate::server::{Server, in_one_line};

const MINUTES: std::time::Duration = std::time::Duration::from_secs(600);

/// The comments of an account on a task, oldest first.
fn comments(server: &Server, task: u64, account: &str) -> Vec<String> {
    let world = server.running.world().unwrap();
    let author = world.user_named(account).unwrap().phid.clone();
    let mut rows = world.history(&world.task_numbered(task).unwrap().phid.clone());
    rows.sort_by_key(|row| row.id);
    let rows = rows.into_iter().filter(|row| row.author == author);
    rows.filter_map(|row| Some(row.versions.last()?.text.clone())).collect()
}

/// Comments on a task as somebody would.
pub(crate) fn say(running: &phabgate::sandbox::Running, account: &str, task: &str, text: &str) {
    let token = running.token_of(account).unwrap().unwrap();
    let body = serde_json::json!({
        "objectIdentifier": task,
        "transactions": [{"type": "comment", "value": text}],
        "__conduit__": {"token": token},
    });
    let url = running.url.join("api/maniphest.edit").unwrap();
    let form = [("params", body.to_string()), ("output", "json".to_owned())];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reply = runtime.block_on(async { crate::harness::http().post(url).form(&form).send().await?.text().await });
    assert!(reply.unwrap().contains("\"error_code\":null"));
}

fn served(running: &phabgate::sandbox::Running, method: &str) -> usize {
    running.served().iter().filter(|served| served.method == method).count()
}

/// Runs a command of an account whose first write is carried out late, after `meanwhile` was done.
fn with_late_write(
    server: &Server,
    account: &str,
    arguments: &[&str],
    meanwhile: impl FnOnce(&phabgate::sandbox::Running) + Send + 'static,
) -> (i32, String, String) {
    server.running.inject(vec!["maniphest.edit:late-commit@1".parse().unwrap()]);
    let running = server.running.clone();
    let between = std::thread::spawn(move || {
        while served(&running, "maniphest.edit") == 0 {
            std::thread::yield_now();
        }
        meanwhile(&running);
        running.commit_late();
    });
    let output = server.phabgate_as(account).args(arguments).output().unwrap();
    between.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn an_approval_of_something_else_than_was_shown_is_withdrawn_at_once() {
    let changes = ["Emergency-Change: I999", "Emergency-Action: rollback", "Emergency-Reason: availability - another"];
    for change in changes {
        let server = Server::with(Options { late: MINUTES, ..Options::default() });
        let log = Log::journald(&server);
        let meanwhile = move |running: &phabgate::sandbox::Running| say(running, "deployer1", "T6", change);
        let (code, out, err) = with_late_write(&server, "sre1", &["approve", "T6", "--yes"], meanwhile);
        let said = in_one_line(&err);
        assert_eq!(log.events(&["TEAM", "USER"]), ["approve sre sre1", "withdraw sre sre1"]);
        assert_eq!(code, 1, "{change}: {out}{said}");
        assert!(said.contains("the approval was withdrawn at once"), "{said}");
        let (key, value) = change.split_once(": ").unwrap();
        assert!(said.contains(key) && said.contains(&format!("is `{value}`")), "{said}");
        assert!(!out.contains("APPROVED"), "{out}");
        let written = comments(&server, 6, "sre1");
        let [.., approved, withdrawn] = written.as_slice() else { panic!("{written:?}") };
        assert_eq!((approved.as_str(), withdrawn.as_str()), ("Emergency-Approve: sre", "Emergency-Withdraw: sre"));
        assert_ne!(server.run(&["check", "T6", "--deployer", "deployer1"]).0, 0);
    }
}

#[test]
fn a_change_that_is_none_of_what_was_shown_withdraws_nothing() {
    let server = Server::with(Options { late: MINUTES, ..Options::default() });
    let meanwhile = |running: &phabgate::sandbox::Running| say(running, "deployer1", "T6", "We are waiting.");
    let (code, out, err) = with_late_write(&server, "sre1", &["approve", "T6", "--yes"], meanwhile);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(comments(&server, 6, "sre1").last().unwrap(), "Emergency-Approve: sre");
}

#[test]
fn an_answer_ends_in_time_and_says_what_to_write_by_hand() {
    for fault in ["502", "stall", "late-commit", "html", "redirect", "garbage", "huge", "403", "413", "mfa", "1213"] {
        for (command, line) in [
            ("approve", "Emergency-Approve: sre"),
            ("reject", "Emergency-Reject: sre"),
            ("withdraw", "Emergency-Withdraw: sre"),
        ] {
            let faults = vec![format!("maniphest.edit:{fault}").parse().unwrap()];
            let server = Server::with(Options { faults, stall: MINUTES, late: MINUTES, ..Options::default() });
            let config = "[record]\nsettle = \"60s\"\n[http]\nconnect = \"2s\"\ncall = \"500ms\"\ntotal = \"2s\"\n";
            std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
            let task = if command == "withdraw" { "T1" } else { "T6" };
            let output = server.phabgate_as("sre1").args([command, task, "--yes"]).output().unwrap();
            let err = server.tidy(std::str::from_utf8(&output.stderr).unwrap());
            let said = in_one_line(&err);
            let expected = if fault == "mfa" { 1 } else { 3 };
            assert_eq!(output.status.code(), Some(expected), "{fault} {command}: {said}");
            let written = said.contains(&format!("write, alone on a line, \"{line}\" (as a comment)"));
            assert!(written && said.contains(&format!("http://sandbox/{task}")), "{fault} {command}: {said}");
            let alone = |said: &str| said.trim_matches(|c: char| !c.is_alphanumeric()) == line;
            assert!(!err.lines().any(alone), "{fault} {command}: pasted whole it would count: {err}");
            let sent = if fault == "1213" { 3 } else { 1 };
            assert_eq!(served(&server.running, "maniphest.edit"), sent, "{fault} {command}: {said}");
        }
    }
}

/// Runs while another process holds the right to send to `held`; the child's output, and what was said.
fn run_beside_a_flusher(server: &Server, held: &url::Url) -> (i32, String, String) {
    let journal = Journal::open(&server.machine.home().join("state")).unwrap();
    let lock = journal.lock_outbox(held, LockWait::TryNow).unwrap();
    assert!(lock.is_some());
    server.run(&["run", "T1", "--deployer", "deployer1", "--", "echo", "deployed"])
}

#[test]
fn a_flusher_of_another_server_holds_nobody_up() {
    let server = Server::new();
    let (code, out, err) = run_beside_a_flusher(&server, &"https://staging.example/".parse().unwrap());
    assert_eq!((code, out.as_str()), (0, "deployed\n"), "{err}");
    assert!(!err.contains("not confirmed"), "{err}");
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
}

#[test]
fn a_no_is_seen_right_before_the_command_whatever_holds_the_outbox() {
    let server = Server::new();
    let (running, state) = (server.running.clone(), server.machine.home().join("state"));
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = over.clone();
    let no = std::thread::spawn(move || {
        // Once `started` is queued, the task was read and allowed.
        let queued = || {
            let journal = Journal::open_read_only(&state).ok().flatten();
            journal.is_some_and(|journal| journal.undelivered().is_ok_and(|deploys| !deploys.is_empty()))
        };
        while !queued() && !stop.load(std::sync::atomic::Ordering::SeqCst) {
            std::thread::yield_now();
        }
        say(&running, "sre2", "T1", "Emergency-Reject: sre - the databases");
    });
    let log = Log::journald(&server);
    let url = server.running.url.clone();
    let (code, out, err) = run_beside_a_flusher(&server, &url);
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    no.join().unwrap();
    assert_eq!((code, out.as_str()), (125, ""), "{err}");
    assert!(err.contains("another process holds the outbox") && err.contains("sre2"), "{err}");
    assert!(err.contains("T1: denied by now: nothing was run"), "{err}");
    assert!(err.trim_end().lines().last().unwrap().starts_with("Once that is mended: phabgate run T1 "), "{err}");
    assert!(server.events(1).is_empty(), "nothing was sent, so that nothing has to be ended");
    assert_eq!(log.events(&["VERDICT", "OUTCOME"]), ["verdict allowed -", "not-started denied not-started"]);
}

#[test]
fn another_process_that_holds_the_outbox_does_not_stop_a_deploy() {
    let server = Server::new();
    let url = server.running.url.clone();
    let (code, out, err) = run_beside_a_flusher(&server, &url);
    assert_eq!((code, out.as_str()), (0, "deployed\n"), "{err}");
}

#[test]
fn a_no_that_comes_while_the_command_runs_is_said_after_it() {
    for (account, text, expected) in [
        ("sre2", "Emergency-Reject: sre - the databases", "rejected by sre2"),
        ("sre1", "Emergency-Withdraw: sre", "the approval of sre1 for sre does not count any more"),
        ("sre2", "**Emergency-Reject: sre**", "sre2 wrote '**Emergency-Reject: sre**'"),
        ("sre2", "STOP! you take the databases down", "sre2 said 'STOP! you take the databases down'"),
    ] {
        let server = Server::new();
        let (here, running) = (server.machine.home().join("running"), server.running.clone());
        let told = here.clone();
        let no = std::thread::spawn(move || {
            while !told.exists() {
                std::thread::yield_now();
            }
            say(&running, account, "T1", text);
            std::fs::write(told.with_file_name("said"), "").unwrap();
        });
        let script = "touch running; while ! [ -e said ]; do sleep 0.05; done; exit 7";
        let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", script]);
        no.join().unwrap();
        let said = in_one_line(&err);
        assert_eq!(code, 7, "it changes no status: {said}");
        assert!(said.contains(&format!("while the command ran: {expected}")), "{said}");
        let rollback = "phabgate run T1 --deployer deployer1 --action rollback -- COMMAND";
        assert!(said.contains(&format!("once nobody says no any more: {rollback}")), "{said}");
        assert_eq!(server.events(1), [Event::Started, Event::Finished]);
        assert_eq!(server.records(1).last().unwrap().outcome, Some(Outcome::Failed));
    }
}

#[test]
fn a_deploy_that_nobody_spoke_against_says_nothing_of_it() {
    let server = Server::new();
    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("while the command ran") && !err.contains("roll back"), "{err}");
}
