//! What `doctor` checks before the emergency: each check a pure function of what was read.
//!
//! Responsible for what was read, as data, and the checks. Not responsible for reading it, and what is printed.

pub mod heard;
pub mod irc;
pub mod paging;
pub mod presence;
mod receivers;
#[cfg(test)]
mod tests;
pub mod untried;
#[cfg(feature = "serve")]
pub mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::conduit::{Account, AccountRole, ConduitError, Failure, Project, Status, Task};
use crate::evidence::timeline::UnexposedChanges;
use crate::policy::{Policy, Role, Team};
use crate::rules::{Outcome, RuleOutcome};
use crate::text::{inert, shorten};
use crate::time::rough;

/// What this machine shows of itself.
#[derive(Debug)]
pub struct Local {
    /// The configuration file, where there is one.
    pub file: Option<String>,
    /// The file that `PHABGATE_CONFIG` names, which the sandbox passes over.
    pub passed_over: Option<String>,
    /// The state directory, and why that one.
    pub state: (String, String),
    /// How many deploys have undelivered records; or why the journal cannot be written.
    pub journal: Result<usize, String>,
    /// The account that the calling user is mapped to.
    pub calling_account: Option<String>,
    /// Who called by sudo; they deploy as the account that they are mapped to, and as no other.
    pub by_sudo: Option<String>,
}

