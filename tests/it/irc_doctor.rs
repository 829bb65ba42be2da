//! `doctor` for IRC: each way is proven, and nobody is disturbed by it.

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
    assert_eq!((code, outcomes(&checks)), (1, vec![("irc:network", "fail")]), "{checks:?}");
    let none = server.machine.home().join("none");
    let account = format!("account = \"phabgate\"\npassword_file = {none:?}\n");
    configure(&server, &format!("[irc]\nserver = \"{free}\"\ntls = false\n{account}"));
    let (code, checks) = checked(&server);
    assert!(code == 1 && checks[0].2.contains("cannot use `irc.password_file`"), "{checks:?}");
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
                ("irc:account:sre1", "pass"),
                ("irc:account:late", "fail"),
                ("irc:account:nobody", "fail"),
                ("irc:account:phabgate", "fail"),
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
    network.stop_services();
    configure(&server, &format!("{table}{}", accounts[0]));
    let (_, checks) = checked(&server);
    assert_eq!(outcomes(&checks)[2..], [("irc:login", "fail"), ("irc:account:sre1", "warn")], "{checks:?}");
    network.stop_server();
    let (code, checks) = checked(&server);
    assert_eq!((code, outcomes(&checks)), (1, vec![("irc:network", "fail")]), "{checks:?}");
}
