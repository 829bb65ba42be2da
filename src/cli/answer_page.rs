//! What an approver is shown: what they answer, on a page that fits the terminal of a phone, and how the task stands
//! after it, for people and for programs.
//!
//! Responsible for that, as pure functions of the evidence. Not responsible for asking and posting.

use jiff::Timestamp;
use serde::Serialize;

use super::next::Next;
use super::task_header::TaskHeader;
use crate::answer::missing;
use crate::evidence::{AnswerKind, Evidence, Statement, Tagged, TaskState};
use crate::gate::Invocation;
use crate::gate::answer::{AnswerEnd, Answered};
use crate::history::{self, EntryKind};
use crate::ids::{TaskId, TransactionId};
use crate::layout::{BAD, FAINT, GOOD, HINT, MIND, NAME, hanging, styled};
use crate::policy::{Action, Policy};
use crate::rules::{JudgedTask, Outcome, RuleOutcome, TeamCount, Texts, Verdict};
use crate::text::{columns, inert, shorten};
use crate::time::utc_minute;

/// The schema of `approve --format json` and its kin.
const SCHEMA: &str = "phabgate/answer/1";

/// The widest that a label is shown.
const LABELS: usize = 14;

/// What stands in place of a text of a restricted task.
const HIDDEN: &str = "(not shown: the task is restricted)";

/// A task as an approver is shown it. All its texts are inert.
pub(super) struct Shown {
    task: TaskId,
    url: String,
    owner: String,
    /// `None` where the texts of the task are not shown.
    title: Option<String>,
    restricted: bool,
    drill: bool,
    category: Option<(String, String)>,
    explanation: Option<String>,
    deployer: Option<String>,
    action: Option<String>,
    change: Option<String>,
    /// Who made it an emergency, and when.
    asked: Option<String>,
    /// What changed since the last answer of who is shown it; `None` where they gave none.
    since: Option<Since>,
    /// The titles of the teams that are informed and asked nothing.
    informed: Vec<String>,
    titles: Vec<(String, String)>,
    now: Timestamp,
    /// How it stands.
    pub(super) verdict: Verdict,
}

/// What changed since somebody's last answer.
struct Since {
    /// When they gave it.
    answered: Timestamp,
    /// What came since, oldest first, each in a line.
    changes: Vec<String>,
}

impl Since {
    fn of(evidence: &Evidence, policy: &Policy, texts: Texts) -> Option<Self> {
        let me = evidence.owner.phid.as_str();
        let entries = history::build(evidence, policy, texts).entries;
        let is_answer = |kind| matches!(kind, EntryKind::Approve | EntryKind::Withdraw | EntryKind::Reject);
        let last = entries.iter().rposition(|entry| entry.author == me && is_answer(entry.kind))?;
        // What others approved is listed with the approvals.
        let is_news = |entry: &&history::Entry| {
            let passed_over = [EntryKind::Approve, EntryKind::Said, EntryKind::Created, EntryKind::NearMiss];
            entry.author != me && !passed_over.contains(&entry.kind)
        };
        let line = |entry: &history::Entry| {
            format!("{} {}", inert(&history::name(evidence, &entry.author)), inert(&entry.words))
        };
        let (answered, later) = (entries[last].moment.time, &entries[last + 1..]);
        Some(Self { answered, changes: later.iter().filter(is_news).map(line).collect() })
    }

    fn text(&self, width: usize) -> String {
        let head = format!("Since your answer at {}", utc_minute(self.answered));
        if self.changes.is_empty() {
            return hanging("", 0, &format!("{head} nothing was changed."), width);
        }
        let mut lines = format!("{}\n", styled(MIND, &head));
        let left_out = self.changes.len().saturating_sub(CHANGES);
        if left_out > 0 {
            lines.push_str(&format!("  {left_out} earlier ones: `phabgate history`\n"));
        }
        for change in &self.changes[left_out..] {
            lines.push_str(&hanging("  - ", 4, change, width));
        }
        lines
    }
}

