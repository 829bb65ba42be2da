//! Which approvals count, and why the others do not.

use super::*;
use crate::attribution::DeployerSource;
use crate::evidence::testing::at;

fn outdated(what: &str) -> Vec<Option<WhyNot>> {
    vec![Some(WhyNot::Outdated { what: what.into() })]
}

fn why(why: WhyNot) -> Vec<Option<WhyNot>> {
    vec![Some(why)]
}

#[test]
fn only_members_who_are_enabled_people_and_no_bots_approve() {
    let mut history = History::emergency();
    for (second, user) in ["outsider", "robot", "gone", "releng1", "stranger"].into_iter().enumerate() {
        history.comment(user, 10 + second as i64, "Emergency-Approve: sre");
    }
    history.members.get_mut("sre").unwrap().push("stranger");
    assert_eq!(why_not(&history, "outsider"), why(WhyNot::NotMember { team: "SRE".into() }));
    assert_eq!(why_not(&history, "robot"), why(WhyNot::Bot));
    assert_eq!(why_not(&history, "gone"), why(WhyNot::NotEnabled));
    assert_eq!(why_not(&history, "releng1"), why(WhyNot::NotMember { team: "SRE".into() }));
    assert_eq!(why_not(&history, "an account that cannot be read"), why(WhyNot::NoAccount));
    assert_eq!(decision(&history), "pending");
}

#[test]
fn nobody_behind_the_deploy_approves_it_whatever_the_source() {
    for source in [DeployerSource::Flag, DeployerSource::Token, DeployerSource::CallingUser] {
        let mut history = History::ready();
        history.candidates = vec![("deployer1".into(), DeployerSource::Flag), ("SRE1".into(), source)];
        assert_eq!(why_not(&history, "sre1"), why(WhyNot::BehindDeploy), "{source:?}");
    }
    let mut history = History::emergency();
    history.comment("deployer1", 5, "Emergency-Deployer: @sre1");
    history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::BehindDeploy));
    history.policy.self_approval = true;
    assert_eq!(why_not(&history, "sre1"), [None]);
}

#[test]
fn an_account_that_was_renamed_while_it_was_read_is_still_behind_the_deploy() {
    let mut history = History::ready();
    history.candidates = vec![("sre1".into(), DeployerSource::Flag)];
    let mut evidence = history.evidence();
    evidence.candidates[0].name = "sre-one".into();
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    assert_eq!(verdict.rule("team:sre").unwrap().outcome, Outcome::Pending);
}

#[test]
fn it_comes_after_the_tag() {
    let mut history = History::ready();
    history.untag("outsider", 20, "emergency");
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::NoTag));
    history.tag("outsider", 21, "emergency");
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::BeforeTag));
    history.comment("sre1", 22, "Emergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), [None]);
}

#[test]
fn the_tag_is_carried_by_a_subproject_and_moves_without_a_gap() {
    let mut history = History::new("deployer1");
    history.describe("deployer1", 1, "Emergency-Reason: abuse - x");
    history.tag("deployer1", 2, "other");
    assert_eq!(outcome(&history, "tag"), Outcome::Fail);
    history.tag("deployer1", 3, "emergency-sub");
    history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), [None]);
    history.retag("outsider", 11, "emergency-sub", "emergency");
    assert_eq!(why_not(&history, "sre1"), [None]);
    history.tag("outsider", 12, "emergency-sub");
    history.untag("outsider", 13, "emergency");
    assert_eq!(why_not(&history, "sre1"), [None]);
    history.retag("outsider", 14, "emergency-sub", "other");
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::NoTag));
}

#[test]
fn it_is_not_older_than_the_policy_allows() {
    let age = built_in().max_age.as_secs();
    let mut history = History::ready();
    assert_eq!(why_not(history.later(11 + age), "sre1"), [None], "exactly that old counts");
    let old = WhyNot::TooOld { age: "12 h".into(), limit: "12 h".into() };
    assert_eq!(why_not(history.later(12 + age), "sre1"), why(old));
    assert_eq!(decision(&history), "pending");
}

#[test]
fn it_comes_after_the_last_change_of_what_is_agreed() {
    let changed = |text: &str| {
        let mut history = History::ready();
        history.comment("deployer1", 20, text);
        why_not(&history, "sre1")
    };
    assert_eq!(changed("Emergency-Reason: abuse - x"), outdated("the reason was changed by deployer1"));
    assert_eq!(changed("Emergency-Reason: marketing - x"), outdated("the reason was changed by deployer1"));
    assert_eq!(changed("Emergency-Deployer: deployer1"), outdated("the stated deployer was changed by deployer1"));
    assert_eq!(changed("Emergency-Action: rollback"), outdated("the stated action was changed by deployer1"));
    assert_eq!(changed("Emergency-Change: I1"), outdated("the stated change was changed by deployer1"));
    assert_eq!(changed("Emergency-Drill: yes"), outdated("what is stated about the deploy was changed by deployer1"));
    assert_eq!(changed("Emergency-Reason: outage - other words"), [None], "the category stayed");
    assert_eq!(changed("> Emergency-Reason: abuse - x"), [None]);
    assert_eq!(changed("Emergency-Reason:"), [None]);
}

