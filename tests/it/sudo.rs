//! The gate installed as a bot, with the real sudo, on a machine with users who want more than they may.
//!
//! Nothing of it stays: users, sudoers, configuration and homes live in a mount namespace over tmpfs, which ends with
//! the test. Where there is no root, no sudo or no right to make a namespace, the tests say that they were skipped. The
//! lines of sudoers are those of docs/install.md.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::machine_log::Log;
use crate::server::Server;

/// Users of the machine: alice is a deployer, mallory may call sudo and is mapped to no account, carol is a deployer whom a
/// careless sudoers lets call all of the gate, dave may nothing.
const USERS: [(&str, u32); 4] = [("alice", 7001), ("mallory", 7002), ("carol", 7003), ("dave", 7004)];

/// What stands in files that no caller may read.
const SECRETS: [&str; 3] = ["$6$shadowed", "hunter2", "api-"];

const SET_UP: &str = r#"
set -eu
umask 022
mount -t tmpfs -o mode=755 tmpfs "$ROOT"
cp -a /etc "$ROOT/etc"
mount --bind "$ROOT/etc" /etc
for directory in /var/lib /var/cache /home; do mount -t tmpfs -o mode=755 tmpfs "$directory"; done
mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
touch /usr/local/bin/phabgate
mount --bind "$GATE" /usr/local/bin/phabgate
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/journal
touch /run/systemd/journal/socket
mount --bind "$LOG" /run/systemd/journal/socket
mount -t tmpfs -o mode=1777 tmpfs /tmp
for user in alice:7001 mallory:7002 carol:7003 dave:7004; do
  name=${user%:*} id=${user#*:}
  echo "$name:x:$id:$id::/home/$name:/bin/sh" >>/etc/passwd
  echo "$name:x:$id:" >>/etc/group
  echo "$name:*:19000:0:99999:7:::" >>/etc/shadow
  mkdir -m 755 "/home/$name"; chown "$id:$id" "/home/$name"
done
echo 'victim:$6$shadowed:19000::::::' >>/etc/shadow
echo 'deployers:x:7010:alice,mallory' >>/etc/group
# A careless site: variables of the caller and their PATH are passed on, and carol may call everything.
{ echo 'Defaults !secure_path, !authenticate'
  echo 'Defaults env_keep += "PHABGATE_* XDG_* SSL_CERT_* *_PROXY *_proxy CREDENTIALS_DIRECTORY HOME PATH TZ TZDIR"'
  echo "$SUDOERS"
  echo 'carol ALL = (root) NOPASSWD: /usr/local/bin/phabgate'; } >/etc/sudoers
chmod 440 /etc/sudoers
mkdir -m 755 /etc/phabgate
{ echo "url = \"$URL\""; printf '[record]\nsettle = "1s"\n[http]\nconnect = "2s"\ncall = "2s"\ntotal = "6s"\n'
  printf '[deployers]\nalice = "deployer1"\ncarol = "deployer1"\n'; } >/etc/phabgate/config.toml
echo 'PHABGATE_TOKEN_FILE=/etc/phabgate/token' >/etc/phabgate/environment
(umask 077; echo "$TOKEN" >/etc/phabgate/token; echo 'hunter2 = "secret"' >/etc/secret.toml)
cp -a /etc/phabgate /etc/phabgate.good
echo ready
cat >/dev/null
"#;

/// A machine on which the gate is installed as a bot, and the server that it asks.
struct Site {
    server: Server,
    /// Where a token would go that is led astray.
    elsewhere: TcpListener,
    /// systemd's journal, as the machine has it.
    log: Log,
    namespace: Child,
    _root: tempfile::TempDir,
}

/// What a try came to.
struct Came {
    code: Option<i32>,
    out: String,
    err: String,
}

/// The lines of sudoers that docs/install.md gives.
pub(crate) fn sudoers() -> String {
    let page = include_str!("../../docs/install.md");
    let lines = page.lines().skip_while(|line| !line.contains("# /etc/sudoers.d/phabgate"));
    lines.map(str::trim).take_while(|line| !line.is_empty()).fold(String::new(), |text, line| text + line + "\n")
}

impl Site {
    /// Makes the site; `None`, and says so, where that is not possible.
    fn new() -> Option<Self> {
        let skipped = |why: &str| {
            #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
            {
                eprintln!("skipped: {why}");
            }
            None
        };
        if !rustix::process::geteuid().is_root() {
            return skipped("only root can make users and call sudo as one of them");
        }
        if !std::path::Path::new("/usr/bin/sudo").exists() {
            return skipped("sudo is not installed");
        }
        let server = Server::new();
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let root = tempfile::tempdir().unwrap();
        let journald = tempfile::tempdir().unwrap();
        let log = Log::at(&journald.path().join("socket"));
        let mut namespace = Command::new("unshare")
            .args(["--mount", "sh", "-c", SET_UP])
            .env("ROOT", root.path())
            .env("GATE", env!("CARGO_BIN_EXE_phabgate"))
            .env("URL", server.running.url.as_str())
            .env("TOKEN", server.running.token_of("phabgate").unwrap().unwrap())
            .env("SUDOERS", sudoers())
            .env("LOG", journald.path().join("socket"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(namespace.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            let output = namespace.wait_with_output().unwrap();
            return skipped(&format!("no mount namespace: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Some(Self { server, elsewhere, log, namespace, _root: root })
    }

    /// Runs a script of sh(1) as a user, or as root.
    fn sh(&self, user: &str, script: &str) -> Came {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.namespace.id())).args(["--mount", "--"]);
        if let Some((_, uid)) = USERS.iter().find(|(name, _)| *name == user) {
            let ids = [format!("--reuid={uid}"), format!("--regid={uid}")];
            command.arg("setpriv").args(ids).args(["--init-groups", "--inh-caps=-all"]);
        }
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        command.args(["env", "-i", &format!("HOME={home}"), &format!("PATH={path}"), "TZ=UTC"]);
        command.arg(format!("EVIL=http://{}/", self.elsewhere.local_addr().unwrap()));
        command.args(["timeout", "60", "sh", "-c", &format!("cd /tmp; {script}")]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Came { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// As root, before a try.
    fn prepare(&self, script: &str) {
        let came = self.sh("root", &format!("set -e; {script}"));
        assert_eq!(came.code, Some(0), "{script}: {}{}", came.out, came.err);
    }

    /// How many transactions the server has.
    fn transactions(&self) -> usize {
        self.server.running.world().unwrap().transactions.len()
    }

    /// Whether something asked where no token may go.
    fn was_led_astray(&self) -> bool {
        self.elsewhere.accept().is_ok()
    }

    /// Makes a try that must be refused: with this code, one line of error that says this, nothing shown that may not be,
    /// nothing sent elsewhere, nothing written on the server, no command run.
    fn refused(&self, (user, script, code, says): (&str, &str, i32, &str)) {
        let before = self.transactions();
        let came = self.sh(user, script);
        let all = format!("{user}: {script}\n[{:?}]\n{}{}", came.code, came.out, came.err);
        assert_eq!(came.code, Some(code), "{all}");
        let errors = came.err.lines().filter(|line| line.starts_with("error: ") || line.starts_with("Sorry, ")).count();
        assert_eq!(errors, 1, "one clear line: {all}");
        assert!(came.err.contains(says), "{says:?} is not said: {all}");
        self.nothing_happened(&came, before, &all);
    }

    /// Makes a try that is passed over: the gate ends with this code as if nothing had been tried.
    fn passed_over(&self, (user, script, code): (&str, &str, i32)) {
        let before = self.transactions();
        let came = self.sh(user, script);
        let all = format!("{user}: {script}\n[{:?}]\n{}{}", came.code, came.out, came.err);
        assert_eq!(came.code, Some(code), "{all}");
        self.nothing_happened(&came, before, &all);
    }

    fn nothing_happened(&self, came: &Came, before: usize, all: &str) {
        for secret in SECRETS {
            assert!(!came.out.contains(secret) && !came.err.contains(secret), "{secret} is shown: {all}");
        }
        assert!(!came.out.contains("DEPLOYED"), "the command ran: {all}");
        assert!(!self.was_led_astray(), "something was sent elsewhere: {all}");
        assert_eq!(self.transactions(), before, "something was written: {all}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.namespace.stdin.take());
        let _ = self.namespace.wait();
    }
}

#[test]
fn the_documented_installation_deploys_as_who_called() {
    let Some(site) = Site::new() else { return };
    let came = site.sh("alice", "sudo phabgate check T1");
    assert!(came.code == Some(0) && came.out.contains("ALLOWED"), "{}{}", came.out, came.err);
    let came = site.sh("alice", "sudo phabgate run T1 --result r.json -- sh -c 'id -u; env; id -u >mine'; echo $?");
    let lines: Vec<&str> = came.out.lines().collect();
    assert!(lines.first() == Some(&"7001") && lines.last() == Some(&"0"), "{}{}", came.out, came.err);
    for hidden in ["TOKEN", "SUDO_", "HOME=/root"] {
        assert!(!came.out.contains(hidden), "{hidden}: {}", came.out);
    }
    let came = site.sh("alice", "stat -c '%U %a' r.json; cat r.json mine");
    assert!(came.out.starts_with("alice 600\n") && came.out.contains("\"succeeded\""), "{}{}", came.out, came.err);
    let records = site.server.records(1);
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(record.caller.as_deref(), Some("alice"));
        assert_eq!(record.deployer.unwrap().user, "deployer1");
    }
    let events: Vec<_> = site
        .log
        .entries()
        .into_iter()
        .map(|entry| {
            assert_eq!(entry["PHABGATE_CALLER"], "alice");
            entry["PHABGATE_EVENT"].clone()
        })
        .collect();
    assert_eq!(events, ["verdict", "verdict", "started", "finished"]);
    // What the output tells to type next is what this caller can type.
    let came = site.sh("alice", "sudo phabgate run T6 -- true");
    assert_eq!(came.code, Some(125), "{}", came.err);
    for script in
        ["sudo phabgate history T1", "sudo phabgate list", "sudo phabgate outbox list", "sudo phabgate announce T6"]
    {
        let came = site.sh("alice", script);
        assert_eq!(came.code, Some(0), "{script}: {}{}", came.out, came.err);
    }
    // Who forgets sudo reads what is missing.
    let came = site.sh("alice", "phabgate check T6");
    assert!(
        came.code == Some(4)
            && crate::server::in_one_line(&came.err)
                .contains("type the same with sudo in front; an answer needs yours"),
        "{}",
        came.err
    );
    let came = site.sh("alice", "sudo phabgate doctor --task T1; sudo phabgate list --format json");
    assert!(came.out.contains("READY") && came.out.contains("phabgate/list/1"), "{}{}", came.out, came.err);
    let came = site.sh("alice", "sudo phabgate request T2 --reason availability --yes");
    assert!(
        came.code == Some(0) && came.out.contains("Next: sudo phabgate check T2 --wait"),
        "{}{}",
        came.out,
        came.err
    );
    let came = site.sh("mallory", "sudo phabgate check T1");
    assert_eq!(came.code, Some(0), "who is no deployer may read: {}{}", came.out, came.err);
    let came = site.sh("mallory", "sudo phabgate doctor --task T1");
    assert!(came.code == Some(1) && came.out.starts_with("NOT READY: look at deployer"), "{}{}", came.out, came.err);
    // The operator.
    let came = site.sh("root", "phabgate doctor; SUDO_UID=7001 SUDO_USER=alice env -u SUDO_UID phabgate config check");
    assert!(
        came.out.contains("READY") && came.out.contains("ok: /etc/phabgate/config.toml"),
        "{}{}",
        came.out,
        came.err
    );
    // The message is said for deployers alone; others may read it.
    site.prepare(
        "printf '[irc]\\ntcpircbot = \"127.0.0.1:9\"\\n[announce]\\nsend = true\\n' >>/etc/phabgate/config.toml",
    );
    let came = site.sh("mallory", "sudo phabgate announce T6 --send");
    assert!(came.code == Some(2) && came.err.contains("mallory is no deployer on this machine"), "{}", came.err);
    let came = site.sh("mallory", "sudo phabgate announce T6");
    assert!(
        came.code == Some(0) && came.out.contains("Not sent: who is no deployer on this machine sends nothing."),
        "{}{}",
        came.out,
        came.err
    );
}

#[test]
fn under_sudo_nobody_reads_chooses_routes_or_takes_anothers_name() {
    let Some(site) = Site::new() else { return };
    site.prepare(
        "printf 'url = \"%s\"\\npolicy.required = [\"sre\"]\\n' \"$EVIL\" >/home/alice/lax.toml
         cp /home/alice/lax.toml /etc/lax.toml
         mkdir -p /home/alice/xdg/phabgate /home/alice/bin; cp /home/alice/lax.toml /home/alice/xdg/phabgate/config.toml
         for tool in getent setpriv sh; do printf '#!/bin/sh\\necho DEPLOYED; touch /tmp/fooled\\n' >/home/alice/bin/$tool; done
         chmod 755 /home/alice/bin/*; chown -R alice:alice /home/alice
         ln -s /etc/shadow /home/alice/shadow; chown -h alice /home/alice/shadow
         ln -s /home/mallory/out /tmp/link; chown -h mallory /tmp/link
         mkfifo -m 666 /tmp/pipe; chown mallory /tmp/pipe; touch /tmp/roots",
    );
    let run = "-- echo DEPLOYED";
    let flag = "is refused under sudo";
    let tries: Vec<(&str, String, i32, &str)> = [
        // To read a file of root's.
        ("alice", "sudo phabgate check T1 --config /etc/shadow", 2, "--config is refused under sudo"),
        ("alice", "sudo phabgate check --config=/etc/secret.toml T1", 2, "--config is refused under sudo"),
        ("alice", "sudo phabgate history T1 --config /etc/shadow", 2, "--config is refused under sudo"),
        ("alice", "sudo phabgate record T1 --config /etc/shadow", 2, "--config is refused under sudo"),
        ("alice", "sudo phabgate run T1 --config /etc/shadow RUN", 125, "--config is refused under sudo"),
        ("alice", "sudo phabgate config show --config /etc/shadow", 1, "not allowed to execute"),
        ("alice", "sudo phabgate --config /etc/shadow check T1", 1, "not allowed to execute"),
        ("carol", "sudo phabgate --config /etc/shadow check T1", 2, "--config is refused under sudo"),
        ("carol", "sudo phabgate config show", 2, "`config` is refused under sudo"),
        ("carol", "sudo phabgate config check --config /etc/shadow", 2, flag),
        ("carol", "sudo phabgate doctor --config /etc/secret.toml", 2, flag),
        ("alice", "sudo phabgate check T27 --show-restricted", 2, "--show-restricted is refused under sudo"),
        ("alice", "sudo phabgate run T27 --show-restricted RUN", 125, "--show-restricted is refused under sudo"),
        // To write a file of root's, or through what another put there.
        ("alice", "sudo phabgate run T1 --result /etc/phabgate/config.toml RUN", 125, "Permission denied"),
        ("alice", "sudo phabgate run T1 --result /home/alice/shadow RUN", 125, "Permission denied"),
        ("alice", "sudo phabgate run T1 --result /tmp/link RUN", 125, "is a link that belongs to the user 7002"),
        ("alice", "sudo phabgate run T1 --result /tmp/pipe RUN", 125, "is a pipe, not a regular file"),
        ("alice", "sudo phabgate run T1 --result /tmp/roots RUN", 125, "Operation not permitted"),
        ("alice", "sudo phabgate run T1 --result /root/x RUN", 125, "Permission denied"),
        (
            "alice",
            "sudo phabgate run T1 --frobnicate --result /etc/phabgate/config.toml RUN",
            125,
            "cannot write the result to /etc/phabgate/config.toml",
        ),
        (
            "alice",
            "sudo phabgate run T1 --config /etc/shadow --result /root/x RUN",
            125,
            "cannot write the result to /root/x",
        ),
        ("carol", "sudo phabgate man --output /etc/phabgate", 2, "`man --output` is refused under sudo"),
        // To choose policy or server.
        ("alice", "sudo phabgate run T6 --config /etc/lax.toml RUN", 125, "--config is refused under sudo"),
        ("alice", "sudo phabgate run T6 --config /home/alice/lax.toml RUN", 125, "--config is refused under sudo"),
        ("alice", "sudo phabgate check T1 --url $EVIL", 2, "--url is refused under sudo"),
        ("alice", "sudo phabgate run T1 --url=$EVIL RUN", 125, "--url is refused under sudo"),
        ("carol", "sudo phabgate --sandbox run T1 RUN", 125, "`--sandbox` is refused under sudo"),
        ("carol", "sudo phabgate sandbox", 2, "`sandbox` is refused under sudo"),
        // To be somebody else.
        ("alice", "sudo phabgate run T1 --as-root RUN", 125, "--as-root is refused under sudo"),
        (
            "alice",
            "sudo phabgate run T1 --deployer deployer2 RUN",
            125,
            "alice deploys as deployer1 and as nobody else",
        ),
        ("alice", "sudo phabgate record T1 --deployer sre1 --yes", 2, "alice deploys as deployer1 and as nobody else"),
        ("alice", "sudo phabgate request T2 --reason abuse --deployer sre1 --yes", 2, "as nobody else"),
        ("mallory", "sudo phabgate run T1 RUN", 125, "mallory is no deployer on this machine"),
        ("mallory", "sudo phabgate run T1 --deployer deployer1 RUN", 125, "mallory is no deployer on this machine"),
        ("mallory", "sudo phabgate record T1 --outcome succeeded", 2, "mallory is no deployer on this machine"),
        ("mallory", "sudo phabgate request T2 --reason abuse --yes", 2, "mallory is no deployer on this machine"),
        (
            "mallory",
            "SUDO_USER=alice SUDO_UID=7001 USER=alice LOGNAME=alice sudo phabgate run T1 RUN",
            125,
            "mallory is no",
        ),
        ("mallory", "SUDO_UID=0 sudo phabgate run T1 --deployer deployer1 RUN", 125, "mallory is no deployer"),
        ("mallory", "sudo SUDO_UID=0 phabgate run T1 RUN", 1, ""),
        ("alice", "sudo -u mallory phabgate run T1 RUN", 1, "not allowed to execute"),
        ("alice", "sudo env -u SUDO_UID phabgate run T1 --as-root RUN", 1, "not allowed to execute"),
        ("alice", "sudo phabgate approve T6 --yes", 1, "not allowed to execute"),
        ("carol", "sudo phabgate approve T6 --yes", 2, "`approve` is refused under sudo"),
        ("carol", "sudo phabgate withdraw T1 --yes", 2, "`withdraw` is refused under sudo"),
        ("carol", "sudo phabgate reject T1 --yes", 2, "`reject` is refused under sudo"),
        ("dave", "sudo phabgate check T1", 1, "dave is not in the sudoers file"),
    ]
    .into_iter()
    .map(|(user, script, code, says)| (user, script.replace("RUN", run), code, says))
    .collect();
    for (user, script, code, says) in &tries {
        // sudo has lines of its own for what it refuses.
        if *code == 1 {
            let before = site.transactions();
            let came = site.sh(user, script);
            let all = format!("{user}: {script}\n[{:?}]\n{}{}", came.code, came.out, came.err);
            assert!(came.code == Some(1) && came.err.contains(says), "{all}");
            site.nothing_happened(&came, before, &all);
        } else {
            site.refused((user, script, *code, says));
        }
    }
    // What is not looked at: the gate answers as if it were not there.
    let passed = [
        ("alice", "PHABGATE_CONFIG=/etc/shadow sudo phabgate check T1", 0),
        ("alice", "PHABGATE_CONFIG=/home/alice/lax.toml sudo phabgate check T6", 8),
        ("alice", "XDG_CONFIG_HOME=/home/alice/xdg sudo phabgate check T6", 8),
        ("alice", "HOME=/home/alice/xdg sudo phabgate check T6", 8),
        ("alice", "PHABGATE_URL=$EVIL sudo phabgate check T1", 0),
        ("alice", "PHABGATE_TOKEN_FILE=/etc/shadow sudo phabgate check T1", 0),
        ("alice", "PHABGATE_TOKEN=cli-mallorymallorymallorymallory1 sudo phabgate check T1", 0),
        ("alice", "CREDENTIALS_DIRECTORY=/home/alice sudo phabgate check T1", 0),
        ("alice", "PHABGATE_STATE=/home/alice/state sudo phabgate outbox list; test ! -e /home/alice/state", 0),
        ("alice", "XDG_STATE_HOME=/home/alice sudo phabgate outbox list; test ! -e /home/alice/phabgate", 0),
        ("alice", "TZ=:/dev/zero sudo phabgate check T1", 0),
        ("alice", "PATH=/home/alice/bin:$PATH sudo /usr/local/bin/phabgate run T6 -- true; test ! -e /tmp/fooled", 0),
        ("carol", "XDG_CACHE_HOME=/home/carol sudo phabgate audit >/dev/null; test ! -e /home/carol/phabgate", 0),
    ];
    for each in passed {
        site.passed_over(each);
    }
    // Where the server is another machine, its route is root's alone: a proxy or an authority of the caller's is not asked.
    site.prepare("sed -i 's|^url.*|url = \"https://phabricator.invalid/\"|; s/settle = .*/settle = \"60s\"/' /etc/phabgate/config.toml");
    let routes = [
        "HTTPS_PROXY=$EVIL sudo phabgate check T1",
        "https_proxy=$EVIL sudo phabgate check T1",
        "ALL_PROXY=$EVIL sudo phabgate check T1",
        "all_proxy=$EVIL NO_PROXY= sudo phabgate check T1",
        "SSL_CERT_FILE=/home/alice/lax.toml sudo phabgate check T1",
        "SSL_CERT_DIR=/home/alice sudo phabgate check T1",
    ];
    for script in routes {
        site.passed_over(("alice", script, 3));
        assert!(!site.sh("alice", script).out.contains("SSL_CERT"), "{script}");
    }
    println!("{} tries refused, {} passed over", tries.len(), passed.len() + routes.len());
}

#[test]
fn what_others_can_change_is_not_believed_and_doctor_says_so() {
    let Some(site) = Site::new() else { return };
    let faults = [
        ("chown alice /etc/phabgate/token", 4, "/etc/phabgate/token belongs to the user 7001, and must belong to root"),
        (
            "chmod 640 /etc/phabgate/token",
            4,
            "is open to others (its mode is 640): type `chmod 600 /etc/phabgate/token`",
        ),
        ("chown alice /etc/phabgate/config.toml", 2, "config.toml belongs to the user 7001, and must belong to root"),
        ("chmod g+w /etc/phabgate/config.toml", 2, "config.toml can be written by its group: type `chmod go-w"),
        ("chmod o+w /etc/phabgate/environment", 2, "environment can be written by everybody"),
        ("chown alice /etc/phabgate/environment", 2, "environment belongs to the user 7001, and must belong to root"),
        ("chmod 777 /etc/phabgate", 2, "/etc/phabgate can be written by everybody: type `chmod go-w /etc/phabgate`"),
        ("chmod g+w /etc", 2, "/etc can be written by its group"),
        (
            "mv /etc/phabgate /home/alice/p; ln -s /home/alice/p /etc/phabgate",
            2,
            "/home/alice belongs to the user 7001",
        ),
        ("echo 'PHABGATE_CONFIG=/etc/lax.toml' >>/etc/phabgate/environment", 2, "PHABGATE_CONFIG may not stand here"),
        ("echo 'hunter2=1' >>/etc/phabgate/environment", 2, "line 2: a name that may not stand here"),
        ("echo 'hunter2 = 1' >>/etc/phabgate/config.toml", 2, "/etc/phabgate/config.toml is wrong in line"),
        ("cat /etc/shadow >/etc/phabgate/config.toml", 2, "/etc/phabgate/config.toml is wrong in line"),
        (
            "echo \"PHABGATE_TOKEN=$(cat /etc/phabgate/token)\" >/etc/phabgate/environment",
            4,
            "environment is open to others",
        ),
    ];
    for (fault, code, says) in faults {
        site.prepare(fault);
        site.refused(("alice", "sudo phabgate run T1 -- echo DEPLOYED", 125, says));
        if code == 2 {
            site.refused(("alice", "sudo phabgate check T1", 2, says));
        }
        let came = site.sh("root", "phabgate doctor");
        let out: String = came.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            came.code == Some(code) && out.contains("NOT READY: look at"),
            "{fault}: {:?} {out} {}",
            came.code,
            came.err
        );
        site.prepare("rm -rf /etc/phabgate /home/alice/p; cp -a /etc/phabgate.good /etc/phabgate; chmod 755 /etc");
    }
    site.prepare("mkdir -m 700 /var/lib/phabgate 2>/dev/null || true; chmod 755 /var/lib/phabgate");
    let says = "is open to others (its mode is 755): type `chmod 700 /var/lib/phabgate`";
    site.refused(("alice", "sudo phabgate run T1 -- echo DEPLOYED", 125, says));
    site.prepare("chmod 700 /var/lib/phabgate; chmod 777 /var/lib");
    let says = "/var/lib can be written by everybody";
    site.refused(("alice", "sudo phabgate run T1 -- echo DEPLOYED", 125, says));
}

#[test]
fn without_sudo_what_other_users_plant_is_not_believed() {
    let Some(site) = Site::new() else { return };
    let token = site.server.running.token_of("deployer1").unwrap().unwrap();
    site.prepare(&format!(
        "umask 077; echo {token} >/home/alice/token; chown alice /home/alice/token
         umask 022; mkdir -p /tmp/m/phabgate /tmp/open/phabgate /home/mallory/.config/phabgate /home/alice/bin
         printf 'url = \"%s\"\\n' \"$EVIL\" >/tmp/m/phabgate/config.toml
         cp /tmp/m/phabgate/config.toml /home/mallory/.config/phabgate/
         cp /home/alice/token /home/mallory/.arcrc; cp /home/alice/token /tmp/m/token
         cp /tmp/m/phabgate/config.toml /tmp/open/phabgate/config.toml
         printf '#!/bin/sh\\ntouch /tmp/fooled\\n' >/home/mallory/getent; chmod 755 /home/mallory/getent
         chown -R alice /tmp/open /home/alice; chmod 777 /tmp/open; chown -R mallory /tmp/m /home/mallory
         ln -s /tmp/m/phabgate/config.toml /tmp/config-link; chown -h mallory /tmp/config-link
         ln -s /home/alice/token /tmp/token-link; chown -h mallory /tmp/token-link
         mkdir -p /home/alice/state; chmod 700 /home/alice/state; chown alice /home/alice/state
         mkdir -p /home/alice/wide; chmod 777 /home/alice/wide; chown alice /home/alice/wide
         mkdir -p /home/alice/shut; chown alice /home/alice/shut; chmod 0 /home/alice/shut
         ln -s /home/alice/state /tmp/state-link; chown -h mallory /tmp/state-link
         ln -s /home/alice/victim /tmp/out-link; chown -h mallory /tmp/out-link
         ln -s /home/alice /tmp/directory-link; chown -h mallory /tmp/directory-link
         ln -s /home/alice/.profile /tmp/m/phabgate.1; chown -h mallory /tmp/m/phabgate.1
         mkfifo -m 666 /tmp/pipe; chown mallory /tmp/pipe; touch /tmp/theirs; chown mallory /tmp/theirs; chmod 666 /tmp/theirs"
    ));
    let own = "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/home/alice/state; phabgate";
    let came = site.sh("alice", &format!("{own} check T1"));
    assert_eq!(came.code, Some(0), "{}{}", came.out, came.err);
    let (theirs, everybody) =
        ("belongs to the user 7002, and must belong to you or root", "can be written by everybody");
    let tries: Vec<(&str, String, i32, &str)> = [
        // Configurations.
        ("alice", "export XDG_CONFIG_HOME=/tmp/m; OWN check T1", 2, theirs),
        ("alice", "export XDG_CONFIG_HOME=/tmp/open; OWN check T1", 2, everybody),
        ("alice", "OWN check T1 --config /tmp/m/phabgate/config.toml", 2, theirs),
        ("alice", "OWN check T1 --config /tmp/config-link", 2, "is a link that belongs to the user 7002"),
        ("alice", "export PHABGATE_CONFIG=/tmp/m/phabgate/config.toml; OWN run T1 RUN", 125, theirs),
        ("alice", "export PHABGATE_CONFIG=/tmp/config-link; OWN run T1 RUN", 125, "is a link that belongs"),
        ("alice", "export HOME=/home/mallory; OWN check T1", 2, theirs),
        ("root", "HOME=/home/mallory phabgate check T1", 2, "belongs to the user 7002, and must belong to root"),
        ("root", "XDG_CONFIG_HOME=/tmp/m phabgate check T1", 2, "must belong to root"),
        ("root", "PHABGATE_CONFIG=/tmp/open/phabgate/config.toml phabgate check T1", 2, "must belong to root"),
        // Tokens, and where they go.
        ("alice", "PHABGATE_TOKEN_FILE=/tmp/m/token phabgate check T1", 4, theirs),
        ("alice", "PHABGATE_TOKEN_FILE=/tmp/token-link phabgate check T1", 4, "is a link that belongs to the user 7002"),
        ("alice", "cp token wide/ 2>/dev/null; cp -p /home/alice/token /home/alice/wide/; PHABGATE_TOKEN_FILE=/home/alice/wide/token phabgate check T1", 4, everybody),
        ("root", "PHABGATE_TOKEN_FILE=/home/alice/token phabgate check T1", 4, "must belong to root"),
        ("alice", "OWN check T1 --url $EVIL", 4, "and is not sent to"),
        ("alice", "export PHABGATE_URL=$EVIL; OWN check T1", 4, "and is not sent to"),
        ("root", "phabgate check T1 --url $EVIL", 4, "and is not sent to"),
        // State and cache.
        ("alice", "OWN check T1 >/dev/null; PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/tmp/m phabgate run T1 RUN", 125, theirs),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/tmp/m/state; phabgate run T1 RUN", 125, theirs),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/tmp/state-link; phabgate run T1 RUN", 125, "is a link that belongs"),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/home/alice/wide; phabgate run T1 RUN", 125, "is open to others"),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/home/alice/wide/s; phabgate run T1 RUN", 125, everybody),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token XDG_STATE_HOME=/tmp/m; phabgate run T1 RUN", 125, theirs),
        ("alice", "export PHABGATE_TOKEN_FILE=/home/alice/token PHABGATE_STATE=/home/alice/shut; phabgate run T1 RUN", 125, "/home/alice/shut"),
        ("alice", "export XDG_CACHE_HOME=/tmp/m; OWN audit", 3, theirs),
        ("alice", "export XDG_CACHE_HOME=/home/alice/wide; OWN audit", 3, everybody),
        // Files that are named to be written.
        ("alice", "OWN run T1 --result /tmp/out-link RUN", 125, "is a link that belongs to the user 7002"),
        ("alice", "OWN run T1 --result /tmp/directory-link/victim RUN", 125, "is a link that belongs to the user 7002"),
        ("alice", "OWN run T1 --result /tmp/pipe RUN", 125, "is a pipe, not a regular file"),
        ("alice", "OWN run T1 --result /tmp/theirs RUN", 125, "Operation not permitted"),
        ("alice", "OWN run T1 --result /dev/stderr RUN", 125, "made up by the kernel"),
        ("root", "phabgate run T1 --result /tmp/out-link RUN", 125, "is a link that belongs to the user 7002"),
        ("alice", "OWN man --output /tmp/directory-link/man", 2, "is a link that belongs to the user 7002"),
        ("root", "phabgate man --output /tmp/directory-link", 2, "is a link that belongs to the user 7002"),
        ("root", "phabgate man --output /tmp/m", 2, "phabgate.1 is a link that belongs to the user 7002"),
    ]
    .into_iter()
    .map(|(user, script, code, says)| (user, script.replace("OWN", own).replace("RUN", "-- echo DEPLOYED"), code, says))
    .collect();
    for (user, script, code, says) in &tries {
        site.refused((user, script, *code, says));
    }
    site.passed_over(("alice", &format!("export PATH=/home/mallory:$PATH; {own} check T1; test ! -e /tmp/fooled"), 0));
    site.passed_over(("alice", &format!("export TZ=:/dev/zero; {own} check T1"), 0));
    site.passed_over(("alice", "test ! -e /home/alice/victim; test ! -e /home/alice/.profile", 0));
    println!("{} tries refused, 3 passed over", tries.len());
}

#[test]
fn under_sudo_nobody_leads_the_log_astray() {
    let Some(site) = Site::new() else { return };
    site.prepare("mkdir -p /home/alice/log; chown alice /home/alice/log");
    let elsewhere = "export PHABGATE_LOG_ROOT=/home/alice/log TZ=Europe/Berlin;";
    let came = site.sh("alice", &format!("{elsewhere} sudo phabgate check T1"));
    assert_eq!(came.code, Some(0), "{}{}", came.out, came.err);
    let came = site.sh("mallory", &format!("{elsewhere} sudo phabgate run T1 -- echo DEPLOYED"));
    assert_eq!(came.code, Some(125), "{}{}", came.out, came.err);
    let entries = site.log.entries();
    let said: Vec<&str> = entries.iter().map(|entry| entry["MESSAGE"].as_str()).collect();
    let refused = "refused: mallory may not deploy on this machine, or not as this account";
    assert_eq!(said, ["T1: check by alice: allowed", refused]);
}
