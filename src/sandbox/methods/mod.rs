//! The methods of Conduit that the sandbox answers, one file a resource.
//!
//! Responsible for the way of a call from its name to its answer: is there such a method, does it define the
//! parameters, whose token is it. Not responsible for the transport, and the faults.

mod edit;
mod legacy;
mod projects;
mod tasks;
mod transactions;
mod users;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::index::Indexed;
use super::request::{Call, CallRefusal, Outcome, reply};
use super::world::{User, World};

/// What the searches of applications define.
const SEARCH: &[&str] = &["queryKey", "constraints", "attachments", "order", "before", "after", "limit"];
const TRANSACTIONS: &[&str] = &["objectIdentifier", "objectType", "constraints", "before", "after", "limit"];
const KEYS: &[&str] = &["ids", "phids", "objectPHIDs", "keys", "before", "after", "limit"];
const EDIT: &[&str] = &["transactions", "objectIdentifier"];

type Method = fn(&mut Indexed, &Call, &User, i64) -> Outcome;

/// The methods, what each defines, and whether it changes the world.
const METHODS: &[(&str, &[&str], bool, Method)] = &[
    ("user.whoami", &[], false, |world, _, user, _| users::whoami(world, user)),
    ("user.search", SEARCH, false, |world, call, _, _| users::search(world, call)),
    ("project.search", SEARCH, false, |world, call, user, _| projects::search(world, call, user)),
    ("maniphest.search", SEARCH, false, |world, call, user, _| tasks::search(world, call, user)),
    ("maniphest.status.search", &[], false, |world, _, _, _| tasks::statuses(world)),
    ("maniphest.edit", EDIT, true, |world, call, user, now| edit::edit(world, call, user, now)),
    ("maniphest.gettasktransactions", &["ids"], false, |world, call, user, _| legacy::transactions(world, call, user)),
    ("auth.querypublickeys", KEYS, false, |_, call, _, _| users::public_keys(call)),
    ("transaction.search", TRANSACTIONS, false, |world, call, user, _| transactions::search(world, call, user)),
];

/// Whether a call of this method can change the world.
pub(crate) fn writes(method: &str) -> bool {
    METHODS.iter().any(|(name, _, writes, _)| *name == method && *writes)
}

/// Answers a call at this time of the world: the JSON that the server sends.
pub(crate) fn answer(world: &mut Indexed, call: &Result<Call, CallRefusal>, method: &str, now: i64) -> String {
    let outcome = match call {
        Ok(call) => dispatch(world, call, now),
        Err(refusal) if exists(method) => Err(refusal.clone()),
        Err(_) => Err(no_such_method(method)),
    };
    envelope(&outcome)
}

/// The answer of a sandbox that takes no more.
pub(crate) fn full() -> String {
    let info = "The sandbox is full. `phabgate sandbox --reset` makes it new.";
    envelope(&Err(CallRefusal::core(info)))
}

fn envelope(outcome: &Outcome) -> String {
    #[derive(Serialize)]
    struct ReplyEnvelope<'a> {
        result: Option<&'a RawValue>,
        error_code: Option<&'a str>,
        error_info: Option<&'a str>,
    }
    let refusal = outcome.as_ref().err();
    let envelope = ReplyEnvelope {
        result: outcome.as_deref().ok(),
        error_code: refusal.map(|refusal| refusal.code),
        error_info: refusal.map(|refusal| refusal.info.as_str()),
    };
    // texts alone, which can always be written
    serde_json::to_string(&envelope).unwrap_or_default()
}

fn exists(method: &str) -> bool {
    method == "conduit.ping" || METHODS.iter().any(|(name, ..)| *name == method)
}

fn no_such_method(method: &str) -> CallRefusal {
    CallRefusal::new("ERR-CONDUIT-CALL", format!("Conduit API method \"{method}\" does not exist."))
}

