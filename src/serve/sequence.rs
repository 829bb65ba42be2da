//! The numbers of changes, which the store gives out and no restart gives twice.
//!
//! Responsible for taking them from the store in blocks. Not responsible for what they number.

use std::sync::{Mutex, PoisonError};

use super::shared::SharedStore;
use super::store::{Store, StoreError};

/// How many are taken from the store at once.
const BLOCK: u64 = 1_000;

/// The numbers that were taken and not given out.
#[derive(Debug)]
pub(super) struct Sequence(Mutex<std::ops::Range<u64>>);

impl Sequence {
    /// Takes the first of them.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub(super) fn new<S: Store>(store: &SharedStore<S>) -> Result<Self, StoreError> {
        Ok(Self(Mutex::new(Self::block(store)?)))
    }

    fn block<S: Store>(store: &SharedStore<S>) -> Result<std::ops::Range<u64>, StoreError> {
        let first = store.with(|store| store.take_sequence(BLOCK))?;
        Ok(first..first.saturating_add(BLOCK))
    }

    /// The next number.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub(super) fn next<S: Store>(&self, store: &SharedStore<S>) -> Result<u64, StoreError> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = left.next() {
            return Ok(next);
        }
        *left = Self::block(store)?;
        Ok(left.next().unwrap_or_default())
    }
}
