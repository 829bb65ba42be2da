//! The histories of the tasks.
//!
//! Responsible for which have to be read, keeping what was read, putting aside what the server returns otherwise than
//! before, and handing all out to be judged. Not responsible for comments that are read again alone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::lost::{self, Lost};
use super::members::NOT_READ;
use super::verdicts::{CacheKey, StoredVerdict};
use super::{Mirror, MirrorError, StoredComment, SyncRun, number};
use crate::audit::encoded::Encoded;
use crate::conduit::{Task, Transaction};
use crate::ids::{Phid, Task as TaskKind, TaskId, User};

/// What came of reading a task.
#[derive(Debug)]
pub struct Read {
    /// The task.
    pub task: Task,
    /// A moment before it was asked for, by the server's clock; `None` where the task is as it was listed.
    pub asked: Option<Timestamp>,
    /// Its transactions, oldest first; `None` where they could not be read.
    pub history: Option<StoredHistory>,
    /// Why row and history do not fit together, or there is no history.
    pub trouble: Option<String>,
    /// Everybody whose account matters for it.
    pub people: BTreeSet<Phid<User>>,
}

impl Read {
    /// A task that could not be read.
    pub fn failed(task: Task, trouble: String) -> Self {
        Self { task, asked: None, history: None, trouble: Some(trouble), people: BTreeSet::new() }
    }
}

/// The transactions of a task, made ready to be kept.
#[derive(Debug)]
pub struct StoredHistory {
    transactions: Encoded<Vec<Transaction>>,
    comments: Vec<StoredComment>,
}

impl StoredHistory {
    /// Makes them ready; they come oldest first.
    ///
    /// # Errors
    /// Where JSON has no words for them.
    pub fn new(transactions: Vec<Transaction>) -> Result<Self, serde_json::Error> {
        let comments = transactions.iter().filter(|row| !row.comments.is_empty()).map(StoredComment::of).collect();
        Ok(Self { transactions: Encoded::new(transactions)?, comments })
    }
}

/// A task as the mirror has it. The texts are JSON, so that they can be read by several threads.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// Its number.
    pub id: TaskId,
    /// Its version: another one whenever something changes that a verdict rests on.
    pub version: i64,
    /// What was found on this version before, judged by the same measure; the rest is not read then.
    pub entry: Option<StoredVerdict>,
    row: String,
    history: Option<String>,
    past: Vec<(i64, String)>,
    /// Until when it was seen restricted, in seconds.
    embargo: Option<i64>,
    /// Why it cannot be judged.
    pub trouble: Option<String>,
}

impl Mirrored {
    /// Whether its texts may not be shown; so too where it cannot be read.
    pub fn is_restricted(&self, open_spaces: &[String]) -> bool {
        serde_json::from_str::<Task>(&self.row).map_or(true, |task| task.is_restricted(open_spaces))
    }

    /// The task, its transactions and what the server denies of it.
    ///
    /// # Errors
    /// Where something cannot be read, which it says in words.
    pub fn open(&self) -> Result<(Task, Vec<Transaction>, Vec<Lost>), String> {
        let said = |what: &'static str| move |error: serde_json::Error| format!("{what} in the mirror: {error}");
        let task: Task = serde_json::from_str(&self.row).map_err(said("the task"))?;
        let history = self.history.as_deref().ok_or("its history is not in the mirror")?;
        let history: Vec<Transaction> = serde_json::from_str(history).map_err(said("its history"))?;
        let mut losses = Vec::new();
        for (noticed, row) in &self.past {
            let was: Transaction = serde_json::from_str(row).map_err(said("an old transaction"))?;
            let noticed = Timestamp::from_second(*noticed).map_err(|error| error.to_string())?;
            // What the server returns again as it was, it does not deny.
            if let Some(denied) = lost::denied(&was, &history) {
                let hidden = self.embargo.is_some_and(|until| was.created.as_second() <= until);
                losses.push(Lost { was, noticed, hidden, denied });
            }
        }
        losses.sort_by_key(|lost| (lost.was.id, lost.noticed));
        Ok((task, history, losses))
    }
}

