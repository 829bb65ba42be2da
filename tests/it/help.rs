//! What the command says about itself: `--help`, `explain`, `config`, `completions`, `man`.

use std::fs;

use super::harness::Machine;

/// All commands, as they are typed.
fn commands() -> Vec<String> {
    let machine = Machine::new();
    let directory = machine.home().join("pages");
    let (code, _, error) = machine.run(&["man", "--output", directory.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().trim_end_matches(".1").replace('-', " "))
        .map(|name| name.trim_start_matches("phabgate").trim().to_owned())
        .collect();
    names.sort();
    names
}

/// A name for a snapshot.
fn snapshot_name(command: &str) -> String {
    match command {
        "" => "help".to_owned(),
        command => format!("help_{}", command.replace(' ', "_")),
    }
}

#[test]
fn the_help_of_every_command() {
    let machine = Machine::new();
    for command in commands() {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let (code, out, error) = machine.run(&arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{command}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{command}:\n{out}");
        assert!(out.contains("\nExamples:\n") && out.contains("\nExit codes:\n"), "{command}:\n{out}");
        insta::assert_snapshot!(snapshot_name(&command), out);
    }
}

#[test]
fn every_command_has_a_page_with_examples_and_exit_codes() {
    let machine = Machine::new();
    for command in commands() {
        let mut arguments = vec!["man"];
        arguments.extend(command.split_whitespace());
        let (code, page, error) = machine.run(&arguments);
        assert_eq!((code, error.as_str()), (0, ""), "{command}");
        for section in [".SH NAME\n", ".SH SYNOPSIS\n", ".SH EXAMPLES\n", ".SH \"EXIT STATUS\"\n"] {
            assert!(page.contains(section), "{command} has no {section}:\n{page}");
        }
        let typed = page.rsplit_once(".SH EXAMPLES\n").unwrap().1;
        assert!(typed.contains(format!("phabgate {command}").trim()), "{command}");
    }
}

#[test]
fn a_page_of_no_command_is_an_error() {
    let (code, out, error) = Machine::new().run(&["man", "nope"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.starts_with("error: there is no command \"nope\"\nhint: name one of check, "), "{error}");
}

#[test]
fn every_rule_has_a_page() {
    let machine = Machine::new();
    let rules = phabgate::rules::ALL.iter().map(|rule| rule.name);
    for rule in rules.chain([phabgate::rules::EVIDENCE.0]) {
        let (code, page, error) = machine.run(&["explain", rule]);
        assert_eq!((code, error.as_str()), (0, ""), "{rule}");
        assert!(page.starts_with(&format!("{rule}  ")) && page.lines().count() >= 4, "{page}");
        let too_wide = |line: &&str| line.chars().count() > 80 && !line.starts_with("    ");
        assert_eq!(page.lines().find(too_wide), None, "{rule}");
    }
}

#[test]
fn rules_are_listed_found_and_given_to_programs() {
    let machine = Machine::new();
    insta::assert_snapshot!("explain", machine.run(&["explain"]).1);
    insta::assert_snapshot!("explain_team", machine.run(&["explain", "team:sre"]).1);
    let (code, out, error) = machine.run(&["explain", "rejcted"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.starts_with("error: there is no rule \"rejcted\"\nhint: did you mean rejected?"), "{error}");
    let page: serde_json::Value =
        serde_json::from_str(&machine.run(&["explain", "tag", "--format", "json"]).1).unwrap();
    assert_eq!((page["schema"].as_str(), page["name"].as_str()), (Some("phabgate/explain/1"), Some("tag")));
    assert!(page["page"].as_str().unwrap().len() > 80);
    let list: serde_json::Value = serde_json::from_str(&machine.run(&["explain", "--format", "json"]).1).unwrap();
    assert_eq!(list["rules"].as_array().unwrap().len(), phabgate::rules::ALL.len() + 1);
}

#[test]
fn the_configuration_is_shown_without_token_and_server() {
    let machine = Machine::new();
    let (code, out, error) = machine.run(&["config", "show"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.contains("no token: no server is configured"), "{out}");
    let (code, out, _) = machine.run(&["config", "show", "--url", "https://phab.example", "--format", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["token"]), (0, &serde_json::Value::Null));
    assert!(shown["no_token"].as_str().unwrap().starts_with("there is no token for https://phab.example/"));
}

#[test]
fn a_token_is_named_and_never_shown() {
    let machine = Machine::new();
    let token = format!("api-{}", "x".repeat(28));
    let mut command = machine.phabgate();
    command.args(["config", "show", "--url", "https://phab.example"]).env("PHABGATE_TOKEN", &token);
    let output = command.assert().success().get_output().clone();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("$PHABGATE_TOKEN") && !out.contains("no token:") && !out.contains(&token), "{out}");
}

#[test]
fn a_configuration_is_checked() {
    let machine = Machine::new();
    let (code, out, _) = machine.run(&["config", "check"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("ok: [HOME]/.config/phabgate/config.toml\npolicy sha256:"), "{out}");
    fs::write(machine.home().join("wrong.toml"), "[policy]\ntga = \"x\"\n").unwrap();
    let (code, out, error) = machine.run(&["config", "check", "--config", "wrong.toml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(error.contains("tga") && error.contains("wrong.toml"), "{error}");
}
