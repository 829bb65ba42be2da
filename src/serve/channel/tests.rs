//! What is said in the channel, when, and what of a task it may hold.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::announcements::Called;
use super::news::{At, News, has_too_many_deploys, news, pages};
use super::{announcements, lines};
use crate::evidence::testing::{History, at, record};
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::paging::{OnCall, PageKey, Stage, who_to_ask};
use crate::record::{Event, Outcome, Record};
use crate::rules::TeamCount;
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::paging::{AckOutcome, PageShown, Reached, TeamPaging};
use crate::serve::testing::watched;

const AT: At = At { now: jiff::Timestamp::UNIX_EPOCH, window: SignedDuration::from_mins(30), logs: false };

fn due(watched: &WatchedTask, said: &[News]) -> Vec<News> {
    let said: BTreeSet<String> = said.iter().map(News::key).collect();
    news(watched, &said, At { now: at(1_000), ..AT })
}

/// Says all that is due, until nothing is; returns the keys of the lines, and adds all that needs none any more to what was said.
fn say(history: &History, said: &mut BTreeSet<String>) -> Vec<String> {
    let watched = watched(history);
    let mut keys = Vec::new();
    while let Some(due) = news(&watched, said, At { now: at(1_000), ..AT }).first() {
        if announcements::news(&watched, due, &str::to_owned).is_some() {
            keys.push(due.key());
        }
        said.extend(due.besides(&watched));
        assert!(said.insert(due.key()), "{due:?} is said twice");
    }
    keys
}

fn deployed(history: &mut History, event: Event, seconds: i64, outcome: Outcome) -> DeployId {
    let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let is_end = event == Event::Finished;
    let (finished, outcome) = (is_end.then(|| at(seconds)), is_end.then_some(outcome));
    history.record(
        "phabgate",
        seconds,
        &Record { started: Some(at(seconds)), finished, outcome, ..record(deploy, event, "deployer1") },
    );
    deploy
}

#[test]
fn ready_is_said_once_and_again_after_each_time_that_it_was_lost() {
    assert_eq!(due(&watched(&History::emergency()), &[]), []);
    let mut history = History::ready();
    let mut said = BTreeSet::new();
    assert_eq!(say(&history, &mut said), ["ready 0"]);
    assert_eq!(say(&history, &mut said), [""; 0]);
    let back = history.comment("sre1", 20, "Emergency-Withdraw: sre");
    assert_eq!(say(&history, &mut said), [format!("withdrawn {back}")]);
    assert_eq!(say(&history, &mut said), [""; 0]);
    history.comment("sre1", 30, "Emergency-Approve: sre");
    assert_eq!(say(&history, &mut said), ["ready 1"]);
    // Lost without a word of anybody.
    history.describe("deployer1", 40, "Emergency-Reason: abuse - something else");
    assert_eq!(say(&history, &mut said), ["lost 1"]);
}

#[test]
fn who_takes_an_approval_back_is_named_though_nothing_was_ready() {
    let mut history = History::ready();
    let back = history.comment("sre1", 20, "Emergency-Withdraw: sre");
    assert_eq!(due(&watched(&history), &[]), [News::Withdrawn { transaction: back, ends: None }]);
    // Nobody has to hear of it where others approved since, also later.
    history.comment("sre2", 30, "Emergency-Approve: sre");
    let mut said = BTreeSet::new();
    assert_eq!(say(&history, &mut said), ["ready 0"]);
    history.describe("deployer1", 40, "Emergency-Reason: abuse - something else");
    assert_eq!(say(&history, &mut said), ["lost 0"]);
}

