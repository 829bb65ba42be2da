//! What a task states about the deploy, replayed: where each statement stands, which of them is in force, and when what
//! approvers agree to last changed.
//!
//! Responsible for that, from the description, the custom field and the comments of those who may state it. Not
//! responsible for answers, and whether the policy likes what is stated.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::keys::Key;
use super::removals::Removal;
use super::task_state::Tagged;
use super::timeline::{AsOf, Moment, Tie, field_text};
use super::trailers;
use super::{Evidence, Timeline};
use crate::conduit::Change;
use crate::ids::{Phid, TaskId, TransactionId, User};
use crate::policy::{Policy, WrittenReason};
use crate::witness::Code;

/// What can be stated, and so what approvers agree to.
pub(crate) const STATED: [Key; 5] = [Key::Reason, Key::Deployer, Key::Action, Key::Change, Key::Drill];

/// Where something was stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In the custom field of the policy.
    Field,
    /// In the description.
    Description,
    /// In the comment of this transaction.
    Comment(TransactionId),
}

/// Something stated about the deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The value as written.
    pub value: String,
    /// Where.
    pub source: Source,
    /// Since when it stands there.
    pub since: Moment,
    /// Who wrote it, a PHID.
    pub author: String,
}

/// What changed about the deploy that approvers agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// What this trailer states.
    Stated(Key),
    /// A comment of somebody who may state it was removed: it may have stated anything.
    CommentRemoved,
}

/// The last change of what approvers agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialChange {
    /// What changed.
    pub what: Changed,
    /// When.
    pub moment: Moment,
    /// By whom, a PHID.
    pub author: String,
}

/// Something that may change what is stated.
pub(crate) struct StatementChange<'a> {
    pub(crate) moment: Moment,
    pub(crate) author: &'a str,
    pub(crate) source: Source,
    pub(crate) content: Content<'a>,
    /// What the server knows it by: the transaction, and the version of its comment. One of them was drawn at random when this was written,
    /// and neither before; `None` where that is not known.
    pub(crate) drawn: Option<(&'a str, &'a str)>,
}

impl StatementChange<'_> {
    /// The value that it leaves for a key in its place; `None` where the place says nothing of the key.
    pub(crate) fn value(&self, key: Key) -> Option<Option<String>> {
        Some(match &self.content {
            Content::Text(text) if self.source == Source::Description => {
                trailers::stated(text, key).filter(|value| !value.is_empty()).map(str::to_owned)
            }
            Content::Text(text) => trailers::last(text, key).filter(|value| !value.is_empty()).map(str::to_owned),
            Content::Field(value) if key == Key::Reason => value.clone(),
            Content::Field(_) => return None,
            Content::Gone => None,
        })
    }
}

pub(crate) enum Content<'a> {
    /// A text with trailers.
    Text(&'a str),
    /// The custom field, which holds a reason and nothing else.
    Field(Option<String>),
    /// A comment that is gone, of which nothing is known.
    Gone,
}

/// The statements as they stand after each happening.
#[derive(Default)]
pub(super) struct Statements {
    by_source: BTreeMap<(Key, Source), Statement>,
    pub(super) last_material_change: Option<MaterialChange>,
    pub(super) reworded: Option<(Moment, String)>,
    /// What approvers agree to as it stands; reading a reason takes its time.
    agreed: MaterialContent,
    /// What the server drew when that was written which made it so.
    made_by: MadeBy,
}

/// What made what approvers agree to as it is.
#[derive(Default)]
enum MadeBy {
    /// Nothing yet.
    #[default]
    Nothing,
    /// What the server knows by this transaction, and this version of its comment.
    Drawn(String, String),
    /// Something of which nothing is known that was drawn when it was written.
    Unknown,
}

/// What approvers agree to, one entry for each of [`STATED`], and the explanation.
type MaterialContent = ([Option<String>; STATED.len()], Option<String>);

impl Statements {
    pub(super) fn replay(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>, removals: &[Removal]) -> Self {
        let happenings = happenings(evidence, policy, as_of, removals);
        let mut statements = Self::default();
        for happening in &happenings {
            statements.apply(happening, policy);
        }
        statements
    }

    /// The statement of a key that was written last.
    pub(super) fn effective(&self, key: Key) -> Option<&Statement> {
        let of_key = self.by_source.iter().filter(|((stated, _), _)| *stated == key);
        of_key.map(|(_, statement)| statement).max_by_key(|statement| statement.since.position)
    }

