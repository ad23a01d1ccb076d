//! Lists of users: parts of the contract's tests.

use model::search::Query;
use model::{User, UserId};
use serde_json::json;

use super::fixtures::*;
use crate::{Storage, TenantTx, UserListing};

fn named(id: &str) -> User {
    User {
        user_id: UserId::new(format!("auth0|{id}")),
        email: Some(format!("{id}@acme.test")),
        username: None,
        user_metadata: Default::default(),
        app_metadata: Default::default(),
        ..user()
    }
}

/// Ann, Bob and Cyd differ in all that can be looked for.
async fn people(tx: &mut TenantTx) {
    let ann = User { email_verified: true, blocked: false, logins_count: 3, ..named("ann") };
    let mut bob = User {
        name: Some("Bob %_' Ågren".to_owned()),
        nickname: None,
        email_verified: false,
        blocked: true,
        logins_count: 12,
        last_login: None,
        created_at: at(10),
        updated_at: at(20),
        ..named("bob")
    };
    bob.app_metadata = map(json!({
        "plan": "gold",
        "seats": 3,
        "beta": true,
        "roles": ["editor", "Admin", 7],
        "deep": { "er": { "x-y": "z" } },
        "nothing": null,
    }));
    bob.user_metadata = map(json!({ "theme": "dark", "nul": "a\0b" }));
    let mut cyd = User { name: None, created_at: at(-10), username: Some("CYD".to_owned()), ..named("cyd") };
    cyd.app_metadata = map(json!({ "plan": "silver", "beta": "true", "roles": [] }));
    tx.put_connection(&connection()).await.unwrap();
    for user in [ann, bob, cyd] {
        tx.put_user(&user).await.unwrap();
    }
}

async fn found(tx: &mut TenantTx, query: &str) -> Vec<String> {
    let parsed = Query::parse(query).unwrap();
    let listing = UserListing { query: Some(&parsed), limit: 10, ..UserListing::default() };
    let users = tx.find_users(&listing).await.unwrap().unwrap();
    let count = tx.count_users(&listing).await.unwrap().unwrap();
    assert_eq!(usize::try_from(count).unwrap(), users.len(), "{query}");
    users.iter().map(|user| user.user_id.as_str().trim_start_matches("auth0|").to_owned()).collect()
}

