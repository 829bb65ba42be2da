//! What `doctor` says of a check that is not made: it is listed with the reason, and never left out.
//!
//! Responsible for the reasons and their words. Not responsible for whether something can be tried.

use super::irc::SHOWN;
use super::{fail, warn};
use crate::rules::RuleOutcome;
use crate::text::shorten;

/// Why something is not tried.
#[derive(Debug)]
pub enum Untried {
    /// Whoever asks may not read a secret of the service, and why.
    NotTheirs(String),
    /// It is set up with what cannot be used: why, and what to do.
    Unusable(String, Option<String>),
    /// The sandbox is looked at, and why it is not tried then.
    InSandbox(&'static str),
    /// Another server is asked than that of the configuration, whose token it is.
    OtherServer,
}

impl Untried {
    /// Why nothing beyond this machine is tried with the sandbox.
    pub const ELSEWHERE: Self = Self::InSandbox("with --sandbox nothing but this machine is contacted");
}

/// The check of this name, which is not made.
pub(super) fn untried(name: &str, why: &Untried) -> RuleOutcome {
    match why {
        Untried::NotTheirs(why) => warn(
            name,
            format!("not tried: {}", shorten(why, SHOWN)),
            "type it as the user of the service, who alone reads its secrets",
        ),
        Untried::Unusable(why, hint) => {
            let hint = hint.clone().unwrap_or_else(|| "look at the table [irc] of the configuration".to_owned());
            fail(name, shorten(why, SHOWN), hint)
        }
        Untried::InSandbox(why) => warn(
            name,
            format!("not checked: {why}"),
            "leave --sandbox out to have it checked; nothing else is to be done",
        ),
        Untried::OtherServer => warn(
            name,
            "not checked: its token is sent to the server of the configuration alone, and another is asked",
            "leave --url or PHABGATE_URL out to have it checked",
        ),
    }
}
