//! What `doctor` checks of those who say something on IRC: who of them is heard, and what of it is written down.
//!
//! Responsible for the checks, each a pure function of what was read. Not responsible for reading, nor for how the bot is on the network
//! ([`super::irc`]).

use std::collections::BTreeMap;

use super::irc::{SHOWN, Untried, untried};
use super::{fail, pass, unknown, warn};
use crate::conduit::{Account, ConduitError, Project};
use crate::policy::{Policy, Role};
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten_inert};

/// What is configured here of witnesses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Witnessing {
    /// There is a bot that hears people.
    pub has_bot: bool,
    /// There is a token with which what they say is written down.
    pub has_token: bool,
    /// Somebody else runs the watch, where the bot is (`watch.url`).
    pub is_elsewhere: bool,
}

/// The account that witnesses are written with.
#[derive(Debug)]
pub enum WitnessRead {
    /// It was not asked for.
    Untried(Untried),
    /// Whose the token is, and whether the policy names them.
    Of(String, bool),
    /// The server did not say.
    Unknown(ConduitError),
}

/// Whether what is written of what people say counts. With another's token the service does not start.
pub(super) fn witness(read: &WitnessRead) -> RuleOutcome {
    const NAME: &str = "irc:witness";
    match read {
        WitnessRead::Untried(why) => untried(NAME, why),
        WitnessRead::Of(user, true) => pass(NAME, format!("what is said is written on tasks as {}", inert(user))),
        WitnessRead::Of(user, false) => fail(
            NAME,
            format!(
                "the token is of {}, whom `policy.witnesses` does not name: no comment of theirs counts",
                inert(user)
            ),
            "put the token of an account that it names into the file of `irc.witness_token_file`",
        ),
        WitnessRead::Unknown(error) if error.is_credentials() => fail(NAME, error.to_string(), error.hint()),
        WitnessRead::Unknown(error) => unknown(NAME, error),
    }
}

/// Who of those who can approve is listed, so that what they say on IRC counts.
pub(super) fn answering(
    listed: &[&str],
    projects: &BTreeMap<String, Project>,
    members: &[Account],
    policy: &Policy,
) -> Option<RuleOutcome> {
    const NAME: &str = "irc:members";
    let approving = policy.teams.iter().filter(|team| team.role == Role::Approve);
    let (mut all, mut deaf): (BTreeMap<&str, bool>, Vec<&str>) = (BTreeMap::new(), Vec::new());
    for team in approving {
        // A team without a project fails by itself.
        let Some(project) = projects.get(&team.project) else { continue };
        let is_member = |account: &&Account| project.members.contains(&account.phid) && account.is_enabled_person();
        let is_listed = |account: &Account| listed.iter().any(|name| account.is_named(name));
        let people: Vec<(&str, bool)> =
            members.iter().filter(is_member).map(|account| (account.username.as_str(), is_listed(account))).collect();
        if !people.is_empty() && !people.iter().any(|(_, is_listed)| *is_listed) {
            deaf.push(&team.key);
        }
        all.extend(people);
    }
    if all.is_empty() {
        return None;
    }
    let can: Vec<String> = all.iter().filter(|(_, is_listed)| **is_listed).map(|(name, _)| inert(name)).collect();
    let names = if can.is_empty() { String::new() } else { format!(": {}", shorten_inert(&can.join(", "), SHOWN)) };
    let count = format!("{} of {} members of teams that approve can answer on IRC{names}", can.len(), all.len());
    Some(match deaf.is_empty() {
        true => pass(NAME, count),
        false => warn(
            NAME,
            format!("{count}; nobody of {}", deaf.join(", ")),
            "list who is whom under `irc.accounts`: what anybody else says on IRC, `!ack` too, counts for nobody",
        ),
    })
}

