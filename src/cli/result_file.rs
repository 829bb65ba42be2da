//! The file of `run --result`: whether a command was started, how it ended, the verdict and the records.
//!
//! Responsible for what it holds, and that under sudo it is written with the rights of the caller: a gate that is root must
//! not write where the caller may not. Not responsible for how a file is put in place (see [`crate::named_file`]).

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::ui::Ui;
use crate::deploy::GATE_FAILED;
use crate::deploy::identity::Identity;
use crate::gate::ran::{Child, Left, Ran};
use crate::host::system_program;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::journal::Kept;
use crate::named_file;
use crate::record::{Event, ExitStatus, Outcome};

/// The schema of the file.
pub(super) const SCHEMA: &str = "phabgate/run/1";

/// What happened so far, and where to write it.
#[derive(Debug)]
pub(super) struct ResultFile {
    /// `None` as well where it turned out that it cannot be written.
    pub(super) path: Option<PathBuf>,
    identity: Identity,
    pub(super) ran: Ran,
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
    kept: &'static str,
    records: Vec<JsonRecord>,
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
        Self { path, identity: identity.clone(), ran: Ran::default() }
    }

    /// Writes an empty file, so that one that cannot be written is known before the deploy, and an old one does not
    /// speak for this one.
    pub(super) fn probe(&self) -> Result<(), String> {
        self.store(b"")
    }

    /// Writes what happened.
    pub(super) fn write(&self, exit_code: u8) -> Result<(), String> {
        let Ran { task, deploy, verdict, child, outcome, error, kept, records } = &self.ran;
        let records =
            records.iter().map(|&Left { event, state, transaction }| JsonRecord { event, state, transaction });
        let json = Json {
            schema: SCHEMA,
            task: *task,
            deploy: *deploy,
            verdict: *verdict,
            child_started: *child != Child::NotStarted,
            status: match *child {
                Child::Ended(status) => Some(status),
                Child::NotStarted | Child::Lost => None,
            },
            outcome: *outcome,
            exit_code,
            kept: match kept {
                Kept::InJournal => "in-journal",
                Kept::Beside { .. } => "beside-the-journal",
                Kept::Nowhere { .. } => "nowhere",
            },
            records: records.collect(),
            error: error.as_deref(),
        };
        let mut text =
            serde_json::to_string_pretty(&json).map_err(|error| format!("cannot write the result: {error}"))?;
        text.push('\n');
        self.store(text.as_bytes())
    }

    fn store(&self, bytes: &[u8]) -> Result<(), String> {
        let Some(path) = &self.path else { return Ok(()) };
        let stored = match &self.identity {
            Identity::Own => named_file::write(path, bytes, 0o600).map_err(|error| error.to_string()),
            Identity::Caller(caller) => as_caller(path, bytes, caller.uid, caller.gid),
        };
        stored.map_err(|why| format!("cannot write the result to {}: {why}", path.display()))
    }
}

/// Writes that a command line of `run` was refused. What an earlier run left there would speak for this one.
pub(super) fn refused(path: Option<PathBuf>, why: &str, ui: &mut Ui) {
    let Some(path) = path else { return };
    let written = match Identity::of_caller(false) {
        Ok(identity) => {
            let mut result = ResultFile::new(Some(path), &identity);
            result.ran.error = Some(why.to_owned());
            result.write(GATE_FAILED)
        }
        // With more rights than the caller's nothing is written.
        Err(error) => Err(format!("no result is written to {}: {error}", path.display())),
    };
    if let Err(why) = written {
        ui.warn(&why);
    }
}

/// The file that a command line names which cannot be parsed. Without `--` it is not known which words are the gate's, and
/// a file of the command's is not ours to replace.
pub(super) fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let end = arguments.iter().position(|word| word == "--")?;
    let own = arguments.get(..end)?;
    let mut named = own.iter().enumerate().filter_map(|(at, word)| match word.as_bytes().strip_prefix(b"--result") {
        Some(b"") => own.get(at + 1).filter(|value| !value.as_bytes().starts_with(b"-")).map(PathBuf::from),
        Some([b'=', value @ ..]) if !value.is_empty() => Some(PathBuf::from(OsStr::from_bytes(value))),
        _ => None,
    });
    // Of two it is not known which.
    named.next().filter(|_| named.next().is_none())
}

/// What the gate is called with, before a path, to write standard input there with the rights of the caller.
const AS_CALLER: &str = "write-result-as-caller";

/// Writes with the rights of somebody else: by this program, which setpriv starts as them.
fn as_caller(path: &Path, bytes: &[u8], uid: u32, gid: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let setpriv = system_program("setpriv").ok_or("setpriv is not installed")?;
    let mut child = Command::new(setpriv)
        .args(crate::deploy::plan::user_options(uid, gid))
        .arg(std::env::current_exe().map_err(failed)?)
        .arg(AS_CALLER)
        .arg(path)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // A child that ends before it read all says why on its standard error.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(bytes));
    let output = child.wait_with_output().map_err(failed)?;
    match output.status {
        status if status.success() => written.map_err(failed),
        status => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = crate::text::inert(said.trim());
            Err(if said.is_empty() { format!("writing it as the caller ended with {status}") } else { said })
        }
    }
}

/// Writes what stands on standard input, where this process was started by [`as_caller`]; `None` where it was not.
pub(super) fn write_as_caller(arguments: &[OsString]) -> Option<Result<(), String>> {
    let [_, verb, path] = arguments else { return None };
    if verb != AS_CALLER {
        return None;
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes).map_err(|error| error.to_string());
    Some(read.and_then(|_| named_file::write(Path::new(path), &bytes, 0o600).map_err(|error| error.to_string())))
}

/// No result is larger, in bytes.
const LARGEST: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_command_line_that_cannot_be_parsed_is_the_one_before_the_command() {
        let named = |line: &str| named(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        let file = Some(PathBuf::from("r.json"));
        assert_eq!(named("phabgate run T1 --result r.json --frobnicate -- true"), file);
        assert_eq!(named("phabgate run T1 --wait 30m --result=r.json -- true"), file);
        for none in [
            "phabgate run T1 --frobnicate -- tool --result r.json",
            "phabgate run T1 tool --result r.json",
            "phabgate run T1 --result -- true",
            "phabgate run T1 --result= -- true",
            "phabgate run T1 --result --dry-run -- true",
            "phabgate run T1 --result a --result b -- true",
            "phabgate run T1 --results r.json -- true",
        ] {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
