//! Adding events: into the database, and where that takes none while a command runs, beside it.
//!
//! Responsible for the two ways onto the disk and for their order. Not for what an event means, nor for the layout of the
//! [file beside the database](super::reserve).
//!
//! Before a command is started, room for its last words is kept beside the database. From then on an event of that deploy
//! which the database does not take is written there, and the next call tries the database again, with all that it missed.
//! What neither takes is kept in the memory of this process, so that it can still be posted, and [`Kept`] says so.

use std::io;
use std::time::Duration;

use rusqlite::{Transaction, TransactionBehavior, params};

use super::beside::{Beside, Kept};
use super::error::JournalError;
use super::event::{Event, EventKind, Step};
use super::reader::{begin, fold, in_flight, merge, read_events};
use super::reserve::Reserve;
use super::setup::BUSY;
use super::state::DeployState;
use super::store::Journal;
use crate::crash;
use crate::ids::DeployId;

/// How long another process may hold the database while a command runs: what it does not take is kept beside it.
const BUSY_BESIDE: Duration = Duration::from_secs(2);
/// The same once it did not take something.
const BUSY_AGAIN: Duration = Duration::from_millis(100);

impl Journal {
    /// Keeps room beside the database for what comes of this deploy from now on, and lets it go on where the database takes
    /// nothing any more.
    pub(super) fn keep_room(&mut self, deploy: DeployId) -> Result<(), JournalError> {
        self.go_on(deploy);
        let path = self.reader.directory.reserve(deploy);
        let Some(beside) = self.beside.as_mut().filter(|beside| beside.deploy == deploy) else { return Ok(()) };
        beside.reserve =
            Some(Reserve::make(&path, &beside.base).map_err(|source| JournalError::NoRoom { path, source })?);
        beside.written = beside.base.clone();
        self.wait_for_others(BUSY_BESIDE);
        Ok(())
    }

    /// From now on what the database does not take of this deploy is kept beside it, or else in the memory of this process: so
    /// much has happened that its end must be reported.
    pub fn go_on(&mut self, deploy: DeployId) {
        let beside = self.beside.take_if(|beside| beside.deploy == deploy);
        self.beside = beside.or_else(|| {
            // Of a deploy that another process began.
            let base = read_events(&self.reader.connection, &self.reader.path, deploy).ok()?;
            Some(Beside::of(deploy, base))
        });
        if let Some(beside) = &mut self.beside {
            beside.goes_on = true;
        }
    }

    /// Proves that such room can be kept, and gives it up again.
    pub(super) fn try_room(&self) -> Result<(), JournalError> {
        let path = self.reader.directory.trial_reserve();
        let removed = |reserve: Reserve| match reserve.remove() {
            // Another process tried at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        Reserve::make(&path, &[]).and_then(removed).map_err(|source| JournalError::NoRoom { path, source })
    }

    /// Gives the room up, where nothing is in it that the database does not hold.
    pub(super) fn give_up_room(&mut self) {
        if let Some(beside) = self.beside.take_if(|beside| beside.extra.is_empty()) {
            // A file that stays behind is removed by the next command.
            let _ = beside.reserve.map(Reserve::remove);
            self.wait_for_others(BUSY);
        }
    }

    fn wait_for_others(&self, limit: Duration) {
        // Without it SQLite waits as long as before.
        let _ = self.reader.connection.busy_timeout(limit);
    }

    fn beside_of(&self, deploy: DeployId) -> Option<&Beside> {
        self.beside.as_ref().filter(|beside| beside.deploy == deploy)
    }

    /// Whether the deploy that this process carries out goes on where the database takes nothing.
    pub(super) fn goes_on(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.goes_on)
    }

    /// Where the last words of the deploy are whose command this process started.
    pub fn kept(&self) -> Kept {
        let Some(Beside { extra, lost, why, reserve, .. }) = &self.beside else { return Kept::InJournal };
        match (reserve, lost) {
            _ if extra.is_empty() => Kept::InJournal,
            (Some(reserve), None) if reserve.is_in_place() => {
                Kept::Beside { path: reserve.path().to_owned(), why: why.clone() }
            }
            (Some(reserve), None) => {
                let path = reserve.path().display();
                Kept::Nowhere { why: format!("{why}; and {path} was moved or removed, or its directory is closed") }
            }
            (Some(reserve), Some(lost)) => {
                Kept::Nowhere { why: format!("{why}; nor did {} take it: {lost}", reserve.path().display()) }
            }
            (None, _) => Kept::Nowhere { why: why.clone() },
        }
    }

