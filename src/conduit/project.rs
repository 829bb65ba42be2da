//! Projects, which are tags and teams: `project.search`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::error::{ConduitError, misshapen};
use super::paging::Page;
use super::params;
use super::transport::{Client, Reply};
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
    /// The projects that it is a subproject or milestone of, at any depth; empty where they were not asked for.
    pub ancestors: Vec<Phid<ProjectKind>>,
    /// Who can join it.
    pub join: String,
    /// Who can edit it, and so add members.
    pub edit: String,
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
}

#[derive(Deserialize)]
struct Row {
    phid: Phid<ProjectKind>,
    fields: Fields,
    attachments: Value,
}

#[derive(Deserialize)]
struct Fields {
    name: String,
    policy: Policy,
}

#[derive(Deserialize)]
struct Policy {
    edit: String,
    join: String,
}

#[derive(Deserialize)]
struct Members {
    members: Attached<Listed>,
}

#[derive(Deserialize)]
struct Attached<T> {
    members: Vec<T>,
}

#[derive(Deserialize)]
struct Listed {
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
    fn into_project(self, members: bool, ancestors: bool) -> Result<Project, serde_json::Error> {
        let members = match members {
            true => Members::deserialize(&self.attachments)?.members.members.into_iter().map(|row| row.phid).collect(),
            false => Vec::new(),
        };
        let ancestors = match ancestors {
            true => {
                Ancestors::deserialize(&self.attachments)?.ancestors.ancestors.into_iter().map(|row| row.phid).collect()
            }
            false => Vec::new(),
        };
        let Fields { name, policy: Policy { edit, join } } = self.fields;
        Ok(Project { phid: self.phid, name, members, ancestors, join, edit })
    }
}

const METHOD: &str = "project.search";

impl Client {
    /// Projects by hashtag, with their members. Hashtags that the server does not know are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or there are more than fit one page.
    pub async fn projects_by_slug(&self, slugs: &[&str]) -> Result<Projects, ConduitError> {
        let asked = params(json!({
            "constraints": {"slugs": slugs},
            "attachments": {"members": true},
            "limit": 100,
        }));
        let page: SlugPage = self.read(METHOD, &asked).await?.result;
        let mut projects = BTreeMap::new();
        for row in page.data {
            let project = row.into_project(true, false).map_err(|error| Self::unexpected(METHOD, misshapen(&error)))?;
            projects.insert(project.phid.clone(), project);
        }
        let mut by_slug = BTreeMap::new();
        for (asked, Slug { project }) in page.maps.slugs {
            if !projects.contains_key(&project) {
                return Err(Self::unexpected(METHOD, format!("#{asked} is {project}, which the reply leaves out")));
            }
            by_slug.insert(asked, project);
        }
        Ok(Projects { projects, by_slug })
    }

    /// The subprojects and milestones of a project, at any depth.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or named a project that is not below this one.
    pub async fn descendants(&self, of: &Phid<ProjectKind>) -> Result<Vec<Phid<ProjectKind>>, ConduitError> {
        let asked = json!({
            "constraints": {"ancestors": [of]},
            "attachments": {"ancestors": true},
            "limit": 100,
        });
        let rows: Vec<Row> = self.read_pages(METHOD, params(asked)).await?.result;
        let mut below = Vec::with_capacity(rows.len());
        for row in rows {
            let project = row.into_project(false, true).map_err(|error| Self::unexpected(METHOD, misshapen(&error)))?;
            if !project.ancestors.contains(of) {
                return Err(Self::unexpected(METHOD, format!("{} was not asked for", project.phid)));
            }
            below.push(project.phid);
        }
        Ok(below)
    }

    /// Projects by PHID, with their ancestors. Those that this account cannot see are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn projects_with_ancestors(&self, phids: &[Phid<ProjectKind>]) -> Result<Vec<Project>, ConduitError> {
        let mut projects = Vec::new();
        for some in phids.chunks(100) {
            let asked = params(json!({
                "constraints": {"phids": some},
                "attachments": {"ancestors": true},
                "limit": 100,
            }));
            let page: Reply<Page<Row>> = self.read(METHOD, &asked).await?;
            for row in page.result.data {
                let project =
                    row.into_project(false, true).map_err(|error| Self::unexpected(METHOD, misshapen(&error)))?;
                if !some.contains(&project.phid) {
                    return Err(Self::unexpected(METHOD, format!("{} was not asked for", project.phid)));
                }
                projects.push(project);
            }
        }
        Ok(projects)
    }
}
