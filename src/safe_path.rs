//! The safe path: which files and directories may be believed, by who could change them.
//!
//! Responsible for walking a path from `/` downwards, as ssh does with `~/.ssh`: every directory on it is owned by this
//! user or by root and closed to writing by others, and links are followed only where this user or root made them. For
//! root it is root alone. A sticky directory of root, such as `/tmp`, may be writable: in it nobody can replace what is
//! another's. Not responsible for what is in the files, nor for files that are named on the command line to be written
//! (see [`crate::named_file`]).
//!
//! What was judged stays as it was judged: nobody who is not trusted can change a directory on the path.

mod error;

pub use error::PathError;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Whose files and links are believed: a user's own and root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    user: u32,
}

impl Trust {
    /// What the effective user of this process believes.
    pub fn of_process() -> Self {
        Self::of(rustix::process::geteuid().as_raw())
    }

    /// What the user with this number believes.
    pub fn of(user: u32) -> Self {
        Self { user }
    }

    /// Whether what this user owns is believed.
    pub fn covers(self, owner: u32) -> bool {
        owner == self.user || owner == 0
    }

    fn owners(self) -> &'static str {
        if self.user == 0 { "root" } else { "you or root" }
    }
}

/// Who owns a thing that is not believed, and who may own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    owner: u32,
    trust: Trust,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the user {}, and must belong to {}", self.owner, self.trust.owners())
    }
}

/// How much of the way to a file is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JudgedPath {
    /// Links alone: what somebody asked to be written may lie in any directory, but not where others' links lead.
    Links,
    /// Links and directories.
    All,
}

/// Where a path leads: a directory that stands open, and the last name in it, which is no link.
#[derive(Debug)]
pub(crate) struct LocatedPath {
    pub(crate) directory: OwnedFd,
    /// `None` where the path is `/` itself.
    pub(crate) name: Option<OsString>,
    /// The path without links.
    pub(crate) path: PathBuf,
    /// What is there; `None` where nothing is.
    pub(crate) stat: Option<Stat>,
}

/// How many links are followed, as the kernel does.
const LINKS: usize = 40;

/// Directories are opened for nothing but to look further, which asks for no right to read them.
const LOOK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Walks down a path. Directories that are missing are made, 0700, where `make`.
pub(crate) fn locate(path: &Path, trust: Trust, judged: JudgedPath, make: bool) -> Result<LocatedPath, PathError> {
    let absolute = std::path::absolute(path).map_err(|error| PathError::Io { path: path.to_owned(), error })?;
    let mut names: VecDeque<OsString> = names(absolute.as_os_str());
    let root = Path::new("/");
    let mut real = root.to_owned();
    let mut open = vec![rustix::fs::open(root, LOOK, Mode::empty()).map_err(PathError::io(root))?];
    if judged == JudgedPath::All {
        judge_directory(&open[0], root, trust)?;
    }
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if name == ".." {
            if open.len() > 1 {
                open.pop();
                real.pop();
            }
            continue;
        }
        let Some(here) = open.last() else { break };
        let below = real.join(&name);
        let last = names.is_empty();
        let stat = match rustix::fs::statat(here, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) if last => None,
            Err(Errno::NOENT) if make => {
                rustix::fs::mkdirat(here, &name, Mode::RWXU).or_else(exists).map_err(PathError::io(&below))?;
                let made = rustix::fs::statat(here, &name, AtFlags::SYMLINK_NOFOLLOW);
                Some(made.map_err(PathError::io(&below))?)
            }
            found => Some(found.map_err(PathError::io(&below))?),
        };
        if let Some(stat) = stat.as_ref().filter(|stat| kind(stat) == FileType::Symlink) {
            links += 1;
            if links > LINKS {
                return Err(PathError::Circle(below));
            }
            // What stands open for this process has a text of a link and is none.
            if judged == JudgedPath::Links && below.starts_with("/proc") {
                return Err(PathError::Kind { path: below, what: "made up by the kernel", wanted: "a regular file" });
            }
            if !trust.covers(stat.st_uid) {
                return Err(PathError::Link { path: below, stranger: Stranger { owner: stat.st_uid, trust } });
            }
            let target = rustix::fs::readlinkat(here, &name, Vec::new()).map_err(PathError::io(&below))?;
            let target = OsString::from_vec(target.into_bytes());
            if target.as_bytes().starts_with(b"/") {
                open.truncate(1);
                real = root.to_owned();
            }
            for name in self::names(&target).into_iter().rev() {
                names.push_front(name);
            }
            continue;
        }
        if last {
            let directory = open.pop().ok_or_else(|| PathError::Circle(below.clone()))?;
            return Ok(LocatedPath { directory, name: Some(name), path: below, stat });
        }
        let next = rustix::fs::openat(here, &name, LOOK, Mode::empty()).map_err(PathError::io(&below))?;
        if judged == JudgedPath::All {
            judge_directory(&next, &below, trust)?;
        }
        open.push(next);
        real = below;
    }
    // The path ends in `/` or `..`: it is a directory that stands open.
    let directory = open.pop().ok_or_else(|| PathError::Circle(real.clone()))?;
    let stat = rustix::fs::fstat(&directory).map_err(PathError::io(&real))?;
    Ok(LocatedPath { directory, name: None, path: real, stat: Some(stat) })
}

