//! What there is to say in the channel of an open emergency by itself.
//!
//! Responsible for what is due, a pure function of what is known and of what was said: each line has a key, and what was said is kept by it.
//! Not responsible for asking teams ([`crate::serve::paging`]), nor for the words ([`super::announcements`]).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{DeployId, TransactionId};
use crate::paging::Stage;
use crate::record::Outcome as DeployOutcome;
use crate::rules::{Approval, Decision, Outcome, TeamCount, WhyNot};
use crate::serve::audience::Audience;
use crate::serve::board::{Speaks, WatchedTask};
use crate::serve::channel::facts::Word;
use crate::serve::channel::said::SaidLine;
use crate::serve::deploys::{Deploy, DeployState};
use crate::serve::notices::{UNREAD, unread};
use crate::serve::paging::TeamPaging;
use crate::text::inert;

/// How long after a deploy started that is still logged.
const LOGGED: SignedDuration = SignedDuration::from_mins(2);
/// How many lines of an episode say that it is a drill, or none any more.
const DRILLS: usize = 3;
/// What the keys of these begin with.
const DRILL: &str = "drill ";
/// Of how many deploys of an episode something is said.
pub(super) const DEPLOYS: usize = 10;

/// Something that is said once in an episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// Somebody states that it is a drill, or that it is none any more, after teams were asked: in turn, from 0.
    Drill(usize),
    /// Somebody said no.
    Rejected {
        /// The comment that says so.
        transaction: TransactionId,
        /// The time of `ready` that it ends.
        ends: Option<usize>,
    },
    /// Somebody took their approval back.
    Withdrawn {
        /// The comment that says so.
        transaction: TransactionId,
        /// The time of `ready` that it ends.
        ends: Option<usize>,
    },
    /// An answer was meant and does not count.
    Unread {
        /// What it is known by.
        which: String,
        /// The time of `ready` that it ends.
        ends: Option<usize>,
    },
    /// A pager took the page of a team.
    Paged {
        /// The key of the team.
        team: String,
        /// Which time it is asked.
        round: u32,
        /// The step of its ladder.
        stage: Stage,
    },
    /// The deploy may start; again after each time that it could not any more.
    Ready(usize),
    /// It may not any more, since an approval is missing again, or something reads as a no.
    Lost(usize),
    /// A deploy started.
    Started(DeployId),
    /// It ended.
    Ended(DeployId),
    /// A deploy, for the log of the site.
    Logged(DeployId),
}

impl News {
    /// What it is kept by.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Drill(turn) => format!("{DRILL}{turn}"),
            Self::Rejected { transaction, .. } => format!("rejected {transaction}"),
            Self::Withdrawn { transaction, .. } => format!("withdrawn {transaction}"),
            Self::Unread { which, .. } => format!("unread {which}"),
            Self::Paged { team, round, stage } => format!("paged {team} {round} {}", stage.word()),
            Self::Ready(times) => format!("ready {times}"),
            Self::Lost(times) => format!("lost {times}"),
            Self::Started(deploy) => format!("started {deploy}"),
            Self::Ended(deploy) => format!("ended {deploy}"),
            Self::Logged(deploy) => format!("logged {deploy}"),
        }
    }

    /// The keys of what needs no line of its own any more once this is said.
    pub(super) fn besides(&self, watched: &WatchedTask) -> Vec<String> {
        match self {
            Self::Rejected { ends, .. } | Self::Withdrawn { ends, .. } | Self::Unread { ends, .. } => {
                ends.iter().map(|times| Self::Lost(*times).key()).collect()
            }
            // Others approved since: it is no reason for what is lost later.
            Self::Ready(_) => {
                let past = watched.channel.withdrawals.iter().map(|word| word.transaction);
                past.map(|transaction| Self::Withdrawn { transaction, ends: None }.key()).collect()
            }
            Self::Drill(_)
            | Self::Paged { .. }
            | Self::Lost(_)
            | Self::Started(_)
            | Self::Ended(_)
            | Self::Logged(_) => Vec::new(),
        }
    }

    /// Whether the turn of a line on a drill says that it is one; the others say that it is none any more.
    pub(super) fn says_drill(turn: usize) -> bool {
        turn.is_multiple_of(2)
    }

    /// Whether nothing is said any more of whether it is a drill after this turn.
    pub(super) fn is_last_of_drill(turn: usize) -> bool {
        turn + 1 >= DRILLS
    }

    /// Sets which time of `ready` it ends.
    fn ending(self, ends: Option<usize>) -> Self {
        match self {
            Self::Rejected { transaction, .. } => Self::Rejected { transaction, ends },
            Self::Withdrawn { transaction, .. } => Self::Withdrawn { transaction, ends },
            Self::Unread { which, .. } => Self::Unread { which, ends },
            other => other,
        }
    }
}

