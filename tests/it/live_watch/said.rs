//! The notices that a watch left on tasks.
//!
//! Responsible for reading all of them and for what must not be: one that is there twice, and more than an episode or a task may have.

use std::collections::{BTreeMap, BTreeSet};

use phabgate::notice::{NoticeKey, NoticeKind, parse};

use crate::live_server::Live;

/// How many notices an episode has at most.
const EPISODE: usize = 5;
/// How many a task has in a day at most.
const DAY: usize = 10;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) kinds: BTreeMap<NoticeKind, usize>,
    pub(super) doubled: Vec<String>,
    pub(super) over_budget: Vec<String>,
}

/// Reads the notices of these tasks, none of which is older than a day.
pub(super) fn said(live: &Live, tasks: impl Iterator<Item = u64>) -> Said {
    let mut said = Said::default();
    for task in tasks {
        let rows = live.transactions(task);
        let texts = rows.iter().filter_map(|row| row["comments"][0]["content"]["raw"].as_str());
        let notices: Vec<_> = texts.filter_map(parse).collect();
        let mut keys: BTreeSet<NoticeKey> = BTreeSet::new();
        let mut episodes = BTreeMap::<_, usize>::new();
        let mut stores = BTreeSet::new();
        for notice in &notices {
            *said.kinds.entry(notice.kind).or_default() += 1;
            *episodes.entry(notice.episode).or_default() += 1;
            stores.insert((notice.episode, notice.store.as_str().to_owned()));
            if !keys.insert(notice.key()) {
                said.doubled.push(notice.key().to_string());
            }
        }
        if stores.len() > episodes.len() {
            said.doubled.push(format!("T{task}: an episode has notices of two stores"));
        }
        let over = episodes.into_iter().filter(|(_, count)| *count > EPISODE);
        said.over_budget.extend(over.map(|(episode, count)| format!("T{task}, episode {episode}: {count} notices")));
        if notices.len() > DAY {
            said.over_budget.push(format!("T{task}: {} notices in a day", notices.len()));
        }
    }
    said
}
