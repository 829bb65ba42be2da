//! What the bot was asked to do and has not done yet: lines to say, accounts to ask the services about.
//!
//! Responsible for the deadlines, and for the answer that everybody who asks gets once. A line that nobody has
//! begun to send by its deadline is taken back by who asked, so that it is never said later, and takes no place of another. Not responsible for whose turn it is (`rank`), nor for
//! sending.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep_until;

use super::rank::{Finality, Rank, Turns};
use super::settings::{is_account, is_channel, is_nick};
use crate::irc::line::Line;
use crate::text::inert;

/// How many questions wait at most.
const MOST_QUESTIONS: usize = 64;

/// Where a line is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(pub(super) TargetKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TargetKind {
    Channel(String),
    Person(String),
}

/// A name that nothing can be said to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be said to `{}`", inert(.0))]
pub struct TargetError(String);

impl Target {
    /// A channel. The bot says something in those of its configuration alone.
    ///
    /// # Errors
    /// Where no channel has this name.
    pub fn channel(name: &str) -> Result<Self, TargetError> {
        match is_channel(name) {
            true => Ok(Self(TargetKind::Channel(name.to_owned()))),
            false => Err(TargetError(name.to_owned())),
        }
    }

    /// A person, in private.
    ///
    /// # Errors
    /// Where nobody has this nick.
    pub fn person(nick: &str) -> Result<Self, TargetError> {
        match is_nick(nick) {
            true => Ok(Self(TargetKind::Person(nick.to_owned()))),
            false => Err(TargetError(nick.to_owned())),
        }
    }

    /// The name, as it stands in a message.
    pub fn name(&self) -> &str {
        match &self.0 {
            TargetKind::Channel(name) | TargetKind::Person(name) => name,
        }
    }
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server echoed it.
    Said(Receipt),
    /// It was not said, and will not be.
    NotSaid(NotSaid),
    /// It was sent, and no echo came: it may have been said. It must not be said again.
    Unclear {
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// Why nobody heard the line, or perhaps nobody, in words; `None` where it was said.
    pub fn why_not_heard(&self) -> Option<String> {
        match self {
            Self::Said(_) => None,
            Self::NotSaid(why) => Some(format!("not said, since {why}")),
            Self::Unclear { why } => Some(format!("it is not clear whether it was said: {}", inert(why))),
        }
    }
}

/// What the server says of a line that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Where.
    pub target: String,
    /// Which line it was, for good, where the server gives lines an identity.
    pub msgid: Option<String>,
    /// When, by the server's clock, where it says so.
    pub time: Option<Timestamp>,
}

/// Why a line was not said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSaid {
    /// Its time was over before it could be.
    #[error("it could not be said in time: {0}")]
    TooLate(String),
    /// Too many wait.
    #[error("too many others wait already")]
    TooMany,
    /// The channel is none of the configuration.
    #[error("the channel is none of the configuration")]
    OtherChannel,
    /// The server refused it.
    #[error("the network refused it: {}", inert(.0))]
    Refused(String),
    /// There is nothing in it.
    #[error("there is nothing to say")]
    Empty,
    /// Nothing was to be said any more when its turn came.
    #[error("it is not so any more")]
    Outdated,
    /// The bot has ended.
    #[error("the bot has ended")]
    Ended,
}

/// What the services know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Info {
    /// There is one.
    Registered {
        /// Its name, as it is registered.
        account: String,
        /// Since when.
        since: Timestamp,
    },
    /// There is none of this name.
    NotRegistered,
    /// The name is a nick of another account, and no account itself.
    NickOf {
        /// That account.
        account: String,
    },
    /// NickServ did not answer in time, or nobody could be asked.
    Silent,
    /// Who answered under its nick is no service, as the network says.
    NoService {
        /// The server that they are on: text of others.
        server: String,
    },
    /// It answered something that is not understood.
    Unclear {
        /// Its first words that were not: text of others.
        words: String,
    },
}

/// What makes a line when its turn has come; `None` where nothing is to be said any more. It must be quick: the bot waits for it.
pub(super) struct MakeLine(Box<dyn FnOnce() -> Option<Line> + Send>);

impl MakeLine {
    pub(super) fn new(make: impl FnOnce() -> Option<Line> + Send + 'static) -> Self {
        Self(Box::new(make))
    }
}

