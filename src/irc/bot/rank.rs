//! Whose line comes first of those that wait to be said.
//!
//! Responsible for what a line is to those who wait for others, for how many of a kind may wait, and for the turns that they take. Not responsible
//! for the lines themselves, nor for how fast they are said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many lines of one kind wait at most.
const MOST: usize = 64;
/// How many answers to one person that something was done, or what became of a word.
const MOST_DONE_TO_ONE: usize = 4;
/// How many other answers to one person, or to one host.
const MOST_CHAT_TO_ONE: usize = 2;
/// For how long who was answered comes after those who were not: as long as an answer is waited for.
const LATELY: Duration = Duration::from_secs(15);

/// What a line is to those who wait for others. Who is answered is a key and no more: who has the same takes turns as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rank {
    /// The bot says it by itself: it waits for one answer that something was done at most.
    News,
    /// It answers this person, who is listed with the watch, that something was done: it takes turns with news, and waits for nothing else.
    Done(String),
    /// It answers this person, who is listed with the watch: it waits for no stranger.
    Listed(String),
    /// It answers anybody else, from this host: nicks and accounts cost nothing.
    Stranger(String),
}

/// What an answer says of what became of a word about a deploy, which is known by a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// Nothing is known yet of this word.
    Interim(i64),
    /// It says nothing of that.
    Other,
    /// The end of it; the number where something may have been said of it before. It takes the room of what is not final.
    Final(Option<i64>),
}

impl Finality {
    /// Whether it says the end of something.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Final(_))
    }

    /// Whether this is what the end of a word takes the place of.
    pub(super) fn is_before(self, end: Self) -> bool {
        matches!((self, end), (Self::Interim(word), Self::Final(Some(of))) if word == of)
    }

    /// What goes first where there is no room.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::Interim(_) => 0,
            Self::Other => 1,
            Self::Final(_) => 2,
        }
    }
}

impl Rank {
    /// Whether one more may wait beside these. What is more than can be said in time is taken back by who waits for it.
    pub(super) fn has_room<'a>(&self, finality: Finality, others: impl Iterator<Item = &'a Self> + Clone) -> bool {
        let alike = others.clone().filter(|other| *other == self).count();
        let of_kind = others.filter(|other| other.is_of_kind(self)).count();
        let most_alike = match self {
            Self::News => MOST,
            Self::Done(_) => MOST_DONE_TO_ONE,
            Self::Listed(_) | Self::Stranger(_) if finality.is_final() => MOST_DONE_TO_ONE,
            Self::Listed(_) | Self::Stranger(_) => MOST_CHAT_TO_ONE,
        };
        of_kind < MOST && alike < most_alike
    }

    /// Whether it is one to whomever of the same kind.
    pub(super) fn is_of_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What is said before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// News, and the first answer to each person that something was done.
    First,
    /// Another first answer to a person who is listed.
    Listed,
    /// Answers to strangers, and further ones to who was answered so a moment ago: nobody silences others by asking on and on.
    Rest,
}

/// Where a line comes among those that wait: the smallest is next, and of several the oldest. Of a class two kinds take turns, and of a kind whoever
/// was answered longest ago comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(Class, bool, Option<usize>);

/// What was said a moment ago, oldest first.
#[derive(Debug, Default)]
pub(super) struct Turns(VecDeque<(Rank, Instant)>);

impl Turns {
    /// Whose turn it is with a line of this rank.
    pub(super) fn of(&self, rank: &Rank, now: Instant) -> Turn {
        let is_lately = |at: &usize| now.saturating_duration_since(self.0[*at].1) < LATELY;
        let lately = self.0.iter().rposition(|(said, _)| said == rank).filter(is_lately);
        let mut last = self.0.iter().rev().map(|(said, _)| said);
        let news_was_last = last.clone().next() == Some(&Rank::News);
        let stranger_was_last = matches!(last.find(|said| !matches!(said, Rank::News)), Some(Rank::Stranger(_)));
        match (rank, lately) {
            (Rank::News, _) => Turn(Class::First, news_was_last, None),
            (Rank::Done(_), None) => Turn(Class::First, !news_was_last, None),
            (Rank::Listed(_), None) => Turn(Class::Listed, false, None),
            (Rank::Done(_) | Rank::Listed(_), Some(_)) => Turn(Class::Rest, !stranger_was_last, lately),
            (Rank::Stranger(_), _) => Turn(Class::Rest, stranger_was_last, lately),
        }
    }

