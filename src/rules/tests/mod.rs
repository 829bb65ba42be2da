//! Tests of the policy on histories: a module a subject.

mod answers;
mod approvals;
mod as_of;
mod catalogue;
mod edits;
mod near_misses;
mod others;
mod properties;
mod restricted;
mod rules;
mod unexposed;
mod witnessed;

use super::*;
use crate::evidence::testing::History;
use crate::policy::testing::built_in;
use crate::policy::{Action, ActionPolicy, Policy, Role};

/// The verdict on a history as it is now.
fn verdict(history: &History) -> Verdict {
    evaluate(&history.evidence(), &history.policy, &Intent::default(), None)
}

/// The word for the decision on a history as it is now.
fn decision(history: &History) -> &'static str {
    verdict(history).decision.word()
}

/// What a rule finds in a history as it is now.
fn outcome(history: &History, rule: &str) -> Outcome {
    verdict(history).rule(rule).unwrap().outcome
}

/// Why each approval of a person does not count, oldest first; `None` for those that do.
fn why_not(history: &History, user: &str) -> Vec<Option<WhyNot>> {
    verdict(history).approvals.into_iter().filter(|approval| approval.user == user).map(|a| a.why_not).collect()
}
