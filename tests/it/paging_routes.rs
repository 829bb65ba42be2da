//! Which route pages take at a real Alertmanager: what `doctor` says of it, and what `amtool` says.

use std::process::Command;

use phabgate::paging::{Stage, routed};
use serde_json::Value;

use crate::harness::http;
use crate::pagers::{Alertmanager, Pager};
use crate::paging::tables;
use crate::watching::Watching;

const SITE: &str = "phab.example";

/// What doctor says of an Alertmanager, each check with its outcome.
fn said(alertmanager: &Alertmanager) -> Vec<(String, String)> {
    let checks = all_said(&alertmanager.url, "").into_iter().filter(|check| check.0 == "paging:alertmanager");
    checks.map(|(_, outcome, message, _)| (outcome, message)).collect()
}

/// What doctor says of paging: each check with its outcome, its message and its hint.
fn all_said(url: &str, more: &str) -> Vec<(String, String, String, String)> {
    let watching = Watching::with(&tables(Some(url), None, more));
    let output = watching.command(&["doctor", "--format", "json"]).output().unwrap();
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = page["checks"].as_array().unwrap().iter();
    let checks =
        checks.map(|check| (text(check, "name"), text(check, "outcome"), text(check, "message"), text(check, "hint")));
    checks.filter(|check| check.0.starts_with("paging:")).collect()
}

#[test]
fn doctor_names_who_pages_a_team_and_whom_a_drill_would_wake() {
    let hook = Pager::new();
    // The second team is misspelt, so that its pages fall to the topmost route; the first is mute at night.
    let route = "group_by: ['...'], group_wait: 0s, routes: [\
                 { receiver: hook, matchers: ['team=\"sre\"'], mute_time_intervals: [nights] }, \
                 { receiver: hook, matchers: ['team=\"relneg\"'] }]";
    let Some(alertmanager) = Alertmanager::start_with(&hook.url, "nobody", route, NIGHTS) else { return };
    let checks = all_said(&alertmanager.url, "drills = true\n");
    let of = |name: &str| {
        let found = checks.iter().find(|check| check.0 == name).unwrap_or_else(|| panic!("{checks:?}"));
        (found.1.as_str(), found.2.as_str(), found.3.as_str())
    };
    assert_eq!(of("paging:team:sre"), ("pass", "sre is paged by receiver `hook`", ""));
    let (outcome, message, hint) = of("paging:team:releng");
    assert_eq!(
        (outcome, message),
        ("fail", "no page of releng reaches anybody: the default receiver `nobody` has no integrations")
    );
    assert!(hint.contains("fit team=\"releng\""), "{hint}");
    let (outcome, message, hint) = of("paging:drills");
    assert!(outcome == "warn" && message.contains("its pages of sre go to receiver `hook`"), "{message}");
    assert!(hint.contains("`paging.drills = false`"), "{hint}");
    let (outcome, message, hint) = of("paging:alertmanager");
    assert!(outcome == "warn" && message.contains("is mute in `nights` (22:00 to 24:00): page of sre,"), "{message}");
    assert!(hint.contains("take mute_time_intervals from the route to hook"), "{hint}");
    assert!(hook.calls().is_empty(), "nobody was paged");
}

/// An interval.
const NIGHTS: &str =
    "time_intervals: [{ name: nights, time_intervals: [{ times: [{ start_time: '22:00', end_time: '24:00' }] }] }]";

