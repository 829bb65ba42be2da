//! Somebody with a token of their own at a host, who types what the gate printed, and nothing else.
//!
//! Each command that a screen names is typed by who read it, as it stands there: with `--dry-run` or `--help` where it would change something
//! before its time, and after the day where it is about the whole host.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::server::in_one_line;
use crate::site::Site;

/// A day: the server, the hosts, and what is left to type.
pub(super) struct Day {
    pub(super) site: Site,
    pub(super) home: tempfile::TempDir,
    /// Who read which command where.
    read: Mutex<BTreeSet<(&'static str, &'static str, String)>>,
    /// What was wrong with a command that somebody read.
    wrong: Mutex<Vec<String>>,
    /// What is typed after the day.
    later: Mutex<Vec<(&'static str, &'static str, String)>>,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Screen {
    typed: String,
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Somebody at a host.
pub(super) struct Person<'a> {
    day: &'a Day,
    pub(super) account: &'static str,
    host: &'static str,
    screen: Mutex<Screen>,
}

/// A command that a screen names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    /// What stands before it on its line; `None` where it stands in backticks.
    when: Option<String>,
    command: String,
}

impl Day {
    pub(super) fn new(site: Site) -> Self {
        let home = tempfile::tempdir().unwrap();
        // A server under load is slow, and nothing here is about that.
        let config = "[record]\nsettle = \"1s\"\n[http]\ncall = \"30s\"\ntotal = \"60s\"\n";
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        Self { site, home, read: Mutex::default(), wrong: Mutex::default(), later: Mutex::default() }
    }

