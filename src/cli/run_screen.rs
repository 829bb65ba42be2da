//! What `run` says on the terminal once the deploy began.
//!
//! Responsible for its words and for the bell. Not responsible for when something is said ([`crate::gate::run`]).

use super::next::Next;
use super::run::Args;
use super::session::Session;
use super::ui::{OnTerminal, Ui};
use super::verdict_screen;
use crate::gate::objections::Objection;
use crate::gate::{AfterFailure, Assessment, Refusal, RunProgress};
use crate::ids::TaskId;
use crate::layout::{BAD, NAME, hanging, styled};
use crate::view::VerdictSubject;

/// What a deploy says, on the terminal.
pub(super) struct Screen<'a> {
    pub(super) session: &'a Session,
    pub(super) args: &'a Args,
    pub(super) ui: &'a mut Ui,
    pub(super) task: TaskId,
    /// The command that comes next: said last.
    pub(super) next: Option<Next>,
}

impl OnTerminal for Screen<'_> {
    fn ui(&mut self) -> &mut Ui {
        self.ui
    }
}

impl RunProgress for Screen<'_> {
    fn error(&mut self, refusal: &Refusal) {
        self.ui.failure(&refusal.clone().into());
    }

    fn failed(&mut self, task: TaskId, how: &str) {
        let number = task.to_string();
        let head = format!("{} {}: ", styled(BAD, "FAILED"), styled(NAME, &number));
        let line = hanging(&head, "FAILED : ".len() + number.len(), how, self.ui.width());
        self.ui.words(&line);
    }

    fn objected(&mut self, task: TaskId, objection: &Objection) {
        self.ui.warn(&format!("read the task: {task}: {}", objection.text));
        if objection.is_no {
            self.ui.ring();
        }
    }

    fn next(&mut self, next: AfterFailure) {
        self.next = Some(Next::after_failure(next, self.task, &self.args.subject, self.ui.invocation()));
    }

    fn stopped(&mut self, assessment: &Assessment) {
        let task = assessment.number;
        let shown = VerdictSubject::of(assessment, self.session.viewer());
        let page = verdict_screen::text(task, &shown, &assessment.verdict, self.ui.detail(), self.ui.width());
        self.ui.words(&page);
        let word = assessment.verdict.decision.word();
        self.ui.note(&format!("{task}: {word} by now: nothing was run"));
        self.next = Some(self.args.after(assessment, &self.session.settings.record.mask, self.ui.invocation()));
    }

    fn by_hand(&mut self, comment: &str) {
        self.ui.words(&format!("\n{comment}\n\n"));
    }
}
