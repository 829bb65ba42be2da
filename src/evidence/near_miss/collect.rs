//! The near misses that stand on a task.
//!
//! Responsible for whose they are, since when, and whether they still stand: in comments by their newest version, in the
//! description for as long as who first wrote a line has neither taken it out nor answered. Not responsible for what they do to
//! a verdict.

use std::collections::BTreeMap;

use super::flaw::flaws;
use super::fold::{fold, may_hold};
use super::{FoundLine, Miss, NearKind, Place, read, weigh};
use crate::conduit::{Change, CommentVersion};
use crate::evidence::restate::is_instructions;
use crate::evidence::timeline::{AsOf, Comment, Moment, Tie, Timeline};
use crate::evidence::{Answer, Evidence, Tag};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::remarkup::{Line, lines};

/// A near miss on a task, by a member of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Who.
    pub author: Phid<User>,
    /// What it reads as.
    pub kind: NearKind,
    /// It is taken for what it reads as: a no that denies, a withdrawal that voids.
    pub possible: bool,
    /// Why it is no answer.
    pub miss: Miss,
    /// Its author answered by the letter since.
    pub answered: bool,
    /// The line as written.
    pub line: String,
    /// Since when it stands there.
    pub moment: Moment,
    /// It stands in the description.
    pub in_description: bool,
}

impl NearMiss {
    /// Why the line is no answer, in words that repeat nothing of it.
    pub fn why(&self) -> String {
        match self.miss {
            Miss::Form => format!("{} ({})", self.miss, flaws(&self.line, self.kind)),
            miss => miss.to_string(),
        }
    }
}

/// When a task first carried the tag.
pub(in crate::evidence) fn first_tagged(timeline: &Timeline, tag: Option<&Tag>, as_of: Option<AsOf>) -> Option<Moment> {
    let tag = tag?;
    let adds = |change: &Change| match change {
        Change::Projects { added, .. } => added.iter().any(|project| tag.family.contains(project)),
        _ => false,
    };
    let first = timeline.up_to(as_of).iter().find(|transaction| adds(&transaction.change))?;
    Some(timeline.moment_of(first))
}

/// Whether somebody is in a team of the policy, or may be, since the members of a team could not be read.
pub(in crate::evidence) fn is_member(evidence: &Evidence, policy: &Policy, phid: &str) -> bool {
    let teams = policy.teams.iter().map(|team| evidence.teams.get(&team.key));
    teams.into_iter().any(|team| team.is_none_or(|team| team.members.iter().any(|member| member.as_str() == phid)))
}

/// The near misses of members since the task first carried the tag, oldest first.
pub(in crate::evidence) fn near_misses(
    evidence: &Evidence,
    policy: &Policy,
    as_of: Option<AsOf>,
    answers: &[Answer],
) -> Vec<NearMiss> {
    let Some(tagged) = first_tagged(&evidence.timeline, evidence.tag.as_ref(), as_of) else { return Vec::new() };
    let collector = Collector { evidence, policy, as_of };
    let mut found = collector.in_comments(tagged);
    found.extend(collector.in_description());
    // What counts all the same is among the answers.
    let counts = |near: &NearMiss, answer: &Answer| {
        answer.moment.transaction == near.moment.transaction && answer.near.as_ref() == Some(&near.line)
    };
    found.retain(|near| !answers.iter().any(|answer| counts(near, answer)));
    for near in &mut found {
        near.answered = answers.iter().any(|answer| {
            answer.author == near.author
                && answer.near.is_none()
                && answer.certain
                && answer.moment.position > near.moment.position
                && (near.in_description || answer.moment.transaction > near.moment.transaction)
        });
    }
    found.sort_by_key(|near| near.moment.position);
    found
}

struct Collector<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    as_of: Option<AsOf>,
}

impl<'a> Collector<'a> {
    fn near(&self, author: &str, found: &FoundLine<'_>, moment: Moment) -> Option<NearMiss> {
        Some(NearMiss {
            author: Phid::new(author).ok()?,
            kind: found.kind,
            possible: found.possible,
            miss: found.miss,
            answered: false,
            line: found.line.to_owned(),
            moment,
            in_description: false,
        })
    }

    /// Comments whose words are the gate's: those by a recorder, and records that are believed.
    fn is_the_gates(&self, comment: &Comment<'_>) -> bool {
        let author = &comment.transaction.author;
        self.evidence.is_recorder(author, self.policy) == Some(true)
            || matches!(comment.claim(), Parsed::Record(record) if self.evidence.authority(record, author, self.policy).is_believed())
    }

    fn in_comments(&self, tagged: Moment) -> Vec<NearMiss> {
        let mut all = Vec::new();
        for comment in self.evidence.timeline.comments(self.as_of) {
            let author = &comment.transaction.author;
            if !self.evidence.is_in_a_team(author) || comment.text().is_none() || self.is_the_gates(&comment) {
                continue;
            }
            for (version, found) in self.standing(&comment) {
                let since = since(&comment, version, found.line);
                let moment = self.evidence.timeline.moment_of_version(comment.transaction, since, Tie::Wins);
                if moment.time < tagged.time {
                    continue;
                }
                let mut found = found;
                if found.possible
                    && found.miss == Miss::BelowMail
                    && self.said_before(comment.transaction.id, found.line)
                {
                    (found.possible, found.miss) = (false, Miss::Repeated);
                }
                all.extend(self.near(author, &found, moment));
            }
        }
        all
    }

