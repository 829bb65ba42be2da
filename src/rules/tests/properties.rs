//! What holds of every history.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::attribution::DeployerSource;
use crate::conduit::CommentVersion;
use crate::evidence::testing::{at, person, project, record};
use crate::ids::{DeployId, TransactionId};
use crate::record::{Event, Outcome as Ended, Record};

const MEMBERS: [&str; 6] = ["releng1", "releng2", "sre1", "sre2", "both", "sec1"];

/// Something that happens to a task. Its status is left out: who reopens a task makes an emergency of it again, and no
/// rule says that the approvals before it are void.
#[derive(Debug, Clone)]
enum Act {
    Comment(String),
    Edit(usize, String),
    Remove(usize),
    Describe(String),
    Field(Option<String>),
    Tag(&'static str),
    Untag(&'static str),
    Unexposed,
}

fn text() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec!["Approve", "Withdraw", "Reject", "Reason", "Deployer", "Action", "Change"]);
    let values = prop::sample::select(vec![
        "sre",
        "releng",
        "sre, releng",
        "security",
        "abuse - x",
        "availability - y",
        "no idea",
        "deployer1",
        "sre1",
        "rollback",
        "fix",
        "",
    ]);
    prop_oneof![
        4 => (keys, values).prop_map(|(key, value)| format!("Emergency-{key}: {value}")),
        1 => Just("hello".to_owned()),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let projects = || prop::sample::select(vec!["emergency", "emergency-sub", "other"]);
    prop_oneof![
        6 => text().prop_map(Act::Comment),
        2 => (0usize..8, text()).prop_map(|(at, text)| Act::Edit(at, text)),
        1 => (0usize..8).prop_map(Act::Remove),
        1 => text().prop_map(Act::Describe),
        1 => prop::option::of(Just("security - z".to_owned())).prop_map(Act::Field),
        1 => projects().prop_map(Act::Tag),
        1 => projects().prop_map(Act::Untag),
        1 => Just(Act::Unexposed),
    ]
}

/// Who may edit or remove a comment: its author alone.
pub(super) struct Writer {
    pub(super) history: History,
    comments: Vec<(TransactionId, String)>,
}

impl Writer {
    fn play(&mut self, user: &str, second: i64, act: &Act) {
        let own = |nth: &usize| {
            let mine: Vec<_> = self.comments.iter().filter(|(_, author)| author == user).collect();
            (!mine.is_empty()).then(|| mine[nth % mine.len()].0)
        };
        match act {
            Act::Comment(text) => {
                let id = self.history.comment(user, second, text);
                self.comments.push((id, user.to_owned()));
            }
            Act::Edit(nth, text) => {
                if let Some(id) = own(nth) {
                    self.history.edit(id, user, second, text);
                }
            }
            Act::Remove(nth) => {
                if let Some(id) = own(nth) {
                    self.history.remove(id, user, second);
                    self.comments.retain(|(other, _)| *other != id);
                }
            }
            Act::Describe(text) => {
                self.history.describe(user, second, text);
            }
            Act::Field(value) => {
                self.history.field(user, second, value.as_deref());
            }
            // A server makes no transaction where nothing changes.
            Act::Tag(name) if self.history.task.projects.contains(&project(name)) => {}
            Act::Tag(name) => {
                self.history.tag(user, second, name);
            }
            Act::Untag(name) => {
                self.history.untag(user, second, name);
            }
            Act::Unexposed => {
                self.history.unexposed(user, second);
            }
        }
    }
}

pub(super) fn user() -> impl Strategy<Value = &'static str> {
    let mut people = MEMBERS.to_vec();
    people.extend(["deployer1", "outsider", "robot"]);
    prop::sample::select(people)
}

/// A history that is often allowed, or nearly; the comments in it and their authors.
pub(super) fn writer() -> impl Strategy<Value = (Writer, i64)> {
    let acts = prop::collection::vec((user(), 0i64..3, act()), 0..7);
    (any::<bool>(), acts).prop_map(|(ready, acts)| {
        let history = if ready { History::ready() } else { History::emergency() };
        let mut writer = Writer { history, comments: Vec::new() };
        let mut second = 12;
        for (user, pause, act) in acts {
            second += pause;
            writer.play(user, second, &act);
        }
        (writer, second)
    })
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#?}", self.history.timeline())
    }
}

/// How far a history has come: a deploy, one that waits, none.
fn rank(history: &History) -> u8 {
    match verdict(history).decision {
        Decision::Allowed(_) => 2,
        Decision::Pending => 1,
        Decision::Denied | Decision::Undecided => 0,
    }
}

fn allowed(evidence: &crate::evidence::Evidence, policy: &Policy) -> bool {
    matches!(evaluate(evidence, policy, &Intent::default(), None).decision, Decision::Allowed(_))
}

