//! The journal on disk.
//!
//! In the room: opening it, adding events, reading them back, the index of what is open. Not in the room: what events
//! mean.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use url::Url;

use super::error::JournalError;
use super::event::{Delivery, Event, Step};
use super::files::{self, Folder};
use super::lock::{self, How, OutboxLock, Ownership};
use super::outbox::OutboxEntry;
use super::recover::recover;
use super::schema;
use super::state::{DeployState, IllegalTransition};
use crate::crash;
use crate::ids::DeployId;

/// How long another process may hold the database. Transactions take milliseconds; a disk under load takes longer.
const BUSY: Duration = Duration::from_secs(20);

/// The journal, for reading.
#[derive(Debug)]
pub struct JournalReader {
    connection: Connection,
    folder: Folder,
    path: PathBuf,
}

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
        Ok(Self { reader: JournalReader { connection, folder, path } })
    }

    /// Opens the journal for reading; `None` where none was ever made in this folder.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, is open to others, belongs to somebody else, or is of another version.
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
            schema::VERSION => Ok(Some(JournalReader { connection, folder, path })),
            // Made and not yet set up: by a gate that runs this instant or was killed. Nothing is in it.
            0 => Ok(None),
            older => Err(JournalError::NotWritable {
                path,
                reason: format!("it has the old version {older}; any command that writes to it brings it up to date"),
            }),
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
        let path = self.reader.path.clone();
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
                None => state = Some(begin(&event, deploy).map_err(refused)?),
            }
            let data = event.to_data().map_err(JournalError::Encode)?;
            transaction
                .prepare_cached("INSERT INTO deploy (id, closed, undelivered) VALUES (?1, 0, 0) ON CONFLICT DO NOTHING")
                .and_then(|mut insert| insert.execute(params![deploy.to_string()]))
                .map_err(error)?;
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

impl JournalReader {
    /// Where the journal is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All events of a deploy, oldest first; none where the journal does not know it.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn events(&self, deploy: DeployId) -> Result<Vec<Event>, JournalError> {
        read_events(&self.connection, &self.path, deploy)
    }

    /// Where a deploy stands.
    ///
    /// # Errors
    /// Where the journal does not know it, or its events make no sense.
    pub fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError> {
        let events = self.events(deploy)?;
        if events.is_empty() {
            return Err(JournalError::NoSuchDeploy { path: self.path.clone(), deploy });
        }
        fold(&events, &self.path, deploy)
    }

    /// Whether the journal knows a deploy.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn knows(&self, deploy: DeployId) -> Result<bool, JournalError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT 1 FROM deploy WHERE id = ?1")
            .map_err(|source| self.error("read", source))?;
        query.exists([deploy.to_string()]).map_err(|source| self.error("read", source))
    }

    /// The deploys whose gate has not said its last word, oldest first: it runs, or it was killed.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn unfinished(&self) -> Result<Vec<DeployId>, JournalError> {
        self.ids(schema::UNFINISHED)
    }

    /// The deploys with a record that is not known to be on its task, oldest first.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn undelivered(&self) -> Result<Vec<DeployId>, JournalError> {
        self.ids(schema::UNDELIVERED)
    }

    /// The unfinished deploys whose owner is dead, oldest first: what [`Journal::recover_stranded`] would recover.
    ///
    /// # Errors
    /// Where the journal or its locks cannot be read.
    pub fn stranded(&self) -> Result<Vec<DeployId>, JournalError> {
        let mut stranded = Vec::new();
        for deploy in self.unfinished()? {
            if !self.is_alive(deploy)? {
                stranded.push(deploy);
            }
        }
        Ok(stranded)
    }

    /// The outbox, oldest deploy first.
    ///
    /// # Errors
    /// Where the journal cannot be read, or the events of a deploy make no sense.
    pub fn outbox(&self) -> Result<Vec<OutboxEntry>, JournalError> {
        let mut entries = Vec::new();
        for deploy in self.undelivered()? {
            entries.extend(OutboxEntry::of(&self.state(deploy)?));
        }
        Ok(entries)
    }

    /// Whether a process owns the deploy. It may have died when this returns: only [`Journal::own`] is certain.
    ///
    /// # Errors
    /// Where the lock cannot be asked for.
    pub fn is_alive(&self, deploy: DeployId) -> Result<bool, JournalError> {
        lock::is_held(&self.folder.deploy_lock(deploy))
    }

    fn ids(&self, sql: &str) -> Result<Vec<DeployId>, JournalError> {
        let error = |source| self.error("read", source);
        let mut query = self.connection.prepare_cached(sql).map_err(error)?;
        let rows = query.query_map([], |row| row.get::<_, String>(0)).map_err(error)?;
        let mut ids = Vec::new();
        for row in rows {
            let text = row.map_err(error)?;
            let id = text.parse().map_err(|_| JournalError::Corrupt {
                path: self.path.clone(),
                reason: format!("{text:?} is no deploy id"),
            })?;
            ids.push(id);
        }
        Ok(ids)
    }

    fn error(&self, doing: &'static str, source: rusqlite::Error) -> JournalError {
        JournalError::sqlite(doing, &self.path, source)
    }
}

