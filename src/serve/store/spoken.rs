//! What was spoken on IRC, in the rows of the store.
//!
//! Responsible for reading and writing it, and for how much of what does not count is kept. Not responsible for the tables
//! ([`super::schema`]).

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use super::paging::{RowError, damaged, json};
use super::sqlite::number;
use crate::ids::TaskId;
use crate::serve::witnessing::{OpenWord, SpokenState, SpokenWord, Unwritten, UnwrittenWord};
use crate::witness::WitnessedWord;

/// How many words of one task that came to an end are kept: whoever floods a channel fills no disk.
const KEPT: i64 = 200;

/// Keeps a word.
pub(super) fn add(transaction: &Transaction<'_>, word: &SpokenWord, state: &SpokenState) -> rusqlite::Result<()> {
    let task = number(word.task.number());
    let speaker = word.speaker.as_ref();
    let row = params![
        task,
        speaker.map(|speaker| &speaker.user),
        // Another network has other messages by the same name.
        speaker.map(|speaker| format!("{} {}", word.network, speaker.message)),
        json(word)?,
        json(state)?,
        state.is_open(),
    ];
    let columns = "task, user, message, word, state, is_open";
    transaction.execute(&format!("INSERT OR IGNORE INTO spoken ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"), row)?;
    // What nobody is known to have said goes first.
    let newest = "SELECT id FROM spoken WHERE task = ?1 AND NOT is_open ORDER BY user IS NULL, id DESC LIMIT ?2";
    let delete = format!("DELETE FROM spoken WHERE task = ?1 AND NOT is_open AND id NOT IN ({newest})");
    transaction.execute(&delete, [task, KEPT]).map(drop)
}

/// Sets what became of a word.
pub(super) fn set(transaction: &Transaction<'_>, id: i64, state: &SpokenState) -> rusqlite::Result<()> {
    let row = params![id, json(state)?, state.is_open()];
    transaction.execute("UPDATE spoken SET state = ?2, is_open = ?3 WHERE id = ?1", row)?;
    if !matches!(state, SpokenState::Recorded { .. }) {
        return Ok(());
    }
    set_answered(transaction, id, false)?;
    forget_reason(transaction, id)
}

/// Sets whether who said a word was answered that it is on the task; returns whether that changed.
pub(super) fn set_answered(transaction: &Transaction<'_>, id: i64, answered: bool) -> rusqlite::Result<bool> {
    let update = "UPDATE spoken SET answered = ?2 WHERE id = ?1 AND answered <> ?2";
    Ok(transaction.execute(update, params![id, answered])? == 1)
}

/// Forgets the reason that was given with a word.
pub(super) fn forget_reason(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    transaction.execute("UPDATE spoken SET word = json_set(word, '$.why', NULL) WHERE id = ?1", [id]).map(drop)
}

/// The words that are still to be brought to their tasks, in the order in which they were heard.
pub(super) fn open(connection: &Connection) -> Result<Vec<OpenWord>, RowError> {
    words(connection, "is_open")
}

/// The words that are on their tasks, whose speakers were not answered so, in the order in which they were heard.
pub(super) fn unanswered(connection: &Connection) -> Result<Vec<OpenWord>, RowError> {
    words(connection, "NOT answered")
}

fn words(connection: &Connection, of: &str) -> Result<Vec<OpenWord>, RowError> {
    let mut select =
        connection.prepare_cached(&format!("SELECT id, word, state FROM spoken WHERE {of} ORDER BY id"))?;
    let mut rows = select.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        match word(row, 1).and_then(|word| Ok(OpenWord { id, word, state: state(row, 2)? })) {
            Ok(word) => open.push(word),
            // One that makes no sense keeps no other from its task.
            Err(RowError::Damaged(why)) => {
                tracing::error!("a word that was said on IRC cannot be read any more: {why}")
            }
            Err(error) => return Err(error),
        }
    }
    Ok(open)
}

/// Forgets what came to an end and was heard before a time.
pub(super) fn forget(transaction: &Transaction<'_>, before: Timestamp) -> rusqlite::Result<()> {
    let old = "NOT is_open AND unixepoch(json_extract(word, '$.heard')) < ?1";
    transaction.execute(&format!("DELETE FROM spoken WHERE {old}"), [before.as_second()]).map(drop)
}

/// Whether a word is a yes after which the same person said something else about the same task.
pub(super) fn is_superseded(connection: &Connection, id: i64, word: &SpokenWord) -> rusqlite::Result<bool> {
    let Some(speaker) = word.speaker.as_ref().filter(|_| word.word == WitnessedWord::Approve) else { return Ok(false) };
    let later = "task = ?1 AND user = ?2 AND id > ?3 AND json_extract(word, '$.word') <> 'approve'";
    let mut select = connection.prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM spoken WHERE {later})"))?;
    select.query_row(params![number(word.task.number()), speaker.user, id], |row| row.get(0))
}

/// The words about a task that are not on it.
pub(super) fn unwritten(connection: &Connection, task: TaskId) -> rusqlite::Result<Unwritten> {
    let mut select =
        connection.prepare_cached("SELECT word, state FROM spoken WHERE task = ?1 ORDER BY is_open DESC, id DESC")?;
    let mut rows = select.query([number(task.number())])?;
    let mut unwritten = Unwritten::default();
    while let Some(row) = rows.next()? {
        let read = state(row, 1).and_then(|state| Ok((word(row, 0)?, state.is_open(), state.why_not())));
        match read {
            Ok((word, is_open, Some(why))) => unwritten.words.push(UnwrittenWord { word, why, is_open }),
            Ok((_, _, None)) => {}
            Err(RowError::Damaged(why)) => {
                tracing::error!("{task}: a word that was said on IRC cannot be read any more: {why}");
                unwritten.is_incomplete = true;
            }
            Err(RowError::Sqlite(error)) => return Err(error),
        }
    }
    Ok(unwritten)
}

