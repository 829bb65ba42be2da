//! Comments that were removed, and what is known of what they said: the server blanks the texts of all their versions.
//!
//! Responsible for putting back what the mirror of earlier audits holds, and what a recorder's record of a deploy read as a yes,
//! so that a deploy is judged by what was said and not by what it may have been. Not for how bad a removal is (the findings
//! say), and nothing is put back where nobody knows: such a comment may have said anything.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::mirror::lost::{Denied, Lost};
use crate::attribution::ApprovalKind;
use crate::conduit::{CommentVersion, Transaction};
use crate::evidence::records::DeployRecords;
use crate::evidence::timeline::{AsOf, Timeline};
use crate::evidence::{Evidence, is_unrelated};
use crate::policy::Policy;

/// The evidence with the texts of removed comments that the mirror holds. One of which all that was ever said is known, and
/// none of it had to do with the emergency, stands there as if nobody had removed it.
pub(super) fn with_known_texts<'a>(evidence: &'a Evidence, policy: &Policy, lost: &[Lost]) -> Cow<'a, Evidence> {
    let removed: Vec<&Lost> = lost.iter().filter(|lost| matches!(lost.denied, Denied::Removed(_))).collect();
    if removed.is_empty() {
        return Cow::Borrowed(evidence);
    }
    let mut evidence = evidence.clone();
    let mut rows = evidence.timeline.transactions().to_vec();
    for lost in removed {
        let Some(row) = rows.iter_mut().find(|row| row.id == lost.was.id && row.phid == lost.was.phid) else {
            continue;
        };
        for version in row.comments.iter_mut().filter(|version| is_blank(version)) {
            let seen = lost.was.comments.iter().find(|seen| seen.version == version.version && !seen.removed);
            if let Some(seen) = seen.filter(|seen| seen.author == version.author && seen.created == version.created) {
                *version = seen.clone();
            }
        }
        let said = || row.comments.iter().filter(|version| !version.removed);
        if said().all(|version| !is_blank(version) && is_unrelated(version.text(), policy)) {
            row.comments.retain(|version| !version.removed);
        } else if lost.hidden {
            // It was written when the task was restricted: then what is judged by it is not shown either.
            Arc::make_mut(&mut evidence.task).view = RESTRICTED.to_owned();
        }
    }
    evidence.timeline = Arc::new(Timeline::new(rows));
    Cow::Owned(evidence)
}

/// A policy of viewing that is not open to everybody.
const RESTRICTED: &str = "admin";

/// Whether the text of a version is not known.
fn is_blank(version: &CommentVersion) -> bool {
    !version.removed && version.text().is_empty()
}

/// The evidence of a deploy with the comments that were removed after the moment up to which it is judged as they stood
/// then: with the text that is known, or as the yes that a recorder's record names. Where its first record says that it was
/// allowed, one of which nothing is known was no no: the finding of its removal says that nobody can know. Else it may
/// have been anything.
pub(super) fn as_it_stood(mut evidence: Evidence, records: &DeployRecords, judged: AsOf) -> Evidence {
    let later = |row: &Transaction| {
        row.id <= judged.through && row.comments.iter().any(|it| it.removed && it.created > judged.time)
    };
    if !evidence.timeline.transactions().iter().any(later) {
        return evidence;
    }
    let mut rows = evidence.timeline.transactions().to_vec();
    for row in rows.iter_mut().filter(|row| later(row)) {
        let stood = |version: &CommentVersion| !version.removed && version.created <= judged.time;
        let known = row.comments.iter().find(|version| stood(version)).is_some_and(|version| !is_blank(version));
        if !known {
            let yes = recorded_yes(row, records);
            if let Some((since, text)) = &yes {
                for version in row.comments.iter_mut().filter(|version| stood(version) && version.created >= *since) {
                    *version = version.saying(text);
                }
            }
            if yes.is_none() && !records.first().says_allowed() {
                continue;
            }
        }
        row.comments.retain(|version| !version.removed || version.created <= judged.time);
    }
    evidence.timeline = Arc::new(Timeline::new(rows));
    evidence
}

/// What a recorder's record of a deploy read in a comment as a yes of its author, and since when it stood there.
fn recorded_yes(row: &Transaction, records: &DeployRecords) -> Option<(jiff::Timestamp, String)> {
    let recorded = records.iter().filter(|standing| standing.by_recorder).flat_map(|it| &it.record.approvals);
    let of_this: Vec<_> = recorded
        .filter(|it| it.kind == ApprovalKind::Verified && it.transaction == Some(row.id))
        .filter(|it| it.phid.as_ref().is_none_or(|phid| phid.as_str() == row.author))
        .collect();
    let teams: BTreeSet<&str> = of_this.iter().map(|approval| approval.team.as_str()).collect();
    let since = of_this.iter().map(|approval| approval.time).min()?;
    Some((since, format!("Emergency-Approve: {}", teams.into_iter().collect::<Vec<_>>().join(", "))))
}
