//! The call for help: the message for IRC, whom it calls, and what to do where nobody answers.
//!
//! Responsible for the call for people and for programs. Not responsible for who is called (see [`crate::gate::conductor`]) and
//! the words of the message (see [`crate::announce`]).

use serde::Serialize;

use super::ui::Ui;
use super::verdict::VerdictSubject;
use crate::announce::Announcement;
use crate::config::Contact;
use crate::gate::conductor::{Conductor, ConductorContact, TrainShown};
use crate::ids::TaskId;
use crate::layout::{FAINT, NAME, hanging, styled};
use crate::text::inert;

/// The call.
pub(super) struct Call<'a> {
    message: String,
    whom: ConductorContact,
    contact: &'a Contact,
    /// The category that it names.
    category: Option<String>,
    drill: bool,
}

/// The call for programs.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    message: &'a str,
    channel: &'a str,
    escalation: &'a str,
    conductor: Option<&'a Conductor>,
    train: Option<&'a TrainShown>,
    category: Option<&'a str>,
    drill: bool,
}

impl<'a> Call<'a> {
    /// The call for a task; of a restricted one it shows nothing but the number.
    pub(super) fn new(task: TaskId, subject: &VerdictSubject, whom: ConductorContact, contact: &'a Contact) -> Self {
        let category = subject.category.clone().filter(|_| subject.restricted == Some(false));
        let conductor = whom.conductor.as_ref().map(|conductor| conductor.nick.as_str());
        let message = Announcement { conductor, category: category.as_deref(), drill: subject.drill }.message(task);
        Self { message, whom, contact, category, drill: subject.drill }
    }

    /// The message alone.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Says what should be looked at about whom it calls.
    pub(super) fn warn(&self, ui: &mut Ui) {
        for warning in &self.whom.warnings {
            ui.warn(warning);
        }
    }

    /// The call for people. The message is one line however narrow the terminal is, so that it can be copied.
    pub(super) fn text(&self, width: usize) -> String {
        let mut page = format!("Ask in {}:\n\n  {}\n\n", styled(NAME, &self.contact.channel), self.message);
        if let Some(train) = &self.whom.train {
            let names = |names: &[String]| match names {
                [] => "nobody".to_owned(),
                names => names.iter().map(|name| inert(name)).collect::<Vec<_>>().join(", "),
            };
            let line = format!(
                "Train {} ({}): conductor {}, backup {}",
                inert(&train.version),
                train.task,
                names(train.conductor.as_slice()),
                names(&train.backup)
            );
            for line in hanging("", 0, &line, width).lines() {
                page.push_str(&format!("{}\n", styled(FAINT, line)));
            }
        }
        page.push_str(&hanging("Nobody answers? ", 16, &self.contact.escalation, width));
        page
    }

    /// The call for programs.
    pub(super) fn json(&self) -> Json<'_> {
        Json {
            message: &self.message,
            channel: &self.contact.channel,
            escalation: &self.contact.escalation,
            conductor: self.whom.conductor.as_ref(),
            train: self.whom.train.as_ref(),
            category: self.category.as_deref(),
            drill: self.drill,
        }
    }
}
