//! What was heard and is not taken yet.
//!
//! Responsible for its bounds: of one who floods the channel the first lines are kept and the rest is counted, others are heard all the
//! same, and a no is passed over for nothing that is none. Not responsible for what is heard.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::hearing::Heard;
use super::state::Dropped;
use super::words::Verb;

/// How many lines wait at most.
const MOST: usize = 256;
/// How many of one speaker that are no no.
const MOST_OF_ONE: usize = 8;
/// How many of one speaker that are.
const MOST_AGAINST_OF_ONE: usize = 64;
/// How many lines one speaker may say at once, that are no no.
const BURST: u32 = 20;
/// After how long one more.
const REFILL: Duration = Duration::from_secs(3);
/// Of how many speakers it is remembered how much they said.
const SPEAKERS: usize = 1024;

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Heard>,
    /// For each speaker how many lines more may be said, and since when that is so.
    allowances: HashMap<String, (u32, Instant)>,
    dropped: Dropped,
    is_closed: bool,
}

/// The queue; its two ends share it.
#[derive(Debug, Default)]
pub(super) struct HeardQueue {
    waiting: Mutex<Waiting>,
    came: Notify,
}

/// Where what was heard is taken from.
#[derive(Debug)]
pub struct Receiver {
    queue: Arc<HeardQueue>,
}

impl Receiver {
    pub(super) fn new(queue: Arc<HeardQueue>) -> Self {
        Self { queue }
    }

    /// The next line, in the order in which they were said; `None` once the bot has ended and all was taken. Dropping the future loses
    /// nothing.
    pub async fn recv(&mut self) -> Option<Heard> {
        loop {
            let came = self.queue.came.notified();
            {
                let mut waiting = self.queue.lock();
                match waiting.lines.pop_front() {
                    Some(heard) => return Some(heard),
                    None if waiting.is_closed => return None,
                    None => {}
                }
            }
            came.await;
        }
    }

    /// The next line, where one waits.
    pub fn try_recv(&mut self) -> Option<Heard> {
        self.queue.lock().lines.pop_front()
    }
}

impl HeardQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or counts it as passed over.
    pub(super) fn push(&self, heard: Heard, now: Instant) {
        self.lock().push(heard, now);
        self.came.notify_one();
    }

    /// No more comes.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.came.notify_one();
    }

    /// What was passed over.
    pub(super) fn dropped(&self) -> Dropped {
        self.lock().dropped
    }

    /// One more thing came that was no message.
    pub(super) fn malformed(&self) {
        self.lock().dropped.malformed += 1;
    }
}

impl Waiting {
    fn push(&mut self, heard: Heard, now: Instant) {
        let is_against = is_against(&heard);
        let of_one = |line: &&Heard| line.speaker == heard.speaker && self::is_against(line) == is_against;
        let count = self.lines.iter().filter(of_one).count();
        if is_against {
            // Said again before it was heard once: it is the same word, unless they said another one about it between. One that names nobody
            // must not hide one that does.
            let is_word = |line: &&Heard| {
                let verb = line.request.verb();
                let is_about = line.request.task() == heard.request.task();
                line.speaker == heard.speaker && is_about && (verb.is_against() || verb == Verb::Approve)
            };
            let repeats = |line: &Heard| {
                line.nick == heard.nick
                    && line.place == heard.place
                    && line.request == heard.request
                    && line.who.is_ok() == heard.who.is_ok()
            };
            if self.lines.iter().rev().find(is_word).is_some_and(repeats) {
                self.dropped.repeated += 1;
                return;
            }
            if count >= MOST_AGAINST_OF_ONE {
                self.dropped.of_one += 1;
                return;
            }
        } else if !self.is_allowed(&heard.speaker, now) || count >= MOST_OF_ONE {
            self.dropped.of_one += 1;
            return;
        }
        if self.lines.len() >= MOST && !self.make_room(is_against) {
            self.dropped.of_all += 1;
            return;
        }
        self.lines.push_back(heard);
    }

    /// Makes room by passing over the newest line of who has most: of those that are no no, and for another no also of these. Where
    /// nobody has more than one line of a kind there is none to be made.
    fn make_room(&mut self, is_against: bool) -> bool {
        let kinds: &[bool] = if is_against { &[false, true] } else { &[false] };
        for of_kind in kinds {
            let mut counts: HashMap<&str, usize> = HashMap::new();
            for line in self.lines.iter().filter(|line| self::is_against(line) == *of_kind) {
                *counts.entry(line.speaker.as_str()).or_default() += 1;
            }
            let heaviest = counts.into_iter().max_by_key(|(_, count)| *count);
            let least = if is_against && !of_kind { 1 } else { 2 };
            let Some((speaker, _)) = heaviest.filter(|(_, count)| *count >= least) else { continue };
            let newest =
                self.lines.iter().rposition(|line| line.speaker == speaker && self::is_against(line) == *of_kind);
            if let Some(at) = newest {
                self.lines.remove(at);
                self.dropped.of_all += 1;
                return true;
            }
        }
        false
    }

