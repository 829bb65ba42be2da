//! The watch: what `phabgate serve` shows, says and answers while tasks change.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use phabgate::notice::{Notice, NoticeKind};
use phabgate::record::{Event, Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::http;
use crate::watching::{KEY, OTHER, PATIENCE, PIPELINE, READER, Watching, private, until};

#[test]
fn a_verdict_is_served_as_check_gives_it_and_within_seconds_of_a_change() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    until("pending", || watching.verdict(&task) == "pending");
    let path = format!("v1/tasks/{task}/verdict");
    let served = watching.get_as(READER, &path);
    let output = watching
        .machine
        .phabgate()
        .env("PHABGATE_URL", &watching.site.url)
        .env("PHABGATE_TOKEN", watching.site.token("phabgate"))
        .env("PHABGATE_CONFIG", watching.machine.home().join("config.toml"))
        .args(["check", &task, "--format", "json"])
        .output()
        .unwrap();
    let (mut checked, mut page): (Value, Value) = (serde_json::from_slice(&output.stdout).unwrap(), served.json());
    for (page, fields) in [(&mut checked, &["time", "announcement"][..]), (&mut page, &["time", "evidence_at"])] {
        fields.iter().for_each(|field| _ = page.as_object_mut().unwrap().remove(*field));
    }
    // Only the screens of people name the options of who typed them.
    assert_eq!(page, checked);
    // Nothing new is served again, and what changes is served to who waits for it.
    let tag = served.headers["etag"].to_str().unwrap().to_owned();
    let bearer = format!("Bearer {READER}");
    let headers = [("authorization", bearer.as_str()), ("if-none-match", tag.as_str())];
    let same = watching.ask(Method::GET, &path, &headers, b"");
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    assert!(same.headers.contains_key("phabgate-evidence-at"));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| watching.ask(Method::GET, &format!("{path}?wait=30s"), &headers, b""));
        watching.approve(&task);
        let changed = waits.join().unwrap();
        assert_eq!(changed.status, 200, "{changed:?}");
    });
    until("allowed", || watching.verdict(&task) == "allowed");
    watching.comment("sre2", &task, "Emergency-Reject: sre - not now");
    until("denied", || watching.verdict(&task) == "denied");
    watching.site.edit("deployer1", &task, "status", "resolved");
    until("nothing", || watching.get_as(READER, &path).status == 404);
}

#[test]
fn what_is_missing_unread_lost_and_ready_is_said_once() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    until("pending", || watching.verdict(&task) == "pending");
    watching.comment("releng1", &task, "Emergency-Aprove: releng");
    until("an answer that is not read", || watching.kinds(&task) == [NoticeKind::Unread]);
    watching.approve(&task);
    until("ready", || watching.kinds(&task).last() == Some(&NoticeKind::Ready));
    watching.site.edit("deployer1", &task, "description", "Emergency-Reason: data-loss - rows vanish");
    until("lost", || watching.kinds(&task).last() == Some(&NoticeKind::Lost));
    let said = watching.notices(&task);
    assert_eq!(said.last().unwrap().about.len(), 2, "both approvals: {said:?}");
    watching.approve(&task);
    until("allowed", || watching.verdict(&task) == "allowed");
    // What a person's own comment says is not said again.
    watching.comment("sre1", &task, "Emergency-Withdraw: sre");
    until("pending again", || watching.verdict(&task) == "pending");
    watching.comment("sre2", &task, "Emergency-Approve: sre");
    until("allowed again", || watching.verdict(&task) == "allowed");
    let kinds = watching.kinds(&task);
    let count = |kind| kinds.iter().filter(|known| **known == kind).count();
    assert!(kinds.len() <= 5 && count(NoticeKind::Lost) == 1 && count(NoticeKind::Missing) <= 1, "{kinds:?}");
    let mut keys: Vec<_> = watching.notices(&task).iter().map(Notice::key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), kinds.len(), "none is said twice");
}

