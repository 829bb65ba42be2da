//! The journal on disk: what lasts, what is refused, who is kept out, and what a start costs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::local_deploy::LocalProgress;
use crate::record::Event::{Finished, Recorded, Started};
use crate::safe_path::PathError;

/// Writes events as their writers would: a new process for each, so that each must have reached the disk.
fn write(dir: &Path, events: &[Event]) {
    for event in events {
        write_one(&mut Journal::open(dir).unwrap(), event).unwrap();
    }
}

#[test]
fn what_is_written_reads_back_at_every_cut_and_the_index_follows() {
    for run in every_run() {
        let (_above, dir) = state_directory();
        for length in 1..=run.len() {
            write(&dir, &run[length - 1..length]);
            let journal = Journal::open_read_only(&dir).unwrap().unwrap();
            assert_eq!(journal.events(deploy()).unwrap(), &run[..length]);
            let state = DeployState::from_events(&run[..length]).unwrap();
            assert_eq!(journal.state(deploy()).unwrap(), state);
            assert_eq!(journal.unfinished().unwrap().is_empty(), state.is_closed());
            assert_eq!(journal.undelivered().unwrap().is_empty(), state.outbox().is_empty());
            let listed = journal.outbox().unwrap();
            let stranded = usize::from(!state.is_closed() && state.owes_finished());
            assert_eq!(listed[..listed.len() - stranded], OutboxEntry::of(&state));
            assert!(listed.iter().rev().take(stranded).all(|entry| entry.state == EntryState::Stranded));
            assert_eq!(journal.stranded().unwrap(), journal.unfinished().unwrap());
        }
    }
}

#[test]
fn every_step_twice_is_refused_and_leaves_the_journal_as_it_was() {
    let (_above, dir) = state_directory();
    let run = whole_run();
    for length in 1..=run.len() {
        write(&dir, &run[length - 1..length]);
        let mut journal = Journal::open(&dir).unwrap();
        let error = write_one(&mut journal, &run[length - 1]).unwrap_err();
        assert!(matches!(error, JournalError::Refused { .. }), "{error}");
        assert_eq!(journal.events(deploy()).unwrap(), &run[..length]);
    }
}

#[test]
fn a_journal_cut_anywhere_is_recovered_once() {
    for run in every_run() {
        for length in 1..=run.len() {
            let (_above, dir) = state_directory();
            write(&dir, &run[..length]);
            let mut expected = run[..length].to_vec();
            let cut = DeployState::from_events(&expected).unwrap();
            expected.extend(recover_all(&cut, 500));
            let mut journal = Journal::open(&dir).unwrap();
            let recovered = journal.recover_stranded(at(500), WAIT).unwrap();
            assert_eq!(recovered.is_empty(), expected.len() == length);
            if let [TakenOver::EndUnknown { settle_at, .. }] = recovered.as_slice() {
                let again = journal.recover_stranded(at(501), WAIT).unwrap();
                assert_eq!(again, recovered, "the time to settle begins once");
                let owner = journal.own(deploy()).unwrap();
                journal.conclude(&owner, at(500), &EndOnTask::NotFound { read_at: *settle_at }).unwrap();
            }
            assert_eq!(journal.events(deploy()).unwrap(), expected);
            assert!(journal.recover_stranded(at(900), WAIT).unwrap().is_empty());
            let owner = journal.own(deploy()).unwrap();
            journal.recover(&owner, at(901), WAIT).unwrap();
            assert_eq!(journal.events(deploy()).unwrap(), expected);
        }
    }
}

#[test]
fn a_live_deploy_is_not_recovered() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let owner = journal.own(deploy()).unwrap();
    journal.step(&owner, at(0), intent(DeployMode::Run)).unwrap();
    let mut other = Journal::open(&dir).unwrap();
    assert!(other.is_alive(deploy()).unwrap());
    assert!(matches!(other.own(deploy()), Err(JournalError::Owned { .. })));
    assert_eq!(other.recover_stranded(at(9), WAIT).unwrap(), []);
    drop(owner);
    assert!(!other.is_alive(deploy()).unwrap());
    assert_eq!(other.recover_stranded(at(9), WAIT).unwrap(), [TakenOver::Recovered(deploy())]);
    assert_eq!(fs::read_dir(dir.join("deploys")).unwrap().count(), 0, "the lock's file is removed");
}