/// The names of a path, without empty ones and `.`.
fn names(path: &OsStr) -> VecDeque<OsString> {
    let names = path.as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.map(|name| OsStr::from_bytes(name).to_owned()).collect()
}

fn exists(error: Errno) -> Result<(), Errno> {
    if error == Errno::EXIST { Ok(()) } else { Err(error) }
}

pub(crate) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What a thing is, in words.
pub(crate) fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    }
}

fn judge_directory(directory: &OwnedFd, path: &Path, trust: Trust) -> Result<(), PathError> {
    let stat = rustix::fs::fstat(directory).map_err(PathError::io(path))?;
    let sticky_of_root = stat.st_uid == 0 && stat.st_mode & 0o1000 != 0;
    judge(&stat, path, trust, sticky_of_root)
}

/// Whether nobody but who is trusted can change it.
fn judge(stat: &Stat, path: &Path, trust: Trust, may_be_writable: bool) -> Result<(), PathError> {
    if !trust.covers(stat.st_uid) {
        return Err(PathError::Owner { path: path.to_owned(), stranger: Stranger { owner: stat.st_uid, trust } });
    }
    let by = match stat.st_mode & 0o022 {
        _ if may_be_writable => return Ok(()),
        0 => return Ok(()),
        0o020 => "its group",
        _ => "everybody",
    };
    Err(PathError::Writable { path: path.to_owned(), by })
}

/// A regular file that may be believed, opened and judged by what was opened.
#[derive(Debug)]
pub struct SafeFile {
    file: File,
    /// The path without links.
    path: PathBuf,
    mode: u32,
    owner: u32,
}

/// Opens a file that decides something: owned and written by nobody who is not trusted, and so all above it. Never
/// waits, as opening a pipe would.
///
/// # Errors
/// Where it is missing, unsafe, no regular file, or cannot be opened.
pub fn open(path: &Path, trust: Trust) -> Result<SafeFile, PathError> {
    let located = locate(path, trust, JudgedPath::All, false)?;
    let name = located.name.as_deref().unwrap_or(OsStr::new("."));
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let opened = rustix::fs::openat(&located.directory, name, flags, Mode::empty());
    let opened = opened.map_err(PathError::io(&located.path))?;
    let stat = rustix::fs::fstat(&opened).map_err(PathError::io(&located.path))?;
    if kind(&stat) != FileType::RegularFile {
        return Err(PathError::Kind { path: located.path, what: what(kind(&stat)), wanted: "a regular file" });
    }
    judge(&stat, &located.path, trust, false)?;
    Ok(SafeFile { file: File::from(opened), path: located.path, mode: stat.st_mode & 0o7777, owner: stat.st_uid })
}

impl SafeFile {
    /// The path without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The permission bits.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// The number of the owner.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// All of its text, up to `limit` bytes.
    ///
    /// # Errors
    /// Where it is longer, no UTF-8, or cannot be read.
    pub fn text(self, limit: u64) -> Result<String, ReadError> {
        let mut bytes = Vec::new();
        self.file.take(limit + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            String::from_utf8(bytes).map_err(|_| ReadError::NotText)
        } else {
            Err(ReadError::TooLarge(limit))
        }
    }
}

