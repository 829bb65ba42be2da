//! The command `phabgate`: parse, dispatch, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    phabgate::cli::main()
}
