//! What `doctor` checks of paging.
//!
//! Responsible for the checks, each a pure function of what was read: a pager is asked for itself, and nobody is paged by it. Not
//! responsible for reading.

use super::{fail, pass, warn};
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten};

/// How much of a reason is shown.
const SHOWN: usize = 120;

/// How an Alertmanager groups what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folds {
    /// It keeps each page apart.
    Never,
    /// So many of its routes keep each page apart, of so many.
    InSomeRoutes(usize, usize),
    /// It makes one of several pages.
    Always,
}

/// Who is on call for a team.
#[derive(Debug)]
pub struct OnCallRead {
    /// The key of the team.
    pub team: String,
    /// The members who are on call.
    pub names: Vec<String>,
    /// Why the whole team is asked.
    pub note: Option<String>,
}

/// An Alertmanager as it answers.
#[derive(Debug)]
pub struct AlertmanagerRead {
    /// Where.
    pub url: String,
    /// How it groups, and its version; in words why that cannot be known.
    pub status: Result<(Folds, String), String>,
}

/// What was read of paging. `None` is what is not configured.
#[derive(Debug, Default)]
pub struct Paging {
    /// The Alertmanager.
    pub alertmanager: Option<AlertmanagerRead>,
    /// The host of the webhook, and the status with which it answers a GET.
    pub webhook: Option<(String, Result<u16, String>)>,
    /// Why the pagers cannot be used.
    pub unusable: Option<(String, Option<String>)>,
    /// Who is on call.
    pub on_call: Vec<OnCallRead>,
}

/// The checks of paging.
pub fn paging(paging: &Paging) -> Vec<RuleOutcome> {
    let unusable = paging.unusable.as_ref().map(|(why, hint)| {
        let hint = hint.clone().unwrap_or_else(|| "look at the table [paging] of the configuration".to_owned());
        fail("paging", why.clone(), hint)
    });
    let alertmanager = paging.alertmanager.as_ref().map(alertmanager);
    let webhook = paging.webhook.as_ref().map(|(host, read)| webhook(host, read));
    let on_call = paging.on_call.iter().map(on_call);
    unusable.into_iter().chain(alertmanager).chain(webhook).chain(on_call).collect()
}

fn alertmanager(read: &AlertmanagerRead) -> RuleOutcome {
    const NAME: &str = "paging:alertmanager";
    let AlertmanagerRead { url, status } = read;
    match status {
        Ok((Folds::Never, version)) => pass(NAME, format!("{url} answers ({version}), and keeps each page apart")),
        Ok((Folds::InSomeRoutes(apart, of), version)) => pass(
            NAME,
            format!(
                "{url} answers ({version}); {apart} of its {of} routes that group keep each page apart: see that those of phabgate are there"
            ),
        ),
        Ok((Folds::Always, version)) => warn(
            NAME,
            format!("{url} answers ({version}), and would make one page of those about several tasks or teams"),
            "give the route of these alerts group_by: ['...'] and group_wait: 0s",
        ),
        Err(why) => fail(
            NAME,
            format!("{url} does not answer as an Alertmanager ({})", inert(&shorten(why, SHOWN))),
            "look at `paging.alertmanager`, and at what stands between this machine and it",
        ),
    }
}

fn webhook(host: &str, read: &Result<u16, String>) -> RuleOutcome {
    const NAME: &str = "paging:webhook";
    let through = "look at `paging.webhook`, and at what stands between this machine and it";
    match read {
        // What takes POST alone says so to a GET.
        Ok(status @ (200..=299 | 400 | 401 | 403 | 405)) => {
            pass(NAME, format!("{host} answers ({status} to a GET, by which nobody is paged); its secret can be used"))
        }
        Ok(status) => warn(NAME, format!("{host} answers a GET with the status {status}"), through),
        Err(why) => fail(NAME, format!("{host} does not answer ({})", inert(&shorten(why, SHOWN))), through),
    }
}

fn on_call(read: &OnCallRead) -> RuleOutcome {
    let name = format!("oncall:{}", read.team);
    match &read.note {
        None => pass(&name, format!("on call: {}", read.names.join(", "))),
        Some(note) => {
            let help = format!("look at `oncall.{}`: it names usernames of members, one a line", read.team);
            warn(&name, inert(&shorten(note, 2 * SHOWN)), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Outcome;

    #[test]
    fn a_pager_is_right_where_it_answers_and_keeps_pages_apart() {
        let of = |status| alertmanager(&AlertmanagerRead { url: "https://am.example/".into(), status }).outcome;
        assert_eq!(of(Ok((Folds::Never, "0.26".into()))), Outcome::Pass);
        assert_eq!(of(Ok((Folds::InSomeRoutes(1, 4), "0.26".into()))), Outcome::Pass);
        assert_eq!(of(Ok((Folds::Always, "0.26".into()))), Outcome::Warn);
        assert_eq!(of(Err("connection refused".into())), Outcome::Fail);
        let of = |read| webhook("pager.example", &read).outcome;
        assert_eq!(
            [of(Ok(405)), of(Ok(404)), of(Ok(500)), of(Err("no".into()))],
            [Outcome::Pass, Outcome::Warn, Outcome::Warn, Outcome::Fail]
        );
    }

    #[test]
    fn it_is_said_where_the_whole_team_would_be_asked() {
        let read = |note: Option<&str>| OnCallRead {
            team: "sre".into(),
            names: vec!["sre1".into()],
            note: note.map(str::to_owned),
        };
        assert_eq!(on_call(&read(None)).message, "on call: sre1");
        let said = on_call(&read(Some("nobody is on call, so the whole team is asked")));
        assert_eq!((said.name.as_str(), said.outcome), ("oncall:sre", Outcome::Warn));
    }
}
