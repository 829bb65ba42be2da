//! The journal, for writing.
//!
//! Responsible for adding events, each together with the check that it may come now, and for recovering what dead gates
//! left. Not for what events mean, nor for reading them back ([`JournalReader`] does).

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use url::Url;

use super::beside::Beside;
use super::error::JournalError;
use super::event::{Delivery, Event, Step};
use super::files::Directory;
use super::lock::{LockWait, OutboxLock, Ownership};
use super::reader::{JournalReader, read_events};
use super::recover::{EndOnTask, conclude, recover};
use super::reserve;
use super::schema;
use super::setup::{BUSY_READER, checked_version, connect, make_durable, needs_setup, set_up, setup_lock};
use super::state::DeployState;
use crate::crash;
use crate::ids::DeployId;

/// The journal, for reading and writing.
#[derive(Debug)]
pub struct Journal {
    pub(super) reader: JournalReader,
    /// What is kept of the deploy that this process carries out.
    pub(super) beside: Option<Beside>,
}

/// A deploy whose gate is gone, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenOver {
    /// What was seen of its end was beside the journal, and is in it now.
    TakenIn(DeployId),
    /// What the journal knows of its end is a record now.
    Recovered(DeployId),
    /// How it ended is in no journal: a read of the task settles it.
    EndUnknown {
        /// Which one.
        deploy: DeployId,
        /// From when.
        settle_at: Timestamp,
    },
}

impl Deref for Journal {
    type Target = JournalReader;

    fn deref(&self) -> &JournalReader {
        &self.reader
    }
}

