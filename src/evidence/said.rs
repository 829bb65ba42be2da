//! What members of the teams say on a task beside their answers: conditions, questions, a no in words of their own.
//!
//! Responsible for collecting it, newest first. It decides nothing, and whoever deploys should have read it. Not responsible for
//! answers and near misses, which are shown with what they do.

use std::collections::BTreeMap;

use super::Evidence;
use super::near_miss::{self, Place};
use super::timeline::{AsOf, Comment, Moment, Tie};
use super::trailers::{self, Key};
use crate::conduit::{Change, CommentVersion};
use crate::ids::{Phid, User};
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::remarkup::{Line, lines};
use crate::witness;

/// Something that a member said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who, a PHID.
    pub author: String,
    /// When, and in which transaction.
    pub moment: Moment,
    /// Their words, without what they quote.
    pub text: String,
}

/// What members said on a task since it first carried the tag, newest first.
pub fn said(evidence: &Evidence, policy: &Policy) -> Vec<Said> {
    let is_member = |author: &str| near_miss::is_member(evidence, policy, author);
    let mut all = in_comments(evidence, policy, None, is_member, newest);
    all.extend(in_descriptions(evidence, policy, None, is_member, |_| true));
    all.sort_by_key(|said| std::cmp::Reverse(said.moment.position));
    all
}

/// What one person said in words of their own up to a moment, since the task first carried the tag: of a comment that somebody else
/// edited their own version. The first description of a task reports what is broken, and is none of it.
pub(super) fn said_by(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>, person: &Phid<User>) -> Vec<Said> {
    let is_theirs = |author: &str| author == person.as_str();
    let mut all = in_comments(evidence, policy, as_of, is_theirs, |comment| own(comment, as_of));
    all.extend(in_descriptions(evidence, policy, as_of, is_theirs, |old| !old.trim().is_empty()));
    all
}

/// The newest version of a comment, where it was not removed.
fn newest<'c>(comment: &Comment<'c>) -> Vec<&'c CommentVersion> {
    comment.text().map_or_else(Vec::new, |_| vec![comment.newest()])
}

/// The newest version of a comment that its author wrote; also the one before it, where it may not have been there by that moment.
fn own<'c>(comment: &Comment<'c>, as_of: Option<AsOf>) -> Vec<&'c CommentVersion> {
    let unsure =
        |version: &CommentVersion| version.version > 1 && as_of.is_some_and(|as_of| as_of.time == version.created);
    let mut own = Vec::new();
    for version in comment.versions().iter().filter(|version| version.author == comment.transaction.author) {
        own.push(version);
        if !unsure(version) {
            break;
        }
    }
    own
}

fn in_comments(
    evidence: &Evidence,
    policy: &Policy,
    as_of: Option<AsOf>,
    is_meant: impl Fn(&str) -> bool,
    versions: impl for<'c> Fn(&Comment<'c>) -> Vec<&'c CommentVersion>,
) -> Vec<Said> {
    let timeline = &evidence.timeline;
    let Some(tagged) = near_miss::first_tagged(timeline, evidence.tag.as_ref(), as_of) else { return Vec::new() };
    let speakers = evidence.speakers();
    let mut all = Vec::new();
    for comment in timeline.comments(as_of) {
        let author = &comment.transaction.author;
        if !is_meant(author) {
            continue;
        }
        let record = matches!(comment.claim(), Parsed::Record(record) if evidence.authority(record, author, policy).is_believed());
        // What somebody said on IRC is shown as their answer.
        let is_witness = || evidence.is_witness(author, policy) == Some(true);
        let heard = witness::parse(comment.first_text()).one().is_some() && is_witness();
        if record || heard || evidence.is_recorder(author, policy) == Some(true) {
            continue;
        }
        let speaks = speakers.iter().any(|speaker| speaker.as_str() == author);
        for version in versions(&comment) {
            let moment = timeline.moment_of_version(comment.transaction, version, Tie::Wins);
            if moment.time >= tagged.time
                && let Some(text) = words(version.text(), speaks, policy)
            {
                all.push(Said { author: author.clone(), moment, text });
            }
        }
    }
    all
}

fn in_descriptions(
    evidence: &Evidence,
    policy: &Policy,
    as_of: Option<AsOf>,
    is_meant: impl Fn(&str) -> bool,
    changes: impl Fn(&str) -> bool,
) -> Vec<Said> {
    let timeline = &evidence.timeline;
    let Some(tagged) = near_miss::first_tagged(timeline, evidence.tag.as_ref(), as_of) else { return Vec::new() };
    let speakers = evidence.speakers();
    let mut all = Vec::new();
    for transaction in timeline.up_to(as_of) {
        let Change::Description { old, new } = &transaction.change else { continue };
        let moment = timeline.moment_of(transaction);
        if moment.time < tagged.time || !is_meant(&transaction.author) || !changes(old) {
            continue;
        }
        let speaks = speakers.iter().any(|speaker| speaker.as_str() == transaction.author);
        if let Some(text) = words(&added(old, new), speaks, policy) {
            all.push(Said { author: transaction.author.clone(), moment, text });
        }
    }
    all
}

/// The lines that a description has more of than before, each as often as it was added.
fn added(old: &str, new: &str) -> String {
    let mut before: BTreeMap<&str, usize> = BTreeMap::new();
    for line in old.lines() {
        *before.entry(line.trim()).or_default() += 1;
    }
    let is_new = |line: &&str| match before.get_mut(line.trim()) {
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        _ => true,
    };
    new.lines().filter(is_new).collect::<Vec<_>>().join("\n")
}

/// The words of a text that holds more than answers and near misses: without quotes and code, unless it holds nothing else.
/// What stands below the head of a mail is among them: what looks like a head may be none, and no words are to be lost.
/// `speaks` where its author may state things about the deploy: of anybody else a statement is something that they say.
fn words(text: &str, speaks: bool, policy: &Policy) -> Option<String> {
    let all = lines(text);
    let near = near_miss::read(text, Place::Comment, policy);
    let lone = near_miss::lone_approval(text).is_some_and(|(_, value)| names_teams(&value, policy));
    let is_answer = |line: &Line<'_>| {
        let trailer =
            line.is_own() && trailers::read(line.text).is_some_and(|(key, value)| is_plain(key, value, speaks, policy));
        trailer || lone || near.iter().any(|near| near.line == line.text.trim())
    };
    let filled = |line: &&Line<'_>| line.text.contains(char::is_alphanumeric) || !line.text.trim().is_ascii();
    if all.iter().filter(filled).all(is_answer) {
        return None;
    }
    let own: Vec<&str> =
        all.iter().filter(|line| line.kind.is_words()).filter(filled).map(|line| line.text.trim()).collect();
    if own.is_empty() {
        return Some(all.iter().filter(filled).map(|line| line.text.trim()).collect::<Vec<_>>().join("\n"));
    }
    Some(own.join("\n"))
}

fn names_teams(value: &str, policy: &Policy) -> bool {
    matches!(trailers::teams_of_approval(value, policy), trailers::Teams::Named(_))
}

/// A trailer that says no more than its teams, or that states something about the deploy and may.
fn is_plain(key: Key, value: &str, speaks: bool, policy: &Policy) -> bool {
    match key {
        Key::Approve => names_teams(value, policy),
        Key::Withdraw | Key::Reject => true,
        Key::Reason | Key::Deployer | Key::Action | Key::Change | Key::Drill => speaks,
        Key::Followup => !value.contains(char::is_whitespace),
    }
}
