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
    let (_above, dir) = state_folder();
    let (mut journal, owner) = under_way(&dir);
    assert_eq!(mode(&reserve_file(&dir)), 0o600);
    rest(&mut journal, &owner);
    assert_eq!(journal.kept(), Kept::InJournal);
    assert!(!reserve_file(&dir).exists());
}

#[test]
fn where_no_room_can_be_kept_no_command_is_started() {
    let (_above, dir) = state_folder();
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
    let (_above, dir) = state_folder();
    let (mut journal, owner) = under_way(&dir);
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    rest(&mut journal, &owner);
    assert!(matches!(journal.kept(), Kept::Beside { .. }), "{:?}", journal.kept());
    let whole = DeployState::from_events(&whole_run()).unwrap();
    assert_eq!(journal.state(deploy()).unwrap(), whole, "this process goes on as ever");
    drop((journal, owner));
    // Who only reads sees it already, whatever the index of the database says.
    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
    assert_eq!(reader.state(deploy()).unwrap(), whole);
    assert_eq!(reader.outbox().unwrap(), []);
    backup.execute_batch("ROLLBACK").unwrap();
    let mut next = Journal::open(&dir).unwrap();
    assert_eq!(next.recover_stranded(at(90), WAIT).unwrap(), [TakenOver::TakenIn(deploy())]);
    assert_eq!(next.events(deploy()).unwrap(), whole_run());
    assert!(!reserve_file(&dir).exists());
    assert_eq!(next.recover_stranded(at(91), WAIT).unwrap(), []);
}

#[test]
fn a_gate_that_dies_at_any_word_beside_the_journal_leaves_the_truth() {
    for words in 0..=5 {
        let (_above, dir) = state_folder();
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
        let delivered = matches!(state.record(Finished).map(|outgoing| &outgoing.place), Some(Place::Delivered { .. }));
        assert_eq!(delivered, words == 5);
    }
}

#[test]
fn a_journal_that_takes_writes_again_gets_all_that_it_missed() {
    let (_above, dir) = state_folder();
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
    let (_above, dir) = state_folder();
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
    let (_above, dir) = state_folder();
    let (mut journal, owner) = under_way(&dir);
    // More than the room that was kept.
    let backup = raw(&dir);
    backup.execute_batch("BEGIN EXCLUSIVE").unwrap();
    write_as(&mut journal, &owner, &whole_run()[6]);
    let Step::Queued { mut record } = finished(Outcome::Succeeded, Some(ExitStatus::Code(0))) else { unreachable!() };
    record.note = Some("long ".repeat(4000));
    journal.step(&owner, at(7), Step::Queued { record }).unwrap();
    let Kept::Nowhere { why } = journal.kept() else { panic!("{:?}", journal.kept()) };
    assert!(why.contains("in use by another process") && why.contains(".reserve"), "{why}");
    assert_eq!(journal.state(deploy()).unwrap().outbox().len(), 1, "it can be posted all the same");
}
