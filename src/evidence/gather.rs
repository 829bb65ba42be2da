//! Gathering: what is asked of the server for one decision, in two rounds of parallel calls.
//!
//! The first round asks for all that can be asked at once: the task, its history, the tag and the teams, the token's
//! owner and the statuses. The second asks for what only the first can tell: the accounts of those who answered, and
//! whether a project that the task carries belongs to the tag. In the room: that, and that the parts fit together.
//! Not in the room: what the evidence means.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::records;
use super::story::{AnswerKind, Story, Tagged};
use super::timeline::{Timeline, field_text};
use super::{Attestation, Candidate, Evidence, Tag};
use crate::conduit::{Account, Change, Client, ConduitError, Project, Reply, Status, Task, Transaction};
use crate::ids::{Phid, Project as ProjectKind, TaskId, User};
use crate::policy::Policy;
use crate::record::DeployerSource;

/// What is to be decided, and what the deployer says about it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The task.
    pub task: TaskId,
    /// Who deploys, from `--deployer`.
    pub deployer: Option<String>,
    /// Who deploys, from the configuration's map of calling users.
    pub calling_user: Option<String>,
    /// Approvals that the deployer names: the key of the team, the username, where it can be looked up.
    pub attestations: Vec<(String, String, Option<String>)>,
}

/// What there was to see.
#[derive(Debug, Clone)]
pub enum Visibility {
    /// The task and all about it.
    Visible(Box<Evidence>),
    /// No task of this number is shown to this account: it is missing or hidden, which a server does not tell apart.
    NotVisible {
        /// Whose token it was asked with.
        owner: Account,
        /// When, by the server's clock.
        now: Timestamp,
    },
}

/// Evidence that could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatherError {
    /// A call gave no usable answer.
    #[error(transparent)]
    Conduit(#[from] ConduitError),
    /// The server's replies carry no time.
    #[error("the server's replies carry no Date: what an approval's age is cannot be known")]
    NoClock,
    /// The history does not end at the task as it is now.
    #[error("the history of {task} does not lead to the task as it is: {what} differ")]
    Torn {
        /// The task.
        task: TaskId,
        /// What differs.
        what: String,
    },
}

impl GatherError {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Conduit(error) => error.hint(),
            Self::NoClock => "check what stands between this host and the tracker: it drops the header Date",
            Self::Torn { .. } => {
                "try again: the task is being edited, or this server tells less of its history than is needed"
            }
        }
    }
}

/// How often a task is read before its history is given up as torn.
const READS: usize = 2;

/// Gathers the evidence for one decision.
///
/// # Errors
/// Where any part of it could not be read whole.
pub async fn gather(client: &Client, policy: &Policy, question: &Question) -> Result<Visibility, GatherError> {
    let mut read = gather_once(client, policy, question).await;
    for _ in 1..READS {
        if matches!(read, Err(GatherError::Torn { .. })) {
            read = gather_once(client, policy, question).await;
        }
    }
    read
}

/// What the first round tells.
struct First {
    task: Task,
    timeline: Timeline,
    projects: crate::conduit::Projects,
    owner: Account,
    closed: BTreeSet<String>,
    now: Timestamp,
    skew: SignedDuration,
}

async fn gather_once(client: &Client, policy: &Policy, question: &Question) -> Result<Visibility, GatherError> {
    let first = match first_round(client, policy, question).await? {
        Ok(first) => first,
        Err(not_visible) => return Ok(not_visible),
    };
    let tag = first.projects.of(&policy.tag).map(|project| project.phid.clone());
    let teams =
        policy.teams.iter().filter_map(|team| Some((team.key.clone(), first.projects.of(&team.project)?.clone())));
    let mut evidence = Evidence {
        tag: tag.map(|phid| Tag { family: [phid.clone()].into(), phid }),
        teams: teams.collect(),
        accounts: BTreeMap::new(),
        candidates: Vec::new(),
        attestations: Vec::new(),
        task: first.task,
        timeline: first.timeline,
        owner: first.owner,
        closed: first.closed,
        now: first.now,
        skew: first.skew,
    };
    second_round(client, policy, question, &mut evidence).await?;
    match differences(&evidence, policy) {
        differences if differences.is_empty() => Ok(Visibility::Visible(Box::new(evidence))),
        differences => Err(GatherError::Torn { task: question.task, what: differences.join(", ") }),
    }
}