    /// The near misses of the newest version; and those of versions before it that speak against the deploy, as long as who
    /// took them out is not the author, or may not have done it by that moment.
    fn standing<'c>(&self, comment: &Comment<'c>) -> Vec<(&'c CommentVersion, FoundLine<'c>)> {
        let mut standing: Vec<(&CommentVersion, FoundLine<'_>)> = Vec::new();
        let versions = comment.versions().iter().zip(comment.spoken()).filter(|(version, _)| !version.removed);
        for (behind, (version, spoken)) in versions.enumerate() {
            let foreign = version.author != comment.transaction.author;
            for found in weigh(version.text(), &spoken.candidates, Place::Comment, self.policy) {
                let against = found.kind != NearKind::Yes;
                let known = standing.iter().any(|(_, other)| other.line == found.line);
                if !known && (against || (behind == 0 && !foreign)) {
                    standing.push((version, found));
                }
            }
            let unsure = version.version > 1 && self.as_of.is_some_and(|as_of| as_of.time == version.created);
            if !foreign && !unsure {
                break;
            }
        }
        standing
    }

    /// Whether somebody said a line in a comment before this moment, so that a mail may repeat it: a member of a team in words of
    /// their own, or the gate. Whoever has no say cannot take the weight of somebody's no by writing it first.
    fn said_before(&self, until: TransactionId, line: &str) -> bool {
        let folded = fold(line);
        let is_it = |earlier: &Line<'_>| {
            let own = earlier.kind.is_words() && !earlier.text.starts_with('>');
            own && (earlier.text.trim() == line || fold(earlier.text) == folded)
        };
        let earlier = self.evidence.timeline.comments(self.as_of);
        let mut earlier = earlier.take_while(|earlier| earlier.transaction.id < until);
        earlier.any(|earlier| {
            // Most do not hold it at all.
            let mut texts = earlier.versions().iter().map(CommentVersion::text).filter(|text| may_hold(text));
            // Surely in a team: where one could not be read, nobody's line takes the weight of a no.
            let author = &earlier.transaction.author;
            let has_a_say = || self.evidence.is_in_a_team(author) || self.is_the_gates(&earlier);
            texts.any(|text| lines(text).iter().any(is_it)) && has_a_say()
        })
    }

    /// A line of the description is of who first wrote it, and stands until that person takes it out. The same line written
    /// a second time is the second writer's own: nobody's words shield another's.
    fn in_description(&self) -> Vec<NearMiss> {
        let mut standing: Vec<NearMiss> = Vec::new();
        let mut before: BTreeMap<&str, usize> = BTreeMap::new();
        for (author, moment, text) in self.descriptions() {
            let mut found = read(text, Place::Description, self.policy);
            // What the gate itself put there says nothing of who edited the description.
            let is_team = |key: &str| self.policy.team(key).is_some();
            found.retain(|found| found.kind != NearKind::Yes || !is_instructions(found.line, is_team));
            let mut now: BTreeMap<&str, usize> = BTreeMap::new();
            for found in &found {
                *now.entry(found.line).or_default() += 1;
            }
            let times = |counts: &BTreeMap<&str, usize>, line: &str| counts.get(line).copied().unwrap_or_default();
            // Who edits takes out what stood there until then, and not what somebody else took out before.
            standing
                .retain(|near| near.author.as_str() != author || times(&now, &near.line) >= times(&before, &near.line));
            for mut found in found {
                if standing.iter().filter(|near| near.line == found.line).count() >= times(&now, found.line) {
                    continue;
                }
                let mail = found.possible && found.miss == Miss::BelowMail;
                if mail && self.said_before(moment.transaction, found.line) {
                    (found.possible, found.miss) = (false, Miss::Repeated);
                }
                standing
                    .extend(self.near(author, &found, moment).map(|near| NearMiss { in_description: true, ..near }));
            }
            before = now;
        }
        standing.retain(|near| is_member(self.evidence, self.policy, near.author.as_str()));
        standing
    }

    /// The texts that the description had, with who wrote each and when.
    fn descriptions(&self) -> Vec<(&'a str, Moment, &'a str)> {
        let timeline = &self.evidence.timeline;
        let change = |change: &'a Change| match change {
            Change::Description { old, new } => Some((old.as_str(), new.as_str())),
            _ => None,
        };
        let first = timeline.transactions().iter().find_map(|transaction| change(&transaction.change));
        let beginning = first.map_or(self.evidence.task.description.as_str(), |(old, _)| old);
        let mut texts = Vec::new();
        if let Some(made) = timeline.transactions().first() {
            texts.push((self.evidence.task.author.as_str(), timeline.moment_of(made), beginning));
        }
        for transaction in timeline.up_to(self.as_of) {
            if let Some((_, new)) = change(&transaction.change) {
                texts.push((transaction.author.as_str(), timeline.moment_of(transaction), new));
            }
        }
        texts
    }
}

/// The version since which a comment holds a line without a break.
fn since<'c>(comment: &Comment<'c>, from: &'c CommentVersion, line: &str) -> &'c CommentVersion {
    let holds =
        |version: &&CommentVersion| !version.removed && version.text().lines().any(|other| other.trim() == line);
    let versions = comment.versions().iter().skip_while(|version| version.version > from.version);
    versions.take_while(holds).last().unwrap_or(from)
}
