//! Pages of a search, read to the end: within bounds, in smaller pages where one is more than a reply may hold, and
//! guarded against a cursor that runs in a circle.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::error::{ConduitError, Failure, misshapen};
use super::transport::{Client, Reply};

/// The most bytes of one listing that is held in memory whole.
const LISTING: usize = 64 << 20;
/// The most pages of one listing where nothing else is said: a server that always has another one never comes to an end.
const PAGES: usize = 100_000;
/// By how much fewer rows are asked for where a page is larger than one reply may be.
const SHRINK: usize = 8;

/// One page, as every `*.search` returns it.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    cursor: Cursor,
}

/// The same, of which nobody has looked at the rows.
#[derive(Debug, Deserialize)]
struct Sealed {
    #[serde(rename = "data")]
    _rows: IgnoredAny,
    cursor: Cursor,
}

/// A page as it came: the next one can be asked for before anything is made of its rows.
#[derive(Debug)]
pub struct SealedRows {
    method: &'static str,
    reply: Vec<u8>,
    date: Option<Timestamp>,
}

/// The rows of a reply.
#[derive(Deserialize)]
struct Whole<T> {
    result: Rows<T>,
}

#[derive(Deserialize)]
struct Rows<T> {
    data: Vec<T>,
}

impl SealedRows {
    /// Reads the rows.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<Reply<Vec<T>>, ConduitError> {
        let unexpected = |words: String| Client::unexpected(self.method, words);
        let text = std::str::from_utf8(&self.reply).map_err(|error| unexpected(error.to_string()))?;
        let Whole { result } = serde_json::from_str(text).map_err(|error| unexpected(misshapen(&error)))?;
        Ok(Reply { result: result.data, date: self.date })
    }
}

#[derive(Debug, Deserialize)]
struct Cursor {
    // Must be there, if only as null: without it nobody knows whether there is more.
    #[serde(deserialize_with = "text_or_number")]
    after: Option<String>,
}

pub(super) fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(serde::de::Error::custom(format!("a cursor is a string, not {other}"))),
    }
}

/// How far the pages of a search have been read.
#[derive(Debug, Clone)]
pub struct Pages {
    after: Option<String>,
    seen: BTreeSet<String>,
    ended: bool,
    /// How many rows a page is asked for, at first and now.
    largest: usize,
    size: usize,
    /// How many bytes all pages together may have, and what has to be judged by them.
    bound: Option<(usize, &'static str)>,
    bytes: usize,
    /// The most pages.
    most: usize,
}

impl Pages {
    /// Pages of this many rows, for whoever keeps none of them in memory: there may be any number of bytes.
    pub fn of(rows: usize) -> Self {
        let size = rows.max(1);
        Self {
            after: None,
            seen: BTreeSet::new(),
            ended: false,
            largest: size,
            size,
            bound: None,
            bytes: 0,
            most: PAGES,
        }
    }

    /// The same, of so many pages at most.
    pub fn at_most(self, pages: usize) -> Self {
        Self { most: pages, ..self }
    }

    /// The same for whoever keeps them all: they may not be larger than this together. `what` they are, for people.
    pub(super) fn bounded(self, bytes: usize, what: &'static str) -> Self {
        Self { bound: Some((bytes, what)), ..self }
    }

    /// Whether the last page has been read.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn advance(&mut self, method: &str, cursor: Cursor, bytes: usize) -> Result<(), ConduitError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some((limit, what)) = self.bound.filter(|(limit, _)| self.bytes > *limit) {
            return Err(ConduitError::new(method, Failure::TooMuch { what, limit }));
        }
        self.ended = cursor.after.is_none();
        if let Some(after) = &cursor.after
            && !self.seen.insert(after.clone())
        {
            return Err(Client::unexpected(method, "the same page came twice"));
        }
        if self.seen.len() > self.most {
            return Err(Client::unexpected(method, "the pages come to no end"));
        }
        self.after = cursor.after;
        // A page that was too large may have been the only one.
        self.size = self.size.saturating_mul(2).min(self.largest);
        Ok(())
    }

    /// Asks for fewer rows from now on; `false` where one row alone was too large.
    fn shrink(&mut self) -> bool {
        let smaller = self.size > 1;
        self.size = (self.size / SHRINK).max(1);
        smaller
    }
}

