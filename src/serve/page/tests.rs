//! The page as text: what is on it, for whom, and that texts of others stay texts.

use jiff::SignedDuration;

use super::*;
use crate::attribution::ApprovalKind;
use crate::evidence::NearKind;
use crate::evidence::testing::{History, at};
use crate::gate::Invocation;
use crate::gate::heard::Heard;
use crate::gate::share::{Phase, WaitingRun};
use crate::ids::{TaskId, TransactionId};
use crate::record::{Deployer, Outcome as End};
use crate::rules::{Approval, Effect, JudgedNearMiss, Outcome, RuleOutcome, TeamCount, WhyNot};
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::deploys::{Deploy, DeployState};
use crate::serve::http::Shown;
use crate::serve::reported::{Reported, Said};
use crate::serve::testing::watched;
use crate::serve::witnessing::Unwritten;

const DEPLOY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
/// A text that wants to be more than one.
const HOSTILE: &str =
    "<script>window.pwned=1</script>\u{202e}\"'><img src=x onerror=\"pwned()\">\u{1b}[31m{{evil}} javascript:pwned()";

pub(super) fn sight(viewer: Option<&str>) -> Sight<'_> {
    Sight {
        now: at(1_000),
        viewer,
        listed: Some(at(990)),
        heard: Some(at(998)),
        is_refused: false,
        invocation: Invocation::Plain,
        called: true,
        channel: Some(("#ops", &[])),
        is_in_channel: true,
        by_hand: None,
        key: 7,
    }
}

pub(super) fn emergency(watched: &WatchedTask, shown: Shown) -> Emergency<'_> {
    saying(watched, Said::default(), shown)
}

/// The same where this is said of it by those who deploy.
fn saying(watched: &WatchedTask, said: Said, shown: Shown) -> Emergency<'_> {
    Emergency {
        seen: Seen::of(watched, said, vec![], Unwritten::default(), shown),
        evidence_at: at(995),
        unread_since: None,
        is_old: false,
    }
}

/// The page of a task, and its row in the list.
pub(super) fn pages(watched: &WatchedTask, shown: Shown, viewer: Option<&str>) -> [String; 2] {
    let sight = sight(viewer);
    [task(&sight, &emergency(watched, shown)).whole(), index(&sight, vec![emergency(watched, shown)]).whole()]
}

