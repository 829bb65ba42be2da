//! The call for help: the message for IRC, whom it calls, and what to do where nobody answers.
//!
//! Responsible for the call for people, for programs and for the channel, and for what of a task each may hold. Not responsible for who is
//! called (see [`crate::gate::conductor`] and [`crate::paging`]), the words of the message (see [`crate::announce`]), and sending it
//! ([`super::send`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::send::LeftToSay;
use super::ui::Ui;
use crate::announce::{Announcement, WhoDeploys};
use crate::config::{Contact, Settings};
use crate::gate::conductor::{Conductor, ConductorContact, ContactSource, TrainShown};
use crate::ids::TaskId;
use crate::irc::Line;
use crate::layout::{FAINT, NAME, hanging, styled};
use crate::paging::{self, OnCall, WhoToAsk, who_to_ask};
use crate::rules::{TeamCount, Verdict};
use crate::text::inert;
use crate::view::{Audience, VerdictSubject, page_words};

/// Of how many people of a team, those on call or else all, each is called by name; of more the team is.
const NAMED: usize = 3;
/// What to do where nobody answers a drill.
const DRILL: &str = "this is a drill: page nobody";

/// The call.
pub(super) struct Call<'a> {
    message: String,
    line: Line,
    whom: ConductorContact,
    /// Who is on call of each team that is asked, where that is set.
    on_call: Vec<JsonOnCall>,
    contact: &'a Contact,
    /// The category that it names.
    category: Option<String>,
    /// The titles of the teams that are informed and asked nothing.
    informed: Vec<String>,
    drill: bool,
    /// The words to paste where people are paged by hand; `None` where nobody is to be.
    page_words: Option<String>,
}

/// What a call is made of beside the verdict.
#[derive(Debug, Default)]
pub(super) struct CallFor<'a> {
    /// Who conducts the train.
    pub(super) conductor: ConductorContact,
    /// Who is on call, by the key of the team, as far as that was read.
    pub(super) on_call: BTreeMap<String, OnCall>,
    /// Nobody is there yet who deploys.
    pub(super) needs_deployer: bool,
    /// The account of who asks, where it is known.
    pub(super) asker: Option<&'a str>,
}

/// The call for programs.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    message: &'a str,
    channel: &'a str,
    escalation: &'a str,
    conductor: Option<&'a Conductor>,
    train: Option<&'a TrainShown>,
    on_call: &'a [JsonOnCall],
    category: Option<&'a str>,
    inform: &'a [String],
    drill: bool,
    page_words: Option<&'a str>,
}

/// Who is on call for a team.
#[derive(Debug, Serialize)]
struct JsonOnCall {
    team: String,
    /// Those of the people on call who could approve.
    people: Vec<String>,
    /// Why the whole team is asked all the same.
    note: Option<String>,
}

/// Reads who is on call for the teams that a call asks, all at once; of a restricted task, which names no team, for none.
pub(super) async fn read_on_call(
    subject: &VerdictSubject,
    verdict: &Verdict,
    settings: &Settings,
) -> BTreeMap<String, OnCall> {
    let teams = verdict.missing_teams().filter(|_| subject.restricted == Some(false));
    let sources = teams.filter_map(|team| Some((team.team.clone(), settings.paging.on_call.get(&team.team)?.clone())));
    // Each is begun before the first is waited for.
    let readings: Vec<_> = sources
        .map(|(team, source)| (team, tokio::task::spawn_blocking(move || paging::read_on_call(&source))))
        .collect();
    let mut read = BTreeMap::new();
    for (team, reading) in readings {
        read.insert(team, reading.await.unwrap_or_else(|error| OnCall::Unreadable(error.to_string())));
    }
    read
}

impl<'a> Call<'a> {
    /// The call for a task, of those whose approvals are missing; of a restricted one it shows nothing but the number, since
    /// the teams that are asked can name the reason.
    pub(super) fn new(
        task: TaskId,
        subject: &VerdictSubject,
        verdict: &Verdict,
        of: CallFor<'_>,
        settings: &'a Settings,
    ) -> Self {
        let CallFor { conductor: whom, on_call, needs_deployer, asker } = of;
        let is_open = subject.restricted == Some(false);
        let category = subject.category.clone().filter(|_| is_open);
        let missing: Vec<(&TeamCount, WhoToAsk)> = verdict
            .missing_teams()
            .filter(|_| is_open)
            .map(|team| (team, who_to_ask(team, on_call.get(&team.team).unwrap_or(&OnCall::NotSet))))
            .collect();
        let mut called: Vec<&str> = Vec::new();
        called
            .extend(whom.conductor.as_ref().filter(|known| is_asked(known, &missing)).map(|known| known.nick.as_str()));
        for (team, who) in &missing {
            let few = [&who.on_call, &team.could].into_iter().find(|names| (1..=NAMED).contains(&names.len()));
            let title = std::slice::from_ref(&team.title);
            // Those on call who are too many to be named are not the whole team.
            let names = few.filter(|_| who.on_call.len() <= NAMED).map_or(title, Vec::as_slice);
            called.extend(names.iter().map(String::as_str));
        }
        let mut once = BTreeSet::new();
        called.retain(|name| once.insert(name.to_lowercase()));
        let number = task.to_string();
        let printed = Announcement {
            called,
            category: category.as_deref(),
            context: if is_open { &subject.url } else { &number },
            teams: missing.iter().map(|(team, _)| team.team.as_str()).collect(),
            change: subject.change.as_deref().filter(|_| is_open),
            deployer: match (&subject.somebody_else, needs_deployer) {
                (_, true) => WhoDeploys::Needed,
                (Some(name), false) if is_open => WhoDeploys::Named(name),
                (_, false) => WhoDeploys::Unsaid,
            },
            drill: subject.drill,
        };
        let is_paged = !subject.drill || settings.paging.drills;
        let page_words =
            is_paged.then(|| page_words(task, &subject.url, subject.audience, category.as_deref(), &printed.teams));
        let message = printed.message();
        let line = line(task, printed, subject.audience, asker);
        let is_set = |team: &TeamCount| on_call.contains_key(&team.team);
        let on_call = missing.iter().filter(|(team, _)| is_set(team)).map(|(team, who)| JsonOnCall {
            team: team.team.clone(),
            people: who.on_call.clone(),
            note: who.note.clone(),
        });
        Self {
            message,
            line,
            on_call: on_call.collect(),
            contact: &settings.contact,
            category,
            informed: settings.policy.informed().map(|team| team.title.clone()).collect(),
            drill: subject.drill,
            page_words,
            whom,
        }
    }

