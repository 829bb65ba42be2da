//! `announce --send` and `request --send`: what they print is said in the channel once, as its readers may see it, and what became of it is
//! said.

use std::net::TcpListener;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use phabgate::irc::HostPort;
use serde_json::Value;

use crate::server::{Server, in_one_line};
use crate::tcpircbot::{all_of, listen};

/// A tcpircbot, and what it was handed.
fn tcpircbot() -> (HostPort, Receiver<String>) {
    listen(|stream| all_of(&stream))
}

/// Where nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Adds to the configuration.
fn configure(server: &Server, more: &str) {
    let path = server.machine.home().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text + more).unwrap();
}

/// What a command of this account prints: exit code, standard output, standard error.
fn run_as(server: &Server, account: &str, arguments: &[&str]) -> (i32, String, String) {
    let output = server.phabgate_as(account).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| server.tidy(std::str::from_utf8(bytes).unwrap());
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn view(server: &Server, task: u64, view: &str) {
    let change = |world: &mut phabgate::sandbox::World| {
        world.tasks.iter_mut().find(|known| known.id == task).unwrap().view = view.to_owned();
    };
    server.running.change(|world, _| change(world)).unwrap();
}

fn edits(server: &Server) -> usize {
    server.running.served().iter().filter(|call| call.method == "maniphest.edit").count()
}

#[test]
fn an_announcement_is_said_once_in_the_words_that_are_shown() {
    let server = Server::new();
    view(&server, 6, "public");
    let (at, handed) = tcpircbot();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    // Nobody wanted it.
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6", "--format", "json"]);
    assert_eq!((code, err.as_str(), &json(&out)["sent"]), (0, "", &Value::Null));

    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6", "--send"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let line = handed.recv().unwrap();
    let url = server.running.url.as_str();
    assert_eq!(
        line,
        format!(
            "<deployer1> both, sre1, sre2: help! I'd like to do an emergency deploy for data-loss -- context is {url}T6 -- to approve, \
             write there alone on a line \"Emergency-Approve: sre\" (as a comment)\n"
        )
    );
    assert!(out.starts_with(&format!("Sent through {at}:\n  {}\nTrain ", server.tidy(&line))), "{out}");
    assert!(!out.contains("Ask in "), "nobody is to ask twice: {out}");
    assert!(out.trim_end().lines().last().unwrap().starts_with("Next: "), "{out}");

    let need = ["announce", "T6", "--send", "--need-deployer", "--conductor", "releng2", "--format", "json"];
    let (code, out, _) = run_as(&server, "deployer1", &need);
    let (sent, line) = (json(&out)["sent"].clone(), handed.recv().unwrap());
    assert_eq!(
        (code, sent["outcome"].as_str(), sent["through"].as_str()),
        (0, Some("sent"), Some(at.to_string().as_str()))
    );
    assert_eq!(server.tidy(&line), format!("{}\n", sent["line"].as_str().unwrap()));
    assert!(
        line.starts_with("<deployer1> releng2, both, sre1, sre2: help! ")
            && line.contains(" -- I need someone to deploy -- ")
    );
    // The token of a recorder is nobody's in particular.
    assert_eq!(server.run(&["announce", "T6", "--send"]).0, 0);
    assert!(handed.recv().unwrap().starts_with("both, sre1, sre2: help! "));
    assert!(handed.try_recv().is_err());
}

#[test]
fn the_channel_is_shown_no_more_than_its_readers_may_see() {
    let server = Server::new();
    let (at, handed) = tcpircbot();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    // Everybody with an account sees it: its number, teams and names, and no text.
    let (code, out, _) = run_as(&server, "deployer1", &["announce", "T6", "--send"]);
    let line = handed.recv().unwrap();
    assert!(code == 0 && !out.contains("data-loss"), "{out}");
    assert!(
        line.starts_with("<deployer1> both, sre1, sre2: help! I'd like to do an emergency deploy -- context is "),
        "{line}"
    );
    // Fewer do: its number.
    let (code, out, err) = run_as(&server, "admin", &["announce", "T27", "--send", "--conductor", "releng2"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(handed.recv().unwrap(), "releng2: help! I'd like to do an emergency deploy -- context is T27\n");
    // Whoever does not see it says nothing of it.
    let (code, _, err) = run_as(&server, "sre1", &["announce", "T27", "--send"]);
    assert!(code == 1 && err.contains("T27 does not exist, or sre1 may not see it"), "{err}");
    // Who sees it is not known while the server does not answer.
    let broken = Server::broken(&["*:503"]);
    configure(&broken, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    let (code, out, _) = run_as(&broken, "deployer1", &["announce", "T6", "--send", "--conductor", "releng2"]);
    assert!(code == 3 && out.contains("\nSent through "), "{out}");
    assert_eq!(handed.recv().unwrap(), "releng2: help! I'd like to do an emergency deploy -- context is T6\n");
    assert!(handed.try_recv().is_err());
}

#[test]
fn a_request_is_said_with_the_link_to_the_change_and_who_deploys() {
    let server = Server::new();
    view(&server, 3, "public");
    let (at, handed) = tcpircbot();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n[announce]\nsend = true\n"));
    let open = [
        "request",
        "T3",
        "--reason",
        "outage",
        "5xx",
        "--deployer",
        "deployer1",
        "--action",
        "rollback",
        "--change",
        "https://gerrit.example/c/17",
        "--yes",
    ];
    let (code, out, err) = run_as(&server, "sre1", &open);
    assert_eq!((code, edits(&server)), (0, 1), "{out}{err}");
    let line = handed.recv().unwrap();
    assert!(line.starts_with("<sre1> "), "{line}");
    for said in [
        "help! I'd like to do an emergency deploy for availability -- context is ",
        "/T3 -- change: https://gerrit.example/c/17 -- I have someone to deploy: deployer1 -- to approve, write there",
    ] {
        assert!(line.contains(said), "{said}: {line}");
    }
    assert!(out.contains(&format!("\nSent through {at}:\n  <sre1> ")), "{out}");
    // What is set may be left out.
    let (code, out, _) = run_as(&server, "sre1", &[&open[..], &["--no-send", "--format", "json"]].concat());
    assert_eq!((code, &json(&out)["sent"]), (0, &Value::Null));
    assert!(handed.try_recv().is_err());
}

#[test]
fn who_is_on_call_is_called_and_where_that_cannot_be_read_the_team_is() {
    let server = Server::new();
    let (at, handed) = tcpircbot();
    let names = server.machine.home().join("on-call");
    std::fs::write(&names, "sre2\n").unwrap();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n[oncall.sre]\nfile = {names:?}\n"));
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6", "--send", "--format", "json"]);
    let call = json(&out);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(call["message"].as_str().unwrap().starts_with("sre2: help! "), "{call}");
    assert!(handed.recv().unwrap().starts_with("<deployer1> sre2: help! "));
    assert_eq!(call["on_call"], serde_json::json!([{"team": "sre", "people": ["sre2"], "note": null}]));
    std::fs::remove_file(&names).unwrap();
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6"]);
    assert!(code == 0 && out.contains("\n  both, sre1, sre2: help! "), "{out}");
    let err = in_one_line(&err);
    assert!(
        err.contains("warning: sre: who is on call cannot be read (") && err.contains("so the whole team is asked"),
        "{err}"
    );
}

#[test]
fn a_pending_check_calls_those_on_call_too_but_for_programs() {
    let server = Server::new();
    let names = server.machine.home().join("on-call");
    std::fs::write(&names, "sre2\n").unwrap();
    configure(&server, &format!("[oncall.sre]\nfile = {names:?}\n"));
    let check = ["check", "T6", "--deployer", "deployer1"];
    let (_, out, err) = run_as(&server, "deployer1", &check);
    assert!(out.contains("\n  sre2: help! ") && err.is_empty(), "{out}{err}");
    let (_, out, _) = run_as(&server, "deployer1", &[&check[..], &["--format", "json"]].concat());
    assert!(json(&out)["announcement"].as_str().unwrap().starts_with("both, sre1, sre2: help! "), "{out}");
    std::fs::remove_file(&names).unwrap();
    let (_, out, err) = run_as(&server, "deployer1", &check);
    assert!(out.contains("\n  both, sre1, sre2: help! "), "{out}");
    assert!(in_one_line(&err).contains("warning: sre: who is on call cannot be read ("), "{err}");
}

#[test]
fn a_line_that_was_not_taken_or_perhaps_not_is_reported_and_not_said_again() {
    let server = Server::new();
    configure(&server, &format!("[irc]\ntcpircbot = \"{}\"\n", nowhere()));
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6", "--send"]);
    assert_eq!(code, 3, "{err}");
    let words = in_one_line(&out);
    assert!(words.contains("NOT sent: no connection to 127.0.0.1:") && words.contains("Say it yourself."), "{out}");
    // A connection that breaks after it was accepted proves nothing.
    let (at, handed) = listen(|stream| {
        std::thread::sleep(Duration::from_millis(200));
        drop(stream);
    });
    let server = Server::new();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    let open = ["request", "T5", "--reason", "data-loss", "all saves are lost", "--send", "--format", "json"];
    let (code, out, err) = run_as(&server, "deployer1", &open);
    assert_eq!((code, edits(&server)), (3, 1), "{out}{err}");
    let sent = &json(&out)["sent"];
    assert_eq!(sent["outcome"], "unclear");
    assert!(
        sent["line"].as_str().unwrap().starts_with("<deployer1> ")
            && sent["why"].as_str().unwrap().contains("accepted")
    );
    handed.recv().unwrap();
    assert!(handed.recv_timeout(Duration::from_millis(300)).is_err(), "once");
}

#[test]
fn where_a_watch_asks_nothing_is_sent_and_one_that_is_not_there_is_named() {
    // Whatever answers is one that is there.
    let other = Server::new();
    let nowhere = "http://127.0.0.1:1/";
    for (table, watch) in
        [("serve", other.running.url.as_str()), ("watch", other.running.url.as_str()), ("watch", nowhere)]
    {
        let server = Server::new();
        let (at, handed) = tcpircbot();
        configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n[{table}]\nurl = \"{watch}\"\n"));
        let (code, out, err) = run_as(&server, "deployer1", &["announce", "T6", "--send"]);
        let (wanted, words) = match watch == nowhere {
            false => (0, format!(" Not sent: the watch at {watch} is to ask, which cannot be seen from here; ")),
            true => (3, format!(" NOT sent: the watch at {watch} is to ask, and it does not answer: ")),
        };
        assert_eq!(code, wanted, "{err}");
        assert!(format!(" {}", in_one_line(&out)).starts_with(words.trim_end()), "{out}");
        let ask = if watch == nowhere { "\nAsk in #" } else { "\nWhere it is not there, ask in #" };
        assert!(out.contains(ask), "{out}");
        let open = ["request", "T5", "--reason", "data-loss", "--send", "--format", "json"];
        let (code, out, err) = run_as(&server, "deployer1", &open);
        let sent = &json(&out)["sent"];
        assert_eq!((code, sent["outcome"].as_str(), sent["line"].as_str()), (wanted, Some("not-sent"), None), "{err}");
        assert!(handed.try_recv().is_err());
    }
}

/// Something on loopback that answers each request with a status and headers.
#[cfg(feature = "serve")]
fn answering(head: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            // Whoever does not want the answer any more does not get it.
            let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
        }
    });
    at
}

