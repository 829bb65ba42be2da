//! The sandbox as a client sees it: what each fault does at the socket, and how it refuses.
//!
//! The words of the refusals were measured on a real Phorge.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use phabgate::sandbox::{Clock, Fault, FaultKind, Options, Running, Source, World};
use serde_json::{Value, json};

use crate::server::Server;

/// Far longer than any test takes.
const NEVER: Duration = Duration::from_secs(600);

/// How a connection ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

/// What came over a connection until it ended.
struct Seen {
    bytes: Vec<u8>,
    end: End,
}

impl Seen {
    fn head(&self) -> String {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(self.bytes.len());
        String::from_utf8(self.bytes[..end].to_vec()).unwrap().to_lowercase()
    }

    fn body(&self) -> &[u8] {
        let start = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(self.bytes.len(), |at| at + 4);
        &self.bytes[start..]
    }

    fn status(&self) -> Option<u16> {
        self.head().split(' ').nth(1).map(|status| status.parse().unwrap())
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap()
    }
}

fn authority(running: &Running) -> String {
    running.url.authority().to_owned()
}

/// A connection on which the request was sent.
fn send(running: &Running, host: &str, method: &str, kind: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(authority(running)).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let length = body.len();
    let request = format!(
        "POST /api/{method} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn see(mut stream: TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let end = match stream.read_to_end(&mut bytes) {
        Ok(_) => End::Closed,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
        Err(error) => panic!("{error}"),
    };
    Seen { bytes, end }
}

/// The body of a call, with its types.
fn typed(token: &str, mut params: Value) -> String {
    params["__conduit__"] = json!({ "token": token });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("params", &params.to_string()).append_pair("output", "json").finish()
}

fn start(running: &Running, account: &str, method: &str, params: Value) -> TcpStream {
    let token = running.token_of(account).unwrap().unwrap();
    let form = "application/x-www-form-urlencoded";
    send(running, &authority(running), method, form, &typed(&token, params))
}

pub(crate) fn call(running: &Running, account: &str, method: &str, params: Value) -> Value {
    see(start(running, account, method, params)).json()
}

/// A comment on T5, the task that nobody has commented on.
fn comment() -> Value {
    json!({"objectIdentifier": "T5", "transactions": [{"type": "comment", "value": "written"}]})
}

pub(crate) fn written(running: &Running) -> usize {
    let world = running.world().unwrap();
    let task = world.task_numbered(5).unwrap();
    world.history(&task.phid).iter().filter(|row| row.versions.iter().any(|version| version.text == "written")).count()
}

pub(crate) fn phid(running: &Running, name: &str) -> String {
    running.world().unwrap().user_named(name).unwrap().phid.clone()
}

fn broken(kind: FaultKind) -> Server {
    let fault: Fault = format!("maniphest.edit:{kind}@1").parse().unwrap();
    Server::with(Options {
        faults: vec![fault],
        clock: Clock::Fixed(1_800_000_000),
        stall: Duration::ZERO,
        late: NEVER,
        drip: Duration::ZERO,
        ..Options::default()
    })
}

#[test]
fn each_fault_is_seen_at_the_socket_and_writes_or_does_not() {
    for kind in FaultKind::all() {
        let server = broken(kind);
        let seen = see(start(&server.running, "sre1", "maniphest.edit", comment()));
        // status, end of the connection, written
        let expected = match kind {
            FaultKind::Refuse | FaultKind::Reset | FaultKind::Stall | FaultKind::LateCommit => (None, End::Reset, 0),
            FaultKind::LostReply => (None, End::Reset, 1),
            FaultKind::Truncate | FaultKind::Drip | FaultKind::LateError => (Some(200), End::Closed, 1),
            FaultKind::TooManyRequests => (Some(429), End::Closed, 0),
            FaultKind::BadGateway => (Some(502), End::Closed, 0),
            FaultKind::Unavailable => (Some(503), End::Closed, 0),
            FaultKind::GatewayTimeout => (Some(504), End::Closed, 0),
            FaultKind::Late502 => (Some(502), End::Closed, 1),
            FaultKind::Html | FaultKind::Garbage | FaultKind::Huge => (Some(200), End::Closed, 0),
            FaultKind::Redirect => (Some(302), End::Closed, 0),
            FaultKind::Forbidden => (Some(403), End::Closed, 0),
            FaultKind::TooLarge => (Some(413), End::Closed, 0),
            FaultKind::LockWait
            | FaultKind::Deadlock
            | FaultKind::Savepoint
            | FaultKind::NoDatabase
            | FaultKind::ReadOnly
            | FaultKind::Mfa => (Some(200), End::Closed, 0),
        };
        assert_eq!((seen.status(), seen.end, written(&server.running)), expected, "{kind}");
        assert!(expected.0.is_some() || seen.bytes.is_empty(), "{kind}");
    }
}

