//! A report for the tests of its forms: deploys over 14 months for 5 reasons, with all that can be told of one, and text
//! that wants to be more than text.

use jiff::Timestamp;
use phabgate::attribution::ApprovalKind;
use phabgate::audit::population::Population;
use phabgate::audit::unread::Unread;
use phabgate::audit::{Finding, Severity, findings};
use phabgate::ids::{TaskId, TransactionId};
use phabgate::policy::{Policy, Reason, Role, Team};
use phabgate::record::{Event, ExitStatus, Outcome};
use phabgate::report::Report;
use phabgate::report::entry::{ApprovalEntry, DeployEntry, Details, RecordEntry, RuleEntry, TaskEntry};
use phabgate::report::figures::Figures;
use phabgate::rules::Outcome as RuleOutcome;
use url::Url;

/// Text that would be a script, the end of a style, an attribute, or run backwards.
pub(crate) const HOSTILE: &str = "</style></script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=2\"> ' onmouseover='pwned=3 \u{202e}gnp";

/// What a report is made of.
pub(crate) struct Sample {
    base: Url,
    policy: Policy,
    population: Population,
    pub(crate) unread: Vec<Unread>,
    figures: Figures,
    pub(crate) tasks: Vec<TaskEntry>,
}

impl Sample {
    /// The report of these tasks.
    pub(crate) fn of(tasks: Vec<TaskEntry>) -> Self {
        let mut figures = Figures::default();
        tasks.iter().for_each(|task| figures.add(task));
        Self {
            base: "https://phabricator.example.org/".parse().unwrap(),
            policy: policy(),
            population: Population { tagged: tasks.len(), recorded: 1, mirrored: 0, unseen: 0 },
            unread: Vec::new(),
            figures,
            tasks,
        }
    }

    /// Deploys by the rules and others, three of them hostile, restricted and a drill.
    pub(crate) fn usual() -> Self {
        let reasons = ["availability", "data-loss", "security", "functionality", "abuse"];
        // More of some reasons than of others, as it is.
        let pick = [0, 0, 2, 3, 0, 1, 3, 0, 4, 2, 0, 3, 0];
        let mut tasks: Vec<TaskEntry> =
            (0..30).map(|number| task(number, 14, reasons[pick[number as usize % pick.len()]])).collect();
        let hostile = &mut tasks[7];
        let deploy = &mut hostile.deploys[0];
        deploy.deployer = Some(HOSTILE.to_owned());
        deploy.reason = Some(HOSTILE.to_owned());
        deploy.command = Some(HOSTILE.to_owned());
        deploy.change = Some(HOSTILE.to_owned());
        deploy.action = Some(HOSTILE.to_owned());
        deploy.details.as_mut().unwrap().rules[0].message = phabgate::text::inert(HOSTILE);
        deploy.approvals[0].user = HOSTILE.to_owned();
        deploy.approvals[0].team = HOSTILE.to_owned();
        deploy.approvals[0].evidence = Some("javascript:window.pwned=4".to_owned());
        deploy.approvals[1].evidence = Some("https://logs.example.org/?q=\"><b>".to_owned());
        let found = finding(hostile, "record-forged", Severity::Error, HOSTILE);
        hostile.findings.push(found);
        tasks[7].title = Some(HOSTILE.to_owned());
        (tasks[11].restricted, tasks[11].title) = (true, None);
        (tasks[11].deploys[0].command, tasks[11].deploys[0].change) = (None, None);
        tasks[16].drill = true;
        tasks[16].deploys[0].drill = true;
        // A task that nobody deployed for.
        let missing =
            finding(&tasks[20], "record-missing", Severity::Error, "closed as resolved, and nobody recorded a deploy");
        tasks[20].deploys.clear();
        tasks[20].findings = vec![Finding { deploy: None, ..missing }];
        Self::of(tasks)
    }

