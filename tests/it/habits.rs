//! What people expect of any command line: a shell that completes, a browser that opens.

use crate::server::Server;

/// What a shell is offered behind these words, the last of which is being typed.
fn offered(server: &Server, words: &[&str]) -> Vec<String> {
    let mut command = server.phabgate();
    command.env("PHABGATE_COMPLETE", "fish").args(["--", "phabgate"]).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    out.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_shell_is_offered_what_this_machine_knows_and_no_server_is_asked() {
    let server = Server::new();
    assert_eq!(offered(&server, &["check", ""]).into_iter().filter(|word| word.starts_with('T')).count(), 0);
    assert_eq!(server.run(&["run", "T1", "--deployer", "deployer1", "--", "true"]).0, 0);
    let before = server.running.served().len();
    assert_eq!(offered(&server, &["request", "T1", "--reason", "a"]), ["availability", "abuse"]);
    assert_eq!(offered(&server, &["approve", "T1", "--team", "s"]), ["sre", "security"]);
    assert_eq!(offered(&server, &["explain", "approval-s"]), ["approval-self"]);
    assert_eq!(offered(&server, &["check", "T"]), ["T1"]);
    let deploy = server.records(1)[0].deploy.to_string();
    assert_eq!(offered(&server, &["record", "T1", "--deploy", ""]), [deploy]);
    assert!(offered(&server, &["ou"]).contains(&"outbox".to_owned()));
    // A configuration that cannot be read offers nothing, and says nothing in the middle of a line.
    std::fs::write(server.machine.home().join("config.toml"), "nonsense").unwrap();
    assert_eq!(offered(&server, &["request", "T1", "--reason", "a"]), [""; 0]);
    assert_eq!(server.running.served().len(), before);
}

#[test]
fn every_shell_gets_a_script() {
    let server = Server::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, err) = server.run(&["completions", shell]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("PHABGATE_COMPLETE") && out.contains("phabgate"), "{shell}: {out}");
    }
    assert_eq!(server.run(&["completions", "cmd"]).0, 2);
}

#[test]
fn a_task_is_opened_where_somebody_can_see_it() {
    let server = Server::new();
    let url = format!("{}T6", server.running.url);
    let browse = |browser: &str, more: &[&str]| {
        let mut command = server.phabgate();
        command.env("BROWSER", browser).args(["browse", "t6"]).args(more);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let before = server.running.served().len();
    for (browser, opened) in [("", "false"), ("true", "true")] {
        assert_eq!(browse(browser, &[]), (Some(0), format!("{url}\n"), String::new()));
        let (_, json, _) = browse(browser, &["--format", "json"]);
        assert!(json.contains(&format!("\"opened\": {opened}")), "{json}");
    }
    assert!(browse("true", &["--print", "--format", "json"]).1.contains("\"opened\": false"));
    let (code, out, err) = browse("/nonexistent/browser", &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("cannot start the browser") && err.contains("open "), "{err}");
    assert_eq!(server.running.served().len(), before, "it needs no call");
}
