//! An approver's answer: for which team it is, whether it would count, and the comment that gives it.
//!
//! Responsible for that, as pure functions of the evidence and the policy. Whether an answer would count is not decided
//! here anew: it is put onto the task in thought, and the evaluator is asked. Not responsible for reading the task,
//! posting the comment, and what is said to people.

mod content;
mod note;
#[cfg(test)]
mod tests;
mod who;

pub use self::content::{ApprovedContent, Difference};
pub use self::note::reads_as_condition;
pub use self::who::who_would_count;

use crate::attribution::ApprovalKind;
use crate::conduit::{Change, CommentVersion, Transaction};
use crate::evidence::timeline::Timeline;
use crate::evidence::trailers::Key;
use crate::evidence::{AnswerKind, Evidence, TaskState};
use crate::ids::{Phid, TransactionId};
use crate::policy::{Policy, Team};
use crate::remarkup::code;
use crate::rules::{self, Intent, JudgedTask, Outcome, Texts, Verdict, WhyNot};
use crate::text::inert;

/// What somebody wants to say.
#[derive(Debug, Clone, Copy)]
pub struct AnswerRequest<'a> {
    /// Yes, never mind, or no.
    pub kind: AnswerKind,
    /// For which team, as it was typed.
    pub team: Option<&'a str>,
    /// What they add to it.
    pub note: Option<&'a str>,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerStep {
    /// It stands on the task already.
    Stands {
        /// The key of the team.
        team: String,
        /// The transaction that holds it.
        transaction: Option<TransactionId>,
    },
    /// This comment gives it.
    Post {
        /// The key of the team.
        team: String,
        /// The comment.
        text: String,
    },
}

/// Why an answer is not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The policy has no such team.
    #[error("the policy has no team {written:?}; it has {}", known.join(", "))]
    UnknownTeam {
        /// As it was typed.
        written: String,
        /// The keys of all teams.
        known: Vec<String>,
    },
    /// It could be for several teams.
    #[error("the answer can be for several teams: {}", teams.join(", "))]
    WhichTeam {
        /// Their keys.
        teams: Vec<String>,
    },
    /// It would not count.
    #[error("{why}")]
    WouldNotCount {
        /// Why not.
        why: String,
        /// What to do.
        hint: String,
    },
}

fn would_not_count(why: impl Into<String>, hint: impl Into<String>) -> AnswerError {
    AnswerError::WouldNotCount { why: why.into(), hint: hint.into() }
}

/// The trailer of an answer.
pub fn key(kind: AnswerKind) -> Key {
    match kind {
        AnswerKind::Approve => Key::Approve,
        AnswerKind::Withdraw => Key::Withdraw,
        AnswerKind::Reject => Key::Reject,
    }
}

/// The comment that gives an answer. The note is inert in it: it can be no trailer, no mention and no link.
///
/// ```
/// use phabgate::{answer::comment, evidence::AnswerKind};
/// assert_eq!(comment(AnswerKind::Approve, "sre", None), "Emergency-Approve: sre");
/// assert_eq!(comment(AnswerKind::Approve, "sre", Some("I watch it")), "`I watch it`\n\nEmergency-Approve: sre");
/// assert_eq!(comment(AnswerKind::Reject, "sre", Some("too risky")), "Emergency-Reject: sre - `too risky`");
/// ```
pub fn comment(kind: AnswerKind, team: &str, note: Option<&str>) -> String {
    let trailer = format!("{}: {team}", key(kind).name());
    // An answer is one line, and so is what is said beside it.
    let note = note.map(|note| note.split_whitespace().collect::<Vec<_>>().join(" "));
    match (kind, note.filter(|note| !note.is_empty())) {
        (_, None) => trailer,
        (AnswerKind::Reject, Some(note)) => format!("{trailer} - {}", code(&note)),
        (AnswerKind::Approve | AnswerKind::Withdraw, Some(note)) => format!("{}\n\n{trailer}", code(&note)),
    }
}

/// What to do by hand, for who gives this answer without the gate. It stands between words on its line, so that it is no
/// answer where this text itself is pasted into a comment.
///
/// ```
/// use phabgate::{answer::by_hand, evidence::AnswerKind};
/// assert_eq!(
///     by_hand(AnswerKind::Reject, "sre"),
///     "write, alone on a line, \"Emergency-Reject: sre\" (as a comment)"
/// );
/// ```
pub fn by_hand(kind: AnswerKind, team: &str) -> String {
    format!("write, alone on a line, \"{}\" (as a comment)", comment(kind, team, None))
}

