//! Housekeeping: what goes, what stays, and by which plans.

use std::collections::BTreeSet;

use model::LogoutInitiator::RpLogout;
use model::{
    Execution, LogEntry, RefreshToken, RefreshTokenId, Session, SessionId, StoredAccessToken, TenantId,
    Timestamp,
};
use sqlx::{AssertSqlSafe, Row};

use super::fixtures::*;
use crate::housekeeping::RULES;
use crate::{DatabaseKind, RefreshTokens, Storage, TenantTx};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const LOG_SECS: i64 = 30 * DAY;

/// What is in the tables, as `table/row`.
async fn rows(storage: &Storage) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for (table, id) in [
        ("pending_authorizations", "handle_hash"),
        ("pushed_authorization_requests", "hash"),
        ("session_transfer_tokens", "hash"),
        ("access_tokens", "hash"),
        ("device_codes", "hash"),
        ("mfa_tokens", "hash"),
        ("spent_jwt_ids", "hash"),
        ("rate_limits", "key"),
        ("logs", "description"),
        ("executions", "transaction_id"),
        ("refresh_token_secrets", "hash"),
        ("refresh_tokens", "id"),
        ("session_clients", "session_id || '/' || client_id"),
        ("sessions", "id"),
        ("codes", "hash"),
    ] {
        let sql = AssertSqlSafe(format!("SELECT tenant_id || '/' || {id} FROM {table}"));
        for row in sqlx::query(sql).fetch_all(&storage.reader).await.unwrap() {
            let name = row.get::<String, _>(0).replace("acme/", "");
            rows.insert(format!("{table}/{name}"));
        }
    }
    rows
}

/// One whole sweep at `now()`; how many rows went.
async fn sweep(storage: &Storage, batch_rows: u32) -> u64 {
    sweep_at(storage, now(), batch_rows).await
}

async fn sweep_at(storage: &Storage, moment: Timestamp, batch_rows: u32) -> u64 {
    let mut sweep = storage.sweep(moment, LOG_SECS, batch_rows);
    let mut removed = 0;
    while let Some(batch) = sweep.next().await.unwrap() {
        assert!(batch.removed <= u64::from(batch_rows), "{batch:?}");
        removed += batch.removed;
    }
    removed
}

async fn add_session(tx: &mut TenantTx, id: &str, expires_at: Timestamp, parent: Option<&str>) {
    let session = Session { expires_at, clients: vec![client_id()], ..session(id, parent) };
    tx.insert_session(&session, &format!("secret of {id}"), ISSUER).await.unwrap();
}

/// A refresh token without any end, with a spent secret and the one after it.
async fn add_token(tx: &mut TenantTx, id: &str, change: impl FnOnce(&mut RefreshToken)) {
    let mut token =
        RefreshToken { session_id: None, expires_at: None, idle_expires_at: None, ..refresh_token(id) };
    change(&mut token);
    tx.insert_refresh_token(&token, &format!("{id}/1")).await.unwrap();
    let (first, second) = (format!("{id}/1"), format!("{id}/2"));
    assert!(tx.rotate_refresh_token(&token, &first, (&second, 2), now()).await.unwrap().is_first);
}

async fn revoke(tx: &mut TenantTx, id: &str, moment: Timestamp) {
    let ended = tx
        .revoke_refresh_tokens(RefreshTokens::One(&RefreshTokenId::new(id)), RpLogout, moment)
        .await
        .unwrap();
    assert_eq!(ended, 1);
}

/// A code that was exchanged for these.
async fn add_code(
    tx: &mut TenantTx,
    hash: &str,
    expires_at: Timestamp,
    refresh: Option<&str>,
    access: Option<&str>,
) {
    let code = model::AuthorizationCode { expires_at, ..code("no session") };
    tx.insert_code(hash, &code).await.unwrap();
    if refresh.or(access).is_some() {
        let refresh = refresh.map(RefreshTokenId::new);
        assert!(tx.spend_code(hash, &code, refresh.as_ref(), access, 200, now()).await.unwrap().is_first);
    }
}

async fn add_access_token(tx: &mut TenantTx, hash: &str, expires_at: Timestamp, refresh: Option<&str>) {
    let refresh_token_id = refresh.map(RefreshTokenId::new);
    let token = StoredAccessToken { expires_at, refresh_token_id, session_id: None, ..access_token() };
    tx.insert_access_token(hash, &token).await.unwrap();
}

