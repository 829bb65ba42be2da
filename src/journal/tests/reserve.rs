//! The room that is kept beside the journal for how a command ends: where the journal takes no writes any more.

use std::fs;
use std::path::Path;

use super::*;
use crate::record::Event::Finished;

/// A run whose command is under way, and its owner.
fn under_way(dir: &Path) -> (Journal, Ownership) {
    let mut journal = Journal::open(dir).unwrap();
    let owner = journal.own(deploy()).unwrap();
    for event in &whole_run()[..6] {
        write_as(&mut journal, &owner, event);
    }
    (journal, owner)
}

/// The rest of a run, from the end of its command on.
fn rest(journal: &mut Journal, owner: &Ownership) {
    for event in &whole_run()[6..] {
        write_as(journal, owner, event);
    }
}

#[test]
fn room_is_kept_while_a_command_runs_and_given_up_once_all_is_said() {
    let (_above, dir) = state_directory();
    let (mut journal, owner) = under_way(&dir);
    assert_eq!(mode(&reserve_file(&dir)), 0o600);
    rest(&mut journal, &owner);
    assert_eq!(journal.kept(), Kept::InJournal);
    assert!(!reserve_file(&dir).exists());
}

#[test]
fn where_no_room_can_be_kept_no_command_is_started() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let owner = journal.own(deploy()).unwrap();
    for event in &whole_run()[..4] {
        write_as(&mut journal, &owner, event);
    }
    fs::create_dir(reserve_file(&dir)).unwrap();
    let error = journal.step(&owner, at(4), Step::Spawning).unwrap_err();
    assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
    fs::remove_dir(reserve_file(&dir)).unwrap();
    assert_eq!(journal.state(deploy()).unwrap().stage(), &Stage::NotStarted { why: None });
    // That is known before anything is journalled or posted, and the trial leaves nothing behind.
    journal.probe().unwrap();
    let trial = dir.join("deploys/trial.reserve");
    assert!(!trial.exists());
    fs::create_dir(trial).unwrap();
    let error = journal.probe().unwrap_err();
    assert!(matches!(error, JournalError::NoRoom { .. }), "{error}");
}

#[test]
fn what_a_locked_journal_does_not_take_is_kept_beside_it_and_taken_in_by_the_next() {
    let (_above, dir) = state_directory();
    let (mut journal, owner) = under_way(&dir);
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    rest(&mut journal, &owner);
    assert!(matches!(journal.kept(), Kept::Beside { .. }), "{:?}", journal.kept());
    let whole = DeployState::from_events(&whole_run()).unwrap();
    assert_eq!(journal.state(deploy()).unwrap(), whole, "this process goes on as ever");
    drop((journal, owner));
    // Who only reads sees it already, whatever the index of the database says.
    backup.execute_batch("ROLLBACK").unwrap();
    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
    assert_eq!(reader.state(deploy()).unwrap(), whole);
    assert_eq!(reader.outbox().unwrap(), []);
    let mut next = Journal::open(&dir).unwrap();
    assert_eq!(next.recover_stranded(at(90), WAIT).unwrap(), [TakenOver::TakenIn(deploy())]);
    assert_eq!(next.events(deploy()).unwrap(), whole_run());
    assert!(!reserve_file(&dir).exists());
    assert_eq!(next.recover_stranded(at(91), WAIT).unwrap(), []);
}

#[test]
fn a_gate_that_dies_at_any_word_beside_the_journal_leaves_the_truth() {
    for words in 0..=5 {
        let (_above, dir) = state_directory();
        let (mut journal, owner) = under_way(&dir);
        let backup = raw(&dir);
        backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
        for event in whole_run().iter().skip(6).take(words) {
            write_as(&mut journal, &owner, event);
        }
        drop((journal, owner));
        backup.execute_batch("ROLLBACK").unwrap();
        let mut next = Journal::open(&dir).unwrap();
        next.recover_stranded(at(90), WAIT).unwrap();
        let state = next.state(deploy()).unwrap();
        assert_eq!(state.end().is_some(), words > 0, "{words}");
        if words > 0 {
            let finished = &state.record(Finished).unwrap().record;
            assert_eq!((finished.outcome, finished.exit), (Some(Outcome::Succeeded), Some(ExitStatus::Code(0))));
        }
        let delivered =
            matches!(state.record(Finished).map(|outgoing| &outgoing.delivery), Some(DeliveryState::Delivered { .. }));
        assert_eq!(delivered, words == 5);
    }
}