#[test]
fn each_no_is_said_once_and_ends_what_was_ready() {
    let mut history = History::ready();
    let mut said = BTreeSet::new();
    assert_eq!(say(&history, &mut said), ["ready 0"]);
    let no = history.comment("sre2", 20, "Emergency-Reject: sre - the graphs look wrong");
    let more = history.comment("sec1", 21, "Emergency-Reject: security");
    assert_eq!(say(&history, &mut said), [format!("rejected {no}"), format!("rejected {more}")]);
    assert!(said.contains("lost 0"));
    history.comment("sec1", 30, "Emergency-Withdraw: security");
    assert_eq!(say(&history, &mut said), [""; 0]);
    history.comment("sre2", 31, "Emergency-Withdraw: sre");
    assert_eq!(say(&history, &mut said), ["ready 1"]);
    // One that was said before and stands again ends it too.
    let line = |history: &History, due: &News| {
        announcements::news(&watched(history), due, &str::to_owned).unwrap().as_str().to_owned()
    };
    let mut again = History::ready();
    let no = again.comment("sre2", 20, "Emergency-Reject: sre - the graphs look wrong");
    let known = [News::Rejected { transaction: no, ends: None }, News::Ready(0)];
    assert_eq!(due(&watched(&again), &known), [News::Lost(0)]);
    assert_eq!(
        line(&again, &News::Lost(0)),
        "T1 is not approved any more: it is REJECTED by sre2 -- https://phab.example/T1"
    );
    assert_eq!(line(&again, &known[0]), "T1 is REJECTED by sre2 and may not be deployed -- https://phab.example/T1");
    // A no of somebody who may not say it stops nothing.
    let mut outside = History::ready();
    outside.comment("outsider", 20, "Emergency-Reject: sre");
    assert_eq!(due(&watched(&outside), &[]), [News::Ready(0)]);
}

#[test]
fn who_meant_an_answer_that_does_not_count_hears_of_it_once_and_of_two_at_most() {
    let mut history = History::emergency();
    history.comment("sre1", 20, "Emergency-Aprove: sre");
    let mut said = BTreeSet::new();
    let keys = say(&history, &mut said);
    assert!(keys.len() == 1 && keys[0].starts_with("unread "), "{keys:?}");
    for (second, who) in [(30, "sre2"), (31, "both")] {
        history.comment(who, second, "Emergency-Aprove: sre");
    }
    assert_eq!(say(&history, &mut said).len(), 1, "two in an episode");
    // Nor who is asked nothing, nor what is old, nor of a restricted task.
    let mut others = History::emergency();
    others.comment("outsider", 20, "Emergency-Aprove: sre");
    assert_eq!(due(&watched(&others), &[]), []);
    let mut one = History::emergency();
    one.comment("sre1", 20, "Emergency-Aprove: sre");
    assert_eq!(news(&watched(&one), &BTreeSet::new(), At { now: at(20 + 31 * 60), ..AT }), []);
    one.task.view = "PHID-PLCY-1".into();
    assert_eq!(due(&watched(&one), &[]), []);
}

#[test]
fn what_reads_as_a_no_ends_what_was_ready() {
    let mut history = History::ready();
    let mut said = BTreeSet::new();
    assert_eq!(say(&history, &mut said), ["ready 0"]);
    history.comment("sre1", 20, "**Emergency-Reject: sre**");
    let watched = watched(&history);
    let due = news(&watched, &said, At { now: at(1_000), ..AT }).remove(0);
    let line = announcements::news(&watched, &due, &|name: &str| format!("{name}-nick")).unwrap();
    let text = "T1 may not be deployed: sre1-nick wrote what reads as a no. Write there, alone on a line, Emergency-Reject: sre";
    assert!(line.as_str().starts_with(text), "{line:?}");
    assert_eq!(say(&history, &mut said).len(), 1);
    assert!(said.contains("lost 0"), "{said:?}");
}

/// What is said where the first team was asked.
fn asked() -> BTreeSet<String> {
    let (task, episode) = ("T1".parse().unwrap(), TransactionId(2));
    [PageKey { task, episode, team: "sre".into(), round: 1, stage: Stage::Asked }.to_string()].into()
}

