//! A world on a real server for one audit: accounts, teams, a tag and a policy of its own, so that no task of others is in it.
//!
//! Responsible for what is asked of the server and done to it: over Conduit, by the scripts that edit as the web interface does, and in
//! its database. Not for what is planted there ([`super::plan`]) nor for what the audit should find.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

/// A server to plant on, and what reaches below its interface.
pub(crate) struct Server {
    pub(crate) url: String,
    /// Its code, which the scripts load.
    source: String,
    /// The socket of its database.
    socket: PathBuf,
    /// The directory of the scripts that do what the web interface does and Conduit cannot.
    tools: PathBuf,
    admin: String,
    /// The gate that is tried.
    gate: PathBuf,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    /// Edits of a project are made one after the other: the server refuses parallel ones now and then.
    projects: Mutex<()>,
}

#[expect(clippy::print_stderr, reason = "a test that is passed over says so, and a catalogue says what came of it")]
pub(crate) fn say(words: &str) {
    eprintln!("{words}");
}

impl Server {
    /// The server, or a word of what is missing.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let missing = |what: &str| -> Option<Self> {
            say(&format!("{test}: passed over, {what}"));
            None
        };
        let Some(directory) = std::env::var_os("PHABGATE_LIVE").map(PathBuf::from) else {
            return missing("PHABGATE_LIVE names no Phorge");
        };
        let Some(tools) = std::env::var_os("PHABGATE_LIVE_TOOLS").map(PathBuf::from) else {
            return missing("PHABGATE_LIVE_TOOLS names no directory with edit-comment.php and archive-project.php");
        };
        let socket = directory.join("run/mysql.sock");
        if !socket.exists() {
            return missing("the state directory has no run/mysql.sock");
        }
        for program in ["mysql", "php"] {
            if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
                return missing(&format!("there is no {program}"));
            }
        }
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
        let env = read("env");
        let of = |name: &str| env.lines().find_map(|line| line.split_once(&format!("{name}="))).unwrap().1.to_owned();
        let tokens: Value = serde_json::from_str(&read("tokens.json")).unwrap();
        Some(Self {
            url: of("PHORGE_URL"),
            source: of("PHORGE_SRC"),
            socket,
            tools,
            admin: tokens["admin"]["token"].as_str().unwrap().to_owned(),
            gate: std::env::var_os("PHABGATE_LIVE_GATE").unwrap_or(env!("CARGO_BIN_EXE_phabgate").into()).into(),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
            client: crate::harness::http(),
            projects: Mutex::new(()),
        })
    }

    /// A call of Conduit. What the database rolled back, as it does under parallel edits, is sent again.
    pub(crate) fn call(&self, token: &str, method: &str, mut params: Value) -> Value {
        params["__conduit__"] = json!({ "token": token });
        let form = [("params", params.to_string()), ("output", "json".to_owned())];
        let url = format!("{}api/{method}", self.url);
        for _ in 0..6 {
            let reply: Value = self
                .runtime
                .block_on(async { self.client.post(&url).form(&form).send().await.unwrap().json().await.unwrap() });
            let info = reply["error_info"].as_str().unwrap_or_default();
            if !["#1213", "#1205", "#1305"].iter().any(|number| info.contains(number)) {
                assert_eq!(reply["error_code"], Value::Null, "{method}: {info}");
                return reply["result"].clone();
            }
        }
        panic!("{method}: the database goes on refusing")
    }

    pub(crate) fn as_admin(&self, method: &str, params: Value) -> Value {
        self.call(&self.admin, method, params)
    }

    /// Runs statements in the database of the server, all or none of them: what only who has root there can do.
    pub(crate) fn sql(&self, statements: &str) {
        let whole = format!("START TRANSACTION; {statements}; COMMIT");
        for _ in 0..6 {
            let mut mysql = Command::new("mysql");
            mysql.arg("-S").arg(&self.socket).args(["--default-character-set=utf8mb4", "-e", &whole]);
            let output = mysql.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            // Rolled back for another edit at the same moment.
            if !["ERROR 1213", "ERROR 1205"].iter().any(|number| said.contains(number)) {
                assert!(output.status.success(), "{statements}: {said}");
                return;
            }
        }
        panic!("{statements}: the database goes on refusing")
    }

    /// Runs one of the scripts that do what the web interface does.
    pub(crate) fn tool(&self, script: &str, args: &[&str]) {
        let mut php = Command::new("php");
        php.arg(self.tools.join(script)).args(args).env("PHORGE_SRC", &self.source).stdin(Stdio::null());
        let output = php.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("ok"), "{script} {args:?}: {said}");
    }

    /// Makes or changes a project; returns its PHID.
    pub(crate) fn project(&self, phid: Option<&str>, changes: &[(&str, Value)]) -> String {
        let transactions: Vec<Value> =
            changes.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let mut params = json!({ "transactions": transactions });
        if let Some(phid) = phid {
            params["objectIdentifier"] = json!(phid);
        }
        let _one = self.projects.lock().unwrap();
        self.as_admin("project.edit", params)["object"]["phid"].as_str().unwrap().to_owned()
    }
}

