//! Reading who is on call: from a file, or from a program that prints it.
//!
//! Responsible for that being bounded in time and in what is read, for the program running without a shell and without what this process
//! keeps in confidence, and for not asking anew within minutes. Not responsible for what the names mean ([`super::on_call`]).

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::on_call::{OnCall, names};
use crate::config::OnCallSource;
use crate::safe_path::{self, Trust};
use crate::text::{inert, shorten};

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(10);
/// For how long the rest of what it printed is waited for after it was ended.
const REST: Duration = Duration::from_millis(200);
/// The most bytes of names.
const LARGEST: u64 = 16 * 1024;
/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);
/// For how long what was read counts.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// For how long it counts that nothing could be read.
const FRESH_FAILURE: Duration = Duration::from_secs(30);
/// The variables that the program is given beside a path.
const PASSED_ON: [&str; 5] = ["HOME", "LANG", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"];
/// How much of what it says of an error is shown.
const SHOWN: usize = 120;

/// Who is on call for each team, as it was read last. Shared by reference.
#[derive(Debug)]
pub struct OnCallReader {
    sources: BTreeMap<String, OnCallSource>,
    read: Mutex<BTreeMap<String, (Instant, OnCall)>>,
}

impl OnCallReader {
    /// Reads from these, by the key of the team.
    pub fn new(sources: BTreeMap<String, OnCallSource>) -> Self {
        Self { sources, read: Mutex::default() }
    }

    /// Who is on call for a team, read anew where that is minutes ago. A program that takes its time blocks nobody else.
    pub async fn read(&self, team: &str) -> OnCall {
        let Some(source) = self.sources.get(team) else { return OnCall::NotSet };
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(team).cloned();
        if let Some((at, known)) = known {
            let fresh = if matches!(known, OnCall::Unreadable(_)) { FRESH_FAILURE } else { FRESH };
            if at.elapsed() < fresh {
                return known;
            }
        }
        let source = source.clone();
        let read = tokio::task::spawn_blocking(move || read_on_call(&source)).await;
        let read = read.unwrap_or_else(|error| OnCall::Unreadable(error.to_string()));
        let mut all = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(team.to_owned(), (Instant::now(), read.clone()));
        read
    }

    /// Who is on call for a team, as it was read last, whenever that was; where it never was, it is read now.
    pub async fn known_or_read(&self, team: &str) -> OnCall {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(team).map(|(_, known)| known.clone());
        match known {
            Some(known) => known,
            None => self.read(team).await,
        }
    }

    /// Who is on call for a team, as it was read last; nothing is read now.
    pub fn known(&self, team: &str) -> OnCall {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(team).map_or(OnCall::NotSet, |(_, known)| known.clone())
    }
}

/// Reads who is on call, which takes as long as the program does, 10 s at most.
pub fn read_on_call(source: &OnCallSource) -> OnCall {
    let read = match source {
        OnCallSource::File(path) => safe_path::open(path, Trust::of_process())
            .map_err(|error| error.to_string())
            .and_then(|file| file.text(LARGEST).map_err(|error| format!("{}: {error}", path.display()))),
        OnCallSource::Command { program, arguments } => {
            // What anybody could have put there decides whom to wake.
            let judged = safe_path::open(program, Trust::of_process()).map_err(|error| error.to_string());
            judged.and_then(|_| {
                let mut command = Command::new(program);
                command.args(arguments);
                output(command, LIMIT).map_err(|why| format!("{} {why}", program.display()))
            })
        }
    };
    match read.and_then(|text| names(&text)) {
        Ok(names) => OnCall::Names(names),
        Err(why) => OnCall::Unreadable(why),
    }
}

/// What a program prints.
///
/// # Errors
/// Where it cannot be run, fails, takes too long or prints too much; in words that follow its name.
fn output(mut command: Command, limit: Duration) -> Result<String, String> {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command
        .env_clear()
        .envs(passed_on)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // So that what it started ends with it.
        .process_group(0);
    let deadline = Instant::now() + limit;
    let mut child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
    let printed = child.stdout.take().map(collect);
    let said = child.stderr.take().map(collect);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            Ok(None) => break Err(format!("took longer than {} s", limit.as_secs())),
            Err(error) => break Err(format!("was lost: {error}")),
        }
    };
    // Also where it has ended: what it left behind would hold its output open.
    end(&mut child);
    let deadline = deadline.max(Instant::now() + REST);
    let text = |collected: Option<mpsc::Receiver<Vec<u8>>>| {
        collected?.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    };
    let (printed, status) = (text(printed), status?);
    let is_too_large = |printed: &Vec<u8>| u64::try_from(printed.len()).unwrap_or(u64::MAX) > LARGEST;
    // Before how it ended: who prints on and on dies of nobody reading it.
    if printed.as_ref().is_some_and(is_too_large) {
        return Err(format!("printed more than {LARGEST} bytes"));
    }
    if !status.success() {
        let said = text(said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        return Err(match said.lines().find(|line| !line.trim().is_empty()) {
            Some(said) => format!("failed ({status}): {}", shorten(&inert(said), SHOWN)),
            None => format!("failed ({status}) and said nothing of it"),
        });
    }
    // What was printed until now may be a part.
    let printed = printed.ok_or_else(|| {
        format!("ended, and something that it started held its output open for {} s", limit.as_secs())
    })?;
    String::from_utf8(printed).map_err(|_| "printed what is not UTF-8".to_owned())
}

