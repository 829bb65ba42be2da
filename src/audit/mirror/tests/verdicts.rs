//! The verdicts that are kept, and the measure.

use super::*;
use crate::audit::memory::Memory;

/// The long part of a verdict.
const LONG: &str = r#"["at length"]"#;

#[test]
fn what_was_found_stands_until_something_changes_that_it_rests_on() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    let judge = |found: &str| {
        let task = bench.visit(&sync).remove(0);
        let verdicts = bench.mirror.verdicts(CacheKey(vec![1])).unwrap();
        verdicts.keep([(task.id, task.version, found, LONG)]).unwrap();
    };
    let known = |sync: &SyncRun| bench.visit(sync)[0].entry.clone().map(|entry| (entry.text, entry.long.unwrap()));
    assert_eq!(known(&sync), None);
    judge("clean");
    assert_eq!(known(&sync), Some(("clean".to_owned(), LONG.to_owned())));
    bench
        .mirror
        .connection
        .execute_batch(
            "ALTER TABLE verdict_long RENAME TO aside; CREATE TABLE verdict_long AS SELECT * FROM aside WHERE false;",
        )
        .unwrap();
    assert_eq!(known(&sync), None, "without its long part it is none where that is asked for");
    bench
        .mirror
        .connection
        .execute_batch("DROP TABLE verdict_long; ALTER TABLE aside RENAME TO verdict_long;")
        .unwrap();
    assert!(known(&sync).is_some());
    let cut = |to: &str| bench.mirror.connection.execute("UPDATE verdict_long SET text = ?1", [to]).unwrap();
    cut(&LONG[1..]);
    assert_eq!(known(&sync), None, "with a damaged one too");
    cut(LONG);
    // By another measure it is judged anew.
    assert_eq!(bench.visit_by(&sync, &CacheKey(vec![2]))[0].entry, None);
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
    bench.mirror.verdicts(CacheKey(vec![1])).unwrap().keep([(before.id, before.version, "late", "")]).unwrap();
    assert_eq!(known(&next), None);
}

#[test]
fn whatever_tasks_share_is_part_of_the_measure() {
    let history = History::new("deployer1");
    let tag = Tag { phid: project("emergency"), family: [project("emergency")].into() };
    let facts = ServerFacts {
        owner: history.account("phabgate"),
        tag,
        projects: BTreeMap::new(),
        statuses: BTreeMap::new(),
        recorders: vec![],
        earlier_tags: vec![],
        unknown: vec![],
    };
    let nothing = Memory::default();
    let accounts = BTreeMap::from([(person("sre1"), history.account("sre1"))]);
    let measure = CacheKey::of(&history.policy, &facts, &accounts, &nothing).unwrap();
    assert_eq!(CacheKey::of(&history.policy, &facts, &accounts, &nothing).unwrap(), measure);
    let mut policy = history.policy.clone();
    policy.accept_attested = !policy.accept_attested;
    assert_ne!(CacheKey::of(&policy, &facts, &accounts, &nothing).unwrap(), measure);
    let closed = ServerFacts { statuses: BTreeMap::from([("resolved".to_owned(), true)]), ..facts.clone() };
    assert_ne!(CacheKey::of(&history.policy, &closed, &accounts, &nothing).unwrap(), measure);
    let disabled = BTreeMap::from([(person("sre1"), history.account("gone"))]);
    assert_ne!(CacheKey::of(&history.policy, &facts, &disabled, &nothing).unwrap(), measure);
}
