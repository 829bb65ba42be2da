//! The token: which source decides, and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use phabgate::conduit::parse_url;
use phabgate::config::{Flags, Settings, load};
use phabgate::host::{CredentialsError, Environment, Ids, Token, TokenSource, find_token};
use phabgate::safe_path::PathError;
use tempfile::TempDir;

const ONE: &str = "api-oneoneoneoneoneoneoneoneone2";
const TWO: &str = "cli-twotwotwotwotwotwotwotwotwo2";
const THREE: &str = "api-threethreethreethreethree234";
const FOUR: &str = "cli-fourfourfourfourfourfour2345";

struct Machine {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        self.variables.push((name.to_owned(), value.as_ref().to_str().unwrap().to_owned()));
    }

    fn find(&self) -> Result<(Token, TokenSource), CredentialsError> {
        self.find_for("https://phab.example/", None)
    }

    /// Finds the token for a server, where the configuration names this one.
    fn find_for(&self, url: &str, configured: Option<&str>) -> Result<(Token, TokenSource), CredentialsError> {
        let me = rustix::process::geteuid().as_raw();
        let uid = if me == 0 { 1000 } else { me };
        let ids = Ids { uid, euid: uid, ..Ids::default() };
        let home = Some(self.dir.path().to_owned());
        let environment = Environment::new(self.variables.clone(), home, self.dir.path().to_owned(), ids);
        let bare =
            Environment::new([("PHABGATE_STATE", "/state")], None, PathBuf::from("/nonexistent"), Ids::default());
        let configured_url = configured.map(|url| parse_url(url).unwrap());
        let settings = Settings { configured_url, ..load(&Flags::default(), &bare).unwrap() };
        find_token(&environment, settings.configured_url.as_ref(), &parse_url(url).unwrap())
    }

    fn token(&self) -> String {
        self.find().unwrap().0.expose().to_owned()
    }
}

fn arcrc(token: &str) -> String {
    format!(r#"{{"hosts": {{"https://phab.example/api/": {{"token": "{token}"}}}}}}"#)
}

#[test]
fn the_first_source_that_is_there_decides() {
    let mut machine = Machine::new();
    assert!(matches!(machine.find(), Err(CredentialsError::Missing { .. })));
    machine.write(".arcrc", &arcrc(FOUR), 0o600);
    assert_eq!(machine.token(), FOUR);
    machine.set("CREDENTIALS_DIRECTORY", machine.path(""));
    assert_eq!(machine.token(), FOUR, "a service may have other credentials");
    machine.write("phabgate-token", THREE, 0o400);
    assert_eq!(machine.token(), THREE);
    machine.set("PHABGATE_TOKEN_FILE", machine.write("two", &format!("{TWO}\r\n"), 0o600));
    assert_eq!(machine.token(), TWO);
    assert_eq!(machine.find().unwrap().1, TokenSource::File(machine.path("two")));
    machine.set("PHABGATE_TOKEN", ONE);
    assert_eq!(machine.token(), ONE);
}

#[test]
fn a_token_is_not_in_its_debug_output() {
    let mut machine = Machine::new();
    machine.set("PHABGATE_TOKEN", ONE);
    let shown = format!("{:?}", machine.find().unwrap());
    assert!(!shown.contains("one"), "{shown}");
}

#[test]
fn only_its_owner_may_read_or_change_a_token() {
    for (mode, safe) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false), (0o601, false)] {
        let mut machine = Machine::new();
        machine.set("PHABGATE_TOKEN_FILE", machine.write("token", ONE, mode));
        assert_eq!(machine.find().is_ok(), safe, "{mode:o}");
        let machine = Machine::new();
        machine.write(".arcrc", &arcrc(ONE), mode);
        assert_eq!(machine.find().is_ok(), safe, ".arcrc {mode:o}");
    }
}

