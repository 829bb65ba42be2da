//! How it is known who approved a deploy, and who deploys.
//!
//! Responsible for the words for both, which evidence, rules and records share; as JSON they stand in every record. Not responsible for
//! what counts.

use serde::{Deserialize, Serialize};

/// Whether an approver said yes on the task, or somebody says that they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalKind {
    /// Written on the task by the approver.
    Verified,
    /// Said on IRC by the approver, and written on the task by a witness.
    Witnessed,
    /// Named by the deployer.
    Attested,
}

impl ApprovalKind {
    /// Whether it stands on the task, where it can be looked at again; else it is the deployer's word.
    pub fn is_on_task(self) -> bool {
        matches!(self, Self::Verified | Self::Witnessed)
    }
}

/// Where the name of a deployer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployerSource {
    /// `--deployer`.
    Flag,
    /// The owner of the token.
    Token,
    /// The account that the configuration maps the calling user to; of a pipeline, one that can make it run.
    CallingUser,
    /// The trailer `Emergency-Deployer` of the task.
    Task,
}
