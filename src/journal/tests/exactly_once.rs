//! A gate, a server and flushers, each of which may fail at any point: every record is on the task once at the end.
//!
//! The gate and the flusher here are the smallest that follow the journal. The server may lose a request, its answer, or
//! take its time within the settling time, as numbers from proptest decide.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::Event::{Finished, Started};

/// The task's comments, and those that are still on their way and when they arrive.
#[derive(Default)]
struct Server {
    comments: BTreeMap<record::Event, u32>,
    travelling: Vec<(i64, record::Event)>,
}

impl Server {
    fn posted(&mut self, event: record::Event) {
        *self.comments.entry(event).or_default() += 1;
    }

    fn arrive(&mut self, now: i64) {
        for (_, event) in self.travelling.extract_if(.., |(when, _)| *when <= now).collect::<Vec<_>>() {
            self.posted(event);
        }
    }
}

struct ModelWorld {
    log: Vec<Event>,
    server: Server,
    now: i64,
    /// What happens next: how attempts fare, and after how many events the process is killed.
    fates: std::vec::IntoIter<u8>,
    life: usize,
    ran: bool,
}

/// The process was killed.
struct Killed;

impl ModelWorld {
    fn state(&self) -> DeployState {
        DeployState::from_events(&self.log).unwrap()
    }

    fn live(&mut self) -> Result<(), Killed> {
        self.life = self.life.checked_sub(1).ok_or(Killed)?;
        Ok(())
    }

    fn append(&mut self, what: impl Into<EventKind>) -> Result<(), Killed> {
        self.live()?;
        self.now += 1;
        self.log.push(Event::new(at(self.now), what));
        self.state();
        self.live()
    }

    fn send(&mut self, event: record::Event) -> Result<(), Killed> {
        self.append(sending(event, self.now + 1))?;
        match self.fates.next().unwrap_or(0) % 9 {
            0 => {
                self.server.posted(event);
                self.live()?;
                self.append(delivered(event))
            }
            1 => self.append(not_sent(event)),
            2 => {
                self.server.posted(event);
                self.append(unclear(event))
            }
            3 => {
                self.server.travelling.push((self.now + SETTLE - 1, event));
                self.append(unclear(event))
            }
            4 => {
                self.server.posted(event);
                self.append(answered(event, ServerAnswer::Refused))
            }
            5 => self.append(answered(event, ServerAnswer::Refused)),
            6 => self.append(answered(event, ServerAnswer::RolledBack)),
            7 => {
                self.server.travelling.push((self.now + SETTLE - 1, event));
                self.append(answered(event, ServerAnswer::Filtered))
            }
            _ => self.append(unclear(event)),
        }
    }

    fn gate(&mut self) -> Result<(), Killed> {
        self.append(intent(DeployMode::Run))?;
        self.append(queued(Started))?;
        self.send(Started)?;
        self.append(Step::Spawning)?;
        self.ran = true;
        self.live()?;
        self.append(Step::Exited { status: ExitStatus::Code(0) })?;
        let record = Box::new(self.state().finished_record());
        self.append(Step::Queued { record })?;
        self.append(Step::Closed)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Killed> {
        for undelivered in self.state().outbox() {
            self.now += 1;
            self.server.arrive(self.now);
            match undelivered.phase {
                Phase::Ready | Phase::Refused { .. } => self.send(undelivered.event)?,
                Phase::Unclear { .. } if self.server.comments.contains_key(&undelivered.event) => {
                    self.append(delivered(undelivered.event))?;
                }
                Phase::Unclear { settle_at, answer, .. } if at(self.now) >= settle_at => {
                    self.append(match answer.is_refusal() {
                        true => refused(undelivered.event, self.now),
                        false => missing(undelivered.event, self.now),
                    })?;
                }
                Phase::Unclear { .. } => {}
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_record_is_on_the_task_once(lives in prop::collection::vec(0..40_usize, 1..6), fates in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut lives = lives.into_iter();
        let life = lives.next().unwrap_or(0);
        let mut world = ModelWorld { log: Vec::new(), server: Server::default(), now: 0, fates: fates.into_iter(), life, ran: false };
        let _ = world.gate();
        if world.log.is_empty() {
            prop_assert!(!world.ran);
            return Ok(());
        }
        for event in recover_all(&world.state(), world.now) {
            world.log.push(event);
        }
        // Flushers that are killed too, then one that lives and meets a server that is well.
        for life in lives.by_ref() {
            world.life = life;
            world.now += 25;
            let _ = world.flush();
        }
        world.fates = Vec::new().into_iter();
        for _ in 0..6 {
            world.life = 1000;
            world.now += 25;
            prop_assert!(world.flush().is_ok());
        }

        let state = world.state();
        prop_assert_eq!(state.outbox(), vec![]);
        for (event, count) in &world.server.comments {
            prop_assert_eq!(*count, 1, "{:?}", event);
        }
        let outcome = state.record(Finished).and_then(|outgoing| outgoing.record.outcome);
        prop_assert_eq!(world.server.comments.contains_key(&Finished), outcome.is_some());
        if world.ran {
            prop_assert!(matches!(outcome, Some(Outcome::Unknown | Outcome::Succeeded)), "{:?}", outcome);
        } else if world.server.comments.contains_key(&Started) {
            prop_assert!(matches!(outcome, Some(Outcome::NotStarted | Outcome::Unknown)), "{:?}", outcome);
        }
    }
}
