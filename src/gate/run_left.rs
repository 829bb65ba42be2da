//! What is left once a deploy ended: where its outcome is kept, and which of its records are still to come.
//!
//! Responsible for saying it, and for what to do where nothing else will. Not responsible for the order of the steps ([`super::run`]).

use super::ran::Ran;
use super::recording::{by_hand, rendered};
use super::run::RunDeploy;
use super::{Refusal, RunProgress};
use crate::journal::{DeployLog, Kept, Outgoing, Phase};
use crate::record::Event;

impl<P: RunProgress, L: DeployLog> RunDeploy<'_, P, L> {
    /// Says where the outcome is, where the journal could not be written since the command was started.
    pub(super) fn say_kept(&mut self, result: &mut Ran) {
        result.kept = self.journal.kept();
        let task = self.record.task;
        let on_task = result.is_delivered(Event::Finished);
        let said = match &result.kept {
            Kept::InJournal => return,
            Kept::Beside { path, why } => {
                format!("{task}: how it ended is kept in {}, and the next command takes it in: {why}", path.display())
            }
            Kept::Nowhere { why } if on_task => {
                format!("{task}: how it ended is on the task, and neither in the journal nor beside it: {why}")
            }
            Kept::Nowhere { why } => format!(
                "{task}: how it ended is kept neither in the journal nor beside it, and is not known to be on the task: {why}"
            ),
        };
        self.progress.warn(&said);
        if matches!(result.kept, Kept::Nowhere { .. }) && !on_task {
            self.say_by_hand();
        }
        result.error.get_or_insert(said);
    }

    /// Says what to write on the task by hand, where nothing else will.
    fn say_by_hand(&mut self) {
        let Ok(state) = self.journal.state(self.record.deploy) else { return };
        let (deploy, task, end) = (self.record.deploy, self.record.task, state.finished_record());
        let started = state.record(Event::Started).is_some_and(Outgoing::may_be_on_task);
        let command = by_hand(task, started.then_some(deploy), &end);
        self.progress.hint(&format!(
            "once the server takes writes, see whether `phabgate history {task}` shows the end; else type `{command}`, or write \
             this on the task by hand:"
        ));
        if let Ok(comment) = rendered(&end) {
            self.progress.by_hand(comment.words());
        }
    }

    /// Says what stays in the outbox.
    pub(super) fn say_left(&mut self, result: &mut Ran) -> Result<(), Refusal> {
        let left = self.journal.state(self.record.deploy)?.outbox();
        let is_kept = !matches!(self.journal.kept(), Kept::Nowhere { .. });
        for due in &left {
            result.left(due, is_kept);
        }
        if !is_kept {
            // No flush knows of it.
            return Ok(());
        }
        // Of what was refused it was said what delivers it, which is no flush alone.
        let waiting = left.iter().filter(|due| !matches!(due.phase, Phase::Refused { .. }));
        let what: Vec<&str> = waiting.map(|due| due.event.word()).collect();
        let said = match what.as_slice() {
            [] => return Ok(()),
            [one] => format!("{one} stays in the outbox: `phabgate outbox flush --wait` delivers it"),
            more => {
                format!("{} stay in the outbox: `phabgate outbox flush --wait` delivers them", more.join(" and "))
            }
        };
        self.progress.warn(&said);
        Ok(())
    }
}
