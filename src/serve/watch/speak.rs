//! Saying what is due on tasks, one notice after the other.
//!
//! Responsible for what is said being true when it is sent: its task is read once more before that. Apart from looking, so that nothing that
//! is written ever keeps a task from being read. Not responsible for what is due ([`crate::serve::notices`]).

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Watch, stopped};
use crate::gate::Assessment;
use crate::ids::TaskId;
use crate::journal::{LockWait, OutboxLock};
use crate::publish::Publisher;
use crate::rules::believed_ends;
use crate::serve::episode::Episode;
use crate::serve::notices::{Plan, SayOutcome, Situation, counting, plan, posted, say, settle};
use crate::serve::store::{NoticeState, Store, StoreError};

/// How long it is waited before a notice is tried again that surely is not on the task.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How long a notice waits for the right to send.
const RIGHT_TO_SEND: Duration = Duration::from_secs(5);

/// When something is tried again that was tried at a time.
pub(super) fn after(time: Timestamp) -> Timestamp {
    time.saturating_add(AGAIN).unwrap_or(time)
}

impl<S: Store> Watch<S> {
    /// Says what is due until it is stopped; what is being said then is said to its end.
    pub(super) async fn speaks_up(self: Arc<Self>, stop: watch::Receiver<bool>) {
        loop {
            let turn = tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                turn = self.voice.next() => turn,
            };
            let task = turn.task;
            let again = self.speak(task).await.unwrap_or_else(|error| {
                // Nothing is said of which it could not be noted that it is.
                tracing::error!("{task}: {error}");
                Some(after(self.board.now()))
            });
            if let Some(time) = again {
                self.board.due_by(task, time);
            }
        }
    }

    /// Says the notice that is due on a task; returns when it is to be looked at again, where that does not come by itself.
    async fn speak(&self, task: TaskId) -> Result<Option<Timestamp>, StoreError> {
        // Others who send from this directory to this server wait meanwhile, as the watch waits for them.
        let Some(_right) = self.right_to_send().await? else { return Ok(Some(after(self.board.now()))) };
        // What is said must be true when it is sent.
        let begun = Timestamp::now();
        let assessment = self.assess(task).await;
        let clock = self.board.clock();
        let Some((evidence, state)) = assessment.evidence().zip(assessment.state()) else {
            self.queue.push(task);
            return Ok(None);
        };
        let Some(episode) = Episode::current(evidence, state) else {
            self.queue.push(task);
            return Ok(None);
        };
        let due = match self.planned(episode, &assessment, begun)? {
            Plan::Say(due) => due,
            Plan::NotBefore(time) => return Ok(Some(time)),
            Plan::Nothing | Plan::Another(_) => return Ok(None),
        };
        let publisher = Publisher { client: self.site.client.clone(), settle: self.site.record.settle };
        let kind = due.notice.kind.word();
        Ok(match say(&publisher, &self.store, evidence, &due).await? {
            SayOutcome::Said(transaction) => {
                self.metrics.said.increment();
                tracing::info!("{task}: said `{kind}`: {}#{transaction}", task.url(&self.site.server));
                // Its own transaction has the task looked at again.
                None
            }
            SayOutcome::Unclear(settle_at) => {
                tracing::warn!("{task}: it is not clear whether `{kind}` was said; it is looked for");
                Some(after(clock.at(settle_at)))
            }
            SayOutcome::NotSaid(why) => {
                tracing::warn!("{task}: `{kind}` was not said, and is tried again: {why}");
                Some(after(clock.now()))
            }
            SayOutcome::GivenUp(why) => {
                self.metrics.given_up.increment();
                tracing::warn!("{task}: `{kind}` is given up: {why}");
                None
            }
        })
    }

    async fn right_to_send(&self) -> Result<Option<OutboxLock>, StoreError> {
        let deadline = Instant::now() + RIGHT_TO_SEND;
        loop {
            let taken = self.store.with(|store| store.lock_outbox(&self.site.server, LockWait::TryNow))?;
            if taken.is_some() || Instant::now() >= deadline {
                return Ok(taken);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is to be said of a task that was read; what counts is noted before anything is said. `begun` is when the reading began, by
    /// the host's clock.
    pub(super) fn planned(
        &self,
        episode: Episode,
        assessment: &Assessment,
        begun: Timestamp,
    ) -> Result<Plan, StoreError> {
        let Some(evidence) = assessment.evidence() else { return Ok(Plan::Nothing) };
        let (task, verdict) = (assessment.number, &assessment.verdict);
        let said = posted(evidence);
        let (identity, (known, given_up), counted) = self.store.with(|store| {
            store.add_counted(task, episode.began, &counting(verdict))?;
            let known = settle(store, task, &said, begun)?;
            Ok::<_, StoreError>((store.identity().clone(), known, store.counted(task, episode.began)?))
        })?;
        self.metrics.given_up.add(given_up);
        // What this machine knows of its own deploys is not on the task yet.
        let is_local = evidence.local_deploys.as_ref().is_ok_and(|local| {
            local.iter().any(|local| local.is_in_flight() || self.board.clock().at(local.begun) >= episode.since)
        });
        let deployed =
            is_local || believed_ends(evidence, &self.site.policy).any(|end| end.moment.transaction > episode.began);
        let planned = plan(&Situation {
            task,
            episode,
            verdict,
            posted: &said,
            known: &known,
            counted: &counted,
            deployed,
            now: evidence.now,
            store: &identity.id,
            first_start: self.board.clock().at(identity.first_start),
            window: self.site.serve.notice_window,
            kinds: &self.site.serve.notices,
        });
        let unsettled = known.iter().filter_map(|(_, state)| match state {
            NoticeState::Unclear { settle_at, .. } => Some(self.board.clock().at(*settle_at)),
            _ => None,
        });
        Ok(match (planned, unsettled.min()) {
            // What may be under way is looked for to its end.
            (Plan::Nothing, Some(settles)) => Plan::NotBefore(after(settles.max(evidence.now))),
            (planned, _) => planned,
        })
    }
}
