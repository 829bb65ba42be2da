//! The tables of the journal and the versions they went through.
//!
//! In the room: SQL. `event` is the truth and can only be added to. `deploy` is an index of it: which deploys are
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
];

/// The version of a journal that this gate writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The deploys whose gate has not said its last word.
pub(super) const UNFINISHED: &str = "SELECT id FROM deploy INDEXED BY deploy_unfinished WHERE closed = 0 ORDER BY id";

/// The deploys with a record that is not known to be on its task.
pub(super) const UNDELIVERED: &str =
    "SELECT id FROM deploy INDEXED BY deploy_undelivered WHERE undelivered = 1 ORDER BY id";

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
