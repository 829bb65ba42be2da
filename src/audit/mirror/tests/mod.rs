//! The mirror on the disk: what it keeps, what it has read again, and what it never loses.
//!
//! Responsible for a bench to work at, and the histories. Beside it: its file and its runs, and the verdicts.

mod runs;
mod verdicts;

use std::collections::BTreeMap;

use super::lost::{Denied, Lost};
use super::*;
use crate::audit::encoded::Encoded;
use crate::audit::error::AuditError;
use crate::audit::testing::facts;
use crate::conduit::{self, CommentVersion, Task};
use crate::evidence::testing::{History, at, person, project};
use crate::ids::Phid;

fn server() -> Url {
    Url::parse("https://phabricator.example.org/").unwrap()
}

struct Bench {
    directory: tempfile::TempDir,
    mirror: Mirror,
    policy: Policy,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&directory.path().join("mirror"), &server()).unwrap();
        Self { directory, mirror, policy: History::new("deployer1").policy }
    }

    /// Lists a task, at this second, in a new run.
    fn list(&self, task: &Task, second: i64) -> SyncRun {
        let sync = self.mirror.begin(&self.policy, at(second)).unwrap();
        self.mirror.list(&sync, &[Encoded::new(task.clone()).unwrap()], at(second), true).unwrap();
        sync
    }

    fn pending(&self, sync: &SyncRun) -> usize {
        let pending = self.mirror.pending(sync, None, 10).unwrap();
        assert_eq!(pending.len(), self.mirror.pending_count(sync).unwrap());
        pending.len()
    }

    fn keep(&self, sync: &SyncRun, history: &History) {
        let history_rows = history.timeline().transactions().to_vec();
        let read = Read {
            history: Some(super::StoredHistory::new(history_rows).unwrap()),
            trouble: None,
            ..Read::failed(history.task(), String::new())
        };
        self.mirror.keep(sync, vec![read]).unwrap();
    }

    fn end(&self, sync: &SyncRun) {
        let population = self.mirror.population(sync).unwrap();
        self.mirror.end(sync, &self.policy, &facts(&self.policy), &population).unwrap();
    }

    fn visit(&self, sync: &SyncRun) -> Vec<Mirrored> {
        self.visit_by(sync, &CacheKey(vec![1]))
    }

    fn visit_by(&self, sync: &SyncRun, measure: &CacheKey) -> Vec<Mirrored> {
        visit(&self.mirror, sync, measure)
    }
}

fn visit(mirror: &Mirror, sync: &SyncRun, measure: &CacheKey) -> Vec<Mirrored> {
    let mut all = Vec::new();
    let each = |mut some: Vec<Mirrored>| {
        all.append(&mut some);
        Ok(())
    };
    mirror.visit::<AuditError>(sync, measure, true, 2, each).unwrap();
    all
}

/// A task that was last changed at 50, with a comment.
fn task_state() -> History {
    let mut history = History::emergency();
    history.comment("sre1", 10, "Emergency-Approve: sre");
    history.task.modified = at(50);
    history
}

/// The comments among these as they are compared.
fn seen(rows: &[conduit::Transaction]) -> Vec<FetchedComment> {
    rows.iter().filter(|row| !row.comments.is_empty()).cloned().map(FetchedComment::new).collect()
}

#[test]
fn what_did_not_change_is_not_read_again_and_what_did_is() {
    let bench = Bench::new();
    let mut history = task_state();
    let sync = bench.list(&history.task(), 100);
    assert_eq!(bench.pending(&sync), 1);
    bench.keep(&sync, &history);
    assert_eq!(bench.pending(&sync), 0);
    assert_eq!(bench.pending(&bench.list(&history.task(), 200)), 0);
    history.task.modified = at(250);
    assert_eq!(bench.pending(&bench.list(&history.task(), 300)), 1);
}

#[test]
fn what_changed_in_the_second_of_the_look_is_read_again() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 50);
    bench.keep(&sync, &history);
    assert_eq!(bench.pending(&bench.list(&history.task(), 200)), 1);
}

#[test]
fn what_could_not_be_read_is_not_judged_and_is_tried_again() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    let trouble = "the server answered nothing".to_owned();
    bench.mirror.keep(&sync, vec![Read::failed(history.task(), trouble)]).unwrap();
    assert_eq!(bench.visit(&sync)[0].trouble.as_deref(), Some("the server answered nothing"));
    // Once a run is enough.
    assert_eq!(bench.pending(&sync), 0);
    let next = bench.list(&history.task(), 200);
    assert_eq!(bench.pending(&next), 1);
    bench.keep(&next, &history);
    assert_eq!(bench.visit(&next)[0].trouble, None);
}

