//! The report of an audit: what people, spreadsheets, monitors and programs read of it.
//!
//! Responsible for what a report is made of. Beside it: what of an audited task it shows ([`entry`]), the figures of
//! all of them ([`figures`]), and one file a form. All forms are pure functions of these. A form takes the tasks one
//! after the other and keeps none, so that it needs no more memory for a long history. Not responsible for what is
//! found fault with ([`crate::audit`]).

pub mod csv;
pub mod entry;
pub mod figures;
pub mod html;
pub mod json;
pub mod prometheus;
pub mod run;
pub mod scope;
pub mod spool;
pub mod text;

use std::io;

use jiff::Timestamp;
use url::Url;

use crate::audit::population::Population;
use crate::audit::unread::Unread;
use crate::audit::{Finding, Severity};
use crate::ids::{TaskId, TransactionId};
use crate::policy::Policy;
use crate::text::inert;
use crate::time::utc;
use entry::TaskEntry;
use figures::Figures;

/// What every report has to say of what it does not know.
pub const LIMITS: &str = "Members of the teams are those of now, and of then as far as an earlier audit saw them or a \
     recorder wrote them down. A tag that was taken off a task without a record, and a task that this account is not shown, \
     are known only where an earlier audit saw them.";

/// The audited tasks of a report, wherever they are kept.
pub trait Entries {
    /// Hands out the tasks, one after the other, always in the same order; with the details of their deploys where those
    /// are kept.
    ///
    /// # Errors
    /// Where they cannot be read, or `each` fails.
    fn visit(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()>;

    /// The same, of those alone on which something was found.
    ///
    /// # Errors
    /// As [`Entries::visit`].
    fn visit_found(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        self.visit(&mut |task| if task.findings.is_empty() { Ok(()) } else { each(task) })
    }
}

impl Entries for Vec<TaskEntry> {
    fn visit(&self, each: &mut dyn FnMut(&TaskEntry) -> io::Result<()>) -> io::Result<()> {
        self.iter().try_for_each(each)
    }
}

/// What an audit came to.
pub struct Report<'a> {
    /// The server.
    pub base: &'a Url,
    /// By what was judged.
    pub policy: &'a Policy,
    /// The time of the evidence, by the server's clock: when the audit began, or the mirror was last brought up to date.
    pub now: Timestamp,
    /// Only the mirror was asked, not the server.
    pub offline: bool,
    /// How large the population is, and how much of it was seen.
    pub population: &'a Population,
    /// Tasks that could not be read.
    pub unread: &'a [Unread],
    /// What was found that is about no task that could be judged.
    pub general: &'a [Finding],
    /// Of the tasks that this account is not shown, those that somebody looked at: the report is complete without them.
    pub settled: usize,
    /// Only what happened from then on.
    pub since: Option<Timestamp>,
    /// Only what happened before then.
    pub until: Option<Timestamp>,
    /// Only deploys for this category of reason.
    pub reason: Option<&'a str>,
    /// When the newest deploy was of those that are known, whenever that was; for the category that is asked about.
    pub newest_deploy: Option<Timestamp>,
    /// The figures of the tasks.
    pub figures: &'a Figures,
    /// The tasks.
    pub tasks: &'a dyn Entries,
}

/// How an audit came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Not all could be read.
    Incomplete,
    /// Something was found; the worst of it is as bad as this.
    Findings(Severity),
    /// Nothing was deployed: there is nothing that could comply.
    NoDeploys,
    /// There are deploys, and nothing was found.
    Compliant,
}

impl AuditOutcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Findings(_) => "findings",
            Self::NoDeploys => "no-deploys",
            Self::Compliant => "compliant",
        }
    }
}

impl Report<'_> {
    /// How it came out.
    pub fn outcome(&self) -> AuditOutcome {
        match (self.is_complete(), self.worst()) {
            (false, _) => AuditOutcome::Incomplete,
            (true, Some(worst)) => AuditOutcome::Findings(worst),
            (true, None) if self.figures.all_deploys() == 0 => AuditOutcome::NoDeploys,
            (true, None) => AuditOutcome::Compliant,
        }
    }

    /// That there is no deploy, in words, and when the newest one was.
    pub fn no_deploys(&self) -> String {
        let reason = self.reason.map(|reason| format!(" for {}", inert(reason))).unwrap_or_default();
        let is_all = self.since.is_none() && self.until.is_none();
        match self.newest_deploy.filter(|_| !is_all) {
            Some(newest) => format!("no deploy{reason} was in this period; the newest one was at {}", utc(newest)),
            None if is_all => format!("no deploy{reason} is on record"),
            None => format!("no deploy{reason} was in this period, and none is on record"),
        }
    }

    /// Whether every task of the population could be read and judged.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.unseen() == 0
    }

    /// How many tasks this account is not shown that nobody looked at.
    pub fn unseen(&self) -> usize {
        self.population.unseen.saturating_sub(self.settled)
    }

    /// The severity of the worst finding; `None` where there is none.
    pub fn worst(&self) -> Option<Severity> {
        self.figures.worst()
    }

    /// Where what a finding is about can be looked at.
    pub fn url_of(&self, finding: &Finding) -> String {
        match finding.task {
            Some(task) => self.url(task, finding.transaction),
            None => self.base.to_string(),
        }
    }

    /// Where a transaction can be looked at; the task where none shows it.
    pub fn url(&self, task: TaskId, transaction: Option<TransactionId>) -> String {
        match transaction {
            Some(transaction) => format!("{}#{transaction}", task.url(self.base)),
            None => task.url(self.base),
        }
    }
}
