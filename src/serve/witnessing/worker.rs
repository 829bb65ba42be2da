//! Bringing what was said to the tasks, one word after the other.
//!
//! Responsible for how often a word is tried, and for answering who said it. Not responsible for whose turn it is ([`super::turns`]), for the
//! steps of writing ([`crate::publish`]), nor for what of a word can be written ([`super::judge`]).

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::account::WitnessAccount;
use super::judge::{Judged, Refusal, is_witness_of, judge};
use super::lines;
use super::log::{SpokenLog, known};
use super::spoken::{OpenWord, SpokenState, SpokenWord};
use super::turns::Turns;
use crate::conduit::Transaction;
use crate::gate::Assessor;
use crate::ids::TransactionId;
use crate::irc::Line;
use crate::publish::{Cause, Comment, Patience, PublishOutcome, Publisher};
use crate::rules::Intent;
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::{Watch, stopped};
use crate::witness::{Code, WitnessedWord, render};

/// How long the task is read, and how long one attempt to write may take: together less than people wait for an answer.
const READING: Duration = Duration::from_secs(6);
const ATTEMPT: Duration = Duration::from_secs(6);
/// How often it is looked whether an attempt was carried out.
const POLL: Duration = Duration::from_millis(500);
/// After how long who said it is answered in any case.
const ANSWERED_BY: SignedDuration = SignedDuration::from_secs(14);
/// For how long who said a word is owed the answer that it is on the task.
const OWED: SignedDuration = SignedDuration::from_mins(10);
/// After how long the store is read again that could not be, or from which nothing was due.
const IDLE: Duration = Duration::from_secs(30);

/// What was said and is not on its task yet. Shared by reference.
#[derive(Debug)]
pub struct Witnesses<S> {
    watch: Arc<Watch<S>>,
    account: Option<WitnessAccount>,
    came: Notify,
}

/// Says in the log which words of earlier wait that nothing writes any more: no account is configured for them.
pub fn say_unwritten<S: Store>(watch: &Watch<S>) {
    let open = match watch.store.with(|store| store.open_spoken()) {
        Ok(open) => open,
        Err(error) => return tracing::error!("irc: {error}"),
    };
    for open in open {
        let (task, verb) = (open.word.task, lines::verb(open.word.word));
        tracing::error!(
            "{task}: a {verb} that was said on IRC is not on the task, and is not written without irc.witness_token_file"
        );
    }
}

/// What is answered to who said a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is on the task. This is owed, and said once ([`Witnesses::take_answer`]).
    Recorded(Line),
    /// It is not, and is not written there.
    Refused(Line),
    /// It is not known yet what becomes of it.
    Meanwhile(Line),
}

/// What became of one try.
enum Step {
    /// It came to an end, and this is answered.
    Done(Reply),
    /// It is tried again.
    Again,
}

impl<S: Store> Witnesses<S> {
    /// Those of a watch, written with this account; without one nothing is.
    pub fn new(watch: Arc<Watch<S>>, account: Option<WitnessAccount>) -> Self {
        Self { watch, account, came: Notify::new() }
    }

    /// Whether anything that is said is written on tasks.
    pub fn are_written(&self) -> bool {
        self.account.is_some()
    }

    /// Whether a yes that is said may count.
    pub fn may_approve(&self) -> bool {
        self.account.is_some() && self.watch.site.policy.accept_witnessed
    }

    /// The code that whoever says yes to a deploy repeats; `None` where none is taken.
    pub fn code(&self, watched: &WatchedTask) -> Option<Code> {
        watched.subject.code.filter(|_| self.may_approve())
    }

    /// Keeps a word. From here on it is brought to its task; one that is refused is shown beside the task.
    ///
    /// # Errors
    /// Where it cannot be kept: then it was not heard.
    pub fn keep(&self, word: &SpokenWord, refusal: Option<&Refusal>) -> Result<(), StoreError> {
        let state = match refusal {
            None => SpokenState::Waiting,
            Some(why) => SpokenState::NotCounted { why: why.to_string() },
        };
        self.watch.store.with(|store| store.add_spoken(word, &state))?;
        match state.is_open() {
            true => self.came.notify_one(),
            false => self.watch.touch(word.task)?,
        }
        Ok(())
    }

    /// Whether who said a word is still to be answered that it is on the task, in whichever life of the service it came there. From here on
    /// nobody else answers them.
    pub fn take_answer(&self, id: i64) -> bool {
        self.watch.store.with(|store| store.take_answer(id)).unwrap_or_else(|error| {
            // They wait for this answer, and for nothing that can be read elsewhere.
            tracing::error!("irc: {error}");
            true
        })
    }