#[test]
fn each_reply_of_a_fault_looks_like_what_it_stands_for() {
    for kind in FaultKind::UNCLEAR {
        let server = broken(kind);
        let seen = see(start(&server.running, "sre1", "maniphest.edit", comment()));
        if seen.status().is_none() {
            continue;
        }
        let length: usize = seen.header("content-length").unwrap().parse().unwrap();
        // Every reply is dated by the world, or its reader would take another time for the present.
        assert_eq!(seen.header("date").unwrap(), "fri, 15 jan 2027 08:00:00 gmt", "{kind}");
        let (whole, html) = match kind {
            FaultKind::Truncate => (false, false),
            FaultKind::Drip | FaultKind::Garbage | FaultKind::Huge | FaultKind::Redirect => (true, false),
            _ => (true, true),
        };
        assert_eq!(seen.body().len() == length, whole, "{kind}");
        let title = String::from_utf8_lossy(seen.body()).contains("<title>Unavailable</title>");
        assert_eq!(
            (seen.header("content-type").unwrap().starts_with("text/html"), title),
            (html || kind == FaultKind::Redirect, html),
            "{kind}"
        );
        match kind {
            FaultKind::Truncate => assert_eq!(seen.body().len(), length / 2),
            FaultKind::Drip => assert_eq!(seen.json()["result"]["object"]["id"], 5),
            FaultKind::TooManyRequests => assert_eq!(seen.header("retry-after").unwrap(), "1"),
            FaultKind::Redirect => assert_eq!(seen.header("location").unwrap(), "http://127.0.0.2/elsewhere"),
            FaultKind::Garbage => assert!(std::str::from_utf8(seen.body()).is_err()),
            FaultKind::Huge => {
                assert_eq!(length, 64 << 20);
                assert!(seen.body().iter().all(|byte| *byte == b'['));
            }
            _ => {}
        }
    }
}

#[test]
fn what_refuses_a_call_says_why_as_the_real_server_does() {
    for kind in FaultKind::REFUSALS.into_iter().chain([FaultKind::LateError]) {
        let server = broken(kind);
        let seen = see(start(&server.running, "sre1", "maniphest.edit", comment()));
        let text = String::from_utf8_lossy(seen.body()).into_owned();
        let expected = match kind {
            FaultKind::Forbidden => "<title>403 Forbidden</title>",
            FaultKind::TooLarge => "<title>413 Request Entity Too Large</title>",
            FaultKind::LockWait => "\"#1205: ",
            FaultKind::Deadlock => "\"#1213: ",
            FaultKind::Savepoint => "\"#1305: ",
            FaultKind::NoDatabase => "Unable to establish a connection to any database host",
            FaultKind::ReadOnly => "this server is in read-only mode",
            FaultKind::Mfa => "This transaction group requires MFA to apply",
            _ => "\"#2006: ",
        };
        assert!(text.contains(expected), "{kind}: {text}");
        if seen.status() == Some(200) {
            let reply = seen.json();
            assert_eq!((&reply["result"], &reply["error_code"]), (&Value::Null, &json!("ERR-CONDUIT-CORE")), "{kind}");
        }
    }
}