/// What a reader sees of a page, in one line.
pub(super) fn text(page: &str) -> String {
    let main = page.split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    let mut text = String::new();
    for part in main.split('<').skip(1) {
        let shown = part.split_once('>').map_or("", |(_, shown)| shown);
        text.push_str(shown);
        text.push(' ');
    }
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Fails where these are not there in this order.
pub(super) fn in_order(page: &str, parts: &[&str]) {
    let mut rest = page;
    for part in parts {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is missing in {page}")).1;
    }
}

#[test]
fn who_is_needed_stands_before_what_is_agreed_to_and_what_was_said() {
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Looking at it.");
    history.comment("sre2", 12, "Emergency-Aprove: sre");
    let watched = watched(&history);
    let [page, row] = pages(&watched, Shown::Whole, None);
    in_order(
        &text(&page),
        &[
            "T1 · open for 16 min",
            "All page views fail",
            "PENDING waits for sre",
            "Who is needed now",
            "0 of 1",
            "sre1",
            "sre2",
            "Emergency-Approve: sre",
            "Answer on the task",
            "phabgate approve T1",
            "What is agreed to",
            "availability",
            "5xx on every page view",
            "Command not known before the deploy starts",
            "Not read as they were meant",
            "sre2",
            "Emergency-Aprove: sre",
            "sre2 writes Emergency-Approve: sre",
            "Who answered",
            "Counts releng1 for releng",
            "Said on the task",
            "Looking at it.",
            "Nothing can be approved on this page",
        ],
    );
    assert!(page.contains("href=\"https://phab.example/T1#reply\""), "{page}");
    in_order(&text(&row), &["1 emergency is open", "PENDING", "for 16 min", "T1 All page views fail", "sre both sre1"]);
    assert!(row.contains("href=\"/T1\""));
}

#[test]
fn an_approved_and_a_rejected_emergency_say_what_comes_next() {
    let ready = watched(&History::ready());
    let [page, row] = pages(&ready, Shown::Whole, None);
    in_order(
        &text(&page),
        &["ALLOWED approved by releng1 (releng) and sre1 (sre)", "Nobody any more.", "phabgate run T1 -- COMMAND"],
    );
    assert!(!text(&page).contains("Answer on the task") && text(&row).contains("ALLOWED"));

    let mut history = History::ready();
    history.comment("sre2", 20, "Emergency-Reject: sre - it takes the databases down");
    let rejected = watched(&history);
    let [page, row] = pages(&rejected, Shown::Whole, None);
    in_order(
        &text(&page),
        &[
            "DENIED one thing stands in the way",
            "What stands in the way",
            "rejected by sre2",
            "it takes the databases down",
            "What is agreed to",
        ],
    );
    assert!(text(&row).contains("DENIED") && text(&row).contains("rejected by sre2"));
}

/// A task with a hostile text, or a marker of its own, in each field that others write.
fn full(word: impl Fn(&str) -> String) -> WatchedTask {
    let mut history = History::emergency();
    history.comment("sre2", 12, "Emergency-Aprove: sre");
    let mut watched = watched(&history);
    let moment = watched.verdict.near_misses[0].moment;
    let transaction = TransactionId(9);
    let subject = &mut watched.subject;
    subject.title = Some(word("TITLE"));
    subject.category = Some(word("CATEGORY"));
    subject.explanation = Some(format!("{}\n{}", word("EXPLANATION"), word("MORE")));
    subject.action = Some(word("ACTION"));
    subject.change = Some(word("CHANGE"));
    subject.behind = ["BEHIND", "OTHER"]
        .map(|name| Deployer { user: word(name), phid: None, source: crate::attribution::DeployerSource::Task })
        .into();
    subject.informed = vec![word("INFORMED")];
    subject.said = vec![Heard { user: word("SPEAKER"), time: at(20), transaction, text: Some(word("SPEECH")) }];
    let verdict = &mut watched.verdict;
    verdict.rules = [Outcome::Fail, Outcome::Warn, Outcome::Unknown, Outcome::Pending]
        .map(|outcome| RuleOutcome { name: "rule".into(), outcome, message: word("MESSAGE"), hint: Some(word("HINT")) })
        .into();
    let approval = |why_not, evidence: Option<String>| Approval {
        team: word("WRITTEN"),
        user: word("APPROVER"),
        phid: None,
        kind: ApprovalKind::Attested,
        why_not,
        transaction: Some(transaction),
        time: at(30),
        evidence,
    };
    let outdated = WhyNot::Outdated { what: word("WHAT") };
    let unread = WhyNot::NotUnderstood { example: "sre".into() };
    verdict.approvals =
        vec![approval(None, Some(word("EVIDENCE"))), approval(Some(outdated), None), approval(Some(unread), None)];
    verdict.near_misses = vec![JudgedNearMiss {
        kind: NearKind::No,
        user: word("NEARLY"),
        phid: crate::evidence::testing::person("sre1"),
        moment,
        line: word("LINE"),
        effect: Effect::Denies,
        why: word("WHY"),
        write: Some(format!("\"{}\" (as a comment)", word("WRITE"))),
    }];
    verdict.teams = vec![TeamCount {
        team: word("TEAMKEY"),
        title: word("TEAMTITLE"),
        need: 2,
        by: vec![word("SEATED")],
        could: vec![word("COULD")],
    }];
    let deploy = |state| Deploy {
        deploy: DEPLOY.parse().unwrap(),
        share: None,
        deployer: Some(word("DEPLOYS")),
        started: at(50),
        state,
        command: Some(word("COMMAND")),
        transaction,
    };
    let ended = DeployState::Ended { outcome: Some(End::Failed), at: at(90) };
    watched.deploys = [DeployState::Underway, DeployState::Silent, DeployState::NotBelieved, ended].map(deploy).into();
    watched
}

/// What is said of a task, with a text in each field that others write.
fn said(word: impl Fn(&str) -> String) -> Said {
    let reported = Reported::default();
    let run = WaitingRun {
        deploy: DEPLOY.parse().unwrap(),
        deployer: word("WAITER"),
        action: Some(word("WAITACTION")),
        change: Some(word("WAITCHANGE")),
        command: word("WAITCOMMAND"),
    };
    let task = TaskId::new(1).unwrap();
    reported.waits(task, &word("TOKEN"), run, at(900)).unwrap();
    reported.phase(task, TransactionId(9), Phase::Running, at(930));
    reported.of(task)
}

#[test]
fn text_of_others_stays_text_in_every_field() {
    let watched = full(|_| HOSTILE.to_owned());
    let sight = sight(Some(HOSTILE));
    let all = [
        pages(&watched, Shown::Whole, Some(HOSTILE)).into(),
        pages(&watched, Shown::Names, None).into(),
        vec![no_viewer(HOSTILE).whole(), task(&sight, &emergency(&watched, Shown::Whole)).fragment()],
        vec![task(&sight, &saying(&watched, said(|_| HOSTILE.to_owned()), Shown::Whole)).whole()],
    ]
    .concat();
    for page in &all {
        assert!(!page.contains("<script>window") && !page.contains("<img"), "{page}");
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        let scripts = usize::from(page.starts_with("<!DOCTYPE"));
        assert_eq!(page.matches("<script").count(), scripts, "{page}");
    }
    // It is shown, and not dropped.
    assert!(all[0].matches("&lt;script&gt;window.pwned=1&lt;/script&gt;\\u{202e}").count() > 20, "{}", all[0]);
}

#[test]
fn a_reader_without_an_account_sees_names_or_the_number_and_no_text() {
    let watched = full(|name| format!("x{name}x"));
    let texts = [
        "TITLE",
        "CATEGORY",
        "EXPLANATION",
        "MORE",
        "ACTION",
        "CHANGE",
        "BEHIND",
        "OTHER",
        "INFORMED",
        "SPEAKER",
        "SPEECH",
        "MESSAGE",
        "HINT",
        "WRITTEN",
        "APPROVER",
        "EVIDENCE",
        "WHAT",
        "NEARLY",
        "LINE",
        "WHY",
        "WRITE",
        "COMMAND",
    ];
    let names = ["TEAMKEY", "TEAMTITLE", "SEATED", "COULD", "DEPLOYS"];
    let shows = |shown, name: &str| pages(&watched, shown, None).iter().any(|page| page.contains(&format!("x{name}x")));
    for name in texts {
        assert!(shows(Shown::Whole, name), "{name} is on no page");
        assert!(!shows(Shown::Names, name) && !shows(Shown::Number, name), "{name}");
    }
    for name in names {
        assert!(shows(Shown::Names, name), "{name} is on no page");
        assert!(!shows(Shown::Number, name), "{name}");
    }
    let [page, row] = pages(&watched, Shown::Number, None);
    for page in [text(&page), text(&row)] {
        assert!(
            page.contains("T1") && !page.contains("Emergency-Approve") && !page.contains("Deploy under way"),
            "{page}"
        );
    }
}

#[test]
fn of_a_restricted_task_no_text_is_shown_to_anybody() {
    let mut watched = full(|name| format!("x{name}x"));
    // As it is read: the watch keeps no text of it.
    let subject = &mut watched.subject;
    (subject.title, subject.category, subject.explanation) = (None, None, None);
    (subject.action, subject.change) = (None, None);
    subject.said.iter_mut().for_each(|said| said.text = None);
    let [page, _] = pages(&watched, Shown::Whole, Some("sre1"));
    for hidden in ["LINE", "EVIDENCE"] {
        assert!(!page.contains(&format!("x{hidden}x")), "{hidden}");
    }
    assert_eq!(page.matches("xWRITTENx").count(), 2, "what is no team is a text of the task");
    in_order(
        &text(&page),
        &["A restricted task", "restricted: read it on the server", "hidden: the task is restricted"],
    );
}

#[test]
fn an_empty_list_says_when_it_was_listed_and_an_unknown_one_never_that_there_is_none() {
    let known = index(&sight(None), Vec::new()).whole();
    in_order(&text(&known), &["No emergency is open", "Last listed 10 s ago, at"]);
    let unknown = index(&Sight { listed: None, ..sight(None) }, Vec::new()).whole();
    in_order(&text(&unknown), &["Not listed yet", "could not be listed yet, so it is not known whether there is one"]);
    assert!(!unknown.contains("No emergency"), "{unknown}");
    let watched = watched(&History::emergency());
    let some = index(&Sight { listed: None, ..sight(None) }, vec![emergency(&watched, Shown::Whole)]).whole();
    in_order(&text(&some), &["1 emergency is open", "The list is not complete"]);
}

#[test]
fn what_is_old_is_undecided_and_a_silent_server_is_said_first() {
    let watched = watched(&History::ready());
    let old = Emergency { is_old: true, unread_since: Some(at(800)), ..emergency(&watched, Shown::Whole) };
    let page = text(&task(&sight(None), &old).whole());
    in_order(&page, &["This task cannot be read since", "for 3 min", "Last known: ALLOWED", "UNDECIDED", "Not known"]);
    assert!(!page.contains("phabgate run T1"), "{page}");
    let silent = Sight { heard: Some(at(900)), called: false, ..sight(None) };
    for page in [task(&silent, &old).whole(), index(&silent, vec![old]).whole()] {
        let page = text(&page);
        in_order(&page, &["The server does not answer since", "for 1 min", "T1"]);
        assert!(!page.contains("This task cannot be read"), "said twice: {page}");
        assert!(page.contains("has not called the webhook"), "{page}");
    }
    assert!(!text(&pages(&watched, Shown::Whole, None)[0]).contains("webhook"));
    let waiting = self::watched(&History::emergency());
    let waits = Emergency { is_old: true, ..emergency(&waiting, Shown::Whole) };
    in_order(&text(&task(&sight(None), &waits).whole()), &["UNDECIDED", "Who is needed now Not known"]);
}

#[test]
fn a_deploy_under_way_has_its_clock_and_the_last_ones_their_outcome() {
    let mut watched = watched(&History::ready());
    let deploy = |state, started| Deploy {
        deploy: DEPLOY.parse().unwrap(),
        share: None,
        deployer: Some("dana".into()),
        started: at(started),
        state,
        command: Some("scap sync-world".into()),
        transaction: TransactionId(9),
    };
    let ended = DeployState::Ended { outcome: Some(End::RolledBack), at: at(600) };
    watched.deploys = vec![deploy(DeployState::Underway, 808), deploy(ended, 500)];
    let [page, row] = pages(&watched, Shown::Whole, None);
    in_order(
        &text(&page),
        &[
            "Deploy under way",
            "3 min 12 s by dana",
            "scap sync-world",
            "Who is needed",
            "Last deploys",
            "Rolled back by dana",
            "1 min 40 s",
        ],
    );
    in_order(&text(&row), &["Deploy under way by dana for 3 min 12 s"]);
}

#[test]
fn how_a_deploy_goes_on_is_its_deployers_word_and_what_waits_is_nobodys() {
    let watched = full(|name| format!("x{name}x"));
    let said = said(|name| format!("y{name}y"));
    let page = |said: &Said, shown| text(&task(&sight(None), &saying(&watched, said.clone(), shown)).whole());
    let whole = page(&said, Shown::Whole);
    in_order(
        &whole,
        &[
            "Deploy under way",
            "xCOMMANDx",
            "The deployer says: the command runs , since 2026-11-22 23:58:50 UTC .",
            "What is agreed to",
            "Command",
            "yWAITCOMMANDy",
            "Who holds the token yTOKENy says that a run waits, by yWAITERy , action yWAITACTIONy , change yWAITCHANGEy",
            "Nothing on the task proves it.",
        ],
    );
    assert_eq!(whole.matches("The deployer says").count(), 1, "of a deploy that is under way alone: {whole}");
    assert!(!whole.contains("not known before the deploy starts") && !whole.contains("Last heard"), "{whole}");
    let mut stale = said.clone();
    stale.phases.values_mut().for_each(|said| said.is_stale = true);
    in_order(&page(&stale, Shown::Whole), &["the command runs", "Last heard 1 min ago", "it may be otherwise by now"]);
    let names = page(&said, Shown::Names);
    assert!(names.contains("The deployer says: the command runs") && !names.contains("WAIT"), "{names}");
    let number = page(&said, Shown::Number);
    assert!(!number.contains("The deployer says") && !number.contains("WAIT"), "{number}");
    // Of a restricted task no text is shown, whoever says it.
    let mut restricted = full(|name| format!("x{name}x"));
    restricted.subject.title = None;
    let page = text(&task(&sight(Some("sre1")), &saying(&restricted, said, Shown::Whole)).whole());
    assert!(page.contains("The deployer says") && !page.contains("WAIT") && !page.contains("TOKEN"), "{page}");
}

#[test]
fn each_phase_has_words_of_its_own() {
    let watched = full(|name| format!("x{name}x"));
    let killed = crate::record::ExitStatus::Signal(15);
    for (phase, words) in [
        (Phase::Announced, "it is announced, and the command was not started yet"),
        (Phase::Ended(crate::record::ExitStatus::Code(3)), "the command ended with status 3; its record is to come"),
        (Phase::Ended(killed), "the command was killed by SIGTERM; its record is to come"),
        (Phase::Lost, "the command was started, and its end was not seen"),
        (Phase::Stopped, "the command was not started; the record of that is to come"),
    ] {
        let reported = Reported::default();
        reported.phase(watched.task, TransactionId(9), phase, at(930));
        let page = task(&sight(None), &saying(&watched, reported.of(watched.task), Shown::Whole)).whole();
        in_order(&text(&page), &["The deployer says:", words]);
    }
}

#[test]
fn that_a_deploy_runs_is_no_other_obstacle() {
    let mut history = History::ready();
    let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let started = crate::evidence::testing::record(deploy, crate::record::Event::Started, "deployer1");
    history.record("phabgate", 20, &started);
    let under_way = watched(&history);
    let [page, row] = pages(&under_way, Shown::Whole, None);
    for page in [text(&page), text(&row)] {
        in_order(&page, &["DEPLOYING"]);
        assert!(page.contains("a deploy is under way, and no other may start meanwhile"), "{page}");
        assert!(page.contains("Deploy under way"), "{page}");
    }
    history.comment("sre2", 20, "Emergency-Reject: sre - stop it");
    let page = text(&pages(&watched(&history), Shown::Whole, None)[0]);
    assert!(page.contains("2 things stand in the way") && page.contains("stop it"), "{page}");
    assert!(!page.contains("You are asked") && !page.contains("Answer on the task"), "{page}");
}

#[test]
fn why_nothing_is_announced_is_said() {
    let mut watched = watched(&History::emergency());
    let page = |watched: &WatchedTask| text(&pages(watched, Shown::Whole, None)[0]);
    assert!(!page(&watched).contains("nnounced"));
    watched.speaks = Speaks::NotAnnounced;
    in_order(&page(&watched), &["Not announced. It was an emergency before this watch was first started"]);
    watched.speaks = Speaks::Another(crate::notice::StoreId::kept("0198abcd".into()));
    in_order(&page(&watched), &["Announced by another watch", "0198abcd"]);
}

#[test]
fn whoever_is_asked_sees_theirs_first() {
    let mut history = History::emergency();
    history.comment("sre1", 10, "Emergency-Approve: sre");
    let one = watched(&history);
    let mut other = watched(&History::emergency());
    (other.task, other.episode.since) = (TaskId::new(2).unwrap(), at(500));
    // The newest is first for who is not asked; sre1 answered the other already.
    for (viewer, first) in [(None, ["T2", "T1"]), (Some("SRE1"), ["T2", "T1"]), (Some("releng1"), ["T2", "T1"])] {
        let list = index(&sight(viewer), vec![emergency(&one, Shown::Whole), emergency(&other, Shown::Whole)]).whole();
        in_order(&text(&list), &first);
    }
    other.verdict.teams.iter_mut().for_each(|team| team.could = vec!["sre2".into()]);
    let list =
        index(&sight(Some("releng1")), vec![emergency(&other, Shown::Whole), emergency(&one, Shown::Whole)]).whole();
    in_order(&text(&list), &["T1", "You are asked.", "T2"]);
    let page = task(&sight(Some("releng1")), &emergency(&one, Shown::Whole)).whole();
    in_order(&text(&page), &["You are asked for releng", "releng1 (you)"]);
}

#[test]
fn the_page_may_run_its_own_script_and_nothing_else() {
    let watched = watched(&History::emergency());
    let [page, _] = pages(&watched, Shown::Whole, None);
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
    for (begin, end, directive) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")] {
        let own = page.split_once(begin).unwrap().1.split_once(end).unwrap().0;
        assert!(content_policy().contains(&format!("{directive} 'sha256-{}';", hash(own))), "{directive}");
    }
    assert!(content_policy().starts_with("default-src 'none'; "));
    // What the policy would refuse is not there.
    for refused in [" style=", " onclick=", " onerror=", " onload=", "<form", "<base"] {
        assert!(!page.contains(refused), "{refused}");
    }
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>"), "{page}");
}

