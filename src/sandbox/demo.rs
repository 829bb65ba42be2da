//! The newcomers' world: the recorded one with other people, in which a story was played.
//!
//! Responsible for reading the story (`fixtures/demo.toml`) and playing it through the sandbox's own edits, so that all in it
//! has the shapes that Conduit answers, with its end at the time at which the world is made. Not responsible for what the
//! story says: the fixture explains how it is written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::index::Indexed;
use super::methods;
use super::request::Call;
use super::tamper::TamperError;
use super::world::{Guide, World, WorldError};

/// The story that is built in.
const STORY: &str = include_str!("../../fixtures/demo.toml");

/// How long before the world is made its accounts and projects were.
const FOUNDED: i64 = 400 * 24 * 3600;

/// A story: who is there, what happened, and what there is to see of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DemoScript {
    base_uri: String,
    guide: Guide,
    /// The accounts, by those of the recorded world whose place they take.
    people: BTreeMap<String, Person>,
    event: Vec<ScriptEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    name: String,
    real_name: String,
}

/// One thing that somebody did, before the world was made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptEvent {
    /// How long before.
    ago: String,
    by: String,
    task: u64,
    /// What the comment is called in later events.
    #[serde(rename = "as")]
    label: Option<String>,
    /// What is edited, as `maniphest.edit` takes it, in this order.
    #[serde(default)]
    edit: Vec<(String, Value)>,
    comment: Option<String>,
    /// The comment of this name gets this text, as in the web interface.
    rewrite: Option<(String, String)>,
    /// The task is merged into this one.
    merge_into: Option<u64>,
}

/// Why the story cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// It is not written as stories are.
    #[error("the story of the sandbox's world cannot be read: {0}")]
    Syntax(#[from] toml::de::Error),
    /// The world in which it plays is damaged.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A comment cannot be edited, or a task not be merged.
    #[error("the story of the sandbox's world goes wrong at T{task}: {why}")]
    Tamper {
        /// The task.
        task: u64,
        /// Why.
        why: TamperError,
    },
    /// Something cannot happen.
    #[error("the story of the sandbox's world goes wrong at T{task}: {why}")]
    Event {
        /// The task.
        task: u64,
        /// Why.
        why: String,
    },
}

/// The world at the end of the story, which is at `now`, in seconds since 1970.
pub(super) fn world(now: i64) -> Result<World, DemoError> {
    play(&toml::from_str(STORY)?, now)
}

fn play(story: &DemoScript, now: i64) -> Result<World, DemoError> {
    let mut stage = DemoStage { world: cast(story, now)?.into(), now, labels: BTreeMap::new() };
    let mut events = Vec::new();
    for event in &story.event {
        let why = |why: String| DemoError::Event { task: event.task, why };
        let ago = seconds(&event.ago).ok_or_else(|| why(format!("{:?} is no time", event.ago)))?;
        events.push((now - ago, event));
    }
    events.sort_by_key(|(time, _)| *time);
    for (time, event) in events {
        stage.happen(event, time)?;
    }
    let mut world = World::clone(&stage.world);
    world.tasks.sort_by_key(|task| task.id);
    Ok(world)
}

/// The recorded world without its tasks, with the people of the story.
fn cast(story: &DemoScript, now: i64) -> Result<World, DemoError> {
    let mut world = World::built_in()?;
    let shift = now - FOUNDED - world.last_event();
    world.base_uri.clone_from(&story.base_uri);
    world.guide = story.guide.clone();
    (world.tasks, world.transactions) = (Vec::new(), Vec::new());
    world.users.retain(|user| story.people.contains_key(&user.username));
    for user in &mut world.users {
        if let Some(person) = story.people.get(&user.username) {
            user.username.clone_from(&person.name);
            user.real_name.clone_from(&person.real_name);
        }
        user.created += shift;
        user.modified += shift;
    }
    let there: Vec<String> = world.users.iter().map(|user| user.phid.clone()).collect();
    for project in &mut world.projects {
        project.created += shift;
        project.modified += shift;
        project.members.retain(|member| there.contains(&member.phid));
        project.members.iter_mut().for_each(|member| member.time += shift);
    }
    Ok(world)
}

