//! Whether the bot is where it is to speak, for those who run the service.
//!
//! Responsible for saying in the log once what it is, and for the gauges of the metrics. Not responsible for the connection ([`crate::irc`]), which says
//! itself why it broke.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::irc::bot::{BotHandle, BotState, ConnectionState, LackedNick, WhyLacked};
use crate::serve::metrics::Metrics;
use crate::serve::watch::stopped;

/// How often it is looked.
const TICK: Duration = Duration::from_secs(1);
/// How long it may take to get there, before that is said.
const SOON: Duration = Duration::from_secs(20);

/// Why the bot cannot do all that it is there for, in words; `None` where it can.
fn hindrance(state: &BotState) -> Option<String> {
    let outside: Vec<String> = state
        .channels
        .iter()
        .filter(|channel| !channel.is_joined)
        .map(|channel| match &channel.why_not {
            Some(why) => format!("it is not in {}: {}", channel.name, crate::text::inert(why)),
            None => format!("it is not in {}", channel.name),
        })
        .collect();
    if !outside.is_empty() || state.channels.is_empty() {
        let nowhere = || "it is in no channel".to_owned();
        return Some(if outside.is_empty() { nowhere() } else { outside.join("; ") });
    }
    if let Some(why) = &state.login_refused {
        return Some(format!("it is logged in with no account: {}", crate::text::inert(why)));
    }
    (!state.services).then(|| match &state.no_service {
        Some(server) => format!(
            "who has the nick NickServ, on {}, is no service as the network says: nobody's yes counts",
            crate::text::inert(server)
        ),
        None => "the services do not answer: nobody's yes counts".to_owned(),
    })
}

/// What is to be logged of the nick of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NickReport {
    /// The bot has another.
    Lacked(String),
    /// The bot has it again.
    Back(String),
}

/// What changed since it was looked last, when it `lacked` its nick or not. While the bot is not on the network nothing does.
fn nick_report(state: &BotState, lacked: &mut bool) -> Option<NickReport> {
    let lacks = match &state.connection {
        ConnectionState::Registered => state.lacked_nick.is_some(),
        _ => *lacked,
    };
    if lacks == std::mem::replace(lacked, lacks) {
        return None;
    }
    let works = format!("the bot works as {}", crate::text::inert(&state.nick));
    Some(match &state.lacked_nick {
        Some(LackedNick { nick, why: WhyLacked::Taken }) => NickReport::Lacked(format!(
            "somebody else has the nick {nick}, and {works}: under that nick anybody can write what looks like its answers; \
             believe the link of an answer, or the account of who wrote it"
        )),
        Some(LackedNick { nick, why: WhyLacked::Refused(words) }) => NickReport::Lacked(format!(
            "the network refuses the nick {nick} ({}), and {works}: set `irc.nick` to one that it takes",
            crate::text::inert(words)
        )),
        Some(LackedNick { nick, why: WhyLacked::Renamed }) => NickReport::Lacked(format!(
            "the network gave the bot another nick than {nick}, and {works}: set `irc.nick` to one that the network does not cut, \
             and that the services keep for `irc.account`"
        )),
        None => NickReport::Back(format!("the bot has its nick {} back", state.nick)),
    })
}

