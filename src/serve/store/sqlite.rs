//! The store in a SQLite file of the state directory.
//!
//! Responsible for opening it, for one process alone at a time, and for reading and writing its rows. Not responsible for the tables
//! ([`super::schema`]).

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql, Transaction, TransactionBehavior, params};

use super::paging::{self, RowError};
use super::schema::{MIGRATIONS, VERSION};
use super::spoken;
use super::{CountedApproval, Identity, NoticeState, RemoteDeploy, Store, StoreError};
use crate::ids::{DeployId, Phid, Task, TaskId, TransactionId};
use crate::journal::Journal;
use crate::notice::{NoticeKey, NoticeKind, StoreId};
use crate::paging::Ack;
use crate::safe_path::{self, Trust};
use crate::serve::paging::{Kept, PageRow, Slot};
use crate::serve::witnessing::{OpenWord, SpokenState, SpokenWord, Unwritten};

/// How long another process, such as a backup, may hold the file.
const BUSY: Duration = Duration::from_secs(5);

/// The store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    directory: PathBuf,
    identity: Identity,
    /// What was deployed, and what is owed to tasks of it.
    pub(super) journal: Journal,
    /// This process alone serves from it, while this is held.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in this state directory; makes both where they are missing, closed to everyone else.
    ///
    /// # Errors
    /// Where it cannot be written, is damaged, is of a newer program, or another process serves from it.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        safe_path::private_directory(directory, Trust::of_process())?;
        let path = directory.join("watch.sqlite3");
        let lock = Self::lock(directory, &path)?;
        let journal = Journal::open(directory)?;
        let error = |doing| {
            let path = path.clone();
            move |source| StoreError::Sqlite { doing, path, source }
        };
        // Made here, so that it is nobody else's at any time.
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        made.map_err(|source| StoreError::Lock { path: path.clone(), source })?;
        let mut connection = Connection::open(&path).map_err(error("open"))?;
        connection.busy_timeout(BUSY).map_err(error("open"))?;
        // As the journal does: a file that is read and written, and never mapped into memory.
        connection.query_row("PRAGMA journal_mode = TRUNCATE", [], |_| Ok(())).map_err(error("open"))?;
        connection.execute_batch("PRAGMA synchronous = FULL").map_err(error("open"))?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(error("open"))?;
        if found > VERSION {
            return Err(StoreError::Newer { path, found, known: VERSION });
        }
        let setting_up = error("set up");
        let set_up = |transaction: &Transaction<'_>| {
            for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
                transaction.execute_batch(step)?;
            }
            transaction.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
            transaction.execute(
                "INSERT OR IGNORE INTO identity (one, id, first_start) VALUES (1, ?1, ?2)",
                params![StoreId::fresh().as_str(), Timestamp::now().to_string()],
            )
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        transaction
            .and_then(|transaction| set_up(&transaction).and_then(|_| transaction.commit()))
            .map_err(setting_up)?;
        let (id, first_start): (String, String) = connection
            .query_row("SELECT id, first_start FROM identity", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(error("read"))?;
        let first_start = first_start
            .parse()
            .map_err(|why| StoreError::Damaged { path: path.clone(), reason: format!("its first start: {why}") })?;
        let identity = Identity { id: StoreId::kept(id), first_start };
        Ok(Self { connection, path, directory: directory.to_owned(), identity, journal, _lock: lock })
    }

    fn lock(directory: &Path, path: &Path) -> Result<File, StoreError> {
        let lock = directory.join("watch.lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = opened.map_err(|source| StoreError::Lock { path: lock.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(StoreError::Lock { path: lock, source }),
        }
    }

    fn error(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = self.path.clone();
        move |source| StoreError::Sqlite { doing, path: path.clone(), source }
    }

    /// The deploys of pipelines that a condition holds of.
    fn remotes(&self, condition: &str, values: &[&dyn ToSql]) -> Result<Vec<RemoteDeploy>, StoreError> {
        let error = self.error("read");
        let columns = "deploy, task, token, key, asked, silence, expires, ended";
        let mut select = self
            .connection
            .prepare_cached(&format!("SELECT {columns} FROM remote WHERE {condition} ORDER BY deploy"))
            .map_err(&error)?;
        let mut rows = select.query(values).map_err(&error)?;
        let mut remotes = Vec::new();
        while let Some(row) = rows.next().map_err(&error)? {
            remotes.push(self.remote_of(row)?);
        }
        Ok(remotes)
    }

    fn remote_of(&self, row: &Row<'_>) -> Result<RemoteDeploy, StoreError> {
        let error = self.error("read");
        let text = |at: usize| row.get::<_, String>(at).map_err(&error);
        let number = |at: usize| row.get::<_, i64>(at).map_err(&error);
        let deploy = text(0)?.parse::<DeployId>().map_err(|why| self.damaged(why))?;
        let task = u64::try_from(number(1)?).ok().and_then(TaskId::new);
        Ok(RemoteDeploy {
            deploy,
            task: task.ok_or_else(|| self.damaged("a deploy of no task"))?,
            token: text(2)?,
            key: text(3)?,
            asked: text(4)?,
            silence: u64::try_from(number(5)?).map_err(|why| self.damaged(why))?,
            expires: text(6)?.parse().map_err(|why: jiff::Error| self.damaged(why))?,
            ended: row.get(7).map_err(&error)?,
        })
    }

    fn row_error(&self, error: RowError) -> StoreError {
        match error {
            RowError::Sqlite(source) => self.error("read")(source),
            RowError::Damaged(why) => self.damaged(why),
        }
    }

    fn damaged(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), reason: reason.to_string() }
    }

    fn write<T>(&mut self, what: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let error = self.error("write");
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&error)?;
        let value = what(&transaction).map_err(&error)?;
        transaction.commit().map_err(&error)?;
        Ok(value)
    }
}

