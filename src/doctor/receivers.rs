//! What `doctor` checks of the receivers of pages: who pages a team, whether anybody does, and whom a drill would wake.
//!
//! Responsible for the checks, each a pure function of the ways that pages take. Not responsible for what a route does with a page on its way
//! ([`super::paging`]), nor for whom an integration of a receiver reaches.

use super::paging::NAME_SHOWN;
use super::{fail, pass, warn};
use crate::paging::{Destination, RoutedPage, Stage};
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten};

/// One check for each team, and one for drills; none where no way is known. `is_alone` says that no other pager is configured.
pub(super) fn receivers(pages: &[RoutedPage], is_alone: bool) -> Vec<RuleOutcome> {
    let mut teams: Vec<&str> = pages.iter().map(|page| page.team.as_str()).collect();
    teams.dedup();
    let checks = teams.iter().filter_map(|team| {
        let ways = |stage| {
            let page = pages.iter().find(|page| page.team == *team && page.stage == stage && !page.drill);
            page.and_then(|page| page.destinations.as_ref().ok())
        };
        // Which way is not known is said with the route.
        Some(of_team(team, ways(Stage::Page)?, ways(Stage::Escalation)?, is_alone))
    });
    checks.chain(drills(pages)).collect()
}

/// Who pages a team.
fn of_team(team: &str, page: &[Destination], escalation: &[Destination], is_alone: bool) -> RuleOutcome {
    let team = inert(team);
    let name = format!("paging:team:{team}");
    let (of_page, of_escalation) = (named(page), named(escalation));
    let mute: Vec<&Destination> = match (pages_somebody(page), pages_somebody(escalation)) {
        (true, true) => {
            let escalated = match of_page == of_escalation {
                true => String::new(),
                false => format!(", and where nobody answers by {of_escalation}"),
            };
            return pass(&name, format!("{team} is paged by {of_page}{escalated}"));
        }
        (false, true) => page.iter().collect(),
        (true, false) => escalation.iter().collect(),
        (false, false) => page.iter().chain(escalation).collect(),
    };
    let what = match (pages_somebody(page), pages_somebody(escalation)) {
        (false, true) => format!("the first page of {team} reaches nobody"),
        (true, false) => format!("{team} is paged by {of_page}, and its escalation reaches nobody"),
        _ => format!("no page of {team} reaches anybody"),
    };
    let mut whys: Vec<String> = Vec::new();
    for way in mute {
        let receiver = named(std::slice::from_ref(way));
        let why = match way.integrations {
            Some(_) => format!("{receiver} has no integrations"),
            None => format!("the configuration shows no {receiver}"),
        };
        if !whys.contains(&why) {
            whys.push(why);
        }
    }
    let hint = format!(
        "in the Alertmanager's configuration give that receiver an integration, such as `webhook_configs`, or have the matchers of the right route fit team=\"{team}\": look whether the team is spelt so there"
    );
    let message = format!("{what}: {}", whys.join(", and "));
    // What is not understood may page somebody.
    let is_sure = page.iter().chain(escalation).all(|way| way.integrations == Some(0));
    if is_alone && is_sure { fail(&name, message, hint) } else { warn(&name, message, hint) }
}

/// Whether one of these ways ends at somebody.
fn pages_somebody(ways: &[Destination]) -> bool {
    ways.iter().any(|way| way.integrations.is_some_and(|count| count > 0))
}

/// The receivers of these ways, each once.
fn named(ways: &[Destination]) -> String {
    let mut names: Vec<String> = Vec::new();
    for way in ways {
        let kind = if way.is_topmost { "the default receiver" } else { "receiver" };
        let name = format!("{kind} `{}`", shorten(&way.receiver, NAME_SHOWN));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" and ")
}

