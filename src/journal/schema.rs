//! The tables of the journal and the versions they went through.
//!
//! Responsible for SQL. `event` is the truth and can only be added to. `deploy` is an index of it: which deploys are
//! still open, so that a start costs what is open and not what is old.

use rusqlite::Connection;

/// The steps from nothing to the present; the version of a journal is how many of them it took.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE deploy (
        id TEXT PRIMARY KEY NOT NULL,
        closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
        undelivered INTEGER NOT NULL CHECK (undelivered IN (0, 1))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deploy_unfinished ON deploy (id) WHERE closed = 0;
    CREATE INDEX deploy_undelivered ON deploy (id) WHERE undelivered = 1;

    CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        deploy TEXT NOT NULL REFERENCES deploy (id),
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL CHECK (json_valid(data))
    ) STRICT;
    CREATE INDEX event_of_deploy ON event (deploy, id);
    CREATE TRIGGER event_not_changed BEFORE UPDATE ON event
        BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
    CREATE TRIGGER event_not_removed BEFORE DELETE ON event
        BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
    CREATE TRIGGER deploy_not_removed BEFORE DELETE ON deploy
        BEGIN SELECT RAISE(ABORT, 'deploys are never removed'); END;

    CREATE TABLE probe (written INTEGER NOT NULL) STRICT;
    INSERT INTO probe (written) VALUES (0);
",
    "
    -- Of this version are the events of records that were refused: the tables stay, an older gate must refuse them.
",
    "
    -- The deploys of a task are asked for before each run of it.
    ALTER TABLE deploy ADD COLUMN task TEXT;
    UPDATE deploy SET task =
        (SELECT json_extract(data, '$.task') FROM event WHERE event.deploy = deploy.id AND event.kind = 'intent');
    CREATE INDEX deploy_of_task ON deploy (task);
",
    "
    -- Of this version are the events of gates that are gone, of ends that others told, and of records that were given up.
    CREATE INDEX event_dropped ON event (id) WHERE kind = 'dropped';
",
];

/// The version of a journal that this gate writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The first version that can be asked for the deploys of a task by an index.
pub(super) const INDEXES_TASKS: i64 = 3;

/// The newest deploys: their ids begin with the time.
pub(super) const NEWEST: &str = "SELECT id FROM deploy ORDER BY id DESC LIMIT ?1";

/// The deploys whose gate has not said its last word.
pub(super) const UNFINISHED: &str = "SELECT id FROM deploy INDEXED BY deploy_unfinished WHERE closed = 0 ORDER BY id";

/// The deploys with a record that is not known to be on its task.
pub(super) const UNDELIVERED: &str =
    "SELECT id FROM deploy INDEXED BY deploy_undelivered WHERE undelivered = 1 ORDER BY id";

/// The deploys of a task, in the order of their ids.
pub(super) const OF_TASK: &str = "SELECT id FROM deploy INDEXED BY deploy_of_task WHERE task = ?1 ORDER BY id";

/// The same in a journal of before [`INDEXES_TASKS`].
pub(super) const OF_TASK_UNINDEXED: &str =
    "SELECT deploy FROM event WHERE kind = 'intent' AND json_extract(data, '$.task') = ?1 ORDER BY deploy";

/// How many records were given up.
pub(super) const DROPPED: &str = "SELECT count(*) FROM event WHERE kind = 'dropped'";

/// The version of the journal behind a connection.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Takes the steps that are missing, in the caller's transaction.
pub(super) fn migrate(connection: &Connection, from: i64) -> rusqlite::Result<()> {
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or_default()) {
        connection.execute_batch(step)?;
    }
    connection.execute_batch(&format!("PRAGMA user_version = {VERSION}"))
}

/// What makes an empty database one of an older version.
#[cfg(test)]
pub(super) fn of_version(version: usize) -> String {
    format!("{}; PRAGMA user_version = {version}", MIGRATIONS[..version].concat())
}
