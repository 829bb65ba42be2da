//! What is learnt from a watch: when a task that is waited for may stand otherwise.
//!
//! Responsible for when it is asked, and when it is of no use. Not responsible for reading the task, which who waits does whatever was
//! said here.

use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{Watch, shown};
use crate::gate::changes::{Change, ChangeSource};
use crate::ids::TaskId;

/// How long a watch is asked to hold one answer.
const HOLD: Duration = Duration::from_secs(55);
/// What a watch that answers sooner than this, with nothing new, does not hold.
const HELD: Duration = Duration::from_secs(1);
/// How long a watch that gave nothing usable is left alone.
const REST: Duration = Duration::from_secs(30);

impl Watch {
    /// What it says of changes of a task of the server at `server`, judged by the policy with this digest.
    pub fn changes_of(self, task: TaskId, server: &Url, policy: String) -> TaskChanges {
        TaskChanges { watch: self, task, page: task.url(server), policy, known: None, usefulness: Usefulness::Asked }
    }
}

/// What a watch says of changes of one task.
#[derive(Debug)]
pub struct TaskChanges {
    watch: Watch,
    task: TaskId,
    /// The URL of the task, by which the site is known.
    page: String,
    /// The digest of the policy by which who waits judges.
    policy: String,
    /// By what its last answer is known.
    known: Option<HeaderValue>,
    usefulness: Usefulness,
}

/// Of what use a watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usefulness {
    /// It answers.
    Asked,
    /// It gave nothing usable, and is asked again then.
    Resting(Instant),
    /// It will never be of use.
    Useless,
}

/// Why a watch is of no use: for a while, or for good.
enum Unusable {
    Now(String),
    Ever(String),
}

/// What is read of a verdict.
#[derive(Deserialize)]
struct Verdict {
    url: String,
    verdict: String,
    policy: String,
}

impl ChangeSource for TaskChanges {
    async fn changed(&mut self, patience: Duration) -> Change {
        let until = Instant::now() + patience;
        let is_news = self.usefulness == Usefulness::Asked;
        match self.usefulness {
            Usefulness::Useless => return Change::Unknown(None),
            Usefulness::Resting(end) if Instant::now() < end => return Change::Unknown(None),
            Usefulness::Asked | Usefulness::Resting(_) => {}
        }
        loop {
            let hold = until.duration_since(Instant::now()).min(HOLD);
            let asked = Instant::now();
            match self.ask(hold).await {
                Ok(true) => {
                    self.usefulness = Usefulness::Asked;
                    return Change::Possible;
                }
                Ok(false) => {
                    self.usefulness = Usefulness::Asked;
                    if asked.elapsed() < HELD {
                        tokio::time::sleep_until((Instant::now() + HELD).min(until)).await;
                    }
                    if Instant::now() >= until {
                        return Change::None;
                    }
                }
                Err(unusable) => {
                    let (usefulness, why) = match unusable {
                        Unusable::Now(why) => (Usefulness::Resting(Instant::now() + REST), why),
                        Unusable::Ever(why) => (Usefulness::Useless, why),
                    };
                    (self.usefulness, self.known) = (usefulness, None);
                    let why = format!("the watch at {} {why}: reading the task without it", self.watch.url);
                    return Change::Unknown((is_news || usefulness == Usefulness::Useless).then_some(why));
                }
            }
        }
    }
}

impl TaskChanges {
    /// Whether the watch knows something else of the task than before.
    async fn ask(&mut self, hold: Duration) -> Result<bool, Unusable> {
        let path = format!("v1/tasks/{}/verdict?wait={}s", self.task, hold.as_secs());
        let answer = self.watch.ask(&path, self.known.as_ref(), hold).await;
        let answer = answer.map_err(|why| Unusable::Now(format!("does not answer ({})", shown(&why))))?;
        match answer.status {
            200 => {}
            304 if self.known.is_some() => return Ok(false),
            401 if !self.watch.has_token() => {
                let why = "wants a token, and none is given (PHABGATE_SERVER_TOKEN_FILE)";
                return Err(Unusable::Ever(why.to_owned()));
            }
            401 | 403 => return Err(Unusable::Ever("refuses the token".to_owned())),
            404 => return Err(Unusable::Now(format!("shows no open emergency {}", self.task))),
            421 => return Err(Unusable::Ever("does not answer by this name (`serve.url`)".to_owned())),
            status => return Err(Unusable::Now(format!("answers with the status {status}"))),
        }
        let verdict: Verdict = serde_json::from_slice(&answer.body)
            .map_err(|_| Unusable::Now("answers with something that is no verdict".to_owned()))?;
        if verdict.url != self.page {
            return Err(Unusable::Ever(format!("watches another server ({})", shown(&verdict.url))));
        }
        if verdict.policy != self.policy {
            return Err(Unusable::Ever(format!("judges by another policy ({})", shown(&verdict.policy))));
        }
        if verdict.verdict == "undecided" {
            return Err(Unusable::Now("cannot decide".to_owned()));
        }
        self.known =
            Some(answer.tag.ok_or_else(|| Unusable::Now("does not say by what to know its answer".to_owned()))?);
        Ok(true)
    }
}
