//! The entries of a report, put aside on the disk until all of them are there.
//!
//! What stands at the head of a report is known only at the end of the audit; so that the memory does not grow with the
//! history, the entries wait in a file without a name, which is gone with the process. In the room: writing and reading
//! it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::Entries;
use super::entry::TaskEntry;

/// Entries on the disk.
pub struct Spool {
    file: RefCell<BufWriter<File>>,
}

impl Spool {
    /// A spool in this folder.
    ///
    /// # Errors
    /// Where no file can be made there.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: RefCell::new(BufWriter::new(tempfile::tempfile_in(folder)?)) })
    }

    /// Puts an entry aside.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn push(&self, entry: &TaskEntry) -> io::Result<()> {
        let mut file = self.file.borrow_mut();
        serde_json::to_writer(&mut *file, entry)?;
        file.write_all(b"\n")
    }
}

impl Entries for Spool {
    fn visit(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        let mut writer = self.file.borrow_mut();
        writer.flush()?;
        let mut file = writer.get_ref();
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(file);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            each(&serde_json::from_str(&line)?)?;
            line.clear();
        }
        // What is pushed now comes after what is there.
        file.seek(SeekFrom::End(0)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TaskId;

    fn entry(number: u64) -> TaskEntry {
        let task = TaskId::new(number).unwrap();
        TaskEntry { task, restricted: false, drill: number.is_multiple_of(2), deploys: vec![], findings: vec![] }
    }

    #[test]
    fn what_was_put_aside_comes_back_in_order_as_often_as_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(folder.path()).unwrap();
        let all = || {
            let mut seen = Vec::new();
            let mut see = |entry: &TaskEntry| {
                seen.push(entry.clone());
                Ok(())
            };
            spool.visit(&mut see).unwrap();
            seen
        };
        assert_eq!(all(), []);
        spool.push(&entry(1)).unwrap();
        spool.push(&entry(2)).unwrap();
        assert_eq!(all(), [entry(1), entry(2)]);
        spool.push(&entry(3)).unwrap();
        assert_eq!(all(), [entry(1), entry(2), entry(3)]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
