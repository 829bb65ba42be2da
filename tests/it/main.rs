//! The integration tests: one binary, a module a subject.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy's exception for tests does not know their helpers")]

mod child;
mod config_file;
mod harness;
mod help;
mod journal;
mod live;
