//! Paging: who is woken, when, once, and until when; by the service and by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use phabgate::crash;
use phabgate::ids::DeployId;
use phabgate::record::comment::render;
use phabgate::record::{Record, SCHEMA};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::pagers::{Alertmanager, Mood, Pager, notified};
use crate::watching::{Watching, until, until_within};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A file of this text, which nobody else reads.
pub(crate) fn secret(directory: &tempfile::TempDir) -> String {
    let path = directory.path().join("pager-secret");
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The tables of paging: pages after a second, the next stage long after.
pub(crate) fn tables(alertmanager: Option<&str>, webhook: Option<(&str, &str)>, more: &str) -> String {
    let alertmanager = alertmanager.map(|url| format!("alertmanager = \"{url}\"\n")).unwrap_or_default();
    let webhook = webhook
        .map(|(url, secret)| format!("[paging.webhook]\nurl = \"{url}\"\nsecret = \"{secret}\"\n"))
        .unwrap_or_default();
    format!(
        "[paging]\n{alertmanager}for = [\"deployer1\"]\npage_after = \"1s\"\nescalate_after = \"20m\"\n{more}\n{webhook}"
    )
}

/// The pages of a webhook, each key with what was sent of it, in order.
pub(crate) fn by_key(pager: &Pager) -> BTreeMap<String, Vec<String>> {
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (event, key) in pager.events() {
        by_key.entry(key).or_default().push(event);
    }
    by_key
}

fn fired(pager: &Pager, task: &str, team: &str) -> bool {
    pager.alerts().iter().any(|alert| alert.is_about(task, team) && alert.is_firing)
}

fn resolved(pager: &Pager, task: &str, team: &str) -> bool {
    pager.alerts().iter().rfind(|alert| alert.is_about(task, team)).is_some_and(|alert| !alert.is_firing)
}

#[test]
fn each_missing_team_is_paged_once_through_each_pager_and_resolved_with_its_approval() {
    let (alertmanager, webhook) = (Pager::new(), Pager::new());
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let hook = format!("{}hook?to=all", webhook.url);
    let names = directory.path().join("on-call");
    std::fs::write(&names, "sre2\n").unwrap();
    let on_call = format!("[oncall.sre]\nfile = {names:?}");
    let watching = Watching::with(&(tables(Some(&alertmanager.url), Some((&hook, &secret)), "") + &on_call));
    let task = watching.emergency("All page views fail");
    until("paged", || {
        fired(&alertmanager, &task, "sre") && fired(&alertmanager, &task, "releng") && webhook.events().len() == 2
    });
    until("shown", || {
        let page = watching.get(&task).text;
        page.contains("On call") && page.contains("Paged ")
    });
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("releng can sleep", || resolved(&alertmanager, &task, "releng") && webhook.events().len() == 3);
    assert!(!resolved(&alertmanager, &task, "sre"), "sre is still needed");
    watching.site.edit("deployer1", &task, "status", "resolved");
    until("all can sleep", || resolved(&alertmanager, &task, "sre") && webhook.events().len() == 4);
    let identities: BTreeSet<_> = alertmanager.alerts().iter().map(|alert| alert.identity()).collect();
    assert_eq!(identities.len(), 2, "one alert a team: {identities:?}");
    let alerts = alertmanager.alerts();
    let sre = alerts.iter().find(|alert| alert.is_about(&task, "sre")).unwrap();
    let labels = |name: &str| sre.labels[name].as_str();
    assert_eq!((labels("stage"), labels("round"), labels("drill")), ("page", "1", "false"));
    assert_eq!(sre.annotations["people"], "sre2");
    let events = by_key(&webhook);
    assert!(events.values().all(|events| *events == ["trigger", "resolve"]), "{events:?}");
    for call in webhook.calls() {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&call.bytes);
        let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((call.signature.as_deref(), call.path.as_str()), (Some(signature.as_str()), "/hook?to=all"));
        assert!(!String::from_utf8_lossy(&call.bytes).contains("page views"), "no text of the task");
    }
    // A pager hears of it before the service counts it.
    until("counted", || {
        let metrics = watching.get("metrics").text;
        ["phabgate_serve_pages_fired_total 4", "phabgate_serve_pages_resolved_total 4"]
            .iter()
            .all(|line| metrics.contains(line))
    });
}

