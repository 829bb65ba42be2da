//! Lines that were sent and whose echo is waited for, and how fast lines are sent.
//!
//! Responsible for which echo is whose, and for what a line is where none comes. Not responsible for what waits to be sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::mailbox::{NotSaid, Outcome, Receipt};
use crate::irc::wire::{CaseMapping, Message};

/// A line on its way.
#[derive(Debug)]
struct SentLine {
    target: String,
    text: String,
    until: Instant,
    answer: oneshot::Sender<Outcome>,
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Speech {
    sent: VecDeque<SentLine>,
    /// When the next line may be sent.
    next: Option<Instant>,
    /// When the services may be asked next.
    next_question: Option<Instant>,
}

impl Speech {
    /// Whether a line may be sent now.
    pub(super) fn may_send(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// A line was sent.
    pub(super) fn pace(&mut self, now: Instant, every: Duration) {
        self.next = Some(now + every);
    }

    /// Whether the services may be asked now.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        self.next_question.is_none_or(|next| next <= now)
    }

    /// They were asked.
    pub(super) fn pace_questions(&mut self, now: Instant, every: Duration) {
        self.next_question = Some(now + every);
    }

    /// A line was sent, and its echo is waited for.
    pub(super) fn sent(&mut self, target: &str, text: &str, until: Instant, answer: oneshot::Sender<Outcome>) {
        self.sent.push_back(SentLine { target: target.to_owned(), text: text.to_owned(), until, answer });
    }

    /// Takes an echo: it is of the first line of this text to this target.
    pub(super) fn echoed(&mut self, echo: &Message, mapping: CaseMapping) {
        let of = |line: &SentLine| mapping.same(&line.target, echo.param(0)) && line.text == echo.last();
        let Some(line) = self.sent.iter().position(of).and_then(|at| self.sent.remove(at)) else { return };
        let time = echo.tags.get("time").and_then(|time| time.parse::<Timestamp>().ok());
        let msgid = echo.tags.get("msgid").filter(|msgid| !msgid.is_empty()).map(str::to_owned);
        let _ = line.answer.send(Outcome::Said(Receipt { target: line.target, msgid, time }));
    }

    /// The server refuses what was said to a target: the first line there.
    pub(super) fn refused(&mut self, target: &str, why: &str, mapping: CaseMapping) {
        let at = self.sent.iter().position(|line| mapping.same(&line.target, target));
        if let Some(line) = at.and_then(|at| self.sent.remove(at)) {
            let _ = line.answer.send(Outcome::NotSaid(NotSaid::Refused(why.to_owned())));
        }
    }

    /// Gives up those whose echo did not come in time.
    pub(super) fn give_up(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|line| line.until <= now)
            && let Some(line) = self.sent.pop_front()
        {
            let _ = line.answer.send(Outcome::Unclear { why: "the network did not echo it in time".to_owned() });
        }
    }

    /// The connection is gone: nothing says any more what became of them.
    pub(super) fn lost(&mut self, why: &str) {
        for line in self.sent.drain(..) {
            let _ = line
                .answer
                .send(Outcome::Unclear { why: format!("the connection was lost before its echo came: {why}") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(line: &str) -> Message {
        Message::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn an_echo_is_of_the_first_line_like_it() {
        let mut speech = Speech::default();
        let until = Instant::now() + Duration::from_secs(15);
        let mut answers: Vec<_> = ["a", "b", "a"]
            .into_iter()
            .map(|text| {
                let (answer, answered) = oneshot::channel();
                speech.sent("#ops", text, until, answer);
                answered
            })
            .collect();
        speech.echoed(&echo("@msgid=2 :me PRIVMSG #OPS b"), CaseMapping::Ascii);
        speech.echoed(&echo("@msgid=1;time=2026-11-28T07:00:00.000Z :me PRIVMSG #ops a"), CaseMapping::Ascii);
        speech.echoed(&echo(":me PRIVMSG #ops other"), CaseMapping::Ascii);
        speech.echoed(&echo(":me PRIVMSG #other a"), CaseMapping::Ascii);
        let msgid = |outcome: Outcome| match outcome {
            Outcome::Said(receipt) => receipt.msgid,
            other => panic!("{other:?}"),
        };
        assert!(answers[2].try_recv().is_err());
        assert_eq!(msgid(answers[1].try_recv().unwrap()).as_deref(), Some("2"));
        assert_eq!(msgid(answers[0].try_recv().unwrap()).as_deref(), Some("1"));
        speech.give_up(until);
        assert!(matches!(answers[2].try_recv().unwrap(), Outcome::Unclear { .. }));
    }

    #[test]
    fn a_refusal_and_a_lost_connection_end_a_line() {
        let mut speech = Speech::default();
        let until = Instant::now() + Duration::from_secs(15);
        let (answer, mut refused) = oneshot::channel();
        speech.sent("#ops", "a", until, answer);
        let (answer, mut lost) = oneshot::channel();
        speech.sent("sre1", "a", until, answer);
        speech.refused("#Ops", "Cannot send to channel", CaseMapping::Ascii);
        speech.lost("reset");
        assert_eq!(refused.try_recv().unwrap(), Outcome::NotSaid(NotSaid::Refused("Cannot send to channel".into())));
        assert!(matches!(lost.try_recv().unwrap(), Outcome::Unclear { why } if why.ends_with("reset")));
    }
}
