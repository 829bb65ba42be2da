//! What is done to the server of a measurement beside Conduit.
//!
//! Responsible for the scripts that do what the web interface does, for the webhook, for stopping parts of the server and starting them
//! again, and for locks in its database. Not responsible for what is measured meanwhile.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::live_server::{Live, live, pass_over};

/// The server, and what reaches below its interface.
pub(super) struct Server {
    pub(super) live: Live,
    /// The directory of the scripts.
    tools: PathBuf,
    /// Its code, which the scripts load.
    source: PathBuf,
}

/// The server, or a word of what is missing.
pub(super) fn server(test: &str) -> Option<Server> {
    let live = live(test)?;
    let named = |variable: &str| {
        let path = std::env::var_os(variable).map(PathBuf::from);
        if path.is_none() {
            pass_over(test, &format!("{variable} is not set"));
        }
        path
    };
    let (tools, source) = (named("PHABGATE_LIVE_TOOLS")?, named("PHABGATE_LIVE_SOURCE")?);
    Some(Server { live, tools, source })
}

/// A number of the environment, or this one.
pub(super) fn number(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => otherwise,
    }
}

/// A part of the server that can be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// PHP.
    Fpm,
    /// The web server.
    Nginx,
    /// The database.
    Database,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Fpm, Self::Nginx, Self::Database];

    fn pid_file(self) -> &'static str {
        match self {
            Self::Fpm => "run/fpm.pid",
            Self::Nginx => "run/nginx.pid",
            Self::Database => "run/mysql.pid",
        }
    }
}

/// A part that is away, until it is dropped.
pub(super) struct Away<'s> {
    server: &'s Server,
    part: Part,
    program: PathBuf,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let directory = self.server.live.directory.display();
        let arguments = match self.part {
            Part::Fpm => vec!["-y".to_owned(), format!("{directory}/fpm.conf")],
            Part::Nginx => vec!["-c".to_owned(), format!("{directory}/nginx.conf")],
            Part::Database => vec![format!("--defaults-file={directory}/my.cnf")],
        };
        let mut command = match self.part {
            // It does not go into the background by itself, and is to live on when the test has ended.
            Part::Database => Command::new("setsid"),
            Part::Fpm | Part::Nginx => Command::new(&self.program),
        };
        if self.part == Part::Database {
            command.arg("--fork").arg(&self.program);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{:?} does not start again", self.part);
        self.server.answers();
    }
}

/// A lock in the database, until it has passed.
pub(super) struct Lock(Child);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(super) fn tool(&self, script: &str) -> Command {
        let mut php = Command::new("php");
        php.arg(self.tools.join(script)).env("PHORGE_SRC", &self.source).stdin(Stdio::null());
        php
    }

    /// The program of the proxy.
    pub(super) fn proxy(&self) -> PathBuf {
        self.tools.join("faultproxy.py")
    }

    /// Edits or removes a comment as its author can on the web.
    pub(super) fn tamper(&self, operation: &str, transaction: &str, actor: &str, text: &str) {
        let begun = Instant::now();
        loop {
            let output = self.tool("edit-comment.php").args([operation, transaction, actor, text]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && said.contains("ok") {
                return;
            }
            // The database may be away.
            let complained = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(begun.elapsed() < Duration::from_secs(90), "{operation} {transaction}: {said}{complained}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The key of the webhook that calls this address, which there is from now on.
    pub(super) fn webhook(&self, name: &str, url: &str) -> String {
        let output = self.tool("webhook.php").args([name, url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends the webhook.
    pub(super) fn no_webhook(&self, name: &str, url: &str) {
        let _ = self.tool("webhook.php").args([name, url, "disable"]).output();
    }

    /// Waits until the server answers.
    pub(super) fn answers(&self) {
        let begun = Instant::now();
        while self.live.try_call("admin", "user.whoami", serde_json::json!({})).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Stops a part of the server.
    pub(super) fn stop(&self, part: Part) -> Away<'_> {
        let text = std::fs::read_to_string(self.live.directory.join(part.pid_file())).unwrap();
        let process = PathBuf::from(format!("/proc/{}", text.trim()));
        let program = std::fs::read_link(process.join("exe")).unwrap();
        let away = Away { server: self, part, program };
        let pid = rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let begun = Instant::now();
        while process.join("exe").read_link().is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{part:?} does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        away
    }

    /// Holds the rows of a task's edges in the database: its tags, its subscribers.
    pub(super) fn lock_edges(&self, phid: &str, seconds: u64) -> Lock {
        let statements = format!(
            "START TRANSACTION; SELECT COUNT(*) FROM edge WHERE src = '{phid}' FOR UPDATE; SELECT SLEEP({seconds}); COMMIT"
        );
        let mut mysql = Command::new("mysql");
        mysql.arg("-S").arg(self.live.directory.join("run/mysql.sock")).args(["--unbuffered", "phabricator_maniphest"]);
        let mut child =
            mysql.args(["-N", "-e", &statements]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        // It holds them from its first answer on.
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert!(!line.is_empty(), "the rows cannot be locked");
        Lock(child)
    }
}
