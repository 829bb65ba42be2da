//! Near misses, and what else members said.
//!
//! Responsible for the words for both. Not responsible for what they do (see [`crate::rules`]).

use super::{Detail, Entry, EntryKind, HistoryBuilder, Tone};
use crate::evidence::{NearKind, said};
use crate::rules::Effect;

impl HistoryBuilder<'_> {
    /// What members wrote that reads as an answer and is none by the letter. One that counts is listed as the answer it
    /// is.
    pub(super) fn near_misses(&self) -> Vec<Entry> {
        let shown = self.verdict.near_misses.iter().filter(|near| near.effect != Effect::Counts);
        let entries = shown.map(|near| {
            let reads = match near.kind {
                NearKind::No => "a no",
                NearKind::Withdraw => "a withdrawal",
                NearKind::Yes => "a yes",
            };
            let (tone, does) = match near.effect {
                Effect::Denies => (Tone::Bad, "and stops a deploy"),
                Effect::Voids => (Tone::Bad, "and voids their earlier approvals"),
                Effect::Counts | Effect::Listed => (Tone::Mind, "and counts for none"),
            };
            Entry {
                moment: near.moment,
                author: near.phid.as_str().to_owned(),
                kind: EntryKind::NearMiss,
                tone,
                words: format!("wrote {}, which reads as {reads} {does}: {}", self.quote(&near.line), near.why),
                detail: Detail { value: self.open(&near.line), why_not: Some(near.why.clone()), ..Detail::default() },
            }
        });
        entries.collect()
    }

    /// What members said beside their answers.
    pub(super) fn said(&self) -> Vec<Entry> {
        let entries = said(self.evidence, self.policy).into_iter().map(|said| Entry {
            moment: said.moment,
            kind: EntryKind::Said,
            tone: Tone::Plain,
            words: format!("said {}", self.quote(&said.text.split_whitespace().collect::<Vec<_>>().join(" "))),
            detail: Detail { value: self.open(&said.text), ..Detail::default() },
            author: said.author,
        });
        entries.collect()
    }
}
