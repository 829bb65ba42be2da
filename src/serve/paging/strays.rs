//! Pages that fire at the Alertmanager and that nobody here would close: sent by hand, by a service whose store is lost, or heard of late.
//!
//! Responsible for finding them, since an Alertmanager says what fires there, and for closing those that nobody is needed for any more: what
//! was closed is in the store first, and resolved as the service's own are. One that was sent by another policy, or whose task is not shown to
//! this service, is let be; it ends by itself. Not responsible for the calls that resolve ([`super::sender`]).

use super::kept::{PageRow, PageState, Receiver, SlotPhase};
use super::sender::Sender;
use crate::paging::{Page, PagerKind};
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::Looked;

/// How many tasks are read for the sake of them each time.
const READ: usize = 20;

impl<S: Store> Sender<S> {
    /// Closes what fires at the Alertmanager and is over.
    pub(super) async fn close_strays(&self) -> Result<(), StoreError> {
        let firing = match self.watch.site.pagers.firing().await {
            Some(Ok(firing)) => firing,
            Some(Err(why)) => {
                tracing::debug!("what fires at the Alertmanager cannot be read: {why}");
                return Ok(());
            }
            None => return Ok(()),
        };
        let mut read = 0;
        for page in firing {
            let id = (page.key.clone(), Receiver::Pager(PagerKind::Alertmanager));
            let known = self.watch.paging.rows(|row| row.id() == id).pop();
            // Its own are closed by the ladder and resolved until that is accepted.
            if known.as_ref().is_some_and(|row| !matches!(row.state, PageState::Resolved { .. })) {
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
            self.close(&page)?;
        }
        Ok(())
    }

    /// Whether a page may still be needed by what is known of its task.
    fn may_be_needed(&self, page: &Page, watched: &WatchedTask) -> Result<bool, StoreError> {
        if self.climb(watched)?.is_none() {
            return Ok(true);
        }
        let slots = self.watch.paging.slots(watched.task, watched.episode.began);
        let is_asked = slots.iter().any(|slot| slot.team == page.key.team && slot.phase != SlotPhase::Over);
        let is_silenced = watched.paging.is_drill && !self.watch.site.paging.drills;
        Ok(page.key.episode == watched.episode.began && is_asked && !is_silenced)
    }

    /// Closes it for every pager: who pages by hand calls all of them.
    fn close(&self, page: &Page) -> Result<(), StoreError> {
        let at = self.watch.board.now();
        let known = self.watch.paging.rows(|row| row.page.key == page.key);
        let row = |kind| {
            let receiver = Receiver::Pager(kind);
            match known.iter().find(|row| row.receiver == receiver) {
                // What the others heard of it they were sent by this service.
                Some(row) => (kind == PagerKind::Alertmanager).then(|| row.now(row.state.resolving(at, true))),
                None => {
                    let (page, first) = (page.clone(), page.due);
                    let state = PageState::Resolving { at, fired: Some(page.due), unheard: false };
                    Some(PageRow { page, receiver, first, state })
                }
            }
        };
        let rows: Vec<PageRow> = self.watch.site.pagers.kinds().into_iter().filter_map(row).collect();
        tracing::warn!("{}: fires at the Alertmanager though nobody is needed; it is resolved", page.key.words());
        self.watch.paging.keep(&self.watch.store, &rows)
    }
}
