//! The configuration from the outside: which file is read, what beats what, who may change it, and what is shown of it.

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
pub(crate) struct Machine {
    dir: TempDir,
    variables: Vec<(String, String)>,
    pub(crate) flags: Flags,
    ids: Ids,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        make_directory(&dir.path().join("home"));
        Self { dir, variables: Vec::new(), flags: Flags::default(), ids: user() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        make_directory(path.parent().unwrap());
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        self.variables.push((name.to_owned(), value.as_ref().to_str().unwrap().to_owned()));
    }

    pub(crate) fn load(&self) -> Result<Settings, ConfigError> {
        let root = self.dir.path().to_owned();
        let environment = Environment::new(self.variables.clone(), Some(self.path("home")), root, self.ids.clone());
        load(&self.flags, &environment.with_file()?)
    }

    /// A text with the directory of this test taken out.
    pub(crate) fn plain(&self, text: &str) -> String {
        let real = self.dir.path().canonicalize().unwrap();
        text.replace(real.to_str().unwrap(), "").replace(self.dir.path().to_str().unwrap(), "")
    }

    pub(crate) fn error(&self) -> String {
        self.plain(&self.load().unwrap_err().to_string())
    }
}

pub(crate) fn settings(text: &str) -> Settings {
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
