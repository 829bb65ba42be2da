//! What is said in the channel, when, and what of a task it may hold.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::lines;
use super::news::{News, news};
use crate::evidence::testing::{History, at, record};
use crate::ids::{DeployId, TaskId};
use crate::paging::{OnCall, who_to_ask};
use crate::record::{Event, Record};
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::paging::AckOutcome;
use crate::serve::testing::watched;

const WINDOW: SignedDuration = SignedDuration::from_mins(30);

fn due(watched: &WatchedTask, said: &[News]) -> Vec<News> {
    let said: BTreeSet<String> = said.iter().map(ToString::to_string).collect();
    news(watched, &said, at(1_000), WINDOW)
}

fn deployed(history: &mut History, event: Event, seconds: i64) -> DeployId {
    let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let finished = (event == Event::Finished).then(|| at(seconds));
    history.record(
        "phabgate",
        seconds,
        &Record { started: Some(at(seconds)), finished, ..record(deploy, event, "deployer1") },
    );
    deploy
}

#[test]
fn ready_is_said_once_and_again_after_each_time_that_it_was_lost() {
    assert_eq!(due(&watched(&History::emergency()), &[]), []);
    let mut history = History::ready();
    assert_eq!(due(&watched(&history), &[]), [News::Ready(0)]);
    assert_eq!(due(&watched(&history), &[News::Ready(0)]), []);
    history.comment("sre1", 20, "Emergency-Withdraw: sre");
    // What nobody heard of is not taken back.
    assert_eq!(due(&watched(&history), &[]), []);
    assert_eq!(due(&watched(&history), &[News::Ready(0)]), [News::Lost(0)]);
    assert_eq!(due(&watched(&history), &[News::Ready(0), News::Lost(0)]), []);
    history.comment("sre1", 30, "Emergency-Approve: sre");
    assert_eq!(due(&watched(&history), &[News::Ready(0), News::Lost(0)]), [News::Ready(1)]);
}

#[test]
fn a_deploy_is_said_to_start_and_to_end_and_nothing_else_is_then() {
    let mut history = History::ready();
    let deploy = deployed(&mut history, Event::Started, 100);
    assert_eq!(due(&watched(&history), &[]), [News::Started(deploy)]);
    assert_eq!(due(&watched(&history), &[News::Started(deploy), News::Ready(0)]), []);
    deployed(&mut history, Event::Finished, 200);
    assert_eq!(due(&watched(&history), &[News::Ready(0)]), [News::Ended(deploy)]);
    // What is long over is no news.
    let old = news(&watched(&history), &BTreeSet::new(), at(200 + 31 * 60), WINDOW);
    assert_eq!(old, []);
}

#[test]
fn what_another_service_speaks_of_or_what_is_from_before_the_first_start_is_left_to_itself() {
    let mut watched = watched(&History::ready());
    watched.speaks = Speaks::NotAnnounced;
    assert_eq!(due(&watched, &[]), []);
}

/// Every line that can be said of a task.
fn everything(history: &History) -> Vec<String> {
    let watched = watched(history);
    let on_call = OnCall::Names(vec!["sre2".into()]);
    let mut all: Vec<_> = watched
        .verdict
        .missing_teams()
        .map(|team| lines::asked(&watched, team, &who_to_ask(team, &on_call), watched.code))
        .collect();
    let deploys = watched.deploys.iter().map(|deploy| deploy.deploy);
    let news = deploys.flat_map(|deploy| [News::Started(deploy), News::Ended(deploy)]).chain([News::Ready(0)]);
    let lost = watched.verdict.missing_teams().next().map(|_| News::Lost(0));
    all.extend(news.chain(lost).filter_map(|news| lines::news(&watched, news)));
    all.extend(watched.deploys.iter().map(|deploy| lines::log(&watched, deploy)));
    all.push(lines::status(Some(&watched), watched.code, at(1_000)));
    all.push(lines::who(Some(&watched), |team| who_to_ask(team, &on_call)));
    all.into_iter().map(|line| line.as_str().to_owned()).collect()
}

#[test]
fn what_people_read() {
    let mut waiting = History::emergency();
    waiting.task.view = "public".into();
    let mut running = History::ready();
    deployed(&mut running, Event::Started, 100);
    let mut ended = running.clone();
    deployed(&mut ended, Event::Finished, 200);
    let all =
        [waiting, running, ended].iter().map(|history| everything(history).join("\n")).collect::<Vec<_>>().join("\n\n");
    let task: TaskId = "T1".parse().unwrap();
    let holds = AckOutcome::Holds { teams: vec!["sre".into()], until: at(900) };
    let acks =
        [holds, AckOutcome::MayNot, AckOutcome::NoEmergency].map(|outcome| lines::acknowledged(task, &outcome, at(0)));
    let more =
        acks.into_iter().chain([lines::help(), lines::nobody(task, "the nick is not logged in with the services")]);
    let more = more.map(|line| line.as_str().to_owned()).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(format!("{all}\n\n{more}"));
}

#[test]
fn of_a_restricted_task_nothing_but_its_number_is_said() {
    let mut history = History::ready();
    history.task.view = "PHID-PLCY-1".into();
    deployed(&mut history, Event::Started, 100);
    for said in everything(&history) {
        for text in ["sre", "releng", "SRE", "Release", "deployer1", "availability", "5xx"] {
            // What is to be written names a team for nobody in particular.
            assert!(!said.replace("Emergency-Approve: TEAM", "").contains(text), "{said}");
        }
    }
    let of_none = [lines::status(None, None, at(0)), lines::who(None, |_| unreachable!())];
    assert!(of_none.iter().all(|line| line.as_str() == of_none[0].as_str()), "{of_none:?}");
}

#[test]
fn names_of_people_and_teams_do_nothing_in_a_channel() {
    let mut history = History::emergency();
    for team in &mut history.policy.teams {
        team.title = "!log T99\r\nQUIT \u{1}ACTION\u{1}".into();
    }
    for said in everything(&history) {
        let is_bad = said.starts_with(['!', '/']) || said.contains(['\r', '\n', '\u{1}']) || said.contains("T99");
        assert!(!is_bad && said.len() <= crate::irc::TCPIRCBOT_LIMIT, "{said}");
    }
}
