//! The journal, for reading: where each deploy stands, what is open, what is undelivered.
//!
//! Responsible for the queries, and for reading events back as a state. Not for what events mean, nor for writing.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use url::Url;

use super::error::JournalError;
use super::event::{DeployMode, Event, EventKind, Intent, ServerMarks};
use super::files::Directory;
use super::illegal::IllegalTransition;
use super::local::local_deploy;
use super::lock;
use super::outbox_entry::OutboxEntry;
use super::reserve;
use super::schema;
use super::state::DeployState;
use crate::ids::{DeployId, TaskId};
use crate::local_deploy::LocalDeploy;

/// The journal, for reading.
#[derive(Debug)]
pub struct JournalReader {
    pub(super) connection: Connection,
    pub(super) directory: Directory,
    pub(super) path: PathBuf,
    /// The version of its schema: an older one can be read, too.
    pub(super) version: i64,
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
        let events = read_events(&self.connection, &self.path, deploy)?;
        let path = self.directory.reserve(deploy);
        let beside = reserve::read(&path).map_err(|source| JournalError::Directory { path, source })?;
        merge(events, beside).map_err(|source| self.bad_history(deploy, source))
    }

    /// Where a deploy stands.
    ///
    /// # Errors
    /// Where the journal does not know it, or its events make no sense.
    pub fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError> {
        self.state_of(deploy, &self.events(deploy)?)
    }

    pub(super) fn state_of(&self, deploy: DeployId, events: &[Event]) -> Result<DeployState, JournalError> {
        if events.is_empty() {
            return Err(JournalError::NoSuchDeploy { path: self.path.clone(), deploy });
        }
        fold(events, &self.path, deploy)
    }

    pub(super) fn bad_history(&self, deploy: DeployId, source: IllegalTransition) -> JournalError {
        JournalError::BadHistory { path: self.path.clone(), deploy, source }
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

    /// The newest deploys and their tasks, at most so many, the newest first.
    ///
    /// # Errors
    /// Where the journal cannot be read, or the events of a deploy make no sense.
    pub fn newest(&self, most: usize) -> Result<Vec<(DeployId, TaskId)>, JournalError> {
        let newest = self.ids(schema::NEWEST, [i64::try_from(most).unwrap_or(i64::MAX)])?;
        newest.into_iter().map(|deploy| Ok((deploy, self.state(deploy)?.intent().task))).collect()
    }

    /// The deploys whose gate has not said its last word, oldest first: it runs, or it was killed.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn unfinished(&self) -> Result<Vec<DeployId>, JournalError> {
        let mut unfinished = self.ids(schema::UNFINISHED, [])?;
        for deploy in self.beside_alone()? {
            if !self.state(deploy)?.is_closed() {
                unfinished.push(deploy);
            }
        }
        unfinished.sort_unstable();
        Ok(unfinished)
    }

    /// The deploys that are known by their file beside the database alone, which was lost.
    fn beside_alone(&self) -> Result<Vec<DeployId>, JournalError> {
        let mut alone = Vec::new();
        for deploy in self.directory.reserved()? {
            if !self.knows(deploy)? && !self.events(deploy)?.is_empty() {
                alone.push(deploy);
            }
        }
        Ok(alone)
    }

    /// The deploys with a record that is not known to be on its task, oldest first.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn undelivered(&self) -> Result<Vec<DeployId>, JournalError> {
        let mut deploys = self.ids(schema::UNDELIVERED, [])?;
        // The index does not know what is beside the database.
        for deploy in self.directory.reserved()? {
            if !deploys.contains(&deploy) && !self.events(deploy)?.is_empty() {
                deploys.push(deploy);
            }
        }
        let mut undelivered = Vec::new();
        for deploy in deploys {
            if !self.state(deploy)?.outbox().is_empty() {
                undelivered.push(deploy);
            }
        }
        undelivered.sort_unstable();
        Ok(undelivered)
    }

    /// The unfinished deploys whose owner is dead, oldest first: what [`Journal::recover_stranded`](super::Journal::recover_stranded) would recover.
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

    /// The deploys of a task of this server that the journal knows, oldest first. `marks` distinguishes it from another
    /// server behind the same URL: what is known to be of that one is left out.
    ///
    /// # Errors
    /// Where the journal or its locks cannot be read, or the events of a deploy make no sense.
    pub fn deploys_of(
        &self,
        task: TaskId,
        server: &Url,
        marks: &ServerMarks,
    ) -> Result<Vec<LocalDeploy>, JournalError> {
        let sql = if self.version < schema::INDEXES_TASKS { schema::OF_TASK_UNINDEXED } else { schema::OF_TASK };
        let mut deploys = Vec::new();
        for deploy in self.ids(sql, [task.to_string()])? {
            let state = self.state(deploy)?;
            let intent = state.intent();
            if intent.server == *server && !intent.marks.is_other(marks) {
                deploys.extend(local_deploy(&state, || self.is_alive(deploy))?);
            }
        }
        Ok(deploys)
    }

    /// The outbox, oldest deploy first; behind it the deploys whose gate is gone and whose end is still to be reported.
    ///
    /// # Errors
    /// Where the journal cannot be read, or the events of a deploy make no sense.
    pub fn outbox(&self) -> Result<Vec<OutboxEntry>, JournalError> {
        let mut entries = Vec::new();
        for deploy in self.undelivered()? {
            entries.extend(OutboxEntry::of(&self.state(deploy)?));
        }
        for deploy in self.stranded()? {
            let state = self.state(deploy)?;
            if state.owes_finished() {
                entries.push(OutboxEntry::stranded(&state));
            }
        }
        Ok(entries)
    }

    /// How many records were given up, of all deploys.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn dropped(&self) -> Result<u32, JournalError> {
        self.connection.query_row(schema::DROPPED, [], |row| row.get(0)).map_err(|source| self.error("read", source))
    }

    /// Whether its gate is at work. Who settles the end of one that is known to be gone owns the deploy meanwhile, and is not its gate. It may
    /// have died when this returns: only [`Journal::own`](super::Journal::own) is certain.
    ///
    /// # Errors
    /// Where the lock cannot be asked for.
    pub fn is_alive(&self, deploy: DeployId) -> Result<bool, JournalError> {
        let is_gone = || self.state(deploy).is_ok_and(|state| state.gone().is_some());
        Ok(lock::is_held(&self.directory.deploy_lock(deploy))? && !is_gone())
    }

    fn ids(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<DeployId>, JournalError> {
        ids(&self.connection, &self.path, sql, parameters)
    }

    pub(super) fn error(&self, doing: &'static str, source: rusqlite::Error) -> JournalError {
        JournalError::sqlite(doing, &self.path, source)
    }
}

