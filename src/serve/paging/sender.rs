//! The one task of the service that pages: it takes what is due, sends it, says each minute that it goes on, and resolves it.
//!
//! Responsible for the order: what a call is about is in the store before the call, what is resolved is closed there before anybody is said
//! so, and the calls of one page to one receiver follow each other. After a start what was under way is sent again with the same key. Not
//! responsible for what goes out and what is over ([`super::climb`]) nor for the form of a call ([`crate::paging`]).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::Instant;

use super::attempts::Attempts;
use super::kept::{PageRow, PageState, Receiver};
use super::strays::Ending;
use crate::crash;
use crate::ids::TaskId;
use crate::paging::{CallOutcome, Page, PageKey, PageWords, PagerKind, who_to_ask};
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::{Looked, Watch, stopped};

/// How long reading a task anew before a page may take.
const LOOK: Duration = Duration::from_secs(8);
/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(1);
/// How old a reading may be on which a page goes out.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// How long a webhook is called again where it is not clear whether it was.
const CALL_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// How often it is looked what fires at the Alertmanager; after a start at once.
const STRAYS: Duration = Duration::from_secs(60);
/// How often it is looked who is on call.
const ON_CALL: Duration = Duration::from_secs(15);

/// Whether a page that is being sent is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It is.
    Now,
    /// It is not, or something holds it.
    NotNow,
    /// That could not be read.
    Unread,
}

/// Who pages, for as long as the service runs.
#[derive(Debug)]
pub(in crate::serve) struct Sender<S> {
    pub(super) watch: Arc<Watch<S>>,
    stop: watch::Receiver<bool>,
}

impl<S: Store> Sender<S> {
    /// Of a watch, until that is stopped.
    pub(in crate::serve) fn new(watch: Arc<Watch<S>>, stop: watch::Receiver<bool>) -> Self {
        Self { watch, stop }
    }

    /// Whether it is said to stop: then no further call is made.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Looks at a task before all others; `None` where that takes longer than may be, or nobody looks at anything any more.
    pub(super) async fn look(&self, task: TaskId) -> Option<Looked> {
        tokio::select! {
            biased;
            () = stopped(self.stop.clone()) => None,
            looked = self.watch.look_now(task, LOOK) => looked,
        }
    }

    /// Pages until it is stopped; a call that is under way then is waited for.
    pub(in crate::serve) async fn pages(self) {
        let mut changes = self.watch.board.changes();
        let rows = self.watch.paging.rows(|row| !matches!(row.state, PageState::Resolved { .. }));
        let attempts = |kind| Attempts::after_start(rows.iter(), Receiver::Pager(kind), Instant::now());
        let (mut strays, mut ending) = (Instant::now(), Ending::default());
        let (mut alertmanager, mut webhook) = (attempts(PagerKind::Alertmanager), attempts(PagerKind::Webhook));
        loop {
            tokio::select! {
                biased;
                () = stopped(self.stop.clone()) => return,
                () = tokio::time::sleep(TICK) => {}
                Ok(()) = changes.changed() => {}
                () = self.watch.paging.poked.notified() => {}
            }
            let round = async {
                self.climb_all().await?;
                if strays <= Instant::now() {
                    strays = Instant::now() + STRAYS;
                    self.end_strays(&mut ending).await?;
                }
                let (one, other) = tokio::join!(
                    self.deliver(PagerKind::Alertmanager, &mut alertmanager),
                    self.deliver(PagerKind::Webhook, &mut webhook),
                );
                one.and(other)
            };
            if let Err(error) = round.await {
                // Nobody is called of whom it could not be noted first.
                tracing::error!("paging: {error}");
                tokio::time::sleep(TICK).await;
            }
        }
    }

    /// Looks for ever who is on call for the teams that are missing anywhere, so that it is known when it is needed.
    pub(in crate::serve) async fn looks_who_is_on_call(self) {
        loop {
            let all = self.watch.board.all();
            let missing: BTreeSet<String> =
                all.iter().flat_map(|watched| watched.verdict.missing_teams().map(|team| team.team.clone())).collect();
            for team in missing {
                let before = self.watch.paging.on_call.known(&team);
                let read = self.watch.paging.on_call.read(&team).await;
                let needs =
                    |watched: &&Arc<WatchedTask>| watched.verdict.missing_teams().any(|count| count.team == team);
                for watched in all.iter().filter(needs).filter(|_| before != read) {
                    self.show_anew(watched.task);
                }
            }
            tokio::time::sleep(ON_CALL).await;
        }
    }

    pub(super) fn show_anew(&self, task: TaskId) {
        if let Err(error) = self.watch.touch(task) {
            tracing::error!("{task}: {error}");
        }
    }

