//! JSON that means nothing to Remarkup or a terminal, for blocks that programs read back.
//!
//! Responsible for its bytes, and for how many a character takes there. Not responsible for what is written in it, nor for the fence
//! around it.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter};

/// A value as such JSON, with one field of the outermost object a line.
///
/// # Errors
/// Where the value has a map with keys that are no texts.
pub fn inert_json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, InertFormatter { depth: 0 }))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How many bytes such JSON takes for a character of a string, after the one before it.
pub fn inert_json_length(character: char, before: Option<char>) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        _ if is_plain(character, before) => 1,
        _ => 6 * character.len_utf16(),
    }
}

/// JSON with one field of the outermost object a line, and strings that mean nothing to Remarkup or a terminal.
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