#[test]
fn an_alertmanager_that_is_asked_in_another_protocol_is_named_as_that() {
    let hook = Pager::new();
    let of = |url: &str| all_said(url, "").into_iter().find(|check| check.0 == "paging:alertmanager").unwrap();
    let (_, outcome, message, _) = of(&hook.url.replace("http:", "https:"));
    assert!(
        outcome == "fail" && message.contains("perhaps the port is one for http://, not for https://"),
        "{message}"
    );
    let Some(alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...']") else { return };
    let (_, outcome, message, _) = of(&alertmanager.url.replace("http:", "https:"));
    assert!(outcome == "fail" && message.contains("speaks no TLS: the port is one for http://"), "{message}");
}

#[test]
fn doctor_names_the_route_that_folds_and_whose_pages_take_it_though_another_keeps_apart() {
    let hook = Pager::new();
    let apart = |matcher: &str| {
        let below = format!("matchers: ['{matcher}'], receiver: hook, group_by: ['...'], group_wait: 0s");
        format!("group_by: [alertname, task], group_wait: 30s, routes: [{{ {below} }}]")
    };
    let Some(alertmanager) = Alertmanager::start(&hook.url, &apart("stage=\"escalation\"")) else { return };
    let checks = said(&alertmanager);
    let [(outcome, message)] = &checks[..] else { panic!("{checks:?}") };
    assert_eq!(outcome, "warn");
    assert!(
        message.contains("the route to hook makes one page of several, since its group_by lacks site, episode, team,")
            && message.contains(", and pages 30 s late (group_wait): ")
            && message.contains("page of sre")
            && !message.contains("escalation of"),
        "{message}"
    );
    // The same two routes, and these pages take the one that keeps apart.
    let alertmanager = Alertmanager::start(&hook.url, &apart("alertname=\"EmergencyDeployApproval\"")).unwrap();
    let checks = said(&alertmanager);
    assert!(matches!(&checks[..], [(outcome, _)] if outcome == "pass"), "{checks:?}");
    assert!(hook.calls().is_empty(), "nobody was paged");
}

/// Routes below one to `hook`, each with what an Alertmanager reads in its own way.
const ROUTES: [&str; 9] = [
    "{ receiver: nobody, matchers: ['team=\"sre\"'] }",
    "{ receiver: nobody, matchers: [team=~s.], continue: true }, { receiver: hook, matchers: ['severity=critical'] }",
    "{ receiver: nobody, matchers: ['team=~\"s.e|rel.*\"', stage!=page], continue: true }, { receiver: hook }",
    "{ receiver: nobody, match: { team: releng }, match_re: { stage: esc.* } }",
    "{ matchers: ['site!~\"phab\\\\.(example|test)\"'], receiver: nobody }, { matchers: ['cluster=\"\"'], receiver: nobody, routes: [{ matchers: [ 'team!=\"sre\"' ], receiver: hook }] }",
    "{ receiver: nobody, matchers: ['{drill=\"true\"}'] }, { receiver: nobody, matchers: ['{team=\"sre\", severity=\"page\",}'] }",
    "{ matchers: ['alertname=~\"^Emergency.*$\"'], routes: [{ receiver: nobody, matchers: ['round!~\"[0-9]+\"'] }] }",
    "{ receiver: nobody, match: { cluster: '' }, match_re: { team: 'sre' }, continue: true }, { receiver: nobody, match_re: { nothing: .+ } }",
    "{ receiver: nobody, matchers: ['task=~\"T\\\\d+\"', 'team=\"s\\\"re\"'] }, { receiver: nobody, continue: true, routes: [{ matchers: [stage=page], continue: true }] }",
];

#[test]
fn the_routes_are_those_that_amtool_names() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_there = Command::new("amtool").arg("--version").output().is_ok();
    for below in ROUTES {
        let route = format!("group_by: ['...'], group_wait: 0s, routes: [{below}]");
        let Some(alertmanager) = Alertmanager::start("http://127.0.0.1:9/", &route) else { return };
        assert!(is_there || std::env::var_os("CI").is_none(), "amtool comes with the Alertmanager");
        let status = format!("{}api/v2/status", alertmanager.url);
        let status: Value = runtime.block_on(async { http().get(status).send().await.unwrap().json().await.unwrap() });
        let pages = routed(status["config"]["original"].as_str().unwrap(), SITE, &["sre", "releng"], true).unwrap();
        assert_eq!(pages.len(), 8);
        for page in pages {
            let found = page.destinations.unwrap_or_else(|why| panic!("{below}: {why}"));
            let found: Vec<_> = found.into_iter().map(|destination| destination.receiver).collect();
            if !is_there {
                continue;
            }
            let labels = [
                ("alertname", "EmergencyDeployApproval"),
                ("site", SITE),
                ("task", "T1234"),
                ("episode", "5678"),
                ("team", &page.team),
                ("round", "1"),
                ("stage", page.stage.word()),
                ("severity", if page.stage == Stage::Page { "page" } else { "critical" }),
                ("drill", if page.drill { "true" } else { "false" }),
            ];
            let file = format!("--config.file={}", alertmanager.configuration().display());
            let mut amtool = Command::new("amtool");
            amtool.args(["config", "routes", "test", &file]);
            amtool.args(labels.map(|(name, value)| format!("{name}={value}")));
            let output = amtool.output().unwrap();
            let named = String::from_utf8(output.stdout).unwrap();
            assert_eq!(found.join(","), named.trim(), "{below}: {} of {}", page.stage.word(), page.team);
        }
    }
}
