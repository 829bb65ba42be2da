//! What every mistake in the configuration is told: where it stands, and what is to be there.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::config_file::{Machine, settings};

/// Every mistake and the words for it, read by a person in the snapshot.
#[test]
fn every_mistake_is_told_where_it_stands() {
    let team = "[policy.teams.sre]\nproject = \"sre\"\n";
    let sre = format!("[policy]\nrequired = [\"sre\"]\n{team}");
    let cases: &[(&str, String)] = &[
        ("not TOML", "url = https://x\n".into()),
        ("a key twice", "[policy]\ntag = \"a\"\ntag = \"b\"\n".into()),
        ("an unknown key near a known one", "[policy]\nmax-age = \"12h\"\n".into()),
        ("an unknown key", "colour = true\n".into()),
        ("an unknown table", "[polcy]\ntag = \"a\"\n".into()),
        ("an unknown key of a team", format!("{sre}needs = 2\n")),
        ("a token", "token = \"api-abcdefghijklmnopqrstuvwxyz23\"\n".into()),
        ("a wrong type", "[policy]\nself_approval = \"no\"\nmax_age = 12\nrequired = \"sre\"\n".into()),
        ("a day without quotes", "[irc.accounts.alice]\naccount = \"Alice\"\nsince = 2026-11-28\n".into()),
        ("a number in a list", "[policy]\nrequired = [\"sre\", 1]\n".into()),
        ("a value for a table", "policy = 1\n".into()),
        ("a duration", "[policy]\nmax_age = \"soon\"\nfollow_up = \"1 month\"\n".into()),
        ("no time at all", "[policy]\nmax_age = \"0h\"\n".into()),
        ("a hashtag", "[policy]\ntag = \"emergency deployment\"\n".into()),
        ("a custom field", "[policy]\nfield = \"emergency.reason\"\n".into()),
        ("a username", "[policy]\nrecorders = [\"@phabgate\"]\n".into()),
        ("a space", "[policy]\nopen_spaces = [\"S1\"]\n".into()),
        ("the same twice", "[policy]\nrequired = [\"sre\", \"sre\"]\n".into()),
        ("an invisible character", "[policy]\ntag = \"a\\u202eb\"\n".into()),
        ("an unknown word", "[policy]\naccept = [\"verifed\"]\n".into()),
        ("no approval counts", "[policy]\naccept = []\n".into()),
        ("a yes of no witness", "[policy]\naccept = [\"verified\", \"witnessed\"]\n".into()),
        ("a witness that is a recorder", "[policy]\nwitnesses = [\"heard\", \"Phabgate\"]\n".into()),
        ("nobody is required", "[policy]\nrequired = []\n".into()),
        ("an unknown team", "[policy]\nrequired = [\"releng\", \"ser\"]\n".into()),
        ("an unknown team of a reason", "[policy.reasons.outage]\nteams = [\"dba\"]\n".into()),
        ("teams without the built-in ones", team.into()),
        ("no teams", "[policy]\nrequired = [\"sre\"]\n[policy.teams]\n".into()),
        ("no reasons", "[policy.reasons]\n".into()),
        ("a need of nobody", format!("{sre}need = 0\n[policy.reasons.outage]\n")),
        ("a need of more people than there are", format!("{sre}need = 4000000000\n[policy.reasons.outage]\n")),
        ("a need of minus one", format!("{sre}need = -1\n[policy.reasons.outage]\n")),
        ("a need of the informed", format!("{sre}role = \"inform\"\nneed = 1\n[policy.reasons.outage]\n")),
        ("required, and only informed", format!("{sre}role = \"inform\"\n[policy.reasons.outage]\n")),
        (
            "a team without people",
            "[policy]\nrequired = [\"sre\"]\n[policy.teams.sre]\ntitle = \"SRE\"\n[policy.reasons.outage]\n".into(),
        ),
        ("a role", format!("{sre}role = \"approver\"\n")),
        ("the key of a team", "[policy.teams.\"Site Reliability\"]\nproject = \"sre\"\n".into()),
        ("an action without anybody", "[policy.actions]\nrollback = []\n".into()),
        ("an unknown action", "[policy.actions]\nroll-back = [\"sre\"]\n".into()),
        (
            "two reasons, one word",
            "[policy.reasons.outage]\naliases = [\"Site Down\"]\n[policy.reasons.site-down]\n".into(),
        ),
        (
            "two teams, one word",
            format!("{sre}[policy.teams.ops]\nproject = \"ops\"\ntitle = \"SRE\"\n[policy.reasons.outage]\n"),
        ),
        ("an alias that cannot be written", "[policy.reasons.outage]\naliases = [\"a, b\"]\n".into()),
        ("a pattern", "[record]\nmask = ['(', 'x*']\n".into()),
        ("a short settle", "url = \"https://phab.example/\"\n[record]\nsettle = \"10s\"\n".into()),
        ("a URL in clear", "url = \"http://phab.example/\"\n".into()),
        ("a URL with a password", "url = \"https://me:secret@phab.example/\"\n".into()),
        ("a relative directory", "state = \"~/state\"\n".into()),
        ("a proxy", "[http]\nproxy = \"none\"\n".into()),
        ("a log", "[log]\nsystem = \"syslog\"\n".into()),
        ("an empty text", "[contact]\nescalation = \" \"\n".into()),
        ("a deployer", "[deployers]\nalice = \"@Alice\"\nbob = 1\n".into()),
    ];
    let mut told = String::new();
    for (name, text) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(!error.contains("api-abc") && !error.contains("secret@"), "{error}");
        write!(told, "## {name}\n{error}\n\n").unwrap();
    }
    insta::assert_snapshot!(told);
}

