//! Which route the pages of a site take at an Alertmanager, and what that does with them, by the configuration that it shows.
//!
//! Responsible for the pages that may be sent, each with the labels that it would have. What is not understood is said, and is never taken for
//! good. Not responsible for asking for the configuration, nor for what receivers do.

mod inhibition;
mod interval;
mod matcher;
mod receivers;
mod tree;
mod yaml;

use jiff::SignedDuration;

use self::inhibition::Inhibitions;
use self::interval::Intervals;
pub use self::interval::{Mute, MuteKind};
use self::matcher::LabelSet;
pub use self::matcher::MatcherError;
use self::receivers::Receivers;
use self::tree::Route;
pub use self::yaml::YamlError;
use super::alertmanager::NAME;
use super::page::Stage;

/// Why it is not known which way pages take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The configuration cannot be read.
    #[error("its configuration cannot be read: {0}")]
    Yaml(#[from] YamlError),
    /// There is no route in it.
    #[error("its configuration has no route")]
    None,
    /// A part of it is written in no form that is known.
    #[error("`{0}` of a route is not understood")]
    Form(&'static str),
    /// Whether a route is taken hangs on this.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
}

/// A kind of page, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedPage {
    /// The key of the team that is paged.
    pub team: String,
    /// The step of its ladder.
    pub stage: Stage,
    /// Whether it is about a drill.
    pub drill: bool,
    /// While which other alerts it may be mute, in the words of the configuration.
    pub inhibited_by: Vec<String>,
    /// Where it goes: once, or more often where a route says `continue`.
    pub destinations: Result<Vec<Destination>, RouteError>,
}

/// What a route that is taken does with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The name of its receiver, as the configuration writes it.
    pub receiver: String,
    /// How many integrations the receiver has: whoever has none pages nobody. `None` where the configuration shows no such receiver.
    pub integrations: Option<usize>,
    /// Whether it is the topmost route, since none of those below it matches.
    pub is_topmost: bool,
    /// The labels that its `group_by` lacks, so that pages which differ in them alone are made one; empty where each is kept apart.
    pub lacking: Vec<&'static str>,
    /// How long it waits before a page goes out (`group_wait`).
    pub wait: SignedDuration,
    /// When it says nothing to its receiver.
    pub mute: Vec<Mute>,
}

impl Destination {
    /// Whether it has each page go out by itself, at once and at any time.
    pub fn is_right(&self) -> bool {
        self.lacking.is_empty() && self.wait.is_zero() && self.mute.is_empty()
    }
}

/// Where the pages of a site go, for each of these teams; those about drills too, where they are sent.
///
/// # Errors
/// Where the configuration cannot be read as a whole.
pub fn routed(configuration: &str, site: &str, teams: &[&str], drills: bool) -> Result<Vec<RoutedPage>, RouteError> {
    let configuration = yaml::read(configuration)?;
    let (receivers, intervals) = (Receivers::read(&configuration), Intervals::read(&configuration));
    let root = Route::read(configuration.get("route").ok_or(RouteError::None)?, &intervals)?;
    let inhibitions = Inhibitions::read(&configuration)?;
    let stages = Stage::ALL.into_iter().filter(|stage| !stage.is_said());
    let page = |team: &str, stage: Stage, drill: bool| {
        let labels = labels(site, team, stage, drill);
        let found = root.destinations(&labels, &receivers);
        let destinations = found.and_then(|found| if found.is_empty() { Err(RouteError::None) } else { Ok(found) });
        RoutedPage { team: team.to_owned(), stage, drill, inhibited_by: inhibitions.of(&labels), destinations }
    };
    let of_team = |team: &str| {
        let kinds = [false, true].into_iter().filter(|drill| drills || !drill);
        let kinds = kinds.flat_map(|drill| stages.clone().map(move |stage| (stage, drill)));
        kinds.map(|(stage, drill)| page(team, stage, drill)).collect::<Vec<_>>()
    };
    Ok(teams.iter().flat_map(|team| of_team(team)).collect())
}

