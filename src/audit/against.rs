//! What spoke against a deploy between the start that its record states and the record itself, and while it ran.
//!
//! Who records a deploy by hand states any start. What speaks for it counts up to that start alone; what speaks against it
//! counts up to the first record, so that no start hides a no. Not decided here: what counts as either (the policy).

use std::borrow::Cow;

use jiff::Timestamp;

use super::cuts::Cuts;
use crate::evidence::records::DeployRecords;
use crate::evidence::timeline::{AsOf, Moment, Timeline};
use crate::evidence::trailers::Teams;
use crate::evidence::{Answer, AnswerKind, Evidence, NearKind, NearMiss, TaskState};
use crate::policy::Policy;
use crate::rules::{standing_words, stated};

/// Something that a member of a team said against a deploy while it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    /// Who.
    pub(super) user: String,
    /// What they did, for people.
    pub(super) what: &'static str,
    /// When, and where it can be looked up.
    pub(super) moment: Moment,
}

/// The state of the start with what speaks against the deploy up to its first record; and beside it what reads as a no and
/// does not count, since the gate that recorded the deploy did not know to read it so.
pub(super) fn heard<'a>(
    evidence: &Evidence,
    policy: &Policy,
    start: &'a TaskState,
    cuts: Cuts,
    records: &DeployRecords,
) -> (Cow<'a, TaskState>, Vec<NearMiss>) {
    let mut task_state = match is_quiet(&evidence.timeline, cuts) {
        true => Cow::Borrowed(start),
        false => Cow::Owned(with_what_came(evidence, policy, start, cuts.against)),
    };
    let first = records.first();
    // Whoever deploys with a token of their own could name any version.
    if !first.by_recorder || first.record.knows_possible_noes() {
        return (task_state, Vec::new());
    }
    let against = |near: &NearMiss| near.possible && near.kind != NearKind::Yes;
    let unknown: Vec<_> = task_state.near_misses.iter().filter(|near| against(near)).cloned().collect();
    if !unknown.is_empty() {
        task_state.to_mut().near_misses.iter_mut().filter(|near| against(near)).for_each(|near| near.possible = false);
    }
    (task_state, unknown.into_iter().filter(|near| near.kind == NearKind::No && !near.answered).collect())
}

/// Whether nothing at all happened between the two moments.
fn is_quiet(timeline: &Timeline, Cuts { start, against }: Cuts) -> bool {
    let between = |time: Timestamp| start.time < time && time <= against.time;
    let rows = timeline.up_to(Some(against));
    start.through == against.through
        && !rows.iter().flat_map(|row| &row.comments).any(|version| version.version > 1 && between(version.created))
}

/// The state of the start with each no, withdrawal and removal that stands at a later moment.
fn with_what_came(evidence: &Evidence, policy: &Policy, start: &TaskState, until: AsOf) -> TaskState {
    let later = stated(evidence, policy, Some(until));
    let mut task_state = start.clone();
    let words = standing_words(evidence, policy, &later);
    let stands = |answer: &Answer| {
        let of = |word: &&crate::rules::StandingWord| word.transaction == answer.moment.transaction;
        words.iter().filter(of).any(|word| word.kind == answer.kind)
    };
    let against = later.answers.iter().filter(|answer| answer.kind != AnswerKind::Approve && stands(answer));
    let new = against.filter(|answer| !start.answers.contains(answer)).cloned();
    let gone = start.answers.iter().filter_map(|answer| taken_out(answer, &later, until));
    task_state.answers.extend(new.chain(gone).collect::<Vec<_>>());
    task_state.answers.sort_by_key(|answer| answer.moment.position);
    let near = later.near_misses.iter().filter(|near| near.kind != NearKind::Yes && near.possible && !near.answered);
    task_state.near_misses.extend(near.filter(|near| !start.near_misses.contains(near)).cloned());
    for gone in later.removals.into_iter().filter(|gone| !gone.stood) {
        task_state.removals.retain(|known| known.spoken.transaction != gone.spoken.transaction);
        task_state.removals.push(gone);
    }
    task_state
}

/// A yes that an edit took out of its comment by the later moment is taken back. Of a comment that was removed the removal
/// says it.
fn taken_out(answer: &Answer, later: &TaskState, until: AsOf) -> Option<Answer> {
    let (AnswerKind::Approve, Teams::Named(teams)) = (answer.kind, &answer.teams) else { return None };
    let id = answer.moment.transaction;
    let still = |team: &String| {
        later.answers.iter().any(|other| {
            let named = matches!(&other.teams, Teams::Named(teams) if teams.contains(team));
            other.kind == AnswerKind::Approve && other.moment.transaction == id && named
        })
    };
    let gone: Vec<String> = teams.iter().filter(|team| !still(team)).cloned().collect();
    let removed = later.removals.iter().any(|gone| gone.spoken.transaction == id);
    (!gone.is_empty() && !removed).then(|| Answer {
        kind: AnswerKind::Withdraw,
        teams: Teams::Named(gone),
        why: String::new(),
        moment: Moment { time: until.time, ..answer.moment },
        edited_in: true,
        near: None,
        ..answer.clone()
    })
}

/// What members of the teams said against a deploy after the moment up to which that counts, until it was over.
pub(super) fn objections(evidence: &Evidence, now: &TaskState, cuts: Cuts, until: Timestamp) -> Vec<Objection> {
    let ran = |moment: Moment| {
        let after = moment.transaction > cuts.against.through || moment.time > cuts.against.time;
        after && moment.time <= until
    };
    let member = |phid: &str| evidence.is_member(phid);
    let mut all: Vec<Objection> = Vec::new();
    for answer in now.answers.iter().filter(|answer| ran(answer.moment) && member(answer.author.as_str())) {
        let what = match answer.kind {
            AnswerKind::Approve => continue,
            AnswerKind::Withdraw => "withdrew",
            AnswerKind::Reject => "said no",
        };
        all.push(Objection { user: evidence.name_of(answer.author.as_str()), what, moment: answer.moment });
    }
    for near in now.near_misses.iter().filter(|near| near.possible && ran(near.moment) && member(near.author.as_str()))
    {
        let what = match near.kind {
            NearKind::Yes => continue,
            NearKind::Withdraw => "wrote what reads as a withdrawal",
            NearKind::No => "wrote what reads as a no",
        };
        all.push(Objection { user: evidence.name_of(near.author.as_str()), what, moment: near.moment });
    }
    all.sort_by_key(|objection| objection.moment.position);
    all
}