async fn first_round(
    client: &Client,
    policy: &Policy,
    question: &Question,
) -> Result<Result<First, Visibility>, GatherError> {
    let mut slugs: Vec<&str> = [policy.tag.as_str()].into();
    slugs.extend(policy.teams.iter().map(|team| team.project.as_str()));
    slugs.sort_unstable();
    slugs.dedup();
    let (task, history, projects, owner, statuses) = tokio::join!(
        client.task(question.task),
        client.history(question.task),
        client.projects_by_slug(&slugs),
        client.whoami(),
        client.statuses(),
    );
    let local = Timestamp::now();
    // A refused token fails every call: its own call says it best.
    let Reply { result: owner, date: owner_date } = owner?;
    let Reply { result: task, date } = task?;
    let now = date.into_iter().chain(owner_date).max().ok_or(GatherError::NoClock)?;
    let Some(task) = task else { return Ok(Err(Visibility::NotVisible { owner, now })) };
    let Reply { result: history, date: read_last } = history?;
    belongs(&task, &history)?;
    let closed = |status: Status| status.closed.then_some(status.value);
    let now = read_last.map_or(now, |read_last| read_last.max(now));
    let skew = local.duration_since(now);
    Ok(Ok(First {
        task,
        timeline: Timeline::new(history),
        projects: projects?,
        owner,
        closed: statuses?.into_iter().filter_map(closed).collect(),
        now,
        // Dates are whole seconds: less than one is no skew.
        skew: if skew.abs() < SignedDuration::from_secs(2) { SignedDuration::ZERO } else { skew },
    }))
}

/// The history must be that of the task: a parameter that a server drops makes it answer something else.
fn belongs(task: &Task, history: &[Transaction]) -> Result<(), ConduitError> {
    let unexpected = |why: String| ConduitError {
        method: "transaction.search".into(),
        kind: crate::conduit::Failure::Unexpected(why),
    };
    match history.iter().find(|row| row.task != task.phid) {
        Some(row) => Err(unexpected(format!("asked for {} and got {}", task.phid, row.task))),
        None if history.is_empty() => Err(unexpected(format!("{} has no history at all", task.id))),
        None => Ok(()),
    }
}

async fn second_round(
    client: &Client,
    policy: &Policy,
    question: &Question,
    evidence: &mut Evidence,
) -> Result<(), GatherError> {
    let people = people(evidence, policy);
    let unplaced = unplaced_projects(evidence, policy);
    let names = names(question, &evidence.owner);
    // Seven calls are enough: names are looked up beside the rest, but where the projects need a call as well, most
    // often the accounts that are read anyway hold the name.
    let names_now: &[String] = if unplaced.is_empty() { &names } else { &[] };
    let (accounts, ancestors, named) =
        tokio::join!(client.users(&people), client.projects_with_ancestors(&unplaced), client.users_named(names_now),);
    let mut accounts = accounts?;
    accounts.extend(named?);
    let is_known = |name: &String| accounts.iter().any(|account| account.is_named(name));
    if names_now.is_empty() && !names.iter().all(is_known) {
        accounts.extend(client.users_named(&names).await?);
    }
    if let Some(tag) = &mut evidence.tag {
        let inside = ancestors?.into_iter().filter(|project: &Project| project.ancestors.contains(&tag.phid));
        tag.family.extend(inside.map(|project| project.phid));
    }
    let named = |name: &str| {
        let found = accounts.iter().find(|account| account.is_named(name));
        found.or(Some(&evidence.owner).filter(|owner| owner.is_named(name))).cloned()
    };
    let stated = [(&question.deployer, DeployerSource::Flag), (&question.calling_user, DeployerSource::CallingUser)];
    let mut candidates = Vec::new();
    for (name, source) in stated {
        candidates.extend(name.as_ref().map(|name| Candidate { name: name.clone(), account: named(name), source }));
    }
    let owner = &evidence.owner;
    let is_recorder = policy.recorders.iter().any(|recorder| owner.is_named(recorder));
    if !owner.is_bot() && !is_recorder {
        let candidate =
            Candidate { name: owner.username.clone(), account: Some(owner.clone()), source: DeployerSource::Token };
        // The order is that of the sources: the flag, the token, the calling user.
        let place = usize::from(question.deployer.is_some());
        candidates.insert(place, candidate);
    }
    let attested = question.attestations.iter().map(|(team, name, link)| Attestation {
        team: team.clone(),
        name: name.clone(),
        account: named(name),
        evidence: link.clone(),
    });
    evidence.attestations = attested.collect();
    evidence.candidates = candidates;
    evidence.accounts = accounts.into_iter().map(|account| (account.phid.clone(), account)).collect();
    evidence.accounts.insert(evidence.owner.phid.clone(), evidence.owner.clone());
    Ok(())
}