#[test]
fn a_service_that_is_killed_says_nothing_twice_and_knows_its_deploys() {
    let mut watching = Watching::new();
    let task = watching.emergency("All page views fail");
    watching.approve(&task);
    until("ready", || watching.kinds(&task) == [NoticeKind::Ready]);
    let asked = json!({"task": task, "deployer": "deployer1", "command": ["true"]});
    let started = watching.post(PIPELINE, "v1/deploys", "job-1", &asked);
    assert_eq!(started.status, 201, "{started:?}");
    let deploy = started.json()["deploy"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        watching.killed_and_started();
        until("looked at", || watching.verdict(&task) == "allowed" || watching.verdict(&task) == "denied");
        let again = watching.post(PIPELINE, "v1/deploys", "job-1", &asked);
        assert_eq!((again.status, again.json()["deploy"].as_str()), (201, Some(deploy.as_str())), "{again:?}");
    }
    let ended = watching.post(PIPELINE, &format!("v1/deploys/{deploy}/finish"), "-", &json!({"exit": 0}));
    assert_eq!(ended.status, 200, "{ended:?}");
    until("recorded", || watching.site.records(&task).len() == 2);
    let records = watching.site.records(&task);
    assert_eq!(records[1].outcome, Some(Outcome::Succeeded));
    assert_eq!(watching.kinds(&task), [NoticeKind::Ready]);
}

#[test]
fn what_another_service_announces_is_left_to_it_and_the_log_says_so_once() {
    let mut watching = Watching::new();
    let task = watching.emergency("All page views fail");
    watching.comment("releng1", &task, "Emergency-Aprove: releng");
    until("an answer that is not read", || watching.kinds(&task) == [NoticeKind::Unread]);
    watching.stops();
    for file in ["watch.sqlite3", "watch.sqlite3-journal"] {
        let _ = std::fs::remove_file(watching.machine.home().join("state").join(file));
    }
    assert!(!watching.has_logged("another watch"));
    watching.starts();
    let said = format!("{task}: another watch with the same token");
    until("that is said", || watching.has_logged(&said));
    watching.approve(&task);
    until("allowed", || watching.verdict(&task) == "allowed");
    assert_eq!((watching.kinds(&task), watching.logged(&said)), (vec![NoticeKind::Unread], 1));
}

