//! What those who talk with people elsewhere are given and what is taken from them.

use jiff::SignedDuration;

use super::*;
use crate::evidence::testing::History;
use crate::gate::Task;
use crate::ids::TransactionId;
use crate::paging::Stage;
use crate::rules::{Intent, JudgedTask, Texts, Verdict};
use crate::serve::board::WatchedTask;
use crate::serve::paging::PagingFacts;
use crate::serve::paging::kept::{Slot, SlotPhase};
use crate::serve::site::Site;
use crate::serve::store::SqliteStore;
use crate::serve::testing::{self, site};

fn watched(history: &History, site: &Site) -> WatchedTask {
    let (task, verdict) = Task::judged(history.evidence(), &history.policy, &Intent::default(), None, Texts::Hidden);
    let read = JudgedTask { evidence: &task.evidence, state: &task.state, verdict: &verdict };
    let watched = testing::watched(history);
    WatchedTask { paging: PagingFacts::of(read, &watched.episode, site).into(), ..watched }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_counts_of_who_could_approve_and_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let history = History::emergency();
    let watch = Watch::new(site(&history, state.clone()), SqliteStore::open(&state).unwrap()).unwrap();
    let (task, now) = (history.task.id, watch.board.now());
    assert_eq!(watch.acknowledge(task, None, "sre1", now).unwrap(), AckOutcome::NoEmergency);
    watch.board.put(watched(&history, &watch.site), 1);
    for nobody in ["outsider", "deployer1", "robot"] {
        assert_eq!(watch.acknowledge(task, None, nobody, now).unwrap(), AckOutcome::MayNot, "{nobody}");
    }
    assert_eq!(watch.acknowledge(task, Some("releng"), "sre1", now).unwrap(), AckOutcome::MayNot);
    let until = now.saturating_add(SignedDuration::from_mins(15)).unwrap();
    let holds = |teams: &[&str]| {
        let teams = teams.iter().map(|team| (*team).to_owned()).collect();
        AckOutcome::Holds { teams, until }
    };
    assert_eq!(watch.acknowledge(task, None, "SRE1", now).unwrap(), holds(&["sre"]));
    assert_eq!(watch.acknowledge(task, None, "both", now).unwrap(), holds(&["releng", "sre"]));
    let kept = watch.paging.acks(task);
    drop(watch);
    let again = Watch::new(site(&history, state.clone()), SqliteStore::open(&state).unwrap()).unwrap();
    assert_eq!(again.paging.acks(task).len(), kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_in_a_channel_is_taken_once() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let history = History::emergency();
    let key = |team: &str| PageKey {
        task: history.task.id,
        episode: TransactionId(3),
        team: team.into(),
        round: 1,
        stage: Stage::Asked,
    };
    let open = || Watch::new(site(&history, state.clone()), SqliteStore::open(&state).unwrap()).unwrap();
    let watch = open();
    watch.paging.set_asks(vec![Page { key: key("sre"), due: watch.board.now(), drill: false }]);
    assert!(!watch.take_ask(&key("releng")).unwrap(), "it is not asked");
    assert!(watch.take_ask(&key("sre")).unwrap());
    assert!(!watch.take_ask(&key("sre")).unwrap());
    let asks = watch.asks();
    drop(watch);
    let again = open();
    again.paging.set_asks(asks);
    assert!(!again.take_ask(&key("sre")).unwrap(), "nor after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_asked_once_each_team_was_that_is_missing_and_never_for_what_it_could_not_judge() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let history = History::emergency();
    let watch = Watch::new(site(&history, state.clone()), SqliteStore::open(&state).unwrap()).unwrap();
    let task = history.task.id;
    let shows = |verdict: Option<Verdict>, sequence| {
        let watched = watched(&history, &watch.site);
        let verdict = verdict.unwrap_or_else(|| watched.verdict.clone());
        watch.board.put(WatchedTask { verdict, ..watched }, sequence);
    };
    assert!(!watch.has_asked(task), "nothing is known of it");
    shows(None, 1);
    assert!(!watch.has_asked(task));
    let episode = TransactionId(3);
    let slot = |team: &str| Slot {
        team: team.into(),
        round: 1,
        asked: watch.board.now(),
        since: watch.board.now(),
        phase: SlotPhase::Missing,
    };
    watch.paging.keep_slots(&watch.store, task, episode, vec![slot("releng"), slot("sre")]).unwrap();
    for (team, are_all) in [("sre", false), ("releng", true)] {
        let key = PageKey { task, episode, team: team.into(), round: 1, stage: Stage::Asked };
        watch.paging.set_asks(vec![Page { key: key.clone(), due: watch.board.now(), drill: false }]);
        assert!(watch.take_ask(&key).unwrap());
        assert_eq!(watch.has_asked(task), are_all, "{team}");
    }
    shows(Some(Verdict::undecided("the server is away".into(), "try again")), 2);
    assert!(!watch.has_asked(task), "no team is listed, and that is no answer");
}
