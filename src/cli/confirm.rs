//! Asking whether to go on.
//!
//! Responsible for the question and its answer. Not responsible for what is asked.

use std::io::{self, IsTerminal};

use super::ui::Ui;
use crate::gate::Refusal;

/// Whether somebody is there to be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks whether to go on.
///
/// # Errors
/// Where there is no terminal to ask on.
pub(super) fn confirm(question: &str, ui: &mut Ui) -> Result<bool, Refusal> {
    if !can_ask() {
        return Err(Refusal::usage(
            "this has to be confirmed, and there is no terminal to ask on",
            "look at what stands above, then add --yes",
        ));
    }
    ui.words(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // Nobody ended the line of the question: what is said next begins a line of its own.
        ui.words("\n");
    }
    Ok(read.is_ok() && is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn nothing_but_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES \r\n"));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("n") && !is_yes("yes please"));
    }
}
