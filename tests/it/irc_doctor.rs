//! `doctor` for IRC: each way is proven, and nobody is disturbed by it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::irc_network::network::{CHANNEL, PASSWORD, Person, RealNetwork};
use crate::irc_watch::today;
use crate::server::Server;
use crate::tcpircbot::{all_of, listen};

/// What the checks of IRC are, each with its outcome and what it says.
fn checked(server: &Server) -> (i32, Vec<(String, String, String)>) {
    let output = server.phabgate().args(["doctor", "--format", "json"]).output().unwrap();
    let read: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = read["checks"].as_array().unwrap().iter().filter(|check| text(check, "name").starts_with("irc:"));
    let said = |check: &Value| format!("{}; {}", text(check, "message"), text(check, "hint"));
    let checks = checks.map(|check| (text(check, "name"), text(check, "outcome"), said(check)));
    (output.status.code().unwrap(), checks.collect())
}

fn outcomes(checks: &[(String, String, String)]) -> Vec<(&str, &str)> {
    checks.iter().map(|(name, outcome, _)| (name.as_str(), outcome.as_str())).collect()
}

fn password(directory: &Path, password: &str) -> PathBuf {
    let path = directory.join("irc-password");
    std::fs::write(&path, format!("{password}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn configure(server: &Server, text: &str) {
    let path = server.machine.home().join("config.toml");
    std::fs::write(path, format!("[http]\ntotal = \"20s\"\n{text}")).unwrap();
}

#[test]
fn a_tcpircbot_takes_a_connection_and_is_handed_nothing() {
    let server = Server::new();
    let (at, handed) = listen(|stream| all_of(&stream));
    configure(&server, &format!("[irc]\ntcpircbot = \"{at}\"\n"));
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)), (0, vec![("irc:tcpircbot", "pass")]), "{checks:?}");
    assert_eq!(handed.recv().unwrap(), "");
    assert!(handed.try_recv().is_err());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    configure(&server, &format!("[irc]\ntcpircbot = \"{free}\"\n"));
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)), (1, vec![("irc:tcpircbot", "fail")]), "{checks:?}");
    // A bot that cannot be reached, and one whose password nobody has.
    configure(&server, &format!("[irc]\nserver = \"{free}\"\ntls = false\n"));
    let (code, checks) = checked(&server);
    // Nobody is listed, so that nobody could answer.
    assert_eq!((code, outcomes(&checks)), (1, vec![("irc:network", "fail"), ("irc:members", "warn")]), "{checks:?}");
    let none = server.machine.home().join("none");
    let account = format!("account = \"phabgate\"\npassword_file = {none:?}\n");
    configure(&server, &format!("[irc]\nserver = \"{free}\"\ntls = false\n{account}"));
    let (code, checks) = checked(&server);
    assert!(code == 1 && checks[0].2.contains("cannot use `irc.password_file`"), "{checks:?}");
}

/// A watch that says so of whether it asks; without a word it says nothing of it.
fn watch(asks: Option<&'static str>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            // As a server answers what is no HTTP.
            if !reader.fill_buf().unwrap().starts_with(b"GET /healthz HTTP/1.1\r\n") {
                write!(&stream, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
                continue;
            }
            reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let asks = asks.map(|asks| format!("Phabgate-Asks: {asks}\r\n")).unwrap_or_default();
            write!(&stream, "HTTP/1.1 200 OK\r\n{asks}Content-Length: 6\r\nConnection: close\r\n\r\nalive\n").unwrap();
        }
    });
    url
}

