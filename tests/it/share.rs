//! `run --share`: the deploy is carried out with those who look at the watch, and is what it is without them.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use phabgate::record::comment::render;
use phabgate::record::share::ShareSecret;
use phabgate::record::{Event, Outcome, Record};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::http;
use crate::meanwhile::say;
use crate::server::{Server, in_one_line};
use crate::watch_client::{Waiting, Watch, plain};

/// How long something may take that happens by itself within seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it did: less than what is answered a minute.
const PAUSE: Duration = Duration::from_millis(1_200);
const TOKEN: &str = "the-token-of-a-deploy-host";

/// A sandbox, the watch over it, and files by which a command and its test wait for each other.
struct Stage {
    server: Server,
    watch: Watch,
}

impl Stage {
    fn new() -> Self {
        let server = Server::new();
        // What waits is shown to whom the texts of the task are.
        server
            .running
            .change(|world, _| {
                world
                    .tasks
                    .iter_mut()
                    .filter(|task| [1, 6].contains(&task.id))
                    .for_each(|task| task.view = "public".into());
            })
            .unwrap();
        let digest: String = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect();
        let config =
            format!("[serve]\nnotices = []\n[serve.tokens.host]\nsha256 = \"{digest}\"\nscopes = [\"read\"]\n");
        let watch = Watch::with(&server, &config);
        let stage = Self { server, watch };
        stage.until("T1", |page| page.contains("id=\"head\""));
        stage.until("T6", |page| page.contains("id=\"head\""));
        stage
    }

    fn file(&self, name: &str) -> PathBuf {
        self.server.machine.home().join(name)
    }

    /// A shared run by the recorder.
    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = plain(&self.server, &["run"]);
        command.args(arguments).env("PHABGATE_SERVER_TOKEN", TOKEN);
        command
    }

    fn ask(&self, method: Method, path: &str, token: Option<&str>, body: &Value) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut request = http().request(method, format!("{}{path}", self.watch.url)).body(body.to_string());
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    fn page(&self, task: &str) -> String {
        self.ask(Method::GET, &format!("{task}?fragment"), None, &Value::Null).1
    }

    /// Waits until the page of a task is so.
    fn until(&self, task: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let page = self.page(task);
            if holds(&page) {
                return page;
            }
            assert!(begun.elapsed() < PATIENCE, "{page}");
            std::thread::sleep(PAUSE);
        }
    }
}

/// A script that says that it runs, waits until it may go on, and ends so.
fn script(end: &str) -> String {
    format!("touch running; while ! [ -e go ]; do sleep 0.05; done; {end}")
}

fn wait_for(file: &std::path::Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < PATIENCE, "{} never came", file.display());
        std::thread::yield_now();
    }
}

#[test]
fn how_it_goes_on_is_on_the_page_as_the_deployers_word_until_it_ended() {
    let stage = Stage::new();
    let script = script("exit 3");
    let arguments =
        ["T1", "--deployer", "deployer1", "--share", "--server", &stage.watch.url, "--", "sh", "-c", &script];
    let run = Waiting::new(stage.run(&arguments));
    let page = stage.until("T1", |page| page.contains("the command runs"));
    assert!(page.contains("Deploy under way") && page.contains("The deployer says: "), "{page}");
    assert!(!page.contains("Last heard"), "{page}");
    std::fs::write(stage.file("go"), "").unwrap();
    let (code, said) = run.end();
    assert_eq!(code, 3, "{said}");
    assert!(!said.contains("the watch") && !said.contains("read the task"), "{said}");
    let page = stage.until("T1", |page| page.contains("Failed"));
    assert!(!page.contains("The deployer says"), "{page}");
    // Whoever reports is who wrote `started`, and nothing else of the secret is anywhere.
    let records = stage.server.records(1);
    let [started, finished] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((started.event, finished.event, &finished.share), (Event::Started, Event::Finished, &None));
    assert_eq!(started.share.as_ref().map(String::len), Some(64));
    // Without --share the record is as it was.
    let (code, _, error) = stage.server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{error}");
    assert!(stage.server.records(1).iter().skip(2).all(|record| record.share.is_none()));
}

