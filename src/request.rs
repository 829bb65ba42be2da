//! Opening an emergency: what has to change on a task so that it states what was asked for.
//!
//! Responsible for what is asked for, and the plan of the one edit that brings it about, as pure functions of the
//! evidence. Not responsible for making the edit, and asking whether it may be made.

use crate::evidence::restate::{self, noted, restate};
use crate::evidence::trailers::{self, Key};
use crate::evidence::{Evidence, Source, Statement, Tagged, TaskState};
use crate::ids::TransactionId;
use crate::policy::{Action, Policy, Role, WrittenReason};
use crate::rules::Verdict;

/// What a task shall state. Every text is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The reason; `None` leaves the one that there is.
    pub reason: Option<WantedReason>,
    /// Who deploys.
    pub deployer: Option<String>,
    /// What will be done.
    pub action: Option<Action>,
    /// What will be deployed.
    pub change: Option<String>,
    /// It is a drill.
    pub drill: bool,
}

/// A reason that a task shall state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedReason {
    /// The key of its category.
    pub category: String,
    /// The explanation; `None` leaves the one that there is, where the category is the same.
    pub explanation: Option<String>,
}

/// A statement that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// What is stated.
    pub key: Key,
    /// What is in force now.
    pub from: Option<String>,
    /// What will be.
    pub to: String,
    /// Approvals from before it do not count any more: not so where the explanation alone changes.
    pub settles: bool,
}

/// What has to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPlan {
    /// The tag has to be added.
    pub tag: bool,
    /// The statements that change.
    pub changes: Vec<Stated>,
    /// The new description, where it changes.
    pub description: Option<String>,
    /// What approvers have to write is added to it.
    pub instructs: bool,
    /// Approvals that count now and will not: the team's key and the username.
    pub voids: Vec<(String, String)>,
}

impl RequestPlan {
    /// The task states all of it already.
    pub fn is_empty(&self) -> bool {
        !self.tag && self.changes.is_empty()
    }

    /// Whether somebody has to agree to it first: it changes what is stated, or takes approvals away.
    pub fn asks(&self) -> bool {
        !self.voids.is_empty() || self.changes.iter().any(|change| change.settles && change.from.is_some())
    }

    /// Whether a description states what this plan is to bring about.
    pub fn is_stated_in(&self, description: &str) -> bool {
        self.changes.iter().all(|change| trailers::stated(description, change.key) == Some(change.to.as_str()))
    }
}

/// Why what is asked for cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestPlanError {
    /// The description says it, and something that was written later says otherwise.
    #[error("the description states `{}` already, and {place} that was written later overrules it", .key.name())]
    Overruled {
        /// What is stated.
        key: Key,
        /// Where the other statement stands, in words.
        place: String,
        /// Its transaction, where it is a comment.
        transaction: Option<TransactionId>,
    },
    /// The description cannot take it.
    #[error("the statements cannot be written into the description so that they are read: a block in it is in the way")]
    NoRoom,
    /// No reason is given, and the task states none that counts.
    #[error("the task states no reason that counts, and none is given")]
    NoReason,
    /// The explanation cannot be distinguished from the category.
    #[error("the reason `{0}` would be read as another one")]
    Misread(String),
}

/// What approvers have to write, as a line of a description.
pub(crate) fn instructions(policy: &Policy) -> String {
    let teams = policy.teams.iter().filter(|team| team.role == Role::Approve);
    restate::instructions(teams.map(|team| team.key.as_str()))
}

