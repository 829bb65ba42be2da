//! A world of emergencies, as large as it is asked for: the same one for the same size.
//!
//! Every task tells one emergency in fifteen transactions, from the first report to `resolved`, with one deploy that the
//! recorder recorded under the built-in policy. One task in [`WRONG`] has something to be found fault with. In the room:
//! the world and the policy. Not in the room: who serves it and what is measured.

use std::fmt::Write as _;

use jiff::Timestamp;
use phabgate::attribution::{ApprovalKind, DeployerSource};
use phabgate::config::{Flags, load};
use phabgate::host::{Environment, Ids};
use phabgate::ids::{DeployId, Phid, TaskId, TransactionId};
use phabgate::record::comment::render;
use phabgate::record::{Deployer, Event, ExitStatus, Outcome, Record, RecordedApproval, RecordedReason, SCHEMA};
use phabgate::sandbox::{Edge, Task, Transaction, User, World, WorldCommentVersion};
use serde_json::{Map, Value, json};

/// How many transactions each task has.
pub(crate) const TRANSACTIONS: usize = 15;
/// One task in so many is wrong.
pub(crate) const WRONG: usize = 50;

/// When the first task is made, and the seconds from one task to the next.
const BEGIN: i64 = 1_700_000_000;
const STEP: i64 = 600;
/// How many people there are of each kind.
const DEPLOYERS: usize = 60;
const RELENG: usize = 12;
const SRE: usize = 40;
const REASONS: [&str; 3] = ["availability", "data-loss", "abuse"];

/// The digest of the policy that is built in.
fn digest() -> String {
    let root = std::env::temp_dir().join("phabgate-bench-no-such-directory");
    let ids = Ids { uid: 1000, euid: 1000, ..Ids::default() };
    let environment = Environment::new([("PHABGATE_STATE", "/nowhere")], Some(root.join("home")), root, ids);
    let flags = Flags { config: None, url: None };
    load(&flags, &environment).unwrap().policy.digest().to_string()
}

/// A world of so many tasks.
pub(crate) fn world(tasks: usize) -> World {
    let mut world = World::built_in().unwrap();
    world.tasks.clear();
    world.transactions.clear();
    let tag = world.project_tagged("emergency-deployment").unwrap().phid.clone();
    let deployers = people(&mut world, "deployer", DEPLOYERS, None);
    let releng = people(&mut world, "releng", RELENG, Some("release-engineering-team"));
    let sre = people(&mut world, "sre", SRE, Some("sre"));
    let recorder = world.user_named("phabgate").unwrap().clone();
    let policy = digest();
    for index in 0..tasks {
        let pick = |from: &[User], salt: usize| from[(index * 7 + index / 13 + salt) % from.len()].clone();
        let cast = Cast {
            deployer: pick(&deployers, 0),
            releng: pick(&releng, 3),
            sre: pick(&sre, 5),
            recorder: recorder.clone(),
            tag: tag.clone(),
            policy: policy.clone(),
        };
        let (task, rows) = TaskState::new(index, cast).tell();
        assert_eq!(rows.len(), TRANSACTIONS);
        world.tasks.push(task);
        world.transactions.extend(rows);
    }
    world
}

/// The people of this kind: those that are built in and as many more as it takes, members of their team.
fn people(world: &mut World, kind: &str, count: usize, team: Option<&str>) -> Vec<User> {
    let pattern = world.user_named(&format!("{kind}1")).unwrap().clone();
    for number in 1..=count {
        let username = format!("{kind}{number}");
        if world.user_named(&username).is_some() {
            continue;
        }
        let id = world.users.len() as u64 + 1;
        let user = User {
            id,
            phid: format!("PHID-USER-bench{id:0>15}"),
            real_name: username.clone(),
            username,
            token: format!("api-bench{id:0>23}"),
            ..pattern.clone()
        };
        if let Some(project) =
            world.projects.iter_mut().find(|project| project.slugs.iter().any(|slug| Some(slug.as_str()) == team))
        {
            project.members.push(Edge { phid: user.phid.clone(), time: user.created, seq: number as u32 });
        }
        world.users.push(user);
    }
    (1..=count).map(|number| world.user_named(&format!("{kind}{number}")).unwrap().clone()).collect()
}

/// Who takes part in the story of a task, and what it is measured by.
struct Cast {
    deployer: User,
    releng: User,
    sre: User,
    recorder: User,
    tag: String,
    policy: String,
}

