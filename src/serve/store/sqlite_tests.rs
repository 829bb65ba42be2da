//! What the tables keep over a restart, an older program's file and a damaged one.

use super::*;

fn key(which: &str) -> NoticeKey {
    NoticeKey {
        task: TaskId::new(7).unwrap(),
        episode: TransactionId(3),
        kind: NoticeKind::Unread,
        which: which.into(),
    }
}

fn phid(text: &str) -> Phid<Task> {
    Phid::new(format!("PHID-TASK-{text}")).unwrap()
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut store = SqliteStore::open(&state).unwrap();
    let identity = store.identity().clone();
    assert_eq!(store.cursor().unwrap(), None);
    store.advance(TransactionId(9), &[phid("a"), phid("b")]).unwrap();
    store.wake(&[phid("b"), phid("c")]).unwrap();
    store.looked_at(&[phid("a")]).unwrap();
    let said = NoticeState::Said { transaction: TransactionId(4), at: "2026-11-27T03:00:00Z".parse().unwrap() };
    store.set_notice(&key("5"), &NoticeState::Absent).unwrap();
    store.set_notice(&key("5"), &said).unwrap();
    let counted = CountedApproval { transaction: TransactionId(8), team: "sre".into(), user: "sre1".into() };
    store.add_counted(key("5").task, TransactionId(3), std::slice::from_ref(&counted)).unwrap();
    store.add_counted(key("5").task, TransactionId(3), std::slice::from_ref(&counted)).unwrap();
    assert_eq!(store.take_sequence(100).unwrap(), 1);
    drop(store);
    let mut store = SqliteStore::open(&state).unwrap();
    assert_eq!(*store.identity(), identity);
    assert_eq!(store.cursor().unwrap(), Some(TransactionId(9)));
    assert_eq!(store.waiting().unwrap(), [phid("b"), phid("c")]);
    assert_eq!(store.notices(key("5").task).unwrap(), [(key("5"), said)]);
    assert!(store.notices(TaskId::new(8).unwrap()).unwrap().is_empty());
    assert_eq!(store.counted(key("5").task, TransactionId(3)).unwrap(), BTreeSet::from([counted]));
    assert!(store.counted(key("5").task, TransactionId(4)).unwrap().is_empty());
    assert_eq!(store.take_sequence(1).unwrap(), 101);
}

#[test]
fn what_paging_keeps_is_there_after_a_restart_and_goes_when_it_is_old() {
    use crate::paging::{Page, PageKey, PagerKind, Stage};
    use crate::serve::paging::{PageState, Receiver, SlotPhase};
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut store = SqliteStore::open(&state).unwrap();
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let (task, episode) = (TaskId::new(7).unwrap(), TransactionId(3));
    let slot = |team: &str, round, phase| Slot {
        team: team.into(),
        round,
        asked: at("2026-11-27T02:58:00.25Z"),
        since: at("2026-11-27T03:00:00Z"),
        phase,
    };
    let slots = [
        slot("sre", 2, SlotPhase::Missing),
        slot("releng", 1, SlotPhase::Paused { at: at("2026-11-27T03:04:00.5Z") }),
        slot("security", 0, SlotPhase::Over),
    ];
    store.set_slots(task, episode, &slots[..1]).unwrap();
    store.set_slots(task, episode, &slots).unwrap();
    let key = PageKey { task, episode, team: "sre".into(), round: 2, stage: Stage::Escalation };
    let (first, due) = (at("2026-11-27T03:31:00Z"), at("2026-11-27T03:30:00Z"));
    let row = |receiver| PageRow {
        page: Page { key: key.clone(), due, drill: true },
        receiver,
        first,
        state: PageState::Sending,
    };
    let rows = [row(Receiver::Pager(PagerKind::Webhook)), row(Receiver::Channel)];
    store.set_pages(&rows).unwrap();
    let resolved = rows[0].now(PageState::Sending.resolved(at("2026-11-27T03:40:00Z")));
    store.set_pages(std::slice::from_ref(&resolved)).unwrap();
    let ack = Ack { team: "sre".into(), by: "sre1".into(), at: first };
    store.add_ack(task, &ack).unwrap();
    drop(store);
    let mut store = SqliteStore::open(&state).unwrap();
    let kept = store.paging().unwrap();
    assert_eq!(kept.slots, [((task, episode), slots.to_vec())].into());
    assert_eq!(kept.rows, [resolved, rows[1].clone()].map(|row| (row.id(), row)).into());
    assert_eq!(kept.acks, [(task, vec![ack])].into());
    store.forget_paging(at("2026-11-27T03:00:00Z")).unwrap();
    assert_eq!(store.paging().unwrap(), kept);
    store.forget_paging(at("2026-12-27T03:00:00Z")).unwrap();
    let left = store.paging().unwrap();
    assert_eq!(left.rows.len(), 1, "what is open is kept");
    assert_eq!((left.slots.len(), left.acks.len()), (1, 0));
}