/// An emergency of which people state in turn whether it is a drill.
fn stated(values: &[&str]) -> History {
    let mut history = History::emergency();
    for (second, value) in (20..).zip(values) {
        let author = if *value == "no" { "deployer1" } else { "outsider" };
        history.describe(author, second, &format!("Emergency-Reason: availability - 5xx\nEmergency-Drill: {value}"));
    }
    history
}

#[test]
fn who_was_asked_hears_that_it_is_a_drill_and_that_it_is_none_any_more() {
    let line = |values: &[&str], turn| {
        let line = announcements::news(&watched(&stated(values)), &News::Drill(turn), &str::to_owned).unwrap();
        line.as_str().to_owned()
    };
    let mut said = asked();
    assert_eq!(say(&stated(&["no"]), &mut said), [""; 0], "nobody heard that it is one");
    assert_eq!(say(&stated(&["yes"]), &mut said), ["drill 0"]);
    assert_eq!(line(&["yes"], 0), "T1 is a drill: outsider declared it one -- https://phab.example/T1");
    assert_eq!(say(&stated(&["yes", "true"]), &mut said), [""; 0], "that is known");
    assert_eq!(say(&stated(&["yes", "no"]), &mut said), ["drill 1"]);
    assert_eq!(line(&["yes", "no"], 1), "T1 is no drill any more: deployer1 took that back -- https://phab.example/T1");
    assert_eq!(line(&[], 1), "T1 is no drill any more -- https://phab.example/T1", "the word is not there any more");
    let mut restricted = stated(&["yes", "no"]);
    restricted.task.view = "PHID-PLCY-1".into();
    let line = announcements::news(&watched(&restricted), &News::Drill(1), &str::to_owned).unwrap();
    assert_eq!(line.as_str(), "T1 is no drill any more -- https://phab.example/T1");
}

#[test]
fn three_lines_of_an_episode_say_whether_it_is_a_drill_and_none_where_nobody_was_asked() {
    let (mut said, mut values, mut keys) = (asked(), Vec::new(), Vec::new());
    for turn in 0..10 {
        values.push(if turn % 2 == 0 { "yes" } else { "no" });
        keys.extend(say(&stated(&values), &mut said));
    }
    assert_eq!(keys, ["drill 0", "drill 1", "drill 2"]);
    let line = announcements::news(&watched(&stated(&["yes"])), &News::Drill(2), &str::to_owned).unwrap();
    let last = "T1 is a drill: outsider declared it one; the task says whether that changes -- https://phab.example/T1";
    assert_eq!(line.as_str(), last);
    let paged = News::Paged { team: "sre".into(), round: 1, stage: Stage::Page };
    let mut other = BTreeSet::from([paged.key()]);
    assert_eq!(say(&stated(&["yes"]), &mut other), [""; 0]);
    assert_eq!(say(&stated(&["yes"]), &mut BTreeSet::new()), [""; 0], "the first line says so");
}

#[test]
fn a_deploy_is_said_to_start_and_to_end_and_nothing_else_is_then() {
    let mut history = History::ready();
    let deploy = deployed(&mut history, Event::Started, 100, Outcome::Succeeded);
    assert_eq!(due(&watched(&history), &[]), [News::Started(deploy)]);
    assert_eq!(due(&watched(&history), &[News::Started(deploy), News::Ready(0)]), []);
    deployed(&mut history, Event::Finished, 200, Outcome::Succeeded);
    assert_eq!(due(&watched(&history), &[News::Ready(0)]), [News::Ended(deploy)]);
    // What is long over is no news.
    let old = news(&watched(&history), &BTreeSet::new(), At { now: at(200 + 31 * 60), ..AT });
    assert_eq!(old, []);
}

