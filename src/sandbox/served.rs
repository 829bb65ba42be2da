//! The calls that were served: the last ones, and how many there were of each method.
//!
//! Responsible for the bounds, so that the sandbox does not grow with every call. Not for what a call did.

use std::collections::{BTreeMap, VecDeque};

use super::fault::FaultKind;

/// How many of the calls that were served are remembered, and how much of the name of each, in bytes.
const REMEMBERED: usize = 10_000;
pub(super) const LONGEST_NAME: usize = 100;
/// How many methods are counted, each by its name. Further ones, which no server knows, are counted as one.
const COUNTED: usize = 1_000;

/// A call that was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The method.
    pub method: String,
    /// What went wrong with it on purpose.
    pub fault: Option<FaultKind>,
}

/// The last calls that were served, how many came before them, and how many there were of each method.
#[derive(Default)]
pub(super) struct Log {
    forgotten: usize,
    calls: VecDeque<Served>,
    counts: BTreeMap<String, usize>,
}

impl Log {
    /// The last calls, in the order in which they came.
    pub(super) fn calls(&self) -> Vec<Served> {
        self.calls.iter().cloned().collect()
    }

    /// How many calls of each method there were.
    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.clone()
    }

    fn count(&mut self, method: &str) {
        let known = self.counts.len() < COUNTED || self.counts.contains_key(method);
        *self.counts.entry(if known { method } else { "others" }.to_owned()).or_default() += 1;
    }

    /// Adds a call, and returns its number among all.
    pub(super) fn push(&mut self, call: Served) -> usize {
        self.count(&call.method);
        if self.calls.len() == REMEMBERED {
            self.calls.pop_front();
            self.forgotten += 1;
        }
        self.calls.push_back(call);
        self.forgotten + self.calls.len()
    }

    /// Says what went wrong with the call of this number, where it is still remembered.
    pub(super) fn set_fault(&mut self, number: usize, fault: FaultKind) {
        let at = number.checked_sub(self.forgotten + 1);
        if let Some(call) = at.and_then(|at| self.calls.get_mut(at)) {
            call.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_served_calls_keeps_the_last_ones() {
        let mut log = Log::default();
        let call = |number: usize| Served { method: number.to_string(), fault: None };
        for number in 1..=REMEMBERED + 5 {
            assert_eq!(log.push(call(number)), number);
        }
        assert_eq!((log.calls.len(), log.calls.front()), (REMEMBERED, Some(&call(6))));
        let counts = log.counts();
        assert_eq!((counts.len(), counts.values().sum::<usize>()), (COUNTED + 1, REMEMBERED + 5));
        assert_eq!(counts["others"], REMEMBERED + 5 - COUNTED);
        log.set_fault(3, FaultKind::TooLarge);
        log.set_fault(REMEMBERED + 5, FaultKind::TooLarge);
        let struck: Vec<_> = log.calls.iter().filter(|call| call.fault.is_some()).map(|call| &call.method).collect();
        assert_eq!(struck, [&(REMEMBERED + 5).to_string()]);
    }
}