    /// Makes the calls to one pager that are due, those first that let people sleep.
    async fn deliver(&self, kind: PagerKind, attempts: &mut Attempts) -> Result<(), StoreError> {
        let rows = self
            .watch
            .paging
            .rows(|row| row.receiver == Receiver::Pager(kind) && !matches!(row.state, PageState::Resolved { .. }));
        if rows.is_empty() {
            return Ok(());
        }
        if !self.watch.site.pagers.kinds().contains(&kind) {
            return self.let_go(kind, &rows);
        }
        let now = Instant::now();
        let is_due = |row: &PageRow, attempts: &Attempts| {
            !self.is_stopping() && attempts.may_send(now) && attempts.is_due(&row.page.key, now)
        };
        for row in rows.iter().filter(|row| matches!(row.state, PageState::Resolving { .. })) {
            if is_due(row, attempts) {
                self.resolve(kind, row, attempts).await?;
            }
        }
        let mut sending: Vec<&PageRow> = rows.iter().filter(|row| row.state == PageState::Sending).collect();
        sending.sort_by_key(|row| (self.watch.board.unread_since(row.page.key.task).is_some(), row.page.due));
        for row in sending {
            // Where one task cannot be read the others are tried in the next round, after what is to be said of those that are paged.
            if is_due(row, attempts) && !self.trigger(kind, row, attempts).await? {
                break;
            }
        }
        match kind {
            PagerKind::Alertmanager => self.refresh(attempts).await,
            PagerKind::Webhook => Ok(()),
        }
    }

    /// Forgets pages of a pager that is not configured any more, which nobody can be said so.
    fn let_go(&self, kind: PagerKind, rows: &[PageRow]) -> Result<(), StoreError> {
        let at = self.watch.board.now();
        let ended: Vec<PageRow> = rows.iter().map(|row| row.now(row.state.resolved(at))).collect();
        tracing::warn!("{kind} is not configured any more: {} pages there are let be", ended.len());
        self.watch.paging.keep(&self.watch.store, &ended)
    }

    /// What a page may say of its task now; `None` where the task is not known.
    async fn words(&self, page: &Page) -> Option<PageWords> {
        let watched = self.watch.board.watched(page.key.task)?;
        let count = watched.verdict.teams.iter().find(|count| count.team == page.key.team)?;
        // It is read every few minutes: a program that takes its time holds up no page.
        let on_call = self.watch.paging.on_call.known_or_read(&page.key.team).await;
        Some(watched.paging.words.clone().naming(who_to_ask(count, &on_call).asked()))
    }

    /// Pages somebody where that is still needed; returns whether the task could be read.
    async fn trigger(&self, kind: PagerKind, row: &PageRow, attempts: &mut Attempts) -> Result<bool, StoreError> {
        let key = &row.page.key;
        let now = self.watch.board.now();
        if kind == PagerKind::Webhook && now.duration_since(row.first) > CALL_AGAIN {
            self.watch.metrics.pages_given_up.increment();
            tracing::error!("{}: {kind} could not be called, which is given up", key.words());
            self.watch.paging.keep(&self.watch.store, &[row.now(PageState::GivenUp { at: now })])?;
            return Ok(true);
        }
        let need = self.need(key).await?;
        if need != Need::Now {
            attempts.later(key, Instant::now());
            return Ok(need != Need::Unread);
        }
        let Some(words) = self.words(&row.page).await else { return Ok(true) };
        // What was closed meanwhile never fires.
        if self.watch.paging.state(row) != Some(PageState::Sending) {
            return Ok(true);
        }
        let was_called = self.watch.paging.note_call(row);
        let outcome = self.watch.site.pagers.trigger(kind, &row.page, &words, None).await;
        crash::point("page-called");
        if !was_called && matches!(outcome, CallOutcome::NotAccepted(_) | CallOutcome::Refused(_)) {
            self.watch.paging.note_no_effect(row);
        }
        if !self.heard(kind, key, "pages nobody yet", &outcome, attempts) {
            return Ok(true);
        }
        if self.watch.paging.state(row) != Some(PageState::Sending) {
            return Ok(true);
        }
        self.watch.paging.keep(&self.watch.store, &[row.now(PageState::Fired { at: self.watch.board.now() })])?;
        crash::point("page-fired");
        self.watch.metrics.pages_fired.increment();
        tracing::info!("{}: paged through {kind}", key.words());
        self.show_anew(key.task);
        Ok(true)
    }