#[test]
fn of_a_deploy_that_its_author_could_not_have_run_nothing_is_said_and_it_hides_nothing() {
    let mut history = History::emergency();
    for event in [Event::Started, Event::Recorded, Event::Finished] {
        let outcome = (event != Event::Started).then_some(Outcome::Succeeded);
        let theirs = Record { started: Some(at(100)), outcome, ..record(DeployId::fresh(), event, "outsider") };
        history.record("outsider", 20, &theirs);
    }
    history.comment("releng1", 30, "Emergency-Approve: releng");
    history.comment("sre1", 31, "Emergency-Approve: sre");
    assert_eq!(due(&watched(&history), &[]), [News::Ready(0)]);
}

#[test]
fn something_is_said_of_ten_deploys_of_an_episode_at_most() {
    let mut said = BTreeSet::new();
    let mut history = History::ready();
    let mut last = DeployId::fresh();
    for number in 0..12 {
        last = DeployId::fresh();
        let mut it = Record { started: Some(at(100 + number)), ..record(last, Event::Started, "deployer1") };
        history.record("phabgate", 100 + number, &it);
        say(&history, &mut said);
        (it.event, it.outcome) = (Event::Finished, Some(Outcome::Succeeded));
        history.record("phabgate", 100 + number, &it);
        assert_eq!(has_too_many_deploys(&watched(&history), &said), number >= 10, "{number}");
        say(&history, &mut said);
    }
    let count = |what: &str| said.iter().filter(|key| key.starts_with(what)).count();
    assert_eq!((count("started "), count("ended ")), (10, 10));
    assert!(!said.contains(&News::Ended(last).key()));
}

#[test]
fn the_log_of_the_site_has_a_line_for_each_deploy_that_started() {
    let logs = |history: &History, said: &[News]| {
        let said: BTreeSet<String> = said.iter().map(News::key).collect();
        let all = news(&watched(history), &said, At { now: at(210), logs: true, ..AT });
        all.into_iter().filter(|news| matches!(news, News::Logged(_))).collect::<Vec<_>>()
    };
    let mut history = History::ready();
    let deploy = deployed(&mut history, Event::Started, 100, Outcome::Succeeded);
    assert_eq!(logs(&history, &[]), [News::Logged(deploy)]);
    assert_eq!(logs(&history, &[News::Logged(deploy)]), []);
    deployed(&mut history, Event::Finished, 200, Outcome::Succeeded);
    assert_eq!(logs(&history, &[]), [News::Logged(deploy)], "it ended soon");
    let late = news(&watched(&history), &BTreeSet::new(), At { now: at(221), logs: true, ..AT });
    assert_eq!(late, [News::Ended(deploy)], "a log has the time at which it is written");
    let mut none = History::ready();
    deployed(&mut none, Event::Finished, 200, Outcome::NotStarted);
    assert_eq!(logs(&none, &[]), []);
}

#[test]
fn what_another_service_speaks_of_or_what_is_from_before_the_first_start_is_left_to_itself() {
    let mut watched = watched(&History::ready());
    watched.speaks = Speaks::NotAnnounced;
    assert_eq!(due(&watched, &[]), []);
}

fn page(stage: Stage, seconds: i64) -> PageShown {
    PageShown { round: 1, stage, at: at(seconds), reached: Reached::Accepted }
}

/// The teams that a task lacks, each with these pages.
fn paging(watched: &WatchedTask, pages: &[PageShown]) -> Vec<TeamPaging> {
    let on_call = OnCall::Names(vec!["sre2".into()]);
    let of = |team: &TeamCount| TeamPaging {
        team: team.team.clone(),
        who: who_to_ask(team, &on_call),
        pages: pages.to_vec(),
        ack: None,
    };
    watched.verdict.missing_teams().map(of).collect()
}

fn pages_due(watched: &WatchedTask, paging: &[TeamPaging], said: &[News]) -> Vec<News> {
    let said: BTreeSet<String> = said.iter().map(News::key).collect();
    pages(watched, paging, &said, At { now: at(1_000), ..AT })
}