#[test]
fn a_slot_that_empties_again_is_another_round() {
    let alertmanager = Pager::new();
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, "").replace("\"1s\"", "\"15s\""));
    let task = watching.emergency("All page views fail");
    until("pending", || watching.verdict(&task) == "pending");
    watching.approve(&task);
    until("allowed", || watching.verdict(&task) == "allowed");
    watching.comment("sre1", &task, "Emergency-Withdraw: sre");
    until("paged", || fired(&alertmanager, &task, "sre"));
    let alerts = alertmanager.alerts();
    assert!(alerts.iter().all(|alert| alert.labels["round"] == "2" && alert.is_about(&task, "sre")), "{alerts:?}");
}

#[test]
fn an_outsider_wakes_nobody_and_neither_does_a_drill() {
    let webhook = Pager::new();
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let watching = Watching::with(&tables(None, Some((&webhook.url, &secret)), ""));
    let tag = watching.tag();
    let edit = |who: &str, task: &str, kind: &str| {
        let edit = json!({"objectIdentifier": task, "transactions": [{"type": kind, "value": [tag]}]});
        watching.site.call(who, "maniphest.edit", edit);
    };
    let mut theirs = Vec::new();
    for number in 0..50 {
        let task = watching.site.task("outsider", &format!("Wake up {number}"));
        watching.site.edit("outsider", &task, "description", "Emergency-Reason: availability - it is down");
        for kind in ["projects.add", "projects.remove", "projects.add"] {
            edit("outsider", &task, kind);
        }
        theirs.push(task);
    }
    let drill = watching.site.task("deployer1", "As if all page views failed");
    watching.site.edit("deployer1", &drill, "description", "Emergency-Reason: availability - x\nEmergency-Drill: yes");
    edit("deployer1", &drill, "projects.add");
    let looked_at = || theirs.iter().chain([&drill]).all(|task| watching.verdict(task) == "pending");
    until("looked at", looked_at);
    // All of these were due before this one is.
    let real = watching.emergency("All page views fail");
    until("paged", || webhook.events().len() == 2);
    let keys: Vec<String> = webhook.events().into_iter().map(|(_, key)| key).collect();
    assert!(keys.iter().all(|key| key.contains(&format!("/{real}/"))), "{keys:?}");
}

#[test]
fn that_somebody_who_could_not_have_deployed_says_so_ends_no_page() {
    let alertmanager = Pager::new();
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, ""));
    let task = watching.emergency("All page views fail");
    until("paged", || ["sre", "releng"].iter().all(|team| fired(&alertmanager, &task, team)));
    let outsider = watching.site.call("outsider", "user.whoami", json!({}));
    for event in ["recorded", "finished"] {
        let record = json!({
            "schema": SCHEMA, "deploy": DeployId::fresh().to_string(), "event": event, "task": task,
            "deployer": {"user": "sre1", "phid": outsider["phid"], "source": "token"}, "host": "deploy1",
            "policy": "0", "version": "0", "verdict": "allowed", "outcome": "succeeded", "approvals": [],
        });
        let record: Record = serde_json::from_value(record).unwrap();
        watching.comment("outsider", &task, &render(&record).unwrap());
    }
    // What comes after it is heeded.
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("releng can sleep", || resolved(&alertmanager, &task, "releng"));
    assert!(!resolved(&alertmanager, &task, "sre"), "nothing was deployed");
    let page = watching.get(&task).text;
    assert!(!page.contains("Succeeded") && !page.contains("succeeded"), "{page}");
}

