//! Opening the database: connecting, setting it up, bringing an older one up to date.
//!
//! Responsible for what must hold of the file before an event is read or written. Not for the tables (the
//! [schema](super::schema) has them) nor for what is written into them.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::JournalError;
use super::files::{self, Folder};
use super::lock::{self, How};
use super::schema;

/// How long another process may hold the database. Transactions take milliseconds; a disk under load takes longer.
pub(super) const BUSY: Duration = Duration::from_secs(20);

pub(super) fn setup_lock(folder: &Folder) -> Result<std::fs::File, JournalError> {
    let path = folder.setup_lock();
    lock::lock(&path, How::Until(Instant::now() + BUSY))?.ok_or(JournalError::Busy { path })
}

pub(super) fn connect(folder: &Folder, create: bool) -> Result<Connection, JournalError> {
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

pub(super) fn needs_setup(connection: &Connection, path: &Path) -> Result<bool, JournalError> {
    let version = checked_version(connection, path)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(|source| JournalError::sqlite("open", path, source))?;
    Ok(version < schema::VERSION || mode != "wal")
}

pub(super) fn set_up(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
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

pub(super) fn checked_version(connection: &Connection, path: &Path) -> Result<i64, JournalError> {
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