#[test]
fn who_settles_a_deploy_is_not_its_gate() {
    let (_above, dir) = state_directory();
    write(&dir, &whole_run()[..6]);
    let mut journal = Journal::open(&dir).unwrap();
    let taken = journal.recover_stranded(at(9), WAIT).unwrap();
    assert!(matches!(taken.as_slice(), [TakenOver::EndUnknown { .. }]), "{taken:?}");
    // Another process is about to settle it.
    let _settling = Journal::open(&dir).unwrap().own(deploy()).unwrap();
    assert!(!journal.is_alive(deploy()).unwrap());
    assert_eq!(journal.stranded().unwrap(), [deploy()]);
    assert_eq!(journal.outbox().unwrap().len(), 1, "it is not passed over");
}

#[test]
fn a_lock_on_a_removed_file_is_not_ownership() {
    let (_above, dir) = state_directory();
    let journal = Journal::open(&dir).unwrap();
    // Somebody opened the file, and waits; its owner removes it and lets go; another owner makes a new one.
    let path = dir.join("deploys").join(format!("{}.lock", deploy()));
    let first = journal.own(deploy()).unwrap();
    let stale = fs::File::open(&path).unwrap();
    drop(first);
    let second = journal.own(deploy()).unwrap();
    stale.try_lock().unwrap();
    assert!(journal.is_alive(deploy()).unwrap());
    assert!(matches!(journal.own(deploy()), Err(JournalError::Owned { .. })));
    drop(second);
    let third = journal.own(deploy());
    assert!(third.is_ok(), "the stale lock keeps nobody out");
}

#[test]
fn a_second_run_of_a_task_is_refused_until_the_end_of_the_first_is_known() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let first = journal.own(deploy()).unwrap();
    let second = journal.own(other_deploy()).unwrap();
    for event in &whole_run()[..6] {
        write_as(&mut journal, &first, event);
        let refused = journal.step(&second, at(20), intent_of(other_deploy(), DeployMode::Run)).unwrap_err();
        assert!(matches!(refused, JournalError::InFlight { .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("T1234") && said.contains("ada") && said.contains("2026-11-20 03:00:00 UTC"), "{said}");
        assert!(!journal.knows(other_deploy()).unwrap());
        let known = journal.deploys_of(TaskId::new(1234).unwrap(), &server(), &ServerMarks::default()).unwrap();
        assert_eq!(known.iter().map(|known| known.progress).collect::<Vec<_>>(), [LocalProgress::Running]);
    }
    // A record by other means is one, and no run.
    let recorder = "01939f2a-0000-7000-8000-000000000003".parse().unwrap();
    let recording = journal.own(recorder).unwrap();
    journal.step(&recording, at(20), intent_of(recorder, DeployMode::Record)).unwrap();
    write_as(&mut journal, &first, &whole_run()[6]);
    journal.step(&second, at(21), intent_of(other_deploy(), DeployMode::Run)).unwrap();
}

#[test]
fn a_task_of_the_same_number_on_another_server_is_another_task() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let first = journal.own(deploy()).unwrap();
    journal.step(&first, at(0), intent(DeployMode::Run)).unwrap();
    let task = TaskId::new(1234).unwrap();
    let of = |server: &Url, marks: &ServerMarks| journal.deploys_of(task, server, marks).unwrap().len();
    let elsewhere = ServerMarks { task: Some(Phid::new("PHID-TASK-other").unwrap()), tag: None };
    assert_eq!(of(&server(), &ServerMarks::default()), 1);
    assert_eq!(of(&server(), &elsewhere), 0);
    assert_eq!(of(&"https://other.example/".parse().unwrap(), &ServerMarks::default()), 0);
    let second = journal.own(other_deploy()).unwrap();
    let Step::Intent(mut other) = intent_of(other_deploy(), DeployMode::Run) else { unreachable!() };
    other.marks = elsewhere;
    journal.step(&second, at(1), Step::Intent(other)).unwrap();
}

