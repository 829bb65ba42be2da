//! What the watch costs with very many open emergencies: `cargo bench --bench watch -- 1000` opens so many on a sandbox in a process of
//! its own, starts the release build of `phabgate serve`, and measures memory, how soon a change is served, and what waits at once.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "clippy's exception for tests does not know benchmarks")]
#![allow(missing_docs, reason = "a program")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use phabgate::sandbox::{Options, serve};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// Each may ask 600 times a minute.
const TOKENS: usize = 16;
const ACTIVE: usize = 50;
const LONG_POLLS: usize = 1_000;
const STREAMS: usize = 200;
const HOOKS: usize = 500;
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that ends with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Its line of `/proc/PID/status`, in kB.
    fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let found = status.lines().find(|row| row.starts_with(line)).unwrap();
        found.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

/// Serves the sandbox in this process, until it is killed.
fn sandbox() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = serve(Options::default()).await.unwrap();
        let token = |name| running.token_of(name).unwrap().unwrap();
        let names = ["phabgate", "deployer1", "sre1", "releng1"];
        let tokens: Value = names.iter().map(|name| ((*name).to_owned(), json!(token(name)))).collect();
        println!("{}", json!({"url": running.url, "tokens": tokens}));
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}

struct Site {
    http: reqwest::Client,
    url: String,
    tokens: Value,
}

impl Site {
    async fn call(&self, account: &str, method: &str, mut params: Value) -> Value {
        params["__conduit__"] = json!({"token": self.tokens[account]});
        let form = [("params", params.to_string()), ("output", "json".to_owned())];
        let reply = self.http.post(format!("{}api/{method}", self.url)).form(&form).send().await.unwrap();
        let reply: Value = reply.json().await.unwrap();
        assert_eq!(reply["error_code"], Value::Null, "{method}: {reply}");
        reply["result"].clone()
    }

    async fn edit(&self, account: &str, task: Option<&str>, changes: &[(&str, Value)]) -> String {
        let transactions: Vec<Value> =
            changes.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let mut asked = json!({"transactions": transactions});
        if let Some(task) = task {
            asked["objectIdentifier"] = json!(task);
        }
        format!("T{}", self.call(account, "maniphest.edit", asked).await["object"]["id"])
    }
}