/// The mistakes in who is paged and who is on call, and what is said of each.
#[test]
fn every_mistake_about_paging_is_told_where_it_stands() {
    let cases = [
        ("[paging]\nalertmanager = \"http://am.example/\"", "paging.alertmanager", "for everybody to read"),
        ("[paging]\nalertmanager = \"https://am.example/api/v2/\"", "paging.alertmanager", "without /api"),
        (
            "[paging]\nalertmanager = \"https://me:pass@am.example/\"",
            "paging.alertmanager",
            "holds a name or a password",
        ),
        ("[paging]\nfor = [\"@alice\"]", "paging.for", "write it without the @"),
        ("[paging]\npage_after = \"40m\"", "paging.page_after", "the next stage has to come after the first page"),
        ("[paging]\nescalate_after = \"5m\"", "paging.escalate_after", "the next stage has to come after"),
        ("[paging]\nack_fr = \"5m\"", "paging.ack_fr", "did you mean `ack_for`?"),
        ("[paging]\ndrills = \"no\"", "paging.drills", "expected true or false"),
        ("[paging.webhook]\nurl = \"https://pager.example/\"", "paging.webhook", "has no `secret`"),
        ("[paging.webhook]\nsecret = \"/s\"", "paging.webhook", "has no `url`"),
        (
            "[paging.webhook]\nurl = \"https://pager.example/\"\nsecret = \"s\"",
            "paging.webhook.secret",
            "absolute path",
        ),
        ("[oncall.srre]\nfile = \"/f\"", "oncall.srre", "did you mean `sre`?"),
        ("[oncall.sre]", "oncall.sre", "says nowhere who is on call"),
        ("[oncall.sre]\nfile = \"/f\"\ncommand = [\"/c\"]", "oncall.sre", "has both"),
        ("[oncall.sre]\ncommand = \"/c sre\"", "oncall.sre.command", "expected a list of strings"),
        ("[oncall.sre]\ncommand = []", "oncall.sre.command", "names no program"),
        ("[oncall.sre]\ncommand = [\"on-call\", \"sre\"]", "oncall.sre.command", "is not an absolute path"),
    ];
    for (text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(key) && error.contains(words) && !error.contains("me:pass@"), "{text}: {error}");
    }
    let read = settings("[oncall.sre]\ncommand = [\"/usr/bin/on-call\", \"-v\", \"-v\"]");
    assert!(!read.paging.has_pager(), "nothing is contacted that is not configured");
    assert_eq!(read.paging.on_call.len(), 1);
}

