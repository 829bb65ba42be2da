//! `run --share`: the deploy is carried out with those who look on at the watch.
//!
//! Responsible for what is needed for that, which is known before anything happens, and for what is said of a run that waits. Not
//! responsible for when something is said ([`crate::gate::share`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::exit::{Exit, Failure};
use super::session::Session;
use crate::evidence::Question;
use crate::gate::recording::shown_command;
use crate::gate::share::{SharedDeploy, WaitingRun};
use crate::ids::{DeployId, TaskId};
use crate::record::share::ShareSecret;
use crate::rules::Intent;
use crate::text::shorten;
use crate::watch_client::{Watch, WatchOnlookers};

/// How long it is waited at most for the watch to hear that a run does not wait any more, where nothing follows.
const TAKING_BACK: Duration = Duration::from_secs(1);
/// How many columns of a command are said of a run that waits, and of each other text.
const COMMAND: usize = 1_000;
const TEXT: usize = 200;

/// A deploy that is shared, before it is one.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Those who look on.
    pub(super) onlookers: Arc<WatchOnlookers>,
    /// The deploy, with its secret.
    pub(super) shared: SharedDeploy,
}

impl Sharing {
    /// With those who look on at a task at a watch.
    ///
    /// # Errors
    /// Where there is no watch, or no token of it.
    pub(super) fn at(watch: Option<&Watch>, task: TaskId) -> Result<Self, Failure> {
        let nothing = "nothing was run; leave --share out to deploy without the watch";
        let watch = watch.ok_or_else(|| {
            let hint = "name one with --server https://watch.example.org/, or as `url` in [watch] of the configuration";
            Failure::usage("--share needs a watch, and none is configured", format!("{hint}; {nothing}"))
        })?;
        if !watch.has_token() {
            return Err(Failure {
                exit: Exit::Credentials,
                message: "--share needs a token of the watch, and none is named".to_owned(),
                hint: Some(format!("put one into the file that PHABGATE_SERVER_TOKEN_FILE names; {nothing}")),
            });
        }
        let secret = ShareSecret::fresh().ok_or_else(|| Failure::no_random_bytes(Some(nothing)))?;
        let onlookers = Arc::new(watch.clone().onlookers_of(task));
        Ok(Self { onlookers, shared: SharedDeploy { deploy: DeployId::fresh(), secret } })
    }

    /// The run as it is said while it waits: as a record would say it, bounded.
    pub(super) fn waiting_run(
        &self,
        argv: &[String],
        hide: bool,
        intent: &Intent,
        question: &Question,
        session: &Session,
    ) -> WaitingRun {
        let context = session.context();
        // Whose token it is the server says later.
        let caller = format!("the login {}", context.caller);
        let deployer = question.deployer.as_deref().or(question.calling_user.as_deref()).unwrap_or(&caller);
        let change = intent.change.as_deref().map(|change| shorten(&context.record.mask.text(change), TEXT));
        WaitingRun {
            deploy: self.shared.deploy,
            deployer: shorten(deployer, TEXT),
            action: intent.action.map(|action| action.word().to_owned()),
            change,
            command: shorten(&shown_command(argv, hide, &context).0, COMMAND),
        }
    }
}

/// Waits a moment until the watch heard that a run does not wait any more.
pub(super) async fn taken_back(taking_back: Option<JoinHandle<()>>) {
    if let Some(taking_back) = taking_back {
        let _ = tokio::time::timeout(TAKING_BACK, taking_back).await;
    }
}
