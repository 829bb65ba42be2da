//! The fuzz targets over what is kept of their inputs: seeds that were written by hand, and what fuzzing found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::fuzzed::{TARGETS, run};

fn directory(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn names(path: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn corpus_of(target: &str) {
    let directory = directory("tests/corpus").join(target);
    let inputs = names(&directory);
    assert!(inputs.len() >= 5, "{} holds next to nothing", directory.display());
    for input in inputs {
        let path = directory.join(input);
        let bytes = std::fs::read(&path).unwrap();
        // Where it fails it has to be clear which input it was.
        let held = std::panic::catch_unwind(|| {
            run(target, &bytes);
            // Files end in a line end, what fuzzing makes does not.
            run(target, bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        });
        assert!(held.is_ok(), "what has to hold does not hold of {}", path.display());
    }
}

#[test]
fn every_target_has_its_corpus_and_its_program() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&directory("tests/corpus")), targets);
    let programs: BTreeSet<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&directory("fuzz/fuzz_targets")), programs);
    let manifest = std::fs::read_to_string(directory("fuzz/Cargo.toml")).unwrap();
    for name in targets {
        assert!(manifest.contains(&format!("\"fuzz_targets/{name}.rs\"")), "fuzz/Cargo.toml does not name {name}");
    }
}

#[test]
fn alertmanager_holds_over_its_corpus() {
    corpus_of("alertmanager");
}

#[test]
fn arcrc_holds_over_its_corpus() {
    corpus_of("arcrc");
}

#[test]
fn blocks_hold_over_their_corpus() {
    corpus_of("blocks");
}

#[test]
fn configuration_holds_over_its_corpus() {
    corpus_of("configuration");
}

#[test]
fn inert_text_holds_over_its_corpus() {
    corpus_of("inert");
}

#[test]
fn irc_holds_over_its_corpus() {
    corpus_of("irc");
}

#[test]
fn the_mask_holds_over_its_corpus() {
    corpus_of("mask");
}

#[test]
fn near_misses_hold_over_their_corpus() {
    corpus_of("near_misses");
}

#[test]
fn the_record_holds_over_its_corpus() {
    corpus_of("record");
}

#[test]
fn trailers_hold_over_their_corpus() {
    corpus_of("trailers");
}
