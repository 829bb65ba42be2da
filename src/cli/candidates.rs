//! What a shell offers where a value is asked for: reasons, teams and rules of the policy, tasks and deploys of this host's journal.
//!
//! Responsible for these lists, from what lies on this machine alone: no server is asked at a TAB. What cannot be read offers nothing.
//! Not responsible for the scripts of the shells ([`super::completions`]).

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::Globals;
use super::session::{environment, settings};
use crate::config::Settings;
use crate::journal::{Journal, JournalReader};
use crate::rules;
use crate::text::shorten;

/// How many tasks and deploys are offered, the newest first.
const OFFERED: usize = 20;
/// How much of a description is shown beside a candidate.
const SHOWN: usize = 60;

/// The reasons that count.
pub(super) fn reasons() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let of = |settings: Settings| {
            settings.policy.reasons.iter().map(|reason| described(&reason.key, &reason.title)).collect()
        };
        local().map(of).unwrap_or_default()
    })
}

/// The teams of the policy.
pub(super) fn teams() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let of =
            |settings: Settings| settings.policy.teams.iter().map(|team| described(&team.key, &team.title)).collect();
        local().map(of).unwrap_or_default()
    })
}

/// The rules and findings that can be explained.
pub(super) fn rules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let rules = rules::ALL.iter().map(|rule| described(rule.name, rule.summary));
        let findings = crate::audit::findings::ALL.iter().map(|rule| described(rule.name, rule.summary));
        rules.chain(findings).collect()
    })
}

/// The tasks of the deploys that this host's journal knows.
pub(super) fn tasks() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let of = |journal: JournalReader| {
            let mut tasks = Vec::new();
            for (_, task) in journal.newest(OFFERED).unwrap_or_default() {
                if !tasks.contains(&task) {
                    tasks.push(task);
                }
            }
            tasks.into_iter().map(|task| CompletionCandidate::new(task.to_string())).collect()
        };
        journal().map(of).unwrap_or_default()
    })
}

/// The deploys that this host's journal knows.
pub(super) fn deploys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let of = |journal: JournalReader| {
            let newest = journal.newest(OFFERED).unwrap_or_default();
            newest.into_iter().map(|(deploy, task)| described(&deploy.to_string(), &format!("of {task}"))).collect()
        };
        journal().map(of).unwrap_or_default()
    })
}

fn described(word: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(word.to_owned()).help(Some(shorten(help, SHOWN).into()))
}

/// The settings as a command without options would read them.
fn local() -> Option<Settings> {
    let globals = Globals::default();
    let environment = environment(&globals).ok()?;
    settings(&globals, &environment).ok()
}

fn journal() -> Option<JournalReader> {
    Journal::open_read_only(&local()?.state).ok()?
}
