//! Which build of the gate this is.
//!
//! Responsible for what `--version` and the manual pages say of it. Not responsible for finding it out, which `build.rs` does.

/// The version with the commit, its date, and the target: `0.2.0 (abc1234 2026-11-27, x86_64-unknown-linux-gnu)`.
pub(super) const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PHABGATE_BUILD"), ")");

/// The date of the commit, such as `2026-11-27`; empty where it is not known.
pub(super) const DATE: &str = env!("PHABGATE_BUILD_DATE");