/// A record of a deploy with this commitment.
fn started(stage: &Stage, deploy: &str, share: Option<String>) -> Record {
    let (code, out, error) = stage.server.run(&["run", "T1", "--deployer", "deployer1", "--dry-run", "--", "true"]);
    assert_eq!(code, 0, "{error}");
    let shown = phabgate::record::parse::parse(out.split_inclusive("```\n").next().unwrap());
    let phabgate::record::parse::Parsed::Record(record) = shown else { panic!("{out}") };
    Record { deploy: deploy.parse().unwrap(), share, ..*record }
}

#[test]
fn nobody_says_how_it_goes_on_but_who_announced_it() {
    let stage = Stage::new();
    let (secret, other) = (ShareSecret::fresh().unwrap(), ShareSecret::fresh().unwrap());
    let deploy = "01890a5d-ac96-774b-bcce-b302099a8057";
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8058";
    let digits = |secret: &ShareSecret| secret.digits().expose_secret().to_owned();
    let body = |task: &str, secret: &ShareSecret| json!({"task": task, "secret": digits(secret), "phase": "running"});
    let post =
        |deploy: &str, token, body: &Value| stage.ask(Method::POST, &format!("v1/deploys/{deploy}/phase"), token, body);
    let right = body("T1", &secret);
    // Its `started` is not on the task.
    let none = post(deploy, Some(TOKEN), &right);
    assert_eq!(none.0, 404, "{none:?}");
    let record = started(&stage, deploy, Some(secret.commitment().to_string()));
    // Somebody says that it started who could not have started it.
    say(&stage.server.running, "outsider", "T1", &render(&record).unwrap());
    stage.until("T1", |page| page.contains("could not have started it"));
    assert_eq!(post(deploy, Some(TOKEN), &right), none);
    say(&stage.server.running, "phabgate", "T1", &render(&record).unwrap());
    stage.until("T1", |page| page.contains("class=\"clock\""));
    for (case, deploy, body) in [
        ("a wrong secret", deploy, body("T1", &other)),
        ("another deploy", unknown, right.clone()),
        ("another task", deploy, body("T6", &secret)),
        ("no emergency", deploy, body("T2", &secret)),
        ("no task", deploy, body("T9999", &secret)),
        ("the commitment", deploy, json!({"task": "T1", "secret": record.share, "phase": "running"})),
    ] {
        assert_eq!(post(deploy, Some(TOKEN), &body), none, "{case}");
    }
    // On this machine too.
    for token in [None, Some("another-token")] {
        assert_eq!(post(deploy, token, &right).0, 401, "{token:?}");
    }
    for (wrong, value) in [
        ("phase", json!("<b>running</b>")),
        ("phase", json!("ended")),
        ("exit", json!(0)),
        ("secret", json!("short")),
        ("more", json!("text")),
        ("task", json!("no task")),
    ] {
        let mut body = right.clone();
        body[wrong] = value;
        assert_eq!(post(deploy, Some(TOKEN), &body).0, 400, "{body}");
    }
    for odd in [json!({"exit": 256}), json!({"exit": -1}), json!({"signal": 0}), json!({"exit": 1, "signal": 9})] {
        let mut body = right.clone();
        body["phase"] = json!("ended");
        body.as_object_mut().unwrap().extend(odd.as_object().unwrap().clone());
        assert_eq!(post(deploy, Some(TOKEN), &body).0, 400, "{body}");
    }
    assert!(!stage.page("T1").contains("The deployer says"));
    assert_eq!(post(deploy, Some(TOKEN), &right).0, 204);
    assert!(stage.page("T1").contains("the command runs"));
    let mut ended = right.clone();
    (ended["phase"], ended["exit"]) = (json!("ended"), json!(7));
    assert_eq!(post(deploy, Some(TOKEN), &ended).0, 204);
    assert!(stage.page("T1").contains("the command ended with status 7"));
    // It ended on the task.
    let finished = Record { event: Event::Finished, outcome: Some(Outcome::Succeeded), ..record };
    say(&stage.server.running, "phabgate", "T1", &render(&finished).unwrap());
    stage.until("T1", |page| page.contains("Succeeded"));
    assert_eq!(post(deploy, Some(TOKEN), &right), none);
    assert!(!stage.page("T1").contains("The deployer says"));
}

