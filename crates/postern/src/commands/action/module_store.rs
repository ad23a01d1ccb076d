//! Where `actions:` modules are: behind the Management API of a running server, or in the database.

use std::collections::BTreeMap;

use idp::Idp;
use idp::manage::{self, ManageError, ModuleChange, NewSecret, module_version_id};
use model::{ActionModule, ActionModuleId, ActionModuleVersion, TenantId, UsedModule};
use reqwest::Method;
use serde_json::{Value, json};

use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::remote::Remote;

/// A tenant's modules.
pub enum Place<'a> {
    /// Behind its Management API.
    Server(&'a Remote),
    /// In the database.
    Database(&'a Idp, &'a TenantId),
}

/// A published version.
#[derive(Debug, Clone)]
pub struct Version {
    pub module_id: String,
    pub id: String,
    pub number: i64,
}

/// A version that an Action has.
pub struct Pin {
    /// Of the module.
    pub name: String,
    pub version: Version,
}

/// A module that is there.
pub struct Stored {
    pub id: String,
    /// The names of its secrets.
    pub secrets: Vec<String>,
    /// The newest version, with its code.
    pub latest: Option<(Version, String)>,
}

impl Place<'_> {
    /// All modules, by name.
    pub async fn modules(&self) -> Result<BTreeMap<String, Stored>, Failure> {
        match self {
            // A tenant has at most 100, which is one page.
            Self::Server(remote) => {
                let list = remote.get("/actions/modules", &[("per_page", "100")]).await?;
                let modules = list["modules"].as_array().into_iter().flatten();
                Ok(modules.map(|module| (text(&module["name"]), Stored::answered(module))).collect())
            }
            Self::Database(idp, tenant) => {
                let modules = read(manage::action_modules(idp, tenant).await)?;
                Ok(modules.into_iter().map(|module| (module.name.clone(), Stored::read(&module))).collect())
            }
        }
    }

    /// The code of a version, if it is still there.
    pub async fn code_of(&self, version: &Version) -> Result<Option<String>, Failure> {
        match self {
            Self::Server(remote) => {
                let path = format!("/actions/modules/{}/versions", version.module_id);
                let list = remote.find(&path, &[("per_page", "100")]).await?.unwrap_or_default();
                let mut versions = list["versions"].as_array().into_iter().flatten();
                let found = versions.find(|found| found["id"].as_str() == Some(&version.id));
                Ok(found.map(|found| text(&found["code"])))
            }
            Self::Database(idp, tenant) => {
                let id = ActionModuleId::new(version.module_id.as_str());
                let versions = match manage::action_module_versions(idp, tenant, &id).await {
                    Err(ManageError::NotFound { .. }) => return Ok(None),
                    versions => read(versions)?,
                };
                let found = versions.into_iter().find(|found| found.number == version.number);
                Ok(found.map(|found| found.content.code))
            }
        }
    }

    /// Makes a module, or changes its draft. Without secrets they stay as they are. The answer is its id, and the newest
    /// version if that is what the draft says.
    pub async fn draft(
        &self,
        name: &str,
        module_id: Option<String>,
        code: &str,
        secrets: Option<&BTreeMap<String, String>>,
    ) -> Result<(String, Option<Version>), Failure> {
        match self {
            Self::Server(remote) => {
                let mut body = json!({ "code": code });
                if let Some(secrets) = secrets {
                    let all = secrets.iter().map(|(name, value)| json!({ "name": name, "value": value }));
                    body["secrets"] = all.collect();
                }
                let module = match module_id {
                    Some(id) => {
                        remote.call(Method::PATCH, &format!("/actions/modules/{id}"), Some(&body)).await?
                    }
                    None => {
                        body["name"] = json!(name);
                        remote.call(Method::POST, "/actions/modules", Some(&body)).await?
                    }
                };
                let is_published = module["all_changes_published"] == true;
                let latest = is_published.then(|| Version::answered(&module["latest_version"]));
                Ok((text(&module["id"]), latest))
            }
            Self::Database(idp, tenant) => {
                let all = |secrets: &BTreeMap<String, String>| {
                    let all = secrets.iter();
                    all.map(|(name, value)| NewSecret { name: name.clone(), value: Some(value.clone()) })
                        .collect()
                };
                let change = ModuleChange {
                    code: Some(code.to_owned()),
                    dependencies: None,
                    secrets: secrets.map(all),
                };
                let module = match module_id {
                    Some(id) => {
                        manage::update_action_module(idp, tenant, &ActionModuleId::new(id), change).await
                    }
                    None => manage::create_action_module(idp, tenant, name, change, false).await,
                };
                let module = read(module)?;
                let latest = module.latest.as_ref().filter(|latest| latest.content == module.draft);
                Ok((module.id.to_string(), latest.map(Version::read)))
            }
        }
    }

    /// Makes the draft the next version.
    pub async fn publish(&self, module_id: &str) -> Result<Version, Failure> {
        match self {
            Self::Server(remote) => {
                let path = format!("/actions/modules/{module_id}/versions");
                Ok(Version::answered(&remote.call(Method::POST, &path, None).await?))
            }
            Self::Database(idp, tenant) => {
                let id = ActionModuleId::new(module_id);
                Ok(Version::read(&read(manage::publish_action_module(idp, tenant, &id).await)?))
            }
        }
    }
}

impl Version {
    fn answered(version: &Value) -> Self {
        Self {
            module_id: text(&version["module_id"]),
            id: text(&version["id"]),
            number: version["version_number"].as_i64().unwrap_or_default(),
        }
    }

    fn read(version: &ActionModuleVersion) -> Self {
        Self::of(&version.module_id, version.number)
    }

    fn of(id: &ActionModuleId, number: i64) -> Self {
        Self { module_id: id.to_string(), id: module_version_id(id, number), number }
    }
}

impl Pin {
    /// Those of an Action or a version, as the server answers it.
    pub fn answered(action: &Value) -> Vec<Self> {
        let modules = action["modules"].as_array().into_iter().flatten();
        let pin = |module: &Value| Self {
            name: text(&module["module_name"]),
            version: Version {
                module_id: text(&module["module_id"]),
                id: text(&module["module_version_id"]),
                number: module["module_version_number"].as_i64().unwrap_or_default(),
            },
        };
        modules.map(pin).collect()
    }

    /// Those of an Action in the database.
    pub fn read(used: &[UsedModule]) -> Vec<Self> {
        let pin =
            |used: &UsedModule| Self { name: used.name.clone(), version: Version::of(&used.id, used.number) };
        used.iter().map(pin).collect()
    }
}

impl Stored {
    fn answered(module: &Value) -> Self {
        let latest = &module["latest_version"];
        let secrets = module["secrets"].as_array().into_iter().flatten();
        Self {
            id: text(&module["id"]),
            secrets: secrets.map(|secret| text(&secret["name"])).collect(),
            latest: latest.is_object().then(|| (Version::answered(latest), text(&latest["code"]))),
        }
    }

    fn read(module: &ActionModule) -> Self {
        let ActionModule { id, draft, latest, .. } = module;
        Self {
            id: id.to_string(),
            secrets: draft.secrets.iter().map(|secret| secret.name.clone()).collect(),
            latest: latest.as_ref().map(|latest| (Version::read(latest), latest.content.code.clone())),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the database refused.
fn read<T>(result: Result<T, ManageError>) -> Result<T, Failure> {
    result.or_exit(ExitCode::Failed, "the modules of the tenant")
}