#[test]
fn whom_no_pager_could_reach_is_paged_once_one_can() {
    let alertmanager = Pager::new();
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, ""));
    alertmanager.is(Mood::Refuses(400));
    let task = watching.emergency("All page views fail");
    until("tried", || watching.has_logged("the page of sre: the Alertmanager pages nobody yet"));
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    let is_missing = || watching.get(&task).text.contains("Emergency-Approve: sre");
    until("sre has approved", || !is_missing());
    watching.comment("sre1", &task, "Emergency-Withdraw: sre");
    until("sre is missing again", is_missing);
    alertmanager.is(Mood::Takes);
    until("sre is paged", || fired(&alertmanager, &task, "sre"));
}

#[test]
fn a_no_ends_all_pages_and_an_answer_holds_those_of_its_team() {
    let alertmanager = Pager::new();
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, "").replace("\"1s\"", "\"8s\""));
    let held = watching.emergency("All page views fail");
    until("pending", || watching.verdict(&held) == "pending");
    watching.comment("sre1", &held, "I am looking at it.");
    until("paged", || fired(&alertmanager, &held, "releng"));
    let page = watching.get(&held).text;
    assert!(page.contains("has seen it"), "{page}");
    watching.comment("sec1", &held, "Emergency-Reject: security - wait");
    until("resolved", || resolved(&alertmanager, &held, "releng"));
    assert!(!alertmanager.alerts().iter().any(|alert| alert.is_about(&held, "sre")), "sre1 had answered");
}

#[test]
fn what_is_not_clear_is_called_again_with_the_same_key_and_resolved_once_that_is_accepted() {
    let webhook = Pager::new();
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let watching = Watching::with(&tables(None, Some((&webhook.url, &secret)), ""));
    webhook.is(Mood::Silent);
    let task = watching.emergency("All page views fail");
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("called twice", || by_key(&webhook).values().any(|events| events.len() >= 2));
    // Nobody is needed while it is not clear: from here on no page goes out.
    webhook.is(Mood::Refuses(500));
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    until("allowed", || watching.verdict(&task) == "allowed");
    webhook.is(Mood::Takes);
    let is_over = || by_key(&webhook).values().all(|events| events.last().is_some_and(|last| last == "resolve"));
    until("resolved", is_over);
    let keys = by_key(&webhook);
    let sre: Vec<_> = keys.iter().filter(|(key, _)| key.contains("/sre/")).collect();
    assert_eq!(sre.len(), 1, "{keys:?}");
    let first = sre[0].1.iter().position(|event| event == "resolve").unwrap();
    assert!(sre[0].1[first..].iter().all(|event| event == "resolve"), "{keys:?}");
    assert!(
        watching
            .get("metrics")
            .text
            .lines()
            .any(|line| { line.strip_prefix("phabgate_serve_pages_unclear_total ").is_some_and(|count| count != "0") })
    );
}

