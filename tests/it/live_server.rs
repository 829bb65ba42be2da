//! A real Phorge, for the tests that need one.
//!
//! Responsible for finding it, for asking and editing it as one of its accounts, and for a proxy that breaks calls of the gate. Not
//! responsible for what is tried there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What the server's database rolled back: it is sent again, as parallel edits of one task need now and then.
const ROLLED_BACK: [&str; 3] = ["#1213", "#1205", "#1305"];

/// How long a call may take.
const CALL: Duration = Duration::from_secs(90);

/// The real server.
pub(crate) struct Live {
    pub(crate) url: String,
    /// Its state directory.
    pub(crate) directory: PathBuf,
    tokens: Value,
    pub(crate) state: tempfile::TempDir,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) client: reqwest::Client,
}

#[expect(
    clippy::print_stderr,
    reason = "a test that is passed over says so, and one that measures prints what it found"
)]
pub(crate) fn say(words: &str) {
    eprintln!("{words}");
}

pub(crate) fn pass_over(test: &str, why: &str) {
    say(&format!("{test}: passed over, {why}"));
}

/// The server, or a word that there is none.
pub(crate) fn live(test: &str) -> Option<Live> {
    let Some(directory) = std::env::var_os("PHABGATE_LIVE").map(PathBuf::from) else {
        pass_over(test, "PHABGATE_LIVE names no Phorge");
        return None;
    };
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let env = read("env");
    let url = env.lines().find_map(|line| line.split_once("PHORGE_URL=")).unwrap().1.to_owned();
    Some(Live {
        url,
        tokens: serde_json::from_str(&read("tokens.json")).unwrap(),
        directory,
        state: tempfile::tempdir().unwrap(),
        runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        client: crate::harness::http(),
    })
}

impl Live {
    /// What it was filled with: {scenario: {task, expect, deployer}}.
    pub(crate) fn seeded(&self) -> BTreeMap<String, Value> {
        serde_json::from_str(&std::fs::read_to_string(self.directory.join("seeded.json")).unwrap()).unwrap()
    }