/// What keeps the task from being deployed.
pub fn missing(verdict: &Verdict) -> impl Iterator<Item = &rules::RuleOutcome> {
    verdict.rules.iter().filter(|rule| !matches!(rule.outcome, Outcome::Pass | Outcome::Warn))
}

/// Decides what comes of a wish of the token's owner.
///
/// # Errors
/// Where it is not clear which team is meant, or the answer would not count.
pub fn plan_answer(
    read: JudgedTask<'_>,
    policy: &Policy,
    texts: Texts,
    wish: &AnswerRequest<'_>,
) -> Result<AnswerStep, AnswerError> {
    let named = wish.team.map(|written| named(written, policy)).transpose()?;
    let desk = AnswerPlanner::new(read, policy, texts, wish);
    desk.is_a_person()?;
    desk.is_an_emergency()?;
    let team = match named {
        Some(team) => team,
        None => desk.infer()?,
    };
    if let Some(transaction) = desk.stands(team) {
        return Ok(AnswerStep::Stands { team: team.key.clone(), transaction });
    }
    desk.would_count(team)?;
    Ok(AnswerStep::Post { team: team.key.clone(), text: comment(wish.kind, &team.key, wish.note) })
}

/// The team that somebody typed.
///
/// # Errors
/// Where the policy has none of that name.
pub fn named<'a>(written: &str, policy: &'a Policy) -> Result<&'a Team, AnswerError> {
    policy.team_named(written).ok_or_else(|| AnswerError::UnknownTeam {
        written: written.to_owned(),
        known: policy.teams.iter().map(|team| team.key.clone()).collect(),
    })
}

/// What it takes to decide on an answer.
struct AnswerPlanner<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    wish: &'a AnswerRequest<'a>,
    texts: Texts,
    verdict: &'a Verdict,
    /// The owner's words that stand: the team, what, and where.
    words: Vec<(String, AnswerKind, TransactionId)>,
}

impl<'a> AnswerPlanner<'a> {
    fn new(read: JudgedTask<'a>, policy: &'a Policy, texts: Texts, wish: &'a AnswerRequest<'a>) -> Self {
        let JudgedTask { evidence, verdict, .. } = read;
        Self { evidence, policy, wish, texts, verdict, words: own_words(read, policy) }
    }

    fn owner(&self) -> String {
        inert(&self.evidence.owner.username)
    }

    fn is_a_person(&self) -> Result<(), AnswerError> {
        let owner = &self.evidence.owner;
        let hint = "use the token of your own account";
        if owner.is_bot() {
            return Err(would_not_count(
                format!("the token is that of {}, a bot, and people answer", self.owner()),
                hint,
            ));
        }
        if !owner.is_enabled_person() {
            let why = format!("the account {} is disabled or not yet active: its answers do not count", self.owner());
            return Err(would_not_count(why, hint));
        }
        Ok(())
    }

    /// To take a word back is never too late.
    fn is_an_emergency(&self) -> Result<(), AnswerError> {
        let rules: &[&str] = match self.wish.kind {
            AnswerKind::Approve => &["task-open", "tag", "reason"],
            AnswerKind::Reject => &["task-open", "tag"],
            AnswerKind::Withdraw => &[],
        };
        for rule in rules.iter().filter_map(|name| self.verdict.rule(name)) {
            if !matches!(rule.outcome, Outcome::Pass | Outcome::Warn) {
                let what = match self.wish.kind {
                    AnswerKind::Reject => "there is nothing to say no to",
                    _ => "there is nothing to approve",
                };
                let hint = rule.hint.clone().unwrap_or_else(|| format!("read `phabgate explain {}`", rule.name));
                return Err(would_not_count(format!("{what}: {}", rule.message), hint));
            }
        }
        Ok(())
    }

    fn is_member(&self, team: &Team) -> bool {
        let project = self.evidence.teams.get(&team.key);
        project.is_some_and(|project| project.members.contains(&self.evidence.owner.phid))
    }