    /// The same, where some could not be read.
    pub(crate) fn incomplete() -> Self {
        let mut sample = Self::usual();
        let task: TaskId = "T4711".parse().unwrap();
        let why = "its history does not lead to the task as it is: title and status differ".to_owned();
        sample.unread.push(Unread { task, why, restricted: false, findings: Vec::new() });
        sample.population.unseen = 2;
        sample
    }

    /// Many months and reasons.
    pub(crate) fn long(deploys: u64, months: i64, reasons: u64) -> Self {
        let reason = |number: u64| format!("reason-{:02}-with-a-long-name", (number * 3 + number / 9) % reasons);
        Self::of((0..deploys).map(|number| task(number, months, &reason(number))).collect())
    }

    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = Vec::new();
        phabgate::report::html::write(&self.report(), &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    /// The report.
    pub(crate) fn report(&self) -> Report<'_> {
        Report {
            base: &self.base,
            policy: &self.policy,
            now: at(20_000_000 + 14 * MONTH),
            offline: false,
            population: &self.population,
            unread: &self.unread,
            general: &[],
            settled: 0,
            since: None,
            until: None,
            reason: None,
            newest_deploy: None,
            figures: &self.figures,
            tasks: &self.tasks,
        }
    }
}

const MONTH: i64 = 2_629_800;

/// So many seconds after the beginning of the sample's time, 2025-02-06.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_738_800_000 + seconds).unwrap()
}

/// A task with a deploy, the `number`th of those that are spread over the months before the report.
fn task(number: u64, months: i64, reason: &str) -> TaskEntry {
    let n = i64::try_from(number).unwrap();
    // Not evenly: there are months without any, and others with many.
    let begin = 20_000_000 + (14 - months) * MONTH + (n * n * 37 + n * 11) % (months * 30) * (MONTH / 30) + n * 977;
    let transaction = |offset: u64| TransactionId(5_000 + number * 40 + offset);
    let (wait, tagged) = ([150, 420, 2_700, 600, 9_800, 60_000][number as usize % 6], at(begin));
    let approved = at(begin + wait);
    let started = at(begin + wait + [45, 240, 1_500, 3_000][number as usize % 4]);
    let finished = started + jiff::SignedDuration::from_secs([31, 190, 95, 1_260, 20][number as usize % 5]);
    let (outcome, exit) = match number % 9 {
        4 => (Some(Outcome::Failed), Some(ExitStatus::Code(1))),
        6 => (Some(Outcome::RolledBack), Some(ExitStatus::Code(0))),
        8 => (None, None),
        _ => (Some(Outcome::Succeeded), Some(ExitStatus::Code(0))),
    };
    let approval = |team: &str, offset, time| ApprovalEntry {
        team: team.to_owned(),
        user: format!("{team}{}", 1 + number % 4),
        kind: ApprovalKind::Verified,
        why_not: None,
        transaction: Some(transaction(offset)),
        time,
        evidence: None,
    };
    let mut approvals = vec![approval("releng", 3, at(begin + wait / 2)), approval("sre", 4, approved)];
    let rule =
        |name: &str, outcome, message: &str| RuleEntry { name: name.to_owned(), outcome, message: message.to_owned() };
    let mut rules = vec![
        rule("tag", RuleOutcome::Pass, "tagged #emergency-deployment by deployer2"),
        rule("task-open", RuleOutcome::Pass, "open (open)"),
        rule("reason", RuleOutcome::Pass, "maintain availability"),
        rule("explanation", RuleOutcome::Pass, "the reason is explained"),
        rule("team:releng", RuleOutcome::Pass, "1 of 1: releng1"),
        rule("team:sre", RuleOutcome::Pass, "1 of 1: sre1"),
        rule("clock", RuleOutcome::Warn, "this machine's clock is 3 s ahead of the server's"),
    ];
    let fails = number % 8 == 3;
    if fails {
        approvals[1].why_not = Some("given before the description was changed".to_owned());
        rules[5] = rule("team:sre", RuleOutcome::Fail, "0 of 1: sre1's approval does not count");
    }
    let record =
        |event, offset, time| RecordEntry { event, transaction: transaction(offset), time, changed: number % 10 == 9 };
    let records = vec![record(Event::Started, 6, started), record(Event::Finished, 7, finished)];
    let uuid = format!("0197{number:04x}-0000-7000-8000-{number:012x}");
    let verdict = if fails { "denied" } else { "allowed" };
    let deploy = DeployEntry {
        deploy: uuid.parse().unwrap(),
        drill: false,
        deployer: Some(format!("deployer{}", 1 + number % 3)),
        reason: Some(reason.to_owned()),
        action: Some(["fix", "rollback", "config"][number as usize % 3].to_owned()),
        change: Some(format!("I{:07x}", 0x3f_a11e + number * 7919)),
        command: Some(format!("scap backport {}", 1_090_000 + number)),
        tagged: Some(tagged),
        approved: Some(approved).filter(|_| !fails),
        started: Some(started),
        finished: outcome.map(|_| finished),
        recorded: started,
        transaction: transaction(6),
        outcome,
        exit,
        not_started: false,
        verdict: verdict.to_owned(),
        verdict_as_recorded: verdict.to_owned(),
        approvals,
        details: Some(Details { rules, records }),
    };
    let id = TaskId::new(400_000 + number).unwrap();
    let title =
        Some(["All page views fail", "Uploads of more than 100 MB are refused"][number as usize % 2].to_owned());
    let mut task =
        TaskEntry { task: id, restricted: false, title, drill: false, deploys: vec![deploy], findings: Vec::new() };
    let mut find = |name, severity, message: &str| {
        let found = finding(&task, name, severity, message);
        task.findings.push(found);
    };
    if fails {
        find(
            "approval-missing",
            Severity::Error,
            "when the deploy started, team:sre: 0 of 1: sre1's approval does not count",
        );
    }
    if outcome.is_none() {
        find("record-unfinished", Severity::Warning, "no record says how it ended");
    }
    if number % 10 == 9 {
        find("record-edited", Severity::Warning, "the record of the start was edited by admin");
    }
    if number % 6 == 5 {
        find("follow-up-overdue", Severity::Notice, "the follow-up was due 3 days ago");
    }
    task
}

