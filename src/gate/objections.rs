//! What was said against a deploy while its command ran.
//!
//! Responsible for reading the task once more and for wording what came since. It changes no status: the command has
//! run.

use std::time::Duration;

use super::heard::{Heard, heard};
use super::{Assessment, Assessor, Context};
use crate::evidence::Question;
use crate::publish::record::find;
use crate::record::{Event, Record};
use crate::rules::{Intent, Outcome, WhyNot};
use crate::text::inert;

/// How long the read may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Something that speaks against a deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// It in words.
    pub text: String,
    /// It stops a deploy: what somebody merely said may be a no.
    pub is_no: bool,
}

/// A no, a withdrawal, an approval that is gone, what was said: each in words, none where nothing of it came.
///
/// # Errors
/// Where the task could not be read, in words.
pub async fn look(
    context: &Context<'_>,
    question: &Question,
    intent: &Intent,
    record: &Record,
) -> Result<Vec<Objection>, String> {
    let read = Assessor::new(*context).within(LIMIT).assess(question, intent).await;
    match read.error() {
        Some(error) => Err(error.to_string()),
        None => Ok(since(&read, record, context)),
    }
}

/// What speaks against the deploy now, and did not when the record was made.
fn since(read: &Assessment, record: &Record, context: &Context<'_>) -> Vec<Objection> {
    let noes = noes(read, record).into_iter().map(|text| Objection { text, is_no: true });
    let words = words_since(read, record, context).into_iter().map(|text| Objection { text, is_no: false });
    noes.chain(words).collect()
}

/// What would stop the deploy now.
fn noes(read: &Assessment, record: &Record) -> Vec<String> {
    if read.task().is_none() {
        return vec!["the task is not shown to this account any more".to_owned()];
    }
    let verdict = &read.verdict;
    let stands =
        |name: &str| verdict.rule(name).filter(|rule| matches!(rule.outcome, Outcome::Fail | Outcome::Unknown));
    let no = stands("rejected");
    let mut said: Vec<String> = no.into_iter().chain(stands("possible-no")).map(|rule| rule.message.clone()).collect();
    for recorded in record.approvals.iter().filter(|approval| approval.kind.is_on_task()) {
        let user = inert(&recorded.user);
        let same = verdict
            .approvals
            .iter()
            .find(|approval| approval.transaction == recorded.transaction && approval.team == recorded.team);
        match same.map(|approval| &approval.why_not) {
            // That it grew old is no word of anybody; a no is said above.
            Some(None | Some(WhyNot::TooOld { .. })) => {}
            Some(Some(WhyNot::Rejected)) if no.is_some() => {}
            Some(Some(why)) => {
                said.push(format!("the approval of {user} for {} does not count any more: {why}", recorded.team));
            }
            None => said.push(format!("the approval of {user} for {} is gone", recorded.team)),
        }
    }
    said
}

/// What members said in words of their own after `started` was on the task: it may be a no. Nothing where it is not there.
fn words_since(read: &Assessment, record: &Record, context: &Context<'_>) -> Vec<String> {
    let Some(evidence) = read.evidence() else { return Vec::new() };
    let history = evidence.timeline.transactions();
    let Some(started) = find(record.deploy, Event::Started, record.task, history) else { return Vec::new() };
    let policy = context.policy;
    let heard = heard(evidence, policy, context.texts.are_shown(evidence, policy));
    heard.iter().filter(|heard| heard.transaction > started.transaction).map(Heard::line).collect()
}
