//! Near misses: lines that a person reads as an answer, and that are none by the letter.
//!
//! Responsible for the second reader: which lines of a text are near misses, and how much weight they have. What reads as
//! a no must not be passed over because it is not written as a trailer, and a yes counts only where nothing but its form was
//! missed. Beside it: the ways in which a line may be read, how it is folded, and which near misses stand on a task. Not responsible for whether their
//! author may answer at all.

mod collect;
mod flaw;
mod fold;
mod kind;
mod lone;
mod pairs;
mod readings;

pub use collect::NearMiss;
pub(super) use collect::is_member;
pub(super) use collect::{first_tagged, near_misses};
pub use kind::{Miss, NearKind};
use std::ops::Range;

pub(crate) use flaw::flaws;
use fold::{FoldPart, may_hold};
pub(crate) use lone::lone_approval;

use pairs::{Form, Pair, form, pairs};
use readings::{Reading, Strikes, readings};

use super::look_alikes::{is_bidirectional, is_colon, is_dash};
use super::mail;
use super::trailers::{self, Key};
use crate::policy::Policy;
use crate::remarkup::{LineKind, lines};

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Comment,
    Description,
}

/// A near miss in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundLine<'a> {
    pub(crate) line: &'a str,
    pub(crate) kind: NearKind,
    /// It is to be taken for what it reads as: a possible no, a possible withdrawal.
    pub(crate) possible: bool,
    pub(crate) miss: Miss,
}

/// Whether a comment of this text holds nothing that reads as an answer.
pub(super) fn is_silent(text: &str, policy: &Policy) -> bool {
    read(text, Place::Comment, policy).is_empty() && lone_approval(text).is_none()
}

/// A line that may be a near miss, as it stands before a policy says which teams there are.
#[derive(Debug, Clone)]
pub(super) struct NearCandidate {
    /// Where it stands in its text, without the blanks around it.
    at: Range<usize>,
    /// The trailer that it is by the letter, and whether it is the last of its key.
    trailer: Option<(Key, bool)>,
    /// The head of a mail that it stands below.
    below: Option<mail::MailHead>,
    /// It stands in a mark that reaches over several lines.
    in_mark: bool,
    /// The ways to read it, without what is struck out.
    visible: Vec<Reading>,
    /// The ways to read all of it, where something is struck out.
    whole: Vec<Reading>,
}

/// The lines of a text that may be near misses, in order. Whatever the policy, no other line is one.
pub(super) fn candidates(text: &str) -> Vec<NearCandidate> {
    if !may_hold(text) || text.lines().all(|line| states_alone(line) || !may_hold(line)) {
        return Vec::new();
    }
    let lines = lines(text);
    let head = mail::head_of(text, &lines);
    let mut found = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        // In a table `>` quotes nothing.
        let quoted = line.text.starts_with('>') && line.kind != LineKind::Table;
        if !line.kind.is_words() || quoted || !may_hold(line.text) {
            continue;
        }
        let below = head.filter(|head| head.at <= number);
        let trailer = trailers::read(line.text).filter(|_| line.is_own());
        let trailer = match trailer {
            // What is stated there is no answer.
            Some((key, _)) if kind_of(key).is_none() => continue,
            Some((key, value)) => Some((key, trailers::last(text, key) == Some(value))),
            None => None,
        };
        let words = line.text.trim();
        // A line is a part of its text.
        let start = (words.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        found.push(NearCandidate {
            at: start..start + words.len(),
            trailer,
            below,
            in_mark: line.within.is_some() || !line.kind.is_seen(),
            visible: readings(&lines, number, Strikes::LeftOut),
            whole: if line.struck.is_empty() { Vec::new() } else { readings(&lines, number, Strikes::Read) },
        });
    }
    found
}

/// Whether a line states something about the deploy and says nothing else that could be an answer.
fn states_alone(line: &str) -> bool {
    trailers::read(line).is_some_and(|(key, value)| kind_of(key).is_none() && !may_hold(value))
}

/// The near misses of a text, in order.
pub(crate) fn read<'a>(text: &'a str, place: Place, policy: &Policy) -> Vec<FoundLine<'a>> {
    weigh(text, &candidates(text), place, policy)
}