/// When something is judged to be due.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The server's clock.
    pub(super) now: Timestamp,
    /// How much later than it was due something is still said.
    pub(super) window: SignedDuration,
    /// Whether the log of the site wants its lines.
    pub(super) logs: bool,
}

/// What is due of a task, where `said` are the keys of what was said in its episode.
pub(super) fn news(watched: &WatchedTask, said: &BTreeSet<String>, at: At) -> Vec<News> {
    if watched.speaks != Speaks::Yes {
        return Vec::new();
    }
    let is_new = |news: &News| !said.contains(&news.key());
    let mut due = Vec::new();
    due.extend(of_drill(watched, said));
    due.extend(of_deploys(watched, said, at));
    let mut against = against(watched, said, at);
    against.retain(is_new);
    let is_deployed = watched.deploys.iter().any(|deploy| is_deploying(watched, deploy));
    let times = (0..).find(|times| is_new(&News::Lost(*times))).unwrap_or(usize::MAX);
    let is_ready = !is_deployed && !is_new(&News::Ready(times));
    let mut is_ended = false;
    for news in against {
        let stops = match &news {
            News::Unread { which, .. } => {
                let all = unread(&watched.verdict, watched.episode.since);
                all.iter().any(|unread| unread.which == *which && unread.stops)
            }
            _ => true,
        };
        let ends = (stops && is_ready && !is_ended).then_some(times);
        is_ended |= ends.is_some();
        due.push(news.ending(ends));
    }
    match &watched.verdict.decision {
        Decision::Allowed(_) if !is_deployed => due.push(News::Ready(times)),
        // What was counted on is not so any more; what is in the way besides is no news of this kind.
        Decision::Pending | Decision::Denied if is_ready && !is_ended && is_lost(watched) => {
            due.push(News::Lost(times))
        }
        _ => {}
    }
    due.retain(is_new);
    due
}

/// The pages of which it is not said yet that they went out, while an approval is all that is missing. A team of which somebody looks at it was not paged in vain.
pub(super) fn pages(watched: &WatchedTask, paging: &[TeamPaging], said: &BTreeSet<String>, at: At) -> Vec<News> {
    if watched.speaks != Speaks::Yes || watched.verdict.decision != Decision::Pending {
        return Vec::new();
    }
    let of_team = |of: &TeamPaging| {
        let taken = of.accepted().filter(|page| at.now.duration_since(page.at) <= at.window);
        let news = taken.map(|page| News::Paged { team: of.team.clone(), round: page.round, stage: page.stage });
        news.collect::<Vec<_>>()
    };
    let due = paging.iter().filter(|of| of.ack.is_none()).flat_map(of_team);
    due.filter(|news| !said.contains(&news.key())).collect()
}

fn is_of_episode(watched: &WatchedTask, deploy: &Deploy) -> bool {
    deploy.transaction > watched.episode.began
}

/// That it is a drill, or none any more, where those who were asked heard otherwise; the first line of all says it itself.
fn of_drill(watched: &WatchedTask, said: &BTreeSet<String>) -> Option<News> {
    let turn = said.iter().filter(|key| key.starts_with(DRILL)).count();
    let is_asked = said.iter().any(|key| SaidLine::is_ask(key, watched.task));
    let is_news = News::says_drill(turn) == watched.channel.drill.is_some();
    (is_asked && is_news && turn < DRILLS).then_some(News::Drill(turn))
}

/// Whether nobody waits to hear that it may be deployed.
fn is_deploying(watched: &WatchedTask, deploy: &Deploy) -> bool {
    match deploy.state {
        DeployState::Underway => true,
        DeployState::Ended { .. } => is_of_episode(watched, deploy),
        // Anybody can say that something started, and nothing runs for so long.
        DeployState::Silent | DeployState::NotBelieved => false,
    }
}