#[cfg(feature = "serve")]
#[test]
fn where_the_watch_with_a_bot_of_its_own_runs_it_asks_and_else_it_is_sent() {
    let bot = "server = \"irc.example:6697\"\nnick = \"phabgate\"\n";
    let send = ["announce", "T6", "--send"];
    let there = [
        (answering("200 OK\r\nPhabgate-Asks: yes\r\nPhabgate-Asked: yes"), true),
        (answering("200 OK\r\nPhabgate-Asks: no"), false),
        (answering("200 OK"), false),
        (nowhere(), false),
    ];
    for (listens, asks) in there {
        let server = Server::new();
        let (at, handed) = tcpircbot();
        configure(&server, &format!("[irc]\n{bot}tcpircbot = \"{at}\"\n[serve]\nlisten = \"{listens}\"\n"));
        let (code, out, err) = run_as(&server, "deployer1", &send);
        assert_eq!(code, 0, "{out}{err}");
        let words = if asks {
            format!("Nothing to paste: the watch at http://{listens}/ has asked in its channel.")
        } else {
            format!("Sent through {at}:")
        };
        assert!(in_one_line(&out).starts_with(&words), "{out}");
        assert_eq!(out.contains("help! I'd like"), !asks, "{out}");
        assert!(!out.contains("Ask in "), "{out}");
        assert_eq!(handed.try_recv().is_ok(), !asks);
    }
    // Of one that is named it is believed that it is not in its channel.
    let server = Server::new();
    let watch = answering("200 OK\r\nPhabgate-Asks: no");
    configure(&server, &format!("[watch]\nurl = \"http://{watch}/\"\n"));
    let (code, out, _) = run_as(&server, "deployer1", &send);
    assert!(
        code == 3
            && in_one_line(&out).contains("its bot is in no channel now, or may not speak there: its log says why"),
        "{out}"
    );
    // Nor is one believed to ask that has not: here for something that it never heard of. It may ask later, so nothing is sent.
    let server = Server::new();
    let (at, handed) = tcpircbot();
    let listens = answering("200 OK\r\nPhabgate-Asks: yes\r\nPhabgate-Asked: no");
    configure(&server, &format!("[irc]\n{bot}tcpircbot = \"{at}\"\n[serve]\nlisten = \"{listens}\"\n"));
    let (code, out, _) = run_as(&server, "deployer1", &send);
    assert!(code == 3 && in_one_line(&out).contains("it has not asked for 10 s: its log may say why"), "{out}");
    assert!(out.contains("\nAsk in #") && handed.try_recv().is_err(), "{out}");
    let server = Server::new();
    let watch = answering("200 OK\r\nPhabgate-Asks: yes\r\nPhabgate-Asked: no");
    configure(&server, &format!("[watch]\nurl = \"http://{watch}/\"\n"));
    let (code, out, _) = run_as(&server, "deployer1", &send);
    assert!(code == 3 && in_one_line(&out).contains("it has not asked for 10 s: its log may say why"), "{out}");
    let server = Server::new();
    configure(&server, &format!("[irc]\n{bot}[serve]\nlisten = \"{}\"\n", nowhere()));
    let (code, out, _) = run_as(&server, "deployer1", &send);
    let out = in_one_line(&out);
    assert!(code == 3 && out.contains("NOT sent: ") && out.contains("set `watch.url`. Say it yourself."), "{out}");
}

