//! A deploy of the journal as the fact that it is for others.
//!
//! Responsible for how far it is. Not for reading it from the disk ([`JournalReader::deploys_of`](super::JournalReader::deploys_of)
//! does), nor for how it is worded ([`crate::local_deploy`]).

use super::event::DeployMode;
use super::state::DeployState;
use crate::local_deploy::{LocalDeploy, LocalProgress};
use crate::record::token_of_caller;

/// The facts of one deploy; `None` where it is a record by other means of which nothing is said yet.
///
/// `is_alive` is asked only where the end is not in the journal.
pub(super) fn local_deploy<E>(
    state: &DeployState,
    is_alive: impl FnOnce() -> Result<bool, E>,
) -> Result<Option<LocalDeploy>, E> {
    let progress = match state.end() {
        Some((outcome, at)) => LocalProgress::Ended { outcome, at },
        None if state.intent().mode == DeployMode::Record => return Ok(None),
        None if is_alive()? => LocalProgress::Running,
        None => LocalProgress::Stranded,
    };
    let intent = state.intent();
    Ok(Some(LocalDeploy {
        deploy: state.deploy(),
        deployer: intent.template.deployer.as_ref().map(|deployer| deployer.user.clone()),
        account: intent.template.deployer.as_ref().and_then(|deployer| deployer.phid.clone()),
        login: intent.identity.login.clone(),
        token: intent.template.caller.as_deref().and_then(token_of_caller).map(str::to_owned),
        begun: state.begun(),
        progress,
    }))
}
