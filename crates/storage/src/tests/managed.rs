//! What people see of clients, APIs, grants, connections and tenants: parts of the contract's tests.

use model::{
    Client, ClientGrant, ClientGrantProfile, ClientId, ClientProfile, ComplianceLevel, Connection,
    ConnectionId, ConnectionProfile, DefaultFor, JwtConfiguration, ManagedClient, ManagedClientGrant,
    ManagedConnection, ManagedResourceServer, RedirectionPolicy, ResourceServer, ResourceServerProfile,
    SignedRequestObject, SigningAlgorithm, SubjectType, TenantProfile, ThirdPartySecurityMode, TokenQuota,
    TokenQuotaLimits,
};

use super::fixtures::*;
use crate::statement::Statement;
use crate::{ClientFilter, ClientGrantFilter, ConnectionFilter, DatabaseKind, Storage, TenantTx};

const API: &str = "https://api.acme.test/";

fn client_profile() -> ClientProfile {
    ClientProfile { description: Some("What it is".to_owned()), sso: Some(true), ..Default::default() }
}

pub async fn fill(tx: &mut TenantTx) {
    tx.put_client_profile(&client_id(), &client_profile(), at(5)).await.unwrap();
    let api = ResourceServerProfile { token_lifetime_for_web: Some(60), ..Default::default() };
    tx.put_resource_server_profile(API, "0123", &api).await.unwrap();
    tx.put_resource_server_profile(API, "its id stays", &api).await.unwrap();
    // Its id stays.
    let again = ManagedClientGrant { id: "cgr_2".to_owned(), ..managed_client_grant() };
    tx.put_client_grant(&again).await.unwrap();
    assert!(tx.add_organization_client_grant(&organization().id, "cgr_1").await.unwrap());
    assert!(!tx.add_organization_client_grant(&organization().id, "cgr_1").await.unwrap());
    let connection = ConnectionProfile { display_name: Some("Ours".to_owned()), ..Default::default() };
    tx.put_connection_profile(&connection_id(), &connection).await.unwrap();
}

pub async fn check(tx: &mut TenantTx) {
    let managed =
        ManagedClient { client: client(), profile: client_profile(), created_at: at(5), updated_at: at(5) };
    assert_eq!(tx.managed_client(&client_id()).await.unwrap(), Some(managed.clone()));
    let all = ClientFilter::default();
    assert_eq!(tx.managed_clients(&all, 0, 10).await.unwrap(), std::slice::from_ref(&managed));
    assert!(tx.managed_clients(&all, 1, 10).await.unwrap().is_empty());
    assert_eq!(tx.managed_clients_after(&all, (at(4), &client_id()), 10).await.unwrap(), [managed]);
    assert!(tx.managed_clients_after(&all, (at(5), &client_id()), 10).await.unwrap().is_empty());
    assert_eq!(tx.count_clients(&all).await.unwrap(), 1);
    let api = ManagedResourceServer {
        id: "0123".to_owned(),
        server: resource_server(),
        profile: ResourceServerProfile { token_lifetime_for_web: Some(60), ..Default::default() },
    };
    for id in ["0123", API] {
        assert_eq!(tx.managed_resource_server(id).await.unwrap(), Some(api.clone()), "{id}");
    }
    assert_eq!(tx.managed_resource_servers(0, 10).await.unwrap(), [api]);
    assert_eq!(tx.count_resource_servers().await.unwrap(), 1);
    let grant = managed_client_grant();
    assert_eq!(tx.client_grant_by_id("cgr_1").await.unwrap(), Some(grant.clone()));
    let id = organization().id;
    assert!(tx.has_organization_client_grant(&id, "cgr_1").await.unwrap());
    assert!(!tx.has_organization_client_grant(&id, "cgr_2").await.unwrap());
    assert_eq!(tx.organization_client_grants(&id).await.unwrap(), std::slice::from_ref(&grant));
    for (client, audience, found) in [
        (None, None, 1),
        (Some(client_id()), None, 1),
        (None, Some(API), 1),
        (Some(client_id()), Some("urn:other"), 0),
        (Some(ClientId::new("x")), None, 0),
        (None, Some("urn:other"), 0),
    ] {
        let filter = ClientGrantFilter { client: client.as_ref(), audience, ..Default::default() };
        let grants = tx.client_grants(filter, None, 0, 10).await.unwrap();
        assert_eq!(grants, vec![grant.clone(); found], "{filter:?}");
    }
    let connection = ManagedConnection {
        connection: connection(),
        profile: ConnectionProfile { display_name: Some("Ours".to_owned()), ..Default::default() },
    };
    assert_eq!(tx.managed_connection(&connection_id()).await.unwrap(), Some(connection.clone()));
    assert_eq!(tx.managed_connections(ConnectionFilter::default(), "", 0, 10).await.unwrap(), [connection]);
    assert!(tx.connection_has_users(&connection_id()).await.unwrap());
    assert_eq!(tx.tenant().await.unwrap().unwrap().1, TenantProfile::default());
}

