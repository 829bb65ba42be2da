//! The watch in tests: `phabgate serve` over a server whose tasks change while it runs, and what is asked of it.
//!
//! Responsible for starting and killing it, and for asking it over HTTP. Not responsible for what it should do.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use phabgate::notice::{Notice, NoticeKind, parse};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Machine, http};
use crate::site::Site;

/// How long something may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const ACCOUNTS: [&str; 9] =
    ["phabgate", "deployer1", "releng1", "releng2", "sre1", "sre2", "sec1", "outsider", "robot"];
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz012345";
pub(crate) const READER: &str = "token-of-a-reader";
pub(crate) const PIPELINE: &str = "token-of-a-pipeline";
pub(crate) const OTHER: &str = "token-of-another-pipeline";

/// A service that runs, and the sandbox that it watches.
pub(crate) struct Watching {
    pub(crate) site: Arc<Site>,
    pub(crate) machine: Machine,
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn sha256(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn private(path: &PathBuf, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

impl Watching {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// With more in the table `[serve]`.
    pub(crate) fn with(more: &str) -> Self {
        Self::of(|_| more.to_owned())
    }

    /// With what a site's tokens have to be known for.
    pub(crate) fn of(more: impl Fn(&Site) -> String) -> Self {
        Self::on(Site::sandbox(&ACCOUNTS), more)
    }

    /// The same over another server.
    pub(crate) fn on(site: Site, more: impl Fn(&Site) -> String) -> Self {
        let machine = Machine::new();
        let keys = machine.home().join("webhook-keys");
        private(&keys, &format!("another-key-of-before\n{KEY}\n"));
        let site = Arc::new(site);
        let more = more(&site);
        let config = format!(
            "[record]\nsettle = \"1s\"\n[http]\ntotal = \"6s\"\n[serve]\nwebhook_keys = {keys:?}\n{more}\n\
             [serve.tokens.reader]\nsha256 = \"{}\"\nscopes = [\"read\"]\n\
             [serve.tokens.pipeline]\nsha256 = \"{}\"\nscopes = [\"read\", \"deploy\"]\n\
             deployers = [\"deployer1\"]\npeople = [\"releng2\"]\n\
             [serve.tokens.other]\nsha256 = \"{}\"\nscopes = [\"deploy\"]\ndeployers = [\"deployer1\"]\n",
            sha256(READER),
            sha256(PIPELINE),
            sha256(OTHER),
        );
        std::fs::write(machine.home().join("config.toml"), config).unwrap();
        let log = Arc::default();
        let (child, url) = Self::start(&machine, &site, None, &log);
        Self { site, machine, child, url, log }
    }

    fn start(machine: &Machine, site: &Site, crash: Option<&str>, log: &Arc<Mutex<String>>) -> (Child, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_phabgate"))
            .env_clear()
            .env("HOME", machine.home())
            .env("PHABGATE_STATE", machine.home().join("state"))
            .env("PHABGATE_LOG_ROOT", machine.home().join("log"))
            .env("PHABGATE_URL", &site.url)
            .env("PHABGATE_TOKEN", site.token("phabgate"))
            .env("PHABGATE_CONFIG", machine.home().join("config.toml"))
            .envs(crash.map(|point| ("PHABGATE_CRASH_AT", point)))
            .args(["serve", "--listen", "127.0.0.1:0", "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !line.trim_end().ends_with('}') && out.read_line(&mut line).unwrap() > 0 {}
        let Ok(started) = serde_json::from_str::<Value>(&line) else {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("it did not start: {line}{why}");
        };
        // What it logs is read at once, so that it never waits for somebody to do so.
        let (lines, log) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(log));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| *log.lock().unwrap() += &(line + "\n")));
        (child, started["url"].as_str().unwrap().to_owned())
    }

    /// Ends it as an operator does.
    pub(crate) fn stops(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// Starts it anew after that.
    pub(crate) fn starts(&mut self) {
        (self.child, self.url) = Self::start(&self.machine, &self.site, None, &self.log);
    }

    /// Kills it, and starts it anew.
    pub(crate) fn killed_and_started(&mut self) {
        self.killed_and_started_to_crash(None);
    }

    /// The same; it dies where this point is passed.
    pub(crate) fn killed_and_started_to_crash(&mut self, crash: Option<&str>) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.url) = Self::start(&self.machine, &self.site, crash, &self.log);
    }

    /// Starts it anew with another configuration, once it has died.
    pub(crate) fn reconfigured(&mut self, change: impl FnOnce(&str) -> String) {
        let path = self.machine.home().join("config.toml");
        let config = change(&std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, config).unwrap();
        self.starts();
    }

    /// Whether it has logged this.
    pub(crate) fn has_logged(&self, words: &str) -> bool {
        self.logged(words) > 0
    }

    /// How often it has logged this.
    pub(crate) fn logged(&self, words: &str) -> usize {
        self.log.lock().unwrap().matches(words).count()
    }

    /// Waits until it has died by itself.
    pub(crate) fn dies(&mut self) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not die");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A command on the same machine, as the service's account.
    pub(crate) fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = self.machine.phabgate();
        command
            .env("PHABGATE_URL", &self.site.url)
            .env("PHABGATE_TOKEN", self.site.token("phabgate"))
            .env("PHABGATE_CONFIG", self.machine.home().join("config.toml"))
            .args(arguments);
        command
    }

