//! The verdict: the decision, and the outcome of every rule that led to it.
//!
//! Responsible for the verdict as data, and the one way to a clearance to deploy. Not responsible for how it is
//! reached.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribution::ApprovalKind;
use crate::evidence::timeline::Moment;
use crate::evidence::{NearKind, WitnessFault};
use crate::ids::{Phid, TransactionId, User};
use crate::text::inert;

/// How many people of a team are named as those who could approve.
const NAMED: usize = 4;

/// What a rule found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It holds; somebody should look at it.
    Warn,
    /// It does not hold yet, and can.
    Pending,
    /// It does not hold.
    Fail,
    /// It could not be judged.
    Unknown,
}

/// A rule and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleOutcome {
    /// The name of the rule; `team:KEY` for the rule of a team.
    pub name: String,
    /// What it found.
    pub outcome: Outcome,
    /// That in words.
    pub message: String,
    /// What is missing, who can give it, what to type next.
    pub hint: Option<String>,
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// The trailer names something that is no team.
    #[error("not understood: write the team alone, as in \"Emergency-Approve: {example}\" (as a comment)")]
    NotUnderstood {
        /// A team that could have been meant.
        example: String,
    },
    /// The approver is not in the team.
    #[error("not a member of {team}")]
    NotMember {
        /// The team's title.
        team: String,
    },
    /// The approver's account cannot be used.
    #[error("the account is disabled or not yet active")]
    NotEnabled,
    /// The approver is no person.
    #[error("a bot cannot approve")]
    Bot,
    /// The account is not among those that the server shows.
    #[error("the account cannot be read")]
    NoAccount,
    /// Who deploys does not approve.
    #[error("this account may be behind the deploy, and nobody approves a deploy of their own")]
    BehindDeploy,
    /// Taken back.
    #[error("withdrawn")]
    Withdrawn,
    /// Turned into a no.
    #[error("rejected since")]
    Rejected,
    /// Older than approvals may be.
    #[error("given {age} ago, and an approval counts for {limit}")]
    TooOld {
        /// Its age.
        age: String,
        /// The policy's limit.
        limit: String,
    },
    /// What was approved has changed since.
    #[error("given before {what}")]
    Outdated {
        /// What changed.
        what: String,
    },
    /// The task became an emergency later.
    #[error("given before the task was tagged as an emergency")]
    BeforeTag,
    /// The task is no emergency.
    #[error("the task does not carry the tag")]
    NoTag,
    /// A later comment of the approver was removed, and may have taken it back.
    #[error("a later comment of the approver was removed, and may have withdrawn it")]
    CommentRemoved,
    /// Their later words read as a no or a withdrawal.
    #[error("a later line of theirs reads as {what}")]
    Doubted {
        /// What it reads as.
        what: &'static str,
    },
    /// Not the approver wrote it.
    #[error("somebody else edited it into the comment")]
    Foreign,
    /// The policy does not take this kind.
    #[error("the policy does not count {kind} approvals")]
    KindNotAccepted {
        /// The kind, in words.
        kind: &'static str,
    },
    /// The approver spoke for themselves.
    #[error(
        "{did}, and what others say of them does not count beside it; if it is a yes, they write, alone on a line, \
         \"Emergency-Approve: {team}\" (as a comment)"
    )]
    OwnWord {
        /// Who did what, and when.
        did: String,
        /// The key of the team.
        team: String,
    },
    /// They said it on IRC, and something else since.
    #[error("{did}{}", or_write(team.as_deref()))]
    LaterWord {
        /// Who did what, and when.
        did: String,
        /// The key of the team, where what they did may be a yes too.
        team: Option<String>,
    },
    /// The witness of it counts for nobody.
    #[error("{}", of_witness(*.fault))]
    Witness {
        /// Why.
        fault: WitnessFault,
    },
    /// A later witness is gone.
    #[error("what a witness wrote down later is gone, and may have taken it back")]
    WitnessLost,
    /// The task is restricted.
    #[error("of a restricted task nothing that is said on IRC counts")]
    WitnessedRestricted,
    /// The team is only informed.
    #[error("{team} is only informed")]
    OnlyInformed {
        /// The team's title.
        team: String,
    },
}

fn or_write(team: Option<&str>) -> String {
    team.map_or(String::new(), |team| {
        format!("; if it is a yes, they write, alone on a line, \"Emergency-Approve: {team}\" (as a comment)")
    })
}

fn of_witness(fault: WitnessFault) -> &'static str {
    match fault {
        WitnessFault::Edited => "what the witness wrote down was edited",
        WitnessFault::Late => "the witness wrote it down too late",
        WitnessFault::Impossible => "the witness wrote down what cannot be",
        WitnessFault::OtherCode => "its code is of something else than what the task stated then",
    }
}

/// An approval as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The key of the team; what was written in its place where that was not understood.
    pub team: String,
    /// The approver's username.
    pub user: String,
    /// The approver's account.
    pub phid: Option<Phid<User>>,
    /// Verified, witnessed or attested.
    pub kind: ApprovalKind,
    /// Why it does not count; `None` where it does.
    pub why_not: Option<WhyNot>,
    /// The transaction that holds it.
    pub transaction: Option<TransactionId>,
    /// When it was given.
    pub time: Timestamp,
    /// Where an attested one can be looked up.
    pub evidence: Option<String>,
}

