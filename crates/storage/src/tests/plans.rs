//! No statement reads more of a table than it must: neither database plans to read a whole one for any of them.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Row};

use super::contract::fill;
use super::fixtures::{
    acme, at, backchannel_logout, client_id, code, connection, connection_id, now, refresh_token, session,
    user_id, with_tenants,
};
use super::{postgres, sqlite};
use crate::{ConsentKey, Consents, PermissionHolder, RefreshTokens, Sessions, Storage, TokenFilter};
use model::LogoutInitiator::RpLogout;
use model::{FactorType, GroupId, OrganizationId, RefreshToken, RefreshTokenId, RoleId, SessionId};
use serde_json::Map;

/// All statements of a tenant, by running each.
async fn statements(storage: &Storage) -> Vec<&'static str> {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    fill(&mut tx).await;
    super::contract::check_all(&mut tx).await;
    let rt = RefreshTokenId::new("rt_1");
    let sid = SessionId::new("session");
    tx.connection_by_name(&connection().name).await.unwrap();
    tx.user_by_login(&connection_id(), "ann").await.unwrap();
    tx.record_login(&user_id(), now(), "ip").await.unwrap();
    tx.set_user_metadata(&user_id(), &Map::new(), &Map::new(), now()).await.unwrap();
    tx.set_password_hash(&user_id(), "hash").await.unwrap();
    tx.remember_password(&user_id(), "hash", 1).await.unwrap();
    tx.passwords_before(&user_id(), 1).await.unwrap();
    tx.forget_passwords(&user_id()).await.unwrap();
    tx.update_session(&session("session", None), None, now()).await.unwrap();
    let (user, client) = (user_id(), client_id());
    for which in [Sessions::One(&sid), Sessions::OfUser(&user)] {
        tx.revoke_sessions(which, RpLogout, now()).await.unwrap();
    }
    for which in [
        RefreshTokens::One(&rt),
        RefreshTokens::OfUser(&user),
        RefreshTokens::OfflineOfUser(&user),
        RefreshTokens::OfflineOfClient(&user, &client),
        RefreshTokens::OfClient(&client),
        RefreshTokens::OfGrant(&user, &client, None),
        RefreshTokens::NonRotatingOfGrant(&user, &client, None, &rt),
        RefreshTokens::OfSession(&sid),
        RefreshTokens::BoundTo(&sid),
        RefreshTokens::BoundOfUser(&user),
    ] {
        tx.revoke_refresh_tokens(which, RpLogout, now()).await.unwrap();
    }
    tx.queue_expired_sessions(at(-60), now(), now()).await.unwrap();
    tx.claim_backchannel_logouts(now(), at(60)).await.unwrap();
    tx.put_off_backchannel_logout(&backchannel_logout("session"), at(60)).await.unwrap();
    tx.finish_backchannel_logout(&backchannel_logout("session"), at(60)).await.unwrap();
    tx.hold_session(&sid, now()).await.unwrap();
    tx.spend_pending("handle", "browser", now()).await.unwrap();
    tx.poll_device_code("device", &client_id(), now(), at(5)).await.unwrap();
    tx.has_device_code("device", &client_id()).await.unwrap();
    tx.approve_device_code("device", now()).await.unwrap();
    tx.deny_device_code("device", "no", now()).await.unwrap();
    tx.tell_device_expiry("device", now()).await.unwrap();
    tx.confirm_authenticator(&user, FactorType::Otp, "login", 1, now()).await.unwrap();
    tx.spend_otp_step(&user, 2, now()).await.unwrap();
    tx.spend_recovery_code(&user, "code", "next", now()).await.unwrap();
    tx.delete_authenticator(&user, FactorType::Otp).await.unwrap();
    tx.spend_mfa_token("mfa-token", now()).await.unwrap();
    tx.spend_pushed_request("pushed", &client_id(), now()).await.unwrap();
    tx.spend_code("code", &code("session"), Some(&rt), Some("access"), 200, now()).await.unwrap();
    tx.delete_access_token_of_code("code").await.unwrap();
    let bound = RefreshToken { bound_to_session: true, ..refresh_token("rt_1") };
    tx.rotate_refresh_token(&bound, "refresh-secret", ("next", 2), now()).await.unwrap();
    tx.record_exchange(&bound, true, now()).await.unwrap();
    tx.set_refresh_token_metadata(&rt, &BTreeMap::new()).await.unwrap();
    tx.touch_session(&sid, now(), at(1)).await.unwrap();
    tx.set_session_metadata(&sid, &BTreeMap::new(), now()).await.unwrap();
    tx.sessions_of(&user, None, 10, now()).await.unwrap();
    tx.count_sessions_of(&user, now()).await.unwrap();
    tx.count_refresh_tokens(&user_id(), &client_id(), now()).await.unwrap();
    tx.oldest_refresh_token(&user, &client, now()).await.unwrap();
    tx.refresh_tokens_of(&user, Some(&client), None, 10, now()).await.unwrap();
    tx.count_refresh_tokens_of(&user, Some(&client), now()).await.unwrap();
    for filter in [TokenFilter { user: Some(&user), ..TokenFilter::default() }, TokenFilter::default()] {
        tx.user_grants(filter, 10, 0, now()).await.unwrap();
        tx.count_user_grants(filter, now()).await.unwrap();
        tx.offline_refresh_tokens(filter, 10, 0, now()).await.unwrap();
        tx.count_offline_refresh_tokens(filter, now()).await.unwrap();
    }
    let request = code("session").request;
    let key = ConsentKey::of(&user, &request);
    tx.put_consent(key, &[], now()).await.unwrap();
    tx.consent(key).await.unwrap();
    tx.use_consent(key, now()).await.unwrap();
    for which in [Consents::OfGrant(&user, &client, None), Consents::OfUser(&user)] {
        tx.delete_consents(which).await.unwrap();
    }
    tx.users_by_email("ann@acme.test", 10).await.unwrap();
    tx.spend_session_transfer_token("transfer", at(1)).await.unwrap();
    tx.delete_signing_key("kid").await.unwrap();
    let (globex, staff, role) = (OrganizationId::new("org_1"), GroupId::new("grp_1"), RoleId::new("rol_1"));
    for holder in [PermissionHolder::Role(&role), PermissionHolder::User(&user)] {
        let permission = super::permissions::permission("read");
        tx.add_permission(holder, &permission).await.unwrap();
        tx.permissions_of(holder, 10, 0).await.unwrap();
        tx.count_permissions_of(holder).await.unwrap();
        tx.remove_permission(holder, &permission).await.unwrap();
    }
    for organization in [None, Some(&globex)] {
        tx.permissions_at(&user, "api", &connection_id(), organization).await.unwrap();
    }
    tx.keep_permissions(&super::fixtures::resource_server().identifier, &[]).await.unwrap();
    tx.users_with_role(&role, "", 10, 0).await.unwrap();
    tx.count_users_with_role(&role).await.unwrap();
    tx.remove_organization_connection(&globex, &connection_id()).await.unwrap();
    tx.remove_organization_role(&globex, &user, &role).await.unwrap();
    tx.remove_organization_member(&globex, &user).await.unwrap();
    tx.remove_group_role(&staff, &role).await.unwrap();
    tx.remove_group_member(&staff, &user).await.unwrap();
    tx.delete_group(&staff).await.unwrap();
    tx.delete_organization(&globex).await.unwrap();
    tx.unassign_role(&user, &role).await.unwrap();
    tx.delete_role(&role).await.unwrap();
    tx.delete_user(&user).await.unwrap();
    tx.clear_rate_limit("login").await.unwrap();
    tx.spend_jwt_id("jti", at(60)).await.unwrap();
    super::managed::remove(&mut tx).await;
    let log = tx.logs(1).await.unwrap().remove(0);
    tx.log(log.log_id).await.unwrap();
    tx.cursor_at(now()).await.unwrap();
    let end = tx.log_end().await.unwrap();
    tx.logs_after(end, 10).await.unwrap();
    let stream = super::logs::log_stream("lst_1");
    tx.insert_log_stream(&stream, end).await.unwrap();
    tx.update_log_stream(&stream).await.unwrap();
    tx.log_stream("lst_1").await.unwrap();
    tx.log_stream_by_name("name").await.unwrap();
    tx.log_streams().await.unwrap();
    tx.claim_log_streams(now(), at(60)).await.unwrap();
    let claimed = crate::ClaimedLogStream { stream, cursor: end, lease_end: at(60) };
    tx.put_off_log_stream(&claimed, model::LogStreamStatus::Active, "", now(), at(1)).await.unwrap();
    tx.advance_log_stream(&claimed, end, now()).await.unwrap();
    tx.delete_log_stream("lst_1").await.unwrap();
    super::actions::run_all(&mut tx).await;
    let mut statements = tx.seen.lock().unwrap().clone();
    statements.extend([crate::codes::CODE_USE, crate::refresh_tokens::REFRESH_TOKEN_USE]);
    tx.commit().await.unwrap();

    statements.sort_unstable();
    statements.dedup();
    assert!(statements.len() > 55, "only {} statements were seen", statements.len());
    statements
}

