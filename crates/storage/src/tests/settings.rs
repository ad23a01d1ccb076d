//! What a tenant's people set up, and the version that counts its changes.

use model::{SessionId, SigningKeyState, Tenant, TenantId};

use super::actions::deploy;
use super::contract::fill;
use super::fixtures::*;
use crate::{Storage, TenantTx};

pub async fn a_tenants_settings_are_replaced(storage: &Storage) {
    with_tenants(storage).await;
    let changed = Tenant {
        friendly_name: "New".to_owned(),
        default_audience: None,
        allowed_logout_urls: vec![],
        ..tenant(&acme())
    };
    storage.put_tenant(&Tenant { created_at: at(99), ..changed.clone() }).await.unwrap();
    let settings_version = changed.settings_version + 1;
    assert_eq!(storage.tenant(&acme()).await.unwrap(), Some(Tenant { settings_version, ..changed }));
    assert_eq!(storage.tenant(&TenantId::new("none")).await.unwrap(), None);
}

pub async fn what_a_tenant_sets_up_makes_a_new_version_and_what_its_users_do_does_not(storage: &Storage) {
    async fn version(storage: &Storage, tenant: &TenantId) -> i64 {
        storage.tenant(tenant).await.unwrap().unwrap().settings_version
    }
    type Done<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    type Step = for<'a> fn(&'a mut TenantTx) -> Done<'a>;
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    tx.commit().await.unwrap();
    let changes: [(&str, Step); 7] = [
        ("client", |tx| Box::pin(async { tx.put_client(&client()).await.unwrap() })),
        ("API", |tx| Box::pin(async { tx.put_resource_server(&resource_server()).await.unwrap() })),
        ("grant", |tx| Box::pin(async { tx.put_client_grant(&managed_client_grant()).await.unwrap() })),
        ("connection", |tx| Box::pin(async { tx.put_connection(&connection()).await.unwrap() })),
        ("key", |tx| {
            Box::pin(async { tx.put_signing_key(&signing_key("new", SigningKeyState::Next)).await.unwrap() })
        }),
        ("no more key", |tx| Box::pin(async { tx.delete_signing_key("new").await.unwrap() })),
        ("Action", |tx| {
            Box::pin(async {
                deploy(tx, "act_1", "other", "sha256:1", at(1)).await;
            })
        }),
    ];
    let others = version(storage, &other()).await;
    for (what, change) in changes {
        let before = version(storage, &acme()).await;
        let mut tx = storage.begin(&acme()).await.unwrap();
        change(&mut tx).await;
        assert_eq!(version(storage, &acme()).await, before, "{what}: not before it is committed");
        tx.commit().await.unwrap();
        assert!(version(storage, &acme()).await > before, "{what}");
    }
    assert_eq!(version(storage, &other()).await, others, "another tenant's");

    let before = version(storage, &acme()).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.record_login(&user_id(), now(), "ip").await.unwrap();
    tx.touch_session(&SessionId::new("session"), now(), at(1)).await.unwrap();
    tx.insert_log(&log_entry("one")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(version(storage, &acme()).await, before);
}