#[test]
fn a_journal_of_the_first_version_is_read_and_brought_up_to_date() {
    let (_above, dir) = state_directory();
    drop(Journal::open(&dir).unwrap());
    for file in ["journal.sqlite3", "journal.sqlite3-journal"] {
        let _ = fs::remove_file(dir.join(file));
    }
    let old = raw(&dir);
    old.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    old.execute_batch(&schema::of_version(1)).unwrap();
    let insert = "INSERT INTO event (deploy, at, kind, data) VALUES (?1, ?2, ?3, ?4)";
    old.execute("INSERT INTO deploy (id, closed, undelivered) VALUES (?1, 0, 0)", [deploy().to_string()]).unwrap();
    for event in &whole_run()[..6] {
        // What the first version did not write yet.
        let data = event.to_data().unwrap().replace(r#","marks":{"task":"PHID-TASK-one"}"#, "");
        assert!(!data.contains("marks"), "{data}");
        old.execute(insert, [&deploy().to_string(), &event.at.to_string(), event.kind(), &data]).unwrap();
    }
    drop(old);
    fs::set_permissions(dir.join("journal.sqlite3"), fs::Permissions::from_mode(0o600)).unwrap();
    let of = |journal: &JournalReader| {
        journal.deploys_of(TaskId::new(1234).unwrap(), &server(), &ServerMarks::default()).unwrap()
    };
    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
    let before = of(&reader);
    assert_eq!(before.iter().map(|known| known.progress).collect::<Vec<_>>(), [LocalProgress::Stranded]);
    drop(reader);
    let journal = Journal::open(&dir).unwrap();
    assert_eq!(journal.pragma("user_version"), schema::VERSION.to_string());
    assert_eq!(of(&journal), before);
    assert_eq!(journal.unfinished().unwrap(), [deploy()]);
    // Earlier gates wrote ahead, into a file whose index is mapped.
    assert_eq!(journal.pragma("journal_mode"), "truncate");
    assert!(!dir.join("journal.sqlite3-shm").exists());
}

#[test]
fn the_outbox_has_one_holder() {
    let (_above, dir) = state_directory();
    let journal = Journal::open(&dir).unwrap();
    let other = Journal::open(&dir).unwrap();
    let held = journal.lock_outbox(&server(), LockWait::Wait).unwrap();
    assert!(held.is_some());
    assert!(other.lock_outbox(&server(), LockWait::TryNow).unwrap().is_none());
    assert!(other.lock_outbox(&server(), LockWait::Until(Instant::now())).unwrap().is_none());
    let waiting = std::thread::spawn(move || other.lock_outbox(&server(), LockWait::Wait).unwrap().is_some());
    drop(held);
    assert!(waiting.join().unwrap());
}

#[test]
fn a_held_outbox_holds_up_no_other_server() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let staging: url::Url = "https://staging.example/".parse().unwrap();
    let other = journal.lock_outbox(&staging, LockWait::TryNow).unwrap().unwrap();
    let lock = journal.lock_outbox(&server(), LockWait::TryNow).unwrap().unwrap();
    let owner = journal.own(deploy()).unwrap();
    journal.step(&owner, at(0), intent(DeployMode::Run)).unwrap();
    journal.step(&owner, at(1), queued(Started)).unwrap();
    let error = journal.delivery(&other, deploy(), at(2), sending(Started, 2)).unwrap_err();
    assert!(matches!(error, JournalError::OtherServer { .. }), "{error}");
    journal.delivery(&lock, deploy(), at(2), sending(Started, 2)).unwrap();
}

