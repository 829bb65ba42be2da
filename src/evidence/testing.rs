//! Histories for tests, written like a story: who did what, when.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::timeline::{AsOf, Timeline};
use super::{Attestation, Candidate, Evidence, Purpose, Question, Tag, deployer};
use crate::attribution::DeployerSource;
use crate::conduit::{Account, AccountRole, Change, CommentVersion, Project, Task, Transaction};
use crate::ids::{DeployId, Phid, Project as ProjectKind, TaskId, TransactionId, User};
use crate::policy::Policy;
use crate::policy::testing::built_in;
use crate::record::comment::render;
use crate::record::{Deployer, Event, Outcome, Record, SCHEMA};
use crate::witness::{Code, Witness, WitnessedWord};

/// A time, so many seconds into the story.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_391_000 + seconds).unwrap()
}

/// The PHID of a person of the story.
pub(crate) fn person(name: &str) -> Phid<User> {
    Phid::new(format!("PHID-USER-{name}")).unwrap()
}

/// The PHID of a project of the story.
pub(crate) fn project(name: &str) -> Phid<ProjectKind> {
    Phid::new(format!("PHID-PROJ-{name}")).unwrap()
}

/// The record of an event of a deploy by this person.
pub(crate) fn record(deploy: DeployId, event: Event, deployer: &str) -> Record {
    Record {
        schema: SCHEMA.into(),
        deploy,
        event,
        task: TaskId::new(1).unwrap(),
        deployer: Some(Deployer { user: deployer.into(), phid: Some(person(deployer)), source: DeployerSource::Token }),
        behind: vec![],
        pipeline: vec![],
        caller: None,
        host: "deploy1".into(),
        reason: None,
        action: None,
        change: None,
        command: None,
        arguments_hidden: false,
        note: None,
        approvals: vec![],
        informed: vec![],
        verdict: "allowed".into(),
        failed: vec![],
        policy: "sha256:0".into(),
        started: Some(at(100)),
        finished: None,
        outcome: (event == Event::Finished).then_some(Outcome::Succeeded),
        exit: None,
        announced: None,
        share: None,
        drill: false,
        clock: None,
        dropped: 0,
        cut: Vec::new(),
        version: "0.1.0".into(),
    }
}

/// A task's history in the making.
#[derive(Clone)]
pub(crate) struct History {
    rows: Vec<Transaction>,
    now: i64,
    pub(crate) policy: Policy,
    pub(crate) task: Task,
    pub(crate) roles: BTreeMap<String, Vec<AccountRole>>,
    pub(crate) members: BTreeMap<&'static str, Vec<&'static str>>,
    pub(crate) join: &'static str,
    pub(crate) candidates: Vec<(String, DeployerSource)>,
    pub(crate) attested: Vec<(&'static str, &'static str)>,
    pub(crate) owner: &'static str,
    pub(crate) deployers: Vec<String>,
}

impl History {
    /// A task by this author, without tag, reason or answers.
    pub(crate) fn new(author: &str) -> Self {
        let task = Task {
            id: TaskId::new(1).unwrap(),
            phid: Phid::new("PHID-TASK-1").unwrap(),
            title: "All page views fail".into(),
            description: String::new(),
            author: person(author),
            owner: None,
            status: "open".into(),
            view: "users".into(),
            interact: Some("users".into()),
            space: None,
            projects: Vec::new(),
            custom: BTreeMap::new(),
            created: at(0),
            modified: at(0),
        };
        let mut history = Self {
            rows: Vec::new(),
            now: 1_000,
            policy: built_in(),
            task,
            roles: BTreeMap::new(),
            members: BTreeMap::from([
                ("releng", vec!["releng1", "releng2", "both"]),
                ("sre", vec!["sre1", "sre2", "both", "robot", "gone"]),
                ("security", vec!["sec1"]),
            ]),
            join: "admin",
            candidates: vec![("deployer1".into(), DeployerSource::Flag)],
            attested: Vec::new(),
            owner: "phabgate",
            deployers: Vec::new(),
        };
        history.roles.insert("robot".into(), vec![AccountRole::Bot, AccountRole::Activated]);
        history.roles.insert("phabgate".into(), vec![AccountRole::Bot, AccountRole::Activated]);
        history.roles.insert("heard".into(), vec![AccountRole::Bot, AccountRole::Activated]);
        history.roles.insert("gone".into(), vec![AccountRole::Disabled]);
        history.push(author, 0, Change::Other);
        history
    }

