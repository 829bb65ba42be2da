//! Whether who has the nick NickServ is the network's own service, as the network says in its answer to WHOIS.
//!
//! A nick proves nothing: while the services are away anybody may take theirs. Two things in that answer nobody can give themselves:
//!
//! - the reply 313 (RFC 2812, section 3.6.2, `RPL_WHOISOPERATOR`) or 310 that says service, since clients send no replies;
//! - the reply 312 (`RPL_WHOISSERVER`) that names a server called `services.`, not the one that answers, whose name is the host of who has the nick
//!   too. InspIRCd with its module servprotect shows no 313 of services, and names of servers are the network's.
//!
//! What was said under the nick is of that service where user and host are those that the same answer shows.
//!
//! Responsible for reading that answer, and for whom it vouches. Not responsible for when it is asked for, nor for what follows.

use std::time::Instant;

use crate::irc::wire::{Message, Source};

/// An answer to `WHOIS NickServ`, as far as it came.
#[derive(Debug, Clone)]
pub(super) struct Vouching {
    /// Who said something under the nick before the network was asked.
    claimed: Source,
    /// Until when the answer is waited for.
    pub(super) until: Instant,
    /// Who has the nick, as the network shows them: user and host.
    shown: Option<(String, String)>,
    /// The server that they are on.
    server: String,
    /// The server that answers, which takes clients.
    ours: String,
    is_service: bool,
}

/// What the network says of who spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Vouched {
    /// Who said it is the network's NickServ.
    Speaker,
    /// The network's NickServ is there, and somebody else said it: whoever had the nick before.
    Another,
    /// Nobody: who has the nick is no service.
    Nobody {
        /// The server that they are on: text of others.
        server: String,
    },
}

impl Vouching {
    /// The question whether it is NickServ who said something.
    pub(super) fn of(claimed: Source, until: Instant) -> Self {
        Self { claimed, until, shown: None, server: String::new(), ours: String::new(), is_service: false }
    }

    /// Takes a reply of the server about NickServ; what follows, where it was the last.
    pub(super) fn take(&mut self, reply: &Message) -> Option<Vouched> {
        match reply.command.as_str() {
            "311" => self.shown = Some((reply.param(2).to_owned(), reply.param(3).to_owned())),
            "312" => {
                reply.param(2).clone_into(&mut self.server);
                reply.sender().clone_into(&mut self.ours);
            }
            "310" | "313" => self.is_service |= says_service(reply.last()),
            "318" => return Some(self.vouched()),
            _ => {}
        }
        None
    }

    fn vouched(&self) -> Vouched {
        let is_service = |(_, host): &&(String, String)| self.is_service || self.is_services_server(host);
        let Some((user, host)) = self.shown.as_ref().filter(is_service) else {
            return Vouched::Nobody { server: self.server.clone() };
        };
        let is_speaker = self.claimed.user.as_ref() == Some(user) && self.claimed.host.as_ref() == Some(host);
        if is_speaker { Vouched::Speaker } else { Vouched::Another }
    }

    /// Whether the server that they are on is one of services alone, by its name, and they come from it.
    fn is_services_server(&self, host: &str) -> bool {
        let is_called_so = self.server.split_once('.').is_some_and(|(first, _)| is_service_word(first));
        let is_ours = self.ours.is_empty() || self.server.eq_ignore_ascii_case(&self.ours);
        is_called_so && !is_ours && self.server.eq_ignore_ascii_case(host)
    }
}

/// Whether the words of such a reply say that somebody is a service: `is a Network Service`, `is a Service on LocalNet`. An operator of another
/// name, such as a services administrator, is a person.
fn says_service(words: &str) -> bool {
    let what = words.split_once(" on ").map_or(words, |(what, _)| what);
    let last = what.split_whitespace().next_back().unwrap_or_default().trim_end_matches('.');
    is_service_word(last)
}

