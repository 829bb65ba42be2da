//! Where the mirror is: one file a server, in a folder that nobody else can look into.
//!
//! In the room: names, modes and the lock. Not in the room: what is in the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use url::Url;

use super::error::{MirrorError, file};
use crate::safe_path::{self, Trust};

/// The name of the mirror of a server, without an ending.
fn name(server: &Url) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect()
    };
    let mut name = plain(server.host_str().unwrap_or("server"));
    if let Some(port) = server.port() {
        name.push_str(&format!("_{port}"));
    }
    let path = server.path().trim_matches('/');
    if !path.is_empty() {
        name.push_str(&format!("_{}", plain(path)));
    }
    name
}

/// The file of the mirror of a server, in a folder that is made where it is missing, 0700.
pub(super) fn database(folder: &Path, server: &Url) -> Result<PathBuf, MirrorError> {
    safe_path::private_directory(folder, Trust::of_process())?;
    let path = folder.join(format!("{}.sqlite3", name(server)));
    // Made here, so that SQLite does not make it with the modes of the umask; `-wal` and `-shm` take its mode.
    OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(file(&path))?;
    Ok(path)
}

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Filling the mirror, which takes as long as an audit.
    Fill,
    /// Making its tables, which takes an instant.
    SetUp,
}

/// Holds a lock of a mirror until it is dropped; the system lets go of it where the process dies.
pub(super) fn lock(database: &Path, lock: Lock, waiting: impl FnOnce()) -> Result<File, MirrorError> {
    let path = database.with_extension(match lock {
        Lock::Fill => "lock",
        Lock::SetUp => "setup.lock",
    });
    let mut options = OpenOptions::new();
    let held = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(file(&path))?;
    match held.try_lock() {
        Ok(()) => return Ok(held),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(error)) => return Err(file(&path)(error)),
    }
    held.lock().map_err(file(&path))?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::safe_path::PathError;

    #[test]
    fn every_server_has_a_file_of_its_own() {
        let name = |url: &str| name(&Url::parse(url).unwrap());
        assert_eq!(name("https://phabricator.example.org/"), "phabricator.example.org");
        assert_eq!(name("http://phorge.localhost:8480/"), "phorge.localhost_8480");
        assert_eq!(name("https://example.org/a/../b%2f/c/"), "example.org_b_2f_c");
        assert_eq!(name("http://[::1]:80/"), "___1_");
    }

    #[test]
    fn nobody_else_can_look_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = Url::parse("https://phabricator.example.org/").unwrap();
        let inner = folder.path().join("a/b");
        let path = database(&inner, &url).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(database(&inner, &url), Err(MirrorError::Unsafe(PathError::Open { .. }))));
    }
}
