//! What NickServ answers to `INFO`, as Atheme words it, and whether the services are there.
//!
//! Responsible for reading the answer line by line, and for how long a silence is one. Not responsible for asking, nor for who answers
//! ([`super::vouching`]).

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::mailbox::Info;
use crate::irc::wire::CaseMapping;
use crate::text::is_hidden;

/// The nick of the services' bot for accounts.
pub(super) const NICKSERV: &str = "NickServ";

/// The answer to one question, as far as it came.
#[derive(Debug, Clone)]
pub(super) struct InfoReading {
    asked: String,
    /// The name that the answer is about, and the account of that nick.
    about: Option<(String, Option<String>)>,
    /// Since when the nick is registered, and the account.
    nick_since: Option<Timestamp>,
    account_since: Option<Timestamp>,
    /// The first line that was not understood.
    strange: Option<String>,
}

impl InfoReading {
    pub(super) fn new(asked: &str) -> Self {
        Self { asked: asked.to_owned(), about: None, nick_since: None, account_since: None, strange: None }
    }

    /// The same question with nothing of an answer.
    #[must_use]
    pub(super) fn anew(&self) -> Self {
        Self::new(&self.asked)
    }

    /// Takes a line; the answer, where this was its last. A line that is about another name is the end of an older answer.
    pub(super) fn take(&mut self, line: &str, mapping: CaseMapping) -> Option<Info> {
        let line: String = line.chars().filter(|c| !is_hidden(*c)).collect();
        let line = line.trim();
        if let Some(name) = line.strip_suffix(" is not registered.") {
            return mapping.same(name, &self.asked).then_some(Info::NotRegistered);
        }
        if let Some(about) = line.strip_prefix("Information on ") {
            let about = about.trim_end_matches(':');
            let (name, account) = match about.split_once(" (account ") {
                Some((name, account)) => (name, Some(account.trim_end_matches(')').to_owned())),
                None => (about, None),
            };
            if mapping.same(name, &self.asked) {
                self.about = Some((name.to_owned(), account));
            }
            return None;
        }
        let Some((name, account)) = &self.about else {
            if self.strange.is_none() && !line.starts_with("***") {
                self.strange = Some(line.to_owned());
            }
            return None;
        };
        if line.starts_with("***") && line.contains("End of Info") {
            return Some(match (account, self.account_since.or(self.nick_since)) {
                (Some(account), _) if !mapping.same(account, &self.asked) => Info::NickOf { account: account.clone() },
                (account, Some(since)) => Info::Registered { account: account.as_ref().unwrap_or(name).clone(), since },
                (_, None) => self.unclear(),
            });
        }
        match line.split_once(':') {
            Some((key, value)) if key.trim() == "Registered" => self.nick_since = since(value),
            Some((key, value)) if key.trim() == "User reg." => self.account_since = since(value),
            _ => {}
        }
        None
    }

    /// The answer where none of its own words came.
    pub(super) fn unclear(&self) -> Info {
        match &self.strange {
            Some(words) => Info::Unclear { words: words.clone() },
            None if self.about.is_some() => Info::Unclear { words: "no date of registration".to_owned() },
            None => Info::Silent,
        }
    }
}

