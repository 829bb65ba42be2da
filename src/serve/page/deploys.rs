//! The deploys of a task: what is under way, with its clock, and how the last ones ended.
//!
//! Responsible for how they are shown. Not responsible for which there are ([`crate::serve::deploys`]).

use maud::{Markup, html};

use super::Sight;
use super::words::{at, clock, happened, lasted, line};
use crate::record::Outcome;
use crate::serve::deploys::{Deploy, DeployState};

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
pub(super) fn open(sight: &Sight<'_>, url: &str, deploys: &[Deploy]) -> Markup {
    let open: Vec<&Deploy> = deploys.iter().filter(|deploy| !is_ended(deploy)).collect();
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
                }
            }
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
