//! The bot against a network that a test plays: what a real one does seldom, or not when it is asked to.

use std::sync::Arc;
use std::time::Duration;

use phabgate::irc::bot::{
    Authorities, Bot, BotHandle, BotSettings, ConnectionState, Login, NotSaid, Outcome, Receiver, Request, Target,
    Timings, Verb, WhyNot,
};
use phabgate::irc::{Draft, HostPort, Line};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a step may take: long, since many tests may run at once on a slow machine.
const LONG: Duration = Duration::from_secs(60);

const CAPABILITIES: &str = "account-tag cap-notify echo-message message-tags server-time";

/// A network that listens.
struct Network(TcpListener);

/// One connection of the bot to it.
struct Connection<S> {
    reader: BufReader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    seen: Vec<String>,
}

impl Network {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn at(&self, host: &str) -> HostPort {
        format!("{host}:{}", self.0.local_addr().unwrap().port()).parse().unwrap()
    }

    async fn tcp(&self) -> TcpStream {
        timeout(LONG, self.0.accept()).await.expect("the bot does not connect").unwrap().0
    }

    async fn accept(&self) -> Connection<TcpStream> {
        Connection::new(self.tcp().await)
    }

    /// A connection that is registered with these capabilities, and in the channel.
    async fn accept_with(&self, capabilities: &str) -> Connection<TcpStream> {
        let mut connection = self.accept().await;
        connection.register(capabilities).await;
        connection
    }
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    fn new(stream: S) -> Self {
        let (reader, writer) = split(stream);
        Self { reader: BufReader::new(reader), writer, seen: Vec::new() }
    }

