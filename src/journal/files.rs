//! The state directory: what is in it, and that nobody else can look into it or replace it.
//!
//! Responsible for paths, and for the modes of files. Whether a directory is safe is judged in [`crate::safe_path`]: one that
//! is there already is never changed, only refused.
//!
//! The modes do not depend on the umask. SQLite gives its `-journal` file the mode of the database.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use url::Url;

use super::error::JournalError;
use crate::ids::DeployId;
use crate::safe_path::{self, Trust};
use crate::text::hex;

/// How the name of a file beside the journal ends.
const RESERVE: &str = "reserve";

/// Where everything in the state directory is.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens the directory, or makes it with the directories above it.
    pub(super) fn create(root: &Path) -> Result<Self, JournalError> {
        let directory = Self { root: root.to_owned() };
        if safe_path::private_directory(root, Trust::of_process())? {
            let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            sync(parent)?;
        }
        safe_path::private_directory(&directory.deploys(), Trust::of_process())?;
        Ok(directory)
    }

    /// Opens the directory where it is one; `None` where nothing is there.
    pub(super) fn existing(root: &Path) -> Result<Option<Self>, JournalError> {
        let there = safe_path::existing_private_directory(root, Trust::of_process())?;
        Ok(there.then(|| Self { root: root.to_owned() }))
    }

    pub(super) fn database(&self) -> PathBuf {
        self.root.join("journal.sqlite3")
    }

    pub(super) fn setup_lock(&self) -> PathBuf {
        self.root.join("setup.lock")
    }

    /// The lock of those who send to one server, named by the digest of its URL.
    pub(super) fn outbox_lock(&self, server: &Url) -> PathBuf {
        let name = hex(&Sha256::digest(server.as_str())[..8]);
        self.root.join(format!("outbox-{name}.lock"))
    }

    pub(super) fn deploy_lock(&self, deploy: DeployId) -> PathBuf {
        self.deploys().join(format!("{deploy}.lock"))
    }

    /// The file beside the journal for the last words of a deploy.
    pub(super) fn reserve(&self, deploy: DeployId) -> PathBuf {
        self.deploys().join(format!("{deploy}.{RESERVE}"))
    }

    /// Such a file of no deploy, which is made to prove that there is room, and removed.
    pub(super) fn trial_reserve(&self) -> PathBuf {
        self.deploys().join(format!("trial.{RESERVE}"))
    }

    /// The deploys that have such a file, oldest first.
    pub(super) fn reserved(&self) -> Result<Vec<DeployId>, JournalError> {
        let path = self.deploys();
        let error = |source| JournalError::Directory { path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(error(source)),
        };
        let mut deploys = Vec::new();
        for entry in entries {
            let name = entry.map_err(error)?.file_name();
            let stem =
                name.to_str().and_then(|name| name.strip_suffix(RESERVE)).and_then(|name| name.strip_suffix('.'));
            deploys.extend(stem.and_then(|stem| stem.parse::<DeployId>().ok()));
        }
        deploys.sort_unstable();
        Ok(deploys)
    }

    fn deploys(&self) -> PathBuf {
        self.root.join("deploys")
    }

    /// Makes the names of new files in the directory last.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        sync(&self.root)
    }
}

/// A file that was made outlives a crash of the machine only when its directory is synced too, as fsync(2) says.
fn sync(directory: &Path) -> Result<(), JournalError> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|source| JournalError::Directory { path: directory.to_owned(), source })
}

/// Gives a file of ours the mode 0600. By its path: SQLite loses its locks where its file is opened beside it.
pub(super) fn make_private(path: &Path) -> Result<(), JournalError> {
    let error = |source| JournalError::Directory { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(error)?;
    check_owner(path, &metadata)?;
    if metadata.mode() & 0o7777 != 0o600 {
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(error)?;
    }
    Ok(())
}

fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), JournalError> {
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == own { Ok(()) } else { Err(JournalError::WrongOwner { path: path.to_owned(), owner, own }) }
}
