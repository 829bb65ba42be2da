//! The newcomers' world: what its list promises, what an audit finds in it, and its tasks as pages.

use phabgate::record::comment::render;
use phabgate::record::parse::{Parsed, parse};
use phabgate::sandbox::{BuiltIn, Options, Source, World};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::{Machine, http};
use crate::html::{BEYOND, PALE};
use crate::server::Server;

/// What a command prints on a machine of somebody who installed the gate and set nothing.
fn run(machine: &Machine, columns: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = machine.phabgate();
    command.env_remove("PHABGATE_SANDBOX_WORLD").env("COLUMNS", columns).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn served() -> Server {
    Server::with(Options { source: Source::BuiltIn(BuiltIn::Demo), ..Options::default() })
}

/// The page at a path, with its status and its headers.
fn get(server: &Server, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let reply = http().get(server.running.url.join(path).unwrap()).send().await.unwrap();
        (reply.status().as_u16(), reply.headers().clone(), reply.text().await.unwrap())
    })
}

/// Every comment of the world in all its versions, with its task.
fn comments(world: &World) -> Vec<(u64, String)> {
    let rows = world.transactions.iter().map(|row| (world.task(&row.object).unwrap().id, row));
    rows.flat_map(|(task, row)| row.versions.iter().map(move |version| (task, version.text.clone()))).collect()
}

