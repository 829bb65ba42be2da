//! The mirror: what a server was seen to say, kept so that a later audit reads only what changed, and so that nobody can
//! quietly change what was there.
//!
//! It is a SQLite file in the cache directory, one a server. Whoever fills it holds its lock; whoever judges it looks at one
//! state of it, whatever is written meanwhile. All that belongs together is written in one transaction, so that a killed
//! audit leaves a mirror that is whole and lacks nothing but what was not read yet: the next one goes on from there. What
//! the server returns otherwise than before is put aside and never thrown away.
//!
//! Responsible for opening it, its runs, and the facts that all tasks share. Beside it, one file each: the tasks that
//! belong to it, their histories, comments and accounts, what the server denies ([`lost`]), and what was found. Not
//! responsible for asking the server, and judging.

mod accounts;
mod comments;
mod directory;
mod error;
mod found;
mod histories;
mod identity;
pub mod lost;
mod members;
mod memory;
mod schema;
#[cfg(test)]
mod tests;
mod verdicts;

pub use comments::{CommentCursor, FetchedComment, StoredComment};
pub use error::MirrorError;
pub use histories::{Mirrored, Read, StoredHistory};
pub use verdicts::{CacheKey, StoredVerdict, Verdicts};

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use url::Url;

use super::population::Population;
use crate::conduit::{Account, Project};
use crate::evidence::Tag;
use crate::ids::{Kind, Phid, User};
use crate::policy::Policy;
use error::{damaged, sqlite};

/// How long another process may hold the file; its transactions take milliseconds.
const BUSY: Duration = Duration::from_secs(20);

/// What a server was seen to say.
pub struct Mirror {
    connection: Connection,
    path: PathBuf,
}

/// A run of bringing the mirror up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRun {
    /// Its number; later ones have greater ones.
    pub(super) id: i64,
    /// What it is about.
    pub(super) scope: String,
    /// The Spaces whose tasks are not restricted.
    open_spaces: Vec<String>,
    /// When it began, by the server's clock.
    pub now: Timestamp,
    /// It reads every history again, whether the task looks unchanged or not.
    thorough: bool,
}

impl SyncRun {
    /// The same run, which reads every history again.
    #[must_use]
    pub(super) fn thorough(self, thorough: bool) -> Self {
        Self { thorough, ..self }
    }
}

/// What the server says besides tasks and accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Whose token it was asked with.
    pub owner: Account,
    /// The tag, with all that is below it.
    pub tag: Tag,
    /// The projects that the policy names, by hashtag.
    pub projects: BTreeMap<String, Project>,
    /// The statuses that a task can have, and whether a task with it is closed.
    pub statuses: BTreeMap<String, bool>,
    /// The recorders.
    pub recorders: Vec<Phid<User>>,
    /// The projects that the hashtag of the tag led to before.
    #[serde(default)]
    pub earlier_tags: Vec<Phid<crate::ids::Project>>,
    /// The hashtags of the policy that the server does not know, or not to who asks.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// The state of the mirror at the end of a run.
#[derive(Debug, Clone)]
pub struct SyncResult {
    /// The run.
    pub sync: SyncRun,
    /// What all tasks share.
    pub facts: ServerFacts,
    /// How large the population was.
    pub population: Population,
}

/// What a run is about: the tag and the recorders of a policy. Under another policy of the same scope the same tasks
/// are looked at.
fn scope(policy: &Policy) -> String {
    let mut recorders: Vec<String> = policy.recorders.iter().map(|name| name.to_lowercase()).collect();
    recorders.sort_unstable();
    format!("#{} {}", policy.tag.to_lowercase(), recorders.join(" "))
}

