//! Parts of the work that are done elsewhere, and come back in any order.
//!
//! Responsible for handing them over and taking them back in the order in which they were handed over. Not responsible
//! for who does the work.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

use super::population::AuditError;

/// A part with its place in the order.
pub(super) type Numbered<T> = (usize, T);

/// What was handed over and has not come back.
pub(super) struct OrderedQueue<G, T> {
    give: Sender<Numbered<G>>,
    take: Receiver<Numbered<T>>,
    given: usize,
    taken: usize,
    /// What came back before its turn.
    early: BTreeMap<usize, T>,
}

impl<G, T> OrderedQueue<G, T> {
    /// A line to whoever takes from the other end of `give` and answers to that of `take`.
    pub(super) fn new(give: Sender<Numbered<G>>, take: Receiver<Numbered<T>>) -> Self {
        Self { give, take, given: 0, taken: 0, early: BTreeMap::new() }
    }

    /// Hands a part over.
    ///
    /// # Errors
    /// Where nobody is there to take it.
    pub(super) fn give(&mut self, part: G) -> Result<(), AuditError> {
        self.give.send((self.given, part)).map_err(|_| AuditError::Stopped)?;
        self.given += 1;
        Ok(())
    }

    /// How many parts were handed over and not taken back.
    pub(super) fn waiting(&self) -> usize {
        self.given - self.taken
    }

    /// The next part in order; `None` where none is to come, or it is not there yet and there is no reason to `wait`.
    ///
    /// # Errors
    /// Where it will never come.
    pub(super) fn take(&mut self, wait: bool) -> Result<Option<T>, AuditError> {
        while self.waiting() > 0 {
            if let Some(part) = self.early.remove(&self.taken) {
                self.taken += 1;
                return Ok(Some(part));
            }
            let come =
                if wait { self.take.recv().map_err(|_| TryRecvError::Disconnected) } else { self.take.try_recv() };
            match come {
                Ok((number, part)) => drop(self.early.insert(number, part)),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(AuditError::Stopped),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn parts_that_come_back_in_any_order_are_taken_in_theirs() {
        let (give, given) = channel();
        let (done, take) = channel();
        let mut line = OrderedQueue::new(give, take);
        assert_eq!(line.take(true).unwrap(), None, "nothing was handed over");
        "abcd".chars().for_each(|part| line.give(part).unwrap());
        assert_eq!(given.try_iter().collect::<Vec<_>>(), [(0, 'a'), (1, 'b'), (2, 'c'), (3, 'd')]);
        done.send((2, 'C')).unwrap();
        done.send((1, 'B')).unwrap();
        assert_eq!(line.take(false).unwrap(), None, "the first is not there yet");
        done.send((0, 'A')).unwrap();
        let taken: String = (0..3).filter_map(|_| line.take(true).unwrap()).collect();
        assert_eq!((taken.as_str(), line.waiting()), ("ABC", 1));
        // The last never comes: it is not left out in silence.
        drop(done);
        assert!(matches!(line.take(true), Err(AuditError::Stopped)));
        assert!(matches!(line.take(false), Err(AuditError::Stopped)));
        drop(given);
        assert!(matches!(line.give('e'), Err(AuditError::Stopped)));
    }
}