/// Whether more deploys of the episode are known than are said.
pub(super) fn has_too_many_deploys(watched: &WatchedTask, said: &BTreeSet<String>) -> bool {
    let mut known = deploys_said(said);
    let of_episode = watched.deploys.iter().filter(|deploy| is_of_episode(watched, deploy));
    let heard_of =
        of_episode.filter(|deploy| matches!(deploy.state, DeployState::Underway | DeployState::Ended { .. }));
    known.extend(heard_of.map(|deploy| deploy.deploy));
    known.len() > DEPLOYS
}

/// The deploys of which something was said.
fn deploys_said(said: &BTreeSet<String>) -> BTreeSet<DeployId> {
    let of = |key: &String| {
        let (what, deploy) = key.split_once(' ')?;
        ["started", "ended", "logged"].contains(&what).then(|| deploy.parse().ok()).flatten()
    };
    said.iter().filter_map(of).collect()
}

fn of_deploys(watched: &WatchedTask, said: &BTreeSet<String>, at: At) -> Vec<News> {
    let is_recent = |time: Timestamp| at.now.duration_since(time) <= at.window;
    let mut heard_of = deploys_said(said);
    let mut due = Vec::new();
    for deploy in watched.deploys.iter().filter(|deploy| is_of_episode(watched, deploy)) {
        let (news, has_started) = match deploy.state {
            DeployState::Underway if is_recent(deploy.started) => (News::Started(deploy.deploy), true),
            DeployState::Ended { at: end, outcome } if is_recent(end) => {
                (News::Ended(deploy.deploy), outcome != Some(DeployOutcome::NotStarted))
            }
            DeployState::Underway | DeployState::Ended { .. } | DeployState::Silent | DeployState::NotBelieved => {
                continue;
            }
        };
        if !heard_of.contains(&deploy.deploy) && heard_of.len() >= DEPLOYS {
            continue;
        }
        heard_of.insert(deploy.deploy);
        due.push(news);
        // A log has the time at which it is written.
        let is_now = at.now.duration_since(deploy.started) <= LOGGED;
        due.extend((at.logs && has_started && is_now).then_some(News::Logged(deploy.deploy)));
    }
    due
}

/// What people wrote against the deploy, or meant to be an answer.
fn against(watched: &WatchedTask, said: &BTreeSet<String>, at: At) -> Vec<News> {
    let mut due = Vec::new();
    let verdict = &watched.verdict;
    if matches!(verdict.decision, Decision::Allowed(_) | Decision::Undecided) {
        return due;
    }
    if fails(watched, "rejected") {
        let rejections = watched.channel.rejections.iter().map(|word| word.transaction);
        due.extend(rejections.map(|transaction| News::Rejected { transaction, ends: None }));
    }
    let withdrawals = watched.channel.withdrawals.iter().filter(|word| is_missed(watched, word));
    due.extend(withdrawals.map(|word| News::Withdrawn { transaction: word.transaction, ends: None }));
    if watched.audience != Audience::Restricted {
        let room = UNREAD.saturating_sub(said.iter().filter(|key| key.starts_with("unread ")).count());
        let all = unread(verdict, watched.episode.since).into_iter();
        let due_now = all.filter(|unread| at.now.duration_since(unread.time) <= at.window);
        let news = due_now.map(|unread| News::Unread { which: unread.which, ends: None });
        due.extend(news.filter(|news| !said.contains(&news.key())).take(room));
    }
    due
}

/// Whether a team of which somebody took their approval back lacks one.
fn is_missed(watched: &WatchedTask, word: &Word) -> bool {
    let is_it = |approval: &Approval, team: &TeamCount| {
        approval.why_not == Some(WhyNot::Withdrawn) && approval.team == team.team && inert(&approval.user) == word.user
    };
    let approvals = &watched.verdict.approvals;
    watched.verdict.missing_teams().any(|team| approvals.iter().any(|approval| is_it(approval, team)))
}

fn fails(watched: &WatchedTask, rule: &str) -> bool {
    watched.verdict.rule(rule).is_some_and(|rule| rule.outcome == Outcome::Fail)
}

/// Whether an approval is missing, or somebody said no, or may have.
fn is_lost(watched: &WatchedTask) -> bool {
    let waits = watched.verdict.rule("rejected").is_some_and(|rule| rule.outcome == Outcome::Pending);
    watched.verdict.missing_teams().next().is_some()
        || waits
        || fails(watched, "rejected")
        || fails(watched, "possible-no")
}
