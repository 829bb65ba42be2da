//! `/etc/phabgate/environment`: what the gate's own environment is where it is root.
//!
//! Responsible for the file's format, which is that of systemd's EnvironmentFile, for the names that may stand in it, and
//! that nobody but root can change it. Not responsible for what the variables mean. The gate reads the file itself and
//! gives it to no child.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::safe_path::{self, PathError, ReadError, Trust};

/// The file, written without its leading `/`.
pub(super) const PATH: &str = "etc/phabgate/environment";

/// The largest file that is read, in bytes.
const LIMIT: u64 = 64 * 1024;

/// The names that may stand in it. Each is read by the gate, so that a name that is misspelt is an error and not ignored.
const NAMES: &[&str] = &[
    "PHABGATE_SERVER_TOKEN",
    "PHABGATE_SERVER_TOKEN_FILE",
    "PHABGATE_STATE",
    "PHABGATE_TOKEN",
    "PHABGATE_TOKEN_FILE",
    "PHABGATE_URL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TZ",
];

/// Why the file cannot be used. Ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentFileError {
    /// It, or a directory above it, can be changed by others, or it cannot be read.
    #[error("cannot use the environment file: {0}")]
    Unsafe(#[from] PathError),
    /// Its text cannot be had.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadError,
    },
    /// A line is wrong. What stands there is only said to root.
    #[error("{} line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// What the file holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) variables: BTreeMap<String, String>,
    /// The permission bits of the file.
    pub(super) mode: u32,
}

/// What the file holds; `None` where there is no file. `words` says
/// whether errors may show names of the file.
pub(super) fn read(path: &Path, trust: Trust, words: bool) -> Result<Option<Contents>, EnvironmentFileError> {
    let file = match safe_path::open(path, trust) {
        Err(error) if error.is_missing() => return Ok(None),
        file => file?,
    };
    let mode = file.mode();
    let text = file.text(LIMIT).map_err(|why| EnvironmentFileError::Unreadable { path: path.to_owned(), why })?;
    let wrong = |(line, why)| EnvironmentFileError::Line { path: path.to_owned(), line, why };
    let mut variables = BTreeMap::new();
    for Assignment { line, name, value } in parse(&text).map_err(wrong)? {
        if !NAMES.contains(&name.as_str()) {
            return Err(wrong((line, unknown(&name, words))));
        }
        variables.insert(name, value);
    }
    Ok(Some(Contents { variables, mode }))
}

fn unknown(name: &str, words: bool) -> String {
    let known = NAMES.join(", ");
    match name {
        "PHABGATE_CONFIG" => {
            "PHABGATE_CONFIG may not stand here: the configuration is /etc/phabgate/config.toml".to_owned()
        }
        _ if words => format!("{} may not stand here; what may is {known}", crate::text::inert(name)),
        _ => format!("a name that may not stand here; what may is {known}"),
    }
}

/// One `NAME=value`.
#[derive(Debug, PartialEq, Eq)]
struct Assignment {
    line: usize,
    name: String,
    value: String,
}

/// Where in an assignment the reader is; the states of systemd's own parser.
enum At {
    Start,
    Comment { escaped: bool },
    Name,
    BeforeValue,
    Value,
    Escaped,
    Single,
    Double,
    DoubleEscaped,
}

