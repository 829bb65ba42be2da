//! Opening the database: connecting, setting it up, bringing an older one up to date.
//!
//! Responsible for what must hold of the file before an event is read or written. Not for the tables (the
//! [schema](super::schema) has them) nor for what is written into them.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::JournalError;
use super::files::{self, Directory};
use super::lock::{self, LockWait};
use super::schema;

/// How long another process may hold the database. Transactions take milliseconds; a disk under load takes longer.
pub(super) const BUSY: Duration = Duration::from_secs(20);

/// The same for who only reads, and has somebody waiting for what it reads.
pub(super) const BUSY_READER: Duration = Duration::from_secs(5);

pub(super) fn setup_lock(directory: &Directory) -> Result<std::fs::File, JournalError> {
    let path = directory.setup_lock();
    lock::lock(&path, LockWait::Until(Instant::now() + BUSY))?.ok_or(JournalError::Busy { path })
}

pub(super) fn connect(directory: &Directory, create: bool) -> Result<Connection, JournalError> {
    let path = directory.database();
    let error = |source| JournalError::sqlite("open", &path, source);
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connection = Connection::open_with_flags(&path, flags).map_err(error)?;
    // The file is made and still empty, and the directory is closed: nobody saw it with another mode.
    files::make_private(&path)?;
    connection.busy_timeout(BUSY).map_err(error)?;
    Ok(connection)
}

/// Makes a connection keep its promises: what it writes is on the disk when the call returns.
///
/// The rollback journal is a file that is read and written, never mapped into memory: whoever truncates a file of the
/// journal, as a command that runs may, makes calls fail and kills no process. (SQLite's write-ahead log maps its index, and
/// a process that touches a truncated mapping dies of SIGBUS.) It also looks before each write whether the database is still
/// the one of its name.
pub(super) fn make_durable(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let error = |source| JournalError::sqlite("open", path, source);
    connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())).map_err(error)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON").map_err(error)
}

pub(super) fn needs_setup(connection: &Connection, path: &Path) -> Result<bool, JournalError> {
    Ok(checked_version(connection, path)? < schema::VERSION || is_logged_ahead(connection, path)?)
}

/// Whether it has a write-ahead log, as journals of earlier gates have.
fn is_logged_ahead(connection: &Connection, path: &Path) -> Result<bool, JournalError> {
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    Ok(mode.map_err(|source| JournalError::sqlite("open", path, source))? == "wal")
}

/// Gives up the write-ahead log. SQLite does that only while nobody else has the database open, and does not wait.
fn end_write_ahead(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let deadline = Instant::now() + BUSY;
    while is_logged_ahead(connection, path)? {
        match connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) => {
                return Err(JournalError::sqlite("set up", path, error));
            }
            Err(_) if Instant::now() >= deadline => return Err(JournalError::Busy { path: path.to_owned() }),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
            Ok(()) => {}
        }
    }
    Ok(())
}

pub(super) fn set_up(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let error = |source| JournalError::sqlite("set up", path, source);
    end_write_ahead(connection, path)?;
    make_durable(connection, path)?;
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
