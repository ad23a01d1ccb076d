//! Roles, permissions, grants and the passwords before: parts of the contract's tests.

use model::{
    ClientId, ConnectionId, LogoutInitiator::RpLogout, OrganizationId, Permission, RefreshTokenId, RoleId,
    SessionId, User, UserId,
};

use super::contract::fill;
use super::fixtures::*;
use crate::{
    ConsentKey, Consents, PermissionHolder, RefreshTokens, Sessions, Storage, TokenFilter, UserGrant,
};

pub fn permission(name: &str) -> Permission {
    Permission { resource_server_identifier: resource_server().identifier, permission_name: name.to_owned() }
}

pub async fn roles_are_listed_by_name_and_their_users_by_id(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    for (id, name) in [("rol_3", "100%"), ("rol_4", "a_b"), ("rol_5", "Admin of all")] {
        tx.put_role(&role(id, name)).await.unwrap();
    }
    let all = ["100%", "Admin of all", "a_b", "admin", "writer"];
    for (has, limit, offset, found) in [
        ("", 10, 0, &all[..]),
        ("", 2, 1, &all[1..3]),
        ("ADMIN", 10, 0, &["Admin of all", "admin"]),
        ("%", 10, 0, &["100%"]),
        ("_", 10, 0, &["a_b"]),
        ("\\", 10, 0, &[]),
    ] {
        let names: Vec<_> =
            tx.roles(has, limit, offset).await.unwrap().into_iter().map(|role| role.name).collect();
        assert_eq!(names, found, "{has}");
    }
    assert_eq!(tx.count_roles("admin").await.unwrap(), 2);
    assert_eq!(tx.role(&RoleId::new("rol_3")).await.unwrap(), Some(role("rol_3", "100%")));
    let error = tx.put_role(&role("rol_9", "writer")).await;
    assert!(error.unwrap_err().is_conflict());
    drop(tx);

    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    let mut others = user();
    for name in ["b", "a"] {
        others.user_id = UserId::new(name);
        others.email = Some(format!("{name}@acme.test"));
        others.username = None;
        tx.put_user(&others).await.unwrap();
        tx.assign_role(&others.user_id, &RoleId::new("rol_1")).await.unwrap();
    }
    let writer = RoleId::new("rol_1");
    for (after, limit, offset, found) in [
        ("", 10, 0, &["a", user_id().as_str(), "b"][..]),
        ("a", 1, 0, &[user_id().as_str()]),
        ("", 10, 2, &["b"]),
    ] {
        let ids: Vec<_> = tx
            .users_with_role(&writer, after, limit, offset)
            .await
            .unwrap()
            .into_iter()
            .map(|user| user.user_id.as_str().to_owned())
            .collect();
        assert_eq!(ids, found);
    }
    assert_eq!(tx.count_users_with_role(&writer).await.unwrap(), 3);
    assert!(tx.delete_role(&writer).await.unwrap());
    assert!(!tx.delete_role(&writer).await.unwrap());
    assert_eq!(tx.roles_of(&others.user_id).await.unwrap(), []);
    assert_eq!(tx.count_users_with_role(&writer).await.unwrap(), 0);
}

pub async fn permissions_are_held_by_roles_and_users_and_end_with_their_scope(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    let (role, user, api) = (RoleId::new("rol_1"), user_id(), resource_server().identifier);
    let (of_role, of_user) = (PermissionHolder::Role(&role), PermissionHolder::User(&user));
    for (holder, names) in [(of_role, ["write", "read"]), (of_user, ["read", "read"])] {
        for name in names {
            tx.add_permission(holder, &permission(name)).await.unwrap();
        }
    }
    let both = [permission("read"), permission("write")];
    assert_eq!(tx.permissions_of(of_role, 10, 0).await.unwrap(), both);
    assert_eq!(tx.permissions_of(of_role, 1, 1).await.unwrap(), both[1..]);
    assert_eq!(tx.permissions_of(of_user, 10, 0).await.unwrap(), both[..1]);
    assert_eq!(tx.count_permissions_of(of_role).await.unwrap(), 2);
    tx.keep_permissions(&api, &["write".to_owned()]).await.unwrap();
    assert_eq!(tx.permissions_of(of_role, 10, 0).await.unwrap(), both[1..]);
    assert_eq!(tx.count_permissions_of(of_user).await.unwrap(), 0);
    assert!(tx.remove_permission(of_role, &permission("write")).await.unwrap());
    assert!(!tx.remove_permission(of_role, &permission("write")).await.unwrap());

    // They go with who has them.
    tx.add_permission(of_role, &permission("read")).await.unwrap();
    tx.add_permission(of_user, &permission("read")).await.unwrap();
    assert!(tx.delete_role(&role).await.unwrap());
    assert!(tx.delete_user(&user).await.unwrap());
    assert_eq!(tx.count_permissions_of(of_role).await.unwrap(), 0);
    assert_eq!(tx.count_permissions_of(of_user).await.unwrap(), 0);
}

