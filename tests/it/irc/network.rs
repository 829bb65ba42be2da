//! A real network on loopback: InspIRCd with Atheme's services, each a child of the test on ports of its own, and people on it.
//!
//! Responsible for starting and stopping them, and for what a person on the network does. Each wait ends, with what was waited for or
//! with an error that says what was. Not responsible for the bot.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::runtime::Builder;

/// How long a step may take: long, since many tests may run at once on a slow machine.
const LONG: Duration = Duration::from_secs(60);

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// The channel of all.
pub(crate) const CHANNEL: &str = "#ops";

/// The modules of Atheme that are loaded.
const MODULES: &[&str] = &[
    "protocol/inspircd",
    "protocol/mixin_noholdnick",
    "backend/opensex",
    "crypto/pbkdf2v2",
    "nickserv/main",
    "nickserv/register",
    "nickserv/identify",
    "nickserv/logout",
    "nickserv/info",
    "nickserv/regnolimit",
    "nickserv/cert",
    "saslserv/main",
    "saslserv/plain",
    "saslserv/external",
    "operserv/main",
];

/// The network.
pub(crate) struct RealNetwork {
    dir: TempDir,
    server: Option<Child>,
    services: Option<Child>,
    pub(crate) tls: u16,
    pub(crate) plain: u16,
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    directories.map(|directory| directory.join(name)).find(|path| path.is_file())
}

