//! How many calls are made at once: as many as was asked for, fewer where the server says that it has too much to do.
//!
//! Whoever is answered 429 or 503 halves the number, and everybody waits as long as the server asks; after a while of
//! good answers it grows again, by one at a time. Responsible for that. Not responsible for which calls are made again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many good answers, for each call at once, make it one more.
const MAX_DELAY: usize = 8;
/// How long all wait at first where the server does not say; twice as long each time that it has too much to do still.
const PAUSE: Duration = Duration::from_millis(500);
/// How long all wait at most.
const LONGEST: Duration = Duration::from_secs(15);

/// The pace of a client. Clones of the client keep it together.
#[derive(Debug)]
pub(super) struct AdaptiveConcurrency {
    most: usize,
    permits: Arc<Semaphore>,
    state: Mutex<PaceState>,
}

#[derive(Debug)]
struct PaceState {
    allowed: usize,
    /// Permits that are out and are not given back.
    owed: usize,
    good: usize,
    /// How often in a row the server had too much to do.
    refused: u32,
    not_before: Option<Instant>,
}

/// The right to make a call.
pub(super) struct Permit<'a> {
    pace: &'a AdaptiveConcurrency,
    permit: Option<OwnedSemaphorePermit>,
}

impl AdaptiveConcurrency {
    /// So many calls at once at most.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = PaceState { allowed: most, owed: 0, good: 0, refused: 0, not_before: None };
        Self { most, permits: Arc::new(Semaphore::new(most)), state: Mutex::new(state) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, PaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call may be made.
    pub(super) async fn turn(&self) -> Permit<'_> {
        // It is never closed; were it, calls would go out as if there were no pace.
        let permit = self.permits.clone().acquire_owned().await.ok();
        loop {
            let wait = self.state().not_before.filter(|until| *until > Instant::now());
            match wait {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return Permit { pace: self, permit },
            }
        }
    }

    /// The server has too much to do: `asked` is how long it asks to wait.
    pub(super) fn slow(&self, asked: Option<Duration>) {
        let mut state = self.state();
        let pause = PAUSE.saturating_mul(1 << state.refused.min(8));
        let until = Instant::now() + asked.unwrap_or(pause).min(LONGEST);
        // Calls that were under way together are refused together: that is once.
        if state.not_before.is_none_or(|before| before <= Instant::now()) {
            state.refused += 1;
        }
        state.not_before = Some(state.not_before.map_or(until, |before| before.max(until)));
        let fewer = (state.allowed / 2).max(1);
        let too_many = state.allowed - fewer;
        let free = self.permits.forget_permits(too_many);
        state.owed += too_many - free;
        state.allowed = fewer;
        state.good = 0;
    }

    /// The server answered well.
    pub(super) fn well(&self) {
        let mut state = self.state();
        state.good += 1;
        state.refused = 0;
        if state.allowed < self.most && state.good >= state.allowed * MAX_DELAY {
            state.good = 0;
            state.allowed += 1;
            match state.owed {
                0 => self.permits.add_permits(1),
                _ => state.owed -= 1,
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        if let Some(permit) = self.permit.take()
            && state.owed > 0
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn at_once(pace: &AdaptiveConcurrency) -> usize {
        let mut turns = Vec::new();
        // Those that are free come at once; the rest would wait.
        while pace.permits.available_permits() > 0 {
            turns.push(pace.turn().await);
        }
        turns.len()
    }

    #[tokio::test]
    async fn too_much_to_do_halves_it_and_good_answers_make_it_grow_by_one() {
        let pace = AdaptiveConcurrency::new(4);
        assert_eq!(at_once(&pace).await, 4);
        pace.slow(Some(Duration::ZERO));
        assert_eq!(at_once(&pace).await, 2);
        pace.slow(Some(Duration::ZERO));
        pace.slow(Some(Duration::ZERO));
        assert_eq!(at_once(&pace).await, 1);
        for _ in 0..MAX_DELAY {
            pace.well();
        }
        assert_eq!(at_once(&pace).await, 2);
        for _ in 0..100 * MAX_DELAY {
            pace.well();
        }
        assert_eq!(at_once(&pace).await, 4);
    }

    #[tokio::test]
    async fn calls_that_are_under_way_count() {
        let pace = AdaptiveConcurrency::new(4);
        let (one, two) = (pace.turn().await, pace.turn().await);
        let (three, four) = (pace.turn().await, pace.turn().await);
        pace.slow(Some(Duration::ZERO));
        drop((one, two));
        assert_eq!(pace.permits.available_permits(), 0);
        drop(three);
        assert_eq!(pace.permits.available_permits(), 1);
        drop(four);
        assert_eq!(at_once(&pace).await, 2);
    }

    #[tokio::test]
    async fn everybody_waits_as_long_as_the_server_asks() {
        let pace = AdaptiveConcurrency::new(2);
        pace.slow(Some(Duration::from_millis(30)));
        let until = pace.state().not_before.unwrap();
        let _turn = pace.turn().await;
        assert!(Instant::now() >= until);
    }
}
