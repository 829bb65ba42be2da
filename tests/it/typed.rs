//! What people type and paste: the task in every shape, and slips that are answered with what was meant.

use super::server::{Server, in_one_line};

#[test]
fn a_pasted_task_is_taken_and_named() {
    let server = Server::new();
    let url = format!("{}T1", server.running.url);
    let host = url.trim_start_matches("http://").to_owned();
    for text in ["T1", "t1", "#T1", url.as_str()] {
        let (code, out, error) = server.run(&["check", text]);
        assert_eq!(code, 0, "{text}: {error}");
        assert!(out.contains("T1") && error.is_empty(), "{text}: {out}{error}");
    }
    for text in
        ["T1.", "T1,", "(T1)", ">T1", "T1#5678", &format!("<{url}>"), &format!("{url},"), &format!("{url}#12."), &host]
    {
        for command in ["check", "history"] {
            let (code, out, error) = server.run(&[command, text]);
            assert_eq!(code, 0, "{text}: {error}");
            assert!(out.contains("T1"), "{text}: {out}");
            assert!(in_one_line(&error).ends_with("\" is taken as T1"), "{text}: {error}");
        }
    }
    let (code, _, error) = server.run(&["run", "<T1>,", "--deployer", "deployer1", "--", "true"]);
    assert_eq!(code, 0, "{error}");
    assert_eq!(server.records(1).len(), 2);
}

#[test]
fn what_is_not_surely_a_task_is_refused_with_what_was_meant() {
    let server = Server::new();
    for (text, hint) in [
        ("1", "did you mean T1?"),
        ("T01", "did you mean T1?"),
        ("T1 5xx everywhere", "did you mean T1?"),
        ("T1,T2", "name one task: T1 or T2"),
        ("D1", "name one task, such as T1234"),
        ("https://other.example/T1", "check the address"),
        ("other.example/T1", "check the address"),
    ] {
        let (code, out, error) = server.run(&["check", text]);
        assert_eq!((code, out.as_str()), (2, ""), "{text}: {error}");
        assert!(error.contains(&format!("hint: {hint}")), "{text}: {error}");
        let (code, _, error) = server.run(&["run", text, "--", "true"]);
        assert_eq!(code, 125, "{text}: {error}");
    }
}

#[test]
fn a_slip_of_the_command_line_is_answered_with_what_was_meant() {
    let server = Server::new();
    for (arguments, hint) in [
        (&["T5"][..], "type `phabgate check T5`"),
        (&["--sandbox", "t5"], "type `phabgate --sandbox check t5`"),
        (&["check", "T1", "--wait", "30min5"], "write --wait=30min5"),
        (&["record", "T1", "--finished", "25:14"], "write --finished=25:14"),
        (&["record", "T1", "--finished", "2026-11-31 03:14"], "write --finished='2026-11-31 03:14'"),
    ] {
        let (code, out, error) = server.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(in_one_line(&error).contains(hint), "{arguments:?}: {error}");
    }
    // Behind a blank a time is a time.
    let (code, _, error) = server.run(&["check", "--wait", "1s", "T1"]);
    assert_eq!(code, 0, "{error}");
    let (code, out, error) = server.run(&[
        "record",
        "T1",
        "--started",
        "2026-08-09T03:14Z",
        "--finished",
        "now",
        "--yes",
        "--format",
        "json",
    ]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("\"finished\": \""), "{out}");
    for arguments in [&["help"][..], &["help", "check"], &["help", "outbox", "flush"], &["outbox", "help"]] {
        let (code, out, error) = server.run(arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains("\nUsage: phabgate"), "{arguments:?}: {out}");
    }
    let (code, _, error) = server.run(&["-vv", "check", "T1"]);
    assert_eq!(code, 0, "{error}");
    assert!(error.contains("method=\"maniphest.search\""), "{error}");
}

#[test]
fn the_url_of_a_page_is_answered_with_that_of_the_server() {
    let server = Server::new();
    for page in ["api/", "api", "T1", "maniphest/task/edit/1/", "conduit/"] {
        let url = format!("{}{page}", server.running.url);
        let (code, out, error) = server.run(&["check", "T1", "--url", &url]);
        assert_eq!((code, out.as_str()), (2, ""), "{page}: {error}");
        let said = format!("`http://sandbox/{page}` is a page of the server: write its base, `http://sandbox/`");
        assert!(in_one_line(&error).contains(&said), "{page}: {error}");
    }
}
