//! The fold: what may follow what, and what it says at each point.

use proptest::prelude::*;

use super::*;
use crate::record::Event::{Finished, Recorded, Started};

fn refusal(past: &[Event], next: impl Into<EventKind>, second: i64) -> Illegal {
    let mut state = DeployState::from_events(past).unwrap();
    let before = state.clone();
    let error = state.apply(&Event::new(at(second), next)).unwrap_err();
    assert_eq!(state, before, "a refused event must not change the state");
    error.why
}

fn outbox(events: &[Event]) -> Vec<(record::Event, Phase)> {
    let undelivered = DeployState::from_events(events).unwrap().outbox();
    undelivered.into_iter().map(|undelivered| (undelivered.event, undelivered.phase)).collect()
}

#[test]
fn the_names_of_kinds_are_those_of_serde_and_every_event_reads_back() {
    for event in alphabet(5) {
        let data = event.to_data().unwrap();
        let value: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(value["kind"], event.kind());
        assert_eq!(Event::from_data(event.at, event.kind(), &data).unwrap(), event);
        for other in ["intent", "closed", "sending", "", "erased"] {
            assert!(other == event.kind() || Event::from_data(event.at, other, &data).is_err(), "{other} {data}");
        }
    }
}

#[test]
fn every_prefix_of_a_legal_log_is_legal() {
    for run in every_run() {
        for length in 1..=run.len() {
            DeployState::from_events(&run[..length]).unwrap();
        }
        let state = DeployState::from_events(&run).unwrap();
        assert!(state.is_closed());
        assert_eq!(state.outbox(), []);
    }
    assert_eq!(DeployState::from_events(&[]).unwrap_err().why, Illegal::NoIntent);
}

#[test]
fn a_step_taken_twice_is_refused_and_a_remark_changes_nothing() {
    for run in every_run() {
        for length in 1..=run.len() {
            let mut state = DeployState::from_events(&run[..length]).unwrap();
            let before = state.clone();
            let again = state.apply(&run[length - 1]);
            let remark = matches!(run[length - 1].what, EventKind::Delivery(Delivery::Unclear { .. }));
            assert_eq!(again.is_ok(), remark, "{:?}", run[length - 1]);
            assert_eq!(state, before);
        }
    }
}

#[test]
fn a_missing_step_is_noticed() {
    for run in every_run() {
        for left_out in 0..run.len() {
            let needed = match &run[left_out].what {
                EventKind::Step(Step::Spawned { .. } | Step::NotSpawned { .. } | Step::Closed) => false,
                EventKind::Step(_) => true,
                // A record can be found though nobody knows of an attempt: another host sent it.
                EventKind::Delivery(_) => false,
            };
            let mut rest = run.clone();
            rest.remove(left_out);
            assert!(!needed || DeployState::from_events(&rest).is_err(), "{:?}", run[left_out]);
        }
    }
}

#[test]
fn the_stage_follows_the_command() {
    let run = whole_run();
    let stage = |length: usize| DeployState::from_events(&run[..length]).unwrap().stage().clone();
    for length in 1..=4 {
        assert_eq!(stage(length), Stage::NotStarted { why: None });
    }
    assert_eq!(stage(5), Stage::MayHaveRun { since: at(4), pid: None });
    assert_eq!(stage(6), Stage::MayHaveRun { since: at(4), pid: Some(4711) });
    assert_eq!(stage(7), Stage::Ended { status: ExitStatus::Code(0), started: at(4), finished: at(6) });
}

#[test]
fn the_outbox_follows_the_records() {
    let run = troubled_run();
    let unclear_at =
        |second| Phase::Unclear { since: at(second), settle_at: at(second + SETTLE), answer: ServerAnswer::Unclear };
    assert_eq!(outbox(&run[..1]), []);
    assert_eq!(outbox(&run[..2]), [(Started, Phase::Ready)]);
    assert_eq!(outbox(&run[..3]), [(Started, unclear_at(2))]);
    assert_eq!(outbox(&run[..4]), [(Started, Phase::Ready)]);
    assert_eq!(outbox(&run[..6]), [(Started, unclear_at(4))]);
    assert_eq!(outbox(&run[..9]), [(Started, unclear_at(4)), (Finished, Phase::Ready)]);
    assert_eq!(outbox(&run[..11]), [(Started, unclear_at(4)), (Finished, unclear_at(9))]);
    assert_eq!(outbox(&run[..12]), [(Finished, unclear_at(9))], "a missing started is not due after the end");
    assert_eq!(outbox(&run[..13]), [(Finished, Phase::Ready)]);
    assert_eq!(outbox(&run[..15]), []);
    let state = DeployState::from_events(&run[..13]).unwrap();
    let waiting = &state.outbox()[0];
    assert_eq!((waiting.attempts, waiting.queued_at), (1, at(8)));
    assert_eq!(waiting.authors.iter().collect::<Vec<_>>(), [&author()]);
    let first = &DeployState::from_events(&run[..6]).unwrap().outbox()[0];
    assert_eq!((first.attempts, first.last_error.as_deref()), (2, Some("no answer within 10 s")));
}