/// The most accounts that one call returns.
const PAGE: usize = 100;

/// Whose accounts are asked for: all whose words may matter, and as many members of the teams as fit, who can be
/// named to a deployer looking for an approver.
fn people(evidence: &Evidence, policy: &Policy) -> Vec<Phid<User>> {
    let Story { answers, removals, .. } = Story::read(evidence, policy, None);
    let recorded = records::comments(&evidence.timeline, None).map(|comment| comment.transaction.author.clone());
    let mut people: BTreeSet<_> = answers.into_iter().map(|answer| answer.author).collect();
    people.extend(recorded.filter_map(|author| Phid::new(author).ok()));
    // A comment that is gone may have been a recorder's.
    people.extend(removals.into_iter().filter_map(|gone| Phid::new(gone.author).ok()));
    people.insert(evidence.task.author.clone());
    let members: BTreeSet<_> = evidence.teams.values().flat_map(|team| team.members.iter().cloned()).collect();
    for member in members {
        if people.len() < PAGE {
            people.insert(member);
        }
    }
    people.into_iter().collect()
}

/// The names whose accounts have to be looked up; the token's owner is known already.
fn names(question: &Question, owner: &Account) -> Vec<String> {
    let given = question.deployer.iter().chain(&question.calling_user);
    let names = given.chain(question.attestations.iter().map(|(_, name, _)| name));
    names.filter(|name| !owner.is_named(name)).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The projects of which it has to be known whether they belong to the tag: none where the tag itself stands on the
/// task since before the first approval, which is so nearly always.
fn unplaced_projects(evidence: &Evidence, policy: &Policy) -> Vec<Phid<ProjectKind>> {
    let Some(tag) = &evidence.tag else { return Vec::new() };
    let story = Story::read(evidence, policy, None);
    if let Tagged::Since(since) = story.tagged {
        let approvals = story.answers.iter().filter(|answer| answer.kind == AnswerKind::Approve);
        if approvals.into_iter().all(|answer| answer.moment.position > since.position) {
            return Vec::new();
        }
    }
    let mut projects: BTreeSet<_> = evidence.task.projects.iter().cloned().collect();
    for transaction in evidence.timeline.transactions() {
        if let Change::Projects { added, removed } = &transaction.change {
            projects.extend(added.iter().chain(removed).cloned());
        }
    }
    projects.remove(&tag.phid);
    projects.into_iter().collect()
}

/// In what the history does not end at the task as it is now.
fn differences(evidence: &Evidence, policy: &Policy) -> Vec<&'static str> {
    let Evidence { task, timeline, .. } = evidence;
    let field = policy.field.as_deref();
    let replayed = timeline.state(task, field, None);
    let carries = |projects: &mut dyn Iterator<Item = &Phid<ProjectKind>>| {
        let family = evidence.tag.as_ref().map(|tag| &tag.family);
        projects
            .filter(|project| family.is_some_and(|family| family.contains(project)))
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let value = field.and_then(|field| task.custom.get(field)).and_then(field_text);
    let parts = [
        ("tags", carries(&mut replayed.projects.iter()) != carries(&mut task.projects.iter())),
        ("descriptions", replayed.description != task.description),
        ("fields", replayed.field != value),
        ("statuses", replayed.status != task.status),
    ];
    parts.into_iter().filter(|(_, differs)| *differs).map(|(part, _)| part).collect()
}
