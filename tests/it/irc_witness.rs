//! What people say about a deploy on a real IRC network: it is on the task once, or it counts for nothing, and that is said.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::irc_network::network::{CHANNEL, PASSWORD, Person, RealNetwork};
use crate::serve::{ACCOUNTS, Watching, until};
use crate::site::Site;

/// The account that writes witnesses.
const WITNESS: &str = "robot";

/// A network with a bot that writes on tasks what is said, and the watch behind it.
struct Heard {
    network: RealNetwork,
    watching: Watching,
    _directory: tempfile::TempDir,
}

impl Heard {
    /// With these words of the policy; `None` where there is no network on this machine.
    fn with(accept: &str) -> Option<Self> {
        Self::on(Site::sandbox(&ACCOUNTS), accept)
    }

    /// The same over another server.
    fn on(site: Site, accept: &str) -> Option<Self> {
        let network = RealNetwork::start()?;
        network.register(&["phabgate", "sre1", "releng1", "outsider", "late"]);
        let directory = tempfile::tempdir().unwrap();
        let secret = |name: &str, text: &str| {
            let path: PathBuf = directory.path().join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let password = secret("irc-password", PASSWORD);
        let table = |site: &Site| {
            site.to_the_present();
            let token = secret("witness", site.token(WITNESS));
            format!(
                "[policy]\naccept = [{accept}]\nwitnesses = [\"{WITNESS}\"]\n\
             [irc]\nserver = \"localhost:{}\"\nca = {:?}\nchannels = [\"{CHANNEL}\"]\naccount = \"phabgate\"\npassword_file = {password:?}\n\
             witness_token_file = {token:?}\n\
             [irc.accounts.sre1]\naccount = \"sre1\"\nsince = \"{today}\"\n[irc.accounts.releng1]\naccount = \"releng1\"\nsince = \"{today}\"\n\
             [irc.accounts.late]\naccount = \"sre2\"\nsince = \"2020-01-01\"\n",
                network.tls,
                network.authority(),
            )
        };
        Some(Self { watching: Watching::on(site, table), network, _directory: directory })
    }

    fn person(&self, name: &str) -> Person {
        Person::new(&self.network, name, Some(name))
    }

    /// The same, once the bot is there too, whoever came first.
    fn first(&self, name: &str) -> Person {
        let mut person = self.person(name);
        let is_there = (0..20).any(|_| {
            person.say("!help");
            person.within(Duration::from_secs(3), |line| line.contains("I understand")).is_some()
        });
        assert!(is_there, "the bot does not come");
        person
    }

    /// What witnesses wrote on a task, oldest first.
    fn witnesses(&self, task: &str) -> Vec<String> {
        let asked = json!({"objectIdentifier": task, "limit": 100});
        let found = self.watching.site.call("phabgate", "transaction.search", asked);
        let rows = found["data"].as_array().unwrap().iter().rev();
        let texts = rows.filter_map(|row| row["comments"][0]["content"]["raw"].as_str());
        texts.filter(|text| text.contains("phabgate/witness/1")).map(str::to_owned).collect()
    }
}

/// The code that the last asking of a team ends in.
fn code(heard: &str, task: &str, team: &str) -> String {
    let mark = format!("!approve {task} {team} ");
    let at = heard.rfind(&mark).unwrap_or_else(|| panic!("no `{mark}` in {heard}"));
    heard[at + mark.len()..].split_whitespace().next().unwrap().to_owned()
}

#[expect(clippy::print_stderr, reason = "a test on a real server gives its figures, and says where it is passed over")]
fn say(words: &str) {
    eprintln!("{words}");
}

#[test]
fn a_yes_is_on_the_task_before_it_is_said_to_be_and_counts_with_one_on_the_task() {
    let Some(heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let asked = [sre1.until("is an emergency deploy"), sre1.until("is an emergency deploy")].concat();
    let code_of_now = code(&asked, &task, "sre");
    sre1.say(&format!("!status {task}"));
    assert!(sre1.until("open since").contains(&format!("code {code_of_now}")));

    // Not with another code, nor for a team of others.
    let other = if code_of_now == "CDFG" { "CDFH" } else { "CDFG" };
    sre1.say(&format!("!approve {task} sre {other}"));
    sre1.until("NOT recorded: the code is of something else");
    sre1.say(&format!("!approve {task} releng {code_of_now}"));
    sre1.until("NOT recorded: for that team you cannot approve");
    assert!(heard.witnesses(&task).is_empty());

    sre1.say(&format!("!approve {task} sre {code_of_now}"));
    let recorded = sre1.until("your yes is recorded: ");
    let witnesses = heard.witnesses(&task);
    assert_eq!(witnesses.len(), 1, "it is there once it is said: {recorded}");
    assert!(
        witnesses[0].contains("`sre1` says yes for `sre`") && witnesses[0].contains(&code_of_now),
        "{}",
        witnesses[0]
    );
    heard.watching.comment("releng1", &task, "Emergency-Approve: releng");
    until("allowed", || heard.watching.verdict(&task) == "allowed");
    sre1.until("is approved and may be deployed");

    // A no is recorded, a second time it is the same; then it is taken back.
    let mut releng1 = heard.person("releng1");
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    let first = sre1.until("your no is recorded: ");
    until("denied", || heard.watching.verdict(&task) == "denied");
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    let again = sre1.until("your no is recorded: ");
    let link = |text: &str| text.rsplit("recorded: ").next().unwrap().trim().to_owned();
    assert_eq!(link(&first), link(&again), "who repeats a no writes no second comment");
    releng1.say(&format!("!withdraw {task}"));
    sre1.until("your withdrawal is recorded: ");
    until("pending", || heard.watching.verdict(&task) == "pending");
    assert_eq!(heard.witnesses(&task).len(), 3);
}

#[test]
fn a_whole_emergency_on_a_real_server_is_followed_line_by_line() {
    let Some(site) = Site::real(&ACCOUNTS) else {
        return say("passed over: PHABGATE_LIVE names no Phorge");
    };
    let Some(heard) = Heard::on(site, "\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let took = |what: &str, since: Instant| say(&format!("{what}: {} ms", since.elapsed().as_millis()));
    let begun = Instant::now();
    let about = format!("{task} is an emergency deploy");
    let first = sre1.until(&about);
    took("from the tag to the line in the channel", begun);
    let asked = [first, sre1.until(&about)].concat();
    sre1.say(&format!("!ack {task}"));
    sre1.until("nobody is paged for sre");
    let begun = Instant::now();
    sre1.say(&format!("!approve {task} sre {}", code(&asked, &task, "sre")));
    sre1.until("your yes is recorded: ");
    took("from `!approve` to `recorded`", begun);
    assert_eq!(heard.witnesses(&task).len(), 1);
    let begun = Instant::now();
    heard.watching.comment("releng1", &task, "Emergency-Approve: releng");
    sre1.until(&format!("{task} is approved and may be deployed"));
    took("from the last approval to `may be deployed`", begun);
    let run = heard.watching.command(&["run", &task, "--deployer", "deployer1", "--", "true"]).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    sre1.until(&format!("{task} was deployed: it succeeded"));
    let mut releng1 = heard.person("releng1");
    let begun = Instant::now();
    releng1.say(&format!("!reject {task} the graphs look wrong"));
    sre1.until("your no is recorded: ");
    took("from `!reject` to `recorded`", begun);
    heard.watching.site.edit("deployer1", &task, "status", "resolved");
    sre1.until(&format!("{task} ended as an emergency"));
    assert_eq!((sre1.count(&about), sre1.count(&format!("{task} is approved"))), (2, 1));
    assert_eq!((sre1.count("was deployed: it succeeded"), heard.witnesses(&task).len()), (1, 2));
}

#[test]
fn of_impostors_nothing_is_recorded_and_it_stands_beside_the_task() {
    let Some(heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let asked = [sre1.until("is an emergency deploy"), sre1.until("is an emergency deploy")].concat();
    let code = code(&asked, &task, "sre");
    let mut stranger = Person::new(&heard.network, "sre1_", None);
    let mut outsider = heard.person("outsider");
    let mut late = heard.person("late");
    for (person, why) in [
        (&mut stranger, "the nick is not logged in with the services"),
        (&mut outsider, "your services account is not listed here"),
        (&mut late, "registered after it was listed"),
    ] {
        for line in [format!("!approve {task} sre {code}"), format!("!reject {task} stop"), format!("!withdraw {task}")]
        {
            person.say(&line);
            sre1.until(why);
        }
    }
    // What any client can send is another key.
    stranger.send(&format!("@+account=sre1 PRIVMSG {CHANNEL} :!reject {task} stop"));
    sre1.until("the nick is not logged in with the services");
    assert_eq!(heard.watching.verdict(&task), "pending");
    assert!(heard.witnesses(&task).is_empty());
    let page = heard.watching.get(&task).text;
    assert!(page.contains("Said on IRC, not counted") && page.contains("sre1_"), "{page}");
    assert!(page.contains("your services account is not listed here"), "{page}");
}

#[test]
fn without_witnessed_in_the_policy_a_yes_is_refused_and_a_no_counts() {
    let Some(heard) = Heard::with("\"verified\"") else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let asked = [sre1.until("is an emergency deploy"), sre1.until("is an emergency deploy")].concat();
    assert!(!asked.contains("!approve"), "{asked}");
    sre1.say(&format!("!approve {task} sre CDFG"));
    sre1.until("NOT recorded: an approval that is said here does not count");
    sre1.say(&format!("!reject {task}"));
    sre1.until("your no is recorded: ");
    until("denied", || heard.watching.verdict(&task) == "denied");
}

#[test]
fn a_no_is_on_the_task_once_wherever_the_watch_is_killed() {
    let Some(mut heard) = Heard::with("\"verified\"") else { return };
    let mut sre1 = heard.first("sre1");
    for point in phabgate::crash::WITNESS_POINTS {
        heard.watching.killed_and_started_to_crash(Some(point));
        sre1.until("JOIN");
        let task = heard.watching.emergency("All page views fail");
        for _ in 0..2 {
            sre1.until("is an emergency deploy");
        }
        sre1.say(&format!("!reject {task} stop"));
        heard.watching.dies();
        heard.watching.killed_and_started();
        sre1.until("JOIN");
        until("denied", || heard.watching.verdict(&task) == "denied");
        // A second one would be there before the answer to another no.
        sre1.say(&format!("!withdraw {task}"));
        sre1.until("your withdrawal is recorded: ");
        let witnesses = heard.witnesses(&task);
        assert_eq!(witnesses.iter().filter(|text| text.contains("says no")).count(), 1, "{point}: {witnesses:?}");
        assert_eq!(witnesses.len(), 2, "{point}");
    }
}

#[test]
fn a_no_waits_for_the_services_as_little_as_for_the_server_of_the_tasks() {
    let Some(mut heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut sre1 = heard.first("sre1");
    let task = heard.watching.emergency("All page views fail");
    let asked = [sre1.until("is an emergency deploy"), sre1.until("is an emergency deploy")].concat();
    let code = code(&asked, &task, "sre");
    // With the services away who was logged in before still is, and nothing new is believed of them.
    heard.network.stop_services();
    // With the server's own `CAP DEL`, at once.
    sre1.say(&format!("!approve {task} sre {code}"));
    let refused = sre1.until("NOT recorded: the services");
    assert!(refused.contains("are away") || refused.contains("do not answer"), "{refused}");
    sre1.say(&format!("!reject {task} stop"));
    sre1.until("your no is recorded: ");
    assert!(heard.witnesses(&task).iter().all(|text| text.contains("says no")));
    heard.network.start_services();
}