#[test]
fn each_page_that_a_pager_took_is_said_once_and_not_where_somebody_looks_at_it() {
    let watched = watched(&History::emergency());
    let of_sre = |pages: &[PageShown]| {
        let mut teams = paging(&watched, pages);
        teams.retain(|team| team.team == "sre");
        teams
    };
    let paged = |stage| News::Paged { team: "sre".into(), round: 1, stage };
    let tried = PageShown { reached: Reached::Tried, ..page(Stage::Page, 900) };
    assert_eq!(pages_due(&watched, &of_sre(&[tried]), &[]), [], "nobody was called yet");
    let both = [page(Stage::Page, 820), page(Stage::Escalation, 990)];
    assert_eq!(pages_due(&watched, &of_sre(&both), &[]), [paged(Stage::Page), paged(Stage::Escalation)]);
    assert_eq!(pages_due(&watched, &of_sre(&both), &[paged(Stage::Page)]), [paged(Stage::Escalation)]);
    let anew = PageShown { round: 2, ..page(Stage::Page, 995) };
    let again = News::Paged { team: "sre".into(), round: 2, stage: Stage::Page };
    assert_eq!(pages_due(&watched, &of_sre(&[anew]), &[paged(Stage::Page)]), [again], "in another round");
    assert_eq!(pages_due(&watched, &of_sre(&[page(Stage::Page, 1_000 - 31 * 60)]), &[]), [], "what is old is no news");
    // Of a team of which somebody looks at it nothing is said, also where somebody asks.
    let mut acknowledged = of_sre(&both);
    acknowledged[0].ack = Some(("sre1".into(), at(1_500)));
    assert_eq!(pages_due(&watched, &acknowledged, &[]), []);
    let asked = |paging: &[TeamPaging]| {
        let who = lines::who(&watched, paging, &str::to_owned, at(1_000));
        [lines::status(&watched, paging, None, at(1_000)), who].map(|line| line.as_str().contains("paged"))
    };
    assert_eq!((asked(&of_sre(&both)), asked(&acknowledged)), ([true; 2], [false; 2]));
    let mut other = watched.clone();
    other.speaks = Speaks::NotAnnounced;
    assert_eq!(pages_due(&other, &of_sre(&both), &[]), [], "another service speaks");
}

#[test]
fn a_status_says_the_keys_of_teams_how_to_approve_and_who_looks_at_it() {
    let mut history = History::emergency();
    history.policy.accept_witnessed = true;
    let said = |watched: &WatchedTask, paging: &[TeamPaging]| {
        lines::status(watched, paging, watched.subject.code, at(1_000)).as_str().to_owned()
    };
    let both = watched(&history);
    let code = both.subject.code.unwrap();
    let end = "-- https://phab.example/T1";
    let line = format!(
        "T1 waits for Release Engineering (releng), SRE, open for 16 min; to approve: !approve T1 TEAM {code} {end}"
    );
    assert_eq!(said(&both, &[]), line);
    history.comment("releng1", 10, "Emergency-Approve: releng");
    let one = watched(&history);
    let mut acknowledged = paging(&one, &[page(Stage::Page, 820)]);
    acknowledged[0].ack = Some(("sre1".into(), at(1_500)));
    let until = at(1_500).strftime("%H:%M UTC");
    let line = format!(
        "T1 waits for SRE (seen by sre1, pages held until {until}), open for 16 min; to approve: !approve T1 sre {code} {end}"
    );
    assert_eq!(said(&one, &acknowledged), line);
    let who = lines::who(&one, &acknowledged, &str::to_owned, at(1_000));
    assert!(who.as_str().contains("; seen by sre1, pages held until "), "{who:?}");
    // Where that is too long for a message the code is said all the same.
    let mut long = both.clone();
    for team in &mut long.verdict.teams {
        team.title = "The Engineers of the Reliability of All Sites, of All Their Mirrors, and of Whatever Else There May Be, Of Them All And Of Every Other Wiki ".into();
    }
    let line = said(&long, &[]);
    assert!(line.ends_with(&format!(", open for 16 min, code {code} {end}")), "{line}");
    // What is rejected is not approved by a code.
    history.comment("sre2", 20, "Emergency-Reject: sre");
    let line = said(&watched(&history), &[]);
    assert!(
        line.starts_with("T1 is REJECTED by sre2") && !line.contains("code") && !line.contains("!approve"),
        "{line}"
    );
}