#[test]
fn an_unknown_deploy_is_named() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    assert!(!journal.knows(deploy()).unwrap());
    assert!(matches!(journal.state(deploy()), Err(JournalError::NoSuchDeploy { .. })));
    let lock = journal.lock_outbox(&server(), LockWait::TryNow).unwrap().unwrap();
    let error = journal.delivery(&lock, deploy(), at(0), delivered(Started)).unwrap_err();
    assert!(matches!(error, JournalError::NoSuchDeploy { .. }), "{error}");
    let owner = journal.own(deploy()).unwrap();
    assert!(matches!(journal.recover(&owner, at(0), WAIT), Err(JournalError::NoSuchDeploy { .. })));
    let error = journal.step(&owner, at(0), Step::Closed).unwrap_err();
    assert!(matches!(error, JournalError::Refused { .. }), "{error}");
    let error = journal.step(&owner, at(0), intent_of(other_deploy(), DeployMode::Run)).unwrap_err();
    assert!(matches!(error, JournalError::Refused { .. }), "{error}");
    assert!(!journal.knows(deploy()).unwrap(), "what was refused left nothing behind");
    journal.step(&owner, at(0), intent(DeployMode::Run)).unwrap();
    assert!(journal.knows(deploy()).unwrap());
}

#[test]
fn only_the_owner_can_look_inside() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir.join("deeper")).unwrap();
    let dir = dir.join("deeper");
    let owner = journal.own(deploy()).unwrap();
    let _outbox = journal.lock_outbox(&server(), LockWait::TryNow).unwrap();
    journal.step(&owner, at(0), intent(DeployMode::Run)).unwrap();
    for directory in [dir.parent().unwrap(), &dir, &dir.join("deploys")] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    let lock = format!("deploys/{}.lock", deploy());
    for file in ["journal.sqlite3", "journal.sqlite3-journal", "setup.lock", &lock] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let outbox: Vec<String> = names.filter(|name| name.starts_with("outbox-")).collect();
    assert_eq!(outbox.iter().map(|name| mode(&dir.join(name))).collect::<Vec<_>>(), [0o600], "{outbox:?}");
}

