//! The configuration from the outside: which file is read, what beats what, and what every mistake is told.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use phabgate::cli::config::{check_text, show_json, show_text, toml_value};
use phabgate::conduit::Authorities;
use phabgate::config::{ConfigError, Flags, Origin, Settings, TEMPLATE, load};
use phabgate::host::{Environment, Ids, Sudo};
use phabgate::policy::Role;
use proptest::prelude::*;
use tempfile::TempDir;

/// The user whom the files of a test belong to; a user without root's rights where root runs the tests, whose files
/// everybody believes.
fn user() -> Ids {
    let me = rustix::process::geteuid().as_raw();
    let uid = if me == 0 { 1000 } else { me };
    Ids { uid, euid: uid, ..Ids::default() }
}

/// Makes a directory with those above it, whatever the umask.
fn make_directory(path: &Path) {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).unwrap();
}

/// A machine of its own: a root directory with a home in it, and variables.
struct Machine {
    dir: TempDir,
    variables: Vec<(String, String)>,
    flags: Flags,
    ids: Ids,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        make_directory(&dir.path().join("home"));
        Self { dir, variables: Vec::new(), flags: Flags::default(), ids: user() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        make_directory(path.parent().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        self.variables.push((name.to_owned(), value.as_ref().to_str().unwrap().to_owned()));
    }

    fn load(&self) -> Result<Settings, ConfigError> {
        let root = self.dir.path().to_owned();
        let environment = Environment::new(self.variables.clone(), Some(self.path("home")), root, self.ids.clone());
        load(&self.flags, &environment.with_file()?)
    }

    /// A text with the directory of this test taken out.
    fn plain(&self, text: &str) -> String {
        let real = self.dir.path().canonicalize().unwrap();
        text.replace(real.to_str().unwrap(), "").replace(self.dir.path().to_str().unwrap(), "")
    }

    fn error(&self) -> String {
        self.plain(&self.load().unwrap_err().to_string())
    }
}

fn settings(text: &str) -> Settings {
    let machine = Machine::new();
    machine.write("etc/phabgate/config.toml", text);
    machine.load().unwrap_or_else(|error| panic!("{error}"))
}

/// The template with its settings, and where `examples` its examples, uncommented.
fn uncommented(examples: bool) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if example.starts_with("    ") => {
            format!("{}\n", if examples { example.trim_start() } else { "" })
        }
        Some(words) if words.starts_with(' ') => "\n".to_owned(),
        Some(setting) => format!("{setting}\n"),
        None => format!("{line}\n"),
    };
    TEMPLATE.lines().map(line).collect()
}

#[test]
fn the_template_is_what_is_built_in() {
    let built_in = Machine::new().load().unwrap();
    for text in [TEMPLATE.to_owned(), uncommented(false)] {
        let read = settings(&text);
        assert_eq!(read.policy, built_in.policy);
        assert_eq!(read.policy.digest(), built_in.policy.digest());
        let values = |settings: &Settings| -> Vec<_> {
            let entries = settings.entries().into_iter().filter(|entry| entry.key != "state");
            entries.map(|entry| (entry.key, entry.value)).collect()
        };
        assert_eq!(values(&read), values(&built_in));
    }
}

#[test]
fn every_key_is_in_the_template_with_its_examples() {
    let read = settings(&uncommented(true));
    let unset: Vec<String> = read
        .entries()
        .into_iter()
        .filter(|entry| entry.origin == Origin::BuiltIn)
        .map(|entry| entry.key)
        .filter(|key| !key.starts_with("policy.teams.") && !key.starts_with("policy.reasons."))
        .collect();
    assert_eq!(unset, Vec::<String>::new());
    assert_eq!(read.policy.actions.len(), 1);
    assert_eq!(read.deployers["alice"], "Alice");
}

#[test]
fn the_built_in_policy_is_the_procedure() {
    let policy = Machine::new().load().unwrap().policy;
    assert_eq!(policy.tag, "emergency-deployment");
    assert_eq!(policy.field.as_deref(), Some("custom.emergency.reason"));
    assert_eq!(policy.train.as_deref(), Some("train-deployments"));
    assert_eq!(policy.required, ["releng", "sre"]);
    assert_eq!(policy.recorders, ["phabgate"]);
    assert_eq!(policy.max_age.as_hours(), 12);
    assert!(policy.accept_verified && !policy.accept_attested && !policy.self_approval && policy.require_open);
    assert!(policy.actions.is_empty() && policy.open_spaces.is_empty() && policy.follow_up.is_none());
    let teams: Vec<_> =
        policy.teams.iter().map(|team| (team.key.as_str(), team.project.as_str(), team.need, team.role)).collect();
    assert_eq!(
        teams,
        [
            ("releng", "release-engineering-team", 1, Role::Approve),
            ("sre", "sre", 1, Role::Approve),
            ("security", "security-team", 1, Role::Approve),
        ]
    );
    let reasons: Vec<_> = policy.reasons.iter().map(|reason| (reason.key.as_str(), reason.teams.len())).collect();
    assert_eq!(reasons, [("security", 1), ("data-loss", 0), ("availability", 0), ("abuse", 0), ("functionality", 0)]);
}

