//! `completions`: what a shell needs to complete the command line, and the answer to a shell that asks.
//!
//! Responsible for both. Not responsible for what is offered as a value ([`super::candidates`]).

use std::ffi::OsString;

use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use super::exit::{Exit, Failure};
use super::ui::Ui;

/// The variable by which a shell asks; the scripts set it.
const VARIABLE: &str = "PHABGATE_COMPLETE";

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs `completions`.
///
/// # Errors
/// Where there is no script for the shell.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let (name, shells) = (args.shell.to_string(), Shells::builtins());
    let mut script = Vec::new();
    let written = shells
        .completer(&name)
        .ok_or_else(|| std::io::Error::other("there is none"))
        .and_then(|shell| shell.write_registration(VARIABLE, "phabgate", "phabgate", "phabgate", &mut script));
    written.map_err(|error| {
        Failure::usage(format!("cannot make the completions for {name}: {error}"), "choose another shell")
    })?;
    ui.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

/// Answers a shell that asks what can be typed; `false` where none does. Under sudo nobody is answered: what root's journal knows
/// is not for whoever may call the gate.
pub(super) fn answered(arguments: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_some_and(|shell| !shell.is_empty())
        && crate::host::Ids::of_process().runs_under_sudo()
    {
        return true;
    }
    let asked = CompleteEnv::with_factory(super::definition).var(VARIABLE).bin("phabgate").completer("phabgate");
    // A shell shows what is printed here in the middle of a line: an error offers nothing.
    asked.try_complete(arguments.iter().cloned(), None).unwrap_or(true)
}
