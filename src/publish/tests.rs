//! The publisher against a server that answers by a script: how often it sends, what it notes, how it ends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::conduit::{Client, Edited, Failure, Obstacle, Route, Timeouts, Unreached};
use crate::ids::{Phid, TaskId};

/// Answers to attempts and looks, in their order; the last of each repeats.
struct Script {
    sends: RefCell<VecDeque<Option<Failure>>>,
    looks: VecDeque<Option<Look<u8>>>,
    sent: RefCell<u32>,
}

const FOUND: Option<Look<u8>> = Some(Look::Found(7));

fn seen(status: &str) -> TaskSeen {
    TaskSeen { status: status.to_owned(), modified: "2026-11-20T03:00:00Z".parse().unwrap() }
}

fn absent() -> Option<Look<u8>> {
    Some(Look::Absent(seen("open")))
}

fn next<T: Clone>(queue: &mut VecDeque<T>) -> T {
    if queue.len() > 1 { queue.pop_front().unwrap() } else { queue[0].clone() }
}

impl Publication for Script {
    type Found = u8;

    async fn send(&self, _: &Client) -> Result<Edited, ConduitError> {
        *self.sent.borrow_mut() += 1;
        match next(&mut self.sends.borrow_mut()) {
            Some(kind) => Err(ConduitError { method: "maniphest.edit".to_owned(), kind }),
            None => {
                let made = Phid::new("PHID-XACT-TASK-abc").unwrap();
                Ok(Edited { task: TaskId::new(1).unwrap(), transactions: vec![made] })
            }
        }
    }

    async fn look(&mut self, _: &Client) -> Result<Look<u8>, ConduitError> {
        next(&mut self.looks).ok_or_else(|| Client::unexpected("transaction.search", "nonsense"))
    }
}