#[test]
fn a_server_that_takes_no_writes_answers_reads() {
    let server = Server::broken(&["*:read-only"]);
    assert!(call(&server.running, "sre1", "user.whoami", json!({}))["result"].is_object());
    let refused = call(&server.running, "sre1", "maniphest.edit", comment());
    assert!(refused["error_info"].as_str().unwrap().contains("read-only mode"), "{refused}");
    let struck: Vec<_> = server.running.served().into_iter().map(|served| served.fault).collect();
    assert_eq!(struck, [None, Some(FaultKind::ReadOnly)]);
}

#[test]
fn a_request_above_the_limit_is_refused_and_not_carried_out() {
    let server = Server::with(Options { largest_request: 300, ..Options::default() });
    let seen = see(start(&server.running, "sre1", "maniphest.edit", comment()));
    assert_eq!((seen.status(), written(&server.running)), (Some(200), 1));
    let long = json!({"objectIdentifier": "T5", "transactions": [{"type": "comment", "value": "written".repeat(50)}]});
    let seen = see(start(&server.running, "sre1", "maniphest.edit", long));
    assert_eq!((seen.status(), written(&server.running)), (Some(413), 1));
    assert_eq!(server.running.served().last().unwrap().fault, Some(FaultKind::TooLarge));
}

#[test]
fn a_token_opens_the_sandbox_that_it_was_made_for_and_no_other() {
    let (one, two) = (Server::new(), Server::new());
    let ask = |server: &Server, token: &str| {
        let form = "application/x-www-form-urlencoded";
        let body = typed(token, json!({}));
        let reply = see(send(&server.running, &authority(&server.running), "user.whoami", form, &body)).json();
        reply["error_code"].clone()
    };
    let token = one.running.token_of("phabgate").unwrap().unwrap();
    assert_eq!((ask(&one, &token), ask(&two, &token)), (Value::Null, json!("ERR-INVALID-AUTH")));
    // Those of the fixture are known to everybody.
    let known = World::built_in().unwrap().token_of("phabgate").unwrap().to_owned();
    assert_eq!(ask(&one, &known), "ERR-INVALID-AUTH");
}

