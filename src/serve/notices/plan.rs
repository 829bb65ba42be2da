//! Which notice is due on a task.
//!
//! Responsible for that, as a pure function of the verdict, of what was said, and of the time. A clean way costs two notices, an episode
//! [`EPISODE`] at most, of which one is kept for `ready` and two for `lost`, and a task [`DAY`] in a day. Nothing is said that a person's
//! own comment says already. Not responsible for saying it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::PostedNotice;
use super::unread::{UNREAD, Unread, unread};
use crate::ids::{TaskId, TransactionId};
use crate::notice::{LostApproval, MissingTeam, Notice, NoticeKind, SCHEMA, StoreId, Words};
use crate::rules::{Approval, Decision, Outcome, Verdict, WhyNot};
use crate::serve::episode::Episode;
use crate::serve::store::{CountedApproval, NoticeState};

/// How many notices an episode has at most.
pub(super) const EPISODE: usize = 5;
/// How many of them are kept for `lost`.
const KEPT_FOR_LOST: usize = 2;
/// How many notices a task has in a day at most.
pub(super) const DAY: usize = 10;
/// How long after the tag it is said what is missing.
pub(super) const SETTLE_IN: SignedDuration = SignedDuration::from_secs(20);

/// The rules that stand in the way of a deploy by what a person's own comment says already.
const SAID_BY_PEOPLE: [&str; 4] = ["rejected", "possible-no", "in-flight", "near-misses"];

/// What a plan is made from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The task.
    pub task: TaskId,
    /// The episode.
    pub episode: Episode,
    /// What is decided now.
    pub verdict: &'a Verdict,
    /// The notices that stand on the task, of any episode.
    pub posted: &'a [PostedNotice],
    /// What the store knows of notices of the task.
    pub known: &'a [(crate::notice::NoticeKey, NoticeState)],
    /// The approvals that were seen to count in the episode.
    pub counted: &'a BTreeSet<CountedApproval>,
    /// Whether a deploy of this episode ended.
    pub deployed: bool,
    /// The server's clock.
    pub now: Timestamp,
    /// Which store this service keeps.
    pub store: &'a StoreId,
    /// When it was made, by the server's clock.
    pub first_start: Timestamp,
    /// How much later than it was due a notice is still said.
    pub window: SignedDuration,
    /// Which kinds are said.
    pub kinds: &'a [NoticeKind],
}

/// A notice that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// It for programs.
    pub notice: Notice,
    /// It for people.
    pub words: Words,
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Nothing,
    /// Nothing before then, by the server's clock.
    NotBefore(Timestamp),
    /// This, now.
    Say(Box<Due>),
    /// Nothing: this task has fresh notices of another store, whose service says what there is to say.
    Another(StoreId),
}

/// What is said now.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let Situation { verdict, episode, .. } = situation;
    if let Some(other) = situation.of_another_store() {
        return Plan::Another(other);
    }
    if episode.since < situation.first_start || verdict.decision == Decision::Undecided {
        return Plan::Nothing;
    }
    if matches!(verdict.decision, Decision::Allowed(_)) {
        return situation.ready().map_or(Plan::Nothing, situation.said_once());
    }
    if let Some(lost) = situation.lost() {
        return situation.said_once()(lost);
    }
    if let Some(unread) = situation.unread() {
        return situation.said_once()(unread);
    }
    let due = episode.since.saturating_add(SETTLE_IN).unwrap_or(Timestamp::MAX);
    match situation.missing() {
        Some(_) if situation.now < due => Plan::NotBefore(due),
        Some(missing) => situation.said_once()(missing),
        None => Plan::Nothing,
    }
}

/// The approvals that count, as a store keeps them: those that stand on the task.
pub fn counting(verdict: &Verdict) -> Vec<CountedApproval> {
    let counting = verdict.approvals.iter().filter(|approval| approval.counts() && approval.kind.is_on_task());
    let kept = counting.filter_map(|approval| {
        let (team, user) = (approval.team.clone(), approval.user.clone());
        Some(CountedApproval { transaction: approval.transaction?, team, user })
    });
    kept.collect()
}

