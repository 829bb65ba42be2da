//! The deploys of a task: what is under way, with its clock, and how the last ones ended.
//!
//! Responsible for how they are shown. Not responsible for which there are ([`crate::serve::deploys`]).

use maud::{Markup, html};

use super::Sight;
use super::words::{ago, at, clock, happened, lasted, line};
use crate::gate::share::Phase;
use crate::record::{ExitStatus, Outcome};
use crate::serve::deploys::{Deploy, DeployState};
use crate::serve::http::SeenNames;
use crate::serve::reported::SaidPhase;

/// Who deploys, in a word.
fn who(deploy: &Deploy) -> String {
    deploy.deployer.as_deref().map_or_else(|| "somebody".to_owned(), line)
}

/// What is under way, in a line.
pub(super) fn in_short(sight: &Sight<'_>, deploys: &[Deploy]) -> Markup {
    let underway = deploys.iter().filter(|deploy| deploy.is_underway());
    html! { @for deploy in underway { p.running { b { "Deploy under way" } " by " (who(deploy)) " for " (clock(sight.now, deploy.started)) } } }
}

/// What started and has not ended.
pub(super) fn open(sight: &Sight<'_>, url: &str, names: &SeenNames<'_>) -> Markup {
    let open: Vec<&Deploy> = names.deploys.iter().filter(|deploy| !is_ended(deploy)).collect();
    html! {
        @if !open.is_empty() {
            section #deploys .running {
                h2 { "Deploy under way" }
                @for deploy in open {
                    @match deploy.state {
                        DeployState::Underway => p.clock {
                            (clock(sight.now, deploy.started)) " " span { "by " b { (who(deploy)) } ", since " (happened(sight.now, deploy.started, url, deploy.transaction)) }
                        },
                        DeployState::Silent => p {
                            "Started by " b { (who(deploy)) } " at " (happened(sight.now, deploy.started, url, deploy.transaction))
                            "; nothing says that it ended, and nothing runs for so long."
                        },
                        _ => p {
                            "A record says that " b { (who(deploy)) } " started at " (happened(sight.now, deploy.started, url, deploy.transaction))
                            ", by somebody who could not have started it."
                        },
                    }
                    (command(deploy))
                    @if let Some(said) = names.phases.get(&deploy.transaction).filter(|_| deploy.is_underway()) { (phase(sight, said)) }
                }
            }
        }
    }
}

/// How a deploy goes on, as its deployer says.
fn phase(sight: &Sight<'_>, said: &SaidPhase) -> Markup {
    let words = match said.phase {
        Phase::Announced => "it is announced, and the command was not started yet".to_owned(),
        Phase::Running => "the command runs".to_owned(),
        Phase::Ended(ExitStatus::Code(code)) => format!("the command ended with status {code}; its record is to come"),
        Phase::Ended(killed @ ExitStatus::Signal(_)) => format!("the command was {killed}; its record is to come"),
        Phase::Lost => "the command was started, and its end was not seen".to_owned(),
        Phase::Stopped => "the command was not started; the record of that is to come".to_owned(),
    };
    html! {
        p.phase {
            span.quiet { "The deployer says: " } b { (words) } ", since " (at(sight.now, said.since)) "."
            @if said.is_stale { " " em { "Last heard " (ago(sight.now, said.heard)) " ago" } ": it may be otherwise by now." }
        }
    }
}

/// How the last ones ended.
pub(super) fn ended(sight: &Sight<'_>, url: &str, deploys: &[Deploy]) -> Markup {
    let ended = deploys.iter().filter_map(|deploy| match deploy.state {
        DeployState::Ended { outcome, at } => Some((deploy, outcome, at)),
        _ => None,
    });
    let ended: Vec<_> = ended.collect();
    html! {
        @if !ended.is_empty() {
            section #outcomes {
                h2 { "Last deploys" }
                ul.rows { @for (deploy, outcome, end) in ended {
                    li {
                        p {
                            b class={ "mark " (class(outcome)) } { (words(outcome)) } " by " b { (who(deploy)) } ", "
                            (at(sight.now, deploy.started)) " to " (happened(sight.now, end, url, deploy.transaction))
                            " (" (lasted(end.duration_since(deploy.started))) ")"
                        }
                        (command(deploy))
                    }
                } }
            }
        }
    }
}

fn is_ended(deploy: &Deploy) -> bool {
    matches!(deploy.state, DeployState::Ended { .. })
}

fn command(deploy: &Deploy) -> Markup {
    html! { @if let Some(command) = &deploy.command { p.command { code { (line(command)) } } } }
}

fn words(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Succeeded) => "Succeeded",
        Some(Outcome::Failed) => "Failed",
        Some(Outcome::RolledBack) => "Rolled back",
        Some(Outcome::NotStarted) => "Never started",
        Some(Outcome::Unknown) | None => "End not known",
    }
}

fn class(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Succeeded) => "allowed",
        Some(Outcome::Failed) => "denied",
        Some(Outcome::RolledBack | Outcome::NotStarted | Outcome::Unknown) | None => "pending",
    }
}
