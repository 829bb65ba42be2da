//! Paging by hand: whether a person may page a team now, by the rules that hold for a service too.
//!
//! Responsible for that as a pure function of what was read. There is no ladder here: who types it decides that the time has come, and one
//! of those who are trusted confirms the emergency by it. The key and the due time are those that a service would give the first round, so
//! that an Alertmanager takes both for one page. Not responsible for sending it.

use jiff::Timestamp;

use super::acknowledged::{answers_after, held_until};
use super::confirmed::{Trusted, confirmed_by};
use super::page::{FiringPage, Page, PageKey, Stage};
use crate::config::PagingSettings;
use crate::evidence::Episode;
use crate::ids::TaskId;
use crate::rules::{Decision, JudgedTask, Outcome};
use crate::text::inert;
use crate::time::utc;

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    /// The task as it was read and judged.
    pub read: JudgedTask<'a>,
    /// The key of the team.
    pub team: &'a str,
    /// Which page it is.
    pub stage: Stage,
    /// By what rules.
    pub settings: &'a PagingSettings,
    /// Who is trusted to open or confirm an emergency.
    pub trusted: Trusted<'a>,
    /// The username of who asks; `None` where that is no person.
    pub asker: Option<&'a str>,
}

/// Why nobody is paged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NobodyPaged {
    /// The task is no open emergency.
    #[error("the task is no open emergency")]
    NoEmergency,
    /// The task could not be judged.
    #[error("the task cannot be judged, so that it is not known whom it needs")]
    Undecided,
    /// The deploy does not need the team.
    #[error("the deploy does not need {0}")]
    NotNeeded(String),
    /// The team has approved.
    #[error("{team} has approved: {}", by.join(", "))]
    Approved {
        /// Its key.
        team: String,
        /// Who did.
        by: Vec<String>,
    },
    /// It is a drill.
    #[error("it is a drill, and `paging.drills` pages nobody for one")]
    Drill,
    /// Somebody said no.
    #[error("{0}, which ends the paging of all teams")]
    Rejected(String),
    /// Something else stands in the way, so that an approval would not be enough.
    #[error("no approval would be enough now: {0}")]
    InTheWay(String),
    /// Nobody who is trusted opened it.
    #[error("nobody of those who may wake people opened this emergency or confirmed it")]
    NotConfirmed,
    /// Somebody of the team has seen it.
    #[error("{by} of {team} has seen it; they can be paged again from {} on", utc(*.until))]
    Acknowledged {
        /// The key of the team.
        team: String,
        /// Who answered last.
        by: String,
        /// Until when that holds.
        until: Timestamp,
    },
}

impl NobodyPaged {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoEmergency => "open one first: `phabgate request`",
            Self::Undecided => "try again in a moment; `phabgate check` says what cannot be read",
            Self::NotNeeded(_) | Self::Approved { .. } => "`phabgate check` says who is needed",
            Self::Drill => "set `paging.drills` where drills are to wake people",
            Self::Rejected(_) => "talk to who said no",
            Self::InTheWay(_) => "mend that first; `phabgate check` says how",
            Self::NotConfirmed => {
                "one of them sets the tag, writes the reason or types this: the accounts of `paging.for`, by default the members of \
                 the teams and the mapped deployers"
            }
            Self::Acknowledged { .. } => "read the task: they commented on it",
        }
    }
}