/// What the server shows.
#[derive(Debug)]
pub struct Remote {
    /// The server.
    pub server: String,
    /// The proxy that leads there, and the variable that names it.
    pub proxy: Option<String>,
    /// Where the token came from.
    pub token: String,
    /// Whose token it is.
    pub owner: Account,
    /// How far this machine's clock is ahead; `None` where the server's replies carry no time.
    pub skew: Option<SignedDuration>,
    /// Its statuses.
    pub statuses: Result<Vec<Status>, ConduitError>,
    /// The projects of the policy, by hashtag.
    pub projects: Result<BTreeMap<String, Project>, ConduitError>,
    /// The accounts of the recorders.
    pub recorders: Result<Vec<Account>, ConduitError>,
    /// The accounts of the members of all approving teams.
    pub members: Result<Vec<Account>, ConduitError>,
    /// A task to try things on: the one that was named, or the newest with the tag.
    pub task: Result<Option<Task>, ConduitError>,
    /// What the server lets the account write on that task; `None` where there is no task.
    pub types: Option<Result<Vec<String>, ConduitError>>,
    /// How much of the history of that task it shows; `None` where there is no task.
    pub history: Option<Result<HistoryCoverage, ConduitError>>,
    /// Whether it returns what anybody did on any task, which an audit needs.
    pub audit: Result<(), ConduitError>,
    /// The calls that were made, and how long each took.
    pub calls: Vec<(&'static str, Duration)>,
}

/// How much a server shows of the history of a task.
#[derive(Debug, Clone)]
pub struct HistoryCoverage {
    /// What `transaction.search` leaves null of it.
    pub null: UnexposedChanges,
    /// What is still not known after the older method was asked.
    pub unexposed: UnexposedChanges,
    /// Whether the older method (`maniphest.gettasktransactions`) answers.
    pub older: Result<(), ConduitError>,
}

/// The most that a clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// A call that takes longer is slow.
const SLOW: Duration = Duration::from_secs(2);

fn check(name: &str, outcome: Outcome, message: impl Into<String>, hint: Option<String>) -> RuleOutcome {
    RuleOutcome { name: name.to_owned(), outcome, message: message.into(), hint }
}

fn pass(name: &str, message: impl Into<String>) -> RuleOutcome {
    check(name, Outcome::Pass, message, None)
}

fn warn(name: &str, message: impl Into<String>, hint: impl Into<String>) -> RuleOutcome {
    check(name, Outcome::Warn, message, Some(hint.into()))
}

fn fail(name: &str, message: impl Into<String>, hint: impl Into<String>) -> RuleOutcome {
    check(name, Outcome::Fail, message, Some(hint.into()))
}

fn unknown(name: &str, error: &ConduitError) -> RuleOutcome {
    check(name, Outcome::Unknown, format!("not checked: {error}"), Some(error.hint().to_owned()))
}

/// The checks of this machine.
pub fn local(local: &Local, policy: &Policy) -> Vec<RuleOutcome> {
    let (journal, outbox) = journal(local);
    [Some(configuration(local, policy)), Some(journal), outbox].into_iter().flatten().collect()
}

/// The checks of the server.
pub fn remote(remote: &Remote, local: &Local, policy: &Policy) -> Vec<RuleOutcome> {
    let mut checks = vec![pass("server", server(remote)), owner(remote, policy), deployer(remote, local, policy)];
    checks.extend(recorders(remote, policy));
    checks.push(tag(remote, policy));
    checks.extend(policy.teams.iter().map(|wanted| team(remote, wanted)));
    checks.extend(policy.train.as_deref().map(|slug| train(remote, slug)));
    checks.push(statuses(remote));
    checks.extend(policy.field.as_deref().map(|key| field(remote, key)));
    checks.push(history(remote));
    checks.extend(space(remote, policy));
    checks.push(comment(remote));
    checks.push(audit(remote));
    checks.push(clock(remote));
    checks.push(latency(remote));
    checks
}

/// How much of the policy's digest is shown: enough to compare it with that of a record.
const DIGEST: usize = 20;

/// Where it is, and what leads there.
fn server(remote: &Remote) -> String {
    match &remote.proxy {
        Some(proxy) => format!("{} through the proxy {}", remote.server, inert(proxy)),
        None => remote.server.clone(),
    }
}

fn configuration(local: &Local, policy: &Policy) -> RuleOutcome {
    let file = local.file.as_deref().unwrap_or("no file, all is built in");
    let said = format!("{file}; policy {}", shorten(policy.digest().as_str(), DIGEST));
    match &local.passed_over {
        None => pass("configuration", said),
        Some(named) => warn(
            "configuration",
            format!("{said}; with --sandbox the file {} of PHABGATE_CONFIG is not read", inert(named)),
            "to have its settings used in the sandbox, name the file with --config too; else nothing is to be done",
        ),
    }
}

/// Whether it can be written, and what it still owes.
fn journal(local: &Local) -> (RuleOutcome, Option<RuleOutcome>) {
    let (directory, origin) = &local.state;
    match &local.journal {
        Err(why) => {
            let hint =
                "give the directory to who runs the gate, or set PHABGATE_STATE; without a journal nothing is deployed";
            (fail("journal", why, hint), None)
        }
        Ok(owed) => {
            let outbox = match owed {
                0 => pass("outbox", "nothing is undelivered"),
                owed => warn(
                    "outbox",
                    format!("deploys with records that are not on their task: {owed}"),
                    "type `phabgate outbox flush --wait`, and run `phabgate outbox flush` from cron",
                ),
            };
            let shared = std::path::Path::new(directory) == std::path::Path::new("/var/lib/phabgate");
            let own = if shared { "" } else { "; the runs of users with a journal of their own are not seen" };
            (pass("journal", format!("{directory} can be written ({origin}){own}")), Some(outbox))
        }
    }
}

fn is_recorder(account: &Account, policy: &Policy) -> bool {
    account.is_named_in(&policy.recorders)
}

/// Whose token it is, and whether anybody believes what is written with it.
fn owner(remote: &Remote, policy: &Policy) -> RuleOutcome {
    let name = inert(&remote.owner.username);
    let from = &remote.token;
    if is_recorder(&remote.owner, policy) {
        let person = if remote.owner.is_bot() { "" } else { ", though it is no bot account" };
        return pass("token", format!("{name}, a recorder{person}: it records everybody's deploys (from {from})"));
    }
    if remote.owner.is_bot() {
        let hint = format!(
            "name it under `policy.recorders`, or use the token of a recorder: {}",
            policy.recorders.join(", ")
        );
        return fail("token", format!("{name} is a bot and no recorder: nobody would believe its records"), hint);
    }
    if !remote.owner.is_enabled_person() {
        let hint = "have an administrator approve the account, or verify its address";
        return fail("token", format!("the account {name} is not active: its answers do not count"), hint);
    }
    pass("token", format!("{name}, a person: deploys and answers of their own (from {from})"))
}

/// Who would be taken for the deployer where nobody says so.
fn deployer(remote: &Remote, local: &Local, policy: &Policy) -> RuleOutcome {
    let owner = &remote.owner;
    let by_token = (!owner.is_bot() && !is_recorder(owner, policy)).then(|| inert(&owner.username));
    if let (Some(caller), None) = (&local.by_sudo, &local.calling_account) {
        return fail(
            "deployer",
            format!("`[deployers]` maps {} to no account, and by sudo nobody else deploys", inert(caller)),
            "whoever administers this machine adds this login to `[deployers]`; reading needs no entry",
        );
    }
    match (by_token, &local.calling_account) {
        (Some(token), Some(mapped)) if !owner.is_named(mapped) => fail(
            "deployer",
            format!("the token is that of {token}, and the configuration maps you to {}", inert(mapped)),
            "use your own token, or correct `[deployers]`: where the sources disagree, nothing is deployed",
        ),
        (Some(name), _) => pass("deployer", format!("{name} (the token's owner)")),
        (None, Some(mapped)) => pass("deployer", format!("{} (the calling user)", inert(mapped))),
        (None, None) => warn(
            "deployer",
            "nobody is known to deploy unless --deployer says so",
            "map the system accounts of your deployers under `[deployers]`: they are also among those for whose emergencies people are paged",
        ),
    }
}

/// Why an account that is named cannot do anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NotInUse {
    /// There is none.
    #[error("the server knows no account {}", inert(.0))]
    Unknown(String),
    /// Nobody can log in with it.
    #[error("the account {} is disabled", inert(.0))]
    Disabled(String),
}

