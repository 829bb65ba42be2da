//! Pagers for tests: one that is called over HTTP and remembers, as an Alertmanager or a webhook, and a real Alertmanager.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::http;

/// A call that came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) signature: Option<String>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) body: Value,
}

/// How a pager answers what is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It accepts it.
    Takes,
    /// It refuses it, with a status.
    Refuses(u16),
    /// It takes it, and says nothing.
    Silent,
}

#[derive(Debug)]
struct Heard {
    calls: Vec<Call>,
    mood: Mood,
    configuration: String,
}

/// A pager on loopback.
#[derive(Debug, Clone)]
pub(crate) struct Pager {
    pub(crate) url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Pager {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let configuration = "route:\n  receiver: hook\n  group_by:\n  - '...'\n  group_wait: 0s\n\
                             receivers:\n- name: hook\n  webhook_configs:\n  - url: http://127.0.0.1:9/\n"
            .to_owned();
        let heard = Arc::new(Mutex::new(Heard { calls: vec![], mood: Mood::Takes, configuration }));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // Who goes away meanwhile is of no interest.
                std::thread::spawn(move || _ = answer(&stream, &shared));
            }
        });
        Self { url, heard }
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.heard.lock().unwrap().mood = mood;
    }

    pub(crate) fn is_configured(&self, text: &str) {
        text.clone_into(&mut self.heard.lock().unwrap().configuration);
    }

    /// What was posted, the first first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls_from(0)
    }

    /// The same, without so many of the first.
    pub(crate) fn calls_from(&self, passed_over: usize) -> Vec<Call> {
        self.heard.lock().unwrap().calls[passed_over..].to_vec()
    }

    /// The alerts that an Alertmanager was sent: labels, `startsAt`, and whether each goes on.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let calls = self.calls().into_iter().filter(|call| call.path.ends_with("/api/v2/alerts"));
        calls.flat_map(|call| call.body.as_array().unwrap().iter().map(Alert::of).collect::<Vec<_>>()).collect()
    }

    /// The events that a webhook was sent, with their keys.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let calls = self.calls().into_iter().filter(|call| call.body["schema"] == "phabgate/pager/1");
        calls.map(|call| (text(&call.body["event"]), text(&call.body["key"]))).collect()
    }
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: Value,
    pub(crate) starts_at: String,
    pub(crate) is_firing: bool,
}

impl Alert {
    fn of(value: &Value) -> Self {
        let labels = value["labels"].as_object().unwrap();
        let ends: jiff::Timestamp = value["endsAt"].as_str().unwrap().parse().unwrap();
        Self {
            labels: labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
            annotations: value["annotations"].clone(),
            starts_at: value["startsAt"].as_str().unwrap().to_owned(),
            is_firing: ends > jiff::Timestamp::now(),
        }
    }

    /// What an Alertmanager knows it by, with its beginning.
    pub(crate) fn identity(&self) -> (BTreeMap<String, String>, String) {
        (self.labels.clone(), self.starts_at.clone())
    }

    pub(crate) fn is_about(&self, task: &str, team: &str) -> bool {
        self.labels["task"] == task && self.labels["team"] == team
    }
}

/// What fires of that which was posted, as an Alertmanager lists it.
fn firing(calls: &[Call]) -> Value {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.path.ends_with("/api/v2/alerts")) {
        for alert in call.body.as_array().into_iter().flatten() {
            last.insert(alert["labels"].to_string(), alert.clone());
        }
    }
    last.into_values().filter(|alert| Alert::of(alert).is_firing).collect()
}

