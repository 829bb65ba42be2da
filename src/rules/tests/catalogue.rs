//! The catalogue of what people write, and what each does.

use serde::Deserialize;

use super::*;
use crate::evidence::said;

#[derive(Deserialize)]
struct Catalogue {
    no: Noes,
    harmless: Harmless,
    yes: Yeses,
}

#[derive(Deserialize)]
struct Noes {
    denies: Vec<String>,
    listed: Vec<String>,
    said: Vec<String>,
}

#[derive(Deserialize)]
struct Harmless {
    texts: Vec<String>,
}

#[derive(Deserialize)]
struct Yeses {
    counts: Vec<String>,
    named: Vec<String>,
}

fn catalogue() -> Catalogue {
    toml::from_str(include_str!("../../../fixtures/answers.toml")).unwrap()
}

/// All shapes of a no.
pub(super) fn noes() -> Vec<String> {
    let Noes { denies, listed, said } = catalogue().no;
    denies.into_iter().chain(listed).chain(said).collect()
}

/// All that people write.
pub(super) fn all() -> Vec<String> {
    let Catalogue { harmless, yes, .. } = catalogue();
    noes().into_iter().chain(harmless.texts).chain(yes.counts).chain(yes.named).collect()
}

fn with(history: History, text: &str) -> History {
    let mut history = history;
    history.comment("sre2", 20, text);
    history
}

#[test]
fn no_no_is_passed_over_in_silence() {
    let Noes { denies, listed, said: own } = catalogue().no;
    assert!(denies.len() + listed.len() + own.len() >= 60);
    for text in &denies {
        assert_eq!(decision(&with(History::ready(), text)), "denied", "{text:?}");
    }
    for text in &listed {
        let history = with(History::ready(), text);
        let near = verdict(&history).near_misses;
        assert!(
            near.iter().any(|near| near.line == text.trim() && near.effect == Effect::Listed),
            "{text:?}: {near:?}"
        );
    }
    for text in &own {
        let history = with(History::ready(), text);
        let heard = said(&history.evidence(), &history.policy);
        let first = text.lines().next().unwrap();
        assert!(heard.iter().any(|said| said.text.starts_with(first)), "{text:?}: {heard:?}");
    }
}

#[test]
fn no_harmless_comment_denies_or_voids() {
    let Harmless { texts } = catalogue().harmless;
    assert!(texts.len() >= 60);
    for text in &texts {
        let mut history = with(History::ready(), text);
        assert_eq!(decision(&history), "allowed", "{text:?}: {:?}", verdict(&history).near_misses);
        history = History::ready();
        history.comment("sre1", 20, text);
        assert_eq!(decision(&history), "allowed", "{text:?} by who approved: {:?}", verdict(&history).near_misses);
    }
}

#[test]
fn every_yes_counts_or_is_named_with_why() {
    let Yeses { counts, named } = catalogue().yes;
    assert!(counts.len() + named.len() >= 60);
    let waiting = || {
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history
    };
    for text in &counts {
        let history = with(waiting(), text);
        assert_eq!(decision(&history), "allowed", "{text:?}: {:?}", verdict(&history).near_misses);
    }
    for text in &named {
        let verdict = verdict(&with(waiting(), text));
        assert_eq!(verdict.decision.word(), "pending", "{text:?}");
        let approval = verdict.approvals.iter().any(|approval| approval.user == "sre2" && approval.why_not.is_some());
        let near =
            verdict.near_misses.iter().any(|near| near.user == "sre2" && !near.why.is_empty() && near.write.is_some());
        assert!(approval || near, "{text:?} is passed over");
    }
}
