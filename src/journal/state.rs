//! Where a deploy stands: a pure fold over its events.
//!
//! Responsible for the state, and which event may follow in which state. An event that may not is an error, so that a
//! journal that was written wrongly is seen and never guessed about. Not responsible for what a dead gate leaves behind
//! ([recover](super::recover) knows) and how events are kept.
//!
//! Two strands run side by side. The deploy itself goes
//! `Intent → Queued started → Spawning → Spawned → Exited → Queued finished → Closed`, shorter where it stops early.
//! Each queued record goes `Ready → Sending → Delivered`, back to ready by `NotSent` or `Missing`, and by `Refused` to a
//! place from which it is sent only where something changed.
//!
//! **A `started` that is surely not on the task is due only until the end is known.** Once `finished` is queued, or the deploy
//! is closed, posting it would announce that something is happening now which is over. `finished` says all that it
//! said. A `started` that may be on the task is still read back.

mod look;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Delivery, DeployMode, EndElsewhere, Event, EventKind, GivenUp, Intent, Step};
use super::illegal::{Illegal, IllegalTransition};
use super::outbox::{DeliveryState, Outgoing};
use crate::record::{self, ExitStatus, Outcome, Record};

/// How far the command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It surely was not started.
    NotStarted {
        /// The reason, where the gate gave up on it; then it will not be started any more.
        why: Option<String>,
    },
    /// It may have been started; whether and how it ended is not known.
    MayHaveRun {
        /// When it was about to be started.
        since: Timestamp,
        /// Its process id, where it surely was started.
        pid: Option<u32>,
    },
    /// It ended.
    Ended {
        /// With this status.
        status: ExitStatus,
        /// When it was about to be started.
        started: Timestamp,
        /// When it ended.
        finished: Timestamp,
    },
}

/// Where one deploy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployState {
    intent: Intent,
    at: Timestamp,
    stage: Stage,
    closed: bool,
    records: BTreeMap<record::Event, Outgoing>,
    /// Since the gate is known to be gone: from when a read of the task settles how the deploy ended.
    gone: Option<Timestamp>,
    /// The end that somebody else put on the task, and when it was read there.
    elsewhere: Option<(EndElsewhere, Timestamp)>,
}

impl DeployState {
    /// Folds the events of one deploy, oldest first.
    ///
    /// # Errors
    /// Where there are none, or one of them may not follow those before it.
    pub fn from_events(events: &[Event]) -> Result<Self, IllegalTransition> {
        let Some((first, rest)) = events.split_first() else {
            return Err(IllegalTransition { kind: "nothing", why: Illegal::NoIntent });
        };
        let mut state = Self::begin(first)?;
        for event in rest {
            state.apply(event)?;
        }
        Ok(state)
    }

    /// The state after the first event.
    ///
    /// # Errors
    /// Where that is not an intent, or its template is of another task.
    pub fn begin(first: &Event) -> Result<Self, IllegalTransition> {
        let illegal = |why| IllegalTransition { kind: first.kind(), why };
        let EventKind::Step(Step::Intent(intent)) = &first.what else { return Err(illegal(Illegal::NoIntent)) };
        if intent.template.task != intent.task {
            return Err(illegal(Illegal::OtherDeploy));
        }
        Ok(Self {
            intent: (**intent).clone(),
            at: first.at,
            stage: Stage::NotStarted { why: None },
            closed: false,
            records: BTreeMap::new(),
            gone: None,
            elsewhere: None,
        })
    }

