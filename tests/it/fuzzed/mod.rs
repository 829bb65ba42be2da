//! What has to hold of every input of the readers, whoever wrote it: the bodies of the fuzz targets, one for each reader.
//!
//! A body takes the bytes of one input and panics where something does not hold. `fuzz/` runs them with inputs that it
//! makes, `fuzz_corpus` with those of `tests/corpus`, so that what fuzzing once found is held by the ordinary tests.

mod alertmanager;
mod arcrc;
mod blocks;
mod configuration;
mod inert;
mod irc;
mod mask;
mod near_misses;
mod record;
mod trailers;

use std::sync::LazyLock;

use phabgate::policy::Policy;

/// The check of one input.
pub(crate) type Body = fn(&[u8]);

/// The name of each target, which its directory in `tests/corpus` has too, and its body.
pub(crate) const TARGETS: [(&str, Body); 10] = [
    ("alertmanager", alertmanager::check),
    ("arcrc", arcrc::check),
    ("blocks", blocks::check),
    ("configuration", configuration::check),
    ("inert", inert::check),
    ("irc", irc::check),
    ("mask", mask::check),
    ("near_misses", near_misses::check),
    ("record", record::check),
    ("trailers", trailers::check),
];

/// The check of the target of this name.
pub(crate) fn run(name: &str, input: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(target, _)| *target == name).unwrap_or_else(|| panic!("no target {name}"));
    body(input);
}

/// The built-in policy.
fn policy() -> &'static Policy {
    static POLICY: LazyLock<Policy> =
        LazyLock::new(|| phabgate::fuzzing::settings("").unwrap_or_else(|error| panic!("{error}")).policy);
    &POLICY
}

/// The input as text, where it is one.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Each line of a text with this before it.
fn each_line(prefix: &str, text: &str) -> String {
    text.split('\n').map(|line| format!("{prefix}{line}\n")).collect()
}

/// Whether a text shown on a terminal could do anything but be shown.
fn is_live(shown: &str) -> bool {
    shown.chars().any(phabgate::text::is_hidden)
}