/// The mistakes in what the watch is set up with, and what is said of each.
#[test]
fn every_mistake_about_the_watch_is_told_where_it_stands() {
    let digest = "0f".repeat(32);
    let token = |lines: &str| format!("[serve.tokens.ci]\nsha256 = \"{digest}\"\n{lines}");
    let serve = |line: &str| format!("[serve]\n{line}\n");
    let cases: &[(&str, String, &str, &str)] = &[
        (
            "a path in the URL",
            serve("url = \"https://watch.example/x\""),
            "serve.url",
            "is not the URL of a host alone",
        ),
        ("no URL", serve("url = \"watch.example\""), "serve.url", "is not a URL"),
        ("an address without a port", serve("listen = \"127.0.0.1\""), "serve.listen", "is not an address with a port"),
        ("a misspelt notice", serve("notices = [\"redy\"]"), "serve.notices", "did you mean `ready`?"),
        ("no time", serve("notice_window = \"0s\""), "serve.notice_window", ""),
        ("a relative file", serve("webhook_keys = \"keys\""), "serve.webhook_keys", "is not an absolute path"),
        ("the name of a proxy", serve("trusted_proxies = [\"proxy\"]"), "serve.trusted_proxies", "is not an address"),
        (
            "a mode for everybody",
            serve("socket = \"/s\"\nsocket_mode = \"0666\""),
            "serve.socket_mode",
            "be a trusted proxy",
        ),
        ("no mode", serve("socket = \"/s\"\nsocket_mode = \"rw\""), "serve.socket_mode", "is not the mode of a file"),
        (
            "a mode for nobody",
            serve("socket = \"/s\"\nsocket_mode = \"0060\""),
            "serve.socket_mode",
            "shut the service itself out",
        ),
        ("the mode of no socket", serve("socket_mode = \"0660\""), "serve.socket_mode", "is the mode of no socket"),
        (
            "a header with a blank",
            serve("identity_header = \"X User\""),
            "serve.identity_header",
            "is not the name of a header",
        ),
        (
            "an identity without a secret",
            serve("identity_header = \"X-User\""),
            "serve.identity_header",
            "set `identity_secret` too",
        ),
        (
            "an identity of no proxy",
            serve("identity_header = \"X-User\"\nidentity_secret = \"/secret\""),
            "serve.identity_header",
            "name the address of the proxy in `trusted_proxies`",
        ),
        ("a URL for all to read", serve("url = \"http://watch.example/\""), "serve.url", "for everybody to read"),
        (
            "a token of two names",
            format!(
                "[serve.tokens.a]\nsha256 = \"{0}\"\nscopes = [\"read\"]\n[serve.tokens.b]\nsha256 = \"{0}\"\nscopes = [\"read\"]\n",
                "ab".repeat(32)
            ),
            "serve.tokens.b.sha256",
            "is the token of another name too",
        ),
        ("a viewer with an @", serve("viewers = [\"@alice\"]"), "serve.viewers", "write it without the @"),
        ("an unknown key", serve("lisen = \"127.0.0.1:1\""), "serve.lisen", "did you mean `listen`?"),
        ("the name of a token", "[serve.tokens.\"my token\"]\n".into(), "serve.tokens", "cannot be a key"),
        (
            "a token without a digest",
            "[serve.tokens.ci]\nscopes = [\"read\"]\n".into(),
            "serve.tokens.ci",
            "has no `sha256`",
        ),
        (
            "a token in the place of its digest",
            "[serve.tokens.ci]\nsha256 = \"the-token-itself\"\nscopes = [\"read\"]\n".into(),
            "serve.tokens.ci.sha256",
            "is no SHA-256",
        ),
        ("a token for nothing", token(""), "serve.tokens.ci", "has no `scopes`"),
        (
            "an unknown scope",
            token("scopes = [\"write\"]\n"),
            "serve.tokens.ci.scopes",
            "known here are `read` and `deploy`",
        ),
        ("a pipeline for anybody", token("scopes = [\"deploy\"]\n"), "serve.tokens.ci", "has no `deployers`"),
        (
            "an unknown key of a token",
            token("scopes = [\"read\"]\nuser = \"a\"\n"),
            "serve.tokens.ci.user",
            "unknown key",
        ),
        (
            "a watch in clear",
            "[watch]\nurl = \"http://watch.example/\"\n".into(),
            "watch.url",
            "would send the token in clear",
        ),
        ("another key of the watch", "[watch]\ntoken = \"x\"\n".into(), "watch.token", ""),
    ];
    for (name, text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(&format!("error: {key}")) && error.contains(words), "{name}: {error}");
        assert!(error.contains(" = help: ") && error.contains("/etc/phabgate/config.toml:"), "{name}: {error}");
    }
}

