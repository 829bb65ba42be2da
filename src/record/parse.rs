//! Reads a record back from a comment.
//!
//! Responsible for [`parse`], which finds the machine-readable block as the server's Remarkup would find it, and
//! distinguishes what a comment can be. Not responsible for whether its author may write records, and whether what it
//! says is true.

use serde::Deserialize;

use super::comment::MARKER;
use super::{Record, SCHEMA};
use crate::remarkup::{Body, fences};

/// What a comment is to a reader of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It makes no claim to be a record.
    Absent,
    /// It is this record.
    Record(Box<Record>),
    /// It claims to be a record and cannot be read as one.
    Unreadable {
        /// What is wrong with it, for people. It can quote the comment: make it inert before showing it.
        why: String,
    },
    /// It is a record of a schema that this version does not know.
    Newer {
        /// The schema that it names: the known name and a higher number.
        schema: String,
    },
}

/// Looks for a record in the text of a comment.
///
/// The block is a fence at the start of a line whose first line of JSON begins with the schema; that of older records has
/// it as its name. Quoted, indented, or inside another fence
/// or literal text it is somebody showing a record, not one. Text around it and fields that are not known are passed
/// over. A comment with two blocks is no record at all: readers must not differ about which of them counts.
pub fn parse(comment: &str) -> Parsed {
    // Nearly every comment is none, and needs no reading.
    if !comment.contains(family()) {
        return Parsed::Absent;
    }
    let unreadable = |why: String| Parsed::Unreadable { why };
    let mut blocks = blocks(comment).into_iter();
    let Some(block) = blocks.next() else { return Parsed::Absent };
    if blocks.next().is_some() {
        return unreadable("the comment has more than one block that claims to be a record".to_owned());
    }
    match version(block.schema) {
        Some(Version::Newer) => return Parsed::Newer { schema: block.schema.to_owned() },
        Some(Version::Known) => {}
        None => return unreadable(format!("the block names the schema {:?}, which there never was", block.schema)),
    }
    let Some(body) = block.body.map(|body| body.text()) else {
        return unreadable("the block has no end".to_owned());
    };
    match serde_json::from_str::<Record>(&body) {
        Ok(record) if record.schema == SCHEMA => Parsed::Record(Box::new(record)),
        Ok(record) => {
            unreadable(format!("the block names the schema {SCHEMA:?} outside and {:?} inside", record.schema))
        }
        Err(error) => {
            // A block that is newer inside can fail for that alone; it is still at odds with its first line.
            let inside = serde_json::from_str::<Schema>(&body).ok().map(|schema| schema.schema);
            match inside.filter(|inside| inside != SCHEMA) {
                Some(inside) => {
                    unreadable(format!("the block names the schema {SCHEMA:?} outside and {inside:?} inside"))
                }
                None => unreadable(format!("the block is not a record: {error}")),
            }
        }
    }
}

/// Whether a comment is a record or claims to be one: [`parse`] finds anything but [`Parsed::Absent`].
pub fn claims(comment: &str) -> bool {
    comment.contains(family()) && !blocks(comment).is_empty()
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

enum Version {
    Known,
    Newer,
}

/// [`SCHEMA`] without its number.
fn family() -> &'static str {
    SCHEMA.rsplit_once('/').map_or(SCHEMA, |(family, _)| family)
}

/// What the number at the end of a schema says; `None` where it is not one of ours.
fn version(schema: &str) -> Option<Version> {
    let (family, known) = SCHEMA.rsplit_once('/')?;
    let number = schema.strip_prefix(family)?.strip_prefix('/')?;
    if number == known {
        return Some(Version::Known);
    }
    let digits = !number.is_empty() && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(Version::Newer)
}

/// A fence whose first line names a schema of the family.
struct Block<'a> {
    schema: &'a str,
    /// What is between the fences; `None` where the second one is missing.
    body: Option<Body<'a>>,
}

/// The fences of a text that claim to be records, as the one reader of blocks finds them: what is quoted, literal, in a
/// note or given to an interpreter is no fence.
fn blocks(comment: &str) -> Vec<Block<'_>> {
    let flush = fences(comment).into_iter().filter(|fence| fence.flush);
    flush
        .filter_map(|fence| {
            let schema = claimed_schema(fence.info).or_else(|| opening_schema(fence.first))?;
            Some(Block { schema, body: fence.body })
        })
        .collect()
}

/// The schema that the options of a fence name, where it is of the family of [`SCHEMA`].
fn claimed_schema(options: &str) -> Option<&str> {
    let options = options.trim_end().trim_end_matches('`');
    let mut names = options.split(',').filter_map(|option| option.trim().strip_prefix(MARKER)).map(str::trim);
    names.find(|name| is_of_family(name))
}

/// The schema that a line of JSON begins with, where it is of the family of [`SCHEMA`].
fn opening_schema(line: &str) -> Option<&str> {
    let value = line.strip_prefix('{')?.trim_start().strip_prefix("\"schema\"")?.trim_start().strip_prefix(':')?;
    let (schema, _) = value.trim_start().strip_prefix('"')?.split_once('"')?;
    is_of_family(schema).then_some(schema)
}

fn is_of_family(schema: &str) -> bool {
    schema.strip_prefix(family()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
pub(crate) mod tests;
