//! Reading again what is in no feed: members and accounts, and edits and removals of comments.
//!
//! Responsible for how often, at one call a second at most: where more is due, it is read later. Not responsible for looking at the
//! tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Watch;
use super::poll::{PollError, say_trouble};
use crate::conduit::{Projects, Transaction};
use crate::ids::{Phid, User};
use crate::serve::board::{CommentMark, PeopleMark, WatchedTask};
use crate::serve::store::Store;

/// How often members and accounts are read, and comments of tasks where something happens.
const OFTEN: SignedDuration = SignedDuration::from_secs(30);
/// How often comments of other tasks are.
const SELDOM: SignedDuration = SignedDuration::from_mins(10);
/// For how long after something happened on a task more of it is expected.
const ACTIVE: SignedDuration = SignedDuration::from_hours(24);
/// How many comments one call reads.
pub(super) const COMMENTS: usize = 1_000;
/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How many accounts one call reads.
const ACCOUNTS: usize = 100;

impl<S: Store> Watch<S> {
    /// Reads again for ever.
    pub(super) async fn rereads(self: Arc<Self>) {
        let mut pace = interval(Duration::from_secs(1));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut people_read_at: Option<Timestamp> = None;
        let mut trouble = None;
        loop {
            pace.tick().await;
            let now = self.board.now();
            let people_are_due = people_read_at.is_none_or(|at| now.duration_since(at) >= OFTEN);
            let done = match people_are_due {
                true => {
                    let done = self.reread_people(now, &mut pace).await;
                    people_read_at = done.is_ok().then_some(now).or(people_read_at);
                    done
                }
                false => self.reread_comments(now).await,
            };
            say_trouble(&mut trouble, done.err().map(|error| format!("what is in no feed cannot be read: {error}")));
        }
    }

    async fn reread_people(&self, now: Timestamp, pace: &mut Interval) -> Result<(), PollError> {
        let client = self.site.client.within(LIMIT);
        let slugs: Vec<&str> = self.site.policy.teams.iter().map(|team| team.project.as_str()).collect();
        // Whoever may look at the page by name may do so for as long as their account is enabled, as a member may.
        let named: Vec<String> = self.site.serve.viewers.iter().chain(&self.site.deployers).cloned().collect();
        let (projects, named) = tokio::try_join!(client.projects_by_slug(&slugs), client.users_named(&named))?;
        let members = members(&projects);
        // Those that a verdict rests on without being in a team: who deploys, who recorded.
        let mut asked: BTreeSet<Phid<User>> = members.iter().cloned().collect();
        asked
            .extend(self.board.all().iter().flat_map(|watched| watched.people.accounts().cloned().collect::<Vec<_>>()));
        let (asked, mut accounts) = (Vec::from_iter(asked), Vec::new());
        for some in asked.chunks(ACCOUNTS) {
            pace.tick().await;
            accounts.extend(client.users(some).await?);
        }
        let in_teams = accounts.iter().filter(|account| members.contains(&account.phid));
        self.board.set_viewers(in_teams.chain(&named));
        let read = PeopleMark::of(projects.all(), accounts.iter());
        // Until each was looked at, what is known of it is as old as its last reading. What happens to one meanwhile is looked at first.
        let changed = self.board.all().into_iter().filter(|watched| !watched.people.still_holds(&read));
        for watched in changed {
            self.queue.push_listed(watched.task);
        }
        self.board.refreshed(|fresh| fresh.members = Some(now));
        Ok(())
    }

    async fn reread_comments(&self, now: Timestamp) -> Result<(), PollError> {
        let mut due: Vec<Arc<WatchedTask>> =
            self.board.all().into_iter().filter(|watched| is_due(watched, now)).collect();
        due.sort_by_key(|watched| watched.comments_read_at.max(watched.read_at));
        let (mut some, mut asked) = (Vec::new(), Vec::new());
        for watched in due {
            if watched.comments.is_empty() {
                self.board.comments_unchanged(watched.task, now);
                continue;
            }
            if asked.len() + watched.comments.len() > COMMENTS {
                break;
            }
            asked.extend(watched.comments.iter().map(|mark| mark.phid.clone()));
            some.push(watched);
        }
        if asked.is_empty() {
            return Ok(());
        }
        if self.feed_is_down() {
            // Servers without a feed read no transactions by PHID either: the oldest one is looked at whole.
            some.iter().take(1).for_each(|watched| self.queue.push(watched.task));
            return Ok(());
        }
        let read = self.site.client.within(LIMIT).transactions_by_phid(&asked).await?;
        let read: BTreeMap<&str, &Transaction> = read.iter().map(|row| (row.phid.as_str(), row)).collect();
        for watched in some {
            let same = |mark: &CommentMark| {
                read.get(mark.phid.as_str()).is_some_and(|row| CommentMark::of(row).fingerprint == mark.fingerprint)
            };
            if watched.comments.iter().all(same) {
                self.board.comments_unchanged(watched.task, now);
            } else {
                self.metrics.reread.increment();
                self.queue.push(watched.task);
            }
        }
        Ok(())
    }
}

fn is_due(watched: &WatchedTask, now: Timestamp) -> bool {
    let is_active = watched.underway || now.duration_since(watched.modified) < ACTIVE;
    let often = if is_active { OFTEN } else { SELDOM };
    now.duration_since(watched.comments_read_at.max(watched.read_at)) >= often
}

/// The members of the teams, each once.
fn members(projects: &Projects) -> Vec<Phid<User>> {
    let mut members: Vec<Phid<User>> = projects.all().flat_map(|project| project.members.iter().cloned()).collect();
    members.sort();
    members.dedup();
    members
}
