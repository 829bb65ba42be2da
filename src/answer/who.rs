//! Whose answer would count, among all who could give one.
//!
//! Responsible for that, as a pure function of the verdict and the words that stand. Not responsible for who answers: on a server
//! each answers with a token of their own.

use super::AnswerRequest;
use crate::evidence::AnswerKind;
use crate::policy::Policy;
use crate::rules::{self, Effect, JudgedTask, StandingWord};

/// For which team an answer is, by its key, and the usernames of those whose answer would count; where no team is named, the
/// first for which there is something to answer. Nobody where that is not known, and for a no, which many may say.
pub fn who_would_count(
    read: JudgedTask<'_>,
    policy: &Policy,
    wish: &AnswerRequest<'_>,
) -> (Option<String>, Vec<String>) {
    let found = match wish.kind {
        AnswerKind::Approve => to_approve(read, wish.team),
        AnswerKind::Withdraw => to_withdraw(read, policy, wish.team),
        AnswerKind::Reject => None,
    };
    found.map_or((None, Vec::new()), |(team, users)| (Some(team), users))
}

/// Where a team needs no more, those whose approvals count: theirs stand already.
fn to_approve(read: JudgedTask<'_>, team: Option<&str>) -> Option<(String, Vec<String>)> {
    let verdict = read.verdict;
    let named = |key: &str| verdict.teams.iter().find(|count| count.team == key);
    let count = match team {
        Some(key) => named(key)?,
        None => verdict.missing_teams().next().or(verdict.teams.first())?,
    };
    let is_missing = count.by.len() < count.need as usize;
    Some((count.team.clone(), if is_missing { count.could.clone() } else { count.by.clone() }))
}

/// A no by the letter first, then what reads as one, then a yes.
fn to_withdraw(read: JudgedTask<'_>, policy: &Policy, team: Option<&str>) -> Option<(String, Vec<String>)> {
    let words = rules::standing_words(read.evidence, policy, read.state);
    let of = |kind| {
        let is_meant = |word: &&StandingWord| word.kind == kind && team.is_none_or(|key| key == word.team);
        let first = words.iter().find(is_meant)?;
        let same = words.iter().filter(is_meant).filter(|word| word.team == first.team);
        Some((first.team.clone(), same.filter_map(|word| author(read, word)).collect()))
    };
    of(AnswerKind::Reject).or_else(|| near_miss(read, policy, team)).or_else(|| of(AnswerKind::Approve))
}

fn author(read: JudgedTask<'_>, word: &StandingWord) -> Option<String> {
    let row = read.evidence.timeline.transactions().iter().find(|row| row.id == word.transaction)?;
    Some(read.evidence.name_of(&row.author))
}

/// Who wrote what reads as a no, and a team of theirs.
fn near_miss(read: JudgedTask<'_>, policy: &Policy, team: Option<&str>) -> Option<(String, Vec<String>)> {
    let JudgedTask { evidence, verdict, .. } = read;
    let near = verdict.near_misses.iter().find(|near| near.effect == Effect::Denies)?;
    let is_theirs = |key: &str| evidence.teams.get(key).is_some_and(|project| project.members.contains(&near.phid));
    let mut keys = policy.teams.iter().map(|team| team.key.as_str()).filter(|key| team.is_none_or(|team| team == *key));
    keys.find(|key| is_theirs(key)).map(|key| (key.to_owned(), vec![near.user.clone()]))
}