    fn apply(&mut self, happening: &StatementChange<'_>, policy: &Policy) {
        let gone = matches!(happening.content, Content::Gone).then_some(Changed::CommentRemoved);
        let mut written = Vec::new();
        for key in STATED {
            let Some(value) = happening.value(key) else { continue };
            if self.stated(key, happening.source) != value.as_deref() {
                written.push((key, value));
            }
        }
        // Most comments state nothing, and to read a reason takes its time.
        if written.is_empty() && gone.is_none() {
            return;
        }
        for (key, value) in written {
            self.write(key, value, happening);
        }
        let after = self.agreed(policy);
        let before = std::mem::replace(&mut self.agreed, after.clone());
        if gone.is_some() || before != after {
            self.made_by = match happening.drawn {
                Some((transaction, version)) => MadeBy::Drawn(transaction.to_owned(), version.to_owned()),
                None => MadeBy::Unknown,
            };
        }
        let changed = (0..STATED.len()).find(|at| before.0[*at] != after.0[*at]).map(|at| Changed::Stated(STATED[at]));
        if let Some(what) = gone.or(changed) {
            self.last_material_change =
                Some(MaterialChange { what, moment: happening.moment, author: happening.author.to_owned() });
        }
        if changed.is_none() && before.1 != after.1 {
            self.reworded = Some((happening.moment, happening.author.to_owned()));
        }
    }

    /// The code of what would be approved: all that approvers agree to, with the explanation, in the emergency that began with this tag, and
    /// what the server drew when it was written. Without the last whoever states it could look for another text with the same code, so that there is
    /// no code where it is not known.
    pub(super) fn code(&self, task: TaskId, tagged: Tagged) -> Option<Code> {
        let Tagged::Since(since) = tagged else { return None };
        let made_by = match &self.made_by {
            MadeBy::Nothing => ("", ""),
            MadeBy::Drawn(transaction, version) => (transaction.as_str(), version.as_str()),
            MadeBy::Unknown => return None,
        };
        // Texts and numbers can always be written as JSON.
        let agreed = serde_json::to_vec(&(task, since.transaction, &self.agreed, made_by)).ok()?;
        Some(Code::of(&Sha256::digest(agreed).into()))
    }

    fn stated(&self, key: Key, source: Source) -> Option<&str> {
        self.by_source.get(&(key, source)).map(|standing| standing.value.as_str())
    }

    fn write(&mut self, key: Key, value: Option<String>, happening: &StatementChange<'_>) {
        let slot = (key, happening.source);
        let Some(value) = value else {
            self.by_source.remove(&slot);
            return;
        };
        let (source, since, author) = (happening.source, happening.moment, happening.author.to_owned());
        self.by_source.insert(slot, Statement { value, source, since, author });
    }

    fn agreed(&self, policy: &Policy) -> MaterialContent {
        let mut explanation = None;
        let stated = STATED.map(|key| {
            let value = &self.effective(key)?.value;
            match key {
                Key::Reason => {
                    let WrittenReason { category, explanation: words } = policy.read_reason(value);
                    explanation = Some(words);
                    // A text of no category is distinguished from another by all of it.
                    Some(category.unwrap_or_else(|| format!("?{value}")))
                }
                Key::Deployer => Some(value.trim_start_matches('@').to_lowercase()),
                _ => Some(value.clone()),
            }
        });
        (stated, explanation)
    }
}

fn is_one_of(people: &BTreeSet<Phid<User>>, phid: &str) -> bool {
    people.iter().any(|person| person.as_str() == phid)
}