/// Whether an account of this name is among those that the server knows, and is not disabled.
fn in_use(name: &str, known: &[Account]) -> Result<(), NotInUse> {
    match known.iter().find(|account| account.is_named(name)) {
        None => Err(NotInUse::Unknown(name.to_owned())),
        Some(account) if account.roles.contains(&AccountRole::Disabled) => Err(NotInUse::Disabled(name.to_owned())),
        Some(_) => Ok(()),
    }
}

fn recorders(remote: &Remote, policy: &Policy) -> Vec<RuleOutcome> {
    let accounts = match &remote.recorders {
        Ok(accounts) => accounts,
        Err(error) => return vec![unknown("recorders", error)],
    };
    let judge = |name: &String| match in_use(name, accounts) {
        Err(why @ NotInUse::Unknown(_)) => warn(
            "recorders",
            why.to_string(),
            "correct `policy.recorders`: whoever takes that name could write records",
        ),
        Err(why @ NotInUse::Disabled(_)) => warn(
            "recorders",
            why.to_string(),
            "take it out of `policy.recorders` once its records are no longer audited",
        ),
        Ok(()) => pass("recorders", format!("{} exists", inert(name))),
    };
    policy.recorders.iter().map(judge).collect()
}

fn tag(remote: &Remote, policy: &Policy) -> RuleOutcome {
    match &remote.projects {
        Err(error) => unknown("tag", error),
        Ok(projects) if projects.contains_key(&policy.tag) => pass("tag", format!("#{} exists", policy.tag)),
        Ok(_) => fail(
            "tag",
            format!("the server knows no project #{}, or does not show it to this account", policy.tag),
            "make the project, let the gate's account see it, or correct `policy.tag`",
        ),
    }
}