#[test]
fn a_pipeline_deploys_once_a_key_and_its_first_end_stands() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let body = |more: &[(&str, Value)]| {
        let mut body =
            json!({"task": task, "deployer": "deployer1", "command": ["scap", "sync-world", "--token=s3cret"]});
        more.iter().for_each(|(name, value)| body[*name] = value.clone());
        body
    };
    let plain = body(&[]);
    let status = |token: &str, key: &str, body: &Value| watching.post(token, "v1/deploys", key, body).status;
    // Nobody who may not, for nobody whom the token may not name, and nothing that makes no sense.
    assert_eq!(watching.ask(Method::POST, "v1/deploys", &[("idempotency-key", "k")], b"{}").status, 401);
    assert_eq!(status("no-token", "k", &plain), 401);
    assert_eq!(status(READER, "k", &plain), 403);
    assert_eq!(status(PIPELINE, "k", &body(&[("deployer", json!("releng1"))])), 403);
    assert_eq!(status(PIPELINE, "", &plain), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("command", json!("scap"))])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("command", json!([]))])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("task", json!("1"))])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("action", json!("undo"))])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("expires", json!("13h"))])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("expires", json!("500ms"))])), 400);
    assert_eq!(status(PIPELINE, "k", &json!([task, "deployer1", null, null, null, ["true"], "1h"])), 400);
    assert_eq!(status(PIPELINE, "k", &body(&[("verdict", json!("allowed"))])), 400);
    // Who can make the pipeline run is behind the deploy: their approval counts for nothing.
    watching.comment("releng2", &task, "Emergency-Approve: releng");
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    let early = watching.post(PIPELINE, "v1/deploys", "k1", &plain);
    assert_eq!(early.status, 425, "{early:?}");
    assert_eq!(early.headers["content-type"], "application/problem+json");
    assert_eq!(early.json()["verdict"]["verdict"], "pending");
    let detail = early.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("what releng2 wrote for releng does not count: this account may be behind"), "{detail}");
    assert!(watching.site.records(&task).is_empty());
    // Nothing was announced: the same may be asked until it is allowed.
    assert_eq!(status(PIPELINE, "k1", &plain), 425);
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    let started = watching.post(PIPELINE, "v1/deploys", "k2", &plain);
    assert_eq!(started.status, 201, "{started:?}");
    let deploy = started.json()["deploy"].as_str().unwrap().to_owned();
    assert_eq!(started.json()["verdict"]["verdict"], "allowed");
    let records = watching.site.records(&task);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].caller.as_deref(), Some("token pipeline"));
    assert!(!records[0].command.as_ref().unwrap().contains("s3cret"), "{records:?}");
    // The same again is the same; something else is not.
    let again = watching.post(PIPELINE, "v1/deploys", "k2", &plain);
    assert_eq!((again.status, again.json()["deploy"].as_str()), (201, Some(deploy.as_str())));
    assert_eq!(status(PIPELINE, "k2", &body(&[("change", json!("I1"))])), 422);
    // Another deploy of it is under way, for everybody.
    assert_eq!(status(PIPELINE, "k3", &plain), 409);
    assert_eq!(status(OTHER, "k2", &plain), 409);
    let path = |what: &str| format!("v1/deploys/{deploy}/{what}");
    assert_eq!(watching.post(OTHER, &path("finish"), "-", &json!({"exit": 0})).status, 404);
    assert_eq!(watching.post(PIPELINE, "v1/deploys/x/finish", "-", &json!({"exit": 0})).status, 400);
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!({"exit": 0, "signal": 9})).status, 400);
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!({"exit": 256})).status, 400);
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!([])).status, 400);
    let alive = watching.post(PIPELINE, &path("alive"), "-", &json!({}));
    assert_eq!((alive.status, alive.json()["deploy"].as_str()), (200, Some(deploy.as_str())), "{alive:?}");
    assert_eq!(alive.json()["verdict"]["verdict"], "allowed", "it does not count against itself: {alive:?}");
    watching.comment("sre2", &task, "Emergency-Reject: sre - too risky");
    let alive = watching.post(PIPELINE, &path("alive"), "-", &json!({}));
    assert_eq!((alive.status, &alive.json()["verdict"]["verdict"]), (200, &json!("denied")), "{alive:?}");
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!({"exit": 3})).status, 200);
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!({"exit": 3})).status, 200);
    assert_eq!(watching.post(PIPELINE, &path("finish"), "-", &json!({"exit": 0})).status, 409);
    assert_eq!(watching.post(PIPELINE, &path("alive"), "-", &json!({})).status, 409);
    assert_eq!(status(PIPELINE, "k2", &plain), 409, "a job that is run again sends another key");
    let records = watching.site.records(&task);
    assert_eq!(records.iter().map(|record| record.event).collect::<Vec<_>>(), [Event::Started, Event::Finished]);
    assert_eq!(records[1].outcome, Some(Outcome::Failed));
}

