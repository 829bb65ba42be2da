//! The timeline of a task: its transactions in order, from which it can be replayed to any moment.
//!
//! Responsible for the order of what happened, with edits of comments put where they can do no good to the deploy, and
//! the state of the task at a moment. Not responsible for what the texts mean.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::Value;

use super::spoken::Spoken;
use crate::conduit::{Change, CommentVersion, Task, Transaction};
use crate::ids::{Phid, Project, TransactionId};
use crate::record::parse::{Parsed, parse};

/// A place in the order of what happened. Transactions are ordered by their id; an edit of a comment has only a time,
/// so it stands after a transaction, and when several share its second, where it helps the deploy least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    after: TransactionId,
    edited: Option<Timestamp>,
}

impl Position {
    /// Before whatever came after this transaction.
    pub(crate) fn right_after(transaction: TransactionId) -> Self {
        Self { after: transaction, edited: Some(Timestamp::MIN) }
    }
}

/// When something happened, and where it can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Its place in the order.
    pub position: Position,
    /// Its time, by the server's clock, in whole seconds.
    pub time: Timestamp,
    /// The transaction that shows it.
    pub transaction: TransactionId,
}

/// Which way a tie within one second falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// It counts as earlier: for what speaks for the deploy.
    Loses,
    /// It counts as later: for what speaks against it.
    Wins,
}

/// A moment up to which a task is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    /// The last transaction that had happened.
    pub through: TransactionId,
    /// The time then, which decides what edits of comments had happened.
    pub time: Timestamp,
}

/// A task's history, oldest first.
#[derive(Debug, Clone)]
pub struct Timeline {
    transactions: Vec<Transaction>,
    /// What each transaction's comment is to a reader of records; read when it is first asked for, since it takes its time.
    claims: OnceLock<Vec<Parsed>>,
    /// What each version of each transaction's comment says, newest first; read when it is first asked for, too.
    spoken: OnceLock<Vec<Vec<Spoken>>>,
}

/// A task as it was at a moment, as far as its transactions show.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// The value of its status.
    pub status: String,
    /// The projects that it was tagged with.
    pub projects: BTreeSet<Phid<Project>>,
    /// The custom field that may hold the reason.
    pub field: Option<String>,
}

/// A comment as it stands at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Comment<'a> {
    /// The transaction that made it.
    pub transaction: &'a Transaction,
    /// Its versions up to that moment, newest first; never empty.
    versions: &'a [CommentVersion],
    timeline: &'a Timeline,
    at: usize,
}

impl<'a> Comment<'a> {
    /// The newest version.
    pub fn newest(&self) -> &'a CommentVersion {
        &self.versions[0]
    }

    /// All versions up to the moment, newest first.
    pub fn versions(&self) -> &'a [CommentVersion] {
        self.versions
    }

    /// Whether it was edited or removed.
    pub fn is_changed(&self) -> bool {
        self.versions.len() > 1
    }

    /// What each of these versions says, newest first.
    pub(super) fn spoken(&self) -> &'a [Spoken] {
        let all = self.timeline.spoken().get(self.at).map(Vec::as_slice).unwrap_or_default();
        // Versions after the moment come first.
        all.get(all.len().saturating_sub(self.versions.len())..).unwrap_or_default()
    }

    /// The newest text, where the comment was not removed.
    pub fn text(&self) -> Option<&'a str> {
        let newest = self.newest();
        (!newest.removed).then(|| newest.text())
    }

    /// The removal of it, up to the moment or after it: it blanks the texts of all versions before.
    pub(super) fn removal(&self) -> Option<&'a CommentVersion> {
        self.transaction.comments.iter().find(|version| version.removed)
    }

    /// The text before a removal blanks all of them; what was written first where nobody edited it.
    pub fn first_text(&self) -> &'a str {
        self.versions.last().map_or("", CommentVersion::text)
    }

    /// The record that it was first written as, or claims to be: what was written first is the same at every moment.
    pub fn claim(&self) -> &'a Parsed {
        self.timeline.claims().get(self.at).unwrap_or(&Parsed::Absent)
    }
}

/// The status of a task that was merged before its status ever changed: what a server gives a new task.
const NEW: &str = "open";

/// What of a task may have changed that its history does not show, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnexposedChanges {
    /// The custom field of the policy.
    pub field: bool,
    /// The projects of the task, and so its tag.
    pub projects: bool,
    /// Its description.
    pub description: bool,
}