#[test]
fn a_directory_that_others_can_open_is_refused_and_left_alone() {
    for bits in [0o755, 0o750, 0o701, 0o1777] {
        let (_above, dir) = state_directory();
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(bits)).unwrap();
        let error = Journal::open(&dir).unwrap_err();
        assert!(error.to_string().contains(&format!("chmod 700 {}", dir.display())), "{error}");
        assert!(matches!(Journal::open_read_only(&dir), Err(JournalError::Unsafe(PathError::Open { .. }))));
        assert_eq!(mode(&dir), bits);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let (_above, dir) = state_directory();
    let theirs = if rustix::process::geteuid().is_root() {
        Journal::open(&dir).unwrap();
        std::os::unix::fs::chown(&dir, Some(65534), None).unwrap();
        dir.as_path()
    } else {
        Path::new("/")
    };
    for error in [Journal::open(theirs).unwrap_err(), Journal::open_read_only(theirs).unwrap_err()] {
        let is_unsafe = matches!(error, JournalError::Unsafe(PathError::Owner { .. } | PathError::Open { .. }));
        assert!(is_unsafe && error.to_string().contains(theirs.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_file_where_the_directory_should_be_is_refused() {
    let (_above, dir) = state_directory();
    fs::write(&dir, "").unwrap();
    for dir in [dir.clone(), dir.join("below")] {
        let error = Journal::open(&dir).unwrap_err();
        assert!(matches!(error, JournalError::Unsafe(_)), "{error}");
        assert!(error.to_string().contains("/state"), "{error}");
        assert!(Journal::open_read_only(&dir).is_err());
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let (_above, dir) = state_directory();
    drop(Journal::open(&dir).unwrap());
    for text in ["not a database at all, but quite long enough to look at", "x"] {
        fs::write(dir.join("journal.sqlite3"), text.repeat(200)).unwrap();
        let error = Journal::open(&dir).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("journal.sqlite3"), "{error}");
        assert!(Journal::open_read_only(&dir).is_err());
        assert_eq!(fs::read_to_string(dir.join("journal.sqlite3")).unwrap(), text.repeat(200));
    }
}

#[test]
fn a_directory_where_the_file_should_be_is_refused() {
    let (_above, dir) = state_directory();
    drop(Journal::open(&dir).unwrap());
    fs::remove_file(dir.join("journal.sqlite3")).unwrap();
    fs::create_dir(dir.join("journal.sqlite3")).unwrap();
    let error = Journal::open(&dir).unwrap_err();
    assert!(matches!(error, JournalError::NotWritable { .. }), "{error}");
}

#[test]
fn a_damaged_page_is_an_error_and_not_an_empty_outbox() {
    let (_above, dir) = state_directory();
    write(&dir, &whole_run()[..2]);
    let path = dir.join("journal.sqlite3");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let damaged = Journal::open_read_only(&dir).and_then(|journal| journal.unwrap().outbox().map(|_| ()));
    assert!(matches!(damaged, Err(JournalError::Corrupt { .. })), "{damaged:?}");
}

#[test]
fn a_full_disk_is_named_and_the_journal_stays_whole() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    let owner = journal.own(deploy()).unwrap();
    journal.step(&owner, at(0), intent(DeployMode::Run)).unwrap();
    journal.limit_pages();
    let mut big = record(deploy(), Started);
    big.note = Some("long ".repeat(100_000));
    let error = journal.step(&owner, at(1), Step::Queued { record: big }).unwrap_err();
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    assert!(!reserve_file(&dir).exists(), "no command was to be started: there is no room to fall back on");
    assert_eq!(journal.events(deploy()).unwrap().len(), 1);
    journal.step(&owner, at(2), Step::Closed).unwrap();
}

#[test]
fn a_journal_of_a_newer_gate_is_refused() {
    let (_above, dir) = state_directory();
    drop(Journal::open(&dir).unwrap());
    raw(&dir).execute_batch("PRAGMA user_version = 99").unwrap();
    for error in [Journal::open(&dir).unwrap_err(), Journal::open_read_only(&dir).unwrap_err()] {
        assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error}");
    }
    raw(&dir).execute_batch("PRAGMA user_version = -1").unwrap();
    assert!(matches!(Journal::open(&dir), Err(JournalError::Corrupt { .. })));
}

#[test]
fn an_event_that_cannot_be_is_an_error_that_names_its_deploy() {
    let (_above, dir) = state_directory();
    write(&dir, &whole_run()[..2]);
    let forge = "INSERT INTO event (deploy, at, kind, data) VALUES (?1, ?2, ?3, ?4)";
    let second = at(9).to_string();
    raw(&dir)
        .execute(forge, [&deploy().to_string(), &second, "exited", r#"{"kind":"exited","status":{"code":0}}"#])
        .unwrap();
    let mut journal = Journal::open(&dir).unwrap();
    for error in [journal.state(deploy()).unwrap_err(), journal.recover_stranded(at(10), WAIT).unwrap_err()] {
        assert!(matches!(error, JournalError::BadHistory { .. }), "{error}");
        assert!(error.to_string().contains(&deploy().to_string()), "{error}");
    }
    raw(&dir).execute(forge, [&deploy().to_string(), &second, "erased", r#"{"kind":"erased"}"#]).unwrap();
    assert!(matches!(journal.state(deploy()), Err(JournalError::Corrupt { .. })));
}

#[test]
fn no_event_is_changed_or_removed() {
    let (_above, dir) = state_directory();
    write(&dir, &whole_run()[..2]);
    for sql in ["UPDATE event SET kind = 'closed'", "DELETE FROM event", "DELETE FROM deploy"] {
        assert!(raw(&dir).execute(sql, []).is_err(), "{sql}");
    }
    let journal = Journal::open_read_only(&dir).unwrap().unwrap();
    assert_eq!(journal.events(deploy()).unwrap(), &whole_run()[..2]);
}

#[test]
fn nothing_was_ever_journaled_is_not_an_empty_outbox() {
    let (_above, dir) = state_directory();
    assert!(Journal::open_read_only(&dir).unwrap().is_none());
    assert!(!dir.exists());
    drop(Journal::open(&dir).unwrap());
    assert_eq!(Journal::open_read_only(&dir).unwrap().unwrap().outbox().unwrap(), []);
}

#[test]
fn the_settings_that_the_promises_rest_on() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    journal.probe().unwrap();
    assert_eq!(journal.pragma("journal_mode"), "truncate");
    assert_eq!(journal.pragma("synchronous"), "2");
    assert_eq!(journal.pragma("foreign_keys"), "1");
    assert_eq!(journal.pragma("busy_timeout"), "20000");
}

#[test]
fn a_start_reads_what_is_open_and_not_what_is_old() {
    let (_above, dir) = state_directory();
    let journal = Journal::open(&dir).unwrap();
    for (query, index) in [(schema::UNFINISHED, "deploy_unfinished"), (schema::UNDELIVERED, "deploy_undelivered")] {
        let plan = journal.plan(query);
        assert_eq!(plan, [format!("SCAN deploy USING COVERING INDEX {index}")], "the index holds the open ones alone");
    }
    let plan = journal.plan("SELECT id, at, kind, data FROM event WHERE deploy = '' ORDER BY id");
    assert_eq!(plan, ["SEARCH event USING INDEX event_of_deploy (deploy=?)"]);
}

#[test]
fn a_thousand_settled_deploys_leave_nothing_in_the_index() {
    let (_above, dir) = state_directory();
    let mut journal = Journal::open(&dir).unwrap();
    for number in 0..1000 {
        let id = format!("01939f2a-0000-7000-8000-{number:012}").parse().unwrap();
        let owner = journal.own(id).unwrap();
        journal.step(&owner, at(0), intent_of(id, DeployMode::Record)).unwrap();
        if number != 500 {
            journal.step(&owner, at(1), Step::Closed).unwrap();
        }
    }
    assert_eq!(journal.unfinished().unwrap().len(), 1);
    for query in [schema::UNFINISHED, schema::UNDELIVERED] {
        let steps = journal.steps_of(query);
        assert!(steps < 20, "{steps} steps for {query}");
    }
}

#[test]
fn one_deploy_takes_about_as_much_as_the_docs_say() {
    let (_above, dir) = state_directory();
    write(&dir, &troubled_run());
    let bytes: i64 = raw(&dir).query_row("SELECT sum(length(data)) FROM event", [], |row| row.get(0)).unwrap();
    assert!((2_000..8_000).contains(&bytes), "{bytes}");
}

#[test]
fn many_writers_at_once_all_get_their_turn() {
    let (_above, dir) = state_directory();
    let deploys = 8;
    let writers: Vec<_> = (0..deploys)
        .map(|number| {
            let dir = dir.clone();
            std::thread::spawn(move || {
                let id: DeployId = format!("01939f2a-0000-7000-8000-{number:012}").parse().unwrap();
                // Each opens the journal itself, so that they race to make it too.
                let mut journal = Journal::open(&dir).unwrap();
                let owner = journal.own(id).unwrap();
                journal.step(&owner, at(0), intent_of(id, DeployMode::Record)).unwrap();
                for event in [Recorded, Finished] {
                    journal.step(&owner, at(1), Step::Queued { record: record(id, event) }).unwrap();
                    Journal::open(&dir).unwrap().recover_stranded(at(2), WAIT).unwrap();
                    let reader = Journal::open_read_only(&dir).unwrap().unwrap();
                    reader.outbox().unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let journal = Journal::open(&dir).unwrap();
    assert_eq!(journal.undelivered().unwrap().len(), 8);
    assert_eq!(journal.outbox().unwrap().len(), 16);
}