impl fmt::Debug for MakeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeLine")
    }
}

/// A line that waits.
#[derive(Debug)]
pub(super) struct PendingLine {
    id: u64,
    rank: Rank,
    finality: Finality,
    pub(super) target: Target,
    make: MakeLine,
    deadline: Instant,
    pub(super) answer: oneshot::Sender<Outcome>,
}

impl PendingLine {
    /// The line as it is to be said now, and who waits to hear what becomes of it; `None` where there is nothing to say, which is answered.
    pub(super) fn made(self) -> Option<(Target, Line, oneshot::Sender<Outcome>)> {
        let why = match (self.make.0)() {
            Some(line) if !line.is_empty() => return Some((self.target, line, self.answer)),
            Some(_) => NotSaid::Empty,
            None => NotSaid::Outdated,
        };
        let _ = self.answer.send(Outcome::NotSaid(why));
        None
    }
}

/// A question that waits.
#[derive(Debug)]
pub(super) struct PendingInfo {
    pub(super) account: String,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Info>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: VecDeque<PendingLine>,
    infos: VecDeque<PendingInfo>,
    next_id: u64,
    turns: Turns,
    /// Why nothing can be said at the moment, as far as the bot knows.
    hindrance: String,
    is_closed: bool,
}

impl Inner {
    fn has_room(&self, rank: &Rank, finality: Finality) -> bool {
        rank.has_room(finality, self.lines.iter().map(|line| &line.rank))
    }

    /// Drops what is not final for what is: of the same person first, and of that what is known least to be of use, the newest of several.
    fn make_room(&mut self, rank: &Rank) {
        let lighter = |line: &&PendingLine| line.rank.is_of_kind(rank) && !line.finality.is_final();
        let order = |line: &&PendingLine| (line.rank != *rank, line.finality.weight(), std::cmp::Reverse(line.id));
        let Some(id) = self.lines.iter().filter(lighter).min_by_key(order).map(|line| line.id) else { return };
        self.remove_first(|line| line.id == id, &NotSaid::TooMany);
    }

    /// Drops the first line that this holds of, and answers who waits for it; where it was.
    fn remove_first(&mut self, is: impl Fn(&PendingLine) -> bool, why: &NotSaid) -> Option<usize> {
        let at = self.lines.iter().position(is)?;
        let line = self.lines.remove(at)?;
        let _ = line.answer.send(Outcome::NotSaid(why.clone()));
        Some(at)
    }
}

