//! `postern organization`, `postern group` and `postern role`

use std::sync::Arc;

use idp::Idp;
use idp::manage::{self, NewOrganization, Roles, Span};
use model::{ConnectionId, GroupId, GroupScope, OrganizationId, Permission, RoleId, TenantId, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use storage::{PermissionHolder, TenantTx};

use crate::cli::directory::{
    GroupCommand, MemberCommand, OrganizationCommand, PermissionChange, RoleCommand,
};
use crate::commands::patch;
use crate::config::Config;
use crate::exit_code::{ExitCode, Failure, OrExit};
use crate::render::{Output, escape};
use crate::wiring::{Schema, existing_tenant, open_idp, open_storage};

const NOT_CHANGED: &str = "nothing was changed";
const UNREADABLE: &str = "cannot read";

/// Changes or shows organizations and their members.
pub async fn organization(config: &Config, command: OrganizationCommand) -> Result<(), Failure> {
    match command {
        OrganizationCommand::Create { name, display_name, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let new = NewOrganization { name, display_name, ..NewOrganization::default() };
            let made = manage::create_organization(&idp, &tenant, new).await;
            print(&idp, made.or_exit(ExitCode::Failed, NOT_CHANGED)?).await
        }
        OrganizationCommand::Update { id, of, patch } => {
            let changes = patch::parse(&patch)?;
            let (idp, tenant) = open(config, &of.tenant).await?;
            let id = OrganizationId::new(id);
            let changed = manage::update_organization(&idp, &tenant, &id, changes).await;
            print(&idp, changed.or_exit(ExitCode::Failed, NOT_CHANGED)?).await
        }
        OrganizationCommand::List { of } => {
            let mut tx = read(config, &of.tenant).await?;
            let organizations =
                tx.organizations("", i64::MAX, 0).await.or_exit(ExitCode::Database, UNREADABLE)?;
            let rows: Vec<_> = organizations
                .iter()
                .map(|known| {
                    vec![known.id.to_string(), known.name.clone(), escape(&known.display_name, false)]
                })
                .collect();
            Output::stdout().table(&rows);
            Ok(())
        }
        OrganizationCommand::Show { id, of } => {
            let mut tx = read(config, &of.tenant).await?;
            let id = OrganizationId::new(id);
            let found = tx.organization(&id).await.or_exit(ExitCode::Database, UNREADABLE)?;
            let found = found
                .ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no organization {id}")))?;
            let mut members = Vec::new();
            let users = tx.organization_members(&id, "", i64::MAX, 0).await;
            for user in users.or_exit(ExitCode::Database, UNREADABLE)? {
                let user = user.user_id;
                let roles = tx.organization_roles_of(&id, &user).await;
                let roles = roles.or_exit(ExitCode::Database, UNREADABLE)?;
                let names: Vec<_> = roles.into_iter().map(|role| role.name).collect();
                members.push(json!({ "user_id": user, "roles": names }));
            }
            let mut shown = as_json(&found)?;
            shown["members"] = json!(members);
            Output::stdout().json(&shown);
            Ok(())
        }
        OrganizationCommand::Delete { id, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let deleted = manage::delete_organization(&idp, &tenant, &OrganizationId::new(id)).await;
            done(&idp, deleted).await
        }
        OrganizationCommand::Member(MemberCommand::Add { id, users, roles, of }) => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let id = OrganizationId::new(id);
            let (users, roles) = (user_ids(users), Roles::Named(&roles));
            let added = manage::add_organization_members(&idp, &tenant, &id, &users, roles).await;
            done(&idp, added).await
        }
        OrganizationCommand::Member(MemberCommand::Remove { id, user, roles, of }) => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let (id, user) = (OrganizationId::new(id), UserId::new(user));
            let removed = if roles.is_empty() {
                manage::remove_organization_members(&idp, &tenant, &id, &[user]).await
            } else {
                let roles = Roles::Named(&roles);
                manage::remove_organization_roles(&idp, &tenant, &id, &user, roles).await
            };
            done(&idp, removed).await
        }
    }
}

/// Changes or shows groups.
pub async fn group(config: &Config, command: GroupCommand) -> Result<(), Failure> {
    match command {
        GroupCommand::Create { name, external_id, organization, connection, of } => {
            let scope = match (organization, connection) {
                (Some(id), _) => GroupScope::Organization { organization_id: OrganizationId::new(id) },
                (None, Some(id)) => GroupScope::Connection { connection_id: ConnectionId::new(id) },
                (None, None) => GroupScope::Tenant,
            };
            let (idp, tenant) = open(config, &of.tenant).await?;
            let made = manage::create_group(&idp, &tenant, &name, external_id.as_deref(), scope).await;
            let made = made.or_exit(ExitCode::Failed, NOT_CHANGED)?;
            print(&idp, manage::group_as_json(&made).or_exit(ExitCode::Failed, UNREADABLE)?).await
        }
        GroupCommand::List { of } => {
            let mut tx = read(config, &of.tenant).await?;
            let groups = tx.groups().await.or_exit(ExitCode::Database, UNREADABLE)?;
            let rows: Vec<_> = groups
                .iter()
                .map(|group| {
                    vec![group.id.to_string(), group.scope.as_str().to_owned(), escape(&group.name, false)]
                })
                .collect();
            Output::stdout().table(&rows);
            Ok(())
        }
        GroupCommand::Show { id, of } => {
            let mut tx = read(config, &of.tenant).await?;
            let id = GroupId::new(id);
            let found = tx.group(&id).await.or_exit(ExitCode::Database, UNREADABLE)?;
            let found =
                found.ok_or_else(|| Failure::new(ExitCode::Failed, format!("there is no group {id}")))?;
            let members = tx.group_members(&id).await.or_exit(ExitCode::Database, UNREADABLE)?;
            let mut shown = manage::group_as_json(&found).or_exit(ExitCode::Failed, UNREADABLE)?;
            shown.insert("members".to_owned(), json!(members));
            Output::stdout().json(&Value::Object(shown));
            Ok(())
        }
        GroupCommand::Delete { id, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let deleted = manage::delete_group(&idp, &tenant, &GroupId::new(id)).await;
            done(&idp, deleted).await
        }
        GroupCommand::Add(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let (id, users) = (GroupId::new(change.id), user_ids(change.users));
            let added = manage::add_to_group(&idp, &tenant, &id, &users, Roles::Named(&change.roles)).await;
            done(&idp, added).await
        }
        GroupCommand::Remove(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let (id, users) = (GroupId::new(change.id), user_ids(change.users));
            let removed =
                manage::remove_from_group(&idp, &tenant, &id, &users, Roles::Named(&change.roles)).await;
            done(&idp, removed).await
        }
    }
}

