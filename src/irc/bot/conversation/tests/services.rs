//! The services of the network, and who only has their nick.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{CAPABILITIES, Play, SERVICE, STRANGER, whois};
use crate::irc::bot::mailbox::Info;

#[test]
fn services_are_there_while_nickserv_answers_and_sasl_is_offered() {
    let mut play = Play::in_channel();
    assert!(play.state().services);
    play.pass(45);
    assert_eq!(play.output(), ["PRIVMSG NickServ :INFO phabgate"]);
    play.pass(59);
    assert!(play.state().services);
    play.pass(1);
    assert!(!play.state().services, "a minute of silence");
    play.nickserv("phabgate is not registered.");
    assert!(play.state().services);
    play.hear(":irc 401 phabgate NickServ :No such nick");
    assert!(!play.state().services);
    play.pass(2);
    play.nickserv("hello");
    assert!(play.state().services);
    play.hear(":irc CAP phabgate NEW :sasl=PLAIN");
    play.hear(":irc CAP phabgate DEL :sasl");
    assert!(!play.state().services);
    play.hear("@account=sre1;time=2026-11-28T07:00:09.000Z;msgid=M9 :sre1!s@h PRIVMSG #ops :!approve T1 sre K7QM");
    assert!(!play.heard.try_recv().unwrap().services);
}

#[test]
fn nickserv_is_asked_one_account_after_the_other() {
    let mut play = Play::in_channel();
    let (mut first, mut second) = (play.ask("sre1"), play.ask("nobody"));
    play.pass(0);
    assert_eq!(play.output(), ["PRIVMSG NickServ :INFO sre1"]);
    play.pass(2);
    assert_eq!(play.output(), [""; 0]);
    for line in ["Information on sre1:", "Registered : Nov 28 08:04:13 2026 +0000 (15s ago)", "*** End of Info ***"] {
        play.hear(&format!(":sre2!s@h NOTICE phabgate :{line}"));
        assert!(first.try_recv().is_err());
        play.nickserv_of(SERVICE, line);
    }
    assert!(first.try_recv().is_err(), "the network has not said whose answer it is");
    play.shows(SERVICE);
    let since = "2026-11-28T08:04:13Z".parse().unwrap();
    assert_eq!(first.try_recv().unwrap(), Info::Registered { account: "sre1".into(), since });
    play.pass(2);
    assert_eq!(play.output(), ["PRIVMSG NickServ :INFO nobody"]);
    play.pass(20);
    assert_eq!(second.try_recv().unwrap(), Info::Silent);
}

/// What Atheme answers about sre1.
const INFO: [&str; 3] =
    ["Information on sre1 (account sre1):", "Registered : Jan 02 03:04:05 2020 +0000", "*** End of Info ***"];

#[test]
fn a_stranger_with_the_nick_is_never_nickserv_not_even_first() {
    let mut play = Play::new();
    play.hear(&format!(":irc CAP * LS :{CAPABILITIES}"));
    play.hear(&format!(":irc CAP * ACK :{CAPABILITIES}"));
    play.welcome();
    play.output();
    play.nickserv_of(STRANGER, "phabgate is not registered.");
    play.shows(STRANGER);
    assert!(!play.state().services);
    assert_eq!(play.state().no_service.as_deref(), Some("irc"));
    play.pass(2);
    let mut asked = play.ask("sre1");
    play.pass(0);
    for line in INFO {
        play.nickserv_of(STRANGER, line);
    }
    play.shows(STRANGER);
    assert_eq!(asked.try_recv().unwrap(), Info::NoService { server: "irc".into() });
    // What it said is not the service's either where that is back when the network is asked.
    play.pass(2);
    let mut asked = play.ask("sre1");
    play.pass(0);
    for line in INFO {
        play.nickserv_of(STRANGER, line);
    }
    play.shows(SERVICE);
    assert_eq!(asked.try_recv().unwrap(), Info::Silent);
    assert!(!play.state().services, "it has said nothing");
    // Nor is what one began ended by the other.
    play.pass(2);
    let mut asked = play.ask("sre1");
    play.pass(0);
    play.nickserv_of(STRANGER, INFO[0]);
    play.nickserv_of(STRANGER, INFO[1]);
    play.nickserv(INFO[2]);
    assert!(asked.try_recv().is_err());
    INFO.into_iter().for_each(|line| play.nickserv(line));
    assert!(matches!(asked.try_recv().unwrap(), Info::Registered { .. }));
    assert!(play.state().services && play.state().no_service.is_none(), "the real one is found again");
}

