//! The child process: the deploy itself.
//!
//! Responsible for whom the command runs as ([`identity`]), with what environment and whether it can be run at all
//! ([`plan`]), the signals of the gate ([`signals`]), and running it to its end ([`child`]). Not responsible for
//! whether it may run (the verdict knows), and what is journalled and posted around it.
//!
//! The order in which a caller uses it is in the types: [`plan::Plan::new`] needs an [`identity::Identity`],
//! [`plan::Plan::preflight`] gives the [`plan::Ready`] that [`child::run`] needs, and [`signals::Signals`] are installed before the
//! intent is journalled, so that nothing that arrives from then on is lost:
//!
//! ```no_run
//! # use phabgate::deploy::{child, exit_code, identity::Identity, plan::Plan, signals::Signals};
//! # async fn deploy() -> Result<u8, Box<dyn std::error::Error>> {
//! let identity = Identity::of_caller(false)?;
//! let ready = Plan::new(["scap".into(), "sync-world".into()], std::env::vars_os(), &identity)?.preflight()?;
//! let mut signals = Signals::install()?;
//! // Here the intent is journalled and `started` posted.
//! let status = child::run(&ready, &mut signals, &mut ()).await?;
//! // Here the outcome is journalled and `finished` posted.
//! Ok(exit_code(status))
//! # }
//! ```

pub mod child;
pub mod identity;
pub mod plan;
pub mod signals;

use crate::record::ExitStatus;

/// The status of `run` for every failure of its own before the child, as of env(1) and timeout(1).
pub const GATE_FAILED: u8 = 125;
/// The status of `run` where the command was found and cannot be run.
pub const CANNOT_RUN: u8 = 126;
/// The status of `run` where the command was not found.
pub const NOT_FOUND: u8 = 127;

/// The status that `run` ends with after a child that ended so: its own, or 128 and the number of its signal.
///
/// ```
/// use phabgate::{deploy::exit_code, record::ExitStatus};
/// assert_eq!(exit_code(ExitStatus::Code(3)), 3);
/// assert_eq!(exit_code(ExitStatus::Signal(15)), 143);
/// ```
pub fn exit_code(status: ExitStatus) -> u8 {
    // No system hands out statuses beyond these; should one, it must not turn into 0.
    match status {
        ExitStatus::Code(code) => u8::try_from(code).unwrap_or(u8::MAX),
        ExitStatus::Signal(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_zero_is_zero() {
        assert_eq!(exit_code(ExitStatus::Code(0)), 0);
        for (status, code) in [
            (ExitStatus::Code(255), 255),
            (ExitStatus::Code(256), 255),
            (ExitStatus::Code(-1), 255),
            (ExitStatus::Code(i32::MAX), 255),
            (ExitStatus::Signal(9), 137),
            (ExitStatus::Signal(64), 192),
            (ExitStatus::Signal(i32::MAX), 255),
            (ExitStatus::Signal(-129), 255),
        ] {
            assert_eq!(exit_code(status), code);
        }
    }
}
