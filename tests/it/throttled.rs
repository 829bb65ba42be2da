//! A server that asks to be called less often: it is waited for in each form in which it says so, within the time for a command.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::network::{Behind, Listener};
use super::server::{Server, in_one_line};

/// The sandbox behind a limit that turns the first calls of a method away, saying this in its head.
fn limited(
    server: &Server,
    method: &'static str,
    first: usize,
    says: impl Fn() -> String + Send + Sync + 'static,
) -> Listener {
    let (behind, seen) = (Behind::of(server), AtomicUsize::new(0));
    Listener::new(move |mut stream| {
        let Some((head, answer)) = behind.answer(&mut stream) else { return };
        let is_turned_away =
            head.starts_with(&format!("POST /api/{method} ")) && seen.fetch_add(1, Ordering::SeqCst) < first;
        let answer = match is_turned_away {
            true => {
                format!("HTTP/1.1 429 Too Many Requests\r\n{}Content-Length: 0\r\nConnection: close\r\n\r\n", says())
                    .into_bytes()
            }
            false => answer,
        };
        let _ = stream.write_all(&answer);
    })
}

fn check(server: &Server, limit: &Listener) -> (Option<i32>, String) {
    let url = format!("http://localhost:{}/", limit.port);
    let output = server.phabgate().args(["check", "T1"]).env("PHABGATE_URL", url).output().unwrap();
    (output.status.code(), in_one_line(&String::from_utf8_lossy(&output.stdout)))
}

/// A time as HTTP writes it.
fn http_date(time: jiff::Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap()
}

#[test]
fn a_limit_that_names_no_time_is_waited_for() {
    let server = Server::new();
    let limit = limited(&server, "maniphest.search", 2, String::new);
    let (code, said) = check(&server, &limit);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_limit_is_waited_for_more_often_than_a_fault_and_never_without_a_pause() {
    let server = Server::new();
    let config = server.machine.home().join("config.toml");
    std::fs::write(config, "[record]\nsettle = \"1s\"\n[http]\ntotal = \"30s\"\n").unwrap();
    let limit = limited(&server, "maniphest.search", 7, || "Retry-After: 0\r\n".to_owned());
    let begun = std::time::Instant::now();
    let (code, said) = check(&server, &limit);
    assert_eq!(code, Some(0), "{said}");
    assert!(begun.elapsed() >= std::time::Duration::from_millis(7 * 500), "half a second each at the least");
}

#[test]
fn a_limit_that_names_a_moment_is_waited_for_by_the_servers_clock() {
    let server = Server::new();
    // By the clock of this host the moment passed an hour ago.
    let limit = limited(&server, "maniphest.search", 2, || {
        let now = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
        let until = now + jiff::SignedDuration::from_secs(1);
        format!("Date: {}\r\nRetry-After: {}\r\n", http_date(now), http_date(until))
    });
    let (code, said) = check(&server, &limit);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_limit_without_an_end_ends_with_the_time_for_a_command() {
    let server = Server::new();
    for says in ["", "Retry-After: 3600\r\n", "Retry-After: soon\r\n"] {
        let limit = limited(&server, "maniphest.search", usize::MAX, || says.to_owned());
        let (code, said) = check(&server, &limit);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("the server asks to be called less often (HTTP 429)"), "{said}");
    }
}