/// An account.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) phid: String,
    pub(crate) token: String,
}

/// Everything that one audit is about.
pub(crate) struct World<'s> {
    pub(crate) server: &'s Server,
    /// What sets its names apart from those of other worlds.
    pub(crate) mark: String,
    people: BTreeMap<String, Person>,
    projects: BTreeMap<&'static str, String>,
    pub(crate) home: tempfile::TempDir,
    /// The block of a record that the gate itself wrote here, for those who write records by hand.
    template: Mutex<Value>,
}

/// The accounts of every world, and the teams that they are in.
const PEOPLE: &[(&str, &[&str])] = &[
    ("bot", &[]),
    ("bot2", &[]),
    ("robot", &["sre"]),
    ("deployer1", &[]),
    ("deployer2", &[]),
    ("releng1", &["releng"]),
    ("releng2", &["releng"]),
    ("sre1", &["sre"]),
    ("sre2", &["sre"]),
    ("sre3", &["sre"]),
    ("both", &["releng", "sre"]),
    ("sec1", &["security"]),
    ("open1", &["open"]),
    ("wide1", &["wide"]),
    ("outsider", &[]),
    ("outsider2", &["elsewhere"]),
];
/// The teams of every world; `elsewhere` is that of another policy.
const TEAMS: &[&str] = &["releng", "sre", "security", "open", "wide", "elsewhere"];

pub(crate) fn letters(count: usize) -> String {
    let one = || char::from(fastrand::choice(*b"abcdefghijklmnopqrstuvwxyz234567").unwrap_or(b'a'));
    std::iter::repeat_with(one).take(count).collect()
}

