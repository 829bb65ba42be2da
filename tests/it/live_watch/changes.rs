//! Random changes of emergencies by several people at once.
//!
//! Responsible for which change is made, for making it, and for having it measured; a task is changed by one person at a time. Not
//! responsible for how it is measured, nor for what disturbs the watch meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use super::measure::{Measured, Results, Spans, measure};
use super::server::Server;
use super::watch::{Served, Verdict, Watch};
use crate::live_server::say;

/// The people who change something at once.
pub(super) const PEOPLE: [&str; 8] =
    ["deployer1", "deployer2", "releng1", "releng2", "sre1", "sre2", "sec1", "outsider"];
/// Those of them who are in a team that approves.
const MEMBERS: std::ops::Range<usize> = 2..6;
/// The member of two teams who leaves them and comes back, and whose account is disabled and enabled.
const GUEST: &str = "both";
/// The teams of the guest, and their hashtags.
const TEAMS: [(&str, &str); 2] = [("releng", "releng"), ("sre", "sre")];
const REASONS: [&str; 5] = ["availability", "abuse", "functionality", "data-loss", "security"];

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Tag,
    Untag,
    Approve,
    Reject,
    Withdraw,
    Reason,
    Close,
    Reopen,
    EditComment,
    RemoveComment,
    Leave,
    Join,
    Disable,
    Enable,
    /// Several at once, on a task whose rows in the database were locked.
    Locked,
    /// Anything, while somebody left a team, came back, or had their account disabled or enabled.
    Beside,
    /// Nothing: whether all is right when everything is over.
    AtTheEnd,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Reason => "reason",
            Self::Close => "close",
            Self::Reopen => "reopen",
            Self::EditComment => "edit a comment",
            Self::RemoveComment => "remove a comment",
            Self::Leave => "leave a team",
            Self::Join => "join a team",
            Self::Disable => "disable an account",
            Self::Enable => "enable an account",
            Self::Locked => "behind a lock",
            Self::Beside => "beside one of those",
            Self::AtTheEnd => "at the end",
        }
    }

    /// Whether a transaction of the task shows it.
    fn is_seen(self) -> bool {
        match self {
            Self::Tag
            | Self::Untag
            | Self::Approve
            | Self::Reject
            | Self::Withdraw
            | Self::Reason
            | Self::Close
            | Self::Reopen
            | Self::Locked => true,
            Self::EditComment
            | Self::RemoveComment
            | Self::Leave
            | Self::Join
            | Self::Disable
            | Self::Enable
            | Self::Beside
            | Self::AtTheEnd => false,
        }
    }

    /// Within which time it is to be served.
    pub(super) fn target(self) -> Duration {
        Duration::from_secs(if self.is_seen() { 5 } else { 45 })
    }
}

/// A task that is changed.
pub(super) struct Task {
    pub(super) number: u64,
    pub(super) phid: String,
    pub(super) is_tagged: bool,
    pub(super) is_open: bool,
}

/// An answer on a task.
struct Answer {
    phid: String,
    author: &'static str,
    text: String,
}

/// Where the guest is at the moment.
struct Guest {
    is_in: [bool; 2],
    is_enabled: bool,
}

/// Tasks that are changed under a watch, until it is dropped.
pub(super) struct World<'w> {
    pub(super) watch: &'w Watch<'w>,
    server: &'w Server,
    /// When something kept the watch or the server from working.
    pub(super) disturbances: Spans,
    /// When the guest was changed.
    unseen: Spans,
    pub(super) results: Results,
    pub(super) tasks: Vec<Mutex<Task>>,
    guest: Mutex<Guest>,
    tag: String,
    teams: [String; 2],
}

impl Drop for World<'_> {
    /// Everybody is in their team again, and no emergency of ours stays open.
    fn drop(&mut self) {
        let live = &self.server.live;
        for team in &self.teams {
            let _ = live.try_call("admin", "project.edit", self.membership(team, "members.add"));
        }
        let _ = live.try_call("admin", "user.edit", self.disabled(false));
        for task in &self.tasks {
            let number = task.lock().map_or_else(|poisoned| poisoned.into_inner().number, |task| task.number);
            let closed = json!({"objectIdentifier": format!("T{number}"), "transactions": [{"type": "status", "value": "invalid"}]});
            let _ = live.try_call("admin", "maniphest.edit", closed);
        }
    }
}

impl<'w> World<'w> {
    /// A world of so many emergencies, which the watch sees.
    pub(super) fn new(watch: &'w Watch<'w>, tasks: u64) -> Self {
        let server = watch.server;
        let live = &server.live;
        let world = Self {
            watch,
            server,
            disturbances: Spans::default(),
            unseen: Spans::default(),
            results: Results::default(),
            tasks: (0..tasks).map(|number| Mutex::new(Self::task(server, number))).collect(),
            guest: Mutex::new(Guest { is_in: [true; 2], is_enabled: true }),
            tag: live.project("emergency-deployment"),
            teams: TEAMS.map(|(_, slug)| live.project(slug)),
        };
        for team in &world.teams {
            live.call("admin", "project.edit", world.membership(team, "members.add"));
        }
        live.call("admin", "user.edit", world.disabled(false));
        world
    }

