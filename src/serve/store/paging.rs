//! What paging keeps, in the rows of the store.
//!
//! Responsible for reading and writing it. Not responsible for the tables ([`super::schema`]).

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use super::sqlite::{id, number};
use crate::ids::{TaskId, TransactionId};
use crate::paging::{Ack, Page, PageKey, Stage};
use crate::serve::paging::{Kept, PageRow, PageState, Receiver, Slot, SlotPhase};

/// Why a row makes no sense; or what SQLite said.
pub(super) enum RowError {
    Sqlite(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) fn damaged(why: impl std::fmt::Display) -> RowError {
    RowError::Damaged(why.to_string())
}

fn task(number: i64) -> Result<TaskId, RowError> {
    u64::try_from(number).ok().and_then(TaskId::new).ok_or_else(|| damaged("a page about no task"))
}

fn time(text: &str) -> Result<Timestamp, RowError> {
    text.parse().map_err(|why: jiff::Error| damaged(why))
}

/// All of it.
pub(super) fn read(connection: &Connection) -> Result<Kept, RowError> {
    let mut kept = Kept::default();
    let mut slots =
        connection.prepare("SELECT task, episode, team, round, since, phase, asked FROM slot ORDER BY rowid")?;
    let mut rows = slots.query([])?;
    while let Some(row) = rows.next()? {
        let episode = id(row.get(1)?);
        kept.slots.entry((task(row.get(0)?)?, episode)).or_default().push(slot(row)?);
    }
    let columns = "task, episode, team, round, stage, receiver, due, drill, first, state";
    let mut pages = connection.prepare(&format!("SELECT {columns} FROM page"))?;
    let mut rows = pages.query([])?;
    while let Some(row) = rows.next()? {
        let page = page(row)?;
        kept.rows.insert(page.id(), page);
    }
    let mut acks = connection.prepare("SELECT task, team, user, at FROM ack ORDER BY at")?;
    let mut rows = acks.query([])?;
    while let Some(row) = rows.next()? {
        let ack = Ack { team: row.get(1)?, by: row.get(2)?, at: time(&row.get::<_, String>(3)?)? };
        kept.acks.entry(task(row.get(0)?)?).or_default().push(ack);
    }
    Ok(kept)
}

fn slot(row: &Row<'_>) -> Result<Slot, RowError> {
    let phase: SlotPhase = serde_json::from_str(&row.get::<_, String>(5)?).map_err(damaged)?;
    let (since, asked) = (time(&row.get::<_, String>(4)?)?, time(&row.get::<_, String>(6)?)?);
    Ok(Slot { team: row.get(2)?, round: row.get(3)?, asked, since, phase })
}

fn page(row: &Row<'_>) -> Result<PageRow, RowError> {
    let word: String = row.get(4)?;
    let stage = Stage::ALL.into_iter().find(|stage| stage.word() == word);
    let receiver = Receiver::named(&row.get::<_, String>(5)?);
    let key = PageKey {
        task: task(row.get(0)?)?,
        episode: id(row.get(1)?),
        team: row.get(2)?,
        round: row.get(3)?,
        stage: stage.ok_or_else(|| damaged("a page of an unknown stage"))?,
    };
    let state: PageState = serde_json::from_str(&row.get::<_, String>(9)?).map_err(damaged)?;
    Ok(PageRow {
        page: Page { key, due: time(&row.get::<_, String>(6)?)?, drill: row.get(7)? },
        receiver: receiver.ok_or_else(|| damaged("a page to an unknown receiver"))?,
        first: time(&row.get::<_, String>(8)?)?,
        state,
    })
}

/// Puts the teams of an episode in the place of those that were there.
pub(super) fn set_slots(
    transaction: &Transaction<'_>,
    task: TaskId,
    episode: TransactionId,
    slots: &[Slot],
) -> rusqlite::Result<()> {
    let (task, episode) = (number(task.number()), number(episode.0));
    transaction.execute("DELETE FROM slot WHERE task = ?1 AND episode = ?2", params![task, episode])?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO slot (task, episode, team, round, since, phase, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    slots.iter().try_for_each(|slot| {
        let (since, asked) = (slot.since.to_string(), slot.asked.to_string());
        let row = params![task, episode, slot.team, slot.round, since, json(&slot.phase)?, asked];
        insert.execute(row).map(drop)
    })
}

/// Sets how far pages are.
pub(super) fn set_pages(transaction: &Transaction<'_>, rows: &[PageRow]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO page (task, episode, team, round, stage, receiver, due, drill, first, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT DO UPDATE SET state = excluded.state",
    )?;
    rows.iter().try_for_each(|row| {
        let PageKey { task, episode, team, round, stage } = &row.page.key;
        let row = params![
            number(task.number()),
            number(episode.0),
            team,
            round,
            stage.word(),
            row.receiver.word(),
            row.page.due.to_string(),
            row.page.drill,
            row.first.to_string(),
            json(&row.state)?
        ];
        insert.execute(row).map(drop)
    })
}

/// Adds an acknowledgement.
pub(super) fn add_ack(transaction: &Transaction<'_>, task: TaskId, ack: &Ack) -> rusqlite::Result<()> {
    let row = params![number(task.number()), ack.team, ack.by, ack.at.to_string()];
    transaction.execute("INSERT INTO ack (task, team, user, at) VALUES (?1, ?2, ?3, ?4)", row).map(drop)
}

/// Forgets what ended before a time: pages that were resolved, with the teams and acknowledgements of tasks that have none left.
pub(super) fn forget(transaction: &Transaction<'_>, before: Timestamp) -> rusqlite::Result<()> {
    // A time is as long as its fraction: it is compared as what it is, in whole seconds.
    let before = before.as_second();
    let old = "unixepoch(first) < ?1 AND json_extract(state, '$.resolved') IS NOT NULL";
    transaction.execute(&format!("DELETE FROM page WHERE {old}"), [before])?;
    let has_none = "NOT EXISTS (SELECT 1 FROM page WHERE page.task = slot.task)";
    transaction.execute(&format!("DELETE FROM slot WHERE unixepoch(since) < ?1 AND {has_none}"), [before])?;
    transaction.execute("DELETE FROM ack WHERE unixepoch(at) < ?1", [before]).map(drop)
}

pub(super) fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))
}