fn answer(stream: &TcpStream, heard: &Mutex<Heard>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let (mut length, mut signature) = (0, None);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let Some((name, value)) = header.trim().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "phabgate-signature" => signature = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    let (mood, configuration, firing) = {
        let mut heard = heard.lock().unwrap();
        if method == "POST" && !matches!(heard.mood, Mood::Refuses(_)) {
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            heard.calls.push(Call { path: path.clone(), signature, bytes, body });
        }
        (heard.mood, heard.configuration.clone(), firing(&heard.calls))
    };
    let (status, body) = match (method.as_str(), mood) {
        ("POST", Mood::Silent) => return Ok(()),
        ("POST", Mood::Refuses(status)) => (status, "not now".to_owned()),
        ("GET", _) if path.ends_with("/api/v2/status") => {
            (200, json!({"config": {"original": configuration}, "versionInfo": {"version": "0"}}).to_string())
        }
        ("GET", _) if path.contains("/api/v2/alerts?") => (200, firing.to_string()),
        ("GET", _) => (405, String::new()),
        _ => (200, String::new()),
    };
    let date = jiff::fmt::rfc2822::to_string(&jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let date = date.replace("+0000", "GMT");
    let length = body.len();
    write!(
        &mut &*stream,
        "HTTP/1.1 {status} It\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// A real Alertmanager on loopback, which calls a webhook.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    pub(crate) url: String,
    directory: tempfile::TempDir,
    child: Child,
    port: u16,
}

impl Alertmanager {
    /// Starts it with a receiver `hook`, which is called, and one `nobody`, which calls nothing; `route` is what the topmost route has beside the
    /// first. `None` where it is not installed, which is said; in CI it must be there.
    pub(crate) fn start(hook: &str, route: &str) -> Option<Self> {
        Self::start_with(hook, "hook", route, "")
    }

    /// The same with this receiver of the topmost route, and with more lines of its configuration.
    pub(crate) fn start_with(hook: &str, receiver: &str, route: &str, more: &str) -> Option<Self> {
        let program = ["/usr/bin/prometheus-alertmanager", "/usr/local/bin/alertmanager"].map(PathBuf::from);
        let Some(program) = program.into_iter().find(|program| program.exists()) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "Alertmanager is not installed: `apt-get install prometheus-alertmanager`"
            );
            // Not by a macro, whose output nobody sees of a test that passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: no Alertmanager is installed: pages are not seen to arrive");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let configuration = format!(
            "route: {{ receiver: {receiver}, {route}, group_interval: 1s, repeat_interval: 1h }}\n\
             receivers: [{{ name: hook, webhook_configs: [{{ url: \"{hook}\", send_resolved: true }}] }}, {{ name: nobody }}]\n{more}\n"
        );
        std::fs::write(directory.path().join("alertmanager.yml"), configuration).unwrap();
        // A port that is free now; another process that takes it meanwhile makes the test fail, and not lie.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::run(&program, directory.path(), port);
        let started = Self { url: format!("http://127.0.0.1:{port}/"), directory, child, port };
        started.is_ready();
        Some(started)
    }

    fn run(program: &std::path::Path, directory: &std::path::Path, port: u16) -> Child {
        Command::new(program)
            .arg(format!("--config.file={}", directory.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn is_ready(&self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the Alertmanager does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.path().join("alertmanager.yml")
    }

    /// The alerts that fire there, as it lists them.
    pub(crate) fn firing(&self) -> Vec<Value> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("{}api/v2/alerts", self.url);
        runtime.block_on(async { http().get(url).send().await.unwrap().json().await.unwrap() })
    }

    /// Ends it, and starts it anew, without what it knew.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(self.directory.path().join("data"));
        self.run_again();
    }

    /// Has it end as a host does that is started anew, and starts it again: it knows whom it called, and no alert.
    pub(crate) fn restart_orderly(&mut self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM)
            .unwrap();
        let _ = self.child.wait();
        self.run_again();
    }

    fn run_again(&mut self) {
        let program = ["/usr/bin/prometheus-alertmanager", "/usr/local/bin/alertmanager"].map(PathBuf::from);
        let program = program.into_iter().find(|program| program.exists()).unwrap();
        self.child = Self::run(&program, self.directory.path(), self.port);
        self.is_ready();
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the webhook of a real Alertmanager was sent: each alert with the status that it had.
pub(crate) fn notified(pager: &Pager) -> Vec<(String, BTreeMap<String, String>, String)> {
    notified_by(&pager.calls())
}

/// The same of these calls.
pub(crate) fn notified_by(calls: &[Call]) -> Vec<(String, BTreeMap<String, String>, String)> {
    let mut notified = Vec::new();
    for call in calls {
        for alert in call.body["alerts"].as_array().into_iter().flatten() {
            let labels = alert["labels"].as_object().unwrap();
            let labels = labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
            let text = |name: &str| alert[name].as_str().unwrap().to_owned();
            notified.push((text("status"), labels.collect(), text("startsAt")));
        }
    }
    notified
}
