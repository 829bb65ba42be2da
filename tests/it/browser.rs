//! A browser for tests: headless Chromium, spoken to over its own pipe, so that nothing listens anywhere.
//!
//! Responsible for starting it, and the few calls that tests need. Each wait ends: with what was waited for, or with an
//! error that says what was. Not responsible for pages.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a step may take: long, since many tests may run at once on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What happened since the page was opened.
    pub(crate) events: Vec<Value>,
    profile: TempDir,
}

/// The program, by any of its names.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .flat_map(|name| directories.iter().map(move |directory| directory.join(name)))
        .find(|path| path.is_file())
}

impl Browser {
    /// Starts it. `None` where it is not installed or not wanted, which is said: but in CI it must be there.
    pub(crate) fn start() -> Option<Self> {
        let say = |why: &str| {
            // Not by a macro, whose output nobody sees of a test that passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {why}: the page of the audit is not looked at");
        };
        if std::env::var_os("PHABGATE_NO_CHROMIUM").is_some() {
            say("PHABGATE_NO_CHROMIUM is set");
            return None;
        }
        let Some(program) = program() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "Chromium is not installed: `apt-get install chromium fonts-dejavu-core`, or set PHABGATE_NO_CHROMIUM"
            );
            say("Chromium is not installed");
            return None;
        };
        Some(Self::with(&program))
    }

    fn with(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--remote-debugging-pipe",
        ];
        // It reads from descriptor 3 and writes to 4, which a shell can give it.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, to, from, calls: 0, session: None, events: Vec::new(), profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attached);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Calls a method of the DevTools protocol.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let id = json!(self.calls);
        let answer = self.until(method, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Waits for a message. What else comes is kept as an event.
    fn until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.from.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(message) if is_it(&message) => return message,
                Ok(message) => self.events.push(message),
                Err(RecvTimeoutError::Timeout) => panic!("{what}: no answer from Chromium in {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{what}: Chromium ended ({:?})", self.child.try_wait())
                }
            }
        }
    }

    /// Opens a page of these contents, from a file, and waits until it is loaded. `hash` follows its address.
    pub(crate) fn open(&mut self, page: &str, hash: &str) {
        let path = self.profile.path().join("audit.html");
        std::fs::write(&path, page).unwrap();
        // Another page between, so that an address that differs in its hash alone is loaded anew.
        for url in ["about:blank".to_owned(), format!("file://{}{hash}", path.display())] {
            self.visit(&url);
        }
    }

    /// Goes to an address, and waits until it is loaded.
    pub(crate) fn visit(&mut self, url: &str) {
        self.events.clear();
        let moved = self.call("Page.navigate", &json!({ "url": url }));
        assert!(moved["errorText"].is_null(), "{moved}");
        let loaded = |message: &Value| message["method"] == "Page.loadEventFired";
        if !self.events.iter().any(loaded) {
            let event = self.until("the page's load", loaded);
            self.events.push(event);
        }
    }

    /// What an expression of JavaScript comes to.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The size of the window and what its user prefers.
    pub(crate) fn window(&mut self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        self.media("screen", scheme);
    }

    /// What the page is shown on.
    pub(crate) fn media(&mut self, media: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": media, "features": features }));
    }

    /// Presses a key and lets go of it.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Errors and warnings that the page's console shows, violations of its policy among them.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let loud = |event: &&Value| match event["method"].as_str() {
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "verbose",
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown") => true,
            _ => false,
        };
        self.events.iter().filter(loud).map(ToString::to_string).collect()
    }

    /// The addresses that were asked for something.
    pub(crate) fn requests(&self) -> Vec<String> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.map(|event| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It has a directory of its own and nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
