//! Waiting until a task is decided.
//!
//! Responsible for how often a task is read, for how long, and for what is said meanwhile. Not responsible for the reading.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::assess::is_final;
use super::logged;
use super::{Assessment, Assessor, Progress};
use crate::evidence::Question;
use crate::rules::{Decision, Intent, Outcome, Verdict};
use crate::time::{brief, rough};

/// When a read is said to take long.
const SLOW: Duration = Duration::from_secs(3);
/// How often the task is read while waiting.
const POLL: Duration = Duration::from_secs(5);
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
    /// A server that does not answer is asked on, once a verdict was pending. The log of the machine gets the verdict.
    pub async fn wait_for_decision(
        &self,
        question: &Question,
        intent: &Intent,
        limit: Option<Duration>,
        progress: &mut impl Progress,
    ) -> Assessment {
        let assessment = self.decide(question, intent, limit, progress).await;
        let context = self.context();
        context.log.write(&logged::verdict(context, question.purpose, &assessment));
        assessment
    }

    async fn decide(
        &self,
        question: &Question,
        intent: &Intent,
        limit: Option<Duration>,
        progress: &mut impl Progress,
    ) -> Assessment {
        let mut assessment = self.assess_watched(question, intent, progress).await;
        let Some(limit) = limit else { return assessment };
        let limit = limit.min(LONGEST_WAIT);
        let deadline = Instant::now() + limit;
        let mut said = String::new();
        while can_still_come(&assessment.verdict) && Instant::now() < deadline {
            let missing = waited_for(&assessment.verdict);
            if said != missing {
                let left = SignedDuration::try_from(limit).unwrap_or_default();
                progress.note(&format!("waiting up to {} for {missing}", rough(left)));
                said = missing;
            }
            tokio::time::sleep_until((Instant::now() + POLL).min(deadline)).await;
            let next = self.assess(question, intent).await;
            match next.verdict.decision {
                Decision::Undecided if next.error().is_some_and(|error| !is_final(error)) => {
                    progress.note("the server did not answer; asking again");
                }
                _ => assessment = next,
            }
        }
        assessment
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

fn waited_for(verdict: &Verdict) -> String {
    let pending = verdict.rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Pending | Outcome::Fail));
    pending.map(|rule| rule.message.as_str()).collect::<Vec<_>>().join("; ")
}
