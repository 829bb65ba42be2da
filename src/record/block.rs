//! The machine-readable block of a record: JSON that means nothing to Remarkup or a terminal.
//!
//! Responsible for the bytes of the block, and for how many a character takes there. Not responsible for what stands around it
//! ([`super::render`]), nor for keeping it within bounds ([`super::bounds`]).

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};

use super::Record;

/// The machine-readable block, without its fences.
pub(super) fn block(record: &Record) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, InertFormatter { depth: 0 });
    #[expect(
        clippy::expect_used,
        reason = "a record has text for keys and no map or float, and a Vec takes every write"
    )]
    record.serialize(&mut serializer).expect("every record can be written as JSON");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How many bytes the block takes for a character of a string, after the one before it.
pub(super) fn written(character: char, before: Option<char>) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        _ if is_plain(character, before) => 1,
        _ => 6 * character.len_utf16(),
    }
}

/// JSON with one field of the record a line, and strings that mean nothing to Remarkup or a terminal.
struct InertFormatter {
    depth: usize,
}

/// What may stand in a string as it is: nothing that begins or ends anything in Remarkup.
fn is_plain(character: char, before: Option<char>) -> bool {
    match character {
        ' ' | '-' | '.' | ',' | ':' | ';' | '+' | '=' | '?' | '\'' => true,
        // Twice in a row they are italics, underlining or the address of something.
        '/' | '_' => before != Some(character),
        _ => character.is_ascii_alphanumeric(),
    }
}

impl Formatter for InertFormatter {
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_object(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        match (first, self.depth) {
            (true, _) => Ok(()),
            (false, 1) => writer.write_all(b",\n"),
            (false, _) => writer.write_all(b", "),
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut before = None;
        for character in fragment.chars() {
            if is_plain(character, before) {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            before = Some(character);
        }
        Ok(())
    }
}
