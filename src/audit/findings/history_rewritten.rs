//! `history-rewritten`: the mirror saw what the server now denies.

use super::{Case, Finding, HIDDEN, Rule, Severity};
use crate::audit::mirror::lost::{Denied, Lost};
use crate::conduit::{Change, CommentVersion};
use crate::evidence::is_unrelated;
use crate::evidence::timeline::Moment;
use crate::time::utc;

pub(super) const RULE: Rule = Rule {
    name: "history-rewritten",
    severity: Severity::Error,
    summary: "The server now denies what an earlier audit saw",
    page: "An earlier audit read this task and kept what it saw in its mirror. What the server tells today is not that \
           with something added: a comment has another text, a transaction is gone, or its texts were blanked.\n\n\
           A comment can be removed on the task's page, by its author or an administrator, and the server then blanks all \
           its texts: that is shown as what it is, with the text as it was where it had to do with the emergency. Where it \
           had not, it is a notice and the text is not shown: it may have been removed for a good reason. Nor is a text \
           shown that was written when the task was restricted, though all may see the task now. Nothing but a \
           change to the database itself rewrites a text or takes a transaction away: ask who can do that, and compare \
           with a backup or with the mirror of another auditor.",
    find,
};

fn find(rule: &Rule, case: &Case<'_>) -> Vec<Finding> {
    case.lost.iter().map(|lost| finding(rule, case, lost)).collect()
}

fn finding(rule: &Rule, case: &Case<'_>, lost: &Lost) -> Finding {
    let was = &lost.was;
    let who = case.evidence.name_of(&was.author);
    let seen =
        format!("as an earlier audit saw it; the server tells it otherwise since {} or before", utc(lost.noticed));
    let (time, message, matters) = match &lost.denied {
        Denied::Transaction => {
            let what = match was.comments.first() {
                Some(newest) => format!(", a comment of {who} that said {},", quoted(case, lost, newest.text())),
                None => format!(", {} by {who},", changed(&was.change)),
            };
            (
                lost.noticed,
                format!("transaction {}{what} is gone; it was there before {}", was.id, utc(lost.noticed)),
                true,
            )
        }
        Denied::Change => {
            let what = match &was.change {
                Change::Title { new, .. } | Change::Description { new, .. } => {
                    format!("{} to {}", changed(&was.change), quoted(case, lost, new))
                }
                change => changed(change).to_owned(),
            };
            (lost.noticed, format!("transaction {} was {what} by {who}, {seen}", was.id), true)
        }
        Denied::Comment(versions) => {
            let version = telling(case, versions);
            let what = version.map_or(String::new(), |version| quoted(case, lost, version.text()));
            let number = version.map_or(0, |version| version.version);
            (lost.noticed, format!("the comment of {who} said {what} in version {number}, {seen}"), true)
        }
        Denied::Removed(versions) => {
            let removal = case.told.timeline.transactions().iter().find(|row| row.id == was.id);
            let removal = removal.and_then(|row| row.comments.first());
            let by = removal.map_or(String::new(), |gone| format!(" by {}", case.evidence.name_of(&gone.author)));
            let time = removal.map_or(lost.noticed, |gone| gone.created);
            match telling(case, versions).filter(|version| speaks(case, version)) {
                Some(version) => (
                    time,
                    format!("the comment of {who} was removed{by}; it said {}", quoted(case, lost, version.text())),
                    true,
                ),
                None => {
                    let words = format!("a comment of {who} was removed{by}; it said nothing about the emergency");
                    (time, words, false)
                }
            }
        }
        Denied::Untold => {
            let what = changed(&was.change);
            (lost.noticed, format!("transaction {}, {what} by {who}, is not told any more what it was", was.id), false)
        }
    };
    let moment = Moment { time, ..case.evidence.timeline.moment_of(was) };
    let finding = rule.of_task(case, moment, message);
    if matters { finding } else { finding.but(Severity::Notice) }
}

/// Of some versions, the newest that had to do with the emergency; where none had, the newest.
fn telling<'v>(case: &Case<'_>, versions: &'v [CommentVersion]) -> Option<&'v CommentVersion> {
    versions.iter().find(|version| speaks(case, version)).or_else(|| versions.first())
}

/// Whether a comment had to do with the emergency.
fn speaks(case: &Case<'_>, version: &CommentVersion) -> bool {
    !is_unrelated(version.text(), case.policy)
}

/// A text in quotes, unless it was written when the task was restricted: it may be what was taken away before all see it.
fn quoted(case: &Case<'_>, lost: &Lost, text: &str) -> String {
    if lost.hidden { HIDDEN.to_owned() } else { case.quote(text) }
}