pub async fn permissions_at_an_api_are_those_that_count_in_the_login(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    let (user, api, globex) = (user_id(), resource_server().identifier, organization().id);
    let ids = ["direct", "of_user", "of_tenant", "of_connection", "of_organization", "of_member"];
    for id in ids {
        tx.put_role(&role(id, id)).await.unwrap();
        let role = RoleId::new(id);
        for name in [id, "of_all"] {
            tx.add_permission(PermissionHolder::Role(&role), &permission(name)).await.unwrap();
        }
        let mut elsewhere = permission("of_another_api");
        elsewhere.resource_server_identifier = "https://other.test/".to_owned();
        tx.add_permission(PermissionHolder::Role(&role), &elsewhere).await.unwrap();
    }
    let id = RoleId::new;
    tx.add_permission(PermissionHolder::User(&user), &permission("direct")).await.unwrap();
    tx.assign_role(&user, &id("of_user")).await.unwrap();
    tx.add_organization_role(&globex, &user, &id("of_member")).await.unwrap();
    let [tenant, of_globex, connection] = groups();
    for (group, role) in
        [(&tenant, "of_tenant"), (&of_globex, "of_organization"), (&connection, "of_connection")]
    {
        tx.add_group_role(&group.id, &id(role)).await.unwrap();
    }
    let other = ConnectionId::new("con_other");
    for (connection, organization, found) in [
        (&connection_id(), None, &["direct", "of_all", "of_connection", "of_tenant", "of_user"][..]),
        (&other, None, &["direct", "of_all", "of_tenant", "of_user"]),
        (&connection_id(), Some(&globex), &["of_all", "of_member", "of_organization"]),
        (&connection_id(), Some(&OrganizationId::new("org_other")), &[]),
    ] {
        assert_eq!(tx.permissions_at(&user, &api, connection, organization).await.unwrap(), found);
    }
    let nobody = UserId::new("nobody");
    assert!(tx.permissions_at(&nobody, &api, &connection_id(), None).await.unwrap().is_empty());
    assert!(tx.permissions_at(&user, "none", &connection_id(), None).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let mut tx = storage.begin(&super::fixtures::other()).await.unwrap();
    let of_other = tx.permissions_at(&user, &api, &connection_id(), None).await.unwrap();
    assert!(of_other.is_empty(), "another tenant's");
}

pub async fn the_last_passwords_are_remembered_and_go_with_the_user(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    let user = user_id();
    assert!(tx.passwords_before(&user, 24).await.unwrap().is_empty());
    for (hash, size, kept) in [
        ("one", 2, &["one"][..]),
        ("two", 2, &["two", "one"]),
        ("three", 2, &["three", "two"]),
        ("four", 1, &["four"]),
        ("five", 24, &["five", "four"]),
        ("six", 0, &[]),
        ("seven", 24, &["seven"]),
        ("eight", 24, &["eight", "seven"]),
    ] {
        tx.remember_password(&user, hash, size).await.unwrap();
        assert_eq!(tx.passwords_before(&user, 24).await.unwrap(), kept);
    }
    assert_eq!(tx.passwords_before(&user, 1).await.unwrap(), ["eight"]);
    tx.forget_passwords(&user).await.unwrap();
    assert!(tx.passwords_before(&user, 24).await.unwrap().is_empty());
    tx.remember_password(&user, "nine", 24).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = storage.begin(&super::fixtures::other()).await.unwrap();
    assert!(tx.passwords_before(&user, 24).await.unwrap().is_empty(), "another tenant's");
    drop(tx);
    let mut tx = storage.begin(&acme()).await.unwrap();
    assert!(tx.delete_user(&user).await.unwrap());
    assert!(tx.passwords_before(&user, 24).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}

pub async fn a_grant_is_what_lives_of_a_users_refresh_tokens(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for id in ["alive", "ended"] {
        tx.insert_session(&session(id, None), id, ISSUER).await.unwrap();
    }
    // id, user, client, API, scope, session that it is bound to, whether it is online
    let tokens = [
        ("rt_1", "ann", "app", Some("api"), "read", None, false),
        ("rt_2", "ann", "app", Some("api"), "write", None, false),
        ("rt_3", "ann", "app", None, "openid", None, false),
        ("rt_4", "ann", "site", Some("api"), "read", Some("alive"), true),
        ("rt_5", "bob", "app", Some("api"), "read", None, false),
        ("rt_6", "bob", "site", Some("api"), "read", Some("ended"), false),
        ("rt_7", "cyd", "app", Some("api"), "read", None, false),
    ];
    for (id, user, client, api, scope, bound_to, online) in tokens {
        let mut token = refresh_token(id);
        token.user_id = UserId::new(user);
        token.client_id = ClientId::new(client);
        token.audience = api.map(str::to_owned);
        token.scope = vec![scope.to_owned()];
        token.session_id = bound_to.map(SessionId::new);
        token.bound_to_session = bound_to.is_some();
        token.parent_refresh_token = None;
        token.online = online;
        token.rotating = id == "rt_1";
        token.revoked_at = None;
        (token.expires_at, token.idle_expires_at) = (Some(at(100)), None);
        tx.insert_refresh_token(&token, id).await.unwrap();
    }
    let ended = SessionId::new("ended");
    tx.revoke_sessions(Sessions::One(&ended), RpLogout, at(1)).await.unwrap();
    tx.revoke_refresh_tokens(RefreshTokens::One(&RefreshTokenId::new("rt_7")), RpLogout, at(1))
        .await
        .unwrap();

    let grant = |user: &str, client: &str, audience: Option<&str>, scope: &[&str]| UserGrant {
        user_id: UserId::new(user),
        client_id: ClientId::new(client),
        audience: audience.map(str::to_owned),
        organization_id: None,
        scope: scope.iter().map(|&name| name.to_owned()).collect(),
    };
    let all = [
        grant("ann", "app", Some("api"), &["read", "write"]),
        grant("ann", "app", None, &["openid"]),
        grant("ann", "site", Some("api"), &["read"]),
        grant("bob", "app", Some("api"), &["read"]),
    ];
    let (ann, app) = (UserId::new("ann"), ClientId::new("app"));
    let none = TokenFilter::default();
    let of_ann = TokenFilter { user: Some(&ann), ..none };
    for (filter, found) in [
        (none, &all[..]),
        (of_ann, &all[..3]),
        (TokenFilter { client: Some(&app), ..of_ann }, &all[..2]),
        (TokenFilter { audience: Some(None), ..none }, &all[1..2]),
        (TokenFilter { audience: Some(Some("api")), client: Some(&app), ..of_ann }, &all[..1]),
        (TokenFilter { audience: Some(Some("any")), ..none }, &[]),
    ] {
        assert_eq!(tx.user_grants(filter, 10, 0, at(2)).await.unwrap(), found, "{filter:?}");
        let count = tx.count_user_grants(filter, at(2)).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), found.len(), "{filter:?}");
    }
    assert_eq!(tx.user_grants(none, 2, 1, at(2)).await.unwrap(), all[1..3]);
    assert!(tx.user_grants(none, 10, 0, at(100)).await.unwrap().is_empty(), "all have ended");

    tx.put_connection(&connection()).await.unwrap();
    tx.put_user(&User { user_id: ann.clone(), ..user() }).await.unwrap();
    // A consent stands for the tokens: what was agreed to, not what was issued. Each organization has its own.
    let globex = OrganizationId::new("org_globex");
    let of = |organization| ConsentKey { user: &ann, client: &app, audience: Some("api"), organization };
    let read = ["read".to_owned()];
    for (organization, scope) in [(None, &all[0].scope), (Some(&globex), &all[3].scope)] {
        assert_eq!(tx.consent(of(organization)).await.unwrap(), None);
        assert_eq!(tx.use_consent(of(organization), at(2)).await.unwrap(), None);
        tx.put_consent(of(organization), &read, at(2)).await.unwrap();
        tx.put_consent(of(organization), scope, at(3)).await.unwrap();
        assert_eq!(tx.consent(of(organization)).await.unwrap().as_ref(), Some(scope));
        assert_eq!(tx.use_consent(of(organization), at(4)).await.unwrap().as_ref(), Some(scope));
    }
    let in_globex = UserGrant { organization_id: Some(globex.clone()), ..all[3].clone() };
    let in_globex = UserGrant { user_id: ann.clone(), ..in_globex };
    // By the moment at which they began.
    let with_consents = [all[1].clone(), all[0].clone(), in_globex.clone(), all[2].clone(), all[3].clone()];
    assert_eq!(tx.user_grants(none, 10, 0, at(2)).await.unwrap(), with_consents);
    assert_eq!(tx.user_grants(none, 2, 1, at(2)).await.unwrap(), with_consents[1..3]);
    for (filter, found) in [
        (none, 5),
        (of_ann, 4),
        (TokenFilter { client: Some(&app), ..of_ann }, 3),
        (TokenFilter { audience: Some(Some("api")), client: Some(&app), ..none }, 3),
        (TokenFilter { audience: Some(None), ..of_ann }, 1),
    ] {
        assert_eq!(tx.user_grants(filter, 10, 0, at(2)).await.unwrap().len(), found, "{filter:?}");
        let count = tx.count_user_grants(filter, at(2)).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), found, "{filter:?}");
    }
    assert_eq!(tx.user_grants(none, 10, 0, at(100)).await.unwrap().len(), 2, "consents do not end");
    let of_site = Consents::OfGrant(&ann, &ClientId::new("site"), Some("api"));
    assert_eq!(tx.delete_consents(of_site).await.unwrap(), 0);
    assert_eq!(tx.delete_consents(Consents::OfGrant(&ann, &app, None)).await.unwrap(), 0);
    assert_eq!(tx.delete_consents(Consents::OfGrant(&ann, &app, Some("api"))).await.unwrap(), 2);
    tx.put_consent(of(None), &read, at(2)).await.unwrap();
    assert_eq!(tx.delete_consents(Consents::OfUser(&UserId::new("bob"))).await.unwrap(), 0);
    assert_eq!(tx.delete_consents(Consents::OfUser(&ann)).await.unwrap(), 1);
    assert_eq!(tx.user_grants(none, 10, 0, at(2)).await.unwrap(), all);

    let ids = |tokens: Vec<model::RefreshToken>| {
        tokens.into_iter().map(|token| token.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    let rotating = TokenFilter { rotating: Some(true), ..of_ann };
    for (filter, found) in [
        (none, &["rt_1", "rt_2", "rt_3", "rt_5"][..]),
        (of_ann, &["rt_1", "rt_2", "rt_3"]),
        (rotating, &["rt_1"]),
    ] {
        assert_eq!(ids(tx.offline_refresh_tokens(filter, 10, 0, at(2)).await.unwrap()), found);
        let count = tx.count_offline_refresh_tokens(filter, at(2)).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), found.len());
    }
    let first = tx.refresh_tokens_of(&ann, Some(&app), None, 2, at(2)).await.unwrap();
    let after = first.last().map(|token| (token.created_at, token.id.clone())).unwrap();
    assert_eq!(ids(first), ["rt_1", "rt_2"]);
    let after = Some((after.0, &after.1));
    assert_eq!(ids(tx.refresh_tokens_of(&ann, None, after, 2, at(2)).await.unwrap()), ["rt_3"]);
    assert_eq!(tx.count_refresh_tokens_of(&ann, Some(&app), at(2)).await.unwrap(), 3);
    tx.commit().await.unwrap();
    let mut tx = storage.begin(&other()).await.unwrap();
    assert!(tx.user_grants(none, 10, 0, at(2)).await.unwrap().is_empty(), "another tenant's");
    assert!(tx.offline_refresh_tokens(of_ann, 10, 0, at(2)).await.unwrap().is_empty(), "another tenant's");
}