#[test]
fn the_example_of_a_pipeline_carries_out_a_deploy() {
    for tool in ["bash", "curl", "jq"] {
        if Command::new(tool).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{tool} is not installed");
            return eprintln!("skipped: {tool} is not installed");
        }
    }
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let token = watching.machine.home().join("pipeline-token");
    private(&token, &format!("{PIPELINE}\n"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/pipeline.example");
    let pipeline = |job: &str, wait: &str, command: &str| {
        let mut script = {
            let mut bash = Command::new("bash");
            bash.arg(script).args([&task, "deployer1", "--", "sh", "-c", command]);
            bash
        };
        script.env("PHABGATE_WATCH", watching.url.trim_end_matches('/')).env("PHABGATE_SERVER_TOKEN_FILE", &token);
        script.env("PHABGATE_JOB", job).env("PHABGATE_WAIT", wait).env("PHABGATE_ALIVE", "1");
        script.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ended = |child: Child| {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    let (code, _, said) = ended(pipeline("job-1", "0", "true"));
    assert!(code == Some(5) && said.contains("approval needed from"), "{said}");
    // It waits, and what was approved meanwhile is carried out; its arguments arrive as they are.
    let waits = pipeline("job-2", "600", "printf '%s' 'it'\\''s \"done\"'; sleep 2; exit 7");
    watching.approve(&task);
    let (code, printed, said) = ended(waits);
    assert_eq!((code, printed.as_str()), (Some(7), "it's \"done\""), "{said}");
    assert!(said.ends_with("recorded: the command ended with status 7\n"), "{said}");
    assert!(said.contains("started, and recorded on the task") && !said.contains("read the task"), "{said}");
    let records = watching.site.records(&task);
    assert_eq!(records.iter().map(|record| record.event).collect::<Vec<_>>(), [Event::Started, Event::Finished]);
    assert_eq!(records[1].exit, Some(phabgate::record::ExitStatus::Code(7)));
    let (code, _, said) = ended(pipeline("job-2", "0", "printf '%s' 'it'\\''s \"done\"'; sleep 2; exit 7"));
    assert!(code == Some(6) && said.contains("the deploy is over"), "{code:?}: {said}");
}

#[test]
fn a_deploy_that_was_never_cleared_is_none_after_the_service_died() {
    for point in ["after-intent", "after-queued-started", "after-post-started"] {
        let mut watching = Watching::new();
        let task = watching.emergency("All page views fail");
        watching.approve(&task);
        watching.killed_and_started_to_crash(Some(point));
        let asked = json!({"task": task, "deployer": "deployer1", "command": ["true"]});
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let request = http().post(format!("{}v1/deploys", watching.url)).bearer_auth(PIPELINE);
        let request = request.header("idempotency-key", "job-1").body(asked.to_string());
        runtime.block_on(async { request.send().await }).unwrap_err();
        watching.killed_and_started();
        for _ in 0..2 {
            let again = watching.post(PIPELINE, "v1/deploys", "job-1", &asked);
            assert_eq!(again.status, 409, "{point}: {again:?}");
        }
    }
}

#[test]
fn a_webhook_wakes_and_is_never_believed() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let found = json!({"constraints": {"ids": [task[1..].parse::<u64>().unwrap()]}});
    let phid = watching.site.call("phabgate", "maniphest.search", found)["data"][0]["phid"].clone();
    let call = |kind: &str, phid: &Value| {
        let call = json!({"object": {"type": kind, "phid": phid}, "transactions": [], "action": {"test": false}});
        call.to_string()
    };
    let signed = |key: &str, body: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let send = |signature: &str, body: &str| {
        let headers = [("x-phabricator-webhook-signature", signature)];
        watching.ask(Method::POST, "hooks/phorge", &headers, body.as_bytes()).status
    };
    let body = call("TASK", &phid);
    assert_eq!(send(&signed(KEY, &body), &body), 200);
    assert_eq!(send(&signed(KEY, &body), &body), 200, "the same bytes again cost a reading");
    assert_eq!(send(&signed("another-key-of-before", &body), &body), 200);
    assert_eq!(send(&signed("no-key", &body), &body), 403);
    assert_eq!(send("", &body), 403);
    assert_eq!(send(&signed(KEY, &body), &call("TASK", &json!("PHID-TASK-x"))), 403);
    for (wrong, status) in [
        (call("PROJ", &json!("PHID-PROJ-x")), 200),
        (call("TASK", &json!("PHID-USER-x")), 400),
        ("{".to_owned(), 400),
        (String::new(), 400),
        ("x".repeat(70_000), 413),
    ] {
        assert_eq!(send(&signed(KEY, &wrong), &wrong), status, "{}", &wrong[..wrong.len().min(80)]);
    }
    until("pending", || watching.verdict(&task) == "pending");
    let metrics = watching.get_as(READER, "metrics").text;
    let value = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert!(value("phabgate_serve_hooks_total") >= 4.0, "{metrics}");
    assert!(value("phabgate_serve_bad_hooks_total") >= 3.0, "{metrics}");
}

#[test]
fn a_stream_of_all_begins_with_each_and_goes_on_with_what_changes() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = http().get(format!("{}v1/events", watching.url)).bearer_auth(READER);
    let mut stream = runtime.block_on(async { asked.send().await.unwrap() });
    let mut came = String::new();
    // What comes until an event of this name, for this task where one is named.
    let mut until = |name: &str, of: Option<&str>| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let events: Vec<&str> = came.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n")).collect();
            let is_it = |event: &str| {
                event.contains(&format!("event: {name}\n"))
                    && of.is_none_or(|of| event.contains(&format!("\"task\":\"{of}\"")))
            };
            if let Some(at) = events.iter().position(|event| is_it(event)) {
                let head = events[..=at].concat();
                came.drain(..head.len());
                return head;
            }
            assert!(Instant::now() < deadline, "no {name} of {of:?}: {came}");
            let chunk = runtime.block_on(async { tokio::time::timeout(PATIENCE, stream.chunk()).await });
            came.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
        }
    };
    let first = until("listed", None);
    let listed = first.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let listed: Value = serde_json::from_str(listed).unwrap();
    assert_eq!(listed["tasks"], first.matches("event: emergency\n").count(), "{first}");
    if !first.contains(&format!("\"task\":\"{task}\"")) {
        until("emergency", Some(&task));
    }
    watching.approve(&task);
    let changed = until("emergency", Some(&task));
    assert_eq!(changed.matches("event: ").count(), 1, "what did not change is not sent again: {changed}");
    watching.site.edit("deployer1", &task, "status", "resolved");
    until("gone", Some(&task));
}