impl RealNetwork {
    /// Starts it. `None` where it is not installed, which is said: but in CI it must be there.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with more of a configuration of the server.
    pub(crate) fn start_with(more: &str) -> Option<Self> {
        if program("inspircd").is_none() || program("atheme-services").is_none() {
            assert!(
                std::env::var_os("CI").is_none(),
                "IRC is not installed: `apt-get install inspircd atheme-services`"
            );
            // Not by a macro, whose output nobody sees of a test that passes.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: inspircd and atheme-services are not installed: no real IRC network is tried"
            );
            return None;
        }
        let free: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = free.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(free);
        let [tls, plain, link] = ports[..] else { panic!("three ports") };
        let dir = tempfile::tempdir().unwrap();
        let written = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let filled = |text: &str| {
            text.replace("TLS_PORT", &tls.to_string())
                .replace("PLAIN_PORT", &plain.to_string())
                .replace("LINK_PORT", &link.to_string())
                .replace("DIR", dir.path().to_str().unwrap())
        };
        written("inspircd.conf", &(filled(include_str!("inspircd.conf")) + more));
        let modules: String = modules().iter().map(|name| format!("loadmodule \"modules/{name}\";\n")).collect();
        written("atheme.conf", &format!("{modules}{}", filled(include_str!("atheme.conf"))));
        written("server.pem", include_str!("../tls/server.pem"));
        written("server.key", include_str!("../tls/server.key"));
        written("authority.pem", include_str!("../tls/authority.pem"));
        let mut network = Self { dir, server: None, services: None, tls, plain };
        network.start_server();
        network.start_services();
        Some(network)
    }

    /// The file of the authority that signed the certificate of the network.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    fn child(&self, program_name: &str, arguments: &[&str]) -> Child {
        let output = std::fs::File::create(self.dir.path().join(format!("{program_name}.out"))).unwrap();
        let mut command = Command::new(program(program_name).unwrap());
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap()
    }

    pub(crate) fn start_server(&mut self) {
        let config = self.dir.path().join("inspircd.conf");
        let mut arguments = vec!["--config", config.to_str().unwrap(), "--nofork"];
        if rustix::process::geteuid().is_root() {
            arguments.push("--runasroot");
        }
        self.server = Some(self.child("inspircd", &arguments));
        let until = Instant::now() + LONG;
        while TcpStream::connect(("127.0.0.1", self.plain)).is_err() {
            assert!(Instant::now() < until, "the server does not listen: {}", self.output("inspircd.out"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn start_services(&mut self) {
        let path = |name: &str| self.dir.path().join(name).to_str().unwrap().to_owned();
        let (config, log, pid, data) = (path("atheme.conf"), path("atheme.log"), path("atheme.pid"), path(""));
        let _ = std::fs::remove_file(&pid);
        let arguments = ["-n", "-c", &config, "-l", &log, "-p", &pid, "-D", &data];
        self.services = Some(self.child("atheme-services", &arguments));
        // They need a moment to link.
        let until = Instant::now() + LONG;
        let mut probe = Person::stranger(self, "probe");
        loop {
            probe.send("PRIVMSG NickServ :INFO nobody");
            if probe.within(Duration::from_millis(500), |line| line.contains("not registered")).is_some() {
                return;
            }
            assert!(Instant::now() < until, "the services do not answer: {}", self.output("atheme-services.out"));
        }
    }

    /// Stops the services for good, as an operator does.
    pub(crate) fn stop_services(&mut self) {
        stop(&mut self.services, Signal::TERM);
    }

    /// Stops the server at once, as a machine that goes down does.
    pub(crate) fn stop_server(&mut self) {
        stop(&mut self.server, Signal::KILL);
    }

    /// Has the services hang, or go on.
    pub(crate) fn hang_services(&self, hang: bool) {
        let pid = Pid::from_child(self.services.as_ref().unwrap());
        kill_process(pid, if hang { Signal::STOP } else { Signal::CONT }).unwrap();
    }

    /// Registers services accounts.
    pub(crate) fn register(&self, accounts: &[&str]) {
        for account in accounts {
            let mut person = Person::stranger(self, account);
            person.send(&format!("PRIVMSG NickServ :REGISTER {account} {PASSWORD} {account}@irc.localhost"));
            person.until("is now registered");
            person.send("QUIT");
        }
    }

    fn output(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

fn modules() -> Vec<&'static str> {
    let below = |root: &str| {
        std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut roots = below("/usr/lib");
    roots.push("/usr/lib".into());
    let is_there = |root: &Path, name: &str| root.join("atheme/modules").join(format!("{name}.so")).is_file();
    MODULES.iter().copied().filter(|name| roots.iter().any(|root| is_there(root, name))).collect()
}

fn stop(child: &mut Option<Child>, signal: Signal) {
    if let Some(mut child) = child.take() {
        let _ = kill_process(Pid::from_child(&child), signal);
        let _ = child.wait();
    }
}

impl Drop for RealNetwork {
    fn drop(&mut self) {
        stop(&mut self.services, Signal::KILL);
        stop(&mut self.server, Signal::KILL);
    }
}

/// A person on the network, over plain TCP.
pub(crate) struct Person {
    stream: TcpStream,
    bytes: Vec<u8>,
    seen: Vec<String>,
}

impl Person {
    /// Somebody who is logged in with no account and in no channel.
    pub(crate) fn stranger(network: &RealNetwork, nick: &str) -> Self {
        let mut person = Self::connect(network, nick);
        person.send("CAP END");
        person.until(" 001 ");
        person
    }

    /// Somebody in the channel who is logged in with this account, or with none.
    pub(crate) fn new(network: &RealNetwork, nick: &str, account: Option<&str>) -> Self {
        Self::connect(network, nick).in_channel(account)
    }

    /// Somebody in the channel who is logged in with none and comes from this address, one of loopback.
    pub(crate) fn from(network: &RealNetwork, address: Ipv4Addr, nick: &str) -> Self {
        let at = (Ipv4Addr::LOCALHOST, network.plain).into();
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((address, 0).into())?;
            socket.connect(at).await?.into_std()
        };
        let stream = Builder::new_current_thread().enable_io().build().unwrap().block_on(connect).unwrap();
        stream.set_nonblocking(false).unwrap();
        Self::over(stream, nick).in_channel(None)
    }

    fn in_channel(self, account: Option<&str>) -> Self {
        let mut person = self;
        person.send("CAP REQ :account-tag server-time message-tags");
        person.until(" ACK ");
        if let Some(account) = account {
            person.send("CAP REQ :sasl");
            person.until(" ACK ");
            person.send("AUTHENTICATE PLAIN");
            person.until("AUTHENTICATE ");
            let answer = base64::prelude::BASE64_STANDARD.encode(format!("{account}\0{account}\0{PASSWORD}"));
            person.send(&format!("AUTHENTICATE {answer}"));
            person.until(" 903 ");
        }
        person.send("CAP END");
        person.until(" 001 ");
        person.send(&format!("JOIN {CHANNEL}"));
        person.until(" 366 ");
        person
    }

    fn connect(network: &RealNetwork, nick: &str) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", network.plain)).unwrap(), nick)
    }

    fn over(stream: TcpStream, nick: &str) -> Self {
        stream.set_nodelay(true).unwrap();
        let mut person = Self { stream, bytes: Vec::new(), seen: Vec::new() };
        for line in ["CAP LS 302", &format!("NICK {nick}"), &format!("USER {nick} 0 * :{nick}")] {
            person.send(line);
        }
        person
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    /// Says something in the channel.
    pub(crate) fn say(&mut self, text: &str) {
        self.send(&format!("PRIVMSG {CHANNEL} :{text}"));
    }

    /// Every line that came.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// How many lines came with this in them.
    pub(crate) fn count(&self, mark: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(mark)).count()
    }

    /// The next line with this in it.
    pub(crate) fn until(&mut self, mark: &str) -> String {
        let found = self.within(LONG, |line| line.contains(mark));
        found.unwrap_or_else(|| panic!("waited in vain for {mark:?}; came: {:#?}", self.seen))
    }

    /// The next line of which this holds, where one comes in time.
    pub(crate) fn within(&mut self, time: Duration, holds: impl Fn(&str) -> bool) -> Option<String> {
        let end = Instant::now() + time;
        loop {
            while let Some(at) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&self.bytes.drain(..=at).collect::<Vec<_>>()).trim_end().to_owned();
                if let Some((_, token)) = line.split_once("PING ") {
                    self.send(&format!("PONG {token}"));
                }
                self.seen.push(line.clone());
                if holds(&line) {
                    return Some(line);
                }
            }
            let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut came = [0; 4096];
            match self.stream.read(&mut came) {
                Ok(0) => return None,
                Ok(count) => self.bytes.extend_from_slice(&came[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
                Err(error) => panic!("{error}; came: {:#?}", self.seen),
            }
        }
    }
}