impl UnexposedChanges {
    /// Whether they may have been anything that matters.
    pub fn any(self) -> bool {
        self.field || self.projects || self.description
    }

    /// What they may have changed, for people.
    pub fn what(self) -> String {
        let parts = [
            (self.projects, "the tag"),
            (self.field, "the field of the reason"),
            (self.description, "the description"),
        ];
        let parts: Vec<&str> = parts.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
        parts.join(" or ")
    }
}

/// What changed of a task that these transactions do not show: the server left it null, or the task holds a text that
/// no transaction put there. Servers show a kind of change or do not: where one change of a kind is shown, none of
/// those that are null is of that kind.
pub(crate) fn unexposed(transactions: &[Transaction], task: &Task, field: Option<&str>) -> UnexposedChanges {
    let is = |kind: &dyn Fn(&Change) -> bool| transactions.iter().any(|transaction| kind(&transaction.change));
    let null = is(&|change| *change == Change::Unexposed);
    let value = field.and_then(|field| task.custom.get(field));
    let described = is(&|change| matches!(change, Change::Description { .. }));
    let tagged = is(&|change| matches!(change, Change::Projects { .. }));
    // Where fields are shown at all, a null is none; a value that no change left there was not shown all the same.
    let customized = is(&|change| matches!(change, Change::Custom { .. }));
    let set = is(&|change| matches!(change, Change::Custom { field: changed, .. } if Some(changed.as_str()) == field));
    UnexposedChanges {
        field: value.is_some_and(|value| (null && !customized) || (field_text(value).is_some() && !set)),
        projects: null && !tagged,
        description: !described && (null || !task.description.is_empty()),
    }
}