impl Situation<'_> {
    /// The store of a notice of this episode that is not ours.
    fn of_another_store(&self) -> Option<StoreId> {
        let mut said = self.of_episode();
        said.find(|posted| posted.notice.store != *self.store).map(|posted| posted.notice.store.clone())
    }

    fn of_episode(&self) -> impl DoubleEndedIterator<Item = &PostedNotice> {
        self.posted.iter().filter(|posted| posted.notice.episode == self.episode.began)
    }

    /// How many notices of a kind were said in the episode, or may have been, on the task or by what the store knows.
    fn count(&self, kind: NoticeKind) -> usize {
        let posted = self.of_episode().map(|posted| posted.notice.key());
        let known = self.known.iter().filter(|(key, state)| key.episode == self.episode.began && is_spent(state));
        let keys: BTreeSet<_> = posted.chain(known.map(|(key, _)| key.clone())).collect();
        keys.iter().filter(|key| key.kind == kind).count()
    }

    /// Whether one more notice of a kind is within the budget.
    fn affords(&self, kind: NoticeKind) -> bool {
        let of = |kind| self.count(kind);
        let total: usize = NoticeKind::ALL.into_iter().map(of).sum();
        let for_lost = KEPT_FOR_LOST.saturating_sub(of(NoticeKind::Lost));
        let for_ready = usize::from(of(NoticeKind::Ready) == 0);
        let kept = match kind {
            NoticeKind::Missing | NoticeKind::Unread => for_lost + for_ready,
            NoticeKind::Ready => for_lost,
            NoticeKind::Lost => for_ready,
        };
        let day = self.now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let today: BTreeSet<_> = self
            .posted
            .iter()
            .filter(|posted| posted.time > day)
            .map(|posted| posted.notice.key())
            .chain(self.known.iter().filter(|(_, state)| is_of(state, day)).map(|(key, _)| key.clone()))
            .collect();
        self.kinds.contains(&kind) && total + kept < EPISODE && today.len() < DAY
    }

    /// Whether something that was due then may still be said.
    fn is_in_time(&self, due: Timestamp) -> bool {
        self.now.duration_since(due) <= self.window
    }

    /// A notice is said where neither the task nor the store knows that it was, or may have been.
    fn said_once(&self) -> impl Fn(Due) -> Plan {
        |due| {
            let key = due.notice.key();
            let is_posted = self.posted.iter().any(|posted| posted.notice.key() == key);
            let is_known = self.known.iter().any(|(known, state)| *known == key && *state != NoticeState::Absent);
            if is_posted || is_known { Plan::Nothing } else { Plan::Say(Box::new(due)) }
        }
    }

    fn due(&self, kind: NoticeKind, which: String, about: Vec<TransactionId>, words: Words) -> Due {
        let notice = Notice {
            schema: SCHEMA.to_owned(),
            kind,
            task: self.task,
            episode: self.episode.began,
            which,
            about,
            at: self.now,
            store: self.store.clone(),
        };
        Due { notice, words }
    }

    fn missing(&self) -> Option<Due> {
        let is_said = self.count(NoticeKind::Missing) > 0;
        let late = self.episode.since.saturating_add(SETTLE_IN).unwrap_or(Timestamp::MAX);
        if is_said || !self.affords(NoticeKind::Missing) || !self.is_in_time(late) {
            return None;
        }
        let teams: Vec<MissingTeam> = self
            .verdict
            .missing_teams()
            .map(|team| MissingTeam {
                key: team.team.clone(),
                title: team.title.clone(),
                missing: (team.need as usize).saturating_sub(team.by.len()),
                could: team.could.clone(),
            })
            .collect();
        let is_said = |name: &str| name.starts_with("team:") || SAID_BY_PEOPLE.contains(&name);
        let open = self.verdict.rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Fail | Outcome::Pending));
        let others: Vec<_> =
            open.filter(|rule| !is_said(&rule.name)).map(|rule| (rule.message.clone(), rule.hint.clone())).collect();
        if teams.is_empty() && others.is_empty() {
            return None;
        }
        Some(self.due(NoticeKind::Missing, String::new(), Vec::new(), Words::Missing { teams, others }))
    }

    /// The oldest answer that was meant and does not count, of which nothing was said yet.
    fn unread(&self) -> Option<Due> {
        if self.count(NoticeKind::Unread) >= UNREAD || !self.affords(NoticeKind::Unread) {
            return None;
        }
        let all = unread(self.verdict, self.episode.since).into_iter().filter(|unread| self.is_in_time(unread.time));
        let mut due = all.map(|Unread { transaction, which, user, why, write, .. }| {
            self.due(NoticeKind::Unread, which, vec![transaction], Words::Unread { user, why, write })
        });
        due.find(|due| {
            let key = due.notice.key();
            let is_posted = self.posted.iter().any(|posted| posted.notice.key() == key);
            !is_posted && !self.known.iter().any(|(known, state)| *known == key && *state != NoticeState::Absent)
        })
    }

    /// The approvals that counted and do not any more, for a reason that their people's own comments do not say.
    fn lost(&self) -> Option<Due> {
        if !self.affords(NoticeKind::Lost) {
            return None;
        }
        let said: BTreeSet<TransactionId> = self
            .of_episode()
            .filter(|posted| posted.notice.kind == NoticeKind::Lost)
            .flat_map(|posted| posted.notice.about.iter().copied())
            .chain(self.known_about(NoticeKind::Lost))
            .collect();
        let mut approvals = Vec::new();
        let mut about = Vec::new();
        for counted in self.counted.iter().filter(|counted| !said.contains(&counted.transaction)) {
            if let Some(why) = self.why_lost(counted) {
                about.push(counted.transaction);
                approvals.push(LostApproval { user: counted.user.clone(), team: counted.team.clone(), why });
            }
        }
        about.sort_unstable();
        about.dedup();
        let which = about.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        (!about.is_empty()).then(|| self.due(NoticeKind::Lost, which, about, Words::Lost { approvals }))
    }

    /// The transactions that notices of the store are about which may be on the task.
    fn known_about(&self, kind: NoticeKind) -> impl Iterator<Item = TransactionId> {
        let known = self.known.iter().filter(move |(key, state)| {
            key.episode == self.episode.began && key.kind == kind && *state != NoticeState::Absent
        });
        known.flat_map(|(key, _)| key.which.split('-').filter_map(|id| id.parse().ok()).map(TransactionId))
    }

    fn why_lost(&self, counted: &CountedApproval) -> Option<String> {
        let same = |approval: &&Approval| {
            approval.transaction == Some(counted.transaction)
                && approval.team == counted.team
                && approval.user.eq_ignore_ascii_case(&counted.user)
        };
        // Of who said it again their newer word is looked at.
        let again = |approval: &Approval| {
            approval.transaction.is_some_and(|transaction| transaction > counted.transaction)
                && approval.team == counted.team
                && approval.user.eq_ignore_ascii_case(&counted.user)
        };
        if self.verdict.approvals.iter().any(again) {
            return None;
        }
        let Some(approval) = self.verdict.approvals.iter().find(same) else {
            return Some("it is not on the task any more".to_owned());
        };
        match approval.why_not.as_ref()? {
            // They said so themselves.
            WhyNot::Withdrawn
            | WhyNot::Rejected
            | WhyNot::Doubted { .. }
            | WhyNot::OwnWord { .. }
            | WhyNot::LaterWord { .. } => None,
            // What it was for is done.
            WhyNot::TooOld { .. } if self.deployed => None,
            why => Some(why.to_string()),
        }
    }

    /// That everything is there: once, and again after each loss.
    fn ready(&self) -> Option<Due> {
        let mut last =
            self.of_episode().filter(|posted| matches!(posted.notice.kind, NoticeKind::Ready | NoticeKind::Lost));
        let is_said = last.next_back().is_some_and(|posted| posted.notice.kind == NoticeKind::Ready);
        if is_said || self.deployed || !self.affords(NoticeKind::Ready) {
            return None;
        }
        let newest =
            self.verdict.approvals.iter().filter(|approval| approval.counts()).map(|approval| approval.time).max();
        if !self.is_in_time(newest.unwrap_or(self.episode.since).max(self.episode.since)) {
            return None;
        }
        let by =
            self.verdict.teams.iter().flat_map(|team| team.by.iter().map(|user| (team.team.clone(), user.clone())));
        let which = (self.count(NoticeKind::Lost) + 1).to_string();
        Some(self.due(NoticeKind::Ready, which, Vec::new(), Words::Ready { by: by.collect() }))
    }
}

/// Whether a notice was said, or may have been.
fn is_spent(state: &NoticeState) -> bool {
    matches!(state, NoticeState::Said { .. } | NoticeState::Unclear { .. })
}

/// Whether a notice was said, or may have been, after a time.
fn is_of(state: &NoticeState, day: Timestamp) -> bool {
    match state {
        NoticeState::Said { at, .. } | NoticeState::Unclear { sent: at, .. } => *at > day,
        NoticeState::Absent | NoticeState::GivenUp { .. } => false,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
