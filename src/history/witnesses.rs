//! What people are said to have said on IRC: comments that claim to be a witness and are not believed, and what an edit made of one.
//!
//! Responsible for the words for both. Not responsible for what a witness that is believed says, which are answers, nor for whose comments
//! are believed (see [`crate::evidence`]).

use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone};
use crate::conduit::CommentVersion;
use crate::evidence::timeline::{Comment, Tie};
use crate::evidence::{Answer, AnswerKind};
use crate::remarkup::JsonBlock;
use crate::text::inert;
use crate::witness::{Witness, WitnessedWord, parse};

impl HistoryBuilder<'_> {
    /// A comment that was written as a witness and is not believed.
    pub(super) fn witness(&self, comment: &Comment<'_>) -> Option<Entry> {
        let block = parse(comment.first_text());
        let (why, says) = match &block {
            JsonBlock::Absent => return None,
            JsonBlock::Unreadable => (self.unknown_author(comment).unwrap_or("it cannot be read"), None),
            JsonBlock::One(witness) => (self.why_no_witness(comment, witness)?, Some(witness)),
        };
        let stands = match says {
            // What speaks against the deploy is not given up for what is wrong with its witness.
            Some(witness) if self.unknown_author(comment).is_none() && witness.task == self.evidence.task.id => {
                match witness.word {
                    WitnessedWord::Approve => "",
                    WitnessedWord::Withdraw => "; it takes a yes back, and no no",
                    WitnessedWord::Reject => "; a no stands all the same",
                }
            }
            _ => "",
        };
        let says = says.map(|witness| format!("; it says: {}", self.says(witness))).unwrap_or_default();
        Some(Entry {
            moment: self.evidence.timeline.moment_of(comment.transaction),
            author: comment.transaction.author.clone(),
            kind: EntryKind::Witness,
            tone: Tone::Bad,
            words: format!("wrote what claims to be a witness and is not believed, as {why}{stands}{says}"),
            detail: Detail { counts: Some(false), why_not: Some(why.to_owned()), ..Detail::default() },
        })
    }

    fn why_no_witness(&self, comment: &Comment<'_>, witness: &Witness) -> Option<&'static str> {
        self.unknown_author(comment).or_else(|| match witness.task == self.evidence.task.id {
            false => Some("it speaks of another task"),
            true => (!self.evidence.is_possible(comment, witness)).then_some("it speaks of what cannot be"),
        })
    }

    /// Why the author of a comment is no witness; `None` where they are one.
    fn unknown_author(&self, comment: &Comment<'_>) -> Option<&'static str> {
        match self.evidence.is_witness(&comment.transaction.author, self.policy) {
            Some(true) => None,
            Some(false) => Some("`policy.witnesses` does not name its author"),
            None => Some("its author cannot be read"),
        }
    }

    /// Who said what by a witness, whether it is so or not.
    fn says(&self, witness: &Witness) -> String {
        let who = match self.evidence.accounts.get(&witness.phid) {
            Some(account) => inert(&account.username),
            None => self.quote(&witness.user),
        };
        let did = match witness.word {
            WitnessedWord::Approve => "approved",
            WitnessedWord::Withdraw => "withdrew",
            WitnessedWord::Reject => "said no",
        };
        let teams = match witness.teams.as_slice() {
            [] => String::new(),
            teams => format!(" for {}", self.quote(&teams.join(", "))),
        };
        format!("{who} {did} on IRC{teams}")
    }

    /// What an edit did to a witness in a comment; `None` where neither version holds one.
    pub(super) fn edited_witness(&self, comment: &Comment<'_>, before: &str, after: &str) -> Option<String> {
        let (was, is) = (parse(before), parse(after));
        let what = match (&was, &is) {
            (JsonBlock::Absent, JsonBlock::Absent) => return None,
            (JsonBlock::Absent, _) => "what claims to be a witness was put in".to_owned(),
            (_, JsonBlock::Absent) => "the witness was taken out".to_owned(),
            (was, is) if was == is => "the witness in it says the same as before".to_owned(),
            _ => "the witness in it was changed".to_owned(),
        };
        let now = is.one().map(|witness| format!(" (it says now: {})", self.says(&witness))).unwrap_or_default();
        let counts = match self.unknown_author(comment) {
            Some(why) => format!("it counts for nobody, as {why}"),
            None => "a yes of it counts for nobody, and a no that stood in any version of it stands".to_owned(),
        };
        Some(format!("{what}{now}; {counts}"))
    }

    /// The version by which an edit made a witness say what it did not say first, as an entry to be filled in; `None` of any other answer.
    pub(super) fn put_in(&self, answer: &Answer) -> Option<Entry> {
        if !answer.is_witnessed() || !answer.edited_in {
            return None;
        }
        let mut comments = self.evidence.timeline.comments(None);
        let comment = comments.find(|comment| comment.transaction.id == answer.moment.transaction)?;
        let says = |version: &&CommentVersion| {
            let said = parse(version.text()).one();
            said.is_some_and(|witness| witness.phid == answer.author && AnswerKind::from(witness.word) == answer.kind)
        };
        let version = comment.versions().iter().rev().find(says)?;
        Some(self.base(&comment, version, Tie::Loses))
    }
}