    /// Whether a page that is being sent is needed, by a reading of this moment.
    async fn need(&self, key: &PageKey) -> Result<Need, StoreError> {
        let known = self.watch.board.watched(key.task);
        let is_fresh =
            known.as_ref().is_some_and(|known| self.watch.board.now().duration_since(known.read_at) <= FRESH);
        let watched = match known.filter(|_| is_fresh) {
            Some(watched) => watched,
            None => match self.look(key.task).await {
                Some(Looked::Open(watched)) => watched,
                Some(Looked::Closed | Looked::Hidden) => return Ok(Need::NotNow),
                Some(Looked::Unread) | None => return Ok(Need::Unread),
            },
        };
        let Some(plan) = self.climb(&watched)? else { return Ok(Need::Unread) };
        // What is over was closed by that; what waits for something else, or is held, goes out once that is mended or lapses.
        let is_open = !self.watch.paging.rows(|row| row.page.key == *key && row.state.is_open()).is_empty();
        let is_awake = plan.awake.iter().any(|(team, round)| (team, *round) == (&key.team, key.round));
        Ok(if is_open && is_awake && watched.episode.began == key.episode { Need::Now } else { Need::NotNow })
    }

    /// Says to the Alertmanager that the pages go on which it was not said for a minute.
    async fn refresh(&self, attempts: &mut Attempts) -> Result<(), StoreError> {
        let now = Instant::now();
        let rows = self.watch.paging.rows(|row| {
            row.receiver == Receiver::Pager(PagerKind::Alertmanager)
                && matches!(row.state, PageState::Fired { .. })
                && attempts.is_stale(&row.page.key, now)
                && attempts.is_due(&row.page.key, now)
        });
        if rows.is_empty() || self.is_stopping() || !attempts.may_send(now) {
            return Ok(());
        }
        let mut pages = Vec::new();
        for row in rows {
            let task = row.page.key.task;
            let was_tried = self.watch.board.unread_since(task).is_some() || self.watch.board.watched(task).is_some();
            match self.words(&row.page).await {
                Some(words) => pages.push((row.page, words)),
                // What is open goes on while its task cannot be read or judged; of that the number is known.
                None if was_tried => pages.push((row.page, PageWords::default())),
                None => {}
            }
        }
        let is_closed = |page: &Page| {
            let closed = |row: &PageRow| row.page == *page && matches!(row.state, PageState::Resolving { .. });
            !self.watch.paging.rows(closed).is_empty()
        };
        pages.retain(|(page, _)| !is_closed(page));
        if pages.is_empty() {
            return Ok(());
        }
        let outcome = self.watch.site.pagers.refresh(&pages).await;
        crash::point("page-refreshed");
        for (page, _) in &pages {
            self.heard(PagerKind::Alertmanager, &page.key, "does not hear that it goes on", &outcome, attempts);
        }
        Ok(())
    }

    async fn resolve(&self, kind: PagerKind, row: &PageRow, attempts: &mut Attempts) -> Result<(), StoreError> {
        let key = &row.page.key;
        let outcome = self.watch.site.pagers.resolve(kind, &row.page).await;
        crash::point("page-resolve-called");
        if !self.heard(kind, key, "does not hear that it is over", &outcome, attempts) {
            return Ok(());
        }
        let is_measured = self.watch.board.clock().is_measured();
        let closed_for = match row.state {
            PageState::Resolving { at, .. } if is_measured => Some(self.watch.board.now().duration_since(at)),
            _ => None,
        };
        // One that seems to have been closed in the future was closed just now.
        let closed_for = closed_for.map(|passed| Duration::try_from(passed).unwrap_or_default());
        if attempts.is_unsettled(key, closed_for, Instant::now()) {
            return Ok(());
        }
        self.watch.paging.keep(&self.watch.store, &[row.now(row.state.resolved(self.watch.board.now()))])?;
        crash::point("page-resolved");
        attempts.forget(key);
        self.watch.metrics.pages_resolved.increment();
        tracing::info!("{}: resolved at {kind}", key.words());
        self.show_anew(key.task);
        Ok(())
    }

    /// Notes what came of a call; returns whether it was accepted.
    fn heard(
        &self,
        kind: PagerKind,
        key: &PageKey,
        else_: &str,
        outcome: &CallOutcome,
        attempts: &mut Attempts,
    ) -> bool {
        let now = Instant::now();
        match outcome {
            CallOutcome::Accepted => attempts.accepted(key, now),
            CallOutcome::NotAccepted(why) => {
                tracing::warn!("{}: {kind} {else_}: {why}", key.words());
                attempts.failed(key, false, now);
            }
            CallOutcome::Refused(why) => {
                tracing::warn!("{}: {kind} {else_}: {why}", key.words());
                attempts.refused(key, now);
            }
            CallOutcome::Unclear(why) => {
                self.watch.metrics.pages_unclear.increment();
                tracing::warn!("{}: it is not clear whether {kind} heard of it: {why}", key.words());
                attempts.failed(key, true, now);
            }
        }
        *outcome == CallOutcome::Accepted
    }
}
