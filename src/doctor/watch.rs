//! What `doctor` checks of the watch (`phabgate serve`).
//!
//! Responsible for the checks, each a pure function of what was read, and for the one of tokens, without which the service does not
//! start either. Not responsible for reading.

use std::collections::BTreeMap;

use super::untried::{Untried, untried};
use super::{counted, fail, pass, unknown, warn};
use crate::conduit::{Account, ConduitError, Project};
use crate::policy::{Policy, Role, Team};
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten};

/// A token by which a pipeline deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployToken {
    /// Its name.
    pub name: String,
    /// The accounts that count as behind each deploy with it: its deployers, and who can make the pipeline run.
    pub behind: Vec<String>,
}

/// How the watch looks from outside. `None` is what was not asked.
#[derive(Debug, Default)]
pub struct Watch {
    /// The tokens that deploy.
    pub tokens: Vec<DeployToken>,
    /// The accounts that the settings name beside these.
    pub viewers: Vec<String>,
    /// Those of all these that the server knows.
    pub known: Option<Result<Vec<Account>, ConduitError>>,
    /// Where it is reached, and what came from there without credentials.
    pub page: Option<Result<(String, Outside), Untried>>,
    /// Where it listens, and what it counts; `Err` where nobody answers there.
    pub counts: Option<(String, Result<Counts, String>)>,
    /// Whether the server is to call it.
    pub has_webhook: bool,
}

/// The names of the checks from outside.
const PAGE: &str = "watch:page";
const WAY: &str = "watch:way";

/// For how many seconds a watch may know nothing new.
const DEAF: u64 = 120;

/// What the address of the watch answers somebody without credentials; `Err` where nothing came.
#[derive(Debug)]
pub struct Outside {
    /// The status of its page.
    pub page: Result<u16, String>,
    /// The status of `/readyz`, and whether a watch wrote it.
    pub ready: Result<(u16, bool), String>,
}

/// What a running watch counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Readings of the feed.
    pub polls: u64,
    /// Changes that it saw.
    pub changes: u64,
    /// Calls of the webhook with a good signature.
    pub hooks: u64,
    /// Those without one.
    pub bad_hooks: u64,
    /// The server refuses its token.
    pub token_refused: bool,
    /// For how many seconds it knows nothing of what happens.
    pub deaf: u64,
}

impl Counts {
    /// What stands on a page of `/metrics`; `None` where it is none of a watch.
    pub fn of_page(page: &str) -> Option<Self> {
        let value = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix("phabgate_serve_")?.strip_prefix(name));
            line?.trim().parse::<f64>().ok().filter(|value| *value >= 0.0)
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, which is no less than 0")]
        let counter = |name: &str| value(name).map(|value| value as u64);
        Some(Self {
            polls: counter("polls_total ")?,
            changes: counter("changes_total ")?,
            hooks: counter("hooks_total ")?,
            bad_hooks: counter("bad_hooks_total ")?,
            token_refused: counter("token_refused ")? > 0,
            deaf: counter("evidence_age_seconds{part=\"feed\"} ")?,
        })
    }
}

/// The checks of the watch.
pub fn watch(
    watch: &Watch,
    projects: &Result<BTreeMap<String, Project>, ConduitError>,
    members: &Result<Vec<Account>, ConduitError>,
    policy: &Policy,
) -> Vec<RuleOutcome> {
    let mut checks = match (projects, members) {
        (Ok(projects), Ok(members)) => tokens(&watch.tokens, projects, members, policy),
        (Err(error), _) | (_, Err(error)) if !watch.tokens.is_empty() => vec![unknown("watch:tokens", error)],
        _ => Vec::new(),
    };
    match &watch.known {
        Some(Ok(known)) => checks.extend(accounts(&watch.tokens, &watch.viewers, known)),
        Some(Err(error)) => checks.push(unknown("watch:accounts", error)),
        None => {}
    }
    match &watch.page {
        None => {}
        Some(Ok((url, outside))) => checks.extend([page(url, &outside.page), way(url, &outside.ready)]),
        Some(Err(why)) => checks.extend([untried(PAGE, why), untried(WAY, why)]),
    }
    checks.extend(watch.counts.as_ref().map(|(address, counts)| running(address, counts, watch.has_webhook)));
    checks
}

