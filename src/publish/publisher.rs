//! The steps from what is known to what came of it.
//!
//! Responsible for the order of sending and looking, for pauses and for the deadline. Not for what follows a reply that was
//! lost ([`super::lost_reply`]), nor for what one attempt or look does, which the [publication](super::publication) knows.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::lost_reply::{UnclearAttempt, answer_of, refused};
use super::patience::Patience;
use super::publication::{Look, Publication};
use super::{Cause, Known, NotApplied, PublishLog, PublishOutcome, PublishProgress};
use crate::conduit::{Client, ConduitError, WriteEffect};
use crate::journal::ServerAnswer;

/// How often one thing is sent in one call. Only what is surely not on the task is sent again.
pub const SENDS: u32 = 3;
/// The pause before it is sent again, where the server asks for none.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Writes to one server as one account.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// The way to the server.
    pub client: Client,
    /// How long after an unclear answer an attempt may still be carried out.
    pub settle: Duration,
}

/// What one attempt showed.
struct Attempt {
    known: Known,
    /// Why it was not written, or may not have been.
    why: String,
    error: Option<ConduitError>,
}

impl Publisher {
    /// Brings something onto its task, or finds out that it is not there.
    ///
    /// # Errors
    /// Where a step could not be noted. What goes wrong with the server is in the outcome.
    pub async fn publish<P: Publication, L: PublishLog<P::Found>>(
        &self,
        log: &mut L,
        publication: &mut P,
        known: Known,
        patience: Patience,
    ) -> Result<PublishOutcome<P::Found>, L::Error> {
        let mut known = known;
        let why = String::from("there was no time to send it");
        let mut last = NotApplied { cause: Cause::NotWritten, why, error: None };
        // By the clock that nobody sets: however that of the host jumps, what was sent a moment ago is not settled.
        let mut sent: Option<Instant> = None;
        let mut sends = 0;
        loop {
            let client = self.client.within(patience.left());
            known = match known {
                Known::Absent => {
                    if sends == SENDS || patience.left().is_zero() {
                        return Ok(PublishOutcome::NotApplied(last));
                    }
                    if !log.is_due()? {
                        return Ok(PublishOutcome::NotApplied(NotApplied { cause: Cause::NotDue, ..last }));
                    }
                    if sends == 0 && patience.look_first && sent.is_none() {
                        match publication.look(&client).await {
                            Ok(Look::Found(found)) => {
                                log.note(Timestamp::now(), PublishProgress::Confirmed(&found))?;
                                return Ok(PublishOutcome::Confirmed(found));
                            }
                            Ok(Look::Absent(_)) => {}
                            Err(error) => {
                                let (why, error) = (error.to_string(), Some(error));
                                return Ok(PublishOutcome::NotApplied(NotApplied {
                                    cause: Cause::NotWritten,
                                    why,
                                    error,
                                }));
                            }
                        }
                    }
                    if sends > 0 {
                        let asked = last.error.as_ref().and_then(ConduitError::retry_after);
                        let pause = asked.unwrap_or(PAUSE).min(LONGEST_PAUSE).min(patience.left());
                        tokio::time::sleep(pause).await;
                    }
                    sends += 1;
                    let Attempt { known, why, error } = self.attempt(log, publication, patience).await?;
                    sent = Some(Instant::now());
                    let is_final = error.as_ref().is_some_and(|error| !error.is_transient());
                    last = NotApplied { cause: Cause::NotWritten, why, error };
                    if known == Known::Absent && is_final {
                        sends = SENDS;
                    }
                    known
                }
                Known::Unknown { why, settle_at, answer } => {
                    let is_over = answer.ends_the_attempt() || sent.is_none_or(|at| at.elapsed() >= self.settle);
                    let unclear = UnclearAttempt { why, settle_at, answer, is_over };
                    match unclear.look_again(&client, log, publication, patience, &mut last).await? {
                        ControlFlow::Continue(known) => known,
                        ControlFlow::Break(outcome) => return Ok(outcome),
                    }
                }
                Known::Refused { why, seen } => match publication.look(&client).await {
                    Ok(Look::Found(found)) => {
                        log.note(Timestamp::now(), PublishProgress::Confirmed(&found))?;
                        return Ok(PublishOutcome::Confirmed(found));
                    }
                    Ok(Look::Absent(now)) if patience.retry || now != seen => {
                        last.why = why;
                        Known::Absent
                    }
                    _ => return Ok(refused(why, None)),
                },
            };
        }
    }

    /// Sends it, once, and notes that before and after.
    async fn attempt<P: Publication, L: PublishLog<P::Found>>(
        &self,
        log: &mut L,
        publication: &P,
        patience: Patience,
    ) -> Result<Attempt, L::Error> {
        let at = Timestamp::now();
        let planned = self.settled_from(at);
        log.note(at, PublishProgress::Sending { settle_at: planned })?;
        if Timestamp::now() >= later(at, self.settle / 2) {
            // The disk or the process stood still: sent now, it could arrive after others take it for settled.
            let why = "it took too long to note that it is sent".to_owned();
            log.note(Timestamp::now(), PublishProgress::NotSent { why: &why })?;
            return Ok(Attempt { known: Known::Absent, why, error: None });
        }
        let replied = publication.send(&self.client.within(patience.left())).await;
        let (why, answer, error) = match replied {
            Ok(edited) if !edited.transactions.is_empty() => {
                ("it was sent and could not be read back yet".to_owned(), ServerAnswer::Unclear, None)
            }
            Ok(_) => ("the server took it and made nothing of it".to_owned(), ServerAnswer::Unclear, None),
            Err(error) if error.write_effect() == WriteEffect::None => {
                let why = error.to_string();
                log.note(Timestamp::now(), PublishProgress::NotSent { why: &why })?;
                return Ok(Attempt { known: Known::Absent, why, error: Some(error) });
            }
            Err(error) => (error.to_string(), answer_of(&error), Some(error)),
        };
        let answered = Timestamp::now();
        let settle_at = match answer.ends_the_attempt() {
            true => answered,
            false => planned.max(self.settled_from(answered)),
        };
        log.note(answered, PublishProgress::Answered { why: &why, settle_at, answer })?;
        Ok(Attempt { known: Known::Unknown { why: why.clone(), settle_at, answer }, why, error })
    }

    /// From when an attempt that was being made at this instant is settled.
    fn settled_from(&self, at: Timestamp) -> Timestamp {
        later(at, self.settle)
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