/// Plans the edit. `instructs` says whether what approvers have to write is put into the description, once.
///
/// # Errors
/// Where no edit of the description brings it about.
pub fn plan(
    evidence: &Evidence,
    policy: &Policy,
    task_state: &TaskState,
    verdict: &Verdict,
    wanted: &Wanted,
    instructs: bool,
) -> Result<RequestPlan, RequestPlanError> {
    let states_category = task_state.written.as_ref().is_some_and(|written| written.category.is_some());
    if wanted.reason.is_none() && !states_category {
        return Err(RequestPlanError::NoReason);
    }
    let description = &evidence.task.description;
    let mut changes = Vec::new();
    for key in unmet(task_state, wanted) {
        let spellings = wanted.spellings(key, policy)?;
        let stands = trailers::stated(description, key);
        let in_force = statement(task_state, key);
        // What the description says already and does not hold has to be written anew to be the last word.
        let Some(to) = spellings.into_iter().find(|spelling| stands != Some(spelling.as_str())) else {
            return Err(overruled(key, in_force));
        };
        let same_category = task_state.written.as_ref().and_then(|written| written.category.as_ref());
        changes.push(Stated {
            key,
            from: in_force.map(|stated| stated.value.clone()),
            to,
            settles: key != Key::Reason || same_category != wanted.reason.as_ref().map(|reason| &reason.category),
        });
    }
    let written: Vec<(Key, String)> = changes.iter().map(|change| (change.key, change.to.clone())).collect();
    let tag = !matches!(task_state.tagged, Tagged::Since(_));
    let restated = match written.is_empty() {
        true => None,
        false => Some(restate(description, &written).ok_or(RequestPlanError::NoRoom)?),
    };
    // It comes with something else alone, so that the same request made twice changes nothing.
    let with_note = (instructs && (tag || restated.is_some()))
        .then(|| noted(restated.as_deref().unwrap_or(description), &instructions(policy)))
        .flatten();
    let (instructs, description) = (with_note.is_some(), with_note.or(restated));
    let settles = tag || changes.iter().any(|change| change.settles);
    let counting = verdict.approvals.iter().filter(|approval| settles && approval.counts());
    let voids = counting.map(|approval| (approval.team.clone(), approval.user.clone())).collect();
    Ok(RequestPlan { tag, changes, description, instructs, voids })
}

/// What is asked for and is not in force.
pub fn unmet(task_state: &TaskState, wanted: &Wanted) -> Vec<Key> {
    let holds = |key: Key| {
        let value = statement(task_state, key).map(|stated| stated.value.as_str());
        match key {
            Key::Reason => {
                wanted.reason.is_none() || task_state.written.as_ref().is_some_and(|written| wanted.is_reason(written))
            }
            Key::Deployer => wanted
                .deployer
                .as_ref()
                .is_none_or(|name| value.is_some_and(|value| value.trim_start_matches('@').eq_ignore_ascii_case(name))),
            Key::Action => wanted.action.is_none_or(|action| value.and_then(Action::named) == Some(action)),
            Key::Change => wanted.change.as_ref().is_none_or(|change| value == Some(change.as_str())),
            Key::Drill => !wanted.drill || task_state.is_drill(),
            _ => true,
        }
    };
    crate::evidence::STATED.into_iter().filter(|key| !holds(*key)).collect()
}

fn statement(task_state: &TaskState, key: Key) -> Option<&Statement> {
    match key {
        Key::Reason => task_state.reason.as_ref(),
        Key::Deployer => task_state.deployer.as_ref(),
        Key::Action => task_state.action.as_ref(),
        Key::Change => task_state.change.as_ref(),
        Key::Drill => task_state.drill.as_ref(),
        _ => None,
    }
}

fn overruled(key: Key, in_force: Option<&Statement>) -> RequestPlanError {
    let (place, transaction) = match in_force.map(|stated| stated.source) {
        Some(Source::Comment(transaction)) => ("a comment", Some(transaction)),
        Some(Source::Field) => ("the custom field", None),
        _ => ("something", None),
    };
    RequestPlanError::Overruled { key, place: place.to_owned(), transaction }
}

impl Wanted {
    fn is_reason(&self, written: &WrittenReason) -> bool {
        self.reason.as_ref().is_none_or(|reason| reason.is(written))
    }

    /// Texts that state it, the best first; they differ so that one of them can replace the other.
    fn spellings(&self, key: Key, policy: &Policy) -> Result<Vec<String>, RequestPlanError> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(match key {
            Key::Reason => self.reason.as_ref().map_or(Ok(Vec::new()), |reason| reason.spellings(policy))?,
            Key::Deployer => {
                let name = text(&self.deployer);
                vec![name.clone(), name.to_lowercase(), name.to_uppercase()]
            }
            Key::Action => {
                let word = self.action.map_or("", Action::word);
                vec![word.to_owned(), word.to_uppercase()]
            }
            Key::Change => vec![text(&self.change)],
            Key::Drill => vec!["yes".to_owned(), "true".to_owned()],
            _ => Vec::new(),
        })
    }
}

