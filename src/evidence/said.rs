//! What members of the teams say on a task beside their answers: conditions, questions, a no in words of their own.
//!
//! Responsible for collecting it, newest first. It decides nothing, and whoever deploys should have read it. Not responsible for
//! answers and near misses, which are shown with what they do.

use std::collections::BTreeSet;

use super::near_miss::{self, Place};
use super::timeline::{Moment, Tie};
use super::trailers::{self, Key};
use super::{Evidence, mail};
use crate::conduit::Change;
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::remarkup::{Line, lines};

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
    let timeline = &evidence.timeline;
    let Some(tagged) = near_miss::first_tagged(timeline, evidence.tag.as_ref(), None) else { return Vec::new() };
    let mut all = Vec::new();
    for comment in timeline.comments(None) {
        let author = &comment.transaction.author;
        let (Some(text), true) = (comment.text(), near_miss::is_member(evidence, policy, author)) else { continue };
        let record = matches!(comment.claim(), Parsed::Record(record) if evidence.authority(record, author, policy).is_believed());
        if record || evidence.is_recorder(author, policy) == Some(true) {
            continue;
        }
        let moment = timeline.moment_of_version(comment.transaction, comment.newest(), Tie::Wins);
        if moment.time >= tagged.time
            && let Some(text) = words(text, policy)
        {
            all.push(Said { author: author.clone(), moment, text });
        }
    }
    for transaction in timeline.transactions() {
        let Change::Description { old, new } = &transaction.change else { continue };
        let moment = timeline.moment_of(transaction);
        if moment.time < tagged.time || !near_miss::is_member(evidence, policy, &transaction.author) {
            continue;
        }
        let before: BTreeSet<&str> = old.lines().map(str::trim).collect();
        let added: Vec<&str> = new.lines().filter(|line| !before.contains(line.trim())).collect();
        if let Some(text) = words(&added.join("\n"), policy) {
            all.push(Said { author: transaction.author.clone(), moment, text });
        }
    }
    all.sort_by_key(|said| std::cmp::Reverse(said.moment.position));
    all
}

/// The words of a text that holds more than answers and near misses: without quotes and code, and without the mail that it
/// repeats, unless it holds nothing else.
fn words(text: &str, policy: &Policy) -> Option<String> {
    let all = lines(text);
    let head = mail::head_of(text, &all).unwrap_or(all.len());
    let near = near_miss::read(text, Place::Comment, policy);
    let is_answer = |line: &Line<'_>| {
        let trailer =
            line.is_own() && trailers::read(line.text).is_some_and(|(key, value)| is_plain(key, value, policy));
        trailer || near.iter().any(|near| near.line == line.text.trim()) || near_miss::lone_approval(text).is_some()
    };
    let filled = |line: &&Line<'_>| line.text.contains(char::is_alphanumeric) || !line.text.trim().is_ascii();
    if all.iter().filter(filled).all(is_answer) {
        return None;
    }
    let own: Vec<&str> =
        all[..head].iter().filter(|line| line.kind.is_words()).filter(filled).map(|line| line.text.trim()).collect();
    if own.is_empty() {
        return Some(all.iter().filter(filled).map(|line| line.text.trim()).collect::<Vec<_>>().join("\n"));
    }
    Some(own.join("\n"))
}

/// A trailer that says no more than its teams, or states something about the deploy.
fn is_plain(key: Key, value: &str, policy: &Policy) -> bool {
    match key {
        Key::Approve => matches!(trailers::teams_of_approval(value, policy), trailers::Teams::Named(_)),
        Key::Withdraw | Key::Reject => true,
        Key::Reason | Key::Deployer | Key::Action | Key::Change | Key::Drill | Key::Followup => true,
    }
}
