//! Every rule, and every outcome that it can have.

use super::*;
use crate::attribution::DeployerSource;
use crate::conduit::AccountRole;
use crate::evidence::testing::record;
use crate::ids::DeployId;
use crate::local_deploy::{LocalDeploy, LocalProgress};
use crate::record::{Event, Outcome as Ended, RecordedApproval};

use Outcome::{Fail, Pass, Pending, Unknown, Warn};

fn with(history: &History, intent: &Intent) -> Verdict {
    evaluate(&history.evidence(), &history.policy, intent, None)
}

#[test]
fn all_that_is_asked_is_allowed() {
    let verdict = verdict(&History::ready());
    assert_eq!(verdict.decision.word(), "allowed", "{:#?}", verdict.rules);
    assert!(verdict.rules.iter().all(|rule| rule.outcome == Pass), "{:#?}", verdict.rules);
    assert!(verdict.failed().is_empty());
}

#[test]
fn what_is_not_visible_is_denied() {
    let verdict = not_visible("T7".parse().unwrap(), "phabgate");
    assert_eq!((verdict.decision.word(), verdict.failed()), ("denied", vec!["task-visible".to_owned()]));
}

#[test]
fn evidence_that_was_not_read_decides_nothing() {
    assert_eq!(Verdict::undecided("why".into(), "hint").decision.word(), "undecided");
}

#[test]
fn task_open() {
    let mut history = History::ready();
    history.status("outsider", 20, "resolved");
    assert_eq!(outcome(&history, "task-open"), Fail);
    assert_eq!(decision(&history), "denied");
    history.policy.require_open = false;
    assert_eq!(outcome(&history, "task-open"), Pass);
    let mut evidence = History::ready().evidence();
    evidence.statuses = Default::default();
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    assert_eq!(verdict.decision.word(), "allowed", "the policy does not ask");
    let verdict = evaluate(&evidence, &built_in(), &Intent::default(), None);
    assert_eq!(verdict.decision.word(), "undecided");
}

#[test]
fn tag() {
    let mut history = History::ready();
    assert_eq!(outcome(&history, "tag"), Pass);
    history.untag("outsider", 20, "emergency");
    assert_eq!(outcome(&history, "tag"), Fail);
    assert_eq!(outcome(&History::new("deployer1"), "tag"), Fail);
    let mut evidence = History::ready().evidence();
    evidence.tag = None;
    let verdict = evaluate(&evidence, &built_in(), &Intent::default(), None);
    assert_eq!(verdict.rule("tag").unwrap().outcome, Unknown);
    assert_eq!(verdict.decision.word(), "undecided");
}

#[test]
fn reason_and_explanation() {
    let mut history = History::new("deployer1");
    history.tag("deployer1", 1, "emergency");
    assert_eq!((outcome(&history, "reason"), outcome(&history, "explanation")), (Fail, Pass));
    history.describe("deployer1", 2, "Emergency-Reason: marketing - launch");
    assert_eq!(outcome(&history, "reason"), Fail);
    history.describe("deployer1", 3, "Emergency-Reason: abuse");
    assert_eq!((outcome(&history, "reason"), outcome(&history, "explanation")), (Pass, Warn));
    history.describe("deployer1", 4, "Emergency-Reason: abuse - a scraper");
    assert_eq!((outcome(&history, "reason"), outcome(&history, "explanation")), (Pass, Pass));
    history.comment("sre1", 10, "Emergency-Approve: sre");
    history.describe("outsider", 11, "Emergency-Reason: abuse - all scrapers");
    let verdict = verdict(&history);
    let explanation = verdict.rule("explanation").unwrap();
    assert_eq!(explanation.outcome, Warn);
    assert!(explanation.message.contains("by outsider"), "{}", explanation.message);
}

#[test]
fn deployer() {
    use DeployerSource::{CallingUser, Flag, Token};
    let judged = |candidates: &[(&str, DeployerSource)]| {
        let mut history = History::ready();
        history.candidates = candidates.iter().map(|(name, source)| ((*name).to_owned(), *source)).collect();
        outcome(&history, "deployer")
    };
    assert_eq!(judged(&[("deployer1", Flag), ("DEPLOYER1", CallingUser)]), Pass);
    assert_eq!(judged(&[]), Fail);
    assert_eq!(judged(&[("deployer1", Flag), ("deployer2", Token)]), Fail);
    assert_eq!(judged(&[("nobody", Flag)]), Fail);
    assert_eq!(judged(&[("robot", Flag)]), Fail);
    assert_eq!(judged(&[("phabgate", Flag)]), Fail);
    assert_eq!(judged(&[("gone", Flag)]), Fail);
    let mut history = History::emergency();
    history.comment("deployer1", 5, "Emergency-Deployer: @Deployer1");
    assert_eq!(outcome(&history, "deployer"), Pass);
    history.comment("deployer1", 6, "Emergency-Deployer: deployer2");
    assert_eq!(outcome(&history, "deployer"), Fail);
    let mut history = History::ready();
    history.roles.insert("deployer1".into(), vec![AccountRole::Activated]);
    history.policy.recorders.push("deployer1".into());
    assert_eq!(outcome(&history, "deployer"), Fail);
}