#[test]
fn nothing_is_asked_for_in_vain() {
    let server = Server::new();
    let (at, handed) = tcpircbot();
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    // Closed, and already approved.
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T22", "--send"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("\nNot sent: an approval would not be enough for the task as it is.\n"), "{out}");
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T1", "--send"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("\nNot sent: nothing is needed.\n"), "{out}");
    assert!(handed.try_recv().is_err());
    // Nor does a watch ask for it.
    let watched = Server::new();
    configure(&watched, &format!("[watch]\nurl = \"{}\"\n", watched.running.url));
    let (code, out, _) = run_as(&watched, "deployer1", &["announce", "T22", "--send"]);
    assert!(code == 1 && out.contains("\nNot sent: an approval would not be enough for the task as it is.\n"), "{out}");
    let (code, out, _) = run_as(&watched, "deployer1", &["announce", "T1", "--send", "--need-deployer"]);
    assert!(code == 3 && in_one_line(&out).contains("it asks for approvals, and for nobody who deploys"), "{out}");
    // Who deploys is needed all the same.
    let (code, out, err) = run_as(&server, "deployer1", &["announce", "T1", "--send", "--need-deployer"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(handed.recv().unwrap().ends_with(" -- I need someone to deploy\n"));
}

#[test]
fn with_nothing_configured_it_is_said_what_to_set_before_anything_is_done() {
    let server = Server::new();
    for command in
        [&["announce", "T6", "--send"][..], &["request", "T5", "--reason", "data-loss", "all saves are lost", "--send"]]
    {
        let (code, out, err) = run_as(&server, "deployer1", command);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        let err = in_one_line(&err);
        assert!(err.contains("nothing is configured through which the message could be sent"), "{err}");
        assert!(err.contains("set `tcpircbot` in the table [irc] of the configuration"), "{err}");
    }
    assert!(server.running.served().is_empty(), "the server was asked");
    // Set for good it is a mistake of the configuration.
    configure(&server, "[announce]\nsend = true\n");
    let (code, _, err) = run_as(&server, "deployer1", &["announce", "T6"]);
    let err = in_one_line(&err);
    assert!(code == 2 && err.contains("announce.send") && err.contains("name a tcpircbot in `irc.tcpircbot`"), "{err}");
    // Of the sandbox nobody anywhere hears.
    let config = server.machine.home().join("config.toml");
    std::fs::write(&config, "[irc]\ntcpircbot = \"tcpircbot.example:9200\"\n").unwrap();
    let command = ["--sandbox", "--config", config.to_str().unwrap(), "announce", "T6", "--send"];
    let output = server.machine.phabgate().args(command).output().unwrap();
    let err = in_one_line(&String::from_utf8(output.stderr).unwrap());
    assert!(output.status.code() == Some(2) && err.contains("the sandbox asks nobody"), "{err}");
}
