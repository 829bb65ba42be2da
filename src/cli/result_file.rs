//! The file of `run --result`: whether a command was started, how it ended, the verdict and the records.
//!
//! In the room: what it holds and how it is written. Under sudo it is written with the rights of the caller: a gate
//! that is root must not write where the caller may not.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::delivery::Delivered;
use crate::deploy::identity::Identity;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::record::{Event, ExitStatus, Outcome};

/// The schema of the file.
pub(super) const SCHEMA: &str = "phabgate/run/1";

/// What became of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    NotStarted,
    Ended(ExitStatus),
    /// Started, and its end was not seen.
    Lost,
}

/// What happened so far, and where to write it.
#[derive(Debug)]
pub(super) struct ResultFile {
    /// `None` as well where it turned out that it cannot be written.
    pub(super) path: Option<PathBuf>,
    identity: Identity,
    pub(super) task: Option<TaskId>,
    pub(super) deploy: Option<DeployId>,
    pub(super) verdict: Option<&'static str>,
    pub(super) child: Child,
    pub(super) outcome: Option<Outcome>,
    pub(super) error: Option<String>,
    records: Vec<JsonRecord>,
}

#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: Option<TaskId>,
    deploy: Option<DeployId>,
    verdict: Option<&'static str>,
    child_started: bool,
    status: Option<ExitStatus>,
    outcome: Option<Outcome>,
    exit_code: u8,
    records: &'a [JsonRecord],
    error: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonRecord {
    event: Event,
    state: &'static str,
    transaction: Option<TransactionId>,
}

impl ResultFile {
    pub(super) fn new(path: Option<PathBuf>, identity: &Identity) -> Self {
        Self {
            path,
            identity: identity.clone(),
            task: None,
            deploy: None,
            verdict: None,
            child: Child::NotStarted,
            outcome: None,
            error: None,
            records: Vec::new(),
        }
    }

    pub(super) fn delivered(&mut self, delivered: Delivered) {
        let Delivered { event, transaction } = delivered;
        self.records.push(JsonRecord { event, state: "delivered", transaction: Some(transaction) });
    }

    pub(super) fn queued(&mut self, event: Event) {
        self.records.push(JsonRecord { event, state: "queued", transaction: None });
    }

    /// Writes an empty file, so that one that cannot be written is known before the deploy, and an old one does not
    /// speak for this one.
    pub(super) fn probe(&self) -> Result<(), String> {
        self.store(b"")
    }

    /// Writes what happened.
    pub(super) fn write(&self, exit_code: u8) -> Result<(), String> {
        let json = Json {
            schema: SCHEMA,
            task: self.task,
            deploy: self.deploy,
            verdict: self.verdict,
            child_started: self.child != Child::NotStarted,
            status: match self.child {
                Child::Ended(status) => Some(status),
                Child::NotStarted | Child::Lost => None,
            },
            outcome: self.outcome,
            exit_code,
            records: &self.records,
            error: self.error.as_deref(),
        };
        let mut text =
            serde_json::to_string_pretty(&json).map_err(|error| format!("cannot write the result: {error}"))?;
        text.push('\n');
        self.store(text.as_bytes())
    }

    fn store(&self, bytes: &[u8]) -> Result<(), String> {
        let Some(path) = &self.path else { return Ok(()) };
        let stored = match &self.identity {
            Identity::Own => replace(path, bytes),
            Identity::Caller(caller) => as_caller(path, bytes, caller.uid, caller.gid),
        };
        stored.map_err(|error| format!("cannot write the result to {}: {error}", path.display()))
    }
}

/// Puts the file in place whole, or not at all. What is no regular file, such as `/dev/stderr`, is written to.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let name = path.file_name().ok_or_else(|| std::io::Error::other("it names no file"))?.to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Writes with the rights of somebody else.
fn as_caller(path: &Path, bytes: &[u8], uid: u32, gid: u32) -> std::io::Result<()> {
    let setpriv =
        crate::deploy::identity::trusted("setpriv").ok_or_else(|| std::io::Error::other("setpriv is not installed"))?;
    let mut child = Command::new(setpriv)
        .args(crate::deploy::plan::user_options(uid, gid))
        .args(["/bin/sh", "-c", "umask 077; cat > \"$1\"", "sh"])
        .arg(path)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(bytes)?;
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(std::io::Error::other(format!("writing it as the caller ended with {status}"))),
    }
}
