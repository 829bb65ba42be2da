//! The entries of a report, put aside on the disk until all of them are there.
//!
//! What stands at the head of a report is known only at the end of the audit; so that the memory does not grow with the
//! history, the entries wait in a file without a name, which is gone with the process. Responsible for writing it, and
//! reading it on another thread than the one that makes the report of it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Entries;
use super::entry::TaskEntry;
use crate::audit::encoded::{EncodedInParts, InParts};

/// How many entries are read at a time, and how many such parts wait.
const AT_ONCE: usize = 64;
const AHEAD: usize = 4;

/// What stands before an entry: whether something was found on its task.
const FOUND: u8 = b'!';
const CLEAN: u8 = b' ';

/// Entries on the disk: a line for each, and one for its long part, which is empty where nobody asked for it.
pub struct Spool {
    file: RefCell<BufWriter<File>>,
}

impl Spool {
    /// A spool in this directory.
    ///
    /// # Errors
    /// Where no file can be made there.
    pub fn new(directory: &Path) -> io::Result<Self> {
        Ok(Self { file: RefCell::new(BufWriter::new(tempfile::tempfile_in(directory)?)) })
    }

    /// Puts an entry aside.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn push(&self, entry: &EncodedInParts<TaskEntry>) -> io::Result<()> {
        let mut file = self.file.borrow_mut();
        file.write_all(&[if entry.value().findings.is_empty() { CLEAN } else { FOUND }])?;
        for text in [entry.text(), entry.long().unwrap_or_default()] {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    fn read(&self, found: bool, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        let mut writer = self.file.borrow_mut();
        writer.flush()?;
        let mut file = writer.get_ref();
        file.seek(SeekFrom::Start(0))?;
        let (give, parts) = sync_channel(AHEAD);
        thread::scope(|scope| {
            scope.spawn(move || entries(file, found, &give));
            hand_out(parts, each)
        })?;
        // What is pushed now comes after what is there.
        file.seek(SeekFrom::End(0)).map(drop)
    }
}

/// Some entries, or why the rest cannot be read.
type Part = io::Result<Vec<TaskEntry>>;

/// Reads entries until all are read, or nobody takes them any more.
fn entries(file: &File, found: bool, give: &SyncSender<Part>) {
    let mut reader = BufReader::new(file);
    loop {
        let part = part(&mut reader, found);
        let last = !matches!(&part, Ok(entries) if !entries.is_empty());
        if give.send(part).is_err() || last {
            return;
        }
    }
}

/// The next entries; none at the end.
fn part(reader: &mut impl BufRead, found: bool) -> Part {
    let mut entries = Vec::with_capacity(AT_ONCE);
    let (mut line, mut long) = (Vec::new(), String::new());
    while entries.len() < AT_ONCE && reader.read_until(b'\n', &mut line)? > 0 {
        reader.read_line(&mut long)?;
        if let Some((mark, entry)) = line.split_first()
            && (!found || *mark == FOUND)
        {
            let mut entry: TaskEntry = serde_json::from_slice(entry)?;
            if long != "\n" {
                entry.add_long(&long)?;
            }
            entries.push(entry);
        }
        line.clear();
        long.clear();
    }
    Ok(entries)
}

/// Hands the entries out. The part without any is the last; where it does not come, the entries are not all there.
fn hand_out(parts: Receiver<Part>, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
    for part in parts {
        let part = part?;
        if part.is_empty() {
            return Ok(());
        }
        part.iter().try_for_each(&mut *each)?;
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

impl Entries for Spool {
    fn visit(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        self.read(false, each)
    }

    fn visit_found(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        self.read(true, each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Finding, Severity};
    use crate::ids::TaskId;
    use crate::report::html::tests::task;

    fn entry(number: u64) -> TaskEntry {
        let task = TaskId::new(number).unwrap();
        let drill = number.is_multiple_of(2);
        TaskEntry { task, restricted: false, title: None, drill, deploys: vec![], findings: vec![] }
    }

    /// One on which something was found.
    fn wrong() -> TaskEntry {
        let finding = Finding {
            name: "reason-missing",
            severity: Severity::Error,
            task: Some(TaskId::new(7).unwrap()),
            about: String::new(),
            deploy: None,
            transaction: None,
            time: jiff::Timestamp::UNIX_EPOCH,
            message: "there is none\nat all".into(),
        };
        TaskEntry { findings: vec![finding], ..entry(7) }
    }

    fn push(spool: &Spool, entry: TaskEntry) {
        spool.push(&EncodedInParts::new(entry).unwrap()).unwrap();
    }

    fn collect(visit: impl FnOnce(&mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()>) -> Vec<TaskEntry> {
        let mut seen = Vec::new();
        visit(&mut |entry| {
            seen.push(entry.clone());
            Ok(())
        })
        .unwrap();
        seen
    }

    #[test]
    fn what_was_put_aside_comes_back_in_order_as_often_as_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path()).unwrap();
        let all = || collect(|each| spool.visit(each));
        assert_eq!(all(), []);
        let many: Vec<_> = (1..=3 * AT_ONCE as u64).map(entry).collect();
        for entry in &many {
            push(&spool, entry.clone());
        }
        assert_eq!(all(), many);
        push(&spool, entry(1));
        assert_eq!(all(), [many, vec![entry(1)]].concat());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn details_come_back_where_they_are_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path()).unwrap();
        let whole = task("deployer1");
        let encoded = || EncodedInParts::new(whole.clone()).unwrap();
        assert!(encoded().long().unwrap().contains("none is given") && !encoded().text().contains("none is given"));
        spool.push(&encoded()).unwrap();
        spool.push(&encoded().without_long()).unwrap();
        let mut short = whole.clone();
        short.deploys[0].details = None;
        assert_eq!(collect(|each| spool.visit(each)), [whole.clone(), short]);
        // Those of other deploys than its own are nothing that can be read.
        let other = EncodedInParts::<TaskEntry>::read(encoded().text().to_owned(), Some("[]".to_owned())).unwrap();
        spool.push(&other).unwrap();
        assert!(spool.visit(&mut |_| Ok(())).is_err());
        assert!(other.into_value().is_err());
    }

    #[test]
    fn those_with_findings_are_handed_out_alone() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path()).unwrap();
        for number in 1..=3 * AT_ONCE as u64 {
            push(&spool, entry(number));
        }
        push(&spool, wrong());
        push(&spool, entry(9));
        assert_eq!(collect(|each| spool.visit_found(each)), [wrong()]);
    }

    #[test]
    fn an_error_of_the_receiver_ends_it() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(directory.path()).unwrap();
        for number in 1..=20 * AT_ONCE as u64 {
            push(&spool, entry(number));
        }
        let error = spool.visit(&mut |_| Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