/// What anybody may write: answers, shapes of them, and mails that repeat them.
fn comment() -> impl Strategy<Value = String> {
    let shapes = super::catalogue::all();
    prop_oneof![
        2 => text(),
        2 => prop::sample::select(shapes.clone()),
        1 => prop::sample::select(shapes).prop_map(|text| format!("No!\n\nVon: x <x@y>\nAn: z\n\n{text}")),
    ]
}

proptest! {
    #[test]
    fn an_outsider_makes_nothing_allowed((mut writer, second) in writer(), acts in prop::collection::vec(act(), 1..4)) {
        if decision(&writer.history) == "allowed" {
            return Ok(());
        }
        for (later, act) in acts.iter().enumerate() {
            writer.play("outsider", second + later as i64, act);
        }
        prop_assert_ne!(decision(&writer.history), "allowed");
    }

    #[test]
    fn to_withdraw_or_reject_makes_nothing_allowed_but_by_who_had_said_no(
        (mut writer, second) in writer(),
        who in user(),
        word in prop::sample::select(vec!["Withdraw: sre", "Withdraw: releng", "Reject: sre", "Withdraw: x", "Reject: x"]),
    ) {
        let no = |rule| outcome(&writer.history, rule) == Outcome::Fail;
        if decision(&writer.history) == "allowed" || no("rejected") || no("possible-no") {
            return Ok(());
        }
        writer.play(who, second, &Act::Comment(format!("Emergency-{word}")));
        prop_assert_ne!(decision(&writer.history), "allowed");
    }

    #[test]
    fn what_reads_as_a_no_makes_no_verdict_better((mut writer, second) in writer(), who in user(), nth in 0usize..100) {
        let shapes = super::catalogue::noes();
        let before = rank(&writer.history);
        writer.play(who, second, &Act::Comment(shapes[nth % shapes.len()].clone()));
        prop_assert!(rank(&writer.history) <= before);
    }

    #[test]
    fn no_comment_of_an_outsider_makes_a_verdict_better(
        (mut writer, second) in writer(),
        first in prop::collection::vec(comment(), 1..3),
        acts in prop::collection::vec(prop_oneof![
            comment().prop_map(Act::Comment),
            (0usize..8, comment()).prop_map(|(at, text)| Act::Edit(at, text)),
            (0usize..8).prop_map(Act::Remove),
        ], 1..4),
    ) {
        for text in first {
            writer.play("outsider", second, &Act::Comment(text));
        }
        let mut before = rank(&writer.history);
        for (later, act) in acts.iter().enumerate() {
            writer.play("outsider", second + later as i64, act);
            let after = rank(&writer.history);
            prop_assert!(after <= before, "{act:?}");
            before = after;
        }
    }

    #[test]
    fn to_remove_a_comment_of_another_makes_nothing_allowed((mut writer, second) in writer(), nth in 0usize..8) {
        if decision(&writer.history) == "allowed" || writer.comments.is_empty() {
            return Ok(());
        }
        let (comment, _) = writer.comments[nth % writer.comments.len()].clone();
        writer.history.remove(comment, "admin", second);
        prop_assert_ne!(decision(&writer.history), "allowed");
    }

    #[test]
    fn every_reader_is_given_the_same_verdict((writer, _) in writer(), stated in prop::option::of(user()), named in prop::option::of(user())) {
        let mut writer = writer;
        if let Some(stated) = stated {
            writer.play("deployer1", 40, &Act::Comment(format!("Emergency-Deployer: {stated}")));
        }
        let judged = |reader| {
            let evidence = writer.history.as_read_by(reader, named);
            let verdict = evaluate(&evidence, &writer.history.policy, &Intent::default(), None);
            let outcomes: Vec<_> = verdict.rules.iter().map(|rule| (rule.name.clone(), rule.outcome)).collect();
            (verdict.decision.word(), outcomes, verdict.approvals, verdict.teams)
        };
        let first = judged("phabgate");
        for reader in ["deployer1", "deployer2", "releng1", "sre1", "both", "outsider", "robot"] {
            prop_assert_eq!(judged(reader), first.clone(), "read by {}", reader);
        }
    }

    #[test]
    fn one_more_account_behind_the_deploy_makes_no_verdict_better(
        (mut writer, _) in writer(),
        who in user(),
        source in prop::sample::select(vec![DeployerSource::Token, DeployerSource::CallingUser]),
    ) {
        let before = rank(&writer.history);
        writer.history.candidates.push((who.to_owned(), source));
        prop_assert!(rank(&writer.history) <= before);
    }

    #[test]
    fn a_record_that_an_outsider_forges_makes_no_verdict_better_and_denies_only_as_a_start(
        (mut writer, second) in writer(),
        event in prop::sample::select(vec![Event::Started, Event::Finished, Event::Recorded]),
        named in prop::option::of(user()),
        outcome in prop::sample::select(vec![None, Some(Ended::Unknown), Some(Ended::Failed), Some(Ended::NotStarted)]),
        running: bool,
        known: bool,
    ) {
        let deploy = DeployId::fresh();
        if known {
            writer.history.deployers = vec!["deployer1".to_owned()];
        }
        if running {
            writer.history.record("phabgate", second, &record(deploy, Event::Started, "deployer2"));
        }
        let before = rank(&writer.history);
        let forged = Record { outcome, ..record(deploy, event, named.unwrap_or("outsider")) };
        let forged = Record { deployer: forged.deployer.filter(|_| named.is_some()), ..forged };
        writer.history.record("outsider", second + 1, &forged);
        let after = rank(&writer.history);
        prop_assert!(after <= before);
        let by_its_author = event == Event::Started && named == Some("outsider");
        prop_assert!(after == before || (by_its_author && !known), "{before} {after}");
    }

    #[test]
    fn any_need_is_judged((mut writer, _) in writer(), needs in prop::array::uniform3(any::<u32>())) {
        for (team, need) in writer.history.policy.teams.iter_mut().zip(needs) {
            team.need = need;
        }
        let verdict = verdict(&writer.history);
        for count in &verdict.teams {
            prop_assert!(count.by.len() <= MEMBERS.len());
        }
    }

    #[test]
    fn the_order_of_approvals_does_not_matter(
        yes in prop::sample::subsequence(MEMBERS.to_vec(), 0..=6).prop_shuffle(),
        need in 1u32..3,
    ) {
        let judged = |order: &[&str]| {
            let mut history = History::emergency();
            history.policy.teams.iter_mut().for_each(|team| team.need = need);
            for (second, user) in order.iter().enumerate() {
                history.comment(user, 10 + second as i64, "Emergency-Approve: sre, releng, security");
            }
            decision(&history)
        };
        let mut sorted = yes.clone();
        sorted.sort_unstable();
        prop_assert_eq!(judged(&yes), judged(&sorted));
    }

    #[test]
    fn nothing_panics(
        text in "\\PC{0,80}|(Emergency-[A-Z][a-z]{2,8}: ?[ -~é—–]{0,20}\r?\n){0,4}",
        versions in prop::collection::vec((0u32..5, user(), 0i64..60, any::<bool>(), text()), 0..6),
        (mut writer, second) in writer(),
        as_of in 0usize..12,
    ) {
        let id = writer.history.comment("sre1", second, &text);
        for (version, user, time, removed, text) in versions {
            let version = CommentVersion::new(version, person(user).as_str(), at(time), removed, &text);
            writer.history.put(id, version);
        }
        writer.history.describe("outsider", second, &text);
        let evidence = writer.history.evidence();
        let rows = evidence.timeline.transactions();
        let as_of = writer.history.as_of(rows[as_of % rows.len()].id);
        for as_of in [None, Some(as_of)] {
            let verdict = evaluate(&evidence, &writer.history.policy, &Intent::default(), as_of);
            prop_assert!(!verdict.rules.is_empty());
        }
    }

    #[test]
    fn evidence_that_is_missing_makes_nothing_allowed((writer, _) in writer(), piece in 0usize..64) {
        let policy = &writer.history.policy;
        let evidence = writer.history.evidence();
        if allowed(&evidence, policy) {
            return Ok(());
        }
        let mut less = evidence.clone();
        let accounts: Vec<_> = evidence.accounts.keys().cloned().collect();
        match piece {
            0 => less.tag = None,
            1..=3 => drop(Arc::make_mut(&mut less.teams).remove(["releng", "sre", "security"][piece - 1])),
            4 => Arc::make_mut(&mut less.statuses).clear(),
            5 => less.candidates.clear(),
            _ if piece % 2 == 0 => drop(Arc::make_mut(&mut less.accounts).remove(&accounts[piece % accounts.len()])),
            _ => {
                // Who has said no and is in no team any more does not stop the deploy: that is what a team is.
                let no = |rule| outcome(&writer.history, rule) == Outcome::Fail;
                if no("rejected") || no("possible-no") {
                    return Ok(());
                }
                let member = person(MEMBERS[piece % MEMBERS.len()]);
                Arc::make_mut(&mut less.teams).values_mut().for_each(|team| team.members.retain(|other| *other != member));
            }
        }
        prop_assert!(!allowed(&less, policy), "{:#?}", less);
    }

    #[test]
    fn what_happens_later_does_not_change_what_was((writer, second) in writer(), acts in prop::collection::vec((user(), act()), 1..5)) {
        let mut writer = writer;
        let as_of = writer.history.comment("outsider", second + 1, "Here.");
        let then = |history: &History| {
            let verdict = evaluate(&history.evidence(), &history.policy, &Intent::default(), Some(history.as_of(as_of)));
            verdict.decision.word()
        };
        let before = then(&writer.history);
        for (later, (user, act)) in acts.iter().enumerate() {
            writer.play(user, second + 2 + later as i64, act);
        }
        // A removal takes the texts with it: then less is known, and never more is allowed.
        let after = then(&writer.history);
        let removed = acts.iter().any(|(_, act)| matches!(act, Act::Remove(_)));
        prop_assert!(after == before || (removed && after != "allowed"), "{before} {after}");
    }
}
