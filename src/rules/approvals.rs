//! Judging answers: which approvals count and why the others do not, and which rejections stand.
//!
//! Responsible for that, as pure functions of the state and the policy. Not responsible for who is behind a deploy
//! ([`super::self_approval`]), which teams it needs and who fills their slots ([`super::needed`]), nor for what a rule says
//! of it.

use std::collections::BTreeMap;

use super::verdict::{Approval, WhyNot};
use jiff::Timestamp;

use crate::attribution::ApprovalKind;
use crate::conduit::Account;
use crate::evidence::timeline::AsOf;
use crate::evidence::trailers::{Key, Teams};
use crate::evidence::{
    Answer, AnswerKind, Attestation, Changed, Evidence, NearKind, Removal, Tagged, TaskState, WitnessedApproval,
};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::{Policy, Role, Team};
use crate::time::rough;

/// A no that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    /// Who.
    pub(super) author: Phid<User>,
    /// For which teams, by key.
    pub(super) teams: Vec<String>,
    /// Why, where it says so.
    pub(super) why: String,
    /// When it was said last.
    pub(super) time: Timestamp,
    /// The comment is gone and may have been a no: who removed it, where its author did not.
    pub(super) removed_by: Option<String>,
    /// All of it was said on IRC, where it can be taken back too.
    pub(super) was_heard: bool,
    /// It counts: an enabled person of some team wrote it, or one of whom that cannot be ruled out.
    pub(super) counts: bool,
}

/// All answers, judged.
#[derive(Debug, Clone)]
pub(super) struct JudgedApproval {
    pub(super) approvals: Vec<Approval>,
    pub(super) rejections: Vec<Rejection>,
    pub(super) lost_witness: Option<LostWitness>,
}

/// A witness that is gone: it may have been a no of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostWitness {
    /// Who removed it.
    pub(super) by: String,
    /// The keys of the teams of which nobody has answered on the task since.
    pub(super) teams: Vec<String>,
}

/// The latest word of a person for a team, which stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingWord {
    /// Whose it is.
    pub author: Phid<User>,
    /// The key of the team.
    pub team: String,
    /// Yes, never mind, or no.
    pub kind: AnswerKind,
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// Whether a no of this person stops a deploy.
    pub may_reject: bool,
}

/// The words that stand on a task.
pub fn standing_words(evidence: &Evidence, policy: &Policy, task_state: &TaskState) -> Vec<StandingWord> {
    let bench = ApprovalEvaluator { evidence, policy, task_state, as_of: None, now: evidence.now, hide: true };
    let words = bench.latest().into_iter().map(|((author, team), answer)| StandingWord {
        author: author.clone(),
        team,
        kind: answer.kind,
        transaction: answer.moment.transaction,
        may_reject: bench.may_reject(author),
    });
    words.collect()
}

/// The latest word of each person for each team.
type Latest<'a> = BTreeMap<(&'a Phid<User>, String), &'a Answer>;

/// The teams of each no by its author and reason, and when it was said last.
type Rejections<'a> = BTreeMap<(&'a Phid<User>, &'a str), (Vec<String>, Timestamp)>;

/// What stays the same while answers are judged.
pub(super) struct ApprovalEvaluator<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) policy: &'a Policy,
    pub(super) task_state: &'a TaskState,
    /// The moment that is judged; none is now.
    pub(super) as_of: Option<AsOf>,
    /// The time that ages are measured against.
    pub(super) now: Timestamp,
    /// Texts of the task are not to be shown.
    pub(super) hide: bool,
}

