//! Answers: approvals, withdrawals and rejections, each with whether it counts now.
//!
//! Responsible for the words for what the policy decided. Not responsible for that decision (see [`crate::rules`]).

use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone};
use crate::evidence::timeline::Moment;
use crate::evidence::trailers::{self, Key, Teams};
use crate::evidence::{Answer, AnswerKind};
use crate::ids::TransactionId;
use crate::rules::{Approval, StandingWord, WhyNot};
use crate::time::utc;

/// The trailers that are answers.
pub(super) const ANSWERS: [Key; 3] = [Key::Approve, Key::Withdraw, Key::Reject];

/// Whether an answer counts now.
struct AnswerStatus {
    counts: bool,
    why_not: Option<String>,
}

impl AnswerStatus {
    fn yes() -> Self {
        Self { counts: true, why_not: None }
    }

    fn no(why: impl Into<String>) -> Self {
        Self { counts: false, why_not: Some(why.into()) }
    }

    fn words(&self, kind: AnswerKind) -> String {
        match (&self.why_not, kind) {
            (None, AnswerKind::Approve) => "counts now".to_owned(),
            (None, AnswerKind::Withdraw) => "stands".to_owned(),
            (None, AnswerKind::Reject) => "stands, and stops a deploy".to_owned(),
            (Some(why), AnswerKind::Approve) => format!("does not count now: {why}"),
            (Some(why), AnswerKind::Withdraw | AnswerKind::Reject) => format!("does not stand: {why}"),
        }
    }
}

