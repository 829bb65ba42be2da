//! The record parser: a record is read only where the splitter says code, what is written reads back, and nothing of it is
//! live.

use phabgate::record::Record;
use phabgate::record::comment::render;
use phabgate::record::parse::{Parsed, claims, parse};
use phabgate::remarkup::{Line, LineKind, fences, lines};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    comment(text);
    // Most inputs are no fence by themselves: what stands in one is read too.
    comment(&format!("```\n{text}\n```\n"));
    comment(&format!("```lang=json, name=phabgate/record/1\n{text}\n```\n"));
}

fn comment(text: &str) {
    let found = parse(text);
    assert_eq!(claims(text), found != Parsed::Absent, "one answer to whether a comment claims to be a record");
    let quoted = super::each_line("> ", text);
    assert_eq!(parse(&quoted), Parsed::Absent, "what is quoted is somebody showing a record");
    assert_eq!(parse(&super::each_line("  ", text)), Parsed::Absent, "so is what is indented");
    if found == Parsed::Absent {
        return;
    }
    let claim =
        |line: &Line<'_>| matches!(line.kind, LineKind::Fence | LineKind::Unclosed) && line.text.starts_with("```");
    assert!(lines(text).iter().any(claim), "no fence: {text}");
    let Parsed::Record(record) = found else { return };
    let flush = fences(text).into_iter().filter(|fence| fence.flush);
    let bodies: Vec<Record> = flush.filter_map(|fence| serde_json::from_str(&fence.body?.text()).ok()).collect();
    assert!(bodies.contains(&record), "a record outside of all fences: {text}");
    // A record with more approvals than fit is written by nobody.
    let Ok(comment) = render(&record) else { return };
    let bounded = record.bounded();
    assert_eq!(parse(&comment), Parsed::Record(Box::new(bounded.clone())), "it does not read back:\n{comment}");
    assert_eq!(render(&bounded).as_deref(), Ok(&*comment), "bounding it twice changes it");
    let Some((people, block)) = comment.split_once("\n\n```") else { panic!("no block: {comment}") };
    assert!(people.lines().count() <= 10, "{people}");
    assert!(!people.lines().any(super::is_live), "{people:?}");
    assert!(block.is_ascii() && !block.lines().any(super::is_live), "{block:?}");
    let outside_of_code: String = people.split('`').step_by(2).collect();
    assert!(!outside_of_code.contains(['@', '#', '{', '[', '|', '<', '>']), "live in Remarkup: {people}");
}