    /// Takes in the next event. Where it is refused, the state stays as it was.
    ///
    /// # Errors
    /// Where the event may not come now.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        match &event.what {
            EventKind::Step(step) => self.step(event.at, step),
            EventKind::Delivery(delivery) => self.delivery(event.at, delivery),
        }
        .map_err(|why| IllegalTransition { kind: event.kind(), why })
    }

    fn step(&mut self, at: Timestamp, step: &Step) -> Result<(), Illegal> {
        match step {
            Step::Intent(_) => return Err(Illegal::SecondIntent),
            Step::Queued { record } => {
                self.may_queue(record)?;
                self.records.insert(record.event, Outgoing::new(record.clone(), at));
            }
            Step::Closed => {
                if self.closed {
                    return Err(Illegal::Closed);
                }
                if self.owes_finished() {
                    return Err(Illegal::RecordOwed);
                }
                self.closed = true;
                if let Stage::NotStarted { why: why @ None } = &mut self.stage {
                    *why = Some("the gate ended before it".to_owned());
                }
            }
            Step::OwnerGone { settle_at } => {
                if self.closed {
                    return Err(Illegal::Closed);
                }
                if self.gone.is_some() {
                    return Err(Illegal::GoneTwice);
                }
                self.gone = Some(*settle_at);
            }
            Step::EndedElsewhere(end) => {
                if self.gone.is_none() {
                    return Err(Illegal::NotGone);
                }
                if !self.awaits_end() {
                    return Err(Illegal::NotDue);
                }
                self.elsewhere = Some((end.clone(), at));
                self.closed = true;
            }
            Step::Spawning | Step::Spawned { .. } | Step::NotSpawned { .. } | Step::Exited { .. } => {
                self.stage = self.next_stage(at, step)?;
            }
        }
        Ok(())
    }

    fn next_stage(&self, at: Timestamp, step: &Step) -> Result<Stage, Illegal> {
        if self.intent.mode == DeployMode::Record {
            return Err(Illegal::NotRun);
        }
        if self.closed {
            return Err(Illegal::Closed);
        }
        if self.records.contains_key(&record::Event::Finished) {
            return Err(Illegal::WrongStage);
        }
        // Who saw how it ended may say so late, from beside the journal; nobody starts anything for a dead gate.
        if self.gone.is_some() && !matches!(step, Step::Exited { .. }) {
            return Err(Illegal::WrongStage);
        }
        match (step, &self.stage) {
            (Step::Spawning, Stage::NotStarted { why: None }) if self.records.contains_key(&record::Event::Started) => {
                Ok(Stage::MayHaveRun { since: at, pid: None })
            }
            (Step::Spawned { pid }, Stage::MayHaveRun { since, pid: None }) => {
                Ok(Stage::MayHaveRun { since: *since, pid: Some(*pid) })
            }
            (Step::NotSpawned { why }, Stage::NotStarted { why: None } | Stage::MayHaveRun { pid: None, .. }) => {
                Ok(Stage::NotStarted { why: Some(why.clone()) })
            }
            (Step::Exited { status }, Stage::MayHaveRun { since, .. }) => {
                Ok(Stage::Ended { status: *status, started: *since, finished: at })
            }
            _ => Err(Illegal::WrongStage),
        }
    }

    fn may_queue(&self, record: &Record) -> Result<(), Illegal> {
        if record.deploy != self.deploy() || record.task != self.intent.task {
            return Err(Illegal::OtherDeploy);
        }
        if self.records.contains_key(&record.event) {
            return Err(Illegal::QueuedTwice);
        }
        let ended = self.records.contains_key(&record::Event::Finished);
        match (self.intent.mode, record.event) {
            // People may add what they know once the gate has said all that it knows, closed or not.
            (DeployMode::Run, record::Event::Recorded) if ended || self.elsewhere.is_some() => Ok(()),
            _ if self.closed => Err(Illegal::Closed),
            (DeployMode::Run, record::Event::Started) if !ended && self.stage == (Stage::NotStarted { why: None }) => {
                Ok(())
            }
            (DeployMode::Run, record::Event::Finished) if self.is_true(record) => Ok(()),
            (DeployMode::Run, record::Event::Finished) => Err(Illegal::Untrue),
            (DeployMode::Record, record::Event::Finished | record::Event::Recorded) => Ok(()),
            (DeployMode::Run, record::Event::Started | record::Event::Recorded)
            | (DeployMode::Record, record::Event::Started) => Err(Illegal::NotDue),
        }
    }

    /// Whether a `finished` says what the events say.
    fn is_true(&self, record: &Record) -> bool {
        match &self.stage {
            Stage::NotStarted { .. } => record.outcome == Some(Outcome::NotStarted) && record.exit.is_none(),
            // What the gate did not see, a person who looked may say once it is gone.
            Stage::MayHaveRun { .. } if self.gone.is_some() => {
                record.exit.is_none() && !matches!(record.outcome, None | Some(Outcome::NotStarted))
            }
            Stage::MayHaveRun { .. } => record.outcome == Some(Outcome::Unknown) && record.exit.is_none(),
            Stage::Ended { status, .. } => {
                record.exit == Some(*status) && !matches!(record.outcome, None | Some(Outcome::NotStarted))
            }
        }
    }

    fn delivery(&mut self, at: Timestamp, delivery: &Delivery) -> Result<(), Illegal> {
        let due = self.is_due(delivery.event());
        let outgoing = self.records.get_mut(&delivery.event()).ok_or(Illegal::NotQueued)?;
        let unclear = match &outgoing.delivery {
            DeliveryState::Delivered { .. } => return Err(Illegal::AlreadyDelivered),
            DeliveryState::Dropped { .. } if !matches!(delivery, Delivery::Delivered { .. }) => {
                return Err(Illegal::GivenUp);
            }
            DeliveryState::Ready | DeliveryState::Refused { .. } | DeliveryState::Dropped { .. } => None,
            DeliveryState::Unclear { settle_at, answer, .. } => Some((*settle_at, *answer)),
        };
        match (delivery, unclear) {
            (Delivery::Sending { .. }, Some(_)) => return Err(Illegal::Unsettled),
            (Delivery::Sending { .. }, None) if !due => return Err(Illegal::Superseded),
            (Delivery::Sending { author, server, settle_at, .. }, None) => {
                outgoing.sending(at, author, server, *settle_at);
            }
            (Delivery::Dropped { because: GivenUp::Refused, .. }, _)
                if !matches!(outgoing.delivery, DeliveryState::Refused { .. }) =>
            {
                return Err(Illegal::NotRefused);
            }
            (Delivery::Dropped { .. }, _) => outgoing.delivery = DeliveryState::Dropped { at },
            // A record that was given up as missing can still turn up, sent by another host or from a slow queue.
            (Delivery::Delivered { transaction, phid, .. }, _) => {
                outgoing.delivery = DeliveryState::Delivered { transaction: *transaction, phid: phid.clone(), at };
                // A `started` that turns up after all must not stand there without an end.
                self.closed &= !self.owes_finished();
            }
            (
                Delivery::NotSent { .. }
                | Delivery::Unclear { .. }
                | Delivery::Missing { .. }
                | Delivery::Refused { .. },
                None,
            ) => return Err(Illegal::NotSending),
            (Delivery::NotSent { why, .. }, Some(_)) => {
                outgoing.delivery = DeliveryState::Ready;
                outgoing.last_error = Some(why.clone());
            }
            (Delivery::Unclear { why, settle_at: later, answer: now, .. }, Some(_)) => {
                outgoing.last_error = Some(why.clone());
                if let DeliveryState::Unclear { settle_at, answer, .. } = &mut outgoing.delivery {
                    *settle_at = match now.ends_the_attempt() {
                        true => at,
                        false => (*settle_at).max(later.unwrap_or(*settle_at)),
                    };
                    *answer = *now;
                }
            }
            (Delivery::Missing { read_at, .. } | Delivery::Refused { read_at, .. }, Some((settle_at, _)))
                if *read_at < settle_at =>
            {
                return Err(Illegal::TooEarly);
            }
            (Delivery::Missing { .. }, Some((_, answer))) if answer.is_refusal() => return Err(Illegal::WasRefused),
            (Delivery::Missing { .. }, Some(_)) => outgoing.delivery = DeliveryState::Ready,
            (Delivery::Refused { .. }, Some((_, answer))) if !answer.is_refusal() => return Err(Illegal::NotRefused),
            (Delivery::Refused { seen, .. }, Some(_)) => {
                outgoing.delivery = DeliveryState::Refused { since: at, seen: seen.clone() };
            }
        }
        Ok(())
    }

    /// Whether a record that is surely not on the task should still come there.
    fn is_due(&self, event: record::Event) -> bool {
        match event {
            record::Event::Started => !(self.closed || self.records.contains_key(&record::Event::Finished)),
            // One end of a deploy is enough: what somebody else said, or what a person knows better than the gate.
            record::Event::Finished => {
                let unseen = self.finished_outcome() == Some(Outcome::Unknown);
                self.elsewhere.is_none() && !(unseen && self.records.contains_key(&record::Event::Recorded))
            }
            record::Event::Recorded => true,
        }
    }

    fn finished_outcome(&self) -> Option<Outcome> {
        self.records.get(&record::Event::Finished).and_then(|finished| finished.record.outcome)
    }
}

/// How a command did that ended with this status: every other than zero and every signal is a failure.
pub fn outcome_of(status: ExitStatus) -> Outcome {
    if status == ExitStatus::Code(0) { Outcome::Succeeded } else { Outcome::Failed }
}