/// What happens on a network where a stranger may have the nick of NickServ.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// Somebody has it from here on: nobody, a stranger, the service.
    Has(usize),
    /// A stranger who has it says one of these lines to the bot.
    Says(usize),
    /// So many messages reach the bot.
    Arrive(usize),
    /// So many seconds pass.
    Pass(u64),
    Ask,
}

/// A network in which each message takes its time, and none overtakes another.
struct Slow {
    play: Play,
    has: usize,
    under_way: VecDeque<String>,
    service_spoke: bool,
}

impl Slow {
    /// The server takes what the bot sent.
    fn serve(&mut self) {
        for line in self.play.output() {
            let about = line.strip_prefix("PRIVMSG NickServ :INFO ");
            match (about, self.has) {
                (Some(_), 0) => self.nobody(),
                (Some(about), 2) => {
                    self.service_spoke = true;
                    let lines = INFO.map(|line| line.replace("sre1", about));
                    let said = |line: String| format!(":NickServ!NickServ@services NOTICE phabgate :{line}");
                    self.under_way.extend(lines.map(said));
                }
                _ if line == "WHOIS NickServ" => match self.has {
                    0 => self.nobody(),
                    1 => self.under_way.extend(whois(STRANGER)),
                    _ => self.under_way.extend(whois(SERVICE)),
                },
                _ => {}
            }
        }
    }

    fn nobody(&mut self) {
        self.under_way.push_back(":irc 401 phabgate NickServ :No such nick".into());
        self.under_way.push_back(":irc 318 phabgate NickServ :End of /WHOIS list.".into());
    }

    fn arrive(&mut self, count: usize) {
        for _ in 0..count {
            let Some(line) = self.under_way.pop_front() else { return };
            self.play.hear(&line);
            self.serve();
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_a_stranger_says_is_an_answer_of_the_services(
        events in proptest::collection::vec(
            prop_oneof![
                (0usize..3).prop_map(Event::Has),
                (0usize..6).prop_map(Event::Says),
                (0usize..6).prop_map(Event::Says),
                (1usize..6).prop_map(Event::Arrive),
                (1u64..4).prop_map(Event::Pass),
                Just(Event::Ask),
            ],
            0..80,
        ),
    ) {
        let lies = [
            "Information on sre1 (account sre1):", "Registered : Jan 02 03:04:05 2001 +0000", "*** End of Info ***",
            "sre1 is not registered.", "phabgate is not registered.", "Information on sre1_ (account sre1):",
        ];
        let mut play = Play::new();
        play.hear(&format!(":irc CAP * LS :{CAPABILITIES}"));
        play.hear(&format!(":irc CAP * ACK :{CAPABILITIES}"));
        play.welcome();
        let mut network = Slow { play, has: 1, under_way: VecDeque::new(), service_spoke: false };
        let mut asked = Vec::new();
        for event in events {
            match event {
                Event::Has(who) => network.has = who,
                Event::Says(lie) if network.has == 1 => {
                    let lie = format!(":NickServ!NickServ@203.0.113.1 NOTICE phabgate :{}", lies[lie]);
                    network.under_way.push_back(lie);
                }
                Event::Says(_) => {}
                Event::Arrive(count) => network.arrive(count),
                Event::Pass(seconds) => {
                    network.play.hear("PING :a");
                    network.play.pass(seconds);
                }
                Event::Ask => asked.push(network.play.ask("sre1")),
            }
            network.serve();
            prop_assert!(network.service_spoke || !network.play.state().services);
            for answered in &mut asked {
                let real = "2020-01-02T03:04:05Z".parse().unwrap();
                match answered.try_recv() {
                    Ok(Info::Registered { since, .. }) => prop_assert_eq!(since, real),
                    Ok(info @ (Info::NotRegistered | Info::NickOf { .. })) => prop_assert!(false, "{:?}", info),
                    Ok(Info::Silent | Info::NoService { .. } | Info::Unclear { .. }) | Err(_) => {}
                }
            }
        }
        // However it went: once the service has the nick for good, it is found.
        network.has = 2;
        for _ in 0..120 {
            network.arrive(usize::MAX);
            network.play.hear("PING :a");
            network.play.pass(1);
            network.serve();
        }
        network.arrive(usize::MAX);
        prop_assert!(network.play.state().services);
    }
}