/// In each table that has nothing but an end, one row that may go and one that may not yet.
async fn add_rows_with_an_end(tx: &mut TenantTx) {
    for (name, end) in [("goes", at(-HOUR)), ("stays", at(-HOUR + 1))] {
        let pending = model::PendingAuthorization {
            id: model::PendingAuthorizationId::new(name),
            expires_at: end,
            ..pending()
        };
        tx.insert_pending(&pending, name, "browser").await.unwrap();
        let pushed = model::PushedAuthorizationRequest { expires_at: end, ..pushed_request() };
        tx.insert_pushed_request(name, &pushed).await.unwrap();
        let transfer = model::SessionTransferToken { expires_at: end, ..session_transfer_token() };
        tx.insert_session_transfer_token(name, &transfer).await.unwrap();
        add_access_token(tx, name, end, None).await;
        let device = model::DeviceCode { expires_at: end, ..device_code() };
        assert!(tx.insert_device_code(name, &format!("user {name}"), &device).await.unwrap());
        assert!(tx.spend_jwt_id(name, end).await.unwrap());
        let token = model::MfaToken { expires_at: end, ..mfa_token() };
        tx.insert_mfa_token(name, &token).await.unwrap();
    }
    for (name, moment) in [("goes", at(-DAY - 1)), ("stays", at(-DAY + 1))] {
        tx.hit_rate_limit(name, 1, moment).await.unwrap();
    }
    for (name, moment) in [("goes", at(-LOG_SECS)), ("stays", at(-LOG_SECS + 1))] {
        tx.insert_log(&LogEntry { date: moment, ..log_entry(name) }).await.unwrap();
        let run = Execution { created_at: moment, ..execution("run", 1) };
        tx.insert_execution(name, &run).await.unwrap();
    }
}

/// Refresh tokens that begin with `goes` may go, the others not: each name says why.
async fn add_families(tx: &mut TenantTx) {
    let over = Some(at(-HOUR));
    add_token(tx, "goes, revoked", |_| {}).await;
    revoke(tx, "goes, revoked", at(-HOUR)).await;
    add_token(tx, "goes, expired", |token| token.expires_at = over).await;
    // A day of grace: when it ends is known by the day.
    let idle = Some(at(-HOUR - DAY));
    add_token(tx, "goes, idle and no other end", |token| token.idle_expires_at = idle).await;
    add_token(tx, "alive", |_| {}).await;
    add_token(tx, "idle, absolute end ahead", |token| {
        token.idle_expires_at = over;
        token.expires_at = Some(at(1));
    })
    .await;
    add_token(tx, "revoked just now", |_| {}).await;
    revoke(tx, "revoked just now", at(-60)).await;

    // What was made from it reads its mark.
    add_token(tx, "parent of a session", |_| {}).await;
    add_session(tx, "transferred", at(DAY), Some("parent of a session")).await;
    revoke(tx, "parent of a session", at(-HOUR)).await;
    add_token(tx, "parent of a token", |token| token.expires_at = over).await;
    add_token(tx, "child of an expired one", |token| {
        token.parent_refresh_token = Some(RefreshTokenId::new("parent of a token"));
    })
    .await;
    // An access token outlives the expiry of the refresh token that it came from.
    add_token(tx, "expired, its access token lives", |token| token.expires_at = over).await;
    add_access_token(tx, "of an expired one", at(60), Some("expired, its access token lives")).await;
    // A child without an end of its own is over by its parent's mark, and then nothing needs the parent.
    add_token(tx, "goes, revoked with its child", |_| {}).await;
    add_token(tx, "goes, child of a revoked one", |token| {
        token.parent_refresh_token = Some(RefreshTokenId::new("goes, revoked with its child"));
    })
    .await;
    revoke(tx, "goes, revoked with its child", at(-HOUR)).await;
}

/// The same for sessions.
async fn add_sessions(tx: &mut TenantTx) {
    add_session(tx, "goes", at(-2 * DAY), None).await;
    add_session(tx, "its clients may have to be told", at(-2 * DAY + 1), None).await;
    add_session(tx, "has a living refresh token", at(-2 * DAY), None).await;
    add_token(tx, "outlives its session", |token| {
        token.session_id = Some(SessionId::new("has a living refresh token"));
    })
    .await;
    add_session(tx, "goes with what is bound to it", at(-2 * DAY), None).await;
    add_token(tx, "goes, bound", |token| {
        token.session_id = Some(SessionId::new("goes with what is bound to it"));
        token.bound_to_session = true;
        token.online = true;
    })
    .await;
    add_session(tx, "lives", at(DAY), None).await;
    add_token(tx, "bound to a living one", |token| {
        token.session_id = Some(SessionId::new("lives"));
        token.bound_to_session = true;
    })
    .await;
}