impl HistoryBuilder<'_> {
    /// The entries of an answer that its comment still holds: one for each team.
    pub(super) fn answer(&self, answer: &Answer) -> Vec<Entry> {
        match (&answer.teams, answer.kind) {
            (Teams::Named(teams), _) => teams.iter().map(|team| self.answer_for(answer, team)).collect(),
            (Teams::NotUnderstood(written), AnswerKind::Approve) => {
                let approvals = self.verdict.approvals.iter();
                let why = approvals
                    .filter(|approval| approval.transaction == Some(answer.moment.transaction))
                    .filter_map(|approval| approval.why_not.as_ref())
                    .find(|why| matches!(why, WhyNot::NotUnderstood { .. }));
                let why = why.map_or_else(|| "not understood".to_owned(), ToString::to_string);
                let what = format!("for {}", self.quote(written));
                vec![self.entry(answer, self.open(written), &what, AnswerStatus::no(why), Tone::Mind)]
            }
            (Teams::NotUnderstood(written), _) => vec![self.refusal_not_understood(answer, written)],
        }
    }

    fn answer_for(&self, answer: &Answer, team: &str) -> Entry {
        let standing = match answer.kind {
            AnswerKind::Approve => match self.approval(answer.moment.transaction, team) {
                None => AnswerStatus::no(self.superseded(answer, Some(team))),
                Some(Approval { why_not: Some(why), .. }) => AnswerStatus::no(why.to_string()),
                Some(_) => AnswerStatus::yes(),
            },
            AnswerKind::Withdraw | AnswerKind::Reject => self.refusal(answer, Some(team)),
        };
        let mut what = format!("for {team}");
        if !answer.why.is_empty() {
            what.push_str(&format!(", {}", self.quote(&answer.why)));
        }
        let tone = match (answer.kind, standing.counts) {
            (AnswerKind::Approve, true) => Tone::Good,
            (AnswerKind::Reject, true) => Tone::Bad,
            _ => Tone::Mind,
        };
        let mut entry = self.entry(answer, Some(team.to_owned()), &what, standing, tone);
        if answer.kind == AnswerKind::Approve && self.served(answer.moment.transaction, team) {
            entry.words.push_str("; a recorded deploy rests on it");
        }
        entry
    }

    fn refusal_not_understood(&self, answer: &Answer, written: &str) -> Entry {
        let standing = self.refusal(answer, None);
        let mut teams = self.words_at(answer).map(|word| word.team.as_str()).collect::<Vec<_>>();
        teams.sort_unstable();
        let all = format!("for every team of theirs ({})", teams.join(", "));
        let what = match (teams.is_empty() || self.is_in_no_team(answer), answer.is_witnessed()) {
            // On IRC no team is named.
            (true, true) => "for every team of theirs".to_owned(),
            (false, true) => all,
            (true, false) => format!("{}, not understood", self.quote(written)),
            (false, false) => format!("{}, not understood, so {all}", self.quote(written)),
        };
        let what = if answer.why.is_empty() { what } else { format!("{what}, {}", self.quote(&answer.why)) };
        let tone = if standing.counts && answer.kind == AnswerKind::Reject { Tone::Bad } else { Tone::Mind };
        self.entry(answer, self.open(written), &what, standing, tone)
    }

    /// Whether a withdrawal or a no stands.
    fn refusal(&self, answer: &Answer, team: Option<&str>) -> AnswerStatus {
        let is_for = |known: &str| team.is_none_or(|team| team == known);
        let Some(word) = self.words_at(answer).find(|word| is_for(&word.team)) else {
            let nowhere = team.is_none() && self.is_in_no_team(answer);
            return match nowhere {
                true => AnswerStatus::no("its author is in no team of the policy"),
                false => AnswerStatus::no(self.superseded(answer, team)),
            };
        };
        match answer.kind {
            AnswerKind::Reject if !word.may_reject && self.is_in_no_team(answer) => {
                AnswerStatus::no("its author is in no team of the policy")
            }
            AnswerKind::Reject if !word.may_reject => {
                AnswerStatus::no("its author is no person with an enabled account")
            }
            _ => AnswerStatus::yes(),
        }
    }

    /// What stands in the way of an answer that is not the latest of its author for its team, or for all of theirs.
    fn superseded(&self, answer: &Answer, team: Option<&str>) -> String {
        let is_of = |word: &StandingWord| word.author == answer.author && team.is_none_or(|team| word.team == team);
        let on_task = self.task_state.answers.iter().map(|later| (later, later.moment));
        let heard = self.task_state.witnessed.iter().map(|heard| (&heard.answer, heard.posted));
        let stands = |(later, _): &(&Answer, Moment)| {
            let is_it = |word: &StandingWord| word.transaction == later.moment.transaction && word.kind == later.kind;
            later.moment.position > answer.moment.position && self.words.iter().any(|word| is_of(word) && is_it(word))
        };
        let Some((later, posted)) = on_task.chain(heard).find(stands) else { return SUPERSEDED.to_owned() };
        let noun = match later.kind {
            AnswerKind::Approve => "approval",
            AnswerKind::Withdraw => "withdrawal",
            AnswerKind::Reject => "no",
        };
        let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
        // As the list shows it.
        let when = match day(posted.time) == day(answer.moment.time) {
            true => posted.time.strftime("%H:%M:%S").to_string(),
            false => utc(posted.time),
        };
        format!("replaced by their later {noun} of {when}")
    }

    fn is_in_no_team(&self, answer: &Answer) -> bool {
        !self.evidence.teams.values().any(|team| team.members.contains(&answer.author))
    }

    /// The words of an answer that still stand.
    fn words_at<'b>(&'b self, answer: &'b Answer) -> impl Iterator<Item = &'b StandingWord> {
        self.words.iter().filter(|word| word.transaction == answer.moment.transaction && word.kind == answer.kind)
    }

    fn approval(&self, transaction: TransactionId, team: &str) -> Option<&Approval> {
        let mut on_task = self.verdict.approvals.iter().filter(|approval| approval.kind.is_on_task());
        on_task.find(|approval| approval.transaction == Some(transaction) && approval.team == team)
    }

    /// Whether a record names this approval.
    fn served(&self, transaction: TransactionId, team: &str) -> bool {
        let approvals = self.records.iter().flat_map(|standing| &standing.record.approvals);
        approvals.into_iter().any(|approval| approval.transaction == Some(transaction) && approval.team == team)
    }

    fn entry(&self, answer: &Answer, team: Option<String>, what: &str, standing: AnswerStatus, tone: Tone) -> Entry {
        let by_edit = if answer.edited_in { " (by an edit)" } else { "" };
        let heard = answer.heard_as.as_deref().map(|account| format!(" on IRC as {}", self.quote(account)));
        if let Some(base) = self.put_in(answer) {
            // They never said that, as far as the witness wrote it down.
            let who = self.name(answer.author.as_str());
            let said = format!("{}{} {what}", verb(answer.kind), heard.unwrap_or_default());
            let words = format!("put into a witness that {who} {said}: {}", standing.words(answer.kind));
            let detail = Detail { team, counts: Some(standing.counts), why_not: standing.why_not, ..Detail::default() };
            return Entry { kind: kind(answer.kind), tone: Tone::Bad, words, detail, ..base };
        }
        Entry {
            moment: answer.moment,
            author: answer.author.as_str().to_owned(),
            kind: kind(answer.kind),
            tone,
            words: format!(
                "{}{} {what}{by_edit}: {}",
                verb(answer.kind),
                heard.unwrap_or_default(),
                standing.words(answer.kind)
            ),
            detail: Detail { team, counts: Some(standing.counts), why_not: standing.why_not, ..Detail::default() },
        }
    }

    /// An answer that the comment held in an earlier version and holds no more.
    pub(super) fn answer_gone(&self, key: Key, value: &str, base: &Entry) -> Option<Entry> {
        let answered = match key {
            Key::Approve => AnswerKind::Approve,
            Key::Withdraw => AnswerKind::Withdraw,
            Key::Reject => AnswerKind::Reject,
            _ => return None,
        };
        let teams = match answered {
            AnswerKind::Approve => trailers::teams_of_approval(value, self.policy),
            AnswerKind::Withdraw | AnswerKind::Reject => trailers::teams_of_refusal(value, self.policy).0,
        };
        let (team, shown) = match teams {
            Teams::Named(teams) => (Some(teams.join(", ")), teams.join(" and ")),
            Teams::NotUnderstood(written) => (self.open(&written), self.quote(&written)),
        };
        let standing = AnswerStatus::no("the comment was edited since and does not say it any more");
        Some(Entry {
            kind: kind(answered),
            tone: Tone::Mind,
            words: format!("{} for {shown}: {}", verb(answered), standing.words(answered)),
            detail: Detail { team, counts: Some(false), why_not: standing.why_not, ..Detail::default() },
            ..base.clone()
        })
    }
}

/// What stands in the way of an answer beside an earlier one that stands.
const SUPERSEDED: &str = "another word of theirs for this team stands in its place";

fn kind(answer: AnswerKind) -> EntryKind {
    match answer {
        AnswerKind::Approve => EntryKind::Approve,
        AnswerKind::Withdraw => EntryKind::Withdraw,
        AnswerKind::Reject => EntryKind::Reject,
    }
}

fn verb(answer: AnswerKind) -> &'static str {
    match answer {
        AnswerKind::Approve => "approved",
        AnswerKind::Withdraw => "withdrew",
        AnswerKind::Reject => "rejected",
    }
}
