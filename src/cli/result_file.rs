//! The file of `run --result`: whether a command was started, how it ended, the verdict and the records.
//!
//! In the room: what it holds and how it is written. Under sudo it is written with the rights of the caller: a gate
//! that is root must not write where the caller may not.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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

/// Puts the file in place whole, or not at all. What is no regular file, and what a link of the system leads to, such as
/// `/dev/stderr`, is written to: a gate that is root must never put a file in its place.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = &target(path);
    let there = fs::metadata(path).ok();
    let of_system = path.starts_with("/proc") || (path.starts_with("/dev") && !path.starts_with("/dev/shm"));
    if of_system || there.as_ref().is_some_and(|there| !there.is_file()) {
        let is_pipe = there.is_some_and(|there| there.file_type().is_fifo());
        if bytes.is_empty() && is_pipe {
            // Opened and closed, it would tell the one who reads it that this was all.
            return Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?);
        }
        // A pipe that nobody reads any more must not hold up the gate.
        let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).map_err(std::io::Error::other)?;
        return OpenOptions::new().append(true).custom_flags(nonblock).open(path)?.write_all(bytes);
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

/// How many links are followed, as the kernel does.
const LINKS: usize = 40;

/// Where a path leads: links are followed, and stay. What the kernel makes up in `/proc` is not looked behind.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        // `/dev/fd` is itself a link.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Ok(folder), Some(name)) = (folder.canonicalize(), path.file_name()) else { break };
        path = folder.join(name);
        if folder.starts_with("/proc") {
            break;
        }
        let Ok(next) = fs::read_link(&path) else { break };
        path = folder.join(next);
    }
    path
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        symlink("file", &link).unwrap();
        replace(&link, b"one").unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[test]
    fn a_stream_of_the_process_is_written_to_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream");
        let open = fs::File::create(&path).unwrap();
        fs::write(&path, "before\n").unwrap();
        // What /dev/stderr is where it goes to a file.
        let link = folder.path().join("stderr");
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        symlink(format!("/proc/self/fd/{number}"), &link).unwrap();
        replace(&link, b"").unwrap();
        replace(&link, b"after\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before\nafter\n");
        replace(Path::new(&format!("/dev/fd/{number}")), b"again\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before\nafter\nagain\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pipe_is_not_opened_before_its_time_and_does_not_hold_up_the_gate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        replace(&path, b"").unwrap();
        assert!(replace(&path, b"nobody reads this").is_err());
    }
}
