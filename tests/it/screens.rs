//! What a deployer sees at once: the screens in a terminal of 80 columns and 24 rows.

use crate::harness::Machine;
use crate::scenarios::scenarios;
use crate::server::{Server, on_a_terminal};

/// How many rows of a terminal a page takes: what is wider than it is wrapped by the terminal.
fn rows(page: &str) -> usize {
    page.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum()
}

#[test]
fn a_pending_check_fits_into_a_terminal() {
    let server = Server::new();
    let mut seen = 0;
    for (name, about) in scenarios() {
        if about["expect"] != "pending" {
            continue;
        }
        let mut command = server.phabgate();
        command.env("COLUMNS", "80").args(["check", about["task"].as_str().unwrap()]);
        command.args(about["deployer"].as_str().map(|name| format!("--deployer={name}")));
        let page = String::from_utf8(command.output().unwrap().stdout).unwrap();
        // Some are of another world.
        if !page.starts_with("PENDING ") {
            continue;
        }
        assert!(page.lines().last().unwrap().starts_with("Next: phabgate check "), "{page}");
        // One row is the prompt's.
        assert!(rows(&page) < 25, "{name} takes {} rows\n{page}", rows(&page));
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

/// Output without what differs from run to run: times, numbers of comments and ids of deploys.
fn steady(text: &str) -> String {
    let replaced = [
        (r"\d\d:\d\d(:\d\d)?( UTC)", "HH:MM$2"),
        (r"(?m)^(  )\d\d:\d\d:\d\d  ", "${1}HH:MM:SS  "),
        (r"(/T\d+#)\d+", "${1}N"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "DEPLOY"),
        (r"after less than 1 s|after \d+ s", "after SECONDS"),
        (r"queued \d{4}-\d\d-\d\d", "queued DATE"),
        (r"clock is .* the server's", "clock is APART FROM the server's"),
    ];
    replaced.iter().fold(text.to_owned(), |text, (pattern, by)| {
        regex_lite::Regex::new(pattern).unwrap().replace_all(&text, *by).into_owned()
    })
}

/// What a screen is made from: the account, the command line, what happens before, and how the screen ends.
struct Screen {
    name: &'static str,
    account: &'static str,
    /// Its words; `_` stands for a blank within one.
    command: &'static str,
    before: fn(&Server),
    /// The last line of what the terminal shows.
    end: &'static str,
    /// Whether it is kept as a snapshot: not where a file of its own does that, or where it hangs on the machine.
    kept: bool,
}

fn nothing(_: &Server) {}

/// A deploy of T1 that fails.
fn failed(server: &Server) {
    let (code, _, err) = server.run(&["run", "T1", "--deployer", "deployer1", "--", "false"]);
    assert_eq!(code, 1, "{err}");
}

/// A record of T1 that waits in the outbox.
fn queued(server: &Server) {
    server.running.inject(vec!["*:503".parse().unwrap()]);
    let record = ["record", "T1", "--deployer", "deployer1", "--outcome", "succeeded"];
    assert_eq!(server.run(&record).0, 0);
    server.running.inject(vec![]);
}

fn by(server: &Server, account: &str, command: &str) {
    let output = server.phabgate_as(account).args(command.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn unread(server: &Server) {
    server.running.inject(vec!["transaction.search:redirect".parse().unwrap()]);
}

fn down(server: &Server) {
    server.running.inject(vec!["*:redirect".parse().unwrap()]);
}

fn closed(server: &Server) {
    server.running.change(|world, _| world.tasks.iter_mut().for_each(|task| task.status = "resolved".into())).unwrap();
}

fn restricted(server: &Server) {
    let restrict = |world: &mut phabgate::sandbox::World| {
        let sre = world.projects.iter().find(|project| project.slugs.iter().any(|slug| slug == "sre")).unwrap();
        let sre = sre.phid.clone();
        world.tasks.iter_mut().find(|task| task.id == 6).unwrap().view = sre;
    };
    server.running.change(|world, _| restrict(world)).unwrap();
}

const SCREENS: &[Screen] = &[
    Screen {
        name: "check-allowed",
        account: "phabgate",
        command: "check T1 --deployer deployer1",
        before: nothing,
        end: "Next: phabgate run T1 --deployer deployer1 -- COMMAND",
        kept: false,
    },
    Screen {
        name: "check-pending",
        account: "phabgate",
        command: "check T6 --deployer deployer1",
        before: nothing,
        end: "Next: phabgate check T6 --deployer deployer1 --wait",
        kept: false,
    },
    Screen {
        name: "check-denied",
        account: "phabgate",
        command: "check T15",
        before: nothing,
        end: "Once that is mended: phabgate check T15",
        kept: false,
    },
    Screen {
        name: "check-undecided",
        account: "phabgate",
        command: "check T1",
        before: unread,
        end: "Once that is mended: phabgate check T1",
        kept: true,
    },
    Screen {
        name: "check-not-visible",
        account: "phabgate",
        command: "check T999",
        before: nothing,
        end: "Next: phabgate doctor --task T999",
        kept: false,
    },
    Screen {
        name: "check-restricted-pending",
        account: "sre1",
        command: "check T6",
        before: restricted,
        end: "Next: phabgate check T6 --wait",
        kept: true,
    },
    Screen {
        name: "check-after-failure",
        account: "phabgate",
        command: "check T1 --deployer deployer1",
        before: failed,
        end: "To roll back: phabgate run T1 --deployer deployer1 --action rollback -- COMMAND",
        kept: true,
    },
    Screen {
        name: "run-dry",
        account: "phabgate",
        command: "run T1 --deployer deployer1 --dry-run -- /bin/true",
        before: nothing,
        end: "Next: phabgate run T1 --deployer deployer1 -- /bin/true",
        kept: false,
    },
    Screen {
        name: "run-refused",
        account: "phabgate",
        command: "run T6 --deployer deployer1 -- /bin/true",
        before: nothing,
        end: "Next: phabgate run T6 --deployer deployer1 --wait -- /bin/true",
        kept: true,
    },
    Screen {
        name: "run",
        account: "phabgate",
        command: "run T1 --deployer deployer1 -- /bin/echo deployed",
        before: nothing,
        end: "phabgate: T1: deployed and recorded; nothing is left to do",
        kept: true,
    },
    Screen {
        name: "run-failed",
        account: "phabgate",
        command: "run T1 --deployer deployer1 -- /bin/false",
        before: nothing,
        end: "To roll back: phabgate run T1 --deployer deployer1 --action rollback -- COMMAND",
        kept: true,
    },
    Screen {
        name: "run-killed",
        account: "phabgate",
        command: "run T1 --deployer deployer1 --action rollback -- /bin/sh -c kill_-KILL_$$",
        before: failed,
        end: "The rollback failed: tell its approvers; next: phabgate history T1",
        kept: true,
    },
    Screen {
        name: "request",
        account: "deployer1",
        command: "request T3 --reason abuse a scraper takes half of the capacity",
        before: nothing,
        end: "Next: phabgate check T3 --wait",
        kept: true,
    },
    Screen {
        name: "request-unchanged",
        account: "deployer1",
        command: "request T3 --reason abuse a scraper",
        before: |server| by(server, "deployer1", "request T3 --reason abuse a scraper --yes"),
        end: "Next: phabgate check T3 --wait",
        kept: true,
    },
    Screen {
        name: "request-conflict",
        account: "deployer1",
        command: "request T3 --action rollback --yes",
        before: |server| by(server, "deployer1", "request T3 --reason abuse --deployer deployer2 --yes"),
        end: "Once that is mended: phabgate check T3",
        kept: true,
    },
    Screen {
        name: "approve",
        account: "sre1",
        command: "approve T6",
        before: nothing,
        end: "  phabgate run T6 -- COMMAND",
        kept: true,
    },
    Screen {
        name: "approve-restricted",
        account: "sre1",
        command: "approve T6",
        before: restricted,
        end: "  phabgate run T6 -- COMMAND",
        kept: false,
    },
    Screen {
        name: "approve-unchanged",
        account: "sre1",
        command: "approve T6",
        before: |server| by(server, "sre1", "approve T6 --yes"),
        end: "  phabgate run T6 -- COMMAND",
        kept: true,
    },
    Screen {
        name: "withdraw",
        account: "sre1",
        command: "withdraw T6",
        before: |server| by(server, "sre1", "approve T6 --yes"),
        end: "To see how it stands: phabgate check T6",
        kept: true,
    },
    Screen {
        name: "reject",
        account: "sre1",
        command: "reject T6 --note wait",
        before: nothing,
        end: "To see how it stands: phabgate check T6",
        kept: true,
    },
    Screen {
        name: "record",
        account: "deployer1",
        command: "record T1 --outcome succeeded --yes",
        before: nothing,
        end: "recorded on T1 (verdict: allowed); nothing is left to do",
        kept: true,
    },
    Screen {
        name: "record-queued",
        account: "deployer1",
        command: "record T1 --outcome succeeded --yes",
        before: down,
        end: "To deliver it: phabgate outbox flush --wait",
        kept: true,
    },
    Screen {
        name: "list",
        account: "phabgate",
        command: "list",
        before: nothing,
        end: "Next: phabgate check T26",
        kept: false,
    },
    Screen {
        name: "list-empty",
        account: "phabgate",
        command: "list",
        before: closed,
        end: "no open emergency is shown to this account; nothing is to be done",
        kept: false,
    },
    Screen {
        name: "list-after-failure",
        account: "phabgate",
        command: "list",
        before: failed,
        end: "To roll back: phabgate run T1 --action rollback -- COMMAND",
        kept: false,
    },
    Screen {
        name: "history",
        account: "phabgate",
        command: "history T15",
        before: nothing,
        end: "Next: phabgate check T15",
        kept: true,
    },
    Screen {
        name: "history-closed",
        account: "phabgate",
        command: "history T22",
        before: nothing,
        end: "T22 is closed: nothing is to be done.",
        kept: true,
    },
    Screen {
        name: "history-never",
        account: "phabgate",
        command: "history T28",
        before: nothing,
        end: "To make it an emergency: phabgate request T28 --reason CATEGORY what is broken",
        kept: true,
    },
    Screen {
        name: "history-after-failure",
        account: "phabgate",
        command: "history T1",
        before: failed,
        end: "To roll back: phabgate run T1 --action rollback -- COMMAND",
        kept: false,
    },
    Screen {
        name: "doctor",
        account: "phabgate",
        command: "doctor",
        before: nothing,
        end: "Nothing is to be done at once; look at the warnings when there is time.",
        kept: false,
    },
    Screen {
        name: "doctor-not-ready",
        account: "phabgate",
        command: "doctor --task T999",
        before: nothing,
        end: "Once that is mended: phabgate doctor --task T999",
        kept: false,
    },
    Screen {
        name: "outbox-empty",
        account: "phabgate",
        command: "outbox list",
        before: nothing,
        end: "nothing is undelivered; nothing is to be done",
        kept: false,
    },
    Screen {
        name: "outbox",
        account: "phabgate",
        command: "outbox list",
        before: queued,
        end: "Next: phabgate outbox flush --wait",
        kept: true,
    },
    Screen {
        name: "outbox-flush",
        account: "phabgate",
        command: "outbox flush",
        before: queued,
        end: "nothing is undelivered; nothing is to be done",
        kept: true,
    },
    Screen {
        name: "announce",
        account: "deployer1",
        command: "announce T6",
        before: nothing,
        end: "Next: phabgate check T6 --wait",
        kept: false,
    },
    Screen {
        name: "announce-not-needed",
        account: "deployer1",
        command: "announce T1",
        before: nothing,
        end: "Next: phabgate run T1 -- COMMAND",
        kept: true,
    },
    Screen {
        name: "announce-denied",
        account: "deployer1",
        command: "announce T15",
        before: nothing,
        end: "Once that is mended: phabgate check T15",
        kept: true,
    },
];

#[test]
fn every_screen_ends_with_the_next_command_or_says_that_nothing_is_to_be_done() {
    let mut wrong = Vec::new();
    for screen in SCREENS {
        let server = Server::new();
        (screen.before)(&server);
        let words: Vec<String> = screen.command.split(' ').map(|word| word.replace('_', " ")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (_, shown) = on_a_terminal(&server, screen.account, &words, "y\n", || ());
        // What is quoted is copied whole; all else fits.
        let is_wide = |line: &&str| line.chars().count() > 80 && !line.contains("help! ") && !line.contains("\": ");
        let wide: Vec<&str> = shown.lines().filter(is_wide).collect();
        assert!(wide.is_empty() || screen.name == "run-dry", "{}: {wide:?}", screen.name);
        if screen.kept {
            insta::assert_snapshot!(format!("screen-{}", screen.name), steady(&shown));
        }
        let last = shown.lines().last().unwrap_or_default();
        if last != screen.end {
            wrong.push(format!("{}: {last}\n{shown}", screen.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_wait_in_a_pipe_says_in_lines_what_it_waits_for_and_ends_as_a_check_does() {
    let server = Server::new();
    let (code, out, err) = server.run(&["check", "T6", "--wait=1s"]);
    assert_eq!(code, 8, "{err}");
    assert_eq!(out.lines().last(), Some("Next: phabgate check T6 --wait"), "{out}");
    insta::assert_snapshot!("screen-wait", err);
}

#[test]
fn an_audit_ends_with_what_the_worst_finding_means_or_with_nothing_to_do() {
    let server = Server::new();
    let (_, out, err) = server.run(&["audit"]);
    assert_eq!(out.lines().last(), Some("Next: phabgate explain record-missing"), "{out}{err}");
    server.running.change(|world, _| world.tasks.retain(|task| task.id != 22)).unwrap();
    let fresh = server.machine.home().join("fresh");
    let output = server.phabgate().env("XDG_CACHE_HOME", fresh).arg("audit").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out.lines().last(), Some("Nothing is to be done."), "{out}");
}

#[test]
fn nobody_is_called_for_a_deploy_that_nobody_can_approve() {
    let server = Server::new();
    by(&server, "deployer1", "request T3 --reason abuse --deployer deployer2 --yes");
    let (_, shown) = on_a_terminal(&server, "deployer1", &["request", "T3", "--action", "rollback"], "y\n", || ());
    assert!(shown.contains("the sources disagree about who deploys"), "{shown}");
    assert!(!shown.contains("help! "), "{shown}");
}

#[test]
fn a_narrow_terminal_holds_what_was_said_and_how_a_command_failed() {
    let (machine, server) = (Machine::new(), Server::new());
    let (mut said, mut failed) = (machine.phabgate(), server.phabgate());
    said.env_remove("PHABGATE_SANDBOX_WORLD").args(["--sandbox", "check", "T8"]);
    failed.args(["run", "T1", "--deployer", "deployer1", "--", "false"]);
    for (mut command, shows) in [(said, "Said on the task"), (failed, "FAILED T1")] {
        let output = command.env("COLUMNS", "40").output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains(shows), "{text}");
        // What is copied stays whole.
        let is_copied = |line: &str| ["phabgate ", "http", "help! "].iter().any(|word| line.contains(word));
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 40 && !is_copied(line)).collect();
        assert!(wide.is_empty(), "{wide:#?}\n{text}");
    }
}