    /// The PHID of the tag of emergencies.
    pub(crate) fn tag(&self) -> Value {
        let asked = json!({"constraints": {"slugs": ["emergency-deployment"]}});
        self.site.call("phabgate", "project.search", asked)["data"][0]["phid"].clone()
    }

    pub(crate) fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut request = http().request(method, format!("{}{path}", self.url)).body(body.to_vec());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Answer { status, headers, text: answer.text().await.unwrap() }
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], b"")
    }

    pub(crate) fn get_as(&self, token: &str, path: &str) -> Answer {
        self.ask(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], b"")
    }

    pub(crate) fn post(&self, token: &str, path: &str, key: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        self.ask(Method::POST, path, &headers, body.to_string().as_bytes())
    }

    /// A new emergency of `deployer1` with a reason that counts.
    pub(crate) fn emergency(&self, title: &str) -> String {
        let task = self.site.task("deployer1", title);
        self.site.edit("deployer1", &task, "description", "Emergency-Reason: availability - 5xx on every page");
        let edit = json!({"objectIdentifier": task, "transactions": [{"type": "projects.add", "value": [self.tag()]}]});
        self.site.call("deployer1", "maniphest.edit", edit);
        task
    }

    pub(crate) fn comment(&self, account: &str, task: &str, text: &str) {
        self.site.edit(account, task, "comment", text);
    }

    pub(crate) fn approve(&self, task: &str) {
        self.comment("releng1", task, "Emergency-Approve: releng");
        self.comment("sre1", task, "Emergency-Approve: sre");
    }

    pub(crate) fn verdict(&self, task: &str) -> Value {
        self.get_as(READER, &format!("v1/tasks/{task}/verdict")).json()["verdict"].clone()
    }

    /// The notices on a task, oldest first.
    pub(crate) fn notices(&self, task: &str) -> Vec<Notice> {
        let asked = json!({"objectIdentifier": task, "limit": 100});
        let found = self.site.call("phabgate", "transaction.search", asked);
        let rows = found["data"].as_array().unwrap().iter().rev();
        rows.filter_map(|row| row["comments"][0]["content"]["raw"].as_str()).filter_map(parse).collect()
    }

    pub(crate) fn kinds(&self, task: &str) -> Vec<NoticeKind> {
        self.notices(task).iter().map(|notice| notice.kind).collect()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    until_within(PATIENCE, what, holds);
}

/// Waits so long at most until something holds.
pub(crate) fn until_within(patience: Duration, what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < patience, "it does not come to {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
