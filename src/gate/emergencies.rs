//! The open emergencies, and where each stands.
//!
//! Responsible for which tasks these are, and for judging each as `check` does. Not responsible for how they are shown.

use futures_util::{StreamExt, stream};

use super::{Assessment, Assessor, Context, Refusal, RefusalKind};
use crate::evidence::Question;
use crate::ids::TaskId;
use crate::rules::Intent;

/// How many emergencies are judged at most, the newest first.
pub const MOST: usize = 50;
/// How many of them are read at once.
const AT_ONCE: usize = 4;

/// The open emergencies.
#[derive(Debug)]
pub struct OpenEmergencies {
    /// Each, judged; the newest task first.
    pub tasks: Vec<Assessment>,
    /// How many more there are, which were not read.
    pub left_out: usize,
}

/// Reads and judges every open task that carries the tag. `question` asks about a task as who reads does.
///
/// # Errors
/// Where the server gives no usable answer about the tag and its tasks. A task that cannot be read is an undecided verdict.
pub async fn open_emergencies(
    context: &Context<'_>,
    question: impl Fn(TaskId) -> Question,
) -> Result<OpenEmergencies, Refusal> {
    let client = context.timed_client();
    let tag = context.policy.tag.as_str();
    let slugs = [tag];
    let (projects, statuses) = tokio::join!(client.projects_by_slug(&slugs), client.statuses());
    let projects = projects?;
    // An empty list of the tasks of no project would look like a quiet night.
    let Some(project) = projects.of(tag) else {
        return Err(Refusal {
            kind: RefusalKind::Incomplete,
            message: format!("the server knows no project #{tag}, or does not show it to this account"),
            hint: Some("check `policy.tag` in the configuration, and that the project is visible".into()),
        });
    };
    let open: Vec<String> = statuses?.into_iter().filter(|status| !status.closed).map(|status| status.value).collect();
    let mut numbers: Vec<TaskId> =
        client.tasks_of(&project.phid, &open).await?.into_iter().map(|task| task.id).collect();
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    numbers.dedup();
    let left_out = numbers.len().saturating_sub(MOST);
    numbers.truncate(MOST);
    let assessor = Assessor::new(*context);
    let (question, intent) = (&question, &Intent::default());
    let assess = |number: TaskId| async move { assessor.assess(&question(number), intent).await };
    let tasks = stream::iter(numbers).map(assess).buffered(AT_ONCE).collect().await;
    Ok(OpenEmergencies { tasks, left_out })
}
