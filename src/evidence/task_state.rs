//! The state that a timeline shows: since when the task is an emergency, what is stated about the deploy and since
//! when, and who answered what.
//!
//! Responsible for reading it out of the transactions, up to a moment. Not responsible for whether an answer counts.

use std::collections::BTreeSet;

use super::answers::{Answer, answers};
use super::keys::Key;
use super::near_miss::{self, NearMiss};
use super::removals::{Removal, removals};
use super::statements::{MaterialChange, Statement, Statements};
use super::timeline::{AsOf, Moment, Timeline};
use super::witnesses::WitnessedApproval;
use super::{Evidence, Tag};
use crate::conduit::Change;
use crate::policy::{Policy, WrittenReason};
use crate::witness::Code;

/// What the task says, as of a moment.
#[derive(Debug, Clone)]
pub struct TaskState {
    /// Since when it carries the tag, where it does.
    pub tagged: Tagged,
    /// The statement of the reason that is in force.
    pub reason: Option<Statement>,
    /// The reason as the policy reads it.
    pub written: Option<WrittenReason>,
    /// Who is stated to deploy.
    pub deployer: Option<Statement>,
    /// What is stated to be done.
    pub action: Option<Statement>,
    /// What is stated to be deployed.
    pub change: Option<Statement>,
    /// Whether it is stated to be a drill.
    pub drill: Option<Statement>,
    /// The code of what would be approved; `None` where it does not carry the tag.
    pub code: Option<Code>,
    /// The last time that what approvers agree to changed: the category, deployer, action or change.
    pub last_material_change: Option<MaterialChange>,
    /// The last time that the explanation changed while the category stayed, and by whom.
    pub reworded: Option<(Moment, String)>,
    /// Every answer, oldest first.
    pub answers: Vec<Answer>,
    /// Each yes that a witness wrote down, oldest first.
    pub witnessed: Vec<WitnessedApproval>,
    /// Comments that are gone, oldest first.
    pub removals: Vec<Removal>,
    /// Those of them that a witness wrote.
    pub lost_witnesses: Vec<Removal>,
    /// What members of the teams wrote that reads as an answer and is none by the letter, oldest first.
    pub near_misses: Vec<NearMiss>,
}

/// Since when a task carries the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// It does, since then.
    Since(Moment),
    /// It did until then.
    Until(Moment),
    /// It never did.
    Never,
}

impl TaskState {
    /// Reads the state of a task up to a moment, or up to now.
    pub fn derive(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>) -> Self {
        let timeline = &evidence.timeline;
        let removals = removals(timeline, as_of);
        let statements = Statements::replay(evidence, policy, as_of, &removals);
        let effective = |key| statements.effective(key).cloned();
        let reason = effective(Key::Reason);
        let mut answers = answers(timeline, policy, as_of);
        // Only what people write on the task themselves answers what they wrote there.
        let near_misses = near_miss::near_misses(evidence, policy, as_of, &answers);
        let witnessed = evidence.witnessed(policy, as_of);
        answers.extend(witnessed.against);
        answers.sort_by_key(|answer| answer.moment.position);
        let tagged = tagged(timeline, evidence.tag.as_ref(), as_of);
        Self {
            code: statements.code(evidence.task.id, tagged),
            tagged,
            written: reason.as_ref().map(|reason| policy.read_reason(&reason.value)),
            reason,
            deployer: effective(Key::Deployer),
            action: effective(Key::Action),
            change: effective(Key::Change),
            drill: effective(Key::Drill),
            last_material_change: statements.last_material_change,
            reworded: statements.reworded,
            near_misses,
            answers,
            witnessed: witnessed.approvals,
            lost_witnesses: evidence.lost_witnesses(policy, &removals),
            removals,
        }
    }
}

impl Evidence {
    /// The code of what would have been approved at a moment; `None` where the task did not carry the tag then.
    pub(crate) fn code_as_of(&self, policy: &Policy, as_of: AsOf) -> Option<Code> {
        let removals = removals(&self.timeline, Some(as_of));
        let statements = Statements::replay(self, policy, Some(as_of), &removals);
        statements.code(self.task.id, tagged(&self.timeline, self.tag.as_ref(), Some(as_of)))
    }
}

impl TaskState {
    /// Whether the task is stated to be a fire drill: the trailer says anything but no.
    pub fn is_drill(&self) -> bool {
        let no = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "no" | "false" | "off");
        self.drill.as_ref().is_some_and(|stated| !no(&stated.value))
    }
}

pub(super) fn tagged(timeline: &Timeline, tag: Option<&Tag>, as_of: Option<AsOf>) -> Tagged {
    let mut carried = BTreeSet::new();
    let mut tagged = Tagged::Never;
    let Some(tag) = tag else { return tagged };
    for transaction in timeline.up_to(as_of) {
        let Change::Projects { added, removed } = &transaction.change else { continue };
        // What is added though it is there was taken away by a change that is not shown: it begins anew.
        for project in added {
            carried.remove(project);
        }
        let before = !carried.is_empty();
        carried.extend(added.iter().filter(|project| tag.family.contains(project)));
        for project in removed {
            carried.remove(project);
        }
        match (before, carried.is_empty()) {
            (false, false) => tagged = Tagged::Since(timeline.moment_of(transaction)),
            (true, true) => tagged = Tagged::Until(timeline.moment_of(transaction)),
            _ => {}
        }
    }
    tagged
}
