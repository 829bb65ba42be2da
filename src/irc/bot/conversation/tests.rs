//! What a connection answers, without one: messages in, lines out, and the time as it is said.

mod services;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::Conversation;
use crate::irc::Draft;
use crate::irc::bot::heard_queue::{HeardQueue, Receiver};
use crate::irc::bot::hearing::WhyNot;
use crate::irc::bot::mailbox::{Info, Mailbox, MakeLine, NotSaid, Outcome, PendingInfo, Target};
use crate::irc::bot::rank::{Finality, Rank};
use crate::irc::bot::settings::{BotSettings, Login};
use crate::irc::bot::state::{BotState, ConnectionState, LackedNick, WhyLacked};
use crate::irc::wire::Message;

const CAPABILITIES: &str = "account-tag cap-notify echo-message message-tags server-time";

/// A conversation and the one who plays the server.
struct Play {
    conversation: Conversation,
    mailbox: Arc<Mailbox>,
    heard: Receiver,
    now: Instant,
    /// What was sent and not looked at.
    sent: Vec<String>,
}

/// Who has the nick of NickServ, as the network shows them.
const SERVICE: &str = "NickServ services";
const STRANGER: &str = "NickServ 203.0.113.1";

/// What the network answers to who has the nick.
fn whois(who: &str) -> Vec<String> {
    let mut replies = vec![format!("311 phabgate NickServ {who} * :is a Network Service")];
    match who == SERVICE {
        true => {
            replies.extend(["312 phabgate NickServ services :x".into(), "313 phabgate NickServ :is a Service".into()]);
        }
        false => replies.push("312 phabgate NickServ irc :Network Service".into()),
    }
    replies.push("318 phabgate NickServ :End of /WHOIS list.".into());
    replies.into_iter().map(|reply| format!(":irc {reply}")).collect()
}

impl Play {
    fn with(login: Login) -> Self {
        let settings = BotSettings::new("irc.example:6697".parse().unwrap(), "phabgate", &["#ops".to_owned()]).unwrap();
        let settings = Arc::new(settings.logged_in(login).unwrap());
        let (mailbox, heard) = (Arc::<Mailbox>::default(), Arc::<HeardQueue>::default());
        let now = Instant::now();
        let conversation = Conversation::new(settings, Arc::clone(&mailbox), Arc::clone(&heard), now);
        Self { conversation, mailbox, heard: Receiver::new(heard), now, sent: Vec::new() }
    }

    fn new() -> Self {
        Self::with(Login::default())
    }

    fn with_account() -> Self {
        let password = Some(SecretString::from("correct-horse"));
        Self::with(Login { account: Some("phabgate".into()), password, certificate: None })
    }

    /// On the network, in the channel, with NickServ there.
    fn in_channel() -> Self {
        let mut play = Self::new();
        play.output();
        play.hear(&format!(":irc CAP * LS :{CAPABILITIES}"));
        play.hear(&format!(":irc CAP * ACK :{CAPABILITIES}"));
        play.welcome();
        play.hear("@time=2026-11-28T07:00:00.000Z :phabgate!p@h JOIN #ops");
        play.hear(":irc 353 phabgate = #ops :phabgate @sre1");
        play.nickserv("phabgate is not registered.");
        play.pass(2);
        play.output();
        play
    }

    fn welcome(&mut self) {
        self.hear(":irc 001 phabgate :Welcome");
        self.hear(":irc 005 phabgate CASEMAPPING=ascii BOT=B STATUSMSG=@ :are supported by this server");
        self.hear(":irc 422 phabgate :no message of the day");
        self.pass(0);
    }

