//! What `doctor` reads of paging.
//!
//! Responsible for the reading, by which nobody is paged. Not responsible for the checks ([`crate::doctor::paging`]).

use std::collections::BTreeMap;

use super::session::Session;
use crate::conduit::{Account, ConduitError, Project};
use crate::doctor::paging::{AlertmanagerRead, OnCallRead, Paging, TrustedRead};
use crate::paging::{OnCall, PagerKind, read_on_call, who_to_ask};
use crate::policy::Role;
use crate::rules::TeamCount;

/// How the pagers look, and who is on call; nothing where none of it is configured.
pub(super) async fn read(
    session: &Session,
    projects: &Result<BTreeMap<String, Project>, ConduitError>,
    members: &Result<Vec<Account>, ConduitError>,
) -> Paging {
    let mut paging = Paging::default();
    if session.settings.paging.has_pager() {
        match session.pagers() {
            Ok(pagers) => {
                let address = |kind| pagers.address(kind).unwrap_or_default();
                let approving = session.settings.policy.teams.iter().filter(|team| team.role == Role::Approve);
                let teams: Vec<&str> = approving.map(|team| team.key.as_str()).collect();
                let drills = session.settings.paging.drills;
                let (alertmanager, webhook) =
                    tokio::join!(pagers.alertmanager_status(&teams, drills), pagers.webhook_status());
                paging.alertmanager =
                    alertmanager.map(|status| AlertmanagerRead { url: address(PagerKind::Alertmanager), status });
                paging.webhook = webhook.map(|read| (address(PagerKind::Webhook), read));
            }
            Err(failure) => paging.unusable = Some((failure.message, failure.hint)),
        }
    }
    let names = &session.settings.paging.trusted;
    if !names.is_empty() {
        let known = session.timed_client().users_named(names).await;
        paging.trusted = Some(TrustedRead { names: names.clone(), known });
    }
    if let (Ok(projects), Ok(members)) = (projects, members) {
        paging.on_call = on_call(session, projects, members);
    }
    paging
}

/// Who is on call for each team of which that is configured: those of its members who could approve something.
fn on_call(session: &Session, projects: &BTreeMap<String, Project>, members: &[Account]) -> Vec<OnCallRead> {
    let teams = session.settings.policy.teams.iter();
    let read = teams.filter_map(|team| {
        let source = session.settings.paging.on_call.get(&team.key)?;
        let project = projects.get(&team.project)?;
        let can = |account: &&Account| project.members.contains(&account.phid) && account.is_enabled_person();
        let could = members.iter().filter(can).map(|account| crate::text::inert(&account.username));
        let count = TeamCount {
            team: team.key.clone(),
            title: team.title.clone(),
            need: team.need,
            by: Vec::new(),
            could: could.collect(),
        };
        let on_call = read_on_call(source);
        let could = |name: &&String| count.could.iter().any(|member| member.eq_ignore_ascii_case(name));
        let others = match &on_call {
            OnCall::Names(names) => names.iter().filter(|name| !could(name)).cloned().collect(),
            OnCall::NotSet | OnCall::Unreadable(_) => Vec::new(),
        };
        let who = who_to_ask(&count, &on_call);
        let is_unreadable = matches!(on_call, OnCall::Unreadable(_));
        Some(OnCallRead { team: team.key.clone(), names: who.on_call, others, note: who.note, is_unreadable })
    });
    read.collect()
}
