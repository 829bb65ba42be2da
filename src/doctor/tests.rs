//! Each check, well and broken in each way.

use super::*;
use crate::conduit::{AccountRole, Failure};
use crate::evidence::testing::{History, person, project};
use crate::ids::Phid;
use crate::policy::testing::built_in;

fn account(name: &str, roles: &[AccountRole]) -> Account {
    Account { phid: person(name), username: name.to_owned(), roles: roles.iter().copied().collect() }
}

fn made(slug: &str, members: &[&str], join: &str) -> (String, Project) {
    let project = Project {
        phid: project(slug),
        name: slug.to_owned(),
        members: members.iter().map(|name| person(name)).collect(),
        below: vec![],
        join: join.to_owned(),
        edit: "admin".to_owned(),
    };
    (slug.to_owned(), project)
}

fn down() -> ConduitError {
    ConduitError { method: "x.search".into(), kind: Failure::Broken("connection reset".into()) }
}

fn refused() -> ConduitError {
    let kind = Failure::Refused { code: "ERR-CONDUIT-CALL".into(), info: "no such method".into() };
    ConduitError { method: "x.search".into(), kind }
}

/// A machine and a server on which all is well.
fn well() -> (Local, Remote, Policy) {
    let policy = built_in();
    let local = Local {
        passed_over: None,
        file: None,
        state: ("/var/lib/phabgate".into(), "built in".into()),
        journal: Ok(0),
        calling_account: Some("deployer1".into()),
        by_sudo: None,
    };
    let active = [AccountRole::Activated];
    let members = ["releng1", "sre1", "sec1"].map(|name| account(name, &active));
    let mut projects: BTreeMap<String, Project> = policy
        .teams
        .iter()
        .zip(["releng1", "sre1", "sec1"])
        .map(|(team, member)| made(&team.project, &[member], "admin"))
        .collect();
    projects.extend([made(&policy.tag, &[], "users")]);
    projects.extend(policy.train.iter().map(|slug| made(slug, &[], "users")));
    let mut task = History::emergency().task();
    task.custom.extend(policy.field.iter().map(|field| (field.clone(), serde_json::Value::Null)));
    let bot = account("phabgate", &[AccountRole::Bot, AccountRole::Activated]);
    let remote = Remote {
        server: "https://phab.example/".into(),
        proxy: None,
        token: "$PHABGATE_TOKEN".into(),
        owner: bot.clone(),
        skew: Some(SignedDuration::ZERO),
        statuses: Ok(vec![Status { value: "resolved".into(), closed: true }]),
        projects: Ok(projects),
        recorders: Ok(vec![bot]),
        members: Ok(members.to_vec()),
        task: Ok(Some(task)),
        types: Some(Ok(vec!["title".into(), "comment".into()])),
        history: Some(Ok(HistoryCoverage {
            null: UnexposedChanges::default(),
            unexposed: UnexposedChanges::default(),
            older: Ok(()),
        })),
        audit: Ok(()),
        calls: vec![("user.whoami", Duration::from_millis(20))],
    };
    (local, remote, policy)
}

fn all((here, there, policy): &(Local, Remote, Policy)) -> Vec<RuleOutcome> {
    [local(here, policy), remote(there, here, policy)].concat()
}

#[test]
fn all_is_well() {
    for check in all(&well()) {
        assert_eq!((check.outcome, &check.hint), (Outcome::Pass, &None), "{}: {}", check.name, check.message);
    }
}

