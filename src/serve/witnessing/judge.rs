//! Judging whether a word that was heard can be written on its task, and as what.
//!
//! Responsible for refusing what could never count, as a pure function of the word and of the task as it was read just then. Not responsible
//! for what counts: the evaluator judges the witness by all that is on the task.

use jiff::{SignedDuration, Timestamp};

use super::spoken::SpokenWord;
use crate::conduit::{Account, Transaction};
use crate::evidence::timeline::{AsOf, Position};
use crate::evidence::{Answer, AnswerKind, Episode, Evidence, NearKind, Removal, Seen, TaskState};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::Policy;
use crate::remarkup::JsonBlock;
use crate::rules::{JudgedTask, WhoMay, standing_words};
use crate::text::shorten;
use crate::witness::{Code, SCHEMA, WORDS, Witness, WitnessedWord, parse};

/// What happened this shortly before a word was heard may have been after it was said: the clocks of the two servers are not one.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// How far what the two clocks say of a yes may be apart: what was said long before it was heard may have been taken back since.
const APART: SignedDuration = SignedDuration::from_secs(60);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How many words of one person are written on a task within an hour. A no is written all the same, where none of theirs stands: who says much
/// fills no task.
const MANY: usize = 10;

/// Why a word is not written on the task, in words for who said it and for whoever reads of it later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody is known to have said it.
    #[error("{0}")]
    NotIdentified(String),
    /// There is no account to write it with.
    #[error("nothing that is said on IRC is written on tasks")]
    NoWitness,
    /// The task is no open emergency.
    #[error("it is no open emergency that the watch knows")]
    NoEmergency,
    /// The task is restricted.
    #[error("nothing that is said on IRC is written on a restricted task")]
    Restricted,
    /// The policy counts no witnessed yes.
    #[error("an approval that is said on IRC does not count")]
    NotAccepted,
    /// The network's services are away.
    #[error("the services of the network are away, and an approval cannot be believed")]
    NoServices,
    /// No team is called so.
    #[error("there is no such team")]
    NoTeam,
    /// They are in no team.
    #[error("the account is in none of the teams that are asked")]
    NoMember,
    /// They cannot approve for the team.
    #[error("no approval for that team: {0}")]
    MayNot(String),
    /// It was said at quite another time than it was heard.
    #[error(
        "by the clock of the network it was said more than a minute before or after it was heard: that clock is off, and to say it again does not help"
    )]
    Clocks,
    /// The code is of what would be approved, and that is so only since it was said.
    #[error(
        "by the clock of the network it was said before the task stated what the code is of; say it again in {wait} s"
    )]
    StatedSince {
        /// After how many seconds it would count, as far as the two clocks go on as they do.
        wait: i64,
    },
    /// The code is not the one of what would be approved.
    #[error(
        "the code is of something else than the task states now; read the task again, the code of what it states now is {now}"
    )]
    OtherCode {
        /// The code of what would be approved.
        now: Code,
    },
    /// They said no since, as the clocks have it.
    #[error(
        "by the clock of the network it was said before a no of the same person, which stands; where it was said after that, the clock is off"
    )]
    NoIsNewer,
    /// They said something else since.
    #[error("something else was said after it")]
    Superseded,
    /// The services did not say whether it is really them, and it could lift a no.
    #[error("the services do not say whether it is really the owner of the account, and a withdrawal could lift a no")]
    Uncertain,
    /// They said much about it already.
    #[error(
        "{MANY} things that one person said about it were written within an hour; of more only what speaks against the deploy is"
    )]
    Many,
    /// They said no before, and much since.
    #[error(
        "the no stands, but these words are not on the task: {MANY} things that one person said about it were written within an hour; write them there"
    )]
    NoStands,
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
    /// It is there: it was written before, or says nothing that their last word does not.
    Known(TransactionId),
    /// It is not written.
    Refuse(Refusal),
}

