//! What was stated about the deploy, where, and what became of it.
//!
//! Responsible for the reason and the rest of what approvers agree to, place by place. Not responsible for which change
//! of it makes approvals outdated (the evidence knows).

use std::collections::BTreeMap;

use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone};
use crate::evidence::timeline::Moment;
use crate::evidence::trailers::{self, Key};
use crate::evidence::{STATED, Source, happenings};
use crate::policy::WrittenReason;

/// What stands in each place, and since when.
type Places = BTreeMap<(Key, Source), (String, Moment)>;

impl HistoryBuilder<'_> {
    /// Every statement, its changes and its end.
    pub(super) fn statements(&self) -> Vec<Entry> {
        let mut places = Places::new();
        let mut entries = Vec::new();
        for happening in happenings(self.evidence, self.policy, None, &self.task_state.removals) {
            for key in STATED {
                let Some(value) = happening.value(key) else { continue };
                let slot = (key, happening.source);
                let before = places.get(&slot).map(|(value, _)| value.clone());
                if before == value {
                    continue;
                }
                match &value {
                    Some(value) => places.insert(slot, (value.clone(), happening.moment)),
                    None => places.remove(&slot),
                };
                let words = match (&before, &value) {
                    (_, Some(value)) => self.stated(key, before.as_deref(), value, happening.source),
                    (before, None) => {
                        self.cleared(key, before.as_deref().unwrap_or_default(), happening.source, &places)
                    }
                };
                entries.push(Entry {
                    moment: happening.moment,
                    author: happening.author.to_owned(),
                    kind: kind(key),
                    tone: self.tone(key, before.as_deref(), value.as_deref()),
                    words,
                    detail: Detail {
                        trailer: Some(key.name()),
                        value: value.and_then(|value| self.open(&value)),
                        before: before.and_then(|before| self.open(&before)),
                        ..Detail::default()
                    },
                });
            }
        }
        entries
    }

    fn tone(&self, key: Key, before: Option<&str>, value: Option<&str>) -> Tone {
        let known = |value: &str| key != Key::Reason || self.policy.read_reason(value).category.is_some();
        match (before, value) {
            (None, Some(value)) if known(value) => Tone::Plain,
            (_, Some(value)) if !known(value) => Tone::Bad,
            _ => Tone::Mind,
        }
    }

    fn stated(&self, key: Key, before: Option<&str>, value: &str, source: Source) -> String {
        let what = what(key);
        let place = place(source);
        let shown = self.shown(key, value);
        match before {
            None => format!("stated the {what} in {place}: {shown}"),
            Some(before) if key == Key::Reason => {
                let category = |text| self.policy.read_reason(text).category;
                match category(before) == category(value) && category(value).is_some() {
                    true => format!("changed the explanation in {place}: {shown}; before: {}", self.shown(key, before)),
                    false => format!("changed the {what} in {place}: {shown}; before: {}", self.shown(key, before)),
                }
            }
            Some(before) => format!("changed the {what} in {place}: {shown}; before: {}", self.shown(key, before)),
        }
    }

    fn cleared(&self, key: Key, before: &str, source: Source, places: &Places) -> String {
        let what = what(key);
        let words = format!("cleared the {what} in {}; before: {}", place(source), self.shown(key, before));
        let others = places.iter().filter(|((stated, _), _)| *stated == key);
        match others.max_by_key(|(_, (_, since))| since.position) {
            Some(((_, other), (value, _))) => {
                format!("{words}; in force is the one in {}: {}", place(*other), self.shown(key, value))
            }
            None => format!("{words}; none is stated any more"),
        }
    }

    /// A stated value for people.
    fn shown(&self, key: Key, value: &str) -> String {
        if key != Key::Reason || self.hide {
            return self.quote(value);
        }
        match self.policy.read_reason(value) {
            WrittenReason { category: None, .. } => format!("{} (no category of the policy)", self.quote(value)),
            WrittenReason { category: Some(category), explanation } if explanation.is_empty() => category,
            WrittenReason { category: Some(category), explanation } => {
                format!("{category}, {}", self.quote(&explanation))
            }
        }
    }

    /// What a comment states though its author is neither the task's author nor the deployer.
    pub(super) fn not_believed(&self, text: &str, previous: Option<&str>, base: &Entry) -> Vec<Entry> {
        let entries = STATED.into_iter().filter_map(|key| {
            let value = trailers::last(text, key).filter(|value| !value.is_empty())?;
            if previous.and_then(|previous| trailers::last(previous, key)) == Some(value) {
                return None;
            }
            let why = "only the task's author and the deployer state it";
            Some(Entry {
                kind: kind(key),
                tone: Tone::Mind,
                words: format!(
                    "stated the {} in a comment: {}; does not count: {why}",
                    what(key),
                    self.shown(key, value)
                ),
                detail: Detail {
                    trailer: Some(key.name()),
                    value: self.open(value),
                    counts: Some(false),
                    why_not: Some(why.to_owned()),
                    ..Detail::default()
                },
                ..base.clone()
            })
        });
        entries.collect()
    }
}

fn kind(key: Key) -> EntryKind {
    if key == Key::Reason { EntryKind::Reason } else { EntryKind::Stated }
}

fn what(key: Key) -> &'static str {
    match key {
        Key::Reason => "reason",
        Key::Deployer => "deployer",
        Key::Action => "action",
        Key::Change => "change",
        Key::Drill => "drill",
        Key::Approve | Key::Withdraw | Key::Reject => "answer",
        Key::Followup => "follow-up",
    }
}

fn place(source: Source) -> &'static str {
    match source {
        Source::Field => "the custom field",
        Source::Description => "the description",
        Source::Comment(_) => "a comment",
    }
}