/// Reads the format of systemd.exec(5), EnvironmentFile: comments behind `#` and `;`, quotes, `\` before the end of a line.
/// What systemd passes over with a warning (a line without `=`, a name that is none, a quote that does not end) is an error
/// here, by its line.
fn parse(text: &str) -> Result<Vec<Assignment>, (usize, String)> {
    let mut done = Vec::new();
    let (mut at, mut line) = (At::Start, 1);
    let (mut begun, mut name, mut value) = (1, String::new(), String::new());
    // How much of the value is kept whatever blanks follow: quoted and escaped ones stay.
    let mut kept = 0;
    // A file may lack the last end of line.
    let end = (!text.ends_with('\n')).then_some('\n');
    for character in text.chars().chain(end) {
        at = match (at, character) {
            (At::Start, '#' | ';') => At::Comment { escaped: false },
            (At::Start, c) if c.is_whitespace() => At::Start,
            (At::Start, c) => {
                (begun, name, value, kept) = (line, c.to_string(), String::new(), 0);
                At::Name
            }
            (At::Comment { escaped: false }, '\n') => At::Start,
            (At::Comment { .. }, c) => At::Comment { escaped: c == '\\' },
            (At::Name, '=') => {
                name.truncate(name.trim_end().len());
                if !is_name(&name) {
                    return Err((begun, "what stands before `=` is no name of a variable".to_owned()));
                }
                At::BeforeValue
            }
            (At::Name, '\n') => return Err((begun, "this is neither a comment nor NAME=value".to_owned())),
            (At::Name, c) => {
                name.push(c);
                At::Name
            }
            (At::BeforeValue | At::Value, '\n') => {
                value.truncate(kept.max(value.trim_end().len()));
                done.push(Assignment { line: begun, name: name.clone(), value: value.clone() });
                At::Start
            }
            (At::BeforeValue | At::Value, '\\') => At::Escaped,
            (At::BeforeValue, '\'') => At::Single,
            (At::BeforeValue, '"') => At::Double,
            (At::BeforeValue, c) if c.is_whitespace() => At::BeforeValue,
            (At::BeforeValue | At::Value, c) => {
                value.push(c);
                At::Value
            }
            (At::Escaped, c) => {
                if c != '\n' {
                    value.push(c);
                    kept = value.len();
                }
                At::Value
            }
            (At::Single, '\'') | (At::Double, '"') => {
                kept = value.len();
                At::BeforeValue
            }
            (At::Double, '\\') => At::DoubleEscaped,
            (at @ (At::Single | At::Double), c) => {
                value.push(c);
                at
            }
            (At::DoubleEscaped, c) => {
                match c {
                    '"' | '\\' | '`' | '$' => value.push(c),
                    '\n' => {}
                    c => value.extend(['\\', c]),
                }
                At::Double
            }
        };
        if character == '\n' {
            line += 1;
        }
    }
    match at {
        At::Start | At::Comment { .. } => Ok(done),
        At::Single | At::Double | At::DoubleEscaped => Err((begun, "a quote that does not end".to_owned())),
        _ => Err((begun, "a line that ends with `\\` and does not go on".to_owned())),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let assignments = parse(text).unwrap_or_else(|(line, why)| panic!("{text:?}: line {line}: {why}"));
        assignments.into_iter().map(|assignment| (assignment.name, assignment.value)).collect()
    }

    #[test]
    fn it_is_read_as_systemd_reads_it() {
        for (text, value) in [
            ("A=b", "b"),
            ("A=b\n", "b"),
            ("  A = b c  \n", "b c"),
            ("A=\n", ""),
            ("A='b # c'\n", "b # c"),
            ("A=\"b \"\n", "b "),
            ("A=\"b\\\"\\\\\\$c\\d\"\n", "b\"\\$c\\d"),
            ("A=b\\ \n", "b "),
            ("A=b\\\nc\n", "bc"),
            ("A=\"b\nc\"\n", "b\nc"),
            ("A=\"b\\\nc\"\n", "bc"),
            ("A='b'\"c\"d\n", "bcd"),
            ("A=b'c'\n", "b'c'"),
            ("A=b #c\n", "b #c"),
            ("A=b;c\n", "b;c"),
            ("A=$B\n", "$B"),
            ("A=b=c\r\n", "b=c"),
        ] {
            assert_eq!(pairs(text), [("A".to_owned(), value.to_owned())], "{text:?}");
        }
        let text = "# a comment \\\nthat goes on\n; another\n\nA=1\n# B=2\nC=3\nA=4\n";
        let all: Vec<_> = parse(text).unwrap().into_iter().map(|a| (a.line, a.name, a.value)).collect();
        let expected = [(5, "A", "1"), (7, "C", "3"), (8, "A", "4")];
        assert_eq!(all, expected.map(|(line, name, value)| (line, name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_it_would_pass_over_is_an_error_by_its_line() {
        for (text, line, why) in [
            ("A=1\nexport B=2\n", 2, "no name of a variable"),
            ("root:$6$secret:1:2\n", 1, "neither a comment nor NAME=value"),
            ("\n=1\n", 2, "neither a comment nor NAME=value"),
            ("1A=1\n", 1, "no name of a variable"),
            ("A=1\nB='2\nC=3\n", 2, "a quote that does not end"),
            ("A=1\\", 1, "ends with `\\`"),
        ] {
            let (at, said) = parse(text).map(|_| ()).unwrap_err();
            assert!(at == line && said.contains(why), "{text:?}: {at} {said}");
            assert!(!said.contains("secret") && !said.contains("export"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_value_can_be_quoted(value in "[^\u{0}\r]{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`");
            prop_assert_eq!(pairs(&format!("A=\"{quoted}\"\nB=1\n")), [("A".to_owned(), value), ("B".to_owned(), "1".to_owned())]);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-C=\"'\\\\#; \n]{0,40}") {
            let _ = parse(&text);
        }
    }
}
