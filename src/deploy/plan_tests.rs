//! Tests of what will be run, and of what cannot be.

use std::fs;

use super::*;
use crate::host::Login;

fn caller() -> Identity {
    Identity::Caller(Login {
        uid: 1000,
        gid: 100,
        name: "ann".into(),
        home: "/home/ann".into(),
        shell: "/bin/zsh".into(),
    })
}

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

fn plan(argv: &[&str], pairs: &[(&str, &str)], identity: &Identity) -> Result<Plan, PlanError> {
    Plan::new(argv.iter().map(OsString::from), env(pairs), identity)
}

const GIVEN: &[(&str, &str)] = &[
    ("PATH", "/bin"),
    ("HOME", "/root"),
    ("MAIL", "/var/mail/root"),
    ("USER", "root"),
    ("SUDO_UID", "1000"),
    ("SUDO_COMMAND", "phabgate run"),
    ("PHABGATE_TOKEN", "secret"),
    ("PHABGATE_TOKEN_FILE", "/etc/secret"),
    ("PHABGATE_TOKENS", "secret"),
    ("PHABGATE_PAGER_TOKEN", "secret"),
    ("CREDENTIALS_DIRECTORY", "/run/secret"),
    ("PHABGATE_URL", "https://phab.example"),
    ("LANG", "C"),
];

#[test]
fn the_gates_secrets_stay_with_the_gate() {
    let own = plan(&["x"], GIVEN, &Identity::Own).unwrap();
    let expected: Vec<_> = GIVEN.iter().filter(|(_, value)| !value.contains("secret")).copied().collect();
    assert_eq!(own.env, env(&expected));
    assert_eq!(own.drop_to, None);
}

#[test]
fn a_caller_gets_their_own_environment_and_ids() {
    let plan = plan(&["x", "-y", "--"], GIVEN, &caller()).unwrap();
    let expected = [
        ("PATH", "/bin"),
        ("PHABGATE_URL", "https://phab.example"),
        ("LANG", "C"),
        ("HOME", "/home/ann"),
        ("USER", "ann"),
        ("LOGNAME", "ann"),
        ("SHELL", "/bin/zsh"),
    ];
    assert_eq!(plan.env, env(&expected));
    let ready = Ready { plan, setpriv: Some("/usr/bin/setpriv".into()), path: "/usr/bin/x".into() };
    let command = ready.command();
    assert_eq!(command.get_program(), "/usr/bin/setpriv");
    let args: Vec<_> = command.get_args().collect();
    assert_eq!(args, ["--reuid=1000", "--regid=100", "--init-groups", "--inh-caps=-all", "--", "x", "-y", "--"]);
}

#[test]
fn nothing_to_run_is_an_error() {
    for argv in [&[][..], &[""]] {
        let error = plan(argv, &[], &Identity::Own).unwrap_err();
        assert!(matches!(error, PlanError::Empty));
        assert_eq!(error.exit_code(), 125);
    }
}

#[test]
fn what_cannot_run_is_reported_before() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("plain"), "").unwrap();
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("good"), "").unwrap();
    fs::set_permissions(at("good"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(at("other")).unwrap();
    fs::write(at("other/plain"), "").unwrap();
    fs::set_permissions(at("other/plain"), fs::Permissions::from_mode(0o755)).unwrap();

    let first = directory.path().to_str().unwrap().to_owned();
    let both = format!("{first}:{}", at("other"));
    for (program, path, expected) in [
        (at("good"), "", 0),
        (at("plain"), "", 126),
        (at("directory"), "", 126),
        (at("none"), "", 127),
        (at("plain/below"), "", 127),
        ("good".to_owned(), &first, 0),
        ("plain".to_owned(), &first, 126),
        ("directory".to_owned(), &first, 126),
        ("none".to_owned(), &first, 127),
        // The second directory of the path has one that can be run.
        ("plain".to_owned(), &both, 0),
    ] {
        let ready = plan(&[&program], &[("PATH", path)], &Identity::Own).unwrap().preflight();
        assert_eq!(ready.map_or_else(|error| error.exit_code(), |_| 0), expected, "{program} in {path}");
    }
    assert!(plan(&["sh"], &[], &Identity::Own).unwrap().preflight().is_ok(), "without PATH");
}

#[test]
fn debug_shows_no_values() {
    let shown = format!("{:?}", plan(&["x", "--password=hunter2"], &[("KEY", "hunter2")], &Identity::Own).unwrap());
    assert!(shown.contains("KEY") && !shown.contains("hunter2"), "{shown}");
}
