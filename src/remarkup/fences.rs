//! Fences: code between two lines of three backticks.
//!
//! Responsible for what stands on the first line of a fence and in it. Not responsible for where a fence begins and ends among
//! other blocks ([`super::blocks`]).

use super::spaces::{space, without_end};

/// What a fence begins and ends with.
pub(super) const FENCE: &str = "```";

/// A fence: code between two lines of three backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence<'a> {
    /// What follows the first backticks on their line.
    pub info: &'a str,
    /// Whether the first backticks stand at column 0.
    pub flush: bool,
    /// The first line between; empty where there is none.
    pub first: &'a str,
    /// What stands between; `None` where nothing ends it.
    pub body: Option<Body<'a>>,
}

/// What stands in a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body<'a> {
    /// Whole lines, without their ends.
    lines: Vec<&'a str>,
    /// What stands before the backticks on their line.
    last: &'a str,
}

impl Body<'_> {
    /// It as one text. A carriage return at the end of a line is part of that end.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().flat_map(|line| [*line, "\n"]);
        lines.chain([self.last]).collect()
    }
}

/// The fence that some lines are, its first and last among them.
pub(super) fn fence_of<'a>(lines: &[&'a str]) -> Option<Fence<'a>> {
    let (first, rest) = lines.split_first()?;
    let line = without_end(first);
    let info = line.trim_start_matches(space).strip_prefix(FENCE)?;
    let flush = line.starts_with(FENCE);
    if is_closed_at_once(line) {
        return Some(Fence { info, flush, first: "", body: Some(Body { lines: Vec::new(), last: "" }) });
    }
    let first = rest.first().map_or("", |line| without_end(line));
    let last = |line: &&'a str| line.trim_end_matches(space).strip_suffix(FENCE);
    let end = rest.iter().enumerate().find_map(|(at, line)| Some((at, last(line)?)));
    let body = end.map(|(at, last)| Body { lines: rest[..at].iter().map(|line| without_end(line)).collect(), last });
    Some(Fence { info, flush, first, body })
}

/// A fence that ends on the line on which it begins.
pub(super) fn is_closed_at_once(line: &str) -> bool {
    let trimmed = line.trim_matches(space);
    trimmed.len() >= 2 * FENCE.len() && trimmed.ends_with(FENCE)
}
