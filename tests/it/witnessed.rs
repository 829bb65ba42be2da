//! What people say on a real IRC network, with a bot that hears it and a watch that writes it on tasks.
//!
//! Responsible for starting all of it, and for what stands on a task in the end. Not responsible for what should.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::irc_network::network::{CHANNEL, PASSWORD, Person, RealNetwork};
use crate::irc_watch::today;
use crate::site::Site;
use crate::watching::{ACCOUNTS, Watching};

/// The account that writes witnesses.
const WITNESS: &str = "robot";

/// Who is whom: members, one whose account is disabled, and the deployer.
const LISTED: [(&str, &str); 6] = [
    ("sre1", "sre1"),
    ("sre2", "sre2"),
    ("releng1", "releng1"),
    ("releng2", "releng2"),
    ("leaver", "gone"),
    ("doer", "deployer1"),
];

/// A network with a bot that writes on tasks what is said, and the watch behind it.
pub(crate) struct Heard {
    pub(crate) network: RealNetwork,
    pub(crate) watching: Watching,
    _directory: tempfile::TempDir,
}

impl Heard {
    /// With these words of the policy; `None` where there is no network on this machine.
    pub(crate) fn with(accept: &str) -> Option<Self> {
        Self::on(Site::sandbox(&ACCOUNTS), accept, "")
    }

    /// The same over another server, with more tables.
    pub(crate) fn on(site: Site, accept: &str, more: &str) -> Option<Self> {
        let network = RealNetwork::start()?;
        network.register(&["phabgate", "sre1", "sre2", "releng1", "releng2", "outsider", "late", "leaver", "doer"]);
        let directory = tempfile::tempdir().unwrap();
        let secret = |name: &str, text: &str| {
            let path: PathBuf = directory.path().join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let listed: String = LISTED
            .iter()
            .map(|(nick, account)| format!("[irc.accounts.{nick}]\naccount = \"{account}\"\nsince = \"{}\"\n", today()))
            .collect();
        let password = secret("irc-password", PASSWORD);
        let table = |site: &Site| {
            site.to_the_present();
            let token = secret("witness", site.token(WITNESS));
            format!(
                "[policy]\naccept = [{accept}]\nwitnesses = [\"{WITNESS}\"]\n\
             [irc]\nserver = \"localhost:{}\"\nca = {:?}\nchannels = [\"{CHANNEL}\"]\naccount = \"phabgate\"\npassword_file = {password:?}\n\
             witness_token_file = {token:?}\n\
             {listed}[irc.accounts.late]\naccount = \"both\"\nsince = \"2020-01-01\"\n{more}",
                network.tls,
                network.authority(),
            )
        };
        Some(Self { watching: Watching::on(site, table), network, _directory: directory })
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        Person::new(&self.network, name, Some(name))
    }

    /// Somebody who is in the channel and not logged in.
    pub(crate) fn stranger(&self, nick: &str) -> Person {
        Person::new(&self.network, nick, None)
    }

    /// A person, once the bot is there too, whoever came first.
    pub(crate) fn first(&self, name: &str) -> Person {
        let mut person = self.person(name);
        let is_there = (0..20).any(|_| {
            person.say("!help");
            person.within(Duration::from_secs(3), |line| line.contains("I understand")).is_some()
        });
        assert!(is_there, "the bot does not come");
        person
    }

    /// An emergency for which both teams were asked; their askings, as this person heard them.
    pub(crate) fn emergency(&self, person: &mut Person) -> (String, String) {
        let task = self.watching.emergency("All page views fail");
        let about = format!("{task} is an emergency deploy");
        let asked = [person.until(&about), person.until(&about)].concat();
        (task, asked)
    }

    /// What witnesses wrote on a task, oldest first.
    pub(crate) fn witnesses(&self, task: &str) -> Vec<String> {
        witnesses(&self.watching.site, task).into_iter().map(|(_, text)| text).collect()
    }
}

/// What witnesses wrote on a task, oldest first, each with the number of its transaction.
pub(crate) fn witnesses(site: &Site, task: &str) -> Vec<(String, String)> {
    let asked = json!({"objectIdentifier": task, "limit": 100});
    let found = site.call("phabgate", "transaction.search", asked);
    let rows = found["data"].as_array().unwrap().iter().rev();
    let texts = rows.filter_map(|row| Some((row["id"].to_string(), row["comments"][0]["content"]["raw"].as_str()?)));
    texts.filter(|(_, text)| text.contains("phabgate/witness/1")).map(|(id, text)| (id, text.to_owned())).collect()
}

/// The code that the last asking of a team ends in.
pub(crate) fn code(heard: &str, task: &str, team: &str) -> String {
    let mark = format!("!approve {task} {team} ");
    let at = heard.rfind(&mark).unwrap_or_else(|| panic!("no `{mark}` in {heard}"));
    heard[at + mark.len()..].split_whitespace().next().unwrap().to_owned()
}