impl ApprovalEvaluator<'_> {
    /// Judges every answer on the task and every attestation.
    pub(super) fn judge(&self) -> JudgedApproval {
        let latest = self.latest();
        let mut approvals: Vec<Approval> = Vec::new();
        let mut rejections: Rejections<'_> = BTreeMap::new();
        for ((author, team), answer) in &latest {
            match answer.kind {
                // That nothing speaks against it is why it is the latest word.
                AnswerKind::Approve if answer.is_witnessed() => approvals.push(self.approval(answer, team, None)),
                AnswerKind::Approve => approvals.push(self.approval(answer, team, self.against(answer, team))),
                AnswerKind::Withdraw | AnswerKind::Reject => {
                    if let Some(taken_back) = self.approved_before(answer, team) {
                        let why = match answer.kind {
                            AnswerKind::Reject => WhyNot::Rejected,
                            _ => WhyNot::Withdrawn,
                        };
                        approvals.push(self.approval(taken_back, team, Some(why)));
                    }
                    if answer.kind == AnswerKind::Reject {
                        let said = answer.moment.time;
                        let (teams, time) = rejections.entry((author, &answer.why)).or_insert((Vec::new(), said));
                        teams.push(team.clone());
                        *time = said.max(*time);
                    }
                }
            }
        }
        for answer in &self.task_state.answers {
            match (answer.kind, &answer.teams) {
                (AnswerKind::Approve, Teams::NotUnderstood(written)) => {
                    let mine = self.teams_of(&answer.author);
                    let example = mine.first().copied().or(self.policy.teams.first()).map(|team| team.key.clone());
                    let why = WhyNot::NotUnderstood { example: example.unwrap_or_default() };
                    let written = match self.hide {
                        true => "(hidden)".to_owned(),
                        false => crate::text::shorten(written, 120),
                    };
                    approvals.push(self.approval(answer, &written, Some(why)));
                }
                (AnswerKind::Approve, Teams::Named(teams)) if answer.foreign => {
                    approvals.extend(teams.iter().map(|team| self.approval(answer, team, Some(WhyNot::Foreign))));
                }
                _ => {}
            }
        }
        approvals.extend(self.idle_witnessed());
        approvals.sort_by_key(|approval| approval.transaction);
        let attested = self.evidence.attestations.iter().map(|attestation| self.attested(attestation));
        approvals.extend(attested);
        let rejections = rejections.into_iter().map(|((author, why), (teams, time))| Rejection {
            author: author.clone(),
            teams,
            time,
            why: why.to_owned(),
            removed_by: None,
            was_heard: self.was_heard(author, why),
            counts: self.may_reject(author),
        });
        JudgedApproval {
            approvals,
            rejections: rejections.chain(self.hidden_rejections()).collect(),
            lost_witness: self.lost_witness(),
        }
    }

    /// Whether a no of this person for this reason was said on IRC each time.
    fn was_heard(&self, author: &Phid<User>, why: &str) -> bool {
        let mut answers = self.task_state.answers.iter().filter(|answer| answer.author == *author && answer.why == why);
        answers.all(|answer| answer.kind != AnswerKind::Reject || answer.is_witnessed())
    }

    /// The newest witness that is gone, where a team has not answered on the task since.
    fn lost_witness(&self) -> Option<LostWitness> {
        let gone = self.task_state.lost_witnesses.iter().max_by_key(|gone| gone.removed.position)?;
        let anew = |team: &&Team| {
            let answers = self.task_state.answers.iter().filter(|answer| answer.certain && !answer.is_witnessed());
            let mut since = answers.filter(|answer| answer.moment.position > gone.removed.position);
            let is_of = |answer: &Answer| {
                let account = self.evidence.accounts.get(&answer.author);
                account.is_some_and(Account::is_enabled_person) && self.is_in(&answer.author, team)
            };
            since.any(is_of)
        };
        let asked = self.policy.teams.iter().filter(|team| team.role == Role::Approve);
        let teams: Vec<String> = asked.filter(|team| !anew(team)).map(|team| team.key.clone()).collect();
        (!teams.is_empty()).then(|| LostWitness { by: self.evidence.name_of(&gone.by), teams })
    }

    /// Whether a person is in a team, as far as that is known.
    fn is_in(&self, person: &Phid<User>, team: &Team) -> bool {
        self.evidence.teams.get(&team.key).is_some_and(|project| project.members.contains(person))
    }

    /// Comments of members that may have been a no and cannot be read any more: those that somebody else removed, since
    /// only who says no takes it back, and those that stood at the moment that is judged and are gone by now.
    fn hidden_rejections(&self) -> impl Iterator<Item = Rejection> {
        let unknown = |gone: &&Removal| gone.stood || gone.by != gone.author;
        self.task_state.removals.iter().filter(unknown).filter_map(|gone| {
            let author = Phid::new(gone.author.clone()).ok()?;
            let anew = |answer: &Answer| {
                let is_own = answer.author == author && !answer.is_witnessed();
                is_own && answer.certain && answer.moment.position > gone.spoken.position
            };
            if !self.may_reject(&author) || self.task_state.answers.iter().any(anew) {
                return None;
            }
            Some(Rejection {
                teams: self.teams_that_may_hold(&author),
                why: String::new(),
                time: gone.spoken.time,
                removed_by: Some(self.evidence.name_of(&gone.by)),
                was_heard: false,
                counts: true,
                author,
            })
        })
    }

    /// Per person and team the latest word stands alone; of several in one place a no is the later one. What is not
    /// understood of a no or a withdrawal is for all teams of its author.
    fn latest(&self) -> Latest<'_> {
        let mut latest: Latest<'_> = BTreeMap::new();
        for answer in &self.task_state.answers {
            let teams = match (&answer.teams, answer.kind) {
                (Teams::Named(teams), _) => teams.clone(),
                (Teams::NotUnderstood(_), AnswerKind::Approve) => continue,
                (Teams::NotUnderstood(_), _) => self.teams_that_may_hold(&answer.author),
            };
            // What somebody else edited into a comment cannot lift what its author said.
            if answer.foreign && answer.kind == AnswerKind::Approve {
                continue;
            }
            for team in teams {
                let slot = latest.entry((&answer.author, team)).or_insert(answer);
                if displaces(answer, slot) {
                    *slot = answer;
                }
            }
        }
        // A yes that does not count stands in the place of nothing: least of all of a no.
        for (witnessed, team) in self.witnessed() {
            if self.against_witnessed(witnessed, team).is_none() {
                let answer = &witnessed.answer;
                let slot = latest.entry((&answer.author, team.to_owned())).or_insert(answer);
                if displaces(answer, slot) {
                    *slot = answer;
                }
            }
        }
        latest
    }

    /// Each yes that a witness wrote down, for each of its teams.
    fn witnessed(&self) -> impl Iterator<Item = (&WitnessedApproval, &str)> {
        let named = |witnessed: &'_ WitnessedApproval| match &witnessed.answer.teams {
            Teams::Named(teams) => teams.clone(),
            Teams::NotUnderstood(_) => Vec::new(),
        };
        let known = move |witnessed| {
            named(witnessed).into_iter().filter_map(|team| Some(self.policy.team(&team)?.key.as_str()))
        };
        self.task_state.witnessed.iter().flat_map(move |witnessed| known(witnessed).map(move |team| (witnessed, team)))
    }

    /// Those that do not count, each with why.
    fn idle_witnessed(&self) -> impl Iterator<Item = Approval> {
        self.witnessed().filter_map(|(witnessed, team)| {
            Some(self.approval(&witnessed.answer, team, Some(self.against_witnessed(witnessed, team)?)))
        })
    }

    /// What speaks against a yes that a witness wrote down. What they had not seen when they said it came after it.
    fn against_witnessed(&self, witnessed: &WitnessedApproval, team: &str) -> Option<WhyNot> {
        let WitnessedApproval { answer, posted, fault, was_restricted } = witnessed;
        let known = self.policy.team(team)?;
        let is_restricted = *was_restricted || self.evidence.was_restricted(&self.policy.open_spaces, self.as_of);
        let lost = self.task_state.lost_witnesses.iter().any(|gone| gone.removed.position >= posted.position);
        self.against_person(self.evidence.accounts.get(&answer.author), &answer.author, known)
            .or_else(|| (!self.policy.accept_witnessed).then_some(WhyNot::KindNotAccepted { kind: "witnessed" }))
            .or_else(|| fault.map(|fault| WhyNot::Witness { fault }))
            .or_else(|| is_restricted.then_some(WhyNot::WitnessedRestricted))
            .or_else(|| lost.then_some(WhyNot::WitnessLost))
            .or_else(|| self.against_moment(answer))
            .or_else(|| self.said_later(answer, team))
    }

    fn approved_before(&self, answer: &Answer, team: &str) -> Option<&Answer> {
        self.task_state.answers.iter().rev().find(|earlier| {
            earlier.kind == AnswerKind::Approve
                && earlier.author == answer.author
                && earlier.moment.position <= answer.moment.position
                && matches!(&earlier.teams, Teams::Named(teams) if teams.iter().any(|named| named == team))
        })
    }

    fn approval(&self, answer: &Answer, team: &str, why_not: Option<WhyNot>) -> Approval {
        Approval {
            team: team.to_owned(),
            user: self.evidence.name_of(answer.author.as_str()),
            phid: Some(answer.author.clone()),
            kind: if answer.is_witnessed() { ApprovalKind::Witnessed } else { ApprovalKind::Verified },
            why_not,
            transaction: Some(answer.moment.transaction),
            time: answer.moment.time,
            evidence: None,
        }
    }

    /// What speaks against an approval that is the latest word of its author.
    fn against(&self, answer: &Answer, team: &str) -> Option<WhyNot> {
        let team = self.policy.team(team)?;
        self.against_person(self.evidence.accounts.get(&answer.author), &answer.author, team)
            .or_else(|| (!self.policy.accept_verified).then_some(WhyNot::KindNotAccepted { kind: "verified" }))
            .or_else(|| self.against_moment(answer))
    }

    /// What happened since an approval was given that speaks against it.
    fn against_moment(&self, answer: &Answer) -> Option<WhyNot> {
        let ApprovalEvaluator { evidence, policy, task_state, now, .. } = self;
        let position = answer.moment.position;
        let gone = task_state
            .removals
            .iter()
            .any(|gone| gone.author == answer.author.as_str() && gone.spoken.position >= position);
        if gone {
            return Some(WhyNot::CommentRemoved);
        }
        if let Some(near) = self.doubt(answer) {
            let what = if near.kind == NearKind::No { "a no" } else { "a withdrawal" };
            return Some(WhyNot::Doubted { what });
        }
        match task_state.tagged {
            Tagged::Since(since) if since.position >= position => return Some(WhyNot::BeforeTag),
            Tagged::Since(_) => {}
            Tagged::Until(_) | Tagged::Never => return Some(WhyNot::NoTag),
        }
        let change = task_state.last_material_change.as_ref();
        if let Some(change) = change.filter(|change| change.moment.position >= position) {
            return Some(WhyNot::Outdated { what: changed(change.what, &evidence.name_of(&change.author)) });
        }
        let age = now.duration_since(answer.moment.time);
        (age > policy.max_age).then(|| WhyNot::TooOld { age: rough(age), limit: rough(policy.max_age) })
    }

    /// What speaks against anybody's approval for a team, whatever they wrote.
    pub(super) fn against_person(&self, account: Option<&Account>, phid: &Phid<User>, team: &Team) -> Option<WhyNot> {
        if team.role == Role::Inform {
            return Some(WhyNot::OnlyInformed { team: team.title.clone() });
        }
        let Some(account) = account else { return Some(WhyNot::NoAccount) };
        if account.is_bot() {
            return Some(WhyNot::Bot);
        }
        if !account.is_enabled_person() {
            return Some(WhyNot::NotEnabled);
        }
        if let Some(why) = self.against_self_approval(account) {
            return Some(why);
        }
        (!self.is_in(phid, team)).then(|| WhyNot::NotMember { team: team.title.clone() })
    }

    fn attested(&self, attestation: &Attestation) -> Approval {
        let Attestation { team, name, account, evidence: link } = attestation;
        let phid = account.as_ref().map(|account| account.phid.clone());
        let why_not = match (&phid, self.policy.team(team)) {
            (Some(phid), Some(known)) => {
                self.spoke_themselves(phid, team).or_else(|| self.against_person(account.as_ref(), phid, known))
            }
            _ => Some(WhyNot::NoAccount),
        };
        let accepted = self.policy.accept_attested;
        let tagged = matches!(self.task_state.tagged, Tagged::Since(_));
        let why_not = why_not
            .or_else(|| (!accepted).then_some(WhyNot::KindNotAccepted { kind: "attested" }))
            .or_else(|| (!tagged).then_some(WhyNot::NoTag));
        Approval {
            team: team.clone(),
            user: crate::text::inert(account.as_ref().map_or(name, |account| &account.username)),
            phid,
            kind: ApprovalKind::Attested,
            why_not,
            transaction: None,
            time: self.now,
            evidence: link.clone(),
        }
    }

    /// The teams of the policy that a person is in.
    pub(super) fn teams_of(&self, person: &Phid<User>) -> Vec<&Team> {
        self.policy.teams.iter().filter(|team| self.is_in(person, team)).collect()
    }

    /// The keys of the teams for which a word that is not understood counts: those that its author is in or may be in;
    /// for somebody who is in none, all of them, so that it is shown.
    fn teams_that_may_hold(&self, person: &Phid<User>) -> Vec<String> {
        let teams = &self.policy.teams;
        let may =
            |team: &&Team| self.evidence.teams.get(&team.key).is_none_or(|project| project.members.contains(person));
        let keys: Vec<String> = teams.iter().filter(may).map(|team| team.key.clone()).collect();
        if keys.is_empty() { teams.iter().map(|team| team.key.clone()).collect() } else { keys }
    }

    /// Whether a no of this person stops the deploy: they are in a team, or in one that could not be read.
    pub(super) fn may_reject(&self, author: &Phid<User>) -> bool {
        let person = self.evidence.accounts.get(author).is_none_or(Account::is_enabled_person);
        let unread = self.policy.teams.iter().any(|team| !self.evidence.teams.contains_key(&team.key));
        person && (unread || !self.teams_of(author).is_empty())
    }
}

