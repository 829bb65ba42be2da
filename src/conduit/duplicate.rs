//! In favour of which other task a task was closed.
//!
//! Responsible for asking for it. Not responsible for tasks otherwise ([`super::task`]).

use serde::Deserialize;
use serde_json::json;

use super::error::ConduitError;
use super::paging::Page;
use super::params;
use super::transport::{Client, Reply};
use crate::ids::{Phid, Task, TaskId};

impl Client {
    /// The task that this one was closed as a duplicate of, where this account is shown it (`edge.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn duplicate_of(&self, task: &Phid<Task>) -> Result<Option<TaskId>, ConduitError> {
        #[derive(Deserialize)]
        struct DuplicateEdge {
            #[serde(rename = "destinationPHID")]
            destination: Phid<Task>,
        }
        let asked = params(json!({"sourcePHIDs": [task], "types": ["task.duplicate"]}));
        let page: Reply<Page<DuplicateEdge>> = self.read("edge.search", &asked).await?;
        let Some(edge) = page.result.data.into_iter().next() else { return Ok(None) };
        let found = self.tasks_by_phid(&[edge.destination]).await?;
        Ok(found.result.first().map(|task| task.id))
    }
}
