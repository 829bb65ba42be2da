//! The evidence that a deploy is judged by, as far as its records say who took part in it.
//!
//! Responsible for who is behind the deploy, which approvals are attested, and who was in a team and had an account then.
//! Not for the moment at which it is judged, and the verdict ([`super::deploys`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::AuditPolicy;
use crate::attribution::ApprovalKind;
use crate::conduit::{Account, AccountRole};
use crate::evidence::records::{DeployRecords, PostedRecord};
use crate::evidence::{Attestation, Candidate, Evidence, Purpose};
use crate::ids::{Phid, Project, User};
use crate::record::{Deployer, Record, RecordedApproval};

/// The policies of ours that an audit knows besides the one that it judges by: for the digest of each, the project that
/// backed each team, by the key of the team.
pub type KnownPolicies = BTreeMap<String, BTreeMap<String, Phid<Project>>>;

/// Everybody whom a record names to be behind the deploy.
pub(super) fn behind(record: &Record) -> impl Iterator<Item = &Deployer> {
    record.deployer.iter().chain(&record.behind)
}

/// The evidence with those behind this deploy and the approvals that are attested, by its first record: what later ones
/// add could mend the deploy afterwards, or spoil it.
pub(super) fn of_deploy(evidence: &Evidence, records: &DeployRecords) -> Evidence {
    let standing = records.first();
    let first = &standing.record;
    let by_phid = |phid: &Option<Phid<User>>| evidence.accounts.get(phid.as_ref()?).cloned();
    let candidate = |deployer: &Deployer| Candidate {
        name: deployer.user.clone(),
        account: match &deployer.phid {
            Some(_) => by_phid(&deployer.phid),
            None => unnamed(evidence, standing, deployer),
        },
        source: deployer.source,
    };
    let candidates = behind(first).map(candidate);
    let pipeline = first.pipeline.iter().map(candidate);
    let attested = first.approvals.iter().filter(|approval| approval.kind == ApprovalKind::Attested);
    let attestations = attested.map(|approval| Attestation {
        team: approval.team.clone(),
        name: approval.user.clone(),
        account: match &approval.phid {
            Some(_) => by_phid(&approval.phid),
            None => evidence.account_named(&approval.user).cloned(),
        },
        evidence: approval.evidence.clone(),
    });
    let (candidates, pipeline) = (candidates.collect(), pipeline.collect());
    let attestations = attestations.collect();
    Evidence { purpose: Purpose::Audit, candidates, pipeline, attestations, ..evidence.clone() }
}

/// The account of somebody of whom a record holds the name alone. Whoever records their own deploy is its author. Of anybody
/// else it is not known whose name it was then: it stands for nobody who is known now, so that nobody is accused.
fn unnamed(evidence: &Evidence, standing: &PostedRecord, deployer: &Deployer) -> Option<Account> {
    if standing.record.deployer.as_ref() == Some(deployer) && !standing.by_recorder {
        return evidence.account(&standing.author).cloned();
    }
    let phid = Phid::new(NOBODY_KNOWN).ok()?;
    Some(Account { phid, username: deployer.user.clone(), roles: [AccountRole::Activated].into() })
}

/// The PHID of no account.
const NOBODY_KNOWN: &str = "PHID-USER-unknown";

/// The evidence with members and accounts as a recorder saw them. What the deployer alone says of them counts nothing, nor
/// does what a recorder says of another project than that of our team.
pub(super) fn as_recorded(mut evidence: Evidence, audit_policy: &AuditPolicy<'_>, records: &DeployRecords) -> Evidence {
    for standing in records.iter().filter(|standing| standing.by_recorder) {
        for approval in &standing.record.approvals {
            let Some(phid) = &approval.phid else { continue };
            if !is_of_our_team(&evidence, audit_policy, &standing.record, approval) {
                continue;
            }
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

/// Whether an approval of a record was for the project that backs the team for us: the record names the project, or it was
/// made under a policy of which that is known.
fn is_of_our_team(
    evidence: &Evidence,
    audit_policy: &AuditPolicy<'_>,
    record: &Record,
    approval: &RecordedApproval,
) -> bool {
    let Some(team) = evidence.teams.get(&approval.team) else { return false };
    match &approval.project {
        Some(project) => *project == team.phid,
        None => {
            let earlier = audit_policy.known.get(&record.policy).and_then(|teams| teams.get(&approval.team));
            record.policy == audit_policy.digest.as_str() || earlier == Some(&team.phid)
        }
    }
}

/// Whether evidence is judged alike: nothing was changed in what tasks share, nor in who is behind the deploy.
pub(super) fn is_same(one: &Evidence, other: &Evidence) -> bool {
    Arc::ptr_eq(&one.teams, &other.teams)
        && Arc::ptr_eq(&one.accounts, &other.accounts)
        && one.candidates == other.candidates
        && one.pipeline == other.pipeline
        && one.attestations == other.attestations
}

fn is_enabled(account: &Account) -> bool {
    account.roles.contains(&AccountRole::Activated) && !account.roles.contains(&AccountRole::Disabled)
}

/// The server shows an account that is disabled as not activated either. A bot stays one.
fn enable(account: &mut Account) {
    account.roles.remove(&AccountRole::Disabled);
    account.roles.insert(AccountRole::Activated);
}