/// The value of a custom field as a reason may be read from it.
pub(crate) fn field_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Timeline {
    /// The timeline of these transactions of one task, in whatever order they come.
    pub fn new(mut transactions: Vec<Transaction>) -> Self {
        transactions.sort_by_key(|transaction| transaction.id);
        Self { transactions, claims: OnceLock::new(), spoken: OnceLock::new() }
    }

    /// The same as a list.
    pub fn into_transactions(self) -> Vec<Transaction> {
        self.transactions
    }

    fn claims(&self) -> &[Parsed] {
        let first = |row: &Transaction| row.comments.last().map_or(Parsed::Absent, |version| parse(version.text()));
        self.claims.get_or_init(|| self.transactions.iter().map(first).collect())
    }

    fn spoken(&self) -> &[Vec<Spoken>] {
        let versions = |row: &Transaction| row.comments.iter().map(|version| Spoken::of(version.text())).collect();
        self.spoken.get_or_init(|| self.transactions.iter().map(versions).collect())
    }

    /// The moment that the server's clock showed this time: all that had happened by then.
    pub fn as_of_time(&self, time: Timestamp) -> AsOf {
        let last = self.transactions.iter().rev().find(|transaction| transaction.created <= time);
        // Before the task was made nothing had.
        AsOf { through: last.map_or(TransactionId(0), |transaction| transaction.id), time }
    }

    /// All transactions, oldest first.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Whether the newest change to this description replaced another one than was known.
    pub fn overwrote(&self, known: &str, written: &str) -> bool {
        let changes = self.transactions.iter().rev().filter_map(|transaction| match &transaction.change {
            Change::Description { old, new } => Some((old, new)),
            _ => None,
        });
        changes.into_iter().find(|(_, new)| *new == written).is_some_and(|(old, _)| old != known)
    }

    /// The transactions up to a moment; all of them where there is none.
    pub fn up_to(&self, as_of: Option<AsOf>) -> &[Transaction] {
        let end = as_of.map_or(self.transactions.len(), |as_of| {
            self.transactions.partition_point(|transaction| transaction.id <= as_of.through)
        });
        &self.transactions[..end]
    }

    /// The comments up to a moment, oldest first, each with the versions that it had then.
    pub fn comments(&self, as_of: Option<AsOf>) -> impl Iterator<Item = Comment<'_>> {
        self.up_to(as_of).iter().enumerate().filter_map(move |(at, transaction)| {
            let later = |version: &&CommentVersion| {
                as_of.is_some_and(|as_of| version.created > as_of.time && version.version > 1)
            };
            let skip = transaction.comments.iter().take_while(later).count();
            let versions = &transaction.comments[skip..];
            (!versions.is_empty()).then_some(Comment { transaction, versions, timeline: self, at })
        })
    }

    /// The task as it was at a moment, or as its transactions say that it is now. What no transaction changed is taken
    /// from `now`, the task as the server shows it.
    pub fn state(&self, now: &Task, field: Option<&str>, as_of: Option<AsOf>) -> State {
        let mut state = self.beginning(now, field);
        for transaction in self.up_to(as_of) {
            match &transaction.change {
                Change::Title { new, .. } => state.title.clone_from(new),
                Change::Description { new, .. } => state.description.clone_from(new),
                Change::Status { new, .. } => state.status.clone_from(new),
                Change::Projects { added, removed } => {
                    state.projects.extend(added.iter().cloned());
                    for project in removed {
                        state.projects.remove(project);
                    }
                }
                Change::Custom { field: changed, new, .. } if Some(changed.as_str()) == field => {
                    state.field = field_text(new)
                }
                Change::Merged => state.status = self.status_after(transaction.id, now),
                Change::Custom { .. }
                | Change::Unnamed { .. }
                | Change::View { .. }
                | Change::Space { .. }
                | Change::Other
                | Change::Unexposed => {}
            }
        }
        state
    }

    /// The status after a merge, which no transaction says: what the next change of it found, or what stands now.
    fn status_after(&self, merge: TransactionId, now: &Task) -> String {
        let later = self.transactions.iter().filter(|transaction| transaction.id > merge);
        let next = later.into_iter().find_map(|transaction| match &transaction.change {
            Change::Status { old, .. } => Some(old.clone()),
            // A merge into yet another task closes it with the same status.
            _ => None,
        });
        next.flatten().unwrap_or_else(|| now.status.clone())
    }

    /// What the first change of each part says stood there before it.
    fn beginning(&self, now: &Task, field: Option<&str>) -> State {
        let first = |pick: &dyn Fn(&Change) -> Option<Option<String>>| {
            self.transactions.iter().find_map(|transaction| pick(&transaction.change))
        };
        let title = first(&|change| match change {
            Change::Title { old, .. } => Some(Some(old.clone())),
            _ => None,
        });
        let description = first(&|change| match change {
            Change::Description { old, .. } => Some(Some(old.clone())),
            _ => None,
        });
        let status = first(&|change| match change {
            Change::Status { old, .. } => Some(old.clone()),
            Change::Merged => Some(Some(NEW.to_owned())),
            _ => None,
        });
        let value = first(&|change| match change {
            Change::Custom { field: changed, old, .. } if Some(changed.as_str()) == field => Some(field_text(old)),
            _ => None,
        });
        State {
            title: title.flatten().unwrap_or_else(|| now.title.clone()),
            description: description.flatten().unwrap_or_else(|| now.description.clone()),
            status: status.flatten().unwrap_or_else(|| now.status.clone()),
            projects: BTreeSet::new(),
            field: value.unwrap_or_else(|| field.and_then(|field| now.custom.get(field)).and_then(field_text)),
        }
    }

    /// The moment of a transaction.
    pub fn moment_of(&self, transaction: &Transaction) -> Moment {
        let position = Position { after: transaction.id, edited: None };
        Moment { position, time: transaction.created, transaction: transaction.id }
    }

    /// The moment at which a version of a comment was written. The first version is its transaction; a later one has
    /// only a time, so `tie` says on which side of the transactions of the same second it stands.
    pub(crate) fn moment_of_version(&self, transaction: &Transaction, version: &CommentVersion, tie: Tie) -> Moment {
        if version.version <= 1 {
            return self.moment_of(transaction);
        }
        let time = version.created;
        let before = match tie {
            Tie::Loses => {
                self.transactions.iter().position(|other| other.created >= time).unwrap_or(self.transactions.len())
            }
            Tie::Wins => self.transactions.iter().rposition(|other| other.created <= time).map_or(0, |last| last + 1),
        };
        let anchor = before.checked_sub(1).map_or(TransactionId(0), |last| self.transactions[last].id);
        // An edit is never before what it edits.
        let after = anchor.max(transaction.id);
        Moment { position: Position { after, edited: Some(time) }, time, transaction: transaction.id }
    }

    /// What the changes may have been that the server does not show.
    pub fn unexposed(&self, task: &Task, field: Option<&str>) -> UnexposedChanges {
        unexposed(&self.transactions, task, field)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::evidence::testing::{History, at};

    #[test]
    fn the_order_of_an_edit_within_a_second_favours_nobody_who_wants_to_deploy() {
        let mut history = History::new("deployer1");
        let edited = history.comment("sre1", 10, "Looking.");
        let other = history.comment("deployer1", 20, "A change of this second.");
        history.edit(edited, "sre1", 20, "Emergency-Approve: sre");
        let timeline = history.timeline();
        let transaction = timeline.transactions().iter().find(|row| row.id == edited).unwrap();
        let loses = timeline.moment_of_version(transaction, &transaction.comments[0], Tie::Loses);
        let wins = timeline.moment_of_version(transaction, &transaction.comments[0], Tie::Wins);
        let other = timeline.transactions().iter().find(|row| row.id == other).unwrap();
        let other = timeline.moment_of(other);
        assert!(loses.position < other.position && other.position < wins.position);
        assert_eq!(loses.time, at(20));
    }

    #[test]
    fn a_merge_leaves_the_status_that_stands_after_it() {
        let mut history = History::new("deployer1");
        let merged = history.merge("deployer1", 10);
        let timeline = history.timeline();
        let status = |timeline: &Timeline, task: &Task, as_of| timeline.state(task, None, as_of).status;
        assert_eq!(status(&timeline, &history.task(), None), "duplicate");
        let before = Some(AsOf { through: TransactionId(merged.0 - 1), time: at(9) });
        assert_eq!(status(&timeline, &history.task(), before), "open");
        history.status("deployer1", 20, "open");
        let timeline = history.timeline();
        assert_eq!(status(&timeline, &history.task(), None), "open");
        assert_eq!(status(&timeline, &history.task(), Some(history.as_of(merged))), "duplicate");
    }

    #[test]
    fn a_null_is_nothing_of_a_kind_that_the_server_shows() {
        const FIELD: Option<&str> = Some("custom.emergency.reason");
        let mut history = History::emergency();
        assert_eq!(history.timeline().unexposed(&history.task(), FIELD), UnexposedChanges::default());
        history.unexposed("outsider", 5);
        assert_eq!(
            history.timeline().unexposed(&history.task(), FIELD),
            UnexposedChanges::default(),
            "the task has no such field"
        );
        history.task.custom.insert("custom.emergency.reason".into(), serde_json::Value::Null);
        let unexposed = history.timeline().unexposed(&history.task(), FIELD);
        assert_eq!((unexposed.what(), unexposed.any()), ("the field of the reason".to_owned(), true));
        assert!(!history.timeline().unexposed(&history.task(), None).any(), "the policy reads no field");
        history.field("deployer1", 6, Some("abuse"));
        assert!(!history.timeline().unexposed(&history.task(), FIELD).any(), "this server tells changes of fields");
    }

    #[test]
    fn what_an_edit_overwrote_is_known() {
        let mut history = History::new("deployer1");
        history.describe("deployer1", 10, "one");
        history.describe("sre1", 20, "theirs");
        history.describe("deployer1", 30, "ours");
        let timeline = history.timeline();
        assert!(timeline.overwrote("one", "ours"));
        assert!(!timeline.overwrote("theirs", "ours"));
        assert!(!timeline.overwrote("one", "never written"));
    }

    #[test]
    fn replays_to_any_moment() {
        let mut history = History::new("deployer1");
        let first = history.describe("deployer1", 10, "one");
        let second = history.describe("deployer1", 20, "two");
        let comment = history.comment("sre1", 30, "a");
        history.edit(comment, "sre1", 40, "b");
        let timeline = history.timeline();
        let now = history.task();
        let description = |as_of| timeline.state(&now, None, as_of).description;
        assert_eq!(description(Some(AsOf { through: first, time: at(10) })), "one");
        assert_eq!(description(Some(AsOf { through: second, time: at(20) })), "two");
        assert_eq!(description(None), "two");
        let text = |time| {
            let as_of = Some(AsOf { through: comment, time: at(time) });
            timeline.comments(as_of).next().and_then(|comment| comment.text().map(str::to_owned))
        };
        assert_eq!((text(30), text(39), text(40)), (Some("a".into()), Some("a".into()), Some("b".into())));
    }
}