/// Whether a team can approve: its project is there, has enough people, and does not let everybody in.
fn team(remote: &Remote, team: &Team) -> RuleOutcome {
    let name = format!("team:{}", team.key);
    let projects = match &remote.projects {
        Ok(projects) => projects,
        Err(error) => return unknown(&name, error),
    };
    let Some(project) = projects.get(&team.project) else {
        let message = format!("the server knows no project #{}, or does not show it to this account", team.project);
        let hint = format!("make the project, let the gate's account see it, or correct `policy.teams.{}`", team.key);
        // Nothing is asked of a team that is only informed.
        return match team.role {
            Role::Approve => fail(&name, message, hint),
            Role::Inform => warn(&name, message, hint),
        };
    };
    if team.role == Role::Inform {
        return pass(&name, format!("#{} exists; it is only informed", team.project));
    }
    let accounts = match &remote.members {
        Ok(accounts) => accounts,
        Err(error) => return unknown(&name, error),
    };
    let can = |account: &&Account| project.members.contains(&account.phid) && account.is_enabled_person();
    let people = accounts.iter().filter(can).count();
    let need = team.need.max(1) as usize;
    if people < need {
        return fail(
            &name,
            format!("#{} has {} who can approve, and needs {need}", team.project, counted(people)),
            "add members with enabled accounts to the project",
        );
    }
    let have = format!("#{} has {} who can approve, and needs {need}", team.project, counted(people));
    let Some(open) = project.open_to_all() else { return pass(&name, have) };
    let whom = open.below.map_or("it".to_owned(), |below| format!("its subproject {}", inert(below)));
    warn(
        &name,
        format!("{have}; everybody can {} {whom}, and so approve", open.way),
        "have an administrator restrict who may join and edit the project and those below it",
    )
}

fn counted(people: usize) -> String {
    format!("{people} {}", if people == 1 { "person" } else { "people" })
}

fn train(remote: &Remote, slug: &str) -> RuleOutcome {
    match &remote.projects {
        Err(error) => unknown("train", error),
        Ok(projects) if projects.contains_key(slug) => pass("train", format!("#{slug} exists")),
        Ok(_) => warn(
            "train",
            format!("the server knows no project #{slug}: the train's conductor cannot be read"),
            "correct `policy.train`, or set `contact.conductor`",
        ),
    }
}

