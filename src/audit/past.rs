//! What earlier audits found, and what of it today's evidence does not show.
//!
//! Responsible for comparing, as a pure function. Not for keeping what was found ([`super::mirror`]).

use super::findings::{Finding, PastFinding, Severity, Today, VERSION, finding_vanished, hashtag_moved, task_unseen};
use crate::ids::TaskId;
use crate::policy::PolicyDigest;

/// The findings that are mended by acting: that they are gone is what they are for.
const MENDED: [&str; 4] = ["record-missing", "record-unfinished", "follow-up-overdue", "undecided"];
/// The findings that say themselves what earlier audits saw.
const REMEMBERED: [&str; 3] = [finding_vanished::RULE.name, hashtag_moved::RULE.name, task_unseen::RULE.name];

/// Whether a finding is kept, so that it cannot vanish.
pub fn is_kept(finding: &Finding) -> bool {
    finding.severity > Severity::Notice && !MENDED.contains(&finding.name) && !REMEMBERED.contains(&finding.name)
}

/// What earlier audits found on a task and today's does not show as bad.
pub fn vanished(today: &Today<'_>, past: &[PastFinding], policy: &PolicyDigest) -> Vec<Finding> {
    let mut gone: Vec<Finding> = Vec::new();
    for past in past {
        let id = past.finding.id();
        if today.found.iter().any(|finding| finding.id() == id && finding.severity >= past.finding.severity) {
            continue;
        }
        let comparable = past.policy == policy.as_str() && past.version == VERSION;
        let finding = finding_vanished::vanished(past, today, comparable);
        match gone.iter_mut().find(|other| other.about == finding.about) {
            Some(other) if other.severity >= finding.severity => {}
            Some(other) => *other = finding,
            None => gone.push(finding),
        }
    }
    gone
}

/// The findings of earlier audits on a task.
pub fn on(all: &[PastFinding], task: TaskId) -> &[PastFinding] {
    let from = all.partition_point(|past| past.finding.task < Some(task));
    let to = all.partition_point(|past| past.finding.task <= Some(task));
    &all[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::*;
    use crate::evidence::testing::at;

    fn past(finding: &Finding, policy: &str) -> PastFinding {
        PastFinding { finding: finding.clone(), policy: policy.into(), version: VERSION.into(), last: at(900) }
    }

    #[test]
    fn what_was_found_and_is_not_any_more_is_found_with_its_old_words() {
        let mut history = task_state(&["releng1"]);
        deploy(&mut history);
        let found = audit(&history).findings;
        let digest = history.policy.digest();
        let missing = found.iter().find(|finding| finding.name == "approval-missing").unwrap();
        let past = |policy: &str| vec![past(missing, policy)];
        let not_found = |found: &[Finding], past: &[PastFinding], restricted: bool| {
            vanished(&Today { found, restricted, judged: true }, past, &digest)
        };
        assert!(not_found(&found, &past(digest.as_str()), false).is_empty());
        let gone = not_found(&[], &past(digest.as_str()), false);
        assert_eq!((gone.len(), gone[0].name, gone[0].severity), (1, "finding-vanished", Severity::Error));
        assert!(gone[0].message.contains(&missing.message), "{}", gone[0].message);
        assert_eq!((gone[0].deploy, gone[0].transaction), (missing.deploy, missing.transaction));
        // Who accepted the one has accepted the other.
        let (old, new) = (missing.id(), gone[0].id());
        assert_eq!((old.about, old.digest), (new.about, new.digest));
        // It is less bad today: that is no less.
        let milder = [Finding { severity: Severity::Warning, ..missing.clone() }];
        assert_eq!(not_found(&milder, &past(digest.as_str()), false).len(), 1);
        assert!(!not_found(&[], &past(digest.as_str()), true)[0].message.contains(&missing.message));
        assert_eq!(not_found(&[], &past("sha256:1"), false)[0].severity, Severity::Notice);
        let unread = Today { found: &[], restricted: false, judged: false };
        let kept = vanished(&unread, &past(digest.as_str()), &digest);
        assert!(kept[0].message.ends_with("the task cannot be judged now"), "{}", kept[0].message);
        let both = [past("sha256:1"), past(digest.as_str())].concat();
        let gone = not_found(&[], &both, false);
        assert_eq!(gone.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Error]);
    }

    #[test]
    fn what_is_mended_by_acting_and_what_is_no_fault_is_not_kept() {
        let mut history = task_state(&["releng1"]);
        deploy(&mut history);
        let missing = audit(&history).findings.into_iter().find(|finding| finding.name == "approval-missing").unwrap();
        assert!(is_kept(&missing));
        assert!(!is_kept(&Finding { severity: Severity::Notice, ..missing.clone() }));
        for name in MENDED.iter().chain(&REMEMBERED) {
            assert!(super::super::findings::ALL.iter().any(|rule| rule.name == *name), "{name}");
            assert!(!is_kept(&Finding { name, ..missing.clone() }), "{name}");
        }
    }

    #[test]
    fn findings_of_a_task_are_distinguished_and_stay_what_they_are() {
        let mut history = task_state(&[]);
        deploy(&mut history);
        let found = audit(&history).findings;
        let ids = |found: &[Finding]| found.iter().map(|finding| finding.id().to_string()).collect::<Vec<_>>();
        let first = ids(&found);
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        assert!(first.len() > 1 && distinct.len() == first.len(), "{first:?}");
        assert_eq!(first, ids(&audit(&history).findings));
    }
}