#[test]
fn whoever_is_shown_nothing_hears_the_same_words_of_every_task() {
    let pages = [81, 82].map(|number| {
        let (task, url) = (TaskId::new(number).unwrap(), format!("https://phab.example/T{number}"));
        no_emergency(&sight(None), task, &url).fragment().replace(&task.to_string(), "T0")
    });
    assert_eq!(pages[0], pages[1]);
    assert!(text(&pages[0]).contains("No open emergency of this number is shown to you."));
    for refused in [not_signed_in(SignIn::Proxy), not_signed_in(SignIn::None), no_viewer("mallory"), not_known_yet()] {
        let page = refused.whole();
        assert!(
            !page.contains("T1") && !page.contains("data-events=") && !page.contains("emergency is open"),
            "{page}"
        );
    }
    assert!(text(&no_viewer("mallory").whole()).contains("You are signed in as mallory"));
}

#[test]
fn a_change_of_the_clock_alone_changes_no_part_but_its_times() {
    let watched = watched(&History::emergency());
    let later = Sight { now: at(1_000) + SignedDuration::from_secs(5), ..sight(None) };
    let strip = |page: String| {
        let mut kept = String::new();
        for part in page.split("<time data-") {
            kept.push_str(part.split_once("</time>").map_or(part, |(_, rest)| rest));
        }
        kept
    };
    let of = |sight: &Sight<'_>| strip(task(sight, &emergency(&watched, Shown::Whole)).fragment());
    let without_now = |page: String, sight: &Sight<'_>| page.replace(&sight.now.to_string(), "NOW");
    assert_eq!(without_now(of(&sight(None)), &sight(None)), without_now(of(&later), &later));
}