#[test]
fn nothing_is_sent_while_an_attempt_is_unclear_or_it_is_delivered() {
    let run = whole_run();
    assert_eq!(refusal(&run[..3], sending(Started, 600), 600), Illegal::Unsettled);
    assert_eq!(refusal(&run[..4], sending(Started, 600), 600), Illegal::AlreadyDelivered);
    assert_eq!(refusal(&run[..4], missing(Started, 600), 600), Illegal::AlreadyDelivered);
    assert_eq!(refusal(&run[..2], sending(Finished, 3), 3), Illegal::NotQueued);
    assert_eq!(refusal(&run[..2], not_sent(Started), 3), Illegal::NotSending);
}

#[test]
fn a_read_before_the_attempt_settles_proves_nothing() {
    let run = whole_run();
    assert_eq!(refusal(&run[..3], missing(Started, 2 + SETTLE - 1), 600), Illegal::TooEarly);
    let mut settled = run[..3].to_vec();
    settled.push(Event::new(at(600), missing(Started, 2 + SETTLE)));
    assert_eq!(outbox(&settled), [(Started, Phase::Ready)]);
    settled.push(Event::new(at(601), delivered(Started)));
    assert_eq!(outbox(&settled), [], "what turns up after all is on the task");
}

#[test]
fn what_the_server_refused_is_settled_by_one_read_and_kept_apart() {
    let mut run = whole_run();
    run.truncate(3);
    run.push(Event::new(at(4), answered(Started, ServerAnswer::Refused)));
    assert_eq!(refusal(&run, refused(Started, 3), 5), Illegal::TooEarly, "the read was begun before the answer");
    assert_eq!(refusal(&run, missing(Started, 5), 5), Illegal::WasRefused);
    run.push(Event::new(at(6), refused(Started, 5)));
    let seen = TaskSeen { status: "open".to_owned(), modified: at(0) };
    assert_eq!(outbox(&run), [(Started, Phase::Refused { seen })]);
    let waiting = &DeployState::from_events(&run).unwrap().outbox()[0];
    assert_eq!(waiting.last_error.as_deref(), Some("the server refuses the call"));
    run.push(Event::new(at(700), sending(Started, 700)));
    assert!(DeployState::from_events(&run).is_ok(), "where the task changed it may be sent again");
}

#[test]
fn a_refused_started_is_not_due_after_the_end() {
    let mut run = whole_run();
    run.truncate(3);
    run.push(Event::new(at(4), answered(Started, ServerAnswer::Refused)));
    run.push(Event::new(at(5), refused(Started, 5)));
    let state = DeployState::from_events(&run).unwrap();
    assert!(!state.owes_finished(), "nothing ran, and nobody was told anything");
    run.push(Event::new(at(6), Step::Closed));
    assert_eq!(outbox(&run), []);
}

#[test]
fn a_deadlock_is_settled_at_once_and_a_filter_only_in_time() {
    let mut run = whole_run();
    run.truncate(3);
    let mut rolled_back = run.clone();
    rolled_back.push(Event::new(at(4), answered(Started, ServerAnswer::RolledBack)));
    assert_eq!(refusal(&rolled_back, refused(Started, 5), 5), Illegal::NotRefused);
    rolled_back.push(Event::new(at(5), missing(Started, 5)));
    assert_eq!(outbox(&rolled_back), [(Started, Phase::Ready)]);
    run.push(Event::new(at(4), answered(Started, ServerAnswer::Filtered)));
    assert_eq!(refusal(&run, refused(Started, 5), 5), Illegal::TooEarly);
    run.push(Event::new(at(600), refused(Started, 2 + SETTLE)));
    assert!(matches!(outbox(&run)[..], [(Started, Phase::Refused { .. })]));
}

#[test]
fn a_started_that_never_arrived_is_not_posted_after_the_end() {
    let mut run = whole_run();
    run.drain(2..4);
    run.truncate(6);
    assert_eq!(outbox(&run), [(Finished, Phase::Ready)]);
    assert_eq!(refusal(&run, sending(Started, 20), 20), Illegal::Superseded);
    let stopped = [run[0].clone(), run[1].clone(), Event::new(at(9), Step::Closed)];
    assert_eq!(outbox(&stopped), []);
    assert_eq!(refusal(&stopped, sending(Started, 20), 20), Illegal::Superseded);
}