    async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes()).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
        self.writer.flush().await.unwrap();
    }

    /// The next line that begins so.
    async fn expect(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            let read = timeout(LONG, self.reader.read_line(&mut line)).await;
            let count = read.unwrap_or_else(|_| panic!("waited in vain for {start}; came: {:?}", self.seen)).unwrap();
            assert!(count > 0, "the bot went before {start}; came: {:?}", self.seen);
            self.seen.push(line.trim_end().to_owned());
            if line.starts_with(start) {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn register(&mut self, capabilities: &str) {
        self.expect("USER ").await;
        self.send(&format!(":irc CAP * LS :{capabilities}")).await;
        if !capabilities.is_empty() {
            let asked = self.expect("CAP REQ :").await;
            self.send(&format!(":irc CAP * ACK :{}", asked.strip_prefix("CAP REQ :").unwrap())).await;
        }
        self.expect("CAP END").await;
        self.welcome("phabgate").await;
    }

    async fn welcome(&mut self, nick: &str) {
        self.send(&format!(":irc 001 {nick} :Welcome")).await;
        self.send(&format!(":irc 005 {nick} CASEMAPPING=ascii STATUSMSG=@ :are supported by this server")).await;
        self.send(&format!(":irc 422 {nick} :no message of the day")).await;
        self.let_in(nick).await;
    }

    async fn let_in(&mut self, nick: &str) {
        self.expect("JOIN #ops").await;
        self.send(&format!("@time=2026-11-28T07:00:00.000Z :{nick}!p@h JOIN #ops")).await;
        self.send(&format!(":irc 353 {nick} = #ops :{nick} @sre1")).await;
        self.send(&format!(":irc 366 {nick} #ops :End of /NAMES list.")).await;
    }

    /// Waits until the bot has read all that was sent.
    async fn settle(&mut self) {
        self.send("PING :settled").await;
        self.expect("PONG :settled").await;
    }
}

/// A bot that runs.
struct Running {
    handle: BotHandle,
    heard: Receiver,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn new(settings: BotSettings) -> Self {
        let (bot, handle, heard) = Bot::new(settings);
        let (stop, stopped) = watch::channel(false);
        Self { handle, heard, stop, task: tokio::spawn(bot.run(stopped)) }
    }

    /// One that comes back at once and talks fast, and has for all else as long as it takes.
    fn on(network: &Network, timings: impl FnOnce(&mut Timings)) -> Self {
        Self::new(settings(network.at("127.0.0.1"), timings).trusting(Authorities::Plain).unwrap())
    }

    async fn in_channel(&self) {
        self.until("in the channel", |state| state.is_in("#ops")).await;
    }

    async fn until(&self, what: &str, holds: impl FnMut(&phabgate::irc::bot::BotState) -> bool) {
        let waited = timeout(LONG, self.handle.wait_for(holds)).await;
        assert!(waited.is_ok_and(|state| state.is_some()), "{what}: {:?}", self.handle.state());
    }

    fn say(&self, text: &str, within: Duration) -> JoinHandle<Outcome> {
        let (handle, line) = (self.handle.clone(), line(text));
        tokio::spawn(async move { handle.say(Target::channel("#ops").unwrap(), line, within).await })
    }
}

fn settings(server: HostPort, timings: impl FnOnce(&mut Timings)) -> BotSettings {
    let mut of_tests = Timings {
        line_every: Duration::from_millis(1),
        reconnect: Duration::from_millis(10),
        reconnect_most: Duration::from_millis(100),
        rejoin: Duration::from_millis(10),
        register: LONG,
        echo: LONG,
        ..Timings::default()
    };
    timings(&mut of_tests);
    BotSettings::new(server, "phabgate", &["#ops".to_owned()]).unwrap().timed(of_tests)
}

fn line(text: &str) -> Line {
    Draft::about_none().words(text).finish()
}

#[tokio::test]
async fn capabilities_that_are_refused_are_done_without() {
    let network = Network::new().await;
    let bot = Running::on(&network, |_| {});
    let mut connection = network.accept().await;
    connection.expect("USER ").await;
    connection.send(":irc CAP * LS :account-tag echo-message server-time").await;
    let asked = connection.expect("CAP REQ :").await;
    connection.send(&format!(":irc CAP * NAK :{}", asked.strip_prefix("CAP REQ :").unwrap())).await;
    for (name, answer) in [("account-tag", "ACK"), ("echo-message", "NAK"), ("server-time", "ACK")] {
        connection.expect(&format!("CAP REQ :{name}")).await;
        connection.send(&format!(":irc CAP * {answer} :{name}")).await;
    }
    connection.expect("CAP END").await;
    connection.welcome("phabgate").await;
    bot.in_channel().await;
    assert!(!bot.handle.state().echoes && !bot.handle.state().identifies);
    // Nothing says then that a line was said.
    let said = bot.say("hello", LONG);
    connection.expect("PRIVMSG #ops :hello").await;
    assert!(matches!(said.await.unwrap(), Outcome::Unclear { why } if why.contains("echoes nothing")));
}

#[tokio::test]
async fn a_line_is_said_with_its_receipt_or_unclear() {
    let network = Network::new().await;
    let bot = Running::on(&network, |timings| timings.echo = Duration::from_millis(300));
    let mut connection = network.accept_with(CAPABILITIES).await;
    bot.in_channel().await;
    let said = bot.say("hello", LONG);
    connection.expect("PRIVMSG #ops :hello").await;
    connection.send("@msgid=M1;time=2026-11-28T07:00:01.000Z :phabgate!p@h PRIVMSG #ops :hello").await;
    assert!(matches!(said.await.unwrap(), Outcome::Said(receipt) if receipt.msgid.as_deref() == Some("M1")));
    let lost = bot.say("an echo that is lost", LONG);
    connection.expect("PRIVMSG #ops :an echo").await;
    assert!(matches!(lost.await.unwrap(), Outcome::Unclear { .. }));
    // A connection that breaks: it is said neither there again nor on the next one.
    let broken = bot.say("broken", LONG);
    connection.expect("PRIVMSG #ops :broken").await;
    drop(connection);
    assert!(matches!(broken.await.unwrap(), Outcome::Unclear { why } if why.contains("the connection was lost")));
    let mut connection = network.accept_with(CAPABILITIES).await;
    let next = bot.say("next", LONG);
    connection.expect("PRIVMSG #ops :next").await;
    assert!(!connection.seen.iter().any(|line| line.contains("broken")), "{:?}", connection.seen);
    connection.send(":phabgate!p@h PRIVMSG #ops :next").await;
    assert!(matches!(next.await.unwrap(), Outcome::Said(receipt) if receipt.msgid.is_none()));
}

#[tokio::test]
async fn a_line_waits_for_the_network_and_no_longer_than_it_may() {
    let network = Network::new().await;
    let bot = Running::on(&network, |timings| timings.rejoin = Duration::from_secs(1));
    let late = bot.say("too late", Duration::from_millis(50));
    let Outcome::NotSaid(NotSaid::TooLate(why)) = late.await.unwrap() else { panic!("nobody could say it") };
    assert!(why.starts_with("the bot was not"), "{why}");
    let waits = bot.say("in time", LONG);
    let mut connection = network.accept_with(CAPABILITIES).await;
    let first = connection.expect("PRIVMSG #").await;
    assert_eq!(first, "PRIVMSG #ops :in time");
    connection.send(":phabgate!p@h PRIVMSG #ops :in time").await;
    assert!(matches!(waits.await.unwrap(), Outcome::Said(_)));
    // Who does not wait any more has nothing said.
    connection.send(":sre1!s@h KICK #ops phabgate :quiet").await;
    connection.settle().await;
    let given_up = bot.say("given up", LONG);
    tokio::task::yield_now().await;
    given_up.abort();
    let _ = given_up.await;
    connection.let_in("phabgate").await;
    let after = bot.say("after", LONG);
    connection.expect("PRIVMSG #ops :after").await;
    assert!(!connection.seen.iter().any(|line| line.contains("given up")), "{:?}", connection.seen);
    drop(after);
}

#[tokio::test]
async fn a_kick_a_taken_nick_and_a_dead_connection_are_got_over() {
    let network = Network::new().await;
    let bot = Running::on(&network, |timings| {
        timings.nick_every = Duration::from_millis(50);
        timings.ping_after = Duration::from_millis(1500);
        timings.dead_after = Duration::from_millis(1500);
    });
    let mut connection = network.accept().await;
    connection.expect("USER ").await;
    connection.send(":irc CAP * LS :").await;
    connection.expect("CAP END").await;
    connection.send(":irc 433 * phabgate :Nickname is already in use").await;
    connection.expect("NICK phabgate_").await;
    connection.welcome("phabgate_").await;
    assert_eq!(connection.expect("NICK ").await, "NICK phabgate");
    connection.send(":phabgate_!p@h NICK phabgate").await;
    bot.until("its nick", |state| state.nick == "phabgate" && state.is_in("#ops")).await;
    connection.send(":sre1!s@h KICK #ops phabgate :quiet").await;
    connection.let_in("phabgate").await;
    bot.in_channel().await;
    // It asks whether the server is there, takes silence for none, and connects again.
    connection.expect("PING ").await;
    let mut again = network.accept().await;
    again.expect("CAP LS 302").await;
    bot.until("registering", |state| state.connection == ConnectionState::Registering).await;
}

#[tokio::test]
async fn services_that_go_are_noticed() {
    let network = Network::new().await;
    let bot = Running::on(&network, |_| {});
    let mut connection = network.accept_with(&format!("{CAPABILITIES} sasl=PLAIN")).await;
    connection.expect("PRIVMSG NickServ :INFO phabgate").await;
    assert!(!bot.handle.state().services);
    connection.send(":NickServ!NickServ@services NOTICE phabgate :phabgate is not registered.").await;
    connection.expect("WHOIS NickServ").await;
    assert!(!bot.handle.state().services, "anybody can have the nick");
    connection.send(":irc 311 phabgate NickServ NickServ services * :Services").await;
    connection.send(":irc 313 phabgate NickServ :is a Network Service").await;
    connection.send(":irc 318 phabgate NickServ :End of /WHOIS list.").await;
    bot.until("services", |state| state.services).await;
    connection.send(":irc CAP phabgate DEL :sasl").await;
    bot.until("no services", |state| !state.services).await;
}

#[tokio::test]
async fn what_is_no_message_harms_nothing_and_impostors_are_nobody() {
    let network = Network::new().await;
    let mut bot = Running::on(&network, |_| {});
    let mut connection = network.accept_with(CAPABILITIES).await;
    connection.send_bytes(b"\r\n\n\0\xff\xfe\r\n@\r\n:\r\n12 x\r\n").await;
    connection.send(&format!("PRIVMSG #ops :{}", "x".repeat(9000))).await;
    connection.send(&format!(":sre1!s@h PRIVMSG #ops :{}", "x".repeat(600))).await;
    let tags = "account=sre1;msgid=M1;time=2026-11-28T07:00:01.000Z";
    let start = format!(":sre1!s@h PRIVMSG #ops :!reject T1 {}", "é".repeat(300));
    let full = &start[..start.floor_char_boundary(510)];
    connection.send(&format!("@{tags} {full}")).await;
    connection.send("@time=2026-11-28T07:00:01.000Z;msgid=M2;+account=sre1 :sre1!s@h PRIVMSG #ops :!ack T1").await;
    connection.send("@account=sre1;time=2026-11-28T06:00:01.000Z;msgid=M3 :sre1!s@h PRIVMSG #ops :!ack T2").await;
    connection.send("@account=sre1;time=2026-11-28T07:00:01.000Z;msgid=M4 :away!s@h PRIVMSG #ops :!ack T3").await;
    connection.settle().await;
    let mut heard = Vec::new();
    while let Some(line) = bot.heard.try_recv() {
        heard.push((line.request.verb(), line.who.map(|who| who.account)));
    }
    let expected = [
        (Verb::Reject, Ok("sre1".to_owned())),
        (Verb::Ack, Err(WhyNot::NotLoggedIn)),
        (Verb::Ack, Err(WhyNot::BeforeJoin)),
        (Verb::Ack, Err(WhyNot::NotInChannel)),
    ];
    assert_eq!(heard, expected);
    bot.until("counted", |state| state.dropped.malformed >= 6).await;
}

#[tokio::test]
async fn a_flood_silences_nobody() {
    let network = Network::new().await;
    let mut bot = Running::on(&network, |_| {});
    let mut connection = network.accept_with(CAPABILITIES).await;
    for number in 1..=1000 {
        connection.send(&format!(":flood!f@bad.example PRIVMSG #ops :!status T{number}")).await;
        if number == 900 {
            connection.send(":sre1!s@good.example PRIVMSG #ops :!reject T1 no").await;
            connection.send(":sre1!s@good.example PRIVMSG #ops :!who T1").await;
        }
    }
    connection.settle().await;
    let mut of_others = Vec::new();
    let mut of_flood = 0;
    while let Some(line) = bot.heard.try_recv() {
        match line.nick.as_str() {
            "flood" => of_flood += 1,
            _ => of_others.push(line.request.verb()),
        }
    }
    assert_eq!((of_flood, of_others), (8, vec![Verb::Reject, Verb::Who]));
    bot.until("counted", |state| state.dropped.of_one == 992).await;
}

#[tokio::test]
async fn the_bot_ends_when_it_is_asked_to() {
    let network = Network::new().await;
    let mut bot = Running::on(&network, |_| {});
    let mut connection = network.accept_with(CAPABILITIES).await;
    connection.send(":sre1!s@h PRIVMSG #ops :!aprove T1").await;
    connection.settle().await;
    bot.stop.send(true).unwrap();
    connection.expect("QUIT ").await;
    timeout(LONG, bot.task).await.unwrap().unwrap();
    let outcome = bot.handle.say(Target::person("sre1").unwrap(), line("hello"), LONG).await;
    assert_eq!(outcome, Outcome::NotSaid(NotSaid::Ended));
    assert_eq!(bot.handle.state().connection, ConnectionState::Ended);
    assert!(matches!(bot.heard.recv().await.unwrap().request, Request::NearMiss(_)));
    assert!(bot.heard.recv().await.is_none());
    assert!(bot.handle.wait_for(|state| state.services).await.is_none());
    // Where nobody is there, it ends too.
    drop(network);
    let nobody = Network::new().await;
    let at = nobody.at("127.0.0.1");
    drop(nobody);
    let bot = Running::new(settings(at, |_| {}).trusting(Authorities::Plain).unwrap());
    bot.until("refused", |state| matches!(state.connection, ConnectionState::Lost { .. })).await;
    bot.stop.send(true).unwrap();
    timeout(LONG, bot.task).await.unwrap().unwrap();
}

/// Serves TLS with a certificate of the tests, which is for `localhost`.
fn acceptor(chain: &str) -> tokio_rustls::TlsAcceptor {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config).into()
}