/// The accounts that the settings name.
pub fn named(tokens: &[DeployToken], viewers: &[String]) -> Vec<String> {
    let mut named: Vec<String> = tokens.iter().flat_map(|token| &token.behind).chain(viewers).cloned().collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// Whether the server knows the accounts that the settings name. `known` are those of them that it does.
pub fn accounts(tokens: &[DeployToken], viewers: &[String], known: &[Account]) -> Vec<RuleOutcome> {
    let unknown = |names: &[String]| -> String {
        let unknown = names.iter().filter(|name| !known.iter().any(|account| account.is_named(name)));
        unknown.map(|name| inert(name)).collect::<Vec<_>>().join(", ")
    };
    let mut checks: Vec<RuleOutcome> = Vec::new();
    for token in tokens {
        let unknown = unknown(&token.behind);
        if !unknown.is_empty() {
            checks.push(fail(
                &format!("watch:token:{}", token.name),
                format!("the server knows no account {unknown}: whoever is meant could approve what they deploy"),
                format!("write the username as the server has it, in `serve.tokens.{}`", token.name),
            ));
        }
    }
    let unknown = unknown(viewers);
    if !unknown.is_empty() {
        let message = format!("the server knows no account {unknown}");
        checks.push(warn("watch:viewers", message, "write the username as the server has it, in `serve.viewers`"));
    }
    checks
}

/// Whether each token leaves every team that is asked enough people who can approve.
pub fn tokens(
    tokens: &[DeployToken],
    projects: &BTreeMap<String, Project>,
    members: &[Account],
    policy: &Policy,
) -> Vec<RuleOutcome> {
    tokens.iter().map(|of| token(of, projects, members, policy)).collect()
}

fn token(
    token: &DeployToken,
    projects: &BTreeMap<String, Project>,
    members: &[Account],
    policy: &Policy,
) -> RuleOutcome {
    let name = format!("watch:token:{}", token.name);
    let is_behind =
        |account: &Account| !policy.self_approval && token.behind.iter().any(|behind| account.is_named(behind));
    let short = asked(policy).filter_map(|team| {
        let project = projects.get(&team.project)?;
        let can = |account: &&Account| project.members.contains(&account.phid) && account.is_enabled_person();
        let left = members.iter().filter(can).filter(|account| !is_behind(account)).count();
        let need = team.need.max(1) as usize;
        (left < need).then(|| format!("#{} {} of the {need} that it needs", team.project, counted(left)))
    });
    let short: Vec<String> = short.collect();
    match short.is_empty() {
        true => pass(&name, "leaves every team enough people who can approve"),
        false => fail(
            &name,
            format!(
                "nothing could be approved that it deploys: it leaves {}; behind its deploys are {}",
                short.join(", "),
                inert(&token.behind.join(", "))
            ),
            format!("take accounts out of `serve.tokens.{}`, or add members to the project", token.name),
        ),
    }
}

/// The teams that some deploy asks.
fn asked(policy: &Policy) -> impl Iterator<Item = &Team> {
    let named = |key: &String| {
        policy.required.contains(key)
            || policy.reasons.iter().any(|reason| reason.teams.contains(key))
            || policy.actions.iter().any(|action| action.teams.contains(key))
    };
    policy.teams.iter().filter(move |team| team.role == Role::Approve && named(&team.key))
}

/// Whether its page shows something to somebody without credentials.
fn page(url: &str, status: &Result<u16, String>) -> RuleOutcome {
    const NAME: &str = PAGE;
    let through = "look at what stands before the service: `serve.url` has to lead there, and to nothing else";
    match status {
        Ok(401 | 403) => pass(NAME, format!("{url} shows nothing to whoever has not signed in")),
        Ok(300..=399) => pass(NAME, format!("{url} sends whoever has not signed in elsewhere")),
        Ok(200..=299) => fail(
            NAME,
            format!("{url} shows its page to whoever has not signed in"),
            "have the proxy add X-Forwarded-For, so that no request through it counts as one of this machine",
        ),
        Ok(status) => warn(NAME, format!("{url} answers with the status {status}"), through),
        Err(why) => warn(NAME, format!("{url} does not answer ({})", inert(&shorten(why, 80))), through),
    }
}

/// Whether its address leads to it.
fn way(url: &str, ready: &Result<(u16, bool), String>) -> RuleOutcome {
    const NAME: &str = WAY;
    let through =
        "look at what stands before the service: it has to pass `/readyz` on, and the Host as it came, port and all";
    match ready {
        Ok((200 | 503, true)) => pass(NAME, format!("{url} leads to the watch")),
        Ok((421, _)) => fail(NAME, format!("{url} leads to a watch that is not called so (421)"), through),
        Ok((status @ (401 | 403), _)) => {
            warn(NAME, format!("whether {url} leads to the watch is not shown: /readyz answers {status}"), through)
        }
        Ok((status, _)) => fail(NAME, format!("what answers at {url} is no watch (/readyz answers {status})"), through),
        Err(why) => fail(NAME, format!("{url} does not answer ({})", inert(&shorten(why, 80))), through),
    }
}

/// Whether it runs, and whether the server calls it.
fn running(address: &str, counts: &Result<Counts, String>, has_webhook: bool) -> RuleOutcome {
    const NAME: &str = "watch:running";
    let counts = match counts {
        Ok(counts) => counts,
        Err(why) => {
            return warn(
                NAME,
                format!("no watch answers at {address} ({})", inert(&shorten(why, 80))),
                "start it (`systemctl status phabgate-serve`); where it runs on another machine, nothing is to be done here",
            );
        }
    };
    let Counts { changes, hooks, bad_hooks, token_refused, deaf, .. } = *counts;
    if token_refused {
        let help = "give it a token that the server takes, and start it anew";
        return fail(NAME, format!("the watch at {address} knows nothing: the server refuses its token"), help);
    }
    if deaf > DEAF {
        let help = "its log says why: `journalctl -u phabgate-serve`";
        return fail(NAME, format!("the watch at {address} has known nothing new for {deaf} s"), help);
    }
    match (has_webhook, hooks, changes) {
        (true, 0, _) if bad_hooks > 0 => warn(
            NAME,
            format!("the server called {bad_hooks} times, never with a signature that one of the keys makes"),
            "put the HMAC key of the webhook, as the server shows it, into the file of `serve.webhook_keys`",
        ),
        (true, 0, 1..) => warn(
            NAME,
            format!("the watch saw {changes} changes, and the server never called it: it learns of each 3 s later"),
            "look at the webhook on the server; for an internal host, its security.outbound-blacklist has to let it through",
        ),
        (true, ..) => pass(NAME, format!("at {address}; changes {changes}, calls of the webhook {hooks}")),
        (false, ..) => pass(NAME, format!("at {address}; changes {changes}, no webhook is set up")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduit::AccountRole;
    use crate::evidence::testing::{person, project};
    use crate::policy::testing::built_in;
    use crate::rules::Outcome;

    fn account(name: &str) -> Account {
        Account { phid: person(name), username: name.to_owned(), roles: [AccountRole::Activated].into_iter().collect() }
    }

    fn outcome(change: impl Fn(&mut Policy), behind: &[&str]) -> RuleOutcome {
        let mut policy = built_in();
        change(&mut policy);
        let names = ["releng1", "releng2", "sre1", "sec1"];
        let made = |slug: &str, members: &[&str]| {
            let project = Project {
                phid: project(slug),
                name: slug.to_owned(),
                members: members.iter().map(|name| person(name)).collect(),
                below: vec![],
                join: "admin".to_owned(),
                edit: "admin".to_owned(),
            };
            (slug.to_owned(), project)
        };
        let of_team = |team: &Team| match team.key.as_str() {
            "releng" => made(&team.project, &["releng1", "releng2"]),
            "sre" => made(&team.project, &["sre1"]),
            _ => made(&team.project, &["sec1"]),
        };
        let projects = policy.teams.iter().map(of_team).collect();
        let behind = behind.iter().map(|name| (*name).to_owned()).collect();
        let tokens_of = [DeployToken { name: "ci".into(), behind }];
        tokens(&tokens_of, &projects, &names.map(account), &policy).remove(0)
    }

    #[test]
    fn a_token_leaves_each_team_that_is_asked_enough_people() {
        let none = |_: &mut Policy| {};
        assert_eq!(outcome(none, &["deployer1", "releng1"]).outcome, Outcome::Pass);
        let short = outcome(none, &["SRE1", "releng1"]);
        assert_eq!(short.outcome, Outcome::Fail);
        assert!(short.message.contains("it leaves #sre 0 people of the 1 that it needs; behind"), "{}", short.message);
        // A team of a reason is asked too, and one that nothing names is not.
        assert_eq!(outcome(none, &["sec1"]).outcome, Outcome::Fail);
        let unnamed = |policy: &mut Policy| policy.reasons.iter_mut().for_each(|reason| reason.teams.clear());
        assert_eq!(outcome(unnamed, &["sec1"]).outcome, Outcome::Pass);
        let two = |policy: &mut Policy| {
            policy.teams.iter_mut().filter(|team| team.key == "releng").for_each(|team| team.need = 2)
        };
        assert_eq!(outcome(two, &["releng2"]).outcome, Outcome::Fail);
        assert_eq!(outcome(|policy| policy.self_approval = true, &["sre1"]).outcome, Outcome::Pass);
    }

    #[test]
    fn an_account_that_the_server_does_not_know_is_named() {
        let token = DeployToken { name: "ci".into(), behind: vec!["Sre1".into(), "relengl".into()] };
        let checks = accounts(&[token], &["nosuch".into()], &[account("sre1")]);
        let said: Vec<_> = checks.iter().map(|check| (check.outcome, check.message.as_str())).collect();
        let [(Outcome::Fail, people), (Outcome::Warn, viewers)] = said.as_slice() else { panic!("{said:?}") };
        assert!(people.starts_with("the server knows no account relengl: "), "{people}");
        assert_eq!(*viewers, "the server knows no account nosuch");
        assert!(accounts(&[], &["sre1".into()], &[account("sre1")]).is_empty());
    }

    #[test]
    fn a_page_that_strangers_see_fails() {
        let said = |status| page("https://watch.example/", &status).outcome;
        for (status, expected) in [
            (401, Outcome::Pass),
            (403, Outcome::Pass),
            (302, Outcome::Pass),
            (200, Outcome::Fail),
            (404, Outcome::Warn),
            (502, Outcome::Warn),
        ] {
            assert_eq!(said(Ok(status)), expected, "{status}");
        }
        assert_eq!(said(Err("connection refused".into())), Outcome::Warn);
    }

    #[test]
    fn an_address_that_leads_elsewhere_fails() {
        let said = |ready| way("https://watch.example/", &ready).outcome;
        assert_eq!(said(Ok((200, true))), Outcome::Pass);
        assert_eq!(said(Ok((503, true))), Outcome::Pass);
        assert_eq!(said(Ok((401, false))), Outcome::Warn);
        for wrong in [Ok((200, false)), Ok((421, true)), Ok((502, false)), Err("connection refused".to_owned())] {
            assert_eq!(said(wrong.clone()), Outcome::Fail, "{wrong:?}");
        }
    }

    #[test]
    fn a_webhook_that_never_comes_is_said_once_something_changed() {
        let metrics = "# HELP phabgate_serve_polls_total x\nphabgate_serve_polls_total 9\nphabgate_serve_changes_total 3\n\
                       phabgate_serve_hooks_total 0\nphabgate_serve_bad_hooks_total 0\nphabgate_serve_token_refused 0\n\
                       phabgate_serve_evidence_age_seconds{part=\"feed\"} 2.5\n";
        let counts = Counts::of_page(metrics).unwrap();
        assert_eq!(counts, Counts { polls: 9, changes: 3, deaf: 2, ..Counts::default() });
        assert_eq!(Counts::of_page("phabgate_serve_polls_total many"), None);
        let said = |counts, webhook| running("127.0.0.1:8471", &Ok(counts), webhook).outcome;
        assert_eq!(said(counts, true), Outcome::Warn);
        assert_eq!(said(counts, false), Outcome::Pass);
        assert_eq!(said(Counts { deaf: 121, ..counts }, false), Outcome::Fail);
        assert_eq!(said(Counts { token_refused: true, ..counts }, false), Outcome::Fail);
        assert_eq!(said(Counts { changes: 0, ..counts }, true), Outcome::Pass);
        assert_eq!(said(Counts { hooks: 1, ..counts }, true), Outcome::Pass);
        assert_eq!(said(Counts { changes: 0, bad_hooks: 2, ..counts }, true), Outcome::Warn);
        assert_eq!(running("127.0.0.1:8471", &Err("refused".into()), true).outcome, Outcome::Warn);
    }
}