/// The labels of a page about some task.
fn labels(site: &str, team: &str, stage: Stage, drill: bool) -> LabelSet {
    let labels = [
        ("alertname", NAME),
        ("site", site),
        ("task", "T1234"),
        ("episode", "5678"),
        ("team", team),
        ("round", "1"),
        ("stage", stage.word()),
        ("severity", stage.severity()),
        ("drill", if drill { "true" } else { "false" }),
    ];
    labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paging::alertmanager::LABELS;

    const SITE: &str = "phab.example";

    /// Where the pages of sre go, as `receiver wait lacking`, the page and the escalation apart.
    fn went(configuration: &str) -> Vec<String> {
        let one = |destination: Destination| {
            let Destination { receiver, lacking, wait, mute, .. } = destination;
            let mute: String = mute.iter().map(|mute| format!(" {mute}")).collect();
            format!(
                "{receiver} {}s {}{mute}",
                wait.as_secs(),
                if lacking.is_empty() { "apart".to_owned() } else { lacking.join(",") }
            )
        };
        let page = |page: RoutedPage| match page.destinations {
            Ok(found) => found.into_iter().map(one).collect::<Vec<_>>().join("; "),
            Err(why) => why.to_string(),
        };
        routed(configuration, SITE, &["sre"], false).unwrap().into_iter().map(page).collect()
    }

    /// The same where both go one way.
    fn way(configuration: &str) -> String {
        let went = went(configuration);
        assert_eq!(went[0], went[1], "{configuration}");
        went[0].clone()
    }

    fn below(routes: &str) -> String {
        format!("route:\n  receiver: mail\n  group_by: [alertname]\n  group_wait: 1m\n  routes:\n{routes}")
    }

    #[test]
    fn the_labels_are_those_that_are_sent() {
        let labels = labels(SITE, "sre", Stage::Page, false);
        let mut known = LABELS;
        known.sort_unstable();
        assert_eq!(labels.into_keys().collect::<Vec<_>>(), known);
    }

    #[test]
    fn pages_are_kept_apart_by_all_labels_or_by_those_of_their_key() {
        let root = |lines: &str| way(&format!("route: {{receiver: hook, {lines}}}"));
        assert_eq!(root("group_by: ['...'], group_wait: 0s"), "hook 0s apart");
        assert_eq!(root("group_by: [site, task, episode, team, round, stage, drill]"), "hook 30s apart");
        assert_eq!(
            root("group_by: [site, task, episode, team, round, severity, drill], group_wait: 90s"),
            "hook 90s apart"
        );
        assert_eq!(root("group_by: [task, team, stage]"), "hook 30s site,episode,round,drill");
        assert_eq!(root(""), "hook 30s site,task,episode,team,round,stage,drill", "without it all is one group");
        assert_eq!(way("route: {group_by: ['...']}"), " 30s apart");
    }

    #[test]
    fn the_first_route_that_matches_is_taken_and_inherits_what_it_does_not_set() {
        let pages = "  - {matchers: [alertname=\"EmergencyDeployApproval\"], receiver: pages, group_by: ['...'], group_wait: 0s}\n";
        let other = "  - {matchers: [alertname=\"DiskFull\"], group_by: ['...'], group_wait: 0s}\n";
        assert_eq!(way(&below(pages)), "pages 0s apart");
        // One that keeps apart is there, and is not taken.
        assert_eq!(way(&below(other)), "mail 60s site,task,episode,team,round,stage,drill");
        assert_eq!(way(&below(&format!("{other}{pages}"))), "pages 0s apart");
        let all = "  - {receiver: all}\n";
        assert_eq!(way(&below(&format!("{all}{pages}"))), "all 60s site,task,episode,team,round,stage,drill");
        let more = all.replace('}', ", continue: true}");
        assert_eq!(
            way(&below(&format!("{more}{pages}{other}"))),
            "all 60s site,task,episode,team,round,stage,drill; pages 0s apart"
        );
        // What is matched above has one value below; an empty list sets nothing.
        let nested = "  - matchers: ['team=\"sre\"', 'site=\"phab.example\"']\n    group_by: [task, episode, round, stage, drill]\n    routes:\n    - {group_by: [], receiver: sre}\n";
        assert_eq!(way(&below(nested)), "sre 60s apart");
    }

    #[test]
    fn each_stage_takes_its_own_route() {
        let routes = "  - {match: {severity: critical}, receiver: pager, group_by: ['...'], group_wait: 0s}\n  - {match_re: {stage: p.+, team: sr|x}, receiver: mail, group_by: ['...']}\n";
        assert_eq!(went(&below(routes)), ["mail 60s site,task,episode,team,round,stage,drill", "pager 0s apart"]);
        assert_eq!(went(&below(&routes.replace("sr|x", "sre|x"))), ["mail 60s apart", "pager 0s apart"]);
    }

    #[test]
    fn a_route_that_may_be_mute_says_so_and_those_below_it_do_not() {
        let routes = "  - receiver: pages\n    mute_time_intervals: [nights]\n    group_by: ['...']\n";
        assert_eq!(way(&below(routes)), "pages 60s apart mute in `nights`");
        assert_eq!(way(&below(&format!("{routes}    routes: [{{receiver: sre}}]\n"))), "sre 60s apart");
        assert_eq!(way(&below(&routes.replace("mute_", "active_"))), "pages 60s apart mute but in `nights`");
    }

    #[test]
    fn what_is_not_understood_is_said_and_only_where_something_hangs_on_it() {
        let strange = "  - {matchers: ['team=~\"(\"'], receiver: a}\n";
        assert_eq!(way(&below(strange)), "the matcher `team=~\"(\"` is not understood");
        // Something else in the route does not hold, or the route before it was taken.
        let apart = "  - {matchers: ['team=~\"(\"', team=releng], receiver: a}\n";
        assert!(way(&below(apart)).starts_with("mail"));
        assert!(way(&below(&format!("  - {{receiver: first}}\n{strange}"))).starts_with("first"));
        assert_eq!(way("route: {group_wait: soon}"), "`group_wait` of a route is not understood");
        let whole = |text: &str| routed(text, SITE, &["sre"], false).unwrap_err().to_string();
        assert_eq!(whole("global: {}"), "its configuration has no route");
        assert_eq!(whole("route: [a]"), "`route` of a route is not understood");
        assert_eq!(whole("route: {routes: a}"), "`routes` of a route is not understood");
        assert!(whole("route: [").starts_with("its configuration cannot be read: it is no YAML"));
        assert_eq!(routed("route: {receiver: a}", SITE, &[], true), Ok(vec![]));
    }

    #[test]
    fn a_configuration_as_an_alertmanager_writes_it_is_read() {
        let text = "global:\n  resolve_timeout: 5m\nroute:\n  receiver: hook\n  group_by:\n  - alertname\n  continue: false\n  routes:\n  - receiver: pages\n    group_by:\n    - '...'\n    matchers:\n    - alertname=\"EmergencyDeployApproval\"\n    - site!~\"x\\\\.y\"\n    - stage!=\"asked\"\n    - team=~\"sre|releng\"\n    mute_time_intervals:\n    - nights\n    continue: true\n    group_wait: 0s\n  - receiver: hook\n    match:\n      team: security\n    match_re:\n      stage: esc.*\n    continue: false\n  group_wait: 1m\nreceivers:\n- name: hook\n- name: pages\ntemplates: []\n";
        assert_eq!(way(text), "pages 0s apart mute in `nights`");
        assert!(routed(text, SITE, &["security"], false).unwrap().iter().all(|page| {
            page.destinations
                .as_ref()
                .is_ok_and(|found| found[0].receiver == "hook" && found[0].wait == SignedDuration::from_mins(1))
        }));
    }

    #[test]
    fn a_receiver_is_known_by_its_integrations_and_the_topmost_route_by_none_below_it_matching() {
        let receivers = "receivers:\n- name: mail\n- name: pages\n  webhook_configs:\n  - {url: 'http://a.example/'}\n  email_configs: [{to: a}, {to: b}]\n";
        let pages =
            "  - {matchers: [team=\"sre\"], receiver: pages}\n  - {matchers: [team=\"security\"], receiver: gone}\n";
        let configuration = below(pages) + receivers;
        let of = |team| {
            let routed = routed(&configuration, SITE, &[team], false).unwrap().remove(0);
            let found = routed.destinations.unwrap().remove(0);
            (found.receiver, found.integrations, found.is_topmost)
        };
        assert_eq!(of("sre"), ("pages".into(), Some(3), false));
        assert_eq!(of("releng"), ("mail".into(), Some(0), true));
        assert_eq!(of("security"), ("gone".into(), None, false));
    }

    #[test]
    fn pages_of_drills_go_by_their_own_label() {
        let routes = "  - {matchers: [drill=\"true\"], receiver: drills}\n";
        let pages = routed(&below(routes), SITE, &["sre"], true).unwrap();
        let went = |page: RoutedPage| (page.drill, page.destinations.unwrap().remove(0).receiver);
        let went: Vec<_> = pages.into_iter().map(went).collect();
        let (real, drill) = ((false, "mail".to_owned()), (true, "drills".to_owned()));
        assert_eq!(went, [real.clone(), real, drill.clone(), drill]);
        assert!(routed(&below(routes), SITE, &["sre"], false).unwrap().iter().all(|page| !page.drill));
    }

    proptest! {
        #[test]
        fn no_configuration_makes_it_panic(
            text in "(route:|routes:|- |  |\\n|\\[|\\]|\\{|\\}|matchers:|group_by:|match_re:|[a-z\"'=~!:,&*|>\\\\]|\\PC){0,60}",
        ) {
            let _ = routed(&text, SITE, &["sre"], true);
            let _ = routed(&format!("route:\n  matchers: [{text}]\n"), SITE, &["sre"], true);
            let _ = routed(&format!("route: {{receiver: a}}\nreceivers: {text}\ntime_intervals: {text}\n"), SITE, &["sre"], true);
        }
    }
}
