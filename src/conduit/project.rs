//! Projects, which are tags and teams: `project.search`.

use std::collections::BTreeMap;
use std::future::Future;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::error::{ConduitError, Failure, misshapen};
use super::params;
use super::transport::Client;
use crate::ids::{Phid, Project as ProjectKind, User};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its PHID.
    pub phid: Phid<ProjectKind>,
    /// Its name.
    pub name: String,
    /// Its members, those of its subprojects among them; empty where they were not asked for.
    pub members: Vec<Phid<User>>,
    /// Who can join it.
    pub join: String,
    /// Who can edit it, and so add members.
    pub edit: String,
    /// Its subprojects and milestones, at any depth, whose members are members of it; empty where they were not asked for.
    #[serde(default)]
    pub below: Vec<Subproject>,
}

/// A project below another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subproject {
    /// Its PHID.
    pub phid: Phid<ProjectKind>,
    /// Its name.
    pub name: String,
    /// Who can join it.
    pub join: String,
    /// Who can edit it.
    pub edit: String,
    /// The projects that it is below, at any depth.
    #[serde(default)]
    pub ancestors: Vec<Phid<ProjectKind>>,
}

/// A way in that is open to everybody with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenTo<'a> {
    /// What everybody can do: `join` or `edit`.
    pub way: &'static str,
    /// The subproject that is open, by its name; `None` where it is the project itself.
    pub below: Option<&'a str>,
}

impl Project {
    /// Gives it those of these projects that are below it.
    pub fn place(&mut self, below: &[Subproject]) {
        self.below = below.iter().filter(|project| project.ancestors.contains(&self.phid)).cloned().collect();
    }

    /// How everybody can become a member: by joining or editing the project or one below it, since the members of a
    /// project are those of its subprojects too. The first way that there is.
    pub fn open_to_all(&self) -> Option<OpenTo<'_>> {
        let way = |join: &str, edit: &str| {
            let open = |policy: &str| matches!(policy, "public" | "users");
            if open(join) { Some("join") } else { open(edit).then_some("edit") }
        };
        let own = way(&self.join, &self.edit).map(|way| OpenTo { way, below: None });
        own.or_else(|| {
            self.below.iter().find_map(|below| {
                way(&below.join, &below.edit).map(|way| OpenTo { way, below: Some(below.name.as_str()) })
            })
        })
    }
}

/// Projects looked up by hashtag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projects {
    projects: BTreeMap<Phid<ProjectKind>, Project>,
    by_slug: BTreeMap<String, Phid<ProjectKind>>,
}

impl Projects {
    /// The project of a hashtag that was asked for; `None` where the server knows none.
    pub fn of(&self, slug: &str) -> Option<&Project> {
        self.projects.get(self.by_slug.get(slug)?)
    }

    /// All of them, each once.
    pub fn all(&self) -> impl Iterator<Item = &Project> {
        self.projects.values()
    }

    /// Gives each of them those of these projects that are below it.
    pub fn place(&mut self, below: &[Subproject]) {
        self.projects.values_mut().for_each(|project| project.place(below));
    }
}

#[derive(Deserialize)]
struct Row {
    phid: Phid<ProjectKind>,
    fields: ProjectFields,
    attachments: Value,
}

#[derive(Deserialize)]
struct ProjectFields {
    name: String,
    policy: ProjectPolicy,
}

#[derive(Deserialize)]
struct ProjectPolicy {
    edit: String,
    join: String,
}

#[derive(Deserialize)]
struct MembersAttachment {
    members: Attached<ListedProject>,
}

#[derive(Deserialize)]
struct Attached<T> {
    members: Vec<T>,
}

#[derive(Deserialize)]
struct ListedProject {
    phid: Phid<User>,
}

#[derive(Deserialize)]
struct Ancestors {
    ancestors: AttachedAncestors,
}

#[derive(Deserialize)]
struct AttachedAncestors {
    ancestors: Vec<Ancestor>,
}

#[derive(Deserialize)]
struct Ancestor {
    phid: Phid<ProjectKind>,
}

#[derive(Deserialize)]
struct SlugPage {
    data: Vec<Row>,
    maps: Maps,
}

#[derive(Deserialize)]
struct Maps {
    #[serde(rename = "slugMap", deserialize_with = "map_or_empty_list")]
    slugs: BTreeMap<String, Slug>,
}

#[derive(Deserialize)]
struct Slug {
    #[serde(rename = "projectPHID")]
    project: Phid<ProjectKind>,
}

/// PHP writes an empty map as `[]`.
fn map_or_empty_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Slug>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Array(rows) if rows.is_empty() => Ok(BTreeMap::new()),
        other => BTreeMap::deserialize(other).map_err(serde::de::Error::custom),
    }
}

impl Row {
    fn into_project(self) -> Result<Project, serde_json::Error> {
        let members = MembersAttachment::deserialize(&self.attachments)?
            .members
            .members
            .into_iter()
            .map(|row| row.phid)
            .collect();
        let ProjectFields { name, policy: ProjectPolicy { edit, join } } = self.fields;
        Ok(Project { phid: self.phid, name, members, join, edit, below: Vec::new() })
    }

    fn into_subproject(self) -> Result<Subproject, serde_json::Error> {
        let attached = Ancestors::deserialize(&self.attachments)?.ancestors.ancestors;
        let ancestors = attached.into_iter().map(|row| row.phid).collect();
        let ProjectFields { name, policy: ProjectPolicy { edit, join } } = self.fields;
        Ok(Subproject { phid: self.phid, name, ancestors, join, edit })
    }
}

