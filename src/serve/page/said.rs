//! Who said what: answers and whether they count, near misses with what to write, and what was said besides.
//!
//! Responsible for showing what others wrote as what they wrote. Not responsible for what counts ([`crate::rules`]).

use maud::{Markup, html};

use super::Sight;
use super::words::{at, happened, line, lines, people, to_copy};
use crate::attribution::ApprovalKind;
use crate::evidence::NearKind;
use crate::rules::{Effect, TeamCount};
use crate::serve::http::{SeenApproval, SeenNames, SeenNearMiss, SeenWhole};
use crate::serve::witnessing::{Unwritten, UnwrittenWord};
use crate::witness::WitnessedWord;

/// How much of what was said is shown, the newest of it.
const SAID: usize = 10;

/// The answers of those who are shown all.
pub(super) fn answers(sight: &Sight<'_>, whole: &SeenWhole<'_>, teams: &[TeamCount]) -> Markup {
    html! {
        @if !whole.approvals.is_empty() {
            section #answers {
                h2 { "Who answered" }
                ul.rows { @for answer in &whole.approvals { li { (of_answer(sight, whole, teams, answer)) } } }
            }
        }
    }
}

fn of_answer(sight: &Sight<'_>, whole: &SeenWhole<'_>, teams: &[TeamCount], seen: &SeenApproval<'_>) -> Markup {
    let approval = seen.approval;
    let fills =
        teams.iter().any(|team| team.team == approval.team && team.by.iter().any(|user| *user == line(&approval.user)));
    html! {
        p {
            @match (&approval.why_not, fills) {
                (None, true) => b.mark.allowed { "Counts" },
                (None, false) => b.mark { "Counts, not needed" },
                (Some(_), _) => b.mark.pending { "Does not count" },
            }
            " " b { (line(&approval.user)) } " for "
            @match seen.team { Some(team) => b { (line(team)) }, None => "(hidden: the task is restricted)" }
            ", "
            @match approval.transaction {
                Some(transaction) => (happened(sight.now, approval.time, &whole.subject.url, transaction)),
                None => (super::words::at(sight.now, approval.time)),
            }
            @match approval.kind {
                ApprovalKind::Verified => {}
                ApprovalKind::Witnessed => ", heard on IRC",
                ApprovalKind::Attested => ", named by the deployer",
            }
            @if let Some(place) = seen.evidence { ", to be looked up at " (line(place)) }
        }
        @if let Some(why) = &approval.why_not { p.why { (line(&why.to_string())) } }
    }
}

/// Who approved, for those who are shown names.
pub(super) fn approvers(sight: &Sight<'_>, teams: &[TeamCount]) -> Markup {
    let given: Vec<&TeamCount> = teams.iter().filter(|team| !team.by.is_empty()).collect();
    html! {
        @if !given.is_empty() {
            section #answers {
                h2 { "Who approved" }
                ul.teams { @for team in given { li { p.team { b { (line(&team.title)) } span.count { (team.by.len()) " of " (team.need) } } (people(&team.by, sight.viewer)) } } }
            }
        }
    }
}

/// Lines that read as an answer and are none.
pub(super) fn near_misses(sight: &Sight<'_>, whole: &SeenWhole<'_>) -> Markup {
    html! {
        @if !whole.near_misses.is_empty() {
            section #near {
                h2 { "Not read as they were meant" }
                ul.rows { @for near in &whole.near_misses { li { (near_miss(sight, whole, near)) } } }
            }
        }
    }
}

