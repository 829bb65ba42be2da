//! `token new`: what it prints is kept nowhere, and the configuration takes it.

use sha2::{Digest, Sha256};

use crate::harness::Machine;

#[test]
fn the_table_is_taken_by_the_configuration_and_knows_the_token() {
    let machine = Machine::new();
    let make =
        ["token", "new", "ci", "--scope", "deploy", "--deployer", "alice", "--person", "bob", "--format", "json"];
    let (code, out, error) = machine.run(&make);
    assert_eq!((code, error.as_str()), (0, ""));
    let made: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&made["schema"], &made["name"]), (&"phabgate/token/1".into(), &"ci".into()));
    let token = made["token"].as_str().unwrap();
    let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(made["sha256"], digest.as_str());
    let config = made["config"].as_str().unwrap();
    assert!(config.contains(&digest) && !config.contains(token), "{config}");
    let file = machine.home().join("new.toml");
    std::fs::write(&file, config).unwrap();
    let (code, shown, error) = machine.run(&["config", "show", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{error}");
    for line in ["serve.tokens.ci.scopes", "[\"deploy\"]", "[\"alice\"]", "[\"bob\"]", &digest] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // Nothing is kept, and the next one is another.
    assert!(!machine.home().join("state").exists());
    assert_ne!(machine.run(&make).1, out);
}

#[test]
fn people_are_shown_the_token_once_and_where_its_table_goes() {
    let (code, out, error) = Machine::new().run(&["token", "new", "dashboard"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let token = out.lines().find_map(|line| line.strip_prefix("  ")).unwrap();
    assert_eq!((token.len(), out.matches(token).count()), (9 + 43, 1), "{out}");
    let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = out.replace(token, "[TOKEN]").replace(&digest, "[SHA-256]");
    insta::assert_snapshot!("token_new", plain);
}

#[test]
fn a_token_that_the_configuration_would_refuse_is_not_made() {
    let machine = Machine::new();
    for (arguments, why) in [
        (&["A token"][..], "the name of the token: `A token` cannot be a key"),
        (&["ci", "--scope", "deploy"], "a token that deploys names the accounts that it deploys for"),
        (&["ci", "--scope", "deploy", "--deployer", "@alice"], "an account of the token: `@alice` is not a username"),
        (&["ci", "--deployer", "alice"], "--deployer and --person are for a token that deploys"),
        (&["ci", "--scope", "all"], "invalid value 'all'"),
    ] {
        let (code, out, error) = machine.run(&[&["token", "new"], arguments].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(error.contains(why), "{arguments:?}: {error}");
    }
}
