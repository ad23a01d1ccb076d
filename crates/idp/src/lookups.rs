//! What an Action may look up about its user: groups and effective roles (`reference/post-login.md` section 3, `api.groups`
//! and `api.roles`). The user, the connection and the organization are those of the login; an Action cannot name others.

use std::collections::BTreeMap;

use action_api::{OperationAnswer, OperationFuture, Operations, unknown_operation};
use model::{ConnectionId, GroupScope, Membership, OrganizationId, Role, TenantId, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{Storage, StorageError, TenantTx};

/// How many entries a page has at most, and without `take`.
const MAX_TAKE: usize = 100;
const DEFAULT_TAKE: usize = 50;
/// How many groups may be asked for at once, and how many roles by their ids.
const MAX_INPUTS: usize = 100;
/// How many roles may be asked for by their names.
const MAX_ROLE_NAMES: usize = 50;

/// Whose groups and roles.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The tenant.
    pub tenant: TenantId,
    /// Who logs in.
    pub user: UserId,
    /// How.
    pub connection: ConnectionId,
    /// In whose name.
    pub organization: Option<OrganizationId>,
}

/// The look-ups of one run, as operations of it.
pub struct Lookups {
    /// The database.
    pub storage: Storage,
    /// Whose groups and roles.
    pub subject: Subject,
}

impl Operations for Lookups {
    fn start(&self, kind: &str, input: Value) -> OperationFuture {
        let (storage, subject, kind) = (self.storage.clone(), self.subject.clone(), kind.to_owned());
        Box::pin(async move { answer(&storage, &subject, &kind, input).await })
    }

    fn call(&self, kind: &str, _input: Value, _now_ms: i64) -> OperationAnswer {
        Err(unknown_operation(kind))
    }
}

async fn answer(storage: &Storage, subject: &Subject, kind: &str, input: Value) -> OperationAnswer {
    match kind {
        "groups.ofUser" => value(user_groups(storage, subject, &page(input)?).await),
        "groups.membership" => value(group_membership(storage, subject, &list(input, MAX_INPUTS)?).await),
        "roles.effective" => value(effective_roles(storage, subject, &page(input)?).await),
        "roles.effectiveByIds" => {
            let ids = list(input, MAX_INPUTS)?;
            value(
                effective_roles_among(storage, subject, |role| ids.iter().any(|id| role.id.as_str() == id))
                    .await,
            )
        }
        "roles.effectiveByNames" => {
            let names = list(input, MAX_ROLE_NAMES)?;
            value(effective_roles_among(storage, subject, |role| names.contains(&role.name)).await)
        }
        other => Err(unknown_operation(other)),
    }
}

fn value(found: Result<impl Serialize, StorageError>) -> OperationAnswer {
    // The cause is the server's.
    let found = found.map_err(|error| {
        tracing::error!(%error, "a look-up of an Action");
        "the look-up failed".to_owned()
    })?;
    serde_json::to_value(found).map_err(|_| "the answer of the look-up is no JSON".to_owned())
}

/// The script checks what it is given, with the dialect's texts. These are for a guest that goes around it.
fn read<T: DeserializeOwned>(input: Value) -> Result<T, String> {
    serde_json::from_value(input).map_err(|error| format!("the input of the look-up: {error}"))
}

fn page(input: Value) -> Result<Page, String> {
    let page: Page = read(input)?;
    match page.take {
        Some(take) if !(1..=MAX_TAKE).contains(&take) => {
            Err(format!("`take` must be a positive integer of at most {MAX_TAKE}"))
        }
        _ => Ok(page),
    }
}