#[test]
fn a_finished_says_what_the_events_say() {
    let run = whole_run();
    let zero = Some(ExitStatus::Code(0));
    for (length, outcome, exit, true_) in [
        (4, Outcome::NotStarted, None, true),
        (4, Outcome::Unknown, None, false),
        (4, Outcome::Succeeded, zero, false),
        (5, Outcome::Unknown, None, true),
        (5, Outcome::NotStarted, None, false),
        (6, Outcome::Unknown, None, true),
        (6, Outcome::Unknown, zero, false),
        (7, Outcome::Succeeded, zero, true),
        (7, Outcome::RolledBack, zero, true),
        (7, Outcome::Succeeded, None, false),
        (7, Outcome::Succeeded, Some(ExitStatus::Code(1)), false),
        (7, Outcome::NotStarted, zero, false),
    ] {
        let mut state = DeployState::from_events(&run[..length]).unwrap();
        let queued = state.apply(&Event::new(at(50), finished(outcome, exit)));
        assert_eq!(queued.is_ok(), true_, "{length} {outcome:?} {exit:?}");
    }
}

#[test]
fn the_command_starts_once_and_after_its_record_is_queued() {
    let run = whole_run();
    assert_eq!(refusal(&run[..1], Step::Spawning, 9), Illegal::WrongStage);
    assert_eq!(refusal(&run[..5], Step::Spawning, 9), Illegal::WrongStage);
    assert_eq!(refusal(&run[..7], Step::Spawning, 9), Illegal::WrongStage);
    assert_eq!(refusal(&run[..6], Step::NotSpawned { why: String::new() }, 9), Illegal::WrongStage);
    assert_eq!(refusal(&stopped_run()[..5], Step::Spawning, 9), Illegal::WrongStage);
    assert_eq!(refusal(&stopped_run()[..6], Step::Spawning, 9), Illegal::WrongStage);
    assert_eq!(refusal(&recorded_run()[..1], Step::Spawning, 9), Illegal::NotRun);
    assert_eq!(refusal(&recorded_run()[..1], queued(Started), 9), Illegal::NotDue);
}

#[test]
fn a_deploy_is_not_closed_while_it_owes_a_word() {
    let run = whole_run();
    for length in 3..=7 {
        assert_eq!(refusal(&run[..length], Step::Closed, 50), Illegal::RecordOwed, "after {length}");
    }
    assert_eq!(refusal(&run[..9], Step::Closed, 50), Illegal::Closed);
    let ended_early = [run[0].clone(), Event::new(at(1), Step::Closed)];
    for late in [queued(Started), Step::Spawning, finished(Outcome::NotStarted, None)] {
        assert_eq!(refusal(&ended_early, late, 50), Illegal::Closed);
    }
}

#[test]
fn a_started_that_turns_up_after_the_close_reopens_the_deploy_for_its_end_alone() {
    let run = troubled_run();
    let mut late = run[..4].to_vec();
    late.push(Event::new(at(10), Step::Closed));
    late.push(Event::new(at(11), delivered(Started)));
    let state = DeployState::from_events(&late).unwrap();
    assert!(!state.is_closed() && state.owes_finished());
    assert_eq!(refusal(&late, Step::Spawning, 12), Illegal::WrongStage);
    late.extend(recover_all(&state, 12));
    assert_eq!(outbox(&late), [(Finished, Phase::Ready)]);
}

#[test]
fn only_what_was_refused_or_whose_place_is_gone_is_given_up() {
    use record::Event::Finished;
    let run = whole_run();
    // Merely unsent, then unclear.
    assert_eq!(refusal(&run[..9], dropped(Finished, GivenUp::Refused), 50), Illegal::NotRefused);
    assert_eq!(refusal(&run[..10], dropped(Finished, GivenUp::Refused), 50), Illegal::NotRefused);
    assert_eq!(refusal(&run, dropped(Finished, GivenUp::Refused), 50), Illegal::AlreadyDelivered);
    for because in [GivenUp::TaskGone, GivenUp::ServerGone] {
        for length in [9, 10] {
            let mut given_up = run[..length].to_vec();
            given_up.push(Event::new(at(50), dropped(Finished, because)));
            assert_eq!(outbox(&given_up), []);
            assert_eq!(refusal(&given_up, sending(Finished, 51), 51), Illegal::GivenUp);
            // Should it turn up after all, that is known.
            given_up.push(Event::new(at(52), delivered(Finished)));
            DeployState::from_events(&given_up).unwrap();
        }
    }
}

