//! Judging whether a word that was heard can be written on its task, and as what.
//!
//! Responsible for refusing what could never count, as a pure function of the word and of the task as it was read just then. Not responsible
//! for what counts: the evaluator judges the witness by all that is on the task.

use jiff::{SignedDuration, Timestamp};

use super::spoken::SpokenWord;
use crate::conduit::Account;
use crate::evidence::timeline::AsOf;
use crate::evidence::{AnswerKind, Episode, Evidence, TaskState};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::Policy;
use crate::rules::{JudgedTask, WhoMay};
use crate::text::shorten;
use crate::witness::{Code, SCHEMA, WORDS, Witness, WitnessedWord};

/// What happened this shortly before a word was heard may have been after it was said: the clocks of the two servers are not one.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// How far the clock of the network may be ahead: what was said later than that could not have been heard, and counts for nothing.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);

/// Why a word is not written on the task, in words for who said it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody is known to have said it.
    #[error("{0}")]
    NotIdentified(String),
    /// There is no account to write it with.
    #[error("nothing that is said here is written on tasks")]
    NoWitness,
    /// The task is no open emergency.
    #[error("that is no open emergency that I know")]
    NoEmergency,
    /// The task is restricted.
    #[error("nothing that is said here is written on a restricted task")]
    Restricted,
    /// The policy counts no witnessed yes.
    #[error("an approval that is said here does not count")]
    NotAccepted,
    /// The network's services are away.
    #[error("the services of the network are away, and an approval cannot be believed")]
    NoServices,
    /// No team is called so.
    #[error("there is no such team")]
    NoTeam,
    /// They are in no team.
    #[error("your account is in none of the teams that are asked")]
    NoMember,
    /// They cannot approve for the team.
    #[error("for that team you cannot approve: {0}")]
    MayNot(String),
    /// It was said later than it was heard.
    #[error("the clock of the network is ahead of that of the server of the tasks")]
    Clocks,
    /// The code is not the one of what would be approved.
    #[error("the code is of something else than the task states now; read it, its code is {now}")]
    OtherCode {
        /// The code of what would be approved.
        now: Code,
    },
    /// They said something else since.
    #[error("you said something else after it")]
    Superseded,
    /// It would come too late.
    #[error("it could not be written on the task within a minute")]
    Late,
    /// The server refused it.
    #[error("the server refuses it")]
    Refused,
}

/// What is done with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is written as this.
    Write(Box<Witness>),
    /// It was written before, and still is the last word of who said it.
    Known(TransactionId),
    /// It is not written.
    Refuse(Refusal),
}

/// What is done with a word on the task that was read, where `account` is the account of who said it; `None` where the server has none of
/// that name.
pub(super) fn judge(word: &SpokenWord, read: JudgedTask<'_>, account: Option<&Account>, policy: &Policy) -> Judged {
    match witness(word, read, account, policy) {
        Err(refusal) => Judged::Refuse(refusal),
        Ok(witness) => match said_already(&witness, read.state) {
            Some(transaction) => Judged::Known(transaction),
            None => Judged::Write(Box::new(witness)),
        },
    }
}

fn witness(
    word: &SpokenWord,
    read: JudgedTask<'_>,
    account: Option<&Account>,
    policy: &Policy,
) -> Result<Witness, Refusal> {
    let JudgedTask { evidence, state, .. } = read;
    let Some(speaker) = &word.speaker else {
        return Err(Refusal::NotIdentified("nobody is known to have said it".to_owned()));
    };
    if Episode::current(evidence, state).is_none() {
        return Err(Refusal::NoEmergency);
    }
    if evidence.is_restricted(&policy.open_spaces) {
        return Err(Refusal::Restricted);
    }
    let who = WhoMay::of(read, policy);
    let account = account.ok_or(Refusal::NoMember)?;
    // What nobody had seen is the very first transaction, by which the task was made.
    let seen = seen(evidence, word.heard).ok_or(Refusal::NoEmergency)?;
    let mut teams = Vec::new();
    if word.word == WitnessedWord::Approve {
        if !policy.accept_witnessed {
            return Err(Refusal::NotAccepted);
        }
        let team = word.team.as_deref().and_then(|name| policy.team_named(name)).ok_or(Refusal::NoTeam)?;
        if speaker.said > word.heard.saturating_add(AHEAD).unwrap_or(Timestamp::MAX) {
            return Err(Refusal::Clocks);
        }
        who.approve(account, team).map_err(|why| Refusal::MayNot(why.to_string()))?;
        let now = state.code.ok_or(Refusal::NoEmergency)?;
        let then = evidence.code_as_of(policy, AsOf { through: seen, time: word.heard });
        if word.code != Some(now) || then != Some(now) {
            return Err(Refusal::OtherCode { now });
        }
        teams.push(team.key.clone());
    } else if !who.reject(account) {
        return Err(Refusal::NoMember);
    } else if word.word == WitnessedWord::Withdraw {
        // A no is for all their teams, whichever these are; what takes one back names them, or lifts nothing.
        teams = who.teams(account).unwrap_or_default();
    }
    Ok(Witness {
        schema: SCHEMA.to_owned(),
        task: word.task,
        word: word.word,
        user: account.username.clone(),
        phid: account.phid.clone(),
        teams,
        why: word.why.as_deref().map(|why| shorten(why, WORDS)),
        code: word.code,
        seen,
        said: speaker.said,
        heard: word.heard,
        network: word.network.clone(),
        channel: word.channel.clone(),
        account: speaker.account.clone(),
        message: speaker.message.clone(),
    })
}

/// The newest transaction that surely was there when a word was said: what came later they had not seen.
fn seen(evidence: &Evidence, heard: Timestamp) -> Option<TransactionId> {
    let before = heard.saturating_sub(MARGIN).unwrap_or(Timestamp::MIN);
    let seen = evidence.timeline.transactions().iter().take_while(|row| row.created <= before);
    seen.last().map(|row| row.id)
}

/// The witness of the same word of the same person, where they have said nothing since: who repeats a no writes no second comment.
fn said_already(witness: &Witness, state: &TaskState) -> Option<TransactionId> {
    let kind = match witness.word {
        // Of a yes each has its own time, by which it gets too old.
        WitnessedWord::Approve => return None,
        WitnessedWord::Withdraw => AnswerKind::Withdraw,
        WitnessedWord::Reject => AnswerKind::Reject,
    };
    let last = last_answer(state, &witness.phid)?;
    (last.witnessed && last.kind == kind).then_some(last.moment.transaction)
}

fn last_answer<'a>(state: &'a TaskState, person: &Phid<User>) -> Option<&'a crate::evidence::Answer> {
    let yes = state.witnessed.iter().map(|witnessed| &witnessed.answer);
    let own = state.answers.iter().chain(yes).filter(|answer| answer.author == *person);
    own.max_by_key(|answer| answer.moment.position)
}