#[test]
fn whoever_runs_it_is_known_enough_to_who_reads_and_not_to_who_deploys() {
    let mut history = History::ready();
    history.candidates.clear();
    assert_eq!(outcome(&history, "deployer"), Fail);
    let read = |history: &History| {
        let evidence = history.as_read_by("sre1", None);
        evaluate(&evidence, &history.policy, &Intent::default(), None)
    };
    let verdict = read(&history);
    assert_eq!(verdict.decision.word(), "allowed");
    let message = &verdict.rule("deployer").unwrap().message;
    assert!(message.contains("releng1, sre1"), "{message}");
    // Whom the task states deploys, and must be somebody.
    history.comment("deployer1", 4, "Emergency-Deployer: @Deployer2");
    assert_eq!(read(&history).rule("deployer").unwrap().message, "deployer2 (the task)");
    history.comment("deployer2", 5, "Emergency-Deployer: outsider");
    assert_eq!(read(&history).rule("deployer").unwrap().outcome, Fail, "neither of the two could run it");
}

#[test]
fn team() {
    let mut history = History::emergency();
    assert_eq!((outcome(&history, "team:sre"), decision(&history)), (Pending, "pending"));
    history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!((outcome(&history, "team:sre"), outcome(&history, "team:releng")), (Pass, Pending));
    // Nobody is left who could say yes.
    history.members.insert("releng", vec!["gone", "robot", "deployer1"]);
    assert_eq!((outcome(&history, "team:releng"), decision(&history)), (Fail, "denied"));
    let mut evidence = History::ready().evidence();
    std::sync::Arc::make_mut(&mut evidence.teams).remove("sre");
    let verdict = evaluate(&evidence, &built_in(), &Intent::default(), None);
    assert_eq!(verdict.rule("team:sre").unwrap().outcome, Unknown);
    assert_eq!(verdict.decision.word(), "undecided");
}

#[test]
fn a_policy_that_asks_nobody_allows_nothing() {
    let mut history = History::ready();
    history.policy.required.clear();
    assert_eq!((outcome(&history, "team"), decision(&history)), (Fail, "denied"));
    let mut history = History::ready();
    history.policy.required.push("dba".into());
    assert_eq!((outcome(&history, "team:dba"), decision(&history)), (Unknown, "undecided"));
    let mut history = History::emergency();
    history.policy.teams.iter_mut().for_each(|team| team.need = 0);
    assert_eq!(decision(&history), "pending");
}

#[test]
fn rejected() {
    let mut history = History::ready();
    history.comment("outsider", 20, "Emergency-Reject: sre - no");
    assert_eq!((outcome(&history, "rejected"), decision(&history)), (Warn, "allowed"));
    history.comment("sec1", 21, "Emergency-Reject: security - wait");
    assert_eq!((outcome(&history, "rejected"), decision(&history)), (Fail, "denied"));
}

#[test]
fn action() {
    let judged = |stated: Option<&str>, action, why: Option<&str>| {
        let mut history = History::new("deployer1");
        history.tag("deployer1", 1, "emergency");
        if let Some(stated) = stated {
            history.describe("deployer1", 2, &format!("Emergency-Action: {stated}"));
        }
        let intent = Intent { action, why_not_rollback: why.map(str::to_owned), ..Intent::default() };
        with(&history, &intent).rule("action").unwrap().outcome
    };
    assert_eq!(judged(None, None, None), Pass);
    assert_eq!(judged(None, Some(Action::Rollback), None), Pass);
    assert_eq!(judged(Some("Rollback"), None, None), Pass);
    assert_eq!(judged(Some("fix"), None, None), Warn);
    assert_eq!(judged(None, Some(Action::Fix), Some(" ")), Warn);
    assert_eq!(judged(None, Some(Action::Fix), Some("the schema changed")), Pass);
    assert_eq!(judged(None, Some(Action::OnWikiEdit), Some("x")), Warn);
    assert_eq!(judged(Some("dance"), None, None), Warn);
    assert_eq!(judged(Some("dance"), Some(Action::Rollback), None), Fail);
    assert_eq!(judged(Some("rollback"), Some(Action::Fix), Some("x")), Fail);
}

