//! `outbox drop`: giving up a record that can never reach its task.
//!
//! Responsible for what may be given up: what the server refused, and what has no server or task any more; never what is
//! merely unsent or unclear. Not for keeping the record, which the journal does, nor for saying how many were given up, which
//! each later record of this machine does.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use crate::conduit::{self, ConduitError};
use crate::gate::deliver::lock;
use crate::gate::stranded::take_over;
use crate::ids::DeployId;
use crate::journal::{Delivery, DeployState, EndOnTask, GivenUp, Phase};
use crate::text::inert;

/// Gives up what is undelivered of a deploy.
///
/// # Errors
/// Where any of it may still be delivered, nothing of it is undelivered, or the journal or the server cannot be used.
pub(super) async fn drop(deploy: DeployId, why: &str, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let why = inert(why.trim());
    if why.is_empty() {
        return Err(Failure::usage("--why is empty", "say why the record is given up: it stays in the journal"));
    }
    let session = Session::open(globals).await?;
    let mut journal = session.journal()?;
    take_over(&session.context(), &mut journal, ui)?;
    let gone = place_gone(&session, &journal.state(deploy)?).await?;
    let state = journal.state(deploy)?;
    let now = Timestamp::now();
    if gone.is_some() && state.gone().is_some_and(|settle_at| settle_at <= now) && state.owes_finished() {
        // Nobody can have put an end on a task that is not there.
        let owner = journal.own(deploy)?;
        journal.conclude(&owner, now, &EndOnTask::NotFound { read_at: now })?;
    }
    let state = journal.state(deploy)?;
    let due = state.outbox();
    if due.is_empty() {
        return Err(Failure::usage(
            format!("nothing of deploy {deploy} waits in the outbox"),
            "`phabgate outbox list` shows what does",
        ));
    }
    let mut given_up = Vec::new();
    for record in &due {
        let because = match (gone, &record.phase) {
            (Some(gone), _) => gone,
            (None, Phase::Refused { .. }) => GivenUp::Refused,
            (None, Phase::Ready | Phase::Unclear { .. }) => {
                return Err(Failure {
                    exit: Exit::Denied,
                    message: format!(
                        "`{}` of deploy {deploy} is not given up: its server and its task are there, and did not refuse it",
                        record.event.word()
                    ),
                    hint: Some("`phabgate outbox flush --wait` delivers it".into()),
                });
            }
        };
        given_up.push((record.event, because));
    }
    let server = state.intent().server.clone();
    let Some(held) = lock(&journal, &server, session.settings.http.total).await? else {
        return Err(Failure {
            exit: Exit::Incomplete,
            message: "another process holds the outbox".into(),
            hint: Some("try again once it has ended".into()),
        });
    };
    for (event, because) in given_up {
        let (why, login) = (why.clone(), session.caller.login.clone());
        journal.delivery(&held, deploy, Timestamp::now(), Delivery::Dropped { event, because, why, login })?;
        ui.data(&format!(
            "gave up `{}` of {} on {}: it stays in the journal, and later records of this machine count it",
            event.word(),
            state.intent().task,
            server
        ));
    }
    Ok(Exit::Done)
}

/// Whether the place of a record is gone: its server, or its task there. A hidden task looks as one that is gone.
async fn place_gone(session: &Session, state: &DeployState) -> Result<Option<GivenUp>, Failure> {
    let intent = state.intent();
    if intent.server != *session.base() {
        // A URL that the configuration does not name any more, where no server answers. Asked without a token.
        let client = session.without_token(&intent.server)?;
        return match client.call_once::<Value>("conduit.ping", &Map::new()).await {
            Err(ConduitError { kind: conduit::Failure::NoConnection(unreached), .. }) if unreached.may_be_gone() => {
                Ok(Some(GivenUp::ServerGone))
            }
            _ => Ok(None),
        };
    }
    let found = session.timed_client().task(intent.task).await?.result;
    Ok(match (found, &intent.marks.task) {
        (None, _) => Some(GivenUp::TaskGone),
        (Some(found), Some(known)) if found.phid != *known => Some(GivenUp::ServerGone),
        (Some(_), _) => None,
    })
}