/// What is broken, which check reports it, and how.
type DoctorCase = (&'static str, Outcome, fn(&mut Local, &mut Remote, &mut Policy));

#[test]
fn each_fault_is_reported_by_its_check_alone_and_says_what_to_do() {
    use Outcome::{Fail, Unknown, Warn};

    let cases: Vec<DoctorCase> = vec![
        ("journal", Fail, |local, _, _| local.journal = Err("cannot create the state directory".into())),
        ("outbox", Warn, |local, _, _| local.journal = Ok(2)),
        ("token", Fail, |_, remote, _| {
            remote.owner = account("robot", &[AccountRole::Bot, AccountRole::Activated]);
        }),
        ("token", Fail, |local, remote, _| {
            remote.owner = account("deployer1", &[AccountRole::Disabled]);
            local.calling_account = None;
        }),
        ("deployer", Warn, |local, _, _| local.calling_account = None),
        ("deployer", Fail, |local, _, _| {
            (local.calling_account, local.by_sudo) = (None, Some("mallory".into()));
        }),
        ("deployer", Fail, |_, remote, _| remote.owner = account("sre1", &[AccountRole::Activated])),
        ("recorders", Warn, |_, remote, _| remote.recorders = Ok(vec![])),
        ("recorders", Warn, |_, remote, _| {
            remote.recorders = Ok(vec![account("phabgate", &[AccountRole::Disabled])]);
        }),
        ("recorders", Unknown, |_, remote, _| remote.recorders = Err(down())),
        ("tag", Fail, |_, remote, policy| drop(remote.projects.as_mut().unwrap().remove(&policy.tag))),
        ("team:sre", Fail, |_, remote, policy| {
            let slug = policy.team("sre").unwrap().project.clone();
            remote.projects.as_mut().unwrap().remove(&slug);
        }),
        ("team:sre", Fail, |_, _, policy| {
            policy.teams.iter_mut().find(|team| team.key == "sre").unwrap().need = 2;
        }),
        ("team:sre", Fail, |_, remote, _| remote.members.as_mut().unwrap().retain(|known| known.username != "sre1")),
        ("team:sre", Warn, |_, remote, policy| {
            let slug = policy.team("sre").unwrap().project.clone();
            remote.projects.as_mut().unwrap().get_mut(&slug).unwrap().join = "users".into();
        }),
        ("team:sre", Warn, |_, remote, policy| {
            let slug = policy.team("sre").unwrap().project.clone();
            remote.projects.as_mut().unwrap().get_mut(&slug).unwrap().edit = "public".into();
        }),
        ("team:sre", Warn, |_, remote, policy| {
            let slug = policy.team("sre").unwrap().project.clone();
            let below = crate::conduit::Subproject {
                phid: project("sre-guests"),
                name: "SRE-Guests".into(),
                join: "users".into(),
                edit: "admin".into(),
                ancestors: vec![project(&slug)],
            };
            remote.projects.as_mut().unwrap().get_mut(&slug).unwrap().place(&[below]);
        }),
        ("train", Warn, |_, remote, policy| {
            drop(remote.projects.as_mut().unwrap().remove(policy.train.as_deref().unwrap()));
        }),
        ("statuses", Unknown, |_, remote, _| remote.statuses = Err(down())),
        ("field", Warn, |_, remote, _| remote.task.as_mut().unwrap().as_mut().unwrap().custom.clear()),
        ("spaces", Warn, |_, remote, _| {
            remote.task.as_mut().unwrap().as_mut().unwrap().space = Some(Phid::new("PHID-SPCE-1").unwrap());
        }),
        ("comment", Fail, |_, remote, _| remote.types = Some(Ok(vec!["title".into()]))),
        ("history", Unknown, |_, remote, _| remote.history = Some(Err(down()))),
        ("history", Fail, |_, remote, _| {
            let unexposed = UnexposedChanges { projects: true, ..UnexposedChanges::default() };
            remote.history = Some(Ok(HistoryCoverage { null: unexposed, unexposed, older: Err(refused()) }));
        }),
        ("history", Warn, |_, remote, _| {
            remote.history.as_mut().unwrap().as_mut().unwrap().older = Err(refused());
        }),
        ("audit", Unknown, |_, remote, _| remote.audit = Err(down())),
        ("audit", Fail, |_, remote, _| remote.audit = Err(refused())),
        ("comment", Unknown, |_, remote, _| remote.types = Some(Err(down()))),
        ("clock", Warn, |_, remote, _| remote.skew = Some(SignedDuration::from_secs(-61))),
        ("clock", Fail, |_, remote, _| remote.skew = None),
        ("latency", Warn, |_, remote, _| remote.calls.push(("user.search", Duration::from_millis(2_500)))),
    ];
    for (at, (name, outcome, spoil)) in cases.into_iter().enumerate() {
        let mut state = well();
        spoil(&mut state.0, &mut state.1, &mut state.2);
        let reported: Vec<RuleOutcome> =
            all(&state).into_iter().filter(|check| check.outcome != Outcome::Pass).collect();
        let names: Vec<(&str, Outcome)> = reported.iter().map(|check| (check.name.as_str(), check.outcome)).collect();
        assert_eq!(names, [(name, outcome)], "case {at}");
        assert!(reported.iter().all(|check| check.hint.is_some()), "{name}");
    }
}

#[test]
fn a_space_that_is_not_open_is_named_with_what_to_write() {
    let found = |open: &[&str], view: &str| {
        let mut state = well();
        let task = state.1.task.as_mut().unwrap().as_mut().unwrap();
        (task.space, task.view) = (Some(Phid::new("PHID-SPCE-2").unwrap()), view.to_owned());
        state.2.open_spaces = open.iter().map(|space| (*space).to_owned()).collect();
        all(&state).into_iter().find(|check| check.name == "spaces")
    };
    let closed = found(&["PHID-SPCE-1"], "users").unwrap();
    assert!(closed.hint.unwrap().contains("`open_spaces = [\"PHID-SPCE-1\", \"PHID-SPCE-2\"]` under [policy]"));
    assert_eq!(found(&["PHID-SPCE-2"], "users").unwrap().outcome, Outcome::Pass);
    assert_eq!(found(&[], "admin"), None, "to open its Space would not open it");
}

#[test]
fn what_could_not_be_read_is_never_well() {
    let mut state = well();
    (state.1.projects, state.1.task, state.1.types) = (Err(down()), Err(down()), None);
    (state.1.history, state.1.audit) = (None, Err(down()));
    let open: Vec<String> =
        all(&state).into_iter().filter(|check| check.outcome == Outcome::Unknown).map(|check| check.name).collect();
    assert_eq!(
        open,
        ["tag", "team:releng", "team:sre", "team:security", "train", "field", "history", "comment", "audit"]
    );
}

#[test]
fn a_refusal_on_a_restricted_task_does_not_name_its_policy() {
    let mut state = well();
    let kind = Failure::Refused { code: "ERR-CONDUIT-CORE".into(), info: "Members of Secret can".into() };
    state.1.types = Some(Err(ConduitError { method: "maniphest.edit".into(), kind }));
    let refusal = |state: &(Local, Remote, Policy)| {
        all(state).into_iter().find(|check| check.outcome == Outcome::Fail).unwrap().message
    };
    assert!(refusal(&state).contains("Secret"));
    state.1.task.as_mut().unwrap().as_mut().unwrap().view = "PHID-PROJ-secret".into();
    assert!(!refusal(&state).contains("Secret"));
}