    /// A tagged task with a reason, which waits for approvals.
    pub(crate) fn emergency() -> Self {
        let mut history = Self::new("deployer1");
        history.describe("deployer1", 1, "Emergency-Reason: availability - 5xx on every page view");
        history.tag("deployer1", 2, "emergency");
        history
    }

    /// An emergency with both approvals.
    pub(crate) fn ready() -> Self {
        let mut history = Self::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        history
    }

    fn push(&mut self, author: &str, seconds: i64, change: Change) -> TransactionId {
        let id = TransactionId(self.rows.len() as u64 + 1);
        self.rows.push(Transaction {
            id,
            phid: Phid::new(format!("PHID-XACT-TASK-{id}")).unwrap(),
            task: self.task.phid.clone(),
            author: person(author).as_str().to_owned(),
            created: at(seconds),
            change,
            comments: Vec::new(),
        });
        id
    }

    pub(crate) fn unexposed(&mut self, author: &str, seconds: i64) -> TransactionId {
        self.push(author, seconds, Change::Unexposed)
    }

    pub(crate) fn describe(&mut self, author: &str, seconds: i64, text: &str) -> TransactionId {
        let old = std::mem::replace(&mut self.task.description, text.to_owned());
        self.push(author, seconds, Change::Description { old, new: text.to_owned() })
    }

    pub(crate) fn status(&mut self, author: &str, seconds: i64, status: &str) -> TransactionId {
        let old = std::mem::replace(&mut self.task.status, status.to_owned());
        self.push(author, seconds, Change::Status { old: Some(old), new: status.to_owned() })
    }

    /// Merges the task into another one, which closes it without a transaction of its status.
    pub(crate) fn merge(&mut self, author: &str, seconds: i64) -> TransactionId {
        self.task.status = "duplicate".into();
        self.push(author, seconds, Change::Merged)
    }

    pub(crate) fn field(&mut self, author: &str, seconds: i64, value: Option<&str>) -> TransactionId {
        let field = "custom.emergency.reason".to_owned();
        let old = self.task.custom.insert(field.clone(), json!(value)).unwrap_or_default();
        self.push(author, seconds, Change::Custom { field, old, new: json!(value) })
    }

    /// Lets others see the task.
    pub(crate) fn view(&mut self, author: &str, seconds: i64, view: &str) -> TransactionId {
        let old = Some(std::mem::replace(&mut self.task.view, view.to_owned()));
        self.push(author, seconds, Change::View { old, new: Some(view.to_owned()) })
    }

    /// Moves the task to a Space.
    pub(crate) fn space(&mut self, author: &str, seconds: i64, space: &str) -> TransactionId {
        let old = self.task.space.replace(Phid::new(space).unwrap()).map(|old| old.as_str().to_owned());
        self.push(author, seconds, Change::Space { old, new: Some(space.to_owned()) })
    }

    pub(crate) fn tag(&mut self, author: &str, seconds: i64, name: &str) -> TransactionId {
        self.task.projects.push(project(name));
        self.push(author, seconds, Change::Projects { added: vec![project(name)], removed: vec![] })
    }

    pub(crate) fn untag(&mut self, author: &str, seconds: i64, name: &str) -> TransactionId {
        self.task.projects.retain(|tagged| *tagged != project(name));
        self.push(author, seconds, Change::Projects { added: vec![], removed: vec![project(name)] })
    }