/// Who would be woken by a drill: nobody, unless that is wanted, and then not those whom a real page does.
fn drills(pages: &[RoutedPage]) -> Option<RuleOutcome> {
    const NAME: &str = "paging:drills";
    let ways = |drill: bool| {
        let pages = pages.iter().filter(move |page| page.drill == drill);
        pages.flat_map(|page| page.destinations.iter().flatten().map(move |way| (page.team.as_str(), way)))
    };
    if !pages.iter().any(|page| page.drill) {
        let is_routed = ways(false).next().is_some();
        return is_routed.then(|| pass(NAME, "a drill pages nobody (`paging.drills`)"));
    }
    let wakes = |way: &Destination| {
        pages_somebody(std::slice::from_ref(way)) && ways(false).any(|(_, real)| real.receiver == way.receiver)
    };
    let (mut teams, mut woken): (Vec<String>, Vec<Destination>) = (Vec::new(), Vec::new());
    for (team, way) in ways(true).filter(|(_, way)| wakes(way)) {
        let team = inert(team);
        if !teams.contains(&team) {
            teams.push(team);
        }
        woken.push(way.clone());
    }
    let all: Vec<Destination> = ways(true).map(|(_, way)| way.clone()).collect();
    match (woken.is_empty(), all.is_empty()) {
        // Which way is not known is said with the route.
        (true, true) => None,
        (true, false) => Some(pass(NAME, format!("pages about drills go to {}", named(&all)))),
        (false, _) => Some(warn(
            NAME,
            format!(
                "a drill wakes people as an emergency does: its pages of {} go to {}, to which real ones go too",
                teams.join(", "),
                named(&woken)
            ),
            "put a route for drills before the others, with drill=\"true\" among its matchers and a receiver of its own; or set `paging.drills = false`: then a drill pages nobody",
        )),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::rules::Outcome;

    /// A way to a receiver with so many integrations; a name with an asterisk is that of the topmost route.
    fn way(receiver: &str, integrations: Option<usize>) -> Destination {
        Destination {
            receiver: receiver.trim_end_matches('*').to_owned(),
            integrations,
            is_topmost: receiver.ends_with('*'),
            lacking: vec![],
            wait: SignedDuration::ZERO,
            mute: vec![],
        }
    }

    fn page(team: &str, stage: Stage, drill: bool, ways: &[Destination]) -> RoutedPage {
        RoutedPage { team: team.to_owned(), stage, drill, inhibited_by: Vec::new(), destinations: Ok(ways.to_vec()) }
    }

    /// What is said of a team whose page and escalation go these ways.
    fn team(first: &[Destination], then: &[Destination]) -> (Outcome, String) {
        let pages = [page("releng", Stage::Page, false, first), page("releng", Stage::Escalation, false, then)];
        let check = receivers(&pages, true).remove(0);
        assert_eq!((check.name.as_str(), check.hint.is_some()), ("paging:team:releng", check.outcome != Outcome::Pass));
        (check.outcome, check.message)
    }

    #[test]
    fn who_pages_a_team_is_named() {
        let (own, default) = ([way("releng-pager", Some(1))], [way("mail*", Some(2))]);
        assert_eq!(team(&own, &own), (Outcome::Pass, "releng is paged by receiver `releng-pager`".into()));
        assert_eq!(
            team(&own, &default),
            (
                Outcome::Pass,
                "releng is paged by receiver `releng-pager`, and where nobody answers by the default receiver `mail`"
                    .into()
            )
        );
        let both = [way("log", Some(0)), way("pa\u{202e}ger", Some(1))];
        let (outcome, said) = team(&both, &both);
        assert_eq!(
            (outcome, said.as_str()),
            (Outcome::Pass, "releng is paged by receiver `log` and receiver `pa\\u{202e}ger`")
        );
    }

    #[test]
    fn a_team_that_no_page_reaches_fails_and_one_that_some_do_is_warned_of() {
        let (own, empty) = ([way("releng-pager", Some(1))], [way("nobody*", Some(0))]);
        let (outcome, said) = team(&empty, &empty);
        assert_eq!(
            (outcome, said.as_str()),
            (Outcome::Fail, "no page of releng reaches anybody: the default receiver `nobody` has no integrations")
        );
        let pages = [page("releng", Stage::Page, false, &empty), page("releng", Stage::Escalation, false, &empty)];
        assert_eq!(receivers(&pages, false)[0].outcome, Outcome::Warn, "another pager may reach them");
        let odd = [way("odd", None)];
        assert_eq!(team(&odd, &empty).0, Outcome::Warn, "what is not understood may page somebody");
        assert_eq!(
            team(&own, &empty).1,
            "releng is paged by receiver `releng-pager`, and its escalation reaches nobody: the default receiver `nobody` has no integrations"
        );
        let gone = [way("gone", None)];
        assert_eq!(
            team(&gone, &own).1,
            "the first page of releng reaches nobody: the configuration shows no receiver `gone`"
        );
    }

    #[test]
    fn a_drill_that_wakes_whom_an_emergency_wakes_is_warned_of() {
        let of = |drill: Option<&[Destination]>| {
            let mut pages = vec![page("sre", Stage::Page, false, &[way("pager", Some(1))])];
            pages.extend(drill.map(|ways| page("sre", Stage::Page, true, ways)));
            let check = receivers(&pages, true).pop().unwrap();
            assert_eq!(check.name, "paging:drills");
            (check.outcome, check.message)
        };
        assert_eq!(of(None), (Outcome::Pass, "a drill pages nobody (`paging.drills`)".into()));
        let apart = of(Some(&[way("drills", Some(1))]));
        assert_eq!(apart, (Outcome::Pass, "pages about drills go to receiver `drills`".into()));
        let (outcome, said) = of(Some(&[way("drills", Some(1)), way("pager", Some(1))]));
        assert_eq!(outcome, Outcome::Warn);
        assert!(said.contains("its pages of sre go to receiver `pager`, to which real ones go too"), "{said}");
    }
}