/// All that may have changed what is stated, in order.
pub(crate) fn happenings<'a>(
    evidence: &'a Evidence,
    policy: &Policy,
    as_of: Option<AsOf>,
    removals: &'a [Removal],
) -> Vec<StatementChange<'a>> {
    let timeline = &evidence.timeline;
    let field = policy.field.as_deref();
    let Beginning { mut happenings, description, value } = beginning(evidence, field, as_of);
    let (mut description, mut value) = (description, value);
    for transaction in timeline.up_to(as_of) {
        let moment = timeline.moment_of(transaction);
        // What a change finds and no change left was written by one that is not shown. Since when it stood there is not
        // known, so that it is as if it were written now.
        let drawn = Some((transaction.phid.as_str(), ""));
        let mut push =
            |author, source, content| happenings.push(StatementChange { moment, author, source, content, drawn });
        match &transaction.change {
            Change::Description { old, new } => {
                if old.as_str() != description {
                    push(NOBODY, Source::Description, Content::Text(""));
                    push(NOBODY, Source::Description, Content::Text(old));
                }
                push(&transaction.author, Source::Description, Content::Text(new));
                description = new;
            }
            Change::Custom { field: changed, old, new } if Some(changed.as_str()) == field => {
                let (old, new) = (field_text(old), field_text(new));
                if old != value {
                    push(NOBODY, Source::Field, Content::Field(None));
                    push(NOBODY, Source::Field, Content::Field(old));
                }
                push(&transaction.author, Source::Field, Content::Field(new.clone()));
                value = new;
            }
            _ => {}
        }
    }
    let speakers = evidence.speakers();
    for comment in timeline.comments(as_of).filter(|comment| is_one_of(&speakers, &comment.transaction.author)) {
        happenings.extend(comment.versions().iter().filter(|version| !version.removed).map(|version| {
            StatementChange {
                moment: timeline.moment_of_version(comment.transaction, version, Tie::Wins),
                author: &version.author,
                source: Source::Comment(comment.transaction.id),
                content: Content::Text(version.text()),
                // The transaction is as old as the first version.
                drawn: (version.version == 1 || !version.phid.is_empty())
                    .then_some((comment.transaction.phid.as_str(), version.phid.as_str())),
            }
        }));
    }
    // A recorder's may have held the record of a deploy, which must not be hidden by its removal.
    let matters = |gone: &&Removal| {
        is_one_of(&speakers, &gone.author) || evidence.is_recorder(&gone.author, policy) != Some(false)
    };
    happenings.extend(removals.iter().filter(matters).map(|gone| StatementChange {
        moment: gone.removed,
        author: &gone.by,
        source: Source::Comment(gone.removed.transaction),
        content: Content::Gone,
        // What it leaves standing may have been written after that comment, and is older than its removal.
        drawn: (!gone.drawn.is_empty()).then(|| (phid_of(timeline, gone.removed.transaction), gone.drawn.as_str())),
    }));
    happenings.sort_by_key(|happening| happening.moment.position);
    happenings
}

fn phid_of(timeline: &Timeline, transaction: TransactionId) -> &str {
    let row = timeline.transactions().iter().find(|row| row.id == transaction);
    row.map_or("", |row| row.phid.as_str())
}

/// Who changed what no transaction shows.
const NOBODY: &str = "";

/// What stood on a task before the first change of it that is shown.
struct Beginning<'a> {
    happenings: Vec<StatementChange<'a>>,
    /// What the first change of each has to find, for nothing to be left out.
    description: &'a str,
    value: Option<String>,
}

/// What the task holds though no transaction says since when: an import, or a server that does not say. It counts from
/// the last transaction that may have set it. Where a later one changes it, that one shows what stood there before.
fn beginning<'a>(evidence: &'a Evidence, field: Option<&str>, as_of: Option<AsOf>) -> Beginning<'a> {
    let timeline = &evidence.timeline;
    let before_description = |change: &'a Change| match change {
        Change::Description { old, .. } => Some(old.as_str()),
        _ => None,
    };
    let before_field = |change: &'a Change| match change {
        Change::Custom { field: changed, old, .. } if Some(changed.as_str()) == field => Some(field_text(old)),
        _ => None,
    };
    let changes = || timeline.transactions().iter().map(|transaction| &transaction.change);
    let described = changes().find_map(before_description);
    let set = changes().find_map(before_field);
    let description = described.unwrap_or(&evidence.task.description);
    let value = field.and_then(|field| evidence.task.custom.get(field)).and_then(field_text);
    let value = set.clone().unwrap_or(value);
    let all = timeline.up_to(as_of);
    let null = all.iter().rev().find(|row| row.change == Change::Unexposed).map(|row| (row, NOBODY));
    let first = || all.first().map(|first| (first, first.author.as_str()));
    let parts = [
        (null.filter(|_| described.is_none()), Source::Description, Content::Text(description)),
        (null.filter(|_| set.is_none()), Source::Field, Content::Field(value.clone())),
    ];
    let happenings = parts.into_iter().filter_map(|(null, source, content)| {
        let (transaction, author) = null.or_else(first)?;
        let drawn = Some((transaction.phid.as_str(), ""));
        Some(StatementChange { moment: timeline.moment_of(transaction), author, source, content, drawn })
    });
    Beginning {
        happenings: happenings.collect(),
        description: if described.is_some() { "" } else { description },
        value: value.filter(|_| set.is_none()),
    }
}
