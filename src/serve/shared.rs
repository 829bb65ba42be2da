//! The store as the tasks of the service share it.
//!
//! Responsible for one of them using it at a time, and for keeping what waits for a disk off the threads on which requests are answered.

use std::sync::{Arc, Mutex, PoisonError};

use super::store::Store;
use crate::journal::off_async;

/// A store that several tasks use. Cheap to clone.
#[derive(Debug)]
pub struct SharedStore<S>(Arc<Mutex<S>>);

impl<S> Clone for SharedStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Store> SharedStore<S> {
    /// Shares a store.
    pub fn new(store: S) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// Does something with it, alone.
    pub fn with<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        // What a panic left half done SQLite rolled back.
        off_async(|| work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}
