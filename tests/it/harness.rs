//! What tests of the binary share: a command that sees nothing of the machine it runs on.

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// A machine of its own for one test: a home with an empty configuration, and no variable but those that are set here.
pub(crate) struct Machine {
    home: TempDir,
}

impl Machine {
    /// A machine on which nothing is configured.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // A file of the user's own keeps the one of the real machine, in /etc, out of the test.
        let mut directory = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o755);
        directory.recursive(true).create(home.path().join(".config/phabgate")).unwrap();
        std::fs::write(home.path().join(".config/phabgate/config.toml"), "").unwrap();
        Self { home }
    }

    /// Its home directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// `phabgate` on this machine, 80 columns wide. Its sandbox is the recorded world, which the tests know.
    pub(crate) fn phabgate(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phabgate"));
        command
            .env_clear()
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("PHABGATE_STATE", self.home().join("state"))
            .env("PHABGATE_LOG_ROOT", self.home().join("log"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("COLUMNS", "80").env("TZ", "UTC");
        command.env("PHABGATE_SANDBOX_WORLD", "recorded");
        command
    }

    /// What a command prints: its exit code, standard output and standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.phabgate().args(arguments).output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(self.home().to_str().unwrap(), "[HOME]").replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
        };
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }
}

/// A client of the test's own, which asks past every proxy.
pub(crate) fn http() -> reqwest::Client {
    // an error says that it was chosen before
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[test]
fn no_file_of_tests_is_forgotten() {
    let main = include_str!("main.rs");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_module = path.extension().is_some_and(|ending| ending == "rs") && name != "main";
        // A module of a module is named by it.
        let named = main.contains(&format!("mod {name};"))
            || std::fs::read_dir(path.parent().unwrap()).unwrap().any(|other| {
                let other = other.unwrap().path();
                other.is_file() && std::fs::read_to_string(&other).unwrap().contains(&format!("mod {name};"))
            });
        assert!(!is_module || named, "{name} is in no test binary");
    }
}