#[test]
fn a_link_is_followed_and_its_target_judged() {
    let mut machine = Machine::new();
    symlink(machine.write("token", ONE, 0o600), machine.path("link")).unwrap();
    machine.set("PHABGATE_TOKEN_FILE", machine.path("link"));
    assert_eq!(machine.token(), ONE);
    machine.write("token", ONE, 0o644);
    assert!(matches!(machine.find(), Err(CredentialsError::Unsafe { why: PathError::Open { mode: 0o644, .. }, .. })));
}

#[test]
fn systemd_may_let_the_group_of_root_read() {
    let mut machine = Machine::new();
    let path = machine.write("phabgate-token", ONE, 0o440);
    let by_root = fs::metadata(&path).map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata)).unwrap() == 0;
    machine.set("CREDENTIALS_DIRECTORY", machine.path(""));
    assert_eq!(machine.find().is_ok(), by_root);
    machine.write("phabgate-token", ONE, 0o444);
    assert!(machine.find().is_err());
    if by_root {
        machine.write("phabgate-token", ONE, 0o440);
        std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
        assert!(machine.find().is_err(), "of root alone");
    }
}

#[test]
fn a_token_goes_only_to_the_server_that_it_belongs_to() {
    let configured = Some("https://phab.example/");
    let other = "https://mallory.example/";
    let mut machine = Machine::new();
    machine.set("PHABGATE_TOKEN_FILE", machine.write("token", ONE, 0o600));
    assert!(machine.find_for("https://phab.example/prefix/", configured).is_ok());
    assert!(machine.find_for(other, None).is_ok(), "no other server is configured");
    for url in [other, "https://phab.example:8443/", "http://localhost/"] {
        let error = machine.find_for(url, configured).unwrap_err();
        assert!(matches!(error, CredentialsError::OtherServer { .. }), "{error}");
        assert!(error.to_string().contains("is for https://phab.example/, and is not sent to "), "{error}");
    }
    machine.set("PHABGATE_TOKEN", TWO);
    assert!(machine.find_for(other, configured).is_ok(), "it stands beside the URL");
    let mut machine = Machine::new();
    machine.set("CREDENTIALS_DIRECTORY", machine.path(""));
    machine.write("phabgate-token", THREE, 0o400);
    assert!(matches!(machine.find_for(other, configured), Err(CredentialsError::OtherServer { .. })));
    let machine = Machine::new();
    machine.write(".arcrc", &arcrc(FOUR), 0o600);
    assert!(
        machine.find_for("https://phab.example/", Some("https://configured.example/")).is_ok(),
        "arc knows by host"
    );
    assert!(matches!(machine.find_for(other, configured), Err(CredentialsError::Missing { .. })));
}

