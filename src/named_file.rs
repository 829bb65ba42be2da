//! Files that are named on the command line to be written.
//!
//! Responsible for putting one in place whole or not at all, and for never writing through what somebody else put there: the
//! text is written aside under a name that nobody can guess, and renamed; links are followed only where this user or root
//! made them, and what is no regular file is refused. Not responsible for what is in it, nor for files that decide
//! something (see [`crate::safe_path`]).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use crate::safe_path::{self, JudgedPath, LocatedPath, PathError, Trust};

/// Puts a file in place, readable as `mode` says.
///
/// # Errors
/// Where the path leads through another's link, to something else than a regular file, or where this user cannot write.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PathError> {
    let located = locate(path)?;
    let not_regular = |what| PathError::Kind { path: located.path.clone(), what, wanted: "a regular file" };
    let Some(name) = located.name.as_deref() else { return Err(not_regular("a directory")) };
    match located.stat.as_ref().map(safe_path::kind) {
        None | Some(FileType::RegularFile) => {}
        Some(kind) => return Err(not_regular(safe_path::what(kind))),
    }
    put(&located, name, bytes, mode).map_err(|error| PathError::Io { path: located.path.clone(), error })
}

fn put(located: &LocatedPath, name: &OsStr, bytes: &[u8], mode: u32) -> io::Result<()> {
    let aside = format!(".phabgate-{}", uuid::Uuid::now_v7().simple());
    let directory = &located.directory;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(directory, &aside, flags, Mode::from_raw_mode(mode))?);
    let renamed = || rustix::fs::renameat(directory, &aside, directory, name).map_err(io::Error::from);
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| renamed());
    if written.is_err() {
        let _ = rustix::fs::unlinkat(directory, &aside, AtFlags::empty());
    }
    written
}

/// Makes a directory where there is none, with those above it; returns its path without links, to which no link of
/// another's leads.
///
/// # Errors
/// Where the path leads through another's link, or the directory cannot be made.
pub fn make_directory(path: &Path) -> Result<PathBuf, PathError> {
    let located = locate(path)?;
    std::fs::create_dir_all(&located.path).map_err(|error| PathError::Io { path: located.path.clone(), error })?;
    Ok(located.path)
}

fn locate(path: &Path) -> Result<LocatedPath, PathError> {
    safe_path::locate(path, Trust::of_process(), JudgedPath::Links, false)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_put_in_place_whole_and_a_link_of_ones_own_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (link, file) = (dir.path().join("link"), dir.path().join("file"));
        symlink("file", &link).unwrap();
        write(&link, b"one", 0o600).unwrap();
        let first = fs::metadata(&file).unwrap().ino();
        let second_name = dir.path().join("second-name");
        fs::hard_link(&file, &second_name).unwrap();
        write(&link, b"two", 0o600).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read(&file).unwrap(), fs::metadata(&file).unwrap().mode() & 0o777), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read(&second_name).unwrap(), b"one", "nothing is written through another name of the file");
        assert_ne!(fs::metadata(&file).unwrap().ino(), first);
        assert_eq!(names(dir.path()), ["file", "link", "second-name"]);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let open = File::create(dir.path().join("open")).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&open);
        for (path, what) in [
            (pipe.as_path(), "a pipe"),
            (dir.path(), "a directory"),
            (Path::new("/dev/null"), "a device"),
            (Path::new("/"), "a directory"),
            (Path::new(&format!("/dev/fd/{number}")), "made up by the kernel"),
            (Path::new(&format!("/proc/self/fd/{number}")), "made up by the kernel"),
        ] {
            let said = write(path, b"text", 0o600).unwrap_err().to_string();
            assert!(said.contains(&format!("is {what}, not a regular file")), "{said}");
        }
        assert!(write(&dir.path().join("none/file"), b"", 0o600).is_err());
        assert_eq!(names(dir.path()), ["open", "pipe"]);
    }

    #[test]
    fn a_link_of_somebody_else_is_not_followed() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("there")).unwrap();
        for (link, target, path) in [("to-file", "victim", "to-file"), ("to-directory", "there", "to-directory/victim")]
        {
            let link = dir.path().join(link);
            symlink(target, &link).unwrap();
            std::os::unix::fs::lchown(&link, Some(54_321), None).unwrap();
            let said = write(&dir.path().join(path), b"", 0o600).unwrap_err().to_string();
            assert!(said.contains("is a link that belongs to the user 54321, and must belong to root"), "{said}");
        }
        assert!(!dir.path().join("victim").exists() && !dir.path().join("there/victim").exists());
    }
}