#[test]
fn scalars_are_overridden_one_by_one_and_tables_of_teams_whole() {
    let read = settings(
        r#"
        [policy]
        max_age = "1h"
        required = ["zeta"]
        [policy.teams.zeta]
        project = "Zeta"
        need = 2
        [policy.teams.alpha]
        project = "alpha"
        role = "inform"
        [policy.reasons.outage]
        teams = ["zeta"]
        "#,
    );
    assert_eq!(read.policy.tag, "emergency-deployment");
    assert_eq!(read.policy.max_age.as_mins(), 60);
    let teams: Vec<_> = read.policy.teams.iter().map(|team| (team.key.as_str(), team.need, team.role)).collect();
    assert_eq!(teams, [("zeta", 2, Role::Approve), ("alpha", 0, Role::Inform)], "in the order of the file");
    assert_eq!(read.policy.teams[0].project, "zeta");
    assert_eq!(read.policy.reasons.len(), 1);
    let line = |key: &str| match read.origins.of(key) {
        Origin::File { line, .. } => *line,
        other => panic!("{key} came from {other}"),
    };
    assert_eq!(line("policy.max_age"), 3);
    assert_eq!(line("policy.teams.zeta.need"), 7);
    assert_eq!(*read.origins.of("policy.tag"), Origin::BuiltIn);
}

#[test]
fn two_teams_may_share_a_project_and_no_other_word() {
    let text = |project: &str| {
        format!(
            "[policy]\nrequired = [\"a\"]\n[policy.teams.a]\nproject = \"a\"\n[policy.teams.b]\nproject = \"{project}\"\n"
        )
    };
    let reasons = "[policy.reasons.outage]\n";
    assert_eq!(settings(&format!("{}{reasons}", text("a"))).policy.teams.len(), 2);
    let machine = Machine::new();
    let alias = "aliases = [\"A\"]\n";
    machine.write("etc/phabgate/config.toml", &format!("{}{alias}{reasons}", text("a")));
    assert!(machine.error().contains("the teams `a` and `b` share the word `A`"));
    machine.write(
        "etc/phabgate/config.toml",
        &format!("{}{reasons}", text("b").replace("teams.a]\nproject = \"a\"", "teams.a]\nproject = \"b\"")),
    );
    assert!(machine.load().is_ok());
    machine.write(
        "etc/phabgate/config.toml",
        &format!("{}{reasons}", text("c").replace("teams.a]\nproject = \"a\"", "teams.a]\nproject = \"b\"")),
    );
    assert!(machine.error().contains("the teams `a` and `b` share the word `b`"));
}

#[test]
fn the_first_file_that_exists_is_read() {
    let mut machine = Machine::new();
    let tag = |machine: &Machine| machine.load().unwrap().policy.tag;
    assert_eq!(tag(&machine), "emergency-deployment");
    let file = |name: &str| format!("policy.tag = \"{name}\"\n");
    machine.write("etc/phabgate/config.toml", &file("system"));
    assert_eq!(tag(&machine), "system");
    machine.write("home/.config/phabgate/config.toml", &file("home"));
    assert_eq!(tag(&machine), "home");
    machine.write("xdg/phabgate/config.toml", &file("xdg"));
    machine.set("XDG_CONFIG_HOME", "xdg");
    assert_eq!(tag(&machine), "home", "a relative directory is ignored, as the specification says");
    machine.variables.clear();
    machine.set("XDG_CONFIG_HOME", machine.path("xdg"));
    assert_eq!(tag(&machine), "xdg");
    machine.set("PHABGATE_CONFIG", machine.write("variable.toml", &file("variable")));
    assert_eq!(tag(&machine), "variable");
    machine.flags.config = Some(machine.write("flag.toml", &file("flag")));
    assert_eq!(tag(&machine), "flag");
    assert_eq!(machine.load().unwrap().file, Some(machine.path("flag.toml")));
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let mut machine = Machine::new();
    assert!(machine.load().unwrap().server().is_err());
    machine.write("etc/phabgate/config.toml", "url = \"https://file.example\"\nstate = \"/file\"\n");
    let read = machine.load().unwrap();
    assert_eq!(read.server().unwrap().as_str(), "https://file.example/");
    assert!(matches!(read.origins.of("url"), Origin::File { line: 1, .. }));
    assert_eq!(read.state, Path::new("/file"));
    machine.set("PHABGATE_URL", "https://variable.example");
    machine.set("PHABGATE_STATE", "/variable");
    let read = machine.load().unwrap();
    assert_eq!(read.server().unwrap().as_str(), "https://variable.example/");
    assert_eq!(*read.origins.of("url"), Origin::Environment { name: "PHABGATE_URL" });
    assert_eq!(read.state, Path::new("/variable"));
    machine.flags.url = Some("https://flag.example".to_owned());
    let read = machine.load().unwrap();
    assert_eq!(read.server().unwrap().as_str(), "https://flag.example/");
    assert_eq!(*read.origins.of("url"), Origin::Flag { name: "--url" });
}