/// What is done with a word on the task that was read, where `account` is the account of who said it; `None` where the server has none of
/// that name.
pub(super) fn judge(word: &SpokenWord, read: JudgedTask<'_>, account: Option<&Account>, policy: &Policy) -> Judged {
    let last = account.and_then(|account| last_answer(read.state, &account.phid));
    match witness(word, read, account, last, policy) {
        Err(refusal) => Judged::Refuse(refusal),
        Ok(witness) => {
            if let Some(transaction) = written_before(word, read.evidence, policy) {
                return Judged::Known(transaction);
            }
            match last {
                Some(last) if is_said_already(&witness, last, read, policy) => Judged::Known(last.moment.transaction),
                // Who said no has stopped the deploy: what they say besides fills no task.
                Some(last)
                    if witness.word == WitnessedWord::Reject
                        && last.kind == AnswerKind::Reject
                        && last.is_witnessed()
                        && has_said_much(read.state, &witness.phid, word.heard) =>
                {
                    Judged::Refuse(Refusal::NoStands)
                }
                // What would lift a no that they wrote since is none of their last word.
                Some(last) if witness.word == WitnessedWord::Withdraw && is_newer_no(&witness, last) => {
                    Judged::Refuse(Refusal::NoIsNewer)
                }
                _ => Judged::Write(Box::new(witness)),
            }
        }
    }
}

