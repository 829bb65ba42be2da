//! Who may answer on a task, whatever they say.
//!
//! Responsible for that alone, for whoever has to know it before an answer is there. Not responsible for what counts of an answer
//! ([`super::approvals`] judges by the same).

use super::approvals::ApprovalEvaluator;
use super::evaluate::JudgedTask;
use super::verdict::WhyNot;
use crate::conduit::Account;
use crate::policy::{Policy, Team};

/// Who may answer on a task that was read.
#[derive(Debug, Clone, Copy)]
pub struct WhoMay<'a> {
    read: JudgedTask<'a>,
    policy: &'a Policy,
}

impl<'a> WhoMay<'a> {
    /// Of this task, by this policy.
    pub fn of(read: JudgedTask<'a>, policy: &'a Policy) -> Self {
        Self { read, policy }
    }

    fn bench(&self) -> ApprovalEvaluator<'a> {
        let JudgedTask { evidence, state, .. } = self.read;
        ApprovalEvaluator {
            evidence,
            policy: self.policy,
            task_state: state,
            as_of: None,
            now: evidence.now,
            hide: true,
        }
    }

    /// Whether a no of this account stops a deploy.
    pub fn reject(&self, account: &Account) -> bool {
        account.is_enabled_person() && self.bench().may_reject(&account.phid)
    }

    /// Whether this account can approve for a team.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn approve(&self, account: &Account, team: &Team) -> Result<(), WhyNot> {
        match self.bench().against_person(Some(account), &account.phid, team) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}
