//! Answers that were meant and do not count.
//!
//! Responsible for which of them their authors should hear of: a yes only where its author could give one that is missing, and to that team; a
//! no by whoever may say it. Not responsible for when and where that is said.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::evidence::NearKind;
use crate::ids::TransactionId;
use crate::rules::{Approval, Effect, JudgedNearMiss, Verdict, WhyNot};

/// How many of them are said in an episode at most.
pub const UNREAD: usize = 2;

/// An answer that was meant and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// Since when it is one.
    pub time: Timestamp,
    /// What it is known by: its transaction and a digest of its text.
    pub which: String,
    /// Its author's username.
    pub user: String,
    /// Why it does not count.
    pub why: String,
    /// What to write in its place.
    pub write: String,
    /// It reads as a no, and stops the deploy.
    pub stops: bool,
}

/// Those of an emergency that is one since then, oldest first.
pub fn unread(verdict: &Verdict, since: Timestamp) -> Vec<Unread> {
    let near = verdict.near_misses.iter().rev().filter_map(|near| of_near_miss(verdict, near));
    let approvals = verdict.approvals.iter().filter_map(|approval| of_approval(verdict, approval, since));
    let mut all: Vec<Unread> = near.chain(approvals).collect();
    all.sort_by_key(|unread| unread.transaction);
    all
}

fn of_near_miss(verdict: &Verdict, near: &JudgedNearMiss) -> Option<Unread> {
    let write = near.write.as_deref().filter(|_| near.effect != Effect::Counts)?;
    let write = match near.kind {
        NearKind::Yes => {
            let user = crate::text::inert(&near.user);
            let team = verdict.missing_teams().find(|team| team.could.contains(&user))?;
            format!("Emergency-Approve: {}", team.team)
        }
        NearKind::No | NearKind::Withdraw => bare(write),
    };
    Some(Unread {
        transaction: near.moment.transaction,
        time: near.moment.time,
        which: which(near.moment.transaction, &near.line),
        user: near.user.clone(),
        why: near.why.clone(),
        write,
        stops: near.effect == Effect::Denies,
    })
}

/// Only of a member who could approve, by a comment of their own.
fn of_approval(verdict: &Verdict, approval: &Approval, since: Timestamp) -> Option<Unread> {
    let why = approval.why_not.as_ref()?;
    let (text, write) = match why {
        WhyNot::NotUnderstood { example } => (&approval.team, format!("Emergency-Approve: {example}")),
        WhyNot::BeforeTag => (&approval.team, format!("Emergency-Approve: {}", approval.team)),
        _ => return None,
    };
    let could = verdict.teams.iter().any(|team| team.could.contains(&crate::text::inert(&approval.user)));
    let transaction = approval.transaction.filter(|_| could)?;
    Some(Unread {
        transaction,
        // An approval from before the tag is an answer to nothing until then.
        time: approval.time.max(since),
        which: which(transaction, text),
        user: approval.user.clone(),
        why: why.to_string(),
        write,
        stops: false,
    })
}

/// Once a comment and text.
fn which(transaction: TransactionId, text: &str) -> String {
    let digest = Sha256::digest(text);
    format!("{transaction}-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

/// What to write, without the marks and the remark around it.
fn bare(write: &str) -> String {
    write.strip_suffix(" (as a comment)").unwrap_or(write).replace('"', "")
}