    /// The answer was surely not said; returns whether it is still owed, and is to be tried again.
    pub fn give_answer_back(&self, open: &OpenWord) -> bool {
        if let Err(error) = self.watch.store.with(|store| store.give_answer_back(open.id)) {
            tracing::error!("irc: {error}");
            return false;
        }
        self.is_owed(&open.word)
    }

    fn is_owed(&self, word: &SpokenWord) -> bool {
        self.watch.board.now().duration_since(word.heard) < OWED
    }

    /// The answers that are owed since an earlier life of the service, which ended before it gave them.
    fn owed(&self) -> Vec<(OpenWord, Reply)> {
        let unanswered = self.watch.store.with(|store| store.unanswered()).unwrap_or_else(|error| {
            tracing::error!("irc: {error}");
            Vec::new()
        });
        let mut owed = Vec::new();
        for open in unanswered {
            let (word, SpokenState::Recorded { transaction }) = (&open.word, &open.state) else { continue };
            if self.is_owed(word) {
                let line = lines::recorded(word, &word.task.url(&self.watch.site.server), *transaction);
                owed.push((open, Reply::Recorded(line)));
            } else if self.take_answer(open.id) {
                tracing::warn!("{}: that a word on IRC is recorded was never answered there", word.task);
            }
        }
        owed
    }

