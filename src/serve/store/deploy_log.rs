//! The store as the journal of deploys.
//!
//! Responsible for passing each call to the journal in the same directory. Not responsible for what the journal does.

use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::SqliteStore;
use crate::ids::DeployId;
use crate::journal::{
    Delivery, DeployLog, DeployState, EndOnTask, JournalError, Kept, LockWait, OutboxLock, Ownership, Step, TakenOver,
};

impl DeployLog for SqliteStore {
    fn own(&self, deploy: DeployId) -> Result<Ownership, JournalError> {
        DeployLog::own(&self.journal, deploy)
    }

    fn step(&mut self, owner: &Ownership, at: Timestamp, step: Step) -> Result<DeployState, JournalError> {
        DeployLog::step(&mut self.journal, owner, at, step)
    }

    fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError> {
        DeployLog::state(&self.journal, deploy)
    }

    fn knows(&self, deploy: DeployId) -> Result<bool, JournalError> {
        DeployLog::knows(&self.journal, deploy)
    }

    fn is_alive(&self, deploy: DeployId) -> Result<bool, JournalError> {
        DeployLog::is_alive(&self.journal, deploy)
    }

    fn undelivered(&self) -> Result<Vec<DeployId>, JournalError> {
        DeployLog::undelivered(&self.journal)
    }

    fn unfinished(&self) -> Result<Vec<DeployId>, JournalError> {
        DeployLog::unfinished(&self.journal)
    }

    fn stranded(&self) -> Result<Vec<DeployId>, JournalError> {
        DeployLog::stranded(&self.journal)
    }

    fn dropped(&self) -> Result<u32, JournalError> {
        DeployLog::dropped(&self.journal)
    }

    fn lock_outbox(&self, server: &Url, how: LockWait) -> Result<Option<OutboxLock>, JournalError> {
        DeployLog::lock_outbox(&self.journal, server, how)
    }

    fn delivery(
        &mut self,
        outbox: &OutboxLock,
        deploy: DeployId,
        at: Timestamp,
        delivery: Delivery,
    ) -> Result<DeployState, JournalError> {
        DeployLog::delivery(&mut self.journal, outbox, deploy, at, delivery)
    }

    fn conclude(&mut self, owner: &Ownership, now: Timestamp, read: &EndOnTask) -> Result<DeployState, JournalError> {
        DeployLog::conclude(&mut self.journal, owner, now, read)
    }

    fn recover_stranded(&mut self, now: Timestamp, settle: Duration) -> Result<Vec<TakenOver>, JournalError> {
        DeployLog::recover_stranded(&mut self.journal, now, settle)
    }

    fn go_on(&mut self, deploy: DeployId) {
        DeployLog::go_on(&mut self.journal, deploy);
    }

    fn kept(&self) -> Kept {
        DeployLog::kept(&self.journal)
    }
}
