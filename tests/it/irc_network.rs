//! The bot on a real network: InspIRCd with Atheme's services.

#[path = "irc/network.rs"]
pub(crate) mod network;

use std::time::Duration;

use jiff::Timestamp;
use phabgate::irc::Draft;
use phabgate::irc::bot::{
    Authorities, Bot, BotHandle, BotSettings, BotState, Flaw, Heard, Info, Login, Outcome, Place, Receipt, Receiver,
    Request, Target, Timings, Verb, WhyNot,
};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::timeout;

use network::{CHANNEL, PASSWORD, Person, RealNetwork};

/// How long a step may take: long, since many tests may run at once on a slow machine.
const LONG: Duration = Duration::from_secs(60);

/// A bot that runs; it ends when this is dropped.
struct Running {
    handle: BotHandle,
    heard: Receiver,
    _stop: watch::Sender<bool>,
}

fn password() -> Login {
    Login { account: Some("phabgate".into()), password: Some(PASSWORD.into()), certificate: None }
}

impl Running {
    fn new(network: &RealNetwork, login: Login) -> Self {
        Self::logging_in_again(network, login, Timings::default().login_again)
    }

    /// One that tries to log in again so long after it lost its account.
    fn logging_in_again(network: &RealNetwork, login: Login, login_again: Duration) -> Self {
        let timings = Timings {
            line_every: Duration::from_millis(50),
            nick_every: Duration::from_secs(1),
            services_every: Duration::from_millis(300),
            services_silent: Duration::from_secs(2),
            info: Duration::from_secs(4),
            login_again,
            reconnect: Duration::from_millis(50),
            reconnect_most: Duration::from_millis(500),
            ..Timings::default()
        };
        let server = format!("localhost:{}", network.tls).parse().unwrap();
        let settings = BotSettings::new(server, "phabgate", &[CHANNEL.to_owned()]).unwrap().timed(timings);
        let settings = settings.trusting(Authorities::File(network.authority())).unwrap().logged_in(login).unwrap();
        let (bot, handle, heard) = Bot::new(settings);
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(bot.run(stopped));
        Self { handle, heard, _stop }
    }

    async fn until(&self, what: &str, holds: impl FnMut(&BotState) -> bool) {
        let waited = timeout(LONG, self.handle.wait_for(holds)).await;
        assert!(waited.is_ok_and(|state| state.is_some()), "{what}: {:?}", self.handle.state());
    }

    /// On the network, logged in, in the channel, with the services there.
    async fn at_work(&self) {
        self.until("at work", |state| {
            state.is_in(CHANNEL) && state.services && state.identifies && state.echoes && state.account.is_some()
        })
        .await;
    }

    async fn say(&self, target: Target, text: &str) -> Receipt {
        match self.handle.say(target, Draft::about_none().words(text).finish(), LONG).await {
            Outcome::Said(receipt) => receipt,
            other => panic!("{text}: {other:?}"),
        }
    }

    async fn hears(&mut self) -> Heard {
        timeout(LONG, self.heard.recv()).await.expect("nothing is heard").unwrap()
    }

    /// What is heard next: the nick, what is asked, and who is identified.
    async fn next(&mut self) -> (String, Verb, Result<String, WhyNot>) {
        let heard = self.hears().await;
        (heard.nick, heard.request.verb(), heard.who.map(|who| who.account))
    }
}

fn channel() -> Target {
    Target::channel(CHANNEL).unwrap()
}