/// What is wrong with a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// One team never approved.
    NoApproval,
    /// An approval was edited afterwards.
    Edited,
    /// Nobody recorded how the deploy ended.
    Unfinished,
}

/// The story of one task in the making.
struct TaskState {
    cast: Cast,
    wrong: Wrong,
    number: u64,
    phid: String,
    begin: i64,
    rows: Vec<Transaction>,
}

impl TaskState {
    fn new(index: usize, cast: Cast) -> Self {
        let wrong = match (index % WRONG == WRONG - 1, index / WRONG % 3) {
            (false, _) => Wrong::Nothing,
            (true, 0) => Wrong::NoApproval,
            (true, 1) => Wrong::Edited,
            (true, _) => Wrong::Unfinished,
        };
        let number = index as u64 + 1;
        let begin = BEGIN + index as i64 * STEP;
        Self {
            cast,
            wrong,
            number,
            phid: format!("PHID-TASK-bench{number:0>15}"),
            begin,
            rows: Vec::with_capacity(TRANSACTIONS),
        }
    }

    /// The number of the transaction that comes next.
    fn next(&self) -> u64 {
        (self.number - 1) * TRANSACTIONS as u64 + self.rows.len() as u64 + 1
    }

    fn push(&mut self, kind: &str, author: &User, second: i64, fields: Value, text: Option<String>) -> u64 {
        let id = self.next();
        let created = self.begin + second;
        let version = |text| WorldCommentVersion {
            id,
            phid: format!("PHID-XCMT-bench{id:0>15}"),
            author: author.phid.clone(),
            created,
            removed: false,
            text,
        };
        self.rows.push(Transaction {
            edge: None,
            id,
            phid: format!("PHID-XACT-TASK-b{id:0>14}"),
            object: self.phid.clone(),
            kind: Some(kind.to_owned()),
            author: author.phid.clone(),
            created,
            modified: created,
            group: format!("bench{:0>27}", self.number * 1000 + second as u64),
            fields: match fields {
                Value::Object(map) => map,
                _ => Map::new(),
            },
            versions: text.map(version).into_iter().collect(),
        });
        id
    }

    fn comment(&mut self, author: &User, second: i64, text: impl Into<String>) -> u64 {
        self.push("comment", author, second, Value::Null, Some(text.into()))
    }

    fn joins(&mut self, user: &User, second: i64) {
        let operations = json!({"operations": [{"operation": "add", "phid": user.phid}]});
        self.push("subscribers", user, second, operations, None);
    }

    fn tell(mut self) -> (Task, Vec<Transaction>) {
        let Cast { deployer, releng, sre, recorder, tag, .. } = &self.cast;
        let (deployer, releng, sre, recorder, tag) =
            (deployer.clone(), releng.clone(), sre.clone(), recorder.clone(), tag.clone());
        let title = format!("Page views of group {} fail with HTTP 503", self.number % 97);
        let description = self.description();
        self.push("create", &deployer, 0, Value::Null, None);
        self.push("title", &deployer, 0, json!({"old": "", "new": title}), None);
        self.push("description", &deployer, 0, json!({"old": "", "new": description}), None);
        self.push("projects", &deployer, 0, json!({"operations": [{"operation": "add", "phid": tag}]}), None);
        self.joins(&deployer, 0);
        self.comment(
            &deployer,
            30,
            "The graphs show it since the last train; a fix is in review and I can deploy it now.",
        );
        self.joins(&releng, 60);
        let first = self.comment(
            &releng,
            60,
            "Looked at the change, it is small and can be undone.\n\nEmergency-Approve: releng",
        );
        self.joins(&sre, 90);
        let (second, approves) = match self.wrong {
            Wrong::NoApproval => (self.comment(&sre, 90, "Give me a minute to look at the load first."), false),
            _ => (self.comment(&sre, 90, "Emergency-Approve: sre"), true),
        };
        let approvals = [("releng", &releng, first, 60, true), ("sre", &sre, second, 90, approves)];
        let approvals: Vec<_> = approvals
            .into_iter()
            .filter(|(.., approved)| *approved)
            .map(|(team, user, transaction, at, _)| RecordedApproval {
                team: team.into(),
                user: user.username.clone(),
                phid: Some(Phid::new(user.phid.clone()).unwrap()),
                project: None,
                kind: ApprovalKind::Verified,
                transaction: Some(TransactionId(transaction)),
                time: self.at(at),
                evidence: None,
            })
            .collect();
        self.comment(&deployer, 120, "Starting. The canaries are watched by two of us.");
        let started = self.record(Event::Started, approvals.clone());
        self.comment(&recorder, 151, render(&started).unwrap().to_string());
        if self.wrong == Wrong::Unfinished {
            self.comment(&recorder, 211, "The machine that deployed went away.");
        } else {
            let finished = self.record(Event::Finished, approvals);
            self.comment(&recorder, 211, render(&finished).unwrap().to_string());
        }
        self.comment(&deployer, 300, "Errors are back to normal.");
        self.push("status", &deployer, 360, json!({"old": "open", "new": "resolved"}), None);
        if self.wrong == Wrong::Edited {
            let edited = self.begin + 400;
            let row = self.rows.iter_mut().find(|row| row.id == second).unwrap();
            row.modified = edited;
            let before = row.versions[0].clone();
            row.versions.push(WorldCommentVersion {
                id: before.id + 1_000_000_000,
                phid: format!("{}-2", before.phid),
                created: edited,
                text: "I never said so.".into(),
                ..before
            });
        }
        (self.task(title, description), self.rows)
    }