/// SQLite's integers have a sign; the ids of a server never reach that far.
pub(super) fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

pub(super) fn id(number: i64) -> TransactionId {
    TransactionId(u64::try_from(number).unwrap_or_default())
}

fn wait(transaction: &Transaction<'_>, tasks: &[Phid<Task>]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO waiting (task) VALUES (?1)")?;
    tasks.iter().try_for_each(|task| insert.execute([task.as_str()]).map(drop))
}

impl Store for SqliteStore {
    type Log = Journal;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn cursor(&self) -> Result<Option<TransactionId>, StoreError> {
        let cursor = self.connection.query_row("SELECT cursor FROM identity", [], |row| row.get::<_, Option<i64>>(0));
        Ok(cursor.map_err(self.error("read"))?.map(id))
    }

    fn advance(&mut self, cursor: TransactionId, tasks: &[Phid<Task>]) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute("UPDATE identity SET cursor = ?1", [number(cursor.0)])?;
            wait(transaction, tasks)
        })
    }

    fn wake(&mut self, tasks: &[Phid<Task>]) -> Result<(), StoreError> {
        self.write(|transaction| wait(transaction, tasks))
    }

    fn waiting(&self) -> Result<Vec<Phid<Task>>, StoreError> {
        let error = self.error("read");
        let mut select = self.connection.prepare_cached("SELECT task FROM waiting").map_err(&error)?;
        let rows = select.query_map([], |row| row.get::<_, String>(0)).map_err(&error)?;
        let phids = rows.map(|row| Phid::new(row.map_err(&error)?).map_err(|why| self.damaged(why)));
        phids.collect()
    }

    fn looked_at(&mut self, tasks: &[Phid<Task>]) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM waiting WHERE task = ?1")?;
            tasks.iter().try_for_each(|task| delete.execute([task.as_str()]).map(drop))
        })
    }

    fn take_sequence(&mut self, many: u64) -> Result<u64, StoreError> {
        let first = self.write(|transaction| {
            let next: i64 = transaction.query_row("SELECT sequence FROM identity", [], |row| row.get(0))?;
            transaction.execute("UPDATE identity SET sequence = ?1", [next.saturating_add(number(many))])?;
            Ok(next)
        })?;
        u64::try_from(first).map_err(|why| self.damaged(why))
    }

    fn notices(&self, task: TaskId) -> Result<Vec<(NoticeKey, NoticeState)>, StoreError> {
        let error = self.error("read");
        let mut select = self
            .connection
            .prepare_cached("SELECT episode, kind, which, state FROM notice WHERE task = ?1")
            .map_err(&error)?;
        let rows = select
            .query_map([number(task.number())], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, String>(3)?))
            })
            .map_err(&error)?;
        let read = rows.map(|row| {
            let (episode, kind, which, state) = row.map_err(&error)?;
            let kind = NoticeKind::ALL.into_iter().find(|known| known.word() == kind);
            let kind = kind.ok_or_else(|| self.damaged("a notice of an unknown kind"))?;
            let state = serde_json::from_str(&state).map_err(|why| self.damaged(why))?;
            Ok((NoticeKey { task, episode: id(episode), kind, which }, state))
        });
        read.collect()
    }

    fn set_notice(&mut self, key: &NoticeKey, state: &NoticeState) -> Result<(), StoreError> {
        let state = serde_json::to_string(state).map_err(|why| self.damaged(why))?;
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO notice (task, episode, kind, which, state) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET state = excluded.state",
                params![number(key.task.number()), number(key.episode.0), key.kind.word(), key.which, state],
            )
        })?;
        Ok(())
    }

    fn counted(&self, task: TaskId, episode: TransactionId) -> Result<BTreeSet<CountedApproval>, StoreError> {
        let error = self.error("read");
        let mut select = self
            .connection
            .prepare_cached("SELECT xact, team, user FROM counted WHERE task = ?1 AND episode = ?2")
            .map_err(&error)?;
        let rows = select
            .query_map([number(task.number()), number(episode.0)], |row| {
                Ok(CountedApproval { transaction: id(row.get(0)?), team: row.get(1)?, user: row.get(2)? })
            })
            .map_err(&error)?;
        rows.collect::<Result<_, _>>().map_err(&error)
    }

    fn add_counted(
        &mut self,
        task: TaskId,
        episode: TransactionId,
        approvals: &[CountedApproval],
    ) -> Result<(), StoreError> {
        if approvals.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT OR IGNORE INTO counted (task, episode, xact, team, user) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            approvals.iter().try_for_each(|approval| {
                let CountedApproval { transaction, team, user } = approval;
                let row = params![number(task.number()), number(episode.0), number(transaction.0), team, user];
                insert.execute(row).map(drop)
            })
        })
    }

    fn add_remote(&mut self, remote: &RemoteDeploy) -> Result<Option<RemoteDeploy>, StoreError> {
        let RemoteDeploy { deploy, task, token, key, asked, silence, expires, .. } = remote;
        let added = self.write(|transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO remote (deploy, task, token, key, asked, silence, expires)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    deploy.to_string(),
                    number(task.number()),
                    token,
                    key,
                    asked,
                    number(*silence),
                    expires.to_string()
                ],
            )
        })?;
        match added {
            1 => Ok(None),
            _ => Ok(self.remotes("token = ?1 AND key = ?2", params![token, key])?.pop()),
        }
    }

    fn remote(&self, deploy: DeployId) -> Result<Option<RemoteDeploy>, StoreError> {
        Ok(self.remotes("deploy = ?1", params![deploy.to_string()])?.pop())
    }

    fn open_remotes(&self) -> Result<Vec<RemoteDeploy>, StoreError> {
        self.remotes("ended IS NULL", params![])
    }

    fn renew_remote(&mut self, deploy: DeployId, expires: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| {
            let row = params![deploy.to_string(), expires.to_string()];
            transaction.execute("UPDATE remote SET expires = ?2 WHERE deploy = ?1 AND ended IS NULL", row)
        })?;
        Ok(())
    }

    fn end_remote(&mut self, deploy: DeployId, how: &str) -> Result<String, StoreError> {
        self.write(|transaction| {
            let row = params![deploy.to_string(), how];
            transaction.execute("UPDATE remote SET ended = ?2 WHERE deploy = ?1 AND ended IS NULL", row)?;
            transaction.query_row("SELECT ended FROM remote WHERE deploy = ?1", [deploy.to_string()], |row| row.get(0))
        })
    }

    fn forget_remote(&mut self, deploy: DeployId) -> Result<(), StoreError> {
        self.write(|transaction| transaction.execute("DELETE FROM remote WHERE deploy = ?1", [deploy.to_string()]))?;
        Ok(())
    }

    fn paging(&self) -> Result<Kept, StoreError> {
        paging::read(&self.connection).map_err(|error| self.row_error(error))
    }

    fn set_slots(&mut self, task: TaskId, episode: TransactionId, slots: &[Slot]) -> Result<(), StoreError> {
        self.write(|transaction| paging::set_slots(transaction, task, episode, slots))
    }

    fn set_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError> {
        self.write(|transaction| paging::set_pages(transaction, rows))
    }

    fn add_ack(&mut self, task: TaskId, ack: &Ack) -> Result<(), StoreError> {
        self.write(|transaction| paging::add_ack(transaction, task, ack))
    }

    fn lines(&self, task: TaskId, episode: TransactionId) -> Result<BTreeSet<String>, StoreError> {
        let error = self.error("read");
        let mut select =
            self.connection.prepare_cached("SELECT key FROM line WHERE task = ?1 AND episode = ?2").map_err(&error)?;
        let keys = select.query_map([number(task.number()), number(episode.0)], |row| row.get(0)).map_err(&error)?;
        keys.collect::<Result<_, _>>().map_err(&error)
    }

    fn tasks_without_line(&self, key: &str) -> Result<Vec<TaskId>, StoreError> {
        let error = self.error("read");
        let lacks = "NOT EXISTS (SELECT 1 FROM line WHERE task = one.task AND episode = one.episode AND key = ?1)";
        let select = format!("SELECT DISTINCT task FROM line AS one WHERE {lacks} ORDER BY task DESC LIMIT 256");
        let mut select = self.connection.prepare_cached(&select).map_err(&error)?;
        let tasks = select.query_map([key], |row| row.get::<_, i64>(0)).map_err(&error)?;
        let tasks: Vec<i64> = tasks.collect::<Result<_, _>>().map_err(&error)?;
        Ok(tasks.into_iter().filter_map(|task| u64::try_from(task).ok().and_then(TaskId::new)).collect())
    }

    fn take_line(&mut self, task: TaskId, episode: TransactionId, key: &str) -> Result<bool, StoreError> {
        self.write(|transaction| {
            // Of earlier episodes nothing is said any more.
            transaction.execute(
                "DELETE FROM line WHERE task = ?1 AND episode < ?2",
                [number(task.number()), number(episode.0)],
            )?;
            let insert = "INSERT OR IGNORE INTO line (task, episode, key) VALUES (?1, ?2, ?3)";
            Ok(transaction.execute(insert, params![number(task.number()), number(episode.0), key])? == 1)
        })
    }

    fn give_line_back(&mut self, task: TaskId, episode: TransactionId, key: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            let delete = "DELETE FROM line WHERE task = ?1 AND episode = ?2 AND key = ?3";
            transaction.execute(delete, params![number(task.number()), number(episode.0), key]).map(drop)
        })
    }

    fn add_spoken(&mut self, word: &SpokenWord, state: &SpokenState) -> Result<(), StoreError> {
        self.write(|transaction| spoken::add(transaction, word, state))
    }

    fn set_spoken(&mut self, id: i64, state: &SpokenState) -> Result<(), StoreError> {
        self.write(|transaction| spoken::set(transaction, id, state))
    }

    fn open_spoken(&self) -> Result<Vec<OpenWord>, StoreError> {
        spoken::open(&self.connection).map_err(|error| self.row_error(error))
    }

    fn unanswered(&self) -> Result<Vec<OpenWord>, StoreError> {
        spoken::unanswered(&self.connection).map_err(|error| self.row_error(error))
    }

    fn take_answer(&mut self, id: i64) -> Result<bool, StoreError> {
        self.write(|transaction| spoken::set_answered(transaction, id, true))
    }

    fn give_answer_back(&mut self, id: i64) -> Result<(), StoreError> {
        self.write(|transaction| spoken::set_answered(transaction, id, false).map(drop))
    }

    fn is_superseded(&self, id: i64, word: &SpokenWord) -> Result<bool, StoreError> {
        spoken::is_superseded(&self.connection, id, word).map_err(self.error("read"))
    }

    fn forget_reason(&mut self, id: i64) -> Result<(), StoreError> {
        self.write(|transaction| spoken::forget_reason(transaction, id))
    }

    fn unwritten(&self, task: TaskId) -> Result<Unwritten, StoreError> {
        spoken::unwritten(&self.connection, task).map_err(self.error("read"))
    }

    fn forget_paging(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| {
            paging::forget(transaction, before)?;
            spoken::forget(transaction, before)
        })
    }

    fn deploy_log(&self) -> Result<Journal, StoreError> {
        Ok(Journal::open(&self.directory)?)
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
