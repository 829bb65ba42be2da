//! The folder of the journal: where it is, and how it is made so that nobody else can write there.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};

use super::environment::Environment;
use super::origin::Origin;

/// Why the folder of the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("cannot {doing} the state folder {path}: {error}", path = path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// The answer of the system.
        error: io::Error,
    },
    /// Others could change what the gate remembers.
    #[error("the state folder {path} can be written by others: type `chmod go-w {path}`", path = path.display())]
    Writable {
        /// The folder.
        path: PathBuf,
    },
    /// It is somebody else's.
    #[error("the state folder {path} belongs to the user {owner}: give it to the one who runs the gate, or set PHABGATE_STATE", path = path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A link that somebody else put there could lead anywhere.
    #[error("the state folder {path} is a symbolic link made by the user {owner}: remove it, or set PHABGATE_STATE", path = path.display())]
    ForeignLink {
        /// The folder.
        path: PathBuf,
        /// Who made the link.
        owner: u32,
    },
}

/// `/var/lib/phabgate` where it is or can be made writable, else the user's own.
pub(super) fn default_folder(environment: &Environment) -> Option<(PathBuf, Origin)> {
    let system = environment.system("var/lib/phabgate");
    let writable = match can_write(&system) {
        Err(rustix::io::Errno::NOENT) => system.parent().is_some_and(|parent| can_write(parent).is_ok()),
        answer => answer.is_ok(),
    };
    if writable {
        return Some((system, Origin::BuiltIn));
    }
    let own = environment.xdg("XDG_STATE_HOME", ".local/state")?.join("phabgate");
    let named = environment.home().is_none_or(|home| own != home.join(".local/state/phabgate"));
    Some((own, if named { Origin::Environment { name: "XDG_STATE_HOME" } } else { Origin::BuiltIn }))
}

fn can_write(path: &Path) -> rustix::io::Result<()> {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
}

/// Makes the folder, 0700, with all above it that is missing; refuses one that others could write or have put there.
///
/// # Errors
/// Where it cannot be made, belongs to another user than this process or root, or can be written by others.
pub fn ensure_state_dir(path: &Path) -> Result<(), StateError> {
    let io = |doing| move |error: io::Error| StateError::Io { doing, path: path.to_owned(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create"))?;
    let me = rustix::process::geteuid().as_raw();
    let trusted = |owner: u32| owner == me || owner == 0;
    // A link is fine where root or we made it (systemd does, for a dynamic user); its target is judged like a folder.
    let link = std::fs::symlink_metadata(path).map_err(io("read"))?;
    if link.file_type().is_symlink() && !trusted(link.uid()) {
        return Err(StateError::ForeignLink { path: path.to_owned(), owner: link.uid() });
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| io("open")(error.into()))?;
    let metadata = std::fs::File::from(opened).metadata().map_err(io("read"))?;
    if !trusted(metadata.uid()) {
        return Err(StateError::Foreign { path: path.to_owned(), owner: metadata.uid() });
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(StateError::Writable { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        ensure_state_dir(&path).unwrap();
        ensure_state_dir(&path).unwrap();
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o700, 0o700));
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_also_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("open");
        fs::create_dir(&path).unwrap();
        symlink(&path, dir.path().join("link")).unwrap();
        assert!(ensure_state_dir(&dir.path().join("link")).is_ok());
        for bits in [0o770, 0o702] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
            for name in ["open", "link"] {
                assert!(matches!(ensure_state_dir(&dir.path().join(name)), Err(StateError::Writable { .. })));
            }
        }
    }

    #[test]
    fn what_is_no_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(ensure_state_dir(&path), Err(StateError::Io { doing: "create", .. })));
        symlink(dir.path().join("nowhere"), dir.path().join("dangling")).unwrap();
        assert!(ensure_state_dir(&dir.path().join("dangling")).is_err());
    }
}
