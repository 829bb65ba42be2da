//! What `doctor` checks of paging.
//!
//! Responsible for the checks, each a pure function of what was read: a pager is asked for itself, and nobody is paged by it. Not
//! responsible for reading.

use super::receivers::receivers;
use super::{fail, in_use, pass, unknown, warn};
use crate::conduit::{Account, ConduitError};
use crate::paging::{AlertmanagerStatus, Destination, RoutedPage};
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten, shorten_inert};
use crate::time::rough;

/// How much of a reason is shown.
const SHOWN: usize = 120;
/// How much of the name of a receiver is.
pub(super) const NAME_SHOWN: usize = 40;

/// Who is on call for a team.
#[derive(Debug)]
pub struct OnCallRead {
    /// The key of the team.
    pub team: String,
    /// The members who are on call.
    pub names: Vec<String>,
    /// Who is named beside them, and could not approve for the team.
    pub others: Vec<String>,
    /// Why the whole team is asked.
    pub note: Option<String>,
    /// Nothing could be read.
    pub is_unreadable: bool,
}

/// An Alertmanager as it answers.
#[derive(Debug)]
pub struct AlertmanagerRead {
    /// Where.
    pub url: String,
    /// What it says of itself; in words why that cannot be known.
    pub status: Result<AlertmanagerStatus, String>,
}

impl AlertmanagerRead {
    /// Which way pages take, as far as that is known.
    fn pages(&self) -> &[RoutedPage] {
        self.status.as_ref().ok().and_then(|status| status.pages.as_deref().ok()).unwrap_or_default()
    }
}

/// The accounts of `paging.for`.
#[derive(Debug)]
pub struct TrustedRead {
    /// Their names, as the configuration writes them.
    pub names: Vec<String>,
    /// Those that the server knows.
    pub known: Result<Vec<Account>, ConduitError>,
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
    /// For whose emergencies people are paged, where they are named.
    pub trusted: Option<TrustedRead>,
    /// Who is on call.
    pub on_call: Vec<OnCallRead>,
}

/// The checks of paging. `heard` are the accounts of those who are heard on IRC, where a bot is configured.
pub fn paging(paging: &Paging, heard: Option<&[&str]>) -> Vec<RuleOutcome> {
    let unusable = paging.unusable.as_ref().map(|(why, hint)| {
        let hint = hint.clone().unwrap_or_else(|| "look at the table [paging] of the configuration".to_owned());
        fail("paging", why.clone(), hint)
    });
    let alertmanager = paging
        .alertmanager
        .iter()
        .flat_map(|read| alertmanager(read).into_iter().chain(receivers(read.pages(), paging.webhook.is_none())));
    let webhook = paging.webhook.as_ref().map(|(host, read)| webhook(host, read));
    let trusted = paging.trusted.iter().flat_map(trusted);
    let on_call = paging.on_call.iter().map(|read| on_call(read, heard));
    unusable.into_iter().chain(alertmanager).chain(webhook).chain(trusted).chain(on_call).collect()
}

/// The name of the check of an Alertmanager.
const ALERTMANAGER: &str = "paging:alertmanager";

/// Whether it answers, and one warning for each thing that a route does which a page suffers from.
fn alertmanager(read: &AlertmanagerRead) -> Vec<RuleOutcome> {
    let AlertmanagerRead { url, status } = read;
    let status = match status {
        Ok(status) => status,
        Err(why) => {
            return vec![fail(
                ALERTMANAGER,
                format!("{url} does not answer as an Alertmanager ({})", shorten(why, SHOWN)),
                "look at `paging.alertmanager`, and at what stands between this machine and it",
            )];
        }
    };
    let answers = format!("{url} answers ({})", status.version);
    let faults = match &status.pages {
        Ok(pages) if pages.is_empty() => return vec![pass(ALERTMANAGER, answers)],
        Ok(pages) => faults(pages),
        Err(why) => vec![Fault { pages: Vec::new(), is: FaultKind::NotKnown(why.to_string()) }],
    };
    if faults.is_empty() {
        return vec![pass(
            ALERTMANAGER,
            format!(
                "{answers}; the routes of these pages keep each apart, none waits, and no inhibition mutes them; silences are not looked at"
            ),
        )];
    }
    faults.iter().map(|fault| warn(ALERTMANAGER, format!("{answers}; {fault}"), fault.is.hint())).collect()
}

