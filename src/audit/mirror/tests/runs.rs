//! The file of the mirror and its runs: who opens it, what a run that ended knows, and what an older version left.

use super::*;

#[test]
fn who_once_belonged_is_counted_for_ever() {
    let bench = Bench::new();
    let history = task_state();
    bench.end(&bench.list(&history.task(), 100));
    let next = bench.mirror.begin(&bench.policy, at(200)).unwrap();
    let recorded: Phid<crate::ids::Task> = Phid::new("PHID-TASK-2").unwrap();
    bench.mirror.record(&next, [&recorded]).unwrap();
    let unlisted = bench.mirror.unlisted(&next, "", 10).unwrap();
    assert_eq!(unlisted, [history.task().phid, recorded]);
    assert_eq!(bench.mirror.unlisted(&next, unlisted[0].as_str(), 10).unwrap().len(), 1);
    let population = bench.mirror.population(&next).unwrap();
    assert_eq!((population.tagged, population.unseen), (0, 2));
    bench.mirror.list(&next, &[Encoded::new(history.task()).unwrap()], at(200), false).unwrap();
    let population = bench.mirror.population(&next).unwrap();
    assert_eq!((population.recorded, population.mirrored, population.unseen), (0, 1, 1));
}

#[test]
fn what_a_run_listed_that_failed_is_not_taken_over() {
    let bench = Bench::new();
    let history = task_state();
    bench.end(&bench.list(&history.task(), 100));
    // It lists one that there never was, and ours under another number.
    let ours = history.task();
    let made_up =
        Task { id: crate::ids::TaskId::new(99).unwrap(), phid: Phid::new("PHID-TASK-99").unwrap(), ..ours.clone() };
    let moved = Task { id: crate::ids::TaskId::new(98).unwrap(), ..ours.clone() };
    let failed = bench.mirror.begin(&bench.policy, at(200)).unwrap();
    let listed = [made_up, moved].map(|task| Encoded::new(task).unwrap());
    bench.mirror.list(&failed, &listed, at(200), true).unwrap();
    let next = bench.list(&ours, 300);
    let population = bench.mirror.population(&next).unwrap();
    assert_eq!((population.tagged, population.unseen), (1, 0));
    assert_eq!(bench.visit(&next).iter().map(|task| task.id).collect::<Vec<_>>(), [ours.id]);
}

#[test]
fn a_server_is_known_by_who_was_seen_there() {
    let bench = Bench::new();
    let history = task_state();
    let facts = facts(&bench.policy);
    assert!(bench.mirror.witnesses().unwrap().know(&facts), "nobody was seen yet");
    bench.list(&history.task(), 100);
    assert_eq!(bench.mirror.witnesses().unwrap(), Default::default(), "a run that failed has seen nobody");
    bench.end(&bench.list(&history.task(), 200));
    let witnesses = bench.mirror.witnesses().unwrap();
    assert!(witnesses.know(&facts));
    let moved =
        ServerFacts { tag: crate::evidence::Tag { phid: project("other"), family: [].into() }, ..facts.clone() };
    let other = ServerFacts { owner: history.account("sre1"), ..facts.clone() };
    assert!(witnesses.know(&moved) && witnesses.know(&other));
    assert!(!witnesses.know(&ServerFacts { owner: history.account("sre1"), ..moved.clone() }));
    assert!(witnesses.know(&ServerFacts {
        owner: history.account("sre1"),
        recorders: vec![facts.owner.phid],
        ..moved
    }));
}

#[test]
fn a_run_that_did_not_end_cannot_be_judged_and_the_last_that_did_can() {
    let bench = Bench::new();
    let history = task_state();
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
    bench.mirror.add_accounts(&people).unwrap();
    assert_eq!(bench.mirror.people().unwrap(), people);
    bench.mirror.update_accounts(&people, &[history.account("sre1"), history.account("sre2")]).unwrap();
    assert_eq!(bench.mirror.accounts().unwrap().len(), 2);
    bench.mirror.update_accounts(&people, &[history.account("sre2")]).unwrap();
    assert_eq!(bench.mirror.accounts().unwrap().into_keys().collect::<Vec<_>>(), [person("sre2")]);
}