#[test]
fn a_token_that_another_user_can_replace_is_refused() {
    let mut machine = Machine::new();
    let directory = machine.path("shared");
    fs::create_dir(&directory).unwrap();
    machine.set("PHABGATE_TOKEN_FILE", machine.write("shared/token", ONE, 0o600));
    for (mode, safe) in [(0o755, true), (0o775, false), (0o757, false), (0o700, true)] {
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(machine.find().is_ok(), safe, "{mode:o}");
    }
    if rustix::process::geteuid().is_root() {
        for path in [machine.path("shared/token"), directory] {
            std::os::unix::fs::chown(&path, Some(54_321), None).unwrap();
            assert!(matches!(machine.find(), Err(CredentialsError::Unsafe { why: PathError::Owner { .. }, .. })));
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
    }
}

#[test]
fn what_is_no_token_is_told_without_showing_it() {
    let mut told = String::new();
    let mut tell = |name: &str, prepare: &dyn Fn(&mut Machine)| {
        let mut machine = Machine::new();
        prepare(&mut machine);
        let error = machine.find().unwrap_err();
        let (error, hint) = (error.to_string(), error.hint());
        assert!(!error.contains("secretive") && !error.contains("oneone"), "{error}");
        let real = machine.dir.path().canonicalize().unwrap();
        let error = error.replace(real.to_str().unwrap(), "").replace(machine.dir.path().to_str().unwrap(), "");
        writeln!(told, "{name}: {error}").unwrap();
        if let Some(hint) = hint {
            writeln!(told, "    {hint}").unwrap();
        }
    };
    let file = |machine: &mut Machine, text: &str, mode| {
        let path = machine.write("token", text, mode);
        machine.set("PHABGATE_TOKEN_FILE", path);
    };
    tell("nothing", &|_| {});
    tell("empty", &|machine| machine.set("PHABGATE_TOKEN", ""));
    tell("empty before a good one", &|machine| {
        machine.set("PHABGATE_TOKEN", "");
        file(machine, ONE, 0o600);
    });
    tell("empty file name", &|machine| machine.set("PHABGATE_TOKEN_FILE", ""));
    tell("empty directory", &|machine| machine.set("CREDENTIALS_DIRECTORY", ""));
    tell("relative directory", &|machine| machine.set("CREDENTIALS_DIRECTORY", "run"));
    tell("short", &|machine| machine.set("PHABGATE_TOKEN", "api-secretive"));
    tell("prefix", &|machine| machine.set("PHABGATE_TOKEN", "secretivesecretivesecretivesecre"));
    tell("blank", &|machine| machine.set("PHABGATE_TOKEN", "api-secretive secretive secretiv"));
    tell("no file", &|machine| machine.set("PHABGATE_TOKEN_FILE", machine.path("none")));
    tell("directory", &|machine| machine.set("PHABGATE_TOKEN_FILE", machine.path("")));
    tell("pipe", &|machine| {
        let path = machine.path("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        machine.set("PHABGATE_TOKEN_FILE", path);
    });
    tell("empty file", &|machine| file(machine, "", 0o600));
    tell("two lines", &|machine| file(machine, &format!("{ONE}\n{ONE}\n"), 0o600));
    tell("a line behind it", &|machine| file(machine, &format!("{ONE}\nsecretive\n"), 0o600));
    tell("a blank line behind it", &|machine| file(machine, &format!("{ONE}\r\n\r\n"), 0o600));
    tell("quotes", &|machine| file(machine, &format!("\"{ONE}\"\n"), 0o600));
    tell("byte order mark", &|machine| file(machine, &format!("\u{feff}{ONE}\n"), 0o600));
    tell("a blank behind it", &|machine| file(machine, &format!("{ONE} \n"), 0o600));
    tell("blanks alone", &|machine| file(machine, " \n", 0o600));
    tell("assignment", &|machine| file(machine, &format!("PHABGATE_TOKEN={ONE}\n"), 0o600));
    tell("quotes in the variable", &|machine| machine.set("PHABGATE_TOKEN", format!("'{ONE}'")));
    tell("unsafe file", &|machine| file(machine, ONE, 0o644));
    tell("large file", &|machine| file(machine, &"x".repeat(70_000), 0o600));
    tell("unsafe arcrc", &|machine| drop(machine.write(".arcrc", &arcrc(ONE), 0o644)));
    tell("arcrc of another host", &|machine| {
        machine.write(".arcrc", r#"{"hosts": {"https://other.example/api/": {"token": "x"}}}"#, 0o600);
    });
    tell("arcrc with comments", &|machine| drop(machine.write(".arcrc", "// secretive\n{}", 0o600)));
    tell("arcrc with a bad token", &|machine| drop(machine.write(".arcrc", &arcrc("secretive"), 0o600)));
    tell("arcrc with an odd entry of this host", &|machine| {
        machine.write(".arcrc", r#"{"hosts": {"https://phab.example/api/": ["secretive"]}}"#, 0o600);
    });
    tell("arcrc with a certificate", &|machine| {
        machine.write(".arcrc", r#"{"hosts": {"https://phab.example/api/": {"cert": "secretive"}}}"#, 0o600);
    });
    insta::assert_snapshot!(told);
}
