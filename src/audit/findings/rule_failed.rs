//! `rule-failed`: another rule than those of reason, tag and teams kept the deploy from being allowed.

use super::{Finding, FindingRule, Severity, is_team, kept};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "rule-failed",
    severity: Severity::Error,
    summary: "Another rule of the policy did not hold when the deploy started",
    page: "When the deploy started the policy would not have allowed it, for a reason that has no finding of \
           its own: somebody had said no, the task was closed, another deploy was under way, or it is not known \
           who deployed. The message names the rule. What speaks against a deploy counts up to its first record, so that \
           no start that is stated hides a no; where the gate of a recorder ran it, up to the start that it measured. What \
           reads as a no and was recorded by a version of the gate that did not know to read it so is a warning.\n\n\
           `phabgate run` would have refused it. It was deployed by other means, or what is on the task was \
           changed since.\n\n\
           `phabgate explain RULE` says what the rule demands and how it is kept.",
    find: |rule, case| {
        let own = |name: &str| matches!(name, "tag" | "reason");
        let failed = case.ran().flat_map(|assessment| {
            let rules = assessment.deploy.verdict_as_recorded.rules.iter();
            let rules = rules.filter(|it| kept(it) && !is_team(it) && !own(&it.name));
            rules.map(|outcome| {
                // Before a deploy a rule may show what its caller typed; here that comes from a record on the task.
                let message = match case.hide {
                    true => format!("it was not allowed: the rule `{}` did not hold", outcome.name),
                    false => format!("it was not allowed: {}: {}", outcome.name, outcome.message),
                };
                rule.at_record(case, assessment, message).about(&outcome.name)
            })
        });
        let failed: Vec<Finding> = failed.collect();
        let unknown = case.ran().flat_map(|assessment| {
            let noes = assessment.unknown_noes.iter().filter(|no| case.evidence.is_member(no.author.as_str()));
            noes.map(|no| {
                let (user, when) = (case.evidence.name_of(no.author.as_str()), utc(no.moment.time));
                let message = format!(
                    "{user} had written at {when} what reads as a no; the version of the gate that recorded the deploy did not \
                     know to read it so"
                );
                rule.of_deploy(case, assessment, no.moment, message).but(Severity::Warning)
            })
        });
        failed.into_iter().chain(unknown).collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_deploy_against_a_no_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.comment("sre2", 20, "Emergency-Reject: sre - not now");
        let first = deploy(&mut history);
        let found = found(&history, "rule-failed");
        assert_eq!(found[0].transaction, Some(first));
        assert!(found[0].message.contains("rejected"));
        assert_eq!(names(&history), ["rule-failed"]);
    }

    #[test]
    fn a_start_that_is_stated_hides_no_no_and_no_withdrawal() {
        use crate::evidence::testing::at;
        use crate::record::{Event, Record};
        type Against = fn(&mut crate::evidence::testing::History);
        let against: [(&str, Against); 5] = [
            ("rule-failed", |history| {
                history.comment("sre2", 150, "Emergency-Reject: sre - not now");
            }),
            ("rule-failed", |history| {
                history.comment("sre2", 150, "**Emergency-Reject: sre**");
            }),
            ("approval-missing", |history| {
                history.comment("sre1", 150, "Emergency-Withdraw: sre");
            }),
            ("approval-missing", |history| {
                let yes = history.timeline().transactions().last().unwrap().id;
                history.edit(yes, "sre1", 150, "Never mind.");
            }),
            ("approval-missing", |history| {
                let yes = history.timeline().transactions().last().unwrap().id;
                history.remove(yes, "sre1", 150);
            }),
        ];
        for (author, event) in
            [("phabgate", Event::Recorded), ("deployer1", Event::Recorded), ("deployer1", Event::Started)]
        {
            for (name, against) in &against {
                let mut history = task_state(&["releng1", "sre1"]);
                against(&mut history);
                let sample = sample(&history, crate::ids::DeployId::fresh(), event, "deployer1");
                history.record(author, 200, &Record { started: Some(at(100)), version: "0.2.0".into(), ..sample });
                assert!(names(&history).contains(name), "{author} {event:?} {name}: {:?}", names(&history));
            }
        }
    }

    #[test]
    fn what_reads_as_a_no_is_a_warning_where_the_gate_that_recorded_it_did_not_know_to_read_it() {
        use crate::audit::Severity;
        for (author, version, severity) in [
            ("phabgate", "0.1.0", Severity::Warning),
            ("phabgate", "0.2.0", Severity::Error),
            ("phabgate", "1.0.0", Severity::Error),
            ("phabgate", "old", Severity::Error),
            ("deployer1", "0.1.0", Severity::Error),
        ] {
            let mut history = task_state(&["releng1", "sre1"]);
            history.comment("sre1", 50, "**Emergency-Reject: sre**");
            let sample = sample(&history, crate::ids::DeployId::fresh(), crate::record::Event::Recorded, "deployer1");
            history.record(author, 101, &crate::record::Record { version: version.into(), ..sample });
            assert_eq!(found(&history, "rule-failed")[0].severity, severity, "{author} {version}");
            assert_eq!(
                audit(&history).findings.iter().map(|it| it.severity).max(),
                Some(severity),
                "{author} {version}"
            );
        }
    }

    #[test]
    fn texts_of_a_restricted_task_are_not_shown() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.task.view = "PHID-PLCY-1".into();
        history.comment("sre2", 20, "Emergency-Reject: sre - the secret");
        deploy(&mut history);
        assert!(found(&history, "rule-failed").iter().all(|it| !it.message.contains("secret")));
    }
}
