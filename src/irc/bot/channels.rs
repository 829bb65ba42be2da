//! Which channels the bot is in, and who is in them.
//!
//! Responsible for joins, with a limit after kicks, and for the lists of people. Not responsible for what is said there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::state::ChannelState;
use crate::irc::wire::{Folded, Isupport};

/// How often a channel is joined again within [`WINDOW`] after a kick or a refusal.
const ATTEMPTS: usize = 5;

/// The time that these attempts are counted in. After it there are new ones.
const WINDOW: Duration = Duration::from_secs(3600);

/// The most people of a channel that are kept: more than any has.
const MOST: usize = 50_000;

/// The people of a channel by their folded nicks, each with the nick as it is written.
pub(super) type Members = BTreeMap<Folded, String>;

/// One of the channels of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Channel {
    /// As the configuration writes it.
    pub(super) name: String,
    /// The server's time of our own JOIN; `None` while the bot is not in it. A join without a time has none that anything is older than.
    joined: Option<Option<Timestamp>>,
    members: Arc<Members>,
    /// When to ask for it next; `None` while it is asked for, or joined, or given up.
    due: Option<Instant>,
    attempts: VecDeque<Instant>,
    /// Why the bot is not in it.
    why_not: Option<String>,
}

/// The channels of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Channels(Vec<Channel>);

impl Channels {
    pub(super) fn new(names: &[String]) -> Self {
        let channel = |name: &String| Channel {
            name: name.clone(),
            joined: None,
            members: Arc::default(),
            due: None,
            attempts: VecDeque::new(),
            why_not: None,
        };
        Self(names.iter().map(channel).collect())
    }

    /// The channel of this name, where it is one of ours.
    pub(super) fn get(&self, name: &str, server: &Isupport) -> Option<&Channel> {
        self.0.iter().find(|channel| server.casemapping.same(&channel.name, name))
    }

    fn get_mut(&mut self, name: &str, server: &Isupport) -> Option<&mut Channel> {
        self.0.iter_mut().find(|channel| server.casemapping.same(&channel.name, name))
    }

    /// All of them are to be joined now: the connection is registered.
    pub(super) fn join_all(&mut self, now: Instant) {
        for channel in &mut self.0 {
            channel.due = Some(now);
        }
    }

    /// Those that are to be asked for now, which are not again until something answers.
    pub(super) fn due(&mut self, now: Instant) -> Vec<String> {
        let mut found = Vec::new();
        for channel in &mut self.0 {
            if channel.due.is_some_and(|due| due <= now) {
                channel.due = None;
                found.push(channel.name.clone());
            }
        }
        found
    }

    /// The bot is in it.
    pub(super) fn joined(&mut self, name: &str, time: Option<Timestamp>, server: &Isupport) {
        if let Some(channel) = self.get_mut(name, server) {
            channel.joined = Some(time);
            channel.members = Arc::default();
            channel.why_not = None;
            channel.due = None;
        }
    }

    /// The bot is not in it, or may not join it. It tries again after `rejoin`, and later each time, as long as there are attempts.
    pub(super) fn left(&mut self, name: &str, why: &str, now: Instant, rejoin: Duration, server: &Isupport) {
        let Some(channel) = self.get_mut(name, server) else { return };
        channel.joined = None;
        channel.members = Arc::default();
        channel.why_not = Some(why.to_owned());
        channel.attempts.retain(|attempt| now.saturating_duration_since(*attempt) < WINDOW);
        let count = u32::try_from(channel.attempts.len()).unwrap_or(u32::MAX);
        channel.due = match channel.attempts.front() {
            Some(first) if channel.attempts.len() >= ATTEMPTS => Some(*first + WINDOW),
            _ => {
                channel.attempts.push_back(now);
                Some(now + rejoin.saturating_mul(2u32.saturating_pow(count.min(10))))
            }
        };
    }

    /// Somebody else came.
    pub(super) fn came(&mut self, name: &str, nick: &str, server: &Isupport) {
        if let Some(channel) = self.get_mut(name, server)
            && channel.members.len() < MOST
        {
            Arc::make_mut(&mut channel.members).insert(server.casemapping.fold(nick), nick.to_owned());
        }
    }

    /// Somebody else went.
    pub(super) fn went(&mut self, name: &str, nick: &str, server: &Isupport) {
        if let Some(channel) = self.get_mut(name, server) {
            Arc::make_mut(&mut channel.members).remove(&server.casemapping.fold(nick));
        }
    }

    /// Somebody went from all of them.
    pub(super) fn quit(&mut self, nick: &str, server: &Isupport) {
        let nick = server.casemapping.fold(nick);
        for channel in self.0.iter_mut().filter(|channel| channel.members.contains_key(&nick)) {
            Arc::make_mut(&mut channel.members).remove(&nick);
        }
    }

