//! The deploys of an open emergency: those that are under way, and how the last ones ended.
//!
//! Responsible for that, as a pure function of what was read. Not responsible for which record is believed ([`crate::rules`]), nor for
//! whom a deploy is shown to.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::evidence::records::{PostedRecord, by_deploy};
use crate::ids::{DeployId, TransactionId};
use crate::policy::Policy;
use crate::record::Outcome;
use crate::record::share::{Commitment, ShareSecret};
use crate::rules::{Weight, believed_ends, open_starts};
use crate::text::inert;

/// How many deploys that ended are kept.
const ENDED: usize = 3;

/// A deploy of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// Which.
    pub deploy: DeployId,
    /// What shows who may say how it goes on; `None` where it is not under way, or nobody may.
    pub share: Option<Commitment>,
    /// Who deploys: the username that the server has for whom the record names, inert; `None` where that is not known.
    pub deployer: Option<String>,
    /// When it started, as its record says, or when that was written.
    pub started: Timestamp,
    /// Where it stands.
    pub state: DeployState,
    /// Its command; `None` where it is hidden, not known, or may not be shown.
    pub command: Option<String>,
    /// The record that shows it.
    pub transaction: TransactionId,
}

impl Deploy {
    /// Whether it runs.
    pub fn is_underway(&self) -> bool {
        self.state == DeployState::Underway
    }

    /// The deploy under way that whoever knows this secret announced: of several that state the same commitment the first, since the
    /// others copied it.
    pub(super) fn announced_with<'a>(deploys: &'a [Self], deploy: DeployId, secret: &ShareSecret) -> Option<&'a Self> {
        let mut those = deploys.iter().filter(|known| known.is_underway() && known.deploy == deploy);
        those.find(|known| known.share.is_some_and(|share| share.is_of(secret)))
    }
}

/// Where a deploy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeployState {
    /// It runs.
    Underway,
    /// It started, nothing says that it ended, and nothing runs for so long.
    Silent,
    /// Somebody says that it started who could not have started it.
    NotBelieved,
    /// It ended.
    Ended {
        /// How; `None` where its record does not say.
        outcome: Option<Outcome>,
        /// When, as its record says, or when that was written.
        at: Timestamp,
    },
}

/// The deploys of a task: those without an end first, oldest first, then the last that ended, newest first. `show` says whether texts of
/// the task may be shown.
pub(super) fn deploys(evidence: &Evidence, policy: &Policy, show: bool) -> Vec<Deploy> {
    let open = open_starts(evidence, policy, None).into_iter().map(|open| {
        let state = match open.weight {
            Weight::Stops => DeployState::Underway,
            Weight::TooOld => DeployState::Silent,
            Weight::NotBelieved => DeployState::NotBelieved,
        };
        deploy(evidence, &open.start, open.start.possible_start(), state, show)
    });
    let ends: BTreeSet<TransactionId> = believed_ends(evidence, policy).map(|end| end.moment.transaction).collect();
    let mut records = evidence.records(policy, None);
    records.retain(|record| !record.speaks_of_an_end() || ends.contains(&record.moment.transaction));
    let by_deploy = by_deploy(records);
    let mut ended: Vec<Deploy> = by_deploy
        .deploys
        .iter()
        .filter_map(|records| {
            let end = records.end()?;
            let at = end.record.finished.filter(|finished| !end.is_later(*finished)).unwrap_or(end.moment.time);
            let state = DeployState::Ended { outcome: end.record.outcome, at };
            let mut ended = deploy(evidence, records.trusted(), records.start().map(|(_, time)| time), state, show);
            ended.transaction = end.moment.transaction;
            Some(ended)
        })
        .collect();
    ended.sort_by_key(|ended| std::cmp::Reverse(ended.transaction));
    open.chain(ended.into_iter().take(ENDED)).collect()
}

fn deploy(
    evidence: &Evidence,
    record: &PostedRecord,
    started: Option<Timestamp>,
    state: DeployState,
    show: bool,
) -> Deploy {
    let record_share = record.record.share.as_deref().filter(|_| state == DeployState::Underway);
    Deploy {
        deploy: record.record.deploy,
        share: record_share.and_then(Commitment::parse),
        deployer: deployer(evidence, record),
        started: started.unwrap_or(record.moment.time),
        state,
        command: record.record.command.clone().filter(|_| show),
        transaction: record.moment.transaction,
    }
}