fn near_miss(
    sight: &Sight<'_>,
    whole: &SeenWhole<'_>,
    SeenNearMiss { near, line: written }: &SeenNearMiss<'_>,
) -> Markup {
    let reads = match near.kind {
        NearKind::No => "a no",
        NearKind::Withdraw => "a withdrawal",
        NearKind::Yes => "a yes",
    };
    html! {
        p {
            @match near.effect {
                Effect::Denies => b.mark.denied { "Stops the deploy" },
                Effect::Voids => b.mark.pending { "Voids older approvals" },
                Effect::Counts => b.mark.allowed { "Counts as meant" },
                Effect::Listed => b.mark.pending { "Does not count" },
            }
            " " b { (line(&near.user)) } ", " (happened(sight.now, near.moment.time, &whole.subject.url, near.moment.transaction))
            ", reads as " (reads)
        }
        @match written {
            Some(written) => blockquote { (line(written)) },
            None => p.quiet { "The line is hidden: the task is restricted." },
        }
        p.why { (line(&near.why)) }
        @if let Some(write) = &near.write {
            @let trailers = quoted(write);
            @if trailers.is_empty() { p.why { "To mend it: " (line(write)) } }
            @for (at, trailer) in trailers.iter().enumerate() {
                p.write { span { @if at == 0 { (line(&near.user)) " writes" } @else { "or" } } (to_copy(trailer)) }
            }
        }
    }
}

/// What stands in quotes: what is to be written as it is.
fn quoted(words: &str) -> Vec<&str> {
    words.split('"').skip(1).step_by(2).collect()
}

/// What was said on IRC and is not on the task.
pub(super) fn spoken(sight: &Sight<'_>, names: &SeenNames<'_>) -> Markup {
    let Unwritten { words, is_incomplete } = &names.spoken;
    let (open, others): (Vec<&UnwrittenWord>, Vec<&UnwrittenWord>) =
        words.iter().partition(|unwritten| unwritten.is_open);
    html! {
        @if !words.is_empty() || *is_incomplete {
            section #spoken {
                h2 { "Said on IRC, not counted" }
                ul.rows { @for word in open.iter().chain(others.iter().take(SAID)) { li { (of_spoken(sight, word)) } } }
                @if others.len() > SAID { p.quiet { "And " (others.len() - SAID) " more." } }
                @if *is_incomplete { p.why { "Not all of it can be read: the log of the service says why." } }
            }
        }
    }
}

fn of_spoken(sight: &Sight<'_>, UnwrittenWord { word, why, is_open }: &UnwrittenWord) -> Markup {
    let said = match word.word {
        WitnessedWord::Approve => "yes",
        WitnessedWord::Withdraw => "a withdrawal",
        WitnessedWord::Reject => "no",
    };
    html! {
        p {
            b.mark.pending { @if *is_open { "Not on the task yet" } @else { "Does not count" } } " "
            b { (line(&word.nick)) } " in " (line(&word.channel)) ": " (said)
            @if let Some(team) = &word.team { " for " b { (line(team)) } }
            ", " (at(sight.now, word.heard))
        }
        @if let Some(reason) = &word.why { blockquote { (line(reason)) } }
        p.why { (line(why)) }
    }
}

/// What was said besides.
pub(super) fn said(sight: &Sight<'_>, whole: &SeenWhole<'_>) -> Markup {
    let said = &whole.subject.said;
    html! {
        @if !said.is_empty() {
            section #said {
                h2 { "Said on the task" }
                ul.rows { @for one in said.iter().take(SAID) {
                    li {
                        p { b { (line(&one.user)) } ", " (happened(sight.now, one.time, &whole.subject.url, one.transaction)) }
                        @match &one.text {
                            Some(text) => blockquote { (lines(text)) },
                            None => p.quiet { "Hidden: the task is restricted." },
                        }
                    }
                } }
                @if said.len() > SAID { p.quiet { "And " (said.len() - SAID) " more, on the task." } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_is_what_stands_in_quotes() {
        let words =
            "\"Emergency-Reject: sre\" if it is a no, or \"Emergency-Withdraw: sre\" if it is none (as a comment)";
        assert_eq!(quoted(words), ["Emergency-Reject: sre", "Emergency-Withdraw: sre"]);
        assert!(quoted("nothing").is_empty());
    }
}
