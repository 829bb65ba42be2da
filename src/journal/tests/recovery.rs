//! Recovery: the truth about a deploy whose gate died at any point.

use proptest::prelude::*;

use super::*;

fn recovered(events: &[Event]) -> Vec<Event> {
    let state = DeployState::from_events(events).unwrap();
    let mut longer = events.to_vec();
    longer.extend(recover_all(&state, 500));
    longer
}

/// What recovery wrote and what it means for the task: kinds, and the outcome that is to be posted.
fn recovered_as(events: &[Event]) -> (Vec<&'static str>, Option<Outcome>) {
    let state = DeployState::from_events(events).unwrap();
    let written = recover_all(&state, 500);
    let after = DeployState::from_events(&recovered(events)).unwrap();
    assert!(after.is_closed());
    let finished = after.record(record::Event::Finished).and_then(|outgoing| outgoing.record.outcome);
    (written.iter().map(Event::kind).collect(), finished)
}

#[test]
fn a_run_cut_after_each_event_is_recorded_truthfully() {
    let run = whole_run();
    let cuts: Vec<_> = (1..=run.len()).map(|length| recovered_as(&run[..length])).collect();
    let nothing = (vec!["closed"], None);
    let says = |outcome| (vec!["queued", "closed"], Some(outcome));
    // What is in no journal is said only once the task was read for an end of somebody else's.
    let settles = |outcome| (vec!["owner-gone", "queued", "closed"], Some(outcome));
    assert_eq!(
        cuts,
        [
            nothing.clone(),
            nothing,
            settles(Outcome::NotStarted),
            settles(Outcome::NotStarted),
            settles(Outcome::Unknown),
            settles(Outcome::Unknown),
            says(Outcome::Succeeded),
            (vec!["closed"], Some(Outcome::Succeeded)),
            (vec![], Some(Outcome::Succeeded)),
            (vec![], Some(Outcome::Succeeded)),
            (vec![], Some(Outcome::Succeeded)),
        ]
    );
}

#[test]
fn a_status_other_than_zero_and_a_signal_are_failures() {
    for status in [ExitStatus::Code(1), ExitStatus::Code(255), ExitStatus::Signal(9)] {
        let mut run = whole_run();
        run.truncate(6);
        run.push(Event::new(at(6), Step::Exited { status }));
        let record = DeployState::from_events(&run).unwrap().finished_record();
        assert_eq!((record.outcome, record.exit), (Some(Outcome::Failed), Some(status)));
        assert_eq!((record.started, record.finished), (Some(at(4)), Some(at(6))));
    }
}

#[test]
fn an_unknown_end_names_no_time_of_it() {
    let record = DeployState::from_events(&whole_run()[..5]).unwrap().finished_record();
    assert_eq!((record.event, record.started, record.finished), (record::Event::Finished, Some(at(4)), None));
    let record = DeployState::from_events(&whole_run()[..4]).unwrap().finished_record();
    assert_eq!((record.outcome, record.started), (Some(Outcome::NotStarted), None));
}

#[test]
fn the_recovered_record_is_made_from_the_latest_one() {
    let mut run = whole_run();
    let mut later = record(deploy(), record::Event::Started);
    later.verdict = "as started".to_owned();
    run[1] = Event::new(at(1), Step::Queued { record: later });
    assert_eq!(DeployState::from_events(&run[..5]).unwrap().finished_record().verdict, "as started");
    assert_eq!(DeployState::from_events(&run[..1]).unwrap().finished_record().verdict, "allowed");
}

#[test]
fn a_started_that_surely_never_arrived_leaves_the_task_alone_where_nothing_ran() {
    assert_eq!(recovered_as(&troubled_run()[..4]), (vec!["closed"], None));
    let after = DeployState::from_events(&recovered(&troubled_run()[..4])).unwrap();
    assert_eq!(after.outbox(), []);
}

/// A run whose gate was killed while its command ran, and is known to be gone.
fn gone() -> Vec<Event> {
    let mut run = whole_run()[..6].to_vec();
    run.extend(recover(&DeployState::from_events(&run).unwrap(), at(100), WAIT));
    assert_eq!(run.last().unwrap().what, Step::OwnerGone { settle_at: at(100 + SETTLE) }.into());
    run
}

#[test]
fn an_end_that_nobody_saw_waits_until_a_read_of_the_task_settles_it() {
    let state = DeployState::from_events(&gone()).unwrap();
    assert_eq!((state.is_closed(), state.outbox(), state.end()), (false, vec![], None));
    assert_eq!(recover(&state, at(500), WAIT), []);
    let early = EndOnTask::NotFound { read_at: at(100 + SETTLE - 1) };
    assert_eq!(conclude(&state, at(500), &early), []);
    let kinds: Vec<_> =
        conclude(&state, at(500), &EndOnTask::NotFound { read_at: at(100 + SETTLE) }).iter().map(Event::kind).collect();
    assert_eq!(kinds, ["queued", "closed"]);
}