fn word(row: &Row<'_>, at: usize) -> Result<SpokenWord, RowError> {
    serde_json::from_str(&row.get::<_, String>(at)?).map_err(damaged)
}

fn state(row: &Row<'_>, at: usize) -> Result<SpokenState, RowError> {
    serde_json::from_str(&row.get::<_, String>(at)?).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use crate::ids::TransactionId;
    use crate::serve::store::{SqliteStore, Store};
    use crate::serve::witnessing::tests::word;
    use crate::serve::witnessing::{SpokenState, SpokenWord, UnwrittenWord};
    use crate::witness::WitnessedWord::{Approve, Reject};

    #[test]
    fn what_was_spoken_is_there_after_a_restart_until_it_is_on_the_task() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut store = SqliteStore::open(&state).unwrap();
        let (yes, no) = (word("sre1", Approve), word("SRE1", Reject));
        store.add_spoken(&yes, &SpokenState::Waiting).unwrap();
        store.add_spoken(&no, &SpokenState::Waiting).unwrap();
        store.add_spoken(&no, &SpokenState::Waiting).unwrap();
        drop(store);
        let mut store = SqliteStore::open(&state).unwrap();
        let open = store.open_spoken().unwrap();
        assert_eq!(open.iter().map(|open| open.word.clone()).collect::<Vec<_>>(), [yes.clone(), no.clone()]);
        assert!(store.is_superseded(open[0].id, &yes).unwrap(), "a no came after the yes");
        assert!(!store.is_superseded(open[1].id, &no).unwrap());
        assert!(!store.is_superseded(open[1].id, &word("sre2", Approve)).unwrap());
        let refused = SpokenState::NotCounted { why: "too late".into() };
        store.set_spoken(open[0].id, &refused).unwrap();
        store.set_spoken(open[1].id, &SpokenState::Recorded { transaction: TransactionId(7) }).unwrap();
        assert!(store.open_spoken().unwrap().is_empty());
        let ids = |store: &SqliteStore| store.unanswered().unwrap().iter().map(|word| word.id).collect::<Vec<_>>();
        assert_eq!(ids(&store), [open[1].id], "of what is not on the task nothing is answered later");
        assert!(store.take_answer(open[1].id).unwrap() && !store.take_answer(open[1].id).unwrap());
        assert!(ids(&store).is_empty());
        store.give_answer_back(open[1].id).unwrap();
        assert_eq!(ids(&store), [open[1].id]);
        let late = UnwrittenWord { word: yes.clone(), why: "too late".into(), is_open: false };
        assert_eq!(store.unwritten(yes.task).unwrap().words, [late]);
    }

    #[test]
    fn what_is_not_on_the_task_yet_is_shown_and_a_damaged_row_hides_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut store = SqliteStore::open(&state).unwrap();
        let no = SpokenWord { why: Some("the graphs look wrong".into()), ..word("sre1", Reject) };
        store.add_spoken(&no, &SpokenState::Waiting).unwrap();
        store.add_spoken(&word("sre2", Reject), &SpokenState::Waiting).unwrap();
        let unwritten = store.unwritten(no.task).unwrap();
        let waits = UnwrittenWord { word: no.clone(), why: "it is not on the task yet".into(), is_open: true };
        assert_eq!(unwritten.words[1], waits);
        assert!(!unwritten.is_incomplete);
        let other = rusqlite::Connection::open(state.join("watch.sqlite3")).unwrap();
        assert_eq!(other.execute("UPDATE spoken SET state = '\"of-later\"' WHERE user = 'sre2'", []).unwrap(), 1);
        let unwritten = store.unwritten(no.task).unwrap();
        assert_eq!((unwritten.words.len(), unwritten.is_incomplete), (1, true));
        // Once it is on the task, or the task is restricted, the reason is kept no more.
        let id = store.open_spoken().unwrap()[0].id;
        store.forget_reason(id).unwrap();
        assert_eq!(store.open_spoken().unwrap()[0].word, SpokenWord { why: None, ..no.clone() });
        store.set_spoken(id, &SpokenState::Recorded { transaction: TransactionId(7) }).unwrap();
        assert!(store.unwritten(no.task).unwrap().words.is_empty());
    }

    #[test]
    fn a_flood_fills_no_disk_and_forgets_nothing_that_is_to_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&directory.path().join("state")).unwrap();
        store.add_spoken(&word("sre1", Reject), &SpokenState::Waiting).unwrap();
        let refused = SpokenState::NotCounted { why: "it could not count".into() };
        store.add_spoken(&word("sre2", Reject), &refused).unwrap();
        let mut nobody = word("outsider", Reject);
        nobody.speaker = None;
        for _ in 0..300 {
            store.add_spoken(&nobody, &SpokenState::NotCounted { why: "nobody".into() }).unwrap();
        }
        let unwritten = store.unwritten(nobody.task).unwrap().words;
        assert_eq!((unwritten.len(), unwritten[0].is_open), (201, true), "what may still be written comes first");
        assert!(unwritten.iter().any(|unwritten| unwritten.word.nick == "sre2"), "nor what somebody known said");
        assert_eq!(store.open_spoken().unwrap().len(), 1);
    }
}
