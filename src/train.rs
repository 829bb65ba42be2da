//! The train, the deploy that goes out each week, and who conducts it: an emergency deploy is announced to them.
//!
//! Responsible for which of the open tasks of the train's project is the train that runs now, and who answers for it.
//! Not responsible for reading the tasks.

use std::cmp::Ordering;

use serde_json::Value;

use crate::conduit::{Account, Task};
use crate::ids::{Phid, TaskId, User};

/// The custom field that holds the version that a train carries.
const VERSION: &str = "custom.release.version";
/// The custom field that holds who stands in for the conductor.
const BACKUP: &str = "custom.train.backup";
/// The custom field that says how the train is doing.
const STATUS: &str = "custom.train.status";

/// What the status of a train says that does not run, or no longer.
const OVER: [&str; 8] = ["cancelled", "canceled", "declined", "done", "complete", "completed", "finished", "skipped"];

/// A train, as its task describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Train {
    /// Its task.
    pub task: TaskId,
    /// The version that it carries.
    pub version: String,
    /// Whom its task is assigned to.
    pub conductor: Option<Phid<User>>,
    /// Who stands in.
    pub backup: Vec<Phid<User>>,
}

impl Train {
    /// The train that a task describes; `None` where it describes none that runs.
    fn of(task: &Task) -> Option<Self> {
        let text = |field: &str| task.custom.get(field).and_then(Value::as_str).map(str::trim);
        let version = text(VERSION).filter(|version| !version.is_empty())?;
        if text(STATUS).is_some_and(|status| OVER.contains(&crate::policy::normalized(status).as_str())) {
            return None;
        }
        let backup = task.custom.get(BACKUP).and_then(Value::as_array);
        let backup = backup.into_iter().flatten().filter_map(|person| Phid::new(person.as_str()?).ok());
        Some(Self {
            task: task.id,
            version: version.to_owned(),
            conductor: task.owner.clone(),
            backup: backup.collect(),
        })
    }

    /// Everybody who answers for it.
    pub fn people(&self) -> Vec<Phid<User>> {
        self.conductor.iter().chain(&self.backup).cloned().collect()
    }
}

/// The train that runs now, and the others that seem to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// The one of the newest version.
    pub train: Option<Train>,
    /// The others, newest first.
    pub others: Vec<Train>,
}

/// Chooses among the open tasks of the train's project. Tasks that are shown to fewer people than everyone with an
/// account are passed over: nothing that they hold is shown.
pub fn choose(tasks: &[Task], open_spaces: &[String]) -> Choice {
    let open = tasks.iter().filter(|task| !task.is_restricted(open_spaces));
    let mut trains: Vec<Train> = open.filter_map(Train::of).collect();
    trains.sort_by(|a, b| by_version(&b.version, &a.version).then(b.task.cmp(&a.task)));
    let mut trains = trains.into_iter();
    Choice { train: trains.next(), others: trains.collect() }
}

/// Who is to be called, and whether they are the conductor or stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The username.
    pub user: String,
    /// They stand in: the train has no conductor who could be called.
    pub stands_in: bool,
}

/// Who is called for a train: its conductor, else the first who stands in; only people whose accounts are in use.
pub fn called(train: &Train, accounts: &[Account]) -> Option<Called> {
    let person =
        |phid: &Phid<User>| accounts.iter().find(|account| account.phid == *phid && account.is_enabled_person());
    let conductor = train.conductor.as_ref().and_then(person).map(|account| (account, false));
    let stand_in = || train.backup.iter().find_map(person).map(|account| (account, true));
    let (account, stands_in) = conductor.or_else(stand_in)?;
    Some(Called { user: account.username.clone(), stands_in })
}