    pub(super) fn person(&self, account: &'static str, host: &'static str) -> Person<'_> {
        Person { day: self, account, host, screen: Mutex::default() }
    }

    fn gate(&self, account: &str, host: &str, typed: &str) -> Screen {
        let home = self.home.path();
        let bin = PathBuf::from(env!("CARGO_BIN_EXE_phabgate")).parent().unwrap().to_owned();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", typed]).env_clear().env("PATH", path).env("HOME", home).current_dir(home);
        command.env("PHABGATE_STATE", home.join(host)).env("PHABGATE_LOG_ROOT", home.join("log")).env("COLUMNS", "100");
        command.env("PHABGATE_CONFIG", home.join("config.toml")).env("XDG_CACHE_HOME", home.join("cache"));
        command.env("PHABGATE_URL", &self.site.url).env("PHABGATE_TOKEN", self.site.token(account)).env("TZ", "UTC");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        Screen { typed: typed.to_owned(), code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// How many commands were read by somebody.
    pub(super) fn hints(&self) -> usize {
        self.read.lock().unwrap().len()
    }

    /// What was wrong with a command that somebody read.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Types what was left for after the day.
    pub(super) fn type_what_is_left(&self) {
        for (account, host, command) in self.later.lock().unwrap().drain(..) {
            let screen = self.gate(account, host, &command);
            assert_eq!(screen.code, 0, "{account} at {host}: {screen:?}");
        }
    }
}

impl Person<'_> {
    /// What is known without the gate: that there is an emergency.
    pub(super) fn starts(&self, words: &str) -> Screen {
        self.types(&format!("phabgate {words}"))
    }

    /// Types the last command that the screen names on a line of its own.
    pub(super) fn next(&self, fill: &str) -> Screen {
        let screen = self.screen.lock().unwrap().clone();
        let offers = offers(&screen);
        let offer = offers.iter().rfind(|offer| offer.when.is_some());
        let offer = offer.unwrap_or_else(|| panic!("{} has nothing to type: {screen:?}", self.account));
        self.types(&filled(&offer.command, fill))
    }

    /// Types a command of this kind that a screen names within a text, which may be one that somebody else passed on.
    pub(super) fn hinted(&self, on: &Screen, verb: &str) -> Screen {
        let offers = offers(on);
        let begin = format!("phabgate {verb} ");
        let offer = offers.iter().find(|offer| offer.command.starts_with(&begin));
        let offer = offer.unwrap_or_else(|| panic!("{} sees no `{verb}`: {on:?}", self.account));
        self.types(&offer.command)
    }

    /// Types the same again with an option that the screen asks for.
    pub(super) fn again_with(&self, option: &str) -> Screen {
        let screen = self.screen.lock().unwrap().clone();
        assert!(
            in_one_line(&screen.err).contains(&format!("add {option} "))
                || screen.err.trim_end().ends_with(&format!("add {option}")),
            "{screen:?}"
        );
        self.types(&format!("{} {option}", screen.typed))
    }

    /// Types an example of the help of a command, for this task and with this command in place of the example's.
    pub(super) fn by_help(&self, verb: &str, with: &str, task: &str, command: &str) -> Screen {
        let help = self.day.gate(self.account, self.host, &format!("phabgate help {verb}"));
        let mut examples = help.out.lines().map(str::trim).filter(|line| line.starts_with("phabgate "));
        let example = examples.find(|line| line.contains(with)).unwrap_or_else(|| panic!("{help:?}"));
        self.types(&example.replace("T1234", task).replace("scap sync-world", command))
    }

    /// Writes on the task, in a browser, the line of this beginning that a screen says to write.
    pub(super) fn writes(&self, on: &Screen, task: &str, line: &str) {
        let said = in_one_line(&format!("{}{}", on.out, on.err));
        assert!(said.contains(&format!("\"{line}\"")), "{}: {line}: {said}", self.account);
        self.day.site.edit(self.account, task, "comment", line);
    }

    fn types(&self, typed: &str) -> Screen {
        let screen = self.day.gate(self.account, self.host, typed);
        let usage = self.is_usage(&screen);
        let asks = in_one_line(&screen.err).contains("add --yes");
        assert!(!usage || asks, "{} at {}: {screen:?}", self.account, self.host);
        *self.screen.lock().unwrap() = screen.clone();
        self.tries(&screen);
        screen
    }

    fn is_usage(&self, screen: &Screen) -> bool {
        screen.code == 2 || screen.code == 4 || screen.code == 125 && !screen.err.contains("nothing was run")
    }

    /// Types each command that a screen names, as far as that changes nothing.
    fn tries(&self, screen: &Screen) {
        for offer in offers(screen) {
            let Offer { when, command } = &offer;
            if !self.day.read.lock().unwrap().insert((self.account, self.host, format!("{when:?} {command}"))) {
                continue;
            }
            let command = filled(command, "true").replace("CATEGORY", "availability").replace(" --wait", " --wait=1s");
            if has_placeholder(&command) {
                continue;
            }
            let mut words = command.splitn(4, ' ').skip(1);
            let (verb, task, rest) = (words.next().unwrap(), words.next().unwrap_or_default(), words.next());
            let rest = rest.unwrap_or_default();
            let tried = match verb {
                "outbox" => {
                    let command = command.replace("--wait=1s", "--wait");
                    self.day.later.lock().unwrap().push((self.account, self.host, command));
                    continue;
                }
                "run" => format!("phabgate run {task} --dry-run {rest}"),
                "check" | "history" | "announce" | "list" | "explain" | "doctor" => command.clone(),
                _ => format!("{command} --help"),
            };
            let after = self.day.gate(self.account, self.host, &tried);
            let who = format!("{} at {} read {offer:?} on {screen:?}, and typed {tried}", self.account, self.host);
            // What comes next at once is not refused to who read it.
            let is_next = verb == "run" && when.as_deref() == Some("Next") && !tried.contains("--wait");
            if self.is_usage(&after) || is_next && after.code != 0 {
                self.day.wrong.lock().unwrap().push(format!("{who}: {after:?}"));
            }
        }
    }
}

/// The commands that a screen names: on a line of their own, or in backticks.
fn offers(screen: &Screen) -> Vec<Offer> {
    let text = format!("{}\n{}", screen.out, screen.err);
    let mut found = Vec::new();
    let mut before = "";
    for line in text.lines() {
        let offer = match (line.split_once(": phabgate "), line.strip_prefix("  phabgate ")) {
            (Some((when, words)), _) if !when.contains('`') && !line.starts_with("phabgate: ") => Some((when, words)),
            (_, Some(words)) => Some((before, words)),
            _ => None,
        };
        let offer = offer.map(|(when, words)| Offer {
            when: Some(when.to_owned()),
            command: format!("phabgate {}", words.trim_end()),
        });
        found.extend(offer);
        before = line;
    }
    let joined = in_one_line(&text);
    let quoted = joined.split('`').skip(1).step_by(2).filter(|words| words.starts_with("phabgate "));
    found.extend(quoted.map(|words| Offer { when: None, command: words.to_owned() }));
    found
}

fn filled(command: &str, with: &str) -> String {
    command.replace("-- COMMAND", &format!("-- {with}"))
}

/// Whether a word in capitals, or one that stands for what is left out, is the reader's to fill in.
fn has_placeholder(command: &str) -> bool {
    let is_one = |word: &str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase());
    command.contains('…') || command.split([' ', '=', ':']).any(is_one)
}
