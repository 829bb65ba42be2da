//! A server that lies, leaves things out or never comes to an end, and what is said of it: never that a deploy is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use phabgate::record::Event;
use serde_json::{Value, json};

use crate::server::{Server, in_one_line};

/// Turns the reply of a method into what the server says: the method, what was asked, the reply.
type Lie = Arc<dyn Fn(&str, &Value, &mut Value) + Send + Sync>;

#[derive(Clone)]
struct Between {
    sandbox: url::Url,
    lie: Lie,
    /// The header `Date`; that of the sandbox where there is none.
    date: Option<&'static str>,
    calls: Arc<AtomicUsize>,
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    between.calls.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let asked = url::form_urlencoded::parse(&body).find(|(key, _)| key == "params");
    let asked: Value = serde_json::from_str(&asked.map(|(_, value)| value).unwrap_or_default()).unwrap_or_default();
    let url = between.sandbox.join(&path).unwrap();
    let kind = "application/x-www-form-urlencoded";
    let reply = crate::harness::http().post(url).header("content-type", kind).body(body).send().await.unwrap();
    let date = reply.headers().get("date").cloned();
    let mut reply: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    (between.lie)(path.trim_start_matches("/api/"), &asked, &mut reply);
    let mut response = reply.to_string().into_response();
    let date = between.date.map(|date| date.parse().unwrap()).or(date);
    response.headers_mut().extend(date.map(|date| (axum::http::header::DATE, date)));
    response
}

/// Stands before the sandbox for as long as the test lives; its URL, and how often it was called.
fn lying(
    server: &Server,
    date: Option<&'static str>,
    lie: impl Fn(&str, &Value, &mut Value) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let between = Between { sandbox: server.running.url.clone(), lie: Arc::new(lie), date, calls: calls.clone() };
    let (made, served) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            made.send(format!("http://{}/", listener.local_addr().unwrap())).unwrap();
            axum::serve(listener, axum::Router::new().fallback(pass).with_state(between)).await
        })
    });
    (served.recv().unwrap(), calls)
}

/// What `check` says through such a server: exit code, and both outputs in one line.
fn check(server: &Server, url: &str, task: &str) -> (i32, String) {
    let config = "[http]\nconnect = \"5s\"\ncall = \"50s\"\ntotal = \"100s\"\n";
    let path = server.machine.home().join("patient.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = server.phabgate();
    command.env("PHABGATE_URL", url).env("PHABGATE_CONFIG", path);
    let output = command.args(["check", task, "--deployer", "deployer1", "-v"]).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), in_one_line(&text))
}

fn rows(reply: &mut Value) -> &mut Vec<Value> {
    reply["result"]["data"].as_array_mut().unwrap()
}

#[test]
fn a_history_that_is_not_in_order_is_none() {
    let lies: [fn(&mut Vec<Value>); 4] = [
        |rows| rows.reverse(),
        |rows| rows[1]["id"] = rows[0]["id"].clone(),
        |rows| rows.last_mut().unwrap()["id"] = json!(0),
        |rows| {
            let again = rows.clone();
            rows.extend(again);
        },
    ];
    for lie in lies {
        let server = Server::new();
        let (url, _) = lying(&server, None, move |method, _, reply| {
            if method == "transaction.search" {
                lie(rows(reply));
            }
        });
        let (code, said) = check(&server, &url, "T1");
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("the transactions do not come newest first, each once"), "{said}");
    }
}

#[test]
fn a_clock_that_contradicts_the_task_decides_nothing() {
    let server = Server::new();
    let (url, _) = lying(&server, Some("Mon, 02 Nov 2020 00:00:00 GMT"), |_, _, _| {});
    let (code, said) = check(&server, &url, "T1");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("and the server's clock says 2020-11-02 00:00:00 UTC"), "{said}");
    // An approval of next year.
    let server = Server::new();
    let (url, _) = lying(&server, None, |method, _, reply| {
        if method == "transaction.search" {
            let newest = &mut rows(reply)[0];
            newest["dateCreated"] = json!(newest["dateCreated"].as_i64().unwrap() + 31_536_000);
        }
    });
    let (code, said) = check(&server, &url, "T1");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("T1 has a transaction of 2027-"), "{said}");
}