#[test]
fn a_journal_that_takes_writes_again_gets_all_that_it_missed() {
    let (_above, dir) = state_directory();
    let (mut journal, owner) = under_way(&dir);
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    write_as(&mut journal, &owner, &whole_run()[6]);
    assert!(matches!(journal.kept(), Kept::Beside { .. }));
    backup.execute_batch("ROLLBACK").unwrap();
    write_as(&mut journal, &owner, &whole_run()[7]);
    assert_eq!(journal.kept(), Kept::InJournal);
    drop((journal, owner));
    let next = Journal::open(&dir).unwrap();
    assert_eq!(next.events(deploy()).unwrap(), whole_run()[..8]);
}

#[test]
fn what_was_taken_in_and_stays_beside_the_journal_is_not_taken_in_twice() {
    let (_above, dir) = state_directory();
    let (mut journal, owner) = under_way(&dir);
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    write_as(&mut journal, &owner, &whole_run()[6]);
    let file = fs::read(reserve_file(&dir)).unwrap();
    backup.execute_batch("ROLLBACK").unwrap();
    write_as(&mut journal, &owner, &whole_run()[7]);
    drop((journal, owner));
    fs::write(reserve_file(&dir), file).unwrap();
    let mut next = Journal::open(&dir).unwrap();
    next.recover_stranded(at(90), WAIT).unwrap();
    let kinds: Vec<_> = next.events(deploy()).unwrap().iter().skip(6).map(Event::kind).collect();
    assert_eq!(kinds, ["exited", "queued", "closed"]);
}

#[test]
fn what_neither_takes_is_known_to_the_process_and_said() {
    let (_above, dir) = state_directory();
    let (mut journal, owner) = under_way(&dir);
    // More than the room that was kept.
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    write_as(&mut journal, &owner, &whole_run()[6]);
    let Step::Queued { mut record } = finished(Outcome::Succeeded, Some(ExitStatus::Code(0))) else { unreachable!() };
    record.note = Some("long ".repeat(8000));
    journal.step(&owner, at(7), Step::Queued { record }).unwrap();
    let Kept::Nowhere { why } = journal.kept() else { panic!("{:?}", journal.kept()) };
    assert!(why.contains("in use by another process") && why.contains(".reserve"), "{why}");
    assert_eq!(journal.state(deploy()).unwrap().outbox().len(), 1, "it can be posted all the same");
}

#[test]
fn a_deploy_outlives_the_loss_of_its_journal() {
    for lost in ["removed", "truncated", "an older copy", "another that was made meanwhile"] {
        let (_above, dir) = state_directory();
        let database = dir.join("journal.sqlite3");
        drop(Journal::open(&dir).unwrap());
        let older = fs::read(&database).unwrap();
        let (mut journal, owner) = under_way(&dir);
        match lost {
            "removed" => fs::remove_file(&database).unwrap(),
            "truncated" => fs::write(&database, "").unwrap(),
            "an older copy" => fs::write(&database, older).unwrap(),
            _ => {
                fs::write(&database, "").unwrap();
                drop(Journal::open(&dir).unwrap());
            }
        }
        rest(&mut journal, &owner);
        let whole = DeployState::from_events(&whole_run()).unwrap();
        assert_eq!(journal.state(deploy()).unwrap(), whole, "{lost}");
        let healed = journal.kept() == Kept::InJournal;
        assert!(healed || matches!(journal.kept(), Kept::Beside { .. }), "{lost}: {:?}", journal.kept());
        drop((journal, owner));
        // Who only reads knows it by the file beside the journal alone.
        let reader = Journal::open_read_only(&dir).unwrap().unwrap();
        assert_eq!(reader.state(deploy()).unwrap(), whole, "{lost}");
        assert_eq!(reader.outbox().unwrap(), [], "{lost}");
        drop(reader);
        let mut next = Journal::open(&dir).unwrap();
        let taken: &[TakenOver] = if healed { &[] } else { &[TakenOver::TakenIn(deploy())] };
        assert_eq!(next.recover_stranded(at(90), WAIT).unwrap(), taken, "{lost}");
        assert_eq!(next.events(deploy()).unwrap(), whole_run(), "{lost}");
        assert!(!reserve_file(&dir).exists());
    }
}