const METHOD: &str = "project.search";

/// The constraints of a search for projects, archived ones among them where the server hides those otherwise.
fn constraints(key: &str, value: Value, any_status: bool) -> Value {
    let mut constraints = params(json!({key: value}));
    if any_status {
        constraints.insert("status".into(), json!("all"));
    }
    Value::Object(constraints)
}

impl Client {
    /// Projects by hashtag, with their members, archived ones among them. Hashtags that the server does not know are left
    /// out.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or there are more than fit one page.
    pub async fn projects_by_slug(&self, slugs: &[&str]) -> Result<Projects, ConduitError> {
        let found = self.of_any_status(|any_status| self.by_slug(slugs, any_status)).await?;
        // What is remembered of a server that was updated since would hide archived projects.
        let missing = slugs.iter().any(|slug| found.of(slug).is_none());
        if missing && self.refusals().project_status() {
            self.refusals().note_project_status(false);
            return self.of_any_status(|any_status| self.by_slug(slugs, any_status)).await;
        }
        Ok(found)
    }

    async fn by_slug(&self, slugs: &[&str], any_status: bool) -> Result<Projects, ConduitError> {
        let asked = params(json!({
            "constraints": constraints("slugs", json!(slugs), any_status),
            "attachments": {"members": true},
            "limit": 100,
        }));
        let page: SlugPage = self.read(METHOD, &asked).await?.result;
        let mut projects = BTreeMap::new();
        for row in page.data {
            let project = row.into_project().map_err(|error| Self::unexpected(METHOD, misshapen(&error)))?;
            projects.insert(project.phid.clone(), project);
        }
        let mut by_slug = BTreeMap::new();
        for (asked, Slug { project }) in page.maps.slugs {
            if !projects.contains_key(&project) {
                return Err(Self::unexpected(METHOD, format!("the project of #{asked} is left out")));
            }
            by_slug.insert(asked, project);
        }
        Ok(Projects { projects, by_slug })
    }

    /// The subprojects and milestones of these projects, at any depth, archived ones among them.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or named a project that is below none of them.
    pub async fn descendants(&self, of: &[Phid<ProjectKind>]) -> Result<Vec<Subproject>, ConduitError> {
        if of.is_empty() {
            // Without its constraint a search returns every project there is.
            return Ok(Vec::new());
        }
        self.of_any_status(|any_status| self.below(of, any_status)).await
    }

    async fn below(&self, of: &[Phid<ProjectKind>], any_status: bool) -> Result<Vec<Subproject>, ConduitError> {
        // PHIDs alone: of a hashtag nothing is found, without an error.
        let asked = json!({
            "constraints": constraints("ancestors", json!(of), any_status),
            "attachments": {"ancestors": true},
        });
        let rows: Vec<Row> = self.read_pages(METHOD, params(asked)).await?.result;
        let mut below = Vec::with_capacity(rows.len());
        for row in rows {
            let project = row.into_subproject().map_err(|error| Self::unexpected(METHOD, misshapen(&error)))?;
            if !project.ancestors.iter().any(|ancestor| of.contains(ancestor)) {
                return Err(Self::unexpected(METHOD, "a project that was not asked for"));
            }
            below.push(project);
        }
        Ok(below)
    }

    /// Searches projects of any status. Servers that hide archived ones take a constraint for it; those before them list
    /// archived ones and refuse the constraint; a repetition without it distinguishes the two.
    async fn of_any_status<T, F: Future<Output = Result<T, ConduitError>>>(
        &self,
        search: impl Fn(bool) -> F,
    ) -> Result<T, ConduitError> {
        if self.refusals().project_status() {
            return search(false).await;
        }
        let refused = match search(true).await {
            Err(error) if matches!(error.kind, Failure::Refused { .. }) && !error.is_credentials() => error,
            answer => return answer,
        };
        match search(false).await {
            Ok(found) => {
                self.refusals().note_project_status(true);
                Ok(found)
            }
            // It was not the constraint.
            Err(error) if matches!(error.kind, Failure::Refused { .. }) => Err(refused),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str, join: &str, edit: &str) -> Subproject {
        let phid = Phid::new(format!("PHID-PROJ-{name}")).unwrap();
        Subproject { phid, name: name.into(), join: join.into(), edit: edit.into(), ancestors: vec![] }
    }

    fn team(join: &str, edit: &str, below: Vec<Subproject>) -> Project {
        let Subproject { phid, name, join, edit, .. } = project("sre", join, edit);
        Project { phid, name, members: vec![], join, edit, below }
    }

    #[test]
    fn a_project_is_as_open_as_the_most_open_one_below_it() {
        assert_eq!(team("admin", "no-one", vec![project("a", "admin", "admin")]).open_to_all(), None);
        let open = |team: &Project| team.open_to_all().map(|open| (open.way, open.below.map(str::to_owned)));
        assert_eq!(open(&team("users", "admin", vec![])), Some(("join", None)));
        assert_eq!(open(&team("admin", "public", vec![])), Some(("edit", None)));
        let below = vec![project("a", "admin", "admin"), project("b", "admin", "users")];
        assert_eq!(open(&team("admin", "admin", below)), Some(("edit", Some("b".to_owned()))));
    }
}