/// In a transaction of the other tenant.
pub async fn check_hidden(tx: &mut TenantTx) {
    let all = ClientFilter::default();
    assert_eq!(tx.managed_client(&client_id()).await.unwrap(), None);
    assert!(tx.managed_clients(&all, 0, 10).await.unwrap().is_empty());
    assert!(tx.managed_clients_after(&all, (at(0), &ClientId::new("")), 10).await.unwrap().is_empty());
    assert_eq!(tx.count_clients(&all).await.unwrap(), 0);
    assert_eq!(tx.managed_resource_server("0123").await.unwrap(), None);
    assert!(tx.managed_resource_servers(0, 10).await.unwrap().is_empty());
    assert_eq!(tx.client_grant_by_id("cgr_1").await.unwrap(), None);
    let organization = organization().id;
    assert!(!tx.has_organization_client_grant(&organization, "cgr_1").await.unwrap());
    assert!(tx.organization_client_grants(&organization).await.unwrap().is_empty());
    assert!(!tx.remove_organization_client_grant(&organization, "cgr_1").await.unwrap());
    for (client, audience) in [(None, None), (Some(client_id()), None), (None, Some(API))] {
        let filter = ClientGrantFilter { client: client.as_ref(), audience, ..Default::default() };
        assert!(tx.client_grants(filter, None, 0, 10).await.unwrap().is_empty());
        assert_eq!(tx.count_client_grants(filter).await.unwrap(), 0);
    }
    assert_eq!(tx.managed_connection(&connection_id()).await.unwrap(), None);
    let all = ConnectionFilter::default();
    assert!(tx.managed_connections(all, "", 0, 10).await.unwrap().is_empty());
    assert_eq!(tx.count_connections(all).await.unwrap(), 0);
    assert!(!tx.connection_has_users(&connection_id()).await.unwrap());
    tx.put_client_profile(&client_id(), &ClientProfile::default(), now()).await.unwrap();
    tx.put_resource_server_profile(API, "mine", &ResourceServerProfile::default()).await.unwrap();
    tx.put_connection_profile(&connection_id(), &ConnectionProfile::default()).await.unwrap();
    assert!(!tx.delete_client(&client_id()).await.unwrap());
    assert!(!tx.delete_resource_server(API).await.unwrap());
    assert!(!tx.delete_client_grant("cgr_1").await.unwrap());
    assert!(!tx.delete_connection(&connection_id()).await.unwrap());
}

/// What is not called by [`check`], for the test of query plans: it removes what is there.
pub async fn remove(tx: &mut TenantTx) {
    let (tenant, profile) = tx.tenant().await.unwrap().unwrap();
    tx.put_tenant(&tenant, &profile).await.unwrap();
    // It went with the organization.
    assert!(!tx.remove_organization_client_grant(&organization().id, "cgr_1").await.unwrap());
    assert!(tx.delete_client_grant("cgr_1").await.unwrap());
    assert!(tx.delete_resource_server(API).await.unwrap());
    assert!(tx.delete_client(&client_id()).await.unwrap());
    assert!(tx.delete_connection(&connection_id()).await.unwrap());
}

