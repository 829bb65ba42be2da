//! What the gate depends on: each dependency is used, comes from crates.io, and may be given away with it. What is allowed
//! stands in `deny.toml`, which cargo-deny reads too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml::Table;

use crate::sources::{Part, parts, rust_files};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn table(name: &str) -> Table {
    let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn strings(value: &toml::Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// The crates that an entry of `deny` or `skip` names, each with the version that it may begin with.
fn crates(list: &toml::Value) -> Vec<(String, Option<String>)> {
    let entries = list.as_array().unwrap().iter().map(|entry| entry["crate"].as_str().unwrap());
    let split = |entry: &str| match entry.split_once('@') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (entry.to_owned(), None),
    };
    entries.map(split).collect()
}

/// The packages that are built for this machine, as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |arguments: &[&str]| {
        let output = Command::new(&cargo).args(arguments).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = run(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Offline: all that is built here was fetched before.
    let metadata = run(&["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", host]);
    let mut metadata: Value = serde_json::from_str(&metadata).unwrap();
    let resolved = metadata["resolve"]["nodes"].as_array().unwrap();
    let resolved: BTreeSet<String> = resolved.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    let packages: Vec<Value> =
        packages.into_iter().filter(|package| resolved.contains(package["id"].as_str().unwrap())).collect();
    assert!(packages.len() > 100, "only {} packages", packages.len());
    packages
}

/// The names that some code uses as the start of a path or as a macro.
fn used_in(directories: &[&str]) -> String {
    let files: Vec<PathBuf> = directories.iter().flat_map(|directory| rust_files(&root().join(directory))).collect();
    let code = files.iter().map(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        parts(&text)
            .into_iter()
            .filter(|(part, _)| *part == Part::Code)
            .map(|(_, text)| text.to_owned() + "\n")
            .collect()
    });
    code.collect::<Vec<String>>().concat()
}

fn uses(code: &str, package: &str) -> bool {
    let name = package.replace('-', "_");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(&name).any(|(at, _)| {
        let after = &code[at + name.len()..];
        !code[..at].ends_with(is_word) && (after.starts_with("::") || after.starts_with('!'))
    })
}

#[test]
fn every_dependency_is_used() {
    let manifest = table("Cargo.toml");
    let names = |section: &str| manifest[section].as_table().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let (product, tests) = (used_in(&["src"]), used_in(&["src", "tests", "benches"]));
    for name in names("dependencies") {
        assert!(uses(&product, &name), "nothing in src/ uses {name}: take it out of [dependencies]");
    }
    for name in names("dev-dependencies") {
        assert!(uses(&tests, &name), "no test uses {name}: take it out of [dev-dependencies]");
    }
    assert!(!uses(&tests, "comfy-table") && !uses("a_serde::x", "serde"), "what is not there counts as used");
}

#[test]
fn every_licence_is_allowed() {
    let allowed = strings(&table("deny.toml")["licenses"]["allow"]);
    let mut needed = BTreeSet::new();
    for package in packages() {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} names no licence"));
        assert!(is_met(licence, &allowed), "{name} is under {licence}, which deny.toml does not allow");
        needed.extend(allowed.iter().filter(|one| !is_met(licence, &without(&allowed, one))).cloned());
    }
    assert_eq!(needed, allowed, "deny.toml allows a licence that nothing needs");
}

fn without(all: &BTreeSet<String>, one: &str) -> BTreeSet<String> {
    all.iter().filter(|licence| *licence != one).cloned().collect()
}

/// Whether an SPDX expression is met with these licences. What is not understood is not met.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    matches!(either(&words, allowed), Some((true, [])))
}

/// Whether the expression at the start of some words is met, and what follows it; `None` where there is none.
type Met<'w, 'a> = Option<(bool, &'w [&'a str])>;

fn either<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<String>) -> Met<'w, 'a> {
    let (mut met, mut rest) = both(words, allowed)?;
    while let ["OR", after @ ..] = rest {
        let (other, end) = both(after, allowed)?;
        (met, rest) = (met || other, end);
    }
    Some((met, rest))
}

fn both<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<String>) -> Met<'w, 'a> {
    let (mut met, mut rest) = one(words, allowed)?;
    while let ["AND", after @ ..] = rest {
        let (other, end) = one(after, allowed)?;
        (met, rest) = (met && other, end);
    }
    Some((met, rest))
}

fn one<'w, 'a>(words: &'w [&'a str], allowed: &BTreeSet<String>) -> Met<'w, 'a> {
    match words {
        ["(", within @ ..] => match either(within, allowed)? {
            (met, [")", rest @ ..]) => Some((met, rest)),
            _ => None,
        },
        // An exception takes conditions away; which ones is looked at where it is all that would do.
        [_, "WITH", _, rest @ ..] => Some((false, rest)),
        [licence, rest @ ..] => Some((allowed.contains(*licence), rest)),
        [] => None,
    }
}

#[test]
fn an_expression_of_licences_is_met_as_it_says() {
    let allowed = BTreeSet::from(["MIT", "ISC"].map(str::to_owned));
    for met in ["MIT", "GPL-3.0 OR MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC", "Apache-2.0/MIT"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for not in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR LGPL-3.0)", "MIT WITH x", "(MIT", "MIT ISC", "MIT OR"]
    {
        assert!(!is_met(not, &allowed), "{not}");
    }
}

#[test]
fn every_package_comes_from_crates_io() {
    let deny = table("deny.toml");
    let allowed = strings(&deny["sources"]["allow-registry"]);
    assert!(strings(&deny["sources"]["allow-git"]).is_empty());
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        match package.get("source").and_then(toml::Value::as_str) {
            None => assert_eq!(name, "phabgate", "{name} has no source"),
            Some(source) => {
                let registry = source.strip_prefix("registry+").unwrap_or_else(|| panic!("{name} is from {source}"));
                assert!(allowed.contains(registry), "{name} is from {source}");
                assert!(package.get("checksum").is_some(), "{name} has no checksum");
            }
        }
    }
    let manifest = table("Cargo.toml");
    for (name, wanted) in ["dependencies", "dev-dependencies"].iter().flat_map(|of| manifest[*of].as_table().unwrap()) {
        let version = wanted.as_str().or_else(|| wanted.get("version")?.as_str());
        assert!(version.is_some_and(|version| !version.contains('*')), "{name} is asked for in no version");
    }
}

#[test]
fn no_package_is_there_twice_or_banned() {
    let bans = &table("deny.toml")["bans"];
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions.entry(text("name")).or_default().push(text("version"));
    }
    for (name, _) in crates(&bans["deny"]) {
        assert!(!versions.contains_key(&name), "{name} is banned by deny.toml");
    }
    for (name, version) in crates(&bans["skip"]) {
        let version = version.unwrap();
        let of =
            versions.get_mut(&name).unwrap_or_else(|| panic!("deny.toml lets {name} be there twice, and it is not"));
        let count = of.len();
        of.retain(|other| !other.starts_with(&format!("{version}.")));
        assert!(of.len() < count && !of.is_empty(), "deny.toml lets {name} {version} be there twice, and it is not");
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "there more than once: {versions:?}");
}