#[test]
fn a_store_of_before_is_brought_to_the_present() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    safe_path::private_directory(&state, Trust::of_process()).unwrap();
    let connection = Connection::open(state.join("watch.sqlite3")).unwrap();
    connection.execute_batch(&format!("{}; PRAGMA user_version = 1", MIGRATIONS[0])).unwrap();
    connection
        .execute("INSERT INTO identity (one, id, first_start) VALUES (1, 'ours', '2026-11-27T03:00:00Z')", [])
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&state).unwrap();
    assert_eq!(store.identity().id, StoreId::kept("ours".into()));
    assert_eq!(store.paging().unwrap(), Kept::default());
    assert!(store.open_spoken().unwrap().is_empty());
}

#[test]
fn a_pipeline_that_asks_again_gets_its_deploy_and_the_first_end_stands() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&directory.path().join("state")).unwrap();
    let remote = RemoteDeploy {
        deploy: DeployId::fresh(),
        task: TaskId::new(7).unwrap(),
        token: "pipeline".into(),
        key: "job-1".into(),
        asked: "00".into(),
        silence: 60,
        expires: "2026-11-27T03:00:00Z".parse().unwrap(),
        ended: None,
    };
    assert_eq!(store.add_remote(&remote).unwrap(), None);
    let again = RemoteDeploy { deploy: DeployId::fresh(), asked: "01".into(), ..remote.clone() };
    assert_eq!(store.add_remote(&again).unwrap(), Some(remote.clone()));
    let other = RemoteDeploy { deploy: DeployId::fresh(), token: "another".into(), ..remote.clone() };
    assert_eq!(store.add_remote(&other).unwrap(), None, "each token has its own keys");
    let later = "2026-11-27T04:00:00Z".parse().unwrap();
    store.renew_remote(remote.deploy, later).unwrap();
    assert_eq!(store.remote(remote.deploy).unwrap().unwrap().expires, later);
    assert_eq!(store.end_remote(remote.deploy, "exit 0").unwrap(), "exit 0");
    assert_eq!(store.end_remote(remote.deploy, "exit 1").unwrap(), "exit 0");
    assert_eq!(store.open_remotes().unwrap(), std::slice::from_ref(&other));
    store.forget_remote(other.deploy).unwrap();
    assert_eq!(store.add_remote(&other).unwrap(), None, "its key is free again");
}

#[test]
fn two_never_serve_from_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let store = SqliteStore::open(&state).unwrap();
    assert!(matches!(SqliteStore::open(&state), Err(StoreError::InUse { .. })));
    drop(store);
    assert!(SqliteStore::open(&state).is_ok());
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    drop(SqliteStore::open(&state).unwrap());
    let connection = Connection::open(state.join("watch.sqlite3")).unwrap();
    connection.execute_batch(&format!("PRAGMA user_version = {}", VERSION + 1)).unwrap();
    assert!(matches!(SqliteStore::open(&state), Err(StoreError::Newer { .. })));
}
