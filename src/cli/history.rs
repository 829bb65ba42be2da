//! `history`: one task's emergency story in order.
//!
//! Responsible for reading the task, and the story for people and for programs. Not responsible for the story itself
//! (see [`crate::history`]).

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::next::{NOW, Next};
use super::session::Session;
use super::task_header::TaskHeader;
use super::ui::Ui;
use super::{Globals, TaskSubject};
use crate::evidence::{Evidence, Purpose, Visibility, gather};
use crate::gate::Invocation;
use crate::history::{self, Detail, Entry, EntryKind, TaskHistory, Tone};
use crate::ids::{TaskId, TransactionId};
use crate::layout::{BAD, GOOD, MIND, NAME, hanging, styled};
use crate::rules;
use crate::text::{columns, inert, shorten};

/// The schema of `history --format json`.
const SCHEMA: &str = "phabgate/history/1";

/// The widest that a name is shown.
const NAMES: usize = 16;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// Judge the approvals as for a deploy by this person
    #[arg(long, value_name = "USER")]
    deployer: Option<String>,
    /// Show the texts of a restricted task
    #[arg(long)]
    pub(super) show_restricted: bool,
}

/// Runs `history`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, where the task is not visible or could not
/// be read whole.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?.showing(args.show_restricted);
    let task = session.task(&args.task, ui)?;
    session.warn_of_undelivered(ui);
    let evidence = read(task, args.deployer.as_deref(), &session).await?;
    // The deployer that was named is the first of those who could be behind the deploy.
    let named = evidence.candidates.first().filter(|_| args.deployer.is_some());
    if let Some(unknown) = named.filter(|candidate| candidate.account.is_none()) {
        ui.warn(&format!("the server knows no account {}", inert(&unknown.name)));
    }
    let policy = &session.settings.policy;
    let history = history::build(&evidence, policy, session.texts);
    let page = ShownHistory {
        task,
        url: task.url(session.base()),
        title: (!history.hidden).then_some(evidence.task.title.as_str()),
        restricted: evidence.is_restricted(&policy.open_spaces),
        tag: &policy.tag,
        last_failed: rules::last_deploy_failed(&evidence, policy),
        history: &history,
        evidence: &evidence,
    };
    match ui.is_json() {
        true => ui.json(&page.json()),
        false => ui.data(&page.text(ui.invocation(), ui.width())),
    }
    Ok(Exit::Done)
}

/// All that the story is made from: the evidence of a verdict, and the names of everybody in it.
async fn read(task: TaskId, deployer: Option<&str>, session: &Session) -> Result<Evidence, Failure> {
    let client = session.timed_client();
    let policy = &session.settings.policy;
    let question = session.plain_question(task, deployer, Purpose::Read)?;
    let mut evidence = match gather(&client, policy, &question).await? {
        Visibility::Visible(evidence) => *evidence,
        Visibility::NotVisible { owner, .. } => return Err(not_visible(task, &owner.username)),
    };
    let known = &evidence.accounts;
    let people: Vec<_> = history::people(&evidence).into_iter().filter(|person| !known.contains_key(person)).collect();
    if !people.is_empty() {
        let accounts = client.users(&people).await?;
        let accounts = accounts.into_iter().map(|account| (account.phid.clone(), account));
        Arc::make_mut(&mut evidence.accounts).extend(accounts);
    }
    Ok(evidence)
}

/// The words of the rule `task-visible`: a missing task and a hidden one get the same.
fn not_visible(task: TaskId, account: &str) -> Failure {
    let rule = rules::not_visible(task, account).rules.into_iter().next();
    let (message, hint) = rule.map(|rule| (rule.message, rule.hint)).unwrap_or_default();
    Failure { exit: Exit::Denied, message, hint }
}

/// What is shown.
struct ShownHistory<'a> {
    task: TaskId,
    url: String,
    title: Option<&'a str>,
    restricted: bool,
    tag: &'a str,
    /// Its last deploy failed, and was not rolled back since.
    last_failed: bool,
    history: &'a TaskHistory,
    evidence: &'a Evidence,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    title: Option<&'a str>,
    restricted: bool,
    emergency: bool,
    tagged: bool,
    time: Timestamp,
    entries: Vec<JsonEntry<'a>>,
}

#[derive(Serialize)]
struct JsonEntry<'a> {
    time: Timestamp,
    transaction: TransactionId,
    url: String,
    kind: EntryKind,
    author: String,
    #[serde(rename = "authorPHID")]
    phid: &'a str,
    words: &'a str,
    #[serde(flatten)]
    detail: &'a Detail,
}

