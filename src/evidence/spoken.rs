//! What each version of a comment says by its form, whatever the policy.
//!
//! Responsible for reading it once: a state is read several times, up to one moment and another, and to split a text as
//! Remarkup shows it takes its time. Not responsible for whether it counts ([`super::answers`]), nor for what a near miss
//! reads as.

use super::near_miss::{NearCandidate, candidates, lone_approval};
use super::trailers::{self, Key};

/// What a text says that may be an answer.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    approve: Option<String>,
    withdraw: Option<String>,
    reject: Option<String>,
    /// The line and the value of an approval that is all that the text says, and missed by its form alone.
    pub(super) lone_approval: Option<(String, String)>,
    /// The lines that may be near misses.
    pub(super) candidates: Vec<NearCandidate>,
}

impl Spoken {
    /// Reads a text.
    pub(super) fn of(text: &str) -> Self {
        let last = |key| trailers::last(text, key).map(str::to_owned);
        Self {
            approve: last(Key::Approve),
            withdraw: last(Key::Withdraw),
            reject: last(Key::Reject),
            lone_approval: lone_approval(text).map(|(line, value)| (line.to_owned(), value)),
            candidates: candidates(text),
        }
    }

    /// The value of the approval by the letter.
    pub(super) fn approve(&self) -> Option<&str> {
        self.approve.as_deref()
    }

    /// The value of the withdrawal by the letter.
    pub(super) fn withdraw(&self) -> Option<&str> {
        self.withdraw.as_deref()
    }

    /// The value of the rejection by the letter.
    pub(super) fn reject(&self) -> Option<&str> {
        self.reject.as_deref()
    }
}
