//! What an approver reads while their answer is on its way.
//!
//! Responsible for these words. Not responsible for sending it ([`crate::publish`]).

use std::convert::Infallible;

use jiff::Timestamp;

use super::ui::Ui;
use crate::publish::{Placed, PublishLog, PublishProgress};

/// Says what takes time.
pub(super) struct AnswerLog<'a> {
    pub(super) ui: &'a mut Ui,
    pub(super) by_hand: String,
    pub(super) said: bool,
}

impl PublishLog<Placed> for AnswerLog<'_> {
    type Error = Infallible;

    fn note(&mut self, _: Timestamp, progress: PublishProgress<'_, Placed>) -> Result<(), Infallible> {
        match progress {
            PublishProgress::NotSent { why } => self.ui.note(&format!("the answer did not arrive: {why}")),
            PublishProgress::Waiting { why } if !self.said => {
                self.said = true;
                self.ui.warn(&format!("the answer is not on the task yet: {why}"));
                self.ui.hint(&format!("you can stop waiting for it and, in a browser, {}", self.by_hand));
            }
            _ => {}
        }
        Ok(())
    }
}