/// Whether a word stands in place of an earlier one of the same person for the same team.
fn displaces(answer: &Answer, standing: &Answer) -> bool {
    let later = (answer.moment.position, weight(answer.kind)) >= (standing.moment.position, weight(standing.kind));
    // An edit that is a no or takes back a yes wins its second; it must not win that in which a no was said.
    let tied = answer.edited_in && answer.moment.time == standing.moment.time;
    let lifts = answer.kind == AnswerKind::Withdraw && standing.kind == AnswerKind::Reject;
    let is_unseen = answer.seen.is_some_and(|seen| !seen.includes(standing));
    later && !(lifts && (tied || !answer.certain || is_unseen))
}

/// Of several words in one place, the one that speaks against the deploy is the last.
fn weight(kind: AnswerKind) -> u8 {
    match kind {
        AnswerKind::Approve => 0,
        AnswerKind::Withdraw => 1,
        AnswerKind::Reject => 2,
    }
}

fn changed(what: Changed, author: &str) -> String {
    let what = match what {
        Changed::Stated(Key::Reason) => "the reason was",
        Changed::Stated(Key::Deployer) => "the stated deployer was",
        Changed::Stated(Key::Action) => "the stated action was",
        Changed::Stated(Key::Change) => "the stated change was",
        Changed::Stated(_) => "what is stated about the deploy was",
        Changed::CommentRemoved => return format!("a comment that may have held the reason was removed by {author}"),
    };
    format!("{what} changed by {author}")
}
