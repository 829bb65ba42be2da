//! One task of a world, and what is done on it: what a deploy needs, the deploy by the gate itself, and what is tampered with.

use std::collections::BTreeMap;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use phabgate::ids::DeployId;
use phabgate::record::Record;
use phabgate::record::comment::render;
use phabgate::record::parse::{Parsed, parse};
use serde_json::{Value, json};

use super::world::{Person, World, letters};

/// A task and what is known of its transactions.
pub(crate) struct Plan<'w> {
    pub(crate) world: &'w World<'w>,
    /// What sets the people of this task apart from those of others.
    pub(crate) number: usize,
    pub(crate) task: u64,
    phid: String,
    /// Transactions that the case speaks of: their PHIDs by a word for them.
    marks: BTreeMap<&'static str, Vec<String>>,
    /// Ids of transactions by PHID, of those too that are gone, and what each is.
    ids: BTreeMap<String, (u64, String)>,
    /// The records that were ever seen, by transaction.
    records: BTreeMap<u64, (String, Record)>,
}

/// The time as records state it.
pub(crate) fn ago(minutes: i64) -> String {
    (whole(Timestamp::now()) - SignedDuration::from_mins(minutes)).to_string()
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap()
}

/// What somebody of one case alone is called in the world.
pub(crate) fn own_name(who: &str, number: usize) -> String {
    format!("{who}.{number}")
}

/// A text in a statement of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

const TRANSACTIONS: &str = "phabricator_maniphest.maniphest_transaction";
const COMMENTS: &str = "phabricator_maniphest.maniphest_transaction_comment";

impl<'w> Plan<'w> {
    pub(crate) fn new(world: &'w World<'w>, number: usize) -> Self {
        let (marks, ids, records) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { world, number, task: 0, phid: String::new(), marks, ids, records }
    }

