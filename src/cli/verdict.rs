//! A verdict as `check`, `run` and `record` print it, for people and for programs.
//!
//! Responsible for both forms, as pure functions. Not responsible for the decision itself.

use jiff::Timestamp;
use serde::Serialize;

use super::said::{self, JsonNearMiss};
use super::session::Session;
use crate::attribution::ApprovalKind;
use crate::gate::heard::{Heard, heard};
use crate::gate::{AskersVerdict, Assessment, Task};
use crate::ids::{TaskId, TransactionId};
use crate::layout::{BAD, FAINT, GOOD, HINT, MIND, NAME, hanging, styled};
use crate::policy::Policy;
use crate::record::Deployer;
use crate::rules::{Decision, Outcome, RuleOutcome, TeamCount, Texts, Verdict};
use crate::text::inert;
use crate::time::utc;

/// The schema of `check --format json`.
pub(super) const SCHEMA: &str = "phabgate/check/1";

/// What is shown beside the verdict.
#[derive(Debug, Clone, Default)]
pub(super) struct VerdictSubject {
    /// The task's page.
    pub(super) url: String,
    /// Its title; `None` where it is restricted or not visible.
    pub(super) title: Option<String>,
    /// It is shown to fewer people than everyone with an account; `None` where that is not known.
    pub(super) restricted: Option<bool>,
    /// What to write in the configuration if everybody may see the Space that alone makes it restricted.
    pub(super) space: Option<String>,
    /// The category of its reason.
    pub(super) category: Option<String>,
    /// The explanation; `None` where there is none or it may not be shown.
    pub(super) explanation: Option<String>,
    /// It is a drill.
    pub(super) drill: bool,
    /// Who deploys, first, and every other account that could be behind it.
    pub(super) behind: Vec<Deployer>,
    /// When it was judged, by the server's clock.
    pub(super) now: Option<Timestamp>,
    /// What members of the teams said on it, newest first.
    pub(super) said: Vec<Heard>,
}

impl VerdictSubject {
    /// What is known of a task that was read, or was not; texts of a restricted task only where they may be shown.
    pub(super) fn of(assessment: &Assessment, session: &Session) -> Self {
        let url = assessment.number.url(session.base());
        match assessment.task() {
            Some(task) => Self::of_task(task, &session.settings.policy, url, session.texts),
            None => Self { url, now: assessment.now(), ..Self::default() },
        }
    }

    /// The same of a task that was read.
    pub(super) fn of_task(task: &Task, policy: &Policy, url: String, texts: Texts) -> Self {
        let Task { evidence, state, .. } = task;
        let restricted = evidence.is_restricted(&policy.open_spaces);
        let show = texts.are_shown(evidence, policy);
        let category = state.written.as_ref().and_then(|written| written.category.clone());
        let explanation = state.written.as_ref().filter(|_| show).map(|written| written.explanation.clone());
        Self {
            url,
            title: show.then(|| evidence.task.title.clone()),
            restricted: Some(restricted),
            space: evidence
                .task
                .restricting_space(&policy.open_spaces)
                .map(|space| policy.with_open_space(space.as_str())),
            category,
            explanation: explanation.filter(|words| !words.is_empty()),
            drill: state.is_drill(),
            behind: task.behind(show),
            now: Some(evidence.now),
            said: heard(evidence, policy, show),
        }
    }
}

/// A verdict for programs; fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    verdict: &'static str,
    title: Option<&'a str>,
    restricted: Option<bool>,
    drill: bool,
    reason: Option<JsonReason<'a>>,
    deployer: Option<&'a Deployer>,
    behind: &'a [Deployer],
    rules: &'a [RuleOutcome],
    approvals: Vec<JsonApproval<'a>>,
    teams: &'a [TeamCount],
    near_misses: Vec<JsonNearMiss<'a>>,
    said: Vec<Heard>,
    policy: String,
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<&'a str>,
    /// What would differ if who reads deployed; left out where nothing would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_you_deploy: Option<JsonIfYouDeploy<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct JsonIfYouDeploy<'a> {
    user: &'a str,
    verdict: &'static str,
    rules: &'a [RuleOutcome],
}