/// A time as Atheme writes it: `Nov 28 08:04:13 2026 +0000 (15s ago)`; older versions write no offset and mean UTC.
fn since(value: &str) -> Option<Timestamp> {
    let date = value.split_once('(').map_or(value, |(date, _)| date).trim();
    if let Ok(parsed) = jiff::fmt::strtime::parse("%b %d %H:%M:%S %Y %z", date) {
        return parsed.to_timestamp().ok();
    }
    let naive = DateTime::strptime("%b %d %H:%M:%S %Y", date).ok()?;
    naive.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Whether NickServ is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Presence {
    heard: Option<Instant>,
    /// When it was asked last, and since when a question is not answered.
    asked: Option<Instant>,
    unanswered: Option<Instant>,
    is_gone: bool,
    /// The server of who has its nick without being a service.
    stranger: Option<String>,
}

impl Presence {
    /// It answered, and the network vouches for it.
    pub(super) fn answered(&mut self, now: Instant) {
        self.heard = Some(now);
        self.unanswered = None;
        self.is_gone = false;
        self.stranger = None;
    }

    /// It was asked.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked = Some(now);
        self.unanswered.get_or_insert(now);
    }

    /// The server says that there is none.
    pub(super) fn gone(&mut self) {
        self.is_gone = true;
        self.stranger = None;
    }

    /// Who has its nick is no service, as the network says, and is on this server: it is not there.
    pub(super) fn taken(&mut self, server: &str) {
        self.is_gone = true;
        self.stranger = Some(server.to_owned());
    }

    /// The server of who has its nick without being a service: text of others.
    pub(super) fn stranger(&self) -> Option<&str> {
        self.stranger.as_deref()
    }

    /// Whether nothing is open about it: it answered last, and was asked nothing since.
    pub(super) fn is_settled(&self) -> bool {
        self.heard.is_some() && !self.is_gone && self.unanswered.is_none()
    }

    /// Whether it is time to ask whether it is there.
    pub(super) fn is_due(&self, now: Instant, every: Duration) -> bool {
        let last = self.heard.max(self.asked);
        last.is_none_or(|last| now.saturating_duration_since(last) >= every)
    }

    /// Whether it is there: it answered, and to what it was asked since within the time.
    pub(super) fn is_there(&self, now: Instant, silent: Duration) -> bool {
        let is_silent = self.unanswered.is_some_and(|since| now.saturating_duration_since(since) >= silent);
        self.heard.is_some() && !self.is_gone && !is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(asked: &str, lines: &[&str]) -> Option<Info> {
        let mut reading = InfoReading::new(asked);
        let answers: Vec<Info> = lines.iter().filter_map(|line| reading.take(line, CaseMapping::Ascii)).collect();
        assert!(answers.len() < 2);
        answers.into_iter().next()
    }

    fn registered(account: &str, since: &str) -> Option<Info> {
        Some(Info::Registered { account: account.into(), since: since.parse().unwrap() })
    }

    const END: &str = "*** \u{2}End of Info\u{2} ***";

    #[test]
    fn an_account_is_registered_since_a_time() {
        let lines = [
            "Information on \u{2}sre1\u{2}:",
            "Registered : Nov 28 08:04:13 2026 +0000 (15s ago)",
            "Email      : a@b",
            END,
        ];
        assert_eq!(read("SRE1", &lines), registered("sre1", "2026-11-28T08:04:13Z"));
        let lines =
            ["Information on sre1 (account \u{2}sre1\u{2}):", "Registered : Jan 02 03:04:05 2020 (6y ago)", END];
        assert_eq!(read("sre1", &lines), registered("sre1", "2020-01-02T03:04:05Z"));
        let lines = [
            "Information on sre1 (account sre1):",
            "Registered : Jan 02 03:04:05 2024 +0100",
            "User reg.  : Jan 02 03:04:05 2020 +0000",
            END,
        ];
        assert_eq!(read("sre1", &lines), registered("sre1", "2020-01-02T03:04:05Z"));
    }

    #[test]
    fn what_is_no_account_is_none() {
        assert_eq!(read("nobody", &["\u{2}nobody\u{2} is not registered."]), Some(Info::NotRegistered));
        assert_eq!(read("nobody", &["other is not registered."]), None);
        let lines = ["Information on sre1_ (account sre1):", "Registered : Jan 02 03:04:05 2020 +0000", END];
        assert_eq!(read("sre1_", &lines), Some(Info::NickOf { account: "sre1".into() }));
    }

    #[test]
    fn the_end_of_an_older_answer_is_not_taken_for_this_one() {
        let old = ["Information on sre2:", "Registered : Jan 02 03:04:05 2020 +0000", END];
        let new = ["Information on sre1:", "Registered : Jan 02 03:04:05 2024 +0000", END];
        assert_eq!(read("sre1", &[old, new].concat()), registered("sre1", "2024-01-02T03:04:05Z"));
    }

    #[test]
    fn what_is_not_understood_is_no_date() {
        let lines = ["Information on sre1:", "Registered : yesterday", END];
        assert_eq!(read("sre1", &lines), Some(Info::Unclear { words: "no date of registration".into() }));
        let mut reading = InfoReading::new("sre1");
        assert_eq!(reading.unclear(), Info::Silent);
        reading.take("You have too many requests.", CaseMapping::Ascii);
        assert_eq!(reading.unclear(), Info::Unclear { words: "You have too many requests.".into() });
    }

    #[test]
    fn a_silence_is_one_after_its_time() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut presence = Presence::default();
        assert!(!presence.is_there(start, minute) && presence.is_due(start, minute));
        presence.asked(start);
        presence.answered(start);
        assert!(presence.is_there(start + 10 * minute, minute), "nothing was asked");
        presence.asked(start + minute);
        presence.asked(start + minute + minute / 2);
        assert!(presence.is_there(start + minute + minute / 2, minute));
        assert!(!presence.is_there(start + 2 * minute, minute));
        presence.answered(start + 2 * minute);
        presence.gone();
        assert!(!presence.is_there(start + 2 * minute, minute));
        presence.asked(start + 5 * minute);
        assert!(!presence.is_due(start + 5 * minute, minute) && presence.is_due(start + 6 * minute, minute));
    }

    #[test]
    fn a_stranger_under_the_nick_is_as_good_as_nobody_until_it_answers_itself() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut presence = Presence::default();
        presence.answered(now);
        assert!(presence.is_there(now, minute) && presence.is_settled());
        presence.taken("irc.example");
        assert!(!presence.is_there(now, minute) && !presence.is_settled());
        assert_eq!(presence.stranger(), Some("irc.example"));
        presence.answered(now);
        assert!(presence.is_there(now, minute) && presence.stranger().is_none());
    }
}