    /// Somebody of this task, else of the world.
    pub(crate) fn person(&self, who: &str) -> &'w Person {
        self.world.find_person(&own_name(who, self.number)).unwrap_or_else(|| self.world.person(who))
    }

    pub(crate) fn name(&self, who: &str) -> &'w str {
        &self.person(who).name
    }

    fn id(&self) -> String {
        format!("T{}", self.task)
    }

    // What people do on the task.

    /// Makes the task, without the tag: mark `open`.
    pub(crate) fn open(&mut self, who: &str, description: &str, more: &[(&str, Value)]) -> &mut Self {
        let title = format!("Case {} of {}", self.number, self.world.mark);
        let mut transactions =
            vec![json!({"type": "title", "value": title}), json!({"type": "description", "value": description})];
        transactions.extend(more.iter().map(|(kind, value)| json!({"type": kind, "value": value})));
        let made =
            self.world.server.call(&self.person(who).token, "maniphest.edit", json!({ "transactions": transactions }));
        self.task = made["object"]["id"].as_u64().unwrap();
        self.phid = made["object"]["phid"].as_str().unwrap().to_owned();
        self.keep("open", &made);
        self
    }

    fn keep(&mut self, mark: &'static str, made: &Value) {
        let phids = made["transactions"].as_array().unwrap().iter().map(|it| it["phid"].as_str().unwrap().to_owned());
        self.marks.insert(mark, phids.collect());
    }

    /// Changes the task; what comes of it is called `mark`.
    pub(crate) fn edit(&mut self, who: &str, mark: &'static str, changes: &[(&str, Value)]) -> &mut Self {
        let transactions: Vec<Value> =
            changes.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let params = json!({"objectIdentifier": self.phid, "transactions": transactions});
        let made = self.world.server.call(&self.person(who).token, "maniphest.edit", params);
        self.keep(mark, &made);
        self
    }

    pub(crate) fn say(&mut self, who: &str, mark: &'static str, text: &str) -> &mut Self {
        self.edit(who, mark, &[("comment", json!(text))])
    }

    pub(crate) fn describe(&mut self, who: &str, mark: &'static str, text: &str) -> &mut Self {
        self.edit(who, mark, &[("description", json!(text))])
    }

    pub(crate) fn tag(&mut self, who: &str, mark: &'static str, change: &str, project: &str) -> &mut Self {
        let phid = self.world.project(project);
        self.edit(who, mark, &[(change, json!([phid]))])
    }

    /// The task of an emergency by deployer1, for this reason.
    pub(crate) fn emergency(&mut self, reason: &str) -> &mut Self {
        let tag = json!([self.world.project("tag")]);
        self.open("deployer1", &format!("It is down.\n\nEmergency-Reason: {reason} - 5xx"), &[("projects.add", tag)])
    }

    /// What both teams say for it: marks `releng` and `sre`.
    pub(crate) fn approved(&mut self) -> &mut Self {
        self.say("releng1", "releng", "Emergency-Approve: releng").say("sre1", "sre", "Emergency-Approve: sre")
    }

    pub(crate) fn ready(&mut self) -> &mut Self {
        self.emergency("availability").approved()
    }

    // The deploys of the gate.

    /// Runs the gate with somebody's token; `None` is the recorder's. Returns its exit code and what it printed.
    pub(crate) fn gate_with(&mut self, who: &str, config: &str, args: &[&str]) -> (i32, String, String) {
        let mut gate = self.world.gate(&self.person(who).token, config, &format!("state-{}-{who}", self.task));
        let output = gate.args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (code, out, err) = (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr));
        if [&out, &err].iter().any(|said| said.contains("outbox flush")) {
            // A busy server refuses one now and then; what a record says is tried here, not when it comes.
            super::world::say(&format!("{}: {err}", self.id()));
            let mut flush = self.world.gate(&self.person(who).token, config, &format!("state-{}-{who}", self.task));
            let flushed = flush.args(["outbox", "flush", "--wait", "--retry"]).output().unwrap();
            assert!(flushed.status.success(), "outbox flush: {}", text(&flushed.stderr));
        }
        (code, out, err)
    }

    /// Deploys by `run` through the recorder.
    pub(crate) fn run(&mut self) -> &mut Self {
        self.run_of("deployer1", &["--", "true"], 0)
    }

    /// Deploys by `run` through the recorder; the code is that of the command.
    pub(crate) fn run_of(&mut self, deployer: &str, args: &[&str], code: i32) -> &mut Self {
        let (id, deployer) = (self.id(), self.name(deployer));
        let all = [&["run", &id, "--deployer", deployer][..], args].concat();
        let (status, _, said) = self.gate_with("bot", "config.toml", &all);
        assert_eq!(status, code, "run: {said}");
        self
    }

    /// Deploys by `run`, and does something while the command runs.
    pub(crate) fn run_meanwhile(&mut self, meanwhile: impl FnOnce(&mut Self)) -> &mut Self {
        let file = |name: &str| self.world.home.path().join(format!("{name}-{}", self.task));
        let (began, end) = (file("began"), file("end"));
        let script = "touch \"$1\"; while [ ! -e \"$2\" ]; do sleep 0.05; done";
        let mut gate = self.world.gate(&self.person("bot").token, "config.toml", &format!("state-{}", self.task));
        gate.args(["run", &self.id(), "--deployer", self.name("deployer1"), "--", "sh", "-c", script, "sh"]);
        gate.args([&began, &end]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = gate.spawn().unwrap();
        while !began.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        meanwhile(self);
        std::fs::write(&end, "").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "run: {}", String::from_utf8_lossy(&output.stderr));
        self
    }

    /// Records a deploy by other means through the recorder.
    pub(crate) fn record(&mut self, args: &[&str]) -> &mut Self {
        self.record_as("bot", "deployer1", "config.toml", args)
    }

    pub(crate) fn record_as(&mut self, who: &str, deployer: &str, config: &str, args: &[&str]) -> &mut Self {
        let (id, deployer) = (self.id(), self.name(deployer));
        let (status, _, said) =
            self.gate_with(who, config, &[&["record", &id, "--deployer", deployer, "--yes"][..], args].concat());
        assert_eq!(status, 0, "record: {said}");
        self
    }

    /// A deploy by other means that ended well.
    pub(crate) fn recorded(&mut self) -> &mut Self {
        self.record(&["--outcome", "succeeded", "--finished"])
    }

    /// The same, with the start that it is given.
    pub(crate) fn recorded_at(&mut self, start: &str) -> &mut Self {
        let start = format!("--started={start}");
        self.record(&["--outcome", "succeeded", "--finished", &start])
    }

    // What is written by hand.

    /// An approval as records hold it.
    pub(crate) fn approval(&mut self, team: &str, who: &str, mark: &'static str) -> Value {
        let person = self.person(who);
        let project = self.world.project(team);
        let transaction = self.look_up(mark).first().copied().unwrap_or(1);
        json!({"team": team, "user": person.name, "phid": person.phid, "kind": "verified", "project": project,
            "time": whole(Timestamp::now()).to_string(), "transaction": transaction})
    }

    /// The text of a record by hand: that of a gate, with these fields changed; null takes one out.
    pub(crate) fn by_hand(&self, deployer: &str, changes: Value) -> String {
        let deployer = self.person(deployer);
        let mut record = self.world.template();
        let mut put = |key: &str, value: Value| match value {
            Value::Null => drop(record.as_object_mut().unwrap().remove(key)),
            value => record[key] = value,
        };
        let base = json!({
            "event": "recorded", "task": self.id(), "deploy": DeployId::fresh().to_string(), "behind": null,
            "deployer": {"user": deployer.name, "phid": deployer.phid, "source": "token"}, "approvals": [],
            "started": null, "finished": null, "outcome": null, "exit": null, "verdict": "allowed", "failed": null,
        });
        for (key, value) in base.as_object().unwrap().iter().chain(changes.as_object().unwrap()) {
            put(key, value.clone());
        }
        let record: Record = serde_json::from_value(record).unwrap();
        render(&record).unwrap().to_string()
    }

    /// Posts a record by hand.
    pub(crate) fn forge(&mut self, who: &str, mark: &'static str, deployer: &str, changes: Value) -> &mut Self {
        let text = self.by_hand(deployer, changes);
        self.say(who, mark, &text)
    }

    /// The text of the n-th record of the task.
    pub(crate) fn text_of(&mut self, number: usize) -> String {
        self.resolve();
        self.records.values().nth(number).expect("there is such a record").0.clone()
    }

    /// The id of the deploy of the first record.
    pub(crate) fn deploy(&mut self) -> String {
        self.resolve();
        self.records.values().next().expect("there is a record").1.deploy.to_string()
    }

    /// Calls the n-th record by a word.
    pub(crate) fn mark_record(&mut self, mark: &'static str, number: usize) -> &mut Self {
        self.resolve();
        let id = *self.records.keys().nth(number).expect("there is such a record");
        let phid = self.ids.iter().find(|(_, (known, _))| *known == id).unwrap().0.clone();
        self.marks.insert(mark, vec![phid]);
        self
    }

    /// Calls the record that was posted last by a word.
    pub(crate) fn mark_last(&mut self, mark: &'static str) -> &mut Self {
        self.resolve();
        self.mark_record(mark, self.records.len() - 1)
    }

    // What is done afterwards.

    fn phid_of(&mut self, mark: &'static str) -> String {
        if self.meant(mark).is_empty() {
            self.resolve();
        }
        self.meant(mark).first().unwrap_or_else(|| panic!("{mark} is not on the task")).0.clone()
    }

    /// Puts a new version of a comment into the database, by somebody who may not edit it.
    pub(crate) fn rewrite_below(&mut self, who: &str, mark: &'static str, text: &str) -> &mut Self {
        let (comment, who, text) = (self.phid_of(mark), &self.person(who).phid, quoted(text));
        let phid = format!("PHID-XCMT-{}", letters(20));
        self.world.server.sql(&format!(
            "insert into {COMMENTS} (phid, transactionPHID, authorPHID, viewPolicy, editPolicy, commentVersion, content, \
             contentSource, isDeleted, dateCreated, dateModified) \
             select '{phid}', '{comment}', '{who}', viewPolicy, editPolicy, commentVersion + 1, {text}, contentSource, 0, \
             unix_timestamp(), unix_timestamp() from {COMMENTS} where transactionPHID = '{comment}' \
             order by commentVersion desc limit 1; \
             update {TRANSACTIONS} set commentVersion = commentVersion + 1, commentPHID = '{phid}', \
             dateModified = unix_timestamp() where phid = '{comment}'"
        ));
        self
    }

    /// Edits a comment as its author can.
    pub(crate) fn rewrite(&mut self, who: &str, mark: &'static str, text: &str) -> &mut Self {
        let (who, phid) = (self.name(who), self.phid_of(mark));
        self.world.server.tool("edit-comment.php", &["edit", &phid, who, text]);
        self
    }

    /// Removes a comment as its author or an administrator can.
    pub(crate) fn remove(&mut self, who: &str, mark: &'static str) -> &mut Self {
        self.resolve();
        let who = if who == "admin" { "admin" } else { self.name(who) };
        let phid = self.phid_of(mark);
        self.world.server.tool("edit-comment.php", &["remove", &phid, who]);
        self
    }

    /// Moves all that happened on the task so far to so many minutes earlier.
    pub(crate) fn age(&mut self, minutes: i64) -> &mut Self {
        let (seconds, task) = (minutes * 60, &self.phid);
        let earlier = format!("dateCreated = dateCreated - {seconds}, dateModified = dateModified - {seconds}");
        self.world.server.sql(&format!(
            "update {COMMENTS} set {earlier} where transactionPHID in (select phid from {TRANSACTIONS} where objectPHID = '{task}'); \
             update {TRANSACTIONS} set {earlier} where objectPHID = '{task}'; \
             update phabricator_maniphest.maniphest_task set dateCreated = dateCreated - {seconds} where phid = '{task}'"
        ));
        self
    }

    /// Changes the row of a transaction in the database.
    pub(crate) fn row(&mut self, mark: &'static str, change: &str) -> &mut Self {
        self.resolve();
        let phid = self.phid_of(mark);
        self.world.server.sql(&format!("update {TRANSACTIONS} set {change} where phid = '{phid}'"));
        self
    }

    /// Changes the versions of a comment in the database.
    pub(crate) fn comment_row(&mut self, mark: &'static str, change: &str) -> &mut Self {
        self.resolve();
        let phid = self.phid_of(mark);
        self.world.server.sql(&format!("update {COMMENTS} set {change} where transactionPHID = '{phid}'"));
        self
    }

    /// Puts another text in place of that of a comment, in the database.
    pub(crate) fn comment_text(&mut self, mark: &'static str, text: &str) -> &mut Self {
        self.comment_row(mark, &format!("content = {}", quoted(text)))
    }

    /// Takes a transaction out of the database.
    pub(crate) fn delete_row(&mut self, mark: &'static str) -> &mut Self {
        self.resolve();
        let phid = self.phid_of(mark);
        self.world.server.sql(&format!(
            "delete from {COMMENTS} where transactionPHID = '{phid}'; delete from {TRANSACTIONS} where phid = '{phid}'"
        ));
        self
    }

    /// The PHID of what is called so.
    pub(crate) fn marked(&mut self, mark: &'static str) -> String {
        self.phid_of(mark)
    }

    /// The PHID of the task.
    pub(crate) fn marked_task(&self) -> &str {
        &self.phid
    }

    /// Lets nobody but the administrators see the task.
    pub(crate) fn hide(&mut self) -> &mut Self {
        self.resolve();
        self.show_to("admin")
    }

    pub(crate) fn show(&mut self) -> &mut Self {
        self.show_to("users")
    }

    fn show_to(&mut self, policy: &str) -> &mut Self {
        let transactions = json!([{"type": "view", "value": policy}]);
        let params = json!({"objectIdentifier": self.phid, "transactions": transactions});
        self.world.server.as_admin("maniphest.edit", params);
        self
    }

    /// Takes the task out of the database.
    pub(crate) fn destroy(&mut self) -> &mut Self {
        self.resolve();
        let task = &self.phid;
        self.world.server.sql(&format!(
            "delete from phabricator_maniphest.maniphest_task where phid = '{task}'; \
             delete from {TRANSACTIONS} where objectPHID = '{task}'"
        ));
        self
    }

    // What is done to people.

    pub(crate) fn join(&mut self, who: &str, team: &str) -> &mut Self {
        self.world.team("members.add", team, self.person(who));
        self
    }

    pub(crate) fn leave(&mut self, who: &str, team: &str) -> &mut Self {
        self.world.team("members.remove", team, self.person(who));
        self
    }

    pub(crate) fn disable(&mut self, who: &str) -> &mut Self {
        let phid = &self.person(who).phid;
        self.world.server.sql(&format!("update phabricator_user.user set isDisabled = 1 where phid = '{phid}'"));
        self
    }

    pub(crate) fn make_bot(&mut self, who: &str) -> &mut Self {
        let phid = &self.person(who).phid;
        self.world.server.sql(&format!("update phabricator_user.user set isSystemAgent = 1 where phid = '{phid}'"));
        self
    }

    fn name_account(&mut self, phid: &str, name: &str) {
        self.world.server.sql(&format!("update phabricator_user.user set userName = '{name}' where phid = '{phid}'"));
    }

    /// Gives somebody another name.
    pub(crate) fn rename(&mut self, who: &str, suffix: &str) -> &mut Self {
        let Person { name, phid, .. } = self.person(who);
        self.name_account(phid, &format!("{name}-{suffix}"));
        self
    }

    /// Gives the name that somebody had to another.
    pub(crate) fn hand_name(&mut self, of: &str, to: &str) -> &mut Self {
        let (name, phid) = (self.name(of), &self.person(to).phid);
        self.name_account(phid, name);
        self
    }

    // Where findings should point.

    /// Learns the ids of all transactions and the records that are there now.
    pub(crate) fn resolve(&mut self) {
        let asked = json!({"objectIdentifier": self.phid, "limit": 1000});
        let found = self.world.server.as_admin("transaction.search", asked);
        for row in found["data"].as_array().unwrap() {
            let (id, phid) = (row["id"].as_u64().unwrap(), row["phid"].as_str().unwrap());
            let kind = row["type"].as_str().unwrap_or_default().to_owned();
            self.ids.insert(phid.to_owned(), (id, kind));
            let first = row["comments"].as_array().unwrap().last();
            let text = first.and_then(|version| version["content"]["raw"].as_str()).unwrap_or_default();
            if let Parsed::Record(record) = parse(text) {
                self.records.entry(id).or_insert_with(|| (text.to_owned(), *record));
            }
        }
    }

    /// The ids of what is called so.
    pub(crate) fn look_up(&mut self, mark: &'static str) -> Vec<u64> {
        if self.known(mark).is_empty() {
            self.resolve();
        }
        self.known(mark)
    }

    /// The same, of what was looked up before.
    pub(crate) fn known(&self, mark: &str) -> Vec<u64> {
        self.meant(mark).into_iter().map(|(_, id)| id).collect()
    }

    /// What a mark means: the comment that was made, else all that was changed. Who speaks first subscribes as well.
    fn meant(&self, mark: &str) -> Vec<(String, u64)> {
        let all = self.marks.get(mark).into_iter().flatten();
        let all: Vec<_> = all.filter_map(|phid| Some((phid, self.ids.get(phid)?))).collect();
        let is_comment = |kind: &str| kind == "comment";
        let comments = all.iter().any(|(_, (_, kind))| is_comment(kind));
        let meant =
            all.into_iter().filter(|(_, (_, kind))| if comments { is_comment(kind) } else { kind != "subscribers" });
        meant.map(|(phid, (id, _))| (phid.clone(), *id)).collect()
    }

    /// The transaction of the n-th record.
    pub(crate) fn record_id(&self, number: usize) -> Option<u64> {
        self.records.keys().nth(number).copied()
    }

    pub(crate) fn exists(&self) -> bool {
        self.task != 0
    }
}

/// Waits until the clock shows another second: what comes now is later by the clock too.
pub(crate) fn next_second() {
    let now = Timestamp::now().as_second();
    while Timestamp::now().as_second() == now {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