/// What is wrong with the way of some pages.
struct Fault<'a> {
    /// Which pages; none is all of them.
    pages: Vec<&'a RoutedPage>,
    is: FaultKind<'a>,
}

#[derive(PartialEq)]
enum FaultKind<'a> {
    /// The way is not known: why.
    NotKnown(String),
    /// What the route that is taken does.
    Route(&'a Destination),
    /// They are mute while such alerts fire.
    Inhibited(&'a str),
}

/// What is wrong with the way of the pages, each once with all those that suffer from it.
fn faults(pages: &[RoutedPage]) -> Vec<Fault<'_>> {
    let mut faults: Vec<Fault<'_>> = Vec::new();
    for page in pages {
        let kinds: Vec<FaultKind<'_>> = match &page.destinations {
            Err(why) => vec![FaultKind::NotKnown(why.to_string())],
            Ok(found) => found.iter().filter(|way| !way.is_right()).map(FaultKind::Route).collect(),
        };
        let inhibited = page.inhibited_by.iter().map(|source| FaultKind::Inhibited(source));
        let kinds: Vec<FaultKind<'_>> = kinds.into_iter().chain(inhibited).collect();
        for kind in kinds {
            match faults.iter_mut().find(|fault| fault.is == kind) {
                Some(fault) => fault.pages.push(page),
                None => faults.push(Fault { pages: vec![page], is: kind }),
            }
        }
    }
    for fault in faults.iter_mut().filter(|fault| fault.pages.len() == pages.len()) {
        fault.pages.clear();
    }
    faults
}

impl FaultKind<'_> {
    fn hint(&self) -> String {
        const TO_EACH: &str = "give the route of these alerts group_by: ['...'] and group_wait: 0s";
        let words = match self {
            Self::NotKnown(_) => {
                "ask `amtool config routes test` which route they take; it is to have group_by: ['...'] and group_wait: 0s"
            }
            Self::Route(way) if !way.mute.is_empty() => {
                let besides =
                    if way.lacking.is_empty() && way.wait.is_zero() { String::new() } else { format!("{TO_EACH}; ") };
                let mut keys: Vec<&str> = way.mute.iter().map(|mute| mute.kind.key()).collect();
                keys.dedup();
                return format!(
                    "{besides}while it is mute nobody is woken: take {} from the route to {} in the Alertmanager's configuration, or have people look at the channel then",
                    keys.join(" and "),
                    shorten(&way.receiver, NAME_SHOWN)
                );
            }
            Self::Inhibited(_) => {
                "add alertname!=\"EmergencyDeployApproval\" to the target_matchers of that inhibition, or no page goes out meanwhile"
            }
            Self::Route(_) => TO_EACH,
        };
        words.to_owned()
    }
}

impl std::fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = self.pages.iter().map(|page| {
            let drill = if page.drill { " (drill)" } else { "" };
            format!("{} of {}{drill}", page.stage.word(), inert(&page.team))
        });
        let pages = if self.pages.is_empty() { "every page".to_owned() } else { each.collect::<Vec<_>>().join(", ") };
        let way = match &self.is {
            FaultKind::NotKnown(why) => return write!(f, "which route is taken is not known ({why}): {pages}"),
            FaultKind::Inhibited(source) => {
                let source = match shorten(source, SHOWN) {
                    source if source.is_empty() => "any other alert".to_owned(),
                    source => format!("an alert with {source}"),
                };
                return write!(f, "while {source} fires, an inhibition may mute {pages}");
            }
            FaultKind::Route(way) => way,
        };
        let receiver = shorten(&way.receiver, NAME_SHOWN);
        let lacking = way.lacking.join(", ");
        let what = [
            (!way.lacking.is_empty()).then(|| format!("makes one page of several, since its group_by lacks {lacking}")),
            (!way.wait.is_zero()).then(|| format!("pages {} late (group_wait)", rough(way.wait))),
            (!way.mute.is_empty()).then(|| {
                let mute: Vec<String> = way.mute.iter().map(ToString::to_string).collect();
                format!("is {}", mute.join(" and "))
            }),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        write!(f, "the route to {receiver} {}: {pages}", what.join(", and "))
    }
}

