//! What `request` shows: what is about to change, and then what was changed and what has to happen next.
//!
//! Responsible for both forms. Not responsible for making the change.

use serde::Serialize;

use super::TaskSubject;
use super::call::{self, Call};
use super::detail::Detail;
use super::may_run::MayRun;
use super::next::{MENDED, NOW, Next};
use super::send::{LeftToSay, Sent};
use super::ui::Ui;
use super::verdict_screen;
use crate::evidence::trailers::Key;
use crate::gate::Invocation;
use crate::ids::TaskId;
use crate::layout::{GOOD, MIND, NAME, hanging, styled};
use crate::policy::Policy;
use crate::request::RequestPlan;
use crate::rules::{Decision, Outcome, RuleOutcome, Texts, Verdict};
use crate::text::inert;
use crate::view::VerdictSubject;

/// The schema of `request --format json`.
const SCHEMA: &str = "phabgate/request/1";

/// What stands in place of a text that is not shown.
const HIDDEN: &str = "(hidden: the task is restricted)";

/// A request that was carried out.
pub(super) struct Requested<'a> {
    pub(super) task: TaskId,
    pub(super) plan: &'a RequestPlan,
    pub(super) subject: &'a VerdictSubject,
    pub(super) verdict: &'a Verdict,
    pub(super) call: &'a Call<'a>,
    /// What became of the message; `None` where it was only to be printed.
    pub(super) sent: Option<&'a Sent>,
    pub(super) may_run: MayRun,
    pub(super) policy: &'a Policy,
}

/// The same for programs; fields are only ever added.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    restricted: Option<bool>,
    changed: bool,
    tag_added: bool,
    changes: Vec<JsonChange<'a>>,
    void_approvals: Vec<JsonApproval<'a>>,
    verdict: &'static str,
    rules: Vec<&'a RuleOutcome>,
    next: Vec<JsonTeam<'a>>,
    #[serde(flatten)]
    call: call::Json<'a>,
    sent: Option<&'a Sent>,
}

#[derive(Debug, Serialize)]
struct JsonChange<'a> {
    what: &'static str,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct JsonApproval<'a> {
    team: &'a str,
    user: &'a str,
}

#[derive(Debug, Serialize)]
struct JsonTeam<'a> {
    team: &'a str,
    title: &'a str,
    need: u32,
    by: &'a [String],
    could: &'a [String],
    write: String,
}

impl Requested<'_> {
    /// Shows it in the form asked for.
    pub(super) fn show(&self, texts: Texts, ui: &mut Ui) {
        let hidden = self.subject.restricted != Some(false) && texts == Texts::Hidden;
        match ui.is_json() {
            true => ui.json(&self.json(hidden)),
            false => ui.data(&self.text(hidden, ui.invocation(), ui.width())),
        }
    }

    /// What keeps the deploy from being allowed.
    fn missing(&self) -> Vec<&RuleOutcome> {
        self.verdict.rules.iter().filter(|rule| is_missing(rule)).collect()
    }

    fn json(&self, hidden: bool) -> Json<'_> {
        let changes = self.plan.changes.iter().map(|change| JsonChange {
            what: word(change.key),
            from: change.from.as_deref().filter(|_| !hidden),
            to: Some(change.to.as_str()).filter(|_| !hidden),
        });
        let teams = self.verdict.teams.iter().filter(|team| team.by.len() < team.need as usize);
        Json {
            schema: SCHEMA,
            task: self.task,
            url: &self.subject.url,
            restricted: self.subject.restricted,
            changed: !self.plan.is_empty(),
            tag_added: self.plan.tag,
            changes: changes.collect(),
            void_approvals: self.plan.voids.iter().map(|(team, user)| JsonApproval { team, user }).collect(),
            verdict: self.verdict.decision.word(),
            rules: self.missing(),
            next: teams
                .map(|team| JsonTeam {
                    team: &team.team,
                    title: &team.title,
                    need: team.need,
                    by: &team.by,
                    could: &team.could,
                    write: format!("{}: {}", Key::Approve.name(), team.team),
                })
                .collect(),
            call: self.call.json(),
            sent: self.sent,
        }
    }

    fn text(&self, hidden: bool, invocation: Invocation, width: usize) -> String {
        let mut page = verdict_screen::header(self.task, self.subject, width);
        page.push('\n');
        if self.plan.is_empty() {
            page.push_str(&hanging(
                "",
                0,
                &format!("{} states all of it already; nothing was changed.", self.task),
                width,
            ));
        } else {
            page.push_str(&format!("{}\n", styled(NAME, "Changed")));
            page.push_str(&changes(self.plan, Some(&self.policy.tag), hidden, width));
            if self.plan.instructs {
                page.push_str(&hanging(
                    &line("approvers"),
                    COLUMNS,
                    "what they have to write stands in the description",
                    width,
                ));
            }
            page.push_str(&voids(self.plan, "have to be given again", width));
        }
        // An approval that cannot count is asked for in vain, and asked for again.
        let is_called = self.verdict.decision != Decision::Denied;
        // What became of it is said before what is left to say.
        if let Some(sent) = self.sent {
            page.push_str(&format!("\n{}", sent.text(width)));
        }
        if is_called {
            let left = self.sent.map_or(LeftToSay::All, |sent| sent.left);
            page.push_str(&format!("\n{}", self.call.text(left, width)));
        }
        let mut missing = verdict_screen::shown(self.verdict, self.subject, Detail::Folded);
        missing.retain(is_missing);
        if !missing.is_empty() {
            page.push_str(&format!("\n{}\n", styled(NAME, "What has to happen next")));
            page.push_str(&verdict_screen::rules(&missing, Detail::Folded, width));
        }
        page.push('\n');
        let next = match self.verdict.decision {
            Decision::Allowed(_) => Next::to_run(self.task, &TaskSubject::default(), &self.may_run, invocation),
            Decision::Pending => Next::answer_in_sandbox(self.task, self.verdict, invocation)
                .unwrap_or_else(|| Next::new(NOW, &format!("check {} --wait", self.task), invocation)),
            // Then it names whom to ask.
            Decision::Denied | Decision::Undecided => Next::new(MENDED, &format!("check {}", self.task), invocation),
        };
        page + &next.text()
    }
}