/// How many changes since an answer are shown.
const CHANGES: usize = 5;

/// Who made the task an emergency, and when.
fn asked(evidence: &Evidence, state: &TaskState) -> Option<String> {
    let Tagged::Since(since) = &state.tagged else { return None };
    let mut transactions = evidence.timeline.transactions().iter();
    let by = transactions.find(|transaction| transaction.id == since.transaction)?.author.clone();
    Some(format!("{}, {}", inert(&history::name(evidence, by.as_str())), utc_minute(since.time)))
}

impl Shown {
    /// What is to be shown of a task.
    pub(super) fn of(read: JudgedTask<'_>, policy: &Policy, url: String, texts: Texts) -> Self {
        let JudgedTask { evidence, state: task_state, verdict } = read;
        let restricted = evidence.is_restricted(&policy.open_spaces);
        let hide = !texts.are_shown(evidence, policy);
        let stated = |statement: &Option<Statement>| {
            let value = statement.as_ref().map(|stated| stated.value.trim_start_matches('@'));
            value.map(|value| if hide { HIDDEN.to_owned() } else { inert(value) })
        };
        let key = task_state.written.as_ref().and_then(|written| written.category.as_deref());
        let words = task_state.written.as_ref().map(|written| written.explanation.as_str());
        let stated_action = task_state.action.as_ref().filter(|_| !hide);
        let known_action = stated_action.and_then(|action| Action::named(&action.value));
        Self {
            task: evidence.task.id,
            url,
            owner: inert(&evidence.owner.username),
            title: (!hide).then(|| inert(&evidence.task.title)),
            restricted,
            drill: task_state.is_drill(),
            category: key
                .filter(|_| !hide)
                .and_then(|key| policy.reason(key))
                .map(|reason| (reason.key.clone(), reason.title.clone())),
            explanation: words.filter(|words| !hide && !words.is_empty()).map(inert),
            deployer: stated(&task_state.deployer),
            action: known_action.map(|action| action.word().to_owned()).or_else(|| stated(&task_state.action)),
            change: stated(&task_state.change),
            asked: asked(evidence, task_state),
            since: Since::of(evidence, policy, texts),
            informed: policy.informed().map(|team| inert(&team.title)).collect(),
            titles: policy.teams.iter().map(|team| (team.key.clone(), team.title.clone())).collect(),
            now: evidence.now,
            verdict: verdict.clone(),
        }
    }

    fn team_title<'a>(&'a self, key: &'a str) -> &'a str {
        self.titles.iter().find(|(known, _)| known == key).map_or(key, |(_, title)| title)
    }

    /// What somebody is asked.
    pub(super) fn question(&self, kind: AnswerKind, team: &str) -> String {
        let verb = match kind {
            AnswerKind::Approve => "Approve",
            AnswerKind::Withdraw => "Withdraw your answer",
            AnswerKind::Reject => "Say no",
        };
        format!("{verb} for {} as {}?", self.team_title(team), self.owner)
    }