/// Whether the accounts for whose emergencies people are paged are there.
fn trusted(read: &TrustedRead) -> Vec<RuleOutcome> {
    const NAME: &str = "paging:for";
    let known = match &read.known {
        Ok(known) => known,
        Err(error) => return vec![unknown(NAME, error)],
    };
    let wrong = |name: &String| {
        let why = in_use(name, known).err()?;
        let hint = "correct `paging.for`: for an emergency of nobody else people are paged";
        Some(warn(NAME, why.to_string(), hint))
    };
    let wrong: Vec<RuleOutcome> = read.names.iter().filter_map(wrong).collect();
    match wrong.is_empty() {
        true => {
            let names: Vec<String> = read.names.iter().map(|name| inert(name)).collect();
            vec![pass(NAME, format!("people are paged for emergencies of {}", names.join(", ")))]
        }
        false => wrong,
    }
}

fn webhook(host: &str, read: &Result<u16, String>) -> RuleOutcome {
    const NAME: &str = "paging:webhook";
    let through = "look at `paging.webhook`, and at what stands between this machine and it";
    match read {
        // What takes POST alone says so to a GET.
        Ok(status @ (200..=299 | 400 | 401 | 403 | 405 | 501)) => {
            pass(NAME, format!("{host} answers ({status} to a GET, by which nobody is paged); its secret can be used"))
        }
        Ok(status) => warn(NAME, format!("{host} answers a GET with the status {status}"), through),
        Err(why) => fail(NAME, format!("{host} does not answer ({})", shorten(why, SHOWN)), through),
    }
}

