//! The comments that the mirror knows, which are read again each time: an edit or a removal does not show in the time of
//! a task's last change.
//!
//! Responsible for finding out by a digest whether a comment is as it was, and keeping it where it is not. Not
//! responsible for asking for them.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{Mirror, MirrorError, SyncRun, number};
use crate::conduit::Transaction;
use crate::ids::{Phid, TransactionId, Xact};

/// A comment that the mirror knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredComment {
    /// Its transaction.
    pub id: TransactionId,
    /// The PHID of its transaction.
    pub phid: Phid<Xact>,
    digest: [u8; 32],
}

impl StoredComment {
    /// A transaction with a comment, to be known from now on.
    pub fn of(row: &Transaction) -> Self {
        Self { id: row.id, phid: row.phid.clone(), digest: digest(row) }
    }

    /// Whether the server returns it as it is known.
    pub fn is(&self, seen: &FetchedComment) -> bool {
        *self == seen.known
    }
}

/// A transaction with a comment as the server returns it now, made ready to be compared.
#[derive(Debug, Clone)]
pub struct FetchedComment {
    row: Transaction,
    /// It as it is known from now on.
    known: StoredComment,
}

impl FetchedComment {
    /// Makes it ready.
    pub fn new(row: Transaction) -> Self {
        let known = StoredComment::of(&row);
        Self { row, known }
    }

    /// The transaction.
    pub fn id(&self) -> TransactionId {
        self.row.id
    }
}

/// What a transaction with a comment comes to: who made it, on what, when, and all versions of the comment. Nobody can
/// write another one with the same digest.
fn digest(row: &Transaction) -> [u8; 32] {
    let mut hash = Sha256::new();
    // With its length, so that no two texts run together.
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(&row.author);
    add(row.task.as_str());
    for version in &row.comments {
        add(&version.author);
        add(version.text());
    }
    hash.update((row.comments.len() as u64).to_be_bytes());
    hash.update(row.created.as_second().to_be_bytes());
    for version in &row.comments {
        hash.update(version.version.to_be_bytes());
        hash.update(version.created.as_second().to_be_bytes());
        hash.update([u8::from(version.removed)]);
    }
    hash.finalize().into()
}

/// The comments of the unchanged tasks that this run has not looked at.
/// In the order of the tasks, which a `CROSS JOIN` keeps, so that each task is looked up once and nothing has to be sorted.
const UNCHECKED: &str = "FROM task t CROSS JOIN member m ON m.scope = ?1 AND m.task = t.phid
    CROSS JOIN comment c ON c.task = t.id
    WHERE m.shown = ?2 AND t.read <> ?2 AND t.trouble IS NULL
    AND NOT EXISTS (SELECT 1 FROM checked k WHERE k.id = c.id)";

/// A place among the comments, in the order of their tasks; the first is before all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommentCursor {
    task: i64,
    comment: i64,
}

impl Mirror {
    /// Remembers the comments of a history.
    pub(super) fn index_comments(&self, task: i64, comments: &[StoredComment]) -> Result<(), MirrorError> {
        let error = self.error("write");
        let mut statement = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO comment (id, phid, task, digest) VALUES (?1, ?2, ?3, ?4)")
            .map_err(&error)?;
        for StoredComment { id, phid, digest } in comments {
            let values = params![number(id.0), phid.as_str(), task, digest];
            statement.execute(values).map_err(&error)?;
        }
        Ok(())
    }