#[tokio::test]
async fn the_certificate_is_checked_and_the_password_goes_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("authority.pem");
    std::fs::write(&authority, include_str!("tls/authority.pem")).unwrap();
    let of_file = || Authorities::File(authority.clone());
    let good = include_str!("tls/server.pem");
    for (chain, authorities, words) in [
        (good, Authorities::System, "UnknownIssuer"),
        (include_str!("tls/other-name.pem"), of_file(), "not valid for name"),
        (include_str!("tls/expired.pem"), of_file(), "expired"),
    ] {
        let network = Network::new().await;
        let login =
            Login { account: Some("phabgate".into()), password: Some("correct-horse".into()), certificate: None };
        let settings =
            settings(network.at("localhost"), |_| {}).trusting(authorities).unwrap().logged_in(login).unwrap();
        let bot = Running::new(settings);
        assert!(acceptor(chain).accept(network.tcp().await).await.is_err(), "{words}");
        bot.until(words, |state| matches!(&state.connection, ConnectionState::Lost { why, .. } if why.contains(words)))
            .await;
    }
    let network = Network::new().await;
    let bot = Running::new(settings(network.at("localhost"), |_| {}).trusting(of_file()).unwrap());
    let mut connection = Connection::new(acceptor(good).accept(network.tcp().await).await.unwrap());
    connection.register(CAPABILITIES).await;
    bot.in_channel().await;
    // What speaks no TLS gets nothing.
    drop(connection);
    let mut plain = network.accept().await;
    plain.send(":irc NOTICE * :hello").await;
    bot.until(
        "no TLS",
        |state| matches!(&state.connection, ConnectionState::Lost { why, .. } if why.contains("speaks no TLS")),
    )
    .await;
}