    /// Brings what was said to the tasks until it is stopped; what is being written then is written to its end. `reply` says a line where a
    /// word was said, and waits for nothing.
    pub async fn run(&self, reply: impl Fn(&OpenWord, Reply), stop: watch::Receiver<bool>) {
        let Some(account) = &self.account else { return };
        let mut turns = Turns::default();
        self.owed().into_iter().for_each(|(word, owed)| reply(&word, owed));
        loop {
            let came = self.came.notified();
            let open = self.watch.store.with(|store| store.open_spoken()).unwrap_or_else(|error| {
                tracing::error!("irc: {error}");
                Vec::new()
            });
            let next = turns.next(open, Instant::now());
            let at = next.as_ref().map_or_else(|| Instant::now() + IDLE, |(_, at)| *at);
            tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                () = tokio::time::sleep_until(at) => {}
                () = came => continue,
            }
            let Some((open, _)) = next else { continue };
            turns.begun(&open);
            match self.step(account, &open).await {
                Ok(Step::Done(said)) => reply(&open, said),
                tried => {
                    if let Err(error) = tried {
                        tracing::error!("{}: {error}", open.word.task);
                    }
                    let is_awaited = !turns.was_answered(open.id) && self.is_awaited(&open.word);
                    if is_awaited {
                        reply(&open, Reply::Meanwhile(self.meanwhile(&open)));
                    }
                    turns.again(open.id, Instant::now(), is_awaited);
                }
            }
        }
    }

    /// Whether the next try may end after who said it stopped waiting for an answer.
    fn is_awaited(&self, word: &SpokenWord) -> bool {
        let waited = self.watch.board.now().duration_since(word.heard);
        let longest = SignedDuration::try_from(READING + ATTEMPT).unwrap_or(SignedDuration::MAX);
        waited.saturating_add(longest) >= ANSWERED_BY
    }

    /// What is answered to who waits, before it is known what becomes of it.
    fn meanwhile(&self, open: &OpenWord) -> Line {
        let url = open.word.task.url(&self.watch.site.server);
        match open.word.word {
            WitnessedWord::Approve => lines::unclear(&open.word, &url),
            WitnessedWord::Withdraw | WitnessedWord::Reject => lines::not_yet(&open.word, &url),
        }
    }

    /// Tries once.
    async fn step(&self, account: &WitnessAccount, open: &OpenWord) -> Result<Step, StoreError> {
        let (watch, word) = (&self.watch, &open.word);
        let is_sent = open.state != SpokenState::Waiting;
        if !is_sent && !word.may_be_sent(watch.board.now()) {
            return self.refuse(open, &Refusal::Late);
        }
        if !is_sent && watch.store.with(|store| store.is_superseded(open.id, word))? {
            return self.refuse(open, &Refusal::Superseded);
        }
        let author = match account.known(&watch.site.policy).await {
            Ok(author) => author.phid.clone(),
            Err(error) => {
                tracing::warn!("{}: what was said on IRC is not written: {error}", word.task);
                return Ok(Step::Again);
            }
        };
        let assessor = Assessor::new(watch.site.context()).within(READING);
        let (question, intent) = (watch.site.question(word.task), Intent::default());
        let names: Vec<String> = word.speaker.iter().map(|speaker| speaker.user.clone()).collect();
        let client = watch.site.client.within(READING);
        let (assessment, people) = tokio::join!(assessor.assess(&question, &intent), client.users_named(&names));
        let people = match (assessment.error(), people) {
            (None, Ok(people)) => people,
            (error, people) => {
                let why = error.map(ToString::to_string).or(people.err().map(|error| error.to_string()));
                tracing::warn!("{}: what was said on IRC is not written yet: {}", word.task, why.unwrap_or_default());
                return Ok(Step::Again);
            }
        };
        let judged = match assessment.judged() {
            // One that is hidden, or gone, is no emergency.
            None => Judged::Refuse(Refusal::NoEmergency),
            Some(read) => judge(word, read, people.first(), &watch.site.policy),
        };
        let (text, refusal) = match judged {
            Judged::Write(witness) => (render(&witness), None),
            Judged::Known(transaction) => return self.recorded(open, transaction),
            Judged::Refuse(refusal) if !is_sent => return self.refuse(open, &refusal),
            // What may be on the task is looked for there, whatever is thought of it by now.
            Judged::Refuse(refusal) => (String::new(), Some(refusal)),
        };
        let phid = assessment.evidence().map(|evidence| evidence.task.phid.clone());
        let of = word.clone();
        let is_it = Box::new(move |row: &Transaction| is_witness_of(&of, row));
        let comment = Comment { task: word.task, phid, text, authors: vec![author], is_it };
        self.publish(account, open, comment, refusal).await
    }

    /// Writes a comment, or only looks for it where it is refused by now.
    async fn publish(
        &self,
        account: &WitnessAccount,
        open: &OpenWord,
        mut comment: Comment<'_>,
        refusal: Option<Refusal>,
    ) -> Result<Step, StoreError> {
        let (watch, word) = (&self.watch, &open.word);
        let Some(known) = known(&open.state) else { return Ok(Step::Again) };
        let (clock, state) = (watch.board.clock(), open.state.clone());
        let is_over = refusal.is_some();
        let mut log = SpokenLog { store: &watch.store, id: open.id, word, state, clock, is_over };
        let publisher = Publisher { client: account.client().clone(), settle: watch.site.record.settle };
        let patience = Patience::until(Instant::now() + ATTEMPT).polling(POLL);
        match publisher.publish(&mut log, &mut comment, known, patience).await? {
            PublishOutcome::Confirmed(placed) => self.recorded(open, placed.transaction),
            PublishOutcome::Unknown { why, .. } => {
                tracing::warn!("{}: it is not clear whether what was said on IRC is written: {why}", word.task);
                Ok(Step::Again)
            }
            PublishOutcome::NotApplied(not) => {
                tracing::warn!("{}: what was said on IRC is not written: {}", word.task, not.why);
                let is_late = !word.may_be_sent(watch.board.now());
                match (not.cause, refusal) {
                    (_, Some(refusal)) => self.refuse(open, &refusal),
                    (Cause::NotDue, None) if is_late => self.refuse(open, &Refusal::Late),
                    (Cause::NotDue, None) => self.refuse(open, &Refusal::Superseded),
                    // Of a yes nothing is tried again that the server refuses; a no is, as soon as the task looks otherwise.
                    (Cause::Refused, None) if word.word == WitnessedWord::Approve => {
                        self.refuse(open, &Refusal::Refused)
                    }
                    (Cause::Refused | Cause::NotWritten, None) => Ok(Step::Again),
                }
            }
        }
    }

    /// Notes that a word is on the task, and what is answered.
    fn recorded(&self, open: &OpenWord, transaction: TransactionId) -> Result<Step, StoreError> {
        let watch = &self.watch;
        watch.store.with(|store| store.set_spoken(open.id, &SpokenState::Recorded { transaction }))?;
        let url = open.word.task.url(&watch.site.server);
        tracing::info!("{}: said on IRC, and recorded: {url}#{transaction}", open.word.task);
        watch.metrics.spoken.increment(std::iter::once("recorded"));
        watch.queue.push(open.word.task);
        let line = lines::recorded(&open.word, &url, transaction);
        Ok(Step::Done(Reply::Recorded(line)))
    }

    /// Notes that a word is not written, and what is answered.
    fn refuse(&self, open: &OpenWord, refusal: &Refusal) -> Result<Step, StoreError> {
        let (watch, task) = (&self.watch, open.word.task);
        // A task that cannot be seen is no emergency, and may be a restricted one.
        if matches!(refusal, Refusal::Restricted | Refusal::NoEmergency) {
            watch.store.with(|store| store.forget_reason(open.id))?;
        }
        watch.store.with(|store| store.set_spoken(open.id, &SpokenState::NotCounted { why: refusal.to_string() }))?;
        tracing::info!("{task}: said on IRC, not counted: {refusal}");
        watch.metrics.spoken.increment(std::iter::once("not counted"));
        watch.touch(task)?;
        let line = lines::not_recorded(&open.word, refusal, Some(&task.url(&watch.site.server)));
        Ok(Step::Done(Reply::Refused(line)))
    }
}