#[test]
fn what_is_stated_in_the_same_comment_is_not_earlier() {
    let mut history = History::new("sre1");
    history.tag("sre1", 1, "emergency");
    history.comment("sre1", 2, "Emergency-Reason: abuse - x\nEmergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), outdated("the reason was changed by sre1"));
}

#[test]
fn the_reason_written_last_wins_and_when_it_goes_the_next_one_shows() {
    let category = |history: &History| {
        crate::evidence::TaskState::derive(&history.evidence(), &history.policy, None).written.and_then(|w| w.category)
    };
    let mut history = History::new("deployer2");
    assert_eq!(category(&history), None);
    history.describe("outsider", 1, "Emergency-Reason: abuse - x");
    history.field("outsider", 2, Some("security - y"));
    assert_eq!(category(&history).as_deref(), Some("security"));
    let comment = history.comment("deployer1", 3, "Emergency-Reason: data loss - z");
    assert_eq!(category(&history).as_deref(), Some("data-loss"));
    history.comment("sre1", 4, "Emergency-Reason: availability - not theirs to say");
    assert_eq!(category(&history).as_deref(), Some("data-loss"));
    history.edit(comment, "deployer1", 5, "nothing");
    assert_eq!(category(&history).as_deref(), Some("security"));
    history.field("outsider", 6, None);
    assert_eq!(category(&history).as_deref(), Some("abuse"));
    history.describe("outsider", 7, "");
    assert_eq!(category(&history), None);
    history.comment("deployer2", 8, "Emergency-Reason: availability - the author says so");
    assert_eq!(category(&history).as_deref(), Some("availability"));
}

#[test]
fn a_further_team_of_the_category_is_asked() {
    let mut history = History::new("deployer1");
    history.describe("deployer1", 1, "Emergency-Reason: security - x");
    history.tag("deployer1", 2, "emergency");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Emergency-Approve: sre");
    assert_eq!((decision(&history), outcome(&history, "team:security")), ("pending", Outcome::Pending));
    history.comment("sec1", 12, "Emergency-Approve: security");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn an_action_asks_other_teams() {
    let mut history = History::emergency();
    history.policy.actions = vec![ActionPolicy { action: Action::Rollback, teams: vec!["sre".into()] }];
    history.comment("sre1", 11, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "pending");
    let rollback = Intent { action: Some(Action::Rollback), ..Intent::default() };
    let verdict = |history: &History| evaluate(&history.evidence(), &history.policy, &rollback, None);
    assert_eq!(verdict(&history).decision.word(), "pending", "nobody approved a rollback");
    history.comment("deployer1", 12, "Emergency-Action: rollback");
    history.comment("sre1", 13, "Emergency-Approve: sre");
    assert_eq!((verdict(&history).decision.word(), decision(&history)), ("allowed", "allowed"));
    history.comment("deployer1", 14, "Emergency-Action: fix");
    history.comment("sre1", 15, "Emergency-Approve: sre");
    assert_eq!(verdict(&history).decision.word(), "denied", "what was agreed to is something else");
}

#[test]
fn one_person_fills_one_slot() {
    let mut history = History::emergency();
    history.comment("both", 10, "Emergency-Approve: sre, releng");
    assert_eq!(decision(&history), "pending");
    let asked = verdict(&history);
    let open = asked.rules.iter().find(|rule| rule.outcome == Outcome::Pending).unwrap();
    assert!(open.message.contains("one person fills one slot"), "{}", open.message);
    history.comment("releng2", 11, "Emergency-Approve: releng");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_team_may_need_two() {
    let mut history = History::ready();
    history.policy.teams[1].need = 2;
    assert_eq!(outcome(&history, "team:sre"), Outcome::Pending);
    history.comment("sre1", 12, "Emergency-Approve: sre");
    assert_eq!(outcome(&history, "team:sre"), Outcome::Pending, "the same person twice is one");
    history.comment("sre2", 13, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_team_that_is_informed_is_asked_nothing() {
    let mut history = History::ready();
    history.policy.teams[0].role = Role::Inform;
    assert_eq!(why_not(&history, "releng1"), why(WhyNot::OnlyInformed { team: "Release Engineering".into() }));
    assert_eq!(decision(&history), "allowed");
    assert!(verdict(&history).rule("team:releng").is_none());
    // Its people can still say no.
    history.comment("releng2", 20, "Emergency-Reject: releng");
    assert_eq!(decision(&history), "denied");
}

#[test]
fn attested_approvals_count_where_the_policy_says_so() {
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.attested = vec![("sre", "SRE1")];
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::KindNotAccepted { kind: "attested" }));
    history.policy.accept_attested = true;
    assert_eq!((why_not(&history, "sre1"), decision(&history)), (vec![None], "allowed"));
    history.policy.accept_verified = false;
    assert_eq!(why_not(&history, "releng1"), why(WhyNot::KindNotAccepted { kind: "verified" }));
    history.untag("outsider", 20, "emergency");
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::NoTag));
}

#[test]
fn an_attestation_is_held_to_what_an_approval_is() {
    let mut history = History::emergency();
    history.policy.accept_attested = true;
    history.attested = vec![("sre", "outsider"), ("sre", "gone"), ("sre", "robot"), ("sre", "who"), ("dba", "sre2")];
    assert_eq!(why_not(&history, "outsider"), why(WhyNot::NotMember { team: "SRE".into() }));
    assert_eq!(why_not(&history, "gone"), why(WhyNot::NotEnabled));
    assert_eq!(why_not(&history, "robot"), why(WhyNot::Bot));
    assert_eq!(why_not(&history, "who"), why(WhyNot::NoAccount));
    assert_eq!(why_not(&history, "sre2"), why(WhyNot::NoAccount));
    history.attested = vec![("sre", "sre1")];
    history.candidates = vec![("sre1".into(), DeployerSource::Flag)];
    assert_eq!(why_not(&history, "sre1"), why(WhyNot::BehindDeploy));
}

#[test]
fn a_persons_own_word_beats_what_the_deployer_says_of_them() {
    for word in ["Withdraw: sre", "Reject: sre", "Reject: no way", "Approve: sre, when the backup is done"] {
        let mut history = History::emergency();
        history.policy.accept_attested = true;
        history.attested = vec![("sre", "sre1")];
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, &format!("Emergency-{word}"));
        let outweighed = |why: &Option<WhyNot>| matches!(why, Some(WhyNot::OwnWord { .. }));
        assert!(why_not(&history, "sre1").iter().any(outweighed), "{word}");
        assert_ne!(decision(&history), "allowed", "{word}");
    }
}