/// Whether what people say on IRC, and what of it the policy accepts, fit together.
pub(super) fn witnessing(configured: Witnessing, is_accepted: bool) -> Option<RuleOutcome> {
    const NAME: &str = "irc:witnessed";
    let Witnessing { has_bot, has_token, is_elsewhere } = configured;
    match (is_accepted, has_bot, has_token) {
        (true, true, true) => {
            Some(pass(NAME, "what is said on IRC is written on tasks, and a yes counts as `witnessed`"))
        }
        (false, true, true) => Some(warn(
            NAME,
            "of what is said on IRC a no and a withdrawal are written on tasks and count; a yes is refused, since `policy.accept` has no \"witnessed\"",
            "add \"witnessed\" to `policy.accept` on every host of the gate, where a yes on IRC is to count; else nothing is to be done",
        )),
        (true, true, false) => Some(warn(
            NAME,
            "`policy.accept` has \"witnessed\", and the bot has no token to write down what is said: no yes on IRC counts",
            "set `irc.witness_token_file`, or take \"witnessed\" out of `policy.accept`",
        )),
        // The service with the bot runs on another host, as that of every host that deploys.
        (true, false, _) if is_elsewhere => None,
        (true, false, _) => Some(warn(
            NAME,
            "`policy.accept` has \"witnessed\", and no bot is configured here that hears people: from here no yes on IRC is written down",
            "on the host of the service set `irc.server` and `irc.witness_token_file`; on any other set `watch.url`",
        )),
        (false, false, true) => Some(warn(
            NAME,
            "`irc.witness_token_file` is set and no bot that hears people: nothing that is said on IRC is written down",
            "set `irc.server`, or take `irc.witness_token_file` out",
        )),
        (false, _, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduit::AccountRole;
    use crate::evidence::testing::{person, project};
    use crate::policy::testing::built_in;
    use crate::rules::Outcome;

    #[test]
    fn a_team_of_which_nobody_can_answer_is_named() {
        let account = |name: &str, role| Account {
            phid: person(name),
            username: name.to_owned(),
            roles: [role].into_iter().collect(),
        };
        let members = ["releng1", "sre1", "sre2"].map(|name| account(name, AccountRole::Activated));
        let members = [members.to_vec(), vec![account("gone", AccountRole::Disabled)]].concat();
        let policy = built_in();
        let of = |listed: &[&str]| {
            let made = |key: &str, names: &[&str]| {
                let slug = policy.team(key).unwrap().project.clone();
                let project = Project {
                    phid: project(&slug),
                    name: slug.clone(),
                    members: names.iter().map(|name| person(name)).collect(),
                    below: vec![],
                    join: "admin".to_owned(),
                    edit: "admin".to_owned(),
                };
                (slug, project)
            };
            let projects = BTreeMap::from([made("releng", &["releng1"]), made("sre", &["sre1", "sre2", "gone"])]);
            answering(listed, &projects, &members, &policy).map(|check| (check.outcome, check.message))
        };
        let count = |text: &str| format!("{text} members of teams that approve can answer on IRC");
        assert_eq!(of(&["SRE1", "releng1"]).unwrap(), (Outcome::Pass, count("2 of 3") + ": releng1, sre1"));
        assert_eq!(of(&["sre1", "gone"]).unwrap(), (Outcome::Warn, count("1 of 3") + ": sre1; nobody of releng"));
        assert_eq!(of(&[]).unwrap(), (Outcome::Warn, count("0 of 3") + "; nobody of releng, sre"));
        assert_eq!(answering(&[], &BTreeMap::new(), &members, &policy), None);
    }

    #[test]
    fn what_is_written_down_and_what_is_accepted_fit_together_or_it_is_said() {
        let of = |has_bot, has_token, is_accepted| {
            witnessing(Witnessing { has_bot, has_token, is_elsewhere: false }, is_accepted)
        };
        assert_eq!(of(true, true, true).unwrap().outcome, Outcome::Pass);
        for (has_bot, has_token, is_accepted, words) in [
            (true, true, false, "a yes is refused"),
            (true, false, true, "no yes on IRC counts"),
            (false, true, true, "no bot is configured here"),
            (false, false, true, "no bot is configured here"),
            (false, true, false, "nothing that is said on IRC is written down"),
        ] {
            let check = of(has_bot, has_token, is_accepted).unwrap();
            assert!(check.outcome == Outcome::Warn && check.message.contains(words), "{check:?}");
        }
        assert_eq!([of(true, false, false), of(false, false, false)], [None, None]);
        let deploys = Witnessing { is_elsewhere: true, ..Witnessing::default() };
        assert_eq!(witnessing(deploys, true), None, "the service is on another host");
    }
}
