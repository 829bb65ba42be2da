//! Comments, version by version: what they said to the gate, and how that was edited or removed.
//!
//! Responsible for the walk over all comments, and the words for tampering. Not responsible for whether an answer
//! counts.

use super::answers::ANSWERS;
use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone, clipped};
use crate::conduit::CommentVersion;
use crate::evidence::timeline::{Comment, Tie};
use crate::evidence::trailers::{self, Key};
use crate::record::parse::{Parsed, parse};
use crate::time::utc;

impl HistoryBuilder<'_> {
    /// All that was said in comments, and what became of it.
    pub(super) fn comments(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut visited = std::collections::BTreeSet::new();
        for comment in self.evidence.timeline.comments(None) {
            // A transaction that changed several custom fields is in the timeline once for each.
            if !visited.insert(comment.transaction.id) {
                continue;
            }
            entries.extend(self.versions(&comment));
            entries.extend(self.record(&comment, &mut seen));
            entries.extend(self.witness(&comment));
        }
        entries.extend(self.task_state.answers.iter().flat_map(|answer| self.answer(answer)));
        entries.extend(self.task_state.witnessed.iter().flat_map(|witnessed| {
            let entries = self.answer(&witnessed.answer);
            entries.into_iter().map(|entry| Entry { moment: witnessed.posted, ..entry })
        }));
        entries.extend(self.removals());
        entries
    }

    fn versions(&self, comment: &Comment<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut previous: Option<&CommentVersion> = None;
        for version in comment.versions().iter().rev() {
            if version.removed {
                break;
            }
            let base = self.base(comment, version, Tie::Loses);
            if let Some(previous) = previous {
                entries.extend(self.edited(comment, previous.text(), version, &base));
            }
            let before = previous.map(CommentVersion::text);
            let text = version.text();
            for key in ANSWERS {
                let Some(value) = trailers::last(text, key) else { continue };
                let fresh = before.and_then(|before| trailers::last(before, key)) != Some(value);
                let newer = comment.versions().iter().filter(|newer| newer.version > version.version);
                let mut newer_values = newer.map(|newer| trailers::last(newer.text(), key));
                if fresh && newer_values.any(|newer| newer != Some(value)) {
                    entries.extend(self.answer_gone(key, value, &base));
                }
            }
            if !self.evidence.speakers().iter().any(|speaker| speaker.as_str() == comment.transaction.author) {
                entries.extend(self.not_believed(text, before, &base));
            }
            entries.extend(self.follow_up(text, before, &base));
            previous = Some(version);
        }
        entries
    }

    /// An entry about a version of a comment, to be filled in.
    pub(super) fn base(&self, comment: &Comment<'_>, version: &CommentVersion, tie: Tie) -> Entry {
        Entry {
            moment: self.evidence.timeline.moment_of_version(comment.transaction, version, tie),
            author: version.author.clone(),
            kind: EntryKind::Edited,
            tone: Tone::Plain,
            words: String::new(),
            detail: Detail::default(),
        }
    }

    fn edited(&self, comment: &Comment<'_>, before: &str, version: &CommentVersion, base: &Entry) -> Option<Entry> {
        let after = version.text();
        let record = match (parse(before), parse(after)) {
            (Parsed::Absent, Parsed::Absent) => None,
            (Parsed::Absent, _) => Some("a record was put in, and does not count: a record is written at once"),
            (_, Parsed::Absent) => Some("the record was taken out; what it said first counts"),
            (before, after) if before == after => Some("the record in it says the same as before"),
            _ => Some("the record in it was changed; what it said first counts"),
        };
        let changes: Vec<String> = Key::ALL
            .into_iter()
            .filter_map(|key| self.change(key, trailers::last(before, key), trailers::last(after, key)))
            .collect();
        let held = Key::ALL.into_iter().any(|key| trailers::last(before, key).is_some());
        let witness = self.edited_witness(comment, before, after);
        if record.is_none() && witness.is_none() && changes.is_empty() && !held {
            return None;
        }
        let said = witness.as_deref().into_iter().chain(changes.iter().map(String::as_str));
        let whole: Vec<&str> = record.into_iter().chain(said).collect();
        let (tone, what) = match whole.as_slice() {
            [] => (Tone::Mind, "what it says to the gate is as before".to_owned()),
            whole => (Tone::Bad, whole.join("; ")),
        };
        let words = format!("edited {}: {what}", self.whose(comment, &version.author));
        Some(Entry { kind: EntryKind::Edited, tone, words, ..base.clone() })
    }

    fn change(&self, key: Key, before: Option<&str>, after: Option<&str>) -> Option<String> {
        let line = |value: &str| match self.hide {
            true => format!("`{}` (hidden)", key.name()),
            false => format!("`{}: {}`", key.name(), clipped(value)),
        };
        match (before, after) {
            (before, after) if before == after => None,
            (Some(before), Some(after)) => Some(format!("{} became {}", line(before), line(after))),
            (Some(before), None) => Some(format!("{} was taken out", line(before))),
            (None, Some(after)) => Some(format!("{} was put in", line(after))),
            (None, None) => None,
        }
    }

    fn whose(&self, comment: &Comment<'_>, by: &str) -> String {
        let transaction = comment.transaction;
        let written = utc(transaction.created);
        match transaction.author == by {
            true => format!("their comment of {written}"),
            false => format!("the comment of {} of {written}", self.name(&transaction.author)),
        }
    }

    fn follow_up(&self, text: &str, before: Option<&str>, base: &Entry) -> Option<Entry> {
        let value = trailers::last(text, Key::Followup)?;
        if before.and_then(|before| trailers::last(before, Key::Followup)) == Some(value) {
            return None;
        }
        let detail = Detail { trailer: Some(Key::Followup.name()), value: self.open(value), ..Detail::default() };
        let words = format!("named the follow-up: {}", self.quote(value));
        Some(Entry { kind: EntryKind::FollowUp, tone: Tone::Plain, words, detail, ..base.clone() })
    }

    /// Comments that are gone.
    fn removals(&self) -> Vec<Entry> {
        let entries = self.task_state.removals.iter().map(|gone| {
            let author = self.name(&gone.author);
            let whose = match gone.author == gone.by {
                true => format!("their comment of {}", utc(gone.spoken.time)),
                false => format!("the comment of {author} of {}", utc(gone.spoken.time)),
            };
            let is_lost = self.task_state.lost_witnesses.iter().any(|lost| lost.spoken == gone.spoken);
            let lost = match is_lost {
                // It is what others said that a witness writes down.
                true => "no older approval heard on IRC counts any more".to_owned(),
                false => format!("no older approval of {author} counts any more"),
            };
            let words = format!("removed {whose}; it may have said anything, so {lost}");
            Entry {
                moment: gone.removed,
                author: gone.by.clone(),
                kind: EntryKind::Removed,
                tone: Tone::Bad,
                words,
                detail: Detail::default(),
            }
        });
        entries.collect()
    }
}