/// The pages of a team, or of all that are missing where none is named, to say that they are over: those that fire at an Alertmanager,
/// whoever sent them, and those that were sent by hand in the emergency that is or was last. What was paged for may be neither missing nor
/// an emergency any more, nor shown; and where there are pages about `drills`, it may have been one when it was sent.
pub fn over(read: Option<JudgedTask<'_>>, team: Option<&str>, firing: &[FiringPage], drills: bool) -> Vec<Page> {
    let firing = firing.iter().map(|firing| &firing.page);
    let mut pages: Vec<Page> = firing.filter(|page| team.is_none_or(|team| page.key.team == team)).cloned().collect();
    let last = read.and_then(|read| Some((read, Episode::last(read.evidence, read.state)?)));
    if let Some((JudgedTask { evidence, verdict, .. }, episode)) = last {
        let missing = verdict.missing_teams().map(|count| count.team.as_str());
        let teams: Vec<&str> = team.map_or_else(|| missing.collect(), |team| vec![team]);
        let by_hand = teams.iter().flat_map(|team| [Stage::Page, Stage::Escalation].map(|stage| (team, stage)));
        for (team, stage) in by_hand {
            for drill in [false, true].into_iter().filter(|drill| drills || !drill) {
                // From the beginning: what ended must have begun before.
                let page = Page { key: key(evidence.task.id, &episode, team, stage), due: episode.since, drill };
                if !pages.iter().any(|other| other.is_one_alert_with(&page)) {
                    pages.push(page);
                }
            }
        }
    }
    pages.sort_by(|one, other| (&one.key, one.drill).cmp(&(&other.key, other.drill)));
    pages
}

/// Whether the pages of a team cannot be ended by hand: it is missing, and a service keeps one of them firing. It would fire what was ended
/// again, with the very same key, and wake the same people twice.
pub fn kept_firing(read: Option<JudgedTask<'_>>, team: &str, firing: &[FiringPage]) -> bool {
    let is_needed = read.is_some_and(|JudgedTask { verdict, .. }| {
        verdict.decision == Decision::Pending && verdict.missing_teams().any(|count| count.team == team)
    });
    is_needed && firing.iter().any(|firing| firing.is_kept && firing.page.key.team == team)
}

/// What a page by hand is known by.
fn key(task: TaskId, episode: &Episode, team: &str, stage: Stage) -> PageKey {
    PageKey { task, episode: episode.began, team: team.to_owned(), round: 1, stage }
}

