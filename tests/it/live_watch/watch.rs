//! The watch that is measured: a process that can be killed, stopped and started again at the same address.
//!
//! Responsible for that, for what it serves, and for what a fresh `check` prints. Not responsible for when they have to be equal.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::server::Server;
use crate::live_server::free_port;

/// The name of the webhook on the server.
const HOOK: &str = "phabgate-live-watch";
/// How many fresh checks run at once: they are not to be what is measured.
const CHECKS: usize = 2;
/// How long somebody waits for what the watch serves.
const ANSWER: Duration = Duration::from_secs(6);

/// A watch over the server, until it is dropped.
pub(super) struct Watch<'s> {
    pub(super) server: &'s Server,
    /// Where it asks: the server, or a proxy before it.
    asks: String,
    port: u16,
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
    process: Mutex<Option<Child>>,
    checks: AtomicUsize,
}

/// What was read of a task. `None` where it is no open emergency.
pub(super) type Verdict = Option<Value>;

/// What the watch answered.
pub(super) enum Served {
    /// This, with what it is known by.
    Verdict(Verdict, Option<String>),
    /// The same as before.
    Same,
    /// Nothing, or that it does not know.
    Unknown,
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the reader's token of a person: each has a limit of its own.
fn reader(person: usize) -> String {
    format!("token-of-reader-{person}")
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.kill();
        self.server.no_webhook(HOOK, &self.hook());
    }
}

impl<'s> Watch<'s> {
    /// A watch that asks there, with a webhook of its own; so many people read what it serves.
    pub(super) fn start(server: &'s Server, asks: &str, readers: usize) -> Self {
        let home = server.live.state.path();
        let port = free_port();
        let watch = Self {
            server,
            asks: asks.to_owned(),
            port,
            config: home.join("watch.toml"),
            state: home.join("watch-state"),
            log: std::env::var_os("PHABGATE_LIVE_LOG").map_or_else(|| home.join("watch.log"), PathBuf::from),
            process: Mutex::new(None),
            checks: AtomicUsize::new(0),
        };
        let keys = home.join("webhook-keys");
        std::fs::write(&keys, server.webhook(HOOK, &watch.hook())).unwrap();
        std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o600)).unwrap();
        let tokens = (0..readers).map(|person| {
            format!("[serve.tokens.reader-{person}]\nsha256 = \"{}\"\nscopes = [\"read\"]\n", sha256(&reader(person)))
        });
        let tokens: String = tokens.collect();
        std::fs::write(&watch.config, format!("[serve]\nwebhook_keys = {keys:?}\n{tokens}")).unwrap();
        watch.run();
        watch
    }

    fn hook(&self) -> String {
        format!("http://127.0.0.1:{}/hooks/phorge", self.port)
    }

    fn gate(&self, url: &str, state: &Path) -> Command {
        let mut command = self.server.live.gate_at(url);
        command.env("PHABGATE_STATE", state).env("PHABGATE_CONFIG", &self.config);
        command
    }

    /// Starts the process; it answers when this returns.
    pub(super) fn run(&self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = self.gate(&self.asks, &self.state);
        command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !line.trim_end().ends_with('}') && out.read_line(&mut line).unwrap() > 0 {}
        let is_up = line.trim_end().ends_with('}');
        *self.process.lock().unwrap() = Some(child);
        assert!(is_up, "it does not start: {}", std::fs::read_to_string(&self.log).unwrap_or_default());
    }

    /// Kills the process.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        let process = self.process.lock().unwrap();
        let pid = rustix::process::Pid::from_child(process.as_ref().unwrap());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it as a service is ended, and waits for it.
    pub(super) fn end(&self) {
        self.signal(rustix::process::Signal::TERM);
        let child = self.process.lock().unwrap().take();
        child.unwrap().wait().unwrap();
    }

    /// Removes all that it keeps. It must not run.
    pub(super) fn lose_the_store(&self) {
        std::fs::remove_dir_all(&self.state).unwrap();
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Option<(u16, Option<String>, String)> {
        let live = &self.server.live;
        live.runtime.block_on(async {
            let mut request = live.client.get(format!("http://127.0.0.1:{}/{path}", self.port)).timeout(ANSWER);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.ok()?;
            let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            Some((answer.status().as_u16(), tag, answer.text().await.ok()?))
        })
    }

    /// What it serves of a task to a person who has seen what is known by this.
    pub(super) fn served(&self, person: usize, task: u64, seen: Option<&str>) -> Served {
        let bearer = format!("Bearer {}", reader(person));
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(seen.map(|tag| ("if-none-match", tag)));
        match self.get(&format!("v1/tasks/T{task}/verdict"), &headers) {
            Some((304, ..)) => Served::Same,
            Some((404, tag, _)) => Served::Verdict(None, tag),
            Some((200, tag, text)) => match self.compared(&text) {
                Some(page) => Served::Verdict(Some(page), tag),
                None => Served::Unknown,
            },
            Some((status, _, text)) => {
                assert!(status >= 500, "{status}: {text}");
                Served::Unknown
            }
            None => Served::Unknown,
        }
    }

    /// What has to be equal of a verdict: all but times that only pass and this machine's clock; `None` where nothing was decided.
    fn compared(&self, text: &str) -> Option<Value> {
        let mut page: Value = serde_json::from_str(&text.replace(&self.asks, &self.server.live.url)).ok()?;
        if page["verdict"] == "undecided" {
            return None;
        }
        for field in ["time", "evidence_at", "announcement"] {
            page.as_object_mut()?.remove(field);
        }
        page["rules"].as_array_mut()?.retain(|rule| rule["name"] != "clock");
        Some(page)
    }

    /// What it counts.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        let (_, _, page) = self.get("metrics", &[])?;
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("phabgate_serve_{name} ")))?;
        line.parse().ok()
    }

    /// Begins a fresh check of a task, where not too many run.
    pub(super) fn check(&self, person: usize, task: u64) -> Option<Check<'_>> {
        let one_more = |running: usize| (running < CHECKS).then_some(running + 1);
        self.checks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        let home = self.server.live.state.path();
        let path = home.join(format!("check-{person}.json"));
        let mut command = self.gate(&self.server.live.url, &home.join(format!("state-{person}")));
        command.args(["check", &format!("T{task}"), "--format", "json"]).stderr(Stdio::null());
        let child = command.stdout(File::create(&path).unwrap()).spawn().unwrap();
        Some(Check { watch: self, child, path })
    }
}

/// A check that runs.
pub(super) struct Check<'w> {
    watch: &'w Watch<'w>,
    child: Child,
    path: PathBuf,
}

impl Drop for Check<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.watch.checks.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Check<'_> {
    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it printed; `None` where nothing was decided. What is no open emergency is none here either.
    pub(super) fn verdict(self) -> Option<Verdict> {
        let page = self.watch.compared(&std::fs::read_to_string(&self.path).unwrap())?;
        let is_open = ["task-visible", "task-open", "tag"].iter().all(|name| {
            let mut rules = page["rules"].as_array().into_iter().flatten();
            rules.all(|rule| rule["name"] != *name || rule["outcome"] != "fail")
        });
        Some(is_open.then_some(page))
    }
}
