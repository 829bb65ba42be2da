//! How many emergencies that nobody confirmed are asked for.
//!
//! Responsible for an account that is not trusted having teams asked about three of its emergencies an hour at most, so that who tags tasks
//! again and again fills no channel; pages it causes none at all. It is kept in memory: after a start what was asked is taken from the
//! store. Not responsible for who is trusted ([`crate::paging`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{TaskId, TransactionId};

/// How many an hour.
const MOST: usize = 3;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The emergencies of the last hour for which teams were asked though nobody confirmed them, with who opened them.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    let_through: BTreeMap<(TaskId, TransactionId), (String, Timestamp)>,
}

impl Strangers {
    /// Whether teams are asked for an emergency that this account opened; `asked` is when they were first.
    pub(super) fn lets_through(
        &mut self,
        episode: (TaskId, TransactionId),
        opened_by: &str,
        asked: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        self.let_through.retain(|_, (_, at)| now.duration_since(*at) < HOUR);
        if self.let_through.contains_key(&episode) {
            return true;
        }
        let theirs = self.let_through.values().filter(|(account, _)| account == opened_by).count();
        if asked.is_none() && theirs >= MOST {
            return false;
        }
        self.let_through.insert(episode, (opened_by.to_owned(), asked.unwrap_or(now)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::at;

    #[test]
    fn an_account_that_is_not_trusted_is_asked_for_three_times_an_hour() {
        let mut strangers = Strangers::default();
        let episode = |number: u64| (TaskId::new(number).unwrap(), TransactionId(number));
        let mut ask = |number, account, second| strangers.lets_through(episode(number), account, None, at(second));
        assert!((1..=3).all(|number| ask(number, "outsider", 60)));
        assert!((4..=50).all(|number| !ask(number, "outsider", 120)));
        assert!(ask(2, "outsider", 130), "all its teams, and again, for what was let through");
        assert!(ask(60, "other", 130), "another account has three of its own");
        assert!(!ask(4, "outsider", 3_659));
        assert!(ask(4, "outsider", 3_660));
    }

    #[test]
    fn what_was_asked_before_a_start_counts_after_it() {
        let mut strangers = Strangers::default();
        let episode = |number: u64| (TaskId::new(number).unwrap(), TransactionId(number));
        for number in 1..=3 {
            assert!(strangers.lets_through(episode(number), "outsider", Some(at(0)), at(600)));
        }
        assert!(!strangers.lets_through(episode(4), "outsider", None, at(600)));
        assert!(strangers.lets_through(episode(4), "outsider", None, at(3_600)), "an hour after it was asked");
    }
}
