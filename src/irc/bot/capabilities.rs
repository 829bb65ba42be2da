//! Which capabilities of IRCv3 are in use on a connection: `CAP LS 302`, `REQ`, `ACK`, `NAK`, `NEW`, `DEL`.
//!
//! Responsible for asking for what is offered and nothing else, since a server refuses a list whole for one that it does not know. Not
//! responsible for what the capabilities bring.

use std::collections::{BTreeMap, BTreeSet};

/// What the bot has a use for.
pub const CAPABILITIES: [&str; 6] =
    ["account-tag", "cap-notify", "echo-message", "message-tags", "sasl", "server-time"];

/// What is offered, and what was agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    offered: BTreeMap<String, String>,
    enabled: BTreeSet<&'static str>,
    /// Asked for and not answered.
    asked: BTreeSet<&'static str>,
    refused: BTreeSet<&'static str>,
    /// `sasl` was offered at some time of this connection.
    had_sasl: bool,
}

/// What follows from a `CAP` of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing yet.
    Nothing,
    /// These are asked for, each list in a `REQ` of its own.
    Ask(Vec<Vec<&'static str>>),
    /// Nothing is open any more.
    Settled,
    /// `sasl` is offered anew.
    SaslBack,
    /// `sasl` is not offered any more: the services are away.
    SaslGone,
}

impl Capabilities {
    /// Takes the parameters of a `CAP` from its subcommand on.
    pub(super) fn take(&mut self, params: &[String]) -> Change {
        let Some((subcommand, rest)) = params.split_first() else { return Change::Nothing };
        let list = rest.last().map_or("", String::as_str);
        match subcommand.to_ascii_uppercase().as_str() {
            "LS" => {
                self.offer(list);
                // An asterisk before the list says that more lines of it follow.
                if rest.len() > 1 && rest[0] == "*" {
                    return Change::Nothing;
                }
                self.ask()
            }
            "NEW" => {
                let had = self.offers("sasl");
                self.offer(list);
                // What was refused once may be had now.
                self.refused.clear();
                let back = !had && self.offers("sasl");
                match self.ask() {
                    Change::Settled if back => Change::SaslBack,
                    change => change,
                }
            }
            "DEL" => {
                let had = self.offers("sasl");
                for name in names(list) {
                    self.offered.remove(name);
                    self.enabled.retain(|enabled| *enabled != name);
                    self.asked.retain(|asked| *asked != name);
                }
                if had && !self.offers("sasl") { Change::SaslGone } else { Change::Nothing }
            }
            "ACK" => {
                let mut sasl = false;
                for name in names(list) {
                    let (name, on) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
                    let Some(known) = CAPABILITIES.into_iter().find(|wanted| *wanted == name) else { continue };
                    self.asked.remove(known);
                    match on {
                        true => _ = self.enabled.insert(known),
                        false => _ = self.enabled.remove(known),
                    }
                    sasl |= on && known == "sasl";
                }
                match self.asked.is_empty() {
                    true if sasl => Change::SaslBack,
                    true => Change::Settled,
                    false => Change::Nothing,
                }
            }
            "NAK" => {
                let refused: Vec<&'static str> =
                    names(list).filter_map(|name| self.asked.iter().copied().find(|asked| *asked == name)).collect();
                // One of several was unknown: each is asked for by itself.
                if refused.len() > 1 {
                    return Change::Ask(refused.into_iter().map(|one| vec![one]).collect());
                }
                for one in refused {
                    self.asked.remove(one);
                    self.refused.insert(one);
                }
                if self.asked.is_empty() { Change::Settled } else { Change::Nothing }
            }
            _ => Change::Nothing,
        }
    }

    /// Whether this one is in use.
    pub(super) fn has(&self, name: &str) -> bool {
        self.enabled.contains(name)
    }

    /// Whether the server offers this one now.
    pub(super) fn offers(&self, name: &str) -> bool {
        self.offered.contains_key(name)
    }

