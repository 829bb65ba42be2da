//! What happened on any task since something that was seen before: `transaction.search` over all tasks.
//!
//! Responsible for reading it part by part, and for which tasks it names. What happened is not looked at: an event only says which task
//! to read. Not responsible for how far has been read ([`crate::serve`]), nor for what servers that have no such search are asked.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::epoch;
use super::error::ConduitError;
use super::params;
use super::transport::Client;
use crate::ids::{Phid, Task, TransactionId};

const METHOD: &str = "transaction.search";

/// How many rows a page is asked for.
const ROWS: usize = 1_000;

/// A transaction, as far as a watch looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its number.
    pub id: TransactionId,
    /// The task that it happened to.
    pub task: Phid<Task>,
    /// When it was made, by the server's clock.
    pub created: Timestamp,
}

/// A part of what is newer than a transaction.
#[derive(Debug, Clone)]
pub struct FeedPart {
    /// The transactions, oldest first.
    pub entries: Vec<FeedEntry>,
    /// After which one there is more; `None` where there is no more.
    pub next: Option<TransactionId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: TransactionId,
    #[serde(rename = "objectPHID")]
    object: Phid<Task>,
    #[serde(rename = "dateCreated", with = "epoch")]
    created: Timestamp,
}

#[derive(Deserialize)]
struct FeedPage {
    data: Vec<Row>,
    cursor: Cursor,
}

#[derive(Deserialize)]
struct Cursor {
    // Must be there, if only as null: without it nobody knows whether there is more.
    #[serde(deserialize_with = "super::paging::text_or_number")]
    before: Option<String>,
}

impl Client {
    /// What this account can see of what is newer than a transaction, oldest first, one page of it. The transaction has to be one that the
    /// account can still see, which servers demand.
    ///
    /// # Errors
    /// Where the server gave no usable answer; servers before March 2021 have no such search, and where very many of the
    /// transactions are hidden from this account it is refused.
    pub async fn feed_since(&self, from: TransactionId) -> Result<FeedPart, ConduitError> {
        let asked = params(json!({"objectType": "TASK", "before": from.0.to_string(), "limit": ROWS}));
        let page: FeedPage = self.read(METHOD, &asked).await?.result;
        let mut entries = descending(page.data)?;
        entries.reverse();
        if entries.first().is_some_and(|oldest| oldest.id <= from) {
            return Err(Self::unexpected(METHOD, format!("asked for what is newer than {from} and got older")));
        }
        let newest = entries.last().map(|entry| entry.id);
        Ok(FeedPart { entries, next: newest.filter(|_| page.cursor.before.is_some()) })
    }

    /// The newest of what this account can see, oldest first, at most one page of it.
    ///
    /// # Errors
    /// As [`Client::feed_since`].
    pub async fn feed_newest(&self) -> Result<Vec<FeedEntry>, ConduitError> {
        let asked = params(json!({"objectType": "TASK", "limit": ROWS}));
        let page: super::paging::Page<Row> = self.read(METHOD, &asked).await?.result;
        let mut rows = descending(page.data)?;
        rows.reverse();
        Ok(rows)
    }
}

/// The rows as entries; they come newest first, each once.
fn descending(rows: Vec<Row>) -> Result<Vec<FeedEntry>, ConduitError> {
    match rows.iter().all(|row| row.id.0 > 0) && rows.windows(2).all(|pair| pair[0].id > pair[1].id) {
        true => Ok(rows.into_iter().map(|Row { id, object: task, created }| FeedEntry { id, task, created }).collect()),
        false => Err(Client::unexpected(METHOD, "the transactions do not come newest first, each once")),
    }
}