    /// All events of a deploy, oldest first, with those that are beside the database; none where it is not known.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn events(&self, deploy: DeployId) -> Result<Vec<Event>, JournalError> {
        let Some(beside) = self.beside_of(deploy) else { return self.reader.events(deploy) };
        let known = match read_events(&self.reader.connection, &self.reader.path, deploy) {
            Ok(events) => merge(events, beside.all()).map_err(|source| self.reader.bad_history(deploy, source)),
            Err(error) => Err(error),
        };
        match known {
            Err(error) if beside.goes_on && error.is_of_the_database() => Ok(beside.all()),
            known => known,
        }
    }

    /// Where a deploy stands.
    ///
    /// # Errors
    /// Where the journal does not know it, or its events make no sense.
    pub fn state(&self, deploy: DeployId) -> Result<DeployState, JournalError> {
        self.reader.state_of(deploy, &self.events(deploy)?)
    }

    /// Adds the events that follow from the state as it is.
    pub(super) fn add(
        &mut self,
        deploy: DeployId,
        next: impl Fn(Option<&DeployState>) -> Vec<Event>,
    ) -> Result<DeployState, JournalError> {
        let missed = self.beside_of(deploy).map(Beside::all).unwrap_or_default();
        match self.add_to_database(deploy, missed, &next) {
            Ok((state, events)) => {
                self.is_in_database(deploy, events);
                Ok(state)
            }
            Err(error) if error.is_of_the_database() && self.beside_of(deploy).is_some_and(|beside| beside.goes_on) => {
                self.add_beside(deploy, &next, &error)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes note of what the database holds of a deploy that this process carries out.
    pub(super) fn is_in_database(&mut self, deploy: DeployId, events: Vec<Event>) {
        let is_begun = events.len() == 1;
        let Some(beside) = self.beside.as_mut().filter(|beside| beside.deploy == deploy) else {
            if is_begun {
                self.beside = Some(Beside::of(deploy, events));
            }
            return;
        };
        let caught_up = !beside.extra.is_empty();
        (beside.base, beside.extra, beside.lost) = (events, Vec::new(), None);
        if caught_up {
            // What stays in it is known by the database, and is not taken in twice.
            if let Some(reserve) = &mut beside.reserve {
                let cleared = reserve.clear();
                let held = reserve.held();
                beside.written.truncate(held);
                beside.lost = cleared.err().map(|error| error.to_string());
            }
            self.wait_for_others(BUSY_BESIDE);
        }
    }

    /// Adds the events that the database missed and those that follow from the state then, in one transaction with looking
    /// at it. Returns all events of the deploy as well.
    pub(super) fn add_to_database(
        &mut self,
        deploy: DeployId,
        missed: Vec<Event>,
        next: &impl Fn(Option<&DeployState>) -> Vec<Event>,
    ) -> Result<(DeployState, Vec<Event>), JournalError> {
        let (path, directory) = (self.reader.path.clone(), self.reader.directory.clone());
        let error = |source| JournalError::sqlite("write", &path, source);
        let bad = |source| JournalError::BadHistory { path: path.clone(), deploy, source };
        let refused = |source| JournalError::Refused { deploy, source };
        let transaction = self.begin()?;
        let past = read_events(&transaction, &path, deploy)?;
        let known = past.len();
        let mut events = merge(past, missed).map_err(bad)?;
        let mut state = match events.as_slice() {
            [] => None,
            past => Some(fold(past, &path, deploy)?),
        };
        for event in next(state.as_ref()) {
            match &mut state {
                Some(state) => state.apply(&event).map_err(refused)?,
                None => {
                    let begun = begin(&event, deploy).map_err(refused)?;
                    if let Some(other) = in_flight(&transaction, &directory, begun.intent())? {
                        return Err(JournalError::InFlight { task: begun.intent().task, other: Box::new(other) });
                    }
                    state = Some(begun);
                }
            }
            events.push(event);
        }
        let Some(state) = state else { return Err(JournalError::NoSuchDeploy { path, deploy }) };
        for event in events.iter().skip(known) {
            insert(&transaction, deploy, event).map_err(|failed| match failed {
                InsertError::Encode(source) => JournalError::Encode(source),
                InsertError::Sqlite(source) => error(source),
            })?;
        }
        let undelivered = i64::from(!state.outbox().is_empty());
        transaction
            .prepare_cached("UPDATE deploy SET closed = ?2, undelivered = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![deploy.to_string(), state.is_closed(), undelivered]))
            .map_err(error)?;
        crash::point("journal-uncommitted");
        transaction.commit().map_err(error)?;
        crash::point("journal-committed");
        Ok((state, events))
    }

    /// Keeps the events that follow from the state as it is beside the database, which did not take them.
    fn add_beside(
        &mut self,
        deploy: DeployId,
        next: &impl Fn(Option<&DeployState>) -> Vec<Event>,
        why: &JournalError,
    ) -> Result<DeployState, JournalError> {
        let events = self.events(deploy)?;
        let mut state = self.reader.state_of(deploy, &events)?;
        let new = next(Some(&state));
        for event in &new {
            state.apply(event).map_err(|source| JournalError::Refused { deploy, source })?;
        }
        self.wait_for_others(BUSY_AGAIN);
        if let Some(beside) = &mut self.beside {
            beside.why = why.to_string();
            new.into_iter().for_each(|event| beside.keep(event));
        }
        crash::point("journal-beside");
        Ok(state)
    }

    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, JournalError> {
        let path = &self.reader.path;
        let started = self.reader.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        started.map_err(|source| JournalError::sqlite("write", path, source))
    }
}

enum InsertError {
    Encode(serde_json::Error),
    Sqlite(rusqlite::Error),
}

fn insert(transaction: &Transaction<'_>, deploy: DeployId, event: &Event) -> Result<(), InsertError> {
    let data = event.to_data().map_err(InsertError::Encode)?;
    if let EventKind::Step(Step::Intent(intent)) = &event.what {
        transaction
            .prepare_cached("INSERT INTO deploy (id, closed, undelivered, task) VALUES (?1, 0, 0, ?2)")
            .and_then(|mut insert| insert.execute(params![deploy.to_string(), intent.task.to_string()]))
            .map_err(InsertError::Sqlite)?;
    }
    transaction
        .prepare_cached("INSERT INTO event (deploy, at, kind, data) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| insert.execute(params![deploy.to_string(), event.at.to_string(), event.kind(), data]))
        .map_err(InsertError::Sqlite)?;
    Ok(())
}