/// Why the text of an open file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// More than is sensible.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
}

/// A directory of this user's alone, made with all above it where it is missing: 0700, safe up to `/`, entered by nobody
/// else. Returns whether it had to be made. One that is there is never changed: whoever names `/tmp` by mistake must not
/// find it closed.
///
/// # Errors
/// Where it cannot be made, is another's, or is open to others, or a directory above it is unsafe.
pub fn private_directory(path: &Path, trust: Trust) -> Result<bool, PathError> {
    let located = locate(path, trust, JudgedPath::All, true)?;
    let made = match (&located.name, &located.stat) {
        (Some(name), None) => match rustix::fs::mkdirat(&located.directory, name, Mode::RWXU) {
            Ok(()) => {
                // The umask may have taken from it what its owner needs.
                rustix::fs::chmodat(&located.directory, name, Mode::RWXU, AtFlags::empty())
                    .map_err(PathError::io(&located.path))?;
                true
            }
            Err(error) => exists(error).map(|()| false).map_err(PathError::io(&located.path))?,
        },
        _ => false,
    };
    check_private(&located, trust)?;
    Ok(made)
}

/// Judges a private directory without making it; `false` where nothing is there.
///
/// # Errors
/// As [`private_directory`].
pub fn existing_private_directory(path: &Path, trust: Trust) -> Result<bool, PathError> {
    let located = match locate(path, trust, JudgedPath::All, false) {
        Err(PathError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        located => located?,
    };
    if located.stat.is_none() {
        return Ok(false);
    }
    check_private(&located, trust)?;
    Ok(true)
}

/// Judges a directory that decides something and is there: nobody who is not trusted can change it or what is above it.
///
/// # Errors
/// Where it is missing, unsafe or no directory.
pub fn judge_existing_directory(path: &Path, trust: Trust) -> Result<(), PathError> {
    let located = locate(path, trust, JudgedPath::All, false)?;
    let name = located.name.as_deref().unwrap_or(OsStr::new("."));
    let opened = rustix::fs::openat(&located.directory, name, LOOK, Mode::empty());
    judge_directory(&opened.map_err(PathError::io(&located.path))?, &located.path, trust)
}

fn check_private(located: &LocatedPath, trust: Trust) -> Result<(), PathError> {
    let path = &located.path;
    let name = located.name.as_deref().unwrap_or(OsStr::new("."));
    let stat = rustix::fs::statat(&located.directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(PathError::io(path))?;
    if kind(&stat) != FileType::Directory {
        return Err(PathError::Kind { path: path.clone(), what: what(kind(&stat)), wanted: "a directory" });
    }
    if stat.st_uid != trust.user {
        let stranger = Stranger { owner: stat.st_uid, trust };
        return Err(PathError::Owner { path: path.clone(), stranger });
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PathError::Open { path: path.clone(), mode, directory: true });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    /// A user that is neither root nor whoever runs the tests.
    const MALLORY: u32 = 54_321;

    fn me() -> Trust {
        Trust::of_process()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn error(path: &Path) -> String {
        open(path, me()).map(|file| file.path().display().to_string()).unwrap_err().to_string()
    }

    /// A directory with `a/b/file` in it.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/file");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "text").unwrap();
        for path in [file.as_path(), file.parent().unwrap(), file.parent().unwrap().parent().unwrap()] {
            set_mode(path, if path == file { 0o644 } else { 0o755 });
        }
        (dir, file)
    }

    #[test]
    fn a_file_is_believed_where_nobody_else_can_change_it_or_what_is_above_it() {
        let (dir, file) = tree();
        assert_eq!(open(&file, me()).unwrap().text(10).unwrap(), "text");
        assert!(matches!(open(&file, me()).unwrap().text(3), Err(ReadError::TooLarge(3))));
        for (path, modes) in [(file.clone(), [0o664, 0o646]), (dir.path().join("a"), [0o775, 0o757])] {
            let before = fs::metadata(&path).unwrap().mode() & 0o777;
            for (mode, by) in modes.into_iter().zip(["its group", "everybody"]) {
                set_mode(&path, mode);
                let said = error(&file);
                assert!(said.contains(&format!("can be written by {by}: type `chmod go-w ")), "{said}");
            }
            set_mode(&path, before);
        }
        assert!(open(&file, me()).is_ok());
    }

    #[test]
    fn a_sticky_directory_may_be_writable_where_it_is_roots() {
        let (dir, file) = tree();
        set_mode(&dir.path().join("a"), 0o1777);
        assert_eq!(open(&file, me()).is_ok(), me().user == 0, "the directory is this user's");
    }

    #[test]
    fn what_another_owns_is_not_believed_on_any_step() {
        if me().user != 0 {
            return;
        }
        let (dir, file) = tree();
        for path in [file.clone(), dir.path().join("a/b"), dir.path().join("a")] {
            chown(&path, Some(MALLORY), None).unwrap();
            let said = error(&file);
            assert!(said.ends_with("belongs to the user 54321, and must belong to root"), "{said}");
            assert!(open(&file, Trust::of(MALLORY)).is_ok(), "it is theirs, or root's");
            assert!(open(&file, Trust::of(MALLORY + 1)).unwrap_err().to_string().ends_with("belong to you or root"));
            chown(&path, Some(0), None).unwrap();
        }
    }

    #[test]
    fn links_are_followed_where_this_user_or_root_made_them() {
        let (dir, file) = tree();
        let (link, directory) = (dir.path().join("link"), dir.path().join("directory"));
        symlink("directory/file", &link).unwrap();
        symlink(dir.path().join("a/b/../b"), &directory).unwrap();
        let real = dir.path().canonicalize().unwrap().join("a/b/file");
        assert_eq!(open(&link, me()).unwrap().path(), real);
        // What a link leads through is judged as well.
        set_mode(&dir.path().join("a"), 0o777);
        assert!(error(&link).contains("can be written by everybody"));
        set_mode(&dir.path().join("a"), 0o755);
        if me().user == 0 {
            rustix::fs::chownat(
                rustix::fs::CWD,
                &directory,
                Some(rustix::fs::Uid::from_raw(MALLORY)),
                None,
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .unwrap();
            assert!(error(&link).contains("directory is a link that belongs to the user 54321"), "{}", error(&link));
            assert!(open(&file, me()).is_ok());
        }
        symlink("circle", dir.path().join("circle")).unwrap();
        assert!(matches!(open(&dir.path().join("circle"), me()), Err(PathError::Circle(_))));
        assert!(open(&dir.path().join("none"), me()).unwrap_err().is_missing());
        assert!(open(&file.join("below"), me()).unwrap_err().is_missing());
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let (dir, _) = tree();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(error(&pipe).ends_with("pipe is a pipe, not a regular file"));
        assert!(error(dir.path()).ends_with("is a directory, not a regular file"));
        assert!(error(Path::new("/dev/null")).ends_with("is a device, not a regular file"));
    }

    #[test]
    fn a_private_directory_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        assert!(!existing_private_directory(&path, me()).unwrap());
        assert!(private_directory(&path, me()).unwrap());
        assert!(!private_directory(&path, me()).unwrap());
        assert!(existing_private_directory(&path, me()).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o700, 0o700));
        for open in [0o750, 0o701, 0o770] {
            set_mode(&path, open);
            let said = private_directory(&path, me()).unwrap_err().to_string();
            assert!(said.contains(&format!("(its mode is {open:03o}): type `chmod 700 ")), "{said}");
        }
        set_mode(&path, 0o700);
        set_mode(&dir.path().join("a"), 0o777);
        assert!(
            matches!(private_directory(&path, me()), Err(PathError::Writable { .. })),
            "who owns the parent owns it"
        );
        assert!(matches!(existing_private_directory(&path, me()), Err(PathError::Writable { .. })));
    }

    #[test]
    fn a_private_directory_that_is_none_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(private_directory(&file, me()), Err(PathError::Kind { .. })));
        assert!(private_directory(&file.join("below"), me()).is_err());
        symlink(dir.path().join("nowhere"), dir.path().join("dangling")).unwrap();
        assert!(private_directory(&dir.path().join("dangling"), me()).is_ok(), "a link of one's own");
    }
}