#[test]
fn the_comments_of_unchanged_tasks_are_looked_at_once_a_run() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    // They were just read.
    let unchecked = |sync: &SyncRun| bench.mirror.unchecked(sync, CommentCursor::default(), 10).unwrap().0.len();
    assert_eq!(unchecked(&sync), 0);
    let next = bench.list(&history.task(), 200);
    let (known, last) = bench.mirror.unchecked(&next, CommentCursor::default(), 10).unwrap();
    assert_eq!((known.len(), unchecked(&next), bench.mirror.unchecked_at_most().unwrap()), (1, 1, 1));
    bench.mirror.compare(&next, &seen(history.timeline().transactions())).unwrap();
    assert_eq!((unchecked(&next), bench.mirror.unchecked_at_most().unwrap()), (0, 0));
    assert!(bench.mirror.unchecked(&bench.list(&history.task(), 300), last, 10).unwrap().0.is_empty());
}

#[test]
fn a_text_that_the_server_blanks_is_kept() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    let next = bench.list(&history.task(), 200);
    let mut row = history.timeline().transactions().last().unwrap().clone();
    let gone = CommentVersion::new(2, "PHID-USER-admin", at(150), true, "");
    row.comments = vec![gone, CommentVersion::new(1, "PHID-USER-sre1", at(10), false, "")];
    for _ in 0..2 {
        bench.mirror.compare(&next, &seen(std::slice::from_ref(&row))).unwrap();
    }
    let (_, now, lost) = bench.visit(&next)[0].open().unwrap();
    assert!(now.last().unwrap().comments[0].removed);
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].noticed, at(200));
    let Denied::Removed(versions) = &lost[0].denied else { panic!("{:?}", lost[0]) };
    assert_eq!(versions[0].text(), "Emergency-Approve: sre");
    // Should the server return the text again, it is the removal that it denies.
    bench.mirror.compare(&next, &seen(history.timeline().transactions())).unwrap();
    let lost = bench.visit(&next)[0].open().unwrap().2;
    assert!(matches!(&lost[..], [Lost { denied: Denied::Comment(versions), .. }] if versions[0].removed), "{lost:?}");
}

#[test]
fn a_transaction_that_is_gone_puts_its_task_in_doubt_and_is_kept() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    let next = bench.list(&history.task(), 200);
    let (known, _) = bench.mirror.unchecked(&next, CommentCursor::default(), 10).unwrap();
    bench.mirror.mark_missing(&known).unwrap();
    assert_eq!(bench.pending(&next), 1);
    let mut rows = history.timeline().transactions().to_vec();
    rows.pop();
    let read = Read {
        history: Some(super::StoredHistory::new(rows).unwrap()),
        trouble: None,
        ..Read::failed(history.task(), String::new())
    };
    bench.mirror.keep(&next, vec![read]).unwrap();
    let lost = bench.visit(&next)[0].open().unwrap().2;
    assert_eq!((lost.len(), &lost[0].denied), (1, &Denied::Transaction));
}

#[test]
fn what_was_written_until_a_task_is_seen_open_stays_hidden() {
    let mut history = task_state();
    history.comment("sre1", 250, "Emergency-Approve: sre");
    history.comment("sre1", 350, "It holds.");
    let (open, id) = (history.task(), number(history.task().id.number()));
    let restricted = Task { view: "admin".into(), ..open.clone() };
    let rows = history.timeline().transactions().to_vec();
    let (said, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| !row.comments.is_empty());
    // When those are hidden that were written at 10, 250 and 350, after these looks.
    let hidden = |looks: &[(&Task, i64)]| {
        let bench = Bench::new();
        let last = looks.iter().map(|(task, second)| bench.list(task, *second)).last().unwrap();
        bench.keep(&last, &history);
        bench.mirror.put_aside(&last, id, &said, &rest).unwrap();
        bench.mirror.write_history(id, &serde_json::to_string(&rest).unwrap()).unwrap();
        let lost = bench.visit(&last).remove(0).open().unwrap().2;
        lost.iter().map(|lost| lost.hidden).collect::<Vec<_>>()
    };
    assert_eq!(hidden(&[(&open, 400)]), [false, false, false]);
    assert_eq!(hidden(&[(&restricted, 400)]), [true, true, true]);
    // The second was written between two looks: it may have been before the task was opened.
    assert_eq!(hidden(&[(&restricted, 200), (&open, 300), (&open, 400)]), [true, true, false]);
    assert_eq!(hidden(&[(&open, 200), (&restricted, 300), (&restricted, 360), (&open, 400)]), [true, true, true]);
}
