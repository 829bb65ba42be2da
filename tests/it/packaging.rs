//! What is packaged: that it fits to the gate and to what docs/install.md says of it.
//!
//! That a package installs, upgrades and purges is tried with `packaging/try`, which needs a root of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;
use crate::sudo::sudoers;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files(directory: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The lines of a text that are no comments.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped(without: &str) {
    eprintln!("skipped: there is no {without}");
}

#[test]
fn the_example_of_sudoers_is_the_documented_one() {
    let documented = sudoers().replace("/usr/local/bin/", "/usr/bin/");
    let packaged = read("packaging/phabgate.sudoers");
    let trimmed = |text: &str| lines(text).into_iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&packaged), trimmed(&documented));
    let visudo =
        Command::new("/usr/sbin/visudo").args(["-cqf"]).arg(root().join("packaging/phabgate.sudoers")).output();
    if let Ok(output) = visudo {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_file_that_is_packaged_is_there() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        if source.starts_with("target/") {
            continue;
        }
        let there = match source.split_once('*') {
            Some((directory, ending)) => files(directory).iter().any(|path| path.to_string_lossy().ends_with(ending)),
            None => root().join(source).is_file(),
        };
        assert!(there, "{source}");
    }
    let newest = read("packaging/debian/changelog");
    assert!(newest.starts_with(&format!("phabgate ({}-", env!("CARGO_PKG_VERSION"))), "{newest}");
    assert!(root().join(deb["changelog"].as_str().unwrap()).is_file());
}

#[test]
fn the_scripts_are_scripts() {
    let scripts = ["packaging/build", "packaging/try", "packaging/write-metrics"].map(|path| root().join(path));
    let of_dpkg = ["postinst", "prerm", "postrm"].map(|name| root().join("packaging/debian").join(name));
    for script in scripts.iter().chain(&of_dpkg) {
        let output = Command::new("sh").arg("-n").arg(script).output().unwrap();
        assert!(output.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_unit_waits_for_a_configuration_and_runs_what_there_is() {
    let server = Server::new();
    let units = files("packaging/systemd");
    assert_eq!(units.len(), 7);
    for unit in units {
        let text = std::fs::read_to_string(&unit).unwrap();
        let name = unit.file_name().unwrap().to_str().unwrap();
        // The watch has a user of its own, who cannot read the environment file: systemd hands the token to it.
        let is_watch = name == "phabgate-serve.service";
        for file in ["config.toml", if is_watch { "token" } else { "environment" }] {
            assert!(text.contains(&format!("\nConditionPathExists=/etc/phabgate/{file}\n")), "{name}: {file}");
        }
        let page = text.lines().find_map(|line| line.strip_prefix("Documentation=man:phabgate-")).unwrap();
        let page: Vec<&str> = page.trim_end_matches("(1)").split('-').collect();
        assert_eq!(server.machine.run(&[&["man"], &page[..]].concat()).0, 0, "{name}: {page:?}");
        let Some(started) = text.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/phabgate ")) else {
            continue;
        };
        let words: Vec<&str> = started.split(' ').chain(["--help"]).collect();
        assert_eq!(server.machine.run(&words).0, 0, "{name}: {started}");
        let state = if is_watch { "phabgate-serve" } else { "phabgate" };
        assert!(text.contains(&format!("\nStateDirectory={state}\nStateDirectoryMode=0700\n")), "{name}");
    }
    let timers = read("docs/install.md");
    for unit in files("packaging/systemd").iter().filter(|unit| unit.extension().is_some_and(|it| it == "timer")) {
        let name = unit.file_name().unwrap().to_str().unwrap();
        assert!(timers.contains(&format!("`{name}`")), "{name} is in no table");
    }
}

#[test]
fn systemd_takes_every_unit() {
    let directory = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    for unit in files("packaging/systemd") {
        // What is started is there, wherever the tests run.
        let text = std::fs::read_to_string(&unit).unwrap();
        let text = text.replace("/usr/bin/phabgate", env!("CARGO_BIN_EXE_phabgate"));
        let text = text.replace("/usr/libexec/phabgate/", &format!("{}/packaging/", root().display()));
        let path = directory.path().join(unit.file_name().unwrap());
        std::fs::write(&path, text).unwrap();
        verify.arg(path);
    }
    let Ok(output) = verify.output() else { return skipped("systemd-analyze") };
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn the_watch_has_no_right_but_to_serve() {
    let unit = read("packaging/systemd/phabgate-serve.service");
    for line in [
        "Type=notify",
        "WatchdogSec=30",
        "Restart=on-failure",
        "DynamicUser=yes",
        "LoadCredential=phabgate-token:/etc/phabgate/token",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ] {
        assert!(lines(&unit).contains(&line), "{line}");
    }
    // What starts without being asked is named in the script of the package.
    let enabled = read("packaging/debian/postinst");
    let started = enabled.lines().filter(|line| line.contains(" enable ") || line.contains("invoke start"));
    assert!(started.clone().count() == 2 && started.clone().all(|line| !line.contains("serve")), "{enabled}");
}

#[test]
fn the_example_of_a_proxy_believes_nobody_but_itself() {
    let example = read("packaging/nginx.example");
    let directives: Vec<&str> = lines(&example).into_iter().map(str::trim).collect();
    // A location with headers of its own takes none of those above it: each says where the request came from.
    let locations: Vec<&str> = example.split("location ").collect();
    for location in locations.iter().filter(|part| part.contains("proxy_set_header")) {
        for header in [
            "X-Forwarded-For $remote_addr",
            "Host $http_host",
            "Forwarded \"\"",
            "X-Remote-User",
            "Phabgate-Proxy-Secret",
        ] {
            assert!(location.contains(&format!("proxy_set_header {header}")), "{header}: {location}");
        }
    }
    assert_eq!(directives.iter().filter(|line| **line == "proxy_buffering off;").count(), 2, "streams are not held up");
    let Ok(directory) = tempfile::tempdir() else { return };
    let path = |name: &str| directory.path().join(name).display().to_string();
    let key = include_str!("tls/server.key");
    std::fs::write(path("key.pem"), key).unwrap();
    std::fs::write(path("chain.pem"), include_str!("tls/server.pem")).unwrap();
    let site = example.replace("/etc/ssl/certs/watch.example.org.pem", &path("chain.pem"));
    std::fs::write(path("site.conf"), site.replace("/etc/ssl/private/watch.example.org.key", &path("key.pem")))
        .unwrap();
    let whole =
        format!("events {{}}\npid {};\nhttp {{ access_log off; include {}; }}\n", path("pid"), path("site.conf"));
    std::fs::write(path("nginx.conf"), whole).unwrap();
    let nginx = ["/usr/sbin/nginx", "nginx"].iter().find_map(|name| {
        Command::new(name).args(["-t", "-q", "-c", &path("nginx.conf"), "-e", "stderr"]).output().ok()
    });
    let Some(output) = nginx else { return skipped("nginx") };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_example_of_the_environment_names_all_that_may_stand_there() {
    let example = read("packaging/environment.example");
    let named = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.trim_start_matches('#'));
        let names = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        names.filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).map(str::to_owned).collect()
    };
    let documented = read("docs/install.md");
    let listed = documented.split_once("What may stand in the environment file:").unwrap().1;
    let listed = listed.split_once("no child ever sees it").unwrap().0;
    for name in named(&example) {
        assert!(listed.contains(&format!("`{name}`")), "{name}");
    }
    assert_eq!(lines(&example), ["PHABGATE_TOKEN_FILE=/etc/phabgate/token"], "what is no comment");
}

#[test]
fn metrics_are_written_whole_or_not_at_all() {
    let server = Server::new();
    let directory = tempfile::tempdir().unwrap();
    let metrics = directory.path().join("phabgate.prom");
    let write = |broken: bool| {
        let template = server.phabgate();
        let mut command = Command::new(root().join("packaging/write-metrics"));
        command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PHABGATE", env!("CARGO_BIN_EXE_phabgate")).arg(directory.path());
        if broken {
            command.env("PHABGATE_CONFIG", "/nonexistent/config.toml");
        }
        command.output().unwrap().status.code()
    };
    assert_eq!(write(true), Some(2));
    assert!(!metrics.exists());
    assert_eq!(write(false), Some(0), "findings are what the metrics are for");
    let first = std::fs::read_to_string(&metrics).unwrap();
    assert!(first.contains("\nphabgate_audit_complete 1\n"), "{first}");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metrics.metadata().unwrap().permissions()) & 0o777, 0o644);
    assert_eq!(write(true), Some(2));
    assert_eq!(std::fs::read_to_string(&metrics).unwrap(), first, "the last metrics stay");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing half is left");
}

