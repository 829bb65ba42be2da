//! Who conducts the train, for the line by which a team is asked.
//!
//! Responsible for reading it where it is needed and not more often, in little time, and for in which ask the conductor is named. Not
//! responsible for who it is ([`crate::gate::conductor`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::gate::conductor::{Conductor, ConductorContact, ContactSource, NamedConductor};
use crate::rules::TeamCount;
use crate::serve::store::Store;
use crate::serve::watch::Watch;

/// How long an answer counts: a train has one conductor for days.
const FRESH: Duration = Duration::from_secs(300);
/// How long it is waited before it is read again where it could not be.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a reading may take in all.
const READING: Duration = Duration::from_secs(30);

/// Who conducts the train, as it was read last.
#[derive(Debug, Default)]
pub(super) struct KnownConductor {
    known: Option<Conductor>,
    until: Option<Instant>,
    /// What is being read.
    reading: Option<JoinHandle<Option<Conductor>>>,
}

impl KnownConductor {
    /// The conductor now; `None` where there is none, or none could be read yet within a time. A reading that takes longer goes on, so that a slow
    /// server is waited for once.
    pub(super) async fn find<S: Store>(&mut self, watch: &Arc<Watch<S>>, within: Duration) -> Option<Conductor> {
        if self.until.is_none_or(|until| until <= Instant::now()) {
            let reading = self.reading.get_or_insert_with(|| tokio::spawn(read(Arc::clone(watch))));
            if let Ok(found) = timeout(within, reading).await {
                self.reading = None;
                let found = found.ok().flatten();
                self.until = Some(Instant::now() + if found.is_some() { FRESH } else { AGAIN });
                // Who it was a while ago is better than nobody.
                self.known = found.or_else(|| self.known.take());
            }
        }
        self.known.clone()
    }
}

async fn read<S: Store>(watch: Arc<Watch<S>>) -> Option<Conductor> {
    let context = watch.site.context();
    let named = NamedConductor { given: None, configured: watch.site.contact.conductor.as_deref() };
    timeout(READING, ConductorContact::find(&context, named)).await.ok()?.conductor
}

/// The conductor where the ask of a team names them, under their nick: in that of the team that they could approve for, and in that of the
/// first team that is missing where they could for none, so that one line calls them.
pub(super) fn called_for(
    team: &TeamCount,
    missing: &[&TeamCount],
    conductor: Option<&Conductor>,
    nick: impl Fn(&str) -> String,
) -> Option<String> {
    let conductor = conductor?;
    // A name of the configuration is a nick already.
    let called = match conductor.source {
        ContactSource::Flag | ContactSource::Configuration => conductor.nick.clone(),
        ContactSource::Train | ContactSource::Backup => nick(&conductor.nick),
    };
    let is_it = |name: &String| name.eq_ignore_ascii_case(&conductor.nick) || nick(name).eq_ignore_ascii_case(&called);
    let could = |team: &TeamCount| team.could.iter().any(is_it);
    let is_of_none = || !missing.iter().any(|team| could(team));
    let is_first = || missing.first().is_some_and(|first| first.team == team.team);
    (could(team) || (is_of_none() && is_first())).then_some(called)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(key: &str, could: &[&str]) -> TeamCount {
        let could = could.iter().map(|name| (*name).to_owned()).collect();
        TeamCount { team: key.into(), title: key.into(), need: 1, by: vec![], could }
    }

    #[test]
    fn one_ask_calls_the_conductor_that_of_their_own_team_where_it_is_missing() {
        let (sre, releng) = (team("sre", &["sre1"]), team("releng", &["Alice", "releng2"]));
        let nick = |name: &str| if name.eq_ignore_ascii_case("alice") { "al".to_owned() } else { name.to_owned() };
        let called = |name: &str, source: ContactSource, team: &TeamCount, missing: &[&TeamCount]| {
            called_for(team, missing, Some(&Conductor { nick: name.into(), source }), nick)
        };
        let both = [&sre, &releng];
        for (name, source) in [("alice", ContactSource::Train), ("al", ContactSource::Configuration)] {
            assert_eq!(called(name, source, &sre, &both), None);
            assert_eq!(called(name, source, &releng, &both).as_deref(), Some("al"));
            assert_eq!(called(name, source, &sre, &[&sre]).as_deref(), Some("al"), "their team has approved");
        }
        assert_eq!(called("carol", ContactSource::Backup, &sre, &both).as_deref(), Some("carol"));
        assert_eq!(called("carol", ContactSource::Backup, &releng, &both), None);
        assert_eq!(called_for(&sre, &both, None, nick), None);
    }
}
