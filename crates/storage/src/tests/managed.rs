//! What people see of clients, APIs, grants, connections and tenants: parts of the contract's tests.

use model::{
    Client, ClientGrantProfile, ClientId, ClientProfile, ConnectionProfile, ManagedClient,
    ManagedClientGrant, ManagedConnection, ManagedResourceServer, ResourceServerProfile, TenantProfile,
};

use super::fixtures::*;
use crate::{ClientFilter, Storage, TenantTx};

const API: &str = "https://api.acme.test/";

fn client_profile() -> ClientProfile {
    ClientProfile {
        description: Some("What it is".to_owned()),
        is_first_party: Some(true),
        ..Default::default()
    }
}

pub async fn fill(tx: &mut TenantTx) {
    tx.put_client_profile(&client_id(), &client_profile(), at(5)).await.unwrap();
    let api = ResourceServerProfile { token_lifetime_for_web: Some(60), ..Default::default() };
    tx.put_resource_server_profile(API, "0123", &api).await.unwrap();
    tx.put_resource_server_profile(API, "its id stays", &api).await.unwrap();
    let grant = ClientGrantProfile { allow_any_organization: Some(false), ..Default::default() };
    tx.put_client_grant_profile(&client_grant(), "cgr_1", &grant).await.unwrap();
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
    let grant = ManagedClientGrant {
        id: "cgr_1".to_owned(),
        grant: client_grant(),
        profile: ClientGrantProfile { allow_any_organization: Some(false), ..Default::default() },
    };
    assert_eq!(tx.managed_client_grant("cgr_1").await.unwrap(), Some(grant.clone()));
    for (client, audience, found) in [
        (None, None, 1),
        (Some(client_id()), None, 1),
        (None, Some(API), 1),
        (Some(client_id()), Some("urn:other"), 0),
        (Some(ClientId::new("x")), None, 0),
        (None, Some("urn:other"), 0),
    ] {
        let grants = tx.managed_client_grants(client.as_ref(), audience).await.unwrap();
        assert_eq!(grants, vec![grant.clone(); found], "{client:?} {audience:?}");
    }
    let connection = ManagedConnection {
        connection: connection(),
        profile: ConnectionProfile { display_name: Some("Ours".to_owned()), ..Default::default() },
    };
    assert_eq!(tx.managed_connection(&connection_id()).await.unwrap(), Some(connection.clone()));
    assert_eq!(tx.managed_connections().await.unwrap(), [connection]);
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
    assert_eq!(tx.managed_client_grant("cgr_1").await.unwrap(), None);
    for (client, audience) in [(None, None), (Some(client_id()), None), (None, Some(API))] {
        assert!(tx.managed_client_grants(client.as_ref(), audience).await.unwrap().is_empty());
    }
    assert_eq!(tx.managed_connection(&connection_id()).await.unwrap(), None);
    assert!(tx.managed_connections().await.unwrap().is_empty());
    assert!(!tx.connection_has_users(&connection_id()).await.unwrap());
    tx.put_client_profile(&client_id(), &ClientProfile::default(), now()).await.unwrap();
    tx.put_resource_server_profile(API, "mine", &ResourceServerProfile::default()).await.unwrap();
    tx.put_client_grant_profile(&client_grant(), "mine", &ClientGrantProfile::default()).await.unwrap();
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
        let client = Client { client_id: id.clone(), name: name.to_owned(), app_type, ..client() };
        tx.put_client(&client).await.unwrap();
        let profile = ClientProfile { is_first_party: Some(is_first_party), ..Default::default() };
        tx.put_client_profile(&id, &profile, at(number)).await.unwrap();
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
