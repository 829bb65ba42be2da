//! Looking at one task: reading it as `check` does, and putting it in its place.
//!
//! Responsible for the order of these, and for having said what is due. Not responsible for what is decided, nor for saying
//! ([`super::speak`]).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::reread::COMMENTS;
use super::speak::after;
use super::{Looked, Watch};
use crate::evidence::Evidence;
use crate::gate::{Assessment, Assessor};
use crate::ids::TaskId;
use crate::rules::{Intent, JudgedTask, Texts, Verdict, open_starts};
use crate::serve::audience::Audience;
use crate::serve::board::{PeopleMark, Speaks, VerdictDigest, WatchedTask, marks};
use crate::serve::channel::{ChannelFacts, EndedTask};
use crate::serve::deploys::deploys;
use crate::serve::episode::Episode;
use crate::serve::notices::{Plan, posted};
use crate::serve::paging::PagingFacts;
use crate::serve::store::{Store, StoreError};
use crate::view::{VerdictSubject, Viewer};

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
            && let Err(error) = self.consider(watched, &assessment, begun)
        {
            // Nothing is said of which it could not be noted that it is.
            tracing::error!("{task}: {error}");
            self.board.due_by(task, after(self.board.now()));
        }
        looked
    }

    pub(super) async fn assess(&self, task: TaskId) -> Assessment {
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
            self.gone(task, clock.at(begun))?;
            return Ok(Looked::Hidden);
        };
        if let Some(ended) = EndedTask::last(evidence, &self.site) {
            // Where nobody speaks in a channel nobody takes it.
            let _ = self.endings.send(ended);
        }
        let Some(episode) = Episode::current(evidence, state) else {
            self.gone(task, clock.at(begun))?;
            return Ok(Looked::Closed);
        };
        let policy = &self.site.policy;
        let viewer = Viewer {
            policy,
            server: &self.site.server,
            texts: Texts::Hidden,
            account: None,
            invocation: self.site.invocation,
        };
        let subject = VerdictSubject::of(assessment, viewer);
        let verdict = assessment.verdict.clone();
        let (read_at, audience) = (clock.at(begun), Audience::of(evidence, policy));
        let deploys = deploys(evidence, policy, subject.title.is_some());
        let read = JudgedTask { evidence, state, verdict: &verdict };
        let paging = PagingFacts::of(read, &episode, &self.site).into();
        let channel = ChannelFacts::of(read, &episode, policy).into();
        let watched = WatchedTask {
            task,
            phid: evidence.task.phid.clone(),
            sequence: 0,
            digest: VerdictDigest::of(task, &subject, &verdict, policy),
            audience,
            episode,
            due: self.changes_by_itself(&verdict, evidence),
            subject,
            verdict,
            read_at,
            modified: evidence.task.modified,
            comments: marks(evidence, COMMENTS),
            comments_read_at: read_at,
            people: Arc::new(PeopleMark::of_evidence(evidence)),
            underway: !open_starts(evidence, policy, None).is_empty(),
            deploys,
            speaks: self.speaks(evidence, episode),
            paging,
            channel,
        };
        let before = self.board.watched(task).filter(|before| before.episode == episode);
        let word = watched.verdict.decision.word();
        if before.as_ref().is_none_or(|before| before.verdict.decision.word() != word) {
            tracing::info!("{task}: {word}");
        }
        if let Speaks::Another(store) = &watched.speaks
            && before.as_ref().is_none_or(|before| before.speaks != watched.speaks)
        {
            tracing::warn!(
                "{task}: another watch with the same token, whose store is {}, announces it: this one says nothing of it, asks nobody and pages \
                 nobody; run one service for one server",
                crate::text::shorten(store.as_str(), 40)
            );
        }
        if let Some(took) = before.and_then(|before| approved_since(&before, &watched)) {
            self.metrics.approved.observe(took);
        }
        let next = self.sequence.next(&self.store)?;
        let (watched, is_change) = self.board.put(watched, next);
        if is_change {
            self.metrics.changes.increment();
        }
        Ok(Looked::Open(watched))
    }

    /// Takes away what is no open emergency, or not shown any more, at once.
    fn gone(&self, task: TaskId, read_at: Timestamp) -> Result<(), StoreError> {
        if self.board.watched(task).is_none() {
            // One that could not be read before is known to be none now: nobody waits for it any more.
            self.board.read_at_last(task);
            return Ok(());
        }
        tracing::info!("{task}: no open emergency any more, or not shown to this account");
        // It goes also where the store gives no number for that.
        let next = self.sequence.next(&self.store);
        let last = *self.board.changes().borrow();
        self.board.remove(task, next.as_ref().map_or(last, |next| *next), read_at);
        self.metrics.changes.increment();
        next.map(drop)
    }

    /// When what is decided changes though nothing happens: an approval gets too old.
    fn changes_by_itself(&self, verdict: &Verdict, evidence: &Evidence) -> Option<Timestamp> {
        let counting = verdict
            .approvals
            .iter()
            .filter(|approval| approval.counts() && approval.kind.is_on_task())
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

    /// Has the notice said that is due, or notes when one will be.
    fn consider(&self, watched: &WatchedTask, assessment: &Assessment, begun: Timestamp) -> Result<(), StoreError> {
        match self.planned(watched.episode, assessment, begun)? {
            Plan::Nothing | Plan::Another(_) => {}
            Plan::NotBefore(time) => self.board.due_by(watched.task, time),
            Plan::Say(_) => self.voice.push(watched.task),
        }
        Ok(())
    }
}

/// How long a task took from its beginning to the last approval, where that came since it was looked at before.
fn approved_since(before: &WatchedTask, now: &WatchedTask) -> Option<SignedDuration> {
    let lacks = |watched: &WatchedTask| watched.verdict.missing_teams().next().is_some();
    if !lacks(before) || lacks(now) {
        return None;
    }
    let counting = now.verdict.approvals.iter().filter(|approval| approval.counts()).map(|approval| approval.time);
    Some(counting.max()?.duration_since(now.episode.since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;
    use crate::serve::store::SqliteStore;
    use crate::serve::testing::site;

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_for_what_could_not_be_read_once_it_is_known_to_be_none() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let history = History::emergency();
        let watch = Watch::new(site(&history, state.clone()), SqliteStore::open(&state).unwrap()).unwrap();
        let task = history.task.id;
        assert!(matches!(watch.look(task).await, Looked::Unread), "no server answers");
        assert_eq!(watch.board.unread_tasks(), [task]);
        // Its pages are resolved only once nobody waits for it any more.
        watch.gone(task, watch.board.now()).unwrap();
        assert_eq!(watch.board.unread_tasks(), []);
    }
}
