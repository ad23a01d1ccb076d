//! The queue of back-channel logouts. Its tests are part of the contract.

use std::collections::BTreeSet;

use model::LogoutInitiator::{RpLogout, SessionRevoked};
use model::{
    BackchannelLogout, BackchannelLogoutInitiators, Client, ClientId, InitiatorMode, LogoutInitiator,
    OidcLogout, RefreshTokenId, SessionId, Timestamp,
};

use super::fixtures::*;
use crate::{RefreshTokens, Sessions, Storage, TenantTx};

/// A client of the sessions that wants to be told of these ends.
async fn put_client(tx: &mut TenantTx, id: &str, initiators: &[LogoutInitiator]) {
    let settings = OidcLogout {
        backchannel_logout_urls: vec!["https://acme.test/logged-out".to_owned()],
        backchannel_logout_initiators: Some(BackchannelLogoutInitiators {
            mode: InitiatorMode::Custom,
            selected_initiators: initiators.to_vec(),
        }),
    };
    tx.put_client(&Client { client_id: ClientId::new(id), oidc_logout: Some(settings), ..client() })
        .await
        .unwrap();
}

/// Claims until a second later.
async fn claim(tx: &mut TenantTx, now: Timestamp) -> Vec<BackchannelLogout> {
    tx.claim_backchannel_logouts(now, now.plus_secs(1)).await.unwrap()
}

fn names(logouts: &[BackchannelLogout]) -> BTreeSet<(&str, &str)> {
    logouts.iter().map(|logout| (logout.session_id.as_str(), logout.client_id.as_str())).collect()
}

pub async fn the_end_of_a_session_is_queued_for_each_client_that_wants_to_know(storage: &Storage) {
    with_tenants(storage).await;
    let parent = RefreshTokenId::new("rt_1");
    let sid = |id: &str| SessionId::new(id);
    for tenant in [acme(), other()] {
        let mut tx = storage.begin(&tenant).await.unwrap();
        put_client(&mut tx, "z-first", &[RpLogout]).await;
        put_client(&mut tx, "a-second", &[RpLogout, SessionRevoked]).await;
        tx.insert_refresh_token(&refresh_token(parent.as_str()), "secret").await.unwrap();
        for (id, from) in [("own", None), ("idle", None), ("revoked", Some("rt_1")), ("child", Some("rt_1"))]
        {
            tx.insert_session(&session(id, from), id, ISSUER).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.revoke_sessions(Sessions::One(&sid("own")), RpLogout, at(1)).await.unwrap();
    let logouts = claim(&mut tx, at(1)).await;
    assert_eq!(names(&logouts), BTreeSet::from([("own", "a-second"), ("own", "z-first")]));
    for logout in logouts {
        let expected = BackchannelLogout {
            client_id: logout.client_id.clone(),
            created_at: at(1),
            ..backchannel_logout("own")
        };
        assert_eq!(logout, expected);
        assert!(tx.finish_backchannel_logout(&logout, at(1000)).await.unwrap());
    }
    // It ended by itself before.
    tx.revoke_sessions(Sessions::One(&sid("idle")), RpLogout, at(200)).await.unwrap();
    assert_eq!(claim(&mut tx, at(200)).await, []);
    tx.revoke_sessions(Sessions::One(&sid("revoked")), SessionRevoked, at(2)).await.unwrap();
    assert_eq!(names(&claim(&mut tx, at(2)).await), BTreeSet::from([("revoked", "a-second")]));
    tx.revoke_refresh_tokens(RefreshTokens::One(&parent), SessionRevoked, at(2)).await.unwrap();
    assert_eq!(names(&claim(&mut tx, at(2)).await), BTreeSet::from([("child", "a-second")]));
    // All of it is over already.
    tx.revoke_sessions(Sessions::OfUser(&user_id()), RpLogout, at(2)).await.unwrap();
    tx.revoke_refresh_tokens(RefreshTokens::OfUser(&user_id()), RpLogout, at(2)).await.unwrap();
    assert_eq!(claim(&mut tx, at(2)).await, []);
    tx.commit().await.unwrap();
    let mut tx = storage.begin(&other()).await.unwrap();
    assert_eq!(claim(&mut tx, at(500)).await, []);
}

pub async fn a_logout_is_claimed_by_one_at_a_time_until_it_is_finished(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    put_client(&mut tx, "z-first", &[RpLogout]).await;
    for id in ["s1", "s2"] {
        tx.insert_session(&session(id, None), id, ISSUER).await.unwrap();
    }
    tx.revoke_sessions(Sessions::OfUser(&user_id()), RpLogout, at(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(storage.tenants_with_due_logouts(now(), 10).await.unwrap(), []);
    assert_eq!(storage.tenants_with_due_logouts(at(1), 10).await.unwrap(), [acme()]);
    let claims: Vec<_> = (0..8)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move {
                let mut tx = storage.begin(&acme()).await.unwrap();
                let claimed = claim(&mut tx, at(1)).await;
                tx.commit().await.unwrap();
                claimed
            })
        })
        .collect();
    let mut first = Vec::new();
    for claim in claims {
        first.extend(claim.await.unwrap());
    }
    // On PostgreSQL several may have wanted the same one, and only one got it.
    let mut tx = storage.begin(&acme()).await.unwrap();
    first.extend(claim(&mut tx, at(1)).await);
    assert_eq!((first.len(), names(&first).len()), (2, 2), "{first:?}");
    assert!(first.iter().all(|logout| logout.attempts == 1));

    // The claim ran out, and somebody else has it.
    let second = claim(&mut tx, at(2)).await;
    assert!(second.len() == 2 && second.iter().all(|logout| logout.attempts == 2), "{second:?}");
    for late in &first {
        tx.put_off_backchannel_logout(late, at(1)).await.unwrap();
        assert!(!tx.finish_backchannel_logout(late, at(1)).await.unwrap());
    }
    assert_eq!(claim(&mut tx, at(2)).await, []);
    tx.put_off_backchannel_logout(&second[0], at(50)).await.unwrap();
    assert!(tx.finish_backchannel_logout(&second[1], at(60)).await.unwrap());
    assert!(!tx.finish_backchannel_logout(&second[1], at(60)).await.unwrap());
    assert_eq!(claim(&mut tx, at(49)).await, []);
    let third = claim(&mut tx, at(50)).await;
    assert_eq!((third.len(), third[0].attempts), (1, 3));
    assert!(tx.finish_backchannel_logout(&third[0], at(70)).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(storage.tenants_with_due_logouts(at(1000), 10).await.unwrap(), []);
    // Housekeeping leaves them an hour more.
    for (moment, there) in [(at(3600 + 59), 2), (at(3600 + 60), 1), (at(3600 + 70), 0)] {
        let mut sweep = storage.sweep(moment, 86_400, 100);
        while sweep.next().await.unwrap().is_some() {}
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM backchannel_logouts")
            .fetch_one(&storage.reader)
            .await
            .unwrap();
        assert_eq!(count, there, "what is finished is removed in time");
    }
}
