//! The watch: it knows within seconds what every open emergency lacks.
//!
//! Responsible for its loops, which end together, and for what they share. Nothing is decided from the content of an event: an event only
//! says which task to look at, and a look is the assessment of `check`. Not responsible for what is decided ([`crate::rules`]), for what
//! is said about it ([`super::notices`]) nor for whom it is shown to.

mod feed;
mod look;
mod poll;
mod queue;
mod reread;
mod speak;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

pub use self::feed::FeedState;
pub use self::queue::{Queue, Turn};
use super::board::{Board, WatchedTask};
use super::channel::EndedTask;
use super::metrics::Metrics;
use super::paging::{Paging, Sender};
use super::reported::Reported;
use super::sequence::Sequence;
use super::shared::SharedStore;
use super::site::Site;
use super::store::{Store, StoreError};
use crate::ids::{Phid, Task, TaskId};

/// How many tasks are looked at at once.
const WORKERS: usize = 6;
/// How many emergencies that are over wait for whoever says so.
const ENDINGS: usize = 256;

/// What became of looking at a task.
#[derive(Debug, Clone)]
pub enum Looked {
    /// It is an open emergency.
    Open(Arc<WatchedTask>),
    /// It is none.
    Closed,
    /// It is missing, or hidden from the service's account.
    Hidden,
    /// It could not be read.
    Unread,
}

/// The watch over the open emergencies of one server.
#[derive(Debug)]
pub struct Watch<S> {
    /// What it works with.
    pub site: Site,
    /// What it knows and must not forget.
    pub store: SharedStore<S>,
    /// Where every open emergency stands.
    pub board: Board,
    /// What those who deploy say themselves.
    pub reported: Reported,
    /// Which tasks are to be looked at.
    pub queue: Queue,
    /// On which tasks something is to be said.
    voice: Queue,
    /// What it counts.
    pub metrics: Metrics,
    /// Who is asked and paged.
    pub paging: Paging,
    /// The emergencies that are over, for whoever says so.
    pub endings: broadcast::Sender<EndedTask>,
    /// The numbers of changes.
    sequence: Sequence,
    /// Something waits in the store to be looked at.
    poked: Notify,
    /// The open emergencies have to be listed anew at once.
    sweep_now: Notify,
    /// The feed gives nothing: listing the tasks stands in for it.
    feed_is_down: AtomicBool,
    /// When it was made, by the host's clock.
    made: Timestamp,
    /// When a loop last came round, in seconds since 1970 by the host's clock.
    turned: AtomicU64,
}

impl<S: Store> Watch<S> {
    /// A watch that has not looked yet.
    ///
    /// # Errors
    /// Where the store cannot be read or written.
    pub fn new(site: Site, store: S) -> Result<Self, StoreError> {
        let store = SharedStore::new(store);
        let sequence = Sequence::new(&store)?;
        let paging = Paging::of(&store, &site)?;
        Ok(Self {
            site,
            store,
            board: Board::default(),
            reported: Reported::default(),
            queue: Queue::default(),
            voice: Queue::default(),
            metrics: Metrics::default(),
            paging,
            endings: broadcast::Sender::new(ENDINGS),
            sequence,
            poked: Notify::new(),
            sweep_now: Notify::new(),
            feed_is_down: AtomicBool::new(false),
            made: Timestamp::now(),
            turned: AtomicU64::new(0),
        })
    }

    /// Notes durably that these tasks are to be looked at, and has that done.
    ///
    /// # Errors
    /// Where it could not be noted.
    pub fn wake(&self, tasks: &[Phid<Task>]) -> Result<(), StoreError> {
        self.store.with(|store| store.wake(tasks))?;
        self.poked.notify_one();
        Ok(())
    }

    /// Has the open emergencies listed anew at once.
    pub fn sweep_now(&self) {
        self.sweep_now.notify_one();
    }

    /// Looks at a task before all others, and waits for the outcome; `None` where that takes longer.
    pub async fn look_now(&self, task: TaskId, limit: Duration) -> Option<Looked> {
        tokio::time::timeout(limit, self.queue.ask(task)).await.ok().and_then(Result::ok)
    }

    /// When the oldest part of what is known of a task was read, by the server's clock.
    pub fn evidence_at(&self, watched: &WatchedTask) -> Timestamp {
        let is_unread = self.board.unread_since(watched.task).is_some();
        self.board.evidence_at(watched, self.board.now(), is_unread || self.queue.holds(watched.task))
    }

    /// When it was started, by the server's clock.
    pub fn began(&self) -> Timestamp {
        self.board.clock().at(self.made)
    }

    /// Has the pages of a task shown anew, of which something else is said now.
    ///
    /// # Errors
    /// Where the store gives no number for that.
    pub fn touch(&self, task: TaskId) -> Result<(), StoreError> {
        self.board.touch(task, self.sequence.next(&self.store)?);
        Ok(())
    }

    /// Lets go of what was said and does not count any more.
    fn lapse(&self) {
        let underway = |task| {
            let watched = self.board.watched(task)?;
            let underway = watched.deploys.iter().filter(|deploy| deploy.is_underway());
            Some(underway.map(|deploy| (deploy.transaction, deploy.deploy)).collect())
        };
        for task in self.reported.lapse(self.board.now(), underway) {
            if let Err(error) = self.touch(task) {
                tracing::error!("{task}: {error}");
            }
        }
    }

    /// Whether the feed gives nothing, so that listing the tasks stands in for it.
    pub fn feed_is_down(&self) -> bool {
        self.feed_is_down.load(Ordering::Relaxed)
    }

    /// When a loop last came round, by the host's clock: what a watchdog looks at, and never whether the server answered.
    pub fn turned(&self) -> Option<Timestamp> {
        let seconds = self.turned.load(Ordering::Relaxed);
        i64::try_from(seconds)
            .ok()
            .filter(|seconds| *seconds > 0)
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
    }

    /// Watches until it is stopped.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut loops = JoinSet::new();
        loops.spawn(Self::polls(Arc::clone(&self)));
        loops.spawn(Self::sweeps(Arc::clone(&self)));
        loops.spawn(Self::rereads(Arc::clone(&self)));
        loops.spawn(Self::timers(Arc::clone(&self)));
        loops.spawn(Sender::new(Arc::clone(&self), stop.clone()).looks_who_is_on_call());
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(Self::works(Arc::clone(&self), stop.clone()));
        }
        workers.spawn(Self::speaks_up(Arc::clone(&self), stop.clone()));
        workers.spawn(Sender::new(Arc::clone(&self), stop.clone()).pages());
        stopped(stop).await;
        loops.shutdown().await;
        // What is being said is said to its end: its workers stop by themselves.
        while workers.join_next().await.is_some() {}
    }

    async fn works(self: Arc<Self>, stop: watch::Receiver<bool>) {
        loop {
            let turn = tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                turn = self.queue.next() => turn,
            };
            let looked = self.look(turn.task).await;
            turn.done(&looked);
        }
    }

    /// Looks again at what only time changes, and lets go of what nobody says any more.
    async fn timers(self: Arc<Self>) {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let second = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
            self.turned.store(second, Ordering::Relaxed);
            for task in self.board.take_due(self.board.now()) {
                self.queue.push(task);
            }
            self.lapse();
        }
    }
}

/// Waits until it is said to stop, or who could say so is gone.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error is a sender that is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}