fn first_line(process: &mut Process) -> Value {
    let mut out = BufReader::new(process.0.stdout.take().unwrap());
    let mut text = String::new();
    loop {
        assert!(out.read_line(&mut text).unwrap() > 0, "it ended: {text}");
        if let Ok(value) = serde_json::from_str(&text) {
            return value;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if words.first().is_some_and(|word| word == "sandbox") {
        return sandbox();
    }
    let many: usize = words.first().map_or(1_000, |word| word.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(measure(many));
}

async fn measure(many: usize) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let here = std::env::current_exe().unwrap();
    let mut sandbox = Process(Command::new(here).arg("sandbox").stdout(Stdio::piped()).spawn().unwrap());
    let served = first_line(&mut sandbox);
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(64).build().unwrap();
    let site =
        Site { http: http.clone(), url: served["url"].as_str().unwrap().into(), tokens: served["tokens"].clone() };
    let asked = json!({"constraints": {"slugs": ["emergency-deployment"]}});
    let tag = site.call("phabgate", "project.search", asked).await["data"][0]["phid"].clone();
    let mut tasks = Vec::new();
    for number in 0..many {
        let reason = json!("Emergency-Reason: availability - pages fail");
        let title = json!(format!("Emergency {number}"));
        let changes =
            [("title", title), ("view", json!("public")), ("description", reason), ("projects.add", json!([tag]))];
        tasks.push(site.edit("deployer1", None, &changes).await);
    }
    println!("{many} open emergencies");

    let home = tempfile::tempdir().unwrap();
    let keys = home.path().join("keys");
    std::fs::write(&keys, KEY).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut config = format!("[serve]\nwebhook_keys = {keys:?}\n");
    for number in 0..TOKENS {
        let digest = hex(&Sha256::digest(format!("token-{number}")));
        config.push_str(&format!("[serve.tokens.t{number}]\nsha256 = \"{digest}\"\nscopes = [\"read\"]\n"));
    }
    std::fs::write(home.path().join("config.toml"), config).unwrap();
    let mut service = Process(
        Command::new(env!("CARGO_BIN_EXE_phabgate"))
            .env_clear()
            .env("HOME", home.path())
            .env("PHABGATE_STATE", home.path().join("state"))
            .env("PHABGATE_CONFIG", home.path().join("config.toml"))
            .env("PHABGATE_URL", &site.url)
            .env("PHABGATE_TOKEN", site.tokens["phabgate"].as_str().unwrap())
            .args(["serve", "--listen", "127.0.0.1:0", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let started = Instant::now();
    let url = first_line(&mut service)["url"].as_str().unwrap().to_owned();
    let get =
        |path: String, token: usize| http.get(format!("{url}{path}")).bearer_auth(format!("token-{}", token % TOKENS));
    let metric = async |name: &str| {
        let text = get("metrics".into(), 0).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).unwrap_or_default()
    };
    loop {
        let list: Value = get("v1/emergencies".into(), 1).send().await.unwrap().json().await.unwrap();
        let all = tasks.iter().all(|task| list["tasks"].as_array().unwrap().iter().any(|row| row["task"] == **task));
        if all && metric("phabgate_serve_queue_depth").await == 0.0 {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "they are not all known");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    println!("all known after {:.1} s, {:.1} s of cpu", started.elapsed().as_secs_f64(), service.cpu());
    println!("memory: {} MiB now, {} MiB at most", service.memory("VmRSS") / 1024, service.memory("VmHWM") / 1024);

    // Long-polls and streams that wait, all at once, while some tasks change.
    let mut waiting = tokio::task::JoinSet::new();
    for (number, task) in tasks.iter().enumerate().take(LONG_POLLS) {
        let tag = get(format!("v1/tasks/{task}/verdict"), number).send().await.unwrap().headers()["etag"].clone();
        let asked = get(format!("v1/tasks/{task}/verdict?wait=60s"), number).header("if-none-match", tag);
        waiting.spawn(async move { asked.send().await.unwrap().status().as_u16() });
        if number % 140 == 139 {
            // Within the limit of each token.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let streams: Vec<TcpStream> = (0..STREAMS)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let token = number % TOKENS;
            write!(stream, "GET /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer token-{token}\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    let (mut slowest, before) = (Duration::ZERO, service.cpu());
    let site = Arc::new(site);
    let begun = Instant::now();
    for number in 0..ACTIVE {
        let task = &tasks[number % many];
        site.edit("sre1", Some(task), &[("comment", json!("Emergency-Approve: sre"))]).await;
        let written = Instant::now();
        loop {
            let page: Value =
                get(format!("v1/tasks/{task}/verdict"), number).send().await.unwrap().json().await.unwrap();
            if page["teams"].as_array().unwrap().iter().any(|team| team["by"] == json!(["sre1"])) {
                break;
            }
            assert!(written.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slowest = slowest.max(written.elapsed());
    }
    println!(
        "{ACTIVE} changes, one after the other, while {} long-polls and {STREAMS} streams wait: served within {:.1} s at most, {:.0} % of a core",
        waiting.len(),
        slowest.as_secs_f64(),
        (service.cpu() - before) / begun.elapsed().as_secs_f64() * 100.0
    );
    println!("memory: {} MiB now, {} MiB at most", service.memory("VmRSS") / 1024, service.memory("VmHWM") / 1024);
    drop(streams);

    // Calls of the webhook, a third each with a good signature, an old one that comes again, and a bad one.
    let body = json!({"object": {"type": "TASK", "phid": "PHID-TASK-00000000000000000000"}}).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let good = hex(&mac.finalize().into_bytes());
    let begun = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..HOOKS {
        let signature = if number % 3 == 2 { "00".repeat(32) } else { good.clone() };
        let call = http.post(format!("{url}hooks/phorge")).header("x-phabricator-webhook-signature", signature);
        let call = call.body(body.clone());
        calls.spawn(async move {
            let sent = Instant::now();
            let status = call.send().await.unwrap().status().as_u16();
            (status, sent.elapsed())
        });
    }
    let mut answers: Vec<(u16, Duration)> = Vec::new();
    while let Some(answer) = calls.join_next().await {
        answers.push(answer.unwrap());
    }
    let took = begun.elapsed();
    let count = |status: u16| answers.iter().filter(|(other, _)| *other == status).count();
    let mut good: Vec<Duration> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, took)| *took).collect();
    good.sort();
    println!(
        "{HOOKS} calls of the webhook in {:.2} s: {} good (median {} ms, slowest {} ms), {} not signed, {} too many of those",
        took.as_secs_f64(),
        count(200),
        good[good.len() / 2].as_millis(),
        good.last().unwrap().as_millis(),
        count(403),
        count(429)
    );
    assert_eq!(count(200) + count(403) + count(429), HOOKS);
    println!("memory: {} MiB now, {} MiB at most", service.memory("VmRSS") / 1024, service.memory("VmHWM") / 1024);
}
