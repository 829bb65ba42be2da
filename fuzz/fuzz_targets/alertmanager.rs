#![no_main]

#[path = "../../tests/it/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzzed::run("alertmanager", input));
