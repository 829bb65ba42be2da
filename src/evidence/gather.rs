//! Gathering: what is asked of the server for one decision, in two rounds of parallel calls.
//!
//! The first round asks for all that can be asked at once: the task, its history, the tag and the teams, the token's
//! owner and the statuses. The second begins once the first three are there, and asks for what only they can show: the
//! accounts of those who answered, what is below the tag and the teams, and what changes of type null were. Responsible
//! for that, and that the parts fit together. Not responsible for what the evidence means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::merge::{Contradiction, merge, name_fields};
use super::question::{Purpose, Question};
use super::timeline::{Timeline, field_text};
use super::{Attestation, Evidence, Tag, answers, deployer, records, removals, witnesses};
use crate::conduit::{
    Account, Change, Client, ConduitError, Failure, Project, Reply, ReportedChanges, Status, Subproject, Task,
    Transaction,
};
use crate::ids::{Phid, Project as ProjectKind, TaskId, User};
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::time::utc;

/// What there was to see.
#[derive(Debug, Clone)]
pub enum Visibility {
    /// The task and all about it.
    Visible(Box<Evidence>),
    /// No task of this number is shown to this account: it is missing or hidden, which a server does not distinguish.
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
    #[error("the server's replies carry no Date: how old an approval is cannot be known")]
    NoClock,
    /// The evidence is later than the server's clock.
    #[error("{task} has a transaction of {time}, and the server's clock says {now}")]
    Later {
        /// The task.
        task: TaskId,
        /// The time of the evidence, for people.
        time: String,
        /// The server's, for people.
        now: String,
    },
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
            Self::NoClock => "check what stands between this host and the server: it drops the header Date",
            Self::Later { .. } => {
                "have an administrator set the clocks of the server: how old an approval is cannot be known until then"
            }
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

async fn gather_once(client: &Client, policy: &Policy, question: &Question) -> Result<Visibility, GatherError> {
    // What the second round asks does not hang on who asks and on the statuses: it does not wait for them.
    let (subject, owner, statuses) =
        tokio::join!(read_subject(client, policy, question), client.whoami(), client.statuses());
    let local = Timestamp::now();
    // A refused token fails every call: its own call says it best.
    let Reply { result: owner, date } = owner?;
    let subject = subject?;
    let now = date.into_iter().chain(subject.date).max().ok_or(GatherError::NoClock)?;
    let Some(found) = subject.result else { return Ok(Visibility::NotVisible { owner, now }) };
    let skew = local.duration_since(now);
    let accounts = found.accounts.into_iter().chain([owner.clone()]);
    let mut evidence = Evidence {
        task: Arc::new(found.task),
        timeline: Arc::new(found.history),
        tag: found.tag,
        teams: Arc::new(found.teams),
        accounts: Arc::new(accounts.map(|account| (account.phid.clone(), account)).collect()),
        purpose: question.purpose,
        candidates: Vec::new(),
        pipeline: Vec::new(),
        asker: Vec::new(),
        deployers: question.deployers.clone(),
        attestations: Vec::new(),
        local_deploys: Ok(Vec::new()),
        statuses: Arc::new(statuses?.into_iter().map(|Status { value, closed }| (value, closed)).collect()),
        now,
        // Dates are whole seconds: less than one is no skew.
        skew: if skew.abs() < SignedDuration::from_secs(2) { SignedDuration::ZERO } else { skew },
        owner,
    };
    name_people(question, policy, &mut evidence);
    later(&evidence)?;
    if evidence.unexposed(policy).any() {
        // It cannot lead to the task; the rule `server` says why.
        return Ok(Visibility::Visible(Box::new(evidence)));
    }
    match differences(&evidence, policy) {
        differences if differences.is_empty() => Ok(Visibility::Visible(Box::new(evidence))),
        differences => Err(GatherError::Torn { task: question.task, what: differences.join(", ") }),
    }
}

/// How much later than the server's clock evidence may be: machines of one server differ by seconds.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Evidence that is later than the server's clock contradicts it: one of the two is wrong, and with them every age.
///
/// # Errors
/// Where something on the task is later than now by more than that.
pub(crate) fn later(evidence: &Evidence) -> Result<(), GatherError> {
    let Evidence { task, timeline, now, .. } = evidence;
    let rows = timeline.transactions().iter();
    let times = rows.flat_map(|row| row.comments.iter().map(|version| version.created).chain([row.created]));
    let newest = times.chain([task.modified]).max().unwrap_or(task.created);
    match newest.duration_since(*now) > AHEAD {
        false => Ok(()),
        true => Err(GatherError::Later { task: task.id, time: utc(newest), now: utc(*now) }),
    }
}

/// The task, and all that hangs on it.
struct Subject {
    task: Task,
    history: Timeline,
    tag: Option<Tag>,
    teams: BTreeMap<String, Project>,
    accounts: Vec<Account>,
}

/// Reads the task with its history, the tag and the teams, and then who answered, what is below the projects and what the
/// history leaves null. `None` where the task is not visible.
async fn read_subject(
    client: &Client,
    policy: &Policy,
    question: &Question,
) -> Result<Reply<Option<Subject>>, GatherError> {
    let mut slugs: Vec<&str> = [policy.tag.as_str()].into();
    slugs.extend(policy.teams.iter().map(|team| team.project.as_str()));
    slugs.sort_unstable();
    slugs.dedup();
    let (task, history, projects) =
        tokio::join!(client.task(question.task), client.history(question.task), client.projects_by_slug(&slugs));
    let Reply { result: task, date } = task?;
    let Some(task) = task else { return Ok(Reply { result: None, date }) };
    let Reply { result: history, date: read_last } = history?;
    belongs(&task, &history)?;
    let projects = projects?;
    let phid = projects.of(&policy.tag).map(|project| project.phid.clone());
    let teams = policy.teams.iter().filter_map(|team| Some((team.key.clone(), projects.of(&team.project)?.clone())));
    let mut subject = Subject {
        task,
        history: Timeline::new(history),
        tag: phid.map(|phid| Tag { family: [phid.clone()].into(), phid }),
        teams: teams.collect(),
        accounts: Vec::new(),
    };
    subject.look_up(client, policy, question).await?;
    Ok(Reply { result: Some(subject), date: date.max(read_last) })
}

/// The history must be that of the task: a parameter that a server drops makes it answer something else.
fn belongs(task: &Task, history: &[Transaction]) -> Result<(), ConduitError> {
    let unexpected = |why: String| ConduitError { method: "transaction.search".into(), kind: Failure::Unexpected(why) };
    match history.iter().find(|row| row.task != task.phid) {
        Some(_) => Err(unexpected(format!("the history of {} is that of another task", task.id))),
        None if history.is_empty() => Err(unexpected(format!("{} has no history at all", task.id))),
        None => Ok(()),
    }
}

/// The most accounts that one call returns.
const PAGE: usize = 100;

impl Subject {
    /// The second round: the accounts that matter, what is below the tag and the teams, and what is null in the history.
    async fn look_up(&mut self, client: &Client, policy: &Policy, question: &Question) -> Result<(), GatherError> {
        let people = self.people(policy);
        let names = names(question, &self.task, &self.history);
        let above: BTreeSet<_> =
            self.teams.values().map(|team| &team.phid).chain(self.tag.iter().map(|tag| &tag.phid)).collect();
        let above: Vec<_> = above.into_iter().cloned().collect();
        let field = policy.field.as_deref();
        let (accounts, below, named, older) = tokio::join!(
            client.users(&people),
            client.descendants(&above),
            client.users_named(&names),
            older_changes(client, &self.task, &self.history, field),
        );
        self.accounts = accounts?;
        self.accounts.extend(named?);
        let below = below?;
        if let Some(tag) = &mut self.tag {
            tag.family.extend(phids_below(&tag.phid, &below));
        }
        self.teams.values_mut().for_each(|team| team.place(&below));
        let mut history = std::mem::replace(&mut self.history, Timeline::new(Vec::new())).into_transactions();
        if let Some(changes) = older? {
            merge(&mut history, &changes).map_err(|error| contradiction(&error))?;
        }
        name_fields(&mut history, &self.task, field);
        self.history = Timeline::new(history);
        Ok(())
    }