    /// Somebody has another nick.
    pub(super) fn renamed(&mut self, from: &str, to: &str, server: &Isupport) {
        let (from, folded) = (server.casemapping.fold(from), server.casemapping.fold(to));
        for channel in self.0.iter_mut().filter(|channel| channel.members.contains_key(&from)) {
            let members = Arc::make_mut(&mut channel.members);
            members.remove(&from);
            members.insert(folded.clone(), to.to_owned());
        }
    }

    /// A list of who is in a channel: nicks with their prefixes, some with user and host.
    pub(super) fn listed(&mut self, name: &str, list: &str, server: &Isupport) {
        for entry in list.split_ascii_whitespace() {
            let nick = entry.trim_start_matches(|c| server.prefixes.contains(c));
            let nick = nick.split_once('!').map_or(nick, |(nick, _)| nick);
            if !nick.is_empty() {
                self.came(name, nick, server);
            }
        }
    }

    /// What is shown of them.
    pub(super) fn states(&self) -> Vec<ChannelState> {
        let state = |channel: &Channel| ChannelState {
            name: channel.name.clone(),
            is_joined: channel.is_joined(),
            members: Arc::clone(&channel.members),
            why_not: channel.why_not.clone(),
        };
        self.0.iter().map(state).collect()
    }
}

impl Channel {
    /// Whether the bot is in it.
    pub(super) fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// Whether somebody is in it.
    pub(super) fn has(&self, nick: &str, server: &Isupport) -> bool {
        self.members.contains_key(&server.casemapping.fold(nick))
    }

    /// Whether something was said before the bot came: a server may play back what it remembers.
    pub(super) fn is_before_join(&self, time: Timestamp) -> bool {
        self.joined.flatten().is_some_and(|joined| time < joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels() -> (Channels, Isupport, Instant) {
        let mut server = Isupport::default();
        server.take(["PREFIX=(ov)@+", "CASEMAPPING=rfc1459"]);
        (Channels::new(&["#ops".to_owned(), "#dev".to_owned()]), server, Instant::now())
    }

    #[test]
    fn who_is_in_a_channel_is_known_by_folded_nicks() {
        let (mut channels, server, _) = channels();
        channels.joined("#OPS", None, &server);
        channels.listed("#ops", "@sre1 +[releng] phabgate sec1!u@host", &server);
        channels.listed("#other", "stranger", &server);
        let has = |channels: &Channels, nick| channels.get("#ops", &server).unwrap().has(nick, &server);
        assert!(has(&channels, "SRE1") && has(&channels, "{releng}") && has(&channels, "sec1"));
        channels.renamed("SRE1", "sre1_away", &server);
        channels.went("#Ops", "{RELENG}", &server);
        channels.quit("SEC1", &server);
        assert!(
            has(&channels, "sre1_away")
                && !has(&channels, "sre1")
                && !has(&channels, "[releng]")
                && !has(&channels, "sec1")
        );
        channels.joined("#ops", None, &server);
        assert!(!has(&channels, "sre1_away"), "who was there before a join is listed anew");
        assert!(channels.get("#other", &server).is_none());
    }

    #[test]
    fn a_kick_is_answered_by_fewer_and_fewer_joins() {
        let (mut channels, server, start) = channels();
        channels.join_all(start);
        assert_eq!(channels.due(start), ["#ops", "#dev"]);
        assert_eq!(channels.due(start), [""; 0], "asked for once");
        let rejoin = Duration::from_secs(10);
        let mut now = start;
        for waited in [10, 20, 40, 80, 160] {
            channels.left("#ops", "kicked", now, rejoin, &server);
            assert_eq!(channels.due(now + Duration::from_secs(waited - 1)), [""; 0]);
            now += Duration::from_secs(waited);
            assert_eq!(channels.due(now), ["#ops"]);
            channels.joined("#ops", None, &server);
        }
        channels.left("#ops", "kicked", now, rejoin, &server);
        assert_eq!(channels.due(start + Duration::from_secs(3599)), [""; 0], "that was enough for this hour");
        assert_eq!(channels.states()[0].why_not.as_deref(), Some("kicked"));
        assert_eq!(channels.due(start + Duration::from_secs(3600)), ["#ops"]);
    }

    #[test]
    fn what_was_said_before_the_join_is_known() {
        let (mut channels, server, _) = channels();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        channels.joined("#ops", Some(time("2026-11-28T07:00:00Z")), &server);
        let ops = channels.get("#ops", &server).unwrap();
        assert!(ops.is_before_join(time("2026-11-28T06:59:59Z")) && !ops.is_before_join(time("2026-11-28T07:00:00Z")));
    }
}
