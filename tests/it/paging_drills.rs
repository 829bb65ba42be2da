//! Drills that page people (`paging.drills`), seen from a real Alertmanager: what turns real is paged for as that, and what fires ends.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::pagers::{Alertmanager, Pager, notified};
use crate::paging::tables;
use crate::watching::{Watching, until, until_within};

const REASON: &str = "Emergency-Reason: availability - as if all page views failed";

/// A watch on a site where drills page people, after a second.
fn watching(alertmanager: &Alertmanager) -> Watching {
    Watching::with(&tables(Some(&alertmanager.url), None, "drills = true"))
}

/// States of a task whether it is a drill.
fn state_drill(watching: &Watching, task: &str, stated: &str) {
    watching.site.edit("deployer1", task, "description", &format!("{REASON}\nEmergency-Drill: {stated}"));
}

/// A new drill.
fn drill(watching: &Watching) -> String {
    let task = watching.site.task("deployer1", "As if all page views failed");
    state_drill(watching, &task, "yes");
    let tag = json!({"objectIdentifier": task, "transactions": [{"type": "projects.add", "value": [watching.tag()]}]});
    watching.site.call("deployer1", "maniphest.edit", tag);
    task
}

/// What the receiver of the Alertmanager heard of a drill or of the real thing: teams with their rounds and starts.
fn heard(hook: &Pager, status: &str, is_drill: bool) -> BTreeSet<(String, String, String)> {
    let all = notified(hook).into_iter();
    let all = all.filter(|(is, labels, _)| is == status && labels["drill"] == is_drill.to_string());
    all.map(|(_, labels, starts)| (labels["team"].clone(), labels["round"].clone(), starts)).collect()
}

/// The labels `drill` and `round`, and the summary, of what fires.
fn firing(alertmanager: &Alertmanager) -> BTreeSet<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |alert: &serde_json::Value| {
        let labels = &alert["labels"];
        (text(&labels["drill"]), text(&labels["round"]), text(&alert["annotations"]["summary"]))
    };
    alertmanager.firing().iter().map(of).collect()
}

#[test]
fn a_drill_that_turns_real_pages_people_for_the_real_thing() {
    let hook = Pager::new();
    let Some(alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") else { return };
    let watching = watching(&alertmanager);
    let task = drill(&watching);
    until("paged for the drill", || heard(&hook, "firing", true).len() == 2);
    assert_eq!(heard(&hook, "firing", false), [].into());
    state_drill(&watching, &task, "no");
    until("paged for the real thing", || heard(&hook, "firing", false).len() == 2);
    until("no drill any more", || heard(&hook, "resolved", true) == heard(&hook, "firing", true));
    let needed = |team| ("false".to_owned(), "2".to_owned(), format!("{task} needs the approval of {team}"));
    assert_eq!(firing(&alertmanager), [needed("releng"), needed("sre")].into());
    // A drill again: nobody is woken for what is none, and not within the hour for what is one.
    state_drill(&watching, &task, "yes");
    until("nobody is needed", || heard(&hook, "resolved", false) == heard(&hook, "firing", false));
    assert_eq!(firing(&alertmanager), [].into());
    assert_eq!(heard(&hook, "firing", true).len(), 2);
}

#[test]
fn what_was_paged_by_hand_beside_a_drill_ends_as_it_fires() {
    let hook = Pager::new();
    let Some(alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") else { return };
    let mut watching = watching(&alertmanager);
    let task = drill(&watching);
    until("paged for the drill", || heard(&hook, "firing", true).len() == 2);
    state_drill(&watching, &task, "no");
    until("no drill any more", || heard(&hook, "resolved", true).len() == 2);
    // It has the key of the first round, which paged for the drill.
    let page = watching.command(&["page", &task, "--team", "sre", "--yes"]).output().unwrap();
    let said = String::from_utf8_lossy(&page.stderr).into_owned();
    assert!(page.status.success() && !said.contains("fires since"), "{said}");
    let by_hand = ("false".to_owned(), "1".to_owned(), format!("{task} needs the approval of sre"));
    assert!(firing(&alertmanager).contains(&by_hand));
    until("paged for the real thing", || heard(&hook, "firing", false).len() == 3);
    watching.approve(&task);
    until("allowed", || watching.verdict(&task) == "allowed");
    // It looks for them each minute, and when it is started.
    watching.killed_and_started();
    until("all can sleep", || firing(&alertmanager).is_empty());
    let words = format!("{task}, the page of sre: resolved at the Alertmanager");
    let found = format!("{task}, the page of sre: fires at the Alertmanager though nobody is needed");
    assert_eq!(watching.logged(&found), 1);
    let before = watching.logged(&words);
    until_within(Duration::from_secs(100), "it is seen to be gone", || watching.logged(&words) == before + 1);
    assert_eq!(watching.logged(&found), 1, "once");
    assert_eq!(heard(&hook, "resolved", false), heard(&hook, "firing", false));
}
