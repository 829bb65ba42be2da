//! `history-rewritten`: the mirror saw what the server now denies.

use super::{Case, Finding, FindingRule, HIDDEN, Severity};
use crate::audit::mirror::lost::{Denied, Lost};
use crate::conduit::{Change, CommentVersion, Transaction};
use crate::evidence::is_unrelated;
use crate::evidence::timeline::Moment;
use crate::ids::{Phid, Project};
use crate::text::shorten;
use crate::time::utc;
use serde_json::Value;

pub(super) const RULE: FindingRule = FindingRule {
    name: "history-rewritten",
    severity: Severity::Error,
    summary: "The server now denies what an earlier audit saw",
    page: "An earlier audit read this task and kept what it saw in its mirror. What the server tells today is not that \
           with something added: a comment has another text, a transaction is gone, or its texts were blanked.\n\n\
           A comment can be removed on the task's page, by its author or an administrator, and the server then blanks all \
           its texts: that is shown as what it is, with the text as it was where it had to do with the emergency. Where it \
           had not, it is a notice and the text is not shown: it may have been removed for a good reason. Nor is a text \
           shown that was written when the task was restricted, though all may see the task now. Nothing but a \
           change to the database itself rewrites a text or takes a transaction away: what differs is shown, as it was and as it is. \
           Changes of other things than comments are seen when the task changes otherwise, or by `audit --thorough`, which \
           reads all histories again. A deploy on such a task counts as clean nowhere. Ask who can do that, and compare \
           with a backup or with the mirror of another auditor.",
    find,
};

fn find(rule: &FindingRule, case: &Case<'_>) -> Vec<Finding> {
    case.lost.iter().map(|lost| finding(rule, case, lost)).collect()
}