/// What would differ from the verdict if who reads deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IfYouDeploy {
    /// Their username.
    user: String,
    /// What would be decided.
    decision: Decision,
    /// The rules that would find something else.
    rules: Vec<RuleOutcome>,
}

impl IfYouDeploy {
    /// Compares the verdict with that of who reads; `None` where no rule would find anything else.
    pub(super) fn new(verdict: &Verdict, asker: &AskersVerdict) -> Option<Self> {
        let AskersVerdict { user, verdict: theirs } = asker.clone();
        let found =
            |name: String, outcome| verdict.rules.iter().any(|rule| rule.name == name && rule.outcome == outcome);
        let differs = |rule: &RuleOutcome| !found(rule.name.clone(), rule.outcome);
        let rules: Vec<RuleOutcome> = theirs.rules.into_iter().filter(differs).collect();
        (!rules.is_empty()).then_some(Self { user, decision: theirs.decision, rules })
    }

    /// In one line for people, wrapped.
    pub(super) fn text(&self, width: usize) -> String {
        let why: Vec<String> = self.rules.iter().map(|rule| format!("{}: {}", rule.name, rule.message)).collect();
        let line = format!("as {}, {}: {}", inert(&self.user), self.decision.word(), why.join("; "));
        hanging(&format!("{} ", styled(MIND, "If you deploy")), 14, &line, width)
    }

    /// For programs.
    pub(super) fn json(&self) -> JsonIfYouDeploy<'_> {
        JsonIfYouDeploy { user: &self.user, verdict: self.decision.word(), rules: &self.rules }
    }
}

#[derive(Debug, Serialize)]
struct JsonReason<'a> {
    category: &'a str,
    explanation: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonApproval<'a> {
    team: &'a str,
    user: &'a str,
    kind: ApprovalKind,
    counts: bool,
    why_not: Option<String>,
    transaction: Option<TransactionId>,
    time: Timestamp,
    evidence: Option<&'a str>,
}

/// The verdict for programs.
pub(super) fn json<'a>(
    task: TaskId,
    subject: &'a VerdictSubject,
    verdict: &'a Verdict,
    policy: &Policy,
    announcement: Option<&'a str>,
) -> Json<'a> {
    let approvals = verdict.approvals.iter().map(|approval| JsonApproval {
        team: &approval.team,
        user: &approval.user,
        kind: approval.kind,
        counts: approval.counts(),
        why_not: approval.why_not.as_ref().map(ToString::to_string),
        transaction: approval.transaction,
        time: approval.time,
        evidence: approval.evidence.as_deref(),
    });
    let category = subject.category.as_deref();
    Json {
        schema: SCHEMA,
        task,
        url: &subject.url,
        verdict: verdict.decision.word(),
        title: subject.title.as_deref(),
        restricted: subject.restricted,
        drill: subject.drill,
        reason: category.map(|category| JsonReason { category, explanation: subject.explanation.as_deref() }),
        deployer: subject.behind.first(),
        behind: subject.behind.get(1..).unwrap_or_default(),
        rules: &verdict.rules,
        approvals: approvals.collect(),
        teams: &verdict.teams,
        near_misses: said::near_misses(&verdict.near_misses, subject.title.is_some()),
        said: said::json(&subject.said),
        policy: policy.digest().to_string(),
        time: subject.now,
        announcement,
        if_you_deploy: None,
    }
}

/// The verdict for people, in at most `width` columns.
pub(super) fn text(task: TaskId, subject: &VerdictSubject, verdict: &Verdict, width: usize) -> String {
    let mut page = header(task, subject, width);
    page.push('\n');
    page.push_str(&rules(&verdict.rules, width));
    if !verdict.approvals.is_empty() {
        page.push('\n');
        page.push_str(&approvals(verdict, width));
    }
    if !subject.said.is_empty() {
        page.push('\n');
        page.push_str(&said::text(&subject.said, task, width));
    }
    page.push('\n');
    page.push_str(&headline(&verdict.decision, &verdict.rules, task, width));
    page
}