/// The events of the database with those beside it that it does not hold yet. A step of a delivery that others have settled
/// meanwhile is left out.
pub(super) fn merge(past: Vec<Event>, beside: Vec<Event>) -> Result<Vec<Event>, IllegalTransition> {
    let missing: Vec<Event> = beside.into_iter().filter(|event| !past.contains(event)).collect();
    if missing.is_empty() {
        return Ok(past);
    }
    let mut all = past;
    let mut missing = missing.into_iter();
    if all.is_empty() {
        // The database was lost, or is another.
        all.extend(missing.next());
    }
    let mut state = DeployState::from_events(&all)?;
    for event in missing {
        match state.apply(&event) {
            Ok(()) => all.push(event),
            Err(_) if matches!(event.what, EventKind::Delivery(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The deploy of the same task that may still be under way, where the intent is to run one.
pub(super) fn in_flight(
    connection: &Connection,
    directory: &Directory,
    intent: &Intent,
) -> Result<Option<LocalDeploy>, JournalError> {
    if intent.mode != DeployMode::Run {
        return Ok(None);
    }
    let path = directory.database();
    for deploy in ids(connection, &path, schema::OF_TASK, [intent.task.to_string()])? {
        let state = fold(&read_events(connection, &path, deploy)?, &path, deploy)?;
        if state.intent().server == intent.server && !state.intent().marks.is_other(&intent.marks) {
            let other = local_deploy(&state, || lock::is_held(&directory.deploy_lock(deploy)))?;
            if let Some(other) = other.filter(LocalDeploy::is_in_flight) {
                return Ok(Some(other));
            }
        }
    }
    Ok(None)
}

fn ids(
    connection: &Connection,
    path: &Path,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<DeployId>, JournalError> {
    let error = |source| JournalError::sqlite("read", path, source);
    let mut query = connection.prepare_cached(sql).map_err(error)?;
    let rows = query.query_map(parameters, |row| row.get::<_, String>(0)).map_err(error)?;
    let mut ids = Vec::new();
    for row in rows {
        let text = row.map_err(error)?;
        let id = text.parse().map_err(|_| JournalError::Corrupt {
            path: path.to_owned(),
            reason: format!("{text:?} is no deploy id"),
        })?;
        ids.push(id);
    }
    Ok(ids)
}

pub(super) fn read_events(connection: &Connection, path: &Path, deploy: DeployId) -> Result<Vec<Event>, JournalError> {
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

pub(super) fn fold(events: &[Event], path: &Path, deploy: DeployId) -> Result<DeployState, JournalError> {
    let bad = |source| JournalError::BadHistory { path: path.to_owned(), deploy, source };
    let state = DeployState::from_events(events).map_err(bad)?;
    state.check_deploy(deploy).map_err(bad)?;
    Ok(state)
}

pub(super) fn begin(event: &Event, deploy: DeployId) -> Result<DeployState, IllegalTransition> {
    let state = DeployState::begin(event)?;
    state.check_deploy(deploy)?;
    Ok(state)
}
