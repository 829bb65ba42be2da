//! What is to be decided about a task, and for what.
//!
//! Responsible for the question as data. Not responsible for reading what answers it ([`super::gather`]).

use std::sync::Arc;

use crate::ids::TaskId;

/// What is to be decided, and what the deployer says about it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The task.
    pub task: TaskId,
    /// Who deploys, from `--deployer`.
    pub deployer: Option<String>,
    /// Who deploys, from the configuration's map of calling users.
    pub calling_user: Option<String>,
    /// Who can make the pipeline run which deploys, by the configuration: they are behind the deploy, whoever deploys.
    pub pipeline: Arc<[String]>,
    /// Approvals that the deployer names: the key of the team, the username, where it can be looked up.
    pub attestations: Vec<(String, String, Option<String>)>,
    /// What is asked for: whether who asks is about to deploy.
    pub purpose: Purpose,
    /// The accounts that the configuration of this host names as deployers.
    pub deployers: Arc<[String]>,
}

/// What a task is judged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Somebody reads how it stands, or answers: where nobody is named or stated to deploy, anybody may come to.
    Read,
    /// Who asks is about to deploy, or has deployed: it has to be known who that is.
    Deploy,
    /// A deploy of the past is audited: what was missing then cannot come any more, how this machine stands now is no matter,
    /// and that others say that they had started something else stops nothing.
    Audit,
}
