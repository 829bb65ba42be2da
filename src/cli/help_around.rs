//! What stands around a command: the variables that it reads, the files, and the other pages.
//!
//! Responsible for these words, in `--help` and the manual pages, and for which of them count for which command. Not responsible
//! for reading any of them (see [`crate::config`]).

/// Names, and what they say.
pub(super) type Named = (&'static str, &'static str);

const TOKEN: Named = ("PHABGATE_TOKEN_FILE", "the file that holds the token");
const TOKEN_ITSELF: Named = ("PHABGATE_TOKEN", "the token itself");
const CREDENTIALS: Named = ("CREDENTIALS_DIRECTORY", "where systemd puts phabgate-token");
const SERVER_TOKEN: Named = ("PHABGATE_SERVER_TOKEN_FILE", "the file that holds the watch's token");
const SERVER_TOKEN_ITSELF: Named = ("PHABGATE_SERVER_TOKEN", "that token itself");
const URL: Named = ("PHABGATE_URL", "the base URL of the server");
const CONFIG: Named = ("PHABGATE_CONFIG", "the configuration file");
const STATE: Named = ("PHABGATE_STATE", "the directory of the journal");
const PROXY: Named = ("HTTPS_PROXY, ALL_PROXY", "the proxy that leads to the server");
const NO_PROXY: Named = ("NO_PROXY", "hosts that are reached without it");
const AUTHORITIES: Named = ("SSL_CERT_FILE, SSL_CERT_DIR", "the certificate authorities to believe, in PEM");
const CACHE: Named = ("XDG_CACHE_HOME", "where the directory of the mirror is");
const LIKE: Named = ("PHABGATE_SANDBOX_LIKE", "the server version that the sandbox is like");
const LOOKS: Named = ("NO_COLOR, COLUMNS", "no colour; the width");
const BROWSER: Named = ("BROWSER", "the program that shows a task");
const ZONE: Named = ("TZ", "the time zone of times that name none");

const CONFIG_FILE: Named = ("/etc/phabgate/config.toml", "settings; phabgate/config.toml in ~/.config first");
const ENVIRONMENT_FILE: Named = ("/etc/phabgate/environment", "variables of the gate as root, and under sudo");
const ARCRC: Named = ("~/.arcrc", "the token that arc keeps, if no other is named");
const JOURNAL: Named = ("/var/lib/phabgate", "the journal; else ~/.local/state/phabgate");
const MIRROR: Named = ("~/.cache/phabgate", "the mirror; under sudo /var/cache/phabgate");

/// Everything, for the page of the command line as a whole.
const ALL: &[Named] = &[
    TOKEN,
    TOKEN_ITSELF,
    CREDENTIALS,
    SERVER_TOKEN,
    SERVER_TOKEN_ITSELF,
    URL,
    CONFIG,
    STATE,
    PROXY,
    NO_PROXY,
    AUTHORITIES,
    CACHE,
    LIKE,
    LOOKS,
    ZONE,
];
const WAITS: &[Named] = &[
    TOKEN,
    TOKEN_ITSELF,
    CREDENTIALS,
    SERVER_TOKEN,
    SERVER_TOKEN_ITSELF,
    URL,
    CONFIG,
    STATE,
    PROXY,
    NO_PROXY,
    AUTHORITIES,
    LOOKS,
];
const ASKS: &[Named] = &[TOKEN, TOKEN_ITSELF, CREDENTIALS, URL, CONFIG, STATE, PROXY, NO_PROXY, AUTHORITIES, LOOKS];
const ASKS_IN_TIME: &[Named] =
    &[TOKEN, TOKEN_ITSELF, CREDENTIALS, URL, CONFIG, STATE, PROXY, NO_PROXY, AUTHORITIES, LOOKS, ZONE];
const AUDITS: &[Named] =
    &[TOKEN, TOKEN_ITSELF, CREDENTIALS, URL, CONFIG, STATE, PROXY, NO_PROXY, AUTHORITIES, CACHE, LOOKS, ZONE];
const CHECKS_FILE: &[Named] = &[CONFIG, URL, STATE, PROXY, NO_PROXY, AUTHORITIES, LOOKS];
const LISTS: &[Named] = &[CONFIG, STATE, LOOKS];
const BROWSES: &[Named] = &[BROWSER, CONFIG, URL, LOOKS];
const PLAYS: &[Named] = &[STATE, LIKE, LOOKS];

