//! The tables of the mirror, and how an older mirror becomes one of today.
//!
//! Responsible for SQL that makes tables. `PRAGMA user_version` says how many of the steps a mirror has been taken
//! through. A step is never changed once it was released; what comes later is a step of its own. Not responsible for
//! what is put into the tables.

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
", "
    -- The histories stand apart: they are long, and what is short changes often.
    CREATE TABLE history (
        task INTEGER PRIMARY KEY,
        text TEXT NOT NULL          -- the transactions of the task, oldest first, JSON
    ) STRICT;
    INSERT INTO history (task, text) SELECT id, history FROM task WHERE history IS NOT NULL ORDER BY id;
    DROP TRIGGER task_changed;
    ALTER TABLE task DROP COLUMN history;
    CREATE TRIGGER task_changed AFTER UPDATE OF phid, trouble, row ON task BEGIN
        UPDATE task SET version = version + 1 WHERE id = NEW.id;
    END;
    CREATE TRIGGER history_added AFTER INSERT ON history BEGIN
        UPDATE task SET version = version + 1 WHERE id = NEW.task;
    END;
    CREATE TRIGGER history_changed AFTER UPDATE ON history BEGIN
        UPDATE task SET version = version + 1 WHERE id = NEW.task;
    END;
", "
    -- What was written on a restricted task is quoted to nobody, also where everybody is shown the task since.
    ALTER TABLE task ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0; -- as it was last listed
    ALTER TABLE task ADD COLUMN embargo INTEGER; -- the first look that found it open again, or the last; null where it always was
    -- Which Spaces are open is not known here.
    UPDATE task SET restricted = 1, embargo = asked
        WHERE row ->> 'view' NOT IN ('public', 'users') OR row ->> 'space' IS NOT NULL;
", "
    -- What a server leaves null is asked for otherwise since: histories that hold any are read again.
    UPDATE task SET trouble = 'its history was not read yet'
        WHERE id IN (SELECT task FROM history WHERE text LIKE '%\"change\":\"unexposed\"%');
", "
    -- A listing counts when its run came to its end: what a run that failed brought leaves with the next one.
    ALTER TABLE member ADD COLUMN since INTEGER; -- the first run to its end that listed it; null where none did yet
    UPDATE member SET since = 0;
    -- Who was seen where the server answers, by which it is known again.
    CREATE TABLE witness (
        phid TEXT PRIMARY KEY,      -- of the tag; of who asked, and of a recorder
        kind TEXT NOT NULL          -- tag or person
    ) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO witness (phid, kind)
        SELECT facts ->> '$.tag.phid', 'tag' FROM sync WHERE ended IS NOT NULL AND facts ->> '$.tag.phid' IS NOT NULL;
    INSERT OR IGNORE INTO witness (phid, kind)
        SELECT facts ->> '$.owner.phid', 'person' FROM sync
        WHERE ended IS NOT NULL AND facts ->> '$.owner.phid' IS NOT NULL;
    INSERT OR IGNORE INTO witness (phid, kind)
        SELECT r.value, 'person' FROM sync, json_each(sync.facts, '$.recorders') r WHERE ended IS NOT NULL;
