//! How the last deploy of a task ended.
//!
//! Responsible for whether it failed, so that a screen can name the rollback as what comes next. Not a rule: whether a rollback is
//! allowed the rules decide.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::local_deploy::LocalProgress;
use crate::policy::{Action, Policy};
use crate::record::{Event, Outcome};

/// Whether the last deploy of the task that has an end failed and was no rollback, by the records that are believed and by
/// what this host knows.
pub fn last_deploy_failed(evidence: &Evidence, policy: &Policy) -> bool {
    let records = evidence.records(policy, None);
    let of = |deploy| records.iter().filter(move |standing| standing.record.deploy == deploy);
    let local = evidence.local_deploys.iter().flatten().filter_map(|local| match local.progress {
        // What stands on the task says more, and by one clock.
        LocalProgress::Ended { .. } if of(local.deploy).any(|standing| standing.record.outcome.is_some()) => None,
        LocalProgress::Ended { outcome, at } => {
            Some((at, outcome?, of(local.deploy).find_map(|standing| standing.record.action.as_deref())))
        }
        LocalProgress::Running | LocalProgress::Stranded => None,
    });
    let recorded = records.iter().filter(|standing| standing.record.event != Event::Started).filter_map(|standing| {
        let record = &standing.record;
        Some((standing.moment.time, record.outcome?, record.action.as_deref()))
    });
    let last: Option<(Timestamp, Outcome, Option<&str>)> = local.chain(recorded).max_by_key(|(time, ..)| *time);
    last.is_some_and(|(_, outcome, action)| outcome == Outcome::Failed && action != Some(Action::Rollback.word()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{self, History};
    use crate::ids::DeployId;

    #[test]
    fn a_deploy_that_failed_is_rolled_back_and_a_rollback_is_not() {
        let deploy: DeployId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let mut history = History::ready();
        let mut ends = |seconds, outcome, action: Option<Action>| {
            let mut record = testing::record(deploy, Event::Recorded, "deployer1");
            (record.outcome, record.action) = (Some(outcome), action.map(|action| action.word().to_owned()));
            history.record("phabgate", seconds, &record);
            last_deploy_failed(&history.evidence(), &history.policy)
        };
        assert!(!ends(20, Outcome::Succeeded, None));
        assert!(ends(21, Outcome::Failed, None));
        assert!(ends(22, Outcome::Failed, Some(Action::Fix)));
        assert!(!ends(23, Outcome::Failed, Some(Action::Rollback)));
        assert!(ends(24, Outcome::Failed, None));
        assert!(!ends(25, Outcome::RolledBack, None));
    }
}
