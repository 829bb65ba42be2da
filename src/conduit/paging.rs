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

/// How far the pages of a search have been read.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    after: Option<String>,
    seen: BTreeSet<String>,
    ended: bool,
}

impl Pages {
    /// Whether the last page has been read.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn advance(&mut self, method: &str, cursor: Cursor) -> Result<(), ConduitError> {
        self.ended = cursor.after.is_none();
        if let Some(after) = &cursor.after
            && !self.seen.insert(after.clone())
        {
            return Err(Client::unexpected(method, format!("the cursor {after} came twice")));
        }
        self.after = cursor.after;
        Ok(())
    }
}

impl Client {
    /// Reads the next page of a search, for whoever cannot hold all pages at once.
    pub(super) async fn read_page<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
        pages: &mut Pages,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        let reply: Reply<Page<T>> = match &pages.after {
            None => self.read(method, params).await?,
            Some(after) => {
                let mut params = params.clone();
                params.insert("after".into(), Value::from(after.as_str()));
                self.read(method, &params).await?
            }
        };
        let Page { data, cursor } = reply.result;
        pages.advance(method, cursor)?;
        Ok(Reply { result: data, date: reply.date })
    }

    /// Reads all pages of a search.
    pub(super) async fn read_pages<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        let (mut pages, mut rows) = (Pages::default(), Vec::new());
        let mut first: Option<Timestamp> = None;
        while !pages.ended() {
            let page = self.read_page(method, &params, &mut pages).await?;
            first = first.or(page.date);
            rows.extend(page.result);
        }
        Ok(Reply { result: rows, date: first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_runs_in_a_circle_is_an_error_and_no_end() {
        let mut pages = Pages::default();
        let cursor = |after: Option<&str>| Cursor { after: after.map(str::to_owned) };
        assert!(pages.advance("m", cursor(Some("1"))).is_ok() && pages.advance("m", cursor(Some("2"))).is_ok());
        assert!(!pages.ended());
        let error = pages.advance("m", cursor(Some("1"))).unwrap_err();
        assert!(error.to_string().contains("the cursor 1 came twice"), "{error}");
        assert!(pages.advance("m", cursor(None)).is_ok() && pages.ended());
    }
}
