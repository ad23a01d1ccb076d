//! Second factors, and the logins that wait for one.

use model::{Authenticator, FactorType};

use super::fixtures::*;
use crate::Storage;

pub async fn a_factor_counts_when_the_login_that_began_it_confirms_it(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let of = |login: &str| Authenticator { begun_by: login.to_owned(), ..authenticator() };
    assert!(tx.begin_authenticator(&of("first"), None).await.unwrap());
    assert!(tx.begin_authenticator(&of("second"), None).await.unwrap());
    let (user, otp) = (user_id(), FactorType::Otp);
    assert_eq!(tx.authenticators_of(&user).await.unwrap(), [of("second")]);
    assert!(!tx.spend_otp_step(&user, 7, now()).await.unwrap(), "not before it is confirmed");
    assert!(!tx.confirm_authenticator(&user, otp, "first", 7, now()).await.unwrap());
    assert!(tx.confirm_authenticator(&user, otp, "second", 7, at(1)).await.unwrap());
    assert!(!tx.confirm_authenticator(&user, otp, "second", 8, at(1)).await.unwrap());
    assert!(!tx.begin_authenticator(&of("third"), None).await.unwrap());
    let confirmed = Authenticator { confirmed_at: Some(at(1)), last_used_at: Some(at(1)), ..of("second") };
    assert_eq!(tx.authenticators_of(&user).await.unwrap(), [confirmed]);
    // The code that confirmed it is used.
    for (step, is_new) in [(7, false), (6, false), (8, true), (8, false), (7, false), (9, true)] {
        assert_eq!(tx.spend_otp_step(&user, step, at(2)).await.unwrap(), is_new, "{step}");
    }
    assert!(tx.delete_authenticator(&user, otp).await.unwrap());
    assert!(!tx.delete_authenticator(&user, otp).await.unwrap());
    assert!(tx.begin_authenticator(&of("third"), None).await.unwrap());
    assert!(!tx.delete_user(&user).await.unwrap());
    assert!(tx.authenticators_of(&user).await.unwrap().is_empty(), "they go with the user");
}

pub async fn a_recovery_code_is_spent_for_the_next_one(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let code = Authenticator { factor: FactorType::RecoveryCode, sealed_secret: None, ..authenticator() };
    let user = user_id();
    assert!(tx.begin_authenticator(&code, Some("first")).await.unwrap());
    assert!(!tx.spend_recovery_code(&user, "first", "second", now()).await.unwrap());
    assert!(tx.confirm_authenticator(&user, code.factor, &code.begun_by, 0, now()).await.unwrap());
    for (spent, next, is_right) in
        [("wrong", "x", false), ("first", "second", true), ("first", "x", false), ("second", "third", true)]
    {
        assert_eq!(tx.spend_recovery_code(&user, spent, next, now()).await.unwrap(), is_right, "{spent}");
    }
}

pub async fn a_login_that_waits_for_a_factor_is_completed_once_and_in_time(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for name in ["one", "two"] {
        tx.insert_mfa_token(name, &mfa_token()).await.unwrap();
    }
    assert_eq!(tx.mfa_token("one").await.unwrap(), Some(mfa_token()));
    let end = mfa_token().expires_at;
    assert!(tx.spend_mfa_token("one", now()).await.unwrap());
    assert!(!tx.spend_mfa_token("one", now()).await.unwrap());
    assert_eq!(tx.mfa_token("one").await.unwrap(), None);
    assert!(!tx.spend_mfa_token("two", end).await.unwrap(), "it has expired");
    assert!(tx.mfa_token("two").await.unwrap().is_some());
}