#[test]
fn the_journal_is_below_var_where_that_is_writable() {
    let mut machine = Machine::new();
    assert_eq!(machine.load().unwrap().state, machine.path("home/.local/state/phabgate"));
    machine.set("XDG_STATE_HOME", machine.path("states"));
    let read = machine.load().unwrap();
    assert_eq!(read.state, machine.path("states/phabgate"));
    assert_eq!(*read.origins.of("state"), Origin::Environment { name: "XDG_STATE_HOME" });
    fs::create_dir_all(machine.path("var/lib")).unwrap();
    assert_eq!(machine.load().unwrap().state, machine.path("var/lib/phabgate"));
}

#[test]
fn settle_may_be_short_on_loopback_alone() {
    let text = |url: &str| format!("url = \"{url}\"\nrecord.settle = \"1s\"\n");
    assert_eq!(settings(&text("http://127.0.0.1:1/")).record.settle.as_secs(), 1);
    let machine = Machine::new();
    machine.write("etc/phabgate/config.toml", &text("https://phab.example/"));
    assert!(machine.error().contains("record.settle: 1s is too short"));
}

/// Root, for whom `alice` typed sudo where `sudo`.
fn root(sudo: bool) -> Ids {
    let variable = |name: &str| sudo.then(|| if name == "SUDO_UID" { "1000" } else { "alice" }.into());
    Ids { uid: 0, euid: 0, sudo: Sudo::of(variable) }
}

/// Only root's own files are believed by root; the files of a test belong to whoever runs it.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn under_sudo_nothing_of_the_caller_is_looked_at() {
    if !is_root() {
        return;
    }
    let mut machine = Machine::new();
    machine.ids = root(true);
    machine.write("etc/phabgate/config.toml", "url = \"https://phab.example/\"\npolicy.tag = \"system\"\n");
    machine.write("home/.config/phabgate/config.toml", "policy.tag = \"home\"\n");
    let lax = machine.write("lax.toml", "policy.tag = \"lax\"\n");
    machine.set("PHABGATE_CONFIG", &lax);
    machine.set("XDG_CONFIG_HOME", machine.path("home/.config"));
    machine.set("XDG_STATE_HOME", machine.path("home"));
    machine.set("PHABGATE_URL", "https://mallory.example");
    machine.set("PHABGATE_STATE", machine.path("home"));
    machine.set("HTTPS_PROXY", "http://mallory.example:1");
    machine.set("SSL_CERT_FILE", &lax);
    let read = machine.load().unwrap();
    assert_eq!(read.policy.tag, "system");
    assert_eq!(read.server().unwrap().as_str(), "https://phab.example/");
    assert_eq!(read.state, machine.path("var/lib/phabgate"));
    assert!(read.route.proxy.is_none());
    assert_eq!(read.route.authorities, Authorities::SystemAlone);
}

#[test]
fn roots_environment_file_stands_for_the_environment_of_root() {
    if !is_root() {
        return;
    }
    let mut machine = Machine::new();
    let authorities = machine.write("etc/ca.pem", "");
    let text = format!(
        "# where it is\nPHABGATE_URL=https://file.example\nHTTPS_PROXY='http://proxy.example:1'\nSSL_CERT_FILE={}\n",
        authorities.display()
    );
    machine.write("etc/phabgate/config.toml", "url = \"https://phab.example/\"\n");
    machine.write("etc/phabgate/environment", &text);
    assert_eq!(machine.load().unwrap().server().unwrap().as_str(), "https://phab.example/", "a user has their own");
    for sudo in [false, true] {
        machine.ids = root(sudo);
        let read = machine.load().unwrap();
        assert_eq!(read.server().unwrap().as_str(), "https://file.example/");
        assert_eq!(read.configured_url.unwrap().as_str(), "https://file.example/");
        assert_eq!(read.route.proxy.unwrap().host(), "proxy.example:1");
        let named = Authorities::Named { file: Some(authorities.clone()), directories: Vec::new() };
        assert_eq!(read.route.authorities, named);
    }
    machine.set("PHABGATE_URL", "https://own.example");
    machine.set("HTTPS_PROXY", "http://own.example:2");
    let of = |machine: &Machine| {
        let read = machine.load().unwrap();
        (read.server().unwrap().to_string(), read.route.proxy.unwrap().host())
    };
    assert_eq!(of(&machine), ("https://file.example/".to_owned(), "proxy.example:1".to_owned()));
    machine.ids = root(false);
    assert_eq!(of(&machine), ("https://own.example/".to_owned(), "own.example:2".to_owned()));
}

#[test]
fn roots_files_are_refused_where_others_can_change_them() {
    if !is_root() {
        return;
    }
    let mut machine = Machine::new();
    machine.ids = root(true);
    let files = ["etc/phabgate/config.toml", "etc/phabgate/environment"].map(|name| machine.write(name, ""));
    let directories = [machine.path("etc/phabgate"), machine.path("etc")];
    assert!(machine.load().is_ok());
    for path in files.iter().chain(&directories) {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for bits in [0o020, 0o002] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode | bits)).unwrap();
            let said = machine.error();
            assert!(said.contains("can be written by"), "{}: {said}", path.display());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(path, Some(1000), None).unwrap();
        let said = machine.error();
        assert!(said.contains("belongs to the user 1000, and must belong to root"), "{}: {said}", path.display());
        std::os::unix::fs::chown(path, Some(0), None).unwrap();
    }
    fs::remove_file(&files[0]).unwrap();
    symlink("../../home/config.toml", &files[0]).unwrap();
    machine.write("home/config.toml", "");
    std::os::unix::fs::chown(machine.path("home"), Some(1000), None).unwrap();
    assert!(machine.error().contains("/home belongs to the user 1000"), "{}", machine.error());
}

