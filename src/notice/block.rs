//! The comment of a notice, and reading it back.
//!
//! Responsible for the block for programs below the words for people. Not responsible for the words ([`super::words`]).

use super::{Notice, SCHEMA, Words};
use crate::remarkup::{inert_json, json_block};

/// The comment of a notice.
///
/// ```
/// use phabgate::ids::{TaskId, TransactionId};
/// use phabgate::notice::{Notice, NoticeKind, SCHEMA, StoreId, Words, parse, render};
/// let notice = Notice {
///     schema: SCHEMA.to_owned(),
///     kind: NoticeKind::Ready,
///     task: "T1".parse()?,
///     episode: TransactionId(7),
///     which: "1".into(),
///     about: vec![],
///     at: "2026-11-27T03:00:00Z".parse()?,
///     store: StoreId::fresh(),
/// };
/// let comment = render(&notice, &Words::Ready { by: vec![("sre".into(), "sre1".into())] });
/// assert_eq!(parse(&comment), Some(notice));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn render(notice: &Notice, words: &Words) -> String {
    #[expect(clippy::expect_used, reason = "a notice has text for keys")]
    let block = inert_json(notice).expect("every notice can be written as JSON");
    format!("{}\n\n```lang=json, lines=2\n{block}\n```\n", words.text(notice))
}

/// The notice that a comment holds; `None` where it holds none, or more than one.
pub fn parse(comment: &str) -> Option<Notice> {
    json_block(comment, SCHEMA).one()
}