#[test]
fn people_may_add_what_they_know_once_the_gate_has_ended() {
    let run = whole_run();
    assert_eq!(refusal(&run[..7], queued(Recorded), 50), Illegal::NotDue);
    let mut requeued = run;
    requeued.push(Event::new(at(50), queued(Recorded)));
    assert_eq!(outbox(&requeued), [(Recorded, Phase::Ready)]);
    assert_eq!(refusal(&requeued, queued(Recorded), 51), Illegal::QueuedTwice);
}

#[test]
fn a_record_of_another_deploy_is_refused() {
    let foreign = Step::Queued { record: record(other_deploy(), Started) };
    assert_eq!(refusal(&whole_run()[..1], foreign, 1), Illegal::OtherDeploy);
    let mut elsewhere = record(deploy(), Started);
    elsewhere.task = TaskId::new(99).unwrap();
    assert_eq!(refusal(&whole_run()[..1], Step::Queued { record: elsewhere }, 1), Illegal::OtherDeploy);
}

#[test]
fn the_outbox_as_json() {
    let state = DeployState::from_events(&troubled_run()[..9]).unwrap();
    let json = serde_json::to_string_pretty(&OutboxEntry::of(&state)).unwrap();
    insta::assert_snapshot!(json, @r#"
    [
      {
        "deploy": "01939f2a-0000-7000-8000-000000000001",
        "event": "started",
        "task": "T1234",
        "server": "https://phab.example/",
        "since": "2026-11-20T03:00:01Z",
        "attempts": 2,
        "state": "unclear",
        "next_try_at": "2026-11-20T03:01:04Z",
        "last_error": "no answer within 10 s"
      },
      {
        "deploy": "01939f2a-0000-7000-8000-000000000001",
        "event": "finished",
        "task": "T1234",
        "server": "https://phab.example/",
        "since": "2026-11-20T03:00:08Z",
        "attempts": 0,
        "state": "ready",
        "next_try_at": null,
        "last_error": null
      }
    ]
    "#);
}

proptest! {
    #[test]
    fn no_sequence_of_events_makes_the_fold_panic(picks in prop::collection::vec((0..600_i64, 0..200_usize), 0..40)) {
        let events: Vec<Event> = picks
            .into_iter()
            .map(|(second, pick)| {
                let mut letters = alphabet(second);
                letters.swap_remove(pick % letters.len())
            })
            .collect();
        if let Ok(state) = DeployState::from_events(&events) {
            let _ = (state.outbox(), state.finished_record(), recover(&state, at(1000), WAIT), OutboxEntry::of(&state));
        }
    }

    #[test]
    fn every_prefix_of_a_random_legal_log_is_legal_and_appending_is_folding(choices in prop::collection::vec(any::<u16>(), 1..40)) {
        let walk = legal_walk(&choices);
        let mut state = DeployState::begin(&walk[0]).unwrap();
        for length in 2..=walk.len() {
            state.apply(&walk[length - 1]).unwrap();
            prop_assert_eq!(&DeployState::from_events(&walk[..length]).unwrap(), &state);
            for undelivered in state.outbox() {
                let sent = state.clone().apply(&Event::new(at(9999), sending(undelivered.event, 9999)));
                prop_assert_eq!(sent.is_ok(), !matches!(undelivered.phase, Phase::Unclear { .. }));
            }
        }
    }
}

#[test]
fn an_answer_that_came_late_puts_off_when_the_attempt_is_settled() {
    use crate::record::Event::Started;
    let settled = |later: Option<i64>| {
        let mut unclear = unclear(Started);
        if let Delivery::Unclear { settle_at, .. } = &mut unclear {
            *settle_at = later.map(at);
        }
        let whats: [EventKind; 4] =
            [intent(DeployMode::Run).into(), queued(Started).into(), sending(Started, 2).into(), unclear.into()];
        let events: Vec<Event> = whats.into_iter().map(|what| Event::new(at(3), what)).collect();
        let mut state = DeployState::from_events(&events).unwrap();
        let early = Event::new(at(300), missing(Started, 2 + SETTLE));
        state.apply(&early).map_err(|error| error.why)
    };
    assert_eq!(settled(None), Ok(()));
    // Never earlier than was planned.
    assert_eq!(settled(Some(1)), Ok(()));
    assert_eq!(settled(Some(2 + SETTLE + 1)), Err(Illegal::TooEarly));
}