#[test]
fn an_end_that_somebody_else_put_on_the_task_is_the_end_and_nothing_is_posted_over_it() {
    let mut run = gone();
    let state = DeployState::from_events(&run).unwrap();
    run.extend(conclude(&state, at(101), &EndOnTask::Found(end_elsewhere())));
    let state = DeployState::from_events(&run).unwrap();
    assert!(state.is_closed());
    assert_eq!((state.outbox(), state.end()), (vec![], Some((Some(Outcome::Failed), at(101)))));
    assert_eq!(recover_all(&state, 500), []);
}

#[test]
fn an_end_that_somebody_else_put_there_meanwhile_takes_the_place_of_one_that_nobody_saw() {
    let mut run = gone();
    let state = DeployState::from_events(&run).unwrap();
    run.extend(conclude(&state, at(200), &EndOnTask::NotFound { read_at: at(200) }));
    let unsent = DeployState::from_events(&run).unwrap();
    assert_eq!(unsent.outbox().len(), 1);
    run.extend(conclude(&unsent, at(300), &EndOnTask::Found(end_elsewhere())));
    assert_eq!(DeployState::from_events(&run).unwrap().outbox(), []);
    // Once it may be on the task it stays what it is.
    run.truncate(run.len() - 1);
    run.push(Event::new(at(301), sending(record::Event::Finished, 301)));
    let sent = DeployState::from_events(&run).unwrap();
    assert_eq!(conclude(&sent, at(302), &EndOnTask::Found(end_elsewhere())), []);
}

#[test]
fn a_person_may_say_how_it_ended_once_the_gate_is_gone_and_that_is_its_one_end() {
    let said = finished(Outcome::Succeeded, None);
    let running = DeployState::from_events(&whole_run()[..6]).unwrap();
    assert!(running.clone().apply(&Event::new(at(101), said.clone())).is_err(), "its gate may still see it");
    let mut run = gone();
    run.push(Event::new(at(101), said));
    run.push(Event::new(at(102), Step::Closed));
    let state = DeployState::from_events(&run).unwrap();
    let outbox: Vec<_> = state.outbox().into_iter().map(|due| (due.event, due.record.outcome)).collect();
    assert_eq!(outbox, [(record::Event::Finished, Some(Outcome::Succeeded))]);
}

#[test]
fn what_people_know_takes_the_place_of_an_unknown_end_that_was_not_sent() {
    let mut run = gone();
    let state = DeployState::from_events(&run).unwrap();
    run.extend(conclude(&state, at(200), &EndOnTask::NotFound { read_at: at(200) }));
    let recorded = Record { outcome: Some(Outcome::Succeeded), ..*record(deploy(), record::Event::Recorded) };
    run.push(Event::new(at(300), Step::Queued { record: Box::new(recorded) }));
    let state = DeployState::from_events(&run).unwrap();
    assert_eq!(state.outbox().iter().map(|due| due.event).collect::<Vec<_>>(), [record::Event::Recorded]);
    assert_eq!(state.end(), Some((Some(Outcome::Succeeded), at(300))));
}

#[test]
fn what_people_record_is_posted_though_the_gate_died() {
    let after = recovered(&recorded_run()[..2]);
    let outbox = DeployState::from_events(&after).unwrap().outbox();
    assert_eq!(outbox.iter().map(|entry| entry.event).collect::<Vec<_>>(), [record::Event::Recorded]);
    assert_eq!(recovered_as(&recorded_run()[..1]), (vec!["closed"], None));
}

fn check_idempotent(events: &[Event]) {
    let once = recovered(events);
    let state = DeployState::from_events(&once).unwrap();
    assert!(state.is_closed() && !state.owes_finished());
    assert_eq!(recovered(&once), once);
    // The recovery itself dies after each of its events, and another takes over later.
    for cut in events.len()..once.len() {
        let mut again = once[..cut].to_vec();
        let cut_state = DeployState::from_events(&again).unwrap();
        again.extend(recover_all(&cut_state, 500));
        assert_eq!(again, once);
    }
}

#[test]
fn recovering_twice_is_recovering_once_at_every_cut() {
    for run in every_run() {
        for length in 1..=run.len() {
            check_idempotent(&run[..length]);
        }
    }
}

proptest! {
    #[test]
    fn recovering_twice_is_recovering_once_anywhere(choices in prop::collection::vec(any::<u16>(), 1..30)) {
        check_idempotent(&legal_walk(&choices));
    }
}