    fn hear(&mut self, line: &str) {
        self.conversation.receive(&Message::parse(line.as_bytes()).unwrap(), self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.conversation.tick(self.now);
    }

    fn output(&mut self) -> Vec<String> {
        self.sent.extend(self.conversation.take_output().split_terminator("\r\n").map(str::to_owned));
        std::mem::take(&mut self.sent)
    }

    /// Whoever has the nick of NickServ says something to the bot.
    fn nickserv_of(&mut self, who: &str, text: &str) {
        self.hear(&format!(":NickServ!{} NOTICE phabgate :{text}", who.replace(' ', "@")));
    }

    /// NickServ does, and the network vouches for it where it is asked to.
    fn nickserv(&mut self, text: &str) {
        self.nickserv_of(SERVICE, text);
        self.shows(SERVICE);
    }

    /// The network says who has the nick of NickServ, where it was asked.
    fn shows(&mut self, who: &str) {
        let output = self.output();
        let (asked, rest): (Vec<_>, _) = output.into_iter().partition(|line| line == "WHOIS NickServ");
        self.sent = rest;
        for reply in asked.iter().flat_map(|_| whois(who)) {
            self.hear(&reply);
        }
    }

    /// Asks about an account.
    fn ask(&self, account: &str) -> oneshot::Receiver<Info> {
        let (answer, answered) = oneshot::channel();
        let deadline = self.now + Duration::from_secs(20);
        self.mailbox.add_info(PendingInfo { account: account.into(), deadline, answer });
        answered
    }

    fn state(&self) -> BotState {
        self.conversation.state(self.now)
    }

    /// Hands a line to the mailbox, whose answer comes to what is returned.
    fn say(&self, target: Target, text: &str) -> oneshot::Receiver<Outcome> {
        let (answer, answered) = oneshot::channel();
        let line = Draft::about_none().words(text).finish();
        let line = MakeLine::new(|| Some(line));
        self.mailbox
            .add_line(target, line, (Rank::News, Finality::Other), self.now + Duration::from_secs(60), answer)
            .unwrap();
        answered
    }
}

fn ops() -> Target {
    Target::channel("#ops").unwrap()
}

#[test]
fn only_what_is_offered_is_asked_for_and_then_the_channel_is_joined() {
    let mut play = Play::new();
    assert_eq!(play.output()[..2], ["CAP LS 302", "NICK phabgate"]);
    play.hear(":irc CAP * LS * :multi-prefix message-tags");
    assert_eq!(play.output(), [""; 0]);
    play.hear(":irc CAP * LS :server-time");
    assert_eq!(play.output(), ["CAP REQ :message-tags server-time"]);
    play.hear(":irc CAP phabgate ACK :message-tags server-time");
    assert_eq!(play.output(), ["CAP END"]);
    play.welcome();
    assert_eq!(play.output(), ["MODE phabgate +B", "JOIN #ops", "PRIVMSG NickServ :INFO phabgate"]);
    assert!(!play.state().is_in("#ops"));
    play.hear(":phabgate!p@h JOIN :#ops");
    assert!(play.state().is_in("#OPS") && !play.state().identifies && !play.state().echoes);
}

#[test]
fn a_server_that_knows_no_capabilities_is_joined_all_the_same() {
    let mut play = Play::new();
    play.output();
    play.hear(":irc 421 * CAP :Unknown command");
    play.welcome();
    assert!(play.output().contains(&"JOIN #ops".to_owned()));
}

#[test]
fn the_bot_logs_in_before_it_goes_on() {
    let mut play = Play::with_account();
    play.output();
    play.hear(":irc CAP * LS :sasl=PLAIN,EXTERNAL");
    play.hear(":irc CAP * ACK :sasl");
    assert_eq!(play.output(), ["CAP REQ :sasl", "AUTHENTICATE PLAIN"]);
    play.hear("AUTHENTICATE +");
    assert_eq!(play.output(), ["AUTHENTICATE cGhhYmdhdGUAcGhhYmdhdGUAY29ycmVjdC1ob3JzZQ=="]);
    play.hear(":irc 900 * phabgate!p@h phabgate :You are now logged in as phabgate");
    play.hear(":irc 903 * :SASL authentication successful");
    assert_eq!(play.output(), ["CAP END"]);
    assert_eq!(play.state().account.as_deref(), Some("phabgate"));
}

#[test]
fn services_that_are_away_or_refuse_keep_no_bot_away() {
    for (answer, waits, words) in [
        (Some(":irc 904 * :SASL authentication failed"), 0, "SASL authentication failed"),
        (None, 15, "the services did not answer in time"),
    ] {
        let mut play = Play::with_account();
        play.output();
        play.hear(":irc CAP * LS :sasl=PLAIN cap-notify");
        play.hear(":irc CAP * ACK :cap-notify sasl");
        play.output();
        if let Some(answer) = answer {
            play.hear(answer);
        }
        play.pass(waits);
        assert_eq!(play.output().last().unwrap(), "CAP END");
        assert_eq!(play.state().login_refused.as_deref(), Some(words));
        play.welcome();
        play.output();
        // Once they are back it logs in.
        play.hear(":irc CAP phabgate DEL :sasl");
        play.hear(":irc CAP phabgate NEW :sasl=PLAIN");
        play.hear(":irc CAP phabgate ACK :sasl");
        let output = play.output();
        assert!(
            output.contains(&"AUTHENTICATE PLAIN".to_owned()) && !output.contains(&"CAP END".to_owned()),
            "{output:?}"
        );
        play.hear(":irc 900 phabgate phabgate!p@h phabgate :You are now logged in as phabgate");
        play.hear(":irc 903 phabgate :SASL authentication successful");
        assert_eq!((play.state().account.as_deref(), play.state().login_refused), (Some("phabgate"), None));
    }
    let mut play = Play::with_account();
    play.output();
    play.hear(":irc CAP * LS :message-tags");
    play.hear(":irc CAP * ACK :message-tags");
    assert_eq!(play.output().last().unwrap(), "CAP END");
    assert!(play.state().login_refused.unwrap().contains("offers no way to log in"));
    // Where the server does not say that one can again, it is asked once NickServ answers.
    play.welcome();
    play.output();
    play.nickserv("phabgate is not registered.");
    assert_eq!(play.output(), ["CAP LS 302"]);
    play.hear(":irc CAP phabgate LS :message-tags sasl=PLAIN");
    play.hear(":irc CAP phabgate ACK :sasl");
    assert_eq!(play.output(), ["CAP REQ :sasl", "AUTHENTICATE PLAIN"]);
    play.hear(":irc 904 phabgate :SASL authentication failed");
    // A wrong password is tried again after an outage, and not before.
    play.hear(":irc 401 phabgate NickServ :No such nick");
    play.pass(2);
    play.nickserv("hello");
    play.nickserv("hello");
    assert_eq!(play.output(), ["AUTHENTICATE PLAIN"]);
    // And after a while: services err, too.
    play.hear(":irc 904 phabgate :SASL authentication failed");
    let mut logins = Vec::new();
    for second in 0..305 {
        play.pass(1);
        play.hear("PING :a");
        play.nickserv("hello");
        logins.extend(play.output().into_iter().filter(|line| line.starts_with("AUTH")).map(|_| second));
    }
    assert_eq!(logins, [299]);
}

#[test]
fn an_account_that_is_lost_is_missed_and_logged_in_with_again() {
    let mut play = Play::with_account();
    play.hear(":irc CAP * LS :sasl=PLAIN");
    play.hear(":irc CAP * ACK :sasl");
    let log_in = |play: &mut Play| {
        play.hear(":irc 900 phabgate phabgate!p@h phabgate :You are now logged in as phabgate");
        play.hear(":irc 903 phabgate :SASL authentication successful");
    };
    log_in(&mut play);
    play.welcome();
    play.nickserv("phabgate is not registered.");
    assert_eq!(play.state().login_refused, None);
    // After how many seconds it asks to be logged in.
    let asks = |play: &mut Play| {
        play.output();
        (1..=700).find(|_| {
            play.pass(1);
            play.hear("PING :a");
            play.nickserv("hello");
            play.output().contains(&"AUTHENTICATE PLAIN".to_owned())
        })
    };
    let lost = |play: &Play, why: &str| {
        assert_eq!((play.state().account, play.state().login_refused.as_deref()), (None, Some(why)));
    };
    play.hear(":irc 901 phabgate phabgate!p@h :You are now logged out");
    lost(&play, "the services logged the bot out: You are now logged out");
    assert_eq!(asks(&mut play), Some(300), "as after a login that is refused");
    // Nor is it silent where the server would not have it, or names no account, or logs it out in the middle.
    play.hear(":irc 907 phabgate :You have already authenticated");
    lost(&play, "You have already authenticated");
    assert_eq!(asks(&mut play), Some(300));
    play.hear(":irc 903 phabgate :SASL authentication successful");
    lost(&play, "the network has not named its account");
    assert_eq!(asks(&mut play), Some(300));
    play.hear(":irc 901 phabgate phabgate!p@h :You are now logged out");
    log_in(&mut play);
    assert_eq!((play.state().account.as_deref(), play.state().login_refused.as_deref()), (Some("phabgate"), None));
    assert_eq!(asks(&mut play), None);
    // A bot that is to have none misses none.
    let mut play = Play::in_channel();
    play.hear(":irc 901 phabgate phabgate!p@h :You are now logged out");
    assert_eq!((play.state().login_refused, asks(&mut play)), (None, None));
}

#[test]
fn a_nick_that_is_taken_is_got_back() {
    let mut play = Play::new();
    play.output();
    play.hear(":irc 433 * phabgate :Nickname is already in use");
    play.hear(":irc 433 * phabgate_ :Nickname is already in use");
    assert_eq!(play.output(), ["NICK phabgate_", "NICK phabgate__"]);
    assert_eq!(play.state().lacked_nick, None, "it is not on the network yet");
    play.hear(":irc 001 phabgate__ :Welcome");
    let lacked = |why| Some(LackedNick { nick: "phabgate".into(), why });
    assert_eq!(play.state().lacked_nick, lacked(WhyLacked::Taken));
    play.hear(":irc 422 phabgate__ :no message of the day");
    play.pass(1);
    assert!(!play.output().contains(&"NICK phabgate".to_owned()));
    play.pass(59);
    assert!(play.output().contains(&"NICK phabgate".to_owned()));
    play.hear(":irc 433 phabgate__ phabgate :Nickname is already in use");
    play.pass(1);
    assert!(!play.output().iter().any(|line| line.starts_with("NICK")));
    // At once where who has it leaves.
    play.hear(":phabgate!x@h QUIT :bye");
    play.pass(0);
    assert_eq!(play.output(), ["NICK phabgate"]);
    play.hear(":phabgate__!p@h NICK :phabgate");
    assert_eq!((play.state().nick.as_str(), play.state().lacked_nick), ("phabgate", None));
    // The services, or an operator, give it another.
    play.hear(":phabgate!p@h NICK :Guest7");
    assert_eq!(play.state().lacked_nick, lacked(WhyLacked::Taken), "what the server said of it last");
    // Ten are tried and no more.
    let mut play = Play::new();
    for _ in 0..11 {
        play.hear(":irc 433 * x :Nickname is already in use");
    }
    assert_eq!(play.conversation.ended(), Some("every nick that was tried is taken"));
}

#[test]
fn a_nick_that_the_server_refuses_or_cuts_is_not_taken_by_anybody() {
    let mut play = Play::new();
    play.hear(":irc 432 * phabgate :Nickname is held for\u{3} us");
    play.hear(":irc 001 phabgate_ :Welcome");
    let words = "Nickname is held for\u{3} us".to_owned();
    assert_eq!(play.state().lacked_nick.unwrap().why, WhyLacked::Refused(words));
    let mut play = Play::new();
    play.hear(":irc 001 phabg :Welcome");
    let renamed = LackedNick { nick: "phabgate".into(), why: WhyLacked::Renamed };
    assert_eq!(play.state().lacked_nick, Some(renamed));
    let mut play = Play::new();
    for _ in 0..11 {
        play.hear(":irc 432 * x :Erroneous Nickname");
    }
    assert_eq!(play.conversation.ended(), Some("the network refuses the nick: Erroneous Nickname"));
}

#[test]
fn a_line_is_said_once_its_echo_came() {
    let mut play = Play::in_channel();
    let mut said = play.say(ops(), "hello");
    let mut next = play.say(ops(), "again");
    play.pass(0);
    assert_eq!(play.output(), ["PRIVMSG #ops :hello"], "one line in two seconds");
    assert!(said.try_recv().is_err());
    play.hear("@msgid=M1;time=2026-11-28T07:00:01.000Z :phabgate!p@h PRIVMSG #ops :hello");
    let Outcome::Said(receipt) = said.try_recv().unwrap() else { panic!("not said") };
    assert_eq!(
        (receipt.msgid.as_deref(), receipt.time.unwrap().to_string().as_str()),
        (Some("M1"), "2026-11-28T07:00:01Z")
    );
    play.pass(1);
    assert_eq!(play.output(), [""; 0]);
    play.pass(1);
    assert_eq!(play.output(), ["PRIVMSG #ops :again"]);
    play.hear(":phabgate!p@h PRIVMSG #ops :another text");
    play.hear(":sre1!p@h PRIVMSG #ops :again");
    play.pass(15);
    assert!(matches!(next.try_recv().unwrap(), Outcome::Unclear { .. }));
}

#[test]
fn what_the_network_refuses_or_loses_is_not_said() {
    let mut play = Play::in_channel();
    let mut refused = play.say(ops(), "hello");
    let mut elsewhere = play.say(Target::channel("#other").unwrap(), "hello");
    play.pass(0);
    play.hear(":irc 404 phabgate #OPS :Cannot send to channel (+m)");
    assert_eq!(refused.try_recv().unwrap(), Outcome::NotSaid(NotSaid::Refused("Cannot send to channel (+m)".into())));
    assert_eq!(elsewhere.try_recv().unwrap(), Outcome::NotSaid(NotSaid::OtherChannel));
    let mut lost = play.say(Target::person("sre1").unwrap(), "hello");
    play.pass(2);
    play.conversation.lost("reset by peer");
    assert!(matches!(lost.try_recv().unwrap(), Outcome::Unclear { why } if why.contains("reset by peer")));
}

#[test]
fn outside_of_the_channel_a_line_waits() {
    let mut play = Play::in_channel();
    play.hear(":sre1!s@h KICK #ops phabgate :quiet");
    let mut waiting = play.say(ops(), "hello");
    play.pass(0);
    assert_eq!(play.output(), [""; 0]);
    assert!(play.conversation.hindrance().contains("kicked by sre1: quiet"), "{}", play.conversation.hindrance());
    play.pass(10);
    assert_eq!(play.output(), ["JOIN #ops"]);
    play.hear(":irc 474 phabgate #ops :Cannot join channel (+b)");
    play.pass(20);
    assert_eq!(play.output(), ["JOIN #ops"]);
    play.hear(":phabgate!p@h JOIN #ops");
    play.pass(0);
    assert_eq!(play.output(), ["PRIVMSG #ops :hello"]);
    assert!(waiting.try_recv().is_err());
}

#[test]
fn a_line_fits_into_the_message_that_others_get() {
    let mut play = Play::in_channel();
    let host = "h".repeat(64);
    play.hear(&format!(":phabgate!{}@{host} JOIN #ops", "u".repeat(64)));
    let _waiting = play.say(ops(), &"語".repeat(200));
    play.pass(0);
    let sent = play.output().remove(0);
    assert!(format!(":phabgate!{}@{host} {sent}\r\n", "u".repeat(64)).len() <= 512, "{}", sent.len());
    let mut play = Play::in_channel();
    let _waiting = play.say(ops(), &"x".repeat(500));
    play.pass(0);
    assert_eq!(play.output()[0].len(), "PRIVMSG #ops :".len() + 380);
}

#[test]
fn a_dead_connection_is_noticed() {
    let mut play = Play::in_channel();
    play.pass(57);
    play.output();
    play.pass(1);
    assert!(play.output().contains(&"PING phabgate".to_owned()));
    play.pass(29);
    assert_eq!(play.conversation.ended(), None);
    play.hear(":irc PONG irc phabgate");
    play.pass(60);
    play.pass(30);
    assert_eq!(play.conversation.ended(), Some("the server does not answer any more"));
    let mut play = Play::new();
    play.pass(60);
    assert_eq!(play.conversation.ended(), Some("the server did not register the bot in time"));
    let mut play = Play::in_channel();
    play.hear("PING :token with blanks");
    assert_eq!(play.output(), ["PONG :token with blanks"]);
    play.hear("ERROR :Closing link");
    assert_eq!(play.conversation.ended(), Some("the server closed the connection: Closing link"));
    for empty in ["ERROR", "ERROR :"] {
        let mut play = Play::in_channel();
        play.hear(empty);
        assert_eq!(play.conversation.ended(), Some("the server closed the connection"));
    }
}

#[test]
fn questions_wait_for_no_line_and_lines_for_no_question() {
    let mut play = Play::in_channel();
    let _said: Vec<_> = ["a", "b", "c"].map(|text| play.say(ops(), text)).into();
    let _answered = [play.ask("sre1"), play.ask("nobody")];
    play.pass(0);
    assert_eq!(play.output(), ["PRIVMSG NickServ :INFO sre1", "PRIVMSG #ops :a"]);
    play.nickserv("sre1 is not registered.");
    play.pass(1);
    assert_eq!(play.output(), [""; 0], "it is asked seldom enough");
    play.pass(1);
    assert_eq!(play.output(), ["PRIVMSG NickServ :INFO nobody", "PRIVMSG #ops :b"]);
}

#[test]
fn a_line_is_heard_once_and_with_its_account() {
    let mut play = Play::in_channel();
    let line = "@account=sre1;time=2026-11-28T07:00:09.000Z;msgid=M9 :sre1!s@h PRIVMSG #ops :!reject T1";
    play.hear(line);
    play.hear(line);
    let heard = play.heard.try_recv().unwrap();
    assert_eq!((heard.who.unwrap().account.as_str(), heard.services), ("sre1", true));
    assert!(play.heard.try_recv().is_none());
    play.hear("@time=2026-11-28T07:00:09.000Z;msgid=M10;+account=sre1 :sre1!s@h PRIVMSG #ops :!reject T1");
    assert_eq!(play.heard.try_recv().unwrap().who, Err(WhyNot::NotLoggedIn));
    for line in
        [":sre1!s@h NOTICE #ops :!reject T1", ":phabgate!p@h PRIVMSG #ops :!reject T1", ":sre1!s@h PRIVMSG #ops"]
    {
        play.hear(line);
        assert!(play.heard.try_recv().is_none(), "{line}");
    }
}

#[test]
fn a_certificate_that_is_refused_leaves_the_password() {
    let login = |password: Option<&str>| Login {
        account: Some("phabgate".into()),
        password: password.map(SecretString::from),
        certificate: Some(SecretString::from("pem")),
    };
    let asks = |login: Login| {
        let mut play = Play::with(login);
        play.output();
        play.hear(":irc CAP * LS :sasl=PLAIN,EXTERNAL");
        play.hear(":irc CAP * ACK :sasl");
        assert_eq!(play.output(), ["CAP REQ :sasl", "AUTHENTICATE EXTERNAL"]);
        play.hear("AUTHENTICATE +");
        assert_eq!(play.output(), ["AUTHENTICATE cGhhYmdhdGU="]);
        play.hear(":irc 904 * :no such fingerprint");
        play
    };
    let mut play = asks(login(Some("correct-horse")));
    assert_eq!(play.output(), ["AUTHENTICATE PLAIN"], "in the same session");
    play.hear("AUTHENTICATE +");
    assert_eq!(play.output(), ["AUTHENTICATE cGhhYmdhdGUAcGhhYmdhdGUAY29ycmVjdC1ob3JzZQ=="]);
    play.hear(":irc 900 * phabgate!p@h phabgate :You are now logged in as phabgate");
    play.hear(":irc 903 * :SASL authentication successful");
    assert_eq!(play.output(), ["CAP END"]);
    let state = play.state();
    assert_eq!((state.account.as_deref(), state.login_refused), (Some("phabgate"), None));
    assert_eq!(state.certificate_refused.as_deref(), Some("no such fingerprint"));

    // Where both are refused it is said of both, once, and the certificate is the first that is tried again.
    let mut play = asks(login(Some("wrong")));
    play.output();
    play.hear(":irc 904 * :wrong password");
    assert_eq!(play.output(), ["CAP END"]);
    let refused = play.state().login_refused;
    assert_eq!(refused.as_deref(), Some("the certificate: no such fingerprint; the password: wrong password"));
    assert_eq!(play.state().certificate_refused, None);
    play.welcome();
    play.output();
    for _ in 0..301 {
        play.pass(1);
        play.hear("PING :a");
    }
    assert!(play.output().contains(&"AUTHENTICATE EXTERNAL".to_owned()));

    // A certificate alone is all that there is.
    let mut play = asks(login(None));
    assert_eq!(play.output(), ["CAP END"]);
    assert_eq!(play.state().login_refused.as_deref(), Some("no such fingerprint"));
    // Services that do not answer at all are not waited for twice.
    let mut play = Play::with(login(Some("correct-horse")));
    play.hear(":irc CAP * LS :sasl=PLAIN,EXTERNAL");
    play.hear(":irc CAP * ACK :sasl");
    play.output();
    play.pass(15);
    assert_eq!(play.output(), ["AUTHENTICATE *", "CAP END"]);
    play.hear(":irc 906 * :SASL authentication aborted");
    assert_eq!(play.output(), [""; 0]);
}

proptest! {
    #[test]
    fn no_message_of_a_server_makes_it_panic_or_send_two_lines_in_one(
        lines in proptest::collection::vec(
            "(@[a-z+;=*\\\\]{0,12} )?(:(phabgate|sre1|NickServ|irc)(!u@h)? )?(CAP|JOIN|PART|KICK|NICK|QUIT|PRIVMSG|NOTICE|AUTHENTICATE|[0-9]{3}|001|005|310|311|312|313|318|353|376|433|903|904)( (phabgate|NickServ|#ops|LS|ACK|NAK|NEW|DEL|\\*|sasl|[!-9;-~]{1,6})){0,4}( :[ -~é]{0,20})?",
            0..40,
        ),
    ) {
        let mut play = Play::with_account();
        for line in &lines {
            if let Ok(message) = Message::parse(line.as_bytes()) {
                play.conversation.receive(&message, play.now);
            }
            play.pass(1);
            for sent in play.output() {
                prop_assert!(sent.len() <= 510 && !sent.contains(['\r', '\n', '\0']), "{sent:?}");
                prop_assert!(Message::parse(sent.as_bytes()).is_ok(), "{sent:?}");
            }
        }
        prop_assert_ne!(play.state().connection, ConnectionState::Never);
    }
}