fn on_call(read: &OnCallRead, heard: Option<&[&str]>) -> RuleOutcome {
    let name = format!("oncall:{}", read.team);
    let help = || format!("look at `oncall.{}`: it names usernames of members, one a line", read.team);
    let names = read.names.join(", ");
    let is_heard = |name: &&String| heard.is_none_or(|heard| heard.iter().any(|one| one.eq_ignore_ascii_case(name)));
    let unheard: Vec<&str> = read.names.iter().filter(|name| !is_heard(name)).map(String::as_str).collect();
    match &read.note {
        None if read.others.is_empty() && unheard.is_empty() => pass(&name, format!("on call: {names}")),
        None if read.others.is_empty() => warn(
            &name,
            format!("on call: {names}; what these say on IRC, `!ack` too, counts for nobody: {}", unheard.join(", ")),
            "list who they are on IRC under `irc.accounts`; until then they answer on the task",
        ),
        None => {
            let others: Vec<String> = read.others.iter().map(|name| inert(name)).collect();
            let others = shorten_inert(&others.join(", "), SHOWN);
            warn(
                &name,
                format!("on call: {names}; named too, and could approve nothing for the team: {others}"),
                help(),
            )
        }
        Some(note) if read.is_unreadable => {
            let hint = format!(
                "look at `oncall.{}`: what it names has to be there for the user of the service, end with 0 within ten seconds, and print usernames of members, one a line",
                read.team
            );
            warn(&name, shorten(note, 2 * SHOWN), hint)
        }
        Some(note) => warn(&name, shorten(note, 2 * SHOWN), help()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::conduit::{AccountRole, Failure};
    use crate::paging::{Mute, MuteKind, RouteError, Stage};
    use crate::rules::Outcome;

    fn way(receiver: &str, lacking: &[&'static str], seconds: i64, may_be_mute: bool) -> Destination {
        let wait = SignedDuration::from_secs(seconds);
        let when = Some("22:00 to 06:00".to_owned());
        let mute = may_be_mute.then(|| Mute { kind: MuteKind::During, name: "nights".into(), when });
        Destination {
            receiver: receiver.into(),
            integrations: Some(1),
            is_topmost: false,
            lacking: lacking.to_vec(),
            wait,
            mute: mute.into_iter().collect(),
        }
    }

    fn page(team: &str, stage: Stage, destinations: Result<Vec<Destination>, RouteError>) -> RoutedPage {
        RoutedPage { team: team.into(), stage, drill: false, inhibited_by: Vec::new(), destinations }
    }

    /// The checks of an Alertmanager that has these pages take these ways.
    fn routes(pages: Result<Vec<RoutedPage>, RouteError>) -> Vec<RuleOutcome> {
        let status = Ok(AlertmanagerStatus { pages, version: "0.25".into() });
        alertmanager(&AlertmanagerRead { url: "https://am.example/".into(), status })
    }

    #[test]
    fn an_alertmanager_is_right_where_every_route_that_is_taken_keeps_pages_apart_at_once() {
        let well = || Ok(vec![way("pager", &[], 0, false)]);
        let right = routes(Ok(vec![page("sre", Stage::Page, well()), page("sre", Stage::Escalation, well())]));
        assert_eq!((right.len(), right[0].outcome), (1, Outcome::Pass));
        assert_eq!(routes(Ok(vec![]))[0].outcome, Outcome::Pass);
        let away = AlertmanagerRead { url: "https://am.example/".into(), status: Err("connection refused".into()) };
        assert_eq!(alertmanager(&away)[0].outcome, Outcome::Fail);
    }

    #[test]
    fn what_a_route_does_to_a_page_is_said_with_its_receiver_and_whose_page_it_is() {
        let said = |pages| {
            let checks = routes(Ok(pages));
            assert!(checks.iter().all(|check| check.outcome == Outcome::Warn && check.hint.is_some()), "{checks:?}");
            let message = |check: RuleOutcome| check.message.split_once("; ").unwrap().1.to_owned();
            checks.into_iter().map(message).collect::<Vec<_>>()
        };
        let folds = || Ok(vec![way("ma\u{202e}il", &["task", "team"], 0, false)]);
        let late = || Ok(vec![way("chat", &["task"], 30, false), way("pager", &[], 0, true)]);
        assert_eq!(
            said(vec![page("sre", Stage::Page, folds()), page("releng", Stage::Page, folds())]),
            ["the route to ma\\u{202e}il makes one page of several, since its group_by lacks task, team: every page"]
        );
        assert_eq!(
            said(vec![
                page("sre", Stage::Page, Ok(vec![way("pager", &[], 0, false)])),
                page("sre", Stage::Escalation, late())
            ]),
            [
                "the route to chat makes one page of several, since its group_by lacks task, and pages 30 s late (group_wait): escalation of sre",
                "the route to pager is mute in `nights` (22:00 to 06:00): escalation of sre",
            ]
        );
        let inhibited = RoutedPage {
            inhibited_by: vec!["severity=\"critical\u{202e}\"".into()],
            ..page("sre", Stage::Page, Ok(vec![way("pager", &[], 0, false)]))
        };
        assert_eq!(
            said(vec![inhibited, page("sre", Stage::Escalation, Ok(vec![way("pager", &[], 0, false)]))]),
            ["while an alert with severity=\"critical\\u{202e}\" fires, an inhibition may mute page of sre"]
        );
        let mute = routes(Ok(vec![page("sre", Stage::Page, Ok(vec![way("pager", &[], 0, true)]))])).remove(0);
        assert!(mute.hint.unwrap().contains("take mute_time_intervals from the route to pager"));
        let long = said(vec![page("sre", Stage::Page, Ok(vec![way(&"x".repeat(500), &["task"], 0, false)]))]);
        assert!(long[0].len() < 200, "{long:?}");
    }

    #[test]
    fn a_way_that_is_not_known_is_no_right_one() {
        let unclear = || Err(RouteError::Form("group_wait"));
        let checks = routes(Ok(vec![page("sre", Stage::Page, unclear()), page("sre", Stage::Escalation, Ok(vec![]))]));
        assert_eq!((checks.len(), checks[0].outcome), (1, Outcome::Warn));
        assert!(checks[0].message.ends_with("(`group_wait` of a route is not understood): page of sre"), "{checks:?}");
        assert!(checks[0].hint.as_ref().unwrap().contains("amtool config routes test"));
        assert_eq!(routes(Err(RouteError::None))[0].outcome, Outcome::Warn);
    }

    #[test]
    fn a_webhook_is_right_where_it_answers() {
        let of = |read| webhook("pager.example", &read).outcome;
        assert_eq!(
            [of(Ok(405)), of(Ok(404)), of(Ok(500)), of(Err("no".into()))],
            [Outcome::Pass, Outcome::Warn, Outcome::Warn, Outcome::Fail]
        );
    }

    #[test]
    fn who_is_trusted_and_is_not_there_is_named() {
        let account = |name: &str, role| Account {
            phid: crate::evidence::testing::person(name),
            username: name.to_owned(),
            roles: [role].into_iter().collect(),
        };
        let known = [account("sre1", AccountRole::Activated), account("sre2", AccountRole::Disabled)];
        let of = |names: &[&str], known| {
            let read = TrustedRead { names: names.iter().map(|name| (*name).to_owned()).collect(), known };
            trusted(&read).into_iter().map(|check| (check.outcome, check.message)).collect::<Vec<_>>()
        };
        assert_eq!(
            of(&["SRE1"], Ok(known.to_vec())),
            [(Outcome::Pass, "people are paged for emergencies of SRE1".to_owned())]
        );
        assert_eq!(
            of(&["sre1", "sre2", "ser3"], Ok(known.to_vec())),
            [
                (Outcome::Warn, "the account sre2 is disabled".to_owned()),
                (Outcome::Warn, "the server knows no account ser3".to_owned()),
            ]
        );
        let down = ConduitError { method: "user.search".into(), kind: Failure::Broken("connection reset".into()) };
        assert_eq!(of(&["sre1"], Err(down))[0].0, Outcome::Unknown);
    }

    #[test]
    fn it_is_said_where_the_whole_team_would_be_asked_or_a_name_is_no_member() {
        let read = |others: &[&str], note: Option<&str>| OnCallRead {
            team: "sre".into(),
            names: vec!["sre1".into()],
            others: others.iter().map(|name| (*name).to_owned()).collect(),
            note: note.map(str::to_owned),
            is_unreadable: false,
        };
        let on_call = |read: &OnCallRead| super::on_call(read, None);
        assert_eq!(on_call(&read(&[], None)).message, "on call: sre1");
        assert_eq!(super::on_call(&read(&[], None), Some(&["SRE1"])).outcome, Outcome::Pass);
        let unheard = super::on_call(&read(&[], None), Some(&["sre2"]));
        assert!(
            unheard.outcome == Outcome::Warn && unheard.message.ends_with("counts for nobody: sre1"),
            "{unheard:?}"
        );
        let said = on_call(&read(&[], Some("nobody is on call, so the whole team is asked")));
        assert_eq!((said.name.as_str(), said.outcome), ("oncall:sre", Outcome::Warn));
        let said = on_call(&read(&["gone"], None));
        assert!(said.outcome == Outcome::Warn && said.message.ends_with("nothing for the team: gone"), "{said:?}");
        let failed = on_call(&OnCallRead { is_unreadable: true, ..read(&[], Some("/bin/who took longer than 10 s")) });
        assert!(failed.hint.is_some_and(|hint| hint.contains("within ten seconds")));
    }
}
