//! Which module of the library may use which: the arrows of `ARCHITECTURE.md`, held.
//!
//! Responsible for the paths that begin with `crate::` in the code of `src/`, outside of its tests. Every arrow stands in
//! [`ARROWS`], in the order of the modules from the top to the bottom; one that runs up, one that is not listed, and one that is
//! listed and not used fail. Below the use cases nothing knows the terminal, the command line or a session.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources::{Part, parts, rust_files};

/// The modules, the highest first, each with those that it uses. Every module may use [`SHARED`].
const ARROWS: &[(&str, &str)] = &[
    (
        "cli",
        "answer audit conduit config deploy doctor evidence gate history host irc journal layout named_file paging policy \
         random record report request rules safe_path sandbox serve system_log task_argument announce view watch_client",
    ),
    (
        "serve",
        "conduit config crash evidence gate host irc journal notice paging policy publish random record remarkup rules safe_path view \
         watch_client witness",
    ),
    ("fuzzing", "config evidence host policy"),
    ("report", "audit config evidence layout policy record rules"),
    ("audit", "conduit crash evidence history policy record remarkup rules safe_path witness"),
    ("history", "conduit evidence policy record remarkup rules witness"),
    ("doctor", "conduit evidence irc paging policy rules"),
    ("view", "evidence gate policy record rules witness"),
    ("system_log", "gate host"),
    ("watch_client", "conduit gate record"),
    ("paging", "conduit config evidence policy rules safe_path"),
    (
        "gate",
        "answer conduit config crash deploy evidence host journal local_deploy policy publish record request rules train",
    ),
    ("answer", "conduit evidence policy remarkup rules"),
    ("request", "evidence policy rules"),
    ("announce", "irc"),
    ("train", "conduit policy"),
    ("publish", "conduit crash journal record"),
    ("rules", "conduit evidence local_deploy policy record witness"),
    ("deploy", "host record"),
    ("config", "conduit host irc notice policy record safe_path secrets"),
    ("notice", "remarkup"),
    ("irc", "conduit safe_path witness"),
    ("evidence", "conduit local_deploy policy record remarkup witness"),
    ("journal", "crash local_deploy record safe_path"),
    ("witness", "remarkup"),
    ("host", "conduit safe_path secrets"),
    ("local_deploy", "record"),
    ("record", "random remarkup secrets"),
    ("conduit", "secrets"),
    ("policy", ""),
    ("remarkup", ""),
    ("task_argument", ""),
    ("named_file", "safe_path"),
    ("safe_path", ""),
    ("secrets", ""),
    ("random", ""),
    ("layout", ""),
    ("text", ""),
    ("attribution", ""),
    ("ids", ""),
    ("time", ""),
    ("crash", ""),
    ("sandbox", ""),
];

/// What every module but the sandbox may use.
const SHARED: &[&str] = &["attribution", "ids", "text", "time"];

/// Names that stand for the terminal and the command line, which nothing below `cli` knows.
const OF_THE_HEAD: &[&str] = &["Ui", "Session", "clap"];

/// The code of a source without its comments, its strings and what is for tests alone.
fn code(source: &str) -> String {
    let code: String =
        parts(source).into_iter().filter(|(part, _)| *part == Part::Code).map(|(_, text)| text).collect();
    let mut kept = String::new();
    let mut rest = code.as_str();
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        rest = &after[end_of_item(after)..];
    }
    kept + rest
}