fn statuses(remote: &Remote) -> RuleOutcome {
    match &remote.statuses {
        Err(error) => unknown("statuses", error),
        Ok(statuses) => {
            let closed = statuses.iter().filter(|status| status.closed).map(|status| inert(&status.value));
            pass("statuses", format!("closed: {}", closed.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// Where there is no task, nothing can be tried.
const NO_TASK: &str = "name a task that this account can see with --task T1234";

fn no_task(name: &str) -> RuleOutcome {
    warn(name, "not checked: there is no task to try it on", NO_TASK)
}

fn field(remote: &Remote, key: &str) -> RuleOutcome {
    match &remote.task {
        Err(error) => unknown("field", error),
        Ok(None) => no_task("field"),
        Ok(Some(task)) if task.custom.contains_key(key) => pass("field", format!("tasks have the field {key}")),
        Ok(Some(_)) => warn(
            "field",
            format!("tasks have no field {key}: reasons are read from descriptions and comments alone"),
            "make the field on the server, or correct `policy.field`",
        ),
    }
}

/// Whether the whole history of a task can be known: where a change is null and nothing else shows it, no verdict
/// comes.
fn history(remote: &Remote) -> RuleOutcome {
    const OLDER: &str = "maniphest.gettasktransactions";
    let hint = format!("let the gate's account call `{OLDER}`, or update the server");
    match (&remote.task, &remote.history) {
        (Err(error), _) | (_, Some(Err(error))) => unknown("history", error),
        (Ok(None), _) | (_, None) => no_task("history"),
        (Ok(Some(task)), Some(Ok(coverage))) => match (coverage.unexposed.any(), &coverage.older) {
            (true, _) => fail(
                "history",
                format!(
                    "the server does not show all that changed on {}, perhaps {}: such a task cannot be judged",
                    task.id,
                    coverage.unexposed.what()
                ),
                hint,
            ),
            (false, Err(error)) => warn(
                "history",
                format!("what `transaction.search` leaves null `{OLDER}` does not show either: {error}"),
                hint,
            ),
            (false, Ok(())) if coverage.null.any() => pass(
                "history",
                format!(
                    "`transaction.search` leaves null of {} what `{OLDER}` tells: {}",
                    task.id,
                    coverage.null.what()
                ),
            ),
            (false, Ok(())) => pass("history", format!("the server shows all that happened to {}", task.id)),
        },
    }
}

/// Whether an audit can be made of this server.
fn audit(remote: &Remote) -> RuleOutcome {
    match &remote.audit {
        Ok(()) => pass("audit", "the server shows what an account did on all tasks"),
        Err(error) if matches!(error.kind, Failure::Refused { .. }) => fail(
            "audit",
            "the server is too old for an audit: it says what an account did on one task alone (`transaction.search` takes \
             `objectType` since March 2021); `check`, `run`, `record`, `request`, `history` and answers work",
            "update the server; what is deployed until then is checked and recorded, and audited afterwards",
        ),
        Err(error) => unknown("audit", error),
    }
}

/// Whether the policy knows the Space of the tasks: once a server has Spaces, every task is in one.
fn space(remote: &Remote, policy: &Policy) -> Option<RuleOutcome> {
    let Ok(Some(task)) = &remote.task else { return None };
    match (task.restricting_space(&policy.open_spaces), &task.space) {
        (Some(space), _) => Some(warn(
            "spaces",
            format!("{} is restricted by its Space alone: its texts are shown nowhere", task.id),
            format!(
                "if everybody may see that Space, write `{}` under [policy]",
                policy.with_open_space(space.as_str())
            ),
        )),
        (None, Some(space)) if policy.open_spaces.iter().any(|open| open == space.as_str()) => {
            Some(pass("spaces", format!("the Space of {} is open", task.id)))
        }
        (None, _) => None,
    }
}

/// Whether the account can comment, as far as that can be known without a comment. The server is asked for an edit of a
/// kind that it does not know. It refuses that before it writes anything, and names the kinds that it takes from this
/// account. (An empty comment or an empty edit are no such proof: they subscribe the account or move the task's date.)
fn comment(remote: &Remote) -> RuleOutcome {
    let name = inert(&remote.owner.username);
    match (&remote.task, &remote.types) {
        (Err(error), _) => unknown("comment", error),
        (Ok(None), _) | (Ok(Some(_)), None) => no_task("comment"),
        (Ok(Some(task)), Some(Err(error))) if matches!(error.kind, Failure::Refused { .. }) => {
            // The server's words may name the policy of a restricted task.
            let open = matches!(task.view.as_str(), "public" | "users") && task.space.is_none();
            let why = if open { error.in_full() } else { error.to_string() };
            fail("comment", format!("the server takes no edit of {} by {name}: {why}", task.id), error.hint())
        }
        (Ok(Some(_)), Some(Err(error))) => unknown("comment", error),
        (Ok(Some(task)), Some(Ok(types))) if types.iter().any(|known| known == "comment") => pass(
            "comment",
            format!("the server takes comments on {} from {name}, as far as can be seen without writing one", task.id),
        ),
        (Ok(Some(task)), Some(Ok(_))) => fail(
            "comment",
            format!("the server takes no comments on {} from {name}", task.id),
            "let the account comment on the tasks of emergencies: records and answers are comments",
        ),
    }
}

fn clock(remote: &Remote) -> RuleOutcome {
    match remote.skew {
        None => fail(
            "clock",
            "the server's replies carry no Date: how old an approval is cannot be known",
            "check what stands between this host and the server: it drops the header Date",
        ),
        Some(skew) if skew.abs() > SKEW => warn(
            "clock",
            format!(
                "this machine's clock is {} {} the server's",
                rough(skew.abs()),
                if skew.is_positive() { "ahead of" } else { "behind" }
            ),
            "set the clock of this host",
        ),
        Some(_) => pass("clock", "this machine's clock agrees with the server's"),
    }
}

fn latency(remote: &Remote) -> RuleOutcome {
    let Some((method, slowest)) = remote.calls.iter().max_by_key(|(_, took)| *took) else {
        return pass("latency", "no call was made");
    };
    let message = format!("{} calls, the slowest {method} in {}", remote.calls.len(), crate::time::brief(*slowest));
    match *slowest > SLOW {
        false => pass("latency", message),
        true => warn("latency", message, "a check waits for two such calls; look at the network or the server's load"),
    }
}
