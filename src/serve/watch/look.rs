//! Looking at one task: reading it as `check` does, putting it in its place, and saying what is due.
//!
//! Responsible for the order of these. Not responsible for what is decided or said.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::reread::COMMENTS;
use super::{Looked, Watch};
use crate::attribution::ApprovalKind;
use crate::evidence::Evidence;
use crate::gate::{Assessment, Assessor, Invocation};
use crate::ids::TaskId;
use crate::journal::{LockWait, OutboxLock};
use crate::publish::Publisher;
use crate::record::Event;
use crate::rules::{Intent, Texts, Verdict, open_starts};
use crate::serve::audience::Audience;
use crate::serve::board::{Speaks, VerdictDigest, WatchedTask, marks};
use crate::serve::deploys::deploys;
use crate::serve::episode::Episode;
use crate::serve::notices::{Plan, SayOutcome, Situation, counting, plan, posted, say, settle};
use crate::serve::store::{NoticeState, Store, StoreError};
use crate::view::{VerdictSubject, Viewer};

/// How long it is waited before a notice is tried again that surely is not on the task.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How long a notice waits for the right to send.
const RIGHT_TO_SEND: Duration = Duration::from_secs(5);

impl<S: Store> Watch<S> {
    /// Looks at a task.
    pub(super) async fn look(&self, task: TaskId) -> Looked {
        self.metrics.looks.increment();
        let begun = Timestamp::now();
        let assessment = self.assess(task).await;
        let looked = match self.place(&assessment, begun) {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!("{task}: {error}");
                // What was read could not be put in its place: what is there is no fresher than before.
                self.board.unread(task, self.board.clock().at(begun));
                Looked::Unread
            }
        };
        if let Looked::Open(watched) = &looked
            && let Err(error) = self.speak(watched, &assessment, begun).await
        {
            // Nothing is said of which it could not be noted that it is.
            tracing::error!("{task}: {error}");
            self.board.set_due(task, self.board.clock().now().checked_add(AGAIN).ok());
        }
        looked
    }

    async fn assess(&self, task: TaskId) -> Assessment {
        let assessment = Assessor::new(self.site.context()).assess(&self.site.question(task), &Intent::default()).await;
        if assessment.clock().is_measured() {
            self.board.set_clock(assessment.clock());
        }
        assessment
    }

    /// Puts a task that was read in its place. `begun` is when the reading began, by the host's clock.
    fn place(&self, assessment: &Assessment, begun: Timestamp) -> Result<Looked, StoreError> {
        let task = assessment.number;
        let clock = self.board.clock();
        if let Some(error) = assessment.error() {
            self.metrics.failed_looks.increment();
            tracing::debug!("{task}: {error}");
            self.board.unread(task, clock.at(begun));
            return Ok(Looked::Unread);
        }
        let Some((evidence, state)) = assessment.evidence().zip(assessment.state()) else {
            self.gone(task)?;
            return Ok(Looked::Hidden);
        };
        let Some(episode) = Episode::current(evidence, state) else {
            self.gone(task)?;
            return Ok(Looked::Closed);
        };
        let policy = &self.site.policy;
        let viewer = Viewer {
            policy,
            server: &self.site.server,
            texts: Texts::Hidden,
            account: None,
            invocation: Invocation::Plain,
        };
        let subject = VerdictSubject::of(assessment, viewer);
        let verdict = assessment.verdict.clone();
        let read_at = clock.at(begun);
        let deploys = deploys(evidence, policy, subject.title.is_some());
        let watched = WatchedTask {
            task,
            phid: evidence.task.phid.clone(),
            sequence: 0,
            digest: VerdictDigest::of(task, &subject, &verdict, policy),
            audience: Audience::of(evidence, policy),
            episode,
            due: self.changes_by_itself(&verdict, evidence),
            subject,
            verdict,
            read_at,
            modified: evidence.task.modified,
            comments: marks(evidence, COMMENTS),
            comments_read_at: read_at,
            underway: !open_starts(evidence, policy, None).is_empty(),
            deploys,
            speaks: self.speaks(evidence, episode),
        };
        let next = self.sequence.next(&self.store)?;
        let (watched, is_change) = self.board.put(watched, next);
        if is_change {
            self.metrics.changes.increment();
        }
        Ok(Looked::Open(watched))
    }

    /// Takes away what is no open emergency, or not shown any more, at once.
    fn gone(&self, task: TaskId) -> Result<(), StoreError> {
        if self.board.watched(task).is_none() {
            return Ok(());
        }
        // It goes also where the store gives no number for that.
        let next = self.sequence.next(&self.store);
        let last = *self.board.changes().borrow();
        self.board.remove(task, next.as_ref().map_or(last, |next| *next));
        self.metrics.changes.increment();
        next.map(drop)
    }

    /// When what is decided changes though nothing happens: an approval gets too old.
    fn changes_by_itself(&self, verdict: &Verdict, evidence: &Evidence) -> Option<Timestamp> {
        let counting = verdict
            .approvals
            .iter()
            .filter(|approval| approval.counts() && approval.kind == ApprovalKind::Verified)
            .map(|approval| approval.time);
        let starts = open_starts(evidence, &self.site.policy, None).into_iter().map(|start| start.start.moment.time);
        let ends = counting.chain(starts).filter_map(|time| time.checked_add(self.site.policy.max_age).ok());
        let ends = ends.filter_map(|end| end.checked_add(SignedDuration::from_secs(1)).ok());
        ends.filter(|end| *end > evidence.now).min()
    }

    fn speaks(&self, evidence: &Evidence, episode: Episode) -> Speaks {
        let identity = self.store.with(|store| store.identity().clone());
        let other = posted(evidence)
            .into_iter()
            .find(|posted| posted.notice.episode == episode.began && posted.notice.store != identity.id);
        match other {
            Some(other) => Speaks::Another(other.notice.store),
            None if episode.since < self.board.clock().at(identity.first_start) => Speaks::NotAnnounced,
            None => Speaks::Yes,
        }
    }

    /// Says the notice that is due, after one more look at the task.
    async fn speak(&self, watched: &WatchedTask, assessment: &Assessment, begun: Timestamp) -> Result<(), StoreError> {
        let clock = self.board.clock();
        match self.planned(watched.episode, assessment, begun)? {
            Plan::Nothing | Plan::Another(_) => return Ok(()),
            Plan::NotBefore(time) => {
                let due = watched.due.map_or(time, |due| due.min(time));
                self.board.set_due(watched.task, Some(due));
                return Ok(());
            }
            Plan::Say(_) => {}
        }
        // Others who send from this directory to this server wait meanwhile, as the watch waits for them.
        let Some(_right) = self.right_to_send().await? else {
            self.board.set_due(watched.task, clock.now().checked_add(AGAIN).ok());
            return Ok(());
        };
        // What is said must be true when it is sent.
        let begun = Timestamp::now();
        let assessment = self.assess(watched.task).await;
        let Looked::Open(watched) = self.place(&assessment, begun)? else { return Ok(()) };
        let (Plan::Say(due), Some(evidence)) =
            (self.planned(watched.episode, &assessment, begun)?, assessment.evidence())
        else {
            return Ok(());
        };
        let publisher = Publisher { client: self.site.client.clone(), settle: self.site.record.settle };
        let (task, key) = (watched.task, due.notice.key());
        let again = match say(&publisher, &self.store, evidence, &due).await? {
            SayOutcome::Said(transaction) => {
                self.metrics.said.increment();
                tracing::info!("said: {key}, #{transaction}");
                // Its own transaction has the task looked at again.
                None
            }
            SayOutcome::Unclear(settle_at) => {
                tracing::warn!("it is not clear whether it was said: {key}");
                Some(clock.at(settle_at))
            }
            SayOutcome::NotSaid(why) => {
                tracing::warn!("not said: {key}: {why}");
                Some(clock.now())
            }
            SayOutcome::GivenUp(why) => {
                self.metrics.given_up.increment();
                tracing::warn!("given up: {key}: {why}");
                None
            }
        };
        if let Some(from) = again {
            self.board.set_due(task, from.checked_add(AGAIN).ok());
        }
        Ok(())
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
    fn planned(&self, episode: Episode, assessment: &Assessment, begun: Timestamp) -> Result<Plan, StoreError> {
        let Some(evidence) = assessment.evidence() else { return Ok(Plan::Nothing) };
        let (task, verdict) = (assessment.number, &assessment.verdict);
        let said = posted(evidence);
        let (identity, (known, given_up), counted) = self.store.with(|store| {
            store.add_counted(task, episode.began, &counting(verdict))?;
            let known = settle(store, task, &said, begun)?;
            Ok::<_, StoreError>((store.identity().clone(), known, store.counted(task, episode.began)?))
        })?;
        self.metrics.given_up.add(given_up);
        let claims = evidence.claims(&self.site.policy, None);
        let deployed = claims.iter().any(|claim| {
            claim.authority.is_believed()
                && matches!(claim.record.event, Event::Finished | Event::Recorded)
                && claim.moment.transaction > episode.began
        });
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
            (Plan::Nothing, Some(settles)) => {
                Plan::NotBefore(settles.max(evidence.now).saturating_add(AGAIN).unwrap_or(settles))
            }
            (planned, _) => planned,
        })
    }
}