    /// The page before the question.
    pub(super) fn before(&self, comment: &str, width: usize) -> String {
        let mut page = self.header(width);
        page.push('\n');
        let unknown = || "(not stated)".to_owned();
        let reason = match &self.category {
            _ if self.title.is_none() => HIDDEN.to_owned(),
            Some((_, title)) => title.clone(),
            None => "(none that counts)".to_owned(),
        };
        let mut rows = vec![("reason".to_owned(), reason)];
        if self.title.is_some() {
            let explained = self.explanation.clone().unwrap_or_else(|| "(no explanation)".to_owned());
            rows.push((String::new(), explained));
        }
        rows.extend(self.asked.as_ref().map(|asked| ("asked by".to_owned(), asked.clone())));
        rows.push(("deployer".to_owned(), self.deployer.clone().unwrap_or_else(unknown)));
        rows.push(("action".to_owned(), self.action.clone().unwrap_or_else(unknown)));
        rows.push(("change".to_owned(), self.change.clone().unwrap_or_else(unknown)));
        if !self.informed.is_empty() {
            rows.push(("informed".to_owned(), self.informed.join(", ")));
        }
        page.push_str(&table(&rows, width));
        page.push('\n');
        page.push_str(&self.answers(width));
        if let Some(since) = &self.since {
            page.push_str(&format!("\n{}", since.text(width)));
        }
        // Quoted, so that nobody who pastes the page answers with it.
        let lines: Vec<String> =
            comment.lines().filter(|line| !line.is_empty()).map(|line| format!("\"{line}\"")).collect();
        page.push_str(&format!("\n{}\n", styled(NAME, "On the task you will")));
        page.push_str(&hanging("  write ", 8, &format!("{} (as a comment)", lines.join(", then ")), width));
        if self.title.is_none() {
            page.push_str(&hint(2, "to see what you agree to, add --show-restricted", width));
        }
        page + "\n"
    }

    fn header(&self, width: usize) -> String {
        let (title, url) = (self.title.as_deref(), self.url.as_str());
        TaskHeader { task: self.task, title, is_read: true, url, drill: self.drill }.text(width)
    }

    /// The approvals so far, and a no.
    fn answers(&self, width: usize) -> String {
        let mut page = format!("{}\n", styled(NAME, "Approvals so far"));
        let rows: Vec<(String, String)> = self
            .verdict
            .teams
            .iter()
            .map(|count| {
                let by = if count.by.is_empty() { "nobody".to_owned() } else { count.by.join(", ") };
                (count.team.clone(), format!("{} of {}: {by}", count.by.len(), count.need))
            })
            .collect();
        page.push_str(&table(&rows, width));
        for approval in &self.verdict.approvals {
            if let Some(why) = &approval.why_not {
                let team = shorten(&approval.team, 20);
                let text = format!("does not count: {} for {team}, {why}", approval.user);
                page.push_str(&hanging("  ", 2, &text, width));
            }
        }
        for rule in ["rejected", "possible-no"].into_iter().filter_map(|name| self.verdict.rule(name)) {
            if rule.outcome != Outcome::Pass {
                page.push_str(&hanging(&format!("  {} ", styled(BAD, "no:")), 6, &rule.message, width));
            }
        }
        page
    }

    /// How it ended.
    pub(super) fn report<'a>(&'a self, kind: AnswerKind, answered: &'a Answered) -> AnswerReport<'a> {
        let Answered { team, end, transaction, .. } = answered;
        AnswerReport { shown: self, kind, team, end: *end, transaction: *transaction }
    }
}

/// Labels and what belongs to them, below each other.
fn table(rows: &[(String, String)], width: usize) -> String {
    let labels: Vec<String> = rows.iter().map(|(label, _)| shorten(label, LABELS)).collect();
    let widest = labels.iter().map(|label| columns(label)).max().unwrap_or_default();
    let mut lines = String::new();
    for (label, (_, text)) in labels.iter().zip(rows) {
        let head = format!("  {label}{}", " ".repeat(widest - columns(label) + 2));
        lines.push_str(&hanging(&head, widest + 4, text, width));
    }
    lines
}

fn hint(indent: usize, text: &str, width: usize) -> String {
    hanging(&format!("{}{} ", " ".repeat(indent), styled(HINT, "hint:")), indent + 6, text, width)
}

/// How an answer ended, and how the task stands.
pub(super) struct AnswerReport<'a> {
    shown: &'a Shown,
    kind: AnswerKind,
    team: &'a str,
    end: AnswerEnd,
    transaction: Option<TransactionId>,
}

/// The same for programs; fields are only ever added.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    title: Option<&'a str>,
    restricted: bool,
    drill: bool,
    answer: &'static str,
    team: &'a str,
    user: &'a str,
    posted: bool,
    transaction: Option<TransactionId>,
    reason: Option<JsonReason<'a>>,
    deployer: Option<&'a str>,
    action: Option<&'a str>,
    change: Option<&'a str>,
    teams: Option<&'a [TeamCount]>,
    missing: Option<Vec<&'a RuleOutcome>>,
    complete: Option<bool>,
    time: Timestamp,
}