    /// A line of this rank has its turn.
    pub(super) fn take(&mut self, rank: Rank, now: Instant) {
        self.0.retain(|(_, at)| now.saturating_duration_since(*at) < LATELY);
        self.0.push_back((rank, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time from one line to the next.
    const PACE: Duration = Duration::from_secs(2);

    /// Lines that wait, and those who have one more waiting as soon as there is room.
    struct Queue {
        turns: Turns,
        waiting: VecDeque<Rank>,
        flood: Vec<Rank>,
        now: Instant,
    }

    impl Queue {
        fn flooded_by(flood: &[Rank]) -> Self {
            let mut queue =
                Self { turns: Turns::default(), waiting: VecDeque::new(), flood: flood.to_vec(), now: Instant::now() };
            // It was for long.
            for _ in 0..20 {
                queue.says();
            }
            queue
        }

        fn add(&mut self, rank: Rank) -> bool {
            let has_room = rank.has_room(Finality::Other, self.waiting.iter());
            self.waiting.extend(has_room.then_some(rank));
            has_room
        }

        /// What is said next.
        fn says(&mut self) -> Rank {
            for rank in self.flood.clone() {
                while self.add(rank.clone()) {}
            }
            let waiting = self.waiting.iter().enumerate();
            let (at, _) = waiting.min_by_key(|(_, rank)| self.turns.of(rank, self.now)).unwrap();
            let rank = self.waiting.remove(at).unwrap();
            self.turns.take(rank.clone(), self.now);
            self.now += PACE;
            rank
        }

        /// After how many others a line is said that is added now.
        fn waits(&mut self, rank: &Rank) -> usize {
            assert!(self.add(rank.clone()), "{rank:?} has no room");
            (0..100).take_while(|_| self.says() != *rank).count()
        }
    }

    fn done(person: &str) -> Rank {
        Rank::Done(person.to_owned())
    }

    fn listed(person: &str) -> Rank {
        Rank::Listed(person.to_owned())
    }

    fn stranger(host: &str) -> Rank {
        Rank::Stranger(host.to_owned())
    }

    fn strangers(many: usize) -> Vec<Rank> {
        (0..many).map(|number| stranger(&format!("host{number}"))).collect()
    }

    #[test]
    fn who_is_listed_waits_for_no_stranger_however_many_there_are() {
        let mut queue = Queue::flooded_by(&strangers(100));
        assert_eq!(queue.waits(&listed("sre1")), 0);
        assert_eq!(queue.waits(&done("sre1")), 0);
        // Who asks on waits for one at most.
        assert!(queue.waits(&listed("sre1")) <= 1);
        for number in 0..7 {
            assert!(queue.add(listed(&format!("member{number}"))));
        }
        let next: Vec<Rank> = (0..7).map(|_| queue.says()).collect();
        assert!(next.iter().all(|rank| matches!(rank, Rank::Listed(_))), "{next:?}");
    }

    #[test]
    fn strangers_take_turns_by_their_host() {
        let mut queue = Queue::flooded_by(&strangers(3));
        assert_eq!(queue.waits(&stranger("other")), 0);
        let next: Vec<Rank> = (0..6).map(|_| queue.says()).collect();
        assert!((0..3).all(|at| next[at] == next[at + 3] && next[at] != next[(at + 1) % 3]), "{next:?}");
    }

    #[test]
    fn who_is_listed_silences_nobody_by_asking_on_and_on() {
        let mut queue = Queue::flooded_by(&[done("flood"), listed("flood"), done("other"), listed("other")]);
        assert_eq!(queue.waits(&Rank::News), 0);
        assert_eq!(queue.waits(&done("sre1")), 0);
        assert_eq!(queue.waits(&listed("sre2")), 0);
        assert!(queue.waits(&listed("sre2")) <= 4);
        assert!(queue.waits(&stranger("host")) <= 1);
        assert!(queue.waits(&stranger("host")) <= 1);
    }

    #[test]
    fn news_and_first_answers_that_something_is_done_take_turns() {
        let mut queue = Queue::flooded_by(&[Rank::News]);
        let people = ["sre1", "sre2", "sre3"].map(done);
        assert!(people.iter().all(|rank| queue.add(rank.clone())));
        let next: Vec<Rank> = (0..5).map(|_| queue.says()).collect();
        let [first, second, third] = people;
        assert_eq!(next, [first, Rank::News, second, Rank::News, third]);
    }

    #[test]
    fn neither_kind_takes_the_room_of_another_and_none_may_wait_without_end() {
        let mut waiting = Vec::new();
        let mut add = |rank: Rank| {
            let has_room = rank.has_room(Finality::Other, waiting.iter());
            waiting.extend(has_room.then_some(rank));
            has_room
        };
        for make in [done as fn(&str) -> Rank, listed, stranger] {
            let most_to_one = if make("a") == done("a") { MOST_DONE_TO_ONE } else { MOST_CHAT_TO_ONE };
            let of_one = (0..100).filter(|_| add(make("a"))).count();
            assert_eq!(of_one, most_to_one);
            assert_eq!(of_one + (0..100).filter(|number| add(make(&number.to_string()))).count(), MOST);
        }
        assert_eq!((0..100).filter(|_| add(Rank::News)).count(), MOST);
    }
}
