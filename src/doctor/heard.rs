//! What `doctor` checks of those who say something on IRC: who of them is heard, and what of it is written down.
//!
//! Responsible for the checks, each a pure function of what was read. Not responsible for reading, nor for how the bot is on the network
//! ([`super::irc`]).

use std::collections::BTreeMap;

use super::irc::SHOWN;
use super::untried::{Untried, untried};
use super::{NotInUse, fail, in_use, pass, unknown, warn};
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

impl WitnessRead {
    /// Whether the service writes with it; `None` where that is not known.
    fn is_right(&self) -> Option<bool> {
        match self {
            Self::Of(_, is_named) => Some(*is_named),
            Self::Untried(Untried::Unusable(..)) => Some(false),
            Self::Unknown(error) if error.is_credentials() => Some(false),
            Self::Untried(_) | Self::Unknown(_) => None,
        }
    }
}

/// Whether the accounts that the policy names as witnesses are there.
pub(super) fn witnesses(known: &Result<Vec<Account>, ConduitError>, policy: &Policy) -> Vec<RuleOutcome> {
    const NAME: &str = "witnesses";
    let known = match known {
        Ok(known) => known,
        Err(error) => return vec![unknown(NAME, error)],
    };
    let judge = |name: &String| match in_use(name, known) {
        Ok(()) => pass(NAME, format!("{} exists", inert(name))),
        Err(why @ NotInUse::Unknown(_)) => warn(
            NAME,
            why.to_string(),
            "write the username of the watch's account as the server has it, as `witnesses = [\"USERNAME\"]` under [policy] on every host of the gate: whoever takes the wrong name could write a yes for others",
        ),
        Err(why @ NotInUse::Disabled(_)) => warn(
            NAME,
            why.to_string(),
            "have an administrator enable it, or take it out of `policy.witnesses` once what it wrote is no longer audited",
        ),
    };
    policy.witnesses.iter().map(judge).collect()
}

/// Whether what is written of what people say counts. With another's token the service does not start.
pub(super) fn witness(read: &WitnessRead, policy: &Policy) -> RuleOutcome {
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
            not_named(user, policy),
        ),
        WitnessRead::Unknown(error) if error.is_credentials() => fail(NAME, error.to_string(), error.hint()),
        WitnessRead::Unknown(error) => unknown(NAME, error),
    }
}

/// What to do where the token is of a user whom the policy does not name.
fn not_named(user: &str, policy: &Policy) -> String {
    let names: Vec<String> = policy.witnesses.iter().map(|name| inert(name)).collect();
    let named = match names.is_empty() {
        true => "of an account of its own".to_owned(),
        false => format!("of {}", names.join(" or ")),
    };
    let token = format!("put the token {named} into the file of `irc.witness_token_file`");
    // A policy where a recorder is a witness is refused.
    match policy.recorders.iter().any(|name| name.eq_ignore_ascii_case(user)) {
        true => format!("{token}: {} is a recorder, and no recorder is a witness", inert(user)),
        false => format!(
            "where it is the account of the watch, write `witnesses = [{:?}]` under [policy] on every host of the gate; else {token}",
            inert(user)
        ),
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

/// Whether what people say on IRC, and what of it the policy accepts, fit together; nothing of it counts without the right account to write it
/// with.
pub(super) fn witnessing(
    configured: Witnessing,
    is_accepted: bool,
    witness: Option<&WitnessRead>,
) -> Option<RuleOutcome> {
    const NAME: &str = "irc:witnessed";
    let Witnessing { has_bot, has_token, is_elsewhere } = configured;
    let is_right = witness.and_then(WitnessRead::is_right);
    let provided = match is_right {
        Some(_) => "",
        None => ", provided that its token is of an account of `policy.witnesses`, which could not be seen",
    };
    match (is_accepted, has_bot, has_token) {
        (_, true, true) if is_right == Some(false) => Some(warn(
            NAME,
            "nothing that is said on IRC counts, neither a yes nor a no, until `irc:witness` is mended: a watch with that token does not start",
            "mend what `irc:witness` says; until then people answer on the task",
        )),
        (true, true, true) => Some(pass(
            NAME,
            format!("what is said on IRC is written on tasks, and a yes counts as `witnessed`{provided}"),
        )),
        (false, true, true) => Some(warn(
            NAME,
            format!(
                "of what is said on IRC a no and a withdrawal are written on tasks and count{provided}; a yes is refused, since `policy.accept` has no \"witnessed\""
            ),
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
        let right = WitnessRead::Of("irc-witness".into(), true);
        let of = |has_bot, has_token, is_accepted| {
            witnessing(Witnessing { has_bot, has_token, is_elsewhere: false }, is_accepted, Some(&right))
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
        assert_eq!(witnessing(deploys, true, None), None, "the service is on another host");
    }

    #[test]
    fn a_yes_counts_only_with_the_token_of_a_witness() {
        let all = Witnessing { has_bot: true, has_token: true, is_elsewhere: false };
        let of = |is_accepted, read: WitnessRead| witnessing(all, is_accepted, Some(&read)).unwrap();
        let another = || WitnessRead::Of("phabgate".into(), false);
        for check in [
            of(true, another()),
            of(false, another()),
            of(true, WitnessRead::Untried(Untried::Unusable("no such file".into(), None))),
        ] {
            assert!(check.outcome == Outcome::Warn && check.message.starts_with("nothing that is said on IRC counts"));
        }
        let unseen = of(true, WitnessRead::Untried(Untried::NotTheirs("permission denied".into())));
        assert!(unseen.message.contains("a yes counts as `witnessed`, provided that its token"), "{unseen:?}");
        let right = of(true, WitnessRead::Of("irc-witness".into(), true));
        assert!(right.message.ends_with("a yes counts as `witnessed`"), "{right:?}");
    }

    #[test]
    fn a_witness_that_is_misspelt_is_named_with_what_to_write() {
        let policy = Policy { witnesses: vec!["irc-witnes".into()], ..built_in() };
        let hint = |user: &str| witness(&WitnessRead::Of(user.into(), false), &policy).hint.unwrap();
        assert!(hint("irc-witness").contains("write `witnesses = [\"irc-witness\"]` under [policy] on every host"));
        assert!(hint("irc-witness").contains("else put the token of irc-witnes into the file"));
        let recorder = hint(&policy.recorders[0]);
        assert!(
            recorder.starts_with("put the token of irc-witnes") && recorder.contains("is a recorder"),
            "{recorder}"
        );
        let check = witnesses(&Ok(vec![]), &policy).remove(0);
        assert_eq!((check.outcome, check.message.as_str()), (Outcome::Warn, "the server knows no account irc-witnes"));
        assert!(check.hint.unwrap().contains("as `witnesses = [\"USERNAME\"]` under [policy]"));
    }
}