#[test]
fn whenever_it_is_killed_nobody_is_paged_twice_and_no_page_stays_open() {
    for point in crash::PAGING_POINTS {
        let (alertmanager, webhook) = (Pager::new(), Pager::new());
        let directory = tempfile::tempdir().unwrap();
        let secret = secret(&directory);
        let mut watching = Watching::with(&tables(Some(&alertmanager.url), Some((&webhook.url, &secret)), ""));
        // A page is said again at once after a start, else only a minute later.
        let before = *point == "page-refreshed";
        if !before {
            watching.killed_and_started_to_crash(Some(point));
            until("listed", || watching.get("readyz").status == 200);
        }
        let task = watching.emergency("All page views fail");
        let is_paged = |team: &str| fired(&alertmanager, &task, team);
        if point.starts_with("page-resol") || before {
            until(point, || is_paged("sre") && is_paged("releng") && webhook.events().len() == 2);
            if before {
                watching.killed_and_started_to_crash(Some(point));
            } else {
                watching.approve(&task);
            }
        }
        watching.dies();
        watching.killed_and_started();
        if !point.starts_with("page-resol") {
            until(point, || is_paged("sre") && is_paged("releng") && by_key(&webhook).len() == 2);
            watching.approve(&task);
        }
        let asleep = || resolved(&alertmanager, &task, "sre") && resolved(&alertmanager, &task, "releng");
        let is_over = || by_key(&webhook).values().all(|events| events.last().is_some_and(|last| last == "resolve"));
        until(point, || asleep() && is_over());
        let identities: BTreeSet<_> = alertmanager.alerts().iter().map(|alert| alert.identity()).collect();
        assert_eq!(identities.len(), 2, "{point}: {identities:?}");
        for (key, events) in by_key(&webhook) {
            let first = events.iter().position(|event| event == "resolve").unwrap();
            assert!(events[first..].iter().all(|event| event == "resolve"), "{point}: {key}: {events:?}");
            // Whoever is killed before it notes an answer sends it again: once for each time.
            let most = if before { 3 } else { 2 };
            assert!((1..=most).contains(&first), "{point}: {key}: {events:?}");
        }
    }
}

#[test]
fn a_real_alertmanager_pages_once_also_after_it_was_restarted_and_resolves() {
    let hook = Pager::new();
    let route = "group_by: ['...'], group_wait: 0s";
    let Some(mut alertmanager) = Alertmanager::start(&hook.url, route) else { return };
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, ""));
    let task = watching.emergency("All page views fail");
    let of = |status: &str| {
        let all = notified(&hook).into_iter().filter(|(is, labels, _)| is == status && labels["task"] == task);
        all.map(|(_, labels, starts)| (labels["team"].clone(), labels["round"].clone(), starts))
            .collect::<BTreeSet<_>>()
    };
    until("paged", || of("firing").len() == 2);
    let paged = of("firing");
    let count = notified(&hook).len();
    alertmanager.restart();
    // It has forgotten all, and hears within a minute that they go on.
    until_within(Duration::from_secs(100), "it hears again", || notified(&hook).len() >= count + 2);
    assert_eq!(of("firing"), paged, "the same, since the same time");
    watching.approve(&task);
    until("resolved", || of("resolved").len() == 2);
    assert_eq!(of("resolved"), paged);
    assert_eq!(of("firing"), paged);
}

#[test]
fn doctor_asks_pagers_for_themselves_and_pages_nobody() {
    let hook = Pager::new();
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let fake = Pager::new();
    fake.is_configured("route:\n  group_by:\n  - alertname\n");
    let names = directory.path().join("on-call");
    std::fs::write(&names, "sre2\n").unwrap();
    let more_names = directory.path().join("on-call-security");
    std::fs::write(&more_names, "sec1\nouts1der\n").unwrap();
    let doctor = |alertmanager: &str| {
        let more = format!(
            "[oncall.sre]\nfile = {names:?}\n[oncall.releng]\nfile = \"/nowhere/at/all\"\n[oncall.security]\nfile = {more_names:?}\n"
        );
        let tables = tables(Some(alertmanager), Some((&hook.url, &secret)), "") + &more;
        let watching = Watching::with(&tables.replace("\"deployer1\"", "\"deployer1\", \"dep1oyer\""));
        let output = watching.command(&["doctor", "--format", "json"]).output().unwrap();
        let page: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = page["checks"].as_array().unwrap().clone();
        move |name: &str| {
            let check =
                checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name}: {checks:?}"));
            (check["outcome"].as_str().unwrap().to_owned(), check["message"].as_str().unwrap().to_owned())
        }
    };
    let said = doctor(&fake.url);
    assert_eq!(said("paging:alertmanager").0, "warn");
    assert_eq!(said("paging:webhook").0, "pass");
    assert_eq!(said("oncall:sre"), ("pass".to_owned(), "on call: sre2".to_owned()));
    assert_eq!(said("oncall:releng").0, "warn");
    let (outcome, message) = said("oncall:security");
    assert!(outcome == "warn" && message.ends_with("could approve nothing for the team: outs1der"), "{message}");
    assert_eq!(said("paging:for"), ("warn".to_owned(), "the server knows no account dep1oyer".to_owned()));
    if let Some(real) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") {
        assert_eq!(doctor(&real.url)("paging:alertmanager").0, "pass");
    }
    if let Some(real) = Alertmanager::start(&hook.url, "group_by: [alertname]") {
        assert_eq!(doctor(&real.url)("paging:alertmanager").0, "warn");
    }
    assert!(hook.calls().is_empty() && fake.calls().is_empty(), "nobody was paged");
}