fn is_service_word(word: &str) -> bool {
    ["service", "services"].iter().any(|service| word.eq_ignore_ascii_case(service))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REAL: [&str; 4] = [
        ":irc 311 me NickServ NickServ services.example * :Nickname Services",
        ":irc 312 me NickServ services.example :services",
        ":irc 313 me NickServ :is a Network Service",
        ":irc 318 me NickServ :End of /WHOIS list.",
    ];

    fn message(line: &str) -> Message {
        Message::parse(line.as_bytes()).unwrap()
    }

    fn vouched(speaker: &str, replies: &[&str]) -> Option<Vouched> {
        let said = message(&format!(":{speaker} NOTICE me :x"));
        let mut vouching = Vouching::of(said.source.unwrap(), Instant::now());
        replies.iter().find_map(|reply| vouching.take(&message(reply)))
    }

    #[test]
    fn a_service_is_vouched_for_in_the_words_of_several_servers() {
        let service = "NickServ!NickServ@services.example";
        assert_eq!(vouched(service, &REAL), Some(Vouched::Speaker));
        for reply in
            ["313 me NickServ :is a Service on LocalNet", "310 me NickServ :is a Network Service on ServiceNet."]
        {
            assert_eq!(vouched(service, &[REAL[0], &format!(":irc {reply}"), REAL[3]]), Some(Vouched::Speaker));
        }
        assert_eq!(vouched(service, &REAL[..3]), None, "the answer is not over");
    }

    #[test]
    fn a_stranger_is_not_whatever_their_user_name_and_real_name_are() {
        let stranger = [
            ":irc 311 me NickServ NickServ 192.0.2.1 * :is a Network Service",
            ":irc 312 me NickServ irc.example :Network Service",
            ":irc 319 me NickServ :#service",
            ":irc 320 me NickServ :is a Network Service",
            ":irc 301 me NickServ :is a Network Service",
            ":irc 318 me NickServ :End of /WHOIS list.",
        ];
        let nobody = Some(Vouched::Nobody { server: "irc.example".into() });
        assert_eq!(vouched("NickServ!NickServ@192.0.2.1", &stranger), nobody);
        // Nor an operator, whatever the network is called; nor who had the nick before the service was back.
        for words in ["is an IRC operator", "is a NetAdmin on Service", "is a Services Administrator"] {
            let operator = format!(":irc 313 me NickServ :{words}");
            let found = vouched("NickServ!NickServ@services.example", &[REAL[0], &operator, REAL[3]]);
            assert!(matches!(found, Some(Vouched::Nobody { .. })), "{found:?}");
        }
        assert_eq!(vouched("NickServ!NickServ@192.0.2.1", &REAL), Some(Vouched::Another));
        assert_eq!(vouched("NickServ!other@services.example", &REAL), Some(Vouched::Another));
        assert_eq!(vouched("NickServ", &REAL), Some(Vouched::Another));
        assert!(matches!(vouched("NickServ!NickServ@services.example", &REAL[2..]), Some(Vouched::Nobody { .. })));
    }

    #[test]
    fn a_server_of_services_vouches_for_who_comes_from_it() {
        let of = |ours: &str, host: &str, server: &str| {
            let shown = format!(":{ours} 311 me NickServ NickServ {host} * :x");
            let on = format!(":{ours} 312 me NickServ {server} :x");
            let speaker = format!("NickServ!NickServ@{host}");
            vouched(&speaker, &[&shown, &on, ":irc 318 me NickServ :End"]) == Some(Vouched::Speaker)
        };
        assert!(of("irc.example", "services.example", "services.example"));
        assert!(of("irc.example", "Service.example", "service.example"));
        assert!(!of("services.example", "services.example", "services.example"), "who answers takes clients");
        assert!(!of("irc.example", "192.0.2.1", "services.example"));
        assert!(!of("irc.example", "services.example", "leaf.example"), "a host of one's own");
        assert!(!of("irc.example", "leaf.example", "leaf.example"), "from the machine of a server");
        assert!(
            !of("irc.example", "services", "services")
                && !of("irc.example", "myservices.example", "myservices.example")
        );
    }

    proptest! {
        #[test]
        fn what_a_person_chooses_vouches_for_nobody(
            user in "[a-zA-Z]{1,8}", real in "( |is a|Network|Service|services| on ){0,6}", away in "(is a )?Network Service",
        ) {
            let shown = format!(":irc 311 me NickServ {user} 192.0.2.1 * :{real}");
            let away = format!(":irc 301 me NickServ :{away}");
            let replies = [shown.as_str(), away.as_str(), ":irc 312 me NickServ irc.example :x", REAL[3]];
            let found = vouched(&format!("NickServ!{user}@192.0.2.1"), &replies);
            prop_assert!(matches!(found, Some(Vouched::Nobody { .. })), "{found:?}");
        }
    }
}