/// The near misses among the candidates of a text, in order.
pub(super) fn weigh<'a>(
    text: &'a str,
    candidates: &[NearCandidate],
    place: Place,
    policy: &Policy,
) -> Vec<FoundLine<'a>> {
    let mut found = Vec::new();
    for candidate in candidates {
        let near = match candidate.trailer {
            Some((key, last)) if place == Place::Comment && candidate.below.is_none() => {
                own_trailer(key, candidate, policy)
                    .or_else(|| kind_of(key).filter(|_| !last).map(|kind| (kind, false, Miss::NotLast)))
            }
            _ => shape(candidate, policy),
        };
        let Some((kind, possible, miss)) = near else { continue };
        let miss = match miss {
            Miss::Form if candidate.below.is_some_and(|head| head.sure) => Miss::BelowMail,
            Miss::Form if candidate.below.is_some() => Miss::BelowLikelyMail,
            Miss::Form if place == Place::Description => Miss::InDescription,
            Miss::Form if candidate.in_mark => Miss::InMark,
            miss => miss,
        };
        let line = text.get(candidate.at.clone()).unwrap_or_default();
        found.push(FoundLine { line, kind, possible, miss });
    }
    found
}

fn kind_of(key: Key) -> Option<NearKind> {
    match key {
        Key::Approve => Some(NearKind::Yes),
        Key::Withdraw => Some(NearKind::Withdraw),
        Key::Reject => Some(NearKind::No),
        Key::Reason | Key::Deployer | Key::Action | Key::Change | Key::Drill | Key::Followup => None,
    }
}

type Shape = (NearKind, bool, Miss);

/// `Emergency-Approve: no` is a trailer by the letter, and reads as a no.
fn own_trailer(key: Key, candidate: &NearCandidate, policy: &Policy) -> Option<Shape> {
    if key != Key::Approve {
        return None;
    }
    shape(candidate, policy).filter(|(kind, possible, _)| *kind == NearKind::No && *possible)
}

/// What a line reads as, by the reading that weighs most; what is struck out in it is only listed.
fn shape(candidate: &NearCandidate, policy: &Policy) -> Option<Shape> {
    let heaviest = |readings: &[Reading]| {
        let shapes = readings.iter().filter_map(|reading| judge(reading, policy));
        shapes.min_by_key(|(kind, possible, _)| WEIGHTS.iter().position(|weight| *weight == (*kind, *possible)))
    };
    let struck = || heaviest(&candidate.whole).map(|(kind, ..)| (kind, false, Miss::Struck));
    heaviest(&candidate.visible).or_else(struck)
}

/// What a line may read as and whether possibly so, by the weight that it has.
const WEIGHTS: [(NearKind, bool); 5] = [
    (NearKind::No, true),
    (NearKind::Withdraw, true),
    (NearKind::No, false),
    (NearKind::Withdraw, false),
    (NearKind::Yes, false),
];

fn judge(Reading { parts, is_row }: &Reading, policy: &Policy) -> Option<Shape> {
    let pairs = pairs(parts);
    let colon = |pair: &Pair| matches!(skip_blank(parts, pair.end), Some((FoldPart::Colon, _)));
    let as_trailer = |pair: &Pair| pair.dashed && colon(pair);
    let no_to = |pair: &&Pair| {
        pair.form == Form::Approve
            && as_trailer(pair)
            && skip_blank(parts, pair.end).is_some_and(|(_, at)| says_no(&parts[at + 1..], policy))
    };
    if pairs.iter().any(|pair| no_to(&pair)) {
        return Some((NearKind::No, true, Miss::Form));
    }
    if *is_row {
        // Each of its cells is read by itself too.
        return None;
    }
    let approves = pairs.iter().any(|pair| pair.form == Form::Approve);
    let followed = |pair: &Pair| pair.parted || is_followed(parts, pair.end, policy);
    let weigh = |pair: &Pair| {
        let (kind, possible) = match pair.form {
            Form::Reject => (NearKind::No, pair.at_start || followed(pair)),
            Form::Rejection => (NearKind::No, followed(pair)),
            Form::Deny if as_trailer(pair) => (NearKind::No, true),
            Form::Withdraw => (NearKind::Withdraw, pair.at_start || followed(pair)),
            Form::Withdrawal => (NearKind::Withdraw, followed(pair)),
            Form::Deny | Form::Approve => return None,
        };
        Some((kind, possible && !approves))
    };
    let weighed: Vec<(NearKind, bool)> = pairs.iter().filter_map(weigh).collect();
    // What weighs most stands for the line.
    match WEIGHTS.into_iter().find(|weight| weighed.contains(weight)) {
        Some((kind, true)) => Some((kind, true, Miss::Form)),
        Some((kind, false)) if approves => Some((kind, false, Miss::BesideApproval)),
        Some((kind, false)) => Some((kind, false, Miss::Sentence)),
        None => approves.then_some((NearKind::Yes, false, Miss::Form)),
    }
}