#[test]
fn under_sudo_no_text_of_a_file_is_shown() {
    if !is_root() {
        return;
    }
    let secret = "root:$6$secret:1::::::\n";
    for (name, text, line) in [
        ("etc/phabgate/config.toml", secret.to_owned(), "line 1"),
        ("etc/phabgate/config.toml", "policy.tag = \"a\"\nsecret = 1\n".to_owned(), "line 2"),
        ("etc/phabgate/config.toml", "policy.required = [\"secret\"]\n".to_owned(), "line 1"),
        ("etc/phabgate/environment", secret.to_owned(), "line 1"),
        ("etc/phabgate/environment", "TZ=UTC\nSECRET=secret\n".to_owned(), "line 2"),
        ("etc/phabgate/environment", "PHABGATE_URL=secret\n".to_owned(), "PHABGATE_URL"),
        ("etc/phabgate/environment", "HTTPS_PROXY=secret://me\n".to_owned(), "HTTPS_PROXY"),
    ] {
        let mut machine = Machine::new();
        machine.ids = root(true);
        machine.write(name, &text);
        let said = machine.error();
        assert!(said.contains(line) && !said.to_lowercase().contains("secret") && !said.contains('\n'), "{said}");
    }
    let mut machine = Machine::new();
    machine.ids = root(true);
    machine.write("etc/phabgate/environment", "PHABGATE_CONFIG=/etc/other.toml\n");
    assert!(machine.error().contains("PHABGATE_CONFIG may not stand here"), "{}", machine.error());
}

