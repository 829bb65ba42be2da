//! The journal as the use cases know it, whatever keeps it.
//!
//! Responsible for the port, [`DeployLog`], and for keeping what waits for a disk or a lock off the threads on which a service answers.
//! Not responsible for how anything is kept: the SQLite [`Journal`] is one way.

use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Handle, RuntimeFlavor};
use url::Url;

use super::{
    Delivery, DeployState, EndOnTask, Journal, JournalError, Kept, LockWait, OutboxLock, Ownership, Step, TakenOver,
};
use crate::ids::DeployId;

/// Where deploys are journalled. What a call adds is durable when it returns; a step that may not come now is refused and nothing is
/// added.
///
/// # Errors
/// Each call fails where what is kept cannot be read or written, and says where.
#[allow(clippy::missing_errors_doc)]
pub trait DeployLog {
    /// Makes this process the owner of a deploy, as [`Journal::own`] does.
    fn own(&self, deploy: DeployId) -> Result<Ownership, JournalError>;
    /// Adds a step of a deploy, as [`Journal::step`] does.
    fn step(&mut self, owner: &Ownership, at: Timestamp, step: Step) -> Result<DeployState, JournalError>;
    /// Where a deploy stands.
    fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError>;
    /// Whether a deploy is known.
    fn knows(&self, deploy: DeployId) -> Result<bool, JournalError>;
    /// Whether a process owns a deploy.
    fn is_alive(&self, deploy: DeployId) -> Result<bool, JournalError>;
    /// The deploys with a record that is not known to be on its task, oldest first.
    fn undelivered(&self) -> Result<Vec<DeployId>, JournalError>;
    /// The deploys whose gate has not said its last word, oldest first.
    fn unfinished(&self) -> Result<Vec<DeployId>, JournalError>;
    /// Those of them whose owner is dead.
    fn stranded(&self) -> Result<Vec<DeployId>, JournalError>;
    /// How many records were given up.
    fn dropped(&self) -> Result<u32, JournalError>;
    /// Takes the right to send records to a server, as [`Journal::lock_outbox`] does.
    fn lock_outbox(&self, server: &Url, how: LockWait) -> Result<Option<OutboxLock>, JournalError>;
    /// Adds a step of a record on its way to the task, as [`Journal::delivery`] does.
    fn delivery(
        &mut self,
        outbox: &OutboxLock,
        deploy: DeployId,
        at: Timestamp,
        delivery: Delivery,
    ) -> Result<DeployState, JournalError>;
    /// Ends a deploy whose gate is gone by what was read on its task.
    fn conclude(&mut self, owner: &Ownership, now: Timestamp, read: &EndOnTask) -> Result<DeployState, JournalError>;
    /// Takes over every deploy whose gate is gone.
    fn recover_stranded(&mut self, now: Timestamp, settle: Duration) -> Result<Vec<TakenOver>, JournalError>;
    /// From now on the end of this deploy is kept in whatever way is left.
    fn go_on(&mut self, deploy: DeployId);
    /// Where the last words of the deploy are whose command this process started.
    fn kept(&self) -> Kept;
}

/// Does what waits for a disk or a lock. Where other tasks share the thread with it, they go on meanwhile.
pub(crate) fn off_async<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl DeployLog for Journal {
    fn own(&self, deploy: DeployId) -> Result<Ownership, JournalError> {
        off_async(|| Self::own(self, deploy))
    }

    fn step(&mut self, owner: &Ownership, at: Timestamp, step: Step) -> Result<DeployState, JournalError> {
        off_async(|| Self::step(self, owner, at, step))
    }

    fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError> {
        off_async(|| Self::state(self, deploy))
    }

    fn knows(&self, deploy: DeployId) -> Result<bool, JournalError> {
        off_async(|| self.reader.knows(deploy))
    }

    fn is_alive(&self, deploy: DeployId) -> Result<bool, JournalError> {
        off_async(|| self.reader.is_alive(deploy))
    }

    fn undelivered(&self) -> Result<Vec<DeployId>, JournalError> {
        off_async(|| self.reader.undelivered())
    }

    fn unfinished(&self) -> Result<Vec<DeployId>, JournalError> {
        off_async(|| self.reader.unfinished())
    }

    fn stranded(&self) -> Result<Vec<DeployId>, JournalError> {
        off_async(|| self.reader.stranded())
    }

    fn dropped(&self) -> Result<u32, JournalError> {
        off_async(|| self.reader.dropped())
    }

    fn lock_outbox(&self, server: &Url, how: LockWait) -> Result<Option<OutboxLock>, JournalError> {
        off_async(|| Self::lock_outbox(self, server, how))
    }

    fn delivery(
        &mut self,
        outbox: &OutboxLock,
        deploy: DeployId,
        at: Timestamp,
        delivery: Delivery,
    ) -> Result<DeployState, JournalError> {
        off_async(|| Self::delivery(self, outbox, deploy, at, delivery))
    }

    fn conclude(&mut self, owner: &Ownership, now: Timestamp, read: &EndOnTask) -> Result<DeployState, JournalError> {
        off_async(|| Self::conclude(self, owner, now, read))
    }

    fn recover_stranded(&mut self, now: Timestamp, settle: Duration) -> Result<Vec<TakenOver>, JournalError> {
        off_async(|| Self::recover_stranded(self, now, settle))
    }

    fn go_on(&mut self, deploy: DeployId) {
        off_async(|| Self::go_on(self, deploy));
    }

    fn kept(&self) -> Kept {
        off_async(|| Self::kept(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tasks_go_on_while_the_disk_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        runtime.block_on(async {
            let (send, receive) = std::sync::mpsc::channel();
            let waits = tokio::spawn(async move { off_async(move || receive.recv().unwrap()) });
            // Runs on the one worker, which the first task would hold.
            let other = tokio::spawn(async move { send.send(7).unwrap() });
            other.await.unwrap();
            assert_eq!(waits.await.unwrap(), 7);
        });
        let alone = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(alone.block_on(async { off_async(|| 1) }), 1);
        assert_eq!(off_async(|| 2), 2);
    }
}