fn skip_blank(parts: &[FoldPart], at: usize) -> Option<(&FoldPart, usize)> {
    let at = if parts.get(at) == Some(&FoldPart::Blank) { at + 1 } else { at };
    parts.get(at).map(|part| (part, at))
}

/// Whether a colon, a dash, a team's name or nothing follows.
fn is_followed(parts: &[FoldPart], at: usize, policy: &Policy) -> bool {
    let rest = parts.get(at..).unwrap_or_default();
    // Who asks how it is done does not do it.
    if matches!(skip_blank(parts, at), Some((FoldPart::Other('?'), _))) {
        return false;
    }
    if !rest.iter().any(|part| matches!(part, FoldPart::Word(_))) {
        return true;
    }
    match skip_blank(parts, at) {
        Some((FoldPart::Colon | FoldPart::Semicolon, _)) => true,
        Some((FoldPart::Dash, dash)) => {
            // A hyphen that joins it to the next word is no dash, unless that word is a team's.
            let spaced = dash > at || matches!(parts.get(dash + 1), Some(FoldPart::Blank | FoldPart::Dash));
            spaced || team_at(parts, dash + 1, policy).is_some()
        }
        Some((FoldPart::Other('(' | '[' | '#' | '@' | ','), mark)) => {
            let next = skip_blank(parts, mark + 1).map_or(mark + 1, |(_, next)| next);
            team_at(parts, next, policy).is_some()
        }
        Some((FoldPart::Word(_), word)) => team_at(parts, word, policy).is_some(),
        _ => false,
    }
}

/// Where the name of a team that begins here ends.
fn team_at(parts: &[FoldPart], at: usize, policy: &Policy) -> Option<usize> {
    let mut name = String::new();
    let mut found = None;
    for (end, part) in parts.iter().enumerate().skip(at).take(9) {
        match part {
            FoldPart::Word(word) => {
                name.push_str(&word.text);
                if policy.team_named(&name).is_some() {
                    found = Some(end + 1);
                }
            }
            FoldPart::Blank | FoldPart::Dash | FoldPart::Underscore => name.push('-'),
            _ => break,
        }
    }
    found
}

/// Whether what stands after `Emergency-Approve:` is a no, also after a team's name.
fn says_no(parts: &[FoldPart], policy: &Policy) -> bool {
    let first = parts.iter().position(|part| matches!(part, FoldPart::Word(_)));
    let word_from = |at: usize| {
        let words = parts.iter().enumerate().skip(at);
        let mut words =
            words.filter_map(|(at, part)| if let FoldPart::Word(word) = part { Some((at, word)) } else { None });
        words.next().map(|(at, word)| (at, word.text.as_str()))
    };
    let denies = |at: usize| {
        let Some((at, word)) = word_from(at) else { return false };
        // What people say who have nothing against it: "no objections", "no further questions", "not a problem".
        const HARMLESS: [&str; 15] = [
            "objection",
            "problem",
            "concern",
            "issue",
            "worr",
            "doubt",
            "question",
            "blocker",
            "downtime",
            "impact",
            "risk",
            "comment",
            "reservation",
            "complaint",
            "deal",
        ];
        let harmless = |mut from: usize| {
            while let Some((at, word)) = word_from(from) {
                match word {
                    "a" | "an" | "any" | "big" | "further" | "more" | "other" => from = at + 1,
                    word => {
                        let asks = matches!(skip_blank(parts, at + 1), Some((FoldPart::Other('?'), _)));
                        return !asks && HARMLESS.iter().any(|start| word.starts_with(start));
                    }
                }
            }
            false
        };
        match word {
            "no" | "not" => !harmless(at + 1),
            "never" => word_from(at + 1).is_none_or(|(_, next)| !matches!(next, "mind" | "been")),
            "nope" => true,
            _ => false,
        }
    };
    first.is_some_and(|first| denies(first) || team_at(parts, first, policy).is_some_and(denies))
}

#[cfg(test)]
mod tests;
