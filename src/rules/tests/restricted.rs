//! No text of a restricted task is in a verdict.

use super::*;

/// A word that stands in every text of the task.
const MARK: &str = "XYZZY";

fn marked() -> History {
    let mut history = History::new("deployer1");
    history.task.title = MARK.into();
    history.describe("deployer1", 1, &format!("{MARK}\nEmergency-Reason: abuse - {MARK}"));
    history.tag("deployer1", 2, "emergency");
    history.comment("deployer1", 3, &format!("Emergency-Deployer: {MARK}\nEmergency-Drill: {MARK}"));
    history.comment("deployer1", 4, &format!("Emergency-Action: {MARK}\nEmergency-Change: {MARK}"));
    history.comment("releng1", 10, &format!("Emergency-Approve: {MARK}"));
    history.comment("sre1", 11, &format!("Emergency-Reject: sre - {MARK}"));
    history.comment("sec1", 11, &format!("Emergency-Reject: {MARK}"));
    history.comment("outsider", 12, &format!("Emergency-{MARK}: x\nEmergency-Reject: sre - {MARK}"));
    history.describe("outsider", 13, &format!("{MARK}\nEmergency-Reason: abuse - {MARK} again"));
    history
}

/// The histories in which the texts reach the messages of different rules.
fn histories() -> Vec<History> {
    let unknown_reason = {
        let mut history = marked();
        history.comment("deployer1", 20, &format!("Emergency-Reason: {MARK}"));
        history
    };
    let no_deployer = {
        let mut history = marked();
        history.candidates.clear();
        history
    };
    vec![marked(), unknown_reason, no_deployer]
}

fn intents() -> [Intent; 2] {
    let silent = Intent::default();
    let loud = Intent { action: Some(Action::Fix), change: Some("I1".into()), ..silent.clone() };
    [silent, loud]
}

fn shows(history: &History, intent: &Intent, texts: Texts) -> bool {
    format!("{:?}", judge(&history.evidence(), &history.policy, intent, None, texts).1).contains(MARK)
}

#[test]
fn no_text_of_a_restricted_task_is_in_the_verdict() {
    for history in histories() {
        for (view, space) in [("PHID-PLCY-1", None), ("admin", None), ("users", Some("PHID-SPCE-1"))] {
            let mut history = history.clone();
            history.task.view = view.into();
            history.task.space = space.map(|space| crate::ids::Phid::new(space).unwrap());
            for intent in intents() {
                assert!(!shows(&history, &intent, Texts::Hidden), "{:#?}", verdict(&history));
                assert!(shows(&history, &intent, Texts::Shown));
                // Whoever sees it, it is decided alike.
                let evidence = history.evidence();
                let decided = |texts| judge(&evidence, &history.policy, &intent, None, texts).1.decision;
                assert_eq!(decided(Texts::Hidden), decided(Texts::Shown));
            }
        }
    }
}

#[test]
fn a_task_that_everybody_sees_is_shown() {
    for (view, space) in [("users", None), ("public", None), ("users", Some("PHID-SPCE-open"))] {
        let mut history = marked();
        history.policy.open_spaces = vec!["PHID-SPCE-open".into()];
        history.task.view = view.into();
        history.task.space = space.map(|space| crate::ids::Phid::new(space).unwrap());
        assert!(shows(&history, &intents()[0], Texts::Hidden), "{view} {space:?}");
    }
}