async fn add_codes(tx: &mut TenantTx) {
    add_code(tx, "goes, never used", at(-HOUR), None, None).await;
    add_code(tx, "expired just now", at(-60), None, None).await;
    add_code(tx, "goes, all that it issued is gone", at(-HOUR), Some("goes, revoked"), Some("goes")).await;
    add_code(tx, "its refresh token is there", at(-HOUR), Some("alive"), None).await;
    add_code(tx, "its access token is there", at(-HOUR), None, Some("of an expired one")).await;
}

/// In the other tenant, what has the same names is alive, and keeps nothing of this one.
async fn add_namesakes(storage: &Storage, tenant: &TenantId) {
    let mut tx = storage.begin(tenant).await.unwrap();
    add_session(&mut tx, "goes", at(DAY), Some("goes, revoked")).await;
    add_token(&mut tx, "goes, expired", |token| {
        token.session_id = Some(SessionId::new("goes"));
        token.parent_refresh_token = Some(RefreshTokenId::new("goes, idle and no other end"));
    })
    .await;
    add_access_token(&mut tx, "goes", at(60), Some("goes, revoked")).await;
    tx.commit().await.unwrap();
}

pub async fn a_sweep_removes_what_nothing_needs_and_nothing_else(storage: &Storage) {
    with_tenants(storage).await;
    add_namesakes(storage, &other()).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    tx.put_client(&client()).await.unwrap();
    add_rows_with_an_end(&mut tx).await;
    add_families(&mut tx).await;
    add_sessions(&mut tx).await;
    add_codes(&mut tx).await;
    tx.commit().await.unwrap();
    let before = rows(storage).await;
    let stays = |name: &&String| !name.contains("/goes") || name.contains("/other/");
    let stays: BTreeSet<_> = before.iter().filter(stays).cloned().collect();

    let waiting = storage.ended_rows(now(), LOG_SECS, 1000).await.unwrap();
    for table in ["pending_authorizations", "refresh_token_secrets", "session_clients", "codes"] {
        assert!(waiting.iter().any(|(name, rows)| *name == table && *rows > 0), "{table}: {waiting:?}");
    }
    let capped = storage.ended_rows(now(), LOG_SECS, 1).await.unwrap();
    assert!(capped.iter().all(|(_, rows)| *rows == 1), "{capped:?}");

    // Small batches, so that a table takes several of them.
    let removed = sweep(storage, 2).await;
    assert_eq!(rows(storage).await, stays);
    assert_eq!(removed, (before.len() - stays.len()) as u64);
    assert_eq!(sweep(storage, 2).await, 0);
    assert_eq!(storage.ended_rows(now(), LOG_SECS, 1000).await.unwrap(), []);
}

pub async fn refresh_tokens_of_a_version_before_over_by_are_removed_at_their_end(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    add_token(&mut tx, "goes, revoked", |_| {}).await;
    revoke(&mut tx, "goes, revoked", at(-HOUR)).await;
    add_token(&mut tx, "goes, expired", |token| token.expires_at = Some(at(-HOUR))).await;
    add_token(&mut tx, "goes, idle", |token| token.idle_expires_at = Some(at(-HOUR))).await;
    add_token(&mut tx, "without an end", |_| {}).await;
    add_token(&mut tx, "its end was moved", |token| token.expires_at = Some(at(1))).await;
    tx.commit().await.unwrap();
    // What a node of that version has written.
    for sql in [
        "UPDATE refresh_tokens SET over_by = NULL".to_owned(),
        format!("UPDATE refresh_tokens SET over_by = {} WHERE id = 'its end was moved'", at(-DAY).as_ms()),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&storage.writer).await.unwrap();
    }
    assert_eq!(sweep(storage, 2).await, 3 * 3);
    let left: Vec<_> =
        rows(storage).await.into_iter().filter(|row| row.starts_with("refresh_tokens/")).collect();
    assert_eq!(left, ["refresh_tokens/its end was moved", "refresh_tokens/without an end"]);
    assert_eq!(sweep_at(storage, at(1 + HOUR), 2).await, 3, "what was moved ends, too");
}