#[test]
fn change() {
    let mut history = History::ready();
    let intent = Intent { change: Some("I123".into()), ..Intent::default() };
    assert_eq!(with(&history, &intent).rule("change").unwrap().outcome, Pass);
    history.comment("deployer1", 20, "Emergency-Change: I123");
    assert_eq!(with(&history, &intent).rule("change").unwrap().outcome, Pass);
    history.comment("deployer1", 21, "Emergency-Change: I456");
    assert_eq!(with(&history, &intent).rule("change").unwrap().outcome, Fail);
    assert_eq!(outcome(&history, "change"), Pass);
}

#[test]
fn in_flight() {
    let deploy = crate::ids::DeployId::fresh();
    let mut history = History::ready();
    history.record("phabgate", 20, &record(deploy, Event::Started, "deployer2"));
    assert_eq!((outcome(&history, "in-flight"), decision(&history)), (Fail, "denied"));
    let own = Intent { deploy: Some(deploy), ..Intent::default() };
    assert_eq!(with(&history, &own).rule("in-flight").unwrap().outcome, Pass);
    // Nobody in particular says that it ended, and names themselves the deployer.
    history.record("outsider", 21, &record(deploy, Event::Finished, "outsider"));
    assert_eq!(outcome(&history, "in-flight"), Fail);
    history.record("outsider", 22, &record(deploy, Event::Finished, "deployer2"));
    assert_eq!(outcome(&history, "in-flight"), Fail);
    // On the host that ran it `record --deploy` adds what people know as `recorded`.
    let mut by_hand = history.clone();
    by_hand.record("outsider", 23, &record(deploy, Event::Recorded, "outsider"));
    assert_eq!(outcome(&by_hand, "in-flight"), Fail);
    by_hand.record("phabgate", 24, &record(deploy, Event::Recorded, "deployer2"));
    assert_eq!(outcome(&by_hand, "in-flight"), Pass);
    history.record("phabgate", 23, &record(deploy, Event::Finished, "deployer2"));
    assert_eq!((outcome(&history, "in-flight"), decision(&history)), (Pass, "allowed"));
}

/// The verdict of a history beside what the journal of this machine knows.
fn with_local(history: &History, local: Result<Vec<LocalDeploy>, String>, own: Option<DeployId>) -> Verdict {
    let mut evidence = history.evidence();
    evidence.local_deploys = local;
    evaluate(&evidence, &history.policy, &Intent { deploy: own, ..Intent::default() }, None)
}

#[test]
fn a_run_that_only_the_journal_knows_is_in_flight() {
    let history = History::ready();
    let deploy = DeployId::fresh();
    let local = |progress| {
        let begun = jiff::Timestamp::UNIX_EPOCH;
        LocalDeploy {
            deploy,
            deployer: Some("deployer2".into()),
            account: None,
            login: None,
            token: None,
            begun,
            progress,
        }
    };
    for (progress, expected) in [
        (LocalProgress::Running, Fail),
        (LocalProgress::Stranded, Fail),
        (LocalProgress::Ended { outcome: Some(Ended::Failed), at: jiff::Timestamp::UNIX_EPOCH }, Pass),
    ] {
        let verdict = with_local(&history, Ok(vec![local(progress)]), None);
        let rule = verdict.rule("in-flight").unwrap();
        assert_eq!(rule.outcome, expected, "{progress:?}");
        if expected == Fail {
            assert_eq!(verdict.decision.word(), "denied");
            assert!(rule.message.contains("deployer2") && rule.message.contains("1970-01-01 00:00:00 UTC"));
        }
        // A run does not stand in its own way.
        let own = with_local(&history, Ok(vec![local(progress)]), Some(deploy));
        assert_eq!(own.rule("in-flight").unwrap().outcome, Pass);
    }
}

#[test]
fn an_end_that_the_journal_holds_counts_before_it_is_on_the_task() {
    let deploy = DeployId::fresh();
    let mut history = History::ready();
    history.record("phabgate", 20, &record(deploy, Event::Started, "deployer2"));
    assert_eq!(outcome(&history, "in-flight"), Fail);
    let progress = LocalProgress::Ended { outcome: Some(Ended::Succeeded), at: jiff::Timestamp::UNIX_EPOCH };
    let begun = jiff::Timestamp::UNIX_EPOCH;
    let ended = LocalDeploy { deploy, deployer: None, account: None, login: None, token: None, begun, progress };
    let verdict = with_local(&history, Ok(vec![ended]), None);
    assert_eq!(verdict.rule("in-flight").unwrap().outcome, Pass);
}