#[test]
fn a_history_without_an_end_ends() {
    let server = Server::new();
    let (page, task) = (AtomicUsize::new(0), std::sync::OnceLock::new());
    let (url, calls) = lying(&server, None, move |method, _, reply| {
        if method == "transaction.search" {
            let page = page.fetch_add(1, Ordering::Relaxed);
            let task = task.get_or_init(|| rows(reply)[0]["objectPHID"].clone());
            let text = "x".repeat(15 << 20);
            let row = json!({
                "id": 1_000_000 - page, "phid": format!("PHID-XACT-TASK-{page}"), "type": "description",
                "authorPHID": "PHID-USER-x", "objectPHID": task, "dateCreated": 1,
                "dateModified": 1, "comments": [], "fields": {"old": "", "new": text},
            });
            let cursor = json!({"after": (1_000_000 - page).to_string()});
            *reply = json!({"result": {"data": [row], "cursor": cursor}, "error_code": null, "error_info": null});
        }
    });
    let (code, said) = check(&server, &url, "T1");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("the history of the task is larger than 64 MiB: too much to judge"), "{said}");
    assert!(calls.load(Ordering::Relaxed) < 12);
}

#[test]
fn what_is_more_than_one_reply_may_hold_is_read_in_smaller_pages() {
    let server = Server::new();
    let (url, _) = lying(&server, None, move |method, asked, reply| {
        if method == "transaction.search" {
            let filler = "x".repeat(17 << 20);
            let limit = asked["limit"].as_u64().unwrap() as usize;
            assert_eq!(rows(reply).len().min(limit), rows(reply).len());
            for row in rows(reply).iter_mut().filter(|row| row["type"] == "comment") {
                let raw = row["comments"][0]["content"]["raw"].as_str().unwrap().to_owned();
                row["comments"][0]["content"]["raw"] = json!(format!("{raw}\n\n{filler}"));
            }
        }
    });
    let (code, said) = check(&server, &url, "T1");
    assert_eq!(code, 0, "{}", said.chars().take(2_000).collect::<String>());
}

#[test]
fn a_database_in_trouble_is_asked_again() {
    for fault in ["1205", "1213", "1305", "no-database"] {
        for method in ["maniphest.search", "transaction.search", "project.search", "user.search"] {
            let server = Server::broken(&[&format!("{method}:{fault}@1")]);
            let (code, _, err) = server.run(&["check", "T23", "--deployer", "deployer1"]);
            assert_eq!(code, 0, "{method} {fault}: {err}");
        }
    }
}

#[test]
fn where_nothing_tells_what_was_null_the_verdict_is_undecided() {
    for (task, null) in [("T23", "projects"), ("T23", "description"), ("T17", "core:customfield")] {
        let server = Server::new();
        let (url, _) = lying(&server, None, move |method, _, reply| match method {
            "transaction.search" => {
                for row in rows(reply).iter_mut().filter(|row| row["type"] == null) {
                    (row["type"], row["fields"]) = (Value::Null, json!({}));
                }
            }
            "maniphest.gettasktransactions" => {
                *reply = json!({"result": null, "error_code": "ERR-CONDUIT-CALL", "error_info": "NO SUCH METHOD"});
            }
            _ => {}
        });
        let (code, said) = check(&server, &url, task);
        assert_eq!(code, 3, "{task} {null}: {said}");
        assert!(said.contains(&format!("this server does not show all that changed on {task}")), "{null}: {said}");
    }
}

