//! Tests of the page as text: its policy, its rows and its numbers. How it looks and acts is tested in a browser.

use serde_json::json;

use super::super::entry::TaskEntry;
use super::super::figures::Figures;
use super::super::{Entries, Report};
use super::charts::{About, BarRow, Column, bars, columns, layers, scale, stack};
use super::words::{Made, number, percent, place};
use super::*;
use crate::audit::population::Population;
use crate::evidence::testing::History;

const HOSTILE: &str = "\"><script>x</script></style>\u{202e}'&\\u{202e}";

pub(in crate::report) fn task(deployer: &str) -> TaskEntry {
    let deploy = "01970000-0000-7000-8000-000000000001";
    let entry = json!({
        "task": "T7", "restricted": false, "title": "It is <down>", "drill": false,
        "deploys": [{
            "deploy": deploy, "drill": false, "deployer": deployer, "reason": "outage", "action": "fix", "change": null,
            "command": "true", "tagged": null, "approved": null, "started": "2026-11-01T10:00:00Z", "finished": null,
            "recorded": "2026-11-01T10:00:00Z", "transaction": 12, "outcome": "succeeded", "exit": { "code": 3 },
            "not_started": false, "verdict": "denied", "verdict_as_recorded": "allowed",
            "approvals": [{ "team": "sre", "user": "sre1", "kind": "attested", "why_not": "withdrawn", "transaction": null,
                            "time": "2026-11-01T09:00:00Z", "evidence": "https://logs.example.org/" }],
        }],
        "findings": [{ "name": "record-late", "severity": "warning", "task": "T7", "deploy": deploy, "transaction": 12,
                       "time": "2026-11-01T10:00:00Z", "message": "an hour late" }],
    });
    let details = json!({
        "rules": [{ "name": "tag", "outcome": "pass", "message": "tagged" },
                  { "name": "reason", "outcome": "fail", "message": "none is given" }],
        "records": [{ "event": "started", "transaction": 12, "time": "2026-11-01T10:00:00Z", "changed": true }],
    });
    let mut task: TaskEntry = serde_json::from_value(entry).unwrap();
    task.deploys[0].details = Some(serde_json::from_value(details).unwrap());
    task
}

fn page(tasks: &dyn Entries, figures: &Figures) -> String {
    try_page(tasks, figures).unwrap()
}

fn try_page(tasks: &dyn Entries, figures: &Figures) -> io::Result<String> {
    let history = History::emergency();
    let report = Report {
        base: &"https://phabricator.example.org/".parse().unwrap(),
        policy: &history.policy,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        offline: true,
        population: &Population::default(),
        unread: &[],
        general: &[],
        settled: 0,
        since: None,
        until: None,
        reason: None,
        newest_deploy: None,
        figures,
        tasks,
    };
    let mut page = Vec::new();
    write(&report, &mut page)?;
    Ok(String::from_utf8(page).unwrap())
}

fn page_of(tasks: Vec<TaskEntry>) -> String {
    let mut figures = Figures::default();
    tasks.iter().for_each(|task| figures.add(task));
    page(&tasks, &figures)
}

#[test]
fn a_deploy_that_never_started_is_in_no_figure_and_said_beside_them() {
    let mut never = task("alice");
    never.deploys[0].not_started = true;
    let mut figures = Figures::default();
    [task("alice"), never.clone()].iter().for_each(|task| figures.add(task));
    assert_eq!((figures.deploys, figures.not_started, figures.to_deploy.bins().iter().sum::<usize>()), (1, 1, 0));
    let page = page_of(vec![never]);
    assert!(page.contains("and 1 that never started, in no figure"), "{page}");
}

#[test]
fn a_page_without_the_details_is_no_page() {
    let mut task = task("deployer1");
    task.deploys[0].details = None;
    assert!(try_page(&vec![task], &Figures::default()).is_err());
}