#[test]
fn the_version_is_chosen_by_flag_or_variable_and_must_be_known() {
    let machine = crate::harness::Machine::new();
    let run = |version: &str, arguments: &[&str]| {
        let output = machine.phabgate().env("PHABGATE_SANDBOX_LIKE", version).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (version, arguments) in
        [("master", ["sandbox", "--like", "2020.1"].as_slice()), ("2020.1", &["--sandbox", "check", "T1"])]
    {
        let (code, err) = run(version, arguments);
        assert_eq!(code, 2, "{err}");
        let said = crate::server::in_one_line(&err);
        assert!(said.contains("\"2020.1\": the versions are master, 2026.27, 2019.25 and 2018.25"), "{err}");
    }
    // A server without transactions in bulk cannot be audited.
    assert_ne!(run("master", &["--sandbox", "audit"]).0, 3);
    assert_eq!(run("2019.25", &["--sandbox", "audit"]).0, 3);
}

#[test]
fn another_server_can_stand_behind_the_same_address() {
    let one = Server::new();
    let (url, task) = (one.running.url.clone(), one.running.world().unwrap().tasks[0].clone());
    drop(one);
    let world = World::built_in().unwrap().with_other_phids(1).unwrap();
    let port = url.port().unwrap();
    let two = Server::with(Options { port, source: Source::World(Box::new(world)), ..Options::default() });
    let other = two.running.world().unwrap().tasks[0].clone();
    assert_eq!((&two.running.url, &other.title), (&url, &task.title));
    assert_ne!((&other.phid, &other.author), (&task.phid, &task.author));
    let found = call(&two.running, "sre1", "maniphest.search", json!({"constraints": {"ids": [1]}}));
    assert_eq!(found["result"]["data"][0]["phid"], other.phid);
}

#[test]
fn archived_projects_are_hidden_unless_they_are_asked_for() {
    let server = Server::new();
    let archive = |world: &mut World, now| {
        let phid = world.project_tagged("sre").unwrap().phid.clone();
        world.archive_project(&phid, now).unwrap();
    };
    server.running.change(archive).unwrap();
    let found = |constraints: Value| {
        let reply = call(&server.running, "phabgate", "project.search", json!({ "constraints": constraints }));
        (reply["result"]["data"].as_array().unwrap().len(), reply["result"]["maps"]["slugMap"].clone())
    };
    assert_eq!(found(json!({"slugs": ["sre"]})), (0, json!({})));
    assert_eq!(found(json!({"slugs": ["sre"], "status": "active"})), (0, json!({})));
    for status in ["all", "archived"] {
        assert_eq!(found(json!({"slugs": ["sre"], "status": status})).0, 1, "{status}");
    }
    // By a hashtag nothing is below anything.
    assert_eq!(found(json!({"ancestors": ["emergency-deployment"], "status": "all"})), (0, json!({})));
}

#[test]
fn old_and_new_values_are_told_by_the_frozen_method() {
    let server = Server::new();
    let sre1 = phid(&server.running, "sre1");
    let changes = json!([{"type": "custom.emergency.reason", "value": "abuse"}, {"type": "owner", "value": sre1}]);
    let edit = json!({"objectIdentifier": "T5", "transactions": changes});
    assert_eq!(call(&server.running, "deployer1", "maniphest.edit", edit)["error_code"], Value::Null);
    let ask = |who: &str, id: u64| {
        call(&server.running, who, "maniphest.gettasktransactions", json!({ "ids": [id] }))["result"].clone()
    };
    let told = ask("phabgate", 5);
    let row = |kind: &str| {
        let rows = told["5"].as_array().unwrap();
        let row = rows.iter().find(|row| row["transactionType"] == kind).unwrap();
        (row["oldValue"].clone(), row["newValue"].clone(), row["meta"]["customfield:key"].clone())
    };
    assert_eq!(row("core:customfield"), (Value::Null, json!("abuse"), json!("std:maniphest:emergency.reason")));
    assert_eq!(row("reassign"), (Value::Null, json!(sre1), Value::Null));
    let (before, after, _) = row("core:subscribers");
    assert_eq!((before, after), (json!([]), json!([phid(&server.running, "deployer1")])));
    // PHP's empty map; of a hidden task not a word.
    assert_eq!((ask("phabgate", 27), ask("phabgate", 999)), (json!([]), json!([])));
}

#[test]
fn a_dripping_reply_comes_byte_by_byte() {
    let faults = vec!["*:drip".parse().unwrap()];
    let server = Server::with(Options { faults, drip: NEVER, ..Options::default() });
    let mut stream = start(&server.running, "sre1", "user.whoami", json!({}));
    let mut first = [0; 64];
    assert_eq!(stream.read(&mut first).unwrap(), 1);
    assert_eq!(first[0], b'H');
}

#[test]
fn a_late_commit_is_carried_out_once_when_it_is_due_or_at_the_end() {
    let server = broken(FaultKind::LateCommit);
    see(start(&server.running, "sre1", "maniphest.edit", comment()));
    assert_eq!((server.running.commit_late(), written(&server.running)), (1, 1));
    assert_eq!((server.running.commit_late(), written(&server.running)), (0, 1));

    let faults = vec!["maniphest.edit:late-commit".parse().unwrap()];
    let server = Server::with(Options { faults, late: Duration::ZERO, ..Options::default() });
    see(start(&server.running, "sre1", "maniphest.edit", comment()));
    let begun = Instant::now();
    while written(&server.running) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the call is never carried out");
        std::thread::yield_now();
    }
    assert_eq!(server.running.commit_late(), 0);
}

#[test]
fn the_served_calls_are_listed_with_their_faults() {
    let server = Server::broken(&["user.whoami:503@2"]);
    for _ in 0..3 {
        see(start(&server.running, "sre1", "user.whoami", json!({})));
    }
    let struck: Vec<_> = server.running.served().into_iter().map(|served| served.fault).collect();
    assert_eq!(struck, [None, Some(FaultKind::Unavailable), None]);
    server.running.inject(Vec::new());
    assert_eq!(see(start(&server.running, "sre1", "user.whoami", json!({}))).status(), Some(200));
}

