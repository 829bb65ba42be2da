//! The manual pages as mandoc reads them, and what `--version` says of the build.

use std::process::Command;

use super::harness::Machine;

/// Whether mandoc is there. Where `CI` is set its absence is a failure.
fn has_mandoc() -> bool {
    let found =
        std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|it| it.join("mandoc").is_file()));
    if !found {
        assert!(std::env::var_os("CI").is_none(), "mandoc is not installed: .ci/run installs it");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("skipped: mandoc is not installed");
        }
    }
    found
}

/// What `mandoc -T lint` finds fault with in some files.
fn lint(files: &[std::path::PathBuf]) -> Vec<String> {
    let output = Command::new("mandoc").args(["-T", "lint"]).args(files).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    // What was built without git knows no date.
    let has_date = version().2.is_some();
    said.lines().filter(|line| has_date || !line.contains("missing date")).map(str::to_owned).collect()
}

/// What `--version` prints: the version, the commit, its date, the target. Without git there is neither commit nor date.
fn version() -> (String, Option<String>, Option<String>, String) {
    let (code, out, error) = Machine::new().run(&["--version"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let (version, build) = out.trim_end().strip_prefix("phabgate ").unwrap().split_once(" (").unwrap();
    let (commit, target) = build.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
    let known = commit.split_once(' ').filter(|_| commit != "built without git, commit not known");
    let (commit, date) = known.map(|(commit, date)| (commit.to_owned(), date.to_owned())).unzip();
    (version.to_owned(), commit, date, target.to_owned())
}

#[test]
fn every_page_is_clean_to_mandoc() {
    if !has_mandoc() {
        return;
    }
    let machine = Machine::new();
    let directory = machine.home().join("pages");
    assert_eq!(machine.run(&["man", "--output", directory.to_str().unwrap()]).0, 0);
    let pages: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 20, "{pages:?}");
    assert_eq!(lint(&pages), [""; 0]);
    // That it finds what is wrong.
    let wrong = machine.home().join("wrong.1");
    std::fs::write(&wrong, ".TH wrong 1 someday\n.SH NAME\nwrong \n").unwrap();
    assert!(lint(&[wrong]).len() >= 3);
}

#[test]
fn every_page_names_what_counts_and_where_to_read_on() {
    let machine = Machine::new();
    for (command, says) in [
        ("", &["ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\"", "EXAMPLES", "VERSION"][..]),
        ("run", &["ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\"", "EXAMPLES"]),
        ("outbox flush", &["ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\"", "EXAMPLES"]),
        ("completions", &["\"EXIT STATUS\"", "\"SEE ALSO\"", "EXAMPLES"]),
    ] {
        let words: Vec<&str> = ["man"].into_iter().chain(command.split_whitespace()).collect();
        let page = machine.run(&words).1;
        for section in says {
            assert!(page.contains(&format!("\n.SH {section}\n")), "{command}: {section}");
        }
        let reads_config = page.contains("PHABGATE_CONFIG") && page.contains("/etc/phabgate/config.toml");
        assert_eq!(reads_config, command != "completions", "{command}");
    }
}

#[test]
fn a_build_says_what_it_was_built_from() {
    let (version, commit, date, target) = version();
    assert_eq!(version, "[VERSION]");
    assert!(target.contains('-'), "{target}");
    let git = Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR"), "show", "-s", "--format=%h %cs"]).output();
    match git.ok().filter(|output| output.status.success()) {
        Some(output) => {
            let head = String::from_utf8(output.stdout).unwrap();
            assert_eq!(commit.zip(date).map(|(commit, date)| format!("{commit} {date}\n")), Some(head));
        }
        None => assert_eq!((commit, date), (None, None)),
    }
    let (code, short, _) = Machine::new().run(&["-V"]);
    assert_eq!((code, short.as_str()), (0, "phabgate [VERSION]\n"));
}