/// Compares versions as people do: numbers by their value, `wmf.10` after `wmf.9`.
fn by_version(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(bool, usize, String)> {
        let mut parts: Vec<(bool, usize, String)> = Vec::new();
        for c in text.chars() {
            let digit = c.is_ascii_digit();
            match parts.last_mut() {
                Some((number, _, part)) if *number == digit => part.push(c),
                _ => parts.push((digit, 0, c.to_string())),
            }
        }
        for (number, length, part) in &mut parts {
            if *number {
                *part = part.trim_start_matches('0').to_owned();
                *length = part.len();
            }
        }
        parts
    };
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::conduit::AccountRole;
    use crate::evidence::testing::{at, person};

    fn task(number: u64, owner: Option<&str>, custom: &Value) -> Task {
        let custom = custom.as_object().unwrap().iter().map(|(key, value)| (format!("custom.{key}"), value.clone()));
        Task {
            id: TaskId::new(number).unwrap(),
            phid: Phid::new(format!("PHID-TASK-{number}")).unwrap(),
            title: String::new(),
            description: String::new(),
            author: person("someone"),
            owner: owner.map(person),
            status: "open".into(),
            view: "public".into(),
            interact: Some("users".into()),
            space: None,
            projects: Vec::new(),
            custom: custom.collect::<BTreeMap<_, _>>(),
            created: at(0),
            modified: at(0),
        }
    }

    fn train(number: u64, version: &str) -> Task {
        task(number, Some("conductor"), &json!({"release.version": version}))
    }

    fn chosen(tasks: &[Task]) -> (Option<u64>, Vec<u64>) {
        let choice = choose(tasks, &[]);
        let numbers = choice.others.iter().map(|train| train.task.number()).collect();
        (choice.train.map(|train| train.task.number()), numbers)
    }

    #[test]
    fn the_newest_version_wins_by_its_numbers() {
        let tasks = [train(1, "1.46.0-wmf.9"), train(2, "1.46.0-wmf.10"), train(3, "1.45.0-wmf.27")];
        assert_eq!(chosen(&tasks), (Some(2), vec![1, 3]));
        let twice = [train(1, "1.46.0-wmf.3"), train(2, "1.46.0-wmf.03")];
        assert_eq!(chosen(&twice), (Some(2), vec![1]));
        assert_eq!(by_version("1.9", "1.10"), Ordering::Less);
        assert_eq!(by_version("99999999999999999999998", "99999999999999999999999"), Ordering::Less);
    }

    #[test]
    fn what_is_no_train_that_runs_is_passed_over() {
        let none = task(1, Some("a"), &json!({"release.version": null}));
        let blank = task(2, Some("a"), &json!({"release.version": " "}));
        let over = task(3, Some("a"), &json!({"release.version": "9.0", "train.status": "Cancelled"}));
        let mut restricted = train(4, "9.0");
        restricted.view = "PHID-PLCY-x".into();
        assert_eq!(chosen(&[none, blank, over, restricted]), (None, vec![]));
        let runs = task(5, None, &json!({"release.version": "1.0", "train.status": "in progress"}));
        assert_eq!(chosen(&[runs]), (Some(5), vec![]));
    }

    #[test]
    fn a_stand_in_is_called_where_no_conductor_can_be() {
        let account = |name: &str, roles: &[AccountRole]| Account {
            phid: person(name),
            username: name.to_owned(),
            roles: roles.iter().copied().collect::<BTreeSet<_>>(),
        };
        let accounts = [
            account("conductor", &[AccountRole::Activated]),
            account("second", &[AccountRole::Activated]),
            account("gone", &[AccountRole::Disabled]),
        ];
        let calls = |owner: Option<&str>, backup: &[&str]| {
            let phids: Vec<_> = backup.iter().map(|name| format!("PHID-USER-{name}")).collect();
            let task = task(1, owner, &json!({"release.version": "1", "train.backup": phids}));
            let called = called(&Train::of(&task).unwrap(), &accounts)?;
            Some((called.user, called.stands_in))
        };
        assert_eq!(calls(Some("conductor"), &["second"]), Some(("conductor".into(), false)));
        assert_eq!(calls(None, &["gone", "second"]), Some(("second".into(), true)));
        assert_eq!(calls(Some("gone"), &["second"]), Some(("second".into(), true)));
        assert_eq!(calls(Some("gone"), &[]), None);
        assert_eq!(calls(None, &["unread"]), None);
    }
}