fn witness(
    word: &SpokenWord,
    read: JudgedTask<'_>,
    account: Option<&Account>,
    last: Option<&Answer>,
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
    let is_for_it = last.is_some_and(|last| last.kind == AnswerKind::Approve);
    // What speaks against a deploy is written however much was said.
    let is_against = word.word == WitnessedWord::Reject || (word.word == WitnessedWord::Withdraw && is_for_it);
    if !is_against && has_said_much(state, &account.phid, word.heard) {
        return Err(Refusal::Many);
    }
    if word.word == WitnessedWord::Withdraw && !speaker.is_certain && may_lift_a_no(read, account, policy) {
        return Err(Refusal::Uncertain);
    }
    let seen = seen(evidence, word.heard.min(speaker.said));
    let mut teams = Vec::new();
    if word.word == WitnessedWord::Approve {
        if !policy.accept_witnessed {
            return Err(Refusal::NotAccepted);
        }
        let team = word.team.as_deref().and_then(|name| policy.team_named(name)).ok_or(Refusal::NoTeam)?;
        if word.heard.duration_since(speaker.said).abs() > APART {
            return Err(Refusal::Clocks);
        }
        who.approve(account, team).map_err(|why| Refusal::MayNot(why.to_string()))?;
        let now = state.code.ok_or(Refusal::NoEmergency)?;
        let then = evidence.code_as_of(policy, AsOf { through: seen, time: word.heard.min(speaker.said) });
        if word.code != Some(now) {
            return Err(Refusal::OtherCode { now });
        }
        if then != Some(now) {
            return Err(Refusal::StatedSince { wait: wait(word.heard.duration_since(speaker.said)) });
        }
        teams.push(team.key.clone());
    } else if !who.reject(account) {
        return Err(Refusal::NoMember);
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

/// The newest transaction that surely was there when a word was said: what came later they had not seen. By a clock that is far behind
/// that is none, and a no is a no all the same.
fn seen(evidence: &Evidence, said: Timestamp) -> TransactionId {
    let before = said.saturating_sub(MARGIN).unwrap_or(Timestamp::MIN);
    let seen = evidence.timeline.transactions().iter().take_while(|row| row.created <= before);
    seen.last().map_or(TransactionId(0), |row| row.id)
}

/// For how many seconds to wait before a word counts that was said too early, where its clock is so far `behind`: what the task stated by when it
/// was heard is seen by then.
fn wait(behind: SignedDuration) -> i64 {
    let wait = behind.max(SignedDuration::ZERO).as_secs().saturating_add(MARGIN.as_secs()).saturating_add(1);
    wait.max(5)
}

/// Whether a transaction holds the witness of a word: the network names each message once.
pub(super) fn is_witness_of(word: &SpokenWord, row: &Transaction) -> bool {
    let Some(speaker) = &word.speaker else { return false };
    row.comments.iter().any(|version| match parse(version.text()) {
        JsonBlock::One(witness) => {
            let is_said = witness.network == word.network && witness.message == speaker.message;
            is_said && witness.task == word.task && witness.word == word.word
        }
        _ => false,
    })
}

/// Where the witness of this very word is, if it was written: whatever became of it, it is not written twice.
fn written_before(word: &SpokenWord, evidence: &Evidence, policy: &Policy) -> Option<TransactionId> {
    let rows = evidence.timeline.transactions();
    let is_it =
        |row: &&Transaction| is_witness_of(word, row) && evidence.is_witness(row.author.as_str(), policy) == Some(true);
    rows.iter().find(is_it).map(|row| row.id)
}

/// Whether the last answer of a person is the witness of the same word: who repeats a no, and gives no reason that is not there, writes no
/// second comment.
fn is_said_already(
    witness: &Witness,
    last: &Answer,
    JudgedTask { evidence, state, .. }: JudgedTask<'_>,
    policy: &Policy,
) -> bool {
    let kind = match witness.word {
        // Of a yes each has its own time, by which it gets too old.
        WitnessedWord::Approve => return false,
        WitnessedWord::Withdraw => AnswerKind::Withdraw,
        WitnessedWord::Reject => AnswerKind::Reject,
    };
    let rows = evidence.timeline.transactions();
    let author = rows.iter().find(|row| row.id == last.moment.transaction).map(|row| row.author.as_str());
    let is_witness = author.is_some_and(|author| evidence.is_witness(author, policy) == Some(true));
    let lifts = last.kind != AnswerKind::Withdraw || last.certain || !policy.accept_witnessed;
    last.is_witnessed() && last.kind == kind && is_witness && lifts && !gives_another_reason(witness, state)
}

/// Whether a no gives a reason that none of those does that the person has said since they last said anything else.
fn gives_another_reason(witness: &Witness, state: &TaskState) -> bool {
    let Some(why) = witness.why.as_deref().filter(|_| witness.word == WitnessedWord::Reject) else { return false };
    let mut said: Vec<&Answer> = answers_of(state, &witness.phid).collect();
    said.sort_by_key(|answer| answer.moment.position);
    !said.iter().rev().take_while(|answer| answer.kind == AnswerKind::Reject).any(|answer| answer.why == why)
}

/// Whether a person said no after what they had seen when they took it back.
fn is_newer_no(witness: &Witness, last: &Answer) -> bool {
    let seen = Seen { position: Position::right_after(witness.seen), said: witness.said };
    last.kind == AnswerKind::Reject && !seen.includes(last)
}

fn last_answer<'a>(state: &'a TaskState, person: &'a Phid<User>) -> Option<&'a Answer> {
    answers_of(state, person).max_by_key(|answer| answer.moment.position)
}

/// Whether as much of a person is on the task as is written within an hour.
fn has_said_much(state: &TaskState, person: &Phid<User>, now: Timestamp) -> bool {
    let is_recent = |answer: &&Answer| answer.is_witnessed() && now.duration_since(answer.moment.time) < HOUR;
    answers_of(state, person).filter(is_recent).count() >= MANY
}

/// Whether a withdrawal may take back a no of this person, or what may have been one: it takes back no no of others.
fn may_lift_a_no(JudgedTask { evidence, state, .. }: JudgedTask<'_>, account: &Account, policy: &Policy) -> bool {
    let own = &account.phid;
    // A yes that was heard lifts a no only while it counts, and it may stop to count.
    let without = TaskState { witnessed: Vec::new(), ..state.clone() };
    let stands = || {
        let words = standing_words(evidence, policy, &without);
        words.iter().any(|word| word.author == *own && word.kind == AnswerKind::Reject)
    };
    let reads_as_one = || {
        let mut misses = state.near_misses.iter();
        misses.any(|near| near.author == *own && near.kind == NearKind::No && !near.answered)
    };
    // A comment that is gone may have said no, until they answered on the task.
    let answered_since = |gone: &Removal| {
        let mut answers = state.answers.iter().filter(|answer| answer.author == *own && !answer.is_witnessed());
        answers.any(|answer| answer.certain && answer.moment.position > gone.removed.position)
    };
    let is_own = |gone: &&Removal| gone.author == own.as_str() && (gone.stood || gone.by != gone.author);
    let mut gone = state.removals.iter().filter(is_own).chain(&state.lost_witnesses);
    stands() || reads_as_one() || gone.any(|gone| !answered_since(gone))
}

fn answers_of<'a>(state: &'a TaskState, person: &'a Phid<User>) -> impl Iterator<Item = &'a Answer> {
    let yes = state.witnessed.iter().map(|witnessed| &witnessed.answer);
    state.answers.iter().chain(yes).filter(move |answer| answer.author == *person)
}