/// Where the item ends that a text begins with: at its semicolon or its closing brace.
fn end_of_item(text: &str) -> usize {
    let mut depth = 0;
    for (at, mark) in text.char_indices() {
        match mark {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The modules that a source names behind `crate::`, also within braces.
fn used(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(within) => found.extend(first_words(within)),
            None => _ = found.insert(word(after)),
        }
    }
    found
}

/// The first word of each path of `{one::A, two::{B, C}}`, whose opening brace is passed already.
fn first_words(within: &str) -> Vec<String> {
    let (mut depth, mut words, mut word, mut first) = (0, Vec::new(), String::new(), true);
    for mark in within.chars() {
        match mark {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.push(std::mem::take(&mut word));
                first = true;
            }
            ':' if depth == 0 => first = false,
            mark if first && depth == 0 && !mark.is_whitespace() => word.push(mark),
            _ => {}
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The module of a file below `src/`; `None` for the roots of the crate.
fn module_of(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Files that hold tests alone.
fn is_of_tests(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.contains("/tests/") || name.ends_with("tests.rs") || name.ends_with("testing.rs")
}

/// The arrows of some sources, each with the file of one of them; and what below `cli` names the terminal.
fn arrows<'s>(
    sources: impl IntoIterator<Item = (&'s Path, &'s str)>,
) -> (BTreeMap<(String, String), String>, Vec<String>) {
    let (mut found, mut heads) = (BTreeMap::new(), Vec::new());
    for (path, source) in sources {
        let Some(from) = module_of(path) else { continue };
        if is_of_tests(path) {
            continue;
        }
        let code = code(source);
        for to in used(&code) {
            if to != from {
                found.insert((from.clone(), to), path.display().to_string());
            }
        }
        let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let named = OF_THE_HEAD.iter().filter(|name| from != "cli" && words.contains(**name));
        heads.extend(named.map(|name| format!("{}: {name} belongs to the command line", path.display())));
    }
    (found, heads)
}

/// What is wrong with some arrows.
fn faults(found: &BTreeMap<(String, String), String>) -> Vec<String> {
    let place = |name: &str| ARROWS.iter().position(|(module, _)| *module == name);
    let listed = |from: &str, to: &str| {
        let uses = place(from).is_some_and(|at| ARROWS[at].1.split_whitespace().any(|used| used == to));
        uses || (from != "sandbox" && SHARED.contains(&to))
    };
    let mut faults = Vec::new();
    for ((from, to), file) in found {
        if !listed(from, to) {
            faults.push(format!("{file}: {from} uses {to}, which `ARROWS` does not allow"));
        }
        if place(from) >= place(to) && !SHARED.contains(&to.as_str()) {
            faults.push(format!("{file}: {from} uses {to}, which stands above it"));
        }
    }
    faults
}

#[test]
fn every_arrow_between_modules_is_allowed_and_runs_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let sources: Vec<_> =
        rust_files(&root).into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    let inner = |path: &'_ Path| path.strip_prefix(&root).unwrap().to_owned();
    let sources: Vec<_> = sources.iter().map(|(path, text)| (inner(path), text)).collect();
    let (found, heads) = arrows(sources.iter().map(|(path, text)| (path.as_path(), text.as_str())));
    assert_eq!(faults(&found), [""; 0]);
    assert_eq!(heads, [""; 0]);
    let of = |arrow: &(&str, &str)| found.contains_key(&(arrow.0.to_owned(), arrow.1.to_owned()));
    let listed = ARROWS.iter().flat_map(|(from, uses)| uses.split_whitespace().map(move |to| (*from, to)));
    let unused: Vec<_> = listed.filter(|arrow| !of(arrow)).collect();
    assert_eq!(unused, [], "listed and not used: leave them out here and in ARCHITECTURE.md");
    let modules: BTreeSet<_> = sources.iter().filter_map(|(path, _)| module_of(path)).collect();
    assert_eq!(modules, ARROWS.iter().map(|(module, _)| (*module).to_owned()).collect());
}

/// Facts that one file alone holds, each as it stands there.
const ONE_AUTHOR: &[(&str, &str)] = &[
    ("const SENDS:", "publish/publisher.rs"),
    ("\"SUDO_UID\"", "host/sudo.rs"),
    ("const HIDDEN: &[(u32, u32)]", "text.rs"),
    ("fn is_loopback(", "conduit/loopback.rs"),
    ("fn against_self_approval(", "rules/self_approval.rs"),
];

#[test]
fn each_safety_fact_has_one_author() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<_> = rust_files(&root).into_iter().filter(|path| !is_of_tests(path)).collect();
    for (fact, author) in ONE_AUTHOR {
        let holds = |path: &&std::path::PathBuf| std::fs::read_to_string(path).unwrap().contains(fact);
        let found: Vec<_> = files.iter().filter(holds).map(|path| path.strip_prefix(&root).unwrap()).collect();
        assert_eq!(found, [Path::new(author)], "{fact}");
    }
}

#[test]
fn a_planted_arrow_is_found() {
    let of = |path: &str, source: &str| {
        let (found, heads) = arrows([(Path::new(path), source)]);
        [faults(&found), heads].concat()
    };
    let up = "record/mod.rs: record uses gate, which `ARROWS` does not allow";
    assert_eq!(of("record/mod.rs", "use crate::gate::Context;")[0], up);
    assert_eq!(of("record/mod.rs", "use crate::{ids::TaskId, gate::{Context, Clock}};")[0], up);
    assert_eq!(of("policy/mod.rs", "fn f() { crate::evidence::gather() }").len(), 2);
    assert_eq!(of("sandbox/mod.rs", "use crate::ids::TaskId;").len(), 1);
    assert_eq!(of("gate/run.rs", "fn f(ui: &mut Ui) {}"), ["gate/run.rs: Ui belongs to the command line"]);
    // What is for tests, a comment or a string is no arrow.
    let none = "/// See [`crate::cli`].\nuse crate::ids::TaskId;\nconst A: &str = \"crate::cli\";\n#[cfg(test)]\nmod tests { use crate::cli; }\n#[cfg(test)]\nuse crate::cli;\n";
    assert_eq!(of("record/mod.rs", none), [""; 0]);
    assert_eq!(of("record/tests.rs", "use crate::cli;"), [""; 0]);
}