    fn task(server: &Server, number: u64) -> Task {
        let deployer = PEOPLE[number as usize % 2];
        let reason = format!("{} - seen at {number}", REASONS[number as usize % 3]);
        let number = server.live.emergency(deployer, &format!("Live emergency {number}"), &reason);
        let found = server.live.call("admin", "maniphest.search", json!({"constraints": {"ids": [number]}}));
        Task { number, phid: found["data"][0]["phid"].as_str().unwrap().to_owned(), is_tagged: true, is_open: true }
    }

    fn membership(&self, team: &str, change: &str) -> Value {
        let guest = self.server.live.phid(GUEST);
        json!({"objectIdentifier": team, "transactions": [{"type": change, "value": [guest]}]})
    }

    fn disabled(&self, is: bool) -> Value {
        let guest = self.server.live.phid(GUEST);
        json!({"objectIdentifier": guest, "transactions": [{"type": "disabled", "value": is}]})
    }

    /// Has so many changes made and measured; what disturbs goes on until they are.
    pub(super) fn change(&self, many: u64, seed: u64, disturb: impl FnOnce(&dyn Fn() -> bool)) {
        let (made, working) = (AtomicUsize::new(0), AtomicUsize::new(PEOPLE.len()));
        std::thread::scope(|scope| {
            for person in 0..PEOPLE.len() {
                let (made, working) = (&made, &working);
                scope.spawn(move || {
                    // Nobody waits for somebody who panics.
                    let _done = Done(working);
                    let mut random = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(person as u64));
                    while made.fetch_add(1, Ordering::SeqCst) < usize::try_from(many).unwrap() {
                        self.one(person, &mut random);
                    }
                });
            }
            disturb(&|| working.load(Ordering::SeqCst) > 0);
        });
    }

    /// Makes one change and measures it.
    fn one(&self, person: usize, random: &mut Rng) {
        let mut task = self.free_task(random);
        let before = self.served(person, task.number);
        let kind = Self::kind(random, &task);
        // Where the guest is has to stay as it is until it is served.
        let guest = matches!(kind, Kind::Leave | Kind::Disable).then(|| self.guest.try_lock().ok()).flatten();
        let made = match (kind, guest) {
            (Kind::Leave | Kind::Disable, Some(mut guest)) => {
                let kind = self.change_guest(random, kind, &mut guest);
                return self.measured(person, kind, &task, before.as_ref(), Instant::now());
            }
            (Kind::Leave | Kind::Disable, None) => self.answer(person, random, Kind::Approve, &task),
            (Kind::EditComment | Kind::RemoveComment, _) => self.tamper(person, random, kind, &task),
            (Kind::Approve | Kind::Reject | Kind::Withdraw, _) => self.answer(person, random, kind, &task),
            (kind, _) => self.edit(person, random, kind, &mut task),
        };
        self.measured(person, made, &task, before.as_ref(), Instant::now());
    }

    pub(super) fn measured(&self, person: usize, kind: Kind, task: &Task, before: Option<&Verdict>, made: Instant) {
        let measured = measure(self.watch, &self.disturbances, person, task.number, before, made);
        let kind = match measured {
            // The check may have printed what the guest's change made of it, which the watch need not know yet.
            Measured::After(_, ended) if kind.is_seen() && self.unseen.meet(made, ended) => Kind::Beside,
            _ => kind,
        };
        if let Measured::Wrong(why) = &measured {
            say(&format!("wrong, {}: {why}", kind.word()));
        }
        if let Measured::After(time, _) = &measured
            && *time > kind.target()
        {
            let (word, seconds) = (kind.word(), time.as_secs_f64());
            say(&format!("{}: T{}, {word}: served after {seconds:.1} s", jiff::Timestamp::now(), task.number));
        }
        let count = self.results.add(kind, measured);
        if count.is_multiple_of(50) {
            say(&format!("{count} changes"));
        }
    }

    pub(super) fn served(&self, person: usize, task: u64) -> Option<Verdict> {
        match self.watch.served(person, task, None) {
            Served::Verdict(verdict, _) => Some(verdict),
            Served::Same | Served::Unknown => None,
        }
    }

    fn free_task(&self, random: &mut Rng) -> MutexGuard<'_, Task> {
        loop {
            if let Ok(task) = self.tasks[random.usize(..self.tasks.len())].try_lock() {
                return task;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A change that can be made on a task as it is.
    fn kind(random: &mut Rng, task: &Task) -> Kind {
        match (task.is_open, task.is_tagged) {
            (false, _) => return Kind::Reopen,
            (true, false) => return Kind::Tag,
            (true, true) => {}
        }
        match random.u32(..100) {
            ..35 => Kind::Approve,
            35..42 => Kind::Reject,
            42..54 => Kind::Withdraw,
            54..66 => Kind::Reason,
            66..73 => Kind::Untag,
            73..80 => Kind::Close,
            80..87 => Kind::EditComment,
            87..93 => Kind::RemoveComment,
            93..97 => Kind::Leave,
            _ => Kind::Disable,
        }
    }

    /// An answer as a comment: by the person, by somebody of a team, or by the guest; it is withdrawn by who gave one.
    fn answer(&self, person: usize, random: &mut Rng, kind: Kind, task: &Task) -> Kind {
        let given = if kind == Kind::Withdraw { self.answers(task.number) } else { Vec::new() };
        let name = match random.choice(&given) {
            Some(answer) => answer.author,
            None if random.bool() => PEOPLE[random.usize(MEMBERS)],
            None => PEOPLE[person],
        };
        let team = match name {
            name if name.starts_with("releng") => "releng",
            name if name.starts_with("sre") => "sre",
            _ => TEAMS[random.usize(..2)].0,
        };
        let text = match kind {
            // Now and then as people misspell it.
            Kind::Approve if random.u32(..8) == 0 => format!("Emergency-Aprove: {team}"),
            Kind::Approve => format!("Emergency-Approve: {team}"),
            Kind::Reject => format!("Emergency-Reject: {team} - not at {}", random.u32(..1_000)),
            _ => format!("Emergency-Withdraw: {team}"),
        };
        let guest = (kind != Kind::Withdraw && random.u32(..5) == 0).then(|| self.guest.try_lock().ok()).flatten();
        let account = if guest.as_ref().is_some_and(|guest| guest.is_enabled) { GUEST } else { name };
        self.server.live.comment(account, task.number, &text);
        kind
    }

    /// The answers that stand on a task, but for those of the guest.
    fn answers(&self, task: u64) -> Vec<Answer> {
        let live = &self.server.live;
        let rows = live.transactions(task);
        let answers = rows.iter().filter(|row| row["comments"][0]["removed"] == false).filter_map(|row| {
            let text = row["comments"][0]["content"]["raw"].as_str()?.to_owned();
            let author = PEOPLE.iter().find(|name| row["authorPHID"] == live.phid(name))?;
            let answer = Answer { phid: row["phid"].as_str()?.to_owned(), author, text };
            answer.text.starts_with("Emergency-").then_some(answer)
        });
        answers.collect()
    }

    fn edit(&self, person: usize, random: &mut Rng, kind: Kind, task: &mut Task) -> Kind {
        let transaction = match kind {
            Kind::Tag => json!({"type": "projects.add", "value": [self.tag]}),
            Kind::Untag => json!({"type": "projects.remove", "value": [self.tag]}),
            Kind::Close => json!({"type": "status", "value": "resolved"}),
            Kind::Reopen => json!({"type": "status", "value": "open"}),
            _ => {
                let (reason, number) = (REASONS[random.usize(..REASONS.len())], random.u32(..1_000_000));
                json!({"type": "description", "value": format!("Emergency-Reason: {reason} - seen at {number}")})
            }
        };
        self.server.live.edit(PEOPLE[person], Some(task.number), &json!([transaction]));
        match kind {
            Kind::Tag | Kind::Untag => task.is_tagged = kind == Kind::Tag,
            Kind::Close | Kind::Reopen => task.is_open = kind == Kind::Reopen,
            _ => {}
        }
        kind
    }

    /// Edits or removes an answer of anybody, or gives one where there is none.
    fn tamper(&self, person: usize, random: &mut Rng, kind: Kind, task: &Task) -> Kind {
        let answers = self.answers(task.number);
        let Some(Answer { phid, author, text }) = random.choice(&answers) else {
            return self.answer(person, random, Kind::Approve, task);
        };
        let number = random.u32(..1_000);
        let others = [
            "Emergency-Approve: sre".to_owned(),
            "Emergency-Approve: releng".to_owned(),
            format!("Emergency-Reject: sre - not at {number}"),
            format!("Looking at {number}."),
        ];
        let others: Vec<_> = others.iter().filter(|other| *other != text).collect();
        match kind {
            Kind::EditComment => self.server.tamper("edit", phid, author, others[random.usize(..others.len())]),
            _ => self.server.tamper("remove", phid, author, ""),
        }
        kind
    }

    /// The guest leaves a team or comes back; or the account is disabled or enabled.
    fn change_guest(&self, random: &mut Rng, kind: Kind, guest: &mut Guest) -> Kind {
        let live = &self.server.live;
        if kind == Kind::Disable || !guest.is_enabled {
            let change = self.disabled(guest.is_enabled);
            self.unseen.during(|| live.call_at_last("admin", "user.edit", &change));
            guest.is_enabled = !guest.is_enabled;
            return if guest.is_enabled { Kind::Enable } else { Kind::Disable };
        }
        let team = random.usize(..TEAMS.len());
        let (change, kind) =
            if guest.is_in[team] { ("members.remove", Kind::Leave) } else { ("members.add", Kind::Join) };
        let change = self.membership(&self.teams[team], change);
        self.unseen.during(|| live.call_at_last("admin", "project.edit", &change));
        guest.is_in[team] = !guest.is_in[team];
        kind
    }

    /// Compares every task when everything is over.
    pub(super) fn at_the_end(&self) {
        for task in &self.tasks {
            self.measured(0, Kind::AtTheEnd, &task.lock().unwrap(), None, Instant::now());
        }
    }
}

/// Counts somebody off when they have ended.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
