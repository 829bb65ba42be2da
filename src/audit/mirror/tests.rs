//! The mirror on the disk: what it keeps, what it has read again, and what it never loses.

use std::collections::BTreeMap;

use super::lost::{Denied, Lost};
use super::*;
use crate::audit::population::AuditError;
use crate::conduit::{self, CommentVersion, Task};
use crate::evidence::testing::{History, at, person, project};
use crate::ids::Phid;

fn server() -> Url {
    Url::parse("https://phabricator.example.org/").unwrap()
}

struct Bench {
    folder: tempfile::TempDir,
    mirror: Mirror,
    policy: Policy,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror"), &server()).unwrap();
        Self { folder, mirror, policy: History::new("deployer1").policy }
    }

    /// Lists a task, at this second, in a new run.
    fn list(&self, task: &Task, second: i64) -> Sync {
        let sync = self.mirror.begin(&self.policy, at(second)).unwrap();
        self.mirror.list(&sync, vec![Written::new(task.clone())], at(second), true).unwrap();
        sync
    }

    fn pending(&self, sync: &Sync) -> usize {
        let pending = self.mirror.pending(sync, None, 10).unwrap();
        assert_eq!(pending.len(), self.mirror.pending_count(sync).unwrap());
        pending.len()
    }

    fn keep(&self, sync: &Sync, history: &History) {
        let history_rows = history.timeline().transactions().to_vec();
        let read = Read {
            history: Some(Written::new(history_rows)),
            trouble: None,
            ..Read::failed(history.task(), String::new())
        };
        self.mirror.keep(sync, vec![read]).unwrap();
    }

    fn end(&self, sync: &Sync) {
        let account = History::new("deployer1").account("phabgate");
        let tag = Tag { phid: project("emergency"), family: [project("emergency")].into() };
        let team = |name: &str| Project {
            phid: project(name),
            name: name.into(),
            members: vec![],
            ancestors: vec![],
            join: "users".into(),
            edit: "users".into(),
        };
        let projects = self.policy.teams.iter().map(|of| (of.project.clone(), team(&of.key))).collect();
        let facts = Facts { owner: account, tag, projects, statuses: BTreeMap::new(), recorders: vec![] };
        self.mirror.end(sync, &facts, &self.mirror.population(sync).unwrap()).unwrap();
    }

    fn visit(&self, sync: &Sync) -> Vec<Mirrored> {
        self.visit_by(sync, &Measure(vec![1]))
    }

    fn visit_by(&self, sync: &Sync, measure: &Measure) -> Vec<Mirrored> {
        visit(&self.mirror, sync, measure)
    }
}

fn visit(mirror: &Mirror, sync: &Sync, measure: &Measure) -> Vec<Mirrored> {
    let mut all = Vec::new();
    let each = |mut some: Vec<Mirrored>| {
        all.append(&mut some);
        Ok(())
    };
    mirror.visit::<AuditError>(sync, measure, 2, each).unwrap();
    all
}

/// A task that was last changed at 50, with a comment.
fn story() -> History {
    let mut history = History::emergency();
    history.comment("sre1", 10, "Emergency-Approve: sre");
    history.task.modified = at(50);
    history
}

/// The comments among these as they are compared.
fn seen(rows: &[conduit::Transaction]) -> Vec<Seen> {
    rows.iter().filter(|row| !row.comments.is_empty()).cloned().map(Seen::new).collect()
}

#[test]
fn what_did_not_change_is_not_read_again_and_what_did_is() {
    let bench = Bench::new();
    let mut history = story();
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
    let history = story();
    let sync = bench.list(&history.task(), 50);
    bench.keep(&sync, &history);
    assert_eq!(bench.pending(&bench.list(&history.task(), 200)), 1);
}

#[test]
fn what_could_not_be_read_is_not_judged_and_is_tried_again() {
    let bench = Bench::new();
    let history = story();
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
    let history = story();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    // They were just read.
    assert_eq!(bench.mirror.unchecked_count(&sync).unwrap(), 0);
    let next = bench.list(&history.task(), 200);
    let known = bench.mirror.unchecked(&next, None, 10).unwrap();
    assert_eq!((known.len(), bench.mirror.unchecked_count(&next).unwrap()), (1, 1));
    bench.mirror.compare(&next, &seen(history.timeline().transactions())).unwrap();
    assert_eq!(bench.mirror.unchecked_count(&next).unwrap(), 0);
    assert!(bench.mirror.unchecked(&bench.list(&history.task(), 300), Some(known[0].id), 10).unwrap().is_empty());
}

