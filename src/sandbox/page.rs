//! One page of a list: limits, orders and cursors, as the searches of the server have them.
//!
//! Responsible for which items of a sorted list make the page, and the cursor that leads on. Not responsible for the
//! lists.

use std::ops::Range;

use serde::Serialize;
use serde_json::{Value, json};

use super::request::{Call, CallRefusal, Outcome, reply};

/// The page size that a search of an application takes: up to 100, more is an error.
pub(crate) fn application_limit(call: &Call) -> Result<(usize, Value), CallRefusal> {
    let Some(asked) = call.get("limit") else { return Ok((100, json!(100))) };
    let shown = match asked {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number = shown.parse::<f64>().unwrap_or(if shown.is_empty() { 0.0 } else { f64::INFINITY });
    let refuse = |bound: &str, limit: u32| {
        let info =
            format!("{bound} page size for Conduit API method calls is {limit}, but this call specified {shown}.");
        Err(CallRefusal::new("ERR-INVALID-PAGE-SIZE", info))
    };
    if number > 100.0 {
        return refuse("Maximum", 100);
    }
    if number < 1.0 {
        return refuse("Minimum", 1);
    }
    Ok((whole(number, 100), asked.clone()))
}

/// The page size that `transaction.search` takes: forced to between 1 and 1000 without a word.
pub(crate) fn transaction_limit(call: &Call) -> (usize, Value) {
    let Some(asked) = call.get("limit") else { return (100, json!(100)) };
    let number = match asked {
        Value::String(text) => text.parse::<f64>().unwrap_or(f64::INFINITY),
        other => other.as_f64().unwrap_or(f64::INFINITY),
    };
    if number >= 1000.0 {
        (1000, json!(1000))
    } else if number < 1.0 {
        (1, json!(1))
    } else {
        (whole(number, 1000), asked.clone())
    }
}

/// The whole part of a number between 1 and `most`.
fn whole(number: f64, most: usize) -> usize {
    (1..=most).rev().find(|count| number >= *count as f64).unwrap_or(1)
}

/// What the cursors of a search point at.
pub(crate) struct Cursors<'a> {
    call: &'a Call,
    query: &'static str,
    nonsense: &'static str,
}

/// A page and its cursor.
pub(crate) struct ResultPage<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// Where the next page begins.
    pub(crate) after: Option<String>,
    /// Where the page before it ends.
    pub(crate) before: Option<String>,
}

impl<'a> Cursors<'a> {
    /// The cursors of one search: the name of its query and what it says of a cursor that is no number.
    pub(crate) fn new(call: &'a Call, query: &'static str, nonsense: &'static str) -> Self {
        Self { call, query, nonsense }
    }

    fn read(&self, name: &str) -> Result<Option<u64>, CallRefusal> {
        let number = match self.call.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64(),
        };
        number.map(Some).ok_or_else(|| CallRefusal::core(self.nonsense))
    }

    /// Cuts the page out of `all`, everything in order, of which only what `matches` counts.
    pub(crate) fn page<T: Copy>(
        &self,
        all: &[T],
        limit: usize,
        id: impl Fn(T) -> u64,
        matches: impl Fn(T) -> bool,
    ) -> Result<ResultPage<T>, CallRefusal> {
        let place = |cursor| all.iter().position(|item| id(*item) == cursor).map(|at| at..at + 1);
        self.page_of_some(all, limit, &id, place, matches)
    }

    /// Cuts the page out of a part of everything, in order. A cursor can point at what is not in the part: `place` says
    /// where it stands there, or would stand, and `None` where it points at nothing.
    pub(crate) fn page_of_some<T: Copy>(
        &self,
        some: &[T],
        limit: usize,
        id: impl Fn(T) -> u64,
        place: impl Fn(u64) -> Option<Range<usize>>,
        matches: impl Fn(T) -> bool,
    ) -> Result<ResultPage<T>, CallRefusal> {
        let place = |cursor: u64| {
            place(cursor).ok_or_else(|| {
                let query = self.query;
                CallRefusal::core(format!("Cursor \"{cursor}\" does not identify a valid object in query \"{query}\"."))
            })
        };
        let (after, before) = (self.read("after")?, self.read("before")?);
        let ends = |items: &[T], newer: bool, older: bool| {
            let first = items.first().filter(|_| newer).map(|item| id(*item).to_string());
            (items.last().filter(|_| older).map(|item| id(*item).to_string()), first)
        };
        if let (None, Some(before)) = (after, before) {
            let mut items: Vec<T> = some[..place(before)?.start]
                .iter()
                .rev()
                .copied()
                .filter(|item| matches(*item))
                .take(limit + 1)
                .collect();
            let more = items.len() > limit;
            items.truncate(limit);
            items.reverse();
            let (after, before) = ends(&items, more, true);
            return Ok(ResultPage { items, after, before });
        }
        let start = match after {
            Some(after) => place(after)?.end,
            None => 0,
        };
        let mut items: Vec<T> = some[start..].iter().copied().filter(|item| matches(*item)).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let (after, before) = ends(&items, after.is_some(), more);
        Ok(ResultPage { items, after, before })
    }
}