    /// Whose accounts are asked for: all whose words may matter; and, as far as one call takes them, everybody who may be
    /// named for what they did, the members of the teams, who can be named to a deployer looking for an approver, and all
    /// others who commented.
    fn people(&self, policy: &Policy) -> Vec<Phid<User>> {
        let timeline = &self.history;
        let user = |phid: &str| Phid::new(phid).ok();
        let recorded = records::comments(timeline, None).filter_map(|comment| user(&comment.transaction.author));
        let gone = removals::removals(timeline, None);
        let mut people: BTreeSet<Phid<User>> =
            answers::answers(timeline, policy, None).into_iter().map(|answer| answer.author).collect();
        people.extend(recorded);
        people.extend(witnesses::accounts(timeline));
        // A comment that is gone may have been a recorder's.
        people.extend(gone.iter().filter_map(|gone| user(&gone.author)));
        people.insert(self.task.author.clone());
        let rows = || timeline.transactions().iter();
        let commented = || rows().filter(|row| !row.comments.is_empty()).filter_map(|row| user(&row.author));
        let members: BTreeSet<_> = self.teams.values().flat_map(|team| &team.members).collect();
        let spoke = commented().filter(|author| members.contains(author));
        let removed = gone.iter().filter_map(|gone| user(&gone.by));
        let edited = rows().flat_map(|row| &row.comments).filter_map(|version| user(&version.author));
        let changed = rows().filter(|row| row.change != Change::Other).filter_map(|row| user(&row.author));
        let named = spoke.chain(removed).chain(changed).chain(edited);
        // A recorder names who deploys, who may have done nothing on the task.
        let deployers = records::comments(timeline, None).filter_map(|comment| match comment.claim() {
            Parsed::Record(record) => record.deployer.as_ref()?.phid.clone(),
            _ => None,
        });
        for person in named.chain(members.iter().copied().cloned()).chain(deployers).chain(commented()) {
            if people.len() < PAGE {
                people.insert(person);
            }
        }
        people.into_iter().collect()
    }
}

/// Those of these projects that are below this one.
pub(crate) fn phids_below<'a>(
    above: &'a Phid<ProjectKind>,
    projects: &'a [Subproject],
) -> impl Iterator<Item = Phid<ProjectKind>> + 'a {
    projects.iter().filter(|project| project.ancestors.contains(above)).map(|project| project.phid.clone())
}