pub async fn an_exchange_that_moves_the_end_moves_the_removal(storage: &Storage) {
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    let old = Some(at(-3 * DAY));
    add_token(&mut tx, "rt_1", |token| token.idle_expires_at = old).await;
    let id = RefreshTokenId::new("rt_1");
    let before = tx.refresh_token(&id).await.unwrap().unwrap();
    let after = RefreshToken { idle_expires_at: Some(at(DAY)), ..before.clone() };
    assert!(tx.record_exchange(&after, true, at(-4 * DAY)).await.unwrap());
    tx.move_refresh_token_end(&before, &after).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sweep(storage, 10).await, 0);
    assert_eq!(sweep_at(storage, at(2 * DAY + HOUR), 10).await, 3, "the token and two secrets");
}

pub async fn sweeps_at_the_same_time_remove_each_row_once(storage: &Storage) {
    const FAMILIES: usize = 60;
    const PENDING: usize = 300;
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    for number in 0..PENDING {
        let name = format!("pending {number}");
        let pending = model::PendingAuthorization {
            id: model::PendingAuthorizationId::new(name.as_str()),
            expires_at: at(-DAY),
            ..pending()
        };
        tx.insert_pending(&pending, &name, "browser").await.unwrap();
    }
    for number in 0..FAMILIES {
        let end = at(-DAY - i64::try_from(number).unwrap());
        add_token(&mut tx, &format!("rt_{number}"), |token| token.expires_at = Some(end)).await;
    }
    tx.commit().await.unwrap();
    let sweeps: Vec<_> = (0..4)
        .map(|_| {
            let storage = storage.clone();
            tokio::spawn(async move { sweep(&storage, 7).await })
        })
        .collect();
    let mut removed = 0;
    for sweep in sweeps {
        removed += sweep.await.unwrap();
    }
    // What one has passed over because another had locked it, that other one has removed, or the next sweep does.
    removed += sweep(storage, 7).await;
    assert_eq!(removed, (PENDING + FAMILIES * 3) as u64);
    assert_eq!(rows(storage).await, BTreeSet::new());
}

pub async fn rows_that_must_stay_are_looked_at_once_in_a_sweep(storage: &Storage) {
    const CODES: i64 = 50;
    with_tenants(storage).await;
    let mut tx = storage.begin(&acme()).await.unwrap();
    add_token(&mut tx, "alive", |_| {}).await;
    for number in 0..CODES {
        add_code(&mut tx, &format!("{number}"), at(-DAY + number), Some("alive"), None).await;
    }
    add_code(&mut tx, "the youngest", at(-DAY + CODES), None, None).await;
    tx.commit().await.unwrap();
    let mut sweep = storage.sweep(now(), LOG_SECS, 10);
    let mut batches = Vec::new();
    while let Some(batch) = sweep.next().await.unwrap() {
        batches.push((batch.table, batch.removed));
    }
    assert_eq!(batches, [[("codes", 0); 5].as_slice(), &[("codes", 1)]].concat());
}

pub async fn housekeeping_reads_by_index(storage: &Storage) {
    let mut connection = storage.writer.acquire().await.unwrap();
    let (setup, explain) = match storage.kind() {
        DatabaseKind::Sqlite => ("SELECT 1", "EXPLAIN QUERY PLAN"),
        // The tables are empty: without this, to read them from end to end would be best.
        DatabaseKind::Postgres => {
            ("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan", "EXPLAIN")
        }
    };
    sqlx::raw_sql(setup).execute(&mut *connection).await.unwrap();
    let unused = crate::artifacts::is_unused(storage.kind());
    let artifact = format!("SELECT 1 FROM artifacts a WHERE a.digest = 'x' AND {unused}");
    let statements = RULES
        .iter()
        .flat_map(|rule| [rule.window(), rule.delete(storage.kind()), rule.count(storage.kind())])
        .chain([artifact]);
    for statement in statements {
        let values = ["$1", "$2", "$3", "$4"].iter().zip(["0", "1000", "10", "2000"]);
        let sql = values.fold(statement, |sql, (name, value)| sql.replace(name, value));
        let plan = sqlx::raw_sql(AssertSqlSafe(format!("{explain} {sql}")));
        for step in plan.fetch_all(&mut *connection).await.unwrap() {
            let step: String = match storage.kind() {
                DatabaseKind::Sqlite => step.get("detail"),
                DatabaseKind::Postgres => step.get(0),
            };
            // `w` is the window itself, of so many rows as a batch has.
            let whole_table = (step.starts_with("SCAN") && step != "SCAN w") || step.contains("Seq Scan");
            assert!(!whole_table && !step.contains("AUTOMATIC"), "{step} in {sql}");
            assert!(!step.contains("(tenant_id=?)"), "{step} in {sql}");
        }
    }
}
