//! `approve`, `withdraw` and `reject` end to end: what is shown, what stands on the task after it, how it ends.

use std::time::Duration;

use phabgate::sandbox::Options;
use serde_json::Value;

use crate::server::{Server, on_a_terminal};

/// What a command of this account prints.
fn run(server: &Server, account: &str, arguments: &[&str]) -> (i32, String, String) {
    run_at(server, account, arguments, "80")
}

fn run_at(server: &Server, account: &str, arguments: &[&str], columns: &str) -> (i32, String, String) {
    let output = server.phabgate_as(account).env("COLUMNS", columns).args(arguments).output().unwrap();
    let host = server.running.url.as_str().trim_end_matches('/');
    let text = |bytes: &[u8]| server.tidy(std::str::from_utf8(bytes).unwrap()).replace(host, "http://sandbox");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Text without the times of the sandbox, whose clock runs on.
fn timeless(text: &str) -> String {
    let number = |word: &str| word.split_once('#').is_some_and(|(url, id)| url.starts_with("http") && !id.is_empty());
    let lines = text.lines().map(|line| match line.split_once('#') {
        Some((url, _)) if number(line) => format!("{url}#NUMBER"),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// The comments on a task, oldest first: who, and what.
fn comments(server: &Server, task: u64) -> Vec<(String, String)> {
    let world = server.running.world().unwrap();
    let mut rows = world.history(&world.task_numbered(task).unwrap().phid.clone());
    rows.sort_by_key(|row| row.id);
    let said = rows.into_iter().filter_map(|row| {
        let author = world.users.iter().find(|user| user.phid == row.author)?;
        Some((author.username.clone(), row.versions.last()?.text.clone()))
    });
    said.collect()
}

/// The comments that somebody added to the built-in world.
fn added(server: &Server, task: u64) -> Vec<(String, String)> {
    let before = comments(&Server::new(), task).len();
    comments(server, task).split_off(before)
}

fn said(account: &str, text: &str) -> Vec<(String, String)> {
    vec![(account.to_owned(), text.to_owned())]
}

/// Changes a task of the world behind the API's back.
fn change(server: &Server, task: u64, change: impl FnOnce(&mut phabgate::sandbox::Task)) {
    let changed = server.running.change(|world, _| {
        change(world.tasks.iter_mut().find(|known| known.id == task).unwrap());
    });
    changed.unwrap();
}

fn project(server: &Server, slug: &str) -> String {
    let world = server.running.world().unwrap();
    world.projects.iter().find(|project| project.slugs.iter().any(|known| known == slug)).unwrap().phid.clone()
}

/// Comments on a task as somebody would.
pub(crate) fn say(server: &Server, account: &str, task: &str, text: &str) {
    let token = server.running.token_of(account).unwrap().unwrap();
    let body = serde_json::json!({
        "objectIdentifier": task,
        "transactions": [{"type": "comment", "value": text}],
        "__conduit__": {"token": token},
    });
    let url = server.running.url.join("api/maniphest.edit").unwrap();
    let form = [("params", body.to_string()), ("output", "json".to_owned())];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reply = runtime.block_on(async { crate::harness::http().post(url).form(&form).send().await?.text().await });
    assert!(reply.unwrap().contains("\"error_code\":null"));
}

#[test]
fn an_approval_is_shown_posted_and_makes_the_verdict() {
    for columns in ["80", "40"] {
        let server = Server::new();
        let (code, out, err) = run_at(&server, "sre1", &["approve", "T6", "--yes"], columns);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        let width: usize = columns.parse().unwrap();
        assert!(out.lines().all(|line| line.chars().count() <= width || line.starts_with("http")), "{out}");
        insta::assert_snapshot!(format!("approve-{columns}"), timeless(&out));
        assert_eq!(added(&server, 6), said("sre1", "Emergency-Approve: sre"));
        assert_eq!(server.run(&["check", "T6", "--deployer", "deployer1"]).0, 0);
    }
}

#[test]
fn after_the_first_of_two_approvals_the_other_is_asked_for() {
    for columns in ["80", "40"] {
        let server = Server::new();
        let (code, out, _) = run_at(&server, "releng1", &["approve", "T5", "--yes", "--note", "with @sre1"], columns);
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("approve-first-{columns}"), timeless(&out));
        assert_eq!(added(&server, 5), said("releng1", "`with @sre1`\n\nEmergency-Approve: releng"));
    }
}

#[test]
fn a_no_is_said_and_taken_back() {
    let server = Server::new();
    let (code, out, err) = run(&server, "sre1", &["reject", "T1", "--yes", "--note", "takes the databases down"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("reject", timeless(&out));
    assert_eq!(added(&server, 1), said("sre1", "Emergency-Reject: sre - `takes the databases down`"));
    assert_eq!(server.run(&["check", "T1", "--deployer", "deployer1"]).0, 1);
    let (code, out, err) = run(&server, "sre1", &["withdraw", "T1", "--yes"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("withdraw", timeless(&out));
    // What is withdrawn is the no; the yes before it does not come back.
    assert_eq!(server.run(&["check", "T1", "--deployer", "deployer1"]).0, 8);
}

#[test]
fn the_same_answer_twice_changes_nothing() {
    let server = Server::new();
    for (account, command, task) in [("sre1", "approve", 1), ("sre2", "reject", 15), ("sre1", "withdraw", 14)] {
        let arguments = [command, &format!("T{task}"), "--yes"];
        let (code, out, err) = run(&server, account, &arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{command}: {out}");
        let first = added(&server, task);
        let (code, out, err) = run(&server, account, &arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{command}");
        assert!(out.starts_with("UNCHANGED  the "), "{out}");
        assert_eq!(added(&server, task), first, "{command}");
    }
}

#[test]
fn an_approval_that_a_change_has_outdated_is_given_anew() {
    let server = Server::new();
    let (code, out, err) = run(&server, "sre1", &["approve", "T16", "--yes"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(added(&server, 16), said("sre1", "Emergency-Approve: sre"));
}

#[test]
fn what_would_not_count_is_refused_and_says_why() {
    let server = Server::new();
    let mut said = String::new();
    for (account, arguments, expected) in [
        ("outsider", &["approve", "T5"][..], 1),
        ("outsider", &["approve", "T5", "--team", "sre"], 1),
        ("outsider", &["reject", "T5"], 1),
        ("outsider", &["withdraw", "T5"], 1),
        ("robot", &["approve", "T5"], 1),
        ("phabgate", &["approve", "T5"], 1),
        ("gone", &["approve", "T5"], 4),
        ("sre1", &["approve", "T22"], 1),
        ("sre1", &["reject", "T22"], 1),
        ("sre1", &["approve", "T2"], 1),
        ("sre1", &["approve", "T3"], 1),
        ("sre1", &["approve", "T4"], 1),
        ("sec1", &["approve", "T5", "--team", "security"], 1),
        ("sre1", &["approve", "T27"], 1),
        ("sre1", &["approve", "T999"], 1),
        ("both", &["approve", "T5"], 2),
        ("both", &["reject", "T5"], 2),
        ("sre1", &["approve", "T5", "--team", "dba"], 2),
        ("sre1", &["approve", "https://phab.example/T5"], 2),
        ("sre1", &["withdraw", "T5"], 1),
    ] {
        let arguments = [arguments, &["--yes"]].concat();
        let (code, out, err) = run(&server, account, &arguments);
        assert_eq!((code, out.as_str()), (expected, ""), "{account} {arguments:?}: {err}");
        assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{err}");
        said.push_str(&format!("{account}: {}\n{err}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!("answers-refused", said);
    assert!(server.running.served().iter().all(|served| served.method != "maniphest.edit"));
}

#[test]
fn the_deployer_does_not_approve() {
    let server = Server::new();
    say(&server, "deployer1", "T5", "Emergency-Reason: availability - x\nEmergency-Deployer: sre1");
    let (code, _, err) = run(&server, "sre1", &["approve", "T5", "--yes"]);
    assert_eq!(code, 1);
    assert!(crate::server::in_one_line(&err).contains("nobody approves a deploy of their own"), "{err}");
    let (code, out, _) = run(&server, "sre2", &["approve", "T5", "--yes"]);
    assert_eq!(code, 0);
    assert!(out.contains("deployer  sre1"), "{out}");
}

#[test]
fn the_team_is_named_where_it_is_not_clear() {
    let server = Server::new();
    let (code, _, err) = run(&server, "both", &["approve", "T5", "--yes"]);
    assert_eq!(code, 2);
    assert!(err.contains("several teams: releng, sre") && err.contains("--team releng"), "{err}");
    let (code, ..) = run(&server, "both", &["approve", "T5", "--yes", "--team", "Release Engineering"]);
    assert_eq!(code, 0);
    assert_eq!(added(&server, 5), said("both", "Emergency-Approve: releng"));
    // One team is left that needs somebody.
    let (code, out, _) = run(&server, "both", &["approve", "T5", "--yes"]);
    assert_eq!(code, 0);
    assert!(out.contains("one person fills one slot"), "{out}");
    assert_eq!(run(&server, "both", &["withdraw", "T5", "--yes"]).0, 2);
}

#[test]
fn without_a_terminal_it_takes_a_yes() {
    let server = Server::new();
    let (code, out, err) = run(&server, "sre1", &["approve", "T6"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("then add --yes"), "{err}");
    assert!(server.running.served().is_empty());
}

#[test]
fn who_is_asked_and_says_yes_approves() {
    let server = Server::new();
    let (code, shown) = on_a_terminal(&server, "sre1", &["approve", "T6"], "y\n", || {});
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Approve for Site Reliability Engineering as sre1? [y/N] y\nAPPROVED  T6"), "{shown}");
    assert_eq!(added(&server, 6), said("sre1", "Emergency-Approve: sre"));
}

#[test]
fn whatever_is_no_yes_is_a_no() {
    let server = Server::new();
    for typed in ["\n", "n\n", "yy\n", "\u{4}"] {
        let (code, shown) = on_a_terminal(&server, "sre1", &["approve", "T6"], typed, || {});
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("not confirmed, nothing was posted"), "{shown}");
    }
    assert!(added(&server, 6).is_empty());
}

#[test]
fn who_reads_while_somebody_says_no_is_shown_it_and_asked_again() {
    let server = Server::new();
    let noes = std::cell::RefCell::new(vec!["Emergency-Reject: sre - wait for the failover"]);
    let objects = || {
        if let Some(text) = noes.borrow_mut().pop() {
            say(&server, "sre2", "T6", text);
        }
    };
    let (_, shown) = on_a_terminal(&server, "sre1", &["approve", "T6"], "y\n", objects);
    assert_eq!(shown.matches("changed while you were reading").count(), 1, "{shown}");
    let (before, _) = shown.rsplit_once("Approve for Site Reliability Engineering").unwrap();
    assert!(before.contains("rejected by sre2"), "{shown}");
}

#[test]
fn who_reads_while_the_task_is_changed_is_asked_again() {
    let server = Server::new();
    let texts = std::cell::RefCell::new(vec!["Emergency-Change: I2", "Emergency-Change: I1"]);
    let changes = || {
        if let Some(text) = texts.borrow_mut().pop() {
            say(&server, "deployer1", "T6", text);
        }
    };
    let (code, shown) = on_a_terminal(&server, "sre1", &["approve", "T6"], "y\n", changes);
    assert_eq!(code, 0, "{shown}");
    let seen: Vec<&str> = shown.lines().filter(|line| line.starts_with("  change ")).collect();
    assert_eq!(seen, ["  change    (not stated)", "  change    I1", "  change    I2"]);
    assert_eq!(shown.matches("changed while you were reading").count(), 2, "{shown}");
    assert_eq!(added(&server, 6).into_iter().filter(|(who, _)| who == "sre1").count(), 1);
}

#[test]
fn programs_are_told() {
    let server = Server::new();
    let arguments = ["approve", "T6", "--yes", "--format", "json"];
    let (code, out, err) = run(&server, "sre1", &arguments);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["schema"], "phabgate/answer/1");
    assert_eq!((&told["answer"], &told["team"], &told["user"]), (&"approve".into(), &"sre".into(), &"sre1".into()));
    assert_eq!((&told["posted"], &told["complete"]), (&true.into(), &true.into()));
    assert!(told["transaction"].is_u64() && told["missing"].as_array().unwrap().is_empty(), "{told}");
    // The page is for people, and goes where words go.
    assert!(err.contains("Approvals so far"), "{err}");
    let again: Value = serde_json::from_str(&run(&server, "sre1", &arguments).1).unwrap();
    assert_eq!((&again["posted"], &again["transaction"]), (&false.into(), &told["transaction"]));
}

#[test]
fn a_hostile_note_says_nothing_to_the_gate_and_reaches_nobody() {
    let note = "`\nEmergency-Approve: releng\n@outsider T1 ```\u{1b}[2J";
    for (command, trailer) in [("approve", "Emergency-Approve: sre"), ("reject", "Emergency-Reject: sre - ")] {
        let server = Server::new();
        let (code, out, err) = run(&server, "sre1", &[command, "T6", "--yes", "--note", note]);
        assert_eq!(code, 0, "{err}");
        assert!(!out.contains('\u{1b}') && !out.contains("\nEmergency-Approve: releng"), "{out}");
        let text = &added(&server, 6)[0].1;
        assert!(text.lines().any(|line| line.starts_with(trailer)), "{text}");
        assert!(!text.contains("\nEmergency-Approve: releng") && !text.contains('\u{1b}'), "{text}");
        let world = server.running.world().unwrap();
        let outsider = world.user_named("outsider").unwrap().phid.clone();
        let subscribers = &world.task_numbered(6).unwrap().subscribers;
        assert!(subscribers.iter().all(|edge| edge.phid != outsider));
    }
}

/// A server that passes all calls on to the sandbox, but refuses to write as Conduit does. Lives as long as the test.
fn refusing(server: &Server) -> String {
    use axum::extract::{Request, State};
    let (made, served) = std::sync::mpsc::channel();
    let sandbox = server.running.url.clone();
    async fn pass(State(sandbox): State<url::Url>, request: Request) -> String {
        let path = request.uri().path().to_owned();
        if path.ends_with("maniphest.edit") {
            let info = "You can not make this edit: it demands multi-factor authentication.";
            return serde_json::json!({"result": null, "error_code": "ERR-CONDUIT-CORE", "error_info": info})
                .to_string();
        }
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let kind = "application/x-www-form-urlencoded";
        let asked = crate::harness::http().post(sandbox.join(&path).unwrap()).header("content-type", kind).body(body);
        asked.send().await.unwrap().text().await.unwrap()
    }
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            made.send(format!("http://{}/", listener.local_addr().unwrap())).unwrap();
            let dated = axum::middleware::map_response(|mut response: axum::response::Response| async {
                response.headers_mut().insert("date", "Mon, 23 Nov 2026 00:00:00 GMT".parse().unwrap());
                response
            });
            axum::serve(listener, axum::Router::new().fallback(pass).layer(dated).with_state(sandbox)).await
        })
    });
    served.recv().unwrap()
}

#[test]
fn an_account_that_may_not_comment_is_told_so() {
    let server = Server::new();
    let url = refusing(&server);
    let refused = |arguments: &[&str]| {
        let output = server.phabgate_as("sre1").env("PHABGATE_URL", &url).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap().replace(&url, "http://sandbox/")
    };
    let approve = ["approve", "T6", "--yes"];
    insta::assert_snapshot!("answer-not-let", refused(&approve));
    let sre = project(&server, "sre");
    change(&server, 6, |task| task.view = sre.clone());
    // The server's words may tell of the policy of a restricted task.
    let said = refused(&approve);
    assert!(said.contains("does not let sre1 comment on T6\n") && !said.contains("multi-factor"), "{said}");
    assert!(refused(&["approve", "T6", "--yes", "--show-restricted"]).contains("multi-factor"));
    assert!(added(&server, 6).is_empty());
}

#[test]
fn a_restricted_task_is_answered_without_its_texts() {
    let server = Server::new();
    let sre = project(&server, "sre");
    change(&server, 6, |task| {
        task.view = sre.clone();
        task.title = "Embargoed thing".into();
    });
    let title = "Embargoed thing";
    let (code, out, err) = run(&server, "sre1", &["approve", "T6", "--yes"]);
    let text = format!("{out}{err}");
    assert!(code == 0 && !text.contains(title) && out.contains("restricted"), "{text}");
    insta::assert_snapshot!("approve-restricted", timeless(&out));
    let (_, out, _) = run(&server, "sre1", &["reject", "T6", "--yes", "--show-restricted"]);
    assert!(out.contains(title), "{out}");
}

/// A sandbox with one fault of the write, on which an unclear attempt settles after this time.
fn broken(fault: &str, settle: &str) -> Server {
    let server = Server::with(Options {
        faults: vec![fault.parse().unwrap()],
        stall: Duration::from_secs(600),
        late: Duration::from_secs(600),
        ..Options::default()
    });
    let config = format!("[record]\nsettle = \"{settle}\"\n[http]\nconnect = \"2s\"\ncall = \"1s\"\ntotal = \"6s\"\n");
    std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
    server
}

#[test]
fn each_fault_of_the_post_leaves_one_answer() {
    use phabgate::sandbox::FaultKind;
    for kind in FaultKind::UNCLEAR.into_iter().filter(|kind| *kind != FaultKind::LateCommit) {
        let server = broken(&format!("maniphest.edit:{}@1", kind.name()), "1s");
        let (code, out, err) = run(&server, "sre1", &["approve", "T6", "--yes"]);
        if kind == FaultKind::Redirect {
            // A redirect carries nothing out, and the same would be redirected again.
            assert_eq!((code, added(&server, 6)), (3, Vec::new()), "{out}{err}");
            assert!(err.contains("the answer is not on the task: ") && err.contains("in a browser, "), "{err}");
            continue;
        }
        assert_eq!(code, 0, "{}: {out}{err}", kind.name());
        assert!(server.running.served().iter().any(|served| served.fault == Some(kind)), "{} struck", kind.name());
        assert_eq!(added(&server, 6), said("sre1", "Emergency-Approve: sre"), "{}", kind.name());
        assert!(!format!("{out}{err}").contains("api-"), "a token leaks");
    }
}

#[test]
fn an_earlier_answer_is_not_taken_for_the_one_that_was_lost() {
    // The approval of this account on this task says the same, and a change has outdated it.
    let server = broken("maniphest.edit:503@1", "1s");
    let (code, out, err) = run(&server, "sre1", &["approve", "T16", "--yes"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(added(&server, 16), said("sre1", "Emergency-Approve: sre"));
}

#[test]
fn a_comment_that_comes_late_is_waited_for_and_not_sent_twice() {
    let server = broken("maniphest.edit:late-commit@1", "60s");
    let running = server.running.clone();
    let late = std::thread::spawn(move || {
        // Once it has been looked for in vain, it comes: a second look has begun, so the first one has been answered.
        let looked = || {
            let served = running.served();
            let sent = served.iter().position(|served| served.method == "maniphest.edit");
            let looks = |at: usize| served[at..].iter().filter(|served| served.method == "transaction.search").count();
            sent.is_some_and(|at| looks(at) >= 2)
        };
        while !looked() {
            std::thread::yield_now();
        }
        running.commit_late()
    });
    let (code, _, err) = run(&server, "sre1", &["approve", "T6", "--yes"]);
    assert_eq!((code, late.join().unwrap()), (0, 1), "{err}");
    let told = crate::server::in_one_line(&err);
    assert!(told.contains("the answer is not on the task yet: ") && told.contains("you can stop waiting"), "{told}");
    assert_eq!(added(&server, 6), said("sre1", "Emergency-Approve: sre"));
    let edits = server.running.served().iter().filter(|served| served.method == "maniphest.edit").count();
    assert_eq!(edits, 1);
}

#[test]
fn a_server_that_is_down_is_said_to_be() {
    let server = broken("maniphest.edit:refuse", "1s");
    let (code, _, err) = run(&server, "sre1", &["approve", "T6", "--yes"]);
    assert_eq!(code, 3);
    assert!(err.contains("the answer is not on the task: the connection"), "{err}");
    assert!(added(&server, 6).is_empty());
    server.running.inject(vec!["*:503".parse().unwrap()]);
    let (code, out, err) = run(&server, "sre1", &["approve", "T6", "--yes"]);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
}

#[test]
fn in_the_sandbox_a_member_of_the_team_answers() {
    let machine = crate::harness::Machine::new();
    let (code, out, err) = machine.run(&["--sandbox", "approve", "T6", "--team", "sre", "--yes"]);
    assert_eq!((code, err.as_str()), (0, "phabgate: in the sandbox you answer as sre1\n"));
    assert!(out.contains("APPROVED  T6 for Site Reliability Engineering by sre1"), "{out}");
    let (code, out, _) = machine.run(&["--sandbox", "withdraw", "T6", "--team", "sre", "--yes"]);
    assert!(code == 0 && out.contains("by sre1"), "{out}");
}