#[test]
fn it_is_said_whether_the_bot_of_the_running_watch_is_in_its_channel() {
    let server = Server::new();
    let (at, _handed) = listen(|stream| all_of(&stream));
    let of = |url: &str, irc: &str| {
        configure(&server, &format!("[watch]\nurl = \"{url}\"\n{irc}"));
        let (code, checks) = checked(&server);
        assert_eq!(code, 0, "{checks:?}");
        checks.into_iter().find(|(name, ..)| name == "irc:watch").unwrap()
    };
    let irc = format!("[irc]\ntcpircbot = \"{at}\"\n");
    let (_, outcome, said) = of(&watch(Some("yes")), &irc);
    assert!(outcome == "pass" && said.contains("is on IRC, and asks people in its channel"), "{said}");
    let (_, outcome, said) = of(&watch(Some("no")), &irc);
    assert!(
        outcome == "warn" && said.contains("its bot is in no channel, or may not speak there: nobody is asked on IRC"),
        "{said}"
    );
    assert!(said.contains("ask in the channel yourself, with what `phabgate announce TASK` prints"), "{said}");
    // Here nothing says that it has a bot.
    let (_, outcome, said) = of(&watch(Some("no")), "");
    assert!(outcome == "pass" && said.contains("asks nobody on IRC"), "{said}");
    let (_, outcome, said) = of(&watch(None), &irc);
    assert!(outcome == "pass" && said.contains("is on IRC is not shown"), "{said}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, outcome, said) = of(&format!("http://{free}/"), &irc);
    assert!(outcome == "warn" && said.contains("does not answer (connection refused)"), "{said}");
    let secure = watch(Some("yes")).replace("http:", "https:");
    let (_, outcome, said) = of(&secure, &irc);
    assert!(outcome == "warn" && said.contains("speaks no TLS: the port is one for http://"), "{said}");
}

#[test]
fn a_network_is_tried_under_another_nick_and_each_account_is_asked_about() {
    let Some(mut network) = RealNetwork::start() else { return };
    network.register(&["phabgate", "sre1", "late"]);
    // The bot at work, and somebody who looks on.
    let mut bot = Person::new(&network, "phabgate", Some("phabgate"));
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));
    let server = Server::new();
    let file = password(server.machine.home(), PASSWORD);
    let listed = |name: &str, account: &str, since: &str| {
        format!("[irc.accounts.{name}]\naccount = \"{account}\"\nsince = \"{since}\"\n")
    };
    let today = today().to_string();
    let table = format!(
        "[irc]\nserver = \"localhost:{}\"\nca = {:?}\nchannels = [\"{CHANNEL}\"]\naccount = \"phabgate\"\npassword_file = {file:?}\n",
        network.tls,
        network.authority(),
    );
    let accounts = [
        listed("sre1", "sre1", &today),
        listed("late", "sre2", "2020-01-01"),
        listed("nobody", "releng1", &today),
        listed("phabgate", "nosuch", &today),
    ];
    configure(&server, &format!("{table}{}", accounts.concat()));
    let (code, checks) = checked(&server);
    assert_eq!(
        (code, outcomes(&checks)),
        (
            1,
            vec![
                ("irc:network", "pass"),
                ("irc:capabilities", "pass"),
                ("irc:login", "pass"),
                ("irc:channel:#ops", "pass"),
                ("irc:account:sre1", "pass"),
                ("irc:account:late", "fail"),
                ("irc:account:nobody", "fail"),
                ("irc:account:phabgate", "fail"),
                ("irc:members", "warn"),
            ]
        ),
        "{checks:?}"
    );
    let said = |name: &str| &checks.iter().find(|check| check.0 == name).unwrap().2;
    assert!(
        said("irc:capabilities").contains("account-tag, cap-notify, echo-message, message-tags, sasl, server-time"),
        "{checks:?}"
    );
    assert!(said("irc:account:late").contains("after it was listed (2020-01-01)"), "{checks:?}");
    assert!(said("irc:account:nobody").contains("take `irc.accounts.nobody` away, until releng1 has registered it"));
    assert!(said("irc:account:phabgate").contains("knows no account nosuch"), "{checks:?}");
    assert!(said("irc:members").contains("can answer on IRC: sre1; nobody of releng, security"), "{checks:?}");
    // Nobody saw it, and the bot is who it was.
    bot.say("still here");
    let seen = sre1.until("still here");
    assert!(seen.contains(":phabgate!") && seen.contains("account=phabgate"), "{seen}");
    for word in ["pg-doctor", "QUIT", "NICK ", "KILL"] {
        assert_eq!(sre1.count(word) + bot.count(word), 0, "{word}");
    }

    // A password that is wrong, and a network that is away.
    password(server.machine.home(), "wrong-horse");
    configure(&server, &table);
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)[2]), (1, ("irc:login", "fail")), "{checks:?}");
    assert!(!format!("{checks:?}").contains("wrong-horse"));
    assert!(checks[2].2.contains("the services refuse the password"), "{checks:?}");
    assert!(checks[2].2.contains("put the password of the services account that `irc.account` names"), "{checks:?}");
    network.stop_services();
    configure(&server, &format!("{table}{}", accounts[0]));
    let (_, checks) = checked(&server);
    assert_eq!(
        outcomes(&checks)[2..],
        [("irc:login", "fail"), ("irc:channel:#ops", "pass"), ("irc:account:sre1", "warn"), ("irc:members", "warn")],
        "{checks:?}"
    );
    network.stop_server();
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)[0]), (1, ("irc:network", "fail")), "{checks:?}");
}

#[test]
fn what_keeps_the_bot_out_of_its_channel_is_seen_without_joining_it_and_a_port_without_tls_is_named() {
    let Some(network) = RealNetwork::start() else { return };
    let server = Server::new();
    let set_up = |port: u16| {
        let authority = network.authority();
        configure(
            &server,
            &format!("[irc]\nserver = \"localhost:{port}\"\nca = {authority:?}\nchannels = [\"{CHANNEL}\"]\n"),
        );
    };
    set_up(network.tls);
    let channel = || {
        let (_, checks) = checked(&server);
        checks.into_iter().find(|check| check.0 == "irc:channel:#ops").unwrap()
    };
    let (_, outcome, said) = channel();
    assert!(outcome == "warn" && said.contains("shows no channel #ops: nobody is in it, or it is secret"), "{said}");
    let mut sre1 = Person::new(&network, "sre1", None);
    for (modes, words) in [
        ("+i", "#ops is invite-only (+i): perhaps the bot may not join it"),
        ("-i+k sesame", "#ops has a key (+k), which the bot does not know"),
        ("-k+R sesame", "lets in nobody who is not logged in, and the bot has no account"),
    ] {
        sre1.send(&format!("MODE {CHANNEL} {modes}"));
        sre1.until(" MODE ");
        let (_, outcome, said) = channel();
        assert!(outcome == "warn" && said.contains(words), "{modes}: {said}");
    }
    assert_eq!(sre1.count("pg-doctor"), 0, "{:?}", sre1.seen());

    set_up(network.plain);
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)[0]), (1, ("irc:network", "fail")), "{checks:?}");
    assert!(checks[0].2.contains("name its port with TLS in `irc.server`, which often is 6697"), "{checks:?}");
    assert!(checks[0].2.contains("; write the port with TLS into `irc.server`"), "{checks:?}");

    // And the other way round.
    configure(
        &server,
        &format!("[irc]\nserver = \"localhost:{}\"\ntls = false\nchannels = [\"{CHANNEL}\"]\n", network.tls),
    );
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)[0]), (1, ("irc:network", "fail")), "{checks:?}");
    assert!(checks[0].2.contains("; if the port in `irc.server` speaks TLS, take `irc.tls = false` out"), "{checks:?}");
}