#[test]
fn what_is_asked_fits_into_a_message_though_a_team_is_large() {
    let mut history = History::emergency();
    history.task.view = "public".into();
    history.policy.accept_witnessed = true;
    let mut watched = watched(&history);
    for team in &mut watched.verdict.teams {
        team.title = "The Engineers of the Reliability of All Sites".into();
        team.could = (0..12).map(|number| format!("somebody-with-a-long-name-{number:02}")).collect();
    }
    for team in watched.verdict.missing_teams() {
        let who = who_to_ask(team, &OnCall::NotSet);
        let called = Called { who: &who, conductor: Some("somebody-with-a-long-name-12"), nick: &str::to_owned };
        let line = announcements::asked(&watched, team, &called, watched.subject.code);
        assert!(line.as_str().len() <= 380, "{line:?}");
        let code = watched.subject.code.unwrap();
        assert!(line.as_str().ends_with(&format!("or say here: !approve T1 {} {code}", team.team)), "{line:?}");
        assert!(line.as_str().contains("somebody-with-a-long-name-00"), "{line:?}");
    }
}

/// Every line that can be said of a task.
fn everything(history: &History) -> Vec<String> {
    let mut history = history.clone();
    history.policy.accept_witnessed = true;
    let watched = watched(&history);
    let on_call = OnCall::Names(vec!["sre2".into()]);
    let nick = |name: &str| format!("{name}-nick");
    let asked = |team| {
        let who = who_to_ask(team, &on_call);
        let called = Called { who: &who, conductor: Some("carol"), nick: &nick };
        announcements::asked(&watched, team, &called, watched.subject.code)
    };
    let mut all: Vec<_> = watched.verdict.missing_teams().map(asked).collect();
    all.extend(watched.verdict.missing_teams().next().map(|team| {
        let called = Called { who: &who_to_ask(team, &on_call), conductor: Some("carol"), nick: &nick };
        announcements::asked_again(&watched, team, &called, "Klaxon pages the people on call")
    }));
    let deploys = watched.deploys.iter().map(|deploy| deploy.deploy);
    let of_deploys = deploys.flat_map(|deploy| [News::Started(deploy), News::Ended(deploy), News::Logged(deploy)]);
    let mut news: Vec<News> = of_deploys.chain([News::Ready(0)]).collect();
    news.extend(watched.verdict.missing_teams().next().map(|_| News::Lost(0)));
    news.extend(due(&watched, &[]).into_iter().filter(|due| due.besides(&watched).is_empty()));
    let transaction = |word: &super::Word| word.transaction;
    let ends = Some(0);
    let words = &watched.channel;
    news.extend(words.withdrawals.iter().map(transaction).map(|transaction| News::Withdrawn { transaction, ends }));
    news.extend(words.drill.iter().map(|_| News::Drill(0)));
    all.extend(news.iter().filter_map(|news| announcements::news(&watched, news, &nick)));
    let twice = [page(Stage::Page, 100), page(Stage::Escalation, 820)];
    for pages in [&[][..], &twice] {
        let paging = paging(&watched, pages);
        let due = pages_due(&watched, &paging, &[]);
        all.extend(due.iter().filter_map(|page| announcements::news(&watched, page, &nick)));
        if pages.is_empty() || !paging.is_empty() {
            all.push(lines::status(&watched, &paging, watched.subject.code, at(1_000)));
            all.push(lines::who(&watched, &paging, &nick, at(1_000)));
        }
    }
    all.into_iter().map(|line| line.as_str().to_owned()).collect()
}

