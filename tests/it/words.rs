//! One word for one thing: the names and comments of `src/` use the field's own terms.
//!
//! What is looked for stands in [`WORDS`] and [`NAMES`], each with what to write. Where they are used still is counted in
//! `tests/words.tsv`, for each directory of `src/`. The counts may only fall: a test fails where one is higher, and where
//! one is lower too, until the table says so (`UPDATE_WORDS=1 cargo test --test it words::` writes it, and refuses to
//! write more than there was). What stands in quotes is not looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::sources::{Part, parts, rust_files};

/// Words, as they stand in names and comments in any case and number, and what is written instead.
const WORDS: &[(&str, &str)] = &[
    ("folder", "directory"),
    ("in the room", "responsible for, not responsible for"),
    ("tell", "report, print, return, distinguish"),
    ("told", "reported, printed, returned, distinguished"),
    ("tracker", "server"),
    ("untold", "not reported"),
];

/// Names that say nothing to who has not seen what they name, and what is written instead. Only the whole name is one.
const NAMES: &[(&str, &str)] = &[
    ("Agreed", "ApprovedContent"),
    ("Asker", "Fetcher"),
    ("CalledBy", "ContactSource"),
    ("Desk", "AnswerPlanner"),
    ("DidNotAct", "WriteEffect::None"),
    ("Errand", "AnswerFlow, RequestFlow"),
    ("Happening", "StatementChange"),
    ("PATIENCE", "MAX_DELAY"),
    ("Postman", "RecordPublisher"),
    ("Standing", "PostedRecord, AnswerStatus"),
    ("Story", "TaskState"),
    ("Trial", "DeployAssessment"),
    ("Whom", "ConductorContact"),
    ("Wish", "AnswerRequest"),
    ("Yardstick", "AuditPolicy"),
    ("is_lent", "runs_under_sudo"),
    ("wordless", "cannot serialize"),
];

/// How often each of them is used in each directory.
type Counts = BTreeMap<(String, String), usize>;

#[test]
fn the_words_of_the_field_are_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = root.join("tests/words.tsv");
    let (found, places) = count(&root.join("src"));
    let update = std::env::var_os("UPDATE_WORDS").is_some();
    let known = match std::fs::read_to_string(&table) {
        Ok(text) => read(&text),
        Err(error) => {
            assert!(update, "{}: {error}", table.display());
            found.clone()
        }
    };
    for (word, instead) in WORDS.iter().chain(NAMES) {
        let (now, before) = (total(&found, word), total(&known, word));
        let where_to: Vec<&str> = places.iter().filter(|(of, _)| of == word).map(|(_, place)| place.as_str()).collect();
        assert!(
            now <= before,
            "\"{word}\" is used {now} times, {before} are known; write {instead}:\n{}",
            where_to.join("\n")
        );
    }
    if update {
        std::fs::write(&table, written(&found)).unwrap();
        return;
    }
    let differs: Vec<_> = found.iter().filter(|(key, count)| known.get(key) != Some(count)).collect();
    let gone: Vec<_> = known.keys().filter(|key| !found.contains_key(key)).collect();
    assert!(
        differs.is_empty() && gone.is_empty(),
        "write the new counts down with `UPDATE_WORDS=1 cargo test --test it words::`: now {differs:?}, gone {gone:?}"
    );
}

fn total(counts: &Counts, word: &str) -> usize {
    counts.iter().filter(|((of, _), _)| of == word).map(|(_, count)| count).sum()
}

fn read(table: &str) -> Counts {
    let row = |line: &str| {
        let [word, directory, count] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("no row: {line}") };
        ((word.to_owned(), directory.to_owned()), count.parse().unwrap())
    };
    table.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

fn written(counts: &Counts) -> String {
    let mut table =
        "# How often words are used that nobody should add to: see tests/it/words.rs, which writes this.\n".to_owned();
    for ((word, directory), count) in counts {
        writeln!(table, "{word}\t{directory}\t{count}").unwrap();
    }
    table
}

/// How often the words stand in the sources below a directory, and in which lines.
fn count(sources: &Path) -> (Counts, Vec<(String, String)>) {
    let (mut counts, mut places) = (Counts::new(), Vec::new());
    for file in rust_files(sources) {
        let within = file.strip_prefix(sources).unwrap();
        let directory = match within.components().count() {
            1 => "src".to_owned(),
            _ => format!("src/{}", within.components().next().unwrap().as_os_str().display()),
        };
        let source = std::fs::read_to_string(&file).unwrap();
        for (line, word) in words_in(&source) {
            *counts.entry((word.to_owned(), directory.clone())).or_default() += 1;
            places.push((word.to_owned(), format!("  src/{}:{line}", within.display())));
        }
    }
    (counts, places)
}

/// The words of the two lists in a source, each with its line.
fn words_in(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut line = 1;
    for (part, text) in parts(source) {
        for text in text.split_inclusive('\n') {
            if part != Part::Quoted {
                let words = single_words(text);
                for (word, _) in WORDS {
                    let count = match word.contains(' ') {
                        true => words.join(" ").matches(word).count(),
                        false => words.iter().filter(|other| is_form(other, word)).count(),
                    };
                    found.extend(std::iter::repeat_n((line, *word), count));
                }
                for (name, _) in NAMES {
                    let names = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                    found.extend(names.filter(|other| other == name).map(|_| (line, *name)));
                }
            }
            line += usize::from(text.ends_with('\n'));
        }
    }
    found
}

/// A word in one of its forms: `folders`, `tells`, `telling`.
fn is_form(word: &str, of: &str) -> bool {
    word.strip_prefix(of).is_some_and(|ending| ["", "s", "ing"].contains(&ending))
}

/// The words of a text in lower case, those that a name is made of one by one: `evaluate_told`, `FolderName`.
fn single_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let begins = c.is_uppercase() && !before.is_uppercase();
        if (!c.is_alphanumeric() || begins) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn words_are_found_in_names_and_comments_alone() {
    let source = "//! In the room: trackers.\n/// Tells it; retell, \"untold\".\nfn evaluate_told(folder: FolderName) { \"told in a folder\" }\nstruct Story; struct StoryTeller;\n";
    let found = words_in(source);
    let expected = [
        (1, "in the room"),
        (1, "tracker"),
        (2, "tell"),
        (2, "untold"),
        (3, "folder"),
        (3, "folder"),
        (3, "told"),
        (4, "Story"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_lists_are_sorted() {
    assert!(WORDS.is_sorted() && NAMES.is_sorted());
}