impl Journal {
    /// Opens the journal in this state directory; makes both where they are missing, closed to everyone else.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, is open to others, belongs to somebody else, or is of a newer gate.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let directory = Directory::create(dir)?;
        let path = directory.database();
        if !path.try_exists().map_err(|source| JournalError::Directory { path: path.clone(), source })? {
            // Under a lock of our own: SQLite's switch of its mode does not wait for its own locks.
            let _setup = setup_lock(&directory)?;
            connect(&directory, true)?;
            directory.sync()?;
        }
        let mut connection = connect(&directory, false)?;
        if needs_setup(&connection, &path)? {
            let _setup = setup_lock(&directory)?;
            set_up(&mut connection, &path)?;
        }
        make_durable(&connection, &path)?;
        let error = |source| JournalError::sqlite("open", &path, source);
        // Asks for the right to write, so that what cannot be written is refused here and not in the middle of a deploy.
        connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(Transaction::rollback)
            .map_err(error)?;
        Ok(Self { reader: JournalReader { connection, directory, path, version: schema::VERSION }, beside: None })
    }

    /// Opens the journal for reading; `None` where none was ever made in this directory.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, is open to others, belongs to somebody else, or is of a newer gate.
    pub fn open_read_only(dir: &Path) -> Result<Option<JournalReader>, JournalError> {
        let Some(directory) = Directory::existing(dir)? else { return Ok(None) };
        let path = directory.database();
        let error = |source| JournalError::sqlite("open", &path, source);
        if path.try_exists().map_err(|source| JournalError::Directory { path: path.clone(), source })? {
            // What a gate that was killed in the middle of a write left half done is undone by who opens it next, for which
            // the file has to be open for writing. Nothing else is written.
            let connection = connect(&directory, false)?;
            connection.busy_timeout(BUSY_READER).map_err(error)?;
            connection.execute_batch("PRAGMA query_only = ON").map_err(error)?;
            // Version 0: made and not yet set up, by a gate that runs this instant or was killed. Nothing is in it.
            match checked_version(&connection, &path)? {
                0 => {}
                version => return Ok(Some(JournalReader { connection, directory, path, version })),
            }
        }
        if directory.reserved()?.is_empty() {
            return Ok(None);
        }
        // The database is gone, and what was kept beside it is not.
        let connection = Connection::open_in_memory().and_then(|empty| schema::migrate(&empty, 0).map(|()| empty));
        let version = schema::VERSION;
        Ok(Some(JournalReader { connection: connection.map_err(error)?, directory, path, version }))
    }

    /// Makes this process the owner of a deploy, until the value is dropped or the process dies.
    ///
    /// # Errors
    /// Where another process owns it, or the lock file cannot be written.
    pub fn own(&self, deploy: DeployId) -> Result<Ownership, JournalError> {
        Ownership::take(self.directory.deploy_lock(deploy), deploy)
    }

    /// Takes the right to send records to a server; `None` where another process has it for longer than may be waited.
    ///
    /// # Errors
    /// Where the lock file cannot be written; but once the command of a deploy was started, that takes the right from nobody.
    pub fn lock_outbox(&self, server: &Url, how: LockWait) -> Result<Option<OutboxLock>, JournalError> {
        match OutboxLock::take(&self.directory.outbox_lock(server), server, how) {
            // The directory was taken away or closed while the command ran. What happened since is known to this process
            // alone, so nobody else can send it; not to send it would lose it.
            Err(JournalError::Lock { .. }) if self.goes_on() => Ok(Some(OutboxLock::without_a_file(server))),
            taken => taken,
        }
    }

    /// Adds a step of a deploy that this process owns. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the step may not come now, and nothing is written; or where the journal cannot be written.
    pub fn step(&mut self, owner: &Ownership, at: Timestamp, step: Step) -> Result<DeployState, JournalError> {
        let deploy = owner.deploy();
        if matches!(step, Step::Spawning) {
            self.keep_room(deploy)?;
            // What cannot be journalled now is not deployed, though there is room beside the journal.
            let (state, events) = self.add_to_database(deploy, Vec::new(), &|_| vec![Event::new(at, step.clone())])?;
            self.is_in_database(deploy, events);
            return Ok(state);
        }
        let added = self.add(deploy, |_| vec![Event::new(at, step.clone())]);
        if matches!(step, Step::Closed) {
            self.give_up_room();
        }
        added
    }

    /// Adds a step of a record on its way to the task. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the step may not come now or the deploy is on another server than the lock is for, and nothing is written;
    /// or where the journal cannot be written.
    pub fn delivery(
        &mut self,
        outbox: &OutboxLock,
        deploy: DeployId,
        at: Timestamp,
        delivery: Delivery,
    ) -> Result<DeployState, JournalError> {
        let server = self.state(deploy)?.intent().server.clone();
        if server != *outbox.server() {
            let (server, locked) = (server.to_string(), outbox.server().to_string());
            return Err(JournalError::OtherServer { deploy, server, locked });
        }
        self.add(deploy, |state| state.map(|_| Event::new(at, delivery.clone())).into_iter().collect())
    }

    /// Adds what the dead owner of a deploy left unsaid, as far as the journal alone knows it. Whoever owns a deploy that is not
    /// its own knows that its gate is gone. `settle` is how long a record of somebody else may still be on its way.
    ///
    /// # Errors
    /// Where the journal does not know the deploy, or cannot be written.
    pub fn recover(
        &mut self,
        owner: &Ownership,
        now: Timestamp,
        settle: Duration,
    ) -> Result<DeployState, JournalError> {
        let next = |state: Option<&DeployState>| state.map(|state| recover(state, now, settle)).unwrap_or_default();
        let state = self.add(owner.deploy(), next)?;
        crash::point("after-recovered");
        Ok(state)
    }

    /// Ends a deploy whose gate is gone by what was read on its task; changes nothing where that settles nothing.
    ///
    /// # Errors
    /// Where the journal does not know the deploy, or cannot be written.
    pub fn conclude(
        &mut self,
        owner: &Ownership,
        now: Timestamp,
        read: &EndOnTask,
    ) -> Result<DeployState, JournalError> {
        self.add(owner.deploy(), |state| state.map(|state| conclude(state, now, read)).unwrap_or_default())
    }

    /// Takes over every deploy whose gate is gone, and names those of which there is something to say: what is beside the
    /// journal comes into it, what the journal knows of an end becomes a record. Run it before everything else.
    ///
    /// # Errors
    /// Where the journal cannot be read or written.
    pub fn recover_stranded(&mut self, now: Timestamp, settle: Duration) -> Result<Vec<TakenOver>, JournalError> {
        let mut taken = Vec::new();
        for deploy in self.directory.reserved()? {
            if let Some(owner) = self.own_if_dead(deploy)? {
                taken.extend(self.take_in(&owner)?);
            }
        }
        for deploy in self.unfinished()? {
            let Some(owner) = self.own_if_dead(deploy)? else { continue };
            // Its owner may have ended well since we asked.
            let before = self.state(deploy)?;
            if before.is_closed() {
                continue;
            }
            let state = self.recover(&owner, now, settle)?;
            taken.push(match state.gone() {
                Some(settle_at) if !state.is_closed() => TakenOver::EndUnknown { deploy, settle_at },
                _ => TakenOver::Recovered(deploy),
            });
        }
        Ok(taken)
    }

    /// Takes what a gate that is gone kept beside the journal into it, and removes the file.
    fn take_in(&mut self, owner: &Ownership) -> Result<Option<TakenOver>, JournalError> {
        let deploy = owner.deploy();
        let path = self.directory.reserve(deploy);
        let error = |source| JournalError::Directory { path: path.clone(), source };
        let beside = reserve::read(&path).map_err(error)?;
        let known = read_events(&self.reader.connection, &self.reader.path, deploy)?;
        let is_new = beside.iter().any(|event| !known.contains(event));
        // The file holds a deploy from its intent on, so that it is known also where the journal itself was lost.
        if is_new {
            self.add_to_database(deploy, beside, &|_| Vec::new())?;
        }
        std::fs::remove_file(&path).map_err(error)?;
        Ok(is_new.then_some(TakenOver::TakenIn(deploy)))
    }

    fn own_if_dead(&self, deploy: DeployId) -> Result<Option<Ownership>, JournalError> {
        match self.own(deploy) {
            Ok(owner) => Ok(Some(owner)),
            Err(JournalError::Owned { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes something of no meaning, to prove that the journal can be written, and that there is room beside it for how
    /// a command ends: that this is missing is known before `started` is posted.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn probe(&mut self) -> Result<(), JournalError> {
        let transaction = self.begin()?;
        let written = transaction.execute("UPDATE probe SET written = written + 1", []);
        let done = written.and_then(|_| transaction.commit());
        done.map_err(|source| self.reader.error("write", source))?;
        self.try_room()
    }
}

#[cfg(test)]
impl Journal {
    /// Makes the disk seem full: the database may not grow any more.
    pub(super) fn limit_pages(&self) {
        self.connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap();
    }

    pub(super) fn pragma(&self, name: &str) -> String {
        let value = |row: &rusqlite::Row<'_>| match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
            other => Ok(other.as_str()?.to_owned()),
        };
        self.connection.query_row(&format!("PRAGMA {name}"), [], value).unwrap()
    }

    /// How SQLite would answer the query.
    pub(super) fn plan(&self, sql: &str) -> Vec<String> {
        let mut query = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = query.query_map([], |row| row.get("detail")).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// How many steps SQLite's machine takes to answer the query.
    pub(super) fn steps_of(&self, sql: &str) -> i32 {
        let mut query = self.connection.prepare(sql).unwrap();
        let rows = query.query_map([], |_| Ok(())).unwrap();
        rows.for_each(drop);
        query.get_status(rusqlite::StatementStatus::VmStep)
    }
}
