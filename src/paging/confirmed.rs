//! Who opened or confirmed an emergency: only for those people are paged.
//!
//! Responsible for that, as a pure function of the evidence. Anybody can tag a task, so that a page goes out only where somebody who is
//! trusted set the tag, opened the task again, or wrote the reason. What they did before the task last stopped being an emergency counts
//! for nothing, so that nobody wakes people with an old one. Not responsible for whether the emergency may be deployed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::conduit::{Account, Change};
use crate::evidence::{Episode, Evidence, TaskState};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::Policy;

/// The accounts that are trusted to open or confirm an emergency.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// Those of `paging.for`; where there are none, the members of the policy's teams and the deployers.
    pub named: &'a [String],
    /// The accounts that deploy, as `[deployers]` maps them.
    pub deployers: &'a [String],
    /// The policy: its teams, and its recorders, whose edits are those of `request` typed by a deployer through sudo.
    pub policy: &'a Policy,
}

/// Who opened or confirmed an emergency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedBy {
    /// Their username, inert.
    pub user: String,
    /// What they did, after their name: `set the tag`.
    pub did: &'static str,
    /// When, by the server's clock.
    pub at: Timestamp,
}

impl Trusted<'_> {
    /// Whether an account is trusted: an enabled person of those, or a recorder. Where anybody is named a recorder has to be, too.
    pub fn covers(&self, account: &Account, evidence: &Evidence) -> bool {
        let is_of = |names: &[String]| names.iter().any(|name| account.is_named(name));
        let is_recorder = is_of(&self.policy.recorders);
        let is_member = || self.members(evidence).contains(&account.phid);
        (account.is_enabled_person() || is_recorder)
            && match self.named {
                [] => is_recorder || is_of(self.deployers) || is_member(),
                named => is_of(named),
            }
    }

    fn members<'e>(&self, evidence: &'e Evidence) -> BTreeSet<&'e Phid<User>> {
        let teams = self.policy.teams.iter().filter_map(|team| evidence.teams.get(&team.key));
        teams.flat_map(|team| &team.members).collect()
    }
}

/// Who of those who are trusted opened or confirmed this episode, the first thing that one of them did; `None` where nobody did. A reason that
/// was older than an approval may be when the episode began is that of something else: whoever finds such a task and tags it wakes nobody.
pub fn confirmed_by(
    evidence: &Evidence,
    state: &TaskState,
    episode: &Episode,
    trusted: &Trusted<'_>,
) -> Option<ConfirmedBy> {
    let after = episode.previous_end(evidence).unwrap_or(TransactionId(0));
    let trusts = |author: &str| evidence.account(author).filter(|account| trusted.covers(account, evidence));
    let began = evidence.timeline.transactions().iter().find(|row| row.id == episode.began);
    let opened = began.and_then(|row| {
        let did = if matches!(row.change, Change::Status { .. }) { "opened the task again" } else { "set the tag" };
        Some((trusts(&row.author)?, did, row.created))
    });
    let is_old = |at: Timestamp| episode.since.duration_since(at) > trusted.policy.max_age;
    let reason = state.reason.as_ref().filter(|reason| reason.since.transaction > after && !is_old(reason.since.time));
    let wrote = || reason.and_then(|reason| Some((trusts(&reason.author)?, "wrote the reason", reason.since.time)));
    let (account, did, at) = opened.or_else(wrote)?;
    Some(ConfirmedBy { user: crate::text::inert(&account.username), did, at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;

    fn confirmed(history: &History, named: &[&str], deployers: &[&str]) -> Option<String> {
        let evidence = history.evidence();
        let state = TaskState::derive(&evidence, &history.policy, None);
        let episode = Episode::current(&evidence, &state).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (named, deployers) = (names(named), names(deployers));
        let trusted = Trusted { named: &named, deployers: &deployers, policy: &history.policy };
        confirmed_by(&evidence, &state, &episode, &trusted).map(|by| format!("{} {}", by.user, by.did))
    }

    fn story(reason: &str, tag: &str) -> History {
        let mut history = History::new("outsider");
        history.describe(reason, 1, "Emergency-Reason: availability - 5xx on every page view");
        history.tag(tag, 2, "emergency");
        history
    }

    #[test]
    fn a_member_or_a_mapped_deployer_opens_or_confirms_and_an_outsider_does_not() {
        assert_eq!(confirmed(&story("outsider", "outsider"), &[], &[]), None);
        assert_eq!(confirmed(&story("outsider", "sre1"), &[], &[]).unwrap(), "sre1 set the tag");
        assert_eq!(confirmed(&story("sre1", "outsider"), &[], &[]).unwrap(), "sre1 wrote the reason");
        assert_eq!(confirmed(&story("outsider", "deployer1"), &[], &[]), None, "no member, and mapped nowhere");
        assert_eq!(confirmed(&story("outsider", "deployer1"), &[], &["Deployer1"]).unwrap(), "deployer1 set the tag");
        // Only those who are named, where any are.
        assert_eq!(confirmed(&story("sre1", "sre1"), &["releng1"], &["sre1"]), None);
        assert!(confirmed(&story("outsider", "releng1"), &["releng1"], &[]).is_some());
    }

    #[test]
    fn request_through_a_recorder_is_a_deployers_and_no_other_bot_or_disabled_account_counts() {
        assert_eq!(confirmed(&story("outsider", "phabgate"), &[], &[]).unwrap(), "phabgate set the tag");
        assert_eq!(confirmed(&story("outsider", "phabgate"), &["sre1"], &[]), None, "it is not named");
        for name in ["robot", "gone"] {
            assert_eq!(confirmed(&story("outsider", name), &[], &[]), None, "{name}");
        }
    }

    #[test]
    fn a_reason_of_long_ago_wakes_nobody_when_somebody_finds_it() {
        let written_before = |seconds: i64| {
            let mut history = History::new("sre1");
            history.describe("sre1", 1, "Emergency-Reason: availability - how to write one");
            history.tag("outsider", 1 + seconds, "emergency");
            history
        };
        let oldest = written_before(0).policy.max_age.as_secs();
        assert_eq!(confirmed(&written_before(oldest), &[], &[]).unwrap(), "sre1 wrote the reason");
        assert_eq!(confirmed(&written_before(oldest + 1), &[], &[]), None);
    }

    #[test]
    fn what_was_done_for_an_earlier_emergency_wakes_nobody_for_this_one() {
        let mut history = story("sre1", "sre1");
        history.untag("outsider", 20, "emergency");
        history.tag("outsider", 30, "emergency");
        assert_eq!(confirmed(&history, &[], &[]), None);
        history.comment("sre1", 35, "Looking.");
        assert_eq!(confirmed(&history, &[], &[]), None, "only the tag and the reason confirm");
        history.describe("sre1", 40, "Emergency-Reason: abuse - another thing");
        assert_eq!(confirmed(&history, &[], &[]).unwrap(), "sre1 wrote the reason");
        let mut closed = story("sre1", "sre1");
        closed.status("sre1", 20, "resolved");
        closed.status("outsider", 30, "open");
        assert_eq!(confirmed(&closed, &[], &[]), None, "an outsider opened it again");
        closed.status("sre1", 40, "resolved");
        closed.status("sre2", 50, "open");
        assert_eq!(confirmed(&closed, &[], &[]).unwrap(), "sre2 opened the task again");
    }
}