/// Whether a rule keeps the deploy from being allowed.
fn is_missing(rule: &RuleOutcome) -> bool {
    !matches!(rule.outcome, Outcome::Pass | Outcome::Warn)
}

/// What is about to be changed, before somebody is asked.
pub(super) fn question(task: TaskId, plan: &RequestPlan, hidden: bool, width: usize) -> String {
    let mut words = hanging("", 0, &format!("{task} states something else already, or approvals rest on it:"), width);
    words.push_str(&changes(plan, None, hidden, width));
    words.push_str(&voids(plan, "will have to be given again", width));
    words
}

fn changes(plan: &RequestPlan, tag: Option<&str>, hidden: bool, width: usize) -> String {
    let mut lines = String::new();
    if let Some(tag) = tag.filter(|_| plan.tag) {
        lines.push_str(&hanging(&line("tag"), COLUMNS, &format!("#{tag} was added"), width));
    }
    for change in &plan.changes {
        let shown = |text: &str| if hidden { HIDDEN.to_owned() } else { inert(text) };
        let was = match &change.from {
            // What is hidden is not said twice.
            Some(_) if hidden => " (it was another)".to_owned(),
            Some(from) => format!(" (it was: {})", shown(from)),
            None => String::new(),
        };
        lines.push_str(&hanging(&line(word(change.key)), COLUMNS, &format!("{}{was}", shown(&change.to)), width));
    }
    lines
}

/// The width of the column of what is changed.
const COLUMNS: usize = 13;

fn line(word: &str) -> String {
    format!("  {}{}", styled(GOOD, word), " ".repeat(COLUMNS.saturating_sub(2 + word.len())))
}

fn voids(plan: &RequestPlan, what: &str, width: usize) -> String {
    if plan.voids.is_empty() {
        return String::new();
    }
    let who: Vec<String> =
        plan.voids.iter().map(|(team, user)| format!("{} for {}", inert(user), inert(team))).collect();
    let text = format!("Earlier approvals {what}: {}", who.join(", "));
    let lines = hanging("", 0, &text, width);
    lines.lines().map(|line| format!("{}\n", styled(MIND, line))).collect()
}

fn word(key: Key) -> &'static str {
    match key {
        Key::Reason => "reason",
        Key::Deployer => "deployer",
        Key::Action => "action",
        Key::Change => "change",
        Key::Drill => "drill",
        Key::Approve => "approve",
        Key::Withdraw => "withdraw",
        Key::Reject => "reject",
        Key::Followup => "followup",
    }
}
