//! Since when accounts of the network's services are registered, as the services say.
//!
//! Responsible for asking once for all that wait for the same account, and not again at once: the bot says one line in two seconds, and who writes
//! many lines must not have others wait. Not responsible for what follows from the answer ([`super::listener`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::irc::bot::{BotHandle, Info};

/// How long it may take until the services answered, with the wait for others: who waits is answered within 15 s.
const WITHIN: Duration = Duration::from_secs(8);

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(30);

type Known = Arc<tokio::sync::Mutex<Option<(Instant, Info)>>>;

/// What the services said of the accounts that are listed.
#[derive(Debug)]
pub(super) struct Registered {
    bot: BotHandle,
    known: Mutex<BTreeMap<String, Known>>,
}

impl Registered {
    /// As this bot asks.
    pub(super) fn new(bot: BotHandle) -> Self {
        Self { bot, known: Mutex::default() }
    }

    /// What the services say of a listed account, which is named as the list names it.
    pub(super) async fn of(&self, listed: &str) -> Info {
        timeout(WITHIN, self.ask(listed)).await.unwrap_or(Info::Silent)
    }

    async fn ask(&self, listed: &str) -> Info {
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(listed.to_owned()).or_default())
        };
        let mut known = known.lock().await;
        if let Some((_, info)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return info.clone();
        }
        let info = self.bot.info(listed).await;
        let is_answer = !matches!(info, Info::Silent | Info::NoService { .. } | Info::Unclear { .. });
        *known = is_answer.then(|| (Instant::now(), info.clone()));
        info
    }
}