    fn at(&self, second: i64) -> Timestamp {
        Timestamp::from_second(self.begin + second).unwrap()
    }

    fn reason(&self) -> &'static str {
        REASONS[(self.number % 3) as usize]
    }

    fn description(&self) -> String {
        let mut text =
            "Readers who are logged out get errors since a few minutes, about one view in twenty.\n\n".to_owned();
        for host in 0..4 {
            let _ = writeln!(
                text,
                "- `mw{}` answers with 503 after {} s",
                1000 + (self.number * 17 + host * 31) % 900,
                10 + host
            );
        }
        let _ = write!(text, "\nEmergency-Reason: {} - errors on page views", self.reason());
        text
    }

    fn record(&self, event: Event, approvals: Vec<RecordedApproval>) -> Record {
        let Cast { deployer, policy, .. } = &self.cast;
        let ended = event == Event::Finished;
        let allowed = approvals.len() == 2;
        let deploy: DeployId = format!("018bcfe5-6800-7000-8000-{:0>12x}", self.number).parse().unwrap();
        Record {
            schema: SCHEMA.into(),
            deploy,
            event,
            task: TaskId::new(self.number).unwrap(),
            deployer: Some(Deployer {
                user: deployer.username.clone(),
                phid: Some(Phid::new(deployer.phid.clone()).unwrap()),
                source: DeployerSource::CallingUser,
            }),
            behind: Vec::new(),
            pipeline: Vec::new(),
            caller: None,
            host: "deploy1003".into(),
            reason: Some(RecordedReason {
                category: self.reason().into(),
                explanation: Some("errors on page views".into()),
            }),
            action: None,
            change: Some(format!("https://gerrit.example.org/r/c/{}", 900_000 + self.number)),
            command: Some(format!("scap backport {}", 900_000 + self.number)),
            arguments_hidden: false,
            note: None,
            approvals,
            informed: Vec::new(),
            verdict: if allowed { "allowed" } else { "pending" }.into(),
            failed: if allowed { Vec::new() } else { vec!["approvals".into()] },
            policy: policy.clone(),
            started: Some(self.at(150)),
            finished: ended.then(|| self.at(210)),
            outcome: ended.then_some(Outcome::Succeeded),
            exit: ended.then_some(ExitStatus::Code(0)),
            announced: None,
            share: None,
            drill: false,
            clock: None,
            dropped: 0,
            cut: Vec::new(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    fn task(&self, title: String, description: String) -> Task {
        let Cast { deployer, releng, sre, tag, .. } = &self.cast;
        let edge = |phid: &str, second: i64| Edge { phid: phid.to_owned(), time: self.begin + second, seq: 0 };
        Task {
            id: self.number,
            phid: self.phid.clone(),
            title,
            description,
            author: deployer.phid.clone(),
            owner: None,
            status: "resolved".into(),
            priority: 90,
            closer: Some(deployer.phid.clone()),
            closed: Some(self.begin + 360),
            space: None,
            created: self.begin,
            modified: self.begin + 360,
            view: "users".into(),
            edit: "users".into(),
            custom: Map::new(),
            projects: vec![edge(tag, 0)],
            subscribers: vec![edge(&deployer.phid, 0), edge(&releng.phid, 60), edge(&sre.phid, 90)],
            unsubscribed: Vec::new(),
            mentions: Vec::new(),
        }
    }
}