    /// How many comments this run has to look at, at most: to say how far it has come. Which of them it has to look at is
    /// found while it does; to count them first took a tenth of its time.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn unchecked_at_most(&self) -> Result<usize, MirrorError> {
        self.count("SELECT max(0, (SELECT count(*) FROM comment) - (SELECT count(*) FROM checked))", [])
    }

    /// The next comments that this run has to look at, `limit` at most, and the place of the last of them.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn unchecked(
        &self,
        sync: &SyncRun,
        after: CommentCursor,
        limit: usize,
    ) -> Result<(Vec<StoredComment>, CommentCursor), MirrorError> {
        let error = self.error("read");
        let sql = format!(
            "SELECT c.id, c.phid, c.digest, c.task {UNCHECKED} AND t.id >= ?3 AND (t.id > ?3 OR c.id > ?4)
             ORDER BY t.id, c.id LIMIT ?5"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(&error)?;
        let values = params![sync.scope, sync.id, after.task, after.comment, limit as i64];
        let mut rows = statement.query(values).map_err(&error)?;
        let (mut known, mut last) = (Vec::with_capacity(limit), after);
        while let Some(row) = rows.next().map_err(&error)? {
            let id: i64 = row.get(0).map_err(&error)?;
            let phid = self.phid(row.get(1).map_err(&error)?, "a comment")?;
            let digest = row.get(2).map_err(&error)?;
            last = CommentCursor { task: row.get(3).map_err(&error)?, comment: id };
            known.push(StoredComment { id: TransactionId(u64::try_from(id).unwrap_or_default()), phid, digest });
        }
        Ok((known, last))
    }

    /// Takes in comments as they are now, and marks them as looked at. What is returned otherwise than before is put
    /// aside.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn compare(&self, sync: &SyncRun, rows: &[FetchedComment]) -> Result<(), MirrorError> {
        if rows.is_empty() {
            return Ok(());
        }
        let transaction = self.transaction()?;
        for seen in rows {
            let row = &seen.row;
            let known: Option<(i64, [u8; 32])> = self
                .connection
                .prepare_cached("SELECT task, digest FROM comment WHERE id = ?1 AND phid = ?2")
                .and_then(|mut statement| {
                    let values = params![number(row.id.0), row.phid.as_str()];
                    statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
                })
                .map_err(self.error("read"))?;
            let Some((task, before)) = known else {
                // A new one, by which its task changed; or one that was gone and is back, of which the task shows nothing.
                self.doubt_by_phid(&row.task)?;
                continue;
            };
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO checked (id) VALUES (?1)")
                .and_then(|mut statement| statement.execute([number(row.id.0)]))
                .map_err(self.error("write"))?;
            if before != seen.known.digest {
                self.replace(sync, task, seen)?;
            }
        }
        self.commit(transaction)
    }

    /// Says that the server does not show these comments any more: their tasks have to be read whole.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn mark_missing(&self, gone: &[StoredComment]) -> Result<(), MirrorError> {
        if gone.is_empty() {
            return Ok(());
        }
        let transaction = self.transaction()?;
        for comment in gone {
            let task: Option<i64> = self
                .connection
                .query_row("SELECT task FROM comment WHERE id = ?1", [number(comment.id.0)], |row| row.get(0))
                .optional()
                .map_err(self.error("read"))?;
            if let Some(task) = task {
                self.doubt(task)?;
            }
        }
        self.commit(transaction)
    }

    /// Puts a comment in the place of what was known of it.
    fn replace(
        &self,
        sync: &SyncRun,
        task: i64,
        FetchedComment { row, known }: &FetchedComment,
    ) -> Result<(), MirrorError> {
        let Some(before) = self.history(task)? else { return Ok(()) };
        let is_own = |was: &&Transaction| {
            was.id == row.id && was.task == row.task && was.author == row.author && was.created == row.created
        };
        if before.iter().find(is_own).is_none() {
            // More than its comment is returned otherwise: the task is read whole, and what it was put aside.
            return self.doubt(task);
        }
        let mut now = before.clone();
        for own in now.iter_mut().filter(|own| own.id == row.id) {
            own.comments.clone_from(&row.comments);
        }
        self.put_aside(sync, task, &before, &now)?;
        let text = serde_json::to_string(&now).map_err(super::damaged(&self.path, format!("T{task}")))?;
        self.write_history(task, &text)?;
        // Who edited or removed it may be new.
        let people: Vec<_> =
            row.comments.iter().filter_map(|version| Phid::new(version.author.as_str()).ok()).collect();
        self.add_accounts_in(&people)?;
        self.index_comments(task, std::slice::from_ref(known))
    }
}