#[test]
fn by_hand_a_team_is_paged_by_the_same_rules_and_it_is_said_who_and_why_not() {
    let (alertmanager, webhook) = (Pager::new(), Pager::new());
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let config = directory.path().join("config.toml");
    let mut paging = tables(Some(&alertmanager.url), Some((&webhook.url, &secret)), "");
    paging = paging.replace("\"1s\"", "\"10m\"");
    std::fs::write(&config, format!("{paging}[oncall.sre]\ncommand = [\"/bin/echo\", \"sre2\"]\n")).unwrap();
    // No service looks on: its own configuration has no pager.
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let page = |more: &[&str]| {
        let mut command = watching.command(&[&["page", &task], more].concat());
        let output = command.env("PHABGATE_CONFIG", &config).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, _, said) = page(&["--team", "sre"]);
    assert!(code == 2 && said.contains("sre: pages sre2 (on call)") && said.contains("add --yes"), "{code}: {said}");
    assert!(said.contains(&alertmanager.url) && said.contains(&format!("it says {task}")), "{said}");
    assert!(alertmanager.calls().is_empty() && webhook.calls().is_empty());
    let (code, out, said) = page(&["--team", "SRE", "--yes"]);
    assert_eq!(code, 0, "{out} {said}");
    assert!(out.contains("paged through the Alertmanager") && out.contains("paged through the webhook"), "{out}");
    // Again, it is the same page, which is said; both are over when that is said.
    let (code, out, said) = page(&["--team", "sre", "--yes"]);
    assert!(code == 0 && said.contains("sre: this page fires since 2") && said.contains("--escalate"), "{said}");
    assert!(out.starts_with("sre: fires since 2") && out.contains("wakes nobody anew"), "{out}");
    let labels: BTreeSet<_> = alertmanager.alerts().into_iter().map(|alert| alert.labels).collect();
    assert_eq!(labels.len(), 1, "{labels:?}");
    let (code, out, said) = page(&["--team", "sre", "--resolve", "--yes"]);
    assert!(code == 0 && said.contains("ends the page of sre, which fires since 2"), "{said}");
    assert!(said.contains("ends what was sent by hand for sre, if anything was"), "{said}");
    assert!(out.contains("sre: the Alertmanager has heard that its pages are over"), "{out}");
    assert!(resolved(&alertmanager, &task, "sre"));
    assert!(by_key(&webhook).values().all(|events| events.last().unwrap() == "resolve"));
    let (code, out, _) = page(&["--team", "security", "--format", "json"]);
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["pages"][0]["nobody"]), (1, &json!("the deploy does not need security")));
    assert_eq!(page(&["--team", "nobody"]).0, 2);
    // Where no pager takes it nothing ends by itself.
    let pagers = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, tables(Some("http://127.0.0.1:1/"), None, "")).unwrap();
    let (code, out, _) = page(&["--team", "releng", "--yes"]);
    assert!(code == 3 && out.ends_with("Nobody was reached: call them yourself."), "{code}: {out}");
    std::fs::write(&config, pagers).unwrap();
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    let (code, _, said) = page(&["--team", "sre", "--yes"]);
    assert!(code == 1 && said.contains("sre: nobody is paged: sre has approved: sre1"), "{said}");
    alertmanager.is(Mood::Refuses(400));
    let (code, out, _) = page(&["--yes"]);
    assert!(
        code == 3 && out.contains("releng: the Alertmanager did not take the page of releng: it answers 400"),
        "{code}: {out}"
    );
}