#[test]
fn a_watch_that_is_away_or_silent_holds_nothing_up_and_is_named_once() {
    let server = Server::new();
    let config = "[record]\nsettle = \"1s\"\n[http]\nconnect = \"20s\"\ncall = \"20s\"\ntotal = \"30s\"\n";
    std::fs::write(server.machine.home().join("config.toml"), config).unwrap();
    // One that takes what is said and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let alone = |arguments: &[&str]| {
        let begun = Instant::now();
        let mut command = plain(&server, &["run", "T1", "--deployer", "deployer1"]);
        command.args(arguments).env("PHABGATE_SERVER_TOKEN", TOKEN);
        let output = command.output().unwrap();
        (output.status.code(), in_one_line(&String::from_utf8(output.stderr).unwrap()), begun.elapsed())
    };
    let (code, _, without) = alone(&["--", "true"]);
    assert_eq!(code, Some(0));
    for (url, why) in [("http://127.0.0.1:1/".to_owned(), "does not answer"), (format!("http://127.0.0.1:{port}/"), "")]
    {
        let (code, said, with) = alone(&["--share", "--server", &url, "--", "true"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("deployed and recorded"), "{said}");
        assert!(with < without + Duration::from_secs(3), "{with:?}, and {without:?} without a watch");
        let named = said.matches("the watch at").count();
        assert_eq!(named, usize::from(!why.is_empty()), "{said}");
        assert!(said.contains(why), "{said}");
    }
    // While a command runs for longer, it is named once all the same.
    let (_, said, _) = alone(&["--share", "--server", &format!("http://127.0.0.1:{port}/"), "--", "sleep", "8"]);
    assert_eq!(said.matches("the watch at").count(), 1, "{said}");
    assert!(said.contains("does not answer") && said.contains("deployed and recorded"), "{said}");
}

#[test]
fn a_no_is_said_while_the_command_runs_and_not_once_more_after_it() {
    for (account, text, expected) in [
        ("sre2", "Emergency-Reject: sre - the databases", "rejected by sre2"),
        ("sre1", "Emergency-Withdraw: sre", "the approval of sre1 for sre does not count any more"),
        ("sre2", "STOP! you take the databases down", "sre2 said 'STOP! you take the databases down'"),
    ] {
        let stage = Stage::new();
        let script = script("exit 0");
        let arguments =
            ["T1", "--deployer", "deployer1", "--share", "--server", &stage.watch.url, "--", "sh", "-c", &script];
        let mut run = Waiting::new(stage.run(&arguments));
        wait_for(&stage.file("running"));
        say(&stage.server.running, account, "T1", text);
        run.until("read the task: T1:");
        std::fs::write(stage.file("go"), "").unwrap();
        let (code, said) = run.end();
        assert_eq!(code, 0, "it changes no status: {said}");
        assert_eq!(said.matches(expected).count(), 1, "{said}");
        assert!(said.contains(&format!("read the task: T1: {expected}")), "{said}");
        assert!(said.contains("the command has run all the same; talk to them"), "{said}");
        assert!(!said.contains('\u{7}'), "there is no terminal to ring: {said:?}");
    }
}

