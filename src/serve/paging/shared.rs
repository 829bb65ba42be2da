//! What the tasks of the service share of paging.
//!
//! Responsible for what is kept being in the store before it is here, and for being asked without the store. Not responsible for what it
//! means.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::kept::{Kept, PageRow, PageState, Receiver, Slot};
use super::strangers::Strangers;
use crate::ids::{TaskId, TransactionId};
use crate::paging::{Ack, OnCallReader, Page, PageKey};
use crate::serve::shared::SharedStore;
use crate::serve::site::Site;
use crate::serve::store::{Store, StoreError};

/// For how long what was sent is kept after it was resolved.
const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// What is shared. By reference.
#[derive(Debug)]
pub struct Paging {
    kept: Mutex<Kept>,
    /// When the store was made, by the host's clock.
    pub(super) first_start: Timestamp,
    /// What is to be asked in a channel.
    asks: Mutex<Vec<Page>>,
    /// What is asked though nobody confirmed it.
    strangers: Mutex<Strangers>,
    /// The pages of which it was measured how long people took to answer.
    answered: Mutex<BTreeSet<PageKey>>,
    /// Of what is being sent, that of which a call may have had an effect.
    perhaps_heard: Mutex<BTreeSet<(PageKey, Receiver)>>,
    /// Who is on call.
    pub(super) on_call: OnCallReader,
    /// Something came that may change what is due.
    pub(super) poked: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Paging {
    /// What a store kept of it.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub fn of<S: Store>(store: &SharedStore<S>, site: &Site) -> Result<Self, StoreError> {
        let before = Timestamp::now().saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        let (kept, first_start) = store.with(|store| {
            store.forget_paging(before)?;
            Ok::<_, StoreError>((store.paging()?, store.identity().first_start))
        })?;
        // What was under way before the start may have been called.
        let sending = kept.rows.values().filter(|row| row.state == PageState::Sending).map(PageRow::id).collect();
        Ok(Self {
            kept: Mutex::new(kept),
            perhaps_heard: Mutex::new(sending),
            first_start,
            asks: Mutex::default(),
            strangers: Mutex::default(),
            answered: Mutex::default(),
            on_call: OnCallReader::new(site.paging.on_call.clone()),
            poked: Notify::new(),
        })
    }

    /// The pages of a task.
    pub fn pages(&self, task: TaskId) -> Vec<PageRow> {
        lock(&self.kept).of(task)
    }

    /// The pages that a condition holds of.
    pub(super) fn rows(&self, holds: impl Fn(&PageRow) -> bool) -> Vec<PageRow> {
        lock(&self.kept).rows.values().filter(|row| holds(row)).cloned().collect()
    }

    /// How far a page to a receiver is.
    pub(super) fn state(&self, row: &PageRow) -> Option<PageState> {
        lock(&self.kept).rows.get(&row.id()).map(|row| row.state)
    }

    /// Whether a call about a page may have had an effect.
    pub(super) fn may_be_heard(&self, row: &PageRow) -> bool {
        lock(&self.perhaps_heard).contains(&row.id())
    }

    /// Notes before a call that it may have an effect; returns whether an earlier one may have had one.
    pub(super) fn note_call(&self, row: &PageRow) -> bool {
        !lock(&self.perhaps_heard).insert(row.id())
    }

    /// Notes that no call about a page had any effect.
    pub(super) fn note_no_effect(&self, row: &PageRow) {
        lock(&self.perhaps_heard).remove(&row.id());
    }

    pub(super) fn slots(&self, task: TaskId, episode: TransactionId) -> Vec<Slot> {
        lock(&self.kept).slots.get(&(task, episode)).cloned().unwrap_or_default()
    }

    pub(super) fn acks(&self, task: TaskId) -> Vec<Ack> {
        lock(&self.kept).acks.get(&task).cloned().unwrap_or_default()
    }

    pub(super) fn keep_slots<S: Store>(
        &self,
        store: &SharedStore<S>,
        task: TaskId,
        episode: TransactionId,
        slots: Vec<Slot>,
    ) -> Result<(), StoreError> {
        store.with(|store| store.set_slots(task, episode, &slots))?;
        lock(&self.kept).slots.insert((task, episode), slots);
        Ok(())
    }

    /// Keeps pages, all or none of them.
    pub(super) fn keep<S: Store>(&self, store: &SharedStore<S>, rows: &[PageRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        store.with(|store| store.set_pages(rows))?;
        // What is not being sent any more says itself whether anybody heard of it.
        let mut perhaps_heard = lock(&self.perhaps_heard);
        for row in rows.iter().filter(|row| row.state != PageState::Sending) {
            perhaps_heard.remove(&row.id());
        }
        drop(perhaps_heard);
        lock(&self.kept).rows.extend(rows.iter().map(|row| (row.id(), row.clone())));
        Ok(())
    }

    /// Keeps pages unless one of them is known; returns whether it did.
    pub(super) fn keep_new<S: Store>(&self, store: &SharedStore<S>, row: &PageRow) -> Result<bool, StoreError> {
        // Held, so that of two who take the same one does.
        let mut kept = lock(&self.kept);
        if kept.rows.contains_key(&row.id()) {
            return Ok(false);
        }
        store.with(|store| store.set_pages(std::slice::from_ref(row)))?;
        kept.rows.insert(row.id(), row.clone());
        Ok(true)
    }

    pub(super) fn keep_ack<S: Store>(&self, store: &SharedStore<S>, task: TaskId, ack: Ack) -> Result<(), StoreError> {
        store.with(|store| store.add_ack(task, &ack))?;
        lock(&self.kept).acks.entry(task).or_default().push(ack);
        self.poked.notify_one();
        Ok(())
    }

    /// Whether teams are asked for an emergency that nobody confirmed, which this account opened.
    pub(super) fn asks_for_stranger(
        &self,
        task: TaskId,
        episode: TransactionId,
        opened_by: &str,
        now: Timestamp,
    ) -> bool {
        let of_episode = |row: &PageRow| {
            let key = &row.page.key;
            row.receiver == Receiver::Channel && (key.task, key.episode) == (task, episode)
        };
        let asked = self.rows(of_episode).iter().map(|row| row.first).min();
        lock(&self.strangers).lets_through((task, episode), opened_by, asked, now)
    }

    pub(super) fn set_asks(&self, asks: Vec<Page>) {
        *lock(&self.asks) = asks;
    }

    pub(super) fn asks(&self) -> Vec<Page> {
        lock(&self.asks).clone()
    }

    /// Whether the first answer to a page is measured now.
    pub(super) fn is_first_answer(&self, key: &PageKey) -> bool {
        lock(&self.answered).insert(key.clone())
    }
}