/// A number as SQLite keeps it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Mirror {
    /// Opens the mirror of a server in this directory, and makes both where they are missing, closed to everyone else.
    ///
    /// # Errors
    /// Where it cannot be made or read, is open to others, or is of a newer version.
    pub fn open(directory: &Path, server: &Url) -> Result<Self, MirrorError> {
        let path = directory::database(directory, server)?;
        let connection = Connection::open(&path).map_err(sqlite("open", &path))?;
        let mut mirror = Self { connection, path };
        mirror.connection.busy_timeout(BUSY).map_err(mirror.error("open"))?;
        mirror.set_up()?;
        // A power cut may take the last transactions with it, never half of one: they are read again. Much is written, and
        // at 16 MB of log a page is copied to its place less often than at SQLite's 4.
        let settings = "PRAGMA synchronous = NORMAL; PRAGMA temp_store = FILE; PRAGMA cache_size = -8000;
            PRAGMA wal_autocheckpoint = 4000;";
        mirror.connection.execute_batch(settings).map_err(mirror.error("open"))?;
        Ok(mirror)
    }

    /// Brings the tables up to date.
    fn set_up(&mut self) -> Result<(), MirrorError> {
        if self.version()? == schema::STEPS.len() {
            return Ok(());
        }
        // Under a lock of our own: SQLite's switch to WAL does not wait for its own locks.
        let _lock = directory::lock(&self.path, directory::Lock::SetUp, || {})?;
        let found = self.version()?;
        let path = self.path.clone();
        let error = || sqlite("set up", &path);
        let known = schema::STEPS.len();
        let Some(steps) = schema::STEPS.get(found..) else {
            return Err(MirrorError::Newer { path: self.path.clone(), found, known });
        };
        self.connection.execute_batch("PRAGMA journal_mode = WAL;").map_err(error())?;
        let transaction = self.connection.transaction().map_err(error())?;
        for step in steps {
            transaction.execute_batch(step).map_err(error())?;
        }
        transaction.pragma_update(None, "user_version", known as i64).map_err(error())?;
        transaction.commit().map_err(error())
    }

    fn version(&self) -> Result<usize, MirrorError> {
        let version: i64 =
            self.connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(self.error("open"))?;
        Ok(usize::try_from(version).unwrap_or(usize::MAX))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the right to fill the mirror, until the file is dropped; where another process has it, calls `waiting` and
    /// waits.
    ///
    /// # Errors
    /// Where the lock cannot be made.
    pub fn lock(&self, waiting: impl FnOnce()) -> Result<File, MirrorError> {
        directory::lock(&self.path, directory::Lock::Fill, waiting)
    }

    /// Begins a run.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(&self, policy: &Policy, now: Timestamp) -> Result<SyncRun, MirrorError> {
        let scope = scope(policy);
        let error = || self.error("write");
        self.connection
            .execute("INSERT INTO sync (scope, began) VALUES (?1, ?2)", params![scope, now.as_second()])
            .map_err(error())?;
        let id = self.connection.last_insert_rowid();
        // What a run listed that failed was not taken over.
        self.connection.execute("DELETE FROM member WHERE scope = ?1 AND since IS NULL", [&scope]).map_err(error())?;
        let checked = "CREATE TEMP TABLE IF NOT EXISTS checked (id INTEGER PRIMARY KEY) STRICT; DELETE FROM checked;";
        self.connection.execute_batch(checked).map_err(error())?;
        Ok(SyncRun { id, scope, open_spaces: policy.open_spaces.clone(), now, thorough: false })
    }

    /// Ends a run: from now on the mirror can be judged by it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn end(
        &self,
        sync: &SyncRun,
        policy: &Policy,
        facts: &ServerFacts,
        population: &Population,
    ) -> Result<(), MirrorError> {
        let json = |value: Result<String, serde_json::Error>| value.map_err(damaged(&self.path, "facts".to_owned()));
        let (text, population) = (json(serde_json::to_string(facts))?, json(serde_json::to_string(population))?);
        let transaction = self.transaction()?;
        let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            transaction.execute(sql, values).map(drop).map_err(self.error("write"))
        };
        execute(
            "UPDATE sync SET ended = ?2, facts = ?3, population = ?4 WHERE id = ?1",
            &[&sync.id, &sync.now.as_second(), &text, &population],
        )?;
        execute("UPDATE member SET since = ?2 WHERE scope = ?1 AND since IS NULL", &[&sync.scope, &sync.id])?;
        self.know(facts)?;
        self.remember(sync, policy, facts)?;
        self.commit(transaction)
    }

    /// The last run for this policy that came to its end.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn last(&self, policy: &Policy) -> Result<SyncResult, MirrorError> {
        let scope = scope(policy);
        let found = self
            .connection
            .query_row(
                "SELECT id, began, facts, population FROM sync
                 WHERE scope = ?1 AND ended IS NOT NULL ORDER BY id DESC LIMIT 1",
                [&scope],
                |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?)),
            )
            .optional()
            .map_err(self.error("read"))?;
        let Some((id, began, facts, population)) = found else {
            return Err(MirrorError::Empty { path: self.path.clone(), tag: policy.tag.clone() });
        };
        let now = self.time(began, "the time of a run")?;
        let facts: ServerFacts = serde_json::from_str(&facts).map_err(damaged(&self.path, "facts".to_owned()))?;
        let population = serde_json::from_str(&population).map_err(damaged(&self.path, "a population".to_owned()))?;
        if let Some(team) = policy
            .teams
            .iter()
            .find(|team| !facts.projects.contains_key(&team.project) && !facts.unknown.contains(&team.project))
        {
            return Err(MirrorError::NoProject { path: self.path.clone(), project: team.project.clone() });
        }
        let sync = SyncRun { id, scope, open_spaces: policy.open_spaces.clone(), now, thorough: false };
        Ok(SyncResult { sync, facts, population })
    }

    /// From here on all that is read is of one state, whatever others write.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn snapshot(&self) -> Result<Transaction<'_>, MirrorError> {
        let transaction = self.connection.unchecked_transaction().map_err(self.error("read"))?;
        // SQLite takes the state that is there at the first look.
        transaction.query_row("SELECT count(*) FROM sync", [], |_| Ok(())).map_err(self.error("read"))?;
        Ok(transaction)
    }

    /// Asks for the right to write at once: who reads first and another one writes meanwhile would be refused it.
    fn transaction(&self) -> Result<Transaction<'_>, MirrorError> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(self.error("write"))
    }

    fn commit(&self, transaction: Transaction<'_>) -> Result<(), MirrorError> {
        transaction.commit().map_err(self.error("write"))
    }

    fn error(&self, doing: &'static str) -> impl Fn(rusqlite::Error) -> MirrorError + use<> {
        sqlite(doing, &self.path)
    }

    fn time(&self, seconds: i64, what: &str) -> Result<Timestamp, MirrorError> {
        Timestamp::from_second(seconds).map_err(|error| MirrorError::Damaged {
            path: self.path.clone(),
            what: what.to_owned(),
            why: error.to_string(),
        })
    }

    /// Reads a PHID that is kept.
    fn phid<K: Kind>(&self, text: String, what: &str) -> Result<Phid<K>, MirrorError> {
        Phid::new(text).map_err(|error| MirrorError::Damaged {
            path: self.path.clone(),
            what: what.to_owned(),
            why: error.to_string(),
        })
    }

    /// What a `SELECT count(*)` counts.
    fn count(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, MirrorError> {
        let count = self.connection.query_row(sql, values, |row| row.get::<_, i64>(0)).map_err(self.error("read"))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Reads what is kept as JSON.
    fn parse<T: serde::de::DeserializeOwned>(
        &self,
        text: &str,
        what: impl FnOnce() -> String,
    ) -> Result<T, MirrorError> {
        serde_json::from_str(text).map_err(|error| damaged(&self.path, what())(error))
    }
}
