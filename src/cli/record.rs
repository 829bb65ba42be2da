//! `record`: post the record of a deploy that was made by other means, or close one that was stranded.
//!
//! Responsible for the arguments, for asking, and for what is said in the end. Not responsible for the order of it
//! ([`crate::gate::record`]).

use jiff::Timestamp;
use serde::Serialize;

use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::next::{MENDED, Next};
use super::session::Session;
use super::ui::Ui;
use super::{Globals, TaskSubject};
use crate::evidence::Purpose;
use crate::gate::Refusal;
use crate::gate::record::{RecordEnd, RecordFlow, Recorder, StatedDeploy};
use crate::gate::stated_times::StatedTime;
use crate::gate::stranded::take_over;
use crate::ids::{DeployId, TransactionId};
use crate::journal::Phase;
use crate::layout::hanging;
use crate::policy::Policy;
use crate::record::comment::render;
use crate::record::{Event, Outcome, Record};
use crate::rules::Intent;
use crate::text::inert;
use crate::time;

/// The schema of `record --format json`.
pub(super) const SCHEMA: &str = "phabgate/record-posted/1";

/// Arguments of `record`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: TaskSubject,
    /// When it started, such as 2026-11-23T03:14Z, or '2026-11-23 03:14' or 03:14 of this host
    #[arg(long, value_name = "TIME", value_parser = stated)]
    started: Option<StatedTime>,
    /// When it ended; without a time, now
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "now", value_parser = stated)]
    finished: Option<StatedTime>,
    /// How it ended: succeeded, failed, rolled-back, or unknown where nobody saw
    #[arg(long, value_enum, value_name = "OUTCOME", hide_possible_values = true)]
    outcome: Option<RecordedEnd>,
    /// What was run
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// What the record should say besides
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Close this deploy, which was started and has no end
    #[arg(long, value_name = "ID", add = super::candidates::deploys())]
    deploy: Option<DeployId>,
    /// Post it without asking
    #[arg(long)]
    yes: bool,
}

/// How a deploy can have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RecordedEnd {
    Succeeded,
    Failed,
    RolledBack,
    Unknown,
}

impl From<RecordedEnd> for Outcome {
    fn from(ended: RecordedEnd) -> Self {
        match ended {
            RecordedEnd::Succeeded => Self::Succeeded,
            RecordedEnd::Failed => Self::Failed,
            RecordedEnd::RolledBack => Self::RolledBack,
            RecordedEnd::Unknown => Self::Unknown,
        }
    }
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    deploy: DeployId,
    event: Event,
    state: &'static str,
    transaction: Option<TransactionId>,
    /// The verdict on a deploy that started now; the record has that of its start.
    verdict_now: &'static str,
    record: &'a Record,
}

/// Runs `record`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the task cannot be seen, nobody said that it may
/// be posted, or the journal cannot be written.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?.showing(args.subject.show_restricted);
    session.caller_may_deploy(args.subject.deployer.as_deref())?;
    let task = session.task(&args.subject.task, ui)?;
    let question = session.question(task, &args.subject, Purpose::Deploy)?;
    let mut journal = session.journal()?;
    take_over(&session.context(), &mut journal, ui)?;
    session.warn_of_undelivered(ui);
    let stated = StatedDeploy {
        started: args.started,
        finished: args.finished,
        outcome: args.outcome.map(Outcome::from),
        command: args.command.clone(),
        note: args.note.clone(),
        ends: args.deploy,
    };
    // What is closed does not stand in its own way.
    let (context, intent) = (session.context(), Intent { deploy: args.deploy, ..args.subject.intent() });
    let flow = RecordFlow { context, question, intent, stated, asks: !args.yes };
    show(&flow.run(&mut journal, ui).await?, &session.settings.policy, ui);
    Ok(Exit::Done)
}

impl Recorder for Ui {
    fn confirm(&mut self, record: &Record) -> Result<Option<bool>, Refusal> {
        if !can_ask() {
            return Ok(None);
        }
        let comment = render(record).map_err(|error| Refusal::usage(error.to_string(), "nothing was recorded"))?;
        self.words(&format!("\n{}\n\n", comment.words()));
        confirm(&format!("Post this on {}, for good?", record.task), self).map(Some)
    }
}

