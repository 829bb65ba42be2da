//! Who can type the `run` that a screen names, and with which `--deployer`.
//!
//! Responsible for that alone, as a function of what was read and by whom. Not responsible for when a screen names one (see
//! [`super::next`]), nor for whether the deploy is allowed.

use crate::evidence::{Candidate, bare};
use crate::gate::{Assessment, Invocation};
use crate::rules::Decision;
use crate::text::inert;

/// What stands for a name that is not known.
const NAME: &str = "NAME";

/// Who can type `run` as a screen names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MayRun {
    /// Who reads it, where nothing says that they cannot; with this account in `--deployer`, where nothing else says who deploys.
    Reader { names: Option<String> },
    /// Somebody else: this account, where it is known.
    SomebodyElse(Option<String>),
}

impl MayRun {
    /// Who it is for a task that was read; `is_named` says that the command names the deployer already.
    pub(super) fn of(assessment: &Assessment, is_named: bool, invocation: Invocation) -> Self {
        let Some(evidence) = assessment.evidence() else { return Self::Reader { names: None } };
        let deployer = evidence.candidates.first();
        let known = || deployer.and_then(account).or_else(|| stated(assessment));
        let is_deployer = |asker: &Candidate| deployer.is_none_or(|known| known.name.eq_ignore_ascii_case(&asker.name));
        if evidence.asker.is_empty() {
            // Under sudo the caller has to be mapped, and no option makes up for that.
            return match invocation {
                Invocation::Sudo => Self::SomebodyElse(known()),
                _ if is_named => Self::Reader { names: None },
                _ => Self::Reader { names: Some(known().unwrap_or_else(|| NAME.to_owned())) },
            };
        }
        let may = match &assessment.asker {
            Some(asker) => matches!(asker.verdict.decision, Decision::Allowed(_)),
            None => evidence.asker.iter().all(is_deployer),
        };
        if may { Self::Reader { names: None } } else { Self::SomebodyElse(known()) }
    }
}

/// The name of an account, fit to be shown. What no account bears is a text of the task.
fn account(candidate: &Candidate) -> Option<String> {
    candidate.account.as_ref().map(|account| inert(&account.username))
}

/// The deployer that the task states, where an account bears the name.
fn stated(assessment: &Assessment) -> Option<String> {
    let stated = assessment.state()?.deployer.as_ref()?;
    let account = assessment.evidence()?.account_named(bare(&stated.value))?;
    Some(inert(&account.username))
}
