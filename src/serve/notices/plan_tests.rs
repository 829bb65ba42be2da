//! Which notice is due when, over histories as they come.

use super::*;
use crate::evidence::testing::{History, at};
use crate::evidence::{Evidence, TaskState};
use crate::rules::{self, Intent};
use crate::serve::notices::counting;

/// A watch over one task: what it said, and what it saw count.
struct Watched {
    history: History,
    posted: Vec<PostedNotice>,
    counted: BTreeSet<CountedApproval>,
    store: StoreId,
    first_start: Timestamp,
    deployed: bool,
    kinds: Vec<NoticeKind>,
}

impl Watched {
    fn new(history: History) -> Self {
        let store = StoreId::kept("ours".into());
        let kinds = NoticeKind::ALL.to_vec();
        Self { history, posted: vec![], counted: BTreeSet::new(), store, first_start: at(0), deployed: false, kinds }
    }

    fn read(&self, now: i64) -> (Evidence, Verdict, Episode) {
        let mut evidence = self.history.evidence();
        evidence.now = at(now);
        let verdict = rules::evaluate(&evidence, &self.history.policy, &Intent::default(), None);
        let state = TaskState::derive(&evidence, &self.history.policy, None);
        let episode = Episode::current(&evidence, &state).unwrap();
        (evidence, verdict, episode)
    }

    fn plan(&mut self, now: i64) -> Plan {
        self.plan_knowing(now, &[])
    }

    fn plan_knowing(&mut self, now: i64, known: &[(crate::notice::NoticeKey, NoticeState)]) -> Plan {
        let (evidence, verdict, episode) = self.read(now);
        self.counted.extend(counting(&verdict));
        plan(&Situation {
            task: evidence.task.id,
            episode,
            verdict: &verdict,
            posted: &self.posted,
            known,
            counted: &self.counted,
            deployed: self.deployed,
            now: at(now),
            store: &self.store,
            first_start: self.first_start,
            window: SignedDuration::from_mins(30),
            kinds: &self.kinds,
        })
    }

    /// Says what is due, until nothing more is.
    fn say(&mut self, now: i64) -> Vec<NoticeKind> {
        let mut kinds = Vec::new();
        while let Plan::Say(due) = self.plan(now) {
            kinds.push(due.notice.kind);
            let transaction = TransactionId(1_000_000 + self.posted.len() as u64);
            self.posted.push(PostedNotice { notice: due.notice, transaction, time: at(now) });
            assert!(kinds.len() < 20, "it says and says: {kinds:?}");
        }
        kinds
    }
}

#[test]
fn a_clean_way_costs_two() {
    let mut watched = Watched::new(History::emergency());
    assert_eq!(watched.plan(10), Plan::NotBefore(at(22)), "the tag is of second 2");
    assert_eq!(watched.say(22), [NoticeKind::Missing]);
    assert_eq!(watched.say(60), []);
    watched.history.comment("releng1", 61, "Emergency-Approve: releng");
    assert_eq!(watched.say(62), []);
    watched.history.comment("sre1", 63, "Emergency-Approve: sre");
    assert_eq!(watched.say(64), [NoticeKind::Ready]);
    assert_eq!(watched.say(600), []);
}

#[test]
fn nothing_is_missing_where_it_came_at_once() {
    let mut watched = Watched::new(History::ready());
    assert_eq!(watched.say(15), [NoticeKind::Ready]);
    assert_eq!(watched.say(100), []);
}

#[test]
fn what_is_lost_is_said_once_and_that_it_is_back() {
    let mut watched = Watched::new(History::ready());
    assert_eq!(watched.say(15), [NoticeKind::Ready]);
    watched.history.describe("deployer1", 20, "Emergency-Reason: abuse - something else");
    assert_eq!(watched.say(21), [NoticeKind::Lost, NoticeKind::Missing][..1]);
    watched.history.comment("releng1", 30, "Emergency-Approve: releng");
    watched.history.comment("sre1", 31, "Emergency-Approve: sre");
    assert_eq!(watched.say(32), [NoticeKind::Ready]);
    // Their own words need no echo.
    watched.history.comment("sre1", 40, "Emergency-Withdraw: sre");
    assert_eq!(watched.say(41).iter().filter(|kind| **kind == NoticeKind::Lost).count(), 0);
}

