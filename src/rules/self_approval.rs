//! Nobody approves their own deploy.
//!
//! Responsible for whether an account could be behind the deploy, and that its approval does not count then unless the policy
//! says otherwise. Not responsible for who the candidates are ([`crate::evidence`]) nor for the words of the refusal
//! ([`WhyNot`]).

use super::approvals::ApprovalEvaluator;
use super::verdict::WhyNot;
use crate::conduit::Account;
use crate::evidence::{Evidence, bare};

impl ApprovalEvaluator<'_> {
    /// What speaks against an approval by this account because it could be behind the deploy.
    pub(super) fn against_self_approval(&self, account: &Account) -> Option<WhyNot> {
        (!self.policy.self_approval && self.is_behind(account)).then_some(WhyNot::BehindDeploy)
    }

    /// Whether an account could be behind the deploy, whatever source says so.
    pub(super) fn is_behind(&self, account: &Account) -> bool {
        let Evidence { candidates, pipeline, .. } = self.evidence;
        let all = || candidates.iter().chain(pipeline);
        let same = |known: &Account| known.phid == account.phid;
        if all().any(|candidate| candidate.account.as_ref().is_some_and(same)) {
            return true;
        }
        // Accounts are renamed, and names handed over: a name counts alone where no account is known by it.
        let known = |name: &str| {
            all().any(|candidate| candidate.account.is_some() && candidate.name.eq_ignore_ascii_case(name))
        };
        let stated = self.task_state.deployer.as_ref().map(|stated| bare(&stated.value));
        let names = all().map(|candidate| candidate.name.as_str()).chain(stated);
        names.filter(|name| !known(name)).any(|name| account.is_named(name))
    }
}