/// The reply of a search of an application.
pub(crate) fn search_reply<T: Serialize>(call: &Call, page: ResultPage<T>, limit: Value, maps: Value) -> Outcome {
    #[derive(Serialize)]
    struct SearchReply<T> {
        data: Vec<T>,
        maps: Value,
        query: Value,
        cursor: Value,
    }
    reply(&SearchReply {
        data: page.items,
        maps,
        query: json!({"queryKey": call.get("queryKey")}),
        cursor: json!({"limit": limit, "after": page.after, "before": page.before, "order": call.get("order")}),
    })
}

impl<T> ResultPage<T> {
    /// The page with each item rendered.
    pub(crate) fn map<U>(self, render: impl Fn(T) -> U) -> ResultPage<U> {
        ResultPage { items: self.items.into_iter().map(render).collect(), after: self.after, before: self.before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(params: Value) -> Call {
        let Value::Object(params) = params else { panic!("no map") };
        Call { method: "m".into(), params, token: None, typed: true, like: Default::default() }
    }

    fn cut(params: Value) -> (Vec<u64>, Option<String>, Option<String>) {
        let call = call(params);
        let all: Vec<u64> = (1..=9).rev().collect();
        let limit = application_limit(&call).unwrap().0;
        let page = Cursors::new(&call, "Q", "nonsense").page(&all, limit, |id| id, |id| id != 4).unwrap();
        (page.items, page.after, page.before)
    }

    #[test]
    fn pages_lead_on_and_back_as_measured() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(cut(json!({"limit": 2})), (vec![9, 8], text("8"), None));
        assert_eq!(cut(json!({"limit": 2, "after": "5"})), (vec![3, 2], text("2"), text("3")));
        assert_eq!(cut(json!({"limit": 2, "after": "3"})), (vec![2, 1], None, text("2")));
        assert_eq!(cut(json!({"limit": 2, "before": "5"})), (vec![7, 6], text("6"), text("7")));
        assert_eq!(cut(json!({"limit": 9, "before": "7"})), (vec![9, 8], text("8"), None));
    }

    #[test]
    fn limits_are_refused_or_forced() {
        let code = |limit: Value| application_limit(&call(json!({ "limit": limit }))).unwrap_err().info;
        assert!(code(json!(101)).ends_with("is 100, but this call specified 101."));
        assert!(code(json!("abc")).starts_with("Maximum"));
        assert!(code(json!("")).starts_with("Minimum"));
        assert_eq!(application_limit(&call(json!({"limit": "2"}))).unwrap(), (2, json!("2")));
        assert_eq!(transaction_limit(&call(json!({"limit": 5000}))), (1000, json!(1000)));
        assert_eq!(transaction_limit(&call(json!({"limit": 0}))), (1, json!(1)));
        assert_eq!(transaction_limit(&call(json!({"limit": "5"}))), (5, json!("5")));
    }

    #[test]
    fn a_cursor_of_nothing_is_an_error() {
        let call = call(json!({"after": "77"}));
        let refusal = Cursors::new(&call, "Q", "nonsense").page(&[1_u64], 1, |id| id, |_| true).err().unwrap();
        assert_eq!(refusal.info, "Cursor \"77\" does not identify a valid object in query \"Q\".");
    }
}