#[test]
fn where_no_pager_is_configured_none_is_called() {
    let watching = Watching::new();
    let task = watching.emergency("All page views fail");
    let output = watching.command(&["page", &task, "--yes"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("no pager is configured"), "{said}");
}

/// `phabgate page` on the machine of a service, without being asked.
fn page(watching: &Watching, config: Option<&str>, arguments: &[&str]) -> i32 {
    let mut command = watching.command(&[&["page", "--yes"], arguments].concat());
    config.into_iter().for_each(|config| _ = command.env("PHABGATE_CONFIG", config));
    command.output().unwrap().status.code().unwrap()
}

#[test]
fn whoever_paged_by_hand_can_end_it_whatever_became_of_the_task() {
    let (alertmanager, webhook) = (Pager::new(), Pager::new());
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let config = directory.path().join("config.toml");
    let paging = tables(Some(&alertmanager.url), Some((&webhook.url, &secret)), "").replace("\"1s\"", "\"10m\"");
    std::fs::write(&config, paging).unwrap();
    // No service looks on: its own configuration has no pager.
    let watching = Watching::new();
    let page = |arguments: &[&str]| page(&watching, config.to_str(), arguments);
    let is_over = |task: &str| {
        let keys = by_key(&webhook);
        let mut about = keys.iter().filter(|(key, _)| key.contains(&format!("/{task}/")));
        ["releng", "sre"].iter().all(|team| resolved(&alertmanager, task, team))
            && about.all(|(_, events)| events.last().unwrap() == "resolve")
    };
    let untag = |task: &str| {
        let edit =
            json!({"objectIdentifier": task, "transactions": [{"type": "projects.remove", "value": [watching.tag()]}]});
        watching.site.call("deployer1", "maniphest.edit", edit);
    };
    // Team by team, once the tag is gone.
    let untagged = watching.emergency("All page views fail");
    assert_eq!(page(&[&untagged]), 0);
    assert!(fired(&alertmanager, &untagged, "sre") && fired(&alertmanager, &untagged, "releng"));
    untag(&untagged);
    assert_eq!(page(&[&untagged, "--team", "sre"]), 1, "nobody is paged for what is no emergency");
    assert_eq!(page(&[&untagged, "--resolve", "--team", "sre"]), 0);
    assert!(resolved(&alertmanager, &untagged, "sre") && !resolved(&alertmanager, &untagged, "releng"));
    assert_eq!(page(&[&untagged, "--resolve", "--team", "releng"]), 0);
    assert!(is_over(&untagged), "{:?}", webhook.events());
    // All that fires at once, once it is closed and no team is missing any more.
    let closed = watching.emergency("All page views fail");
    assert_eq!(page(&[&closed, "--escalate"]), 0);
    watching.approve(&closed);
    watching.site.edit("deployer1", &closed, "status", "resolved");
    assert_eq!(page(&[&closed, "--resolve"]), 0);
    assert!(is_over(&closed), "{:?}", webhook.events());
    let starts: BTreeSet<_> = alertmanager.alerts().iter().map(|alert| alert.identity()).collect();
    let labels: BTreeSet<_> = starts.iter().map(|(labels, _)| labels).collect();
    assert_eq!(starts.len(), labels.len(), "each ends as it began: {starts:?}");
    assert_eq!(page(&[&closed, "--resolve"]), 2, "nothing fires");
    let task = watching.site.task("deployer1", "No emergency");
    assert_eq!(page(&[&task, "--resolve", "--team", "sre"]), 1);
}

#[test]
fn the_service_ends_what_was_paged_by_hand_once_nobody_is_needed() {
    let (alertmanager, webhook) = (Pager::new(), Pager::new());
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let paging = tables(Some(&alertmanager.url), Some((&webhook.url, &secret)), "").replace("\"1s\"", "\"10m\"");
    let mut watching = Watching::with(&paging);
    let task = watching.emergency("All page views fail");
    until("pending", || watching.verdict(&task) == "pending");
    assert_eq!(page(&watching, None, &[&task]), 0);
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    // It looks for them each minute, and when it is started.
    watching.killed_and_started();
    until("releng can sleep", || resolved(&alertmanager, &task, "releng"));
    assert!(!resolved(&alertmanager, &task, "sre"), "sre is still needed");
    watching.site.edit("deployer1", &task, "status", "resolved");
    watching.killed_and_started();
    let is_over = || by_key(&webhook).values().all(|events| *events == ["trigger", "resolve"]);
    until("all can sleep", || resolved(&alertmanager, &task, "sre") && webhook.events().len() == 4);
    assert!(is_over(), "{:?}", webhook.events());
}

#[test]
fn what_somebody_acknowledges_while_no_pager_takes_it_wakes_nobody_when_one_does() {
    let alertmanager = Pager::new();
    alertmanager.is(Mood::Refuses(503));
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, ""));
    let task = watching.emergency("All page views fail");
    until("tried", || watching.get(&task).text.matches("Not paged yet, though it is tried").count() == 2);
    watching.comment("sre1", &task, "I am looking at it.");
    until("acknowledged", || watching.get(&task).text.contains("has seen it"));
    alertmanager.is(Mood::Takes);
    until("paged", || fired(&alertmanager, &task, "releng"));
    // Its pages are tried in the same round.
    let rounds = alertmanager.calls().len();
    watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("resolved", || resolved(&alertmanager, &task, "releng") && alertmanager.calls().len() > rounds);
    assert!(!fired(&alertmanager, &task, "sre"), "{:?}", alertmanager.alerts());
}

