//! `approval-edited`: an approval was edited.

use super::{FindingRule, Severity};
use crate::evidence::timeline::{Comment, Moment, Timeline};
use crate::evidence::trailers::{Key, last};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "approval-edited",
    severity: Severity::Warning,
    summary: "An approval was edited",
    page: "A comment that approves the deploy was edited so that what it approves changed: it was edited in, \
           edited out or turned to other teams. It was judged as it stood when the deploy started. An edit by \
           somebody else than its author approves nothing.\n\n\
           Who reads the task now sees another answer than who deployed did.\n\n\
           Open the history of the comment on the task, and ask its author what they meant.",
    find: |rule, case| {
        let timeline = &case.evidence.timeline;
        let edited = case.ran().flat_map(|assessment| {
            let edits = timeline.comments(None).filter_map(|comment| change(timeline, comment));
            let approvals = &assessment.deploy.verdict_as_recorded.approvals;
            edits.filter_map(move |(moment, by)| {
                let approval = approvals.iter().find(|approval| approval.transaction == Some(moment.transaction))?;
                let by = case.evidence.name_of(by);
                let when = if moment.time < assessment.deploy.as_of.time { "before" } else { "after" };
                let message = format!(
                    "the approval of {} was edited by {by} at {}, {when} the deploy started",
                    approval.user,
                    utc(moment.time)
                );
                Some(rule.of_deploy(case, assessment, moment, message))
            })
        });
        edited.collect()
    },
};

/// The last edit that changed what a comment approves, and whose it is.
fn change<'a>(timeline: &Timeline, comment: Comment<'a>) -> Option<(Moment, &'a str)> {
    // Of a removed comment nothing can be read any more; that is a finding of its own.
    comment.text()?;
    let says = |at: usize| comment.versions().get(at).and_then(|version| last(version.text(), Key::Approve));
    let at = (0..comment.versions().len().saturating_sub(1)).find(|at| says(*at) != says(at + 1))?;
    let version = comment.versions().get(at)?;
    // Where it can be looked up is the comment; its time is that of the edit.
    Some((Moment { time: version.created, ..timeline.moment_of(comment.transaction) }, &version.author))
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn an_approval_that_was_edited_out_is_found() {
        let mut history = task_state(&["releng1"]);
        let yes = history.comment("sre1", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        history.edit(yes, "sre1", 300, "Never mind.");
        let found = found(&history, "approval-edited");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(yes));
        assert!(found[0].message.contains("after the deploy started"));
        assert_eq!(names(&history), ["approval-edited"]);
    }

    #[test]
    fn an_edit_that_leaves_the_approval_as_it_was_is_none() {
        let mut history = task_state(&["releng1"]);
        let yes = history.comment("sre1", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        history.edit(yes, "sre1", 300, "Go ahead.\n\nEmergency-Approve: sre");
        assert!(names(&history).is_empty());
    }

    #[test]
    fn one_that_somebody_else_edited_in_is_found() {
        let mut history = task_state(&["releng1"]);
        let yes = history.comment("sre1", 12, "Looking.");
        history.edit(yes, "admin", 20, "Emergency-Approve: sre");
        deploy(&mut history);
        assert_eq!(found(&history, "approval-edited")[0].transaction, Some(yes));
        assert!(names(&history).contains(&"approval-missing"));
    }
}