/// A time such as `2d 3h 20m`, in seconds.
fn seconds(text: &str) -> Option<i64> {
    let part = |word: &str| {
        let unit = word.chars().last()?;
        let count: i64 = word.strip_suffix(unit)?.parse().ok()?;
        let length = match unit {
            'd' => 24 * 3600,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        Some(count * length)
    };
    text.split_whitespace().map(part).sum()
}

/// The world while the story is played.
struct DemoStage {
    world: Indexed,
    now: i64,
    /// The comments that have a name: the PHID and the number of the transaction.
    labels: BTreeMap<String, (String, u64)>,
}

impl DemoStage {
    fn happen(&mut self, event: &ScriptEvent, time: i64) -> Result<(), DemoError> {
        let why = |why: String| DemoError::Event { task: event.task, why };
        let tamper = |why| DemoError::Tamper { task: event.task, why };
        if let Some((label, text)) = &event.rewrite {
            let (phid, _) = self.labels.get(label).cloned().ok_or_else(|| why(format!("no comment {label:?}")))?;
            let text = self.fill(text).map_err(why)?;
            return self.world.edit_comment(&phid, &event.by, &text, time).map_err(tamper);
        }
        if let Some(into) = event.merge_into {
            return self.world.merge_task(event.task, into, &event.by, time).map_err(tamper);
        }
        let mut changes = Vec::new();
        for (kind, value) in &event.edit {
            let value = match value {
                Value::String(text) => Value::String(self.fill(text).map_err(why)?),
                other => other.clone(),
            };
            changes.push(json!({"type": kind, "value": value}));
        }
        if let Some(text) = &event.comment {
            changes.push(json!({"type": "comment", "value": self.fill(text).map_err(why)?}));
        }
        let is_new = self.world.task_numbered(event.task).is_none();
        let mut params = json!({ "transactions": changes });
        if !is_new {
            params["objectIdentifier"] = json!(format!("T{}", event.task));
        }
        self.edit(event, params, time).map_err(why)?;
        if is_new && let Some(task) = self.world.tasks.last_mut() {
            task.id = event.task;
        }
        let written = self.world.transactions.iter().rev().find(|written| !written.versions.is_empty());
        if let (Some(label), Some(written)) = (&event.label, written) {
            let named = (written.phid.clone(), written.id);
            self.labels.insert(label.clone(), named);
        }
        Ok(())
    }

    /// Carries out an edit with the token of who does it.
    fn edit(&mut self, event: &ScriptEvent, params: Value, time: i64) -> Result<(), String> {
        let token = self.world.token_of(&event.by).ok_or_else(|| format!("no account {:?}", event.by))?;
        let token = Some(Value::from(token));
        let Value::Object(params) = params else { return Err("no parameters".to_owned()) };
        let method = "maniphest.edit";
        let call = Call { method: method.to_owned(), params, token, typed: true, like: Default::default() };
        let answer = methods::answer(&mut self.world, &Ok(call), method, time);
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        match answer["error_info"].as_str() {
            Some(info) => Err(info.to_owned()),
            None => Ok(()),
        }
    }

    /// A text of the story with what depends on the world put in: `{{time 2h}}` and `{{minute 2h}}` for a moment before the
    /// end, `{{transaction NAME}}`, `{{user NAME}}` and `{{project HASHTAG}}`.
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut pieces = text.split("{{");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (inside, rest) = piece.split_once("}}").ok_or_else(|| format!("{piece:?} has no end"))?;
            let (kind, name) = inside.split_once(' ').ok_or_else(|| format!("{inside:?} names nothing"))?;
            let moment = |format: &str| {
                let time = Timestamp::from_second(self.now - seconds(name)?).ok()?;
                Some(time.strftime(format).to_string())
            };
            let value = match kind {
                "time" => moment("%Y-%m-%dT%H:%M:%SZ"),
                "minute" => moment("%Y-%m-%d %H:%M UTC"),
                "transaction" => self.labels.get(name).map(|(_, number)| number.to_string()),
                "user" => self.world.user_named(name).map(|user| user.phid.clone()),
                "project" => self.world.project_tagged(name).map(|project| project.phid.clone()),
                _ => None,
            };
            filled.push_str(&value.ok_or_else(|| format!("{inside:?} is nothing in this world"))?);
            filled.push_str(rest);
        }
        Ok(filled)
    }
}
