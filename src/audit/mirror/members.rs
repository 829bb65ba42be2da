//! Which tasks belong to the population, now or ever.
//!
//! A task that once belonged stays: that is how a tag which was taken off, or a task that is not shown any more, is
//! still known. Responsible for the membership, and the tasks as they were last listed. Not responsible for their
//! histories.

use jiff::Timestamp;
use rusqlite::params;

use super::{Mirror, MirrorError, SyncRun, number};
use crate::audit::encoded::Encoded;
use crate::audit::population::Population;
use crate::conduit::Task;
use crate::ids::{Phid, Task as TaskKind};

/// Why a task cannot be judged that was listed and not read: it is one that has to be read. A run that could not read a
/// task says why in its place, and the next one that lists it tries again.
pub(super) const NOT_READ: &str = "its history was not read yet";

impl Mirror {
    /// Takes in tasks that the server lists. `asked` is a moment before anything is asked about them. A task that is as
    /// it was when its history was read needs no new look at the history: everything that happens to a task shows in
    /// the time of its last change, but for what happens to comments that are there already.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn list(
        &self,
        sync: &SyncRun,
        tasks: &[Encoded<Task>],
        asked: Timestamp,
        tagged: bool,
    ) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        let error = self.error("write");
        let (mut known, mut clear, mut write, mut member) = (
            transaction
                .prepare_cached("SELECT row, asked FROM task WHERE id = ?1 AND phid = ?2 AND trouble IS NULL")
                .map_err(&error)?,
            // A task keeps its number. Should a listing once have said otherwise, it is read anew.
            transaction.prepare_cached("DELETE FROM task WHERE phid = ?2 AND id <> ?1").map_err(&error)?,
            transaction
                .prepare_cached(
                    "INSERT INTO task (id, phid, row, asked, trouble) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (id) DO UPDATE SET phid = ?2, row = ?3, asked = ?4, trouble = ?5",
                )
                .map_err(&error)?,
            transaction
                .prepare_cached(
                    "INSERT INTO member (scope, task, tagged, shown) VALUES (?1, ?2, ?4, ?3)
                     ON CONFLICT (scope, task) DO UPDATE SET shown = ?3, tagged = max(tagged, ?4)",
                )
                .map_err(&error)?,
        );
        for task in tasks {
            let (id, row) = (number(task.value().id.number()), task.text());
            let Task { phid, modified, .. } = task.value();
            let mut rows = known.query(params![id, phid.as_str()]).map_err(&error)?;
            let unchanged = match rows.next().map_err(&error)? {
                Some(was) => {
                    let (before, asked): (String, i64) = (was.get(0).map_err(&error)?, was.get(1).map_err(&error)?);
                    // What happened in the second in which it was asked may have happened after the look.
                    before == row && modified.as_second() < asked && !sync.thorough
                }
                None => false,
            };
            drop(rows);
            if !unchanged {
                clear.execute(params![id, phid.as_str()]).map_err(&error)?;
                write.execute(params![id, phid.as_str(), row, asked.as_second(), NOT_READ]).map_err(&error)?;
            }
            let restricted = task.value().is_restricted(&sync.open_spaces);
            if restricted || !unchanged {
                self.embargo(id, restricted, asked)?;
            }
            let tagged = if tagged { sync.id } else { 0 };
            member.execute(params![sync.scope, phid.as_str(), sync.id, tagged]).map_err(&error)?;
        }
        drop((known, clear, write, member));
        self.commit(transaction)
    }

    /// Takes in whether a task was restricted at this moment.
    pub(super) fn embargo(&self, task: i64, restricted: bool, asked: Timestamp) -> Result<(), MirrorError> {
        // It holds up to the first look that finds the task open: what was written since the last one was so, too.
        let sql = "UPDATE task SET embargo = ?3, restricted = ?2 WHERE id = ?1 AND (?2 OR restricted)";
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![task, restricted, asked.as_second()]))
            .map(drop)
            .map_err(self.error("write"))
    }

    /// Takes in that a recorder wrote on these tasks.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn record<'t>(
        &self,
        sync: &SyncRun,
        tasks: impl IntoIterator<Item = &'t Phid<TaskKind>>,
    ) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        let error = self.error("write");
        let mut member = transaction
            .prepare_cached(
                "INSERT INTO member (scope, task, recorded) VALUES (?1, ?2, ?3)
                 ON CONFLICT (scope, task) DO UPDATE SET recorded = ?3",
            )
            .map_err(&error)?;
        for task in tasks {
            member.execute(params![sync.scope, task.as_str(), sync.id]).map_err(&error)?;
        }
        drop(member);
        self.commit(transaction)
    }

    /// The next members that this run has not listed, `limit` at most, after this one.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn unlisted(&self, sync: &SyncRun, after: &str, limit: usize) -> Result<Vec<Phid<TaskKind>>, MirrorError> {
        let error = self.error("read");
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT task FROM member WHERE scope = ?1 AND shown <> ?2 AND task > ?3 ORDER BY task LIMIT ?4",
            )
            .map_err(&error)?;
        let rows = statement
            .query_map(params![sync.scope, sync.id, after, limit as i64], |row| row.get::<_, String>(0))
            .map_err(&error)?;
        rows.map(|text| self.phid(text.map_err(&error)?, "a task")).collect()
    }

    /// How large the population is after this run listed it.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn population(&self, sync: &SyncRun) -> Result<Population, MirrorError> {
        // In one look at all of them.
        let sql = "SELECT count(*) FILTER (WHERE tagged = ?2),
            count(*) FILTER (WHERE tagged <> ?2 AND recorded = ?2 AND shown = ?2),
            count(*) FILTER (WHERE tagged <> ?2 AND recorded <> ?2 AND shown = ?2),
            count(*) FILTER (WHERE shown <> ?2)
            FROM member WHERE scope = ?1";
        let count = |row: &rusqlite::Row<'_>, at: usize| -> rusqlite::Result<usize> {
            Ok(usize::try_from(row.get::<_, i64>(at)?).unwrap_or(usize::MAX))
        };
        self.connection
            .query_row(sql, params![sync.scope, sync.id], |row| {
                Ok(Population {
                    tagged: count(row, 0)?,
                    recorded: count(row, 1)?,
                    mirrored: count(row, 2)?,
                    unseen: count(row, 3)?,
                })
            })
            .map_err(self.error("read"))
    }
}