fn finding(rule: &FindingRule, case: &Case<'_>, lost: &Lost) -> Finding {
    let was = &lost.was;
    let who = case.evidence.name_of(&was.author);
    let seen =
        format!("as an earlier audit saw it; the server shows it otherwise since {} or before", utc(lost.noticed));
    let now = case.as_returned.timeline.transactions().iter().find(|row| row.id == was.id && row.phid == was.phid);
    let (time, message, matters) = match &lost.denied {
        Denied::Transaction => {
            let what = match was.comments.first() {
                Some(newest) => format!(", a comment of {who} that said {},", quoted(case, lost, newest.text())),
                None => format!(", {} by {who} of {},", changed(&was.change), content(case, lost, &was.change)),
            };
            (
                lost.noticed,
                format!("transaction {}{what} is gone; it was there before {}", was.id, utc(lost.noticed)),
                true,
            )
        }
        Denied::Change => {
            let what = changed(&was.change);
            let differs = now.map_or(String::new(), |now| differences(case, lost, now));
            (lost.noticed, format!("transaction {}, {what} by {who}: {differs}, {seen}", was.id), true)
        }
        Denied::Comment(versions) => {
            let version = newest_of_emergency(case, versions);
            let what = version.map_or(String::new(), |version| quoted(case, lost, version.text()));
            let number = version.map_or(0, |version| version.version);
            let differs = version.map_or(String::new(), |version| version_differs(case, lost, version, now));
            (lost.noticed, format!("the comment of {who} said {what} in version {number}, {seen}: {differs}"), true)
        }
        Denied::Removed(versions) => {
            let removal = case.as_returned.timeline.transactions().iter().find(|row| row.id == was.id);
            let removal = removal.and_then(|row| row.comments.first());
            let by = removal.map_or(String::new(), |gone| format!(" by {}", case.evidence.name_of(&gone.author)));
            let time = removal.map_or(lost.noticed, |gone| gone.created);
            match newest_of_emergency(case, versions).filter(|version| speaks(case, version)) {
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
        Denied::Unexposed => {
            let what = changed(&was.change);
            (
                lost.noticed,
                format!("transaction {}, {what} by {who}, is not shown any more as what it was", was.id),
                false,
            )
        }
    };
    let moment = Moment { time, ..case.evidence.timeline.moment_of(was) };
    let finding = rule.of_task(case, moment, message);
    if matters { finding } else { finding.but(Severity::Notice) }
}

/// What of a transaction is another today, field by field: as it was, and as it is now.
fn differences(case: &Case<'_>, lost: &Lost, now: &Transaction) -> String {
    let was = &lost.was;
    let mut differs = Vec::new();
    if was.author != now.author {
        let [before, after] = [&was.author, &now.author].map(|author| case.evidence.name_of(author));
        differs.push(format!("its author was {before} and is {after} now"));
    }
    if was.created != now.created {
        differs.push(format!("its time was {} and is {} now", utc(was.created), utc(now.created)));
    }
    if was.change != now.change {
        let [before, after] = [&was.change, &now.change].map(|change| content(case, lost, change));
        differs.push(format!("it was {before} and is {after} now"));
    }
    differs.join("; ")
}

/// What of a version of a comment is another today.
fn version_differs(case: &Case<'_>, lost: &Lost, was: &CommentVersion, now: Option<&Transaction>) -> String {
    let now = now.and_then(|row| row.comments.iter().find(|version| version.version == was.version));
    let Some(now) = now else { return "that version is gone".to_owned() };
    let mut differs = Vec::new();
    if was.text() != now.text() {
        differs.push(format!("it says {} now", quoted(case, lost, now.text())));
    }
    if was.author != now.author {
        let [before, after] = [&was.author, &now.author].map(|author| case.evidence.name_of(author));
        differs.push(format!("its author was {before} and is {after} now"));
    }
    if was.created != now.created {
        differs.push(format!("its time was {} and is {} now", utc(was.created), utc(now.created)));
    }
    if was.removed != now.removed {
        differs.push(if was.removed { "it was a removal" } else { "it is a removal now" }.to_owned());
    }
    differs.join("; ")
}

/// What a change says, in words.
fn content(case: &Case<'_>, lost: &Lost, change: &Change) -> String {
    let from_to = |old: &str, new: &str| format!("from {} to {}", quoted(case, lost, old), quoted(case, lost, new));
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    match change {
        Change::Title { old, new } => format!("a title, {}", from_to(old, new)),
        Change::Description { old, new } => format!("a description, {}", from_to(old, new)),
        Change::Status { old, new } => format!("a status, {}", from_to(old.as_deref().unwrap_or("none"), new)),
        Change::Custom { field, old, new } => {
            format!("the field {}, {}", shorten(field, 80), from_to(&value(old), &value(new)))
        }
        Change::Unnamed { old, new } => format!("a field, {}", from_to(&value(old), &value(new))),
        Change::Projects { added, removed } => {
            let names =
                |of: &[Phid<Project>]| of.iter().map(|phid| project(case, phid)).collect::<Vec<_>>().join(" and ");
            match (added.is_empty(), removed.is_empty()) {
                (false, true) => format!("the adding of {}", names(added)),
                (true, false) => format!("the taking away of {}", names(removed)),
                (false, false) => format!("the adding of {} and the taking away of {}", names(added), names(removed)),
                (true, true) => "a change of no tag".to_owned(),
            }
        }
        Change::View { old, new } => format!("who can see the task, {}", from_to(&optional(old), &optional(new))),
        Change::Space { old, new } => format!("the Space, {}", from_to(&optional(old), &optional(new))),
        Change::Merged => "a merge".to_owned(),
        Change::Other => "nothing that the gate looks at".to_owned(),
        Change::Unexposed => "what the server does not show".to_owned(),
    }
}

/// What a project is for the policy; the names of others are not known here.
fn project(case: &Case<'_>, phid: &Phid<Project>) -> String {
    let tag = case.evidence.tag.as_ref();
    if tag.is_some_and(|tag| tag.family.contains(phid)) {
        let below = if tag.is_some_and(|tag| tag.phid == *phid) { "" } else { "a project below " };
        return format!("{below}#{}", case.policy.tag);
    }
    let team = case.evidence.teams.values().find(|team| team.phid == *phid);
    team.map_or_else(|| "another project".to_owned(), |team| shorten(&team.name, 80))
}

/// Of some versions, the newest that had to do with the emergency; where none had, the newest.
fn newest_of_emergency<'v>(case: &Case<'_>, versions: &'v [CommentVersion]) -> Option<&'v CommentVersion> {
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
        Change::View { .. } => "a change of who can see the task",
        Change::Space { .. } => "a change of the Space",
        Change::Merged | Change::Other | Change::Unexposed => "a change",
    }
}

#[cfg(test)]
mod tests {
    use super::Change;
    use crate::audit::mirror::lost::{self, Lost};
    use crate::audit::testing::*;
    use crate::audit::{AuditPolicy, Finding, Severity, audit_task};
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
        let audit = audit_task(&evidence, &AuditPolicy::new(&now.policy), &lost);
        audit.findings.into_iter().filter(|finding| finding.name == "history-rewritten").collect()
    }

    #[test]
    fn an_approval_that_was_removed_is_shown_as_it_was() {
        let mut history = task_state(&["releng1"]);
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
        let mut history = task_state(&["releng1"]);
        let yes = history.comment("sre1", 12, "The hole is in the login.\n\nEmergency-Approve: sre");
        let seen = history.clone();
        history.remove(yes, "admin", 300);
        let found = found_of(&seen, &history, true);
        assert_eq!(found[0].message, "the comment of sre1 was removed by admin; it said (hidden)");
    }

    #[test]
    fn what_was_edited_away_before_it_was_removed_is_shown_too() {
        let mut history = task_state(&["releng1"]);
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
    fn a_text_that_was_changed_in_the_database_is_found_and_a_restricted_one_is_not_shown() {
        for restricted in [false, true] {
            let mut seen = task_state(&["releng1"]);
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

    /// The only thing that is found of a rewritten transaction.
    fn rewritten(change: impl Fn(&mut Transaction)) -> String {
        let mut seen = History::emergency();
        seen.comment("sre1", 12, "Emergency-Approve: sre");
        let evidence = seen.evidence();
        let rows = evidence.timeline.transactions();
        let of = |row: &Transaction| matches!(row.change, Change::Projects { .. } | Change::Description { .. });
        let mut was = rows.iter().find(|row| of(row)).unwrap_or(&rows[0]).clone();
        change(&mut was);
        let denied = lost::denied(&was, rows).unwrap();
        let lost = [Lost { was, noticed: at(900), hidden: false, denied }];
        let audit = audit_task(&evidence, &AuditPolicy::new(&seen.policy), &lost);
        let mut found = audit.findings.into_iter().filter(|finding| finding.name == "history-rewritten");
        let message = found.next().unwrap().message;
        assert!(found.next().is_none());
        message
    }

    #[test]
    fn what_differs_is_said_as_it_was_and_as_it_is() {
        let time = rewritten(|was| was.created = at(-500));
        assert!(time.contains("its time was") && time.contains("now"), "{time}");
        let author = rewritten(|was| was.author = "PHID-USER-sre2".into());
        assert!(author.contains("its author was sre2 and is"), "{author}");
        let text =
            rewritten(|was| was.change = Change::Description { old: String::new(), new: "The old words".into() });
        assert!(text.contains("it was a description, from '' to 'The old words' and is"), "{text}");
        let tag = rewritten(|was| {
            was.change = Change::Projects { added: vec![crate::evidence::testing::project("other")], removed: vec![] };
        });
        assert!(tag.contains("it was the adding of another project and is"), "{tag}");
    }
}