#[test]
fn a_configuration_that_another_user_can_change_is_refused_without_sudo_too() {
    let mut machine = Machine::new();
    let path = machine.write("shared/phabgate/config.toml", "url = \"https://mallory.example/\"\n");
    machine.set("XDG_CONFIG_HOME", machine.path("shared"));
    assert!(machine.load().is_ok());
    fs::set_permissions(machine.path("shared"), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(machine.error().contains("/shared can be written by everybody: type `chmod go-w /shared`"));
    fs::set_permissions(machine.path("shared"), fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        for ids in [user(), root(false)] {
            machine.ids = ids;
            for path in [path.as_path(), path.parent().unwrap()] {
                std::os::unix::fs::chown(path, Some(54_321), None).unwrap();
                assert!(machine.error().contains("belongs to the user 54321"), "{}", machine.error());
                std::os::unix::fs::chown(path, Some(0), None).unwrap();
            }
        }
        machine.ids = root(false);
        machine.variables.clear();
        machine.write("home/.config/phabgate/config.toml", "");
        std::os::unix::fs::chown(machine.path("home"), Some(54_321), None).unwrap();
        assert!(machine.error().contains("/home belongs to the user 54321"), "root with another's home");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(noise in "\\PC{0,8}|[\\x00-\\x7f]{0,8}", from in 0.0..1.0f64, cut in 0..40usize) {
        let text = uncommented(true);
        let from = text.floor_char_boundary((text.len() as f64 * from) as usize);
        let to = text.floor_char_boundary(from + cut);
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", &format!("{}{noise}{}", &text[..from], &text[to..]));
        if let Err(error) = machine.load() {
            prop_assert!(error.render(true, Some(80)).contains("error"));
        }
    }
}

/// Every mistake and the words for it, read by a person in the snapshot.
#[test]
fn every_mistake_is_told_where_it_stands() {
    let team = "[policy.teams.sre]\nproject = \"sre\"\n";
    let sre = format!("[policy]\nrequired = [\"sre\"]\n{team}");
    let cases: &[(&str, String)] = &[
        ("not TOML", "url = https://x\n".into()),
        ("a key twice", "[policy]\ntag = \"a\"\ntag = \"b\"\n".into()),
        ("an unknown key near a known one", "[policy]\nmax-age = \"12h\"\n".into()),
        ("an unknown key", "colour = true\n".into()),
        ("an unknown table", "[polcy]\ntag = \"a\"\n".into()),
        ("an unknown key of a team", format!("{sre}needs = 2\n")),
        ("a token", "token = \"api-abcdefghijklmnopqrstuvwxyz23\"\n".into()),
        ("a wrong type", "[policy]\nself_approval = \"no\"\nmax_age = 12\nrequired = \"sre\"\n".into()),
        ("a day without quotes", "[irc.accounts.alice]\naccount = \"Alice\"\nsince = 2026-11-28\n".into()),
        ("a number in a list", "[policy]\nrequired = [\"sre\", 1]\n".into()),
        ("a value for a table", "policy = 1\n".into()),
        ("a duration", "[policy]\nmax_age = \"soon\"\nfollow_up = \"1 month\"\n".into()),
        ("no time at all", "[policy]\nmax_age = \"0h\"\n".into()),
        ("a hashtag", "[policy]\ntag = \"emergency deployment\"\n".into()),
        ("a custom field", "[policy]\nfield = \"emergency.reason\"\n".into()),
        ("a username", "[policy]\nrecorders = [\"@phabgate\"]\n".into()),
        ("a space", "[policy]\nopen_spaces = [\"S1\"]\n".into()),
        ("the same twice", "[policy]\nrequired = [\"sre\", \"sre\"]\n".into()),
        ("an invisible character", "[policy]\ntag = \"a\\u202eb\"\n".into()),
        ("an unknown word", "[policy]\naccept = [\"verifed\"]\n".into()),
        ("no approval counts", "[policy]\naccept = []\n".into()),
        ("a yes of no witness", "[policy]\naccept = [\"verified\", \"witnessed\"]\n".into()),
        ("a witness that is a recorder", "[policy]\nwitnesses = [\"heard\", \"Phabgate\"]\n".into()),
        ("nobody is required", "[policy]\nrequired = []\n".into()),
        ("an unknown team", "[policy]\nrequired = [\"releng\", \"ser\"]\n".into()),
        ("an unknown team of a reason", "[policy.reasons.outage]\nteams = [\"dba\"]\n".into()),
        ("teams without the built-in ones", team.into()),
        ("no teams", "[policy]\nrequired = [\"sre\"]\n[policy.teams]\n".into()),
        ("no reasons", "[policy.reasons]\n".into()),
        ("a need of nobody", format!("{sre}need = 0\n[policy.reasons.outage]\n")),
        ("a need of more people than there are", format!("{sre}need = 4000000000\n[policy.reasons.outage]\n")),
        ("a need of minus one", format!("{sre}need = -1\n[policy.reasons.outage]\n")),
        ("a need of the informed", format!("{sre}role = \"inform\"\nneed = 1\n[policy.reasons.outage]\n")),
        ("required, and only informed", format!("{sre}role = \"inform\"\n[policy.reasons.outage]\n")),
        (
            "a team without people",
            "[policy]\nrequired = [\"sre\"]\n[policy.teams.sre]\ntitle = \"SRE\"\n[policy.reasons.outage]\n".into(),
        ),
        ("a role", format!("{sre}role = \"approver\"\n")),
        ("the key of a team", "[policy.teams.\"Site Reliability\"]\nproject = \"sre\"\n".into()),
        ("an action without anybody", "[policy.actions]\nrollback = []\n".into()),
        ("an unknown action", "[policy.actions]\nroll-back = [\"sre\"]\n".into()),
        (
            "two reasons, one word",
            "[policy.reasons.outage]\naliases = [\"Site Down\"]\n[policy.reasons.site-down]\n".into(),
        ),
        (
            "two teams, one word",
            format!("{sre}[policy.teams.ops]\nproject = \"ops\"\ntitle = \"SRE\"\n[policy.reasons.outage]\n"),
        ),
        ("an alias that cannot be written", "[policy.reasons.outage]\naliases = [\"a, b\"]\n".into()),
        ("a pattern", "[record]\nmask = ['(', 'x*']\n".into()),
        ("a short settle", "url = \"https://phab.example/\"\n[record]\nsettle = \"10s\"\n".into()),
        ("a URL in clear", "url = \"http://phab.example/\"\n".into()),
        ("a URL with a password", "url = \"https://me:secret@phab.example/\"\n".into()),
        ("a relative directory", "state = \"~/state\"\n".into()),
        ("a proxy", "[http]\nproxy = \"none\"\n".into()),
        ("a log", "[log]\nsystem = \"syslog\"\n".into()),
        ("an empty text", "[contact]\nescalation = \" \"\n".into()),
        ("a deployer", "[deployers]\nalice = \"@Alice\"\nbob = 1\n".into()),
    ];
    let mut told = String::new();
    for (name, text) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(!error.contains("api-abc") && !error.contains("secret@"), "{error}");
        write!(told, "## {name}\n{error}\n\n").unwrap();
    }
    insta::assert_snapshot!(told);
}

/// The mistakes in who is paged and who is on call, and what is said of each.
#[test]
fn every_mistake_about_paging_is_told_where_it_stands() {
    let cases = [
        ("[paging]\nalertmanager = \"http://am.example/\"", "paging.alertmanager", "for everybody to read"),
        ("[paging]\nalertmanager = \"https://am.example/api/v2/\"", "paging.alertmanager", "without /api"),
        (
            "[paging]\nalertmanager = \"https://me:pass@am.example/\"",
            "paging.alertmanager",
            "holds a name or a password",
        ),
        ("[paging]\nfor = [\"@alice\"]", "paging.for", "write it without the @"),
        ("[paging]\npage_after = \"40m\"", "paging.page_after", "the next stage has to come after the first page"),
        ("[paging]\nescalate_after = \"5m\"", "paging.escalate_after", "the next stage has to come after"),
        ("[paging]\nack_fr = \"5m\"", "paging.ack_fr", "did you mean `ack_for`?"),
        ("[paging]\ndrills = \"no\"", "paging.drills", "expected true or false"),
        ("[paging.webhook]\nurl = \"https://pager.example/\"", "paging.webhook", "has no `secret`"),
        ("[paging.webhook]\nsecret = \"/s\"", "paging.webhook", "has no `url`"),
        (
            "[paging.webhook]\nurl = \"https://pager.example/\"\nsecret = \"s\"",
            "paging.webhook.secret",
            "absolute path",
        ),
        ("[oncall.srre]\nfile = \"/f\"", "oncall.srre", "did you mean `sre`?"),
        ("[oncall.sre]", "oncall.sre", "says nowhere who is on call"),
        ("[oncall.sre]\nfile = \"/f\"\ncommand = [\"/c\"]", "oncall.sre", "has both"),
        ("[oncall.sre]\ncommand = \"/c sre\"", "oncall.sre.command", "expected a list of strings"),
        ("[oncall.sre]\ncommand = []", "oncall.sre.command", "names no program"),
        ("[oncall.sre]\ncommand = [\"on-call\", \"sre\"]", "oncall.sre.command", "is not an absolute path"),
    ];
    for (text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(key) && error.contains(words) && !error.contains("me:pass@"), "{text}: {error}");
    }
    let read = settings("[oncall.sre]\ncommand = [\"/usr/bin/on-call\", \"-v\", \"-v\"]");
    assert!(!read.paging.has_pager(), "nothing is contacted that is not configured");
    assert_eq!(read.paging.on_call.len(), 1);
}