/// What waits; handles fill it and the connection empties it.
#[derive(Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    pub(super) came: Notify,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Mailbox").field("lines", &inner.lines.len()).field("infos", &inner.infos.len()).finish()
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a line said that is made when its turn has come, and waits for what becomes of it.
    pub(super) async fn say(
        &self,
        target: Target,
        make: MakeLine,
        (rank, finality): (Rank, Finality),
        within: Duration,
    ) -> Outcome {
        let begun = tokio::time::Instant::now();
        // A time beyond what the clock can count is none.
        let deadline = begun.checked_add(within).unwrap_or(begun + Duration::from_secs(86_400));
        let (answer, mut answered) = oneshot::channel();
        let id = match self.add_line(target, make, (rank, finality), deadline.into_std(), answer) {
            Ok(id) => id,
            Err(why) => return Outcome::NotSaid(why),
        };
        let ended = || Outcome::Unclear { why: "the bot ended while it was being said".to_owned() };
        tokio::select! {
            biased;
            outcome = &mut answered => return outcome.unwrap_or_else(|_| ended()),
            () = sleep_until(deadline) => {}
        }
        match self.take_back(id) {
            Some(hindrance) => Outcome::NotSaid(NotSaid::TooLate(hindrance)),
            // It was sent meanwhile: what became of it comes within the time of an echo.
            None => answered.await.unwrap_or_else(|_| ended()),
        }
    }

    /// Adds a line, and returns the number by which it is taken back.
    pub(super) fn add_line(
        &self,
        target: Target,
        make: MakeLine,
        (rank, finality): (Rank, Finality),
        deadline: Instant,
        answer: oneshot::Sender<Outcome>,
    ) -> Result<u64, NotSaid> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err(NotSaid::Ended);
        }
        let replaced = inner.remove_first(|line| line.finality.is_before(finality), &NotSaid::Outdated);
        if finality.is_final() && !inner.has_room(&rank, finality) {
            inner.make_room(&rank);
        }
        if !inner.has_room(&rank, finality) {
            return Err(NotSaid::TooMany);
        }
        inner.next_id += 1;
        let id = inner.next_id;
        let at = replaced.unwrap_or(inner.lines.len()).min(inner.lines.len());
        inner.lines.insert(at, PendingLine { id, rank, finality, target, make, deadline, answer });
        drop(inner);
        self.came.notify_one();
        Ok(id)
    }

    /// Takes a line back that was not sent; what was in the way, or `None` where it was.
    fn take_back(&self, id: u64) -> Option<String> {
        let mut inner = self.lock();
        let at = inner.lines.iter().position(|line| line.id == id)?;
        inner.lines.remove(at);
        Some(inner.hindrance.clone())
    }

    /// The next line that can be said now, by its rank; those whose time is over and those that nobody waits for any more are dropped on the way.
    pub(super) fn next_line(&self, now: Instant, can: impl Fn(&Target) -> bool) -> Option<PendingLine> {
        let mut inner = self.lock();
        // Who waits for one of these takes note of the deadline.
        inner.lines.retain(|line| !line.answer.is_closed());
        let is_due = |line: &PendingLine| line.deadline > now && can(&line.target);
        let due = inner.lines.iter().enumerate().filter(|(_, line)| is_due(line));
        let (at, _) = due.min_by_key(|(_, line)| inner.turns.of(&line.rank, now))?;
        let line = inner.lines.remove(at)?;
        inner.turns.take(line.rank.clone(), now);
        Some(line)
    }

    /// Refuses the lines that this holds of.
    pub(super) fn refuse(&self, why: &NotSaid, of: impl Fn(&Target) -> bool) {
        let mut inner = self.lock();
        let lines = std::mem::take(&mut inner.lines);
        for line in lines {
            match of(&line.target) {
                true => _ = line.answer.send(Outcome::NotSaid(why.clone())),
                false => inner.lines.push_back(line),
            }
        }
    }

    /// Asks the services about an account. Whoever is `within` the time gets an answer.
    pub(super) async fn info(&self, account: &str, within: Duration) -> Info {
        if !is_account(account) {
            return Info::NotRegistered;
        }
        let deadline = tokio::time::Instant::now() + within;
        let (answer, answered) = oneshot::channel();
        self.add_info(PendingInfo { account: account.to_owned(), deadline: deadline.into_std(), answer });
        tokio::time::timeout_at(deadline, answered).await.map_or(Info::Silent, |answer| answer.unwrap_or(Info::Silent))
    }

    /// Adds a question; one too many is answered by being dropped.
    pub(super) fn add_info(&self, pending: PendingInfo) {
        let mut inner = self.lock();
        if !inner.is_closed && inner.infos.len() < MOST_QUESTIONS {
            inner.infos.push_back(pending);
            drop(inner);
            self.came.notify_one();
        }
    }

    /// The next question that somebody waits for.
    pub(super) fn next_info(&self, now: Instant) -> Option<PendingInfo> {
        let mut inner = self.lock();
        inner.infos.retain(|info| !info.answer.is_closed() && info.deadline > now);
        inner.infos.pop_front()
    }

    /// Notes why nothing can be said.
    pub(super) fn hindered_by(&self, why: &str) {
        why.clone_into(&mut self.lock().hindrance);
    }

    /// Nothing is said any more.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        for line in std::mem::take(&mut inner.lines) {
            let _ = line.answer.send(Outcome::NotSaid(NotSaid::Ended));
        }
        inner.infos.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::irc::Draft;

    const NEWS: (Rank, Finality) = (Rank::News, Finality::Other);

    fn line(text: &str) -> MakeLine {
        let line = Draft::about_none().words(text).finish();
        MakeLine::new(|| Some(line))
    }

    fn ops() -> Target {
        Target::channel("#ops").unwrap()
    }

    #[test]
    fn nothing_is_said_to_what_is_no_name() {
        for name in ["", "#a,b", "#a b", "a b", "a\r\nQUIT", "$*", "@#ops"] {
            assert!(Target::channel(name).is_err() && Target::person(name).is_err(), "{name}");
        }
        assert!(Target::person("#ops").is_err() && Target::channel("sre1").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_waits_too_long_is_never_said() {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.hindered_by("not connected");
        let said = mailbox.say(ops(), line("a"), NEWS, Duration::from_secs(5)).await;
        assert_eq!(said, Outcome::NotSaid(NotSaid::TooLate("not connected".into())));
        let later = tokio::time::Instant::now().into_std();
        assert!(mailbox.next_line(later, |_| true).is_none());
    }

    #[test]
    fn what_is_late_or_not_waited_for_is_not_begun() {
        let (mailbox, now) = (Mailbox::default(), Instant::now());
        let add = |text, deadline| {
            let (answer, answered) = oneshot::channel();
            mailbox.add_line(ops(), line(text), NEWS, deadline, answer).unwrap();
            answered
        };
        let (_late, given_up) = (add("late", now), add("given up", now + Duration::from_secs(1)));
        let _waits = add("waits", now + Duration::from_secs(1));
        drop(given_up);
        let (_, line, _) = mailbox.next_line(now, |_| true).unwrap().made().unwrap();
        assert_eq!(line.as_str(), "waits");
        assert!(mailbox.next_line(now, |_| true).is_none());
    }

    #[test]
    fn what_waits_is_said_by_its_rank_and_what_has_no_room_is_refused() {
        let mailbox = Mailbox::default();
        let add = |text: &str, rank: Rank| {
            let (answer, answered) = oneshot::channel();
            let deadline = Instant::now() + Duration::from_secs(900);
            mailbox.add_line(ops(), line(text), (rank, Finality::Other), deadline, answer).map(|_| answered)
        };
        let next = || mailbox.next_line(Instant::now(), |_| true).unwrap().made().unwrap().1.as_str().to_owned();
        let flood: Vec<_> = (0..100).map(|_| add("to a host", Rank::Stranger("host".into()))).collect();
        assert!(flood[0].is_ok());
        assert_eq!(flood[99].as_ref().unwrap_err(), &NotSaid::TooMany);
        let _said = [
            add("to sre1", Rank::Listed("sre1".into())),
            add("recorded", Rank::Done("sre2".into())),
            add("recorded, too", Rank::Done("sre2".into())),
            add("ask", Rank::News),
        ]
        .map(Result::unwrap);
        assert_eq!(
            [next(), next(), next(), next(), next()],
            ["ask", "recorded", "to sre1", "to a host", "recorded, too"]
        );
    }

    #[test]
    fn what_is_final_about_a_word_takes_the_room_of_what_is_not() {
        let mailbox = Mailbox::default();
        let sre1 = || Rank::Listed("sre1".into());
        let add = |text: &str, rank: Rank, finality| {
            let (answer, answered) = oneshot::channel();
            let deadline = Instant::now() + Duration::from_secs(900);
            mailbox.add_line(ops(), line(text), (rank, finality), deadline, answer).map(|_| answered)
        };
        let waiting = || -> Vec<String> {
            let mut inner = mailbox.lock();
            let lines = std::mem::take(&mut inner.lines);
            lines.into_iter().filter_map(|line| line.made()).map(|(_, line, _)| line.as_str().to_owned()).collect()
        };
        // It takes the place of what was to be said of the same word, by whatever rank.
        let mut unclear = add("unclear 1", sre1(), Finality::Interim(1)).unwrap();
        let _unclear = add("unclear 2", sre1(), Finality::Interim(2)).unwrap();
        let _recorded = add("recorded 1", Rank::Done("sre1".into()), Finality::Final(Some(1))).unwrap();
        assert_eq!(unclear.try_recv().unwrap(), Outcome::NotSaid(NotSaid::Outdated));
        assert_eq!(waiting(), ["recorded 1", "unclear 2"]);
        // Where that was said already it takes the room of another that is not final, and of talk after those.
        let mut talk = add("talk", sre1(), Finality::Other).unwrap();
        let mut unclear = add("unclear 2", sre1(), Finality::Interim(2)).unwrap();
        let ends: Vec<_> = (3..10)
            .map(|word| add(&format!("refused {word}"), sre1(), Finality::Final(Some(word))))
            .map(|added| added.map_err(|why| why.to_string()))
            .collect();
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 4, "none takes the room of another that is final");
        assert_eq!(unclear.try_recv().unwrap(), Outcome::NotSaid(NotSaid::TooMany));
        assert_eq!(talk.try_recv().unwrap(), Outcome::NotSaid(NotSaid::TooMany));
        assert!(add("more talk", sre1(), Finality::Other).is_err());
        assert_eq!(waiting(), ["refused 3", "refused 4", "refused 5", "refused 6"]);
        // Where those of all others fill the kind, too.
        let _all: Vec<_> = (0..100)
            .map(|number| add("unclear", Rank::Listed(format!("member{number}")), Finality::Interim(number)))
            .collect();
        assert!(add("more talk", sre1(), Finality::Other).is_err());
        assert!(add("refused", sre1(), Finality::Final(None)).is_ok());
    }

    #[test]
    fn a_line_is_made_when_its_turn_has_come_and_is_none_where_it_is_not_so_any_more() {
        let (mailbox, now) = (Mailbox::default(), Instant::now());
        let is_so = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let ask = |text: &'static str| {
            let (is_so, (answer, answered)) = (Arc::clone(&is_so), oneshot::channel());
            let line = Draft::about_none().words(text).finish();
            let make = MakeLine::new(move || is_so.load(std::sync::atomic::Ordering::Relaxed).then_some(line));
            mailbox.add_line(ops(), make, NEWS, now + Duration::from_secs(1), answer).unwrap();
            answered
        };
        let mut asked = [ask("a"), ask("b"), ask(" ")];
        let next = || mailbox.next_line(now, |_| true).unwrap().made().map(|(_, line, _)| line.as_str().to_owned());
        assert_eq!(next().as_deref(), Some("a"));
        is_so.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(next(), None);
        assert_eq!(asked[1].try_recv().unwrap(), Outcome::NotSaid(NotSaid::Outdated));
        is_so.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(next(), None);
        assert_eq!(asked[2].try_recv().unwrap(), Outcome::NotSaid(NotSaid::Empty));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_was_begun_in_time_is_waited_for() {
        let mailbox = Arc::new(Mailbox::default());
        let asked = Arc::clone(&mailbox);
        let saying = tokio::spawn(async move { asked.say(ops(), line("a"), NEWS, Duration::from_secs(5)).await });
        mailbox.came.notified().await;
        let pending = mailbox.next_line(tokio::time::Instant::now().into_std(), |_| true).unwrap();
        tokio::time::sleep(Duration::from_secs(8)).await;
        let receipt = Receipt { target: "#ops".into(), msgid: None, time: None };
        pending.answer.send(Outcome::Said(receipt.clone())).unwrap();
        assert_eq!(saying.await.unwrap(), Outcome::Said(receipt));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_and_answered_at_the_end() {
        let mailbox = Arc::new(Mailbox::default());
        let mut waiting = Vec::new();
        let is_full = |inner: &Inner| !inner.has_room(&Rank::News, Finality::Other);
        for _ in 0..64 {
            let mailbox = Arc::clone(&mailbox);
            waiting
                .push(tokio::spawn(async move { mailbox.say(ops(), line("a"), NEWS, Duration::from_secs(5)).await }));
        }
        while !is_full(&mailbox.lock()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(mailbox.say(ops(), line("a"), NEWS, Duration::MAX).await, Outcome::NotSaid(NotSaid::TooMany));
        mailbox.close();
        for said in waiting {
            assert_eq!(said.await.unwrap(), Outcome::NotSaid(NotSaid::Ended));
        }
        assert_eq!(mailbox.say(ops(), line("a"), NEWS, Duration::MAX).await, Outcome::NotSaid(NotSaid::Ended));
        assert_eq!(mailbox.info("sre1", Duration::from_secs(1)).await, Info::Silent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_has_its_time() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.info("sre1", Duration::from_secs(20)).await, Info::Silent);
        assert_eq!(mailbox.info("a b", Duration::from_secs(20)).await, Info::NotRegistered);
        assert!(mailbox.next_info(tokio::time::Instant::now().into_std()).is_none());
    }
}