pub async fn users_are_searched_by_what_they_have(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    people(&mut tx).await;
    let iso = |secs| at(secs).to_iso();
    let created = |from: &str, to: &str| format!("created_at:[{from} TO {to}]");
    let day = iso(0).split('T').next().unwrap().to_owned();
    for (query, expected) in [
        (r#"email:"BOB@acme.test""#, &["bob"][..]),
        ("user_id:auth0|ann", &["ann"]),
        ("user_id:AUTH0|ann", &[]),
        ("username:Cyd", &["cyd"]),
        (r#"name:"BOB %_' Ågren""#, &["bob"]),
        (r"name:bob\ %*", &["bob"]),
        ("name:bobx*", &[]),
        ("email:ANN@*", &["ann"]),
        ("NOT name:x", &["ann", "bob", "cyd"]),
        ("email_verified:false", &["bob"]),
        ("blocked:true", &["bob", "cyd"]),
        ("_missing_:name", &["cyd"]),
        ("NOT _exists_:last_login", &["bob"]),
        ("logins_count:12", &["bob"]),
        ("logins_count:[4 TO 12]", &["bob", "cyd"]),
        ("logins_count:{3 TO *]", &["bob", "cyd"]),
        ("logins_count:<7", &["ann"]),
        (&created(&iso(-10), &iso(0)), &["cyd"]),
        (&created(&iso(10), "*"), &["bob"]),
        (&created("*", &day), &["ann", "bob", "cyd"]),
        (&format!("updated_at:\"{}\"", iso(20)), &["bob"]),
        ("identities.user_id:bob", &["bob"]),
        (r#"identities.connection:"Username-Password-Authentication" AND blocked:false"#, &["ann"]),
        ("identities.connection:another", &[]),
        ("identities.provider:auth0 AND NOT blocked:true", &["ann"]),
        (r#"app_metadata.plan:"gold""#, &["bob"]),
        ("app_metadata.plan:Gold", &[]),
        ("app_metadata.plan:s*", &["cyd"]),
        ("app_metadata.seats:3", &["bob"]),
        ("app_metadata.beta:true", &["bob", "cyd"]),
        ("app_metadata.roles:Admin", &["bob"]),
        ("app_metadata.roles:7", &["bob"]),
        ("app_metadata.deep.er.x-y:z", &["bob"]),
        ("_exists_:app_metadata.deep", &[]),
        ("_exists_:app_metadata.nothing", &[]),
        ("_exists_:app_metadata.roles", &["bob"]),
        ("user_metadata.theme:dark", &["bob"]),
        ("NOT user_metadata.theme:dark", &["ann", "cyd"]),
        (r#"blocked:true AND NOT email:"bob@acme.test""#, &["cyd"]),
        ("email:ann@acme.test OR app_metadata.plan:gold", &["ann", "bob"]),
    ] {
        assert_eq!(found(&mut tx, query).await, expected, "{query}");
    }
    for query in [
        "ann",
        "password_hash:x",
        "app_metadata:x",
        "app_metadata.:x",
        "identities.isSocial:true",
        "app_metadata.seats:[1 TO 2]",
        "logins_count:many",
        "logins_count:1*",
        "created_at:[yesterday TO *]",
        "blocked:yes",
        "blocked:t*",
        "_exists_:password_hash",
    ] {
        let parsed = Query::parse(query).unwrap();
        let listing = UserListing { query: Some(&parsed), limit: 10, ..UserListing::default() };
        assert!(tx.find_users(&listing).await.unwrap().is_err(), "{query}");
        assert!(tx.count_users(&listing).await.unwrap().is_err(), "{query}");
    }
    tx.commit().await.unwrap();

    let mut tx = storage.begin_read(&other()).await.unwrap();
    assert!(found(&mut tx, "NOT email:x").await.is_empty(), "another tenant's");
    assert!(tx.users_by_email("ann@acme.test", 10).await.unwrap().is_empty(), "another tenant's");
}

pub async fn users_are_listed_in_an_order_and_by_pages(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    people(&mut tx).await;
    for (order, limit, offset, expected) in [
        (None, 10, 0, &["ann", "bob", "cyd"][..]),
        (None, 2, 1, &["bob", "cyd"]),
        (Some(("created_at", false)), 10, 0, &["ann", "cyd", "bob"]),
        (Some(("created_at", true)), 10, 0, &["bob", "cyd", "ann"]),
        (Some(("last_login", false)), 10, 0, &["ann", "cyd", "bob"]),
        (Some(("last_login", true)), 10, 0, &["ann", "cyd", "bob"]),
        (Some(("name", true)), 10, 0, &["bob", "ann", "cyd"]),
        (Some(("email", true)), 1, 1, &["bob"]),
        (Some(("logins_count", true)), 1, 0, &["bob"]),
    ] {
        let listing = UserListing { order, limit, offset, ..UserListing::default() };
        let users = tx.find_users(&listing).await.unwrap().unwrap();
        let ids: Vec<_> =
            users.iter().map(|user| user.user_id.as_str().trim_start_matches("auth0|")).collect();
        assert_eq!(ids, expected, "{order:?}");
    }
    let all = UserListing { limit: 10, ..UserListing::default() };
    assert_eq!(tx.count_users(&all).await.unwrap().unwrap(), 3);
    for connection in [Some(connection().name.as_str()), Some("another")] {
        let of = UserListing { connection, ..all.clone() };
        let count = if connection == Some("another") { 0 } else { 3 };
        assert_eq!(tx.count_users(&of).await.unwrap().unwrap(), count);
        assert_eq!(tx.find_users(&of).await.unwrap().unwrap().len(), usize::try_from(count).unwrap());
    }
    for wrong in ["password_hash", "app_metadata.plan", ""] {
        let listing = UserListing { order: Some((wrong, false)), ..all.clone() };
        assert!(tx.find_users(&listing).await.unwrap().is_err(), "{wrong}");
    }
    let by_email = tx.users_by_email(" Bob@ACME.test ", 10).await.unwrap();
    assert_eq!(by_email.len(), 1);

    assert!(tx.with_factors(&by_email).await.unwrap().is_empty());
    let factor = model::Authenticator {
        user_id: by_email[0].user_id.clone(),
        confirmed_at: Some(now()),
        ..authenticator()
    };
    assert!(tx.begin_authenticator(&factor, None).await.unwrap());
    let all = tx.find_users(&all).await.unwrap().unwrap();
    assert_eq!(tx.with_factors(&all).await.unwrap(), [by_email[0].user_id.clone()]);
    assert!(tx.with_factors(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn lists_of_users_are_read_by_an_index() {
    let (_folder, storage) = super::sqlite::open().await;
    with_tenants(&storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    people(&mut tx).await;
    let all = UserListing { limit: 10, ..UserListing::default() };
    let plan = tx.explain_users(&all).await;
    assert!(plan.iter().all(|step| !step.contains("TEMP B-TREE") && !step.starts_with("SCAN")), "{plan:?}");
    for (query, index) in
        [("user_id:x", "(tenant_id=? AND id=?)"), ("email:x", "(tenant_id=? AND email_lower=?)")]
    {
        let parsed = Query::parse(query).unwrap();
        let plan = tx.explain_users(&UserListing { query: Some(&parsed), ..all.clone() }).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{query}: {plan:?}");
    }
}
