//! Remarkup, the language of descriptions and comments on Phabricator and Phorge.
//!
//! Responsible for how a text is split into blocks and what each of its lines is shown as ([`lines`], [`fences`]), and for
//! writing text and JSON that mean nothing in Remarkup ([`code`], [`inert_json`]). All that the gate reads from a text, trailers, near misses and
//! records, is read through this one splitter, so that no two readers differ about what is quoted, code or literal text.
//! Not responsible for what the lines say.

mod blocks;
mod fences;
mod inert;
mod inert_json;
mod json_block;
mod lists;
mod marks;
mod spaces;

pub use blocks::{Line, LineKind, fences, lines, own_lines};
pub use fences::{Body, Fence};
pub use inert::{code, code_short};
pub use inert_json::{inert_json, inert_json_length};
pub use json_block::{JsonBlock, json_block};
pub use marks::{Addresses, Mark, as_shown};