/// The mistakes in what the watch is set up with, and what is said of each.
#[test]
fn every_mistake_about_the_watch_is_told_where_it_stands() {
    let digest = "0f".repeat(32);
    let token = |lines: &str| format!("[serve.tokens.ci]\nsha256 = \"{digest}\"\n{lines}");
    let serve = |line: &str| format!("[serve]\n{line}\n");
    let cases: &[(&str, String, &str, &str)] = &[
        (
            "a path in the URL",
            serve("url = \"https://watch.example/x\""),
            "serve.url",
            "is not the URL of a host alone",
        ),
        ("no URL", serve("url = \"watch.example\""), "serve.url", "is not a URL"),
        ("an address without a port", serve("listen = \"127.0.0.1\""), "serve.listen", "is not an address with a port"),
        ("a misspelt notice", serve("notices = [\"redy\"]"), "serve.notices", "did you mean `ready`?"),
        ("no time", serve("notice_window = \"0s\""), "serve.notice_window", ""),
        ("a relative file", serve("webhook_keys = \"keys\""), "serve.webhook_keys", "is not an absolute path"),
        ("the name of a proxy", serve("trusted_proxies = [\"proxy\"]"), "serve.trusted_proxies", "is not an address"),
        (
            "a mode for everybody",
            serve("socket = \"/s\"\nsocket_mode = \"0666\""),
            "serve.socket_mode",
            "be a trusted proxy",
        ),
        ("no mode", serve("socket = \"/s\"\nsocket_mode = \"rw\""), "serve.socket_mode", "is not the mode of a file"),
        (
            "a mode for nobody",
            serve("socket = \"/s\"\nsocket_mode = \"0060\""),
            "serve.socket_mode",
            "shut the service itself out",
        ),
        ("the mode of no socket", serve("socket_mode = \"0660\""), "serve.socket_mode", "is the mode of no socket"),
        (
            "a header with a blank",
            serve("identity_header = \"X User\""),
            "serve.identity_header",
            "is not the name of a header",
        ),
        (
            "an identity without a secret",
            serve("identity_header = \"X-User\""),
            "serve.identity_header",
            "set `identity_secret` too",
        ),
        (
            "an identity of no proxy",
            serve("identity_header = \"X-User\"\nidentity_secret = \"/secret\""),
            "serve.identity_header",
            "name the address of the proxy in `trusted_proxies`",
        ),
        ("a URL for all to read", serve("url = \"http://watch.example/\""), "serve.url", "for everybody to read"),
        (
            "a token of two names",
            format!(
                "[serve.tokens.a]\nsha256 = \"{0}\"\nscopes = [\"read\"]\n[serve.tokens.b]\nsha256 = \"{0}\"\nscopes = [\"read\"]\n",
                "ab".repeat(32)
            ),
            "serve.tokens.b.sha256",
            "is the token of another name too",
        ),
        ("a viewer with an @", serve("viewers = [\"@alice\"]"), "serve.viewers", "write it without the @"),
        ("an unknown key", serve("lisen = \"127.0.0.1:1\""), "serve.lisen", "did you mean `listen`?"),
        ("the name of a token", "[serve.tokens.\"my token\"]\n".into(), "serve.tokens", "cannot be a key"),
        (
            "a token without a digest",
            "[serve.tokens.ci]\nscopes = [\"read\"]\n".into(),
            "serve.tokens.ci",
            "has no `sha256`",
        ),
        (
            "a token in the place of its digest",
            "[serve.tokens.ci]\nsha256 = \"the-token-itself\"\nscopes = [\"read\"]\n".into(),
            "serve.tokens.ci.sha256",
            "is no SHA-256",
        ),
        ("a token for nothing", token(""), "serve.tokens.ci", "has no `scopes`"),
        (
            "an unknown scope",
            token("scopes = [\"write\"]\n"),
            "serve.tokens.ci.scopes",
            "known here are `read` and `deploy`",
        ),
        ("a pipeline for anybody", token("scopes = [\"deploy\"]\n"), "serve.tokens.ci", "has no `deployers`"),
        (
            "an unknown key of a token",
            token("scopes = [\"read\"]\nuser = \"a\"\n"),
            "serve.tokens.ci.user",
            "unknown key",
        ),
        (
            "a watch in clear",
            "[watch]\nurl = \"http://watch.example/\"\n".into(),
            "watch.url",
            "would send the token in clear",
        ),
        ("another key of the watch", "[watch]\ntoken = \"x\"\n".into(), "watch.token", ""),
    ];
    for (name, text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(&format!("error: {key}")) && error.contains(words), "{name}: {error}");
        assert!(error.contains(" = help: ") && error.contains("/etc/phabgate/config.toml:"), "{name}: {error}");
    }
}

