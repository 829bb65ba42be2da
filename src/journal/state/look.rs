//! What is asked of the state of a deploy.
//!
//! Responsible for reading the state. Not responsible for how events change it ([`super`]).

use jiff::Timestamp;

use super::{DeployState, Stage, outcome_of};
use crate::ids::DeployId;
use crate::journal::event::{DeployMode, EndElsewhere, Intent};
use crate::journal::illegal::{Illegal, IllegalTransition};
use crate::journal::outbox::{DeliveryState, Outgoing, Undelivered};
use crate::record::{self, Outcome, Record};

impl DeployState {
    /// Whether an end that somebody else put on the task would be the end of this deploy: the gate is gone, and has neither
    /// seen nor stated one.
    pub fn awaits_end(&self) -> bool {
        if self.intent.mode != DeployMode::Run || self.elsewhere.is_some() || matches!(self.stage, Stage::Ended { .. })
        {
            return false;
        }
        let unsaid = |finished: &Outgoing| !finished.may_be_on_task() && finished.record.exit.is_none();
        match self.records.get(&record::Event::Finished) {
            None => !self.closed,
            Some(finished) => {
                matches!(finished.record.outcome, Some(Outcome::Unknown | Outcome::NotStarted)) && unsaid(finished)
            }
        }
    }

    /// Since its gate is known to be gone: from when a read of the task settles how the deploy ended.
    pub fn gone(&self) -> Option<Timestamp> {
        self.gone
    }

    /// The end that somebody else put on the task, where it was read there.
    pub fn ended_elsewhere(&self) -> Option<&EndElsewhere> {
        self.elsewhere.as_ref().map(|(end, _)| end)
    }

    /// Whether the task would be left without a word about how the deploy ended, if the gate said nothing more.
    ///
    /// It is where the command may have run, and where a `started` is or may be on the task.
    pub fn owes_finished(&self) -> bool {
        let maybe_started = self.records.get(&record::Event::Started).is_some_and(Outgoing::may_be_on_task);
        let may_have_run = !matches!(self.stage, Stage::NotStarted { .. });
        let said = self.records.contains_key(&record::Event::Finished) || self.elsewhere.is_some();
        (maybe_started || may_have_run) && !said
    }

    /// How the deploy ended and when that was known, where the journal holds it; a record that says no outcome gives none.
    ///
    /// A person's `recorded` says more than a `finished` of which nobody saw the end.
    pub fn end(&self) -> Option<(Option<Outcome>, Timestamp)> {
        let said = |event| {
            let outgoing = self.records.get(&event)?;
            Some((outgoing.record.outcome, outgoing.record.finished.unwrap_or(outgoing.queued_at)))
        };
        if let Some((end, at)) = &self.elsewhere {
            return said(record::Event::Recorded).or(Some((end.outcome, *at)));
        }
        let finished = said(record::Event::Finished);
        match finished {
            None | Some((None | Some(Outcome::Unknown), _)) => said(record::Event::Recorded).or(finished),
            Some(_) => finished,
        }
        .or(match &self.stage {
            Stage::Ended { status, finished, .. } => Some((Some(outcome_of(*status)), *finished)),
            Stage::NotStarted { why: Some(_) } => Some((Some(Outcome::NotStarted), self.at)),
            Stage::NotStarted { why: None } | Stage::MayHaveRun { .. } => None,
        })
    }

    /// The deploy.
    pub fn deploy(&self) -> DeployId {
        self.intent.template.deploy
    }

    /// Checks that the events are those of this deploy.
    pub(in crate::journal) fn check_deploy(&self, deploy: DeployId) -> Result<(), IllegalTransition> {
        if self.deploy() == deploy {
            return Ok(());
        }
        Err(IllegalTransition { kind: "intent", why: Illegal::OtherDeploy })
    }

    /// What was to be done.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// When the intent was written.
    pub fn begun(&self) -> Timestamp {
        self.at
    }

    /// How far the command is.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether the gate has nothing more to add.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// A record that was queued, with its way to the task so far.
    pub fn record(&self, event: record::Event) -> Option<&Outgoing> {
        self.records.get(&event)
    }

    /// The records that are not known to be on the task and should be, or may be: `started` first.
    pub fn outbox(&self) -> Vec<Undelivered> {
        self.records.iter().filter_map(|(event, outgoing)| outgoing.undelivered(self.is_due(*event))).collect()
    }

    /// The `finished` that states the truth about where the deploy stands now, made from the latest record of it.
    ///
    /// The running gate queues it too, with the note or the outcome that it knows better. A status of zero is
    /// [`Outcome::Succeeded`], every other and every signal [`Outcome::Failed`].
    pub fn finished_record(&self) -> Record {
        let latest = self.records.get(&record::Event::Started).map_or(&self.intent.template, |started| &started.record);
        let announced = match self.records.get(&record::Event::Started).map(|started| &started.delivery) {
            Some(DeliveryState::Delivered { transaction, .. }) => Some(*transaction),
            _ => None,
        };
        let (outcome, started, finished, exit) = match self.stage {
            Stage::NotStarted { .. } => (Outcome::NotStarted, None, None, None),
            Stage::MayHaveRun { since, .. } => (Outcome::Unknown, Some(since), None, None),
            Stage::Ended { status, started, finished } => {
                (outcome_of(status), Some(started), Some(finished), Some(status))
            }
        };
        Record {
            event: record::Event::Finished,
            outcome: Some(outcome),
            started,
            finished,
            exit,
            announced,
            // Whoever reports on a deploy announced it, and its end ends that.
            share: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..(**latest).clone()
        }
    }
}
