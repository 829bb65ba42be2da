//! As which version of the server the sandbox answers.
//!
//! Responsible for what each version returns, takes and calls its errors, as it was recorded of each. Not for the
//! answers themselves ([`super::methods`]), which ask here.

use std::fmt;
use std::str::FromStr;

/// A version of the server, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Like {
    /// Phabricator of June 2018, which shows neither who added which project nor who made the task.
    Release2018_25,
    /// Phabricator of June 2019, which has no transactions in bulk.
    Release2019_25,
    /// Phorge's release of June 2026, which does not show what became of custom fields.
    Release2026_27,
    /// Phorge's master of August 2026.
    #[default]
    Master,
}

/// Types of transactions that are returned since master, and since June 2019.
const SINCE_MASTER: &[&str] = &["core:customfield", "core:view-policy", "core:edit-policy", "core:space"];
const SINCE_2019: &[&str] = &["create", "projects", "subscribers"];

impl Like {
    /// All versions, the oldest first.
    pub const ALL: [Self; 4] = [Self::Release2018_25, Self::Release2019_25, Self::Release2026_27, Self::Master];

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release2018_25 => "2018.25",
            Self::Release2019_25 => "2019.25",
            Self::Release2026_27 => "2026.27",
            Self::Master => "master",
        }
    }

    /// Whether `transaction.search` returns transactions of this type; where it does not, their type is null.
    pub(crate) fn returns(self, kind: &str) -> bool {
        match self {
            Self::Master => true,
            Self::Release2026_27 | Self::Release2019_25 => !SINCE_MASTER.contains(&kind),
            Self::Release2018_25 => !SINCE_MASTER.contains(&kind) && !SINCE_2019.contains(&kind),
        }
    }

    /// Whether `transaction.search` takes `objectType`, and so returns transactions in bulk.
    pub(crate) fn has_bulk(self) -> bool {
        self >= Self::Release2026_27
    }

    /// Whether `transaction.search` shows what was submitted together.
    pub(crate) fn has_groups(self) -> bool {
        self >= Self::Release2019_25
    }

    /// Whether `transaction.search` takes `constraints.authorPHIDs`.
    pub(crate) fn takes_authors(self) -> bool {
        self >= Self::Release2019_25
    }

    /// Whether `project.search` returns and takes the status of projects, and hides archived ones where none is asked
    /// for.
    pub(crate) fn has_project_status(self) -> bool {
        self >= Self::Release2026_27
    }

    /// Whether projects have a subtype and a Space.
    pub(crate) fn has_project_subtype(self) -> bool {
        self >= Self::Release2019_25
    }

    /// Whether tasks show the project that they are grouped by.
    pub(crate) fn has_task_group(self) -> bool {
        self >= Self::Release2026_27
    }

    /// Whether the priority of tasks has a part for sorting.
    pub(crate) fn has_subpriority(self) -> bool {
        self == Self::Release2018_25
    }

    /// Whether `maniphest.gettasktransactions` shows what a change is about: the title, and the metadata with the
    /// field's key, the kind of relation and the group.
    pub(crate) fn has_metadata(self) -> bool {
        self >= Self::Release2026_27
    }

    /// Whether bad parameters have error codes of their own; before, all are `ERR-CONDUIT-CORE`.
    pub(crate) fn has_own_codes(self) -> bool {
        self >= Self::Release2026_27
    }
}

impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox does not answer like {0:?}: the versions are master, 2026.27, 2019.25 and 2018.25")]
pub struct LikeError(String);

impl FromStr for Like {
    type Err = LikeError;

    fn from_str(text: &str) -> Result<Self, LikeError> {
        Self::ALL.into_iter().find(|like| like.name() == text).ok_or_else(|| LikeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_reads_back_and_no_other_does() {
        for like in Like::ALL {
            assert_eq!(like.to_string().parse(), Ok(like));
        }
        assert_eq!("2020.1".parse::<Like>(), Err(LikeError("2020.1".to_owned())));
        assert_eq!(Like::default(), Like::Master);
    }

    #[test]
    fn an_older_version_returns_no_more_than_a_newer_one() {
        for kind in SINCE_MASTER.iter().chain(SINCE_2019).chain(&["comment", "title", "status", "mergedinto"]) {
            let returned: Vec<bool> = Like::ALL.map(|like| like.returns(kind)).to_vec();
            assert!(returned.is_sorted(), "{kind}: {returned:?}");
        }
    }
}