#[test]
fn readers_without_an_account_see_what_the_task_lets_everybody_see() {
    let watching = Watching::new();
    let task = watching.emergency("A title that is none of theirs");
    until("pending", || watching.verdict(&task) == "pending");
    let path = format!("v1/tasks/{task}/verdict");
    // On this machine: teams and names, no text.
    let page = watching.get(&path);
    assert_eq!(page.status, 200);
    assert!(page.json()["teams"].is_array() && !page.text.contains("none of theirs"), "{page:?}");
    let list = watching.get("v1/emergencies").text;
    assert!(list.contains(&task) && !list.contains("none of theirs"), "{list}");
    // From elsewhere, as a proxy forwards it: nothing without a token, and a token in a query is none.
    for path in [&path, "v1/emergencies", "metrics", &format!("{path}?token={READER}")] {
        let answer = watching.ask(Method::GET, path, &[("x-forwarded-for", "192.0.2.1")], b"");
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(!answer.text.contains(&task), "{answer:?}");
    }
    assert_eq!(watching.ask(Method::GET, &path, &[("host", "evil.example")], b"").status, 421);
    assert_eq!(watching.get_as("no-token", &path).status, 401);
    for (path, status) in [("healthz", 200), ("readyz", 200), ("v1/tasks/T0/verdict", 400), ("v1/nothing", 404)] {
        assert_eq!(watching.get(path).status, status, "{path}");
    }
    assert_eq!(watching.get("healthz").headers["phabgate-asks"], "no", "it has no channel");
    // The same words for what is hidden, missing or no emergency.
    let words = |task: &str| watching.get_as(READER, &format!("v1/tasks/{task}/verdict")).text;
    let plain = watching.site.task("deployer1", "No emergency");
    assert_eq!(words(&plain), words("T99999"));
    assert_eq!(watching.ask(Method::POST, &path, &[], b"").status, 401, "on this machine too");
    assert_eq!(watching.ask(Method::POST, "healthz", &[], b"").status, 405);
}

#[test]
fn every_address_of_the_openapi_page_is_answered_as_it_says() {
    let watching = Watching::new();
    let page = watching.get("v1/openapi.json").json();
    let paths = page["paths"].as_object().unwrap();
    assert!(paths.len() >= 12, "{page}");
    for (path, methods) in paths {
        let asked = path.replace("{task}", "T99999").replace("{deploy}", "x");
        if asked.ends_with("/events") && !asked.contains("T99999") {
            // A stream has no end.
            continue;
        }
        for (name, operation) in methods.as_object().unwrap() {
            let method: Method = name.to_uppercase().parse().unwrap();
            let bearer = format!("Bearer {PIPELINE}");
            let answer = watching.ask(method, &asked[1..], &[("authorization", bearer.as_str())], b"{}");
            let said = operation["responses"].get(answer.status.to_string());
            assert!(said.is_some(), "{path}: {answer:?} is none of {operation}");
            // What is asked in another way is refused, and said so.
            let other = if name == "get" { Method::DELETE } else { Method::PUT };
            let answer = watching.ask(other, &asked[1..], &[("authorization", bearer.as_str())], b"");
            assert_eq!((answer.status, &answer.json()["title"]), (405, &json!("another method is needed")), "{path}");
        }
    }
}

#[test]
fn a_signal_ends_it_well() {
    let mut watching = Watching::new();
    until("ready", || watching.get("readyz").status == 200);
    watching.stops();
}