#[test]
fn the_policy_names_what_is_in_the_page() {
    let page = page_of(vec![task(HOSTILE)]);
    let between = |start: &str, end: &str| {
        let (_, rest) = page.split_once(start).unwrap();
        assert!(!rest.contains(start), "{start} is there once");
        rest.split_once(end).unwrap().0.to_owned()
    };
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    for (kind, text) in [("style", between("<style>", "</style>")), ("script", between("<script>", "</script>"))] {
        assert!(text.len() > 1000);
        assert!(policy.contains(&format!("{kind}-src 'sha256-{}'", hash(&text))), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn nothing_is_fetched_and_nothing_is_styled_or_run_inline() {
    let page = page_of(vec![task(HOSTILE)]);
    let (_, body) = page.split_once("<body>").unwrap();
    let body = body.split_once("<script>").unwrap().0;
    for bad in [" style=", " src=", "<img", "<link", "@import", "url(http", " onclick", "javascript:"] {
        assert!(!body.contains(bad), "{bad}");
    }
    assert!(!STYLE.contains("http") && !STYLE.contains("@import"));
    assert!(!["eval(", "innerHTML", "fetch(", "http", "setTimeout"].iter().any(|bad| SCRIPT.contains(bad)));
    assert!(SCRIPT.starts_with("'use strict';"));
    // An attribute that is there twice is read once.
    for tag in body.split('<').filter_map(|rest| rest.split('>').next()) {
        assert!(tag.matches(" class=").count() < 2, "{tag}");
    }
}

#[test]
fn text_of_others_is_shown_and_does_nothing() {
    let page = page_of(vec![task(HOSTILE)]);
    assert!(
        page.contains("&quot;&gt;&lt;script&gt;x&lt;/script&gt;&lt;/style&gt;\\u{202e}'&amp;\\u{5c}u{202e}"),
        "{page}"
    );
    assert!(!page.contains('\u{202e}'));
    assert_eq!(html! { (Made("<\\u{a}\u{202e}>")) }.into_string(), "&lt;\\u{a}\\u{202e}&gt;");
}

#[test]
fn only_a_place_on_the_web_is_a_link() {
    let link = place("https://logs.example.org/a?b=\"c").into_string();
    assert!(link.starts_with("<a href=\"https://logs.example.org/a?b=%22c\" rel=\"noreferrer noopener\">"), "{link}");
    for text in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "logs, around noon", "//example.org"]
    {
        assert_eq!(place(text).into_string(), text);
    }
}

#[test]
fn a_row_shows_the_evidence() {
    let page = page_of(vec![task("deployer1")]);
    let (_, row) = page.split_once("<details class=\"d\"").unwrap();
    for words in [
        " data-r=\"outage\" data-m=\"2026-11\" data-f=\"record-late\" data-s=\"warning\"",
        "href=\"https://phabricator.example.org/T7\"",
        "href=\"https://phabricator.example.org/T7#12\"",
        "exit status 3",
        "the task did not carry the tag",
        "allowed with the members that a recorder wrote down, not allowed with those of now",
        "<span class=\"a\">nobody</span>",
        "<span class=\"n\">It is &lt;down&gt;</span>",
        "href=\"#meaning-record-late\"",
        "does not count: withdrawn",
        "https://logs.example.org/",
        "edited or removed since",
        "an hour late",
        "<b class=\"mark error\">fail</b> reason: none is given",
    ] {
        assert!(row.contains(words), "{words}: {row}");
    }
    let (fails, passes) = (row.find("none is given").unwrap(), row.find("tagged</li>").unwrap());
    assert!(fails < passes, "what fails comes first");
    for words in ["FINDINGS", "0 errors, 1 warning, 0 notices", "the mirror alone (offline)", "those of now"] {
        assert!(page.contains(words), "{words}");
    }
    let none = page_of(Vec::new());
    assert!(none.contains("NO DEPLOYS") && none.contains("no deploy is on record"), "{none}");
    let mut clean = task("deployer1");
    clean.findings.clear();
    clean.deploys[0].action = Some("rollback".to_owned());
    let clean = page_of(vec![clean]);
    assert!(clean.contains("COMPLIANT") && clean.contains("<i>rollback</i>"), "{clean}");
}

#[test]
fn the_worst_comes_first_and_leads_to_its_row_and_its_meaning() {
    let mut wrong = task("deployer2");
    (wrong.task, wrong.findings[0].task) = ("T8".parse().unwrap(), "T8".parse().ok());
    wrong.deploys[0].deploy = "01970000-0000-7000-8000-000000000002".parse().unwrap();
    (wrong.findings[0].severity, wrong.findings[0].deploy) = (Severity::Error, Some(wrong.deploys[0].deploy));
    let mut alone = task("deployer3");
    alone.task = "T9".parse().unwrap();
    (alone.findings[0].task, alone.findings[0].deploy) = (Some(alone.task), None);
    alone.deploys.clear();
    let page = page_of(vec![task("deployer1"), alone, wrong]);
    let main = page.split_once("<main>").unwrap().1;
    let (before, figures) = main.split_once("<h2>Figures</h2>").unwrap();
    assert!(before.contains("Look at these first") && before.matches("<li").count() == 1, "{before}");
    for words in ["href=\"#deploy-01970000-0000-7000-8000-000000000002\"", "href=\"#meaning-record-late\"", "T8#12"] {
        assert!(before.contains(words), "{words}: {before}");
    }
    let at = |id: &str| figures.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id}"));
    let deploy = |number: u8| at(&format!("deploy-01970000-0000-7000-8000-00000000000{number}"));
    assert!(deploy(2) < deploy(1) && deploy(2) < at("task-T9") && at("task-T9") < at("meaning-record-late"));
    // Where there is no error, the warnings are what to look at; notices are not.
    assert!(page_of(vec![task("deployer1")]).contains("Look at these first"));
    let mut minor = task("deployer1");
    minor.findings[0].severity = Severity::Notice;
    assert!(!page_of(vec![minor]).contains("Look at these first"));
}

#[test]
fn drills_and_restricted_tasks_are_marked() {
    let mut hidden = task("deployer1");
    (hidden.restricted, hidden.deploys[0].drill) = (true, true);
    let page = page_of(vec![hidden]);
    let body = page.split_once("<body>").unwrap().1;
    assert!(body.contains("<i>drill</i> <i>restricted</i>") && body.contains("restricted: not told"), "{body}");
    assert!(body.contains("and 1 drill, in no figure") && !body.contains("<code>true</code>"));
}

/// Tasks that are made when they are visited.
struct Many(usize);

impl Entries for Many {
    fn visit(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        let task = task("deployer1");
        (0..self.0).try_for_each(|_| each(&task))
    }
}

#[test]
fn rows_are_lean_and_errors_are_shown() {
    let sizes = [0, 1_000].map(|tasks| page(&Many(tasks), &Figures::default()).len());
    assert!((sizes[1] - sizes[0]) / 1_000 < 3_000, "{sizes:?}");
    struct Broken;
    impl Entries for Broken {
        fn visit(&self, _: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let history = History::emergency();
    let report = Report {
        base: &"https://phabricator.example.org/".parse().unwrap(),
        policy: &history.policy,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        offline: false,
        population: &Population::default(),
        unread: &[],
        general: &[],
        settled: 0,
        since: None,
        until: None,
        reason: None,
        newest_deploy: None,
        figures: &Figures::default(),
        tasks: &Broken,
    };
    assert_eq!(write(&report, &mut Vec::new()).unwrap_err().to_string(), "the disk is gone");
}

#[test]
fn a_scale_has_few_whole_marks_and_reaches_the_greatest() {
    assert_eq!(scale(0), [0, 1]);
    assert_eq!(scale(1), [0, 1]);
    assert_eq!(scale(4), [0, 1, 2, 3, 4]);
    assert_eq!(scale(5), [0, 2, 4, 6]);
    assert_eq!(scale(50), [0, 20, 40, 60]);
    for greatest in 1..3_000 {
        let marks = scale(greatest);
        assert!(marks.len() <= 5 && *marks.last().unwrap() >= greatest, "{greatest}: {marks:?}");
    }
}

#[test]
fn charts_hold_their_numbers() {
    let about = || About { title: "Deploys", numbers: "a 3, b 1".to_owned() };
    let bar = |label: &str, count| BarRow { sign: "", label: label.to_owned(), count, class: "plain".to_owned() };
    let drawn = bars(&about(), &[bar("a", 4), bar("<b>", 1)]).into_string();
    assert!(drawn.contains("role=\"img\"><title>Deploys</title><desc>a 3, b 1</desc>"), "{drawn}");
    assert!(
        drawn.contains("width=\"100.00%\"") && drawn.contains("width=\"25.00%\"") && drawn.contains("&lt;b&gt;"),
        "{drawn}"
    );
    let drawn = columns(&about(), &[("≤ 1 min".to_owned(), 2), ("> 1 min".to_owned(), 0)]).into_string();
    assert!(
        drawn.contains("height=\"100.0\"") && drawn.contains("height=\"0.0\"") && drawn.contains(">≤ 1</text>"),
        "{drawn}"
    );
    assert_eq!(stack(&[2, 0, 3]), [(0, 0, 2), (2, 2, 3)]);
    let column = |layers: Vec<usize>| Column { label: ("Jan".into(), "2026".into()), words: "words".into(), layers };
    let drawn = layers(&about(), &[column(vec![1, 0, 3]), column(vec![0; 3])], "y1").into_string();
    assert_eq!(drawn.matches("<rect").count(), 2, "a layer without deploys is not drawn: {drawn}");
    assert!(
        drawn.contains("class=\"l2\"") && drawn.contains("height=\"126.0\"") && drawn.contains("<title>words</title>")
    );
}

#[test]
fn numbers_are_put_into_words_that_are_true() {
    assert_eq!(number(0), "0");
    assert_eq!(number(999), "999");
    assert_eq!(number(1_234_567), "1\u{a0}234\u{a0}567");
    assert_eq!(
        [percent(0, 9), percent(1, 500), percent(1, 3), percent(499, 500), percent(9, 9), percent(0, 0)],
        ["0 %", "< 1 %", "33 %", "> 99 %", "100 %", "0 %"]
    );
}
