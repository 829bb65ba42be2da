//! Posting an answer once.
//!
//! In the room: sending the comment, looking for it on the task, and when it may be sent again. Not in the room: what
//! it says, and the journal: an answer that was not posted is not owed to anybody, and who asks again is told what
//! stands there.
//!
//! The rule is that of records ([`crate::record::post`]): what proves that the server did not act allows another
//! attempt at once; after any other failure nothing is sent until the attempt is too old to arrive still, *and* a read
//! of the task that was begun after that does not find it.

use std::time::Duration;

use tokio::time::Instant;

use crate::conduit::{Client, ConduitError, Failure, Reach, Transaction};
use crate::ids::{Phid, TaskId, TransactionId, User};

/// How often it is sent. Only what surely did not arrive is sent again.
const SENDS: u32 = 3;
/// The pause before it is sent again, where the server asks for none.
const PAUSE: Duration = Duration::from_millis(300);
/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often it is looked for.
const POLL: Duration = Duration::from_secs(2);

/// A comment to be posted, by whom and where.
#[derive(Debug)]
pub struct Posting<'a> {
    /// The way to the server, without a deadline.
    pub client: &'a Client,
    /// The task.
    pub task: TaskId,
    /// Whose token it is.
    pub author: &'a Phid<User>,
    /// The comment.
    pub text: &'a str,
    /// The last thing that had happened on the task: the comment comes after it.
    pub after: TransactionId,
    /// How long after an unclear answer an attempt may still arrive.
    pub settle: Duration,
    /// How long one attempt or one look may take.
    pub limit: Duration,
}

/// Why an answer is not known to be on the task.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The server said no.
    #[error("{0}")]
    Refused(ConduitError),
    /// It is surely not there.
    #[error("the answer could not be posted: {0}")]
    NotThere(ConduitError),
    /// The server took it several times, and it is not there.
    #[error("the server took the comment and it is not on the task")]
    Vanished,
    /// Nobody knows.
    #[error("it is not clear whether the answer is on the task: {0}")]
    Unclear(ConduitError),
}

impl Posting<'_> {
    /// Posts it, and returns where it is. `say` is told what takes time.
    ///
    /// # Errors
    /// Where it is not known to be on the task.
    pub async fn post(&self, mut say: impl FnMut(&str)) -> Result<TransactionId, PostError> {
        let mut last = None;
        for attempt in 1..=SENDS {
            let sent_at = Instant::now();
            let error = match self.client.within(self.limit).comment_once(self.task, self.text).await {
                Ok(_) => None,
                Err(error) if error.is_credentials() => return Err(PostError::Refused(error)),
                Err(error) if error.reach() == Reach::DidNotAct => {
                    if attempt < SENDS {
                        say(&format!("the answer did not arrive, sending it again: {error}"));
                        tokio::time::sleep(error.retry_after().unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
                    }
                    last = Some(error);
                    continue;
                }
                Err(error) => Some(error),
            };
            // Conduit's own no is its last word on that call: nothing of it can arrive later.
            let said_no = error.as_ref().is_some_and(|error| matches!(error.kind, Failure::Refused { .. }));
            let settle_at = if said_no { sent_at } else { sent_at + self.settle };
            if let Some(found) = self.look(settle_at, error.as_ref(), &mut say).await? {
                return Ok(found);
            }
            match error {
                Some(error) if said_no => return Err(PostError::Refused(error)),
                error => last = error,
            }
        }
        Err(last.map_or(PostError::Vanished, PostError::NotThere))
    }

    /// Looks for the comment until it is found, or surely not there.
    async fn look(
        &self,
        settle_at: Instant,
        failed: Option<&ConduitError>,
        say: &mut impl FnMut(&str),
    ) -> Result<Option<TransactionId>, PostError> {
        let give_up_at = settle_at + self.limit;
        let mut told = false;
        loop {
            let begun = Instant::now();
            let read = self.client.within(self.limit).history_by(self.task, std::slice::from_ref(self.author)).await;
            match read {
                Ok(history) => {
                    if let Some(found) = self.find(&history) {
                        return Ok(Some(found));
                    }
                    if begun >= settle_at {
                        return Ok(None);
                    }
                }
                Err(error) if begun >= give_up_at => return Err(PostError::Unclear(error)),
                Err(_) => {}
            }
            if !told {
                let why = failed.map_or_else(|| "it is not on the task yet".to_owned(), ToString::to_string);
                say(&format!("looking whether the answer arrived, which may take up to a minute: {why}"));
                told = true;
            }
            let next = Instant::now() + POLL;
            // The look that settles it is made as soon as it can be.
            tokio::time::sleep_until(if begun < settle_at { next.min(settle_at) } else { next }).await;
        }
    }

    /// The comment among what its author did on the task.
    fn find(&self, history: &[Transaction]) -> Option<TransactionId> {
        let ours = |row: &&Transaction| {
            row.id > self.after && row.comments.iter().any(|version| version.text().trim() == self.text.trim())
        };
        history.iter().find(ours).map(|row| row.id)
    }
}