#[test]
fn the_schemas_are_documented() {
    let page = read("docs/schemas.md");
    let row = |schema: &str| page.lines().find(|line| line.starts_with(&format!("| `{schema}` |")));
    let mut schemas = std::collections::BTreeSet::new();
    for path in crate::sources::rust_files(&root().join("src")) {
        let source = std::fs::read_to_string(path).unwrap();
        let consts = source.lines().filter(|line| line.contains("SCHEMA: &str = \"phabgate/"));
        schemas.extend(consts.map(|line| line.split('"').nth(1).unwrap().to_owned()));
    }
    assert!(schemas.len() > 15, "{schemas:?}");
    for schema in &schemas {
        assert!(row(schema).is_some(), "{schema} is not in docs/schemas.md");
    }
    let server = Server::new();
    let result = server.machine.home().join("result.json");
    let run = ["run", "T1", "--deployer", "deployer1", "--result", result.to_str().unwrap(), "--", "true"];
    assert_eq!(server.run(&run).0, 0);
    let mut printed = vec![std::fs::read_to_string(result).unwrap()];
    for words in [
        "check T6",
        "history T1",
        "list",
        "announce T6",
        "outbox list",
        "doctor",
        "explain tag",
        "config show",
        "config check",
        "audit",
        "record T1 --deployer deployer2 --outcome succeeded",
        "request T2 --reason availability --yes",
    ] {
        let words: Vec<&str> = words.split(' ').chain(["--format", "json"]).collect();
        printed.push(server.run(&words).1);
    }
    let answer = server.phabgate_as("sre1").args(["approve", "T6", "--yes", "--format", "json"]).output().unwrap();
    printed.push(String::from_utf8(answer.stdout).unwrap());
    let announced = row("phabgate/announce/1").unwrap();
    for text in printed {
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let schema = json["schema"].as_str().unwrap();
        let row = row(schema).unwrap();
        for key in json.as_object().unwrap().keys().filter(|key| *key != "schema") {
            let named = |row: &str| row.contains(&format!("`{key}`"));
            let called = schema == "phabgate/request/1" && named(announced);
            assert!(named(row) || called, "{schema}: `{key}` is not documented");
        }
    }
}