#[derive(Serialize)]
struct JsonReason<'a> {
    category: &'a str,
    explanation: Option<&'a str>,
}

impl AnswerReport<'_> {
    /// What keeps the task from being deployed; `None` where that could not be read.
    fn missing(&self) -> Option<Vec<&RuleOutcome>> {
        (self.end != AnswerEnd::PostedUnread).then(|| missing(&self.shown.verdict).collect())
    }

    /// For programs.
    pub(super) fn json(&self) -> Json<'_> {
        let shown = self.shown;
        let missing = self.missing();
        Json {
            schema: SCHEMA,
            task: shown.task,
            url: &shown.url,
            title: shown.title.as_deref(),
            restricted: shown.restricted,
            drill: shown.drill,
            answer: match self.kind {
                AnswerKind::Approve => "approve",
                AnswerKind::Withdraw => "withdraw",
                AnswerKind::Reject => "reject",
            },
            team: self.team,
            user: &shown.owner,
            posted: self.end != AnswerEnd::Stood,
            transaction: self.transaction,
            reason: shown
                .category
                .as_ref()
                .map(|(key, _)| JsonReason { category: key, explanation: shown.explanation.as_deref() }),
            deployer: shown.deployer.as_deref(),
            action: shown.action.as_deref(),
            change: shown.change.as_deref(),
            teams: missing.is_some().then_some(&shown.verdict.teams),
            complete: missing.as_ref().map(Vec::is_empty),
            missing,
            time: shown.now,
        }
    }

    /// For people.
    pub(super) fn text(&self, invocation: Invocation, width: usize) -> String {
        let shown = self.shown;
        let title = shown.team_title(self.team);
        let (style, word, said) = match self.kind {
            AnswerKind::Approve => (GOOD, "APPROVED", "approval"),
            AnswerKind::Withdraw => (MIND, "WITHDRAWN", "withdrawal"),
            AnswerKind::Reject => (BAD, "REJECTED", "no"),
        };
        let words = format!("{} for {title} by {}", shown.task, shown.owner);
        let mut page = match self.end {
            AnswerEnd::Posted | AnswerEnd::PostedUnread => {
                hanging(&format!("{}  ", styled(style, word)), word.len() + 2, &words, width)
            }
            AnswerEnd::Stood => {
                let words = format!("the {said} by {} for {title} stands on {} already", shown.owner, shown.task);
                hanging(&format!("{}  ", styled(MIND, "UNCHANGED")), 11, &words, width)
            }
        };
        if let Some(transaction) = self.transaction {
            page.push_str(&format!("{}\n", styled(FAINT, &format!("{}#{transaction}", shown.url))));
        }
        match self.missing() {
            None => {}
            Some(missing) if missing.is_empty() => {
                // How the deployer calls the gate on their host is not known here, but for the sandbox.
                let run = invocation.command(&format!("run {} -- COMMAND", shown.task));
                let words = "All that is needed is there. The deployer can type:";
                page.push_str(&format!("\n{}", hanging("", 0, words, width)));
                page.push_str(&format!("  {}\n", styled(HINT, &run)));
            }
            Some(missing) => {
                page.push_str(&format!("\n{}\n", styled(NAME, "It cannot be deployed yet")));
                for rule in missing {
                    page.push_str(&hanging("  - ", 4, &rule.message, width));
                    if let Some(words) = &rule.hint {
                        page.push_str(&hint(4, words, width));
                    }
                }
                let next = Next::answer_in_sandbox(shown.task, &shown.verdict, invocation)
                    .unwrap_or_else(|| Next::new("To see how it stands", &format!("check {}", shown.task), invocation));
                page.push_str(&format!("\n{}", next.text()));
            }
        }
        page
    }
}