/// Says how the bot is as that changes, until it is stopped. People are asked in this channel.
pub(super) async fn report(bot: BotHandle, channel: &str, metrics: &Metrics, stop: watch::Receiver<bool>) {
    let mut since = Instant::now();
    let mut said: Option<Option<String>> = None;
    let mut last: Option<String> = Some(String::new());
    let mut lacks_nick = false;
    loop {
        let state = bot.state();
        match nick_report(&state, &mut lacks_nick) {
            Some(NickReport::Lacked(what)) => tracing::warn!("IRC: {what}"),
            Some(NickReport::Back(what)) => tracing::info!("IRC: {what}"),
            None => {}
        }
        metrics.irc_lacks_nick.store(lacks_nick, Ordering::Relaxed);
        let now = hindrance(&state);
        metrics.set_irc(!state.channels.is_empty() && state.channels.iter().all(|channel| channel.is_joined));
        metrics.irc_hears.store(state.is_in(channel), Ordering::Relaxed);
        metrics.irc_lacks_account.store(state.login_refused.is_some(), Ordering::Relaxed);
        if now != last {
            (since, last) = (Instant::now(), now.clone());
        }
        let is_settled = now.is_none() || since.elapsed() >= SOON;
        if is_settled && said.as_ref() != Some(&now) {
            match &now {
                None => {
                    let account = state.account.as_deref().map(|account| format!(", logged in as {account}"));
                    let channels: Vec<&str> = state.channels.iter().map(|channel| channel.name.as_str()).collect();
                    tracing::info!("IRC: {} is in {}{}", state.nick, channels.join(", "), account.unwrap_or_default());
                }
                Some(why) => tracing::warn!("IRC: {why}"),
            }
            said = Some(now);
        }
        tokio::select! {
            biased;
            () = stopped(stop.clone()) => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::bot::ChannelState;

    #[test]
    fn a_nick_that_somebody_else_has_is_named_once_with_what_follows_and_again_when_it_is_back() {
        let on = |nick: &str, why: Option<WhyLacked>| BotState {
            connection: ConnectionState::Registered,
            nick: nick.into(),
            lacked_nick: why.map(|why| LackedNick { nick: "phabgate".into(), why }),
            ..BotState::default()
        };
        let mut lacked = false;
        assert_eq!(nick_report(&on("phabgate", None), &mut lacked), None);
        let taken = on("phabgate_", Some(WhyLacked::Taken));
        let Some(NickReport::Lacked(what)) = nick_report(&taken, &mut lacked) else { panic!() };
        assert!(what.starts_with("somebody else has the nick phabgate, and the bot works as phabgate_"), "{what}");
        assert!(what.contains("anybody can write what looks like its answers"), "{what}");
        assert_eq!((nick_report(&taken, &mut lacked), lacked), (None, true));
        // A connection that is lost gives no nick back.
        assert_eq!(nick_report(&BotState::default(), &mut lacked), None);
        let back = NickReport::Back("the bot has its nick phabgate back".into());
        assert_eq!((nick_report(&on("phabgate", None), &mut lacked), lacked), (Some(back), false));
        let said = |why| match nick_report(&on("phabg", Some(why)), &mut false) {
            Some(NickReport::Lacked(what)) => what,
            other => panic!("{other:?}"),
        };
        let refused = said(WhyLacked::Refused("held\u{3}".into()));
        assert!(
            refused.starts_with("the network refuses the nick phabgate (held\\u{3}), and the bot works as phabg: set")
        );
        assert!(
            said(WhyLacked::Renamed)
                .starts_with("the network gave the bot another nick than phabgate, and the bot works")
        );
    }

    #[test]
    fn what_keeps_the_bot_from_its_work_is_named() {
        let channel = |is_joined, why: Option<&str>| {
            let mut channel = ChannelState::outside("#ops", why);
            channel.is_joined = is_joined;
            channel
        };
        let mut state = BotState { services: true, channels: vec![channel(true, None)], ..BotState::default() };
        assert_eq!(hindrance(&state), None);
        state.services = false;
        assert_eq!(hindrance(&state).unwrap(), "the services do not answer: nobody's yes counts");
        state.no_service = Some("irc.example\u{3}".into());
        assert_eq!(
            hindrance(&state).unwrap(),
            "who has the nick NickServ, on irc.example\\u{3}, is no service as the network says: nobody's yes counts"
        );
        state.login_refused = Some("wrong\u{3}password".into());
        assert_eq!(hindrance(&state).unwrap(), "it is logged in with no account: wrong\\u{3}password");
        state.channels = vec![channel(false, Some("Cannot join channel (+i)"))];
        assert_eq!(hindrance(&state).unwrap(), "it is not in #ops: Cannot join channel (+i)");
        assert_eq!(hindrance(&BotState::default()).unwrap(), "it is in no channel");
    }
}