pub async fn clients_are_listed_in_pages_and_filtered(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for (number, name, app_type, is_first_party) in [
        (3, "Third \\", model::AppType::Spa, true),
        (1, "First 100%", model::AppType::Native, true),
        (2, "SECOND", model::AppType::RegularWeb, false),
        (4, "First_again", model::AppType::NonInteractive, true),
    ] {
        let id = ClientId::new(format!("c{number}"));
        let client =
            Client { client_id: id.clone(), name: name.to_owned(), app_type, is_first_party, ..client() };
        tx.put_client(&client).await.unwrap();
        tx.put_client_profile(&id, &ClientProfile::default(), at(number)).await.unwrap();
    }
    // A change leaves it in its place.
    tx.put_client_profile(&ClientId::new("c1"), &ClientProfile::default(), at(9)).await.unwrap();
    for (filter, expected) in [
        (ClientFilter::default(), &["c1", "c2", "c3", "c4"][..]),
        (
            ClientFilter { app_types: vec!["spa".into(), "native".into()], ..Default::default() },
            &["c1", "c3"],
        ),
        (ClientFilter { app_types: vec!["_".into()], ..Default::default() }, &[]),
        (ClientFilter { is_first_party: Some(false), ..Default::default() }, &["c2"]),
        (ClientFilter { name_part: Some("first".into()), ..Default::default() }, &["c1", "c4"]),
        (ClientFilter { name_part: Some("%".into()), ..Default::default() }, &["c1"]),
        (ClientFilter { name_part: Some("T_a".into()), ..Default::default() }, &["c4"]),
        (
            ClientFilter {
                name_part: Some("econd".into()),
                is_first_party: Some(true),
                ..Default::default()
            },
            &[],
        ),
    ] {
        let ids = |clients: Vec<ManagedClient>| -> Vec<String> {
            clients.into_iter().map(|known| known.client.client_id.to_string()).collect()
        };
        assert_eq!(ids(tx.managed_clients(&filter, 0, 10).await.unwrap()), expected, "{filter:?}");
        assert_eq!(tx.count_clients(&filter).await.unwrap(), i64::try_from(expected.len()).unwrap());
        let (mut paged, mut after) = (Vec::new(), (at(0), ClientId::new("")));
        loop {
            let page = tx.managed_clients_after(&filter, (after.0, &after.1), 1).await.unwrap();
            let Some(last) = page.last() else { break };
            after = (last.created_at, last.client.client_id.clone());
            paged.extend(ids(page));
        }
        assert_eq!(paged, expected, "{filter:?}");
    }
}

pub async fn client_grants_are_listed_in_pages_and_filtered(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let (a, b) = (ClientId::new("a"), ClientId::new("b"));
    // Neither the order of the clients nor that of the APIs is the one in which they were made.
    let users = ClientGrantProfile { subject_type: Some(SubjectType::User), ..Default::default() };
    let any = ClientGrantProfile { allow_any_organization: Some(true), ..Default::default() };
    for (id, client, audience, profile) in [
        ("cgr_1", Some(&b), "urn:y", &ClientGrantProfile::default()),
        ("cgr_3", Some(&a), "urn:y", &ClientGrantProfile::default()),
        ("cgr_2", Some(&b), "urn:x", &any),
        ("cgr_4", Some(&a), "urn:z", &ClientGrantProfile::default()),
        ("cgr_5", Some(&a), "urn:y", &users),
        ("cgr_6", None, "urn:y", &users),
        ("cgr_7", None, "urn:z", &ClientGrantProfile::default()),
    ] {
        let grant =
            ClientGrant { client_id: client.cloned(), audience: audience.to_owned(), scope: Vec::new() };
        let managed = ManagedClientGrant { id: id.to_owned(), grant, profile: profile.clone() };
        tx.put_client_grant(&managed).await.unwrap();
    }
    let found = tx.client_grant(Some(&a), "urn:y", SubjectType::User).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.grant.audience.as_str()), ("cgr_5", "urn:y"));
    let found = tx.client_grant(None, "urn:z", SubjectType::Client).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.grant.client_id), ("cgr_7", None));
    assert_eq!(tx.client_grant(None, "urn:z", SubjectType::User).await.unwrap(), None);
    let (own, of_users) = (Some(SubjectType::Client), Some(SubjectType::User));
    for (client, audience, subject_type, allow_any_organization, expected) in [
        (None, None, None, None, &["cgr_1", "cgr_2", "cgr_3", "cgr_4", "cgr_5", "cgr_6", "cgr_7"][..]),
        (Some(&a), None, None, None, &["cgr_3", "cgr_4", "cgr_5"]),
        (Some(&b), None, None, None, &["cgr_1", "cgr_2"]),
        (None, Some("urn:y"), None, None, &["cgr_1", "cgr_3", "cgr_5", "cgr_6"]),
        (None, Some("urn:y"), own, None, &["cgr_1", "cgr_3"]),
        (Some(&a), Some("urn:y"), of_users, None, &["cgr_5"]),
        (None, None, of_users, None, &["cgr_5", "cgr_6"]),
        (None, None, None, Some(true), &["cgr_2"]),
        (Some(&b), None, None, Some(false), &["cgr_1"]),
        (Some(&b), Some("urn:z"), None, None, &[]),
    ] {
        let filter =
            ClientGrantFilter { client, audience, subject_type, allow_any_organization, default_for: None };
        assert_eq!(tx.count_client_grants(filter).await.unwrap(), i64::try_from(expected.len()).unwrap());
        let (mut by_number, mut by_place, mut after) = (Vec::new(), Vec::new(), String::new());
        for offset in 0.. {
            let page = tx.client_grants(filter, None, offset, 1).await.unwrap();
            let Some(one) = page.first() else { break };
            by_number.push(one.id.clone());
        }
        while let Some(one) = tx.client_grants(filter, Some(&after), 0, 1).await.unwrap().pop() {
            after.clone_from(&one.id);
            by_place.push(one.id);
        }
        assert_eq!(by_number, expected, "{filter:?}");
        assert_eq!(by_place, expected, "{filter:?}");
    }
    let defaults =
        ClientGrantFilter { default_for: Some(DefaultFor::ThirdPartyClients), ..Default::default() };
    let ids = |found: Vec<ManagedClientGrant>| found.into_iter().map(|grant| grant.id).collect::<Vec<_>>();
    assert_eq!(tx.count_client_grants(defaults).await.unwrap(), 2);
    assert_eq!(ids(tx.client_grants(defaults, None, 0, 9).await.unwrap()), ["cgr_6", "cgr_7"]);
    let for_one = ClientGrantFilter { audience: Some("urn:z"), ..defaults };
    assert_eq!(ids(tx.client_grants(for_one, None, 0, 9).await.unwrap()), ["cgr_7"]);
    let of_nobody = ClientGrantFilter { client: Some(&a), ..defaults };
    assert_eq!(ids(tx.client_grants(of_nobody, None, 0, 9).await.unwrap()), [""; 0]);
    // An API takes both of a client's grants with it.
    assert!(tx.delete_client_grant("cgr_5").await.unwrap());
    assert!(!tx.delete_client_grant("cgr_5").await.unwrap());
    assert!(tx.client_grant(Some(&a), "urn:y", SubjectType::Client).await.unwrap().is_some());
}

