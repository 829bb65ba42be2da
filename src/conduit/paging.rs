//! Pages of a search, read to the end, guarded against a cursor that runs in a circle.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::ConduitError;
use super::transport::{Client, Reply};

/// One page, as every `*.search` returns it.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    cursor: Cursor,
}

#[derive(Debug, Deserialize)]
struct Cursor {
    // Must be there, if only as null: without it nobody knows whether there is more.
    #[serde(deserialize_with = "text_or_number")]
    after: Option<String>,
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(serde::de::Error::custom(format!("a cursor is a string, not {other}"))),
    }
}

impl<T> Page<T> {
    /// The rows, and where the next page begins; `None` on the last one.
    pub(super) fn into_parts(self) -> (Vec<T>, Option<String>) {
        (self.data, self.cursor.after)
    }
}

impl Client {
    /// Reads the page of a search that begins at `after`, for whoever cannot hold all pages at once.
    pub(super) async fn read_page<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
        after: Option<&str>,
    ) -> Result<(Vec<T>, Option<String>), ConduitError> {
        let mut params = params;
        if let Some(after) = after {
            params.insert("after".into(), Value::from(after));
        }
        let page: Reply<Page<T>> = self.read(method, &params).await?;
        let (rows, next) = page.result.into_parts();
        match next {
            Some(next) if after == Some(next.as_str()) => {
                Err(Self::unexpected(method, format!("the cursor {next} came twice")))
            }
            next => Ok((rows, next)),
        }
    }

    /// Reads all pages of a search.
    pub(super) async fn read_pages<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        let mut params = params;
        let mut rows = Vec::new();
        let mut seen = BTreeSet::new();
        let mut first: Option<Timestamp> = None;
        loop {
            let page: Reply<Page<T>> = self.read(method, &params).await?;
            first = first.or(page.date);
            let (some, after) = page.result.into_parts();
            rows.extend(some);
            let Some(after) = after else { return Ok(Reply { result: rows, date: first }) };
            if !seen.insert(after.clone()) {
                return Err(Self::unexpected(method, format!("the cursor {after} came twice")));
            }
            params.insert("after".into(), Value::String(after));
        }
    }
}
