//! What changed between two readings of a task that is waited for.
//!
//! Responsible for saying it in lines, as a pure function of two verdicts. Not responsible for waiting ([`super::wait`]).

use crate::rules::{Approval, Outcome, RuleOutcome, Verdict};
use crate::text::{inert, shorten};

/// How much of a team's key is shown.
const TEAM: usize = 20;

/// A line of news, and what to do about it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    /// What came.
    pub(super) line: String,
    /// It is nothing to be glad of.
    pub(super) warns: bool,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

impl News {
    fn good(line: String) -> Self {
        Self { line, warns: false, hint: None }
    }

    fn bad(line: String) -> Self {
        Self { line, warns: true, hint: None }
    }
}

/// What is new: answers first, each with whether it counts and why not, then what the rules say otherwise than before.
pub(super) fn news(before: &Verdict, after: &Verdict) -> Vec<News> {
    let mut news: Vec<News> = after.approvals.iter().filter_map(|approval| answered(before, approval)).collect();
    let gone = |approval: &&Approval| approval.counts() && find(after, approval).is_none();
    news.extend(before.approvals.iter().filter(gone).map(|approval| {
        News::bad(format!("the approval of {} for {} is gone", approval.user, shorten(&approval.team, TEAM)))
    }));
    // The approvals are said one by one above.
    let says = |rule: &&RuleOutcome| {
        let is_new = before.rule(&rule.name).is_none_or(|old| old.message != rule.message);
        is_new && !matches!(rule.outcome, Outcome::Pass | Outcome::Pending)
    };
    news.extend(after.rules.iter().filter(says).map(|rule| News {
        line: format!("{}: {}", rule.name, rule.message),
        warns: true,
        hint: rule.hint.clone(),
    }));
    news
}

fn answered(before: &Verdict, approval: &Approval) -> Option<News> {
    let (user, team) = (&approval.user, shorten(&approval.team, TEAM));
    let old = find(before, approval);
    match (&approval.why_not, old.map(Approval::counts)) {
        (None, Some(true)) => None,
        (None, _) => Some(News::good(format!("{} approved for {team}", inert(user)))),
        (Some(why), Some(true)) => {
            Some(News::bad(format!("the approval of {user} for {team} does not count any more: {why}")))
        }
        (Some(_), Some(false)) => None,
        (Some(why), None) => Some(News::bad(format!("{user} answered for {team}, and it does not count: {why}"))),
    }
}

fn find<'a>(verdict: &'a Verdict, approval: &Approval) -> Option<&'a Approval> {
    let same = |other: &&Approval| {
        (other.transaction, &other.team, &other.user, other.kind)
            == (approval.transaction, &approval.team, &approval.user, approval.kind)
    };
    verdict.approvals.iter().find(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;
    use crate::rules::{self, Intent};

    fn lines(make: impl FnOnce(&mut History)) -> Vec<String> {
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        let judge = |made: &History| rules::evaluate(&made.evidence(), &made.policy, &Intent::default(), None);
        let before = judge(&history);
        make(&mut history);
        news(&before, &judge(&history)).into_iter().map(|news| news.line).collect()
    }

    #[test]
    fn each_answer_is_said_once_with_whether_it_counts() {
        assert_eq!(lines(|_| {}), [""; 0]);
        let came = lines(|made| _ = made.comment("sre1", 20, "Emergency-Approve: sre"));
        assert_eq!(came, ["sre1 approved for sre"]);
        let vain = lines(|made| _ = made.comment("outsider", 20, "Emergency-Approve: sre"));
        assert_eq!(vain, ["outsider answered for sre, and it does not count: not a member of SRE"]);
        let back = lines(|made| _ = made.comment("releng1", 20, "Emergency-Withdraw: releng"));
        assert_eq!(back, ["the approval of releng1 for releng does not count any more: withdrawn"]);
    }

    #[test]
    fn a_no_and_what_reads_as_an_answer_are_said() {
        let no = lines(|made| _ = made.comment("sre2", 20, "Emergency-Reject: sre - too risky"));
        assert_eq!(no, ["rejected: rejected by sre2: 'too risky'"]);
        let near = lines(|made| _ = made.comment("sre2", 20, "Emergency-Aprove: sre"));
        assert!(near.len() == 1 && near[0].contains("sre2") && near[0].starts_with("near-misses: "), "{near:?}");
    }
}
