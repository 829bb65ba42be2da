//! Places where a test can kill the gate, to prove that the journal and the mirror survive it.
//!
//! Responsible for the names of the places and the blow. In a release build nothing of it is left. Not responsible for
//! what must hold afterwards, which the tests say.

/// The environment variable that names the place: `after-intent`, or `journal-committed:3` for the third passage.
pub const VARIABLE: &str = "PHABGATE_CRASH_AT";

/// Every place, in the order in which `run` passes them; tests iterate over it.
pub const POINTS: &[&str] = &[
    "after-own",
    "after-intent",
    "after-queued-started",
    "after-sending-started",
    "after-post-started",
    "after-delivered-started",
    "after-spawning",
    "after-spawn",
    "after-spawned",
    "after-wait",
    "after-exited",
    "after-queued-finished",
    "after-sending-finished",
    "after-post-finished",
    "after-delivered-finished",
    "after-closed",
    "after-queued-recorded",
    "after-sending-recorded",
    "after-post-recorded",
    "after-delivered-recorded",
    "after-recovered",
    "journal-uncommitted",
    "journal-committed",
];

/// Every place that an audit passes while it fills the mirror.
pub const MIRROR_POINTS: &[&str] = &["mirror-listed", "mirror-kept", "mirror-compared", "mirror-met", "mirror-ended"];

/// Every place that is passed where the journal takes nothing while a command runs.
pub const BESIDE_POINTS: &[&str] = &["journal-beside"];

/// Every place that the service passes while it pages.
pub const PAGING_POINTS: &[&str] = &[
    "page-sending",
    "page-called",
    "page-fired",
    "page-refreshed",
    "page-resolving",
    "page-resolve-called",
    "page-resolved",
];

/// Every place that the service passes while it writes on a task what was said on IRC.
pub const WITNESS_POINTS: &[&str] = &["after-sending-witness", "after-post-witness", "after-delivered-witness"];

/// All places.
fn all() -> impl Iterator<Item = &'static str> {
    [POINTS, MIRROR_POINTS, BESIDE_POINTS, PAGING_POINTS, WITNESS_POINTS].into_iter().flatten().copied()
}

/// A value of [`VARIABLE`] that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is {0:?}, which is no crash point: take one of those in phabgate::crash::POINTS")]
pub struct UnknownPoint(String);

/// Reads a value of [`VARIABLE`]: the place, and at which passage of it.
///
/// # Errors
/// Where no place has this name, or the number after the colon is none.
pub fn parse(text: &str) -> Result<(&'static str, u32), UnknownPoint> {
    let unknown = || UnknownPoint(text.to_owned());
    let (name, passage) = match text.split_once(':') {
        None => (text, 1),
        Some((name, number)) => (name, number.parse().ok().filter(|number| *number > 0).ok_or_else(unknown)?),
    };
    let point = all().find(|point| *point == name).ok_or_else(unknown)?;
    Ok((point, passage))
}

/// Kills this process with SIGKILL where [`VARIABLE`] names this place. Does nothing in a release build.
///
/// # Panics
/// In a debug build, where the variable or the caller names a place that does not exist: a test of a place that is
/// never passed would prove nothing.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::point(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static PASSED: AtomicU32 = AtomicU32::new(0);
    static TARGET: LazyLock<Option<(&'static str, u32)>> = LazyLock::new(|| {
        let text = std::env::var_os(super::VARIABLE)?;
        match super::parse(&text.to_string_lossy()) {
            Ok(target) => Some(target),
            Err(error) => panic!("{error}"),
        }
    });

    pub(super) fn point(name: &'static str) {
        assert!(super::all().any(|point| point == name), "{name:?} is missing in crash::POINTS");
        let Some((target, passage)) = *TARGET else { return };
        if name == target && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == passage {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own_that_parses() {
        let names: std::collections::BTreeSet<_> = all().collect();
        assert_eq!(names.len(), all().count());
        for point in all() {
            assert_eq!(parse(point), Ok((point, 1)));
            assert_eq!(parse(&format!("{point}:7")), Ok((point, 7)));
        }
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        for text in ["", "after-nothing", "after-intent:", "after-intent:0", "after-intent:x", "after-intent:1:2"] {
            assert_eq!(parse(text), Err(UnknownPoint(text.to_owned())), "{text}");
        }
    }
}