#[test]
fn a_text_that_the_server_blanks_is_kept() {
    let bench = Bench::new();
    let history = story();
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
    // Should the server tell the text again, it is the removal that it denies.
    bench.mirror.compare(&next, &seen(history.timeline().transactions())).unwrap();
    let lost = bench.visit(&next)[0].open().unwrap().2;
    assert!(matches!(&lost[..], [Lost { denied: Denied::Comment(versions), .. }] if versions[0].removed), "{lost:?}");
}

#[test]
fn a_transaction_that_is_gone_puts_its_task_in_doubt_and_is_kept() {
    let bench = Bench::new();
    let history = story();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    let next = bench.list(&history.task(), 200);
    let known = bench.mirror.unchecked(&next, None, 10).unwrap();
    bench.mirror.miss(&known).unwrap();
    assert_eq!(bench.pending(&next), 1);
    let mut rows = history.timeline().transactions().to_vec();
    rows.pop();
    let read = Read { history: Some(Written::new(rows)), trouble: None, ..Read::failed(history.task(), String::new()) };
    bench.mirror.keep(&next, vec![read]).unwrap();
    let lost = bench.visit(&next)[0].open().unwrap().2;
    assert_eq!((lost.len(), &lost[0].denied), (1, &Denied::Transaction));
}

#[test]
fn who_once_belonged_is_counted_for_ever() {
    let bench = Bench::new();
    let history = story();
    bench.list(&history.task(), 100);
    let next = bench.mirror.begin(&bench.policy, at(200)).unwrap();
    let recorded: Phid<crate::ids::Task> = Phid::new("PHID-TASK-2").unwrap();
    bench.mirror.record(&next, [&recorded]).unwrap();
    let unlisted = bench.mirror.unlisted(&next, "", 10).unwrap();
    assert_eq!(unlisted, [history.task().phid, recorded]);
    assert_eq!(bench.mirror.unlisted(&next, unlisted[0].as_str(), 10).unwrap().len(), 1);
    let population = bench.mirror.population(&next).unwrap();
    assert_eq!((population.tagged, population.unseen), (0, 2));
    bench.mirror.list(&next, vec![Written::new(history.task())], at(200), false).unwrap();
    let population = bench.mirror.population(&next).unwrap();
    assert_eq!((population.recorded, population.mirrored, population.unseen), (0, 1, 1));
}

#[test]
fn a_run_that_did_not_end_cannot_be_judged_and_the_last_that_did_can() {
    let bench = Bench::new();
    let history = story();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    assert!(matches!(bench.mirror.last(&bench.policy), Err(MirrorError::Empty { .. })));
    bench.end(&sync);
    bench.list(&history.task(), 200);
    let filled = bench.mirror.last(&bench.policy).unwrap();
    assert_eq!((filled.sync.now, filled.population.tagged), (at(100), 1));
    assert_eq!(bench.visit(&filled.sync).len(), 1);
    let mut other = bench.policy.clone();
    other.tag = "another".into();
    assert!(matches!(bench.mirror.last(&other), Err(MirrorError::Empty { .. })));
    let mut other = bench.policy.clone();
    other.teams[0].project = "nobody-asked".into();
    assert!(matches!(bench.mirror.last(&other), Err(MirrorError::NoProject { .. })));
}

#[test]
fn accounts_are_those_of_the_last_look() {
    let bench = Bench::new();
    let history = History::new("deployer1");
    let people = [person("sre1"), person("sre2")];
    bench.mirror.mention(&people).unwrap();
    assert_eq!(bench.mirror.people().unwrap(), people);
    bench.mirror.meet(&people, &[history.account("sre1"), history.account("sre2")]).unwrap();
    assert_eq!(bench.mirror.accounts().unwrap().len(), 2);
    bench.mirror.meet(&people, &[history.account("sre2")]).unwrap();
    assert_eq!(bench.mirror.accounts().unwrap().into_keys().collect::<Vec<_>>(), [person("sre2")]);
}

