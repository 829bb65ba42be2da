//! The tables of the mirror, and how an older mirror becomes one of today.
//!
//! In the room: SQL that makes tables. `PRAGMA user_version` says how many of the steps a mirror has been taken through.
//! A step is never changed once it was released; what comes later is a step of its own. Not in the room: what is put into
//! the tables.

/// The steps, the oldest first.
pub(super) const STEPS: &[&str] = &["
    -- One run of bringing the mirror up to date for one scope: a tag with its recorders.
    CREATE TABLE sync (
        id INTEGER PRIMARY KEY,
        scope TEXT NOT NULL,
        began INTEGER NOT NULL,     -- seconds since 1970, by the server's clock
        ended INTEGER,              -- null where it did not come to its end
        facts TEXT,                 -- what the server said besides tasks, JSON
        population TEXT             -- the counts of its end, JSON
    ) STRICT;
    -- The tasks that were ever seen to belong to a scope; none leaves. Each number is that of the last sync that saw it so.
    CREATE TABLE member (
        scope TEXT NOT NULL,
        task TEXT NOT NULL,         -- its PHID
        tagged INTEGER NOT NULL DEFAULT 0,
        recorded INTEGER NOT NULL DEFAULT 0,
        shown INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (scope, task)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE task (
        id INTEGER PRIMARY KEY,     -- its number
        phid TEXT NOT NULL UNIQUE,
        asked INTEGER NOT NULL,     -- a moment before its history was asked for, by the server's clock
        read INTEGER NOT NULL DEFAULT 0, -- the sync that read the history
        trouble TEXT,               -- why row and history are not both of now; null where they are
        version INTEGER NOT NULL DEFAULT 0, -- another one whenever something changes that a verdict rests on
        -- what is long stands last: what is short is read without it
        row TEXT NOT NULL,          -- the task as it was last listed, JSON
        history TEXT                -- its transactions, oldest first, JSON
    ) STRICT;
    -- The transactions that hold comments, which are read again each time.
    CREATE TABLE comment (
        id INTEGER PRIMARY KEY,     -- of the transaction
        phid TEXT NOT NULL,
        task INTEGER NOT NULL,
        digest BLOB NOT NULL        -- SHA-256 of its versions as they stand in the history
    ) STRICT;
    CREATE INDEX comment_by_task ON comment (task);
    -- What was seen and is told otherwise since. Nothing here is ever changed.
    CREATE TABLE past (
        task INTEGER NOT NULL,
        noticed INTEGER NOT NULL,   -- when the server was first seen to tell it otherwise
        row TEXT NOT NULL,          -- the transaction as it was, JSON
        PRIMARY KEY (task, row)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER task_changed AFTER UPDATE OF phid, trouble, row, history ON task BEGIN
        UPDATE task SET version = version + 1 WHERE id = NEW.id;
    END;
    CREATE TRIGGER past_added AFTER INSERT ON past BEGIN
        UPDATE task SET version = version + 1 WHERE id = NEW.task;
    END;
    -- What was found on a task of this version, judged by this measure.
    CREATE TABLE verdict (
        task INTEGER PRIMARY KEY,
        version INTEGER NOT NULL,
        measure BLOB NOT NULL,
        entry TEXT NOT NULL         -- JSON
    ) STRICT;
    CREATE TABLE account (
        phid TEXT PRIMARY KEY,
        row TEXT                    -- the account, JSON; null where it was not looked up yet or is not shown
    ) STRICT, WITHOUT ROWID;
"];