/// What a transaction changed, without any text.
fn changed(change: &Change) -> &'static str {
    match change {
        Change::Title { .. } => "a change of the title",
        Change::Description { .. } => "a change of the description",
        Change::Status { .. } => "a change of the status",
        Change::Projects { .. } => "a change of the tags",
        Change::Custom { .. } | Change::Unnamed { .. } => "a change of a field",
        Change::Merged | Change::Other | Change::Unexposed => "a change",
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::mirror::lost::{self, Lost};
    use crate::audit::testing::*;
    use crate::audit::{Finding, Severity, Yardstick, audit_task};
    use crate::conduit::Transaction;
    use crate::evidence::testing::{History, at};

    /// What is found of what the mirror saw, when the history is this now.
    fn found(seen: &History, now: &History) -> Vec<Finding> {
        found_of(seen, now, false)
    }

    fn found_of(seen: &History, now: &History, hidden: bool) -> Vec<Finding> {
        let (seen, evidence) = (seen.timeline(), now.evidence());
        let rows = evidence.timeline.transactions();
        let lost = |was: &Transaction| {
            let denied = lost::denied(was, rows)?;
            Some(Lost { was: was.clone(), noticed: at(900), hidden, denied })
        };
        let lost: Vec<Lost> = seen.transactions().iter().filter_map(lost).collect();
        let audit = audit_task(&evidence, &Yardstick::new(&now.policy), &lost);
        audit.findings.into_iter().filter(|finding| finding.name == "history-rewritten").collect()
    }

    #[test]
    fn an_approval_that_was_removed_is_shown_as_it_was() {
        let mut history = story(&["releng1"]);
        let yes = history.comment("sre1", 12, "Emergency-Approve: sre");
        let seen = history.clone();
        history.remove(yes, "admin", 300);
        let found = found(&seen, &history);
        assert_eq!((found.len(), found[0].severity, found[0].transaction), (1, Severity::Error, Some(yes)));
        assert_eq!(found[0].message, "the comment of sre1 was removed by admin; it said 'Emergency-Approve: sre'");
        assert_eq!(found[0].time, at(300));
    }

    #[test]
    fn what_was_written_on_a_restricted_task_is_not_shown_when_it_is_open() {
        let mut history = story(&["releng1"]);
        let yes = history.comment("sre1", 12, "The hole is in the login.\n\nEmergency-Approve: sre");
        let seen = history.clone();
        history.remove(yes, "admin", 300);
        let found = found_of(&seen, &history, true);
        assert_eq!(found[0].message, "the comment of sre1 was removed by admin; it said (hidden)");
    }

    #[test]
    fn what_was_edited_away_before_it_was_removed_is_shown_too() {
        let mut history = story(&["releng1"]);
        let no = history.comment("sre1", 12, "Emergency-Reject: sre - not tonight");
        history.edit(no, "sre1", 20, "Never mind.");
        let seen = history.clone();
        history.remove(no, "sre1", 300);
        let found = found(&seen, &history);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Error));
        assert!(found[0].message.contains("not tonight"), "{}", found[0].message);
    }

    #[test]
    fn what_had_nothing_to_do_with_it_is_not_shown() {
        let mut history = clean();
        let word = history.comment("sre1", 300, "The password is hunter2.");
        let seen = history.clone();
        history.remove(word, "sre1", 310);
        let found = found(&seen, &history);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Notice));
        assert!(!found[0].message.contains("hunter2"), "{}", found[0].message);
    }

    #[test]
    fn a_text_that_was_changed_in_the_database_is_found_and_a_restricted_one_is_not_told() {
        for restricted in [false, true] {
            let mut seen = story(&["releng1"]);
            let mut now = seen.clone();
            let was = seen.comment("sre1", 12, "Emergency-Reject: sre - not tonight");
            now.comment("sre1", 12, "Emergency-Approve: sre");
            if restricted {
                now.task.view = "PHID-PLCY-1".into();
            }
            let found = found(&seen, &now);
            assert_eq!((found.len(), found[0].severity, found[0].transaction), (1, Severity::Error, Some(was)));
            assert_eq!(found[0].message.contains("not tonight"), !restricted, "{}", found[0].message);
        }
    }

    #[test]
    fn a_transaction_that_is_gone_is_found() {
        let (mut seen, now) = (clean(), clean());
        seen.comment("sre2", 400, "Emergency-Withdraw: sre");
        let found = found(&seen, &now);
        // The deploys differ in their ids, so that their records differ too.
        assert!(
            found
                .iter()
                .any(|finding| finding.message.contains("Emergency-Withdraw: sre")
                    && finding.message.contains("is gone"))
        );
    }
}