fn list(input: Value, most: usize) -> Result<Vec<String>, String> {
    let list: Vec<String> = read(input)?;
    match list.len() {
        0 => Err("the list must not be empty".to_owned()),
        count if count > most => Err(format!("the list must have at most {most} entries")),
        _ => Ok(list),
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Page {
    /// 1 to [`MAX_TAKE`].
    take: Option<usize>,
    /// The `next` of the page before.
    from: Option<String>,
}

impl Page {
    fn take(&self) -> usize {
        self.take.unwrap_or(DEFAULT_TAKE)
    }
}

/// What `getUserGroups` answers.
#[derive(Debug, Serialize)]
struct Groups {
    groups: Vec<UserGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct UserGroup {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<ConnectionId>,
    tenant_name: String,
    created_at: String,
    updated_at: String,
    membership_created_at: String,
    /// There are no groups within groups.
    assignment: &'static str,
}

/// What `hasGroupMembership` answers.
#[derive(Debug, Serialize)]
struct Memberships {
    memberships: BTreeMap<String, InGroup>,
}

#[derive(Debug, Serialize)]
struct InGroup {
    is_member: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matches: Vec<Match>,
}

#[derive(Debug, Serialize)]
struct Match {
    id: String,
    name: String,
    group_type: &'static str,
}

/// What the look-ups of roles answer.
#[derive(Debug, Serialize)]
struct Roles {
    roles: Vec<EffectiveRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct EffectiveRole {
    id: String,
    name: String,
    /// Where the role is defined: all roles are the tenant's.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The groups that the user is in, by id.
async fn user_groups(storage: &Storage, subject: &Subject, page: &Page) -> Result<Groups, StorageError> {
    let take = page.take();
    let mut tx = storage.begin_read(&subject.tenant).await?;
    // One more tells whether there is a next page.
    let limit = i64::try_from(take + 1).unwrap_or(i64::MAX);
    let after = page.from.as_deref().unwrap_or_default();
    let mut found = tx.groups_of(&subject.user, after, limit).await?;
    let more = found.len() > take;
    found.truncate(take);
    let next = found.last().filter(|_| more).map(|last| last.group.id.to_string());
    let groups = found.into_iter().map(|membership| user_group(membership, &subject.tenant)).collect();
    Ok(Groups { groups, next })
}

fn user_group(Membership { group, since }: Membership, tenant: &TenantId) -> UserGroup {
    UserGroup {
        id: group.id.to_string(),
        name: group.name,
        external_id: group.external_id,
        connection_id: match group.scope {
            GroupScope::Connection { connection_id } => Some(connection_id),
            GroupScope::Tenant | GroupScope::Organization { .. } => None,
        },
        tenant_name: tenant.to_string(),
        created_at: group.created_at.to_iso(),
        updated_at: group.updated_at.to_iso(),
        membership_created_at: since.to_iso(),
        assignment: "direct",
    }
}

/// Whether the user is in groups with these ids or names, which count in this login.
async fn group_membership(
    storage: &Storage,
    subject: &Subject,
    inputs: &[String],
) -> Result<Memberships, StorageError> {
    let scopes = scopes(subject);
    let mut tx = storage.begin_read(&subject.tenant).await?;
    let counting = tx.groups_of(&subject.user, "", i64::MAX).await?;
    let counting: Vec<_> = counting
        .into_iter()
        .map(|membership| membership.group)
        .filter(|group| scopes.contains(&group.scope))
        .collect();
    let memberships = inputs.iter().map(|input| {
        let fits = counting.iter().filter(|group| group.id.as_str() == input || group.name == *input);
        let matches: Vec<_> = fits
            .map(|group| Match {
                id: group.id.to_string(),
                name: group.name.clone(),
                group_type: group.scope.as_str(),
            })
            .collect();
        (input.clone(), InGroup { is_member: !matches.is_empty(), matches })
    });
    Ok(Memberships { memberships: memberships.collect() })
}

/// The groups of a login: of the tenant, of its connection, and of its organization.
fn scopes(subject: &Subject) -> Vec<GroupScope> {
    let mut scopes =
        vec![GroupScope::Tenant, GroupScope::Connection { connection_id: subject.connection.clone() }];
    if let Some(organization_id) = subject.organization.clone() {
        scopes.push(GroupScope::Organization { organization_id });
    }
    scopes
}

/// The roles that the user has, directly and by groups, by id.
async fn effective_roles(storage: &Storage, subject: &Subject, page: &Page) -> Result<Roles, StorageError> {
    let take = page.take();
    let mut tx = storage.begin_read(&subject.tenant).await?;
    let after = page.from.as_deref().unwrap_or_default();
    let mut rest: Vec<_> = all_roles(&mut tx, subject).await?;
    rest.retain(|role| role.id.as_str() > after);
    let more = rest.len() > take;
    rest.truncate(take);
    let next = rest.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Roles { roles: rest.into_iter().map(effective_role).collect(), next })
}

/// Those of them that fit.
async fn effective_roles_among(
    storage: &Storage,
    subject: &Subject,
    fits: impl Fn(&Role) -> bool,
) -> Result<Roles, StorageError> {
    let mut tx = storage.begin_read(&subject.tenant).await?;
    let mut roles = all_roles(&mut tx, subject).await?;
    roles.retain(fits);
    Ok(Roles { roles: roles.into_iter().map(effective_role).collect(), next: None })
}

/// In an organization's login, the roles in that organization alone.
async fn all_roles(tx: &mut TenantTx, subject: &Subject) -> Result<Vec<Role>, StorageError> {
    let (mut roles, scopes) = match subject.organization.clone() {
        Some(organization_id) => {
            let direct = tx.organization_roles_of(&organization_id, &subject.user).await?;
            let scope = GroupScope::Organization { organization_id };
            (direct, [scope.clone(), scope])
        }
        None => {
            let direct = tx.roles_of(&subject.user).await?;
            let connection_id = subject.connection.clone();
            (direct, [GroupScope::Tenant, GroupScope::Connection { connection_id }])
        }
    };
    let [one, other] = &scopes;
    roles.extend(tx.roles_by_groups(&subject.user, [one, other]).await?);
    roles.sort_by(|a, b| a.id.cmp(&b.id));
    roles.dedup();
    Ok(roles)
}

fn effective_role(role: Role) -> EffectiveRole {
    EffectiveRole { id: role.id.to_string(), name: role.name, kind: "tenant" }
}
