//! An open emergency as the watch knows it, of a history, and a service over it, for tests.

use std::path::PathBuf;
use std::time::Duration;

use crate::conduit::{Client, Route, Timeouts};
use crate::config::of_text;
use crate::evidence::testing::History;
use crate::gate::system_log::NoLog;
use crate::gate::{Clock, Invocation, Task};
use crate::host::Caller;
use crate::paging::{Issuer, Pagers};
use crate::rules::{Intent, JudgedTask, Texts};
use crate::serve::audience::Audience;
use crate::serve::board::{PeopleMark, Speaks, VerdictDigest, WatchedTask};
use crate::serve::channel::ChannelFacts;
use crate::serve::deploys::deploys;
use crate::serve::episode::Episode;
use crate::serve::site::{Secrets, Site};
use crate::view::VerdictSubject;

/// The address of the task.
pub(super) const URL: &str = "https://phab.example/T1";

/// The emergency of a history, which is open; of paging nothing is known.
pub(super) fn watched(history: &History) -> WatchedTask {
    let policy = &history.policy;
    let (task, verdict) = Task::judged(history.evidence(), policy, &Intent::default(), None, Texts::Hidden);
    let (evidence, state) = (&task.evidence, &task.state);
    let episode = Episode::current(evidence, state).unwrap();
    let channel = ChannelFacts::of(JudgedTask { evidence, state, verdict: &verdict }, &episode, policy).into();
    let subject = VerdictSubject::of_task(&task, policy, URL.into(), Texts::Hidden);
    let audience = Audience::of(evidence, policy);
    WatchedTask {
        people: PeopleMark::of_evidence(evidence).into(),
        task: evidence.task.id,
        phid: evidence.task.phid.clone(),
        sequence: 7,
        digest: VerdictDigest::of(evidence.task.id, &subject, &verdict, policy),
        audience,
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
        channel,
    }
}

/// A service that never asks its server, which nobody is.
pub(super) fn site(history: &History, state: PathBuf) -> Site {
    let settings = of_text("url = \"http://127.0.0.1:9/\"").unwrap();
    let server = settings.url.clone().unwrap();
    let issuer = Issuer { site: "phab.example".into(), policy: history.policy.digest().to_string() };
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { connect: second, call: second };
    Site {
        client: Client::new(&server, None, timeouts, &Route::default()).unwrap(),
        policy: history.policy.clone(),
        pagers: Pagers::new(&settings.paging, issuer, None, second, &Route::default()).unwrap(),
        server,
        state,
        limit: second,
        record: settings.record,
        caller: Caller { uid: 0, login: None },
        clock: Clock::Compared,
        invocation: Invocation::Plain,
        log: Box::new(NoLog),
        deployers: vec![],
        serve: settings.serve,
        paging: settings.paging,
        contact: settings.contact,
        irc: settings.irc,
        secrets: Secrets::default(),
    }
}
