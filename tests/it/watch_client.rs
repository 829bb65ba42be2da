//! `check --server --wait`: what a watch says is when to read, and nothing of it is believed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::meanwhile::say;
use crate::network::Listener;
use crate::server::{Server, in_one_line};

/// `phabgate serve`, on any free port.
pub(crate) struct Watch {
    child: Child,
    pub(crate) url: String,
    /// What it logs is read to its end, so that it can go on.
    _log: std::thread::JoinHandle<String>,
}

impl Watch {
    pub(crate) fn of(server: &Server) -> Self {
        Self::with(server, "")
    }

    /// A watch with these lines in its configuration.
    pub(crate) fn with(server: &Server, config: &str) -> Self {
        let home = server.machine.home();
        let file = home.join("watch.toml");
        let base = std::fs::read_to_string(home.join("config.toml")).unwrap();
        std::fs::write(&file, format!("{base}{config}")).unwrap();
        let mut command = plain(server, &["serve", "--listen", "127.0.0.1:0", "--format", "json"]);
        command.env("PHABGATE_CONFIG", file).env("PHABGATE_STATE", home.join("watch"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = log.read_to_string(&mut text);
            text
        });
        let out = serde_json::Deserializer::from_reader(child.stdout.take().unwrap());
        // From here on it is ended whatever happens.
        let mut watch = Self { child, url: String::new(), _log: log };
        let said: serde_json::Value = out.into_iter().next().unwrap().unwrap();
        assert_eq!(said["schema"], "phabgate/serve/1");
        watch.url = said["url"].as_str().unwrap().to_owned();
        watch
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command of the recorder that can be spawned.
pub(crate) fn plain(server: &Server, arguments: &[&str]) -> Command {
    let template = server.phabgate();
    let mut command = Command::new(env!("CARGO_BIN_EXE_phabgate"));
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(server.machine.home()).args(arguments).stdin(Stdio::null());
    command
}

/// A `check --wait` that runs, and the lines that it says meanwhile.
pub(crate) struct Waiting {
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
    said: String,
}

impl Waiting {
    pub(crate) fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sent, lines) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| sent.send(line)));
        Self { child, lines, said: String::new() }
    }

    /// Waits until it said this.
    pub(crate) fn until(&mut self, words: &str) {
        while !in_one_line(&self.said).contains(words) {
            let line = self.lines.recv_timeout(Duration::from_secs(40));
            let line = line.unwrap_or_else(|_| panic!("it never said {words:?}, but: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }

    /// Its exit code, and all that it said.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.child.wait().unwrap().code().unwrap();
        let rest: String = self.lines.iter().map(|line| line + "\n").collect();
        (code, format!("{}{out}", in_one_line(&format!("{}{rest}", self.said))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn waiting(server: &Server, watch: &str, wait: &str) -> Waiting {
    Waiting::new(plain(server, &["check", "T6", &format!("--wait={wait}"), "--server", watch]))
}

/// How often a task was read whole.
pub(crate) fn readings(server: &Server) -> usize {
    server.running.served().iter().filter(|served| served.method == "user.whoami").count()
}

#[test]
fn a_watch_says_when_to_read_and_the_wait_ends_with_the_approval() {
    let server = Server::new();
    let watch = Watch::of(&server);
    let mut check = waiting(&server, &watch.url, "10m");
    check.until("waiting up to 10 min for");
    let begun = Instant::now();
    say(&server.running, "sre1", "T6", "Emergency-Approve: sre");
    let (code, said) = check.end();
    assert_eq!(code, 0, "{said}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(said.contains("ALLOWED") && !said.contains("without it"), "{said}");
}

#[test]
fn a_watch_that_dies_is_done_without() {
    let server = Server::new();
    let mut watch = Watch::of(&server);
    let mut check = waiting(&server, &watch.url, "10m");
    check.until("waiting up to 10 min for");
    watch.kill();
    check.until("does not answer");
    say(&server.running, "sre1", "T6", "Emergency-Approve: sre");
    let (code, said) = check.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("reading the task without it").count(), 1, "{said}");
}

#[test]
fn a_token_is_sent_and_a_wrong_one_is_done_without() {
    let token = "the-token-of-a-dashboard";
    let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let config = format!("[serve.tokens.dashboard]\nsha256 = \"{digest}\"\nscopes = [\"read\"]\n");
    let server = Server::new();
    let watch = Watch::with(&server, &config);
    let check = |variable: &str, value: &std::path::Path| {
        let mut command = plain(&server, &["check", "T6", "--wait=6s", "--server", &watch.url]);
        command.env(variable, value);
        Waiting::new(command).end()
    };
    let (code, said) = check("PHABGATE_SERVER_TOKEN", token.as_ref());
    assert_eq!((code, said.contains("without it")), (8, false), "{said}");
    let (code, said) = check("PHABGATE_SERVER_TOKEN", "another".as_ref());
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("refuses the token: reading the task without it") && !said.contains("another"), "{said}");
    // A file that others can read is not used, as that of the server's token is not.
    let file = server.machine.home().join("watch-token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    for (mode, expected) in [(0o600, 8), (0o644, 4)] {
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let (code, said) = check("PHABGATE_SERVER_TOKEN_FILE", &file);
        assert_eq!((code, said.contains("without it")), (expected, false), "{said}");
    }
}

#[test]
fn a_watch_with_another_policy_or_of_another_server_is_done_without() {
    let server = Server::new();
    let watch = Watch::with(&server, "[policy]\nmax_age = \"1h\"\n");
    let (code, said) = waiting(&server, &watch.url, "6s").end();
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("judges by another policy (sha256:"), "{said}");
    let other = Server::new();
    let watch = Watch::of(&other);
    let (code, said) = waiting(&server, &watch.url, "6s").end();
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("watches another server ("), "{said}");
}

/// A service that answers so, whatever is asked, by how often it was asked before.
fn lying(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let listener = Listener::new(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        let _ = stream.write_all(answer(count.fetch_add(1, Ordering::SeqCst)).as_bytes());
    });
    (format!("http://127.0.0.1:{}/", listener.port), asked)
}

fn page(server: &Server, verdict: &str, tag: usize) -> String {
    let check = server.run(&["check", "T6", "--format", "json"]).1;
    let check = check.replace("http://sandbox/", server.running.url.as_str());
    let mut page: serde_json::Value = serde_json::from_str(&check).unwrap();
    page["verdict"] = verdict.into();
    let body = page.to_string();
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nETag: \"{tag}\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[test]
fn a_watch_that_lies_is_not_believed_and_makes_nobody_read_more_often() {
    let server = Server::new();
    let pages: Vec<String> = (0..2).map(|tag| page(&server, "allowed", tag)).collect();
    // It says `allowed`, at once, and each time that it changed.
    let (url, asked) = lying(move |time| pages[time % 2].clone());
    let before = readings(&server);
    let (code, said) = waiting(&server, &url, "12s").end();
    assert_eq!(code, 8, "{said}");
    assert!(said.contains("PENDING") && !said.contains("ALLOWED"), "{said}");
    assert!(asked.load(Ordering::SeqCst) >= 2);
    let read = readings(&server) - before;
    assert!(read <= 4, "{read} readings in 12 s");
}

#[test]
fn a_watch_that_cannot_decide_is_done_without() {
    let server = Server::new();
    let undecided = page(&server, "undecided", 1);
    for (answer, why) in [
        (undecided, "cannot decide"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n".to_owned(),
            "the status 302",
        ),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}".to_owned(), "something that is no verdict"),
        (format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(2 << 20)), "larger than 1048576 bytes"),
    ] {
        let (url, _) = lying(move |_| answer.clone());
        let (code, said) = waiting(&server, &url, "6s").end();
        assert_eq!(code, 8, "{said}");
        assert!(said.contains(why) && said.contains("reading the task without it"), "{why}: {said}");
    }
}

#[test]
fn a_watch_is_asked_over_tls_or_on_this_machine() {
    let server = Server::new();
    let (code, _, error) = server.run(&["check", "T6", "--wait", "--server", "http://watch.example/"]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("would send the token in clear"), "{error}");
}