impl Client {
    /// Reads the next page of a search, for whoever cannot hold all pages at once. Where it is larger than one reply may
    /// be, fewer rows are asked for.
    pub(super) async fn read_page<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
        pages: &mut Pages,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        let (reply, whole) = self.ask_page::<Page<T>>(method, params, pages).await?;
        let Page { data, cursor } = reply.result;
        pages.advance(method, cursor, whole.len())?;
        Ok(Reply { result: data, date: reply.date })
    }

    /// The same, and the rows are left for later.
    pub(super) async fn read_sealed(
        &self,
        method: &'static str,
        params: &Map<String, Value>,
        pages: &mut Pages,
    ) -> Result<SealedRows, ConduitError> {
        let (Reply { result, date }, reply) = self.ask_page::<Sealed>(method, params, pages).await?;
        pages.advance(method, result.cursor, reply.len())?;
        Ok(SealedRows { method, reply, date })
    }

    /// Asks for the next page, and hands it over also as it came.
    async fn ask_page<P: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
        pages: &mut Pages,
    ) -> Result<(Reply<P>, Vec<u8>), ConduitError> {
        let mut params = params.clone();
        if let Some(after) = &pages.after {
            params.insert("after".into(), Value::from(after.as_str()));
        }
        loop {
            params.insert("limit".into(), Value::from(pages.size));
            match self.read_whole::<P>(method, &params).await {
                Err(ConduitError { kind: Failure::TooLarge { .. }, .. }) if pages.shrink() => {}
                reply => return reply,
            }
        }
    }

    /// Reads all pages of a search, 100 rows each.
    pub(super) async fn read_pages<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        self.read_all(method, params, Pages::of(100).bounded(LISTING, "the listing")).await
    }

    /// Reads all of these pages.
    pub(super) async fn read_all<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Map<String, Value>,
        mut pages: Pages,
    ) -> Result<Reply<Vec<T>>, ConduitError> {
        let mut rows = Vec::new();
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

    fn cursor(after: Option<&str>) -> Cursor {
        Cursor { after: after.map(str::to_owned) }
    }

    #[test]
    fn a_cursor_that_runs_in_a_circle_is_an_error_and_no_end() {
        let mut pages = Pages::of(100);
        assert!(pages.advance("m", cursor(Some("1")), 1).is_ok() && pages.advance("m", cursor(Some("2")), 1).is_ok());
        assert!(!pages.ended());
        let error = pages.advance("m", cursor(Some("1")), 1).unwrap_err();
        assert!(error.to_string().contains("the same page came twice"), "{error}");
        assert!(pages.advance("m", cursor(None), 1).is_ok() && pages.ended());
    }

    #[test]
    fn pages_without_an_end_end() {
        let mut pages = Pages::of(100);
        let last = (0..=PAGES).find_map(|page| pages.advance("m", cursor(Some(&page.to_string())), 1).err());
        assert!(last.unwrap().to_string().contains("come to no end"));
        let mut pages = Pages::of(100).at_most(2);
        let ended = [1, 2, 3].map(|page| pages.advance("m", cursor(Some(&page.to_string())), 1).is_err());
        assert_eq!(ended, [false, false, true]);
    }

    #[test]
    fn pages_that_are_kept_are_bounded_together() {
        let mut pages = Pages::of(100).bounded(2 << 20, "the history of the task");
        assert!(pages.advance("m", cursor(Some("1")), 2 << 20).is_ok());
        let error = pages.advance("m", cursor(Some("2")), 1).unwrap_err();
        assert_eq!(error.to_string(), "the history of the task is larger than 2 MiB: too much to judge (m)");
    }

    #[test]
    fn pages_shrink_to_one_row_and_grow_again() {
        let mut pages = Pages::of(1_000);
        let mut sizes = vec![pages.size];
        while pages.shrink() {
            sizes.push(pages.size);
        }
        assert_eq!(sizes, [1_000, 125, 15, 1]);
        for page in 0..20 {
            pages.advance("m", cursor(Some(&page.to_string())), 1).unwrap();
        }
        assert_eq!(pages.size, 1_000);
    }
}