#[test]
fn it_is_one_file_for_whoever_opens_it_and_one_fills_it() {
    let bench = Bench::new();
    let directory = bench.directory.path().join("mirror");
    let other = Mirror::open(&directory, &server()).unwrap();
    let held = bench.mirror.lock(|| panic!("nobody has it")).unwrap();
    std::thread::scope(|scope| {
        let (waiting, waits) = std::sync::mpsc::channel();
        let path = other.path().to_owned();
        let second =
            scope.spawn(move || directory::lock(&path, directory::Lock::Fill, || waiting.send(()).unwrap()).map(drop));
        waits.recv().unwrap();
        drop(held);
        second.join().unwrap().unwrap();
    });
    // What is judged is of one state.
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    let snapshot = other.snapshot().unwrap();
    bench.keep(&sync, &history);
    let seen = |mirror: &Mirror| visit(mirror, &sync, &CacheKey(vec![1]))[0].trouble.clone();
    assert_eq!(seen(&other).as_deref(), Some(members::NOT_READ));
    drop(snapshot);
    assert_eq!(seen(&other), None);
}

#[test]
fn a_mirror_of_a_newer_version_is_left_alone() {
    let bench = Bench::new();
    bench.mirror.connection.pragma_update(None, "user_version", 99).unwrap();
    let again = Mirror::open(&bench.directory.path().join("mirror"), &server());
    assert!(matches!(again, Err(MirrorError::Newer { found: 99, .. })));
}

#[test]
fn an_older_mirror_is_opened_and_hands_out_what_it_held() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory::database(&directory.path().join("mirror"), &server()).unwrap();
    let history = task_state();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(schema::STEPS[0]).unwrap();
    let (row, rows) = (history.task(), history.timeline().transactions().to_vec());
    old.execute(
        "INSERT INTO task (id, phid, asked, read, version, row, history) VALUES (?1, ?2, ?5, 1, 7, ?3, ?4)",
        params![
            number(row.id.number()),
            row.phid.as_str(),
            serde_json::to_string(&row).unwrap(),
            serde_json::to_string(&rows).unwrap(),
            at(100).as_second()
        ],
    )
    .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    for _ in 0..2 {
        let mirror = Mirror::open(&directory.path().join("mirror"), &server()).unwrap();
        assert_eq!(mirror.version().unwrap(), schema::STEPS.len());
        let sync = mirror.begin(&history.policy, at(200)).unwrap();
        mirror.list(&sync, &[Encoded::new(row.clone()).unwrap()], at(200), true).unwrap();
        assert_eq!(mirror.pending_count(&sync).unwrap(), 0, "it is as it was");
        let (task, transactions, _) = visit(&mirror, &sync, &CacheKey(vec![1]))[0].open().unwrap();
        assert_eq!((task, transactions), (row.clone(), rows.clone()));
    }
}

#[test]
fn a_mirror_of_each_older_version_is_opened_and_knows_what_its_runs_saw() {
    let history = task_state();
    let mut earlier = facts(&history.policy);
    let team = history.policy.team("sre").unwrap().project.clone();
    earlier.projects.get_mut(&team).unwrap().members = vec![person("sre2"), person("sre1")];
    for version in 1..schema::STEPS.len() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory::database(&directory.path().join("mirror"), &server()).unwrap();
        let old = Connection::open(&path).unwrap();
        schema::STEPS[..version].iter().for_each(|step| old.execute_batch(step).unwrap());
        for (began, facts) in [(100, &earlier), (200, &earlier), (300, &facts(&history.policy))] {
            let facts = serde_json::to_string(facts).unwrap();
            let sql = "INSERT INTO sync (scope, began, ended, facts) VALUES ('s', ?1, ?1, ?2)";
            old.execute(sql, params![at(began).as_second(), facts]).unwrap();
        }
        old.pragma_update(None, "user_version", version as i64).unwrap();
        drop(old);
        let mirror = Mirror::open(&directory.path().join("mirror"), &server()).unwrap();
        assert_eq!(mirror.version().unwrap(), schema::STEPS.len());
        // What a mirror of today kept while it ran is not made up afterwards.
        if version < 6 {
            let memory = mirror.memory().unwrap();
            let (now, until) = &memory.members[&project("sre")];
            assert_eq!((now.len(), until.len()), (0, 1), "from version {version}");
            assert_eq!(until[0], (at(200), vec![person("sre1"), person("sre2")]), "from version {version}");
            assert!(memory.hashtags.is_empty());
        }
        assert!(mirror.found().unwrap().is_empty() && mirror.accounts().unwrap().is_empty());
    }
}

#[test]
fn what_a_later_run_listed_that_did_not_end_is_not_unseen() {
    let bench = Bench::new();
    let history = task_state();
    let sync = bench.list(&history.task(), 100);
    bench.keep(&sync, &history);
    bench.end(&sync);
    let killed = bench.list(&history.task(), 200);
    assert_eq!(bench.mirror.unseen(&sync).unwrap().len(), 0);
    bench.keep(&killed, &history);
    assert_eq!(bench.visit(&sync).len(), 1, "it is judged as of the last run that ended");
}