pub async fn connections_are_listed_in_pages_and_filtered(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let (app, other) = (ClientId::new("app \u{e9}"), ClientId::new("other"));
    for (id, name, strategy, clients) in [
        ("con_1", "b", "auth0", vec![app.clone(), other.clone()]),
        ("con_2", "a", "auth0", vec![]),
        ("con_3", "B", "samlp", vec![app.clone()]),
    ] {
        let connection = Connection {
            id: ConnectionId::new(id),
            name: name.to_owned(),
            strategy: strategy.to_owned(),
            enabled_clients: clients,
            ..connection()
        };
        tx.put_connection(&connection).await.unwrap();
    }
    let (databases, both) = (["auth0".to_owned()], ["auth0".to_owned(), "samlp".to_owned()]);
    let all = ConnectionFilter::default();
    for (filter, expected) in [
        // By the bytes of their names, whatever the database's language.
        (all, &["B", "a", "b"][..]),
        (ConnectionFilter { strategies: &databases, ..all }, &["a", "b"]),
        (ConnectionFilter { strategies: &both, ..all }, &["B", "a", "b"]),
        (ConnectionFilter { name: Some("b"), ..all }, &["b"]),
        (ConnectionFilter { client: Some(&app), ..all }, &["B", "b"]),
        (ConnectionFilter { client: Some(&other), strategies: &databases, name: Some("b") }, &["b"]),
        (ConnectionFilter { client: Some(&other), name: Some("a"), ..all }, &[]),
        (ConnectionFilter { client: Some(&ClientId::new("app")), ..all }, &[]),
    ] {
        assert_eq!(tx.count_connections(filter).await.unwrap(), i64::try_from(expected.len()).unwrap());
        let (mut by_number, mut by_place, mut after) = (Vec::new(), Vec::new(), String::new());
        for offset in 0.. {
            let page = tx.managed_connections(filter, "", offset, 1).await.unwrap();
            let Some(one) = page.first() else { break };
            by_number.push(one.connection.name.clone());
        }
        while let Some(one) = tx.managed_connections(filter, &after, 0, 1).await.unwrap().pop() {
            after.clone_from(&one.connection.name);
            by_place.push(one.connection.name);
        }
        assert_eq!(by_number, expected, "{filter:?}");
        assert_eq!(by_place, expected, "{filter:?}");
    }
}