/// An emergency that people are against, and that is a drill.
fn disputed() -> History {
    let mut history = History::ready();
    history.comment("sre1", 20, "Emergency-Withdraw: sre");
    history.comment("sre2", 21, "Emergency-Reject: sre - the graphs look wrong");
    history.comment("both", 22, "Emergency-Aprove: sre");
    history.describe("deployer1", 23, "Emergency-Reason: availability - 5xx\nEmergency-Drill: yes");
    history
}

fn ended(how: impl Fn(&mut History)) -> String {
    let mut history = disputed();
    how(&mut history);
    let directory = tempfile::tempdir().unwrap();
    let site = crate::serve::testing::site(&history, directory.path().to_owned());
    let ended = super::EndedTask::last(&history.evidence(), &site).unwrap();
    announcements::ended(&ended).as_str().to_owned()
}

#[test]
fn what_people_read() {
    let mut waiting = History::emergency();
    waiting.task.view = "public".into();
    let mut running = History::ready();
    deployed(&mut running, Event::Started, 100, Outcome::Succeeded);
    let mut over = running.clone();
    deployed(&mut over, Event::Finished, 200, Outcome::Succeeded);
    let mut drill = History::emergency();
    drill.describe("deployer1", 20, "Emergency-Reason: availability - 5xx\nEmergency-Drill: yes");
    let all = [waiting, running, over, disputed(), drill];
    let all = all.iter().map(|history| everything(history).join("\n")).collect::<Vec<_>>().join("\n\n");
    let task: TaskId = "T1".parse().unwrap();
    let holds = AckOutcome::Holds { teams: vec!["sre".into()], until: at(900) };
    let acks = [holds, AckOutcome::MayNot, AckOutcome::NoEmergency]
        .map(|outcome| lines::acknowledged("alice", task, &outcome, at(0)));
    let more = acks
        .into_iter()
        .chain([lines::help(), lines::nobody("alice", task, "the nick is not logged in with the services")]);
    let more = more.map(|line| line.as_str().to_owned()).collect::<Vec<_>>().join("\n");
    let untagged = ended(|history| _ = history.untag("outsider", 30, "emergency"));
    let closed = ended(|history| _ = history.status("sre1", 30, "resolved"));
    insta::assert_snapshot!(format!("{all}\n\n{more}\n\n{untagged}\n{closed}"));
}

#[test]
fn of_a_restricted_task_nothing_but_its_number_is_said() {
    let mut running = History::ready();
    deployed(&mut running, Event::Started, 100, Outcome::Succeeded);
    let mut all = vec![ended(|history| {
        history.task.view = "PHID-PLCY-1".into();
        history.untag("outsider", 30, "emergency");
    })];
    for mut history in [running, disputed(), History::emergency()] {
        history.task.view = "PHID-PLCY-1".into();
        all.extend(everything(&history));
    }
    assert!(all.iter().any(|said| said.starts_with("T1: a team was paged")), "{all:?}");
    for said in all {
        for text in
            ["sre", "releng", "SRE", "Release", "deployer1", "outsider", "carol", "availability", "5xx", "graphs"]
        {
            // What is to be written names a team for nobody in particular.
            assert!(!said.replace("Emergency-Approve: TEAM", "").contains(text), "{said}");
        }
    }
}

#[test]
fn names_of_people_and_teams_do_nothing_in_a_channel() {
    let mut history = disputed();
    for team in &mut history.policy.teams {
        team.title = "!log T99\r\nQUIT \u{1}ACTION\u{1}".into();
    }
    for said in everything(&history) {
        let is_bad = said.starts_with(['!', '/']) || said.contains(['\r', '\n', '\u{1}']) || said.contains("T99");
        assert!(!is_bad && said.len() <= crate::irc::TCPIRCBOT_LIMIT, "{said}");
    }
}