#[test]
fn who_says_yes_again_lost_nothing() {
    let mut watched = Watched::new(History::emergency());
    watched.history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!(watched.say(15), []);
    // A yes that they said elsewhere before, and that the newer one stands for.
    let (_, verdict, _) = watched.read(15);
    let first = counting(&verdict)[0].clone();
    watched.counted.insert(CountedApproval { transaction: TransactionId(1), ..first });
    assert_eq!(watched.say(16), []);
    watched.history.comment("sre1", 17, "Emergency-Withdraw: sre");
    assert_eq!(watched.say(18), []);
}

#[test]
fn a_yes_that_was_missed_is_named_to_those_alone_whose_yes_is_missing() {
    // Who deploys, a team that nobody asks, and a team that has approved.
    let mut watched = Watched::new(History::emergency());
    watched.say(30);
    watched.history.comment("deployer1", 31, "Emergency-Deployer: sre1");
    watched.history.comment("sre1", 32, "Emergency-Aprove: sre");
    watched.history.comment("sec1", 33, "Emergency-Aprove: security");
    watched.history.comment("releng1", 34, "Emergency-Approve: releng");
    watched.history.comment("releng2", 35, "Emergency-Aprove: releng");
    assert!(!watched.say(36).contains(&NoticeKind::Unread));
    watched.history.comment("sre2", 37, "Emergency-Aprove: sre");
    assert_eq!(watched.say(38), [NoticeKind::Unread]);
}

#[test]
fn an_episode_never_costs_more_than_five() {
    let mut watched = Watched::new(History::emergency());
    let mut said = watched.say(30);
    for round in 0..20 {
        let second = 40 + round * 50;
        watched.history.comment("sre2", second, "Emergency-Aprove: sre");
        said.extend(watched.say(second + 1));
        watched.history.comment("releng1", second + 2, "Emergency-Approve: releng");
        watched.history.comment("sre1", second + 3, "Emergency-Approve: sre");
        said.extend(watched.say(second + 4));
        watched.history.describe("deployer1", second + 5, &format!("Emergency-Reason: abuse - {round}, other words"));
        said.extend(watched.say(second + 6));
        let category = if round % 2 == 0 { "availability" } else { "abuse" };
        watched.history.describe("deployer1", second + 7, &format!("Emergency-Reason: {category} - {round}"));
        said.extend(watched.say(second + 8));
    }
    assert!(said.len() <= EPISODE, "{said:?}");
    let count = |kind| said.iter().filter(|known| **known == kind).count();
    assert!(
        count(NoticeKind::Unread) <= 2 && count(NoticeKind::Ready) >= 1 && count(NoticeKind::Lost) >= 1,
        "{said:?}"
    );
}

#[test]
fn what_is_old_foreign_or_not_wanted_is_not_said() {
    let mut watched = Watched::new(History::emergency());
    watched.first_start = at(100);
    assert_eq!(watched.plan(200), Plan::Nothing, "it began before the store was made");
    let mut watched = Watched::new(History::emergency());
    assert_eq!(watched.plan(22 + 30 * 60 + 1), Plan::Nothing, "it is more than half an hour late");
    let mut watched = Watched::new(History::emergency());
    watched.kinds = vec![NoticeKind::Ready];
    assert_eq!(watched.say(30), []);
    let mut watched = Watched::new(History::emergency());
    assert_eq!(watched.say(30), [NoticeKind::Missing]);
    watched.store = StoreId::kept("another".into());
    assert_eq!(watched.plan(60), Plan::Another(StoreId::kept("ours".into())));
}

#[test]
fn what_may_be_on_the_task_is_not_said_again() {
    let mut watched = Watched::new(History::ready());
    let Plan::Say(due) = watched.plan(15) else { panic!("ready is due") };
    let unclear = NoticeState::Unclear {
        sent: at(15),
        settle_at: at(75),
        answer: crate::journal::ServerAnswer::Unclear,
        reads: 0,
    };
    for state in [unclear, NoticeState::GivenUp { at: at(80) }] {
        assert_eq!(watched.plan_knowing(90, &[(due.notice.key(), state)]), Plan::Nothing);
    }
    let absent = [(due.notice.key(), NoticeState::Absent)];
    assert!(matches!(watched.plan_knowing(90, &absent), Plan::Say(_)), "it surely is not there");
}

#[test]
fn a_deploy_that_ended_needs_no_approval_any_more() {
    let mut watched = Watched::new(History::ready());
    assert_eq!(watched.say(15), [NoticeKind::Ready]);
    watched.deployed = true;
    let late = 13 * 60 * 60;
    watched.history.later(late);
    assert_eq!(watched.say(late).iter().filter(|kind| **kind == NoticeKind::Lost).count(), 0);
    watched.deployed = false;
    assert_eq!(watched.say(late), [NoticeKind::Lost], "they expired before anything was deployed");
}
