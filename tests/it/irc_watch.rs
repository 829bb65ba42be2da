//! The watch on a real IRC network: what it says of an emergency by itself, each line once, and what it answers to whom.

use std::os::unix::fs::PermissionsExt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;

use crate::irc_network::network::{CHANNEL, PASSWORD, Person, RealNetwork};
use crate::pagers::Pager;
use crate::paging::tables;
use crate::watching::{Watching, until};

/// The table of a bot on this network, whose list says that sre1 is sre1, and that the account `late` was sre2 before it was registered.
fn table(network: &RealNetwork, directory: &tempfile::TempDir) -> String {
    let password = directory.path().join("irc-password");
    std::fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[irc]\nserver = \"localhost:{}\"\nca = {:?}\nchannels = [\"{CHANNEL}\"]\naccount = \"phabgate\"\npassword_file = {password:?}\nlog = true\n\
         [irc.accounts.sre1]\naccount = \"sre1\"\nsince = \"{}\"\n[irc.accounts.late]\naccount = \"sre2\"\nsince = \"2020-01-01\"\n\
         [contact]\nconductor = \"carol\"\n",
        network.tls,
        network.authority(),
        today(),
    )
}

/// The day that it is already somewhere: also one who registers an account after midnight did so by it.
pub(crate) fn today() -> Date {
    (Timestamp::now() + SignedDuration::from_hours(14)).to_zoned(TimeZone::UTC).date()
}

/// An emergency for which both teams were asked, in the channel where sre1 is.
struct Asked {
    watching: Watching,
    network: RealNetwork,
    sre1: Person,
    task: String,
    _directory: tempfile::TempDir,
}

/// One of its own, with more settings; `None` where there is no network on this machine.
fn asked(more: &str) -> Option<Asked> {
    let network = RealNetwork::start()?;
    network.register(&["phabgate", "sre1"]);
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));
    let directory = tempfile::tempdir().unwrap();
    let watching = Watching::with(&(table(&network, &directory) + more));
    sre1.until("JOIN");
    let task = watching.emergency("All page views fail");
    for _ in 0..2 {
        sre1.until("is an emergency deploy");
    }
    assert_eq!(watching.get("healthz").headers["phabgate-asks"], "yes");
    let has_asked = |task: &str| watching.get(&format!("healthz?task={task}")).headers["phabgate-asked"].clone();
    until("it is known that both were asked", || has_asked(&task) == "yes");
    assert_eq!(has_asked("T999999"), "no");
    Some(Asked { watching, network, sre1, task, _directory: directory })
}

