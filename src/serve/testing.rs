//! An open emergency as the watch knows it, of a history, for tests.

use crate::evidence::testing::History;
use crate::gate::{Invocation, Task};
use crate::rules::{Intent, Texts};
use crate::serve::audience::Audience;
use crate::serve::board::{PeopleMark, Speaks, VerdictDigest, WatchedTask};
use crate::serve::deploys::deploys;
use crate::serve::episode::Episode;
use crate::view::VerdictSubject;

/// The address of the task.
pub(super) const URL: &str = "https://phab.example/T1";

/// The emergency of a history, which is open; of paging nothing is known.
pub(super) fn watched(history: &History) -> WatchedTask {
    let policy = &history.policy;
    let (task, verdict) = Task::judged(history.evidence(), policy, &Intent::default(), None, Texts::Hidden);
    let (evidence, state) = (&task.evidence, &task.state);
    let episode = Episode::current(evidence, state).unwrap();
    let subject = VerdictSubject::of_task(&task, policy, URL.into(), Texts::Hidden);
    let audience = Audience::of(evidence, policy);
    WatchedTask {
        people: PeopleMark::of_evidence(evidence).into(),
        task: evidence.task.id,
        phid: evidence.task.phid.clone(),
        sequence: 7,
        digest: VerdictDigest::of(evidence.task.id, &subject, &verdict, policy),
        audience,
        code: state.code.filter(|_| audience != Audience::Restricted),
        episode,
        due: None,
        deploys: deploys(evidence, policy, subject.title.is_some()),
        subject: VerdictSubject { invocation: Invocation::Plain, ..subject },
        verdict,
        read_at: evidence.now,
        modified: evidence.task.modified,
        comments: [].into(),
        comments_read_at: evidence.now,
        underway: false,
        speaks: Speaks::Yes,
        paging: Default::default(),
    }
}