/// The task, its page, and that it is a drill.
pub(super) fn header(task: TaskId, subject: &VerdictSubject, width: usize) -> String {
    let title = match (&subject.title, subject.restricted) {
        (Some(title), _) => inert(title),
        (None, Some(true)) => "(restricted: its texts are not shown)".to_owned(),
        (None, _) => String::new(),
    };
    let label = task.to_string();
    let mut header = hanging(&format!("{} ", styled(NAME, &label)), label.len() + 1, &title, width);
    header.push_str(&format!("{}\n", styled(FAINT, &subject.url)));
    if let Some(open) = &subject.space {
        let words =
            format!("it is restricted by its Space alone; if everybody may see that, write `{open}` under [policy]");
        header.push_str(&hanging(&format!("{} ", styled(HINT, "hint:")), 6, &words, width));
    }
    if subject.drill {
        header.push_str(&format!("{}\n", styled(MIND, "This is a drill, not an emergency.")));
    }
    header
}

/// What a rule is marked with: distinguished by the word, not by the colour alone.
fn mark(outcome: Outcome) -> (anstyle::Style, &'static str) {
    match outcome {
        Outcome::Pass => (GOOD, "ok"),
        Outcome::Warn => (MIND, "warn"),
        Outcome::Pending => (MIND, "wait"),
        Outcome::Fail => (BAD, "FAIL"),
        Outcome::Unknown => (BAD, "????"),
    }
}

/// The rules that hold first, so that what is wrong stands next to the verdict.
pub(super) fn rules(rules: &[RuleOutcome], width: usize) -> String {
    let names = rules.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    let mut sorted: Vec<&RuleOutcome> = rules.iter().collect();
    sorted.sort_by_key(|rule| match rule.outcome {
        Outcome::Pass => 0,
        Outcome::Warn => 1,
        Outcome::Pending => 2,
        Outcome::Fail => 3,
        Outcome::Unknown => 4,
    });
    let mut lines = String::new();
    for rule in sorted {
        let (style, word) = mark(rule.outcome);
        let columns = 2 + 4 + 2 + names + 2;
        let head = format!("  {}{}  {:names$}  ", styled(style, word), " ".repeat(4 - word.len()), rule.name);
        lines.push_str(&hanging(&head, columns, &rule.message, width));
        if let Some(hint) = &rule.hint {
            let head = format!("{}{} ", " ".repeat(columns), styled(HINT, "hint:"));
            lines.push_str(&hanging(&head, columns + 6, hint, width));
        }
    }
    lines
}

fn approvals(verdict: &Verdict, width: usize) -> String {
    let teams = verdict
        .approvals
        .iter()
        .map(|approval| crate::text::columns(&inert(&approval.team)))
        .max()
        .unwrap_or(0)
        .min(20);
    let users = verdict.approvals.iter().map(|approval| approval.user.len()).max().unwrap_or(0);
    let mut lines = format!("{}\n", styled(NAME, "Approvals"));
    for approval in &verdict.approvals {
        let team = crate::text::shorten(&approval.team, 20);
        let kind = match approval.kind {
            ApprovalKind::Verified => "verified",
            ApprovalKind::Attested => "attested",
        };
        let pad = " ".repeat(teams.saturating_sub(crate::text::columns(&team)));
        let counts = if approval.counts() { styled(GOOD, "yes") } else { styled(MIND, "no ") };
        let head = format!("  {counts}  {team}{pad}  {:users$}  ", approval.user);
        let what = match &approval.why_not {
            None => format!("{kind}, {}", utc(approval.time)),
            Some(why) => format!("{kind}, {}: {why}", utc(approval.time)),
        };
        lines.push_str(&hanging(&head, 2 + 3 + 2 + teams + 2 + users + 2, &what, width));
    }
    lines
}