impl ShownHistory<'_> {
    fn json(&self) -> Json<'_> {
        let entries = self.history.entries.iter().map(|entry| JsonEntry {
            time: entry.moment.time,
            transaction: entry.moment.transaction,
            url: format!("{}#{}", self.url, entry.moment.transaction),
            kind: entry.kind,
            author: history::name(self.evidence, &entry.author),
            phid: &entry.author,
            words: &entry.words,
            detail: &entry.detail,
        });
        Json {
            schema: SCHEMA,
            task: self.task,
            url: &self.url,
            title: self.title,
            restricted: self.restricted,
            emergency: self.history.emergency,
            tagged: self.history.tagged,
            time: self.evidence.now,
            entries: entries.collect(),
        }
    }

    fn text(&self, invocation: Invocation, width: usize) -> String {
        let label = self.task.to_string();
        // Whether it is a drill the entries say, with who stated it.
        let header = TaskHeader { task: self.task, title: self.title, is_read: true, url: &self.url, drill: false };
        let mut page = format!("{}\n", header.text(width));
        if !self.history.emergency {
            let words = format!(
                "{label} has never been an emergency: it never carried #{}, and nothing on it is meant for the gate.",
                self.tag
            );
            page.push_str(&hanging("", 0, &words, width));
            return page + &format!("\n{}", self.next(invocation));
        }
        page.push_str(&self.entries(width));
        if !self.history.tagged {
            page.push('\n');
            page.push_str(&hanging("", 0, &format!("{label} never carried the tag #{}.", self.tag), width));
        }
        page + &format!("\n{}", self.next(invocation))
    }

    /// The command that comes next, or that nothing is to be done.
    fn next(&self, invocation: Invocation) -> String {
        let is_closed = self.evidence.statuses.get(&self.evidence.task.status) == Some(&true);
        match (is_closed, self.history.tagged) {
            (true, _) => format!("{} is closed: nothing is to be done.\n", self.task),
            (false, true) if self.last_failed => Next::rollback(self.task, &TaskSubject::default(), invocation).text(),
            (false, true) => Next::new(NOW, &format!("check {}", self.task), invocation).text(),
            (false, false) => {
                let words = format!("request {} --reason CATEGORY what is broken", self.task);
                Next::new("To make it an emergency", &words, invocation).text()
            }
        }
    }

    fn entries(&self, width: usize) -> String {
        let names: Vec<String> = self
            .history
            .entries
            .iter()
            .map(|entry| shorten(&history::name(self.evidence, &entry.author), NAMES))
            .collect();
        let widest = names.iter().map(|name| columns(name)).max().unwrap_or_default();
        let kinds = self.history.entries.iter().map(|entry| entry.kind.word().len()).max().unwrap_or_default();
        let mut page = String::new();
        let mut day = String::new();
        for (entry, name) in self.history.entries.iter().zip(&names) {
            let date = entry.moment.time.strftime("%Y-%m-%d (UTC)").to_string();
            if date != day {
                page.push_str(&format!("{}{}\n", if day.is_empty() { "" } else { "\n" }, styled(NAME, &date)));
                day = date;
            }
            page.push_str(&line(entry, name, widest, kinds, width));
        }
        page
    }
}

/// An entry: time, kind, author, and the words below each other.
fn line(entry: &Entry, name: &str, names: usize, kinds: usize, width: usize) -> String {
    let kind = entry.kind.word();
    let kind_shown = match entry.tone {
        Tone::Plain => kind.to_owned(),
        Tone::Good => styled(GOOD, kind),
        Tone::Mind => styled(MIND, kind),
        Tone::Bad => styled(BAD, kind),
    };
    let gap = |text: usize, column: usize| " ".repeat(column.saturating_sub(text) + 2);
    let head = format!(
        "  {}  {kind_shown}{}{name}{}",
        entry.moment.time.strftime("%H:%M:%S"),
        gap(kind.len(), kinds),
        gap(columns(name), names)
    );
    let indent = 2 + 8 + 2 + kinds + 2 + names + 2;
    hanging(&head, indent, &inert(&entry.words), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History as Made;
    use crate::rules::Texts;

    fn page(made: &Made, width: usize) -> String {
        let evidence = made.as_read_by("phabgate", None);
        let history = history::build(&evidence, &made.policy, Texts::Hidden);
        let shown = ShownHistory {
            task: evidence.task.id,
            url: "https://phab.example/T1".into(),
            title: (!history.hidden).then_some(evidence.task.title.as_str()),
            restricted: history.hidden,
            tag: &made.policy.tag,
            last_failed: false,
            history: &history,
            evidence: &evidence,
        };
        anstream::adapter::strip_str(&shown.text(Invocation::Plain, width)).to_string()
    }

    #[test]
    fn the_page_is_aligned_and_no_wider_than_the_terminal() {
        let mut made = Made::ready();
        made.comment("sre2", 100_000, "Emergency-Reject: sre - it would take the databases down, all of them");
        insta::assert_snapshot!(page(&made, 72), @r"
        T1 All page views fail
        https://phab.example/T1

        2026-11-22 (UTC)
          23:43:20  created  deployer1  created the task
          23:43:21  reason   deployer1  stated the reason in the description:
                                        availability, '5xx on every page view'
          23:43:22  tag      deployer1  added the tag #emergency-deployment: an
                                        emergency from here on
          23:43:30  approve  releng1    approved for releng: counts now
          23:43:31  approve  sre1       approved for sre: counts now

        2026-11-24 (UTC)
          03:30:00  reject   sre2       rejected for sre, 'it would take the
                                        databases down, all of them': stands,
                                        and stops a deploy

        Next: phabgate check T1
        ");
    }

    #[test]
    fn what_people_wrote_cannot_fake_a_line_or_steer_the_terminal() {
        let mut made = Made::emergency();
        made.task.title = "a\u{1b}[2J".into();
        made.field("deployer1", 10, Some("availability - x\n  23:43:31  approve  sre1\u{202e}"));
        let page = page(&made, 80);
        let hidden = |character: &char| *character != '\n' && crate::text::is_hidden(*character);
        assert_eq!(page.chars().find(hidden), None, "{page}");
        assert!(page.lines().all(|line| columns(line) <= 80), "{page}");
        assert!(!page.contains("\n  23:43:31"), "{page}");
    }

    #[test]
    fn an_empty_story_says_so() {
        assert!(page(&Made::new("deployer1"), 80).contains("T1 has never been an emergency: "));
    }

    #[test]
    fn a_task_that_is_not_visible_gets_the_words_of_its_rule() {
        let failure = not_visible(TaskId::new(7).unwrap(), "phabgate");
        let rule = &rules::not_visible(TaskId::new(7).unwrap(), "phabgate").rules[0];
        assert_eq!((failure.exit, &failure.message, &failure.hint), (Exit::Denied, &rule.message, &rule.hint));
    }
}
