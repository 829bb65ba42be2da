//! What an approver agrees to, and whether it is still that.
//!
//! Responsible for comparing what was shown with what is there. Not for what follows from a difference.

use crate::evidence::trailers::Key;
use crate::evidence::{Evidence, Tagged, TaskState};

/// What an approver agrees to, as it stood when the task was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedContent {
    texts: [String; 2],
    tagged: bool,
    stated: [(Key, Option<String>); 5],
}

/// Something that an approver was shown, and that is otherwise now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference<'a> {
    /// What it is: `tag`, or the name of a trailer.
    pub what: &'static str,
    /// What was shown.
    pub shown: Option<&'a str>,
    /// What is there now.
    pub now: Option<&'a str>,
}

impl ApprovedContent {
    /// As it stands.
    pub fn of(evidence: &Evidence, task_state: &TaskState) -> Self {
        let stated = [
            (Key::Reason, &task_state.reason),
            (Key::Deployer, &task_state.deployer),
            (Key::Action, &task_state.action),
            (Key::Change, &task_state.change),
            (Key::Drill, &task_state.drill),
        ];
        Self {
            texts: [evidence.task.title.clone(), evidence.task.description.clone()],
            tagged: matches!(task_state.tagged, Tagged::Since(_)),
            stated: stated.map(|(key, statement)| (key, statement.as_ref().map(|stated| stated.value.clone()))),
        }
    }

    /// What of the emergency itself is otherwise now: the tag, the reason, who deploys what and how. The texts around
    /// these may be otherwise too.
    pub fn differences<'a>(&'a self, now: &'a Self) -> Vec<Difference<'a>> {
        let word = |tagged: bool| tagged.then_some("set");
        let mut differences = Vec::new();
        if self.tagged != now.tagged {
            differences.push(Difference { what: "tag", shown: word(self.tagged), now: word(now.tagged) });
        }
        for ((key, shown), (_, now)) in self.stated.iter().zip(&now.stated) {
            if shown != now {
                differences.push(Difference { what: key.name(), shown: shown.as_deref(), now: now.as_deref() });
            }
        }
        differences
    }
}