    /// What the bot has a use for and is not in use.
    pub(super) fn lacking(&self) -> Vec<&'static str> {
        CAPABILITIES.into_iter().filter(|wanted| !self.has(wanted)).collect()
    }

    /// Whether the server offered SASL and does not any more.
    pub(super) fn has_lost_sasl(&self) -> bool {
        self.had_sasl && !self.offers("sasl")
    }

    /// Whether the server knows this mechanism of SASL; where it lists none it may.
    pub(super) fn offers_mechanism(&self, mechanism: &str) -> bool {
        let listed = self.offered.get("sasl").map_or("", String::as_str);
        self.offers("sasl") && (listed.is_empty() || listed.split(',').any(|one| one.eq_ignore_ascii_case(mechanism)))
    }

    fn offer(&mut self, list: &str) {
        for entry in list.split_ascii_whitespace() {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            // The names of a hundred are more than any server has.
            if self.offered.len() < 100 {
                self.offered.insert(name.to_owned(), value.to_owned());
            }
        }
        self.had_sasl |= self.offers("sasl");
    }

    fn ask(&mut self) -> Change {
        let missing: Vec<&'static str> = CAPABILITIES
            .into_iter()
            .filter(|one| self.offers(one) && !self.has(one))
            .filter(|one| !self.refused.contains(one) && !self.asked.contains(one))
            .collect();
        if missing.is_empty() {
            return if self.asked.is_empty() { Change::Settled } else { Change::Nothing };
        }
        self.asked.extend(&missing);
        Change::Ask(vec![missing])
    }
}

/// The names of a list, without their values.
fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split_ascii_whitespace().map(|entry| entry.split_once('=').map_or(entry, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(capabilities: &mut Capabilities, params: &[&str]) -> Change {
        capabilities.take(&params.iter().map(|param| (*param).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_is_offered_is_asked_for_over_several_lines() {
        let mut known = Capabilities::default();
        assert_eq!(take(&mut known, &["LS", "*", "message-tags account-tag multi-prefix"]), Change::Nothing);
        let asked = take(&mut known, &["LS", "sasl=PLAIN,EXTERNAL server-time x.example/y=1"]);
        assert_eq!(asked, Change::Ask(vec![vec!["account-tag", "message-tags", "sasl", "server-time"]]));
        assert!(known.offers_mechanism("external") && !known.offers_mechanism("SCRAM-SHA-256"));
        assert_eq!(take(&mut known, &["ACK", "account-tag message-tags sasl server-time "]), Change::SaslBack);
        assert!(known.has("account-tag") && !known.has("echo-message"));
        assert_eq!(known.lacking(), ["cap-notify", "echo-message"]);
        // A list of nothing that is wanted asks for nothing.
        assert_eq!(take(&mut Capabilities::default(), &["LS", "multi-prefix"]), Change::Settled);
        assert_eq!(take(&mut Capabilities::default(), &["LS", ""]), Change::Settled);
    }

    #[test]
    fn a_list_that_is_refused_is_asked_for_one_by_one() {
        let mut known = Capabilities::default();
        take(&mut known, &["LS", "message-tags server-time echo-message"]);
        let again = take(&mut known, &["NAK", "echo-message message-tags server-time"]);
        assert_eq!(again, Change::Ask(vec![vec!["echo-message"], vec!["message-tags"], vec!["server-time"]]));
        assert_eq!(take(&mut known, &["NAK", "echo-message"]), Change::Nothing);
        assert_eq!(take(&mut known, &["ACK", "message-tags"]), Change::Nothing);
        assert_eq!(take(&mut known, &["ACK", "server-time"]), Change::Settled);
        assert!(known.has("message-tags") && known.has("server-time") && !known.has("echo-message"));
    }

    #[test]
    fn what_comes_and_goes_while_connected_is_known() {
        let mut known = Capabilities::default();
        take(&mut known, &["LS", "sasl=PLAIN cap-notify"]);
        take(&mut known, &["ACK", "cap-notify sasl"]);
        assert_eq!(take(&mut known, &["DEL", "sasl"]), Change::SaslGone);
        assert!(known.has_lost_sasl() && !known.has("sasl"));
        assert_eq!(take(&mut known, &["DEL", "other"]), Change::Nothing);
        assert_eq!(take(&mut known, &["NEW", "sasl=PLAIN"]), Change::Ask(vec![vec!["sasl"]]));
        assert!(!known.has_lost_sasl());
        assert_eq!(take(&mut known, &["ACK", "sasl"]), Change::SaslBack);
        assert_eq!(take(&mut known, &["NEW", "account-tag"]), Change::Ask(vec![vec!["account-tag"]]));
        assert_eq!(take(&mut known, &["ACK", "-sasl"]), Change::Nothing, "account-tag is not answered");
        assert!(!known.has("sasl"));
    }

    #[test]
    fn a_server_that_never_had_sasl_has_lost_none() {
        let mut known = Capabilities::default();
        take(&mut known, &["LS", "message-tags"]);
        assert!(!known.has_lost_sasl());
        assert_eq!(take(&mut known, &["LIST", "message-tags"]), Change::Nothing);
        assert_eq!(take(&mut known, &[]), Change::Nothing);
    }
}
