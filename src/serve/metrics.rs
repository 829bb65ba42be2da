//! What the watch counts.
//!
//! Responsible for the counters. Not responsible for how they are shown.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, many: usize) {
        self.0.fetch_add(many as u64, Ordering::Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the watch counts since it was started.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Readings of the feed that gave something usable.
    pub polls: Counter,
    /// Those that did not.
    pub failed_polls: Counter,
    /// Tasks that were looked at.
    pub looks: Counter,
    /// Those that could not be read.
    pub failed_looks: Counter,
    /// Changes of where a task stands.
    pub changes: Counter,
    /// Tasks that only the listing found.
    pub swept: Counter,
    /// Comments that were found edited or removed by reading them again.
    pub reread: Counter,
    /// Calls of the webhook with a good signature.
    pub hooks: Counter,
    /// Those without one.
    pub bad_hooks: Counter,
    /// Notices that are on their task.
    pub said: Counter,
    /// Notices that were given up.
    pub given_up: Counter,
}