/// Changes or shows roles, and who has them.
pub async fn role(config: &Config, command: RoleCommand) -> Result<(), Failure> {
    match command {
        RoleCommand::Create { name, description, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let made = manage::create_role(&idp, &tenant, &name, description.as_deref()).await;
            print(&idp, made.or_exit(ExitCode::Failed, NOT_CHANGED)?).await
        }
        RoleCommand::List { user, of } => {
            let mut tx = read(config, &of.tenant).await?;
            let roles = match user {
                Some(user) => tx.roles_of(&UserId::new(user)).await,
                None => tx.roles("", i64::MAX, 0).await,
            };
            let roles = roles.or_exit(ExitCode::Database, UNREADABLE)?;
            let rows: Vec<_> =
                roles.iter().map(|role| vec![role.id.to_string(), escape(&role.name, false)]).collect();
            Output::stdout().table(&rows);
            Ok(())
        }
        RoleCommand::Permissions { id, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            let found = manage::permissions_of_role(&idp, &tenant, &RoleId::new(id), Span::ALL).await;
            let permissions = found.or_exit(ExitCode::Failed, UNREADABLE)?.rows;
            idp.storage.close().await;
            let rows: Vec<_> = permissions
                .iter()
                .map(|view| {
                    let Permission { resource_server_identifier, permission_name } = &view.permission;
                    vec![escape(resource_server_identifier, false), escape(permission_name, false)]
                })
                .collect();
            Output::stdout().table(&rows);
            Ok(())
        }
        RoleCommand::Permit(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let (id, permissions) = (RoleId::new(&change.id), permissions(&change));
            let holder = PermissionHolder::Role(&id);
            done(&idp, manage::add_permissions(&idp, &tenant, holder, &permissions).await).await
        }
        RoleCommand::Forbid(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let (id, permissions) = (RoleId::new(&change.id), permissions(&change));
            let holder = PermissionHolder::Role(&id);
            done(&idp, manage::remove_permissions(&idp, &tenant, holder, &permissions).await).await
        }
        RoleCommand::Delete { id, of } => {
            let (idp, tenant) = open(config, &of.tenant).await?;
            done(&idp, manage::delete_role(&idp, &tenant, &RoleId::new(id)).await).await
        }
        RoleCommand::Assign(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let user = UserId::new(change.user);
            let assigned = manage::assign_roles(&idp, &tenant, &user, Roles::Named(&change.roles)).await;
            done(&idp, assigned).await
        }
        RoleCommand::Remove(change) => {
            let (idp, tenant) = open(config, &change.of.tenant).await?;
            let user = UserId::new(change.user);
            let removed = manage::remove_roles(&idp, &tenant, &user, Roles::Named(&change.roles)).await;
            done(&idp, removed).await
        }
    }
}

async fn open(config: &Config, tenant: &str) -> Result<(Arc<Idp>, TenantId), Failure> {
    let (idp, _) = open_idp(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&idp.storage, tenant).await?;
    Ok((idp, tenant))
}

async fn read(config: &Config, tenant: &str) -> Result<TenantTx, Failure> {
    let storage = open_storage(config, Schema::MustExist).await?;
    let tenant = existing_tenant(&storage, tenant).await?;
    storage.begin_read(&tenant).await.or_exit(ExitCode::Database, UNREADABLE)
}

async fn print(idp: &Idp, made: impl Serialize) -> Result<(), Failure> {
    idp.storage.close().await;
    Output::stdout().json(&as_json(&made)?);
    Ok(())
}

async fn done(idp: &Idp, outcome: Result<(), manage::ManageError>) -> Result<(), Failure> {
    outcome.or_exit(ExitCode::Failed, NOT_CHANGED)?;
    idp.storage.close().await;
    Ok(())
}

fn as_json(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).or_exit(ExitCode::Failed, "cannot be shown")
}

fn permissions(change: &PermissionChange) -> Vec<Permission> {
    let of_api = |name: &String| Permission {
        resource_server_identifier: change.api.clone(),
        permission_name: name.clone(),
    };
    change.permissions.iter().map(of_api).collect()
}

fn user_ids(users: Vec<String>) -> Vec<UserId> {
    users.into_iter().map(UserId::new).collect()
}