/// The kinds of the steps that were noted.
#[derive(Default)]
struct Steps(Vec<&'static str>);

impl PublishLog<u8> for Steps {
    type Error = Infallible;

    fn note(&mut self, _: Timestamp, progress: PublishProgress<'_, u8>) -> Result<(), Infallible> {
        self.0.push(match progress {
            PublishProgress::Sending { .. } => "sending",
            PublishProgress::NotSent { .. } => "not sent",
            PublishProgress::Answered { .. } => "answered",
            PublishProgress::Waiting { .. } => return Ok(()),
            PublishProgress::Missing { .. } => "missing",
            PublishProgress::Refused { .. } => "refused",
            PublishProgress::Confirmed(_) => "confirmed",
        });
        Ok(())
    }
}

/// What came of it, how often it was sent, and what was noted.
type Ended = (PublishOutcome<u8>, u32, Vec<&'static str>);

fn publish_within(
    settle: Duration,
    patience: Patience,
    known: Known,
    sends: &[Option<Failure>],
    looks: &[Option<Look<u8>>],
) -> Ended {
    let timeouts = Timeouts { connect: Duration::from_secs(1), call: Duration::from_secs(1) };
    let base = "http://localhost:1/".parse().unwrap();
    let client = Client::new(&base, None, timeouts, &Route::default()).unwrap();
    let publisher = Publisher { client, settle };
    let mut script = Script {
        sends: RefCell::new(sends.iter().cloned().collect()),
        looks: looks.iter().cloned().collect(),
        sent: RefCell::new(0),
    };
    let mut steps = Steps::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Ok(outcome) = runtime.block_on(publisher.publish(&mut steps, &mut script, known, patience));
    (outcome, script.sent.into_inner(), steps.0)
}

fn long() -> Patience {
    Patience::until(Instant::now() + Duration::from_secs(60))
}

fn publish(sends: &[Option<Failure>], looks: &[Option<Look<u8>>]) -> Ended {
    publish_within(Duration::from_secs(60), long(), Known::Absent, sends, looks)
}

fn error(info: &str) -> Option<Failure> {
    Some(Failure::Refused { code: "ERR-CONDUIT-CORE".to_owned(), info: info.to_owned() })
}

fn filtered(status: u16) -> Option<Failure> {
    Some(Failure::NotConduit { status, what: "an HTML page".to_owned() })
}

fn cause(outcome: &PublishOutcome<u8>) -> Option<Cause> {
    match outcome {
        PublishOutcome::NotApplied(not) => Some(not.cause),
        _ => None,
    }
}

#[test]
fn what_was_written_is_read_back() {
    let (outcome, sent, steps) = publish(&[None], &[FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1));
    assert_eq!(steps, ["sending", "answered", "confirmed"]);
}

#[test]
fn an_error_of_the_server_is_settled_by_one_look_and_not_sent_again() {
    let refusal = error("You can not make this edit.");
    let (outcome, sent, steps) = publish(std::slice::from_ref(&refusal), &[absent()]);
    assert_eq!((cause(&outcome), sent), (Some(Cause::Refused), 1));
    assert_eq!(steps, ["sending", "answered", "refused"]);
    // An error may follow what was written.
    let (outcome, sent, _) = publish(&[refusal], &[FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1));
}

#[test]
fn what_a_deadlock_rolled_back_is_sent_three_times_at_most() {
    let deadlock = error("#1213: Deadlock found");
    let (outcome, sent, _) = publish(&[deadlock.clone(), None], &[absent(), FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 2));
    let (outcome, sent, _) = publish(std::slice::from_ref(&deadlock), &[absent()]);
    assert_eq!((cause(&outcome), sent), (Some(Cause::NotWritten), SENDS));
    let (outcome, sent, _) = publish(&[deadlock], &[FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1), "looked for before it is sent again");
}

#[test]
fn a_database_that_is_away_is_no_refusal() {
    let unreached = error("#2002: Connection refused");
    let (outcome, sent, _) = publish(&[unreached, None], &[absent(), FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 2));
    // What it was doing when it went away it may have done, a moment later too.
    let (outcome, sent, steps) = publish(&[error("#2013: Lost connection during query")], &[absent()]);
    assert!(matches!(outcome, PublishOutcome::Unknown { .. }), "{outcome:?}");
    assert_eq!((sent, steps), (1, vec!["sending", "answered"]));
}

#[test]
fn a_refusal_that_no_read_has_settled_stays_unknown() {
    let (outcome, sent, steps) = publish(&[error("no")], &[None]);
    assert!(matches!(outcome, PublishOutcome::Unknown { .. }), "{outcome:?}");
    assert_eq!((sent, steps), (1, vec!["sending", "answered"]));
}

#[test]
fn what_a_filter_refused_is_unclear_until_it_is_settled_and_refused_then() {
    for status in [403, 413] {
        let (outcome, sent, steps) = publish(&[filtered(status)], &[absent()]);
        assert!(matches!(outcome, PublishOutcome::Unknown { .. }), "{outcome:?}");
        assert_eq!((sent, steps), (1, vec!["sending", "answered"]));
        let brief = Duration::from_millis(20);
        let patience = long().polling(Duration::from_millis(5));
        let (outcome, sent, steps) = publish_within(brief, patience, Known::Absent, &[filtered(status)], &[absent()]);
        assert_eq!((cause(&outcome), sent), (Some(Cause::Refused), 1));
        assert_eq!(steps, ["sending", "answered", "refused"]);
    }
    assert!(matches!(publish(&[filtered(408)], &[absent()]).0, PublishOutcome::Unknown { .. }));
}

#[test]
fn what_never_reached_the_server_is_sent_again_at_once() {
    let unreached = |obstacle| Some(Failure::NoConnection(Unreached { obstacle, proxy: None }));
    let gone = unreached(Obstacle::Network("connection refused".to_owned()));
    let (outcome, sent, steps) = publish(&[gone.clone(), None], &[FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 2));
    assert_eq!(steps, ["sending", "not sent", "sending", "answered", "confirmed"]);
    assert_eq!(publish(&[gone], &[absent()]).1, SENDS);
    // A certificate that is not believed, and a proxy that wants a password, stay so.
    assert_eq!(publish(&[unreached(Obstacle::ProxyCredentials)], &[absent()]).1, 1);
    // A token that is refused stays refused.
    let refused = Some(Failure::Refused { code: "ERR-INVALID-AUTH".to_owned(), info: String::new() });
    assert_eq!(publish(&[refused], &[absent()]).1, 1);
}

#[test]
fn what_is_unclear_is_sent_again_only_once_it_is_settled() {
    let broken = Some(Failure::Broken("reset".to_owned()));
    let patience = long().polling(Duration::from_millis(5));
    let known = || Known::Absent;
    let brief = Duration::from_millis(20);
    let looks = [absent(), absent(), FOUND];
    let (outcome, sent, _) =
        publish_within(Duration::from_secs(60), patience, known(), std::slice::from_ref(&broken), &looks);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1), "it came late");
    let (outcome, sent, steps) = publish_within(brief, patience, known(), &[broken], &[absent()]);
    assert_eq!((cause(&outcome), sent), (Some(Cause::NotWritten), SENDS));
    assert_eq!(&steps[..4], ["sending", "answered", "missing", "sending"]);
}

#[test]
fn what_was_refused_is_sent_again_where_the_task_changed_or_somebody_asks() {
    let known = |status: &str| Known::Refused { why: "no".to_owned(), seen: seen(status) };
    let minute = Duration::from_secs(60);
    let (outcome, sent, steps) = publish_within(minute, long(), known("open"), &[None], &[absent()]);
    assert_eq!((cause(&outcome), sent, steps), (Some(Cause::Refused), 0, vec![]));
    let (outcome, sent, _) = publish_within(minute, long(), known("stalled"), &[None], &[absent(), FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1));
    let retry = Patience { retry: true, ..long() };
    let (outcome, sent, _) = publish_within(minute, retry, known("open"), &[None], &[absent(), FOUND]);
    assert_eq!((outcome, sent), (PublishOutcome::Confirmed(7), 1));
    // What cannot be looked for is not sent.
    assert_eq!(publish_within(minute, retry, known("open"), &[None], &[None]).1, 0);
}

#[test]
fn nothing_is_sent_after_the_deadline() {
    let over = Patience::until(Instant::now());
    let (outcome, sent, _) = publish_within(Duration::from_secs(60), over, Known::Absent, &[None], &[FOUND]);
    assert_eq!((cause(&outcome), sent), (Some(Cause::NotWritten), 0));
}
