//! The evidence that a deploy is judged by, as far as its records say who took part in it.
//!
//! In the room: who is behind the deploy, which approvals are attested, and who was in a team and had an account then.
//! Not in the room: the moment at which it is judged, and the verdict ([`super::deploys`]).

use std::sync::Arc;

use super::deploys::behind;
use crate::conduit::{Account, Role};
use crate::evidence::records::Standing;
use crate::evidence::{Attestation, Candidate, Evidence};
use crate::ids::{Phid, User};
use crate::policy::Policy;
use crate::record::{ApprovalKind, Record};

/// The evidence with those behind this deploy and the approvals that are attested, by its first record: what later ones
/// add could mend the deploy afterwards, or spoil it.
pub(super) fn of_deploy(evidence: &Evidence, first: &Record) -> Evidence {
    let by_phid = |phid: &Option<Phid<User>>| evidence.accounts.get(phid.as_ref()?).cloned();
    let candidates = behind(first).map(|deployer| Candidate {
        name: deployer.user.clone(),
        account: by_phid(&deployer.phid),
        source: deployer.source,
    });
    let by_name = |name: &str| evidence.accounts.values().find(|account| account.is_named(name)).cloned();
    let attested = first.approvals.iter().filter(|approval| approval.kind == ApprovalKind::Attested);
    let attestations = attested.map(|approval| Attestation {
        team: approval.team.clone(),
        name: approval.user.clone(),
        account: by_phid(&approval.phid).or_else(|| by_name(&approval.user)),
        evidence: approval.evidence.clone(),
    });
    Evidence { candidates: candidates.collect(), attestations: attestations.collect(), ..evidence.clone() }
}

/// The evidence with members and accounts as a recorder saw them. What the deployer alone says of them counts nothing.
pub(super) fn as_recorded(mut evidence: Evidence, policy: &Policy, records: &[Standing]) -> Evidence {
    for standing in records {
        if evidence.is_recorder(&standing.author, policy) != Some(true) {
            continue;
        }
        for approval in &standing.record.approvals {
            let Some(phid) = &approval.phid else { continue };
            if evidence.teams.get(&approval.team).is_some_and(|team| !team.members.contains(phid))
                && let Some(team) = Arc::make_mut(&mut evidence.teams).get_mut(&approval.team)
            {
                team.members.push(phid.clone());
            }
            // Asked first: what is shared by all tasks is copied only where it has to change.
            if evidence.accounts.get(phid).is_some_and(|account| !is_enabled(account))
                && let Some(account) = Arc::make_mut(&mut evidence.accounts).get_mut(phid)
            {
                enable(account);
            }
            // An attestation has the account of its own.
            let of_this = |attested: &&mut Account| attested.phid == *phid;
            let attested = evidence.attestations.iter_mut().filter_map(|attestation| attestation.account.as_mut());
            attested.filter(of_this).for_each(enable);
        }
    }
    for candidate in &mut evidence.candidates {
        // Who deployed had an account in use, or the record would not name it.
        if let Some(account) = &mut candidate.account {
            enable(account);
        }
    }
    evidence
}

/// Whether evidence is judged alike: nothing was changed in what tasks share, nor in who is behind the deploy.
pub(super) fn is_same(one: &Evidence, other: &Evidence) -> bool {
    Arc::ptr_eq(&one.teams, &other.teams)
        && Arc::ptr_eq(&one.accounts, &other.accounts)
        && one.candidates == other.candidates
        && one.attestations == other.attestations
}

fn is_enabled(account: &Account) -> bool {
    account.roles.contains(&Role::Activated) && !account.roles.contains(&Role::Disabled)
}

/// The server shows an account that is disabled as not activated either. A bot stays one.
fn enable(account: &mut Account) {
    account.roles.remove(&Role::Disabled);
    account.roles.insert(Role::Activated);
}
