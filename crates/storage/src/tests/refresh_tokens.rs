//! Refresh tokens: rotation, revocation and what it ends. Its tests are part of the contract.

use std::collections::BTreeMap;

use model::LogoutInitiator::RpLogout;
use model::{ClientId, RefreshToken, RefreshTokenId, SessionId, UserId};

use super::fixtures::*;
use crate::{RefreshTokens, Rotation, Sessions, Storage};

pub async fn a_revocation_ends_what_descends_and_nothing_else(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let parent = RefreshTokenId::new("rt_native");
    for (id, from) in
        [("s1", Some("rt_native")), ("s2", Some("rt_native")), ("s3", Some("rt_x")), ("s4", None)]
    {
        tx.insert_session(&session(id, from), id, ISSUER).await.unwrap();
        tx.insert_code(id, &code(id)).await.unwrap();
    }
    for (id, session_id, bound, from) in [
        ("rt_native", None, false, None),
        ("rt_1", Some("s1"), true, Some("rt_native")),
        ("rt_2", Some("s2"), false, Some("rt_native")),
        ("rt_3", Some("s4"), true, None),
        ("rt_4", Some("s4"), false, None),
    ] {
        let mut token = refresh_token(id);
        token.session_id = session_id.map(SessionId::new);
        token.bound_to_session = bound;
        token.parent_refresh_token = from.map(RefreshTokenId::new);
        tx.insert_refresh_token(&token, id).await.unwrap();
    }
    let (s2, s4) = (SessionId::new("s2"), SessionId::new("s4"));
    tx.revoke_sessions(Sessions::One(&s2), RpLogout, at(1)).await.unwrap();
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::One(&parent), RpLogout, at(2)).await.unwrap(), 1);
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::One(&parent), RpLogout, at(3)).await.unwrap(), 0);
    for (id, revoked_at) in [("s1", Some(at(2))), ("s2", Some(at(1))), ("s3", None), ("s4", None)] {
        let id = SessionId::new(id);
        assert_eq!(tx.session(&id).await.unwrap().unwrap().revoked_at, revoked_at, "{id}");
        assert_eq!(tx.session_by_secret(id.as_str()).await.unwrap().unwrap().revoked_at, revoked_at, "{id}");
        assert_eq!(tx.hold_session(&id, at(3)).await.unwrap(), revoked_at.is_none(), "{id}");
        let session = session(id.as_str(), None);
        assert_eq!(tx.update_session(&session, None, at(3)).await.unwrap(), revoked_at.is_none(), "{id}");
    }
    let ended = [("rt_native", true), ("rt_1", true), ("rt_2", true), ("rt_3", false), ("rt_4", false)];
    for (id, ended) in ended {
        let by_secret = tx.refresh_token_use(id, now()).await.unwrap().unwrap().token;
        assert_eq!(by_secret.revoked_at, ended.then_some(at(2)), "{id}");
        let id = RefreshTokenId::new(id);
        assert_eq!(tx.refresh_token(&id).await.unwrap().unwrap().revoked_at, by_secret.revoked_at, "{id}");
        let exchanged = tx.record_exchange(&refresh_token(id.as_str()), true, at(3)).await.unwrap();
        assert_eq!(exchanged, !ended, "{id}");
    }
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::BoundTo(&s4), RpLogout, at(4)).await.unwrap(), 1);
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::OfSession(&s4), RpLogout, at(5)).await.unwrap(), 1);
}

pub async fn a_revocation_leaves_the_descendants_where_the_client_wants_it(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let mut client = client();
    let sid = SessionId::new("s1");
    for (round, cascades) in [(0, true), (1, false)] {
        client.session_transfer.as_mut().unwrap().enforce_cascade_revocation = cascades;
        tx.put_client(&client).await.unwrap();
        let id = RefreshTokenId::new(format!("rt_{round}"));
        tx.insert_refresh_token(&refresh_token(id.as_str()), id.as_str()).await.unwrap();
        let sid = SessionId::new(format!("{sid}{round}"));
        tx.insert_session(&session(sid.as_str(), Some(id.as_str())), sid.as_str(), ISSUER).await.unwrap();
        tx.revoke_refresh_tokens(RefreshTokens::OfUser(&user_id()), RpLogout, at(1)).await.unwrap();
        let ended = tx.session(&sid).await.unwrap().unwrap().revoked_at;
        assert_eq!(ended, cascades.then_some(at(1)));
    }
}

pub async fn refresh_tokens_are_revoked_by_user_client_and_audience(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let (user, client, other) = (user_id(), client_id(), ClientId::new("other"));
    for (id, client, audience, bound) in [
        ("rt_a", &client, Some("a"), false),
        ("rt_none", &client, None, false),
        ("rt_b", &client, Some("b"), false),
        ("rt_bound", &other, None, true),
        ("rt_other", &other, None, false),
    ] {
        let mut token = refresh_token(id);
        token.client_id = client.clone();
        token.audience = audience.map(str::to_owned);
        token.bound_to_session = bound;
        tx.insert_refresh_token(&token, id).await.unwrap();
    }
    for (which, count) in [
        (RefreshTokens::OfGrant(&user, &other, Some("a")), 0),
        (RefreshTokens::OfGrant(&user, &client, Some("a")), 1),
        (RefreshTokens::OfGrant(&user, &client, None), 1),
        (RefreshTokens::OfflineOfClient(&user, &client), 1),
        (RefreshTokens::BoundOfUser(&user), 1),
        (RefreshTokens::OfUser(&UserId::new("x")), 0),
        (RefreshTokens::OfUser(&user), 1),
    ] {
        assert_eq!(tx.revoke_refresh_tokens(which, RpLogout, at(1)).await.unwrap(), count, "{which:?}");
    }
    tx.insert_session(&session("s1", None), "s1", ISSUER).await.unwrap();
    tx.insert_session(&session("s2", None), "s2", ISSUER).await.unwrap();
    assert_eq!(tx.revoke_sessions(Sessions::OfUser(&user), RpLogout, at(1)).await.unwrap(), 2);
}