#[test]
fn a_gate_that_dies_after_the_loss_of_its_journal_is_stranded_and_not_forgotten() {
    let (_above, dir) = state_directory();
    let (journal, owner) = under_way(&dir);
    fs::remove_file(dir.join("journal.sqlite3")).unwrap();
    drop((journal, owner));
    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
    assert_eq!(reader.stranded().unwrap(), [deploy()]);
    assert_eq!(reader.outbox().unwrap().len(), 1);
    let mut next = Journal::open(&dir).unwrap();
    let taken = next.recover_stranded(at(90), WAIT).unwrap();
    assert!(matches!(taken[..], [TakenOver::TakenIn(_), TakenOver::EndUnknown { .. }]), "{taken:?}");
}

#[test]
fn what_is_taken_away_with_its_directory_is_known_to_the_process_and_never_said_to_be_kept() {
    for moved in [true, false] {
        let (above, dir) = state_directory();
        let (mut journal, owner) = under_way(&dir);
        let away = above.path().join("away");
        if moved {
            fs::rename(&dir, &away).unwrap()
        } else {
            fs::remove_dir_all(&dir).unwrap()
        }
        let lock = journal.lock_outbox(&server(), LockWait::TryNow).unwrap().unwrap();
        rest_with(&mut journal, &owner, &lock);
        assert!(matches!(journal.kept(), Kept::Nowhere { .. }), "{:?}", journal.kept());
        assert_eq!(journal.state(deploy()).unwrap(), DeployState::from_events(&whole_run()).unwrap());
        drop((journal, owner));
        if moved {
            // All of it is in the file, so that nothing is sent twice once the directory is back.
            fs::rename(&away, &dir).unwrap();
            let mut next = Journal::open(&dir).unwrap();
            assert_eq!(next.recover_stranded(at(90), WAIT).unwrap(), [TakenOver::TakenIn(deploy())]);
            assert_eq!(next.events(deploy()).unwrap(), whole_run());
        }
    }
}

/// The rest of a run, by a lock that was taken before.
fn rest_with(journal: &mut Journal, owner: &Ownership, lock: &OutboxLock) {
    for event in &whole_run()[6..] {
        match &event.what {
            EventKind::Step(step) => journal.step(owner, event.at, step.clone()).unwrap(),
            EventKind::Delivery(delivery) => journal.delivery(lock, deploy(), event.at, delivery.clone()).unwrap(),
        };
    }
}

#[test]
fn a_write_that_was_cut_off_is_undone_by_who_only_reads() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let owner = journal.own(deploy()).unwrap();
    whole_run()[..3].iter().for_each(|event| write_as(&mut journal, &owner, event));
    drop((journal, owner));
    let killed = raw(&dir);
    // More than SQLite holds in memory, so that the database itself is written before it is committed.
    killed.execute_batch("PRAGMA cache_size = 1; PRAGMA journal_mode = TRUNCATE; BEGIN IMMEDIATE").unwrap();
    for number in 0..200 {
        let insert = "INSERT INTO event (deploy, at, kind, data) VALUES (?1, '2026-11-20T03:00:00Z', 'closed', ?2)";
        killed
            .execute(insert, [deploy().to_string(), format!("{{\"n\": \"{}\"}}", "x".repeat(2000 + number))])
            .unwrap();
    }
    let copy = dir.join("copy");
    fs::create_dir(&copy).unwrap();
    for name in ["journal.sqlite3", "journal.sqlite3-journal"] {
        fs::copy(dir.join(name), copy.join(name)).unwrap();
    }
    drop(killed);
    let copy_of = |name: &str| fs::rename(copy.join(name), dir.join(name)).unwrap();
    ["journal.sqlite3", "journal.sqlite3-journal"].into_iter().for_each(copy_of);
    assert!(fs::metadata(dir.join("journal.sqlite3-journal")).unwrap().len() > 0);
    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
    assert_eq!(reader.events(deploy()).unwrap(), whole_run()[..3]);
}
