//! Who is alive, and who may send: locks that the kernel drops when their holder dies, never leases that time out.
//!
//! Responsible for flock(2) on files of the state directory. Rust opens files close-on-exec, so the child of the gate
//! does not inherit a lock and keep its dead parent alive. Waiting for a lock blocks the thread: an async caller tries
//! with [`LockWait::TryNow`] between its own pauses.
//!
//! The file of a deploy is removed when it is done. Whoever gets a lock therefore looks whether its file is still the
//! one of that name: a lock on a removed file locks nothing.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::error::JournalError;
use crate::ids::DeployId;

/// How long to wait for a lock.
#[derive(Debug, Clone, Copy)]
pub enum LockWait {
    /// As long as it takes.
    Wait,
    /// Not at all.
    TryNow,
    /// Until then.
    Until(Instant),
}

/// How often a lock is tried while waiting until a deadline; flock(2) itself knows none.
const PAUSE: Duration = Duration::from_millis(20);

/// This process owns the deploy, while this value lives.
#[derive(Debug)]
pub struct Ownership {
    deploy: DeployId,
    path: PathBuf,
    _file: File,
}

/// This process alone may send records of this state directory to one server, while this value lives. A server that hangs
/// holds up nobody who writes to another.
#[derive(Debug)]
pub struct OutboxLock {
    server: Url,
    /// `None` where no file can be had, and nobody else could send anything either.
    _file: Option<File>,
}

impl Ownership {
    pub(super) fn take(path: PathBuf, deploy: DeployId) -> Result<Self, JournalError> {
        match lock(&path, LockWait::TryNow)? {
            Some(file) => Ok(Self { deploy, path, _file: file }),
            None => Err(JournalError::Owned { deploy }),
        }
    }

    /// The deploy that is owned.
    pub fn deploy(&self) -> DeployId {
        self.deploy
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Removed while still locked. A file that stays behind says nothing: only a lock on it does.
        let _ = fs::remove_file(&self.path);
    }
}

impl OutboxLock {
    pub(super) fn take(path: &Path, server: &Url, how: LockWait) -> Result<Option<Self>, JournalError> {
        Ok(lock(path, how)?.map(|file| Self { server: server.clone(), _file: Some(file) }))
    }

    /// The right of a process that alone knows what there is to send.
    pub(super) fn without_a_file(server: &Url) -> Self {
        Self { server: server.clone(), _file: None }
    }

    /// The server to which records may be sent.
    pub fn server(&self) -> &Url {
        &self.server
    }
}

/// Whether somebody holds the lock. Asks for a shared lock for an instant, so that askers do not see each other.
pub(super) fn is_held(path: &Path) -> Result<bool, JournalError> {
    let error = |source| JournalError::Lock { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(error(source)),
    };
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(false),
            Err(TryLockError::WouldBlock) => return Ok(true),
            Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(source)) => return Err(error(source)),
        }
    }
}

/// Opens and locks the file of this name; `None` where another holds it for longer than may be waited.
pub(super) fn lock(path: &Path, how: LockWait) -> Result<Option<File>, JournalError> {
    let error = |source| JournalError::Lock { path: path.to_owned(), source };
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(error)?;
        // A strict umask must not keep the next process out.
        if file.metadata().map_err(error)?.mode() & 0o7777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(error)?;
        }
        if !acquire(&file, how).map_err(error)? {
            return Ok(None);
        }
        if is_named(&file, path).map_err(error)? {
            return Ok(Some(file));
        }
    }
}

fn acquire(file: &File, how: LockWait) -> io::Result<bool> {
    loop {
        let tried = match how {
            LockWait::Wait => file.lock().map_err(TryLockError::Error),
            LockWait::TryNow | LockWait::Until(_) => file.try_lock(),
        };
        match (tried, how) {
            (Ok(()), _) => return Ok(true),
            (Err(TryLockError::Error(error)), _) if error.kind() == io::ErrorKind::Interrupted => {}
            (Err(TryLockError::Error(error)), _) => return Err(error),
            (Err(TryLockError::WouldBlock), LockWait::Until(deadline)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(false);
                }
                thread::sleep(left.min(PAUSE));
            }
            (Err(TryLockError::WouldBlock), LockWait::TryNow | LockWait::Wait) => return Ok(false),
        }
    }
}

/// Whether a file is still the one of this name.
pub(super) fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((ours.dev(), ours.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_file_that_was_removed_or_replaced_is_not_the_one_of_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = File::create(&path).unwrap();
        assert!(is_named(&first, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_named(&first, &path).unwrap());
        let second = File::create(&path).unwrap();
        assert!(!is_named(&first, &path).unwrap());
        assert!(is_named(&second, &path).unwrap());
    }

    #[test]
    fn owners_that_come_and_go_are_never_two_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let owners = AtomicU32::new(0);
        let most = AtomicU32::new(0);
        let contend = || {
            for _ in 0..1000 {
                // Waiting widens the gap between opening the file and having its lock.
                let file = lock(&path, LockWait::Wait).unwrap();
                most.fetch_max(owners.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..10 {
                    thread::yield_now();
                }
                owners.fetch_sub(1, Ordering::SeqCst);
                fs::remove_file(&path).unwrap();
                drop(file);
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(contend);
            }
        });
        assert_eq!(most.into_inner(), 1);
    }
}
