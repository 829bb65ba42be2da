//! The tables of the watch and the versions they went through.
//!
//! Responsible for SQL that makes them. Not responsible for what is written into them ([`super::sqlite`]).

/// The steps from nothing to the present; the version is how many of them were taken.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL,
        first_start TEXT NOT NULL,
        cursor INTEGER,
        sequence INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE TABLE waiting (task TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE notice (
        task INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        kind TEXT NOT NULL,
        which TEXT NOT NULL,
        state TEXT NOT NULL CHECK (json_valid(state)),
        PRIMARY KEY (task, episode, kind, which)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE counted (
        task INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        xact INTEGER NOT NULL,
        team TEXT NOT NULL,
        user TEXT NOT NULL,
        PRIMARY KEY (task, episode, xact, team, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE remote (
        deploy TEXT PRIMARY KEY NOT NULL,
        task INTEGER NOT NULL,
        token TEXT NOT NULL,
        key TEXT NOT NULL,
        asked TEXT NOT NULL,
        silence INTEGER NOT NULL,
        expires TEXT NOT NULL,
        ended TEXT,
        UNIQUE (token, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX remote_open ON remote (deploy) WHERE ended IS NULL;
",
    "
    CREATE TABLE slot (
        task INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        team TEXT NOT NULL,
        round INTEGER NOT NULL,
        since TEXT NOT NULL,
        phase TEXT NOT NULL CHECK (json_valid(phase)),
        UNIQUE (task, episode, team)
    ) STRICT;
    CREATE TABLE page (
        task INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        team TEXT NOT NULL,
        round INTEGER NOT NULL,
        stage TEXT NOT NULL,
        receiver TEXT NOT NULL,
        due TEXT NOT NULL,
        drill INTEGER NOT NULL,
        first TEXT NOT NULL,
        state TEXT NOT NULL CHECK (json_valid(state)),
        PRIMARY KEY (task, episode, team, round, stage, receiver)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ack (
        task INTEGER NOT NULL,
        team TEXT NOT NULL,
        user TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT;
    CREATE TABLE line (
        task INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (task, episode, key)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE spoken (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task INTEGER NOT NULL,
        user TEXT COLLATE NOCASE,
        message TEXT UNIQUE,
        word TEXT NOT NULL CHECK (json_valid(word)),
        state TEXT NOT NULL CHECK (json_valid(state)),
        is_open INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX spoken_open ON spoken (id) WHERE is_open;
    CREATE INDEX spoken_task ON spoken (task, id);
",
    "
    ALTER TABLE slot ADD COLUMN asked TEXT NOT NULL DEFAULT '';
    UPDATE slot SET asked = since;
",
    // Pages have the stage 'asked-again', which older programs do not know.
    "",
    "
    ALTER TABLE spoken ADD COLUMN answered INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX spoken_unanswered ON spoken (id) WHERE NOT answered;
",
];

/// The version that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;