/// The page that goes out.
///
/// # Errors
/// Why none does.
pub fn by_hand(asked: &ByHand<'_>) -> Result<Page, NobodyPaged> {
    let ByHand { read: JudgedTask { evidence, state, verdict }, team, stage, settings, trusted, asker } = *asked;
    let episode = Episode::current(evidence, state).ok_or(NobodyPaged::NoEmergency)?;
    if verdict.decision == Decision::Undecided {
        return Err(NobodyPaged::Undecided);
    }
    let count = verdict.teams.iter().find(|count| count.team == team);
    let count = count.ok_or_else(|| NobodyPaged::NotNeeded(inert(team)))?;
    if count.by.len() >= count.need as usize {
        return Err(NobodyPaged::Approved { team: count.team.clone(), by: count.by.clone() });
    }
    if state.is_drill() && !settings.drills {
        return Err(NobodyPaged::Drill);
    }
    let fails = |name: &str| verdict.rule(name).filter(|rule| rule.outcome == Outcome::Fail);
    if let Some(rule) = fails("rejected") {
        return Err(NobodyPaged::Rejected(rule.message.clone()));
    }
    if verdict.decision != Decision::Pending {
        let first = verdict.rules.iter().find(|rule| rule.outcome == Outcome::Fail);
        return Err(NobodyPaged::InTheWay(first.map(|rule| rule.message.clone()).unwrap_or_default()));
    }
    let asker = asker.and_then(|name| evidence.account_named(name));
    let is_confirmed = asker.is_some_and(|account| trusted.covers(account, evidence))
        || confirmed_by(evidence, state, &episode, &trusted).is_some();
    if !is_confirmed {
        return Err(NobodyPaged::NotConfirmed);
    }
    let acks = answers_after(evidence, episode.began, verdict);
    if let Some(until) = held_until(&acks, team, episode.since, settings.ack_for).filter(|until| *until > evidence.now)
    {
        let last = acks.iter().filter(|ack| ack.team == team).max_by_key(|ack| ack.at);
        let by = last.map(|ack| ack.by.clone()).unwrap_or_default();
        return Err(NobodyPaged::Acknowledged { team: count.team.clone(), by, until });
    }
    let after = match stage {
        Stage::Asked | Stage::Page => settings.page_after,
        Stage::AskedAgain | Stage::Escalation => settings.escalate_after,
    };
    let due = episode.since.saturating_add(after).unwrap_or(Timestamp::MAX).min(evidence.now);
    Ok(Page { key: key(evidence.task.id, &episode, team, stage), due, drill: state.is_drill() })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::evidence::TaskState;
    use crate::evidence::testing::{History, at};
    use crate::rules::{Intent, evaluate};

    fn paged(history: &History, team: &str, asker: Option<&str>, drills: bool) -> Result<Page, NobodyPaged> {
        let evidence = history.evidence();
        let state = TaskState::derive(&evidence, &history.policy, None);
        let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
        let settings =
            PagingSettings { drills, page_after: SignedDuration::from_secs(600), ..PagingSettings::default() };
        by_hand(&ByHand {
            read: JudgedTask { evidence: &evidence, state: &state, verdict: &verdict },
            team,
            stage: Stage::Page,
            settings: &settings,
            trusted: Trusted { named: &[], deployers: &[], policy: &history.policy },
            asker,
        })
    }

    fn tagged_by(name: &str) -> History {
        let mut history = History::new("deployer1");
        history.describe("deployer1", 1, "Emergency-Reason: availability - 5xx on every page view");
        history.tag(name, 2, "emergency");
        history
    }

    #[test]
    fn a_missing_team_is_paged_for_what_somebody_who_is_trusted_opened_or_asks_for() {
        let page = paged(&tagged_by("releng1"), "sre", None, false).unwrap();
        assert_eq!((page.key.team.as_str(), page.key.round, page.due), ("sre", 1, at(602)), "as the ladder would");
        let mut early = tagged_by("releng1");
        early.later(100);
        assert_eq!(paged(&early, "sre", None, false).unwrap().due, at(100));
        let outsiders = tagged_by("outsider");
        assert_eq!(paged(&outsiders, "sre", Some("outsider"), false), Err(NobodyPaged::NotConfirmed));
        assert!(paged(&outsiders, "sre", Some("RELENG2"), false).is_ok(), "who asks confirms it");
    }

    #[test]
    fn what_was_paged_by_hand_can_be_ended_whatever_became_of_the_task() {
        let keys = |history: &History, team: Option<&str>, firing: &[FiringPage]| {
            let evidence = history.evidence();
            let state = TaskState::derive(&evidence, &history.policy, None);
            let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
            let read = JudgedTask { evidence: &evidence, state: &state, verdict: &verdict };
            over(Some(read), team, firing, false).iter().map(|page| page.key.to_string()).collect::<Vec<_>>()
        };
        let mut history = tagged_by("releng1");
        let by_hand = paged(&history, "sre", None, false).unwrap();
        let both = [by_hand.key.to_string(), PageKey { stage: Stage::Escalation, ..by_hand.key.clone() }.to_string()];
        assert_eq!(keys(&history, Some("sre"), &[]), both);
        assert_eq!(keys(&history, None, &[]).len(), 4, "those of all that are missing");
        history.untag("releng1", 20, "emergency");
        assert_eq!(keys(&history, Some("sre"), &[]), both);
        // What fires is ended as it fires, whoever sent it, also where the task cannot be read.
        let second = Page { key: PageKey { round: 2, ..by_hand.key.clone() }, ..by_hand.clone() };
        let pages = [by_hand, second.clone()];
        let firing = pages.clone().map(|page| FiringPage { page, is_kept: true });
        assert_eq!(keys(&history, Some("sre"), &firing).len(), 3);
        assert_eq!(over(None, Some("sre"), &firing, false), pages);
        assert_eq!(over(None, Some("releng"), &firing, false), []);
        assert_eq!(keys(&History::new("deployer1"), Some("sre"), &[]), [""; 0], "it never was one");
    }

    #[test]
    fn what_was_paged_about_a_drill_is_ended_beside_the_real_page_whatever_it_is_now() {
        let mut history = tagged_by("releng1");
        let real = paged(&history, "sre", None, true).unwrap();
        history.describe("deployer1", 3, "Emergency-Reason: availability - x\nEmergency-Drill: yes");
        let drill = paged(&history, "sre", None, true).unwrap();
        assert_eq!((real.drill, drill.drill), (false, true));
        let evidence = history.evidence();
        let state = TaskState::derive(&evidence, &history.policy, None);
        let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
        let read = JudgedTask { evidence: &evidence, state: &state, verdict: &verdict };
        let ended = over(Some(read), Some("sre"), &[], true);
        assert!([&real, &drill].iter().all(|page| ended.iter().any(|end| end.is_one_alert_with(page))), "{ended:?}");
        let alone = over(Some(read), Some("sre"), &[], false);
        assert!(
            alone.iter().all(|end| !end.drill) && alone.iter().any(|end| end.is_one_alert_with(&real)),
            "{alone:?}"
        );
    }

    #[test]
    fn what_a_service_keeps_firing_is_not_ended_by_hand_while_the_team_is_missing() {
        let mut history = tagged_by("releng1");
        let page = paged(&history, "sre", None, false).unwrap();
        let is_kept = |history: &History, team: &str, is_kept| {
            let evidence = history.evidence();
            let state = TaskState::derive(&evidence, &history.policy, None);
            let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
            let read = JudgedTask { evidence: &evidence, state: &state, verdict: &verdict };
            kept_firing(Some(read), team, &[FiringPage { page: page.clone(), is_kept }])
        };
        assert!(is_kept(&history, "sre", true));
        assert!(!is_kept(&history, "sre", false), "by hand, or by a service that is gone");
        assert!(!is_kept(&history, "releng", true), "another team's");
        assert!(!kept_firing(None, "sre", &[FiringPage { page: page.clone(), is_kept: true }]), "it cannot be read");
        history.comment("sre1", 10, "Emergency-Approve: sre");
        assert!(!is_kept(&history, "sre", true), "the service ends it");
        let mut history = tagged_by("releng1");
        history.comment("sec1", 10, "Emergency-Reject: security - no");
        assert!(!is_kept(&history, "sre", true));
    }

    #[test]
    fn nobody_is_paged_for_what_is_not_missing_or_would_not_help() {
        let with = |seconds, author: &str, text: &str| {
            let mut history = tagged_by("releng1");
            history.comment(author, seconds, text);
            paged(&history, "sre", None, false)
        };
        assert!(matches!(with(10, "sre1", "Emergency-Approve: sre"), Err(NobodyPaged::Approved { .. })));
        assert!(matches!(with(10, "sec1", "Emergency-Reject: security - no"), Err(NobodyPaged::Rejected(_))));
        assert!(matches!(with(500, "sre2", "Looking."), Err(NobodyPaged::Acknowledged { by, .. }) if by == "sre2"));
        assert!(with(99, "sre2", "Looking.").is_ok(), "that was more than 15 minutes ago");
        assert_eq!(
            paged(&tagged_by("releng1"), "security", None, false),
            Err(NobodyPaged::NotNeeded("security".into()))
        );
        let mut history = tagged_by("releng1");
        history.describe("deployer1", 3, "Emergency-Reason: availability - x\nEmergency-Drill: yes");
        assert_eq!(paged(&history, "sre", None, false), Err(NobodyPaged::Drill));
        assert!(paged(&history, "sre", None, true).unwrap().drill);
        let mut history = tagged_by("releng1");
        history.describe("deployer1", 3, "Emergency-Reason: because");
        assert!(matches!(paged(&history, "sre", None, false), Err(NobodyPaged::InTheWay(_))));
        let mut history = tagged_by("releng1");
        history.untag("releng1", 20, "emergency");
        assert_eq!(paged(&history, "sre", None, false), Err(NobodyPaged::NoEmergency));
    }
}