/// A finding about the first deploy of a task.
fn finding(task: &TaskEntry, name: &str, severity: Severity, message: &str) -> Finding {
    let rule = findings::ALL.iter().find(|rule| rule.name == name).unwrap();
    let deploy = &task.deploys[0];
    Finding {
        name: rule.name,
        severity,
        task: Some(task.task),
        deploy: Some(deploy.deploy),
        transaction: Some(deploy.transaction),
        time: deploy.recorded,
        message: message.to_owned(),
        about: String::new(),
    }
}

fn policy() -> Policy {
    let team = |key: &str, title: &str| Team {
        key: key.to_owned(),
        project: key.to_owned(),
        title: title.to_owned(),
        aliases: Vec::new(),
        need: 1,
        role: Role::Approve,
    };
    let reason =
        |key: &str| Reason { key: key.to_owned(), title: key.to_owned(), aliases: Vec::new(), teams: Vec::new() };
    Policy {
        tag: "emergency-deployment".to_owned(),
        field: None,
        train: None,
        required: vec!["releng".to_owned(), "sre".to_owned()],
        teams: vec![team("releng", "Release Engineering"), team("sre", "Site Reliability Engineering")],
        reasons: ["availability", "data-loss"].map(reason).to_vec(),
        actions: Vec::new(),
        accept_verified: true,
        accept_witnessed: false,
        witnesses: vec![],
        accept_attested: false,
        max_age: jiff::SignedDuration::from_hours(12),
        self_approval: false,
        require_open: true,
        recorders: vec!["phabgate".to_owned()],
        open_spaces: Vec::new(),
        records: phabgate::policy::BelievedRecords::Deployers,
        follow_up: None,
    }
}