impl<'s> World<'s> {
    /// A world with its people, those of `more` among them: what each is called and the teams that they are in.
    pub(crate) fn new(server: &'s Server, more: &[(String, Vec<&'static str>)], policy: &str) -> Self {
        let mark = letters(6);
        let mut world = Self {
            server,
            people: BTreeMap::new(),
            projects: BTreeMap::new(),
            home: tempfile::tempdir().unwrap(),
            template: Mutex::new(Value::Null),
            mark,
        };
        let fixed = PEOPLE.iter().map(|(name, teams)| ((*name).to_owned(), teams.to_vec()));
        let people: Vec<_> = fixed.chain(more.iter().cloned()).collect();
        world.make_people(people.iter().map(|(name, _)| name.as_str()));
        let tag = world.make_project("tag", &[]);
        world.projects.insert("tag", tag.clone());
        let below = [("name", json!(format!("Below {}", world.mark))), ("parent", json!(tag))];
        world.projects.insert("subtag", server.project(None, &below));
        let milestone = [("name", json!("Week 1")), ("milestone", json!(tag))];
        world.projects.insert("milestone", server.project(None, &milestone));
        for team in TEAMS {
            let is_in = |(name, teams): &&(String, Vec<&str>)| teams.contains(team).then(|| name.clone()).is_some();
            let members: Vec<_> =
                people.iter().filter(is_in).map(|(name, _)| world.person(name).phid.clone()).collect();
            let phid = world.make_project(team, &members);
            world.projects.insert(team, phid);
        }
        world.write_policy("config.toml", policy, "sre", &["bot", "bot2"]);
        world
    }

    fn make_people<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut rows = (Vec::new(), Vec::new());
        for name in names {
            let person = Person {
                name: format!("{name}-{}", self.mark),
                phid: format!("PHID-USER-{}", letters(20)),
                token: format!("api-{}", letters(28)),
            };
            let bot = u8::from(["bot", "bot2", "robot"].contains(&name));
            let Person { name: user, phid, token } = &person;
            // The picture is another's, since making one takes the server a second.
            rows.0.push(format!(
                "('{phid}','{user}','{name}',unix_timestamp(),unix_timestamp(),repeat('a',255),{bot},0,0,1,1,repeat('b',64),0,@face,@version)"
            ));
            rows.1.push(format!("('{phid}','api','{token}',unix_timestamp(),unix_timestamp(),'')"));
            self.people.insert(name.to_owned(), person);
        }
        self.server.sql(&format!(
            "select defaultProfileImagePHID, defaultProfileImageVersion into @face, @version from phabricator_user.user \
             where defaultProfileImagePHID is not null limit 1; \
             insert into phabricator_user.user (phid,userName,realName,dateCreated,dateModified,conduitCertificate,isSystemAgent,\
             isDisabled,isAdmin,isEmailVerified,isApproved,accountSecret,isMailingList,defaultProfileImagePHID,\
             defaultProfileImageVersion) values {}; \
             insert into phabricator_conduit.conduit_token (objectPHID,tokenType,token,dateCreated,dateModified,tokenName) values {}",
            rows.0.join(","),
            rows.1.join(",")
        ));
    }

    fn make_project(&self, name: &str, members: &[String]) -> String {
        let slug = self.slug(name);
        let mut fields = vec![("name", json!(format!("World {slug}"))), ("slugs", json!([slug]))];
        if name != "tag" {
            fields.extend([("edit", json!("admin")), ("join", json!("admin"))]);
        }
        let phid = self.server.project(None, &fields);
        if !members.is_empty() {
            self.server.project(Some(&phid), &[("members.add", json!(members))]);
        }
        phid
    }

    /// The hashtag of a project of this world.
    pub(crate) fn slug(&self, name: &str) -> String {
        format!("w-{}-{name}", self.mark)
    }

    /// Writes a policy in which `sre` is the team of this project and these are the recorders.
    pub(crate) fn write_policy(&self, file: &str, more: &str, sre: &str, recorders: &[&str]) -> PathBuf {
        let recorders: Vec<String> = recorders.iter().map(|name| format!("{:?}", self.person(name).name)).collect();
        let mut text =
            format!("[policy]\ntag = {:?}\nrecorders = [{}]\n{more}\n", self.slug("tag"), recorders.join(", "));
        for (team, project) in
            [("releng", "releng"), ("sre", sre), ("security", "security"), ("open", "open"), ("wide", "wide")]
        {
            text += &format!("[policy.teams.{team}]\nproject = {:?}\ntitle = \"Team {team}\"\n", self.slug(project));
        }
        for (reason, teams) in [
            ("availability", "[]"),
            ("abuse", "[]"),
            ("functionality", r#"["wide"]"#),
            ("data-loss", r#"["open"]"#),
            ("security", r#"["security"]"#),
        ] {
            text += &format!("[policy.reasons.{reason}]\ntitle = \"about {reason}\"\nteams = {teams}\n");
        }
        let path = self.home.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn person(&self, name: &str) -> &Person {
        self.people.get(name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    pub(crate) fn find_person(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    pub(crate) fn project(&self, name: &str) -> &str {
        &self.projects[name]
    }

    /// Adds people to a team, or takes them out.
    pub(crate) fn team(&self, change: &str, team: &str, who: &Person) {
        self.server.project(Some(self.project(team)), &[(change, json!([who.phid]))]);
    }

    /// The gate with this account's token, this configuration and a journal of its own.
    pub(crate) fn gate(&self, token: &str, config: &str, state: &str) -> Command {
        let mut command = Command::new(&self.server.gate);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("XDG_CACHE_HOME", self.home.path().join("cache")).env("COLUMNS", "80").env("TZ", "UTC");
        command.env("PHABGATE_STATE", self.home.path().join(state)).env("PHABGATE_URL", &self.server.url);
        command.env("PHABGATE_CONFIG", self.home.path().join(config)).env("PHABGATE_TOKEN", token);
        command.stdin(Stdio::null());
        command
    }

    /// Audits this world; returns the report as JSON.
    pub(crate) fn audit(&self, config: &str, thorough: bool) -> Value {
        let mut audit = self.gate(&self.person("bot").token, config, "auditor");
        audit.args(["audit", "--format", "json"]).args(thorough.then_some("--thorough"));
        let output = audit.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("audit: {said}"))
    }

    /// The block of a record of the gate, as JSON.
    pub(crate) fn template(&self) -> Value {
        self.template.lock().unwrap().clone()
    }

    pub(crate) fn keep_template(&self, record: Value) {
        *self.template.lock().unwrap() = record;
    }
}