/// From the tasks of a scope, those that a run lists, in the order of their numbers.
const LISTED: &str = "FROM task t CROSS JOIN member m ON m.scope = ?1 AND m.task = t.phid WHERE m.shown >= ?2";

impl Mirror {
    /// How many tasks have to be read.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn pending_count(&self, sync: &SyncRun) -> Result<usize, MirrorError> {
        let sql = format!("SELECT count(*) {LISTED} AND t.trouble = ?3");
        self.count(&sql, params![sync.scope, sync.id, NOT_READ])
    }

    /// The next tasks that have to be read, `limit` at most, after this one.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn pending(&self, sync: &SyncRun, after: Option<TaskId>, limit: usize) -> Result<Vec<Task>, MirrorError> {
        let error = self.error("read");
        let sql = format!("SELECT t.row {LISTED} AND t.trouble = ?3 AND t.id > ?4 ORDER BY t.id LIMIT ?5");
        let after = after.map_or(0, |id| number(id.number()));
        let mut statement = self.connection.prepare_cached(&sql).map_err(&error)?;
        let rows = statement
            .query_map(params![sync.scope, sync.id, NOT_READ, after, limit as i64], |row| row.get::<_, String>(0))
            .map_err(&error)?;
        rows.map(|row| self.parse(&row.map_err(&error)?, || "a task".to_owned())).collect()
    }

    /// Says that a task has to be read, though it was listed as it was.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn doubt(&self, task: i64) -> Result<(), MirrorError> {
        let sql = "UPDATE task SET trouble = ?2 WHERE id = ?1";
        self.connection.execute(sql, params![task, NOT_READ]).map(drop).map_err(self.error("write"))
    }

    /// The same by the PHID of a task whose history is kept.
    pub(super) fn doubt_by_phid(&self, task: &Phid<TaskKind>) -> Result<(), MirrorError> {
        self.connection
            .prepare_cached("UPDATE task SET trouble = ?2 WHERE phid = ?1 AND trouble IS NULL")
            .and_then(|mut statement| statement.execute(params![task.as_str(), NOT_READ]))
            .map(drop)
            .map_err(self.error("write"))
    }

    /// Keeps what was read, all of it or nothing. What was there before and is denied now is put aside.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep(&self, sync: &SyncRun, reads: Vec<Read>) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        // Together, since most people did something to many tasks.
        self.add_accounts_in(reads.iter().flat_map(|read| &read.people).collect::<BTreeSet<_>>())?;
        for read in reads {
            self.keep_one(sync, read)?;
        }
        self.commit(transaction)
    }

    fn keep_one(&self, sync: &SyncRun, read: Read) -> Result<(), MirrorError> {
        let error = self.error("write");
        let id = number(read.task.id.number());
        let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(&error)
        };
        let Some(history) = read.history else {
            execute("UPDATE task SET trouble = ?2 WHERE id = ?1", &[&id, &read.trouble])?;
            return Ok(());
        };
        if let Some(before) = self.history(id)? {
            self.put_aside(sync, id, &before, history.transactions.value())?;
            execute("DELETE FROM comment WHERE task = ?1", &[&id])?;
        }
        self.index_comments(id, &history.comments)?;
        self.write_history(id, history.transactions.text())?;
        execute("UPDATE task SET read = ?2, trouble = ?3 WHERE id = ?1", &[&id, &sync.id, &read.trouble])?;
        if let Some(asked) = read.asked {
            let row = Encoded::new(&read.task).map_err(super::damaged(&self.path, read.task.id.to_string()))?;
            execute("UPDATE task SET row = ?2, asked = ?3 WHERE id = ?1", &[&id, &row.text(), &asked.as_second()])?;
            self.embargo(id, read.task.is_restricted(&sync.open_spaces), asked)?;
        }
        Ok(())
    }

    /// The history of a task as it is kept.
    pub(super) fn history(&self, task: i64) -> Result<Option<Vec<Transaction>>, MirrorError> {
        let text: Option<String> = self
            .connection
            .prepare_cached("SELECT text FROM history WHERE task = ?1")
            .and_then(|mut statement| statement.query_row([task], |row| row.get(0)).optional())
            .map_err(self.error("read"))?;
        text.map(|text| self.parse(&text, || format!("the history of T{task}"))).transpose()
    }

    /// Keeps the history of a task, JSON.
    pub(super) fn write_history(&self, task: i64, text: &str) -> Result<(), MirrorError> {
        let sql = "INSERT INTO history (task, text) VALUES (?1, ?2) ON CONFLICT (task) DO UPDATE SET text = ?2";
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params![task, text]))
            .map(drop)
            .map_err(self.error("write"))
    }

    /// Puts aside what of these transactions is denied by those of now.
    pub(super) fn put_aside(
        &self,
        sync: &SyncRun,
        task: i64,
        before: &[Transaction],
        now: &[Transaction],
    ) -> Result<(), MirrorError> {
        for was in before.iter().filter(|was| lost::denied(was, now).is_some()) {
            let row = serde_json::to_string(was).map_err(super::damaged(&self.path, format!("T{task}")))?;
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO past (task, noticed, row) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.execute(params![task, sync.now.as_second(), row]))
                .map_err(self.error("write"))?;
        }
        Ok(())
    }

    /// Hands out every task of the population that is shown, in the order of their numbers, some at a time; with what was
    /// found on it before where that was judged by the same measure, and the long part of that where it is asked for.
    ///
    /// # Errors
    /// Where they cannot be read, or `each` fails.
    pub fn visit<E: From<MirrorError>>(
        &self,
        sync: &SyncRun,
        measure: &CacheKey,
        long: bool,
        at_once: usize,
        mut each: impl FnMut(Vec<Mirrored>) -> Result<(), E>,
    ) -> Result<(), E> {
        let error = self.error("read");
        let wrong = |source| E::from(error(source));
        // What is long is not read where it is not needed. A verdict without it, or with a damaged one, is none where it is.
        let verdict = "LEFT JOIN verdict v ON v.task = t.id AND v.version = t.version AND v.measure = ?3";
        let (text, verdict) = match long {
            true => (
                "(SELECT l.text FROM verdict_long l WHERE l.task = v.task)",
                format!(
                    "{verdict} AND EXISTS (SELECT 1 FROM verdict_long l WHERE l.task = v.task AND json_valid(l.text)) WHERE"
                ),
            ),
            false => ("NULL", format!("{verdict} WHERE")),
        };
        let sql = format!(
            "SELECT t.id, t.version, t.trouble, v.entry, iif(v.entry IS NULL, t.row, ''),
             iif(v.entry IS NULL, (SELECT h.text FROM history h WHERE h.task = t.id), NULL), t.embargo, {text}
             {} ORDER BY t.id",
            LISTED.replace("WHERE", &verdict)
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(wrong)?;
        let mut past = self
            .connection
            .prepare_cached("SELECT noticed, row FROM past WHERE task = ?1 ORDER BY noticed, row")
            .map_err(wrong)?;
        let mut rows = statement.query(params![sync.scope, sync.id, measure.0]).map_err(wrong)?;
        let mut some = Vec::new();
        while let Some(row) = rows.next().map_err(wrong)? {
            let number: i64 = row.get(0).map_err(wrong)?;
            let id = u64::try_from(number).ok().and_then(TaskId::new).ok_or_else(|| MirrorError::Damaged {
                path: self.path.clone(),
                what: "a task".to_owned(),
                why: format!("its number is {number}"),
            })?;
            let (text, long): (Option<String>, _) = (row.get(3).map_err(wrong)?, row.get(7).map_err(wrong)?);
            let entry = text.map(|text| StoredVerdict { text, long });
            let past = match entry {
                Some(_) => Vec::new(),
                None => past
                    .query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))
                    .and_then(Iterator::collect::<Result<_, _>>)
                    .map_err(wrong)?,
            };
            let mirrored = || {
                let (version, trouble, embargo) = (row.get(1)?, row.get(2)?, row.get(6)?);
                let (row, history) = (row.get(4)?, row.get(5)?);
                Ok(Mirrored { id, version, entry, row, history, past, embargo, trouble })
            };
            some.push(mirrored().map_err(wrong)?);
            if some.len() >= at_once {
                each(std::mem::take(&mut some))?;
            }
        }
        if some.is_empty() { Ok(()) } else { each(some) }
    }
}