#[test]
fn what_no_transaction_shows_is_undecided_until_somebody_edits_it() {
    let mut history = History::new("deployer1");
    history.task.description = "Emergency-Reason: abuse - imported".into();
    history.tag("deployer1", 1, "emergency");
    history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!((why_not(&history, "sre1"), decision(&history)), (vec![None], "undecided"));
    let mut edited = history.clone();
    history.unexposed("outsider", 11);
    // Nobody is blamed for it: what the change was is not known.
    assert_eq!(why_not(&history, "sre1"), outdated("the reason was changed by an account that cannot be read"));
    assert_eq!(decision(&history), "undecided");
    // What the first change that is shown finds was written by one that is not: it stood until now.
    edited.describe("outsider", 11, "Emergency-Reason: abuse - reworded");
    assert_eq!(why_not(&edited, "sre1"), outdated("the reason was changed by an account that cannot be read"));
    edited.comment("sre1", 12, "Emergency-Approve: sre");
    assert_eq!((why_not(&edited, "sre1"), decision(&edited)), (vec![None], "pending"));
}

#[test]
fn names_are_shown_inert() {
    let history = History::ready();
    let mut evidence = history.evidence();
    let evil = "sre1\u{1b}[31m\u{202e}";
    for account in
        std::sync::Arc::make_mut(&mut evidence.accounts).values_mut().filter(|account| account.username == "sre1")
    {
        account.username = evil.into();
    }
    evidence.owner.username = evil.into();
    evidence.candidates[0].name = evil.into();
    evidence.timeline = history.timeline().into();
    let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
    let texts = verdict.rules.iter().flat_map(|rule| [Some(&rule.message), rule.hint.as_ref()]).flatten();
    let users = verdict.approvals.iter().map(|approval| &approval.user);
    let names = verdict.teams.iter().flat_map(|team| team.by.iter().chain(&team.could));
    for text in texts.chain(users).chain(names) {
        assert!(!text.contains(crate::text::is_hidden), "{text:?}");
    }
    assert_eq!(verdict.approvals[1].time, at(11));
}
