//! The signals that the gate takes note of instead of dying.
//!
//! Responsible for [`Signals`], from the moment before the intent is journalled to the end of the gate. Not responsible
//! for what each of them means for a child that runs ([`super::child`]).
//!
//! A signal that the gate's parent had set to be ignored, as nohup(1) does, is left alone: it stays ignored here and in the
//! child. For all others there is a handler, never "ignore": handlers go back to the default at an exec, so the child
//! gets the signals of the terminal as if the gate was not there.

use std::fs;
use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// Notes INT, QUIT, TERM and HUP from [`Signals::install`] on.
///
/// Install them before the intent is journalled, inside the runtime. They stay noted for the rest of the process: a gate
/// that has a child, or an outcome to post, does not die of them.
#[derive(Debug)]
pub struct Signals {
    ignored: Ignored,
    interrupt: Noted,
    quit: Noted,
    terminate: Noted,
    hang_up: Noted,
}

impl Signals {
    /// Begins to take note.
    ///
    /// # Errors
    /// Where the system refuses a handler.
    pub fn install() -> io::Result<Self> {
        let ignored = Ignored::of_this_process();
        Ok(Self {
            interrupt: Noted::new(&ignored, SignalKind::interrupt())?,
            quit: Noted::new(&ignored, SignalKind::quit())?,
            terminate: Noted::new(&ignored, SignalKind::terminate())?,
            hang_up: Noted::new(&ignored, SignalKind::hangup())?,
            ignored,
        })
    }

    /// Waits for the next signal that asks the gate to stop.
    ///
    /// Until the child is started every one of them means: do not start it.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            () = self.terminate.next() => Signal::TERM,
            () = self.interrupt.next() => Signal::INT,
            () = self.quit.next() => Signal::QUIT,
            () = self.hang_up.next() => Signal::HUP,
        }
    }

    /// A signal that has arrived and was not taken yet.
    pub async fn pending(&mut self) -> Option<Signal> {
        // Handlers only leave a mark; the runtime picks it up when it is given the turn.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            signal = self.next() => Some(signal),
            () = std::future::ready(()) => None,
        }
    }

    /// Begins to take note of Ctrl-Z and of being resumed. Not before there is a child: without one, Ctrl-Z stops the gate
    /// as it stops everything else.
    pub(super) fn note_job_control(&self) -> io::Result<JobControl> {
        let note = |signal: Signal| Noted::new(&self.ignored, SignalKind::from_raw(signal.as_raw()));
        Ok(JobControl { stop: note(Signal::TSTP)?, resume: note(Signal::CONT)? })
    }
}

/// Keeps the process from dying of the limit on the size of files (RLIMIT_FSIZE): what cannot be written is an error like any
/// other from now on. A handler, as for the others, so that the child gets the default of the signal back.
///
/// # Errors
/// Where the system refuses a handler.
pub fn survive_file_limit() -> io::Result<()> {
    // The handler stays for the rest of the process; nobody needs to hear of it.
    Noted::new(&Ignored::of_this_process(), SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// What a shell with job control does to a gate that has a child.
#[derive(Debug)]
pub(super) struct JobControl {
    /// Ctrl-Z: the child gets it too, and the gate follows the child.
    pub(super) stop: Noted,
    /// `fg`, `bg`.
    pub(super) resume: Noted,
}

/// One signal; nothing ever comes of one that was ignored when the process began.
#[derive(Debug)]
pub(super) struct Noted(Option<unix::Signal>);

impl Noted {
    fn new(ignored: &Ignored, kind: SignalKind) -> io::Result<Self> {
        if ignored.contains(kind) { Ok(Self(None)) } else { unix::signal(kind).map(Some).map(Self) }
    }

    pub(super) async fn next(&mut self) {
        let arrived = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if arrived.is_none() {
            std::future::pending().await
        }
    }
}

/// The signals that are ignored, as the kernel's mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ignored(u64);

impl Ignored {
    /// What the kernel says. Where it cannot be asked so (not Linux), none are taken to be ignored.
    fn of_this_process() -> Self {
        fs::read_to_string("/proc/self/status").ok().and_then(|status| Self::parse(&status)).unwrap_or(Self(0))
    }

    fn parse(status: &str) -> Option<Self> {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok().map(Self)
    }

    fn contains(self, kind: SignalKind) -> bool {
        let bit = u32::try_from(kind.as_raw_value() - 1).ok();
        bit.and_then(|bit| self.0.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_mask_of_ignored_signals() {
        let ignored = Ignored::parse("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\tff\n").unwrap();
        assert!(ignored.contains(SignalKind::hangup()));
        assert!(ignored.contains(SignalKind::from_raw(13)));
        assert!(!ignored.contains(SignalKind::interrupt()));
        assert!(!ignored.contains(SignalKind::from_raw(0)));
        assert!(!ignored.contains(SignalKind::from_raw(65)));
        assert_eq!(Ignored::parse("SigCgt:\tff\n"), None);
        assert_eq!(Ignored::parse("SigIgn:\tx\n"), None);
    }
}