impl Approval {
    /// Whether it counts.
    pub fn counts(&self) -> bool {
        self.why_not.is_none()
    }
}

/// What a near miss does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It stops the deploy.
    Denies,
    /// Approvals of its author that are older do not count.
    Voids,
    /// It counts as what it was meant to be.
    Counts,
    /// It is shown, no more.
    Listed,
}

/// A near miss as it was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedNearMiss {
    /// What it reads as.
    pub kind: NearKind,
    /// Its author's username, inert.
    pub user: String,
    /// Its author.
    pub phid: Phid<User>,
    /// Since when it stands there, and in which transaction.
    pub moment: Moment,
    /// The line as written, without blanks around it.
    pub line: String,
    /// What it does.
    pub effect: Effect,
    /// Why it is no answer by the letter, or why it does not count.
    pub why: String,
    /// What its author has to write instead; `None` where nothing is needed.
    pub write: Option<String>,
}

/// How many approvals a team has of those it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TeamCount {
    /// The key of the team.
    pub team: String,
    /// Its title.
    pub title: String,
    /// How many people must approve.
    pub need: u32,
    /// The usernames of those who fill its slots.
    pub by: Vec<String>,
    /// The usernames of members who could still approve, as far as their accounts were read; none in an audit.
    pub could: Vec<String>,
}

/// Permission to run one deploy. Only an evaluation of complete evidence makes one, so what takes a clearance cannot
/// be reached without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearance {
    _only_here: (),
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The deploy may happen.
    Allowed(Clearance),
    /// All holds but approvals that can still come.
    Pending,
    /// It may not happen.
    Denied,
    /// The evidence could not be read whole.
    Undecided,
}

impl Decision {
    /// The decision that follows from the outcomes of all rules.
    pub(super) fn from_outcomes(rules: &[RuleOutcome]) -> Self {
        let any = |outcome| rules.iter().any(|rule| rule.outcome == outcome);
        if rules.is_empty() || any(Outcome::Unknown) {
            Self::Undecided
        } else if any(Outcome::Fail) {
            Self::Denied
        } else if any(Outcome::Pending) {
            Self::Pending
        } else {
            Self::Allowed(Clearance { _only_here: () })
        }
    }

    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allowed(_) => "allowed",
            Self::Pending => "pending",
            Self::Denied => "denied",
            Self::Undecided => "undecided",
        }
    }
}

/// A decision and all that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// The outcome of every rule, in the order in which they are shown.
    pub rules: Vec<RuleOutcome>,
    /// Every approval, whether it counts or not.
    pub approvals: Vec<Approval>,
    /// How many approvals each team has.
    pub teams: Vec<TeamCount>,
    /// What members wrote that reads as an answer and is none by the letter, newest first.
    pub near_misses: Vec<JudgedNearMiss>,
    /// Each no that stands and stops the deploy, as far as it can be read, oldest first.
    pub rejections: Vec<StandingNo>,
}

/// A no that stands and stops the deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingNo {
    /// The username of its author, inert.
    pub user: String,
    /// When it was said.
    pub time: Timestamp,
}

impl Verdict {
    /// The verdict where the evidence could not be read whole, with the reason.
    pub fn undecided(why: String, hint: &str) -> Self {
        let rule = RuleOutcome {
            name: "evidence".into(),
            outcome: Outcome::Unknown,
            message: why,
            hint: Some(hint.to_owned()),
        };
        Self {
            decision: Decision::Undecided,
            rules: vec![rule],
            approvals: Vec::new(),
            teams: Vec::new(),
            near_misses: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// The names of the rules that keep the verdict from `allowed`.
    pub fn failed(&self) -> Vec<String> {
        let kept = |rule: &&RuleOutcome| !matches!(rule.outcome, Outcome::Pass | Outcome::Warn);
        self.rules.iter().filter(kept).map(|rule| rule.name.clone()).collect()
    }

    /// The teams of which approvals are missing.
    pub fn missing_teams(&self) -> impl Iterator<Item = &TeamCount> {
        self.teams.iter().filter(|team| team.by.len() < team.need as usize)
    }

    /// The teams of which approvals are missing and who could give them, in a few words: `sre (sre1, sre2)`; `None` where
    /// none is missing.
    pub fn needed(&self) -> Option<String> {
        let team = |team: &TeamCount| {
            let more = (team.need as usize).saturating_sub(team.by.len());
            let many = if more > 1 { format!("{more} of ") } else { String::new() };
            let who = match team.could.as_slice() {
                [] => "nobody is left who could".to_owned(),
                could if could.len() <= NAMED => could.join(", "),
                could => format!("any of {}", could.len()),
            };
            format!("{many}{} ({who})", inert(&team.team))
        };
        let teams: Vec<String> = self.missing_teams().map(team).collect();
        (!teams.is_empty()).then(|| teams.join(" and "))
    }

    /// The rule of this name.
    pub fn rule(&self, name: &str) -> Option<&RuleOutcome> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rules_at_all_decide_nothing() {
        assert_eq!(Decision::from_outcomes(&[]), Decision::Undecided);
    }
}