/// Whether the statement lists or counts all that a tenant has, by its nature.
fn is_list(sql: &str) -> bool {
    !sql.contains("$2")
        || sql.contains("LIMIT $2")
        // Roles by what is in their names, tokens of all users: the filter is beside the point.
        || sql.contains("LOWER(name) LIKE")
        || sql.contains("$2 = ''")
        || sql.starts_with("SELECT COUNT(*) AS clients")
}

#[tokio::test]
async fn every_statement_uses_an_index_on_sqlite() {
    let (_folder, storage) = sqlite::open().await;
    for sql in statements(&storage).await {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        for step in sqlx::raw_sql(explain).fetch_all(&storage.reader).await.unwrap() {
            let detail: String = step.get("detail");
            assert!(!detail.starts_with("SCAN") || detail == "SCAN CONSTANT ROW", "{detail} in {sql}");
            assert!(!detail.contains("AUTOMATIC"), "{detail} in {sql}");
            // Nearly all sessions end in the future.
            assert!(!detail.contains("idle_expires_at>?)"), "{detail} in {sql}");
            // To search by tenant alone is to read all of the tenant's rows: for lists only.
            assert!(is_list(sql) || !detail.contains("(tenant_id=?)"), "{detail} in {sql}");
        }
    }
}

#[tokio::test]
async fn every_statement_uses_an_index_on_postgres() {
    let (storage, _) = postgres::open().await;
    let statements = statements(&storage).await;
    let mut connection = storage.writer.acquire().await.unwrap();
    // Small tables are read whole, or by whatever index, with reason: these are large, and none is without a page. And the
    // plan is for any values.
    let settings = "INSERT INTO backchannel_logouts VALUES ('acme', 's', 'c', 'u', 'issuer', 1, 1, 0, 0);
        UPDATE pg_class SET reltuples = 10000000, relpages = 1
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace;
        SET plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(settings).execute(&mut *connection).await.unwrap();
    for sql in statements {
        let parameters = (1..).take_while(|number| sql.contains(&format!("${number}"))).count();
        let values = vec!["NULL"; parameters].join(", ");
        // The number that is bound here: without a value PostgreSQL takes it for a text.
        let sql = sql.replace("THEN $2 END", "THEN CAST($2 AS BIGINT) END");
        let prepare = AssertSqlSafe(format!("PREPARE explained AS {sql}"));
        sqlx::raw_sql(prepare).execute(&mut *connection).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE explained({values})"));
        for step in sqlx::raw_sql(explain).fetch_all(&mut *connection).await.unwrap() {
            let step: String = step.get(0);
            assert!(!step.contains("Seq Scan"), "{step} in {sql}");
            let by_tenant_alone = step.contains("Index Cond: (tenant_id = $1)");
            assert!(is_list(&sql) || !by_tenant_alone, "{step} in {sql}");
        }
        sqlx::raw_sql("DEALLOCATE explained").execute(&mut *connection).await.unwrap();
    }
}