/// Reads a time as a person states it.
pub(super) fn stated(text: &str) -> Result<StatedTime, String> {
    if text == "now" {
        return Ok(StatedTime::Now);
    }
    time::stated(text, &Timestamp::now().to_zoned(crate::host::time_zone()?))
        .map(StatedTime::At)
        .map_err(|error| error.to_string())
}

/// Says of a deploy that was not allowed what was missing, and who will see it; nothing of one that was.
fn not_allowed(record: &Record, policy: &Policy) -> Option<String> {
    // What could not be decided now the audit will decide.
    if ["allowed", "undecided"].contains(&record.verdict.as_str()) {
        return None;
    }
    let team = |rule: &String| {
        rule.strip_prefix("team:").map(|key| policy.team(key).map_or(key, |team| &team.title).to_owned())
    };
    let (teams, others): (Vec<_>, Vec<_>) = record.failed.iter().partition(|rule| team(rule).is_some());
    let teams: Vec<String> = teams.into_iter().filter_map(team).map(|title| inert(&title)).collect();
    let others: Vec<String> = others.into_iter().map(|rule| format!("`{}`", inert(rule))).collect();
    let missing = (!teams.is_empty()).then(|| format!("the approval of {} was missing", teams.join(" and of ")));
    let broken = (!others.is_empty()).then(|| match others.as_slice() {
        [one] => format!("the rule {one} did not hold"),
        all => format!("the rules {} did not hold", all.join(", ")),
    });
    let why: Vec<String> = missing.into_iter().chain(broken).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(", and ")) };
    Some(format!("This deploy was not allowed{why}. The audit will list it."))
}

fn show(end: &RecordEnd, policy: &Policy, ui: &mut Ui) {
    let RecordEnd { record, delivered, left, verdict_now: now } = end;
    let now = *now;
    let transaction =
        delivered.iter().find(|delivered| delivered.event == record.event).map(|delivered| delivered.transaction);
    if ui.is_json() {
        // Another process may have delivered it meanwhile.
        let state = left.as_ref().map_or("delivered", Phase::word);
        let Record { deploy, event, .. } = *record;
        ui.json(&Json { schema: SCHEMA, deploy, event, state, transaction, verdict_now: now, record });
        return;
    }
    let Record { task, verdict, .. } = record;
    let verdict = match record.started {
        Some(_) if verdict != now => format!("verdict when it started: {verdict}, now: {now}"),
        _ => format!("verdict: {verdict}"),
    };
    let not_allowed = not_allowed(record, policy);
    let rest = if not_allowed.is_some() { "" } else { "; nothing is left to do" };
    let words = not_allowed.map(|words| hanging("", 0, &words, ui.width())).unwrap_or_default();
    match left {
        // Where it stands was said when it was delivered.
        None => ui.data(&format!("recorded on {task} ({verdict}){rest}\n{words}")),
        // What to do about it was said when it was refused.
        Some(Phase::Refused { .. }) => {
            let next = Next::new(MENDED, "outbox flush --retry", ui.invocation());
            ui.data(&format!("kept in the outbox: the server refused it on {task} ({verdict})\n{words}{}", next.text()))
        }
        Some(Phase::Ready | Phase::Unclear { .. }) => {
            let next = Next::new("To deliver it", "outbox flush --wait", ui.invocation());
            ui.data(&format!("queued for {task} ({verdict}), and not known to be there\n{words}{}", next.text()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::built_in;
    use crate::record::comment::tests::example;

    #[test]
    fn what_was_missing_is_said_of_what_was_not_allowed_alone() {
        let words = |verdict: &str, failed: &[&str]| {
            let failed = failed.iter().map(|rule| (*rule).to_owned()).collect();
            not_allowed(&Record { verdict: verdict.to_owned(), failed, ..example() }, &built_in())
        };
        assert_eq!(words("allowed", &[]), None);
        let said = |verdict, failed| words(verdict, failed).unwrap();
        assert_eq!(
            said("pending", &["team:releng", "team:sre"]),
            "This deploy was not allowed: the approval of Release Engineering and of SRE was missing. The audit will list it."
        );
        assert_eq!(
            said("denied", &["tag", "team:sre", "reason"]),
            "This deploy was not allowed: the approval of SRE was missing, and the rules `tag`, `reason` \
             did not hold. The audit will list it."
        );
        assert_eq!(words("undecided", &["evidence"]), None);
        assert!(said("denied", &["tag"]).contains(": the rule `tag` did not hold."));
    }
}
