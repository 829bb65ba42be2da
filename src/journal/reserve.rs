//! The file beside the journal: room for the last words of one deploy, kept before its command is started.
//!
//! While the command runs the disk may fill up, a backup may lock the database, a quota may be reached. What the gate saw by
//! then must not be lost, so the bytes for it are on the disk before the command: they are written in place, and need no
//! room of their own. Responsible for the layout of the file and for what makes a line of it believed. Not for when it is
//! used, which the [store](super::store) decides, nor for what the events mean.
//!
//! The file holds lines, each an event: `SHA256 AT KIND DATA`. The first are what the database holds when the room is made,
//! so that the deploy is known also where the database is lost. What follows the last line is blanks. A line that was being
//! written when the machine died fails its digest and ends the file: what came after it was never promised.
//!
//! A file system that copies on write (btrfs, ZFS) needs room also for this, and a full one of these refuses it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::event::Event;
use super::lock::is_named;
use crate::text::hex;

/// The room for last words in bytes, besides that for a record as long as all that happened so far: three attempts to send it
/// with their answers, and the closing, take 4 KiB.
const ROOM: usize = 16 * 1024;

/// The file of one deploy, open for as long as its gate works on it.
#[derive(Debug)]
pub(super) struct Reserve {
    file: File,
    path: PathBuf,
    /// How many of its bytes are lines of what the database held when it was made, and how many events these are.
    base: usize,
    held: usize,
    /// Its size in bytes.
    size: usize,
    /// How many of its bytes are lines.
    filled: usize,
}

impl Reserve {
    /// Makes the file, with all its bytes on the disk: what happened so far, and the room for what is to come.
    pub(super) fn make(path: &Path, past: &[Event]) -> io::Result<Self> {
        let mut bytes = past.iter().map(line).collect::<io::Result<String>>()?.into_bytes();
        let base = bytes.len();
        bytes.resize(2 * base + ROOM, b' ');
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        // A strict umask must not keep the next process out.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        let made = file
            .write_all_at(&bytes, 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| path.parent().map_or(Ok(()), |above| File::open(above).and_then(|above| above.sync_all())));
        if let Err(error) = made {
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(Self { file, path: path.to_owned(), base, held: past.len(), size: bytes.len(), filled: base })
    }

    /// Adds an event behind the others. It is on the disk when this returns.
    pub(super) fn add(&mut self, event: &Event) -> io::Result<()> {
        let line = line(event)?;
        let end = self.filled + line.len();
        if end > self.size {
            return Err(io::Error::other("the room that was kept is used up"));
        }
        let offset = u64::try_from(self.filled).map_err(io::Error::other)?;
        self.file.write_all_at(line.as_bytes(), offset)?;
        self.file.sync_data()?;
        self.filled = end;
        Ok(())
    }

    /// Makes the room empty again, once the journal has all that it holds.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let offset = u64::try_from(self.base).map_err(io::Error::other)?;
        self.file.write_all_at(&vec![b' '; self.filled - self.base], offset)?;
        self.file.sync_data()?;
        self.filled = self.base;
        Ok(())
    }

    /// How many events it holds when its room is empty.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether the next command will find it: nobody removed it, moved it or put another in its place.
    pub(super) fn is_in_place(&self) -> bool {
        is_named(&self.file, &self.path).unwrap_or(false)
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn line(event: &Event) -> io::Result<String> {
    let data = event.to_data().map_err(io::Error::other)?;
    let text = format!("{} {} {data}", event.at, event.kind());
    Ok(format!("{} {text}\n", digest(&text)))
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// The events in a file, oldest first; none where there is no such file.
pub(super) fn read(path: &Path) -> io::Result<Vec<Event>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // Whole lines alone: what follows the last line feed was never finished.
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').map_while(|line| line.strip_suffix(b"\n"));
    Ok(lines.map_while(parse).collect())
}

fn parse(line: &[u8]) -> Option<Event> {
    let (sum, text) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    let mut words = text.splitn(3, ' ');
    let (at, kind, data) = (words.next()?, words.next()?, words.next()?);
    let event = Event::from_data(at.parse::<Timestamp>().ok()?, kind, data).ok()?;
    (sum == digest(text)).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Step;
    use crate::record::ExitStatus;

    fn exited(code: i32) -> Event {
        Event::new(Timestamp::UNIX_EPOCH, Step::Exited { status: ExitStatus::Code(code) })
    }

    #[test]
    fn what_is_written_in_place_reads_back_and_the_file_does_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reserve");
        assert_eq!(read(&path).unwrap(), []);
        let mut reserve = Reserve::make(&path, &[]).unwrap();
        assert_eq!(read(&path).unwrap(), []);
        for code in 0..3 {
            reserve.add(&exited(code)).unwrap();
        }
        assert_eq!(read(&path).unwrap(), [exited(0), exited(1), exited(2)]);
        assert_eq!(fs::metadata(&path).unwrap().len(), ROOM as u64);
        reserve.clear().unwrap();
        assert_eq!(read(&path).unwrap(), []);
        reserve.add(&exited(7)).unwrap();
        assert_eq!(read(&path).unwrap(), [exited(7)]);
    }

    #[test]
    fn a_torn_or_changed_line_ends_what_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reserve");
        let mut reserve = Reserve::make(&path, &[]).unwrap();
        reserve.add(&exited(3)).unwrap();
        let one = reserve.filled;
        reserve.add(&exited(4)).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in 0..reserve.filled {
            let mut torn = whole.clone();
            torn[cut..].fill(b' ');
            fs::write(&path, &torn).unwrap();
            assert_eq!(read(&path).unwrap().len(), usize::from(cut >= one), "cut at {cut}");
            let mut changed = whole.clone();
            changed[cut] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert_eq!(read(&path).unwrap().len(), usize::from(cut >= one), "changed at {cut}");
        }
    }

    #[test]
    fn it_says_where_the_room_ends() {
        let directory = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::make(&directory.path().join("reserve"), &[]).unwrap();
        let added = (0..1000).take_while(|_| reserve.add(&exited(0)).is_ok()).count();
        assert!((80..200).contains(&added), "{added}");
        assert!(reserve.filled <= ROOM);
    }
}