#[test]
fn another_host_gets_a_page_and_json_bodies_are_refused() {
    let server = Server::new();
    let port = server.running.url.port().unwrap();
    let form = "application/x-www-form-urlencoded";
    for host in [authority(&server.running), format!("LOCALHOST:{port}"), "phorge.localhost:8580".to_owned()] {
        let seen = see(send(&server.running, &host, "conduit.ping", form, ""));
        assert_eq!(seen.status(), Some(200), "{host}");
    }
    for host in ["other.example", "localhost", "<b>"] {
        let seen = see(send(&server.running, host, "conduit.ping", form, ""));
        assert_eq!(seen.status(), Some(500), "{host}");
        let page = String::from_utf8_lossy(seen.body()).into_owned();
        assert!(page.contains("<title>Site Not Found</title>") && !page.contains("<b>"), "{page}");
    }
    let seen = see(send(&server.running, &authority(&server.running), "user.whoami", "application/json", "{}"));
    assert_eq!(seen.json()["error_code"], "ERR-CONDUIT-CORE");
}

/// The error of a call of `phabgate`, or an empty text.
fn refusal(server: &Server, method: &str, params: Value) -> String {
    let reply = call(&server.running, "phabgate", method, params);
    match reply["error_code"].as_str() {
        Some(code) => format!("{code}: {}", reply["error_info"].as_str().unwrap()),
        None => String::new(),
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_in_the_words_of_the_real_server() {
    let server = Server::new();
    let task = server.running.world().unwrap().task_numbered(1).unwrap().phid.clone();
    for (method, params, expected) in [
        (
            "user.whoami",
            json!({"bogus": 1}),
            "ERR-CONDUIT-CALL: API Method \"user.whoami\" does not define these parameters: 'bogus'.",
        ),
        (
            "maniphest.search",
            json!({"constraints": 5}),
            "ERR-INVALID-CONSTRAINTS-FORMAT: Parameter \"constraints\" must be a map of constraints.",
        ),
        (
            "maniphest.search",
            json!({"constraints": [1]}),
            "ERR-INVALID-CONSTRAINT: Parameter \"constraints\" includes an invalid key.",
        ),
        (
            "maniphest.search",
            json!({"attachments": {"bogus": true}}),
            "ERR-INVALID-ATTACHMENT: Parameter \"attachments\" includes an invalid key.",
        ),
        (
            "maniphest.search",
            json!({"constraints": {"ids": ["1"]}}),
            "ERR-CONDUIT-CORE: Error while reading \"ids[0]\": Expected integer, got something else.",
        ),
        (
            "maniphest.search",
            json!({"constraints": {"ids": []}}),
            "ERR-CONDUIT-CORE: Error while reading \"ids\": Expected a nonempty list, but value is an empty list.",
        ),
        (
            "maniphest.search",
            json!({"constraints": {"ids": {"a": 1}}}),
            "ERR-CONDUIT-CORE: Error while reading \"ids\": Expected a list, but value is an object.",
        ),
        (
            "maniphest.search",
            json!({"limit": 0}),
            "ERR-INVALID-PAGE-SIZE: Minimum page size for Conduit API method calls is 1, but this call specified 0.",
        ),
        ("maniphest.search", json!({"after": "x"}), "ERR-CONDUIT-CORE: Task IDs must be integer numbers."),
        (
            "maniphest.search",
            json!({"queryKey": "bogus"}),
            "ERR-BAD-QUERYKEY: Invalid query for parameter \"queryKey\".",
        ),
        (
            "transaction.search",
            json!({}),
            "ERR-INVALID-PARAMETER: Must specify either parameter \"objectType\" or parameter \"objectIdentifier\".",
        ),
        (
            "transaction.search",
            json!({"objectType": "task"}),
            "ERR-INVALID-OBJECT-TYPE: Specified \"objectType\" does not exist. See the endpoint documentation for valid object types.",
        ),
        (
            "transaction.search",
            json!({"objectIdentifier": 1}),
            "ERR-INVALID-OBJECT-PHID-FORMAT: \"objectIdentifier\" must be a string (PHID or object monogram).",
        ),
        (
            "transaction.search",
            json!({"objectIdentifier": "T27"}),
            "ERR-INVALID-OBJECT-PHID: Specified \"objectIdentifier\" does not exist.",
        ),
        (
            "transaction.search",
            json!({"objectIdentifier": task, "constraints": {"bogus": 1}}),
            "ERR-CONDUIT-CALL: Got unexpected parameters: bogus",
        ),
        (
            "transaction.search",
            json!({"objectIdentifier": task, "constraints": {"authorPHIDs": []}}),
            "ERR-INVALID-CONSTRAINT-AUTHORPHIDS-FORMAT: \"authorPHIDs\" must be a non-empty list of author PHIDs.",
        ),
        (
            "transaction.search",
            json!({"objectIdentifier": task, "constraints": {"authorPHIDs": "x"}}),
            "ERR-CONDUIT-CORE: Parameter 'authorPHIDs' has invalid type. Expected type 'optional list<string>', got type 'string'.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "T1"}),
            "ERR-CONDUIT-CORE: Parameter \"transactions\" is not a list of transactions.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "T1", "transactions": ["x"]}),
            "ERR-CONDUIT-CORE: Parameter \"transactions\" must contain a list of transaction descriptions, but item with key \"0\" is not a dictionary.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "T1", "transactions": [{"type": "comment", "value": 5}]}),
            "ERR-CONDUIT-CORE: Exception when processing transaction of type \"comment\": Error while reading \"value\": Expected string, got something else.",
        ),
        (
            "maniphest.edit",
            json!({"transactions": [{"type": "comment", "value": "x"}]}),
            "ERR-CONDUIT-CORE: Validation errors:\n  - Tasks must have a title.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "T1", "transactions": [{"type": "owner", "value": "sre1"}]}),
            "ERR-CONDUIT-CORE: Validation errors:\n  - User \"sre1\" is not a valid user.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "T1", "transactions": [{"type": "priority", "value": "bogus"}]}),
            "ERR-CONDUIT-CORE: Validation errors:\n  - Task priority \"bogus\" is not a valid task priority. Use a priority keyword to choose a task priority: unbreak, triage, high, normal, low, wish.",
        ),
        (
            "maniphest.edit",
            json!({"objectIdentifier": "27", "transactions": [{"type": "comment", "value": "x"}]}),
            "ERR-CONDUIT-CORE: [You Shall Not Pass: Restricted Maniphest Task] (Can View) You do not have permission to view this object. // admin (Admin) can take this action. The assignee of a task can always view and edit it.",
        ),
    ] {
        assert_eq!(refusal(&server, method, params.clone()), expected, "{method} {params}");
    }
    let seen = see(send(
        &server.running,
        &authority(&server.running),
        "user.whoami",
        "application/x-www-form-urlencoded",
        "api.token=",
    ));
    assert_eq!(seen.json()["error_code"], "ERR-INVALID-SESSION");
}

#[test]
fn typed_parameters_are_echoed_with_their_types() {
    let server = Server::new();
    let reply = call(&server.running, "phabgate", "maniphest.search", json!({"limit": 2, "order": "oldest"}));
    assert_eq!(reply["result"]["cursor"], json!({"limit": 2, "after": "2", "before": null, "order": "oldest"}));
}

#[test]
fn the_restricted_task_is_there_for_its_reader_alone() {
    let server = Server::new();
    let ask = |who: &str| {
        let params = json!({"constraints": {"ids": [27]}});
        call(&server.running, who, "maniphest.search", params)["result"]["data"].as_array().unwrap().len()
    };
    assert_eq!((ask("admin"), ask("phabgate"), ask("deployer1")), (1, 0, 0));
    let all = call(&server.running, "phabgate", "transaction.search", json!({"objectType": "TASK", "limit": 1000}));
    let rows = all["result"]["data"].as_array().unwrap();
    assert_eq!(rows.len(), 385 - 7, "what was done to the restricted task is not listed in bulk either");
}
