//! What the store is given of each step of writing one word.
//!
//! Responsible for what is under way being known after a restart, so that no word is written twice. Not responsible for the order of sending
//! and looking ([`crate::publish`]).

use jiff::Timestamp;

use super::spoken::{SpokenState, SpokenWord};
use crate::crash;
use crate::journal::ServerAnswer;
use crate::publish::{Known, Placed, PublishLog, PublishProgress};
use crate::serve::shared::SharedStore;
use crate::serve::store::{Store, StoreError};
use crate::time::ServerClock;

/// What is known of a word that is to be written, where it still is.
pub(super) fn known(state: &SpokenState) -> Option<Known> {
    Some(match state.clone() {
        SpokenState::Waiting => Known::Absent,
        SpokenState::Unclear { why, settle_at, answer } => Known::Unknown { why, settle_at, answer },
        SpokenState::Refused { why, seen } => Known::Refused { why, seen },
        SpokenState::Recorded { .. } | SpokenState::NotCounted { .. } => return None,
    })
}

/// Keeps each step of one word.
pub(super) struct SpokenLog<'a, S: Store> {
    pub(super) store: &'a SharedStore<S>,
    pub(super) id: i64,
    pub(super) word: &'a SpokenWord,
    pub(super) state: SpokenState,
    /// The clock that the word was heard by.
    pub(super) clock: ServerClock,
    /// It is only looked for.
    pub(super) is_over: bool,
}

impl<S: Store> SpokenLog<'_, S> {
    fn set(&mut self, state: SpokenState) -> Result<(), StoreError> {
        self.store.with(|store| store.set_spoken(self.id, &state))?;
        self.state = state;
        Ok(())
    }

    /// Why the last attempt was refused.
    fn last_why(&self) -> String {
        match &self.state {
            SpokenState::Unclear { why, .. } | SpokenState::Refused { why, .. } => why.clone(),
            _ => "the server refused it".to_owned(),
        }
    }
}

impl<S: Store> PublishLog<Placed> for SpokenLog<'_, S> {
    type Error = StoreError;

    fn is_due(&mut self) -> Result<bool, StoreError> {
        if self.is_over || !self.word.may_be_sent(self.clock.at(Timestamp::now())) {
            return Ok(false);
        }
        // What they said after a yes goes before it, whenever it came.
        self.store.with(|store| store.is_superseded(self.id, self.word)).map(|is_superseded| !is_superseded)
    }

    fn note(&mut self, _: Timestamp, progress: PublishProgress<'_, Placed>) -> Result<(), StoreError> {
        match progress {
            PublishProgress::Sending { settle_at } => {
                let why = "the service was stopped while it was being sent".to_owned();
                self.set(SpokenState::Unclear { why, settle_at, answer: ServerAnswer::Unclear })?;
                crash::point("after-sending-witness");
                Ok(())
            }
            PublishProgress::NotSent { .. } | PublishProgress::Missing { .. } => self.set(SpokenState::Waiting),
            PublishProgress::Answered { why, settle_at, answer } => {
                crash::point("after-post-witness");
                self.set(SpokenState::Unclear { why: why.to_owned(), settle_at, answer })
            }
            PublishProgress::Waiting { .. } => Ok(()),
            PublishProgress::Refused { seen, .. } => {
                let why = self.last_why();
                self.set(SpokenState::Refused { why, seen: seen.clone() })
            }
            PublishProgress::Confirmed(placed) => {
                self.set(SpokenState::Recorded { transaction: placed.transaction })?;
                crash::point("after-delivered-witness");
                Ok(())
            }
        }
    }
}
