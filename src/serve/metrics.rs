//! What the watch counts.
//!
//! Responsible for the counters. Not responsible for how they are shown.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::SignedDuration;

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

/// Spans of time, by how many are not longer than each bound.
#[derive(Debug, Default)]
pub struct Histogram {
    within: [Counter; BOUNDS.len()],
    count: Counter,
    seconds: Counter,
}

/// The bounds of a histogram, in seconds: of what people need to answer.
pub const BOUNDS: [u64; 8] = [60, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400];

impl Histogram {
    /// One more span. What is negative, by clocks that differ, counts as none.
    pub fn observe(&self, span: SignedDuration) {
        let seconds = u64::try_from(span.as_secs()).unwrap_or_default();
        for (bound, within) in BOUNDS.iter().zip(&self.within) {
            within.add(usize::from(seconds <= *bound));
        }
        self.count.increment();
        self.seconds.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// How many spans are not longer than each bound, how many there are, and how many seconds they have together.
    pub fn get(&self) -> (Vec<(u64, u64)>, u64, u64) {
        let within = BOUNDS.iter().zip(&self.within).map(|(bound, within)| (*bound, within.get())).collect();
        (within, self.count.get(), self.seconds.get())
    }
}

/// Counters by a word that the policy has.
#[derive(Debug, Default)]
pub struct ByWord(Mutex<BTreeMap<String, u64>>);

impl ByWord {
    /// One more of each.
    pub fn increment<'a>(&self, words: impl Iterator<Item = &'a str>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for word in words {
            *counts.entry(word.to_owned()).or_default() += 1;
        }
    }

    /// How many of each.
    pub fn get(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    /// Pages that a pager accepted.
    pub pages_fired: Counter,
    /// Those of which one accepted that they are over.
    pub pages_resolved: Counter,
    /// Calls to pagers of which it is not clear whether they arrived.
    pub pages_unclear: Counter,
    /// Pages that were given up, since nobody could be called.
    pub pages_given_up: Counter,
    /// How long it took from a page until somebody of the team answered.
    pub acknowledged: Histogram,
    /// How long it took from the beginning of an emergency until it had all approvals.
    pub approved: Histogram,
    /// Deploys of pipelines that were refused, by the rules that were not met.
    pub refused: ByWord,
    /// What was said on IRC about a deploy, by what became of it.
    pub spoken: ByWord,
    /// How many seconds after the change the last call of the webhook came.
    pub hook_lag: AtomicU64,
    /// The server refuses the token of the service.
    pub token_refused: AtomicBool,
    /// Whether the bot is in all its channels; `None` where there is none.
    irc: Mutex<Option<bool>>,
    /// The bot is in the channel in which people are asked.
    pub irc_hears: AtomicBool,
    /// The bot is to have a services account, and has none.
    pub irc_lacks_account: AtomicBool,
    /// The bot is on the network under another nick than its own.
    pub irc_lacks_nick: AtomicBool,
    /// What is to be said in the channel is not taken, though the bot is there.
    pub irc_is_mute: AtomicBool,
}

impl Metrics {
    /// Notes whether the bot is in all its channels.
    pub fn set_irc(&self, is_there: bool) {
        *self.irc.lock().unwrap_or_else(PoisonError::into_inner) = Some(is_there);
    }

    /// Whether the bot is in all its channels; `None` where there is none.
    pub fn irc(&self) -> Option<bool> {
        *self.irc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the bot is where it is to speak, and what it says there is taken, as far as that was tried.
    pub fn speaks_on_irc(&self) -> bool {
        self.irc() == Some(true) && !self.irc_is_mute.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_within_every_bound_that_it_does_not_pass() {
        let histogram = Histogram::default();
        for seconds in [60, 61, 20_000, -5] {
            histogram.observe(SignedDuration::from_secs(seconds));
        }
        let (within, count, seconds) = histogram.get();
        assert_eq!((within[0], within[1], within[7]), ((60, 2), (300, 3), (14_400, 3)));
        assert_eq!((count, seconds), (4, 20_121));
    }
}