    pub(crate) fn comment(&mut self, author: &str, seconds: i64, text: &str) -> TransactionId {
        let id = self.push(author, seconds, Change::Other);
        let version = CommentVersion::new(1, person(author).as_str(), at(seconds), false, text);
        self.rows.last_mut().unwrap().comments.push(version);
        id
    }

    pub(crate) fn edit(&mut self, comment: TransactionId, author: &str, seconds: i64, text: &str) {
        self.version(comment, author, seconds, false, text);
    }

    /// Removes a comment as the server does: the texts of all versions are blank afterwards.
    pub(crate) fn remove(&mut self, comment: TransactionId, author: &str, seconds: i64) {
        self.version(comment, author, seconds, true, "");
        let row = self.rows.iter_mut().find(|row| row.id == comment).unwrap();
        let blank = |v: &CommentVersion| {
            let mut blank = CommentVersion::new(v.version, &v.author, v.created, v.removed, "");
            blank.phid = v.phid.clone();
            blank
        };
        row.comments = row.comments.iter().map(blank).collect();
    }

    fn version(&mut self, comment: TransactionId, author: &str, seconds: i64, removed: bool, text: &str) {
        let row = self.rows.iter_mut().find(|row| row.id == comment).unwrap();
        let number = row.comments.len() as u32 + 1;
        let mut version = CommentVersion::new(number, person(author).as_str(), at(seconds), removed, text);
        version.phid = format!("PHID-XCMT-{comment}-{number}");
        row.comments.insert(0, version);
    }

    /// Moves the task from one project to another in one transaction.
    pub(crate) fn retag(&mut self, author: &str, seconds: i64, from: &str, to: &str) -> TransactionId {
        self.task.projects.retain(|tagged| *tagged != project(from));
        self.task.projects.push(project(to));
        self.push(author, seconds, Change::Projects { added: vec![project(to)], removed: vec![project(from)] })
    }

    /// Puts a version into a comment as it comes, whatever a server would make of it.
    pub(crate) fn put(&mut self, comment: TransactionId, version: CommentVersion) {
        let row = self.rows.iter_mut().find(|row| row.id == comment).unwrap();
        row.comments.push(version);
        row.comments.sort_by_key(|version| std::cmp::Reverse(version.version));
    }

    /// A record as a comment, and its deploy.
    pub(crate) fn record(&mut self, author: &str, seconds: i64, record: &Record) -> TransactionId {
        self.comment(author, seconds, &render(record).unwrap())
    }

    /// The code of what would be approved as the task stands at this second; any where it is no emergency.
    fn code(&self, seconds: i64) -> Option<Code> {
        let as_of = AsOf { through: TransactionId(self.rows.len() as u64), time: at(seconds) };
        self.evidence().code_as_of(&self.policy, as_of).or_else(|| "K7QX".parse().ok())
    }

    /// What a witness writes when it hears this now.
    pub(crate) fn heard(&self, seconds: i64, word: WitnessedWord, user: &str, team: &str) -> Witness {
        Witness {
            schema: crate::witness::SCHEMA.into(),
            task: self.task.id,
            word,
            user: user.into(),
            phid: person(user),
            teams: vec![team.into()],
            why: None,
            code: self.code(seconds - 1),
            seen: TransactionId(self.rows.len() as u64),
            said: at(seconds - 2),
            heard: at(seconds - 1),
            network: "irc.example".into(),
            channel: "#example".into(),
            account: user.into(),
            message: "abc".into(),
        }
    }

    /// The comment of a witness that hears sre1 say no, and why.
    pub(crate) fn heard_no(&self, why: &str) -> String {
        let heard = self.heard(20, WitnessedWord::Reject, "sre1", "sre");
        crate::witness::render(&Witness { why: Some(why.to_owned()), ..heard })
    }

