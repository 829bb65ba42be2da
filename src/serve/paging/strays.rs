//! Pages that fire at the Alertmanager and that nobody here would close: sent by hand, by a service whose store is lost, or heard of late.
//!
//! Responsible for finding them, since an Alertmanager says what fires there, and for ending those that nobody is needed for any more: what is
//! closed is in the store first, so that it never fires by the ladder, and ends there as it is listed, not as the store has it: one key can
//! fire as a drill and as none. It is said to be over each minute until it is gone, and logged once. One that was sent by another policy, or
//! whose task is not shown to this service, is let be; it ends by itself. Not responsible for the service's own pages ([`super::sender`]).

use super::kept::{PageRow, PageState, Receiver, SlotPhase};
use super::sender::Sender;
use crate::paging::{CallOutcome, Page, PagerKind};
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::Looked;

/// How many tasks are read for the sake of them each time.
const READ: usize = 20;

/// What was said to be over and may fire still.
#[derive(Debug, Default)]
pub(super) struct Ending(Vec<Page>);

impl Ending {
    /// Whether a page was said to be over.
    fn has(&self, page: &Page) -> bool {
        self.0.iter().any(|known| known.is_one_alert_with(page))
    }

    /// Forgets and returns those that do not fire any more.
    fn gone(&mut self, firing: &[Page]) -> Vec<Page> {
        let fires = |page: &Page| firing.iter().any(|fires| fires.is_one_alert_with(page));
        let (left, gone) = std::mem::take(&mut self.0).into_iter().partition(fires);
        self.0 = left;
        gone
    }
}

impl<S: Store> Sender<S> {
    /// Ends what fires at the Alertmanager and is over.
    pub(super) async fn end_strays(&self, ending: &mut Ending) -> Result<(), StoreError> {
        let firing = match self.watch.site.pagers.firing().await {
            Some(Ok(firing)) => firing,
            Some(Err(why)) => {
                tracing::debug!("what fires at the Alertmanager cannot be read: {why}");
                return Ok(());
            }
            None => return Ok(()),
        };
        for page in ending.gone(&firing) {
            self.watch.metrics.pages_resolved.increment();
            tracing::info!("{}: resolved at {}", page.key.words(), PagerKind::Alertmanager);
            self.show_anew(page.key.task);
        }
        let mut read = 0;
        for page in firing {
            if self.is_own(&page) {
                continue;
            }
            if let Some(watched) = self.watch.board.watched(page.key.task)
                && self.may_be_needed(&page, &watched)?
            {
                continue;
            }
            // Who paged by hand may have read what is newer: nothing is closed but by a reading of this moment.
            read += 1;
            if read > READ {
                return Ok(());
            }
            match self.look(page.key.task).await {
                Some(Looked::Open(watched)) if self.may_be_needed(&page, &watched)? => continue,
                Some(Looked::Open(_) | Looked::Closed) => {}
                Some(Looked::Hidden) => continue,
                Some(Looked::Unread) | None => return Ok(()),
            }
            if !ending.has(&page) {
                self.close(&page)?;
                ending.0.push(page.clone());
            }
            // Where it does not answer the others wait for the next look.
            if self.is_stopping() || !self.say_over(&page).await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether it is one that the ladder closes, and that is resolved until that is accepted.
    fn is_own(&self, page: &Page) -> bool {
        let is_it = |row: &PageRow| {
            let is_there = row.receiver == Receiver::Pager(PagerKind::Alertmanager);
            is_there && row.page.is_one_alert_with(page) && !matches!(row.state, PageState::Resolved { .. })
        };
        !self.watch.paging.rows(is_it).is_empty()
    }

    /// Whether a page may still be needed by what is known of its task.
    fn may_be_needed(&self, page: &Page, watched: &WatchedTask) -> Result<bool, StoreError> {
        if self.climb(watched)?.is_none() {
            return Ok(true);
        }
        let slots = self.watch.paging.slots(watched.task, watched.episode.began);
        let is_asked = slots.iter().any(|slot| slot.team == page.key.team && slot.phase != SlotPhase::Over);
        // What says otherwise of a drill than the task is none of its pages.
        let is_drill = watched.paging.is_drill;
        let is_wanted = page.drill == is_drill && (!is_drill || self.watch.site.paging.drills);
        Ok(page.key.episode == watched.episode.began && is_asked && is_wanted)
    }

    /// Closes it in the store for every pager: who pages by hand calls all of them.
    fn close(&self, page: &Page) -> Result<(), StoreError> {
        let at = self.watch.board.now();
        let known = self.watch.paging.rows(|row| row.page.key == page.key);
        let row = |kind| {
            let receiver = Receiver::Pager(kind);
            let known = known.iter().find(|row| row.receiver == receiver);
            // What the ladder has not done with it closes itself.
            if known.is_some_and(|row| !matches!(row.state, PageState::Resolved { .. })) {
                return None;
            }
            let (fired, unheard) = (known.and_then(|row| row.state.fired()).or(Some(page.due)), false);
            let state = match kind {
                // It is resolved as it is listed, for as long as it is.
                PagerKind::Alertmanager => PageState::Resolved { at, fired, unheard },
                // It lists nothing, and knows a page by its key alone: what was resolved there may have been sent by hand since.
                PagerKind::Webhook => PageState::Resolving { at, fired, unheard },
            };
            let new = || PageRow { page: page.clone(), receiver, first: page.due, state };
            Some(known.map_or_else(new, |row| row.now(state)))
        };
        let rows: Vec<PageRow> = self.watch.site.pagers.kinds().into_iter().filter_map(row).collect();
        tracing::warn!("{}: fires at the Alertmanager though nobody is needed; it is being resolved", page.key.words());
        self.watch.paging.keep(&self.watch.store, &rows)
    }

    /// Says to the Alertmanager that what fires there is over, as it lists it; returns whether it answers.
    async fn say_over(&self, page: &Page) -> bool {
        let kind = PagerKind::Alertmanager;
        let outcome = self.watch.site.pagers.resolve(kind, page).await;
        if let CallOutcome::Unclear(_) = outcome {
            self.watch.metrics.pages_unclear.increment();
        }
        if let Some(why) = outcome.why_not() {
            tracing::warn!("{}: {kind} does not hear that it is over: {why}", page.key.words());
        }
        matches!(outcome, CallOutcome::Accepted | CallOutcome::Refused(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::at;
    use crate::ids::TransactionId;
    use crate::paging::{PageKey, Stage};

    #[test]
    fn what_is_said_to_be_over_is_gone_once_that_very_alert_does_not_fire_any_more() {
        let task = "T125".parse().unwrap();
        let key = PageKey { task, episode: TransactionId(3), team: "sre".into(), round: 1, stage: Stage::Page };
        let real = Page { key, due: at(600), drill: false };
        let drill = Page { drill: true, ..real.clone() };
        let mut ending = Ending(vec![real.clone()]);
        assert!(ending.has(&Page { due: at(700), ..real.clone() }) && !ending.has(&drill), "one key, and two alerts");
        assert_eq!(ending.gone(&[drill.clone(), real.clone()]), [], "it fires still");
        assert_eq!(ending.gone(std::slice::from_ref(&drill)), std::slice::from_ref(&real));
        assert_eq!(ending.gone(&[drill]), [], "once");
        assert!(!ending.has(&real));
    }
}