    fn is_allowed(&mut self, speaker: &str, now: Instant) -> bool {
        let refilled = |left: u32, since: Instant| {
            let periods = now.saturating_duration_since(since).as_millis() / REFILL.as_millis();
            let periods = u32::try_from(periods).unwrap_or(u32::MAX);
            (left.saturating_add(periods).min(BURST), since + REFILL.saturating_mul(periods.min(BURST)))
        };
        if self.allowances.len() >= SPEAKERS && !self.allowances.contains_key(speaker) {
            self.allowances.retain(|_, (left, since)| refilled(*left, *since).0 < BURST);
            // A thousand who all said something within the minute: nobody is turned away for that.
            if self.allowances.len() >= SPEAKERS {
                self.allowances.clear();
            }
        }
        let (left, since) = self.allowances.entry(speaker.to_owned()).or_insert((BURST, now));
        (*left, *since) = refilled(*left, *since);
        if *left == BURST {
            *since = now;
        }
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }
}

fn is_against(heard: &Heard) -> bool {
    heard.request.verb().is_against()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::bot::hearing::{Place, WhyNot};
    use crate::irc::bot::words::{Command, Request};

    fn heard(speaker: &str, command: Command) -> Heard {
        Heard {
            place: Place::Channel("#ops".into()),
            nick: speaker.into(),
            host: speaker.into(),
            text: String::new(),
            request: Request::Command(command),
            who: Err(WhyNot::NotLoggedIn),
            came: Instant::now(),
            services: true,
            speaker: speaker.into(),
        }
    }

    fn status(speaker: &str, number: u64) -> Heard {
        heard(speaker, Command::Status(crate::ids::TaskId::new(number).unwrap()))
    }

    fn reject(speaker: &str, number: u64) -> Heard {
        heard(speaker, Command::Reject { task: crate::ids::TaskId::new(number).unwrap(), why: None })
    }

    fn taken(queue: &Arc<HeardQueue>) -> Vec<Heard> {
        let mut receiver = Receiver::new(Arc::clone(queue));
        std::iter::from_fn(|| receiver.try_recv()).collect()
    }

    #[test]
    fn a_flood_of_one_silences_nobody_else() {
        let queue = Arc::new(HeardQueue::default());
        let now = Instant::now();
        for number in 1..=1000 {
            queue.push(status("flood", number), now);
        }
        queue.push(status("sre1", 1), now);
        queue.push(reject("flood", 7), now);
        let lines = taken(&queue);
        assert_eq!(lines.iter().filter(|line| line.speaker == "flood").count(), MOST_OF_ONE + 1);
        assert!(lines.iter().any(|line| line.speaker == "sre1"));
        assert_eq!(queue.dropped().of_one, 1000 - MOST_OF_ONE as u64);
        // What was taken makes no new room at once: one line in three seconds.
        queue.push(status("flood", 1), now);
        assert_eq!(taken(&queue).len(), 0, "the allowance is used up");
        queue.push(status("flood", 1), now + REFILL);
        queue.push(status("flood", 2), now + REFILL);
        assert_eq!(taken(&queue).len(), 1);
    }

    #[test]
    fn a_no_is_passed_over_for_nothing_else() {
        let queue = Arc::new(HeardQueue::default());
        let now = Instant::now();
        for speaker in 0..MOST {
            queue.push(status(&format!("host{speaker}"), 1), now);
        }
        queue.push(status("late", 1), now);
        assert_eq!(queue.dropped().of_all, 1, "all say as much, and there is no room for more");
        queue.push(reject("sre1", 1), now);
        let lines = taken(&queue);
        assert_eq!(lines.len(), MOST);
        assert!(lines.iter().any(is_against));
    }

    #[test]
    fn a_flood_of_noes_leaves_room_for_the_no_of_another() {
        let queue = Arc::new(HeardQueue::default());
        let now = Instant::now();
        for number in 1..=1000 {
            for speaker in ["a", "b", "c", "d", "e"] {
                queue.push(reject(speaker, number), now);
            }
        }
        queue.push(reject("sre1", 1), now);
        queue.push(reject("sre1", 1), now);
        assert_eq!(queue.dropped().repeated, 1);
        let lines = taken(&queue);
        assert_eq!((lines.len(), lines.iter().filter(|line| line.speaker == "sre1").count()), (MOST, 1));
    }

    #[test]
    fn a_no_that_is_said_again_after_another_word_is_heard_again() {
        let queue = Arc::new(HeardQueue::default());
        let now = Instant::now();
        let withdraw = Command::Withdraw { task: crate::ids::TaskId::new(1).unwrap(), why: None };
        queue.push(reject("sre1", 1), now);
        queue.push(heard("sre1", withdraw), now);
        queue.push(reject("sre1", 1), now);
        queue.push(reject("sre1", 1), now);
        assert_eq!((taken(&queue).len(), queue.dropped().repeated), (3, 1));
    }

    #[tokio::test]
    async fn what_waits_is_taken_though_the_bot_has_ended() {
        let queue = Arc::new(HeardQueue::default());
        queue.push(status("a", 1), Instant::now());
        queue.close();
        let mut receiver = Receiver::new(queue);
        assert!(receiver.recv().await.is_some());
        assert!(receiver.recv().await.is_none());
    }
}