/// The mistakes in what IRC is set up with. What the bot alone has a use for is read where there is one.
#[cfg(feature = "serve")]
#[test]
fn every_mistake_about_irc_is_told_where_it_stands() {
    let irc = |lines: &str| format!("[irc]\n{lines}\n");
    let alice = |lines: &str| format!("[irc.accounts.alice]\n{lines}\n");
    let cases: &[(&str, String, &str, &str)] = &[
        (
            "no port",
            irc("tcpircbot = \"tcpircbot.example\""),
            "irc.tcpircbot",
            "is not a host with a port: it names no port",
        ),
        ("a URL", irc("server = \"ircs://irc.example:6697\""), "irc.server", "it names no host"),
        ("a port too high", irc("server = \"irc.example:70000\""), "irc.server", "no port from 1 to 65535"),
        (
            "plain text",
            irc("server = \"irc.example:6667\"\ntls = false"),
            "irc.tls",
            "irc.example:6667 is not this machine",
        ),
        ("a relative file", irc("ca = \"ca.pem\""), "irc.ca", "is not an absolute path"),
        ("a nick with a blank", irc("nick = \"phab gate\""), "irc.nick", "is not a nick"),
        ("a channel without its mark", irc("channels = [\"operations\"]"), "irc.channels", "is not a channel"),
        (
            "a channel with a key",
            irc("channels = [\"#ops key\"]"),
            "irc.channels",
            "a channel with a key is not supported",
        ),
        ("two channels in one", irc("channels = [\"#a,#b\"]"), "irc.channels", "is not a channel"),
        (
            "an account without proof",
            irc("server = \"irc.example:6697\"\naccount = \"a\""),
            "irc.account",
            "name a file in `password_file`",
        ),
        (
            "an account of nowhere",
            irc("account = \"a\"\npassword_file = \"/p\""),
            "irc.account",
            "belongs to no network",
        ),
        ("a password of nobody", irc("password_file = \"/p\""), "irc.password_file", "name the services account"),
        (
            "a certificate without TLS",
            irc("server = \"localhost:6667\"\ntls = false\naccount = \"a\"\ncertificate_file = \"/c\""),
            "irc.certificate_file",
            "is shown over TLS alone",
        ),
        (
            "a password in the place of its file",
            irc("password_file = \"correct-horse\""),
            "irc.password_file",
            "put what is secret into it",
        ),
        (
            "a password",
            irc("password = \"correct-horse\""),
            "irc.password",
            "a password never stands in the configuration",
        ),
        ("another key", irc("chanels = [\"#a\"]"), "irc.chanels", "did you mean `channels`?"),
        (
            "an account that stands for nobody",
            alice("since = \"2026-11-28\""),
            "irc.accounts.alice",
            "has no `account`",
        ),
        ("an account without a day", alice("account = \"Alice\""), "irc.accounts.alice", "has no `since`"),
        (
            "a day to come",
            alice("account = \"Alice\"\nsince = \"2999-01-01\""),
            "irc.accounts.alice.since",
            "2999-01-01 is in the future",
        ),
        ("no day", alice("account = \"Alice\"\nsince = \"today\""), "irc.accounts.alice.since", "is not a day"),
        (
            "an account with an @",
            alice("account = \"@Alice\"\nsince = \"2026-11-28\""),
            "irc.accounts.alice.account",
            "write it without the @",
        ),
        (
            "no account",
            "[irc.accounts.\"a b\"]\naccount = \"A\"\nsince = \"2026-11-28\"\n".into(),
            "irc.accounts",
            "is not a services account",
        ),
        (
            "an account twice",
            format!(
                "{0}[irc.accounts.ALICE]\naccount = \"Bob\"\nsince = \"2026-11-28\"\n",
                alice("account = \"Alice\"\nsince = \"2026-11-28\"")
            ),
            "irc.accounts.ALICE",
            "case means nothing on IRC",
        ),
    ];
    for (name, text, key, words) in cases {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", text);
        let error = machine.error();
        assert!(error.contains(&format!("error: {key}")) && error.contains(words), "{name}: {error}");
        assert!(error.contains(" = help: ") && error.contains("/etc/phabgate/config.toml:"), "{name}: {error}");
        assert!(!error.contains("correct-horse"), "{name}: {error}");
    }
}

