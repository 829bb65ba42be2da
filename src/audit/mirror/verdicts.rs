//! What was found on tasks that have not changed since.
//!
//! To judge a task again that is as it was, by the same measure, finds the same. A verdict is kept with the version of
//! the task, which the database itself makes another one whenever something changes that it rests on, and with the
//! measure: the policy, all that tasks share, everybody's accounts, and the program. What also depends on the time of
//! the audit is not kept. Responsible for keeping it and for composing the measure. Not responsible for judging.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::error::{MirrorError, sqlite};
use super::{BUSY, Mirror, ServerFacts, number};
use crate::audit::memory::Memory;
use crate::conduit::Account;
use crate::ids::{Phid, TaskId, User};
use crate::policy::Policy;

/// By what tasks are judged, besides themselves: verdicts of the same measure are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey(pub(super) Vec<u8>);

impl CacheKey {
    /// The measure of this policy, these facts and accounts, what earlier audits saw, and this program. Where the
    /// program cannot be distinguished from another, no other measure is the same.
    ///
    /// # Errors
    /// Where the facts cannot be put in writing.
    pub fn of(
        policy: &Policy,
        facts: &ServerFacts,
        accounts: &BTreeMap<Phid<User>, Account>,
        memory: &Memory,
    ) -> Result<Self, serde_json::Error> {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(program().unwrap_or_else(|| uuid::Uuid::now_v7().to_string()));
        hash.update(policy.digest().as_str());
        hash.update(serde_json::to_vec(facts)?);
        // It only ever grows.
        hash.update(memory.size().to_be_bytes());
        for account in accounts.values() {
            hash.update(serde_json::to_vec(account)?);
        }
        Ok(Self(hash.finalize().to_vec()))
    }
}

/// What distinguishes this program from one that was built anew, which may judge otherwise whatever its version says.
fn program() -> Option<String> {
    // Also where its file was replaced since it was started.
    let file = std::fs::metadata("/proc/self/exe").ok()?;
    let built = file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{} {}", built.as_nanos(), file.len()))
}

/// What was found on a task, as it was put in writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// All but the long part, JSON.
    pub text: String,
    /// The long part, JSON, where it was asked for.
    pub long: Option<String>,
}

/// Where verdicts are put while the mirror is read: by a way of its own, so that what is read stays of one state.
pub struct Verdicts {
    connection: Connection,
    path: std::path::PathBuf,
    measure: CacheKey,
}

impl Mirror {
    /// Opens the verdicts of a measure for writing.
    ///
    /// # Errors
    /// Where the mirror cannot be opened.
    pub fn verdicts(&self, measure: CacheKey) -> Result<Verdicts, MirrorError> {
        let error = || sqlite("open", &self.path);
        let connection = Connection::open(&self.path).map_err(error())?;
        connection.busy_timeout(BUSY).map_err(error())?;
        connection.execute_batch("PRAGMA synchronous = NORMAL;").map_err(error())?;
        Ok(Verdicts { connection, path: self.path.clone(), measure })
    }
}

impl Verdicts {
    /// The measure.
    pub fn measure(&self) -> &CacheKey {
        &self.measure
    }

    /// Keeps what was found on tasks of these versions, as JSON, and the long part of it. Should one have changed since, it
    /// is passed over when it is read.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep<'e>(
        &self,
        found: impl IntoIterator<Item = (TaskId, i64, &'e str, &'e str)>,
    ) -> Result<(), MirrorError> {
        let mut found = found.into_iter().peekable();
        if found.peek().is_none() {
            return Ok(());
        }
        let error = || sqlite("write", &self.path);
        let transaction = self.connection.unchecked_transaction().map_err(error())?;
        for (task, version, entry, long) in found {
            let task = number(task.number());
            let verdict = "INSERT OR REPLACE INTO verdict (task, version, measure, entry) VALUES (?1, ?2, ?3, ?4)";
            transaction
                .prepare_cached(verdict)
                .and_then(|mut statement| statement.execute(params![task, version, self.measure.0, entry]))
                .and_then(|_| {
                    transaction.prepare_cached("INSERT OR REPLACE INTO verdict_long (task, text) VALUES (?1, ?2)")
                })
                .and_then(|mut statement| statement.execute(params![task, long]))
                .map_err(error())?;
        }
        transaction.commit().map_err(error())
    }
}