    pub(crate) fn token(&self, account: &str) -> String {
        self.tokens[account]["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn phid(&self, account: &str) -> String {
        self.tokens[account]["phid"].as_str().unwrap().to_owned()
    }

    /// The gate, asking `url` with the token of the recorder.
    pub(crate) fn gate_at(&self, url: &str) -> Command {
        let built = || env!("CARGO_BIN_EXE_phabgate").into();
        let mut command = Command::new(std::env::var_os("PHABGATE_LIVE_GATE").unwrap_or_else(built));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.state.path()).env("PHABGATE_STATE", self.state.path().join("state"));
        command.env("PHABGATE_URL", url).env("PHABGATE_TOKEN", self.token("phabgate")).env("COLUMNS", "80");
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn gate(&self, args: &[&str]) -> Output {
        self.gate_at(&self.url).args(args).output().unwrap()
    }

    /// A call of Conduit as this account, or what came in place of a reply. What the database rolled back is sent again.
    pub(crate) fn try_call(&self, account: &str, method: &str, mut params: Value) -> Result<Value, String> {
        params["__conduit__"] = json!({"token": self.token(account)});
        let form = [("params", params.to_string()), ("output", "json".to_owned())];
        let url = format!("{}api/{method}", self.url);
        for _ in 0..6 {
            let reply: Value = self
                .runtime
                .block_on(async { self.client.post(&url).form(&form).timeout(CALL).send().await?.json().await })
                .map_err(|error| format!("{method}: {error}"))?;
            let info = reply["error_info"].as_str().unwrap_or_default();
            if ROLLED_BACK.iter().any(|number| info.contains(number)) {
                continue;
            }
            return match &reply["error_code"] {
                Value::Null => Ok(reply["result"].clone()),
                code => Err(format!("{method}: {code}: {info}")),
            };
        }
        Err(format!("{method}: the database goes on refusing"))
    }

    /// The same, where the server answers.
    pub(crate) fn call(&self, account: &str, method: &str, params: Value) -> Value {
        self.try_call(account, method, params).unwrap()
    }

    /// The same, tried again while the server does not answer.
    pub(crate) fn call_at_last(&self, account: &str, method: &str, params: &Value) -> Value {
        let begun = Instant::now();
        loop {
            match self.try_call(account, method, params.clone()) {
                Ok(result) => return result,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(90), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub(crate) fn edit(&self, account: &str, task: Option<u64>, transactions: &Value) -> u64 {
        let mut params = json!({"transactions": transactions});
        if let Some(task) = task {
            params["objectIdentifier"] = json!(format!("T{task}"));
        }
        self.call_at_last(account, "maniphest.edit", &params)["object"]["id"].as_u64().unwrap()
    }

    /// The PHID of the project with this hashtag.
    pub(crate) fn project(&self, slug: &str) -> String {
        let asked = json!({"constraints": {"slugs": [slug]}});
        let found = self.call("admin", "project.search", asked);
        found["data"][0]["phid"].as_str().unwrap_or_else(|| panic!("there is no project #{slug}")).to_owned()
    }

    /// A new emergency that nobody has approved.
    pub(crate) fn emergency(&self, deployer: &str, title: &str, reason: &str) -> u64 {
        self.edit(
            deployer,
            None,
            &json!([
                {"type": "title", "value": title},
                {"type": "description", "value": format!("Emergency-Reason: {reason}")},
                {"type": "projects.add", "value": [self.project("emergency-deployment")]},
            ]),
        )
    }

    /// A new emergency that is approved.
    pub(crate) fn ready(&self, title: &str, reason: &str) -> u64 {
        let task = self.emergency("deployer1", title, reason);
        for (who, team) in [("releng1", "releng"), ("sre1", "sre")] {
            self.comment(who, task, &format!("Emergency-Approve: {team}"));
        }
        task
    }

    pub(crate) fn comment(&self, account: &str, task: u64, text: &str) {
        self.edit(account, Some(task), &json!([{"type": "comment", "value": text}]));
    }

    /// What happened on a task, the newest first.
    pub(crate) fn transactions(&self, task: u64) -> Vec<Value> {
        let asked = json!({"objectIdentifier": format!("T{task}"), "limit": 1000});
        self.call_at_last("admin", "transaction.search", &asked)["data"].as_array().unwrap().clone()
    }

    pub(crate) fn subscribers(&self, task: u64) -> Vec<String> {
        let asked = json!({"constraints": {"ids": [task]}, "attachments": {"subscribers": true}});
        let found = self.call("admin", "maniphest.search", asked);
        let phids = &found["data"][0]["attachments"]["subscribers"]["subscriberPHIDs"];
        phids.as_array().unwrap().iter().map(|phid| phid.as_str().unwrap().to_owned()).collect()
    }

    /// How often each record stands on a task, by deploy and event.
    pub(crate) fn records(&self, task: u64) -> BTreeMap<(String, String), usize> {
        let mut records = BTreeMap::new();
        for row in self.transactions(task) {
            let text = row["comments"][0]["content"]["raw"].as_str().unwrap_or_default();
            if let phabgate::record::parse::Parsed::Record(record) = phabgate::record::parse::parse(text) {
                *records.entry((record.deploy.to_string(), record.event.word().to_owned())).or_default() += 1;
            }
        }
        records
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A proxy that breaks calls, until it is dropped.
pub(crate) struct Proxy {
    program: PathBuf,
    upstream: String,
    port: u16,
    child: Option<Child>,
    pub(crate) url: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Proxy {
    /// Starts this program before the server, with these faults.
    pub(crate) fn start(live: &Live, program: &Path, faults: &[String]) -> Self {
        let port = free_port();
        let server = url::Url::parse(&live.url).unwrap();
        let upstream = format!("127.0.0.1:{}", server.port().unwrap());
        let url = format!("http://{}:{port}/", server.host_str().unwrap());
        let mut proxy = Self { program: program.to_owned(), upstream, port, child: None, url };
        proxy.change(faults);
        proxy
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has these faults from now on; calls that are under way are cut off.
    pub(crate) fn change(&mut self, faults: &[String]) {
        self.stop();
        let mut command = Command::new("python3");
        command.arg(&self.program).args(["--upstream", &self.upstream, "--port", &self.port.to_string()]);
        command.args(["--late", "3"]);
        for fault in faults {
            command.args(["--fault", fault]);
        }
        let child = self.child.insert(command.spawn().unwrap());
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the proxy does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
