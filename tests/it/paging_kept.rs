//! What a running watch keeps firing at a real Alertmanager, and somebody says by hand to be over.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pagers::{Alertmanager, Pager, notified};
use crate::paging::tables;
use crate::watching::{Watching, until};

/// Who heard how often that a team is paged, or that it is over.
fn heard(hook: &Pager, team: &str) -> BTreeMap<String, usize> {
    let mut heard = BTreeMap::new();
    for (status, labels, _) in notified(hook) {
        if labels["team"] == team {
            *heard.entry(status).or_default() += 1;
        }
    }
    heard
}

#[test]
fn what_a_watch_would_fire_again_is_not_ended_by_hand_and_wakes_nobody_twice() {
    let hook = Pager::new();
    let Some(alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") else { return };
    let watching = Watching::with(&tables(Some(&alertmanager.url), None, ""));
    let task = watching.emergency("All page views fail");
    until("both are paged", || heard(&hook, "sre").len() == 1 && heard(&hook, "releng").len() == 1);
    let end = |more: &[&str]| {
        let arguments = [&["page", &task, "--team", "sre", "--resolve", "--yes"], more].concat();
        let output = watching.command(&arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = end(&[]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == 1 && said.starts_with("sre: not ended: a watch fires it again within the minute as long as sre"),
        "{said}"
    );
    assert!(
        said.contains(&format!("A comment on {task} by the team, or `!ack {task}` on IRC, holds its pages")),
        "{said}"
    );
    let (code, said) = end(&["--format", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(
        code == 1 && said["pages"][0]["kept"] == true && said["pages"][0]["pagers"] == serde_json::json!([]),
        "{said}"
    );
    // Once nobody of them is needed it ends, whoever says so first.
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    until("it is over", || heard(&hook, "sre").contains_key("resolved"));
    assert_eq!(heard(&hook, "sre"), [("firing".to_owned(), 1), ("resolved".to_owned(), 1)].into());
}
