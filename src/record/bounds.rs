//! The bounds of a record: how long its texts may be, and how long the whole of its block.
//!
//! Responsible for cutting texts and for refusing what does not fit: a comment of megabytes is refused by what stands
//! before a server, or makes the task unreadable. Lengths are counted as the block writes them, where one character can
//! take twelve bytes. Secrets are masked before anything is cut, so that no half of one is left. Approvals are never cut:
//! a record without them would say less than the deploy rests on. Not responsible for how a record reads.

use sha2::{Digest, Sha256};

use super::comment::block;
use super::{Cut, Record};
use crate::remarkup::inert_json_length;
use crate::text::hex;

/// The most bytes of a block, its fences aside.
pub const BLOCK: usize = 16 * 1024;

/// The most bytes of a command.
pub const COMMAND: usize = 4 * 1024;

/// The most bytes of any other text.
pub const TEXT: usize = 1024;

/// What is kept free in what is written before a deploy, for what is known after it: times, outcome and status.
const LATER: usize = 512;

/// A record whose block is too long, with all its texts cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record does not fit into a comment: {approvals} approvals and the rest take {bytes} bytes of at most {limit}, and \
     approvals are never left out"
)]
pub struct TooLarge {
    bytes: usize,
    limit: usize,
    approvals: usize,
}

impl Record {
    /// The record with each text cut that is too long for it, and what is known of the whole noted. One that was bounded
    /// stays as it is.
    pub fn bounded(mut self) -> Self {
        let mut cut = std::mem::take(&mut self.cut);
        let hidden = self.arguments_hidden;
        let Self { command, deployer, behind, pipeline, caller, host, reason, action, change, note, share, .. } =
            &mut self;
        let mut bound = |field: &str, text: &mut String, limit: usize, digest: bool| {
            let Some(end) = end_within(text, limit) else { return };
            let sha256 = digest.then(|| hex(&Sha256::digest(text.as_bytes())));
            // Nobody needs to read twice of which name in a list only the start is there.
            if !cut.iter().any(|known| known.field == field) {
                cut.push(Cut { field: field.to_owned(), bytes: u64::try_from(text.len()).unwrap_or(u64::MAX), sha256 });
            }
            text.truncate(end);
        };
        if let Some(command) = command {
            bound("command", command, COMMAND, !hidden);
        }
        let reason = reason.as_mut();
        let (category, explanation) = match reason {
            Some(reason) => (Some(&mut reason.category), reason.explanation.as_mut()),
            None => (None, None),
        };
        let optional = [
            ("change", change.as_mut()),
            ("note", note.as_mut()),
            ("explanation", explanation),
            ("category", category),
            ("action", action.as_mut()),
            ("caller", caller.as_mut()),
            ("share", share.as_mut()),
            ("deployer", deployer.as_mut().map(|deployer| &mut deployer.user)),
        ];
        for (field, text) in optional {
            if let Some(text) = text {
                bound(field, text, TEXT, true);
            }
        }
        for deployer in behind.iter_mut().chain(pipeline) {
            bound("behind", &mut deployer.user, TEXT, true);
        }
        bound("host", host, TEXT, true);
        for (field, text) in
            [("verdict", &mut self.verdict), ("policy", &mut self.policy), ("version", &mut self.version)]
        {
            bound(field, text, TEXT, true);
        }
        for (field, texts) in [("informed", &mut self.informed), ("failed", &mut self.failed)] {
            for text in texts {
                bound(field, text, TEXT, true);
            }
        }
        self.cut = cut;
        self
    }

    /// Checks that the record fits into a comment, and that it still will when it says how the deploy ended.
    ///
    /// # Errors
    /// Where it does not, its texts cut.
    pub fn check_fits(&self) -> Result<(), TooLarge> {
        self.clone().bounded().fits_within(BLOCK - LATER)
    }

    /// Checks that the block of a bounded record is no longer than this.
    pub(super) fn fits_within(&self, limit: usize) -> Result<(), TooLarge> {
        let bytes = block(self).len();
        match bytes > limit {
            true => Err(TooLarge { bytes, limit, approvals: self.approvals.len() }),
            false => Ok(()),
        }
    }
}

/// Where a text has to end so that it is written in at most so many bytes; `None` where it is.
fn end_within(text: &str, limit: usize) -> Option<usize> {
    // What fits even if every byte of it were written in full needs no counting.
    if text.len() * 6 <= limit {
        return None;
    }
    let mut used = 0;
    let mut before = None;
    for (at, character) in text.char_indices() {
        used += inert_json_length(character, before);
        if used > limit {
            return Some(at);
        }
        before = Some(character);
    }
    None
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
