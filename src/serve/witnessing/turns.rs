//! Whose turn it is of the words that are to be written.
//!
//! Responsible for the order: what one person says about a task is written in the order in which they said it, but a no waits for nothing, and
//! nothing waits for a yes; people take turns, so that however much one of them says, nobody waits for more than one of their words; what was just
//! said goes before what was tried before. Not responsible for what is done with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::spoken::OpenWord;
use crate::witness::WitnessedWord;

/// The shortest and the longest pause before a word is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// What was tried, and whose turn it was.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// When each word that was tried is tried again, and whether who said it was answered.
    tried: BTreeMap<i64, Turn>,
    /// Of each person who has a word open which turn was their last.
    last: BTreeMap<String, u64>,
    /// How many turns there were.
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    next: Instant,
    pause: Duration,
    is_answered: bool,
}

impl Turns {
    /// The word whose turn comes next, and when.
    pub(super) fn next(&mut self, open: Vec<OpenWord>, now: Instant) -> Option<(OpenWord, Instant)> {
        let ids: BTreeSet<i64> = open.iter().map(|word| word.id).collect();
        self.tried.retain(|id, _| ids.contains(id));
        let people: BTreeSet<String> = open.iter().map(who).collect();
        self.last.retain(|who, _| people.contains(who));
        let mut before: BTreeSet<(u64, String)> = BTreeSet::new();
        let mut due = Vec::new();
        for word in open {
            let key = (word.word.task.number(), who(&word));
            let is_after = before.contains(&key);
            if word.word.word != WitnessedWord::Approve {
                before.insert(key);
            }
            // A no waits for nothing.
            if !is_after || word.word.word == WitnessedWord::Reject {
                due.push(word);
            }
        }
        let next = |word: &OpenWord| self.tried.get(&word.id).map(|turn| turn.next);
        // Of those that are due those that were never tried, or that new ones kept waiting for long, of whoever had no turn for longest; of those
        // that are not due the first.
        let order = |word: &OpenWord| {
            let can_wait = next(word).is_some_and(|next| now < next + PAUSES.1);
            (next(word).map_or(now, |next| next.max(now)), can_wait, self.last.get(&who(word)).copied(), word.id)
        };
        let word = due.into_iter().min_by_key(order)?;
        let at = next(&word).unwrap_or(now);
        Some((word, at))
    }

    /// It is the turn of this word.
    pub(super) fn begun(&mut self, word: &OpenWord) {
        self.count += 1;
        self.last.insert(who(word), self.count);
    }

    /// Whether who said it was answered.
    pub(super) fn was_answered(&self, id: i64) -> bool {
        self.tried.get(&id).is_some_and(|turn| turn.is_answered)
    }

    /// A word is tried again, after a longer pause each time.
    pub(super) fn again(&mut self, id: i64, now: Instant, is_answered: bool) {
        let turn = self.tried.entry(id).or_insert(Turn { next: now, pause: PAUSES.0 / 2, is_answered: false });
        turn.pause = (turn.pause * 2).min(PAUSES.1);
        turn.next = now + turn.pause;
        turn.is_answered |= is_answered;
    }
}

/// Who said a word.
fn who(word: &OpenWord) -> String {
    word.word.speaker.as_ref().map(|speaker| speaker.user.to_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::witnessing::tests::word;
    use crate::serve::witnessing::{OpenWord, SpokenState};
    use crate::witness::WitnessedWord::{Approve, Reject, Withdraw};

    fn open(id: i64, user: &str, said: WitnessedWord) -> OpenWord {
        OpenWord { id, word: word(user, said), state: SpokenState::Waiting }
    }

    fn next(turns: &mut Turns, open: &[OpenWord], now: Instant) -> Option<(i64, Instant)> {
        turns.next(open.to_vec(), now).map(|(word, at)| (word.id, at))
    }

    #[test]
    fn what_one_person_says_is_written_in_its_order_but_nothing_waits_for_a_yes() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let said = [open(1, "sre1", Reject), open(2, "SRE1", Withdraw), open(3, "sre2", Reject)];
        assert_eq!(next(&mut turns, &said, now), Some((1, now)));
        turns.again(1, now, false);
        assert_eq!(next(&mut turns, &said, now), Some((3, now)), "the withdrawal waits for the no");
        turns.again(3, now, false);
        assert_eq!(next(&mut turns, &said, now), Some((1, now + PAUSES.0)));
        let said = [open(4, "sre1", Approve), open(5, "sre1", Reject)];
        turns.again(4, now, false);
        assert_eq!(next(&mut turns, &said, now), Some((5, now)));
        let said = [open(6, "sre1", Withdraw), open(7, "sre1", Reject), open(8, "sre1", Approve)];
        turns.again(6, now, false);
        assert_eq!(next(&mut turns, &said, now), Some((7, now)), "a no waits for nothing");
        turns.again(7, now, false);
        assert_ne!(next(&mut turns, &said, now).map(|(id, _)| id), Some(8));
        assert_eq!(next(&mut turns, &[], now), None);
    }

    #[test]
    fn what_fails_is_tried_ever_more_seldom_and_what_is_new_goes_before_it() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        for _ in 0..10 {
            turns.again(1, now, true);
        }
        assert!(turns.was_answered(1) && !turns.was_answered(2));
        let old = open(1, "sre1", Reject);
        assert_eq!(next(&mut turns, std::slice::from_ref(&old), now), Some((1, now + PAUSES.1)));
        let later = now + PAUSES.1 * 2;
        let both = [old, open(2, "sre1", Reject)];
        assert_eq!(next(&mut turns, &both, now + PAUSES.1).map(|(id, _)| id), Some(2));
        assert_eq!(next(&mut turns, &both, later).map(|(id, _)| id), Some(1), "not for ever");
    }

    #[test]
    fn whoever_says_much_keeps_nobody_waiting_for_more_than_one_word() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        let mut said: Vec<OpenWord> = (0..100).map(|id| open(id, "deployer1", Reject)).collect();
        let take = |said: &mut Vec<OpenWord>, turns: &mut Turns| {
            let (word, _) = turns.next(said.clone(), now).unwrap();
            turns.begun(&word);
            said.retain(|other| other.id != word.id);
            word.id
        };
        assert_eq!(take(&mut said, &mut turns), 0);
        said.extend([open(200, "sre2", Reject), open(201, "sre1", Reject), open(202, "SRE2", Reject)]);
        let order: Vec<i64> = (0..5).map(|_| take(&mut said, &mut turns)).collect();
        assert_eq!(order, [200, 201, 1, 202, 2]);
        // What is tried again comes too, though the other never stops.
        turns.again(300, now, true);
        said.push(open(300, "sre1", Reject));
        let mut next = |after| turns.next(said.clone(), now + after).map(|(word, _)| word.id);
        assert_eq!((next(PAUSES.0), next(PAUSES.0 + PAUSES.1)), (Some(3), Some(300)));
    }
}
