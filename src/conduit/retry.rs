//! Trying reads again: full jitter, a bounded number of attempts, Retry-After within reason, never past the deadline.
//!
//! Not responsible for writes: one is sent again only by the rule of exactly-once, which [`crate::publish`] keeps.

use std::time::Duration;

use backon::{BackoffBuilder, Retryable};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{ConduitError, Failure};
use super::transport::{Client, Reply};

const ATTEMPTS: usize = 5;
/// With a pace of its own there is time: nobody waits to deploy, and a limit of calls a minute is waited for.
const PACED: usize = 8;
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);
/// A server may ask for more, but the deployer is waiting.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(15);
/// How long is waited first for a server that says that it is called too often, and not until when.
const LIMITED: Duration = Duration::from_secs(1);

/// Waits between so many attempts: random between nothing and a bound that doubles.
struct FullJitter(usize);

impl BackoffBuilder for FullJitter {
    type Backoff = Box<dyn Iterator<Item = Duration> + Send + Sync>;

    fn build(self) -> Self::Backoff {
        Box::new((0..self.0.saturating_sub(1)).map(|attempt| {
            let bound = FIRST.saturating_mul(1 << attempt).min(LONGEST);
            bound.mul_f64(random_fraction())
        }))
    }
}

/// A random number in 0..1, from the randomness that fresh UUIDs hold.
fn random_fraction() -> f64 {
    let (high, _) = uuid::Uuid::now_v7().as_u64_pair();
    let (_, low) = uuid::Uuid::now_v7().as_u64_pair();
    let mixed = (high ^ low).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

impl Client {
    /// Makes a call that only reads, again where that may help.
    ///
    /// # Errors
    /// The last failure, where no attempt succeeded in the time there was.
    pub async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<Reply<T>, ConduitError> {
        Ok(self.read_whole(method, params).await?.0)
    }

    /// The same, and the reply as it came.
    pub(super) async fn read_whole<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<(Reply<T>, Vec<u8>), ConduitError> {
        let mut limited = 0;
        let attempts = (|| self.attempt::<T>(method, params))
            .retry(FullJitter(if self.pace().is_some() { PACED } else { ATTEMPTS }))
            .when(|error: &ConduitError| error.may_read_again() && self.time_left() > Duration::from_millis(50))
            .adjust(|error, wait| {
                let asked = error.retry_after().map(|asked| asked.min(RETRY_AFTER_CAP));
                let wait = match error.kind {
                    // A limit of calls a minute is waited out, for as long as there is a deadline.
                    Failure::RateLimited { .. } if self.deadline().is_some() => {
                        limited += 1;
                        // A server that asks for no pause, or for one that has passed, is not called without any.
                        Some(asked.map_or_else(|| growing(limited), |asked| asked.max(growing(1))))
                    }
                    _ => wait.map(|wait| asked.map_or(wait, |asked| asked.max(wait))),
                };
                // Not waiting past the deadline: the last failure says more than that time ran out.
                wait.filter(|wait| *wait < self.time_left())
            });
        attempts.await
    }

    /// Makes a call once, when its turn has come.
    async fn attempt<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<(Reply<T>, Vec<u8>), ConduitError> {
        let Some(pace) = self.pace() else { return self.call_whole(method, params).await };
        let _turn = pace.turn().await;
        let reply = self.call_whole(method, params).await;
        match &reply {
            Ok(_) => pace.well(),
            Err(error)
                if matches!(error.kind, Failure::RateLimited { .. } | Failure::Unavailable { status: 503, .. }) =>
            {
                pace.slow(error.retry_after());
            }
            Err(_) => {}
        }
        reply
    }

    /// How much of the time for this work is left.
    pub fn time_left(&self) -> Duration {
        match self.deadline() {
            Some(deadline) => deadline.saturating_duration_since(tokio::time::Instant::now()),
            None => Duration::MAX,
        }
    }

    /// The error of a reply that has the right form and the wrong content.
    pub(crate) fn unexpected(method: &str, why: impl Into<String>) -> ConduitError {
        ConduitError::new(method, Failure::Unexpected(why.into()))
    }
}

/// The pause after so many refusals in a row that name no time: each twice as long as the one before, at random between
/// that and half of it, so that several who wait do not come back together.
fn growing(refusals: u32) -> Duration {
    let whole = LIMITED.saturating_mul(1 << refusals.saturating_sub(1).min(8)).min(RETRY_AFTER_CAP);
    whole.mul_f64(0.5 + random_fraction() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_within_a_bound_that_doubles() {
        for _ in 0..200 {
            let waits: Vec<_> = FullJitter(ATTEMPTS).build().collect();
            assert_eq!(waits.len(), ATTEMPTS - 1);
            for (attempt, wait) in waits.iter().enumerate() {
                assert!(*wait <= FIRST * (1 << attempt) && *wait <= LONGEST);
            }
        }
    }

    #[test]
    fn a_limit_without_a_time_is_waited_for_longer_each_time() {
        let bounds = [1, 2, 4, 8, 15, 15];
        for (refusals, bound) in (1..).zip(bounds) {
            let (pause, bound) = (growing(refusals), Duration::from_secs(bound));
            assert!(pause <= bound && pause >= bound / 2, "{refusals}: {pause:?}");
        }
        assert!(growing(u32::MAX) <= RETRY_AFTER_CAP);
    }
}