", r#"
    -- What the server says of something, and what it said before: the members of a project, the project behind a hashtag.
    CREATE TABLE fact (
        kind TEXT NOT NULL,         -- members or hashtag
        subject TEXT NOT NULL,      -- the PHID of the project; the hashtag
        value TEXT NOT NULL,        -- JSON: the PHIDs in order; PHID and name of the project
        seen INTEGER NOT NULL,      -- when a run that came to its end last saw it so
        PRIMARY KEY (kind, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE fact_past (
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        until INTEGER NOT NULL,     -- when a run that came to its end last saw it so
        value TEXT NOT NULL,
        PRIMARY KEY (kind, subject, until)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE account_past (
        phid TEXT NOT NULL,
        until INTEGER NOT NULL,     -- when a run came to its end before another state of it was seen
        row TEXT NOT NULL,          -- the account as it was, JSON
        PRIMARY KEY (phid, until)
    ) STRICT, WITHOUT ROWID;
    -- The policies by which was judged, and the projects behind their teams.
    CREATE TABLE policy (
        digest TEXT NOT NULL,
        team TEXT NOT NULL,         -- its key
        project TEXT NOT NULL,      -- its PHID
        PRIMARY KEY (digest, team, project)
    ) STRICT, WITHOUT ROWID;
    -- Earlier runs wrote down what they saw.
    CREATE TEMP TABLE seen AS
        SELECT 'members' AS kind, p.value ->> '$.phid' AS subject, s.began,
            (SELECT json_group_array(m.value) FROM (SELECT value FROM json_each(p.value, '$.members') ORDER BY value) m)
                AS value
        FROM sync s, json_each(s.facts, '$.projects') p WHERE s.ended IS NOT NULL
        UNION ALL
        SELECT 'hashtag', p.key, s.began,
            json_object('phid', p.value ->> '$.phid', 'name', p.value ->> '$.name')
        FROM sync s, json_each(s.facts, '$.projects') p WHERE s.ended IS NOT NULL;
    CREATE TEMP TABLE streak AS
        SELECT *, lead(value) OVER (PARTITION BY kind, subject ORDER BY began) AS next FROM seen;
    INSERT OR IGNORE INTO fact_past (kind, subject, until, value)
        SELECT kind, subject, began, value FROM streak WHERE next IS NOT NULL AND next <> value
        AND (kind = 'members' OR next ->> '$.phid' <> value ->> '$.phid');
    INSERT OR IGNORE INTO fact (kind, subject, value, seen)
        SELECT kind, subject, value, began FROM streak WHERE next IS NULL;
    DROP TABLE streak;
    DROP TABLE seen;
"#, "
    -- The errors and warnings that audits found, each at its worst. None leaves.
    CREATE TABLE found (
        id TEXT NOT NULL,           -- what identifies it
        policy TEXT NOT NULL,       -- the digest of the policy by which was judged
        version TEXT NOT NULL,      -- of the phabgate that judged
        task INTEGER NOT NULL,
        severity INTEGER NOT NULL,  -- 1 for a warning, 2 for an error
        finding TEXT NOT NULL,      -- JSON
        last INTEGER NOT NULL,      -- the last audit that found it
        PRIMARY KEY (id, policy, version)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX found_by_task ON found (task);
", "
    -- What of a verdict is long and seldom asked for stands apart: most reports are made without it.
    DELETE FROM verdict;
    CREATE TABLE verdict_long (
        task INTEGER PRIMARY KEY,   -- as in verdict, and written with it
        text TEXT NOT NULL          -- JSON
    ) STRICT;
"];

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn taken(connection: &Connection, steps: &[&str]) {
        steps.iter().for_each(|step| connection.execute_batch(step).unwrap());
    }

    fn one(connection: &Connection, sql: &str) -> String {
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_mirror_with_the_histories_among_the_tasks_keeps_them_and_its_verdicts() {
        let connection = Connection::open_in_memory().unwrap();
        taken(&connection, &STEPS[..1]);
        let old = "INSERT INTO task (id, phid, asked, read, version, row, history) VALUES
            (1, 'PHID-TASK-1', 100, 1, 7, '{\"id\":1}', '[1]'), (2, 'PHID-TASK-2', 100, 0, 3, '{\"id\":2}', NULL);";
        connection.execute_batch(old).unwrap();
        taken(&connection, &STEPS[1..2]);
        assert_eq!(one(&connection, "SELECT group_concat(task || text) FROM history"), "1[1]");
        let versions = || one(&connection, "SELECT group_concat(version || row, ' ') FROM task ORDER BY id");
        assert_eq!(versions(), r#"7{"id":1} 3{"id":2}"#, "what was found on them still stands");
        // A new history, another one in its place, and another row each make another version.
        connection
            .execute_batch("INSERT INTO history VALUES (2, '[2]'); UPDATE history SET text = '[3]' WHERE task = 1;")
            .unwrap();
        assert_eq!(versions(), r#"8{"id":1} 4{"id":2}"#);
        connection.execute_batch("UPDATE task SET row = '{}' WHERE id = 1").unwrap();
        assert_eq!(versions(), r#"9{} 4{"id":2}"#);
    }
    #[test]
    fn a_task_that_an_older_mirror_knows_as_restricted_was_so_until_then() {
        let connection = Connection::open_in_memory().unwrap();
        taken(&connection, &STEPS[..2]);
        for (id, view, space) in [(1, "users", "null"), (2, "admin", "null"), (3, "public", "\"PHID-SPCE-x\"")] {
            let row = format!(r#"{{"view":"{view}","space":{space}}}"#);
            let sql = "INSERT INTO task (id, phid, asked, version, row) VALUES (?1, ?1, 100, 5, ?2)";
            connection.execute(sql, rusqlite::params![id, row]).unwrap();
        }
        taken(&connection, &STEPS[2..]);
        let all =
            "SELECT group_concat(id || ':' || restricted || ':' || coalesce(embargo, 'never') || ':' || version, ' ')
            FROM task ORDER BY id";
        assert_eq!(one(&connection, all), "1:0:never:5 2:1:100:5 3:1:100:5");
    }
    #[test]
    fn an_older_mirror_knows_its_tasks_and_its_server() {
        let connection = Connection::open_in_memory().unwrap();
        taken(&connection, &STEPS[..4]);
        let old = r#"INSERT INTO member (scope, task, tagged) VALUES ('#e bot', 'PHID-TASK-1', 2);
            INSERT INTO sync (scope, began, ended, facts) VALUES
            ('#e bot', 1, 2, '{"owner":{"phid":"PHID-USER-a"},"tag":{"phid":"PHID-PROJ-e"},"recorders":["PHID-USER-b"]}'),
            ('#e bot', 3, NULL, NULL);"#;
        connection.execute_batch(old).unwrap();
        taken(&connection, &STEPS[4..]);
        assert_eq!(
            one(&connection, "SELECT group_concat(kind || ' ' || phid, ', ') FROM witness ORDER BY phid"),
            "tag PHID-PROJ-e, person PHID-USER-a, person PHID-USER-b"
        );
        assert_eq!(one(&connection, "SELECT task || since FROM member"), "PHID-TASK-10");
    }
}
