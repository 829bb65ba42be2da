//! Handing a line to a tcpircbot: once, or not at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use phabgate::irc::tcpircbot::{Handed, Patience, hand};
use phabgate::irc::{Draft, HostPort, Line};

fn patience() -> Patience {
    Patience { connect: Duration::from_secs(20), pause: Duration::from_millis(20), hand: Duration::from_secs(20) }
}

fn line() -> Line {
    Draft::about("T1234".parse().unwrap()).words("T1234 needs sre: ").quoted("a\nb T99 é").finish()
}

fn port(listener: &TcpListener) -> HostPort {
    format!("127.0.0.1:{}", listener.local_addr().unwrap().port()).parse().unwrap()
}

/// A listener that serves each connection, and what it says of each.
pub(crate) fn listen<T: Send + 'static>(serve: impl Fn(TcpStream) -> T + Send + 'static) -> (HostPort, Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = port(&listener);
    let (sender, served) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if sender.send(serve(stream.unwrap())).is_err() {
                return;
            }
        }
    });
    (at, served)
}

/// What came on a connection until its other side was closed.
pub(crate) fn all_of(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_line_is_taken_once_on_a_connection_of_its_own() {
    let (at, served) = listen(|stream| all_of(&stream));
    assert_eq!(hand(&at, &line(), &patience()).await, Handed::Taken);
    assert_eq!(served.recv().unwrap(), "T1234 needs sre: a / b T 99 é\n");
    let long = Draft::about_none().words(&"語".repeat(400)).finish();
    assert_eq!(hand(&at, &long, &patience()).await, Handed::Taken);
    let said = served.recv().unwrap();
    assert!(said.len() <= 426 && said.ends_with("語…\n"), "{}", said.len());
    assert!(served.try_recv().is_err(), "one connection a line");
}

#[tokio::test]
async fn what_a_tcpircbot_answers_is_passed_over() {
    let (at, served) = listen(|mut stream| {
        let text = all_of(&stream);
        stream.write_all(&[b'x'; 4096]).unwrap();
        text
    });
    assert_eq!(hand(&at, &line(), &patience()).await, Handed::Taken);
    assert!(served.recv().unwrap().starts_with("T1234"));
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = port(&listener);
    drop(listener);
    let short = Patience { connect: Duration::from_millis(100), ..patience() };
    let Handed::NotTaken { why } = hand(&at, &line(), &short).await else { panic!("nobody was there") };
    assert!(why.starts_with(&format!("no connection to {at}: ")), "{why}");
    // Somebody comes while it is tried.
    let address = format!("127.0.0.1:{}", at.port());
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let listener = TcpListener::bind(address).unwrap();
        all_of(&listener.accept().unwrap().0)
    });
    assert_eq!(hand(&at, &line(), &patience()).await, Handed::Taken);
    assert!(later.join().unwrap().starts_with("T1234"));
}

#[tokio::test]
async fn an_accepted_connection_that_proves_nothing_is_unclear_and_not_tried_again() {
    // Closed with what came unread: the kernel resets the connection.
    let (at, served) = listen(|stream| {
        std::thread::sleep(Duration::from_millis(200));
        drop(stream);
    });
    let Handed::Unclear { why } = hand(&at, &line(), &patience()).await else { panic!("it was not read") };
    assert!(why.starts_with(&format!("{at} accepted the connection, but it broke: ")), "{why}");
    served.recv().unwrap();
    assert!(served.recv_timeout(Duration::from_millis(300)).is_err(), "no second connection");
    // Never closed.
    let (at, served) = listen(std::convert::identity);
    let short = Patience { hand: Duration::from_millis(200), ..patience() };
    let Handed::Unclear { why } = hand(&at, &line(), &short).await else { panic!("it was not closed") };
    assert!(why.ends_with("did not close it within 200ms"), "{why}");
    let _stream = served.recv().unwrap();
    assert!(served.recv_timeout(Duration::from_millis(300)).is_err(), "no second connection");
}

#[tokio::test]
async fn nothing_is_handed_over_where_there_is_nothing_to_say() {
    let (at, served) = listen(drop);
    let empty = Draft::about_none().words(" ").finish();
    assert!(matches!(hand(&at, &empty, &patience()).await, Handed::NotTaken { .. }));
    assert!(served.try_recv().is_err());
}