/// The value of a tag in a line as it came.
fn tag(line: &str, key: &str) -> String {
    let tags = line.strip_prefix('@').and_then(|line| line.split_once(' ')).expect("no tags").0;
    let value = tags.split(';').find_map(|tag| tag.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {key}: {line}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_and_heard_on_a_real_network() {
    let Some(network) = RealNetwork::start() else { return };
    network.register(&["phabgate", "sre1", "outsider"]);
    let mut bot = Running::new(&network, password());
    bot.at_work().await;
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));
    bot.until("sre1 came", |state| state.sees("SRE1")).await;

    // A line is said once, with the receipt that everybody sees.
    let receipt = bot.say(channel(), "T1 needs sre: \u{2}not\u{2} !approve").await;
    let seen = sre1.until("needs sre");
    assert!(
        seen.contains("account=phabgate")
            && seen.ends_with(
                &format!("PRIVMSG {CHANNEL} :T1 needs sre: \\u{{2}}not\\u{{2}} !approve").replace("T1", "T 1")
            ),
        "{seen}"
    );
    assert_eq!(
        (receipt.msgid, receipt.time.unwrap()),
        (Some(tag(&seen, "msgid")), tag(&seen, "time").parse().unwrap())
    );
    let long = bot.say(channel(), &"語".repeat(200)).await;
    assert!(sre1.until("語").ends_with('…') && long.msgid.is_some());
    bot.say(Target::person("sre1").unwrap(), "in private").await;
    assert!(sre1.until("in private").contains("PRIVMSG sre1 :"));
    // Nobody is there by that name.
    let nobody =
        bot.handle.say(Target::person("nobody").unwrap(), Draft::about_none().words("hello").finish(), LONG).await;
    assert!(matches!(nobody, Outcome::NotSaid(_)), "{nobody:?}");

    // Who is logged in is heard with the account, in the channel and in private.
    let before = Timestamp::now();
    sre1.say("!approve T1 sre K7QM");
    let heard = bot.hears().await;
    let who = heard.who.clone().unwrap();
    assert_eq!(
        (heard.place, heard.request.verb(), who.account.as_str()),
        (Place::Channel(CHANNEL.into()), Verb::Approve, "sre1")
    );
    assert!(heard.services && !who.msgid.is_empty() && who.time.duration_since(before).abs().as_secs() < 5, "{who:?}");
    sre1.send("PRIVMSG phabgate :!status T1");
    let heard = bot.hears().await;
    assert_eq!(
        (heard.place, heard.request.verb(), heard.who.unwrap().account.as_str()),
        (Place::Private, Verb::Status, "sre1")
    );
    sre1.send(&format!("NOTICE {CHANNEL} :!reject T1"));
    sre1.say("\u{1}ACTION !reject T1\u{1}");
    sre1.say("hello");
    sre1.say("!aprove T1");
    let heard = bot.hears().await;
    assert!(matches!(heard.request, Request::NearMiss(ref miss) if miss.verb == Verb::Approve), "{heard:?}");
    // The bot came first, and has the mode.
    sre1.send(&format!("PRIVMSG @{CHANNEL} :!reject T1"));
    let heard = bot.hears().await;
    assert!(matches!(heard.request, Request::NearMiss(ref miss) if miss.flaw == Flaw::PartOfChannel), "{heard:?}");

    // Whoever has the very nick is nobody, whatever the client sends; who is logged in otherwise is that account.
    sre1.send("QUIT");
    sre1.until("ERROR");
    let mut impostor = Person::new(&network, "sre1", None);
    impostor.say("!approve T1 sre K7QM");
    assert_eq!(bot.next().await, ("sre1".into(), Verb::Approve, Err(WhyNot::NotLoggedIn)));
    impostor.send(&format!("@+account=sre1;account=sre1;+msgid=x PRIVMSG {CHANNEL} :!ack T1"));
    assert_eq!(bot.next().await, ("sre1".into(), Verb::Ack, Err(WhyNot::NotLoggedIn)));
    impostor.send("QUIT");
    impostor.until("ERROR");
    let mut outsider = Person::new(&network, "sre1", Some("outsider"));
    outsider.say("!ack T1");
    assert_eq!(bot.next().await, ("sre1".into(), Verb::Ack, Ok("outsider".into())));
    // Another bot is not heard.
    outsider.send("MODE sre1 +B");
    outsider.say("!ack T1");
    outsider.send("MODE sre1 -B");
    outsider.say("!who T1");
    assert_eq!(bot.next().await, ("sre1".into(), Verb::Who, Ok("outsider".into())));

    // What the services know of accounts.
    let Info::Registered { account, since } = bot.handle.info("SRE1").await else { panic!("sre1 is registered") };
    assert!(account.eq_ignore_ascii_case("sre1") && Timestamp::now().duration_since(since).as_secs() < 600, "{since}");
    assert_eq!(bot.handle.info("nobody").await, Info::NotRegistered);

    // A flood silences nobody.
    let mut sre1 = Person::new(&network, "sre1_", Some("sre1"));
    for number in 1..=1000 {
        outsider.say(&format!("!status T{number}"));
    }
    outsider.send("PING :over");
    outsider.until("PONG");
    sre1.say("!reject T1 no");
    loop {
        match bot.next().await {
            (_, Verb::Reject, who) => break assert_eq!(who, Ok("sre1".into())),
            (nick, verb, _) => assert_eq!((nick.as_str(), verb), ("sre1", Verb::Status)),
        }
    }
    assert!(bot.handle.state().dropped.of_one > 900, "{:?}", bot.handle.state().dropped);
    assert_eq!(bot.handle.state().connections, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_gets_over_what_a_network_goes_through() {
    let Some(mut network) = RealNetwork::start() else { return };
    network.register(&["phabgate", "sre1"]);
    // Somebody has its nick, and leaves.
    let mut holder = Person::stranger(&network, "phabgate");
    let mut bot = Running::new(&network, password());
    bot.at_work().await;
    assert_eq!(bot.handle.state().nick, "phabgate_");
    holder.send("QUIT");
    bot.until("its nick", |state| state.nick == "phabgate").await;
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));

    // The services hang, go on, end and come back: who was logged in stays so, and it is known that nobody new can be.
    network.hang_services(true);
    bot.until("silent services", |state| !state.services).await;
    sre1.say("!reject T1");
    let heard = bot.hears().await;
    assert_eq!((heard.services, heard.who.unwrap().account.as_str()), (false, "sre1"));
    assert_eq!(bot.handle.info("sre1").await, Info::Silent);
    network.hang_services(false);
    bot.until("services that go on", |state| state.services).await;
    network.stop_services();
    bot.until("no services", |state| !state.services).await;
    sre1.say("!withdraw T1");
    let heard = bot.hears().await;
    assert_eq!((heard.services, heard.who.unwrap().account.as_str()), (false, "sre1"));
    network.start_services();
    bot.until("services again", |state| state.services).await;

    // The server goes down and comes back without services first: the bot does too, and logs in once it can.
    network.stop_services();
    network.stop_server();
    bot.until("no connection", |state| !state.is_in(CHANNEL)).await;
    let (handle, line) = (bot.handle.clone(), Draft::about_none().words("after the fall").finish());
    let waits = tokio::spawn(async move { handle.say(channel(), line, LONG).await });
    network.start_server();
    bot.until("back", |state| state.is_in(CHANNEL)).await;
    assert!(matches!(waits.await.unwrap(), Outcome::Said(_)));
    assert!(bot.handle.state().account.is_none() && !bot.handle.state().services);
    network.start_services();
    bot.until("its account", |state| state.services && state.account.is_some()).await;
    assert_eq!(bot.handle.state().connections, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_the_services_log_out_says_so_and_logs_in_again() {
    let Some(network) = RealNetwork::start() else { return };
    network.register(&["phabgate"]);
    let bot = Running::logging_in_again(&network, password(), Duration::from_secs(2));
    bot.at_work().await;
    let mut other = Person::stranger(&network, "other");
    other.send(&format!("PRIVMSG NickServ :LOGOUT phabgate {PASSWORD}"));
    let is_said = |state: &BotState| state.login_refused.as_ref().is_some_and(|why| why.contains("logged the bot out"));
    bot.until("logged out", |state| state.account.is_none() && is_said(state)).await;
    bot.at_work().await;
    let state = bot.handle.state();
    assert_eq!((state.connections, state.login_refused), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_nick_of_nickserv_is_believed_nothing_and_the_services_are_found_again() {
    let Some(network) = RealNetwork::start() else { return };
    a_stranger_is_believed_nothing(network).await;
}

/// With the module by which WHOIS does not say of services that they are some.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_protected_are_known_by_their_server() {
    let Some(network) = RealNetwork::start_with("<module name=\"servprotect\">\n") else { return };
    a_stranger_is_believed_nothing(network).await;
}

async fn a_stranger_is_believed_nothing(mut network: RealNetwork) {
    network.register(&["phabgate", "sre1"]);
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));
    network.stop_services();
    // Their nick is free once the server has noticed it.
    let is_free = (0..1_000).any(|_| {
        sre1.send("ISON NickServ");
        !sre1.until(" 303 ").contains(":NickServ")
    });
    assert!(is_free);
    let mut stranger = Person::stranger(&network, "NickServ");
    let answers = |stranger: &mut Person, account: &str| {
        stranger.until(&format!("INFO {account}"));
        for line in [
            format!("Information on {account} (account {account}):"),
            "Registered : Jan 02 03:04:05 2001 +0000 (25y ago)".to_owned(),
            "*** End of Info ***".to_owned(),
        ] {
            stranger.send(&format!("NOTICE phabgate :{line}"));
        }
    };
    // The bot comes when the stranger is there already: it has seen no other NickServ.
    let mut bot = Running::new(&network, password());
    bot.until("in the channel", |state| state.is_in(CHANNEL)).await;
    for _ in 0..2 {
        answers(&mut stranger, "phabgate");
        bot.until("a stranger", |state| state.no_service.as_deref() == Some("irc.localhost")).await;
        assert!(!bot.handle.state().services);
    }
    let handle = bot.handle.clone();
    let asked = tokio::spawn(async move { handle.info("sre1").await });
    answers(&mut stranger, "sre1");
    assert_eq!(asked.await.unwrap(), Info::NoService { server: "irc.localhost".into() });
    sre1.say("!approve T1 sre K7QM");
    let heard = bot.hears().await;
    assert_eq!((heard.services, heard.request.verb()), (false, Verb::Approve));

    // The services take their nick back, on the same connection.
    network.start_services();
    bot.at_work().await;
    let Info::Registered { since, .. } = bot.handle.info("sre1").await else { panic!("sre1 is registered") };
    assert!(Timestamp::now().duration_since(since).as_secs() < 600, "{since}");
    assert_eq!((bot.handle.state().connections, bot.handle.state().no_service), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_logs_in_by_its_certificate() {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    let Some(network) = RealNetwork::start() else { return };
    let pem = concat!(include_str!("tls/server.pem"), include_str!("tls/server.key"));
    let certificate = CertificateDer::pem_slice_iter(pem.as_bytes()).next().unwrap().unwrap();
    let fingerprint: String = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut owner = Person::stranger(&network, "phabgate");
    owner.send(&format!("PRIVMSG NickServ :REGISTER phabgate {PASSWORD} phabgate@irc.localhost"));
    owner.until("is now registered");
    // While the services do not know the certificate, the password is taken.
    let both = |password: &str| Login {
        account: Some("phabgate".into()),
        password: Some(password.to_owned().into()),
        certificate: Some(pem.into()),
    };
    let by_password = Running::new(&network, both(PASSWORD));
    by_password.at_work().await;
    let state = by_password.handle.state();
    assert!(state.certificate_refused.is_some() && state.login_refused.is_none(), "{state:?}");
    drop(by_password);
    owner.send(&format!("PRIVMSG NickServ :CERT ADD {fingerprint}"));
    owner.until("Added fingerprint");
    owner.send("QUIT");
    owner.until("ERROR");
    // The password is wrong: it is not asked for.
    let bot = Running::new(&network, both("wrong"));
    bot.at_work().await;
    let state = bot.handle.state();
    assert_eq!((state.account.as_deref(), state.certificate_refused), (Some("phabgate"), None));
    // A wrong password is said, and the bot is there all the same.
    let login = Login { account: Some("phabgate".into()), password: Some("wrong".into()), certificate: None };
    let refused = Running::new(&network, login);
    refused.until("refused", |state| state.login_refused.is_some() && state.is_in(CHANNEL)).await;
    assert!(refused.handle.state().account.is_none());
}
