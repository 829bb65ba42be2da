//! Acknowledgements: somebody of a team who could approve has seen that it is asked.
//!
//! Responsible for them as data, for those that stand on a task as comments, and for how long they hold the pages of a team. An
//! acknowledgement is no approval, and it lapses. Not responsible for how one is given elsewhere: whoever takes it there makes an
//! [`Ack`] of it.

use jiff::{SignedDuration, Timestamp};

use crate::evidence::Evidence;
use crate::ids::TransactionId;
use crate::rules::{TeamCount, Verdict};
use crate::text::inert;

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ack {
    /// The key of the team.
    pub team: String,
    /// The username of who gave it.
    pub by: String,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// The comments on a task by those who could still approve for a team that is missing, from after a transaction: each acknowledges. A yes does
/// not: whoever said it is done, and where it does not count any more nobody looks at the task.
pub fn answers_after(evidence: &Evidence, after: TransactionId, verdict: &Verdict) -> Vec<Ack> {
    let is_yes = |id| verdict.approvals.iter().any(|approval| approval.transaction == Some(id));
    let comments = evidence.timeline.comments(None).map(|comment| (comment.transaction.id, comment));
    let comments = comments.filter(|(id, _)| *id > after && !is_yes(*id)).map(|(_, comment)| comment);
    // What was removed is none any more.
    let comments = comments.filter(|comment| !comment.newest().removed);
    let spoke: Vec<(String, Timestamp)> = comments
        .filter_map(|comment| {
            let account = evidence.account(&comment.transaction.author)?;
            Some((inert(&account.username), comment.transaction.created))
        })
        .collect();
    let of_team = |team: &TeamCount| -> Vec<Ack> {
        let theirs = spoke.iter().filter(|(user, _)| team.could.contains(user));
        theirs.map(|(user, at)| Ack { team: team.team.clone(), by: user.clone(), at: *at }).collect()
    };
    verdict.missing_teams().flat_map(of_team).collect()
}

/// Until when a team that was asked at a time is not paged, since one of it has answered from then on; `None` where nobody has. Servers
/// give whole seconds.
pub fn held_until(acks: &[Ack], team: &str, asked: Timestamp, ack_for: SignedDuration) -> Option<Timestamp> {
    let answered = acks.iter().filter(|ack| ack.team == team && ack.at >= asked);
    answered.map(|ack| ack.at.saturating_add(ack_for).unwrap_or(Timestamp::MAX)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{History, at};
    use crate::rules::{Intent, evaluate};

    #[test]
    fn a_comment_of_somebody_who_could_approve_answers_for_their_team() {
        let mut history = History::emergency();
        history.comment("sre1", 10, "Looking.");
        history.comment("outsider", 11, "Me too.");
        history.comment("robot", 12, "Build failed.");
        history.comment("both", 13, "On it.");
        let gone = history.comment("sre2", 14, "Oops.");
        history.remove(gone, "sre2", 15);
        let evidence = history.evidence();
        let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
        let ack = |team: &str, by: &str, second| Ack { team: team.into(), by: by.into(), at: at(second) };
        let mut acks = answers_after(&evidence, TransactionId(3), &verdict);
        acks.sort();
        assert_eq!(acks, [ack("releng", "both", 13), ack("sre", "both", 13), ack("sre", "sre1", 10)]);
        let minutes = SignedDuration::from_mins(15);
        assert_eq!(held_until(&acks, "sre", at(2), minutes), Some(at(13 + 900)));
        assert_eq!(held_until(&acks, "sre", at(14), minutes), None, "it was asked after that");
        assert_eq!(held_until(&acks, "security", at(2), minutes), None);
    }

    #[test]
    fn a_yes_that_does_not_count_any_more_holds_no_page() {
        let mut history = History::emergency();
        history.comment("sre1", 10, "Emergency-Approve: sre");
        history.describe("deployer1", 12, "Emergency-Reason: data-loss - rows vanish");
        let acks = |history: &History| {
            let evidence = history.evidence();
            let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
            assert!(verdict.missing_teams().any(|team| team.team == "sre"));
            answers_after(&evidence, TransactionId(3), &verdict)
        };
        assert_eq!(acks(&history), []);
        history.comment("sre1", 14, "Looking again.");
        assert_eq!(acks(&history).len(), 1);
    }
}