    /// The call as the line that is said in the channel, to readers who need no account.
    pub(super) fn line(&self) -> &Line {
        &self.line
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
        self.warn_of_on_call(ui);
    }

    /// Says where it is not known who is on call.
    pub(super) fn warn_of_on_call(&self, ui: &mut Ui) {
        for JsonOnCall { team, note, .. } in &self.on_call {
            if let Some(note) = note {
                ui.warn(&format!("{team}: {note}"));
            }
        }
    }

    /// The call below a verdict, in few rows: where to ask, and the message in one line, however narrow the terminal is.
    pub(super) fn brief(&self, width: usize) -> String {
        let channel = &self.contact.channel;
        let otherwise = match &self.page_words {
            Some(_) => format!("nobody answers? {}", self.contact.escalation),
            None => DRILL.to_owned(),
        };
        let mut page = hanging("", 0, &format!("Ask in {channel} ({otherwise}):"), width);
        page.push_str(&format!("  {}\n", self.message));
        page + &self.informed(width)
    }

    /// Who is informed and asked nothing; nothing where nobody is.
    pub(super) fn informed(&self, width: usize) -> String {
        let names: Vec<String> = self.informed.iter().map(|title| inert(title)).collect();
        if names.is_empty() { String::new() } else { hanging("Inform too: ", 12, &names.join(", "), width) }
    }

    /// The call for people, with as much of the message as is left to say. What is copied is one line however narrow the terminal is.
    pub(super) fn text(&self, left: LeftToSay, width: usize) -> String {
        let channel = styled(NAME, &self.contact.channel);
        let mut page = match left {
            LeftToSay::All => format!("Ask in {channel}:\n  {}\n", self.message),
            LeftToSay::Perhaps => format!("Where it is not there, ask in {channel}:\n  {}\n", self.message),
            LeftToSay::Nothing => String::new(),
        };
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
        match &self.page_words {
            Some(words) => {
                let escalation = self.contact.escalation.trim_end_matches('.');
                page.push_str(&hanging("Nobody answers? ", 16, &format!("{escalation}. Words to paste:"), width));
                page.push_str(&format!("  {words}\n"));
            }
            None => page.push_str(&hanging("Nobody answers? ", 16, DRILL, width)),
        }
        page
    }

    /// The call for programs.
    pub(super) fn json(&self) -> Json<'_> {
        Json {
            message: &self.message,
            channel: &self.contact.channel,
            escalation: if self.page_words.is_some() { &self.contact.escalation } else { DRILL },
            conductor: self.whom.conductor.as_ref(),
            train: self.whom.train.as_ref(),
            on_call: &self.on_call,
            category: self.category.as_deref(),
            inform: &self.informed,
            drill: self.drill,
            page_words: self.page_words.as_deref(),
        }
    }
}

/// The message as it may be said to readers without an account: of a task that everybody may see all of it; of one that everybody with an
/// account sees its number, teams and names; of others, and where that is not known, the number alone, also of who asks.
fn line(task: TaskId, printed: Announcement<'_>, audience: Option<Audience>, asker: Option<&str>) -> Line {
    match audience {
        Some(Audience::Public) => printed.line(task, asker),
        Some(Audience::Users) => Announcement { category: None, change: None, ..printed }.line(task, asker),
        Some(Audience::Restricted) | None => printed.line(task, None),
    }
}

/// Whether the conductor is called: somebody named them, nobody in particular is missing, or their team is.
fn is_asked(conductor: &Conductor, missing: &[(&TeamCount, WhoToAsk)]) -> bool {
    let is_named = matches!(conductor.source, ContactSource::Flag | ContactSource::Configuration);
    let mut could = missing.iter().flat_map(|(team, _)| &team.could);
    is_named || missing.is_empty() || could.any(|name| name.eq_ignore_ascii_case(&conductor.nick))
}
