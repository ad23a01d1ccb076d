//! Organizations, groups and what is known of earlier logins: parts of the contract's tests.

use model::{GroupScope, LoginHistory, Membership, OrganizationId, Role, RoleId, UserId};

use super::fixtures::*;
use crate::TenantTx;

pub async fn fill(tx: &mut TenantTx) {
    tx.put_organization(&organization()).await.unwrap();
    tx.add_organization_member(&organization().id, &user_id(), now()).await.unwrap();
    tx.add_organization_member(&organization().id, &user_id(), at(1)).await.unwrap();
    tx.add_organization_role(&organization().id, &user_id(), &RoleId::new("rol_2")).await.unwrap();
    tx.add_organization_role(&organization().id, &user_id(), &RoleId::new("rol_2")).await.unwrap();
    tx.put_organization_connection(&organization().id, &organization_connection()).await.unwrap();
    for group in groups() {
        tx.put_group(&group).await.unwrap();
        tx.add_group_member(&group.id, &user_id(), now()).await.unwrap();
        tx.add_group_member(&group.id, &user_id(), at(1)).await.unwrap();
        tx.add_group_role(&group.id, &RoleId::new("rol_1")).await.unwrap();
        tx.add_group_role(&group.id, &RoleId::new("rol_1")).await.unwrap();
    }
    tx.put_login_history(&user_id(), &login_history()).unwrap();
}

pub async fn check(tx: &mut TenantTx) {
    let names = |roles: Vec<Role>| roles.into_iter().map(|role| role.name).collect::<Vec<_>>();
    assert_eq!(names(tx.roles("", 10, 0).await.unwrap()), ["admin", "writer"]);
    assert_eq!(tx.role_by_name("admin").await.unwrap().unwrap().id, RoleId::new("rol_2"));
    let globex = organization();
    assert_eq!(tx.organization(&globex.id).await.unwrap(), Some(globex.clone()));
    assert_eq!(tx.organization_by_name("globex").await.unwrap(), Some(globex.clone()));
    assert_eq!(tx.organizations("", 10, 0).await.unwrap(), std::slice::from_ref(&globex));
    assert!(tx.organizations("globex", 10, 0).await.unwrap().is_empty());
    assert!(tx.organizations("", 10, 1).await.unwrap().is_empty());
    assert_eq!(tx.count_organizations().await.unwrap(), 1);
    assert_eq!(tx.organizations_of(&user_id(), 10, 0).await.unwrap(), std::slice::from_ref(&globex));
    assert_eq!(tx.count_organizations_of(&user_id()).await.unwrap(), 1);
    assert_eq!(tx.organization_connections(&globex.id).await.unwrap(), [organization_connection()]);
    let of_member = tx.organization_of_member(&globex.id, &user_id()).await.unwrap();
    assert_eq!(of_member, Some(globex.clone()));
    assert_eq!(tx.organization_of_member(&globex.id, &UserId::new("auth0|x")).await.unwrap(), None);
    assert_eq!(tx.organization_members(&globex.id, "", 10, 0).await.unwrap(), [user()]);
    assert!(tx.organization_members(&globex.id, user_id().as_str(), 10, 0).await.unwrap().is_empty());
    assert_eq!(tx.count_organization_members(&globex.id).await.unwrap(), 1);
    assert_eq!(names(tx.organization_roles_of(&globex.id, &user_id()).await.unwrap()), ["admin"]);
    assert_eq!(tx.groups().await.unwrap(), groups());
    assert_eq!(tx.group(&groups()[1].id).await.unwrap(), Some(groups()[1].clone()));
    assert_eq!(tx.group_members(&groups()[0].id).await.unwrap(), [user_id()]);
    let after_first = tx.groups_of(&user_id(), "grp_1", 1).await.unwrap();
    assert_eq!(after_first, [Membership { group: groups()[1].clone(), since: now() }]);
    let [tenant, organization, connection] = groups().map(|group| group.scope);
    let other = GroupScope::Organization { organization_id: OrganizationId::new("org_2") };
    for (scopes, found) in
        [([&tenant, &connection], 1), ([&organization, &organization], 1), ([&other, &other], 0)]
    {
        assert_eq!(tx.roles_by_groups(&user_id(), scopes).await.unwrap().len(), found, "{scopes:?}");
    }
    assert_eq!(tx.login_history(&user_id()).await.unwrap(), Some(login_history()));
}

/// In a transaction of the other tenant.
pub async fn check_hidden(tx: &mut TenantTx) {
    assert!(tx.roles("", 10, 0).await.unwrap().is_empty());
    assert_eq!(tx.role(&RoleId::new("rol_1")).await.unwrap(), None);
    assert!(!tx.delete_role(&RoleId::new("rol_1")).await.unwrap());
    assert_eq!(tx.organization(&organization().id).await.unwrap(), None);
    assert_eq!(tx.organization_by_name("globex").await.unwrap(), None);
    assert!(tx.organizations("", 10, 0).await.unwrap().is_empty());
    assert!(tx.organizations_of(&user_id(), 10, 0).await.unwrap().is_empty());
    assert!(tx.organization_members(&organization().id, "", 10, 0).await.unwrap().is_empty());
    assert!(tx.organization_connections(&organization().id).await.unwrap().is_empty());
    assert!(!tx.remove_organization_connection(&organization().id, &connection_id()).await.unwrap());
    assert_eq!(tx.organization_of_member(&organization().id, &user_id()).await.unwrap(), None);
    assert!(tx.organization_roles_of(&organization().id, &user_id()).await.unwrap().is_empty());
    assert!(tx.groups().await.unwrap().is_empty());
    assert!(tx.groups_of(&user_id(), "", 9).await.unwrap().is_empty());
    let scope = &GroupScope::Tenant;
    assert!(tx.roles_by_groups(&user_id(), [scope, scope]).await.unwrap().is_empty());
    assert_eq!(tx.login_history(&user_id()).await.unwrap(), None);
    tx.put_login_history(&user_id(), &LoginHistory::default()).unwrap();
    assert!(!tx.remove_organization_member(&organization().id, &user_id()).await.unwrap());
    assert!(!tx.delete_organization(&organization().id).await.unwrap());
    assert!(!tx.remove_group_member(&groups()[0].id, &user_id()).await.unwrap());
    assert!(!tx.delete_group(&groups()[0].id).await.unwrap());
}
