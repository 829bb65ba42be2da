//! Waiting until a task is decided.
//!
//! Responsible for how often a task is read, for how long, and for what is said meanwhile. Not responsible for the reading, nor for what
//! changed between two of them ([`super::news`]), nor for who says that something did ([`super::changes`]).

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::assess::is_final;
use super::changes::{Change, ChangeSource};
use super::logged;
use super::news::news;
use super::{Assessment, Assessor, Progress};
use crate::evidence::Question;
use crate::rules::{Decision, Intent, Outcome, Verdict};
use crate::text::inert;
use crate::time::{brief, rough};

/// When a read is said to take long.
const SLOW: Duration = Duration::from_secs(3);
/// How often the task is read while waiting.
const POLL: Duration = Duration::from_secs(5);
/// The same, once that was done for so long that nobody is about to answer.
const SLOW_POLL: Duration = Duration::from_secs(15);
/// When that is.
const PATIENT: Duration = Duration::from_secs(10 * 60);
/// How often the task is read at least while something else says when it changed, which may be wrong.
const ANYWAY: Duration = Duration::from_secs(2 * 60);
/// The longest wait; beyond it lie instants that no clock has.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Assessor<'_> {
    /// Reads and judges, and says so where it takes long: a silent gate looks like one that hangs.
    async fn assess_watched(&self, question: &Question, intent: &Intent, progress: &mut impl Progress) -> Assessment {
        let assessing = self.assess(question, intent);
        tokio::pin!(assessing);
        match tokio::time::timeout(SLOW, &mut assessing).await {
            Ok(assessment) => assessment,
            Err(_) => {
                progress.note(&format!("the server is slow to answer; waiting up to {}", brief(self.context().limit)));
                assessing.await
            }
        }
    }

    /// Reads and judges until the verdict is no longer pending or the time for that has run out; once where there is none.
    /// A server that does not answer is asked on, once a verdict was pending. The log of the machine gets the verdict. `changes` says
    /// when to read, and never what stands there: each verdict is of a reading of this process.
    pub async fn wait_for_decision(
        &self,
        question: &Question,
        intent: &Intent,
        limit: Option<Duration>,
        changes: &mut impl ChangeSource,
        progress: &mut impl Progress,
    ) -> Assessment {
        let assessment = self.decide(question, intent, limit, changes, progress).await;
        let context = self.context();
        context.log.write(&logged::verdict(context, question.purpose, &assessment));
        assessment
    }

    async fn decide(
        &self,
        question: &Question,
        intent: &Intent,
        limit: Option<Duration>,
        changes: &mut impl ChangeSource,
        progress: &mut impl Progress,
    ) -> Assessment {
        let mut assessment = self.assess_watched(question, intent, progress).await;
        let Some(limit) = limit else { return assessment };
        let (begun, limit) = (Instant::now(), limit.min(LONGEST_WAIT));
        let deadline = begun + limit;
        let left = || rough(SignedDuration::try_from(deadline.duration_since(Instant::now())).unwrap_or_default());
        let mut said = String::new();
        while can_still_come(&assessment.verdict) && Instant::now() < deadline {
            let wanted = waited_for(&assessment);
            if said != wanted {
                let time =
                    if said.is_empty() { rough(SignedDuration::try_from(limit).unwrap_or_default()) } else { left() };
                progress.note(&format!("waiting up to {time} for {wanted}"));
                said = wanted;
            }
            let read_at = Instant::now();
            let changed = changes.changed(ANYWAY.min(deadline.duration_since(read_at)));
            tokio::pin!(changed);
            let change = loop {
                progress.status(Some(&format!("waiting for {}, {} left", briefly(&assessment.verdict), left())));
                tokio::select! {
                    change = &mut changed => break change,
                    () = tokio::time::sleep(POLL) => {}
                }
            };
            let pause = match change {
                // However often something is said to have changed, the task is not read more often than without that.
                Change::Possible => POLL,
                Change::None => Duration::ZERO,
                Change::Unknown(why) => {
                    if let Some(why) = why {
                        progress.note(&why);
                    }
                    if begun.elapsed() < PATIENT { POLL } else { SLOW_POLL }
                }
            };
            tokio::time::sleep_until((read_at + pause).min(deadline)).await;
            let next = self.assess(question, intent).await;
            match next.verdict.decision {
                Decision::Undecided if next.error().is_some_and(|error| !is_final(error)) => {
                    progress.note("the server did not answer; asking again");
                }
                _ => {
                    say_news(&assessment.verdict, &next.verdict, progress);
                    assessment = next;
                }
            }
        }
        progress.status(None);
        assessment
    }
}

fn say_news(before: &Verdict, after: &Verdict, progress: &mut impl Progress) {
    for news in news(before, after) {
        match news.warns {
            true => progress.warn(&news.line),
            false => progress.note(&news.line),
        }
        // What ends the wait is shown whole, with what to do.
        if let Some(hint) = news.hint.filter(|_| can_still_come(after)) {
            progress.hint(&hint);
        }
    }
}

/// Whether people can still make it allowed by what they write: approvals are missing, or nothing but what reads as a no
/// denies, whose author may say that it is none.
fn can_still_come(verdict: &Verdict) -> bool {
    let mut failed = verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Fail);
    match verdict.decision {
        Decision::Pending => true,
        Decision::Denied => failed.all(|rule| rule.name == "possible-no"),
        Decision::Allowed(_) | Decision::Undecided => false,
    }
}

/// What is waited for, with what to write where that is known.
fn waited_for(assessment: &Assessment) -> String {
    let verdict = &assessment.verdict;
    let Some(needed) = verdict.needed() else { return format!("somebody to mend this: {}", open_rules(verdict)) };
    let lines: Vec<String> =
        verdict.missing_teams().map(|team| format!("\"Emergency-Approve: {}\"", inert(&team.team))).collect();
    let (task, lines) = (assessment.number, lines.join(" or "));
    format!("{needed}: they write on {task}, alone on a line, {lines} (as a comment)")
}

/// The same in a few words.
fn briefly(verdict: &Verdict) -> String {
    verdict.needed().unwrap_or_else(|| open_rules(verdict))
}

fn open_rules(verdict: &Verdict) -> String {
    let open = verdict.rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Pending | Outcome::Fail));
    open.map(|rule| rule.message.as_str()).collect::<Vec<_>>().join("; ")
}