impl WantedReason {
    fn is(&self, written: &WrittenReason) -> bool {
        written.category.as_ref() == Some(&self.category)
            && self.explanation.as_ref().is_none_or(|explanation| *explanation == written.explanation)
    }

    fn spellings(&self, policy: &Policy) -> Result<Vec<String>, RequestPlanError> {
        let key = &self.category;
        let spellings = match self.explanation.as_deref().unwrap_or_default() {
            "" => [key.clone(), format!("{key}:")],
            words => [format!("{key} - {words}"), format!("{key}: {words}")],
        };
        let reads: Vec<String> = spellings.iter().filter(|text| self.is(&policy.read_reason(text))).cloned().collect();
        let [first, _] = spellings;
        if reads.is_empty() { Err(RequestPlanError::Misread(first)) } else { Ok(reads) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;
    use crate::rules;
    use crate::rules::Intent;

    fn wanted(category: &str, explanation: Option<&str>) -> Wanted {
        Wanted {
            reason: Some(WantedReason { category: category.into(), explanation: explanation.map(str::to_owned) }),
            deployer: None,
            action: None,
            change: None,
            drill: false,
        }
    }

    fn planned(history: &History, wanted: &Wanted) -> Result<RequestPlan, RequestPlanError> {
        let evidence = history.evidence();
        let task_state = TaskState::derive(&evidence, &history.policy, None);
        let verdict = rules::evaluate(&evidence, &history.policy, &Intent::default(), None);
        plan(&evidence, &history.policy, &task_state, &verdict, wanted, false)
    }

    #[test]
    fn a_task_that_says_nothing_gets_tag_and_reason() {
        let plan = planned(&History::new("deployer1"), &wanted("abuse", Some("a scraper"))).unwrap();
        assert!(plan.tag && !plan.asks());
        assert_eq!(plan.description.as_deref(), Some("Emergency-Reason: abuse - a scraper"));
    }

    #[test]
    fn what_holds_already_is_left() {
        let history = History::emergency();
        for explanation in [None, Some("5xx on every page view")] {
            assert!(planned(&history, &wanted("availability", explanation)).unwrap().is_empty());
        }
        let plan = planned(&history, &wanted("availability", Some("all is down"))).unwrap();
        assert_eq!((plan.asks(), plan.changes.len(), plan.changes[0].settles), (false, 1, false));
    }

    #[test]
    fn what_takes_approvals_away_is_asked() {
        let mut history = History::emergency();
        history.comment("sre1", 10, "Emergency-Approve: sre");
        let other = planned(&history, &wanted("abuse", None)).unwrap();
        assert!(other.asks());
        assert_eq!(other.voids, [("sre".to_owned(), "sre1".to_owned())]);
        let new = Wanted { change: Some("I123".into()), ..wanted("availability", None) };
        let new = planned(&history, &new).unwrap();
        assert!(new.asks() && new.changes.iter().all(|change| change.from.is_none()));
        let reworded = planned(&history, &wanted("availability", Some("x"))).unwrap();
        assert!(!reworded.asks() && reworded.voids.is_empty());
    }

    #[test]
    fn the_description_is_made_the_last_word() {
        let mut history = History::emergency();
        history.comment("deployer1", 10, "Emergency-Reason: abuse\nEmergency-Change: I2");
        let plan = planned(&history, &wanted("availability", Some("5xx on every page view"))).unwrap();
        assert_eq!(plan.description.as_deref(), Some("Emergency-Reason: availability: 5xx on every page view"));
        let mut overruled = History::new("deployer1");
        overruled.describe("deployer1", 1, "Emergency-Change: I1");
        overruled.comment("deployer1", 10, "Emergency-Change: I2");
        let error = planned(&overruled, &Wanted { change: Some("I1".into()), ..wanted("abuse", None) }).unwrap_err();
        assert!(matches!(error, RequestPlanError::Overruled { key: Key::Change, transaction: Some(_), .. }), "{error}");
    }

    #[test]
    fn what_approvers_have_to_write_is_put_there_once_and_is_no_answer() {
        for author in ["deployer1", "sre1"] {
            let mut history = History::new(author);
            let instructed = |history: &History, wanted: &Wanted| {
                let evidence = history.evidence();
                let state = TaskState::derive(&evidence, &history.policy, None);
                let verdict = rules::evaluate(&evidence, &history.policy, &Intent::default(), None);
                plan(&evidence, &history.policy, &state, &verdict, wanted, true).unwrap()
            };
            let first = instructed(&history, &wanted("abuse", Some("a scraper")));
            let description = first.description.unwrap();
            assert!(first.instructs && description.starts_with("Emergency-Reason: abuse - a scraper\n\nTo approve"));
            history.describe(author, 5, &description);
            history.tag(author, 6, "emergency");
            assert!(instructed(&history, &wanted("abuse", Some("a scraper"))).is_empty());
            let second = instructed(&history, &wanted("abuse", Some("two scrapers")));
            let changed = second.description.unwrap();
            assert_eq!(
                (second.instructs, changed.matches("To approve this emergency deploy, ").count()),
                (false, 1),
                "{changed}"
            );
            let verdict = rules::evaluate(&history.evidence(), &history.policy, &Intent::default(), None);
            assert!(verdict.near_misses.is_empty() && verdict.approvals.is_empty(), "{author}: {verdict:#?}");
        }
    }

    #[test]
    fn nobodys_words_are_written_over_or_passed_over() {
        let line = instructions(&History::ready().policy);
        assert_eq!(noted(&format!("a\r\n{line}\r\nb"), &line), None);
        let older = line.replace(", security", "");
        assert_eq!(noted(&format!("a\r\n{older}\r\nb"), &line), Some(format!("a\r\n{line}\r\nb")));
        for somebodys in [format!("{line} sre1: no!"), format!("> {line}"), format!("```\n{older}\n```")] {
            assert_eq!(noted(&somebodys, &line), None, "{somebodys}");
        }
        let own = "To approve this emergency deploy, you need the DBA.";
        assert_eq!(noted(own, &line), Some(format!("{own}\n\n{line}")));
        // What a member adds to the line is said on the task.
        for more in [" sre1 says: no! do not deploy", " But I decline.", " **STOP** - Emergency-Stop"] {
            let mut history = History::ready();
            let described = format!("Emergency-Reason: availability - 5xx\n\n{line}");
            history.describe("deployer1", 12, &described);
            history.describe("sre1", 13, &format!("{described}{more}"));
            let evidence = history.evidence();
            let verdict = rules::evaluate(&evidence, &history.policy, &Intent::default(), None);
            let is_said =
                crate::evidence::said(&evidence, &history.policy).iter().any(|said| said.text.contains(more.trim()));
            let is_near = verdict.near_misses.iter().any(|near| near.line.contains(more.trim()));
            assert!(is_said || is_near, "{more}: {:#?}", verdict.near_misses);
        }
    }

    #[test]
    fn a_reason_that_is_stated_has_not_to_be_given_again() {
        let new = Wanted { reason: None, deployer: Some("deployer2".into()), ..wanted("abuse", None) };
        let taken_over = planned(&History::emergency(), &new).unwrap();
        assert_eq!(taken_over.changes.iter().map(|change| change.key).collect::<Vec<_>>(), [Key::Deployer]);
        assert_eq!(planned(&History::new("deployer1"), &new).unwrap_err(), RequestPlanError::NoReason);
    }

    #[test]
    fn an_explanation_is_distinguished_from_the_category() {
        let history = History::new("deployer1");
        // `security - issue` alone is the alias `security issue`.
        let plan = planned(&history, &wanted("security", Some("issue - a leak"))).unwrap();
        assert_eq!(plan.changes[0].to, "security: issue - a leak");
    }
}
