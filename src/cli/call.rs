//! The call for help: the message for IRC, whom it calls, and what to do where nobody answers.
//!
//! Responsible for the call for people and for programs. Not responsible for who is called (see [`crate::gate::conductor`]) and
//! the words of the message (see [`crate::announce`]).

use serde::Serialize;

use super::ui::Ui;
use crate::announce::{Announcement, WhoDeploys};
use crate::config::{Contact, Settings};
use crate::gate::conductor::{Conductor, ConductorContact, ContactSource, TrainShown};
use crate::ids::TaskId;
use crate::layout::{FAINT, NAME, hanging, styled};
use crate::rules::{TeamCount, Verdict};
use crate::text::inert;
use crate::view::VerdictSubject;

/// Of how many people of a team each is called by name; of more the team is.
const NAMED: usize = 3;

/// The call.
pub(super) struct Call<'a> {
    message: String,
    whom: ConductorContact,
    contact: &'a Contact,
    /// The category that it names.
    category: Option<String>,
    /// The titles of the teams that are informed and asked nothing.
    informed: Vec<String>,
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
    inform: &'a [String],
    drill: bool,
}

impl<'a> Call<'a> {
    /// The call for a task, of those whose approvals are missing; of a restricted one it shows nothing but the number, since
    /// the teams that are asked can name the reason. `needs_deployer` says that nobody is there yet who deploys.
    pub(super) fn new(
        task: TaskId,
        subject: &VerdictSubject,
        verdict: &Verdict,
        whom: ConductorContact,
        settings: &'a Settings,
        needs_deployer: bool,
    ) -> Self {
        let is_open = subject.restricted == Some(false);
        let category = subject.category.clone().filter(|_| is_open);
        let missing: Vec<&TeamCount> = verdict.missing_teams().filter(|_| is_open).collect();
        let mut called: Vec<&str> = Vec::new();
        called
            .extend(whom.conductor.as_ref().filter(|known| is_asked(known, &missing)).map(|known| known.nick.as_str()));
        for team in &missing {
            let names = match team.could.as_slice() {
                [] => std::slice::from_ref(&team.title),
                few if few.len() <= NAMED => few,
                _ => std::slice::from_ref(&team.title),
            };
            called.extend(names.iter().map(String::as_str));
        }
        let mut once = std::collections::BTreeSet::new();
        called.retain(|name| once.insert(name.to_lowercase()));
        let number = task.to_string();
        let message = Announcement {
            called,
            category: category.as_deref(),
            context: if is_open { &subject.url } else { &number },
            teams: missing.iter().map(|team| team.team.as_str()).collect(),
            change: subject.change.as_deref().filter(|_| is_open),
            deployer: match (&subject.somebody_else, needs_deployer) {
                (_, true) => WhoDeploys::Needed,
                (Some(name), false) if is_open => WhoDeploys::Named(name),
                (_, false) => WhoDeploys::Unsaid,
            },
            drill: subject.drill,
        }
        .message();
        let informed = settings.policy.informed().map(|team| team.title.clone()).collect();
        Self { message, whom, contact: &settings.contact, category, informed, drill: subject.drill }
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

    /// The call below a verdict, in few rows: where to ask, and the message in one line, however narrow the terminal is.
    pub(super) fn brief(&self, width: usize) -> String {
        let Contact { channel, escalation, .. } = self.contact;
        let mut page = hanging("", 0, &format!("Ask in {channel} (nobody answers? {escalation}):"), width);
        page.push_str(&format!("  {}\n", self.message));
        page + &self.informed(width)
    }

    /// Who is informed and asked nothing; nothing where nobody is.
    pub(super) fn informed(&self, width: usize) -> String {
        let names: Vec<String> = self.informed.iter().map(|title| inert(title)).collect();
        if names.is_empty() { String::new() } else { hanging("Inform too: ", 12, &names.join(", "), width) }
    }

    /// The call for people. The message is one line however narrow the terminal is, so that it can be copied.
    pub(super) fn text(&self, width: usize) -> String {
        let mut page = format!("Ask in {}:\n  {}\n", styled(NAME, &self.contact.channel), self.message);
        page.push_str(&self.informed(width));
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
            inform: &self.informed,
            drill: self.drill,
        }
    }
}

/// Whether the conductor is called: somebody named them, nobody in particular is missing, or their team is.
fn is_asked(conductor: &Conductor, missing: &[&TeamCount]) -> bool {
    let is_named = matches!(conductor.source, ContactSource::Flag | ContactSource::Configuration);
    let mut could = missing.iter().flat_map(|team| &team.could);
    is_named || missing.is_empty() || could.any(|name| name.eq_ignore_ascii_case(&conductor.nick))
}
