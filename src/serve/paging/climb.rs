//! What the service notes of each ladder before anybody is called: what goes out, and what is over.
//!
//! Responsible for bringing the ladders of all open emergencies forward with what is known of them, for a page going out only after its task was
//! read anew and still needs it, and for closing pages in the store. Not responsible for what is due ([`super::ladder`]), nor for the calls
//! ([`super::sender`]).

use super::kept::{PageRow, PageState, Receiver};
use super::ladder::{Plan, Situation, ladder};
use super::rounds::{Needs, advance, interrupted};
use super::sender::Sender;
use crate::crash;
use crate::ids::TaskId;
use crate::paging::{Ack, Page, PageKey};
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::Looked;

impl<S: Store> Sender<S> {
    /// Brings every ladder forward, and notes what goes out and what is over.
    pub(super) async fn climb_all(&self) -> Result<(), StoreError> {
        let (mut due, mut asks) = (Vec::new(), Vec::new());
        for watched in self.watch.board.all() {
            let Some(plan) = self.climb(&watched)? else { continue };
            let (ask, page): (Vec<Page>, Vec<Page>) = plan.due.into_iter().partition(|page| page.key.stage.is_said());
            asks.extend(ask);
            due.extend(page);
        }
        self.watch.paging.set_asks(asks);
        self.end_what_is_gone()?;
        if self.watch.site.pagers.kinds().is_empty() {
            return Ok(());
        }
        // One task that cannot be read keeps no other from being paged for.
        due.sort_by_key(|page| (self.watch.board.unread_since(page.key.task).is_some(), page.due));
        for page in due {
            if !self.begin(&page.key).await? {
                // The server does not answer: the others are tried in the next round.
                break;
            }
        }
        Ok(())
    }

    /// Brings the ladders of one emergency forward; `None` where it could not be judged.
    pub(super) fn climb(&self, watched: &WatchedTask) -> Result<Option<Plan>, StoreError> {
        let facts = &watched.paging;
        if !facts.is_decided {
            return Ok(None);
        }
        let (task, episode, now) = (watched.task, watched.episode, self.watch.board.now());
        let before = self.watch.paging.slots(task, episode.began);
        let sent = self.watch.paging.pages(task);
        let needs = Needs {
            needed: watched.verdict.teams.iter().map(|team| team.team.as_str()).collect(),
            missing: watched.verdict.missing_teams().map(|team| team.team.as_str()).collect(),
            is_called_off: facts.is_rejected || facts.is_deployed,
            is_pending: facts.is_pending,
            interrupted: interrupted(&before, &sent, &episode, facts.is_drill, &self.watch.site.paging),
        };
        let slots = advance(&before, &needs, &episode, now);
        if slots != before {
            self.watch.paging.keep_slots(&self.watch.store, task, episode.began, slots.clone())?;
        }
        let mut acks = facts.acks.clone();
        acks.extend(self.watch.paging.acks(task));
        self.measure(&acks, &sent);
        let mut plan = ladder(&Situation {
            task,
            episode,
            slots: &slots,
            confirmed: facts.confirmed.as_ref().map(|by| by.at),
            is_drill: facts.is_drill,
            acks: &acks,
            sent: &sent,
            settings: &self.watch.site.paging,
            first_start: self.watch.board.clock().at(self.watch.paging.first_start),
            window: self.watch.site.serve.notice_window,
            now,
        });
        if watched.speaks != Speaks::Yes {
            plan.due.clear();
            plan.awake.clear();
        }
        let is_asked = |page: &Page| page.key.stage.is_said();
        if facts.confirmed.is_none()
            && plan.due.iter().any(is_asked)
            && !self.watch.paging.asks_for_stranger(task, episode.began, &facts.opened_by, now)
        {
            plan.due.retain(|page| !is_asked(page));
        }
        self.end(&plan.over)?;
        Ok(Some(plan))
    }

    /// Measures how long it took until somebody answered a page.
    fn measure(&self, acks: &[Ack], sent: &[PageRow]) {
        for (row, fired) in sent.iter().filter_map(|row| Some((row, row.state.fired()?))) {
            let answers = acks.iter().filter(|ack| ack.team == row.page.key.team && ack.at > fired);
            let first = answers.map(|ack| ack.at).min().filter(|at| *at >= self.watch.began());
            if let Some(first) = first.filter(|_| row.receiver != Receiver::Channel)
                && self.watch.paging.is_first_answer(&row.page.key)
            {
                self.watch.metrics.acknowledged.observe(first.duration_since(fired));
            }
        }
    }

    /// Closes open pages: from here on they never fire.
    fn end(&self, keys: &[PageKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let at = self.watch.board.now();
        let is_one =
            |row: &PageRow| row.state.is_open() && row.receiver != Receiver::Channel && keys.contains(&row.page.key);
        let closed = |row: &PageRow| row.now(row.state.resolving(at, self.watch.paging.may_be_heard(row)));
        let rows: Vec<PageRow> = self.watch.paging.rows(is_one).iter().map(closed).collect();
        self.watch.paging.keep(&self.watch.store, &rows)?;
        crash::point("page-resolving");
        for row in rows {
            tracing::info!("{}: it is over", row.page.key.words());
        }
        Ok(())
    }

    /// Closes the pages of tasks that are no open emergency any more, once it is known that they are not.
    fn end_what_is_gone(&self) -> Result<(), StoreError> {
        if self.watch.board.freshness().sweep.is_none() {
            return Ok(());
        }
        let is_gone = |task: TaskId| {
            // In this order: a task leaves the queue after it was put in its place.
            let is_looked_at = self.watch.queue.holds(task) || self.watch.board.unread_since(task).is_some();
            !is_looked_at && self.watch.board.watched(task).is_none()
        };
        let open = self.watch.paging.rows(|row| row.state.is_open() && row.receiver != Receiver::Channel);
        let gone: Vec<PageKey> = open.into_iter().map(|row| row.page.key).filter(|key| is_gone(key.task)).collect();
        self.end(&gone)
    }

    /// Reads the task of a page that is due anew, and notes that it goes out where it still is; returns whether the task could be read.
    async fn begin(&self, key: &PageKey) -> Result<bool, StoreError> {
        let Some(Looked::Open(watched)) = self.look(key.task).await else {
            // One that is gone meanwhile holds up no other.
            return Ok(self.watch.board.watched(key.task).is_none());
        };
        let plan = self.climb(&watched)?.unwrap_or_default();
        let Some(page) = plan.due.into_iter().find(|page| page.key == *key) else { return Ok(true) };
        let first = self.watch.board.now();
        let rows: Vec<PageRow> = self
            .watch
            .site
            .pagers
            .kinds()
            .into_iter()
            .map(|kind| PageRow {
                page: page.clone(),
                receiver: Receiver::Pager(kind),
                first,
                state: PageState::Sending,
            })
            .collect();
        self.watch.paging.keep(&self.watch.store, &rows)?;
        crash::point("page-sending");
        Ok(true)
    }
}