#[test]
fn a_journal_that_cannot_be_read_is_no_empty_one() {
    let verdict = with_local(&History::ready(), Err("damaged".into()), None);
    assert_eq!(verdict.rule("in-flight").unwrap().outcome, Unknown);
    assert_eq!(verdict.decision.word(), "undecided");
}

#[test]
fn of_two_that_started_at_once_the_earlier_goes_on_and_the_later_stops() {
    let (first, second) = (crate::ids::DeployId::fresh(), crate::ids::DeployId::fresh());
    let mut history = History::ready();
    history.record("phabgate", 20, &record(first, Event::Started, "deployer1"));
    history.record("phabgate", 20, &record(second, Event::Started, "deployer2"));
    let of = |deploy| {
        let intent = Intent { deploy: Some(deploy), ..Intent::default() };
        with(&history, &intent).rule("in-flight").unwrap().outcome
    };
    assert_eq!((of(first), of(second)), (Pass, Fail));
    // One whose record does not stand there yet is later than both.
    assert_eq!(of(crate::ids::DeployId::fresh()), Fail);
}

#[test]
fn a_start_stands_whatever_happens_to_its_comment() {
    let deploy = crate::ids::DeployId::fresh();
    let mut history = History::ready();
    let started = history.record("phabgate", 20, &record(deploy, Event::Started, "deployer2"));
    history.edit(started, "phabgate", 21, "never mind");
    assert_eq!(outcome(&history, "in-flight"), Fail);
    history.remove(started, "admin", 22);
    // What it said is gone; the yeses before that are not for what happens now.
    assert_eq!((outcome(&history, "in-flight"), decision(&history)), (Pass, "pending"));
}

#[test]
fn a_start_by_an_account_that_cannot_be_read_counts() {
    let mut history = History::ready();
    history.record("phabgate", 20, &record(crate::ids::DeployId::fresh(), Event::Started, "deployer2"));
    let mut evidence = history.evidence();
    std::sync::Arc::make_mut(&mut evidence.accounts).remove(&crate::evidence::testing::person("phabgate"));
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    assert_eq!(verdict.rule("in-flight").unwrap().outcome, Fail);
}

#[test]
fn a_record_by_somebody_else_is_none() {
    let mut history = History::ready();
    history.record("outsider", 20, &record(crate::ids::DeployId::fresh(), Event::Started, "deployer2"));
    let mut other_task = record(crate::ids::DeployId::fresh(), Event::Started, "deployer2");
    other_task.task = "T2".parse().unwrap();
    history.record("phabgate", 21, &other_task);
    assert_eq!((outcome(&history, "in-flight"), decision(&history)), (Warn, "allowed"));
}

#[test]
fn repeat() {
    let mut history = History::ready();
    let approval = verdict(&history).approvals[0].clone();
    let mut earlier = record(crate::ids::DeployId::fresh(), Event::Finished, "deployer1");
    earlier.approvals = vec![RecordedApproval {
        team: approval.team,
        user: approval.user,
        phid: None,
        project: None,
        kind: approval.kind,
        transaction: approval.transaction,
        time: approval.time,
        evidence: None,
    }];
    let mut stopped = history.clone();
    history.record("phabgate", 20, &earlier);
    assert_eq!((outcome(&history, "repeat"), decision(&history)), (Warn, "allowed"));
    earlier.outcome = Some(Ended::NotStarted);
    stopped.record("phabgate", 20, &earlier);
    assert_eq!(outcome(&stopped, "repeat"), Pass);
}

#[test]
fn team_open_near_misses_and_clock_warn() {
    let mut history = History::ready();
    history.join = "users";
    history.comment("sre2", 20, "Emergency-Aprove: sre");
    let mut evidence = history.evidence();
    evidence.skew = jiff::SignedDuration::from_secs(61);
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    for rule in ["team-open", "near-misses", "clock"] {
        assert_eq!(verdict.rule(rule).unwrap().outcome, Warn, "{rule}");
    }
    assert_eq!(verdict.decision.word(), "allowed");
    evidence.skew = jiff::SignedDuration::from_secs(-60);
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    assert_eq!(verdict.rule("clock").unwrap().outcome, Pass);
}

#[test]
fn names_are_stable_and_distinct() {
    let mut names: Vec<_> = crate::rules::ALL.iter().map(|rule| rule.name).collect();
    names.push(crate::rules::EVIDENCE.0);
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), crate::rules::ALL.len() + 1);
}
