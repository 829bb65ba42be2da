//! What `doctor` checks of the watch that asks people on IRC: whether its bot is in the channel now.
//!
//! Responsible for the check, a pure function of what the watch answers (`/healthz`). Not responsible for asking it, nor for how the bot would be on
//! the network from this machine ([`super::irc`]).

use super::irc::SHOWN;
use super::untried::{Untried, untried};
use super::{pass, warn};
use crate::rules::RuleOutcome;
use crate::text::shorten;

/// A watch that is configured, as it answers to whether it asks people on IRC.
#[derive(Debug)]
pub struct WatchRead {
    /// Where.
    pub url: String,
    /// The setting that names it.
    pub key: &'static str,
    /// The status of its answer, and whether it says that it asks (`None`: neither yes nor no); in words why no answer came.
    pub asks: Result<(u16, Option<bool>), String>,
}

/// Whether the watch that is to ask people is in its channel. `is_on_irc` says that IRC is configured here too, so that it should be.
pub(super) fn watch(read: &Result<WatchRead, Untried>, is_on_irc: bool) -> RuleOutcome {
    const NAME: &str = "irc:watch";
    let WatchRead { url, key, asks } = match read {
        Ok(read) => read,
        Err(why) => return untried(NAME, why),
    };
    match asks {
        Ok((_, Some(true))) => pass(NAME, format!("the watch at {url} is on IRC, and asks people in its channel")),
        Ok((_, Some(false))) if is_on_irc => warn(
            NAME,
            format!(
                "the watch at {url} runs, and its bot is in no channel, or may not speak there: nobody is asked on IRC"
            ),
            "look into its log, which says what keeps the bot out (`journalctl -u phabgate-serve`), and start it again where its settings were changed; until then ask in the channel yourself, with what `phabgate announce TASK` prints",
        ),
        Ok((_, Some(false))) => pass(
            NAME,
            format!(
                "the watch at {url} runs, and asks nobody on IRC: people are called by hand, with what `phabgate announce TASK` prints"
            ),
        ),
        Ok((status @ (200..=403 | 407), None)) => pass(
            NAME,
            format!(
                "whether the watch at {url} is on IRC is not shown: what stands there answers with the status {status}"
            ),
        ),
        Ok((status, None)) => warn(
            NAME,
            format!("no watch answers at {url} (the status {status}): whether people are asked on IRC is not known"),
            format!("look whether `{key}` names the watch, and at what stands before it"),
        ),
        Err(why) => warn(
            NAME,
            format!(
                "the watch at {url} does not answer ({}): nobody is asked on IRC while it is down",
                shorten(why, SHOWN)
            ),
            format!(
                "look whether it runs (`systemctl status phabgate-serve` on its host), and at `{key}`; until then ask in the channel yourself, with what `phabgate announce TASK` prints"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Outcome;

    #[test]
    fn whether_the_bot_of_the_watch_is_in_its_channel_is_said_with_what_to_do() {
        let of = |asks, is_on_irc| {
            watch(&Ok(WatchRead { url: "https://watch.example/".into(), key: "watch.url", asks }), is_on_irc)
        };
        let there = of(Ok((200, Some(true))), true);
        assert!(there.outcome == Outcome::Pass && there.message.contains("is on IRC"), "{there:?}");
        let out = of(Ok((200, Some(false))), true);
        assert!(out.outcome == Outcome::Warn && out.message.contains("its bot is in no channel"), "{out:?}");
        assert!(out.hint.unwrap().contains("`phabgate announce TASK`"));
        assert_eq!(of(Ok((200, Some(false))), false).outcome, Outcome::Pass, "perhaps it has none");
        assert_eq!(of(Ok((401, None)), true).outcome, Outcome::Pass, "behind a sign-in nobody says");
        assert_eq!(of(Ok((404, None)), true).outcome, Outcome::Warn);
        let away = of(Err("connection refused".into()), false);
        assert!(away.outcome == Outcome::Warn && away.hint.unwrap().contains("`watch.url`"));
    }
}