#[test]
fn an_emergency_is_asked_for_answered_and_followed_in_the_channel() {
    let Some(network) = RealNetwork::start() else { return };
    network.register(&["phabgate", "sre1", "late", "outsider"]);
    let mut sre1 = Person::new(&network, "sre1", Some("sre1"));
    let directory = tempfile::tempdir().unwrap();
    let watching = Watching::with(&table(&network, &directory));
    until("an operator reads where it speaks", || watching.has_logged("speaking on IRC in #"));
    sre1.until("JOIN");
    let task = watching.emergency("All page views fail");

    // Each team is asked once, with who can give it and what to write where.
    let about = format!(":{task} ");
    let asked = [sre1.until("waits for"), sre1.until("waits for")].concat();
    assert!(
        asked.contains("Site Reliability Engineering (")
            && asked.contains("Release Engineering (")
            && asked.contains("PRIVMSG"),
        "{asked}"
    );
    assert!(
        asked.contains(&about) && asked.contains("Emergency-Approve: sre") && !asked.contains("page views"),
        "{asked}"
    );
    // People are called by the account that is listed for them, and the conductor once.
    assert!(asked.contains("late") && !asked.contains("sre2"), "{asked}");
    assert_eq!(asked.matches("conductor: carol").count(), 1, "{asked}");

    // Whoever asks is answered; of any other number the same is said.
    sre1.say(&format!("!status {task}"));
    sre1.until("waits for");
    sre1.say("!status T999999");
    sre1.until("T999999 is no open emergency that I know");
    sre1.say(&format!("!who {task}"));
    sre1.until(&format!("{task} lacks"));
    sre1.say("!help");
    sre1.until("I understand");

    // An acknowledgement is taken of who is listed, and only of them.
    let mut impostor = Person::new(&network, "sre1_", None);
    impostor.say(&format!("!ack {task}"));
    sre1.until("the nick is not logged in with the services");
    let mut outsider = Person::new(&network, "outsider", Some("outsider"));
    outsider.say(&format!("!ack {task}"));
    sre1.until("the services account is not listed with the watch");
    let mut late = Person::new(&network, "late", Some("late"));
    late.say(&format!("!ack {task}"));
    sre1.until("registered after it was listed");
    sre1.say(&format!("!ack {task}"));
    sre1.until("nobody is paged for sre");

    // Nothing that is said counts, and that is said.
    for line in [format!("!approve {task} sre K7QX"), format!("!reject {task} the graphs look wrong")] {
        sre1.say(&line);
        sre1.until("REFUSED: ");
    }
    assert_eq!(watching.verdict(&task), "pending");

    // Who meant an answer that does not count hears of it.
    watching.comment("sre2", &task, "Emergency-Aprove: sre");
    let meant = sre1.until("meant an answer that does not count");
    assert!(meant.contains(": late meant") && meant.contains("Emergency-Approve: sre"), "{meant}");

    // What changes is said once.
    watching.approve(&task);
    sre1.until("is approved and may be deployed");
    watching.comment("sre2", &task, "Emergency-Reject: sre - the graphs look wrong");
    let no = sre1.until("is REJECTED by sre2 and may not be deployed");
    assert!(!no.contains("graphs"), "{no}");
    sre1.say(&format!("!status {task}"));
    sre1.until("is REJECTED by sre2 until that is taken back, open for");
    watching.comment("sre2", &task, "Emergency-Withdraw: sre");
    sre1.until("is approved and may be deployed");
    watching.comment("sre1", &task, "Emergency-Withdraw: sre");
    sre1.until("is not approved any more: sre1 took their approval back, and it waits for");
    watching.comment("sre1", &task, "Emergency-Approve: sre");
    sre1.until("is approved and may be deployed");
    let run = watching.command(&["run", &task, "--deployer", "deployer1", "--", "true"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    sre1.until("!log emergency deploy started");
    until("it is over", || {
        watching.get(&task).text.contains("Succeeded") || watching.get(&task).text.contains("succeeded")
    });
    assert_eq!((sre1.count(":!log"), sre1.count("is not approved any more")), (1, 1));
    assert_eq!((sre1.count("may not be deployed"), sre1.count("meant an answer")), (1, 1));
    assert_eq!(sre1.count("is an emergency deploy"), 3, "each team once, and that which took its yes back once more");
}

#[test]
fn who_cancels_an_emergency_is_named() {
    let Some(Asked { watching, network: _network, mut sre1, task, _directory }) = asked("") else { return };
    let reason = "Emergency-Reason: availability - 5xx on every page\nEmergency-Drill: yes";
    watching.site.edit("deployer1", &task, "description", reason);
    sre1.until(&format!("{task} is a drill: deployer1 declared it one"));
    let untag =
        json!({"objectIdentifier": task, "transactions": [{"type": "projects.remove", "value": [watching.tag()]}]});
    watching.site.call("outsider", "maniphest.edit", untag);
    sre1.until(&format!("{task} ended as an emergency: outsider took the tag away"));
    // It is an emergency again, of which that is said anew.
    let tag = json!({"objectIdentifier": task, "transactions": [{"type": "projects.add", "value": [watching.tag()]}]});
    watching.site.call("sre1", "maniphest.edit", tag);
    sre1.until("is an emergency deploy (a drill)");
    watching.site.edit("sre1", &task, "status", "resolved");
    sre1.until(&format!("{task} ended as an emergency: sre1 closed it"));
    assert_eq!((sre1.count("declared it one"), sre1.count("took the tag away")), (1, 1));
}

#[test]
fn a_watch_that_is_killed_says_nothing_twice_and_comes_back() {
    let Some(Asked { mut watching, mut network, mut sre1, task, _directory }) = asked("") else { return };
    watching.killed_and_started();
    sre1.until("JOIN");
    watching.approve(&task);
    sre1.until("is approved and may be deployed");
    assert_eq!(sre1.count("is an emergency deploy"), 2);
    // The network goes and comes back, and so does the bot.
    network.stop_server();
    network.start_server();
    network.start_services();
    let mut sre1 = Person::new(&network, "sre1", None);
    watching.comment("sre1", &task, "Emergency-Withdraw: sre");
    sre1.until("is not approved any more");
    assert_eq!(sre1.count("may be deployed"), 0, "what was said before is not said again");
}

#[test]
fn a_team_that_nobody_answers_for_is_asked_again_once_with_what_people_do_then() {
    let text = "escalation = \"Klaxon pages the people on call\"\n";
    let paging = "[paging]\nfor = [\"deployer1\"]\npage_after = \"1s\"\nescalate_after = \"8s\"\nack_for = \"10m\"\n";
    let Some(Asked { mut watching, network: _network, mut sre1, task, _directory }) = asked(&format!("{text}{paging}"))
    else {
        return;
    };
    sre1.say(&format!("!ack {task}"));
    sre1.until("nobody is paged for sre");
    let again = sre1.until(&format!("{task} still waits for "));
    assert!(
        again.contains("Release Engineering (") && again.contains("Nobody answers? Klaxon pages the people on call")
    );
    watching.killed_and_started();
    sre1.until("JOIN");
    watching.approve(&task);
    sre1.until("is approved and may be deployed");
    assert_eq!((sre1.count("still waits for"), sre1.count("is an emergency deploy")), (1, 2));
}

#[test]
fn that_a_team_was_paged_is_said_once_and_not_of_one_of_which_somebody_looks_at_it() {
    let pager = Pager::new();
    let paging = tables(Some(&pager.url), None, "ack_for = \"10m\"").replace("\"1s\"", "\"15s\"");
    let Some(Asked { mut watching, network: _network, mut sre1, task, _directory }) = asked(&paging) else { return };
    sre1.say(&format!("!ack {task}"));
    sre1.until("nobody is paged for sre");
    let paged = sre1.until("was paged");
    assert!(paged.contains(&format!(":{task}: Release Engineering was paged; nobody needs to page it by hand")));
    assert!(pager.alerts().iter().all(|alert| alert.is_about(&task, "releng")));
    for (command, lacks) in [("status", "waits for"), ("who", "lacks")] {
        sre1.say(&format!("!{command} {task}"));
        let answer = sre1.until(&format!("{task} {lacks}"));
        assert_eq!(answer.matches("paged ").count(), 1, "{answer}");
        let (before, _) = answer.split_once("paged ").unwrap();
        assert!(before.contains("Release Engineering (") && answer.contains(" s ago)"), "{answer}");
    }
    // Nor again after a crash.
    watching.killed_and_started();
    sre1.until("JOIN");
    watching.approve(&task);
    sre1.until("is approved and may be deployed");
    assert_eq!(sre1.count("was paged"), 1);
}

/// What a metric of the watch is.
fn metric(watching: &Watching, name: &str) -> String {
    let text = watching.get("metrics").text;
    let start = format!("phabgate_serve_{name} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned);
    value.unwrap_or_else(|| panic!("no such metric: {text}"))
}

#[test]
fn a_channel_that_takes_no_line_of_the_bot_is_missed_in_the_metrics_and_asked_in_once_it_does() {
    let Some(Asked { watching, network: _network, mut sre1, .. }) = asked("") else { return };
    let asks = || watching.get("healthz").headers["phabgate-asks"].to_str().unwrap().to_owned();
    assert_eq!((metric(&watching, "irc_mute"), asks()), ("0".to_owned(), "yes".to_owned()));
    // Who came first is an operator of the channel.
    sre1.send("MODE #ops +m");
    sre1.until("+m");
    let task = watching.emergency("The database is away");
    until("the metrics say so", || metric(&watching, "irc_mute") == "1");
    assert_eq!((metric(&watching, "irc_in_channels"), asks()), ("1".to_owned(), "no".to_owned()));
    sre1.send("MODE #ops -m");
    for _ in 0..2 {
        sre1.until(&format!("{task} is an emergency deploy"));
    }
    until("nothing is left to say", || metric(&watching, "irc_mute") == "0");
    assert_eq!(asks(), "yes");
}

#[test]
fn a_bot_that_lost_its_account_is_missed_in_the_metrics_and_the_log() {
    let Some(Asked { watching, network, .. }) = asked("") else { return };
    let lacks = || metric(&watching, "irc_lacks_account");
    assert_eq!(lacks(), "0");
    let mut other = Person::stranger(&network, "other");
    other.send(&format!("PRIVMSG NickServ :LOGOUT phabgate {PASSWORD}"));
    until("the metrics say so", || lacks() == "1");
    until("the log says so", || {
        watching.has_logged("it is logged in with no account: the services logged the bot out")
    });
}