const FILES_ALL: &[Named] = &[CONFIG_FILE, ENVIRONMENT_FILE, ARCRC, JOURNAL, MIRROR];
const FILES_ASKS: &[Named] = &[CONFIG_FILE, ENVIRONMENT_FILE, ARCRC, JOURNAL];
const FILES_LISTS: &[Named] = &[CONFIG_FILE, ENVIRONMENT_FILE, JOURNAL];

/// What stands around one command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// The variables that it reads.
    pub(super) environment: &'static [Named],
    /// The files that it reads or writes.
    pub(super) files: &'static [Named],
    /// Other pages, by name and section.
    pub(super) see_also: &'static [(&'static str, u8)],
}

/// What stands around a command; around the command line as a whole where `path` is empty.
pub(super) fn around(path: &str) -> Around {
    let (environment, files): (&[Named], &[Named]) = match path {
        "" => (ALL, FILES_ALL),
        "check" | "run" => (WAITS, FILES_ASKS),
        "audit" => (AUDITS, FILES_ALL),
        "record" => (ASKS_IN_TIME, FILES_ASKS),
        "outbox list" => (LISTS, FILES_LISTS),
        "config" | "config show" => (ASKS, FILES_ASKS),
        "config check" => (CHECKS_FILE, FILES_LISTS),
        "browse" => (BROWSES, FILES_LISTS),
        "sandbox" => (PLAYS, &[JOURNAL]),
        "explain" | "token" | "token new" => (&[LOOKS], &[]),
        "completions" | "man" => (&[], &[]),
        _ => (ASKS, FILES_ASKS),
    };
    Around { environment, files, see_also: see_also(path) }
}

fn see_also(path: &str) -> &'static [(&'static str, u8)] {
    match path {
        // Its page lists the commands themselves.
        "" => &[("sudo", 8), ("sudoers", 5), ("systemd.exec", 5), ("journalctl", 1)],
        "check" => &[("phabgate-run", 1), ("phabgate-explain", 1), ("phabgate-history", 1)],
        "run" => &[
            ("phabgate-check", 1),
            ("phabgate-outbox", 1),
            ("phabgate-record", 1),
            ("env", 1),
            ("timeout", 1),
            ("sudo", 8),
        ],
        "record" => &[("phabgate-run", 1), ("phabgate-history", 1), ("phabgate-outbox", 1)],
        "request" => &[("phabgate-announce", 1), ("phabgate-check", 1)],
        "announce" => &[("phabgate-request", 1), ("phabgate-check", 1)],
        "page" => &[("phabgate-announce", 1), ("phabgate-check", 1)],
        "approve" => &[("phabgate-check", 1), ("phabgate-reject", 1), ("phabgate-withdraw", 1)],
        "withdraw" => &[("phabgate-approve", 1), ("phabgate-reject", 1)],
        "reject" => &[("phabgate-approve", 1), ("phabgate-withdraw", 1)],
        "outbox" => &[("phabgate-outbox-list", 1), ("phabgate-outbox-flush", 1), ("phabgate-outbox-drop", 1)],
        "outbox list" => &[("phabgate-outbox-flush", 1)],
        "outbox flush" => &[("phabgate-outbox-list", 1), ("phabgate-outbox-drop", 1)],
        "outbox drop" => &[("phabgate-outbox-list", 1), ("phabgate-outbox-flush", 1)],
        "history" => &[("phabgate-check", 1), ("phabgate-list", 1)],
        "list" => &[("phabgate-check", 1), ("phabgate-history", 1)],
        "browse" => &[("phabgate-check", 1), ("phabgate-list", 1), ("xdg-open", 1)],
        "audit" => &[("phabgate-explain", 1), ("phabgate-history", 1)],
        "doctor" => &[("phabgate-config", 1)],
        "explain" => &[("phabgate-check", 1), ("phabgate-audit", 1)],
        "config" => &[("phabgate-config-show", 1), ("phabgate-config-check", 1), ("phabgate-doctor", 1)],
        "config show" => &[("phabgate-config-check", 1)],
        "config check" => &[("phabgate-config-show", 1)],
        "serve" => &[("phabgate-token-new", 1), ("phabgate-list", 1), ("phabgate-check", 1), ("systemd.exec", 5)],
        "token" => &[("phabgate-token-new", 1), ("phabgate-serve", 1)],
        "token new" => &[("phabgate-serve", 1), ("phabgate-check", 1)],
        "man" => &[("man", 1)],
        _ => &[],
    }
}