#[test]
fn an_outsider_has_teams_asked_three_times_an_hour_at_most() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let heard = std::sync::Arc::clone(&said);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut text = String::new();
            // What is cut off is not said.
            let _ = std::io::Read::read_to_string(&mut stream, &mut text);
            heard.lock().unwrap().push_str(&text);
        }
    });
    let watching = Watching::with(&format!("{}[irc]\ntcpircbot = \"127.0.0.1:{port}\"\n", tables(None, None, "")));
    let theirs: Vec<String> = (0..6)
        .map(|number| {
            let task = watching.site.task("outsider", &format!("Ask them {number}"));
            watching.site.edit("outsider", &task, "description", "Emergency-Reason: availability - it is down");
            let edit =
                json!({"objectIdentifier": task, "transactions": [{"type": "projects.add", "value": [watching.tag()]}]});
            watching.site.call("outsider", "maniphest.edit", edit);
            task
        })
        .collect();
    let count = |tasks: &[String]| {
        let said = said.lock().unwrap().clone();
        let is_asked = |task: &&String| said.matches(&format!("{task} ")).count() >= 2;
        tasks.iter().filter(is_asked).count()
    };
    until("asked for three", || count(&theirs) == 3);
    until("looked at", || theirs.iter().all(|task| watching.verdict(task) == "pending"));
    // Both are asked for after all that was due before.
    for title in ["All page views fail", "All edits fail"] {
        let real = watching.emergency(title);
        until("asked for all the same", || count(std::slice::from_ref(&real)) == 1);
    }
    assert_eq!(count(&theirs), 3, "{said:?}");
    // Somebody who is trusted confirms one of the others.
    let others: Vec<&String> = theirs.iter().filter(|task| count(std::slice::from_ref(*task)) == 0).collect();
    watching.site.edit("deployer1", others[0], "description", "Emergency-Reason: availability - it is down indeed");
    until("asked for what is confirmed", || count(&theirs) == 4);
}