/// Collects what a stream says, a little more than may be, in a thread of its own: a program that says nothing holds up nobody.
fn collect(stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is.
        let _ = stream.take(LARGEST + 1).read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// Ends a program and what it started, if it has not ended.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_bounded_in_time_and_in_what_it_prints() {
        let whole = Duration::from_secs(10);
        assert_eq!(output(shell("echo sre1; pwd"), whole).unwrap(), "sre1\n/\n");
        let failed = output(shell("echo 'no\tsuch schedule' >&2; exit 3"), whole).unwrap_err();
        assert!(failed.starts_with("failed (exit status: 3): no") && failed.ends_with("such schedule"), "{failed}");
        let begun = Instant::now();
        let slow = output(shell("sleep 60 & sleep 60"), Duration::from_millis(200)).unwrap_err();
        assert!(slow.starts_with("took longer") && begun.elapsed() < Duration::from_secs(5), "{slow}");
        assert_eq!(output(shell("exec yes"), whole).unwrap_err(), "printed more than 16384 bytes");
        let silent = output(shell("exit 3"), whole).unwrap_err();
        assert_eq!(silent, "failed (exit status: 3) and said nothing of it");
        // What escaped from its group may print on: nobody knows the whole list.
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("ready").display().to_string();
        let escape = "setsid sh -c 'echo > \"$0\"; sleep 3' \"$0\" & until [ -e \"$0\" ]; do :; done; echo sre1";
        let mut escaping = shell(escape);
        escaping.arg(ready);
        let begun = Instant::now();
        let escaped = output(escaping, Duration::from_secs(1)).unwrap_err();
        assert!(escaped.contains("held its output open") && begun.elapsed() < Duration::from_secs(5), "{escaped}");
        let begun = Instant::now();
        assert_eq!(output(shell("sleep 60 & echo sre1"), whole).unwrap(), "sre1\n", "what it left is ended");
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(output(Command::new("/nowhere/at/all"), whole).unwrap_err().starts_with("cannot be run: "));
        let secret = output(shell("env"), whole).unwrap();
        assert!(!secret.contains("PHABGATE") && !secret.contains("CARGO"), "{secret}");
    }

    #[tokio::test]
    async fn what_was_read_is_not_read_again_within_minutes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names");
        let write = |text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        };
        write("sre1\n");
        let reader = OnCallReader::new([("sre".to_owned(), OnCallSource::File(path.clone()))].into());
        assert_eq!(reader.known("sre"), OnCall::NotSet);
        assert_eq!(reader.read("sre").await, OnCall::Names(vec!["sre1".into()]));
        write("sre2\n");
        assert_eq!(reader.read("sre").await, OnCall::Names(vec!["sre1".into()]));
        assert_eq!(reader.read("releng").await, OnCall::NotSet);
    }

    #[test]
    fn what_others_could_write_names_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("names");
        std::fs::write(&path, "sre1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let command = OnCallSource::Command { program: path.clone(), arguments: vec![] };
        for source in [OnCallSource::File(path), command, OnCallSource::File(PathBuf::from("/nowhere/at/all"))] {
            assert!(matches!(read_on_call(&source), OnCall::Unreadable(_)), "{source:?}");
        }
    }
}
