//! Running the command to its end.
//!
//! Responsible for [`run`], from the last look at the signals to the status of the child. Not responsible for what is
//! said, journalled and posted about it.
//!
//! The child shares the terminal, the process group and the standard streams. What the terminal sends to the group (Ctrl-C,
//! Ctrl-\, Ctrl-Z) the child gets by itself, so the gate only keeps from dying of it. TERM comes to the gate alone and is
//! passed on. HUP is survived, so that the outcome is journalled; whoever hangs up signals the whole group. When the
//! child is stopped, the gate stops too: a shell waits for the gate, and would wait for ever.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::process::Child;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, waitpid};
use tokio::signal::unix::{SignalKind, signal};

use super::plan::Ready;
use super::signals::{JobControl, Signals};
use super::{CANNOT_RUN, GATE_FAILED, NOT_FOUND};
use crate::record::ExitStatus;

/// What is called while the child runs. All of it is optional: `()` listens to nothing.
///
/// Nothing here may block for long: while it does, no signal is passed on.
pub trait Hooks {
    /// The child was started.
    fn started(&mut self, pid: u32) {
        let _ = pid;
    }

    /// A signal that came to the gate alone was passed on to the child.
    fn passed_on(&mut self, signal: i32) {
        let _ = signal;
    }
}

impl Hooks for () {}

/// Why there is no status of a child.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A signal asked the gate to stop before the child was started. It was not started.
    #[error("the command was not started: signal {signal} came before it")]
    Interrupted {
        /// The number of the signal.
        signal: i32,
    },
    /// Signals cannot be taken note of. The child was not started.
    #[error("the command was not started: cannot take note of signals: {0}")]
    Signals(io::Error),
    /// The program is gone since the preflight, or the interpreter that it names is missing.
    #[error("cannot find the command {program:?} or what it needs to run: {source}")]
    NotFound {
        /// The program as it was given.
        program: OsString,
        /// What the system says.
        source: io::Error,
    },
    /// The program cannot be run.
    #[error("cannot run {program:?}: {source}")]
    CannotRun {
        /// The program as it was given.
        program: OsString,
        /// What the system says.
        source: io::Error,
    },
    /// The child was started and its status cannot be had: the outcome is unknown.
    #[error("lost the command (process {pid}), its outcome is unknown: {source}")]
    Lost {
        /// The child.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
}

impl RunError {
    /// Whether the child was started, so that the outcome is unknown and not "not started".
    pub fn was_started(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// The status that `run` ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted { .. } | Self::Signals(_) | Self::Lost { .. } => GATE_FAILED,
            Self::NotFound { .. } => NOT_FOUND,
            Self::CannotRun { .. } => CANNOT_RUN,
        }
    }
}

/// Runs the command and waits for its end.
///
/// # Errors
/// Where the child was not started, or its end cannot be known; [`RunError::was_started`] says which.
pub async fn run(ready: &Ready, signals: &mut Signals, hooks: &mut impl Hooks) -> Result<ExitStatus, RunError> {
    // Before the child, so that none of its changes is missed.
    let mut changes = signal(SignalKind::child()).map_err(RunError::Signals)?;
    let mut job = signals.note_job_control().map_err(RunError::Signals)?;
    if let Some(signal) = signals.pending().await {
        return Err(RunError::Interrupted { signal: signal.as_raw() });
    }
    // A script without `#!` is no program to the kernel, and one of sh(1) to execvp(3), env(1) and timeout(1).
    let spawned = ready.command().spawn().or_else(|error| match ready.as_script(&error) {
        Some(mut script) => script.spawn(),
        None => Err(error),
    });
    let child = spawned.map_err(|source| spawn_error(ready, source))?;
    let pid = Pid::from_child(&child);
    hooks.started(child.id());
    // What came between the last look and the exec was taken by the gate, and the one who pressed Ctrl-C must not have
    // pressed it for nothing. A hang-up is not passed on, here as later.
    if let Some(signal) = signals.pending().await.filter(|signal| *signal != Signal::HUP) {
        pass_on(pid, signal, hooks);
    }
    let terminal = File::open("/dev/tty").is_ok();
    loop {
        match changed(pid) {
            Ok(Some(StateChange::Ended(status))) => return Ok(status),
            // Without a terminal no shell waits, and nobody would think of resuming the gate besides the child.
            Ok(Some(StateChange::Stopped)) if terminal => {
                let _ = kill_process(getpid(), Signal::STOP);
            }
            Ok(Some(StateChange::Stopped)) => {}
            Ok(None) => wait(&mut changes, &mut job, signals, pid, hooks).await,
            Err(error) => return Err(lost(&child, error)),
        }
    }
}

/// Waits until something may have changed, and passes on what is for the child.
async fn wait(
    changes: &mut tokio::signal::unix::Signal,
    job: &mut JobControl,
    signals: &mut Signals,
    pid: Pid,
    hooks: &mut impl Hooks,
) {
    tokio::select! {
        _ = changes.recv() => {}
        () = job.stop.next() => {}
        // Whoever resumes the gate alone means both. That it comes as a signal is what shows that the gate was stopped
        // and is no longer: the call that stops it may return before it does.
        () = job.resume.next() => {
            let _ = kill_process(pid, Signal::CONT);
        }
        signal = signals.next() => {
            if signal == Signal::TERM {
                pass_on(pid, signal, hooks);
            }
        }
    }
}

/// What waitpid(2) can report of a child.
enum StateChange {
    Ended(ExitStatus),
    Stopped,
}

fn changed(pid: Pid) -> Result<Option<StateChange>, Errno> {
    loop {
        match waitpid(Some(pid), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(None) => return Ok(None),
            Ok(Some((_, status))) => {
                if let Some(change) = change(status) {
                    return Ok(Some(change));
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn change(status: WaitStatus) -> Option<StateChange> {
    let code = status.exit_status().map(ExitStatus::Code);
    let ended = code.or_else(|| status.terminating_signal().map(ExitStatus::Signal));
    ended.map(StateChange::Ended).or_else(|| status.stopped().then_some(StateChange::Stopped))
}

/// The child is not waited for yet, so its id is its own and the signal reaches nobody else.
fn pass_on(pid: Pid, signal: Signal, hooks: &mut impl Hooks) {
    if kill_process(pid, signal).is_ok() {
        // A stopped child would take no note of it, as timeout(1) knows.
        let _ = kill_process(pid, Signal::CONT);
        hooks.passed_on(signal.as_raw());
    }
}

fn spawn_error(ready: &Ready, source: io::Error) -> RunError {
    let program = ready.program().to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => RunError::NotFound { program, source },
        _ => RunError::CannotRun { program, source },
    }
}

fn lost(child: &Child, error: Errno) -> RunError {
    RunError::Lost { pid: child.id(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_child_was_started() {
        let io = || io::Error::from(io::ErrorKind::Other);
        for (error, started, code) in [
            (RunError::Interrupted { signal: 15 }, false, 125),
            (RunError::Signals(io()), false, 125),
            (RunError::NotFound { program: "x".into(), source: io() }, false, 127),
            (RunError::CannotRun { program: "x".into(), source: io() }, false, 126),
            (RunError::Lost { pid: 1, source: io() }, true, 125),
        ] {
            assert_eq!((error.was_started(), error.exit_code()), (started, code));
        }
    }
}
