//! The integration tests: one binary, a module a subject.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy's exception for tests does not know their helpers")]

mod announce;
mod answers;
mod audit;
mod audit_mirror;
mod audit_remembers;
mod browser;
mod child;
mod config_file;
mod config_token;
mod conformance;
mod dependencies;
mod deploys;
mod doctor;
mod exactly_once;
mod fuzz_corpus;
mod fuzzed;
mod given_up;
mod harness;
mod help;
mod html;
mod journal;
mod kept;
mod killed;
mod live;
mod lying;
mod meanwhile;
mod network;
mod output;
mod readers;
mod records;
mod refusals;
mod report;
mod request;
mod sandbox;
mod sandbox_edits;
mod scenarios;
mod server;
mod sources;
mod started;
mod sudo;
mod tampering;
mod throttled;
mod two_runs;
mod typed;