fn headline(decision: &Decision, rules: &[RuleOutcome], task: TaskId, width: usize) -> String {
    let of = |outcome| {
        let names: Vec<&str> =
            rules.iter().filter(|rule| rule.outcome == outcome).map(|rule| rule.name.as_str()).collect();
        names.join(", ")
    };
    let (style, word, rest) = match decision {
        Decision::Allowed(_) => (GOOD, "ALLOWED", format!("{task} may be deployed")),
        Decision::Pending => (MIND, "PENDING", format!("waiting for {}", of(Outcome::Pending))),
        Decision::Denied => (BAD, "DENIED", format!("because of {}", of(Outcome::Fail))),
        Decision::Undecided => (BAD, "UNDECIDED", format!("could not be judged: {}", of(Outcome::Unknown))),
    };
    hanging(&format!("{}  ", styled(style, word)), word.len() + 2, &rest, width)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::attribution::DeployerSource;
    use crate::evidence::Evidence;
    use crate::evidence::testing::{self, History, at, person};
    use crate::ids::{DeployId, Phid};
    use crate::policy::Action;
    use crate::record::Event;
    use crate::rules;
    use crate::rules::Intent;

    /// What is wrong with a task, by the rule that finds it.
    pub(in crate::cli) fn cases() -> Vec<(&'static str, Evidence, Policy, Intent)> {
        let mut cases = Vec::new();
        let mut case = |rule, made: &dyn Fn(&mut History, &mut Intent)| {
            let (mut history, mut intent) = (History::ready(), Intent::default());
            made(&mut history, &mut intent);
            cases.push((rule, history.evidence(), history.policy, intent));
        };
        case("task-open", &|made, _| _ = made.status("outsider", 20, "resolved"));
        case("tag", &|made, _| _ = made.untag("outsider", 20, "emergency"));
        case("reason", &|made, _| _ = made.describe("deployer1", 3, "Please deploy."));
        case("reason", &|made, _| _ = made.describe("deployer1", 3, "Emergency-Reason: marketing - launch"));
        case("explanation", &|made, _| _ = made.describe("deployer1", 3, "Emergency-Reason: abuse"));
        case("explanation", &|made, _| {
            _ = made.describe("deployer1", 20, "Emergency-Reason: availability - other words")
        });
        case("deployer", &|made, _| made.candidates.clear());
        case("deployer", &|made, _| made.candidates.push(("deployer2".into(), DeployerSource::Token)));
        case("deployer", &|made, _| made.candidates[0].0 = "nobody".into());
        case("deployer", &|made, _| made.candidates[0].0 = "gone".into());
        case("team", &|made, _| *made = History::emergency());
        case("team", &|made, _| _ = made.comment("sre1", 20, "Emergency-Withdraw: sre"));
        case("team", &|made, _| _ = made.later(50_000));
        case("rejected", &|made, _| {
            _ = made.comment("sre2", 20, "Emergency-Reject: sre - it takes the databases down")
        });
        case("action", &|_, intent| intent.action = Some(Action::Fix));
        case("action", &|_, intent| intent.action = Some(Action::OnWikiEdit));
        case("change", &|made, intent| {
            made.comment("deployer1", 4, "Emergency-Change: I1");
            intent.change = Some("I2".into());
        });
        case("in-flight", &|made, _| _ = made.record("phabgate", 20, &started("deployer2")));
        case("repeat", &|made, _| {
            let mut record = started("deployer1");
            record.approvals.push(crate::record::RecordedApproval {
                team: "sre".into(),
                user: "sre1".into(),
                phid: Some(person("sre1")),
                project: None,
                kind: ApprovalKind::Verified,
                transaction: made.timeline().transactions().last().map(|last| last.id),
                time: at(11),
                evidence: None,
            });
            made.record("phabgate", 20, &record);
            record.event = Event::Finished;
            record.outcome = Some(crate::record::Outcome::Failed);
            made.record("phabgate", 21, &record);
        });
        case("can-record", &|made, _| made.task.interact = Some("no-one".into()));
        case("can-record", &|made, _| made.task.interact = Some("PHID-PLCY-1".into()));
        case("in-flight", &|made, _| _ = made.record("outsider", 20, &started("deployer1")));
        case("action", &|made, intent| {
            made.comment("deployer1", 4, "Emergency-Action: fix");
            intent.action = Some(Action::Rollback);
        });
        case("team-open", &|made, _| made.join = "users");
        case("possible-no", &|made, _| _ = made.comment("sre2", 20, "**Emergency-Reject: sre**"));
        case("near-misses", &|made, _| _ = made.comment("sre2", 20, "Emergency-Aprove: sre"));
        case("near-misses", &|made, _| _ = made.comment("sre1", 20, "- Emergency-Withdraw: sre"));
        case("server", &|made, _| made.task.interact = None);
        case("server", &|made, _| {
            made.task.custom.insert("custom.emergency.reason".into(), serde_json::Value::Null);
            made.unexposed("outsider", 20);
        });
        let (mut evidence, policy) = (History::ready().evidence(), History::ready().policy);
        evidence.skew = jiff::SignedDuration::from_secs(300);
        cases.push(("clock", evidence.clone(), policy.clone(), Intent::default()));
        evidence.tag = None;
        cases.push(("tag", evidence.clone(), policy.clone(), Intent::default()));
        std::sync::Arc::make_mut(&mut evidence.teams).remove("sre");
        cases.push(("team", evidence.clone(), policy.clone(), Intent::default()));
        evidence.statuses = Default::default();
        cases.push(("task-open", evidence, policy, Intent::default()));
        cases
    }

    fn started(deployer: &str) -> crate::record::Record {
        let deploy: DeployId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        testing::record(deploy, Event::Started, deployer)
    }

    #[test]
    fn a_task_that_its_space_alone_restricts_says_what_would_open_it() {
        let header_of = |open: &[&str], view: &str| {
            let mut history = History::ready();
            history.task.space = Some(Phid::new("PHID-SPCE-1").unwrap());
            history.task.view = view.into();
            history.policy.open_spaces = open.iter().map(|space| (*space).to_owned()).collect();
            let policy = &history.policy;
            let (task, _) = Task::judged(history.evidence(), policy, &Intent::default(), None, Texts::Hidden);
            let subject = VerdictSubject::of_task(&task, policy, "https://phab.example/T1".into(), Texts::Hidden);
            let shown = header(TaskId::new(1).unwrap(), &subject, 200);
            anstream::adapter::strip_str(&shown).to_string()
        };
        let closed = header_of(&[], "users");
        assert!(closed.contains("write `open_spaces = [\"PHID-SPCE-1\"]` under [policy]"), "{closed}");
        assert!(!closed.contains("page views"), "{closed}");
        assert!(header_of(&["PHID-SPCE-1"], "users").contains("page views"));
        assert!(!header_of(&[], "admin").contains("open_spaces"), "to open the Space would not open it");
    }

    #[test]
    fn who_reads_only_a_refusal_knows_what_to_do() {
        let mut page = String::new();
        let mut covered = Vec::new();
        let task = TaskId::new(1).unwrap();
        let verdicts = cases()
            .into_iter()
            .map(|(rule, evidence, policy, intent)| (rule, rules::evaluate(&evidence, &policy, &intent, None)));
        let unread = Verdict::undecided("the server did not answer within 15 s (maniphest.search)".into(), "try again");
        let others = [("task-visible", rules::not_visible(task, "phabgate")), ("evidence", unread)];
        for (name, verdict) in verdicts.chain(others) {
            let of_rule =
                |rule: &&RuleOutcome| rule.outcome != Outcome::Pass && rule.name.split(':').next() == Some(name);
            let found: Vec<RuleOutcome> = verdict.rules.iter().filter(of_rule).cloned().collect();
            assert!(!found.is_empty(), "{name} finds nothing: {:#?}", verdict.rules);
            assert!(found.iter().all(|rule| rule.hint.is_some()), "{name} says what is wrong and not what to do");
            page.push_str(&rules(&found, 80));
            covered.push(name);
        }
        for rule in rules::ALL {
            assert!(covered.contains(&rule.name), "the refusal of {} is not among them", rule.name);
        }
        let page = anstream::adapter::strip_str(&page).to_string();
        assert!(page.lines().all(|line| crate::text::columns(line) <= 80), "{page}");
        insta::assert_snapshot!(page);
    }
}