fn setup_lock(folder: &Folder) -> Result<std::fs::File, JournalError> {
    let path = folder.setup_lock();
    lock::lock(&path, How::Until(Instant::now() + BUSY))?.ok_or(JournalError::Busy { path })
}

fn connect(folder: &Folder, create: bool) -> Result<Connection, JournalError> {
    let path = folder.database();
    let error = |source| JournalError::sqlite("open", &path, source);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connection = Connection::open_with_flags(&path, flags).map_err(error)?;
    // The file is made and still empty, and the folder is closed: nobody saw it with another mode.
    files::make_private(&path)?;
    connection.busy_timeout(BUSY).map_err(error)?;
    Ok(connection)
}

fn needs_setup(connection: &Connection, path: &Path) -> Result<bool, JournalError> {
    let version = checked_version(connection, path)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|source| JournalError::sqlite("open", path, source))?;
    Ok(version < schema::VERSION || mode != "wal")
}

fn set_up(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let error = |source| JournalError::sqlite("set up", path, source);
    connection.execute_batch("PRAGMA synchronous = FULL").map_err(error)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(error)?;
    if mode != "wal" {
        let reason = format!("its file system cannot hold a write-ahead log (SQLite stays in mode {mode})");
        return Err(JournalError::NotWritable { path: path.to_owned(), reason });
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error)?;
    // Another process may have done it while we waited.
    let version = checked_version(&transaction, path)?;
    if version < schema::VERSION {
        schema::migrate(&transaction, version).map_err(error)?;
    }
    transaction.commit().map_err(error)
}

fn checked_version(connection: &Connection, path: &Path) -> Result<i64, JournalError> {
    let found = schema::version(connection).map_err(|source| JournalError::sqlite("open", path, source))?;
    match found {
        found if found > schema::VERSION => {
            Err(JournalError::Newer { path: path.to_owned(), found, known: schema::VERSION })
        }
        found if found < 0 => {
            Err(JournalError::Corrupt { path: path.to_owned(), reason: format!("its version is {found}") })
        }
        found => Ok(found),
    }
}

fn read_events(connection: &Connection, path: &Path, deploy: DeployId) -> Result<Vec<Event>, JournalError> {
    let error = |source| JournalError::sqlite("read", path, source);
    let mut query = connection
        .prepare_cached("SELECT id, at, kind, data FROM event WHERE deploy = ?1 ORDER BY id")
        .map_err(error)?;
    let mut rows = query.query([deploy.to_string()]).map_err(error)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(error)? {
        let id: i64 = row.get(0).map_err(error)?;
        let at: String = row.get(1).map_err(error)?;
        let kind: String = row.get(2).map_err(error)?;
        let data: String = row.get(3).map_err(error)?;
        let corrupt = |reason: String| JournalError::Corrupt {
            path: path.to_owned(),
            reason: format!("event {id} of deploy {deploy} cannot be read: {reason}"),
        };
        let at = at.parse().map_err(|source: jiff::Error| corrupt(source.to_string()))?;
        events.push(Event::from_data(at, &kind, &data).map_err(|source| corrupt(source.to_string()))?);
    }
    Ok(events)
}

fn fold(events: &[Event], path: &Path, deploy: DeployId) -> Result<DeployState, JournalError> {
    let bad = |source| JournalError::BadHistory { path: path.to_owned(), deploy, source };
    let state = DeployState::from_events(events).map_err(bad)?;
    state.check_deploy(deploy).map_err(bad)?;
    Ok(state)
}

fn begin(event: &Event, deploy: DeployId) -> Result<DeployState, IllegalTransition> {
    let state = DeployState::begin(event)?;
    state.check_deploy(deploy)?;
    Ok(state)
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