#[test]
fn the_terminal_rings_once_for_each_no_and_for_nothing_else() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let stage = Stage::new();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = std::fs::File::options().read(true).write(true).open(name).unwrap();
    let script = script("exit 0");
    let arguments =
        ["T1", "--deployer", "deployer1", "--share", "--server", &stage.watch.url, "--", "sh", "-c", &script];
    let mut command = stage.run(&arguments);
    command.stdout(Stdio::null()).stderr(Stdio::from(theirs.try_clone().unwrap()));
    let mut child = command.process_group(0).spawn().unwrap();
    drop((theirs, command));
    let (sent, parts) = std::sync::mpsc::channel();
    let mut terminal = std::fs::File::from(ours);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            if sent.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).is_err() {
                return;
            }
        }
    });
    let mut shown = String::new();
    let mut until = |words: &str| {
        while !in_one_line(&shown).contains(words) {
            let part = parts.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{words:?} never came: {shown}"));
            shown.push_str(&part);
        }
        shown.matches('\u{7}').count()
    };
    wait_for(&stage.file("running"));
    say(&stage.server.running, "releng2", "T1", "Looking at the graphs.");
    assert_eq!(until("releng2 said 'Looking at the graphs.'"), 0);
    say(&stage.server.running, "sre2", "T1", "Emergency-Reject: sre - the databases");
    until("rejected by sre2");
    say(&stage.server.running, "releng2", "T1", "Emergency-Reject: releng - and the caches");
    until("the caches");
    std::fs::write(stage.file("go"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    shown.extend(parts.iter());
    assert_eq!(shown.matches('\u{7}').count(), 2, "{shown:?}");
}

#[test]
fn what_waits_is_on_the_page_and_gone_once_it_does_not_wait() {
    let stage = Stage::new();
    let hostile = "<script>window.pwned=1</script>\u{202e}\u{1b}[31m";
    let base = ["T6", "--deployer", "deployer1", "--share", "--wait=10m", "--server", &stage.watch.url];
    let arguments = [&base[..], &["--change", "I42", "--", "echo", hostile, "--password", "hunter2"]].concat();
    let mut run = Waiting::new(stage.run(&arguments));
    run.until("waiting up to 10 min for");
    let page = stage.until("T6", |page| page.contains("says that a run waits"));
    for shown in
        ["Who holds the token <b>host</b>", "by <b>deployer1</b>", "I42", "Nothing on the task proves it", "pwned=1"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for hidden in ["<script", "\u{202e}", "\u{1b}", "hunter2", "not known before"] {
        assert!(!page.contains(hidden), "{hidden:?}: {page}");
    }
    // A reader without an account is shown it of a public task alone, and no program is.
    assert!(!stage.ask(Method::GET, "v1/tasks/T6/verdict", Some(TOKEN), &Value::Null).1.contains("pwned"));
    // Whoever interrupts it takes it back.
    rustix::process::kill_process(rustix::process::Pid::from_child(&run.child), rustix::process::Signal::INT).unwrap();
    let (code, said) = run.end();
    assert_eq!(code, 125, "{said}");
    let page = stage.page("T6");
    assert!(page.contains("not known before the deploy starts") && !page.contains("a run waits"), "{page}");

    // It is allowed, and runs.
    let script = script("exit 0");
    let arguments = [&base[..], &["--", "sh", "-c", &script]].concat();
    let mut run = Waiting::new(stage.run(&arguments));
    run.until("waiting up to 10 min for");
    stage.until("T6", |page| page.contains("says that a run waits"));
    let begun = Instant::now();
    say(&stage.server.running, "sre1", "T6", "Emergency-Approve: sre");
    wait_for(&stage.file("running"));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let page = stage.until("T6", |page| page.contains("the command runs"));
    assert!(!page.contains("a run waits"), "{page}");
    std::fs::write(stage.file("go"), "").unwrap();
    let (code, said) = run.end();
    assert_eq!((code, said.contains("without it")), (0, false), "{said}");
}

#[test]
fn what_is_said_to_wait_needs_a_token_and_an_open_emergency_and_is_bounded() {
    let stage = Stage::new();
    let run = |number: usize| {
        let deploy = format!("01890a5d-ac96-774b-bcce-b302099a80{number:02}");
        json!({"deploy": deploy, "deployer": "dana", "command": "scap"})
    };
    let post =
        |task: &str, token, body: &Value| stage.ask(Method::POST, &format!("v1/tasks/{task}/waiting"), token, body);
    for token in [None, Some("another")] {
        assert_eq!(post("T6", token, &run(0)).0, 401);
    }
    // Closed, without the tag, missing.
    let none = ["T22", "T2", "T9999"].map(|task| post(task, Some(TOKEN), &run(0)));
    assert!(none.iter().all(|answer| answer.0 == 404 && *answer == none[0]), "{none:?}");
    for (key, value) in [
        ("command", json!("x".repeat(5_000))),
        ("command", json!(" ")),
        ("deployer", json!("x".repeat(2_000))),
        ("change", json!("x".repeat(2_000))),
        ("action", json!("<b>fix</b>")),
        ("deploy", json!("no id")),
        ("more", json!("text")),
    ] {
        let mut body = run(0);
        body[key] = value;
        assert_eq!(post("T6", Some(TOKEN), &body).0, 400, "{body}");
    }
    assert!(stage.page("T6").contains("not known before the deploy starts"));
    let statuses: Vec<u16> = (0..6).map(|number| post("T6", Some(TOKEN), &run(number)).0).collect();
    assert_eq!(statuses, [204, 204, 204, 204, 409, 409]);
    assert_eq!(stage.page("T6").matches("says that a run waits").count(), 4);
    let over = |number: usize| format!("v1/tasks/T6/waiting/01890a5d-ac96-774b-bcce-b302099a80{number:02}");
    assert_eq!(stage.ask(Method::DELETE, &over(0), None, &Value::Null).0, 401);
    for number in [0, 0, 1, 2, 3, 7] {
        assert_eq!(stage.ask(Method::DELETE, &over(number), Some(TOKEN), &Value::Null).0, 204);
    }
    assert!(stage.page("T6").contains("not known before the deploy starts"));
}

#[test]
fn a_page_that_is_open_hears_of_what_is_said_at_once() {
    let stage = Stage::new();
    let deploy = "01890a5d-ac96-774b-bcce-b302099a8057";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut stream = runtime.block_on(http().get(format!("{}T6/events", stage.watch.url)).send()).unwrap();
    // One event for the page as it is, and one for each change.
    let mut next = || {
        loop {
            let part = runtime.block_on(async { tokio::time::timeout(PATIENCE, stream.chunk()).await });
            let part = String::from_utf8(part.expect("no event came").unwrap().unwrap().to_vec()).unwrap();
            if part.contains("event:") {
                return part;
            }
        }
    };
    let first = next();
    assert!(first.contains("event: changed"), "{first}");
    let body = json!({"deploy": deploy, "deployer": "dana", "command": "scap"});
    assert_eq!(stage.ask(Method::POST, "v1/tasks/T6/waiting", Some(TOKEN), &body).0, 204);
    let second = next();
    assert!(second.contains("event: changed") && second != first, "{second}");
    assert_eq!(stage.ask(Method::DELETE, &format!("v1/tasks/T6/waiting/{deploy}"), Some(TOKEN), &Value::Null).0, 204);
    let third = next();
    assert!(third.contains("event: changed") && third != second, "{third}");
}

#[test]
fn sharing_needs_a_watch_and_its_token_before_anything_happens() {
    let server = Server::new();
    let run = |more: &[&str], token: Option<&str>| {
        let mut command =
            plain(&server, &["run", "T1", "--deployer", "deployer1", "--share", "--result", "result.json"]);
        command.args(more).args(["--", "touch", "ran"]).envs(token.map(|token| ("PHABGATE_SERVER_TOKEN", token)));
        let output = command.output().unwrap();
        (output.status.code(), in_one_line(&String::from_utf8(output.stderr).unwrap()))
    };
    let url = "http://127.0.0.1:1/";
    for (more, token, why) in [
        (&[][..], Some(TOKEN), "--share needs a watch, and none is configured"),
        (&["--server", url], None, "--share needs a token of the watch"),
        (&["--server", "http://watch.example/"], Some(TOKEN), "would send the token in clear"),
    ] {
        let (code, said) = run(more, token);
        assert_eq!(code, Some(125), "{said}");
        assert!(said.contains(why), "{said}");
        let result: Value =
            serde_json::from_slice(&std::fs::read(server.machine.home().join("result.json")).unwrap()).unwrap();
        assert_eq!(result["child_started"], false, "{result}");
    }
    assert!(server.running.served().is_empty() && !server.machine.home().join("ran").exists());
    assert!(!server.machine.home().join("state/journal.sqlite3").exists());
}

#[test]
fn a_wait_without_sharing_asks_the_watch_and_does_without_a_token_that_cannot_be_used() {
    let stage = Stage::new();
    let config = stage.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[watch]\nurl = \"{}\"\n", stage.watch.url)).unwrap();
    let arguments = ["T6", "--deployer", "deployer1", "--wait=10m", "--", "true"];
    let mut run = Waiting::new(stage.run(&arguments));
    run.until("waiting up to 10 min for");
    let waits = stage.page("T6");
    assert!(!waits.contains("a run waits"), "it is not shared: {waits}");
    say(&stage.server.running, "sre1", "T6", "Emergency-Approve: sre");
    let (code, said) = run.end();
    assert_eq!((code, said.contains("without it")), (0, false), "{said}");
    assert!(stage.server.records(6).iter().all(|record| record.share.is_none()));
    // What helps to wait stops no deploy.
    let token = stage.file("token");
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut command = stage.run(&["T1", "--deployer", "deployer1", "--wait=1m", "--", "true"]);
    command.env_remove("PHABGATE_SERVER_TOKEN").env("PHABGATE_SERVER_TOKEN_FILE", &token);
    let (code, said) = Waiting::new(command).end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("waiting without the watch: cannot use the watch's token"), "{said}");
}
