//! `user.whoami` and `user.search`.

use serde_json::{Value, json};

use super::super::page::{Cursors, application_limit, search_reply};
use super::super::request::{Call, FormFields, Outcome, reply};
use super::super::world::{User, World};
use super::{attachments, order, query_key};

const CONSTRAINTS: &[&str] = &[
    "ids",
    "phids",
    "usernames",
    "nameLike",
    "isAdmin",
    "isDisabled",
    "isBot",
    "isMailingList",
    "needsApproval",
    "mfa",
    "createdStart",
    "createdEnd",
    "query",
];

pub(super) fn whoami(world: &World, user: &User) -> Outcome {
    let name = &user.username;
    // this method, unlike the search, calls a bot an agent
    let roles: Vec<&str> = user.roles.iter().map(|role| if role == "bot" { "agent" } else { role.as_str() }).collect();
    reply(&json!({
        "phid": user.phid,
        "userName": name,
        "realName": user.real_name,
        "image": user.image,
        "uri": format!("{}p/{name}/", world.base_uri),
        "roles": roles,
        "primaryEmail": format!("{name}@phorge.localhost"),
    }))
}

pub(super) fn search(world: &World, call: &Call) -> Outcome {
    query_key(call)?;
    let fields = FormFields::constraints(call, CONSTRAINTS)?;
    fields.unsupported(&[
        "nameLike",
        "isMailingList",
        "needsApproval",
        "mfa",
        "createdStart",
        "createdEnd",
        "query",
    ])?;
    let (ids, phids) = (fields.integers("ids")?, fields.phids("phids")?);
    let usernames = fields.strings("usernames")?;
    let roles =
        [("admin", fields.flag("isAdmin")?), ("disabled", fields.flag("isDisabled")?), ("bot", fields.flag("isBot")?)];
    let attached = attachments(call, &["availability"])?;
    let order = order(call, "PhabricatorPeopleQuery", &["newest", "created", "oldest", "relevance"])?;
    let (limit, echo) = application_limit(call)?;

    let mut all: Vec<&User> = world.users.iter().collect();
    if order != "oldest" {
        all.reverse();
    }
    let matches = |user: &User| {
        ids.as_ref().is_none_or(|ids| ids.iter().any(|id| u64::try_from(*id) == Ok(user.id)))
            && phids.as_ref().is_none_or(|phids| phids.contains(&user.phid))
            && usernames.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(&user.username)))
            && roles.iter().all(|(role, asked)| asked.is_none_or(|asked| user.is(role) == asked))
    };
    let cursors = Cursors::new(call, "PhabricatorPeopleQuery", "User IDs must be integer numbers.");
    let page = cursors.page(&all, limit, |user| user.id, matches)?;
    search_reply(call, page.map(|user| render(user, &attached)), echo, json!({}))
}

/// `auth.querypublickeys`: nobody has keys here.
pub(super) fn public_keys(call: &Call) -> Outcome {
    let (_, echo) = application_limit(call)?;
    reply(&json!({"data": [], "cursor": {"limit": echo, "after": null, "before": null}}))
}

fn render(user: &User, attached: &[String]) -> Value {
    let available =
        json!({"value": "available", "until": null, "name": "Available", "color": "green", "eventPHID": null});
    let extra = attached.iter().map(|key| (key.clone(), available.clone())).collect::<serde_json::Map<_, _>>();
    json!({
        "id": user.id,
        "type": "USER",
        "phid": user.phid,
        "fields": {
            "username": user.username,
            "realName": user.real_name,
            "roles": user.roles,
            "dateCreated": user.created,
            "dateModified": user.modified,
            "policy": {"view": "public", "edit": user.edit},
        },
        "attachments": extra,
    })
}
