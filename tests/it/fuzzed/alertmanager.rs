//! An Alertmanager's configuration: each page has a way or a reason why none is known, and nothing of it is live where `doctor` shows it.

use phabgate::doctor::paging::{AlertmanagerRead, Paging, paging};
use phabgate::paging::{AlertmanagerStatus, routed};

const SITE: &str = "phab.example";

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    // The input is a configuration, and a route of one.
    configuration(text);
    configuration(&format!(
        "receivers: [{{name: hook, webhook_configs: [{{}}]}}]\nroute:\n  receiver: hook\n  routes:\n  - {}",
        super::each_line("    ", text).trim_start()
    ));
}

fn configuration(text: &str) {
    let pages = routed(text, SITE, &["sre"], true);
    assert_eq!(pages, routed(text, SITE, &["sre"], true), "not the same twice");
    for page in pages.iter().flatten() {
        for way in page.destinations.iter().flatten() {
            let is_apart = way.lacking.is_empty() && way.wait.is_zero() && way.mute.is_empty();
            assert_eq!(way.is_right(), is_apart, "{way:?}");
        }
        assert_ne!(page.destinations.as_ref().map(Vec::len), Ok(0), "no way, and no reason");
    }
    // The page and the escalation, of a drill and of none.
    assert!(pages.as_ref().is_err() || pages.as_ref().is_ok_and(|pages| pages.len() == 4), "{pages:?}");
    let status = Ok(AlertmanagerStatus { version: "0".to_owned(), pages });
    let read = AlertmanagerRead { url: "http://127.0.0.1:1/".to_owned(), status };
    for check in paging(&Paging { alertmanager: Some(read), ..Paging::default() }, None) {
        let hint = check.hint.unwrap_or_default();
        assert!(!super::is_live(&check.message) && !super::is_live(&hint), "{:?} {hint:?}", check.message);
    }
}