/// What is wrong around the file.
#[test]
fn a_file_or_variable_that_cannot_be_used_is_named() {
    let mut told = String::new();
    let mut tell = |name: &str, prepare: &dyn Fn(&mut Machine)| {
        let mut machine = Machine::new();
        prepare(&mut machine);
        writeln!(told, "{name}: {}", machine.error()).unwrap();
    };
    tell("flag, no file", &|machine| machine.flags.config = Some(machine.path("none.toml")));
    tell("variable, no file", &|machine| machine.set("PHABGATE_CONFIG", machine.path("none.toml")));
    tell("empty flag", &|machine| machine.flags.config = Some(PathBuf::new()));
    tell("empty variable", &|machine| machine.set("PHABGATE_CONFIG", ""));
    tell("empty url", &|machine| machine.flags.url = Some(String::new()));
    tell("empty url variable", &|machine| machine.set("PHABGATE_URL", ""));
    tell("url", &|machine| machine.flags.url = Some("phab.example".to_owned()));
    tell("url variable", &|machine| machine.set("PHABGATE_URL", "http://phab.example"));
    tell("empty state", &|machine| machine.set("PHABGATE_STATE", ""));
    tell("relative state", &|machine| machine.set("PHABGATE_STATE", "state"));
    tell("directory", &|machine| machine.flags.config = Some(machine.path("home")));
    tell("dangling link", &|machine| {
        symlink("nowhere", machine.path("link")).unwrap();
        machine.flags.config = Some(machine.path("link"));
    });
    tell("not text", &|machine| {
        fs::write(machine.path("x.toml"), b"\xff").unwrap();
        machine.flags.config = Some(machine.path("x.toml"));
    });
    tell("too large", &|machine| machine.flags.config = Some(machine.write("x.toml", &"#\n".repeat(200_000))));
    tell("writable by all", &|machine| {
        let path = machine.write("x.toml", "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        machine.flags.config = Some(path);
    });
    insta::assert_snapshot!(told);
}

#[test]
fn what_show_prints_can_be_read_back() {
    for text in [String::new(), uncommented(true)] {
        let shown = settings(&text);
        let line = |key: &str, value: &serde_json::Value| format!("{key} = {}\n", toml_value(value));
        let entries = shown.entries();
        let set = entries.iter().filter(|entry| !entry.value.is_null());
        let written: String = set.map(|entry| line(&entry.key, &entry.value)).collect();
        let read = settings(&written);
        let values = |entries: Vec<phabgate::config::SettingEntry>| -> Vec<_> {
            entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
        };
        assert_eq!(values(read.entries()), values(entries));
        assert_eq!(read.policy.digest(), shown.policy.digest());
    }
}

#[test]
fn show_prints_every_value_and_its_origin() {
    let machine = Machine::new();
    machine.write(
        "etc/phabgate/config.toml",
        "url = \"https://phab.example/\"\n[policy]\nmax_age = \"90m\"\n[deployers]\nalice = \"Alice\"\n",
    );
    let settings = machine.load().unwrap();
    insta::assert_snapshot!(machine.plain(&show_text(&settings, Err("no server is configured"), 120)));
    let narrow = show_text(&settings, Err("no server is configured"), 60);
    for line in narrow.lines().skip(2) {
        assert!(line.chars().count() <= 60 || !line.trim().contains(' '), "{line}");
    }
    let json = serde_json::to_value(show_json(&settings, Err("no server is configured"))).unwrap();
    let value =
        |key: &str| json["values"].as_array().unwrap().iter().find(|value| value["key"] == key).unwrap().clone();
    assert_eq!(json["schema"], "phabgate/config/1");
    assert_eq!(value("policy.max_age")["value"], "1h 30m");
    assert_eq!(value("policy.max_age")["origin"]["line"], 3);
    assert_eq!(value("policy.tag")["origin"], serde_json::json!({"kind": "built-in"}));
    assert!(machine.plain(&check_text(&settings)).starts_with("ok: /etc/phabgate/config.toml\npolicy sha256:"));
}

#[test]
fn a_finding_is_accepted_by_its_id_and_with_a_reason() {
    let read = settings("[audit]\naccepted = [{ finding = \"rule-failed T12 3F2A9C01\", why = \"looked at\" }]\n");
    assert_eq!((read.accepted.len(), read.accepted[0].why.as_str()), (1, "looked at"));
    assert_eq!(read.accepted[0].finding.to_string(), "rule-failed T12 3f2a9c01");
    assert_eq!(read.policy.digest(), settings("").policy.digest(), "it is no part of the policy");
    for (text, words) in [
        ("accepted = [{ finding = \"rule-failed T12\", why = \"w\" }]", "identifies no finding"),
        ("accepted = [{ finding = \"rule-failed T12 3f2a9c01\" }]", "has no `why`"),
        ("accepted = [{ why = \"w\" }]", "has no `finding`"),
        ("accepted = [{ finding = \"a T1 3f2a9c01\", why = \"w\", task = 1 }]", "unknown key"),
        ("accepted = [\"rule-failed T12 3f2a9c01\"]", "expected a table"),
        (
            "accepted = [{ finding = \"a T1 3f2a9c01\", why = \"w\" }, { finding = \"a T1 3f2a9c01\", why = \"v\" }]",
            "stands twice",
        ),
    ] {
        let machine = Machine::new();
        machine.write("etc/phabgate/config.toml", &format!("[audit]\n{text}\n"));
        let error = machine.error();
        assert!(error.contains(words), "{text}: {error}");
    }
}