/// What the old method returns of a history in which something that may matter is null; `None` where nothing is, or
/// where the server refuses it: then that stays unknown.
async fn older_changes(
    client: &Client,
    task: &Task,
    history: &Timeline,
    field: Option<&str>,
) -> Result<Option<Vec<ReportedChanges>>, ConduitError> {
    if !history.unexposed(task, field).any() {
        return Ok(None);
    }
    match client.older_changes(&[task.id]).await {
        Ok(mut by_task) => Ok(by_task.remove(&task.id)),
        Err(error) if matches!(error.kind, Failure::Refused { .. }) && !error.is_credentials() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn contradiction(error: &Contradiction) -> ConduitError {
    Client::unexpected("maniphest.gettasktransactions", error.to_string())
}

/// The names whose accounts have to be looked up: those that were given, and those that the task may state.
fn names(question: &Question, task: &Task, timeline: &Timeline) -> Vec<String> {
    let calling = question.calling_user.iter().chain(question.pipeline.iter());
    let given = question.deployer.iter().chain(calling.filter(|_| question.asker_matters()));
    let names = given.chain(question.attestations.iter().map(|(_, name, _)| name)).cloned();
    names.chain(deployer::stated_names(task, timeline)).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Question {
    /// Whether it makes a difference who asks: not where somebody else is named, and nobody deploys.
    fn asker_matters(&self) -> bool {
        self.purpose != Purpose::Read || self.deployer.is_none()
    }
}

/// Gives the evidence who could be behind the deploy and whom the deployer names as approvers.
fn name_people(question: &Question, policy: &Policy, evidence: &mut Evidence) {
    let attested = question.attestations.iter().map(|(team, name, link)| Attestation {
        team: team.clone(),
        name: name.clone(),
        account: evidence.account_named(name).cloned(),
        evidence: link.clone(),
    });
    evidence.attestations = attested.collect();
    deployer::name(question, policy, evidence);
}

/// In what the history does not end at the task as it is now.
pub(crate) fn differences(evidence: &Evidence, policy: &Policy) -> Vec<&'static str> {
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
