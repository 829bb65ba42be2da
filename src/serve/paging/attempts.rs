//! When a call about a page is made again.
//!
//! Responsible for the pauses between calls that were not accepted, for the minute after which a page is said again, and for which calls may
//! still arrive. It is kept in memory alone: after a start all of it is due at once. Not responsible for the calls.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::kept::{PageRow, PageState, Receiver};
use crate::paging::PageKey;

/// How long it is waited before a call is made again that was not accepted; doubled each time, up to [`LONGEST`].
const PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(60);
/// How often an Alertmanager hears that a page goes on.
const REFRESH: Duration = Duration::from_secs(60);
/// For how long a call of which no answer came may still arrive.
const UNSETTLED: Duration = Duration::from_secs(60);

/// The calls to one receiver.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    of: BTreeMap<PageKey, Attempt>,
    /// Before then nothing is sent there: it could not be reached.
    rests: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Attempt {
    failures: u32,
    next: Option<Instant>,
    refreshed: Option<Instant>,
    unsettled: Option<Instant>,
    /// It was closed before a start: a call that was made before that may still arrive.
    was_closed: bool,
}

impl Attempts {
    /// After a start: a call about any of these may be under way still.
    pub(super) fn after_start<'a>(rows: impl Iterator<Item = &'a PageRow>, receiver: Receiver, now: Instant) -> Self {
        let attempt = |row: &PageRow| match row.state {
            // Nothing fired it once it was closed: it is settled a while after that, however often the service is started since.
            PageState::Resolving { .. } => Attempt { was_closed: true, ..Attempt::default() },
            _ => Attempt { unsettled: Some(now + UNSETTLED), ..Attempt::default() },
        };
        let of = rows.filter(|row| row.receiver == receiver).map(|row| (row.page.key.clone(), attempt(row)));
        Self { of: of.collect(), rests: None }
    }

    fn get(&self, key: &PageKey) -> Attempt {
        self.of.get(key).copied().unwrap_or_default()
    }

    fn set(&mut self, key: &PageKey, change: impl FnOnce(&mut Attempt)) {
        change(self.of.entry(key.clone()).or_default());
    }

    /// Whether anything may be sent there now.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.rests.is_none_or(|until| until <= now)
    }

    /// Whether a call about a page may be made now.
    pub(super) fn is_due(&self, key: &PageKey, now: Instant) -> bool {
        self.get(key).next.is_none_or(|next| next <= now)
    }

    /// Whether it is to be said again that a page goes on.
    pub(super) fn is_stale(&self, key: &PageKey, now: Instant) -> bool {
        self.get(key).refreshed.is_none_or(|at| now.duration_since(at) >= REFRESH)
    }

    /// Notes that a page was accepted.
    pub(super) fn accepted(&mut self, key: &PageKey, now: Instant) {
        self.set(key, |attempt| {
            (attempt.failures, attempt.next, attempt.refreshed) = (0, None, Some(now));
        });
    }

    /// Notes that nothing answered as it should; a call that may still arrive counts as that for a while.
    pub(super) fn failed(&mut self, key: &PageKey, may_arrive: bool, now: Instant) {
        self.rests = Some(now + PAUSE);
        self.refused(key, now);
        if may_arrive {
            self.set(key, |attempt| attempt.unsettled = Some(now + UNSETTLED));
        }
    }

    /// Notes that a call was refused by who answers: others need not be.
    pub(super) fn refused(&mut self, key: &PageKey, now: Instant) {
        self.set(key, |attempt| {
            let pause = PAUSE.saturating_mul(1_u32 << attempt.failures.min(5)).min(LONGEST);
            attempt.failures = attempt.failures.saturating_add(1);
            attempt.next = Some(now + pause);
        });
    }

    /// Notes that a page could not be sent for the sake of its task: it is looked at again in a while, and nothing else waits for it.
    pub(super) fn later(&mut self, key: &PageKey, now: Instant) {
        self.set(key, |attempt| attempt.next = Some(now + PAUSE));
    }

    /// Whether an earlier call that fires a page may still arrive after one that resolves it; then it is resolved again once it cannot.
    /// `closed_for` is how long ago it was closed, where the server's clock is known.
    pub(super) fn is_unsettled(&mut self, key: &PageKey, closed_for: Option<Duration>, now: Instant) -> bool {
        let attempt = self.get(key);
        let since_closed = match closed_for {
            Some(passed) => now + UNSETTLED.saturating_sub(passed),
            None => now + PAUSE,
        };
        let unsettled = [attempt.unsettled, attempt.was_closed.then_some(since_closed)];
        let unsettled = unsettled.into_iter().flatten().filter(|until| *until > now).max();
        if let Some(until) = unsettled {
            self.set(key, |attempt| (attempt.failures, attempt.next) = (0, Some(until)));
        }
        unsettled.is_some()
    }

    /// Forgets a page that is over.
    pub(super) fn forget(&mut self, key: &PageKey) {
        self.of.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{TaskId, TransactionId};
    use crate::paging::{Page, PagerKind, Stage};

    fn key() -> PageKey {
        let task = TaskId::new(7).unwrap();
        PageKey { task, episode: TransactionId(3), team: "sre".into(), round: 1, stage: Stage::Page }
    }

    #[test]
    fn what_was_not_accepted_is_tried_again_later_and_later() {
        let (mut attempts, begun) = (Attempts::default(), Instant::now());
        let (mut now, mut pauses) = (begun, Vec::new());
        for _ in 0..6 {
            attempts.failed(&key(), false, now);
            assert!(!attempts.is_due(&key(), now) && !attempts.may_send(now));
            let pause = (1..=60).find(|s| attempts.is_due(&key(), now + Duration::from_secs(*s))).unwrap();
            pauses.push(pause);
            now += Duration::from_secs(pause);
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        attempts.accepted(&key(), now);
        assert!(attempts.is_due(&key(), now) && !attempts.is_stale(&key(), now + Duration::from_secs(59)));
        assert!(attempts.is_stale(&key(), now + REFRESH));
    }

    #[test]
    fn what_may_still_arrive_has_a_page_resolved_again() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        attempts.failed(&key(), true, now);
        let just = Some(Duration::ZERO);
        assert!(attempts.is_unsettled(&key(), just, now + PAUSE));
        assert!(!attempts.is_due(&key(), now + Duration::from_secs(59)) && attempts.is_due(&key(), now + UNSETTLED));
        assert!(!attempts.is_unsettled(&key(), just, now + UNSETTLED));
        attempts.forget(&key());
        attempts.later(&key(), now);
        assert!(
            !attempts.is_due(&key(), now) && attempts.may_send(now + PAUSE) && attempts.is_due(&key(), now + PAUSE)
        );
        attempts.failed(&key(), false, now);
        assert!(!attempts.is_unsettled(&key(), just, now + PAUSE), "one that surely did not arrive");
    }

    #[test]
    fn after_a_start_what_was_closed_long_ago_is_settled_and_what_was_just_now_is_not() {
        let (now, at) = (Instant::now(), crate::evidence::testing::at(0));
        let row = |state| {
            let page = Page { key: key(), due: at, drill: false };
            PageRow { page, receiver: Receiver::Pager(PagerKind::Webhook), first: at, state }
        };
        let started = |state| Attempts::after_start([row(state)].iter(), Receiver::Pager(PagerKind::Webhook), now);
        let (short, long) = (Some(Duration::from_secs(20)), Some(UNSETTLED));
        let mut closed = started(PageState::Sending.resolving(at, true));
        assert!(closed.is_unsettled(&key(), short, now) && closed.is_due(&key(), now + Duration::from_secs(40)));
        assert!(!started(PageState::Sending.resolving(at, true)).is_unsettled(&key(), long, now));
        assert!(
            started(PageState::Sending.resolving(at, true)).is_unsettled(&key(), None, now),
            "nobody knows how long ago"
        );
        // What goes on may have been called right before the start.
        assert!(started(PageState::Fired { at }).is_unsettled(&key(), long, now + PAUSE));
    }

    #[test]
    fn what_is_refused_keeps_nothing_else_from_being_sent() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        attempts.refused(&key(), now);
        let other = PageKey { round: 2, ..key() };
        assert!(attempts.may_send(now) && attempts.is_due(&other, now) && !attempts.is_due(&key(), now));
    }
}