#[test]
fn it_is_one_file_for_whoever_opens_it_and_one_fills_it() {
    let bench = Bench::new();
    let folder = bench.folder.path().join("mirror");
    let other = Mirror::open(&folder, &server()).unwrap();
    let held = bench.mirror.lock(|| panic!("nobody has it")).unwrap();
    std::thread::scope(|scope| {
        let (told, waits) = std::sync::mpsc::channel();
        let path = other.path().to_owned();
        let second = scope.spawn(move || folder::lock(&path, folder::Lock::Fill, || told.send(()).unwrap()).map(drop));
        waits.recv().unwrap();
        drop(held);
        second.join().unwrap().unwrap();
    });
    // What is judged is of one state.
    let history = story();
    let sync = bench.list(&history.task(), 100);
    let snapshot = other.snapshot().unwrap();
    bench.keep(&sync, &history);
    let seen = |mirror: &Mirror| visit(mirror, &sync, &Measure(vec![1]))[0].trouble.clone();
    assert_eq!(seen(&other).as_deref(), Some(members::NOT_READ));
    drop(snapshot);
    assert_eq!(seen(&other), None);
}

#[test]
fn a_mirror_of_a_newer_version_is_left_alone() {
    let bench = Bench::new();
    bench.mirror.connection.pragma_update(None, "user_version", 99).unwrap();
    let again = Mirror::open(&bench.folder.path().join("mirror"), &server());
    assert!(matches!(again, Err(MirrorError::Newer { found: 99, .. })));
}

#[test]
fn what_was_found_stands_until_something_changes_that_it_rests_on() {
    let bench = Bench::new();
    let history = story();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    let judge = |found: &str| {
        let task = bench.visit(&sync).remove(0);
        let verdicts = bench.mirror.verdicts(Measure(vec![1])).unwrap();
        verdicts.keep([(task.id, task.version, found)]).unwrap();
    };
    let known = |sync: &Sync| bench.visit(sync)[0].entry.clone();
    assert_eq!(known(&sync), None);
    judge("clean");
    assert_eq!(known(&sync).as_deref(), Some("clean"));
    // By another measure it is judged anew.
    assert_eq!(bench.visit_by(&sync, &Measure(vec![2]))[0].entry, None);
    // So it is where the task, its history, or a comment changed, or the server denies something.
    let mut changed = history.clone();
    changed.task.modified = at(150);
    let next = bench.list(&changed.task(), 200);
    assert_eq!(known(&next), None);
    bench.keep(&next, &changed);
    judge("clean again");
    assert!(known(&next).is_some());
    let mut row = history.timeline().transactions().last().unwrap().clone();
    row.comments.insert(0, CommentVersion::new(2, "PHID-USER-sre1", at(160), false, "Never mind."));
    bench.mirror.compare(&next, &seen(std::slice::from_ref(&row))).unwrap();
    assert_eq!(known(&next), None);
    judge("edited");
    row.comments.remove(1);
    bench.mirror.compare(&next, &seen(&[row])).unwrap();
    assert_eq!(known(&next), None);
    // A verdict on a version that is no more is passed over.
    let before = bench.visit(&next).remove(0);
    bench.mirror.compare(&next, &seen(history.timeline().transactions())).unwrap();
    bench.mirror.verdicts(Measure(vec![1])).unwrap().keep([(before.id, before.version, "late")]).unwrap();
    assert_eq!(known(&next), None);
}

#[test]
fn whatever_tasks_share_is_part_of_the_measure() {
    let history = History::new("deployer1");
    let tag = Tag { phid: project("emergency"), family: [project("emergency")].into() };
    let facts = Facts {
        owner: history.account("phabgate"),
        tag,
        projects: BTreeMap::new(),
        statuses: BTreeMap::new(),
        recorders: vec![],
    };
    let accounts = BTreeMap::from([(person("sre1"), history.account("sre1"))]);
    let measure = Measure::of(&history.policy, &facts, &accounts).unwrap();
    assert_eq!(Measure::of(&history.policy, &facts, &accounts).unwrap(), measure);
    let mut policy = history.policy.clone();
    policy.accept_attested = !policy.accept_attested;
    assert_ne!(Measure::of(&policy, &facts, &accounts).unwrap(), measure);
    let closed = Facts { statuses: BTreeMap::from([("resolved".to_owned(), true)]), ..facts.clone() };
    assert_ne!(Measure::of(&history.policy, &closed, &accounts).unwrap(), measure);
    let disabled = BTreeMap::from([(person("sre1"), history.account("gone"))]);
    assert_ne!(Measure::of(&history.policy, &facts, &disabled).unwrap(), measure);
}
