//! Which teams a deploy needs, and who fills their slots.
//!
//! Responsible for the need of each team by the policy and by what the task states, for the people whose approvals fill it,
//! and for who could still approve. Not responsible for which approvals count ([`super::approvals`]), nor for how people are
//! spread over slots ([`super::slots`]).

use std::collections::BTreeSet;

use super::approvals::ApprovalEvaluator;
use super::slots;
use super::verdict::{Approval, TeamCount};
use crate::evidence::Purpose;
use crate::policy::{Action, Role, Team};

impl ApprovalEvaluator<'_> {
    /// The teams that this deploy needs, and whose slots the approvals that count fill. `given` is what who deploys says
    /// that they will do.
    pub(super) fn count(&self, given: Option<Action>, approvals: &[Approval]) -> Vec<TeamCount> {
        let named = self.named(given);
        let needed = |team: &&Team| team.role == Role::Approve && named.contains(&&team.key);
        let teams: Vec<&Team> = self.policy.teams.iter().filter(needed).collect();
        let counting: Vec<&Approval> = approvals.iter().filter(|approval| approval.counts()).collect();
        let people: Vec<&str> =
            counting.iter().map(|approval| approval.user.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
        // More slots than people are never filled, however many a policy asks for.
        let slots_of = |team: &Team| (need(team) as usize).min(people.len());
        let slots: Vec<usize> =
            teams.iter().enumerate().flat_map(|(at, team)| std::iter::repeat_n(at, slots_of(team))).collect();
        let filled = slots::fill(&slots, people.len(), |team, person| {
            counting.iter().any(|approval| approval.user == people[person] && approval.team == teams[team].key)
        });
        let by = |at: usize| {
            let mine = slots.iter().zip(&filled).filter(move |(team, _)| **team == at);
            mine.filter_map(|(_, person)| person.map(|person| people[person].to_owned())).collect::<Vec<_>>()
        };
        let counts = teams.iter().enumerate().map(|(at, team)| TeamCount {
            team: team.key.clone(),
            title: team.title.clone(),
            need: need(team),
            by: by(at),
            // Nobody is asked any more for a deploy that is over.
            could: match self.evidence.purpose {
                Purpose::Audit => Vec::new(),
                Purpose::Read | Purpose::Deploy => self.could_approve(team, &filled, &people),
            },
        });
        // A team that the policy names and does not have must not be left out: nobody can approve for it.
        let unknown = named.iter().filter(|key| self.policy.team(key).is_none()).map(|key| TeamCount {
            team: (*key).clone(),
            title: (*key).clone(),
            need: 1,
            by: Vec::new(),
            could: Vec::new(),
        });
        counts.chain(unknown).collect()
    }

    /// The keys of the teams that the policy names, each once. What the task states can ask for other teams than every
    /// deploy needs, since that is what people approve. What who deploys says beside it can only ask for more.
    fn named(&self, given: Option<Action>) -> BTreeSet<&String> {
        let of = |action| self.policy.actions.iter().find(|rule| Some(rule.action) == action).map(|rule| &rule.teams);
        let stated = self.task_state.action.as_ref().and_then(|stated| Action::named(&stated.value));
        let base = of(stated).unwrap_or(&self.policy.required);
        let more = of(given.filter(|_| given != stated));
        let category = self.task_state.written.as_ref().and_then(|written| written.category.as_deref());
        let further = category.and_then(|key| self.policy.reason(key)).map(|reason| &reason.teams);
        base.iter().chain(more.into_iter().flatten()).chain(further.into_iter().flatten()).collect()
    }

    /// Members who could still fill a slot: enabled people who are not behind the deploy and fill none.
    fn could_approve(&self, team: &Team, filled: &[Option<usize>], people: &[&str]) -> Vec<String> {
        let Some(project) = self.evidence.teams.get(&team.key) else { return Vec::new() };
        let seated = |name: &str| filled.iter().flatten().any(|person| people[*person] == name);
        let accounts = project.members.iter().filter_map(|member| self.evidence.accounts.get(member));
        let free = accounts.filter(|account| self.against_person(Some(account), &account.phid, team).is_none());
        let names: BTreeSet<_> =
            free.map(|account| crate::text::inert(&account.username)).filter(|name| !seated(name)).collect();
        names.into_iter().collect()
    }
}

/// A team that approves and needs nobody would approve everything.
fn need(team: &Team) -> u32 {
    team.need.max(1)
}
