//! A reply that was lost, or says nothing: looking again whether the attempt was carried out.
//!
//! Responsible for what an error says of an attempt, for the look that settles one, and for when its absence from the task
//! proves that nothing was written. Not for sending ([`super::publisher`]).

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;

use super::patience::Patience;
use super::publication::{Look, Publication};
use super::{Cause, Known, NotApplied, PublishLog, PublishOutcome, PublishProgress};
use crate::conduit::{Client, ConduitError, Failure};
use crate::journal::ServerAnswer;

/// An attempt of which nobody knows whether it was carried out.
pub(super) struct UnclearAttempt {
    /// What was answered, in words.
    pub(super) why: String,
    /// The instant from which a look that does not find it settles the matter, by the clock of this host.
    pub(super) settle_at: Timestamp,
    /// What was answered.
    pub(super) answer: ServerAnswer,
    /// Nothing can come of it any more: the answer ended it, or it is too old by a clock that nobody sets.
    pub(super) is_over: bool,
}

impl UnclearAttempt {
    /// Looks for it on the task, once. Goes on with what is known then, or ends where it was found, where it surely was
    /// refused, and where there is no time to look again.
    ///
    /// # Errors
    /// Where a step could not be noted.
    pub(super) async fn look_again<P: Publication, L: PublishLog<P::Found>>(
        self,
        client: &Client,
        log: &mut L,
        publication: &mut P,
        patience: Patience,
        last: &mut NotApplied,
    ) -> Result<ControlFlow<PublishOutcome<P::Found>, Known>, L::Error> {
        let Self { why, settle_at, answer, is_over } = self;
        let read_at = Timestamp::now();
        match publication.look(client).await {
            Ok(Look::Found(found)) => {
                log.note(Timestamp::now(), PublishProgress::Confirmed(&found))?;
                Ok(ControlFlow::Break(PublishOutcome::Confirmed(found)))
            }
            Ok(Look::Absent(seen)) if is_over && read_at >= settle_at => {
                let now = Timestamp::now();
                if answer.is_refusal() {
                    log.note(now, PublishProgress::Refused { read_at, seen: &seen })?;
                    return Ok(ControlFlow::Break(refused(why, last.error.take())));
                }
                log.note(now, PublishProgress::Missing { read_at })?;
                last.why = why;
                Ok(ControlFlow::Continue(Known::Absent))
            }
            looked => {
                let poll = patience.poll.filter(|_| !publication.is_pointless());
                let Some(poll) = poll.filter(|_| !patience.left().is_zero()) else {
                    let why = match looked {
                        // Why it cannot be read says more than why it was not answered.
                        Err(error) if error.kind != Failure::OutOfTime => error.to_string(),
                        _ => why,
                    };
                    return Ok(ControlFlow::Break(PublishOutcome::Unknown { why, settle_at }));
                };
                log.note(Timestamp::now(), PublishProgress::Waiting { why: &why })?;
                // The look that settles it is made as soon as it can be.
                let settles = Duration::try_from(settle_at.duration_since(read_at)).unwrap_or(poll);
                let settles = if settles.is_zero() { poll } else { settles };
                tokio::time::sleep(poll.min(settles).min(patience.left())).await;
                Ok(ControlFlow::Continue(Known::Unknown { why, settle_at, answer }))
            }
        }
    }
}

/// It was refused, and is surely not there.
pub(super) fn refused<F>(why: String, error: Option<ConduitError>) -> PublishOutcome<F> {
    PublishOutcome::NotApplied(NotApplied { cause: Cause::Refused, why, error })
}

/// What an error says of an attempt that may have been carried out.
pub(super) fn answer_of(error: &ConduitError) -> ServerAnswer {
    match &error.kind {
        Failure::Refused { .. } if error.is_rolled_back() || error.lacks_database() => ServerAnswer::RolledBack,
        Failure::Refused { .. } if error.lost_database() => ServerAnswer::Unclear,
        Failure::Refused { .. } => ServerAnswer::Refused,
        // A redirect carries nothing out where it comes from a server; what stands before one does not say what it passed on.
        Failure::Redirected { .. } => ServerAnswer::Filtered,
        // 408 is a proxy that lost patience, which refuses nothing.
        Failure::NotConduit { status: 400..=407 | 409..=499, .. } => ServerAnswer::Filtered,
        _ => ServerAnswer::Unclear,
    }
}