/// A client and an API of versions in which `par_request_expiry`, some others, and algorithms had no effect.
pub async fn what_gets_an_effect_is_moved_to_what_a_client_is(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let unset = Client { client_id: ClientId::new("unset"), is_first_party: true, ..client() };
    let other = Client { client_id: ClientId::new("other"), ..client() };
    for client in [&client(), &unset, &other] {
        tx.put_client(client).await.unwrap();
        tx.put_client_profile(&client.client_id, &client_profile(), at(5)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let profile = r#"{"description":"\u0000 \"par_request_expiry\":7","par_request_expiry":60,"compliance_level":"none",
        "token_quota":{"client_credentials":{"enforce":false,"per_day":3}},"signed_request_object":{"required":false},
        "third_party_security_mode":"strict","redirection_policy":"allow_always",
        "jwt_configuration":{"secret_encoded":false,"alg":"RS512"}}"#;
    let store = Statement::new("UPDATE clients SET profile = $1 WHERE id = $2");
    storage.write(&store.bind(profile).bind(client_id().as_str())).await.unwrap();
    let mut tx = storage.begin(&acme()).await.unwrap();
    for identifier in ["urn:signed", "urn:unset"] {
        let api = ResourceServer { identifier: identifier.to_owned(), ..resource_server() };
        tx.put_resource_server(&api).await.unwrap();
    }
    tx.commit().await.unwrap();
    let store = Statement::new("UPDATE resource_servers SET profile = $1 WHERE identifier = $2");
    let profile = r#"{"scope_descriptions":{"a":"\u0000 \"signing_alg\":1"},"signing_alg":"PS256"}"#;
    storage.write(&store.bind(profile).bind("urn:signed")).await.unwrap();
    let migrations = match storage.kind() {
        DatabaseKind::Sqlite => [
            include_str!("../../migrations/sqlite/0046_par_request_expiry.sql"),
            include_str!("../../migrations/sqlite/0071_client_settings_with_an_effect.sql"),
            include_str!("../../migrations/sqlite/0072_third_party_security_mode.sql"),
            include_str!("../../migrations/sqlite/0073_signing_algorithms.sql"),
        ],
        DatabaseKind::Postgres => [
            include_str!("../../migrations/postgres/0046_par_request_expiry.sql"),
            include_str!("../../migrations/postgres/0071_client_settings_with_an_effect.sql"),
            include_str!("../../migrations/postgres/0072_third_party_security_mode.sql"),
            include_str!("../../migrations/postgres/0073_signing_algorithms.sql"),
        ],
    };
    for statement in migrations.iter().flat_map(|migration| migration.split_inclusive(";\n")) {
        storage.write(&Statement::new(statement)).await.unwrap();
    }
    let mut tx = storage.begin_read(&acme()).await.unwrap();
    let limits = TokenQuotaLimits { enforce: Some(false), per_day: Some(3), per_hour: None };
    let expected = Client {
        par_request_expiry: Some(60),
        compliance_level: Some(ComplianceLevel::None),
        token_quota: Some(TokenQuota { client_credentials: Some(limits) }),
        signed_request_object: Some(SignedRequestObject { required: Some(false), credentials: None }),
        third_party_security_mode: Some(ThirdPartySecurityMode::Strict),
        redirection_policy: Some(RedirectionPolicy::AllowAlways),
        jwt_configuration: JwtConfiguration {
            alg: Some(SigningAlgorithm::Rs512),
            ..client().jwt_configuration
        },
        ..client()
    };
    assert_eq!(tx.client(&client_id()).await.unwrap(), Some(expected));
    assert_eq!(tx.client(&unset.client_id).await.unwrap(), Some(unset));
    let as_it_was =
        Client { third_party_security_mode: Some(ThirdPartySecurityMode::Permissive), ..other.clone() };
    assert_eq!(tx.client(&other.client_id).await.unwrap(), Some(as_it_was));
    for (identifier, signing_alg) in [("urn:signed", Some(SigningAlgorithm::Ps256)), ("urn:unset", None)] {
        let expected = ResourceServer { identifier: identifier.to_owned(), signing_alg, ..resource_server() };
        assert_eq!(tx.resource_server(identifier).await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn pages_of_client_grants_are_read_by_an_index() {
    let (_folder, storage) = super::sqlite::open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let client = client_id();
    for (client, audience, index) in [
        (None, None, "client_grants_by_id (tenant_id=?"),
        (None, Some("urn:x"), "client_grants_by_api_and_id (tenant_id=? AND <expr>=?"),
        (Some(&client), None, "(tenant_id=? AND client_id=?"),
        (Some(&client), Some("urn:x"), "(tenant_id=? AND client_id=?"),
    ] {
        for after in [None, Some("cgr_1")] {
            let filter = ClientGrantFilter { client, audience, ..Default::default() };
            let plan = tx.explain_client_grants(filter, after).await;
            assert!(plan[0].contains(index), "{client:?} {audience:?} {after:?}: {plan:?}");
            let is_sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            assert_eq!(is_sorted, client.is_some(), "{client:?} {audience:?} {after:?}: {plan:?}");
        }
    }
}
