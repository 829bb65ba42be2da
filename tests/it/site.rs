//! The server of a day: the sandbox, or a real Phorge where one is named, both asked over Conduit.

use std::collections::BTreeMap;
use std::path::PathBuf;

use phabgate::record::Record;
use phabgate::record::parse::{Parsed, parse};
use serde_json::{Value, json};

use crate::harness::http;
use crate::server::Server;

/// A server, and the tokens of those who work with it.
pub(crate) struct Site {
    pub(crate) url: String,
    tokens: BTreeMap<String, String>,
    _sandbox: Option<Server>,
}

impl Site {
    /// A sandbox of its own, with the recorded world.
    pub(crate) fn sandbox(accounts: &[&str]) -> Self {
        let server = Server::new();
        let token = |account: &&str| ((*account).to_owned(), server.running.token_of(account).unwrap().unwrap());
        let tokens = accounts.iter().map(token).collect();
        Self { url: server.running.url.to_string(), tokens, _sandbox: Some(server) }
    }

    /// Moves the clock of a sandbox, which stands where its world ends, to that of this machine, which other servers have.
    #[cfg(feature = "serve")]
    pub(crate) fn to_the_present(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let replied = runtime.block_on(async { http().get(&self.url).send().await.unwrap() });
        let shown = replied.headers()["date"].to_str().unwrap().replace("GMT", "+0000");
        let shown = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(shown).unwrap();
        let behind = jiff::Timestamp::now().duration_since(shown);
        if let (Some(sandbox), Ok(behind)) = (&self._sandbox, std::time::Duration::try_from(behind)) {
            sandbox.running.advance(behind);
        }
    }

    /// The Phorge whose state directory `PHABGATE_LIVE` names; `None` where it names none.
    pub(crate) fn real(accounts: &[&str]) -> Option<Self> {
        let directory = PathBuf::from(std::env::var_os("PHABGATE_LIVE")?);
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
        let url = read("env").lines().find_map(|line| line.split_once("PHORGE_URL=")).unwrap().1.to_owned();
        let known: Value = serde_json::from_str(&read("tokens.json")).unwrap();
        let token = |account: &&str| ((*account).to_owned(), known[account]["token"].as_str().unwrap().to_owned());
        Some(Self { url, tokens: accounts.iter().map(token).collect(), _sandbox: None })
    }

    pub(crate) fn token(&self, account: &str) -> &str {
        &self.tokens[account]
    }

    /// A call of Conduit as this account.
    pub(crate) fn call(&self, account: &str, method: &str, mut params: Value) -> Value {
        params["__conduit__"] = json!({"token": self.token(account)});
        let form = [("params", params.to_string()), ("output", "json".to_owned())];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("{}api/{method}", self.url);
        let reply: Value =
            runtime.block_on(async { http().post(url).form(&form).send().await.unwrap().json().await.unwrap() });
        assert_eq!(reply["error_code"], Value::Null, "{method}: {reply}");
        reply["result"].clone()
    }

    /// What somebody does to a task in a browser.
    pub(crate) fn edit(&self, account: &str, task: &str, kind: &str, value: &str) {
        let edit = json!({"objectIdentifier": task, "transactions": [{"type": kind, "value": value}]});
        self.call(account, "maniphest.edit", edit);
    }

    /// A new task that somebody wrote in a browser.
    pub(crate) fn task(&self, account: &str, title: &str) -> String {
        let edit = json!({"transactions": [{"type": "title", "value": title}]});
        format!("T{}", self.call(account, "maniphest.edit", edit)["object"]["id"])
    }

    /// The records on a task, oldest first.
    pub(crate) fn records(&self, task: &str) -> Vec<Record> {
        let asked = json!({"objectIdentifier": task, "limit": 100});
        let found = self.call("phabgate", "transaction.search", asked);
        let rows = found["data"].as_array().unwrap().iter().rev();
        let texts = rows.filter_map(|row| row["comments"][0]["content"]["raw"].as_str());
        let parsed = texts.filter_map(|text| match parse(text) {
            Parsed::Record(record) => Some(*record),
            _ => None,
        });
        parsed.collect()
    }
}