    /// The team that is meant where none is named.
    fn infer(&self) -> Result<&'a Team, AnswerError> {
        let policy = self.policy;
        let mine: Vec<&Team> = policy.teams.iter().filter(|team| self.is_member(team)).collect();
        let candidates = match self.wish.kind {
            AnswerKind::Approve => self.to_approve_for(&mine),
            AnswerKind::Reject => mine,
            AnswerKind::Withdraw => {
                let open: Vec<&Team> =
                    policy.teams.iter().filter(|team| self.has_something_to_withdraw(team)).collect();
                let taken_back = |team: &&Team| self.word(team).is_some_and(|(kind, _)| kind == AnswerKind::Withdraw);
                // Where all is taken back, saying so again changes nothing and is no mistake.
                if open.is_empty() { policy.teams.iter().find(taken_back).into_iter().collect() } else { open }
            }
        };
        match candidates.as_slice() {
            [team] => Ok(team),
            [] => Err(self.is_in_no_team()),
            several => Err(AnswerError::WhichTeam { teams: several.iter().map(|team| team.key.clone()).collect() }),
        }
    }

    /// Of the owner's teams those that still need an approval; where none does, one that has the owner's already, or
    /// those that are needed at all.
    fn to_approve_for(&self, mine: &[&'a Team]) -> Vec<&'a Team> {
        let count = |team: &Team| self.verdict.teams.iter().find(|count| count.team == team.key);
        let needed: Vec<&Team> = mine.iter().copied().filter(|team| count(team).is_some()).collect();
        let open = |team: &&Team| {
            count(team).is_some_and(|count| count.by.len() < count.need as usize) && self.stands(team).is_none()
        };
        let missing: Vec<&Team> = needed.iter().copied().filter(open).collect();
        if !missing.is_empty() {
            return missing;
        }
        match needed.iter().find(|team| self.stands(team).is_some()) {
            Some(given) => vec![given],
            None => needed,
        }
    }

    fn is_in_no_team(&self) -> AnswerError {
        let owner = self.owner();
        let task = self.evidence.task.id;
        match self.wish.kind {
            AnswerKind::Withdraw => would_not_count(
                format!("{owner} has no answer on {task} that could be withdrawn"),
                format!("look at what stands there with `phabgate history {task}`"),
            ),
            AnswerKind::Approve => would_not_count(
                format!(
                    "{owner} is in no team that {task} needs: {}",
                    self.titles(|team| { self.verdict.teams.iter().any(|count| count.team == team.key) })
                ),
                format!("`phabgate check {task}` names who can approve"),
            ),
            AnswerKind::Reject => would_not_count(
                format!("{owner} is in no team of the policy, so a no would not count: {}", self.titles(|_| true)),
                "talk to somebody who is",
            ),
        }
    }

    fn titles(&self, which: impl Fn(&Team) -> bool) -> String {
        let titles = self.policy.teams.iter().filter(|team| which(team)).map(|team| team.title.as_str());
        titles.collect::<Vec<_>>().join(", ")
    }

    fn word(&self, team: &Team) -> Option<(AnswerKind, TransactionId)> {
        let mut words = self.words.iter();
        words.find(|(key, ..)| *key == team.key).map(|(_, kind, transaction)| (*kind, *transaction))
    }

    /// Whether the answer stands already, and where.
    fn stands(&self, team: &Team) -> Option<Option<TransactionId>> {
        if self.wish.kind == AnswerKind::Approve {
            let me = &self.evidence.owner.phid;
            let mine = self.verdict.approvals.iter().find(|approval| {
                approval.counts()
                    && approval.kind == ApprovalKind::Verified
                    && approval.team == team.key
                    && approval.phid.as_ref() == Some(me)
            });
            return mine.map(|approval| approval.transaction);
        }
        let same = self.word(team).filter(|(kind, _)| *kind == self.wish.kind);
        let idle = self.wish.kind == AnswerKind::Withdraw && self.has_something_to_withdraw(team);
        same.filter(|_| !idle).map(|(_, transaction)| Some(transaction))
    }

    /// A word that stands; or one that cannot be read any more, because somebody else removed it.
    fn has_something_to_withdraw(&self, team: &Team) -> bool {
        if self.word(team).is_some_and(|(kind, _)| kind != AnswerKind::Withdraw) {
            return true;
        }
        let rejected = |verdict: &Verdict| {
            ["rejected", "possible-no"].map(|name| verdict.rule(name).map(|rule| (rule.outcome, rule.message.clone())))
        };
        let (evidence, _) = self.with(AnswerKind::Withdraw, team);
        self.is_member(team) && rejected(&self.judge(&evidence).1) != rejected(self.verdict)
    }

    /// The evidence as it were with the answer on the task.
    fn with(&self, kind: AnswerKind, team: &Team) -> (Evidence, Option<TransactionId>) {
        let mut evidence = self.evidence.clone();
        let mut rows = evidence.timeline.transactions().to_vec();
        let id = TransactionId(last_of(&evidence).0.saturating_add(1));
        let author = evidence.owner.phid.as_str().to_owned();
        let text = comment(kind, &team.key, self.wish.note);
        let Ok(phid) = Phid::new("PHID-XACT-TASK-answer") else { return (evidence, None) };
        rows.push(Transaction {
            id,
            phid,
            task: evidence.task.phid.clone(),
            comments: vec![CommentVersion::new(1, &author, evidence.now, false, &text)],
            author,
            created: evidence.now,
            change: Change::Other,
        });
        evidence.timeline = Timeline::new(rows).into();
        (evidence, Some(id))
    }

    fn judge(&self, evidence: &Evidence) -> (TaskState, Verdict) {
        rules::judge(evidence, self.policy, &Intent::default(), None, self.texts)
    }

    fn would_count(&self, team: &Team) -> Result<(), AnswerError> {
        let (evidence, id) = self.with(self.wish.kind, team);
        let (task_state, verdict) = self.judge(&evidence);
        if self.wish.kind == AnswerKind::Approve {
            return self.approval_would_count(team, &verdict, id);
        }
        if self.wish.kind == AnswerKind::Withdraw && !self.has_something_to_withdraw(team) {
            let task = self.evidence.task.id;
            return Err(would_not_count(
                format!("{} has no answer for {} on {task} that could be withdrawn", self.owner(), team.title),
                format!("look at what stands there with `phabgate history {task}`"),
            ));
        }
        let words = rules::standing_words(&evidence, self.policy, &task_state);
        let Some(word) = words.iter().find(|word| Some(word.transaction) == id && word.team == team.key) else {
            return Err(not_understood());
        };
        if self.wish.kind == AnswerKind::Reject && !word.may_reject {
            return Err(self.is_in_no_team());
        }
        if word.kind == self.wish.kind { Ok(()) } else { Err(not_understood()) }
    }

    fn approval_would_count(
        &self,
        team: &Team,
        verdict: &Verdict,
        id: Option<TransactionId>,
    ) -> Result<(), AnswerError> {
        if !self.evidence.teams.contains_key(&team.key) {
            return Err(would_not_count(
                format!("the server knows no project #{}, or does not show it to {}", team.project, self.owner()),
                format!("check `policy.teams.{}.project` in the configuration", team.key),
            ));
        }
        let mine = |approval: &&rules::Approval| approval.transaction == id && approval.team == team.key;
        let Some(approval) = verdict.approvals.iter().find(mine) else { return Err(not_understood()) };
        let task = self.evidence.task.id;
        if let Some(why) = &approval.why_not {
            let hint = match why {
                WhyNot::NotMember { .. } => {
                    format!("ask a member of #{}: `phabgate check {task}` names them", team.project)
                }
                WhyNot::BehindDeploy => format!(
                    "somebody else of {} has to approve; if {} does not deploy, correct \"Emergency-Deployer\" on the task",
                    team.title,
                    self.owner()
                ),
                WhyNot::OnlyInformed { .. } => format!("`phabgate check {task}` names the teams that approve"),
                _ => "read `phabgate explain team`".to_owned(),
            };
            return Err(would_not_count(
                format!("an approval by {} for {} would not count: {why}", self.owner(), team.title),
                hint,
            ));
        }
        // What the deployer will say of the action may ask for other teams than the task does.
        let by_action = self.policy.actions.iter().any(|action| action.teams.contains(&team.key));
        if !by_action && !self.verdict.teams.iter().any(|count| count.team == team.key) {
            return Err(would_not_count(
                format!("{task} needs no approval by {}", team.title),
                format!("`phabgate check {task}` names the teams that it needs"),
            ));
        }
        Ok(())
    }
}

/// Cannot be with a policy that was validated.
fn not_understood() -> AnswerError {
    would_not_count(
        "the gate would not understand its own comment",
        "check the names of the teams in the configuration",
    )
}

/// The number of the last thing that happened on a task.
pub fn last_of(evidence: &Evidence) -> TransactionId {
    evidence.timeline.transactions().last().map_or(TransactionId(0), |row| row.id)
}

/// The words of the token's owner that stand.
fn own_words(read: JudgedTask<'_>, policy: &Policy) -> Vec<(String, AnswerKind, TransactionId)> {
    let JudgedTask { evidence, state, .. } = read;
    let me = evidence.owner.phid.as_str();
    let own = |id: TransactionId| evidence.timeline.transactions().iter().any(|row| row.id == id && row.author == me);
    let words = rules::standing_words(evidence, policy, state).into_iter();
    words.filter(|word| own(word.transaction)).map(|word| (word.team, word.kind, word.transaction)).collect()
}
