//! What is said to a watch: how a deploy goes on, and what a run waits to carry out.
//!
//! Responsible for saying it once, over HTTP. Nothing that the watch answers is shown but why it does not listen, in words of our own. Not
//! responsible for when it is said ([`crate::gate::share`]), nor for what the watch makes of it.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Watch, shown};
use crate::gate::share::{Onlookers, Phase, SharedDeploy, Unheard, WaitingRun};
use crate::ids::TaskId;
use crate::record::ExitStatus;

/// Those who look on at a watch.
#[derive(Debug, Clone)]
pub struct WatchOnlookers {
    watch: Watch,
    task: TaskId,
}

impl Watch {
    /// Those who look on at a task there.
    pub fn onlookers_of(self, task: TaskId) -> WatchOnlookers {
        WatchOnlookers { watch: self, task }
    }
}

impl WatchOnlookers {
    async fn say(&self, method: Method, path: &str, body: Option<&serde_json::Value>) -> Result<(), Unheard> {
        let away = |why: String| Unheard::Away(format!("{} {why}", self.name()));
        let answer = self.watch.say(method, path, body).await;
        match answer.map_err(|why| away(format!("does not answer ({})", shown(&why))))?.status {
            200..=299 => Ok(()),
            404 => Err(Unheard::Unknown),
            401 | 403 => Err(away("refuses the token".to_owned())),
            409 => Err(away("hears of too many runs that wait".to_owned())),
            421 => Err(away("does not answer by this name (`serve.url`)".to_owned())),
            status => Err(away(format!("answers with the status {status}"))),
        }
    }
}

impl Onlookers for WatchOnlookers {
    async fn phase(&self, shared: &SharedDeploy, phase: Phase) -> Result<(), Unheard> {
        let digits = shared.secret.digits();
        let (word, status) = phase.word();
        let mut body = json!({"task": self.task, "secret": digits.expose_secret(), "phase": word});
        match status {
            Some(ExitStatus::Code(code)) => body["exit"] = json!(code),
            Some(ExitStatus::Signal(signal)) => body["signal"] = json!(signal),
            None => {}
        }
        self.say(Method::POST, &format!("v1/deploys/{}/phase", shared.deploy), Some(&body)).await
    }

    async fn waiting(&self, run: &WaitingRun) -> Result<(), Unheard> {
        self.say(Method::POST, &format!("v1/tasks/{}/waiting", self.task), Some(&json!(run))).await
    }

    async fn over(&self, run: &WaitingRun) -> Result<(), Unheard> {
        self.say(Method::DELETE, &format!("v1/tasks/{}/waiting/{}", self.task, run.deploy), None).await
    }

    fn name(&self) -> String {
        format!("the watch at {}", self.watch.url)
    }
}