fn dispatch(world: &mut Indexed, call: &Call, now: i64) -> Outcome {
    if call.method == "conduit.ping" {
        call.allow(&[])?;
        return reply(&"sandbox");
    }
    let found = METHODS.iter().find(|(name, ..)| *name == call.method);
    let (_, defined, _, run) = found.ok_or_else(|| no_such_method(&call.method))?;
    let known = |name: &&str| *name != "objectType" || call.like.has_bulk();
    call.allow(&defined.iter().copied().filter(known).collect::<Vec<_>>())?;
    let user = authenticate(world, call)?.clone();
    run(world, call, &user, now).map_err(|refusal| match call.like.has_own_codes() {
        true => refusal,
        false => refusal.in_old_words(),
    })
}

/// Whose token it is. The refusals print the token back, as the real server's do.
fn authenticate<'w>(world: &'w World, call: &Call) -> Result<&'w User, CallRefusal> {
    let Some(token) = call.token.as_ref().and_then(Value::as_str).filter(|token| !token.is_empty()) else {
        return Err(CallRefusal::new("ERR-INVALID-SESSION", "Session key is not present."));
    };
    let refuse = |info: String| Err(CallRefusal::new("ERR-INVALID-AUTH", info));
    if token.len() != 32 {
        return refuse(format!("API token \"{token}\" has the wrong length. API tokens should be 32 characters long."));
    }
    if !["api-", "cli-", "clr-"].iter().any(|prefix| token.starts_with(prefix)) {
        return refuse(format!(
            "API token \"{token}\" has the wrong format. API tokens should be 32 characters long and begin with one \
             of these prefixes: api, cli, clr."
        ));
    }
    match world.users.iter().find(|user| user.token == token) {
        None => refuse(format!("API token \"{token}\" is not valid.")),
        Some(user) if user.is("disabled") => refuse("User account is not permitted to use the API.".to_owned()),
        Some(user) => Ok(user),
    }
}

/// The order that was asked for, among those that the query knows; the first is the default. A list of columns is
/// understood where it is the id alone.
fn order(call: &Call, query: &str, known: &[&'static str]) -> Result<&'static str, CallRefusal> {
    let asked = match call.get("order") {
        None => return Ok(known.first().copied().unwrap_or("newest")),
        Some(Value::Array(columns)) if columns == &[json!("id")] => return Ok("newest"),
        Some(Value::Array(columns)) if columns == &[json!("-id")] => return Ok("oldest"),
        Some(Value::String(name)) => name.clone(),
        Some(other) => other.to_string(),
    };
    known.iter().find(|name| **name == asked).copied().ok_or_else(|| {
        let info = format!(
            "Query \"{query}\" does not support a builtin order \"{asked}\". Supported orders are: {}.",
            known.join(", ")
        );
        CallRefusal::core(info)
    })
}

/// Which attachments were asked for: on the real server a key suffices, whatever its value.
fn attachments(call: &Call, known: &[&str]) -> Result<Vec<String>, CallRefusal> {
    let Some(map) = super::request::as_map(call.get("attachments")) else {
        let info = "Parameter \"attachments\" must be a map of attachments.";
        return Err(CallRefusal::new("ERR-INVALID-ATTACHMENTS-FORMAT", info));
    };
    if map.keys().any(|key| !known.contains(&key.as_str())) {
        let info = "Parameter \"attachments\" includes an invalid key.";
        return Err(CallRefusal::new("ERR-INVALID-ATTACHMENT", info));
    }
    Ok(map.into_iter().map(|(key, _)| key).collect())
}

/// Refuses a saved query that there is none of; the built-in one of everything there is.
fn query_key(call: &Call) -> Result<(), CallRefusal> {
    match call.get("queryKey").and_then(Value::as_str) {
        None if call.get("queryKey").is_none() => Ok(()),
        Some("" | "all") => Ok(()),
        _ => Err(CallRefusal::new("ERR-BAD-QUERYKEY", "Invalid query for parameter \"queryKey\".")),
    }
}

/// PHIDs of people who are named by PHID or username; what is unknown stays as it is and matches nothing.
fn resolve_users(world: &World, names: Vec<String>) -> Vec<String> {
    let resolve = |name: String| match world.user_named(&name) {
        Some(user) => user.phid.clone(),
        None => name,
    };
    names.into_iter().map(resolve).collect()
}