#[test]
fn the_list_names_what_there_is_to_try() {
    let machine = Machine::new();
    let (code, wide, err) = run(&machine, "100", &["sandbox", "--list"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!("newcomer-list-wide", wide);
    let (_, narrow, _) = run(&machine, "60", &["sandbox", "--list"]);
    assert!(narrow.lines().all(|line| line.len() <= 60 || line.trim().starts_with("phabgate --sandbox ")), "{narrow}");
    insta::assert_snapshot!("newcomer-list-narrow", narrow);
    let (_, out, _) = run(&machine, "80", &["sandbox", "--list", "--world", "recorded"]);
    assert!(out.contains("`phabgate sandbox --world demo --list`"), "{out}");
}

#[test]
fn every_command_of_the_list_ends_as_it_says_in_a_new_world() {
    let (_, out, _) = run(&Machine::new(), "80", &["sandbox", "--list", "--format", "json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list["schema"], "phabgate/sandbox-list/1");
    let scenarios = list["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 17);
    for scenario in scenarios {
        let command = scenario["try"].as_str().unwrap();
        let arguments: Vec<&str> = ["--sandbox"].into_iter().chain(command.split(' ')).collect();
        let machine = Machine::new();
        let (code, out, err) = run(&machine, "80", &arguments);
        assert_eq!(json!(code), scenario["exit"], "{command}: {out}{err}");
        // What is printed as the next command can be typed. A word in capitals is for the reader to fill in.
        for hint in hints(&format!("{out}{err}")) {
            // as it is typed, but that nobody waits
            let hint = hint.replace(" --wait", " --wait=1s");
            let words: Vec<&str> = hint.split(' ').skip(1).collect();
            let (code, out, err) = run(&machine, "80", &words);
            assert!(code != 2 && code != 125, "{command}, then {hint}: {out}{err}");
        }
    }
}

#[test]
fn every_answer_that_is_printed_as_the_next_command_counts() {
    let (_, out, _) = run(&Machine::new(), "80", &["sandbox", "--list", "--format", "json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    let mut answered = Vec::new();
    for scenario in list["scenarios"].as_array().unwrap() {
        let machine = Machine::new();
        let mut command = scenario["try"].as_str().unwrap().to_owned();
        if command.starts_with("history ") || command.starts_with("run ") || command == "audit" {
            continue;
        }
        // Until nothing is left to answer.
        let steps = (0..6).find(|_| {
            let arguments: Vec<&str> = ["--sandbox"].into_iter().chain(command.split(' ')).collect();
            let (code, out, err) = run(&machine, "80", &arguments);
            if command.starts_with("approve ") || command.starts_with("withdraw ") {
                assert_eq!(code, 0, "{command}: {out}{err}");
                let who = err.lines().find_map(|line| line.split("you answer as ").nth(1)).unwrap();
                answered.push(format!("{command}: {who}"));
            }
            assert!(!out.contains(" --wait"), "{command}: nobody comes: {out}");
            let next = out.lines().find_map(|line| line.strip_prefix("Next: phabgate --sandbox "));
            let next = next.filter(|next| next.starts_with("approve ") || next.starts_with("withdraw "));
            command = next.unwrap_or_default().to_owned();
            command.is_empty()
        });
        assert!(steps.is_some(), "it never ends: {scenario}");
    }
    insta::assert_snapshot!("newcomer-answers", answered.join("\n"));
}

#[test]
fn a_no_is_withdrawn_by_who_said_it() {
    let machine = Machine::new();
    for arguments in [&["withdraw", "T15", "--team", "sre", "--yes"][..], &["withdraw", "T4", "--yes"]] {
        let arguments: Vec<&str> = ["--sandbox"].iter().chain(arguments).copied().collect();
        let (code, out, err) = run(&machine, "80", &arguments);
        assert_eq!(code, 0, "{out}{err}");
        let who = if arguments.contains(&"T15") { "stefan" } else { "ravi" };
        assert!(err.contains(&format!("in the sandbox you answer as {who}")), "{err}");
    }
    for (task, verdict) in [("T15", "PENDING T15: needs sre"), ("T4", "ALLOWED T4")] {
        let (_, out, _) = run(&machine, "80", &["--sandbox", "check", task]);
        assert!(out.starts_with(verdict), "{out}");
    }
}

/// The commands that a text prints for the sandbox: in backticks, or at the end of a line.
fn hints(text: &str) -> Vec<String> {
    let begin = "phabgate --sandbox ";
    let hints = text.match_indices(begin).map(|(at, _)| {
        let rest = &text[at..];
        match text[..at].ends_with('`') {
            true => rest.split('`').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
            false => rest.lines().next().unwrap_or_default().trim_end().to_owned(),
        }
    });
    let is_whole = |hint: &String| {
        let filled = |word: &str| word.len() < 2 || !word.chars().all(|letter| letter.is_ascii_uppercase());
        hint.split(' ').all(filled) && !hint.contains('…') && !hint.contains("...")
    };
    hints.filter(is_whole).collect()
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let readme = include_str!("../../README.md");
    let part = readme.split("## The first minute").nth(1).unwrap().split("\n## ").next().unwrap();
    let typed = part.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let command = line.strip_prefix("cargo run -- ").or_else(|| line.strip_prefix("phabgate "))?;
        Some(command.split("  ").next().unwrap().trim())
    });
    let machine = Machine::new();
    let mut ended = Vec::new();
    for command in typed.filter(|command| *command != "sandbox") {
        let arguments: Vec<&str> = command.split(' ').collect();
        let (code, out, err) = run(&machine, "80", &arguments);
        ended.push(format!("{code}  {command}"));
        assert!(!out.is_empty(), "{command}: {err}");
    }
    assert_eq!(
        ended,
        [
            "0  --sandbox run T1 -- echo deployed",
            "0  sandbox --list",
            "0  --sandbox history T1",
            "8  --sandbox check T6",
            "1  --sandbox check T15",
            "0  --sandbox request T2 --reason abuse bots make accounts",
            "0  --sandbox approve T2 --team sre --yes",
            "1  --sandbox audit",
            "0  explain",
        ]
    );
}

#[test]
fn an_audit_without_deploys_does_not_say_that_they_comply() {
    let machine = Machine::new();
    let period = ["--sandbox", "audit", "--until", "2001-01"];
    let (code, out, err) = run(&machine, "200", &period);
    assert_eq!(code, 0, "{out}{err}");
    let (_, json, _) = run(&machine, "80", &[&period[..], &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["outcome"], &report["figures"]["deploys"]), (&json!("no-deploys"), &json!(0)));
    let newest: jiff::Timestamp = report["newest_deploy"].as_str().unwrap().parse().unwrap();
    let newest = newest.strftime("%Y-%m-%d %H:%M:%S UTC");
    let words = format!("NO DEPLOYS  no deploy was in this period; the newest one was at {newest}\n");
    assert!(out.contains(&words) && !out.contains("COMPLIANT"), "{words}: {out}");
    // Of a reason for which there is none at all no newest one is known.
    let (_, out, _) = run(&machine, "200", &[&period[..], &["--reason", "data-loss"]].concat());
    assert!(out.contains("no deploy for data-loss was in this period, and none is on record"), "{out}");
    let (_, json, _) = run(&machine, "80", &["--sandbox", "audit", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["outcome"], "findings");
}

#[test]
fn a_rollback_is_called_one_wherever_it_is_reported() {
    let machine = Machine::new();
    let (_, out, err) = run(&machine, "300", &["--sandbox", "history", "T11"]);
    assert_eq!(out.matches("of a deploy (a rollback) by dana").count(), 2, "{out}{err}");
    let (_, out, _) = run(&machine, "300", &["--sandbox", "audit"]);
    assert_eq!(out.matches("by dana, succeeded, a rollback, ").count(), 1, "{out}");
    let (code, out, err) = run(&machine, "80", &["--sandbox", "run", "T1", "--action", "rollback", "--", "true"]);
    assert_eq!(code, 0, "{out}{err}");
    let (_, out, _) = run(&machine, "300", &["--sandbox", "history", "T1"]);
    assert!(out.contains("recorded the start of a deploy (a rollback)"), "{out}");
}

#[test]
fn what_was_recorded_and_not_allowed_is_called_so() {
    let machine = Machine::new();
    let (code, out, err) = run(&machine, "200", &["--sandbox", "record", "T5", "--outcome", "succeeded", "--yes"]);
    assert_eq!(code, 0, "{out}{err}");
    let words = "This deploy was not allowed: the approval of Security was missing. The audit will list it.";
    assert!(out.contains("recorded on T5 (verdict: pending)\n") && out.contains(words), "{out}");
    let (_, out, _) = run(&machine, "200", &["--sandbox", "audit"]);
    assert!(out.contains("T5"), "{out}");
}

#[test]
fn a_note_that_reads_as_a_condition_is_warned_of() {
    let machine = Machine::new();
    let warning = "warning: the note reads as a condition, and an approval has none: it counts at once";
    for (team, note, warns) in [("sre", "if the graphs stay flat", true), ("releng", "I watch the graphs", false)] {
        let words = ["--sandbox", "approve", "T3", "--team", team, "--yes", "--note", note];
        let (code, out, err) = run(&machine, "200", &words);
        assert_eq!((code, err.contains(warning)), (0, warns), "{out}{err}");
    }
}

#[test]
fn what_was_said_in_several_lines_does_not_read_as_one() {
    let (_, out, _) = run(&Machine::new(), "300", &["--sandbox", "check", "T8"]);
    assert!(
        out.contains(" / Emergency-Reason: abuse - a scraper slows down all readers / Emergency-Deployer"),
        "{out}"
    );
}

#[test]
fn an_audit_finds_what_was_planned_and_nothing_else() {
    let (code, out, err) = run(&Machine::new(), "80", &["--sandbox", "audit", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let found = report["findings"].as_array().unwrap().iter();
    let found =
        found.map(|finding| format!("{} {}", finding["task"].as_str().unwrap(), finding["name"].as_str().unwrap()));
    let found: Vec<String> = found.collect();
    assert_eq!((&report["complete"], report["deploys"].as_array().unwrap().len()), (&json!(true), 4));
    assert_eq!((code, found), (1, vec!["T12 record-edited".to_owned()]), "{err}");
}

#[test]
fn the_records_of_the_past_are_what_the_gate_would_write() {
    let world = BuiltIn::Demo.world(1_800_000_000).unwrap();
    let (_, out, _) = run(&Machine::new(), "80", &["config", "check", "--format", "json"]);
    let policy = serde_json::from_str::<Value>(&out).unwrap()["policy"].clone();
    let mut records = 0;
    for (task, text) in comments(&world) {
        match parse(&text) {
            Parsed::Record(record) => {
                assert_eq!(*render(&record).unwrap(), text, "T{task}");
                assert_eq!(record.task.to_string(), format!("T{task}"));
                assert_eq!(json!(record.policy), policy, "T{task}");
                records += 1;
            }
            Parsed::Absent => {}
            other => panic!("T{task}: {other:?}"),
        }
    }
    assert_eq!(records, 9);
}

#[test]
fn the_world_ends_when_it_is_made_and_is_the_same_at_any_time() {
    let (then, now) = (1_800_000_000, 1_900_000_000);
    let [one, two] = [then, now].map(|time| BuiltIn::Demo.world(time).unwrap());
    assert_eq!((one.last_event(), two.last_event()), (then, now));
    assert!(one.transactions.iter().all(|row| row.created <= then));
    let times =
        |world: &World| world.transactions.iter().map(|row| row.created - world.last_event()).collect::<Vec<_>>();
    assert_eq!(times(&one), times(&two));
    let ids: Vec<u64> = one.tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids, (1..=17).collect::<Vec<_>>());
    // Nobody is called by a name of the recorded world.
    for user in &one.users {
        assert!(
            World::built_in().unwrap().user_named(&user.username).is_none_or(|known| known.id <= 2),
            "{}",
            user.username
        );
    }
}

#[test]
fn each_world_keeps_to_itself() {
    let machine = Machine::new();
    assert_eq!(run(&machine, "80", &["--sandbox", "run", "T1", "--", "true"]).0, 0);
    // The recorded world has a T1 of its own, which nobody deployed.
    let (_, recorded, _) = machine.run(&["--sandbox", "history", "T1"]);
    assert!(recorded.contains("deployer1") && !recorded.contains("recorded the start"), "{recorded}");
    assert_eq!(run(&machine, "80", &["sandbox", "--world", "recorded", "--reset"]).0, 0);
    let (_, demo, _) = run(&machine, "80", &["--sandbox", "history", "T1"]);
    assert!(demo.contains("dana") && demo.contains("recorded the start"), "{demo}");
    assert_eq!(run(&machine, "80", &["sandbox", "--reset"]).0, 0);
    let (_, demo, _) = run(&machine, "80", &["--sandbox", "history", "T1"]);
    assert!(demo.contains("dana") && !demo.contains("recorded the start"), "{demo}");
    let (code, _, err) = run(&machine, "80", &["sandbox", "--world", "other"]);
    assert!(code == 2 && err.contains("there are demo and recorded"), "{err}");
}

#[test]
fn a_task_is_a_page_for_people() {
    let server = served();
    let (status, headers, page) = get(&server, "T12");
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/html; charset=UTF-8"));
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; "));
    for part in [
        "Mails to users are late by hours",
        "Resolved",
        "Emergency-Deployment",
        "Diego Marsh",
        "Edited",
        "Deploy succeeded",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (_, _, list) = get(&server, "");
    assert!(list.contains("href=\"/T12\"") && !list.contains("can be guessed"), "{list}");
    for path in ["T7", "T99", "favicon.ico", "T1/x"] {
        let (status, _, page) = get(&server, path);
        assert!(status == 404 && !page.contains("guessed"), "{path}: {page}");
    }
}

#[test]
fn hostile_text_stays_text_on_the_page() {
    let server = served();
    let hostile = "<script>window.pwned=1</script> [[javascript:window.pwned=1|x]] <img src=x onerror=alert(1)>";
    let change = |world: &mut World, _| {
        let task = world.tasks.iter_mut().find(|task| task.id == 1).unwrap();
        (task.title, task.description) = (hostile.to_owned(), hostile.to_owned());
        world.users.iter_mut().for_each(|user| user.real_name = hostile.to_owned());
        world.projects.iter_mut().for_each(|project| project.name = hostile.to_owned());
        for row in &mut world.transactions {
            row.versions
                .iter_mut()
                .for_each(|version| version.text = format!("```name={hostile}\n{hostile}\n```\n{hostile}"));
        }
    };
    server.running.change(change).unwrap();
    let (status, _, page) = get(&server, "T1");
    assert_eq!(status, 200);
    assert!(page.contains("&lt;script&gt;window.pwned=1&lt;/script&gt;"), "{page}");
    for tag in ["<script", "<img", "href=\"javascript"] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
}

#[test]
fn the_pages_fit_a_phone_and_a_screen_in_light_and_in_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let server = served();
    for path in ["", "T1", "T4", "T9", "T12", "T17"] {
        let (_, _, page) = get(&server, path);
        for (width, scheme) in [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")] {
            browser.window(width, scheme);
            browser.open(&page, "");
            assert_eq!(browser.eval(BEYOND), json!([]), "{path} {width} {scheme}");
            assert_eq!(browser.eval(&PALE.replace("seen > 200", "seen > 5")), json!([]), "{path} {width} {scheme}");
            assert_eq!(browser.complaints(), [] as [String; 0]);
            assert!(browser.requests().iter().all(|url| url.starts_with("file:")), "{:?}", browser.requests());
        }
    }
}
