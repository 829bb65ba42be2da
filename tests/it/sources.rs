//! The sources of the gate as text: which of it is code, which is comment, and which stands in quotes.
//!
//! Enough of Rust's lexical rules to tell these apart, and no more: nested comments, raw strings, and what separates a
//! lifetime from a character.

use std::path::{Path, PathBuf};

/// What a piece of a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Names and marks.
    Code,
    /// A comment, of whatever kind, with its marks.
    Comment,
    /// A string or a character, with its quotes.
    Quoted,
}

/// Every file of Rust below a directory, sorted.
pub(crate) fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The pieces of a source in order; together they are all of it.
pub(crate) fn parts(source: &str) -> Vec<(Part, &str)> {
    let mut found = Vec::new();
    let (mut code, mut at) = (0, 0);
    while let Some(next) = source[at..].chars().next() {
        let taken = next_part(source, at);
        if let Some((part, length)) = taken {
            if code < at {
                found.push((Part::Code, &source[code..at]));
            }
            found.push((part, &source[at..at + length]));
            at += length;
            code = at;
        } else if is_word(next) {
            // A word is passed over whole: the `r` at its end begins no string.
            at += source[at..].find(|c| !is_word(c)).unwrap_or(source.len() - at);
        } else {
            at += next.len_utf8();
        }
    }
    if code < at {
        found.push((Part::Code, &source[code..at]));
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The comment or the string that begins at a place, and its length in bytes.
fn next_part(source: &str, at: usize) -> Option<(Part, usize)> {
    let rest = &source[at..];
    if rest.starts_with("//") {
        return Some((Part::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    if rest.starts_with("/*") {
        return Some((Part::Comment, block_comment(rest)));
    }
    let unprefixed = ["br", "cr", "r", "b", "c"].iter().find_map(|prefix| {
        let after = rest.strip_prefix(prefix)?;
        let raw = prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"');
        let character = *prefix == "b" && after.starts_with('\'');
        (raw || character || after.starts_with('"')).then_some((raw, prefix.len()))
    });
    let (raw, prefix) = unprefixed.unwrap_or((false, 0));
    let quoted = &rest[prefix..];
    let length = match quoted.chars().next()? {
        _ if raw => raw_string(quoted),
        '"' => escaped(quoted, '"')?,
        '\'' => character(quoted)?,
        _ => return None,
    };
    Some((Part::Quoted, prefix + length))
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let after = &rest[at..];
        if after.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if after.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            match after.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return at,
            }
        }
    }
}

fn raw_string(quoted: &str) -> usize {
    let hashes = quoted.len() - quoted.trim_start_matches('#').len();
    let end = format!("\"{}", &quoted[..hashes]);
    let body = hashes + 1;
    quoted[body..].find(&end).map_or(quoted.len(), |at| body + at + end.len())
}

/// A string or a character up to its other quote.
fn escaped(quoted: &str, end: char) -> Option<usize> {
    let mut characters = quoted.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == end => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// A character; `None` where it is a lifetime or a label.
fn character(quoted: &str) -> Option<usize> {
    let mut characters = quoted.chars().skip(1);
    let first = characters.next()?;
    (first == '\\' || characters.next() == Some('\'')).then(|| escaped(quoted, '\''))?
}

#[test]
fn a_source_is_taken_apart() {
    let source = r##"/// It's "one".
fn a<'b>(c: &'b str) -> char { /* d /* e */ "f" */ let _ = ("g // \" h", r#"i " j"#, b'\'', '"', br"\"); 'k' } // l'
"##;
    let of =
        |wanted: Part| parts(source).into_iter().filter(|(part, _)| *part == wanted).map(|(_, text)| text).collect();
    let (comments, quoted, code): (Vec<_>, Vec<_>, Vec<_>) = (of(Part::Comment), of(Part::Quoted), of(Part::Code));
    assert_eq!(comments, ["/// It's \"one\".", "/* d /* e */ \"f\" */", "// l'"]);
    assert_eq!(quoted, [r#""g // \" h""#, r##"r#"i " j"#"##, r"b'\''", "'\"'", r#"br"\""#, "'k'"]);
    assert!(code.concat().contains("fn a<'b>(c: &'b str) -> char {"));
    assert_eq!(parts(source).into_iter().map(|(_, text)| text).collect::<String>(), source);
}
