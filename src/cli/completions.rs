//! `completions`: what a shell needs to complete the command line.

use super::exit::Exit;
use super::ui::Ui;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Runs `completions`.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::definition(), "phabgate", &mut script);
    ui.data(&String::from_utf8_lossy(&script));
    Exit::Done
}
