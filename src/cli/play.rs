//! An emergency that is played in the sandbox while the watch looks on, so that whoever tries it sees something happen.
//!
//! Responsible for who writes what, and when. Not responsible for the sandbox, nor for what the watch makes of it.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::sandbox::InProcess;
use crate::conduit::{Client, ConduitError, Project};
use crate::ids::TaskId;
use crate::policy::Policy;

/// How long each step is looked at before the next.
const PAUSE: Duration = Duration::from_secs(7);
/// The task of the newcomers' world that is no emergency yet.
pub(super) const TASK: &str = "T2";

/// Who plays: an account, and its way to the sandbox.
struct Player {
    name: String,
    client: Client,
}

/// A step: who does what to the task.
type Step = (usize, &'static str, Value);

/// Plays an emergency once, from its first word to its end; says each step with `said`.
///
/// # Errors
/// Where the sandbox refuses a step.
pub(super) async fn play(
    sandbox: &InProcess,
    client: &Client,
    policy: &Policy,
    said: impl Fn(&str),
) -> Result<(), ConduitError> {
    let Ok(task) = TASK.parse::<TaskId>() else { return Ok(()) };
    let (Some(players), Some(tag)) = (players(sandbox, client, policy), tag(client, policy).await?) else {
        said("this world has nobody who could play an emergency");
        return Ok(());
    };
    for (who, kind, value) in script(policy, &tag) {
        tokio::time::sleep(PAUSE).await;
        let Some(player) = players.get(who) else { continue };
        player.client.edit_once(task, &[(kind, value.clone())]).await?;
        let what = value.as_str().map_or_else(|| "the tag".to_owned(), |text| format!("'{text}'"));
        said(&format!("{task}: {}: {kind}: {what}", player.name));
    }
    Ok(())
}

/// Who deploys, and one approver for each team that has to approve.
fn players(sandbox: &InProcess, client: &Client, policy: &Policy) -> Option<Vec<Player>> {
    let player = |name: String, token: String| Player { name, client: client.with_token(SecretString::from(token)) };
    let you = sandbox.you().ok()?;
    let own = sandbox.token_of(&you)?;
    let mut players = vec![player(you, own)];
    for key in &policy.required {
        let (name, token) = sandbox.approver(&policy.team(key)?.project, &[]).ok()??;
        players.push(player(name, token));
    }
    Some(players)
}

async fn tag(client: &Client, policy: &Policy) -> Result<Option<Project>, ConduitError> {
    let slug = policy.tag.as_str();
    Ok(client.projects_by_slug(&[slug]).await?.of(slug).cloned())
}

/// What is written: a reason and the tag, an answer that is misspelled, the answers as they are read, and the end.
fn script(policy: &Policy, tag: &Project) -> Vec<Step> {
    let plain = policy.reasons.iter().find(|reason| reason.teams.is_empty());
    let reason = plain.map_or("availability", |reason| reason.key.as_str());
    let mut steps: Vec<Step> = vec![
        (0, "description", json!(format!("Every page answers 503.\n\nEmergency-Reason: {reason} - all pages fail"))),
        (0, "projects.add", json!([tag.phid])),
        (0, "comment", json!("Rolling back the change of an hour ago would mend it.")),
    ];
    for (number, team) in policy.required.iter().enumerate() {
        if number == 0 {
            steps.push((1, "comment", json!(format!("Emergency-Aprove: {team}"))));
        }
        steps.push((number + 1, "comment", json!(format!("Emergency-Approve: {team}"))));
    }
    steps.push((0, "comment", json!("Mended; the graphs are back.")));
    steps.push((0, "status", json!("resolved")));
    steps
}
