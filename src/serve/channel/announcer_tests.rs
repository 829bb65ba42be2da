//! What is said through a tcpircbot on loopback, and what is kept of it.

use std::path::Path;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::*;
use crate::evidence::testing::{History, at};
use crate::serve::store::SqliteStore;
use crate::serve::testing::{site, watched};
use crate::time::ServerClock;

/// The announcer of a watch whose store is in a directory.
fn announcer(history: &History, state: &Path, port: u16) -> Announcer<SqliteStore> {
    let watch = Watch::new(site(history, state.to_owned()), SqliteStore::open(state).unwrap()).unwrap();
    // The histories are of long ago.
    watch.board.set_clock(ServerClock::new(Some(jiff::Timestamp::now().duration_since(at(1_000)))));
    Announcer::new(
        Arc::new(watch),
        Way::Tcpircbot(format!("127.0.0.1:{port}").parse().unwrap()),
        None,
        Nicks::default(),
        true,
    )
}

/// The next line that a tcpircbot is handed.
async fn heard(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut line = String::new();
    stream.read_to_string(&mut line).await.unwrap();
    line
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// One round of the announcer, and the line that it says.
async fn said(announcer: &mut Announcer<SqliteStore>, listener: &TcpListener) -> String {
    let (line, round) = tokio::join!(heard(listener), announcer.round());
    round.unwrap();
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_of_a_task_that_cannot_be_read_and_what_is_due_then_once_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, port) = listener().await;
    let mut history = History::ready();
    let mut announcer = announcer(&history, &directory.path().join("state"), port);
    let task = history.task.id;
    let board = &Arc::clone(&announcer.watch).board;
    board.put(watched(&history), 1);
    board.unread(task, at(50));
    announcer.round().await.unwrap();
    assert_eq!(announcer.said, BTreeMap::new(), "it is judged anew");
    // A no came meanwhile.
    history.comment("sre2", 50, "Emergency-Reject: sre");
    board.put(watched(&history), 2);
    let line = said(&mut announcer, &listener).await;
    assert_eq!(line, "T1 is REJECTED by sre2 and may not be deployed -- https://phab.example/T1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_so_any_more_when_its_turn_has_come_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, port) = listener().await;
    let history = History::ready();
    let mut announcer = announcer(&history, &directory.path().join("state"), port);
    let (task, episode) = (history.task.id, watched(&history).episode.began);
    let once = Once { task, episode, line: SaidLine::News(News::Ready(0)), besides: vec!["withdrawn 1".into()] };
    let watch = Arc::clone(&announcer.watch);
    let lines = || watch.store.with(|store| store.lines(task, episode)).unwrap().len();
    let (line, turn) = tokio::join!(heard(&listener), say_once(&watch, &mut announcer.voice, &once, || None));
    assert_eq!((line.as_str(), turn.unwrap(), lines()), ("", Turn::Later, 0));
    let make = || Some(crate::irc::Draft::about_none().words("now").finish());
    let (line, turn) = tokio::join!(heard(&listener), say_once(&watch, &mut announcer.voice, &once, make));
    assert_eq!((line.as_str(), turn.unwrap(), lines()), ("now\n", Turn::Over, 2));
    let turn = say_once(&watch, &mut announcer.voice, &once, make).await.unwrap();
    assert_eq!(turn, Turn::Over, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_tried_later_and_nothing_is_kept_of_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let (nobody, port) = listener().await;
    drop(nobody);
    let history = History::ready();
    let mut announcer = announcer(&history, &directory.path().join("state"), port);
    let watch = Arc::clone(&announcer.watch);
    watch.board.put(watched(&history), 1);
    announcer.round().await.unwrap();
    assert!(!announcer.voice.is_ready(), "it waits");
    let begun = std::time::Instant::now();
    announcer.round().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(500), "nothing is tried before that");
    let lines = watch.store.with(|store| store.lines(history.task.id, watched(&history).episode.began)).unwrap();
    assert_eq!(lines, BTreeSet::new());
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    while !announcer.voice.is_ready() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said(&mut announcer, &listener).await.contains("is approved and may be deployed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_an_emergency_is_named_once_and_only_where_something_was_said_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let (listener, port) = listener().await;
    let mut history = History::ready();
    let mut first = announcer(&history, &state, port);
    let watch = Arc::clone(&first.watch);
    let silent =
        EndedTask { task: "T2".parse().unwrap(), ..EndedTask::last(&ended(&history).evidence(), &watch.site).unwrap() };
    watch.endings.send(silent).unwrap();
    watch.board.put(watched(&history), 1);
    assert!(said(&mut first, &listener).await.contains("is approved and may be deployed"));
    // It ends, and is an emergency again at once.
    history = ended(&history);
    history.tag("outsider", 31, "emergency");
    let over = EndedTask::last(&history.evidence(), &watch.site).unwrap();
    drop((first, watch));
    let mut again = announcer(&history, &state, port);
    again.look_for_endings().unwrap();
    assert!(again.watch.queue.holds(history.task.id), "it may have ended while nobody watched");
    for _ in 0..2 {
        again.watch.endings.send(over.clone()).unwrap();
    }
    let line = said(&mut again, &listener).await;
    assert_eq!(line, "T1 ended as an emergency: outsider took the tag away -- http://127.0.0.1:9/T1\n");
    again.watch.endings.send(over).unwrap();
    again.round().await.unwrap();
    assert!(again.over.is_empty());
    assert_eq!(again.watch.store.with(|store| store.tasks_without_line(&SaidLine::Over.key())).unwrap(), []);
}

fn ended(history: &History) -> History {
    let mut history = history.clone();
    history.untag("outsider", 30, "emergency");
    history
}

#[test]
fn whom_somebody_needs_now_is_asked_before_whoever_is_asked_again() {
    let ask = |task: &str, team: &str, stage, due| {
        let key =
            PageKey { task: task.parse().unwrap(), episode: TransactionId(3), team: team.into(), round: 1, stage };
        Page { key, due: at(due), drill: false }
    };
    let mut asks = vec![
        ask("T1", "sre", Stage::AskedAgain, 10),
        ask("T9", "sre", Stage::Asked, 99),
        ask("T2", "releng", Stage::Asked, 50),
        ask("T3", "releng", Stage::AskedAgain, 5),
    ];
    asks.sort_by_key(turn_of);
    assert_eq!(asks.iter().map(|ask| ask.key.task.to_string()).collect::<Vec<_>>(), ["T9", "T2", "T1", "T3"]);
    let paged = News::Paged { team: "sre".into(), round: 1, stage: Stage::Page };
    let waits = |task: &str, news: &News| comes_after_an_ask(news, task.parse().unwrap(), &asks);
    assert!(waits("T9", &paged), "it is not asked yet");
    assert!(!waits("T1", &paged) && !waits("T2", &paged) && !waits("T9", &News::Ready(0)));
}