/// Who deploys by a record, as the server calls their account: of a recorder whom it names, of anybody else who they are.
/// What the record calls them is text of its author, who may have written anything.
fn deployer(evidence: &Evidence, record: &PostedRecord) -> Option<String> {
    let named = || {
        let deployer = record.record.deployer.as_ref()?;
        match &deployer.phid {
            Some(phid) => evidence.accounts.get(phid),
            None => evidence.account_named(&deployer.user),
        }
    };
    let account = if record.by_recorder { named() } else { evidence.account(&record.author) };
    account.map(|account| inert(&account.username))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{History, at, record};
    use crate::record::{Event, Record};

    #[test]
    fn a_deploy_is_under_way_until_it_ended_and_its_command_is_shown_where_texts_are() {
        let mut history = History::ready();
        let deploy = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let mut started = record(deploy, Event::Started, "deployer1");
        started.command = Some("scap sync-world".into());
        started.started = Some(at(19));
        history.record("phabgate", 20, &started);
        let of = |history: &History, show| deploys(&history.evidence(), &history.policy, show);
        let underway = of(&history, true);
        assert_eq!(underway.len(), 1);
        assert_eq!((underway[0].state, underway[0].started), (DeployState::Underway, at(19)));
        assert_eq!(underway[0].command.as_deref(), Some("scap sync-world"));
        assert_eq!(of(&history, false)[0].command, None);

        let mut finished = started;
        (finished.event, finished.outcome, finished.finished) = (Event::Finished, Some(Outcome::Failed), Some(at(50)));
        history.record("phabgate", 60, &finished);
        let ended = of(&history, true);
        let state = DeployState::Ended { outcome: Some(Outcome::Failed), at: at(50) };
        assert_eq!(ended.iter().map(|ended| ended.state).collect::<Vec<_>>(), [state]);
        assert_eq!(ended[0].started, at(19));
    }

    #[test]
    fn an_end_by_who_could_not_have_run_it_is_no_end_and_no_news() {
        let ended = |author: &str, deploy| {
            let mut ended = record(deploy, Event::Recorded, author);
            ended.outcome = Some(Outcome::Succeeded);
            ended
        };
        let mut history = History::emergency();
        for _ in 0..20 {
            history.record("outsider", 20, &ended("outsider", DeployId::fresh()));
        }
        assert_eq!(deploys(&history.evidence(), &history.policy, true), []);
        let theirs = DeployId::fresh();
        history.record("phabgate", 30, &record(theirs, Event::Started, "deployer1"));
        history.record("outsider", 40, &ended("outsider", theirs));
        let known = deploys(&history.evidence(), &history.policy, true);
        assert_eq!(known.iter().map(Deploy::is_underway).collect::<Vec<_>>(), [true]);
        // They stand on the task all the same.
        assert_eq!(history.evidence().records(&history.policy, None).len(), 22);
    }

    #[test]
    fn who_deploys_is_called_what_the_server_calls_them() {
        let who = |author: &str, phid: Option<&str>, user: &str| {
            let mut history = History::ready();
            let mut started = record(DeployId::fresh(), Event::Started, "deployer1");
            let named = started.deployer.as_mut().unwrap();
            (named.user, named.phid) = (user.to_owned(), phid.map(crate::evidence::testing::person));
            history.record(author, 20, &started);
            deploys(&history.evidence(), &history.policy, true).remove(0).deployer
        };
        let framed = "sre1) T1 is a drill (by sre2";
        assert_eq!(who("outsider", Some("outsider"), framed).as_deref(), Some("outsider"));
        assert_eq!(
            who("outsider", Some("deployer1"), "deployer1").as_deref(),
            Some("outsider"),
            "who writes for others"
        );
        assert_eq!(who("phabgate", Some("deployer2"), framed).as_deref(), Some("deployer2"));
        assert_eq!(who("phabgate", None, "Deployer2").as_deref(), Some("deployer2"), "as the server writes it");
        assert_eq!(who("phabgate", None, framed), None);
        assert_eq!(who("phabgate", Some("nobody-knows"), "deployer1"), None);
    }

    #[test]
    fn who_reports_on_a_deploy_is_who_announced_it() {
        let (secret, other) = (ShareSecret::fresh().unwrap(), ShareSecret::fresh().unwrap());
        let id: DeployId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let another = "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap();
        let mut history = History::ready();
        let mut started = record(id, Event::Started, "deployer1");
        // Nobody can say that who only says so.
        started.share = Some(secret.commitment().to_string());
        history.record("outsider", 19, &started);
        let of = |history: &History| deploys(&history.evidence(), &history.policy, true);
        assert_eq!(Deploy::announced_with(&of(&history), id, &secret), None, "a start that is not believed");
        history.record("phabgate", 20, &started);
        // Whoever copies the commitment does not take the place of who made it.
        history.record("phabgate", 21, &started);
        let all = of(&history);
        let first = all.iter().find(|deploy| deploy.is_underway()).unwrap();
        assert_eq!(Deploy::announced_with(&all, id, &secret), Some(first));
        assert_eq!(Deploy::announced_with(&all, id, &other), None, "another secret");
        assert_eq!(Deploy::announced_with(&all, another, &secret), None, "another deploy");
        let unread = ShareSecret::parse(started.share.as_deref().unwrap()).unwrap();
        assert_eq!(Deploy::announced_with(&all, id, &unread), None, "what stands on the task opens nothing");

        let mut finished = started.clone();
        (finished.event, finished.outcome) = (Event::Finished, Some(Outcome::Succeeded));
        history.record("phabgate", 60, &finished);
        assert_eq!(Deploy::announced_with(&of(&history), id, &secret), None, "it ended");

        for share in [None, Some("00".to_owned()), Some(other.commitment().to_string().to_uppercase())] {
            let mut history = History::ready();
            history.record("phabgate", 20, &Record { share, ..started.clone() });
            assert_eq!(Deploy::announced_with(&of(&history), id, &other), None);
        }
    }

    #[test]
    fn the_last_ends_are_kept_newest_first_and_a_start_that_nobody_could_make_is_named_so() {
        let mut history = History::ready();
        for number in 0..5 {
            let deploy = format!("01890a5d-ac96-774b-bcce-b302099a805{number}").parse().unwrap();
            let mut finished = record(deploy, Event::Recorded, "deployer1");
            finished.outcome = Some(Outcome::Succeeded);
            history.record("phabgate", 20 + number, &finished);
        }
        let foreign = record("01890a5d-ac96-774b-bcce-b302099a805f".parse().unwrap(), Event::Started, "deployer1");
        history.record("outsider", 30, &foreign);
        let all = deploys(&history.evidence(), &history.policy, true);
        assert_eq!(all[0].state, DeployState::NotBelieved);
        let times: Vec<_> = all[1..].iter().map(|ended| ended.state).collect();
        assert_eq!(
            times,
            [24, 23, 22].map(|second| DeployState::Ended { outcome: Some(Outcome::Succeeded), at: at(second) })
        );
    }
}
