//! The rules that judge evidence by a policy, one a file, and the evaluator that makes a verdict of them.
//!
//! Responsible for the list of rules and for what makes their outcomes. Each rule is a pure function of the context: its name,
//! what it means and why, and how it judges. Beside it: the evaluator, how approvals are counted, and the verdict. Not
//! responsible for the policy as data ([`crate::policy`]), nor for reading evidence ([`crate::evidence`]).

mod approvals;
mod evaluate;
pub(crate) mod near;
mod others;
mod own_word;
mod slots;
#[cfg(test)]
mod tests;
mod verdict;

mod action;
mod can_record;
mod change;
mod clock;
mod deployer;
mod explanation;
mod in_flight;
mod last_deploy;
mod near_misses;
mod needed;
mod possible_no;
mod reason;
mod rejected;
mod repeat;
mod self_approval;
mod server;
mod tag;
mod task_open;
mod task_visible;
mod team;
mod team_open;
mod who_may;

pub use approvals::{StandingWord, standing_words};
pub use evaluate::{Intent, JudgedTask, Texts, evaluate, evaluate_with_state, judge, not_visible, stated};
pub use last_deploy::last_deploy_failed;
pub use others::{OpenStart, Weight, believed_ends, open_starts, verdict_at_start, weight};
pub use verdict::{
    Approval, Clearance, Decision, Effect, JudgedNearMiss, Outcome, RuleOutcome, StandingNo, TeamCount, Verdict, WhyNot,
};
pub use who_may::WhoMay;

use evaluate::EvaluationContext;

/// A rule: what it is called, what it is about, and its page.
#[derive(Debug)]
pub struct Rule {
    /// Its stable name.
    pub name: &'static str,
    /// What it demands, in a line.
    pub summary: &'static str,
    /// What it means, why it is there and how to mend it.
    pub page: &'static str,
    judge: fn(&Rule, &EvaluationContext<'_>) -> Vec<RuleOutcome>,
}

/// All rules, in the order in which they are shown.
pub const ALL: &[Rule] = &[
    task_visible::RULE,
    task_open::RULE,
    tag::RULE,
    reason::RULE,
    explanation::RULE,
    deployer::RULE,
    team::RULE,
    rejected::RULE,
    possible_no::RULE,
    action::RULE,
    change::RULE,
    in_flight::RULE,
    repeat::RULE,
    can_record::RULE,
    team_open::RULE,
    near_misses::RULE,
    server::RULE,
    clock::RULE,
];

/// Where the evidence could not be read, this stands in place of all rules.
pub const EVIDENCE: (&str, &str, &str) = (
    "evidence",
    "All evidence is read, whole",
    "Nothing but evidence that was read in full gives a yes. The server did not answer, answered nonsense, or the task \
     was being edited while it was read.\n\nTry again in a moment. If it stays so, `phabgate config show` tells which \
     server is asked and where its address came from.",
);

impl Rule {
    fn outcome(&self, outcome: Outcome, message: impl Into<String>, hint: Option<String>) -> RuleOutcome {
        RuleOutcome { name: self.name.to_owned(), outcome, message: message.into(), hint }
    }

    fn pass(&self, message: impl Into<String>) -> Vec<RuleOutcome> {
        vec![self.outcome(Outcome::Pass, message, None)]
    }

    fn warn(&self, message: impl Into<String>, hint: impl Into<String>) -> Vec<RuleOutcome> {
        vec![self.outcome(Outcome::Warn, message, Some(hint.into()))]
    }

    fn fail(&self, message: impl Into<String>, hint: impl Into<String>) -> Vec<RuleOutcome> {
        vec![self.outcome(Outcome::Fail, message, Some(hint.into()))]
    }

    fn wait(&self, message: impl Into<String>, hint: impl Into<String>) -> Vec<RuleOutcome> {
        vec![self.outcome(Outcome::Pending, message, Some(hint.into()))]
    }

    fn unknown(&self, message: impl Into<String>, hint: impl Into<String>) -> Vec<RuleOutcome> {
        vec![self.outcome(Outcome::Unknown, message, Some(hint.into()))]
    }
}

/// The outcome of every rule.
fn judge_all(context: &EvaluationContext<'_>) -> Vec<RuleOutcome> {
    ALL.iter().flat_map(|rule| (rule.judge)(rule, context)).collect()
}

/// The outcome of every rule but the one that looks at other deploys of the task that are under way.
fn judge_alone(context: &EvaluationContext<'_>) -> Vec<RuleOutcome> {
    let alone = ALL.iter().filter(|rule| rule.name != in_flight::RULE.name);
    alone.flat_map(|rule| (rule.judge)(rule, context)).collect()
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[String], join: &str) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {join} {last}", first.join(", ")),
    }
}
