//! What paging needs to know of a task, as it was read.
//!
//! Responsible for taking it from the evidence while that is there. Not responsible for what follows from it.

use crate::evidence::{Episode, Evidence};
use crate::paging::{Ack, ConfirmedBy, PageWords, Trusted, answers_after, confirmed_by};
use crate::policy::Policy;
use crate::record;
use crate::rules::{Decision, JudgedTask, Outcome, believed_ends};
use crate::serve::site::Site;

/// What paging needs to know of an open emergency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagingFacts {
    /// The PHID of who set the tag or opened the task again; empty where that is not shown.
    pub opened_by: String,
    /// Who opened or confirmed it of those who may wake people.
    pub confirmed: Option<ConfirmedBy>,
    /// It is stated to be a drill.
    pub is_drill: bool,
    /// Somebody said no.
    pub is_rejected: bool,
    /// It was deployed since it began, and nobody says that this failed: approvals that lapse afterwards are missed by nobody.
    pub is_deployed: bool,
    /// Nothing but approvals is missing.
    pub is_pending: bool,
    /// It could be judged.
    pub is_decided: bool,
    /// Who acknowledged by a comment.
    pub acks: Vec<Ack>,
    /// What a page may say of it.
    pub words: PageWords,
}

impl PagingFacts {
    /// Of a task that was read and judged.
    pub fn of(read: JudgedTask<'_>, episode: &Episode, site: &Site) -> Self {
        let JudgedTask { evidence, state, verdict } = read;
        let trusted = Trusted { named: &site.paging.trusted, deployers: &site.deployers, policy: &site.policy };
        let began = evidence.timeline.transactions().iter().find(|row| row.id == episode.began);
        Self {
            opened_by: began.map(|row| row.author.clone()).unwrap_or_default(),
            confirmed: confirmed_by(evidence, state, episode, &trusted),
            is_drill: state.is_drill(),
            is_rejected: verdict.rule("rejected").is_some_and(|rule| rule.outcome == Outcome::Fail),
            is_deployed: is_deployed(evidence, episode, &site.policy),
            is_pending: verdict.decision == Decision::Pending,
            is_decided: verdict.decision != Decision::Undecided,
            acks: answers_after(evidence, episode.began, verdict),
            words: PageWords::of(evidence, state, &site.policy, &site.server),
        }
    }
}

fn is_deployed(evidence: &Evidence, episode: &Episode, policy: &Policy) -> bool {
    let failed = |outcome| matches!(outcome, Some(record::Outcome::Failed | record::Outcome::NotStarted));
    believed_ends(evidence, policy).any(|end| end.moment.transaction > episode.began && !failed(end.record.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::TaskState;
    use crate::evidence::testing::{self, History};
    use crate::record::Event;

    #[test]
    fn it_was_deployed_where_a_record_that_is_believed_says_so_and_that_it_did_not_fail() {
        let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let recorded = |author: &str, event, outcome| {
            let mut history = History::ready();
            let mut it = testing::record(deploy, event, "deployer1");
            it.outcome = outcome;
            history.record(author, 40, &it);
            history
        };
        let is_deployed = |history: &History| {
            let evidence = history.evidence();
            let state = TaskState::derive(&evidence, &history.policy, None);
            super::is_deployed(&evidence, &Episode::current(&evidence, &state).unwrap(), &history.policy)
        };
        let ended = |outcome| recorded("phabgate", Event::Finished, Some(outcome));
        assert!(is_deployed(&ended(record::Outcome::Succeeded)) && is_deployed(&ended(record::Outcome::Unknown)));
        assert!(!is_deployed(&ended(record::Outcome::Failed)) && !is_deployed(&ended(record::Outcome::NotStarted)));
        assert!(!is_deployed(&recorded("phabgate", Event::Started, None)), "it runs");
        assert!(
            !is_deployed(&recorded("outsider", Event::Recorded, Some(record::Outcome::Succeeded))),
            "who may say so"
        );
        // Who says so of a deploy of their own has to be somebody who could have run it: nothing was approved here.
        let own = |author: &str, event, known: &mut dyn FnMut(&mut History)| {
            let mut history = History::emergency();
            known(&mut history);
            let mut it = testing::record(deploy, event, author);
            it.outcome = Some(record::Outcome::Succeeded);
            history.record(author, 40, &it);
            is_deployed(&history)
        };
        let nothing = &mut |_: &mut History| ();
        for event in [Event::Recorded, Event::Finished] {
            for author in ["outsider", "deployer2", "sre1", "gone"] {
                assert!(!own(author, event, nothing), "{author} says {event:?}");
            }
            // Nor by a start of theirs that is not believed either.
            let started = &mut |history: &mut History| {
                history.record("outsider", 30, &testing::record(deploy, Event::Started, "outsider"));
            };
            assert!(!own("outsider", event, started));
        }
        let approved = &mut |history: &mut History| {
            history.deployers = vec!["deployer2".into()];
            history.comment("releng1", 30, "Emergency-Approve: releng");
            history.comment("sre1", 31, "Emergency-Approve: sre");
        };
        assert!(own("deployer2", Event::Recorded, approved), "it could have been run");
        assert!(!own("outsider", Event::Recorded, approved) && !own("deployer1", Event::Recorded, approved));
        // Who ran what was allowed may say how it ended, whatever came since.
        let since = &mut |history: &mut History| {
            approved(history);
            history.record("deployer2", 32, &testing::record(deploy, Event::Started, "deployer2"));
            history.comment("sre1", 33, "Emergency-Withdraw: sre");
        };
        assert!(own("deployer2", Event::Finished, since));
        // The deploy of somebody else is ended by nobody but them.
        assert!(!own("outsider", Event::Finished, &mut |history: &mut History| {
            approved(history);
            history.record("deployer2", 32, &testing::record(deploy, Event::Started, "deployer2"));
        }));
        let mut again = ended(record::Outcome::Succeeded);
        again.untag("deployer1", 50, "emergency");
        again.tag("deployer1", 60, "emergency");
        assert!(!is_deployed(&again), "that was another emergency");
    }
}