/// The mistakes in what IRC is set up with. What the bot alone has a use for is read where there is one.
#[cfg(feature = "serve")]
#[test]
fn every_mistake_about_irc_is_told_where_it_stands() {
    let irc = |lines: &str| format!("[irc]\n{lines}\n");
    let alice = |lines: &str| format!("[irc.accounts.alice]\n{lines}\n");
    let cases: &[(&str, String, &str, &str)] = &[
        (
            "no port",
            irc("tcpircbot = \"tcpircbot.example\""),
            "irc.tcpircbot",
            "is not a host with a port: it names no port",
        ),
        ("a URL", irc("server = \"ircs://irc.example:6697\""), "irc.server", "it names no host"),
        ("a port too high", irc("server = \"irc.example:70000\""), "irc.server", "no port from 1 to 65535"),
        (
            "plain text",
            irc("server = \"irc.example:6667\"\ntls = false"),
            "irc.tls",
            "irc.example:6667 is not this machine",
        ),
        ("a relative file", irc("ca = \"ca.pem\""), "irc.ca", "is not an absolute path"),
        ("a nick with a blank", irc("nick = \"phab gate\""), "irc.nick", "is not a nick"),
        ("a channel without its mark", irc("channels = [\"operations\"]"), "irc.channels", "is not a channel"),
        (
            "a channel with a key",
            irc("channels = [\"#ops key\"]"),
            "irc.channels",
            "a channel with a key is not supported",
        ),
        ("two channels in one", irc("channels = [\"#a,#b\"]"), "irc.channels", "is not a channel"),
        (
            "an account without proof",
            irc("server = \"irc.example:6697\"\naccount = \"a\""),
            "irc.account",
            "name a file in `password_file`",
        ),
        (
            "an account of nowhere",
            irc("account = \"a\"\npassword_file = \"/p\""),
            "irc.account",
            "belongs to no network",
        ),
        ("a password of nobody", irc("password_file = \"/p\""), "irc.password_file", "name the services account"),
        (
            "a certificate without TLS",
            irc("server = \"localhost:6667\"\ntls = false\naccount = \"a\"\ncertificate_file = \"/c\""),
            "irc.certificate_file",
            "is shown over TLS alone",
        ),
        (
            "a password in the place of its file",
            irc("password_file = \"correct-horse\""),
            "irc.password_file",
            "put what is secret into it",
        ),
        (
            "a password",
            irc("password = \"correct-horse\""),
            "irc.password",
            "a password never stands in the configuration",
        ),
        ("another key", irc("chanels = [\"#a\"]"), "irc.chanels", "did you mean `channels`?"),
        (
            "an account that stands for nobody",
            alice("since = \"2026-11-28\""),
            "irc.accounts.alice",
            "has no `account`",
        ),
        ("an account without a day", alice("account = \"Alice\""), "irc.accounts.alice", "has no `since`"),
        (
            "a day to come",
            alice("account = \"Alice\"\nsince = \"2999-01-01\""),
            "irc.accounts.alice.since",
            "2999-01-01 is in the future",
        ),
        ("no day", alice("account = \"Alice\"\nsince = \"today\""), "irc.accounts.alice.since", "is not a day"),
        (
            "an account with an @",
            alice("account = \"@Alice\"\nsince = \"2026-11-28\""),
            "irc.accounts.alice.account",
            "write it without the @",
        ),
        (
            "no account",
            "[irc.accounts.\"a b\"]\naccount = \"A\"\nsince = \"2026-11-28\"\n".into(),
            "irc.accounts",
            "is not a services account",
        ),
        (
            "an account twice",
            format!(
                "{0}[irc.accounts.ALICE]\naccount = \"Bob\"\nsince = \"2026-11-28\"\n",
                alice("account = \"Alice\"\nsince = \"2026-11-28\"")
            ),
            "irc.accounts.ALICE",
            "case means nothing on IRC",
        ),
    ];
    for (name, text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(&format!("error: {key}")) && error.contains(words), "{name}: {error}");
        assert!(error.contains(" = help: ") && error.contains("/etc/phabgate/config.toml:"), "{name}: {error}");
        assert!(!error.contains("correct-horse"), "{name}: {error}");
    }
}

/// What is wrong around the file.
#[test]
fn a_file_or_variable_that_cannot_be_used_is_named() {
    let mut told = String::new();
    let mut tell = |name: &str, prepare: &dyn Fn(&mut Machine)| {
        let mut machine = Machine::new();
        prepare(&mut machine);
        writeln!(told, "{name}: {}", machine.error()).unwrap();
    };
    tell("flag, no file", &|machine| machine.flags.config = Some(machine.path("none.toml")));
    tell("variable, no file", &|machine| machine.set("PHABGATE_CONFIG", machine.path("none.toml")));
    tell("empty flag", &|machine| machine.flags.config = Some(PathBuf::new()));
    tell("empty variable", &|machine| machine.set("PHABGATE_CONFIG", ""));
    tell("empty url", &|machine| machine.flags.url = Some(String::new()));
    tell("empty url variable", &|machine| machine.set("PHABGATE_URL", ""));
    tell("url", &|machine| machine.flags.url = Some("phab.example".to_owned()));
    tell("url variable", &|machine| machine.set("PHABGATE_URL", "http://phab.example"));
    tell("empty state", &|machine| machine.set("PHABGATE_STATE", ""));
    tell("relative state", &|machine| machine.set("PHABGATE_STATE", "state"));
    tell("directory", &|machine| machine.flags.config = Some(machine.path("home")));
    tell("dangling link", &|machine| {
        symlink("nowhere", machine.path("link")).unwrap();
        machine.flags.config = Some(machine.path("link"));
    });
    tell("not text", &|machine| {
        fs::write(machine.path("x.toml"), b"\xff").unwrap();
        machine.flags.config = Some(machine.path("x.toml"));
    });
    tell("too large", &|machine| machine.flags.config = Some(machine.write("x.toml", &"#\n".repeat(200_000))));
    tell("writable by all", &|machine| {
        let path = machine.write("x.toml", "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        machine.flags.config = Some(path);
    });
    insta::assert_snapshot!(told);
}