pub async fn a_refresh_token_rotates_and_ends(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let id = RefreshTokenId::new("rt_1");
    tx.insert_refresh_token(&refresh_token("rt_1"), "first").await.unwrap();
    let token = refresh_token("rt_1");
    let done = Rotation { is_first: true, is_alive: true };
    assert_eq!(tx.rotate_refresh_token(&token, "first", ("second", 2), at(1)).await.unwrap(), done);
    // In the same millisecond as the one before.
    assert_eq!(tx.rotate_refresh_token(&token, "second", ("third", 3), at(1)).await.unwrap(), done);
    let again = tx.rotate_refresh_token(&token, "first", ("second", 2), at(1)).await.unwrap();
    assert!(!again.is_first);
    for (secret, spent_at, newer) in
        [("first", Some(at(1)), 2), ("second", Some(at(1)), 1), ("third", None, 0)]
    {
        let found = tx.refresh_token_use(secret, now()).await.unwrap().unwrap();
        assert_eq!((found.spent_at, found.newer_secrets), (spent_at, newer), "{secret}");
    }
    let mut exchanged = refresh_token("rt_1");
    exchanged.expires_at = Some(at(600));
    exchanged.idle_expires_at = Some(at(150));
    exchanged.rotating = false;
    exchanged.device.last_ip = Some("198.51.100.9".to_owned());
    assert!(tx.record_exchange(&exchanged, true, at(50)).await.unwrap());
    exchanged.last_exchanged_at = Some(at(50));
    assert_eq!(tx.refresh_token(&id).await.unwrap(), Some(exchanged.clone()));
    let metadata = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    assert!(tx.set_refresh_token_metadata(&id, &metadata).await.unwrap());
    assert_eq!(tx.refresh_token(&id).await.unwrap().unwrap().metadata, metadata);
    exchanged.idle_expires_at = Some(at(500));
    assert!(!tx.record_exchange(&exchanged, true, at(150)).await.unwrap());
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::One(&id), RpLogout, at(51)).await.unwrap(), 1);
    assert_eq!(tx.revoke_refresh_tokens(RefreshTokens::One(&id), RpLogout, at(52)).await.unwrap(), 0);
    assert!(!tx.record_exchange(&exchanged, true, at(53)).await.unwrap());
}

pub async fn the_oldest_living_refresh_token_gives_way(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for (id, created, expires) in [("rt_old", 1, Some(5)), ("rt_b", 2, None), ("rt_a", 3, Some(100))] {
        let mut token = refresh_token(id);
        token.created_at = at(created);
        token.expires_at = expires.map(at);
        token.idle_expires_at = None;
        tx.insert_refresh_token(&token, id).await.unwrap();
    }
    let (user, client) = (user_id(), client_id());
    assert_eq!(tx.count_refresh_tokens(&user, &client, at(4)).await.unwrap(), 3);
    assert_eq!(tx.count_refresh_tokens(&user, &client, at(5)).await.unwrap(), 2);
    assert_eq!(tx.count_refresh_tokens(&UserId::new("x"), &client, at(5)).await.unwrap(), 0);
    tx.insert_code("code", &code("session")).await.unwrap();
    let spent = tx.spend_code("code", &code("session"), None, None, 200, now()).await.unwrap();
    assert_eq!(spent.stored_refresh_tokens, 3, "all, alive or not");
    for oldest in ["rt_b", "rt_a"] {
        let found = tx.oldest_refresh_token(&user, &client, at(5)).await.unwrap().unwrap();
        assert_eq!(found.as_str(), oldest);
        tx.revoke_refresh_tokens(RefreshTokens::One(&found), RpLogout, at(5)).await.unwrap();
    }
    assert_eq!(tx.oldest_refresh_token(&user, &client, at(5)).await.unwrap(), None);
}

pub async fn a_rotation_is_for_a_living_token_in_a_living_session(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for id in ["alive", "session ended", "token ended"] {
        tx.insert_session(&session(id, None), id, ISSUER).await.unwrap();
        tx.insert_refresh_token(&bound(id), id).await.unwrap();
    }
    tx.revoke_sessions(Sessions::One(&SessionId::new("session ended")), RpLogout, at(1)).await.unwrap();
    let ended = RefreshTokenId::new("token ended");
    tx.revoke_refresh_tokens(RefreshTokens::One(&ended), RpLogout, at(1)).await.unwrap();
    for id in ["alive", "session ended", "token ended"] {
        let next = format!("after {id}");
        let rotation = tx.rotate_refresh_token(&bound(id), id, (&next, 2), at(2)).await.unwrap();
        assert_eq!((rotation.is_first, rotation.is_alive), (true, id == "alive"), "{id}");
    }
}

/// A refresh token that is bound to the session of its name.
fn bound(id: &str) -> RefreshToken {
    RefreshToken { session_id: Some(SessionId::new(id)), bound_to_session: true, ..refresh_token(id) }
}
