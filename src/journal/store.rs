//! The journal, for writing.
//!
//! Responsible for adding events, each together with the check that it may come now, and for recovering what dead gates
//! left. Not for what events mean, nor for reading them back ([`JournalReader`] does).

use std::ops::Deref;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use url::Url;

use super::error::JournalError;
use super::event::{Delivery, Event, Step, What};
use super::files::Folder;
use super::lock::{How, OutboxLock, Ownership};
use super::reader::{JournalReader, begin, fold, in_flight, read_events};
use super::recover::recover;
use super::schema;
use super::setup::{BUSY, checked_version, connect, needs_setup, set_up, setup_lock};
use super::state::DeployState;
use crate::crash;
use crate::ids::DeployId;

/// The journal, for reading and writing.
#[derive(Debug)]
pub struct Journal {
    reader: JournalReader,
}

impl Deref for Journal {
    type Target = JournalReader;

    fn deref(&self) -> &JournalReader {
        &self.reader
    }
}

impl Journal {
    /// Opens the journal in this state folder; makes both where they are missing, closed to everyone else.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, is open to others, belongs to somebody else, or is of a newer gate.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let folder = Folder::create(dir)?;
        let path = folder.database();
        if !path.try_exists().map_err(|source| JournalError::Folder { path: path.clone(), source })? {
            // Under a lock of our own: SQLite's switch to WAL does not wait for its own locks.
            let _setup = setup_lock(&folder)?;
            connect(&folder, true)?;
            folder.sync()?;
        }
        let mut connection = connect(&folder, false)?;
        if needs_setup(&connection, &path)? {
            let _setup = setup_lock(&folder)?;
            set_up(&mut connection, &path)?;
        }
        let error = |source| JournalError::sqlite("open", &path, source);
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON").map_err(error)?;
        // Asks for the right to write, so that what cannot be written is refused here and not in the middle of a deploy.
        connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(Transaction::rollback)
            .map_err(error)?;
        Ok(Self { reader: JournalReader { connection, folder, path, version: schema::VERSION } })
    }

    /// Opens the journal for reading; `None` where none was ever made in this folder.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, is open to others, belongs to somebody else, or is of a newer gate.
    pub fn open_read_only(dir: &Path) -> Result<Option<JournalReader>, JournalError> {
        let Some(folder) = Folder::existing(dir)? else { return Ok(None) };
        let path = folder.database();
        if !path.try_exists().map_err(|source| JournalError::Folder { path: path.clone(), source })? {
            return Ok(None);
        }
        let error = |source| JournalError::sqlite("open", &path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(error)?;
        connection.busy_timeout(BUSY).map_err(error)?;
        match checked_version(&connection, &path)? {
            // Made and not yet set up: by a gate that runs this instant or was killed. Nothing is in it.
            0 => Ok(None),
            version => Ok(Some(JournalReader { connection, folder, path, version })),
        }
    }

    /// Makes this process the owner of a deploy, until the value is dropped or the process dies.
    ///
    /// # Errors
    /// Where another process owns it, or the lock file cannot be written.
    pub fn own(&self, deploy: DeployId) -> Result<Ownership, JournalError> {
        Ownership::take(self.folder.deploy_lock(deploy), deploy)
    }

    /// Takes the right to send records to a server; `None` where another process has it for longer than may be waited.
    ///
    /// # Errors
    /// Where the lock file cannot be written.
    pub fn lock_outbox(&self, server: &Url, how: How) -> Result<Option<OutboxLock>, JournalError> {
        OutboxLock::take(&self.folder.outbox_lock(server), server, how)
    }

    /// Adds a step of a deploy that this process owns. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where the step may not come now, and nothing is written; or where the journal cannot be written.
    pub fn step(&mut self, owner: &Ownership, at: Timestamp, step: Step) -> Result<DeployState, JournalError> {
        self.add(owner.deploy(), |_| vec![Event::new(at, step)])
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
        self.add(deploy, |state| state.map(|_| Event::new(at, delivery)).into_iter().collect())
    }

    /// Adds what the dead owner of a deploy left unsaid. Whoever owns a deploy that is not its own knows it is dead.
    ///
    /// # Errors
    /// Where the journal does not know the deploy, or cannot be written.
    pub fn recover(&mut self, owner: &Ownership, now: Timestamp) -> Result<DeployState, JournalError> {
        let state = self.add(owner.deploy(), |state| state.map(|state| recover(state, now)).unwrap_or_default())?;
        crash::point("after-recovered");
        Ok(state)
    }

    /// Recovers every unfinished deploy whose owner is dead, and names them. Run it before everything else.
    ///
    /// # Errors
    /// Where the journal cannot be read or written.
    pub fn recover_stranded(&mut self, now: Timestamp) -> Result<Vec<DeployId>, JournalError> {
        let mut recovered = Vec::new();
        for deploy in self.unfinished()? {
            match self.own(deploy) {
                Ok(owner) => {
                    // Its owner may have ended well since we asked.
                    if !self.state(deploy)?.is_closed() {
                        self.recover(&owner, now)?;
                        recovered.push(deploy);
                    }
                }
                Err(JournalError::Owned { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(recovered)
    }

    /// Writes something of no meaning, to prove that the journal can be written.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn probe(&mut self) -> Result<(), JournalError> {
        let transaction = self.begin()?;
        let written = transaction.execute("UPDATE probe SET written = written + 1", []);
        let done = written.and_then(|_| transaction.commit());
        done.map_err(|source| self.reader.error("write", source))
    }

    /// Adds the events that follow from the state as it is, in one transaction with looking at it.
    fn add(
        &mut self,
        deploy: DeployId,
        next: impl FnOnce(Option<&DeployState>) -> Vec<Event>,
    ) -> Result<DeployState, JournalError> {
        let (path, folder) = (self.reader.path.clone(), self.reader.folder.clone());
        let error = |source| JournalError::sqlite("write", &path, source);
        let transaction = self.begin()?;
        let past = read_events(&transaction, &path, deploy)?;
        let mut state = match past.as_slice() {
            [] => None,
            past => Some(fold(past, &path, deploy)?),
        };
        let refused = |source| JournalError::Refused { deploy, source };
        for event in next(state.as_ref()) {
            match &mut state {
                Some(state) => state.apply(&event).map_err(refused)?,
                None => {
                    let begun = begin(&event, deploy).map_err(refused)?;
                    if let Some(other) = in_flight(&transaction, &folder, begun.intent())? {
                        return Err(JournalError::InFlight { task: begun.intent().task, other: Box::new(other) });
                    }
                    state = Some(begun);
                }
            }
            let data = event.to_data().map_err(JournalError::Encode)?;
            if let What::Step(Step::Intent(intent)) = &event.what {
                transaction
                    .prepare_cached("INSERT INTO deploy (id, closed, undelivered, task) VALUES (?1, 0, 0, ?2)")
                    .and_then(|mut insert| insert.execute(params![deploy.to_string(), intent.task.to_string()]))
                    .map_err(error)?;
            }
            transaction
                .prepare_cached("INSERT INTO event (deploy, at, kind, data) VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut insert| {
                    insert.execute(params![deploy.to_string(), event.at.to_string(), event.kind(), data])
                })
                .map_err(error)?;
        }
        let Some(state) = state else { return Err(JournalError::NoSuchDeploy { path, deploy }) };
        let undelivered = i64::from(!state.outbox().is_empty());
        transaction
            .prepare_cached("UPDATE deploy SET closed = ?2, undelivered = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![deploy.to_string(), state.is_closed(), undelivered]))
            .map_err(error)?;
        crash::point("journal-uncommitted");
        transaction.commit().map_err(error)?;
        crash::point("journal-committed");
        Ok(state)
    }

    fn begin(&mut self) -> Result<Transaction<'_>, JournalError> {
        let path = &self.reader.path;
        let started = self.reader.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        started.map_err(|source| JournalError::sqlite("write", path, source))
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