#[test]
fn nobody_reads_a_phid() {
    let scenarios: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../../fixtures/scenarios.json")).unwrap();
    let server = Server::new();
    // No account but that of the token is shown: everybody has to be named otherwise.
    let (url, _) = lying(&server, None, |method, _, reply| {
        if method == "user.search" {
            rows(reply).clear();
        }
    });
    for (scenario, about) in scenarios {
        let task = about["task"].as_str().unwrap();
        for arguments in [&["check", "-v", task, "--deployer", "deployer1"][..], &["history", task]] {
            for url in [server.running.url.as_str(), url.as_str()] {
                let output = server.phabgate().env("PHABGATE_URL", url).args(arguments).output().unwrap();
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&text).into_owned();
                // With -v each call is logged for whoever looks into it.
                let shown = text.lines().filter(|line| !line.starts_with("DEBUG"));
                let shown: Vec<&str> = shown.filter(|line| line.contains("PHID-")).collect();
                assert!(shown.is_empty(), "{scenario} {arguments:?}: {shown:?}");
            }
        }
    }
}

/// What the recorder's gate says through such a server: exit code, and both outputs in one line.
fn gate(server: &Server, url: &str, arguments: &[&str]) -> (i32, String) {
    let output = server.phabgate().env("PHABGATE_URL", url).args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), in_one_line(&text))
}

/// A server that from the first edit on gives T1 another PHID in the replies of these methods, until it is told not to.
fn renaming(server: &Server, methods: &'static [&'static str]) -> (String, Arc<AtomicBool>) {
    let (edited, honest) = (AtomicBool::new(false), Arc::<AtomicBool>::default());
    let phid = server.running.world().unwrap().task_numbered(1).unwrap().phid.clone();
    let (is_honest, other) = (honest.clone(), phid.replace("PHID-TASK-", "PHID-TASK-x"));
    let (url, _) = lying(server, None, move |method, _, reply| {
        if method == "maniphest.edit" {
            edited.store(true, Ordering::Relaxed);
        } else if methods.contains(&method) && edited.load(Ordering::Relaxed) && !is_honest.load(Ordering::Relaxed) {
            *reply = serde_json::from_str(&reply.to_string().replace(&phid, &other)).unwrap();
        }
    });
    (url, honest)
}

fn edits(server: &Server) -> usize {
    server.running.served().iter().filter(|served| served.method == "maniphest.edit").count()
}

#[test]
fn a_record_that_is_found_on_another_task_is_not_delivered() {
    for methods in [&["transaction.search"][..], &["transaction.search", "maniphest.search"]] {
        let server = Server::new();
        let (url, honest) = renaming(&server, methods);
        let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"];
        let (code, said) = gate(&server, &url, &record);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("it is not clear yet whether `recorded` arrived"), "{methods:?}: {said}");
        let (code, said) = gate(&server, &url, &["outbox", "list"]);
        assert!(code == 3 && said.contains("not clear whether it is on the task"), "{methods:?}: {said}");
        honest.store(true, Ordering::Relaxed);
        let (code, said) = gate(&server, &url, &["outbox", "flush", "--wait"]);
        assert_eq!((code, edits(&server)), (0, 1), "{methods:?}: {said}");
        assert_eq!(server.events(1), [Event::Recorded], "{methods:?}");
    }
}

#[test]
fn a_server_that_is_replaced_during_a_deploy_gets_no_more_of_it() {
    let server = Server::new();
    let (url, honest) = renaming(&server, &["transaction.search", "maniphest.search"]);
    let (code, said) = gate(&server, &url, &["run", "T1", "--deployer", "deployer1", "--", "sh", "-c", "exit 3"]);
    assert_eq!((code, edits(&server)), (3, 1), "{said}");
    assert!(said.contains("`started` is not confirmed"), "{said}");
    assert!(said.contains("its T1 is another task than the one that the record is for"), "{said}");
    assert!(!said.contains("is on the task:"), "{said}");
    honest.store(true, Ordering::Relaxed);
    let (code, said) = gate(&server, &url, &["outbox", "flush", "--wait"]);
    assert_eq!((code, edits(&server)), (0, 2), "{said}");
    assert_eq!(server.events(1), [Event::Started, Event::Finished]);
}
