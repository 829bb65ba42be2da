//! Where the mirror is: one file a server, in a directory that nobody else can look into.
//!
//! Responsible for names, modes and the lock, and for giving the file of an older version its name of today. Not for what
//! is in the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sha2::{Digest, Sha256};
use url::Url;

use super::error::{MirrorError, file, sqlite};
use crate::safe_path::{self, Trust};
use crate::text::hex;

/// The name of the mirror of a server, without an ending: the host, so that people recognise it, and a digest of the
/// whole URL, since no two URLs may share a mirror.
fn name(server: &Url) -> String {
    let digest = hex(&Sha256::digest(server.as_str())[..8]);
    let host: String = server.host_str().unwrap_or("server").chars().take(64).map(plain).collect();
    format!("{host}-{digest}")
}

/// What stands for a character in the name of a file.
fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }
}

/// The name that older versions gave the mirror of a server. Some URLs had the same.
fn former_name(server: &Url) -> String {
    let plain = |text: &str| -> String { text.chars().map(plain).collect() };
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

/// The file of the mirror of a server, in a directory that is made where it is missing, 0700.
pub(super) fn database(directory: &Path, server: &Url) -> Result<PathBuf, MirrorError> {
    safe_path::private_directory(directory, Trust::of_process())?;
    let path = directory.join(format!("{}.sqlite3", name(server)));
    adopt(&directory.join(format!("{}.sqlite3", former_name(server))), &path)?;
    // Made here, so that SQLite does not make it with the modes of the umask; `-wal` and `-shm` take its mode.
    OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(file(&path))?;
    Ok(path)
}

/// Gives the mirror of an older version its name of today. Whether it is one of this server shows when the server is
/// asked.
fn adopt(former: &Path, path: &Path) -> Result<(), MirrorError> {
    if path.exists() || !former.exists() {
        return Ok(());
    }
    let _ours = lock(path, Lock::SetUp, || {})?;
    let _theirs = lock(former, Lock::Fill, || {})?;
    if path.exists() || !former.exists() {
        return Ok(());
    }
    // What stands in the log beside it is part of it, and is named after it: it goes into the file first.
    let connection = Connection::open(former).map_err(sqlite("open", former))?;
    connection.busy_timeout(super::BUSY).map_err(sqlite("open", former))?;
    connection.pragma_update(None, "journal_mode", "DELETE").map_err(sqlite("rename", former))?;
    connection.close().map_err(|(_, error)| sqlite("rename", former)(error))?;
    std::fs::rename(former, path).map_err(file(former))
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
        assert_eq!(name("https://phabricator.example.org/"), "phabricator.example.org-5a3acd778692e6ab");
        let same =
            ["http://h:9112/", "http://h/9112/", "https://h/9112/", "http://h/9112_/", "http://h/", "https://h/"];
        let names: std::collections::BTreeSet<String> = same.iter().map(|url| name(url)).collect();
        assert_eq!(names.len(), same.len(), "{names:?}");
        assert!(name("http://[::1]:80/").starts_with("___1_-"));
    }

    #[test]
    fn the_mirror_of_an_older_version_gets_its_name_of_today_with_all_that_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a");
        safe_path::private_directory(&inner, Trust::of_process()).unwrap();
        let url = Url::parse("http://phorge.localhost:8480/").unwrap();
        let former = inner.join("phorge.localhost_8480.sqlite3");
        let old = Connection::open(&former).unwrap();
        old.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE kept (a); INSERT INTO kept VALUES (7);").unwrap();
        // As after a crash: all of it stands in the log.
        let copied = inner.join("copied.sqlite3");
        for end in ["", "-wal"] {
            fs::copy(format!("{}{end}", former.display()), format!("{}{end}", copied.display())).unwrap();
        }
        drop(old);
        for end in ["", "-wal"] {
            fs::rename(format!("{}{end}", copied.display()), format!("{}{end}", former.display())).unwrap();
        }
        let path = database(&inner, &url).unwrap();
        assert!(!former.exists());
        let kept: i64 = Connection::open(&path).unwrap().query_row("SELECT a FROM kept", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
        assert_eq!(database(&inner, &url).unwrap(), path);
    }

    #[test]
    fn nobody_else_can_look_into_it() {
        let directory = tempfile::tempdir().unwrap();
        let url = Url::parse("https://phabricator.example.org/").unwrap();
        let inner = directory.path().join("a/b");
        let path = database(&inner, &url).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(database(&inner, &url), Err(MirrorError::Unsafe(PathError::Open { .. }))));
    }
}