    /// What a witness hears now, as its comment.
    pub(crate) fn witness(&mut self, seconds: i64, word: WitnessedWord, user: &str, team: &str) -> TransactionId {
        let witness = self.heard(seconds, word, user, team);
        self.comment("heard", seconds, &crate::witness::render(&witness))
    }

    /// A cut right after a transaction.
    pub(crate) fn as_of(&self, through: TransactionId) -> AsOf {
        let row = self.rows.iter().find(|row| row.id == through).unwrap();
        AsOf { through, time: row.created }
    }

    /// Lets so many seconds of the story have passed.
    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.now = seconds;
        self
    }

    pub(crate) fn timeline(&self) -> Timeline {
        Timeline::new(self.rows.clone())
    }

    pub(crate) fn task(&self) -> Task {
        self.task.clone()
    }

    pub(crate) fn account(&self, name: &str) -> Account {
        let roles = self.roles.get(name).cloned().unwrap_or_else(|| vec![AccountRole::Activated]);
        Account { phid: person(name), username: name.to_owned(), roles: roles.into_iter().collect() }
    }

    /// The evidence that a gate would gather.
    pub(crate) fn evidence(&self) -> Evidence {
        let people = [
            "deployer1",
            "deployer2",
            "releng1",
            "releng2",
            "sre1",
            "sre2",
            "both",
            "robot",
            "gone",
            "sec1",
            "outsider",
            "admin",
            "phabgate",
            "heard",
        ];
        let accounts = people.iter().map(|name| (person(name), self.account(name))).collect::<BTreeMap<_, _>>();
        let known =
            |name: &str| people.iter().find(|known| known.eq_ignore_ascii_case(name)).map(|known| self.account(known));
        let team = |key: &str| Project {
            phid: project(key),
            name: key.to_owned(),
            members: self.members[key].iter().map(|name| person(name)).collect(),
            below: vec![],
            join: self.join.to_owned(),
            edit: "admin".to_owned(),
        };
        Evidence {
            task: Arc::new(self.task()),
            timeline: Arc::new(self.timeline()),
            tag: Some(Tag {
                phid: project("emergency"),
                family: [project("emergency"), project("emergency-sub")].into(),
            }),
            teams: Arc::new(self.policy.teams.iter().map(|t| (t.key.clone(), team(&t.key))).collect()),
            accounts: Arc::new(accounts),
            owner: self.account(self.owner),
            purpose: Purpose::Deploy,
            asker: Vec::new(),
            deployers: self.deployers.clone().into(),
            candidates: self
                .candidates
                .iter()
                .map(|(name, source)| Candidate { name: name.clone(), account: known(name), source: *source })
                .collect(),
            pipeline: Vec::new(),
            attestations: self
                .attested
                .iter()
                .map(|(team, name)| Attestation {
                    team: (*team).into(),
                    name: (*name).into(),
                    account: known(name),
                    evidence: None,
                })
                .collect(),
            local_deploys: Ok(Vec::new()),
            statuses: Arc::new(
                [("open", false), ("stalled", false), ("resolved", true), ("invalid", true)]
                    .map(|(status, closed)| (status.to_owned(), closed))
                    .into(),
            ),
            now: at(self.now),
            skew: SignedDuration::ZERO,
        }
    }

    /// The evidence that a gate would gather for somebody who reads: the deployer is whom they name, or whom the task
    /// states, or whoever will run it.
    pub(crate) fn as_read_by(&self, reader: &'static str, deployer: Option<&str>) -> Evidence {
        let mut evidence = Self { owner: reader, ..self.clone() }.evidence();
        let question = Question {
            task: self.task.id,
            deployer: deployer.map(str::to_owned),
            calling_user: None,
            pipeline: [].into(),
            attestations: Vec::new(),
            purpose: Purpose::Read,
            deployers: evidence.deployers.clone(),
        };
        deployer::name(&question, &self.policy, &mut evidence);
        evidence
    }
}
