//! The directory of the journal: where it is, and that nobody else can look into it or replace it.
//!
//! Responsible for its place and its error. Not responsible for what makes a directory safe (see [`crate::safe_path`]).

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};

use super::environment::Environment;
use crate::safe_path::{self, PathError, Trust};

/// Why the directory of the journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the state directory: {}", why.of(path))]
pub struct StateError {
    /// The directory.
    pub path: PathBuf,
    /// Why, with the directory above it that is at fault where it is one of them.
    pub why: PathError,
}

/// `/var/lib/phabgate` where it is or can be made writable, else the user's own, with the variable that names that one. Under
/// sudo there is no other.
pub(crate) fn default_directory(environment: &Environment) -> Option<(PathBuf, Option<&'static str>)> {
    let system = environment.system("var/lib/phabgate");
    let writable = match can_write(&system) {
        Err(rustix::io::Errno::NOENT) => system.parent().is_some_and(|parent| can_write(parent).is_ok()),
        answer => answer.is_ok(),
    };
    if writable || environment.runs_under_sudo() {
        return Some((system, None));
    }
    let own = environment.xdg("XDG_STATE_HOME", ".local/state")?.join("phabgate");
    let named = environment.home().is_none_or(|home| own != home.join(".local/state/phabgate"));
    Some((own, named.then_some("XDG_STATE_HOME")))
}

fn can_write(path: &Path) -> rustix::io::Result<()> {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
}

/// Makes the directory, 0700, with all above it that is missing; refuses one that others can enter, or could replace.
///
/// # Errors
/// Where it cannot be made, is another user's or open to others, or a directory above it is unsafe.
pub fn ensure_state_dir(path: &Path) -> Result<(), StateError> {
    let made = safe_path::private_directory(path, Trust::of_process());
    made.map(drop).map_err(|why| StateError { path: path.to_owned(), why })
}
